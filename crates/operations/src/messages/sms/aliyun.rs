//! Alibaba Cloud Short Message Service: `SendSms` of 2017-05-25, signed with ACS3-HMAC-SHA256
//! (<https://help.aliyun.com/zh/sdk/product-overview/v3-request-structure-and-signature>).

use super::signing::{hex, hmac_sha256, percent_encoded, sha256_hex};
use super::{
    Declaration, Request, ServerTemplate, Text, built, by_status, endpoint, host_of, json_of, server_template,
};
use crate::messages::attempt::{Attempt, NotTaken, Taken};
use crate::messages::model::Failure;
use crate::messages::outbound::Answer;
use bytes::Bytes;
use http_body_util::Full;
use secrecy::{ExposeSecret, SecretString};
use std::collections::BTreeMap;
use tacit_kernel::Timestamp;

const ALGORITHM: &str = "ACS3-HMAC-SHA256";

pub(super) struct Aliyun {
    key_id: String,
    secret: SecretString,
    endpoint: url::Url,
    templates: Vec<ServerTemplate>,
}

/// A request as it is signed. All parameters stand in the query; the body is empty.
pub(crate) struct Signed<'a> {
    pub(crate) host: &'a str,
    pub(crate) action: &'a str,
    pub(crate) version: &'a str,
    pub(crate) query: BTreeMap<&'a str, String>,
    /// `2023-10-26T10:22:32Z`.
    pub(crate) date: &'a str,
    pub(crate) nonce: &'a str,
}

impl Signed<'_> {
    pub(crate) fn canonical_query(&self) -> String {
        let pairs: Vec<String> =
            self.query.iter().map(|(k, v)| format!("{}={}", percent_encoded(k), percent_encoded(v))).collect();
        pairs.join("&")
    }

    /// The header `Authorization`.
    pub(crate) fn authorization(&self, key_id: &str, secret: &SecretString) -> String {
        let empty = sha256_hex(b"");
        let headers = [
            ("host", self.host),
            ("x-acs-action", self.action),
            ("x-acs-content-sha256", &empty),
            ("x-acs-date", self.date),
            ("x-acs-signature-nonce", self.nonce),
            ("x-acs-version", self.version),
        ];
        let names = headers.map(|(name, _)| name).join(";");
        let lines: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let canonical = format!("POST\n/\n{}\n{lines}\n{names}\n{empty}", self.canonical_query());
        let to_sign = format!("{ALGORITHM}\n{}", sha256_hex(canonical.as_bytes()));
        let signature = hex(&hmac_sha256(secret.expose_secret().as_bytes(), to_sign.as_bytes()));
        format!("{ALGORITHM} Credential={key_id},SignedHeaders={names},Signature={signature}")
    }

    /// The request with its headers.
    ///
    /// # Errors
    /// Something in it is no text of a header.
    pub(crate) fn request(&self, key_id: &str, secret: &SecretString) -> Result<Request, NotTaken> {
        built(
            http::Request::post(format!("https://{}/?{}", self.host, self.canonical_query()))
                .header("host", self.host)
                .header("x-acs-action", self.action)
                .header("x-acs-version", self.version)
                .header("x-acs-date", self.date)
                .header("x-acs-signature-nonce", self.nonce)
                .header("x-acs-content-sha256", sha256_hex(b""))
                .header("authorization", self.authorization(key_id, secret))
                .body(Full::new(Bytes::new())),
        )
    }
}

/// The moment as a request tells it.
pub(crate) fn date_of(now: Timestamp) -> String {
    let date = jiff::Timestamp::from_microsecond(now.0).unwrap_or_default();
    date.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

impl Aliyun {
    pub(super) fn new(key_id: String, secret: SecretString, declared: &mut Declaration) -> Result<Self, String> {
        if key_id.is_empty() {
            return Err("messages.sms.user: give the AccessKey id".into());
        }
        let endpoint = endpoint(declared.endpoint.take(), "dysmsapi.aliyuncs.com")?;
        Ok(Self { key_id, secret, endpoint, templates: super::server_templates(declared)? })
    }

    pub(super) fn request(&self, text: &Text<'_>, now: Timestamp, nonce: &str) -> Result<Request, NotTaken> {
        let template = server_template(&self.templates, text)?;
        let parameters: BTreeMap<String, String> = template.values(text.variables)?.into_iter().collect();
        let query = BTreeMap::from([
            ("OutId", text.id.to_string()),
            // With the country's number, without the plus.
            ("PhoneNumbers", text.to.trim_start_matches('+').to_owned()),
            ("SignName", template.sign_name.clone().unwrap_or_default()),
            ("TemplateCode", template.id.clone()),
            ("TemplateParam", serde_json::json!(parameters).to_string()),
        ]);
        let (host, date) = (host_of(&self.endpoint), date_of(now));
        let signed = Signed { host: &host, action: "SendSms", version: "2017-05-25", query, date: &date, nonce };
        signed.request(&self.key_id, &self.secret)
    }
}

/// <https://help.aliyun.com/zh/sms/developer-reference/api-error-codes>
pub(super) fn meaning(answer: &Answer) -> Attempt {
    let json = json_of(answer);
    let field = |name| json.as_ref().and_then(|j| j.get(name)).and_then(|v| v.as_str());
    let Some(code) = field("Code") else {
        return Err(by_status(answer.status));
    };
    if code == "OK" && answer.status == 200 {
        return Ok(Taken { status: answer.status, reference: field("BizId").map(str::to_owned) });
    }
    let failure = match code {
        "isv.MOBILE_NUMBER_ILLEGAL" | "isv.INVALID_PARAMETERS.PhoneNumbers" | "isv.BLACK_KEY_CONTROL_LIMIT" => {
            Failure::Recipient
        }
        "isv.BUSINESS_LIMIT_CONTROL"
        | "isv.DAY_LIMIT_CONTROL"
        | "isv.MONTH_LIMIT_CONTROL"
        | "isp.SYSTEM_ERROR"
        | "isv.AMOUNT_NOT_ENOUGH"
        | "isv.OUT_OF_SERVICE" => Failure::Deferred,
        "isv.SMS_TEMPLATE_ILLEGAL"
        | "isv.SMS_SIGNATURE_ILLEGAL"
        | "isv.TEMPLATE_MISSING_PARAMETERS"
        | "isv.TEMPLATE_PARAMS_ILLEGAL"
        | "isv.PARAM_LENGTH_LIMIT" => Failure::Template,
        "isp.RAM_PERMISSION_DENY" | "SignatureDoesNotMatch" | "IncompleteSignature" | "SignatureNonceUsed" => {
            Failure::Credentials
        }
        _ if code.starts_with("InvalidAccessKeyId") || code.starts_with("Forbidden") => Failure::Credentials,
        _ if code.starts_with("Throttling") || code == "ServiceUnavailable" || code == "InternalError" => {
            Failure::Deferred
        }
        _ => Failure::Refused,
    };
    Err(NotTaken::status(failure, answer.status).with_code(code))
}

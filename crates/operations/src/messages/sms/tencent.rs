//! Tencent Cloud SMS: `SendSms` of 2021-01-11, signed with TC3-HMAC-SHA256
//! (<https://cloud.tencent.com/document/api/382/52072>).

use super::signing::{hex, hmac_sha256, sha256_hex};
use super::{
    Declaration, Request, ServerTemplate, Text, built, by_status, endpoint, host_of, json_of, needed, server_template,
};
use crate::messages::attempt::{Attempt, NotTaken, Taken};
use crate::messages::model::Failure;
use crate::messages::outbound::Answer;
use bytes::Bytes;
use http_body_util::Full;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use tacit_kernel::Timestamp;

pub(crate) const CONTENT_TYPE: &str = "application/json; charset=utf-8";

pub(super) struct Tencent {
    secret_id: String,
    secret: SecretString,
    endpoint: url::Url,
    region: String,
    app_id: String,
    templates: Vec<ServerTemplate>,
}

/// The header `Authorization` of a request with that body.
pub(crate) fn authorization(
    (secret_id, secret): (&str, &SecretString),
    service: &str,
    host: &str,
    now: Timestamp,
    body: &[u8],
) -> String {
    let at = jiff::Timestamp::from_microsecond(now.0).unwrap_or_default();
    let date = at.strftime("%Y-%m-%d").to_string();
    let headers = "content-type;host";
    let canonical = format!("POST\n/\n\ncontent-type:{CONTENT_TYPE}\nhost:{host}\n\n{headers}\n{}", sha256_hex(body));
    let scope = format!("{date}/{service}/tc3_request");
    let to_sign = format!("TC3-HMAC-SHA256\n{}\n{scope}\n{}", at.as_second(), sha256_hex(canonical.as_bytes()));
    let first = zeroize::Zeroizing::new(format!("TC3{}", secret.expose_secret()));
    let of_date = hmac_sha256(first.as_bytes(), date.as_bytes());
    let of_service = hmac_sha256(of_date.as_ref(), service.as_bytes());
    let of_request = hmac_sha256(of_service.as_ref(), b"tc3_request");
    let signature = hex(&hmac_sha256(of_request.as_ref(), to_sign.as_bytes()));
    format!("TC3-HMAC-SHA256 Credential={secret_id}/{scope}, SignedHeaders={headers}, Signature={signature}")
}

impl Tencent {
    pub(super) fn new(secret_id: String, secret: SecretString, declared: &mut Declaration) -> Result<Self, String> {
        if secret_id.is_empty() {
            return Err("messages.sms.user: give the SecretId".into());
        }
        Ok(Self {
            secret_id,
            secret,
            endpoint: endpoint(declared.endpoint.take(), "sms.tencentcloudapi.com")?,
            region: needed(declared.region.take(), "region")?,
            app_id: needed(declared.app_id.take(), "app_id")?,
            templates: super::server_templates(declared)?,
        })
    }

    pub(super) fn request(&self, text: &Text<'_>, now: Timestamp) -> Result<Request, NotTaken> {
        let template = server_template(&self.templates, text)?;
        let values: Vec<String> = template.values(text.variables)?.into_iter().map(|(_, value)| value).collect();
        let body = json!({
            "PhoneNumberSet": [text.to],
            "SmsSdkAppId": self.app_id,
            "SignName": template.sign_name,
            "TemplateId": template.id,
            "TemplateParamSet": values,
            "SessionContext": text.id.to_string(),
        });
        let body = body.to_string();
        let host = host_of(&self.endpoint);
        let key = (self.secret_id.as_str(), &self.secret);
        built(
            http::Request::post(format!("https://{host}/"))
                .header("host", &host)
                .header("content-type", CONTENT_TYPE)
                .header("x-tc-action", "SendSms")
                .header("x-tc-version", "2021-01-11")
                .header("x-tc-region", &self.region)
                .header("x-tc-timestamp", now.0.div_euclid(1_000_000))
                .header("authorization", authorization(key, "sms", &host, now, body.as_bytes()))
                .body(Full::new(Bytes::from(body))),
        )
    }
}

/// <https://cloud.tencent.com/document/product/382/52075>
pub(super) fn meaning(answer: &Answer) -> Attempt {
    let Some(response) = json_of(answer).and_then(|mut j| j.get_mut("Response").map(serde_json::Value::take)) else {
        return Err(by_status(answer.status));
    };
    let code_at = |pointer| response.pointer(pointer).and_then(|v| v.as_str());
    let code = code_at("/Error/Code").or_else(|| code_at("/SendStatusSet/0/Code"));
    let Some(code) = code else { return Err(NotTaken::status(Failure::Answer, answer.status)) };
    if code == "Ok" {
        let reference = code_at("/SendStatusSet/0/SerialNo").map(str::to_owned);
        return Ok(Taken { status: answer.status, reference });
    }
    let failure = match code {
        "FailedOperation.PhoneNumberInBlacklist" | "FailedOperation.PhoneNumberOnBlacklist" => Failure::Recipient,
        "FailedOperation.InsufficientBalanceInSmsPackage" => Failure::Deferred,
        _ if code.starts_with("AuthFailure") || code.starts_with("UnauthorizedOperation") => Failure::Credentials,
        _ if code.starts_with("LimitExceeded") || code.starts_with("RequestLimitExceeded") => Failure::Deferred,
        _ if code.starts_with("InternalError") => Failure::Deferred,
        _ if code.contains("PhoneNumber") => Failure::Recipient,
        _ if code.contains("Template") || code.contains("Sign") => Failure::Template,
        _ => Failure::Refused,
    };
    Err(NotTaken::status(failure, answer.status).with_code(code))
}

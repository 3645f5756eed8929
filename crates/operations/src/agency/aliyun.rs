//! Alibaba Cloud: `Id2MetaVerify` of 2019-03-07, signed with ACS3-HMAC-SHA256
//! (<https://help.aliyun.com/zh/id-verification/information-verification/developer-reference/vatsl9lfmbwe74iv>).

use super::{Finding, Question, named, or_usual, unclear};
use crate::messages::outbound::Answer;
use crate::messages::sms::aliyun::{Signed, date_of};
use crate::messages::sms::{Request, host_of, json_of};
use crate::messages::{Failure, NotTaken};
use secrecy::SecretString;
use std::collections::BTreeMap;
use tacit_kernel::Timestamp;

pub(super) struct Aliyun {
    url: url::Url,
    key_id: String,
    secret: SecretString,
}

impl Aliyun {
    pub(super) fn new(url: Option<url::Url>, user: String, secret: SecretString) -> Result<Self, String> {
        let (url, key_id) = (or_usual(url, "cloudauth.aliyuncs.com")?, named(user, "AccessKey id")?);
        Ok(Self { url, key_id, secret })
    }

    pub(super) fn request(&self, question: &Question, now: Timestamp, nonce: &str) -> Result<Request, NotTaken> {
        let query = BTreeMap::from([
            ("IdentifyNum", question.number.reveal().clone()),
            ("ParamType", "normal".to_owned()),
            ("UserName", question.name.reveal().clone()),
        ]);
        let (host, date) = (host_of(&self.url), date_of(now));
        let signed = Signed { host: &host, action: "Id2MetaVerify", version: "2019-03-07", query, date: &date, nonce };
        signed.request(&self.key_id, &self.secret)
    }
}

pub(super) fn meaning(answer: &Answer) -> Result<Finding, NotTaken> {
    let json = json_of(answer);
    let code = json.as_ref().and_then(|json| json.get("Code")?.as_str()).ok_or_else(|| unclear(answer))?;
    let result = json.as_ref().and_then(|json| json.pointer("/ResultObject/BizCode")?.as_str());
    match (code, result) {
        ("200", Some("1")) => Ok(Finding::Match),
        ("200", Some("2")) => Ok(Finding::NoMatch),
        // No record; or name or number have a form that it does not take.
        ("200", Some("3")) | ("401", _) => Ok(Finding::Unknown),
        // Not subscribed, not permitted, not paid: the operator can mend it.
        ("410" | "411" | "412" | "SignatureDoesNotMatch", _) => {
            Err(NotTaken::status(Failure::Credentials, answer.status))
        }
        _ if code.starts_with("InvalidAccessKeyId") || code.starts_with("Forbidden") => {
            Err(NotTaken::status(Failure::Credentials, answer.status))
        }
        ("402" | "403" | "500" | "ServiceUnavailable" | "InternalError", _) => {
            Err(NotTaken::status(Failure::Deferred, answer.status))
        }
        _ if code.starts_with("Throttling") => Err(NotTaken::status(Failure::Deferred, answer.status)),
        ("200", _) => Err(NotTaken::status(Failure::Answer, answer.status)),
        _ => Err(NotTaken::status(Failure::Refused, answer.status)),
    }
}

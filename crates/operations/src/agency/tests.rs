//! The named fake speaks what an agency speaks, over a TLS socket: it is the one of the SMS providers, which works each
//! signature out by itself from what came over the wire.

use super::*;
use crate::messages::tests::sms_provider::{FakeProvider, OF_ALIYUN, OF_TENCENT, SECRET, worked_out};
use base64::Engine as _;
use serde_json::{Value, json};

const NOW: Timestamp = Timestamp(1_790_000_000_000_000);
const NAME: &str = "张三 \"丰\"";
const NUMBER: &str = "11010519491231002X";

fn question() -> Question {
    Question {
        id: "vrf_1".into(),
        kind: NumberKind::IdCard,
        name: Personal::new(NAME.to_owned()),
        number: Personal::new(NUMBER.to_owned()),
    }
}

fn settings(fake: &FakeProvider, provider: AgencyProvider) -> AgencySettings {
    let secret = match provider {
        // The fake's secret, in the form of the convention.
        AgencyProvider::Generic => format!("whsec_{}", base64::engine::general_purpose::STANDARD.encode(SECRET)),
        AgencyProvider::Aliyun | AgencyProvider::Tencent => SECRET.to_owned(),
    };
    AgencySettings {
        provider,
        url: Some(match provider {
            AgencyProvider::Generic => format!("{}/check", fake.url),
            AgencyProvider::Aliyun | AgencyProvider::Tencent => fake.url.clone(),
        }),
        user: "AC1".into(),
        secret: SecretString::from(secret),
        allow_private: true,
        authority: Some(fake.authority.clone()),
    }
}

/// What each answer means.
async fn means(provider: AgencyProvider, cases: Vec<(u16, Value, Result<Finding, Failure>)>) -> FakeProvider {
    let answers = cases.iter().map(|(status, answer, _)| (*status, answer.clone())).collect();
    let fake = FakeProvider::answering(answers).await;
    let agency = Agency::new(settings(&fake, provider)).unwrap();
    for (status, answer, meaning) in cases {
        assert_eq!(agency.ask(&question(), NOW).await, meaning, "{status} {answer}");
    }
    fake
}

const OF_GENERIC: &str = r#"
import sys, json, hashlib, hmac, base64
s = json.loads(sys.argv[1]); h = s["headers"]
text = "%s.%s.%s" % (h["webhook-id"], h["webhook-timestamp"], s["body"])
print("v1," + base64.b64encode(hmac.new(s["secret"].encode(), text.encode(), "sha256").digest()).decode())
"#;

#[tokio::test]
async fn the_generic_one_is_sent_what_it_can_verify() {
    let fake = means(
        AgencyProvider::Generic,
        vec![
            (200, json!({ "result": "match" }), Ok(Finding::Match)),
            (200, json!({ "result": "no_match", "more": 1 }), Ok(Finding::NoMatch)),
            (200, json!({ "result": "unknown" }), Ok(Finding::Unknown)),
            (200, json!({ "result": true }), Err(Failure::Answer)),
            (200, json!("match"), Err(Failure::Answer)),
            (202, json!({ "result": "match" }), Err(Failure::Answer)),
            (302, json!({ "result": "match" }), Err(Failure::Answer)),
            (401, json!({ "result": "match" }), Err(Failure::Credentials)),
            (503, json!({}), Err(Failure::Deferred)),
            (400, json!({}), Err(Failure::Refused)),
            (200, json!({ "result": "match", "pad": "x".repeat(70_000) }), Err(Failure::Answer)),
        ],
    )
    .await;
    for seen in fake.seen.lock().unwrap().iter() {
        assert_eq!(seen.path, "/check");
        assert_eq!(seen.headers["webhook-signature"], worked_out(OF_GENERIC, seen));
        assert_eq!(
            (seen.headers["webhook-id"].as_str(), seen.headers["webhook-timestamp"].as_str()),
            ("vrf_1", "1790000000")
        );
        let body: Value = serde_json::from_str(&seen.body).unwrap();
        assert_eq!(body["data"], json!({ "kind": "id_card", "name": NAME, "number": NUMBER }));
    }
}

#[tokio::test]
async fn aliyun_is_sent_what_it_can_verify() {
    let found = |code: &str| json!({ "Code": "200", "Message": "success", "ResultObject": { "BizCode": code } });
    let fake = means(
        AgencyProvider::Aliyun,
        vec![
            (200, found("1"), Ok(Finding::Match)),
            (200, found("2"), Ok(Finding::NoMatch)),
            (200, found("3"), Ok(Finding::Unknown)),
            (200, found("9"), Err(Failure::Answer)),
            (200, json!({ "Code": "401" }), Ok(Finding::Unknown)),
            (200, json!({ "Code": "402" }), Err(Failure::Deferred)),
            (200, json!({ "Code": "412" }), Err(Failure::Credentials)),
            (404, json!({ "Code": "InvalidAccessKeyId.NotFound" }), Err(Failure::Credentials)),
            (400, json!({ "Code": "Throttling.User" }), Err(Failure::Deferred)),
            (500, json!({}), Err(Failure::Deferred)),
        ],
    )
    .await;
    for seen in fake.seen.lock().unwrap().iter() {
        assert_eq!(seen.headers["authorization"], worked_out(OF_ALIYUN, seen));
        assert_eq!(seen.headers["x-acs-action"], "Id2MetaVerify");
        let query: std::collections::BTreeMap<_, _> =
            url::form_urlencoded::parse(seen.query.as_bytes()).into_owned().collect();
        assert_eq!((query["UserName"].as_str(), query["IdentifyNum"].as_str()), (NAME, NUMBER));
        assert_eq!((query["ParamType"].as_str(), query.len()), ("normal", 3));
    }
}

#[tokio::test]
async fn tencent_is_sent_what_it_can_verify() {
    let found = |code: &str| json!({ "Response": { "Result": code, "Description": "x", "RequestId": "r" } });
    let error = |code: &str| json!({ "Response": { "Error": { "Code": code, "Message": "x" }, "RequestId": "r" } });
    let fake = means(
        AgencyProvider::Tencent,
        vec![
            (200, found("0"), Ok(Finding::Match)),
            (200, found("-1"), Ok(Finding::NoMatch)),
            (200, found("-5"), Ok(Finding::Unknown)),
            (200, found("-4"), Err(Failure::Deferred)),
            (200, found("7"), Err(Failure::Answer)),
            (200, error("AuthFailure.SignatureFailure"), Err(Failure::Credentials)),
            (200, error("RequestLimitExceeded"), Err(Failure::Deferred)),
            (200, error("InvalidParameter"), Err(Failure::Refused)),
            (502, json!({}), Err(Failure::Deferred)),
        ],
    )
    .await;
    for seen in fake.seen.lock().unwrap().iter() {
        assert_eq!(seen.headers["authorization"], worked_out(OF_TENCENT, seen));
        let body: Value = serde_json::from_str(&seen.body).unwrap();
        assert_eq!(body, json!({ "IdCard": NUMBER, "Name": NAME }));
    }
}

#[tokio::test]
async fn nobody_is_told_what_they_know_nothing_of() {
    let fake = FakeProvider::answering(vec![(200, json!({ "result": "match" }))]).await;
    let company = Question { kind: NumberKind::BusinessLicence, ..question() };
    for provider in [AgencyProvider::Aliyun, AgencyProvider::Tencent] {
        let agency = Agency::new(settings(&fake, provider)).unwrap();
        assert_eq!(agency.ask(&company, NOW).await, Ok(Finding::Unknown));
    }
    assert!(fake.seen.lock().unwrap().is_empty());
    let agency = Agency::new(settings(&fake, AgencyProvider::Generic)).unwrap();
    assert_eq!(agency.ask(&company, NOW).await, Ok(Finding::Match));
    assert!(fake.last().body.contains("business_licence"));
}

#[tokio::test]
async fn addresses_inside_are_not_connected_to_unless_the_operator_says_so() {
    let fake = FakeProvider::answering(vec![(200, json!({ "result": "match" }))]).await;
    let inside = AgencySettings { allow_private: false, ..settings(&fake, AgencyProvider::Generic) };
    assert_eq!(Agency::new(inside).unwrap().ask(&question(), NOW).await, Err(Failure::Unreachable));
    // Nor is a certificate taken that nobody vouches for.
    let unknown = AgencySettings { authority: None, ..settings(&fake, AgencyProvider::Generic) };
    assert_eq!(Agency::new(unknown).unwrap().ask(&question(), NOW).await, Err(Failure::Tls));
    assert!(fake.seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn settings_are_judged_at_the_start() {
    let fake = FakeProvider::answering(vec![(200, json!({}))]).await;
    let of = |change: fn(&mut AgencySettings), provider| {
        let mut settings = settings(&fake, provider);
        change(&mut settings);
        Agency::new(settings).map(drop).unwrap_err()
    };
    let generic = AgencyProvider::Generic;
    assert!(of(|s| s.url = None, generic).contains("agency.url"));
    assert!(of(|s| s.url = Some("http://agency.example/".into()), generic).contains("https://"));
    assert!(of(|s| s.url = Some("https://me:secret@agency.example/".into()), generic).contains("https://"));
    assert!(of(|s| s.secret = SecretString::from("short"), generic).contains("whsec_"));
    assert!(of(|s| s.authority = Some(b"x".to_vec()), generic).contains("agency.ca"));
    for provider in [AgencyProvider::Aliyun, AgencyProvider::Tencent] {
        assert!(of(|s| s.user = String::new(), provider).contains("agency.user"));
    }
    let usual = AgencySettings { url: None, ..settings(&fake, AgencyProvider::Tencent) };
    assert!(Agency::new(usual).is_ok());
    assert!(!format!("{:?}", question()).contains(NUMBER));
}

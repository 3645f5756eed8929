use super::aliyun::Signed;
use super::*;
use secrecy::SecretString;
use serde_json::json;
use std::collections::BTreeMap;

fn message<'a>(variables: &'a serde_json::Value) -> Text<'a> {
    Text {
        id: MessageId(uuid::Uuid::from_u128(7)),
        to: "+8613800000000",
        kind: Kind::SignIn,
        language: Language::Zh,
        text: "【T】验证码：123456 & more",
        variables,
    }
}

fn templates() -> Vec<ServerTemplate> {
    let written = json!([{
        "kind": "code.sign_in", "language": "zh", "id": "SMS_1", "sign_name": "某某", "variables": ["code", "time=minutes"],
    }]);
    serde_json::from_value(written).unwrap()
}

fn declared(value: serde_json::Value) -> Declaration {
    serde_json::from_value(value).unwrap()
}

async fn body_of(request: Request) -> (http::request::Parts, String) {
    use http_body_util::BodyExt as _;
    let (parts, body) = request.into_parts();
    (parts, String::from_utf8(body.collect().await.unwrap().to_bytes().to_vec()).unwrap())
}

fn settings(provider: ProviderKind, declaration: Declaration) -> SmsSettings {
    SmsSettings {
        provider,
        user: "AC1".into(),
        secret: SecretString::from("secret"),
        declaration,
        allow_private: false,
        authority: None,
        timeout: Duration::from_secs(5),
    }
}

/// The example with fixed parameters of "V3 request structure and signature", Alibaba Cloud.
#[test]
fn aliyuns_published_example_has_its_published_signature() {
    let signed = Signed {
        host: "ecs.cn-shanghai.aliyuncs.com",
        action: "RunInstances",
        version: "2014-05-26",
        query: BTreeMap::from([
            ("ImageId", "win2019_1809_x64_dtc_zh-cn_40G_alibase_20230811.vhd".to_owned()),
            ("RegionId", "cn-shanghai".to_owned()),
        ]),
        date: "2023-10-26T10:22:32Z",
        nonce: "3156853299f313e23d1673dc12e1703d",
    };
    assert_eq!(
        signed.authorization("YourAccessKeyId", &SecretString::from("YourAccessKeySecret")),
        "ACS3-HMAC-SHA256 Credential=YourAccessKeyId,SignedHeaders=host;x-acs-action;x-acs-content-sha256;x-acs-date;\
         x-acs-signature-nonce;x-acs-version,\
         Signature=06563a9e1b43f5dfe96b81484da74bceab24a1d853912eee15083a6f0f3283c0"
    );
}

/// The example of "Signature method v3", Tencent Cloud.
#[test]
fn tencents_published_example_has_its_published_signature() {
    let body = r#"{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}"#;
    let key = ("AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE", &SecretString::from("Gu5t9xGARNpq86cd98joQYCN3EXAMPLE"));
    let now = Timestamp(1_551_113_065_000_000);
    assert_eq!(
        tencent::authorization(key, "cvm", "cvm.tencentcloudapi.com", now, body.as_bytes()),
        "TC3-HMAC-SHA256 Credential=AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE/2019-02-25/cvm/tc3_request, \
         SignedHeaders=content-type;host, Signature=72e494ea809ad7a8c8f7a4507b9bddcbaa8e581f516e8da2f66e2c5a96525168"
    );
}

#[tokio::test]
async fn requests_say_what_each_interface_wants() {
    let variables = json!({ "code": "123456", "minutes": 10 });
    let message = message(&variables);
    let mut common =
        Declaration { template: templates(), region: Some("ap-guangzhou".into()), ..Declaration::default() };
    common.app_id = Some("1400006666".into());
    let secret = || SecretString::from("secret");

    let aliyun = aliyun::Aliyun::new("id".into(), secret(), &mut common.clone()).unwrap();
    let request = aliyun.request(&message, Timestamp(1_790_000_000_000_000), "n").unwrap();
    let query: BTreeMap<String, String> =
        url::form_urlencoded::parse(request.uri().query().unwrap().as_bytes()).into_owned().collect();
    assert_eq!(request.uri().host(), Some("dysmsapi.aliyuncs.com"));
    assert_eq!(query["PhoneNumbers"], "8613800000000");
    assert_eq!((query["SignName"].as_str(), query["TemplateCode"].as_str()), ("某某", "SMS_1"));
    assert_eq!(query["TemplateParam"], r#"{"code":"123456","time":"10"}"#);
    assert_eq!(request.headers()["x-acs-date"], "2026-09-21T14:13:20Z");

    let tencent = tencent::Tencent::new("id".into(), secret(), &mut common).unwrap();
    let (parts, body) = body_of(tencent.request(&message, Timestamp(1_790_000_000_000_000)).unwrap()).await;
    assert_eq!(
        (&parts.headers["x-tc-action"], &parts.headers["x-tc-timestamp"]),
        (&"SendSms".parse().unwrap(), &"1790000000".parse().unwrap())
    );
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&body).unwrap(),
        json!({
            "PhoneNumberSet": ["+8613800000000"], "SmsSdkAppId": "1400006666", "SignName": "某某", "TemplateId": "SMS_1",
            "TemplateParamSet": ["123456", "10"], "SessionContext": message.id.to_string(),
        })
    );

    let mut from = declared(json!({ "from": "+15550001111" }));
    let twilio = twilio::Twilio::new("AC1".into(), secret(), &mut from).unwrap();
    let (parts, body) = body_of(twilio.request(&message).unwrap()).await;
    assert_eq!(parts.uri.to_string(), "https://api.twilio.com/2010-04-01/Accounts/AC1/Messages.json");
    assert_eq!(parts.headers["authorization"], "Basic QUMxOnNlY3JldA==");
    let form: BTreeMap<String, String> = url::form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    assert_eq!((form["To"].as_str(), form["From"].as_str()), ("+8613800000000", "+15550001111"));
    assert_eq!(form["Body"], message.text);

    let mut form = declared(json!({ "request": {
        "url": "https://sms.example/send", "headers": { "X-Key": "{{ secret }}" },
        "body": "{\"to\": {{ to }}, \"text\": {{ text }}}",
    }}));
    let generic = generic::Generic::new(String::new(), secret(), &mut form).unwrap();
    let quoted = Text { text: "a \"b\"\n\\", ..message };
    let (parts, body) = body_of(generic.request(&quoted).unwrap()).await;
    assert_eq!((parts.method.as_str(), &parts.headers["x-key"]), ("POST", &"secret".parse().unwrap()));
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&body).unwrap(),
        json!({ "to": "+8613800000000", "text": "a \"b\"\n\\" })
    );
}

#[test]
fn a_kind_without_a_template_of_the_provider_is_not_configured() {
    let variables = json!({ "code": "1", "minutes": 1 });
    let mut declared = Declaration { template: templates(), ..Declaration::default() };
    let aliyun = aliyun::Aliyun::new("id".into(), SecretString::from("s"), &mut declared).unwrap();
    let other = Text { language: Language::En, ..message(&variables) };
    assert_eq!(aliyun.request(&other, Timestamp(0), "n").unwrap_err().failure, Failure::NotConfigured);
}

#[test]
fn answers_have_their_meaning() {
    let answer = |status, body: serde_json::Value| Answer { status, body: Bytes::from(body.to_string()) };
    let failure = |attempt: Attempt| attempt.unwrap_err().failure;
    let taken = aliyun::meaning(&answer(200, json!({ "Code": "OK", "BizId": "9^0" }))).unwrap();
    assert_eq!(taken.reference.as_deref(), Some("9^0"));
    for (status, code, expected) in [
        (200, "isv.BUSINESS_LIMIT_CONTROL", Failure::Deferred),
        (200, "isv.MOBILE_NUMBER_ILLEGAL", Failure::Recipient),
        (200, "isv.SMS_SIGNATURE_ILLEGAL", Failure::Template),
        (404, "InvalidAccessKeyId.NotFound", Failure::Credentials),
        (400, "SignatureDoesNotMatch", Failure::Credentials),
        (503, "ServiceUnavailable", Failure::Deferred),
        (200, "isv.ACCOUNT_NOT_EXISTS", Failure::Refused),
    ] {
        let refusal = aliyun::meaning(&answer(status, json!({ "Code": code, "Message": "…" }))).unwrap_err();
        assert_eq!((refusal.failure, refusal.code.as_deref()), (expected, Some(code)));
    }

    let sent = json!({ "Response": { "SendStatusSet": [{ "Code": "Ok", "SerialNo": "5:1" }] } });
    assert_eq!(tencent::meaning(&answer(200, sent)).unwrap().reference.as_deref(), Some("5:1"));
    for (code, expected) in [
        ("AuthFailure.SignatureFailure", Failure::Credentials),
        ("LimitExceeded.PhoneNumberDailyLimit", Failure::Deferred),
        ("InvalidParameterValue.IncorrectPhoneNumber", Failure::Recipient),
        ("FailedOperation.TemplateIncorrectOrUnapproved", Failure::Template),
    ] {
        assert_eq!(
            failure(tencent::meaning(&answer(200, json!({ "Response": { "Error": { "Code": code } } })))),
            expected
        );
        let each = json!({ "Response": { "SendStatusSet": [{ "Code": code }] } });
        assert_eq!(failure(tencent::meaning(&answer(200, each))), expected);
    }

    assert_eq!(twilio::meaning(&answer(201, json!({ "sid": "SM1" }))).unwrap().reference.as_deref(), Some("SM1"));
    assert_eq!(failure(twilio::meaning(&answer(400, json!({ "code": 21211 })))), Failure::Recipient);
    assert_eq!(failure(twilio::meaning(&answer(401, json!({ "code": 20003 })))), Failure::Credentials);
    assert_eq!(failure(twilio::meaning(&answer(429, json!({})))), Failure::Deferred);
    assert_eq!(failure(twilio::meaning(&answer(200, json!({})))), Failure::Answer);

    for body in ["", "<html>", "[]"] {
        let odd = |status| Answer { status, body: Bytes::from(body) };
        assert_eq!(failure(aliyun::meaning(&odd(200))), Failure::Answer);
        assert_eq!(failure(tencent::meaning(&odd(502))), Failure::Deferred);
    }
}

#[test]
fn a_code_that_is_more_than_a_code_is_dropped() {
    let refusal = NotTaken::status(Failure::Refused, 400);
    assert_eq!(refusal.clone().with_code("isv.A_B-1").code.as_deref(), Some("isv.A_B-1"));
    assert_eq!(refusal.with_code("to +8613800000000 failed").code, None);
}

#[test]
fn a_declaration_that_does_not_fit_is_refused_with_the_field() {
    let wrong = |provider, value| Sms::new(settings(provider, declared(value))).unwrap_err();
    let template = json!([{ "kind": "test", "language": "en", "id": "1", "sign_name": "S", "variables": [] }]);
    for (provider, value, expected) in [
        (ProviderKind::Twilio, json!({}), "lacks `from`"),
        (ProviderKind::Twilio, json!({ "from": "+1", "region": "x" }), "`region` has no meaning"),
        (ProviderKind::Twilio, json!({ "from": "+1", "endpoint": "http://x" }), "must begin with https://"),
        (ProviderKind::Aliyun, json!({}), "lacks [[template]]"),
        (ProviderKind::Tencent, json!({ "region": "r", "template": template }), "lacks `app_id`"),
        (
            ProviderKind::Aliyun,
            json!({ "sign_name": "S", "template": [
                { "kind": "test", "language": "en", "id": "1", "variables": ["code"] },
            ]}),
            "template test in en names a variable that such messages do not have",
        ),
        (
            ProviderKind::Aliyun,
            json!({ "template": [{ "kind": "test", "language": "en", "id": "1", "variables": [] }] }),
            "has no `sign_name`",
        ),
        (ProviderKind::Generic, json!({}), "lacks [request]"),
        (ProviderKind::Generic, json!({ "request": { "url": "http://x", "body": "{}" } }), "url must begin with https"),
        (ProviderKind::Generic, json!({ "request": { "url": "https://x", "body": "{\"a\": \"{{ to }}\"}" } }), "JSON"),
        (
            ProviderKind::Generic,
            json!({ "request": { "url": "https://x", "body": "{{ nobody }}" } }),
            "undefined value",
        ),
        (
            ProviderKind::Generic,
            json!({ "request": { "url": "https://x", "body": "{}", "headers": { "A": "x\ny" } } }),
            "headers.a is not the value of a header",
        ),
    ] {
        let error = wrong(provider, value);
        assert!(error.contains(expected), "{error}");
    }
}

#[tokio::test]
async fn inner_addresses_are_not_connected_to_however_they_are_written() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let send = async |allow_private, host: &str| {
        let outbound = Outbound::new(allow_private, None, Duration::from_millis(500)).unwrap();
        let request = http::Request::get(format!("{host}:{port}/")).body(Full::new(Bytes::new())).unwrap();
        outbound.send(request).await.err().unwrap().failure
    };
    for host in ["127.0.0.1", "[::ffff:127.0.0.1]", "localhost", "2130706433", "0x7f.1"] {
        assert_eq!(send(false, &format!("https://{host}")).await, Failure::Unreachable, "{host}");
        assert!(listener.accept().is_err(), "{host}");
    }
    // The listener is there, and reached where that is allowed; but not without TLS.
    assert_eq!(send(true, "https://localhost").await, Failure::Timeout);
    assert!(listener.accept().is_ok());
    assert_eq!(send(true, "http://localhost").await, Failure::Unreachable);
    assert!(listener.accept().is_err());
}

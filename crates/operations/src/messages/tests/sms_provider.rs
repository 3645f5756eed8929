//! A fake SMS provider behind a real TLS socket, and the client against it. It is a fake only in that no message leaves
//! it: it reads requests with hyper and works each vendor's signature out by itself, from the vendor's description and
//! from what came over the wire, with another implementation of HMAC and SHA-256 than the program uses: that of the
//! machine's Python.

use super::*;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject as _;
use serde_json::json;
use std::convert::Infallible;
use std::sync::Mutex;
use tacit_storage::both_engines;

pub(crate) const SECRET: &str = "the secret of the account";

/// What came over the wire.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) headers: std::collections::BTreeMap<String, String>,
    pub(crate) body: String,
}

pub(crate) struct FakeProvider {
    pub(crate) url: String,
    pub(crate) authority: Vec<u8>,
    pub(crate) seen: Arc<Mutex<Vec<Seen>>>,
}

impl FakeProvider {
    /// Answers with each of these in turn, the last one for ever.
    pub(crate) async fn answering(answers: Vec<(u16, serde_json::Value)>) -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key =
            rustls::pki_types::PrivateKeyDer::from_pem_slice(made.signing_key.serialize_pem().as_bytes()).unwrap();
        let config =
            rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(vec![made.cert.der().clone()], key)
                .unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (record, answers) = (Arc::clone(&seen), Arc::new(Mutex::new(std::collections::VecDeque::from(answers))));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let Ok(stream) = acceptor.accept(stream).await else { continue };
                let (record, answers) = (Arc::clone(&record), Arc::clone(&answers));
                let service = service_fn(move |request: http::Request<hyper::body::Incoming>| {
                    let (record, answers) = (Arc::clone(&record), Arc::clone(&answers));
                    async move {
                        let (parts, body) = request.into_parts();
                        let body = body.collect().await.unwrap().to_bytes();
                        let headers = parts.headers.iter();
                        record.lock().unwrap().push(Seen {
                            path: parts.uri.path().to_owned(),
                            query: parts.uri.query().unwrap_or_default().to_owned(),
                            headers: headers.map(|(k, v)| (k.to_string(), v.to_str().unwrap().to_owned())).collect(),
                            body: String::from_utf8(body.to_vec()).unwrap(),
                        });
                        let (status, answer) = {
                            let mut answers = answers.lock().unwrap();
                            if answers.len() > 1 { answers.pop_front().unwrap() } else { answers[0].clone() }
                        };
                        let response = http::Response::builder().status(status);
                        Ok::<_, Infallible>(response.body(Full::new(Bytes::from(answer.to_string()))).unwrap())
                    }
                });
                drop(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
            }
        });
        Self { url, authority: made.cert.pem().into_bytes(), seen }
    }

    fn client(&self, provider: ProviderKind, mut declaration: serde_json::Value) -> Sms {
        if provider != ProviderKind::Generic {
            declaration["endpoint"] = json!(self.url);
        }
        Sms::new(SmsSettings {
            provider,
            user: "AC1".into(),
            secret: SecretString::from(SECRET),
            declaration: serde_json::from_value(declaration).unwrap(),
            allow_private: true,
            authority: Some(self.authority.clone()),
            timeout: Duration::from_secs(5),
        })
        .unwrap()
    }

    pub(crate) fn last(&self) -> Seen {
        self.seen.lock().unwrap().last().unwrap().clone()
    }
}

fn templates() -> serde_json::Value {
    json!([{ "kind": "code.sign_in", "language": "en", "id": "T1", "sign_name": "名 称", "variables": ["code", "minutes"] }])
}

/// Runs Python on what was seen; it prints the signature that it works out.
pub(crate) fn worked_out(script: &str, seen: &Seen) -> String {
    let seen = json!({ "query": seen.query, "headers": seen.headers, "body": seen.body, "secret": SECRET });
    let done = std::process::Command::new("python3").args(["-c", script, &seen.to_string()]).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}

pub(crate) const OF_ALIYUN: &str = r#"
import sys, json, hashlib, hmac, urllib.parse as u
s = json.loads(sys.argv[1]); h = s["headers"]
pairs = sorted(u.parse_qsl(s["query"], keep_blank_values=True, strict_parsing=True))
query = "&".join(u.quote(k, safe="-_.~") + "=" + u.quote(v, safe="-_.~") for k, v in pairs)
names = h["authorization"].split("SignedHeaders=")[1].split(",")[0].split(";")
assert names == sorted(names) and {"host", "x-acs-action", "x-acs-version", "x-acs-date", "x-acs-signature-nonce"} <= set(names)
digest = hashlib.sha256(s["body"].encode()).hexdigest(); assert h["x-acs-content-sha256"] == digest
text = "\n".join(["POST", "/", query, "".join(n + ":" + h[n].strip() + "\n" for n in names), ";".join(names), digest])
to_sign = "ACS3-HMAC-SHA256\n" + hashlib.sha256(text.encode()).hexdigest()
print("ACS3-HMAC-SHA256 Credential=AC1,SignedHeaders=%s,Signature=%s" % (";".join(names), hmac.new(s["secret"].encode(), to_sign.encode(), "sha256").hexdigest()))
"#;

pub(crate) const OF_TENCENT: &str = r#"
import sys, json, hashlib, hmac, datetime
s = json.loads(sys.argv[1]); h = s["headers"]
at = int(h["x-tc-timestamp"]); date = datetime.datetime.fromtimestamp(at, datetime.timezone.utc).strftime("%Y-%m-%d")
text = "POST\n/\n\ncontent-type:%s\nhost:%s\n\ncontent-type;host\n%s" % (h["content-type"], h["host"], hashlib.sha256(s["body"].encode()).hexdigest())
service = {"SendSms": "sms", "IdCardVerification": "faceid"}[h["x-tc-action"]]
scope = date + "/" + service + "/tc3_request"
to_sign = "TC3-HMAC-SHA256\n%d\n%s\n%s" % (at, scope, hashlib.sha256(text.encode()).hexdigest())
key = ("TC3" + s["secret"]).encode()
for part in (date, service, "tc3_request"): key = hmac.new(key, part.encode(), "sha256").digest()
print("TC3-HMAC-SHA256 Credential=AC1/%s, SignedHeaders=content-type;host, Signature=%s" % (scope, hmac.new(key, to_sign.encode(), "sha256").hexdigest()))
"#;

async fn sent(db: &Db, sms: Sms) -> Messages {
    let messages = live(db, Route::Closed, Route::Open(sms)).await;
    let worker = Worker::of(&messages);
    messages.enqueue_alone(&code("+8613800000000", "482913", in_minutes(10))).await.unwrap();
    until(&messages, State::Sent).await;
    worker.stop().await;
    messages
}

both_engines! {
    async fn aliyun_is_sent_what_it_can_verify(db: Db) {
        let answers = vec![(200, json!({ "Code": "isv.BUSINESS_LIMIT_CONTROL" })), (200, json!({ "Code": "OK", "BizId": "9" }))];
        let provider = FakeProvider::answering(answers).await;
        let messages = sent(&db, provider.client(ProviderKind::Aliyun, json!({ "template": templates() }))).await;
        assert_eq!(only(&messages).await, (State::Sent, 2, None));
        for seen in provider.seen.lock().unwrap().iter() {
            assert_eq!(seen.headers["authorization"], worked_out(OF_ALIYUN, seen));
            assert!(seen.query.contains("PhoneNumbers=8613800000000") && seen.query.contains("482913"), "{seen:?}");
        }
        let nonces: Vec<_> =
            provider.seen.lock().unwrap().iter().map(|s| s.headers["x-acs-signature-nonce"].clone()).collect();
        assert!(nonces.len() == 2 && nonces[0] != nonces[1]);
        let row = &rows(&db, "SELECT provider_reference FROM messages").await[0];
        assert_eq!(row.get::<Vec<u8>>("provider_reference").unwrap(), messages.reference_hash("9"));
    }

    async fn tencent_is_sent_what_it_can_verify(db: Db) {
        let answer = json!({ "Response": { "SendStatusSet": [{ "Code": "Ok", "SerialNo": "7" }] } });
        let provider = FakeProvider::answering(vec![(200, answer)]).await;
        let declared = json!({ "template": templates(), "region": "ap-guangzhou", "app_id": "1400" });
        sent(&db, provider.client(ProviderKind::Tencent, declared)).await;
        let seen = provider.last();
        assert_eq!(seen.headers["authorization"], worked_out(OF_TENCENT, &seen));
        assert!(seen.body.contains(r#""PhoneNumberSet":["+8613800000000"]"#), "{seen:?}");
    }

    async fn twilio_is_sent_its_form(db: Db) {
        let provider = FakeProvider::answering(vec![(503, json!({})), (201, json!({ "sid": "SM1" }))]).await;
        sent(&db, provider.client(ProviderKind::Twilio, json!({ "from": "+15550001111" }))).await;
        let seen = provider.last();
        // printf 'AC1:the secret of the account' | base64
        assert_eq!(seen.headers["authorization"], "Basic QUMxOnRoZSBzZWNyZXQgb2YgdGhlIGFjY291bnQ=");
        assert_eq!(seen.path, "/2010-04-01/Accounts/AC1/Messages.json");
        assert!(seen.body.starts_with("To=%2B8613800000000&From=%2B15550001111&Body="), "{seen:?}");
    }

    async fn any_other_interface_is_sent_what_is_declared(db: Db) {
        let provider = FakeProvider::answering(vec![(200, json!({ "data": { "id": 12 } }))]).await;
        let declared = json!({ "request": {
            "url": format!("{}/send?v=1", provider.url), "headers": { "Authorization": "Bearer {{ secret }}" },
            "body": "{\"mobile\": {{ to }}, \"content\": {{ text }}, \"ref\": {{ id }}}", "reference": "/data/id",
        }});
        let messages = sent(&db, provider.client(ProviderKind::Generic, declared)).await;
        let seen = provider.last();
        assert_eq!((seen.path.as_str(), seen.query.as_str()), ("/send", "v=1"));
        assert_eq!(seen.headers["authorization"], format!("Bearer {SECRET}"));
        let body: serde_json::Value = serde_json::from_str(&seen.body).unwrap();
        assert!(body["mobile"] == "+8613800000000" && body["content"].as_str().unwrap().contains("482913"));
        let row = &rows(&db, "SELECT provider_reference FROM messages").await[0];
        assert_eq!(row.get::<Vec<u8>>("provider_reference").unwrap(), messages.reference_hash("12"));
    }
}

#[tokio::test]
async fn a_provider_of_another_authority_is_not_told_anything() {
    let provider = FakeProvider::answering(vec![(201, json!({ "sid": "SM1" }))]).await;
    let stranger =
        FakeProvider { authority: FakeProvider::answering(vec![(500, json!({}))]).await.authority, ..provider };
    let sms = stranger.client(ProviderKind::Twilio, json!({ "from": "+15550001111" }));
    let what = (Kind::Test, Language::En);
    let attempt = sms.send(MessageId::fresh(), "+8613800000000", what, "text", &json!({}), Timestamp(0)).await;
    assert_eq!(attempt.unwrap_err().failure, Failure::Tls);
    assert!(stranger.seen.lock().unwrap().is_empty());
}

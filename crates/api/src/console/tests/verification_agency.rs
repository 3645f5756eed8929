//! The agency: asked in the background, over a socket, about who agreed to it and nobody else.

use super::*;
use axum::body::Bytes;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use serde_json::json;
use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Mutex;
use tacit_identity::choices::{ChoiceVia, Matter};
use tacit_identity::verification::{AgencyShown, Document, KindRules, VerificationWay};
use tacit_operations::agency::{Agency, AgencyProvider, AgencySettings};
use tacit_storage::audit::Filter;
use tacit_storage::{Sql, StorageError, WriteTx, both_engines};

const CASES: &str = "/api/v1/verification/cases";
const NAME: &str = "张三丰";

/// An agency that answers with each of these words in turn, and keeps what it was asked. What does not look like the
/// convention is refused.
struct FakeAgency {
    url: String,
    authority: Vec<u8>,
    asked: Arc<Mutex<Vec<Value>>>,
}

impl FakeAgency {
    async fn answering(words: &[&'static str]) -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let key = PrivateKeyDer::from_pem_slice(made.signing_key.serialize_pem().as_bytes()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://localhost:{}/check", listener.local_addr().unwrap().port());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (record, words) = (asked.clone(), Arc::new(Mutex::new(words.iter().copied().collect::<VecDeque<_>>())));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let Ok(stream) = acceptor.accept(stream).await else { continue };
                let (record, words) = (record.clone(), words.clone());
                let service = hyper::service::service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
                    let (record, words) = (record.clone(), words.clone());
                    async move {
                        let signed = request
                            .headers()
                            .get("webhook-signature")
                            .is_some_and(|v| v.as_bytes().starts_with(b"v1,"));
                        let body = request.into_body().collect().await.unwrap().to_bytes();
                        record.lock().unwrap().push(serde_json::from_slice(&body).unwrap());
                        let word = words.lock().unwrap().pop_front();
                        let (status, body) = match word {
                            Some(word) if signed => (200, json!({ "result": word }).to_string()),
                            _ => (503, String::new()),
                        };
                        let response = hyper::Response::builder().status(status);
                        Ok::<_, Infallible>(response.body(Full::new(Bytes::from(body))).unwrap())
                    }
                });
                drop(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
            }
        });
        Self { url, authority: made.cert.pem().into_bytes(), asked }
    }

    fn agency(&self) -> Agency {
        Agency::new(AgencySettings {
            provider: AgencyProvider::Generic,
            url: Some(self.url.clone()),
            user: String::new(),
            secret: "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=".to_owned().into(),
            allow_private: true,
            authority: Some(self.authority.clone()),
        })
        .unwrap()
    }

    fn questions(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

fn rules() -> VerificationRules {
    let documents = vec![Document::IdCard];
    VerificationRules {
        person: KindRules { way: Some(VerificationWay::Agency), papers: Vec::new() },
        agency: Some(AgencyShown { name_en: "Example Agency".into(), name_zh: "示例核验机构".into(), documents }),
        ..VerificationRules::default()
    }
}

/// A case of that caller that was given to the agency; its path.
async fn given(served: &Served, by: &str, number: &str) -> String {
    let said = json!({ "name": NAME, "document": "id_card", "number": number });
    let made = served.ask(Method::POST, CASES).by(by).json(&said).send().await.json();
    let path = format!("{CASES}/{}", made["id"].as_str().unwrap());
    let submit =
        async |body: Value| served.ask(Method::POST, &format!("{path}/submission")).by(by).json(&body).send().await;
    let refused = submit(json!({})).await;
    assert_eq!(
        (refused.refusal(), &refused.json()["field"]),
        ((422, "verification.consent".into()), &json!("agree_to_agency"))
    );
    assert_eq!(submit(json!({ "agree_to_agency": true })).await.json()["way"], "agency");
    path
}

both_engines! {
    async fn what_it_answers_decides_and_is_written_down(db: Db) {
        let served = served_with(db, Wishes { verification: rules(), ..Wishes::default() }).await;
        let offer = served.get("/api/v1/verification").by("ann").send().await.json();
        assert_eq!(offer["offered"][0]["documents"][0]["agency"], json!({ "en": "Example Agency", "zh": "示例核验机构" }));
        let fake = FakeAgency::answering(&["match", "no_match"]).await;
        let (console, agency) = (&served.console, fake.agency());
        console.ask_due(&agency).await.unwrap();
        assert_eq!(fake.questions(), 0);
        let ann = given(&served, "ann", "11010519491231002X").await;
        let told = served.told.load(Ordering::Relaxed);
        console.ask_due(&agency).await.unwrap();
        assert_eq!(served.get(&ann).by("ann").send().await.json()["state"], "approved");
        assert!(served.told.load(Ordering::Relaxed) > told, "gateways hear of it");
        let question = fake.asked.lock().unwrap()[0]["data"].clone();
        assert_eq!(question, json!({ "kind": "id_card", "name": NAME, "number": "11010519491231002X" }));
        let filter = Filter { action: Some("verification.decide".into()), subject: Some(served.ann), ..Filter::default() };
        let phases: Vec<_> = console.audit.list(&filter, None, 10).await.unwrap().into_iter().map(|e| (e.kept.actor_kind, e.kept.phase)).collect();
        assert_eq!(phases, [("system".into(), "done".into()), ("system".into(), "begun".to_owned())]);
        let bob = given(&served, "bob", "440524188001010014").await;
        console.ask_due(&agency).await.unwrap();
        let rejected = served.get(&bob).by("bob").send().await.json();
        assert_eq!((&rejected["state"], &rejected["reason"]), (&json!("rejected"), &json!("not_confirmed")));
        console.ask_due(&agency).await.unwrap();
        assert_eq!(fake.questions(), 2, "each is asked about once");
    }

    async fn that_a_number_is_somebodys_is_not_told(db: Db) {
        let served = served_with(db, Wishes { verification: rules(), ..Wishes::default() }).await;
        let fake = FakeAgency::answering(&["match", "match"]).await;
        let agency = fake.agency();
        given(&served, "ann", "11010519491231002X").await;
        served.console.ask_due(&agency).await.unwrap();
        let bob = given(&served, "bob", "11010519491231002X").await;
        let before = served.get(&bob).by("bob").send().await;
        served.clock.advance_micros(60_000_000);
        served.console.ask_due(&agency).await.unwrap();
        let after = served.get(&bob).by("bob").send().await;
        assert_eq!((after.json(), after.header("etag")), (before.json(), before.header("etag")));
        let review = bob.replace(CASES, "/api/v1/verification-reviews");
        let staff = served.get(&review).by("risk").send().await.json();
        assert_eq!((&staff["state"], &staff["way"]), (&json!("submitted"), &json!("staff")));
    }

    async fn an_agency_that_is_away_is_asked_again(db: Db) {
        let served = served_with(db, Wishes { verification: rules(), ..Wishes::default() }).await;
        let fake = FakeAgency::answering(&[]).await;
        let agency = fake.agency();
        let path = given(&served, "ann", "11010519491231002X").await;
        for minutes in 1..=3 {
            served.console.ask_due(&agency).await.unwrap();
            served.console.ask_due(&agency).await.unwrap();
            assert_eq!(fake.questions(), minutes, "not at once");
            served.clock.advance_micros(60_000_000);
        }
        let waiting = served.get(&path).by("ann").send().await.json();
        assert_eq!((&waiting["state"], &waiting["way"]), (&json!("submitted"), &json!("agency")));
        assert_eq!(served.ask(Method::DELETE, &path).by("ann").send().await.status, 204);
        served.console.ask_due(&agency).await.unwrap();
        assert_eq!(fake.questions(), 3, "who withdrew is asked about no more");
    }

    async fn who_restricts_the_use_of_their_data_waits_and_is_asked_about_when_they_lift_it(db: Db) {
        let served = served_with(db.clone(), Wishes { verification: rules(), ..Wishes::default() }).await;
        let fake = FakeAgency::answering(&["match"]).await;
        let agency = fake.agency();
        let path = given(&served, "ann", "11010519491231002X").await;
        let choose = async |allowed| {
            let identity = &served.console.identity;
            let choose = &async |tx: &mut WriteTx<'_>| {
                identity.choose_in_tx(tx, served.ann, (Matter::Use, allowed), (ChoiceVia::Person, "w")).await
            };
            db.write("test.choose", |tx| Box::pin(choose(tx))).await.unwrap();
        };
        choose(false).await;
        // More often than an agency is asked at most.
        for _ in 0..10 {
            served.console.ask_due(&agency).await.unwrap();
            served.clock.advance_micros(60_000_000);
        }
        assert_eq!(fake.questions(), 0);
        choose(true).await;
        served.console.ask_due(&agency).await.unwrap();
        assert_eq!(served.get(&path).by("ann").send().await.json()["state"], "approved");
    }

    async fn nobody_is_asked_if_it_cannot_be_written_down(db: Db) {
        let served = served_with(db.clone(), Wishes { verification: rules(), ..Wishes::default() }).await;
        let fake = FakeAgency::answering(&["match"]).await;
        given(&served, "ann", "11010519491231002X").await;
        const AWAY: Sql = Sql::new("ALTER TABLE audit_entries RENAME TO audit_entries_away");
        let done: Result<u64, StorageError> = db.write("test.away", |tx| Box::pin(tx.execute(&AWAY, &[]))).await;
        done.unwrap();
        assert!(served.console.ask_due(&fake.agency()).await.is_err());
        assert_eq!(fake.questions(), 0);
    }
}

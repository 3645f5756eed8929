//! Whoever knows somebody who is erased is told, once it is sure, and nothing of it is left when it is over. The recipient is a
//! fake: an HTTPS server of these tests that answers as it was told to.

use super::*;
use crate::erasure::tests::World;
use crate::erasure::{Erasing, Reason};
use crate::recipients::tests::{Office, spec};
use crate::recipients::{Recipient, RecipientSpec};
use http_body_util::{BodyExt as _, Full};
use hyper_util::rt::TokioIo;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::sync::Mutex;
use tacit_identity::contacts::Contact;
use tacit_storage::{Engine, both_engines};

/// A request as it came.
#[derive(Clone, Debug)]
struct Seen {
    headers: BTreeMap<String, String>,
    body: Vec<u8>,
}

/// The fake recipient.
struct FakeRecipient {
    url: String,
    authority: Vec<u8>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl FakeRecipient {
    /// Answers with each of these in turn, the last one for ever.
    async fn answering(answers: &[u16]) -> Self {
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
        let url = format!("https://localhost:{}/dsr", listener.local_addr().unwrap().port());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (record, answers) = (seen.clone(), Arc::new(Mutex::new(VecDeque::from(answers.to_vec()))));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let Ok(stream) = acceptor.accept(stream).await else { continue };
                let (record, answers) = (record.clone(), answers.clone());
                let service = hyper::service::service_fn(move |request: http::Request<hyper::body::Incoming>| {
                    let (record, answers) = (record.clone(), answers.clone());
                    async move {
                        let (parts, body) = request.into_parts();
                        let body = body.collect().await.unwrap().to_bytes().to_vec();
                        let header = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
                            (name.to_string(), value.to_str().unwrap().to_owned())
                        };
                        record.lock().unwrap().push(Seen { headers: parts.headers.iter().map(header).collect(), body });
                        let mut answers = answers.lock().unwrap();
                        let status = if answers.len() > 1 { answers.pop_front().unwrap() } else { answers[0] };
                        let response = http::Response::builder().status(status);
                        Ok::<_, Infallible>(response.body(Full::new(bytes::Bytes::new())).unwrap())
                    }
                });
                drop(hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
            }
        });
        Self { url, authority: made.cert.pem().into_bytes(), seen }
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

const EMAIL: &str = "canary-of-the-erased@example.org";

struct Town {
    office: Office,
    told: Told,
    erasing: Erasing,
    ann: AccountId,
}

impl Town {
    async fn new(db: Db, fake: &FakeRecipient) -> Self {
        let mut office = Office::new(db).await;
        let posting = Arc::new(Posting::new(true, Some(&fake.authority)).unwrap());
        let parts = (office.world.db.clone(), office.world.keys.clone(), office.world.clock.clone() as Arc<dyn Clock>);
        let told = Told::new(parts, office.recipients.clone(), posting);
        let erasing = office.world.erasing.clone().with_told(told.clone());
        let ann = office.world.account().await.account;
        put_email(&office.world, ann).await;
        Self { office, told, erasing, ann }
    }

    async fn enter(&self, name: &str, kind: Kind, endpoint: Option<&str>) -> Recipient {
        let spec = RecipientSpec { dsr_endpoint: endpoint.map(str::to_owned), ..spec(kind, "DE") };
        self.office.enter(name, &spec).await.unwrap()
    }

    async fn states(&self, erasure: ErasureId) -> Vec<(RecipientId, State, u32)> {
        let found = self.told.of_erasure(erasure).await.unwrap();
        found.into_iter().map(|notice| (notice.recipient, notice.state, notice.attempts)).collect()
    }

    async fn tell(&self) {
        while self.told.step().await.unwrap() {}
    }

    /// Whether what was sealed for word that waits can be opened still, of each that was written.
    async fn keys_left(&self, erasure: ErasureId) -> usize {
        let mut left = 0;
        for notice in self.told.of_erasure(erasure).await.unwrap() {
            left += usize::from(self.office.world.keys.get_fleeting(notice.id.0).await.unwrap().is_some());
        }
        left
    }

    async fn sealed(&self) -> usize {
        let sealed = "SELECT id FROM erasure_notices WHERE identities_sealed IS NOT NULL";
        self.office.world.query(sealed.to_owned()).await.len()
    }

    async fn keys(&self) -> u64 {
        let count = async |tx: &mut tacit_storage::ReadTx<'_>| {
            let rows = tx.query(tacit_storage::SqlText::new("SELECT COUNT(*) AS n FROM subject_keys")).await?;
            rows.first().map_or(Ok(0), |row| row.get("n"))
        };
        let count = &count;
        let counted: Result<u64, tacit_storage::StorageError> =
            self.office.world.keys.database().read("test.keys", |tx| Box::pin(count(tx))).await;
        counted.unwrap()
    }
}

async fn put_email(world: &World, account: AccountId) {
    let contact = Contact::email(EMAIL).unwrap();
    let identity = world.identity();
    let put = async |tx: &mut WriteTx<'_>| identity.contact_put_in_tx(tx, account, &contact).await;
    let put = &put;
    world.db.write("test.email", |tx| Box::pin(put(tx))).await.unwrap();
}

both_engines! {
    async fn whoever_knows_the_person_is_told_and_nothing_of_it_is_left(db: Db) {
        let fake = FakeRecipient::answering(&[201]).await;
        let town = Town::new(db, &fake).await;
        let post = town.enter("Post", Kind::Mail, Some(&fake.url)).await;
        // One that was given nothing of hers, ones that never are, and one that cannot be told.
        town.enter("Texts", Kind::Sms, Some(&fake.url)).await;
        town.enter("Machines", Kind::Hosting, Some(&fake.url)).await;
        town.enter("Old post", Kind::Mail, None).await;
        let before = town.keys().await;
        let begun = town.erasing.begin(town.ann, Reason::Asked, true).await.unwrap();
        assert_eq!(town.states(begun.id).await, [(post.id, State::Waiting, 0)]);
        assert_eq!((town.sealed().await, town.keys_left(begun.id).await, town.told.waiting().await.unwrap()), (1, 1, 1));
        assert_eq!(town.keys().await, before, "hers went, one for the word came, and those that nobody needs are gone");
        let again = town.erasing.begin(town.ann, Reason::Asked, true).await.unwrap();
        assert_eq!((again.id, town.states(begun.id).await.len()), (begun.id, 1), "nobody is told twice");

        town.tell().await;
        assert_eq!(town.states(begun.id).await, [(post.id, State::Confirmed, 1)]);
        assert_eq!((town.sealed().await, town.keys_left(begun.id).await, town.told.waiting().await.unwrap()), (0, 0, 0));
        let [seen] = fake.seen().try_into().unwrap();
        let body: serde_json::Value = serde_json::from_slice(&seen.body).unwrap();
        let notice = town.told.of_erasure(begun.id).await.unwrap().remove(0);
        assert_eq!(body, serde_json::json!({
            "api_version": "1.0",
            "regulation": "gdpr",
            "subject_request_id": notice.id.0.to_string(),
            "subject_request_type": "erasure",
            "submitted_time": "2023-11-14T22:13:20Z",
            "subject_identities": [{"identity_type": "email", "identity_value": EMAIL, "identity_format": "raw"}],
        }));
        let key: NoteVerifier = seen.headers["x-tacit-key"].parse().unwrap();
        assert_eq!(&key, town.told.verifier());
        assert!(key.has_signed(&seen.body, &seen.headers["x-tacit-signature"]));
        let mut forged = seen.body.clone();
        forged[0] ^= 1;
        assert!(!key.has_signed(&forged, &seen.headers["x-tacit-signature"]));
        // The receipt says it when everything else is done.
        town.office.world.through(begun.id).await;
        let receipt = town.erasing.told(begun.id).await.unwrap();
        assert_eq!(receipt.iter().map(|word| word.state).collect::<Vec<_>>(), [State::Confirmed]);
    }

    async fn it_is_sent_again_until_there_is_an_answer_or_no_hope(db: Db) {
        let fake = FakeRecipient::answering(&[503, 429, 200]).await;
        let town = Town::new(db, &fake).await;
        let post = town.enter("Post", Kind::Mail, Some(&fake.url)).await;
        let begun = town.erasing.begin(town.ann, Reason::Asked, true).await.unwrap();
        town.tell().await;
        assert_eq!(town.states(begun.id).await, [(post.id, State::Waiting, 1)]);
        town.tell().await;
        assert_eq!(fake.seen().len(), 1, "not before its time");
        for pause in [1, 4] {
            town.office.world.clock.advance_micros(pause * 60_000_000);
            town.tell().await;
        }
        assert_eq!(town.states(begun.id).await, [(post.id, State::Confirmed, 3)]);
        let bodies: Vec<_> = fake.seen().into_iter().map(|seen| seen.body).collect();
        assert!(bodies.len() == 3 && bodies.iter().all(|body| *body == bodies[0]), "the same each time");
    }

    async fn one_that_never_answers_is_let_go_and_so_is_what_was_sealed_for_it(db: Db) {
        let fake = FakeRecipient::answering(&[500]).await;
        let town = Town::new(db, &fake).await;
        let post = town.enter("Post", Kind::Mail, Some(&fake.url)).await;
        let begun = town.erasing.begin(town.ann, Reason::Asked, true).await.unwrap();
        for _ in 0..20 {
            town.tell().await;
            town.office.world.clock.advance_micros(12 * 3_600_000_000);
        }
        assert_eq!(town.states(begun.id).await, [(post.id, State::Unknown, 8)]);
        assert_eq!((fake.seen().len(), town.sealed().await, town.keys_left(begun.id).await), (8, 0, 0));
    }

    async fn a_refusal_ends_it_and_an_obstacle_leaves_no_key(db: Db) {
        let fake = FakeRecipient::answering(&[422]).await;
        let town = Town::new(db, &fake).await;
        let post = town.enter("Post", Kind::Mail, Some(&fake.url)).await;
        let before = town.keys().await;
        let stranger = AccountId::fresh();
        assert!(town.erasing.begin(stranger, Reason::Asked, true).await.is_err());
        assert_eq!(town.keys().await, before);
        let begun = town.erasing.begin(town.ann, Reason::Asked, true).await.unwrap();
        // A process that took it and died: it is sent once more when its time has run out.
        let now = town.office.world.clock.now();
        let take = async |tx: &mut WriteTx<'_>| {
            let (notice, _) = store::due(tx, now).await?.unwrap();
            store::lease(tx, notice.id, (ids::fresh(), now.plus_micros(LEASED))).await
        };
        let take = &take;
        town.office.world.db.write("test.take", |tx| Box::pin(take(tx))).await.unwrap();
        town.tell().await;
        assert_eq!(fake.seen().len(), 0, "somebody has it");
        town.office.world.clock.advance_micros(LEASED);
        town.tell().await;
        assert_eq!(town.states(begun.id).await, [(post.id, State::Refused, 2)]);
        assert_eq!((town.sealed().await, town.keys_left(begun.id).await), (0, 0));
    }
}

#[test]
fn nothing_lies_in_clear() {
    tacit_storage::testing::run(Engine::Sqlite, async |db: Db| {
        let fake = FakeRecipient::answering(&[500]).await;
        let town = Town::new(db, &fake).await;
        town.enter("Post", Kind::Mail, Some(&fake.url)).await;
        let begun = town.erasing.begin(town.ann, Reason::Asked, true).await.unwrap();
        let rows =
            town.office.world.query("SELECT quote(identities_sealed) AS line FROM erasure_notices".to_owned()).await;
        let line: String = rows[0].get("line").unwrap();
        let hex: String = EMAIL.bytes().map(|byte| format!("{byte:02x}")).collect();
        assert!(!line.to_lowercase().contains(&hex) && line.len() > hex.len());
        assert_eq!(begun.account, Some(town.ann));
    });
}

//! Verification over a socket: what the person sends, what staff sees, and what nobody does.

use super::*;
use serde_json::json;
use std::time::Duration;
use tacit_identity::choices::{ChoiceVia, Matter};
use tacit_identity::contacts::Contact;
use tacit_identity::verification::{KindRules, PaperKind, UnverifiedRules, VerificationWay};
use tacit_operations::messages::{KeptContent, delivery};
use tacit_storage::audit::Filter;
use tacit_storage::{Page, Sql, WriteTx, both_engines};
use tokio_util::sync::CancellationToken;

const CASES: &str = "/api/v1/verification/cases";
const REVIEWS: &str = "/api/v1/verification-reviews";
const NAME: &str = "张三丰";
const NUMBER: &str = "11010519491231002X";

/// Staff reviews persons, by one paper.
pub(super) fn of_persons() -> VerificationRules {
    let person = KindRules { way: Some(VerificationWay::Staff), papers: vec![PaperKind::IdCardFront] };
    VerificationRules { person, ..VerificationRules::default() }
}

fn rules() -> VerificationRules {
    let unverified = UnverifiedRules { api_keys: Some(0), ..UnverifiedRules::default() };
    VerificationRules { unverified, ..of_persons() }
}

fn said() -> Value {
    json!({ "name": NAME, "document": "id_card", "number": NUMBER })
}

/// More than a form may have.
fn picture() -> Vec<u8> {
    let mut bytes = b"\xff\xd8\xff\xe0".to_vec();
    bytes.resize(2 << 20, b'x');
    bytes
}

impl Served {
    async fn paper(&self, by: &str, path: &str, kind: &str, bytes: &[u8]) -> Got {
        self.ask(Method::PUT, path).by(by).header("content-type", kind).raw(bytes).send().await
    }

    /// A case of somebody's that waits for a verdict, by its path below [`CASES`] and [`REVIEWS`].
    pub(super) async fn submitted(&self, by: &str, said: &Value, picture: &[u8]) -> String {
        let made = self.ask(Method::POST, CASES).by(by).json(said).send().await;
        assert_eq!(made.status, 201, "{}", made.json());
        let id = made.json()["id"].as_str().unwrap().to_owned();
        let sent = self.paper(by, &format!("{CASES}/{id}/papers/id_card_front"), "image/jpeg", picture).await;
        assert_eq!(sent.status, 200, "{}", sent.json());
        let path = format!("{CASES}/{id}/submission");
        assert_eq!(self.ask(Method::POST, &path).by(by).json(&json!({})).send().await.status, 200);
        id
    }

    async fn waiting(&self) -> String {
        self.submitted("ann", &said(), &picture()).await
    }

    async fn review(&self, by: &str, path: &str, body: &Value) -> Got {
        self.ask(Method::POST, &format!("{REVIEWS}/{path}")).by(by).json(body).send().await
    }
}

both_engines! {
    async fn a_verdict_and_the_letter_about_it_are_one(db: Db) {
        const AWAY: Sql = Sql::new("ALTER TABLE messages RENAME TO messages_away");
        const BACK: Sql = Sql::new("ALTER TABLE messages_away RENAME TO messages");
        let served = served_with(db.clone(), Wishes { verification: rules(), ..Wishes::default() }).await;
        let to = &Contact::email("ann@example.org").unwrap();
        let put = async |tx: &mut WriteTx<'_>| served.console.identity.contact_put_in_tx(tx, served.ann, to).await;
        let put = &put;
        db.write("test.contact", |tx| Box::pin(put(tx))).await.unwrap();
        let id = served.waiting().await;
        let rename = async |sql: &'static Sql| {
            db.write("test.rename", |tx| Box::pin(async move { tx.execute(sql, &[]).await })).await.unwrap()
        };
        let written = async || served.console.messages.list(Page::default()).await.unwrap().items.len();
        let before = written().await;
        let state = async || served.get(&format!("{CASES}/{id}")).by("ann").send().await.json()["state"].clone();
        rename(&AWAY).await;
        let verdict = json!({ "verdict": "approved" });
        let refused = served.review("risk-stepped-up", &format!("{id}/verdict"), &verdict).await;
        assert_eq!(refused.status.as_u16(), 500, "the letter cannot be written");
        rename(&BACK).await;
        assert_eq!((state().await, written().await), (json!("submitted"), before), "so there is no verdict");
        assert_eq!(served.review("risk-stepped-up", &format!("{id}/verdict"), &verdict).await.status, 200);
        assert_eq!((state().await, written().await), (json!("approved"), before + 1));
    }

    async fn nobody_is_told_that_others_have_their_number(db: Db) {
        let served = served_with(db, Wishes { verification: of_persons(), ..Wishes::default() }).await;
        let mut shown = Vec::new();
        for reason in ["number_used", "mismatch", "not_own"] {
            let id = served.waiting().await;
            let verdict = json!({ "verdict": "rejected", "reason": reason });
            let decided = served.review("risk-stepped-up", &format!("{id}/verdict"), &verdict).await;
            assert_eq!((decided.status.as_u16(), decided.json()["reason"].clone()), (200, json!(reason)), "staff sees it");
            let mut own = served.get(&format!("{CASES}/{id}")).by("ann").send().await.json();
            for differs in ["id", "created_at", "submitted_at", "decided_at", "updated_at", "held_until"] {
                own.as_object_mut().unwrap().remove(differs);
            }
            own["papers"] = json!([]);
            shown.push(own);
        }
        assert!(shown[0]["reason"] == "not_confirmed" && shown.iter().all(|own| *own == shown[0]), "{shown:?}");
    }

    async fn a_person_shows_who_they_are(db: Db) {
        let served = served_with(db, Wishes { verification: rules(), ..Wishes::default() }).await;
        let offer = served.get("/api/v1/verification").by("ann").send().await.json();
        assert_eq!(offer["verified"], json!([]));
        assert_eq!(offer["offered"], json!([{ "kind": "person", "documents": [
            { "document": "id_card", "way": "staff", "papers": ["id_card_front"], "agency": null },
        ] }]));
        let key = json!({ "name": "laptop" });
        let refused = served.ask(Method::POST, "/api/v1/keys").by("ann").json(&key).send().await;
        assert_eq!(refused.refusal(), (403, "verification.required".into()));

        let wrong = json!({ "name": NAME, "document": "id_card", "number": "110105194912310021" });
        let refused = served.ask(Method::POST, CASES).by("ann").json(&wrong).send().await;
        assert_eq!((refused.refusal(), refused.json()["field"].clone()), ((422, "verification.field".into()), json!("number")));
        let make = || served.ask(Method::POST, CASES).by("ann").json(&said()).header("idempotency-key", "k1");
        let (made, again) = (make().send().await, make().send().await);
        assert_eq!((made.status.as_u16(), again.header("idempotency-replayed")), (201, "true"));
        assert_eq!((made.json(), made.header("etag")), (again.json(), again.header("etag")));
        let another = served.ask(Method::POST, CASES).by("ann").json(&said()).send().await;
        assert_eq!(another.refusal(), (409, "verification.open".into()));
        let id = made.json()["id"].as_str().unwrap().to_owned();
        let (case, paper) = (format!("{CASES}/{id}"), format!("{CASES}/{id}/papers/id_card_front"));
        assert_eq!(made.json()["number"], "1****************X", "nor is it sent back to who said it");

        let early = served.ask(Method::POST, &format!("{case}/submission")).by("ann").json(&json!({})).send().await;
        assert_eq!(early.refusal(), (409, "verification.papers_missing".into()));
        let mut large = picture();
        large.resize((8 << 20) + 1, b'x');
        for (by, path, kind, bytes, refusal) in [
            ("bob", &paper, "image/jpeg", picture(), (404, "verification.not_found")),
            ("nobody", &paper, "image/jpeg", picture(), (413, "request.too_large")),
            ("ann", &paper, "image/jpeg", large, (413, "request.too_large")),
            ("ann", &paper, "image/gif", picture(), (415, "request.media_type")),
            ("ann", &paper, "application/json", picture(), (415, "request.media_type")),
            ("ann", &paper, "image/jpeg", b"<svg/>".to_vec(), (422, "verification.paper_invalid")),
            ("ann", &format!("{case}/papers/passport"), "image/png", picture(), (422, "verification.paper_invalid")),
            ("ann", &format!("{case}/papers/selfie"), "image/png", picture(), (404, "request.reference")),
            // Elsewhere nothing but a form is taken, and no more than a form has.
            ("ann", &case, "application/json", picture(), (413, "request.too_large")),
            ("ann", &case, "image/jpeg", b"x".to_vec(), (415, "request.media_type")),
        ] {
            let got = served.paper(by, path, kind, &bytes).await;
            assert_eq!(got.refusal(), (refusal.0, refusal.1.to_owned()), "{by} {path} {kind}");
        }
        let cross = served.ask(Method::PUT, &paper).by("ann").header("content-type", "image/jpeg").header("sec-fetch-site", "cross-site");
        assert_eq!(cross.raw(&picture()).send().await.refusal(), (403, "request.cross_site".into()));
        let held = served.paper("ann", &paper, "image/jpeg", &picture()).await;
        assert_eq!(held.json()["papers"][0]["size"], 2 << 20);
        // A paper that was sent is sent back to nobody.
        assert_eq!(served.get(&paper).by("ann").send().await.status, 405);

        let put = |tag: &str| served.ask(Method::PUT, &case).by("ann").header("if-match", tag).json(&said());
        assert_eq!(put(made.header("etag")).send().await.refusal(), (412, "request.changed".into()));
        assert_eq!(put(held.header("etag")).send().await.status, 200);
        let submitted = served.ask(Method::POST, &format!("{case}/submission")).by("ann").json(&json!({})).send().await;
        assert_eq!(submitted.json()["state"], "submitted");
        assert_eq!(served.paper("ann", &paper, "image/jpeg", &picture()).await.refusal(), (409, "verification.state".into()));
        assert_eq!(served.get(&case).by("ann").send().await.json(), submitted.json());
        assert_eq!(served.get(&case).by("bob").send().await.refusal(), (404, "verification.not_found".into()));
        let listed = served.get(CASES).by("ann").send().await.json();
        assert_eq!(listed["items"], json!([submitted.json()]));

        assert_eq!(served.ask(Method::DELETE, &case).by("bob").send().await.status, 404);
        assert_eq!(served.ask(Method::DELETE, &case).by("ann").send().await.status, 204);
        assert_eq!(served.get(&case).by("ann").send().await.status, 404);
        assert_eq!(served.get(&format!("{REVIEWS}/{id}")).by("risk").send().await.status, 404);
    }

    async fn staff_sees_as_much_as_it_must_and_says_why(db: Db) {
        let served = served_with(db, Wishes { verification: rules(), ..Wishes::default() }).await;
        let id = served.waiting().await;
        for path in [REVIEWS.to_owned(), format!("{REVIEWS}?state=submitted"), format!("{REVIEWS}/{id}")] {
            let shown = served.get(&path).by("support").send().await;
            let text = String::from_utf8(shown.body.clone()).unwrap();
            assert_eq!(shown.status, 200, "{text}");
            assert!(text.contains("张**") && !text.contains(NAME) && !text.contains(NUMBER), "{text}");
            assert_eq!(served.get(&path).by("finance").send().await.refusal(), (403, "access.denied".into()));
        }
        let none = served.get(&format!("{REVIEWS}?state=approved")).by("support").send().await.json();
        assert_eq!(none["items"], json!([]));
        let read = looks(&served).await;
        assert_eq!(read, [("verification.read".into(), json!([]), json!(null))], "once, and lists are none");
        let (details, paper, look) = (format!("{id}/details"), format!("{id}/papers/id_card_front"), json!({ "reason": "a first look" }));
        for path in [&details, &paper] {
            assert_eq!(served.review("support", path, &look).await.refusal(), (403, "access.denied".into()));
            assert_eq!(served.review("risk", path, &look).await.refusal(), (403, "access.step_up_required".into()));
            let silent = served.review("risk-stepped-up", path, &json!({ "reason": " " })).await;
            assert_eq!(silent.refusal(), (422, "request.reason".into()));
        }
        let audit = &served.console.audit;
        let reveals = async || {
            let filter = Filter { action: Some("verification.reveal".into()), subject: Some(served.ann), ..Filter::default() };
            let mut reasons = Vec::new();
            for entry in audit.list(&filter, None, 100).await.unwrap() {
                let shown = audit.show(entry.kept.seq).await.unwrap().unwrap();
                reasons.extend(shown.reason.map(Personal::into_inner));
            }
            reasons
        };
        let refused: Vec<_> = looks(&served).await.into_iter().filter(|(action, ..)| action == "verification.reveal").collect();
        assert_eq!(refused, [], "nothing was shown");
        let clear = served.review("risk-stepped-up", &details, &look).await.json();
        assert_eq!((&clear["name"], &clear["number"], &clear["note"]), (&json!(NAME), &json!(NUMBER), &json!(null)));
        let in_five = tacit_kernel::Clock::now(&*served.clock).plus_micros(5 * 60_000_000);
        assert_eq!(clear["hide_at"], json!(crate::forms::Moment::from(in_five)));
        assert_eq!(reveals().await, ["a first look"]);
        let shown = served.review("risk-stepped-up", &paper, &json!({ "reason": "whether it is a card" })).await;
        assert_eq!((shown.status.as_u16(), shown.body.as_slice()), (200, picture().as_slice()));
        assert_eq!(shown.header("content-type"), "image/jpeg");
        assert_eq!(shown.header("content-disposition"), "attachment; filename=\"id_card_front.jpeg\"");
        assert_eq!((shown.header("x-content-type-options"), shown.header("cache-control")), ("nosniff", "no-store"));
        assert_eq!(shown.header("tacit-hide-at"), in_five.0.to_string());
        assert_eq!(reveals().await, ["whether it is a card", "a first look"]);
        let seen = looks(&served).await;
        assert_eq!(seen[..2], [
            ("verification.reveal".into(), json!(["id_card_front"]), json!("whether it is a card")),
            ("verification.reveal".into(), json!(["name", "number", "note"]), json!("a first look")),
        ]);
        assert_eq!(seen.len(), 3, "each once: {seen:?}");
        let choose = async |allowed| {
            let (identity, ann) = (&served.console.identity, served.ann);
            let choose = &async |tx: &mut WriteTx<'_>| {
                identity.choose_in_tx(tx, ann, (Matter::Use, allowed), (ChoiceVia::Person, "w")).await
            };
            served.console.db.write("test.choose", |tx| Box::pin(choose(tx))).await.unwrap();
        };
        choose(false).await;
        assert_eq!(served.get(REVIEWS).by("support").send().await.json()["items"], json!([]), "who restricts is in no list");
        for path in [&details, &paper] {
            assert_eq!(served.review("risk-stepped-up", path, &look).await.refusal(), (409, "privacy.restricted".into()));
            let why = json!({ "reason": "the card was stolen", "for": "security" });
            assert_eq!(served.review("risk-stepped-up", path, &why).await.status, 200);
            assert!(looks(&served).await[0].1.as_array().unwrap().contains(&json!("for_security")));
        }
        choose(true).await;
        let other = served.review("risk-stepped-up", &format!("{id}/papers/passport"), &look).await;
        assert_eq!(other.refusal(), (404, "verification.paper_not_found".into()));
        // What is still being written is nobody's business.
        let draft = served.ask(Method::POST, CASES).by("bob").json(&said()).send().await.json();
        let hidden = served.review("risk-stepped-up", &format!("{}/details", draft["id"].as_str().unwrap()), &look).await;
        assert_eq!(hidden.refusal(), (404, "verification.not_found".into()));
        let draft = draft["id"].as_str().unwrap();
        for query in ["", "?state=draft"] {
            let listed = served.get(&format!("{REVIEWS}{query}")).by("support").send().await;
            assert!(!String::from_utf8_lossy(&listed.body).contains(draft), "{query}");
        }
        assert_eq!(served.get(&format!("{REVIEWS}/{draft}")).by("support").send().await.status, 404);
    }

    async fn what_waits_for_no_verdict_is_shown_to_nobody(db: Db) {
        let served = served_with(db, Wishes { verification: rules(), ..Wishes::default() }).await;
        let (id, look) = (served.waiting().await, json!({ "reason": "curious" }));
        let (details, paper, verdict) = (format!("{id}/details"), format!("{id}/papers/id_card_front"), format!("{id}/verdict"));
        let more = json!({ "verdict": "needs_more", "reason": "other", "note": format!("{NUMBER} is not hers") });
        let decided = served.review("risk-stepped-up", &verdict, &more).await;
        assert_eq!((&decided.json()["state"], &decided.json()["note"]), (&json!("needs_more"), &json!(null)));
        for path in [REVIEWS.to_owned(), format!("{REVIEWS}/{id}")] {
            let shown = served.get(&path).by("risk").send().await;
            assert!(!String::from_utf8_lossy(&shown.body).contains(NUMBER), "{path}");
        }
        // While it is changed there is the note, which staff wrote itself.
        let clear = served.review("risk-stepped-up", &details, &look).await.json();
        assert_eq!((&clear["number"], &clear["note"]), (&json!(null), &more["note"]));
        assert_eq!(served.review("risk-stepped-up", &paper, &look).await.refusal(), (409, "verification.state".into()));
        let submit = served.ask(Method::POST, &format!("{CASES}/{id}/submission")).by("ann").json(&json!({}));
        assert_eq!(submit.send().await.status, 200);
        assert_eq!(served.review("risk-stepped-up", &paper, &look).await.status, 200);
        served.review("risk-stepped-up", &verdict, &json!({ "verdict": "approved" })).await;
        for path in [&details, &paper] {
            let late = served.review("risk-stepped-up", path, &look).await;
            assert_eq!(late.refusal(), (409, "verification.state".into()), "{path}");
        }
    }

    async fn a_verdict_is_given_once_and_told(db: Db) {
        let served = served_with(db, Wishes { verification: rules(), ..Wishes::default() }).await;
        let (stop, console) = (CancellationToken::new(), &served.console);
        tokio::spawn(delivery::run(console.messages.clone(), stop.clone()));
        let _stop = stop.drop_guard();
        let contact = &Contact::email("ann@example.org").unwrap();
        let put = async |tx: &mut WriteTx<'_>| console.identity.contact_put_in_tx(tx, served.ann, contact).await;
        let put = &put;
        console.db.write("test.contact", |tx| Box::pin(put(tx))).await.unwrap();
        let id = served.waiting().await;
        let verdict = format!("{id}/verdict");
        for (body, code) in [
            (json!({ "verdict": "rejected" }), "verification.field"),
            (json!({ "verdict": "approved", "reason": "other" }), "verification.field"),
            (json!({ "verdict": "rejected", "reason": "other" }), "verification.field"),
            (json!({ "verdict": "withdrawn" }), "request.invalid"),
        ] {
            assert_eq!(served.review("risk-stepped-up", &verdict, &body).await.refusal(), (422, code.into()), "{body}");
        }
        let more = json!({ "verdict": "needs_more", "reason": "unreadable", "note": "请重拍" });
        assert_eq!(served.review("risk", &verdict, &more).await.refusal(), (403, "access.step_up_required".into()));
        let seen = served.get(&format!("{REVIEWS}/{id}")).by("risk").send().await;
        assert_eq!(served.review("risk-stepped-up", &verdict, &more).await.json()["state"], "needs_more");
        let stale = served.ask(Method::POST, &format!("{REVIEWS}/{verdict}")).by("risk-stepped-up").header("if-match", seen.header("etag"));
        assert_eq!(stale.json(&more).send().await.refusal(), (412, "request.changed".into()));
        let own = served.get(&format!("{CASES}/{id}")).by("ann").send().await.json();
        assert_eq!((&own["reason"], &own["note"]), (&json!("unreadable"), &json!("请重拍")));
        served.ask(Method::POST, &format!("{CASES}/{id}/submission")).by("ann").json(&json!({})).send().await;
        let approve = json!({ "verdict": "approved" });
        assert_eq!(served.review("risk-stepped-up", &verdict, &approve).await.json()["state"], "approved");
        assert_eq!(served.review("risk-stepped-up", &verdict, &approve).await.refusal(), (409, "verification.state".into()));
        let stands = served.get("/api/v1/verification").by("ann").send().await.json();
        assert_eq!(stands["verified"], json!(["person"]));
        let key = json!({ "name": "laptop" });
        assert_eq!(served.ask(Method::POST, "/api/v1/keys").by("ann").json(&key).send().await.status, 201);

        let letters = letters(&served, 4).await;
        let subjects: Vec<_> = letters.iter().filter_map(|letter| letter.subject.as_deref()).collect();
        for subject in ["You are verified", "Your verification needs something more", "Your verification was submitted"] {
            assert!(subjects.iter().any(|held| held.contains(subject)), "{subject}: {subjects:?}");
        }
        for letter in &letters {
            assert!(!letter.text.contains(NAME) && !letter.text.contains(NUMBER) && !letter.text.contains("请重拍"));
        }
    }

    async fn nobody_decides_about_themselves(db: Db) {
        let served = served_with(db, Wishes { verification: rules(), ..Wishes::default() }).await;
        let made = served.ask(Method::POST, CASES).by("owner").json(&said()).send().await.json();
        let id = made["id"].as_str().unwrap();
        served.paper("owner", &format!("{CASES}/{id}/papers/id_card_front"), "image/jpeg", &picture()).await;
        served.ask(Method::POST, &format!("{CASES}/{id}/submission")).by("owner").json(&json!({})).send().await;
        let own = served.review("owner-stepped-up", &format!("{id}/verdict"), &json!({ "verdict": "approved" })).await;
        assert_eq!(own.refusal(), (403, "verification.own".into()));
    }
}

/// What ann sees of who looked: what it was, which fields, why.
async fn looks(served: &Served) -> Vec<(String, Value, Value)> {
    let looks = served.get("/api/v1/account/looks").by("ann").send().await.json();
    let one =
        |look: &Value| (look["action"].as_str().unwrap().to_owned(), look["fields"].clone(), look["reason"].clone());
    looks["items"].as_array().unwrap().iter().map(one).collect()
}

/// What was written to people, once there is so much.
async fn letters(served: &Served, at_least: usize) -> Vec<KeptContent> {
    for _ in 0..400 {
        let kept = served.console.messages.kept_list(Page::default()).await.unwrap().items;
        let letters: Vec<_> = kept.into_iter().filter_map(|kept| kept.content).collect();
        if letters.len() >= at_least {
            return letters;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("{at_least} letters did not arrive");
}

//! What people ask for about their data, from asking to the end, over a socket.

use super::crawl::{Person, person};
use super::*;
use serde_json::json;
use tacit_kernel::Clock as _;
use tacit_storage::both_engines;

const OWN: &str = "/api/v1/account/requests";
const STAFF: &str = "/api/v1/rights-requests";
const BY: &str = "privacy_officer-stepped-up";

async fn post(served: &Served, by: &str, path: &str, body: &Value) -> Got {
    served.ask(Method::POST, path).by(by).json(body).send().await
}

/// The titles of what was written to her.
async fn written(served: &Served, account: AccountId) -> Vec<String> {
    let stop = tokio_util::sync::CancellationToken::new();
    let _stop = stop.clone().drop_guard();
    tokio::spawn(tacit_operations::messages::delivery::run(served.console.messages.clone(), stop));
    for _ in 0..400 {
        let waiting = served.console.messages.list(tacit_storage::Page::default()).await.unwrap().items;
        if waiting.iter().all(|message| message.state != tacit_operations::messages::State::Waiting) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    let kept = served.console.messages.kept_list(tacit_storage::Page::default()).await.unwrap().items;
    let hers = kept.into_iter().filter(|kept| kept.account == Some(account)).filter_map(|kept| kept.content);
    hers.filter_map(|content| content.subject).collect()
}

both_engines! {
    async fn a_disclosure_is_decided_by_another_and_seen_when_she_may_know(db: Db) {
        const PATH: &str = "/api/v1/disclosures";
        let served = served(db).await;
        let Person { account, token, .. } = person(&served).await;
        let new = json!({"account": account, "ground": "criminal_proceedings", "fields": ["email", "calls"],
            "authority": "court of Wilhelmina", "because": "order 12/34 about Wilhelmina"});
        assert_eq!(post(&served, "privacy_officer", PATH, &new).await.refusal(), (403, "access.step_up_required".into()));
        assert_eq!(post(&served, "admin-stepped-up", PATH, &new).await.refusal().0, 403);
        let wrong = |field: &str, value: Value| {
            let mut wrong = new.clone();
            wrong[field] = value;
            wrong
        };
        for (field, value) in [("because", json!(" ")), ("authority", json!("")), ("fields", json!([])), ("ground", json!("curiosity"))] {
            assert_eq!(post(&served, BY, PATH, &wrong(field, value)).await.refusal().0, 422, "{field}");
        }
        let made = post(&served, BY, PATH, &new).await;
        assert_eq!(made.status, 201, "{}", String::from_utf8_lossy(&made.body));
        let one = format!("{PATH}/{}", made.json()["id"].as_str().unwrap());
        let approve = json!({"decision": "approve"});
        let decision = format!("{one}/decision");
        assert_eq!(post(&served, BY, &decision, &approve).await.refusal(), (403, "disclosure.alone".into()));
        let listed = served.get(PATH).by("auditor").send().await;
        assert!(!String::from_utf8_lossy(&listed.body).contains("Wilhelmina"), "lists have no words");
        let details = format!("{one}/details");
        assert_eq!(post(&served, BY, &details, &json!({})).await.refusal().0, 422);
        let shown = post(&served, BY, &details, &json!({"reason": "to decide it"})).await.json();
        assert_eq!(shown["because"], new["because"]);

        // Another proposed this one.
        let other = served.ann;
        let proposed = &tacit_privacy::disclosures::New {
            account,
            ground: tacit_privacy::disclosures::Ground::StatutoryDuty,
            fields: [tacit_privacy::disclosures::Given::Name].into(),
            authority: Personal::new("ministry".to_owned()),
            reason: Personal::new("order 56/78".to_owned()),
            tell_from: None,
        };
        let disclosures = &served.console.receivers.disclosures;
        let propose = async |tx: &mut tacit_storage::WriteTx<'_>| disclosures.propose_in_tx(tx, other, proposed).await;
        let propose = &propose;
        let proposed = served.console.db.write("test.propose", |tx| Box::pin(propose(tx))).await.unwrap();
        let one = format!("{PATH}/{}", proposed.id);
        let tag = served.get(&one).by("auditor").send().await.header("etag").to_owned();
        let decide = async || {
            let asking = served.ask(Method::POST, &format!("{one}/decision")).by(BY).header("if-match", &tag);
            asking.json(&approve).send().await
        };
        served.clock.advance_micros(1);
        assert_eq!(decide().await.json()["state"], "approved");
        assert_eq!(decide().await.refusal(), (412, "request.changed".into()));
        let hers = async || {
            disclosures.tell().await.unwrap();
            served.get("/api/v1/account/disclosures").by(&token).send().await.json()["items"].clone()
        };
        assert_eq!(hers().await, json!([]));
        // Nothing that she is shown says so before.
        let copy = served.ask(Method::POST, "/api/v1/account/copy").by(&token).send().await;
        assert!(copy.status == 200 || copy.status == 403, "{}", copy.status);
        for entry in served.console.audit.list(&tacit_storage::audit::Filter::default(), None, 100).await.unwrap() {
            let is_of_it = entry.kept.action.as_str().starts_with("disclosure.");
            assert!(!(is_of_it && entry.kept.subject == Some(account)), "{:?}", entry.kept.action);
        }
        let telling = json!({"from": served.clock.now().to_string()});
        let told = served.ask(Method::PUT, &format!("{one}/telling")).by(BY).json(&telling).send().await;
        assert_eq!(told.status, 200, "{}", String::from_utf8_lossy(&told.body));
        let seen = hers().await;
        assert_eq!((&seen[0]["authority"], &seen[0]["because"]), (&json!("ministry"), &json!("order 56/78")));
        assert_eq!(served.get("/api/v1/account/disclosures").by("bob").send().await.json()["items"], json!([]));
    }

    async fn a_request_is_asked_about_refused_appealed_and_done(db: Db) {
        let served = served(db).await;
        let Person { account, token, .. } = person(&served).await;
        let wrong = post(&served, &token, OWN, &json!({"kind": "correction"})).await;
        assert_eq!(wrong.refusal(), (422, "rights_request.text".into()));
        let new = json!({"kind": "correction", "text": "my age band is wrong: Wilhelmina is grown up"});
        let asking = || served.ask(Method::POST, OWN).by(&token).header("idempotency-key", "once").json(&new);
        let (made, again) = (asking().send().await, asking().send().await);
        assert_eq!((made.status.as_u16(), again.header("idempotency-replayed")), (201, "true"));
        let made = made.json();
        assert_eq!((&made["state"], &made["overdue"]), (&json!("open"), &json!(false)));
        let id = made["id"].as_str().unwrap();
        let (own, staff) = (format!("{OWN}/{id}"), format!("{STAFF}/{id}"));
        assert_eq!(post(&served, &token, OWN, &new).await.refusal(), (409, "rights_request.under_way".into()));
        for (method, path) in [(Method::GET, own.clone()), (Method::POST, format!("{own}/withdraw"))] {
            assert_eq!(served.ask(method, &path).by("ann").send().await.refusal().0, 404, "it is hers: {path}");
        }

        // Staff sees what is asked, and what was said only with a reason, which she is shown.
        for by in ["support-stepped-up", "admin-stepped-up", &token] {
            assert_eq!(served.get(STAFF).by(by).send().await.refusal(), (403, "access.denied".into()), "{by}");
        }
        let listed = served.get(STAFF).by(BY).send().await.json();
        assert_eq!((&listed["items"][0]["id"], &listed["items"][0]["account"]), (&json!(id), &json!(account)));
        assert!(!listed.to_string().contains("Wilhelmina"), "{listed}");
        let details = format!("{staff}/details");
        assert_eq!(post(&served, BY, &details, &json!({})).await.refusal(), (422, "request.reason".into()));
        let shown = post(&served, BY, &details, &json!({"reason": "to decide it"})).await.json();
        assert_eq!(shown["request"]["text"], new["text"]);
        assert_eq!(shown["hide_at"], served.clock.now().plus_micros(5 * 60_000_000).to_string());
        let looks = served.get("/api/v1/account/looks").by(&token).send().await.json();
        let look = looks["items"].as_array().unwrap().iter().find(|l| l["action"] == "rights_request.reveal").unwrap();
        assert_eq!((&look["reason"], &look["fields"]), (&json!("to decide it"), &json!(["text", "answer"])));

        // From question to appeal.
        let decide = async |decision: &str, refusal: Option<&str>| {
            let body = json!({"decision": decision, "answer": format!("we {decision}"), "refusal": refusal});
            post(&served, BY, &format!("{staff}/decision"), &body).await
        };
        let named = served.get("/api/v1/audit/entries?action=rights_request.reveal").by("auditor").send().await.json();
        assert_eq!(named["items"][0]["object"], id, "the log says which one: {named}");
        let stale = served.ask(Method::POST, &format!("{staff}/decision")).by(BY).header("if-match", "\"old\"");
        let stale = stale.json(&json!({"decision": "ask", "answer": "since when?"})).send().await;
        assert_eq!(stale.refusal(), (412, "request.changed".into()));
        assert_eq!(decide("uphold", None).await.refusal(), (409, "rights_request.state".into()));
        assert_eq!(decide("ask", None).await.json()["state"], "need_info");
        let reply = json!({"text": "since 1990"});
        assert_eq!(post(&served, &token, &format!("{own}/reply"), &reply).await.json()["state"], "open");
        assert_eq!(decide("refuse", None).await.refusal(), (422, "rights_request.reason".into()));
        assert_eq!(decide("refuse", Some("unfounded")).await.json()["refusal"], "unfounded");
        let appealed = post(&served, &token, &format!("{own}/appeal"), &json!({"text": "look again"})).await.json();
        assert_eq!((&appealed["state"], &appealed["refusal"]), (&json!("appealed"), &json!("unfounded")));
        assert_eq!(decide("reverse", None).await.json()["state"], "open");
        assert_eq!(decide("fulfil", None).await.json()["state"], "fulfilled");
        let done = served.get(&own).by(&token).send().await.json();
        assert!(done["answer"].as_str().unwrap().ends_with("we fulfil"), "{done}");
        assert!(done["text"].as_str().unwrap().contains("since 1990"), "{done}");
        assert_eq!(served.get(STAFF).by(BY).send().await.json()["items"], json!([]));
        assert_eq!(served.get(&format!("{STAFF}?closed=true")).by(BY).send().await.json()["items"][0]["id"], id);
        let titles = written(&served, account).await;
        for title in ["We have your request", "A question about your request", "Your request was refused", "Your request is done"] {
            assert!(titles.iter().any(|written| written.contains(title)), "{title}: {titles:?}");
        }
    }

    async fn an_account_is_cancelled_by_whoever_has_just_shown_who_they_are(db: Db) {
        let served = served(db).await;
        let Person { account, token, .. } = person(&served).await;
        let cancel = |forfeits: bool| json!({"kind": "cancellation", "forfeits": forfeits});
        assert_eq!(post(&served, "ann", OWN, &cancel(true)).await.refusal(), (403, "access.step_up_required".into()));
        assert_eq!(post(&served, "tm-owner", OWN, &cancel(true)).await.refusal().0, 403);
        assert_eq!(post(&served, &token, OWN, &cancel(false)).await.refusal(), (409, "erasure.money".into()));
        let made = post(&served, &token, OWN, &cancel(true)).await.json();
        let until = served.clock.now().plus_micros(7 * 86_400_000_000);
        assert_eq!((&made["state"], &made["cooling_until"]), (&json!("cooling"), &json!(until.to_string())));
        let path = format!("{OWN}/{}", made["id"].as_str().unwrap());
        // She is written to at her addresses, and takes it back in time.
        let titles = written(&served, account).await;
        assert!(titles.iter().any(|title| title.contains("Your account is going to be deleted")), "{titles:?}");
        let withdraw = served.ask(Method::POST, &format!("{path}/withdraw")).by(&token).send().await.json();
        assert_eq!(withdraw["state"], "withdrawn");
        served.clock.advance_micros(8 * 86_400_000_000);
        assert_eq!(served.console.requests.cool().await.unwrap(), 0);

        // Staff cannot say that it is done while it is not: fulfilling it does it.
        let requests = &served.console.requests;
        let new = &tacit_privacy::requests::New {
            kind: tacit_privacy::requests::Kind::Cancellation,
            asker: tacit_privacy::requests::Asker::Person,
            said: None,
            verified: tacit_privacy::requests::Verified::Address,
            forfeits: Some(tacit_kernel::Nano(i64::MAX)),
        };
        let make = async |tx: &mut tacit_storage::WriteTx<'_>| requests.make_in_tx(tx, account, new).await;
        let make = &make;
        let made = served.console.db.write("test.make", |tx| Box::pin(make(tx))).await.unwrap();
        let decision = format!("{STAFF}/{}/decision", made.id);
        let done = post(&served, BY, &decision, &json!({"decision": "fulfil", "answer": "as you asked"})).await;
        assert_eq!((done.status.as_u16(), &done.json()["state"]), (200, &json!("fulfilled")));
        assert!(served.console.keys.get(account.0).await.unwrap().is_none(), "nothing of her can be read");
        let log = served.get("/api/v1/audit/entries?action=rights_request.decide").by("auditor").send().await.json();
        let done = log["items"].as_array().unwrap().iter().find(|entry| entry["phase"] == "done").unwrap();
        assert!(done["subject"].is_null(), "the last word does not name her: {done}");
    }
}

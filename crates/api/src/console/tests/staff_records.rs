//! What staff sees of keys, calls and money, and what the people they belong to see of them.

use super::crawl::{Person, person};
use super::*;
use serde_json::json;
use tacit_storage::both_engines;

async fn post(served: &Served, by: &str, path: &str, body: &Value, key: Option<&str>) -> Got {
    let asking = served.ask(Method::POST, path).by(by).json(body);
    match key {
        Some(key) => asking.header("idempotency-key", key).send().await,
        None => asking.send().await,
    }
}

async fn text(served: &Served, by: &str, path: &str) -> String {
    let got = served.get(path).by(by).send().await;
    assert_eq!(got.status, 200, "{path} by {by}");
    String::from_utf8_lossy(&got.body).into_owned()
}

both_engines! {
    async fn keys_of_others_are_masked_and_can_be_ended(db: Db) {
        let served = served(db).await;
        let Person { account, key, .. } = person(&served).await;
        let (list, path) = (format!("/api/v1/accounts/{account}/keys"), format!("/api/v1/accounts/{account}/keys/{key}"));
        let keys = served.get(&list).by("support").send().await.json();
        assert_eq!((&keys["items"][0]["id"], &keys["items"][0]["name"]), (&json!(key.to_string()), &json!("l***")));
        let shown = served.get(&path).by("support").send().await;
        let tag = shown.header("etag").to_owned();
        assert_eq!(shown.json(), keys["items"][0]);
        served.clock.advance_micros(7);
        let patch = async |by: &str, body: Value| {
            served.ask(Method::PATCH, &path).by(by).header("if-match", &tag).json(&body).send().await
        };
        let off = json!({"status": "disabled", "reason": "it was leaked"});
        assert_eq!(patch("support", off.clone()).await.refusal(), (403, "access.denied".into()));
        assert_eq!(patch("admin", off.clone()).await.json()["status"], "disabled");
        assert_eq!(patch("admin", off).await.refusal(), (412, "request.changed".into()));
        assert_eq!(patch("admin", json!({"name": "x"})).await.refusal(), (422, "request.invalid".into()), "names are theirs");
        // It must be that account's.
        let other = format!("/api/v1/accounts/{}/keys/{key}", served.ann);
        assert_eq!(served.get(&other).by("support").send().await.refusal(), (404, "key.not_found".into()));
        let nobody = format!("/api/v1/accounts/{}/keys", AccountId::fresh());
        assert_eq!(served.get(&nobody).by("support").send().await.refusal(), (404, "account.not_found".into()));
    }

    async fn a_call_is_seen_by_staff_without_where_it_came_from(db: Db) {
        let served = served(db).await;
        let person = person(&served).await;
        let (call, token) = (person.call, person.token.as_str());
        let own = served.get("/api/v1/calls?status=completed").by(token).send().await.json();
        assert_eq!((&own["items"][0]["id"], &own["next"]), (&json!(call.to_string()), &Value::Null));
        for none in ["status=failed", "model=some", "until=2000-01-01T00:00:00Z"] {
            assert_eq!(served.get(&format!("/api/v1/calls?{none}")).by(token).send().await.json(), json!({"items": []}), "{none}");
        }
        let shown = served.get(&format!("/api/v1/calls/{call}")).by(token).send().await.json();
        assert_eq!((&shown["address"], &shown["user_agent"]), (&json!("203.0.113.99"), &json!("CanaryBrowser/7.7")));
        assert_eq!(served.get("/api/v1/calls").by("ann").send().await.json(), json!({"items": []}));
        let used = served.get("/api/v1/usage").by(token).send().await.json();
        assert_eq!((&used["items"][0]["calls"], &used["items"][0]["amount"]), (&json!(1), &json!("0")));

        let path = format!("/api/v1/call-records/{call}");
        let all = text(&served, "auditor", "/api/v1/call-records").await;
        let one = text(&served, "support", &path).await;
        assert!(all.contains(&call.to_string()) && !(all + &one).contains("203.0.113.99"));
        let unmask = format!("{path}/unmask");
        let why = json!({"reason": "abuse report 9"});
        for by in ["support-stepped-up", "auditor-stepped-up", "admin-stepped-up"] {
            assert_eq!(post(&served, by, &unmask, &why, None).await.refusal(), (403, "access.denied".into()));
        }
        assert_eq!(post(&served, "risk-stepped-up", &unmask, &json!({}), None).await.refusal(), (422, "request.reason".into()));
        let clear = post(&served, "risk-stepped-up", &unmask, &why, None).await.json();
        assert_eq!((&clear["address"], &clear["user_agent"]), (&json!("203.0.113.99"), &json!("CanaryBrowser/7.7")));
        let looks = served.get("/api/v1/account/looks").by(token).send().await.json();
        let first = &looks["items"][0];
        assert_eq!((&first["action"], &first["fields"], &first["reason"]), (&json!("call.reveal"), &json!(["address", "user_agent"]), &json!("abuse report 9")));
        assert_eq!(looks["items"][1]["action"], "call.read");
    }

    async fn money_is_moved_once_and_for_a_reason(db: Db) {
        let served = served(db).await;
        let person = person(&served).await;
        let path = format!("/api/v1/accounts/{}/movements", person.account);
        let grant = json!({"kind": "grant", "amount": "2.5", "reason": "an apology for the outage"});
        let by = "finance-stepped-up";
        assert_eq!(post(&served, "finance", &path, &grant, Some("a")).await.refusal(), (403, "access.step_up_required".into()));
        assert_eq!(post(&served, "admin-stepped-up", &path, &grant, Some("a")).await.refusal(), (403, "access.denied".into()));
        assert_eq!(post(&served, by, &path, &grant, None).await.refusal(), (422, "idempotency.key_missing".into()));
        assert_eq!(post(&served, by, &path, &json!({"kind": "grant", "amount": "2.5"}), Some("a")).await.refusal(), (422, "request.reason".into()));
        let moved = post(&served, by, &path, &grant, Some("a")).await.json();
        assert_eq!((&moved["wallet"]["gift"], &moved["wallet"]["wallet"]), (&json!("2.5"), &json!("5")));
        // Again the same, however late.
        served.clock.advance_micros(40 * 86_400_000_000);
        assert_eq!(post(&served, by, &path, &grant, Some("a")).await.json(), moved);
        let other = json!({"kind": "grant", "amount": "3", "reason": "more"});
        assert_eq!(post(&served, by, &path, &other, Some("a")).await.refusal().1, "ledger.key_reused");
        let debit = json!({"kind": "adjustment", "amount": "-6", "reason": "too much"});
        assert_eq!(post(&served, by, &path, &debit, Some("b")).await.refusal(), (402, "wallet.insufficient".into()));
        let nobody = format!("/api/v1/accounts/{}/movements", AccountId::fresh());
        assert_eq!(post(&served, by, &nobody, &grant, Some("c")).await.refusal(), (404, "account.not_found".into()));
        // Somebody else's key is another one.
        assert_eq!(post(&served, "owner-stepped-up", &path, &grant, Some("a")).await.json(), moved, "the same account of staff here");

        let wallet = served.get(&format!("/api/v1/accounts/{}/wallet", person.account)).by("support").send().await.json();
        assert_eq!(wallet, moved["wallet"]);
        let theirs = served.get(&format!("/api/v1/accounts/{}/entries", person.account)).by("support").send().await.json();
        assert_eq!(theirs["items"][0]["ledger_account"], "gift");
        let all = served.get("/api/v1/ledger/entries").by("auditor").send().await.json();
        assert_eq!(all["items"].as_array().unwrap().len(), 4, "both sides of both movements");
        let check = served.get("/api/v1/ledger/verify").by("auditor").send().await.json();
        assert_eq!((&check["balanced"], &check["findings"]), (&json!(true), &json!([])));
        let actions = served.get("/api/v1/audit/entries?action=wallet.move").by("auditor").send().await.json();
        assert_eq!((&actions["items"][0]["fields"], &actions["items"][0]["subject"]), (&json!(["kind", "amount"]), &json!(person.account.to_string())));
    }

    async fn a_person_sees_what_is_theirs(db: Db) {
        let served = served(db).await;
        let person = person(&served).await;
        let token = person.token.as_str();
        let wallet = served.get("/api/v1/wallet").by(token).send().await.json();
        assert_eq!((&wallet["wallet"], &wallet["account"]), (&json!("5"), &json!(person.account.to_string())));
        let entries = served.get("/api/v1/wallet/entries").by(token).send().await.json();
        assert_eq!((&entries["items"][0]["ledger_account"], &entries["items"][0]["kind"]), (&json!("wallet"), &json!("top_up")));
        assert_eq!(entries["items"].as_array().unwrap().len(), 1, "not the platform's side of it");
        for path in ["/api/v1/wallet/entries", "/api/v1/usage", "/api/v1/calls"] {
            assert_eq!(served.get(path).by("ann").send().await.json(), json!({"items": []}), "{path}");
        }
        assert_eq!(served.get("/api/v1/wallet").by("ann").send().await.json()["wallet"], "0");
    }
}

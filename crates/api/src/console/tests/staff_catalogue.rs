//! The catalogue, the audit log and the state of the platform, for staff.

use super::*;
use serde_json::json;
use tacit_storage::both_engines;

async fn post(served: &Served, by: &str, path: &str, body: Value) -> Got {
    served.ask(Method::POST, path).by(by).json(&body).send().await
}

async fn patch(served: &Served, by: &str, path: &str, body: Value) -> Got {
    served.ask(Method::PATCH, path).by(by).json(&body).send().await
}

fn id(got: &Got) -> String {
    got.json()["id"].as_str().unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&got.body))).to_owned()
}

both_engines! {
    async fn the_catalogue_is_made_and_changed(db: Db) {
        let served = served(db).await;
        let by = "admin-stepped-up";
        let provider = json!({"name": "acme", "dialect": "openai", "base_url": "https://api.acme.example"});
        assert_eq!(post(&served, "admin", "/api/v1/providers", provider.clone()).await.refusal(), (403, "access.step_up_required".into()));
        let asking = || served.ask(Method::POST, "/api/v1/providers").by(by).header("idempotency-key", "p").json(&provider);
        let made = asking().send().await;
        assert_eq!((made.status.as_u16(), &made.json()["status"]), (201, &json!("active")));
        let again = asking().send().await;
        assert_eq!((again.header("idempotency-replayed"), again.json()), ("true", made.json()));
        assert_eq!(post(&served, by, "/api/v1/providers", provider).await.refusal(), (409, "provider.name_taken".into()));
        let path = format!("/api/v1/providers/{}", id(&made));
        served.clock.advance_micros(7);
        let tagged = async |body: Value| {
            served.ask(Method::PATCH, &path).by(by).header("if-match", made.header("etag")).json(&body).send().await
        };
        assert_eq!(tagged(json!({"status": "disabled"})).await.json()["status"], "disabled");
        assert_eq!(tagged(json!({"status": "active"})).await.refusal(), (412, "request.changed".into()));

        let model = post(&served, by, "/api/v1/registered-models", json!({"name": "acme-large", "owned_by": "acme"})).await;
        assert_eq!(model.status, 201);
        let prices = format!("/api/v1/registered-models/{}/prices", id(&model));
        let price = json!({"price": {"per_call": "0", "tiers": [{"above_input_tokens": 0, "input": "1", "output": "2"}]}});
        let set = post(&served, by, &prices, price.clone()).await;
        assert_eq!((set.status.as_u16(), &set.json()["version"]), (200, &json!(1)), "{}", String::from_utf8_lossy(&set.body));
        assert_eq!(post(&served, by, &prices, price).await.json(), set.json(), "what holds anyway is not written again");
        let listed = served.get(&prices).by("auditor").send().await.json();
        assert_eq!((&listed["items"][0]["model"], &listed["next"]), (&json!("acme-large"), &Value::Null));

        let group = post(&served, by, "/api/v1/groups", json!({"name": "gold", "multiplier": "0.8"})).await;
        let path = format!("/api/v1/groups/{}", id(&group));
        assert_eq!(patch(&served, by, &path, json!({"multiplier": "0.7"})).await.json()["multiplier"], "0.7");
        assert_eq!(post(&served, by, "/api/v1/groups", json!({"name": "gold", "multiplier": "1"})).await.refusal(), (409, "group.name_taken".into()));
        let page = served.get("/api/v1/groups?limit=1").by("support").send().await.json();
        let next = format!("/api/v1/groups?after={}", page["next"].as_str().unwrap());
        assert_eq!(served.get(&next).by("support").send().await.json()["items"][0]["name"], "gold");
    }

    async fn a_credential_is_shown_to_who_says_why(db: Db) {
        let served = served(db).await;
        let by = "owner-stepped-up";
        let provider = json!({"name": "acme", "dialect": "openai", "base_url": "https://api.acme.example"});
        assert_eq!(post(&served, by, "/api/v1/providers", provider).await.status, 201);
        let channel = json!({"name": "main", "provider": "acme", "credentials": [{"name": "first", "secret": "very-secret-1"}]});
        let made = post(&served, by, "/api/v1/channels", channel).await;
        let path = format!("/api/v1/channels/{}", id(&made));
        let more = json!({"add_credentials": [{"name": "second", "secret": "very-secret-2"}], "remove_credentials": ["first"]});
        let changed = patch(&served, by, &path, more).await;
        let credentials = changed.json()["credentials"].clone();
        assert_eq!((credentials.as_array().unwrap().len(), &credentials[0]["name"]), (1, &json!("second")));
        for got in [made, changed, served.get(&path).by(by).send().await, served.get("/api/v1/channels").by("support").send().await] {
            assert!(!String::from_utf8_lossy(&got.body).contains("very-secret"));
        }
        assert_eq!(patch(&served, by, &path, json!({"remove_models": ["x"]})).await.refusal(), (404, "channel.model_not_found".into()));

        let reveal = format!("{path}/credentials/{}/reveal", credentials[0]["id"].as_str().unwrap());
        let why = json!({"reason": "moving to another machine"});
        assert_eq!(post(&served, "admin-stepped-up", &reveal, why.clone()).await.refusal(), (403, "access.denied".into()));
        assert_eq!(post(&served, by, &reveal, json!({})).await.refusal(), (422, "request.reason".into()));
        assert_eq!(post(&served, by, &reveal, why).await.json(), json!({"secret": "very-secret-2"}));
        let log = served.get("/api/v1/audit/entries?action=credential.reveal").by("auditor").send().await.json();
        let phases: Vec<_> = log["items"].as_array().unwrap().iter().map(|e| e["phase"].as_str().unwrap()).collect();
        assert_eq!(phases, ["done", "begun", "refused", "begun"]);
        let entry = served.get(&format!("/api/v1/audit/entries/{}", log["items"][1]["seq"])).by("auditor").send().await;
        assert!(!String::from_utf8_lossy(&entry.body).contains("another machine"), "what is sealed stays sealed");
        assert!(entry.json()["checkpoint"].as_str().unwrap().starts_with("tacit-audit-"));

        // The multiplier of a channel is a price.
        let two = json!({"multiplier": "2"});
        let refused = patch(&served, "wirer", &path, two.clone()).await;
        assert_eq!((refused.refusal(), &refused.json()["field"]), ((403, "access.denied".into()), &json!("multiplier")));
        assert_eq!(patch(&served, "wirer", &path, json!({"weight": 3})).await.json()["weight"], 3);
        assert_eq!(patch(&served, by, &path, two).await.json()["multiplier"], "2");
    }

    async fn the_state_of_the_platform(db: Db) {
        let served = served(db).await;
        for path in ["/api/v1/sent-messages", "/api/v1/set-aside", "/api/v1/set-aside?all=true"] {
            assert_eq!(served.get(path).by("auditor").send().await.json(), json!({"items": []}), "{path}");
        }
        let event = "/api/v1/set-aside/evt_01h455vb4pex5vsknk084sn02q";
        for what in ["settle", "drop"] {
            let got = post(&served, "admin-stepped-up", &format!("{event}/{what}"), json!({})).await;
            assert_eq!(got.refusal().0, 404, "{what}");
        }
        assert_eq!(served.get("/api/v1/audit/entries/99999").by("auditor").send().await.refusal(), (404, "audit.not_found".into()));
        assert_eq!(served.get("/api/v1/audit/entries?after=x").by("auditor").send().await.refusal(), (422, "request.page".into()));
    }
}

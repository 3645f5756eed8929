//! The catalogue, the audit log and the state of the platform, for staff.

use super::*;
use serde_json::json;
use tacit_storage::{Sql, StorageError, WriteTx, both_engines};

const ADD_ATTEMPT: Sql = Sql::new(
    "INSERT INTO call_attempts (call_id, attempt, channel_id, credential_id, started_micros, duration_micros) \
     VALUES ($1, 1, $2, $1, 0, 0)",
);
const CALL_OVER: Sql = Sql::new("UPDATE calls SET channel_id = $2 WHERE id = $1");

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
        let dearer = json!({"price": {"per_call": "1", "tiers": [{"above_input_tokens": 0, "input": "1", "output": "2"}]}});
        let once = async |body: &Value| {
            served.ask(Method::POST, &prices).by(by).header("idempotency-key", "q").json(body).send().await
        };
        served.clock.advance_micros(7);
        let first = once(&dearer).await;
        served.clock.advance_micros(7);
        let back = post(&served, by, &prices, json!({"price": set.json()["price"]})).await;
        assert_eq!((&first.json()["version"], &back.json()["version"]), (&json!(2), &json!(3)));
        let again = once(&dearer).await;
        assert_eq!((again.header("idempotency-replayed"), again.json()), ("true", first.json()), "it is not set once more");
        assert_eq!(once(&json!({"price": set.json()["price"]})).await.refusal(), (422, "idempotency.key_reused".into()));
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

    async fn the_register_of_recipients_is_kept(db: Db) {
        let served = served(db).await;
        let by = "privacy_officer-stepped-up";
        let entry = json!({"name": "Acme Ltd.", "kind": "model_provider", "role": "processor", "country": "DE",
            "purposes": ["essential.service.ai_inference"], "contact": "privacy@acme.example"});
        let path = "/api/v1/recipients";
        assert_eq!(post(&served, "privacy_officer", path, entry.clone()).await.refusal(), (403, "access.step_up_required".into()));
        assert_eq!(post(&served, "admin-stepped-up", path, entry.clone()).await.status, 403);
        let made = post(&served, by, path, entry.clone()).await;
        assert_eq!(made.status, 201, "{}", String::from_utf8_lossy(&made.body));
        assert_eq!(post(&served, by, path, entry).await.refusal(), (409, "recipient.name_taken".into()));
        let one = format!("{path}/{}", id(&made));
        let proved = json!({"trains": "no", "retention_days": 30});
        assert_eq!(patch(&served, by, &one, proved).await.refusal(), (422, "recipient.invalid".into()));
        let proved = json!({"trains": "no", "retention_days": 30, "evidence_url": "https://acme.example/terms",
            "checked_at": "2023-11-10"});
        served.clock.advance_micros(7);
        let tagged = served.ask(Method::PATCH, &one).by(by).header("if-match", made.header("etag")).json(&proved).send().await;
        assert_eq!((tagged.status.as_u16(), &tagged.json()["retention_days"]), (200, &json!(30)));
        let stale = served.ask(Method::PATCH, &one).by(by).header("if-match", made.header("etag")).json(&json!({})).send().await;
        assert_eq!(stale.refusal(), (412, "request.changed".into()));
        let listed = async || served.get(path).by("auditor").send().await.json()["items"][0]["assumed"].clone();
        assert_eq!(listed().await, json!({"retention_days": 30, "trains": false, "is_current": true}));
        assert_eq!(patch(&served, by, &one, json!({"contact": null})).await.json()["contact"], json!(null));
        served.clock.advance_micros(91 * 86_400_000_000);
        assert_eq!(listed().await, json!({"retention_days": null, "trains": true, "is_current": false}));

        let provider = json!({"name": "acme", "dialect": "openai", "base_url": "https://api.acme.example"});
        let provider = id(&post(&served, "owner-stepped-up", "/api/v1/providers", provider).await);
        let missing = async || served.get("/api/v1/unregistered-recipients").by("auditor").send().await.json();
        assert_eq!(missing().await, json!({"providers": ["acme"], "kinds": []}));
        let tie = format!("{one}/providers/{provider}");
        assert_eq!(served.ask(Method::PUT, &tie).by(by).send().await.status, 204);
        assert_eq!(missing().await["providers"], json!([]));
        let shown = served.get(&format!("/api/v1/providers/{provider}")).by("admin").send().await.json();
        assert_eq!(shown["recipient"], made.json()["id"]);
        assert_eq!(served.ask(Method::DELETE, &one).by(by).send().await.refusal(), (409, "recipient.in_use".into()));
        assert_eq!(served.ask(Method::DELETE, &tie).by(by).send().await.status, 204);
        assert_eq!(served.ask(Method::DELETE, &tie).by(by).send().await.refusal(), (404, "recipient.not_found".into()));
        assert_eq!(served.ask(Method::DELETE, &one).by(by).send().await.status, 204);
    }

    async fn what_is_used_is_not_deleted_and_what_is_not_is(db: Db) {
        let served = served(db).await;
        let by = "owner-stepped-up";
        let made = async |path: &str, body: Value| {
            let got = post(&served, by, path, body).await;
            (format!("{path}/{}", id(&got)), got)
        };
        let delete = async |path: &str| served.ask(Method::DELETE, path).by(by).send().await;
        let refused = async |path: &str, code: &str, says: &str| {
            let got = delete(path).await;
            assert_eq!(got.refusal(), (409, code.to_owned()), "{path}");
            let detail = got.json()["detail"].as_str().unwrap().to_owned();
            assert!(detail.contains(says), "{detail}");
        };

        let (group, got) = made("/api/v1/groups", json!({"name": "gold", "multiplier": "1"})).await;
        let carla = post(&served, by, "/api/v1/accounts", json!({"name": "Carla", "group": "gold"})).await;
        refused(&group, "group.in_use", "accounts in the group: 1").await;
        let dora = post(&served, by, "/api/v1/accounts", json!({"name": "Dora", "group": "gold"})).await;
        refused(&group, "group.in_use", "accounts in the group: 2").await;
        let moved = json!({"group": "default"});
        for account in [&carla, &dora] {
            let account = format!("/api/v1/accounts/{}", id(account));
            assert_eq!(patch(&served, by, &account, moved.clone()).await.status, 200);
        }
        let stale = served.ask(Method::DELETE, &group).by(by).header("if-match", "\"0\"").send().await;
        assert_eq!(stale.refusal(), (412, "request.changed".into()));
        let current = served.ask(Method::DELETE, &group).by(by).header("if-match", got.header("etag")).send().await;
        assert_eq!(current.status, 204);
        assert_eq!(delete(&group).await.refusal(), (404, "group.not_found".into()));
        let all = served.get("/api/v1/groups").by(by).send().await.json();
        let default = all["items"].as_array().unwrap().iter().find(|group| group["name"] == "default").unwrap();
        refused(&format!("/api/v1/groups/{}", default["id"].as_str().unwrap()), "group.in_use", "registration.group").await;

        let acme = json!({"name": "acme", "dialect": "openai", "base_url": "https://api.acme.example"});
        let (provider, _) = made("/api/v1/providers", acme).await;
        let (model, _) = made("/api/v1/registered-models", json!({"name": "large"})).await;
        let main = json!({"name": "main", "provider": "acme", "models": [{"model": "large", "upstream_model": "large"}]});
        let (channel, got) = made("/api/v1/channels", main).await;
        assert_eq!(got.status, 201, "{}", String::from_utf8_lossy(&got.body));
        refused(&provider, "provider.in_use", "channels of the provider are there: main").await;
        refused(&model, "model.in_use", "channels serve the model: main").await;
        refused(&channel, "channel.in_use", "serves models: large").await;
        served.clock.advance_micros(7);
        assert_eq!(patch(&served, by, &channel, json!({"status": "disabled"})).await.status, 200);
        // A call that went over it, and one that only tried to.
        let uuid = |path: &str| path.rsplit('/').next().unwrap().parse::<tacit_kernel::ids::ChannelId>().unwrap();
        let call = super::crawl::person(&served).await.call;
        let (other, _) = made("/api/v1/channels", json!({"name": "spare", "provider": "acme"})).await;
        let (unused, _) = made("/api/v1/channels", json!({"name": "third", "provider": "acme"})).await;
        for (statement, over) in [(&CALL_OVER, &channel), (&ADD_ATTEMPT, &other)] {
            let row = &[call.into(), uuid(over).into()];
            let write = async |tx: &mut WriteTx<'_>| tx.execute(statement, row).await;
            let write = &write;
            let written: Result<u64, StorageError> = served.console.db.write("test.call", |tx| Box::pin(write(tx))).await;
            assert_eq!(written.unwrap(), 1);
            refused(over, "channel.in_use", "records of calls").await;
        }
        let told = served.told.load(Ordering::Relaxed);
        assert_eq!(delete(&unused).await.status, 204);
        assert_eq!(served.told.load(Ordering::Relaxed), told + 1);
        assert_eq!(served.get(&unused).by(by).send().await.refusal(), (404, "channel.not_found".into()));

        let (priced, _) = made("/api/v1/registered-models", json!({"name": "priced"})).await;
        let price = json!({"price": {"per_call": "0", "tiers": [{"above_input_tokens": 0, "input": "1", "output": "2"}]}});
        assert_eq!(post(&served, by, &format!("{priced}/prices"), price).await.status, 200);
        refused(&priced, "model.in_use", "has had a price").await;
        let (idle, _) = made("/api/v1/registered-models", json!({"name": "idle"})).await;
        assert_eq!(delete(&idle).await.status, 204);
        let (beta, _) = made("/api/v1/providers", json!({"name": "beta", "dialect": "openai", "base_url": "https://b.example"})).await;
        assert_eq!(served.ask(Method::DELETE, &beta).by("admin").send().await.refusal(), (403, "access.step_up_required".into()));
        assert_eq!(delete(&beta).await.status, 204);
        let log = served.get("/api/v1/audit/entries?action=provider.delete").by("auditor").send().await.json();
        assert_eq!(log["items"][0]["phase"], "done");
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

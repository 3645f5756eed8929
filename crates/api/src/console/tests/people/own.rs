//! What is people's own: the names and addresses of their account, and their invitations. And how much strangers may ask for.

use super::{NonZeroU32, Town, token_of};
use axum::http::Method;
use serde_json::json;
use tacit_storage::{Db, both_engines};

both_engines! {
    async fn names_and_addresses_are_their_owners_to_change(db: Db) {
        let town = Town::new(db).await;
        let token = town.register("eve").await;
        let name = async |to: &str| town.send(Method::PUT, "/api/v1/account/name", Some(&token), Some(json!({ "name": to }))).await;
        for (to, status, code) in [("ＡＮＮ", 409, "account.name_taken"), ("a@b.example", 422, "registration.field"), ("", 422, "account.name_invalid")] {
            let refused = name(to).await;
            assert_eq!((refused.refusal(), refused.json()["field"].clone()), ((status, code.into()), json!("name")), "{to}");
        }
        assert_eq!(name("Evelyn").await.status, 204);
        assert_eq!(town.send(Method::GET, "/api/v1/account", Some(&token), None).await.json()["name"], "Evelyn");
        let letters = town.letters("eve@example.org", 2).await;
        assert!(letters[0].text.contains("user name"), "{}", letters[0].text);
        let about = tacit_storage::audit::Filter::default();
        let entries = town.served.console.audit.list(&about, None, 500).await.unwrap();
        assert!(entries.iter().any(|entry| entry.kept.action == "name.change"));

        let gone = |kind: &str| format!("/api/v1/account/contacts/{kind}");
        let remove = async |kind: &str| town.send(Method::DELETE, &gone(kind), Some(&token), None).await;
        assert_eq!(remove("fax").await.refusal(), (404, "request.reference".into()));
        assert_eq!(remove("email").await.refusal(), (422, "registration.field".into()), "this operator requires it");
        assert_eq!(remove("phone").await.refusal(), (404, "contact.not_found".into()), "there is none");
    }

    async fn invitations_are_seen_and_withdrawn_and_tell_who_invited(db: Db) {
        let town = Town::new(db).await;
        let (eve, zoe) = (town.register("eve").await, town.register("zoe").await);
        let made = town.send(Method::POST, "/api/v1/invitations", Some(&eve), None).await.json();
        let open = town.send(Method::POST, "/api/v1/invitations", Some(&eve), None).await.json();
        let code = town.code("register", "ben@example.org").await;
        let body = json!({
            "age": "adult", "invitation": made["code"], "email": { "value": "ben@example.org", "code": code },
        });
        let ben = town.post("/api/v1/registration", None, body).await;
        let (account, ben) = (ben.json()["account"].as_str().unwrap().to_owned(), token_of(&ben));
        let by = &town.send(Method::GET, "/api/v1/account", Some(&ben), None).await.json()["profile"]["invited_by"];
        let own = town.send(Method::GET, "/api/v1/account", Some(&eve), None).await.json();
        assert_eq!(*by, json!({ "account": own["id"], "name": "e***", "email": "e***@example.org" }));
        assert_eq!(own["profile"]["invited_by"], json!(null));
        let staff = town.served.get(&format!("/api/v1/accounts/{account}")).by("owner").send().await.json();
        assert_eq!(staff["profile"]["invited_by"], *by, "staff sees it masked too");

        let listed = town.send(Method::GET, "/api/v1/invitations?limit=1", Some(&eve), None).await.json();
        assert!(listed["items"][0]["id"] == made["id"] && listed["items"][0]["used_at"].is_string());
        assert!(listed["items"][0].get("code").is_none());
        let path = format!("/api/v1/invitations?after={}", listed["next"].as_str().unwrap());
        let rest = town.send(Method::GET, &path, Some(&eve), None).await.json();
        assert_eq!((&rest["items"][0]["id"], rest["items"].as_array().unwrap().len()), (&open["id"], 1));
        let one = |id: &serde_json::Value| format!("/api/v1/invitations/{}", id.as_str().unwrap());
        for (token, id) in [(&zoe, &open["id"]), (&eve, &made["id"])] {
            let refused = town.send(Method::DELETE, &one(id), Some(token), None).await;
            assert_eq!(refused.refusal(), (404, "invitation.not_found".into()));
        }
        assert_eq!(town.send(Method::DELETE, &one(&open["id"]), Some(&eve), None).await.status, 204);
        let listed = town.send(Method::GET, "/api/v1/invitations", Some(&eve), None).await.json();
        assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    }

    async fn keys_that_a_scanner_found_are_reported_together_and_ended_keys_are_put_away(db: Db) {
        let town = Town::new(db).await;
        let (eve, zoe) = (town.register("eve").await, town.register("zoe").await);
        let make = async |token: &str, name: &str| {
            town.post("/api/v1/keys", Some(token), json!({ "name": name })).await.json()
        };
        let made = [make(&eve, "one").await, make(&eve, "two").await, make(&zoe, "three").await, make(&zoe, "kept").await];
        let secret = |n: usize| made[n]["secret"].as_str().unwrap().to_owned();
        let mut keys: Vec<String> = (0..97).map(|n| format!("sk-foreign-{n}")).collect();
        keys.extend([secret(0), secret(1), secret(2)]);
        let report = async |body| town.post("/api/v1/leaked-keys", None, body).await;
        for _ in 0..2 {
            let got = report(json!({ "keys": &keys })).await;
            assert_eq!((got.status.as_u16(), got.json()), (202, json!({ "received": 100 })), "whatever became of them");
        }
        let ended = async |token: &str| {
            let listed = town.send(Method::GET, "/api/v1/keys", Some(token), None).await.json();
            let items = listed["items"].as_array().unwrap().clone();
            items.iter().map(|key| (key["name"].clone(), key["ended"].clone())).collect::<Vec<_>>()
        };
        assert_eq!(ended(&eve).await, [(json!("one"), json!("leaked")), (json!("two"), json!("leaked"))]);
        assert_eq!(ended(&zoe).await, [(json!("three"), json!("leaked")), (json!("kept"), json!(null))]);
        for to in ["eve@example.org", "zoe@example.org"] {
            assert_eq!(town.letters(to, 2).await.len(), 2, "each is told once");
        }
        let filter = tacit_storage::audit::Filter::default();
        let entries = town.served.console.audit.list(&filter, None, 500).await.unwrap();
        let told: std::collections::BTreeSet<_> = entries.iter().map(|entry| &entry.kept)
            .filter(|kept| kept.action == "key.report" && kept.phase == "done").filter_map(|kept| kept.subject).collect();
        assert_eq!(told.len(), 2, "and it is written down for each");
        for wrong in [json!({}), json!({ "keys": [] }), json!({ "keys": vec!["x"; 101] }), json!({ "key": "x", "keys": ["x"] })] {
            assert_eq!(report(wrong).await.refusal(), (422, "leak.invalid".into()));
        }

        let retire = async |token: &str, n: usize| {
            let path = format!("/api/v1/keys/{}/retire", made[n]["key"]["id"].as_str().unwrap());
            town.send(Method::POST, &path, Some(token), None).await
        };
        assert_eq!(retire(&eve, 2).await.refusal(), (404, "key.not_found".into()));
        assert_eq!(retire(&zoe, 3).await.refusal(), (409, "key.in_use".into()));
        assert_eq!(retire(&eve, 0).await.status, 204);
        assert_eq!(ended(&eve).await, [(json!("two"), json!("leaked"))]);
        make(&eve, "one").await["secret"].as_str().unwrap();
    }

    async fn who_is_not_signed_in_asks_for_a_bounded_number_of_things_and_the_log_is_spared(db: Db) {
        const CROWD: u32 = 30;
        let town = Town::with(db, NonZeroU32::new(CROWD).unwrap()).await;
        let ask = async |address: &str, n: u32| {
            let asking = town.served.ask(Method::POST, "/api/v1/leaked-keys").header("x-forwarded-for", address);
            asking.json(&json!({ "key": format!("sk-nothing-{n}") })).send().await
        };
        let mut refused = 0;
        for n in 0..CROWD + 20 {
            let got = ask("203.0.113.9", n).await;
            // Guesses are slowed besides, and those are written down.
            if got.status.as_u16() == 429 && got.refusal().1 == "request.too_many" {
                assert!(got.header("retry-after").parse::<u64>().unwrap() >= 1);
                refused += 1;
            }
        }
        // The rate flows back while this goes on, the slower the machine the more.
        assert!((1..=20).contains(&refused), "{refused}");
        let filter = tacit_storage::audit::Filter::default();
        let mut entries = 0;
        let mut before = None;
        loop {
            let page = town.served.console.audit.list(&filter, before, 500).await.unwrap();
            entries += page.len();
            match page.last() {
                Some(last) => before = Some(last.kept.seq),
                None => break,
            }
        }
        let written = 2 * usize::try_from(CROWD + 20 - refused).unwrap();
        assert_eq!(entries, written, "what was refused left no entry");
        assert_eq!(ask("198.51.100.7", CROWD + 20).await.status.as_u16(), 202, "from elsewhere it goes on");
        assert_eq!(town.served.get("/api/v1/platform").header("x-forwarded-for", "203.0.113.9").send().await.status, 200);
    }
}

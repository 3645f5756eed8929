//! Own API keys: the first resource, which proves idempotency keys, entity tags and pages.

use super::*;
use serde_json::json;
use tacit_storage::both_engines;

async fn create(served: &Served, by: &str, body: &Value, idempotency_key: Option<&str>) -> Got {
    let asking = served.ask(Method::POST, "/api/v1/keys").by(by).json(body);
    match idempotency_key {
        Some(key) => asking.header("idempotency-key", key).send().await,
        None => asking.send().await,
    }
}

async fn count(served: &Served) -> usize {
    served.get("/api/v1/keys").by("ann").send().await.json()["items"].as_array().unwrap().len()
}

both_engines! {
    async fn a_key_from_its_making_to_its_end(db: Db) {
        let served = served(db).await;
        let limits = json!({"requests_per_minute": 5, "spend_per_day": "1.5", "ip_ranges": ["10.0.0.0/8"]});
        let made = create(&served, "ann", &json!({"name": "laptop", "limits": limits}), None).await;
        assert_eq!(made.status, 201);
        let created = made.json();
        assert!(created["secret"].as_str().unwrap().starts_with("sk-"));
        let path = format!("/api/v1/keys/{}", created["key"]["id"].as_str().unwrap());

        let shown = served.get(&path).by("ann").send().await;
        assert_eq!(shown.json(), created["key"]);
        assert_eq!(shown.header("etag"), made.header("etag"));
        assert_eq!(shown.json()["limits"], limits);
        assert!(!String::from_utf8_lossy(&shown.body).contains(created["secret"].as_str().unwrap()));

        // Somebody else's are not there.
        assert_eq!(served.get(&path).by("bob").send().await.refusal(), (404, "key.not_found".into()));
        for method in [Method::PATCH, Method::DELETE] {
            let got = served.ask(method, &path).by("bob").json(&json!({})).send().await;
            assert_eq!(got.refusal(), (404, "key.not_found".into()));
        }
        assert_eq!(served.get("/api/v1/keys").by("bob").send().await.json(), json!({"items": []}));

        let told = served.told.load(Ordering::Relaxed);
        served.clock.advance_micros(7);
        let patched = served.ask(Method::PATCH, &path).by("ann").json(&json!({"name": "desk"})).send().await;
        assert_eq!((patched.status.as_u16(), patched.json()["name"].as_str()), (200, Some("desk")));
        assert_eq!(patched.json()["limits"], limits, "what is absent stays");
        assert_eq!(served.told.load(Ordering::Relaxed), told + 1);

        let revoked = served.ask(Method::DELETE, &path).by("tm-ann").send().await;
        assert_eq!((revoked.status.as_u16(), revoked.body.len()), (204, 0));
        let after = served.get(&path).by("ann").send().await.json();
        assert_eq!((after["status"].as_str(), after["ended"].as_str()), (Some("disabled"), Some("revoked")));
        let again = served.ask(Method::PATCH, &path).by("ann").json(&json!({"status": "active"})).send().await;
        assert_eq!(again.refusal(), (409, "key.ended".into()));
    }

    async fn what_staff_did_to_a_key_its_owner_cannot_undo(db: Db) {
        let served = served(db).await;
        let made = create(&served, "ann", &json!({"name": "a"}), None).await.json();
        let id = made["key"]["id"].as_str().unwrap();
        let (own, staffs) = (format!("/api/v1/keys/{id}"), format!("/api/v1/accounts/{}/keys/{id}", served.ann));
        let patch = async |path: &str, by: &str, body: Value| {
            served.ask(Method::PATCH, path).by(by).json(&body).send().await
        };
        let (off, on) = (json!({"status": "disabled"}), json!({"status": "active"}));
        assert_eq!(patch(&own, "ann", off.clone()).await.json()["disabled_by"], "owner");
        assert_eq!(patch(&own, "ann", on.clone()).await.json()["disabled_by"], Value::Null);
        assert_eq!(patch(&staffs, "admin-stepped-up", off).await.json()["disabled_by"], "staff");
        assert_eq!(patch(&own, "ann", on.clone()).await.refusal(), (403, "key.held".into()));
        assert_eq!(served.get(&own).by("ann").send().await.json()["disabled_by"], "staff");
        assert_eq!(patch(&staffs, "admin-stepped-up", on).await.status, 200);
        let limits = json!({"limits": {"requests_per_minute": 1}});
        assert_eq!(patch(&staffs, "admin-stepped-up", limits).await.json()["limits_by"], "staff");
        assert_eq!(patch(&own, "ann", json!({"limits": {}})).await.refusal(), (403, "key.held".into()));
        assert_eq!(patch(&own, "ann", json!({"name": "b"})).await.status, 200);
    }

    async fn an_invitation_is_made_once(db: Db) {
        let served = served(db).await;
        let invite = async |by: &str, key: &str| {
            served.ask(Method::POST, "/api/v1/invitations").by(by).header("idempotency-key", key).send().await
        };
        let made = invite("ann", "k").await;
        assert_eq!(made.status, 201, "{}", String::from_utf8_lossy(&made.body));
        let again = invite("ann", "k").await;
        assert_eq!((again.header("idempotency-replayed"), again.json()), ("true", made.json()));
        for (by, key) in [("ann", "l"), ("bob", "k")] {
            assert_ne!(invite(by, key).await.json()["code"], made.json()["code"]);
        }
    }

    async fn a_name_is_taken_once(db: Db) {
        let served = served(db).await;
        assert_eq!(create(&served, "ann", &json!({"name": "a"}), None).await.status, 201);
        assert_eq!(create(&served, "ann", &json!({"name": "a"}), None).await.refusal(), (409, "key.name_taken".into()));
        assert_eq!(create(&served, "bob", &json!({"name": "a"}), None).await.status, 201);
        assert_eq!(create(&served, "ann", &json!({"name": ""}), None).await.refusal(), (422, "key.name_invalid".into()));
    }

    async fn what_was_changed_meanwhile_is_not_overwritten(db: Db) {
        let served = served(db).await;
        let made = create(&served, "ann", &json!({"name": "a"}), None).await;
        let path = format!("/api/v1/keys/{}", made.json()["key"]["id"].as_str().unwrap());
        let patch = async |tag: &str, name: &str| {
            served.clock.advance_micros(1);
            let asking = served.ask(Method::PATCH, &path).by("ann").header("if-match", tag);
            asking.json(&json!({"name": name})).send().await
        };
        let second = patch(made.header("etag"), "b").await;
        assert_eq!(second.status, 200);
        assert_ne!(second.header("etag"), made.header("etag"));
        assert_eq!(patch(made.header("etag"), "c").await.refusal(), (412, "request.changed".into()));
        assert_eq!(patch(&format!("W/{}", second.header("etag")), "c").await.status, 412, "a weak tag matches nothing");
        assert_eq!(served.get(&path).by("ann").send().await.json()["name"], "b");
        assert_eq!(patch(&format!("\"x\", {}", second.header("etag")), "d").await.status, 200);
        assert_eq!(patch("*", "e").await.status, 200);
        let stale = served.ask(Method::DELETE, &path).by("ann").header("if-match", made.header("etag")).send().await;
        assert_eq!(stale.status, 412);

        let now = served.get(&path).by("ann").send().await;
        let again = served.get(&path).by("ann").header("if-none-match", now.header("etag")).send().await;
        assert_eq!((again.status.as_u16(), again.body.len()), (304, 0));
        assert_eq!(again.header("etag"), now.header("etag"));
    }

    async fn the_same_request_creates_once(db: Db) {
        let served = served(db).await;
        let body = json!({"name": "a"});
        let first = create(&served, "ann", &body, Some("k-1")).await;
        let second = create(&served, "ann", &body, Some("k-1")).await;
        assert_eq!((first.status.as_u16(), second.status.as_u16()), (201, 201));
        assert_eq!(first.json(), second.json(), "the same answer, the secret too");
        assert_eq!((first.header("idempotency-replayed"), second.header("idempotency-replayed")), ("", "true"));
        assert_eq!(count(&served).await, 1);

        let other = create(&served, "ann", &json!({"name": "b"}), Some("k-1")).await;
        assert_eq!(other.refusal(), (422, "idempotency.key_reused".into()));
        // The key of one caller says nothing to another.
        let bobs = create(&served, "bob", &body, Some("k-1")).await;
        assert_ne!(bobs.json()["key"]["id"], first.json()["key"]["id"]);
        // What failed is not kept.
        assert_eq!(create(&served, "ann", &body, Some("k-2")).await.status, 409);
        assert_eq!(create(&served, "ann", &json!({"name": "c"}), Some("k-2")).await.status, 201);
        for bad in ["", &"x".repeat(256)] {
            let got = create(&served, "ann", &json!({"name": "d"}), Some(bad)).await;
            assert_eq!(got.refusal(), (422, "idempotency.key_invalid".into()));
        }

        // A day later it is forgotten.
        served.clock.advance_micros(24 * 3600 * 1_000_000);
        assert_eq!(create(&served, "ann", &body, Some("k-1")).await.header("idempotency-replayed"), "true");
        served.clock.advance_micros(1);
        assert_eq!(create(&served, "ann", &body, Some("k-1")).await.refusal(), (409, "key.name_taken".into()));
        assert_eq!(crate::console::sweep(&served.console.db, served.console.clock.now()).await.unwrap(), 3);
    }

    async fn at_the_same_time_it_creates_once_too(db: Db) {
        let served = served(db).await;
        let body = json!({"name": "a"});
        let all = (0..8).map(|_| create(&served, "ann", &body, Some("same")));
        let all = futures(all).await;
        let ids: std::collections::BTreeSet<_> = all.iter().map(|got| got.json()["key"]["id"].to_string()).collect();
        assert!(all.iter().all(|got| got.status == 201));
        assert_eq!((ids.len(), count(&served).await), (1, 1));
        assert_eq!(all.iter().filter(|got| got.header("idempotency-replayed").is_empty()).count(), 1);
    }

    async fn what_is_kept_tells_nothing(db: Db) {
        let served = served(db.clone()).await;
        let made = create(&served, "ann", &json!({"name": "a-name-to-find"}), Some("a-key-to-find")).await;
        const ROW: tacit_storage::Sql = tacit_storage::Sql::new(
            "SELECT key_hash, request_hash, answer_sealed FROM idempotency_keys",
        );
        let row: Result<_, tacit_storage::StorageError> =
            db.read("test.row", |tx| Box::pin(async move { tx.one(&ROW, &[]).await })).await;
        let row = row.unwrap().unwrap();
        let secret = made.json()["secret"].as_str().unwrap().to_owned();
        for column in ["key_hash", "request_hash", "answer_sealed"] {
            let bytes: Vec<u8> = row.get(column).unwrap();
            let text = String::from_utf8_lossy(&bytes);
            for needle in ["a-name-to-find", "a-key-to-find", &secret] {
                assert!(!text.contains(needle), "{column}");
            }
        }
    }

    async fn pages(db: Db) {
        let served = served(db).await;
        for name in ["a", "b", "c"] {
            served.clock.advance_micros(1_000);
            create(&served, "ann", &json!({"name": name}), None).await;
        }
        let (mut seen, mut after) = (Vec::new(), String::new());
        loop {
            let page = served.get(&format!("/api/v1/keys?limit=2{after}")).by("ann").send().await.json();
            seen.extend(page["items"].as_array().unwrap().iter().map(|key| key["name"].as_str().unwrap().to_owned()));
            match page["next"].as_str() {
                Some(next) => after = format!("&after={next}"),
                None => break,
            }
        }
        seen.sort();
        assert_eq!(seen, ["a", "b", "c"]);
        for (query, code) in
            [("limit=x", "request.query"), ("limit=-1", "request.query"), ("other=1", "request.query"), ("after=x", "request.page")]
        {
            let got = served.get(&format!("/api/v1/keys?{query}")).by("ann").send().await;
            assert_eq!(got.refusal(), (422, code.into()), "{query}");
        }
    }

    async fn what_a_member_puts_away_their_admin_and_staff_see(db: Db) {
        let served = served(db).await;
        let organisation = served.organisation().await;
        let keys = format!("/api/v1/organisations/{organisation}/keys");
        let made = served.ask(Method::POST, &keys).by("org-developer").json(&json!({"name": "own"})).send().await.json();
        let key = format!("{keys}/{}", made["key"]["id"].as_str().unwrap_or_else(|| panic!("{made}")));
        let put_away = async |by: &str| served.ask(Method::POST, &format!("{key}/retire")).by(by).send().await;
        assert_eq!(put_away("org-viewer").await.refusal(), (403, "access.denied".into()));
        assert_eq!(put_away("org-developer").await.refusal(), (409, "key.in_use".into()));
        // What staff disabled can be put away, and is not lost to staff.
        let staffs = format!("/api/v1/accounts/{organisation}/keys");
        let disable = json!({"status": "disabled", "reason": "it is everywhere"});
        let disabled = served.ask(Method::PATCH, &key.replace(&keys, &staffs)).by("risk-stepped-up").json(&disable).send().await;
        assert_eq!(disabled.status, 200, "{}", String::from_utf8_lossy(&disabled.body));
        for _ in 0..2 {
            assert_eq!(put_away("org-developer").await.status, 204);
        }
        let seen = async |by: &str, path: &str| {
            let page = served.get(path).by(by).send().await.json();
            let said = |key: &Value| (key["disabled_by"].clone(), key["ended"].clone(), key["retired_at"].is_string());
            page["items"].as_array().unwrap_or_else(|| panic!("{by} {path}: {page}")).iter().map(said).collect::<Vec<_>>()
        };
        let away = [(json!("staff"), json!("revoked"), true)];
        let all = format!("{keys}?retired=true");
        for by in ["org-developer", "org-admin"] {
            assert!(seen(by, &keys).await.is_empty(), "{by}");
            assert_eq!(seen(by, &all).await, away, "{by}");
        }
        assert_eq!(seen("risk-stepped-up", &staffs).await, away);
        let again = served.ask(Method::POST, &keys).by("org-developer").json(&json!({"name": "own"})).send().await;
        assert_eq!(again.status, 201, "its name is free");
        let back = served.ask(Method::PATCH, &key).by("org-admin").json(&json!({"status": "active"})).send().await;
        assert_eq!(back.refusal(), (409, "key.ended".into()));
    }
}

/// All of them at the same time.
async fn futures<F: Future<Output = Got>>(all: impl Iterator<Item = F>) -> Vec<Got> {
    let mut all: Vec<_> = all.map(|one| (Box::pin(one), None)).collect();
    std::future::poll_fn(|cx| {
        let mut open = false;
        for (one, got) in &mut all {
            if got.is_none() {
                match one.as_mut().poll(cx) {
                    std::task::Poll::Ready(done) => *got = Some(done),
                    std::task::Poll::Pending => open = true,
                }
            }
        }
        if open { std::task::Poll::Pending } else { std::task::Poll::Ready(()) }
    })
    .await;
    all.into_iter().map(|(_, got)| got.unwrap()).collect()
}

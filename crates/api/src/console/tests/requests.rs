//! What holds for every request: headers, other sites, bodies, cookies, and that nothing sent is quoted.

use super::*;
use serde_json::json;
use tacit_storage::Engine;

/// Something that no answer may hold.
const CANARY: &str = "zx81-canary";

fn on_sqlite<F: Future<Output = ()>>(test: impl FnOnce(Served) -> F) {
    testing::run(Engine::Sqlite, async |db| test(served(db).await).await);
}

#[test]
fn every_answer_has_strict_headers() {
    on_sqlite(async |served| {
        let refused = served.ask(Method::POST, "/api/v1/keys").header("sec-fetch-site", "cross-site").by("ann");
        for got in [
            served.get("/api/v1/platform").send().await,
            served.get("/nowhere").send().await,
            served.get("/api/v1/me").send().await,
            served.ask(Method::PUT, "/api/v1/me").by("ann").send().await,
            refused.send().await,
        ] {
            assert!(got.header("content-security-policy").starts_with("default-src 'none';"), "{}", got.status);
            assert_eq!(got.header("x-content-type-options"), "nosniff");
            assert_eq!(got.header("referrer-policy"), "no-referrer");
            assert_eq!(got.header("cross-origin-resource-policy"), "same-origin");
            assert_eq!(got.header("cross-origin-opener-policy"), "same-origin");
            assert_eq!(got.header("cache-control"), "no-store");
            assert_eq!(got.header("strict-transport-security"), "", "not over plain HTTP");
        }
        let got = served.get("/api/v1/platform").header("x-forwarded-proto", "https").send().await;
        assert!(got.header("strict-transport-security").starts_with("max-age="));
    });
}

#[test]
fn other_sites_change_nothing() {
    on_sqlite(async |served| {
        let body = json!({"name": "a"});
        let ask = || served.ask(Method::POST, "/api/v1/keys").by("ann").json(&body);
        for (name, value) in [
            ("sec-fetch-site", "cross-site"),
            ("sec-fetch-site", "same-site"),
            ("sec-fetch-site", "anything"),
            ("origin", "https://evil.example"),
            ("origin", "null"),
        ] {
            assert_eq!(ask().header(name, value).send().await.refusal(), (403, "request.cross_site".into()), "{value}");
        }
        let kinds = ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "text/json", ""];
        for kind in kinds {
            let asking = served.ask(Method::POST, "/api/v1/keys").by("ann").header("content-type", kind);
            assert_eq!(asking.raw(b"{}").send().await.refusal(), (415, "request.media_type".into()), "{kind}");
        }
        let revoking = served.ask(Method::DELETE, "/api/v1/keys/x").by("ann").header("content-type", "text/plain");
        assert_eq!(revoking.send().await.refusal(), (415, "request.media_type".into()), "where no body is read, too");
        let bare = served.ask(Method::POST, "/api/v1/keys").by("ann").raw(b"{\"name\":\"a\"}").send().await;
        assert_eq!(bare.refusal(), (415, "request.media_type".into()));
        let keys = served.get("/api/v1/keys").by("ann").send().await;
        assert_eq!(keys.json(), json!({"items": []}), "nothing was made");
        // From our own pages, and from programs.
        assert_eq!(ask().header("sec-fetch-site", "same-origin").send().await.status, 201);
        let other = json!({"name": "b"});
        let asking = served.ask(Method::POST, "/api/v1/keys").by("ann").json(&other);
        assert_eq!(asking.header("origin", "https://tacit.example").send().await.status, 201);
        // Reading is no matter: the answer is for nobody else to see.
        let read = served.get("/api/v1/keys").by("ann").header("sec-fetch-site", "cross-site").send().await;
        assert_eq!((read.status.as_u16(), read.header("access-control-allow-origin")), (200, ""));
    });
}

#[test]
fn a_wrong_field_is_named_and_nothing_is_quoted() {
    on_sqlite(async |served| {
        for (body, field) in [
            (json!({"name": "a", CANARY: 1}), None),
            (json!({"name": "a", "limits": {CANARY: 1}}), Some("limits")),
            (json!({"name": "a", "limits": {"spend_per_day": CANARY}}), Some("limits.spend_per_day")),
            (json!({"name": "a", "limits": {"models": ["m", {CANARY: CANARY}]}}), Some("limits.models[1]")),
            (json!({"name": {CANARY: CANARY}}), Some("name")),
            (json!({}), Some("name")),
            (json!(CANARY), None),
            (json!([CANARY]), None),
            (json!(null), None),
        ] {
            let got = served.ask(Method::POST, "/api/v1/keys").by("ann").json(&body).send().await;
            assert_eq!(got.refusal(), (422, "request.invalid".into()), "{body}");
            assert_eq!(got.json().get("field").and_then(Value::as_str), field, "{body}");
            assert!(!String::from_utf8_lossy(&got.body).contains(CANARY), "{body}");
        }
        for (raw, code) in
            [(&b"{"[..], 422), (b"", 422), (b"{} {}", 422), (b"\xff\xfe", 422), (b"{\"name\":\"\xff\"}", 422)]
        {
            let asking = served.ask(Method::POST, "/api/v1/keys").by("ann").header("content-type", "application/json");
            assert_eq!(asking.raw(raw).send().await.status.as_u16(), code);
        }
        let query = served.get(&format!("/api/v1/keys?{CANARY}={CANARY}&limit={CANARY}")).by("ann").send().await;
        assert_eq!(query.status, 422);
        assert!(!String::from_utf8_lossy(&query.body).contains(CANARY));
        for path in ["/api/v1/keys/", "/"] {
            let got = served.get(&format!("{path}{CANARY}")).by("ann").send().await;
            assert_eq!(got.status, 404);
            assert!(!String::from_utf8_lossy(&got.body).contains(CANARY));
        }
    });
}

tacit_storage::both_engines! {
    async fn no_text_has_the_character_that_postgresql_cannot_keep(db: Db) {
        let served = served(db).await;
        for query in ["/api/v1/calls?model=a%00b", "/api/v1/keys?after=%00"] {
            assert_eq!(served.get(query).by("ann").send().await.refusal(), (422, "request.query".into()), "{query}");
        }
        for body in [json!({"name": "a\0"}), json!({"name": "a", "\0": 1})] {
            let got = served.ask(Method::POST, "/api/v1/keys").by("ann").json(&body).send().await;
            assert_eq!(got.refusal(), (422, "request.invalid".into()));
            assert!(got.json()["detail"].as_str().unwrap().contains("U+0000"));
        }
        let role = served.ask(Method::DELETE, "/api/v1/roles/a%00b").by("owner-stepped-up").send().await;
        assert_eq!(role.refusal().0, 404);
        // What looks like it is none: a backslash, and letters.
        let asking = served.ask(Method::POST, "/api/v1/keys").by("ann").json(&json!({"name": "\\u0000"}));
        assert_eq!(asking.send().await.status, 201);
    }
}

#[test]
fn a_body_has_a_bound() {
    on_sqlite(async |served| {
        let large = json!({"name": "x".repeat(crate::console::BODY_MAX)});
        let got = served.ask(Method::POST, "/api/v1/keys").by("ann").json(&large).send().await;
        assert_eq!(got.refusal(), (413, "request.too_large".into()));
    });
}

#[test]
fn what_nobody_is_known_by_counts_for_the_address_and_an_account_has_a_rate() {
    let few = NonZeroU32::new(3).unwrap();
    testing::run(tacit_storage::Engine::Sqlite, async |db| {
        let served = served_with(db, Wishes { crowd: few, ..Wishes::default() }).await;
        let asked = async |token: &str| served.get("/api/v1/me").by(token).send().await;
        assert_eq!(asked("ann").await.status.as_u16(), 200);
        // Cookies and keys together; each would be a look into the database.
        for token in ["bogus", "tm-bogus"] {
            assert_eq!(asked(token).await.refusal(), (401, "access.unauthenticated".into()));
        }
        for token in ["bogus", "tm-bogus", "another", "bob"] {
            let refused = asked(token).await;
            assert_eq!(refused.refusal(), (429, "request.too_many".into()), "{token}");
            assert!(!refused.header("retry-after").is_empty());
        }
        for _ in 0..5 {
            assert_eq!(asked("ann").await.status.as_u16(), 200, "who was recognised is not in the crowd");
        }
    });
    testing::run(tacit_storage::Engine::Sqlite, async |db| {
        let served = served_with(db, Wishes { account: few, ..Wishes::default() }).await;
        let mut answers = Vec::new();
        // By whatever it shows.
        for token in ["ann", "tm-ann", "tm-ann-bare", "ann", "tm-ann", "bob"] {
            answers.push(served.get("/api/v1/me").by(token).send().await.status.as_u16());
        }
        assert_eq!(answers, [200, 200, 200, 429, 429, 200]);
    });
}

#[test]
fn what_a_caller_shows() {
    on_sqlite(async |served| {
        let me = served.get("/api/v1/me").by("ann").send().await.json();
        assert_eq!(
            me,
            json!({"account": served.ann, "via": "session", "scopes": null, "permissions": [], "stepped_up": false})
        );
        assert_eq!(served.get("/api/v1/me").by("tm-ann").send().await.json()["via"], "management_key");
        // An Authorization counts instead of the cookie; what is no management key is nobody.
        for (name, value) in [
            ("authorization", "Bearer sk-ann"),
            ("authorization", "Basic dG0tYW5uOg=="),
            ("authorization", "tm-ann"),
            ("authorization", "Bearer tm-other"),
        ] {
            let got = served.get("/api/v1/me").by("ann").header(name, value).send().await;
            assert_eq!(got.refusal(), (401, "access.unauthenticated".into()), "{value}");
        }
        for cookie in
            ["tacit-session=ann", "__Host-tacit-session=", "__Host-tacit-session=ann; __Host-tacit-session=bob"]
        {
            let got = served.get("/api/v1/me").header("cookie", cookie).send().await;
            assert_eq!(got.status, 401, "{cookie}");
        }
    });
}

#[test]
fn cookies() {
    let secure = Cookies::Secure.set_session("t0ken", Some(60)).unwrap();
    assert_eq!(secure, "__Host-tacit-session=t0ken; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=60");
    let plain = Cookies::PlainForDevelopment.set_session("t0ken", None).unwrap();
    assert_eq!(plain, "tacit-session=t0ken; HttpOnly; SameSite=Lax; Path=/");
    let clear = Cookies::Secure.clear_session().unwrap();
    assert!(clear.to_str().unwrap().ends_with("Max-Age=0"));
}

#[test]
fn public_routes() {
    on_sqlite(async |served| {
        let platform = served.get("/api/v1/platform").send().await.json();
        assert_eq!((&platform["name"], &platform["currency"]), (&json!("Test"), &json!("USD")));
        let fields = platform["registration"]["fields"].as_array().unwrap().len();
        assert_eq!((&platform["registration"]["open"], fields), (&json!(true), 4));
        let document = served.get("/api/v1/openapi.json").send().await.json();
        assert_eq!(document, serde_json::to_value(crate::console::document()).unwrap());
        let roles = served.get("/api/v1/roles").by("auditor").send().await.json();
        assert_eq!(roles["items"].as_array().unwrap().len(), BuiltInRole::ALL.len());

        let catalog = &served.console.catalog;
        for name in ["priced", "unpriced", "off"] {
            let spec = tacit_catalog::ModelSpec { enabled: name != "off", ..Default::default() };
            let model = catalog.model_put(name, &spec).await.unwrap().value;
            if name != "unpriced" {
                let price = serde_json::from_value(
                    json!({"tiers": [{"above_input_tokens": 0, "input": "1", "output": "2.5"}]}),
                );
                catalog.price_put(model.id, &price.unwrap(), None).await.unwrap();
            }
        }
        let got = served.get("/api/v1/models").send().await;
        let models = got.json();
        assert_eq!(models["items"].as_array().unwrap().len(), 1);
        assert_eq!(models["items"][0]["name"], "priced");
        assert_eq!(models["items"][0]["price"]["tiers"][0]["output"], "2.5");
        let again = served.get("/api/v1/models").header("if-none-match", got.header("etag")).send().await;
        assert_eq!(again.status, 304);
    });
}

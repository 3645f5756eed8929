//! What people do, over a real socket, with the codes that are in the development outbox.

mod own;

use super::{Got, Served, Wishes, served_with};
use axum::http::Method;
use serde_json::{Value, json};
use std::num::NonZeroU32;
use tacit_identity::roles::Acting;
use tacit_operations::messages::{KeptContent, delivery};
use tacit_storage::{Db, Page, both_engines};
use tokio_util::sync::CancellationToken;

const MINUTE: i64 = 60_000_000;
/// Keeps a write open, on both engines: the log of changes takes one entry after another.
const TOUCH: tacit_storage::Sql = tacit_storage::Sql::new("UPDATE accounts SET updated_at = updated_at");

/// People who use a console. What is written to them is kept to be read.
struct Town {
    served: Served,
    /// The cookie of the device that everybody uses.
    device: std::sync::OnceLock<String>,
    _stop: tokio_util::sync::DropGuard,
}

impl Town {
    async fn new(db: Db) -> Self {
        Self::with(db, NonZeroU32::MAX).await
    }

    /// So many requests a minute of one address that is not signed in.
    async fn with(db: Db, crowd: NonZeroU32) -> Self {
        let served = served_with(db, Wishes { crowd, ..Wishes::default() }).await;
        let stop = CancellationToken::new();
        tokio::spawn(delivery::run(served.console.messages.clone(), stop.clone()));
        Self { served, device: std::sync::OnceLock::new(), _stop: stop.drop_guard() }
    }

    async fn post(&self, path: &str, token: Option<&str>, body: Value) -> Got {
        self.send(Method::POST, path, token, Some(body)).await
    }

    async fn send(&self, method: Method, path: &str, token: Option<&str>, body: Option<Value>) -> Got {
        let mut asking = self.served.ask(method, path).header("user-agent", "Firefox on Linux");
        asking = asking.header("x-forwarded-for", "198.51.100.7").header("sec-fetch-site", "same-origin");
        if let Some(token) = token {
            asking = asking.by(token);
        }
        if let Some(device) = self.device.get() {
            asking = asking.header("cookie", device);
        }
        match body {
            Some(body) => asking.json(&body).send().await,
            None => asking.send().await,
        }
    }

    /// What was written to that address, newest first, once there is so much.
    async fn letters(&self, to: &str, at_least: usize) -> Vec<KeptContent> {
        for _ in 0..400 {
            let kept = self.served.console.messages.kept_list(Page::default()).await.unwrap().items;
            let letters: Vec<_> = kept.into_iter().filter_map(|kept| kept.content).filter(|c| c.to == to).collect();
            if letters.len() >= at_least {
                return letters;
            }
            tokio::time::sleep(std::time::Duration::from_millis(25)).await;
        }
        panic!("{at_least} letters did not arrive");
    }

    /// The newest code that was sent to that address.
    async fn code(&self, purpose: &str, to: &str) -> String {
        self.code_for(None, purpose, to).await
    }

    /// The same, asked for by who is signed in.
    async fn code_for(&self, token: Option<&str>, purpose: &str, to: &str) -> String {
        let before = self.letters(to, 0).await.len();
        let asked = self.post("/api/v1/codes", token, json!({ "purpose": purpose, "to": { "email": to } })).await;
        assert_eq!((asked.status.as_u16(), asked.json()), (202, json!({ "expires_in_seconds": 600 })));
        let letters = self.letters(to, before + 1).await;
        let digits = |word: &&str| word.len() == 6 && word.bytes().all(|b| b.is_ascii_digit());
        let text = &letters[0].text;
        text.split(|c: char| !c.is_ascii_alphanumeric()).find(digits).unwrap_or_else(|| panic!("{text}")).to_owned()
    }

    /// Registers with that address and the password; gives the token.
    async fn register(&self, name: &str) -> String {
        let to = format!("{name}@example.org");
        let code = self.code("register", &to).await;
        let body = json!({
            "username": name, "password": "correct horse", "age": "adult", "email": { "value": to, "code": code },
        });
        let got = self.post("/api/v1/registration", None, body).await;
        assert_eq!(got.status.as_u16(), 201, "{}", String::from_utf8_lossy(&got.body));
        if let Some(device) = device_of(&got) {
            self.device.get_or_init(|| device);
        }
        token_of(&got)
    }
}

/// The token that an answer gives, in a cookie that no other host or script can read.
fn token_of(got: &Got) -> String {
    let cookie = got.header("set-cookie");
    let (value, rest) = cookie.strip_prefix("__Host-tacit-session=").unwrap().split_once(';').unwrap();
    for attribute in ["HttpOnly", "Secure", "SameSite=Lax", "Path=/"] {
        assert!(rest.contains(attribute), "{cookie}");
    }
    value.to_owned()
}

/// The cookie by which a device is known, if an answer gives one.
fn device_of(got: &Got) -> Option<String> {
    let cookies = got.headers.get_all("set-cookie").iter().filter_map(|value| value.to_str().ok());
    let cookie = cookies.into_iter().find(|cookie| cookie.starts_with("__Host-tacit-device="))?;
    for attribute in ["HttpOnly", "Secure", "SameSite=Lax", "Path=/", "Max-Age=15552000"] {
        assert!(cookie.contains(attribute), "{cookie}");
    }
    Some(cookie.split(';').next()?.to_owned())
}

both_engines! {
    async fn a_sign_in_from_a_new_device_is_told_about(db: Db) {
        let town = Town::new(db).await;
        town.register("eve").await;
        let body = json!({ "who": "eve", "password": "correct horse" });
        let again = town.post("/api/v1/sign-in/password", None, body.clone()).await;
        assert_eq!((again.status.as_u16(), device_of(&again)), (200, None), "it is known");
        let elsewhere = town.served.ask(Method::POST, "/api/v1/sign-in/password").header("user-agent", "Safari on iPhone")
            .header("x-forwarded-for", "203.0.113.9").json(&body).send().await;
        let device = device_of(&elsewhere).unwrap();
        let letters = town.letters("eve@example.org", 2).await;
        assert!(letters[0].text.contains("Safari on iPhone") && letters[0].text.contains("203.0.113.9"), "{}", letters[0].text);
        assert_eq!(letters.len(), 2, "and the sign-in before was not");
        let known = town.served.ask(Method::POST, "/api/v1/sign-in/password").header("cookie", &device)
            .header("x-forwarded-for", "203.0.113.9").json(&body).send().await;
        assert_eq!((known.status.as_u16(), device_of(&known)), (200, None));
        assert_eq!(town.letters("eve@example.org", 2).await.len(), 2);
    }

    async fn somebody_registers_and_signs_in_again(db: Db) {
        let town = Town::new(db).await;
        let asked = town.served.get("/api/v1/platform").send().await.json();
        assert_eq!(asked["registration"]["fields"][1], json!({ "field": "email", "required": true }));
        let token = town.register("eve").await;
        let account = town.send(Method::GET, "/api/v1/account", Some(&token), None).await.json();
        assert_eq!((&account["name"], &account["contacts"][0]["value"]), (&json!("eve"), &json!("eve@example.org")));
        assert_eq!((&account["profile"]["age"], &account["roles"]), (&json!("adult"), &json!([])));

        let out = town.send(Method::POST, "/api/v1/sign-out", Some(&token), None).await;
        assert!(out.status.as_u16() == 204 && out.header("set-cookie").contains("Max-Age=0"));
        assert_eq!(town.send(Method::GET, "/api/v1/account", Some(&token), None).await.status.as_u16(), 401);

        for (who, password) in [("eve", "wrong horse"), ("nobody", "correct horse")] {
            let refused = town.post("/api/v1/sign-in/password", None, json!({ "who": who, "password": password })).await;
            assert_eq!(refused.refusal(), (401, "sign_in.failed".into()));
            assert_eq!(refused.header("set-cookie"), "");
        }
        let body = json!({ "who": "eve@example.org", "password": "correct horse" });
        let got = town.post("/api/v1/sign-in/password", None, body).await;
        assert_eq!(got.json()["complete"], true);
        let code = town.code("sign_in", "eve@example.org").await;
        let body = json!({ "to": { "email": "eve@example.org" }, "code": code });
        let second = token_of(&town.post("/api/v1/sign-in/code", None, body).await);
        let sessions = town.send(Method::GET, "/api/v1/sessions", Some(&second), None).await.json();
        let seen: Vec<_> = sessions["items"].as_array().unwrap().iter().map(|s| (&s["method"], &s["current"])).collect();
        assert_eq!(seen, [(&json!("password"), &json!(false)), (&json!("code"), &json!(true))]);
        assert_eq!(sessions["items"][0]["address"], "198.51.100.7");
        let ended = town.send(Method::DELETE, "/api/v1/sessions", Some(&second), None).await.json();
        assert_eq!(ended, json!({ "ended": 1 }));
    }

    async fn codes_that_are_good_for_nothing_are_not_sent(db: Db) {
        let town = Town::new(db).await;
        let token = town.register("eve").await;
        let ask = async |token: Option<&str>, purpose: &str, to: Value| {
            town.post("/api/v1/codes", token, json!({ "purpose": purpose, "to": to })).await
        };
        let phone = ask(None, "register", json!({ "phone": "+8613800138000" })).await;
        assert_eq!(phone.refusal(), (422, "registration.field".into()), "nobody is asked for one");
        for purpose in ["contact_change", "step_up"] {
            assert_eq!(ask(None, purpose, json!({ "email": "eve@example.org" })).await.status, 401);
        }
        // Somebody else's address: the answer is the same, and nothing is sent.
        town.register("ben").await;
        let letters = town.letters("ben@example.org", 1).await.len();
        assert_eq!(ask(Some(&token), "step_up", json!({ "email": "ben@example.org" })).await.status, 202);
        assert!(!town.code_for(Some(&token), "step_up", "eve@example.org").await.is_empty());
        assert_eq!(town.letters("ben@example.org", letters).await.len(), letters);
    }

    async fn nobody_learns_who_has_an_account(db: Db) {
        let town = Town::new(db).await;
        town.register("eve").await;
        town.served.clock.advance_micros(60 * MINUTE);
        for (round, purpose) in ["sign_in", "password_reset", "register"].into_iter().enumerate() {
            for (to, letters) in [("eve@example.org", round + 2), ("nobody@example.org", round / 2)] {
                let got = town.post("/api/v1/codes", None, json!({ "purpose": purpose, "to": { "email": to } })).await;
                assert_eq!((got.status.as_u16(), got.json()), (202, json!({ "expires_in_seconds": 600 })));
                assert_eq!(town.letters(to, letters).await.len(), letters, "{purpose} to {to}");
                town.served.clock.advance_micros(300 * MINUTE);
            }
        }
        // Nobody is written to but for registering; the owner is told that somebody tried.
        let letters = town.letters("eve@example.org", 4).await;
        assert!(letters[0].text.contains("Somebody asked to register"), "{}", letters[0].text);
        let bad = town.post("/api/v1/codes", None, json!({ "purpose": "sign_in", "to": { "email": "x" } })).await;
        assert_eq!((bad.refusal(), bad.json()["field"].clone()), ((422, "contact.invalid".into()), json!("email")));
    }

    async fn what_is_sensitive_asks_once_more_who_is_there(db: Db) {
        let town = Town::new(db).await;
        let token = town.register("eve").await;
        town.served.clock.advance_micros(11 * MINUTE);
        let new = json!({ "password": "battery staple" });
        let early = town.send(Method::PUT, "/api/v1/account/password", Some(&token), Some(new.clone())).await;
        assert_eq!(early.refusal(), (403, "access.step_up_required".into()));
        let wrong = town.post("/api/v1/step-up", Some(&token), json!({ "password": "wrong horse" })).await;
        assert_eq!(wrong.refusal(), (422, "step_up.proof_wrong".into()));
        let shown = town.post("/api/v1/step-up", Some(&token), json!({ "password": "correct horse" })).await;
        let raised = token_of(&shown);
        assert_eq!(town.send(Method::GET, "/api/v1/me", Some(&token), None).await.status.as_u16(), 401);
        let done = town.send(Method::PUT, "/api/v1/account/password", Some(&raised), Some(new)).await;
        assert_eq!(done.status.as_u16(), 204);
        assert_eq!(town.send(Method::GET, "/api/v1/me", Some(&raised), None).await.status, 401, "the token was changed");
        let raised = token_of(&done);
        let letters = town.letters("eve@example.org", 2).await;
        assert!(letters[0].text.to_lowercase().contains("password"), "its owner is told: {}", letters[0].text);
        let nobody = json!({ "purpose": "contact_change", "to": { "email": "eve@new.example" } });
        assert_eq!(town.post("/api/v1/codes", None, nobody).await.status, 401);
        let code = town.code_for(Some(&raised), "contact_change", "eve@new.example").await;
        let body = json!({ "to": { "email": "eve@new.example" }, "code": code });
        let moved = town.send(Method::PUT, "/api/v1/account/contacts", Some(&raised), Some(body)).await;
        assert_eq!(moved.status.as_u16(), 204);
        assert_eq!(town.letters("eve@example.org", 3).await.len(), 3, "the old address is told");
        let profile = json!({ "fields": { "company": "Acme" }, "language": "zh" });
        let refused = town.send(Method::PUT, "/api/v1/account/profile", Some(&raised), Some(profile)).await;
        assert_eq!(refused.json()["field"], "fields.company", "this operator does not ask for it");
    }

    async fn a_second_factor_stands_between_the_password_and_the_account(db: Db) {
        let town = Town::new(db).await;
        let token = town.register("eve").await;
        let begun = town.send(Method::POST, "/api/v1/second-factor", Some(&token), None).await;
        let secret = begun.json()["secret"].as_str().unwrap().to_owned();
        let shows = || {
            let seconds = u64::try_from(tacit_kernel::Clock::now(&*town.served.clock).0 / 1_000_000).unwrap();
            let secret = totp_rs::Secret::try_from_base32(&secret).unwrap();
            let app = totp_rs::Builder::new().with_secret(secret).build().unwrap();
            app.generate(seconds).to_string()
        };
        let confirmed = town.post("/api/v1/second-factor/confirm", Some(&token), json!({ "totp": shows() })).await;
        assert_eq!(town.send(Method::GET, "/api/v1/me", Some(&token), None).await.status, 401, "the token was changed");
        assert_eq!(town.send(Method::GET, "/api/v1/me", Some(&token_of(&confirmed)), None).await.status, 200);
        let recovery = confirmed.json()["codes"][0].as_str().unwrap().to_owned();
        let body = json!({ "who": "eve", "password": "correct horse" });
        let half = town.post("/api/v1/sign-in/password", None, body).await;
        assert_eq!(half.json()["complete"], false);
        let half = token_of(&half);
        for path in ["/api/v1/me", "/api/v1/account", "/api/v1/sessions"] {
            let got = town.send(Method::GET, path, Some(&half), None).await;
            assert_eq!(got.refusal(), (401, "access.unauthenticated".into()), "{path}");
        }
        let both = json!({ "totp": "000000", "recovery": "x" });
        assert_eq!(town.post("/api/v1/sign-in/second-factor", Some(&half), both).await.status.as_u16(), 422);
        town.served.clock.advance_micros(MINUTE / 2);
        let whole = town.post("/api/v1/sign-in/second-factor", Some(&half), json!({ "totp": shows() })).await;
        assert_eq!(whole.json()["complete"], true);
        let whole = token_of(&whole);
        assert_eq!(town.send(Method::GET, "/api/v1/account", Some(&whole), None).await.json()["recovery_codes"], 10);
        town.served.clock.advance_micros(11 * MINUTE);
        let password = town.post("/api/v1/step-up", Some(&whole), json!({ "password": "correct horse" })).await;
        assert_eq!(password.refusal(), (422, "step_up.proof_wrong".into()));
        let raised = town.post("/api/v1/step-up", Some(&whole), json!({ "recovery": recovery })).await;
        let raised = token_of(&raised);
        let gone = town.send(Method::DELETE, "/api/v1/second-factor", Some(&raised), None).await;
        assert_eq!(gone.status.as_u16(), 204);
        assert_eq!(town.send(Method::GET, "/api/v1/me", Some(&raised), None).await.status, 401, "the token was changed");
        assert_eq!(town.send(Method::GET, "/api/v1/me", Some(&token_of(&gone)), None).await.status, 200);
    }

    async fn programs_use_management_keys_and_found_keys_are_ended(db: Db) {
        let town = Town::new(db).await;
        let token = town.register("eve").await;
        let new = json!({ "name": "deploy", "permissions": ["money.change"] });
        let beyond = town.post("/api/v1/management-keys", Some(&token), new).await;
        assert_eq!(beyond.refusal(), (403, "role.beyond_own".into()));
        let new = json!({ "name": "deploy", "scopes": ["accounts.read"] });
        let unknown = town.post("/api/v1/management-keys", Some(&token), new).await;
        assert_eq!((unknown.status.as_u16(), unknown.json()["field"].clone()), (422, json!("scopes[0]")));
        let new = json!({ "name": "deploy", "scopes": ["keys.write"] });
        let made = town.post("/api/v1/management-keys", Some(&token), new).await;
        assert_eq!(made.status.as_u16(), 201);
        assert_eq!(made.json()["key"]["scopes"], json!(["keys.write"]));
        let key = made.json()["secret"].as_str().unwrap().to_owned();
        assert!(key.starts_with("tm-"));
        for path in ["/api/v1/keys", "/api/v1/account", "/api/v1/wallet", "/api/v1/organisations", "/api/v1/calls"] {
            let refused = town.send(Method::GET, path, Some(&key), None).await;
            assert_eq!(refused.refusal(), (403, "access.denied".into()), "{path}");
        }
        let me = town.send(Method::GET, "/api/v1/me", Some(&key), None).await.json();
        assert_eq!(me["scopes"], json!(["keys.write"]));
        // One that names none may nothing.
        let bare = town.post("/api/v1/management-keys", Some(&token), json!({ "name": "bare" })).await.json();
        let bare = bare["secret"].as_str().unwrap();
        let refused = town.post("/api/v1/keys", Some(bare), json!({ "name": "laptop" })).await;
        assert_eq!(refused.refusal(), (403, "access.denied".into()));
        let created = town.post("/api/v1/keys", Some(&key), json!({ "name": "laptop" })).await;
        let model_key = created.json()["secret"].as_str().unwrap().to_owned();
        for (path, body) in [("/api/v1/management-keys", json!({ "name": "more" })), ("/api/v1/second-factor", json!({}))] {
            let refused = town.post(path, Some(&key), body).await;
            assert_eq!(refused.refusal(), (403, "access.denied".into()), "a key is no person");
        }
        for (found, told) in [(model_key.as_str(), 4), ("sk-nothing", 4), (key.as_str(), 5)] {
            let got = town.post("/api/v1/leaked-keys", None, json!({ "key": found })).await;
            assert_eq!(got.status.as_u16(), 202, "whoever it is learns nothing");
            assert_eq!(town.letters("eve@example.org", told).await.len(), told);
        }
        assert_eq!(town.send(Method::GET, "/api/v1/keys", Some(&key), None).await.status.as_u16(), 401);
        let keys = town.send(Method::GET, "/api/v1/keys", Some(&token), None).await.json();
        assert_eq!(keys["items"][0]["status"], "disabled");
    }

    async fn who_hangs_up_has_done_what_they_asked_for(db: Db) {
        let town = Town::new(db.clone()).await;
        let token = town.register("eve").await;
        let told = town.served.told.load(std::sync::atomic::Ordering::Relaxed);
        let body = json!({ "password": "battery staple" }).to_string();
        let request = format!(
            "PUT /api/v1/account/password HTTP/1.1\r\nhost: tacit.example\r\ncookie: __Host-tacit-session={token}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        // Nothing can be written until they have gone.
        let (held, holds) = tokio::sync::oneshot::channel::<()>();
        let (locked, locks) = tokio::sync::oneshot::channel::<()>();
        let hold = {
            let db = db.clone();
            let (holds, locked) = (std::sync::Mutex::new(Some(holds)), std::sync::Mutex::new(Some(locked)));
            tokio::spawn(async move {
                let (holds, locked) = (holds.lock().unwrap().take().unwrap(), locked.lock().unwrap().take().unwrap());
                let ends = std::sync::Mutex::new(Some((holds, locked)));
                let wait = async |tx: &mut tacit_storage::WriteTx<'_>| {
                    tx.execute(&TOUCH, &[]).await?;
                    let (holds, locked) = ends.lock().unwrap().take().unwrap();
                    locked.send(()).unwrap();
                    holds.await.unwrap();
                    Ok::<_, tacit_storage::StorageError>(())
                };
                let wait = &wait;
                db.write("test.hold", |tx| Box::pin(wait(tx))).await.unwrap();
            })
        };
        locks.await.unwrap();
        let mut stream = tokio::net::UnixStream::connect(&town.served.socket).await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, request.as_bytes()).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        drop(stream);
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
        held.send(()).unwrap();
        hold.await.unwrap();

        let letters = town.letters("eve@example.org", 2).await;
        assert!(letters[0].text.contains("password"), "{}", letters[0].text);
        let sign_in = json!({ "who": "eve", "password": "battery staple" });
        assert_eq!(town.post("/api/v1/sign-in/password", None, sign_in).await.status, 200);
        let lines = recorded(&town).await;
        let outcome = ("password.change".to_owned(), "done".to_owned(), None);
        assert!(lines.contains(&outcome), "{lines:?}");
        assert!(town.served.told.load(std::sync::atomic::Ordering::Relaxed) > told, "gateways are told");
    }

    async fn a_management_key_is_changed_by_the_rules_of_making_one(db: Db) {
        let town = Town::new(db).await;
        let token = town.register("eve").await;
        let new = json!({ "name": "deploy", "scopes": ["keys.write", "keys.read"] });
        let made = town.post("/api/v1/management-keys", Some(&token), new).await;
        let secret = made.json()["secret"].as_str().unwrap().to_owned();
        let path = format!("/api/v1/management-keys/{}", made.json()["key"]["id"].as_str().unwrap());
        let patch = async |body: Value| town.send(Method::PATCH, &path, Some(&token), Some(body)).await;
        let tagged = async |tag: &str, body: Value| {
            let asking = town.served.ask(Method::PATCH, &path).by(&token).header("if-match", tag);
            asking.header("sec-fetch-site", "same-origin").json(&body).send().await
        };
        assert_eq!(town.letters("eve@example.org", 2).await.len(), 2);
        let named = tagged(made.header("etag"), json!({ "name": "ship" })).await;
        assert_eq!((named.status.as_u16(), &named.json()["name"]), (200, &json!("ship")));
        assert_eq!(named.json()["scopes"], made.json()["key"]["scopes"]);
        assert_eq!(tagged(made.header("etag"), json!({ "name": "x" })).await.refusal(), (412, "request.changed".into()));
        assert_eq!(patch(json!({ "name": "" })).await.refusal(), (422, "key.name_invalid".into()));

        let narrowed = patch(json!({ "scopes": ["keys.read"] })).await;
        assert_eq!(narrowed.json()["scopes"], json!(["keys.read"]));
        let refused = town.post("/api/v1/keys", Some(&secret), json!({ "name": "laptop" })).await;
        assert_eq!(refused.refusal(), (403, "access.denied".into()));
        assert!(town.letters("eve@example.org", 3).await[0].text.contains("may do, or until when"));
        assert_eq!(patch(json!({ "permissions": ["money.change"] })).await.refusal(), (403, "role.beyond_own".into()));
        assert_eq!(patch(json!({ "scopes": ["keys.write"] })).await.status, 200);
        assert_eq!(town.post("/api/v1/keys", Some(&secret), json!({ "name": "laptop" })).await.status, 201);

        let past = patch(json!({ "expires_at": "2000-01-01T00:00:00Z" })).await;
        assert_eq!(past.json()["expires_at"], "2000-01-01T00:00:00.000000Z");
        assert_eq!(town.send(Method::GET, "/api/v1/me", Some(&secret), None).await.status, 401);
        assert_eq!(patch(json!({ "name": "same" })).await.json()["expires_at"], past.json()["expires_at"], "what is absent stays");
        assert_eq!(patch(json!({ "expires_at": null })).await.json()["expires_at"], Value::Null);
        assert_eq!(town.send(Method::GET, "/api/v1/me", Some(&secret), None).await.status, 200);

        // A key changes no key, nor does who has not proved lately who they are, nor anybody else.
        let by_key = town.send(Method::PATCH, &path, Some(&secret), Some(json!({ "scopes": [] }))).await;
        assert_eq!(by_key.refusal(), (403, "access.denied".into()));
        let other = town.served.ask(Method::PATCH, &path).by("ann").json(&json!({})).send().await;
        assert_eq!(other.refusal(), (403, "access.step_up_required".into()));
        let other = town.served.ask(Method::PATCH, &path).by("owner-stepped-up").json(&json!({})).send().await;
        assert!([404, 401, 403].contains(&other.status.as_u16()), "{}", other.status);
        assert_eq!(town.send(Method::DELETE, &path, Some(&token), None).await.status, 204);
        assert_eq!(patch(json!({ "scopes": ["keys.write"] })).await.refusal(), (409, "key.ended".into()));
    }

    async fn who_gets_an_account_back_has_it_alone(db: Db) {
        let town = Town::new(db).await;
        let token = town.register("eve").await;
        let new = json!({ "name": "deploy", "scopes": ["keys.write"] });
        let made = town.post("/api/v1/management-keys", Some(&token), new).await.json();
        let (key, model) = (made["secret"].as_str().unwrap(), json!({ "name": "laptop" }));
        assert_eq!(town.post("/api/v1/keys", Some(key), model).await.status, 201);
        assert!(town.letters("eve@example.org", 2).await[0].text.contains("management key"), "it is told of");
        let code = town.code("password_reset", "eve@example.org").await;
        let reset = json!({ "to": { "email": "eve@example.org" }, "code": code, "password": "battery staple" });
        assert_eq!(town.post("/api/v1/password/reset", None, reset).await.status, 204);
        for by in [key, &token] {
            assert_eq!(town.send(Method::GET, "/api/v1/account", Some(by), None).await.status, 401);
        }
        let told = town.letters("eve@example.org", 5).await;
        let text = told[0].text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(text.contains("Management keys revoked: 1") && text.contains("API keys that still work: 1"), "{text}");
        assert!(told[1].text.contains("password"), "{}", told[1].text);
    }

    async fn staff_give_no_more_than_they_have(db: Db) {
        let town = Town::new(db).await;
        town.register("eve").await;
        let identity = &town.served.console.identity;
        let eve = identity.account_by_ref("eve").await.unwrap().unwrap().id;
        identity.role_grant(Acting::Operator, eve, "owner").await.unwrap();
        let body = json!({ "who": "eve", "password": "correct horse" });
        let owner = token_of(&town.post("/api/v1/sign-in/password", None, body).await);
        let role = json!({ "permissions": ["keys.read", "calls.read"] });
        let made = town.send(Method::PUT, "/api/v1/roles/reader", Some(&owner), Some(role.clone())).await;
        assert_eq!(made.status.as_u16(), 204);
        let wrong = json!({ "permissions": ["keys.reed"] });
        let wrong = town.send(Method::PUT, "/api/v1/roles/reader", Some(&owner), Some(wrong)).await;
        assert_eq!((wrong.status.as_u16(), wrong.json()["field"].clone()), (422, json!("permissions[0]")));
        let path = format!("/api/v1/staff/{}/roles/reader", town.served.ann);
        assert_eq!(town.send(Method::PUT, &path, Some(&owner), None).await.status.as_u16(), 204);
        let staff = town.send(Method::GET, "/api/v1/staff", Some(&owner), None).await.json();
        assert_eq!(staff["items"].as_array().unwrap().len(), 2);
        let listed = town.send(Method::GET, "/api/v1/roles", Some(&owner), None).await.json();
        assert_eq!(listed["items"].as_array().unwrap().last().unwrap()["name"], "reader");
        let path = format!("/api/v1/staff/{eve}/roles/owner");
        let last = town.send(Method::DELETE, &path, Some(&owner), None).await;
        assert_eq!(last.refusal(), (409, "role.owner_last".into()));
        // Staff without the permission, and with it but not stepped up.
        for (who, code) in [("support-stepped-up", "access.denied"), ("owner", "access.step_up_required")] {
            let got = town.send(Method::PUT, "/api/v1/roles/x", Some(who), Some(role.clone())).await;
            assert_eq!(got.refusal(), (403, code.into()));
        }
    }
}

/// Phases and actions of the audit log, in order.
async fn recorded(town: &Town) -> Vec<(String, String, Option<String>)> {
    let filter = tacit_storage::audit::Filter::default();
    let mut entries = town.served.console.audit.list(&filter, None, 500).await.unwrap();
    entries.reverse();
    entries.into_iter().map(|e| (e.kept.action, e.kept.phase, e.kept.code)).collect()
}

#[test]
fn every_route_is_declared_for_the_audit_log() {
    for route in super::routes().table() {
        let method: Method = route.method.parse().unwrap();
        assert!(crate::console::recording::action_of(&method, &route.path).is_some(), "{method} {}", route.path);
    }
}

both_engines! {
    async fn what_changes_something_is_written_down_first_or_refused(db: Db) {
        let town = Town::new(db.clone()).await;
        let token = town.register("eve").await;
        town.post("/api/v1/keys", Some(&token), json!({ "name": "a/b" })).await;
        town.send(Method::GET, "/api/v1/account", Some(&token), None).await;
        let told: Vec<_> = recorded(&town).await;
        let eve = town.served.console.identity.account_by_ref("eve").await.unwrap().unwrap().id.to_string();
        let about_eve = tacit_storage::audit::Filter { subject: eve.parse().ok(), ..Default::default() };
        let about_eve = town.served.console.audit.list(&about_eve, None, 500).await.unwrap();
        let about_eve: Vec<_> = about_eve.into_iter().map(|e| (e.kept.action, e.kept.phase)).collect();
        let pair = |action: &str, phase: &str| (action.to_owned(), phase.to_owned());
        assert_eq!(about_eve, [
            pair("key.create", "refused"), pair("key.create", "begun"), pair("account.register", "done"),
        ]);
        let line = |action: &str, phase: &str, code: Option<&str>| (action.to_owned(), phase.to_owned(), code.map(str::to_owned));
        assert_eq!(told, [
            line("code.send", "begun", None), line("code.send", "done", None),
            line("account.register", "begun", None), line("account.register", "done", None),
            line("key.create", "begun", None), line("key.create", "refused", Some("key.name_invalid")),
        ]);

        const BREAK: tacit_storage::Sql = tacit_storage::Sql::new("ALTER TABLE audit_entries RENAME TO audit_away");

        db.write("test.break", |tx| Box::pin(tx.execute(&BREAK, &[]))).await.unwrap();
        let refused = town.post("/api/v1/keys", Some(&token), json!({ "name": "laptop" })).await;
        assert_eq!(refused.refusal(), (503, "audit.unavailable".into()));
        let keys = town.send(Method::GET, "/api/v1/keys", Some(&token), None).await.json();
        assert_eq!(keys["items"], json!([]), "nothing was done");
    }
}

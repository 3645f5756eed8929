//! What people decide about their data holds: for calls, for staff, and for whoever asks later under which decision something was done.

use super::crawl::{EMAIL, Person, code, person};
use super::development_outbox::letters;
use super::*;
use crate::console::recording::{Recorded, action_of};
use serde_json::json;
use tacit_identity::choices::{Matter, digest};
use tacit_identity::codes::CodePurpose;
use tacit_identity::contacts::Contact;
use tacit_kernel::datamap::Purpose;
use tacit_storage::both_engines;

const OWN: &str = "/api/v1/account/choices";

fn of_keys(account: AccountId) -> String {
    format!("/api/v1/accounts/{account}/keys")
}

async fn decide(served: &Served, by: &str, matter: Matter, allowed: bool, wording: &str) -> Got {
    let path = format!("{OWN}/{}", matter.as_str());
    served.ask(Method::PUT, &path).by(by).json(&json!({"allowed": allowed, "wording": wording})).send().await
}

async fn allows(served: &Served, by: &str, matter: Matter) -> bool {
    let shown = served.get(OWN).by(by).send().await.json();
    let of = |item: &&Value| item["matter"] == matter.as_str();
    shown["items"].as_array().unwrap().iter().find(of).unwrap()["allowed"].as_bool().unwrap()
}

both_engines! {
    async fn a_consent_is_to_the_text_that_was_shown_and_can_be_taken_back(db: Db) {
        let served = served(db).await;
        let Person { account, token, .. } = person(&served).await;
        let shown = served.get(&format!("{OWN}?language=zh")).by(&token).send().await.json();
        let items = shown["items"].as_array().unwrap();
        assert_eq!(items.len(), Matter::ALL.len());
        for (item, matter) in items.iter().zip(Matter::ALL) {
            assert_eq!((&item["matter"], &item["wording"]), (&json!(matter.as_str()), &json!(digest(*matter))));
            assert_eq!((&item["allowed"], &item["via"]), (&json!(matter.unless_decided()), &Value::Null));
        }
        let wording = &digest(Matter::Improvement);
        let old = decide(&served, &token, Matter::Improvement, true, "0123").await;
        assert_eq!((old.refusal(), allows(&served, &token, Matter::Improvement).await), ((409, "choice.wording".into()), false));
        assert_eq!(decide(&served, "tm-owner", Matter::Improvement, true, wording).await.refusal().0, 403, "no key decides");
        for (allowed, rows) in [(true, 1), (true, 1), (false, 2)] {
            let now = decide(&served, &token, Matter::Improvement, allowed, wording).await.json();
            assert_eq!((&now["allowed"], &now["current"], &now["via"]), (&json!(allowed), &json!(true), &json!("person")));
            let made = served.get(&format!("{OWN}/made")).by(&token).send().await.json();
            assert_eq!((made["items"].as_array().unwrap().len(), &made["items"][0]["allowed"]), (rows, &json!(allowed)));
        }
        let staff = format!("/api/v1/accounts/{account}/choices");
        assert_eq!(served.get(&staff).by("support").send().await.refusal(), (403, "access.denied".into()));
        assert_eq!(served.get(&staff).by("privacy_officer").send().await.json()["items"].as_array().unwrap().len(), 2);
        let looks = served.get("/api/v1/account/looks").by(&token).send().await.json();
        assert_eq!(looks["items"][0]["action"], "choice.list");
        let fraud = decide(&served, &token, Matter::FraudDetection, false, &digest(Matter::FraudDetection)).await;
        assert_eq!(fraud.refusal(), (409, "choice.request".into()));
    }

    async fn whoever_restricts_is_served_to_nobody_but_themselves(db: Db) {
        let served = served(db).await;
        let Person { account, token, call, .. } = person(&served).await;
        let wording = &digest(Matter::Use);
        let held = async || {
            let mut held = Vec::new();
            for (by, path, body) in [
                ("support-stepped-up", format!("/api/v1/accounts/{account}"), None),
                ("support-stepped-up", format!("/api/v1/accounts/{account}/keys"), None),
                ("support-stepped-up", format!("/api/v1/call-records/{call}"), None),
                ("support-stepped-up", format!("/api/v1/call-records?account={account}"), None),
                ("privacy_officer-stepped-up", format!("/api/v1/accounts/{account}/unmask"), Some(json!({"fields": ["name"], "reason": "why"}))),
            ] {
                let got = match body {
                    None => served.get(&path).by(by).send().await,
                    Some(body) => served.ask(Method::POST, &path).by(by).json(&body).send().await,
                };
                held.push((got.status.as_u16(), String::from_utf8_lossy(&got.body).contains("privacy.restricted")));
            }
            held
        };
        assert_eq!(held().await, vec![(200, false); 5]);
        assert_eq!(decide(&served, "ann", Matter::Use, false, wording).await.refusal(), (403, "access.step_up_required".into()));
        assert_eq!(decide(&served, &token, Matter::Use, false, wording).await.status, 200);
        assert_eq!(held().await, vec![(409, true); 5]);
        // That somebody tried is written down, and she sees it.
        let log = served.get("/api/v1/audit/entries?action=account.unmask").by("auditor").send().await.json();
        assert_eq!((&log["items"][0]["phase"], &log["items"][0]["code"]), (&json!("refused"), &json!("privacy.restricted")));
        let looks = served.get("/api/v1/account/looks").by(&token).send().await.json();
        assert_eq!(looks["items"][0]["action"], "account.unmask");
        // Her rights, the books and security go on, and so does what she does herself.
        for (by, path) in [
            ("privacy_officer", format!("/api/v1/accounts/{account}/choices")),
            ("finance", format!("/api/v1/accounts/{account}/entries")),
            (token.as_str(), "/api/v1/account".to_owned()),
            (token.as_str(), "/api/v1/account/data".to_owned()),
        ] {
            assert_eq!(served.get(&path).by(by).send().await.status, 200, "{path}");
        }
        assert_eq!(decide(&served, &token, Matter::Use, true, wording).await.status, 200);
        assert_eq!(held().await, vec![(200, false); 5]);
    }

    async fn no_list_and_no_search_shows_who_restricts(db: Db) {
        let served = served(db).await;
        let Person { account, token, call, .. } = person(&served).await;
        letters(&served, account).await;
        let by = "owner-stepped-up";
        // Every list of which there is no other purpose than help, also one that is not there yet.
        let helps = |path: &str| matches!(action_of(&Method::GET, path), Some(Recorded::As(action, _)) if action.purpose() == Purpose::Support);
        let lists: Vec<String> = routes()
            .table()
            .into_iter()
            .filter(|route| route.method == "GET" && !route.path.contains('{') && helps(&route.path))
            .map(|route| route.path.to_string())
            .collect();
        let telling = async || {
            let mut telling = Vec::new();
            for path in &lists {
                let got = served.get(path).by(by).send().await;
                let text = String::from_utf8_lossy(&got.body);
                assert_eq!(got.status, 200, "{path}: {text}");
                if [&account.to_string(), &call.to_string(), "w***@canary-mail.example"].iter().any(|told| text.contains(told)) {
                    telling.push(path.strip_prefix("/api/v1/").unwrap().to_owned());
                }
            }
            telling.sort();
            telling
        };
        assert_eq!(telling().await, ["accounts", "call-records", "development-outbox", "sent-messages"]);
        decide(&served, &token, Matter::Use, false, &digest(Matter::Use)).await;
        assert_eq!(telling().await, ["accounts"]);
        let rows = served.get("/api/v1/accounts").by(by).send().await.json();
        let hers = rows["items"].as_array().unwrap().iter().find(|row| row["id"] == account.to_string()).unwrap();
        assert_eq!(*hers, json!({"id": account, "status": "active", "restricted": true}));
        let sought = served.ask(Method::POST, "/api/v1/accounts/search").by(by).json(&json!({"email": EMAIL})).send().await;
        assert_eq!(sought.refusal(), (409, "privacy.restricted".into()));
        let log = served.get("/api/v1/audit/entries?action=account.search").by("auditor").send().await.json();
        assert_eq!((&log["items"][0]["subject"], &log["items"][0]["phase"]), (&json!(account), &json!("refused")));
    }

    async fn of_who_restricts_staff_ends_abuse_and_learns_nothing(db: Db) {
        let served = served(db).await;
        let Person { account, token, key, .. } = person(&served).await;
        decide(&served, &token, Matter::Use, false, &digest(Matter::Use)).await;
        let of_account = format!("/api/v1/accounts/{account}");
        let of_key = format!("{of_account}/keys/{key}");
        let patch = async |path: &str, body: Value| served.ask(Method::PATCH, path).by("owner-stepped-up").json(&body).send().await;
        for (path, more) in [
            (&of_account, json!({"group": "default"})),
            (&of_account, json!({"limits": {}, "status": "disabled"})),
            (&of_key, json!({"limits": {}})),
            (&of_key, json!({"status": "active"})),
        ] {
            assert_eq!(patch(path, more.clone()).await.refusal(), (409, "privacy.restricted".into()), "{path} {more}");
        }
        for (path, id, statuses) in [(&of_key, json!(key), &["disabled"][..]), (&of_account, json!(account), &["disabled", "active"])] {
            for status in statuses {
                let changed = patch(path, json!({"status": status})).await;
                assert_eq!(changed.json(), json!({"id": id, "status": status, "restricted": true}));
                assert!(!changed.header("etag").is_empty());
            }
        }
    }

    async fn who_restricts_is_not_safe_from_being_investigated(db: Db) {
        let served = served(db).await;
        let Person { account, token, call, .. } = person(&served).await;
        decide(&served, &token, Matter::Use, false, &digest(Matter::Use)).await;
        let look = async |path: &str, body: Value| served.ask(Method::POST, path).by("owner-stepped-up").json(&body).send().await;
        let name = |rest: Value| {
            let mut body = json!({"fields": ["name"], "reason": "keys were sold"});
            body.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
            body
        };
        let unmask = format!("/api/v1/accounts/{account}/unmask");
        for refused in [json!({}), json!({"for": "support"}), json!({"for": "security", "reason": " "}), json!({"for": "fun"})] {
            assert_eq!(look(&unmask, name(refused.clone())).await.refusal(), (409, "privacy.restricted".into()), "{refused}");
        }
        assert_eq!(look(&unmask, name(json!({"for": "security"}))).await.json()["name"], "Wilhelmina Canary");
        let from = format!("/api/v1/call-records/{call}/unmask");
        assert_eq!(look(&from, json!({"reason": "a court asks", "for": "law"})).await.status, 200);
        // What helps alone has no other purpose.
        assert_eq!(look(&of_keys(account), json!({"name": "k", "for": "security"})).await.refusal().0, 409);
        assert_eq!(decide(&served, &token, Matter::Use, true, &digest(Matter::Use)).await.status, 200);
        let looks = served.get("/api/v1/account/looks").by(&token).send().await.json();
        let seen = |place: usize| (looks["items"][place]["fields"].clone(), looks["items"][place]["reason"].clone());
        assert_eq!(seen(0), (json!(["address", "user_agent", "for_law"]), json!("a court asks")));
        assert_eq!(seen(1), (json!(["name", "for_security"]), json!("keys were sold")));
    }

    async fn what_is_objected_to_stops_until_it_is_decided(db: Db) {
        let served = served(db).await;
        let Person { token, .. } = person(&served).await;
        let own = "/api/v1/account/requests";
        let post = async |by: &str, path: &str, body: Value| served.ask(Method::POST, path).by(by).json(&body).send().await.json();
        let fraud = async || allows(&served, &token, Matter::FraudDetection).await;
        assert!(fraud().await);
        let made = post(&token, own, json!({"kind": "objection", "text": "I am no fraud"})).await;
        assert!(!fraud().await, "at once");
        let id = made["id"].as_str().unwrap();
        let decision = format!("/api/v1/rights-requests/{id}/decision");
        let by = "privacy_officer-stepped-up";
        let refuse = json!({"decision": "refuse", "answer": "others were hurt", "refusal": "others"});
        assert_eq!(post(by, &decision, refuse).await["state"], "refused");
        assert!(fraud().await, "with a reason that was told");
        post(&token, &format!("{own}/{id}/appeal"), json!({"text": "they were not"})).await;
        assert!(!fraud().await);
        post(by, &decision, json!({"decision": "reverse", "answer": "we look again"})).await;
        assert_eq!(post(by, &decision, json!({"decision": "fulfil", "answer": "you are right"})).await["state"], "fulfilled");
        assert!(!fraud().await, "for good");
        let made = served.get(&format!("{OWN}/made")).by(&token).send().await.json();
        let via: Vec<(&Value, &Value)> = made["items"].as_array().unwrap().iter().map(|m| (&m["allowed"], &m["via"])).collect();
        assert_eq!(via, [(&json!(false), &json!("request")), (&json!(true), &json!("request")), (&json!(false), &json!("request"))]);
    }

    async fn a_browser_that_says_no_is_believed_unless_its_user_said_yes(db: Db) {
        let served = served(db).await;
        let Person { token, .. } = person(&served).await;
        let made = async || served.get(&format!("{OWN}/made")).by(&token).send().await.json()["items"].clone();
        let sign_in = async |gpc: &str| {
            let contact = Contact::email(EMAIL).unwrap();
            let code = code(&served, CodePurpose::SignIn, &contact).await;
            let body = json!({"to": {"email": EMAIL}, "code": secrecy::ExposeSecret::expose_secret(&code)});
            let got = served.ask(Method::POST, "/api/v1/sign-in/code").header("sec-gpc", gpc).json(&body).send().await;
            assert_eq!(got.status, 200);
        };
        for silent in ["0", "true"] {
            sign_in(silent).await;
        }
        assert_eq!(made().await, json!([]));
        sign_in("1").await;
        let heard = made().await;
        assert_eq!((&heard[0]["matter"], &heard[0]["allowed"], &heard[0]["via"]), (&json!("improvement"), &json!(false), &json!("gpc")));
        decide(&served, &token, Matter::Improvement, true, &digest(Matter::Improvement)).await;
        sign_in("1").await;
        assert!(allows(&served, &token, Matter::Improvement).await, "what they said themselves holds");
    }
}

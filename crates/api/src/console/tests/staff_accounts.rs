//! What staff sees of accounts and does with them: masked, within reach, and seen by the person.

use super::crawl::{GUARDIAN, Person, person};
use super::*;
use serde_json::json;
use tacit_identity::contacts::Contact;
use tacit_identity::roles::Acting;
use tacit_kernel::Clock as _;
use tacit_operations::messages::delivery;
use tacit_storage::{Page, Sql, WriteTx, both_engines};
use tokio_util::sync::CancellationToken;

const EMAIL: &str = "ann.lee@example.org";
const PHONE: &str = "+8613912345678";

/// Gives `ann` an e-mail address and a phone number.
async fn addresses(served: &Served) {
    let (identity, ann) = (&served.console.identity, served.ann);
    let contacts = [Contact::email(EMAIL).unwrap(), Contact::phone(PHONE, None).unwrap()];
    let put = async |tx: &mut WriteTx<'_>| {
        for contact in &contacts {
            identity.contact_put_in_tx(tx, ann, contact).await?;
        }
        Ok::<_, tacit_identity::IdentityError>(())
    };
    let put = &put;
    served.console.db.write("test.contacts", |tx| Box::pin(put(tx))).await.unwrap();
}

async fn post(served: &Served, by: &str, path: &str, body: Value) -> Got {
    served.ask(Method::POST, path).by(by).header("x-forwarded-for", "198.51.100.9").json(&body).send().await
}

both_engines! {
    async fn staff_gives_nothing_to_itself(db: Db) {
        let served = served(db).await;
        let own = served.console.identity.account_by_ref("staff").await.unwrap().unwrap().id;
        let (to_own, credit) = (format!("/api/v1/accounts/{own}"), json!({"kind": "grant", "amount": "5", "reason": "bonus"}));
        let asking = served.ask(Method::POST, &format!("{to_own}/movements")).by("finance-stepped-up");
        let refused = asking.header("idempotency-key", "k").json(&credit).send().await;
        assert_eq!(refused.refusal(), (403, "account.own".into()));
        let patch = json!({"limits": {}});
        let refused = served.ask(Method::PATCH, &to_own).by("admin-stepped-up").json(&patch).send().await;
        assert_eq!(refused.refusal(), (403, "account.own".into()));
    }


    async fn staff_sees_accounts_masked_and_finds_them_exactly(db: Db) {
        let served = served(db).await;
        addresses(&served).await;
        let path = format!("/api/v1/accounts/{}", served.ann);
        let shown = served.get(&path).by("support").send().await.json();
        assert_eq!((&shown["name"], &shown["group"], &shown["status"]), (&json!("a***"), &json!("default"), &json!("active")));
        let values: Vec<_> = shown["contacts"].as_array().unwrap().iter().map(|c| c["value"].clone()).collect();
        assert_eq!(values, ["a***@example.org", "+86139****5678"]);
        assert_eq!(shown["second_factor"], false);

        let page = served.get("/api/v1/accounts?limit=2").by("support").send().await.json();
        assert_eq!(page["items"].as_array().unwrap().len(), 2);
        let next = format!("/api/v1/accounts?after={}&group=default&status=active", page["next"].as_str().unwrap());
        let rest = served.get(&next).by("support").send().await.json();
        // The other of the three, and the members of the organisation.
        assert_eq!((rest["items"].as_array().unwrap().len(), &rest["next"]), (1 + served.members.len(), &Value::Null));
        assert_eq!(served.get("/api/v1/accounts?status=disabled").by("support").send().await.json(), json!({"items": []}));
        assert_eq!(served.get("/api/v1/accounts?group=none").by("support").send().await.refusal(), (422, "group.not_found".into()));

        for body in [json!({"name": "ann"}), json!({"email": "Ann.Lee@EXAMPLE.org"}), json!({"phone": "+86 139 1234 5678"})] {
            let found = post(&served, "support", "/api/v1/accounts/search", body.clone()).await.json();
            assert_eq!(found["items"][0]["id"], served.ann.to_string(), "{body}");
        }
        for body in [json!({"name": "an"}), json!({"email": "ann@example.org"})] {
            let found = post(&served, "support", "/api/v1/accounts/search", body).await;
            assert_eq!(found.json(), json!({"items": []}));
        }
        for body in [json!({}), json!({"name": "ann", "phone": PHONE}), json!({"email": "ann"})] {
            assert_eq!(post(&served, "support", "/api/v1/accounts/search", body).await.status.as_u16(), 422);
        }
        let nobody = format!("/api/v1/accounts/{}", AccountId::fresh());
        assert_eq!(served.get(&nobody).by("support").send().await.refusal(), (404, "account.not_found".into()));
    }

    async fn accounts_are_made_and_changed_by_version(db: Db) {
        let served = served(db).await;
        let body = json!({"name": "Carla", "group": "default", "limits": {"concurrency": 2}});
        let make = async |key: &str, body: &Value| {
            served.ask(Method::POST, "/api/v1/accounts").by("admin").header("idempotency-key", key).json(body).send().await
        };
        let made = make("k1", &body).await;
        assert_eq!((made.status.as_u16(), &made.json()["name"]), (201, &json!("C***")));
        let again = make("k1", &body).await;
        assert_eq!((again.json()["id"].clone(), again.header("idempotency-replayed")), (made.json()["id"].clone(), "true"));
        assert_eq!(make("k1", &json!({"name": "D", "group": "default"})).await.refusal(), (422, "idempotency.key_reused".into()));
        assert_eq!(make("k2", &body).await.refusal(), (409, "account.name_taken".into()));

        let path = format!("/api/v1/accounts/{}", made.json()["id"].as_str().unwrap());
        let tag = made.header("etag").to_owned();
        assert_eq!(served.get(&path).by("admin").header("if-none-match", &tag).send().await.status, 304);
        served.clock.advance_micros(7);
        let patch = async |body: Value, tag: &str| {
            served.ask(Method::PATCH, &path).by("admin").header("if-match", tag).json(&body).send().await
        };
        let told = served.told.load(Ordering::Relaxed);
        let changed = patch(json!({"status": "disabled", "reason": "asked for it"}), &tag).await;
        assert_eq!((&changed.json()["status"], &changed.json()["limits"]), (&json!("disabled"), &json!({"concurrency": 2})));
        assert_eq!(served.told.load(Ordering::Relaxed), told + 1);
        assert_eq!(patch(json!({"status": "active"}), &tag).await.refusal(), (412, "request.changed".into()));
        assert_eq!(patch(json!({"group": "none"}), "*").await.refusal(), (422, "group.not_found".into()));
    }

    async fn staff_makes_a_key_for_an_account_which_is_told(db: Db) {
        let served = served(db).await;
        addresses(&served).await;
        let path = format!("/api/v1/accounts/{}/keys", served.ann);
        let body = json!({"name": "handed over", "limits": {"concurrency": 2}, "reason": "asked for by phone"});
        let make = async |by: &str, path: &str, key: &str| {
            served.ask(Method::POST, path).by(by).header("idempotency-key", key).json(&body).send().await
        };
        assert_eq!(make("support-stepped-up", &path, "k").await.refusal(), (403, "access.denied".into()));
        assert_eq!(make("admin", &path, "k").await.refusal(), (403, "access.step_up_required".into()));
        let before = served.console.audit.size().await.unwrap();
        let made = make("admin-stepped-up", &path, "k").await;
        let begun = served.console.audit.show(before).await.unwrap().unwrap();
        assert_eq!(begun.entry.kept.action.as_str(), "key.create");
        assert_eq!(begun.reason.unwrap().reveal(), "asked for by phone");
        assert_eq!(made.status, 201, "{}", String::from_utf8_lossy(&made.body));
        assert!(made.json()["secret"].as_str().unwrap().starts_with("sk-"));
        assert_eq!((&made.json()["key"]["name"], &made.json()["key"]["limits_by"]), (&json!("h***"), &json!("staff")));
        let again = make("admin-stepped-up", &path, "k").await;
        assert_eq!((again.header("idempotency-replayed"), again.json()), ("true", made.json()));
        assert_eq!(again.header("etag"), made.header("etag"));
        assert_eq!(make("admin-stepped-up", &path, "l").await.refusal(), (409, "key.name_taken".into()));

        // It is the person's, who sees it and ends it, and may not widen what staff has set.
        let one = format!("/api/v1/keys/{}", made.json()["key"]["id"].as_str().unwrap());
        let shown = served.get(&one).by("ann").send().await.json();
        assert_eq!((&shown["name"], shown.get("secret")), (&json!("handed over"), None));
        let wider = served.ask(Method::PATCH, &one).by("ann").json(&json!({"limits": {}})).send().await;
        assert_eq!(wider.refusal(), (403, "key.held".into()));
        assert_eq!(served.ask(Method::DELETE, &one).by("ann").send().await.status, 204);
        let waiting = served.console.messages.list(Page::default()).await.unwrap().items;
        assert_eq!(waiting.len(), 2, "one to each address, once");
        let log = served.get("/api/v1/audit/entries?action=key.create").by("auditor").send().await.json();
        let done = &log["items"].as_array().unwrap().iter().find(|entry| entry["phase"] == "done").unwrap();
        assert_eq!(done["subject"], served.ann.to_string(), "{done}");

        // Not for themselves, not for an organisation, not for who may do more, not for nobody.
        let own = served.console.identity.account_by_ref("staff").await.unwrap().unwrap().id;
        let organisation = served.organisation().await;
        for (account, refused) in [
            (own, (403, "account.own")),
            (organisation, (409, "key.of_members")),
            (AccountId::fresh(), (404, "account.not_found")),
        ] {
            let got = make("admin-stepped-up", &format!("/api/v1/accounts/{account}/keys"), "m").await;
            assert_eq!(got.refusal(), (refused.0, refused.1.to_owned()));
        }
    }

    async fn nobody_acts_on_who_may_do_more(db: Db) {
        let served = served(db).await;
        addresses(&served).await;
        served.console.identity.role_grant(Acting::Operator, served.ann, "owner").await.unwrap();
        let path = format!("/api/v1/accounts/{}", served.ann);
        let beyond = (403, "account.beyond_own".to_owned());
        let disabled = served.ask(Method::PATCH, &path).by("admin-stepped-up").json(&json!({"status": "disabled"})).send().await;
        assert_eq!(disabled.refusal(), beyond);
        assert_eq!(served.ask(Method::DELETE, &format!("{path}/sessions")).by("admin").send().await.refusal(), beyond);
        for what in ["password", "second_factor"] {
            let body = json!({"what": what, "reason": "lost"});
            assert_eq!(post(&served, "admin-stepped-up", &format!("{path}/credentials-reset"), body).await.refusal(), beyond);
        }
        let key = post(&served, "admin-stepped-up", &format!("{path}/keys"), json!({"name": "handed over"})).await;
        assert_eq!(key.refusal(), beyond);
        let ended = served.ask(Method::DELETE, &format!("{path}/sessions")).by("owner").send().await;
        assert_eq!(ended.json(), json!({"ended": 0}));
    }

    async fn who_is_reset_is_sent_what_they_need(db: Db) {
        let served = served(db).await;
        let stop = CancellationToken::new();
        let _stop = stop.clone().drop_guard();
        tokio::spawn(delivery::run(served.console.messages.clone(), stop));
        let path = format!("/api/v1/accounts/{}/credentials-reset", served.ann);
        let body = json!({"what": "password", "reason": "the phone was stolen"});
        let got = post(&served, "admin-stepped-up", &path, body.clone()).await;
        assert_eq!(got.refusal(), (409, "contact.missing".into()), "nobody could sign in any more");
        addresses(&served).await;
        assert_eq!(post(&served, "admin", &path, body.clone()).await.refusal(), (403, "access.step_up_required".into()));
        let silent = post(&served, "admin-stepped-up", &path, json!({"what": "password"})).await;
        assert_eq!(silent.refusal(), (422, "request.reason".into()));
        assert_eq!(post(&served, "admin-stepped-up", &path, body).await.status, 204);
        let mut letters = Vec::new();
        for _ in 0..400 {
            letters = served.console.messages.kept_list(Page::default()).await.unwrap().items;
            if letters.len() == 3 {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(25)).await;
        }
        let text: Vec<_> = letters.into_iter().filter_map(|kept| kept.content).map(|c| (c.to, c.text)).collect();
        let digits = |text: &str| text.split(|c: char| !c.is_ascii_digit()).find(|word| word.len() == 6).map(str::to_owned);
        let code = text.iter().filter(|(to, _)| to == EMAIL).find_map(|(_, text)| digits(text)).unwrap();
        assert_eq!(text.iter().filter(|(to, _)| to == PHONE).count(), 1, "told at the other address too");
        let set = json!({"to": {"email": EMAIL}, "code": code, "password": "another horse"});
        let set = post(&served, "nobody", "/api/v1/password/reset", set).await;
        assert!(set.status.is_success(), "{}", String::from_utf8_lossy(&set.body));
    }

    async fn a_guardian_is_unmasked_with_a_reason_that_the_person_sees(db: Db) {
        let served = served(db).await;
        let Person { account, token, .. } = person(&served).await;
        let (by, path) = ("privacy_officer-stepped-up", format!("/api/v1/accounts/{account}/unmask"));
        let body = |fields: Value| json!({"fields": fields, "reason": "the guardian asks for erasure"});
        assert_eq!(post(&served, "privacy_officer", &path, body(json!(["guardian"]))).await.refusal(), (403, "access.step_up_required".into()));
        assert_eq!(post(&served, "admin-stepped-up", &path, body(json!(["guardian"]))).await.refusal(), (403, "access.denied".into()));
        let silent = post(&served, by, &path, json!({"fields": ["guardian"]})).await;
        assert_eq!(silent.refusal(), (422, "request.reason".into()));
        let before = served.console.audit.size().await.unwrap();
        let shown = post(&served, by, &path, body(json!(["guardian"]))).await.json();
        assert_eq!((&shown["guardian"], &shown["email"]), (&json!(GUARDIAN), &Value::Null));
        assert!(post(&served, by, &path, body(json!(["email"]))).await.json()["guardian"].is_null(), "who does not ask is not shown");
        let begun = served.console.audit.show(before).await.unwrap().unwrap();
        let kept = &begun.entry.kept;
        assert_eq!((kept.action.as_str(), kept.phase.as_str(), kept.fields.as_str()), ("account.unmask", "begun", "guardian"));
        assert_eq!(kept.subject, Some(account));
        assert_eq!(begun.reason.unwrap().reveal(), "the guardian asks for erasure");
        let looks = served.get("/api/v1/account/looks").by(&token).send().await.json();
        let look = looks["items"].as_array().unwrap().iter().find(|look| look["fields"] == json!(["guardian"])).unwrap();
        assert_eq!((&look["action"], &look["reason"]), (&json!("account.unmask"), &json!("the guardian asks for erasure")));
        // Somebody without a guardian has none to be shown.
        let none = post(&served, by, &format!("/api/v1/accounts/{}/unmask", served.ann), body(json!(["guardian"]))).await;
        assert_eq!((none.status.as_u16(), &none.json()["guardian"]), (200, &Value::Null));
    }

    async fn what_is_unmasked_is_recorded_first_and_seen_by_the_person(db: Db) {
        let served = served(db.clone()).await;
        addresses(&served).await;
        let staff = served.get("/api/v1/me").by("owner").send().await.json()["account"].as_str().unwrap().parse().unwrap();
        served.console.identity.role_grant(Acting::Operator, staff, "privacy_officer").await.unwrap();
        let (account, path) = (format!("/api/v1/accounts/{}", served.ann), format!("/api/v1/accounts/{}/unmask", served.ann));
        let body = json!({"fields": ["phone", "email"], "reason": "ticket 7: 机主来电"});
        for by in ["support-stepped-up", "admin-stepped-up", "ann"] {
            assert_eq!(post(&served, by, &path, body.clone()).await.refusal().0, 403, "{by}");
        }
        assert_eq!(post(&served, "privacy_officer", &path, body.clone()).await.refusal(), (403, "access.step_up_required".into()));
        let by = "privacy_officer-stepped-up";
        for wrong in [json!({"fields": ["phone"]}), json!({"fields": ["phone"], "reason": " "}), json!({"fields": ["phone"], "reason": "x".repeat(1001)})] {
            assert_eq!(post(&served, by, &path, wrong).await.refusal(), (422, "request.reason".into()));
        }
        assert_eq!(post(&served, by, &path, json!({"fields": ["password"], "reason": "x"})).await.refusal().0, 422);

        let before = served.console.audit.size().await.unwrap();
        let shown = post(&served, by, &path, body.clone()).await;
        let hide_at = served.clock.now().plus_micros(5 * 60_000_000).to_string();
        assert_eq!(shown.json(), json!({"email": EMAIL, "phone": PHONE, "hide_at": hide_at}));
        assert_eq!(shown.header("cache-control"), "no-store");
        // It grants nothing: what is shown afterwards is masked as before.
        assert!(!String::from_utf8_lossy(&served.get(&account).by(by).send().await.body).contains(EMAIL));
        let begun = served.console.audit.show(before).await.unwrap().unwrap();
        let kept = &begun.entry.kept;
        assert_eq!((kept.action.as_str(), kept.phase.as_str(), kept.fields.as_str()), ("account.unmask", "begun", "email,phone"));
        assert_eq!((kept.actor_role.as_deref(), kept.subject), (Some("privacy_officer"), Some(served.ann)));
        assert_eq!(begun.reason.unwrap().reveal(), "ticket 7: 机主来电");

        post(&served, "support", "/api/v1/accounts/search", json!({"email": EMAIL})).await;
        let looks = served.get("/api/v1/account/looks").by("ann").send().await.json();
        let seen: Vec<_> = looks["items"].as_array().unwrap().iter().map(|l| (l["action"].as_str().unwrap(), &l["roles"], &l["fields"], &l["reason"])).collect();
        let (none, unmasked) = (json!([]), json!(["email", "phone"]));
        assert_eq!(seen, [
            ("account.search", &json!(["privacy_officer"]), &none, &Value::Null),
            ("account.read", &json!(["privacy_officer"]), &none, &Value::Null),
            ("account.unmask", &json!(["privacy_officer"]), &unmasked, &json!("ticket 7: 机主来电")),
        ]);
        assert!(!looks.to_string().contains(&staff.to_string()), "never who it was");
        assert_eq!(served.get("/api/v1/account/looks").by("bob").send().await.json(), json!({"items": []}));
        let first = served.get("/api/v1/account/looks?limit=1").by("ann").send().await.json();
        let rest = served.get(&format!("/api/v1/account/looks?after={}", first["next"].as_str().unwrap())).by("ann").send().await;
        assert_eq!(rest.json()["items"].as_array().unwrap().len(), 2);

        // Where the log cannot be written nothing is shown.
        const BREAK: Sql = Sql::new("ALTER TABLE audit_entries RENAME TO audit_entries_away");
        db.write("test.break", |tx| Box::pin(async move { tx.execute(&BREAK, &[]).await })).await.unwrap();
        let refused = post(&served, by, &path, body).await;
        assert_eq!(refused.refusal(), (503, "audit.unavailable".into()));
        let read = served.get(&account).by(by).send().await;
        assert_eq!(read.refusal(), (503, "audit.unavailable".into()));
        for got in [refused, read] {
            let text = String::from_utf8_lossy(&got.body).into_owned();
            assert!(!text.contains(EMAIL) && !text.contains("5678"), "{text}");
        }
    }
}

//! People who cannot sign in, and guardians, ask for what is theirs or their wards', and for nobody else's.

use super::crawl::{EMAIL, GUARDIAN, Person, code, person};
use super::*;
use serde_json::json;
use tacit_identity::AccountChange;
use tacit_identity::choices::Matter;
use tacit_identity::codes::CodePurpose;
use tacit_identity::contacts::Contact;
use tacit_kernel::{Clock as _, Nano};
use tacit_storage::{Page, SqlText, WriteTx, both_engines};

const DESK: &str = "/api/v1/rights-desk";
const DAY: i64 = 86_400_000_000;

async fn post(served: &Served, path: &str, body: Value) -> Got {
    served.ask(Method::POST, &format!("{DESK}/{path}")).json(&body).send().await
}

fn with(entered: &Value, account: AccountId, rest: Value) -> Value {
    let mut body = json!({"pass": entered["pass"], "account": account});
    body.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
    body
}

/// To whom what was written, when all of it was sent.
async fn written(served: &Served) -> Vec<(String, String)> {
    let stop = tokio_util::sync::CancellationToken::new();
    let _stop = stop.clone().drop_guard();
    tokio::spawn(tacit_operations::messages::delivery::run(served.console.messages.clone(), stop));
    for _ in 0..400 {
        let waiting = served.console.messages.list(Page::default()).await.unwrap().items;
        if waiting.iter().all(|message| message.state != tacit_operations::messages::State::Waiting) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    let kept = served.console.messages.kept_list(Page::default()).await.unwrap().items;
    kept.into_iter().filter_map(|kept| kept.content).map(|content| (content.to, content.text)).collect()
}

async fn allows(served: &Served, account: AccountId) -> bool {
    served.console.identity.choices(account).await.unwrap().allows(Matter::Use)
}

async fn enter(served: &Served, email: &str) -> Value {
    let code = code(served, CodePurpose::Rights, &Contact::email(email).unwrap()).await;
    let body = json!({"to": {"email": email}, "code": secrecy::ExposeSecret::expose_secret(&code)});
    let entered = post(served, "enter", body.clone()).await;
    assert_eq!(entered.status, 200);
    assert_eq!(post(served, "enter", body).await.refusal(), (422, "code.wrong".into()), "a code is good once");
    entered.json()
}

both_engines! {
    async fn who_cannot_sign_in_asks_with_a_code(db: Db) {
        let served = served(db).await;
        let Person { account, .. } = person(&served).await;
        // Staff has disabled the account: nobody signs in to it.
        let off = AccountChange { enabled: Some(false), ..AccountChange::default() };
        served.console.identity.account_update(account, &off).await.unwrap();
        let entered = enter(&served, EMAIL).await;
        assert_eq!(entered["accounts"], json!([{"account": account, "guardian": false}]));
        let pass = entered["pass"].as_str().unwrap();
        assert!(!pass.contains(&account.to_string()));
        let with = |account: Value, rest: Value| {
            let mut body = json!({"pass": pass, "account": account});
            body.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
            body
        };
        let complaint = json!({"kind": "complaint", "text": "you locked me out"});
        let stranger = post(&served, "requests", with(json!(served.ann), complaint.clone())).await;
        assert_eq!(stranger.refusal(), (403, "rights_desk.account".into()));
        let forged = json!({"pass": pass.to_lowercase(), "account": account, "kind": "copy"});
        assert_eq!(post(&served, "requests", forged).await.refusal().0, 401);
        let made = post(&served, "requests", with(json!(account), complaint)).await.json();
        assert_eq!((&made["state"], &made["verified"], &made["asker"]), (&json!("open"), &json!("address"), &json!("person")));
        // Her copy, without anybody's help; her data restricted at once; her account erased only when somebody has looked.
        let copy = post(&served, "copy", with(json!(account), json!({}))).await;
        assert_eq!((copy.status.as_u16(), copy.header("content-type")), (200, "application/zip"));
        let restricted = post(&served, "requests", with(json!(account), json!({"kind": "restriction"}))).await.json();
        assert_eq!(restricted["state"], "fulfilled");
        assert!(!served.console.identity.choices(account).await.unwrap().allows(Matter::Use));
        let cancel = json!({"kind": "cancellation", "forfeits": true});
        let cancelled = post(&served, "requests", with(json!(account), cancel)).await.json();
        assert_eq!(cancelled["state"], "open");
        served.clock.advance_micros(20 * 60_000_000);
        assert_eq!(served.console.requests.cool().await.unwrap(), 0);
        let listed = post(&served, "requests/list", with(json!(account), json!({}))).await.json();
        assert_eq!(listed["items"].as_array().unwrap().len(), 3);
        let back = with(json!(account), json!({"request": cancelled["id"], "event": "withdraw"}));
        assert_eq!(post(&served, "requests/change", back).await.json()["state"], "withdrawn");
        let log = served.get("/api/v1/audit/entries?action=rights_request.make").by("auditor").send().await.json();
        assert!(log["items"].as_array().unwrap().iter().any(|entry| entry["subject"] == account.to_string()), "{log}");
        // Whoever reads her address was there: she sees it.
        let looks = served.console.audit.looks(account, None, 50).await.unwrap();
        for action in ["rights_desk.enter", "rights_desk.read", "data.copy"] {
            assert!(looks.iter().any(|look| look.action == action), "{action}: {looks:?}");
        }
        // Half an hour later the pass is none.
        served.clock.advance_micros(11 * 60_000_000);
        assert_eq!(post(&served, "requests/list", with(json!(account), json!({}))).await.refusal().0, 401);
    }

    async fn nobody_learns_who_has_an_account_and_an_address_is_not_always_enough(db: Db) {
        let served = served(db).await;
        let Person { account, token, .. } = person(&served).await;
        let wish = async |email: &str| {
            let body = json!({"purpose": "rights", "to": {"email": email}});
            let got = served.ask(Method::POST, "/api/v1/codes").json(&body).send().await;
            (got.status.as_u16(), got.body)
        };
        assert_eq!(wish("nobody@nowhere.example").await, wish(EMAIL).await);
        for email in ["nobody@nowhere.example", EMAIL] {
            let guess = post(&served, "enter", json!({"to": {"email": email}, "code": "000000"})).await;
            assert_eq!(guess.refusal(), (422, "code.wrong".into()), "{email}");
        }
        // A code for something else is none.
        let other = code(&served, CodePurpose::SignIn, &Contact::email(EMAIL).unwrap()).await;
        let body = json!({"to": {"email": EMAIL}, "code": secrecy::ExposeSecret::expose_secret(&other)});
        assert_eq!(post(&served, "enter", body).await.refusal().0, 422);
        let hers = served.ask(Method::POST, "/api/v1/account/requests").by(&token);
        let hers = hers.json(&json!({"kind": "complaint", "text": "a secret"})).send().await.json();
        // With a second factor she is asked for the copy's sake too.
        let begun = served.ask(Method::POST, "/api/v1/second-factor").by(&token).header("sec-fetch-site", "same-origin").send().await;
        let secret = totp_rs::Secret::try_from_base32(begun.json()["secret"].as_str().unwrap()).unwrap();
        let shown = totp_rs::Builder::new().with_secret(secret).build().unwrap().generate(served.clock.now().0.unsigned_abs() / 1_000_000);
        let confirm = served.ask(Method::POST, "/api/v1/second-factor/confirm").by(&token).json(&json!({"totp": shown.to_string()})).send().await;
        assert_eq!(confirm.status, 200, "{}", String::from_utf8_lossy(&confirm.body));
        let pass = enter(&served, EMAIL).await["pass"].clone();
        let body = json!({"pass": pass, "account": account});
        assert_eq!(post(&served, "copy", body).await.refusal(), (409, "rights_desk.copy".into()));
        // Nor is it to stop her calls, to read what she said signed in, or to take that back.
        let entered = json!({"pass": pass});
        let restricted = post(&served, "requests", with(&entered, account, json!({"kind": "restriction"}))).await.json();
        assert_eq!((&restricted["state"], allows(&served, account).await), (&json!("open"), true));
        let listed = post(&served, "requests/list", with(&entered, account, json!({}))).await.json();
        let seen = listed["items"].as_array().unwrap().iter().find(|seen| seen["id"] == hers["id"]).unwrap();
        assert_eq!((&seen["kind"], &seen["text"]), (&json!("complaint"), &Value::Null));
        let change = |id: &Value| with(&entered, account, json!({"request": id, "event": "withdraw"}));
        let refused = post(&served, "requests/change", change(&hers["id"])).await;
        assert_eq!(refused.refusal(), (409, "rights_desk.second_factor".into()));
        assert_eq!(post(&served, "requests/change", change(&restricted["id"])).await.json()["state"], "withdrawn");
    }

    async fn a_guardian_has_what_was_collected_of_a_minor_restricted_at_once_and_erased(db: Db) {
        let served = served(db).await;
        let Person { account, token, .. } = person(&served).await;
        let hers = served.ask(Method::POST, "/api/v1/account/requests").by(&token);
        let hers = hers.json(&json!({"kind": "complaint", "text": "mother must not read this"})).send().await.json();
        let entered = enter(&served, GUARDIAN).await;
        assert_eq!(entered["accounts"], json!([{"account": account, "guardian": true}]));
        let with = |rest: Value| with(&entered, account, rest);
        // What she asked for is hers, and so is her copy.
        assert_eq!(post(&served, "requests/list", with(json!({}))).await.json()["items"], json!([]));
        let change = with(json!({"request": hers["id"], "event": "withdraw"}));
        assert_eq!(post(&served, "requests/change", change).await.refusal().0, 404);
        assert_eq!(post(&served, "copy", with(json!({}))).await.refusal(), (409, "rights_desk.copy".into()));
        let asked = with(json!({"kind": "explanation", "text": "what do you hold?"}));
        let asked = post(&served, "requests", asked).await.json();
        let in_three_days = served.clock.now().plus_micros(3 * DAY).to_string();
        assert_eq!((&asked["asker"], &asked["due_at"]), (&json!("guardian"), &json!(in_three_days)));
        // Money is not the guardian's to give up, and it does not keep them from asking.
        let greedy = with(json!({"kind": "cancellation", "forfeits": true}));
        assert_eq!(post(&served, "requests", greedy).await.refusal(), (422, "rights_desk.forfeits".into()));
        let cancelled = post(&served, "requests", with(json!({"kind": "cancellation"}))).await.json();
        assert_eq!((&cancelled["state"], &cancelled["cooling_until"]), (&json!("cooling"), &json!(in_three_days)));
        assert_eq!(cancelled["forfeits"], Value::Null);
        assert!(!allows(&served, account).await, "not used from now on");
        served.clock.advance_micros(2 * DAY);
        assert_eq!(served.console.requests.cool().await.unwrap(), 0, "they may think about it");
        served.clock.advance_micros(DAY);
        assert_eq!(served.console.requests.cool().await.unwrap(), 0, "there is money");
        let left = served.console.requests.find(cancelled["id"].as_str().unwrap().parse().unwrap()).await.unwrap();
        assert_eq!(left.state, tacit_privacy::requests::State::Open, "staff looks at it");
        assert!(!allows(&served, account).await, "meanwhile");
        // The money is gone, and the guardian asks again.
        let entered = enter(&served, GUARDIAN).await;
        let back = json!({"pass": entered["pass"], "account": account, "request": cancelled["id"], "event": "withdraw"});
        assert_eq!(post(&served, "requests/change", back).await.json()["state"], "withdrawn");
        assert!(allows(&served, account).await, "it was taken back");
        let held = served.console.requests.may_cancel(account, Some(Nano(i64::MAX))).await.unwrap();
        served.console.ledger.adjust(account, Nano(-held.0), "given back").await.unwrap();
        let again = json!({"pass": entered["pass"], "account": account, "kind": "cancellation"});
        assert_eq!(post(&served, "requests", again).await.json()["state"], "cooling");
        served.clock.advance_micros(3 * DAY);
        assert_eq!(served.console.requests.cool().await.unwrap(), 1);
        assert!(served.console.keys.get(account.0).await.unwrap().is_none(), "nothing of the minor can be read");
    }

    async fn the_person_contests_what_a_guardian_asked_and_a_grown_up_is_not_a_minor(db: Db) {
        let served = served(db).await;
        let Person { account, token, .. } = person(&served).await;
        let entered = enter(&served, GUARDIAN).await;
        let cancel = json!({"kind": "cancellation", "text": "she reads too much"});
        let cancelled = post(&served, "requests", with(&entered, account, cancel)).await.json();
        assert_eq!(cancelled["state"], "cooling");
        // She sees that, and not the words; and she does not want it.
        let own = format!("/api/v1/account/requests/{}", cancelled["id"].as_str().unwrap());
        let listed = served.get("/api/v1/account/requests").by(&token).send().await.json();
        let seen = listed["items"].as_array().unwrap().iter().find(|seen| seen["id"] == cancelled["id"]).unwrap();
        assert_eq!((&seen["asker"], &seen["text"]), (&json!("guardian"), &Value::Null));
        let appeal = served.ask(Method::POST, &format!("{own}/reply")).by(&token).json(&json!({"text": "no"}));
        assert_eq!(appeal.send().await.refusal().0, 404);
        let contested = served.ask(Method::POST, &format!("{own}/withdraw")).by(&token).send().await.json();
        assert_eq!((&contested["state"], &contested["text"]), (&json!("open"), &Value::Null));
        served.clock.advance_micros(10 * DAY);
        assert_eq!(served.console.requests.cool().await.unwrap(), 0);
        assert!(served.console.keys.get(account.0).await.unwrap().is_some(), "staff decides");
        // Four years later she is grown up.
        served.clock.advance_micros(4 * 366 * DAY);
        let entered = enter(&served, GUARDIAN).await;
        let back = with(&entered, account, json!({"request": cancelled["id"], "event": "withdraw"}));
        assert_eq!(post(&served, "requests/change", back).await.json()["state"], "withdrawn");
        for kind in ["cancellation", "restriction"] {
            let late = post(&served, "requests", with(&entered, account, json!({"kind": kind}))).await.json();
            assert_eq!(late["state"], "open", "{kind}");
        }
        assert!(allows(&served, account).await);
    }

    async fn people_and_guardians_are_told_what_is_true(db: Db) {
        let served = served(db).await;
        let Person { account, .. } = person(&served).await;
        let entered = enter(&served, GUARDIAN).await;
        post(&served, "requests", with(&entered, account, json!({"kind": "cancellation"}))).await;
        let entered = enter(&served, EMAIL).await;
        post(&served, "requests", with(&entered, account, json!({"kind": "restriction"}))).await;
        let copy = post(&served, "copy", with(&entered, account, json!({}))).await;
        assert_eq!(copy.status, 200);
        let told = written(&served).await;
        let to = |address: &str| -> Vec<&str> {
            told.iter().filter(|(to, _)| to == address).map(|(_, text)| text.as_str()).collect()
        };
        let (hers, guardians) = (to(EMAIL), to(GUARDIAN));
        let count = |texts: &[&str], part: &str| texts.iter().filter(|text| text.contains(part)).count();
        assert_eq!(count(&hers, "came to the desk"), 2, "{hers:?}");
        assert_eq!(count(&hers, "took a copy of all"), 1, "{hers:?}");
        assert_eq!(count(&hers, "Your guardian asked for the deletion"), 1, "{hers:?}");
        assert_eq!(count(&hers, "is kept from now on and not used"), 1, "{hers:?}");
        assert_eq!(count(&hers, "You asked for the deletion"), 0, "{hers:?}");
        assert_eq!(count(&guardians, "You asked for the deletion of the account"), 1, "{guardians:?}");
        assert!(guardians.iter().all(|text| !text.contains("console")), "{guardians:?}");
    }

    async fn a_pass_does_not_outlive_the_address_and_refused_tries_count(db: Db) {
        let served = served(db).await;
        let Person { account, .. } = person(&served).await;
        let (hers, guardians) = (enter(&served, EMAIL).await, enter(&served, GUARDIAN).await);
        let list = async |entered: &Value| {
            let got = post(&served, "requests/list", with(entered, account, json!({}))).await;
            got.status.as_u16()
        };
        assert_eq!((list(&hers).await, list(&guardians).await), (200, 200));
        for sql in ["DELETE FROM account_contacts", "UPDATE account_profiles SET guardian_lookup = NULL"] {
            let change = async |tx: &mut WriteTx<'_>| tx.change(SqlText::new(sql)).await;
            let change = &change;
            let changed: Result<u64, tacit_storage::StorageError> =
                served.console.db.write("test.change", |tx| Box::pin(change(tx))).await;
            changed.unwrap();
        }
        assert_eq!((list(&hers).await, list(&guardians).await), (401, 401), "nobody reads it for them any more");
    }

    async fn what_is_refused_at_the_desk_counts(db: Db) {
        let served = served(db).await;
        let Person { account, .. } = person(&served).await;
        let entered = enter(&served, EMAIL).await;
        let mut codes = Vec::new();
        for _ in 0..12 {
            let got = post(&served, "requests", with(&entered, account, json!({"kind": "complaint"}))).await;
            codes.push(got.status.as_u16());
        }
        assert_eq!((codes[0], codes[11]), (422, 429), "{codes:?}");
    }
}

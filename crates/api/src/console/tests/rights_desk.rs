//! People who cannot sign in, and guardians, ask for what is theirs or their wards', and for nobody else's.

use super::crawl::{EMAIL, GUARDIAN, Person, code, person};
use super::*;
use serde_json::json;
use tacit_identity::AccountChange;
use tacit_identity::choices::Matter;
use tacit_identity::codes::CodePurpose;
use tacit_identity::contacts::Contact;
use tacit_kernel::Clock as _;
use tacit_storage::both_engines;

const DESK: &str = "/api/v1/rights-desk";

async fn post(served: &Served, path: &str, body: Value) -> Got {
    served.ask(Method::POST, &format!("{DESK}/{path}")).json(&body).send().await
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
        // With a second factor she is asked for the copy's sake too.
        let begun = served.ask(Method::POST, "/api/v1/second-factor").by(&token).header("sec-fetch-site", "same-origin").send().await;
        let secret = totp_rs::Secret::try_from_base32(begun.json()["secret"].as_str().unwrap()).unwrap();
        let shown = totp_rs::Builder::new().with_secret(secret).build().unwrap().generate(served.clock.now().0.unsigned_abs() / 1_000_000);
        let confirm = served.ask(Method::POST, "/api/v1/second-factor/confirm").by(&token).json(&json!({"totp": shown.to_string()})).send().await;
        assert_eq!(confirm.status, 200, "{}", String::from_utf8_lossy(&confirm.body));
        let pass = enter(&served, EMAIL).await["pass"].clone();
        let body = json!({"pass": pass, "account": account});
        assert_eq!(post(&served, "copy", body).await.refusal(), (409, "rights_desk.copy".into()));
    }

    async fn a_guardian_has_what_was_collected_of_a_minor_erased_at_once(db: Db) {
        let served = served(db).await;
        let Person { account, token, .. } = person(&served).await;
        let hers = served.ask(Method::POST, "/api/v1/account/requests").by(&token);
        let hers = hers.json(&json!({"kind": "complaint", "text": "mother must not read this"})).send().await.json();
        let entered = enter(&served, GUARDIAN).await;
        assert_eq!(entered["accounts"], json!([{"account": account, "guardian": true}]));
        let with = |rest: Value| {
            let mut body = json!({"pass": entered["pass"], "account": account});
            body.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
            body
        };
        // What she asked for is hers, and so is her copy.
        assert_eq!(post(&served, "requests/list", with(json!({}))).await.json()["items"], json!([]));
        let change = with(json!({"request": hers["id"], "event": "withdraw"}));
        assert_eq!(post(&served, "requests/change", change).await.refusal().0, 404);
        assert_eq!(post(&served, "copy", with(json!({}))).await.refusal(), (409, "rights_desk.copy".into()));
        let asked = post(&served, "requests", with(json!({"kind": "explanation", "text": "what do you hold?"}))).await.json();
        let due = served.clock.now().plus_micros(3 * 86_400_000_000).to_string();
        assert_eq!((&asked["asker"], &asked["due_at"]), (&json!("guardian"), &json!(due)));
        let cancel = with(json!({"kind": "cancellation", "forfeits": true}));
        assert_eq!(post(&served, "requests", cancel).await.json()["state"], "cooling");
        assert_eq!(served.console.requests.cool().await.unwrap(), 1, "without a time for reflection");
        assert!(served.console.keys.get(account.0).await.unwrap().is_none(), "nothing of the minor can be read");
    }
}

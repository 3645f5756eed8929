//! Nobody but who may is shown a person in clear: every route that there is, as every role, searched for the values of
//! somebody who is held. Routes are those of the router: a new one is in here by itself, or this asks what to send to it.

mod asked;
mod seeds;

pub(super) use seeds::{Person, code, person};

use super::own_data::files;
use super::*;
use crate::console::RouteAccess;
use crate::console::recording::{Recorded, action_of};
use asked::{REFUSED, asked, ends_something};
use seeds::{Things, fellows, things};
use serde_json::json;
use tacit_kernel::ids::{CallId, KeyId};
use tacit_storage::both_engines;
use utoipa_axum::routes;

pub(super) const EMAIL: &str = "wilhelmina.canary@canary-mail.example";
const PHONE: &str = "+8613987654321";
/// Of whoever consented for her.
pub(super) const GUARDIAN: &str = "gerda.waechter@canary-mail.example";
/// With what a channel is let in.
const CREDENTIAL: &str = "credential-of-the-crawl";
/// What of her must stand in no answer: also a number as identity cards have it, and what a call came from.
const CANARIES: [&str; 12] = [
    EMAIL,
    GUARDIAN,
    CREDENTIAL,
    "13987654321",
    "Wilhelmina",
    "wilhelmina",
    "11010519491231002X",
    "Kanarienvogel",
    "203.0.113.99",
    "CanaryBrowser",
    "198.51.100.77",
    "CanaryPhone",
];
/// Where they are shown in clear, for that they are there for.
const CLEAR: [&str; 7] = [
    "/api/v1/accounts/{account}/unmask",
    "/api/v1/call-records/{call}/unmask",
    "/api/v1/channels/{channel}/credentials/{credential}/reveal",
    "/api/v1/development-outbox/{message}/unmask",
    "/api/v1/rights-requests/{request}/details",
    "/api/v1/verification-reviews/{case}/details",
    "/api/v1/verification-reviews/{case}/papers/{paper}",
];
/// What those who are in an organisation with her call her: they know each other by name, and by nothing else.
const NAMES: [&str; 2] = ["Wilhelmina Canary", "laptop of Wilhelmina"];
/// Where such names stand.
const NAMED: &str = "/api/v1/organisations/{organisation}/members";
/// Where texts stand that look like an address and are none of anybody.
const EXAMPLES: &str = "/api/v1/openapi.json";

/// Texts that have the form of an e-mail address, a phone number, or a number of an identity card.
fn looks_personal(text: &str) -> Option<String> {
    let local = |c: char| c.is_ascii_alphanumeric() || "._%+-".contains(c);
    for (at, _) in text.match_indices('@') {
        let (before, after) = text.split_at(at);
        let name: String = before.chars().rev().take_while(|c| local(*c)).collect();
        let domain: String = after.chars().skip(1).take_while(|c| local(*c)).collect();
        if !name.is_empty() && domain.contains('.') {
            return Some(format!("an e-mail address at {domain}"));
        }
    }
    for word in text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '+' || c == '_')) {
        let digits = word.trim_start_matches('+');
        let all = digits.bytes().all(|b| b.is_ascii_digit());
        let abroad = word.starts_with('+') && all && (8..=15).contains(&digits.len());
        let mobile = all && digits.len() == 11 && digits.starts_with('1');
        let identity = digits.len() == 18
            && digits.get(..17).is_some_and(|d| d.bytes().all(|b| b.is_ascii_digit()))
            && digits.ends_with(|c: char| c.is_ascii_digit() || c == 'X' || c == 'x');
        if abroad || mobile || identity {
            return Some("a number of a person".to_owned());
        }
    }
    None
}

/// Whether it can matter there who asks. What one changes of one's own is the same for every role of staff, and what is done in an
/// organisation for all who are not in it.
fn matters(method: &str, access: Access, token: &str) -> bool {
    let few = ["ann", "tm-ann", "tm-owner", "owner-stepped-up", "org-owner-stepped-up"].contains(&token);
    match access {
        Access::Needs(_) => true,
        _ if method == "GET" => true,
        Access::Member(..) => few || token.contains("org-"),
        Access::Public | Access::SignedIn(_) => few,
    }
}

/// What an answer says; of an archive what is in it, since packed bytes hide what they say, and look like anything.
fn said(got: &Got) -> String {
    if got.header("content-type") != "application/zip" {
        return String::from_utf8_lossy(&got.body).into_owned();
    }
    let files = files(got.body.clone());
    files.iter().map(|(name, bytes)| format!("{name}\n{}\n", String::from_utf8_lossy(bytes))).collect()
}

/// Everything that is wrong with what somebody else is shown.
async fn crawl(served: &Served, table: &[RouteAccess]) -> Vec<String> {
    let person = person(served).await;
    let mut things = match table.iter().any(|route| route.path == NAMED) {
        true => things(served, &person).await,
        false => Things::default(),
    };
    let mut tokens = vec!["ann".to_owned(), "tm-ann".to_owned(), "tm-owner".to_owned()];
    for role in BuiltInRole::ALL {
        tokens.extend([role.as_str().to_owned(), format!("{}-stepped-up", role.as_str())]);
    }
    for role in OrganisationRole::ALL {
        tokens.extend([format!("org-{}", role.as_str()), format!("tm-org-{}", role.as_str())]);
        tokens.push(format!("org-{}-stepped-up", role.as_str()));
    }
    let (mut wrong, mut shown, mut named, mut requests) = (Vec::new(), [false; CLEAR.len()], false, 0_u32);
    for RouteAccess { method, path, demand } in table {
        if ends_something(method, path) {
            things.fellows = fellows(served, &person).await;
        }
        let Some((concrete, body)) = asked(method, path, &person, &things) else {
            wrong.push(format!("{method} {path}: say in `asked` what to ask for there"));
            continue;
        };
        let mut answered = false;
        for token in tokens.iter().filter(|token| matters(method, demand.access, token)) {
            let before = served.console.audit.size().await.unwrap();
            let asking = served.ask(method.parse().unwrap(), &concrete).by(token).header("idempotency-key", "crawl");
            // Each from a network of its own: what one guesses slows no other.
            requests += 1;
            let address = std::net::Ipv4Addr::from_bits(0x0a00_0000 | requests << 8);
            let asking = asking.header("x-forwarded-for", &address.to_string());
            let got = match &body {
                Some(body) => asking.json(body).send().await,
                None => asking.send().await,
            };
            answered |= got.status.is_success();
            let what = format!("{method} {path} by {token}");
            let written = served.console.audit.size().await.unwrap() - before;
            let headers = format!("{:?}", got.headers);
            let mut text = headers + &said(&got);
            let fellow = token.contains("org-") && matches!(demand.access, Access::Member(..));
            if fellow {
                named |= *path == NAMED && text.contains(NAMES[0]);
                text = NAMES.iter().fold(text, |text, name| text.replace(name, ""));
            }
            let place = CLEAR.iter().position(|clear| clear == path);
            if let Some(place) = place.filter(|_| got.status.is_success()) {
                shown[place] |= CANARIES.iter().any(|canary| text.contains(canary));
                if written < 2 {
                    wrong.push(format!("{what}: is not written down"));
                }
                continue;
            }
            if let Some(canary) = CANARIES.iter().find(|canary| text.contains(**canary)) {
                wrong.push(format!("{what}: shows {canary}"));
            }
            if let Some(form) = looks_personal(&text).filter(|_| path != EXAMPLES) {
                wrong.push(format!("{what}: shows {form}"));
            }
            // Whoever is shown is shown after it was written down.
            let about = text.contains(&person.account.to_string()) && !fellow || text.contains("****4321");
            let declared = matches!(action_of(&method.parse().unwrap(), path), Some(Recorded::As(..)));
            if got.status.is_success() && about && (!declared || written != 2) {
                wrong.push(format!("{what}: is not written down"));
            }
        }
        match REFUSED.iter().find(|(refused, of, _)| refused == method && of == path) {
            Some((_, _, reason)) if answered => wrong.push(format!("{method} {path}: answers, but {reason}")),
            None if !answered => wrong.push(format!("{method} {path}: answers nobody, so that nothing is proved")),
            _ => {}
        }
    }
    for (clear, _) in CLEAR.iter().zip(shown).filter(|(clear, shown)| !shown && table.iter().any(|r| r.path == **clear))
    {
        wrong.push(format!("{clear}: shows nothing, so that nothing is proved"));
    }
    if !named && table.iter().any(|route| route.path == NAMED) {
        wrong.push(format!("{NAMED}: shows no name, so that nothing is proved"));
    }
    wrong
}

both_engines! {
    async fn nobody_is_shown_in_clear(db: Db) {
        let served = served_with(db, Wishes { verification: verification::of_persons(), ..Wishes::default() }).await;
        let wrong = crawl(&served, &routes().table()).await;
        assert!(wrong.is_empty(), "{wrong:#?}");
    }

    async fn a_person_sees_their_own_in_clear(db: Db) {
        let served = served(db).await;
        let person = person(&served).await;
        let own = served.get("/api/v1/account").by(&person.token).send().await;
        let call = served.get(&format!("/api/v1/calls/{}", person.call)).by(&person.token).send().await;
        let text = String::from_utf8_lossy(&[own.body, call.body].concat()).into_owned();
        for canary in [EMAIL, PHONE, "Wilhelmina Canary", "11010519491231002X", "203.0.113.99", "CanaryBrowser/7.7"] {
            assert!(text.contains(canary), "{canary}: {text}");
        }
        // And nobody else's.
        let other = served.get(&format!("/api/v1/calls/{}", person.call)).by("ann").send().await;
        assert_eq!(other.refusal(), (404, "call.not_found".into()));
    }
}

#[utoipa::path(get, path = "/api/v1/leak", responses((status = 200, description = "")))]
async fn leak() -> &'static str {
    EMAIL
}

#[utoipa::path(get, path = "/api/v1/quiet", responses((status = 200, description = "")))]
async fn quiet() -> &'static str {
    "+86139****4321"
}

#[utoipa::path(get, path = "/api/v1/unknown/{thing}", responses((status = 200, description = "")))]
async fn unknown() -> &'static str {
    ""
}

#[test]
fn a_leak_is_found() {
    testing::run(tacit_storage::Engine::Sqlite, async |db| {
        let leaking = || {
            Routes::new()
                .add(Access::Needs(Permission::MoneyRead), routes!(leak))
                .add(Access::Needs(Permission::SystemWrite).stepped_up(), routes!(quiet))
                .add(Access::PERSON, routes!(unknown))
        };
        let served = served_with(db, Wishes { routes: leaking(), ..Wishes::default() }).await;
        let wrong = crawl(&served, &leaking().table()).await;
        let has = |text: &str| wrong.iter().any(|wrong| wrong == text);
        assert!(has("GET /api/v1/leak by support: shows wilhelmina.canary@canary-mail.example"), "{wrong:#?}");
        assert!(has("GET /api/v1/leak by tm-owner: shows an e-mail address at canary-mail.example"), "{wrong:#?}");
        assert!(has("GET /api/v1/quiet by admin-stepped-up: is not written down"), "{wrong:#?}");
        assert!(has("GET /api/v1/unknown/{thing}: say in `asked` what to ask for there"), "{wrong:#?}");
        assert!(
            !wrong.iter().any(|wrong| wrong.contains("leak by admin") || wrong.contains("quiet by support")),
            "{wrong:#?}"
        );
    });
}

#[test]
fn forms_of_personal_values_are_known() {
    for text in
        ["x\"a@b.example\"", "call +4930123456 now", "\"13912345678\"", "no. 11010519491231002X.", "110105194912310021"]
    {
        assert!(looks_personal(text).is_some(), "{text}");
    }
    for text in
        ["a***@b.example", "+86139****5678", "acct_01h455vb4pex5vsknk084sn02q", "1790000000000000", "user@host", "12"]
    {
        assert_eq!(looks_personal(text), None, "{text}");
    }
}

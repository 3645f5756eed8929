//! Nobody but who may is shown a person in clear: every route that there is, as every role, searched for the values of
//! somebody who is held. Routes are those of the router: a new one is in here by itself, or this asks what to send to it.

use super::*;
use crate::console::RouteAccess;
use crate::console::recording::{Recorded, action_of};
use serde_json::json;
use tacit_identity::codes::{CodePurpose, CodeWish};
use tacit_identity::contacts::Contact;
use tacit_identity::registration::{AgeBand, Language, Need, ProfileField, Registration, RegistrationRules};
use tacit_identity::sessions::Origin;
use tacit_kernel::call::{AgentFamily, CallSource, CallStatus, Endpoint, UsageSource};
use tacit_kernel::ids::{CallId, KeyId};
use tacit_kernel::rating::Usage;
use tacit_kernel::{Clock as _, Nano};
use tacit_ledger::journal::JournalBatch;
use tacit_ledger::settlement::{BegunCall, EndedCall, SessionBatch};
use tacit_storage::{WriteTx, both_engines};
use tacit_vault::Aad;
use utoipa_axum::routes;

const EMAIL: &str = "wilhelmina.canary@canary-mail.example";
const PHONE: &str = "+8613987654321";
/// What of her must stand in no answer: also a number as identity cards have it, and what a call came from.
const CANARIES: [&str; 10] = [
    EMAIL,
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
const CLEAR: [&str; 4] = [
    "/api/v1/accounts/{account}/unmask",
    "/api/v1/call-records/{call}/unmask",
    "/api/v1/verification-reviews/{case}/details",
    "/api/v1/verification-reviews/{case}/papers/{paper}",
];
/// What those who are in an organisation with her call her: they know each other by name, and by nothing else.
const NAMES: [&str; 2] = ["Wilhelmina Canary", "laptop of Wilhelmina"];
/// Where such names stand.
const NAMED: &str = "/api/v1/organisations/{organisation}/members";
/// Where texts stand that look like an address and are none of anybody.
const EXAMPLES: &str = "/api/v1/openapi.json";

/// Somebody of whom everything is held that can be.
pub(super) struct Person {
    pub(super) account: AccountId,
    pub(super) token: String,
    pub(super) key: KeyId,
    pub(super) call: CallId,
    group: tacit_kernel::ids::GroupId,
    seq: u64,
}

/// What she has with others: an organisation, a project in it, and a case that staff decides. By their ids.
#[derive(Default)]
struct Shared {
    organisation: String,
    project: String,
    case: String,
}

async fn code(served: &Served, purpose: CodePurpose, to: &Contact) -> secrecy::SecretString {
    let identity = &served.console.identity;
    let from = &Origin::new([198, 51, 100, 77].into(), "");
    let wish = async |tx: &mut WriteTx<'_>| identity.code_wish_in_tx(tx, purpose, to, from).await;
    let wish = &wish;
    match served.console.db.write("test.wish", |tx| Box::pin(wish(tx))).await.unwrap() {
        CodeWish::Send { code, .. } => code,
        other => panic!("{other:?}"),
    }
}

async fn registered(served: &Served) -> (AccountId, String) {
    let (email, phone) = (Contact::email(EMAIL).unwrap(), Contact::phone(PHONE, None).unwrap());
    let codes = (code(served, CodePurpose::Register, &email).await, code(served, CodePurpose::Register, &phone).await);
    let fields = [(ProfileField::Company, "Kanarienvogel GmbH"), (ProfileField::UseCase, "11010519491231002X")];
    let rules = RegistrationRules {
        phone: Need::Optional,
        profile: fields.iter().map(|(field, _)| (*field, Need::Optional)).collect(),
        ..RegistrationRules::default()
    };
    let asked = Registration {
        username: Some(Personal::new("Wilhelmina Canary".to_owned())),
        password: None,
        email: Some((email, codes.0)),
        phone: Some((phone, codes.1)),
        profile: fields.iter().map(|(field, text)| (*field, Personal::new((*text).to_owned()))).collect(),
        age: AgeBand::Adult,
        guardian: None,
        invitation: None,
        identity: None,
        language: Language::En,
    };
    let group = served.console.identity.group_by_name("default").await.unwrap().unwrap().id;
    let origin = Origin::new([198, 51, 100, 77].into(), "CanaryPhone on Linux");
    let signed_in = Box::pin(served.console.identity.register(&rules, &asked, group, &origin)).await.unwrap();
    (signed_in.session.account, signed_in.token.expose_secret().to_owned())
}

/// A call of hers, free, with the address and the user agent that the gateway sealed.
async fn called(served: &Served, account: AccountId, key: KeyId) -> CallId {
    let Console { identity, ledger, .. } = &served.console;
    let session = ledger.session_open("gateway", "1", true).await.unwrap().session;
    let seal = identity.account_call_seal_key(account).await.unwrap().unwrap();
    let call = CallId::fresh();
    let sealed = |column, text: &str| Some(seal.seal(&Aad { table: "calls", column, row: call.0 }, text.as_bytes()));
    let begun = BegunCall {
        call,
        key,
        account,
        group: identity.group_by_name("default").await.unwrap().unwrap().id,
        group_multiplier: Ppm::ONE,
        model: None,
        model_name: None,
        price: None,
        channel: None,
        provider: None,
        credential: None,
        channel_multiplier: Ppm::ONE,
        started_at: served.clock.now(),
        reserved: Nano(0),
        input_estimate: 0,
        endpoint: Endpoint::ChatCompletions,
        stream: false,
        source: CallSource::Api,
    };
    let ended = EndedCall {
        begun: begun.clone(),
        status: CallStatus::Completed,
        error: None,
        http_status: 200,
        usage: Usage::default(),
        usage_source: UsageSource::Provider,
        amount: Nano(0),
        capped: false,
        first_byte_micros: Some(1),
        duration_micros: 2,
        concurrency: 1,
        agent: AgentFamily::Curl,
        sealed_ip: sealed("ip", "203.0.113.99"),
        sealed_user_agent: sealed("user_agent", "CanaryBrowser/7.7"),
        risk_marks: 0,
        tried: 0,
        failed: vec![],
    };
    let batch = SessionBatch { session, batch: 1, begun: vec![begun], ended: vec![ended], aside: vec![] };
    // What is settled lay in the journal before.
    let events = JournalBatch { session, batch: 1, events: vec![0] };
    tacit_ledger::Journal::new(ledger.clone()).write(&[events]).await.unwrap();
    tacit_ledger::Settler::new(ledger.clone()).commit(&[batch], &|_| None).await.unwrap();
    call
}

pub(super) async fn person(served: &Served) -> Person {
    let (account, token) = registered(served).await;
    let name = Personal::new("laptop of Wilhelmina".to_owned());
    let key = served.console.identity.key_create(account, &name, CallSource::Api, &Limits::default()).await;
    let key = key.unwrap().0.id;
    served.console.ledger.top_up(account, Nano(5 * Nano::UNIT), "seed").await.unwrap();
    let call = called(served, account, key).await;
    // An entry about her, written by whoever looked first.
    let seq = served.console.audit.size().await.unwrap();
    served.get(&format!("/api/v1/accounts/{account}")).by("owner").send().await;
    let group = served.console.identity.group_by_name("default").await.unwrap().unwrap().id;
    Person { account, token, key, call, group, seq }
}

/// Makes her a member of an organisation in which she has a key, and which has invited her anew; and shows staff who she is.
async fn shared(served: &Served, Person { account, token, .. }: &Person) -> Shared {
    let organisation = served.organisation().await;
    served.joins(organisation, OrganisationRole::Developer, *account).await;
    let made = async |by: &str, what: &str, body: Value| {
        let asking = served.ask(Method::POST, &format!("/api/v1/organisations/{organisation}/{what}")).by(by);
        let got = asking.json(&body).send().await;
        assert_eq!(got.status, 201, "{what}: {}", String::from_utf8_lossy(&got.body));
        got.json()
    };
    let project = made("org-admin", "projects", json!({ "name": "looms" })).await["id"].as_str().unwrap().to_owned();
    made(token, "keys", json!({ "name": "laptop of Wilhelmina", "project": project })).await;
    made("org-admin", "invitations", json!({ "to": { "email": EMAIL }, "role": "viewer", "language": "en" })).await;
    let offer = served.ask(Method::PUT, &format!("/api/v1/organisations/{organisation}/ownership-offer"));
    let offered = offer.by("org-owner-stepped-up").json(&json!({ "account": account })).send().await;
    assert_eq!(offered.status, 200, "{}", String::from_utf8_lossy(&offered.body));
    let said = json!({ "name": "Wilhelmina Canary", "document": "id_card", "number": "11010519491231002X" });
    // Of one that was decided there is a note; the other waits.
    let noted = served.submitted(token, &said, b"\xff\xd8\xff\xe0 Wilhelmina").await;
    let verdict = json!({ "verdict": "rejected", "reason": "other", "note": "11010519491231002X is not Wilhelmina" });
    let path = format!("/api/v1/verification-reviews/{noted}/verdict");
    assert_eq!(served.ask(Method::POST, &path).by("risk-stepped-up").json(&verdict).send().await.status, 200);
    let case = served.submitted(token, &said, b"\xff\xd8\xff\xe0 Wilhelmina").await;
    Shared { organisation: organisation.to_string(), project, case }
}

/// What to ask for at a route, about her. `None`: nobody has said.
fn asked(method: &str, path: &str, person: &Person, shared: &Shared) -> Option<(String, Option<Value>)> {
    let because = json!({"reason": "a crawl"});
    let body = match (method, path) {
        ("GET", _) => None,
        ("POST", "/api/v1/accounts") => Some(json!({"name": "Wilhelmina Canary", "group": "default"})),
        ("POST", "/api/v1/accounts/search") => Some(json!({"email": EMAIL})),
        ("POST", "/api/v1/accounts/{account}/keys") => Some(json!({"name": "crawled"})),
        ("PATCH", "/api/v1/accounts/{account}" | "/api/v1/accounts/{account}/keys/{key}") => Some(json!({})),
        ("DELETE", "/api/v1/accounts/{account}/sessions") => None,
        ("POST", "/api/v1/accounts/{account}/credentials-reset") => {
            Some(json!({"what": "second_factor", "reason": "a crawl"}))
        }
        ("POST", "/api/v1/accounts/{account}/unmask") => {
            Some(json!({"fields": ["name", "email", "phone", "profile"], "reason": "a crawl"}))
        }
        ("POST", "/api/v1/accounts/{account}/movements") => {
            Some(json!({"kind": "grant", "amount": "1", "reason": "a crawl"}))
        }
        ("POST", "/api/v1/call-records/{call}/unmask") => Some(because),
        ("PUT" | "DELETE", "/api/v1/roles/{role}") => Some(json!({"permissions": []})),
        ("PUT" | "DELETE", "/api/v1/staff/{account}/roles/{role}") => None,
        ("PATCH", "/api/v1/groups/{group}") => Some(json!({"multiplier": "1"})),
        // Things of the platform, which are nobody's.
        (
            "DELETE",
            "/api/v1/groups/{group}"
            | "/api/v1/providers/{provider}"
            | "/api/v1/channels/{channel}"
            | "/api/v1/registered-models/{model}",
        ) => None,
        ("POST", "/api/v1/groups") => Some(json!({"name": "crawled", "multiplier": "1"})),
        ("POST", "/api/v1/providers" | "/api/v1/channels" | "/api/v1/registered-models") => {
            Some(json!({"name": "crawled"}))
        }
        (
            "PATCH",
            "/api/v1/providers/{provider}" | "/api/v1/channels/{channel}" | "/api/v1/registered-models/{model}",
        ) => Some(json!({})),
        ("POST", "/api/v1/registered-models/{model}/prices") => Some(json!({})),
        ("POST", "/api/v1/channels/{channel}/credentials/{credential}/reveal") => Some(because),
        ("POST", "/api/v1/set-aside/{event}/settle" | "/api/v1/set-aside/{event}/drop") => None,
        ("POST", "/api/v1/organisations/{organisation}/reopen") => None,
        (
            "POST",
            "/api/v1/verification-reviews/{case}/details" | "/api/v1/verification-reviews/{case}/papers/{paper}",
        ) => Some(because),
        ("POST", "/api/v1/verification-reviews/{case}/verdict") => Some(json!({"verdict": "approved"})),
        (
            "PATCH",
            "/api/v1/organisations/{organisation}/members/{member}"
            | "/api/v1/organisations/{organisation}/projects/{project}",
        ) => Some(json!({})),
        _ => return None,
    };
    let path = path
        .replace("{organisation}", &shared.organisation)
        .replace("{member}", &person.account.to_string())
        .replace("{project}", &shared.project)
        .replace("{passkey}", "pass_01h455vb4pex5vsknk084sn02q")
        .replace("{case}", &shared.case)
        .replace("{paper}", "id_card_front")
        .replace("{group}", &person.group.to_string())
        .replace("{provider}", "prov_01h455vb4pex5vsknk084sn02q")
        .replace("{channel}", "chan_01h455vb4pex5vsknk084sn02q")
        .replace("{credential}", "cred_01h455vb4pex5vsknk084sn02q")
        .replace("{model}", "model_01h455vb4pex5vsknk084sn02q")
        .replace("{event}", "evt_01h455vb4pex5vsknk084sn02q")
        .replace("{account}", &person.account.to_string())
        .replace("{key}", &person.key.to_string())
        .replace("{call}", &person.call.to_string())
        .replace("{page}", "cookies")
        .replace("{role}", "crawlers")
        .replace("{seq}", &person.seq.to_string());
    (!path.contains('{')).then_some((path, body))
}

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

/// Routes that answer nobody of the crawl, which proves of them no more than that they are refused; with the reason. A route
/// that is neither here nor answers somebody is an error, and so is one that is here and answers.
const REFUSED: &[(&str, &str, &str)] = &[
    ("GET", "/api/v1/keys/{key}", OWN),
    ("GET", "/api/v1/calls/{call}", OWN),
    ("GET", "/api/v1/verification/cases/{case}", OWN),
    ("GET", "/api/v1/management-keys/{key}", ABSENT),
    ("GET", "/api/v1/account/passkeys/{passkey}", ABSENT),
    ("GET", "/api/v1/organisations/{organisation}/keys/{key}", ABSENT),
    ("PUT", "/api/v1/staff/{account}/roles/{role}", ABSENT),
    ("DELETE", "/api/v1/staff/{account}/roles/{role}", ABSENT),
    ("GET", "/api/v1/providers/{provider}", ABSENT),
    ("PATCH", "/api/v1/providers/{provider}", ABSENT),
    ("DELETE", "/api/v1/providers/{provider}", ABSENT),
    ("GET", "/api/v1/channels/{channel}", ABSENT),
    ("PATCH", "/api/v1/channels/{channel}", ABSENT),
    ("DELETE", "/api/v1/channels/{channel}", ABSENT),
    ("POST", "/api/v1/channels/{channel}/credentials/{credential}/reveal", ABSENT),
    ("GET", "/api/v1/registered-models/{model}", ABSENT),
    ("PATCH", "/api/v1/registered-models/{model}", ABSENT),
    ("DELETE", "/api/v1/registered-models/{model}", ABSENT),
    ("DELETE", "/api/v1/groups/{group}", "she is in it"),
    ("GET", "/api/v1/registered-models/{model}/prices", ABSENT),
    ("POST", "/api/v1/registered-models/{model}/prices", "what is sent is not whole"),
    ("POST", "/api/v1/set-aside/{event}/settle", ABSENT),
    ("POST", "/api/v1/set-aside/{event}/drop", ABSENT),
    ("POST", "/api/v1/accounts", "her name is taken"),
    ("POST", "/api/v1/providers", "what is sent is not whole"),
    ("POST", "/api/v1/channels", "what is sent is not whole"),
];
const OWN: &str = "it is hers, and she is not among those who ask";
const ABSENT: &str = "the crawl has no such thing";

/// Everything that is wrong with what somebody else is shown.
async fn crawl(served: &Served, table: &[RouteAccess]) -> Vec<String> {
    let person = person(served).await;
    let shared = match table.iter().any(|route| route.path == NAMED) {
        true => shared(served, &person).await,
        false => Shared::default(),
    };
    let mut tokens = vec!["ann".to_owned(), "tm-ann".to_owned(), "tm-owner".to_owned()];
    for role in BuiltInRole::ALL {
        tokens.extend([role.as_str().to_owned(), format!("{}-stepped-up", role.as_str())]);
    }
    for role in OrganisationRole::ALL {
        tokens.extend([format!("org-{}", role.as_str()), format!("tm-org-{}", role.as_str())]);
    }
    let (mut wrong, mut shown, mut named) = (Vec::new(), [false; CLEAR.len()], false);
    for RouteAccess { method, path, demand } in table {
        let Some((concrete, body)) = asked(method, path, &person, &shared) else {
            // What somebody does with their own is theirs.
            if matches!(demand.access, Access::Needs(_)) || *method == "GET" {
                wrong.push(format!("{method} {path}: say in `asked` what to ask for there"));
            }
            continue;
        };
        let mut answered = false;
        for token in &tokens {
            let before = served.console.audit.size().await.unwrap();
            let asking = served.ask(method.parse().unwrap(), &concrete).by(token).header("idempotency-key", "crawl");
            let got = match &body {
                Some(body) => asking.json(body).send().await,
                None => asking.send().await,
            };
            answered |= got.status.is_success();
            let what = format!("{method} {path} by {token}");
            let written = served.console.audit.size().await.unwrap() - before;
            let headers = format!("{:?}", got.headers);
            let mut text = headers + &String::from_utf8_lossy(&got.body);
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

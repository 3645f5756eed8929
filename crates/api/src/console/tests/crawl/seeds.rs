//! Somebody of whom everything is held that can be, and what is around her.

use super::*;
use crate::console::tests::called::called;
use tacit_identity::access::Permissions;
use tacit_identity::codes::{CodePurpose, CodeWish};
use tacit_identity::contacts::Contact;
use tacit_identity::registration::{AgeBand, Language, Need, ProfileField, Registration, RegistrationRules};
use tacit_identity::sessions::Origin;
use tacit_kernel::call::CallSource;
use tacit_kernel::{Clock as _, Nano};
use tacit_operations::messages::delivery;
use tacit_storage::WriteTx;
use tokio_util::sync::CancellationToken;

/// Somebody of whom everything is held that can be.
pub(in crate::console::tests) struct Person {
    pub(in crate::console::tests) account: AccountId,
    pub(in crate::console::tests) token: String,
    pub(in crate::console::tests) key: KeyId,
    pub(in crate::console::tests) call: CallId,
    pub(super) group: tacit_kernel::ids::GroupId,
    pub(super) seq: u64,
}

/// What there is beside her, by ids: what she has with others, and things of the platform.
#[derive(Default)]
pub(super) struct Things {
    pub(super) fellows: Fellows,
    pub(super) case: String,
    pub(super) management_key: String,
    pub(super) session: String,
    pub(super) provider: String,
    pub(super) recipient: String,
    pub(super) disclosure: String,
    pub(super) channel: String,
    pub(super) credential: String,
    pub(super) model: String,
    pub(super) event: String,
    pub(super) message: String,
    pub(super) request: String,
    pub(super) incident: String,
    /// An incident of which all is said.
    pub(super) told: String,
}

/// An organisation that she is in, and what is hers or about her there.
#[derive(Default)]
pub(super) struct Fellows {
    pub(super) organisation: String,
    pub(super) project: String,
    pub(super) key: String,
    pub(super) invitation: String,
}

pub(in crate::console::tests) async fn code(
    served: &Served,
    purpose: CodePurpose,
    to: &Contact,
) -> secrecy::SecretString {
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
    let guardian = Contact::email(GUARDIAN).unwrap();
    let codes = (code(served, CodePurpose::Register, &email).await, code(served, CodePurpose::Register, &phone).await);
    let consent = code(served, CodePurpose::Guardian, &guardian).await;
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
        age: AgeBand::Under18,
        guardian: Some((guardian, consent)),
        invitation: None,
        identity: None,
        language: Language::En,
    };
    let group = served.console.identity.group_by_name("default").await.unwrap().unwrap().id;
    let origin = Origin::new([198, 51, 100, 77].into(), "CanaryPhone on Linux");
    let signed_in = Box::pin(served.console.identity.register(&rules, &asked, group, &origin)).await.unwrap();
    (signed_in.session.account, signed_in.token.expose_secret().to_owned())
}

pub(in crate::console::tests) async fn person(served: &Served) -> Person {
    let (account, token) = registered(served).await;
    let name = Personal::new("laptop of Wilhelmina".to_owned());
    let key = served.console.identity.key_create(account, &name, CallSource::Api, &Limits::default()).await;
    let key = key.unwrap().0.id;
    served.console.ledger.top_up(account, Nano(5 * Nano::UNIT), "seed").await.unwrap();
    let Console { identity, ledger, .. } = &served.console;
    let call = called(identity, ledger, served.clock.now(), (account, key)).await.unwrap();
    // An entry about her, written by whoever looked first.
    let seq = served.console.audit.size().await.unwrap();
    served.get(&format!("/api/v1/accounts/{account}")).by("owner").send().await;
    let group = served.console.identity.group_by_name("default").await.unwrap().unwrap().id;
    Person { account, token, key, call, group, seq }
}

/// Makes by a request of staff, or of a member; gives the answer.
async fn made(served: &Served, by: &str, path: &str, body: Value) -> Value {
    let got = served.ask(Method::POST, path).by(by).json(&body).send().await;
    assert!(got.status.is_success(), "{path}: {}", String::from_utf8_lossy(&got.body));
    got.json()
}

fn id(made: &Value) -> String {
    made["id"].as_str().unwrap().to_owned()
}

/// Makes her a member of an organisation in which she has a key, and which has invited her anew, and offers it to her.
pub(super) async fn fellows(served: &Served, Person { account, .. }: &Person) -> Fellows {
    // She is not written to too often.
    served.clock.advance_micros(25 * 3_600_000_000);
    let organisation = served.organisation().await;
    served.joins(organisation, OrganisationRole::Developer, *account).await;
    let path = |what: &str| format!("/api/v1/organisations/{organisation}/{what}");
    let project = id(&made(served, "org-admin", &path("projects"), json!({ "name": "looms" })).await);
    // By whoever may for others: her sign-ins may have been ended meanwhile.
    let key = json!({ "name": "laptop of Wilhelmina", "project": project, "member": account });
    let key = made(served, "org-admin", &path("keys"), key).await["key"].clone();
    let invited = json!({ "to": { "email": EMAIL }, "role": "viewer", "language": "en" });
    let invitation = id(&made(served, "org-admin", &path("invitations"), invited).await);
    let offer = served.ask(Method::PUT, &path("ownership-offer"));
    let offered = offer.by("org-owner-stepped-up").json(&json!({ "account": account })).send().await;
    assert_eq!(offered.status, 200, "{}", String::from_utf8_lossy(&offered.body));
    Fellows { organisation: organisation.to_string(), project, key: id(&key), invitation }
}

/// Shows staff who she is. Of a case that was decided there is a note; another waits.
async fn cases(served: &Served, token: &str) -> String {
    let said = json!({ "name": "Wilhelmina Canary", "document": "id_card", "number": "11010519491231002X" });
    let noted = served.submitted(token, &said, b"\xff\xd8\xff\xe0 Wilhelmina").await;
    let verdict = json!({ "verdict": "rejected", "reason": "other", "note": "11010519491231002X is not Wilhelmina" });
    made(served, "risk-stepped-up", &format!("/api/v1/verification-reviews/{noted}/verdict"), verdict).await;
    served.submitted(token, &said, b"\xff\xd8\xff\xe0 Wilhelmina").await
}

/// A letter to her that a development platform kept: the verdict's, in her words of nobody.
async fn letter(served: &Served, account: AccountId) -> String {
    let stop = CancellationToken::new();
    let _stop = stop.clone().drop_guard();
    tokio::spawn(delivery::run(served.console.messages.clone(), stop));
    for _ in 0..400 {
        let kept = served.console.messages.kept_list(tacit_storage::Page::default()).await.unwrap().items;
        if let Some(kept) = kept.into_iter().find(|kept| kept.account == Some(account)) {
            return kept.id.to_string();
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    panic!("no letter to her is kept");
}

pub(super) async fn things(served: &Served, person: &Person) -> Things {
    let (by, identity) = ("owner-stepped-up", &served.console.identity);
    let case = cases(served, &person.token).await;
    let fellows = fellows(served, person).await;
    let message = letter(served, person.account).await;
    let asked = json!({ "kind": "explanation", "text": "Why does Wilhelmina wait?" });
    let request = id(&made(served, &person.token, "/api/v1/account/requests", asked).await);
    let incident = incidents::of(served, person.account).await.to_string();
    let told = incidents::whole(served, person.account).await.to_string();
    let deploy = &Personal::new("deploys of Wilhelmina".to_owned());
    let make = async |tx: &mut WriteTx<'_>| {
        let nothing = (Scopes::NONE, Permissions::NONE);
        identity.management_key_create_in_tx(tx, person.account, deploy, nothing, None).await
    };
    let make = &make;
    let (management_key, _) = served.console.db.write("test.make", |tx| Box::pin(make(tx))).await.unwrap();
    let session =
        identity.session_list(person.account, tacit_storage::Page::default()).await.unwrap().items.remove(0).id;
    let provider = json!({ "name": "acme", "dialect": "openai", "base_url": "https://api.acme.example" });
    let provider = id(&made(served, by, "/api/v1/providers", provider).await);
    let recipient = json!({ "name": "Acme Ltd.", "kind": "model_provider", "role": "processor", "country": "DE",
        "purposes": ["essential.service.ai_inference"] });
    let recipient = id(&made(served, by, "/api/v1/recipients", recipient).await);
    let disclosure = json!({ "account": person.account, "ground": "criminal_proceedings", "fields": ["name"],
        "authority": "court of Canaries", "because": "order 56/78" });
    let disclosure = id(&made(served, by, "/api/v1/disclosures", disclosure).await);
    let credentials = json!([{ "name": "first", "secret": CREDENTIAL }]);
    let channel = json!({ "name": "main", "provider": "acme", "credentials": credentials });
    let channel = made(served, by, "/api/v1/channels", channel).await;
    let model = json!({ "name": "acme-large", "owned_by": "acme" });
    let model = id(&made(served, by, "/api/v1/registered-models", model).await);
    let watchers = served.ask(Method::PUT, "/api/v1/roles/watchers").by(by).json(&json!({ "permissions": [] })).send();
    assert!(watchers.await.status.is_success());
    let aside = served.console.ledger.aside_list(true, tacit_storage::Page::default()).await.unwrap().items;
    Things {
        fellows,
        case,
        management_key: management_key.id.to_string(),
        session: session.to_string(),
        provider,
        recipient,
        disclosure,
        credential: id(&channel["credentials"][0]),
        channel: id(&channel),
        model,
        event: aside.first().unwrap().id.to_string(),
        message,
        request,
        incident,
        told,
    }
}

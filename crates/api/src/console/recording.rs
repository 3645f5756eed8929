//! What the audit log says of requests to the console. A request that changes something is written down before its handler
//! runs, or refused; a second entry tells the outcome. What a request is stands in [`action_of`]; a test walks all routes and
//! finds one that is missing there, and the guard refuses it.

use super::reasons::{LookFor, Reasoned};
use super::unmask::Field;
use super::{Client, Console, Signed};
use crate::forms::audit::place;
use crate::problem::{Refusal, RefusalCode};
use axum::http::{Method, Uri};
use axum::response::Response;
use serde::Deserialize;
use serde_json::value::RawValue;
use std::collections::HashMap;
use tacit_identity::access::{Permission, Via};
use tacit_identity::verification::PaperKind;
use tacit_kernel::audit::{Action, ObjectKind, Phase};
use tacit_kernel::ids::{
    AccountId, CallId, DisclosureId, EventId, IncidentId, MessageId, RightsRequestId, VerificationId,
};
use tacit_kernel::{ErrorKind, Fault, Personal};
use tacit_storage::audit::{Actor, NewEntry, Object};

/// What is recorded of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Recorded {
    /// It shows what is the caller's own, or nobody's, or asks a question.
    Nothing,
    /// This, with that.
    As(Action, ObjectKind),
}

/// Every route, by method and path as it was registered; `None`: it is missing here.
pub(super) fn action_of(method: &Method, path: &str) -> Option<Recorded> {
    use Action as A;
    use ObjectKind as O;
    let recorded = match (method.as_str(), path) {
        // Of reads only those that show what is somebody else's.
        ("GET" | "HEAD", "/api/v1/staff") => (A::StaffList, O::Role),
        ("GET" | "HEAD", "/api/v1/accounts") => (A::AccountList, O::Account),
        ("GET" | "HEAD", "/api/v1/accounts/{account}") => (A::AccountRead, O::Account),
        ("GET" | "HEAD", "/api/v1/accounts/{account}/keys") => (A::KeyList, O::Key),
        ("GET" | "HEAD", "/api/v1/accounts/{account}/keys/{key}") => (A::KeyRead, O::Key),
        ("GET" | "HEAD", "/api/v1/accounts/{account}/choices") => (A::ChoiceList, O::Account),
        ("GET" | "HEAD", "/api/v1/accounts/{account}/wallet") => (A::WalletRead, O::Wallet),
        ("GET" | "HEAD", "/api/v1/accounts/{account}/entries" | "/api/v1/ledger/entries") => (A::LedgerList, O::Ledger),
        ("GET" | "HEAD", "/api/v1/audit/entries") => (A::AuditList, O::Audit),
        ("GET" | "HEAD", "/api/v1/audit/entries/{seq}") => (A::AuditRead, O::Audit),
        ("GET" | "HEAD", "/api/v1/sent-messages") => (A::MessageList, O::Message),
        ("GET" | "HEAD", "/api/v1/development-outbox") => (A::MessageList, O::Message),
        ("GET" | "HEAD", "/api/v1/set-aside") => (A::EventList, O::Event),
        ("GET" | "HEAD", "/api/v1/call-records") => (A::CallList, O::Call),
        ("GET" | "HEAD", "/api/v1/call-records/{call}") => (A::CallRead, O::Call),
        ("GET" | "HEAD", "/api/v1/rights-requests") => (A::RightsRequestList, O::RightsRequest),
        ("GET" | "HEAD", "/api/v1/rights-requests/{request}") => (A::RightsRequestRead, O::RightsRequest),
        ("GET" | "HEAD", "/api/v1/incidents/{incident}") => (A::IncidentRead, O::Incident),
        ("GET" | "HEAD", "/api/v1/incidents/{incident}/subjects") => (A::IncidentSubjects, O::Incident),
        ("GET" | "HEAD", "/api/v1/verification-reviews") => (A::VerificationList, O::Verification),
        ("GET" | "HEAD", "/api/v1/verification-reviews/{case}") => (A::VerificationRead, O::Verification),
        ("GET" | "HEAD", "/api/v1/disclosures") => (A::DisclosureList, O::Disclosure),
        ("GET" | "HEAD", "/api/v1/disclosures/{disclosure}") => (A::DisclosureRead, O::Disclosure),
        ("GET" | "HEAD", _) => return Some(Recorded::Nothing),
        // A route of the tests of the guard.
        #[cfg(test)]
        ("POST", "/api/v1/plain") => return Some(Recorded::Nothing),
        ("PUT", "/api/v1/account/choices/{matter}") => (A::ChoiceMake, O::Account),
        ("POST", "/api/v1/account/deletions") => (A::DataDelete, O::Account),
        ("POST", "/api/v1/account/copy") => (A::DataCopy, O::Account),
        ("POST", "/api/v1/rights-desk/enter") => (A::RightsDeskEnter, O::RightsRequest),
        ("POST", "/api/v1/rights-desk/requests") => (A::RightsRequestMake, O::RightsRequest),
        ("POST", "/api/v1/rights-desk/requests/list") => (A::RightsDeskRead, O::RightsRequest),
        ("POST", "/api/v1/rights-desk/requests/change") => (A::RightsRequestChange, O::RightsRequest),
        ("POST", "/api/v1/rights-desk/copy") => (A::DataCopy, O::Account),
        ("POST", "/api/v1/account/requests") => (A::RightsRequestMake, O::RightsRequest),
        (
            "POST",
            "/api/v1/account/requests/{request}/withdraw"
            | "/api/v1/account/requests/{request}/reply"
            | "/api/v1/account/requests/{request}/appeal",
        ) => (A::RightsRequestChange, O::RightsRequest),
        ("POST", "/api/v1/rights-requests/{request}/details") => (A::RightsRequestReveal, O::RightsRequest),
        ("POST", "/api/v1/rights-requests/{request}/decision") => (A::RightsRequestDecide, O::RightsRequest),
        ("POST", "/api/v1/incidents") => (A::IncidentOpen, O::Incident),
        ("PATCH", "/api/v1/incidents/{incident}") => (A::IncidentUpdate, O::Incident),
        ("POST" | "DELETE", "/api/v1/incidents/{incident}/scope") => (A::IncidentScope, O::Incident),
        ("POST", "/api/v1/incidents/{incident}/state" | "/api/v1/incidents/{incident}/announcement") => {
            (A::IncidentState, O::Incident)
        }
        ("POST", "/api/v1/incidents/{incident}/reports") => (A::IncidentReport, O::Incident),
        ("POST", "/api/v1/codes") => (A::CodeSend, O::Message),
        ("POST", "/api/v1/registration") => (A::AccountRegister, O::Account),
        ("POST", "/api/v1/sign-in/password" | "/api/v1/sign-in/code" | "/api/v1/sign-in/second-factor") => {
            (A::SessionCreate, O::Session)
        }
        // Questions: nothing of anybody is changed until they are answered.
        (
            "POST",
            "/api/v1/sign-in/providers/{provider}"
            | "/api/v1/sign-in/passkey/begin"
            | "/api/v1/step-up/passkey/begin"
            | "/api/v1/account/passkeys/begin"
            | "/api/v1/account/identities/link/{provider}",
        ) => return Some(Recorded::Nothing),
        ("POST", "/api/v1/sign-in/providers/{provider}/finish" | "/api/v1/sign-in/passkey") => {
            (A::SessionCreate, O::Session)
        }
        ("POST", "/api/v1/account/identities/link/{provider}/finish")
        | ("DELETE", "/api/v1/account/identities/{identity}") => (A::IdentityChange, O::Account),
        ("POST", "/api/v1/account/passkeys") | ("PATCH" | "DELETE", "/api/v1/account/passkeys/{passkey}") => {
            (A::PasskeyChange, O::Account)
        }
        ("POST", "/api/v1/step-up" | "/api/v1/step-up/passkey") => (A::SessionRaise, O::Session),
        ("POST", "/api/v1/sign-out") | ("DELETE", "/api/v1/sessions" | "/api/v1/sessions/{session}") => {
            (A::SessionEnd, O::Session)
        }
        ("POST", "/api/v1/password/reset") => (A::PasswordReset, O::Account),
        ("PUT", "/api/v1/account/password") => (A::PasswordChange, O::Account),
        ("PUT", "/api/v1/account/profile") => (A::ProfileUpdate, O::Account),
        ("PUT", "/api/v1/account/name") => (A::NameChange, O::Account),
        ("PUT", "/api/v1/account/contacts") | ("DELETE", "/api/v1/account/contacts/{kind}") => {
            (A::ContactChange, O::Account)
        }
        (
            "POST" | "DELETE",
            "/api/v1/second-factor" | "/api/v1/second-factor/confirm" | "/api/v1/second-factor/recovery-codes",
        ) => (A::FactorChange, O::Account),
        ("POST", "/api/v1/invitations") => (A::InvitationCreate, O::Account),
        ("DELETE", "/api/v1/invitations/{invitation}") => (A::InvitationWithdraw, O::Account),
        ("POST", "/api/v1/keys") => (A::KeyCreate, O::Key),
        ("PATCH" | "DELETE", "/api/v1/keys/{key}") | ("POST", "/api/v1/keys/{key}/retire") => (A::KeyUpdate, O::Key),
        ("POST", "/api/v1/management-keys") => (A::ManagementKeyCreate, O::Key),
        ("PATCH", "/api/v1/management-keys/{key}") => (A::ManagementKeyUpdate, O::Key),
        ("DELETE", "/api/v1/management-keys/{key}") => (A::ManagementKeyRevoke, O::Key),
        ("POST", "/api/v1/organisations") => (A::OrganisationCreate, O::Organisation),
        ("PATCH", "/api/v1/organisations/{organisation}") => (A::OrganisationUpdate, O::Organisation),
        ("DELETE", "/api/v1/organisations/{organisation}") => (A::OrganisationClose, O::Organisation),
        ("POST", "/api/v1/organisations/{organisation}/reopen") => (A::OrganisationReopen, O::Organisation),
        ("PUT", "/api/v1/organisations/{organisation}/ownership-offer") => (A::OwnershipOffer, O::Organisation),
        ("DELETE", "/api/v1/organisations/{organisation}/ownership-offer") => (A::OwnershipOfferEnd, O::Organisation),
        ("POST", "/api/v1/organisations/{organisation}/ownership-offer/accept") => {
            (A::OrganisationTransfer, O::Organisation)
        }
        ("POST", "/api/v1/organisations/{organisation}/leave") => (A::MemberLeave, O::Organisation),
        ("PATCH", "/api/v1/organisations/{organisation}/members/{member}") => (A::MemberUpdate, O::Organisation),
        ("DELETE", "/api/v1/organisations/{organisation}/members/{member}") => (A::MemberRemove, O::Organisation),
        ("POST", "/api/v1/organisations/{organisation}/invitations") => (A::MemberInvite, O::Organisation),
        ("DELETE", "/api/v1/organisations/{organisation}/invitations/{invitation}") => {
            (A::MemberInviteWithdraw, O::Organisation)
        }
        ("POST", "/api/v1/member-invitations/accept") => (A::MemberJoin, O::Organisation),
        ("POST", "/api/v1/organisations/{organisation}/projects") => (A::ProjectCreate, O::Organisation),
        ("PATCH" | "DELETE", "/api/v1/organisations/{organisation}/projects/{project}") => {
            (A::ProjectUpdate, O::Organisation)
        }
        (
            "POST",
            "/api/v1/organisations/{organisation}/keys"
            | "/api/v1/organisations/{organisation}/projects/{project}/keys",
        ) => (A::KeyCreate, O::Organisation),
        ("PATCH" | "DELETE", "/api/v1/organisations/{organisation}/keys/{key}")
        | ("POST", "/api/v1/organisations/{organisation}/keys/{key}/retire") => (A::KeyUpdate, O::Organisation),
        ("POST", "/api/v1/leaked-keys") => (A::KeyReport, O::Key),
        ("PUT" | "DELETE", "/api/v1/roles/{role}") => (A::RoleChange, O::Role),
        ("PUT", "/api/v1/staff/{account}/roles/{role}") => (A::StaffGrant, O::Role),
        ("DELETE", "/api/v1/staff/{account}/roles/{role}") => (A::StaffRevoke, O::Role),
        ("POST", "/api/v1/accounts") => (A::AccountCreate, O::Account),
        ("POST", "/api/v1/accounts/search") => (A::AccountSearch, O::Account),
        ("PATCH", "/api/v1/accounts/{account}") => (A::AccountUpdate, O::Account),
        ("POST", "/api/v1/accounts/{account}/unmask") => (A::AccountUnmask, O::Account),
        ("DELETE", "/api/v1/accounts/{account}/sessions") => (A::SessionEnd, O::Account),
        ("POST", "/api/v1/accounts/{account}/credentials-reset") => (A::CredentialsReset, O::Account),
        ("POST", "/api/v1/accounts/{account}/keys") => (A::KeyCreate, O::Key),
        ("PATCH", "/api/v1/accounts/{account}/keys/{key}") => (A::KeyUpdate, O::Key),
        ("POST", "/api/v1/accounts/{account}/movements") => (A::WalletMove, O::Wallet),
        ("POST", "/api/v1/call-records/{call}/unmask") => (A::CallReveal, O::Call),
        ("POST", "/api/v1/development-outbox/{message}/unmask") => (A::MessageRead, O::Message),
        ("POST", "/api/v1/groups") => (A::GroupCreate, O::Group),
        ("PATCH", "/api/v1/groups/{group}") => (A::GroupUpdate, O::Group),
        ("DELETE", "/api/v1/groups/{group}") => (A::GroupDelete, O::Group),
        ("POST", "/api/v1/providers") => (A::ProviderCreate, O::Provider),
        ("PATCH", "/api/v1/providers/{provider}") => (A::ProviderUpdate, O::Provider),
        ("DELETE", "/api/v1/providers/{provider}") => (A::ProviderDelete, O::Provider),
        // Without whose data it is: what the person is shown of the log must not say it.
        ("POST", "/api/v1/disclosures") => (A::DisclosurePropose, O::Disclosure),
        ("POST", "/api/v1/disclosures/{disclosure}/details") => (A::DisclosureReveal, O::Disclosure),
        ("POST", "/api/v1/disclosures/{disclosure}/decision") => (A::DisclosureDecide, O::Disclosure),
        ("PUT", "/api/v1/disclosures/{disclosure}/telling") => (A::DisclosureTelling, O::Disclosure),
        ("POST", "/api/v1/recipients") => (A::RecipientCreate, O::Recipient),
        ("PATCH", "/api/v1/recipients/{recipient}") => (A::RecipientUpdate, O::Recipient),
        ("DELETE", "/api/v1/recipients/{recipient}") => (A::RecipientDelete, O::Recipient),
        ("PUT" | "DELETE", "/api/v1/recipients/{recipient}/providers/{provider}") => (A::RecipientTie, O::Recipient),
        ("POST", "/api/v1/channels") => (A::ChannelCreate, O::Channel),
        ("PATCH", "/api/v1/channels/{channel}") => (A::ChannelUpdate, O::Channel),
        ("DELETE", "/api/v1/channels/{channel}") => (A::ChannelDelete, O::Channel),
        ("POST", "/api/v1/channels/{channel}/credentials/{credential}/reveal") => (A::CredentialReveal, O::Channel),
        ("POST", "/api/v1/registered-models") => (A::ModelCreate, O::Model),
        ("PATCH", "/api/v1/registered-models/{model}") => (A::ModelUpdate, O::Model),
        ("DELETE", "/api/v1/registered-models/{model}") => (A::ModelDelete, O::Model),
        ("POST", "/api/v1/registered-models/{model}/prices") => (A::PriceCreate, O::Price),
        ("POST", "/api/v1/set-aside/{event}/settle") => (A::EventSettle, O::Event),
        ("POST", "/api/v1/set-aside/{event}/drop") => (A::EventDrop, O::Event),
        ("POST", "/api/v1/verification/cases") => (A::VerificationOpen, O::Verification),
        ("PUT", "/api/v1/verification/cases/{case}") => (A::VerificationUpdate, O::Verification),
        ("PUT" | "DELETE", "/api/v1/verification/cases/{case}/papers/{paper}") => {
            (A::VerificationUpdate, O::Verification)
        }
        ("POST", "/api/v1/verification/cases/{case}/submission") => (A::VerificationSubmit, O::Verification),
        ("DELETE", "/api/v1/verification/cases/{case}") => (A::VerificationWithdraw, O::Verification),
        (
            "POST",
            "/api/v1/verification-reviews/{case}/details" | "/api/v1/verification-reviews/{case}/papers/{paper}",
        ) => (A::VerificationReveal, O::Verification),
        ("POST", "/api/v1/verification-reviews/{case}/verdict") => (A::VerificationDecide, O::Verification),
        _ => return None,
    };
    Some(Recorded::As(recorded.0, recorded.1))
}

/// Whose account an answer is about, where that was not known when the request came.
#[derive(Clone, Copy, Debug)]
pub(super) struct Concerns(pub(super) AccountId);

/// The same of several: the outcome is written down for each.
#[derive(Clone, Debug)]
pub(super) struct ConcernsEach(pub(super) Vec<AccountId>);

/// What is to be read from the body of a request of that route for the log: names of fields that it may change.
fn changes_of(method: &Method, path: &str) -> &'static [&'static str] {
    match (method.as_str(), path) {
        ("POST", "/api/v1/accounts") => &["name", "group", "limits"],
        ("PATCH", "/api/v1/accounts/{account}") => &["group", "limits", "status"],
        ("POST", "/api/v1/accounts/{account}/keys") => &["name", "limits"],
        ("PATCH", "/api/v1/accounts/{account}/keys/{key}") => &["limits", "status"],
        ("POST", "/api/v1/accounts/{account}/movements") => &["kind", "amount"],
        _ => &[],
    }
}

/// The longest reason, in bytes.
pub(super) const REASON_MAX: usize = 1000;

/// Of a body, what the log says of it. Whatever else is in it is passed over; what is wrong with it, its handler tells.
#[derive(Deserialize)]
struct Said {
    #[serde(default)]
    reason: Option<String>,
    /// Of what is shown in clear.
    #[serde(default)]
    fields: Vec<String>,
    /// For what it is looked at.
    #[serde(default, rename = "for")]
    look_for: Option<String>,
}

/// What the log says of a body.
struct Told {
    reason: Option<Personal<String>>,
    fields: Vec<&'static str>,
    /// For what it is looked at, where that can be said, and was, with a reason.
    look_for: Option<LookFor>,
}

/// Whether somebody may say for what they do that.
const fn is_for_something(action: Action) -> bool {
    matches!(action, Action::AccountUnmask | Action::CallReveal | Action::VerificationReveal)
}

/// What a body says of itself.
fn said(action: Action, method: &Method, (path, uri): (&str, &Uri), body: &[u8]) -> Told {
    let changed: HashMap<String, &RawValue> = serde_json::from_slice(body).unwrap_or_default();
    let said: Option<Said> = serde_json::from_slice(body).ok();
    let mut fields: Vec<&'static str> =
        changes_of(method, path).iter().copied().filter(|field| changed.contains_key(*field)).collect();
    let Some(said) = said else { return Told { reason: None, fields, look_for: None } };
    if path == "/api/v1/call-records/{call}/unmask" {
        fields.extend(["address", "user_agent"]);
    }
    if path == "/api/v1/rights-requests/{request}/details" {
        fields.extend(["text", "answer"]);
    }
    if path == "/api/v1/verification-reviews/{case}/details" {
        fields.extend(["name", "number", "note"]);
    }
    if path == "/api/v1/verification-reviews/{case}/papers/{paper}" {
        fields.extend(named(path, uri.path(), "{paper}").and_then(PaperKind::parse).map(PaperKind::as_str));
    }
    let shown = Field::ALL.iter().map(|field| field.as_str());
    fields.extend(shown.filter(|field| said.fields.iter().any(|said| said == field)));
    let told = said.reason.filter(|text| !text.trim().is_empty() && text.len() <= REASON_MAX);
    let look_for =
        said.look_for.as_deref().filter(|_| told.is_some() && is_for_something(action)).and_then(LookFor::parse);
    fields.extend(look_for.and_then(LookFor::field));
    Told { reason: told.map(Personal::new), fields, look_for }
}

/// The parameter of that name in a path.
fn named<'p>(route: &str, path: &'p str, parameter: &str) -> Option<&'p str> {
    let place = route.split('/').position(|part| part == parameter)?;
    path.split('/').nth(place)
}

/// The organisation that a path names.
pub(super) fn organisation_of(route: &str, path: &str) -> Option<AccountId> {
    named(route, path, "{organisation}")?.parse().ok()
}

/// Whose data a request is about: of the account that it names, or of whom the call, the case, the message, the event or the
/// entry is that it names.
async fn subject_of(console: &Console, route: &str, uri: &Uri) -> Result<Option<AccountId>, Fault> {
    if let Some(text) = named(route, uri.path(), "{account}") {
        return Ok(text.parse().ok());
    }
    if let Some(text) = named(route, uri.path(), "{call}") {
        let Ok(id) = text.parse::<CallId>() else { return Ok(None) };
        return Ok(console.ledger.call(id).await?.map(|call| call.account));
    }
    // One's own cases are one's own, whichever one names.
    if route.starts_with("/api/v1/verification-reviews/") {
        let Some(Ok(id)) = named(route, uri.path(), "{case}").map(str::parse::<VerificationId>) else {
            return Ok(None);
        };
        return Ok(console.identity.case_account(id).await?);
    }
    if let Some(text) = named(route, uri.path(), "{seq}") {
        let Some(seq) = place(text) else { return Ok(None) };
        return Ok(console.audit.entry(seq).await?.and_then(|entry| entry.kept.subject));
    }
    if let Some(text) = named(route, uri.path(), "{message}") {
        let Ok(id) = text.parse::<MessageId>() else { return Ok(None) };
        return super::development_outbox::concerned((&console.db, &console.identity), &console.messages, id).await;
    }
    // One's own requests are one's own, whichever one names.
    if route.starts_with("/api/v1/rights-requests/") {
        let Some(Ok(id)) = named(route, uri.path(), "{request}").map(str::parse::<RightsRequestId>) else {
            return Ok(None);
        };
        return console.requests.account_of(id).await;
    }
    if let Some(text) = named(route, uri.path(), "{event}") {
        let Ok(id) = text.parse::<EventId>() else { return Ok(None) };
        return Ok(console.ledger.aside(id).await?.and_then(|event| event.account));
    }
    let mut query = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    let narrowed = query.find(|(name, _)| name == "account" || name == "subject");
    Ok(narrowed.and_then(|(_, value)| value.parse().ok()))
}

/// A request whose begin is durable.
pub(super) struct Begun {
    entry: NewEntry,
    seq: u64,
}

impl Begun {
    pub(super) const fn reasoned(&self) -> Reasoned {
        Reasoned { told: self.entry.reason.is_some() }
    }
}

/// A request as it is written down.
pub(super) struct Asked<'r> {
    pub(super) method: &'r Method,
    /// As it was registered.
    pub(super) route: &'r str,
    pub(super) uri: &'r Uri,
    pub(super) body: &'r [u8],
    /// What its caller needed to be allowed, if it is staff who asks.
    pub(super) needed: Option<Permission>,
}

/// Writes down what is about to happen, if it is to be; the handler must not run if this fails.
pub(super) async fn begin(
    console: &Console,
    asked: Asked<'_>,
    caller: Option<&Signed>,
    client: Client,
) -> Result<Option<Begun>, Refusal> {
    let missing = || Refusal::from(Fault::internal("audit.undeclared", "a route that is not declared"));
    let (action, kind) = match action_of(asked.method, asked.route).ok_or_else(missing)? {
        Recorded::Nothing => return Ok(None),
        Recorded::As(action, kind) => (action, kind),
    };
    let actor = actor(caller);
    // Whose data it is: of whom staff acts on, else the caller's own.
    let own = caller.filter(|_| asked.needed.is_none()).map(|caller| caller.account);
    let mut subject = subject_of(console, asked.route, asked.uri).await?.or(own);
    // Nothing can be sealed for who was erased, or never was.
    if let Some(account) = subject
        && console.keys.get(account.0).await?.is_none()
    {
        subject = None;
    }
    let object = match subject {
        Some(account) if matches!(kind, ObjectKind::Account | ObjectKind::Wallet) => Object::one(kind, account),
        // It has an owner, so it is there.
        Some(_) if kind == ObjectKind::Call => {
            Object { kind, id: named(asked.route, asked.uri.path(), "{call}").map(str::to_owned) }
        }
        Some(_) if kind == ObjectKind::Verification && asked.needed.is_some() => {
            Object { kind, id: named(asked.route, asked.uri.path(), "{case}").map(str::to_owned) }
        }
        _ if kind == ObjectKind::RightsRequest => {
            let named = named(asked.route, asked.uri.path(), "{request}");
            let id = named.filter(|text| text.parse::<RightsRequestId>().is_ok());
            Object { kind, id: id.map(str::to_owned) }
        }
        _ if kind == ObjectKind::Disclosure => {
            let named = named(asked.route, asked.uri.path(), "{disclosure}");
            let id = named.filter(|text| text.parse::<DisclosureId>().is_ok());
            Object { kind, id: id.map(str::to_owned) }
        }
        _ if kind == ObjectKind::Incident => {
            let named = named(asked.route, asked.uri.path(), "{incident}");
            let id = named.filter(|text| text.parse::<IncidentId>().is_ok());
            Object { kind, id: id.map(str::to_owned) }
        }
        // What belongs to an organisation is told by which one.
        _ if kind == ObjectKind::Organisation => match organisation_of(asked.route, asked.uri.path()) {
            Some(id) => Object::one(kind, id),
            None => Object::any(kind),
        },
        _ => Object::any(kind),
    };
    let Told { reason, fields, look_for } = said(action, asked.method, (asked.route, asked.uri), asked.body);
    let entry = NewEntry {
        address: address(client),
        role: role(console, caller, asked.needed).await?,
        reason,
        fields,
        ..NewEntry::begun(actor, action, object, subject)
    };
    let seq = console.audit.record(&entry).await.map_err(unrecorded)?;
    let purpose = look_for.map_or(action.purpose(), LookFor::purpose);
    // Of what somebody is about to do with their own they have decided themselves.
    if let Some(account) = entry.subject.filter(|_| asked.needed.is_some())
        && let Some(fault) = crate::restricted::refusal(&console.identity, account, purpose).await?
    {
        let outcome = NewEntry { code: Some(fault.code), ..entry.outcome(seq, Phase::Refused) };
        console.audit.record(&outcome).await.map_err(unrecorded)?;
        return Err(fault.into());
    }
    Ok(Some(Begun { entry, seq }))
}

/// Who acts, in the words of the log.
pub(super) fn actor(caller: Option<&Signed>) -> Actor {
    match caller.map(|caller| (caller.account, caller.via)) {
        Some((account, Via::Session(_))) => Actor::Account(account),
        Some((_, Via::ManagementKey(key, _))) => Actor::ManagementKey(key.to_string()),
        // Nobody is signed in: what the platform does for whoever asks.
        None => Actor::System,
    }
}

/// From where, in the one form that the log has.
pub(super) fn address(client: Client) -> Option<Personal<String>> {
    client.address.map(|address| Personal::new(address.to_canonical().to_string()))
}

/// What cannot be recorded is not done.
pub(super) fn unrecorded(fault: Fault) -> Fault {
    tracing::error!(event = "audit.not_recorded", error.code = fault.code);
    let message = "the audit log cannot be written, so nothing was done";
    Fault::new(ErrorKind::Unavailable, "audit.unavailable", message).with_detail(fault.code)
}

/// As what staff acts: the roles that allow it, by name.
async fn role(console: &Console, caller: Option<&Signed>, needed: Option<Permission>) -> Result<Option<String>, Fault> {
    let (Some(caller), Some(permission)) = (caller, needed) else { return Ok(None) };
    let roles = console.identity.roles_with(caller.account, permission).await?;
    Ok((!roles.is_empty()).then(|| roles.join(",")))
}

/// Writes the outcome. That it cannot be written is logged: what it tells of was announced.
pub(super) async fn finish(console: &Console, begun: Begun, response: Response) -> Response {
    let done = response.status().is_success();
    let mut outcome = begun.entry.outcome(begun.seq, if done { Phase::Done } else { Phase::Refused });
    if !done {
        let code = response.extensions().get::<RefusalCode>().map_or("request.refused", |code| code.0);
        outcome.code = Some(code);
    }
    if let Some(Concerns(account)) = response.extensions().get::<Concerns>().copied() {
        outcome.subject = Some(account);
    }
    // Of whom this has erased nothing can be sealed, and nothing is to name them.
    if let Some(account) = outcome.subject
        && matches!(console.keys.get(account.0).await, Ok(None))
    {
        (outcome.subject, outcome.address) = (None, None);
    }
    let each = response.extensions().get::<ConcernsEach>().map_or_else(Vec::new, |each| each.0.clone());
    let of_each = each.into_iter().map(|account| NewEntry { subject: Some(account), ..outcome.clone() });
    let mut outcomes: Vec<NewEntry> = of_each.collect();
    if outcomes.is_empty() {
        outcomes.push(outcome);
    }
    for outcome in &outcomes {
        if let Err(fault) = console.audit.record(outcome).await {
            tracing::error!(event = "audit.outcome_not_recorded", error.code = fault.code);
        }
    }
    response
}

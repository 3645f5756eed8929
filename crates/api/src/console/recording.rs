//! What the audit log says of requests to the console. A request that changes something is written down before its handler
//! runs, or refused; a second entry tells the outcome. What a request is stands in [`action_of`]; a test walks all routes and
//! finds one that is missing there, and the guard refuses it.

use super::{Client, Console, Signed};
use crate::problem::{Refusal, RefusalCode};
use axum::http::Method;
use axum::response::Response;
use tacit_identity::access::Via;
use tacit_kernel::audit::{Action, ObjectKind, Phase};
use tacit_kernel::ids::AccountId;
use tacit_kernel::{ErrorKind, Fault, Personal};
use tacit_storage::audit::{Actor, NewEntry, Object};

/// What is recorded of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Recorded {
    /// It shows what is the caller's own, or nobody's.
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
        ("GET" | "HEAD", "/api/v1/verification-reviews") => (A::VerificationList, O::Verification),
        ("GET" | "HEAD", "/api/v1/verification-reviews/{case}") => (A::VerificationRead, O::Verification),
        ("GET" | "HEAD", _) => return Some(Recorded::Nothing),
        // A route of the tests of the guard.
        #[cfg(test)]
        ("POST", "/api/v1/plain") => return Some(Recorded::Nothing),
        ("POST", "/api/v1/codes") => (A::CodeSend, O::Message),
        ("POST", "/api/v1/registration") => (A::AccountRegister, O::Account),
        ("POST", "/api/v1/sign-in/password" | "/api/v1/sign-in/code" | "/api/v1/sign-in/second-factor") => {
            (A::SessionCreate, O::Session)
        }
        ("POST", "/api/v1/step-up") => (A::SessionRaise, O::Session),
        ("POST", "/api/v1/sign-out") | ("DELETE", "/api/v1/sessions" | "/api/v1/sessions/{session}") => {
            (A::SessionEnd, O::Session)
        }
        ("POST", "/api/v1/password/reset") => (A::PasswordReset, O::Account),
        ("PUT", "/api/v1/account/password") => (A::PasswordChange, O::Account),
        ("PUT", "/api/v1/account/profile") => (A::ProfileUpdate, O::Account),
        ("PUT", "/api/v1/account/contacts") => (A::ContactChange, O::Account),
        (
            "POST" | "DELETE",
            "/api/v1/second-factor" | "/api/v1/second-factor/confirm" | "/api/v1/second-factor/recovery-codes",
        ) => (A::FactorChange, O::Account),
        ("POST", "/api/v1/invitations") => (A::InvitationCreate, O::Account),
        ("POST", "/api/v1/keys") => (A::KeyCreate, O::Key),
        ("PATCH" | "DELETE", "/api/v1/keys/{key}") => (A::KeyUpdate, O::Key),
        ("POST", "/api/v1/management-keys") => (A::ManagementKeyCreate, O::Key),
        ("DELETE", "/api/v1/management-keys/{key}") => (A::ManagementKeyRevoke, O::Key),
        ("POST", "/api/v1/leaked-keys") => (A::KeyReport, O::Key),
        ("PUT" | "DELETE", "/api/v1/roles/{role}") => (A::RoleChange, O::Role),
        ("PUT", "/api/v1/staff/{account}/roles/{role}") => (A::StaffGrant, O::Role),
        ("DELETE", "/api/v1/staff/{account}/roles/{role}") => (A::StaffRevoke, O::Role),
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

/// The account that a path names, by its id.
fn named(route: &str, path: &str) -> Option<AccountId> {
    let place = route.split('/').position(|part| part == "{account}")?;
    path.split('/').nth(place)?.parse().ok()
}

/// A request whose begin is durable.
pub(super) struct Begun {
    entry: NewEntry,
    seq: u64,
}

/// Writes down what is about to happen, if it is to be; the handler must not run if this fails.
pub(super) async fn begin(
    console: &Console,
    (method, route, path): (&Method, &str, &str),
    caller: Option<&Signed>,
    client: Client,
) -> Result<Option<Begun>, Refusal> {
    let missing = || Refusal::from(Fault::internal("audit.undeclared", "a route that is not declared"));
    let (action, kind) = match action_of(method, route).ok_or_else(missing)? {
        Recorded::Nothing => return Ok(None),
        Recorded::As(action, kind) => (action, kind),
    };
    let actor = actor(caller);
    // Whose data it is: of whom staff acts on, else the caller's own.
    let mut subject = named(route, path).or(caller.map(|caller| caller.account));
    // Nothing can be sealed for who was erased, or never was.
    if let Some(account) = subject
        && console.keys.get(account.0).await?.is_none()
    {
        subject = None;
    }
    let entry = NewEntry { address: address(client), ..NewEntry::begun(actor, action, Object::any(kind), subject) };
    let seq = console.audit.record(&entry).await.map_err(unrecorded)?;
    Ok(Some(Begun { entry, seq }))
}

/// Who acts, in the words of the log.
pub(super) fn actor(caller: Option<&Signed>) -> Actor {
    match caller.map(|caller| (caller.account, caller.via)) {
        Some((account, Via::Session(_))) => Actor::Account(account),
        Some((_, Via::ManagementKey(key))) => Actor::ManagementKey(key.to_string()),
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
    if let Err(fault) = console.audit.record(&outcome).await {
        tracing::error!(event = "audit.outcome_not_recorded", error.code = fault.code);
    }
    response
}

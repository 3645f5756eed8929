//! The one place where requests of the admin socket are written into the audit log.
//!
//! Before the handler runs, an entry says who is about to do what; it is durable then, or the request is refused and
//! nothing happens. Behind it a second entry tells the outcome. What a request is, is looked up in [`table`]; a route that
//! is not declared there is not served.

mod resolve;
pub(super) mod table;

use super::{Admin, BODY_MAX};
use crate::problem::{Refusal, RefusalCode};
use crate::server::Peer;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{MatchedPath, Request, State};
use axum::http::HeaderMap;
use axum::http::request::Parts;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use resolve::Asked;
use serde::Deserialize;
use serde::de::IgnoredAny;
use table::{Answered, Rule};
use tacit_kernel::audit::{Action, ObjectKind, Phase};
use tacit_kernel::{ErrorKind, Fault, Personal};
use tacit_storage::audit::{Actor, NewEntry, Object};

/// The header in which an operator says why; UTF-8.
pub(super) const REASON: &str = "tacit-reason";
/// The longest reason, in bytes.
const REASON_MAX: usize = 1000;
/// The longest answer that is looked into.
const ANSWER_MAX: usize = 64 << 20;

/// Records a request before and after its handler. See the module.
pub(super) async fn record(State(admin): State<Admin>, request: Request, next: Next) -> Response {
    let Some(path) = request.extensions().get::<MatchedPath>().cloned() else {
        // No route: nothing is done and nothing is shown.
        return next.run(request).await;
    };
    let Some(rule) = table::rule_for(request.method(), path.as_str()) else {
        let message = "this path does not know that method";
        return Refusal::from(Fault::new(ErrorKind::Invalid, "request.method", message)).into_response();
    };
    let (mut parts, body) = request.into_parts();
    let Some(action) = rule.action_of(&parts.uri) else {
        return next.run(Request::from_parts(parts, body)).await;
    };
    let begun = match begin(&admin, rule, action, &mut parts, body).await {
        Ok(begun) => begun,
        Err(refusal) => return refusal.into_response(),
    };
    let request = Request::from_parts(parts, Body::from(begun.body));
    // Apart from the connection: whoever hangs up stops nothing halfway, and the outcome is written down all the same.
    let running = tokio::spawn(async move {
        let response = next.run(request).await;
        finish(&admin, rule, &begun.entry, begun.seq, response).await
    });
    let broken = |_| Refusal::from(Fault::internal("request.broken", "the handler broke off")).into_response();
    running.await.unwrap_or_else(broken)
}

/// A request whose begin is durable.
struct Begun {
    entry: NewEntry,
    seq: u64,
    body: Bytes,
}

async fn begin(admin: &Admin, rule: &Rule, action: Action, parts: &mut Parts, body: Body) -> Result<Begun, Refusal> {
    let body = to_bytes(body, BODY_MAX)
        .await
        .map_err(|_| Fault::new(ErrorKind::Invalid, "request.body", "the body is larger than 1 MiB or broke off"))?;
    let uid = parts.extensions.get::<Peer>().and_then(|peer| peer.uid);
    let uid = uid.ok_or_else(|| unavailable(Fault::internal("audit.actor", "a request without a peer")))?;
    let reason = reason(&parts.headers)?;
    let asked = Asked::read(parts, &body).await;
    let found = resolve::resolve(admin, rule, &asked).await.map_err(unavailable)?;
    let entry = NewEntry {
        fields: rule.fields.iter().copied().filter(|field| asked.has(field)).collect(),
        reason,
        ..NewEntry::begun(Actor::Operator(uid), action, Object { kind: rule.object, id: found.object }, found.subject)
    };
    let seq = admin.audit.record(&entry).await.map_err(unavailable)?;
    if let Some(account) = entry.subject
        && let Some(fault) = crate::restricted::refusal(&admin.identity, account, action.purpose()).await?
    {
        let outcome = NewEntry { code: Some(fault.code), ..entry.outcome(seq, Phase::Refused) };
        admin.audit.record(&outcome).await.map_err(unavailable)?;
        return Err(fault.into());
    }
    Ok(Begun { entry, seq, body })
}

/// What is refused since it cannot be recorded. What the operator can mend is told as it is.
fn unavailable(fault: Fault) -> Fault {
    if matches!(fault.kind, ErrorKind::Invalid | ErrorKind::Conflict) {
        return fault;
    }
    let detail = fault.detail.as_deref().unwrap_or_default();
    tracing::error!(event = "audit.not_recorded", error.code = fault.code, detail);
    let message = "the audit log cannot be written, so nothing was done";
    Fault::new(ErrorKind::Unavailable, "audit.unavailable", message).with_detail(fault.code)
}

/// Why, if that was said.
pub(super) fn reason(headers: &HeaderMap) -> Result<Option<Personal<String>>, Fault> {
    let Some(value) = headers.get(REASON) else { return Ok(None) };
    let text = std::str::from_utf8(value.as_bytes()).ok().filter(|text| text.len() <= REASON_MAX);
    let text = text.ok_or_else(|| {
        Fault::new(ErrorKind::Invalid, "request.reason", "a reason is UTF-8 of at most 1,000 bytes on one line")
    })?;
    Ok((!text.is_empty()).then(|| Personal::new(text.to_owned())))
}

/// Of an answer that names what was made; all else of it is passed over.
#[derive(Deserialize)]
struct Made {
    id: String,
}

/// Of an answer that says what was changed.
#[derive(Deserialize)]
struct Changed {
    plan: Changes,
}

#[derive(Deserialize)]
struct Changes {
    changes: Vec<IgnoredAny>,
}

/// Writes the outcome. The effect is there, and so is the entry that announced it: that this one cannot be written is
/// logged and changes the answer no more.
async fn finish(admin: &Admin, rule: &Rule, entry: &NewEntry, seq: u64, response: Response) -> Response {
    let done = response.status().is_success();
    let mut outcome = entry.outcome(seq, if done { Phase::Done } else { Phase::Refused });
    if !done {
        let code = response.extensions().get::<RefusalCode>().map_or("request.refused", |code| code.0);
        outcome.code = Some(code);
    }
    if done && outcome.action == Action::AccountErase {
        // Else the last word about an erased person would name them.
        (outcome.subject, outcome.object.id) = (None, None);
    }
    let response = if done && rule.answered != Answered::Nothing {
        let (parts, body) = response.into_parts();
        let Ok(body) = to_bytes(body, ANSWER_MAX).await else {
            return Refusal::from(Fault::internal("audit.answer", "an answer that cannot be read")).into_response();
        };
        told(rule, &body, &mut outcome);
        Response::from_parts(parts, Body::from(body))
    } else {
        response
    };
    if let Err(fault) = admin.audit.record(&outcome).await {
        let detail = fault.detail.as_deref().unwrap_or_default();
        tracing::error!(event = "audit.outcome_not_recorded", error.code = fault.code, detail);
    }
    response
}

fn told(rule: &Rule, body: &[u8], outcome: &mut NewEntry) {
    match rule.answered {
        Answered::Nothing => {}
        Answered::Id => {
            let Ok(made) = serde_json::from_slice::<Made>(body) else { return };
            if outcome.object.kind == ObjectKind::Account {
                outcome.subject = made.id.parse().ok();
            }
            outcome.object.id = Some(made.id);
        }
        Answered::Changes => {
            let Ok(changed) = serde_json::from_slice::<Changed>(body) else { return };
            outcome.affected = u64::try_from(changed.plan.changes.len()).ok();
        }
    }
}

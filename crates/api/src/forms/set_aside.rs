//! Events that were set aside on the wire, for the admin socket and the console.

use super::Moment;
use crate::problem::Refusal;
use serde::{Deserialize, Serialize};
use tacit_kernel::call::CallEvent;
use tacit_kernel::ids::{AccountId, CallId, EventId, KeyId, SessionId};
use tacit_kernel::{ErrorKind, Fault, Nano};
use tacit_ledger::Ledger;
use tacit_ledger::aside::AsideView;
use utoipa::ToSchema;

/// An event of a call that could not be settled.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AsideEvent {
    /// Its id.
    #[schema(value_type = String)]
    pub id: EventId,
    /// When it was set aside.
    pub set_aside_at: Moment,
    /// That a call has begun, or that it has ended.
    #[schema(value_type = String)]
    pub event: CallEvent,
    /// The call, if it said so.
    #[schema(value_type = Option<String>)]
    pub call: Option<CallId>,
    /// Who would pay.
    #[schema(value_type = Option<String>)]
    pub account: Option<AccountId>,
    /// With which key.
    #[schema(value_type = Option<String>)]
    pub key: Option<KeyId>,
    /// What the gateway held for the charge, or had reserved.
    #[schema(value_type = String)]
    pub amount: Nano,
    /// Why it was refused: `field.…` for what cannot be read, `storage.…` for what the database refused,
    /// `control.panic` for a fault of the program.
    pub reason: String,
    /// The gateway's session.
    #[schema(value_type = String)]
    pub session: SessionId,
    /// When it was settled or dropped; absent while it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub resolved_at: Option<Moment>,
}

/// An event as it is shown.
pub(crate) fn shown(event: AsideView) -> AsideEvent {
    AsideEvent {
        id: event.id,
        set_aside_at: event.created_at.into(),
        event: event.event,
        call: event.call,
        account: event.account,
        key: event.key,
        amount: event.amount,
        reason: event.reason,
        session: event.session,
        resolved_at: event.resolved_at.map(Moment),
    }
}

/// Gives an event up: it is never settled.
///
/// # Errors
/// What the ledger refuses.
pub(crate) async fn given_up(ledger: &Ledger, id: EventId) -> Result<AsideEvent, Refusal> {
    ledger.aside_drop(id).await?;
    let answer = resolved(ledger, id).await?;
    let call = answer.call.map(|id| id.to_string()).unwrap_or_default();
    tracing::warn!(event = "call.aside_dropped", call.id = call);
    Ok(answer)
}

/// An event that was settled or given up.
///
/// # Errors
/// Storage; that it is not there.
pub(crate) async fn resolved(ledger: &Ledger, id: EventId) -> Result<AsideEvent, Refusal> {
    let missing = || Fault::new(ErrorKind::NotFound, "event.unknown", "there is no such event");
    Ok(shown(ledger.aside(id).await?.ok_or_else(missing)?))
}

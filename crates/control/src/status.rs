//! How a failure is told to a gateway, and logged: once, here.

use tacit_kernel::{ErrorKind, Fault};
use tacit_ledger::LedgerError;
use tonic::Status;

/// The session is not known or has ended: the gateway opens a new one.
pub(crate) fn session_gone() -> Status {
    Status::not_found("session.ended")
}

/// A batch is missing: the gateway opens its session again and sends from the number acknowledged there.
pub(crate) fn gap() -> Status {
    Status::out_of_range("events.gap")
}

/// The control plane is stopping, or its database does not answer: the gateway tries again.
pub(crate) fn unavailable() -> Status {
    Status::unavailable("control.unavailable")
}

/// A failure of a service, as its code alone. Logged if it is ours.
pub(crate) fn of_fault(fault: impl Into<Fault>) -> Status {
    let fault = fault.into();
    match fault.kind {
        ErrorKind::Invalid => Status::invalid_argument(fault.code),
        ErrorKind::NotFound => Status::not_found(fault.code),
        ErrorKind::Unavailable => {
            log(&fault);
            Status::unavailable(fault.code)
        }
        ErrorKind::Internal | ErrorKind::Upstream => {
            log(&fault);
            Status::internal(fault.code)
        }
        _ => Status::failed_precondition(fault.code),
    }
}

/// As [`of_fault`]; a session that is gone looks the same whatever it was asked for.
pub(crate) fn of_ledger(error: LedgerError) -> Status {
    match error {
        LedgerError::SessionUnknown | LedgerError::SessionEnded => session_gone(),
        other => of_fault(other),
    }
}

pub(crate) fn log(fault: &Fault) {
    let detail = fault.detail.as_deref().unwrap_or_default();
    tracing::error!(event = "control.failed", error.code = fault.code, detail, "a request of a gateway failed");
}

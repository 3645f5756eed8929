//! Events that the books refuse for good: for what they say, or because settling them panics. Sent again they would be
//! refused again, and with them everything behind them. They are set aside in the database, in the transaction that makes
//! the rest of their batch durable, and wait there for an operator.

use crate::metrics::{Event, EventLabel, Metrics};
use crate::panics::caught;
use crate::settling::log_differences;
use crate::{Shared, events, status};
use std::sync::Arc;
use tacit_kernel::call::CallEvent;
use tacit_kernel::ids::{EventId, PriceId};
use tacit_kernel::rating::Price;
use tacit_kernel::{ErrorKind, Fault, Nano};
use tacit_ledger::aside::SetAside;
use tacit_ledger::settlement::{CommitReport, EndedCall, SessionBatch};
use tacit_ledger::{LedgerError, Settler};
use tacit_link::{Mend, Refused, convert, wire};
use tonic::Status;

/// A begun event that cannot be read.
pub(crate) fn begun(mut event: wire::Begun, refused: Refused) -> SetAside {
    event.mend();
    of(CallEvent::Begun, Some(&event), event.reserved, refused, convert::event_bytes(&event))
}

/// An ended event that cannot be read.
pub(crate) fn ended(mut event: wire::Ended, refused: Refused) -> SetAside {
    event.mend();
    of(CallEvent::Ended, event.begun.as_ref(), event.amount, refused, convert::event_bytes(&event))
}

fn of(event: CallEvent, begun: Option<&wire::Begun>, amount: i64, refused: Refused, message: Vec<u8>) -> SetAside {
    SetAside {
        event,
        call: begun.and_then(|b| convert::optional_event_id(b.call)),
        account: begun.and_then(|b| convert::optional_event_id(b.account)),
        key: begun.and_then(|b| convert::optional_event_id(b.key)),
        amount: Nano(amount),
        reason: format!("field.{}", refused.0),
        message,
    }
}

/// A call that can be read, and yet is refused.
fn call(call: &EndedCall, reason: &'static str) -> SetAside {
    SetAside {
        event: CallEvent::Ended,
        call: Some(call.begun.call),
        account: Some(call.begun.account),
        key: Some(call.begun.key),
        amount: call.amount,
        reason: reason.to_owned(),
        message: convert::event_bytes(&events::written(call)),
    }
}

/// Why nothing was taken.
pub(crate) enum Failure {
    Ledger(LedgerError),
    Panic,
}

impl Failure {
    /// The code of a failure that comes again however often it is tried.
    const fn for_good(&self) -> Option<&'static str> {
        match self {
            Self::Ledger(error) => error.of_data(),
            Self::Panic => Some("control.panic"),
        }
    }

    pub(crate) fn into_status(self) -> Status {
        match self {
            Self::Ledger(error) => status::of_ledger(error),
            Self::Panic => status::unavailable(),
        }
    }
}

/// Commits batches. Where all are of one session and refused for good, it is found out which of their calls are, and
/// only these are set aside.
pub(crate) async fn commit(
    metrics: &Metrics,
    settler: &Settler,
    batches: &[SessionBatch],
    price_of: &(impl Fn(PriceId) -> Option<Arc<Price>> + Sync),
) -> Result<CommitReport, Failure> {
    let failure = match attempt(metrics, settler.commit(batches, price_of)).await {
        Err(failure) if failure.for_good().is_some() => failure,
        result => return result,
    };
    if batches.windows(2).any(|pair| matches!(pair, [a, b] if a.session != b.session)) {
        return Err(failure);
    }
    let mut batches = batches.to_vec();
    for batch in &mut batches {
        // Half by half, so that one among many is found in a few steps.
        let mut parts = vec![std::mem::take(&mut batch.ended)];
        while let Some(mut part) = parts.pop() {
            match attempt(metrics, settler.record_ended((batch.session, batch.batch), &part, price_of)).await {
                Ok(report) => {
                    // Now: it is durable, and what comes after it may fail.
                    log_differences(metrics, &report.differences);
                    batch.ended.append(&mut part);
                }
                Err(failure) => match (failure.for_good(), part.as_slice()) {
                    (Some(reason), [only]) => batch.aside.push(call(only, reason)),
                    (Some(_), [_, _, ..]) => {
                        let later = part.split_off(part.len() / 2);
                        parts.extend([later, part]);
                    }
                    _ => return Err(failure),
                },
            }
        }
    }
    // What was recorded is passed over.
    attempt(metrics, settler.commit(&batches, price_of)).await
}

async fn attempt(
    metrics: &Metrics,
    work: impl Future<Output = Result<CommitReport, LedgerError>>,
) -> Result<CommitReport, Failure> {
    caught(metrics, "settlement", work).await.ok_or(Failure::Panic)?.map_err(Failure::Ledger)
}

/// Counts and logs what was set aside.
pub(crate) fn told(metrics: &Metrics, aside: &[SetAside]) {
    for event in aside {
        let label = match event.event {
            CallEvent::Begun => Event::Begun,
            CallEvent::Ended => Event::Ended,
        };
        metrics.set_aside.get_or_create(&EventLabel { event: label }).inc();
        let call = event.call.map(|id| id.to_string()).unwrap_or_default();
        let detail = event.reason.as_str();
        tracing::error!(
            event = "call.set_aside",
            call.id = call,
            status = event.event.as_str(),
            detail,
            "an event cannot be settled and is set aside: see `tacit calls set-aside list`"
        );
    }
}

/// Settles the end of a call that was set aside, as it would be settled if it came now.
pub(crate) async fn settle(shared: &Shared, id: EventId) -> Result<(), Fault> {
    let conflict = |code, message: String| Fault::new(ErrorKind::Conflict, code, message);
    let aside = shared.ledger.aside(id).await?.filter(|event| event.resolved_at.is_none());
    let aside = aside.ok_or(LedgerError::AsideUnknown)?;
    if aside.event == CallEvent::Begun {
        let message = "only the end of a call can be settled; that it has begun can be dropped".to_owned();
        return Err(conflict("event.begun", message));
    }
    let refused = |Refused(field)| conflict("event.refused", format!("it is still refused for its field {field}"));
    let event = convert::ended_event(&aside.message).map_err(refused)?;
    let call = events::alone(&shared.prices, event).await?.map_err(refused)?;
    let prices = shared.prices.of(call.begun.price.into_iter().collect()).await?;
    let settler = Settler::new(shared.ledger.clone());
    let report = settler.settle_aside(id, aside.session, &call, &|id| prices.get(&id).cloned()).await?;
    log_differences(&shared.metrics, &report.differences);
    tracing::warn!(event = "call.aside_settled", call.id = %call.begun.call, "a call that was set aside is settled");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::tests::valid;
    use tacit_kernel::SystemClock;
    use tacit_kernel::call::CallStatus;
    use tacit_kernel::ids::CallId;
    use tacit_ledger::journal::JournalBatch;
    use tacit_ledger::{Journal, Ledger};
    use tacit_storage::{Db, SqlText, WriteTx, both_engines};

    async fn journal(ledger: &Ledger, batch: &SessionBatch) {
        let row = JournalBatch { session: batch.session, batch: batch.batch, events: vec![] };
        assert_eq!(Journal::new(ledger.clone()).write(&[row]).await.unwrap().written, [true]);
    }

    both_engines! {
        async fn a_call_that_panics_is_set_aside(db: Db) {
            let (ledger, metrics) = (Ledger::new(db, Arc::new(SystemClock)), Metrics::new());
            let session = ledger.session_open("one", "0.1.0", true).await.unwrap().session;
            let terrible = PriceId::fresh();
            let events = |price: Option<PriceId>| {
                let mut event = valid();
                event.status = 0;
                let begun = event.begun.as_mut().unwrap();
                (begun.call, begun.price) = (Some(CallId::fresh().into()), price.map(Into::into));
                event
            };
            let ended = vec![events(None), events(Some(terrible)), events(None), events(None)];
            let events = wire::Events { session: convert::id_bytes(session), batch: 1, begun: vec![], ended };
            let batch = crate::events::tests::read_all(events);
            journal(&ledger, &batch).await;
            let calls: Vec<CallId> = batch.ended.iter().map(|call| call.begun.call).collect();
            let price_of = |id: PriceId| -> Option<Arc<Price>> {
                assert!(id != terrible, "canary");
                None
            };
            let settler = Settler::new(ledger.clone());
            let report = commit(&metrics, &settler, std::slice::from_ref(&batch), &price_of).await.unwrap_or_else(|_| panic!("refused"));
            assert_eq!(report.aside.len(), 1);
            assert_eq!((report.aside[0].call, report.aside[0].reason.as_str()), (Some(calls[1]), "control.panic"));
            let mut known = Vec::new();
            for call in calls {
                known.push(ledger.call(call).await.unwrap().is_some());
            }
            assert_eq!(known, [true, false, true, true]);
            told(&metrics, &report.aside);
            assert!(metrics.text().contains(r#"tacit_control_events_set_aside_total{event="Ended"} 1"#));
            // The same batch again is settled: nothing is set aside twice.
            let again = commit(&metrics, &settler, &[batch], &price_of).await.unwrap_or_else(|_| panic!("refused"));
            assert_eq!(again, CommitReport::default());
            assert_eq!(ledger.aside_count().await.unwrap(), 1);
        }

        async fn a_difference_is_told_even_if_the_rest_of_its_batch_fails(db: Db) {
            let (ledger, metrics) = (Ledger::new(db.clone(), Arc::new(SystemClock)), Metrics::new());
            let session = ledger.session_open("one", "0.1.0", true).await.unwrap().session;
            let (terrible, unknown) = (PriceId::fresh(), PriceId::fresh());
            let event = |price: PriceId, status: CallStatus| {
                let mut event = wire::Ended { status: status.number(), ..valid() };
                let begun = event.begun.as_mut().unwrap();
                (begun.call, begun.price) = (Some(CallId::fresh().into()), Some(price.into()));
                event
            };
            let ended = vec![event(unknown, CallStatus::Completed), event(terrible, CallStatus::Failed)];
            let batch = crate::events::tests::read_all(wire::Events {
                session: convert::id_bytes(session),
                batch: 1,
                begun: vec![],
                ended,
            });
            journal(&ledger, &batch).await;
            let recorded = batch.ended[0].begun.call;
            let price_of = |id: PriceId| -> Option<Arc<Price>> {
                assert!(id != terrible, "canary");
                None
            };
            // Nothing can be set aside.
            let rename = "ALTER TABLE set_aside_events RENAME COLUMN reason TO renamed";
            let rename = async |tx: &mut WriteTx<'_>| tx.query(SqlText::new(rename)).await.map(drop);
            let rename = &rename;
            db.write("test.rename", |tx| Box::pin(rename(tx))).await.unwrap();
            let settler = Settler::new(ledger.clone());
            assert!(commit(&metrics, &settler, &[batch], &price_of).await.is_err());
            assert!(ledger.call(recorded).await.unwrap().is_some());
            let text = metrics.text();
            assert!(text.contains("tacit_control_differences_total 1"), "{text}");
        }
    }
}

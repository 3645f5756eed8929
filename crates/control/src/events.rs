//! Call events from the wire in the words of the ledger.

use crate::catalogue::Prices;
use crate::status;
use tacit_kernel::ids::{CredentialId, ModelId};
use tacit_kernel::{Nano, Ppm, Timestamp};
use tacit_ledger::settlement::{BegunCall, EndedCall, FailedAttempt, SessionBatch};
use tacit_link::{Checked, Refused, convert, wire};
use tonic::Status;
use uuid::Uuid;

/// A checked batch. Names of models are looked up here; a client's text is never on the wire.
pub(crate) async fn batch(prices: &Prices, events: wire::Events) -> Result<SessionBatch, Status> {
    events.check()?;
    let mut batch = read(events)?;
    let ended = batch.ended.iter_mut().map(|call| &mut call.begun);
    for call in batch.begun.iter_mut().chain(ended) {
        if let Some(model) = call.model {
            call.model_name = prices.name(model).await.map_err(status::of_fault)?;
        }
    }
    Ok(batch)
}

fn read(events: wire::Events) -> Result<SessionBatch, Refused> {
    Ok(SessionBatch {
        session: convert::id("session", &events.session)?,
        batch: events.batch,
        begun: events.begun.iter().map(begun).collect::<Result<_, _>>()?,
        ended: events.ended.into_iter().map(ended).collect::<Result<_, _>>()?,
    })
}

fn begun(m: &wire::Begun) -> Result<BegunCall, Refused> {
    Ok(BegunCall {
        call: convert::event_id("call", m.call)?,
        key: convert::event_id("key", m.key)?,
        account: convert::event_id("account", m.account)?,
        group: convert::event_id("group", m.group)?,
        group_multiplier: Ppm(m.group_multiplier_ppm),
        model: convert::optional_event_id::<ModelId>(m.model),
        model_name: None,
        price: convert::optional_event_id(m.price),
        channel: convert::optional_event_id(m.channel),
        provider: convert::optional_event_id(m.provider),
        credential: convert::optional_event_id(m.credential),
        channel_multiplier: Ppm(m.channel_multiplier_ppm),
        started_at: Timestamp(m.started_at),
        reserved: Nano(m.reserved),
        input_estimate: m.input_estimate,
        endpoint: convert::endpoint(m.endpoint)?,
        stream: m.stream,
        source: convert::source(m.source)?,
    })
}

fn ended(m: wire::Ended) -> Result<EndedCall, Refused> {
    let begun_message = m.begun.as_ref().ok_or(Refused("begun"))?;
    Ok(EndedCall {
        begun: begun(begun_message)?,
        status: convert::status(m.status)?,
        error: convert::error(m.error)?,
        http_status: http_status(m.http_status)?,
        usage: m.usage.as_ref().map(Into::into).unwrap_or_default(),
        usage_source: convert::usage_source(m.usage_source)?,
        amount: Nano(m.amount),
        capped: m.capped,
        first_byte_micros: u64::try_from(m.first_byte_micros).ok(),
        duration_micros: micros("duration_micros", m.duration_micros)?,
        concurrency: m.concurrency,
        agent: convert::agent(m.agent)?,
        sealed_ip: some(m.sealed_ip),
        sealed_user_agent: some(m.sealed_user_agent),
        risk_marks: m.risk_marks,
        tried: m.tried,
        failed: m.attempts.iter().map(attempt).collect::<Result<_, _>>()?,
    })
}

fn attempt(m: &wire::Attempt) -> Result<FailedAttempt, Refused> {
    let status = http_status(m.http_status)?;
    Ok(FailedAttempt {
        channel: convert::event_id("channel", m.channel)?,
        // A channel that needs no credential: the nil id.
        credential: convert::optional_event_id(m.credential).unwrap_or(CredentialId(Uuid::nil())),
        started_micros: micros("started_micros", m.started_micros)?,
        duration_micros: micros("duration_micros", m.duration_micros)?,
        error: convert::error(m.error)?,
        http_status: (status > 0).then_some(status),
    })
}

fn http_status(number: u32) -> Result<u16, Refused> {
    u16::try_from(number).map_err(|_| Refused("http_status"))
}

fn micros(field: &'static str, number: i64) -> Result<u64, Refused> {
    u64::try_from(number).map_err(|_| Refused(field))
}

fn some(bytes: Vec<u8>) -> Option<Vec<u8>> {
    (!bytes.is_empty()).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use tacit_kernel::call::{AgentFamily, CallStatus, ErrorCode};

    fn valid() -> wire::Ended {
        let begun = wire::Begun {
            call: Some(Uuid::from_u128(1).into()),
            key: Some(Uuid::from_u128(2).into()),
            account: Some(Uuid::from_u128(3).into()),
            group: Some(Uuid::from_u128(4).into()),
            credential: Some(Uuid::from_u128(6).into()),
            ..wire::Begun::default()
        };
        let attempt = wire::Attempt {
            channel: Some(Uuid::from_u128(5).into()),
            error: 1,
            http_status: 503,
            ..wire::Attempt::default()
        };
        wire::Ended {
            begun: Some(begun),
            status: CallStatus::Failed.number(),
            error: convert::error_number(Some(ErrorCode::ProviderError)),
            http_status: 502,
            first_byte_micros: -1,
            agent: AgentFamily::Curl.number(),
            attempts: vec![attempt],
            tried: 2,
            ..wire::Ended::default()
        }
    }

    #[test]
    fn an_ended_call_is_read() {
        let call = ended(valid()).unwrap();
        assert_eq!(call.status, CallStatus::Failed);
        assert_eq!(call.error, Some(ErrorCode::ProviderError));
        assert_eq!((call.http_status, call.first_byte_micros, call.sealed_ip), (502, None, None));
        assert_eq!(call.begun.model, None);
        assert_eq!(call.failed[0].error, Some(ErrorCode::KeyMissing));
        assert_eq!((call.failed[0].http_status, call.failed[0].credential.0), (Some(503), Uuid::nil()));
        assert_eq!((call.tried, call.begun.credential), (2, Some(CredentialId(Uuid::from_u128(6)))));
    }

    #[test]
    fn what_stands_for_nothing_is_refused() {
        assert_eq!(ended(wire::Ended { status: 77, ..valid() }).unwrap_err(), Refused("status"));
        assert_eq!(ended(wire::Ended { error: 777, ..valid() }).unwrap_err(), Refused("error"));
        assert_eq!(ended(wire::Ended { begun: None, ..valid() }).unwrap_err(), Refused("begun"));
        let mut late = valid();
        late.attempts[0].started_micros = -1;
        assert_eq!(ended(late).unwrap_err(), Refused("started_micros"));
    }
}

//! Call events from the wire in the words of the ledger.

use crate::catalogue::Prices;
use crate::{set_aside, status};
use tacit_kernel::Fault;
use tacit_kernel::ids::{CredentialId, ModelId};
use tacit_kernel::{Nano, Ppm, Timestamp};
use tacit_ledger::settlement::{BegunCall, EndedCall, FailedAttempt, SessionBatch};
use tacit_link::{Checked, Refused, convert, wire};
use tonic::Status;
use uuid::Uuid;

/// A checked batch. Events that cannot be taken are set aside in it. Names of models are looked up here; a client's text
/// is never on the wire.
pub(crate) async fn batch(prices: &Prices, events: wire::Events) -> Result<SessionBatch, Status> {
    named(prices, read(events)?).await
}

/// The batch with the names of its models.
pub(crate) async fn named(prices: &Prices, mut batch: SessionBatch) -> Result<SessionBatch, Status> {
    let ended = batch.ended.iter_mut().map(|call| &mut call.begun);
    for call in batch.begun.iter_mut().chain(ended) {
        name(prices, call).await.map_err(status::of_fault)?;
    }
    Ok(batch)
}

async fn name(prices: &Prices, call: &mut BegunCall) -> Result<(), Fault> {
    if let Some(model) = call.model {
        call.model_name = prices.name(model).await?;
    }
    Ok(())
}

/// A call that ended, by itself.
///
/// # Errors
/// As for a batch; nothing is set aside.
pub(crate) async fn alone(prices: &Prices, mut event: wire::Ended) -> Result<Result<EndedCall, Refused>, Fault> {
    let mut call = match event.check().and_then(|()| ended(&mut event)) {
        Ok(call) => call,
        Err(refused) => return Ok(Err(refused)),
    };
    name(prices, &mut call.begun).await?;
    Ok(Ok(call))
}

/// A checked batch, without the names of its models.
///
/// # Errors
/// [`Refused`] if it is wrong as a whole.
pub(crate) fn read(events: wire::Events) -> Result<SessionBatch, Refused> {
    events.check_frame()?;
    let mut batch = SessionBatch {
        session: convert::id("session", &events.session)?,
        batch: events.batch,
        begun: Vec::with_capacity(events.begun.len()),
        ended: Vec::with_capacity(events.ended.len()),
        aside: Vec::new(),
    };
    for event in events.begun {
        match event.check().and_then(|()| begun(&event)) {
            Ok(call) => batch.begun.push(call),
            Err(refused) => batch.aside.push(set_aside::begun(event, refused)),
        }
    }
    for mut event in events.ended {
        match event.check().and_then(|()| ended(&mut event)) {
            Ok(call) => batch.ended.push(call),
            Err(refused) => batch.aside.push(set_aside::ended(event, refused)),
        }
    }
    Ok(batch)
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

/// Takes the seals out of the message, if all the rest of it is right.
fn ended(m: &mut wire::Ended) -> Result<EndedCall, Refused> {
    Ok(EndedCall {
        begun: begun(m.begun.as_ref().ok_or(Refused("begun"))?)?,
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
        risk_marks: m.risk_marks,
        tried: m.tried,
        failed: m.attempts.iter().map(attempt).collect::<Result<_, _>>()?,
        sealed_ip: some(std::mem::take(&mut m.sealed_ip)),
        sealed_user_agent: some(std::mem::take(&mut m.sealed_user_agent)),
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

/// The message that [`ended`] reads.
pub(crate) fn written(call: &EndedCall) -> wire::Ended {
    let begun = &call.begun;
    wire::Ended {
        begun: Some(wire::Begun {
            call: Some(begun.call.into()),
            key: Some(begun.key.into()),
            account: Some(begun.account.into()),
            group: Some(begun.group.into()),
            model: begun.model.map(Into::into),
            price: begun.price.map(Into::into),
            group_multiplier_ppm: begun.group_multiplier.0,
            channel_multiplier_ppm: begun.channel_multiplier.0,
            channel: begun.channel.map(Into::into),
            provider: begun.provider.map(Into::into),
            started_at: begun.started_at.0,
            reserved: begun.reserved.0,
            input_estimate: begun.input_estimate,
            endpoint: begun.endpoint.number(),
            stream: begun.stream,
            source: begun.source.number(),
            credential: begun.credential.map(Into::into),
        }),
        status: call.status.number(),
        error: convert::error_number(call.error),
        http_status: call.http_status.into(),
        usage: Some((&call.usage).into()),
        usage_source: call.usage_source.number(),
        amount: call.amount.0,
        capped: call.capped,
        first_byte_micros: call.first_byte_micros.and_then(|n| i64::try_from(n).ok()).unwrap_or(-1),
        duration_micros: i64::try_from(call.duration_micros).unwrap_or(i64::MAX),
        concurrency: call.concurrency,
        agent: call.agent.number(),
        sealed_ip: call.sealed_ip.clone().unwrap_or_default(),
        sealed_user_agent: call.sealed_user_agent.clone().unwrap_or_default(),
        risk_marks: call.risk_marks,
        attempts: call.failed.iter().map(attempt_written).collect(),
        tried: call.tried,
    }
}

fn attempt_written(attempt: &FailedAttempt) -> wire::Attempt {
    wire::Attempt {
        channel: Some(attempt.channel.into()),
        credential: (!attempt.credential.0.is_nil()).then(|| attempt.credential.into()),
        started_micros: i64::try_from(attempt.started_micros).unwrap_or(i64::MAX),
        duration_micros: i64::try_from(attempt.duration_micros).unwrap_or(i64::MAX),
        error: convert::error_number(attempt.error),
        http_status: attempt.http_status.unwrap_or(0).into(),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use tacit_kernel::call::{AgentFamily, CallEvent, CallStatus, ErrorCode};

    pub(crate) fn valid() -> wire::Ended {
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

    pub(crate) fn read_all(events: wire::Events) -> SessionBatch {
        read(events).unwrap()
    }

    #[test]
    fn an_ended_call_is_read() {
        let call = ended(&mut valid()).unwrap();
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
        assert_eq!(ended(&mut wire::Ended { status: 77, ..valid() }).unwrap_err(), Refused("status"));
        assert_eq!(ended(&mut wire::Ended { error: 777, ..valid() }).unwrap_err(), Refused("error"));
        assert_eq!(ended(&mut wire::Ended { begun: None, ..valid() }).unwrap_err(), Refused("begun"));
        let mut late = valid();
        late.attempts[0].started_micros = -1;
        assert_eq!(ended(&mut late).unwrap_err(), Refused("started_micros"));
    }

    #[test]
    fn what_was_read_can_be_written_and_read_again() {
        let mut event = valid();
        event.usage = Some(wire::Usage { input: 1, output: 2, reasoning: 3, ..wire::Usage::default() });
        event.first_byte_micros = 77;
        event.duration_micros = 99;
        event.sealed_ip = vec![1; 40];
        event.capped = true;
        let begun = event.begun.as_mut().unwrap();
        (begun.stream, begun.started_at, begun.input_estimate, begun.reserved) = (true, 5, 6, 7);
        begun.model = Some(Uuid::from_u128(9).into());
        begun.channel_multiplier_ppm = 3;
        let call = ended(&mut event.clone()).unwrap();
        assert_eq!(written(&call), event);
        let bytes = convert::event_bytes(&written(&call));
        assert_eq!(ended(&mut convert::ended_event(&bytes).unwrap()).unwrap(), call);
    }

    #[test]
    fn an_event_that_is_refused_keeps_no_other_from_being_taken() {
        let session = vec![1; 16];
        let begun = valid().begun.unwrap();
        let events = wire::Events {
            session: session.clone(),
            batch: 1,
            begun: vec![wire::Begun { endpoint: 99, reserved: 5, ..begun }, begun],
            ended: vec![wire::Ended { amount: -1, sealed_ip: vec![0; 5000], ..valid() }, valid()],
        };
        let batch = read(events.clone()).unwrap();
        assert_eq!((batch.begun.len(), batch.ended.len()), (1, 1));
        let [first, second] = batch.aside.as_slice() else { panic!("{:?}", batch.aside) };
        assert_eq!((first.event, first.reason.as_str(), first.amount), (CallEvent::Begun, "field.endpoint", Nano(5)));
        assert_eq!((second.event, second.reason.as_str(), second.amount), (CallEvent::Ended, "field.amount", Nano(0)));
        assert_eq!((second.call, second.call), (Some(batch.begun[0].call), first.call));
        // What is kept is within its bounds.
        assert!(convert::ended_event(&second.message).unwrap().sealed_ip.is_empty());
        assert_eq!(read(wire::Events { batch: 0, ..events }).unwrap_err(), Refused("batch"));
    }
}

//! How calls that have begun and not ended are written to `open_calls.begun`, so that a call whose gateway dies can be
//! settled. One version byte, then postcard (<https://postcard.jamesmunns.com/wire-format>).

use super::model::BegunCall;
use crate::LedgerError;
use serde::{Deserialize, Serialize};
use tacit_kernel::call::{CallSource, Endpoint};
use tacit_kernel::{Nano, Ppm, Timestamp};
use uuid::Uuid;

const VERSION: u8 = 1;

const BROKEN: LedgerError = LedgerError::Inconsistent { table: "open_calls", column: "begun" };

#[derive(Serialize, Deserialize)]
struct Entry {
    call: Uuid,
    key: Uuid,
    account: Uuid,
    group: Uuid,
    group_multiplier: i64,
    model: Option<Uuid>,
    model_name: Option<String>,
    price: Option<Uuid>,
    channel: Option<Uuid>,
    provider: Option<Uuid>,
    credential: Option<Uuid>,
    channel_multiplier: i64,
    started_at: i64,
    reserved: i64,
    input_estimate: u64,
    endpoint: u32,
    stream: bool,
    source: u32,
}

/// Writes calls.
pub(crate) fn encode<'a>(calls: impl Iterator<Item = &'a BegunCall>) -> Result<Vec<u8>, LedgerError> {
    let entries: Vec<Entry> = calls.map(entry).collect();
    postcard::to_extend(&entries, vec![VERSION]).map_err(|_| BROKEN)
}

/// Reads them back.
pub(crate) fn decode(blob: &[u8]) -> Result<Vec<BegunCall>, LedgerError> {
    match blob.split_first() {
        Some((&VERSION, rest)) => {
            let entries: Vec<Entry> = postcard::from_bytes(rest).map_err(|_| BROKEN)?;
            entries.into_iter().map(|entry| call(entry).ok_or(BROKEN)).collect()
        }
        _ => Err(BROKEN),
    }
}

fn entry(call: &BegunCall) -> Entry {
    Entry {
        call: call.call.0,
        key: call.key.0,
        account: call.account.0,
        group: call.group.0,
        group_multiplier: call.group_multiplier.0,
        model: call.model.map(|id| id.0),
        model_name: call.model_name.clone(),
        price: call.price.map(|id| id.0),
        channel: call.channel.map(|id| id.0),
        provider: call.provider.map(|id| id.0),
        credential: call.credential.map(|id| id.0),
        channel_multiplier: call.channel_multiplier.0,
        started_at: call.started_at.0,
        reserved: call.reserved.0,
        input_estimate: call.input_estimate,
        endpoint: call.endpoint.number(),
        stream: call.stream,
        source: call.source.number(),
    }
}

fn call(entry: Entry) -> Option<BegunCall> {
    Some(BegunCall {
        call: entry.call.into(),
        key: entry.key.into(),
        account: entry.account.into(),
        group: entry.group.into(),
        group_multiplier: Ppm(entry.group_multiplier),
        model: entry.model.map(Into::into),
        model_name: entry.model_name,
        price: entry.price.map(Into::into),
        channel: entry.channel.map(Into::into),
        provider: entry.provider.map(Into::into),
        credential: entry.credential.map(Into::into),
        channel_multiplier: Ppm(entry.channel_multiplier),
        started_at: Timestamp(entry.started_at),
        reserved: Nano(entry.reserved),
        input_estimate: entry.input_estimate,
        endpoint: Endpoint::from_number(entry.endpoint)?,
        stream: entry.stream,
        source: CallSource::from_number(entry.source)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use tacit_kernel::ids::{AccountId, CallId, CredentialId, GroupId, KeyId, ModelId};

    #[test]
    fn calls_come_back_and_rubbish_does_not() {
        let call = BegunCall {
            call: CallId::fresh(),
            key: KeyId::fresh(),
            account: AccountId::fresh(),
            group: GroupId::fresh(),
            group_multiplier: Ppm(800_000),
            model: Some(ModelId::fresh()),
            model_name: Some("a-model".into()),
            price: None,
            channel: None,
            provider: None,
            credential: Some(CredentialId::fresh()),
            channel_multiplier: Ppm::ONE,
            started_at: Timestamp(5),
            reserved: Nano(-1),
            input_estimate: u64::MAX,
            endpoint: Endpoint::Messages,
            stream: true,
            source: CallSource::Demo,
        };
        let calls = vec![call.clone(), BegunCall { endpoint: Endpoint::Embeddings, model_name: None, ..call }];
        let blob = encode(calls.iter()).unwrap();
        assert_eq!(decode(&blob).unwrap(), calls);
        for cut in 0..blob.len() {
            assert!(decode(&blob[..cut]).is_err(), "{cut}");
        }
        let mut other = blob.clone();
        other[0] = 2;
        assert!(decode(&other).is_err());
    }
}

//! Calls that tests make, as a gateway reports them.

use crate::journal::JournalBatch;
use crate::settlement::{BegunCall, EndedCall, SessionBatch};
use crate::{Journal, Ledger, LedgerError, Settler};
use tacit_kernel::call::{AgentFamily, CallSource, CallStatus, Endpoint, UsageSource};
use tacit_kernel::ids::{AccountId, CallId, GroupId, KeyId};
use tacit_kernel::rating::Usage;
use tacit_kernel::{Nano, Ppm, Timestamp};

/// A free call that completed.
#[must_use]
pub fn free_call(account: AccountId, key: KeyId, group: GroupId, started_at: Timestamp) -> EndedCall {
    let begun = BegunCall {
        call: CallId::fresh(),
        key,
        account,
        group,
        group_multiplier: Ppm::ONE,
        model: None,
        model_name: None,
        price: None,
        channel: None,
        provider: None,
        credential: None,
        channel_multiplier: Ppm::ONE,
        started_at,
        reserved: Nano(0),
        input_estimate: 0,
        endpoint: Endpoint::ChatCompletions,
        stream: false,
        source: CallSource::Api,
    };
    EndedCall {
        begun,
        status: CallStatus::Completed,
        error: None,
        http_status: 200,
        usage: Usage::default(),
        usage_source: UsageSource::Provider,
        amount: Nano(0),
        capped: false,
        first_byte_micros: None,
        duration_micros: 2,
        concurrency: 1,
        agent: AgentFamily::Curl,
        sealed_ip: Some(vec![1; 40]),
        sealed_user_agent: Some(vec![2; 40]),
        risk_marks: 0,
        tried: 0,
        failed: vec![],
    }
}

/// Settles a batch that lay in the journal before.
///
/// # Errors
/// As [`Settler::commit`].
pub async fn settle(ledger: &Ledger, batch: SessionBatch) -> Result<(), LedgerError> {
    let events = JournalBatch { session: batch.session, batch: batch.batch, events: vec![0] };
    Journal::new(ledger.clone()).write(&[events]).await?;
    Settler::new(ledger.clone()).commit(&[batch], &|_| None).await?;
    Ok(())
}

//! A call of somebody as a gateway reports one. The example `served` has this file too.

use tacit_identity::Identity;
use tacit_kernel::call::{AgentFamily, CallEvent, CallSource, CallStatus, Endpoint, UsageSource};
use tacit_kernel::ids::{AccountId, CallId, KeyId};
use tacit_kernel::rating::Usage;
use tacit_kernel::{Nano, Ppm, Timestamp};
use tacit_ledger::aside::SetAside;
use tacit_ledger::journal::JournalBatch;
use tacit_ledger::settlement::{BegunCall, EndedCall, SessionBatch};
use tacit_ledger::{Journal, Ledger, Settler};
use tacit_vault::Aad;

/// A call with that key, free, with the address and the user agent that the gateway sealed; and an event of theirs that is set
/// aside.
pub(crate) async fn called(
    identity: &Identity,
    ledger: &Ledger,
    started_at: Timestamp,
    (account, key): (AccountId, KeyId),
) -> Result<CallId, Box<dyn std::error::Error + Send + Sync>> {
    let session = ledger.session_open("gateway", "1", true).await?.session;
    let seal = identity.account_call_seal_key(account).await?.ok_or("no such account")?;
    let group = identity.group_by_name("default").await?.ok_or("no group default")?.id;
    let call = CallId::fresh();
    let sealed = |column, text: &str| Some(seal.seal(&Aad { table: "calls", column, row: call.0 }, text.as_bytes()));
    let begun = BegunCall {
        call,
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
    let ended = EndedCall {
        begun: begun.clone(),
        status: CallStatus::Completed,
        error: None,
        http_status: 200,
        usage: Usage::default(),
        usage_source: UsageSource::Provider,
        amount: Nano(0),
        capped: false,
        first_byte_micros: Some(1),
        duration_micros: 2,
        concurrency: 1,
        agent: AgentFamily::Curl,
        sealed_ip: sealed("ip", "203.0.113.99"),
        sealed_user_agent: sealed("user_agent", "CanaryBrowser/7.7"),
        risk_marks: 0,
        tried: 0,
        failed: vec![],
    };
    let aside = SetAside {
        event: CallEvent::Ended,
        call: Some(CallId::fresh()),
        account: Some(account),
        key: Some(key),
        amount: Nano(0),
        reason: "field.amount".to_owned(),
        message: b"CanaryBrowser/7.7".to_vec(),
    };
    let batch = SessionBatch { session, batch: 1, begun: vec![begun], ended: vec![ended], aside: vec![aside] };
    // What is settled lay in the journal before.
    let events = JournalBatch { session, batch: 1, events: vec![0] };
    Journal::new(ledger.clone()).write(&[events]).await?;
    Settler::new(ledger.clone()).commit(&[batch], &|_| None).await?;
    Ok(call)
}

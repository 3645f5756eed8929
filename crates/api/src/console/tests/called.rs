//! A call of somebody as a gateway reports one. The example `served` has this file too.

use tacit_identity::Identity;
use tacit_kernel::call::CallEvent;
use tacit_kernel::ids::{AccountId, CallId, KeyId};
use tacit_kernel::{Nano, Timestamp};
use tacit_ledger::Ledger;
use tacit_ledger::aside::SetAside;
use tacit_ledger::settlement::SessionBatch;
use tacit_ledger::testing::{free_call, settle};
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
    let mut ended = free_call(account, key, group, started_at);
    let call = ended.begun.call;
    let sealed = |column, text: &str| Some(seal.seal(&Aad { table: "calls", column, row: call.0 }, text.as_bytes()));
    ended.first_byte_micros = Some(1);
    ended.sealed_ip = sealed("ip", "203.0.113.99");
    ended.sealed_user_agent = sealed("user_agent", "CanaryBrowser/7.7");
    let begun = ended.begun.clone();
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
    settle(ledger, batch).await?;
    Ok(call)
}

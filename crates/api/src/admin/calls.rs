//! `/v1/calls`: the records of calls. Metadata only; the client's address and user agent are unsealed on request only,
//! and each such look is logged.

use super::forms::calls::{Explained, explained, provider_names, reveal, shown};
use super::forms::{Moment, Page, page_of};
use super::input::Params;
use super::wallets::Entry;
use super::{Admin, Answer, accounts, channels, not_found};
use crate::restricted::left_out;
use axum::extract::{Path, State};
use axum::{Json, Router, routing::get};
use serde::{Deserialize, Serialize};
use tacit_kernel::call::CallStatus;
use tacit_kernel::ids::{CallId, KeyId};
use tacit_ledger::calls::CallFilter;

pub use super::forms::calls::{Attempt, Call, Charge, Revealed};

/// Which calls to list; every part given must hold.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CallQuery {
    /// Of this account, by name or id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Of this key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyId>,
    /// Of this model, by registered name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// That ended so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<CallStatus>,
    /// Served by this channel, by name or id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// Begun at or after this moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Moment>,
    /// Begun before this moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Moment>,
    /// `next` of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// At most so many, 1 to 500; 100 if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// A call with all that explains it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CallDetail {
    /// The record.
    pub call: Call,
    /// Every attempt at a provider.
    pub attempts: Vec<Attempt>,
    /// How the charge came about; absent if the call was free.
    pub charge: Option<Charge>,
    /// The lines of the ledger transaction that settled it, which may settle other calls too.
    pub ledger_entries: Vec<Entry>,
    /// Only if asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revealed: Option<Revealed>,
}

/// How to show a call.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ShowQuery {
    /// Unseal the client's address and user agent. Logged.
    pub reveal: bool,
}

pub(super) fn routes() -> Router<Admin> {
    Router::new().route("/v1/calls", get(list)).route("/v1/calls/{id}", get(show))
}

async fn list(State(admin): State<Admin>, Params(query): Params<CallQuery>) -> Answer<Page<Call>> {
    let page = page_of(query.after.as_deref(), query.limit)?;
    let account = match &query.account {
        Some(reference) => Some(accounts::find(&admin, reference).await?.id),
        None => None,
    };
    let channel = match &query.channel {
        Some(reference) => Some(channels::find(&admin, reference).await?.id),
        None => None,
    };
    let filter = CallFilter {
        account,
        key: query.key,
        model: query.model,
        status: query.status,
        channel,
        since: query.since.map(|m| m.0),
        until: query.until.map(|m| m.0),
        ..CallFilter::default()
    };
    let providers = provider_names(&admin.catalog).await?;
    let page = admin.ledger.call_list(&filter, page).await?;
    let page = left_out(&admin.identity, page, |record| Some(record.account)).await?;
    Ok(Json(Page::of(page, |record| shown(record, &providers))))
}

async fn show(
    State(admin): State<Admin>,
    Path(id): Path<String>,
    Params(query): Params<ShowQuery>,
) -> Answer<CallDetail> {
    let missing = || not_found("call.not_found", "call");
    let id: CallId = id.parse().map_err(|_| missing())?;
    let record = admin.ledger.call(id).await?.ok_or_else(missing)?;
    let revealed = if query.reveal {
        // That it was looked at is logged before anything is shown.
        tracing::warn!(event = "call.revealed", call.id = %record.id, account.id = %record.account);
        Some(reveal(&admin.identity, &record).await?)
    } else {
        None
    };
    let providers = provider_names(&admin.catalog).await?;
    let Explained { attempts, charge, ledger_entries } =
        explained(&admin.catalog, &admin.ledger, &record, &providers).await?;
    let call = shown(record, &providers);
    Ok(Json(CallDetail { call, attempts, charge, ledger_entries, revealed }))
}

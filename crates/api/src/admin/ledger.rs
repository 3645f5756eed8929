//! `/v1/ledger`: entries, and the proof that nothing is missing.

use super::forms::money::{page_of_entries, verified};
use super::forms::{Page, page_of};
use super::input::Params;
use super::wallets::Entry;
use super::{Admin, Answer, accounts};
use axum::extract::State;
use axum::{Json, Router, routing::get};
use serde::{Deserialize, Serialize};

pub use super::forms::money::Verification;

/// Which entries to list.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EntryQuery {
    /// Of this account only, by name or id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// `next` of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// At most so many, 1 to 500; 100 if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

pub(super) fn routes() -> Router<Admin> {
    Router::new().route("/v1/ledger/entries", get(entries)).route("/v1/ledger/verify", get(verify))
}

async fn entries(State(admin): State<Admin>, Params(query): Params<EntryQuery>) -> Answer<Page<Entry>> {
    let account = match &query.account {
        Some(reference) => Some(accounts::find(&admin, reference).await?.id),
        None => None,
    };
    let page = admin.ledger.entries(account, page_of(query.after.as_deref(), query.limit)?).await?;
    Ok(Json(page_of_entries(page)))
}

async fn verify(State(admin): State<Admin>) -> Answer<Verification> {
    Ok(Json(verified(&admin.catalog, &admin.ledger).await?))
}

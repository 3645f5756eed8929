//! `/v1/ledger`: entries, and the proof that nothing is missing.

use super::forms::{Page, page_of};
use super::input::Params;
use super::wallets::{Entry, entries_of};
use super::{Admin, Answer, accounts};
use axum::extract::State;
use axum::{Json, Router, routing::get};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::sync::Arc;
use tacit_kernel::Fault;

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

/// What recomputing everything found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Verification {
    /// Nothing is wrong.
    pub balanced: bool,
    /// Transactions looked at.
    pub transactions: u64,
    /// Calls whose charge was computed again.
    pub calls: u64,
    /// What is wrong.
    pub findings: Vec<serde_json::Value>,
    /// How many more there are than are listed.
    pub findings_not_listed: u64,
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
    let next = page.next.map(|id| id.to_string());
    Ok(Json(Page { items: page.items.into_iter().flat_map(entries_of).collect(), next }))
}

async fn verify(State(admin): State<Admin>) -> Answer<Verification> {
    let prices = admin.catalog.price_all().await?;
    let prices: HashMap<_, _> = prices.into_iter().map(|(id, price)| (id, Arc::new(price))).collect();
    let report = admin.ledger.verify(&|id| prices.get(&id).cloned()).await?;
    let mut findings = Vec::new();
    for violation in &report.violations {
        findings.push(serde_json::to_value(violation).map_err(|e| Fault::internal("ledger.report", e))?);
    }
    Ok(Json(Verification {
        balanced: report.violations.is_empty(),
        transactions: report.checked.transactions,
        calls: report.checked.calls,
        findings,
        findings_not_listed: report.not_listed,
    }))
}

//! `/v1/accounts/{account}/wallet`: what an account has, and how money comes in.

use super::forms::Moment;
use super::input::Input;
use super::problem::Refusal;
use super::{Admin, Answer, accounts};
use axum::extract::{Path, State};
use axum::{Json, Router, routing::get};
use serde::{Deserialize, Serialize};
use tacit_kernel::Nano;
use tacit_kernel::ids::{AccountId, TransactionId};

/// How money moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Movement {
    /// Paid in.
    TopUp,
    /// Given by the platform.
    Grant,
    /// A correction, either way.
    Adjustment,
}

/// A movement to make.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewMovement {
    /// What kind.
    pub kind: Movement,
    /// How much.
    pub amount: Nano,
    /// The same key twice moves money once.
    pub idempotency_key: String,
}

/// What an account has.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Wallet {
    /// Whose it is.
    pub account: AccountId,
    /// Paid-in money.
    pub wallet: Nano,
    /// Gift credit; charges consume it first.
    pub gift: Nano,
    /// Held by gateways for calls.
    pub reserved: Nano,
    /// Settlement currency.
    pub currency: String,
}

/// A movement that was made, or had been made before under the same key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Moved {
    /// The ledger transaction.
    pub transaction: TransactionId,
    /// What the account has now.
    pub wallet: Wallet,
}

/// One line of the ledger.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Entry {
    /// The transaction; its lines sum to zero.
    pub transaction: TransactionId,
    /// What kind of transaction.
    pub kind: String,
    /// Line within it.
    pub line: u32,
    /// The ledger account: `wallet`, `gift`, `reserved`, `revenue`, `clearing`, `promotion`, `refund`.
    pub ledger_account: String,
    /// Whose ledger account it is; the platform's if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AccountId>,
    /// How much it changed.
    pub amount: Nano,
    /// When.
    pub at: Moment,
}

/// The entries of a transaction, one by one.
pub(super) fn entries_of(view: tacit_ledger::postings::TransactionView) -> impl Iterator<Item = Entry> {
    let (transaction, kind, at) = (view.id, view.kind.as_str().to_owned(), Moment(view.created_at));
    view.entries.into_iter().map(move |entry| Entry {
        transaction,
        kind: kind.clone(),
        line: entry.line,
        ledger_account: entry.kind.as_str().to_owned(),
        account: entry.owner,
        amount: entry.amount,
        at,
    })
}

pub(super) fn routes() -> Router<Admin> {
    Router::new().route("/v1/accounts/{reference}/wallet", get(show).post(make))
}

async fn wallet(admin: &Admin, account: AccountId) -> Result<Wallet, Refusal> {
    let view = admin.ledger.wallet(account).await?;
    Ok(Wallet {
        account,
        wallet: view.wallet,
        gift: view.gift,
        reserved: view.reserved,
        currency: admin.currency.clone(),
    })
}

async fn show(State(admin): State<Admin>, Path(reference): Path<String>) -> Answer<Wallet> {
    let account = accounts::find(&admin, &reference).await?.id;
    Ok(Json(wallet(&admin, account).await?))
}

async fn make(
    State(admin): State<Admin>,
    Path(reference): Path<String>,
    Input(new): Input<NewMovement>,
) -> Answer<Moved> {
    let account = accounts::find(&admin, &reference).await?.id;
    let (ledger, key) = (&admin.ledger, new.idempotency_key.as_str());
    let transaction = match new.kind {
        Movement::TopUp => ledger.top_up(account, new.amount, key).await?,
        Movement::Grant => ledger.grant(account, new.amount, key).await?,
        Movement::Adjustment => ledger.adjust(account, new.amount, key).await?,
    };
    Ok(Json(Moved { transaction, wallet: wallet(&admin, account).await? }))
}

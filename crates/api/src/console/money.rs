//! `/api/v1/accounts/{account}/wallet` and `/api/v1/ledger`: the money of all accounts, for staff. Every movement is a posting
//! with a reason, which is kept sealed in the audit log.

use super::reasons::Reasoned;
use super::{Access, Answer, Console, Idempotent, Input, Params, Reference, Routes, Signed, not_found};
use crate::forms::money::{Entry, Moved, Movement, Verification, Wallet, moved, page_of_entries, verified, wallet};
use crate::forms::{Page, PageQuery, page_of};
use crate::problem::{Problem, Refusal};
use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use tacit_identity::access::Permission;
use tacit_kernel::Nano;
use tacit_kernel::ids::AccountId;
use tacit_storage::ReadTx;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

/// A movement to make.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewMovement {
    /// What kind.
    kind: Movement,
    /// How much: a decimal number in the settlement currency, as text. Only an adjustment may be negative.
    #[schema(value_type = String, max_length = 40)]
    amount: Nano,
    /// Why; kept sealed in the audit log.
    #[schema(min_length = 1, max_length = 1000)]
    #[serde(rename = "reason")]
    _reason: String,
}

/// Which entries to list.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
struct LedgerQuery {
    /// Of this account only, by its id.
    #[param(value_type = Option<String>)]
    account: Option<AccountId>,
    /// `next` of the page before.
    after: Option<String>,
    /// At most so many transactions, 1 to 500; 100 if not given.
    #[param(minimum = 0, maximum = 4294967295u32)]
    limit: Option<u32>,
}

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .add(Access::Needs(Permission::MoneyRead), routes!(accounts_wallet))
        .add(Access::Needs(Permission::MoneyRead), routes!(accounts_entries))
        .add(Access::Needs(Permission::MoneyChange), routes!(accounts_move))
        .add(Access::Needs(Permission::MoneyRead), routes!(ledger_entries))
        .add(Access::Needs(Permission::LedgerVerify), routes!(ledger_verify))
}

/// That there is such an account: the ledger would open a purse for any id.
async fn known(console: &Console, id: AccountId) -> Result<AccountId, Refusal> {
    let found = console.db.read("console.account.known", |tx| Box::pin(console.identity.account_by_id_in_tx(tx, id)));
    Ok(found.await?.ok_or_else(|| not_found("account.not_found", "account"))?.id)
}

/// What an account has.
#[utoipa::path(get, path = "/api/v1/accounts/{account}/wallet", tag = "money", params(
    ("account" = String, Path, description = "Its id."),
), responses(
    (status = 200, description = "The wallet.", body = Wallet),
))]
async fn accounts_wallet(State(console): State<Console>, Reference(id): Reference<AccountId>) -> Answer<Wallet> {
    (console.settled)().await;
    Ok(Json(wallet(&console.ledger, &console.platform.currency, known(&console, id).await?).await?))
}

/// The lines of the ledger of an account, newest transaction first. The bound of a page counts transactions.
#[utoipa::path(get, path = "/api/v1/accounts/{account}/entries", tag = "money", params(
    ("account" = String, Path, description = "Its id."), PageQuery,
), responses(
    (status = 200, description = "A page of entries.", body = Page<Entry>),
))]
async fn accounts_entries(
    State(console): State<Console>,
    Reference(id): Reference<AccountId>,
    Params(query): Params<PageQuery>,
) -> Answer<Page<Entry>> {
    let page = page_of(query.after.as_deref(), query.limit)?;
    (console.settled)().await;
    Ok(Json(page_of_entries(console.ledger.entries(Some(known(&console, id).await?), page).await?)))
}

/// Credits or debits an account. The same request with the same `Idempotency-Key` moves money once, however late it comes while the ledger is kept.
#[utoipa::path(post, path = "/api/v1/accounts/{account}/movements", tag = "money", params(
    ("account" = String, Path, description = "Its id."),
    ("idempotency-key" = String, Header, description = "Makes it safe to send this again.",
        min_length = 1, max_length = 255),
), request_body = NewMovement, responses(
    (status = 200, description = "It is moved, or was before.", body = Moved),
    (status = 402, description = "The wallet does not hold what is to be taken.", body = Problem,
        content_type = "application/problem+json"),
    (status = 409, description = "The key was used for another movement.", body = Problem,
        content_type = "application/problem+json"),
))]
async fn accounts_move(
    State(console): State<Console>,
    caller: Signed,
    idempotent: Idempotent,
    Reference(id): Reference<AccountId>,
    _: Reasoned,
    Input(new): Input<NewMovement>,
) -> Answer<Moved> {
    let key = idempotent.for_good(&console, &caller, "accounts.move")?;
    let account = known(&console, id).await?;
    let identity = &console.identity;
    let other = async |tx: &mut ReadTx<'_>| identity.not_their_own_in_tx(tx, caller.account, account).await;
    let other = &other;
    console.db.read("console.movement.own", |tx| Box::pin(other(tx))).await?;
    (console.settled)().await;
    let what = (new.kind, new.amount, key.as_str());
    Ok(Json(moved(&console.ledger, &console.platform.currency, account, what).await?))
}

/// Lines of the ledger, newest transaction first: of all accounts and of the platform, or of one account. The bound of a page
/// counts transactions.
#[utoipa::path(get, path = "/api/v1/ledger/entries", tag = "money", params(LedgerQuery), responses(
    (status = 200, description = "A page of entries.", body = Page<Entry>),
))]
async fn ledger_entries(State(console): State<Console>, Params(query): Params<LedgerQuery>) -> Answer<Page<Entry>> {
    let page = page_of(query.after.as_deref(), query.limit)?;
    (console.settled)().await;
    Ok(Json(page_of_entries(console.ledger.entries(query.account, page).await?)))
}

/// Recomputes every balance from its entries and every charge from its call.
#[utoipa::path(get, path = "/api/v1/ledger/verify", tag = "money", responses(
    (status = 200, description = "What was found.", body = Verification),
))]
async fn ledger_verify(State(console): State<Console>) -> Answer<Verification> {
    (console.settled)().await;
    Ok(Json(verified(&console.catalog, &console.ledger).await?))
}

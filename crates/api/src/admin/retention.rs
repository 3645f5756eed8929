//! `/v1/retention` and `/v1/legal-holds`: what goes when its time is over, and what is kept from going.

use super::forms::{Moment, Page, PageQuery, page_of};
use super::input::{Input, Params};
use super::{Admin, Answer, accounts, not_found};
use axum::extract::{Path, State};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tacit_kernel::ids::{AccountId, LegalHoldId, RetentionRunId};
use tacit_kernel::{ErrorKind, Fault, Personal, Timestamp};
use tacit_privacy::retention::{Class, Hold, Run};

/// How a class of retention stands.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RetentionState {
    /// What it is.
    pub class: Class,
    /// Days for which it is kept.
    pub days: u32,
    /// Rows that are due now, those that are held with them.
    pub due: u64,
    /// Seconds since the oldest row may have been due; `null` before the first whole run.
    pub behind_seconds: Option<i64>,
}

/// A run over a class.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RetentionRun {
    /// Its id.
    pub id: RetentionRunId,
    /// What it went over.
    pub class: Class,
    /// What was older than that went.
    pub before: Moment,
    /// Rows that it deleted or emptied.
    pub deleted: u64,
    /// Rows that were due and are held.
    pub held: u64,
    /// When it began.
    pub started_at: Moment,
    /// When it was through; `null`: it is not.
    pub finished_at: Option<Moment>,
}

/// A legal hold.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LegalHold {
    /// Its id.
    pub id: LegalHoldId,
    /// Of which nothing is deleted.
    pub account: AccountId,
    /// What demands it; `null` if it cannot be read any more.
    pub demanded_by: Option<String>,
    /// Since when.
    pub created_at: Moment,
    /// Until when.
    pub ends_at: Moment,
}

/// A hold to make.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewLegalHold {
    /// Of which nothing is to be deleted: id or name.
    pub account: String,
    /// What demands it.
    pub demanded_by: String,
    /// Until when, as a date or a time.
    pub until: String,
}

impl From<Run> for RetentionRun {
    fn from(run: Run) -> Self {
        Self {
            id: run.id,
            class: run.class,
            before: run.cutoff.into(),
            deleted: run.deleted,
            held: run.held,
            started_at: run.started_at.into(),
            finished_at: run.finished_at.map(Into::into),
        }
    }
}

impl From<Hold> for LegalHold {
    fn from(hold: Hold) -> Self {
        Self {
            id: hold.id,
            account: hold.account,
            demanded_by: hold.reason.map(Personal::into_inner),
            created_at: hold.created_at.into(),
            ends_at: hold.ends_at.into(),
        }
    }
}

pub(super) fn routes() -> Router<Admin> {
    Router::new()
        .route("/v1/retention", get(state))
        .route("/v1/retention/runs", get(runs))
        .route("/v1/legal-holds", get(holds).post(put))
        .route("/v1/legal-holds/{hold}/end", post(end))
}

async fn state(State(admin): State<Admin>) -> Answer<Vec<RetentionState>> {
    let (plan, debts) = (admin.retention.plan().await?, admin.retention.debts().await?);
    let state = plan.into_iter().map(|due| {
        let debt = debts.iter().find(|debt| debt.class == due.class);
        let behind_seconds = debt.and_then(|debt| debt.behind_micros).map(|micros| micros / 1_000_000);
        RetentionState { class: due.class, days: due.days, due: due.rows, behind_seconds }
    });
    Ok(Json(state.collect()))
}

async fn runs(State(admin): State<Admin>, Params(query): Params<PageQuery>) -> Answer<Page<RetentionRun>> {
    let runs = admin.retention.runs(page_of(query.after.as_deref(), query.limit)?).await?;
    Ok(Json(Page::of(runs, RetentionRun::from)))
}

async fn holds(State(admin): State<Admin>, Params(query): Params<PageQuery>) -> Answer<Page<LegalHold>> {
    let holds = admin.retention.holds(page_of(query.after.as_deref(), query.limit)?).await.map_err(Fault::from)?;
    Ok(Json(Page::of(holds, LegalHold::from)))
}

async fn put(State(admin): State<Admin>, Input(new): Input<NewLegalHold>) -> Answer<LegalHold> {
    let account = accounts::find(&admin, &new.account).await?.id;
    let until = Timestamp::parse(&new.until).map_err(|e| Fault::new(ErrorKind::Invalid, "legal_hold.end", e))?;
    let hold = admin.retention.hold_put(account, &Personal::new(new.demanded_by), until).await.map_err(Fault::from)?;
    Ok(Json(hold.into()))
}

async fn end(State(admin): State<Admin>, Path(hold): Path<String>) -> Answer<()> {
    let hold = hold.parse().map_err(|_| not_found("legal_hold.not_found", "legal hold"))?;
    admin.retention.hold_end(hold).await.map_err(Fault::from)?;
    Ok(Json(()))
}

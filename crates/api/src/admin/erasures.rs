//! `/v1/erasures`: people are erased, and what is left of that is a receipt.

use super::forms::{Moment, Page, PageQuery, page_of};
use super::input::{Input, Params};
use super::{Admin, Answer, accounts, not_found};
use axum::extract::{Path, State};
use axum::routing::get;
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use tacit_kernel::Fault;
use tacit_kernel::ids::{AccountId, ErasureId, RecipientId};
use tacit_privacy::erasure::{self, Obstacle, Reason, State as Stage};
use tacit_privacy::recipients::Recipient;
use tacit_privacy::retention::Days;
use tacit_privacy::told::{Notice, State as Answered};

/// What erasing an account would do.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ErasurePlan {
    /// What keeps it from beginning: codes of what [`begin`] would answer.
    pub obstacles: Vec<String>,
    /// What is done with the rows of each way from a table to the account.
    pub ways: Vec<PlannedRows>,
}

/// What is done with some rows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PlannedRows {
    /// The way from the rows to the account.
    pub path: String,
    /// What is done: `deleted`, `unlinked`, `pseudonymous`, `committed`.
    pub then: String,
    /// The law that keeps them, if one does.
    pub law: Option<String>,
    /// How many there are.
    pub rows: u64,
}

/// An erasure, or its receipt.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Erasure {
    /// Its id.
    pub id: ErasureId,
    /// Who is erased; `null` once nobody can say any more.
    pub account: Option<AccountId>,
    /// Why.
    pub reason: Reason,
    /// How far it is.
    pub state: Stage,
    /// Rows that went, by table.
    pub rows: BTreeMap<String, u64>,
    /// What a law keeps under a pseudonym.
    pub kept: Vec<KeptRows>,
    /// Recipients of data that are told of it.
    pub told: Vec<ToldRecipient>,
    /// When it began.
    pub begun_at: Moment,
    /// Since when nothing can be read.
    pub unreadable_at: Option<Moment>,
    /// Since when no row leads to them.
    pub purged_at: Option<Moment>,
    /// Since when the bytes are gone from the files.
    pub done_at: Option<Moment>,
    /// Until when backups of the keyring from before may be there; `null` if none were made.
    pub copies_until: Option<Moment>,
}

/// A recipient of data that is told.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ToldRecipient {
    /// Which.
    pub recipient: RecipientId,
    /// Its name.
    pub name: Option<String>,
    /// What became of it: `waiting`, `confirmed`, `refused` or `unknown`.
    pub state: Answered,
    /// How often it was tried.
    pub attempts: u32,
    /// When that came to its end.
    pub ended_at: Option<Moment>,
}

/// What a law keeps.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct KeptRows {
    /// The table.
    pub table: String,
    /// How many rows.
    pub rows: u64,
    /// The law.
    pub law: String,
    /// The last of them is deleted then.
    pub until: Moment,
}

/// Whom to erase.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewErasure {
    /// Id or name.
    pub account: String,
    /// Why; `asked` if not given.
    #[serde(default = "asked")]
    pub reason: Reason,
    /// Whether money that is left is given up.
    #[serde(default)]
    pub forfeit: bool,
}

const fn asked() -> Reason {
    Reason::Asked
}

/// Of which account.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PlanQuery {
    account: String,
}

impl Erasure {
    /// With who is told of it, by those names.
    fn of(erasure: erasure::Erasure, days: &Days, (told, names): (Vec<Notice>, &[Recipient])) -> Self {
        let told = told.into_iter().map(|word| ToldRecipient {
            recipient: word.recipient,
            name: names.iter().find(|known| known.id == word.recipient).map(|known| known.name.clone()),
            state: word.state,
            attempts: word.attempts,
            ended_at: word.ended_at.map(Into::into),
        });
        let kept = erasure.kept(days).into_iter().map(|kept| KeptRows {
            table: kept.table.to_owned(),
            rows: kept.rows,
            law: kept.law.english.to_owned(),
            until: kept.until.into(),
        });
        Self {
            id: erasure.id,
            account: erasure.account,
            reason: erasure.reason,
            state: erasure.state,
            kept: kept.collect(),
            rows: erasure.rows,
            told: told.collect(),
            begun_at: erasure.begun_at.into(),
            unreadable_at: erasure.unreadable_at.map(Into::into),
            purged_at: erasure.purged_at.map(Into::into),
            done_at: erasure.done_at.map(Into::into),
            copies_until: erasure.copies_until.map(Into::into),
        }
    }
}

pub(super) fn routes() -> Router<Admin> {
    Router::new()
        .route("/v1/erasures", get(list).post(begin))
        .route("/v1/erasures/plan", get(plan))
        .route("/v1/erasures/{erasure}", get(show))
}

async fn list(State(admin): State<Admin>, Params(query): Params<PageQuery>) -> Answer<Page<Erasure>> {
    let erasures = admin.erasing.list(page_of(query.after.as_deref(), query.limit)?).await?;
    let names = admin.receivers.recipients.list().await.map_err(Fault::from)?;
    let mut items = Vec::with_capacity(erasures.items.len());
    for erasure in erasures.items {
        let told = admin.erasing.told(erasure.id).await?;
        items.push(Erasure::of(erasure, admin.retention.days(), (told, &names)));
    }
    Ok(Json(Page { items, next: erasures.next.map(|id| id.to_string()) }))
}

async fn plan(State(admin): State<Admin>, Params(query): Params<PlanQuery>) -> Answer<ErasurePlan> {
    let account = accounts::find(&admin, &query.account).await?.id;
    let plan = admin.erasing.plan(account).await.map_err(Fault::from)?;
    let ways = plan.ways.into_iter().map(|way| PlannedRows {
        path: way.path.to_owned(),
        then: way.on_erasure.as_str().to_owned(),
        law: way.on_erasure.law().map(|law| law.english.to_owned()),
        rows: way.rows,
    });
    let obstacles = plan.obstacles.iter().map(Obstacle::code).map(str::to_owned);
    Ok(Json(ErasurePlan { obstacles: obstacles.collect(), ways: ways.collect() }))
}

async fn begin(State(admin): State<Admin>, Input(new): Input<NewErasure>) -> Answer<Erasure> {
    let account = accounts::find(&admin, &new.account).await?.id;
    let begun = admin.erasing.begin(account, new.reason, new.forfeit).await.map_err(Fault::from)?;
    shown(&admin, begun).await
}

async fn show(State(admin): State<Admin>, Path(erasure): Path<String>) -> Answer<Erasure> {
    let unknown = || not_found("erasure.not_found", "erasure");
    let id = erasure.parse().map_err(|_| unknown())?;
    shown(&admin, admin.erasing.find(id).await?.ok_or_else(unknown)?).await
}

async fn shown(admin: &Admin, erasure: erasure::Erasure) -> Answer<Erasure> {
    let (told, names) = (admin.erasing.told(erasure.id).await?, admin.receivers.recipients.list().await);
    Ok(Json(Erasure::of(erasure, admin.retention.days(), (told, &names.map_err(Fault::from)?))))
}

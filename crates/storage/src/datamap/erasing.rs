//! What erasing an account does with rows: the statements are made of [`OWNERS`](super::OWNERS) and of nothing else, so that
//! whatever is declared later is erased too.

use super::{Owner, column};
use crate::error::{StorageError, StorageErrorKind};
use crate::sql::SqlText;
use crate::tx::{ReadTx, WriteTx};
use tacit_kernel::datamap::OnErasure;
use tacit_kernel::ids::AccountId;
use uuid::Uuid;

/// Rows of one step, of tables that have an id. Those of others are few and go at once.
pub const STEP: u32 = 1000;

/// What a step did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Erased {
    /// Rows that were deleted, unlinked or given to the pseudonym.
    pub rows: u64,
    /// Whether there may be more.
    pub more: bool,
}

/// Whether erasing does something with the rows of that way, rather than with a key, or by their age.
#[must_use]
pub const fn is_of_rows(way: &Owner) -> bool {
    matches!(way.on_erasure, OnErasure::Deleted | OnErasure::Unlinked | OnErasure::Pseudonymous(_))
}

/// How many rows lead to an account by that way.
///
/// # Errors
/// Any [`StorageError`].
pub async fn rows(tx: &mut ReadTx<'_>, way: &Owner, account: AccountId) -> Result<u64, StorageError> {
    let sql = SqlText::new("SELECT COUNT(*) AS n FROM ").push(way.table()).push(" WHERE ");
    let found = tx.query(leads(sql, way, account)).await?;
    found.first().map_or(Ok(0), |row| row.get("n"))
}

/// Does with some of the rows of that way what erasing the account does.
///
/// # Errors
/// Any [`StorageError`]; `ForeignKey` if rows that were written meanwhile hold one that is to go.
pub async fn step(
    tx: &mut WriteTx<'_>,
    way: &Owner,
    account: AccountId,
    pseudonym: Uuid,
) -> Result<Erased, StorageError> {
    if !is_of_rows(way) {
        return Ok(Erased::default());
    }
    let rows = tx.change(statement(way, account, pseudonym)?).await?;
    Ok(Erased { rows, more: column(way.table(), "id").is_some() && rows >= u64::from(STEP) })
}

/// The statement of a step.
pub(super) fn statement(way: &Owner, account: AccountId, pseudonym: Uuid) -> Result<SqlText, StorageError> {
    let table = way.table();
    let first = way.steps().first().map(|step| step.column);
    let sql = match (way.on_erasure, first) {
        (OnErasure::Deleted, _) => SqlText::new("DELETE FROM ").push(table),
        (OnErasure::Unlinked, Some(first)) => {
            SqlText::new("UPDATE ").push(table).push(" SET ").push(first).push(" = NULL")
        }
        (OnErasure::Pseudonymous(_), Some(first)) => {
            let sql = SqlText::new("UPDATE ").push(table).push(" SET ").push(first).bind(" = ", pseudonym);
            let sql = way.renamed.iter().fold(sql, |sql, name| sql.push(", ").push(name).bind(" = ", pseudonym));
            way.emptied.iter().fold(sql, |sql, name| sql.push(", ").push(name).push(" = NULL"))
        }
        _ => {
            let detail = format!("nothing is done with rows of {}", way.path);
            return Err(StorageError::new(StorageErrorKind::Other, detail));
        }
    };
    let sql = sql.push(" WHERE ");
    if column(table, "id").is_none() {
        return Ok(leads(sql, way, account));
    }
    let sql = sql.push("id IN (SELECT id FROM ").push(table).push(" WHERE ");
    Ok(leads(sql, way, account).bind(" ORDER BY id LIMIT ", STEP).push(")"))
}

/// That a row leads to the account.
pub(super) fn leads(sql: SqlText, way: &Owner, account: AccountId) -> SqlText {
    let steps = way.steps();
    let Some((last, before)) = steps.split_last() else { return sql.bind("id = ", account) };
    let sql = before.iter().fold(sql, |sql, step| {
        let sql = sql.push(step.column).push(" IN (SELECT ").push(step.to_column);
        sql.push(" FROM ").push(step.to_table).push(" WHERE ")
    });
    let sql = sql.push(last.column).bind(" = ", account);
    before.iter().fold(sql, |sql, _| sql.push(")"))
}

//! The SQL of entries and checkpoints.

use super::checkpoint::Checkpoint;
use super::model::{Entry, Exported, Filter, Kept, Look, content_of};
use super::{nodes, number};
use crate::error::{StorageError, StorageErrorKind};
use crate::row::Row;
use crate::sql::{Sql, SqlText};
use crate::tx::{ReadTx, WriteTx};
use crate::value::Value;
use std::collections::HashSet;
use tacit_kernel::Timestamp;
use tacit_kernel::audit::{Action, ActorKind};
use tacit_kernel::ids::AccountId;

const INSERT: Sql = Sql::new(
    "INSERT INTO audit_entries (seq, created_at, commitment, salt, actor_kind, actor_id, action, object_kind, object_id, \
     subject_id, phase, about, fields, affected, code, reason_sealed, address_sealed, actor_role) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)",
);
const FROM: Sql = Sql::new(
    "SELECT seq, created_at, commitment, salt, actor_kind, actor_id, action, object_kind, object_id, subject_id, phase, \
     about, fields, affected, code, reason_sealed, address_sealed, actor_role FROM audit_entries WHERE seq >= $1 ORDER BY seq LIMIT $2",
);
const LIST: &str = "SELECT seq, created_at, commitment, salt, actor_kind, actor_id, action, object_kind, object_id, subject_id, phase, \
     about, fields, affected, code, reason_sealed, address_sealed, actor_role FROM audit_entries WHERE seq >= 0";
// What an outcome tells of is left to it. An entry without one may have shown something all the same. The reason stands in
// the entry that announced it.
const LOOKS: &str = "SELECT e.seq AS seq, e.created_at AS created_at, e.actor_kind AS actor_kind, e.actor_role AS actor_role, \
     e.action AS action, e.fields AS fields, b.seq AS begun_seq, b.subject_id AS begun_subject_id, b.reason_sealed AS reason_sealed \
     FROM audit_entries e JOIN audit_entries b ON b.seq = COALESCE(e.about, e.seq) \
     WHERE e.phase <> 'refused' AND NOT EXISTS (SELECT 1 FROM audit_entries o WHERE o.about = e.seq)";
const ERASED: Sql = Sql::new("SELECT seq FROM audit_entries WHERE salt IS NULL AND seq >= $1 ORDER BY seq LIMIT $2");
// Of what somebody did with the data of others it stays who it was: else erasing oneself would hide a look.
const FORGET: Sql = Sql::new(
    "UPDATE audit_entries SET salt = NULL, actor_id = CASE WHEN actor_id = $2 THEN NULL ELSE actor_id END, \
     object_id = NULL, subject_id = NULL, fields = '', reason_sealed = NULL, address_sealed = NULL \
     WHERE subject_id = $1 OR (actor_id = $2 AND actor_kind = 'account' AND subject_id IS NULL)",
);
const OLD: Sql = Sql::new(
    "SELECT seq, subject_id FROM audit_entries WHERE salt IS NOT NULL AND seq >= $1 AND created_at < $2 ORDER BY seq LIMIT $3",
);
const FORGET_ENTRY: Sql = Sql::new(
    "UPDATE audit_entries SET salt = NULL, actor_id = NULL, object_id = NULL, subject_id = NULL, fields = '', \
     reason_sealed = NULL, address_sealed = NULL WHERE seq = $1",
);
const DUE: Sql = Sql::new("SELECT COUNT(*) AS n FROM audit_entries WHERE salt IS NOT NULL AND created_at < $1");
const NEWEST: Sql =
    Sql::new("SELECT note FROM audit_checkpoints WHERE size = (SELECT MAX(c.size) FROM audit_checkpoints AS c)");
const SIGNED: Sql = Sql::new("INSERT INTO audit_checkpoints (size, created_at, root, note) VALUES ($1, $2, $3, $4)");

/// The constant statements of this module.
pub const STATEMENTS: &[&Sql] = &[
    &INSERT,
    &FROM,
    &ERASED,
    &FORGET,
    &OLD,
    &FORGET_ENTRY,
    &DUE,
    &NEWEST,
    &SIGNED,
    nodes::STATEMENTS[0],
    nodes::STATEMENTS[1],
    nodes::STATEMENTS[2],
    nodes::STATEMENTS[3],
];

pub(super) async fn insert(
    tx: &mut WriteTx<'_>,
    kept: &Kept,
    salt: &[u8; 32],
    commitment: &[u8; 32],
) -> Result<(), StorageError> {
    let about = kept.about.map(number).transpose()?;
    let affected = kept.affected.map(number).transpose()?;
    let row = [
        number(kept.seq)?,
        kept.at.into(),
        commitment.into(),
        salt.into(),
        kept.actor_kind.as_str().into(),
        kept.actor_id.clone().into(),
        kept.action.as_str().into(),
        kept.object_kind.as_str().into(),
        kept.object_id.clone().into(),
        kept.subject.into(),
        kept.phase.as_str().into(),
        about.unwrap_or(Value::Null),
        kept.fields.as_str().into(),
        affected.unwrap_or(Value::Null),
        kept.code.clone().into(),
        kept.reason.clone().into(),
        kept.address.clone().into(),
        kept.actor_role.clone().into(),
    ];
    tx.execute(&INSERT, &row).await.map(drop).map_err(nodes::taken)
}

fn kept(row: &Row) -> Result<Kept, StorageError> {
    Ok(Kept {
        seq: row.get("seq")?,
        at: row.get("created_at")?,
        actor_kind: row.get("actor_kind")?,
        actor_id: row.get("actor_id")?,
        actor_role: row.get("actor_role")?,
        action: row.get("action")?,
        object_kind: row.get("object_kind")?,
        object_id: row.get("object_id")?,
        subject: row.get("subject_id")?,
        phase: row.get("phase")?,
        about: row.get("about")?,
        fields: row.get("fields")?,
        affected: row.get("affected")?,
        code: row.get("code")?,
        reason: row.get("reason_sealed")?,
        address: row.get("address_sealed")?,
    })
}

fn entry(row: &Row) -> Result<Entry, StorageError> {
    let salt: Option<[u8; 32]> = row.get("salt")?;
    Ok(Entry { kept: kept(row)?, commitment: row.get("commitment")?, erased: salt.is_none() })
}

pub(super) async fn by_seq(tx: &mut ReadTx<'_>, seq: u64) -> Result<Option<Entry>, StorageError> {
    let rows = tx.all(&FROM, &[number(seq)?, 1_i64.into()]).await?;
    Ok(rows.first().map(entry).transpose()?.filter(|found| found.kept.seq == seq))
}

pub(super) async fn list(
    tx: &mut ReadTx<'_>,
    filter: &Filter,
    before: Option<u64>,
    limit: u32,
) -> Result<Vec<Entry>, StorageError> {
    let text = SqlText::new(LIST)
        .bind_some(" AND seq < ", before.map(number).transpose()?)
        .bind_some(" AND actor_id = ", filter.actor.as_deref())
        .bind_some(" AND action = ", filter.action.as_deref())
        .bind_some(" AND subject_id = ", filter.subject)
        .bind_some(" AND created_at >= ", filter.since)
        .bind_some(" AND created_at < ", filter.until)
        .bind(" ORDER BY seq DESC LIMIT ", limit);
    tx.query(text).await?.iter().map(entry).collect()
}

/// A look, its reason still sealed: with the number and the subject that it was sealed for.
pub(super) struct LookRow {
    pub(super) look: Look,
    pub(super) reason: Option<(u64, Option<AccountId>, Vec<u8>)>,
}

/// Looks at that person's data, newest first.
pub(super) async fn looks(
    tx: &mut ReadTx<'_>,
    subject: AccountId,
    before: Option<u64>,
    limit: u32,
) -> Result<Vec<LookRow>, StorageError> {
    let text = SqlText::new(LOOKS)
        .bind(" AND e.subject_id = ", subject)
        .list(" AND (e.action IN ", Action::LOOKS.iter().map(|action| action.as_str()))
        .bind(" OR (e.actor_kind = ", ActorKind::System.as_str())
        .list(" AND e.action IN ", Action::LOOKS_UNSIGNED.iter().map(|action| action.as_str()))
        .push("))")
        .bind_some(" AND e.seq < ", before.map(number).transpose()?)
        .bind(" ORDER BY e.seq DESC LIMIT ", limit);
    tx.query(text).await?.iter().map(look).collect()
}

fn look(row: &Row) -> Result<LookRow, StorageError> {
    let sealed: Option<Vec<u8>> = row.get("reason_sealed")?;
    let (seq, subject) = (row.get("begun_seq")?, row.get("begun_subject_id")?);
    Ok(LookRow {
        look: Look {
            seq: row.get("seq")?,
            at: row.get("created_at")?,
            actor_kind: row.get("actor_kind")?,
            actor_role: row.get("actor_role")?,
            action: row.get("action")?,
            fields: row.get("fields")?,
            reason: None,
        },
        reason: sealed.map(|sealed| (seq, subject, sealed)),
    })
}

pub(super) async fn export(tx: &mut ReadTx<'_>, from: u64, limit: u32) -> Result<Vec<Exported>, StorageError> {
    let rows = tx.all(&FROM, &[number(from)?, limit.into()]).await?;
    rows.iter()
        .map(|row| {
            let salt: Option<[u8; 32]> = row.get("salt")?;
            let opened = salt.map(|salt| Ok::<_, StorageError>((salt, content_of(&kept(row)?)))).transpose()?;
            Ok(Exported { seq: row.get("seq")?, commitment: row.get("commitment")?, opened })
        })
        .collect()
}

pub(super) async fn erased(tx: &mut ReadTx<'_>, from: u64, limit: u32) -> Result<Vec<u64>, StorageError> {
    tx.all(&ERASED, &[number(from)?, limit.into()]).await?.iter().map(|row| row.get("seq")).collect()
}

/// Erases a person from the log: of the entries about them, and of what they did that is about nobody else, salt and
/// content go; time, action, outcome and the commitment stay. How many entries. Every proof and checkpoint holds as before.
///
/// Part of erasing an account: call it in the transaction that does, after the last entry about the account. What is
/// appended later about the erasure itself names nobody.
///
/// # Errors
/// Any [`StorageError`].
pub async fn forget_subject(tx: &mut WriteTx<'_>, account: AccountId) -> Result<u64, StorageError> {
    tx.execute(&FORGET, &[account.into(), account.to_string().into()]).await
}

/// What a step over old entries did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ForgottenEntries {
    /// Entries whose contents went.
    pub rows: u64,
    /// Entries that are old and about somebody who is held.
    pub held: u64,
    /// The number from which the next step goes on; `None`: nothing more is old.
    pub next: Option<u64>,
}

/// Takes salt and contents of entries from a number on that are older than that, but for those about who is held. The
/// commitments stay, and so does every proof.
///
/// # Errors
/// Any [`StorageError`].
pub async fn forget_before(
    tx: &mut WriteTx<'_>,
    (from, before): (u64, Timestamp),
    held: &HashSet<AccountId>,
    limit: u32,
) -> Result<ForgottenEntries, StorageError> {
    let rows = tx.all(&OLD, &[number(from)?, before.into(), limit.into()]).await?;
    let mut done = ForgottenEntries::default();
    for row in &rows {
        let (seq, subject): (u64, Option<AccountId>) = (row.get("seq")?, row.get("subject_id")?);
        done.next = Some(seq + 1);
        if subject.is_some_and(|subject| held.contains(&subject)) {
            done.held += 1;
        } else {
            done.rows += tx.execute(&FORGET_ENTRY, &[number(seq)?]).await?;
        }
    }
    if rows.len() < usize::try_from(limit).unwrap_or(usize::MAX) {
        done.next = None;
    }
    Ok(done)
}

/// How many entries are older than that and have contents.
///
/// # Errors
/// Any [`StorageError`].
pub async fn due_before(tx: &mut ReadTx<'_>, before: Timestamp) -> Result<u64, StorageError> {
    tx.one(&DUE, &[before.into()]).await?.map_or(Ok(0), |row| row.get("n"))
}

pub(super) async fn checkpoint_newest(tx: &mut ReadTx<'_>) -> Result<Option<(Checkpoint, String)>, StorageError> {
    let Some(row) = tx.one(&NEWEST, &[]).await? else { return Ok(None) };
    let note: String = row.get("note")?;
    let text = note.rfind("\n\n").and_then(|end| note.get(..=end));
    let read = text.and_then(Checkpoint::parse);
    Ok(Some((read.ok_or_else(|| StorageError::inconsistent("audit_checkpoints", "note"))?, note)))
}

pub(super) async fn checkpoint_insert(
    tx: &mut WriteTx<'_>,
    checkpoint: &Checkpoint,
    note: &str,
    now: Timestamp,
) -> Result<(), StorageError> {
    let row = [number(checkpoint.size)?, now.into(), checkpoint.root.into(), note.into()];
    // Another control plane signs the same size.
    tx.execute(&SIGNED, &row).await.map(drop).map_err(|e| match e.kind {
        StorageErrorKind::Unique => StorageError { kind: StorageErrorKind::Busy, ..e },
        _ => e,
    })
}

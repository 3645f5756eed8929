//! The SQL of cases.

use super::{Case, CaseState, VerdictReason, VerificationKind, VerificationWay};
use tacit_kernel::Timestamp;
use tacit_kernel::ids::{AccountId, VerificationId};
use tacit_storage::{Page, ReadTx, Row, Sql, StorageError, Value, WriteTx};

const INSERT: Sql = Sql::new(
    "INSERT INTO verification_cases (id, account_id, kind, state, way, details_sealed, created_at, updated_at, forget_at) \
     VALUES ($1, $2, $3, 'draft', $4, $5, $6, $6, $7)",
);
const BY_ID: Sql = Sql::new(
    "SELECT id, account_id, kind, state, way, details_sealed, reason, note_sealed, agreed_at, created_at, submitted_at, \
     decided_at, updated_at, forget_at FROM verification_cases WHERE id = $1",
);
const OF_ACCOUNT: Sql = Sql::new(
    "SELECT id, account_id, kind, state, way, details_sealed, reason, note_sealed, agreed_at, created_at, submitted_at, \
     decided_at, updated_at, forget_at FROM verification_cases WHERE account_id = $1 AND state <> 'withdrawn' \
     AND id > $2 ORDER BY id LIMIT $3",
);
const ALL: Sql = Sql::new(
    "SELECT id, account_id, kind, state, way, details_sealed, reason, note_sealed, agreed_at, created_at, submitted_at, \
     decided_at, updated_at, forget_at FROM verification_cases WHERE submitted_at IS NOT NULL AND id > $1 \
     ORDER BY id LIMIT $2",
);
const IN_STATE: Sql = Sql::new(
    "SELECT id, account_id, kind, state, way, details_sealed, reason, note_sealed, agreed_at, created_at, submitted_at, \
     decided_at, updated_at, forget_at FROM verification_cases WHERE state = $1 AND submitted_at IS NOT NULL \
     AND id > $2 ORDER BY id LIMIT $3",
);
const UPDATE: Sql = Sql::new(
    "UPDATE verification_cases SET state = $2, way = $3, details_sealed = $4, reason = $5, note_sealed = $6, \
     agreed_at = $7, submitted_at = $8, decided_at = $9, updated_at = $10, forget_at = $11 WHERE id = $1",
);
const NUMBER: Sql = Sql::new("UPDATE verification_cases SET number_hash = $2 WHERE id = $1");
const IDS: Sql = Sql::new("SELECT id FROM verification_cases WHERE account_id = $1");
const COUNT: Sql = Sql::new("SELECT COUNT(*) AS n FROM verification_cases WHERE account_id = $1");
const APPROVED: Sql =
    Sql::new("SELECT COUNT(*) AS n FROM verification_cases WHERE account_id = $1 AND state = 'approved' AND kind = $2");
/// Of an account, or of the owner of the organisation that it is.
const APPROVED_ANY: Sql = Sql::new(
    "SELECT COUNT(*) AS n FROM verification_cases WHERE state = 'approved' AND (account_id = $1 OR account_id IN \
     (SELECT account_id FROM organisation_members WHERE organisation_id = $1 AND role = 'owner'))",
);
const OWNED: Sql = Sql::new(
    "SELECT organisation_id FROM organisation_members WHERE account_id = $1 AND role = 'owner' ORDER BY organisation_id",
);
const OTHERS: Sql = Sql::new(
    "SELECT COUNT(DISTINCT account_id) AS n FROM verification_cases WHERE number_hash = $1 AND state = 'approved' \
     AND account_id <> $2",
);
const DUE: Sql = Sql::new(
    "SELECT id, state FROM verification_cases WHERE forget_at IS NOT NULL AND forget_at <= $1 ORDER BY forget_at LIMIT $2",
);
const EXPIRE: Sql = Sql::new(
    "UPDATE verification_cases SET state = 'expired', updated_at = $2 WHERE id = $1 \
     AND state IN ('draft', 'submitted', 'needs_more')",
);
const EMPTY: Sql =
    Sql::new("UPDATE verification_cases SET details_sealed = NULL, note_sealed = NULL, forget_at = NULL WHERE id = $1");
const DELETE: Sql = Sql::new("DELETE FROM verification_cases WHERE id = $1 AND state = 'withdrawn'");

/// Every statement of cases.
pub(crate) const STATEMENTS: &[&Sql] = &[
    &INSERT,
    &BY_ID,
    &OF_ACCOUNT,
    &IDS,
    &ALL,
    &IN_STATE,
    &UPDATE,
    &NUMBER,
    &COUNT,
    &APPROVED,
    &APPROVED_ANY,
    &OWNED,
    &OTHERS,
    &DUE,
    &EXPIRE,
    &EMPTY,
    &DELETE,
];

/// A row, what it says still sealed.
pub(super) struct CaseRow {
    pub(super) id: VerificationId,
    pub(super) account: AccountId,
    pub(super) kind: VerificationKind,
    pub(super) state: CaseState,
    pub(super) way: VerificationWay,
    pub(super) details_sealed: Option<Vec<u8>>,
    pub(super) reason: Option<VerdictReason>,
    pub(super) note_sealed: Option<Vec<u8>>,
    pub(super) agreed_at: Option<Timestamp>,
    pub(super) created_at: Timestamp,
    pub(super) submitted_at: Option<Timestamp>,
    pub(super) decided_at: Option<Timestamp>,
    pub(super) updated_at: Timestamp,
    pub(super) forget_at: Option<Timestamp>,
}

impl CaseRow {
    /// The case, with what it says left out.
    pub(super) const fn closed(&self) -> Case {
        Case {
            id: self.id,
            account: self.account,
            kind: self.kind,
            state: self.state,
            way: self.way,
            details: None,
            reason: self.reason,
            note: None,
            agreed_at: self.agreed_at,
            created_at: self.created_at,
            submitted_at: self.submitted_at,
            decided_at: self.decided_at,
            updated_at: self.updated_at,
            forget_at: self.forget_at,
            papers: Vec::new(),
        }
    }
}

fn case(row: &Row) -> Result<CaseRow, StorageError> {
    let reason: Option<String> = row.get("reason")?;
    let unknown = || StorageError::inconsistent("verification_cases", "reason");
    Ok(CaseRow {
        id: row.get("id")?,
        account: row.get("account_id")?,
        kind: row.word("kind", VerificationKind::parse)?,
        state: row.word("state", CaseState::parse)?,
        way: row.word("way", VerificationWay::parse)?,
        details_sealed: row.get("details_sealed")?,
        reason: reason.map(|word| VerdictReason::parse(&word).ok_or_else(unknown)).transpose()?,
        note_sealed: row.get("note_sealed")?,
        agreed_at: row.get("agreed_at")?,
        created_at: row.get("created_at")?,
        submitted_at: row.get("submitted_at")?,
        decided_at: row.get("decided_at")?,
        updated_at: row.get("updated_at")?,
        forget_at: row.get("forget_at")?,
    })
}

async fn number(tx: &mut ReadTx<'_>, sql: &Sql, values: &[Value]) -> Result<u64, StorageError> {
    let row = tx.one(sql, values).await?;
    row.map_or(Ok(0), |row| row.get("n"))
}

/// The cases of an account.
pub(super) async fn ids_of(tx: &mut ReadTx<'_>, account: AccountId) -> Result<Vec<VerificationId>, StorageError> {
    tx.all(&IDS, &[account.into()]).await?.iter().map(|row| row.get("id")).collect()
}

pub(super) async fn insert(tx: &mut WriteTx<'_>, row: &CaseRow) -> Result<(), StorageError> {
    let values = [
        row.id.into(),
        row.account.into(),
        Value::Word(row.kind.as_str()),
        Value::Word(row.way.as_str()),
        row.details_sealed.clone().into(),
        row.created_at.into(),
        row.forget_at.into(),
    ];
    tx.execute(&INSERT, &values).await.map(drop)
}

pub(super) async fn by_id(tx: &mut ReadTx<'_>, id: VerificationId) -> Result<Option<CaseRow>, StorageError> {
    tx.one(&BY_ID, &[id.into()]).await?.as_ref().map(case).transpose()
}

/// One more than the page holds.
pub(super) async fn of_account(
    tx: &mut ReadTx<'_>,
    account: AccountId,
    page: Page,
) -> Result<Vec<CaseRow>, StorageError> {
    let values = [account.into(), page.after.unwrap_or_default().into(), page.fetch().into()];
    tx.all(&OF_ACCOUNT, &values).await?.iter().map(case).collect()
}

/// One more than the page holds.
pub(super) async fn list(
    tx: &mut ReadTx<'_>,
    state: Option<CaseState>,
    page: Page,
) -> Result<Vec<CaseRow>, StorageError> {
    let (after, limit) = (Value::from(page.after.unwrap_or_default()), Value::from(page.fetch()));
    let rows = match state {
        Some(state) => tx.all(&IN_STATE, &[Value::Word(state.as_str()), after, limit]).await?,
        None => tx.all(&ALL, &[after, limit]).await?,
    };
    rows.iter().map(case).collect()
}

pub(super) async fn update(tx: &mut WriteTx<'_>, row: &CaseRow) -> Result<(), StorageError> {
    let values = [
        row.id.into(),
        Value::Word(row.state.as_str()),
        Value::Word(row.way.as_str()),
        row.details_sealed.clone().into(),
        row.reason.map_or(Value::Null, |reason| Value::Word(reason.as_str())),
        row.note_sealed.clone().into(),
        row.agreed_at.into(),
        row.submitted_at.into(),
        row.decided_at.into(),
        row.updated_at.into(),
        row.forget_at.into(),
    ];
    tx.execute(&UPDATE, &values).await.map(drop)
}

/// What stays of the number of a case that is approved.
pub(super) async fn number_put(tx: &mut WriteTx<'_>, id: VerificationId, hash: &[u8; 32]) -> Result<(), StorageError> {
    tx.execute(&NUMBER, &[id.into(), hash.into()]).await.map(drop)
}

pub(super) async fn count(tx: &mut ReadTx<'_>, account: AccountId) -> Result<u64, StorageError> {
    number(tx, &COUNT, &[account.into()]).await
}

pub(super) async fn approved(
    tx: &mut ReadTx<'_>,
    account: AccountId,
    kind: VerificationKind,
) -> Result<bool, StorageError> {
    Ok(number(tx, &APPROVED, &[account.into(), Value::Word(kind.as_str())]).await? > 0)
}

pub(super) async fn approved_any(tx: &mut ReadTx<'_>, account: AccountId) -> Result<bool, StorageError> {
    Ok(number(tx, &APPROVED_ANY, &[account.into()]).await? > 0)
}

/// The organisations of an owner, of which there is a bounded number.
pub(super) async fn owned(tx: &mut ReadTx<'_>, account: AccountId) -> Result<Vec<AccountId>, StorageError> {
    tx.all(&OWNED, &[account.into()]).await?.iter().map(|row| row.get("organisation_id")).collect()
}

/// Other accounts that were approved for that number.
pub(super) async fn others(tx: &mut ReadTx<'_>, hash: &[u8; 32], account: AccountId) -> Result<u64, StorageError> {
    number(tx, &OTHERS, &[hash.into(), account.into()]).await
}

/// Cases whose time is over.
pub(super) async fn due(
    tx: &mut ReadTx<'_>,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<(VerificationId, CaseState)>, StorageError> {
    let rows = tx.all(&DUE, &[now.into(), limit.into()]).await?;
    rows.iter().map(|row| Ok((row.get("id")?, row.word("state", CaseState::parse)?))).collect()
}

pub(super) async fn expire(tx: &mut WriteTx<'_>, id: VerificationId, now: Timestamp) -> Result<(), StorageError> {
    tx.execute(&EXPIRE, &[id.into(), now.into()]).await.map(drop)
}

/// Of a case that was withdrawn nothing stays; of others what is not sealed.
pub(super) async fn forget(tx: &mut WriteTx<'_>, id: VerificationId) -> Result<(), StorageError> {
    if tx.execute(&DELETE, &[id.into()]).await? == 0 {
        tx.execute(&EMPTY, &[id.into()]).await?;
    }
    Ok(())
}

//! SQL of requests. Texts are sealed for whom they are about.

use super::{Asker, Kind, Refusal, Request, State, Verified};
use tacit_identity::choices::Matter;
use tacit_kernel::ids::{AccountId, RightsRequestId};
use tacit_kernel::{Personal, Timestamp};
use tacit_storage::{Page, ReadTx, Row, Sql, StorageError, Value, WriteTx};
use tacit_vault::{Aad, SealKey};
use uuid::Uuid;

const BY_ID: Sql = Sql::new(
    "SELECT id, account_id, kind, state, asker, verified, refusal, forfeits, said_sealed, answer_sealed, received_at, due_at, paused_at, \
     cooling_until, closed_at, updated_at FROM rights_requests WHERE id = $1",
);
const OF_ACCOUNT: Sql = Sql::new(
    "SELECT id, account_id, kind, state, asker, verified, refusal, forfeits, said_sealed, answer_sealed, received_at, due_at, paused_at, \
     cooling_until, closed_at, updated_at FROM rights_requests WHERE account_id = $1 AND id < $2 \
     AND (asker = $4 OR (kind = 'cancellation' AND $4 = 'person')) ORDER BY id DESC LIMIT $3",
);
const LIST: Sql = Sql::new(
    "SELECT id, account_id, kind, state, asker, verified, refusal, forfeits, said_sealed, answer_sealed, received_at, due_at, paused_at, \
     cooling_until, closed_at, updated_at FROM rights_requests WHERE id > $1 \
     AND ($2 = 1 OR (closed_at IS NULL AND account_id IN (SELECT id FROM accounts))) ORDER BY id LIMIT $3",
);
const COOLED: Sql = Sql::new(
    "SELECT id, account_id, kind, state, asker, verified, refusal, forfeits, said_sealed, answer_sealed, received_at, due_at, paused_at, \
     cooling_until, closed_at, updated_at FROM rights_requests WHERE closed_at IS NULL AND (cooling_until <= $1 OR state = 'executing') ORDER BY id LIMIT 100",
);
const INSERT: Sql = Sql::new(
    "INSERT INTO rights_requests (id, account_id, kind, state, asker, verified, refusal, forfeits, said_sealed, answer_sealed, \
     received_at, due_at, paused_at, cooling_until, closed_at, updated_at) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
);
const UPDATE: Sql = Sql::new(
    "UPDATE rights_requests SET state = $2, refusal = $3, said_sealed = $4, answer_sealed = $5, due_at = $6, paused_at = $7, \
     cooling_until = $8, closed_at = $9, updated_at = $10 WHERE id = $1",
);
const COUNTS: Sql = Sql::new(
    "SELECT COUNT(*) AS under_way, CAST(COALESCE(SUM(CASE WHEN state IN ('open', 'appealed') AND due_at < $1 THEN 1 ELSE 0 END), 0) \
     AS BIGINT) AS overdue FROM rights_requests WHERE closed_at IS NULL AND account_id IN (SELECT id FROM accounts)",
);
const OBJECTED: Sql = Sql::new(
    "SELECT id FROM rights_requests WHERE account_id = $1 AND kind = 'objection' \
     AND state NOT IN ('refused', 'upheld', 'withdrawn') LIMIT 1",
);
const RESTRICTED: Sql = Sql::new(
    "SELECT id FROM rights_requests WHERE account_id = $1 AND kind = 'restriction' AND state = 'fulfilled' LIMIT 1",
);
const FORGET: Sql = Sql::new(
    "DELETE FROM rights_requests WHERE COALESCE(closed_at, received_at) < $1 AND (closed_at IS NOT NULL OR account_id NOT IN (SELECT id FROM accounts)) AND account_id NOT IN (SELECT account_id FROM legal_holds WHERE ends_at > $2)",
);

pub(crate) const STATEMENTS: &[&Sql] =
    &[&BY_ID, &OF_ACCOUNT, &LIST, &COOLED, &INSERT, &UPDATE, &COUNTS, &OBJECTED, &RESTRICTED, &FORGET];

const fn place(column: &'static str, id: RightsRequestId) -> Aad<'static> {
    Aad { table: "rights_requests", column, row: id.0 }
}

/// A request as it is stored.
pub(super) struct Stored {
    request: Request,
    said: Option<Vec<u8>>,
    answer: Option<Vec<u8>>,
}

impl Stored {
    pub(super) const fn account(&self) -> AccountId {
        self.request.account
    }

    /// With its texts, where they can be read.
    pub(super) fn opened(self, key: Option<&SealKey>) -> Request {
        let id = self.request.id;
        let open = |column, sealed: Option<Vec<u8>>| {
            let plain = key?.open(&place(column, id), &sealed?).ok()?;
            String::from_utf8(plain.to_vec()).ok().map(Personal::new)
        };
        Request { said: open("said_sealed", self.said), answer: open("answer_sealed", self.answer), ..self.request }
    }
}

fn stored(row: &Row) -> Result<Stored, StorageError> {
    let refusal: Option<String> = row.get("refusal")?;
    let request = Request {
        id: row.get("id")?,
        account: row.get("account_id")?,
        kind: row.word("kind", Kind::parse)?,
        state: row.word("state", State::parse)?,
        asker: row.word("asker", Asker::parse)?,
        verified: row.word("verified", Verified::parse)?,
        refusal: refusal.as_deref().and_then(Refusal::parse),
        forfeits: row.get("forfeits")?,
        said: None,
        answer: None,
        received_at: row.get("received_at")?,
        due_at: row.get("due_at")?,
        paused_at: row.get("paused_at")?,
        cooling_until: row.get("cooling_until")?,
        closed_at: row.get("closed_at")?,
        updated_at: row.get("updated_at")?,
    };
    Ok(Stored { request, said: row.get("said_sealed")?, answer: row.get("answer_sealed")? })
}

fn refusal(request: &Request) -> Value {
    request.refusal.map_or(Value::Null, |refusal| Value::Word(refusal.as_str()))
}

/// Sealed texts; what cannot be sealed any more goes.
fn texts(r: &Request, key: Option<&SealKey>) -> (Value, Value) {
    let seal = |column, text: &Option<Personal<String>>| {
        let sealed = key.zip(text.as_ref()).map(|(key, text)| key.seal(&place(column, r.id), text.reveal().as_bytes()));
        Value::from(sealed)
    };
    (seal("said_sealed", &r.said), seal("answer_sealed", &r.answer))
}

pub(super) async fn insert(tx: &mut WriteTx<'_>, r: &Request, key: &SealKey) -> Result<(), StorageError> {
    let (said, answer) = texts(r, Some(key));
    let row = [
        r.id.into(),
        r.account.into(),
        Value::Word(r.kind.as_str()),
        Value::Word(r.state.as_str()),
        Value::Word(r.asker.as_str()),
        Value::Word(r.verified.as_str()),
        refusal(r),
        r.forfeits.into(),
        said,
        answer,
        r.received_at.into(),
        r.due_at.into(),
        r.paused_at.into(),
        r.cooling_until.into(),
        r.closed_at.into(),
        r.updated_at.into(),
    ];
    tx.execute(&INSERT, &row).await.map(drop)
}

pub(super) async fn update(tx: &mut WriteTx<'_>, r: &Request, key: Option<&SealKey>) -> Result<(), StorageError> {
    let (said, answer) = texts(r, key);
    let row = [
        r.id.into(),
        Value::Word(r.state.as_str()),
        refusal(r),
        said,
        answer,
        r.due_at.into(),
        r.paused_at.into(),
        r.cooling_until.into(),
        r.closed_at.into(),
        r.updated_at.into(),
    ];
    tx.execute(&UPDATE, &row).await.map(drop)
}

pub(super) async fn by_id(tx: &mut ReadTx<'_>, id: RightsRequestId) -> Result<Option<Stored>, StorageError> {
    tx.one(&BY_ID, &[id.into()]).await?.as_ref().map(stored).transpose()
}

/// Newest first: those that are shown to who asks at all.
pub(super) async fn of_account(
    tx: &mut ReadTx<'_>,
    (account, asker): (AccountId, Asker),
    page: Page,
) -> Result<Vec<Stored>, StorageError> {
    let before = page.after.unwrap_or(Uuid::max());
    let values = [account.into(), before.into(), page.fetch().into(), Value::Word(asker.as_str())];
    tx.all(&OF_ACCOUNT, &values).await?.iter().map(stored).collect()
}

/// Whether a request of the account says that its data is not used for that.
pub(super) async fn says_no(tx: &mut ReadTx<'_>, account: AccountId, matter: Matter) -> Result<bool, StorageError> {
    let sql = match matter {
        Matter::FraudDetection => &OBJECTED,
        Matter::Use => &RESTRICTED,
        Matter::Improvement => return Ok(false),
    };
    Ok(tx.one(sql, &[account.into()]).await?.is_some())
}

/// Oldest first; those that are closed too, if they are wanted.
pub(super) async fn list(tx: &mut ReadTx<'_>, closed: bool, page: Page) -> Result<Vec<Stored>, StorageError> {
    let after = page.after.unwrap_or_default();
    tx.all(&LIST, &[after.into(), closed.into(), page.fetch().into()]).await?.iter().map(stored).collect()
}

/// Whose time for reflection is over, and what was begun and not ended.
pub(super) async fn cooled(tx: &mut ReadTx<'_>, now: Timestamp) -> Result<Vec<Stored>, StorageError> {
    tx.all(&COOLED, &[now.into()]).await?.iter().map(stored).collect()
}

/// How many are under way, and how many of these should have been answered.
pub(super) async fn counts(tx: &mut ReadTx<'_>, now: Timestamp) -> Result<(u64, u64), StorageError> {
    let row = tx.one(&COUNTS, &[now.into()]).await?;
    row.map_or(Ok((0, 0)), |row| Ok((row.get("under_way")?, row.get("overdue")?)))
}

/// Those that were closed before go.
pub(crate) async fn forget(tx: &mut WriteTx<'_>, before: Timestamp, now: Timestamp) -> Result<u64, StorageError> {
    tx.execute(&FORGET, &[before.into(), now.into()]).await
}

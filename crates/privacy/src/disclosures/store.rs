//! SQL of disclosures. Words are sealed for whom they are about.

use super::{Disclosure, Ground, State};
use tacit_kernel::ids::{AccountId, DisclosureId};
use tacit_kernel::{Personal, Timestamp};
use tacit_storage::{Page, ReadTx, Row, Sql, StorageError, Value, WriteTx};
use tacit_vault::{Aad, SealKey};
use uuid::Uuid;

const INSERT: Sql = Sql::new(
    "INSERT INTO disclosures (id, account_id, ground, fields, state, authority_sealed, reason_sealed, proposed_by, decided_by, \
     proposed_at, decided_at, tell_from, told_at, updated_at) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)",
);
const UPDATE: Sql = Sql::new(
    "UPDATE disclosures SET state = $2, decided_by = $3, decided_at = $4, tell_from = $5, told_at = $6, updated_at = $7 \
     WHERE id = $1",
);
const BY_ID: Sql = Sql::new(
    "SELECT id, account_id, ground, fields, state, authority_sealed, reason_sealed, proposed_by, decided_by, proposed_at, \
     decided_at, tell_from, told_at, updated_at FROM disclosures WHERE id = $1",
);
const LIST: Sql = Sql::new(
    "SELECT id, account_id, ground, fields, state, authority_sealed, reason_sealed, proposed_by, decided_by, proposed_at, \
     decided_at, tell_from, told_at, updated_at FROM disclosures WHERE id < $1 ORDER BY id DESC LIMIT $2",
);
const TOLD: Sql = Sql::new(
    "SELECT id, account_id, ground, fields, state, authority_sealed, reason_sealed, proposed_by, decided_by, proposed_at, \
     decided_at, tell_from, told_at, updated_at FROM disclosures \
     WHERE account_id = $1 AND told_at IS NOT NULL AND id < $2 ORDER BY id DESC LIMIT $3",
);
const TELL: Sql =
    Sql::new("UPDATE disclosures SET told_at = $1 WHERE state = 'approved' AND told_at IS NULL AND tell_from <= $1");
const FORGET: Sql = Sql::new(
    "DELETE FROM disclosures WHERE COALESCE(decided_at, proposed_at) < $1 \
     AND account_id NOT IN (SELECT account_id FROM legal_holds WHERE ends_at > $2)",
);

pub(super) const STATEMENTS: &[&Sql] = &[&INSERT, &UPDATE, &BY_ID, &LIST, &TOLD, &TELL, &FORGET];

const fn place(column: &'static str, id: DisclosureId) -> Aad<'static> {
    Aad { table: "disclosures", column, row: id.0 }
}

/// A disclosure as it is stored.
pub(super) struct Stored {
    pub(super) disclosure: Disclosure,
    authority: Option<Vec<u8>>,
    reason: Option<Vec<u8>>,
}

impl Stored {
    /// With its words, where they can be read.
    pub(super) fn opened(self, key: Option<&SealKey>) -> Disclosure {
        let id = self.disclosure.id;
        let open = |column, sealed: Option<Vec<u8>>| {
            let plain = key?.open(&place(column, id), &sealed?).ok()?;
            String::from_utf8(plain.to_vec()).ok().map(Personal::new)
        };
        let authority = open("authority_sealed", self.authority);
        let reason = open("reason_sealed", self.reason);
        Disclosure { authority, reason, ..self.disclosure }
    }
}

fn stored(row: &Row) -> Result<Stored, StorageError> {
    let disclosure = Disclosure {
        id: row.get("id")?,
        account: row.get("account_id")?,
        ground: row.word("ground", Ground::parse)?,
        fields: row.json("fields")?,
        state: row.word("state", State::parse)?,
        authority: None,
        reason: None,
        proposed_by: row.get("proposed_by")?,
        decided_by: row.get("decided_by")?,
        proposed_at: row.get("proposed_at")?,
        decided_at: row.get("decided_at")?,
        tell_from: row.get("tell_from")?,
        told_at: row.get("told_at")?,
        updated_at: row.get("updated_at")?,
    };
    Ok(Stored { disclosure, authority: row.get("authority_sealed")?, reason: row.get("reason_sealed")? })
}

pub(super) async fn insert(tx: &mut WriteTx<'_>, d: &Disclosure, key: &SealKey) -> Result<(), StorageError> {
    let seal = |column, text: &Option<Personal<String>>| {
        Value::from(text.as_ref().map(|text| key.seal(&place(column, d.id), text.reveal().as_bytes())))
    };
    let fields = serde_json::to_string(&d.fields);
    let row = [
        d.id.into(),
        d.account.into(),
        Value::Word(d.ground.as_str()),
        fields.map_err(|_| StorageError::inconsistent("disclosures", "fields"))?.into(),
        Value::Word(d.state.as_str()),
        seal("authority_sealed", &d.authority),
        seal("reason_sealed", &d.reason),
        d.proposed_by.into(),
        d.decided_by.into(),
        d.proposed_at.into(),
        d.decided_at.into(),
        d.tell_from.into(),
        d.told_at.into(),
        d.updated_at.into(),
    ];
    tx.execute(&INSERT, &row).await.map(drop)
}

pub(super) async fn update(tx: &mut WriteTx<'_>, d: &Disclosure) -> Result<(), StorageError> {
    let row = [
        d.id.into(),
        Value::Word(d.state.as_str()),
        d.decided_by.into(),
        d.decided_at.into(),
        d.tell_from.into(),
        d.told_at.into(),
        d.updated_at.into(),
    ];
    tx.execute(&UPDATE, &row).await.map(drop)
}

pub(super) async fn by_id(tx: &mut ReadTx<'_>, id: DisclosureId) -> Result<Option<Stored>, StorageError> {
    tx.one(&BY_ID, &[id.into()]).await?.as_ref().map(stored).transpose()
}

/// All of them, newest first.
pub(super) async fn list(tx: &mut ReadTx<'_>, page: Page) -> Result<Vec<Stored>, StorageError> {
    let before = page.after.unwrap_or(Uuid::max());
    tx.all(&LIST, &[before.into(), page.fetch().into()]).await?.iter().map(stored).collect()
}

/// Those that somebody may know of, newest first.
pub(super) async fn told(tx: &mut ReadTx<'_>, account: AccountId, page: Page) -> Result<Vec<Stored>, StorageError> {
    let before = page.after.unwrap_or(Uuid::max());
    tx.all(&TOLD, &[account.into(), before.into(), page.fetch().into()]).await?.iter().map(stored).collect()
}

/// Whoever may be told now is.
pub(super) async fn tell(tx: &mut WriteTx<'_>, now: Timestamp) -> Result<u64, StorageError> {
    tx.execute(&TELL, &[now.into()]).await
}

/// Those whose time is over go, but for accounts that are held.
pub(super) async fn forget(tx: &mut WriteTx<'_>, before: Timestamp, now: Timestamp) -> Result<(), StorageError> {
    tx.execute(&FORGET, &[before.into(), now.into()]).await.map(drop)
}

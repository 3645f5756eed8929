//! SQL of the register.

use super::{Kind, Recipient, RecipientSpec, Role, Trains};
use tacit_kernel::ids::RecipientId;
use tacit_storage::{ReadTx, Row, Sql, StorageError, Value, WriteTx};

const BY_ID: Sql = Sql::new(
    "SELECT id, name, kind, role, country, purposes, contract_at, retention_days, trains, evidence_url, checked_at, contact, \
     dsr_endpoint, status, created_at, updated_at FROM recipients WHERE id = $1",
);
const BY_NAME: Sql = Sql::new(
    "SELECT id, name, kind, role, country, purposes, contract_at, retention_days, trains, evidence_url, checked_at, contact, \
     dsr_endpoint, status, created_at, updated_at FROM recipients WHERE name = $1",
);
const LIST: Sql = Sql::new(
    "SELECT id, name, kind, role, country, purposes, contract_at, retention_days, trains, evidence_url, checked_at, contact, \
     dsr_endpoint, status, created_at, updated_at FROM recipients ORDER BY id",
);
const COUNT: Sql = Sql::new("SELECT COUNT(*) AS n FROM recipients");
const INSERT: Sql = Sql::new(
    "INSERT INTO recipients (id, name, kind, role, country, purposes, contract_at, retention_days, trains, evidence_url, \
     checked_at, contact, dsr_endpoint, status, created_at, updated_at) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)",
);
const UPDATE: Sql = Sql::new(
    "UPDATE recipients SET name = $2, kind = $3, role = $4, country = $5, purposes = $6, contract_at = $7, \
     retention_days = $8, trains = $9, evidence_url = $10, checked_at = $11, contact = $12, dsr_endpoint = $13, \
     status = $14, created_at = $15, updated_at = $16 WHERE id = $1",
);
const DELETE: Sql = Sql::new("DELETE FROM recipients WHERE id = $1");

pub(super) const STATEMENTS: &[&Sql] = &[&BY_ID, &BY_NAME, &LIST, &COUNT, &INSERT, &UPDATE, &DELETE];

fn recipient(row: &Row) -> Result<Recipient, StorageError> {
    let days: Option<i64> = row.get("retention_days")?;
    let days = days.map(u32::try_from).transpose();
    Ok(Recipient {
        id: row.get("id")?,
        name: row.get("name")?,
        spec: RecipientSpec {
            kind: row.word("kind", Kind::parse)?,
            role: row.word("role", Role::parse)?,
            country: row.get("country")?,
            purposes: row.json("purposes")?,
            contract_at: row.get("contract_at")?,
            retention_days: days.map_err(|_| StorageError::inconsistent("recipients", "retention_days"))?,
            trains: row.word("trains", Trains::parse)?,
            evidence_url: row.get("evidence_url")?,
            checked_at: row.get("checked_at")?,
            contact: row.get("contact")?,
            dsr_endpoint: row.get("dsr_endpoint")?,
            enabled: row.get::<String>("status")? == "active",
        },
        created_at: row.get("created_at")?,
        updated_at: row.get("updated_at")?,
    })
}

fn values(r: &Recipient) -> Result<[Value; 16], StorageError> {
    let purposes = serde_json::to_string(&r.spec.purposes);
    Ok([
        r.id.into(),
        r.name.clone().into(),
        Value::Word(r.spec.kind.as_str()),
        Value::Word(r.spec.role.as_str()),
        r.spec.country.clone().into(),
        purposes.map_err(|_| StorageError::inconsistent("recipients", "purposes"))?.into(),
        r.spec.contract_at.into(),
        r.spec.retention_days.into(),
        Value::Word(r.spec.trains.as_str()),
        r.spec.evidence_url.clone().into(),
        r.spec.checked_at.into(),
        r.spec.contact.clone().into(),
        r.spec.dsr_endpoint.clone().into(),
        Value::Word(if r.spec.enabled { "active" } else { "disabled" }),
        r.created_at.into(),
        r.updated_at.into(),
    ])
}

pub(super) async fn by_id(tx: &mut ReadTx<'_>, id: RecipientId) -> Result<Option<Recipient>, StorageError> {
    tx.one(&BY_ID, &[id.into()]).await?.as_ref().map(recipient).transpose()
}

pub(super) async fn by_name(tx: &mut ReadTx<'_>, name: &str) -> Result<Option<Recipient>, StorageError> {
    tx.one(&BY_NAME, &[name.to_owned().into()]).await?.as_ref().map(recipient).transpose()
}

pub(super) async fn list(tx: &mut ReadTx<'_>) -> Result<Vec<Recipient>, StorageError> {
    tx.all(&LIST, &[]).await?.iter().map(recipient).collect()
}

pub(super) async fn count(tx: &mut ReadTx<'_>) -> Result<u64, StorageError> {
    tx.one(&COUNT, &[]).await?.map_or(Ok(0), |row| row.get("n"))
}

pub(super) async fn insert(tx: &mut WriteTx<'_>, r: &Recipient) -> Result<(), StorageError> {
    tx.execute(&INSERT, &values(r)?).await.map(drop)
}

pub(super) async fn update(tx: &mut WriteTx<'_>, r: &Recipient) -> Result<(), StorageError> {
    tx.execute(&UPDATE, &values(r)?).await.map(drop)
}

pub(super) async fn delete(tx: &mut WriteTx<'_>, id: RecipientId) -> Result<u64, StorageError> {
    tx.execute(&DELETE, &[id.into()]).await
}

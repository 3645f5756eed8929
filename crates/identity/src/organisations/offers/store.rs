//! The SQL of offers of organisations.

use crate::organisations::model::OwnershipOffer;
use tacit_kernel::Timestamp;
use tacit_kernel::ids::AccountId;
use tacit_storage::{ReadTx, Sql, StorageError, WriteTx};

const PUT: Sql = Sql::new(
    "INSERT INTO organisation_offers (organisation_id, owner_id, member_id, created_at, expires_at) \
     VALUES ($1, $2, $3, $4, $5) ON CONFLICT (organisation_id) DO UPDATE SET owner_id = excluded.owner_id, \
     member_id = excluded.member_id, created_at = excluded.created_at, expires_at = excluded.expires_at",
);
const GET: Sql = Sql::new(
    "SELECT owner_id, member_id, created_at, expires_at FROM organisation_offers \
     WHERE organisation_id = $1 AND expires_at > $2",
);
const DELETE: Sql = Sql::new("DELETE FROM organisation_offers WHERE organisation_id = $1");
const DELETE_TO: Sql = Sql::new("DELETE FROM organisation_offers WHERE organisation_id = $1 AND member_id = $2");
const FORGET: Sql = Sql::new(
    "DELETE FROM organisation_offers WHERE organisation_id IN (SELECT organisation_id FROM organisation_offers \
     WHERE expires_at <= $1 LIMIT $2)",
);

/// Every statement of offers.
pub(crate) const STATEMENTS: &[&Sql] = &[&PUT, &GET, &DELETE, &DELETE_TO, &FORGET];

pub(super) async fn put(
    tx: &mut WriteTx<'_>,
    organisation: AccountId,
    offer: &OwnershipOffer,
) -> Result<(), StorageError> {
    let values = [
        organisation.into(),
        offer.owner.into(),
        offer.member.into(),
        offer.created_at.into(),
        offer.expires_at.into(),
    ];
    tx.execute(&PUT, &values).await.map(drop)
}

/// That which may still be accepted.
pub(super) async fn get(
    tx: &mut ReadTx<'_>,
    organisation: AccountId,
    now: Timestamp,
) -> Result<Option<OwnershipOffer>, StorageError> {
    let Some(row) = tx.one(&GET, &[organisation.into(), now.into()]).await? else { return Ok(None) };
    Ok(Some(OwnershipOffer {
        owner: row.get("owner_id")?,
        member: row.get("member_id")?,
        created_at: row.get("created_at")?,
        expires_at: row.get("expires_at")?,
    }))
}

pub(super) async fn delete(tx: &mut WriteTx<'_>, organisation: AccountId) -> Result<(), StorageError> {
    tx.execute(&DELETE, &[organisation.into()]).await.map(drop)
}

/// That to one member.
pub(super) async fn delete_to(
    tx: &mut WriteTx<'_>,
    organisation: AccountId,
    member: AccountId,
) -> Result<(), StorageError> {
    tx.execute(&DELETE_TO, &[organisation.into(), member.into()]).await.map(drop)
}

pub(super) async fn forget(tx: &mut WriteTx<'_>, now: Timestamp, limit: u32) -> Result<u64, StorageError> {
    tx.execute(&FORGET, &[now.into(), limit.into()]).await
}

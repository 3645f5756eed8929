//! The SQL of invitations to organisations.

use crate::contacts::ContactKind;
use crate::organisations::access::OrganisationRole;
use tacit_kernel::Timestamp;
use tacit_kernel::ids::{AccountId, MemberInvitationId};
use tacit_storage::{Page, ReadTx, Row, Sql, StorageError, WriteTx};

const INSERT: Sql = Sql::new(
    "INSERT INTO organisation_invitations (id, organisation_id, inviter_id, role, recipient_kind, recipient_sealed, \
     recipient_lookup, token_hash, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
);
const GET: Sql = Sql::new(
    "SELECT id, organisation_id, inviter_id, role, recipient_kind, recipient_sealed, created_at, expires_at \
     FROM organisation_invitations WHERE organisation_id = $1 AND id = $2",
);
const BY_TOKEN: Sql = Sql::new(
    "SELECT id, organisation_id, inviter_id, role, recipient_kind, recipient_sealed, created_at, expires_at \
     FROM organisation_invitations WHERE token_hash = $1 AND expires_at > $2",
);
const LIST: Sql = Sql::new(
    "SELECT id, organisation_id, inviter_id, role, recipient_kind, recipient_sealed, created_at, expires_at \
     FROM organisation_invitations WHERE organisation_id = $1 AND expires_at > $2 AND id > $3 ORDER BY id LIMIT $4",
);
const COUNT: Sql =
    Sql::new("SELECT COUNT(*) AS n FROM organisation_invitations WHERE organisation_id = $1 AND expires_at > $2");
const DELETE: Sql = Sql::new("DELETE FROM organisation_invitations WHERE id = $1");
const DELETE_TO: Sql =
    Sql::new("DELETE FROM organisation_invitations WHERE organisation_id = $1 AND recipient_lookup = $2");
const FORGET: Sql = Sql::new(
    "DELETE FROM organisation_invitations WHERE id IN (SELECT id FROM organisation_invitations WHERE expires_at <= $1 \
     LIMIT $2)",
);

/// Every statement of invitations.
pub(crate) const STATEMENTS: &[&Sql] = &[&INSERT, &GET, &BY_TOKEN, &LIST, &COUNT, &DELETE, &DELETE_TO, &FORGET];

/// A row, the recipient still sealed.
pub(super) struct InvitationRow {
    pub(super) id: MemberInvitationId,
    pub(super) organisation: AccountId,
    pub(super) inviter: AccountId,
    pub(super) role: OrganisationRole,
    pub(super) kind: ContactKind,
    pub(super) recipient_sealed: Vec<u8>,
    pub(super) created_at: Timestamp,
    pub(super) expires_at: Timestamp,
}

fn invitation(row: &Row) -> Result<InvitationRow, StorageError> {
    Ok(InvitationRow {
        id: row.get("id")?,
        organisation: row.get("organisation_id")?,
        inviter: row.get("inviter_id")?,
        role: row.word("role", OrganisationRole::parse)?,
        kind: row.word("recipient_kind", ContactKind::from_word)?,
        recipient_sealed: row.get("recipient_sealed")?,
        created_at: row.get("created_at")?,
        expires_at: row.get("expires_at")?,
    })
}

pub(super) async fn insert(
    tx: &mut WriteTx<'_>,
    row: &InvitationRow,
    lookup: &[u8; 32],
    token_hash: &[u8; 32],
) -> Result<(), StorageError> {
    let values = [
        row.id.into(),
        row.organisation.into(),
        row.inviter.into(),
        row.role.as_str().into(),
        row.kind.word().into(),
        row.recipient_sealed.clone().into(),
        lookup.into(),
        token_hash.into(),
        row.created_at.into(),
        row.expires_at.into(),
    ];
    tx.execute(&INSERT, &values).await.map(drop)
}

pub(super) async fn get(
    tx: &mut ReadTx<'_>,
    organisation: AccountId,
    id: MemberInvitationId,
) -> Result<Option<InvitationRow>, StorageError> {
    tx.one(&GET, &[organisation.into(), id.into()]).await?.as_ref().map(invitation).transpose()
}

pub(super) async fn by_token(
    tx: &mut ReadTx<'_>,
    hash: &[u8; 32],
    now: Timestamp,
) -> Result<Option<InvitationRow>, StorageError> {
    tx.one(&BY_TOKEN, &[hash.into(), now.into()]).await?.as_ref().map(invitation).transpose()
}

/// One more than the page holds.
pub(super) async fn list(
    tx: &mut ReadTx<'_>,
    organisation: AccountId,
    now: Timestamp,
    page: Page,
) -> Result<Vec<InvitationRow>, StorageError> {
    let values = [organisation.into(), now.into(), page.after.unwrap_or_default().into(), page.fetch().into()];
    tx.all(&LIST, &values).await?.iter().map(invitation).collect()
}

pub(super) async fn count(tx: &mut ReadTx<'_>, organisation: AccountId, now: Timestamp) -> Result<u64, StorageError> {
    tx.one(&COUNT, &[organisation.into(), now.into()]).await?.map_or(Ok(0), |row| row.get("n"))
}

pub(super) async fn delete(tx: &mut WriteTx<'_>, id: MemberInvitationId) -> Result<(), StorageError> {
    tx.execute(&DELETE, &[id.into()]).await.map(drop)
}

/// Those to one address.
pub(super) async fn delete_to(
    tx: &mut WriteTx<'_>,
    organisation: AccountId,
    lookup: &[u8; 32],
) -> Result<(), StorageError> {
    tx.execute(&DELETE_TO, &[organisation.into(), lookup.into()]).await.map(drop)
}

pub(super) async fn forget(tx: &mut WriteTx<'_>, now: Timestamp, limit: u32) -> Result<u64, StorageError> {
    tx.execute(&FORGET, &[now.into(), limit.into()]).await
}

//! The SQL of profiles and invitations.

use super::{AgeBand, Invitation, Language};
use std::collections::HashMap;
use tacit_kernel::Timestamp;
use tacit_kernel::ids::{AccountId, InvitationId};
use tacit_storage::{Page, ReadTx, Row, Sql, SqlText, StorageError, WriteTx};

const INSERT: Sql = Sql::new(
    "INSERT INTO account_profiles (account_id, fields_sealed, age_band, guardian_sealed, guardian_consent_at, language, \
     invited_by, registered_at, updated_at, guardian_lookup) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
);
const GET: Sql = Sql::new(
    "SELECT fields_sealed, age_band, guardian_sealed, guardian_consent_at, language, invited_by, registered_at, \
     updated_at FROM account_profiles WHERE account_id = $1",
);
const WARDS: Sql =
    Sql::new("SELECT account_id FROM account_profiles WHERE guardian_lookup = $1 ORDER BY account_id LIMIT $2");
const IS_WARD: Sql = Sql::new("SELECT account_id FROM account_profiles WHERE account_id = $1 AND guardian_lookup = $2");
const UNFOUND_GUARDIANS: Sql = Sql::new(
    "SELECT account_id, guardian_sealed FROM account_profiles WHERE guardian_sealed IS NOT NULL AND guardian_lookup IS NULL \
     AND account_id > $1 ORDER BY account_id LIMIT $2",
);
const GUARDIAN_RENEW: Sql =
    Sql::new("UPDATE account_profiles SET guardian_lookup = $2 WHERE account_id = $1 AND guardian_lookup IS NULL");
const PUT_FIELDS: Sql =
    Sql::new("UPDATE account_profiles SET fields_sealed = $2, language = $3, updated_at = $4 WHERE account_id = $1");
const INVITATION_INSERT: Sql =
    Sql::new("INSERT INTO invitations (id, code_hash, inviter_id, created_at, expires_at) VALUES ($1, $2, $3, $4, $5)");
const INVITATION_TAKE: Sql = Sql::new(
    "UPDATE invitations SET used_at = $2 WHERE code_hash = $1 AND used_at IS NULL AND expires_at > $2 \
     RETURNING inviter_id",
);
const INVITATIONS_OPEN: Sql =
    Sql::new("SELECT COUNT(*) AS n FROM invitations WHERE inviter_id = $1 AND used_at IS NULL AND expires_at > $2");
const INVITATIONS_OF: Sql = Sql::new(
    "SELECT id, created_at, expires_at, used_at FROM invitations WHERE inviter_id = $1 AND id > $2 ORDER BY id LIMIT $3",
);
const INVITATION_DELETE: Sql =
    Sql::new("DELETE FROM invitations WHERE inviter_id = $1 AND id = $2 AND used_at IS NULL");
const INVITATIONS_FORGET: Sql =
    Sql::new("DELETE FROM invitations WHERE id IN (SELECT id FROM invitations WHERE created_at < $1 LIMIT $2)");

/// Every statement of profiles and invitations.
pub(crate) const STATEMENTS: &[&Sql] = &[
    &INSERT,
    &GET,
    &WARDS,
    &IS_WARD,
    &UNFOUND_GUARDIANS,
    &GUARDIAN_RENEW,
    &PUT_FIELDS,
    &INVITATION_INSERT,
    &INVITATION_TAKE,
    &INVITATIONS_OPEN,
    &INVITATIONS_OF,
    &INVITATION_DELETE,
    &INVITATIONS_FORGET,
];

/// A row, what is personal still sealed.
pub(super) struct ProfileRow {
    pub(super) fields_sealed: Vec<u8>,
    pub(super) age: AgeBand,
    pub(super) guardian_sealed: Option<Vec<u8>>,
    pub(super) guardian_consent_at: Option<Timestamp>,
    pub(super) language: Language,
    pub(super) invited_by: Option<AccountId>,
    pub(super) registered_at: Timestamp,
    pub(super) updated_at: Timestamp,
}

/// Of whom that is the guardian's address.
pub(super) async fn wards(tx: &mut ReadTx<'_>, lookup: &[u8; 32], most: u32) -> Result<Vec<AccountId>, StorageError> {
    tx.all(&WARDS, &[lookup.into(), most.into()]).await?.iter().map(|row| row.get("account_id")).collect()
}

/// Whether that is the guardian's address of that account.
pub(super) async fn is_ward(
    tx: &mut ReadTx<'_>,
    account: AccountId,
    guardian: &[u8; 32],
) -> Result<bool, StorageError> {
    Ok(tx.one(&IS_WARD, &[account.into(), guardian.into()]).await?.is_some())
}

/// The next accounts whose guardians are not found by their address, which is sealed.
pub(super) async fn of_unfound_guardians(
    tx: &mut ReadTx<'_>,
    after: AccountId,
    limit: u32,
) -> Result<Vec<(AccountId, Vec<u8>)>, StorageError> {
    let rows = tx.all(&UNFOUND_GUARDIANS, &[after.into(), limit.into()]).await?;
    rows.iter().map(|row| Ok((row.get("account_id")?, row.get("guardian_sealed")?))).collect()
}

pub(super) async fn guardian_renew(
    tx: &mut WriteTx<'_>,
    account: AccountId,
    lookup: &[u8; 32],
) -> Result<bool, StorageError> {
    Ok(tx.execute(&GUARDIAN_RENEW, &[account.into(), lookup.into()]).await? == 1)
}

pub(super) async fn insert(
    tx: &mut WriteTx<'_>,
    account: AccountId,
    row: &ProfileRow,
    guardian: Option<[u8; 32]>,
) -> Result<(), StorageError> {
    let values = [
        account.into(),
        row.fields_sealed.clone().into(),
        row.age.word().into(),
        row.guardian_sealed.clone().into(),
        row.guardian_consent_at.into(),
        row.language.word().into(),
        row.invited_by.into(),
        row.registered_at.into(),
        row.updated_at.into(),
        guardian.map(Vec::from).into(),
    ];
    tx.execute(&INSERT, &values).await.map(drop)
}

/// The language of each of these accounts that has a profile.
pub(super) async fn languages(
    tx: &mut ReadTx<'_>,
    accounts: &[AccountId],
) -> Result<HashMap<AccountId, Language>, StorageError> {
    let text = SqlText::new("SELECT account_id, language FROM account_profiles WHERE 1 = 1")
        .list(" AND account_id IN ", accounts.iter().copied());
    let language = |row: &Row| {
        let word: String = row.get("language")?;
        let language = Language::from_word(&word);
        language.ok_or_else(|| StorageError::inconsistent("account_profiles", "language"))
    };
    tx.query(text).await?.iter().map(|row| Ok((row.get("account_id")?, language(row)?))).collect()
}

pub(super) async fn get(tx: &mut ReadTx<'_>, account: AccountId) -> Result<Option<ProfileRow>, StorageError> {
    let Some(row) = tx.one(&GET, &[account.into()]).await? else { return Ok(None) };
    let inconsistent = |column| StorageError::inconsistent("account_profiles", column);
    Ok(Some(ProfileRow {
        fields_sealed: row.get("fields_sealed")?,
        age: AgeBand::from_word(&row.get::<String>("age_band")?).ok_or_else(|| inconsistent("age_band"))?,
        guardian_sealed: row.get("guardian_sealed")?,
        guardian_consent_at: row.get("guardian_consent_at")?,
        language: Language::from_word(&row.get::<String>("language")?).ok_or_else(|| inconsistent("language"))?,
        invited_by: row.get("invited_by")?,
        registered_at: row.get("registered_at")?,
        updated_at: row.get("updated_at")?,
    }))
}

/// False without a profile.
pub(super) async fn put_fields(
    tx: &mut WriteTx<'_>,
    account: AccountId,
    sealed: &[u8],
    language: Language,
    now: Timestamp,
) -> Result<bool, StorageError> {
    Ok(tx.execute(&PUT_FIELDS, &[account.into(), sealed.into(), language.word().into(), now.into()]).await? == 1)
}

pub(super) async fn invitation_insert(
    tx: &mut WriteTx<'_>,
    id: InvitationId,
    hash: &[u8; 32],
    by: Option<AccountId>,
    (now, expires_at): (Timestamp, Timestamp),
) -> Result<(), StorageError> {
    tx.execute(&INVITATION_INSERT, &[id.into(), hash.into(), by.into(), now.into(), expires_at.into()]).await.map(drop)
}

/// Who invited; `None` if there is no such invitation that may be used.
pub(super) async fn invitation_take(
    tx: &mut WriteTx<'_>,
    hash: &[u8; 32],
    now: Timestamp,
) -> Result<Option<Option<AccountId>>, StorageError> {
    tx.one(&INVITATION_TAKE, &[hash.into(), now.into()]).await?.map(|row| row.get("inviter_id")).transpose()
}

/// How many of one account may still be used.
pub(super) async fn invitations_open(tx: &mut ReadTx<'_>, by: AccountId, now: Timestamp) -> Result<u64, StorageError> {
    let row = tx.one(&INVITATIONS_OPEN, &[by.into(), now.into()]).await?;
    let open: i64 = row.map_or(Ok(0), |row| row.get("n"))?;
    Ok(u64::try_from(open).unwrap_or(0))
}

/// One more than the page holds.
pub(super) async fn invitations_of(
    tx: &mut ReadTx<'_>,
    by: AccountId,
    page: Page,
) -> Result<Vec<Invitation>, StorageError> {
    let values = [by.into(), page.after.unwrap_or_default().into(), page.fetch().into()];
    let invitation = |row: &Row| {
        Ok(Invitation {
            id: row.get("id")?,
            created_at: row.get("created_at")?,
            expires_at: row.get("expires_at")?,
            used_at: row.get("used_at")?,
        })
    };
    tx.all(&INVITATIONS_OF, &values).await?.iter().map(invitation).collect()
}

/// Whether there was one that nobody used.
pub(super) async fn invitation_delete(
    tx: &mut WriteTx<'_>,
    by: AccountId,
    id: InvitationId,
) -> Result<bool, StorageError> {
    Ok(tx.execute(&INVITATION_DELETE, &[by.into(), id.into()]).await? == 1)
}

pub(super) async fn invitations_forget(
    tx: &mut WriteTx<'_>,
    before: Timestamp,
    limit: u32,
) -> Result<u64, StorageError> {
    tx.execute(&INVITATIONS_FORGET, &[before.into(), limit.into()]).await
}

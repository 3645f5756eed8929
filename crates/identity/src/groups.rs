//! Pricing groups: each account is in one, and its multiplier applies to every charge.

mod store;

use crate::{Identity, IdentityError};
use serde::Serialize;
use tacit_kernel::ids::GroupId;
use tacit_kernel::{Ppm, Timestamp, names};
use tacit_storage::changes::{self, Change};
use tacit_storage::{ReadTx, StorageErrorKind, WriteTx};

pub(crate) use store::STATEMENTS;

/// A pricing group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Group {
    /// Its id.
    pub id: GroupId,
    /// Unique name, a token.
    pub name: String,
    /// Applied to every charge of its accounts.
    pub multiplier: Ppm,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// The largest multiplier: a thousandfold. Anything above is a slip of the decimal point.
pub const MULTIPLIER_MAX: Ppm = Ppm(1_000_000_000);

impl Identity {
    /// Makes the group, or gives it this multiplier.
    ///
    /// # Errors
    /// [`IdentityError::GroupInvalid`]; storage.
    pub async fn group_put(&self, name: &str, multiplier: Ppm) -> Result<Group, IdentityError> {
        self.db.write("group.put", |tx| Box::pin(self.group_put_in_tx(tx, name, multiplier))).await
    }

    /// [`Self::group_put`] as part of a larger transaction.
    ///
    /// # Errors
    /// As there.
    pub async fn group_put_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        name: &str,
        multiplier: Ppm,
    ) -> Result<Group, IdentityError> {
        group_check(name, multiplier)?;
        let now = self.clock.now();
        let Some(found) = store::group_by_name(tx, name).await? else {
            let group =
                Group { id: GroupId::fresh(), name: name.to_owned(), multiplier, created_at: now, updated_at: now };
            store::group_insert(tx, &group).await?;
            return Ok(group);
        };
        if found.multiplier == multiplier {
            return Ok(found);
        }
        let group = Group { multiplier, updated_at: now, ..found };
        store::group_update(tx, &group).await?;
        for account in store::group_accounts(tx, group.id).await? {
            changes::append(tx, &Change::Account(account), now).await?;
        }
        Ok(group)
    }

    /// Deletes a group in which no account is. Records of calls keep its multiplier.
    ///
    /// # Errors
    /// [`IdentityError::GroupInUse`], [`IdentityError::GroupNotFound`]; storage.
    pub async fn group_delete_in_tx(&self, tx: &mut WriteTx<'_>, id: GroupId) -> Result<(), IdentityError> {
        let in_use = |accounts| IdentityError::GroupInUse { accounts };
        match store::group_size(tx, id).await? {
            0 => {}
            accounts => return Err(in_use(accounts)),
        }
        let gone = store::group_delete(tx, id).await.map_err(|error| match error.kind {
            // An account came in at this moment.
            StorageErrorKind::ForeignKey => in_use(1),
            _ => error.into(),
        })?;
        if gone == 0 { Err(IdentityError::GroupNotFound) } else { Ok(()) }
    }

    /// Every group, by name.
    ///
    /// # Errors
    /// Storage.
    pub async fn group_list(&self) -> Result<Vec<Group>, IdentityError> {
        self.db.read("group.list", |tx| Box::pin(async move { Ok(store::group_list(tx).await?) })).await
    }

    /// [`Self::group_list`] as part of a larger transaction.
    ///
    /// # Errors
    /// Storage.
    pub async fn group_list_in_tx(&self, tx: &mut ReadTx<'_>) -> Result<Vec<Group>, IdentityError> {
        Ok(store::group_list(tx).await?)
    }

    /// The group of that name.
    ///
    /// # Errors
    /// Storage.
    pub async fn group_by_name(&self, name: &str) -> Result<Option<Group>, IdentityError> {
        self.db.read("group.by_name", |tx| Box::pin(async move { Ok(store::group_by_name(tx, name).await?) })).await
    }

    /// The group named by `grp_…` or by its name.
    ///
    /// # Errors
    /// Storage.
    pub async fn group_by_ref(&self, reference: &str) -> Result<Option<Group>, IdentityError> {
        self.db
            .read("group.by_ref", |tx| {
                Box::pin(async move {
                    Ok(match reference.parse::<GroupId>() {
                        Ok(id) => store::group_by_id(tx, id).await?,
                        Err(_) => store::group_by_name(tx, reference).await?,
                    })
                })
            })
            .await
    }
}

/// Whether a group may be so.
///
/// # Errors
/// [`IdentityError::GroupInvalid`].
pub fn group_check(name: &str, multiplier: Ppm) -> Result<(), IdentityError> {
    if !names::is_token(name) || name.parse::<GroupId>().is_ok() {
        return Err(IdentityError::GroupInvalid {
            message: "the name of a group must be a token: 1 to 128 letters, digits or any of . _ : / @ + -",
        });
    }
    if !(0..=MULTIPLIER_MAX.0).contains(&multiplier.0) {
        return Err(IdentityError::GroupInvalid { message: "the multiplier of a group must lie between 0 and 1000" });
    }
    Ok(())
}

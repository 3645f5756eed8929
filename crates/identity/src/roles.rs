//! Staff: which roles an account has, the roles of the operator's own, and who a caller is. Nobody gives, takes or changes
//! what goes beyond what they may do themselves, and there is always an owner. Whoever gets or loses a role is signed out:
//! what a session may do is not changed under way.

mod store;

pub(crate) use store::STATEMENTS;

use crate::access::{BuiltInRole, Caller, Permission, Permissions, Via};
use crate::{Identity, IdentityError};
use secrecy::SecretString;
use tacit_kernel::ids::AccountId;
use tacit_kernel::{Timestamp, names};
use tacit_storage::{ReadTx, WriteTx};

/// Roles of the operator's own at most.
const MOST: usize = 100;

/// A role of the operator's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomRole {
    /// Its name: a token, and none of the built-in ones.
    pub name: String,
    /// What it allows.
    pub permissions: Permissions,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// Who acts: staff within its own permissions, or the operator at the machine, who may all.
#[derive(Clone, Copy, Debug)]
pub enum Acting {
    /// A caller of the console.
    With(Permissions),
    /// The operator, through the admin socket.
    Operator,
}

impl Acting {
    pub(crate) fn may(self, permissions: Permissions) -> Result<(), IdentityError> {
        match self {
            Self::With(own) if !permissions.is_within(own) => Err(IdentityError::BeyondOwn),
            _ => Ok(()),
        }
    }
}

impl Identity {
    /// Who shows that token of a session, if the session is complete and goes on.
    ///
    /// # Errors
    /// Storage, keyring.
    pub async fn caller_by_session(&self, token: &SecretString) -> Result<Option<Caller>, IdentityError> {
        let Some(session) = self.session_by_token(token).await?.filter(|session| session.complete) else {
            return Ok(None);
        };
        Ok(Some(Caller {
            account: session.account,
            via: Via::Session(session.id),
            permissions: self.permissions_of(session.account).await?,
            stepped_up: session.stepped_up(self.clock.now()),
        }))
    }

    /// What an account may do beyond what is its own.
    ///
    /// # Errors
    /// Storage.
    pub async fn permissions_of(&self, account: AccountId) -> Result<Permissions, IdentityError> {
        self.db.read("roles.permissions", |tx| Box::pin(self.permissions_of_in_tx(tx, account))).await
    }

    pub(crate) async fn permissions_of_in_tx(
        &self,
        tx: &mut ReadTx<'_>,
        account: AccountId,
    ) -> Result<Permissions, IdentityError> {
        let mut all = Permissions::NONE;
        for (name, custom) in store::of_account(tx, account).await? {
            let own = BuiltInRole::parse(&name).map(BuiltInRole::permissions).or(custom);
            all = all.union(own.unwrap_or(Permissions::NONE));
        }
        Ok(all)
    }

    /// The roles of an account, by name.
    ///
    /// # Errors
    /// Storage.
    pub async fn roles_of(&self, account: AccountId) -> Result<Vec<String>, IdentityError> {
        let rows = self.db.read("roles.of", |tx| Box::pin(store::of_account(tx, account))).await?;
        Ok(rows.into_iter().map(|(name, _)| name).collect())
    }

    /// The roles of an account that allow this, by name: as what somebody acts.
    ///
    /// # Errors
    /// Storage.
    pub async fn roles_with(&self, account: AccountId, permission: Permission) -> Result<Vec<String>, IdentityError> {
        let rows = self.db.read("roles.with", |tx| Box::pin(store::of_account(tx, account))).await?;
        let allows = |(name, custom): (String, Option<Permissions>)| {
            let own = BuiltInRole::parse(&name).map(BuiltInRole::permissions).or(custom);
            own.is_some_and(|own| own.has(permission)).then_some(name)
        };
        Ok(rows.into_iter().filter_map(allows).collect())
    }

    /// All who have a role, with its name; at most so many, after that one.
    ///
    /// # Errors
    /// Storage.
    pub async fn staff(
        &self,
        after: Option<(AccountId, String)>,
        limit: u32,
    ) -> Result<Vec<(AccountId, String, Timestamp)>, IdentityError> {
        let after = &after;
        Ok(self.db.read("roles.staff", |tx| Box::pin(store::staff(tx, after.as_ref(), limit))).await?)
    }

    /// The roles of the operator's own.
    ///
    /// # Errors
    /// Storage.
    pub async fn custom_roles(&self) -> Result<Vec<CustomRole>, IdentityError> {
        Ok(self.db.read("roles.list", |tx| Box::pin(store::list(tx))).await?)
    }

    /// Makes or changes a role of the operator's own.
    ///
    /// # Errors
    /// [`IdentityError::RoleInvalid`], [`IdentityError::BeyondOwn`], [`IdentityError::BeyondReach`],
    /// [`IdentityError::TooMuch`]; storage.
    pub async fn role_put(&self, acting: Acting, name: &str, permissions: Permissions) -> Result<(), IdentityError> {
        // A part of a path, so that it needs no escaping there.
        let plain = names::is_token(name) && !name.contains([':', '/', '@', '+']);
        if !plain || BuiltInRole::parse(name).is_some() {
            let message = "a role is named by 1 to 128 letters, digits or . _ -, and not as a built-in one";
            return Err(IdentityError::RoleInvalid { message });
        }
        acting.may(permissions)?;
        let now = self.clock.now();
        let put = async |tx: &mut WriteTx<'_>| {
            let roles = store::list(tx).await?;
            let before = roles.iter().find(|role| role.name == name);
            if before.is_none() && roles.len() >= MOST {
                return Err(IdentityError::TooMuch);
            }
            acting.may(before.map_or(Permissions::NONE, |role| role.permissions))?;
            store::put(tx, name, permissions, now).await?;
            for account in store::who_has(tx, name).await? {
                self.within_reach_in_tx(tx, acting, account).await?;
                self.sessions_end_in_tx(tx, account, None).await?;
            }
            Ok(())
        };
        let put = &put;
        self.db.write("roles.put", |tx| Box::pin(put(tx))).await
    }

    /// Deletes a role of the operator's own that nobody has.
    ///
    /// # Errors
    /// [`IdentityError::RoleNotFound`], [`IdentityError::RoleInUse`], [`IdentityError::BeyondOwn`]; storage.
    pub async fn role_delete(&self, acting: Acting, name: &str) -> Result<(), IdentityError> {
        let delete = async |tx: &mut WriteTx<'_>| {
            acting.may(self.role_in_tx(tx, name).await?)?;
            if !store::who_has(tx, name).await?.is_empty() {
                return Err(IdentityError::RoleInUse);
            }
            if store::delete(tx, name).await? { Ok(()) } else { Err(IdentityError::RoleNotFound) }
        };
        let delete = &delete;
        self.db.write("roles.delete", |tx| Box::pin(delete(tx))).await
    }

    /// Gives a role to an account. Whether it had it not.
    ///
    /// # Errors
    /// [`IdentityError::RoleNotFound`], [`IdentityError::AccountNotFound`], [`IdentityError::BeyondOwn`],
    /// [`IdentityError::BeyondReach`]; storage.
    pub async fn role_grant(&self, acting: Acting, account: AccountId, name: &str) -> Result<bool, IdentityError> {
        let now = self.clock.now();
        let grant = async |tx: &mut WriteTx<'_>| {
            acting.may(self.role_in_tx(tx, name).await?)?;
            self.within_reach_in_tx(tx, acting, account).await?;
            let granted = store::grant(tx, account, name, now).await?;
            if granted {
                self.sessions_end_in_tx(tx, account, None).await?;
            }
            Ok(granted)
        };
        let grant = &grant;
        self.db.write("roles.grant", |tx| Box::pin(grant(tx))).await
    }

    /// Takes a role from an account. Whether it had it.
    ///
    /// # Errors
    /// [`IdentityError::OwnerLast`], [`IdentityError::RoleNotFound`], [`IdentityError::AccountNotFound`],
    /// [`IdentityError::BeyondOwn`], [`IdentityError::BeyondReach`]; storage.
    pub async fn role_revoke(&self, acting: Acting, account: AccountId, name: &str) -> Result<bool, IdentityError> {
        let revoke = async |tx: &mut WriteTx<'_>| {
            acting.may(self.role_in_tx(tx, name).await?)?;
            self.within_reach_in_tx(tx, acting, account).await?;
            let revoked = store::revoke(tx, account, name).await?;
            if revoked && name == BuiltInRole::Owner.as_str() {
                self.owner_must_stay_in_tx(tx).await?;
            }
            if revoked {
                self.sessions_end_in_tx(tx, account, None).await?;
            }
            Ok(revoked)
        };
        let revoke = &revoke;
        self.db.write("roles.revoke", |tx| Box::pin(revoke(tx))).await
    }

    /// Whether an account is an owner.
    pub(crate) async fn is_owner_in_tx(&self, tx: &mut ReadTx<'_>, account: AccountId) -> Result<bool, IdentityError> {
        let roles = store::of_account(tx, account).await?;
        Ok(roles.iter().any(|(name, _)| name == BuiltInRole::Owner.as_str()))
    }

    /// Whether there is still an owner who can sign in.
    pub(crate) async fn owner_must_stay_in_tx(&self, tx: &mut ReadTx<'_>) -> Result<(), IdentityError> {
        if self.owners_in_tx(tx).await? == 0 { Err(IdentityError::OwnerLast) } else { Ok(()) }
    }

    /// How many owners can sign in.
    pub(crate) async fn owners_in_tx(&self, tx: &mut ReadTx<'_>) -> Result<u64, IdentityError> {
        Ok(store::enabled(tx, BuiltInRole::Owner.as_str()).await?)
    }

    /// What a role allows.
    async fn role_in_tx(&self, tx: &mut ReadTx<'_>, name: &str) -> Result<Permissions, IdentityError> {
        if let Some(role) = BuiltInRole::parse(name) {
            return Ok(role.permissions());
        }
        let custom = store::list(tx).await?.into_iter().find(|role| role.name == name);
        custom.map(|role| role.permissions).ok_or(IdentityError::RoleNotFound)
    }
}

//! Becoming a customer: which fields are asked for is the operator's choice, and so is whether one must be invited.
//! Refusing what is optional changes nothing (policy 01, 2.1.1).

mod guardians;
mod invitations;
mod model;
mod store;

pub use invitations::{Invitation, Inviter};
pub use model::{AgeBand, Fields, Language, Need, Profile, ProfileField, Registration, RegistrationRules};
pub(crate) use store::STATEMENTS;

use crate::codes::CodePurpose;
use crate::contacts::Contact;
use crate::passwords::Digest;
use crate::sessions::{Method, Origin};
use crate::sign_in::SignedIn;
use crate::{Identity, IdentityError, chance};
use secrecy::SecretString;
use std::collections::HashMap;
use std::net::IpAddr;
use store::ProfileRow;
use tacit_kernel::Personal;
use tacit_kernel::ids::{AccountId, GroupId};
use tacit_kernel::limits::Limits;
use tacit_storage::{ReadTx, StorageError, WriteTx};
use tacit_vault::Aad;

/// Random characters of a name that nobody chose.
const NAME: usize = 5;

fn aad(column: &'static str, account: AccountId) -> Aad<'static> {
    Aad { table: "account_profiles", column, row: account.0 }
}

impl Identity {
    /// Makes an account for somebody and signs them in. Either all of it is done or nothing, but for wrong codes, which
    /// count.
    ///
    /// # Errors
    /// [`IdentityError::RegistrationField`] names what is missing or wrong, [`IdentityError::CodeWrong`],
    /// [`IdentityError::InvitationInvalid`], [`IdentityError::AccountNameTaken`], [`IdentityError::ContactTaken`],
    /// [`IdentityError::SignInLost`], [`IdentityError::IdentityTaken`], [`IdentityError::PasswordWeak`],
    /// [`IdentityError::TooMany`], [`IdentityError::Busy`]; storage, keyring.
    pub async fn register(
        &self,
        rules: &RegistrationRules,
        asked: &Registration,
        group: GroupId,
        origin: &Origin,
    ) -> Result<SignedIn, IdentityError> {
        model::check(rules, asked)?;
        let codes = asked.codes();
        let name = asked.username.clone().unwrap_or_else(unchosen_name);
        let target = codes
            .first()
            .map_or_else(|| self.account_lookup(name.reveal()), |(_, contact, _)| self.contact_lookup(contact));
        let counted = &self.guess(&target, origin.address);
        // Before the digest, which is work that nobody shall have done for nothing.
        self.db.write("registration.count", |tx| Box::pin(self.count_in_tx(tx, counted))).await?;
        let digest = match &asked.password {
            Some(password) => {
                let names = codes
                    .iter()
                    .map(|(_, contact, _)| contact.text())
                    .chain(asked.username.as_ref().map(|n| n.reveal().as_str()));
                let digest = self.password_digest(password.clone(), &names.collect::<Vec<_>>()).await;
                Some(self.unless_busy(counted, digest).await?)
            }
            None => None,
        };
        let digest = digest.as_ref();
        let (codes, name) = (&codes, &name);
        let register = async |tx: &mut WriteTx<'_>| -> Result<Result<SignedIn, IdentityError>, IdentityError> {
            if !self.codes_take_in_tx(tx, codes, origin.address).await? {
                return Ok(Err(IdentityError::CodeWrong));
            }
            let invited_by = match &asked.invitation {
                Some(code) => self.invitation_take_in_tx(tx, code).await?,
                None => None,
            };
            let stranger = match &asked.identity {
                Some((ticket, browser)) => Some(self.ticket_take_in_tx(tx, (ticket, browser)).await?),
                None => None,
            };
            let account = self.account_create_in_tx(tx, name, group, &Limits::default()).await?.id;
            for contact in [&asked.email, &asked.phone].into_iter().flatten() {
                self.contact_put_in_tx(tx, account, &contact.0).await?;
            }
            self.registered_in_tx(tx, account, asked, digest, invited_by).await?;
            if let Some(stranger) = &stranger {
                self.identity_put_in_tx(tx, account, stranger).await?;
            }
            let method = match &stranger {
                Some(_) => Method::Identity,
                None if digest.is_some() && codes.is_empty() => Method::Password,
                None => Method::Code,
            };
            let (token, session) = self.session_open_in_tx(tx, account, method, true, origin).await?;
            let new_device = self.device_seen_in_tx(tx, account, origin).await?;
            self.guessed_right_in_tx(tx, counted).await?;
            Ok(Ok(SignedIn { token, session, new_device }))
        };
        let register = &register;
        self.db.write("registration.register", |tx| Box::pin(register(tx))).await?
    }

    async fn registered_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        account: AccountId,
        asked: &Registration,
        digest: Option<&Digest>,
        invited_by: Option<AccountId>,
    ) -> Result<(), IdentityError> {
        let now = self.clock.now();
        if let Some(digest) = digest {
            self.password_put_in_tx(tx, account, digest).await?;
        }
        let key = self.subject_key(account).await?.ok_or(IdentityError::AccountErased)?;
        let guardian = asked.guardian.as_ref();
        let row = ProfileRow {
            fields_sealed: key.seal(&aad("fields_sealed", account), &model::fields_text(&asked.profile)?),
            age: asked.age,
            guardian_sealed: guardian
                .map(|(contact, _)| key.seal(&aad("guardian_sealed", account), contact.text().as_bytes())),
            guardian_consent_at: guardian.map(|_| now),
            language: asked.language,
            invited_by,
            registered_at: now,
            updated_at: now,
        };
        let lookup = guardian.map(|(contact, _)| self.contact_lookup(contact));
        Ok(store::insert(tx, account, &row, lookup).await?)
    }

    /// Takes all codes, or none: one that is right is not used up by another that is wrong.
    async fn codes_take_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        codes: &[(CodePurpose, &Contact, &SecretString)],
        from: IpAddr,
    ) -> Result<bool, IdentityError> {
        let mut right = true;
        for (purpose, contact, code) in codes {
            right &= self.code_try_in_tx(tx, *purpose, contact, code, from).await?;
        }
        if right {
            for (purpose, contact, code) in codes {
                right &= self.code_take_in_tx(tx, *purpose, contact, code, from).await?;
            }
        }
        Ok(right)
    }

    /// What an account said at registration and since. `None`: it was made by the operator.
    ///
    /// # Errors
    /// [`IdentityError::AccountErased`]; storage, keyring.
    pub async fn profile_in_tx(
        &self,
        tx: &mut ReadTx<'_>,
        account: AccountId,
    ) -> Result<Option<Profile>, IdentityError> {
        let Some(row) = store::get(tx, account).await? else { return Ok(None) };
        let key = self.subject_key(account).await?.ok_or(IdentityError::AccountErased)?;
        let inconsistent = || StorageError::inconsistent("account_profiles", "fields_sealed");
        let plain = key.open(&aad("fields_sealed", account), &row.fields_sealed).map_err(|_| inconsistent())?;
        Ok(Some(Profile {
            fields: serde_json::from_slice(&plain).map_err(|_| inconsistent()).map(model::personal)?,
            age: row.age,
            language: row.language,
            invited_by: row.invited_by,
            registered_at: row.registered_at,
        }))
    }

    /// In which language each of these accounts is written to; whoever said nothing is not in it.
    ///
    /// # Errors
    /// Storage.
    pub async fn languages_of_each_in_tx(
        &self,
        tx: &mut ReadTx<'_>,
        accounts: &[AccountId],
    ) -> Result<HashMap<AccountId, Language>, IdentityError> {
        Ok(store::languages(tx, accounts).await?)
    }

    /// Replaces the optional fields of a profile: what is left out is gone.
    ///
    /// # Errors
    /// [`IdentityError::RegistrationField`], [`IdentityError::AccountNotFound`] without a profile,
    /// [`IdentityError::AccountErased`]; storage, keyring.
    pub async fn profile_put(
        &self,
        rules: &RegistrationRules,
        account: AccountId,
        fields: &Fields,
        language: Language,
    ) -> Result<(), IdentityError> {
        model::fields_check(rules, fields)?;
        let key = self.subject_key(account).await?.ok_or(IdentityError::AccountErased)?;
        let sealed = &key.seal(&aad("fields_sealed", account), &model::fields_text(fields)?);
        let now = self.clock.now();
        let put = async |tx: &mut WriteTx<'_>| store::put_fields(tx, account, sealed, language, now).await;
        let put = &put;
        let there = self.db.write("profile.put", |tx| Box::pin(put(tx))).await?;
        if there { Ok(()) } else { Err(IdentityError::AccountNotFound) }
    }
}

/// A name for who chose none; it can be changed.
fn unchosen_name() -> Personal<String> {
    Personal::new(format!("user-{}", chance::word::<NAME>()))
}

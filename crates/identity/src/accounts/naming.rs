//! How accounts are called: what a name may be, who has it, and how somebody changes their own.

use super::folding::{folded, plain};
use super::store::{self, NameForm};
use super::{AccountRow, LOOKUP, aad, account_name_check, opened};
use crate::contacts::Contact;
use crate::notices::{Notice, Part};
use crate::registration::RegistrationRules;
use crate::sessions::Session;
use crate::{AccountChange, Identity, IdentityError};
use tacit_kernel::Personal;
use tacit_kernel::ids::AccountId;
use tacit_storage::{ReadTx, WriteTx};
use tacit_vault::keyed_hash;

/// Label and domain of the hash of a name in the form that stands for all that are one.
const FOLDED: &str = "account-name-folded";
/// Names that are renewed in one transaction at most.
const STEP: u32 = 100;

/// What is done with a try: what fails is committed too, since it counts.
type Tried<T> = Result<Result<T, IdentityError>, IdentityError>;

impl Identity {
    /// Changes the name of who is signed in. It is what the operator asks for, and each try counts, for the answer tells whether
    /// there is such an account.
    ///
    /// # Errors
    /// [`IdentityError::StepUpRequired`], [`IdentityError::RegistrationField`], [`IdentityError::AccountNameInvalid`],
    /// [`IdentityError::AccountNameTaken`], [`IdentityError::TooMany`]; storage, keyring.
    pub async fn name_change(
        &self,
        rules: &RegistrationRules,
        session: &Session,
        name: &Personal<String>,
    ) -> Result<(), IdentityError> {
        if !session.stepped_up(self.clock.now()) {
            return Err(IdentityError::StepUpRequired);
        }
        rules.username_check(name.reveal())?;
        account_name_check(name.reveal())?;
        let (account, counted) = (session.account, &self.renaming(session.account));
        let change = AccountChange { name: Some(name.clone()), ..AccountChange::default() };
        let change = &change;
        let rename = async |tx: &mut WriteTx<'_>| -> Tried<()> {
            self.count_in_tx(tx, counted).await?;
            self.session_must_go_on_in_tx(tx, session).await?;
            if self.account_by_name_in_tx(tx, name.reveal()).await?.is_some_and(|other| other != account) {
                return Ok(Err(IdentityError::AccountNameTaken));
            }
            self.account_update_in_tx(tx, account, change).await?;
            self.tell_in_tx(tx, account, Notice::Changed(Part::Name)).await?;
            Ok(Ok(()))
        };
        let rename = &rename;
        self.db.write("account.rename", |tx| Box::pin(rename(tx))).await?
    }

    /// The account that has that name, or one that is the same.
    pub(super) async fn named_row_in_tx(
        &self,
        tx: &mut ReadTx<'_>,
        name: &str,
    ) -> Result<Option<AccountRow>, IdentityError> {
        // First as it is written: of two that were there before they were one, each keeps its own.
        if let Some(row) = store::account_by_lookup(tx, &self.exact_lookup(name)).await? {
            return Ok(Some(row));
        }
        Ok(store::account_by_lookup(tx, &self.account_lookup(name)).await?)
    }

    /// Whose name it is, or one that is the same.
    pub(crate) async fn account_by_name_in_tx(
        &self,
        tx: &mut ReadTx<'_>,
        name: &str,
    ) -> Result<Option<AccountId>, IdentityError> {
        Ok(self.named_row_in_tx(tx, name).await?.map(|row| row.id))
    }

    /// What stands for a name, and for all that are the same.
    pub(crate) fn account_lookup(&self, name: &str) -> [u8; 32] {
        keyed_hash(&self.keys.hash_key(FOLDED), FOLDED, folded(name).as_bytes())
    }

    /// What stood for a name before those that look alike were one.
    fn exact_lookup(&self, name: &str) -> [u8; 32] {
        keyed_hash(&self.keys.hash_key(LOOKUP), LOOKUP, name.as_bytes())
    }

    /// Has every account found by the form of its name that stands for all that are the same, and every key by its name. Names are sealed, so that the
    /// program does this and no migration; it goes on where it was left. Of two accounts whose names are one now, the
    /// older keeps the form, and the other is found by its name exactly as it is written, until it takes another. How
    /// many were renewed.
    ///
    /// # Errors
    /// Storage, keyring.
    pub async fn names_renew(&self) -> Result<u64, IdentityError> {
        let (mut after, mut renewed) = (AccountId(uuid::Uuid::nil()), 0);
        loop {
            let step = async |tx: &mut WriteTx<'_>| {
                let rows = store::of_exact_names(tx, after, STEP).await?;
                for row in &rows {
                    self.name_renew_in_tx(tx, row).await?;
                }
                Ok::<_, IdentityError>((rows.last().map(|row| row.id), rows.len()))
            };
            let step = &step;
            let (last, count) = self.db.write("account.names_renew", |tx| Box::pin(step(tx))).await?;
            let Some(last) = last else { return Ok(renewed + self.key_names_renew().await?) };
            (after, renewed) = (last, renewed + u64::try_from(count).unwrap_or(0));
        }
    }

    async fn name_renew_in_tx(&self, tx: &mut WriteTx<'_>, row: &AccountRow) -> Result<(), IdentityError> {
        let kept = (NameForm::Kept, row.name_lookup.clone());
        let (form, lookup) = match self.subject_key(row.id).await? {
            // What cannot be opened keeps nobody else from starting.
            Some(key) => match opened(&key, &aad(row.id.0), &row.name_sealed) {
                Ok(name) => {
                    let lookup = self.account_lookup(name.reveal());
                    let taken = store::account_by_lookup(tx, &lookup).await?.is_some();
                    if taken { kept } else { (NameForm::Folded, lookup.to_vec()) }
                }
                Err(_) => kept,
            },
            // Of who was erased nothing can be read.
            None => kept,
        };
        Ok(store::name_renew(tx, row.id, form, lookup).await?)
    }
}

/// Whether it is an address, also one that is only written with other characters; such may not be chosen as a name: whoever
/// is named by an address has shown that it is theirs.
pub(crate) fn is_address(name: &str) -> bool {
    let is_one = |name: &str| name.contains('@') || Contact::phone(name, None).is_ok();
    is_one(name) || is_one(&plain(name))
}

/// Whether anything of a name can be seen.
pub(super) fn is_seen(name: &str) -> bool {
    !folded(name).is_empty()
}

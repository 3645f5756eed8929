//! Passkeys (WebAuthn, level 3): discoverable credentials that verify who holds them, so that one is both factors in one. Of
//! a passkey its public half is kept, sealed with the account's key, and found by a keyed hash.

mod site;
pub(crate) mod store;

pub use site::PasskeySite;
pub(crate) use store::STATEMENTS;

use crate::accounts::opened;
use crate::ceremonies::{Beginning, Purpose, random_token};
use crate::notices::{Notice, Part};
use crate::sessions::{Method, Origin, Session};
use crate::sign_in::SignedIn;
use crate::{Identity, IdentityError, is_personal_name};
use secrecy::SecretString;
use serde_json::Value;
use site::{Assertion, Credential};
use store::PasskeyRow;
use tacit_kernel::ids::{AccountId, PasskeyId};
use tacit_kernel::{Personal, Timestamp};
use tacit_storage::{Page, Paged, ReadTx, StorageError, StorageErrorKind, WriteTx};
use tacit_vault::{Aad, SealKey, keyed_hash};

const LABEL: &str = "passkey";
/// Passkeys of one account at most.
const MOST: u64 = 20;

fn aad(column: &'static str, id: PasskeyId) -> Aad<'static> {
    Aad { table: "passkeys", column, row: id.0 }
}

/// A passkey.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Passkey {
    /// Its id.
    pub id: PasskeyId,
    /// Its name.
    pub name: Personal<String>,
    /// When it was registered.
    pub created_at: Timestamp,
    /// When it was last signed in with.
    pub used_at: Option<Timestamp>,
    /// When it was last named.
    pub updated_at: Timestamp,
}

/// What a browser is asked, and what names it here.
#[derive(Debug)]
pub struct Question {
    /// What the answer is sent back with.
    pub ceremony: SecretString,
    /// What `navigator.credentials` is given as `publicKey`, in the JSON form of WebAuthn.
    pub options: Value,
}

/// What is done with a try: what fails is committed too, since it counts.
type Tried<T> = Result<Result<T, IdentityError>, IdentityError>;

impl Identity {
    /// Begins to register a passkey.
    ///
    /// # Errors
    /// [`IdentityError::StepUpRequired`], [`IdentityError::TooMuch`], [`IdentityError::TooMany`]; storage, keyring.
    pub async fn passkey_begin(
        &self,
        site: &PasskeySite,
        session: &Session,
        origin: &Origin,
    ) -> Result<Question, IdentityError> {
        if !session.stepped_up(self.clock.now()) {
            return Err(IdentityError::StepUpRequired);
        }
        let (account, counted) = (session.account, &self.beginning(origin.address));
        let ceremony = random_token();
        let name = self.account_by_ref(&account.to_string()).await?.and_then(|found| found.name);
        let name = name.unwrap_or_else(|| Personal::new(account.to_string()));
        let key = &self.subject_key(account).await?.ok_or(IdentityError::AccountErased)?;
        let (handle, name) = (&ceremony, &name);
        let begin = async |tx: &mut WriteTx<'_>| {
            self.count_in_tx(tx, counted).await?;
            let held = store::of_account(tx, account, Page { after: None, limit: 100 }).await?;
            if u64::try_from(held.len()).is_ok_and(|n| n >= MOST) {
                return Err(IdentityError::TooMuch);
            }
            let held = held.iter().map(|row| credential(key, row)).collect::<Result<Vec<_>, _>>()?;
            let (options, challenge) = site.registration(account, name.reveal(), &held)?;
            let begun = Beginning { purpose: Purpose::PasskeyRegister, browser: None, account: Some(account) };
            self.ceremony_put_in_tx(tx, handle, &begun, &challenge).await?;
            Ok(options)
        };
        let begin = &begin;
        let options = self.db.write("passkey.begin", |tx| Box::pin(begin(tx))).await?;
        Ok(Question { ceremony, options })
    }

    /// Registers a passkey, as part of a transaction.
    ///
    /// # Errors
    /// [`IdentityError::StepUpRequired`], [`IdentityError::SignInLost`], [`IdentityError::PasskeyInvalid`],
    /// [`IdentityError::KeyNameInvalid`], [`IdentityError::PasskeyTaken`], [`IdentityError::TooMuch`]; storage, keyring.
    pub async fn passkey_register_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        site: &PasskeySite,
        session: &Session,
        ceremony: &SecretString,
        (name, answer): (&Personal<String>, &Value),
    ) -> Result<Passkey, IdentityError> {
        if !session.stepped_up(self.clock.now()) {
            return Err(IdentityError::StepUpRequired);
        }
        if !is_personal_name(name.reveal()) {
            return Err(IdentityError::KeyNameInvalid);
        }
        self.session_must_go_on_in_tx(tx, session).await?;
        let account = session.account;
        let begun = Beginning { purpose: Purpose::PasskeyRegister, browser: None, account: Some(account) };
        let challenge: Vec<u8> =
            self.ceremony_take_in_tx(tx, ceremony, &begun).await?.ok_or(IdentityError::SignInLost)?;
        let made = site.registered(&challenge, answer).ok_or(IdentityError::PasskeyInvalid)?;
        if store::count(tx, account).await? >= MOST {
            return Err(IdentityError::TooMuch);
        }
        let key = self.subject_key(account).await?.ok_or(IdentityError::AccountErased)?;
        let (id, now) = (PasskeyId::fresh(), self.clock.now());
        let row = PasskeyRow {
            id,
            account,
            credential_sealed: key.seal(&aad("credential_sealed", id), &credential_text(&made)?),
            name_sealed: key.seal(&aad("name_sealed", id), name.reveal().as_bytes()),
            created_at: now,
            used_at: None,
            updated_at: now,
        };
        let put = store::insert(tx, &row, &self.credential_lookup(&made.id)).await;
        put.map_err(|error| match error.kind {
            StorageErrorKind::Unique => IdentityError::PasskeyTaken,
            _ => error.into(),
        })?;
        self.tell_in_tx(tx, account, Notice::Changed(Part::Passkey)).await?;
        passkey_opened(&key, &row)
    }

    /// Begins to sign in with a passkey, or to show once more who is there if somebody is signed in. Whose passkey it will be
    /// is not asked.
    ///
    /// # Errors
    /// [`IdentityError::TooMany`]; storage.
    pub async fn passkey_ask(
        &self,
        site: &PasskeySite,
        account: Option<AccountId>,
        origin: &Origin,
    ) -> Result<Question, IdentityError> {
        let (ceremony, counted) = (random_token(), &self.beginning(origin.address));
        let (options, challenge) = site.question()?;
        let (handle, challenge, begun) = (&ceremony, &challenge, asking(account));
        let begun = &begun;
        let ask = async |tx: &mut WriteTx<'_>| {
            self.count_in_tx(tx, counted).await?;
            self.ceremony_put_in_tx(tx, handle, begun, challenge).await
        };
        let ask = &ask;
        self.db.write("passkey.ask", |tx| Box::pin(ask(tx))).await?;
        Ok(Question { ceremony, options })
    }

    /// Signs in with a passkey. It has verified who holds it, so that no second factor is asked for.
    ///
    /// # Errors
    /// [`IdentityError::SignInFailed`] whatever was wrong, [`IdentityError::PasskeyCopied`], [`IdentityError::TooMany`],
    /// [`IdentityError::AccountDisabled`] only with the right passkey; storage, keyring.
    pub async fn sign_in_with_passkey(
        &self,
        site: &PasskeySite,
        ceremony: &SecretString,
        answer: &Value,
        origin: &Origin,
    ) -> Result<SignedIn, IdentityError> {
        let counted = &self.guess_at_code(origin.address);
        let open = async |tx: &mut WriteTx<'_>| -> Tried<SignedIn> {
            self.count_in_tx(tx, counted).await?;
            let shown = match self.passkey_shown_in_tx(tx, site, None, ceremony, answer).await? {
                Ok(shown) => shown,
                Err(refused) => return Ok(Err(refused)),
            };
            let found = self.account_by_id_in_tx(tx, shown).await?;
            if !found.is_some_and(|account| account.enabled) {
                return Ok(Err(IdentityError::AccountDisabled));
            }
            self.guessed_right_in_tx(tx, counted).await?;
            let new_device = self.device_seen_in_tx(tx, shown, origin).await?;
            let (token, session) = self.session_open_in_tx(tx, shown, Method::Passkey, true, origin).await?;
            if new_device.is_some() {
                self.tell_in_tx(tx, shown, Notice::NewDevice(&session)).await?;
            }
            Ok(Ok(SignedIn { token, session, new_device }))
        };
        let open = &open;
        self.db.write("sign_in.passkey", |tx| Box::pin(open(tx))).await?
    }

    /// Shows once more who is there, with a passkey of the account. The token changes.
    ///
    /// # Errors
    /// [`IdentityError::SessionGone`], [`IdentityError::ProofWrong`], [`IdentityError::PasskeyCopied`],
    /// [`IdentityError::TooMany`]; storage, keyring.
    pub async fn step_up_with_passkey(
        &self,
        site: &PasskeySite,
        token: &SecretString,
        (ceremony, answer): (&SecretString, &Value),
        origin: &Origin,
    ) -> Result<SignedIn, IdentityError> {
        let raise = async |tx: &mut WriteTx<'_>| -> Tried<SignedIn> {
            let session = self.complete_session_in_tx(tx, token).await?;
            let counted = self.guess_of(&session, origin);
            self.count_in_tx(tx, &counted).await?;
            match self.passkey_shown_in_tx(tx, site, Some(session.account), ceremony, answer).await? {
                Ok(shown) if shown == session.account => {}
                Err(copied @ IdentityError::PasskeyCopied { .. }) => return Ok(Err(copied)),
                _ => return Ok(Err(IdentityError::ProofWrong)),
            }
            self.guessed_right_in_tx(tx, &counted).await?;
            let (token, session) = self.session_raise_in_tx(tx, &session).await?;
            Ok(Ok(SignedIn { token, session, new_device: None }))
        };
        let raise = &raise;
        self.db.write("sign_in.step_up_passkey", |tx| Box::pin(raise(tx))).await?
    }

    /// Whose passkey has answered.
    async fn passkey_shown_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        site: &PasskeySite,
        account: Option<AccountId>,
        ceremony: &SecretString,
        answer: &Value,
    ) -> Tried<AccountId> {
        let failed = Ok(Err(IdentityError::SignInFailed));
        let Some(challenge) = self.ceremony_take_in_tx::<Vec<u8>>(tx, ceremony, &asking(account)).await? else {
            return failed;
        };
        let Some(assertion) = Assertion::read(answer) else { return failed };
        let Some(row) = store::by_credential(tx, &self.credential_lookup(&assertion.credential())).await? else {
            return failed;
        };
        let Some(key) = self.subject_key(row.account).await? else { return failed };
        let kept = credential(&key, &row)?;
        match site.answered(&challenge, &assertion, row.account, kept) {
            Ok(now) => {
                let sealed = key.seal(&aad("credential_sealed", row.id), &credential_text(&now)?);
                store::used(tx, row.id, sealed, self.clock.now()).await?;
                Ok(Ok(row.account))
            }
            // Its signature is right and its counter is not: there are two of them.
            Err(site::Wrong::Counter) => Ok(Err(IdentityError::PasskeyCopied { account: row.account })),
            Err(site::Wrong::Answer) => failed,
        }
    }

    /// A page of the passkeys of an account, oldest first.
    ///
    /// # Errors
    /// Storage, keyring.
    pub async fn passkey_list(&self, account: AccountId, page: Page) -> Result<Paged<Passkey>, IdentityError> {
        let rows = self.db.read("passkey.list", |tx| Box::pin(store::of_account(tx, account, page))).await?;
        let Some(key) = self.subject_key(account).await? else {
            return Ok(page.take(Vec::new(), |one: &Passkey| one.id.0));
        };
        let items = rows.iter().map(|row| passkey_opened(&key, row)).collect::<Result<Vec<_>, _>>()?;
        Ok(page.take(items, |one| one.id.0))
    }

    /// A passkey of an account.
    ///
    /// # Errors
    /// [`IdentityError::PasskeyNotFound`], [`IdentityError::AccountErased`]; storage, keyring.
    pub async fn passkey_in_tx(
        &self,
        tx: &mut ReadTx<'_>,
        account: AccountId,
        id: PasskeyId,
    ) -> Result<Passkey, IdentityError> {
        let row = store::by_id(tx, account, id).await?.ok_or(IdentityError::PasskeyNotFound)?;
        let key = self.subject_key(account).await?.ok_or(IdentityError::AccountErased)?;
        passkey_opened(&key, &row)
    }

    /// Gives a passkey of an account another name.
    ///
    /// # Errors
    /// [`IdentityError::KeyNameInvalid`], [`IdentityError::PasskeyNotFound`]; storage, keyring.
    pub async fn passkey_name_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        account: AccountId,
        id: PasskeyId,
        name: &Personal<String>,
    ) -> Result<Passkey, IdentityError> {
        if !is_personal_name(name.reveal()) {
            return Err(IdentityError::KeyNameInvalid);
        }
        let before = self.passkey_in_tx(tx, account, id).await?;
        if before.name == *name {
            return Ok(before);
        }
        let key = self.subject_key(account).await?.ok_or(IdentityError::AccountErased)?;
        let now = self.clock.now();
        store::name(tx, id, key.seal(&aad("name_sealed", id), name.reveal().as_bytes()), now).await?;
        Ok(Passkey { name: name.clone(), updated_at: now, ..before })
    }

    /// Removes a passkey of an account.
    ///
    /// # Errors
    /// [`IdentityError::PasskeyNotFound`], [`IdentityError::WayInLast`]; storage.
    pub async fn passkey_remove_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        account: AccountId,
        id: PasskeyId,
    ) -> Result<(), IdentityError> {
        if !store::delete(tx, account, id).await? {
            return Err(IdentityError::PasskeyNotFound);
        }
        self.way_in_must_stay_in_tx(tx, account).await?;
        self.tell_in_tx(tx, account, Notice::Changed(Part::Passkey)).await
    }

    pub(crate) async fn passkey_count_in_tx(
        &self,
        tx: &mut ReadTx<'_>,
        account: AccountId,
    ) -> Result<u64, IdentityError> {
        Ok(store::count(tx, account).await?)
    }

    fn credential_lookup(&self, credential: &[u8]) -> [u8; 32] {
        keyed_hash(&self.keys.hash_key(LABEL), LABEL, credential)
    }
}

const fn asking(account: Option<AccountId>) -> Beginning<'static> {
    let purpose = if account.is_some() { Purpose::PasskeyStepUp } else { Purpose::PasskeySignIn };
    Beginning { purpose, browser: None, account }
}

fn inconsistent() -> StorageError {
    StorageError::inconsistent("passkeys", "credential_sealed")
}

fn credential(key: &SealKey, row: &PasskeyRow) -> Result<Credential, IdentityError> {
    let text = key.open(&aad("credential_sealed", row.id), &row.credential_sealed).map_err(|_| inconsistent())?;
    Ok(serde_json::from_slice(&text).map_err(|_| inconsistent())?)
}

fn credential_text(credential: &Credential) -> Result<Vec<u8>, IdentityError> {
    Ok(serde_json::to_vec(credential).map_err(|_| inconsistent())?)
}

fn passkey_opened(key: &SealKey, row: &PasskeyRow) -> Result<Passkey, IdentityError> {
    Ok(Passkey {
        id: row.id,
        name: opened(key, &aad("name_sealed", row.id), &row.name_sealed)?,
        created_at: row.created_at,
        used_at: row.used_at,
        updated_at: row.updated_at,
    })
}

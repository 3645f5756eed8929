//! Signing in, the second factor, and showing once more who is there. Every way is slowed by the same rules
//! ([`crate::throttle`]), and answers the same whether there is such an account or not.

use crate::codes::CodePurpose;
use crate::contacts::Contact;
use crate::devices::NewDevice;
use crate::notices::{Notice, Part};
use crate::second_factor::SecondFactor;
use crate::sessions::{Method, Origin, Session};
use crate::throttle::Counted;
use crate::{Identity, IdentityError, passwords};
use secrecy::SecretString;
use tacit_kernel::ids::AccountId;
use tacit_storage::{ReadTx, WriteTx};

/// Somebody signed in; the token is shown this once.
#[derive(Debug)]
pub struct SignedIn {
    /// What the session is known by from now on.
    pub token: SecretString,
    /// The session. Unless it is complete a second factor has to follow.
    pub session: Session,
    /// The account was not signed in to from this device before.
    pub new_device: Option<NewDevice>,
}

/// How somebody who is signed in shows once more that it is them.
#[derive(Clone)]
pub enum Proof {
    /// With the password; where there is a second factor that is asked for instead.
    Password(SecretString),
    /// With a code that was sent to one of the account's addresses; likewise.
    Code(Contact, SecretString),
    /// With the second factor.
    SecondFactor(SecondFactor),
}

/// What is done with a try: what fails is committed too, since it counts.
type Tried<T> = Result<Result<T, IdentityError>, IdentityError>;

impl Identity {
    /// Signs in with a name, address or number, and the password.
    ///
    /// # Errors
    /// [`IdentityError::SignInFailed`] whatever was wrong, [`IdentityError::TooMany`], [`IdentityError::Busy`],
    /// [`IdentityError::AccountDisabled`] only with the right password; storage, keyring.
    pub async fn sign_in_with_password(
        &self,
        who: &str,
        password: SecretString,
        origin: &Origin,
    ) -> Result<SignedIn, IdentityError> {
        let named = self.named(who);
        let named = &named;
        let find = async |tx: &mut WriteTx<'_>| {
            let account = self.named_in_tx(tx, named).await?;
            let stranger = self.guess(&named.target, origin.address);
            let counted = self.guess_by_in_tx(tx, account, origin, stranger).await?;
            self.count_in_tx(tx, &counted).await?;
            let kept = match account {
                Some(account) => self.password_kept_in_tx(tx, account).await?,
                None => None,
            };
            Ok::<_, IdentityError>((account, kept, counted))
        };
        let find = &find;
        let (account, kept, counted) = self.db.write("sign_in.find", |tx| Box::pin(find(tx))).await?;
        let counted = &counted;
        let right = self.unless_busy(counted, self.password_is(kept, password).await).await?;
        let account = account.filter(|_| right).ok_or(IdentityError::SignInFailed)?;
        let open =
            async |tx: &mut WriteTx<'_>| self.signed_in_in_tx(tx, account, Method::Password, counted, origin).await;
        let open = &open;
        self.db.write("sign_in.open", |tx| Box::pin(open(tx))).await
    }

    /// Signs in with a code that was sent to an address of the account.
    ///
    /// # Errors
    /// As [`Self::sign_in_with_password`].
    pub async fn sign_in_with_code(
        &self,
        contact: &Contact,
        code: &SecretString,
        origin: &Origin,
    ) -> Result<SignedIn, IdentityError> {
        let open = async |tx: &mut WriteTx<'_>| -> Tried<SignedIn> {
            let account = self.account_by_contact_in_tx(tx, contact).await?;
            let stranger = self.guess_at_code(origin.address);
            let counted = self.guess_by_in_tx(tx, account, origin, stranger).await?;
            self.count_in_tx(tx, &counted).await?;
            if !self.code_take_in_tx(tx, CodePurpose::SignIn, contact, code, origin.address).await? {
                return Ok(Err(IdentityError::SignInFailed));
            }
            let Some(account) = account else { return Ok(Err(IdentityError::SignInFailed)) };
            self.signed_in_in_tx(tx, account, Method::Code, &counted, origin).await.map(Ok)
        };
        let open = &open;
        self.db.write("sign_in.code", |tx| Box::pin(open(tx))).await?
    }

    /// Completes a session with the second factor. Its token changes.
    ///
    /// # Errors
    /// [`IdentityError::SessionGone`], [`IdentityError::SecondFactorWrong`], [`IdentityError::TooMany`]; storage, keyring.
    pub async fn sign_in_complete(
        &self,
        token: &SecretString,
        shown: &SecondFactor,
        origin: &Origin,
    ) -> Result<SignedIn, IdentityError> {
        self.raised("sign_in.complete", token, origin, &Proof::SecondFactor(shown.clone())).await
    }

    /// Shows once more who is there, before something sensitive. The token changes.
    ///
    /// # Errors
    /// [`IdentityError::SessionGone`], [`IdentityError::ProofWrong`], [`IdentityError::SecondFactorWrong`],
    /// [`IdentityError::TooMany`], [`IdentityError::Busy`]; storage, keyring.
    pub async fn step_up(
        &self,
        token: &SecretString,
        proof: &Proof,
        origin: &Origin,
    ) -> Result<SignedIn, IdentityError> {
        let Proof::Password(password) = proof else {
            return self.raised("sign_in.step_up", token, origin, proof).await;
        };
        // The digest is computed outside of any transaction.
        let check = async |tx: &mut WriteTx<'_>| {
            let session = self.complete_session_in_tx(tx, token).await?;
            let counted = self.guess_of(&session, origin);
            self.count_in_tx(tx, &counted).await?;
            let factor = self.second_factor_set_in_tx(tx, session.account).await?;
            Ok::<_, IdentityError>((factor, self.password_kept_in_tx(tx, session.account).await?, counted))
        };
        let check = &check;
        let (factor, kept, counted) = self.db.write("sign_in.step_up_check", |tx| Box::pin(check(tx))).await?;
        if factor || !self.unless_busy(&counted, self.password_is(kept, password.clone()).await).await? {
            return Err(IdentityError::ProofWrong);
        }
        let raise = async |tx: &mut WriteTx<'_>| {
            let session = self.complete_session_in_tx(tx, token).await?;
            self.guessed_right_in_tx(tx, &self.guess_of(&session, origin)).await?;
            let (token, session) = self.session_raise_in_tx(tx, &session).await?;
            Ok(SignedIn { token, session, new_device: None })
        };
        let raise = &raise;
        self.db.write("sign_in.step_up", |tx| Box::pin(raise(tx))).await
    }

    async fn raised(
        &self,
        name: &'static str,
        token: &SecretString,
        origin: &Origin,
        proof: &Proof,
    ) -> Result<SignedIn, IdentityError> {
        let raise = async |tx: &mut WriteTx<'_>| -> Tried<SignedIn> {
            let session = self.session_by_token_in_tx(tx, token).await?;
            let counted = self.guess_of(&session, origin);
            self.count_in_tx(tx, &counted).await?;
            let account = session.account;
            let shown = match proof {
                Proof::SecondFactor(shown) => {
                    if !self.second_factor_take_in_tx(tx, account, shown).await? {
                        return Ok(Err(IdentityError::SecondFactorWrong));
                    }
                    true
                }
                Proof::Code(contact, code) => {
                    session.complete
                        && !self.second_factor_set_in_tx(tx, account).await?
                        && self.account_by_contact_in_tx(tx, contact).await? == Some(account)
                        && self.code_take_in_tx(tx, CodePurpose::StepUp, contact, code, origin.address).await?
                }
                Proof::Password(_) => false,
            };
            if !shown {
                return Ok(Err(IdentityError::ProofWrong));
            }
            self.guessed_right_in_tx(tx, &counted).await?;
            let new_device =
                if session.complete { None } else { self.device_seen_in_tx(tx, session.account, origin).await? };
            let (token, session) = self.session_raise_in_tx(tx, &session).await?;
            if new_device.is_some() {
                self.tell_in_tx(tx, account, Notice::NewDevice(&session)).await?;
            }
            Ok(Ok(SignedIn { token, session, new_device }))
        };
        let raise = &raise;
        self.db.write(name, |tx| Box::pin(raise(tx))).await?
    }

    /// Sets another password. All other sessions of the account end, and the token of this one changes.
    ///
    /// # Errors
    /// [`IdentityError::StepUpRequired`], [`IdentityError::PasswordWeak`], [`IdentityError::Busy`]; storage, keyring.
    pub async fn password_change(&self, session: &Session, password: SecretString) -> Result<SignedIn, IdentityError> {
        if !session.stepped_up(self.clock.now()) {
            return Err(IdentityError::StepUpRequired);
        }
        let account = session.account;
        let names = self.names_of(account).await?;
        let names: Vec<&str> = names.iter().map(|name| name.reveal().as_str()).collect();
        let digest = &self.password_digest(password, &names).await?;
        let change = async |tx: &mut WriteTx<'_>| {
            // It may have been ended while the digest was computed.
            self.session_must_go_on_in_tx(tx, session).await?;
            self.password_put_in_tx(tx, account, digest).await?;
            self.tell_in_tx(tx, account, Notice::Changed(Part::Password)).await?;
            self.sessions_end_in_tx(tx, account, Some(session.id)).await?;
            self.session_turn_in_tx(tx, session).await
        };
        let change = &change;
        self.db.write("password.change", |tx| Box::pin(change(tx))).await
    }

    /// Sets another password with a code that was sent to an address of the account. All its sessions and management keys end,
    /// and so do passkeys and identities of the last seven days; a second factor stays.
    ///
    /// # Errors
    /// [`IdentityError::CodeWrong`] whatever was wrong, [`IdentityError::PasswordWeak`], [`IdentityError::TooMany`],
    /// [`IdentityError::Busy`]; storage, keyring.
    pub async fn password_reset(
        &self,
        contact: &Contact,
        code: &SecretString,
        password: SecretString,
        origin: &Origin,
    ) -> Result<AccountId, IdentityError> {
        // Counted before the digest, which is work; and that comes before the code is taken, so that a password that will not
        // do uses up none.
        let count = async |tx: &mut WriteTx<'_>| {
            let account = self.account_by_contact_in_tx(tx, contact).await?;
            let counted = self.guess_by_in_tx(tx, account, origin, self.guess_at_code(origin.address)).await?;
            self.count_in_tx(tx, &counted).await?;
            Ok::<_, IdentityError>(counted)
        };
        let count = &count;
        let counted = &self.db.write("password.count", |tx| Box::pin(count(tx))).await?;
        let digest = self.password_digest(password.clone(), &[contact.text()]).await;
        let (digest, password) = (&self.unless_busy(counted, digest).await?, &password);
        let reset = async |tx: &mut WriteTx<'_>| -> Tried<AccountId> {
            if !self.code_try_in_tx(tx, CodePurpose::PasswordReset, contact, code, origin.address).await? {
                return Ok(Err(IdentityError::CodeWrong));
            }
            let Some(account) = self.account_by_contact_in_tx(tx, contact).await? else {
                return Ok(Err(IdentityError::CodeWrong));
            };
            // Only now, when they have shown that it is theirs, are other names of the account told by the answer.
            let names = self.names_of_in_tx(tx, account).await?;
            let names: Vec<&str> = names.iter().map(|name| name.reveal().as_str()).collect();
            if let Err(weak) = passwords::check(password, &names) {
                return Ok(Err(weak));
            }
            if !self.code_take_in_tx(tx, CodePurpose::PasswordReset, contact, code, origin.address).await? {
                return Ok(Err(IdentityError::CodeWrong));
            }
            self.guessed_right_in_tx(tx, counted).await?;
            self.password_put_in_tx(tx, account, digest).await?;
            self.tell_in_tx(tx, account, Notice::Changed(Part::Password)).await?;
            self.recovered_in_tx(tx, account).await?;
            Ok(Ok(account))
        };
        let reset = &reset;
        self.db.write("password.reset", |tx| Box::pin(reset(tx))).await?
    }

    /// Takes another address for an account, to which a code was sent. Those that it had before are told.
    ///
    /// # Errors
    /// [`IdentityError::StepUpRequired`], [`IdentityError::CodeWrong`], [`IdentityError::ContactTaken`],
    /// [`IdentityError::TooMany`]; storage, keyring.
    pub async fn contact_change(
        &self,
        session: &Session,
        contact: &Contact,
        code: &SecretString,
        origin: &Origin,
    ) -> Result<(), IdentityError> {
        if !session.stepped_up(self.clock.now()) {
            return Err(IdentityError::StepUpRequired);
        }
        let counted = &self.guess(&self.contact_lookup(contact), origin.address);
        let change = async |tx: &mut WriteTx<'_>| -> Tried<()> {
            self.count_in_tx(tx, counted).await?;
            if !self.code_take_in_tx(tx, CodePurpose::ContactChange, contact, code, origin.address).await? {
                return Ok(Err(IdentityError::CodeWrong));
            }
            self.guessed_right_in_tx(tx, counted).await?;
            self.session_must_go_on_in_tx(tx, session).await?;
            let held = self.contacts_of_in_tx(tx, session.account).await?;
            self.contact_put_in_tx(tx, session.account, contact).await?;
            let before: Vec<_> = held.into_iter().map(|held| held.contact).filter(|held| held != contact).collect();
            let changed = Notice::Changed(contact.kind().into());
            self.tell_at_in_tx(tx, (session.account, &before), changed).await?;
            Ok(Ok(()))
        };
        let change = &change;
        self.db.write("contact.change", |tx| Box::pin(change(tx))).await?
    }

    pub(crate) async fn signed_in_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        account: AccountId,
        method: Method,
        counted: &[Counted],
        origin: &Origin,
    ) -> Result<SignedIn, IdentityError> {
        let found = self.account_by_id_in_tx(tx, account).await?;
        if !found.is_some_and(|account| account.enabled) {
            return Err(IdentityError::AccountDisabled);
        }
        self.guessed_right_in_tx(tx, counted).await?;
        let complete = !self.second_factor_set_in_tx(tx, account).await?;
        let new_device = if complete { self.device_seen_in_tx(tx, account, origin).await? } else { None };
        let (token, session) = self.session_open_in_tx(tx, account, method, complete, origin).await?;
        if new_device.is_some() {
            self.tell_in_tx(tx, account, Notice::NewDevice(&session)).await?;
        }
        Ok(SignedIn { token, session, new_device })
    }

    pub(crate) async fn complete_session_in_tx(
        &self,
        tx: &mut ReadTx<'_>,
        token: &SecretString,
    ) -> Result<Session, IdentityError> {
        let session = self.session_by_token_in_tx(tx, token).await?;
        if session.complete { Ok(session) } else { Err(IdentityError::SessionGone) }
    }

    /// Guesses at what belongs to somebody who is signed in count for the account itself.
    pub(crate) fn guess_of(&self, session: &Session, origin: &Origin) -> [Counted; 3] {
        let mut target = [0; 32];
        for (to, from) in target.iter_mut().zip(session.account.0.as_bytes()) {
            *to = *from;
        }
        self.guess(&target, origin.address)
    }
}

//! Identities of third parties: who signs in with a provider is known here by what that provider calls them, never by an
//! e-mail address that it tells. Such an identity belongs to one account; it is linked by who is signed in there, or by
//! who registers with it.

mod model;
pub(crate) mod store;

pub use model::{Arrived, Begun, LinkedIdentity, Stranger};
pub(crate) use store::STATEMENTS;

use crate::accounts::opened;
use crate::ceremonies::{Beginning, CEREMONY_LIFE, Purpose, random_token};
use crate::notices::{Notice, Part};
use crate::sessions::{Method, Origin, Session};
use crate::{Identity, IdentityError};
use model::Kept;
use secrecy::{ExposeSecret, SecretString};
use store::IdentityRow;
use tacit_kernel::Personal;
use tacit_kernel::ids::{AccountId, LinkedIdentityId};
use tacit_storage::{Page, Paged, ReadTx, StorageErrorKind, WriteTx};
use tacit_vault::{Aad, SealKey, keyed_hash};

const LABEL: &str = "linked-identity";
/// Identities of one account at most.
const MOST: u64 = 20;

fn aad(column: &'static str, id: LinkedIdentityId) -> Aad<'static> {
    Aad { table: "linked_identities", column, row: id.0 }
}

/// How a flow at a provider that was begun is told from others.
pub struct Flow {
    /// What comes back from the provider.
    pub state: SecretString,
    /// What the cookie of the browser says.
    pub browser: SecretString,
}

impl Identity {
    /// Whether somebody may begin to sign in with a provider, or to link what they have there. It counts, and comes before the
    /// provider is asked anything.
    ///
    /// # Errors
    /// [`IdentityError::TooMany`], [`IdentityError::StepUpRequired`]; storage.
    pub async fn identity_may_begin(&self, linking: Option<&Session>, origin: &Origin) -> Result<(), IdentityError> {
        if linking.is_some_and(|session| !session.stepped_up(self.clock.now())) {
            return Err(IdentityError::StepUpRequired);
        }
        let counted = &self.beginning(origin.address);
        self.db.write("identity.may_begin", |tx| Box::pin(self.count_in_tx(tx, counted))).await
    }

    /// Begins to sign in with a provider, or, if somebody is signed in, to link what they have there, which was counted
    /// ([`Self::identity_may_begin`]). `begun` is kept until they come back.
    ///
    /// # Errors
    /// [`IdentityError::StepUpRequired`]; storage.
    pub async fn identity_begin(
        &self,
        flow: &Flow,
        begun: &Begun,
        linking: Option<&Session>,
    ) -> Result<(), IdentityError> {
        if linking.is_some_and(|session| !session.stepped_up(self.clock.now())) {
            return Err(IdentityError::StepUpRequired);
        }
        let account = linking.map(|session| session.account);
        let put =
            async |tx: &mut WriteTx<'_>| self.ceremony_put_in_tx(tx, &flow.state, &flow_of(flow, account), begun).await;
        let put = &put;
        self.db.write("identity.begin", |tx| Box::pin(put(tx))).await
    }

    /// Somebody came back from a provider: what was begun, which is used up. It counts as a try until it has succeeded.
    ///
    /// # Errors
    /// [`IdentityError::SignInLost`], [`IdentityError::TooMany`], [`IdentityError::StepUpRequired`]; storage.
    pub async fn identity_returned(
        &self,
        flow: &Flow,
        linking: Option<&Session>,
        origin: &Origin,
    ) -> Result<Begun, IdentityError> {
        if linking.is_some_and(|session| !session.stepped_up(self.clock.now())) {
            return Err(IdentityError::StepUpRequired);
        }
        let (counted, account) = (&self.guess_at_code(origin.address), linking.map(|session| session.account));
        let take = async |tx: &mut WriteTx<'_>| {
            self.count_in_tx(tx, counted).await?;
            self.ceremony_take_in_tx::<Begun>(tx, &flow.state, &flow_of(flow, account)).await
        };
        let take = &take;
        let taken = self.db.write("identity.returned", |tx| Box::pin(take(tx))).await?;
        taken.ok_or(IdentityError::SignInLost)
    }

    /// Signs in whom a provider has told of; who is not known here gets a ticket to register with, good in this browser.
    ///
    /// # Errors
    /// [`IdentityError::AccountDisabled`]; storage, keyring.
    pub async fn identity_arrived(
        &self,
        stranger: &Stranger,
        browser: &SecretString,
        origin: &Origin,
    ) -> Result<Arrived, IdentityError> {
        let counted = &self.guess_at_code(origin.address);
        let (ticket, expires_at) = (random_token(), self.clock.now().plus_micros(CEREMONY_LIFE));
        let ticket = &ticket;
        let arrive = async |tx: &mut WriteTx<'_>| {
            if let Some(row) = self.identity_of_in_tx(tx, stranger).await? {
                let signed_in = self.signed_in_in_tx(tx, row.account, Method::Identity, counted, origin).await?;
                store::used(tx, row.id, self.clock.now()).await?;
                return Ok(Arrived::SignedIn(Box::new(signed_in)));
            }
            let begun = Beginning { purpose: Purpose::Registration, browser: Some(browser), account: None };
            self.ceremony_put_in_tx(tx, ticket, &begun, &Kept::of(stranger)).await?;
            self.not_tried_in_tx(tx, counted).await?;
            Ok::<_, IdentityError>(Arrived::NotKnown { ticket: ticket.clone(), expires_at })
        };
        let arrive = &arrive;
        self.db.write("identity.arrived", |tx| Box::pin(arrive(tx))).await
    }

    /// Links an identity with the account of who is signed in.
    ///
    /// # Errors
    /// [`IdentityError::StepUpRequired`], [`IdentityError::IdentityTaken`], [`IdentityError::TooMuch`]; storage, keyring.
    pub async fn identity_link(
        &self,
        session: &Session,
        stranger: &Stranger,
        origin: &Origin,
    ) -> Result<LinkedIdentity, IdentityError> {
        if !session.stepped_up(self.clock.now()) {
            return Err(IdentityError::StepUpRequired);
        }
        let counted = &self.guess_at_code(origin.address);
        let link = async |tx: &mut WriteTx<'_>| {
            self.session_must_go_on_in_tx(tx, session).await?;
            let linked = self.identity_put_in_tx(tx, session.account, stranger).await?;
            self.not_tried_in_tx(tx, counted).await?;
            self.tell_in_tx(tx, session.account, Notice::Changed(Part::Identity)).await?;
            Ok::<_, IdentityError>(linked)
        };
        let link = &link;
        self.db.write("identity.link", |tx| Box::pin(link(tx))).await
    }

    /// The stranger of a ticket, which is used up if the transaction commits.
    ///
    /// # Errors
    /// [`IdentityError::SignInLost`]; storage.
    pub(crate) async fn ticket_take_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        (ticket, browser): (&SecretString, &SecretString),
    ) -> Result<Stranger, IdentityError> {
        let wanted = Beginning { purpose: Purpose::Registration, browser: Some(browser), account: None };
        let kept = self.ceremony_take_in_tx::<Kept>(tx, ticket, &wanted).await?;
        kept.map(Stranger::from).ok_or(IdentityError::SignInLost)
    }

    /// Links an identity with an account that may have it.
    pub(crate) async fn identity_put_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        account: AccountId,
        stranger: &Stranger,
    ) -> Result<LinkedIdentity, IdentityError> {
        if self.identity_of_in_tx(tx, stranger).await?.is_some() {
            return Err(IdentityError::IdentityTaken);
        }
        if store::count(tx, account).await? >= MOST {
            return Err(IdentityError::TooMuch);
        }
        let key = self.subject_key(account).await?.ok_or(IdentityError::AccountErased)?;
        let (id, subject) = (LinkedIdentityId::fresh(), stranger.subject());
        let row = IdentityRow {
            id,
            account,
            provider: stranger.provider.clone(),
            subject_sealed: key.seal(&aad("subject_sealed", id), subject.as_bytes()),
            shown_sealed: key.seal(&aad("shown_sealed", id), stranger.shown.reveal().as_bytes()),
            linked_at: self.clock.now(),
            used_at: None,
        };
        let put = store::insert(tx, &row, &self.subject_lookup(&stranger.provider, subject)).await;
        put.map_err(|error| match error.kind {
            StorageErrorKind::Unique => IdentityError::IdentityTaken,
            _ => error.into(),
        })?;
        identity_opened(&key, row)
    }

    /// A page of what an account is linked with, oldest first.
    ///
    /// # Errors
    /// Storage, keyring.
    pub async fn identity_list(&self, account: AccountId, page: Page) -> Result<Paged<LinkedIdentity>, IdentityError> {
        let rows = self.db.read("identity.list", |tx| Box::pin(store::of_account(tx, account, page))).await?;
        let Some(key) = self.subject_key(account).await? else {
            return Ok(page.take(Vec::new(), |one: &LinkedIdentity| one.id.0));
        };
        let items = rows.into_iter().map(|row| identity_opened(&key, row)).collect::<Result<Vec<_>, _>>()?;
        Ok(page.take(items, |one| one.id.0))
    }

    /// Unlinks an identity of an account.
    ///
    /// # Errors
    /// [`IdentityError::IdentityNotFound`], [`IdentityError::WayInLast`]; storage.
    pub async fn identity_unlink(&self, account: AccountId, id: LinkedIdentityId) -> Result<(), IdentityError> {
        let unlink = async |tx: &mut WriteTx<'_>| {
            if !store::delete(tx, account, id).await? {
                return Err(IdentityError::IdentityNotFound);
            }
            self.way_in_must_stay_in_tx(tx, account).await?;
            self.tell_in_tx(tx, account, Notice::Changed(Part::Identity)).await
        };
        let unlink = &unlink;
        self.db.write("identity.unlink", |tx| Box::pin(unlink(tx))).await
    }

    /// Whether an account can still be signed in to.
    pub(crate) async fn way_in_must_stay_in_tx(
        &self,
        tx: &mut ReadTx<'_>,
        account: AccountId,
    ) -> Result<(), IdentityError> {
        let stays = self.password_kept_in_tx(tx, account).await?.is_some()
            || !self.contacts_of_in_tx(tx, account).await?.is_empty()
            || store::count(tx, account).await? > 0
            || self.passkey_count_in_tx(tx, account).await? > 0;
        if stays { Ok(()) } else { Err(IdentityError::WayInLast) }
    }

    /// By any of the names that the provider has for them.
    async fn identity_of_in_tx(
        &self,
        tx: &mut ReadTx<'_>,
        stranger: &Stranger,
    ) -> Result<Option<IdentityRow>, IdentityError> {
        for subject in stranger.subjects() {
            let lookup = self.subject_lookup(&stranger.provider, subject.reveal());
            if let Some(row) = store::by_subject(tx, &lookup).await? {
                return Ok(Some(row));
            }
        }
        Ok(None)
    }

    fn subject_lookup(&self, provider: &str, subject: &str) -> [u8; 32] {
        let said = Personal::new(format!("{provider}\n{subject}"));
        keyed_hash(&self.keys.hash_key(LABEL), LABEL, said.reveal().as_bytes())
    }
}

const fn flow_of(flow: &Flow, linking: Option<AccountId>) -> Beginning<'_> {
    Beginning {
        purpose: if linking.is_some() { Purpose::IdentityLink } else { Purpose::IdentitySignIn },
        browser: Some(&flow.browser),
        account: linking,
    }
}

impl Flow {
    /// A new one.
    #[must_use]
    pub fn fresh() -> Self {
        Self { state: random_token(), browser: random_token() }
    }

    /// The state, as it goes to the provider and comes back.
    #[must_use]
    pub fn state(&self) -> &str {
        self.state.expose_secret()
    }
}

fn identity_opened(key: &SealKey, row: IdentityRow) -> Result<LinkedIdentity, IdentityError> {
    Ok(LinkedIdentity {
        id: row.id,
        subject: opened(key, &aad("subject_sealed", row.id), &row.subject_sealed)?,
        shown: opened(key, &aad("shown_sealed", row.id), &row.shown_sealed)?,
        provider: row.provider,
        linked_at: row.linked_at,
        used_at: row.used_at,
    })
}

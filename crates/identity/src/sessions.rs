//! Who is signed in to the console, and from which device. A session is known by its token, of which only a keyed hash is
//! kept; it ends when it is idle for long, after its longest life, or when somebody ends it. The token is changed whenever
//! the session may do more than before, and when the password or the second factor is changed in it, so that one that was
//! planted or seen before is worth nothing after. To link an identity, to register a passkey or to take another address opens
//! nothing to the session that it could not do, and leaves its token.

mod model;
mod store;

pub use model::{Method, Origin, Session};
pub(crate) use store::STATEMENTS;

use crate::accounts::opened;
use crate::sign_in::SignedIn;
use crate::{Identity, IdentityError, chance};
use model::{COMPLETE_WITHIN, IDLE, LIFE, MOST, SEEN_STEP};
use secrecy::{ExposeSecret, SecretString};
use store::SessionRow;
use tacit_kernel::ids::{AccountId, SignInId};
use tacit_storage::{Page, Paged, ReadTx, WriteTx};
use tacit_vault::{Aad, SealKey, keyed_hash};

const LABEL: &str = "console-session";
/// In bytes.
const TOKEN: usize = 32;

fn aad(column: &'static str, session: SignInId) -> Aad<'static> {
    Aad { table: "console_sessions", column, row: session.0 }
}

impl Identity {
    /// Opens a session and gives its token. `complete`: nothing more has to be shown.
    pub(crate) async fn session_open_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        account: AccountId,
        method: Method,
        complete: bool,
        origin: &Origin,
    ) -> Result<(SecretString, Session), IdentityError> {
        let key = self.subject_key(account).await?.ok_or(IdentityError::AccountErased)?;
        let (id, now, token) = (SignInId::fresh(), self.clock.now(), chance::token::<TOKEN>());
        let row = SessionRow {
            id,
            account,
            method,
            complete,
            device_sealed: key.seal(&aad("device_sealed", id), origin.device.reveal().as_bytes()),
            address_sealed: key.seal(&aad("address_sealed", id), origin.address.to_canonical().to_string().as_bytes()),
            created_at: now,
            seen_at: now,
            expires_at: now.plus_micros(if complete { LIFE } else { COMPLETE_WITHIN }),
            stepped_up_at: complete.then_some(now),
        };
        store::insert(tx, &row, &self.token_hash(&token)).await?;
        store::end_oldest(tx, account, complete, MOST).await?;
        if origin.gpc {
            self.gpc_heard_in_tx(tx, account).await?;
        }
        Ok((token, self.session_opened(&key, row)?))
    }

    /// The session of that token, if it goes on and its account is enabled. That it was seen is kept to some minutes.
    ///
    /// # Errors
    /// Storage, keyring.
    pub async fn session_by_token(&self, token: &SecretString) -> Result<Option<Session>, IdentityError> {
        let (hash, now) = (self.token_hash(token), self.clock.now());
        let hash = &hash;
        let row = self.db.read("session.by_token", |tx| Box::pin(store::by_token(tx, hash))).await?;
        let Some(mut row) = row.filter(|row| row.goes_on(now)) else { return Ok(None) };
        let Some(key) = self.subject_key(row.account).await? else { return Ok(None) };
        if now.micros_since(row.seen_at) >= SEEN_STEP {
            let id = row.id;
            self.db.write("session.seen", |tx| Box::pin(store::seen(tx, id, now))).await?;
            row.seen_at = now;
        }
        self.session_opened(&key, row).map(Some)
    }

    /// A session of an account, if it goes on.
    ///
    /// # Errors
    /// Storage, keyring.
    pub async fn session_by_id(&self, account: AccountId, id: SignInId) -> Result<Option<Session>, IdentityError> {
        let row = self.db.read("session.by_id", |tx| Box::pin(store::by_id(tx, account, id))).await?;
        let Some(row) = row.filter(|row| row.goes_on(self.clock.now())) else { return Ok(None) };
        let Some(key) = self.subject_key(account).await? else { return Ok(None) };
        self.session_opened(&key, row).map(Some)
    }

    /// What is done with a session is done only while it goes on.
    pub(crate) async fn session_must_go_on_in_tx(
        &self,
        tx: &mut ReadTx<'_>,
        session: &Session,
    ) -> Result<(), IdentityError> {
        let row = store::by_id(tx, session.account, session.id).await?;
        row.filter(|row| row.goes_on(self.clock.now())).map(drop).ok_or(IdentityError::SessionGone)
    }

    /// That of a token within a write, so that what is done with it is done only while it goes on.
    pub(crate) async fn session_by_token_in_tx(
        &self,
        tx: &mut ReadTx<'_>,
        token: &SecretString,
    ) -> Result<Session, IdentityError> {
        let row = store::by_token(tx, &self.token_hash(token)).await?;
        let row = row.filter(|row| row.goes_on(self.clock.now())).ok_or(IdentityError::SessionGone)?;
        let key = self.subject_key(row.account).await?.ok_or(IdentityError::SessionGone)?;
        self.session_opened(&key, row)
    }

    /// The session may do more from now on: it gets another token, and the one before is worth nothing.
    pub(crate) async fn session_raise_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        session: &Session,
    ) -> Result<(SecretString, Session), IdentityError> {
        let (token, now) = (chance::token::<TOKEN>(), self.clock.now());
        let expires_at = if session.complete { session.expires_at } else { session.created_at.plus_micros(LIFE) };
        if !store::raise(tx, session.id, &self.token_hash(&token), (now, expires_at)).await? {
            return Err(IdentityError::SessionGone);
        }
        Ok((token, Session { complete: true, expires_at, seen_at: now, stepped_up_at: Some(now), ..session.clone() }))
    }

    /// What guards the account was changed in the session: it goes on under another token, and the one before is worth nothing.
    /// It may do neither more nor longer than before.
    pub(crate) async fn session_turn_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        session: &Session,
    ) -> Result<SignedIn, IdentityError> {
        let (token, now) = (chance::token::<TOKEN>(), self.clock.now());
        if !store::turn(tx, session.id, &self.token_hash(&token), now).await? {
            return Err(IdentityError::SessionGone);
        }
        Ok(SignedIn { token, session: Session { seen_at: now, ..session.clone() }, new_device: None })
    }

    /// A page of the sessions of an account that go on, oldest first.
    ///
    /// # Errors
    /// Storage, keyring.
    pub async fn session_list(&self, account: AccountId, page: Page) -> Result<Paged<Session>, IdentityError> {
        let now = self.clock.now();
        let rows = self.db.read("session.list", |tx| Box::pin(store::of_account(tx, account, now, page))).await?;
        let Some(key) = self.subject_key(account).await? else {
            return Ok(page.take(Vec::new(), |s: &Session| s.id.0));
        };
        let items = rows.into_iter().map(|row| self.session_opened(&key, row)).collect::<Result<Vec<_>, _>>()?;
        Ok(page.take(items, |session| session.id.0))
    }

    /// Ends a session of an account.
    ///
    /// # Errors
    /// [`IdentityError::SessionNotFound`] if the account has no such session; storage.
    pub async fn session_end(&self, account: AccountId, session: SignInId) -> Result<(), IdentityError> {
        let ended = self.db.write("session.end", |tx| Box::pin(store::end(tx, account, session))).await?;
        if ended { Ok(()) } else { Err(IdentityError::SessionNotFound) }
    }

    /// Ends all sessions of an account, but for one if it is given. How many.
    ///
    /// # Errors
    /// Storage.
    pub async fn sessions_end(&self, account: AccountId, but: Option<SignInId>) -> Result<u64, IdentityError> {
        self.db.write("session.end_all", |tx| Box::pin(self.sessions_end_in_tx(tx, account, but))).await
    }

    pub(crate) async fn sessions_end_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        account: AccountId,
        but: Option<SignInId>,
    ) -> Result<u64, IdentityError> {
        Ok(store::end_all(tx, account, but).await?)
    }

    pub(crate) async fn sessions_forget_in_tx(&self, tx: &mut WriteTx<'_>, limit: u32) -> Result<u64, IdentityError> {
        let now = self.clock.now();
        Ok(store::forget(tx, now, now.plus_micros(-IDLE), limit).await?)
    }

    fn session_opened(&self, key: &SealKey, row: SessionRow) -> Result<Session, IdentityError> {
        Ok(Session {
            id: row.id,
            account: row.account,
            method: row.method,
            complete: row.complete,
            device: opened(key, &aad("device_sealed", row.id), &row.device_sealed)?,
            address: opened(key, &aad("address_sealed", row.id), &row.address_sealed)?,
            created_at: row.created_at,
            seen_at: row.seen_at,
            expires_at: row.expires_at,
            stepped_up_at: row.stepped_up_at,
        })
    }

    fn token_hash(&self, token: &SecretString) -> [u8; 32] {
        keyed_hash(&self.keys.hash_key(LABEL), LABEL, token.expose_secret().as_bytes())
    }
}

//! The keyring's store: subject keys, in a database of their own, wrapped.
//!
//! - [`KeyStore::destroy`] makes everything sealed for a subject unreadable at once, and writes a tombstone that outlives
//!   it; [`KeyStore::turn`] makes that final: nothing that is left in the keyring, no old page of its files either, opens
//!   the destroyed key.
//! - [`KeyStore::follow`] is called at every look at the feed of changes: what another process destroyed, this one forgets.
//! - [`KeyStore::check_against`] tells whether a database is the one of this keyring, and who in it was erased since.
//! - [`KeyStore::log_to`] also writes every erasure into a file apart, from which [`KeyStore::restored`] learns what an older
//!   copy of the keyring does not know.
//! - [`KeyStore::rekey`] wraps the keyring with another master key.
//!
//! Every change is a row of transactions, each of which leaves a keyring that opens and says what is still to do: a crash
//! between two is made good by whoever goes on.

mod belonging;
mod cache;
mod erasures;
mod log;
mod masters;
mod rekey;
mod restore;
mod status;
mod store;
mod turn;

pub use erasures::{Destroyed, ErasuresHead};
pub use masters::Masters;
pub use rekey::Rekeyed;
pub use restore::Replayed;
pub use status::KeyringStatus;
pub use store::{MAIN_STATEMENTS, STATEMENTS};
pub use turn::Step;

use crate::db::Db;
use crate::tx::{ReadTx, WriteTx};
use cache::Cache;
use parking_lot::RwLock;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use tacit_kernel::{Clock, ErrorKind, Fault};
use tacit_vault::{Bunch, HashKey, Keyring, KeyringError, NoteKey, RootKey, SealKey, WrappedBunch};
use uuid::Uuid;

/// Into how many slots subjects fall, each with a bunch of its own. A turn wraps every bunch anew and every key of those
/// that lost one: with a million subjects 4,096 keys and some 250 more for each that was destroyed.
const SLOTS: u16 = 4096;

/// Gives the keys of subjects and of the platform. Keys once read stay in memory while [`KeyStore::follow`] is called.
pub struct KeyStore {
    db: Db,
    clock: Arc<dyn Clock>,
    masters: Masters,
    root: RootKey,
    platform: SealKey,
    /// Keyed hashes of erased subjects.
    tombs: HashKey,
    keyring: RwLock<Arc<Keyring>>,
    cache: Cache,
    /// Up to which tombstone the cache was told of.
    seen: AtomicI64,
    /// Where erasures are written down outside the keyring.
    log: std::sync::OnceLock<log::ErasureLog>,
    #[cfg(feature = "testing")]
    dir: std::sync::OnceLock<tempfile::TempDir>,
}

impl fmt::Debug for KeyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[keys]")
    }
}

impl KeyStore {
    /// Opens the keyring: brings its schema up to date, makes root and first epoch in an empty one, unlocks it.
    ///
    /// # Errors
    /// `keyring.master_key` if none of the master keys is the one of this keyring; storage faults.
    pub async fn open(db: Db, masters: impl Into<Masters>, clock: Arc<dyn Clock>) -> Result<Arc<Self>, Fault> {
        db.migrate_keyring(clock.now()).await?;
        Self::unlocked(db, masters.into(), clock).await
    }

    async fn unlocked(db: Db, masters: Masters, clock: Arc<dyn Clock>) -> Result<Arc<Self>, Fault> {
        let now = clock.now();
        let opened = db.write("keyring.open", |tx| Box::pin(masters.open(tx, now))).await?;
        let masters::Opened { root, keyring, pulse } = opened;
        Ok(Arc::new(Self {
            db,
            clock,
            masters,
            platform: root.seal_key("platform"),
            tombs: root.hash_key(erasures::LABEL),
            root,
            keyring: RwLock::new(Arc::new(keyring)),
            cache: Cache::default(),
            seen: AtomicI64::new(pulse.erasures),
            log: std::sync::OnceLock::new(),
            #[cfg(feature = "testing")]
            dir: std::sync::OnceLock::new(),
        }))
    }

    /// The keyring's database; for copies of it.
    #[must_use]
    pub const fn database(&self) -> &Db {
        &self.db
    }

    /// Keeps a test's directory for as long as the store lives.
    #[cfg(feature = "testing")]
    pub(crate) fn keep_dir(&self, dir: tempfile::TempDir) {
        let _ = self.dir.set(dir);
    }

    /// Makes the key of a subject; if it has one, gives that.
    ///
    /// # Errors
    /// `keyring.erased` if the subject was erased; `keyring.key` if the stored key does not open; storage faults.
    pub async fn create(&self, subject: Uuid) -> Result<SealKey, Fault> {
        let before = self.cache.before();
        let key = self.create_fleeting(subject).await?;
        self.cache.remember(before, subject, self.tomb(subject), &key);
        Ok(key)
    }

    /// [`Self::create`] for a key that is to be destroyed some day without a trace: it is not kept in the memory of this
    /// process, so that whoever destroys it, in whatever process, destroys it everywhere at that moment.
    ///
    /// # Errors
    /// As there.
    pub async fn create_fleeting(&self, subject: Uuid) -> Result<SealKey, Fault> {
        self.db.write("keyring.create", |tx| Box::pin(self.create_in(tx, subject))).await
    }

    async fn create_in(&self, tx: &mut WriteTx<'_>, subject: Uuid) -> Result<SealKey, Fault> {
        if store::erasure_there(tx, &self.tomb(subject)).await? {
            return Err(Fault::new(ErrorKind::Conflict, "keyring.erased", "who was erased gets no new key"));
        }
        if let Some((wrapped, bunch)) = store::key(tx, subject).await? {
            return self.bunch(tx, &bunch).await?.unwrap(subject, &wrapped).map_err(fault);
        }
        let slot = slot_of(subject);
        let (id, bunch) = match store::bunch_of_slot(tx, slot).await? {
            Some(found) => (found.id, self.bunch(tx, &found).await?),
            None => self.bunch_new(tx, slot).await?,
        };
        let (key, wrapped) = bunch.wrap_new(subject);
        store::key_add(tx, subject, id, wrapped, self.clock.now()).await?;
        Ok(key)
    }

    /// The key of a subject; `None` if it has none, or no longer.
    ///
    /// # Errors
    /// `keyring.key` if the stored key does not open; storage faults.
    pub async fn get(&self, subject: Uuid) -> Result<Option<SealKey>, Fault> {
        if let Some(key) = self.cache.get(subject, self.clock.now()) {
            return Ok(Some(key));
        }
        let before = self.cache.before();
        let key = self.get_fleeting(subject).await?;
        if let Some(key) = &key {
            self.cache.remember(before, subject, self.tomb(subject), key);
        }
        Ok(key)
    }

    /// [`Self::get`] for a key that was made with [`Self::create_fleeting`].
    ///
    /// # Errors
    /// As there.
    pub async fn get_fleeting(&self, subject: Uuid) -> Result<Option<SealKey>, Fault> {
        self.db
            .read("keyring.get", |tx| {
                Box::pin(async move {
                    let Some((wrapped, bunch)) = store::key(tx, subject).await? else { return Ok(None) };
                    self.bunch(tx, &bunch).await?.unwrap(subject, &wrapped).map(Some).map_err(fault)
                })
            })
            .await
    }

    /// A bunch from its wrapped form. One of an epoch that this process does not know yet makes it read the epochs again.
    async fn bunch(&self, tx: &mut ReadTx<'_>, wrapped: &WrappedBunch) -> Result<Bunch, Fault> {
        let keyring = self.keyring();
        match keyring.bunch(wrapped) {
            Ok(bunch) => Ok(bunch),
            Err(KeyringError::UnknownEpoch(_)) => self.reread(tx).await?.bunch(wrapped).map_err(fault),
            Err(error) => Err(fault(error)),
        }
    }

    /// A new bunch of a slot, under the epoch that is the newest in the database.
    async fn bunch_new(&self, tx: &mut WriteTx<'_>, slot: i64) -> Result<(i64, Bunch), Fault> {
        let newest = store::pulse(tx).await?.epochs.1;
        let mut keyring = self.keyring();
        if keyring.span().1 != newest {
            keyring = self.reread(tx).await?;
        }
        // By chance, so that two processes do not get into each other's way.
        let id = i64::try_from(rand::random::<u64>() >> 1).unwrap_or_default();
        let (bunch, wrapped) = keyring.new_bunch(id);
        store::bunch_add(tx, &wrapped, slot, self.clock.now()).await?;
        Ok((id, bunch))
    }

    fn keyring(&self) -> Arc<Keyring> {
        Arc::clone(&self.keyring.read())
    }

    /// Unlocks the epochs as they are in the database, and forgets those that are not there any more. Not within a
    /// transaction that changed them itself: it may come to nothing.
    async fn reread(&self, tx: &mut ReadTx<'_>) -> Result<Arc<Keyring>, Fault> {
        let keyring = Arc::new(self.masters.unlock(tx).await?.keyring);
        *self.keyring.write() = Arc::clone(&keyring);
        Ok(keyring)
    }

    async fn reread_now(&self) -> Result<(), Fault> {
        self.db.read("keyring.reread", |tx| Box::pin(self.reread(tx))).await.map(drop)
    }

    /// The key that seals secrets of the platform, such as provider credentials.
    #[must_use]
    pub const fn platform_key(&self) -> &SealKey {
        &self.platform
    }

    /// The hash key of that label.
    #[must_use]
    pub fn hash_key(&self, label: &str) -> HashKey {
        self.root.hash_key(label)
    }

    /// The key that signs notes under that label.
    #[must_use]
    pub fn note_key(&self, label: &str) -> NoteKey {
        self.root.note_key(label)
    }
}

/// The slot of a subject: the end of an id is chance.
fn slot_of(subject: Uuid) -> i64 {
    let [.., high, low] = *subject.as_bytes();
    i64::from(u16::from_be_bytes([high, low]) % SLOTS)
}

fn fault(error: KeyringError) -> Fault {
    match error {
        KeyringError::WrongMasterKey(_) => Fault::new(
            ErrorKind::Internal,
            "keyring.master_key",
            "the master key does not open the keyring: give the master key this keyring was made with",
        )
        .with_detail(error),
        _ => Fault::internal("keyring.key", error),
    }
}

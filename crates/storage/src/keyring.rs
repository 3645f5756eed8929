//! The keyring's store: subject keys, in a database of their own, wrapped.

use crate::db::Db;
use crate::error::StorageError;
use crate::sql::Sql;
use parking_lot::RwLock;
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use tacit_kernel::{Clock, ErrorKind, Fault};
use tacit_vault::{HashKey, Keyring, KeyringError, MasterKey, NoteKey, SealKey, WrappedKey};
use uuid::Uuid;

const EPOCHS: Sql = Sql::new("SELECT epoch, wrapped FROM keyring_epochs ORDER BY epoch");
const ADD_EPOCH: Sql = Sql::new("INSERT INTO keyring_epochs (epoch, wrapped, created_at) VALUES ($1, $2, $3)");
const ADD_KEY: Sql = Sql::new(
    "INSERT INTO subject_keys (subject, epoch, wrapped, created_at) VALUES ($1, $2, $3, $4) \
     ON CONFLICT (subject) DO NOTHING",
);
const KEY: Sql = Sql::new("SELECT epoch, wrapped FROM subject_keys WHERE subject = $1");
const DESTROY_KEY: Sql = Sql::new("DELETE FROM subject_keys WHERE subject = $1");

/// The statements of this module.
pub const STATEMENTS: &[&Sql] = &[&EPOCHS, &ADD_EPOCH, &ADD_KEY, &KEY, &DESTROY_KEY];

/// Keys kept unwrapped in memory, at most; about half a kilobyte each.
const CACHED: usize = 50_000;

/// Gives the keys of subjects and of the platform. Keys once read stay in memory.
pub struct KeyStore {
    db: Db,
    clock: Arc<dyn Clock>,
    master: MasterKey,
    platform: SealKey,
    keyring: Keyring,
    cache: RwLock<HashMap<Uuid, SealKey>>,
    #[cfg(feature = "testing")]
    dir: std::sync::OnceLock<tempfile::TempDir>,
}

impl fmt::Debug for KeyStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[keys]")
    }
}

impl KeyStore {
    /// Opens the keyring: brings its schema up to date, makes the first epoch in an empty one, unlocks it.
    ///
    /// # Errors
    /// `keyring.master_key` if the master key is not the one of this keyring; storage faults.
    pub async fn open(db: Db, master: &MasterKey, clock: Arc<dyn Clock>) -> Result<Arc<Self>, Fault> {
        let now = clock.now();
        db.migrate_keyring(now).await?;
        let epochs = db
            .write("keyring.open", |tx| {
                Box::pin(async move {
                    if tx.all(&EPOCHS, &[]).await?.is_empty() {
                        let first = Keyring::new_epoch(master, 1);
                        tx.execute(&ADD_EPOCH, &[1_i64.into(), first.into(), now.into()]).await?;
                    }
                    let rows = tx.all(&EPOCHS, &[]).await?;
                    rows.iter().map(|r| Ok::<_, StorageError>((r.get("epoch")?, r.get("wrapped")?))).collect()
                })
            })
            .await?;
        let keyring = Keyring::unlock(master, epochs).map_err(fault)?;
        Ok(Arc::new(Self {
            db,
            clock,
            master: master.clone(),
            platform: master.seal_key("platform"),
            keyring,
            cache: RwLock::default(),
            #[cfg(feature = "testing")]
            dir: std::sync::OnceLock::new(),
        }))
    }

    /// Keeps a test's directory for as long as the store lives.
    #[cfg(feature = "testing")]
    pub(crate) fn keep_dir(&self, dir: tempfile::TempDir) {
        let _ = self.dir.set(dir);
    }

    /// Makes the key of a subject; if it has one, gives that.
    ///
    /// # Errors
    /// `keyring.key` if the stored key does not open; storage faults.
    pub async fn create(&self, subject: Uuid) -> Result<SealKey, Fault> {
        let key = self.create_fleeting(subject).await?;
        self.remember(subject, &key);
        Ok(key)
    }

    /// [`Self::create`] for a key that is to be destroyed some day: it is not kept in the memory of this process, so that
    /// whoever destroys it, in whatever process, destroys it everywhere.
    ///
    /// # Errors
    /// As there.
    pub async fn create_fleeting(&self, subject: Uuid) -> Result<SealKey, Fault> {
        let (key, wrapped) = self.keyring.wrap_new(subject);
        let (wrapped, now) = (&wrapped, self.clock.now());
        let made: u64 = self
            .db
            .write("keyring.create", |tx| {
                Box::pin(async move {
                    let row = [subject.into(), wrapped.epoch.into(), wrapped.wrapped.clone().into(), now.into()];
                    tx.execute(&ADD_KEY, &row).await
                })
            })
            .await?;
        if made == 1 {
            return Ok(key);
        }
        let gone = || Fault::internal("keyring.key", "a subject key vanished while it was made");
        self.get_fleeting(subject).await?.ok_or_else(gone)
    }

    /// The key of a subject; `None` if it has none, or no longer.
    ///
    /// # Errors
    /// `keyring.key` if the stored key does not open; storage faults.
    pub async fn get(&self, subject: Uuid) -> Result<Option<SealKey>, Fault> {
        if let Some(key) = self.cache.read().get(&subject) {
            return Ok(Some(key.clone()));
        }
        let key = self.get_fleeting(subject).await?;
        if let Some(key) = &key {
            self.remember(subject, key);
        }
        Ok(key)
    }

    /// [`Self::get`] for a key that was made with [`Self::create_fleeting`].
    ///
    /// # Errors
    /// As there.
    pub async fn get_fleeting(&self, subject: Uuid) -> Result<Option<SealKey>, Fault> {
        let row =
            self.db.read("keyring.get", |tx| Box::pin(async move { tx.one(&KEY, &[subject.into()]).await })).await?;
        let Some(row) = row else { return Ok(None) };
        let wrapped = WrappedKey { epoch: row.get("epoch")?, wrapped: row.get("wrapped")? };
        self.keyring.unwrap(subject, &wrapped).map(Some).map_err(fault)
    }

    /// Destroys the key of a subject, if there is one: nothing that it sealed can be read any more. Only for keys that were
    /// made with [`Self::create_fleeting`]; another process may have the others in its memory.
    ///
    /// # Errors
    /// Storage faults.
    pub async fn destroy_fleeting(&self, subject: Uuid) -> Result<(), Fault> {
        let gone: Result<u64, StorageError> = self
            .db
            .write("keyring.destroy", |tx| Box::pin(async move { tx.execute(&DESTROY_KEY, &[subject.into()]).await }))
            .await;
        Ok(gone.map(drop)?)
    }

    /// The key that seals secrets of the platform, such as provider credentials.
    #[must_use]
    pub const fn platform_key(&self) -> &SealKey {
        &self.platform
    }

    /// The hash key of that label.
    #[must_use]
    pub fn hash_key(&self, label: &str) -> HashKey {
        self.master.hash_key(label)
    }

    /// The key that signs notes under that label.
    #[must_use]
    pub fn note_key(&self, label: &str) -> NoteKey {
        self.master.note_key(label)
    }

    fn remember(&self, subject: Uuid, key: &SealKey) {
        let mut cache = self.cache.write();
        if cache.len() >= CACHED {
            cache.clear();
        }
        cache.insert(subject, key.clone());
    }
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

//! The audit log: every change and every look at personal data by staff, as a Merkle log that anyone can check offline.
//!
//! - An entry is written **before** its effect: in a transaction of its own ([`Audit::record`]), or in the one that makes
//!   the effect ([`Audit::append`]). If it cannot be written, the effect must not happen.
//! - What the tree is made of is a commitment: a hash over the entry's canonical bytes and a random salt that is kept with
//!   the entry. Erasing a person ([`forget_subject`]) drops salt and content; the commitment stays, says nothing, and every
//!   proof still holds.
//! - Entries are numbered from 0 without gaps, in the order of commits, as the feed of changes is.
//! - A checkpoint is the signed size and root ([`Audit::checkpoint`]). One that does not continue the one before is not
//!   signed.
//!
//! The tree is that of RFC 6962, cut into tiles as C2SP tlog-tiles has them: the commitments give level 0, and a hash is
//! kept for each 256^level leaves. So an append writes one row (and seldom a second), and a root reads at most 255 hashes a
//! level.

pub mod checkpoint;
mod model;
mod nodes;
mod store;
#[cfg(test)]
mod tests;
pub mod tree;

use crate::db::Db;
use crate::error::{StorageError, StorageErrorKind};
use crate::keyring::KeyStore;
use crate::tx::{ReadTx, WriteTx};
use crate::value::Value;
use checkpoint::Checkpoint;
use std::fmt;
use std::sync::Arc;
use tacit_kernel::audit::Phase;
use tacit_kernel::ids::AccountId;
use tacit_kernel::{Clock, ErrorKind, Fault, Personal};
use tacit_vault::merkle::{self, TreeHash};
use tacit_vault::{Aad, NoteKey, NoteVerifier, SealKey};
use uuid::Uuid;

pub use model::{Actor, Content, DOMAIN, Entry, Exported, Filter, Kept, Look, NewEntry, Object, committed, content_of};
pub use store::{ForgottenEntries, STATEMENTS, due_before, forget_before, forget_subject};

/// What the name of every log of this program begins with; the rest tells its key from others.
const LABEL: &str = "tacit-audit";

/// The audit log of a platform. Cheap to clone.
#[derive(Clone)]
pub struct Audit {
    db: Db,
    keys: Arc<KeyStore>,
    clock: Arc<dyn Clock>,
    signer: NoteKey,
}

impl fmt::Debug for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.verifier().name())
    }
}

/// An entry with what is sealed in it, and the proof that it is in the log.
#[derive(Clone, Debug)]
pub struct Shown {
    /// The entry.
    pub entry: Entry,
    /// Why it was done, if that was said and is still readable.
    pub reason: Option<Personal<String>>,
    /// The actor's network address, if there was one and it is still readable.
    pub address: Option<Personal<String>>,
    /// The checkpoint that the proof leads to.
    pub checkpoint: String,
    /// The inclusion proof, from the leaf to the root (RFC 6962 section 2.1.1).
    pub proof: Vec<TreeHash>,
}

fn place(column: &'static str, seq: u64) -> Aad<'static> {
    Aad { table: "audit_entries", column, row: Uuid::from_u128(u128::from(seq)) }
}

fn opened(key: Option<&SealKey>, column: &'static str, seq: u64, sealed: Option<&[u8]>) -> Option<Personal<String>> {
    let plain = key?.open(&place(column, seq), sealed?).ok()?;
    String::from_utf8(plain.to_vec()).ok().map(Personal::new)
}

impl Audit {
    /// The log in that database; what is sealed in it is sealed with keys of that keyring.
    #[must_use]
    pub fn new(db: Db, keys: Arc<KeyStore>, clock: Arc<dyn Clock>) -> Self {
        let signer = keys.note_key(LABEL);
        Self { db, keys, clock, signer }
    }

    /// The key that checkpoints are checked with. Its name is the log's origin.
    #[must_use]
    pub const fn verifier(&self) -> &NoteVerifier {
        self.signer.verifier()
    }

    /// Appends an entry as a part of the transaction that has the effect; its number.
    ///
    /// # Errors
    /// `audit.seal` if what must be sealed cannot be, since its subject was erased; storage faults. The transaction is
    /// lost then, and with it the effect.
    pub async fn append(&self, tx: &mut WriteTx<'_>, new: &NewEntry) -> Result<u64, Fault> {
        let key = if new.reason.is_none() && new.address.is_none() { None } else { Some(self.key(new.subject).await?) };
        let seq = nodes::size(tx).await?;
        let seal = |column, plain: &Option<Personal<String>>| {
            let (key, plain) = (key.as_ref()?, plain.as_ref()?);
            Some(key.seal(&place(column, seq), plain.reveal().as_bytes()))
        };
        let kept = Kept {
            reason: seal("reason_sealed", &new.reason),
            address: seal("address_sealed", &new.address),
            ..Kept::of(seq, self.clock.now(), new)
        };
        let salt = merkle::fresh_salt();
        let commitment = committed(&salt, content_of(&kept).as_bytes());
        store::insert(tx, &kept, &salt, &commitment).await?;
        nodes::grow(tx, seq).await?;
        Ok(seq)
    }

    /// Appends an entry in a transaction of its own; when this returns, it is durable.
    ///
    /// # Errors
    /// As [`Audit::append`].
    pub async fn record(&self, new: &NewEntry) -> Result<u64, Fault> {
        self.db.write("audit.record", |tx| Box::pin(self.append(tx, new))).await
    }

    async fn key(&self, subject: Option<AccountId>) -> Result<SealKey, Fault> {
        let Some(subject) = subject else { return Ok(self.keys.platform_key().clone()) };
        self.keys.get(subject.0).await?.ok_or_else(|| {
            let message = "the person was erased: nothing more about them can be sealed";
            Fault::new(ErrorKind::Conflict, "audit.seal", message)
        })
    }

    /// How many entries there are.
    ///
    /// # Errors
    /// Storage faults.
    pub async fn size(&self) -> Result<u64, Fault> {
        Ok(self.db.read("audit.size", |tx| Box::pin(nodes::size(tx))).await?)
    }

    /// Entries, newest first, before that number if one is given; at most `limit`.
    ///
    /// # Errors
    /// Storage faults.
    pub async fn list(&self, filter: &Filter, before: Option<u64>, limit: u32) -> Result<Vec<Entry>, Fault> {
        Ok(self.db.read("audit.list", |tx| Box::pin(store::list(tx, filter, before, limit))).await?)
    }

    /// An entry by itself.
    ///
    /// # Errors
    /// Storage faults.
    pub async fn entry(&self, seq: u64) -> Result<Option<Entry>, Fault> {
        Ok(self.db.read("audit.entry", |tx| Box::pin(store::by_seq(tx, seq))).await?)
    }

    /// An entry with all that can be said about it. Whoever shows it records that first.
    ///
    /// # Errors
    /// As [`Audit::checkpoint`].
    pub async fn show(&self, seq: u64) -> Result<Option<Shown>, Fault> {
        let note = self.checkpoint().await?;
        let size = self.signed(&note)?.size;
        let found = self.db.read("audit.show", |tx| {
            Box::pin(async move {
                let Some(entry) = store::by_seq(tx, seq).await? else { return Ok(None) };
                let proof = nodes::hashes(tx, &tree::inclusion_ranges(seq, size)).await?;
                Ok::<_, StorageError>(Some((entry, proof)))
            })
        });
        let Some((entry, proof)) = found.await? else { return Ok(None) };
        let key = self.kept_key(entry.kept.subject).await?;
        let reason = opened(key.as_ref(), "reason_sealed", seq, entry.kept.reason.as_deref());
        let address = opened(key.as_ref(), "address_sealed", seq, entry.kept.address.as_deref());
        Ok(Some(Shown { entry, reason, address, checkpoint: note, proof }))
    }

    /// Looks at a person's data, newest first, before that number if one is given; at most `limit`. For that person: it
    /// tells why, and in which role, but not who.
    ///
    /// # Errors
    /// Storage faults, keyring.
    pub async fn looks(&self, subject: AccountId, before: Option<u64>, limit: u32) -> Result<Vec<Look>, Fault> {
        let rows = self.db.read("audit.looks", |tx| Box::pin(store::looks(tx, subject, before, limit))).await?;
        let mut looks = Vec::with_capacity(rows.len());
        for store::LookRow { look, reason } in rows {
            let reason = match reason {
                Some((seq, subject, sealed)) => {
                    let key = self.kept_key(subject).await?;
                    opened(key.as_ref(), "reason_sealed", seq, Some(&sealed))
                }
                None => None,
            };
            looks.push(Look { reason, ..look });
        }
        Ok(looks)
    }

    /// The key that something about that subject was sealed with, if it is still there.
    async fn kept_key(&self, subject: Option<AccountId>) -> Result<Option<SealKey>, Fault> {
        match subject {
            Some(subject) => Ok(self.keys.get(subject.0).await?),
            None => Ok(Some(self.keys.platform_key().clone())),
        }
    }

    /// Entries from that number on as they are exported, oldest first; at most `limit`.
    ///
    /// # Errors
    /// Storage faults.
    pub async fn export(&self, from: u64, limit: u32) -> Result<Vec<Exported>, Fault> {
        Ok(self.db.read("audit.export", |tx| Box::pin(store::export(tx, from, limit))).await?)
    }

    /// Numbers of erased entries from that one on, in order; at most `limit`.
    ///
    /// # Errors
    /// Storage faults.
    pub async fn erased(&self, from: u64, limit: u32) -> Result<Vec<u64>, Fault> {
        Ok(self.db.read("audit.erased", |tx| Box::pin(store::erased(tx, from, limit))).await?)
    }

    /// The proof that the log of a size is the beginning of that of another (RFC 6962 section 2.1.2).
    ///
    /// # Errors
    /// `audit.size` if the log is not that long; storage faults.
    pub async fn consistency(&self, old: u64, new: u64) -> Result<Vec<TreeHash>, Fault> {
        let ranges = tree::consistency_ranges(old, new);
        let (size, proof) = self
            .db
            .read("audit.consistency", |tx| {
                let ranges = &ranges;
                Box::pin(async move {
                    let size = nodes::size(tx).await?;
                    let proof = if new <= size { nodes::hashes(tx, ranges).await? } else { Vec::new() };
                    Ok::<_, StorageError>((size, proof))
                })
            })
            .await?;
        if old > new || new > size {
            return Err(Fault::new(ErrorKind::Invalid, "audit.size", "the audit log has not that many entries"));
        }
        Ok(proof)
    }

    /// The signed checkpoint of the log as it is; made and kept if the newest is of a smaller size. Cheap if not.
    ///
    /// # Errors
    /// `audit.rewritten` if the log is not the continuation of the newest checkpoint: somebody changed the database.
    pub async fn checkpoint(&self) -> Result<String, Fault> {
        let newest = self.db.read("audit.checkpoint", |tx| Box::pin(standing(tx)));
        let (size, kept) = newest.await?;
        match kept {
            Some((signed, note)) if signed.size == size => Ok(note),
            _ => self.db.write("audit.checkpoint", |tx| Box::pin(self.sign(tx))).await,
        }
    }

    /// The newest signed checkpoint, if there is one.
    ///
    /// # Errors
    /// Storage.
    pub async fn newest(&self) -> Result<Option<String>, Fault> {
        let newest = self.db.read("audit.newest", |tx| Box::pin(store::checkpoint_newest(tx))).await?;
        Ok(newest.map(|(_, note)| note))
    }

    async fn sign(&self, tx: &mut WriteTx<'_>) -> Result<String, Fault> {
        let (size, before) = standing(tx).await?;
        if let Some((before, note)) = before {
            // Another one was faster.
            if before.size == size {
                return Ok(note);
            }
            if before.size > size || self.signed(&note)?.root != nodes::root(tx, before.size).await? {
                return Err(Fault::internal(
                    "audit.rewritten",
                    "the audit log does not continue its newest checkpoint",
                ));
            }
        }
        let root = nodes::root(tx, size).await?;
        let checkpoint = Checkpoint { origin: self.verifier().name().to_owned(), size, root };
        let note = self.signer.sign(&checkpoint.to_string());
        store::checkpoint_insert(tx, &checkpoint, &note, self.clock.now()).await?;
        Ok(note)
    }

    /// What a checkpoint of this log says.
    fn signed(&self, note: &str) -> Result<Checkpoint, Fault> {
        Checkpoint::open(note, self.verifier()).map_err(|e| Fault::internal("audit.checkpoint", e))
    }
}

async fn standing(tx: &mut ReadTx<'_>) -> Result<(u64, Option<(Checkpoint, String)>), StorageError> {
    Ok((nodes::size(tx).await?, store::checkpoint_newest(tx).await?))
}

/// A number of the log as a value.
fn number(n: u64) -> Result<Value, StorageError> {
    i64::try_from(n)
        .map(Value::I64)
        .map_err(|_| StorageError::new(StorageErrorKind::Other, "a number of the audit log is too large"))
}

impl NewEntry {
    /// An entry that tells the outcome of this one, which has that number. The reason is not said again.
    #[must_use]
    pub fn outcome(&self, begun: u64, phase: Phase) -> Self {
        Self { phase, about: Some(begun), reason: None, ..self.clone() }
    }
}

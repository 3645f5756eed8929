//! Keys and sealing: authenticated encryption bound to the place a value rests in, keyed hashes for look-ups, the
//! keyring that wraps every subject's own key, and signed notes with the hashes of Merkle trees for the audit log. Pure: no I/O, no clock. All cryptography is aws-lc-rs.
//!
//! Key hierarchy: the master key (kept by the operator, outside the databases) wraps epoch keys and yields hash keys;
//! an epoch key wraps subject keys; a subject key seals what is about that subject. Destroying a subject's wrapped
//! key makes all of it unreadable, in every copy.

mod hash;
mod keyring;
mod master;
pub mod merkle;
mod note;
mod seal;

pub use hash::{HashKey, keyed_hash};
pub use keyring::{Keyring, KeyringError, WrappedKey};
pub use master::{BadMasterKey, MasterKey};
pub use note::{NoteError, NoteKey, NoteVerifier};
pub use seal::{Aad, SealError, SealKey};

#[cfg(test)]
mod tests;

//! Keys and sealing: authenticated encryption bound to the place a value rests in, keyed hashes for look-ups, the
//! keyring that wraps every subject's own key, and signed notes with the hashes of Merkle trees for the audit log. Pure: no I/O, no clock. All cryptography is aws-lc-rs.
//!
//! Key hierarchy: the master key (kept by the operator, outside the databases) wraps the root and the epoch keys. The root
//! yields hash keys and the platform's own; an epoch key wraps the keys of bunches, a bunch's key those of subjects; a
//! subject key seals what is about that subject. Destroying a subject's wrapped key makes all of it unreadable, in every
//! copy of the data.

mod hash;
mod keyring;
mod master;
pub mod merkle;
mod note;
mod root;
mod seal;

pub use hash::{HashKey, keyed_hash};
pub use keyring::{Bunch, Keyring, KeyringError, WrappedBunch, unwrap_root, wrap_root};
pub use master::{BadMasterKey, MasterKey};
pub use note::{NoteError, NoteKey, NoteVerifier};
pub use root::RootKey;
pub use seal::{Aad, SealError, SealKey};

#[cfg(test)]
mod tests;

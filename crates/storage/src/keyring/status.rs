//! How the keyring is.

use super::masters::Which;
use super::{KeyStore, store};
use tacit_kernel::{Fault, Timestamp};

/// How the keyring is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyringStatus {
    /// The newest epoch.
    pub epoch: i64,
    /// Whether a turn is under way.
    pub turning: bool,
    /// Bunches of keys.
    pub bunches: u64,
    /// Those of them that are to be turned still, in this turn or in one that is due.
    pub waiting: u64,
    /// Whether the bytes of what was wrapped before are gone from the files.
    pub swept: bool,
    /// Subjects that were erased.
    pub erasures: u64,
    /// Whether the next master key is known.
    pub next_known: bool,
    /// Whether it wraps the keyring already.
    pub next_wraps: bool,
    /// When the keyring got another master key last.
    pub rekeyed_at: Option<Timestamp>,
}

impl KeyStore {
    /// How the keyring is.
    ///
    /// # Errors
    /// `keyring.master_key` if the keyring was wrapped with a master key that is not known here; storage faults.
    pub async fn status(&self) -> Result<KeyringStatus, Fault> {
        self.db
            .read("keyring.status", |tx| {
                Box::pin(async move {
                    let pulse = store::pulse(tx).await?;
                    let (oldest, newest) = pulse.epochs;
                    let (bunches, waiting) = store::bunch_counts(tx, newest).await?;
                    let state = store::state(tx).await?;
                    let which = self.masters.unlock(tx).await?.which;
                    let count = |n: i64| u64::try_from(n).unwrap_or_default();
                    Ok::<_, Fault>(KeyringStatus {
                        epoch: newest,
                        turning: oldest != newest,
                        bunches: count(bunches),
                        waiting: count(waiting),
                        swept: state.as_ref().is_some_and(|state| state.swept == state.changed),
                        erasures: count(pulse.erasures),
                        next_known: self.masters.next.is_some(),
                        next_wraps: which == Which::Next,
                        rekeyed_at: state.and_then(|state| state.rekeyed_at),
                    })
                })
            })
            .await
    }
}

//! What is being asked of the control plane right now. Of two that are under way, an answer and the word that something has
//! changed, the word can arrive first: an answer that was written before the change must not be taken after it.

use super::Hash;
use parking_lot::Mutex;
use std::collections::{HashMap, HashSet};
use tacit_kernel::ids::AccountId;
use tacit_link::wire;

/// What has been named as changed since a question was asked.
#[derive(Default)]
struct Since {
    hash: Hash,
    /// Its key, or everything.
    itself: bool,
    /// Whose key it is, only the answer tells.
    accounts: HashSet<Vec<u8>>,
}

#[derive(Default)]
struct Questions {
    next: u64,
    open: HashMap<u64, Since>,
}

/// See the module.
#[derive(Default)]
pub(super) struct Asked(Mutex<Questions>);

/// A question that is under way, until this is dropped.
pub(super) struct Question<'a> {
    of: &'a Asked,
    number: u64,
}

impl Asked {
    /// Before it is sent.
    pub(super) fn ask(&self, hash: Hash) -> Question<'_> {
        let mut questions = self.0.lock();
        let number = questions.next;
        questions.next = number.wrapping_add(1);
        questions.open.insert(number, Since { hash, ..Since::default() });
        Question { of: self, number }
    }

    /// The control plane says what has changed.
    pub(super) fn changed(&self, what: &wire::Invalidate) {
        for since in self.0.lock().open.values_mut() {
            since.itself |= what.everything || what.key_hashes.iter().any(|hash| hash.as_slice() == since.hash);
            since.accounts.extend(what.accounts.iter().cloned());
        }
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.0.lock().open.is_empty()
    }
}

impl Question<'_> {
    /// Whether the answer, about a key of that account or of nobody, may be older than a change.
    pub(super) fn outdated(&self, account: Option<AccountId>) -> bool {
        self.of.0.lock().open.get(&self.number).is_none_or(|since| {
            since.itself || account.is_some_and(|id| since.accounts.contains(id.0.as_bytes().as_slice()))
        })
    }
}

impl Drop for Question<'_> {
    fn drop(&mut self) {
        self.of.0.lock().open.remove(&self.number);
    }
}

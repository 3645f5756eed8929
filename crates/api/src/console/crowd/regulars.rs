//! Tokens by which somebody was recognised lately, as a hash of this process alone. Which of them were used least lately is
//! forgotten: they are kept in two halves, and the older one goes when the newer one is full.

use parking_lot::Mutex;
use secrecy::{ExposeSecret, SecretString};
use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};

/// Tokens in one half.
const HALF: usize = 50_000;

#[derive(Default)]
struct Halves {
    newer: HashSet<u64>,
    older: HashSet<u64>,
}

/// See the module.
#[derive(Default)]
pub(super) struct Regulars {
    hashing: RandomState,
    halves: Mutex<Halves>,
}

impl Regulars {
    fn hash(&self, token: &SecretString) -> u64 {
        self.hashing.hash_one(token.expose_secret())
    }

    pub(super) fn knows(&self, token: &SecretString) -> bool {
        let hash = self.hash(token);
        let halves = self.halves.lock();
        halves.newer.contains(&hash) || halves.older.contains(&hash)
    }

    /// Somebody was recognised by it just now, or nobody was.
    pub(super) fn tell(&self, token: &SecretString, recognised: bool) {
        let hash = self.hash(token);
        let mut halves = self.halves.lock();
        if !recognised {
            halves.newer.remove(&hash);
            halves.older.remove(&hash);
            return;
        }
        if halves.newer.insert(hash) && halves.newer.len() >= HALF {
            halves.older = std::mem::take(&mut halves.newer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_known_while_it_serves_and_is_used() {
        let (regulars, token) = (Regulars::default(), |n: usize| SecretString::from(format!("token {n}")));
        assert!(!regulars.knows(&token(0)));
        regulars.tell(&token(0), true);
        assert!(regulars.knows(&token(0)));
        regulars.tell(&token(0), false);
        assert!(!regulars.knows(&token(0)), "it was ended");
        regulars.tell(&token(1), true);
        for n in 2..=2 * HALF {
            regulars.tell(&token(n), true);
            if n % HALF == 7 {
                regulars.tell(&token(2), true);
            }
        }
        assert!(!regulars.knows(&token(1)) && regulars.knows(&token(2)));
        let halves = regulars.halves.lock();
        assert!(halves.newer.len() + halves.older.len() <= 2 * HALF);
    }
}

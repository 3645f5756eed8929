//! Keyed hashes: what a value is looked up by when the value itself must not rest anywhere.

use aws_lc_rs::hmac;
use std::fmt;
use zeroize::Zeroizing;

/// The key of a keyed hash. It is never printed.
#[derive(Clone)]
pub struct HashKey {
    prepared: hmac::Key,
    bytes: Zeroizing<[u8; 32]>,
}

impl HashKey {
    /// Takes the bytes as the key.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self { prepared: hmac::Key::new(hmac::HMAC_SHA256, &bytes), bytes: Zeroizing::new(bytes) }
    }

    /// The bytes, to hand the key to another process of the platform.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.bytes
    }
}

impl fmt::Debug for HashKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[key]")
    }
}

/// HMAC-SHA-256 over `domain`, a zero byte and `data`. The domain keeps hashes of different uses apart; it holds no
/// zero byte.
#[must_use]
pub fn keyed_hash(key: &HashKey, domain: &str, data: &[u8]) -> [u8; 32] {
    let mut context = hmac::Context::with_key(&key.prepared);
    context.update(domain.as_bytes());
    context.update(&[0]);
    context.update(data);
    let mut out = [0; 32];
    for (to, from) in out.iter_mut().zip(context.sign().as_ref()) {
        *to = *from;
    }
    out
}

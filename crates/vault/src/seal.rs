//! Sealing: AES-256-GCM, bound to the table, column and row a value rests in, so that a sealed value that is moved
//! elsewhere does not open.
//!
//! Nonces are random. NIST SP 800-38D 8.3 bounds random nonces at 2^32 values a key; a key here belongs to one
//! subject and one use, which stays far below.

use aws_lc_rs::aead::{AES_256_GCM, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::{hkdf, rand};
use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;
use uuid::Uuid;
use zeroize::Zeroizing;

/// The first byte of every sealed value: which form follows.
const VERSION: u8 = 1;
const TAG_LEN: usize = 16;

/// Where a sealed value rests. It is bound to the value, not stored in it.
#[derive(Clone, Copy, Debug)]
pub struct Aad<'a> {
    /// Table.
    pub table: &'a str,
    /// Column.
    pub column: &'a str,
    /// Primary key of the row.
    pub row: Uuid,
}

impl Aad<'_> {
    /// Table, zero, column, zero, row: names hold no zero byte and the row has a fixed length, so no two places
    /// share a form.
    fn write(&self, out: &mut impl Write) -> io::Result<()> {
        out.write_all(self.table.as_bytes())?;
        out.write_all(&[0])?;
        out.write_all(self.column.as_bytes())?;
        out.write_all(&[0])?;
        out.write_all(self.row.as_bytes())
    }

    fn with_bytes<T>(&self, use_it: impl FnOnce(&[u8]) -> T) -> T {
        let mut space = [0_u8; 96];
        let mut rest: &mut [u8] = &mut space;
        if self.write(&mut rest).is_ok() {
            let used = 96 - rest.len();
            return use_it(space.get(..used).unwrap_or_default());
        }
        let mut long = Vec::new();
        // Writing to a Vec does not fail.
        let _ = self.write(&mut long);
        use_it(&long)
    }
}

/// A sealed value that does not open: wrong key, wrong place, or damaged. Which of them cannot be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a sealed value does not open: wrong key, wrong place, or damaged")]
pub struct SealError;

struct Inner {
    prepared: LessSafeKey,
    bytes: Zeroizing<[u8; 32]>,
}

/// A sealing key. Cloning is cheap; the bytes are wiped when the last clone goes. It is never printed.
#[derive(Clone)]
pub struct SealKey(Arc<Inner>);

impl SealKey {
    /// Takes the bytes as the key.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        #[expect(clippy::expect_used, reason = "AES-256 takes every key of 32 bytes; the length is in the type")]
        let key = UnboundKey::new(&AES_256_GCM, &bytes).expect("32 bytes are an AES-256 key");
        Self(Arc::new(Inner { prepared: LessSafeKey::new(key), bytes: Zeroizing::new(bytes) }))
    }

    /// A new random key.
    #[must_use]
    pub fn generate() -> Self {
        Self::from_bytes(random_bytes())
    }

    /// The bytes, to wrap the key or to hand it to another process of the platform.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.0.bytes
    }

    /// Seals a value: version byte, nonce (12), ciphertext, tag (16).
    #[must_use]
    pub fn seal(&self, aad: &Aad, plain: &[u8]) -> Vec<u8> {
        // Of a generator of this thread that the system's seeds: a nonce must not come twice, and need not be secret. To
        // ask the other one costs as much as to seal.
        let nonce: [u8; NONCE_LEN] = ::rand::random();
        let mut out = Vec::with_capacity(1 + NONCE_LEN + plain.len() + TAG_LEN);
        out.push(VERSION);
        out.extend_from_slice(&nonce);
        out.extend_from_slice(plain);
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = out.get_mut(1 + NONCE_LEN..).and_then(|text| {
            aad.with_bytes(|aad| {
                self.0.prepared.seal_in_place_separate_tag(nonce, aws_lc_rs::aead::Aad::from(aad), text).ok()
            })
        });
        #[expect(clippy::expect_used, reason = "only a value of more than 64 GiB is refused; no such value exists")]
        out.extend_from_slice(tag.expect("a value below 64 GiB").as_ref());
        out
    }

    /// Opens a sealed value.
    ///
    /// # Errors
    /// [`SealError`] if the key or the place is another one, or a bit was changed.
    pub fn open(&self, aad: &Aad, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (version, rest) = sealed.split_first().ok_or(SealError)?;
        let (nonce, text) = rest.split_at_checked(NONCE_LEN).ok_or(SealError)?;
        if *version != VERSION {
            return Err(SealError);
        }
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError)?;
        let mut plain = Zeroizing::new(text.to_vec());
        let length = aad.with_bytes(|aad| {
            let opened = self.0.prepared.open_in_place(nonce, aws_lc_rs::aead::Aad::from(aad), &mut plain);
            opened.map(|p| p.len()).map_err(|_| SealError)
        })?;
        plain.truncate(length);
        Ok(plain)
    }

    /// A key for one use, derived by HKDF-SHA-256; different labels give unrelated keys.
    #[must_use]
    pub fn derive(&self, label: &str) -> Self {
        Self::from_bytes(*derive(&self.0.bytes, b"tacit seal key", label))
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[key]")
    }
}

/// Random bytes of the operating system's generator.
pub(crate) fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    #[expect(clippy::expect_used, reason = "going on without chance would make keys and nonces guessable")]
    rand::fill(&mut bytes).expect("the system's random generator");
    bytes
}

/// HKDF-SHA-256 of a key, by purpose (the salt) and label (the info).
pub(crate) fn derive(key: &[u8; 32], purpose: &[u8], label: &str) -> Zeroizing<[u8; 32]> {
    let pseudorandom = hkdf::Salt::new(hkdf::HKDF_SHA256, purpose).extract(key);
    let mut out = Zeroizing::new([0; 32]);
    let filled =
        pseudorandom.expand(&[label.as_bytes()], hkdf::HKDF_SHA256).and_then(|okm| okm.fill(out.as_mut_slice()));
    #[expect(clippy::expect_used, reason = "HKDF refuses only more than 255 blocks; one is asked for")]
    filled.expect("one block of HKDF");
    out
}

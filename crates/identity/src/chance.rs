//! Texts made by chance: of so many random bytes.

use data_encoding::{BASE32_NOPAD, BASE64URL_NOPAD};
use rand::RngExt as _;
use secrecy::SecretString;

/// What a browser keeps or an address carries, and nobody types.
pub(crate) fn token<const BYTES: usize>() -> SecretString {
    let bytes: [u8; BYTES] = rand::rng().random();
    SecretString::from(BASE64URL_NOPAD.encode(&bytes))
}

/// What people read and type: small letters and digits.
pub(crate) fn word<const BYTES: usize>() -> String {
    let bytes: [u8; BYTES] = rand::rng().random();
    BASE32_NOPAD.encode(&bytes).to_lowercase()
}

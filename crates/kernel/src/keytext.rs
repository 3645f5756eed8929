//! The text of a key: `sk-` (models) or `tm-` (management) + 40 random characters + 6 characters of checksum, all of
//! `[0-9A-Za-z]`.
//!
//! No further dash (some peers split a key at dashes), 238 bits of chance, and a CRC-32 in the text so that a typing
//! mistake or a finding of a secret scanner is recognised without asking the database. Only a keyed hash is stored.

use rand::RngExt;
use secrecy::{ExposeSecret, SecretString};

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Both prefixes are of the same length.
const PREFIX: usize = 3;
const RANDOM: usize = 40;
const CHECK: usize = 6;

/// What a key is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// To call models.
    Model,
    /// To use the console API.
    Management,
}

impl KeyKind {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Model => "sk-",
            Self::Management => "tm-",
        }
    }
}

/// A new key for models from the given source of chance.
pub fn generate(rng: &mut impl rand::CryptoRng) -> SecretString {
    generate_for(KeyKind::Model, rng)
}

/// A new key of that kind.
pub fn generate_for(kind: KeyKind, rng: &mut impl rand::CryptoRng) -> SecretString {
    let mut text = String::with_capacity(PREFIX + RANDOM + CHECK);
    text.push_str(kind.prefix());
    for _ in 0..RANDOM {
        let digit = rng.random_range(0..ALPHABET.len());
        text.push(char::from(ALPHABET.get(digit).copied().unwrap_or(b'0')));
    }
    let check = check(text.as_bytes());
    text.extend(check.map(char::from));
    SecretString::from(text)
}

fn check(text: &[u8]) -> [u8; CHECK] {
    let mut sum = usize::try_from(crc32fast::hash(text)).unwrap_or(0);
    [(); CHECK].map(|()| {
        let digit = ALPHABET.get(sum % 62).copied().unwrap_or(b'0');
        sum /= 62;
        digit
    })
}

/// Whether the text could be a key for models; a cheap check before anything is looked up.
#[must_use]
pub fn well_formed(text: &str) -> bool {
    text.starts_with(KeyKind::Model.prefix()) && sum_is_right(text)
}

/// What the text could be a key for.
#[must_use]
pub fn kind(text: &str) -> Option<KeyKind> {
    let kind = [KeyKind::Model, KeyKind::Management].into_iter().find(|kind| text.starts_with(kind.prefix()));
    kind.filter(|_| sum_is_right(text))
}

fn sum_is_right(text: &str) -> bool {
    if text.len() != PREFIX + RANDOM + CHECK || !text.is_ascii() {
        return false;
    }
    let (said, sum) = text.as_bytes().split_at(PREFIX + RANDOM);
    check(said) == sum
}

/// What may be shown of a key after it was made: its prefix and its last four characters, which are checksum only.
#[must_use]
pub fn hint(key: &SecretString) -> String {
    let text = key.expose_secret();
    let prefix = text.get(..PREFIX).unwrap_or_default();
    format!("{prefix}…{}", text.get(text.len().saturating_sub(4)..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_typing_mistake_of_one_character_is_seen() {
        let key = generate(&mut rand::rng());
        let text = key.expose_secret();
        assert_eq!(text.len(), 49);
        assert!(well_formed(text));
        assert!(!text[3..].contains('-'));
        for at in 3..text.len() {
            let other = if text.as_bytes()[at] == b'x' { "y" } else { "x" };
            let mut wrong = text.to_owned();
            wrong.replace_range(at..=at, other);
            assert!(!well_formed(&wrong), "{at}");
        }
        let management = generate_for(KeyKind::Management, &mut rand::rng());
        assert_eq!(kind(management.expose_secret()), Some(KeyKind::Management));
        assert!(!well_formed(management.expose_secret()), "it calls no model");
        assert_eq!(kind(text), Some(KeyKind::Model));
        for bad in ["", "sk-", "sk-ü", &text[..48], &format!("{text}0")] {
            assert!(!well_formed(bad));
        }
    }
}

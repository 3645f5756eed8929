//! The text of an API key: `sk-` + 40 random characters + 6 characters of checksum, all of `[0-9A-Za-z]`.
//!
//! No further dash (some peers split a key at dashes), 238 bits of chance, and a CRC-32 in the text so that a typing
//! mistake or a finding of a secret scanner is recognised without asking the database. Only a keyed hash is stored.

use rand::RngExt;
use secrecy::{ExposeSecret, SecretString};

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const PREFIX: &str = "sk-";
const RANDOM: usize = 40;
const CHECK: usize = 6;

/// A new key from the given source of chance.
pub fn generate(rng: &mut impl rand::CryptoRng) -> SecretString {
    let mut text = String::with_capacity(PREFIX.len() + RANDOM + CHECK);
    text.push_str(PREFIX);
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

/// Whether the text could be a key of this platform; a cheap check before anything is looked up.
#[must_use]
pub fn well_formed(text: &str) -> bool {
    if text.len() != PREFIX.len() + RANDOM + CHECK || !text.starts_with(PREFIX) || !text.is_ascii() {
        return false;
    }
    let (said, sum) = text.as_bytes().split_at(PREFIX.len() + RANDOM);
    check(said) == sum
}

/// What may be shown of a key after it was made: `sk-…` and its last four characters, which are checksum only.
#[must_use]
pub fn hint(key: &SecretString) -> String {
    let text = key.expose_secret();
    format!("sk-…{}", text.get(text.len().saturating_sub(4)..).unwrap_or_default())
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
        for bad in ["", "sk-", "sk-ü", &text[..48], &format!("{text}0")] {
            assert!(!well_formed(bad));
        }
    }
}

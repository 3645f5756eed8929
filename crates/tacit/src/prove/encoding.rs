//! The forms a text can have where it is kept.

use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use std::fmt::Write as _;

/// One way to write a text down. Two ways that give the same bytes count as the first of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
pub(crate) enum Encoding {
    /// As it is.
    #[serde(rename = "utf-8")]
    Utf8,
    /// UTF-16 of either byte order.
    #[serde(rename = "utf-16")]
    Utf16,
    /// JSON with every character, or only those outside ASCII, as `\u` escapes.
    #[serde(rename = "json-escapes")]
    JsonEscapes,
    /// URL encoding of every byte, or only of those that need it.
    #[serde(rename = "percent")]
    Percent,
    /// Hexadecimal digits of either case.
    #[serde(rename = "hex")]
    Hex,
    /// Base64, standard or URL-safe, at any of its three alignments.
    #[serde(rename = "base64")]
    Base64,
}

/// No form has more bytes than this for each byte of the text: a `\u` escape of a character.
pub(super) const WIDEST: usize = 6;

/// Every form of a text, the plainest first; some may be the same bytes. The forms of a text start with the forms of
/// its beginning.
pub(super) fn forms(text: &str) -> Vec<(Encoding, Vec<u8>)> {
    let bytes = text.as_bytes();
    // Of ASCII both byte orders hold the same bytes, but for the zero at one end: without it one search does for both.
    let units: Vec<u16> = text.encode_utf16().collect();
    let mut little: Vec<u8> = units.iter().flat_map(|u| u.to_le_bytes()).collect();
    let mut big: Vec<u8> = units.iter().flat_map(|u| u.to_be_bytes()).collect();
    if text.ends_with(|c: char| c.is_ascii()) {
        little.pop();
    }
    if text.starts_with(|c: char| c.is_ascii()) {
        big.remove(0);
    }
    let mut forms = vec![(Encoding::Utf8, bytes.to_vec()), (Encoding::Utf16, little), (Encoding::Utf16, big)];
    for upper in [false, true] {
        let (mut all, mut few) = (String::new(), String::new());
        for c in text.chars() {
            let escaped = json_escape(c, upper);
            all.push_str(&escaped);
            if c.is_ascii() {
                few.push(c);
            } else {
                few.push_str(&escaped);
            }
        }
        forms.push((Encoding::JsonEscapes, all.into_bytes()));
        forms.push((Encoding::JsonEscapes, few.into_bytes()));
        let (mut all, mut few, mut hex) = (String::new(), String::new(), String::new());
        for byte in bytes {
            let digits = if upper { format!("{byte:02X}") } else { format!("{byte:02x}") };
            let _ = write!(all, "%{digits}");
            hex.push_str(&digits);
            if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) {
                few.push(char::from(*byte));
            } else {
                let _ = write!(few, "%{digits}");
            }
        }
        forms.push((Encoding::Percent, all.into_bytes()));
        forms.push((Encoding::Percent, few.into_bytes()));
        forms.push((Encoding::Hex, hex.into_bytes()));
    }
    for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
        for before in 0..3 {
            forms.push((Encoding::Base64, base64_within(&engine, bytes, before)));
        }
    }
    forms
}

fn json_escape(c: char, upper: bool) -> String {
    let mut text = String::new();
    for unit in c.encode_utf16(&mut [0; 2]) {
        let _ = if upper { write!(text, "\\u{unit:04X}") } else { write!(text, "\\u{unit:04x}") };
    }
    text
}

/// The characters of a base64 text that depend on these bytes alone, when `before` bytes (mod 3) stand before them.
fn base64_within(engine: &impl base64::Engine, bytes: &[u8], before: usize) -> Vec<u8> {
    let mut padded = vec![0; before];
    padded.extend_from_slice(bytes);
    let text = engine.encode(&padded).into_bytes();
    let start = (before * 8).div_ceil(6);
    let end = padded.len() * 8 / 6;
    text.get(start..end).map(<[u8]>::to_vec).unwrap_or_default()
}

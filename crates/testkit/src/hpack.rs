//! Texts as HPACK writes them in the head of an HTTP/2 message (RFC 7541, appendix B): packed bit by bit, so that no
//! search for bytes finds them. Only what canaries are made of: digits, lower-case letters and a few signs.

/// The code of a character and how many bits it has.
const fn code(c: u8) -> Option<(u32, u32)> {
    Some(match c {
        b'0'..=b'2' => (c as u32 - b'0' as u32, 5),
        b'a' => (0x3, 5),
        b'c' => (0x4, 5),
        b'e' => (0x5, 5),
        b'i' => (0x6, 5),
        b'o' => (0x7, 5),
        b's' => (0x8, 5),
        b't' => (0x9, 5),
        b'-' => (0x16, 6),
        b'.' => (0x17, 6),
        b'/' => (0x18, 6),
        b'3'..=b'9' => (0x19 + c as u32 - b'3' as u32, 6),
        b'_' => (0x22, 6),
        b'b' => (0x23, 6),
        b'd' => (0x24, 6),
        b'f'..=b'h' => (0x25 + c as u32 - b'f' as u32, 6),
        b'l'..=b'n' => (0x28 + c as u32 - b'l' as u32, 6),
        b'p' => (0x2b, 6),
        b'r' => (0x2c, 6),
        b'u' => (0x2d, 6),
        b'j' => (0x74, 7),
        b'k' => (0x75, 7),
        b'q' => (0x76, 7),
        b'v'..=b'z' => (0x77 + c as u32 - b'v' as u32, 7),
        _ => return None,
    })
}

/// The bytes that this text fills wholly when it begins at bit 0 to 7 of a byte: it stands in a packed text exactly
/// where one of them does. None if it has other characters or is too short to be told from chance.
#[must_use]
pub fn needles(text: &str) -> Option<Vec<Vec<u8>>> {
    let mut bits = Vec::new();
    for c in text.bytes() {
        let (code, length) = code(c)?;
        bits.extend((0..length).rev().map(|at| code >> at & 1 == 1));
    }
    let shifted = |shift: usize| -> Vec<u8> {
        let from = (8 - shift) % 8;
        let whole = bits.get(from..).unwrap_or_default().as_chunks::<8>().0;
        whole.iter().map(|byte| byte.iter().fold(0, |sum, bit| sum << 1 | u8::from(*bit))).collect()
    };
    let needles: Vec<Vec<u8>> = (0..8).map(shifted).collect();
    needles.iter().all(|needle| needle.len() >= 6).then_some(needles)
}

/// Whether a text stands in these bytes, packed.
#[must_use]
pub fn holds(bytes: &[u8], needles: &[Vec<u8>]) -> bool {
    needles.iter().any(|needle| bytes.windows(needle.len()).any(|window| window == needle))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7541, C.4.1 and C.4.3.
    #[test]
    fn the_examples_of_the_standard_are_found() {
        let host = [0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff];
        let value = [0x25, 0xa8, 0x49, 0xe9, 0x5b, 0xb8, 0xe8, 0xb4, 0xbf];
        for text in ["www.example.com", "ww.example.com", "w.example.com", ".example.com", "example.com", "xample.com"]
        {
            assert!(holds(&host, &needles(text).unwrap()), "{text}");
            assert!(!holds(&value, &needles(text).unwrap()), "{text}");
        }
        assert!(holds(&value, &needles("custom-value").unwrap()));
        assert!(!holds(&host, &needles("www.exanple.com").unwrap()));
    }

    #[test]
    fn what_is_too_short_or_not_known_is_not_searched_for() {
        assert!(needles("short").is_none());
        assert!(needles("With Capitals and spaces").is_none());
    }
}

//! Whether a number can be one: the check characters of the two national standards. A typing mistake is found at once, and
//! nobody is asked about what cannot be.

/// Weights of the first 17 places of an identity number: 2^(18-i) mod 11 (GB 11643-1999, 4; ISO 7064, MOD 11-2).
const IDENTITY_WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
const IDENTITY_CHECKS: &[u8; 11] = b"10X98765432";

/// Weights of the first 17 places of a credit code: 3^(i-1) mod 31 (GB 32100-2015, appendix B).
const CREDIT_WEIGHTS: [usize; 17] = [1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28];
/// Digits and capitals without I, O, S, V and Z, each worth its place.
const CREDIT_ALPHABET: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";

/// Whether that is the number of an identity card: a region, a birthday that is a day of the calendar, an order number, and
/// the check character.
pub(super) fn is_identity_number(number: &str) -> bool {
    let bytes = number.as_bytes();
    let Some((last, body)) = bytes.split_last().filter(|(_, body)| body.len() == IDENTITY_WEIGHTS.len()) else {
        return false;
    };
    if !body.iter().all(u8::is_ascii_digit) || !is_birthday(number.get(6..14)) {
        return false;
    }
    let sum: u32 = body.iter().zip(IDENTITY_WEIGHTS).map(|(digit, weight)| u32::from(digit - b'0') * weight).sum();
    IDENTITY_CHECKS.get((sum % 11) as usize) == Some(last)
}

fn is_birthday(text: Option<&str>) -> bool {
    let day = || {
        let text = text?;
        let part = |from: usize, to: usize| text.get(from..to)?.parse::<i16>().ok();
        let small = |part: Option<i16>| part.and_then(|part| i8::try_from(part).ok());
        let date = jiff::civil::Date::new(part(0, 4)?, small(part(4, 6))?, small(part(6, 8))?).ok()?;
        (date.year() >= 1880).then_some(())
    };
    day().is_some()
}

/// Whether that is a unified social credit code.
pub(super) fn is_credit_code(code: &str) -> bool {
    let worth: Option<Vec<usize>> =
        code.bytes().map(|byte| CREDIT_ALPHABET.iter().position(|letter| *letter == byte)).collect();
    let Some((check, body)) = worth.as_deref().and_then(<[usize]>::split_last) else { return false };
    if body.len() != CREDIT_WEIGHTS.len() {
        return false;
    }
    let sum: usize = body.iter().zip(CREDIT_WEIGHTS).map(|(worth, weight)| worth * weight).sum();
    // Where the remainder is nought, 31 is written as 0.
    (31 - sum % 31) % 31 == *check
}

/// Whether that may be the number of a passport: countries agree on no more (ICAO 9303 leaves nine places, some have more).
pub(super) fn is_passport_number(number: &str) -> bool {
    (5..=20).contains(&number.len()) && number.bytes().all(|b| b.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identity_numbers() {
        // The examples of GB 11643-1999.
        for right in ["11010519491231002X", "440524188001010014"] {
            assert!(is_identity_number(right), "{right}");
        }
        for wrong in [
            "",
            "110105194912310021",
            "110105194912310029",
            "11010519491231002x",
            "1101051949123100X2",
            "110105194913310022",
            "11010519490229002X",
            "11010519491231002",
            "११०१०५१९४९१२३१००२X",
        ] {
            assert!(!is_identity_number(wrong), "{wrong}");
        }
    }

    #[test]
    fn credit_codes() {
        // Published codes of three companies.
        for right in ["91330100799655058B", "914403001922038216", "9144030071526726XG"] {
            assert!(is_credit_code(right), "{right}");
        }
        for wrong in [
            "",
            "91330100799655058A",
            "91330100799655O58B",
            "9133010079965505B8",
            "91330100799655058",
            "913301007996550588B",
        ] {
            assert!(!is_credit_code(wrong), "{wrong}");
        }
    }

    /// One wrong character, or two that changed places, are found.
    #[test]
    fn typing_mistakes_are_found() {
        let (card, code) = ("11010519491231002X", "9144030071526726XG");
        for place in 0..18 {
            for other in ('0'..='9').chain('A'..='Z') {
                let changed = |text: &str| -> String {
                    text.chars().enumerate().map(|(i, c)| if i == place { other } else { c }).collect()
                };
                for (text, is) in [(card, is_identity_number as fn(&str) -> bool), (code, is_credit_code)] {
                    let changed = changed(text);
                    assert_eq!(is(&changed), changed == text, "{changed}");
                }
            }
        }
        for place in 0..17 {
            let swapped = |text: &str| {
                let mut bytes = text.as_bytes().to_vec();
                bytes.swap(place, place + 1);
                String::from_utf8(bytes).unwrap()
            };
            for (text, is) in [(card, is_identity_number as fn(&str) -> bool), (code, is_credit_code)] {
                let swapped = swapped(text);
                assert_eq!(is(&swapped), swapped == text, "{swapped}");
            }
        }
    }
}

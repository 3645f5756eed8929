//! Money in whole numbers. One [`Nano`] is 10⁻⁹ of the platform's settlement currency; nothing is ever a float.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// An amount in 10⁻⁹ of the settlement currency. Its text form is a decimal number (`-0.000001234`), exact both ways.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Nano(pub i64);

/// A multiplier in parts per million: `1_000_000` leaves the price as it is. Its text form is a decimal (`1.25`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ppm(pub i64);

/// A text that is not an amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadAmount {
    /// Something else than digits, one dot and a leading minus.
    #[error("not a decimal number such as 12.5")]
    Form,
    /// More digits behind the dot than can be kept exactly.
    #[error("too many decimal places: at most {0}")]
    Precision(usize),
    /// Outside the range.
    #[error("number too large")]
    Range,
}

impl Nano {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// One whole unit of the currency.
    pub const UNIT: i64 = 1_000_000_000;
    /// The largest amount.
    pub const MAX: Self = Self(i64::MAX);

    /// Sum, `None` on overflow.
    #[must_use]
    pub const fn checked_add(self, other: Self) -> Option<Self> {
        match self.0.checked_add(other.0) {
            Some(n) => Some(Self(n)),
            None => None,
        }
    }

    /// Difference, `None` on overflow.
    #[must_use]
    pub const fn checked_sub(self, other: Self) -> Option<Self> {
        match self.0.checked_sub(other.0) {
            Some(n) => Some(Self(n)),
            None => None,
        }
    }

    /// Sum, held at the ends of the range.
    #[must_use]
    pub const fn saturating_add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// Difference, held at the ends of the range.
    #[must_use]
    pub const fn saturating_sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// Parses a decimal number of at most nine places.
    ///
    /// # Errors
    /// [`BadAmount`] tells which rule was broken.
    pub fn parse(text: &str) -> Result<Self, BadAmount> {
        parse_scaled(text, 9).map(Self)
    }
}

impl Ppm {
    /// Leaves the price as it is.
    pub const ONE: Self = Self(1_000_000);

    /// Parses a decimal number of at most six places.
    ///
    /// # Errors
    /// [`BadAmount`] tells which rule was broken.
    pub fn parse(text: &str) -> Result<Self, BadAmount> {
        parse_scaled(text, 6).map(Self)
    }
}

fn parse_scaled(text: &str, places: usize) -> Result<i64, BadAmount> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if whole.is_empty() || !all_digits(whole) || !all_digits(part) || (digits.contains('.') && part.is_empty()) {
        return Err(BadAmount::Form);
    }
    if part.len() > places {
        return Err(BadAmount::Precision(places));
    }
    let sign = if negative { "-" } else { "" };
    format!("{sign}{whole}{part:0<places$}").parse().map_err(|_| BadAmount::Range)
}

fn write_scaled(f: &mut fmt::Formatter<'_>, value: i64, places: usize) -> fmt::Result {
    let scale = 10_u64.pow(u32::try_from(places).unwrap_or(0));
    let (whole, part) = (value.unsigned_abs() / scale, value.unsigned_abs() % scale);
    let sign = if value < 0 { "-" } else { "" };
    if part == 0 {
        return write!(f, "{sign}{whole}");
    }
    let digits = format!("{part:0>places$}");
    write!(f, "{sign}{whole}.{}", digits.trim_end_matches('0'))
}

impl fmt::Display for Nano {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_scaled(f, self.0, 9)
    }
}

impl fmt::Display for Ppm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_scaled(f, self.0, 6)
    }
}

macro_rules! decimal_serde {
    ($($name:ident)*) => {$(
        impl Serialize for $name {
            /// A decimal string, so that no reader makes a float of it.
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> { s.collect_str(self) }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                Self::parse(&String::deserialize(d)?).map_err(serde::de::Error::custom)
            }
        }
        impl std::str::FromStr for $name {
            type Err = BadAmount;
            fn from_str(text: &str) -> Result<Self, BadAmount> { Self::parse(text) }
        }
    )*};
}
decimal_serde!(Nano Ppm);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_form() {
        for (text, value) in [("0", 0), ("12.5", 12_500_000_000), ("-0.000000001", -1), ("0.1", 100_000_000)] {
            assert_eq!(Nano::parse(text), Ok(Nano(value)));
            assert_eq!(Nano(value).to_string(), text);
        }
        assert_eq!(Nano::parse("1.0000000001"), Err(BadAmount::Precision(9)));
        assert_eq!(Nano::parse("9223372036.854775808"), Err(BadAmount::Range));
        for bad in ["", "-", ".5", "1.", "1e3", "1,5", "+1", "--1", " 1", "１"] {
            assert_eq!(Nano::parse(bad), Err(BadAmount::Form), "{bad}");
        }
        assert_eq!(Ppm::parse("1.25"), Ok(Ppm(1_250_000)));
    }

    proptest! {
        #[test]
        fn text_form_is_exact(n in any::<i64>()) {
            prop_assert_eq!(Nano::parse(&Nano(n).to_string()), Ok(Nano(n)));
            prop_assert_eq!(Ppm::parse(&Ppm(n).to_string()), Ok(Ppm(n)));
        }
    }
}

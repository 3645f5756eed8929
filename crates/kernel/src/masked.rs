//! Personal values as lists and staff see them: enough to recognise one, too little to use it. The one place where they are
//! masked.

use crate::Personal;
use serde::{Serialize, Serializer};

/// Stands for what is left out.
const GONE: &str = "***";

/// What may be shown of a personal value. There is no way to make one but by masking, so that an answer made of these shows
/// nobody in clear; and [`Personal`] itself cannot be serialised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Masked(String);

impl Masked {
    /// A name, of a person or chosen by one: `张*`, `A***`.
    #[must_use]
    pub fn name(name: &Personal<String>) -> Self {
        let mut characters = name.reveal().chars();
        let first = characters.next();
        // A single character is the whole name.
        let first = first.filter(|_| characters.next().is_some());
        let rest = if first.is_some_and(is_han) { "*" } else { GONE };
        Self(first.into_iter().chain(rest.chars()).collect())
    }

    /// An e-mail address: `a***@example.org`.
    #[must_use]
    pub fn email(address: &Personal<String>) -> Self {
        let (local, domain) = address.reveal().rsplit_once('@').unwrap_or((address.reveal(), ""));
        let first: String = local.chars().take(1).collect();
        Self(format!("{first}{GONE}@{domain}"))
    }

    /// A phone number as E.164 has it: `+86138****1234`. The last four digits stay, the four before them go.
    #[must_use]
    pub fn phone(number: &Personal<String>) -> Self {
        let characters: Vec<char> = number.reveal().chars().collect();
        // Of what is shorter than any number nothing is shown.
        let length = characters.len();
        let (head, last) = if length < 8 { (0, length) } else { (length - 8, length - 4) };
        let shown = |range: &[char]| range.iter().collect::<String>();
        let (head, last) = (characters.get(..head).unwrap_or_default(), characters.get(last..).unwrap_or_default());
        Self(format!("{}****{}", shown(head), shown(last)))
    }

    /// What is shown.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Serialize for Masked {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(&self.0)
    }
}

/// Whether it is a Chinese character, so that the first of a name is a family name.
const fn is_han(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn personal(text: &str) -> Personal<String> {
        Personal::new(text.to_owned())
    }

    #[test]
    fn enough_to_recognise_too_little_to_use() {
        for (name, shown) in [("张伟明", "张*"), ("张三", "张*"), ("Ada Lovelace", "A***"), ("x", "***"), ("张", "***")]
        {
            assert_eq!(Masked::name(&personal(name)).as_str(), shown, "{name}");
        }
        assert_eq!(Masked::name(&personal("ada@example.org")).as_str(), "a***");
        assert_eq!(Masked::email(&personal("ada.lovelace@example.org")).as_str(), "a***@example.org");
        assert_eq!(Masked::phone(&personal("+8613800138000")).as_str(), "+86138****8000");
        assert_eq!(Masked::phone(&personal("+6591234567")).as_str(), "+65****4567");
        assert_eq!(Masked::phone(&personal("123")).as_str(), "****");
        assert_eq!(Masked::name(&personal("")).as_str(), "***");
    }

    /// That no answer can hold a personal value as it is: this does not compile if `Personal` can be serialised.
    #[test]
    fn a_personal_value_cannot_be_serialised() {
        trait Either<How> {
            fn either() {}
        }
        struct Serialised;
        impl<T: ?Sized> Either<()> for T {}
        impl<T: ?Sized + Serialize> Either<Serialised> for T {}
        // One of them holds only if there is nothing to choose between.
        <Personal<String> as Either<_>>::either();
    }
}

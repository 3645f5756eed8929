//! What a contact is, and how much of it a list may show.

use crate::IdentityError;
use email_address::EmailAddress;
use phonenumber::{Mode, country};
use std::fmt;
use std::str::FromStr as _;
use tacit_kernel::{Masked, Personal, Timestamp};

/// Longest address, in bytes (RFC 5321, 4.5.3.1.3).
const EMAIL_MAX: usize = 254;

/// What kind of contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ContactKind {
    /// An e-mail address.
    Email,
    /// A phone number that takes short messages.
    Phone,
}

impl ContactKind {
    /// Its word in the database and on the wire.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Email => "email",
            Self::Phone => "phone",
        }
    }

    /// The kind of that word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        [Self::Email, Self::Phone].into_iter().find(|kind| kind.word() == word)
    }
}

/// An e-mail address or phone number in the one form that stands for all ways to write it.
#[derive(Clone, PartialEq, Eq)]
pub struct Contact {
    kind: ContactKind,
    text: Personal<String>,
}

impl Contact {
    /// An e-mail address. Case does not matter: no provider of note tells two mailboxes apart by it, and people write it
    /// either way.
    ///
    /// # Errors
    /// [`IdentityError::ContactInvalid`].
    pub fn email(text: &str) -> Result<Self, IdentityError> {
        let text = text.trim();
        let address = EmailAddress::from_str(text).map_err(|_| IdentityError::ContactInvalid)?;
        // No display name, no quoted local part, no address literal: nobody signs up with one, and mail servers differ.
        let plain = address.to_string() == text && !text.contains(['"', '[', ' ']) && address.domain().contains('.');
        if !plain || text.len() > EMAIL_MAX {
            return Err(IdentityError::ContactInvalid);
        }
        Ok(Self { kind: ContactKind::Email, text: Personal::new(text.to_lowercase()) })
    }

    /// A phone number, as `+` and digits or as it is dialled in that country (`CN`, `US`, ISO 3166-1).
    ///
    /// # Errors
    /// [`IdentityError::ContactInvalid`], also if there can be no such number.
    pub fn phone(text: &str, home: Option<&str>) -> Result<Self, IdentityError> {
        let home: Option<country::Id> = home.and_then(|code| code.parse().ok());
        let number = phonenumber::parse(home, text.trim()).map_err(|_| IdentityError::ContactInvalid)?;
        if !number.is_valid() || number.extension().is_some() {
            return Err(IdentityError::ContactInvalid);
        }
        let text = number.format().mode(Mode::E164).to_string();
        Ok(Self { kind: ContactKind::Phone, text: Personal::new(text) })
    }

    /// One that was kept.
    pub(crate) const fn held(kind: ContactKind, text: String) -> Self {
        Self { kind, text: Personal::new(text) }
    }

    /// What kind it is.
    #[must_use]
    pub const fn kind(&self) -> ContactKind {
        self.kind
    }

    /// The address itself, to send to it or to show it to its owner.
    #[must_use]
    pub fn text(&self) -> &str {
        self.text.reveal()
    }

    /// As much as a list shows: `+86138****1234`, `a***@example.org`.
    #[must_use]
    pub fn masked(&self) -> Masked {
        match self.kind {
            ContactKind::Email => Masked::email(&self.text),
            ContactKind::Phone => Masked::phone(&self.text),
        }
    }
}

impl fmt::Debug for Contact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}]", self.kind.word())
    }
}

/// A contact of an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeldContact {
    /// What it is.
    pub contact: Contact,
    /// When it was last shown to belong to the account.
    pub verified_at: Timestamp,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_form_stands_for_all_ways_to_write_it() {
        let phones = ["+86 138 0013 8000", "138-0013-8000", "8613800138000", " 13800138000 "];
        for text in phones {
            let phone = Contact::phone(text, Some("CN")).unwrap();
            assert_eq!(phone.text(), "+8613800138000", "{text}");
        }
        assert_eq!(Contact::phone("(650) 253-0000", Some("US")).unwrap().text(), "+16502530000");
        assert_eq!(Contact::email(" Ann.Lee@Example.ORG").unwrap().text(), "ann.lee@example.org");
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in ["", "ann", "ann@", "@example.org", "ann@localhost", "Ann <ann@example.org>", "\"a b\"@example.org"]
        {
            assert!(Contact::email(text).is_err(), "{text}");
        }
        for text in
            ["ann@[127.0.0.1]", "ann@example.org\r\nBcc: all@example.org", &format!("{}@example.org", "a".repeat(250))]
        {
            assert!(Contact::email(text).is_err(), "{text}");
        }
        for text in ["", "12", "+1", "+86 138", "138001380001234567", "+8613800138000;ext=5", "call me"] {
            assert!(Contact::phone(text, Some("CN")).is_err(), "{text}");
        }
        assert!(Contact::phone("13800138000", None).is_err(), "without a country it is ambiguous");
    }

    #[test]
    fn a_list_shows_no_more_than_it_must() {
        assert_eq!(Contact::phone("13800138000", Some("CN")).unwrap().masked().as_str(), "+86138****8000");
        assert_eq!(Contact::email("ann@example.org").unwrap().masked().as_str(), "a***@example.org");
        assert_eq!(format!("{:?}", Contact::email("ann@example.org").unwrap()), "[email]");
    }
}

//! What is asked at registration, and whether what was said will do.

use crate::accounts::naming::is_address;
use crate::codes::CodePurpose;
use crate::contacts::{Contact, ContactKind};
use crate::{IdentityError, is_personal_name};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use tacit_kernel::ids::AccountId;
use tacit_kernel::{Personal, Timestamp};

/// Whether a field is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Need {
    /// Without it there is no account.
    Required,
    /// It may be left out; that changes nothing.
    Optional,
    /// It is not asked for, and refused if it comes.
    #[default]
    Off,
}

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$of])* #[serde(rename = $word)] $variant,)+ }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// Its word in the database and on the wire.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// The one of that word.
            #[must_use]
            pub fn from_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.word() == word)
            }
        }
    };
}

words! {
    /// What else may be asked (policy 01, 2.1.1).
    ProfileField {
        /// Their real name, which is not the name they sign in with.
        Name = "name",
        /// Company.
        Company = "company",
        /// Position there.
        Position = "position",
        /// Country.
        Country = "country",
        /// Region or province.
        Region = "region",
        /// City.
        City = "city",
        /// What the service is to be used for.
        UseCase = "use_case",
        /// Experience with such services.
        Experience = "experience",
        /// How they heard of it.
        Referrer = "referrer",
    }
}

words! {
    /// How old somebody says they are. Under 14 and under 18 are two bands of the law (policies YY 9 and 01 VII).
    AgeBand {
        /// Eighteen or older.
        Adult = "adult",
        /// From 14 to 17: with the consent of a guardian.
        Under18 = "under_18",
        /// Under 14: with the consent of a guardian, and what is known of them is sensitive.
        Under14 = "under_14",
    }
}

words! {
    /// In which language somebody is written to.
    Language {
        /// English.
        En = "en",
        /// Chinese.
        Zh = "zh",
    }
}

/// What an operator asks at registration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RegistrationRules {
    /// Whether anybody may register.
    pub open: bool,
    /// A name to sign in with; without one the platform makes one up.
    pub username: Need,
    /// A verified e-mail address.
    pub email: Need,
    /// A verified phone number.
    pub phone: Need,
    /// A password; without one codes are sent.
    pub password: Need,
    /// An invitation.
    pub invitation: Need,
    /// Whether minors may register, with the consent of a guardian.
    pub minors: bool,
    /// Country codes of phone numbers that codes are sent to, without the `+`; of every country if there are none.
    pub phone_countries: Vec<String>,
    /// What else is asked. What is not named is not asked.
    pub profile: BTreeMap<ProfileField, Need>,
}

impl Default for RegistrationRules {
    /// An e-mail address and nothing else.
    fn default() -> Self {
        Self {
            open: true,
            username: Need::Optional,
            email: Need::Required,
            phone: Need::Off,
            password: Need::Optional,
            invitation: Need::Optional,
            minors: true,
            phone_countries: Vec::new(),
            profile: BTreeMap::new(),
        }
    }
}

impl RegistrationRules {
    /// Whether somebody may choose that name.
    ///
    /// # Errors
    /// [`IdentityError::RegistrationField`].
    pub(crate) fn username_check(&self, name: &str) -> Result<(), IdentityError> {
        needed("username", self.username, true)?;
        if is_address(name) {
            return Err(field("username", "a name is no e-mail address and no phone number"));
        }
        Ok(())
    }

    /// Whether somebody may do without an address of that kind.
    ///
    /// # Errors
    /// [`IdentityError::RegistrationField`].
    pub(crate) fn contact_is_optional(&self, kind: ContactKind) -> Result<(), IdentityError> {
        let need = match kind {
            ContactKind::Email => self.email,
            ContactKind::Phone => self.phone,
        };
        needed(kind.word(), need, false)
    }

    /// Whether a code for that may be sent there at all, whoever asks.
    ///
    /// # Errors
    /// [`IdentityError::RegistrationClosed`], [`IdentityError::RegistrationField`].
    pub fn code_check(&self, purpose: CodePurpose, to: &Contact) -> Result<(), IdentityError> {
        match purpose {
            CodePurpose::SignIn | CodePurpose::PasswordReset | CodePurpose::StepUp | CodePurpose::Rights => {
                return Ok(());
            }
            CodePurpose::Register | CodePurpose::Guardian if !self.open => {
                return Err(IdentityError::RegistrationClosed);
            }
            CodePurpose::Guardian if !self.minors => return Err(field("age", "this service is for adults only")),
            CodePurpose::Guardian => {}
            CodePurpose::Register | CodePurpose::ContactChange => match to.kind() {
                ContactKind::Email => needed("email", self.email, true)?,
                ContactKind::Phone => needed("phone", self.phone, true)?,
            },
        }
        let of =
            |country: &String| to.text().strip_prefix('+').is_some_and(|number| number.starts_with(country.as_str()));
        if to.kind() == ContactKind::Phone && !self.phone_countries.is_empty() && !self.phone_countries.iter().any(of) {
            return Err(field("phone", "no messages are sent to numbers of that country"));
        }
        Ok(())
    }
}

/// Values of optional fields.
pub type Fields = BTreeMap<ProfileField, Personal<String>>;

/// What somebody said to become a customer.
#[derive(Clone)]
pub struct Registration {
    /// The name they chose.
    pub username: Option<Personal<String>>,
    /// The password they chose.
    pub password: Option<SecretString>,
    /// Their e-mail address and the code that was sent to it.
    pub email: Option<(Contact, SecretString)>,
    /// Their phone number and the code that was sent to it.
    pub phone: Option<(Contact, SecretString)>,
    /// What else they said.
    pub profile: Fields,
    /// How old they say they are.
    pub age: AgeBand,
    /// The guardian of a minor, who consented by the code that was sent to them.
    pub guardian: Option<(Contact, SecretString)>,
    /// The invitation.
    pub invitation: Option<SecretString>,
    /// The ticket of an identity of a third party that is to be theirs, and what the cookie of their browser says.
    pub identity: Option<(SecretString, SecretString)>,
    /// In which language they are written to.
    pub language: Language,
}

impl Registration {
    /// The codes that must be right.
    pub(super) fn codes(&self) -> Vec<(CodePurpose, &Contact, &SecretString)> {
        let own = [&self.email, &self.phone].into_iter().flatten().map(|(to, code)| (CodePurpose::Register, to, code));
        own.chain(self.guardian.iter().map(|(to, code)| (CodePurpose::Guardian, to, code))).collect()
    }
}

/// What is known of how somebody registered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// The optional fields that were given.
    pub fields: Fields,
    /// How old they said they were.
    pub age: AgeBand,
    /// In which language they are written to.
    pub language: Language,
    /// Who invited them.
    pub invited_by: Option<AccountId>,
    /// When.
    pub registered_at: Timestamp,
}

fn field(field: &'static str, message: &'static str) -> IdentityError {
    IdentityError::RegistrationField { field, message }
}

/// Whether a registration will do, but for what the database knows.
pub(super) fn check(rules: &RegistrationRules, asked: &Registration) -> Result<(), IdentityError> {
    if !rules.open {
        return Err(IdentityError::RegistrationClosed);
    }
    for (name, need, given) in [
        ("username", rules.username, asked.username.is_some()),
        ("email", rules.email, asked.email.is_some()),
        ("phone", rules.phone, asked.phone.is_some()),
        ("password", rules.password, asked.password.is_some()),
        ("invitation", rules.invitation, asked.invitation.is_some()),
    ] {
        needed(name, need, given)?;
    }
    if let Some(name) = &asked.username {
        rules.username_check(name.reveal())?;
    }
    let by_name = asked.password.is_some() && asked.username.is_some();
    if asked.email.is_none() && asked.phone.is_none() && !by_name && asked.identity.is_none() {
        return Err(field("email", "without an address and a password nobody could sign in"));
    }
    match (asked.age, &asked.guardian) {
        (AgeBand::Adult, Some(_)) => Err(field("guardian", "an adult needs no guardian")),
        (AgeBand::Adult, None) => Ok(()),
        _ if !rules.minors => Err(field("age", "this service is for adults only")),
        (_, None) => Err(field("guardian", "a minor registers with the consent of a guardian")),
        (_, Some((guardian, _))) => {
            let own = [&asked.email, &asked.phone].into_iter().flatten().any(|(contact, _)| contact == guardian);
            if own { Err(field("guardian", "the guardian's address is the guardian's own")) } else { Ok(()) }
        }
    }?;
    fields_check(rules, &asked.profile)
}

fn needed(name: &'static str, need: Need, given: bool) -> Result<(), IdentityError> {
    match (need, given) {
        (Need::Required, false) => Err(field(name, "this field is required")),
        (Need::Off, true) => Err(field(name, "this field is not asked for here")),
        _ => Ok(()),
    }
}

pub(super) fn fields_check(rules: &RegistrationRules, fields: &Fields) -> Result<(), IdentityError> {
    for one in ProfileField::ALL {
        let need = rules.profile.get(one).copied().unwrap_or_default();
        needed(one.word(), need, fields.contains_key(one))?;
    }
    match fields.iter().find(|(_, value)| !is_personal_name(value.reveal())) {
        Some((one, _)) => Err(field(one.word(), "1 to 200 bytes of text without control characters")),
        None => Ok(()),
    }
}

/// The fields as they are sealed.
pub(super) fn fields_text(fields: &Fields) -> Result<Vec<u8>, IdentityError> {
    let plain: BTreeMap<_, &str> = fields.iter().map(|(one, value)| (one, value.reveal().as_str())).collect();
    serde_json::to_vec(&plain).map_err(|_| field("profile", "it cannot be written"))
}

pub(super) fn personal(plain: BTreeMap<ProfileField, String>) -> Fields {
    plain.into_iter().map(|(one, value)| (one, Personal::new(value))).collect()
}

//! Who a provider tells of, and what is known of a flow.

use crate::sign_in::SignedIn;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tacit_kernel::ids::LinkedIdentityId;
use tacit_kernel::{Personal, Timestamp};

/// Longest name of somebody as a list shows it, in characters.
const SHOWN: usize = 100;

/// Somebody as a provider knows them.
#[derive(Clone, Debug)]
pub struct Stranger {
    /// The provider, by its id in the settings.
    pub provider: String,
    /// What it calls them for ever; the first is what is kept.
    subjects: Vec<Personal<String>>,
    /// How they know themselves there: a name or an address. It is shown to them and means nothing.
    pub shown: Personal<String>,
}

impl Stranger {
    /// Somebody whom the provider calls `subject`, and perhaps, in an older way, `also`.
    #[must_use]
    pub fn new(provider: &str, subject: String, also: Option<String>, shown: &str) -> Self {
        let shown: String = shown.chars().filter(|c| !c.is_control()).take(SHOWN).collect();
        let subjects = std::iter::once(subject).chain(also).map(Personal::new).collect();
        Self { provider: provider.to_owned(), subjects, shown: Personal::new(shown) }
    }

    pub(super) fn subject(&self) -> &str {
        self.subjects.first().map_or("", |subject| subject.reveal())
    }

    pub(super) fn subjects(&self) -> &[Personal<String>] {
        &self.subjects
    }
}

/// The same, as a ticket keeps it: sealed.
#[derive(Serialize, Deserialize)]
pub(super) struct Kept {
    provider: String,
    subjects: Vec<String>,
    shown: String,
}

impl Kept {
    pub(super) fn of(stranger: &Stranger) -> Self {
        Self {
            provider: stranger.provider.clone(),
            subjects: stranger.subjects().iter().map(|subject| subject.reveal().clone()).collect(),
            shown: stranger.shown.reveal().clone(),
        }
    }
}

impl From<Kept> for Stranger {
    fn from(kept: Kept) -> Self {
        Self {
            provider: kept.provider,
            subjects: kept.subjects.into_iter().map(Personal::new).collect(),
            shown: Personal::new(kept.shown),
        }
    }
}

/// What is kept while somebody is at a provider.
#[derive(Clone, Serialize, Deserialize)]
pub struct Begun {
    /// The provider, by its id in the settings.
    pub provider: String,
    /// What the provider must put into its word about them (OpenID Connect).
    #[serde(serialize_with = "told", deserialize_with = "read")]
    pub nonce: SecretString,
    /// What proves to the provider that who redeems the code is who asked for it (RFC 7636).
    #[serde(serialize_with = "told", deserialize_with = "read")]
    pub verifier: SecretString,
}

fn told<S: Serializer>(secret: &SecretString, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_str(secret.expose_secret())
}

fn read<'de, D: Deserializer<'de>>(d: D) -> Result<SecretString, D::Error> {
    String::deserialize(d).map(SecretString::from)
}

/// What came of signing in with a provider.
#[derive(Debug)]
pub enum Arrived {
    /// They are known here.
    SignedIn(Box<SignedIn>),
    /// They are not.
    NotKnown {
        /// To register with, once.
        ticket: SecretString,
        /// When it is void.
        expires_at: Timestamp,
    },
}

/// An identity that an account is linked with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkedIdentity {
    /// Its id.
    pub id: LinkedIdentityId,
    /// The provider, by its id in the settings.
    pub provider: String,
    /// What the provider calls them.
    pub subject: Personal<String>,
    /// How they know themselves there.
    pub shown: Personal<String>,
    /// When it was linked.
    pub linked_at: Timestamp,
    /// When it was last signed in with.
    pub used_at: Option<Timestamp>,
}

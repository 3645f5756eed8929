//! What a session is, and for how long.

use secrecy::SecretString;
use std::net::IpAddr;
use tacit_kernel::ids::{AccountId, SignInId};
use tacit_kernel::{Personal, Timestamp};

const MINUTE: i64 = 60_000_000;
const DAY: i64 = 1440 * MINUTE;
/// How long a session may be idle.
pub(super) const IDLE: i64 = 14 * DAY;
/// How long it goes on at most, however busy.
pub(super) const LIFE: i64 = 90 * DAY;
/// Within this a second factor must follow the first.
pub(super) const COMPLETE_WITHIN: i64 = 10 * MINUTE;
/// That it was seen is written no more often than this.
pub(super) const SEEN_STEP: i64 = 5 * MINUTE;
/// How long after it was shown who is there something sensitive may be done.
const STEP_UP: i64 = 10 * MINUTE;
/// Sessions of one account; with one more the oldest ends.
pub(super) const MOST: u32 = 50;
/// As much of a device's name for itself is kept, in bytes.
const DEVICE: usize = 256;

/// How somebody signed in at first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// With a password.
    Password,
    /// With a code that was sent.
    Code,
    /// With an identity of a third party.
    Identity,
    /// With a passkey.
    Passkey,
}

impl Method {
    /// Its word in the database and on the wire.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Code => "code",
            Self::Identity => "identity",
            Self::Passkey => "passkey",
        }
    }

    pub(super) fn from_word(word: &str) -> Option<Self> {
        [Self::Password, Self::Code, Self::Identity, Self::Passkey].into_iter().find(|method| method.word() == word)
    }
}

/// From where somebody comes.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The address.
    pub address: IpAddr,
    /// What the device calls itself (`User-Agent`), as far as it is kept.
    pub device: Personal<String>,
    /// What it is known by, if it was here before ([`crate::devices`]).
    pub token: Option<SecretString>,
    /// Whether it sends Global Privacy Control.
    pub gpc: bool,
}

impl Origin {
    /// Somebody at that address with a device that calls itself so.
    #[must_use]
    pub fn new(address: IpAddr, device: &str) -> Self {
        let printable: String = device.chars().filter(|c| !c.is_control()).collect();
        let (mut kept, mut length) = (String::new(), 0);
        for c in printable.chars() {
            length += c.len_utf8();
            if length > DEVICE {
                break;
            }
            kept.push(c);
        }
        Self { address, device: Personal::new(kept), token: None, gpc: false }
    }

    /// The same, with what the device is known by.
    #[must_use]
    pub fn known_by(self, token: Option<SecretString>) -> Self {
        Self { token, ..self }
    }

    /// The same, from a browser that sends Global Privacy Control or not.
    #[must_use]
    pub fn with_gpc(self, gpc: bool) -> Self {
        Self { gpc, ..self }
    }
}

/// Somebody signed in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Its id. It is no secret: the token is.
    pub id: SignInId,
    /// Who.
    pub account: AccountId,
    /// How they signed in at first.
    pub method: Method,
    /// Whether nothing more has to be shown. An incomplete one may only be completed.
    pub complete: bool,
    /// What the device calls itself.
    pub device: Personal<String>,
    /// From which address it was opened.
    pub address: Personal<String>,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When it was last used, to some minutes.
    pub seen_at: Timestamp,
    /// When it ends at the latest.
    pub expires_at: Timestamp,
    /// When it was last shown who is there.
    pub stepped_up_at: Option<Timestamp>,
}

impl Session {
    /// Whether something sensitive may be done now.
    #[must_use]
    pub fn stepped_up(&self, now: Timestamp) -> bool {
        self.complete && self.stepped_up_at.is_some_and(|at| now.micros_since(at) < STEP_UP)
    }
}

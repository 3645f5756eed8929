//! Typed identifiers: UUIDv7 inside, shown as a TypeID (<https://github.com/jetify-com/typeid>, spec 0.3) such as
//! `acct_01h455vb4pex5vsknk084sn02q`, so that an id tells what it names and sorts by age.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use uuid::Uuid;

/// Crockford's alphabet in lower case, as the TypeID specification asks.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

fn encode(uuid: Uuid, out: &mut String) {
    let bits = uuid.as_u128();
    for place in (0..26).rev() {
        let digit = usize::try_from((bits >> (place * 5)) & 31).unwrap_or(0);
        out.push(char::from(ALPHABET.get(digit).copied().unwrap_or(b'0')));
    }
}

fn decode(text: &str) -> Option<Uuid> {
    if text.len() != 26 || text.as_bytes().first().is_none_or(|b| *b > b'7') {
        return None;
    }
    let mut bits: u128 = 0;
    for byte in text.bytes() {
        let digit = ALPHABET.iter().position(|a| *a == byte)?;
        bits = (bits << 5) | u128::try_from(digit).ok()?;
    }
    Some(Uuid::from_u128(bits))
}

/// A fresh UUIDv7; the one place where ids are made.
#[must_use]
pub fn fresh() -> Uuid {
    #[expect(clippy::disallowed_methods, reason = "the one place")]
    Uuid::now_v7()
}

/// The first id that can be made at that moment: all that were made before are less.
#[must_use]
pub fn first_at(at: crate::Timestamp) -> Uuid {
    let millis = u128::try_from(at.0.max(0) / 1000).unwrap_or_default();
    // Version 7 and its variant, and nothing by chance.
    Uuid::from_u128((millis << 80) | (7 << 76) | (2 << 62))
}

/// An id of the kind with that prefix, as it is shown.
#[must_use]
pub fn typed(prefix: &str, uuid: Uuid) -> String {
    let mut text = String::with_capacity(prefix.len() + 27);
    text.push_str(prefix);
    text.push('_');
    encode(uuid, &mut text);
    text
}

/// Parses `prefix_suffix` into its UUID.
///
/// # Errors
/// [`BadId`] if the prefix or the suffix is not right.
pub fn parse(prefix: &'static str, text: &str) -> Result<Uuid, BadId> {
    text.strip_prefix(prefix).and_then(|rest| rest.strip_prefix('_')).and_then(decode).ok_or(BadId { prefix })
}

/// A text that is not an id of the wanted kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id of the form {prefix}_ followed by 26 characters")]
pub struct BadId {
    prefix: &'static str,
}

macro_rules! define {
    ($($(#[$doc:meta])* $name:ident = $prefix:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub Uuid);

        impl $name {
            /// What its text form starts with, before the underscore.
            pub const PREFIX: &'static str = $prefix;

            /// A new one, ordered after every earlier one of this machine.
            #[must_use]
            pub fn fresh() -> Self { Self(fresh()) }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&typed($prefix, self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { fmt::Display::fmt(self, f) }
        }

        impl std::str::FromStr for $name {
            type Err = BadId;
            fn from_str(text: &str) -> Result<Self, BadId> { parse($prefix, text).map(Self) }
        }

        impl From<Uuid> for $name { fn from(uuid: Uuid) -> Self { Self(uuid) } }
        impl From<$name> for Uuid { fn from(id: $name) -> Self { id.0 } }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> { s.collect_str(self) }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

/// The one list of all kinds of ids: hands it to the macro of that name, as `Name = "prefix";` with their documentation.
/// Whoever teaches every id something new (a database how to store them, for example) is given each of them.
#[macro_export]
macro_rules! every_id {
    ($then:ident) => {
        $then! {
            /// A customer's account: the owner of keys, wallet and call records, and the data subject of both.
            AccountId = "acct";
            /// An API key.
            KeyId = "key";
            /// An invitation to register.
            InvitationId = "inv";
            /// A sign-in of an account to the console, from its beginning to its end.
            SignInId = "sess";
            /// An identity of a third party that an account is linked with.
            LinkedIdentityId = "ident";
            /// A passkey.
            PasskeyId = "pkey";
            /// A key with which a program uses the console API.
            ManagementKeyId = "mkey";
            /// A staff role of the operator's own.
            RoleId = "role";
            /// A project of an organisation.
            ProjectId = "proj";
            /// An invitation to become a member of an organisation.
            MemberInvitationId = "minv";
            /// A pricing group of accounts.
            GroupId = "grp";
            /// A model provider.
            ProviderId = "prov";
            /// A channel: one way to a provider.
            ChannelId = "chan";
            /// A provider credential of a channel.
            CredentialId = "cred";
            /// A model as registered here.
            ModelId = "model";
            /// One version of a model's price.
            PriceId = "price";
            /// A call through the gateway; also its log id.
            CallId = "call";
            /// One run of a gateway process.
            SessionId = "gws";
            /// An event of a call that was set aside.
            EventId = "evt";
            /// A transaction of the ledger.
            TransactionId = "txn";
            /// An account of the ledger.
            LedgerAccountId = "lacc";
            /// A message to a person, by e-mail or SMS.
            MessageId = "msg";
            /// A case in which somebody shows who they are.
            VerificationId = "vrf";
            /// A run over a class of retention.
            RetentionRunId = "rrun";
            /// A legal hold.
            LegalHoldId = "hold";
            /// What somebody decided about the use of their data.
            ChoiceId = "chc";
            /// A request of somebody about their data.
            RightsRequestId = "rreq";
            /// An erasure of an account, and its receipt.
            ErasureId = "ers";
            /// Who receives data.
            RecipientId = "rcpt";
            /// What was sent of somebody to a provider in a year.
            TransferId = "xfer";
            /// Word of an erasure to a recipient of data.
            ErasureNoticeId = "enot";
            /// A disclosure of somebody's data to an authority.
            DisclosureId = "disc";
            /// An incident.
            IncidentId = "inc";
            /// A part of whom an incident concerns.
            IncidentCriterionId = "incc";
            /// A time within which somebody must be told of an incident.
            IncidentClockId = "clk";
        }
    };
}

every_id!(define);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_told_apart_by_when_they_were_made() {
        use crate::{Clock as _, SystemClock, Timestamp};
        let before = SystemClock.now();
        let made = fresh();
        let later = Timestamp(SystemClock.now().0 + 1_000);
        assert!(first_at(before) <= made && made < first_at(later), "{made}");
        assert_eq!(first_at(before).get_version_num(), 7);
        assert!(first_at(Timestamp(-1)) < first_at(Timestamp(1_000)));
    }

    #[test]
    fn typeid_vectors_of_the_specification() {
        let cases = [
            ("00000000000000000000000000", "00000000-0000-0000-0000-000000000000"),
            ("00000000000000000000000001", "00000000-0000-0000-0000-000000000001"),
            ("0000000000000000000000000a", "00000000-0000-0000-0000-00000000000a"),
            ("00000000000000000000000010", "00000000-0000-0000-0000-000000000020"),
            ("7zzzzzzzzzzzzzzzzzzzzzzzzz", "ffffffff-ffff-ffff-ffff-ffffffffffff"),
            ("01h455vb4pex5vsknk084sn02q", "01890a5d-ac96-774b-bcce-b302099a8057"),
        ];
        for (suffix, uuid) in cases {
            let id = AccountId(uuid.parse().unwrap());
            assert_eq!(id.to_string(), format!("acct_{suffix}"));
            assert_eq!(format!("acct_{suffix}").parse::<AccountId>().unwrap(), id);
        }
        for bad in ["8zzzzzzzzzzzzzzzzzzzzzzzzz", "01h455vb4pex5vsknk084sn02", "01H455VB4PEX5VSKNK084SN02Q", "ual0"] {
            assert!(format!("acct_{bad}").parse::<AccountId>().is_err(), "{bad}");
        }
        assert!("key_01h455vb4pex5vsknk084sn02q".parse::<AccountId>().is_err());
    }
}

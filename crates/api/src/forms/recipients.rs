//! Recipients of data on the wire, for the admin socket and the console.

use super::{Moment, Status};
use serde::{Deserialize, Deserializer, Serialize};
use std::collections::BTreeSet;
use tacit_kernel::Timestamp;
use tacit_kernel::datamap::Purpose;
use tacit_kernel::ids::RecipientId;
use tacit_privacy::recipients::{self, RecipientSpec, Unregistered};
use utoipa::ToSchema;

pub use tacit_privacy::recipients::{Kind, Role, Trains};

/// A recipient to enter into the register.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRecipient {
    /// Its name, which no other has.
    pub name: String,
    /// What it does: `model_provider`, `mail`, `sms`, `identity_agency`, `identity_provider`, `hosting`, `payment`, `adviser` or
    /// `other`.
    #[schema(value_type = String)]
    pub kind: Kind,
    /// For whom it decides: `processor` or `controller`.
    #[schema(value_type = String)]
    pub role: Role,
    /// Where it is: two letters of ISO 3166-1.
    pub country: String,
    /// What for it receives data: purposes of the data map.
    #[schema(value_type = Vec<String>)]
    pub purposes: BTreeSet<Purpose>,
    /// Since when there is a contract.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract_at: Option<Moment>,
    /// Days for which it keeps what it receives; left out, that is not known. Needs evidence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 36500)]
    pub retention_days: Option<u32>,
    /// Whether it trains models with it: `yes`, `no` or `unknown`. `no` needs evidence.
    #[serde(default = "unknown")]
    #[schema(value_type = String)]
    pub trains: Trains,
    /// Where it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence_url: Option<String>,
    /// When somebody looked there last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checked_at: Option<Moment>,
    /// Where people write to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
    /// Where it is told that somebody is erased: an address that begins with `https://`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dsr_endpoint: Option<String>,
}

/// What to change; what is not given stays, and `null` takes away what may be missing.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RecipientPatch {
    /// Another name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// What it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub kind: Option<Kind>,
    /// For whom it decides.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub role: Option<Role>,
    /// Where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// What for it receives data.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<String>>)]
    pub purposes: Option<BTreeSet<Purpose>>,
    /// Since when there is a contract.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schema(value_type = Option<Moment>)]
    pub contract_at: Option<Option<Moment>>,
    /// Days for which it keeps what it receives.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schema(value_type = Option<u32>, minimum = 0, maximum = 36500)]
    pub retention_days: Option<Option<u32>>,
    /// Whether it trains models with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub trains: Option<Trains>,
    /// Where it says so.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    pub evidence_url: Option<Option<String>>,
    /// When somebody looked there last.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schema(value_type = Option<Moment>)]
    pub checked_at: Option<Option<Moment>>,
    /// Where people write to.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    pub contact: Option<Option<String>>,
    /// Where it is told that somebody is erased.
    #[serde(skip_serializing_if = "Option::is_none", deserialize_with = "given")]
    #[schema(value_type = Option<String>)]
    pub dsr_endpoint: Option<Option<String>>,
    /// Whether data goes there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
}

/// A recipient.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Recipient {
    /// Its id.
    #[schema(value_type = String)]
    pub id: RecipientId,
    /// Its name.
    pub name: String,
    /// What it does.
    #[schema(value_type = String)]
    pub kind: Kind,
    /// For whom it decides.
    #[schema(value_type = String)]
    pub role: Role,
    /// Where it is.
    pub country: String,
    /// What for it receives data.
    #[schema(value_type = Vec<String>)]
    pub purposes: BTreeSet<Purpose>,
    /// Since when there is a contract.
    pub contract_at: Option<Moment>,
    /// Days for which it says that it keeps what it receives; `null`: not known.
    pub retention_days: Option<u32>,
    /// Whether it says that it trains models with it.
    #[schema(value_type = String)]
    pub trains: Trains,
    /// Where it says so.
    pub evidence_url: Option<String>,
    /// When somebody looked there last.
    pub checked_at: Option<Moment>,
    /// Where people write to.
    pub contact: Option<String>,
    /// Where it is told that somebody is erased.
    pub dsr_endpoint: Option<String>,
    /// Whether data goes there.
    pub status: Status,
    /// When it was entered.
    pub created_at: Moment,
    /// When it last changed.
    pub updated_at: Moment,
}

/// A recipient with what is taken to be so of it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RecipientState {
    /// What the register says.
    #[serde(flatten)]
    pub recipient: Recipient,
    /// What is taken to be so now: what was not checked within 90 days, or is not known, counts as kept without end and trained
    /// with.
    pub assumed: AssumedFacts,
}

/// What is taken to be so.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
pub struct AssumedFacts {
    /// Days for which it keeps what it receives; `null`: without end.
    pub retention_days: Option<u32>,
    /// Whether it trains models with it.
    pub trains: bool,
    /// Whether what it says was checked within 90 days.
    pub is_current: bool,
}

/// What is in use and stands in no entry of the register that is active.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct UnregisteredRecipients {
    /// Model providers, by name.
    pub providers: Vec<String>,
    /// What else is configured and has no entry of its kind.
    #[schema(value_type = Vec<String>)]
    pub kinds: Vec<Kind>,
}

const fn unknown() -> Trains {
    Trains::Unknown
}

/// A field that is there, though it may be `null`.
fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(d: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(d).map(Some)
}

impl From<recipients::Recipient> for Recipient {
    fn from(r: recipients::Recipient) -> Self {
        Self {
            id: r.id,
            name: r.name,
            kind: r.spec.kind,
            role: r.spec.role,
            country: r.spec.country,
            purposes: r.spec.purposes,
            contract_at: r.spec.contract_at.map(Into::into),
            retention_days: r.spec.retention_days,
            trains: r.spec.trains,
            evidence_url: r.spec.evidence_url,
            checked_at: r.spec.checked_at.map(Into::into),
            contact: r.spec.contact,
            dsr_endpoint: r.spec.dsr_endpoint,
            status: Status::of(r.spec.enabled),
            created_at: r.created_at.into(),
            updated_at: r.updated_at.into(),
        }
    }
}

impl RecipientState {
    /// As it stands now.
    pub(crate) fn of(r: recipients::Recipient, now: Timestamp) -> Self {
        let recipients::Assumed { retention_days, trains, is_current } = r.spec.assumed(now);
        Self { recipient: r.into(), assumed: AssumedFacts { retention_days, trains, is_current } }
    }
}

impl From<Unregistered> for UnregisteredRecipients {
    fn from(Unregistered { providers, kinds }: Unregistered) -> Self {
        Self { providers, kinds }
    }
}

impl NewRecipient {
    /// Its name, and what the register is told of it.
    pub(crate) fn spec(self) -> (String, RecipientSpec) {
        let spec = RecipientSpec {
            kind: self.kind,
            role: self.role,
            country: self.country,
            purposes: self.purposes,
            contract_at: self.contract_at.map(|at| at.0),
            retention_days: self.retention_days,
            trains: self.trains,
            evidence_url: self.evidence_url,
            checked_at: self.checked_at.map(|at| at.0),
            contact: self.contact,
            dsr_endpoint: self.dsr_endpoint,
            enabled: true,
        };
        (self.name, spec)
    }
}

impl RecipientPatch {
    /// Its name, and what the register is told, of what it was told before.
    pub(crate) fn on(self, old: recipients::Recipient) -> (String, RecipientSpec) {
        let (moment, name) = (|at: Option<Moment>| at.map(|at| at.0), self.name.unwrap_or(old.name));
        let old = old.spec;
        let spec = RecipientSpec {
            kind: self.kind.unwrap_or(old.kind),
            role: self.role.unwrap_or(old.role),
            country: self.country.unwrap_or(old.country),
            purposes: self.purposes.unwrap_or(old.purposes),
            contract_at: self.contract_at.map_or(old.contract_at, moment),
            retention_days: self.retention_days.unwrap_or(old.retention_days),
            trains: self.trains.unwrap_or(old.trains),
            evidence_url: self.evidence_url.unwrap_or(old.evidence_url),
            checked_at: self.checked_at.map_or(old.checked_at, moment),
            contact: self.contact.unwrap_or(old.contact),
            dsr_endpoint: self.dsr_endpoint.unwrap_or(old.dsr_endpoint),
            enabled: self.status.map_or(old.enabled, Status::enabled),
        };
        (name, spec)
    }
}

//! Small forms that several resources share on the wire, and those that the admin socket and the console share.

pub mod audit;
pub mod calls;
pub mod channels;
pub mod groups;
pub mod incidents;
pub mod messages;
pub mod models;
pub mod money;
pub mod providers;
pub mod recipients;
pub mod set_aside;
pub mod transfers;

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tacit_kernel::Timestamp;
use utoipa::{IntoParams, ToSchema};

/// A moment, written as RFC 3339 in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ToSchema)]
#[schema(value_type = String, format = DateTime)]
pub struct Moment(pub Timestamp);

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Timestamp::parse(&String::deserialize(d)?).map(Self).map_err(serde::de::Error::custom)
    }
}

impl std::fmt::Display for Moment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl From<Timestamp> for Moment {
    fn from(at: Timestamp) -> Self {
        Self(at)
    }
}

/// A secret on its way over the socket; not printable.
#[derive(Clone, Debug)]
pub struct Secret(pub SecretString);

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.0.expose_secret())
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d).map(|s| Self(SecretString::from(s)))
    }
}

/// Whether a thing is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// In use.
    Active,
    /// Kept, but out of use.
    Disabled,
}

impl Status {
    /// As a word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Disabled => "disabled",
        }
    }
}

/// One page of a list.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// What is on it.
    pub items: Vec<T>,
    /// Give this as `after` for the next page; absent on the last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub next: Option<String>,
}

/// Which page is wanted.
#[derive(Clone, Debug, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// `next` of the page before.
    #[serde(default)]
    pub after: Option<String>,
    /// At most so many, 1 to 500; 100 if not given.
    #[serde(default)]
    #[param(minimum = 0, maximum = 4294967295u32)]
    pub limit: Option<u32>,
}

impl Status {
    /// From the flag that services use.
    #[must_use]
    pub const fn of(enabled: bool) -> Self {
        if enabled { Self::Active } else { Self::Disabled }
    }

    /// As the flag that services use.
    #[must_use]
    pub const fn enabled(self) -> bool {
        matches!(self, Self::Active)
    }
}

/// The page that a query asks for.
///
/// # Errors
/// `request.page` if `after` does not come from an earlier page.
pub(crate) fn page_of(after: Option<&str>, limit: Option<u32>) -> Result<tacit_storage::Page, tacit_kernel::Fault> {
    let after = after.map(str::parse).transpose().map_err(|_| not_a_next())?;
    Ok(tacit_storage::Page { after, limit: limit.unwrap_or(100) })
}

/// The place in the list of staff that a query asks for: `next` of the page before.
///
/// # Errors
/// `request.page` if it does not come from an earlier page.
pub(crate) fn staff_after(
    after: Option<&str>,
) -> Result<Option<(tacit_kernel::ids::AccountId, String)>, tacit_kernel::Fault> {
    let place = |text: &str| {
        let (account, role) = text.split_once('/')?;
        Some((account.parse().ok()?, role.to_owned()))
    };
    after.map(|text| place(text).ok_or_else(not_a_next)).transpose()
}

pub(crate) fn not_a_next() -> tacit_kernel::Fault {
    let message = "after must be the `next` of an earlier page";
    tacit_kernel::Fault::new(tacit_kernel::ErrorKind::Invalid, "request.page", message)
}

impl<T> Page<T> {
    /// From a page of a service.
    pub(crate) fn of<U>(paged: tacit_storage::Paged<U>, each: impl FnMut(U) -> T) -> Self {
        let next = paged.next.map(|id| id.to_string());
        Self { items: paged.items.into_iter().map(each).collect(), next }
    }
}

/// The page of a list that is short enough to be read as a whole, oldest first.
pub(crate) fn paged<T>(
    mut items: Vec<T>,
    page: tacit_storage::Page,
    id: impl Fn(&T) -> uuid::Uuid,
) -> tacit_storage::Paged<T> {
    items.retain(|item| page.after.is_none_or(|after| id(item) > after));
    items.sort_by_key(&id);
    items.truncate(page.size() + 1);
    page.take(items, id)
}

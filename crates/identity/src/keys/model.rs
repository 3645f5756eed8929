//! What an API key is.

use serde::{Deserialize, Serialize};
use tacit_kernel::call::CallSource;
use tacit_kernel::ids::{AccountId, GroupId, KeyId, ProjectId};
use tacit_kernel::limits::{Budget, Limits};
use tacit_kernel::{Personal, Ppm, Timestamp};
use uuid::Uuid;

/// Whose key it is within an organisation, and what for. It never changes. A person's keys belong to nobody else. One of a
/// project without a member is the project's alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Belongs {
    /// The member.
    pub member: Option<AccountId>,
    /// The project.
    pub project: Option<ProjectId>,
}

/// On whose authority somebody changes a key, from the lowest up. What is done on one cannot be undone on a lower.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyAuthority {
    /// Its owner's; in an organisation that of the member whose key it is. Keys of a project alone have none.
    Owner,
    /// That of the organisation, held by who may change keys of all its members.
    Admin,
    /// The platform's: staff, and whoever works on the machine.
    Staff,
}

impl KeyAuthority {
    /// The word of its column, which is empty for the owner.
    pub(crate) const fn word(self) -> Option<&'static str> {
        match self {
            Self::Owner => None,
            Self::Admin => Some("admin"),
            Self::Staff => Some("staff"),
        }
    }

    pub(crate) fn of_word(word: Option<&str>) -> Option<Self> {
        [Self::Owner, Self::Admin, Self::Staff].into_iter().find(|authority| authority.word() == word)
    }
}

/// What ended a key for good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyEnd {
    /// It was deleted, or its project was archived, whose alone it was.
    Revoked,
    /// It was found where it does not belong.
    Leaked,
}

impl KeyEnd {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Revoked => "revoked",
            Self::Leaked => "leaked",
        }
    }

    pub(crate) fn parse(word: &str) -> Option<Self> {
        [Self::Revoked, Self::Leaked].into_iter().find(|end| end.as_str() == word)
    }
}

/// Whether a list has keys that were put away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retired {
    /// Only those that were not.
    Not,
    /// These too.
    Too,
}

/// An API key, without the key itself: only its keyed hash is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// Its id.
    pub id: KeyId,
    /// Whose it is.
    pub account: AccountId,
    /// Whose it is within an organisation.
    pub belongs: Belongs,
    /// Its name, unique within the account. `None`: the subject key was destroyed and the name is unreadable.
    pub name: Option<Personal<String>>,
    /// What may be shown of the key: `sk-…` and four characters of checksum.
    pub hint: String,
    /// What it was made for.
    pub source: CallSource,
    /// Whether it may be used.
    pub enabled: bool,
    /// On whose authority it is disabled; only on the same or a higher one it is enabled again. Of no meaning while it is
    /// enabled.
    pub disabled_by: KeyAuthority,
    /// What ended it for good, so that nobody enables it again.
    pub ended: Option<KeyEnd>,
    /// What it may do at most.
    pub limits: Limits,
    /// On whose authority they were set; only on the same or a higher one they are changed.
    pub limits_by: KeyAuthority,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// When it was put away, if it was.
    pub retired_at: Option<Timestamp>,
}

/// What to change of a key; `None` leaves it as it is.
#[derive(Clone, Debug, Default)]
pub struct KeyChange {
    /// Another name.
    pub name: Option<Personal<String>>,
    /// Other limits, replacing all.
    pub limits: Option<Limits>,
    /// Enabled or disabled.
    pub enabled: Option<bool>,
    /// Disabled for good.
    pub revoke: bool,
}

/// All that a gateway must know to admit a call with this key, but for money and the seal key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFacts {
    /// The key.
    pub key: KeyId,
    /// Whose it is.
    pub account: AccountId,
    /// The account's pricing group.
    pub group: GroupId,
    /// The group's multiplier.
    pub group_multiplier: Ppm,
    /// Whether the key may be used: it is enabled, its member may have keys, and its project is in use.
    pub key_enabled: bool,
    /// Whether the account may.
    pub account_enabled: bool,
    /// Whether whoever the account or the key is of wants their data kept and not used ([`crate::choices`]).
    pub restricted: bool,
    /// Limits of the key.
    pub key_limits: Limits,
    /// Limits of the account; both hold.
    pub account_limits: Limits,
    /// What the key was made for.
    pub source: CallSource,
    /// What it shares with other keys of its member and of its project.
    pub budgets: Vec<KeyBudget>,
}

/// A budget that several keys share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyBudget {
    /// Whose.
    pub of: BudgetOf,
    /// How much.
    pub budget: Budget,
}

/// Whose keys share a budget, within one account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BudgetOf {
    /// All of a member.
    Member(AccountId),
    /// All of a project.
    Project(ProjectId),
}

impl BudgetOf {
    /// The id under which gateways count it.
    #[must_use]
    pub const fn id(self) -> Uuid {
        match self {
            Self::Member(AccountId(id)) | Self::Project(ProjectId(id)) => id,
        }
    }
}

//! What an account is.

use tacit_kernel::ids::{AccountId, GroupId};
use tacit_kernel::limits::Limits;
use tacit_kernel::{Personal, Timestamp};

/// A customer's account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its id; also the data subject under which its personal data is sealed.
    pub id: AccountId,
    /// Its pricing group.
    pub group: GroupId,
    /// Its name, unique among accounts. `None`: the subject key was destroyed and the name is unreadable.
    pub name: Option<Personal<String>>,
    /// Whether its keys may be used.
    pub enabled: bool,
    /// What all its keys together may do at most.
    pub limits: Limits,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// Which accounts to list; every part given must hold.
#[derive(Clone, Copy, Debug, Default)]
pub struct AccountFilter {
    /// Of this group.
    pub group: Option<GroupId>,
    /// In use, or not.
    pub enabled: Option<bool>,
}

/// What to change of an account; `None` leaves it as it is.
#[derive(Clone, Debug, Default)]
pub struct AccountChange {
    /// Another name.
    pub name: Option<Personal<String>>,
    /// Another pricing group.
    pub group: Option<GroupId>,
    /// Other limits, replacing all.
    pub limits: Option<Limits>,
    /// Enabled or disabled.
    pub enabled: Option<bool>,
}

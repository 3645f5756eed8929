//! What a member of an organisation may do there: permissions, and the roles that bundle them. Declared here and nowhere else,
//! and checked in one place, where the console API registers its routes.

use crate::access::permissions;
use serde::{Deserialize, Serialize};

permissions! {
    /// One thing that a member may be allowed to do with what belongs to the organisation.
    OrganisationPermission {
        OrganisationRead = "organisation.read", plain, "See the organisation and one's own role in it.";
        OrganisationWrite = "organisation.write", plain, "Rename the organisation.";
        OrganisationClose = "organisation.close", step_up, "Close the organisation; its keys are refused at once.";
        OwnershipTransfer = "ownership.transfer", step_up, "Hand the organisation over to another member.";
        MembershipLeave = "membership.leave", plain, "Leave the organisation.";
        MembersRead = "members.read", plain, "See members with their roles and budgets, and who is invited.";
        MembersWrite = "members.write", plain, "Invite, change and remove members whose role is within one's own.";
        ProjectsRead = "projects.read", plain, "See projects and their budgets.";
        ProjectsWrite = "projects.write", plain, "Make, change and archive projects.";
        KeysOwn = "keys.own", plain, "Have API keys of one's own, and see and change them.";
        KeysAll = "keys.all", plain, "See and change all API keys, and make keys for members and for projects.";
        UsageOwn = "usage.own", plain, "See what one's own keys have used.";
        UsageAll = "usage.all", plain, "See what the keys of all members and projects have used.";
        WalletRead = "wallet.read", plain, "See the balance of the organisation and every movement of it.";
    }
}

impl OrganisationPermission {
    /// Whether it holds in an organisation that is closed, where nothing else can be changed.
    #[must_use]
    pub const fn holds_when_closed(self) -> bool {
        matches!(self, Self::MembershipLeave)
    }
}

/// What somebody is in an organisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrganisationRole {
    /// Everything. There is always one, and one only.
    Owner,
    /// Members, projects and keys.
    Admin,
    /// The wallet, and what was used.
    Billing,
    /// Keys of their own.
    Developer,
    /// Sees members, projects and what was used.
    Viewer,
}

impl OrganisationRole {
    /// Every role.
    pub const ALL: [Self; 5] = [Self::Owner, Self::Admin, Self::Billing, Self::Developer, Self::Viewer];

    /// Its stable name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Billing => "billing",
            Self::Developer => "developer",
            Self::Viewer => "viewer",
        }
    }

    /// The role of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == name)
    }

    /// What it is for, in one line.
    #[must_use]
    pub const fn meaning(self) -> &'static str {
        match self {
            Self::Owner => "Everything. There is always one, and one only.",
            Self::Admin => "Members, projects and keys; not the wallet.",
            Self::Billing => "The wallet, and what was used.",
            Self::Developer => "Keys of their own.",
            Self::Viewer => "Sees members, projects and what was used; changes nothing.",
        }
    }

    /// What it allows.
    #[must_use]
    pub const fn permissions(self) -> &'static [OrganisationPermission] {
        use OrganisationPermission as P;
        match self {
            Self::Owner => P::ALL,
            Self::Admin => &[
                P::OrganisationRead,
                P::MembershipLeave,
                P::MembersRead,
                P::MembersWrite,
                P::ProjectsRead,
                P::ProjectsWrite,
                P::KeysOwn,
                P::KeysAll,
                P::UsageOwn,
                P::UsageAll,
            ],
            Self::Billing => &[
                P::OrganisationRead,
                P::MembershipLeave,
                P::MembersRead,
                P::ProjectsRead,
                P::UsageOwn,
                P::UsageAll,
                P::WalletRead,
            ],
            Self::Developer => &[P::OrganisationRead, P::MembershipLeave, P::ProjectsRead, P::KeysOwn, P::UsageOwn],
            Self::Viewer => {
                &[P::OrganisationRead, P::MembershipLeave, P::MembersRead, P::ProjectsRead, P::UsageOwn, P::UsageAll]
            }
        }
    }

    /// Whether it allows that.
    #[must_use]
    pub fn has(self, permission: OrganisationPermission) -> bool {
        self.permissions().contains(&permission)
    }

    /// Whether the other allows all of it and more.
    #[must_use]
    pub fn is_below(self, other: Self) -> bool {
        self != other && self.is_within(other)
    }

    /// Whether the other allows all of it: nobody gives or takes what they do not have.
    #[must_use]
    pub fn is_within(self, other: Self) -> bool {
        self.permissions().iter().all(|permission| other.has(*permission))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Permission;
    use std::collections::BTreeSet;

    #[test]
    fn names_are_unique_and_none_is_one_of_staff() {
        let names: BTreeSet<_> = OrganisationPermission::ALL.iter().map(|p| p.as_str()).collect();
        assert_eq!(names.len(), OrganisationPermission::ALL.len());
        for permission in OrganisationPermission::ALL {
            assert!(permission.as_str().parse::<Permission>().is_err(), "{permission:?}");
            assert!(permission.meaning().ends_with('.'));
        }
        for role in OrganisationRole::ALL {
            assert_eq!(OrganisationRole::parse(role.as_str()), Some(role));
            assert_eq!(serde_json::to_value(role).unwrap(), role.as_str());
        }
    }

    #[test]
    fn only_the_owner_may_what_cannot_be_undone_and_who_sees_all_sees_their_own() {
        use OrganisationPermission as P;
        for role in OrganisationRole::ALL {
            assert!(role.is_within(OrganisationRole::Owner) && role.is_within(role));
            assert!(role.has(P::OrganisationRead) && role.has(P::MembershipLeave));
            assert!(!role.has(P::KeysAll) || role.has(P::KeysOwn));
            assert!(!role.has(P::UsageAll) || role.has(P::UsageOwn));
            for only in [P::OrganisationWrite, P::OrganisationClose, P::OwnershipTransfer] {
                assert_eq!(role.has(only), role == OrganisationRole::Owner, "{role:?}");
            }
        }
        assert!(!OrganisationRole::Billing.is_within(OrganisationRole::Admin), "an admin gives nobody the wallet");
        assert!(!OrganisationRole::Owner.is_within(OrganisationRole::Admin));
    }
}

//! What organisations, members, projects and invitations are.

use super::access::OrganisationRole;
use crate::contacts::Contact;
use tacit_kernel::ids::{AccountId, MemberInvitationId, ProjectId};
use tacit_kernel::limits::Budget;
use tacit_kernel::{Personal, Timestamp};

/// An organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Organisation {
    /// The account that it is: owner of its keys, wallet and call records.
    pub id: AccountId,
    /// What it is called. `None`: the subject key was destroyed and the name is unreadable.
    pub name: Option<Personal<String>>,
    /// Whether it is open; the keys of a closed one are refused.
    pub open: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// What somebody is where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Membership {
    /// Where.
    pub organisation: Organisation,
    /// What.
    pub role: OrganisationRole,
}

/// What a member may do, as the guard of the console asks for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The member's role.
    pub role: OrganisationRole,
    /// Whether the organisation is open.
    pub open: bool,
}

/// A member of an organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub account: AccountId,
    /// The name of that account; `None`: it is unreadable.
    pub name: Option<Personal<String>>,
    /// What they are.
    pub role: OrganisationRole,
    /// What their keys may spend together.
    pub budget: Budget,
    /// Since when.
    pub joined_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// What to change of a member; `None` leaves it as it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct MemberChange {
    /// Another role.
    pub role: Option<OrganisationRole>,
    /// Another budget.
    pub budget: Option<Budget>,
}

/// A project of an organisation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// Its id.
    pub id: ProjectId,
    /// Its name; `None`: it is unreadable.
    pub name: Option<Personal<String>>,
    /// Whether it is in use; the keys of an archived one are disabled.
    pub active: bool,
    /// What its keys may spend together.
    pub budget: Budget,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// What to change of a project; `None` leaves it as it is.
#[derive(Clone, Debug, Default)]
pub struct ProjectChange {
    /// Another name.
    pub name: Option<Personal<String>>,
    /// Another budget.
    pub budget: Option<Budget>,
    /// In use or archived.
    pub active: Option<bool>,
}

/// An invitation that waits for its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberInvitation {
    /// Its id.
    pub id: MemberInvitationId,
    /// Who invited.
    pub inviter: AccountId,
    /// As what.
    pub role: OrganisationRole,
    /// Where it was sent; `None`: it is unreadable.
    pub recipient: Option<Contact>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it is void.
    pub expires_at: Timestamp,
}

/// An offer to become the owner of an organisation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OwnershipOffer {
    /// Who offers: the owner.
    pub owner: AccountId,
    /// Who may accept.
    pub member: AccountId,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it is void.
    pub expires_at: Timestamp,
}

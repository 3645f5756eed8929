//! What an erasure is, and what keeps it from beginning.

use crate::retention::{Class, Days};
use serde::Serialize;
use std::collections::BTreeMap;
use tacit_kernel::datamap::retention::Law;
use tacit_kernel::datamap::{OnErasure, Place, Retention};
use tacit_kernel::ids::{AccountId, ErasureId};
use tacit_kernel::{Nano, Timestamp};
use tacit_storage::datamap::{COLUMNS, OWNERS, Owner};
use uuid::Uuid;

const DAY: i64 = 86_400_000_000;

tacit_kernel::words! {
    /// Why somebody is erased (policy 01, 5.3; GDPR, article 17).
    Reason {
        /// They, or who may ask for them, asked for it.
        Asked = "asked",
        /// They withdrew the consent on which everything stood.
        ConsentWithdrawn = "consent_withdrawn",
        /// Their data was handled against the law or the contract.
        Unlawful = "unlawful",
        /// A child without the consent of a guardian (policy 01, VI).
        Minor = "minor",
        /// They were erased after the backup was made from which the data was restored.
        Restored = "restored",
    }

    /// How far an erasure is.
    State {
        /// Nobody acts as the account any more.
        Frozen = "frozen",
        /// The key is destroyed: what was sealed for the person cannot be read any more.
        Unreadable = "unreadable",
        /// All rows are gone or lead to the pseudonym.
        Purged = "purged",
        /// Their bytes are gone from the files, and so is the epoch that wrapped the key.
        Done = "done",
    }
}

/// An erasure, and its receipt once it is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Erasure {
    /// Its id, which leads to nobody once it is purged.
    pub id: ErasureId,
    /// Who is erased; nobody can say any more once it is purged.
    pub account: Option<AccountId>,
    /// Why.
    pub reason: Reason,
    /// Whether money that is left is given up.
    pub forfeits: bool,
    /// How far it is.
    pub state: State,
    /// Rows that were deleted, unlinked or given to the pseudonym, by table.
    pub rows: BTreeMap<String, u64>,
    /// When it began.
    pub begun_at: Timestamp,
    /// Since when nothing can be read.
    pub unreadable_at: Option<Timestamp>,
    /// Since when no row leads to them.
    pub purged_at: Option<Timestamp>,
    /// Since when the bytes are gone.
    pub done_at: Option<Timestamp>,
    /// Until when backups of the keyring from before may be there, which with the keys of the operator open what was sealed;
    /// `None` if none were made when the key was destroyed.
    pub copies_until: Option<Timestamp>,
    /// To whom rows lead that a law keeps.
    pub(super) pseudonym: Option<Uuid>,
    /// How many of the ways to an account are done with.
    pub(super) place: usize,
    /// The epoch that wrapped the key.
    pub(super) epoch: i64,
}

/// What stays of somebody, under a pseudonym that leads to nobody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// The table.
    pub table: &'static str,
    /// How many rows.
    pub rows: u64,
    /// The law that demands it.
    pub law: Law,
    /// The last of them is deleted then.
    pub until: Timestamp,
}

/// All of it random: an id that tells the time would lead from the rows to the erasure.
pub(super) fn pseudonym() -> Uuid {
    uuid::Builder::from_random_bytes(rand::random()).into_uuid()
}

impl Erasure {
    pub(super) fn begin(account: AccountId, reason: Reason, forfeits: bool, now: Timestamp) -> Self {
        Self {
            id: ErasureId::fresh(),
            account: Some(account),
            reason,
            forfeits,
            state: State::Frozen,
            rows: BTreeMap::new(),
            begun_at: now,
            unreadable_at: None,
            purged_at: None,
            done_at: None,
            copies_until: None,
            pseudonym: Some(pseudonym()),
            place: 0,
            epoch: 0,
        }
    }

    /// What stays, by which law and until when.
    #[must_use]
    pub fn kept(&self, days: &Days) -> Vec<Kept> {
        let kept = |way: &Owner| {
            let OnErasure::Pseudonymous(law) = way.on_erasure else { return None };
            let rows = *self.rows.get(way.table())?;
            let until = self.begun_at.plus_micros(i64::from(kept_for(way.table(), days)).saturating_mul(DAY));
            Some(Kept { table: way.table(), rows, law, until })
        };
        OWNERS.iter().filter_map(kept).collect()
    }
}

/// The most days for which rows of a table are kept. What is of no class goes as proofs do.
fn kept_for(table: &str, days: &Days) -> u32 {
    let of_table = COLUMNS.iter().filter(|e| matches!(e.place, Place::Column { table: t, .. } if t == table));
    let class = |retention| match retention {
        Retention::Class(class) => Some(days.of_class(class)),
        _ => None,
    };
    of_table.filter_map(|e| class(e.retention)).max().unwrap_or_else(|| days.of(Class::Audit))
}

/// What erasing somebody would do with the rows of one way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Planned {
    /// The way from the rows to the account.
    pub path: &'static str,
    /// What is done with them.
    pub on_erasure: OnErasure,
    /// How many there are now.
    pub rows: u64,
}

/// What keeps an account from being erased now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "obstacle", rename_all = "snake_case")]
pub enum Obstacle {
    /// A court or an authority demands that it is kept.
    Held,
    /// It owns organisations, which must be handed over or erased first.
    OwnsOrganisations,
    /// It is the last owner of the platform.
    LastOwner,
    /// There is money left, which must be paid back or given up.
    Money {
        /// How much.
        amount: Nano,
    },
}

impl Obstacle {
    /// The stable code by which it is known.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Held => "erasure.held",
            Self::OwnsOrganisations => "erasure.owns_organisations",
            Self::LastOwner => "erasure.last_owner",
            Self::Money { .. } => "erasure.money",
        }
    }
}

/// What an erasure would do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Plan {
    /// What keeps it from beginning.
    pub obstacles: Vec<Obstacle>,
    /// What is done with the rows of each way that has some.
    pub ways: Vec<Planned>,
}

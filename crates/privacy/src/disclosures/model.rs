//! What a disclosure is, and what allows one without consent.

use std::collections::BTreeSet;
use tacit_kernel::ids::{AccountId, DisclosureId};
use tacit_kernel::{Personal, Timestamp};

tacit_kernel::words! {
    /// What allows that somebody's data is given to others without their consent (policy 01, 2.9, 3.2 and 3.5).
    Ground {
        /// National security and defence (3.5.1).
        NationalSecurity = "national_security",
        /// Public safety, public health and major public interests (3.5.2).
        PublicSafety = "public_safety",
        /// Criminal investigation, prosecution, trial and execution of judgments (3.5.3).
        CriminalProceedings = "criminal_proceedings",
        /// Life, property and other major rights of somebody whose consent is hard to get (3.5.4).
        VitalInterests = "vital_interests",
        /// The person made it public themselves (3.5.5).
        MadePublic = "made_public",
        /// It was lawfully made public by others (3.5.6).
        LawfullyPublic = "lawfully_public",
        /// Statutory duties, and instructions of authorities (3.5.7).
        StatutoryDuty = "statutory_duty",
        /// Litigation and arbitration (3.2.2).
        LegalProceedings = "legal_proceedings",
    }

    /// What is given.
    Given {
        /// The name.
        Name = "name",
        /// The e-mail address.
        Email = "email",
        /// The phone number.
        Phone = "phone",
        /// What they told about themselves.
        Profile = "profile",
        /// What they showed to prove who they are.
        Verification = "verification",
        /// When and from where they signed in.
        SignIns = "sign_ins",
        /// Records of calls, without contents.
        Calls = "calls",
        /// Where calls came from.
        CallAddresses = "call_addresses",
        /// What was paid, given and spent.
        Ledger = "ledger",
        /// What was sent to them, and when.
        Messages = "messages",
    }

    /// How far it has come.
    State {
        /// It waits for somebody else of the staff.
        Proposed = "proposed",
        /// It may be done, and is taken to be done then.
        Approved = "approved",
        /// It must not be done.
        Refused = "refused",
    }
}

/// A disclosure.
#[derive(Clone, Debug)]
pub struct Disclosure {
    /// Its id.
    pub id: DisclosureId,
    /// Of whose data; the pseudonym's once they are erased.
    pub account: AccountId,
    /// What allows it.
    pub ground: Ground,
    /// What is given.
    pub fields: BTreeSet<Given>,
    /// How far it has come.
    pub state: State,
    /// Who asked for it; `None` once the person is erased.
    pub authority: Option<Personal<String>>,
    /// Why; `None` once the person is erased.
    pub reason: Option<Personal<String>>,
    /// Which member of the staff proposed it.
    pub proposed_by: AccountId,
    /// Which other decided it.
    pub decided_by: Option<AccountId>,
    /// When it was proposed.
    pub proposed_at: Timestamp,
    /// When it was decided.
    pub decided_at: Option<Timestamp>,
    /// From when on the person may be told; `None`: not until somebody says so.
    pub tell_from: Option<Timestamp>,
    /// Since when they are.
    pub told_at: Option<Timestamp>,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// A disclosure to propose.
#[derive(Clone, Debug)]
pub struct New {
    /// Of whose data.
    pub account: AccountId,
    /// What allows it.
    pub ground: Ground,
    /// What is given.
    pub fields: BTreeSet<Given>,
    /// Who asks for it.
    pub authority: Personal<String>,
    /// Why.
    pub reason: Personal<String>,
    /// From when on the person may be told.
    pub tell_from: Option<Timestamp>,
}

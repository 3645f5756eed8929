//! What columns have in common: classes of them. Categories are keys of fideslang 3.2. Clauses: `YY` is the Youyun API privacy policy, `01` that of the 01.AI platform.

use tacit_kernel::datamap::retention::{
    AUDIT as AUDIT_CLASS, CALL_ADDRESS, CALL_RECORD as CALL_RECORDS, DEVICE as DEVICES, INVITATION as INVITATIONS,
    LEDGER as LEDGERS, MEMBER_INVITATION as MEMBER_INVITATIONS, MESSAGE as MESSAGES, MESSAGE_CONTENT, MOMENTARY,
    SESSION, TRANSFER as TRANSFERS, VERIFICATION as VERIFICATIONS,
};
use tacit_kernel::datamap::{Copying, Correcting, Element, Place, Protection, Purpose, Retention, Subject, Withheld};

pub(super) const SERVICE: &[Purpose] = &[Purpose::Service];
pub(super) const SIGN_IN: &[Purpose] = &[Purpose::SignIn];
pub(super) const SECURITY: &[Purpose] = &[Purpose::Security, Purpose::Fraud];
pub(super) const CALLS: &[Purpose] = &[Purpose::Service, Purpose::Payment, Purpose::Support];
pub(super) const MONEY: &[Purpose] = &[Purpose::Payment, Purpose::Finance, Purpose::Law];

pub(super) const CALL_RECORD: Retention = Retention::Class(CALL_RECORDS);
pub(super) const ADDRESS: Retention = Retention::Class(CALL_ADDRESS);
pub(super) const LEDGER: Retention = Retention::Class(LEDGERS);
pub(super) const SENDING: Retention = Retention::Class(MESSAGES);
/// A message is sent within that time or not at all; what it says goes with the attempt that ends it.
pub(super) const UNSENT: Retention = Retention::Class(MESSAGE_CONTENT);
const DAY: Retention = Retention::Class(MOMENTARY);

/// An element but for its place.
#[derive(Clone, Copy)]
pub(super) struct Class {
    category: &'static str,
    subject: Subject,
    purposes: &'static [Purpose],
    protection: Protection,
    retention: Retention,
    copying: Copying,
    correcting: Correcting,
    cites: &'static [&'static str],
}

impl Class {
    pub(super) const fn nobody(why: &'static str) -> Self {
        Self {
            category: "system.operations",
            subject: Subject::Nobody(why),
            purposes: &[],
            protection: Protection::Plain,
            retention: Retention::Configuration,
            copying: Copying::Withheld(Withheld::SaysNothing),
            correcting: Correcting::Derived,
            cites: &[],
        }
    }

    pub(super) const fn account(category: &'static str, path: &'static str, purposes: &'static [Purpose]) -> Self {
        Self {
            category,
            subject: Subject::Account(path),
            purposes,
            protection: Protection::Plain,
            retention: Retention::Account,
            copying: Copying::Given,
            correcting: Correcting::Record,
            cites: &["YY-2.1", "YY-7"],
        }
    }

    pub(super) const fn category(self, category: &'static str) -> Self {
        Self { category, ..self }
    }

    pub(super) const fn purposes(self, purposes: &'static [Purpose]) -> Self {
        Self { purposes, ..self }
    }

    pub(super) const fn protected(self, protection: Protection) -> Self {
        Self { protection, ..self }
    }

    pub(super) const fn kept(self, retention: Retention) -> Self {
        Self { retention, ..self }
    }

    pub(super) const fn cites(self, cites: &'static [&'static str]) -> Self {
        Self { cites, ..self }
    }

    pub(super) const fn withheld(self, why: Withheld) -> Self {
        Self { copying: Copying::Withheld(why), ..self }
    }

    pub(super) const fn corrected(self, how: Correcting) -> Self {
        Self { correcting: how, ..self }
    }

    pub(super) const fn at(self, table: &'static str, column: &'static str) -> Element {
        Element {
            place: Place::Column { table, column },
            category: self.category,
            subject: self.subject,
            purposes: self.purposes,
            protection: self.protection,
            retention: self.retention,
            copying: match self.protection {
                Protection::KeyedHash => Copying::Withheld(Withheld::SaysNothing),
                _ => self.copying,
            },
            correcting: match self.protection {
                Protection::KeyedHash => Correcting::Derived,
                _ => self.correcting,
            },
            cites: self.cites,
        }
    }
}

pub(super) const CONFIGURED: Class = Class::nobody("set by the operator about the platform itself");
pub(super) const BOOKKEEPING: Class = Class::nobody("tells of the schema");
pub(super) const GATEWAY: Class = Class::nobody("tells of a gateway process").kept(CALL_RECORD);
pub(super) const ACCOUNT: Class =
    Class::account("user.account", "accounts.id", SERVICE).corrected(Correcting::OnRequest);
pub(super) const KEY: Class = Class::account("user.authorization", "api_keys.account_id -> accounts.id", SIGN_IN)
    .cites(&["YY-2.2", "YY-7", "YY-10"])
    .corrected(Correcting::Themselves);
pub(super) const BALANCE: Class = Class::account("user.financial", "ledger_accounts.owner_id -> accounts.id", MONEY)
    .kept(LEDGER)
    .cites(&["YY-2.3", "YY-7"])
    .corrected(Correcting::Derived);
pub(super) const POSTING: Class = Class::account(
    "user.financial",
    "ledger_entries.ledger_account_id -> ledger_accounts.id, ledger_accounts.owner_id -> accounts.id",
    MONEY,
)
.kept(LEDGER)
.cites(&["YY-2.3", "YY-7"]);
pub(super) const LEASE: Class = Class::account("user.financial", "leases.account_id -> accounts.id", MONEY)
    .kept(Retention::OpenCall)
    .cites(&["YY-2.3"])
    .corrected(Correcting::Derived);
pub(super) const CALL: Class = Class::account("user.behavior", "calls.account_id -> accounts.id", CALLS)
    .kept(CALL_RECORD)
    .cites(&["YY-2.2", "YY-7"]);
pub(super) const ATTEMPT: Class =
    Class::account("user.behavior", "call_attempts.call_id -> calls.id, calls.account_id -> accounts.id", CALLS)
        .kept(CALL_RECORD)
        .cites(&["YY-2.2", "YY-7"]);
pub(super) const OPEN_CALL: Class = Class::account("user.behavior", "open_calls.begun -> accounts.id", CALLS)
    .kept(Retention::OpenCall)
    .cites(&["YY-2.2"])
    .withheld(Withheld::SaysNothing);
pub(super) const UNSETTLED: Class = Class::account("user.behavior", "call_journal.events -> accounts.id", CALLS)
    .kept(Retention::OpenCall)
    .cites(&["YY-2.2"])
    .withheld(Withheld::SaysNothing);
pub(super) const ASIDE: Class = Class::account("user.behavior", "set_aside_events.account_id -> accounts.id", CALLS)
    .kept(CALL_RECORD)
    .cites(&["YY-2.2", "YY-7"]);
pub(super) const USAGE: Class = Class::account("user.behavior", "usage_daily.account_id -> accounts.id", CALLS)
    .cites(&["YY-2.2", "YY-7"])
    .corrected(Correcting::Derived);
/// What entries of the ledger came to that were deleted: a part of the balance, for as long as there is one.
pub(super) const SHORTENED: Class = Class::account(
    "user.financial",
    "forgotten_entries.ledger_account_id -> ledger_accounts.id, ledger_accounts.owner_id -> accounts.id",
    MONEY,
)
.cites(&["YY-2.3", "YY-7"])
.corrected(Correcting::Derived);
/// Sums over calls of many that were deleted.
pub(super) const FORGOTTEN: Class =
    Class::nobody("sums over calls that were deleted, which lead to nobody").kept(LEDGER);
/// That nothing of somebody is deleted for a time.
pub(super) const HOLD: Class = Class::account("user.account", "legal_holds.account_id -> accounts.id", &[Purpose::Law])
    .cites(&["YY-7", "01-4.2"])
    .withheld(Withheld::OfOthers)
    .corrected(Correcting::Record);
/// What somebody decided about the use of their data, kept as proof of it (China's PIPL, article 56).
pub(super) const CHOICE: Class =
    Class::account("user.account.settings", "choices.account_id -> accounts.id", &[Purpose::Law])
        .cites(&["YY-8", "01-2.8.3", "01-5.4"])
        .corrected(Correcting::Themselves);
/// What somebody asked for about their data, kept as proof that their rights were served (China's PIPL, article 56).
pub(super) const RIGHTS_REQUEST: Class =
    Class::account("user.account", "rights_requests.account_id -> accounts.id", &[Purpose::Law])
        .kept(Retention::Class(AUDIT_CLASS))
        .cites(&["YY-8", "01-5.6"])
        .corrected(Correcting::Record);
/// That somebody is erased; once it is done it leads to nobody.
pub(super) const ERASURE: Class = Class::account("user.account", "erasures.account_id -> accounts.id", &[Purpose::Law])
    .kept(Retention::Class(AUDIT_CLASS))
    .cites(&["YY-4", "01-5.5"])
    .withheld(Withheld::SaysNothing)
    .corrected(Correcting::Record);
/// To which provider in which country what somebody sent went, kept as proof of how it was handled (China's PIPL, article 56).
pub(super) const TRANSFER: Class =
    Class::account("user.behavior", "transfers.account_id -> accounts.id", &[Purpose::Law])
        .kept(Retention::Class(TRANSFERS))
        .cites(&["YY-5", "01-3"])
        .corrected(Correcting::Derived);
/// A call that is to be counted still; minutes.
pub(super) const LATE_CALL: Class = Class::account(
    "user.unique_id",
    "late_calls.call_id -> calls.id, calls.account_id -> accounts.id",
    &[Purpose::Law],
)
.kept(DAY)
.cites(&["YY-5"])
.corrected(Correcting::Derived)
.withheld(Withheld::SaysNothing);
/// Word of an erasure to a recipient. What it is known by there is sealed with a key of its own, and gone when it is over.
pub(super) const ERASURE_NOTICE: Class = Class::account(
    "user.account",
    "erasure_notices.erasure_id -> erasures.id, erasures.account_id -> accounts.id",
    &[Purpose::Law],
)
.kept(Retention::Class(AUDIT_CLASS))
.cites(&["YY-8", "01-5.3"])
.withheld(Withheld::SaysNothing)
.corrected(Correcting::Record);
/// What was given of somebody to authorities: theirs to see once they may be told.
pub(super) const DISCLOSURE: Class =
    Class::account("user.account", "disclosures.account_id -> accounts.id", &[Purpose::Law])
        .kept(Retention::Class(AUDIT_CLASS))
        .cites(&["YY-4", "01-3.5"])
        .corrected(Correcting::Record);
/// How far counting has come.
pub(super) const COUNTING: Class = Class::nobody("how far the counting of transfers has come");
/// What an incident was, which leads to nobody; kept as proof of what was done about it (GDPR, article 33 (5)).
pub(super) const INCIDENT: Class =
    Class::nobody("tells of an incident and of nobody").kept(Retention::Class(AUDIT_CLASS));
/// Of whom an incident was looked for, or who wrote down that it was reported: the same number as in the audit log.
pub(super) const INCIDENT_ACTOR: Class =
    Class::account("user.unique_id", "incident_criteria.actor_id -> accounts.id", &[Purpose::Law])
        .kept(Retention::Class(AUDIT_CLASS))
        .cites(&["YY-10", "01-4.4"])
        .withheld(Withheld::OfOthers)
        .corrected(Correcting::Record);
pub(super) const INCIDENT_REPORTER: Class =
    Class::account("user.unique_id", "incident_clocks.reported_by -> accounts.id", &[Purpose::Law])
        .kept(Retention::Class(AUDIT_CLASS))
        .cites(&["YY-10", "01-4.4"])
        .withheld(Withheld::OfOthers)
        .corrected(Correcting::Record);
/// That an incident concerns somebody, and whether they were told.
pub(super) const INCIDENT_SUBJECT: Class =
    Class::account("user.account", "incident_subjects.account_id -> accounts.id", &[Purpose::Law])
        .kept(Retention::Class(AUDIT_CLASS))
        .cites(&["YY-10", "01-4.4"])
        .corrected(Correcting::Record);
pub(super) const RUN: Class =
    Class::nobody("tells of a run over a class of retention").kept(Retention::Class(AUDIT_CLASS));
/// Messages to somebody who has no account yet are sealed with the platform's key.
pub(super) const MESSAGE: Class = Class::account("user.behavior", "messages.account_id -> accounts.id", SIGN_IN)
    .kept(SENDING)
    .cites(&["YY-2.1", "YY-7"])
    .corrected(Correcting::Derived);
pub(super) const DEVELOPMENT_MESSAGE: Class =
    Class::account("user.contact", "development_outbox.account_id -> accounts.id", SERVICE)
        .kept(UNSENT)
        .cites(&["YY-2.1"])
        .corrected(Correcting::Derived);
/// Either an account's id, with or without that of a gateway's session, or a key's hash, for a day.
pub(super) const CHANGE: Class = Class::account("user.unique_id", "changes.subject -> accounts.id", SERVICE)
    .kept(DAY)
    .cites(&["YY-2.2"])
    .corrected(Correcting::Derived)
    .withheld(Withheld::SaysNothing);
/// What was answered to a request that may come again.
pub(super) const REPEATED: Class =
    Class::account("user.behavior", "idempotency_keys.account_id -> accounts.id", SERVICE)
        .kept(DAY)
        .cites(&["YY-2.2", "YY-7"])
        .corrected(Correcting::Derived);
/// Who did what, kept for three years as proof that the rights of persons were served (China's PIPL, article 56); erasing
/// the person takes it before.
pub(super) const AUDIT: Class = Class::account("user.behavior", "audit_entries.subject_id -> accounts.id", SECURITY)
    .kept(Retention::Class(AUDIT_CLASS))
    .cites(&["YY-7", "YY-10", "01-4.1"]);
/// Hashes over salted commitments: they say nothing once the salt is gone.
pub(super) const AUDIT_TREE: Class = Class::nobody("hashes over salted commitments, and signatures of them");
pub(super) const SUBJECT_KEY: Class = Class::account("user.unique_id", "subject_keys.subject -> accounts.id", SECURITY)
    .cites(&["YY-7", "YY-8", "YY-10"])
    .corrected(Correcting::Derived)
    .withheld(Withheld::SaysNothing);

/// That somebody was erased, so that a restored backup does not bring them back. It leads to nobody: the account it was
/// hashed from is gone, and only a backup from before can be compared with it.
pub(super) const TOMBSTONE: Class =
    Class::nobody("keyed hashes of ids of erased accounts, kept as long as the keyring");

/// What belongs to how a person signs in, for as long as there is the account.
pub(super) const CREDENTIAL: Class =
    Class::account("user.authorization.credentials", "account_passwords.account_id -> accounts.id", SIGN_IN)
        .cites(&["YY-2.1", "YY-7", "YY-10", "01-2.1.1"])
        .corrected(Correcting::Themselves)
        .withheld(Withheld::Guards);
pub(super) const CONTACT: Class = Class::account("user.contact", "account_contacts.account_id -> accounts.id", SIGN_IN)
    .cites(&["YY-2.1", "YY-7", "01-2.1.1"])
    .corrected(Correcting::Themselves);
pub(super) const PROFILE: Class =
    Class::account("user.account.settings", "account_profiles.account_id -> accounts.id", SERVICE)
        .cites(&["YY-2.1", "YY-7", "YY-9", "01-2.1.1"])
        .corrected(Correcting::Themselves);
pub(super) const INVITATION: Class = Class::account("user.account", "invitations.inviter_id -> accounts.id", SERVICE)
    .kept(Retention::Class(INVITATIONS))
    .cites(&["YY-2.1"])
    .corrected(Correcting::Derived);
/// Addresses and what is guessed at rest as keyed hashes, for a day.
pub(super) const CODE: Class =
    Class::account("user.authorization", "verification_codes.target -> accounts.id", SIGN_IN)
        .kept(DAY)
        .cites(&["YY-2.1", "01-2.1.1"])
        .corrected(Correcting::Derived)
        .withheld(Withheld::SaysNothing);
pub(super) const GUESS: Class = Class::account("user.authorization", "guesses.subject -> accounts.id", SECURITY)
    .kept(DAY)
    .cites(&["YY-2.4", "YY-10"])
    .corrected(Correcting::Derived)
    .withheld(Withheld::SaysNothing);
pub(super) const CONSOLE_SESSION: Class =
    Class::account("user.authorization", "console_sessions.account_id -> accounts.id", SIGN_IN)
        .kept(Retention::Class(SESSION))
        .cites(&["YY-2.1", "YY-2.4", "YY-10"])
        .corrected(Correcting::Themselves);
/// Of a device only the keyed hash of its cookie, until it was not seen for 180 days.
pub(super) const DEVICE: Class = Class::account("user.device", "known_devices.account_id -> accounts.id", SECURITY)
    .kept(Retention::Class(DEVICES))
    .cites(&["YY-2.4", "YY-10"])
    .corrected(Correcting::Derived);
pub(super) const SECOND_FACTOR: Class =
    Class::account("user.authorization.credentials", "second_factors.account_id -> accounts.id", SIGN_IN)
        .cites(&["YY-2.1", "YY-7", "YY-10"])
        .corrected(Correcting::Themselves)
        .withheld(Withheld::Guards);
pub(super) const RECOVERY: Class =
    Class::account("user.authorization.credentials", "recovery_codes.account_id -> accounts.id", SIGN_IN)
        .cites(&["YY-2.1", "YY-7", "YY-10"])
        .corrected(Correcting::Themselves)
        .withheld(Withheld::Guards);
pub(super) const LINKED_IDENTITY: Class =
    Class::account("user.unique_id", "linked_identities.account_id -> accounts.id", SIGN_IN)
        .cites(&["YY-2.1", "YY-7", "01-2.1.1"])
        .corrected(Correcting::Themselves);
pub(super) const PASSKEY: Class =
    Class::account("user.authorization.credentials", "passkeys.account_id -> accounts.id", SIGN_IN)
        .cites(&["YY-2.1", "YY-7", "YY-10"])
        .corrected(Correcting::Themselves);
/// What was begun to sign in; ten minutes, and gone with its first use.
pub(super) const CEREMONY: Class =
    Class::account("user.authorization", "sign_in_ceremonies.account_id -> accounts.id", SIGN_IN)
        .kept(DAY)
        .cites(&["YY-2.1", "YY-10"])
        .corrected(Correcting::Derived)
        .withheld(Withheld::SaysNothing);
pub(super) const MANAGEMENT_KEY: Class =
    Class::account("user.authorization", "management_keys.account_id -> accounts.id", SIGN_IN)
        .cites(&["YY-2.1", "YY-7", "YY-10"])
        .corrected(Correcting::Themselves);
pub(super) const ROLE: Class =
    Class::account("user.authorization", "account_roles.account_id -> accounts.id", SECURITY)
        .cites(&["YY-2.1", "YY-10"])
        .corrected(Correcting::OnRequest);

/// An organisation is an account, and what it is called is sealed with its key.
pub(super) const ORGANISATION: Class =
    Class::account("user.account", "organisations.account_id -> accounts.id", SERVICE)
        .corrected(Correcting::Themselves);
pub(super) const MEMBERSHIP: Class =
    Class::account("user.authorization", "organisation_members.account_id -> accounts.id", SERVICE)
        .cites(&["YY-2.1", "YY-7"])
        .corrected(Correcting::OnRequest);
/// To whom an owner offers an organisation.
pub(super) const OFFER: Class =
    Class::account("user.authorization", "organisation_offers.owner_id -> accounts.id", SERVICE)
        .kept(Retention::Class(MEMBER_INVITATIONS))
        .cites(&["YY-2.1", "YY-7"])
        .corrected(Correcting::Derived);
/// Whom somebody invites; they may have no account.
pub(super) const MEMBER_INVITATION: Class =
    Class::account("user.account", "organisation_invitations.inviter_id -> accounts.id", SERVICE)
        .kept(Retention::Class(MEMBER_INVITATIONS))
        .cites(&["YY-2.1", "YY-7"])
        .corrected(Correcting::Derived);
pub(super) const PROJECT: Class =
    Class::account("user.account", "organisation_projects.organisation_id -> accounts.id", SERVICE)
        .corrected(Correcting::Themselves);
/// Who somebody showed to be: for that and nothing else. An operator may keep what they said and their papers 90 days before
/// a verdict and 90 after it at most; that there was one, and a keyed hash of the number, stay with the account.
const VERIFYING: &[Purpose] = &[Purpose::SignIn, Purpose::Law];
pub(super) const VERIFICATION: Class =
    Class::account("user.identity.verification", "verification_cases.account_id -> accounts.id", VERIFYING)
        .cites(&["01-2.2", "YY-7"])
        .corrected(Correcting::OnRequest);
pub(super) const VERIFYING_KEPT: Retention = Retention::Class(VERIFICATIONS);
pub(super) const PAPER: Class = Class::account(
    "user.identity.verification",
    "verification_papers.case_id -> verification_cases.id, verification_cases.account_id -> accounts.id",
    VERIFYING,
)
.kept(VERIFYING_KEPT)
.cites(&["01-2.2", "YY-7"])
.corrected(Correcting::Derived);
pub(super) const PIECE: Class = Class::account(
    "user.identity.verification",
    "verification_pieces.paper_id -> verification_papers.id, verification_papers.case_id -> verification_cases.id, \
     verification_cases.account_id -> accounts.id",
    VERIFYING,
)
.kept(VERIFYING_KEPT)
.cites(&["01-2.2", "YY-7"])
.corrected(Correcting::Derived);
pub(super) const CHECK: Class = Class::account(
    "user.identity.verification",
    "verification_checks.case_id -> verification_cases.id, verification_cases.account_id -> accounts.id",
    VERIFYING,
)
.kept(VERIFYING_KEPT)
.cites(&["01-2.2", "YY-7"])
.corrected(Correcting::Derived);

//! The declarations. Categories and purposes are keys of fideslang 3.2; retention follows the classes for China, which
//! an operator may only shorten. Clauses: `YY` is the Youyun API privacy policy, `01` that of the 01.AI platform.

use tacit_kernel::datamap::{Element, Place, Protection, Retention, Subject};

const SERVICE: &[&str] = &["essential.service"];
const SIGN_IN: &[&str] = &["essential.service.authentication"];
const SECURITY: &[&str] = &["essential.service.security", "essential.fraud_detection"];
const CALLS: &[&str] =
    &["essential.service", "essential.service.payment_processing", "essential.service.operations.support"];
const MONEY: &[&str] = &["essential.service.payment_processing", "finance", "essential.legal_obligation"];

/// Network logs are kept half a year by law (China's cybersecurity law, article 21), and call records not much longer.
const CALL_RECORD: Retention = Retention::Days { min: 180, max: 400 };
const ADDRESS: Retention = Retention::Days { min: 180, max: 180 };
/// Three years after completion (China's e-commerce law, article 31).
const LEDGER: Retention = Retention::Days { min: 1095, max: 1095 };

/// How long it is known that a message was sent: as long as network logs.
const SENDING: Retention = Retention::Days { min: 0, max: 180 };
/// A message is sent within that time or not at all; what it says goes with the attempt that ends it.
const UNSENT: Retention = Retention::Days { min: 0, max: 7 };

/// An element but for its place.
#[derive(Clone, Copy)]
struct Class {
    category: &'static str,
    subject: Subject,
    purposes: &'static [&'static str],
    protection: Protection,
    retention: Retention,
    cites: &'static [&'static str],
}

impl Class {
    const fn nobody(why: &'static str) -> Self {
        Self {
            category: "system.operations",
            subject: Subject::Nobody(why),
            purposes: &[],
            protection: Protection::Plain,
            retention: Retention::Configuration,
            cites: &[],
        }
    }

    const fn account(category: &'static str, path: &'static str, purposes: &'static [&'static str]) -> Self {
        Self {
            category,
            subject: Subject::Account(path),
            purposes,
            protection: Protection::Plain,
            retention: Retention::Account,
            cites: &["YY-2.1", "YY-7"],
        }
    }

    const fn category(self, category: &'static str) -> Self {
        Self { category, ..self }
    }

    const fn purposes(self, purposes: &'static [&'static str]) -> Self {
        Self { purposes, ..self }
    }

    const fn protected(self, protection: Protection) -> Self {
        Self { protection, ..self }
    }

    const fn kept(self, retention: Retention) -> Self {
        Self { retention, ..self }
    }

    const fn cites(self, cites: &'static [&'static str]) -> Self {
        Self { cites, ..self }
    }

    const fn at(self, table: &'static str, column: &'static str) -> Element {
        Element {
            place: Place::Column { table, column },
            category: self.category,
            subject: self.subject,
            purposes: self.purposes,
            protection: self.protection,
            retention: self.retention,
            cites: self.cites,
        }
    }
}

const CONFIGURED: Class = Class::nobody("set by the operator about the platform itself");
const BOOKKEEPING: Class = Class::nobody("tells of the schema");
const GATEWAY: Class = Class::nobody("tells of a gateway process").kept(CALL_RECORD);
const ACCOUNT: Class = Class::account("user.account", "accounts.id", SERVICE);
const KEY: Class = Class::account("user.authorization", "api_keys.account_id -> accounts.id", SIGN_IN)
    .cites(&["YY-2.2", "YY-7", "YY-10"]);
const BALANCE: Class = Class::account("user.financial", "ledger_accounts.owner_id -> accounts.id", MONEY)
    .kept(LEDGER)
    .cites(&["YY-2.3", "YY-7"]);
const POSTING: Class = Class::account(
    "user.financial",
    "ledger_entries.ledger_account_id -> ledger_accounts.id, ledger_accounts.owner_id -> accounts.id",
    MONEY,
)
.kept(LEDGER)
.cites(&["YY-2.3", "YY-7"]);
const LEASE: Class = Class::account("user.financial", "leases.account_id -> accounts.id", MONEY)
    .kept(Retention::OpenCall)
    .cites(&["YY-2.3"]);
const CALL: Class = Class::account("user.behavior", "calls.account_id -> accounts.id", CALLS)
    .kept(CALL_RECORD)
    .cites(&["YY-2.2", "YY-7"]);
const ATTEMPT: Class =
    Class::account("user.behavior", "call_attempts.call_id -> calls.id, calls.account_id -> accounts.id", CALLS)
        .kept(CALL_RECORD)
        .cites(&["YY-2.2", "YY-7"]);
const OPEN_CALL: Class = Class::account("user.behavior", "open_calls.begun -> accounts.id", CALLS)
    .kept(Retention::OpenCall)
    .cites(&["YY-2.2"]);
const UNSETTLED: Class = Class::account("user.behavior", "call_journal.events -> accounts.id", CALLS)
    .kept(Retention::OpenCall)
    .cites(&["YY-2.2"]);
const ASIDE: Class = Class::account("user.behavior", "set_aside_events.account_id -> accounts.id", CALLS)
    .kept(CALL_RECORD)
    .cites(&["YY-2.2", "YY-7"]);
const USAGE: Class =
    Class::account("user.behavior", "usage_daily.account_id -> accounts.id", CALLS).cites(&["YY-2.2", "YY-7"]);
/// Messages to somebody who has no account yet are sealed with the platform's key.
const MESSAGE: Class = Class::account("user.behavior", "messages.account_id -> accounts.id", SIGN_IN)
    .kept(SENDING)
    .cites(&["YY-2.1", "YY-7"]);
const DEVELOPMENT_MESSAGE: Class =
    Class::account("user.contact", "development_outbox.account_id -> accounts.id", SERVICE)
        .kept(UNSENT)
        .cites(&["YY-2.1"]);
/// Either an account's id, with or without that of a gateway's session, or a key's hash, for a day.
const CHANGE: Class = Class::account("user.unique_id", "changes.subject -> accounts.id", SERVICE)
    .kept(Retention::Days { min: 0, max: 1 })
    .cites(&["YY-2.2"]);
/// What was answered to a request that may come again.
const REPEATED: Class = Class::account("user.behavior", "idempotency_keys.account_id -> accounts.id", SERVICE)
    .kept(Retention::Days { min: 0, max: 1 })
    .cites(&["YY-2.2", "YY-7"]);
/// Who did what, kept for three years as proof that the rights of persons were served (China's PIPL, article 56); erasing
/// the person takes it before.
const AUDIT: Class = Class::account("user.behavior", "audit_entries.subject_id -> accounts.id", SECURITY)
    .kept(Retention::Days { min: 1095, max: 2190 })
    .cites(&["YY-7", "YY-10", "01-4.1"]);
/// Hashes over salted commitments: they say nothing once the salt is gone.
const AUDIT_TREE: Class = Class::nobody("hashes over salted commitments, and signatures of them");
const SUBJECT_KEY: Class =
    Class::account("user.unique_id", "subject_keys.subject -> accounts.id", SECURITY).cites(&["YY-7", "YY-8", "YY-10"]);
/// That somebody was erased, so that a restored backup does not bring them back. It leads to nobody: the account it was
/// hashed from is gone, and only a backup from before can be compared with it.
const TOMBSTONE: Class = Class::nobody("keyed hashes of ids of erased accounts, kept as long as the keyring");

/// What belongs to how a person signs in, for as long as there is the account.
const CREDENTIAL: Class =
    Class::account("user.authorization.credentials", "account_passwords.account_id -> accounts.id", SIGN_IN)
        .cites(&["YY-2.1", "YY-7", "YY-10", "01-2.1.1"]);
const CONTACT: Class = Class::account("user.contact", "account_contacts.account_id -> accounts.id", SIGN_IN)
    .cites(&["YY-2.1", "YY-7", "01-2.1.1"]);
const PROFILE: Class = Class::account("user.account.settings", "account_profiles.account_id -> accounts.id", SERVICE)
    .cites(&["YY-2.1", "YY-7", "YY-9", "01-2.1.1"]);
const INVITATION: Class = Class::account("user.account", "invitations.inviter_id -> accounts.id", SERVICE)
    .kept(Retention::Days { min: 0, max: 90 })
    .cites(&["YY-2.1"]);
/// Addresses and what is guessed at rest as keyed hashes, for a day.
const CODE: Class = Class::account("user.authorization", "verification_codes.target -> accounts.id", SIGN_IN)
    .kept(Retention::Days { min: 0, max: 1 })
    .cites(&["YY-2.1", "01-2.1.1"]);
const GUESS: Class = Class::account("user.authorization", "guesses.subject -> accounts.id", SECURITY)
    .kept(Retention::Days { min: 0, max: 1 })
    .cites(&["YY-2.4", "YY-10"]);
const CONSOLE_SESSION: Class =
    Class::account("user.authorization", "console_sessions.account_id -> accounts.id", SIGN_IN)
        .kept(Retention::Days { min: 0, max: 90 })
        .cites(&["YY-2.1", "YY-2.4", "YY-10"]);
/// Of a device only the keyed hash of its cookie, until it was not seen for 180 days.
const DEVICE: Class = Class::account("user.device", "known_devices.account_id -> accounts.id", SECURITY)
    .kept(Retention::Days { min: 0, max: 180 })
    .cites(&["YY-2.4", "YY-10"]);
const SECOND_FACTOR: Class =
    Class::account("user.authorization.credentials", "second_factors.account_id -> accounts.id", SIGN_IN)
        .cites(&["YY-2.1", "YY-7", "YY-10"]);
const RECOVERY: Class =
    Class::account("user.authorization.credentials", "recovery_codes.account_id -> accounts.id", SIGN_IN)
        .cites(&["YY-2.1", "YY-7", "YY-10"]);
const LINKED_IDENTITY: Class = Class::account("user.unique_id", "linked_identities.account_id -> accounts.id", SIGN_IN)
    .cites(&["YY-2.1", "YY-7", "01-2.1.1"]);
const PASSKEY: Class = Class::account("user.authorization.credentials", "passkeys.account_id -> accounts.id", SIGN_IN)
    .cites(&["YY-2.1", "YY-7", "YY-10"]);
/// What was begun to sign in; ten minutes, and gone with its first use.
const CEREMONY: Class = Class::account("user.authorization", "sign_in_ceremonies.account_id -> accounts.id", SIGN_IN)
    .kept(Retention::Days { min: 0, max: 1 })
    .cites(&["YY-2.1", "YY-10"]);
const MANAGEMENT_KEY: Class =
    Class::account("user.authorization", "management_keys.account_id -> accounts.id", SIGN_IN)
        .cites(&["YY-2.1", "YY-7", "YY-10"]);
const ROLE: Class = Class::account("user.authorization", "account_roles.account_id -> accounts.id", SECURITY)
    .cites(&["YY-2.1", "YY-10"]);

/// An organisation is an account, and what it is called is sealed with its key.
const ORGANISATION: Class = Class::account("user.account", "organisations.account_id -> accounts.id", SERVICE);
const MEMBERSHIP: Class =
    Class::account("user.authorization", "organisation_members.account_id -> accounts.id", SERVICE)
        .cites(&["YY-2.1", "YY-7"]);
/// Whom somebody invites; they may have no account.
const MEMBER_INVITATION: Class =
    Class::account("user.account", "organisation_invitations.inviter_id -> accounts.id", SERVICE)
        .kept(Retention::Days { min: 0, max: 8 })
        .cites(&["YY-2.1", "YY-7"]);
const PROJECT: Class = Class::account("user.account", "organisation_projects.organisation_id -> accounts.id", SERVICE);
/// Who somebody showed to be: for that and nothing else. An operator may keep what they said and their papers 90 days before
/// a verdict and 90 after it at most; that there was one, and a keyed hash of the number, stay with the account.
const VERIFYING: &[&str] = &["essential.service.authentication", "essential.legal_obligation"];
const VERIFICATION: Class =
    Class::account("user.identity.verification", "verification_cases.account_id -> accounts.id", VERIFYING)
        .cites(&["01-2.2", "YY-7"]);
const VERIFYING_KEPT: Retention = Retention::Days { min: 0, max: 180 };
const PAPER: Class = Class::account(
    "user.identity.verification",
    "verification_papers.case_id -> verification_cases.id, verification_cases.account_id -> accounts.id",
    VERIFYING,
)
.kept(VERIFYING_KEPT)
.cites(&["01-2.2", "YY-7"]);
const PIECE: Class = Class::account(
    "user.identity.verification",
    "verification_pieces.paper_id -> verification_papers.id, verification_papers.case_id -> verification_cases.id, \
     verification_cases.account_id -> accounts.id",
    VERIFYING,
)
.kept(VERIFYING_KEPT)
.cites(&["01-2.2", "YY-7"]);
const CHECK: Class = Class::account(
    "user.identity.verification",
    "verification_checks.case_id -> verification_cases.id, verification_cases.account_id -> accounts.id",
    VERIFYING,
)
.kept(VERIFYING_KEPT)
.cites(&["01-2.2", "YY-7"]);

macro_rules! columns {
    ($($table:ident { $($class:expr => $($column:ident),+;)+ })+) => {
        /// Every column of the main schema, of the keyring's and of the migrations' book.
        pub const COLUMNS: &[Element] = &[$($($($class.at(stringify!($table), stringify!($column)),)+)+)+];
    };
}

columns! {
    platform {
        CONFIGURED => singleton, currency, created_at;
    }
    user_groups {
        CONFIGURED => id, name, multiplier_ppm, created_at, updated_at;
    }
    accounts {
        ACCOUNT.category("user.unique_id") => id;
        ACCOUNT => group_id, status, limits, created_at, updated_at;
        ACCOUNT.category("user.account.username").protected(Protection::SealedSubject) => name_sealed;
        ACCOUNT.category("user.account.username").protected(Protection::KeyedHash) => name_lookup;
    }
    account_contacts {
        CONTACT.category("user.unique_id") => account_id;
        CONTACT => kind, verified_at;
        CONTACT.protected(Protection::SealedSubject) => value_sealed;
        CONTACT.protected(Protection::KeyedHash) => value_lookup;
    }
    account_passwords {
        CREDENTIAL.category("user.unique_id") => account_id;
        CREDENTIAL.protected(Protection::SealedSubject) => digest_sealed;
        CREDENTIAL => changed_at;
    }
    account_profiles {
        PROFILE.category("user.unique_id") => account_id, invited_by;
        PROFILE.protected(Protection::SealedSubject) => fields_sealed;
        PROFILE.category("user.demographic.age_range") => age_band, guardian_consent_at;
        PROFILE.category("user.contact").protected(Protection::SealedSubject) => guardian_sealed;
        PROFILE => language, registered_at, updated_at;
    }
    invitations {
        INVITATION.category("user.unique_id") => inviter_id;
        INVITATION.protected(Protection::KeyedHash) => code_hash;
        INVITATION => id, created_at, expires_at, used_at;
    }
    verification_codes {
        CODE => id, purpose, tries, created_at, expires_at;
        CODE.category("user.contact").protected(Protection::KeyedHash) => target;
        CODE.protected(Protection::KeyedHash) => code_hash;
    }
    console_sessions {
        CONSOLE_SESSION.category("user.unique_id") => account_id;
        CONSOLE_SESSION.category("user.authorization.credentials").protected(Protection::KeyedHash) => token_hash;
        CONSOLE_SESSION => id, method, complete, created_at, seen_at, expires_at, stepped_up_at;
        CONSOLE_SESSION.category("user.device").protected(Protection::SealedSubject) => device_sealed;
        CONSOLE_SESSION.category("user.device.ip_address").protected(Protection::SealedSubject) => address_sealed;
    }
    known_devices {
        DEVICE.category("user.unique_id") => account_id;
        DEVICE.protected(Protection::KeyedHash) => device_hash;
        DEVICE => seen_at;
    }
    guesses {
        GUESS.protected(Protection::KeyedHash) => subject;
        GUESS => failures, last_at, blocked_until;
    }
    second_factors {
        SECOND_FACTOR.category("user.unique_id") => account_id;
        SECOND_FACTOR.protected(Protection::SealedSubject) => secret_sealed;
        SECOND_FACTOR => confirmed_at, last_step, created_at;
    }
    recovery_codes {
        RECOVERY.category("user.unique_id") => account_id;
        RECOVERY.protected(Protection::KeyedHash) => code_hash;
    }
    organisations {
        ORGANISATION.category("user.unique_id") => account_id;
        ORGANISATION.category("user.account.username").protected(Protection::SealedSubject) => name_sealed;
        ORGANISATION => created_at, updated_at;
    }
    organisation_members {
        MEMBERSHIP.category("user.unique_id") => organisation_id, account_id;
        MEMBERSHIP => role, joined_at, updated_at;
        MEMBERSHIP.category("user.financial").purposes(MONEY).cites(&["YY-2.3", "YY-7"]) => budget;
    }
    organisation_invitations {
        MEMBER_INVITATION.category("user.unique_id") => organisation_id, inviter_id;
        MEMBER_INVITATION => id, role, recipient_kind, created_at, expires_at;
        MEMBER_INVITATION.category("user.contact").protected(Protection::SealedSubject) => recipient_sealed;
        MEMBER_INVITATION.category("user.contact").protected(Protection::KeyedHash) => recipient_lookup;
        MEMBER_INVITATION.category("user.authorization.credentials").protected(Protection::KeyedHash) => token_hash;
    }
    organisation_projects {
        PROJECT.category("user.unique_id") => organisation_id;
        PROJECT => id, status, created_at, updated_at;
        PROJECT.category("user.content").protected(Protection::SealedSubject) => name_sealed;
        PROJECT.category("user.financial").purposes(MONEY).cites(&["YY-2.3", "YY-7"]) => budget;
    }
    linked_identities {
        LINKED_IDENTITY => id, account_id;
        LINKED_IDENTITY.protected(Protection::KeyedHash) => subject_lookup;
        LINKED_IDENTITY.category("user.account.username").protected(Protection::SealedSubject) => subject_sealed, shown_sealed;
        LINKED_IDENTITY.category("user.account") => provider, linked_at, used_at;
    }
    passkeys {
        PASSKEY.category("user.unique_id") => id, account_id;
        PASSKEY.protected(Protection::KeyedHash) => credential_lookup;
        PASSKEY.protected(Protection::SealedSubject) => credential_sealed;
        PASSKEY.category("user.content").protected(Protection::SealedSubject) => name_sealed;
        PASSKEY => created_at, used_at, updated_at;
    }
    sign_in_ceremonies {
        CEREMONY.category("user.unique_id") => account_id;
        CEREMONY.protected(Protection::KeyedHash) => handle_hash, browser_hash;
        CEREMONY.protected(Protection::SealedPlatform) => content_sealed;
        CEREMONY => purpose, expires_at;
    }
    staff_roles {
        CONFIGURED => name, permissions, created_at, updated_at;
    }
    account_roles {
        ROLE.category("user.unique_id") => account_id;
        ROLE => role, granted_at;
    }
    management_keys {
        MANAGEMENT_KEY.category("user.unique_id") => id, account_id;
        MANAGEMENT_KEY.category("user.content").protected(Protection::SealedSubject) => name_sealed;
        MANAGEMENT_KEY.category("user.authorization.credentials").protected(Protection::KeyedHash) => hash;
        MANAGEMENT_KEY => hint, permissions, status, expires_at, created_at, updated_at;
    }
    api_keys {
        KEY.category("user.unique_id") => id, account_id, member_id;
        KEY => project_id;
        KEY.category("user.content").protected(Protection::SealedSubject) => name_sealed;
        KEY.category("user.authorization.credentials").protected(Protection::KeyedHash) => hash;
        KEY => hint, source, status, limits, created_at, updated_at;
    }
    verification_cases {
        VERIFICATION.category("user.unique_id") => id, account_id;
        VERIFICATION => kind, state, way, reason, agreed_at, created_at, submitted_at, decided_at, updated_at, forget_at;
        VERIFICATION.protected(Protection::KeyedHash) => number_hash;
        VERIFICATION.protected(Protection::SealedSubject).kept(VERIFYING_KEPT) => details_sealed, note_sealed;
    }
    verification_papers {
        PAPER.category("user.unique_id") => id, case_id;
        PAPER => kind, media, size, created_at;
    }
    verification_pieces {
        PIECE.category("user.unique_id") => paper_id;
        PIECE => place;
        PIECE.protected(Protection::SealedSubject) => content_sealed;
    }
    verification_checks {
        CHECK.category("user.unique_id") => case_id;
        CHECK => attempts, not_before, lease, leased_until, created_at;
    }
    providers {
        CONFIGURED => id, name, dialect, base_url, auth, allow_private, status, created_at, updated_at;
    }
    channels {
        CONFIGURED => id, name, provider_id, priority, weight, multiplier_ppm, max_concurrency, status, created_at,
            updated_at;
    }
    channel_credentials {
        CONFIGURED => id, channel_id, name, status, created_at, updated_at;
        CONFIGURED.category("system.authentication").protected(Protection::SealedPlatform) => secret_sealed;
        CONFIGURED.category("system.authentication").protected(Protection::KeyedHash) => secret_digest;
    }
    models {
        CONFIGURED => id, name, owned_by, context_tokens, max_output_tokens, status, created_at, updated_at;
    }
    channel_models {
        CONFIGURED => channel_id, model_id, upstream_model;
    }
    prices {
        CONFIGURED => id, model_id, version, price, effective_at, created_at;
    }
    ledger_accounts {
        BALANCE => id, kind, balance, updated_at;
        BALANCE.category("user.unique_id") => owner_id;
    }
    ledger_transactions {
        POSTING => id, kind, idempotency_key, created_at;
    }
    ledger_entries {
        POSTING => transaction_id, line, ledger_account_id, amount;
    }
    gateway_sessions {
        GATEWAY => id, gateway, version, sandbox, acknowledged, started_at, seen_at, ended_at;
    }
    leases {
        LEASE => session_id, from_gift, from_wallet, last_request, last_granted;
        LEASE.category("user.unique_id") => account_id;
    }
    open_calls {
        OPEN_CALL => session_id, batch, begun, created_at;
    }
    call_journal {
        UNSETTLED => session_id, batch, created_at, events;
    }
    calls {
        CALL.category("user.unique_id") => id, account_id, key_id;
        CALL => session_id, started_at, endpoint, stream, source, model_id, model, group_id, group_multiplier_ppm,
            channel_id, provider_id, credential_id, channel_multiplier_ppm, attempts, status, error_code, http_status,
            input_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, audio_input_tokens,
            image_input_tokens, output_tokens, reasoning_tokens, audio_output_tokens, usage_source,
            first_byte_micros, duration_micros;
        CALL.category("user.financial").purposes(MONEY).cites(&["YY-2.2", "YY-2.3", "YY-7"]) =>
            price_id, amount, capped, settlement_id;
        CALL.purposes(SECURITY) => concurrency, risk_marks;
        CALL.category("user.device").cites(&["YY-2.2", "YY-2.4", "YY-7"]) => agent_family;
        CALL.category("user.device.ip_address").purposes(SECURITY).protected(Protection::SealedSubject).kept(ADDRESS)
            .cites(&["YY-2.2", "YY-2.4", "YY-7"]) => ip_sealed;
        CALL.category("user.device").purposes(SECURITY).protected(Protection::SealedSubject).kept(ADDRESS)
            .cites(&["YY-2.2", "YY-2.4", "YY-7"]) => user_agent_sealed;
    }
    call_attempts {
        ATTEMPT.category("user.unique_id") => call_id;
        ATTEMPT => attempt, channel_id, credential_id, started_micros, duration_micros, error_code, http_status;
    }
    set_aside_events {
        ASIDE.category("user.unique_id") => call_id, account_id, key_id;
        ASIDE => id, session_id, event, reason, message, created_at, resolved_at;
        ASIDE.category("user.financial").purposes(MONEY).cites(&["YY-2.2", "YY-2.3", "YY-7"]) => amount;
    }
    usage_daily {
        USAGE.category("user.unique_id") => account_id, key_id;
        USAGE => day, calls, tokens;
        USAGE.category("user.financial").cites(&["YY-2.2", "YY-2.3", "YY-7"]) => amount;
    }
    idempotency_keys {
        REPEATED.category("user.unique_id") => id, account_id;
        REPEATED.protected(Protection::KeyedHash) => key_hash, request_hash;
        REPEATED.category("user.content").protected(Protection::SealedSubject) => answer_sealed;
        REPEATED => created_at;
    }
    changes {
        CHANGE => seq, kind, subject, created_at;
    }
    messages {
        MESSAGE.category("user.unique_id") => id, account_id;
        MESSAGE => kind, channel, language, state, created_at, not_before, expires_at, attempts, lease, leased_until,
            failure, finished_at;
        MESSAGE.category("user.unique_id.pseudonymous").protected(Protection::KeyedHash) => provider_reference;
        MESSAGE.category("user.contact").protected(Protection::SealedSubject).kept(UNSENT) => recipient_sealed;
        MESSAGE.category("user.content").protected(Protection::SealedSubject).kept(UNSENT) => variables_sealed;
    }
    development_outbox {
        DEVELOPMENT_MESSAGE.category("user.unique_id") => message_id, account_id;
        DEVELOPMENT_MESSAGE => created_at;
        DEVELOPMENT_MESSAGE.category("user.content").protected(Protection::SealedSubject) => content_sealed;
    }
    audit_entries {
        AUDIT => created_at, salt, actor_kind, action, object_kind, object_id, phase, about, fields, affected, code,
            actor_role;
        AUDIT.category("user.unique_id") => actor_id, subject_id;
        AUDIT.category("user.content").protected(Protection::SealedSubject) => reason_sealed;
        AUDIT.category("user.device.ip_address").protected(Protection::SealedSubject) => address_sealed;
        AUDIT_TREE => seq, commitment;
    }
    audit_tree {
        AUDIT_TREE => level, position, hash;
    }
    audit_checkpoints {
        AUDIT_TREE => size, created_at, root, note;
    }
    keyring_epochs {
        CONFIGURED => epoch, created_at;
        CONFIGURED.category("system.authentication").protected(Protection::SealedPlatform) => wrapped;
    }
    keyring_bunches {
        CONFIGURED => id, slot, epoch, spoilt, created_at;
        CONFIGURED.category("system.authentication").protected(Protection::SealedPlatform) => wrapped;
    }
    keyring_erasures {
        TOMBSTONE => seq, epoch, chain, erased_at;
        TOMBSTONE.protected(Protection::KeyedHash) => subject_hash;
    }
    keyring_state {
        CONFIGURED => singleton, changed, swept, created_at, rekeyed_at;
        CONFIGURED.category("system.authentication").protected(Protection::SealedPlatform) => wrapped;
    }
    subject_keys {
        SUBJECT_KEY => subject, bunch, created_at;
        SUBJECT_KEY.category("system.authentication").protected(Protection::SealedPlatform) => wrapped;
    }
    schema_migrations {
        BOOKKEEPING => schema, version, checksum, applied_at;
    }
}

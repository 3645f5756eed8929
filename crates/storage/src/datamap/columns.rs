//! The declarations: every column of every table.

use super::classes::*;
use tacit_kernel::datamap::{Element, Protection, Withheld};

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
        ACCOUNT => group_id, name_form, status, limits, created_at, updated_at;
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
        PROFILE.category("user.unique_id") => account_id;
        PROFILE.category("user.unique_id").withheld(Withheld::OfOthers) => invited_by;
        PROFILE.protected(Protection::SealedSubject) => fields_sealed;
        PROFILE.category("user.demographic.age_range") => age_band, guardian_consent_at;
        PROFILE.category("user.contact").protected(Protection::SealedSubject) => guardian_sealed;
        PROFILE.category("user.contact").protected(Protection::KeyedHash) => guardian_lookup;
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
        MEMBER_INVITATION.category("user.contact").protected(Protection::SealedSubject).withheld(Withheld::OfOthers)
            => recipient_sealed;
        MEMBER_INVITATION.category("user.contact").protected(Protection::KeyedHash) => recipient_lookup;
        MEMBER_INVITATION.category("user.authorization.credentials").protected(Protection::KeyedHash) => token_hash;
    }
    organisation_offers {
        OFFER.category("user.unique_id") => organisation_id, owner_id, member_id;
        OFFER => created_at, expires_at;
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
        PASSKEY.protected(Protection::SealedSubject).withheld(Withheld::Guards) => credential_sealed;
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
        MANAGEMENT_KEY => hint, scopes, permissions, status, expires_at, created_at, updated_at;
    }
    api_keys {
        KEY.category("user.unique_id") => id, account_id, member_id;
        KEY => project_id;
        KEY.category("user.content").protected(Protection::SealedSubject) => name_sealed;
        KEY.category("user.content").protected(Protection::KeyedHash) => name_lookup;
        KEY.category("user.authorization.credentials").protected(Protection::KeyedHash) => hash;
        KEY => hint, source, status, disabled_by, ended, limits, limits_by, created_at, updated_at, retired_at;
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
        CONFIGURED => id, name, dialect, base_url, auth, allow_private, status, recipient_id, created_at, updated_at;
    }
    recipients {
        CONFIGURED => id, name, kind, role, country, purposes, contract_at, retention_days, trains, evidence_url, checked_at,
            contact, dsr_endpoint, status, created_at, updated_at;
    }
    transfers {
        TRANSFER.category("user.unique_id") => id, account_id;
        TRANSFER => year, provider_id, recipient_id, country, calls, first_at, last_at;
    }
    disclosures {
        DISCLOSURE.category("user.unique_id") => id, account_id;
        DISCLOSURE.category("user.unique_id").withheld(Withheld::OfOthers) => proposed_by, decided_by;
        DISCLOSURE => ground, fields, state, proposed_at, decided_at, tell_from, told_at, updated_at;
        DISCLOSURE.category("user.content").protected(Protection::SealedSubject) => authority_sealed, reason_sealed;
    }
    transfer_progress {
        COUNTING => singleton, after_id, counted_at;
    }
    late_calls {
        LATE_CALL => call_id;
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
        ASIDE => id, session_id, event, reason, created_at, resolved_at;
        ASIDE.withheld(Withheld::SaysNothing) => message;
        ASIDE.category("user.financial").purposes(MONEY).cites(&["YY-2.2", "YY-2.3", "YY-7"]) => amount;
    }
    usage_daily {
        USAGE.category("user.unique_id") => account_id, key_id;
        USAGE => day, calls, tokens;
        USAGE.category("user.financial").cites(&["YY-2.2", "YY-2.3", "YY-7"]) => amount;
    }
    forgotten_entries {
        SHORTENED => ledger_account_id, entries, amount;
    }
    forgotten_calls {
        FORGOTTEN => settlement_id, calls, amount;
    }
    legal_holds {
        HOLD.category("user.unique_id") => id, account_id;
        HOLD => created_at, ends_at;
        HOLD.category("user.content").protected(Protection::SealedSubject) => reason_sealed;
    }
    choices {
        CHOICE.category("user.unique_id") => id, account_id;
        CHOICE => matter, number, allowed, via, wording, decided_at;
    }
    rights_requests {
        RIGHTS_REQUEST.category("user.unique_id") => id, account_id;
        RIGHTS_REQUEST => kind, state, asker, verified, refusal, forfeits, received_at, due_at, paused_at, cooling_until, closed_at,
            updated_at;
        RIGHTS_REQUEST.category("user.content").protected(Protection::SealedSubject) => said_sealed, answer_sealed;
    }
    incidents {
        INCIDENT => id, kind, state, found_at, began_at, ended_at, categories, clearing, created_at, updated_at, notified_at,
            published_at, closed_at;
        INCIDENT.protected(Protection::SealedPlatform) => words_sealed;
    }
    incident_criteria {
        INCIDENT => id, incident_id, kind, from_at, until_at, provider_id, channel_id, gateway, accounts, looked, found,
            after_id, created_at, finished_at;
        INCIDENT_ACTOR => actor_id;
    }
    incident_subjects {
        INCIDENT_SUBJECT.category("user.unique_id") => incident_id, account_id;
        INCIDENT_SUBJECT.withheld(Withheld::SaysNothing) => message_id;
        INCIDENT_SUBJECT => state, updated_at;
    }
    incident_clocks {
        INCIDENT => id, incident_id, clock, english, chinese, due_at, reported_at;
        INCIDENT_REPORTER => reported_by;
        INCIDENT.protected(Protection::SealedPlatform) => reported_to_sealed;
    }
    erasures {
        ERASURE.category("user.unique_id") => account_id, pseudonym;
        ERASURE => id, reason, forfeits, state, place, epoch, counts, begun_at, unreadable_at, purged_at, done_at,
            copies_until;
    }
    erasure_notices {
        ERASURE_NOTICE => id, erasure_id, recipient_id, state, attempts, not_before, lease, leased_until, created_at, ended_at;
        ERASURE_NOTICE.category("user.contact").protected(Protection::SealedSubject) => identities_sealed;
    }
    known_erasures {
        TOMBSTONE => singleton, seq, chain, seen_at;
    }
    retention_runs {
        RUN => id, class, cutoff, after_id, deleted, held, started_at, finished_at;
    }
    idempotency_keys {
        REPEATED.category("user.unique_id") => id, account_id;
        REPEATED.protected(Protection::KeyedHash) => key_hash, request_hash;
        REPEATED.category("user.content").protected(Protection::SealedSubject).withheld(Withheld::Guards) => answer_sealed;
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
        MESSAGE.category("user.content").protected(Protection::SealedSubject).kept(UNSENT).withheld(Withheld::Guards)
            => variables_sealed;
    }
    development_outbox {
        DEVELOPMENT_MESSAGE.category("user.unique_id") => message_id, account_id;
        DEVELOPMENT_MESSAGE => created_at;
        DEVELOPMENT_MESSAGE.category("user.content").protected(Protection::SealedSubject).withheld(Withheld::Guards)
            => content_sealed;
    }
    audit_entries {
        AUDIT.withheld(Withheld::SaysNothing) => salt;
        AUDIT => created_at, actor_kind, action, object_kind, object_id, phase, about, fields, affected, code,
            actor_role;
        AUDIT.category("user.unique_id") => subject_id;
        AUDIT.category("user.unique_id").withheld(Withheld::OfOthers) => actor_id;
        AUDIT.category("user.content").protected(Protection::SealedSubject) => reason_sealed;
        AUDIT.category("user.device.ip_address").protected(Protection::SealedSubject).withheld(Withheld::OfOthers)
            => address_sealed;
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

//! People with a row in everything that can lead to them, in the forms of their columns, with a canary where something is sealed.

use tacit_kernel::ids::AccountId;
use tacit_storage::{Db, Engine, Sql, StorageError};
use uuid::Uuid;

/// What a person has. `{me}` is the account, `{other}` another person, `{org}` an organisation that the other owns and of
/// which both are members; `{a}` to `{d}` are ids of this person, `{x}` is the person's canary.
const PERSON: &[&str] = &[
    "INSERT INTO account_profiles VALUES ({me}, {x}, 'under_18', {x}, 1, 'en', {other}, 0, 0, {x})",
    "INSERT INTO account_contacts VALUES ({me}, 'email', {x}, {x}, 0)",
    "INSERT INTO account_passwords VALUES ({me}, {x}, 0)",
    "INSERT INTO account_roles VALUES ({me}, 'auditor', 0)",
    "INSERT INTO console_sessions VALUES ({a}, {me}, {x}, 'password', 1, {x}, {x}, 0, 0, 9, NULL)",
    "INSERT INTO known_devices VALUES ({me}, {x}, 0)",
    "INSERT INTO recovery_codes VALUES ({me}, {x})",
    "INSERT INTO second_factors VALUES ({me}, {x}, 0, 0, 0)",
    "INSERT INTO linked_identities VALUES ({a}, {me}, 'github', {x}, {x}, {x}, 0, NULL)",
    "INSERT INTO passkeys VALUES ({a}, {me}, {x}, {x}, {x}, 0, NULL, 0)",
    "INSERT INTO sign_in_ceremonies VALUES ({x}, 'passkey_register', NULL, {me}, {x}, 9)",
    "INSERT INTO management_keys (id, account_id, name_sealed, hash, hint, permissions, status, created_at, updated_at) \
     VALUES ({a}, {me}, {x}, {x}, 'tmk', '[]', 'active', 0, 0)",
    "INSERT INTO idempotency_keys VALUES ({a}, {me}, {x}, {x}, {x}, 0)",
    "INSERT INTO messages (id, account_id, kind, channel, language, state, created_at, not_before, expires_at, attempts, \
     recipient_sealed, variables_sealed) VALUES ({a}, {me}, 'code', 'email', 'en', 'waiting', 0, 0, 9, 0, {x}, {x})",
    "INSERT INTO development_outbox VALUES ({a}, {me}, 0, {x})",
    "INSERT INTO invitations VALUES ({a}, {x}, {me}, 0, 9, NULL)",
    "INSERT INTO verification_cases (id, account_id, kind, state, way, details_sealed, created_at, updated_at) \
     VALUES ({a}, {me}, 'person', 'submitted', 'staff', {x}, 0, 0)",
    "INSERT INTO verification_papers VALUES ({b}, {a}, 'passport', 'png', 1, 0)",
    "INSERT INTO verification_pieces VALUES ({b}, 0, {x})",
    "INSERT INTO verification_checks VALUES ({a}, 0, 0, NULL, NULL, 0)",
    "INSERT INTO api_keys (id, account_id, name_sealed, hash, hint, source, status, limits, created_at, updated_at) \
     VALUES ({a}, {me}, {x}, {x}, 'sk', 'api', 'active', '{{}}', 0, 0)",
    "INSERT INTO organisation_members VALUES ({org}, {me}, 'developer', '{{}}', 0, 0)",
    "INSERT INTO api_keys (id, account_id, name_sealed, hash, hint, source, status, limits, created_at, updated_at, \
     member_id) VALUES ({b}, {org}, {y}, {y}, 'sk', 'api', 'active', '{{}}', 0, 0, {me})",
    "INSERT INTO organisation_invitations VALUES ({a}, {org}, {me}, 'viewer', 'email', {x}, {x}, {x}, 0, 9)",
    "INSERT INTO calls (id, account_id, key_id, session_id, started_at, endpoint, stream, source, group_id, \
     group_multiplier_ppm, channel_multiplier_ppm, attempts, status, http_status, input_tokens, cache_read_tokens, \
     cache_write_5m_tokens, cache_write_1h_tokens, audio_input_tokens, image_input_tokens, output_tokens, \
     reasoning_tokens, audio_output_tokens, usage_source, amount, capped, duration_micros, concurrency, risk_marks, \
     agent_family, ip_sealed, user_agent_sealed) VALUES ({a}, {me}, {a}, {c}, 0, '/v1/chat/completions', 0, 'api', {c}, 1, 1, 1, \
     'completed', 200, 0, 0, 0, 0, 0, 0, 0, 0, 0, 'provider', 0, 0, 1, 1, 0, 'curl', {x}, {x})",
    "INSERT INTO disclosures VALUES ({a}, {me}, 'statutory_duty', '[\"name\"]', 'approved', {x}, {x}, {c}, {d}, 1700000000000000, \
     1700000000000000, NULL, 1700000000000000, 0)",
    "INSERT INTO transfers VALUES ({a}, 2026, {c}, NULL, 'US', {me}, 1, 1700000000000000, 1700000000000000)",
    "INSERT INTO late_calls VALUES ({a})",
    "INSERT INTO call_attempts VALUES ({a}, 1, {c}, {c}, 0, 1, NULL, 500)",
    "INSERT INTO choices VALUES ({a}, {me}, 'improvement', 1, 1, 'person', 'w', 0)",
    "INSERT INTO rights_requests VALUES ({a}, {me}, 'correction', 'open', 'person', 'session', NULL, NULL, {x}, {x}, 0, 9, NULL, NULL, NULL, 0)",
    "INSERT INTO incidents VALUES ({a}, 'leak', 'open', 0, NULL, NULL, '[]', {y}, 0, 0, 0, NULL, NULL, NULL)",
    "INSERT INTO incident_subjects VALUES ({a}, {me}, 'waiting', {b}, 0)",
    "INSERT INTO usage_daily VALUES ({me}, {a}, 1, 1, 1, 0)",
    "INSERT INTO gateway_sessions VALUES ({c}, 'gw', '1', 1, 0, 0, 9223372036854775807, 1)",
    "INSERT INTO leases VALUES ({c}, {me}, 0, 0, 1, 0)",
    "INSERT INTO set_aside_events VALUES ({a}, {c}, 'ended', {a}, {me}, {a}, 0, 'key', {x}, 0, 1)",
];

/// What only the owner of an organisation has: the organisation, and what hangs on it.
const ORGANISATION: &[&str] = &[
    "INSERT INTO organisations VALUES ({org}, {x}, 0, 0)",
    "INSERT INTO organisation_projects VALUES ({d}, {org}, {x}, 'active', '{{}}', 0, 0)",
    "INSERT INTO organisation_members VALUES ({org}, {other}, 'owner', '{{}}', 0, 0)",
];

/// An offer of the owner to that person.
const OFFER: &[&str] = &["INSERT INTO organisation_offers VALUES ({org}, {other}, {me}, 0, 9)"];

/// A person as the fixtures write one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Person {
    pub(crate) account: AccountId,
    pub(crate) number: u8,
}

impl Person {
    /// What is written wherever something of this person is sealed.
    pub(crate) fn canary(self) -> Vec<u8> {
        format!("canary of person number {:03}", self.number).into_bytes()
    }

    /// Whether a row that was shown as text is this person's.
    pub(super) fn has(self, line: &str) -> bool {
        let line = line.to_lowercase().replace('-', "");
        let ids = format!("{:016x}0000", self.number);
        [self.account.0.simple().to_string(), hex(&self.canary()), ids].iter().any(|mark| line.contains(mark))
    }

    fn id(self, place: u8) -> Uuid {
        Uuid::from_u128(u128::from(self.number) << 64 | u128::from(place) << 8 | 1)
    }
}

/// Writes what a person has, with an organisation that another owns.
pub(super) async fn put(db: &Db, me: Person, other: AccountId, org: Person) {
    for text in PERSON {
        execute(db, text, me, other, org).await;
    }
}

/// Writes an organisation, which must be an account already, with its owner.
pub(super) async fn put_organisation(db: &Db, org: Person, owner: AccountId) {
    for text in ORGANISATION {
        execute(db, text, org, owner, org).await;
    }
}

/// The owner offers the organisation to that person.
pub(super) async fn put_offer(db: &Db, me: Person, owner: AccountId, org: Person) {
    for text in OFFER {
        execute(db, text, me, owner, org).await;
    }
}

/// Entries of their wallet were deleted, which came to nothing.
pub(super) async fn put_forgotten(db: &Db, me: Person) {
    let text =
        "INSERT INTO forgotten_entries SELECT id, 2, 0 FROM ledger_accounts WHERE owner_id = {me} AND kind = 'wallet'";
    execute(db, text, me, me.account, me).await;
}

/// Writes only the row of [`PERSON`] that begins so.
pub(super) async fn put_row(db: &Db, table: &str, me: Person, other: AccountId, org: Person) {
    let head = format!("INSERT INTO {table} ");
    let text = PERSON.iter().find(|text| text.starts_with(&head)).unwrap();
    execute(db, text, me, other, org).await;
}

async fn execute(db: &Db, text: &str, me: Person, other: AccountId, org: Person) {
    let engine = db.engine();
    let mut text = text.replace("{me}", &uuid(engine, me.account.0)).replace("{other}", &uuid(engine, other.0));
    text = text.replace("{org}", &uuid(engine, org.account.0)).replace("{x}", &bytes(engine, &me.canary()));
    text = text.replace("{y}", &bytes(engine, format!("of the organisation {:03}", me.number).as_bytes()));
    for (place, name) in ["{a}", "{b}", "{c}", "{d}"].into_iter().enumerate() {
        text = text.replace(name, &uuid(engine, me.id(u8::try_from(place).unwrap())));
    }
    let sql: &'static Sql = Box::leak(Box::new(Sql::new(text.replace("{{}}", "{}").leak())));
    let done: Result<u64, StorageError> =
        db.write("test.person", |tx| Box::pin(async move { tx.execute(sql, &[]).await })).await;
    done.unwrap_or_else(|error| panic!("{}: {error:?}", sql.text()));
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn uuid(engine: Engine, id: Uuid) -> String {
    match engine {
        Engine::Sqlite => format!("X'{}'", id.simple()),
        Engine::Postgres => format!("'{id}'"),
    }
}

fn bytes(engine: Engine, bytes: &[u8]) -> String {
    match engine {
        Engine::Sqlite => format!("X'{}'", hex(bytes)),
        Engine::Postgres => format!("'\\x{}'", hex(bytes)),
    }
}

//! Cells of the database as a copy shows them: sealed ones opened, ids and times and amounts as the console shows them.

use data_encoding::HEXLOWER;
use serde_json::{Map, Value as Json};
use tacit_kernel::datamap::{Element, Protection};
use tacit_kernel::{Nano, Timestamp, ids};
use tacit_storage::Value;
use tacit_storage::datamap::copying::{Given, GivenRow};
use tacit_vault::{Aad, SealKey};
use uuid::Uuid;
use zeroize::Zeroizing;

/// What the prefix of an id is, by the column; that of `id` by its table.
const PREFIXES: &[(&str, &str)] = &[
    ("account_id", ids::AccountId::PREFIX),
    ("organisation_id", ids::AccountId::PREFIX),
    ("owner_id", ids::AccountId::PREFIX),
    ("member_id", ids::AccountId::PREFIX),
    ("inviter_id", ids::AccountId::PREFIX),
    ("subject_id", ids::AccountId::PREFIX),
    ("key_id", ids::KeyId::PREFIX),
    ("project_id", ids::ProjectId::PREFIX),
    ("group_id", ids::GroupId::PREFIX),
    ("provider_id", ids::ProviderId::PREFIX),
    ("recipient_id", ids::RecipientId::PREFIX),
    ("channel_id", ids::ChannelId::PREFIX),
    ("credential_id", ids::CredentialId::PREFIX),
    ("model_id", ids::ModelId::PREFIX),
    ("price_id", ids::PriceId::PREFIX),
    ("call_id", ids::CallId::PREFIX),
    ("session_id", ids::SessionId::PREFIX),
    ("transaction_id", ids::TransactionId::PREFIX),
    ("settlement_id", ids::TransactionId::PREFIX),
    ("ledger_account_id", ids::LedgerAccountId::PREFIX),
    ("message_id", ids::MessageId::PREFIX),
    ("case_id", ids::VerificationId::PREFIX),
    ("accounts", ids::AccountId::PREFIX),
    ("api_keys", ids::KeyId::PREFIX),
    ("invitations", ids::InvitationId::PREFIX),
    ("console_sessions", ids::SignInId::PREFIX),
    ("linked_identities", ids::LinkedIdentityId::PREFIX),
    ("passkeys", ids::PasskeyId::PREFIX),
    ("management_keys", ids::ManagementKeyId::PREFIX),
    ("organisation_projects", ids::ProjectId::PREFIX),
    ("organisation_invitations", ids::MemberInvitationId::PREFIX),
    ("disclosures", ids::DisclosureId::PREFIX),
    ("transfers", ids::TransferId::PREFIX),
    ("calls", ids::CallId::PREFIX),
    ("set_aside_events", ids::EventId::PREFIX),
    ("ledger_accounts", ids::LedgerAccountId::PREFIX),
    ("messages", ids::MessageId::PREFIX),
    ("verification_cases", ids::VerificationId::PREFIX),
    ("rights_requests", ids::RightsRequestId::PREFIX),
];
/// The table that gateways seal for, and the label of their key.
const CALLS: &str = "calls";

/// Columns of amounts.
const AMOUNTS: &[&str] = &["amount", "balance", "forfeits", "from_gift", "from_wallet", "last_request", "last_granted"];
/// Columns of times whose names do not end as those of others.
const TIMES: &[&str] = &["not_before", "leased_until", "cooling_until", "tell_from"];

/// What a column is called in a copy.
pub(super) fn name(element: &Element) -> &'static str {
    let column = Given::column(element);
    column.strip_suffix("_sealed").unwrap_or(column)
}

/// What stands for a cell that cannot be read, which keeps nobody from having the rest.
const UNREADABLE: &str = "[cannot be read]";

/// The cells of a row.
pub(super) fn cells(given: &Given, row: &GivenRow, key: &SealKey) -> Vec<Json> {
    // Where something is sealed it is bound to its row by the first of what the row is known by.
    let place = row.key.first().and_then(place);
    let cell = |(element, cell): (&&'static Element, &Value)| {
        shown(given.table, element, cell, (key, place)).unwrap_or_else(|| UNREADABLE.into())
    };
    given.columns.iter().zip(&row.cells).map(cell).collect()
}

pub(super) fn object(given: &Given, cells: &[Json]) -> Map<String, Json> {
    given.columns.iter().zip(cells).map(|(element, cell)| (name(element).to_owned(), cell.clone())).collect()
}

/// A cell of a table. What a spreadsheet would take for a formula is marked as text.
pub(super) fn cell(value: &Json) -> String {
    match value {
        Json::Null => String::new(),
        Json::String(text) if text.starts_with(['=', '+', '-', '@', '\t', '\r']) => format!("'{text}"),
        Json::String(text) => text.clone(),
        other => other.to_string(),
    }
}

pub(super) fn place(key: &Value) -> Option<Uuid> {
    match key {
        Value::Uuid(id) => Some(*id),
        Value::Bytes(bytes) => Uuid::from_slice(bytes).ok(),
        Value::I64(seq) => Some(Uuid::from_u128(u128::try_from(*seq).ok()?)),
        _ => None,
    }
}

fn shown(table: &'static str, element: &Element, cell: &Value, seal: (&SealKey, Option<Uuid>)) -> Option<Json> {
    let column = Given::column(element);
    Some(match (cell, element.protection) {
        (Value::Null, _) => Json::Null,
        (Value::Bytes(sealed), Protection::SealedSubject) => {
            let (key, place) = seal;
            // The gateway seals with a key that opens nothing else, and names the columns shorter.
            let (key, column) = match table {
                CALLS => (key.derive(CALLS), name(element)),
                _ => (key.clone(), column),
            };
            let plain = key.open(&Aad { table, column, row: place? }, sealed).ok()?;
            // What a client calls itself is whatever bytes it sent.
            text(&String::from_utf8_lossy(&plain))
        }
        (Value::I64(micros), _) if column.ends_with("_at") || TIMES.contains(&column) => {
            Timestamp(*micros).to_string().into()
        }
        (Value::I64(nano), _) if AMOUNTS.contains(&column) => Nano(*nano).to_string().into(),
        (Value::I64(day), _) if column == "day" => Timestamp(day.saturating_mul(86_400_000_000)).to_string().into(),
        (Value::I64(number), _) => (*number).into(),
        (Value::Text(said), _) => text(said),
        (Value::Word(said), _) => text(said),
        (Value::Uuid(id), _) => identified(table, column, *id).into(),
        (Value::Bytes(bytes), _) => match Uuid::from_slice(bytes) {
            Ok(id) => identified(table, column, id).into(),
            Err(_) => HEXLOWER.encode(bytes).into(),
        },
    })
}

fn identified(table: &str, column: &str, id: Uuid) -> String {
    let by = if column == "id" { table } else { column };
    let prefix = PREFIXES.iter().find(|(name, _)| *name == by).map(|(_, prefix)| *prefix);
    prefix.map_or_else(|| id.to_string(), |prefix| ids::typed(prefix, id))
}

/// Text, or what it says if it is JSON of more than one value.
fn text(said: &str) -> Json {
    let structured = said.starts_with(['{', '[']).then(|| serde_json::from_str(said).ok()).flatten();
    structured.unwrap_or_else(|| said.into())
}

/// A piece of a paper.
pub(super) struct Piece {
    pub(super) paper: Uuid,
    pub(super) bytes: Zeroizing<Vec<u8>>,
    first: Option<&'static str>,
}

impl Piece {
    /// What its paper is called as a file; by its first bytes, as they were looked at when it was sent.
    pub(super) fn file(&self) -> String {
        format!("{}.{}", self.paper, self.first.unwrap_or("bin"))
    }
}

/// A row of pieces, opened with the key of its case: each place of a paper has one of its own.
pub(super) fn piece(given: &Given, row: &GivenRow, key: &SealKey) -> Option<Piece> {
    let (paper, Some(Value::I64(number))) = (row.key.first().and_then(place)?, row.key.get(1)) else { return None };
    let at = given.columns.iter().position(|element| element.protection == Protection::SealedSubject)?;
    let Value::Bytes(sealed) = row.cells.get(at)? else { return None };
    let aad = Aad { table: given.table, column: Given::column(given.columns.get(at)?), row: paper };
    let bytes = key.derive(&format!("verification-piece {number}")).open(&aad, sealed).ok()?;
    let first = [(&b"\xff\xd8\xff"[..], "jpg"), (b"\x89PNG", "png"), (b"%PDF", "pdf")];
    let first = first.iter().find(|(head, _)| bytes.starts_with(head)).map(|(_, ending)| *ending);
    Some(Piece { paper, bytes, first })
}

//! `/v1/audit`: the audit log, to be looked at, exported and checked.

use super::forms::audit::{base64, listed, shown};
use super::forms::{Moment, Page};
use super::input::Params;
use super::{Admin, Answer, accounts, not_found};
use axum::extract::{Path, State};
use axum::{Json, Router, routing::get};
use serde::{Deserialize, Serialize};
use tacit_kernel::ids::AccountId;
use tacit_kernel::{Fault, Personal};
use tacit_storage::audit::{Exported, Filter};

pub use super::forms::audit::AuditEntry;

/// Entries on a page of an export.
pub const EXPORT_PAGE: u32 = 4096;

/// Which entries to list; every part given must hold.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AuditQuery {
    /// Of this actor: a user id of the system, or the id of an account or a management key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// This action, such as `account.update`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// About this account, by name or id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// At or after this moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Moment>,
    /// Before this moment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Moment>,
    /// `next` of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// At most so many, 1 to 500; 100 if not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// An entry with what is sealed in it and the proof that it is in the log.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AuditDetail {
    /// The entry.
    #[serde(flatten)]
    pub entry: AuditEntry,
    /// Why it was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The actor's network address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// What the tree holds of it, base64.
    pub commitment: String,
    /// Hashes from the leaf to the root of the checkpoint, base64.
    pub proof: Vec<String>,
    /// The signed checkpoint that the proof leads to.
    pub checkpoint: String,
}

/// Which proof is wanted with the checkpoint.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CheckpointQuery {
    /// That the log continues itself as it was at this size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<u64>,
}

/// The log as it is, signed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SignedCheckpoint {
    /// How many entries.
    pub size: u64,
    /// The signed note.
    pub note: String,
    /// The consistency proof that was asked for, base64.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proof: Option<Vec<String>>,
}

/// What checkpoints are checked with.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct AuditKey {
    /// The verifier key.
    pub vkey: String,
}

/// From which entry on.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FromQuery {
    /// The first.
    pub from: u64,
}

/// An entry as it is exported.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ExportedEntry {
    /// Its number.
    pub seq: u64,
    /// What the tree holds of it, base64.
    pub commitment: String,
    /// The salt, base64; absent if it was erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub salt: Option<String>,
    /// The canonical bytes; absent if it was erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
}

fn exported(entry: Exported) -> ExportedEntry {
    let (salt, content) = entry.opened.map(|(salt, content)| (base64(&salt), content)).unzip();
    ExportedEntry { seq: entry.seq, commitment: base64(&entry.commitment), salt, content }
}

pub(super) fn routes() -> Router<Admin> {
    Router::new()
        .route("/v1/audit/entries", get(list))
        .route("/v1/audit/entries/{seq}", get(show))
        .route("/v1/audit/checkpoint", get(checkpoint))
        .route("/v1/audit/key", get(key))
        .route("/v1/audit/export", get(export))
        .route("/v1/audit/erased", get(erased))
}

async fn list(State(admin): State<Admin>, Params(query): Params<AuditQuery>) -> Answer<Page<AuditEntry>> {
    let subject = match &query.subject {
        // Of who was erased no account may be left.
        Some(reference) => match reference.parse::<AccountId>() {
            Ok(id) => Some(id),
            Err(_) => Some(accounts::find(&admin, reference).await?.id),
        },
        None => None,
    };
    let filter = Filter {
        actor: query.actor,
        action: query.action,
        subject,
        since: query.since.map(|m| m.0),
        until: query.until.map(|m| m.0),
    };
    Ok(Json(listed(&admin.audit, &filter, (query.after.as_deref(), query.limit)).await?))
}

async fn show(State(admin): State<Admin>, Path(seq): Path<String>) -> Answer<AuditDetail> {
    let missing = || not_found("audit.not_found", "entry");
    let seq = seq.parse().map_err(|_| missing())?;
    let found = admin.audit.show(seq).await?.ok_or_else(missing)?;
    Ok(Json(AuditDetail {
        commitment: base64(&found.entry.commitment),
        entry: shown(found.entry),
        reason: found.reason.map(Personal::into_inner),
        address: found.address.map(Personal::into_inner),
        proof: found.proof.iter().map(|hash| base64(hash)).collect(),
        checkpoint: found.checkpoint,
    }))
}

async fn checkpoint(State(admin): State<Admin>, Params(query): Params<CheckpointQuery>) -> Answer<SignedCheckpoint> {
    let note = admin.audit.checkpoint().await?;
    let size = size_of(&note).ok_or_else(|| Fault::internal("audit.checkpoint", "a checkpoint without a size"))?;
    let proof = match query.since {
        Some(old) => Some(admin.audit.consistency(old, size).await?.iter().map(|hash| base64(hash)).collect()),
        None => None,
    };
    Ok(Json(SignedCheckpoint { size, note, proof }))
}

/// The second line of a checkpoint.
fn size_of(note: &str) -> Option<u64> {
    note.lines().nth(1)?.parse().ok()
}

async fn key(State(admin): State<Admin>) -> Answer<AuditKey> {
    Ok(Json(AuditKey { vkey: admin.audit.verifier().to_string() }))
}

async fn export(State(admin): State<Admin>, Params(query): Params<FromQuery>) -> Answer<Vec<ExportedEntry>> {
    let page = admin.audit.export(query.from, EXPORT_PAGE).await?;
    Ok(Json(page.into_iter().map(exported).collect()))
}

/// Numbers of erased entries, so that whoever keeps an export can erase them there too.
async fn erased(State(admin): State<Admin>, Params(query): Params<FromQuery>) -> Answer<Vec<u64>> {
    Ok(Json(admin.audit.erased(query.from, EXPORT_PAGE).await?))
}

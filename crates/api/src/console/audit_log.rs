//! `/api/v1/audit/entries`: the audit log. What is sealed in an entry stays sealed here.

use super::{Access, Answer, Console, Params, Routes, not_found};
use crate::forms::audit::{AuditEntry, base64, listed, place, shown};
use crate::forms::{Moment, Page};
use crate::problem::Refusal;
use axum::Json;
use axum::extract::{Path, State};
use serde::{Deserialize, Serialize};
use tacit_identity::access::Permission;
use tacit_kernel::ids::AccountId;
use tacit_storage::audit::Filter;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

/// Which entries to list; every part given must hold.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
struct AuditQuery {
    /// Of this actor: a user id of the system, or the id of an account or a management key.
    #[param(max_length = 64)]
    actor: Option<String>,
    /// This action, such as `account.update`.
    #[param(max_length = 64)]
    action: Option<String>,
    /// About this account, by its id.
    #[param(value_type = Option<String>)]
    subject: Option<AccountId>,
    /// At or after this moment.
    since: Option<Moment>,
    /// Before this moment.
    until: Option<Moment>,
    /// `next` of the page before.
    after: Option<String>,
    /// At most so many, 1 to 500; 100 if not given.
    #[param(minimum = 0, maximum = 4294967295u32)]
    limit: Option<u32>,
}

/// An entry with the proof that it is in the log (docs/audit.md).
#[derive(Clone, Debug, Serialize, ToSchema)]
struct ProvedEntry {
    /// The entry.
    entry: AuditEntry,
    /// What the tree holds of it, base64.
    commitment: String,
    /// Hashes from the leaf to the root of the checkpoint, base64.
    proof: Vec<String>,
    /// The signed checkpoint that the proof leads to.
    checkpoint: String,
}

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .add(Access::Needs(Permission::AuditRead), routes!(audit_list))
        .add(Access::Needs(Permission::AuditRead), routes!(audit_show))
}

/// Entries of the audit log, newest first.
#[utoipa::path(get, path = "/api/v1/audit/entries", tag = "audit", params(AuditQuery), responses(
    (status = 200, description = "A page of entries.", body = Page<AuditEntry>),
))]
async fn audit_list(State(console): State<Console>, Params(query): Params<AuditQuery>) -> Answer<Page<AuditEntry>> {
    let filter = Filter {
        actor: query.actor,
        action: query.action,
        subject: query.subject,
        since: query.since.map(|moment| moment.0),
        until: query.until.map(|moment| moment.0),
    };
    let page = listed(&console.audit, &filter, (query.after.as_deref(), query.limit)).await;
    Ok(Json(page.map_err(Refusal::from)?))
}

/// An entry of the audit log, with the proof that it is there.
#[utoipa::path(get, path = "/api/v1/audit/entries/{seq}", tag = "audit", params(
    ("seq" = String, Path, description = "Its number."),
), responses(
    (status = 200, description = "The entry.", body = ProvedEntry),
))]
async fn audit_show(State(console): State<Console>, Path(seq): Path<String>) -> Answer<ProvedEntry> {
    let missing = || not_found("audit.not_found", "entry");
    let found = console.audit.show(place(&seq).ok_or_else(missing)?).await?.ok_or_else(missing)?;
    Ok(Json(ProvedEntry {
        commitment: base64(&found.entry.commitment),
        entry: shown(found.entry),
        proof: found.proof.iter().map(|hash| base64(hash)).collect(),
        checkpoint: found.checkpoint,
    }))
}

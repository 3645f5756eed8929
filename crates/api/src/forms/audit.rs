//! Entries of the audit log on the wire, for the admin socket and the console.

use super::{Moment, Page, not_a_next};
use serde::{Deserialize, Serialize};
use tacit_kernel::Fault;
use tacit_kernel::ids::AccountId;
use tacit_storage::audit::{Audit, Entry, Filter};
use utoipa::ToSchema;

/// An entry.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AuditEntry {
    /// Its number.
    pub seq: u64,
    /// When it was written.
    pub at: Moment,
    /// `operator`, `account`, `management_key` or `system`.
    pub actor_kind: String,
    /// Which one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub actor: Option<String>,
    /// In which roles of staff.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub roles: Vec<String>,
    /// What is done.
    pub action: String,
    /// With what kind of thing.
    pub object_kind: String,
    /// Which one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub object: Option<String>,
    /// Whose data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub subject: Option<AccountId>,
    /// `begun`, `done` or `refused`.
    pub phase: String,
    /// The entry whose outcome this tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub about: Option<u64>,
    /// Names of what is changed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub fields: Vec<String>,
    /// How many things were changed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub affected: Option<u64>,
    /// Code of a refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub code: Option<String>,
    /// Whether the person it was about was erased: what is left is not proved by the log any more.
    pub erased: bool,
}

/// An entry, without what is sealed in it.
pub(crate) fn shown(entry: Entry) -> AuditEntry {
    let kept = entry.kept;
    AuditEntry {
        seq: kept.seq,
        at: kept.at.into(),
        actor_kind: kept.actor_kind,
        actor: kept.actor_id,
        action: kept.action,
        object_kind: kept.object_kind,
        object: kept.object_id,
        subject: kept.subject,
        phase: kept.phase,
        about: kept.about,
        roles: parts(kept.actor_role.as_deref().unwrap_or_default()),
        fields: parts(&kept.fields),
        affected: kept.affected,
        code: kept.code,
        erased: entry.erased,
    }
}

/// A page of entries, newest first.
///
/// # Errors
/// Storage; `request.page` if `after` does not come from an earlier page.
pub(crate) async fn listed(
    audit: &Audit,
    filter: &Filter,
    (after, limit): (Option<&str>, Option<u32>),
) -> Result<Page<AuditEntry>, Fault> {
    let before = after.map(|text| place(text).ok_or_else(not_a_next)).transpose()?;
    let limit = limit.unwrap_or(100).clamp(1, 500);
    let items = audit.list(filter, before, limit + 1).await?;
    Ok(newest_first(items, limit, |entry| entry.kept.seq, shown))
}

/// A number of the log as the place in a list.
pub(crate) fn place(text: &str) -> Option<u64> {
    text.parse::<i64>().ok().and_then(|number| u64::try_from(number).ok())
}

/// A page from one item more than it holds.
pub(crate) fn newest_first<U, T>(
    mut items: Vec<U>,
    limit: u32,
    seq: impl Fn(&U) -> u64,
    shown: impl FnMut(U) -> T,
) -> Page<T> {
    let size = usize::try_from(limit).unwrap_or(usize::MAX);
    let more = items.len() > size;
    items.truncate(size);
    let next = items.last().filter(|_| more).map(|item| seq(item).to_string());
    Page { items: items.into_iter().map(shown).collect(), next }
}

/// A text of words with commas between.
pub(crate) fn parts(text: &str) -> Vec<String> {
    text.split(',').filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// Bytes as base64.
pub(crate) fn base64(bytes: &[u8]) -> String {
    data_encoding::BASE64.encode(bytes)
}

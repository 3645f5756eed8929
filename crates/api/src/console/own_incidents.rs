//! `/api/v1/account/incidents`: incidents that concern the caller, for who was told of them, and for who could not be.

use super::{Access, Answer, Console, Params, Routes, Signed};
use crate::forms::incidents::{IncidentKind, Wording};
use crate::forms::{Moment, Page, PageQuery, page_of};
use axum::Json;
use axum::extract::State;
use serde::Serialize;
use tacit_identity::access::Scope;
use tacit_kernel::ids::IncidentId;
use tacit_privacy::incidents::Incident;
use utoipa::ToSchema;
use utoipa_axum::routes;

/// An incident that concerns the caller.
#[derive(Serialize, ToSchema)]
struct OwnIncident {
    /// Its id.
    #[schema(value_type = String)]
    id: IncidentId,
    /// What happened to data.
    kind: IncidentKind,
    /// When it was found.
    found_at: Moment,
    /// When it began, if that is known.
    began_at: Option<Moment>,
    /// When it was over, if it is.
    ended_at: Option<Moment>,
    /// Kinds of data.
    categories: Vec<String>,
    /// What happened, what was done, what can be done, what is offered, in English.
    en: Wording,
    /// The same in Chinese.
    zh: Wording,
}

impl From<Incident> for OwnIncident {
    fn from(incident: Incident) -> Self {
        Self {
            id: incident.id,
            kind: incident.kind.into(),
            found_at: incident.found_at.into(),
            began_at: incident.began_at.map(Into::into),
            ended_at: incident.ended_at.map(Into::into),
            categories: incident.categories,
            en: incident.words.en.into(),
            zh: incident.words.zh.into(),
        }
    }
}

pub(super) fn routes(routes: Routes) -> Routes {
    routes.add(Access::own(Scope::AccountRead), routes!(own_incidents_list))
}

/// Incidents that concern the caller, newest first.
#[utoipa::path(get, path = "/api/v1/account/incidents", tag = "account", params(PageQuery), responses(
    (status = 200, description = "A page of incidents.", body = Page<OwnIncident>),
))]
async fn own_incidents_list(
    State(console): State<Console>,
    caller: Signed,
    Params(query): Params<PageQuery>,
) -> Answer<Page<OwnIncident>> {
    let page = page_of(query.after.as_deref(), query.limit)?;
    Ok(Json(Page::of(console.incidents.of_account(caller.account, page).await?, Into::into)))
}

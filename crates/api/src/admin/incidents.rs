//! `/v1/incidents`: what happened to data, whom it concerns, who is told and until when somebody must be.

use super::forms::{Page, PageQuery, page_of};
use super::input::{Input, Params};
use super::{Admin, Answer, not_found};
use crate::problem::Refusal;
use crate::server::Peer;
use axum::extract::{Path, State};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use serde::{Deserialize, Serialize};
use tacit_kernel::ids::IncidentId;
use tacit_kernel::{ErrorKind, Fault};
use tacit_privacy::Language;

pub use crate::forms::incidents::{
    CriterionKind, DraftText, IncidentClock, IncidentCriterion, IncidentDetails, IncidentDraft, IncidentEvent,
    IncidentKind, IncidentLine, IncidentPatch, IncidentStep, IncidentSubject, NewCriterion, NewIncident,
    NewIncidentReport, WordingPatch,
};

/// Which draft.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DraftQuery {
    /// What it is for.
    pub draft: IncidentDraft,
    /// `en` or `zh`.
    pub language: String,
}

pub(super) fn routes() -> Router<Admin> {
    Router::new()
        .route("/v1/incidents", get(list).post(open))
        .route("/v1/incidents/{incident}", get(show).patch(update))
        .route("/v1/incidents/{incident}/scope", post(scope))
        .route("/v1/incidents/{incident}/clear", post(clear))
        .route("/v1/incidents/{incident}/subjects", get(subjects))
        .route("/v1/incidents/{incident}/draft", get(draft))
        .route("/v1/incidents/{incident}/state", post(step))
        .route("/v1/incidents/{incident}/announce", post(announce))
        .route("/v1/incidents/{incident}/reports", post(report))
}

fn id_of(text: &str) -> Result<IncidentId, Fault> {
    text.parse().map_err(|_| not_found("incident.not_found", "incident"))
}

async fn details(admin: &Admin, id: IncidentId) -> Answer<IncidentDetails> {
    let facts = admin.incidents.find(id).await?;
    Ok(Json(IncidentDetails::of(&admin.incidents, facts, admin.clock.now())))
}

async fn list(State(admin): State<Admin>, Params(query): Params<PageQuery>) -> Answer<Page<IncidentLine>> {
    let listed = admin.incidents.list(page_of(query.after.as_deref(), query.limit)?).await?;
    let now = admin.clock.now();
    Ok(Json(Page::of(listed, |(incident, clocks)| IncidentLine::of(&incident, &clocks, now))))
}

async fn open(State(admin): State<Admin>, Input(new): Input<NewIncident>) -> Answer<IncidentLine> {
    let incident = admin.incidents.open(&new.read(admin.clock.now())).await?;
    let facts = admin.incidents.find(incident.id).await?;
    Ok(Json(IncidentLine::of(&facts.incident, &facts.clocks, admin.clock.now())))
}

async fn show(State(admin): State<Admin>, Path(incident): Path<String>) -> Answer<IncidentDetails> {
    details(&admin, id_of(&incident)?).await
}

async fn update(
    State(admin): State<Admin>,
    Path(incident): Path<String>,
    Input(patch): Input<IncidentPatch>,
) -> Answer<IncidentDetails> {
    let id = id_of(&incident)?;
    admin.incidents.update(id, &patch.read()).await?;
    details(&admin, id).await
}

async fn scope(
    State(admin): State<Admin>,
    Path(incident): Path<String>,
    Input(new): Input<NewCriterion>,
) -> Answer<IncidentDetails> {
    let id = id_of(&incident)?;
    admin.incidents.seek(id, &new.read()?).await?;
    details(&admin, id).await
}

async fn clear(State(admin): State<Admin>, Path(incident): Path<String>) -> Answer<IncidentDetails> {
    let id = id_of(&incident)?;
    admin.incidents.clear(id).await?;
    details(&admin, id).await
}

async fn subjects(
    State(admin): State<Admin>,
    Path(incident): Path<String>,
    Params(query): Params<PageQuery>,
) -> Answer<Page<IncidentSubject>> {
    let page = page_of(query.after.as_deref(), query.limit)?;
    Ok(Json(Page::of(admin.incidents.subjects(id_of(&incident)?, page).await?, Into::into)))
}

async fn draft(
    State(admin): State<Admin>,
    Path(incident): Path<String>,
    Params(query): Params<DraftQuery>,
) -> Answer<DraftText> {
    let unknown = || Fault::new(ErrorKind::Invalid, "request.language", "there are drafts in en and zh");
    let language = Language::parse(&query.language).ok_or_else(unknown)?;
    let text = admin.incidents.draft(id_of(&incident)?, query.draft.into(), language).await?;
    Ok(Json(DraftText { text }))
}

async fn step(
    State(admin): State<Admin>,
    Path(incident): Path<String>,
    Input(step): Input<IncidentStep>,
) -> Answer<IncidentDetails> {
    let id = id_of(&incident)?;
    admin.incidents.happen(id, (step.event.into(), step.announce)).await?;
    details(&admin, id).await
}

async fn announce(State(admin): State<Admin>, Path(incident): Path<String>) -> Answer<IncidentDetails> {
    let id = id_of(&incident)?;
    admin.incidents.announce(id).await?;
    details(&admin, id).await
}

async fn report(
    State(admin): State<Admin>,
    peer: Option<Extension<Peer>>,
    Path(incident): Path<String>,
    Input(new): Input<NewIncidentReport>,
) -> Result<Json<IncidentDetails>, Refusal> {
    // As the audit log names them.
    let by = peer.and_then(|peer| peer.0.uid).map(|uid| uid.to_string());
    let facts = admin.incidents.report(id_of(&incident)?, &new.read(by)).await?;
    Ok(Json(IncidentDetails::of(&admin.incidents, facts, admin.clock.now())))
}

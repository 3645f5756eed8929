//! `/api/v1/incidents`: what happened to data, whom it concerns, who is told and until when somebody must be.

use super::idempotency::{Replayed, Undone};
use super::published::LanguageQuery;
use super::{Access, Answer, Console, ETag, Idempotent, IfMatch, Input, Params, Reference, Routes, Signed};
use crate::forms::incidents::{
    DraftText, IncidentDetails, IncidentDraft, IncidentLine, IncidentPatch, IncidentStep, IncidentSubject,
    NewCriterion, NewIncident, NewIncidentReport,
};
use crate::forms::{Page, PageQuery, page_of};
use crate::problem::{Problem, Refusal};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tacit_identity::access::Permission;
use tacit_kernel::ids::IncidentId;
use tacit_kernel::{ErrorKind, Fault};
use tacit_privacy::Language;
use tacit_storage::WriteTx;
use utoipa::IntoParams;
use utoipa_axum::routes;

/// Which draft.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct DraftQuery {
    /// What it is for.
    #[param(inline)]
    draft: IncidentDraft,
    /// `en` or `zh`; English if it is not given.
    #[serde(default)]
    language: Option<String>,
}

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .add(Access::Public, routes!(incidents_page))
        .add(Access::Needs(Permission::IncidentsRead), routes!(incidents_list))
        .add(Access::Needs(Permission::IncidentsWrite), routes!(incidents_open))
        .add(Access::Needs(Permission::IncidentsRead), routes!(incidents_show))
        .add(Access::Needs(Permission::IncidentsWrite), routes!(incidents_update))
        .add(Access::Needs(Permission::IncidentsWrite), routes!(incidents_scope, incidents_clear))
        .add(Access::Needs(Permission::IncidentsRead), routes!(incidents_subjects))
        .add(Access::Needs(Permission::IncidentsRead), routes!(incidents_draft))
        .add(Access::Needs(Permission::IncidentsWrite), routes!(incidents_step))
        .add(Access::Needs(Permission::IncidentsWrite), routes!(incidents_announce))
        .add(Access::Needs(Permission::IncidentsWrite), routes!(incidents_report))
}

/// Incidents that everybody may read of, for whoever could not be told personally, and for everybody else.
#[utoipa::path(get, path = "/privacy/incidents", tag = "privacy", params(LanguageQuery), responses(
    (status = 200, description = "The page.", body = String, content_type = "text/html"),
))]
async fn incidents_page(
    State(console): State<Console>,
    Params(query): Params<LanguageQuery>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let language = super::published::language(&query, &headers)?;
    let html = console.incidents.page(language).await?;
    let mut response = super::published::page(html, language);
    // It is made anew when something is announced.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(response)
}

/// Incidents, newest first.
#[utoipa::path(get, path = "/api/v1/incidents", tag = "privacy", params(PageQuery), responses(
    (status = 200, description = "A page of incidents.", body = Page<IncidentLine>),
))]
async fn incidents_list(
    State(console): State<Console>,
    Params(query): Params<PageQuery>,
) -> Answer<Page<IncidentLine>> {
    let page = page_of(query.after.as_deref(), query.limit)?;
    let (listed, now) = (console.incidents.list(page).await?, console.clock.now());
    Ok(Json(Page::of(listed, |(incident, clocks)| IncidentLine::of(&incident, &clocks, now))))
}

/// Opens an incident. Its legal clocks run from when it was found.
#[utoipa::path(post, path = "/api/v1/incidents", tag = "privacy", params(
    ("idempotency-key" = Option<String>, Header, description = "Makes it safe to send this again; kept for a day.",
        min_length = 1, max_length = 255),
), request_body = NewIncident, responses(
    (status = 201, description = "The incident.", body = IncidentLine, headers(
        ("idempotency-replayed" = String, description = "`true` if this is the answer of an earlier request."),
    )),
))]
async fn incidents_open(
    State(console): State<Console>,
    caller: Signed,
    idempotent: Idempotent,
    Input(new): Input<NewIncident>,
) -> Result<Response, Refusal> {
    let once = &idempotent.of(&console, &caller, "incidents.open", &new)?;
    let now = console.clock.now();
    let (console, new) = (&console, &new.read(now));
    let open = async |tx: &mut WriteTx<'_>| {
        if let Some(made) = once.stored::<IncidentLine>(console, tx).await? {
            return Ok::<_, Undone>((made, true));
        }
        let incident = console.incidents.open_in_tx(tx, new).await?;
        let facts = console.incidents.facts_in_tx(tx, incident.id).await?;
        let made = IncidentLine::of(&facts.incident, &facts.clocks, now);
        once.keep(console, tx, &made).await?;
        Ok((made, false))
    };
    let open = &open;
    let (made, replayed) = console.db.write("console.incident.open", |tx| Box::pin(open(tx))).await?;
    Ok((StatusCode::CREATED, Replayed(replayed), Json(made)).into_response())
}

/// Everything about an incident but who it concerns.
#[utoipa::path(get, path = "/api/v1/incidents/{incident}", tag = "privacy", params(
    ("incident" = String, Path, description = "Its id."),
    ("if-none-match" = Option<String>, Header, description = "The version that the caller has."),
), responses(
    (status = 200, description = "The incident.", body = IncidentDetails,
        headers(("etag" = String, description = "The version."))),
    (status = 304, description = "The caller has this version."),
))]
async fn incidents_show(
    State(console): State<Console>,
    versions: IfMatch,
    Reference(id): Reference<IncidentId>,
) -> Result<Response, Refusal> {
    let shown = details(&console, id).await?;
    Ok(versions.shown(ETag::of(&console, &shown)?, Json(shown)))
}

async fn details(console: &Console, id: IncidentId) -> Result<IncidentDetails, Refusal> {
    let facts = console.incidents.find(id).await?;
    Ok(IncidentDetails::of(&console.incidents, facts, console.clock.now()))
}

/// Changes what is known and told of an incident, until people are told of it.
#[utoipa::path(patch, path = "/api/v1/incidents/{incident}", tag = "privacy", params(
    ("incident" = String, Path, description = "Its id."),
    ("if-match" = Option<String>, Header, description = "Change it only if this is its version."),
), request_body = IncidentPatch, responses(
    (status = 200, description = "The incident as it is now.", body = IncidentDetails,
        headers(("etag" = String, description = "The version."))),
    (status = 409, description = "People are told of it, or it is closed.", body = Problem,
        content_type = "application/problem+json"),
    (status = 412, description = "It has another version.", body = Problem, content_type = "application/problem+json"),
))]
async fn incidents_update(
    State(console): State<Console>,
    versions: IfMatch,
    Reference(id): Reference<IncidentId>,
    Input(patch): Input<IncidentPatch>,
) -> Result<Response, Refusal> {
    let (console, versions, change, now) = (&console, &versions, &patch.read(), console.clock.now());
    let update = async |tx: &mut WriteTx<'_>| {
        let before = console.incidents.facts_in_tx(tx, id).await?;
        let before = IncidentDetails::of(&console.incidents, before, now);
        versions.check(&ETag::of(console, &before)?)?;
        console.incidents.update_in_tx(tx, id, change).await?;
        let after = console.incidents.facts_in_tx(tx, id).await?;
        Ok::<_, Undone>(IncidentDetails::of(&console.incidents, after, now))
    };
    let update = &update;
    let after = console.db.write("console.incident.update", |tx| Box::pin(update(tx))).await?;
    Ok((ETag::of(console, &after)?, Json(after)).into_response())
}

/// Says who is concerned, beside whoever was said before. They are looked for in the background.
#[utoipa::path(post, path = "/api/v1/incidents/{incident}/scope", tag = "privacy", params(
    ("incident" = String, Path, description = "Its id."),
), request_body = NewCriterion, responses(
    (status = 202, description = "The incident, with how far it is looked.", body = IncidentDetails),
    (status = 409, description = "It is closed, or whoever was concerned is being taken out.", body = Problem,
        content_type = "application/problem+json"),
))]
async fn incidents_scope(
    State(console): State<Console>,
    Reference(id): Reference<IncidentId>,
    Input(new): Input<NewCriterion>,
) -> Result<Response, Refusal> {
    console.incidents.seek(id, &new.read()?).await?;
    Ok((StatusCode::ACCEPTED, Json(details(&console, id).await?)).into_response())
}

/// Takes out whoever was taken to be concerned, of an incident that nobody was told of.
#[utoipa::path(delete, path = "/api/v1/incidents/{incident}/scope", tag = "privacy", params(
    ("incident" = String, Path, description = "Its id."),
), responses(
    (status = 202, description = "They are being taken out.", body = IncidentDetails),
    (status = 409, description = "People were told of it.", body = Problem, content_type = "application/problem+json"),
))]
async fn incidents_clear(
    State(console): State<Console>,
    Reference(id): Reference<IncidentId>,
) -> Result<Response, Refusal> {
    console.incidents.clear(id).await?;
    Ok((StatusCode::ACCEPTED, Json(details(&console, id).await?)).into_response())
}

/// Whom an incident concerns, by number, and how they are told. The look is recorded.
#[utoipa::path(get, path = "/api/v1/incidents/{incident}/subjects", tag = "privacy", params(
    ("incident" = String, Path, description = "Its id."), PageQuery,
), responses(
    (status = 200, description = "A page of accounts.", body = Page<IncidentSubject>),
))]
async fn incidents_subjects(
    State(console): State<Console>,
    Reference(id): Reference<IncidentId>,
    Params(query): Params<PageQuery>,
) -> Answer<Page<IncidentSubject>> {
    let page = page_of(query.after.as_deref(), query.limit)?;
    Ok(Json(Page::of(console.incidents.subjects(id, page).await?, Into::into)))
}

/// A draft of what is told to people, or reported to a regulator. It is refused by the names of what is missing.
#[utoipa::path(get, path = "/api/v1/incidents/{incident}/draft", tag = "privacy", params(
    ("incident" = String, Path, description = "Its id."), DraftQuery,
), responses(
    (status = 200, description = "The draft.", body = DraftText),
    (status = 409, description = "Something is not said yet; the text names it.", body = Problem,
        content_type = "application/problem+json"),
))]
async fn incidents_draft(
    State(console): State<Console>,
    Reference(id): Reference<IncidentId>,
    Params(query): Params<DraftQuery>,
) -> Answer<DraftText> {
    let unknown = || Fault::new(ErrorKind::Invalid, "request.language", "there are drafts in en and zh");
    let language = query.language.as_deref().map_or(Some(Language::En), Language::parse).ok_or_else(unknown)?;
    Ok(Json(DraftText { text: console.incidents.draft(id, query.draft.into(), language).await? }))
}

/// Brings an incident further: assessed, people told, closed, opened again.
#[utoipa::path(post, path = "/api/v1/incidents/{incident}/state", tag = "privacy", params(
    ("incident" = String, Path, description = "Its id."),
), request_body = IncidentStep, responses(
    (status = 200, description = "The incident as it is now.", body = IncidentDetails),
    (status = 409, description = "It has not come so far, or something is missing; the text names it.", body = Problem,
        content_type = "application/problem+json"),
))]
async fn incidents_step(
    State(console): State<Console>,
    Reference(id): Reference<IncidentId>,
    Input(step): Input<IncidentStep>,
) -> Answer<IncidentDetails> {
    console.incidents.happen(id, (step.event.into(), step.announce)).await?;
    Ok(Json(details(&console, id).await?))
}

/// Lets everybody read of an incident at `/privacy/incidents`.
#[utoipa::path(post, path = "/api/v1/incidents/{incident}/announcement", tag = "privacy", params(
    ("incident" = String, Path, description = "Its id."),
), responses(
    (status = 200, description = "The incident as it is now.", body = IncidentDetails),
    (status = 409, description = "It is not assessed, or something is missing.", body = Problem,
        content_type = "application/problem+json"),
))]
async fn incidents_announce(
    State(console): State<Console>,
    Reference(id): Reference<IncidentId>,
) -> Answer<IncidentDetails> {
    console.incidents.announce(id).await?;
    Ok(Json(details(&console, id).await?))
}

/// Writes down that somebody was told whom a legal clock wants to be told.
#[utoipa::path(post, path = "/api/v1/incidents/{incident}/reports", tag = "privacy", params(
    ("incident" = String, Path, description = "Its id."),
), request_body = NewIncidentReport, responses(
    (status = 200, description = "The incident as it is now.", body = IncidentDetails),
    (status = 409, description = "That clock is ticked off.", body = Problem, content_type = "application/problem+json"),
))]
async fn incidents_report(
    State(console): State<Console>,
    caller: Signed,
    Reference(id): Reference<IncidentId>,
    Input(new): Input<NewIncidentReport>,
) -> Answer<IncidentDetails> {
    let by = super::recording::actor(Some(&caller)).id();
    let facts = console.incidents.report(id, &new.read(by)).await?;
    Ok(Json(IncidentDetails::of(&console.incidents, facts, console.clock.now())))
}

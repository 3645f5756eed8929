//! `/api/v1/rights-requests`: what people ask for about their data, for who decides it. Lists tell what is asked and until when it is
//! to be answered; the words of people are shown to who says why.

use super::reasons::{Reasoned, Why};
use super::rights_forms::{RefusalReason, RequestLine, RequestView};
use super::rights_notices::tell;
use super::unmask::SHOWN;
use super::{Access, Answer, Console, ETag, IfMatch, Input, Params, Reference, Routes, Undone};
use crate::forms::{Moment, Page, page_of};
use crate::problem::{Problem, Refusal};
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tacit_identity::access::Permission;
use tacit_kernel::Personal;
use tacit_kernel::ids::RightsRequestId;
use tacit_privacy::requests::{Acting, Change, Event, Kind, RequestError};
use tacit_storage::WriteTx;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

/// Which requests are wanted.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct RequestQuery {
    /// Those that are closed too.
    #[serde(default)]
    closed: bool,
    /// `next` of the page before.
    #[serde(default)]
    after: Option<String>,
    /// At most so many, 1 to 500; 100 if not given.
    #[serde(default)]
    #[param(minimum = 0, maximum = 4294967295u32)]
    limit: Option<u32>,
}

/// A request with what was said.
#[derive(Serialize, ToSchema)]
struct RightsRequestDetails {
    /// The request.
    #[schema(inline)]
    request: RequestView,
    /// When whoever shows this hides it again.
    hide_at: Moment,
}

/// What is decided.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum RightsDecision {
    /// The person is asked for something; the clock stands until they answer.
    Ask,
    /// It is done. A cancellation is done by this, once its time for reflection is over: the account is erased, and nothing can be
    /// told to anybody any more.
    Fulfil,
    /// It is refused.
    Refuse,
    /// After an appeal: the refusal stands.
    Uphold,
    /// After an appeal: the refusal was wrong, and the request is open again.
    Reverse,
}

/// A decision.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Decide {
    /// What.
    decision: RightsDecision,
    /// What the person is told, in words.
    #[schema(min_length = 1, max_length = 8000)]
    answer: String,
    /// Why it is refused.
    #[serde(default)]
    refusal: Option<RefusalReason>,
}

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .add(Access::Needs(Permission::PrivacyRead), routes!(rights_requests_list))
        .add(Access::Needs(Permission::PrivacyRead), routes!(rights_requests_show))
        .add(Access::Needs(Permission::PrivacyWrite), routes!(rights_requests_details))
        .add(Access::Needs(Permission::PrivacyWrite), routes!(rights_requests_decide))
}

/// Requests of people, oldest first, without what was said.
#[utoipa::path(get, path = "/api/v1/rights-requests", tag = "privacy", params(RequestQuery), responses(
    (status = 200, description = "A page of requests.", body = Page<RequestLine>),
))]
async fn rights_requests_list(
    State(console): State<Console>,
    Params(query): Params<RequestQuery>,
) -> Answer<Page<RequestLine>> {
    let page = page_of(query.after.as_deref(), query.limit)?;
    let (requests, now) = (console.requests.list(query.closed, page).await?, console.clock.now());
    Ok(Json(Page::of(requests, |request| RequestLine::of(&request, now))))
}

/// A request, without what was said.
#[utoipa::path(get, path = "/api/v1/rights-requests/{request}", tag = "privacy", params(
    ("request" = String, Path, description = "Its id."),
    ("if-none-match" = Option<String>, Header, description = "The version that the caller has."),
), responses(
    (status = 200, description = "The request.", body = RequestLine, headers(("etag" = String, description = "The version."))),
    (status = 304, description = "The caller has this version."),
))]
async fn rights_requests_show(
    State(console): State<Console>,
    versions: IfMatch,
    Reference(id): Reference<RightsRequestId>,
) -> Result<Response, Refusal> {
    let line = RequestLine::of(&console.requests.find(id).await?, console.clock.now());
    Ok(versions.shown(ETag::of(&console, &line)?, Json(line)))
}

/// A request with what was said. The look and its reason are recorded before, and shown to the person.
#[utoipa::path(post, path = "/api/v1/rights-requests/{request}/details", tag = "privacy", params(
    ("request" = String, Path, description = "Its id."),
), request_body = Why, responses(
    (status = 200, description = "The request.", body = RightsRequestDetails),
))]
async fn rights_requests_details(
    State(console): State<Console>,
    Reference(id): Reference<RightsRequestId>,
    _: Reasoned,
    Input(_): Input<Why>,
) -> Answer<RightsRequestDetails> {
    let request = RequestView::of(console.requests.find(id).await?, console.clock.now());
    Ok(Json(RightsRequestDetails { request, hide_at: console.clock.now().plus_micros(SHOWN).into() }))
}

/// Decides a request. The person is told, and is shown the answer.
#[utoipa::path(post, path = "/api/v1/rights-requests/{request}/decision", tag = "privacy", params(
    ("request" = String, Path, description = "Its id."),
    ("if-match" = Option<String>, Header, description = "Decide it only if this is its version."),
), request_body = Decide, responses(
    (status = 200, description = "The request as it is now.", body = RequestLine),
    (status = 409, description = "It has not come so far, or farther; or something stands in the way of a cancellation.",
        body = Problem, content_type = "application/problem+json"),
    (status = 412, description = "It has another version.", body = Problem, content_type = "application/problem+json"),
))]
async fn rights_requests_decide(
    State(console): State<Console>,
    versions: IfMatch,
    Reference(id): Reference<RightsRequestId>,
    Input(decide): Input<Decide>,
) -> Result<Response, Refusal> {
    let seen = console.requests.find(id).await?;
    let event = match decide.decision {
        RightsDecision::Ask => Event::Ask,
        RightsDecision::Fulfil => Event::Fulfil,
        RightsDecision::Refuse => Event::Refuse,
        RightsDecision::Uphold => Event::Uphold,
        RightsDecision::Reverse => Event::Reverse,
    };
    let (console, versions) = (&console, &versions);
    let request = if seen.kind == Kind::Cancellation && event == Event::Fulfil {
        versions.check(&ETag::of(console, &RequestLine::of(&seen, console.clock.now()))?)?;
        if decide.answer.trim().is_empty() || decide.refusal.is_some() {
            return Err(RequestError::Text.into());
        }
        console.requests.cancel(id, Some(seen.updated_at)).await?
    } else {
        let change =
            &Change { event, text: Some(Personal::new(decide.answer)), refusal: decide.refusal.map(Into::into) };
        let write = async |tx: &mut WriteTx<'_>| {
            let before = console.requests.find_in_tx(tx, id).await?;
            versions.check(&ETag::of(console, &RequestLine::of(&before, console.clock.now()))?)?;
            let request = console.requests.change_in_tx(tx, (Acting::Staff, id), change).await?;
            tell(console, tx, &request).await?;
            Ok::<_, Undone>(request)
        };
        let write = &write;
        console.db.write("console.request.decide", |tx| Box::pin(write(tx))).await?
    };
    let line = RequestLine::of(&request, console.clock.now());
    Ok((ETag::of(console, &line)?, Json(line)).into_response())
}

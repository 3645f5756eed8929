//! `/api/v1/account/requests`: what the caller asks for about their data that is not done at once, and what became of it.

use super::rights_forms::{Kind, RequestView};
use super::rights_notices::tell;
use super::{Access, Answer, Console, ETag, Idempotent, IfMatch, Input, Params, Reference, Routes, Signed, Undone};
use crate::forms::{Page, PageQuery, page_of};
use crate::problem::{Problem, Refusal};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tacit_identity::IdentityError;
use tacit_identity::access::Scope;
use tacit_kernel::ids::RightsRequestId;
use tacit_kernel::{Nano, Personal};
use tacit_privacy::requests::{Acting, Asker, Change, Event, New, RequestError, Verified};
use tacit_storage::{ReadTx, WriteTx};
use utoipa::ToSchema;
use utoipa_axum::routes;

/// What is asked for.
#[derive(Serialize, Deserialize, ToSchema)]
#[schema(as = NewRightsRequest)]
#[serde(deny_unknown_fields)]
struct NewRequest {
    /// What.
    kind: Kind,
    /// In the caller's words, up to 8,000 bytes; a cancellation, a restriction and a copy need none.
    #[schema(max_length = 8000)]
    #[serde(default)]
    text: Option<String>,
    /// Of a cancellation: money that is there now is given up. What comes in later is not.
    #[serde(default)]
    forfeits: bool,
}

/// What is added to a request.
#[derive(Deserialize, ToSchema)]
#[schema(as = RightsRequestWords)]
#[serde(deny_unknown_fields)]
struct Words {
    /// In the caller's words; with all that was said before up to 8,000 bytes.
    #[schema(min_length = 1, max_length = 8000)]
    text: String,
}

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .add(Access::own(Scope::AccountRead), routes!(own_requests_list))
        .add(Access::PERSON, routes!(own_requests_create))
        .add(Access::own(Scope::AccountRead), routes!(own_requests_show))
        .add(Access::PERSON, routes!(own_requests_withdraw))
        .add(Access::PERSON, routes!(own_requests_reply))
        .add(Access::PERSON, routes!(own_requests_appeal))
}

/// The caller's requests, newest first; and that a guardian asked for the cancellation of their account, without words.
#[utoipa::path(get, path = "/api/v1/account/requests", tag = "account", params(PageQuery), responses(
    (status = 200, description = "A page of requests.", body = Page<RequestView>),
))]
async fn own_requests_list(
    State(console): State<Console>,
    caller: Signed,
    Params(query): Params<PageQuery>,
) -> Answer<Page<RequestView>> {
    let page = page_of(query.after.as_deref(), query.limit)?;
    let requests = console.requests.of_account((caller.account, Asker::Person), page).await?;
    let now = console.clock.now();
    Ok(Json(Page::of(requests, |request| RequestView::of(request, now))))
}

/// Asks for something. A cancellation needs that the caller has just shown anew who they are; the account is erased when the time for
/// reflection is over, and until then the caller may take it back. Anything else is answered within the days of the policy.
#[utoipa::path(post, path = "/api/v1/account/requests", tag = "account", params(
    ("idempotency-key" = Option<String>, Header, description = "Makes it safe to send this again; kept for a day.",
        min_length = 1, max_length = 255),
), request_body = NewRequest, responses(
    (status = 201, description = "The request.", body = RequestView, headers(
        ("etag" = String, description = "The version."),
        ("idempotency-replayed" = String, description = "`true` if this is the answer of an earlier request."),
    )),
    (status = 409, description = "One of that kind is under way; or something stands in the way of a cancellation, such as an \
        organisation that is owned, or money that is not given up.", body = Problem,
        content_type = "application/problem+json"),
))]
async fn own_requests_create(
    State(console): State<Console>,
    caller: Signed,
    idempotent: Idempotent,
    Input(new): Input<NewRequest>,
) -> Result<Response, Refusal> {
    let once = &idempotent.of(&console, &caller, "account.requests.create", &new)?;
    let (console, account) = (&console, caller.account);
    // Whoever sends it again is told what was made, whatever holds now.
    let kept = async |tx: &mut ReadTx<'_>| once.stored::<RequestView>(console, tx).await;
    let kept = &kept;
    if let Some(made) = console.db.read("console.request.kept", |tx| Box::pin(kept(tx))).await? {
        let tag = ETag::of(console, &made)?;
        return Ok((StatusCode::CREATED, tag, super::Replayed(true), Json(made)).into_response());
    }
    let verified = if caller.stepped_up { Verified::StepUp } else { Verified::Session };
    let mut forfeits = None;
    if matches!(new.kind, Kind::Cancellation) {
        if !caller.stepped_up {
            return Err(IdentityError::StepUpRequired.into());
        }
        let most = new.forfeits.then_some(Nano(i64::MAX));
        forfeits = Some(console.requests.may_cancel(account, most).await?).filter(|held| *held > Nano::ZERO);
    }
    let new =
        &New { kind: new.kind.into(), asker: Asker::Person, said: new.text.map(Personal::new), verified, forfeits };
    // What is refused counts too.
    console.identity.right_asked(account).await?;
    let create = async |tx: &mut WriteTx<'_>| {
        if let Some(made) = once.stored::<RequestView>(console, tx).await? {
            return Ok((made, true));
        }
        let request = console.requests.make_in_tx(tx, account, new).await?;
        tell(console, tx, &request).await?;
        let made = RequestView::of(request, console.clock.now());
        once.keep(console, tx, &made).await?;
        Ok::<_, Undone>((made, false))
    };
    let create = &create;
    let (made, replayed) = console.db.write("console.request.create", |tx| Box::pin(create(tx))).await?;
    let tag = ETag::of(console, &made)?;
    Ok((StatusCode::CREATED, tag, super::Replayed(replayed), Json(made)).into_response())
}

/// A request of the caller.
#[utoipa::path(get, path = "/api/v1/account/requests/{request}", tag = "account", params(
    ("request" = String, Path, description = "Its id."),
    ("if-none-match" = Option<String>, Header, description = "The version that the caller has."),
), responses(
    (status = 200, description = "The request.", body = RequestView, headers(("etag" = String, description = "The version."))),
    (status = 304, description = "The caller has this version."),
))]
async fn own_requests_show(
    State(console): State<Console>,
    caller: Signed,
    versions: IfMatch,
    Reference(id): Reference<RightsRequestId>,
) -> Result<Response, Refusal> {
    let found = console.requests.find_of((caller.account, Asker::Person), id).await?;
    let view = RequestView::of(found, console.clock.now());
    Ok(versions.shown(ETag::of(&console, &view)?, Json(view)))
}

/// Takes a request back; of a cancellation, that the account stays. One that a guardian asked for is not done by itself then: staff
/// looks at it, and it is `open`.
#[utoipa::path(post, path = "/api/v1/account/requests/{request}/withdraw", tag = "account", params(
    ("request" = String, Path, description = "Its id."),
), responses(
    (status = 200, description = "The request as it is now.", body = RequestView),
    (status = 409, description = "It is done, or being done.", body = Problem, content_type = "application/problem+json"),
))]
async fn own_requests_withdraw(
    State(console): State<Console>,
    caller: Signed,
    Reference(id): Reference<RightsRequestId>,
) -> Answer<RequestView> {
    changed(&console, &caller, id, Change { event: Event::Withdraw, text: None, refusal: None }).await
}

/// Answers what staff asked about a request.
#[utoipa::path(post, path = "/api/v1/account/requests/{request}/reply", tag = "account", params(
    ("request" = String, Path, description = "Its id."),
), request_body = Words, responses(
    (status = 200, description = "The request as it is now.", body = RequestView),
    (status = 409, description = "Nothing is asked.", body = Problem, content_type = "application/problem+json"),
))]
async fn own_requests_reply(
    State(console): State<Console>,
    caller: Signed,
    Reference(id): Reference<RightsRequestId>,
    Input(words): Input<Words>,
) -> Answer<RequestView> {
    let text = Some(Personal::new(words.text));
    changed(&console, &caller, id, Change { event: Event::Reply, text, refusal: None }).await
}

/// Appeals against a refusal: it is looked at once more.
#[utoipa::path(post, path = "/api/v1/account/requests/{request}/appeal", tag = "account", params(
    ("request" = String, Path, description = "Its id."),
), request_body = Words, responses(
    (status = 200, description = "The request as it is now.", body = RequestView),
    (status = 409, description = "It is not refused, or one of its kind is under way.", body = Problem,
        content_type = "application/problem+json"),
))]
async fn own_requests_appeal(
    State(console): State<Console>,
    caller: Signed,
    Reference(id): Reference<RightsRequestId>,
    Input(words): Input<Words>,
) -> Answer<RequestView> {
    let text = Some(Personal::new(words.text));
    changed(&console, &caller, id, Change { event: Event::Appeal, text, refusal: None }).await
}

async fn changed(console: &Console, caller: &Signed, id: RightsRequestId, change: Change) -> Answer<RequestView> {
    let (of, change) = ((Acting::Asker(caller.account, Asker::Person), id), &change);
    let write = async |tx: &mut WriteTx<'_>| {
        let request = console.requests.change_in_tx(tx, of, change).await?;
        tell(console, tx, &request).await?;
        Ok::<_, Undone>(request)
    };
    let write = &write;
    let request = console.db.write("console.request.change", |tx| Box::pin(write(tx))).await?;
    let shown = request.shown_to(Asker::Person).ok_or(RequestError::NotFound)?;
    Ok(Json(RequestView::of(shown, console.clock.now())))
}

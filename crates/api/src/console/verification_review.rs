//! `/api/v1/verification-reviews`: what staff does with cases of verification. Lists and cases are masked; whoever must see
//! more says why, which is written into the audit log before it is shown.

use super::reasons::{Reasoned, WhyLook};
use super::unmask::SHOWN;
use super::verification::{CasePaper, undone};
use super::verification_forms::{Case, CaseState, Document, PaperKind, VerdictReason};
use super::{Access, Answer, Console, ETag, IfMatch, Input, Params, Reference, Routes, Signed};
use crate::forms::{Moment, Page, page_of};
use crate::problem::{Problem, Refusal};
use crate::restricted::left_out;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tacit_identity::IdentityError;
use tacit_identity::access::Permission;
use tacit_identity::verification::{self as v, Deciding, VerificationError};
use tacit_kernel::Personal;
use tacit_kernel::ids::VerificationId;
use tacit_storage::{ReadTx, WriteTx};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::routes;

/// When a paper is to be taken off the screen, in microseconds since 1970 as everywhere; a paper has no other place for it.
const HIDE_AT: HeaderName = HeaderName::from_static("tacit-hide-at");

/// Which cases are wanted.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ReviewQuery {
    /// Only those that have come so far.
    #[serde(default)]
    state: Option<CaseState>,
    /// `next` of the page before.
    #[serde(default)]
    after: Option<String>,
    /// At most so many, 1 to 500; 100 if not given.
    #[serde(default)]
    #[param(minimum = 0, maximum = 4294967295u32)]
    limit: Option<u32>,
}

/// What a case says, in clear. Name, document and number only while it waits for a verdict.
#[derive(Serialize, ToSchema)]
#[schema(as = VerificationClear)]
struct Clear {
    /// The name of the person, or of the enterprise.
    name: Option<String>,
    /// What the number stands on.
    document: Option<Document>,
    /// The number.
    number: Option<String>,
    /// What whoever decided had to say.
    note: Option<String>,
    /// When whoever shows this hides it again.
    hide_at: Moment,
}

/// What is decided.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = VerificationVerdict)]
struct VerdictForm {
    /// What.
    verdict: VerdictWord,
    /// Why; needed unless it is approved.
    reason: Option<VerdictReason>,
    /// What the person is to know beyond that; needed with `other`.
    #[schema(min_length = 1, max_length = 1000)]
    note: Option<String>,
}

/// What is decided.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = VerificationVerdictWord)]
enum VerdictWord {
    /// It is them.
    Approved,
    /// It was not shown that it is them.
    Rejected,
    /// Something is missing.
    NeedsMore,
}

impl VerdictForm {
    fn verdict(&self) -> Result<v::Verdict, Refusal> {
        let wrong = |message| {
            let field = VerificationError::Field { field: "reason", message };
            Refusal::from(IdentityError::from(field)).about("reason")
        };
        match (self.verdict, self.reason) {
            (VerdictWord::Approved, None) => Ok(v::Verdict::Approve),
            (VerdictWord::Approved, Some(_)) => Err(wrong("what is approved needs no reason")),
            (VerdictWord::Rejected, Some(reason)) => Ok(v::Verdict::Reject(reason.into())),
            (VerdictWord::NeedsMore, Some(reason)) => Ok(v::Verdict::AskMore(reason.into())),
            (_, None) => Err(wrong("say why")),
        }
    }
}

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .add(Access::Needs(Permission::VerificationRead), routes!(verification_reviews_list))
        .add(Access::Needs(Permission::VerificationRead), routes!(verification_reviews_show))
        .add(Access::Needs(Permission::VerificationDecide), routes!(verification_reviews_details))
        .add(Access::Needs(Permission::VerificationDecide), routes!(verification_reviews_paper))
        .add(Access::Needs(Permission::VerificationDecide), routes!(verification_reviews_decide))
}

/// Cases that were submitted once, of all accounts, oldest first, masked; not those of who restricts the use of their data.
#[utoipa::path(get, path = "/api/v1/verification-reviews", tag = "verification", params(ReviewQuery), responses(
    (status = 200, description = "A page of cases.", body = Page<Case>),
))]
async fn verification_reviews_list(
    State(console): State<Console>,
    Params(query): Params<ReviewQuery>,
) -> Answer<Page<Case>> {
    let page = page_of(query.after.as_deref(), query.limit).map_err(|fault| Refusal::from(fault).about("after"))?;
    let state = query.state.map(Into::into);
    let read = async |tx: &mut ReadTx<'_>| console.identity.case_list_in_tx(tx, state, page).await;
    let read = &read;
    let cases = console.db.read("console.reviews.list", |tx| Box::pin(read(tx))).await?;
    let cases = left_out(&console.identity, cases, |case| Some(case.account)).await?;
    Ok(Json(Page::of(cases, Case::masked)))
}

async fn found(console: &Console, id: VerificationId) -> Result<v::Case, Refusal> {
    let read = async |tx: &mut ReadTx<'_>| console.identity.case_in_tx(tx, id).await;
    let read = &read;
    let case = console.db.read("console.reviews.show", |tx| Box::pin(read(tx))).await?;
    // What was never submitted is nobody's business.
    Ok(Some(case)
        .filter(|case| case.submitted_at.is_some())
        .ok_or(IdentityError::Verification(VerificationError::NotFound))?)
}

/// A case, masked.
#[utoipa::path(get, path = "/api/v1/verification-reviews/{case}", tag = "verification", params(
    ("case" = String, Path, description = "Its id."),
    ("if-none-match" = Option<String>, Header, description = "The version that the caller has."),
), responses(
    (status = 200, description = "The case.", body = Case, headers(("etag" = String, description = "The version."))),
    (status = 304, description = "The caller has this version."),
))]
async fn verification_reviews_show(
    State(console): State<Console>,
    versions: IfMatch,
    Reference(id): Reference<VerificationId>,
) -> Result<Response, Refusal> {
    let case = Case::masked(found(&console, id).await?);
    Ok(versions.shown(ETag::of(&console, &case)?, Json(case)))
}

/// What a case says, in clear. Why it must be seen is written into the audit log.
#[utoipa::path(post, path = "/api/v1/verification-reviews/{case}/details", tag = "verification", params(
    ("case" = String, Path, description = "Its id."),
), request_body = WhyLook, responses(
    (status = 200, description = "Name and number.", body = Clear),
    (status = 409, description = "It does not wait for a verdict, and has no note.", body = Problem,
        content_type = "application/problem+json"),
))]
async fn verification_reviews_details(
    State(console): State<Console>,
    Reference(id): Reference<VerificationId>,
    _: Reasoned,
    Input(_): Input<WhyLook>,
) -> Answer<Clear> {
    let case = found(&console, id).await?;
    // Who has decided, and what is being written, is past or before any need to see it.
    let details = case.details.filter(|_| case.state == v::CaseState::Submitted);
    let note = case.note.map(Personal::into_inner);
    if details.is_none() && note.is_none() {
        return Err(IdentityError::Verification(VerificationError::State).into());
    }
    let hide_at = console.clock.now().plus_micros(SHOWN).into();
    Ok(Json(Clear {
        name: details.as_ref().map(|details| details.name().reveal().clone()),
        document: details.as_ref().map(|details| details.document().into()),
        number: details.as_ref().map(|details| details.number().reveal().clone()),
        note,
        hide_at,
    }))
}

/// A paper of a case. Why it must be seen is written into the audit log.
#[utoipa::path(post, path = "/api/v1/verification-reviews/{case}/papers/{paper}", tag = "verification", params(
    ("case" = String, Path, description = "The id of the case."),
    ("paper" = PaperKind, Path, description = "What the paper is of."),
), request_body = WhyLook, responses(
    (status = 200, description = "The paper, as it was sent.", content(
        (Vec<u8> = "image/jpeg"), (Vec<u8> = "image/png"), (Vec<u8> = "application/pdf"),
    ), headers(
        ("content-disposition" = String, description = "`attachment`: it is not to be shown in a page."),
        ("tacit-hide-at" = String, description = "When whoever shows it hides it again, in microseconds since 1970."),
    )),
    (status = 409, description = "It does not wait for a verdict.", body = Problem,
        content_type = "application/problem+json"),
))]
async fn verification_reviews_paper(
    State(console): State<Console>,
    CasePaper(id, kind): CasePaper,
    _: Reasoned,
    Input(_): Input<WhyLook>,
) -> Result<Response, Refusal> {
    let case = found(&console, id).await?;
    if case.state != v::CaseState::Submitted {
        return Err(IdentityError::Verification(VerificationError::State).into());
    }
    if !case.papers.iter().any(|paper| paper.kind == kind) {
        return Err(IdentityError::Verification(VerificationError::PaperNotFound).into());
    }
    let (view, bytes) = console.identity.paper_reveal(id, kind).await?;
    let name = format!("attachment; filename=\"{}.{}\"", kind.as_str(), view.media.as_str());
    let disposition = HeaderValue::from_str(&name).unwrap_or(HeaderValue::from_static("attachment"));
    let hide_at = console.clock.now().plus_micros(SHOWN).0.to_string();
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(view.media.media_type())),
        (header::CONTENT_DISPOSITION, disposition),
        (HIDE_AT, HeaderValue::from_str(&hide_at).unwrap_or(HeaderValue::from_static("0"))),
    ];
    Ok((headers, bytes.to_vec()).into_response())
}

/// Decides a case. Nobody decides their own.
#[utoipa::path(post, path = "/api/v1/verification-reviews/{case}/verdict", tag = "verification", params(
    ("case" = String, Path, description = "Its id."),
    ("if-match" = Option<String>, Header, description = "Decide it only if this is its version."),
), request_body = VerdictForm, responses(
    (status = 200, description = "The case as it is now.", body = Case,
        headers(("etag" = String, description = "The version."))),
    (status = 409, description = "It does not wait for a verdict, or the number was approved often enough.", body = Problem,
        content_type = "application/problem+json"),
    (status = 412, description = "It has another version.", body = Problem, content_type = "application/problem+json"),
))]
async fn verification_reviews_decide(
    State(console): State<Console>,
    caller: Signed,
    versions: IfMatch,
    Reference(id): Reference<VerificationId>,
    Input(form): Input<VerdictForm>,
) -> Result<Response, Refusal> {
    let (console, verdict, by) = (&console, form.verdict()?, Deciding::Staff(caller.account));
    let note = &form.note.map(Personal::new);
    let decide = async |tx: &mut WriteTx<'_>| {
        let before = Case::masked(console.identity.case_in_tx(tx, id).await?);
        versions.check(&ETag::of(console, &before)?)?;
        console.identity.case_decide_in_tx(tx, id, by, verdict, note.as_ref()).await.map_err(undone)
    };
    let decide = &decide;
    let case = console.db.write("console.reviews.decide", |tx| Box::pin(decide(tx))).await?;
    let case = Case::masked(case);
    Ok((ETag::of(console, &case)?, Json(case)).into_response())
}

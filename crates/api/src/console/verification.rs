//! `/api/v1/verification`: how a person shows who they are, or which enterprise they act for.

use super::idempotency::{Replayed, Undone};
use super::verification_forms::{Case, Document, PaperKind, VerificationKind, VerificationWay};
use super::{
    Access, Answer, Console, ETag, Idempotent, IfMatch, Input, Params, Reference, Routes, Signed, not_found, shield,
};
use crate::forms::{Page, PageQuery, page_of};
use crate::problem::{Problem, Refusal};
use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path, Request, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tacit_identity::IdentityError;
use tacit_identity::access::Scope;
use tacit_identity::verification::{self as v, Details, PAPER_MAX, VerificationError};
use tacit_kernel::ids::{AccountId, VerificationId};
use tacit_storage::{ReadTx, WriteTx};
use utoipa::ToSchema;
use utoipa_axum::routes;

/// Where a paper is sent to, as the route is registered: there more than a form may come.
pub(super) const PAPER: &str = "/api/v1/verification/cases/{case}/papers/{paper}";

/// What is offered, and how the caller stands.
#[derive(Serialize, ToSchema)]
#[schema(as = Verification)]
struct Shown {
    /// As what the caller's account was verified.
    verified: Vec<VerificationKind>,
    /// What can be shown here.
    offered: Vec<Offered>,
    /// The largest paper, in bytes.
    paper_max_bytes: u64,
    /// Days for which name, number and papers are kept after the verdict.
    kept_days: u32,
    /// Days after which a case that nobody decided is over.
    undecided_days: u32,
    /// What an account may not do, or only so far, before it was verified.
    unverified: Unverified,
}

/// Something that can be shown.
#[derive(Serialize, ToSchema)]
#[schema(as = VerificationOffer)]
struct Offered {
    /// Who.
    kind: VerificationKind,
    /// What the number may stand on.
    documents: Vec<OfferedDocument>,
}

/// A document that may be named.
#[derive(Serialize, ToSchema)]
#[schema(as = VerificationOfferedDocument)]
struct OfferedDocument {
    /// Which.
    document: Document,
    /// Who decides.
    way: VerificationWay,
    /// The papers that are asked for with it.
    papers: Vec<PaperKind>,
    /// Whom name and number are sent to, if the person agrees; `null`: nobody.
    agency: Option<AgencyName>,
}

/// The name of an agency.
#[derive(Serialize, ToSchema)]
#[schema(as = VerificationAgency)]
struct AgencyName {
    /// In English.
    en: String,
    /// In Chinese.
    zh: String,
}

/// What an account may do before it was verified. `null`: no less than after.
#[derive(Serialize, ToSchema)]
#[schema(as = VerificationBounds)]
struct Unverified {
    /// API keys in use at most.
    api_keys: Option<u32>,
    /// Whether it may make management keys.
    management_keys: bool,
    /// Whether it may own organisations; it may not where anything else is bounded.
    organisations: bool,
    /// Whether it may call models at all.
    calls: bool,
    /// Charges per UTC day at most.
    spend_per_day: Option<String>,
    /// Charges per UTC calendar month at most.
    spend_per_month: Option<String>,
    /// The only models it may call.
    models: Option<Vec<String>>,
}

/// What somebody says.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = VerificationDetails)]
struct Said {
    /// The name of the person, or of the enterprise, as the document has it.
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    /// What the number stands on.
    document: Document,
    /// The number of the card or passport, or the unified social credit code.
    #[schema(min_length = 5, max_length = 40)]
    number: String,
}

impl Said {
    fn details(&self) -> Result<Details, Refusal> {
        Details::new(&self.name, self.document.into(), &self.number).map_err(about)
    }
}

/// What submitting asks for.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = VerificationSubmission)]
struct Submission {
    /// Whether the agency that is named may be asked. Needed where one is asked; of no meaning where none is.
    #[serde(default)]
    #[schema(required = false)]
    agree_to_agency: bool,
}

/// A refusal that names the field of the request that is wrong.
fn about(error: VerificationError) -> Refusal {
    let field = match error {
        VerificationError::Field { field, .. } => Some(field),
        VerificationError::Consent => Some("agree_to_agency"),
        VerificationError::Off => Some("document"),
        _ => None,
    };
    let refusal = Refusal::from(IdentityError::from(error));
    match field {
        Some(field) => refusal.about(field),
        None => refusal,
    }
}

/// The same of an error within a transaction.
pub(super) fn undone(error: IdentityError) -> Undone {
    match error {
        IdentityError::Verification(error) => Undone::Refused(about(error)),
        other => other.into(),
    }
}

/// A case and one of its papers, by the path.
pub(super) struct CasePaper(pub(super) VerificationId, pub(super) v::PaperKind);

impl<S: Send + Sync> FromRequestParts<S> for CasePaper {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let none = || not_found("request.reference", "thing");
        let read = Path::<(String, String)>::from_request_parts(parts, state).await;
        let Path((case, paper)) = read.map_err(|_| none())?;
        let paper = v::PaperKind::parse(&paper).ok_or_else(none)?;
        Ok(Self(case.parse().map_err(|_| none())?, paper))
    }
}

/// The bytes of a paper. How many may come is bounded before, in `shield`.
struct Sent(Bytes);

impl<S: Send + Sync> FromRequest<S> for Sent {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &S) -> Result<Self, Refusal> {
        // Which one it says is looked at there, too.
        if !request.headers().contains_key(header::CONTENT_TYPE) {
            return Err(shield::no_paper());
        }
        let most = usize::try_from(PAPER_MAX).unwrap_or(usize::MAX);
        super::input::upload(request.into_body(), most).await.map(Self)
    }
}

pub(super) fn routes(routes: Routes) -> Routes {
    let (read, write) = (Access::own(Scope::VerificationRead), Access::own(Scope::VerificationWrite));
    routes
        .add(read, routes!(verification_show))
        .add(read, routes!(verification_cases_list))
        .add(write, routes!(verification_cases_create))
        .add(read, routes!(verification_cases_show))
        .add(write, routes!(verification_cases_put, verification_cases_withdraw))
        .add(write, routes!(verification_papers_put, verification_papers_remove))
        .add(write, routes!(verification_cases_submit))
}

fn offered(rules: &v::VerificationRules) -> Vec<Offered> {
    let one = |kind: v::VerificationKind| {
        rules.of(kind).way?;
        let document = |document: v::Document| {
            let way = rules.way(document).ok()?;
            let agency = rules.agency.as_ref().filter(|_| way == v::VerificationWay::Agency);
            Some(OfferedDocument {
                document: document.into(),
                way: way.into(),
                papers: rules.papers(document).into_iter().map(Into::into).collect(),
                agency: agency.map(|agency| AgencyName { en: agency.name_en.clone(), zh: agency.name_zh.clone() }),
            })
        };
        let documents = rules.documents(kind).into_iter().filter_map(document).collect();
        Some(Offered { kind: kind.into(), documents })
    };
    v::VerificationKind::ALL.iter().copied().filter_map(one).collect()
}

/// What can be shown here and what for, and how the caller stands.
#[utoipa::path(get, path = "/api/v1/verification", tag = "verification", responses(
    (status = 200, description = "What is offered, and how the caller stands.", body = Shown),
))]
async fn verification_show(State(console): State<Console>, caller: Signed) -> Answer<Shown> {
    let (identity, account) = (&console.identity, caller.account);
    let read = async |tx: &mut ReadTx<'_>| {
        let mut verified = Vec::new();
        for kind in v::VerificationKind::ALL {
            if identity.is_verified_as_in_tx(tx, account, *kind).await? {
                verified.push((*kind).into());
            }
        }
        Ok::<_, IdentityError>(verified)
    };
    let read = &read;
    let verified = console.db.read("console.verification", |tx| Box::pin(read(tx))).await?;
    let rules = identity.verification_rules();
    let bounds = &rules.unverified;
    Ok(Json(Shown {
        verified,
        offered: offered(rules),
        paper_max_bytes: rules.paper_max,
        kept_days: rules.papers_days,
        undecided_days: rules.undecided_days,
        unverified: Unverified {
            api_keys: bounds.api_keys,
            management_keys: bounds.management_keys,
            organisations: bounds.own_organisations(),
            calls: bounds.calls,
            spend_per_day: bounds.spend_per_day.map(|amount| amount.to_string()),
            spend_per_month: bounds.spend_per_month.map(|amount| amount.to_string()),
            models: bounds.models.clone(),
        },
    }))
}

/// The caller's cases, oldest first.
#[utoipa::path(get, path = "/api/v1/verification/cases", tag = "verification", params(PageQuery), responses(
    (status = 200, description = "A page of cases.", body = Page<Case>),
))]
async fn verification_cases_list(
    State(console): State<Console>,
    caller: Signed,
    Params(query): Params<PageQuery>,
) -> Answer<Page<Case>> {
    let page = page_of(query.after.as_deref(), query.limit)?;
    let read = async |tx: &mut ReadTx<'_>| console.identity.cases_of_in_tx(tx, caller.account, page).await;
    let read = &read;
    let cases = console.db.read("console.verification.list", |tx| Box::pin(read(tx))).await?;
    Ok(Json(Page::of(cases, Case::own)))
}

/// Begins a case. It can be changed, and papers can be added, until it is submitted.
#[utoipa::path(post, path = "/api/v1/verification/cases", tag = "verification", params(
    ("idempotency-key" = Option<String>, Header, description = "Makes it safe to send this again; kept for a day.",
        min_length = 1, max_length = 255),
), request_body = Said, responses(
    (status = 201, description = "The case.", body = Case, headers(
        ("etag" = String, description = "The version of the case."),
        ("idempotency-replayed" = String, description = "`true` if this is the answer of an earlier request."),
    )),
    (status = 409, description = "There is one of that kind already, the account was verified, or there were too many.",
        body = Problem, content_type = "application/problem+json"),
))]
async fn verification_cases_create(
    State(console): State<Console>,
    caller: Signed,
    idempotent: Idempotent,
    Input(said): Input<Said>,
) -> Result<Response, Refusal> {
    let once = &idempotent.of(&console, &caller, "verification.cases.create", &said)?;
    let (console, account, details) = (&console, caller.account, &said.details()?);
    let create = async |tx: &mut WriteTx<'_>| {
        if let Some(created) = once.stored(console, tx).await? {
            return Ok::<_, Undone>((created, true));
        }
        let created = Case::own(console.identity.case_open_in_tx(tx, account, details).await.map_err(undone)?);
        once.keep(console, tx, &created).await?;
        Ok((created, false))
    };
    let create = &create;
    let (created, replayed) = console.db.write("console.verification.create", |tx| Box::pin(create(tx))).await?;
    let tag = ETag::of(console, &created)?;
    Ok((StatusCode::CREATED, tag, Replayed(replayed), Json(created)).into_response())
}

/// A case of the caller.
#[utoipa::path(get, path = "/api/v1/verification/cases/{case}", tag = "verification", params(
    ("case" = String, Path, description = "Its id."),
    ("if-none-match" = Option<String>, Header, description = "The version that the caller has."),
), responses(
    (status = 200, description = "The case.", body = Case, headers(("etag" = String, description = "The version."))),
    (status = 304, description = "The caller has this version."),
))]
async fn verification_cases_show(
    State(console): State<Console>,
    caller: Signed,
    versions: IfMatch,
    Reference(id): Reference<VerificationId>,
) -> Result<Response, Refusal> {
    let read = async |tx: &mut ReadTx<'_>| console.identity.case_of_in_tx(tx, caller.account, id).await;
    let read = &read;
    let case = Case::own(console.db.read("console.verification.show", |tx| Box::pin(read(tx))).await?);
    Ok(versions.shown(ETag::of(&console, &case)?, Json(case)))
}

/// Goes on only if the case is as the caller has seen it.
async fn unchanged(
    console: &Console,
    tx: &mut ReadTx<'_>,
    (account, id): (AccountId, VerificationId),
    versions: &IfMatch,
) -> Result<(), Undone> {
    let before = Case::own(console.identity.case_of_in_tx(tx, account, id).await?);
    Ok(versions.check(&ETag::of(console, &before)?)?)
}

/// Replaces what a case says.
#[utoipa::path(put, path = "/api/v1/verification/cases/{case}", tag = "verification", params(
    ("case" = String, Path, description = "Its id."),
    ("if-match" = Option<String>, Header, description = "Change it only if this is its version."),
), request_body = Said, responses(
    (status = 200, description = "The case as it is now.", body = Case,
        headers(("etag" = String, description = "The version."))),
    (status = 409, description = "It cannot be changed any more.", body = Problem,
        content_type = "application/problem+json"),
    (status = 412, description = "It has another version.", body = Problem, content_type = "application/problem+json"),
))]
async fn verification_cases_put(
    State(console): State<Console>,
    caller: Signed,
    versions: IfMatch,
    Reference(id): Reference<VerificationId>,
    Input(said): Input<Said>,
) -> Result<Response, Refusal> {
    let (console, of, details) = (&console, (caller.account, id), &said.details()?);
    let put = async |tx: &mut WriteTx<'_>| {
        unchanged(console, tx, of, &versions).await?;
        console.identity.case_change_in_tx(tx, of, details).await.map_err(undone)
    };
    let put = &put;
    let case = Case::own(console.db.write("console.verification.put", |tx| Box::pin(put(tx))).await?);
    Ok((ETag::of(console, &case)?, Json(case)).into_response())
}

/// Withdraws a case: what it holds is deleted at once.
#[utoipa::path(delete, path = "/api/v1/verification/cases/{case}", tag = "verification", params(
    ("case" = String, Path, description = "Its id."),
    ("if-match" = Option<String>, Header, description = "Withdraw it only if this is its version."),
), responses(
    (status = 204, description = "It is gone."),
    (status = 409, description = "It is decided, or over.", body = Problem, content_type = "application/problem+json"),
    (status = 412, description = "It has another version.", body = Problem, content_type = "application/problem+json"),
))]
async fn verification_cases_withdraw(
    State(console): State<Console>,
    caller: Signed,
    versions: IfMatch,
    Reference(id): Reference<VerificationId>,
) -> Result<StatusCode, Refusal> {
    let (console, account) = (&console, caller.account);
    let withdraw = async |tx: &mut WriteTx<'_>| {
        unchanged(console, tx, (account, id), &versions).await?;
        Ok::<_, Undone>(console.identity.case_withdraw_in_tx(tx, account, id).await?)
    };
    let withdraw = &withdraw;
    console.db.write("console.verification.withdraw", |tx| Box::pin(withdraw(tx))).await?;
    console.identity.case_forget(id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Adds a paper, in the place of the one of its kind. The body is the picture or document itself, at most
/// `paper_max_bytes`. It is shown to whoever decides and to nobody else, not to its sender either.
#[utoipa::path(put, path = "/api/v1/verification/cases/{case}/papers/{paper}", tag = "verification", params(
    ("case" = String, Path, description = "The id of the case."),
    ("paper" = PaperKind, Path, description = "What the paper is of."),
), request_body(description = "A JPEG, a PNG or a PDF.", content(
    (Vec<u8> = "image/jpeg"), (Vec<u8> = "image/png"), (Vec<u8> = "application/pdf"),
)), responses(
    (status = 200, description = "The case as it is now.", body = Case,
        headers(("etag" = String, description = "The version."))),
    (status = 409, description = "It cannot be changed any more.", body = Problem,
        content_type = "application/problem+json"),
    (status = 415, description = "It is none of the three.", body = Problem, content_type = "application/problem+json"),
))]
async fn verification_papers_put(
    State(console): State<Console>,
    caller: Signed,
    CasePaper(id, kind): CasePaper,
    Sent(bytes): Sent,
) -> Result<Response, Refusal> {
    let (console, of, bytes) = (&console, (caller.account, id), &bytes);
    let put = async |tx: &mut WriteTx<'_>| console.identity.paper_put_in_tx(tx, of, kind, bytes).await.map_err(undone);
    let put = &put;
    let case = Case::own(console.db.write("console.verification.paper", |tx| Box::pin(put(tx))).await?);
    Ok((ETag::of(console, &case)?, Json(case)).into_response())
}

/// Takes a paper out of a case.
#[utoipa::path(delete, path = "/api/v1/verification/cases/{case}/papers/{paper}", tag = "verification", params(
    ("case" = String, Path, description = "The id of the case."),
    ("paper" = PaperKind, Path, description = "What the paper is of."),
), responses(
    (status = 204, description = "It is gone."),
    (status = 409, description = "The case cannot be changed any more.", body = Problem,
        content_type = "application/problem+json"),
))]
async fn verification_papers_remove(
    State(console): State<Console>,
    caller: Signed,
    CasePaper(id, kind): CasePaper,
) -> Result<StatusCode, Refusal> {
    let of = (caller.account, id);
    let remove = async |tx: &mut WriteTx<'_>| console.identity.paper_remove_in_tx(tx, of, kind).await;
    let remove = &remove;
    console.db.write("console.verification.paper_remove", |tx| Box::pin(remove(tx))).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Gives a case to who decides it.
#[utoipa::path(post, path = "/api/v1/verification/cases/{case}/submission", tag = "verification", params(
    ("case" = String, Path, description = "Its id."),
    ("if-match" = Option<String>, Header, description = "Submit it only if this is its version."),
), request_body = Submission, responses(
    (status = 200, description = "The case as it is now.", body = Case,
        headers(("etag" = String, description = "The version."))),
    (status = 409, description = "A paper is missing, or the case was submitted already.", body = Problem,
        content_type = "application/problem+json"),
    (status = 412, description = "It has another version.", body = Problem, content_type = "application/problem+json"),
))]
async fn verification_cases_submit(
    State(console): State<Console>,
    caller: Signed,
    versions: IfMatch,
    Reference(id): Reference<VerificationId>,
    Input(submission): Input<Submission>,
) -> Result<Response, Refusal> {
    let (console, of, agreed) = (&console, (caller.account, id), submission.agree_to_agency);
    let submit = async |tx: &mut WriteTx<'_>| {
        unchanged(console, tx, of, &versions).await?;
        console.identity.case_submit_in_tx(tx, of, agreed).await.map_err(undone)
    };
    let submit = &submit;
    let case = console.db.write("console.verification.submit", |tx| Box::pin(submit(tx))).await?;
    let case = Case::own(case);
    Ok((ETag::of(console, &case)?, Json(case)).into_response())
}

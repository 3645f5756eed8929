//! `/api/v1/disclosures`: data of people that is given to authorities. One member of the staff proposes it, another decides it; the
//! person sees it once they may be told. Nothing that the person is shown before then says so: the audit log tells of these
//! requests without whose data it is.

use super::reasons::{Reasoned, Why};
use super::{Access, Answer, Console, ETag, IfMatch, Input, Params, Reference, Routes, Signed, Undone};
use crate::forms::{Moment, Page, PageQuery, page_of};
use crate::problem::{Problem, Refusal};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use tacit_identity::access::{Permission, Scope};
use tacit_kernel::ids::{AccountId, DisclosureId};
use tacit_kernel::{Fault, Personal};
use tacit_privacy::disclosures::{self, Given, Ground, New};
use tacit_storage::WriteTx;
use utoipa::ToSchema;
use utoipa_axum::routes;

/// A disclosure to propose.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewDisclosure {
    /// Of whose data.
    #[schema(value_type = String)]
    account: AccountId,
    /// What allows it: `national_security`, `public_safety`, `criminal_proceedings`, `vital_interests`, `made_public`,
    /// `lawfully_public`, `statutory_duty` or `legal_proceedings`.
    #[schema(value_type = String)]
    ground: Ground,
    /// What is given: `name`, `email`, `phone`, `profile`, `verification`, `sign_ins`, `calls`, `call_addresses`, `ledger`,
    /// `messages`.
    #[schema(value_type = Vec<String>)]
    fields: BTreeSet<Given>,
    /// Who asks for it.
    #[schema(min_length = 1, max_length = 2000)]
    authority: String,
    /// Why, in words.
    #[schema(min_length = 1, max_length = 2000)]
    because: String,
    /// From when on the person may be told; left out: not until somebody says so.
    #[serde(default)]
    tell_from: Option<Moment>,
}

/// A disclosure, without words.
#[derive(Serialize, ToSchema)]
struct DisclosureLine {
    /// Its id.
    #[schema(value_type = String)]
    id: DisclosureId,
    /// Of whose data; a pseudonym once they are erased.
    #[schema(value_type = String)]
    account: AccountId,
    /// What allows it.
    ground: &'static str,
    /// What is given.
    fields: Vec<&'static str>,
    /// `proposed`, `approved` or `refused`.
    state: &'static str,
    /// Who proposed it.
    #[schema(value_type = String)]
    proposed_by: AccountId,
    /// Who decided it.
    #[schema(value_type = Option<String>)]
    decided_by: Option<AccountId>,
    /// When it was proposed.
    proposed_at: Moment,
    /// When it was decided.
    decided_at: Option<Moment>,
    /// From when on the person may be told.
    tell_from: Option<Moment>,
    /// Since when they are.
    told_at: Option<Moment>,
    /// When it last changed.
    updated_at: Moment,
}

/// A disclosure with its words.
#[derive(Serialize, ToSchema)]
struct DisclosureDetails {
    /// The disclosure.
    #[schema(inline)]
    disclosure: DisclosureLine,
    /// Who asked for it; `null` once the person is erased.
    authority: Option<String>,
    /// Why; `null` once the person is erased.
    because: Option<String>,
}

/// What was disclosed of the caller.
#[derive(Serialize, ToSchema)]
struct OwnDisclosure {
    /// Its id.
    #[schema(value_type = String)]
    id: DisclosureId,
    /// To whom.
    authority: Option<String>,
    /// Why.
    because: Option<String>,
    /// What allowed it.
    ground: &'static str,
    /// What was given.
    fields: Vec<&'static str>,
    /// When.
    disclosed_at: Option<Moment>,
}

/// What is decided.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum DisclosureVerdict {
    /// It is given.
    Approve,
    /// It is not.
    Refuse,
}

/// A decision.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct DecideDisclosure {
    /// What.
    decision: DisclosureVerdict,
}

/// From when on the person may be told.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Telling {
    /// When; `null`: not until somebody says so.
    from: Option<Moment>,
}

impl From<disclosures::Disclosure> for DisclosureLine {
    fn from(d: disclosures::Disclosure) -> Self {
        Self {
            id: d.id,
            account: d.account,
            ground: d.ground.as_str(),
            fields: words(&d.fields),
            state: d.state.as_str(),
            proposed_by: d.proposed_by,
            decided_by: d.decided_by,
            proposed_at: d.proposed_at.into(),
            decided_at: d.decided_at.map(Into::into),
            tell_from: d.tell_from.map(Into::into),
            told_at: d.told_at.map(Into::into),
            updated_at: d.updated_at.into(),
        }
    }
}

impl From<disclosures::Disclosure> for OwnDisclosure {
    fn from(d: disclosures::Disclosure) -> Self {
        Self {
            id: d.id,
            fields: words(&d.fields),
            authority: d.authority.map(Personal::into_inner),
            because: d.reason.map(Personal::into_inner),
            ground: d.ground.as_str(),
            disclosed_at: d.decided_at.map(Into::into),
        }
    }
}

fn words(fields: &BTreeSet<Given>) -> Vec<&'static str> {
    fields.iter().map(|field| field.as_str()).collect()
}

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .add(Access::Needs(Permission::PrivacyRead), routes!(disclosures_list))
        .add(Access::Needs(Permission::PrivacyWrite), routes!(disclosures_propose))
        .add(Access::Needs(Permission::PrivacyRead), routes!(disclosures_show))
        .add(Access::Needs(Permission::PrivacyWrite), routes!(disclosures_details))
        .add(Access::Needs(Permission::PrivacyWrite), routes!(disclosures_decide))
        .add(Access::Needs(Permission::PrivacyWrite), routes!(disclosures_telling))
        .add(Access::own(Scope::AccountRead), routes!(account_disclosures))
}

/// Disclosures, newest first, without words.
#[utoipa::path(get, path = "/api/v1/disclosures", tag = "privacy", params(PageQuery), responses(
    (status = 200, description = "A page of disclosures.", body = Page<DisclosureLine>),
))]
async fn disclosures_list(
    State(console): State<Console>,
    Params(query): Params<PageQuery>,
) -> Answer<Page<DisclosureLine>> {
    let page = page_of(query.after.as_deref(), query.limit)?;
    let found = console.receivers.disclosures.list(page).await.map_err(Fault::from)?;
    Ok(Json(Page::of(found, DisclosureLine::from)))
}

/// Proposes that data of somebody is given to an authority. Another member of the staff decides it.
#[utoipa::path(post, path = "/api/v1/disclosures", tag = "privacy", request_body = NewDisclosure, responses(
    (status = 201, description = "The disclosure.", body = DisclosureLine,
        headers(("etag" = String, description = "The version."))),
))]
async fn disclosures_propose(
    State(console): State<Console>,
    caller: Signed,
    Input(new): Input<NewDisclosure>,
) -> Result<Response, Refusal> {
    let new = &New {
        account: new.account,
        ground: new.ground,
        fields: new.fields,
        authority: Personal::new(new.authority),
        reason: Personal::new(new.because),
        tell_from: new.tell_from.map(|at| at.0),
    };
    let disclosures = &console.receivers.disclosures;
    let propose = async |tx: &mut WriteTx<'_>| {
        // A key stays behind nobody: whoever was erased has none, and who never was has no account.
        if console.identity.account_by_id_in_tx(tx, new.account).await?.is_none() {
            return Err(disclosures::DisclosureError::Account.into());
        }
        Ok::<_, Undone>(disclosures.propose_in_tx(tx, caller.account, new).await?)
    };
    let propose = &propose;
    let line = DisclosureLine::from(console.db.write("console.disclosure.propose", |tx| Box::pin(propose(tx))).await?);
    Ok((StatusCode::CREATED, ETag::of(&console, &line)?, Json(line)).into_response())
}

/// A disclosure, without words.
#[utoipa::path(get, path = "/api/v1/disclosures/{disclosure}", tag = "privacy", params(
    ("disclosure" = String, Path, description = "Its id."),
    ("if-none-match" = Option<String>, Header, description = "The version that the caller has."),
), responses(
    (status = 200, description = "The disclosure.", body = DisclosureLine,
        headers(("etag" = String, description = "The version."))),
    (status = 304, description = "The caller has this version."),
))]
async fn disclosures_show(
    State(console): State<Console>,
    versions: IfMatch,
    Reference(id): Reference<DisclosureId>,
) -> Result<Response, Refusal> {
    let line = DisclosureLine::from(console.receivers.disclosures.find(id).await.map_err(Fault::from)?);
    Ok(versions.shown(ETag::of(&console, &line)?, Json(line)))
}

/// A disclosure with its words. The look and its reason are recorded before.
#[utoipa::path(post, path = "/api/v1/disclosures/{disclosure}/details", tag = "privacy", params(
    ("disclosure" = String, Path, description = "Its id."),
), request_body = Why, responses(
    (status = 200, description = "The disclosure.", body = DisclosureDetails),
))]
async fn disclosures_details(
    State(console): State<Console>,
    Reference(id): Reference<DisclosureId>,
    _: Reasoned,
    Input(_): Input<Why>,
) -> Answer<DisclosureDetails> {
    let found = console.receivers.disclosures.find(id).await.map_err(Fault::from)?;
    let (authority, because) = (found.authority.clone(), found.reason.clone());
    Ok(Json(DisclosureDetails {
        authority: authority.map(Personal::into_inner),
        because: because.map(Personal::into_inner),
        disclosure: found.into(),
    }))
}

/// Decides a disclosure: neither whoever proposed it nor whose data it is.
#[utoipa::path(post, path = "/api/v1/disclosures/{disclosure}/decision", tag = "privacy", params(
    ("disclosure" = String, Path, description = "Its id."),
    ("if-match" = Option<String>, Header, description = "Decide it only if this is its version."),
), request_body = DecideDisclosure, responses(
    (status = 200, description = "The disclosure as it is now.", body = DisclosureLine,
        headers(("etag" = String, description = "The version."))),
    (status = 409, description = "It was decided.", body = Problem, content_type = "application/problem+json"),
    (status = 412, description = "It has another version.", body = Problem, content_type = "application/problem+json"),
))]
async fn disclosures_decide(
    State(console): State<Console>,
    caller: Signed,
    versions: IfMatch,
    Reference(id): Reference<DisclosureId>,
    Input(decide): Input<DecideDisclosure>,
) -> Result<Response, Refusal> {
    let (console, versions, disclosures) = (&console, &versions, &console.receivers.disclosures);
    let is_approved = matches!(decide.decision, DisclosureVerdict::Approve);
    let write = async |tx: &mut WriteTx<'_>| {
        let before = DisclosureLine::from(disclosures.find_in_tx(tx, id).await?);
        versions.check(&ETag::of(console, &before)?)?;
        Ok::<_, Undone>(disclosures.decide_in_tx(tx, (caller.account, id), is_approved).await?)
    };
    let write = &write;
    let line = DisclosureLine::from(console.db.write("console.disclosure.decide", |tx| Box::pin(write(tx))).await?);
    Ok((ETag::of(console, &line)?, Json(line)).into_response())
}

/// Says from when on the person may be told of a disclosure.
#[utoipa::path(put, path = "/api/v1/disclosures/{disclosure}/telling", tag = "privacy", params(
    ("disclosure" = String, Path, description = "Its id."),
    ("if-match" = Option<String>, Header, description = "Change it only if this is its version."),
), request_body = Telling, responses(
    (status = 200, description = "The disclosure as it is now.", body = DisclosureLine,
        headers(("etag" = String, description = "The version."))),
    (status = 409, description = "The person has been told.", body = Problem, content_type = "application/problem+json"),
    (status = 412, description = "It has another version.", body = Problem, content_type = "application/problem+json"),
))]
async fn disclosures_telling(
    State(console): State<Console>,
    versions: IfMatch,
    Reference(id): Reference<DisclosureId>,
    Input(telling): Input<Telling>,
) -> Result<Response, Refusal> {
    let (console, versions, disclosures) = (&console, &versions, &console.receivers.disclosures);
    let from = telling.from.map(|at| at.0);
    let write = async |tx: &mut WriteTx<'_>| {
        let before = DisclosureLine::from(disclosures.find_in_tx(tx, id).await?);
        versions.check(&ETag::of(console, &before)?)?;
        Ok::<_, Undone>(disclosures.tell_from_in_tx(tx, id, from).await?)
    };
    let write = &write;
    let line = DisclosureLine::from(console.db.write("console.disclosure.telling", |tx| Box::pin(write(tx))).await?);
    Ok((ETag::of(console, &line)?, Json(line)).into_response())
}

/// What was disclosed of the caller to authorities, as far as they may be told, newest first.
#[utoipa::path(get, path = "/api/v1/account/disclosures", tag = "account", params(PageQuery), responses(
    (status = 200, description = "A page of disclosures.", body = Page<OwnDisclosure>),
))]
async fn account_disclosures(
    State(console): State<Console>,
    caller: Signed,
    Params(query): Params<PageQuery>,
) -> Answer<Page<OwnDisclosure>> {
    let page = page_of(query.after.as_deref(), query.limit)?;
    let found = console.receivers.disclosures.told(caller.account, page).await.map_err(Fault::from)?;
    Ok(Json(Page::of(found, OwnDisclosure::from)))
}

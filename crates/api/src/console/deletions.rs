//! `/api/v1/account/deletions`: a part of what is held about the caller goes, and the account stays.

use super::rights_forms::word;
use super::{Access, Answer, Console, Input, Routes, Signed};
use crate::forms::Moment;
use crate::problem::Problem;
use axum::Json;
use axum::extract::State;
use serde::{Deserialize, Serialize};
use tacit_privacy::parts as p;
use utoipa::ToSchema;
use utoipa_axum::routes;

word! {
    /// A part of what is held.
    Part as DataPart of p::Part {
        /// Records of calls, as far as they are older than a law demands.
        CallRecords,
        /// Sign-ins that are over, and devices that are known; whoever signs in next is told of a new one.
        SignIns,
        /// That messages were sent.
        Messages,
    }
}

/// What is to go.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewDataDeletion)]
#[serde(deny_unknown_fields)]
struct Wanted {
    /// The part.
    part: Part,
}

/// What became of a part.
#[derive(Serialize, ToSchema)]
#[schema(as = DataDeletion)]
struct DeletedView {
    /// The part.
    part: Part,
    /// Rows that went.
    deleted: u64,
    /// Rows that stay.
    kept: u64,
    /// The law that keeps them.
    law: Option<DataLaw>,
    /// From when on none of what is there now is kept by it.
    until: Option<Moment>,
}

/// A law that keeps something.
#[derive(Serialize, ToSchema)]
struct DataLaw {
    /// Its id.
    id: &'static str,
    /// What it is called, in English.
    english: &'static str,
    /// What it is called, in Chinese.
    chinese: &'static str,
}

pub(super) fn routes(routes: Routes) -> Routes {
    routes.add(Access::PERSON.stepped_up(), routes!(deletions_create))
}

/// Deletes a part of what is held about the caller for good, as far as no law keeps it. Who is cut off asks again.
#[utoipa::path(post, path = "/api/v1/account/deletions", tag = "account", request_body = Wanted, responses(
    (status = 200, description = "What went, and what a law keeps.", body = DeletedView),
    (status = 409, description = "A legal obligation demands that everything is kept as it is.", body = Problem,
        content_type = "application/problem+json"),
))]
async fn deletions_create(
    State(console): State<Console>,
    caller: Signed,
    Input(Wanted { part }): Input<Wanted>,
) -> Answer<DeletedView> {
    let done = console.parts.delete(caller.account, part.into()).await?;
    let law = |law: tacit_kernel::datamap::Law| DataLaw { id: law.id, english: law.english, chinese: law.chinese };
    Ok(Json(DeletedView {
        part,
        deleted: done.deleted,
        kept: done.kept,
        law: done.law.map(law),
        until: done.until.map(Into::into),
    }))
}

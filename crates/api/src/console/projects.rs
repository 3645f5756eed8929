//! `/api/v1/organisations/{organisation}/projects`: what keys are for, with a budget of their own.

use super::idempotency::{Replayed, Undone};
use super::members::BudgetForm;
use super::{Access, Answer, Console, ETag, Idempotent, IfMatch, Inner, Input, Member, Params, Routes, Signed};
use crate::forms::{Moment, Page, PageQuery, page_of};
use crate::problem::{Problem, Refusal};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tacit_identity::access::Scope;
use tacit_identity::organisations::{OrganisationPermission, Project, ProjectChange};
use tacit_kernel::Personal;
use tacit_kernel::ids::ProjectId;
use tacit_kernel::limits::Budget;
use tacit_storage::WriteTx;
use utoipa::ToSchema;
use utoipa_axum::routes;

/// A project of an organisation.
#[derive(Serialize, Deserialize, ToSchema)]
#[schema(as = Project)]
struct View {
    /// Its id, `proj_…`.
    #[schema(value_type = String)]
    id: ProjectId,
    /// Its name; `null` if it can no longer be read.
    name: Option<String>,
    /// In use or archived.
    status: Use,
    /// What all its keys may spend together.
    #[schema(value_type = BudgetForm)]
    budget: Budget,
    /// When it was made.
    created_at: Moment,
    /// When it last changed.
    updated_at: Moment,
}

/// Whether a project is in use.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[schema(as = ProjectStatus)]
#[serde(rename_all = "snake_case")]
enum Use {
    /// In use.
    Active,
    /// Kept, but out of use.
    Archived,
}

/// A project to create.
#[derive(Serialize, Deserialize, ToSchema)]
#[schema(as = NewProject)]
#[serde(deny_unknown_fields)]
struct New {
    /// Its name: 1 to 200 bytes; it need not be unique.
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    /// What all its keys may spend together; nothing is limited if absent.
    #[serde(default)]
    #[schema(value_type = BudgetForm, required = false)]
    budget: Budget,
}

/// What to change; what is absent stays.
#[derive(Default, Deserialize, ToSchema)]
#[schema(as = ProjectPatch)]
#[serde(deny_unknown_fields, default)]
struct Patch {
    /// Another name.
    #[schema(min_length = 1, max_length = 200)]
    name: Option<String>,
    /// Another budget; it replaces all that was set.
    #[schema(value_type = Option<BudgetForm>)]
    budget: Option<Budget>,
    /// In use or archived. What archiving has disabled stays disabled.
    status: Option<Use>,
}

impl From<Project> for View {
    fn from(project: Project) -> Self {
        Self {
            id: project.id,
            name: project.name.map(Personal::into_inner),
            status: if project.active { Use::Active } else { Use::Archived },
            budget: project.budget,
            created_at: project.created_at.into(),
            updated_at: project.updated_at.into(),
        }
    }
}

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .add(Access::Member(OrganisationPermission::ProjectsRead, Scope::OrganisationsRead), routes!(projects_list))
        .add(Access::Member(OrganisationPermission::ProjectsWrite, Scope::OrganisationsWrite), routes!(projects_create))
        .add(Access::Member(OrganisationPermission::ProjectsRead, Scope::OrganisationsRead), routes!(projects_show))
        .add(
            Access::Member(OrganisationPermission::ProjectsWrite, Scope::OrganisationsWrite),
            routes!(projects_update, projects_archive),
        )
}

/// The projects of an organisation, oldest first.
#[utoipa::path(get, path = "/api/v1/organisations/{organisation}/projects", tag = "organisations", params(
    ("organisation" = String, Path, description = "Its id."), PageQuery,
), responses(
    (status = 200, description = "A page of projects.", body = inline(Page<View>)),
))]
async fn projects_list(
    State(console): State<Console>,
    member: Member,
    Params(query): Params<PageQuery>,
) -> Answer<Page<View>> {
    let page = page_of(query.after.as_deref(), query.limit)?;
    Ok(Json(Page::of(console.identity.project_list(member.organisation, page).await?, View::from)))
}

/// Makes a project.
#[utoipa::path(post, path = "/api/v1/organisations/{organisation}/projects", tag = "organisations", params(
    ("organisation" = String, Path, description = "Its id."),
    ("idempotency-key" = Option<String>, Header, description = "Makes it safe to send this again; kept for a day.",
        min_length = 1, max_length = 255),
), request_body = New, responses(
    (status = 201, description = "The project.", body = View, headers(
        ("etag" = String, description = "The version."),
        ("idempotency-replayed" = String, description = "`true` if this is the answer of an earlier request."),
    )),
    (status = 409, description = "There are too many.", body = Problem, content_type = "application/problem+json"),
))]
async fn projects_create(
    State(console): State<Console>,
    caller: Signed,
    member: Member,
    idempotent: Idempotent,
    Input(new): Input<New>,
) -> Result<Response, Refusal> {
    let once = &idempotent.of(&console, &caller, "organisations.projects.create", &(member.organisation, &new))?;
    let (console, name, budget) = (&console, &Personal::new(new.name), new.budget);
    let create = async |tx: &mut WriteTx<'_>| {
        if let Some(made) = once.stored::<View>(console, tx).await? {
            return Ok((made, true));
        }
        let made = View::from(console.identity.project_create_in_tx(tx, member.by(), name, budget).await?);
        once.keep(console, tx, &made).await?;
        Ok::<_, Undone>((made, false))
    };
    let create = &create;
    let (made, replayed) = console.db.write("console.project.create", |tx| Box::pin(create(tx))).await?;
    let tag = ETag::of(console, &made)?;
    Ok((StatusCode::CREATED, tag, Replayed(replayed), Json(made)).into_response())
}

/// A project of an organisation.
#[utoipa::path(get, path = "/api/v1/organisations/{organisation}/projects/{project}", tag = "organisations", params(
    ("organisation" = String, Path, description = "Its id."),
    ("project" = String, Path, description = "The project's id."),
    ("if-none-match" = Option<String>, Header, description = "The version that the caller has."),
), responses(
    (status = 200, description = "The project.", body = View, headers(("etag" = String, description = "The version."))),
    (status = 304, description = "The caller has this version."),
))]
async fn projects_show(
    State(console): State<Console>,
    member: Member,
    versions: IfMatch,
    Inner(id): Inner<ProjectId>,
) -> Result<Response, Refusal> {
    let (identity, organisation) = (&console.identity, member.organisation);
    let found =
        console.db.read("console.project.show", |tx| Box::pin(identity.project_in_tx(tx, organisation, id))).await?;
    let found = View::from(found);
    Ok(versions.shown(ETag::of(&console, &found)?, Json(found)))
}

/// Changes a project.
#[utoipa::path(patch, path = "/api/v1/organisations/{organisation}/projects/{project}", tag = "organisations", params(
    ("organisation" = String, Path, description = "Its id."),
    ("project" = String, Path, description = "The project's id."),
    ("if-match" = Option<String>, Header, description = "Change it only if this is its version."),
), request_body = Patch, responses(
    (status = 200, description = "The project as it is now.", body = View,
        headers(("etag" = String, description = "The version."))),
    (status = 412, description = "It has another version.", body = Problem, content_type = "application/problem+json"),
))]
async fn projects_update(
    State(console): State<Console>,
    member: Member,
    versions: IfMatch,
    Inner(id): Inner<ProjectId>,
    Input(patch): Input<Patch>,
) -> Result<Response, Refusal> {
    let change = ProjectChange {
        name: patch.name.map(Personal::new),
        budget: patch.budget,
        active: patch.status.map(|status| matches!(status, Use::Active)),
    };
    let updated = changed(&console, member, id, &versions, &change).await?;
    Ok((ETag::of(&console, &updated)?, Json(updated)).into_response())
}

/// Archives a project: its keys are disabled.
#[utoipa::path(delete, path = "/api/v1/organisations/{organisation}/projects/{project}", tag = "organisations", params(
    ("organisation" = String, Path, description = "Its id."),
    ("project" = String, Path, description = "The project's id."),
    ("if-match" = Option<String>, Header, description = "Archive it only if this is its version."),
), responses(
    (status = 204, description = "It is archived."),
    (status = 412, description = "It has another version.", body = Problem, content_type = "application/problem+json"),
))]
async fn projects_archive(
    State(console): State<Console>,
    member: Member,
    versions: IfMatch,
    Inner(id): Inner<ProjectId>,
) -> Result<StatusCode, Refusal> {
    let change = ProjectChange { active: Some(false), ..ProjectChange::default() };
    changed(&console, member, id, &versions, &change).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Changes a project, if it is as the caller has seen it.
async fn changed(
    console: &Console,
    member: Member,
    id: ProjectId,
    versions: &IfMatch,
    change: &ProjectChange,
) -> Result<View, Refusal> {
    let update = async |tx: &mut WriteTx<'_>| {
        let identity = &console.identity;
        let before = View::from(identity.project_in_tx(tx, member.organisation, id).await?);
        versions.check(&ETag::of(console, &before)?)?;
        Ok::<_, Undone>(View::from(identity.project_update_in_tx(tx, member.by(), id, change).await?))
    };
    let update = &update;
    Ok(console.db.write("console.project.update", |tx| Box::pin(update(tx))).await?)
}

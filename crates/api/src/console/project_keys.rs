//! `/api/v1/organisations/{organisation}/projects/{project}/keys`: the keys of a project, and how keys are made that are its
//! alone. They are changed and revoked where all keys of the organisation are.

use super::idempotency::Undone;
use super::keys::{self, CreatedKey, Key, KeysQuery, LimitsForm};
use super::{Access, Answer, Console, Idempotent, Inner, Input, Member, Params, Routes, Signed};
use crate::forms::{Page, Secret};
use crate::problem::{Problem, Refusal};
use axum::extract::State;
use axum::response::Response;
use serde::{Deserialize, Serialize};
use tacit_identity::access::Scope;
use tacit_identity::organisations::OrganisationPermission;
use tacit_kernel::Personal;
use tacit_kernel::ids::ProjectId;
use tacit_kernel::limits::Limits;
use tacit_storage::{ReadTx, WriteTx};
use utoipa::ToSchema;
use utoipa_axum::routes;

/// A key of a project to create.
#[derive(Serialize, Deserialize, ToSchema)]
#[schema(as = NewProjectKey)]
#[serde(deny_unknown_fields)]
struct New {
    /// A name to tell it from others of the organisation: 1 to 200 bytes without `/`.
    #[schema(min_length = 1, max_length = 200)]
    name: String,
    /// What it may do at most; nothing is limited if absent.
    #[serde(default)]
    #[schema(value_type = LimitsForm, required = false)]
    limits: Limits,
}

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .add(Access::Member(OrganisationPermission::KeysAll, Scope::OrganisationKeysRead), routes!(project_keys_list))
        .add(
            Access::Member(OrganisationPermission::KeysAll, Scope::OrganisationKeysWrite),
            routes!(project_keys_create),
        )
}

/// The API keys of a project, its own and those of members, oldest first.
#[utoipa::path(get, path = "/api/v1/organisations/{organisation}/projects/{project}/keys", tag = "organisations", params(
    ("organisation" = String, Path, description = "Its id."),
    ("project" = String, Path, description = "The project's id."), KeysQuery,
), responses(
    (status = 200, description = "A page of keys.", body = Page<Key>),
))]
async fn project_keys_list(
    State(console): State<Console>,
    member: Member,
    Inner(project): Inner<ProjectId>,
    Params(query): Params<KeysQuery>,
) -> Answer<Page<Key>> {
    let (identity, organisation) = (&console.identity, member.organisation);
    let find = async |tx: &mut ReadTx<'_>| identity.project_in_tx(tx, organisation, project).await;
    let find = &find;
    console.db.read("console.project.show", |tx| Box::pin(find(tx))).await?;
    keys::list_of_project(&console, organisation, project, &query).await
}

/// Makes an API key that is the project's alone: it stays when whoever made it leaves, spends by the budget of the project and of no
/// member, and ends for good when the project is archived.
#[utoipa::path(post, path = "/api/v1/organisations/{organisation}/projects/{project}/keys", tag = "organisations", params(
    ("organisation" = String, Path, description = "Its id."),
    ("project" = String, Path, description = "The project's id."),
    ("idempotency-key" = Option<String>, Header, description = "Makes it safe to send this again; kept for a day.",
        min_length = 1, max_length = 255),
), request_body = New, responses(
    (status = 201, description = "The key, with its secret.", body = CreatedKey, headers(
        ("etag" = String, description = "The version of the key."),
        ("idempotency-replayed" = String, description = "`true` if this is the answer of an earlier request."),
    )),
    (status = 409, description = "There is another key of that name, there are too many, or the project is archived.",
        body = Problem, content_type = "application/problem+json"),
))]
async fn project_keys_create(
    State(console): State<Console>,
    caller: Signed,
    member: Member,
    idempotent: Idempotent,
    Inner(project): Inner<ProjectId>,
    Input(new): Input<New>,
) -> Result<Response, Refusal> {
    let request = (member.organisation, project, &new);
    let once = &idempotent.of(&console, &caller, "organisations.projects.keys.create", &request)?;
    let (console, name, limits) = (&console, &Personal::new(new.name), &new.limits);
    let create = async |tx: &mut WriteTx<'_>| {
        if let Some(made) = once.stored::<CreatedKey>(console, tx).await? {
            return Ok((made, true));
        }
        let identity = &console.identity;
        let (key, secret) = identity.project_key_create_in_tx(tx, member.by(), project, name, limits).await?;
        let made = CreatedKey { secret: Secret(secret), key: key.into() };
        once.keep(console, tx, &made).await?;
        Ok::<_, Undone>((made, false))
    };
    let create = &create;
    let (made, replayed) = console.db.write("console.project_key.create", |tx| Box::pin(create(tx))).await?;
    keys::created(console, made, replayed)
}

//! The OpenAPI document and the page of permissions, both made from the routes as they are registered.

use super::recording::{Recorded, action_of};
use super::routes::{Access, Demand, KeyMay, RouteAccess};
use crate::problem::{MEDIA_TYPE, Problem};
use axum::http::Method;
use std::borrow::Cow;
use std::fmt::Write as _;
use tacit_identity::access::{BuiltInRole, Permission, Scope};
use tacit_identity::organisations::{OrganisationPermission, OrganisationRole};
use utoipa::openapi::extensions::ExtensionsBuilder;
use utoipa::openapi::path::{Operation, Paths};
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, PathItem, Ref, RefOr,
    Response, ResponseBuilder,
};
use utoipa::{PartialSchema, ToSchema};

/// The OpenAPI document of the console API.
#[must_use]
pub fn document() -> OpenApi {
    super::routes().into_document()
}

/// The same as it is committed and published: JSON, indented, with a newline at its end.
#[must_use]
pub fn document_text() -> String {
    let text = document().to_pretty_json().unwrap_or_default();
    text + "\n"
}

/// Answers that several routes give: name, status, what they mean.
const REFUSALS: [(&str, &str, &str); 13] = [
    ("Unauthenticated", "401", "Nobody is signed in, or the management key is not known."),
    ("Denied", "403", "The caller lacks the permission, must prove once more who they are, or is another site."),
    ("Absent", "404", "There is no such thing, or nothing can be called so."),
    ("Restricted", "409", "The person whose data it is wants it kept and not used."),
    ("Changed", "412", "The resource is not as `If-Match` says."),
    ("TooLarge", "413", "The body is larger than this interface takes."),
    ("MediaType", "415", "The body is not `application/json`."),
    ("Broken", "400", "The request did not arrive whole, or is no HTTP."),
    ("Invalid", "422", "The request is not as it must be; `field` names what is wrong."),
    ("Limited", "429", "Too many tries; `retry-after` says for how many seconds to wait."),
    ("TooSlow", "408", "The body did not arrive in time."),
    ("Internal", "500", "The platform failed."),
    ("Unavailable", "503", "The platform cannot answer now; try again later."),
];

/// The document without a route.
pub(super) fn outline() -> OpenApi {
    let session = ApiKey::Cookie(ApiKeyValue::with_description(
        super::Cookies::Secure.session_name(),
        "The cookie of a sign-in. Requests that change something must come from the same origin.",
    ));
    let key = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("tm-…")
        .description(Some("A management key."))
        .build();
    let components = REFUSALS.into_iter().fold(
        ComponentsBuilder::new()
            .schema(Problem::name(), Problem::schema())
            .security_scheme("session", SecurityScheme::ApiKey(session))
            .security_scheme("management_key", SecurityScheme::Http(key)),
        |components, (name, _, meaning)| components.response(name, problem(meaning)),
    );
    OpenApiBuilder::new()
        .info(
            InfoBuilder::new()
                .title("Tacit console API")
                .version("1")
                .description(Some("What the console does, for programs. See docs/api.md."))
                .license(Some(LicenseBuilder::new().name("Apache-2.0").identifier(Some("Apache-2.0")).build()))
                .build(),
        )
        .components(Some(components.build()))
        .build()
}

fn problem(meaning: &str) -> Response {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name(Problem::name()))).build();
    ResponseBuilder::new().description(meaning).content(MEDIA_TYPE, content).build()
}

/// The operations of a path, each with its method in capitals.
pub(super) fn operations(item: &PathItem) -> impl Iterator<Item = (&'static str, &Operation)> {
    [
        ("GET", &item.get),
        ("PUT", &item.put),
        ("POST", &item.post),
        ("DELETE", &item.delete),
        ("OPTIONS", &item.options),
        ("HEAD", &item.head),
        ("PATCH", &item.patch),
        ("TRACE", &item.trace),
    ]
    .into_iter()
    .filter_map(|(method, operation)| operation.as_ref().map(|operation| (method, operation)))
}

fn operations_mut(item: &mut PathItem) -> impl Iterator<Item = (Method, &mut Operation)> {
    [
        (Method::GET, &mut item.get),
        (Method::PUT, &mut item.put),
        (Method::POST, &mut item.post),
        (Method::DELETE, &mut item.delete),
        (Method::OPTIONS, &mut item.options),
        (Method::HEAD, &mut item.head),
        (Method::PATCH, &mut item.patch),
        (Method::TRACE, &mut item.trace),
    ]
    .into_iter()
    .filter_map(|(method, operation)| operation.as_mut().map(|operation| (method, operation)))
}

/// Writes into the operations what follows from who may use them, and the answers that come from before their handlers.
pub(super) fn describe(paths: &mut Paths, demand: Demand) {
    for (path, item) in &mut paths.paths {
        for (method, operation) in operations_mut(item) {
            let reads = matches!(method, Method::GET | Method::HEAD | Method::OPTIONS);
            let mut refusals = vec!["Internal", "Unavailable"];
            let query =
                operation.parameters.iter().flatten().any(|p| matches!(p, RefOr::T(p) if is_query_or_header(p)));
            if operation.request_body.is_some() {
                refusals.extend(["Broken", "TooSlow", "TooLarge", "Invalid"]);
            }
            if query {
                refusals.push("Invalid");
            }
            if path.contains('{') {
                refusals.push("Absent");
            }
            if !reads {
                refusals.extend(["Denied", "MediaType"]);
            }
            // What anybody may ask for is asked for by whoever guesses; an account has a rate, reading too.
            if !reads || demand.access != Access::Public {
                refusals.push("Limited");
            }
            // Staff asks for what somebody may not allow (`crate::restricted`).
            if let (Access::Needs(_), Some(Recorded::As(action, _))) = (demand.access, action_of(&method, path))
                && !action.purpose().survives_restriction()
            {
                refusals.push("Restricted");
            }
            if demand.access != Access::Public {
                // A key can lack a scope wherever somebody must be signed in.
                refusals.extend(["Unauthenticated", "Denied"]);
                let key = match demand.key_may() {
                    KeyMay::Never => None,
                    KeyMay::With(scope) => Some(vec![scope.as_str()]),
                    KeyMay::Always => Some(Vec::new()),
                };
                let session = SecurityRequirement::new::<_, [&str; 0], _>("session", []);
                let key = key.map(|scopes| SecurityRequirement::new("management_key", scopes));
                operation.security = Some([session].into_iter().chain(key).collect());
            }
            for (name, status, _) in REFUSALS.into_iter().filter(|(name, ..)| refusals.contains(name)) {
                let answer = RefOr::Ref(Ref::from_response_name(name));
                operation.responses.responses.entry(status.to_owned()).or_insert(answer);
            }
            let access = serde_json::json!({
                "who": who(demand.access), "step_up": demand.step_up, "management_key": management_key(demand),
            });
            operation.extensions = Some(ExtensionsBuilder::new().add("x-access", access).build());
        }
    }
}

fn is_query_or_header(parameter: &utoipa::openapi::path::Parameter) -> bool {
    use utoipa::openapi::path::ParameterIn;
    matches!(parameter.parameter_in, ParameterIn::Query)
}

/// Who may use a route, as the document says it.
pub(super) fn who(access: Access) -> Cow<'static, str> {
    match access {
        Access::Public => "everybody".into(),
        Access::SignedIn(_) => "signed in".into(),
        Access::Needs(permission) => permission.as_str().into(),
        Access::Member(permission, _) => format!("member: {permission}", permission = permission.as_str()).into(),
    }
}

/// What a management key needs at a route beyond what its owner does, as the document says it: a scope, nothing (`yes`), or
/// it cannot be had (`no`).
pub(super) fn management_key(demand: Demand) -> &'static str {
    match demand.key_may() {
        KeyMay::Never => "no",
        KeyMay::With(scope) => scope.as_str(),
        KeyMay::Always => "yes",
    }
}

/// The page of permissions: role × permission and role × route, as Markdown.
#[must_use]
pub fn permissions_page(table: &[RouteAccess]) -> String {
    let roles = BuiltInRole::ALL;
    let mut page = String::from(
        "# Permissions\n\nMade from the program by `cargo xtask generate`; do not edit.\n\nA permission is what staff may do \
         with what belongs to others or to the platform. What an account does with its own needs none, but a management key \
         needs a scope for it. *Step-up*: the caller must have proved anew, a moment ago, who they are. A role of the operator's own is a name with any of \
         these permissions.\n\n## Roles\n\n",
    );
    for role in roles {
        let _ = writeln!(page, "- `{}`: {}", role.as_str(), role.meaning());
    }
    let heads: String = roles.iter().map(|role| format!(" {} |", role.as_str())).collect();
    let rules = " :-: |".repeat(roles.len());
    let marks = |has: &dyn Fn(BuiltInRole) -> bool| -> String {
        roles.iter().map(|role| if has(*role) { " ✓ |" } else { "  |" }).collect()
    };
    let step = |needed| if needed { "yes" } else { "" };
    let _ = write!(
        page,
        "\n## Role × permission\n\n| permission | meaning | step-up |{heads}\n| --- | --- | --- |{rules}\n"
    );
    for permission in Permission::ALL {
        let has = |role: BuiltInRole| role.permissions().has(*permission);
        let (meaning, step_up) = (permission.meaning(), step(permission.needs_step_up()));
        let _ = writeln!(page, "| `{permission}` | {meaning} | {step_up} |{}", marks(&has));
    }
    page.push_str(
        "\n## Scopes of management keys\n\nWhat a management key may do with what is its owner's own. What staff does it may do \
         with the permissions that it names, as long as its owner has them. No key can do what asks for step-up.\n\n\
         | scope | meaning |\n| --- | --- |\n",
    );
    for scope in Scope::ALL {
        let _ = writeln!(page, "| `{scope}` | {} |", scope.meaning());
    }
    let _ = write!(
        page,
        "\n## Role × route\n\n| route | who | step-up | management key | everybody | signed in |{heads}\n\
         | --- | --- | --- | --- | :-: | :-: |{rules}\n"
    );
    for RouteAccess { method, path, demand } in table {
        let (everybody, signed_in) =
            (demand.access == Access::Public, matches!(demand.access, Access::Public | Access::SignedIn(_)));
        let has = |role: BuiltInRole| match demand.access {
            Access::Public | Access::SignedIn(_) => true,
            Access::Needs(permission) => role.permissions().has(permission),
            // A role of staff is nothing in an organisation.
            Access::Member(..) => false,
        };
        let mark = |yes| if yes { "✓" } else { "" };
        let _ = writeln!(
            page,
            "| `{method} {path}` | {} | {} | {} | {} | {} |{}",
            who(demand.access),
            step(demand.step_up),
            management_key(*demand),
            mark(everybody),
            mark(signed_in),
            marks(&has)
        );
    }
    page.push_str(&organisations(table));
    page
}

/// The part of that page about organisations.
fn organisations(table: &[RouteAccess]) -> String {
    let roles = OrganisationRole::ALL;
    let heads: String = roles.iter().map(|role| format!(" {} |", role.as_str())).collect();
    let rules = " :-: |".repeat(roles.len());
    let marks = |permission: OrganisationPermission| -> String {
        roles.iter().map(|role| if role.has(permission) { " ✓ |" } else { "  |" }).collect()
    };
    let step = |needed| if needed { "yes" } else { "" };
    let mut page = String::from(
        "\n## Roles in an organisation\n\nWhat a member may do with what belongs to the organisation. Who is no member is told \
         that there is no such organisation, staff too. In one that is closed nothing is changed, but that members leave.\n\n",
    );
    for role in roles {
        let _ = writeln!(page, "- `{}`: {}", role.as_str(), role.meaning());
    }
    let _ = write!(page, "\n| permission | meaning | step-up |{heads}\n| --- | --- | --- |{rules}\n");
    for permission in OrganisationPermission::ALL {
        let (name, meaning) = (permission.as_str(), permission.meaning());
        let step_up = step(permission.needs_step_up());
        let _ = writeln!(page, "| `{name}` | {meaning} | {step_up} |{}", marks(*permission));
    }
    let _ = write!(page, "\n| route | who | step-up |{heads}\n| --- | --- | --- |{rules}\n");
    for RouteAccess { method, path, demand } in table {
        let Access::Member(permission, _) = demand.access else { continue };
        let (who, step_up) = (who(demand.access), step(demand.step_up));
        let _ = writeln!(page, "| `{method} {path}` | {who} | {step_up} |{}", marks(permission));
    }
    page
}

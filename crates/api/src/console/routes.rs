//! The one way to register a route: with who may use it. The guard stands before every handler, and the table of what
//! was demanded is what documents and tests are made from.

use super::document;
use super::membership;
use super::recording::{self, Asked};
use super::{Client, Console, Presented, Signed};
use crate::problem::Refusal;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use tacit_identity::access::{Caller, Permission, Scope, Via};
use tacit_identity::organisations::OrganisationPermission;
use tacit_kernel::{ErrorKind, Fault};
use utoipa::openapi::OpenApi;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

/// What of its owner's own a management key may do at a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyMay {
    /// Nothing: this is about sign-ins, credentials or management keys, or asks for step-up. Only a person does it.
    Never,
    /// It has that scope.
    With(Scope),
    /// It says nothing of its owner but what the key itself is.
    Always,
}

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everybody; nobody is asked who they are.
    Public,
    /// Whoever is signed in, for what is their own; and a management key of theirs that may.
    SignedIn(KeyMay),
    /// Staff with that permission. If the permission asks for step-up, so does the route.
    Needs(Permission),
    /// Members of the organisation that the path names as `{organisation}`, with that permission there. If the permission
    /// asks for step-up, so does the route. A management key of such a member needs the scope too.
    Member(OrganisationPermission, Scope),
}

/// What a route demands of its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Demand {
    /// Who.
    pub access: Access,
    /// Whether they must have proved anew, a moment ago, who they are.
    pub step_up: bool,
}

impl Access {
    /// Whoever is signed in, in person.
    pub const PERSON: Self = Self::SignedIn(KeyMay::Never);

    /// Whoever is signed in, and a management key with that scope.
    #[must_use]
    pub const fn own(scope: Scope) -> Self {
        Self::SignedIn(KeyMay::With(scope))
    }

    /// The same, and step-up even where a permission does not ask for it. Of no meaning for [`Access::Public`], which
    /// becomes [`Access::PERSON`].
    #[must_use]
    pub const fn stepped_up(self) -> Demand {
        match self {
            Self::Public => Demand { access: Self::PERSON, step_up: true },
            access => Demand { access, step_up: true },
        }
    }
}

impl From<Access> for Demand {
    fn from(access: Access) -> Self {
        let step_up = match access {
            Access::Public | Access::SignedIn(_) => false,
            Access::Needs(permission) => permission.needs_step_up(),
            Access::Member(permission, _) => permission.needs_step_up(),
        };
        Self { access, step_up }
    }
}

impl Demand {
    /// What a management key needs to be let in: scopes for what is its owner's own; for what staff does, the permission
    /// of the route is all.
    #[must_use]
    pub const fn key_may(self) -> KeyMay {
        match self.access {
            _ if self.step_up => KeyMay::Never,
            Access::Public | Access::Needs(_) => KeyMay::Always,
            Access::SignedIn(key) => key,
            Access::Member(_, scope) => KeyMay::With(scope),
        }
    }
}

/// What a route demands: a line of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteAccess {
    /// Method, in capitals.
    pub method: &'static str,
    /// Path, with parameters as `{name}`.
    pub path: String,
    /// What it demands.
    pub demand: Demand,
}

struct Entry {
    demand: Demand,
    routes: UtoipaMethodRouter<Console>,
}

/// Routes with what they demand. There is no way to add one without.
#[derive(Default)]
pub struct Routes(Vec<Entry>);

impl Routes {
    /// None yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds handlers of one path, as `utoipa_axum::routes!` collects them, for these callers.
    #[must_use]
    pub fn add(mut self, demand: impl Into<Demand>, routes: UtoipaMethodRouter<Console>) -> Self {
        self.0.push(Entry { demand: demand.into(), routes });
        self
    }

    /// What each route demands, in the order in which they were added.
    #[must_use]
    pub fn table(&self) -> Vec<RouteAccess> {
        let mut table = Vec::new();
        for Entry { demand, routes: (_, paths, _) } in &self.0 {
            for (path, item) in &paths.paths {
                for (method, _) in document::operations(item) {
                    table.push(RouteAccess { method, path: path.clone(), demand: *demand });
                }
            }
        }
        table
    }

    /// The name of every schema that a route describes, with the schema.
    #[cfg(test)]
    pub(super) fn schemas(&self) -> impl Iterator<Item = (&str, serde_json::Value)> {
        let described = self.0.iter().flat_map(|Entry { routes: (schemas, _, _), .. }| schemas);
        described.map(|(name, schema)| (name.as_str(), serde_json::json!(schema)))
    }

    /// The OpenAPI document of these routes.
    #[must_use]
    pub fn into_document(self) -> OpenApi {
        self.into_parts(|_, handlers| handlers).1
    }

    /// The router: a guard before every handler.
    pub(super) fn into_router(self, console: &Console) -> Router<Console> {
        let guarded = |demand, handlers: axum::routing::MethodRouter<Console>| {
            handlers.route_layer(from_fn_with_state(Guard { demand, console: console.clone() }, guard))
        };
        self.into_parts(guarded).0
    }

    fn into_parts(
        self,
        guarded: impl Fn(Demand, axum::routing::MethodRouter<Console>) -> axum::routing::MethodRouter<Console>,
    ) -> (Router<Console>, OpenApi) {
        let mut router = OpenApiRouter::with_openapi(document::outline());
        for Entry { demand, routes: (schemas, mut paths, handlers) } in self.0 {
            document::describe(&mut paths, demand);
            router = router.routes((schemas, paths, guarded(demand, handlers)));
        }
        router.split_for_parts()
    }
}

#[derive(Clone)]
struct Guard {
    demand: Demand,
    console: Console,
}

/// The one place where it is decided whether a caller may use a route.
async fn guard(State(guard): State<Guard>, mut request: Request, next: Next) -> Response {
    if guard.demand.access == Access::Public {
        if !request.method().is_safe()
            && let Err(refusal) = guard.console.crowd.admit(Client::of(request.headers()).address)
        {
            return refusal.into_response();
        }
    } else {
        match caller(&guard.console, request.headers()).await {
            Ok(caller) => {
                let admitted = guard.console.crowd.admit_account(caller.account);
                if let Err(refusal) = admitted.and_then(|()| in_person_or_with_scope(guard.demand, &caller)) {
                    return refusal.into_response();
                }
                if let Access::Member(permission, _) = guard.demand.access {
                    let asked = membership::Asked::of(&request);
                    match Box::pin(asked.member(&guard.console, caller.account, permission)).await {
                        Ok(member) => request.extensions_mut().insert(member),
                        Err(refusal) => return refusal.into_response(),
                    };
                }
                if let Err(refusal) = admit(guard.demand, &caller) {
                    return refusal.into_response();
                }
                request.extensions_mut().insert(Signed(caller));
            }
            Err(refusal) => return unauthenticated(refusal),
        }
    }
    recorded(&guard.console, guard.demand.access, request, next).await
}

/// Runs the handler between the two entries of the audit log that tell of it.
async fn recorded(console: &Console, access: Access, request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>().cloned();
    let (caller, client) = (request.extensions().get::<Signed>().cloned(), Client::of(request.headers()));
    let (mut parts, body) = request.into_parts();
    // It has arrived, and is bounded.
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let asked = Asked {
        method: &parts.method,
        route: path.as_ref().map_or("", MatchedPath::as_str),
        uri: &parts.uri,
        body: &body,
        needed: match access {
            Access::Needs(permission) => Some(permission),
            Access::Public | Access::SignedIn(_) | Access::Member(..) => None,
        },
    };
    let begun = Box::pin(recording::begin(console, asked, caller.as_ref(), client)).await;
    if let Ok(Some(begun)) = &begun {
        parts.extensions.insert(begun.reasoned());
    }
    let request = Request::from_parts(parts, Body::from(body));
    match begun {
        Ok(Some(begun)) => {
            let response = next.run(request).await;
            Box::pin(recording::finish(console, begun, response)).await
        }
        Ok(None) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    }
}

/// Who a request comes from.
///
/// # Errors
/// 401 if nobody is known by what it shows; 429 and 503 if too many show what nobody is known by.
pub(super) async fn caller(console: &Console, headers: &HeaderMap) -> Result<Caller, Refusal> {
    let nobody =
        || Fault::new(ErrorKind::Unauthenticated, "access.unauthenticated", "sign in, or show a management key");
    let presented = Presented::of(headers, console.cookies).ok_or_else(nobody)?;
    let client = Client::of(headers);
    console.crowd.admit_showing(presented.token(), client.address)?;
    let found = console.authenticate.authenticate(&presented, &client).await?;
    console.crowd.recognised(presented.token(), found.is_some());
    Ok(found.ok_or_else(nobody)?)
}

/// Whether this caller may do it with what is their own: a person, or a management key with the scope.
fn in_person_or_with_scope(demand: Demand, caller: &Caller) -> Result<(), Refusal> {
    let (Via::ManagementKey(_, scopes), Access::SignedIn(_) | Access::Member(..)) = (caller.via, demand.access) else {
        return Ok(());
    };
    let message = match demand.key_may() {
        KeyMay::Always => return Ok(()),
        KeyMay::With(scope) if scopes.has(scope) => return Ok(()),
        KeyMay::With(scope) => format!("this needs a management key with the scope {scope}"),
        KeyMay::Never => "no management key can do this: sign in".to_owned(),
    };
    Err(Fault::new(ErrorKind::Forbidden, "access.denied", message).into())
}

/// Whether this caller meets that demand.
fn admit(demand: Demand, caller: &Caller) -> Result<(), Refusal> {
    if let Access::Needs(permission) = demand.access
        && !caller.permissions.has(permission)
    {
        let message = format!("this needs the permission {permission}");
        return Err(Fault::new(ErrorKind::Forbidden, "access.denied", message).into());
    }
    if demand.step_up && !caller.stepped_up {
        let message = "prove once more who you are, then try again";
        return Err(Fault::new(ErrorKind::Forbidden, "access.step_up_required", message).into());
    }
    Ok(())
}

/// A 401 says how to authenticate (RFC 9110, 11.6.1).
fn unauthenticated(refusal: Refusal) -> Response {
    let mut response = refusal.into_response();
    if response.status() == axum::http::StatusCode::UNAUTHORIZED {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

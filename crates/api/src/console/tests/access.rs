//! Who may use what: the table, the document and what the router does are the same, and the default is no.

use super::*;
use crate::console::routes::Demand;
use crate::console::{KeyMay, RouteAccess};
use tacit_identity::organisations::OrganisationPermission;
use tacit_storage::both_engines;
use utoipa_axum::routes;

/// What a token stands for in the organisations of these tests.
fn role_of(token: &str) -> Option<OrganisationRole> {
    let token = token.strip_suffix("-stepped-up").or_else(|| token.strip_suffix("-bare")).unwrap_or(token);
    OrganisationRole::parse(token.strip_prefix("tm-").unwrap_or(token).strip_prefix("org-")?)
}

fn wanted(demand: Demand, caller: Option<&Caller>, role: Option<OrganisationRole>) -> Option<(u16, &'static str)> {
    match (demand.access, caller) {
        (Access::Public, _) => None,
        (_, None) => Some((401, "access.unauthenticated")),
        (Access::Needs(permission), Some(caller)) if !caller.permissions.has(permission) => {
            Some((403, "access.denied"))
        }
        (Access::SignedIn(_) | Access::Member(..), Some(Caller { via: Via::ManagementKey(_, scopes), .. }))
            if !key_is_let_in(demand, *scopes) =>
        {
            Some((403, "access.denied"))
        }
        // Who is no member, of the staff or not, learns nothing.
        (Access::Member(..), Some(_)) if role.is_none() => Some((404, "organisation.not_found")),
        (Access::Member(permission, _), Some(_)) if !role.is_some_and(|role| role.has(permission)) => {
            Some((403, "access.denied"))
        }
        (_, Some(caller)) if demand.step_up && !caller.stepped_up => Some((403, "access.step_up_required")),
        _ => None,
    }
}

/// Said once more than in the guard, and otherwise.
fn key_is_let_in(demand: Demand, scopes: Scopes) -> bool {
    match demand.access {
        _ if demand.step_up => false,
        Access::SignedIn(KeyMay::Never) => false,
        Access::SignedIn(KeyMay::With(scope)) | Access::Member(_, scope) => scopes.iter().any(|held| held == scope),
        Access::SignedIn(KeyMay::Always) | Access::Needs(_) | Access::Public => true,
    }
}

/// Something to ask for at a path with parameters.
fn concrete(path: &str) -> String {
    path.replace("{key}", "key_01h455vb4pex5vsknk084sn02q")
        .replace("{organisation}", "acct_01h455vb4pex5vsknk084sn02q")
        .replace("{case}", "vrf_01h455vb4pex5vsknk084sn02q")
        .replace("{paper}", "passport")
}

/// A handler behind every kind of demand.
#[utoipa::path(get, path = "/api/v1/plain", responses((status = 200, description = "")))]
async fn plain() -> &'static str {
    "done"
}

#[utoipa::path(post, path = "/api/v1/plain", responses((status = 200, description = "")))]
async fn plain_post() -> &'static str {
    "done"
}

#[utoipa::path(get, path = "/api/v1/needs", responses((status = 200, description = "")))]
async fn needs() -> &'static str {
    "done"
}

#[utoipa::path(get, path = "/api/v1/steps", responses((status = 200, description = "")))]
async fn steps() -> &'static str {
    "done"
}

#[utoipa::path(get, path = "/api/v1/organisations/{organisation}/own", params(("organisation" = String, Path,)),
    responses((status = 200, description = "")))]
async fn member_own(member: crate::console::Member) -> String {
    member.role.as_str().to_owned()
}

#[utoipa::path(get, path = "/api/v1/organisations/{organisation}/steps", params(("organisation" = String, Path,)),
    responses((status = 200, description = "")))]
async fn member_steps() -> &'static str {
    "done"
}

#[utoipa::path(get, path = "/api/v1/own", responses((status = 200, description = "")))]
async fn own() -> &'static str {
    "done"
}

#[utoipa::path(post, path = "/api/v1/own", responses((status = 200, description = "")))]
async fn own_write() -> &'static str {
    "done"
}

#[utoipa::path(delete, path = "/api/v1/own", responses((status = 200, description = "")))]
async fn own_person() -> &'static str {
    "done"
}

fn of_every_kind() -> Routes {
    Routes::new()
        .add(Access::Public, routes!(plain))
        .add(Access::Needs(Permission::MoneyChange), routes!(plain_post))
        .add(Access::Needs(Permission::AuditRead), routes!(needs))
        .add(Access::Needs(Permission::AuditRead).stepped_up(), routes!(steps))
        .add(Access::PERSON.stepped_up(), routes!(own))
        .add(Access::own(Scope::KeysWrite), routes!(own_write))
        .add(Access::PERSON, routes!(own_person))
        .add(Access::Member(OrganisationPermission::KeysAll, Scope::OrganisationKeysRead), routes!(member_own))
        .add(
            Access::Member(OrganisationPermission::OrganisationClose, Scope::OrganisationsWrite),
            routes!(member_steps),
        )
}

async fn crawl(served: &Served, table: &[RouteAccess]) {
    let mut tokens = vec![None, Some("ann".to_owned()), Some("tm-ann".to_owned()), Some("nobody".to_owned())];
    tokens.push(Some("tm-ann-bare".to_owned()));
    tokens.extend(Scope::ALL.iter().map(|scope| Some(format!("tm-ann-{scope}"))));
    for role in BuiltInRole::ALL {
        tokens.push(Some(role.as_str().to_owned()));
        tokens.push(Some(format!("{}-stepped-up", role.as_str())));
    }
    for role in OrganisationRole::ALL {
        for token in ["org-{}", "tm-org-{}", "tm-org-{}-bare", "org-{}-stepped-up"] {
            tokens.push(Some(token.replace("{}", role.as_str())));
        }
    }
    let mut organisation = served.organisation().await;
    let own: Vec<_> = BuiltInRole::ALL
        .into_iter()
        .flat_map(|role| [false, true].map(|stepped_up| (role.as_str(), role.permissions(), stepped_up)))
        .collect();
    for RouteAccess { method, path, demand } in table {
        for token in &tokens {
            let method: Method = method.parse().unwrap();
            let path = path.replace("{organisation}", &organisation.to_string());
            let mut asking = served.ask(method.clone(), &concrete(&path));
            if let Some(token) = token {
                asking = asking.by(token);
            }
            let got = asking.send().await;
            if got.status.is_success() && method != Method::GET && path.contains(&organisation.to_string()) {
                // It may be closed now, or somebody has left.
                organisation = served.organisation().await;
            }
            let role = token.as_deref().and_then(role_of);
            let caller = token.as_deref().filter(|token| *token != "nobody").map(|token| {
                let of_role = own.iter().find(|(role, _, stepped_up)| {
                    token == if *stepped_up { format!("{role}-stepped-up") } else { (*role).to_owned() }
                });
                Caller {
                    account: served.ann,
                    via: match token.starts_with("tm-") {
                        true => Via::ManagementKey(ManagementKeyId::fresh(), scopes_of(token)),
                        false => Via::Session(SignInId::fresh()),
                    },
                    permissions: of_role.map_or(Permissions::NONE, |of| of.1),
                    stepped_up: of_role.is_some_and(|of| of.2) || (role.is_some() && token.ends_with("-stepped-up")),
                }
            });
            let what = format!("{method} {path} by {token:?}");
            match wanted(*demand, caller.as_ref(), role) {
                Some((status, code)) => {
                    assert_eq!(got.refusal(), (status, code.to_owned()), "{what}");
                    assert_eq!(got.header("www-authenticate") == "Bearer", status == 401, "{what}");
                }
                // What a handler itself refuses, it refuses in other words than the guard.
                None if [401, 403].contains(&got.status.as_u16()) => {
                    assert!(!got.refusal().1.starts_with("access."), "{what}: {:?}", got.refusal());
                }
                None => {}
            }
        }
    }
}

both_engines! {
    async fn every_route_asks_for_what_the_table_says(db: Db) {
        let served = served(db).await;
        crawl(&served, &routes().table()).await;
    }
}

#[test]
fn every_kind_of_demand_is_held() {
    testing::run(tacit_storage::Engine::Sqlite, async |db| {
        let table = of_every_kind().table();
        assert_eq!(table.len(), 9);
        let served = served_with(db, Wishes { routes: of_every_kind(), ..Wishes::default() }).await;
        crawl(&served, &table).await;
        // The method of another demand at the same path.
        assert_eq!(served.get("/api/v1/plain").send().await.body, b"done");
        let money = served.ask(Method::POST, "/api/v1/plain").by("finance-stepped-up").send().await;
        assert_eq!(money.body, b"done");
    });
}

#[test]
fn the_table_and_the_document_have_the_same_routes() {
    the_same(routes);
    the_same(of_every_kind);
}

fn the_same(routes: fn() -> Routes) {
    let table = routes().table();
    let document = serde_json::to_value(routes().into_document()).unwrap();
    let mut documented = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            documented.push((method.to_uppercase(), path.clone()));
            let line = table.iter().find(|line| line.path == *path && line.method.eq_ignore_ascii_case(method));
            let demand = line.unwrap_or_else(|| panic!("{method} {path} is in no table")).demand;
            let access = &operation["x-access"];
            let who = match demand.access {
                Access::Public => "everybody".to_owned(),
                Access::SignedIn(_) => "signed in".to_owned(),
                Access::Needs(permission) => permission.as_str().to_owned(),
                Access::Member(permission, _) => ["member: ", permission.as_str()].concat(),
            };
            assert_eq!((&access["who"], &access["step_up"]), (&who.into(), &demand.step_up.into()), "{method} {path}");
            let schemes = operation["security"].as_array().map_or(0, Vec::len);
            let wanted = match (demand.access, key_is_let_in(demand, Scopes::all())) {
                (Access::Public, _) => 0,
                (_, let_in) => 1 + usize::from(let_in),
            };
            assert_eq!(schemes, wanted, "{method} {path}");
            let scoped = match demand.access {
                Access::SignedIn(KeyMay::With(scope)) | Access::Member(_, scope) if wanted == 2 => Some(scope.as_str()),
                _ => None,
            };
            assert_eq!(operation["security"][1]["management_key"][0].as_str(), scoped, "{method} {path}");
        }
    }
    let mut listed: Vec<_> = table.iter().map(|line| (line.method.to_owned(), line.path.clone())).collect();
    listed.sort();
    documented.sort();
    assert_eq!(listed, documented);
    let ids: std::collections::BTreeSet<_> = document["paths"]
        .as_object()
        .unwrap()
        .values()
        .flat_map(|item| item.as_object().unwrap().values())
        .map(|operation| operation["operationId"].as_str().unwrap())
        .collect();
    assert_eq!(ids.len(), table.len(), "names of operations are unique");
}

#[test]
fn every_route_can_be_reached_through_a_gateway() {
    for RouteAccess { method, path, .. } in routes().table() {
        let reads = method == "GET";
        assert!(tacit_kernel::paths::is_forwarded(reads, &concrete(&path)), "{method} {path} is kept by the gateway");
    }
}

both_engines! {
    async fn a_path_that_is_not_registered_is_not_there(db: Db) {
        let served = served(db).await;
        for path in ["/", "/api", "/api/v1", "/api/v1/nowhere", "/api/v1/keys/a/b", "/v1/accounts", "/v1/status"] {
            let got = served.get(path).by("owner-stepped-up").send().await;
            assert_eq!(got.refusal(), (404, "request.path".into()), "{path}");
        }
        let got = served.ask(Method::PUT, "/api/v1/keys").by("ann").json(&serde_json::json!({})).send().await;
        assert_eq!(got.refusal(), (405, "request.method".into()));
        assert!(got.header("allow").contains("POST"), "{:?}", got.headers);
    }
}

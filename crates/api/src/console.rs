//! The console API: what the console app, and programs with a management key, do over HTTP. The gateway forwards it
//! from the public port (`tacit_kernel::paths`); this crate serves it on a socket of its own (`crate::server`).
//!
//! One file a subject. Every route is registered through [`Routes::add`], which demands to be told who may use it, and
//! puts the guard before it; the same call describes the route in the OpenAPI document. What holds for every request
//! (time, size, cross-site requests, headers of the answer) is in `shield`.

mod account;
mod account_keys;
mod account_resets;
mod accounts;
mod audit_log;
mod authenticate;
mod call_records;
mod calls;
mod channels;
mod choices;
mod codes;
mod cookies;
mod crowd;
mod datamap;
mod deletions;
pub(crate) mod development_outbox;
mod disclosures;
mod document;
mod etag;
mod groups;
mod idempotency;
mod identities;
mod incidents;
mod input;
mod invitations;
mod keys;
mod leaks;
mod looks;
mod management_keys;
mod me;
mod members;
mod membership;
mod models;
mod money;
mod notices;
mod openapi;
mod organisation_invitations;
mod organisation_keys;
mod organisation_money;
mod organisation_notices;
mod organisation_offers;
mod organisations;
pub(crate) mod own_data;
mod own_incidents;
mod own_requests;
mod passkeys;
mod people;
mod platform;
mod project_keys;
mod projects;
mod providers;
mod published;
mod reasons;
mod recipients;
mod recording;
mod registered_models;
mod registration;
mod rights_desk;
mod rights_forms;
mod rights_notices;
mod rights_requests;
mod roles;
mod routes;
mod second_factor;
mod sessions;
mod shield;
mod sign_in;
mod staff;
mod system;
#[cfg(test)]
mod tests;
mod transfers;
mod unmask;
mod verification;
mod verification_agency;
mod verification_forms;
mod verification_notices;
mod verification_review;
mod wallet;
mod ways;

pub use authenticate::{Authenticate, Authenticating, Client, Presented, Signed};
pub use cookies::Cookies;
pub use crowd::Crowd;
pub use datamap::COOKIES;
pub use document::{document, document_text, permissions_page};
pub use etag::{ETag, IfMatch};
pub use idempotency::{Idempotent, Once, Replayed, Undone, sweep};
pub use input::{Both, Inner, Input, Params, Reference};
pub use membership::Member;
pub use notices::Notices;
pub use organisations::Organisations;
pub use people::People;
pub use platform::Platform;
pub use published::Published;
pub use routes::{Access, Demand, KeyMay, RouteAccess, Routes};
pub use verification_agency::ask_agency;
pub use ways::Ways;

use crate::admin::Settled;
use crate::admin::set_aside::Settle;
use crate::problem::Refusal;
use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use std::sync::Arc;
use tacit_catalog::Catalog;
use tacit_identity::Identity;
use tacit_identity::registration::RegistrationRules;
use tacit_kernel::{Clock, ErrorKind, Fault};
use tacit_ledger::Ledger;
use tacit_operations::messages::Messages;
use tacit_privacy::copy::Copies;
use tacit_privacy::incidents::Incidents;
use tacit_privacy::parts::Parts;
use tacit_privacy::receivers::Receivers;
use tacit_privacy::requests::Requests;
use tacit_storage::Db;
use tacit_storage::audit::Audit;
use tacit_storage::keyring::KeyStore;

/// The largest request body, in bytes.
pub const BODY_MAX: usize = 1 << 20;

/// What the handlers work with.
#[derive(Clone)]
pub struct Console {
    /// The database, for work that must be atomic.
    pub db: Db,
    /// Seals stored answers; makes entity tags and the hashes of idempotency keys.
    pub keys: Arc<KeyStore>,
    /// Accounts and API keys.
    pub identity: Identity,
    /// Models and prices.
    pub catalog: Catalog,
    /// Money and call records.
    pub ledger: Ledger,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What everybody may know of the platform.
    pub platform: Arc<Platform>,
    /// What is published about personal data.
    pub published: Arc<Published>,
    /// What people ask for about their data.
    pub requests: Requests,
    /// Who receives data.
    pub receivers: Receivers,
    /// Incidents.
    pub incidents: Incidents,
    /// Copies of what is held about people.
    pub copies: Arc<Copies>,
    /// What deletes parts of what is held, because people want that.
    pub parts: Parts,
    /// Messages to people.
    pub messages: Messages,
    /// Who did what.
    pub audit: Audit,
    /// Who may register, and what they are asked for.
    pub registration: Arc<RegistrationRules>,
    /// The pricing group of who registers, by name.
    pub registration_group: String,
    /// Organisations, and how people are invited to them.
    pub organisations: Organisations,
    /// Ways to sign in beside passwords and codes.
    pub ways: Arc<Ways>,
    /// Who a caller is.
    pub authenticate: Arc<dyn Authenticate>,
    /// How much people who are not signed in may ask for.
    pub crowd: Arc<Crowd>,
    /// How cookies are set.
    pub cookies: Cookies,
    /// Called after every change, so that gateways hear of it at once.
    pub changed: Arc<dyn Fn() + Send + Sync>,
    /// Settles the end of a call that was set aside.
    pub settle: Arc<Settle>,
    /// Waits until what was acknowledged to gateways is settled, or for a moment in vain.
    pub settled: Arc<Settled>,
}

/// The answer of a handler.
pub type Answer<T> = Result<axum::Json<T>, Refusal>;

/// Every route of the console API. New subjects are added here.
#[must_use]
pub fn routes() -> Routes {
    let routes = Routes::new();
    let routes = platform::routes(routes);
    let routes = openapi::routes(routes);
    let routes = published::routes(routes);
    let routes = me::routes(routes);
    let routes = roles::routes(routes);
    let routes = models::routes(routes);
    let routes = codes::routes(routes);
    let routes = registration::routes(routes);
    let routes = sign_in::routes(routes);
    let routes = ways::routes(routes);
    let routes = identities::routes(routes);
    let routes = passkeys::routes(routes);
    let routes = account::routes(routes);
    let routes = invitations::routes(routes);
    let routes = sessions::routes(routes);
    let routes = second_factor::routes(routes);
    let routes = staff::routes(routes);
    let routes = management_keys::routes(routes);
    let routes = leaks::routes(routes);
    let routes = organisations::routes(routes);
    let routes = members::routes(routes);
    let routes = organisation_invitations::routes(routes);
    let routes = organisation_offers::routes(routes);
    let routes = projects::routes(routes);
    let routes = organisation_keys::routes(routes);
    let routes = project_keys::routes(routes);
    let routes = organisation_money::routes(routes);
    let routes = accounts::routes(routes);
    let routes = account_resets::routes(routes);
    let routes = unmask::routes(routes);
    let routes = looks::routes(routes);
    let routes = own_data::routes(routes);
    let routes = own_requests::routes(routes);
    let routes = choices::routes(routes);
    let routes = deletions::routes(routes);
    let routes = rights_desk::routes(routes);
    let routes = rights_requests::routes(routes);
    let routes = own_incidents::routes(routes);
    let routes = incidents::routes(routes);
    let routes = account_keys::routes(routes);
    let routes = calls::routes(routes);
    let routes = call_records::routes(routes);
    let routes = wallet::routes(routes);
    let routes = money::routes(routes);
    let routes = groups::routes(routes);
    let routes = providers::routes(routes);
    let routes = recipients::routes(routes);
    let routes = transfers::routes(routes);
    let routes = disclosures::routes(routes);
    let routes = channels::routes(routes);
    let routes = registered_models::routes(routes);
    let routes = audit_log::routes(routes);
    let routes = system::routes(routes);
    let routes = development_outbox::routes(routes);
    let routes = verification::routes(routes);
    let routes = verification_review::routes(routes);
    keys::routes(routes)
}

/// Everything the console's socket serves.
pub fn router(console: Console) -> Router {
    serving(routes(), console)
}

fn serving(routes: Routes, console: Console) -> Router {
    routes
        .into_router(&console)
        .fallback(|| async { not_found("request.path", "path") })
        .method_not_allowed_fallback(|| async {
            Refusal::with_status(
                StatusCode::METHOD_NOT_ALLOWED,
                "request.method",
                "this path does not know that method",
            )
        })
        .layer(from_fn_with_state(console.clone(), shield::around))
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .with_state(console)
}

/// A thing that is not there, or not for this caller: which of them is not told.
pub(crate) fn not_found(code: &'static str, what: &'static str) -> Refusal {
    Fault::new(ErrorKind::NotFound, code, format!("there is no such {what}")).into()
}

/// A name that another thing of its kind has.
pub(crate) fn taken(code: &'static str, what: &'static str) -> Refusal {
    Fault::new(ErrorKind::Conflict, code, format!("there is a {what} of that name already; change that one")).into()
}

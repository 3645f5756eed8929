//! The admin socket: HTTP over a Unix socket that only its owner may open. One file a resource; a handler asks the
//! services and nothing else. Types are shared with the command line, which uses [`client::AdminClient`].

pub mod accounts;
pub mod audit;
pub mod calls;
pub mod channels;
pub mod client;
pub mod copies;
pub mod erasures;
pub mod groups;
pub mod incidents;
mod input;
pub mod invitations;
pub mod keyring;
pub mod keys;
pub mod ledger;
pub mod messages;
pub mod models;
pub mod platform;
pub mod prices;
pub mod providers;
pub mod recipients;
mod recording;
pub mod retention;
pub mod set_aside;
pub mod staff;
pub mod status;
#[cfg(test)]
mod tests;
pub mod transfers;
pub mod wallets;

pub use crate::{forms, problem, server};

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use problem::Refusal;
use std::pin::Pin;
use std::sync::Arc;
use tacit_catalog::Catalog;
use tacit_identity::Identity;
use tacit_kernel::{Clock, ErrorKind, Fault, Timestamp};
use tacit_ledger::Ledger;
use tacit_operations::messages::Messages;
use tacit_privacy::copy::Copies;
use tacit_privacy::erasure::Erasing;
use tacit_privacy::incidents::Incidents;
use tacit_privacy::receivers::Receivers;
use tacit_privacy::retention::Retention;
use tacit_storage::Db;
use tacit_storage::audit::Audit;
use tacit_storage::keyring::KeyStore;

/// The largest request body, in bytes.
const BODY_MAX: usize = 1 << 20;

/// What the handlers work with.
#[derive(Clone)]
pub struct Admin {
    /// The database, for work that spans domains.
    pub db: Db,
    /// Groups, accounts, keys.
    pub identity: Identity,
    /// Providers, channels, models, prices.
    pub catalog: Catalog,
    /// Money and call records.
    pub ledger: Ledger,
    /// Messages to people.
    pub messages: Messages,
    /// Keys of the platform and of its subjects.
    pub keys: Arc<KeyStore>,
    /// Who did what.
    pub audit: Audit,
    /// What goes when its time is over.
    pub retention: Retention,
    /// What erases people.
    pub erasing: Erasing,
    /// What makes copies of what is held about people.
    pub copies: Arc<Copies>,
    /// Who receives data.
    pub receivers: Receivers,
    /// Incidents.
    pub incidents: Incidents,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Settlement currency.
    pub currency: String,
    /// Version of the program.
    pub version: &'static str,
    /// When the control plane started.
    pub started_at: Timestamp,
    /// Called after every change, so that gateways hear of it at once.
    pub changed: Arc<dyn Fn() + Send + Sync>,
    /// Settles the end of a call that was set aside.
    pub settle: Arc<set_aside::Settle>,
    /// Waits until what was acknowledged to gateways is settled, or for a moment in vain.
    pub settled: Arc<Settled>,
}

/// See [`Admin::settled`].
pub type Settled = dyn Fn() -> Pin<Box<dyn Future<Output = ()> + Send>> + Send + Sync;

/// The answer of a handler.
type Answer<T> = Result<axum::Json<T>, Refusal>;

/// Everything the socket serves. A request is written into the audit log before its handler runs.
pub fn router(admin: Admin) -> Router {
    routes(&admin)
        .fallback(|| async { Refusal::from(Fault::new(ErrorKind::NotFound, "request.path", "there is no such path")) })
        .method_not_allowed_fallback(|| async {
            Refusal::from(Fault::new(ErrorKind::Invalid, "request.method", "this path does not know that method"))
        })
        .layer(DefaultBodyLimit::max(BODY_MAX))
        .layer(from_fn_with_state(admin.clone(), tell))
        .layer(from_fn_with_state(admin.clone(), recording::record))
        .with_state(admin)
}

/// All routes, each of which is declared in [`recording::table`].
fn routes(admin: &Admin) -> Router<Admin> {
    let of_calls = Router::new()
        .merge(wallets::routes())
        .merge(ledger::routes())
        .merge(calls::routes())
        .merge(set_aside::routes())
        .route_layer(from_fn_with_state(admin.clone(), after_settlement));
    Router::new()
        .merge(status::routes())
        .merge(providers::routes())
        .merge(recipients::routes())
        .merge(transfers::routes())
        .merge(channels::routes())
        .merge(models::routes())
        .merge(prices::routes())
        .merge(groups::routes())
        .merge(accounts::routes())
        .merge(keys::routes())
        .merge(messages::routes())
        .merge(of_calls)
        .merge(platform::routes())
        .merge(invitations::routes())
        .merge(staff::routes())
        .merge(retention::routes())
        .merge(erasures::routes())
        .merge(copies::routes())
        .merge(incidents::routes())
        .merge(audit::routes())
        .merge(keyring::routes())
}

/// Nobody is shown a bill that lacks a call which is over. What cannot be settled now holds nobody up.
async fn after_settlement(State(admin): State<Admin>, request: Request, next: Next) -> Response {
    (admin.settled)().await;
    next.run(request).await
}

/// Tells the control plane after every request that may have changed something.
async fn tell(State(admin): State<Admin>, request: Request, next: Next) -> Response {
    let reads = request.method() == axum::http::Method::GET;
    let response = next.run(request).await;
    if !reads && response.status().is_success() {
        (admin.changed)();
    }
    response.into_response()
}

fn not_found(code: &'static str, what: &str) -> Fault {
    Fault::new(ErrorKind::NotFound, code, format!("there is no such {what}"))
}

fn taken(code: &'static str, what: &str) -> Fault {
    Fault::new(ErrorKind::Conflict, code, format!("there is a {what} of that name already; use update to change it"))
}

//! `/api/v1/leaked-keys`: keys were found where they do not belong. Whoever shows one ends it; its owner is told.

use super::idempotency::Undone;
use super::people::From;
use super::recording::{Concerns, ConcernsEach};
use super::{Access, Console, Input, Routes};
use crate::problem::Refusal;
use axum::Extension;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use tacit_kernel::{ErrorKind, Fault};
use tacit_storage::WriteTx;
use utoipa::ToSchema;
use utoipa_axum::routes;

/// Keys in one report at most.
const MOST: usize = 100;

/// What was found: one key, or a list of them.
#[derive(Deserialize, ToSchema)]
#[schema(as = FoundKey)]
#[serde(deny_unknown_fields)]
struct Found {
    /// The key, `sk-…` or `tm-…`.
    #[schema(max_length = 200)]
    key: Option<String>,
    /// Keys, as a scanner found them; in one report at most a hundred.
    #[schema(min_items = 1, max_items = 100)]
    keys: Option<Vec<String>>,
}

/// That a report was read to its end.
#[derive(Serialize, ToSchema)]
struct ReadReport {
    /// Keys that were looked at: all of the report, whatever became of each.
    received: usize,
}

pub(super) fn routes(routes: Routes) -> Routes {
    routes.add(Access::Public, routes!(leaked_keys_report))
}

/// Ends keys that were found. The answer is the same whether they were any.
#[utoipa::path(post, path = "/api/v1/leaked-keys", tag = "keys", request_body = Found, responses(
    (status = 202, description = "What was a key of this platform is void now, and its owner is told.", body = ReadReport),
))]
async fn leaked_keys_report(
    State(console): State<Console>,
    From(origin): From,
    Input(found): Input<Found>,
) -> Result<Response, Refusal> {
    let identity = &console.identity;
    match (found.key, found.keys) {
        (Some(key), None) => {
            let key = &SecretString::from(key);
            let report = async |tx: &mut WriteTx<'_>| Ok(identity.leak_report_in_tx(tx, key, origin.address).await?);
            let report = &report;
            let owner: Result<_, Undone> = console.db.write("console.leak", |tx| Box::pin(report(tx))).await;
            Ok(read(1, owner?.map(|account| Extension(Concerns(account)))))
        }
        (None, Some(keys)) if (1..=MOST).contains(&keys.len()) => {
            let keys: &Vec<SecretString> = &keys.into_iter().map(SecretString::from).collect();
            let report = async |tx: &mut WriteTx<'_>| Ok(identity.leaks_report_in_tx(tx, keys, origin.address).await?);
            let report = &report;
            let owners: Result<_, Undone> = console.db.write("console.leaks", |tx| Box::pin(report(tx))).await;
            Ok(read(keys.len(), Some(Extension(ConcernsEach(owners?.into_iter().collect())))))
        }
        _ => {
            let message = "give a key, or a list of 1 to 100 keys";
            Err(Refusal::from(Fault::new(ErrorKind::Invalid, "leak.invalid", message)).about("keys"))
        }
    }
}

fn read<E: Clone + Send + Sync + 'static>(received: usize, concerns: Option<Extension<E>>) -> Response {
    let mut response = (StatusCode::ACCEPTED, Json(ReadReport { received })).into_response();
    if let Some(Extension(concerns)) = concerns {
        response.extensions_mut().insert(concerns);
    }
    response
}

//! `/api/v1/account/data` and `/api/v1/account/copy`: what is held about the caller, and a copy of it. Both are told by the data
//! map.

use super::published::{LanguageQuery, language};
use super::{Access, Answer, Console, Params, Routes, Signed};
use crate::problem::{Problem, Refusal};
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use tacit_identity::IdentityError;
use tacit_identity::access::Scope;
use tacit_kernel::{ErrorKind, Fault};
use tacit_privacy::Recipient;
use tacit_privacy::copy::{CopyError, Held, HeldColumn, HeldSet, NotGiven};
use tacit_storage::WriteTx;
use tokio_stream::wrappers::ReceiverStream;
use utoipa::ToSchema;
use utoipa_axum::routes;

/// What is held about the caller.
#[derive(Serialize, ToSchema)]
struct HeldData {
    /// Sets of rows, those without any too.
    sets: Vec<HeldDataSet>,
    /// What a copy does not hold, by the reasons.
    withheld: Vec<WithheldData>,
    /// Who may be sent some of it. Who looked at it is under `/api/v1/account/looks`.
    recipients: Vec<DataRecipient>,
}

/// Who may be sent data.
#[derive(Serialize, ToSchema)]
struct DataRecipient {
    /// What they are called.
    name: String,
    /// Which kinds of data.
    categories: BTreeSet<String>,
    /// What for.
    purposes: BTreeSet<String>,
}

/// A set of rows.
#[derive(Serialize, ToSchema)]
struct HeldDataSet {
    /// The name of its files in a copy.
    name: &'static str,
    /// What it is called.
    title: String,
    /// How many rows there are now.
    rows: u64,
    /// What a row tells.
    columns: Vec<HeldDataColumn>,
}

/// What a row tells.
#[derive(Serialize, ToSchema)]
struct HeldDataColumn {
    /// Its name in a copy.
    name: &'static str,
    /// What kind of data it is.
    category: String,
    /// What for, each with what that rests on.
    purposes: BTreeMap<String, String>,
    /// For how long.
    kept: String,
    /// How it is corrected.
    corrected: String,
}

/// What a copy does not hold.
#[derive(Serialize, ToSchema)]
struct WithheldData {
    /// Why.
    reason: String,
    /// What kinds of data.
    categories: BTreeSet<String>,
    /// Which columns.
    columns: Vec<String>,
}

impl From<HeldSet> for HeldDataSet {
    fn from(HeldSet { name, title, rows, columns }: HeldSet) -> Self {
        let column = |HeldColumn { name, category, purposes, kept, corrected }| HeldDataColumn {
            name,
            category,
            purposes,
            kept,
            corrected,
        };
        Self { name, title, rows, columns: columns.into_iter().map(column).collect() }
    }
}

impl From<Held> for HeldData {
    fn from(Held { sets, withheld, recipients }: Held) -> Self {
        let not = |NotGiven { reason, categories, columns }| WithheldData { reason, categories, columns };
        let to = |Recipient { name, categories, purposes }| DataRecipient { name, categories, purposes };
        Self {
            sets: sets.into_iter().map(Into::into).collect(),
            withheld: withheld.into_iter().map(not).collect(),
            recipients: recipients.into_iter().map(to).collect(),
        }
    }
}

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .add(Access::own(Scope::AccountRead), routes!(account_data))
        .add(Access::PERSON.stepped_up(), routes!(account_copy))
}

/// A copy that cannot be made, in words for whoever asked.
pub(crate) fn refused(error: CopyError) -> Fault {
    match error {
        CopyError::NotFound => Fault::new(ErrorKind::NotFound, "account.not_found", "there is no such account"),
        CopyError::Busy => {
            Fault::new(ErrorKind::Unavailable, "copy.busy", "other copies are being made: try again in a minute")
        }
        CopyError::Storage(error) => error.into(),
        CopyError::Keyring(fault) => fault,
        error => Fault::internal(error.code(), error.to_string()),
    }
}

/// What is held about the caller, what for, on what it rests and for how long; and what a copy does not hold, with the reason.
#[utoipa::path(get, path = "/api/v1/account/data", tag = "account", params(LanguageQuery), responses(
    (status = 200, description = "What is held.", body = HeldData),
))]
async fn account_data(
    State(console): State<Console>,
    caller: Signed,
    Params(query): Params<LanguageQuery>,
    headers: HeaderMap,
) -> Answer<HeldData> {
    let language = language(&query, &headers)?;
    let held = console.copies.held(caller.account, language).await.map_err(refused)?;
    Ok(Json(held.into()))
}

/// A copy of what is held about the caller, in one archive: a page for people, and every set of rows as JSON and as CSV. It is made
/// while it is read, and kept nowhere; one that was cut off is asked for again. Five are free, then one has to wait between them.
#[utoipa::path(post, path = "/api/v1/account/copy", tag = "account", params(LanguageQuery), responses(
    (status = 200, description = "The archive (ZIP).", body = Vec<u8>, content_type = "application/zip", headers(
        ("content-disposition" = String, description = "`attachment`, with a name."),
    )),
    (status = 429, description = "Many were asked for.", body = Problem, content_type = "application/problem+json"),
))]
async fn account_copy(
    State(console): State<Console>,
    caller: Signed,
    Params(query): Params<LanguageQuery>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let language = language(&query, &headers)?;
    let (identity, account) = (&console.identity, caller.account);
    let count = async |tx: &mut WriteTx<'_>| identity.copy_asked_in_tx(tx, account).await;
    let count = &count;
    // Who is told to come later has had none.
    let pieces = console.copies.begin(account, language).await.map_err(refused)?;
    let counted: Result<(), IdentityError> = console.db.write("console.copy", |tx| Box::pin(count(tx))).await;
    counted?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/zip")),
        (header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"my-data.zip\"")),
    ];
    Ok((headers, Body::from_stream(ReceiverStream::new(pieces))).into_response())
}

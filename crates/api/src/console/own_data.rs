//! `/api/v1/account/data` and `/api/v1/account/copy`: what is held about the caller, and a copy of it. Both are told by the data
//! map.

use super::published::{LanguageQuery, language};
use super::{Access, Answer, Console, Params, Routes, Signed};
use crate::forms::Moment;
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
use tacit_kernel::ids::AccountId;
use tacit_kernel::{ErrorKind, Fault};
use tacit_privacy::copy::{CopyError, Held, HeldColumn, HeldSet, NotGiven, Pieces};
use tacit_privacy::recipients::country_name;
use tacit_privacy::{Language, Recipient};
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
    /// Which providers in which countries the caller's calls went to, by year (UTC), the latest first. They are counted a quarter
    /// of an hour after a call begins.
    transfers: Vec<OwnTransfers>,
}

/// Calls that went to a provider in a country in a year.
#[derive(Serialize, ToSchema)]
struct OwnTransfers {
    /// The year.
    year: u16,
    /// What whoever answers is called, as registered; else the provider's name on this platform, if it is there still.
    name: Option<String>,
    /// Where it was then: ISO 3166-1; `ZZ` if nobody had said.
    country: String,
    /// The same in words.
    country_name: String,
    /// How many.
    calls: u64,
    /// When the first of them began.
    first_at: Moment,
    /// When the last of them did.
    last_at: Moment,
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

impl HeldData {
    fn of(Held { sets, withheld, recipients }: Held, transfers: Vec<OwnTransfers>) -> Self {
        let not = |NotGiven { reason, categories, columns }| WithheldData { reason, categories, columns };
        let to = |Recipient { name, categories, purposes }| DataRecipient { name, categories, purposes };
        Self {
            sets: sets.into_iter().map(Into::into).collect(),
            withheld: withheld.into_iter().map(not).collect(),
            recipients: recipients.into_iter().map(to).collect(),
            transfers,
        }
    }
}

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .add(Access::own(Scope::AccountRead), routes!(account_data))
        .add(Access::PERSON.stepped_up(), routes!(account_copy))
}

/// A copy as it is answered with, while it is made.
pub(super) fn archive(pieces: Pieces) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/zip")),
        (header::CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"my-data.zip\"")),
    ];
    (headers, Body::from_stream(ReceiverStream::new(pieces))).into_response()
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

/// To whom the caller's calls went.
async fn transfers(console: &Console, account: AccountId, language: Language) -> Result<Vec<OwnTransfers>, Fault> {
    let transfers = console.receivers.transfers.of_account(account).await?;
    let recipients = console.receivers.recipients.list().await?;
    let providers = console.catalog.provider_list().await?;
    let shown = transfers.into_iter().map(|transfer| {
        let recipient = recipients.iter().find(|recipient| Some(recipient.id) == transfer.recipient);
        let provider = || providers.iter().find(|provider| provider.id == transfer.provider);
        OwnTransfers {
            year: transfer.year,
            name: recipient.map(|r| r.name.clone()).or_else(|| provider().map(|provider| provider.name.clone())),
            country_name: country_name(&transfer.country, language).to_owned(),
            country: transfer.country,
            calls: transfer.calls,
            first_at: transfer.first_at.into(),
            last_at: transfer.last_at.into(),
        }
    });
    Ok(shown.collect())
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
    Ok(Json(HeldData::of(held, transfers(&console, caller.account, language).await?)))
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
    Ok(archive(pieces))
}

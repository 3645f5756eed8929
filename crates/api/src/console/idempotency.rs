//! Requests that create something, sent again: `Idempotency-Key`. The same key and the same request within a day bring
//! the same answer and do nothing; the same key with another request is refused.
//!
//! A handler looks for the kept answer, does its work and keeps the answer in **one** transaction. So there is no moment
//! in which the work is done and the answer not kept, and of two at the same time one is begun anew and finds the other.
//! Of the key and the request only keyed hashes are kept; the answer is sealed with the account's key.

use super::{Console, Signed};
use crate::problem::Refusal;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue};
use axum::response::{IntoResponseParts, ResponseParts};
use data_encoding::HEXLOWER;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::convert::Infallible;
use std::time::Duration;
use tacit_catalog::CatalogError;
use tacit_identity::IdentityError;
use tacit_kernel::ids::{self, AccountId};
use tacit_kernel::{ErrorKind, Fault, Timestamp};
use tacit_operations::messages::MessagesError;
use tacit_privacy::disclosures::DisclosureError;
use tacit_privacy::incidents::IncidentError;
use tacit_privacy::recipients::RecipientError;
use tacit_privacy::requests::RequestError;
use tacit_storage::idempotency::{self, Kept};
use tacit_storage::{ReadTx, Retryable, StorageError, WriteTx};
use tacit_vault::{Aad, keyed_hash};
use uuid::Uuid;

/// How long answers are kept.
const KEPT: Duration = Duration::from_hours(24);
/// Longest idempotency key, in bytes.
const KEY_MAX: usize = 255;
/// Largest answer that is kept, in bytes.
const ANSWER_MAX: usize = 64 * 1024;
/// Label and domains of the keyed hashes.
const HASH: &str = "idempotency";
const HASH_KEY: &str = "idempotency-key";
const HASH_REQUEST: &str = "idempotency-request";

fn aad(row: Uuid) -> Aad<'static> {
    Aad { table: "idempotency_keys", column: "answer_sealed", row }
}

fn since(now: Timestamp) -> Timestamp {
    Timestamp(now.0.saturating_sub(i64::try_from(KEPT.as_micros()).unwrap_or(i64::MAX)))
}

/// The idempotency key of a request, if it has one.
#[derive(Debug)]
pub struct Idempotent(Option<String>);

impl<S: Send + Sync> FromRequestParts<S> for Idempotent {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let mut keys = parts.headers.get_all("idempotency-key").iter();
        let Some(key) = keys.next() else { return Ok(Self(None)) };
        let text = key.to_str().ok().filter(|text| !text.is_empty() && text.len() <= KEY_MAX);
        match (text, keys.next()) {
            (Some(text), None) => Ok(Self(Some(text.to_owned()))),
            _ => {
                let message = "send one Idempotency-Key of 1 to 255 visible characters";
                Err(Fault::new(ErrorKind::Invalid, "idempotency.key_invalid", message).into())
            }
        }
    }
}

impl Idempotent {
    /// For this operation and request of that caller. `operation` tells apart what may be created under the same key.
    ///
    /// # Errors
    /// If the request cannot be written as JSON.
    pub fn of(
        self,
        console: &Console,
        caller: &Signed,
        operation: &'static str,
        request: &impl Serialize,
    ) -> Result<Once, Refusal> {
        let account = caller.account;
        let Some(key) = self.0 else { return Ok(Once { account, hashes: None }) };
        let secret = console.keys.hash_key(HASH);
        let whose = [account.0.as_bytes(), operation.as_bytes(), &[0], key.as_bytes()].concat();
        let request = serde_json::to_vec(request).map_err(|e| Fault::internal("idempotency.unwritable", e))?;
        let hashes = (keyed_hash(&secret, HASH_KEY, &whose), keyed_hash(&secret, HASH_REQUEST, &request));
        Ok(Once { account, hashes: Some(hashes) })
    }
}

impl Idempotent {
    /// A key of the books for this operation of that caller: what is done under it is done once for good, and not only for a
    /// day.
    ///
    /// # Errors
    /// If the request has no idempotency key.
    pub(super) fn for_good(
        self,
        console: &Console,
        caller: &Signed,
        operation: &'static str,
    ) -> Result<String, Refusal> {
        let message = "send an Idempotency-Key, so that money is moved once";
        let missing = || Fault::new(ErrorKind::Invalid, "idempotency.key_missing", message);
        let once = self.of(console, caller, operation, &())?;
        let (key, _) = once.hashes.ok_or_else(missing)?;
        Ok(format!("console-{}", HEXLOWER.encode(&key)))
    }
}

/// A request that does its work once. Without an idempotency key it keeps nothing and finds nothing.
#[derive(Clone, Debug)]
pub struct Once {
    account: AccountId,
    /// Of the key and of the request.
    hashes: Option<([u8; 32], [u8; 32])>,
}

impl Once {
    /// The answer of the first time, if this is not the first. Asked before the work, in its transaction.
    ///
    /// # Errors
    /// 422 `idempotency.key_reused` if the key came with another request; storage, keyring.
    pub async fn stored<T: DeserializeOwned>(
        &self,
        console: &Console,
        tx: &mut ReadTx<'_>,
    ) -> Result<Option<T>, Undone> {
        let Some((key, request)) = self.hashes else { return Ok(None) };
        let Some(kept) = idempotency::find(tx, key, since(console.clock.now())).await? else { return Ok(None) };
        if kept.request_hash != request {
            let message = "this Idempotency-Key came with another request before; take a new one";
            return Err(Fault::new(ErrorKind::Invalid, "idempotency.key_reused", message).into());
        }
        let gone = |_| Fault::internal("idempotency.unreadable", "a kept answer does not open");
        let seal = console.keys.get(kept.account.0).await?.ok_or(IdentityError::AccountErased)?;
        let text = seal.open(&aad(kept.id), &kept.answer_sealed).map_err(gone)?;
        let answer = serde_json::from_slice(&text).map_err(|e| Fault::internal("idempotency.unreadable", e))?;
        Ok(Some(answer))
    }

    /// Keeps the answer. Asked after the work, in its transaction.
    ///
    /// # Errors
    /// Storage, keyring; an answer of more than 64 KiB.
    pub async fn keep(
        &self,
        console: &Console,
        tx: &mut WriteTx<'_>,
        answer: &(impl Serialize + Sync),
    ) -> Result<(), Undone> {
        let Some((key_hash, request_hash)) = self.hashes else { return Ok(()) };
        let text = serde_json::to_vec(answer).map_err(|e| Fault::internal("idempotency.unwritable", e))?;
        if text.len() > ANSWER_MAX {
            return Err(Fault::internal("idempotency.too_large", "an answer is too large to be kept").into());
        }
        let seal = console.keys.get(self.account.0).await?.ok_or(IdentityError::AccountErased)?;
        let (id, now) = (ids::fresh(), console.clock.now());
        let answer_sealed = seal.seal(&aad(id), &text);
        // What is older is not found any more, but its hash would be in the way.
        idempotency::sweep(tx, since(now)).await?;
        let kept = Kept { id, account: self.account, key_hash, request_hash, answer_sealed, created_at: now };
        Ok(idempotency::keep(tx, &kept).await?)
    }
}

/// Forgets what was kept for long enough; to be asked now and then.
///
/// # Errors
/// Storage.
pub async fn sweep(db: &tacit_storage::Db, now: Timestamp) -> Result<u64, StorageError> {
    db.write("idempotency.sweep", |tx| Box::pin(async move { idempotency::sweep(tx, since(now)).await })).await
}

/// Tells that an answer is that of an earlier request.
#[derive(Clone, Copy, Debug)]
pub struct Replayed(pub bool);

impl IntoResponseParts for Replayed {
    type Error = Infallible;

    fn into_response_parts(self, mut parts: ResponseParts) -> Result<ResponseParts, Infallible> {
        if self.0 {
            let name = HeaderName::from_static("idempotency-replayed");
            parts.headers_mut().insert(name, HeaderValue::from_static("true"));
        }
        Ok(parts)
    }
}

/// Why the transaction of a handler was rolled back.
#[derive(Debug)]
pub enum Undone {
    /// It was refused.
    Refused(Refusal),
    /// The database; if another transaction was in the way, it is begun anew.
    Storage(StorageError),
}

impl Retryable for Undone {
    fn is_retryable(&self) -> bool {
        matches!(self, Self::Storage(e) if e.is_retryable())
    }
}

impl From<StorageError> for Undone {
    fn from(error: StorageError) -> Self {
        Self::Storage(error)
    }
}

impl From<IdentityError> for Undone {
    fn from(error: IdentityError) -> Self {
        match error {
            IdentityError::Storage(error) => Self::Storage(error),
            other => Self::Refused(other.into()),
        }
    }
}

impl From<MessagesError> for Undone {
    fn from(error: MessagesError) -> Self {
        match error {
            MessagesError::Storage(error) => Self::Storage(error),
            other => Self::Refused(other.into()),
        }
    }
}

impl From<CatalogError> for Undone {
    fn from(error: CatalogError) -> Self {
        match error {
            CatalogError::Storage(error) => Self::Storage(error),
            other => Self::Refused(other.into()),
        }
    }
}

impl From<RecipientError> for Undone {
    fn from(error: RecipientError) -> Self {
        match error {
            RecipientError::Storage(error) => Self::Storage(error),
            RecipientError::Catalog(error) => error.into(),
            other => Self::Refused(tacit_kernel::Fault::from(other).into()),
        }
    }
}

impl From<DisclosureError> for Undone {
    fn from(error: DisclosureError) -> Self {
        match error {
            DisclosureError::Storage(error) => Self::Storage(error),
            other => Self::Refused(tacit_kernel::Fault::from(other).into()),
        }
    }
}

impl From<RequestError> for Undone {
    fn from(error: RequestError) -> Self {
        match error {
            RequestError::Storage(error) => Self::Storage(error),
            other => Self::Refused(other.into()),
        }
    }
}

impl From<IncidentError> for Undone {
    fn from(error: IncidentError) -> Self {
        match error {
            IncidentError::Storage(error) => Self::Storage(error),
            other => Self::Refused(other.into()),
        }
    }
}

impl From<Fault> for Undone {
    fn from(fault: Fault) -> Self {
        Self::Refused(fault.into())
    }
}

impl From<Refusal> for Undone {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<Undone> for Refusal {
    fn from(undone: Undone) -> Self {
        match undone {
            Undone::Refused(refusal) => refusal,
            Undone::Storage(error) => error.into(),
        }
    }
}

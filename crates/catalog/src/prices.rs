//! Prices of models, in versions that are never edited: a call record names the version it was charged by.
//!
//! In force at a moment is the version with the latest start not after it; of two with the same start the later
//! version. So an announced price takes effect although the present one was changed after the announcement, and an
//! announcement is withdrawn by announcing the present price for the same moment.

pub(crate) mod store;

use crate::error::on_clash;
use crate::models::store::model_by_id;
use crate::{Catalog, CatalogError, Outcome, Put};
use serde::Serialize;
use std::collections::HashMap;
use tacit_kernel::Timestamp;
use tacit_kernel::ids::{ModelId, PriceId};
use tacit_kernel::rating::Price;
use tacit_storage::changes::{self, Change};
use tacit_storage::{ReadTx, WriteTx};

pub(crate) use store::STATEMENTS;

/// One version of a model's price.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct PriceVersion {
    /// Its id.
    pub id: PriceId,
    /// Whose price it is.
    pub model: ModelId,
    /// Counts up from 1 for each model.
    pub version: i64,
    /// The price.
    pub price: Price,
    /// From when on.
    pub effective_at: Timestamp,
    /// When it was made.
    pub created_at: Timestamp,
}

/// The version in force at that moment. `versions` are those of one model.
#[must_use]
pub fn price_in_force(versions: &[PriceVersion], at: Timestamp) -> Option<&PriceVersion> {
    versions.iter().filter(|p| p.effective_at <= at).max_by_key(|p| (p.effective_at, p.version))
}

/// The version that follows the one in force at that moment. `versions` are those of one model.
#[must_use]
pub fn price_after(versions: &[PriceVersion], at: Timestamp) -> Option<&PriceVersion> {
    let start = versions.iter().map(|p| p.effective_at).filter(|start| *start > at).min()?;
    price_in_force(versions, start)
}

impl Catalog {
    /// Gives the model this price from that moment on, or from now on. If that is what holds then anyway, nothing is
    /// written.
    ///
    /// # Errors
    /// [`CatalogError::ModelNotFound`], `PriceInPast`, `Conflict`; storage.
    pub async fn price_put(
        &self,
        model: ModelId,
        price: &Price,
        effective_at: Option<Timestamp>,
    ) -> Result<Put<PriceVersion>, CatalogError> {
        self.db.write("price.put", |tx| Box::pin(self.price_put_in_tx(tx, model, price, effective_at))).await
    }

    /// [`Self::price_put`] as part of a larger transaction.
    ///
    /// # Errors
    /// As there.
    pub async fn price_put_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        model: ModelId,
        price: &Price,
        effective_at: Option<Timestamp>,
    ) -> Result<Put<PriceVersion>, CatalogError> {
        let now = self.clock.now();
        let effective_at = effective_at.unwrap_or(now);
        if effective_at < now {
            return Err(CatalogError::PriceInPast);
        }
        if model_by_id(tx, model).await?.is_none() {
            return Err(CatalogError::ModelNotFound);
        }
        let versions = store::price_list(tx, model).await?;
        if let Some(same) = price_in_force(&versions, effective_at).filter(|p| p.price == *price) {
            return Ok(Put::new(same.clone(), Outcome::Unchanged));
        }
        let version = PriceVersion {
            id: PriceId::fresh(),
            model,
            version: versions.last().map_or(1, |p| p.version.saturating_add(1)),
            price: price.clone(),
            effective_at,
            created_at: now,
        };
        let text = serde_json::to_string(price)
            .map_err(|_| CatalogError::ModelInvalid { message: "its price cannot be written" })?;
        store::price_insert(tx, &version, text).await.map_err(on_clash(CatalogError::Conflict))?;
        changes::append(tx, &Change::Catalog, now).await?;
        Ok(Put::new(version, Outcome::Created))
    }

    /// Every version of a model's price, oldest first.
    ///
    /// # Errors
    /// Storage.
    pub async fn price_list(&self, model: ModelId) -> Result<Vec<PriceVersion>, CatalogError> {
        self.db.read("price.list", move |tx| Box::pin(async move { Ok(store::price_list(tx, model).await?) })).await
    }

    /// [`Self::price_list`] as part of a larger transaction.
    ///
    /// # Errors
    /// Storage.
    pub async fn price_list_in_tx(
        &self,
        tx: &mut ReadTx<'_>,
        model: ModelId,
    ) -> Result<Vec<PriceVersion>, CatalogError> {
        Ok(store::price_list(tx, model).await?)
    }

    /// The price of that version; read once, then kept, since versions never change.
    ///
    /// # Errors
    /// Storage.
    pub async fn price_by_id(&self, id: PriceId) -> Result<Option<Price>, CatalogError> {
        let known = self.prices.read().get(&id).cloned();
        if known.is_some() {
            return Ok(known);
        }
        let found = self
            .db
            .read("price.by_id", move |tx| {
                Box::pin(async move { Ok::<_, CatalogError>(store::price_by_id(tx, id).await?) })
            })
            .await?;
        Ok(found.map(|p| {
            self.prices.write().insert(id, p.price.clone());
            p.price
        }))
    }

    /// Every version of every price; for checks that look at all call records.
    ///
    /// # Errors
    /// Storage.
    pub async fn price_all(&self) -> Result<HashMap<PriceId, Price>, CatalogError> {
        let all = self
            .db
            .read("price.all", |tx| Box::pin(async move { Ok::<_, CatalogError>(store::price_all(tx).await?) }))
            .await?;
        Ok(all.into_iter().map(|p| (p.id, p.price)).collect())
    }

    /// Every version of every price.
    ///
    /// # Errors
    /// Storage.
    pub async fn price_versions(&self) -> Result<Vec<PriceVersion>, CatalogError> {
        self.db.read("price.versions", |tx| Box::pin(async move { Ok(store::price_all(tx).await?) })).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tacit_kernel::Nano;

    fn version(version: i64, effective_at: i64) -> PriceVersion {
        let rates = serde_json::from_str(r#"{"input":"1","output":"2"}"#).unwrap();
        PriceVersion {
            id: PriceId::fresh(),
            model: ModelId::fresh(),
            version,
            price: Price::flat(Nano(version), rates).unwrap(),
            effective_at: Timestamp(effective_at),
            created_at: Timestamp(0),
        }
    }

    #[test]
    fn the_latest_start_is_in_force_and_ties_go_to_the_later_version() {
        // Announced for 100, then changed at once at 10, then the announcement replaced twice.
        let versions = [version(1, 0), version(2, 100), version(3, 10), version(4, 100), version(5, 200)];
        let at = |t| price_in_force(&versions, Timestamp(t)).map(|p| p.version);
        let next = |t| price_after(&versions, Timestamp(t)).map(|p| p.version);
        assert_eq!(
            [at(-1), at(0), at(9), at(10), at(99), at(100), at(250)],
            [None, Some(1), Some(1), Some(3), Some(3), Some(4), Some(5)]
        );
        assert_eq!([next(-1), next(0), next(10), next(100), next(200)], [Some(1), Some(3), Some(4), Some(5), None]);
    }
}

//! Models: the names that clients may ask for. One that ever had a price is never deleted, because call records and prices
//! refer to it; it is disabled.

pub(crate) mod store;

use crate::error::{named, on_clash};
use crate::{Catalog, CatalogError, Outcome, Put, channels};
use serde::{Deserialize, Serialize};
use tacit_kernel::ids::ModelId;
use tacit_kernel::{Timestamp, names};
use tacit_storage::changes::{self, Change};
use tacit_storage::{ReadTx, StorageError, WriteTx};

pub(crate) use store::STATEMENTS;

/// The largest number of tokens that may be told of a model.
pub const TOKENS_MAX: u64 = 1_000_000_000;

/// What an operator says of a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelSpec {
    /// Who made it; shown in `/v1/models`.
    #[serde(default = "owner_by_default")]
    pub owned_by: String,
    /// Most tokens of input and output together, if known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context_tokens: Option<u64>,
    /// Most tokens of output, if known; also what a call without a limit of its own reserves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_output_tokens: Option<u64>,
    /// Whether it may be used.
    #[serde(default = "crate::enabled_by_default")]
    pub enabled: bool,
}

/// Said of a model whose maker is not told.
#[must_use]
pub fn owner_by_default() -> String {
    "system".to_owned()
}

impl Default for ModelSpec {
    fn default() -> Self {
        Self { owned_by: owner_by_default(), context_tokens: None, max_output_tokens: None, enabled: true }
    }
}

impl ModelSpec {
    /// Whether a model may be so.
    ///
    /// # Errors
    /// [`CatalogError::ModelInvalid`].
    pub fn check(&self, name: &str) -> Result<(), CatalogError> {
        let invalid = |message| Err(CatalogError::ModelInvalid { message });
        if !names::is_token(name) || name.parse::<ModelId>().is_ok() {
            return invalid("its name must be 1 to 128 letters, digits or any of . _ : / @ + -");
        }
        if !names::is_token(&self.owned_by) {
            return invalid("owned_by must be 1 to 128 letters, digits or any of . _ : / @ + -");
        }
        let counts = [self.context_tokens, self.max_output_tokens];
        if counts.into_iter().flatten().any(|n| n == 0 || n > TOKENS_MAX) {
            return invalid("context_tokens and max_output_tokens must lie between 1 and 1000000000");
        }
        Ok(())
    }
}

/// A model as registered here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Model {
    /// Its id.
    pub id: ModelId,
    /// Unique name, a token.
    pub name: String,
    /// Who made it.
    pub owned_by: String,
    /// Most tokens of input and output together, if known.
    pub context_tokens: Option<u64>,
    /// Most tokens of output, if known.
    pub max_output_tokens: Option<u64>,
    /// Whether it may be used.
    pub enabled: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

impl Model {
    /// What an operator would say to have it so; to change one thing and put it back.
    #[must_use]
    pub fn spec(&self) -> ModelSpec {
        ModelSpec {
            owned_by: self.owned_by.clone(),
            context_tokens: self.context_tokens,
            max_output_tokens: self.max_output_tokens,
            enabled: self.enabled,
        }
    }
}

impl Catalog {
    /// Makes the model, or changes it to be so.
    ///
    /// # Errors
    /// [`CatalogError::ModelInvalid`], `Conflict`; storage.
    pub async fn model_put(&self, name: &str, spec: &ModelSpec) -> Result<Put<Model>, CatalogError> {
        self.db.write("model.put", |tx| Box::pin(self.model_put_in_tx(tx, name, spec))).await
    }

    /// [`Self::model_put`] as part of a larger transaction.
    ///
    /// # Errors
    /// As there.
    pub async fn model_put_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        name: &str,
        spec: &ModelSpec,
    ) -> Result<Put<Model>, CatalogError> {
        spec.check(name)?;
        let now = self.clock.now();
        let found = store::model_by_name(tx, name).await?;
        if let Some(same) = found.as_ref().filter(|m| m.spec() == *spec) {
            return Ok(Put::new(same.clone(), Outcome::Unchanged));
        }
        let model = Model {
            id: found.as_ref().map_or_else(ModelId::fresh, |m| m.id),
            name: name.to_owned(),
            owned_by: spec.owned_by.clone(),
            context_tokens: spec.context_tokens,
            max_output_tokens: spec.max_output_tokens,
            enabled: spec.enabled,
            created_at: found.as_ref().map_or(now, |m| m.created_at),
            updated_at: now,
        };
        let outcome = if found.is_some() {
            store::model_update(tx, &model).await?;
            Outcome::Updated
        } else {
            store::model_insert(tx, &model).await.map_err(on_clash(CatalogError::Conflict))?;
            Outcome::Created
        };
        changes::append(tx, &Change::Catalog, now).await?;
        Ok(Put::new(model, outcome))
    }

    /// Deletes a model that no channel serves and that never had a price: so none of its calls was ever charged.
    ///
    /// # Errors
    /// [`CatalogError::ModelNotFound`], `ModelServed`, `ModelPriced`, `Conflict`; storage.
    pub async fn model_delete_in_tx(&self, tx: &mut WriteTx<'_>, id: ModelId) -> Result<(), CatalogError> {
        let channels = channels::store::channel_list(tx).await?;
        let serves = |channel: &&channels::Channel| channel.models.values().any(|served| served.model == id);
        let channels = named(channels.iter().filter(serves).map(|channel| &*channel.name));
        if !channels.is_empty() {
            return Err(CatalogError::ModelServed { channels });
        }
        if store::model_is_priced(tx, id).await? {
            return Err(CatalogError::ModelPriced);
        }
        // A channel or a price that was made at this moment keeps it.
        if store::model_delete(tx, id).await.map_err(on_clash(CatalogError::Conflict))? == 0 {
            return Err(CatalogError::ModelNotFound);
        }
        changes::append(tx, &Change::Catalog, self.clock.now()).await?;
        Ok(())
    }

    /// Every model, by name.
    ///
    /// # Errors
    /// Storage.
    pub async fn model_list(&self) -> Result<Vec<Model>, CatalogError> {
        self.db.read("model.list", |tx| Box::pin(async move { Ok(store::model_list(tx).await?) })).await
    }

    /// [`Self::model_list`] as part of a larger transaction.
    ///
    /// # Errors
    /// Storage.
    pub async fn model_list_in_tx(&self, tx: &mut ReadTx<'_>) -> Result<Vec<Model>, CatalogError> {
        Ok(store::model_list(tx).await?)
    }

    /// The model named by `model_…` or by its name.
    ///
    /// # Errors
    /// Storage.
    pub async fn model_by_ref(&self, reference: &str) -> Result<Option<Model>, CatalogError> {
        self.db.read("model.by_ref", |tx| Box::pin(async move { Ok(model_by_ref(tx, reference).await?) })).await
    }
}

/// The model named by its id or its name.
pub(crate) async fn model_by_ref(tx: &mut ReadTx<'_>, reference: &str) -> Result<Option<Model>, StorageError> {
    match reference.parse::<ModelId>() {
        Ok(id) => store::model_by_id(tx, id).await,
        Err(_) => store::model_by_name(tx, reference).await,
    }
}

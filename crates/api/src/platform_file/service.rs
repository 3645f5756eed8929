//! Reading the platform, comparing it with a file, carrying the difference out, and writing a file of what is there.

use super::diff::{Action, Change, Kind, Plan, diff};
use super::form::{
    AccountFile, ChannelFile, GroupFile, KeyFile, ModelFile, NextPriceFile, PlatformFile, PriceFile, SecretRef,
};
use super::state::{Accounts, Present, wanted};
use crate::admin::forms::Secret;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use tacit_catalog::channels::credential_check;
use tacit_catalog::prices::{price_after, price_in_force};
use tacit_catalog::{Catalog, CatalogError, ChannelSpec, ModelSpec, ProviderSpec};
use tacit_identity::{AccountChange, Identity, IdentityError, KeyAuthority, KeyChange};
use tacit_kernel::call::CallSource;
use tacit_kernel::ids::{ChannelId, KeyId};
use tacit_kernel::{Clock, ErrorKind, Fault, Personal, Timestamp};
use tacit_storage::{Db, WriteTx};

/// Resolved secrets by [`SecretRef::key`].
pub type Secrets = BTreeMap<String, Secret>;

/// A file to compare or to apply.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApplyRequest {
    /// The text of the file.
    pub file: String,
    /// What its references stand for, by [`SecretRef::key`].
    #[serde(default)]
    pub secrets: Secrets,
    /// Whether to disable what the file's sections do not name.
    #[serde(default)]
    pub prune: bool,
}

/// A key that `apply` has made.
#[derive(Clone, Serialize, Deserialize)]
pub struct NewKey {
    /// Its account, as the file names it.
    pub account: String,
    /// Its name in the file.
    pub name: String,
    /// Its id.
    pub id: KeyId,
    /// The key itself; it is not kept and cannot be shown again.
    pub secret: Secret,
}

/// What `apply` has done.
#[derive(Clone, Serialize, Deserialize)]
pub struct Applied {
    /// What changed.
    pub plan: Plan,
    /// Keys that were made.
    pub new_keys: Vec<NewKey>,
}

/// Compares, applies and exports platform files. Cheap to clone.
#[derive(Clone)]
pub struct PlatformFiles {
    db: Db,
    identity: Identity,
    catalog: Catalog,
    clock: Arc<dyn Clock>,
}

impl PlatformFiles {
    /// Over these services, which use the same database.
    #[must_use]
    pub fn new(db: Db, identity: Identity, catalog: Catalog, clock: Arc<dyn Clock>) -> Self {
        Self { db, identity, catalog, clock }
    }

    /// What [`Self::apply`] would change. A secret that is not sent counts as unchanged.
    ///
    /// # Errors
    /// `platform_file.*` for what is wrong with the file; storage, keyring.
    pub async fn diff(&self, request: &ApplyRequest) -> Result<Plan, Fault> {
        let file = &PlatformFile::parse(&request.file)?;
        self.db
            .read("platform_file.diff", |tx| {
                Box::pin(async move {
                    let accounts = accounts_to_read(file, request.prune);
                    let present = Present::read(&self.identity, &self.catalog, tx, accounts).await?;
                    self.plan(&present, file, request, self.clock.now())
                })
            })
            .await
    }

    /// Makes the platform what the file says, in one transaction: wholly or not at all.
    ///
    /// # Errors
    /// As [`Self::diff`], and `platform_file.secret_missing`; whatever the services refuse.
    pub async fn apply(&self, request: &ApplyRequest) -> Result<Applied, Fault> {
        let file = &PlatformFile::parse(&request.file)?;
        self.db
            .write("platform_file.apply", |tx| {
                Box::pin(async move {
                    let accounts = accounts_to_read(file, request.prune);
                    let present = Present::read(&self.identity, &self.catalog, tx, accounts).await?;
                    let plan = self.plan(&present, file, request, self.clock.now())?;
                    let mut run = Run { files: self, file, secrets: &request.secrets, present, new_keys: Vec::new() };
                    for change in &plan.changes {
                        Box::pin(run.carry_out(tx, change)).await?;
                    }
                    Ok(Applied { new_keys: run.new_keys, plan })
                })
            })
            .await
    }

    /// A file of what is there now. Secrets are placeholders. Accounts and keys, which name people, only if asked for.
    ///
    /// # Errors
    /// Storage, keyring.
    pub async fn export(&self, with_accounts: bool) -> Result<PlatformFile, Fault> {
        let none = &PlatformFile::default();
        self.db
            .read("platform_file.export", |tx| {
                Box::pin(async move {
                    let accounts = if with_accounts { Accounts::All(none) } else { Accounts::Named(none) };
                    let present = Present::read(&self.identity, &self.catalog, tx, accounts).await?;
                    Ok(exported(present, with_accounts, self.clock.now()))
                })
            })
            .await
    }

    fn plan(
        &self,
        present: &Present,
        file: &PlatformFile,
        request: &ApplyRequest,
        now: Timestamp,
    ) -> Result<Plan, Fault> {
        references(present, file)?;
        for (channel, c) in file.channels.iter().flatten() {
            for (name, reference) in c.credentials.iter().flatten() {
                if let Some(secret) = request.secrets.get(&reference.key()) {
                    credential_check(name, &secret.0)
                        .map_err(|e| invalid(format!("channels.{channel}.credentials.{name}: {e}")))?;
                }
            }
        }
        let digest = |reference: &SecretRef| {
            request.secrets.get(&reference.key()).map(|secret| self.catalog.credential_digest(&secret.0))
        };
        Ok(diff(&present.state(file, now)?, &wanted(file, digest, now)?, request.prune))
    }
}

fn accounts_to_read(file: &PlatformFile, prune: bool) -> Accounts<'_> {
    if prune && file.accounts.is_some() { Accounts::All(file) } else { Accounts::Named(file) }
}

fn invalid(message: String) -> Fault {
    Fault::new(ErrorKind::Invalid, "platform_file.invalid", message)
}

/// Everything that the file refers to must be in the file or be there already.
fn references(present: &Present, file: &PlatformFile) -> Result<(), Fault> {
    let provider = |name: &String| {
        present.providers.contains_key(name) || file.providers.as_ref().is_some_and(|p| p.contains_key(name))
    };
    let model =
        |name: &String| present.models.contains_key(name) || file.models.as_ref().is_some_and(|m| m.contains_key(name));
    let group =
        |name: &String| present.groups.contains_key(name) || file.groups.as_ref().is_some_and(|g| g.contains_key(name));
    for (name, channel) in file.channels.iter().flatten() {
        if !provider(&channel.provider) {
            return Err(invalid(format!("channels.{name}.provider: there is no such provider, here or in the file")));
        }
        if !channel.models.keys().all(model) {
            return Err(invalid(format!("channels.{name}.models: one of them is no model, here or in the file")));
        }
    }
    for (number, account) in file.accounts.iter().flat_map(BTreeMap::values).enumerate() {
        if !group(&account.group) {
            let place = format!("accounts (number {} by name).group", number + 1);
            return Err(invalid(format!("{place}: there is no such group, here or in the file")));
        }
    }
    Ok(())
}

/// A plan on its way into the database. What is made is remembered for what refers to it.
struct Run<'a> {
    files: &'a PlatformFiles,
    file: &'a PlatformFile,
    secrets: &'a Secrets,
    present: Present,
    new_keys: Vec<NewKey>,
}

impl Run<'_> {
    async fn carry_out(&mut self, tx: &mut WriteTx<'_>, change: &Change) -> Result<(), Fault> {
        let Some(item) = &change.item else { return Ok(()) };
        let (name, parent) = (item.name.as_str(), item.parent.as_deref().unwrap_or_default());
        let disable = change.action == Action::Disable;
        match item.kind {
            Kind::Group => self.group(tx, name).await,
            Kind::Provider => self.provider(tx, name, disable).await,
            Kind::Model => self.model(tx, name, disable).await,
            Kind::Channel => self.channel(tx, name, disable).await,
            Kind::Credential => self.credential(tx, parent, name, disable).await,
            Kind::Account => self.account(tx, name, disable).await,
            Kind::Key => self.key(tx, parent, name, disable).await,
        }
    }

    async fn group(&mut self, tx: &mut WriteTx<'_>, name: &str) -> Result<(), Fault> {
        let wanted = self.file.groups.as_ref().and_then(|g| g.get(name)).ok_or_else(lost)?;
        let group = self.files.identity.group_put_in_tx(tx, name, wanted.multiplier).await?;
        self.present.groups.insert(name.to_owned(), group);
        Ok(())
    }

    async fn provider(&mut self, tx: &mut WriteTx<'_>, name: &str, disable: bool) -> Result<(), Fault> {
        let spec = if disable {
            ProviderSpec { enabled: false, ..self.present.providers.get(name).ok_or_else(lost)?.spec() }
        } else {
            self.file.providers.as_ref().and_then(|p| p.get(name)).ok_or_else(lost)?.clone()
        };
        self.files.catalog.provider_put_in_tx(tx, name, &spec).await?;
        Ok(())
    }

    async fn model(&mut self, tx: &mut WriteTx<'_>, name: &str, disable: bool) -> Result<(), Fault> {
        let catalog = &self.files.catalog;
        if disable {
            let spec = ModelSpec { enabled: false, ..self.present.models.get(name).ok_or_else(lost)?.0.spec() };
            catalog.model_put_in_tx(tx, name, &spec).await?;
            return Ok(());
        }
        let wanted = self.file.models.as_ref().and_then(|m| m.get(name)).ok_or_else(lost)?;
        let model = catalog.model_put_in_tx(tx, name, &wanted.spec()).await?.value;
        let now = self.files.clock.now();
        if let Some(price) = wanted.price_at(now) {
            catalog.price_put_in_tx(tx, model.id, price, None).await?;
        }
        if let Some(next) = wanted.next_at(now) {
            catalog.price_put_in_tx(tx, model.id, &next.price, Some(next.effective_at)).await?;
        }
        Ok(())
    }

    async fn channel(&mut self, tx: &mut WriteTx<'_>, name: &str, disable: bool) -> Result<(), Fault> {
        let spec = if disable {
            ChannelSpec { enabled: false, ..self.present.channels.get(name).ok_or_else(lost)?.spec() }
        } else {
            self.file.channels.as_ref().and_then(|c| c.get(name)).ok_or_else(lost)?.spec()
        };
        let channel = self.files.catalog.channel_put_in_tx(tx, name, &spec).await?.value;
        self.present.channels.insert(name.to_owned(), channel);
        Ok(())
    }

    async fn credential(
        &mut self,
        tx: &mut WriteTx<'_>,
        channel: &str,
        name: &str,
        disable: bool,
    ) -> Result<(), Fault> {
        let id: ChannelId = self.present.channels.get(channel).ok_or_else(lost)?.id;
        if disable {
            return Ok(self.files.catalog.credential_set_enabled_in_tx(tx, id, name, false).await?);
        }
        let wanted = self.file.channels.as_ref().and_then(|c| c.get(channel));
        let reference = wanted.and_then(|c| c.credentials.as_ref()).and_then(|c| c.get(name)).ok_or_else(lost)?;
        match self.secrets.get(&reference.key()) {
            Some(secret) => self.files.catalog.credential_put_in_tx(tx, id, name, &secret.0).await.map(drop)?,
            None => match self.files.catalog.credential_set_enabled_in_tx(tx, id, name, true).await {
                // It is there and was only to be enabled.
                Ok(()) => {}
                Err(CatalogError::CredentialNotFound) => {
                    return Err(Fault::new(
                        ErrorKind::Invalid,
                        "platform_file.secret_missing",
                        format!("channels.{channel}.credentials.{name}: the secret it refers to was not given"),
                    ));
                }
                Err(e) => return Err(e.into()),
            },
        }
        Ok(())
    }

    async fn account(&mut self, tx: &mut WriteTx<'_>, name: &str, disable: bool) -> Result<(), Fault> {
        let identity = &self.files.identity;
        let known = self.present.accounts.get(name).map(|a| a.id);
        if disable {
            let off = AccountChange { enabled: Some(false), ..AccountChange::default() };
            identity.account_update_in_tx(tx, known.ok_or_else(lost)?, &off).await?;
            return Ok(());
        }
        let wanted = self.file.accounts.as_ref().and_then(|a| a.get(name)).ok_or_else(lost)?;
        let group = self.present.groups.get(&wanted.group).ok_or(IdentityError::GroupNotFound)?.id;
        let id = match known {
            Some(id) => id,
            None => {
                let personal = Personal::new(name.to_owned());
                identity.account_create_in_tx(tx, &personal, group, &wanted.limits).await?.id
            }
        };
        let change = AccountChange {
            name: None,
            group: Some(group),
            limits: Some(wanted.limits.clone()),
            enabled: Some(wanted.enabled),
        };
        let account = identity.account_update_in_tx(tx, id, &change).await?;
        self.present.accounts.insert(name.to_owned(), account);
        Ok(())
    }

    async fn key(&mut self, tx: &mut WriteTx<'_>, account: &str, name: &str, disable: bool) -> Result<(), Fault> {
        let identity = &self.files.identity;
        let place = (account.to_owned(), name.to_owned());
        let known = self.present.keys.get(&place).map(|k| k.id);
        if disable {
            let off = KeyChange { enabled: Some(false), ..KeyChange::default() };
            identity.key_update_in_tx(tx, (known.ok_or_else(lost)?, KeyAuthority::Staff), &off).await?;
            return Ok(());
        }
        let owner = self.present.accounts.get(account).ok_or_else(lost)?.id;
        let section = self.file.accounts.as_ref().and_then(|a| a.get(account)).and_then(|a| a.keys.as_ref());
        let wanted = section.and_then(|k| k.get(name)).ok_or_else(lost)?;
        let id = match known {
            Some(id) => id,
            None => {
                let personal = Personal::new(name.to_owned());
                let made = identity
                    .key_create_in_tx(tx, (owner, KeyAuthority::Staff), &personal, CallSource::Api, &wanted.limits)
                    .await?;
                let (account, name) = place;
                self.new_keys.push(NewKey { account, name, id: made.0.id, secret: Secret(made.1) });
                if wanted.enabled {
                    return Ok(());
                }
                made.0.id
            }
        };
        let change =
            KeyChange { limits: Some(wanted.limits.clone()), enabled: Some(wanted.enabled), ..KeyChange::default() };
        identity.key_update_in_tx(tx, (id, KeyAuthority::Staff), &change).await?;
        Ok(())
    }
}

/// The plan was made from the same file and state, so this cannot be.
fn lost() -> Fault {
    Fault::internal("platform_file.plan", "the plan speaks of something that neither file nor platform has")
}

fn exported(present: Present, with_accounts: bool, now: Timestamp) -> PlatformFile {
    let mut accounts: BTreeMap<String, AccountFile> = present
        .accounts
        .iter()
        .map(|(name, a)| {
            let group = present.group_name(a.group).to_owned();
            let file = AccountFile { group, enabled: a.enabled, limits: a.limits.clone(), keys: Some(BTreeMap::new()) };
            (name.clone(), file)
        })
        .collect();
    for ((account, name), key) in present.keys {
        if let Some(keys) = accounts.get_mut(&account).and_then(|a| a.keys.as_mut()) {
            keys.insert(name, KeyFile { enabled: key.enabled, limits: key.limits });
        }
    }
    let models = present.models.into_iter().map(|(name, (model, versions))| {
        let spec = model.spec();
        let next = price_after(&versions, now);
        let file = ModelFile {
            owned_by: spec.owned_by,
            context_tokens: spec.context_tokens,
            max_output_tokens: spec.max_output_tokens,
            enabled: spec.enabled,
            price: price_in_force(&versions, now).map(|p| PriceFile(p.price.clone())),
            next_price: next.map(|p| NextPriceFile { effective_at: p.effective_at, price: p.price.clone() }),
        };
        (name, file)
    });
    let channels = present.channels.into_iter().map(|(name, channel)| {
        let spec = channel.spec();
        // A disabled credential is left out: to name it in a file means to use it.
        let credentials = channel.credentials.iter().filter(|(_, c)| c.enabled);
        let credentials = credentials.map(|(c, _)| (c.clone(), placeholder(&name, c))).collect();
        let file = ChannelFile {
            provider: spec.provider,
            priority: spec.priority,
            weight: spec.weight,
            multiplier: spec.multiplier,
            max_concurrency: spec.max_concurrency,
            enabled: spec.enabled,
            models: spec.models,
            credentials: Some(credentials),
        };
        (name, file)
    });
    PlatformFile {
        models: Some(models.collect()),
        channels: Some(channels.collect()),
        groups: Some(present.groups.into_iter().map(|(n, g)| (n, GroupFile { multiplier: g.multiplier })).collect()),
        providers: Some(present.providers.into_iter().map(|(n, p)| (n, p.spec())).collect()),
        accounts: with_accounts.then_some(accounts),
    }
}

/// The environment variable that stands in an exported file for a secret, which never leaves.
fn placeholder(channel: &str, credential: &str) -> SecretRef {
    let word = |text: &str| -> String {
        text.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect()
    };
    SecretRef::Env(format!("{}_{}", word(channel), word(credential)))
}

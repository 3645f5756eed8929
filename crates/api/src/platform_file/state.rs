//! The present state of the platform and the wanted one of a file, in the form in which they are compared.

use super::diff::{Field, Item, ItemName, Kind, State, Wanted};
use super::form::{NextPriceFile, PlatformFile, PriceFile, SecretRef, limits_form};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use tacit_catalog::prices::price_in_force;
use tacit_catalog::{Catalog, Channel, Model, PriceVersion, Provider};
use tacit_identity::{Account, AccountFilter, ApiKey, Group, Identity, Retired};
use tacit_kernel::ids::{AccountId, GroupId};
use tacit_kernel::limits::Limits;
use tacit_kernel::{Fault, Personal, Timestamp};
use tacit_storage::{Page, Paged, ReadTx};

/// What is there now, as far as a file can concern it.
#[derive(Default)]
pub(super) struct Present {
    pub(super) groups: BTreeMap<String, Group>,
    pub(super) providers: BTreeMap<String, Provider>,
    pub(super) models: BTreeMap<String, (Model, Vec<PriceVersion>)>,
    pub(super) channels: BTreeMap<String, Channel>,
    pub(super) accounts: BTreeMap<String, Account>,
    /// By name of the account and of the key.
    pub(super) keys: BTreeMap<(String, String), ApiKey>,
}

/// Which accounts to read.
#[derive(Clone, Copy)]
pub(super) enum Accounts<'a> {
    /// Those that the file names, and their keys where the file has some.
    Named(&'a PlatformFile),
    /// All, with all their keys; of who restricts the use of their data only those that the file names, so that the others are
    /// neither written into a file nor taken away since they are missing in one.
    All(&'a PlatformFile),
}

impl Present {
    pub(super) async fn read(
        identity: &Identity,
        catalog: &Catalog,
        tx: &mut ReadTx<'_>,
        accounts: Accounts<'_>,
    ) -> Result<Self, Fault> {
        let groups = identity.group_list_in_tx(tx).await?.into_iter().map(|g| (g.name.clone(), g)).collect();
        let providers = catalog.provider_list_in_tx(tx).await?.into_iter().map(|p| (p.name.clone(), p)).collect();
        let channels = catalog.channel_list_in_tx(tx).await?.into_iter().map(|c| (c.name.clone(), c)).collect();
        let mut present = Self { groups, providers, channels, ..Self::default() };
        for model in catalog.model_list_in_tx(tx).await? {
            let prices = catalog.price_list_in_tx(tx, model.id).await?;
            present.models.insert(model.name.clone(), (model, prices));
        }
        match accounts {
            Accounts::Named(file) => {
                for (name, wanted) in file.accounts.iter().flatten() {
                    let Some(account) = identity.account_by_ref_in_tx(tx, name).await? else { continue };
                    if wanted.keys.is_some() {
                        present.read_keys(identity, tx, name, account.id).await?;
                    }
                    present.accounts.insert(name.clone(), account);
                }
            }
            Accounts::All(file) => {
                let mut page = Page { after: None, limit: 500 };
                loop {
                    let Paged { items, next } =
                        identity.account_list_in_tx(tx, &AccountFilter::default(), page).await?;
                    let ids: Vec<AccountId> = items.iter().map(|account| account.id).collect();
                    let restricting = identity.restricting_in_tx(tx, &ids).await?;
                    for account in items {
                        let Some(name) = account.name.clone().map(Personal::into_inner) else { continue };
                        let named = file.accounts.as_ref().is_some_and(|accounts| accounts.contains_key(&name));
                        if restricting.contains(&account.id) && !named {
                            continue;
                        }
                        present.read_keys(identity, tx, &name, account.id).await?;
                        present.accounts.insert(name, account);
                    }
                    if next.is_none() {
                        break;
                    }
                    page.after = next;
                }
            }
        }
        Ok(present)
    }

    async fn read_keys(
        &mut self,
        identity: &Identity,
        tx: &mut ReadTx<'_>,
        account: &str,
        id: AccountId,
    ) -> Result<(), Fault> {
        let mut page = Page { after: None, limit: 500 };
        loop {
            let Paged { items, next } = identity.key_list_in_tx(tx, Some(id), (Retired::Not, page)).await?;
            for key in items {
                let Some(name) = key.name.clone().map(Personal::into_inner) else { continue };
                self.keys.insert((account.to_owned(), name), key);
            }
            if next.is_none() {
                return Ok(());
            }
            page.after = next;
        }
    }

    /// The name of a group by its id.
    pub(super) fn group_name(&self, id: GroupId) -> &str {
        self.groups.values().find(|g| g.id == id).map_or("", |g| g.name.as_str())
    }

    /// In the form in which it is compared with that file at that moment.
    pub(super) fn state(&self, file: &PlatformFile, now: Timestamp) -> Result<State, Fault> {
        let mut state = State::new();
        for (name, group) in &self.groups {
            let fields = [("multiplier", plain(&group.multiplier)?)];
            state.insert(named(Kind::Group, None, name), item(name, fields));
        }
        for (name, provider) in &self.providers {
            state.insert(
                named(Kind::Provider, None, name),
                Item { shown: name.clone(), fields: spec(&provider.spec())? },
            );
        }
        for (name, (model, versions)) in &self.models {
            let mut fields = spec(&model.spec())?;
            let in_force = price_in_force(versions, now).map(|p| &p.price);
            if let Some(price) = in_force {
                fields.insert("price".to_owned(), plain(&PriceFile(price.clone()))?);
            }
            let wanted = file.models.as_ref().and_then(|m| m.get(name));
            if let Some(next) = wanted.and_then(|m| m.next_at(now)) {
                // What will hold then: the last version announced until then, else the price of now, as wanted.
                let announced = versions.iter().any(|p| p.effective_at > now && p.effective_at <= next.effective_at);
                let then = match wanted.and_then(|m| m.price_at(now)).filter(|_| !announced) {
                    Some(price) => Some(price),
                    None => price_in_force(versions, next.effective_at).map(|p| &p.price),
                };
                if let Some(price) = then {
                    let then = NextPriceFile { effective_at: next.effective_at, price: price.clone() };
                    fields.insert("next_price".to_owned(), plain(&then)?);
                }
            }
            state.insert(named(Kind::Model, None, name), Item { shown: name.clone(), fields });
        }
        for (name, channel) in &self.channels {
            state
                .insert(named(Kind::Channel, None, name), Item { shown: name.clone(), fields: spec(&channel.spec())? });
            for (credential, c) in &channel.credentials {
                let fields = [("secret", Field::Secret(Some(c.digest))), ("enabled", plain(&c.enabled)?)];
                let shown = format!("{name}/{credential}");
                state.insert(named(Kind::Credential, Some(name), credential), item(&shown, fields));
            }
        }
        for (name, account) in &self.accounts {
            let fields = [
                ("group", Field::Plain(Value::from(self.group_name(account.group)))),
                ("enabled", plain(&account.enabled)?),
                ("limits", limits(&account.limits)?),
            ];
            state.insert(named(Kind::Account, None, name), item(&account.id.to_string(), fields));
        }
        for ((account, name), key) in &self.keys {
            let fields = [("enabled", plain(&key.enabled)?), ("limits", limits(&key.limits)?)];
            state.insert(named(Kind::Key, Some(account), name), item(&key.id.to_string(), fields));
        }
        Ok(state)
    }
}

/// What a file wants at that moment. `digest` gives the digest of a secret, if it was sent.
pub(super) fn wanted(
    file: &PlatformFile,
    digest: impl Fn(&SecretRef) -> Option<[u8; 32]>,
    now: Timestamp,
) -> Result<Wanted, Fault> {
    let mut wanted = Wanted::default();
    let sections = [
        (file.providers.is_some(), Kind::Provider),
        (file.models.is_some(), Kind::Model),
        (file.channels.is_some(), Kind::Channel),
        (file.accounts.is_some(), Kind::Account),
    ];
    wanted.sections.extend(sections.into_iter().filter(|(there, _)| *there).map(|(_, kind)| (kind, None)));
    for (name, group) in file.groups.iter().flatten() {
        wanted.items.insert(named(Kind::Group, None, name), item(name, [("multiplier", plain(&group.multiplier)?)]));
    }
    for (name, provider) in file.providers.iter().flatten() {
        let fields = spec(&provider.checked(name)?)?;
        wanted.items.insert(named(Kind::Provider, None, name), Item { shown: name.clone(), fields });
    }
    for (name, model) in file.models.iter().flatten() {
        let mut fields = spec(&model.spec())?;
        if let Some(price) = model.price_at(now) {
            fields.insert("price".to_owned(), plain(&PriceFile(price.clone()))?);
        }
        if let Some(next) = model.next_at(now) {
            fields.insert("next_price".to_owned(), plain(next)?);
        }
        wanted.items.insert(named(Kind::Model, None, name), Item { shown: name.clone(), fields });
    }
    for (name, channel) in file.channels.iter().flatten() {
        let fields = spec(&channel.spec())?;
        wanted.items.insert(named(Kind::Channel, None, name), Item { shown: name.clone(), fields });
        if let Some(credentials) = &channel.credentials {
            wanted.sections.insert((Kind::Credential, Some(name.clone())));
            for (credential, reference) in credentials {
                let fields = [("secret", Field::Secret(digest(reference))), ("enabled", plain(&true)?)];
                let shown = format!("{name}/{credential}");
                wanted.items.insert(named(Kind::Credential, Some(name), credential), item(&shown, fields));
            }
        }
    }
    for (name, account) in file.accounts.iter().flatten() {
        let fields = [
            ("group", plain(&account.group)?),
            ("enabled", plain(&account.enabled)?),
            ("limits", limits(&account.limits)?),
        ];
        wanted.items.insert(named(Kind::Account, None, name), item(name, fields));
        if let Some(keys) = &account.keys {
            wanted.sections.insert((Kind::Key, Some(name.clone())));
            for (key_name, key) in keys {
                let fields = [("enabled", plain(&key.enabled)?), ("limits", limits(&key.limits)?)];
                let shown = format!("{name}/{key_name}");
                wanted.items.insert(named(Kind::Key, Some(name), key_name), item(&shown, fields));
            }
        }
    }
    Ok(wanted)
}

fn named(kind: Kind, parent: Option<&String>, name: &str) -> ItemName {
    ItemName { kind, parent: parent.cloned(), name: name.to_owned() }
}

fn item<const N: usize>(shown: &str, fields: [(&str, Field); N]) -> Item {
    Item { shown: shown.to_owned(), fields: fields.into_iter().map(|(k, v)| (k.to_owned(), v)).collect() }
}

fn plain(value: &impl Serialize) -> Result<Field, Fault> {
    serde_json::to_value(value).map(Field::Plain).map_err(|e| Fault::internal("platform_file.state", e))
}

fn limits(limits: &Limits) -> Result<Field, Fault> {
    let table = limits_form::table(limits).map_err(|e| Fault::internal("platform_file.state", e))?;
    plain(&table)
}

/// The fields of a specification. Those that may be left out are there as null, so that leaving one out unsets it.
fn spec(spec: &impl Serialize) -> Result<BTreeMap<String, Field>, Fault> {
    let Field::Plain(Value::Object(map)) = plain(spec)? else {
        return Err(Fault::internal("platform_file.state", "a specification is not a table"));
    };
    let mut fields: BTreeMap<_, _> = map.into_iter().map(|(k, v)| (k, Field::Plain(v))).collect();
    let optional: &[&str] = if fields.contains_key("owned_by") {
        &["context_tokens", "max_output_tokens"]
    } else if fields.contains_key("weight") {
        &["max_concurrency"]
    } else {
        &[]
    };
    for field in optional {
        fields.entry((*field).to_owned()).or_insert(Field::Plain(Value::Null));
    }
    Ok(fields)
}

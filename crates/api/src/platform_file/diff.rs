//! What would have to change: a pure comparison of two states.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What an item is. In this order things are made, in the reverse one they are disabled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A pricing group.
    Group,
    /// A provider.
    Provider,
    /// A model with its prices.
    Model,
    /// A channel with the models it serves.
    Channel,
    /// A credential of a channel.
    Credential,
    /// An account.
    Account,
    /// An API key of an account.
    Key,
}

/// What identifies an item.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(test, derive(Debug))]
pub struct ItemName {
    /// What it is.
    pub kind: Kind,
    /// The channel of a credential, the account of a key.
    pub parent: Option<String>,
    /// Its name; unique within kind and parent.
    pub name: String,
}

/// A value of an item.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub enum Field {
    /// May be shown.
    Plain(Value),
    /// A secret by its keyed digest; `None` if the operator's side did not send it, and then it counts as unchanged.
    Secret(Option<[u8; 32]>),
}

/// An item of a state.
#[derive(Clone, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub struct Item {
    /// How a plan speaks of it.
    pub shown: String,
    /// Its values by field. Whether it is in use is the field `enabled`; items without it cannot be disabled.
    pub fields: BTreeMap<String, Field>,
}

/// Items by name.
pub type State = BTreeMap<ItemName, Item>;

/// What is wanted. Fields and items that are not in it are left alone.
#[derive(Clone, Default)]
#[cfg_attr(test, derive(Debug))]
pub struct Wanted {
    /// The items.
    pub items: State,
    /// The sections that exist, by kind and parent: only in these does pruning disable what is not wanted.
    pub sections: BTreeSet<(Kind, Option<String>)>,
}

/// What to do with an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// It is new.
    Create,
    /// It differs.
    Update,
    /// It is in use and not wanted.
    Disable,
}

/// One value that changes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldChange {
    /// Which.
    pub field: String,
    /// What it is; `None` if there is none yet.
    pub from: Option<Value>,
    /// What it becomes.
    pub to: Value,
}

/// One item that changes.
#[derive(Clone, Serialize, Deserialize)]
pub struct Change {
    /// What is done.
    pub action: Action,
    /// What it is.
    pub kind: Kind,
    /// How to speak of it: a name from the file, or an id.
    pub name: String,
    /// Every value that changes.
    pub fields: Vec<FieldChange>,
    /// Which item; stays in the process.
    #[serde(skip)]
    pub item: Option<ItemName>,
}

/// Everything that would change, in the order of execution. Empty: the platform is as wanted.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Plan {
    /// The changes.
    pub changes: Vec<Change>,
}

impl Plan {
    /// Whether nothing would change.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }
}

impl Field {
    fn differs(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Secret(None), Self::Secret(_)) | (Self::Secret(_), Self::Secret(None)) => false,
            (a, b) => a != b,
        }
    }

    fn shown(&self, secret: &str) -> Value {
        match self {
            Self::Plain(value) => value.clone(),
            Self::Secret(_) => Value::from(secret),
        }
    }
}

impl Item {
    fn in_use(&self) -> bool {
        self.fields.get("enabled") == Some(&Field::Plain(Value::Bool(true)))
    }
}

/// What has to change so that `current` becomes `wanted`.
#[must_use]
pub fn diff(current: &State, wanted: &Wanted, prune: bool) -> Plan {
    let mut changes = Vec::new();
    for (name, item) in &wanted.items {
        let known = current.get(name);
        let fields: Vec<_> = item
            .fields
            .iter()
            .filter_map(|(field, to)| {
                let from = known.and_then(|k| k.fields.get(field));
                let differs = from.map_or(*to != Field::Plain(Value::Null), |from| to.differs(from));
                differs.then(|| FieldChange {
                    field: field.clone(),
                    from: from.map(|f| f.shown("(set)")),
                    to: to.shown(if from.is_some() { "(replaced)" } else { "(set)" }),
                })
            })
            .collect();
        let action = if known.is_some() { Action::Update } else { Action::Create };
        if known.is_none() || !fields.is_empty() {
            changes.push(change(action, name, &item.shown, fields));
        }
    }
    if prune {
        let unwanted = current.iter().rev().filter(|(name, item)| {
            let section = (name.kind, name.parent.clone());
            item.in_use() && wanted.sections.contains(&section) && !wanted.items.contains_key(*name)
        });
        changes.extend(unwanted.map(|(name, item)| {
            let off =
                FieldChange { field: "enabled".to_owned(), from: Some(Value::Bool(true)), to: Value::Bool(false) };
            change(Action::Disable, name, &item.shown, vec![off])
        }));
    }
    Plan { changes }
}

fn change(action: Action, name: &ItemName, shown: &str, fields: Vec<FieldChange>) -> Change {
    Change { action, kind: name.kind, name: shown.to_owned(), fields, item: Some(name.clone()) }
}

//! What an entry is, and its canonical bytes.

use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use std::fmt;
use tacit_kernel::audit::{Action, ActorKind, ObjectKind, Phase};
use tacit_kernel::ids::AccountId;
use tacit_kernel::{Personal, Timestamp};
use tacit_vault::merkle;

/// The domain of the commitments; another form of the content gets another one.
pub const DOMAIN: &str = "tacit audit entry 1";

/// Who acts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// Somebody on the machine, through the admin socket: the user id of the system.
    Operator(u32),
    /// Somebody who is signed in.
    Account(AccountId),
    /// A key of the management interface: the text of its typed id.
    ManagementKey(String),
    /// The platform itself.
    System,
}

impl Actor {
    /// Which kind of actor.
    #[must_use]
    pub const fn kind(&self) -> ActorKind {
        match self {
            Self::Operator(_) => ActorKind::Operator,
            Self::Account(_) => ActorKind::Account,
            Self::ManagementKey(_) => ActorKind::ManagementKey,
            Self::System => ActorKind::System,
        }
    }

    /// Which one of its kind.
    #[must_use]
    pub fn id(&self) -> Option<String> {
        match self {
            Self::Operator(uid) => Some(uid.to_string()),
            Self::Account(id) => Some(id.to_string()),
            Self::ManagementKey(id) => Some(id.clone()),
            Self::System => None,
        }
    }
}

/// What something is done with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// The kind of thing.
    pub kind: ObjectKind,
    /// Which one: a typed id, or a name that the operator chose for a thing. Never a person's name, and never what
    /// somebody typed before it was found to name a thing. `None`: all of them, or one that is not there yet.
    pub id: Option<String>,
}

impl Object {
    /// That one, by its typed id.
    #[must_use]
    pub fn one(kind: ObjectKind, id: impl fmt::Display) -> Self {
        Self { kind, id: Some(id.to_string()) }
    }

    /// All of a kind, or one that is not there yet.
    #[must_use]
    pub const fn any(kind: ObjectKind) -> Self {
        Self { kind, id: None }
    }
}

/// An entry to write.
#[derive(Clone, Debug)]
pub struct NewEntry {
    /// Who acts.
    pub actor: Actor,
    /// What is done.
    pub action: Action,
    /// With what.
    pub object: Object,
    /// In which roles of staff, with commas between; none where it is not as staff that somebody acts.
    pub role: Option<String>,
    /// Whose data it concerns, if it is one account's.
    pub subject: Option<AccountId>,
    /// How far it has come.
    pub phase: Phase,
    /// The number of the entry whose outcome this tells.
    pub about: Option<u64>,
    /// Names of what is changed, in words of the program; never a value.
    pub fields: Vec<&'static str>,
    /// How many things are changed, where one action changes many.
    pub affected: Option<u64>,
    /// The stable code of a refusal.
    pub code: Option<&'static str>,
    /// Why, in words of the actor. Sealed.
    pub reason: Option<Personal<String>>,
    /// The actor's network address. Sealed.
    pub address: Option<Personal<String>>,
}

impl NewEntry {
    /// An entry of what is about to happen; set more with `..`.
    #[must_use]
    pub const fn begun(actor: Actor, action: Action, object: Object, subject: Option<AccountId>) -> Self {
        Self {
            actor,
            action,
            object,
            role: None,
            subject,
            phase: Phase::Begun,
            about: None,
            fields: Vec::new(),
            affected: None,
            code: None,
            reason: None,
            address: None,
        }
    }
}

/// What is kept of an entry, as it is kept. Words are texts here: an older program can show and check what a newer one
/// wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its number.
    pub seq: u64,
    /// When it was written.
    pub at: Timestamp,
    /// See [`ActorKind`].
    pub actor_kind: String,
    /// Which one of its kind.
    pub actor_id: Option<String>,
    /// In which roles of staff, with commas between.
    pub actor_role: Option<String>,
    /// See [`Action`].
    pub action: String,
    /// See [`ObjectKind`].
    pub object_kind: String,
    /// Which one.
    pub object_id: Option<String>,
    /// Whose data.
    pub subject: Option<AccountId>,
    /// See [`Phase`].
    pub phase: String,
    /// The entry whose outcome this tells.
    pub about: Option<u64>,
    /// Names of what is changed, with commas between.
    pub fields: String,
    /// How many things.
    pub affected: Option<u64>,
    /// Code of a refusal.
    pub code: Option<String>,
    /// Why, sealed.
    pub reason: Option<Vec<u8>>,
    /// Network address, sealed.
    pub address: Option<Vec<u8>>,
}

impl Kept {
    /// All but what is sealed.
    pub(super) fn of(seq: u64, at: Timestamp, new: &NewEntry) -> Self {
        Self {
            seq,
            at,
            actor_kind: new.actor.kind().as_str().to_owned(),
            actor_id: new.actor.id(),
            actor_role: new.role.clone(),
            action: new.action.as_str().to_owned(),
            object_kind: new.object.kind.as_str().to_owned(),
            object_id: new.object.id.clone(),
            subject: new.subject,
            phase: new.phase.as_str().to_owned(),
            about: new.about,
            fields: new.fields.join(","),
            affected: new.affected,
            code: new.code.map(str::to_owned),
            reason: None,
            address: None,
        }
    }
}

/// An entry as it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What is kept of it.
    pub kept: Kept,
    /// What the tree holds of it.
    pub commitment: [u8; 32],
    /// Whether the person it was about was erased: then only what names nobody is left, and nothing of that is proved.
    pub erased: bool,
}

/// An entry as it is exported: the commitment, and what opens it unless it was erased.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// Its number.
    pub seq: u64,
    /// What the tree holds of it.
    pub commitment: [u8; 32],
    /// Salt and canonical bytes; `None` if it was erased.
    pub opened: Option<([u8; 32], String)>,
}

/// Which entries; every part given must hold.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Of this actor: the text of its id.
    pub actor: Option<String>,
    /// This action.
    pub action: Option<String>,
    /// About this person.
    pub subject: Option<AccountId>,
    /// At or after this moment.
    pub since: Option<Timestamp>,
    /// Before this moment.
    pub until: Option<Timestamp>,
}

/// A look at somebody's data, as that person may know of it: never who looked.
#[derive(Clone, Debug)]
pub struct Look {
    /// Number of the entry.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// See [`ActorKind`].
    pub actor_kind: String,
    /// In which roles of staff, with commas between, if that is known.
    pub actor_role: Option<String>,
    /// See [`Action`].
    pub action: String,
    /// Names of what was shown in clear, with commas between.
    pub fields: String,
    /// Why, if that was said and is still readable.
    pub reason: Option<Personal<String>>,
}

/// The content of an entry, of which the canonical bytes are the JSON: fields in this order, none that is empty, no white
/// space. Sealed values are base64.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// Number of the entry.
    pub seq: u64,
    /// Microseconds since 1970 in UTC.
    pub time_micros: i64,
    /// Kind of actor.
    pub actor_kind: String,
    /// Which one of its kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor_id: Option<String>,
    /// In which roles of staff.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor_role: Option<String>,
    /// What is done.
    pub action: String,
    /// Kind of thing.
    pub object_kind: String,
    /// Which thing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub object_id: Option<String>,
    /// Whose data.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub subject: Option<AccountId>,
    /// How far it has come.
    pub phase: String,
    /// The entry whose outcome this tells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<u64>,
    /// Names of what is changed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub fields: String,
    /// How many things.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub affected: Option<u64>,
    /// Code of a refusal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Why, sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason_sealed: Option<String>,
    /// Network address, sealed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address_sealed: Option<String>,
}

/// The canonical bytes of what is kept.
#[must_use]
pub fn content_of(kept: &Kept) -> String {
    let content = Content {
        seq: kept.seq,
        time_micros: kept.at.0,
        actor_kind: kept.actor_kind.clone(),
        actor_id: kept.actor_id.clone(),
        actor_role: kept.actor_role.clone(),
        action: kept.action.clone(),
        object_kind: kept.object_kind.clone(),
        object_id: kept.object_id.clone(),
        subject: kept.subject,
        phase: kept.phase.clone(),
        about: kept.about,
        fields: kept.fields.clone(),
        affected: kept.affected,
        code: kept.code.clone(),
        reason_sealed: kept.reason.as_deref().map(|b| BASE64.encode(b)),
        address_sealed: kept.address.as_deref().map(|b| BASE64.encode(b)),
    };
    // Texts and numbers always have a JSON.
    serde_json::to_string(&content).unwrap_or_default()
}

/// The commitment to canonical bytes under a salt.
#[must_use]
pub fn committed(salt: &[u8; 32], content: &[u8]) -> [u8; 32] {
    merkle::commitment(DOMAIN, salt, content)
}

//! What a request is about: the reference it names, found in the books. Only ids are kept: what was typed and names nothing
//! may be anything, a person's name too.

use super::table::{Named, Place, Rule};
use crate::admin::Admin;
use crate::console::development_outbox::concerned;

use axum::RequestPartsExt as _;
use axum::extract::{Query, RawPathParams};
use axum::http::request::Parts;
use serde_json::value::RawValue;
use std::collections::HashMap;
use tacit_kernel::Fault;
use tacit_kernel::audit::ObjectKind;
use tacit_kernel::ids::{AccountId, CallId, EventId, IncidentId};

/// The parts of a request in which something can be named.
pub(super) struct Asked<'b> {
    path: Option<String>,
    query: HashMap<String, String>,
    /// The fields of its body, not looked into.
    body: HashMap<String, &'b RawValue>,
}

impl<'b> Asked<'b> {
    /// What cannot be read is refused by the handler, and nothing is named in it.
    pub(super) async fn read(parts: &mut Parts, body: &'b [u8]) -> Self {
        let path = parts.extract::<RawPathParams>().await.ok();
        Self {
            path: path.and_then(|p| p.iter().next().map(|(_, value)| value.to_owned())),
            query: Query::try_from_uri(&parts.uri).map(|q| q.0).unwrap_or_default(),
            body: serde_json::from_slice(body).unwrap_or_default(),
        }
    }

    /// Whether its body has that field.
    pub(super) fn has(&self, field: &str) -> bool {
        self.body.contains_key(field)
    }

    fn at(&self, place: Place) -> Option<String> {
        match place {
            Place::Path => self.path.clone(),
            Place::Query(name) => self.query.get(name).cloned(),
            Place::Body(name) => serde_json::from_str(self.body.get(name)?.get()).ok(),
        }
    }
}

/// What was found.
#[derive(Default)]
pub(super) struct Found {
    pub(super) object: Option<String>,
    pub(super) subject: Option<AccountId>,
}

/// Looks up what a request names.
pub(super) async fn resolve(admin: &Admin, rule: &Rule, asked: &Asked<'_>) -> Result<Found, Fault> {
    let Some((place, named)) = rule.names else { return Ok(Found::default()) };
    let Some(reference) = asked.at(place) else { return Ok(Found::default()) };
    let (id, subject) = lookup(admin, named, &reference).await?;
    // An account that only narrows what is asked for is whose data it is, and not the thing itself.
    let is_it = named != Named::Account || matches!(rule.object, ObjectKind::Account | ObjectKind::Wallet);
    Ok(Found { object: id.filter(|_| is_it), subject })
}

type Known = (Option<String>, Option<AccountId>);

async fn lookup(admin: &Admin, named: Named, reference: &str) -> Result<Known, Fault> {
    let thing = |id: Option<String>| (id, None);
    Ok(match named {
        Named::Account => {
            let id = admin.identity.account_by_ref(reference).await?.map(|account| account.id);
            (id.map(|id| id.to_string()), id)
        }
        Named::Key => admin.identity.key_by_ref(reference).await?.map(|k| (k.id.to_string(), k.account)).unzip(),
        Named::Call => match reference.parse::<CallId>() {
            Ok(id) => admin.ledger.call(id).await?.map(|call| (id.to_string(), call.account)).unzip(),
            Err(_) => (None, None),
        },
        Named::Event => match reference.parse::<EventId>() {
            Ok(id) => {
                let event = admin.ledger.aside(id).await?;
                (event.as_ref().map(|_| id.to_string()), event.and_then(|e| e.account))
            }
            Err(_) => (None, None),
        },
        Named::Message => match reference.parse() {
            Ok(id) => (None, concerned((&admin.db, &admin.identity), &admin.messages, id).await?),
            Err(_) => (None, None),
        },
        Named::Incident => match reference.parse::<IncidentId>() {
            Ok(id) => thing(admin.incidents.find(id).await.ok().map(|_| id.to_string())),
            Err(_) => (None, None),
        },
        Named::Group => thing(admin.identity.group_by_ref(reference).await?.map(|g| g.id.to_string())),
        Named::Provider => thing(admin.catalog.provider_by_ref(reference).await?.map(|p| p.id.to_string())),
        Named::Recipient => {
            let recipients = admin.receivers.recipients.list().await?;
            let found = recipients.into_iter().find(|r| r.name == reference || r.id.to_string() == reference);
            thing(found.map(|r| r.id.to_string()))
        }
        Named::Channel => thing(admin.catalog.channel_by_ref(reference).await?.map(|c| c.id.to_string())),
        Named::Model => thing(admin.catalog.model_by_ref(reference).await?.map(|m| m.id.to_string())),
    })
}

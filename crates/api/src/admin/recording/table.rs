//! Every route of the admin socket, and what the audit log says of it. A route that is missing here is not served, and a
//! test finds it.

use axum::extract::Query;
use axum::http::{Method, Uri};
use std::collections::HashMap;
use tacit_kernel::audit::{Action, ObjectKind};

/// Where a request names what it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::admin) enum Place {
    /// The parameter of its path.
    Path,
    /// That field of its body.
    Body(&'static str),
    /// That parameter of its query.
    Query(&'static str),
}

/// What is named there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::admin) enum Named {
    Account,
    Key,
    Call,
    Event,
    Group,
    Provider,
    Recipient,
    Channel,
    Model,
    Incident,
    /// Of the development outbox.
    Message,
}

/// What an answer tells that was not known before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::admin) enum Answered {
    Nothing,
    /// `id`: the thing that was made.
    Id,
    /// `plan.changes`: how much was changed.
    Changes,
}

/// What is recorded of a route.
#[derive(Clone, Copy, Debug)]
pub(in crate::admin) struct Rule {
    pub(in crate::admin) method: &'static str,
    pub(in crate::admin) path: &'static str,
    /// What it does; `None` if it changes nothing and shows nothing about a person.
    action: Option<Action>,
    /// What it does if that parameter of its query is `true`.
    switched: Option<(&'static str, Action)>,
    pub(super) object: ObjectKind,
    pub(super) names: Option<(Place, Named)>,
    /// Fields of its body whose names are recorded.
    pub(super) fields: &'static [&'static str],
    pub(super) answered: Answered,
}

impl Rule {
    /// What a request of this route does, if it is to be recorded.
    pub(in crate::admin) fn action_of(&self, uri: &Uri) -> Option<Action> {
        // A query that is not one is refused by the handler.
        let query = || Query::<HashMap<String, String>>::try_from_uri(uri).ok();
        let switched = |name: &str| query().is_some_and(|q| q.get(name).is_some_and(|value| value == "true"));
        match self.switched {
            Some((name, action)) if switched(name) => Some(action),
            _ => self.action,
        }
    }

    const fn names(self, place: Place, named: Named) -> Self {
        Self { names: Some((place, named)), ..self }
    }

    const fn fields(self, fields: &'static [&'static str]) -> Self {
        Self { fields, ..self }
    }

    const fn answers(self, answered: Answered) -> Self {
        Self { answered, ..self }
    }

    const fn switched(self, parameter: &'static str, action: Action) -> Self {
        Self { switched: Some((parameter, action)), ..self }
    }
}

const fn rule(method: &'static str, path: &'static str, action: Option<Action>, object: ObjectKind) -> Rule {
    let answered = Answered::Nothing;
    Rule { method, path, action, switched: None, object, names: None, fields: &[], answered }
}

const fn get(path: &'static str, action: Action, object: ObjectKind) -> Rule {
    rule("GET", path, Some(action), object)
}

const fn post(path: &'static str, action: Action, object: ObjectKind) -> Rule {
    rule("POST", path, Some(action), object)
}

const fn patch(path: &'static str, action: Action, object: ObjectKind) -> Rule {
    rule("PATCH", path, Some(action), object)
}

/// Changes nothing and shows nothing about a person.
const fn none(path: &'static str) -> Rule {
    rule("GET", path, None, ObjectKind::Platform)
}

const ACCOUNT: &str = "account";
const PROVIDER: &[&str] = &["name", "dialect", "base_url", "auth", "allow_private", "status"];
const RECIPIENT: &[&str] = &[
    "name",
    "kind",
    "role",
    "country",
    "purposes",
    "contract_at",
    "retention_days",
    "trains",
    "evidence_url",
    "checked_at",
    "contact",
    "dsr_endpoint",
    "status",
];
const CHANNEL: &[&str] = &[
    "name",
    "provider",
    "priority",
    "weight",
    "multiplier",
    "max_concurrency",
    "models",
    "credentials",
    "status",
    "add_models",
    "remove_models",
    "add_credentials",
    "remove_credentials",
];
const MODEL: &[&str] = &["name", "owned_by", "context_tokens", "max_output_tokens", "status"];

/// The table.
pub(in crate::admin) static RULES: &[Rule] = &{
    use Action as A;
    use Answered::{Changes, Id};
    use Named as N;
    use ObjectKind as O;
    use Place::{Body, Path, Query};
    [
        none("/v1/status"),
        none("/v1/providers"),
        post("/v1/providers", A::ProviderCreate, O::Provider).fields(PROVIDER).answers(Id),
        none("/v1/providers/{reference}"),
        patch("/v1/providers/{reference}", A::ProviderUpdate, O::Provider).names(Path, N::Provider).fields(PROVIDER),
        none("/v1/recipients"),
        post("/v1/recipients", A::RecipientCreate, O::Recipient).fields(RECIPIENT).answers(Id),
        none("/v1/recipients/{reference}"),
        patch("/v1/recipients/{reference}", A::RecipientUpdate, O::Recipient)
            .names(Path, N::Recipient)
            .fields(RECIPIENT),
        post("/v1/recipients/{reference}/delete", A::RecipientDelete, O::Recipient).names(Path, N::Recipient),
        post("/v1/recipients/{reference}/tie", A::RecipientTie, O::Recipient)
            .names(Path, N::Recipient)
            .fields(&["provider"]),
        post("/v1/recipients/{reference}/untie", A::RecipientTie, O::Recipient)
            .names(Path, N::Recipient)
            .fields(&["provider"]),
        none("/v1/unregistered-recipients"),
        // Numbers of people and nothing else.
        none("/v1/transfers"),
        none("/v1/channels"),
        post("/v1/channels", A::ChannelCreate, O::Channel).fields(CHANNEL).answers(Id),
        none("/v1/channels/{reference}"),
        patch("/v1/channels/{reference}", A::ChannelUpdate, O::Channel).names(Path, N::Channel).fields(CHANNEL),
        none("/v1/models"),
        post("/v1/models", A::ModelCreate, O::Model).fields(MODEL).answers(Id),
        none("/v1/models/{*reference}"),
        patch("/v1/models/{*reference}", A::ModelUpdate, O::Model).names(Path, N::Model).fields(MODEL),
        none("/v1/prices"),
        post("/v1/prices", A::PriceCreate, O::Price).fields(&["model", "price", "effective_at"]).answers(Id),
        none("/v1/keyring"),
        post("/v1/keyring/rotate", A::KeyringRotate, O::Keyring),
        post("/v1/keyring/rekey", A::KeyringRekey, O::Keyring),
        none("/v1/groups"),
        post("/v1/groups", A::GroupCreate, O::Group).fields(&["name", "multiplier"]).answers(Id),
        none("/v1/groups/{reference}"),
        patch("/v1/groups/{reference}", A::GroupUpdate, O::Group).names(Path, N::Group).fields(&["multiplier"]),
        get("/v1/accounts", A::AccountList, O::Account),
        post("/v1/accounts", A::AccountCreate, O::Account).fields(&["name", "group", "limits"]).answers(Id),
        get("/v1/accounts/{reference}", A::AccountRead, O::Account).names(Path, N::Account),
        patch("/v1/accounts/{reference}", A::AccountUpdate, O::Account)
            .names(Path, N::Account)
            .fields(&["name", "group", "limits", "status"]),
        get("/v1/accounts/{reference}/wallet", A::WalletRead, O::Wallet).names(Path, N::Account),
        post("/v1/accounts/{reference}/wallet", A::WalletMove, O::Wallet)
            .names(Path, N::Account)
            .fields(&["kind", "amount"]),
        get("/v1/keys", A::KeyList, O::Key).names(Query(ACCOUNT), N::Account),
        post("/v1/keys", A::KeyCreate, O::Key)
            .names(Body(ACCOUNT), N::Account)
            .fields(&["name", "source", "limits"])
            .answers(Id),
        get("/v1/keys/{*reference}", A::KeyRead, O::Key).names(Path, N::Key),
        patch("/v1/keys/{*reference}", A::KeyUpdate, O::Key).names(Path, N::Key).fields(&["name", "limits", "status"]),
        get("/v1/ledger/entries", A::LedgerList, O::Ledger).names(Query(ACCOUNT), N::Account),
        // Ids and sums of what does not add up.
        none("/v1/ledger/verify"),
        get("/v1/calls", A::CallList, O::Call).names(Query(ACCOUNT), N::Account),
        get("/v1/calls/{id}", A::CallRead, O::Call).names(Path, N::Call).switched("reveal", A::CallReveal),
        get("/v1/calls/set-aside", A::EventList, O::Event),
        post("/v1/calls/set-aside/{id}/settle", A::EventSettle, O::Event).names(Path, N::Event),
        post("/v1/calls/set-aside/{id}/drop", A::EventDrop, O::Event).names(Path, N::Event),
        post("/v1/platform/diff", A::PlatformDiff, O::Platform),
        post("/v1/platform/apply", A::PlatformApply, O::Platform).answers(Changes),
        none("/v1/platform/export").switched("accounts", A::PlatformExport),
        get("/v1/messages", A::MessageList, O::Message),
        post("/v1/messages/test", A::MessageTest, O::Message),
        get("/v1/messages/development", A::MessageList, O::Message),
        get("/v1/messages/development/{id}", A::MessageRead, O::Message).names(Path, N::Message),
        post("/v1/invitations", A::InvitationCreate, O::Account),
        get("/v1/retention", A::RetentionRead, O::Retention),
        get("/v1/retention/runs", A::RetentionRead, O::Retention),
        get("/v1/legal-holds", A::LegalHoldList, O::LegalHold),
        post("/v1/legal-holds", A::LegalHoldPut, O::LegalHold).names(Body(ACCOUNT), N::Account).fields(&["until"]),
        post("/v1/legal-holds/{hold}/end", A::LegalHoldEnd, O::LegalHold),
        get("/v1/erasures", A::ErasureList, O::Erasure),
        post("/v1/erasures", A::AccountErase, O::Erasure)
            .names(Body(ACCOUNT), N::Account)
            .fields(&["reason", "forfeit"])
            .answers(Id),
        get("/v1/erasures/plan", A::ErasurePlan, O::Erasure).names(Query(ACCOUNT), N::Account),
        get("/v1/erasures/{erasure}", A::ErasureList, O::Erasure),
        post("/v1/copies", A::AccountExport, O::Account).names(Body(ACCOUNT), N::Account),
        none("/v1/incidents"),
        post("/v1/incidents", A::IncidentOpen, O::Incident).fields(&["kind", "found_at"]).answers(Id),
        get("/v1/incidents/{incident}", A::IncidentRead, O::Incident).names(Path, N::Incident),
        patch("/v1/incidents/{incident}", A::IncidentUpdate, O::Incident).names(Path, N::Incident).fields(&[
            "kind",
            "began_at",
            "ended_at",
            "categories",
            "en",
            "zh",
        ]),
        post("/v1/incidents/{incident}/scope", A::IncidentScope, O::Incident)
            .names(Path, N::Incident)
            .fields(&["kind"]),
        post("/v1/incidents/{incident}/clear", A::IncidentScope, O::Incident).names(Path, N::Incident),
        get("/v1/incidents/{incident}/subjects", A::IncidentSubjects, O::Incident).names(Path, N::Incident),
        none("/v1/incidents/{incident}/draft"),
        post("/v1/incidents/{incident}/state", A::IncidentState, O::Incident)
            .names(Path, N::Incident)
            .fields(&["event"]),
        post("/v1/incidents/{incident}/announce", A::IncidentState, O::Incident).names(Path, N::Incident),
        post("/v1/incidents/{incident}/reports", A::IncidentReport, O::Incident)
            .names(Path, N::Incident)
            .fields(&["clock"]),
        get("/v1/staff", A::StaffList, O::Role),
        post("/v1/staff/grant", A::StaffGrant, O::Role).names(Body(ACCOUNT), N::Account).fields(&["role"]),
        post("/v1/staff/revoke", A::StaffRevoke, O::Role).names(Body(ACCOUNT), N::Account).fields(&["role"]),
        get("/v1/audit/entries", A::AuditList, O::Audit).names(Query("subject"), N::Account),
        get("/v1/audit/entries/{seq}", A::AuditRead, O::Audit),
        none("/v1/audit/checkpoint"),
        none("/v1/audit/key"),
        get("/v1/audit/export", A::AuditExport, O::Audit),
        // Numbers and nothing else.
        none("/v1/audit/erased"),
    ]
};

/// What is declared of a route. HEAD is served as GET is.
pub(in crate::admin) fn rule_of(method: &str, path: &str) -> Option<&'static Rule> {
    let method = if method == "HEAD" { "GET" } else { method };
    RULES.iter().find(|rule| rule.method == method && rule.path == path)
}

/// The same by the request's own method.
pub(super) fn rule_for(method: &Method, path: &str) -> Option<&'static Rule> {
    rule_of(method.as_str(), path)
}

//! Incidents on the wire, for the admin socket and the console.

use super::Moment;
use serde::{Deserialize, Serialize};
use tacit_kernel::Timestamp;
use tacit_kernel::ids::{AccountId, IncidentCriterionId, IncidentId};
use tacit_privacy::incidents::{self as i, Criterion, IncidentError, Window};
use tacit_privacy::{Language, incidents};
use utoipa::ToSchema;

macro_rules! words {
    ($($(#[$doc:meta])* $name:ident as $of:ty { $($(#[$vdoc:meta])* $variant:ident,)+ })+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$vdoc])* $variant,)+ }

        impl From<$name> for $of {
            fn from(word: $name) -> Self {
                match word { $($name::$variant => Self::$variant,)+ }
            }
        }

        impl From<$of> for $name {
            fn from(word: $of) -> Self {
                match word { $(<$of>::$variant => Self::$variant,)+ }
            }
        }
    )+};
}

words! {
    /// What happened to data.
    IncidentKind as i::Kind {
        /// Somebody saw or took what they may not.
        Leak,
        /// It was changed by who may not.
        Tampering,
        /// It is gone.
        Loss,
        /// It cannot be reached.
        Unavailable,
    }

    /// How far an incident has come.
    IncidentState as i::State {
        /// It is being looked into.
        Open,
        /// What happened and whom it concerns is known.
        Assessed,
        /// People are told.
        Notifying,
        /// It is over.
        Closed,
    }

    /// What happens to an incident.
    IncidentEvent as i::Event {
        /// It is known what happened.
        Assess,
        /// People are to be told; of one that is being told, whoever was not reached is tried again.
        Notify,
        /// It is over.
        Close,
        /// It was not over.
        Reopen,
    }

    /// How somebody is told.
    IncidentTold as i::Told {
        /// Nothing was written to them yet.
        Waiting,
        /// A message is in the outbox.
        Written,
        /// It was sent.
        Sent,
        /// It was not sent.
        Failed,
        /// They have no address, or none of a channel that is open.
        NoAddress,
    }

    /// What a draft is for.
    IncidentDraft as i::Draft {
        /// To people whom it concerns.
        Notice,
        /// To a regulator.
        Report,
    }
}

/// How it is said who is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CriterionKind {
    /// Every account.
    Everyone,
    /// Whoever made a call that was under way then.
    Calls,
    /// Whoever was shown or changed by somebody then.
    Shown,
    /// Whoever was signed in then.
    SignedIn,
    /// Whoever is named.
    Listed,
}

impl CriterionKind {
    /// As a word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Everyone => "everyone",
            Self::Calls => "calls",
            Self::Shown => "shown",
            Self::SignedIn => "signed_in",
            Self::Listed => "listed",
        }
    }
}

/// An incident to open.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewIncident {
    /// What happened to data.
    pub kind: IncidentKind,
    /// When it was found; now if not given. Legal clocks run from here.
    #[serde(default)]
    pub found_at: Option<Moment>,
    /// When it began, if that is known.
    #[serde(default)]
    pub began_at: Option<Moment>,
    /// When it was over, if it is.
    #[serde(default)]
    pub ended_at: Option<Moment>,
}

impl NewIncident {
    /// As the service takes it.
    pub(crate) fn read(&self, now: Timestamp) -> i::New {
        i::New {
            kind: self.kind.into(),
            found_at: self.found_at.map_or(now, |at| at.0),
            began_at: self.began_at.map(|at| at.0),
            ended_at: self.ended_at.map(|at| at.0),
        }
    }
}

/// Texts of parts in a language; what is not given stays.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WordingPatch {
    /// What happened and what follows from it, up to 8,000 bytes.
    #[schema(max_length = 8000)]
    pub impact: Option<String>,
    /// What was and is done about it.
    #[schema(max_length = 8000)]
    pub measures: Option<String>,
    /// What people can do themselves.
    #[schema(max_length = 8000)]
    pub advice: Option<String>,
    /// What is offered to them.
    #[schema(max_length = 8000)]
    pub remedies: Option<String>,
}

/// What is changed of an incident.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct IncidentPatch {
    /// What happened to data.
    pub kind: Option<IncidentKind>,
    /// When it began.
    pub began_at: Option<Moment>,
    /// When it was over.
    pub ended_at: Option<Moment>,
    /// Kinds of data: categories of the data map, such as `user.contact.email`.
    #[schema(max_items = 50)]
    pub categories: Option<Vec<String>>,
    /// In English.
    pub en: Option<WordingPatch>,
    /// In Chinese.
    pub zh: Option<WordingPatch>,
}

impl IncidentPatch {
    /// As the service takes it.
    pub(crate) fn read(self) -> i::Change {
        use i::Part;
        let mut words = Vec::new();
        for (language, wording) in [(Language::En, self.en), (Language::Zh, self.zh)] {
            let Some(wording) = wording else { continue };
            let parts = [
                (Part::Impact, wording.impact),
                (Part::Measures, wording.measures),
                (Part::Advice, wording.advice),
                (Part::Remedies, wording.remedies),
            ];
            words.extend(parts.into_iter().filter_map(|(part, text)| Some((language, part, text?))));
        }
        i::Change {
            kind: self.kind.map(Into::into),
            began_at: self.began_at.map(|at| at.0),
            ended_at: self.ended_at.map(|at| at.0),
            categories: self.categories,
            words,
        }
    }
}

/// Who is concerned, beside whoever was said before.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewCriterion {
    /// How it is said.
    pub kind: CriterionKind,
    /// Of `calls`, `shown`, `signed_in`: from.
    #[serde(default)]
    pub from: Option<Moment>,
    /// Of these: until, at the latest now.
    #[serde(default)]
    pub until: Option<Moment>,
    /// Of `calls`: only of that provider, by id.
    #[serde(default)]
    pub provider: Option<String>,
    /// Of `calls`: only of that channel, by id.
    #[serde(default)]
    pub channel: Option<String>,
    /// Of `calls`: only through that gateway, by name.
    #[serde(default)]
    pub gateway: Option<String>,
    /// Of `shown`: by whom: `acct_…`, `mkey_…`, or the number of an operator on the machine.
    #[serde(default)]
    pub actor: Option<String>,
    /// Of `listed`: 1 to 1,000 accounts, by id.
    #[serde(default)]
    #[schema(max_items = 1000)]
    pub accounts: Option<Vec<String>>,
}

impl NewCriterion {
    /// As the service takes it.
    ///
    /// # Errors
    /// [`IncidentError::Criterion`] if something is missing, or given that has no meaning for it.
    pub(crate) fn read(&self) -> Result<Criterion, IncidentError> {
        use CriterionKind as K;
        let wrong = |text: &str| IncidentError::Criterion(text.to_owned());
        let takes = |kinds: &[K], given: bool, what: &str| {
            let fine = !given || kinds.contains(&self.kind);
            let kind = self.kind.as_str();
            if fine { Ok(()) } else { Err(IncidentError::Criterion(format!("{what} has no meaning for {kind}"))) }
        };
        takes(&[K::Calls, K::Shown, K::SignedIn], self.from.is_some() || self.until.is_some(), "a window")?;
        takes(&[K::Calls], self.provider.is_some(), "provider")?;
        takes(&[K::Calls], self.channel.is_some(), "channel")?;
        takes(&[K::Calls], self.gateway.is_some(), "gateway")?;
        takes(&[K::Shown], self.actor.is_some(), "actor")?;
        takes(&[K::Listed], self.accounts.is_some(), "accounts")?;
        let window = || match (self.from, self.until) {
            (Some(from), Some(until)) => Ok(Window { from: from.0, until: until.0 }),
            _ => Err(wrong("say from when until when")),
        };
        Ok(match self.kind {
            K::Everyone => Criterion::Everyone,
            K::Calls => Criterion::Calls {
                window: window()?,
                provider: id(self.provider.as_deref(), "provider")?,
                channel: id(self.channel.as_deref(), "channel")?,
                gateway: self.gateway.clone(),
            },
            K::Shown => Criterion::Shown {
                window: window()?,
                actor: self.actor.clone().ok_or_else(|| wrong("say to whom they were shown: actor"))?,
            },
            K::SignedIn => Criterion::SignedIn { window: window()? },
            K::Listed => {
                let named = self.accounts.iter().flatten().map(|text| id::<AccountId>(Some(text), "account"));
                Criterion::Listed(named.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
            }
        })
    }
}

fn id<T: std::str::FromStr>(text: Option<&str>, what: &str) -> Result<Option<T>, IncidentError> {
    let wrong = |_| IncidentError::Criterion(format!("that is no id of a {what}"));
    text.map(str::parse).transpose().map_err(wrong)
}

/// What happens to an incident.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct IncidentStep {
    /// What.
    pub event: IncidentEvent,
    /// Of `notify`: everybody is to read of it at `/privacy/incidents` too.
    #[serde(default)]
    pub announce: bool,
}

/// That somebody was told whom a clock wants to be told.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewIncidentReport {
    /// The clock's name.
    pub clock: String,
    /// Who was told, in 1 to 500 bytes; or why nobody had to be.
    #[schema(min_length = 1, max_length = 500)]
    pub to: String,
    /// When; now if not given.
    #[serde(default)]
    pub at: Option<Moment>,
}

impl NewIncidentReport {
    /// As the service takes it; by whom, as the audit log names them.
    pub(crate) fn read(self, by: Option<String>) -> i::NewReport {
        i::NewReport { clock: self.clock, to: self.to, at: self.at.map(|at| at.0), by }
    }
}

/// An incident, without what is told of it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct IncidentLine {
    /// Its id, `inc_…`.
    #[schema(value_type = String)]
    pub id: IncidentId,
    /// What happened to data.
    pub kind: IncidentKind,
    /// How far it has come.
    pub state: IncidentState,
    /// When it was found.
    pub found_at: Moment,
    /// When it began.
    pub began_at: Option<Moment>,
    /// When it was over.
    pub ended_at: Option<Moment>,
    /// Kinds of data.
    pub categories: Vec<String>,
    /// Names of clocks that ran out before anybody was told.
    pub overdue: Vec<String>,
    /// When the next clock runs out.
    pub next_due_at: Option<Moment>,
    /// Since when people are told one by one.
    pub notified_at: Option<Moment>,
    /// Since when everybody can read it.
    pub published_at: Option<Moment>,
    /// Since when it is over.
    pub closed_at: Option<Moment>,
    /// When it was opened.
    pub created_at: Moment,
    /// When it last changed.
    pub updated_at: Moment,
}

impl IncidentLine {
    pub(crate) fn of(incident: &i::Incident, clocks: &[i::Clock], now: Timestamp) -> Self {
        let open = || clocks.iter().filter(|clock| clock.reported.is_none());
        Self {
            id: incident.id,
            kind: incident.kind.into(),
            state: incident.state.into(),
            found_at: incident.found_at.into(),
            began_at: incident.began_at.map(Into::into),
            ended_at: incident.ended_at.map(Into::into),
            categories: incident.categories.clone(),
            overdue: open().filter(|clock| clock.is_overdue(now)).map(|clock| clock.name.clone()).collect(),
            next_due_at: open().map(|clock| clock.due_at).min().map(Into::into),
            notified_at: incident.notified_at.map(Into::into),
            published_at: incident.published_at.map(Into::into),
            closed_at: incident.closed_at.map(Into::into),
            created_at: incident.created_at.into(),
            updated_at: incident.updated_at.into(),
        }
    }
}

/// The four parts in a language.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = IncidentWording)]
pub struct Wording {
    /// What happened and what follows from it.
    pub impact: String,
    /// What was and is done about it.
    pub measures: String,
    /// What people can do themselves.
    pub advice: String,
    /// What is offered to them.
    pub remedies: String,
}

impl From<i::Wording> for Wording {
    fn from(wording: i::Wording) -> Self {
        let i::Wording { impact, measures, advice, remedies } = wording;
        Self { impact, measures, advice, remedies }
    }
}

/// A clock of an incident.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct IncidentClock {
    /// Its name.
    pub name: String,
    /// What it is, in English.
    pub english: String,
    /// What it is, in Chinese.
    pub chinese: String,
    /// Until when somebody is to be told.
    pub due_at: Moment,
    /// Whether somebody should have been told by now, or was told too late.
    pub overdue: bool,
    /// When somebody was.
    pub reported_at: Option<Moment>,
    /// Who wrote that down.
    pub reported_by: Option<String>,
    /// Who was told.
    pub reported_to: Option<String>,
}

/// Who is sought.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct IncidentCriterion {
    /// Its id.
    #[schema(value_type = String)]
    pub id: IncidentCriterionId,
    /// How it was said.
    #[schema(value_type = String)]
    pub kind: String,
    /// From.
    pub from: Option<Moment>,
    /// Until.
    pub until: Option<Moment>,
    /// Only of that provider.
    pub provider: Option<String>,
    /// Only of that channel.
    pub channel: Option<String>,
    /// Only through that gateway.
    pub gateway: Option<String>,
    /// By whom.
    pub actor: Option<String>,
    /// How many accounts there are to look at.
    pub accounts: u64,
    /// How many were looked at.
    pub looked: u64,
    /// How many it found that nothing else had.
    pub found: u64,
    /// When all were looked at.
    pub finished_at: Option<Moment>,
}

impl From<i::Sought> for IncidentCriterion {
    fn from(sought: i::Sought) -> Self {
        let window = sought.criterion.window();
        let kind = sought.criterion.word().to_owned();
        let (provider, channel, gateway, actor) = match sought.criterion {
            Criterion::Calls { provider, channel, gateway, .. } => {
                (provider.map(|id| id.to_string()), channel.map(|id| id.to_string()), gateway, None)
            }
            Criterion::Shown { actor, .. } => (None, None, None, Some(actor)),
            _ => (None, None, None, None),
        };
        Self {
            id: sought.id,
            kind,
            from: window.map(|window| window.from.into()),
            until: window.map(|window| window.until.into()),
            provider,
            channel,
            gateway,
            actor,
            accounts: sought.accounts,
            looked: sought.looked,
            found: sought.found,
            finished_at: sought.finished_at.map(Into::into),
        }
    }
}

/// Who was told, by number.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
pub struct IncidentCounts {
    /// All whom it concerns.
    pub all: u64,
    /// Nothing was written to them yet.
    pub waiting: u64,
    /// A message is in the outbox.
    pub written: u64,
    /// It was sent.
    pub sent: u64,
    /// It was not sent.
    pub failed: u64,
    /// They have no address.
    pub no_address: u64,
}

/// Everything about an incident.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct IncidentDetails {
    /// The incident.
    pub incident: IncidentLine,
    /// What is told in English.
    pub en: Wording,
    /// What is told in Chinese.
    pub zh: Wording,
    /// Its clocks, in the order in which they run out.
    pub clocks: Vec<IncidentClock>,
    /// Who is sought.
    pub criteria: Vec<IncidentCriterion>,
    /// Who was told.
    pub told: IncidentCounts,
    /// What has to be said before anybody is told.
    pub missing: Vec<String>,
}

impl IncidentDetails {
    pub(crate) fn of(incidents: &incidents::Incidents, facts: i::Facts, now: Timestamp) -> Self {
        let missing = incidents.missing(&facts);
        let line = IncidentLine::of(&facts.incident, &facts.clocks, now);
        let told = facts.told;
        let clock = |clock: i::Clock| IncidentClock {
            overdue: clock.is_overdue(now),
            name: clock.name,
            english: clock.english,
            chinese: clock.chinese,
            due_at: clock.due_at.into(),
            reported_at: clock.reported.as_ref().map(|reported| reported.at.into()),
            reported_by: clock.reported.as_ref().and_then(|reported| reported.by.clone()),
            reported_to: clock.reported.map(|reported| reported.to),
        };
        let counts = IncidentCounts {
            all: told.all(),
            waiting: told.waiting,
            written: told.written,
            sent: told.sent,
            failed: told.failed,
            no_address: told.no_address,
        };
        Self {
            incident: line,
            en: facts.incident.words.en.into(),
            zh: facts.incident.words.zh.into(),
            clocks: facts.clocks.into_iter().map(clock).collect(),
            criteria: facts.sought.into_iter().map(Into::into).collect(),
            told: counts,
            missing,
        }
    }
}

/// Somebody whom an incident concerns.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct IncidentSubject {
    /// Who.
    #[schema(value_type = String)]
    pub account: AccountId,
    /// How they are told.
    pub state: IncidentTold,
    /// Since when.
    pub since: Moment,
}

impl From<(AccountId, i::Told, Timestamp)> for IncidentSubject {
    fn from((account, told, since): (AccountId, i::Told, Timestamp)) -> Self {
        Self { account, state: told.into(), since: since.into() }
    }
}

/// A draft.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct DraftText {
    /// The whole of it.
    pub text: String,
}

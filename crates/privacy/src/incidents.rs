//! Incidents: what happened to data, whom it concerns, who was told and until when somebody must be (docs/incidents.md).
//!
//! Whom it concerns is said by criteria of a closed list and computed to accounts, never by SQL of somebody's own. Legal clocks
//! run side by side from the moment when it was found. Nothing is told before all four parts of it are said in both languages
//! (policy 01, 4.4); then people are told one by one, exactly once each, and whoever cannot be reached finds it announced.

mod affected;
mod drafts;
mod error;
mod model;
mod store;
mod telling;
#[cfg(test)]
mod tests;
mod working;

pub use drafts::Facts;
pub use error::IncidentError;
pub use model::{
    CRITERIA_MAX, Clock, Counts, Criterion, Draft, Event, Incident, Kind, LISTED_MAX, LegalClock, PART_MAX, Part,
    REPORTED_TO_MAX, Reported, Sought, State, Told, Window, Wording, Words,
};

use crate::{Controller, Language};
use drafts::Writer;
use model::HOUR;
use std::sync::Arc;
use tacit_identity::Identity;
use tacit_kernel::ids::{AccountId, IncidentClockId, IncidentCriterionId, IncidentId, ManagementKeyId};
use tacit_kernel::{Fault, Timestamp};
use tacit_operations::messages::{Channel, Messages, Way};
use tacit_storage::keyring::KeyStore;
use tacit_storage::{Db, Page, Paged, ReadTx, Sql, WriteTx};
use tacit_vault::SealKey;
use uuid::Uuid;

/// The label of the key that seals what is nobody's.
const SEAL: &str = "incidents";
/// Incidents on the public page.
const SHOWN: u32 = 50;

/// What the operator sets.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Times within which somebody must be told.
    pub clocks: Vec<LegalClock>,
    /// Who answers for personal data.
    pub controller: Controller,
    /// The address of the platform, without a path, if it is known.
    pub site: Option<String>,
    /// Days for which an incident is remembered after it was closed.
    pub days: u32,
}

/// A new incident.
#[derive(Clone, Debug)]
pub struct New {
    /// What happened to data.
    pub kind: Kind,
    /// When it was found.
    pub found_at: Timestamp,
    /// When it began, if that is known.
    pub began_at: Option<Timestamp>,
    /// When it was over, if it is.
    pub ended_at: Option<Timestamp>,
}

/// What is changed of what is known; `None`: as it is.
#[derive(Clone, Debug, Default)]
pub struct Change {
    /// What happened to data.
    pub kind: Option<Kind>,
    /// When it began.
    pub began_at: Option<Timestamp>,
    /// When it was over.
    pub ended_at: Option<Timestamp>,
    /// Kinds of data.
    pub categories: Option<Vec<String>>,
    /// Texts of parts.
    pub words: Vec<(Language, Part, String)>,
}

/// That somebody was told whom a clock wants to be told.
#[derive(Clone, Debug)]
pub struct NewReport {
    /// The clock's name.
    pub clock: String,
    /// Who was told, or why nobody had to be.
    pub to: String,
    /// When; now if `None`.
    pub at: Option<Timestamp>,
    /// Who says so, as the audit log names them.
    pub by: Option<String>,
}

/// Incidents. Cloning is cheap.
#[derive(Clone)]
pub struct Incidents {
    db: Db,
    keys: Arc<KeyStore>,
    clock: Arc<dyn tacit_kernel::Clock>,
    identity: Identity,
    messages: Messages,
    writer: Arc<Writer>,
    clocks: Arc<[LegalClock]>,
    site: Option<Arc<str>>,
    days: u32,
    /// Accounts that are looked at in one step.
    step: u32,
}

impl Incidents {
    /// Incidents of a platform; people are told by those messages.
    ///
    /// # Errors
    /// If a draft of the program is wrong, which a test sees to.
    pub fn new(
        (db, keys, clock): (Db, Arc<KeyStore>, Arc<dyn tacit_kernel::Clock>),
        identity: Identity,
        messages: Messages,
        setup: Setup,
    ) -> Result<Self, Fault> {
        let Setup { clocks, controller, site, days } = setup;
        let writer = Arc::new(Writer::new(controller)?);
        let site = site.map(|site| Arc::from(site.trim_end_matches('/')));
        Ok(Self {
            db,
            keys,
            clock,
            identity,
            messages,
            writer,
            clocks: clocks.into(),
            site,
            days,
            step: affected::STEP,
        })
    }

    fn key(&self) -> SealKey {
        self.keys.platform_key().derive(SEAL)
    }

    /// Opens an incident; its clocks run from when it was found.
    ///
    /// # Errors
    /// [`IncidentError::Moment`]; storage.
    pub async fn open_in_tx(&self, tx: &mut WriteTx<'_>, new: &New) -> Result<Incident, IncidentError> {
        let now = self.clock.now();
        let incident = Incident {
            id: IncidentId::fresh(),
            kind: new.kind,
            state: State::Open,
            found_at: new.found_at,
            began_at: new.began_at,
            ended_at: new.ended_at,
            categories: Vec::new(),
            words: Words::default(),
            clearing: false,
            created_at: now,
            updated_at: now,
            notified_at: None,
            published_at: None,
            closed_at: None,
        };
        if !incident.is_possible(now) {
            return Err(IncidentError::Moment);
        }
        store::insert(tx, &incident, &self.key()).await?;
        for legal in self.clocks.iter() {
            let clock = Clock {
                id: IncidentClockId::fresh(),
                name: legal.name.clone(),
                english: legal.english.clone(),
                chinese: legal.chinese.clone(),
                due_at: incident.found_at.plus_micros(i64::from(legal.hours) * HOUR),
                reported: None,
            };
            store::clock_insert(tx, incident.id, &clock).await?;
        }
        Ok(incident)
    }

    /// [`Self::open_in_tx`] in a transaction of its own.
    ///
    /// # Errors
    /// As there.
    pub async fn open(&self, new: &New) -> Result<Incident, IncidentError> {
        let open = async |tx: &mut WriteTx<'_>| self.open_in_tx(tx, new).await;
        let open = &open;
        self.db.write("incident.open", |tx| Box::pin(open(tx))).await
    }

    async fn standing(&self, tx: &mut ReadTx<'_>, id: IncidentId) -> Result<Incident, IncidentError> {
        store::by_id(tx, id, &self.key()).await?.ok_or(IncidentError::NotFound)
    }

    /// Changes what is known of an incident. Of one that people are told of nothing changes any more.
    ///
    /// # Errors
    /// [`IncidentError::NotFound`], [`IncidentError::State`], [`IncidentError::Moment`], [`IncidentError::Text`],
    /// [`IncidentError::Category`]; storage.
    pub async fn update_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        id: IncidentId,
        change: &Change,
    ) -> Result<Incident, IncidentError> {
        let mut incident = self.standing(tx, id).await?;
        if !incident.state.may_be_written() {
            return Err(IncidentError::State("people are told what is said of it, or it is closed; reopen it"));
        }
        let now = self.clock.now();
        incident.kind = change.kind.unwrap_or(incident.kind);
        incident.began_at = change.began_at.or(incident.began_at);
        incident.ended_at = change.ended_at.or(incident.ended_at);
        if !incident.is_possible(now) {
            return Err(IncidentError::Moment);
        }
        if let Some(categories) = &change.categories {
            let mut categories = categories.clone();
            categories.sort_unstable();
            categories.dedup();
            if let Some(unknown) = categories.iter().find(|category| !self.writer.is_category(category)) {
                let shown: String = unknown.chars().take(60).collect();
                return Err(IncidentError::Category(shown));
            }
            incident.categories = categories;
        }
        for (language, part, text) in &change.words {
            let wording = match language {
                Language::En => &mut incident.words.en,
                Language::Zh => &mut incident.words.zh,
            };
            wording.set(*part, text.clone());
        }
        drafts::checked(&incident.words)?;
        incident.updated_at = now;
        store::update(tx, &incident, &self.key()).await?;
        Ok(incident)
    }

    /// [`Self::update_in_tx`] in a transaction of its own.
    ///
    /// # Errors
    /// As there.
    pub async fn update(&self, id: IncidentId, change: &Change) -> Result<Incident, IncidentError> {
        let update = async |tx: &mut WriteTx<'_>| self.update_in_tx(tx, id, change).await;
        let update = &update;
        self.db.write("incident.update", |tx| Box::pin(update(tx))).await
    }

    /// Says who is concerned, beside whoever was said before. [`Self::step`] computes it; who is listed is written down at once.
    ///
    /// # Errors
    /// [`IncidentError::NotFound`], [`IncidentError::State`], [`IncidentError::Criterion`]; storage.
    pub async fn seek(&self, id: IncidentId, criterion: &Criterion) -> Result<Sought, IncidentError> {
        let now = self.clock.now();
        sensible(criterion, now)?;
        let seek = async |tx: &mut WriteTx<'_>| {
            let mut incident = self.standing(tx, id).await?;
            if incident.state == State::Closed || incident.clearing {
                return Err(IncidentError::State("it is closed, or those who were concerned are being taken out"));
            }
            if store::sought_of(tx, id).await?.len() >= CRITERIA_MAX {
                return Err(IncidentError::Criterion(format!("an incident has at most {CRITERIA_MAX} criteria")));
            }
            let mut sought = Sought {
                id: IncidentCriterionId::fresh(),
                incident: id,
                criterion: criterion.clone(),
                accounts: store::accounts(tx).await?,
                looked: 0,
                found: 0,
                finished_at: None,
                after: Uuid::nil(),
                created_at: now,
            };
            if let Criterion::Listed(accounts) = criterion {
                for account in accounts {
                    if !store::is_account(tx, *account).await? {
                        return Err(IncidentError::Criterion(format!("there is no account {account}")));
                    }
                    sought.found += u64::from(store::subject_insert(tx, id, *account, now).await?);
                }
                let listed = u64::try_from(accounts.len()).unwrap_or(u64::MAX);
                (sought.accounts, sought.looked, sought.finished_at) = (listed, listed, Some(now));
            }
            store::sought_insert(tx, &sought).await?;
            incident.updated_at = now;
            store::update(tx, &incident, &self.key()).await?;
            Ok(sought)
        };
        let seek = &seek;
        self.db.write("incident.seek", |tx| Box::pin(seek(tx))).await
    }

    /// Takes out whoever was taken to be concerned, of an incident that nobody was told of.
    ///
    /// # Errors
    /// [`IncidentError::NotFound`], [`IncidentError::State`]; storage.
    pub async fn clear(&self, id: IncidentId) -> Result<Incident, IncidentError> {
        let clear = async |tx: &mut WriteTx<'_>| {
            let mut incident = self.standing(tx, id).await?;
            if !incident.state.may_be_written() || incident.notified_at.is_some() {
                return Err(IncidentError::State("people were told of it; open another incident"));
            }
            store::sought_forget(tx, id).await?;
            (incident.clearing, incident.updated_at) = (true, self.clock.now());
            store::update(tx, &incident, &self.key()).await?;
            Ok(incident)
        };
        let clear = &clear;
        self.db.write("incident.clear", |tx| Box::pin(clear(tx))).await
    }

    /// Brings an incident further. `announces` if everybody is to read of it when people are told.
    ///
    /// # Errors
    /// [`IncidentError::NotFound`], [`IncidentError::State`]; [`IncidentError::Missing`] and [`IncidentError::NoChannel`] if
    /// people cannot be told yet; [`IncidentError::ClocksRun`], [`IncidentError::Waiting`], [`IncidentError::Unreached`] if it
    /// is not over; storage.
    pub async fn happen_in_tx(
        &self,
        tx: &mut WriteTx<'_>,
        id: IncidentId,
        (event, announces): (Event, bool),
    ) -> Result<Incident, IncidentError> {
        let Facts { mut incident, clocks, sought, told } = self.facts_in_tx(tx, id).await?;
        let now = self.clock.now();
        let before = incident.state;
        let is_sought = !incident.clearing && sought.iter().all(|one| one.finished_at.is_some());
        incident.state = before.after(event).ok_or(IncidentError::State("it has not come so far, or farther"))?;
        match event {
            Event::Assess => {}
            Event::Notify => {
                let facts = Facts { incident: incident.clone(), clocks, sought, told };
                self.must_be_whole(&facts)?;
                let closed = [Channel::Email, Channel::Sms].iter().all(|c| self.messages.way(*c) == Way::Closed);
                if closed && !announces && incident.published_at.is_none() {
                    return Err(IncidentError::NoChannel);
                }
                if before == State::Notifying {
                    store::again(tx, id, now).await?;
                }
                incident.notified_at = incident.notified_at.or(Some(now));
                if announces {
                    incident.published_at = incident.published_at.or(Some(now));
                }
            }
            Event::Close => {
                let run: Vec<String> = clocks.into_iter().filter(|c| c.reported.is_none()).map(|c| c.name).collect();
                if !run.is_empty() {
                    return Err(IncidentError::ClocksRun(run));
                }
                if before == State::Notifying && !is_sought {
                    return Err(IncidentError::State("it is being looked for whom it concerns"));
                }
                if before == State::Notifying && told.waiting + told.written > 0 {
                    return Err(IncidentError::Waiting(told.waiting + told.written));
                }
                if before == State::Notifying && told.unreached() > 0 && incident.published_at.is_none() {
                    return Err(IncidentError::Unreached(told.unreached()));
                }
                incident.closed_at = Some(now);
            }
            Event::Reopen => incident.closed_at = None,
        }
        incident.updated_at = now;
        store::update(tx, &incident, &self.key()).await?;
        Ok(incident)
    }

    /// [`Self::happen_in_tx`] in a transaction of its own.
    ///
    /// # Errors
    /// As there.
    pub async fn happen(&self, id: IncidentId, what: (Event, bool)) -> Result<Incident, IncidentError> {
        let happen = async |tx: &mut WriteTx<'_>| self.happen_in_tx(tx, id, what).await;
        let happen = &happen;
        self.db.write("incident.happen", |tx| Box::pin(happen(tx))).await
    }

    /// Lets everybody read of an incident.
    ///
    /// # Errors
    /// [`IncidentError::NotFound`], [`IncidentError::State`] before it was assessed, [`IncidentError::Missing`]; storage.
    pub async fn announce(&self, id: IncidentId) -> Result<Incident, IncidentError> {
        let announce = async |tx: &mut WriteTx<'_>| {
            let facts = self.facts_in_tx(tx, id).await?;
            if facts.incident.state == State::Open {
                return Err(IncidentError::State("it is not assessed"));
            }
            self.must_be_whole(&facts)?;
            let (mut incident, now) = (facts.incident, self.clock.now());
            incident.published_at = incident.published_at.or(Some(now));
            incident.updated_at = now;
            store::update(tx, &incident, &self.key()).await?;
            Ok(incident)
        };
        let announce = &announce;
        self.db.write("incident.announce", |tx| Box::pin(announce(tx))).await
    }

    /// What has to be said before anybody is told.
    #[must_use]
    pub fn missing(&self, facts: &Facts) -> Vec<String> {
        facts.missing(self.writer.controller())
    }

    fn must_be_whole(&self, facts: &Facts) -> Result<(), IncidentError> {
        let missing = self.missing(facts);
        if missing.is_empty() { Ok(()) } else { Err(IncidentError::Missing(missing)) }
    }

    /// Writes down that somebody was told whom a clock wants to be told.
    ///
    /// # Errors
    /// [`IncidentError::NotFound`], [`IncidentError::Clock`], [`IncidentError::Reported`], [`IncidentError::ReportedTo`];
    /// storage.
    pub async fn report(&self, id: IncidentId, new: &NewReport) -> Result<Facts, IncidentError> {
        let now = self.clock.now();
        let to = new.to.trim();
        let reported = Reported { at: new.at.unwrap_or(now), by: new.by.clone(), to: to.to_owned() };
        let report = async |tx: &mut WriteTx<'_>| {
            let facts = self.facts_in_tx(tx, id).await?;
            let clock = facts.clocks.iter().find(|clock| clock.name == new.clock).ok_or(IncidentError::Clock)?;
            let is_possible = reported.at >= facts.incident.found_at && reported.at <= now;
            if to.is_empty() || to.len() > REPORTED_TO_MAX || !is_possible {
                return Err(IncidentError::ReportedTo);
            }
            if !store::report(tx, clock, &reported, &self.key()).await? {
                return Err(IncidentError::Reported);
            }
            self.facts_in_tx(tx, id).await
        };
        let report = &report;
        self.db.write("incident.report", |tx| Box::pin(report(tx))).await
    }

    /// Everything about an incident.
    ///
    /// # Errors
    /// [`IncidentError::NotFound`]; storage.
    pub async fn facts_in_tx(&self, tx: &mut ReadTx<'_>, id: IncidentId) -> Result<Facts, IncidentError> {
        Ok(Facts {
            incident: self.standing(tx, id).await?,
            clocks: store::clocks(tx, id, &self.key()).await?,
            sought: store::sought_of(tx, id).await?,
            told: store::counts(tx, id).await?,
        })
    }

    /// [`Self::facts_in_tx`] in a transaction of its own.
    ///
    /// # Errors
    /// As there.
    pub async fn find(&self, id: IncidentId) -> Result<Facts, IncidentError> {
        self.db.read("incident.find", |tx| Box::pin(self.facts_in_tx(tx, id))).await
    }

    /// A page of all incidents with their clocks, newest first.
    ///
    /// # Errors
    /// Storage.
    pub async fn list(&self, page: Page) -> Result<Paged<(Incident, Vec<Clock>)>, IncidentError> {
        let list = async |tx: &mut ReadTx<'_>| {
            let mut listed = Vec::new();
            for incident in store::list(tx, page, &self.key()).await? {
                let clocks = store::clocks(tx, incident.id, &self.key()).await?;
                listed.push((incident, clocks));
            }
            Ok::<_, IncidentError>(listed)
        };
        let list = &list;
        let rows = self.db.read("incident.list", |tx| Box::pin(list(tx))).await?;
        Ok(page.take(rows, |(incident, _)| incident.id.0))
    }

    /// A page of whom an incident concerns, and since when they are told how far.
    ///
    /// # Errors
    /// [`IncidentError::NotFound`]; storage.
    pub async fn subjects(
        &self,
        id: IncidentId,
        page: Page,
    ) -> Result<Paged<(AccountId, Told, Timestamp)>, IncidentError> {
        let subjects = async |tx: &mut ReadTx<'_>| {
            self.standing(tx, id).await?;
            Ok::<_, IncidentError>(store::subjects(tx, id, page).await?)
        };
        let subjects = &subjects;
        let rows = self.db.read("incident.subjects", |tx| Box::pin(subjects(tx))).await?;
        Ok(page.take(rows, |(account, ..)| account.0))
    }

    /// A page of the incidents that somebody is told of, newest first.
    ///
    /// # Errors
    /// Storage.
    pub async fn of_account(&self, account: AccountId, page: Page) -> Result<Paged<Incident>, IncidentError> {
        let key = self.key();
        let rows = self.db.read("incident.own", |tx| Box::pin(store::of_account(tx, account, page, &key))).await?;
        Ok(page.take(rows, |incident: &Incident| incident.id.0))
    }

    /// A draft, whole, in a language.
    ///
    /// # Errors
    /// [`IncidentError::NotFound`], [`IncidentError::Missing`]; storage.
    pub async fn draft(&self, id: IncidentId, draft: Draft, language: Language) -> Result<String, IncidentError> {
        let facts = self.find(id).await?;
        self.writer.draft(&facts, (draft, language), self.clock.now())
    }

    /// The public page of what was announced, as HTML.
    ///
    /// # Errors
    /// Storage.
    pub async fn page(&self, language: Language) -> Result<String, IncidentError> {
        let key = self.key();
        let shown = self.db.read("incident.published", |tx| Box::pin(store::published(tx, SHOWN, &key))).await?;
        self.writer.page(&shown, language)
    }

    /// How many are not closed, and how many clocks ran out without somebody having been told.
    ///
    /// # Errors
    /// Storage.
    pub async fn counts(&self) -> Result<(u64, u64), Fault> {
        let now = self.clock.now();
        Ok(self.db.read("incident.counts", |tx| Box::pin(store::open(tx, now))).await?)
    }
}

impl std::fmt::Debug for Incidents {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "incidents with {} clocks", self.clocks.len())
    }
}

/// Whether a criterion can find whom it means.
fn sensible(criterion: &Criterion, now: Timestamp) -> Result<(), IncidentError> {
    let wrong = |text: &str| Err(IncidentError::Criterion(text.to_owned()));
    if let Some(window) = criterion.window()
        && (window.from > window.until || window.until > now)
    {
        return wrong("a window ends at the latest now, and not before it begins");
    }
    match criterion {
        Criterion::Shown { actor, .. } => {
            let operator = actor.len() <= 10 && actor.parse::<u32>().is_ok();
            if !operator && actor.parse::<AccountId>().is_err() && actor.parse::<ManagementKeyId>().is_err() {
                return wrong(
                    "whoever was shown something is an account (acct_…), a management key (mkey_…) or the number of \
                              an operator on the machine",
                );
            }
        }
        Criterion::Calls { gateway: Some(gateway), .. } if !tacit_kernel::names::is_token(gateway) => {
            return wrong("that is no name of a gateway");
        }
        Criterion::Listed(accounts) if accounts.is_empty() || accounts.len() > LISTED_MAX => {
            return wrong("name 1 to 1,000 accounts at a time");
        }
        _ => {}
    }
    Ok(())
}

/// The constant statements of this module.
pub(crate) const STATEMENTS: &[&Sql] = store::STATEMENTS;

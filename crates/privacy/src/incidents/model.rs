//! What an incident is, how far it comes, and what must be there before it comes further. Pure.

use serde::{Deserialize, Serialize};
use std::fmt;
use tacit_kernel::Timestamp;
use tacit_kernel::ids::{AccountId, ChannelId, IncidentClockId, IncidentCriterionId, IncidentId, ProviderId};

tacit_kernel::words! {
    /// What happened to data (GDPR, article 4 (12); China's PIPL, article 57).
    Kind {
        /// Somebody saw or took what they may not.
        Leak = "leak",
        /// It was changed by who may not.
        Tampering = "tampering",
        /// It is gone.
        Loss = "loss",
        /// It cannot be reached.
        Unavailable = "unavailable",
    }

    /// How far an incident has come.
    State {
        /// It is being looked into.
        Open = "open",
        /// What happened and whom it concerns is known.
        Assessed = "assessed",
        /// People are told.
        Notifying = "notifying",
        /// It is over.
        Closed = "closed",
    }

    /// What happens to an incident.
    Event {
        /// It is known what happened.
        Assess = "assess",
        /// People are to be told; of one that is being told, whoever was not reached is tried again.
        Notify = "notify",
        /// It is over.
        Close = "close",
        /// It was not over.
        Reopen = "reopen",
    }

    /// How somebody whom an incident concerns is told.
    Told {
        /// Nothing was written to them yet.
        Waiting = "waiting",
        /// A message is in the outbox.
        Written = "written",
        /// It was taken by whom it was given to.
        Sent = "sent",
        /// It was not sent.
        Failed = "failed",
        /// They have no address, or none of a channel that is open.
        NoAddress = "no_address",
    }

    /// What people are told (policy 01, 4.4).
    Part {
        /// What happened and what follows from it.
        Impact = "impact",
        /// What was and is done about it.
        Measures = "measures",
        /// What people can do themselves.
        Advice = "advice",
        /// What is offered to them.
        Remedies = "remedies",
    }

    /// What a draft is for.
    Draft {
        /// To people whom it concerns.
        Notice = "notice",
        /// To a regulator.
        Report = "report",
    }
}

/// The longest text of a part in a language, in bytes.
pub const PART_MAX: usize = 8000;
/// The longest time that people of a list are named in, and their most.
pub const LISTED_MAX: usize = 1000;
/// Criteria of an incident, at most.
pub const CRITERIA_MAX: usize = 50;
/// The longest name of somebody who was told, in bytes.
pub const REPORTED_TO_MAX: usize = 500;

impl State {
    /// The state after that; `None` if it cannot happen.
    #[must_use]
    pub const fn after(self, event: Event) -> Option<Self> {
        match (self, event) {
            (Self::Open, Event::Assess) => Some(Self::Assessed),
            (Self::Assessed | Self::Notifying, Event::Notify) => Some(Self::Notifying),
            (Self::Open | Self::Assessed | Self::Notifying, Event::Close) => Some(Self::Closed),
            (Self::Closed, Event::Reopen) => Some(Self::Open),
            _ => None,
        }
    }

    /// Whether what is said of it may be changed: what people are being told stays as they were told it.
    #[must_use]
    pub const fn may_be_written(self) -> bool {
        matches!(self, Self::Open | Self::Assessed)
    }
}

/// The four parts in one language. Not printed: they are sealed until somebody publishes them.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Wording {
    /// See [`Part::Impact`].
    pub impact: String,
    /// See [`Part::Measures`].
    pub measures: String,
    /// See [`Part::Advice`].
    pub advice: String,
    /// See [`Part::Remedies`].
    pub remedies: String,
}

impl Wording {
    /// The text of a part.
    #[must_use]
    pub fn part(&self, part: Part) -> &str {
        match part {
            Part::Impact => &self.impact,
            Part::Measures => &self.measures,
            Part::Advice => &self.advice,
            Part::Remedies => &self.remedies,
        }
    }

    /// Sets the text of a part.
    pub fn set(&mut self, part: Part, text: String) {
        match part {
            Part::Impact => self.impact = text,
            Part::Measures => self.measures = text,
            Part::Advice => self.advice = text,
            Part::Remedies => self.remedies = text,
        }
    }
}

impl fmt::Debug for Wording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[wording]")
    }
}

/// The four parts in both languages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Words {
    /// In English.
    pub en: Wording,
    /// In Chinese.
    pub zh: Wording,
}

impl Words {
    /// The wording in a language.
    #[must_use]
    pub const fn of(&self, language: crate::Language) -> &Wording {
        match language {
            crate::Language::En => &self.en,
            crate::Language::Zh => &self.zh,
        }
    }

    /// What is not said yet: `impact.en` and the like.
    #[must_use]
    pub fn missing(&self) -> Vec<String> {
        let empty = |language: crate::Language| {
            let parts = Part::ALL.iter().filter(move |part| self.of(language).part(**part).trim().is_empty());
            parts.map(move |part| format!("{}.{}", part.as_str(), language.tag()))
        };
        crate::Language::ALL.iter().copied().flat_map(empty).collect()
    }

    /// Whether every text is within its bounds.
    #[must_use]
    pub fn fits(&self) -> bool {
        let fits = |wording: &Wording| Part::ALL.iter().all(|part| wording.part(*part).len() <= PART_MAX);
        fits(&self.en) && fits(&self.zh)
    }
}

/// An incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incident {
    /// Its id.
    pub id: IncidentId,
    /// What happened to data.
    pub kind: Kind,
    /// How far it has come.
    pub state: State,
    /// When it was found; legal clocks run from here.
    pub found_at: Timestamp,
    /// When it began, if that is known.
    pub began_at: Option<Timestamp>,
    /// When it was over, if it is.
    pub ended_at: Option<Timestamp>,
    /// Kinds of data: categories of the data map.
    pub categories: Vec<String>,
    /// What is told.
    pub words: Words,
    /// Whether those who were taken to be concerned are being taken out again.
    pub clearing: bool,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// Since when people are told one by one.
    pub notified_at: Option<Timestamp>,
    /// Since when everybody can read it.
    pub published_at: Option<Timestamp>,
    /// Since when it is over.
    pub closed_at: Option<Timestamp>,
}

impl Incident {
    /// Whether the moments of it can be true.
    #[must_use]
    pub fn is_possible(&self, now: Timestamp) -> bool {
        let (began, ended) = (self.began_at.unwrap_or(self.found_at), self.ended_at.unwrap_or(now));
        self.found_at <= now && began <= now && ended <= now && began <= ended
    }
}

/// A time within which a law wants somebody to be told, as the operator sets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LegalClock {
    /// Its name, by which it is ticked off.
    pub name: String,
    /// Hours from the moment when an incident is found.
    pub hours: u32,
    /// What it is, in English.
    pub english: String,
    /// What it is, in Chinese.
    pub chinese: String,
}

impl LegalClock {
    /// Reads `name 72h English text | 中文说明`.
    ///
    /// # Errors
    /// What is wrong with it, for the operator.
    pub fn parse(text: &str) -> Result<Self, String> {
        let form = || {
            format!(
                "{text:?} is no clock: write it as \"gdpr-33 72h Supervisory authority, GDPR article 33 | 监管机构\""
            )
        };
        let (name, rest) = text.trim().split_once(' ').ok_or_else(form)?;
        let (time, texts) = rest.trim().split_once(' ').ok_or_else(form)?;
        let (english, chinese) = texts.split_once('|').ok_or_else(form)?;
        let (english, chinese) = (english.trim().to_owned(), chinese.trim().to_owned());
        let hours = match (time.strip_suffix('h'), time.strip_suffix('d')) {
            (Some(hours), _) => hours.parse().ok(),
            (_, Some(days)) => days.parse::<u32>().ok().and_then(|days| days.checked_mul(24)),
            _ => None,
        };
        let hours = hours.filter(|hours| (1..=24 * 366).contains(hours)).ok_or_else(form)?;
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if name.len() > 40 || !name.chars().all(plain) || english.is_empty() || chinese.is_empty() || text.len() > 500 {
            return Err(form());
        }
        Ok(Self { name: name.to_owned(), hours, english, chinese })
    }

    /// Reads a list of them.
    ///
    /// # Errors
    /// What is wrong with it, for the operator.
    pub fn parse_all(texts: &[String]) -> Result<Vec<Self>, String> {
        let clocks: Vec<Self> = texts.iter().map(|text| Self::parse(text)).collect::<Result<_, _>>()?;
        let mut names: Vec<&str> = clocks.iter().map(|clock| clock.name.as_str()).collect();
        names.sort_unstable();
        if let Some(twice) = names.windows(2).find(|pair| pair.first() == pair.last()).and_then(|pair| pair.first()) {
            return Err(format!("two clocks are called {twice}"));
        }
        if clocks.len() > 20 { Err("at most 20 clocks".to_owned()) } else { Ok(clocks) }
    }
}

/// A clock of an incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clock {
    /// Its id.
    pub id: IncidentClockId,
    /// Its name.
    pub name: String,
    /// What it is, in English.
    pub english: String,
    /// What it is, in Chinese.
    pub chinese: String,
    /// Until when somebody is to be told.
    pub due_at: Timestamp,
    /// That somebody was.
    pub reported: Option<Reported>,
}

impl Clock {
    /// Whether somebody should have been told by now, or was told too late.
    #[must_use]
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        self.reported.as_ref().map_or(now, |reported| reported.at) > self.due_at
    }

    /// What it is, in a language.
    #[must_use]
    pub fn text(&self, language: crate::Language) -> &str {
        match language {
            crate::Language::En => &self.english,
            crate::Language::Zh => &self.chinese,
        }
    }
}

/// That somebody was told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reported {
    /// When.
    pub at: Timestamp,
    /// Who wrote it down, as the audit log names them.
    pub by: Option<String>,
    /// Who was told, in words; or why nobody had to be.
    pub to: String,
}

/// From then until then, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// From.
    pub from: Timestamp,
    /// Until.
    pub until: Timestamp,
}

/// Who is concerned. There is no other way to say it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Criterion {
    /// Every account.
    Everyone,
    /// Whoever made a call that was under way then; of an organisation also the member whose key it was.
    Calls {
        /// When.
        window: Window,
        /// Only of that provider, calls that failed there too.
        provider: Option<ProviderId>,
        /// Only of that channel, calls that failed there too.
        channel: Option<ChannelId>,
        /// Only through that gateway.
        gateway: Option<String>,
    },
    /// Whoever was shown or changed by somebody, as the audit log has it: never they themselves.
    Shown {
        /// When.
        window: Window,
        /// By whom: an account, a management key, or an operator's number on the machine.
        actor: String,
    },
    /// Whoever was signed in then.
    SignedIn {
        /// When.
        window: Window,
    },
    /// Whoever is named.
    Listed(Vec<AccountId>),
}

impl Criterion {
    /// Its word.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Everyone => "everyone",
            Self::Calls { .. } => "calls",
            Self::Shown { .. } => "shown",
            Self::SignedIn { .. } => "signed_in",
            Self::Listed(_) => "listed",
        }
    }

    /// Its window, if it has one.
    #[must_use]
    pub const fn window(&self) -> Option<Window> {
        match self {
            Self::Calls { window, .. } | Self::Shown { window, .. } | Self::SignedIn { window } => Some(*window),
            Self::Everyone | Self::Listed(_) => None,
        }
    }
}

/// A criterion of an incident, and how far it is gone over. Who was listed is not said again: their rows are there as long as
/// they are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sought {
    /// Its id.
    pub id: IncidentCriterionId,
    /// Of which incident.
    pub incident: IncidentId,
    /// Who.
    pub criterion: Criterion,
    /// How many accounts there were when it began.
    pub accounts: u64,
    /// How many of them were looked at.
    pub looked: u64,
    /// How many it found that nothing else had.
    pub found: u64,
    /// When all were looked at.
    pub finished_at: Option<Timestamp>,
    /// Where the next step goes on.
    pub(super) after: uuid::Uuid,
    /// When it was said.
    pub(super) created_at: Timestamp,
}

/// Who was told, by number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
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

impl Counts {
    /// All of them.
    #[must_use]
    pub const fn all(&self) -> u64 {
        self.waiting + self.written + self.sent + self.failed + self.no_address
    }

    /// Whoever is not reached and will not be.
    #[must_use]
    pub const fn unreached(&self) -> u64 {
        self.failed + self.no_address
    }
}

/// An hour, in microseconds.
pub(super) const HOUR: i64 = 3_600_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_is_left_and_reached_and_none_but_by_its_events() {
        let mut steps = Vec::new();
        for state in State::ALL {
            for event in Event::ALL {
                if let Some(next) = state.after(*event) {
                    steps.push((state.as_str(), event.as_str(), next.as_str()));
                }
            }
        }
        let all = [
            ("open", "assess", "assessed"),
            ("open", "close", "closed"),
            ("assessed", "notify", "notifying"),
            ("assessed", "close", "closed"),
            ("notifying", "notify", "notifying"),
            ("notifying", "close", "closed"),
            ("closed", "reopen", "open"),
        ];
        assert_eq!(steps, all, "nobody is told of what was not assessed");
        assert!(!State::Notifying.may_be_written() && !State::Closed.may_be_written());
    }

    #[test]
    fn what_is_not_said_is_named() {
        let mut words = Words::default();
        assert_eq!(words.missing().len(), 8);
        for part in Part::ALL {
            words.en.set(*part, format!("the {}", part.as_str()));
            words.zh.set(*part, "  ".to_owned());
        }
        assert_eq!(words.missing(), ["impact.zh", "measures.zh", "advice.zh", "remedies.zh"], "blanks are nothing");
        words.zh = words.en.clone();
        assert_eq!(words.missing(), Vec::<String>::new());
        assert!(!format!("{words:?}").contains("the impact"));
        words.zh.advice = "x".repeat(PART_MAX + 1);
        assert!(!words.fits());
    }

    #[test]
    fn clocks_are_read_and_what_is_none_is_refused() {
        let clock = LegalClock::parse("gdpr-33 72h Supervisory authority | 监管机构").unwrap();
        assert_eq!(
            (clock.name.as_str(), clock.hours, clock.english.as_str()),
            ("gdpr-33", 72, "Supervisory authority")
        );
        assert_eq!(LegalClock::parse("x 3d A | B").unwrap().hours, 72);
        for wrong in
            ["", "x", "x 72", "x 72h", "x 72h only english", "x 0h A | B", "x 72m A | B", "X 1h A | B", "x 1h | B"]
        {
            assert!(LegalClock::parse(wrong).is_err(), "{wrong}");
        }
        let twice = ["a 1h A | B".to_owned(), "a 2h A | B".to_owned()];
        assert_eq!(LegalClock::parse_all(&twice).unwrap_err(), "two clocks are called a");
    }

    #[test]
    fn a_clock_is_late_until_somebody_is_told_and_stays_so_if_it_was_late() {
        let at = |hours: i64| Timestamp(hours * HOUR);
        let reported = |hours| Some(Reported { at: at(hours), by: None, to: "them".to_owned() });
        let clock = Clock {
            id: IncidentClockId::fresh(),
            name: "a".into(),
            english: "A".into(),
            chinese: "甲".into(),
            due_at: at(4),
            reported: None,
        };
        assert!(!clock.is_overdue(at(4)) && clock.is_overdue(at(5)));
        assert!(!Clock { reported: reported(3), ..clock.clone() }.is_overdue(at(9)));
        assert!(Clock { reported: reported(5), ..clock }.is_overdue(at(9)));
    }

    #[test]
    fn no_incident_is_of_the_future_or_ends_before_it_begins() {
        let at = |hours: i64| Timestamp(hours * HOUR);
        let incident = Incident {
            id: IncidentId::fresh(),
            kind: Kind::Leak,
            state: State::Open,
            found_at: at(5),
            began_at: None,
            ended_at: None,
            categories: Vec::new(),
            words: Words::default(),
            clearing: false,
            created_at: at(5),
            updated_at: at(5),
            notified_at: None,
            published_at: None,
            closed_at: None,
        };
        assert!(incident.is_possible(at(5)) && !incident.is_possible(at(4)));
        let of = |began: i64, ended: i64| Incident {
            began_at: Some(at(began)),
            ended_at: Some(at(ended)),
            ..incident.clone()
        };
        assert!(of(1, 6).is_possible(at(6)) && !of(1, 6).is_possible(at(5)) && !of(3, 2).is_possible(at(9)));
    }
}

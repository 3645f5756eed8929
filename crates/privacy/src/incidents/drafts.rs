//! What is written of an incident: the notice to people, the report to a regulator, the public page. All are made of the same
//! facts, in both languages, and none is made while something of it is not said.

use super::error::IncidentError;
use super::model::{Clock, Counts, Criterion, Draft, Incident, Part, Sought, Words};
use crate::{Controller, Language, Texts, TextsError};
use minijinja::value::{Serde, Value};
use minijinja::{Environment, UndefinedBehavior, context};
use serde::Serialize;
use tacit_kernel::{Fault, Timestamp};

macro_rules! templates {
    ($($name:literal),+) => {
        &[$(($name, include_str!(concat!("../../templates/", $name)))),+]
    };
}

const TEMPLATES: &[(&str, &str)] = templates![
    "layout.html",
    "en/incident_notice.txt",
    "en/incident_report.txt",
    "en/incidents.html",
    "zh/incident_notice.txt",
    "zh/incident_report.txt",
    "zh/incidents.html"
];

/// What drafts are made with.
pub(super) struct Writer {
    environment: Environment<'static>,
    texts: Texts,
    controller: Controller,
}

/// Everything about an incident.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The incident.
    pub incident: Incident,
    /// Its clocks, in the order in which they run out.
    pub clocks: Vec<Clock>,
    /// Who is sought, in the order in which that was said.
    pub sought: Vec<Sought>,
    /// Who was told.
    pub told: Counts,
}

impl Facts {
    /// Whether all whom it concerns are known.
    #[must_use]
    pub fn is_sought(&self) -> bool {
        !self.incident.clearing && !self.sought.is_empty() && self.sought.iter().all(|one| one.finished_at.is_some())
    }

    /// What has to be said before anybody is told.
    pub(super) fn missing(&self, controller: &Controller) -> Vec<String> {
        let mut missing = self.incident.words.missing();
        if self.incident.categories.is_empty() {
            missing.push("categories".to_owned());
        }
        if !self.is_sought() {
            missing.push("scope".to_owned());
        }
        if controller.contact.is_none() {
            missing.push("privacy.contact".to_owned());
        }
        missing
    }
}

/// A clock as a report shows it.
#[derive(Serialize)]
struct ClockLine<'i> {
    text: &'i str,
    due: String,
    reported: Option<String>,
    to: Option<&'i str>,
}

/// An incident as the page shows it.
#[derive(Serialize)]
struct Shown<'i> {
    id: String,
    kind: &'i str,
    found: String,
    began: Option<String>,
    ended: Option<String>,
    categories: Vec<String>,
    impact: &'i str,
    measures: &'i str,
    advice: &'i str,
    remedies: &'i str,
}

/// As people read it: `2026-11-26 00:41 UTC`.
fn minute(at: Timestamp) -> String {
    let text = at.to_string();
    let (date, time) = (text.get(..10).unwrap_or_default(), text.get(11..16).unwrap_or_default());
    format!("{date} {time} UTC")
}

impl Writer {
    /// With the program's templates, which are all tried.
    pub(super) fn new(controller: Controller) -> Result<Self, IncidentError> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        for (name, text) in TEMPLATES {
            environment.add_template(name, text)?;
        }
        let texts = Texts::load().map_err(|error| Fault::internal("incident.texts", error))?;
        Ok(Self { environment, texts, controller })
    }

    /// Who answers for personal data.
    pub(super) const fn controller(&self) -> &Controller {
        &self.controller
    }

    /// Whether there is such a category of data of people.
    pub(super) fn is_category(&self, category: &str) -> bool {
        category.starts_with("user.") && self.texts.of(Language::En, "category", category).is_ok()
    }

    fn said<'t>(&'t self, language: Language, kind: &str, word: &str) -> Result<&'t str, IncidentError> {
        let wrong = |error: TextsError| IncidentError::Fault(Fault::internal("incident.texts", error));
        self.texts.of(language, kind, word).map_err(wrong)
    }

    /// Kinds of data in words.
    fn categories(&self, incident: &Incident, language: Language) -> Result<Vec<String>, IncidentError> {
        let said = |category: &String| self.said(language, "category", category).map(str::to_owned);
        incident.categories.iter().map(said).collect()
    }

    /// A draft, whole.
    ///
    /// # Errors
    /// [`IncidentError::Missing`] names everything that is not said.
    pub(super) fn draft(
        &self,
        facts: &Facts,
        (draft, language): (Draft, Language),
        now: Timestamp,
    ) -> Result<String, IncidentError> {
        let Facts { incident, clocks, sought, told } = facts;
        let mut missing = facts.missing(&self.controller);
        if draft == Draft::Report && self.controller.company.is_none() {
            missing.push("privacy.company".to_owned());
        }
        if !missing.is_empty() {
            return Err(IncidentError::Missing(missing));
        }
        let words = incident.words.of(language);
        let line = |clock: &Clock| {
            let reported = clock.reported.as_ref();
            Value::from(Serde(ClockLine {
                text: clock.text(language),
                due: minute(clock.due_at),
                reported: reported.map(|reported| minute(reported.at)),
                to: reported.map(|reported| reported.to.as_str()),
            }))
        };
        let clocks: Vec<Value> = clocks.iter().map(line).collect();
        let criteria: Vec<String> = sought.iter().map(|one| described(&one.criterion, language)).collect();
        let template = self.environment.get_template(&format!("{}/incident_{}.txt", language.tag(), draft.as_str()))?;
        let controller = &self.controller;
        Ok(template.render(context! {
            id => incident.id.to_string(),
            kind => self.said(language, "incident", incident.kind.as_str())?,
            found => minute(incident.found_at),
            began => incident.began_at.map(minute),
            ended => incident.ended_at.map(minute),
            notified => incident.notified_at.map(minute),
            published => incident.published_at.map(minute),
            categories => self.categories(incident, language)?,
            impact => words.part(Part::Impact).trim(),
            measures => words.part(Part::Measures).trim(),
            advice => words.part(Part::Advice).trim(),
            remedies => words.part(Part::Remedies).trim(),
            people => told.all(),
            told => Value::from(Serde(told)),
            criteria,
            clocks,
            service => controller.service.clone(),
            company => controller.company.clone(),
            address => controller.address.clone(),
            website => controller.website.clone(),
            contact => controller.contact.clone(),
            officer => controller.officer.clone(),
            regulator => controller.regulator.clone(),
            now => minute(now),
        })?)
    }

    /// The public page of these incidents.
    pub(super) fn page(&self, incidents: &[Incident], language: Language) -> Result<String, IncidentError> {
        let mut shown = Vec::with_capacity(incidents.len());
        for incident in incidents {
            let words = incident.words.of(language);
            shown.push(Value::from(Serde(Shown {
                id: incident.id.to_string(),
                kind: self.said(language, "incident", incident.kind.as_str())?,
                found: minute(incident.found_at),
                began: incident.began_at.map(minute),
                ended: incident.ended_at.map(minute),
                categories: self.categories(incident, language)?,
                impact: words.part(Part::Impact),
                measures: words.part(Part::Measures),
                advice: words.part(Part::Advice),
                remedies: words.part(Part::Remedies),
            })));
        }
        let template = self.environment.get_template(&format!("{}/incidents.html", language.tag()))?;
        Ok(template.render(context! {
            language => language.tag(),
            controller => Value::from(Serde(&self.controller)),
            incidents => shown,
        })?)
    }
}

/// Who is sought, in words that name nobody.
fn described(criterion: &Criterion, language: Language) -> String {
    let window = criterion.window().map(|window| (minute(window.from), minute(window.until)));
    let within = match (&window, language) {
        (None, _) => String::new(),
        (Some((from, until)), Language::En) => format!(" between {from} and {until}"),
        (Some((from, until)), Language::Zh) => format!("（{from} 至 {until}）"),
    };
    let what = match (criterion, language) {
        (Criterion::Everyone, Language::En) => "every account",
        (Criterion::Everyone, Language::Zh) => "全部账户",
        (Criterion::Calls { .. }, Language::En) => "whoever made certain calls",
        (Criterion::Calls { .. }, Language::Zh) => "发起特定调用的用户",
        (Criterion::Shown { .. }, Language::En) => "whoever was shown to a certain person",
        (Criterion::Shown { .. }, Language::Zh) => "信息被特定人员查看的用户",
        (Criterion::SignedIn { .. }, Language::En) => "whoever was signed in",
        (Criterion::SignedIn { .. }, Language::Zh) => "处于登录状态的用户",
        (Criterion::Listed(_), Language::En) => "accounts that were named one by one",
        (Criterion::Listed(_), Language::Zh) => "逐一列出的账户",
    };
    format!("{what}{within}")
}

/// Whether texts fit, apart from whether they are there.
pub(super) fn checked(words: &Words) -> Result<(), IncidentError> {
    if words.fits() { Ok(()) } else { Err(IncidentError::Text) }
}

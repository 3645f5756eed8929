//! The pages that are published: privacy policy, cookies, who receives data, record of processing. All are made from the map,
//! so that what is read is what the running program does, and from the register of recipients, as it stands when they are asked for.

use crate::recipients::Recipient as Entry;
use crate::record::retention;
use crate::register::registered;
use crate::{Controller, Language, Map, Profile, Record, Registered, Texts, TextsError};
use minijinja::value::{Serde, Value};
use minijinja::{Environment, UndefinedBehavior, context};
use parking_lot::RwLock;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tacit_kernel::Timestamp;
use tacit_kernel::datamap::retention::CLASSES;
use tacit_kernel::datamap::{Copying, Correcting, Element, Place, Retention};

/// A published page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Page {
    /// The privacy policy.
    Policy,
    /// The cookies.
    Cookies,
    /// Who receives data.
    Recipients,
    /// The record of processing.
    Record,
    /// What all of this does not protect against.
    Limits,
    /// Where people ask for something about their data who cannot sign in.
    Requests,
}

impl Page {
    /// Every page.
    pub const ALL: &[Self] =
        &[Self::Policy, Self::Cookies, Self::Recipients, Self::Record, Self::Limits, Self::Requests];

    /// Those that show the register of recipients.
    const OF_REGISTER: &[Self] = &[Self::Recipients, Self::Record];

    /// Its name, as in paths.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::Cookies => "cookies",
            Self::Recipients => "recipients",
            Self::Record => "record",
            Self::Limits => "limits",
            Self::Requests => "requests",
        }
    }
}

/// A page that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// A word has no text.
    #[error(transparent)]
    Text(#[from] TextsError),
    /// A template of the program is wrong, which a test sees to.
    #[error("template: {0}")]
    Template(#[from] minijinja::Error),
}

/// What is published.
pub struct Policy {
    environment: Environment<'static>,
    told: RwLock<Told>,
    texts: Texts,
    map: Map,
    profile: Profile,
    controller: Controller,
}

/// What the pages are made of that may change while the program runs, and the pages.
struct Told {
    register: Vec<Entry>,
    /// What is old is told by the day.
    at: Timestamp,
    /// Every page in every language.
    pages: Vec<(Page, Language, Arc<str>)>,
}

impl std::fmt::Debug for Policy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("[policy]")
    }
}

/// A category of data, as the policy tells of it.
#[derive(Debug, Default, Serialize)]
struct Collected {
    purposes: BTreeSet<String>,
    kept: BTreeSet<String>,
    corrected: BTreeSet<String>,
    copied: bool,
    withheld: BTreeSet<String>,
    cites: BTreeSet<&'static str>,
}

#[derive(Serialize)]
struct Cookie {
    name: &'static str,
    purposes: BTreeSet<String>,
    kept: String,
}

#[derive(Serialize)]
struct Class {
    name: String,
    kept: String,
}

/// Who is sent something.
#[derive(Clone, Debug, Serialize)]
pub struct Recipient {
    /// What they are called.
    pub name: String,
    /// Which kinds of data.
    pub categories: BTreeSet<String>,
    /// What for.
    pub purposes: BTreeSet<String>,
}

macro_rules! templates {
    ($($name:literal),+) => {
        &[$(($name, include_str!(concat!("../templates/", $name)))),+]
    };
}

const TEMPLATES: &[(&str, &str)] = templates![
    "layout.html",
    "en/policy.html",
    "en/cookies.html",
    "en/recipients.html",
    "en/record.html",
    "en/limits.html",
    "en/requests.html",
    "zh/policy.html",
    "zh/cookies.html",
    "zh/recipients.html",
    "zh/record.html",
    "zh/limits.html",
    "zh/requests.html"
];

/// The program of [`Page::Requests`].
pub const SCRIPT: &str = include_str!("../templates/requests.js");

/// The style sheet of the pages.
pub const STYLE: &str = include_str!("../templates/style.css");

impl Policy {
    /// What is published of a map under a profile by a controller.
    ///
    /// # Errors
    /// [`PolicyError`], also where a page in some language could not be made.
    pub fn new(map: Map, profile: Profile, controller: Controller) -> Result<Self, PolicyError> {
        let mut environment = Environment::new();
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        for (name, text) in TEMPLATES {
            environment.add_template(name, text)?;
        }
        let told = Told { register: Vec::new(), at: Timestamp::default(), pages: Vec::new() };
        let policy = Self { environment, told: RwLock::new(told), texts: Texts::load()?, map, profile, controller };
        let pages = policy.made_all(Page::ALL, &[], Timestamp::default())?;
        policy.told.write().pages = pages;
        Ok(policy)
    }

    /// Makes the pages anew that show the register, if it is another one or another day than when they were made.
    ///
    /// # Errors
    /// [`PolicyError`]; then the pages stay as they are.
    pub fn tell(&self, register: &[Entry], now: Timestamp) -> Result<(), PolicyError> {
        let day = now.day_start();
        {
            let told = self.told.read();
            if told.at == day && told.register == register {
                return Ok(());
            }
        }
        let made = self.made_all(Page::OF_REGISTER, register, now)?;
        let mut told = self.told.write();
        told.pages.retain(|(page, ..)| !Page::OF_REGISTER.contains(page));
        told.pages.extend(made);
        (told.register, told.at) = (register.to_vec(), day);
        Ok(())
    }

    fn made_all(
        &self,
        pages: &[Page],
        register: &[Entry],
        now: Timestamp,
    ) -> Result<Vec<(Page, Language, Arc<str>)>, PolicyError> {
        let mut made = Vec::new();
        for language in Language::ALL {
            let register = registered((&self.map, &self.texts, *language), register, now)?;
            for page in pages {
                made.push((*page, *language, self.made(*page, *language, &register)?.into()));
            }
        }
        Ok(made)
    }

    /// The profile.
    #[must_use]
    pub const fn profile(&self) -> &Profile {
        &self.profile
    }

    pub(crate) const fn texts(&self) -> &Texts {
        &self.texts
    }

    pub(crate) const fn map(&self) -> &Map {
        &self.map
    }

    pub(crate) const fn controller(&self) -> &Controller {
        &self.controller
    }

    /// The record of processing.
    ///
    /// # Errors
    /// [`PolicyError::Text`].
    pub fn record(&self, language: Language) -> Result<Record, PolicyError> {
        let record = Record::of(&self.map, &self.texts, &self.controller, language)?;
        let told = self.told.read();
        let recipients = registered((&self.map, &self.texts, language), &told.register, told.at)?;
        Ok(Record { recipients, ..record })
    }

    /// A page, as HTML.
    #[must_use]
    pub fn page(&self, page: Page, language: Language) -> Arc<str> {
        let told = self.told.read();
        let found = told.pages.iter().find(|(of, tongue, _)| (*of, *tongue) == (page, language));
        found.map_or_else(|| Arc::from(""), |(_, _, html)| Arc::clone(html))
    }

    fn made(&self, page: Page, language: Language, register: &[Registered]) -> Result<String, PolicyError> {
        let template = self.environment.get_template(&format!("{}/{}.html", language.tag(), page.name()))?;
        Ok(template.render(context! {
            language => language.tag(),
            page => page.name(),
            controller => Value::from(Serde(&self.controller)),
            bodies => self.profile.bodies.as_str(),
            days_to_answer => self.profile.days_to_answer,
            collected => Value::from(Serde(self.collected(language)?)),
            cookies => Value::from(Serde(self.cookies(language)?)),
            recipients => Value::from(Serde(self.recipients(language)?)),
            registered => Value::from(Serde(register)),
            classes => Value::from(Serde(self.classes(language)?)),
            record => Value::from(Serde(self.record(language)?.processing)),
        })?)
    }

    fn said(&self, language: Language, kind: &str, word: &str) -> Result<String, TextsError> {
        self.texts.of(language, kind, word).map(str::to_owned)
    }

    fn purposes(&self, language: Language, element: &Element) -> Result<BTreeSet<String>, TextsError> {
        element.purposes.iter().map(|purpose| self.said(language, "purpose", purpose.as_str())).collect()
    }

    fn collected(&self, language: Language) -> Result<BTreeMap<String, Collected>, TextsError> {
        let mut categories: BTreeMap<String, Collected> = BTreeMap::new();
        for element in self.map.of_persons() {
            let told = categories.entry(self.said(language, "category", element.category)?).or_default();
            told.purposes.extend(self.purposes(language, element)?);
            told.kept.insert(retention(&self.texts, language, element.retention)?);
            told.cites.extend(element.cites);
            if matches!(element.place, Place::Egress { .. } | Place::MessageField { .. }) {
                continue;
            }
            match element.copying {
                Copying::Given => told.copied = true,
                Copying::Withheld(why) => {
                    told.withheld.insert(self.said(language, "withheld", why.as_str())?);
                }
            }
            if element.correcting != Correcting::Derived {
                told.corrected.insert(self.said(language, "correcting", element.correcting.as_str())?);
            }
        }
        Ok(categories)
    }

    fn cookies(&self, language: Language) -> Result<Vec<Cookie>, TextsError> {
        let cookie = |element: &Element| {
            let Place::Cookie { name } = element.place else { return Ok(None) };
            let kept = retention(&self.texts, language, element.retention)?;
            Ok(Some(Cookie { name, purposes: self.purposes(language, element)?, kept }))
        };
        self.map.cookies().filter_map(|element| cookie(element).transpose()).collect()
    }

    pub(crate) fn recipients(&self, language: Language) -> Result<Vec<Recipient>, PolicyError> {
        let recipient = |name: &str| {
            let (mut categories, mut purposes) = (BTreeSet::new(), BTreeSet::new());
            for element in self.map.sent_to(name) {
                categories.insert(self.said(language, "category", element.category)?);
                purposes.extend(self.purposes(language, element)?);
            }
            Ok(Recipient { name: self.said(language, "recipient", name)?, categories, purposes })
        };
        self.map.recipients().into_iter().map(recipient).collect()
    }

    fn classes(&self, language: Language) -> Result<Vec<Class>, TextsError> {
        let class = |class: &tacit_kernel::datamap::RetentionClass| {
            let kept = retention(&self.texts, language, Retention::Class(*class))?;
            Ok(Class { name: self.said(language, "class", class.name)?, kept })
        };
        CLASSES.iter().map(class).collect()
    }
}

//! The record of processing (GDPR, article 30; China's PIPL, articles 55 and 56): for every purpose what is processed, of
//! whom, on what basis, how long, who receives it, and how it is protected.

use crate::{Language, Map, Registered, Texts, TextsError};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use tacit_kernel::datamap::{Place, Protection, Purpose, Retention};

/// Who answers for the platform, as the operator says. What is not said is left out.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Controller {
    /// What the service calls itself.
    pub service: String,
    /// The company behind it.
    pub company: Option<String>,
    /// Where it is.
    pub address: Option<String>,
    /// The site of the service.
    pub website: Option<String>,
    /// Where people write to.
    pub contact: Option<String>,
    /// Who looks after personal data.
    pub officer: Option<String>,
    /// The regulator that people may complain to, with its address.
    pub regulator: Option<String>,
}

/// What is done for one purpose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Processing {
    /// The purpose, a data use of fideslang.
    pub purpose: Purpose,
    /// In words.
    pub purpose_text: String,
    /// What allows it.
    pub basis: String,
    /// Of whom.
    pub subjects: String,
    /// What, with how long it is kept: `name` of category to words on retention.
    pub categories: BTreeMap<String, BTreeSet<String>>,
    /// Who receives it.
    pub recipients: BTreeSet<String>,
    /// How it is protected.
    pub protection: BTreeSet<String>,
    /// The clauses of the published policies that it rests on.
    pub cites: BTreeSet<&'static str>,
}

/// The record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Record {
    /// Who answers for it.
    pub controller: Controller,
    /// For every purpose.
    pub processing: Vec<Processing>,
    /// Who receives data, as they are registered.
    pub recipients: Vec<Registered>,
}

impl Record {
    /// The record of a map.
    ///
    /// # Errors
    /// [`TextsError::Missing`] for a word of the map without a text, which a test sees to.
    pub fn of(map: &Map, texts: &Texts, controller: &Controller, language: Language) -> Result<Self, TextsError> {
        let said = |kind: &str, word: &str| texts.of(language, kind, word).map(str::to_owned);
        let mut processing = Vec::new();
        for purpose in Purpose::ALL {
            let mut of_purpose = Processing {
                purpose: *purpose,
                purpose_text: said("purpose", purpose.as_str())?,
                basis: said("basis", purpose.basis().as_str())?,
                subjects: said("word", "customers")?,
                categories: BTreeMap::new(),
                recipients: BTreeSet::new(),
                protection: BTreeSet::new(),
                cites: BTreeSet::new(),
            };
            for element in map.of_persons().filter(|element| element.purposes.contains(purpose)) {
                let kept = of_purpose.categories.entry(said("category", element.category)?).or_default();
                kept.insert(retention(texts, language, element.retention)?);
                if let Place::Egress { recipient, .. } = element.place {
                    of_purpose.recipients.insert(said("recipient", recipient)?);
                } else {
                    of_purpose.protection.insert(said("protection", protection(element.protection))?);
                }
                of_purpose.cites.extend(element.cites);
            }
            if !of_purpose.categories.is_empty() {
                processing.push(of_purpose);
            }
        }
        Ok(Self { controller: controller.clone(), processing, recipients: Vec::new() })
    }
}

/// How long something is kept, in words.
pub(crate) fn retention(texts: &Texts, language: Language, retention: Retention) -> Result<String, TextsError> {
    let said = |word: &str| texts.of(language, "retention", word).map(str::to_owned);
    match retention {
        Retention::Configuration => said("configuration"),
        Retention::Account => said("account"),
        Retention::OpenCall => said("open_call"),
        Retention::Class(class) => {
            let days = match class.min {
                0 if class.max == 1 => said("one_day")?,
                0 => said("at_most")?,
                least if least == class.max => said("exactly")?,
                _ => said("between")?,
            };
            let days = days.replace("{min}", &class.min.to_string()).replace("{max}", &class.max.to_string());
            let law = class.law.map(|law| match language {
                Language::En => format!(" ({})", law.english),
                Language::Zh => format!("（{}）", law.chinese),
            });
            Ok(days + &law.unwrap_or_default())
        }
    }
}

const fn protection(protection: Protection) -> &'static str {
    match protection {
        Protection::Plain => "plain",
        Protection::SealedSubject => "sealed_subject",
        Protection::SealedPlatform => "sealed_platform",
        Protection::KeyedHash => "keyed_hash",
    }
}

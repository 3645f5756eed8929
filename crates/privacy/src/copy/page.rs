//! The page of a copy that people read.

use super::held::{self, HeldSet, NotGiven};
use super::{Written, shown};
use crate::{Language, Policy, PolicyError, STYLE};
use minijinja::value::{Serde, Value};
use minijinja::{Environment, UndefinedBehavior, context};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use tacit_kernel::Timestamp;

/// A set, as the page shows it.
#[derive(Serialize)]
struct Shown {
    #[serde(flatten)]
    set: HeldSet,
    categories: BTreeSet<String>,
    purposes: BTreeMap<String, String>,
    kept: BTreeSet<String>,
    lines: Vec<Vec<String>>,
}

const TEMPLATES: [(&str, &str); 2] = [
    ("en/copy.html", include_str!("../../templates/en/copy.html")),
    ("zh/copy.html", include_str!("../../templates/zh/copy.html")),
];

pub(super) fn made(
    policy: &Policy,
    language: Language,
    now: Timestamp,
    (written, withheld): (&[Written], &[NotGiven]),
) -> Result<String, PolicyError> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    for (name, text) in TEMPLATES {
        environment.add_template(name, text)?;
    }
    let shown = |written: &Written| {
        let set = held::set(policy, language, &written.given, written.rows)?;
        let columns = &set.columns;
        Ok::<_, PolicyError>(Shown {
            categories: columns.iter().map(|column| column.category.clone()).collect(),
            purposes: columns.iter().flat_map(|column| column.purposes.clone()).collect(),
            kept: columns.iter().map(|column| column.kept.clone()).collect(),
            lines: written.first.iter().map(|row| row.iter().map(shown::cell).collect()).collect(),
            set,
        })
    };
    let sets: Result<Vec<Shown>, PolicyError> = written.iter().filter(|set| set.rows > 0).map(shown).collect();
    let template = environment.get_template(&format!("{}/copy.html", language.tag()))?;
    Ok(template.render(context! {
        language => language.tag(),
        style => STYLE,
        at => now.to_string(),
        controller => Value::from(Serde(policy.controller())),
        sets => Value::from(Serde(sets?)),
        withheld => Value::from(Serde(withheld)),
        recipients => Value::from(Serde(policy.recipients(language)?)),
    })?)
}

//! The register of recipients as it is published: only those that data goes to, each with what is taken to be so of it.

use crate::recipients::{Assumed, Kind, Recipient, country_name};
use crate::{Language, Map, Texts, TextsError};
use serde::Serialize;
use std::collections::BTreeSet;
use tacit_kernel::Timestamp;

/// A recipient, in the words of a language.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Registered {
    /// What it is called.
    pub name: String,
    /// What it does.
    pub kind: String,
    /// For whom it decides.
    pub role: String,
    /// Where it is: the code.
    pub country: String,
    /// Where it is, in words.
    pub country_name: String,
    /// What for.
    pub purposes: BTreeSet<String>,
    /// Which kinds of data are sent to whoever does that, as the map says.
    pub sent: BTreeSet<String>,
    /// How long it keeps them.
    pub keeps: String,
    /// Whether it trains models with them.
    pub trains: String,
    /// Since when there is a contract, a date.
    pub contract: Option<String>,
    /// When somebody looked last, a date.
    pub checked: Option<String>,
    /// Where it says what it says.
    pub evidence: Option<String>,
    /// Where people write to.
    pub contact: Option<String>,
}

/// Those that data goes to.
pub(crate) fn registered(
    (map, texts, language): (&Map, &Texts, Language),
    recipients: &[Recipient],
    now: Timestamp,
) -> Result<Vec<Registered>, TextsError> {
    let said = |kind: &str, word: &str| texts.of(language, kind, word).map(str::to_owned);
    let one = |recipient: &Recipient| {
        let (spec, assumed) = (&recipient.spec, recipient.spec.assumed(now));
        Ok(Registered {
            name: recipient.name.clone(),
            kind: said("recipient_kind", spec.kind.as_str())?,
            role: said("recipient_role", spec.role.as_str())?,
            country: spec.country.clone(),
            country_name: country_name(&spec.country, language).to_owned(),
            purposes: spec.purposes.iter().map(|p| said("purpose", p.as_str())).collect::<Result<_, _>>()?,
            sent: sent(map, spec.kind).map(|category| said("category", category)).collect::<Result<_, _>>()?,
            keeps: keeps(assumed, &said)?,
            trains: said("recipient_fact", trains(recipient, assumed))?,
            contract: spec.contract_at.map(date),
            checked: spec.checked_at.map(date),
            evidence: spec.evidence_url.clone(),
            contact: spec.contact.clone(),
        })
    };
    recipients.iter().filter(|recipient| recipient.spec.enabled).map(one).collect()
}

/// The kinds of data that the map sends to whoever does that.
fn sent(map: &Map, kind: Kind) -> impl Iterator<Item = &'static str> {
    let names = map.recipients().into_iter().filter(move |name| Kind::of_egress(name) == Some(kind));
    names.flat_map(|name| map.sent_to(name).map(|element| element.category))
}

fn keeps(assumed: Assumed, said: &impl Fn(&str, &str) -> Result<String, TextsError>) -> Result<String, TextsError> {
    match assumed.retention_days {
        None => said("recipient_fact", "keeps_unknown"),
        Some(0) => said("recipient_fact", "keeps_nothing"),
        Some(days) => Ok(said("recipient_fact", "keeps_days")?.replace("{days}", &days.to_string())),
    }
}

const fn trains(recipient: &Recipient, assumed: Assumed) -> &'static str {
    match (assumed.trains, recipient.spec.trains) {
        (false, _) => "trains_no",
        (true, crate::recipients::Trains::Yes) => "trains_yes",
        (true, _) => "trains_unknown",
    }
}

/// The day of a moment.
pub(crate) fn date(at: Timestamp) -> String {
    at.to_string().chars().take(10).collect()
}

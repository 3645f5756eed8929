//! What is held about somebody, told without the data itself: sets of rows with what they are for, on what they rest and for
//! how long they stay, and what a copy does not hold, with the reason.

use super::{Copies, CopyError, PIECES, shown};
use crate::record::retention;
use crate::{Language, Policy, PolicyError, Recipient};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use tacit_kernel::datamap::{Copying, Element, OnErasure, Place, Withheld};
use tacit_kernel::ids::AccountId;
use tacit_storage::ReadTx;
use tacit_storage::datamap::OWNERS;
use tacit_storage::datamap::copying::{Given, given};
use tacit_storage::datamap::erasing::is_of_rows;

/// What is held about somebody.
#[derive(Clone, Debug, Serialize)]
pub struct Held {
    /// Sets of rows, those without any too.
    pub sets: Vec<HeldSet>,
    /// What a copy does not hold.
    pub withheld: Vec<NotGiven>,
    /// Who may be sent some of it.
    pub recipients: Vec<Recipient>,
}

/// A set of rows.
#[derive(Clone, Debug, Serialize)]
pub struct HeldSet {
    /// The name of its files in a copy.
    pub name: &'static str,
    /// What it is called.
    pub title: String,
    /// How many rows there are now.
    pub rows: u64,
    /// What a row tells.
    pub columns: Vec<HeldColumn>,
}

/// What a row tells.
#[derive(Clone, Debug, Serialize)]
pub struct HeldColumn {
    /// Its name in a copy.
    pub name: &'static str,
    /// What kind of data it is.
    pub category: String,
    /// What for, each with what it rests on.
    pub purposes: BTreeMap<String, String>,
    /// For how long.
    pub kept: String,
    /// How it is corrected.
    pub corrected: String,
}

/// What a copy does not hold.
#[derive(Clone, Debug, Serialize)]
pub struct NotGiven {
    /// Why.
    pub reason: String,
    /// What kinds of data.
    pub categories: BTreeSet<String>,
    /// Which columns.
    pub columns: Vec<String>,
}

impl Copies {
    /// What is held about that account now.
    ///
    /// # Errors
    /// Storage.
    pub async fn held(&self, account: AccountId, language: Language) -> Result<Held, CopyError> {
        // Papers are told of by their rows, and are files and no rows themselves.
        let given: Vec<Given> = given()?.into_iter().filter(|given| given.table != PIECES).collect();
        let count = async |tx: &mut ReadTx<'_>| {
            let mut counts = Vec::new();
            for given in &given {
                counts.push(given.count(tx, account).await?);
            }
            Ok::<_, CopyError>(counts)
        };
        let count = &count;
        let counts = self.db.read("privacy.held", |tx| Box::pin(count(tx))).await?;
        let set = |(given, rows): (&Given, u64)| set(&self.policy, language, given, rows);
        let sets: Result<_, PolicyError> = given.iter().zip(counts).map(set).collect();
        let withheld = withheld(&self.policy, language)?;
        let recipients = self.policy.recipients(language)?;
        Ok(Held { sets: sets?, withheld, recipients })
    }
}

/// A set in the words of a language.
pub(super) fn set(policy: &Policy, language: Language, given: &Given, rows: u64) -> Result<HeldSet, PolicyError> {
    let column = |element: &&Element| {
        let said = |kind: &str, word: &str| policy.texts().of(language, kind, word).map(str::to_owned);
        let purpose = |purpose: &tacit_kernel::datamap::Purpose| {
            Ok((said("purpose", purpose.as_str())?, said("basis", purpose.basis().as_str())?))
        };
        Ok::<_, PolicyError>(HeldColumn {
            name: shown::name(element),
            category: said("category", element.category)?,
            purposes: element.purposes.iter().map(purpose).collect::<Result<_, PolicyError>>()?,
            kept: retention(policy.texts(), language, element.retention)?,
            corrected: said("correcting", element.correcting.as_str())?,
        })
    };
    Ok(HeldSet {
        name: given.table,
        title: policy.texts().of(language, "set", given.table)?.to_owned(),
        rows,
        columns: given.columns.iter().map(column).collect::<Result<_, PolicyError>>()?,
    })
}

/// What a copy does not hold, by the reasons.
pub(super) fn withheld(policy: &Policy, language: Language) -> Result<Vec<NotGiven>, CopyError> {
    let mut reasons: BTreeMap<&str, NotGiven> = BTreeMap::new();
    for element in policy.map().of_persons() {
        let (Place::Column { table, .. }, Copying::Withheld(why)) = (element.place, element.copying) else { continue };
        let said = |kind: &str, word: &str| {
            policy.texts().of(language, kind, word).map(str::to_owned).map_err(PolicyError::from)
        };
        let reason = said("withheld", why.as_str())?;
        let empty = || NotGiven { reason, categories: BTreeSet::new(), columns: Vec::new() };
        let told = reasons.entry(why.as_str()).or_insert_with(empty);
        told.categories.insert(said("category", element.category)?);
        told.columns.push(format!("{table}.{}", shown::name(element)));
    }
    // Rows that lead to somebody by another way than those that are given are those of others: of who owns them.
    let given = given()?;
    let others = OWNERS.iter().filter(|way| {
        let rows = is_of_rows(way) || matches!(way.on_erasure, OnErasure::LeadsNowhere(_));
        rows && !given.iter().any(|given| given.is_by(way)) && given.iter().any(|given| given.table == way.table())
    });
    let reason =
        policy.texts().of(language, "withheld", Withheld::OfOthers.as_str()).map_err(PolicyError::from)?.to_owned();
    let empty = || NotGiven { reason, categories: BTreeSet::new(), columns: Vec::new() };
    let told = reasons.entry(Withheld::OfOthers.as_str()).or_insert_with(empty);
    told.columns
        .extend(others.filter_map(|way| way.path.split_once(" ->")).map(|(first, _)| format!("rows by {first}")));
    Ok(reasons.into_values().collect())
}

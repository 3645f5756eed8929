//! The types of the data map: one declaration for every place where data can rest or leave, from which checks,
//! sealing, export, erasure and the published policy are derived.
//!
//! The declarations themselves stand beside what they describe: columns beside the migrations (`storage`), log fields
//! and metric labels beside the code that writes them.

mod purpose;
pub mod retention;
mod rights;

pub use purpose::{Basis, Purpose};
pub use retention::{Law, RetentionClass, Since, Then};
pub use rights::{Copying, Correcting, OnErasure, Withheld};

use serde::Serialize;

/// Where an element lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(tag = "place", rename_all = "snake_case")]
pub enum Place {
    /// A column of the database.
    Column {
        /// Table.
        table: &'static str,
        /// Column.
        column: &'static str,
    },
    /// A field of a structured log line.
    LogField {
        /// Its name.
        field: &'static str,
    },
    /// A label of a metric.
    MetricLabel {
        /// The metric.
        metric: &'static str,
        /// The label.
        label: &'static str,
    },
    /// A cookie.
    Cookie {
        /// Its name, without the prefix that a secure site gives it.
        name: &'static str,
    },
    /// A key of a browser's storage.
    BrowserStorage {
        /// Its name.
        key: &'static str,
    },
    /// A variable of a template of messages.
    MessageField {
        /// Its name.
        field: &'static str,
    },
    /// A header or field sent to a recipient.
    Egress {
        /// The recipient.
        recipient: &'static str,
        /// The header or field.
        field: &'static str,
    },
}

/// How an element is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Protection {
    /// As it is.
    Plain,
    /// Encrypted with the subject's own key, bound to table, column and row.
    SealedSubject,
    /// Encrypted with the platform's key, bound to table, column and row.
    SealedPlatform,
    /// A keyed hash, for look-ups.
    KeyedHash,
}

/// Whose an element is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// Nobody's, with the reason.
    Nobody(&'static str),
    /// An account's, with the path of columns that leads to it.
    Account(&'static str),
}

/// How long an element is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Retention {
    /// As long as what it configures exists.
    Configuration,
    /// As long as the account exists.
    Account,
    /// While the call is open; gone when it is settled.
    OpenCall,
    /// As the class says.
    Class(RetentionClass),
}

/// One element of the data map.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Element {
    /// Where it lives.
    pub place: Place,
    /// Category: a key of fideslang, or a local extension of it.
    pub category: &'static str,
    /// Whose it is.
    pub subject: Subject,
    /// What for; empty only where the subject is nobody.
    pub purposes: &'static [Purpose],
    /// How it is kept.
    pub protection: Protection,
    /// How long.
    pub retention: Retention,
    /// What a copy of somebody's data does with it; nothing that is nobody's is in one.
    pub copying: Copying,
    /// How it is corrected.
    pub correcting: Correcting,
    /// The policy clauses it rests on, such as `YY-2.2`.
    pub cites: &'static [&'static str],
}

impl Element {
    /// A label of a metric. Its values are words of a closed set or names that the operator chose, which `why` tells.
    #[must_use]
    pub const fn metric_label(metric: &'static str, label: &'static str, why: &'static str) -> Self {
        Self {
            place: Place::MetricLabel { metric, label },
            category: "system.operations",
            subject: Subject::Nobody(why),
            purposes: &[],
            protection: Protection::Plain,
            retention: Retention::Configuration,
            copying: Copying::Withheld(Withheld::SaysNothing),
            correcting: Correcting::Derived,
            cites: &[],
        }
    }
}

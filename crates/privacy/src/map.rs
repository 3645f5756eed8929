//! The whole data map, and what is asked of it.

use serde::Serialize;
use std::collections::BTreeSet;
use tacit_kernel::datamap::{Element, OnErasure, Place, Subject};
use tacit_storage::datamap::OWNERS;

/// Every element of the program.
#[derive(Clone, Debug)]
pub struct Map {
    elements: Vec<Element>,
}

/// What erasing somebody does with the row of a column, by one of the ways that lead from it to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Erasing {
    /// The way.
    pub path: &'static str,
    /// What is done.
    pub on_erasure: OnErasure,
}

/// An element with its name, and for columns what erasing does with their rows.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// Its name, as [`Map::name`] gives it.
    pub name: String,
    /// The element.
    #[serde(flatten)]
    pub element: Element,
    /// What erasing somebody does with it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub erasing: Vec<Erasing>,
}

impl Map {
    /// The map of these parts, in the order of their names.
    pub fn new(parts: impl IntoIterator<Item = Element>) -> Self {
        let mut elements: Vec<Element> = parts.into_iter().collect();
        elements.sort_by_key(|element| element.place);
        Self { elements }
    }

    /// Every element.
    #[must_use]
    pub fn elements(&self) -> &[Element] {
        &self.elements
    }

    /// Every element that is somebody's.
    pub fn of_persons(&self) -> impl Iterator<Item = &Element> {
        self.elements.iter().filter(|element| matches!(element.subject, Subject::Account(_)))
    }

    /// Whoever is sent something, by name.
    #[must_use]
    pub fn recipients(&self) -> BTreeSet<&'static str> {
        let recipient = |element: &Element| match element.place {
            Place::Egress { recipient, .. } => Some(recipient),
            _ => None,
        };
        self.elements.iter().filter_map(recipient).collect()
    }

    /// What a recipient is sent.
    pub fn sent_to<'a>(&'a self, to: &'a str) -> impl Iterator<Item = &'a Element> {
        self.elements.iter().filter(move |e| matches!(e.place, Place::Egress { recipient, .. } if recipient == to))
    }

    /// The cookies.
    pub fn cookies(&self) -> impl Iterator<Item = &Element> {
        self.elements.iter().filter(|element| matches!(element.place, Place::Cookie { .. }))
    }

    /// What an element is called: `calls.ip_sealed`, `log:call.id`, `egress:mail server.To`.
    #[must_use]
    pub fn name(element: &Element) -> String {
        match element.place {
            Place::Column { table, column } => format!("{table}.{column}"),
            Place::LogField { field } => format!("log:{field}"),
            Place::MetricLabel { metric, label } => format!("metric:{metric}.{label}"),
            Place::Cookie { name } => format!("cookie:{name}"),
            Place::BrowserStorage { key } => format!("storage:{key}"),
            Place::MessageField { field } => format!("message:{field}"),
            Place::Egress { recipient, field } => format!("egress:{recipient}.{field}"),
        }
    }

    /// Every element as it is printed.
    #[must_use]
    pub fn rows(&self) -> Vec<Row> {
        let row = |element: &Element| Row { name: Self::name(element), element: *element, erasing: erasing(element) };
        self.elements.iter().map(row).collect()
    }
}

/// What erasing somebody does with the rows of a column's table.
fn erasing(element: &Element) -> Vec<Erasing> {
    let Place::Column { table, .. } = element.place else { return Vec::new() };
    let of_table = OWNERS.iter().filter(|owner| owner.table() == table);
    of_table.map(|owner| Erasing { path: owner.path, on_erasure: owner.on_erasure }).collect()
}

//! The data map as a dataset of fideslang 3, the vocabulary of the Fides project, for programs that read it.

use crate::Map;
use serde::Serialize;
use std::collections::BTreeMap;
use tacit_kernel::datamap::{Place, Retention};

#[derive(Serialize)]
struct Document {
    dataset: Vec<Dataset>,
}

#[derive(Serialize)]
struct Dataset {
    fides_key: &'static str,
    name: &'static str,
    description: &'static str,
    collections: Vec<Collection>,
}

#[derive(Serialize)]
struct Collection {
    name: &'static str,
    fields: Vec<Field>,
}

#[derive(Serialize)]
struct Field {
    name: &'static str,
    data_categories: [&'static str; 1],
    #[serde(skip_serializing_if = "Option::is_none")]
    retention: Option<String>,
}

/// The columns of the databases as a dataset, in YAML.
///
/// # Errors
/// None that a map can bring about.
pub fn dataset(map: &Map) -> Result<String, serde_saphyr::ser_error::Error> {
    let mut tables: BTreeMap<&str, Vec<Field>> = BTreeMap::new();
    for element in map.elements() {
        let Place::Column { table, column } = element.place else { continue };
        let retention = match element.retention {
            Retention::Class(class) => Some(format!("{} days", class.max)),
            Retention::Account => Some("as long as the account".to_owned()),
            Retention::OpenCall => Some("while the call is open".to_owned()),
            Retention::Configuration => None,
        };
        let field = Field { name: column, data_categories: [element.category], retention };
        tables.entry(table).or_default().push(field);
    }
    let collections = tables.into_iter().map(|(name, fields)| Collection { name, fields }).collect();
    let dataset = Dataset {
        fides_key: "tacit",
        name: "Tacit",
        description: "Every column of the databases of a Tacit platform.",
        collections,
    };
    serde_saphyr::to_string(&Document { dataset: vec![dataset] })
}

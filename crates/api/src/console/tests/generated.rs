//! The generated documents are what is committed: `cargo xtask generate` writes them.

use crate::console::{document, permissions_page, routes};
use std::collections::{BTreeSet, HashMap};

fn committed(name: &str) -> String {
    let path = format!("{}/../../docs/reference/{name}", env!("CARGO_MANIFEST_DIR"));
    std::fs::read_to_string(&path).unwrap_or_default()
}

#[test]
fn the_document_is_current() {
    let text = crate::console::document_text();
    assert_eq!(committed("openapi.json"), text, "docs/reference/openapi.json: run `cargo xtask generate`");
    let document = serde_json::to_value(document()).unwrap();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1."));
}

#[test]
fn the_page_of_permissions_is_current() {
    let page = permissions_page(&routes().table());
    assert_eq!(committed("permissions.md"), page, "docs/reference/permissions.md: run `cargo xtask generate`");
}

/// Two types of one name would overwrite each other in the document without a word.
#[test]
fn a_schema_has_its_name_for_itself() {
    let routes = routes();
    let (mut known, mut twice) = (HashMap::new(), BTreeSet::new());
    for (name, schema) in routes.schemas() {
        let before = known.entry(name.to_owned()).or_insert_with(|| schema.clone());
        if *before != schema {
            twice.insert(name);
        }
    }
    assert!(twice.is_empty(), "two schemas of one name: give one another with #[schema(as = …)]: {twice:?}");
    assert!(known.len() > 100, "{}", known.len());
}

/// `docs/api.md` promises it.
#[test]
fn what_is_shown_with_its_version_is_changed_by_its_version() {
    let document = serde_json::to_value(document()).unwrap();
    let mut held = 0;
    for (path, routes) in document["paths"].as_object().unwrap() {
        if routes["get"]["responses"]["200"]["headers"]["etag"].is_null() {
            continue;
        }
        for method in ["patch", "put", "delete"] {
            let Some(route) = routes.get(method) else { continue };
            let takes = |name: &str| route["parameters"].as_array().unwrap().iter().any(|p| p["name"] == name);
            assert!(takes("if-match") && route["responses"].get("412").is_some(), "{method} {path}");
            held += 1;
        }
    }
    assert!(held > 20, "{held}");
}

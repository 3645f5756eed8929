//! The list of models in each dialect's shape.

use bytes::Bytes;
use serde::Serialize;
use tacit_kernel::{Dialect, Timestamp};

/// A model as it is shown.
#[derive(Clone, Copy, Debug)]
pub struct Listed<'a> {
    /// Its registered name, which callers use as `model`.
    pub name: &'a str,
    /// Who made it.
    pub owned_by: &'a str,
    /// Since when it can be called.
    pub created: Timestamp,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Item<'a> {
    OpenAi { id: &'a str, object: &'static str, created: i64, owned_by: &'a str },
    Anthropic { r#type: &'static str, id: &'a str, display_name: &'a str, created_at: String },
}

fn item<'a>(dialect: Dialect, model: &Listed<'a>) -> Item<'a> {
    match dialect {
        Dialect::OpenAi => Item::OpenAi {
            id: model.name,
            object: "model",
            created: model.created.0.div_euclid(1_000_000),
            owned_by: model.owned_by,
        },
        Dialect::Anthropic => Item::Anthropic {
            r#type: "model",
            id: model.name,
            display_name: model.name,
            created_at: model.created.to_string(),
        },
    }
}

/// The answer to `GET /v1/models`. All of them on one page.
#[must_use]
pub fn list(dialect: Dialect, models: &[Listed<'_>]) -> Bytes {
    #[derive(Serialize)]
    struct OpenAi<'a> {
        object: &'static str,
        data: Vec<Item<'a>>,
    }
    #[derive(Serialize)]
    struct Anthropic<'a> {
        data: Vec<Item<'a>>,
        has_more: bool,
        first_id: Option<&'a str>,
        last_id: Option<&'a str>,
    }
    let data: Vec<_> = models.iter().map(|m| item(dialect, m)).collect();
    match dialect {
        Dialect::OpenAi => json(&OpenAi { object: "list", data }),
        Dialect::Anthropic => json(&Anthropic {
            data,
            has_more: false,
            first_id: models.first().map(|m| m.name),
            last_id: models.last().map(|m| m.name),
        }),
    }
}

/// The answer to `GET /v1/models/{id}`.
#[must_use]
pub fn one(dialect: Dialect, model: &Listed<'_>) -> Bytes {
    json(&item(dialect, model))
}

fn json(value: &impl Serialize) -> Bytes {
    // Strings, numbers and lists only: this cannot fail.
    serde_json::to_vec(value).unwrap_or_default().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn shapes() {
        let created = Timestamp(1_700_000_000_000_000);
        let models = ["a", "b"].map(|name| Listed { name, owned_by: "x", created });
        let value = |bytes: Bytes| serde_json::from_slice::<Value>(&bytes).unwrap();
        assert_eq!(
            value(list(Dialect::OpenAi, &models[..1])),
            json!({"object": "list", "data": [{"id": "a", "object": "model", "created": 1_700_000_000, "owned_by": "x"}]})
        );
        let one = value(one(Dialect::Anthropic, &models[0]));
        assert_eq!((&one["type"], &one["id"], &one["display_name"]), (&json!("model"), &json!("a"), &json!("a")));
        assert!(one["created_at"].as_str().unwrap().starts_with("2023-11-14T22:13:20"));
        let all = value(list(Dialect::Anthropic, &models));
        assert_eq!((&all["has_more"], &all["first_id"], &all["last_id"]), (&json!(false), &json!("a"), &json!("b")));
        assert_eq!(value(list(Dialect::Anthropic, &[]))["first_id"], Value::Null);
    }
}

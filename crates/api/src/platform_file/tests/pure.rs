//! The comparison as a pure function.

use crate::platform_file::{Action, Field, Item, ItemName, Kind, Plan, State, Wanted, diff};
use proptest::prelude::*;
use serde_json::Value;
use std::collections::BTreeMap;

const KINDS: [Kind; 4] = [Kind::Provider, Kind::Channel, Kind::Credential, Kind::Key];

fn any_name() -> impl Strategy<Value = ItemName> {
    (0_usize..4, 0_u8..2, 0_u8..4).prop_map(|(kind, parent, name)| {
        let kind = KINDS[kind];
        let parent = matches!(kind, Kind::Credential | Kind::Key).then(|| format!("p{parent}"));
        ItemName { kind, parent, name: format!("n{name}") }
    })
}

fn any_item() -> impl Strategy<Value = Item> {
    let secret = prop::option::of(0_u8..3).prop_map(|s| Field::Secret(s.map(|s| [s; 32])));
    let plain = (0_i64..3).prop_map(|n| Field::Plain(Value::from(n)));
    let enabled = prop::option::of(any::<bool>());
    (prop::collection::btree_map("[ab]", plain, 0..2), prop::option::of(secret), enabled).prop_map(
        |(mut fields, secret, enabled)| {
            fields.extend(secret.map(|s| ("secret".to_owned(), s)));
            fields.extend(enabled.map(|e| ("enabled".to_owned(), Field::Plain(Value::Bool(e)))));
            Item { shown: "shown".to_owned(), fields }
        },
    )
}

fn any_state() -> impl Strategy<Value = State> {
    prop::collection::btree_map(any_name(), any_item(), 0..10)
}

fn any_wanted() -> impl Strategy<Value = Wanted> {
    (any_state(), prop::collection::btree_set(any_name(), 0..4)).prop_map(|(items, sections)| {
        let sections = sections.into_iter().map(|n| (n.kind, n.parent)).collect();
        Wanted { items, sections }
    })
}

/// Carries a plan out on a state, as the database would.
fn carried_out(mut current: State, wanted: &Wanted, plan: &Plan) -> State {
    for change in &plan.changes {
        let name = change.item.clone().unwrap();
        let item = current.entry(name.clone()).or_insert(Item { shown: String::new(), fields: BTreeMap::new() });
        if change.action == Action::Disable {
            item.fields.insert("enabled".to_owned(), Field::Plain(Value::Bool(false)));
            continue;
        }
        for field in &change.fields {
            item.fields.insert(field.field.clone(), wanted.items[&name].fields[&field.field].clone());
        }
    }
    current
}

fn same(a: &State, b: &State) -> bool {
    a.len() == b.len() && a.iter().all(|(name, item)| b.get(name).is_some_and(|other| other.fields == item.fields))
}

proptest! {
    #[test]
    fn carried_out_nothing_is_left_to_do(current in any_state(), wanted in any_wanted(), prune in any::<bool>()) {
        let plan = diff(&current, &wanted, prune);
        let after = carried_out(current.clone(), &wanted, &plan);
        prop_assert!(diff(&after, &wanted, prune).is_empty());
        if plan.is_empty() {
            prop_assert!(same(&after, &current));
        }
    }

    #[test]
    fn what_is_not_wanted_is_left_alone_or_only_disabled(
        current in any_state(), wanted in any_wanted(), prune in any::<bool>(),
    ) {
        let plan = diff(&current, &wanted, prune);
        let mut after = carried_out(current.clone(), &wanted, &plan);
        for (name, item) in &current {
            if wanted.items.contains_key(name) {
                continue;
            }
            let now = after.remove(name).unwrap();
            let in_section = prune && wanted.sections.contains(&(name.kind, name.parent.clone()));
            for (field, value) in &item.fields {
                if !(in_section && field == "enabled") {
                    prop_assert!(now.fields.get(field) == Some(value));
                }
            }
        }
        prop_assert!(plan.changes.iter().all(|c| prune || c.action != Action::Disable));
    }

    #[test]
    fn a_plan_shows_no_digest(current in any_state(), wanted in any_wanted()) {
        for field in diff(&current, &wanted, false).changes.into_iter().flat_map(|c| c.fields) {
            if field.field == "secret" {
                prop_assert!(field.to == "(set)" || field.to == "(replaced)");
                prop_assert!(field.from.is_none_or(|f| f == "(set)"));
            }
        }
    }
}

#[test]
fn dependents_come_after_and_are_disabled_before() {
    let item = |on| Item { shown: "x".to_owned(), fields: BTreeMap::from([("enabled".to_owned(), Field::Plain(on))]) };
    let name = |kind, name: &str| ItemName { kind, parent: None, name: name.to_owned() };
    let current = State::from([
        (name(Kind::Provider, "old"), item(Value::Bool(true))),
        (name(Kind::Channel, "old"), item(Value::Bool(true))),
    ]);
    let wanted = Wanted {
        items: State::from([
            (name(Kind::Channel, "new"), item(Value::Bool(true))),
            (name(Kind::Provider, "new"), item(Value::Bool(true))),
        ]),
        sections: [(Kind::Provider, None), (Kind::Channel, None)].into(),
    };
    let order: Vec<_> = diff(&current, &wanted, true).changes.into_iter().map(|c| (c.action, c.kind)).collect();
    assert_eq!(
        order,
        [
            (Action::Create, Kind::Provider),
            (Action::Create, Kind::Channel),
            (Action::Disable, Kind::Channel),
            (Action::Disable, Kind::Provider),
        ]
    );
}

//! Files made by chance, applied one after the other: what was applied is never different afterwards.

use super::platform::{request, world};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use tacit_storage::{Db, both_engines};

fn any_file() -> impl Strategy<Value = String> {
    let flag = any::<bool>;
    let group = ("[ab]", 0_u8..3).prop_map(|(n, m)| format!("[groups.{n}]\nmultiplier = \"{m}\"\n"));
    let model =
        ("[xyz]", flag(), prop::option::of(1_u8..4), prop::option::of(1_u8..4)).prop_map(|(n, on, now, next)| {
            let mut text = format!("[models.{n}]\nenabled = {on}\n");
            if let Some(now) = now {
                text.push_str(&format!("price = {{ input = \"{now}\", output = \"1\" }}\n"));
            }
            if let Some(next) = next {
                let rates = format!("input = \"{next}\", output = \"1\"");
                text.push_str(&format!("next_price = {{ effective_at = \"2030-01-01\", {rates} }}\n"));
            }
            text
        });
    let channel =
        ("[cd]", flag(), 0_u8..3, flag(), prop::option::of("[kl]")).prop_map(|(n, on, weight, serves, secret)| {
            let models = if serves { "{ base = \"up\" }" } else { "{}" };
            let mut text =
                format!("[channels.{n}]\nprovider = \"p\"\nenabled = {on}\nweight = {weight}\nmodels = {models}\n");
            if let Some(secret) = secret {
                text.push_str(&format!("credentials = {{ {secret} = {{ env = \"S\" }} }}\n"));
            }
            text
        });
    let account = ("[ef]", flag(), prop::option::of(1_u8..3), prop::option::of(("[gh]", flag()))).prop_map(
        |(n, on, rpm, key)| {
            let mut text = format!("[accounts.{n}]\ngroup = \"base\"\nenabled = {on}\n");
            if let Some(rpm) = rpm {
                text.push_str(&format!("limits = {{ requests_per_minute = {rpm} }}\n"));
            }
            if let Some((key, on)) = key {
                text.push_str(&format!("keys.{key} = {{ enabled = {on} }}\n"));
            }
            text
        },
    );
    let base =
        "[groups.base]\n[models.base]\n[providers.p]\ndialect = \"openai\"\nbase_url = \"https://example.com\"\n";
    (prop::option::of(group), prop::option::of(model), prop::option::of(channel), prop::option::of(account)).prop_map(
        move |(a, b, c, d)| {
            let parts = [Some(base.to_owned()), a, b, c, d];
            parts.into_iter().flatten().collect()
        },
    )
}

both_engines! {
    async fn applied_is_applied(db: Db) {
        let w = world(db).await;
        let mut runner = TestRunner::deterministic();
        for round in 0..40 {
            w.clock.advance_micros(1_000);
            let file = any_file().new_tree(&mut runner).unwrap().current();
            let secret = if round % 3 == 0 { "one" } else { "two" };
            let wanted = request(&file, &[("env:S", secret)], round % 2 == 0);
            let planned = w.files.diff(&wanted).await.unwrap();
            let applied = w.files.apply(&wanted).await.unwrap();
            assert_eq!(planned.changes.len(), applied.plan.changes.len());
            let left = w.files.diff(&wanted).await.unwrap();
            assert!(left.is_empty(), "round {round}\n{file}\n{}", serde_json::to_string_pretty(&left).unwrap());
        }
        let everything = w.files.export(true).await.unwrap().to_toml().unwrap();
        let left = w.files.diff(&request(&everything, &[], false)).await.unwrap();
        assert!(left.is_empty(), "{everything}\n{}", serde_json::to_string_pretty(&left).unwrap());
    }
}

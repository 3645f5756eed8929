//! The contract of the catalogue, on both engines.

use crate::{Catalog, CatalogError, ChannelSpec, ModelSpec, Outcome, ProviderSpec, STATEMENTS};
use secrecy::{ExposeSecret, SecretString};
use std::collections::BTreeMap;
use std::sync::Arc;
use tacit_kernel::ids::{ChannelId, ModelId, PriceId, ProviderId};
use tacit_kernel::rating::{Price, Rates};
use tacit_kernel::time::ManualClock;
use tacit_kernel::{Auth, Dialect, Nano, Ppm, Timestamp};
use tacit_storage::changes;
use tacit_storage::testing::{MIGRATED_AT, prepare_all, test_key_store};
use tacit_storage::{Db, Row, Sql, StorageError, WriteTx, both_engines};

async fn service(db: Db) -> (Catalog, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(MIGRATED_AT));
    let keys = test_key_store(&clock).await;
    (Catalog::new(db, keys, clock.clone()), clock)
}

fn provider() -> ProviderSpec {
    let base_url = "https://api.example.com/v1/".to_owned();
    ProviderSpec { dialect: Dialect::OpenAi, base_url, auth: None, allow_private: false, enabled: true }
}

fn channel(provider: &str, models: &[(&str, &str)]) -> ChannelSpec {
    ChannelSpec {
        provider: provider.to_owned(),
        priority: -5,
        weight: 3,
        multiplier: Ppm(1_100_000),
        max_concurrency: Some(7),
        models: models.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect(),
        enabled: true,
    }
}

fn price(input: i64) -> Price {
    let rates: Rates = serde_json::from_str(r#"{"input":"0","output":"2","cache_read":"0.1"}"#).unwrap();
    Price::flat(Nano(3), Rates { input: Nano(input), ..rates }).unwrap()
}

fn secret(text: &str) -> SecretString {
    SecretString::from(text.to_owned())
}

/// How many changes were told so far.
async fn told(db: &Db) -> usize {
    let read: Result<_, StorageError> =
        db.read("test.feed", |tx| Box::pin(async move { changes::after(tx, 0).await })).await;
    read.unwrap().len()
}

const CREDENTIALS: Sql = Sql::new("SELECT name, secret_sealed, secret_digest, status FROM channel_credentials");

async fn credential_rows(db: &Db) -> Vec<Row> {
    let read: Result<_, StorageError> =
        db.read("test.rows", |tx| Box::pin(async move { tx.all(&CREDENTIALS, &[]).await })).await;
    read.unwrap()
}

both_engines! {
    async fn every_statement_is_prepared(db: Db) {
        for statements in STATEMENTS {
            prepare_all(&db, statements, &[]).await.unwrap();
        }
    }

    async fn providers_are_put_by_name(db: Db) {
        let (catalog, clock) = service(db.clone()).await;
        let made = catalog.provider_put("openai", &provider()).await.unwrap();
        assert_eq!(made.outcome, Outcome::Created);
        assert_eq!((&*made.value.base_url, made.value.auth), ("https://api.example.com/v1", Auth::Bearer));
        let told_before = told(&db).await;
        assert_eq!(told_before, 1);
        clock.advance_micros(9);
        let same = catalog.provider_put("openai", &made.value.spec()).await.unwrap();
        assert_eq!((same.outcome, &same.value), (Outcome::Unchanged, &made.value));
        assert_eq!(told(&db).await, told_before);

        let anthropic = ProviderSpec {
            dialect: Dialect::Anthropic, auth: None, allow_private: true, enabled: false, ..made.value.spec()
        };
        let changed = catalog.provider_put("openai", &anthropic).await.unwrap();
        assert_eq!((changed.outcome, changed.value.auth), (Outcome::Updated, Auth::XApiKey));
        assert_eq!((changed.value.id, changed.value.created_at), (made.value.id, made.value.created_at));
        assert_eq!(changed.value.updated_at.0, made.value.updated_at.0 + 9);
        assert_eq!(told(&db).await, told_before + 1);
        for reference in ["openai", &made.value.id.to_string()] {
            assert_eq!(catalog.provider_by_ref(reference).await.unwrap().as_ref(), Some(&changed.value));
        }
        assert_eq!(catalog.provider_list().await.unwrap(), [changed.value]);
        assert_eq!(catalog.provider_by_ref("none").await.unwrap(), None);

        let leaky = ProviderSpec { base_url: "https://user:pass@example.com".to_owned(), ..provider() };
        let error = catalog.provider_put("leaky", &leaky).await.unwrap_err();
        assert!(matches!(error, CatalogError::ProviderInvalid { .. }));
        assert!(!format!("{error:?} {error}").contains("pass@"));
        assert!(catalog.provider_put("bad name", &provider()).await.is_err());
        assert!(catalog.provider_put(&made.value.id.to_string(), &provider()).await.is_err());
    }

    async fn channels_carry_models_and_credentials(db: Db) {
        let (catalog, _) = service(db.clone()).await;
        let openai = catalog.provider_put("openai", &provider()).await.unwrap().value;
        let spec = channel("openai", &[("a", "upstream-a"), ("b", "upstream-b")]);
        assert!(matches!(catalog.channel_put("main", &spec).await, Err(CatalogError::ModelNotFound)));
        for name in ["a", "b"] {
            catalog.model_put(name, &ModelSpec::default()).await.unwrap();
        }
        let nowhere = channel("nowhere", &[]);
        assert!(matches!(catalog.channel_put("main", &nowhere).await, Err(CatalogError::ProviderNotFound)));
        assert_eq!(catalog.channel_list().await.unwrap(), [], "a refused put leaves nothing behind");

        let made = catalog.channel_put("main", &spec).await.unwrap();
        assert_eq!((made.outcome, made.value.provider), (Outcome::Created, openai.id));
        assert_eq!(made.value.spec(), spec);
        assert_eq!(catalog.channel_put("main", &spec).await.unwrap().outcome, Outcome::Unchanged);
        let by_id = ChannelSpec { provider: openai.id.to_string(), ..spec.clone() };
        assert_eq!(catalog.channel_put("main", &by_id).await.unwrap().outcome, Outcome::Unchanged);

        let one = catalog.credential_put(made.value.id, "one", &secret("sk-1")).await.unwrap();
        assert_eq!(one.outcome, Outcome::Created);
        let told_before = told(&db).await;
        assert_eq!(
            catalog.credential_put(made.value.id, "one", &secret("sk-1")).await.unwrap().outcome,
            Outcome::Unchanged
        );
        assert_eq!(told(&db).await, told_before);
        let two = catalog.credential_put(made.value.id, "one", &secret("sk-2")).await.unwrap();
        assert_eq!((two.outcome, two.value.id), (Outcome::Updated, one.value.id));
        assert_ne!(two.value.digest, one.value.digest);
        assert_eq!(two.value.digest, catalog.credential_digest(&secret("sk-2")));

        let fewer = ChannelSpec { max_concurrency: None, ..channel("openai", &[("b", "other")]) };
        let changed = catalog.channel_put("main", &fewer).await.unwrap();
        assert_eq!(changed.outcome, Outcome::Updated);
        let found = catalog.channel_by_ref("main").await.unwrap().unwrap();
        assert_eq!((found.spec(), found.credentials.len()), (fewer, 1), "its credentials stay");
        assert_eq!(catalog.channel_by_ref(&found.id.to_string()).await.unwrap().as_ref(), Some(&found));
        assert_eq!(catalog.channel_list().await.unwrap(), std::slice::from_ref(&found));

        for bad in ["", "a b", "line\nbreak", "ä", &"x".repeat(4097)] {
            let error = catalog.credential_put(found.id, "x", &secret(bad)).await.unwrap_err();
            assert!(matches!(error, CatalogError::CredentialInvalid { .. }));
        }
        let unknown = catalog.credential_put(ChannelId::fresh(), "x", &secret("s")).await.unwrap_err();
        assert!(matches!(unknown, CatalogError::ChannelNotFound));
        assert!(matches!(catalog.provider_delete(openai.id).await, Err(CatalogError::ProviderInUse { channels }) if channels == "main"));
        assert!(matches!(
            catalog.credential_delete(found.id, "none").await,
            Err(CatalogError::CredentialNotFound)
        ));
        catalog.credential_delete(found.id, "one").await.unwrap();
        assert!(credential_rows(&db).await.is_empty());
        catalog.credential_put(found.id, "again", &secret("s")).await.unwrap();
        let in_use = catalog.channel_delete(found.id).await;
        assert!(matches!(in_use, Err(CatalogError::ChannelInUse { models }) if models == "b"));
        let delete = async |model: ModelId| {
            let delete = async |tx: &mut WriteTx<'_>| catalog.model_delete_in_tx(tx, model).await;
            let delete = &delete;
            db.write("test.model_delete", |tx| Box::pin(delete(tx))).await
        };
        let (a, b) = (catalog.model_by_ref("a").await.unwrap().unwrap(), catalog.model_by_ref("b").await.unwrap().unwrap());
        assert!(matches!(delete(b.id).await, Err(CatalogError::ModelServed { channels }) if channels == "main"));
        delete(a.id).await.unwrap();
        assert!(matches!(delete(a.id).await, Err(CatalogError::ModelNotFound)));
        let off = ChannelSpec { enabled: false, ..found.spec() };
        catalog.channel_put("main", &off).await.unwrap();
        catalog.channel_delete(found.id).await.unwrap();
        catalog.price_put(b.id, &price(1), None).await.unwrap();
        assert!(matches!(delete(b.id).await, Err(CatalogError::ModelPriced)));
        assert!(credential_rows(&db).await.is_empty(), "they go with their channel");
        assert!(matches!(catalog.channel_delete(found.id).await, Err(CatalogError::ChannelNotFound)));
        catalog.provider_delete(openai.id).await.unwrap();
        assert!(matches!(catalog.provider_delete(ProviderId::fresh()).await, Err(CatalogError::ProviderNotFound)));
        for bad in [
            ChannelSpec { weight: 1_000_001, ..spec.clone() },
            ChannelSpec { multiplier: Ppm(-1), ..spec.clone() },
            ChannelSpec { max_concurrency: Some(0), ..spec.clone() },
            ChannelSpec { models: BTreeMap::from([("a".to_owned(), "b c".to_owned())]), ..spec.clone() },
        ] {
            assert!(matches!(catalog.channel_put("x", &bad).await, Err(CatalogError::ChannelInvalid { .. })));
        }
    }

    async fn secrets_rest_sealed(db: Db) {
        let (catalog, _) = service(db.clone()).await;
        catalog.provider_put("openai", &provider()).await.unwrap();
        let main = catalog.channel_put("main", &channel("openai", &[])).await.unwrap().value;
        let text = "sk-canary-0123456789abcdef";
        catalog.credential_put(main.id, "one", &secret(text)).await.unwrap();
        let rows = credential_rows(&db).await;
        let mut bytes = rows[0].get::<Vec<u8>>("secret_sealed").unwrap();
        bytes.extend(rows[0].get::<Vec<u8>>("secret_digest").unwrap());
        assert!(bytes.len() > text.len() + 32);
        for piece in text.as_bytes().windows(6) {
            assert!(!bytes.windows(6).any(|w| w == piece));
        }
        let snapshot = catalog.snapshot(MIGRATED_AT).await.unwrap();
        assert!(!format!("{snapshot:?}").contains("canary"));
        assert_eq!(snapshot.channels[0].credentials[0].1.expose_secret(), text);
    }

    async fn models_are_put_and_disabled(db: Db) {
        let (catalog, _) = service(db.clone()).await;
        let spec = ModelSpec { context_tokens: Some(200_000), max_output_tokens: Some(8_192), ..ModelSpec::default() };
        let made = catalog.model_put("gpt-4o", &spec).await.unwrap();
        assert_eq!((made.outcome, made.value.spec()), (Outcome::Created, spec.clone()));
        assert_eq!(catalog.model_put("gpt-4o", &spec).await.unwrap().outcome, Outcome::Unchanged);
        assert_eq!(told(&db).await, 1);
        let off = ModelSpec { enabled: false, context_tokens: None, ..spec.clone() };
        let changed = catalog.model_put("gpt-4o", &off).await.unwrap();
        assert_eq!((changed.outcome, changed.value.id, changed.value.spec()), (Outcome::Updated, made.value.id, off));
        assert_eq!(catalog.model_by_ref(&made.value.id.to_string()).await.unwrap().as_ref(), Some(&changed.value));
        assert_eq!(catalog.model_list().await.unwrap(), [changed.value]);
        for bad in ["", "a b", "{a}", "a\"", &"x".repeat(129)] {
            assert!(matches!(catalog.model_put(bad, &spec).await, Err(CatalogError::ModelInvalid { .. })), "{bad}");
        }
        for tokens in [0, 1_000_000_001] {
            let bad = ModelSpec { max_output_tokens: Some(tokens), ..ModelSpec::default() };
            assert!(matches!(catalog.model_put("x", &bad).await, Err(CatalogError::ModelInvalid { .. })));
        }
    }

    async fn prices_are_versions(db: Db) {
        let (catalog, clock) = service(db.clone()).await;
        let model = catalog.model_put("m", &ModelSpec::default()).await.unwrap().value.id;
        let first = catalog.price_put(model, &price(1), None).await.unwrap();
        assert_eq!((first.outcome, first.value.version), (Outcome::Created, 1));
        assert_eq!(first.value.effective_at, MIGRATED_AT);
        let told_before = told(&db).await;
        clock.advance_micros(1_000);
        let same = catalog.price_put(model, &price(1), None).await.unwrap();
        assert_eq!((same.outcome, same.value.id), (Outcome::Unchanged, first.value.id));
        assert_eq!(told(&db).await, told_before);

        let later = Timestamp(MIGRATED_AT.0 + 1_000_000);
        let next = catalog.price_put(model, &price(2), Some(later)).await.unwrap().value;
        assert_eq!(catalog.price_put(model, &price(2), Some(later)).await.unwrap().outcome, Outcome::Unchanged);
        assert!(matches!(
            catalog.price_put(model, &price(2), Some(MIGRATED_AT)).await,
            Err(CatalogError::PriceInPast)
        ));
        assert!(matches!(
            catalog.price_put(ModelId::fresh(), &price(2), None).await,
            Err(CatalogError::ModelNotFound)
        ));
        let versions = catalog.price_list(model).await.unwrap();
        assert_eq!(versions, [first.value.clone(), next.clone()], "the first is as it was");

        let snapshot = catalog.snapshot(Timestamp(later.0 - 1)).await.unwrap();
        assert_eq!((&snapshot.models[0].price, &snapshot.models[0].next_price), (&first.value, &Some(next.clone())));
        let snapshot = catalog.snapshot(later).await.unwrap();
        assert_eq!((&snapshot.models[0].price, &snapshot.models[0].next_price), (&next, &None));

        for version in &versions {
            for _ in 0..2 {
                assert_eq!(catalog.price_by_id(version.id).await.unwrap().as_ref(), Some(&version.price));
            }
        }
        assert_eq!(catalog.price_by_id(PriceId::fresh()).await.unwrap(), None);
        let all = catalog.price_all().await.unwrap();
        assert_eq!((all.len(), all.get(&next.id)), (2, Some(&next.price)));
    }

    async fn the_snapshot_holds_only_what_may_be_used(db: Db) {
        let (catalog, _) = service(db).await;
        let off = ProviderSpec { enabled: false, ..provider() };
        let open = ProviderSpec { auth: Some(Auth::None), ..provider() };
        for (name, spec) in [("on", provider()), ("off", off), ("open", open)] {
            catalog.provider_put(name, &spec).await.unwrap();
        }
        for (name, enabled, priced) in [("m", true, true), ("unpriced", true, false), ("disabled", false, true)] {
            let model = catalog.model_put(name, &ModelSpec { enabled, ..ModelSpec::default() }).await.unwrap().value;
            if priced {
                catalog.price_put(model.id, &price(1), None).await.unwrap();
            }
        }
        let served = [("m", "up"), ("unpriced", "up"), ("disabled", "up")];
        for (name, provider, enabled) in
            [("used", "on", true), ("bare", "on", true), ("dead", "off", true), ("free", "open", true), ("x", "on", false)]
        {
            let spec = ChannelSpec { enabled, ..channel(provider, &served) };
            let made = catalog.channel_put(name, &spec).await.unwrap().value;
            if !matches!(name, "bare" | "free") {
                catalog.credential_put(made.id, "one", &secret("k1")).await.unwrap();
                catalog.credential_put(made.id, "two", &secret("k2")).await.unwrap();
                catalog.credential_set_enabled(made.id, "two", false).await.unwrap();
            }
        }
        let snapshot = catalog.snapshot(MIGRATED_AT).await.unwrap();
        let names: Vec<_> = snapshot.channels.iter().map(|c| c.channel.name.as_str()).collect();
        assert_eq!(names, ["free", "used"]);
        assert_eq!(snapshot.channels[0].credentials.len(), 0);
        let secrets: Vec<_> = snapshot.channels[1].credentials.iter().map(|(_, s)| s.expose_secret()).collect();
        assert_eq!(secrets, ["k1"]);
        assert_eq!(snapshot.channels[1].provider.name, "on");
        let models: Vec<_> = snapshot.models.iter().map(|m| m.model.name.as_str()).collect();
        assert_eq!(models, ["m"]);
        let routes: Vec<_> = snapshot.models[0].routes.iter().map(|(c, upstream)| (*c, upstream.as_str())).collect();
        assert_eq!(routes, [(snapshot.channels[0].channel.id, "up"), (snapshot.channels[1].channel.id, "up")]);
    }
}

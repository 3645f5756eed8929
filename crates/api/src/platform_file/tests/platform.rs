//! The whole way: file, comparison, database and back, on both engines.

use super::form::FULL;
use crate::admin::forms::Secret;
use crate::platform_file::{Action, Applied, ApplyRequest, Kind, Plan, PlatformFile, PlatformFiles, Secrets};
use secrecy::{ExposeSecret, SecretString};
use std::sync::Arc;
use tacit_catalog::Catalog;
use tacit_identity::passwords::{Cost, Hashing};
use tacit_identity::{AccountFilter, Identity};
use tacit_kernel::time::ManualClock;
use tacit_kernel::{Clock, Ppm, Timestamp};
use tacit_storage::testing::{MIGRATED_AT, test_key_store};
use tacit_storage::{Db, Page, StorageError, both_engines, changes};

pub(super) struct World {
    pub(super) files: PlatformFiles,
    pub(super) identity: Identity,
    pub(super) catalog: Catalog,
    pub(super) clock: Arc<ManualClock>,
}

pub(super) async fn world(db: Db) -> World {
    let clock = Arc::new(ManualClock::at(MIGRATED_AT));
    let keys = test_key_store(&clock).await;
    let identity = Identity::new(db.clone(), keys.clone(), clock.clone(), Hashing::start(1, Cost::default()).unwrap());
    let catalog = Catalog::new(db.clone(), keys, clock.clone());
    let files = PlatformFiles::new(db, identity.clone(), catalog.clone(), clock.clone());
    World { files, identity, catalog, clock }
}

pub(super) fn request(file: &str, secrets: &[(&str, &str)], prune: bool) -> ApplyRequest {
    let secret = |text: &str| Secret(SecretString::from(text.to_owned()));
    let secrets: Secrets = secrets.iter().map(|(key, text)| ((*key).to_owned(), secret(text))).collect();
    ApplyRequest { file: file.to_owned(), secrets, prune }
}

const SECRETS: &[(&str, &str)] = &[("env:OPENAI_KEY", "sk-canary-first"), ("file:second.key", "sk-canary-second")];

fn lines(plan: &Plan) -> Vec<(Action, Kind, String)> {
    plan.changes.iter().map(|c| (c.action, c.kind, c.name.clone())).collect()
}

async fn told(db: &Db) -> usize {
    let read: Result<_, StorageError> =
        db.read("test.feed", |tx| Box::pin(async move { changes::after(tx, 0).await })).await;
    read.unwrap().len()
}

both_engines! {
    async fn a_file_is_applied_once(db: Db) {
        let w = world(db.clone()).await;
        let full = request(FULL, SECRETS, false);
        let planned = w.files.diff(&full).await.unwrap();
        assert_eq!(told(&db).await, 0, "a comparison writes nothing");
        let Applied { plan, new_keys } = w.files.apply(&full).await.unwrap();
        assert_eq!(lines(&plan), lines(&planned));
        assert_eq!(plan.changes.len(), 13);
        assert!(plan.changes.iter().all(|c| c.action == Action::Create));
        let shown = serde_json::to_string(&plan).unwrap();
        assert!(!shown.contains("canary") && shown.contains("(set)"), "{shown}");

        let names: Vec<_> = new_keys.iter().map(|k| (k.account.as_str(), k.name.as_str())).collect();
        assert_eq!(names, [("ann@example.org", "ci"), ("ann@example.org", "laptop")]);
        for (key, enabled) in new_keys.iter().zip([false, true]) {
            let hash = w.identity.key_hash(&key.secret.0);
            let facts = w.identity.key_grant_by_hash(hash).await.unwrap().unwrap();
            assert_eq!((facts.key, facts.key_enabled, facts.group_multiplier), (key.id, enabled, Ppm(800_000)));
        }
        assert!(!w.identity.account_by_ref("bob").await.unwrap().unwrap().enabled);
        let snapshot = w.catalog.snapshot(w.clock.now()).await.unwrap();
        let secrets: Vec<_> = snapshot.channels[0].credentials.iter().map(|c| c.1.expose_secret()).collect();
        assert_eq!(secrets.len(), 2);
        assert!(secrets.contains(&"sk-canary-first") && secrets.contains(&"sk-canary-second"));

        let told_before = told(&db).await;
        for prune in [false, true] {
            let again = w.files.apply(&request(FULL, SECRETS, prune)).await.unwrap();
            assert_eq!(lines(&again.plan), []);
            assert_eq!(again.new_keys.len(), 0);
        }
        assert!(w.files.diff(&request(FULL, &[], false)).await.unwrap().is_empty(), "secrets not sent are unchanged");
        assert_eq!(told(&db).await, told_before, "nothing changed, nobody is told");
    }

    async fn what_differs_is_shown_and_changed(db: Db) {
        let w = world(db).await;
        w.files.apply(&request(FULL, SECRETS, false)).await.unwrap();
        w.clock.advance_micros(1_000_000);
        let other = FULL
            .replace("max_concurrency = 100\n", "")
            .replace("input = \"2.50\"", "input = \"2.75\"")
            .replace("multiplier = \"0.8\"", "multiplier = \"0.7\"")
            .replace("enabled = false\n\n[accounts.bob]", "\n[accounts.bob]");
        let changed = [SECRETS[0], ("file:second.key", "sk-canary-other")];
        let plan = w.files.apply(&request(&other, &changed, false)).await.unwrap().plan;
        let mut seen = Vec::new();
        for change in &plan.changes {
            assert_eq!(change.action, Action::Update);
            for field in &change.fields {
                seen.push((change.kind, change.name.as_str(), field.field.as_str()));
            }
        }
        assert_eq!(seen, [
            (Kind::Group, "vip", "multiplier"),
            (Kind::Model, "gpt-4o", "price"),
            (Kind::Channel, "main", "max_concurrency"),
            (Kind::Credential, "main/second", "secret"),
            (Kind::Key, "ann@example.org/ci", "enabled"),
        ]);
        let shown = serde_json::to_string(&plan).unwrap();
        assert!(shown.contains("2.75") && shown.contains("(replaced)") && !shown.contains("canary"), "{shown}");
        assert_eq!(w.catalog.channel_by_ref("main").await.unwrap().unwrap().max_concurrency, None);
        let model = w.catalog.model_by_ref("gpt-4o").await.unwrap().unwrap();
        let versions: Vec<_> = w.catalog.price_list(model.id).await.unwrap().iter().map(|p| p.version).collect();
        assert_eq!(versions, [1, 2]);
        assert!(w.files.diff(&request(&other, &changed, true)).await.unwrap().is_empty());
    }

    async fn pruning_disables_only_in_sections_that_the_file_has(db: Db) {
        let w = world(db).await;
        w.files.apply(&request(FULL, SECRETS, false)).await.unwrap();
        let small = "[channels.main]\nprovider = \"openai\"\ncredentials = { first = { env = \"OPENAI_KEY\" } }\n\
                     [accounts.bob]\ngroup = \"default\"\nenabled = false";
        let kept = w.files.diff(&request(small, SECRETS, false)).await.unwrap();
        assert_eq!(lines(&kept), [(Action::Update, Kind::Channel, "main".to_owned())]);
        let ann = w.identity.account_by_ref("ann@example.org").await.unwrap().unwrap();
        let plan = w.files.apply(&request(small, SECRETS, true)).await.unwrap().plan;
        assert_eq!(lines(&plan), [
            (Action::Update, Kind::Channel, "main".to_owned()),
            (Action::Disable, Kind::Account, ann.id.to_string()),
            (Action::Disable, Kind::Credential, "main/second".to_owned()),
        ]);
        assert!(!serde_json::to_string(&plan).unwrap().contains("ann@"), "a name that the file does not hold");
        assert!(!w.identity.account_by_ref("ann@example.org").await.unwrap().unwrap().enabled);
        let main = w.catalog.channel_by_ref("main").await.unwrap().unwrap();
        assert!(main.credentials["first"].enabled && !main.credentials["second"].enabled);
        assert!(w.catalog.provider_by_ref("claude").await.unwrap().unwrap().enabled, "no such section in the file");
        assert!(w.files.diff(&request(small, SECRETS, true)).await.unwrap().is_empty());
        let others = "[providers.claude]\ndialect = \"anthropic\"\nbase_url = \"https://api.anthropic.com\"\n\
                      auth = \"bearer\"\n[models.tiered]";
        let plan = w.files.apply(&request(others, &[], true)).await.unwrap().plan;
        assert_eq!(lines(&plan), [
            (Action::Disable, Kind::Model, "gpt-4o".to_owned()),
            (Action::Disable, Kind::Provider, "openai".to_owned()),
        ]);
        // Naming them again brings them back, without sending a secret that is there.
        let back = w.files.apply(&request(FULL, &[], false)).await.unwrap().plan;
        assert_eq!(back.changes.len(), 5, "{:?}", lines(&back));
        assert!(w.catalog.channel_by_ref("main").await.unwrap().unwrap().credentials["second"].enabled);
    }

    async fn a_file_that_fails_leaves_nothing(db: Db) {
        let w = world(db.clone()).await;
        let cases = [
            (FULL.to_owned(), &SECRETS[..1], "platform_file.secret_missing", "channels.main.credentials.second"),
            (FULL.replace("\"gpt-4o\" = ", "nothing = "), SECRETS, "platform_file.invalid", "channels.main.models"),
            (FULL.replace("provider = \"openai\"", "provider = \"x\""), SECRETS, "platform_file.invalid", "provider"),
            (FULL.replace("group = \"vip\"", "group = \"x\""), SECRETS, "platform_file.invalid", "(number 1 by name).group"),
            (FULL.to_owned(), &[("env:OPENAI_KEY", "a b"), SECRETS[1]], "platform_file.invalid", "credentials.first"),
        ];
        for (file, secrets, code, place) in cases {
            let Err(fault) = w.files.apply(&request(&file, secrets, false)).await else { panic!("applied: {code}") };
            assert_eq!(fault.code, code);
            assert!(fault.message.contains(place), "{fault}");
            assert!(!format!("{fault:?}").contains("canary"));
            assert_eq!(told(&db).await, 0);
            assert_eq!(w.identity.account_list(&AccountFilter::default(), Page::default()).await.unwrap().items, []);
            assert_eq!(w.catalog.provider_list().await.unwrap(), []);
        }
    }

    async fn what_is_exported_is_what_is_there(db: Db) {
        let w = world(db.clone()).await;
        w.files.apply(&request(FULL, SECRETS, false)).await.unwrap();
        let file = w.files.export(true).await.unwrap();
        let text = file.to_toml().unwrap();
        assert!(!text.contains("canary"), "{text}");
        assert!(text.contains("MAIN_FIRST"), "{text}");
        let secrets = [("env:MAIN_FIRST", "sk-canary-first"), ("env:MAIN_SECOND", "sk-canary-second")];
        let plan = w.files.diff(&request(&text, &secrets, true)).await.unwrap();
        assert_eq!(lines(&plan), []);
        assert!(PlatformFile::parse(&text).unwrap() == file);
        let bare = w.files.export(false).await.unwrap().to_toml().unwrap();
        assert!(!bare.contains("ann@") && bare.contains("gpt-4o"));
    }

    async fn an_announced_price_comes_into_force_without_a_new_version(db: Db) {
        let w = world(db).await;
        let file = "[models.m]\nprice = { input = \"1\", output = \"1\" }\n\
                    next_price = { effective_at = \"2023-12-01\", input = \"2\", output = \"2\" }";
        w.files.apply(&request(file, &[], false)).await.unwrap();
        let start = Timestamp::parse("2023-12-01").unwrap();
        for at in [0, start.micros_since(MIGRATED_AT) + 1] {
            w.clock.advance_micros(at);
            assert!(w.files.diff(&request(file, &[], false)).await.unwrap().is_empty());
        }
        let model = w.catalog.model_by_ref("m").await.unwrap().unwrap();
        assert_eq!(w.catalog.price_list(model.id).await.unwrap().len(), 2);
    }

    async fn a_price_and_the_next_may_change_at_once(db: Db) {
        let w = world(db).await;
        let price = |now: u8, next: u8| {
            let head = format!("[models.m]\nprice = {{ input = \"{now}\", output = \"1\" }}\n");
            let file = format!(
                "{head}next_price = {{ effective_at = \"2030-01-01\", input = \"{next}\", output = \"1\" }}"
            );
            request(&file, &[], false)
        };
        // Back to a price that is in force now and shall be again.
        for (now, next) in [(1, 1), (2, 1), (2, 2), (1, 2), (3, 3)] {
            w.clock.advance_micros(1);
            w.files.apply(&price(now, next)).await.unwrap();
            assert!(w.files.diff(&price(now, next)).await.unwrap().is_empty(), "{now} {next}");
        }
    }
}

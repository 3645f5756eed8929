//! The contract of groups, accounts and keys, on both engines.

mod choices;
mod codes;
mod devices;
mod identities;
mod key_authority;
mod names;
mod notices;
mod organisations;
mod passkeys;
mod recovery;
mod registration;
mod roles;
mod second_factor;
mod sessions;
mod sessions_model;
mod sign_in;
mod verification;
pub(crate) mod world;

use crate::passwords::Cost;
use crate::{
    AccountChange, AccountFilter, Hashing, Identity, IdentityError, KeyChange, Retired, STATEMENTS,
    second_factor as factor,
};
use secrecy::ExposeSecret;
use std::sync::Arc;
use tacit_kernel::call::CallSource;
use tacit_kernel::ids::{AccountId, GroupId, KeyId};
use tacit_kernel::limits::Limits;
use tacit_kernel::time::ManualClock;
use tacit_kernel::{ErrorKind, Fault, Nano, Personal, Ppm, Timestamp, keytext};
use tacit_storage::changes::{self, Change};
use tacit_storage::testing::{MIGRATED_AT, prepare_all, test_key_store};
use tacit_storage::{Db, Page, Row, Sql, StorageError, both_engines};

async fn service(db: Db) -> (Identity, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(MIGRATED_AT));
    let keys = test_key_store(&clock).await;
    let hashing = Hashing::start(1, Cost { memory: 64, passes: 1 }).unwrap();
    (Identity::new(db, keys, clock.clone(), hashing), clock)
}

fn name(text: &str) -> Personal<String> {
    Personal::new(text.to_owned())
}

async fn feed(db: &Db) -> Vec<Change> {
    let read: Result<_, StorageError> =
        db.read("test.feed", |tx| Box::pin(async move { changes::after(tx, 0).await })).await;
    read.unwrap().into_iter().map(|(_, change)| change).collect()
}

const ROWS: Sql = Sql::new(
    "SELECT a.name_sealed AS a1, a.name_lookup AS a2, k.name_sealed AS k1, k.hash AS k2, k.hint AS k3, \
     k.limits AS k4, a.limits AS a3 FROM accounts a JOIN api_keys k ON k.account_id = a.id",
);

both_engines! {
    async fn every_statement_is_prepared(db: Db) {
        for statements in STATEMENTS {
            prepare_all(&db, statements, &[]).await.unwrap();
        }
        prepare_all(&db, &[], factor::BULKS).await.unwrap();
    }

    async fn groups_are_put_by_name(db: Db) {
        let (identity, clock) = service(db.clone()).await;
        let group = identity.group_put("default", Ppm::ONE).await.unwrap();
        let account = identity.account_create(&name("ann"), group.id, &Limits::default()).await.unwrap();
        let before = feed(&db).await.len();
        clock.advance_micros(5);
        assert_eq!(identity.group_put("default", Ppm::ONE).await.unwrap(), group);
        assert_eq!(feed(&db).await.len(), before, "nothing changed, nobody is told");

        let dearer = identity.group_put("default", Ppm(1_500_000)).await.unwrap();
        assert_eq!((dearer.id, dearer.multiplier, dearer.created_at), (group.id, Ppm(1_500_000), group.created_at));
        assert_eq!(dearer.updated_at, Timestamp(MIGRATED_AT.0 + 5));
        assert_eq!(feed(&db).await[before..], [Change::Account(account.id)]);

        identity.group_put("a", Ppm(0)).await.unwrap();
        let names: Vec<_> = identity.group_list().await.unwrap().into_iter().map(|g| g.name).collect();
        assert_eq!(names, ["a", "default"]);
        assert_eq!(identity.group_by_ref(&group.id.to_string()).await.unwrap(), Some(dearer.clone()));
        assert_eq!(identity.group_by_ref("default").await.unwrap(), Some(dearer));
        assert_eq!(identity.group_by_name("none").await.unwrap(), None);
        for (bad, multiplier) in [("", 1), ("a b", 1), ("x", -1), ("x", 1_000_000_001), (&*group.id.to_string(), 1)] {
            let error = identity.group_put(bad, Ppm(multiplier)).await.unwrap_err();
            assert!(matches!(error, IdentityError::GroupInvalid { .. }), "{bad} {multiplier}");
        }
    }

    async fn accounts_live(db: Db) {
        let (identity, clock) = service(db.clone()).await;
        let group = identity.group_put("default", Ppm::ONE).await.unwrap();
        let vip = identity.group_put("vip", Ppm(900_000)).await.unwrap();
        let limits = Limits { requests_per_minute: Some(9), spend_total: Some(Nano(1)), ..Limits::default() };
        let ann = identity.account_create(&name("ann@example.org"), group.id, &limits).await.unwrap();
        assert!(ann.enabled);
        assert_eq!(ann.limits, limits);
        assert_eq!(ann.name, Some(name("ann@example.org")));
        for reference in ["ann@example.org", &ann.id.to_string()] {
            assert_eq!(identity.account_by_ref(reference).await.unwrap(), Some(ann.clone()));
        }
        for reference in ["anne@example.org", "", &AccountId::fresh().to_string(), "acct_", "' OR 1=1"] {
            assert_eq!(identity.account_by_ref(reference).await.unwrap(), None, "{reference}");
        }
        let taken = identity.account_create(&name("ann@example.org"), group.id, &limits).await.unwrap_err();
        assert!(matches!(taken, IdentityError::AccountNameTaken));
        let no_group = identity.account_create(&name("x"), GroupId::fresh(), &limits).await.unwrap_err();
        assert!(matches!(no_group, IdentityError::GroupNotFound), "{no_group:?}");
        for bad in ["", " a", "a\n", &"x".repeat(201), &ann.id.to_string()] {
            let error = identity.account_create(&name(bad), group.id, &limits).await.unwrap_err();
            assert!(matches!(error, IdentityError::AccountNameInvalid));
        }
        let bad_limits = Limits { spend_per_day: Some(Nano(-1)), ..Limits::default() };
        let error = identity.account_create(&name("y"), group.id, &bad_limits).await.unwrap_err();
        assert!(matches!(error, IdentityError::LimitsInvalid { .. }));

        clock.advance_micros(7);
        let before = feed(&db).await.len();
        let change = AccountChange {
            name: Some(name("ann")), group: Some(vip.id), enabled: Some(false), limits: Some(Limits::default()),
        };
        let changed = identity.account_update(ann.id, &change).await.unwrap();
        assert_eq!((changed.group, changed.enabled, &changed.limits), (vip.id, false, &Limits::default()));
        assert_eq!((changed.created_at, changed.updated_at.0), (ann.created_at, ann.created_at.0 + 7));
        assert_eq!(identity.account_by_ref("ann").await.unwrap(), Some(changed.clone()));
        assert_eq!(identity.account_by_ref("ann@example.org").await.unwrap(), None);
        let recall = Change::Recall { account: ann.id, but: None };
        assert_eq!(feed(&db).await[before..], [Change::Account(ann.id), recall]);
        assert_eq!(identity.account_update(ann.id, &AccountChange::default()).await.unwrap(), changed);

        let bob = identity.account_create(&name("bob"), group.id, &limits).await.unwrap();
        let change = AccountChange { name: Some(name("ann")), ..AccountChange::default() };
        assert!(matches!(identity.account_update(bob.id, &change).await, Err(IdentityError::AccountNameTaken)));
        let change = AccountChange { group: Some(GroupId::fresh()), ..AccountChange::default() };
        assert!(matches!(identity.account_update(bob.id, &change).await, Err(IdentityError::GroupNotFound)));
        let missing = identity.account_update(AccountId::fresh(), &AccountChange::default()).await.unwrap_err();
        assert!(matches!(missing, IdentityError::AccountNotFound));
        let fault = Fault::from(missing);
        assert_eq!((fault.kind, fault.code), (ErrorKind::NotFound, "account.not_found"));
    }

    async fn lists_are_paged_by_key(db: Db) {
        let (identity, _) = service(db).await;
        let group = identity.group_put("default", Ppm::ONE).await.unwrap();
        let mut made = Vec::new();
        for i in 0..5 {
            made.push(identity.account_create(&name(&format!("a{i}")), group.id, &Limits::default()).await.unwrap());
        }
        let (mut seen, mut page) = (Vec::new(), Page { after: None, limit: 2 });
        loop {
            let got = identity.account_list(&AccountFilter::default(), page).await.unwrap();
            assert!(got.items.len() <= 2);
            seen.extend(got.items);
            if got.next.is_none() {
                break;
            }
            page.after = got.next;
        }
        assert_eq!(seen, made);
        for account in &made[..2] {
            for i in 0..3 {
                let named = name(&format!("k{i}"));
                identity.key_create(account.id, &named, CallSource::Api, &Limits::default()).await.unwrap();
            }
        }
        let all = identity.key_list(None, Retired::Not, Page::default()).await.unwrap();
        assert_eq!((all.items.len(), all.next), (6, None));
        let first = identity.key_list(Some(made[1].id), Retired::Not, Page { after: None, limit: 2 }).await.unwrap();
        let rest = identity.key_list(Some(made[1].id), Retired::Not, Page { after: first.next, limit: 2 }).await.unwrap();
        assert_eq!((first.items.len(), rest.items.len(), rest.next), (2, 1, None));
        assert!(first.items.iter().chain(&rest.items).all(|k| k.account == made[1].id));
    }

    async fn keys_live(db: Db) {
        let (identity, _) = service(db.clone()).await;
        let group = identity.group_put("default", Ppm(1_250_000)).await.unwrap();
        let account_limits = Limits { concurrency: Some(3), ..Limits::default() };
        let ann = identity.account_create(&name("team/ann"), group.id, &account_limits).await.unwrap();
        let before = feed(&db).await.len();
        let limits = Limits {
            models: Some(vec!["gpt-4o".to_owned()]),
            ip_ranges: Some(vec!["10.0.0.0/8".parse().unwrap()]),
            expires_at: Some(Timestamp(1)),
            ..Limits::default()
        };
        let (key, secret) = identity.key_create(ann.id, &name("laptop"), CallSource::Demo, &limits).await.unwrap();
        assert!(keytext::well_formed(secret.expose_secret()));
        assert_eq!(key.hint, keytext::hint(&secret));
        let hash = identity.key_hash(&secret);
        assert_eq!(feed(&db).await[before..], [Change::Key(hash)]);

        let facts = identity.key_grant_by_hash(hash).await.unwrap().unwrap();
        assert_eq!((facts.key, facts.account, facts.group), (key.id, ann.id, group.id));
        assert_eq!((facts.group_multiplier, facts.source), (Ppm(1_250_000), CallSource::Demo));
        assert_eq!((&facts.key_limits, &facts.account_limits), (&limits, &account_limits));
        assert!(facts.key_enabled && facts.account_enabled);
        assert_eq!(identity.key_grant_by_hash([0; 32]).await.unwrap(), None);

        for reference in [key.id.to_string(), "team/ann/laptop".to_owned(), format!("{}/laptop", ann.id)] {
            assert_eq!(identity.key_by_ref(&reference).await.unwrap(), Some(key.clone()), "{reference}");
        }
        for reference in ["laptop", "team/ann/other", "bob/laptop", "", "/", &KeyId::fresh().to_string()] {
            assert_eq!(identity.key_by_ref(reference).await.unwrap(), None, "{reference}");
        }
        let taken = identity.key_create(ann.id, &name("laptop"), CallSource::Api, &limits).await.unwrap_err();
        assert!(matches!(taken, IdentityError::KeyNameTaken));
        for bad in ["", "a/b", "a\u{7}", &key.id.to_string()] {
            let error = identity.key_create(ann.id, &name(bad), CallSource::Api, &limits).await.unwrap_err();
            assert!(matches!(error, IdentityError::KeyNameInvalid), "{bad}");
        }
        let nobody = identity.key_create(AccountId::fresh(), &name("k"), CallSource::Api, &limits).await.unwrap_err();
        assert!(matches!(nobody, IdentityError::AccountNotFound));

        let (other, _) = identity.key_create(ann.id, &name("ci"), CallSource::Api, &limits).await.unwrap();
        let clash = KeyChange { name: Some(name("laptop")), ..KeyChange::default() };
        assert!(matches!(identity.key_update(other.id, &clash).await, Err(IdentityError::KeyNameTaken)));
        let same = KeyChange { name: Some(name("ci")), limits: Some(Limits::default()), ..KeyChange::default() };
        let changed = identity.key_update(other.id, &same).await.unwrap();
        assert_eq!((changed.name, changed.limits, changed.enabled), (Some(name("ci")), Limits::default(), true));

        let before = feed(&db).await.len();
        assert!(!identity.key_disable(key.id).await.unwrap().enabled);
        assert_eq!(feed(&db).await[before..], [Change::Key(hash), Change::Recall { account: ann.id, but: None }]);
        assert!(!identity.key_grant_by_hash(hash).await.unwrap().unwrap().key_enabled);
        let off = AccountChange { enabled: Some(false), ..AccountChange::default() };
        identity.account_update(ann.id, &off).await.unwrap();
        assert!(!identity.key_grant_by_hash(hash).await.unwrap().unwrap().account_enabled);
        assert!(matches!(identity.key_disable(KeyId::fresh()).await, Err(IdentityError::KeyNotFound)));

        let seal = identity.account_call_seal_key(ann.id).await.unwrap().unwrap();
        let again = identity.account_call_seal_key(ann.id).await.unwrap().unwrap();
        assert_eq!(seal.expose(), again.expose());
        assert!(identity.account_call_seal_key(AccountId::fresh()).await.unwrap().is_none());
    }

    async fn rows_hold_no_name_and_no_key(db: Db) {
        let (identity, _) = service(db.clone()).await;
        let group = identity.group_put("default", Ppm::ONE).await.unwrap();
        let ann = identity.account_create(&name("canary-account"), group.id, &Limits::default()).await.unwrap();
        let created = identity.key_create(ann.id, &name("canary-key"), CallSource::Api, &Limits::default()).await;
        let (_, secret) = created.unwrap();
        let rows: Result<Vec<Row>, StorageError> =
            db.read("test.rows", |tx| Box::pin(async move { tx.all(&ROWS, &[]).await })).await;
        let rows = rows.unwrap();
        let row = rows.first().unwrap();
        let mut bytes = Vec::new();
        for column in ["a1", "a2", "k1", "k2"] {
            bytes.extend(row.get::<Vec<u8>>(column).unwrap());
        }
        for column in ["k3", "k4", "a3"] {
            bytes.extend(row.get::<String>(column).unwrap().into_bytes());
        }
        assert!(bytes.len() > 100);
        let random = &secret.expose_secret()[3..43];
        // Any eight characters of the key are as bad as the whole.
        let pieces = random.as_bytes().windows(8).chain([b"canary-account".as_slice(), b"canary-key", b"canary"]);
        for piece in pieces {
            assert!(!bytes.windows(piece.len()).any(|w| w == piece));
        }
    }

    async fn concurrent_creations_of_one_name_make_one(db: Db) {
        let (identity, _) = service(db).await;
        let group = identity.group_put("default", Ppm::ONE).await.unwrap();
        let racers: Vec<_> = (0..8)
            .map(|_| {
                let identity = identity.clone();
                tokio::spawn(async move {
                    identity.account_create(&name("ann"), group.id, &Limits::default()).await.is_ok()
                })
            })
            .collect();
        let mut made = 0;
        for racer in racers {
            made += u32::from(racer.await.unwrap());
        }
        assert_eq!(made, 1);
        let ann = identity.account_by_ref("ann").await.unwrap().unwrap();
        let racers: Vec<_> = (0..8)
            .map(|_| {
                let identity = identity.clone();
                tokio::spawn(async move {
                    identity.key_create(ann.id, &name("k"), CallSource::Api, &Limits::default()).await.is_ok()
                })
            })
            .collect();
        for racer in racers {
            racer.await.unwrap();
        }
        assert_eq!(identity.key_list(Some(ann.id), Retired::Not, Page::default()).await.unwrap().items.len(), 1);
    }
}

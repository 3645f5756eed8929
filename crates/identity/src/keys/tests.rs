use super::store::{self, KeyRow};
use super::{Belongs, KeyAuthority, MOST, aad};
use crate::tests::world::World;
use crate::{IdentityError, KeyChange, KeyEnd, Retired};
use tacit_kernel::call::CallSource;
use tacit_kernel::ids::{AccountId, KeyId};
use tacit_kernel::limits::Limits;
use tacit_kernel::{Clock, Personal};
use tacit_storage::{Db, Page, ReadTx, WriteTx, both_engines};

both_engines! {
    async fn a_name_is_found_by_a_hash_that_tells_nothing_without_the_keyring(db: Db) {
        let (world, another) = (World::new(db.clone()).await, World::new(db).await);
        let (ann, ben) = (AccountId::fresh(), AccountId::fresh());
        let found = world.identity.key_lookup(ann, "laptop");
        assert_eq!(found, world.identity.key_lookup(ann, "laptop"));
        assert_ne!(found, world.identity.key_lookup(ben, "laptop"), "two accounts that name keys alike");
        assert_ne!(found, another.identity.key_lookup(ann, "laptop"), "who has the database and not the keyring");
    }

    async fn an_account_has_a_bounded_number_of_keys_in_use_or_not(db: Db) {
        let world = World::new(db.clone()).await;
        let account = world.person("ann").await.session.account;
        let make = async |name: &str| {
            let name = Personal::new(name.to_owned());
            world.identity.key_create(account, &name, CallSource::Api, &Limits::default()).await
        };
        let (first, _) = make("first").await.unwrap();
        world.identity.key_disable(first.id).await.unwrap();
        let now = world.clock.now();
        let fill = async |tx: &mut WriteTx<'_>| {
            let kept = store::key_by_id(tx, first.id).await?.unwrap();
            let subject = world.identity.subject_key(account).await?.unwrap();
            for n in 2..MOST {
                let mut hash = kept.hash;
                hash[..8].copy_from_slice(&n.to_be_bytes());
                let id = KeyId::fresh();
                let row = KeyRow {
                    id,
                    account,
                    belongs: Belongs::default(),
                    name_sealed: subject.seal(&aad(id.0), n.to_string().as_bytes()),
                    hash,
                    hint: kept.hint.clone(),
                    source: kept.source,
                    enabled: false,
                    disabled_by: KeyAuthority::Owner,
                    ended: None,
                    limits: Limits::default(),
                    limits_by: KeyAuthority::Owner,
                    created_at: now,
                    updated_at: now,
                    // As the program before made them.
                    name_lookup: None,
                    retired_at: None,
                };
                store::key_insert(tx, &row, "{}".to_owned()).await?;
            }
            Ok::<_, IdentityError>(())
        };
        let fill = &fill;
        db.write("test.fill", |tx| Box::pin(fill(tx))).await.unwrap();
        make("last").await.unwrap();
        assert!(matches!(make("one more").await, Err(IdentityError::TooMuch)));

        // Who puts one away has room for another.
        let retire = async |id: KeyId| {
            let retire = async |tx: &mut WriteTx<'_>| world.identity.key_retire_in_tx(tx, id).await;
            let retire = &retire;
            db.write("test.retire", |tx| Box::pin(retire(tx))).await
        };
        let last = world.identity.key_by_ref("ann/last").await.unwrap().unwrap();
        assert!(matches!(retire(last.id).await, Err(IdentityError::KeyInUse)));
        retire(first.id).await.unwrap();
        retire(first.id).await.unwrap();
        let again = make("first").await.unwrap().0;
        assert!(again.id != first.id && matches!(make("one more").await, Err(IdentityError::TooMuch)));
        let listed = world.identity.key_list(Some(account), Retired::Not, Page { after: None, limit: 2 }).await.unwrap().items;
        assert!(listed.iter().all(|key| key.id != first.id), "it is in no list");
        let all = world.identity.key_list(Some(account), Retired::Too, Page { after: None, limit: 2 }).await.unwrap().items;
        assert_eq!((all[0].id, all[0].retired_at), (first.id, Some(world.clock.now())), "but in one of all");
        let found = world.identity.key_by_ref(&first.id.to_string()).await.unwrap().unwrap();
        assert_eq!((found.enabled, found.ended), (false, Some(KeyEnd::Revoked)), "and there for what refers to it");
        let back = KeyChange { enabled: Some(true), ..KeyChange::default() };
        assert!(matches!(world.identity.key_update(first.id, &back).await, Err(IdentityError::KeyEnded)));

        // Names of before are found, and taken, before and after they are renewed.
        for renewed in [MOST - 2, 0] {
            assert!(world.identity.key_by_ref("ann/77").await.unwrap().is_some());
            let taken = KeyChange { name: Some(Personal::new("77".to_owned())), ..KeyChange::default() };
            assert!(matches!(world.identity.key_update(again.id, &taken).await, Err(IdentityError::KeyNameTaken)));
            assert_eq!(world.identity.names_renew().await.unwrap(), renewed);
        }
        let left = async |tx: &mut ReadTx<'_>| store::key_names(tx, account).await;
        let left = &left;
        assert_eq!(db.read("test.left", |tx| Box::pin(left(tx))).await.unwrap(), [], "no sealed name is opened to find one");
    }
}

//! What is done to a key on one authority cannot be undone on a lower one, and what ended a key holds for good.

use super::world::World;
use crate::tests::name;
use crate::{IdentityError, KeyAuthority, KeyChange, KeyEnd};
use tacit_kernel::call::CallSource;
use tacit_kernel::ids::{AccountId, KeyId};
use tacit_kernel::limits::Limits;
use tacit_storage::{Db, WriteTx, both_engines};

const ON: KeyChange = KeyChange { name: None, limits: None, enabled: Some(true), revoke: false };
const OFF: KeyChange = KeyChange { name: None, limits: None, enabled: Some(false), revoke: false };

fn limited(requests: u32) -> KeyChange {
    KeyChange {
        limits: Some(Limits { requests_per_minute: Some(requests), ..Limits::default() }),
        ..KeyChange::default()
    }
}

impl World {
    async fn change_key(
        &self,
        id: KeyId,
        by: KeyAuthority,
        change: &KeyChange,
    ) -> Result<crate::ApiKey, IdentityError> {
        self.db
            .write("test", |tx| Box::pin(async move { self.identity.key_update_in_tx(tx, (id, by), change).await }))
            .await
    }

    async fn customer(&self) -> AccountId {
        self.identity.account_create(&name("ann"), self.group, &Limits::default()).await.unwrap().id
    }
}

both_engines! {
    async fn only_who_may_as_much_enables_a_key_again(db: Db) {
        use KeyAuthority::{Admin, Owner, Staff};
        let world = World::new(db).await;
        let ann = world.customer().await;
        let (key, _) = world.identity.key_create(ann, &name("k"), CallSource::Api, &Limits::default()).await.unwrap();
        for (off, on) in [Owner, Admin, Staff].into_iter().flat_map(|off| [Owner, Admin, Staff].map(|on| (off, on))) {
            let disabled = world.change_key(key.id, off, &OFF).await.unwrap();
            assert_eq!((disabled.enabled, disabled.disabled_by), (false, off));
            let enabled = world.change_key(key.id, on, &ON).await;
            assert_eq!(enabled.is_ok(), on >= off, "{off:?} {on:?}");
            if on < off {
                assert!(matches!(enabled, Err(IdentityError::KeyHeld)));
                // Nor by disabling it once more first.
                assert_eq!(world.change_key(key.id, on, &OFF).await.unwrap().disabled_by, off);
                assert!(matches!(world.change_key(key.id, on, &ON).await, Err(IdentityError::KeyHeld)));
            }
            world.change_key(key.id, Staff, &ON).await.unwrap();
        }
        // Who disabled it last does not lower what holds it.
        world.change_key(key.id, Owner, &OFF).await.unwrap();
        assert_eq!(world.change_key(key.id, Staff, &OFF).await.unwrap().disabled_by, Staff);
    }

    async fn only_who_may_as_much_lifts_limits(db: Db) {
        use KeyAuthority::{Admin, Owner, Staff};
        let world = World::new(db).await;
        let ann = world.customer().await;
        let (key, _) = world.identity.key_create(ann, &name("k"), CallSource::Api, &Limits::default()).await.unwrap();
        assert_eq!(world.change_key(key.id, Owner, &limited(9)).await.unwrap().limits_by, Owner);
        assert_eq!(world.change_key(key.id, Staff, &limited(5)).await.unwrap().limits_by, Staff);
        for by in [Owner, Admin] {
            assert!(matches!(world.change_key(key.id, by, &limited(9)).await, Err(IdentityError::KeyHeld)));
            let none = KeyChange { limits: Some(Limits::default()), ..KeyChange::default() };
            assert!(matches!(world.change_key(key.id, by, &none).await, Err(IdentityError::KeyHeld)));
            // To say again what holds changes nothing.
            assert_eq!(world.change_key(key.id, by, &limited(5)).await.unwrap().limits_by, Staff);
        }
        let none = KeyChange { limits: Some(Limits::default()), ..KeyChange::default() };
        assert_eq!(world.change_key(key.id, Staff, &none).await.unwrap().limits_by, Owner);
        assert_eq!(world.change_key(key.id, Owner, &limited(3)).await.unwrap().limits_by, Owner);

        // Limits that a key was made with belong to who made it.
        let limits = limited(2).limits.unwrap();
        let (made, _) = world.identity.key_create(ann, &name("m"), CallSource::Api, &limits).await.unwrap();
        assert!(matches!(world.change_key(made.id, Owner, &limited(4)).await, Err(IdentityError::KeyHeld)));
    }

    async fn what_is_revoked_or_leaked_has_ended(db: Db) {
        let world = World::new(db).await;
        let ann = world.customer().await;
        let make = async |called: &str| {
            world.identity.key_create(ann, &name(called), CallSource::Api, &Limits::default()).await.unwrap()
        };
        let leak = async |secret: &secrecy::SecretString| {
            let report = async |tx: &mut WriteTx<'_>| {
                world.identity.leak_report_in_tx(tx, secret, [198, 51, 100, 1].into()).await
            };
            let report = &report;
            world.db.write("test", |tx| Box::pin(report(tx))).await.unwrap()
        };
        let (revoked, shown) = make("a").await;
        let revoke = KeyChange { revoke: true, ..KeyChange::default() };
        let after = world.change_key(revoked.id, KeyAuthority::Owner, &revoke).await.unwrap();
        assert_eq!((after.enabled, after.ended), (false, Some(KeyEnd::Revoked)));
        assert_eq!(leak(&shown).await, None);

        let (leaked, shown) = make("b").await;
        // Also one that is only disabled: its owner would take it into use again.
        world.change_key(leaked.id, KeyAuthority::Owner, &OFF).await.unwrap();
        assert_eq!(leak(&shown).await, Some(ann));
        assert_eq!(leak(&shown).await, None, "it is told once");
        for id in [revoked.id, leaked.id] {
            for by in [KeyAuthority::Owner, KeyAuthority::Staff] {
                assert!(matches!(world.change_key(id, by, &ON).await, Err(IdentityError::KeyEnded)));
            }
        }
        assert_eq!(world.change_key(leaked.id, KeyAuthority::Owner, &revoke).await.unwrap().ended, Some(KeyEnd::Leaked));
    }
}

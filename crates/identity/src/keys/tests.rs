use super::store::{self, KeyRow};
use super::{Belongs, KeyAuthority, MOST, aad};
use crate::IdentityError;
use crate::tests::world::World;
use tacit_kernel::call::CallSource;
use tacit_kernel::ids::KeyId;
use tacit_kernel::limits::Limits;
use tacit_kernel::{Clock, Personal};
use tacit_storage::{Db, WriteTx, both_engines};

both_engines! {
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
                };
                store::key_insert(tx, &row, "{}".to_owned()).await?;
            }
            Ok::<_, IdentityError>(())
        };
        let fill = &fill;
        db.write("test.fill", |tx| Box::pin(fill(tx))).await.unwrap();
        make("last").await.unwrap();
        assert!(matches!(make("one more").await, Err(IdentityError::TooMuch)));
    }
}

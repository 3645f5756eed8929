use super::world::{PASSWORD, World, origin, secret};
use crate::access::{BuiltInRole, Permission, Permissions, Scope, Scopes, Via};
use crate::roles::Acting;
use crate::{AccountChange, IdentityError};
use tacit_kernel::call::CallSource;
use tacit_kernel::keytext;
use tacit_kernel::limits::Limits;
use tacit_storage::{Db, Page, WriteTx, both_engines};

fn of(permissions: &[Permission]) -> Permissions {
    permissions.iter().copied().collect()
}

both_engines! {
    async fn nobody_gives_more_than_they_have_and_there_is_always_an_owner(db: Db) {
        let world = World::new(db).await;
        let identity = &world.identity;
        let (ann, ben) = (world.person("ann").await, world.person("ben").await.session.account);
        let account = ann.session.account;
        assert_eq!(identity.caller_by_session(&ann.token).await.unwrap().unwrap().permissions, Permissions::NONE);
        assert!(identity.role_grant(Acting::Operator, account, "owner").await.unwrap());
        assert!(!identity.role_grant(Acting::Operator, account, "owner").await.unwrap(), "once");
        assert_eq!(identity.caller_by_session(&ann.token).await.unwrap(), None, "a session does not grow under way");
        let again = identity.sign_in_with_password("ann", secret(PASSWORD), &origin(2)).await.unwrap();
        let owner = identity.caller_by_session(&again.token).await.unwrap().unwrap();
        assert_eq!((owner.permissions, owner.via), (Permissions::all(), Via::Session(again.session.id)));

        let support = Acting::With(BuiltInRole::Support.permissions());
        for role in ["owner", "admin"] {
            assert!(matches!(identity.role_grant(support, ben, role).await, Err(IdentityError::BeyondOwn)));
            assert!(matches!(identity.role_revoke(support, account, role).await, Err(IdentityError::BeyondOwn)));
        }
        let beyond = identity.role_put(support, "helper", of(&[Permission::MoneyChange])).await;
        assert!(matches!(beyond, Err(IdentityError::BeyondOwn)));
        assert!(matches!(identity.role_grant(Acting::Operator, ben, "nothing").await, Err(IdentityError::RoleNotFound)));
        assert!(matches!(identity.role_revoke(Acting::Operator, account, "owner").await, Err(IdentityError::OwnerLast)));
        identity.role_grant(Acting::With(owner.permissions), ben, "owner").await.unwrap();
        assert!(identity.role_revoke(Acting::Operator, account, "owner").await.unwrap());
        assert_eq!(identity.roles_of(ben).await.unwrap(), ["owner"]);
    }

    async fn an_owner_who_cannot_sign_in_is_none(db: Db) {
        let world = World::new(db).await;
        let identity = &world.identity;
        let (ann, ben) = (world.person("ann").await.session.account, world.person("ben").await.session.account);
        identity.role_grant(Acting::Operator, ann, "owner").await.unwrap();
        let off = AccountChange { enabled: Some(false), ..AccountChange::default() };
        assert!(matches!(identity.account_update(ann, &off).await, Err(IdentityError::OwnerLast)));
        identity.role_grant(Acting::Operator, ben, "owner").await.unwrap();
        identity.account_update(ben, &off).await.unwrap();
        assert!(matches!(identity.account_update(ann, &off).await, Err(IdentityError::OwnerLast)));
        assert!(matches!(identity.role_revoke(Acting::Operator, ann, "owner").await, Err(IdentityError::OwnerLast)));
        identity.role_revoke(Acting::Operator, ben, "owner").await.unwrap();
        assert_eq!(identity.roles_of(ann).await.unwrap(), ["owner"]);
    }

    async fn nobody_changes_the_roles_of_who_may_do_more(db: Db) {
        let world = World::new(db).await;
        let identity = &world.identity;
        let ann = world.person("ann").await.session.account;
        identity.role_grant(Acting::Operator, ann, "owner").await.unwrap();
        let reads = of(&[Permission::KeysRead]);
        let acting = Acting::With(reads);
        identity.role_put(acting, "reader", reads).await.unwrap();
        assert!(matches!(identity.role_grant(acting, ann, "reader").await, Err(IdentityError::BeyondReach)));
        identity.role_grant(Acting::Operator, ann, "reader").await.unwrap();
        assert!(matches!(identity.role_revoke(acting, ann, "reader").await, Err(IdentityError::BeyondReach)));
        let put = identity.role_put(acting, "reader", Permissions::NONE).await;
        assert!(matches!(put, Err(IdentityError::BeyondReach)), "it would sign her out");
    }

    async fn staff_gives_nothing_to_itself(db: Db) {
        let world = World::new(db.clone()).await;
        let identity = &world.identity;
        let (ann, ben) = (world.person("ann").await.session.account, world.person("ben").await.session.account);
        identity.role_grant(Acting::Operator, ann, "finance").await.unwrap();
        let engines = &crate::tests::name("Engines");
        let make = async |tx: &mut WriteTx<'_>| identity.organisation_create_in_tx(tx, ann, engines).await;
        let make = &make;
        let hers = db.write("test.make", |tx| Box::pin(make(tx))).await.unwrap().id;
        let gives = async |to| {
            let asks = async |tx: &mut tacit_storage::ReadTx<'_>| identity.not_their_own_in_tx(tx, ann, to).await;
            let asks = &asks;
            db.read("test.own", |tx| Box::pin(asks(tx))).await
        };
        assert!(gives(ben).await.is_ok());
        for own in [ann, hers] {
            assert!(matches!(gives(own).await, Err(IdentityError::OwnAccount)));
        }
        identity.role_grant(Acting::Operator, ann, "owner").await.unwrap();
        assert!(gives(ann).await.is_ok(), "an owner answers to nobody");
    }

    async fn roles_of_ones_own(db: Db) {
        let world = World::new(db).await;
        let identity = &world.identity;
        let ann = world.person("ann").await.session.account;
        for bad in ["owner", "", "two words", "a/b", "a:b"] {
            let refused = identity.role_put(Acting::Operator, bad, Permissions::NONE).await;
            assert!(matches!(refused, Err(IdentityError::RoleInvalid { .. })), "{bad}");
        }
        let reads = of(&[Permission::CallsRead, Permission::KeysRead]);
        identity.role_put(Acting::Operator, "reader", reads).await.unwrap();
        identity.role_grant(Acting::Operator, ann, "reader").await.unwrap();
        identity.role_grant(Acting::Operator, ann, "auditor").await.unwrap();
        let both = reads.union(BuiltInRole::Auditor.permissions());
        assert_eq!(identity.permissions_of(ann).await.unwrap(), both);
        let less = Acting::With(of(&[Permission::KeysRead]));
        let taking = identity.role_put(less, "reader", Permissions::NONE).await;
        assert!(matches!(taking, Err(IdentityError::BeyondOwn)), "nor is taken what one does not have");
        let token = identity.sign_in_with_password("ann", secret(PASSWORD), &origin(2)).await.unwrap().token;
        identity.role_put(Acting::Operator, "reader", of(&[Permission::KeysRead])).await.unwrap();
        assert_eq!(identity.caller_by_session(&token).await.unwrap(), None);
        assert!(matches!(identity.role_delete(Acting::Operator, "reader").await, Err(IdentityError::RoleInUse)));
        assert_eq!(identity.staff(None, 10).await.unwrap().len(), 2);
        identity.role_revoke(Acting::Operator, ann, "reader").await.unwrap();
        identity.role_delete(Acting::Operator, "reader").await.unwrap();
        assert!(matches!(identity.role_delete(Acting::Operator, "reader").await, Err(IdentityError::RoleNotFound)));
        assert_eq!(identity.custom_roles().await.unwrap(), []);
    }

    async fn a_management_key_may_what_its_owner_may_as_far_as_it_says(db: Db) {
        let world = World::new(db.clone()).await;
        let identity = &world.identity;
        let ann = world.person("ann").await.session.account;
        let name = &crate::tests::name("deploy");
        let scopes: Scopes = [Scope::KeysRead, Scope::WalletRead].into_iter().collect();
        let create = async |permissions: Permissions, expires_at| {
            let create = async |tx: &mut WriteTx<'_>| {
                identity.management_key_create_in_tx(tx, ann, name, (scopes, permissions), expires_at).await
            };
            let create = &create;
            db.write("test.create", |tx| Box::pin(create(tx))).await
        };
        let reads = of(&[Permission::CallsRead]);
        assert!(matches!(create(reads, None).await, Err(IdentityError::BeyondOwn)));
        identity.role_grant(Acting::Operator, ann, "admin").await.unwrap();
        let (key, secret_text) = create(reads, None).await.unwrap();
        assert!(key.hint.starts_with("tm-…") && !keytext::well_formed(&format!("{secret_text:?}")));
        let caller = identity.caller_by_management_key(&secret_text).await.unwrap().unwrap();
        assert_eq!((caller.account, caller.permissions, caller.stepped_up), (ann, reads, false));
        assert_eq!((caller.via, key.scopes), (Via::ManagementKey(key.id, scopes), scopes));
        assert_eq!(identity.caller_by_session(&secret_text).await.unwrap(), None, "it is no session");
        identity.role_revoke(Acting::Operator, ann, "admin").await.unwrap();
        let caller = identity.caller_by_management_key(&secret_text).await.unwrap().unwrap();
        assert_eq!(caller.permissions, Permissions::NONE, "it loses what its owner loses");
        let ben = world.person("ben").await.session.account;
        let revoke = async |of, id| {
            let revoke = async |tx: &mut WriteTx<'_>| identity.management_key_revoke_in_tx(tx, of, id).await;
            let revoke = &revoke;
            db.write("test.revoke", |tx| Box::pin(revoke(tx))).await
        };
        assert!(matches!(revoke(ben, key.id).await, Err(IdentityError::KeyNotFound)));
        revoke(ann, key.id).await.unwrap();
        assert_eq!(identity.caller_by_management_key(&secret_text).await.unwrap(), None);
        let listed = async || identity.management_key_list(ann, Default::default()).await.unwrap().items.len();
        assert_eq!(listed().await, 1, "what was revoked is shown for a while");
        world.clock.advance_micros(91 * 24 * crate::tests::world::HOUR);
        identity.forget_step().await.unwrap();
        assert_eq!(listed().await, 0);
        let soon = tacit_kernel::Clock::now(&*world.clock).plus_micros(1);
        let (_, brief) = create(Permissions::NONE, Some(soon)).await.unwrap();
        assert!(identity.caller_by_management_key(&brief).await.unwrap().is_some());
        world.clock.advance_micros(1);
        assert_eq!(identity.caller_by_management_key(&brief).await.unwrap(), None);
        let listed = identity.management_key_list(ann, Page::default()).await.unwrap().items;
        assert_eq!(listed.iter().map(|key| key.enabled).collect::<Vec<_>>(), [true]);
    }

    async fn whoever_finds_a_key_may_end_it(db: Db) {
        let world = World::new(db.clone()).await;
        let identity = &world.identity;
        let ann = world.person("ann").await.session.account;
        let (model, model_secret) =
            identity.key_create(ann, &crate::tests::name("laptop"), CallSource::Api, &Limits::default()).await.unwrap();
        let name = &crate::tests::name("deploy");
        let create = async |tx: &mut WriteTx<'_>| {
            identity.management_key_create_in_tx(tx, ann, name, (Scopes::NONE, Permissions::NONE), None).await
        };
        let create = &create;
        let (_, management) = db.write("test.create", |tx| Box::pin(create(tx))).await.unwrap();
        let report = async |text: &secrecy::SecretString, from: u8| {
            let address = origin(from).address;
            let report = async |tx: &mut WriteTx<'_>| identity.leak_report_in_tx(tx, text, address).await;
            let report = &report;
            db.write("test.report", |tx| Box::pin(report(tx))).await
        };
        assert_eq!(report(&secret("sk-not-a-key"), 7).await.unwrap(), None);
        let strange = keytext::generate(&mut rand::rng());
        assert_eq!(report(&strange, 7).await.unwrap(), None);
        let before = crate::tests::feed(&db).await.len();
        assert_eq!(report(&model_secret, 7).await.unwrap(), Some(ann));
        assert!(!identity.key_by_ref(&model.id.to_string()).await.unwrap().unwrap().enabled);
        assert_eq!(crate::tests::feed(&db).await.len(), before + 2, "gateways are told");
        assert_eq!(report(&model_secret, 7).await.unwrap(), None, "once");
        assert_eq!(report(&management, 7).await.unwrap(), Some(ann));
        assert_eq!(identity.caller_by_management_key(&management).await.unwrap(), None);
        let mut refused = 0;
        for _ in 0..40 {
            refused += usize::from(report(&keytext::generate(&mut rand::rng()), 8).await.is_err());
        }
        assert!(refused > 10, "keys cannot be tried out here");
    }

    async fn a_report_of_many_is_one_try_and_none_if_it_was_right(db: Db) {
        let world = World::new(db.clone()).await;
        let identity = &world.identity;
        let ann = world.person("ann").await.session.account;
        let report = async |found: &[secrecy::SecretString], from: u8| {
            let address = origin(from).address;
            let report = async |tx: &mut WriteTx<'_>| identity.leaks_report_in_tx(tx, found, address).await;
            let report = &report;
            db.write("test.report", |tx| Box::pin(report(tx))).await
        };
        let strange = || keytext::generate(&mut rand::rng());
        let many: Vec<_> = (0..100).map(|_| strange()).collect();
        assert!(report(&many, 7).await.is_ok() && report(&many, 7).await.is_ok(), "a hundred are one");
        let mut refused = 0;
        for _ in 0..40 {
            refused += usize::from(report(&[strange()], 8).await.is_err());
        }
        assert!(refused > 10, "keys cannot be tried out here");
        for n in 0..40 {
            let name = crate::tests::name(&format!("found {n}"));
            let (_, secret) = identity.key_create(ann, &name, CallSource::Api, &Limits::default()).await.unwrap();
            let owners = report(&[secret, strange()], 9).await.unwrap();
            assert_eq!(owners.into_iter().collect::<Vec<_>>(), [ann], "who goes through what was found does not wait");
        }
    }
}

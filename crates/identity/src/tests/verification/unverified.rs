use super::*;
use crate::KeyChange;
use crate::access::{Permissions, Scopes};
use crate::organisations::OrganisationRole;
use crate::verification::{Restricted, UnverifiedRules};
use tacit_kernel::Nano;
use tacit_kernel::call::CallSource;
use tacit_kernel::limits::Limits;
use tacit_storage::changes::Change;

fn bounded() -> UnverifiedRules {
    UnverifiedRules {
        api_keys: Some(1),
        management_keys: false,
        organisations: false,
        spend_per_day: Some(Nano(5)),
        models: Some(vec!["small".into()]),
        ..UnverifiedRules::default()
    }
}

both_engines! {
    async fn who_was_not_verified_may_less(db: Db) {
        let world = world_with(db.clone(), VerificationRules { unverified: bounded(), ..rules() }).await;
        let identity = &world.identity;
        let ann = world.account("ann").await;
        let key = async |name: &str| {
            identity.key_create(ann, &crate::tests::name(name), CallSource::Api, &Limits::default()).await
        };
        let management_key = async || {
            let name = &crate::tests::name("deploy");
            let create = async |tx: &mut WriteTx<'_>| {
                identity.management_key_create_in_tx(tx, ann, name, (Scopes::NONE, Permissions::NONE), None).await
            };
            let create = &create;
            db.write("test.create", |tx| Box::pin(create(tx))).await
        };
        let organisation = async || {
            let may = async |tx: &mut ReadTx<'_>| identity.unverified_may_in_tx(tx, ann, Restricted::Organisation).await;
            let may = &may;
            db.read("test.may", |tx| Box::pin(may(tx))).await
        };
        let (first, _) = key("one").await.unwrap();
        assert!(is(&key("two").await, VerificationError::Required));
        // One that is disabled is not in use, and cannot come back beside another.
        identity.key_disable(first.id).await.unwrap();
        key("two").await.unwrap();
        let back = KeyChange { enabled: Some(true), ..KeyChange::default() };
        assert!(is(&identity.key_update(first.id, &back).await, VerificationError::Required));
        assert!(is(&management_key().await, VerificationError::Required));
        assert!(is(&organisation().await, VerificationError::Required));

        let case = world.submitted(ann, &enterprise()).await;
        world.decide(case.id, staff(), Verdict::Approve).await.unwrap();
        identity.key_update(first.id, &back).await.unwrap();
        key("three").await.unwrap();
        management_key().await.unwrap();
        organisation().await.unwrap();
    }

    async fn calls_are_bounded_until_the_verdict_and_gateways_are_told(db: Db) {
        let world = world_with(db.clone(), VerificationRules { unverified: bounded(), ..rules() }).await;
        let identity = &world.identity;
        let ann = world.account("ann").await;
        let (_, secret) =
            identity.key_create(ann, &crate::tests::name("k"), CallSource::Api, &Limits::default()).await.unwrap();
        let hash = identity.key_hash(&secret);
        let limits = async || identity.key_grant_by_hash(hash).await.unwrap().unwrap().account_limits;
        let narrow = Limits { spend_per_day: Some(Nano(5)), models: Some(vec!["small".into()]), ..Limits::default() };
        assert_eq!(limits().await, narrow);
        let own = Limits { spend_per_day: Some(Nano(3)), models: Some(vec!["large".into()]), ..Limits::default() };
        let change = crate::AccountChange { limits: Some(own.clone()), ..crate::AccountChange::default() };
        identity.account_update(ann, &change).await.unwrap();
        let both = Limits { models: Some(vec![]), ..own.clone() };
        assert_eq!(limits().await, both, "nothing is wider than what is set for the account");

        let case = world.submitted(ann, &person()).await;
        let before = crate::tests::feed(&db).await.len();
        world.decide(case.id, staff(), Verdict::AskMore(VerdictReason::Incomplete)).await.unwrap();
        world.submit(&case, false).await.unwrap();
        assert_eq!((limits().await, crate::tests::feed(&db).await.len()), (both, before));
        world.decide(case.id, staff(), Verdict::Approve).await.unwrap();
        assert_eq!(limits().await, own);
        assert_eq!(crate::tests::feed(&db).await[before..], [Change::Account(ann)]);
        // Forgetting what the case said does not take it back.
        world.clock.advance_micros(8 * DAY);
        while identity.forget_step().await.unwrap() {}
        assert_eq!(limits().await, own);
    }

    async fn who_may_not_call_may_use_no_model(db: Db) {
        let unverified = UnverifiedRules { calls: false, ..UnverifiedRules::default() };
        let world = world_with(db, VerificationRules { unverified, ..rules() }).await;
        let ann = world.account("ann").await;
        let made = world.identity.key_create(ann, &crate::tests::name("k"), CallSource::Api, &Limits::default()).await;
        let hash = world.identity.key_hash(&made.unwrap().1);
        let facts = world.identity.key_grant_by_hash(hash).await.unwrap().unwrap();
        assert_eq!(facts.account_limits, Limits { models: Some(vec![]), ..Limits::default() });
    }

    async fn an_organisation_is_verified_as_its_owner_is(db: Db) {
        let world = world_with(db.clone(), rules()).await;
        let ann = world.account("ann").await;
        let organisation = world.organisation(ann).await.unwrap().id;
        // The operator bounds calls when there are organisations already.
        let unverified = UnverifiedRules { calls: false, ..UnverifiedRules::default() };
        let strict = world.identity.clone().with_verification(VerificationRules { unverified, ..rules() });
        let world = World { identity: strict, ..world };
        let identity = &world.identity;
        assert!(is(&world.organisation(ann).await, VerificationError::Required), "nor another one");
        let bob = world.member((organisation, ann), "bob", OrganisationRole::Admin).await;
        let (_, secret) = world.key((organisation, bob), (None, None), "k").await.unwrap();
        let serves = async || {
            let facts = identity.key_grant_by_hash(identity.key_hash(&secret)).await.unwrap().unwrap();
            facts.account_limits == Limits::default()
        };
        let told = async |since: usize| crate::tests::feed(&db).await[since..].contains(&Change::Account(organisation));
        // A member who was verified is not who answers for it.
        let case = world.submitted(bob, &enterprise()).await;
        world.decide(case.id, staff(), Verdict::Approve).await.unwrap();
        assert!(!serves().await);
        let before = crate::tests::feed(&db).await.len();
        let case = world.submitted(ann, &person()).await;
        world.decide(case.id, staff(), Verdict::Approve).await.unwrap();
        assert!(serves().await && told(before).await);

        let carl = world.member((organisation, ann), "carl", OrganisationRole::Admin).await;
        let before = crate::tests::feed(&db).await.len();
        let another = Details::new("李四", Document::IdCard, "440524188001010014").unwrap();
        let handed = world.hand_over((organisation, ann), carl).await;
        assert!(is(&handed, VerificationError::Required), "nor one that is given");
        assert!(serves().await && !told(before).await);
        let case = world.submitted(carl, &another).await;
        world.decide(case.id, staff(), Verdict::Approve).await.unwrap();
        world.hand_over((organisation, ann), carl).await.unwrap();
        assert!(serves().await && told(before).await);
    }
}

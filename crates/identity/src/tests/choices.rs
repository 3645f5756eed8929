//! What people decide holds for whatever is done with their data, and which decision held when can be told later.

use super::world::World;
use super::*;
use crate::choices::{ChoiceVia, Matter, digest};
use crate::organisations::OrganisationRole;
use tacit_kernel::Clock as _;
use tacit_kernel::datamap::Purpose;
use tacit_storage::WriteTx;

async fn choose(db: &Db, identity: &Identity, account: AccountId, choice: (Matter, bool)) {
    let choose = async |tx: &mut WriteTx<'_>| {
        identity.choose_in_tx(tx, account, choice, (ChoiceVia::Person, &digest(choice.0))).await
    };
    let choose = &choose;
    db.write("test.choose", |tx| Box::pin(choose(tx))).await.unwrap();
}

both_engines! {
    async fn the_newest_decision_holds_and_the_others_are_kept(db: Db) {
        let (identity, clock) = service(db.clone()).await;
        let group = identity.group_put("default", Ppm::ONE).await.unwrap();
        let ann = identity.account_create(&name("ann"), group.id, &Limits::default()).await.unwrap().id;
        let bob = identity.account_create(&name("bob"), group.id, &Limits::default()).await.unwrap().id;
        let limits = Limits::default();
        let (_, secret) = identity.key_create(ann, &name("laptop"), CallSource::Api, &limits).await.unwrap();
        let restricted = async || {
            let facts = identity.key_grant_by_hash(identity.key_hash(&secret)).await.unwrap().unwrap();
            assert!(facts.key_enabled && facts.account_enabled);
            facts.restricted
        };
        let begun = clock.now();
        for (at, allowed) in [true, false, true, false].into_iter().enumerate() {
            clock.advance_micros(1);
            choose(&db, &identity, ann, (Matter::Improvement, allowed)).await;
            let choices = identity.choices(ann).await.unwrap();
            assert_eq!((choices.allows(Matter::Improvement), choices.allows(Matter::Use)), (allowed, true));
            assert_eq!(identity.choices_made(ann, Page::default()).await.unwrap().items.len(), at + 1);
            assert!(!restricted().await);
        }
        assert!(!identity.choices(bob).await.unwrap().allows(Matter::Improvement), "hers are hers");
        let refused = identity.refused(ann, Purpose::Improvement).await.unwrap();
        assert_eq!((refused, identity.refused(ann, Purpose::Support).await.unwrap()), (Some(Matter::Improvement), None));

        let before = feed(&db).await.len();
        choose(&db, &identity, ann, (Matter::Use, false)).await;
        assert_eq!(feed(&db).await[before..], [Change::Account(ann), Change::Recall { account: ann, but: None }]);
        assert!(restricted().await);
        choose(&db, &identity, ann, (Matter::Use, false)).await;
        assert_eq!(feed(&db).await.len(), before + 2, "nothing is told twice");
        for (purpose, stops) in [(Purpose::Support, true), (Purpose::Inference, true), (Purpose::Law, false), (Purpose::Security, false)] {
            assert_eq!(identity.refused(ann, purpose).await.unwrap().is_some(), stops, "{purpose:?}");
        }
        choose(&db, &identity, ann, (Matter::Use, true)).await;
        assert!(!restricted().await);

        // What holds is kept however old it is; what was before goes.
        let late = clock.now().plus_micros(1);
        let forget = async |tx: &mut WriteTx<'_>| crate::choices::forget_in_tx(tx, late, late).await;
        let forget = &forget;
        assert_eq!(db.write("test.forget", |tx| Box::pin(forget(tx))).await.unwrap(), 4);
        let left = identity.choices_made(ann, Page::default()).await.unwrap().items;
        assert_eq!(left.iter().map(|choice| (choice.matter, choice.allowed)).collect::<Vec<_>>(), [(Matter::Use, true), (Matter::Improvement, false)]);
        assert!(left.iter().all(|choice| choice.decided_at >= begun && choice.wording == digest(choice.matter)));
    }

    async fn keys_that_somebody_has_elsewhere_serve_no_more_either(db: Db) {
        let world = World::new(db.clone()).await;
        let ann = world.somebody("ann").await;
        let id = world.organisation(ann).await.unwrap().id;
        let bob = world.member((id, ann), "bob", OrganisationRole::Developer).await;
        let (_, secret) = world.key((id, bob), (None, None), "laptop").await.unwrap();
        let restricted = async || {
            let hash = world.identity.key_hash(&secret);
            world.identity.key_grant_by_hash(hash).await.unwrap().unwrap().restricted
        };
        assert!(!restricted().await);
        let before = feed(&db).await.len();
        choose(&db, &world.identity, bob, (Matter::Use, false)).await;
        assert!(restricted().await);
        assert!(feed(&db).await[before..].contains(&Change::Account(id)), "the organisation's keys are looked up anew");
    }
}

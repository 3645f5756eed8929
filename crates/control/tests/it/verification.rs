//! What gateways may do for who was not verified, over the link: the grant has the narrower limits, and a verdict reaches a
//! gateway that holds the old one at once.

use crate::links::next;
use crate::world::World;
use tacit_identity::IdentityError;
use tacit_identity::verification::{
    Deciding, Details, Document, KindRules, UnverifiedRules, Verdict, VerificationRules, VerificationWay,
};
use tacit_kernel::Nano;
use tacit_kernel::ids::AccountId;
use tacit_kernel::limits::Limits;
use tacit_link::convert;
use tacit_link::wire::{KeyRequest, update::Kind};
use tacit_storage::{Db, WriteTx, both_engines};

fn rules() -> VerificationRules {
    VerificationRules {
        person: KindRules { way: Some(VerificationWay::Staff), papers: Vec::new() },
        unverified: UnverifiedRules {
            spend_per_month: Some(Nano(7)),
            models: Some(vec!["small".into()]),
            ..UnverifiedRules::default()
        },
        ..VerificationRules::default()
    }
}

both_engines! {
    async fn a_verdict_reaches_gateways_at_once(db: Db) {
        let mut world = World::new(db).await;
        world.identity = world.identity.clone().with_verification(rules());
        let control = world.start().await;
        let mut gateway = world.gateway("one").await;
        let mut updates = gateway.watch().await;
        let (session, hash, mut client) = (gateway.session.clone(), world.hash.to_vec(), gateway.client.clone());
        let mut limits = async || {
            let asked = KeyRequest { session: session.clone(), hash: hash.clone() };
            let grant = client.key(asked).await.unwrap().into_inner().grant.unwrap();
            convert::limits(&grant.account_limits_json).unwrap()
        };
        let narrow =
            Limits { spend_per_month: Some(Nano(7)), models: Some(vec!["small".into()]), ..Limits::default() };
        assert_eq!(limits().await, narrow);

        let (identity, account) = (&world.identity, world.account);
        let details = &Details::new("张三", Document::IdCard, "11010519491231002X").unwrap();
        let approve = async |tx: &mut WriteTx<'_>| {
            let case = identity.case_open_in_tx(tx, account, details).await?;
            identity.case_submit_in_tx(tx, (account, case.id), false).await?;
            let by = Deciding::Staff(AccountId::fresh());
            identity.case_decide_in_tx(tx, case.id, by, Verdict::Approve, None).await?;
            Ok::<_, IdentityError>(())
        };
        let approve = &approve;
        world.db.write("test.approve", |tx| Box::pin(approve(tx))).await.unwrap();
        // What comes first tells of the catalogue.
        loop {
            if let Kind::Invalidate(invalidate) = next(&mut updates).await
                && invalidate.accounts.contains(&convert::id_bytes(account))
            {
                break;
            }
        }
        assert_eq!(limits().await, Limits::default());
        control.stop().await;
    }
}

//! Somebody is erased by another control plane: this one and its gateways forget them at its next look, and the turn that
//! makes it final comes by itself.

use crate::links::next;
use crate::world::{World, until};
use std::sync::Arc;
use tacit_kernel::audit::{Action, ActorKind, Phase};
use tacit_kernel::{Clock, SystemClock};
use tacit_link::convert;
use tacit_link::wire::{KeyRequest, update::Kind};
use tacit_storage::audit::{Audit, Filter};
use tacit_storage::changes::{self, Change};
use tacit_storage::testing::test_key_stores;
use tacit_storage::{Db, both_engines};

both_engines! {
    async fn who_was_erased_elsewhere_is_forgotten_at_the_next_look_and_then_for_good(db: Db) {
        let [other, here] = test_key_stores(&Arc::new(SystemClock)).await;
        let world = World::with_keys(db, Arc::clone(&here)).await;
        let control = world.start().await;
        let mut gateway = world.gateway("one").await;
        let mut updates = gateway.watch().await;
        let (session, hash, mut client) = (gateway.session.clone(), world.hash.to_vec(), gateway.client.clone());
        let mut grant = async || {
            let asked = KeyRequest { session: session.clone(), hash: hash.clone() };
            client.key(asked).await.unwrap().into_inner().grant
        };
        assert!(grant().await.is_some());
        let account = world.account;
        assert!(here.get(account.0).await.unwrap().is_some());

        let destroyed = other.destroy(&[account.0]).await.unwrap();
        assert_eq!(destroyed.keys, 1);
        // Nobody told this process: it looks by itself.
        until("the key is forgotten", async || here.get(account.0).await.unwrap().is_none()).await;
        assert!(grant().await.is_none(), "and no gateway gets it any more");
        // Those that have it drop it when they hear of the account.
        let now = SystemClock.now();
        let said = world.db.write("test.erased", |tx| {
            Box::pin(async move { changes::append(tx, &Change::Account(account), now).await })
        });
        said.await.unwrap();
        control.nudge();
        loop {
            if let Kind::Invalidate(invalidate) = next(&mut updates).await
                && invalidate.accounts.contains(&convert::id_bytes(account))
            {
                break;
            }
        }
        until("the turn is over", async || here.is_final(destroyed.epoch).await.unwrap()).await;
        let audit = Audit::new(world.db.clone(), here, Arc::new(SystemClock));
        let entries = audit.list(&Filter::default(), None, 50).await.unwrap();
        let begun = |e: &&tacit_storage::audit::Entry| e.kept.action == Action::KeyringRotate.as_str() && e.kept.phase == Phase::Begun.as_str();
        let turns: Vec<_> = entries.iter().filter(begun).collect();
        assert_eq!(turns.len(), 1, "the turn was written down");
        assert_eq!(turns[0].kept.actor_kind, ActorKind::System.as_str());
        control.stop().await;
    }
}

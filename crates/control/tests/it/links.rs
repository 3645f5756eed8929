//! What gateways are told, and what they may ask.

use crate::world::{World, flat, until};
use std::time::{Duration, Instant};
use tacit_control::ControlConfig;
use tacit_identity::KeyChange;
use tacit_identity::choices::{ChoiceVia, Matter};
use tacit_link::wire::{self, update::Kind};
use tacit_link::{Checked, convert};
use tacit_storage::{Db, SqlText, StorageError, WriteTx, both_engines};
use tonic::Streaming;

pub(crate) async fn next(updates: &mut Streaming<wire::Update>) -> Kind {
    loop {
        let update = tokio::time::timeout(Duration::from_secs(10), updates.message()).await.unwrap().unwrap().unwrap();
        update.check().unwrap();
        match update.kind.unwrap() {
            Kind::Tick(_) => {}
            other => return other,
        }
    }
}

async fn catalog(updates: &mut Streaming<wire::Update>) -> wire::Catalog {
    loop {
        if let Kind::Catalog(catalog) = next(updates).await {
            return catalog;
        }
    }
}

both_engines! {
    async fn the_catalogue_comes_first_and_every_change_within_a_second(db: Db) {
        let world = World::new(db).await;
        let control = world.start().await;
        let other = world.start_as("other.sock", ControlConfig::LOST_AFTER).await;
        let mut gateway = world.gateway("one").await;
        let mut updates = gateway.watch().await;
        let Kind::Catalog(first) = next(&mut updates).await else { panic!("the catalogue comes first") };
        assert_eq!((first.models.len(), first.channels.len()), (1, 1));
        assert_eq!(first.models[0].routes[0].upstream_model, "upstream-name");
        assert_eq!(first.channels[0].credentials[0].secret, b"provider-secret");
        assert_eq!(convert::price(&first.models[0].price_json), Ok(flat(1_000_000_000, 10_000_000_000)));
        assert!(matches!(next(&mut updates).await, Kind::Invalidate(i) if i.everything));

        // Another process writes, and only the database tells of it; nobody nudges.
        let changed = Instant::now();
        world.catalog.price_put(world.model, &flat(5, 6), None).await.unwrap();
        let second = catalog(&mut updates).await;
        assert!(changed.elapsed() < Duration::from_secs(1), "{:?}", changed.elapsed());
        assert_eq!(convert::price(&second.models[0].price_json), Ok(flat(5, 6)));
        assert!(second.version > first.version);

        world.identity.key_update(world.key, &KeyChange { enabled: Some(false), ..KeyChange::default() }).await.unwrap();
        control.nudge();
        let Kind::Invalidate(what) = next(&mut updates).await else { panic!("the key comes next") };
        assert_eq!(what.key_hashes, [world.hash.to_vec()]);
        let Kind::Recall(recall) = next(&mut updates).await else { panic!("then what its account has here") };
        assert_eq!(recall.account, convert::id_bytes(world.account));
        world.top_up(1).await;
        let Kind::Invalidate(what) = next(&mut updates).await else { panic!("the account comes next") };
        assert_eq!(what.accounts, [convert::id_bytes(world.account)]);
        other.stop().await;
        control.stop().await;
        assert!(updates.message().await.is_ok_and(|end| end.is_none()));
    }

    async fn an_announced_price_is_followed_by_the_one_after_it(db: Db) {
        let world = World::new(db).await;
        let control = world.start().await;
        let mut gateway = world.gateway("one").await;
        let mut updates = gateway.watch().await;
        catalog(&mut updates).await;
        let now = tacit_kernel::Clock::now(&tacit_kernel::SystemClock);
        let soon = now.plus_micros(1_500_000);
        world.catalog.price_put(world.model, &flat(2, 2), Some(soon)).await.unwrap();
        world.catalog.price_put(world.model, &flat(3, 3), Some(soon.plus_micros(3_600_000_000))).await.unwrap();
        let mut told = catalog(&mut updates).await.models.remove(0);
        while told.next_price.is_none() {
            told = catalog(&mut updates).await.models.remove(0);
        }
        assert_eq!(convert::price(&told.next_price.unwrap().json), Ok(flat(2, 2)));
        // At its moment, without any change in the database.
        let mut told = catalog(&mut updates).await.models.remove(0);
        while convert::price(&told.price_json) != Ok(flat(2, 2)) {
            told = catalog(&mut updates).await.models.remove(0);
        }
        assert_eq!(convert::price(&told.next_price.unwrap().json), Ok(flat(3, 3)));
        control.stop().await;
    }

    async fn a_key_is_known_by_its_hash_alone(db: Db) {
        let world = World::new(db).await;
        let control = world.start().await;
        let mut gateway = world.gateway("one").await;
        let ask = |hash: Vec<u8>| wire::KeyRequest { session: gateway.session.clone(), hash };
        let (known, unknown) = (ask(world.hash.to_vec()), ask(vec![7; 32]));
        assert_eq!(gateway.client.key(unknown).await.unwrap().into_inner(), wire::KeyReply { grant: None });
        let reply = gateway.client.key(known).await.unwrap().into_inner();
        reply.check().unwrap();
        let grant = reply.grant.unwrap();
        assert_eq!(grant.account, convert::id_bytes(world.account));
        assert_eq!((grant.key_disabled, grant.account_disabled, grant.group_multiplier_ppm), (false, false, 1_000_000));
        assert_eq!(grant.seal_key.len(), 32);
        assert_eq!(grant.account_spend.unwrap().total, 0);
        control.stop().await;
    }

    async fn whoever_wants_their_data_kept_and_not_used_is_told_to_gateways_at_once(db: Db) {
        let world = World::new(db.clone()).await;
        let control = world.start().await;
        let mut gateway = world.gateway("one").await;
        let mut updates = gateway.watch().await;
        let known = wire::KeyRequest { session: gateway.session.clone(), hash: world.hash.to_vec() };
        for allowed in [false, true] {
            let identity = &world.identity;
            let choose = async |tx: &mut WriteTx<'_>| {
                identity.choose_in_tx(tx, world.account, (Matter::Use, allowed), (ChoiceVia::Person, "w")).await
            };
            let choose = &choose;
            db.write("test.choose", |tx| Box::pin(choose(tx))).await.unwrap();
            loop {
                let update = tokio::time::timeout(Duration::from_secs(8), updates.message()).await.unwrap();
                let Some(Kind::Invalidate(what)) = update.unwrap().unwrap().kind else { continue };
                if what.accounts.contains(&convert::id_bytes(world.account)) {
                    break;
                }
            }
            let grant = gateway.client.key(known.clone()).await.unwrap().into_inner().grant.unwrap();
            assert_eq!((grant.restricted, grant.account_disabled), (!allowed, false));
        }
        control.stop().await;
    }

    async fn a_link_that_is_lost_is_not_counted(db: Db) {
        let world = World::new(db).await;
        let control = world.start().await;
        let mut gateway = world.gateway("one").await;
        let updates = gateway.watch().await;
        let links = |n: u32| format!("tacit_control_links {n}\n");
        until("it is counted", async || control.metrics_text().contains(&links(1))).await;
        drop(updates);
        until("it is not counted", async || control.metrics_text().contains(&links(0))).await;
        control.stop().await;
    }

    async fn ticks_and_the_stop_do_not_wait_for_the_database(db: Db) {
        let world = World::new(db.clone()).await;
        let control = world.start_as("link.sock", Duration::from_millis(80)).await;
        let mut gateway = world.gateway("one").await;
        let mut updates = gateway.watch().await;
        let holding = tokio::spawn(async move {
            let hold = async |tx: &mut WriteTx<'_>| {
                tx.query(SqlText::new("UPDATE gateway_sessions SET seen_at = seen_at")).await?;
                std::future::pending::<Result<(), StorageError>>().await
            };
            let hold = &hold;
            db.write("test.hold", |tx| Box::pin(hold(tx))).await
        });
        // By then a look is under way.
        tokio::time::sleep(Duration::from_millis(500)).await;
        while let Ok(update) = tokio::time::timeout(Duration::from_millis(1), updates.message()).await {
            update.unwrap().unwrap();
        }
        let update = tokio::time::timeout(Duration::from_secs(8), updates.message()).await.unwrap();
        assert!(matches!(update.unwrap().unwrap().kind, Some(Kind::Tick(_))));
        control.stop().await;
        while let Ok(Some(_)) = updates.message().await {}
        holding.abort();
    }

    async fn it_stops_whoever_else_holds_it(db: Db) {
        let world = World::new(db).await;
        let control = std::sync::Arc::new(world.start().await);
        let probe = std::sync::Arc::clone(&control);
        let mut gateway = world.gateway("one").await;
        let mut updates = gateway.watch().await;
        control.stop().await;
        while let Ok(Some(_)) = updates.message().await {}
        assert!(!probe.ready());
    }
}

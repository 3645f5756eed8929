use super::world::{HOUR, PASSWORD, World, origin, secret};
use crate::devices::NewDevice;
use crate::sessions::Origin;
use tacit_storage::{Db, Sql, both_engines};

const DAY: i64 = 24 * HOUR;

async fn signs_in(world: &World, from: &Origin) -> Option<NewDevice> {
    world.identity.sign_in_with_password("ann", secret(PASSWORD), from).await.unwrap().new_device
}

both_engines! {
    async fn a_device_is_known_by_its_cookie_until_it_was_not_seen_for_long(db: Db) {
        let world = World::new(db).await;
        let first = world.person("ann").await.new_device.unwrap().token.unwrap();
        let known = origin(9).known_by(Some(first.clone()));
        assert!(signs_in(&world, &known).await.is_none(), "from wherever it is");
        let second = signs_in(&world, &origin(1)).await.unwrap().token.unwrap();
        let foreign = origin(1).known_by(Some(secret("of-another-account")));
        assert!(signs_in(&world, &foreign).await.unwrap().token.is_none(), "it keeps what it has");
        assert!(signs_in(&world, &foreign).await.is_none());
        let long = origin(1).known_by(Some(secret(&"x".repeat(65))));
        assert!(signs_in(&world, &long).await.unwrap().token.is_some(), "that is none of ours");
        world.clock.advance_micros(100 * DAY);
        assert!(signs_in(&world, &known).await.is_none());
        world.clock.advance_micros(100 * DAY);
        world.identity.forget_step().await.unwrap();
        assert!(signs_in(&world, &known).await.is_none(), "it was seen since");
        let away = origin(1).known_by(Some(second));
        assert!(signs_in(&world, &away).await.is_some());
    }

    async fn it_is_new_only_when_all_was_shown_and_there_is_a_bounded_number(db: Db) {
        const COUNT: Sql = Sql::new("SELECT COUNT(*) AS n FROM known_devices");
        let world = World::new(db.clone()).await;
        let account = world.person("ann").await.session.account;
        for _ in 0..60 {
            assert!(signs_in(&world, &origin(3)).await.is_some());
            world.clock.advance_micros(1);
        }
        let count = async || db.read("test.count", |tx| Box::pin(tx.one(&COUNT, &[]))).await.unwrap().unwrap().get::<i64>("n").unwrap();
        assert_eq!(count().await, 50);
        crate::tests::second_factor::App::set_up(&world, account).await;
        let half = world.identity.sign_in_with_password("ann", secret(PASSWORD), &origin(4)).await.unwrap();
        assert!(!half.session.complete && half.new_device.is_none(), "who knows the password alone is not seen");
    }
}

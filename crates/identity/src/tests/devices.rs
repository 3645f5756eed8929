use super::world::{HOUR, PASSWORD, SECOND, World, origin, secret};
use crate::IdentityError;
use crate::devices::NewDevice;
use crate::sessions::Origin;
use crate::sign_in::Proof;
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

    async fn guesses_at_step_up_count_for_the_account_and_close_no_way_in(db: Db) {
        let world = World::new(db).await;
        let mut opened = world.person("ann").await;
        let device = opened.new_device.take().unwrap().token.unwrap();
        let known = |last| origin(last).known_by(Some(device.clone()));
        let (right, wrong) = (Proof::Password(secret(PASSWORD)), Proof::Password(secret("wrong horse")));
        // A device that is known has no tries of its own here: whoever has a session is asked about the account.
        for last in 20..26 {
            let refused = world.identity.step_up(&opened.token, &wrong, &known(last)).await;
            assert!(matches!(refused, Err(IdentityError::ProofWrong)), "{refused:?}");
        }
        for from in [known(9), origin(9)] {
            let refused = world.identity.step_up(&opened.token, &right, &from).await;
            assert!(matches!(refused, Err(IdentityError::TooMany { .. })), "{refused:?}");
        }
        assert!(signs_in(&world, &known(9)).await.is_none(), "that closes no way in");
        world.clock.advance_micros(5 * SECOND);
        opened = world.identity.step_up(&opened.token, &right, &known(9)).await.unwrap();
        // What was right clears what was wrong, and what strangers guess at elsewhere counts for nothing here.
        for last in 40..50 {
            let refused = world.identity.sign_in_with_password("ann", secret("wrong horse"), &origin(last)).await;
            assert!(refused.is_err());
        }
        for last in 20..25 {
            let refused = world.identity.step_up(&opened.token, &wrong, &known(last)).await;
            assert!(matches!(refused, Err(IdentityError::ProofWrong)), "{refused:?}");
        }
        world.identity.step_up(&opened.token, &right, &known(9)).await.unwrap();
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

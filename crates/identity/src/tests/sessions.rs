use super::world::{HOUR, PASSWORD, World, origin, secret};
use crate::IdentityError;
use crate::sessions::Origin;
use tacit_kernel::ids::SignInId;
use tacit_storage::{Db, Page, both_engines};

const DAY: i64 = 24 * HOUR;

both_engines! {
    async fn they_are_listed_by_device_and_ended_one_by_one_or_all(db: Db) {
        let world = World::new(db).await;
        let (ann, ben) = (world.person("ann").await, world.person("ben").await);
        let phone = Origin::new("2001:db8::7".parse().unwrap(), "Safari\r\non iPhone");
        let second = world.identity.sign_in_with_password("ann", secret(PASSWORD), &phone).await.unwrap();
        let account = ann.session.account;
        let listed = world.identity.session_list(account, Page::default()).await.unwrap().items;
        let devices: Vec<_> = listed.iter().map(|s| (s.device.reveal().as_str(), s.address.reveal().as_str())).collect();
        assert_eq!(devices, [("Firefox on Linux", "198.51.1.1"), ("Safarion iPhone", "2001:db8::7")]);

        let foreign = world.identity.session_end(account, ben.session.id).await;
        assert!(matches!(foreign, Err(IdentityError::SessionNotFound)), "nobody ends another's");
        assert!(world.identity.session_end(account, SignInId::fresh()).await.is_err());
        world.identity.session_end(account, second.session.id).await.unwrap();
        assert_eq!(world.identity.session_by_token(&second.token).await.unwrap(), None);
        world.identity.sign_in_with_password("ann", secret(PASSWORD), &phone).await.unwrap();
        assert_eq!(world.identity.sessions_end(account, Some(ann.session.id)).await.unwrap(), 1);
        assert_eq!(world.identity.sessions_end(account, None).await.unwrap(), 1);
        assert_eq!(world.identity.session_by_token(&ann.token).await.unwrap(), None);
        assert!(world.identity.session_by_token(&ben.token).await.unwrap().is_some());
        assert_eq!(world.identity.session_by_token(&secret("")).await.unwrap(), None);
    }

    async fn they_end_when_idle_and_at_the_end_of_their_life(db: Db) {
        let world = World::new(db).await;
        let (idle, busy) = (world.person("ann").await, world.person("ben").await);
        let mut days = 0;
        while world.identity.session_by_token(&busy.token).await.unwrap().is_some() {
            world.clock.advance_micros(DAY);
            days += 1;
        }
        assert_eq!(days, 90);
        assert_eq!(world.identity.session_by_token(&idle.token).await.unwrap(), None);
        let again = world.identity.sign_in_with_password("ann", secret(PASSWORD), &origin(2)).await.unwrap();
        world.clock.advance_micros(14 * DAY - 1);
        assert!(world.identity.session_by_token(&again.token).await.unwrap().is_some());
        world.clock.advance_micros(14 * DAY);
        assert_eq!(world.identity.session_by_token(&again.token).await.unwrap(), None);
        world.identity.forget_step().await.unwrap();
        assert!(world.identity.session_list(idle.session.account, Page::default()).await.unwrap().items.is_empty());
    }

    async fn an_account_has_a_bounded_number_of_them(db: Db) {
        let world = World::new(db).await;
        let first = world.person("ann").await;
        for _ in 0..50 {
            world.identity.sign_in_with_password("ann", secret(PASSWORD), &origin(2)).await.unwrap();
        }
        let listed = world.identity.session_list(first.session.account, Page { after: None, limit: 100 }).await.unwrap().items;
        assert_eq!(listed.len(), 50);
        assert_eq!(world.identity.session_by_token(&first.token).await.unwrap(), None, "the oldest made room");
    }
}

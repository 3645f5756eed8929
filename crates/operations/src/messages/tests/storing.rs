//! What is written, leased and ended, over a clock that the test moves.

use super::*;
use tacit_storage::both_engines;
use tacit_storage::testing::prepare_all;

type World = (Messages, Arc<ManualClock>, Arc<KeyStore>);

async fn world(db: &Db) -> World {
    still(db, Route::Development, Route::Development).await
}

fn soon(clock: &ManualClock, minutes: i64) -> Timestamp {
    clock.now().plus_micros(minutes * MINUTE)
}

both_engines! {
    async fn every_statement_is_prepared(db: Db) {
        for statements in crate::STATEMENTS {
            prepare_all(&db, statements, &[]).await.unwrap();
        }
    }

    async fn a_closed_channel_refuses(db: Db) {
        let (messages, clock, _) = still(&db, Route::Closed, Route::Closed).await;
        for to in ["ada@customer.example", "+8613800000000"] {
            let refused = messages.enqueue_alone(&code(to, "1", soon(&clock, 10))).await.unwrap_err();
            assert_eq!(refused.code(), "messages.not_configured");
            assert!(refused.to_string().contains("messages.s"), "{refused}");
        }
        let tried = messages.test(Channel::Email, Language::En, "ada@customer.example").await.unwrap_err();
        assert_eq!(tried.code, "messages.not_configured");
        assert!(rows(&db, "SELECT id FROM messages").await.is_empty());
    }

    async fn what_cannot_be_sent_is_refused(db: Db) {
        let (messages, clock, _) = world(&db).await;
        for (message, expected) in [
            (code("ada", "1", soon(&clock, 10)), "messages.address_invalid"),
            (code("a@b.example\r\nBcc: c@d.example", "1", soon(&clock, 10)), "messages.address_invalid"),
            (code("+0123456789", "1", soon(&clock, 10)), "messages.number_invalid"),
            (code("+86138", "1", soon(&clock, 10)), "messages.number_invalid"),
            (code("ada@customer.example", "1", clock.now()), "messages.expired"),
            (NewMessage { not_before: Some(soon(&clock, 11)), ..code("a@b.example", "1", soon(&clock, 10)) }, "messages.expired"),
            (code("ada@customer.example", "1", clock.now().plus_micros(LONGEST + 1)), "messages.too_long"),
            (NewMessage { account: Some(AccountId::fresh()), ..code("a@b.example", "1", soon(&clock, 10)) }, "account.erased"),
        ] {
            assert_eq!(messages.enqueue_alone(&message).await.unwrap_err().code(), expected);
        }
    }

    async fn a_message_is_sealed_with_the_key_of_whom_it_concerns(db: Db) {
        let (messages, clock, keys) = world(&db).await;
        let account = AccountId::fresh();
        let key = keys.create(account.0).await.unwrap();
        let message = NewMessage { account: Some(account), ..code("ada@customer.example", "1", soon(&clock, 10)) };
        let id = messages.enqueue_alone(&message).await.unwrap();
        let row = &rows(&db, "SELECT recipient_sealed, variables_sealed FROM messages").await[0];
        let sealed: Vec<u8> = row.get("recipient_sealed").unwrap();
        assert_eq!(key.open(&aad("recipient_sealed", id), &sealed).unwrap().as_slice(), b"ada@customer.example");
        let variables: Vec<u8> = row.get("variables_sealed").unwrap();
        assert_eq!(key.open(&aad("variables_sealed", id), &variables).unwrap().as_slice(), br#"{"code":"1","minutes":10}"#);
    }

    async fn a_lease_holds_off_others_until_it_runs_out(db: Db) {
        let (messages, clock, _) = world(&db).await;
        messages.enqueue_alone(&code("ada@customer.example", "1", soon(&clock, 60))).await.unwrap();
        let first = messages.lease(5).await.unwrap();
        assert_eq!((first.len(), first[0].attempts), (1, 1));
        assert!(messages.lease(5).await.unwrap().is_empty());
        // Five seconds for the longest attempt, a minute to say how it ended.
        clock.advance_micros(65_000_000 - 1);
        assert!(messages.lease(5).await.unwrap().is_empty());
        clock.advance_micros(1);
        let second = messages.lease(5).await.unwrap();
        assert_eq!((second.len(), second[0].attempts), (1, 2));
        assert_ne!(first[0].lease, second[0].lease);

        // The first one wakes up: what it says of a failure is not heard, that it was sent is.
        let write = async |state| {
            let (id, lease, now) = (first[0].id, first[0].lease, clock.now());
            let done: Result<bool, StorageError> = db.write("test.end", |tx| Box::pin(async move {
                match state {
                    State::Sent => store::message_sent(tx, id, now, None).await,
                    _ => store::message_end(tx, id, lease, State::Failed, Failure::Refused, now).await,
                }
            })).await;
            done.unwrap()
        };
        assert!(!write(State::Failed).await);
        assert_eq!(only(&messages).await.0, State::Waiting);
        assert!(write(State::Sent).await);
        assert!(!write(State::Sent).await, "once");
    }

    async fn what_was_leased_for_the_last_time_and_not_ended_is_lost(db: Db) {
        let (messages, clock, _) = world(&db).await;
        messages.enqueue_alone(&code("ada@customer.example", "1", soon(&clock, 60 * 24))).await.unwrap();
        for attempt in 1..=10 {
            assert_eq!(messages.lease(1).await.unwrap()[0].attempts, attempt);
            clock.advance_micros(66_000_000);
        }
        assert!(messages.lease(1).await.unwrap().is_empty());
        assert_eq!(only(&messages).await, (State::Failed, 10, Some(Failure::Lost)));
    }

    async fn what_expires_is_not_sent_and_its_words_go(db: Db) {
        let (messages, clock, _) = world(&db).await;
        messages.enqueue_alone(&code("ada@customer.example", "1", soon(&clock, 10))).await.unwrap();
        clock.advance_micros(10 * MINUTE);
        assert!(messages.lease(5).await.unwrap().is_empty());
        assert_eq!(only(&messages).await.0, State::Expired);
        let gone = rows(&db, "SELECT id FROM messages WHERE recipient_sealed IS NULL AND variables_sealed IS NULL").await;
        assert_eq!(gone.len(), 1);
    }

    async fn a_message_may_wait_for_its_time(db: Db) {
        let (messages, clock, _) = world(&db).await;
        let later = NewMessage { not_before: Some(soon(&clock, 5)), ..code("a@b.example", "1", soon(&clock, 10)) };
        messages.enqueue_alone(&later).await.unwrap();
        assert!(messages.lease(5).await.unwrap().is_empty());
        clock.advance_micros(5 * MINUTE);
        assert_eq!(messages.lease(5).await.unwrap().len(), 1);
    }

    async fn what_does_not_open_is_given_up(db: Db) {
        let (messages, clock, _) = world(&db).await;
        messages.enqueue_alone(&code("ada@customer.example", "1", soon(&clock, 10))).await.unwrap();
        execute(&db, "UPDATE messages SET variables_sealed = recipient_sealed", &[]).await;
        let leased = messages.lease(1).await.unwrap().pop().unwrap();
        messages.attempted(leased).await;
        assert_eq!(only(&messages).await, (State::Failed, 1, Some(Failure::Unreadable)));
    }

    async fn rows_go_after_their_time(db: Db) {
        let (messages, clock, _) = world(&db).await;
        messages.enqueue_alone(&code("ada@customer.example", "1", soon(&clock, 10))).await.unwrap();
        let leased = messages.lease(1).await.unwrap().pop().unwrap();
        messages.attempted(leased).await;
        let count = async |table| rows(&db, table).await.len();
        clock.advance_micros(7 * 1440 * MINUTE);
        messages.swept().await;
        assert_eq!(count("SELECT message_id FROM development_outbox").await, 1);
        clock.advance_micros(1);
        messages.swept().await;
        assert_eq!(count("SELECT message_id FROM development_outbox").await, 0);
        assert_eq!(count("SELECT id FROM messages").await, 1);
        clock.advance_micros(173 * 1440 * MINUTE);
        messages.swept().await;
        assert_eq!(count("SELECT id FROM messages").await, 0);
    }
}

#[test]
fn waits_double_up_to_their_bound() {
    let schedule = Schedule::DEFAULT;
    let seconds: Vec<i64> = (1..=10).map(|n| schedule.wait(n, 0.0) / 1_000_000).collect();
    assert_eq!(seconds, [5, 10, 20, 40, 80, 160, 320, 640, 900, 900]);
    assert_eq!(schedule.wait(1, 1.0), 4_000_000);
    assert_eq!(schedule.wait(u32::MAX, 0.0), 900_000_000);
}

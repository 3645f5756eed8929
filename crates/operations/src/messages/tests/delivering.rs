//! The worker: from the outbox to the mailbox, through refusals, outages and other workers.

use super::mail_server::MailServer;
use super::*;
use std::net::TcpListener;
use tacit_storage::both_engines;

both_engines! {
    async fn what_is_written_is_in_the_mailbox_at_once(db: Db) {
        let server = MailServer::protected();
        let messages = live(&db, Route::Open(server.client(Protection::StartTls)), Route::Closed).await;
        let worker = Worker::of(&messages);
        let began = std::time::Instant::now();
        messages.enqueue_alone(&code("ada@customer.example", "482913", in_minutes(10))).await.unwrap();
        assert_eq!(until(&messages, State::Sent).await, (State::Sent, 1, None));
        assert!(began.elapsed() < Duration::from_millis(1500), "not at once: {:?}", began.elapsed());
        assert!(server.inbox()[0].data.contains("482913"));
        let row = &rows(&db, "SELECT provider_reference FROM messages").await[0];
        assert_eq!(row.get::<Vec<u8>>("provider_reference").unwrap(), messages.reference_hash("queued as 4711"));
        worker.stop().await;
        assert!(messages.metrics_text().contains(r#"tacit_messages_attempts_total{channel="email",outcome="sent"} 1"#));
    }

    async fn what_is_refused_for_now_is_tried_again(db: Db) {
        let server = MailServer::open();
        server.refuse(&[451, 421]);
        let messages = live(&db, Route::Open(server.client(Protection::None)), Route::Closed).await;
        let worker = Worker::of(&messages);
        messages.enqueue_alone(&code("ada@customer.example", "1", in_minutes(10))).await.unwrap();
        assert_eq!(until(&messages, State::Sent).await, (State::Sent, 3, None));
        assert_eq!(server.inbox().len(), 1);
        worker.stop().await;
    }

    async fn what_is_refused_for_good_is_not(db: Db) {
        let server = MailServer::open();
        server.refuse(&[554]);
        let messages = live(&db, Route::Open(server.client(Protection::None)), Route::Closed).await;
        let worker = Worker::of(&messages);
        messages.enqueue_alone(&code("ada@customer.example", "1", in_minutes(10))).await.unwrap();
        assert_eq!(until(&messages, State::Failed).await, (State::Failed, 1, Some(Failure::Refused)));
        worker.stop().await;
        assert_eq!(server.inbox().len(), 0);
    }

    async fn what_is_refused_too_often_is_given_up(db: Db) {
        let server = MailServer::open();
        server.refuse(&[451; 20]);
        let messages = live(&db, Route::Open(server.client(Protection::None)), Route::Closed).await;
        let worker = Worker::of(&messages);
        messages.enqueue_alone(&code("ada@customer.example", "1", in_minutes(10))).await.unwrap();
        assert_eq!(until(&messages, State::Failed).await, (State::Failed, 5, Some(Failure::Deferred)));
        worker.stop().await;
    }

    async fn a_server_that_comes_back_is_given_what_waited(db: Db) {
        let place = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = place.local_addr().unwrap();
        let mut settings = MailServer::open().settings(Protection::None);
        settings.port = address.port();
        drop(place);
        let messages = live(&db, Route::Open(Smtp::new(settings).unwrap()), Route::Closed).await;
        let worker = Worker::of(&messages);
        messages.enqueue_alone(&code("ada@customer.example", "1", in_minutes(10))).await.unwrap();
        while only(&messages).await != (State::Waiting, 2, Some(Failure::Unreachable)) {
            assert_eq!(only(&messages).await.0, State::Waiting);
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let server = MailServer::at(TcpListener::bind(address).unwrap());
        until(&messages, State::Sent).await;
        assert_eq!(server.inbox().len(), 1);
        worker.stop().await;
    }

    async fn several_control_planes_send_each_message_once(db: Db) {
        let server = MailServer::open();
        let clock = Arc::new(SystemClock);
        let keys = test_key_store(&clock).await;
        let plane = || {
            let email = Route::Open(server.client(Protection::None));
            Messages::new(db.clone(), keys.clone(), clock.clone(), setup(email, Route::Closed))
        };
        let planes = [plane(), plane(), plane()];
        let workers: Vec<_> = planes.iter().map(Worker::of).collect();
        for n in 0..30_usize {
            let message = code(&format!("a{n}@customer.example"), "1", in_minutes(10));
            planes[n % 3].enqueue_alone(&message).await.unwrap();
        }
        for _ in 0..400 {
            if server.inbox().len() >= 30 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        for worker in workers {
            worker.stop().await;
        }
        let mut to: Vec<_> = server.inbox().into_iter().flat_map(|m| m.to).collect();
        to.sort();
        let mut expected: Vec<_> = (0..30).map(|n| format!("a{n}@customer.example")).collect();
        expected.sort();
        assert_eq!(to, expected);
        let sent = rows(&db, "SELECT id FROM messages WHERE state = 'sent' AND attempts = 1").await;
        assert_eq!(sent.len(), 30);
    }

    async fn a_message_of_a_transaction_that_fails_is_never_sent(db: Db) {
        let server = MailServer::open();
        let messages = live(&db, Route::Open(server.client(Protection::None)), Route::Closed).await;
        let worker = Worker::of(&messages);
        let (one, sent) = (&messages, &code("ada@customer.example", "1", in_minutes(10)));
        let failed: Result<(), MessagesError> = db
            .write("test.fails", |tx| {
                Box::pin(async move {
                    one.enqueue(tx, sent).await?;
                    Err(MessagesError::NotFound)
                })
            })
            .await;
        assert!(matches!(failed, Err(MessagesError::NotFound)));
        tokio::time::sleep(Duration::from_millis(900)).await;
        worker.stop().await;
        assert!(server.inbox().is_empty() && rows(&db, "SELECT id FROM messages").await.is_empty());
    }

    async fn a_stop_lets_the_attempt_in_hand_end(db: Db) {
        // A server that answers only after a while: it is reached through a door that opens late.
        let server = MailServer::open();
        let door = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut settings = server.settings(Protection::None);
        let behind = std::mem::replace(&mut settings.port, door.local_addr().unwrap().port());
        let (knocked, knock) = tokio::sync::oneshot::channel();
        tokio::spawn(async move {
            let (mut outer, _) = door.accept().await.unwrap();
            knocked.send(()).unwrap();
            tokio::time::sleep(Duration::from_millis(500)).await;
            let mut inner = tokio::net::TcpStream::connect(("127.0.0.1", behind)).await.unwrap();
            drop(tokio::io::copy_bidirectional(&mut outer, &mut inner).await);
        });
        let messages = live(&db, Route::Open(Smtp::new(settings).unwrap()), Route::Closed).await;
        let worker = Worker::of(&messages);
        messages.enqueue_alone(&code("ada@customer.example", "1", in_minutes(10))).await.unwrap();
        knock.await.unwrap();
        worker.stop().await;
        assert_eq!(only(&messages).await, (State::Sent, 1, None));
        assert_eq!(server.inbox().len(), 1);
    }

    async fn a_developer_reads_what_would_have_been_sent(db: Db) {
        let messages = live(&db, Route::Development, Route::Development).await;
        let worker = Worker::of(&messages);
        let id = messages.enqueue_alone(&code("ada@customer.example", "482913", in_minutes(10))).await.unwrap();
        until(&messages, State::Sent).await;
        let kept = messages.kept(id).await.unwrap().content.unwrap();
        assert_eq!((kept.to.as_str(), kept.kind, kept.channel), ("ada@customer.example", Kind::SignIn, Channel::Email));
        assert!(kept.subject.unwrap().contains("482913") && kept.html.unwrap().contains("482913"));
        messages.enqueue_alone(&code("+8613800000000", "17", in_minutes(10))).await.unwrap();
        for _ in 0..400 {
            if messages.kept_list(Page::default()).await.unwrap().items.len() == 2 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let newest = &messages.kept_list(Page::default()).await.unwrap().items[0];
        assert!(newest.content.as_ref().unwrap().text.contains("17 is your code"));
        worker.stop().await;

        let production = live(&db, Route::Closed, Route::Closed).await;
        assert!(matches!(production.kept_list(Page::default()).await, Err(MessagesError::NotDevelopment)));
        assert!(matches!(production.kept(id).await, Err(MessagesError::NotDevelopment)));
    }
}

//! The contract of messages, on both engines, against a real mail server and a fake SMS provider over sockets.

mod canary;
mod delivering;
mod mail_server;
mod mailing;
mod property;
pub(crate) mod sms_provider;
mod storing;

use super::*;
use secrecy::SecretString;
use tacit_kernel::time::ManualClock;
use tacit_kernel::{Personal, SystemClock, Timestamp};
use tacit_storage::testing::{MIGRATED_AT, test_key_store};
use tacit_storage::{Row, Value};

const MINUTE: i64 = 60_000_000;

/// A service over a clock that stands still.
async fn still(db: &Db, email: Route<Smtp>, sms: Route<Sms>) -> (Messages, Arc<ManualClock>, Arc<KeyStore>) {
    let clock = Arc::new(ManualClock::at(MIGRATED_AT));
    let keys = test_key_store(&clock).await;
    (Messages::new(db.clone(), keys.clone(), clock.clone(), setup(email, sms)), clock, keys)
}

/// A service over the clock of the machine, which tries again at once.
async fn live(db: &Db, email: Route<Smtp>, sms: Route<Sms>) -> Messages {
    let clock = Arc::new(SystemClock);
    let keys = test_key_store(&clock).await;
    let mut setup = setup(email, sms);
    setup.schedule = Schedule { attempts: 5, first: 20_000, most: 100_000 };
    Messages::new(db.clone(), keys, clock, setup)
}

fn setup(email: Route<Smtp>, sms: Route<Sms>) -> Setup {
    Setup {
        email,
        sms,
        templates: Templates::load(None, "Tacit").unwrap(),
        schedule: Schedule::DEFAULT,
        concurrency: 4,
        longest_attempt: Duration::from_secs(5),
    }
}

fn code(to: &str, code: &str, expires_at: Timestamp) -> NewMessage {
    NewMessage {
        content: Content::SignIn(Code { code: SecretString::from(code), minutes: 10 }),
        channel: if to.starts_with('+') { Channel::Sms } else { Channel::Email },
        language: Language::En,
        recipient: Personal::new(to.to_owned()),
        account: None,
        not_before: None,
        expires_at,
    }
}

fn in_minutes(minutes: i64) -> Timestamp {
    SystemClock.now().plus_micros(minutes * MINUTE)
}

async fn rows(db: &Db, sql: &'static str) -> Vec<Row> {
    let sql = &Sql::new(sql);
    let rows: Result<_, StorageError> = db.read("test.rows", |tx| Box::pin(tx.all(sql, &[]))).await;
    rows.unwrap()
}

async fn execute(db: &Db, sql: &'static str, values: &[Value]) {
    let sql = &Sql::new(sql);
    let done: Result<u64, StorageError> = db.write("test.execute", |tx| Box::pin(tx.execute(sql, values))).await;
    done.unwrap();
}

/// State, attempts and failure of the one message that is there.
async fn only(messages: &Messages) -> (State, u32, Option<Failure>) {
    let page = messages.list(Page::default()).await.unwrap();
    assert_eq!(page.items.len(), 1);
    (page.items[0].state, page.items[0].attempts, page.items[0].failure)
}

/// Waits until the one message is in this state.
async fn until(messages: &Messages, state: State) -> (State, u32, Option<Failure>) {
    for _ in 0..600 {
        let now = only(messages).await;
        if now.0 == state {
            return now;
        }
        assert_eq!(now.0, State::Waiting, "{now:?}");
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("still {:?}", only(messages).await);
}

/// A worker that runs until it is dropped.
struct Worker(tokio_util::sync::CancellationToken, tokio::task::JoinHandle<()>);

impl Worker {
    fn of(messages: &Messages) -> Self {
        let stop = tokio_util::sync::CancellationToken::new();
        let task = tokio::spawn(delivery::run(messages.clone(), stop.clone()));
        Self(stop, task)
    }

    async fn stop(self) {
        self.0.cancel();
        self.1.await.unwrap();
    }
}

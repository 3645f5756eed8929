//! Ten years of a clock that is turned by hand: nothing outlives its most, nothing dies before its least.

use super::*;
use crate::parts::{Deleted, Part, Parts, PartsError};
use std::collections::BTreeMap;
use tacit_kernel::audit::{Action, ObjectKind};
use tacit_kernel::ids::{GroupId, KeyId};
use tacit_kernel::time::ManualClock;
use tacit_kernel::{Nano, Personal};
use tacit_ledger::Settler;
use tacit_ledger::settlement::SessionBatch;
use tacit_ledger::testing::{free_call, settle};
use tacit_storage::audit::Audit;
use tacit_storage::{Row, StorageError, both_engines, testing};

const DAY: i64 = 86_400_000_000;
const GROUP: Sql = Sql::new(
    "INSERT INTO user_groups (id, name, multiplier_ppm, created_at, updated_at) VALUES ($1, 'all', 1000000, 0, 0)",
);
const ACCOUNT: Sql = Sql::new(
    "INSERT INTO accounts (id, group_id, name_sealed, name_lookup, status, limits, created_at, updated_at) \
     VALUES ($1, $2, $3, $3, 'active', '{}', 0, 0)",
);
const CALLS: Sql = Sql::new("SELECT account_id, started_at, ip_sealed FROM calls ORDER BY id");
const ENTRIES: Sql = Sql::new("SELECT created_at, subject_id FROM audit_entries WHERE salt IS NOT NULL ORDER BY seq");
const SESSIONS: Sql = Sql::new("SELECT ended_at FROM gateway_sessions WHERE ended_at IS NOT NULL");
const PAID: Sql = Sql::new(
    "SELECT t.created_at, a.owner_id FROM ledger_transactions t JOIN ledger_entries e ON e.transaction_id = t.id \
     JOIN ledger_accounts a ON a.id = e.ledger_account_id",
);
const RUNS: Sql = Sql::new("SELECT id FROM retention_runs");

const DEVICE: Sql = Sql::new("INSERT INTO known_devices (account_id, device_hash, seen_at) VALUES ($1, $2, 0)");
const DEVICES: Sql = Sql::new("SELECT account_id FROM known_devices");

struct World {
    db: Db,
    clock: Arc<ManualClock>,
    retention: Retention,
    ledger: Ledger,
    group: GroupId,
}

impl World {
    async fn new(db: Db, days: Days) -> Self {
        let clock = Arc::new(ManualClock::at(testing::MIGRATED_AT));
        let keys = testing::test_key_store(&clock).await;
        let ledger = Ledger::new(db.clone(), clock.clone());
        let audit = Audit::new(db.clone(), keys.clone(), clock.clone());
        let retention = Retention::new((db.clone(), keys, clock.clone()), ledger.clone(), audit, days);
        let world = Self { db, clock, retention, ledger, group: GroupId::fresh() };
        world.execute(&GROUP, vec![world.group.into()]).await;
        world
    }

    async fn execute(&self, sql: &'static Sql, row: Vec<tacit_storage::Value>) {
        let row = &row;
        let done: Result<u64, StorageError> =
            self.db.write("test.execute", |tx| Box::pin(async move { tx.execute(sql, row).await })).await;
        done.unwrap();
    }

    async fn all(&self, sql: &'static Sql) -> Vec<Row> {
        let rows: Result<Vec<Row>, StorageError> = self.db.read("test.all", |tx| Box::pin(tx.all(sql, &[]))).await;
        rows.unwrap()
    }

    async fn account(&self) -> AccountId {
        let id = AccountId::fresh();
        self.retention.keys.create(id.0).await.unwrap();
        self.execute(&ACCOUNT, vec![id.into(), self.group.into(), id.0.as_bytes().to_vec().into()]).await;
        id
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A free call now, in a session of its own that ends.
    async fn call(&mut self, account: AccountId) {
        let session = self.ledger.session_open("gw", "1", true).await.unwrap().session;
        let ended = free_call(account, KeyId::fresh(), self.group, self.now());
        let begun = vec![ended.begun.clone()];
        settle(&self.ledger, SessionBatch { session, batch: 1, begun, ended: vec![ended], aside: vec![] })
            .await
            .unwrap();
        Settler::new(self.ledger.clone()).session_close(session).await.unwrap();
    }

    async fn entry(&self, subject: AccountId) {
        let object = Object::one(ObjectKind::Account, subject);
        self.retention
            .audit
            .record(&NewEntry::begun(Actor::Operator(0), Action::AccountRead, object, Some(subject)))
            .await
            .unwrap();
    }

    /// As the job does, until nothing is due.
    async fn run(&self) {
        while self.retention.step().await.unwrap() {}
    }

    /// The age of the oldest and of the youngest that is there, in days, of whom it is of.
    async fn ages(
        &self,
        sql: &'static Sql,
        at: &'static str,
        of: &'static str,
        account: AccountId,
    ) -> Option<(i64, i64)> {
        let now = self.now();
        let rows = self.all(sql).await;
        let own = rows.iter().filter(|row| row.get::<Option<AccountId>>(of).unwrap() == Some(account));
        let ages: Vec<i64> = own.map(|row| now.micros_since(row.get(at).unwrap()) / DAY).collect();
        Some((*ages.iter().max()?, *ages.iter().min()?))
    }
}

both_engines! {
    async fn every_statement_is_prepared(db: Db) {
        testing::prepare_all(&db, &statements(), &bulks()).await.unwrap();
    }

    async fn in_ten_years_nothing_outlives_its_most_and_nothing_dies_before_its_least(db: Db) {
        const STEP_DAYS: i64 = 30;
        let mut world = World::new(db, Days::new(200, 1_200, 1_100).unwrap()).await;
        let (ann, bob) = (world.account().await, world.account().await);
        let mut made: BTreeMap<&str, i64> = BTreeMap::new();
        for month in 0..122 {
            for account in [ann, bob] {
                world.call(account).await;
                world.entry(account).await;
                world.ledger.top_up(account, Nano(1), &format!("{account} {month}")).await.unwrap();
            }
            *made.entry("calls").or_default() += 1;
            if month == 12 {
                let reason = Personal::new("court of Canaries, 12/34".to_owned());
                world.retention.hold_put(bob, &reason, world.now().plus_micros(1_000 * DAY)).await.unwrap();
            }
            world.run().await;
            let bounds = |days: i64| (days - STEP_DAYS, days);
            // Ann: what is due is gone to the day, what is not is there.
            let (oldest, youngest) = world.ages(&CALLS, "started_at", "account_id", ann).await.unwrap();
            let months = i64::from(month) * STEP_DAYS;
            let (least, most) = bounds(200);
            assert!(oldest <= most && oldest >= least.min(months) && youngest == 0, "month {month}: {oldest} days");
            let (oldest, _) = world.ages(&ENTRIES, "created_at", "subject_id", ann).await.unwrap();
            let (least, most) = bounds(1_200);
            assert!(oldest <= most && oldest >= least.min(months), "month {month}: {oldest} days");
            for row in world.all(&CALLS).await {
                let age = world.now().micros_since(row.get("started_at").unwrap()) / DAY;
                let account: AccountId = row.get("account_id").unwrap();
                let is_held = account == bob && (12..46).contains(&month);
                let address: Option<Vec<u8>> = row.get("ip_sealed").unwrap();
                assert!(address.is_some() == (age <= 180) || is_held, "month {month}: {age} days");
            }
            // Bob is held from the twelfth month on for a thousand days: nothing of him went in that time.
            let (oldest, _) = world.ages(&CALLS, "started_at", "account_id", bob).await.unwrap();
            if (12..46).contains(&month) {
                assert!(oldest >= i64::from(month - 12) * STEP_DAYS + 160, "month {month}: {oldest} days");
            } else {
                assert!(oldest <= 200, "month {month}: {oldest} days");
            }
            let (oldest, _) = world.ages(&ENTRIES, "created_at", "subject_id", bob).await.unwrap();
            assert!(if (12..46).contains(&month) { oldest == months } else { oldest <= 1_200 }, "month {month}: {oldest} days");
            // What was paid is known for three years, and gone then; the balance is whole.
            let paid = world.all(&PAID).await;
            let age = |row: &Row| world.now().micros_since(row.get("created_at").unwrap()) / DAY;
            let of = |account| paid.iter().filter(move |row| row.get::<Option<AccountId>>("owner_id").unwrap() == Some(account));
            let oldest = of(ann).map(age).max().unwrap();
            assert!(oldest <= 1_100 && oldest >= (1_100 - STEP_DAYS).min(months), "month {month}: {oldest} days");
            let oldest = of(bob).map(age).max().unwrap();
            assert!(oldest <= 1_100 || (oldest == months && (12..46).contains(&month)), "month {month}: {oldest} days");
            assert_eq!(world.ledger.wallet(ann).await.unwrap().wallet, Nano(i64::from(month) + 1));
            for row in world.all(&SESSIONS).await {
                assert!(world.now().micros_since(row.get("ended_at").unwrap()) / DAY <= 200);
            }
            assert!(world.ledger.verify(&|_| None).await.unwrap().is_clean());
            if month == 40 {
                let runs = world.retention.runs(Page { after: None, limit: 500 }).await.unwrap().items;
                assert!(runs.iter().any(|run| run.held > 20), "what was held is told");
            }
            world.clock.advance_micros(STEP_DAYS * DAY);
        }
        let debts = world.retention.debts().await.unwrap();
        assert!(debts.iter().all(|debt| debt.behind_micros == Some(STEP_DAYS * DAY)), "{debts:?}");
        world.run().await;
        assert!(world.retention.debts().await.unwrap().iter().all(|debt| debt.behind_micros == Some(0)));
        let runs = world.retention.runs(Page { after: None, limit: 500 }).await.unwrap().items;
        assert!(runs.len() > 60 && runs.iter().all(|run| run.finished_at.is_some()), "{}", runs.len());
        let listed = world.retention.audit.list(&audit::Filter::default(), None, 500).await.unwrap();
        let proofs = listed.iter().filter(|entry| entry.kept.action == Action::RetentionRun.as_str()).count();
        assert!(proofs > 30, "{proofs}");
    }

    async fn what_would_go_is_told_before(db: Db) {
        let mut world = World::new(db, Days::default()).await;
        let ann = world.account().await;
        world.call(ann).await;
        let due = async |world: &World| {
            world.retention.plan().await.unwrap().into_iter().map(|due| due.rows).collect::<Vec<_>>()
        };
        assert_eq!(due(&world).await, [0, 0, 0, 0, 0]);
        world.clock.advance_micros(181 * DAY);
        assert_eq!(due(&world).await, [1, 0, 0, 0, 0]);
        world.clock.advance_micros(300 * DAY);
        let before = world.all(&CALLS).await.len();
        assert_eq!(due(&world).await, [1, 1, 1, 0, 0]);
        assert_eq!((world.all(&CALLS).await.len(), world.all(&RUNS).await.len()), (before, 0), "nothing is done");
        world.run().await;
        assert_eq!(due(&world).await, [0, 0, 0, 0, 0]);
    }

    async fn a_run_that_was_interrupted_is_gone_on_with(db: Db) {
        let mut world = World::new(db, Days::default()).await;
        let ann = world.account().await;
        for _ in 0..3 {
            world.call(ann).await;
        }
        world.clock.advance_micros(500 * DAY);
        // It has begun and done nothing yet, in a process that died.
        let run = Run::begin(Class::CallRecords, world.now().plus_micros(-400 * DAY), world.now());
        let begun = &run;
        world.db.write("test.begin", |tx| Box::pin(store::begin(tx, begun))).await.unwrap();
        let second = Run::begin(Class::CallRecords, world.now(), world.now());
        let other = &second;
        world.db.write("test.begin", |tx| Box::pin(store::begin(tx, other))).await.unwrap();
        world.run().await;
        assert!(world.all(&CALLS).await.is_empty());
        let runs = world.retention.runs(Page { after: None, limit: 500 }).await.unwrap().items;
        let records: Vec<&Run> = runs.iter().filter(|run| run.class == Class::CallRecords).collect();
        assert_eq!((records.len(), records[0].id, records[0].deleted), (1, run.id, 3));
    }

    async fn what_somebody_wants_deleted_goes_as_far_as_no_law_keeps_it(db: Db) {
        let mut world = World::new(db, Days::default()).await;
        let (ann, ben) = (world.account().await, world.account().await);
        for account in [ann, ben] {
            world.call(account).await;
            let device: &[u8] = account.0.as_bytes();
            world.execute(&DEVICE, vec![account.into(), device.to_vec().into()]).await;
        }
        world.clock.advance_micros(100 * DAY);
        world.call(ann).await;
        let young = world.now();
        world.clock.advance_micros(100 * DAY);
        let parts = Parts::new(world.db.clone(), world.ledger.clone(), world.retention.clone());
        let hold = world.retention.hold_put(ann, &Personal::new("a court".to_owned()), world.now().plus_micros(DAY)).await;
        assert!(matches!(parts.delete(ann, Part::CallRecords).await, Err(PartsError::Held)));
        world.retention.hold_end(hold.unwrap().id).await.unwrap();
        let done = parts.delete(ann, Part::CallRecords).await.unwrap();
        assert_eq!((done.deleted, done.kept, done.law.unwrap().id), (1, 1, "cn.csl.21"));
        assert_eq!(done.until, Some(young.plus_micros(180 * DAY)), "what is there now goes until then");
        let calls: Vec<AccountId> = world.all(&CALLS).await.iter().map(|row| row.get("account_id").unwrap()).collect();
        assert_eq!(calls, [ben, ann]);
        assert_eq!(parts.delete(ann, Part::SignIns).await.unwrap(), Deleted { deleted: 1, ..Deleted::default() });
        assert_eq!(parts.delete(ann, Part::Messages).await.unwrap(), Deleted::default());
        assert_eq!(world.all(&DEVICES).await.len(), 1, "his is his");
        world.clock.advance_micros(81 * DAY);
        let done = parts.delete(ann, Part::CallRecords).await.unwrap();
        assert_eq!((done.deleted, done.kept, done.law), (1, 0, None));
    }

    async fn a_hold_has_a_reason_and_an_end(db: Db) {
        let world = World::new(db, Days::default()).await;
        let ann = world.account().await;
        let reason = |text: &str| Personal::new(text.to_owned());
        let until = |days: i64| world.now().plus_micros(days * DAY);
        let put = async |account, text: &str, days| {
            world.retention.hold_put(account, &reason(text), until(days)).await.map(|hold| hold.id)
        };
        assert!(matches!(put(ann, " ", 1).await, Err(HoldError::Reason)));
        assert!(matches!(put(ann, "a court", 0).await, Err(HoldError::End)));
        assert!(matches!(put(ann, "a court", 2_000).await, Err(HoldError::End)));
        assert!(matches!(put(AccountId::fresh(), "a court", 1).await, Err(HoldError::Account)));
        let id = put(ann, "a court", 10).await.unwrap();
        let holds = world.retention.holds(Page::default()).await.unwrap().items;
        assert_eq!((holds.len(), holds[0].reason.as_ref().unwrap().reveal().as_str()), (1, "a court"));
        let is_held = async || {
            world.db.read("test.held", |tx| Box::pin(world.retention.is_held_in_tx(tx, ann))).await.unwrap()
        };
        assert!(is_held().await);
        world.retention.hold_end(id).await.unwrap();
        assert!(!is_held().await);
        assert!(matches!(world.retention.hold_end(id).await, Err(HoldError::Unknown)));
    }
}

#[test]
fn days_are_within_the_bounds_of_their_class() {
    assert_eq!(Days::new(179, 1_095, 1_096).unwrap_err().to_string(), "call_records are kept for 180 to 400 days");
    assert_eq!(Days::new(180, 1_094, 1_096).unwrap_err().to_string(), "audit are kept for 1095 to 2190 days");
    assert_eq!(Days::new(180, 1_095, 1_095).unwrap_err().to_string(), "ledger are kept for 1096 to 10958 days");
    assert!(Days::new(401, 1_095, 1_096).is_err() && Days::new(400, 2_190, 10_958).is_ok());
}

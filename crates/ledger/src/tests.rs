//! The contract of the ledger, on both engines.

mod books;
mod crash;
mod forgetting;
mod journaling;
mod leasing;
mod property;
mod settling;
mod shortening;
mod speed;
mod using;
mod verifying;

use crate::journal::{JournalBatch, Journaled, SessionOutcome};
use crate::sessions::Opened;
use crate::settlement::{BegunCall, CommitReport, EndedCall, SessionBatch};
use crate::verify::VerifyReport;
use crate::wallets::WalletView;
use crate::{Journal, Ledger, Settler};
use std::sync::Arc;
use tacit_kernel::call::{AgentFamily, CallSource, CallStatus, Endpoint, UsageSource};
use tacit_kernel::ids::{
    AccountId, CallId, ChannelId, CredentialId, GroupId, KeyId, ModelId, PriceId, ProviderId, SessionId,
};
use tacit_kernel::rating::{Price, Rates, Usage};
use tacit_kernel::time::ManualClock;
use tacit_kernel::{Nano, Ppm, Timestamp};
use tacit_storage::{Db, Sql, SqlText, StorageError, Value, WriteTx};

const GROUP: Sql = Sql::new(
    "INSERT INTO user_groups (id, name, multiplier_ppm, created_at, updated_at) VALUES ($1, 'all', 1000000, 0, 0)",
);
const ACCOUNT: Sql = Sql::new(
    "INSERT INTO accounts (id, group_id, name_sealed, name_lookup, status, limits, created_at, updated_at) \
     VALUES ($1, $2, $3, $4, 'active', '{}', 0, 0)",
);

/// One nano per input token, two per output token.
fn price() -> Price {
    let rates = Rates::new(Nano(1_000_000), Nano(2_000_000));
    Price::flat(Nano::ZERO, rates).unwrap()
}

/// What became of batches.
struct Committed {
    sessions: Vec<SessionOutcome>,
    report: CommitReport,
}

impl std::ops::Deref for Committed {
    type Target = CommitReport;
    fn deref(&self) -> &CommitReport {
        &self.report
    }
}

struct World {
    db: Db,
    clock: Arc<ManualClock>,
    ledger: Ledger,
    journal: Journal,
    settler: Settler,
    group: GroupId,
    price: PriceId,
    rates: Arc<Price>,
}

impl World {
    async fn new(db: Db) -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp::parse("2026-11-23T12:00:00Z").unwrap()));
        let ledger = Ledger::new(db.clone(), clock.clone());
        let (journal, settler) = (Journal::new(ledger.clone()), Settler::new(ledger.clone()));
        let group = GroupId::fresh();
        let world =
            Self { db, clock, ledger, journal, settler, group, price: PriceId::fresh(), rates: Arc::new(price()) };
        world.execute(&GROUP, &[group.into()]).await;
        world
    }

    async fn execute(&self, sql: &Sql, values: &[Value]) {
        self.db.write("test.execute", |tx| Box::pin(tx_execute(tx, sql, values))).await.unwrap();
    }

    /// Runs a statement made of constant text and one value.
    async fn corrupt(&self, text: &'static str, value: impl Into<Value>) {
        let value = &value.into();
        let run = async |tx: &mut WriteTx<'_>| tx.query(SqlText::new(text).bind("", value.clone())).await;
        let run = &run;
        self.db.write("test.corrupt", |tx| Box::pin(async move { run(tx).await.map(drop) })).await.unwrap();
    }

    async fn account(&self) -> AccountId {
        let account = AccountId::fresh();
        let name = account.0.as_bytes().to_vec();
        self.execute(&ACCOUNT, &[account.into(), self.group.into(), name.clone().into(), name.into()]).await;
        account
    }

    /// A customer with that much in its wallet.
    async fn customer(&self, wallet: i64) -> AccountId {
        let account = self.account().await;
        self.ledger.top_up(account, Nano(wallet), &account.to_string()).await.unwrap();
        account
    }

    async fn session(&self, gateway: &str) -> SessionId {
        let Opened { session, .. } = self.ledger.session_open(gateway, "0.1.0", true).await.unwrap();
        session
    }

    fn price_of(&self) -> impl Fn(PriceId) -> Option<Arc<Price>> + Sync + use<> {
        let (id, price) = (self.price, Arc::clone(&self.rates));
        move |wanted| (wanted == id).then(|| Arc::clone(&price))
    }

    async fn write(&self, batches: &[SessionBatch]) -> Journaled {
        self.journal.write(&journaled(batches)).await.unwrap()
    }

    async fn settle(&self, batches: &[SessionBatch]) -> CommitReport {
        self.settler.commit(batches, &self.price_of()).await.unwrap()
    }

    /// What a control plane does with batches: into the journal, and what was not there before out of it.
    async fn commit(&self, batches: &[SessionBatch]) -> Committed {
        let Journaled { sessions, written } = self.write(batches).await;
        let fresh = batches.iter().zip(written).filter(|(_, written)| *written).map(|(batch, _)| batch.clone());
        let report = self.settle(&fresh.collect::<Vec<_>>()).await;
        Committed { sessions, report }
    }

    async fn verify(&self) -> VerifyReport {
        self.ledger.verify(&self.price_of()).await.unwrap()
    }

    async fn assert_clean(&self) {
        let report = self.verify().await;
        assert!(report.is_clean(), "{report:?}");
    }

    fn clock_now(&self) -> Timestamp {
        tacit_kernel::Clock::now(&*self.clock)
    }

    async fn wallet(&self, account: AccountId) -> [i64; 3] {
        let WalletView { wallet, gift, reserved } = self.ledger.wallet(account).await.unwrap();
        [wallet.0, gift.0, reserved.0]
    }

    fn begun(&self, account: AccountId, reserved: i64, input_estimate: u64) -> BegunCall {
        BegunCall {
            call: CallId::fresh(),
            key: KeyId(account.0),
            account,
            group: self.group,
            group_multiplier: Ppm::ONE,
            model: Some(ModelId(self.price.0)),
            model_name: Some("a-model".into()),
            price: Some(self.price),
            channel: Some(ChannelId(self.price.0)),
            provider: Some(ProviderId(self.price.0)),
            credential: Some(CredentialId(self.price.0)),
            channel_multiplier: Ppm::ONE,
            started_at: Timestamp::parse("2026-11-23T11:59:00Z").unwrap(),
            reserved: Nano(reserved),
            input_estimate,
            endpoint: Endpoint::ChatCompletions,
            stream: true,
            source: CallSource::Api,
        }
    }

    /// The call completed with so many tokens.
    fn ended(&self, begun: &BegunCall, input: u64, output: u64) -> EndedCall {
        let usage = Usage { input, output, ..Usage::default() };
        EndedCall {
            begun: begun.clone(),
            status: CallStatus::Completed,
            error: None,
            http_status: 200,
            usage,
            usage_source: UsageSource::Provider,
            amount: self.rates.amount(&usage, begun.group_multiplier, begun.channel_multiplier),
            capped: false,
            first_byte_micros: Some(1_000),
            duration_micros: 2_000,
            concurrency: 1,
            agent: AgentFamily::Curl,
            sealed_ip: Some(vec![1; 40]),
            sealed_user_agent: Some(vec![2; 90]),
            risk_marks: 0,
            tried: 1,
            failed: vec![],
        }
    }
}

async fn tx_execute(tx: &mut WriteTx<'_>, sql: &Sql, values: &[Value]) -> Result<(), StorageError> {
    tx.execute(sql, values).await.map(drop)
}

fn batch(session: SessionId, number: u64, begun: &[BegunCall], ended: &[EndedCall]) -> SessionBatch {
    SessionBatch { session, batch: number, begun: begun.to_vec(), ended: ended.to_vec(), aside: vec![] }
}

/// As they lie in the journal. What stands there is for the control plane to read; here it is their numbers.
fn journaled(batches: &[SessionBatch]) -> Vec<JournalBatch> {
    let row = |batch: &SessionBatch| JournalBatch {
        session: batch.session,
        batch: batch.batch,
        events: batch.batch.to_le_bytes().to_vec(),
    };
    batches.iter().map(row).collect()
}

tacit_storage::both_engines! {
    async fn every_statement_is_understood(db: Db) {
        tacit_storage::testing::prepare_all(&db, &crate::statements(), &crate::bulks()).await.unwrap();
    }
}

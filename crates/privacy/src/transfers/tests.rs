//! Every call is counted once, whenever its record comes, and leads to nobody once they are erased.

use super::*;
use crate::recipients::tests::{Office, spec};
use crate::recipients::{Kind, RecipientSpec};
use tacit_catalog::ChannelSpec;
use tacit_kernel::call::ErrorCode;
use tacit_kernel::ids::SessionId;
use tacit_kernel::ids::{self, CallId, CredentialId, GroupId, KeyId};
use tacit_ledger::settlement::{EndedCall, FailedAttempt, SessionBatch};
use tacit_ledger::testing::{free_call, settle};
use tacit_storage::both_engines;

const MINUTE: i64 = 60_000_000;

struct Town {
    office: Office,
    transfers: Transfers,
    session: SessionId,
    batch: u64,
    calls: u128,
}

impl Town {
    async fn new(db: Db) -> Self {
        let office = Office::new(db).await;
        let session = office.world.ledger().session_open("gw", "1", true).await.unwrap().session;
        let parts = (office.world.db.clone(), office.world.clock.clone() as Arc<dyn Clock>);
        let stock = (office.world.ledger().clone(), office.catalog.clone());
        let bounds = Bounds { filing: 2, assessment: 3 };
        let transfers = Transfers::new(parts, stock, office.recipients.clone(), (Some("CN"), bounds));
        Self { office, transfers, session, batch: 0, calls: 0 }
    }

    fn now(&self) -> Timestamp {
        self.office.world.clock.now()
    }

    /// A call that began so long ago.
    fn call(&mut self, account: AccountId, provider: Option<ProviderId>, ago: i64) -> EndedCall {
        let at = self.now().plus_micros(-ago);
        let mut ended = free_call(account, KeyId::fresh(), GroupId::fresh(), at);
        self.calls += 1;
        ended.begun.call = CallId(uuid::Uuid::from_u128(ids::first_at(at).as_u128() | self.calls));
        ended.begun.provider = provider;
        ended.tried = 1;
        ended
    }

    async fn settle(&mut self, ended: Vec<EndedCall>) {
        self.batch += 1;
        let begun = ended.iter().map(|call| call.begun.clone()).collect();
        let batch = SessionBatch { session: self.session, batch: self.batch, begun, ended, aside: vec![] };
        settle(self.office.world.ledger(), batch).await.unwrap();
    }

    async fn count(&self) {
        while self.transfers.step().await.unwrap() {}
    }

    async fn of(&self, account: AccountId) -> Vec<(String, u64)> {
        let found = self.transfers.of_account(account).await.unwrap();
        let mut found: Vec<_> = found.into_iter().map(|t| (t.country, t.calls)).collect();
        found.sort();
        found
    }

    async fn late(&self) -> usize {
        self.office.world.query("SELECT call_id FROM late_calls".into()).await.len()
    }
}

both_engines! {
    async fn every_call_is_counted_once_whenever_its_record_comes(db: Db) {
        let mut town = Town::new(db).await;
        let acme = town.office.provider("acme").await;
        let recipient = town.office.enter("Acme", &spec(Kind::ModelProvider, "US")).await.unwrap();
        town.office.tie(recipient.id, acme).await.unwrap();
        let ann = town.office.world.account().await.account;
        let one = |country: &str, calls| vec![(country.to_owned(), calls)];

        // One is old enough, one is not, one has not been reported yet.
        let (old, young, lost) =
            (town.call(ann, Some(acme), 20 * MINUTE), town.call(ann, Some(acme), MINUTE), town.call(ann, Some(acme), 30 * MINUTE));
        let first_at = old.begun.started_at;
        town.settle(vec![old, young.clone()]).await;
        town.count().await;
        assert_eq!(town.of(ann).await, one("US", 1));
        town.count().await;
        assert_eq!(town.of(ann).await, one("US", 1), "it is not counted again");
        // It began before the place that the counting has come to.
        town.settle(vec![lost]).await;
        assert_eq!(town.late().await, 1);
        town.count().await;
        assert_eq!((town.of(ann).await, town.late().await), (one("US", 2), 0));
        // One whose record is late and whose time has not come is counted when it comes, and only then.
        let late = town.call(ann, Some(acme), 10 * MINUTE);
        town.settle(vec![late]).await;
        town.count().await;
        assert_eq!((town.of(ann).await, town.late().await), (one("US", 2), 1));
        town.office.world.clock.advance_micros(20 * MINUTE);
        town.count().await;
        assert_eq!((town.of(ann).await, town.late().await), (one("US", 4), 0));
        let found = town.transfers.of_account(ann).await.unwrap().remove(0);
        assert_eq!((found.recipient, found.provider), (Some(recipient.id), acme));
        assert_eq!((found.first_at, found.last_at), (first_at.plus_micros(-10 * MINUTE), young.begun.started_at));
        // Where it is counted is where the provider was then.
        town.office.change(recipient.id, "Acme", &spec(Kind::ModelProvider, "CN")).await.unwrap();
        let moved = town.call(ann, Some(acme), 20 * MINUTE);
        town.settle(vec![moved]).await;
        town.count().await;
        assert_eq!(town.of(ann).await, [("CN".to_owned(), 1), ("US".to_owned(), 4)]);
    }

    async fn whoever_got_something_is_counted_and_whoever_could_not_be_reached_is_not(db: Db) {
        let mut town = Town::new(db).await;
        let (acme, other) = (town.office.provider("acme").await, town.office.provider("other").await);
        for (name, provider, country) in [("Acme", acme, "US"), ("Other", other, "DE")] {
            let recipient = town.office.enter(name, &spec(Kind::ModelProvider, country)).await.unwrap();
            town.office.tie(recipient.id, provider).await.unwrap();
        }
        let channel: ChannelSpec = serde_json::from_str(r#"{"provider": "acme"}"#).unwrap();
        let channel = town.office.catalog.channel_put("main", &channel).await.unwrap().value.id;
        let failed = |error| FailedAttempt {
            channel,
            credential: CredentialId(uuid::Uuid::nil()),
            started_micros: 0,
            duration_micros: 1,
            error: Some(error),
            http_status: None,
        };
        let mut world = async || town.office.world.account().await.account;
        let [ann, ben, cid] = [world().await, world().await, world().await];
        // Another answered after this one had taken the request, twice.
        let mut both = town.call(ann, Some(other), 20 * MINUTE);
        (both.tried, both.failed) = (3, vec![failed(ErrorCode::ProviderTimeout), failed(ErrorCode::ProviderError)]);
        // Nothing had been sent.
        let mut unreached = town.call(ben, Some(other), 20 * MINUTE);
        (unreached.tried, unreached.failed) = (2, vec![failed(ErrorCode::ProviderUnreachable)]);
        let mut nobody = town.call(cid, Some(acme), 20 * MINUTE);
        (nobody.tried, nobody.failed) = (1, vec![failed(ErrorCode::ProviderUnreachable)]);
        town.settle(vec![both, unreached, nobody]).await;
        town.count().await;
        assert_eq!(town.of(ann).await, [("DE".to_owned(), 1), ("US".to_owned(), 1)]);
        assert_eq!(town.of(ben).await, [("DE".to_owned(), 1)]);
        assert_eq!(town.of(cid).await, []);
    }

    async fn people_are_counted_once_a_year_by_country(db: Db) {
        let mut town = Town::new(db).await;
        let (home, acme, nobody) =
            (town.office.provider("home").await, town.office.provider("acme").await, town.office.provider("nobody").await);
        for (name, provider, country) in [("Home", home, "CN"), ("Acme", acme, "US")] {
            let entry: RecipientSpec = spec(Kind::ModelProvider, country);
            let recipient = town.office.enter(name, &entry).await.unwrap();
            town.office.tie(recipient.id, provider).await.unwrap();
        }
        let mut world = async || town.office.world.account().await.account;
        let [ann, ben, cid] = [world().await, world().await, world().await];
        let year = year_of(town.now().plus_micros(-20 * MINUTE));
        let calls = [(ann, home), (ann, acme), (ann, acme), (ann, nobody), (ben, home)];
        let calls: Vec<_> = calls.into_iter().map(|(who, at)| town.call(who, Some(at), 20 * MINUTE)).collect();
        town.settle(calls).await;
        town.count().await;
        let report = town.transfers.report(None).await.unwrap();
        assert_eq!((report.year, report.abroad, report.level), (year, 1, Level::Below));
        let countries: Vec<_> = report.countries.iter().map(|c| (c.country.as_str(), c.subjects, c.calls)).collect();
        assert_eq!(countries, [("CN", 2, 2), ("US", 1, 2), (UNKNOWN, 1, 1)]);
        assert_eq!(report.providers.len(), 3);
        let more = vec![town.call(ben, Some(acme), 20 * MINUTE), town.call(cid, Some(nobody), 20 * MINUTE)];
        town.settle(more).await;
        town.count().await;
        let report = town.transfers.report(Some(year)).await.unwrap();
        assert_eq!((report.abroad, report.level), (3, Level::Assessment));
        assert_eq!(town.transfers.report(Some(year - 1)).await.unwrap().abroad, 0);
    }

    async fn they_go_when_their_time_is_over(db: Db) {
        let mut town = Town::new(db).await;
        let acme = town.office.provider("acme").await;
        let ann = town.office.world.account().await.account;
        let call = town.call(ann, Some(acme), 20 * MINUTE);
        town.settle(vec![call]).await;
        town.count().await;
        let forget = async |town: &Town| {
            let now = town.now();
            let forget = async |tx: &mut WriteTx<'_>| forget(tx, now).await;
            let forget = &forget;
            town.office.world.db.write("test.forget", |tx| Box::pin(forget(tx))).await.unwrap();
            town.of(ann).await.len()
        };
        town.office.world.clock.advance_micros(1095 * DAY - 21 * MINUTE);
        assert_eq!(forget(&town).await, 1);
        town.office.world.clock.advance_micros(2 * MINUTE);
        assert_eq!(forget(&town).await, 0);
    }
}

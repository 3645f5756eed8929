//! What was used, day by day.

use super::*;
use crate::usage::{DayUsage, UsageFilter};

tacit_storage::both_engines! {
    async fn usage_is_summed_by_day_and_by_key(db: Db) {
        let w = World::new(db).await;
        let (account, other) = (w.customer(10_000).await, w.customer(10_000).await);
        let session = w.session("gw").await;
        let call = |account, key: KeyId, at: &str| {
            let begun = w.begun(account, 0, 0);
            let started_at = Timestamp::parse(at).unwrap();
            w.ended(&BegunCall { key, started_at, ..begun }, 10, 5)
        };
        let (key, second) = (KeyId::fresh(), KeyId::fresh());
        let ended = [
            call(account, key, "2026-11-22T23:59:59Z"),
            call(account, key, "2026-11-23T00:00:00Z"),
            call(account, second, "2026-11-23T11:00:00Z"),
            call(other, KeyId::fresh(), "2026-11-23T11:00:00Z"),
        ];
        let begun: Vec<_> = ended.iter().map(|ended| ended.begun.clone()).collect();
        w.commit(&[batch(session, 1, &begun, &ended)]).await;
        let day = |day: &str, calls: u64| {
            let (tokens, amount) = (calls * 15, Nano(i64::try_from(calls).unwrap() * 20));
            DayUsage { day: Timestamp::parse(day).unwrap(), calls, tokens, amount }
        };
        let (first, last) = (day("2026-11-22T00:00:00Z", 1), day("2026-11-23T00:00:00Z", 2));
        let of = async |filter: UsageFilter, limit| w.ledger.usage(account, &filter, limit).await.unwrap();
        assert_eq!(of(UsageFilter::default(), 9).await, [last, first]);
        assert_eq!(of(UsageFilter::default(), 1).await, [last]);
        let noon = Some(Timestamp::parse("2026-11-23T12:00:00Z").unwrap());
        assert_eq!(of(UsageFilter { since: noon, ..UsageFilter::default() }, 9).await, [last]);
        assert_eq!(of(UsageFilter { until: Some(last.day), ..UsageFilter::default() }, 9).await, [first]);
        let by_key = of(UsageFilter { key: Some(second), ..UsageFilter::default() }, 9).await;
        assert_eq!(by_key, [day("2026-11-23T00:00:00Z", 1)]);
    }
}

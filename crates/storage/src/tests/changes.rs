use crate::changes::{Change, after, append, newest, prune};
use crate::{Db, StorageError, both_engines};
use tacit_kernel::Timestamp;
use tacit_kernel::ids::{AccountId, SessionId};

async fn add(db: &Db, change: Change, at: i64) -> Result<i64, StorageError> {
    let change = &change;
    db.write("test.append", |tx| Box::pin(async move { append(tx, change, Timestamp(at)).await })).await
}

async fn read(db: &Db, seq: i64) -> Vec<(i64, Change)> {
    db.read("test.after", |tx| Box::pin(after(tx, seq))).await.unwrap_or_else(|e: StorageError| panic!("{e}"))
}

both_engines! {
    async fn changes_are_read_in_order(db: Db) {
        let account = AccountId::fresh();
        let all = [
            Change::Catalog,
            Change::Key([7; 32]),
            Change::Account(account),
            Change::Recall { account, but: None },
            Change::Recall { account, but: Some(SessionId::fresh()) },
        ];
        for (change, seq) in all.into_iter().zip(1..) {
            assert_eq!(add(&db, change, seq).await.unwrap(), seq);
        }
        assert_eq!(read(&db, 0).await, (1..).zip(all).collect::<Vec<_>>());
        assert_eq!(read(&db, 4).await, [(5, all[4])]);
        assert!(read(&db, 5).await.is_empty());
    }

    async fn the_newest_is_never_pruned(db: Db) {
        let newest_now = async || -> i64 {
            db.read("test.newest", |tx| Box::pin(newest(tx))).await.unwrap_or_else(|e: StorageError| panic!("{e}"))
        };
        assert_eq!(newest_now().await, 0);
        for at in 1..=5 {
            add(&db, Change::Catalog, at).await.unwrap();
        }
        let drop_before = async |at: i64| {
            db.write("test.prune", |tx| Box::pin(prune(tx, Timestamp(at)))).await.unwrap()
        };
        assert_eq!(drop_before(3).await, 2);
        assert_eq!(drop_before(100).await, 2);
        assert_eq!(read(&db, 0).await, [(5, Change::Catalog)]);
        assert_eq!(newest_now().await, 5);
        assert_eq!(add(&db, Change::Catalog, 6).await.unwrap(), 6);
    }

    /// A reader that follows by number misses none, however many write.
    async fn no_change_is_missed(db: Db) {
        let writers: Vec<_> = (0..6)
            .map(|_| {
                let db = db.clone();
                tokio::spawn(async move {
                    for _ in 0..5 {
                        while add(&db, Change::Catalog, 1).await.is_err() {}
                    }
                })
            })
            .collect();
        let mut seen = Vec::new();
        while seen.len() < 30 {
            let last = seen.last().map_or(0, |(seq, _)| *seq);
            seen.extend(read(&db, last).await);
        }
        for writer in writers {
            writer.await.unwrap();
        }
        assert_eq!(seen.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(), (1..=30).collect::<Vec<_>>());
    }
}

//! Which thread a transaction on SQLite runs on, and what becomes of the others.

use super::{COUNTER, count, counted, script};
use crate::testing::{run, test_db};
use crate::{Db, Engine, Sql, StorageError, both_engines};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

both_engines! {
    async fn a_panic_rolls_back_and_the_next_goes_on(db: Db) {
        script(&db, COUNTER).await;
        let writer = db.clone();
        let task = tokio::spawn(async move {
            writer
                .write("test.panic", |tx| {
                    Box::pin(async move {
                        count(tx).await?;
                        panic!("on purpose");
                        #[expect(unreachable_code, reason = "tells the type")]
                        Ok::<(), StorageError>(())
                    })
                })
                .await
        });
        assert!(task.await.unwrap_err().is_panic());
        assert_eq!(counted(&db).await, 0);
        db.write("test.after", |tx| Box::pin(count(tx))).await.unwrap();
        assert_eq!(counted(&db).await, 1);
    }
}

/// A whole transaction is a row of calls on the thread that asks for it.
#[test]
fn a_thread_of_its_own_hands_nothing_over() {
    run(Engine::Sqlite, async |db: Db| {
        script(&db, COUNTER).await;
        let (handle, writer) = (tokio::runtime::Handle::current(), db.clone());
        let own = thread::spawn(move || {
            let work = writer.write("test.thread", |tx| {
                Box::pin(async move {
                    count(tx).await?;
                    Ok::<_, StorageError>(thread::current().id())
                })
            });
            // Polled once: nothing in it waits.
            let mut work = std::pin::pin!(work);
            let mut context = std::task::Context::from_waker(std::task::Waker::noop());
            let _in_runtime = handle.enter();
            match work.as_mut().poll(&mut context) {
                std::task::Poll::Ready(done) => (done.unwrap(), thread::current().id()),
                std::task::Poll::Pending => panic!("the transaction waited"),
            }
        });
        let (ran_on, asked_on) = own.join().unwrap();
        assert_eq!(ran_on, asked_on);
        assert_eq!(counted(&db).await, 1);
    });
}

/// The only worker is in a transaction that does not let go of its thread, and the task it needs runs all the same.
#[test]
fn a_transaction_that_keeps_its_thread_lets_other_tasks_run() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let db = test_db(Engine::Sqlite).await;
        script(&db, COUNTER).await;
        let writer = Db::clone(&db);
        let task = tokio::spawn(async move {
            let (send, receive) = mpsc::channel();
            let receive = &Mutex::new(receive);
            writer
                .write("test.keep", |tx| {
                    let send = send.clone();
                    Box::pin(async move {
                        tokio::spawn(async move { send.send(()).unwrap() });
                        receive.lock().unwrap().recv_timeout(Duration::from_secs(20)).unwrap();
                        count(tx).await
                    })
                })
                .await
        });
        task.await.unwrap().unwrap();
        assert_eq!(counted(&db).await, 1);
    });
}

/// Four read at once, never more, and all get their turn.
#[test]
fn readers_take_turns() {
    const ONE: Sql = Sql::new("SELECT 1 AS n");
    run(Engine::Sqlite, async |db: Db| {
        let (meet, inside, most) =
            (Arc::new(tokio::sync::Barrier::new(4)), Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let tasks: Vec<_> = (0..12)
            .map(|_| {
                let (db, meet, inside, most) = (db.clone(), meet.clone(), inside.clone(), most.clone());
                tokio::spawn(async move {
                    let (meet, inside, most) = (&meet, &inside, &most);
                    db.read("test.turn", |tx| {
                        Box::pin(async move {
                            most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                            meet.wait().await;
                            let row = tx.one(&ONE, &[]).await?.unwrap();
                            inside.fetch_sub(1, Ordering::SeqCst);
                            row.get::<i64>("n")
                        })
                    })
                    .await
                })
            })
            .collect();
        for task in tasks {
            assert_eq!(task.await.unwrap().unwrap_or_else(|e: StorageError| panic!("{e}")), 1);
        }
        assert_eq!(most.load(Ordering::SeqCst), 4);
    });
}

/// `.cargo/config.toml` reached the compiler: its flags come in one variable, so these stand for all.
#[test]
fn sqlite_is_compiled_as_we_say() {
    const OPTIONS: Sql = Sql::new("PRAGMA compile_options");
    run(Engine::Sqlite, async |db: Db| {
        let rows = db.read("test.options", |tx| Box::pin(tx.all(&OPTIONS, &[]))).await;
        let options: Vec<String> = rows
            .unwrap_or_else(|e: StorageError| panic!("{e}"))
            .iter()
            .map(|row| row.get("compile_options").unwrap())
            .collect();
        for expected in ["DEFAULT_MEMSTATUS=0", "DQS=0", "OMIT_DEPRECATED"] {
            assert!(options.iter().any(|o| o == expected), "{expected} of {options:?}");
        }
        assert!(!options.iter().any(|o| o == "ENABLE_MEMORY_MANAGEMENT"), "{options:?}");
    });
}

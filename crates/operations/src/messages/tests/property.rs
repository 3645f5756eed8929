//! Whatever order leases, crashes, refusals and time come in: no message is lost, none is given away after it expired or
//! while another worker has it, and what is over keeps nothing of what it said.

use super::*;
use crate::messages::attempt::{NotTaken, Taken};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use tacit_storage::Engine;
use tacit_storage::testing::run;

#[derive(Clone, Debug)]
enum Step {
    /// A message that expires after so many minutes is written.
    Write(i64),
    /// A worker leases that many.
    Lease(usize),
    /// Of the messages in hand, this one is taken, and that is said.
    Taken(usize),
    /// It is taken, and the process dies before it says so.
    TakenThenCrash(usize),
    /// The process dies before it is given away.
    Crash(usize),
    /// It is refused.
    Refused(usize, bool),
    /// Seconds pass.
    Pass(i64),
}

fn step() -> impl Strategy<Value = Step> {
    let which = 0..8_usize;
    prop_oneof![
        3 => (1..30_i64).prop_map(Step::Write),
        4 => (1..4_usize).prop_map(Step::Lease),
        2 => which.clone().prop_map(Step::Taken),
        1 => which.clone().prop_map(Step::TakenThenCrash),
        1 => which.clone().prop_map(Step::Crash),
        3 => (which, any::<bool>()).prop_map(|(n, good)| Step::Refused(n, good)),
        3 => (1..400_i64).prop_map(Step::Pass),
    ]
}

#[derive(Default)]
struct Model {
    expires: BTreeMap<MessageId, Timestamp>,
    taken: BTreeMap<MessageId, u32>,
    /// What a live worker has, by which lease, and when that runs out.
    held: BTreeMap<MessageId, (uuid::Uuid, Timestamp)>,
    /// Those of which a worker died, or came too late to say how it ended.
    crashed: BTreeSet<MessageId>,
    refused_for_good: BTreeSet<MessageId>,
}

async fn played(db: Db, steps: Vec<Step>) {
    let (messages, clock, _) = still(&db, Route::Development, Route::Development).await;
    let mut model = Model::default();
    let mut in_hand: Vec<store::Leased> = Vec::new();
    for step in steps {
        let now = clock.now();
        match step {
            Step::Write(minutes) => {
                let expires_at = now.plus_micros(minutes * MINUTE);
                let id = messages.enqueue_alone(&code("ada@customer.example", "1", expires_at)).await.unwrap();
                model.expires.insert(id, expires_at);
            }
            Step::Lease(most) => {
                for leased in messages.lease(most).await.unwrap() {
                    let id = leased.id;
                    assert!(now < model.expires[&id], "leased after it expired");
                    let held = model.held.insert(id, (leased.lease, now.plus_micros(65_000_000)));
                    assert!(held.is_none_or(|(_, until)| until <= now), "two workers have it");
                    assert!(!model.refused_for_good.contains(&id), "leased after it was refused for good");
                    assert!(leased.attempts <= Schedule::DEFAULT.attempts);
                    in_hand.push(leased);
                }
            }
            Step::Pass(seconds) => clock.advance_micros(seconds * 1_000_000),
            Step::Taken(n) | Step::TakenThenCrash(n) | Step::Crash(n) | Step::Refused(n, _) => {
                if in_hand.is_empty() {
                    continue;
                }
                let at = n % in_hand.len();
                let leased = in_hand.swap_remove(at);
                let id = leased.id;
                // The worker itself gives an attempt up when it has lasted for too long.
                let late = model.held.get(&id).is_none_or(|(lease, until)| *lease != leased.lease || *until <= now);
                let outcome = match step {
                    Step::Crash(_) => {
                        model.crashed.insert(id);
                        continue;
                    }
                    _ if late => {
                        model.crashed.insert(id);
                        continue;
                    }
                    Step::TakenThenCrash(_) => {
                        *model.taken.entry(id).or_default() += 1;
                        model.crashed.insert(id);
                        continue;
                    }
                    Step::Taken(_) => {
                        *model.taken.entry(id).or_default() += 1;
                        Ok(Taken { status: 250, reference: None })
                    }
                    Step::Refused(_, good) => {
                        let failure = if good { Failure::Refused } else { Failure::Deferred };
                        if good {
                            model.refused_for_good.insert(id);
                        }
                        Err(NotTaken::without_answer(failure))
                    }
                    _ => continue,
                };
                messages.recorded(&leased, &outcome).await.unwrap();
                model.held.remove(&id);
            }
        }
    }
    // Everything comes to an end, and the books are right.
    for _ in 0..60 {
        clock.advance_micros(70_000_000);
        for leased in messages.lease(100).await.unwrap() {
            *model.taken.entry(leased.id).or_default() += 1;
            messages.recorded(&leased, &Ok(Taken { status: 250, reference: None })).await.unwrap();
        }
    }
    let page = messages.list(Page { limit: 500, ..Page::default() }).await.unwrap();
    assert_eq!(page.items.len(), model.expires.len(), "none is lost");
    for message in page.items {
        let taken = model.taken.get(&message.id).copied().unwrap_or(0);
        match message.state {
            State::Waiting => panic!("{} still waits", message.id),
            State::Sent => assert!(taken >= 1, "sent, and nobody took it"),
            State::Failed if model.refused_for_good.contains(&message.id) => {}
            State::Failed => assert!(
                message.attempts == Schedule::DEFAULT.attempts,
                "given up after {} attempts: {:?}",
                message.attempts,
                message.failure
            ),
            State::Expired => {}
        }
        // Twice is only what a crash makes.
        assert!(taken <= 1 || model.crashed.contains(&message.id), "taken {taken} times without a crash");
        if taken > 0 && !model.crashed.contains(&message.id) {
            assert_eq!(message.state, State::Sent);
        }
    }
    let left = rows(&db, "SELECT id FROM messages WHERE recipient_sealed IS NOT NULL OR variables_sealed IS NOT NULL");
    assert!(left.await.is_empty());
}

fn plays(engine: Engine, cases: u32) {
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    proptest!(config, |(steps in proptest::collection::vec(step(), 1..60))| {
        run(engine, |db| played(db, steps));
    });
}

#[test]
fn no_message_is_lost_or_late_sqlite() {
    plays(Engine::Sqlite, 40);
}

#[test]
fn no_message_is_lost_or_late_postgres() {
    plays(Engine::Postgres, 6);
}

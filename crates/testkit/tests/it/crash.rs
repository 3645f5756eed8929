//! Gateway, control plane or both are killed at random under load; afterwards every call is accounted for exactly.
//!
//! `TACIT_TEST_CRASHES` says how often (6 if not given).

use crate::{both_engines, chat, nano, text};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tacit_testkit::{Options, Platform, processes};

both_engines! {
    async fn after_any_crash_every_complete_answer_is_charged_once(engine) {
        let crashes: u32 = std::env::var("TACIT_TEST_CRASHES").ok().and_then(|n| n.parse().ok()).unwrap_or(6);
        let seed: u64 = std::env::var("TACIT_TEST_SEED").ok().and_then(|n| n.parse().ok()).unwrap_or_else(rand::random);
        println!("TACIT_TEST_SEED={seed}");
        let mut rng = StdRng::seed_from_u64(seed);
        let mut platform = Platform::start(engine, Options::default()).await?;
        platform.add_model("paced", "practice-openai", "practice-chat:tokens-20+pace-5").await?;
        platform.knows("paced").await?;
        let stop = Arc::new(AtomicBool::new(false));
        let mut load = tokio::task::JoinSet::new();
        for worker in 0..8_usize {
            let (client, stop) = (platform.client(), Arc::clone(&stop));
            load.spawn(async move {
                let mut complete = Vec::new();
                let mut broken = 0_u32;
                for round in worker.. {
                    if stop.load(Ordering::Relaxed) {
                        break;
                    }
                    let stream = round % 3 != 0;
                    let model = if round % 2 == 0 { "paced" } else { "chat" };
                    let body = chat(model, &format!("worker {worker} round {round}"), stream);
                    match client.post("/v1/chat/completions", &body).await {
                        Ok(answer) if answer.status.is_success() && answer.whole => {
                            let whole = if stream { answer.complete_stream() } else { answer.json().is_object() };
                            if whole {
                                complete.push(answer.call().unwrap());
                            }
                        }
                        _ => {
                            broken += 1;
                            tokio::time::sleep(Duration::from_millis(20)).await;
                        }
                    }
                }
                (complete, broken)
            });
        }
        for _ in 0..crashes {
            tokio::time::sleep(Duration::from_millis(rng.random_range(50..900))).await;
            let roles: &[&str] = [&["gateway"][..], &["control"], &["gateway", "control"]][rng.random_range(0..3)];
            let mut killed = Vec::new();
            for role in roles {
                killed.push((role, platform.kill(role)?));
            }
            for (role, old) in killed {
                let restarted = processes::restarted(platform.supervisor(), role, Some(old)).await;
                restarted.map_err(|error| error.context(platform.log_end()))?;
            }
            platform.ready().await?;
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
        stop.store(true, Ordering::Relaxed);
        let outcomes = load.join_all().await;
        let complete: Vec<String> = outcomes.iter().flat_map(|(complete, _)| complete.clone()).collect();
        let broken: u32 = outcomes.iter().map(|(_, broken)| broken).sum();
        println!("{} complete answers, {broken} broken calls, {crashes} crashes", complete.len());
        assert!(complete.len() > 20, "{} complete answers prove little", complete.len());

        // An orderly stop and start: whatever was held is given back, whatever was open is settled.
        platform.ready().await?;
        platform.stop().await?;
        platform.start_again(&[]).await?;
        let wanted: HashSet<&String> = complete.iter().collect();
        assert_eq!(wanted.len(), complete.len(), "no id was given twice");
        platform
            .until("nothing is reserved", async || {
                platform.wallet().await.is_ok_and(|w| nano(&w, "/reserved") == 0)
            })
            .await?;
        let calls = platform.calls().await?;
        let mut seen: HashMap<&str, u32> = HashMap::new();
        for call in &calls {
            *seen.entry(text(call, "/id")).or_default() += 1;
        }
        assert!(seen.values().all(|times| *times == 1), "a call has two records");
        for id in &complete {
            let call = calls.iter().find(|call| text(call, "/id") == id);
            let call = call.unwrap_or_else(|| panic!("a complete answer has no record: {id}"));
            assert!(nano(call, "/amount") > 0, "a complete answer was not charged: {call}");
            assert!(!text(call, "/settlement").is_empty(), "{call}");
        }
        let charged: i64 = calls.iter().map(|call| nano(call, "/amount")).sum();
        let wallet = platform.wallet().await?;
        assert_eq!(nano(&wallet, "/wallet") + charged, 100_000_000_000, "{wallet}");
        let verified = platform.cli(&["ledger", "verify"]).await?;
        assert_eq!(verified["balanced"], Value::Bool(true), "{verified}");
        Ok(())
    }
}

//! Gateway and control plane are two processes: each can go without the other falling, and the gateway is locked in.

use crate::{both_engines, chat, text};
use serde_json::Value;
use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tacit_storage::Engine;
use tacit_testkit::{Options, Platform, processes};

both_engines! {
    async fn the_control_plane_dies_under_load_and_no_call_fails(engine) {
        let mut platform = Platform::start(engine, Options::default()).await?;
        let gateway = platform.pid("gateway")?;
        let stop = Arc::new(AtomicBool::new(false));
        let mut load = tokio::task::JoinSet::new();
        for worker in 0..6 {
            let (client, stop) = (platform.client(), Arc::clone(&stop));
            load.spawn(async move {
                let mut done = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let stream = done.len() % 2 == 0;
                    let body = chat("chat", &format!("worker {worker}"), stream);
                    let answer = client.post("/v1/chat/completions", &body).await.unwrap();
                    assert!(answer.status.is_success(), "{} {}", answer.status, answer.text());
                    assert!(!stream || answer.complete_stream(), "{}", answer.text());
                    done.push(answer.call().unwrap());
                }
                done
            });
        }
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_millis(700)).await;
            let old = platform.kill("control")?;
            processes::restarted(platform.supervisor(), "control", Some(old)).await?;
        }
        platform.ready().await?;
        tokio::time::sleep(Duration::from_millis(700)).await;
        stop.store(true, Ordering::Relaxed);
        let mut sent: Vec<String> = load.join_all().await.concat();
        assert!(sent.len() > 50, "{} calls are no load", sent.len());
        assert_eq!(platform.pid("gateway")?, gateway, "the gateway was not restarted");
        platform
            .until("every call is recorded", async || {
                platform.calls().await.is_ok_and(|calls| calls.len() == sent.len())
            })
            .await?;
        let calls = platform.calls().await?;
        let mut recorded: Vec<String> = calls.iter().map(|call| text(call, "/id").to_owned()).collect();
        recorded.sort();
        sent.sort();
        assert_eq!(recorded, sent);
        assert!(calls.iter().all(|call| text(call, "/status") == "completed"));
        let verified = platform.cli(&["ledger", "verify"]).await?;
        assert_eq!(verified["balanced"], Value::Bool(true), "{verified}");
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_gateway_is_locked_in_and_the_status_says_so() {
    let platform = Platform::start(Engine::Sqlite, Options::default()).await.unwrap();
    let pid = platform.pid("gateway").unwrap();
    assert_eq!(processes::status(pid, "Seccomp").as_deref(), Some("2"), "a seccomp filter");
    assert_eq!(processes::status(pid, "NoNewPrivs").as_deref(), Some("1"));
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let core = limits.lines().find(|l| l.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().nth(4), Some("0"), "{core}");
    // Every file it still has open is a socket, a pipe, an event queue, the null device, or the log it was given.
    for entry in fs::read_dir(format!("/proc/{pid}/fd")).unwrap().flatten() {
        let Ok(target) = fs::read_link(entry.path()) else { continue };
        let target = target.to_string_lossy().into_owned();
        let known = ["socket:", "pipe:", "anon_inode:", "/dev/null", "/dev/urandom"];
        let log = platform.root().join("log").display().to_string();
        assert!(known.iter().any(|k| target.starts_with(k)) || target == log, "the gateway holds {target} open");
    }
    let status = platform.cli(&["status"]).await.unwrap();
    assert_eq!(status["gateways"][0]["sandbox"], Value::Bool(true), "{status}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_without_its_sandbox_says_so() {
    let options = Options::default().set("gateway.sandbox", "off");
    let platform = Platform::start(Engine::Sqlite, options).await.unwrap();
    let status = platform.cli(&["status"]).await.unwrap();
    assert_eq!(status["gateways"][0]["sandbox"], Value::Bool(false), "{status}");
    assert!(!status["warnings"].as_array().unwrap().is_empty(), "{status}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_platform_stops_in_order_and_starts_again_with_what_it_had() {
    let mut platform = Platform::start(Engine::Sqlite, Options::default()).await.unwrap();
    let answer = platform.client().post("/v1/chat/completions", &chat("chat", "Hello", false)).await.unwrap();
    let before = platform.call(&answer.call().unwrap()).await.unwrap();
    platform.stop().await.unwrap();
    platform.start_again(&[]).await.unwrap();
    assert_eq!(platform.call(&answer.call().unwrap()).await.unwrap(), before);
    let wallet = platform.wallet().await.unwrap();
    assert_eq!(text(&wallet, "/reserved"), "0", "an orderly stop gives back what was held: {wallet}");
    let again = platform.client().post("/v1/chat/completions", &chat("chat", "Hello", false)).await.unwrap();
    assert!(again.status.is_success(), "{}", again.text());
}

//! The positive controls of the gate: a deliberate leak at each sink, which it must find.

use super::gate::{Finding, Gate, listed};
use super::memory::may_look;
use crate::both_engines;
use nix::sys::resource::{Resource, getrlimit};
use std::fs;
use std::io::Write as _;
use tacit_storage::Engine;
use tacit_testkit::{Options, processes};

const CHAT: &str = "/v1/chat/completions";

/// Whether what that fault was given was found in such a place.
fn found_in(found: &[Finding], fault: &str, place: &str) -> bool {
    found.iter().any(|finding| finding.canary.starts_with(fault) && finding.place.contains(place))
}

fn faulty() -> Options {
    Options { faulty: true, record_link: true, ..Options::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leak_of_the_gateway_into_log_metrics_or_a_head_on_the_link_is_found() {
    let mut gate = Gate::new(Engine::Sqlite, faulty()).await.unwrap();
    assert_eq!(gate.scan().await.unwrap(), []);
    let sinks =
        [("leak-log", "/log"), ("leak-stderr", "/log"), ("leak-stdout", "/log"), ("leak-metric", "/metrics/gateway")];
    for (fault, place) in sinks {
        assert_eq!(gate.fault(fault, CHAT, "chat", false).await.unwrap().status, 200);
        gate.settled().await.unwrap();
        let found = gate.scan().await.unwrap();
        assert!(found_in(&found, fault, place), "{fault}: {}", listed(&found));
    }
    assert!(gate.scan().await.unwrap().iter().all(|finding| !finding.place.contains("/link/")));
    assert_eq!(gate.fault("leak-link-header", CHAT, "chat", false).await.unwrap().status, 200);
    gate.settled().await.unwrap();
    let packed: Vec<_> = gate.scan().await.unwrap().into_iter().filter(|f| f.place.contains("/link/")).collect();
    assert!(!packed.is_empty() && packed.iter().all(|f| f.encoding == "hpack"), "{}", listed(&packed));
}

both_engines! {
    /// A text of a client in a field of the link, as if the gateway had not sealed it or had named itself after it.
    async fn a_leak_of_the_gateway_through_the_link_into_the_database_is_found(engine) {
        let mut gate = Gate::new(engine, faulty()).await?;
        assert_eq!(gate.scan().await?, []);
        for fault in ["leak-record", "leak-session"] {
            assert_eq!(gate.fault(fault, CHAT, "chat", false).await.unwrap().status, 200);
        }
        gate.settled().await?;
        gate.platform.until("the session is recorded", async || {
            gate.platform.cli(&["status"]).await.is_ok_and(|s| s["gateways"].as_array().is_some_and(|g| g.len() == 2))
        }).await?;
        let found = gate.scan().await?;
        for fault in ["leak-record", "leak-session"] {
            assert!(found_in(&found, fault, "/link/"), "{fault}: {}", listed(&found));
            let stored = |place: &str| found_in(&found, fault, place);
            match engine {
                Engine::Sqlite => assert!(stored("/data/tacit.db-wal"), "{fault}: {}", listed(&found)),
                // The dump has no name of ours, so that only the rest is left.
                Engine::Postgres => {
                    let elsewhere = |f: &&Finding| !f.place.contains("/link/") && f.canary.starts_with(fault);
                    assert!(found.iter().any(|f| elsewhere(&f)), "{fault}: {}", listed(&found));
                    let files = std::env::var_os("TACIT_TEST_POSTGRES_URL").is_none();
                    assert!(!files || stored("/data/base/"), "{fault}: {}", listed(&found));
                }
            }
        }
        if engine == Engine::Sqlite {
            // The last one to close the database moves its log into the file.
            gate.platform.stop().await?;
            let found = gate.scan_files().await?;
            assert!(found.iter().any(|f| f.place.ends_with("/data/tacit.db")), "{}", listed(&found));
        }
        Ok(())
    }
}

both_engines! {
    /// A name that the program writes to its database as it is: the scanner must find it there.
    async fn a_leak_into_the_database_is_found(engine) {
        let mut gate = Gate::new(engine, Options::default()).await?;
        assert_eq!(gate.scan().await?, []);
        let canary = gate.canaries.mint("group name");
        gate.platform.cli(&["group", "add", &canary]).await?;
        let found = gate.scan().await?;
        assert!(found.iter().any(|finding| finding.canary == "group name"), "{}", listed(&found));
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leak_into_log_temporary_file_or_core_is_found() {
    let mut gate = Gate::new(Engine::Sqlite, Options::default()).await.unwrap();
    assert_eq!(gate.scan().await.unwrap(), []);
    for place in ["tmp/upload", "cwd/core.4711", "data/spool.gz"] {
        let canary = gate.canaries.mint(place);
        fs::write(gate.platform.root().join(place), format!("some bytes {canary} and more")).unwrap();
        let found = gate.scan().await.unwrap();
        assert!(found.iter().any(|finding| finding.canary == place), "{place}: {}", listed(&found));
    }
    let canary = gate.canaries.mint("log line");
    let mut log = fs::File::options().append(true).open(gate.platform.root().join("log")).unwrap();
    log.write_all(format!("{{\"detail\":\"{canary}\"}}\n").as_bytes()).unwrap();
    let found = gate.scan().await.unwrap();
    assert!(found.iter().any(|finding| finding.canary == "log line"), "{}", listed(&found));
}

/// The sandbox keeps the gateway from files, from nameless files, and from a core; without it the gate finds all three.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leak_of_the_gateway_into_a_file_or_a_core_fails_in_the_sandbox_and_is_found_without() {
    for (sandbox, leaks) in [("on", false), ("off", true)] {
        let mut gate = Gate::new(Engine::Sqlite, faulty().set("gateway.sandbox", sandbox)).await.unwrap();
        assert_eq!(gate.fault("leak-detail", CHAT, "chat", false).await.unwrap().status, 200);
        assert!(gate.platform.log().contains("fault.leak"), "the event itself is written");
        let found = gate.scan().await.unwrap();
        assert!(found.is_empty(), "a log field of the gateway takes no body: {}", listed(&found));

        let gateway = gate.platform.pid("gateway").unwrap();
        assert_eq!(gate.fault("leak-deleted-file", CHAT, "chat", false).await.unwrap().status, 200);
        if may_look(gateway) {
            let found = gate.prove(&[], &[], &[gateway]).await.unwrap().findings;
            assert_eq!(found_in(&found, "leak-deleted-file", "deleted file"), leaks, "sandbox {sandbox}");
        }

        assert_eq!(gate.fault("leak-file", CHAT, "chat", false).await.unwrap().status, 200);
        let file = gate.platform.root().join("tmp/tacit-fault-leak");
        assert_eq!(file.exists(), leaks, "sandbox {sandbox}");
        let found = gate.scan().await.unwrap();
        assert_eq!(found_in(&found, "leak-file", "tacit-fault-leak"), leaks, "sandbox {sandbox}: {}", listed(&found));
        if leaks {
            fs::remove_file(file).unwrap();
        }

        assert!(gate.fault("leak-core", CHAT, "chat", false).await.is_none(), "the gateway aborts");
        processes::restarted(gate.platform.supervisor(), "gateway", Some(gateway)).await.unwrap();
        gate.platform.ready().await.unwrap();
        let found = gate.scan().await.unwrap();
        let expected = leaks && cores_are_files();
        assert_eq!(found_in(&found, "leak-core", "/cwd/core"), expected, "sandbox {sandbox}: {}", listed(&found));
        assert!(leaks || found.is_empty(), "{}", listed(&found));
    }
}

/// Whether this machine writes cores into the working directory, and lets us have them.
fn cores_are_files() -> bool {
    let pattern = fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap_or_default();
    let allowed = getrlimit(Resource::RLIMIT_CORE).is_ok_and(|(_, highest)| highest > 1 << 30);
    let files = pattern.starts_with("core") && allowed;
    if !files {
        println!("no cores are written here: their control is the made one of another test");
    }
    files
}

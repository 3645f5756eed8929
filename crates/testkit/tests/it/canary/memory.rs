//! The memory of the processes.
//!
//! Of the gateway nothing is promised here: it has bodies in its hands, and what it has freed is not overwritten (see
//! SECURITY.md). The others never have one, so that none is in their memory.

use super::gate::{Gate, listed};
use anyhow::ensure;
use http::Method;
use http_body_util::Full;
use std::fs::{self, File};
use std::os::unix::fs::MetadataExt;
use tacit_storage::Engine;
use tacit_testkit::Options;

/// Whether this machine lets the program read the memory of another process that is not its child, which an ordinary user
/// may not where Yama restricts it (<https://docs.kernel.org/admin-guide/LSM/Yama.html>).
pub(super) fn may_look(pid: u32) -> bool {
    let root = fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
    let yama = fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").unwrap_or_default();
    let may = File::open(format!("/proc/{pid}/mem")).is_ok() && (root || matches!(yama.trim(), "" | "0"));
    if !may {
        println!("the memory of other processes may not be read here: it is not searched");
    }
    may
}

/// # Errors
/// If a canary is in the memory of the control plane or the supervisor.
pub(super) async fn control_plane_holds_nothing(gate: &Gate) -> anyhow::Result<()> {
    let (control, supervisor) = (gate.platform.pid("control")?, gate.platform.supervisor());
    if !may_look(control) {
        return Ok(());
    }
    let proved = gate.prove(&[], &[], &[control, supervisor]).await?;
    ensure!(proved.findings.is_empty(), "in memory:\n{}", listed(&proved.findings));
    Ok(())
}

/// The control of the search above: in the gateway, while a call is open, it finds the body.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_in_the_memory_of_the_gateway_is_found_while_its_call_lasts() {
    let mut gate = Gate::new(Engine::Sqlite, Options::default()).await.unwrap();
    gate.platform.add_model("slow", "practice-openai", "practice-chat:tokens-500+pace-50").await.unwrap();
    gate.platform.knows("slow").await.unwrap();
    let gateway = gate.platform.pid("gateway").unwrap();
    if !may_look(gateway) {
        return;
    }
    let client = gate.platform.client();
    let body = gate.canaries.body("open call", "slow", true).to_string();
    let request = client.request(Method::POST, "/v1/chat/completions").body(Full::from(body)).unwrap();
    let answer = client.open(request).await.unwrap();
    let during = gate.prove(&[], &[], &[gateway]).await.unwrap();
    assert!(during.findings.iter().any(|f| f.place.starts_with("memory of process")), "{}", listed(&during.findings));
    drop(answer);
    gate.settled().await.unwrap();
    control_plane_holds_nothing(&gate).await.unwrap();
    let after = gate.prove(&[], &[], &[gateway]).await.unwrap();
    println!("in the gateway's memory: {} places during the call, {} after it", during.found, after.found);
}

//! The canary gate: the real program is driven through every outcome with canaries in every field a client controls;
//! then everything it may have written is scanned, and what its processes said to each other. Nothing may be found. A
//! deliberate leak at each sink must be: see `leaks`.

mod crashes;
mod gate;
mod leaks;
mod memory;
mod outcomes;

use crate::{both_engines, text};
use anyhow::{Context as _, ensure};
use gate::{Gate, listed};
use http::Method;
use http_body_util::Full;
use nix::sys::signal::Signal;
use std::collections::BTreeSet;
use std::time::Instant;
use tacit_testkit::{Options, processes};

fn options() -> Options {
    Options { record_link: true, ..Options::default() }
        .set("gateway.first_byte_timeout_seconds", "2")
        .set("gateway.idle_timeout_seconds", "1")
        .set("gateway.body_timeout_seconds", "2")
        .set("gateway.keep_alive_seconds", "1")
        .set("gateway.max_body_bytes", "1048576")
}

both_engines! {
    async fn no_body_is_kept_whatever_happens(engine) {
        let started = Instant::now();
        let mut gate = Gate::new(engine, options()).await?;
        let expected = gate.drive().await?;
        gate.settled().await?;
        let calls = gate.platform.calls().await?;
        expected.check(&calls)?;
        gate.abort().await?;
        gate.settled().await?;
        println!("{} calls driven in {:.1?}", gate.sent, started.elapsed());
        let scanning = Instant::now();
        let found = gate.scan().await?;
        println!("scanned in {:.1?}", scanning.elapsed());
        assert!(found.is_empty(), "bodies were kept:\n{}", listed(&found));
        memory::control_plane_holds_nothing(&gate).await?;
        // The calls really took place, and each has a record.
        let calls = gate.platform.calls().await?;
        let statuses: BTreeSet<&str> = calls.iter().map(|call| text(call, "/status")).collect();
        let all = ["balance_exhausted", "client_gone", "completed", "failed", "interrupted", "lost", "refused"];
        assert!(statuses.iter().eq(all.iter()), "{statuses:?} of {} calls", calls.len());
        let recorded = gate.recorded()?;
        assert!(recorded > 50_000, "only {recorded} bytes from the gateway to the control plane were recorded");
        gate.platform.stop().await?;
        // What is written in the end counts too.
        let found = gate.scan_files().await?;
        assert!(found.is_empty(), "bodies were kept at the end:\n{}", listed(&found));
        Ok(())
    }
}

impl Gate {
    /// How many bytes the gateway sent to the control plane.
    fn recorded(&self) -> anyhow::Result<u64> {
        let kept = self.platform.link_recordings().context("the link is recorded")?;
        let mut bytes = 0;
        for entry in std::fs::read_dir(kept)? {
            let entry = entry?;
            if entry.file_name().to_string_lossy().ends_with(".up") {
                bytes += entry.metadata()?.len();
            }
        }
        Ok(bytes)
    }

    /// The gateway is aborted in the middle of a stream.
    async fn abort(&mut self) -> anyhow::Result<()> {
        let gateway = self.platform.pid("gateway")?;
        let client = self.platform.client();
        let body = self.canaries.body("SIGABRT", "chat.slow", true).to_string();
        let request = client.request(Method::POST, "/v1/chat/completions").body(Full::from(body))?;
        let answer = client.open(request).await?;
        ensure!(answer.status().is_success(), "{}", answer.status());
        processes::signal(gateway, Signal::SIGABRT)?;
        processes::restarted(self.platform.supervisor(), "gateway", Some(gateway)).await?;
        self.platform.ready().await
    }
}

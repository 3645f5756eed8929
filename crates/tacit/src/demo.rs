//! `tacit demo`: one streamed call from end to end, and everything that is known of it afterwards.
//!
//! The prompt carries a canary. After the call everything that the platform keeps is searched for it; the demo fails
//! if it is found, or if the ledger does not balance.

mod platform;
mod stream;

use crate::cli::{Global, block_on, calls};
use crate::output;
use crate::prove::{Minter, NoBodies};
use anyhow::Context as _;
use clap::{Args, Parser};
use platform::Platform;
use serde::Serialize;
use std::path::Path;
use std::time::Duration;
use tacit_api::admin::calls::{Call, CallDetail, Charge};
use tacit_api::admin::client::escaped;
use tacit_api::admin::ledger::Verification;
use tacit_api::admin::wallets::Entry;

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// The model to call; by default practice-small, else the first that there is.
    #[arg(long)]
    model: Option<String>,
    /// What to ask.
    #[arg(long, default_value = "Say in one sentence what you are.")]
    prompt: String,
    /// Where the gateway is; by default where the configuration says that it listens.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report {
    answer: String,
    call: Call,
    charge: Option<Charge>,
    ledger_entries: Vec<Entry>,
    ledger_balanced: bool,
    canaries_found: u64,
    /// What was searched: files and bytes.
    files_searched: u64,
    bytes_searched: u64,
}

/// How long a record may take to appear after the answer.
const PATIENCE: Duration = Duration::from_secs(15);

pub(crate) fn run(global: &Global, args: &DemoArgs) -> anyhow::Result<()> {
    let out = global.output();
    block_on(async {
        let platform = Platform::find_or_start(global).await?;
        let result = demonstrate(&platform, args, out).await;
        let stopped = platform.stop().await;
        let report = result?;
        stopped?;
        if out.json() {
            out.either(&report, "")?;
        }
        anyhow::ensure!(report.ledger_balanced, "the ledger does not balance");
        anyhow::ensure!(report.canaries_found == 0, "the prompt's canary was found in what the platform keeps");
        Ok(())
    })
}

async fn demonstrate(platform: &Platform, args: &DemoArgs, out: output::Output) -> anyhow::Result<Report> {
    let access = platform.access(args.model.as_deref()).await?;
    let mut minter = Minter::new();
    let canary = minter.mint("demo prompt");
    let prompt = format!("{} (Reference: {canary})", args.prompt);
    let url = match &args.url {
        Some(url) => url.clone(),
        None => platform.url(),
    };
    out.text(&format!("Asking {} at {url}:\n\n  ", access.model))?;
    let certificate = platform.certificate.as_deref();
    let asked = stream::Ask { url: &url, key: &access.key, model: &access.model, prompt: &prompt, certificate };
    let answered = stream::ask(&asked, |piece| out.text(&piece.replace('\n', "\n  "))).await;
    access.end(platform).await?;
    let answered = answered?;
    out.text("\n\n")?;

    let detail = record(platform, &answered.call).await?;
    let verified: Verification = platform.client.get("/v1/ledger/verify").await?;
    let searched = search(&platform.data_dir, &canary).await?;
    let report = Report {
        answer: answered.text,
        call: detail.call.clone(),
        charge: detail.charge.clone(),
        ledger_entries: detail.ledger_entries.clone(),
        ledger_balanced: verified.balanced,
        canaries_found: searched.found,
        files_searched: searched.files,
        bytes_searched: searched.bytes,
    };
    if !out.json() {
        out.text(&format!("What is kept of this call:\n\n{}", calls::described(&detail)?))?;
        let balanced = if verified.balanced { "balances" } else { "DOES NOT BALANCE" };
        out.text(&format!(
            "\nThe ledger {balanced}: {} transactions, {} calls computed again.\n",
            verified.transactions, verified.calls
        ))?;
        out.text(&format!(
            "The prompt carried a canary. Searched {} files, {} bytes, for it: found {} times.\n",
            searched.files, searched.bytes, searched.found
        ))?;
    }
    Ok(report)
}

/// The record of the call, once it is there and settled.
async fn record(platform: &Platform, call: &str) -> anyhow::Result<CallDetail> {
    let path = format!("/v1/calls/{}", escaped(call));
    let until = tokio::time::Instant::now() + PATIENCE;
    loop {
        match platform.client.get::<CallDetail>(&path).await {
            Ok(detail) => return Ok(detail),
            Err(e) if e.code() != Some("call.not_found") || tokio::time::Instant::now() > until => {
                return Err(e).context("the call was answered, but its record cannot be read");
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(25)).await,
        }
    }
}

/// The scanner of `tacit prove no-bodies`, asked as an operator would ask it.
#[derive(Parser)]
struct Search {
    #[command(flatten)]
    asked: NoBodies,
}

async fn search(data_dir: &Path, canary: &str) -> anyhow::Result<crate::prove::Report> {
    let search = Search::try_parse_from(["search", "--canary", canary])?;
    let report = search.asked.run(Some(data_dir.to_owned()), None).await?;
    if !report.unreadable.is_empty() {
        output::remark(&format!("not readable, so not searched: {}", report.unreadable.join(", ")));
    }
    Ok(report)
}

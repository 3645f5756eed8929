//! `tacit-bench`: CPU, latency and memory of a call through Tacit against nginx as a plain reverse proxy, on the same
//! machine, in the same run, with the same mock provider and load generator. Prints ratios, for each engine.

mod cpu;
mod epoch;
mod erasure;
mod flood;
mod load;
mod nginx;
mod platform;
mod postgres;
mod provider;

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};
use load::{Outcome, Plan};
use nginx::Nginx;
use platform::Platform;
use postgres::Server;
use provider::Behaviour;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Measures a call through Tacit against nginx.
#[derive(Parser)]
struct Args {
    /// The tacit to measure; by default the one beside this program.
    #[arg(long)]
    binary: Option<PathBuf>,
    /// Seconds of each measurement.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Measurements of each side; the median counts.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Only scenarios whose name contains this.
    #[arg(long, default_value = "")]
    only: String,
    /// Database of the platform. For `postgres` a server of its own is started, as durable as it is by default.
    #[arg(long, value_enum, default_value_t = Engine::Sqlite)]
    engine: Engine,
    /// An empty database to measure with instead, by its URL.
    #[arg(long, conflicts_with = "engine")]
    database: Option<String>,
    /// Subjects in the keyring of the scenario `epoch`, which is measured only if it is named.
    #[arg(long, default_value_t = 1_000_000)]
    subjects: usize,
    /// Call records of the scenario `erasure`, which is measured only if it is named.
    #[arg(long, default_value_t = 10_000_000)]
    calls: usize,
    /// Only floods this platform, and says what was answered.
    #[arg(long, hide = true)]
    flood: Option<SocketAddr>,
    /// With what.
    #[arg(long, hide = true, value_enum, default_value = "sign-ins")]
    flood_of: flood::Kind,
    /// Counts the CPU of these processes (by name) as Tacit's too, e.g. `postgres` for a server beside `--database`.
    #[arg(long)]
    and_cpu_of: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Engine {
    Sqlite,
    Postgres,
    /// One after the other.
    Both,
}

struct Scenario {
    name: &'static str,
    provider: usize,
    bytes: usize,
    connections: usize,
    stream: bool,
    goal: f64,
    seconds: Option<u64>,
}

const PAUSED: usize = 3;
/// So much longer may the median call take in a flood.
const SLOWED: f64 = 1.1;

const BEHAVIOURS: [Behaviour; 4] = [
    Behaviour::Json { pause: Duration::ZERO },
    Behaviour::Stream { events: 50, gap: Duration::ZERO },
    Behaviour::Stream { events: 20, gap: Duration::from_millis(250) },
    Behaviour::Json { pause: Duration::from_millis(20) },
];

const SCENARIOS: [Scenario; 4] = [
    Scenario { name: "1KB", provider: 0, bytes: 1_000, connections: 64, stream: false, goal: 1.8, seconds: None },
    Scenario { name: "200KB", provider: 0, bytes: 200_000, connections: 64, stream: false, goal: 1.0, seconds: None },
    Scenario { name: "stream50", provider: 1, bytes: 1_000, connections: 64, stream: true, goal: 2.0, seconds: None },
    Scenario {
        name: "slow2000",
        provider: 2,
        bytes: 1_000,
        connections: 2_000,
        stream: true,
        goal: 1.3,
        seconds: Some(9),
    },
];

const PATH: &str = "/v1/chat/completions";

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    if let Some(target) = args.flood {
        say(&flood::run(args.flood_of, target, Duration::from_secs(args.seconds)).await?);
        return Ok(());
    }
    if args.only == "epoch" {
        return epochs(&args).await;
    }
    if args.only == "erasure" {
        return erasures(&args).await;
    }
    let binary = match &args.binary {
        Some(path) => path.clone(),
        None => std::env::current_exe()?.parent().context("no parent")?.join("tacit"),
    };
    let mut providers = Vec::new();
    for behaviour in BEHAVIOURS {
        providers.push(provider::serve(behaviour).await?);
    }
    if let Some(url) = args.database.clone() {
        return measure(&args, &binary, Some(&url), None, &providers).await;
    }
    if args.engine != Engine::Postgres {
        say("SQLite");
        measure(&args, &binary, None, None, &providers).await?;
    }
    if args.engine != Engine::Sqlite {
        let server = Server::start()?;
        say("PostgreSQL");
        measure(&args, &binary, Some(&server.url()), Some(server.pid()), &providers).await?;
    }
    Ok(())
}

/// The keyring alone, without a platform.
async fn epochs(args: &Args) -> Result<()> {
    if let Some(url) = &args.database {
        return epoch::measure(url, args.subjects).await;
    }
    if args.engine != Engine::Postgres {
        say("SQLite");
        let folder = tempfile::tempdir()?;
        epoch::measure(&format!("sqlite:{}/keyring.db", folder.path().display()), args.subjects).await?;
    }
    if args.engine != Engine::Sqlite {
        say("PostgreSQL");
        let server = Server::start()?;
        epoch::measure(&server.url(), args.subjects).await?;
    }
    Ok(())
}

/// Erasing people, without a platform.
async fn erasures(args: &Args) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = |name: &str| format!("sqlite:{}/{name}.db", folder.path().display());
    if args.engine != Engine::Postgres {
        say("SQLite");
        erasure::measure(&file("tacit"), &file("keyring"), args.calls).await?;
    }
    if args.engine != Engine::Sqlite {
        say("PostgreSQL, with a keyring of SQLite");
        let server = Server::start()?;
        erasure::measure(&server.url(), &file("keyring-of-postgres"), args.calls).await?;
    }
    Ok(())
}

/// Everything, with one database. What `server` and its children use counts as Tacit's.
async fn measure(
    args: &Args,
    binary: &Path,
    database: Option<&str>,
    server: Option<u32>,
    providers: &[SocketAddr],
) -> Result<()> {
    let folder = tempfile::tempdir()?;
    let nginx_folder = folder.path().join("nginx");
    std::fs::create_dir(&nginx_folder)?;
    let nginx = Nginx::start(&nginx_folder, providers)?;
    let tacit = Platform::start(binary, folder.path(), database, providers)?;
    let bench = Bench { args, nginx, tacit, server };
    let mut floods = Vec::new();
    for scenario in SCENARIOS {
        if scenario.name.contains(&args.only) {
            bench.cpu(&scenario).await?;
        }
    }
    if "latency".contains(&args.only) {
        bench.latency(providers.get(PAUSED).copied().context("no provider")?).await?;
    }
    if "flood".contains(&args.only) {
        floods.extend(bench.floods().await?);
    }
    if "memory".contains(&args.only) {
        bench.memory().await?;
    }
    say(&format!("ledger verified: {}", bench.tacit.verify()?));
    anyhow::ensure!(floods.is_empty(), "calls are slower than they may be in floods of {}", floods.join(", "));
    Ok(())
}

struct Bench<'a> {
    args: &'a Args,
    nginx: Nginx,
    tacit: Platform,
    server: Option<u32>,
}

impl Bench<'_> {
    fn request(&self, provider: usize, bytes: usize, stream: bool) -> Vec<u8> {
        load::chat(PATH, &self.tacit.key, &format!("bench-{provider}"), bytes, stream)
    }

    fn tacit_roots(&self) -> Vec<u32> {
        let mut roots = vec![self.tacit.pid()];
        roots.extend(self.server);
        if let Some(name) = &self.args.and_cpu_of {
            roots.extend(cpu::named(name));
        }
        roots
    }

    /// Seconds of CPU of the gateway alone so far.
    fn gateway_seconds(&self) -> f64 {
        cpu::child_with(self.tacit.pid(), "gateway").map_or(0.0, |pid| cpu::seconds(&[pid]))
    }

    /// Microseconds a call, of all and of the gateway alone.
    async fn one(&self, scenario: &Scenario, target: SocketAddr, roots: &[u32]) -> Result<(f64, f64, Outcome)> {
        let seconds = scenario.seconds.unwrap_or(self.args.seconds);
        let plan = |seconds| Plan {
            target,
            request: self.request(scenario.provider, scenario.bytes, scenario.stream),
            connections: scenario.connections,
            time: Duration::from_secs(seconds),
        };
        load::run(plan(1)).await?;
        let (before, of_gateway) = (cpu::seconds(roots), self.gateway_seconds());
        let outcome = load::run(plan(seconds)).await?;
        // What is settled a moment later belongs to these calls too.
        tokio::time::sleep(Duration::from_millis(500)).await;
        let (used, of_gateway) = (cpu::seconds(roots) - before, self.gateway_seconds() - of_gateway);
        #[expect(clippy::cast_precision_loss, reason = "far below 2^52")]
        let calls = outcome.calls.max(1) as f64;
        Ok((used / calls * 1e6, of_gateway / calls * 1e6, outcome))
    }

    async fn cpu(&self, scenario: &Scenario) -> Result<()> {
        let yardstick = self.nginx.ports.get(scenario.provider).copied().context("no port")?;
        let (mut theirs, mut ours, mut gateways, mut ratios) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (mut calls, mut failures) = (0, 0);
        for _ in 0..self.args.rounds.max(1) {
            let (nginx, _, seen) = self.one(scenario, yardstick, &[self.nginx.pid()]).await?;
            failures += seen.failures;
            let (tacit, gateway, seen) = self.one(scenario, self.tacit.address, &self.tacit_roots()).await?;
            failures += seen.failures;
            calls += seen.calls;
            theirs.push(nginx);
            ours.push(tacit);
            gateways.push(gateway);
            ratios.push(tacit / nginx);
        }
        say(&format!(
            "{:<9} cpu/call: nginx {:>7.1} us, tacit {:>7.1} us (gateway {:.1}), ratio {:.2} (goal {:.1}); {calls} calls, {failures} failures",
            scenario.name,
            median(&mut theirs),
            median(&mut ours),
            median(&mut gateways),
            median(&mut ratios),
            scenario.goal,
        ));
        Ok(())
    }

    /// Median latency at low load with a provider that takes 20 ms.
    async fn latency(&self, direct: SocketAddr) -> Result<()> {
        let plan = |target| Plan {
            target,
            request: self.request(PAUSED, 1_000, false),
            connections: 1,
            time: Duration::from_secs(self.args.seconds),
        };
        let straight = load::run(plan(direct)).await?;
        let through = load::run(plan(self.tacit.address)).await?;
        let added = |of: fn(&Outcome) -> &[u32]| {
            i64::from(Outcome::median(of(&through))) - i64::from(Outcome::median(of(&straight)))
        };
        say(&format!(
            "latency   added to the median call: {} us, to the first byte: {} us (goal 500); {} calls, {} failures",
            added(|o| &o.whole),
            added(|o| &o.first),
            through.calls,
            through.failures,
        ));
        Ok(())
    }

    /// The floods that slow calls more than they may.
    async fn floods(&self) -> Result<Vec<&'static str>> {
        let mut missed = Vec::new();
        for kind in flood::Kind::ALL {
            if self.flood(kind).await? > SLOWED {
                missed.push(kind.name());
            }
        }
        Ok(missed)
    }

    /// How much a flood slows calls of a provider that takes 20 ms.
    async fn flood(&self, kind: flood::Kind) -> Result<f64> {
        const CONNECTIONS: usize = 64;
        let time = Duration::from_secs(self.args.seconds);
        let plan = || Plan {
            target: self.tacit.address,
            request: self.request(PAUSED, 1_000, false),
            connections: CONNECTIONS,
            time,
        };
        let (mut slower, mut answered) = (Vec::new(), String::new());
        let (mut quiet, mut flooded) = (Vec::new(), Vec::new());
        for _ in 0..self.args.rounds.max(1) {
            let before = load::run(plan()).await?;
            let flood = flood::start(kind, self.tacit.address, time + Duration::from_secs(2))?;
            tokio::time::sleep(Duration::from_secs(1)).await;
            let during = load::run(plan()).await?;
            answered = String::from_utf8_lossy(&flood.wait_with_output().await?.stdout).trim().to_owned();
            let of = |outcome: &Outcome| f64::from(Outcome::median(&outcome.whole)) / 1000.0;
            slower.push(of(&during) / of(&before));
            quiet.push(of(&before));
            flooded.push(of(&during));
            anyhow::ensure!(during.failures == 0, "{} calls failed in the flood", during.failures);
        }
        let ratio = median(&mut slower);
        say(&format!(
            "flood     median call {:.2} ms, in a flood of {} {:.2} ms, ratio {ratio:.2} (goal {SLOWED}); answers to the flood: {answered}",
            median(&mut quiet),
            kind.name(),
            median(&mut flooded),
        ));
        Ok(ratio)
    }

    /// Memory of the gateway for each of 5,000 slow streams at once.
    async fn memory(&self) -> Result<()> {
        const STREAMS: usize = 5_000;
        let gateway = cpu::child_with(self.tacit.pid(), "gateway").context("no gateway process")?;
        let idle = cpu::resident(gateway);
        let plan = Plan {
            target: self.tacit.address,
            request: self.request(2, 1_000, true),
            connections: STREAMS,
            time: Duration::from_secs(1),
        };
        let load = tokio::spawn(load::run(plan));
        let mut peak = idle;
        while !load.is_finished() {
            tokio::time::sleep(Duration::from_millis(100)).await;
            peak = peak.max(cpu::resident(gateway));
        }
        let outcome = load.await??;
        let each = (peak - idle) / u64::try_from(STREAMS)? / 1024;
        say(&format!(
            "memory    {STREAMS} slow streams at once: {each} KB each beyond idle ({} MB) (goal 32); {} calls, {} failures",
            idle / 1_048_576,
            outcome.calls,
            outcome.failures,
        ));
        Ok(())
    }
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[expect(clippy::print_stdout, reason = "a command-line program")]
fn say(line: &str) {
    println!("{line}");
}

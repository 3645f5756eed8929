//! `tacit calls`: the records of calls, and how each charge came about.

use super::Session;
use super::catalog::query;
use super::paging::{PageArgs, page};
use super::set_aside::SetAsideCommand;
use crate::output::{self, Row};
use clap::{Args, Subcommand};
use tacit_api::admin::calls::{Call, CallDetail, CallQuery, Charge};
use tacit_api::admin::client::escaped;
use tacit_api::admin::forms::{Moment, Page};
use tacit_kernel::Timestamp;
use tacit_kernel::call::CallStatus;
use tacit_kernel::ids::KeyId;
use tacit_kernel::rating::TokenClass;

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Of this account, by name or id.
    #[arg(long)]
    account: Option<String>,
    /// Of this key, by id.
    #[arg(long)]
    key: Option<KeyId>,
    /// Of this model.
    #[arg(long)]
    model: Option<String>,
    /// That ended so: completed, client_gone, interrupted, balance_exhausted, failed, refused or lost.
    #[arg(long, value_parser = status)]
    status: Option<CallStatus>,
    /// Served by this channel, by name or id.
    #[arg(long)]
    channel: Option<String>,
    /// Begun at or after this moment.
    #[arg(long, value_name = "TIME", value_parser = Timestamp::parse)]
    since: Option<Timestamp>,
    /// Begun before this moment.
    #[arg(long, value_name = "TIME", value_parser = Timestamp::parse)]
    until: Option<Timestamp>,
    #[command(flatten)]
    page: PageArgs,
    /// Print CSV with every field, to the last call; --limit is then the size of a page.
    #[arg(long, conflicts_with = "json")]
    csv: bool,
}

fn status(text: &str) -> Result<CallStatus, String> {
    CallStatus::parse(text).ok_or_else(|| {
        format!("give one of: {}", CallStatus::ALL.iter().map(|s| s.as_str()).collect::<Vec<_>>().join(", "))
    })
}

#[derive(Debug, Subcommand)]
pub(crate) enum CallsCommand {
    /// List calls, newest first.
    List(Box<ListArgs>),
    /// Show one, with its attempts and its charge line by line.
    Show {
        id: String,
        /// Also unseal the client's address and user agent. This is logged.
        #[arg(long)]
        reveal: bool,
    },
    /// What gateways reported and could not be settled.
    #[command(subcommand)]
    SetAside(SetAsideCommand),
}

impl Row for Call {
    const HEAD: &'static [&'static str] =
        &["started", "id", "model", "endpoint", "status", "http", "in", "out", "amount", "ms"];

    fn cells(&self) -> Vec<String> {
        let status = match self.error_code {
            Some(code) => format!("{} ({})", self.status.as_str(), code.as_str()),
            None => self.status.as_str().to_owned(),
        };
        vec![
            self.started_at.to_string(),
            self.id.to_string(),
            or_dash(self.model.as_ref()),
            self.endpoint.as_str().into(),
            status,
            self.http_status.to_string(),
            self.usage.input_total().to_string(),
            self.usage.output_total().to_string(),
            self.amount.to_string(),
            (self.duration_micros / 1_000).to_string(),
        ]
    }
}

pub(crate) async fn run(s: &Session, command: CallsCommand) -> anyhow::Result<()> {
    match command {
        CallsCommand::List(args) => list(s, *args).await,
        CallsCommand::SetAside(command) => super::set_aside::run(s, command).await,
        CallsCommand::Show { id, reveal } => {
            let path = format!("/v1/calls/{}?reveal={reveal}", escaped(&id));
            let detail: CallDetail = s.client.get(&path).await?;
            s.out.either(&detail, &described(&detail)?)
        }
    }
}

async fn list(s: &Session, args: ListArgs) -> anyhow::Result<()> {
    let mut wanted = CallQuery {
        account: args.account,
        key: args.key,
        model: args.model,
        status: args.status,
        channel: args.channel,
        since: args.since.map(Moment),
        until: args.until.map(Moment),
        after: args.page.after,
        limit: args.page.limit,
    };
    if !args.csv {
        return page(s, &s.client.get::<Page<Call>>(&format!("/v1/calls{}", query(&wanted)?)).await?);
    }
    output::write(&output::csv(&csv_head()))?;
    wanted.limit = Some(wanted.limit.unwrap_or(500));
    loop {
        let page: Page<Call> = s.client.get(&format!("/v1/calls{}", query(&wanted)?)).await?;
        for call in &page.items {
            output::write(&output::csv(&csv_row(call)))?;
        }
        match page.next {
            Some(next) => wanted.after = Some(next),
            None => return Ok(()),
        }
    }
}

fn csv_head() -> Vec<String> {
    let mut head: Vec<String> = [
        "id",
        "started_at",
        "account",
        "key",
        "endpoint",
        "stream",
        "source",
        "model",
        "group",
        "group_multiplier",
        "channel",
        "provider",
        "channel_multiplier",
        "credential",
        "attempts",
        "price",
        "status",
        "error_code",
        "http_status",
    ]
    .map(str::to_owned)
    .into();
    head.extend(TokenClass::ALL.map(|c| format!("{}_tokens", c.as_str())));
    let rest = [
        "usage_source",
        "amount",
        "capped",
        "first_byte_micros",
        "duration_micros",
        "concurrency",
        "risk_marks",
        "agent",
        "session",
        "settlement",
    ];
    head.extend(rest.map(str::to_owned));
    head
}

fn csv_row(call: &Call) -> Vec<String> {
    fn or_empty<T: ToString>(value: Option<T>) -> String {
        value.map(|v| v.to_string()).unwrap_or_default()
    }
    let mut row = vec![
        call.id.to_string(),
        call.started_at.to_string(),
        call.account.to_string(),
        call.key.to_string(),
        call.endpoint.as_str().to_owned(),
        call.stream.to_string(),
        call.source.as_str().to_owned(),
        call.model.clone().unwrap_or_default(),
        call.group.to_string(),
        call.group_multiplier.to_string(),
        or_empty(call.channel),
        call.provider.clone().unwrap_or_default(),
        call.channel_multiplier.to_string(),
        or_empty(call.credential),
        call.attempts.to_string(),
        or_empty(call.price),
        call.status.as_str().to_owned(),
        call.error_code.map(|c| c.as_str().to_owned()).unwrap_or_default(),
        call.http_status.to_string(),
    ];
    row.extend(TokenClass::ALL.map(|c| call.usage.get(c).to_string()));
    row.extend([
        call.usage_source.as_str().to_owned(),
        call.amount.to_string(),
        call.capped.to_string(),
        or_empty(call.first_byte_micros),
        call.duration_micros.to_string(),
        call.concurrency.to_string(),
        call.risk_marks.to_string(),
        call.agent.as_str().to_owned(),
        call.session.to_string(),
        or_empty(call.settlement),
    ]);
    row
}

pub(crate) fn or_dash<T: ToString>(value: Option<T>) -> String {
    value.map_or_else(|| "-".into(), |v| v.to_string())
}

/// A call for people.
pub(crate) fn described(detail: &CallDetail) -> anyhow::Result<String> {
    let mut lines = Vec::new();
    output::flatten("", &serde_json::to_value(&detail.call)?, &mut lines);
    if let Some(revealed) = &detail.revealed {
        lines.push(("ip".into(), or_dash(revealed.ip.as_ref())));
        lines.push(("user_agent".into(), or_dash(revealed.user_agent.as_ref())));
    }
    let mut out = output::pairs(&lines);
    if !detail.attempts.is_empty() {
        let rows: Vec<_> = detail
            .attempts
            .iter()
            .map(|a| {
                vec![
                    a.attempt.to_string(),
                    a.channel.clone(),
                    or_dash(a.provider.as_ref()),
                    or_dash(a.credential),
                    or_dash(a.http_status),
                    a.error_code.map_or(a.outcome.as_str(), |c| c.as_str()).to_owned(),
                    (a.started_micros / 1_000).to_string(),
                    (a.duration_micros / 1_000).to_string(),
                ]
            })
            .collect();
        let head = ["attempt", "channel", "provider", "credential", "http", "outcome", "after ms", "ms"];
        out.push_str(&format!("\n{}", output::table(&head, &rows)));
    }
    match &detail.charge {
        Some(charge) => out.push_str(&format!("\n{}", computation(charge, &detail.call))),
        None => out.push_str("\nThis call was free.\n"),
    }
    if !detail.ledger_entries.is_empty() {
        let rows: Vec<_> = detail.ledger_entries.iter().map(Row::cells).collect();
        let head = <tacit_api::admin::wallets::Entry as Row>::HEAD;
        out.push_str(&format!("\nLedger, all calls of this settlement:\n{}", output::table(head, &rows)));
    }
    Ok(out)
}

/// A charge so that it can be computed again by hand.
pub(crate) fn computation(charge: &Charge, call: &Call) -> String {
    let computed = &charge.computed;
    let rows: Vec<_> = computed
        .lines
        .iter()
        .map(|l| {
            vec![
                l.class.as_str().to_owned(),
                l.tokens.to_string(),
                format!("x {} / 1,000,000", l.rate_per_million),
                format!("= {}", l.subtotal),
            ]
        })
        .collect();
    let mut out = format!("Charge by price version {}", charge.price_version);
    if computed.tier_above_input_tokens > 0 {
        out.push_str(&format!(", tier above {} input tokens", computed.tier_above_input_tokens));
    }
    out.push_str(&format!(":\n{}", output::table(&["tokens of", "count", "rate", "subtotal"], &rows)));
    out.push_str(&format!(
        "(sum + {} per call) x {} group x {} channel = {}\n",
        computed.per_call, computed.group_multiplier, computed.channel_multiplier, computed.amount
    ));
    if call.capped {
        out.push_str(&format!(
            "Charged {}: the balance did not cover more, the platform bears the rest.\n",
            call.amount
        ));
    }
    out
}

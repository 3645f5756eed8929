//! `tacit status|apply|diff|export`.

use super::{Session, Usage};
use crate::config::source::Source;
use crate::output::{self, Row};
use clap::Args;
use std::path::PathBuf;
use tacit_api::admin::client::ClientError;
use tacit_api::admin::forms::Secret;
use tacit_api::admin::platform::Exported;
use tacit_api::admin::status::{PlatformStatus, Session as GatewaySession};
use tacit_api::platform_file::{Action, Applied, ApplyRequest, Plan, PlatformFile, SecretRef, Secrets};

#[derive(Debug, Args)]
pub(crate) struct FileArgs {
    /// The file; - for standard input.
    file: PathBuf,
    /// Also disable what the sections of the file do not name.
    #[arg(long)]
    prune: bool,
}

impl Row for GatewaySession {
    const HEAD: &'static [&'static str] = &["gateway", "version", "sandbox", "since", "events", "session"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.gateway.clone(),
            self.version.clone(),
            if self.sandbox { "on" } else { "OFF" }.to_owned(),
            self.started_at.to_string(),
            self.acknowledged.to_string(),
            self.id.to_string(),
        ]
    }
}

pub(crate) async fn status(s: &Session) -> anyhow::Result<()> {
    let status: PlatformStatus = s.client.get("/v1/status").await?;
    if s.out.json() {
        return s.out.one(&status);
    }
    let lines = [
        ("version", status.version.clone()),
        ("database", status.database.clone()),
        ("currency", status.currency.clone()),
        ("started", status.started_at.to_string()),
    ];
    s.out.text(&output::pairs(&lines.map(|(k, v)| (k.to_owned(), v))))?;
    s.out.text("\n")?;
    s.out.list(&status.gateways)?;
    for warning in &status.warnings {
        s.out.text(&format!("warning: {warning}\n"))?;
    }
    Ok(())
}

/// The request for a file, with its secrets read on this side.
fn request(args: &FileArgs, need_secrets: bool) -> anyhow::Result<ApplyRequest> {
    let from_stdin = args.file.as_os_str() == "-";
    let file = if from_stdin {
        std::io::read_to_string(std::io::stdin().lock())?
    } else {
        std::fs::read_to_string(&args.file).map_err(|e| Usage(format!("{}: {e}", args.file.display())))?
    };
    let parsed = PlatformFile::parse(&file).map_err(|e| anyhow::anyhow!("{}: {e}", args.file.display()))?;
    let mut secrets = Secrets::new();
    for used in parsed.secrets() {
        let source = match &used.reference {
            SecretRef::Env(name) => Source::Env(name.clone()),
            SecretRef::File(path) => Source::File(PathBuf::from(path)),
        };
        match source.read() {
            Ok(secret) => drop(secrets.insert(used.reference.key(), Secret(secret))),
            Err(e) if need_secrets => anyhow::bail!("{}: {e}", used.place),
            Err(e) => output::remark(&format!("{}: {e}; taken as unchanged", used.place)),
        }
    }
    Ok(ApplyRequest { file, secrets, prune: args.prune })
}

fn described(plan: &Plan) -> String {
    if plan.is_empty() {
        return "nothing to change\n".to_owned();
    }
    let mut out = String::new();
    for change in &plan.changes {
        let sign = match change.action {
            Action::Create => '+',
            Action::Update => '~',
            Action::Disable => '-',
        };
        let kind = serde_json::to_value(change.kind).ok().and_then(|v| v.as_str().map(str::to_owned));
        out.push_str(&format!("{sign} {} {}\n", kind.unwrap_or_default(), change.name));
        for field in &change.fields {
            match &field.from {
                Some(from) => out.push_str(&format!("    {}: {from} -> {}\n", field.field, field.to)),
                None => out.push_str(&format!("    {}: {}\n", field.field, field.to)),
            }
        }
    }
    out
}

pub(crate) async fn diff(s: &Session, args: &FileArgs) -> anyhow::Result<()> {
    let plan: Plan = s.client.post("/v1/platform/diff", &request(args, false)?).await?;
    s.out.either(&plan, &described(&plan))
}

pub(crate) async fn apply(s: &Session, args: &FileArgs) -> anyhow::Result<()> {
    let request = match request(args, true) {
        Ok(request) => request,
        // Without a platform there is nothing to apply to; say that first.
        Err(e) => match s.client.get::<PlatformStatus>("/v1/status").await {
            Err(down @ ClientError::NotRunning { .. }) => return Err(down.into()),
            _ => return Err(e),
        },
    };
    let applied: Applied = s.client.post("/v1/platform/apply", &request).await?;
    if s.out.json() {
        return s.out.either(&applied, "");
    }
    s.out.text(&described(&applied.plan))?;
    if !applied.new_keys.is_empty() {
        use secrecy::ExposeSecret;
        s.out.text("\nNew keys; keep them now, they cannot be shown again:\n")?;
        let rows: Vec<_> = applied
            .new_keys
            .iter()
            .map(|k| vec![k.account.clone(), k.name.clone(), k.id.to_string(), k.secret.0.expose_secret().to_owned()])
            .collect();
        s.out.text(&output::table(&["account", "name", "id", "key"], &rows))?;
    }
    Ok(())
}

#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct ExportArgs {
    /// Accounts and keys too. They name people.
    #[arg(long)]
    accounts: bool,
}

pub(crate) async fn export(s: &Session, args: ExportArgs) -> anyhow::Result<()> {
    let exported: Exported = s.client.get(&format!("/v1/platform/export?accounts={}", args.accounts)).await?;
    s.out.either(&exported, &exported.file)
}

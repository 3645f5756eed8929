//! `tacit audit`: who did what, and the proof that nothing of it was changed.

mod export;
mod layout;
#[cfg(test)]
mod tests;
mod verify;

use super::Session;
use super::calls::or_dash;
use super::catalog::query;
use super::paging::{PageArgs, page};
use crate::output::{Output, Row};
use anyhow::Context as _;
use clap::{Args, Subcommand};
use std::path::PathBuf;
use tacit_api::admin::audit::{AuditDetail, AuditEntry, AuditKey, AuditQuery, CheckpointQuery, SignedCheckpoint};
use tacit_api::admin::forms::{Moment, Page};
use tacit_kernel::Timestamp;
use tacit_vault::NoteVerifier;

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// List entries, newest first.
    List(ListArgs),
    /// Show one, with what is sealed in it and the proof that it is in the log.
    Show {
        /// Its number.
        seq: u64,
    },
    /// Print the log's signed checkpoint: keep it somewhere else, and the log cannot be rewritten unseen.
    Checkpoint {
        /// Also the proof that the log continues itself as it was at that size.
        #[arg(long, value_name = "SIZE")]
        since: Option<u64>,
    },
    /// Print the key that checkpoints are checked with.
    Key,
    /// Write the log into a directory, or bring one there up to date.
    Export {
        /// The directory.
        #[arg(long, value_name = "DIR")]
        to: PathBuf,
    },
    /// Check an exported log, offline: no platform, database or configuration is needed.
    Verify(VerifyArgs),
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Of this actor: a user id of the system, or the id of an account or a management key.
    #[arg(long)]
    actor: Option<String>,
    /// This action, such as account.update.
    #[arg(long)]
    action: Option<String>,
    /// About this account, by name or id.
    #[arg(long, value_name = "ACCOUNT")]
    subject: Option<String>,
    /// At or after this moment.
    #[arg(long, value_name = "TIME", value_parser = Timestamp::parse)]
    since: Option<Timestamp>,
    /// Before this moment.
    #[arg(long, value_name = "TIME", value_parser = Timestamp::parse)]
    until: Option<Timestamp>,
    #[command(flatten)]
    page: PageArgs,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// The directory that `tacit audit export` wrote.
    dir: PathBuf,
    /// The key of the log, as `tacit audit key` printed it; have it from somewhere else than the export.
    #[arg(long, value_name = "VKEY")]
    key: NoteVerifier,
    /// An earlier checkpoint of the log, in a file: check that it was only continued since.
    #[arg(long, value_name = "FILE")]
    since: Option<PathBuf>,
}

impl Row for AuditEntry {
    const HEAD: &'static [&'static str] =
        &["entry", "at", "actor", "action", "object", "subject", "phase", "of", "fields", "count", "code"];

    fn cells(&self) -> Vec<String> {
        let named = |kind: &str, id: Option<&String>| id.map_or_else(|| kind.to_owned(), |id| format!("{kind} {id}"));
        vec![
            self.seq.to_string(),
            self.at.to_string(),
            named(&self.actor_kind, self.actor.as_ref()),
            self.action.clone(),
            named(&self.object_kind, self.object.as_ref()),
            if self.erased { "[erased]".into() } else { or_dash(self.subject) },
            self.phase.clone(),
            or_dash(self.about),
            or_dash((!self.fields.is_empty()).then(|| self.fields.join(","))),
            or_dash(self.affected),
            or_dash(self.code.as_ref()),
        ]
    }
}

pub(crate) async fn run(s: &Session, command: AuditCommand) -> anyhow::Result<()> {
    match command {
        AuditCommand::List(args) => {
            let query = query(&AuditQuery {
                actor: args.actor,
                action: args.action,
                subject: args.subject,
                since: args.since.map(Moment),
                until: args.until.map(Moment),
                after: args.page.after,
                limit: args.page.limit,
            })?;
            page(s, &s.client.get::<Page<AuditEntry>>(&format!("/v1/audit/entries{query}")).await?)
        }
        AuditCommand::Show { seq } => {
            s.out.one(&s.client.get::<AuditDetail>(&format!("/v1/audit/entries/{seq}")).await?)
        }
        AuditCommand::Checkpoint { since } => {
            let query = query(&CheckpointQuery { since })?;
            let signed: SignedCheckpoint = s.client.get(&format!("/v1/audit/checkpoint{query}")).await?;
            let proof: String = signed.proof.iter().flatten().map(|hash| format!("{hash}\n")).collect();
            s.out.either(&signed, &format!("{}{proof}", signed.note))
        }
        AuditCommand::Key => {
            let key: AuditKey = s.client.get("/v1/audit/key").await?;
            s.out.either(&key, &format!("{}\n", key.vkey))
        }
        AuditCommand::Export { to } => export::run(s, &to).await,
        AuditCommand::Verify(args) => verify(s.out, &args),
    }
}

/// Checks an export, without a platform.
pub(crate) fn verify(out: Output, args: &VerifyArgs) -> anyhow::Result<()> {
    let since = match &args.since {
        None => None,
        Some(file) => Some(
            std::fs::read_to_string(file)
                .with_context(|| format!("the checkpoint {} cannot be read", file.display()))?,
        ),
    };
    anyhow::ensure!(args.dir.is_dir(), "{} is no directory", args.dir.display());
    let report = verify::verify(&args.dir, &args.key, since.as_deref())?;
    out.one(&report)?;
    match &report.problem {
        None => Ok(()),
        Some(problem) => anyhow::bail!("the audit log is not intact: {problem}"),
    }
}

//! `tacit privacy erasure`: people are erased.

use super::calls::or_dash;
use super::catalog::query;
use super::{Global, Session, paging};
use crate::output::Row;
use clap::Subcommand;
use tacit_api::admin::client::escaped;
use tacit_api::admin::erasures::{Erasure, ErasurePlan, NewErasure, PlannedRows, ToldRecipient};
use tacit_api::admin::forms::{Page, PageQuery};
use tacit_privacy::erasure::Reason;
use tacit_privacy::told::State;

#[derive(Debug, Subcommand)]
pub(crate) enum ErasureCommand {
    /// What erasing an account would do, and what keeps it from beginning.
    Plan {
        /// Its id or name.
        account: String,
    },
    /// Erase an account: nobody can read what it has from then on, and nothing brings it back.
    Begin {
        /// Its id or name.
        account: String,
        /// Why: asked, `consent_withdrawn`, unlawful or minor.
        #[arg(long, default_value = "asked", value_parser = cause)]
        cause: Reason,
        /// Money that is left is given up.
        #[arg(long)]
        forfeit: bool,
        /// That it cannot be undone is understood.
        #[arg(long, required = true)]
        irreversible: bool,
    },
    /// Erasures under way, and receipts of those that are done.
    List(paging::PageArgs),
    /// An erasure, or its receipt.
    Show {
        /// Its id.
        erasure: String,
    },
}

fn cause(text: &str) -> Result<Reason, String> {
    Reason::parse(text)
        .filter(|reason| *reason != Reason::Restored)
        .ok_or_else(|| "one of asked, consent_withdrawn, unlawful, minor".to_owned())
}

pub(super) async fn run(global: &Global, command: &ErasureCommand) -> anyhow::Result<()> {
    let s = Session::new(global)?;
    match command {
        ErasureCommand::Plan { account } => {
            let path = format!("/v1/erasures/plan?account={}", escaped(account));
            let plan = s.client.get::<ErasurePlan>(&path).await?;
            if s.out.json() {
                return s.out.one(&plan);
            }
            s.out.list(&plan.ways)?;
            let obstacles = if plan.obstacles.is_empty() { "none".to_owned() } else { plan.obstacles.join(", ") };
            s.out.text(&format!("\nobstacles: {obstacles}\n"))
        }
        ErasureCommand::Begin { account, cause, forfeit, irreversible: _ } => {
            let new = NewErasure { account: account.clone(), reason: *cause, forfeit: *forfeit };
            s.out.one(&s.client.post::<Erasure>("/v1/erasures", &new).await?)
        }
        ErasureCommand::List(args) => {
            let asked = PageQuery { after: args.after.clone(), limit: args.limit };
            let path = format!("/v1/erasures{}", query(&asked)?);
            paging::page(&s, &s.client.get::<Page<Erasure>>(&path).await?)
        }
        ErasureCommand::Show { erasure } => {
            s.out.one(&s.client.get::<Erasure>(&format!("/v1/erasures/{}", escaped(erasure))).await?)
        }
    }
}

impl Row for PlannedRows {
    const HEAD: &'static [&'static str] = &["way", "rows", "then", "law"];

    fn cells(&self) -> Vec<String> {
        vec![self.path.clone(), self.rows.to_string(), self.then.clone(), or_dash(self.law.as_ref())]
    }
}

/// What became of telling recipients: how many of each.
fn told(told: &[ToldRecipient]) -> String {
    let of = |state: State| told.iter().filter(|one| one.state == state).count();
    let counts = State::ALL.iter().map(|state| (state, of(*state))).filter(|(_, count)| *count > 0);
    let counts: Vec<String> = counts.map(|(state, count)| format!("{count} {}", state.as_str())).collect();
    or_dash(Some(counts.join(", ")).filter(|text| !text.is_empty()))
}

impl Row for Erasure {
    const HEAD: &'static [&'static str] = &[
        "id",
        "account",
        "reason",
        "state",
        "rows",
        "kept",
        "began",
        "unreadable",
        "purged",
        "done",
        "copies until",
        "told",
    ];

    fn cells(&self) -> Vec<String> {
        let rows: u64 = self.rows.values().sum();
        let kept: u64 = self.kept.iter().map(|kept| kept.rows).sum();
        vec![
            self.id.to_string(),
            or_dash(self.account),
            self.reason.as_str().to_owned(),
            self.state.as_str().to_owned(),
            rows.to_string(),
            kept.to_string(),
            self.begun_at.to_string(),
            or_dash(self.unreadable_at),
            or_dash(self.purged_at),
            or_dash(self.done_at),
            or_dash(self.copies_until),
            told(&self.told),
        ]
    }
}

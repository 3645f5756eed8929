//! `tacit calls set-aside`: events of calls that could not be settled.

use super::Session;
use super::calls::or_dash;
use super::catalog::query;
use super::paging::{PageArgs, page};
use crate::output::Row;
use clap::Subcommand;
use serde_json::json;
use tacit_api::admin::client::escaped;
use tacit_api::admin::forms::Page;
use tacit_api::admin::set_aside::{AsideEvent, AsideQuery};

#[derive(Debug, Subcommand)]
pub(crate) enum SetAsideCommand {
    /// List those that wait, newest first.
    List {
        /// Also those that were settled or dropped.
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Settle the end of a call now: when what refused it is mended, such as by an upgrade.
    Settle { id: String },
    /// Give one up: the call is neither recorded nor charged.
    Drop { id: String },
}

impl Row for AsideEvent {
    const HEAD: &'static [&'static str] =
        &["set aside", "id", "event", "call", "account", "amount", "reason", "resolved"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.set_aside_at.to_string(),
            self.id.to_string(),
            self.event.as_str().into(),
            or_dash(self.call),
            or_dash(self.account),
            self.amount.to_string(),
            self.reason.clone(),
            or_dash(self.resolved_at),
        ]
    }
}

pub(crate) async fn run(s: &Session, command: SetAsideCommand) -> anyhow::Result<()> {
    let (id, what) = match command {
        SetAsideCommand::List { all, page: PageArgs { after, limit } } => {
            let query = query(&AsideQuery { all, after, limit })?;
            return page(s, &s.client.get::<Page<AsideEvent>>(&format!("/v1/calls/set-aside{query}")).await?);
        }
        SetAsideCommand::Settle { id } => (id, "settle"),
        SetAsideCommand::Drop { id } => (id, "drop"),
    };
    let path = format!("/v1/calls/set-aside/{}/{what}", escaped(&id));
    s.out.one(&s.client.post::<AsideEvent>(&path, &json!({})).await?)
}

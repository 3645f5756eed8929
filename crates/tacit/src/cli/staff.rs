//! `tacit staff`: who has which role. So the first owner is made, who gives roles to others in the console then.

use super::Session;
use super::catalog::query;
use super::paging::page;
use crate::output::Row;
use clap::{Args, Subcommand};
use tacit_api::admin::forms::Page;
use tacit_api::admin::staff::{Grant, Granted, Member, StaffQuery};

#[derive(Debug, Subcommand)]
pub(crate) enum StaffCommand {
    /// List who has which role.
    List {
        /// `next` of the page before.
        #[arg(long)]
        after: Option<String>,
    },
    /// Give a role to an account; it is signed out.
    Grant(Who),
    /// Take a role from an account; it is signed out.
    Revoke(Who),
}

#[derive(Debug, Args)]
pub(crate) struct Who {
    /// The account, by id or name.
    account: String,
    /// The role: owner, admin, finance, support, risk, privacy_officer, auditor, or one of your own.
    role: String,
}

impl From<Who> for Grant {
    fn from(Who { account, role }: Who) -> Self {
        Self { account, role }
    }
}

impl Row for Member {
    const HEAD: &'static [&'static str] = &["ACCOUNT", "ROLE", "SINCE"];

    fn cells(&self) -> Vec<String> {
        vec![self.account.to_string(), self.role.clone(), self.granted_at.to_string()]
    }
}

pub(crate) async fn run(s: &Session, command: StaffCommand) -> anyhow::Result<()> {
    let granted = |done: &Granted| format!("{} has: {}\n", done.account, words(&done.roles));
    match command {
        StaffCommand::List { after } => {
            let path = format!("/v1/staff{}", query(&StaffQuery { after })?);
            page(s, &s.client.get::<Page<Member>>(&path).await?)
        }
        StaffCommand::Grant(who) => {
            let done: Granted = s.client.post("/v1/staff/grant", &Grant::from(who)).await?;
            s.out.either(&done, &granted(&done))
        }
        StaffCommand::Revoke(who) => {
            let done: Granted = s.client.post("/v1/staff/revoke", &Grant::from(who)).await?;
            s.out.either(&done, &granted(&done))
        }
    }
}

fn words(roles: &[String]) -> String {
    if roles.is_empty() { "no role".to_owned() } else { roles.join(", ") }
}

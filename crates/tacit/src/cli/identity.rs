//! `tacit group|account|key`.

use super::Session;
use super::catalog::{Which, query, status};
use super::limits::LimitArgs;
use super::paging::{PageArgs, page};
use crate::output::Row;
use clap::{Subcommand, ValueEnum};
use tacit_api::admin::accounts::{Account, AccountPatch, NewAccount};
use tacit_api::admin::client::escaped;
use tacit_api::admin::forms::{Page, PageQuery, Status};
use tacit_api::admin::groups::{Group, GroupPatch, NewGroup};
use tacit_api::admin::keys::{CreatedKey, Key, KeyPatch, KeyQuery, NewKey};
use tacit_kernel::Ppm;
use tacit_kernel::call::CallSource;
use tacit_kernel::limits::Limits;

#[derive(Debug, Subcommand)]
pub(crate) enum GroupCommand {
    /// Add a group.
    Add {
        name: String,
        /// Applied to every charge of its accounts.
        #[arg(long, default_value = "1")]
        multiplier: Ppm,
    },
    /// List groups.
    List,
    /// Show one.
    Show(Which),
    /// Give one another multiplier, from now on.
    Update {
        #[command(flatten)]
        which: Which,
        #[arg(long)]
        multiplier: Ppm,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum AccountCommand {
    /// Add an account.
    Add {
        name: String,
        /// Its pricing group.
        #[arg(long)]
        group: String,
        #[command(flatten)]
        limits: Box<LimitArgs>,
    },
    /// List accounts.
    List(PageArgs),
    /// Show one.
    Show(Which),
    /// Change one; what is not given stays.
    Update {
        #[command(flatten)]
        which: Which,
        /// Another name.
        #[arg(long, value_name = "NAME")]
        rename: Option<String>,
        /// Another group.
        #[arg(long)]
        group: Option<String>,
        /// Lift all limits.
        #[arg(long)]
        no_limits: bool,
        #[command(flatten)]
        limits: Box<LimitArgs>,
    },
    /// Take one out of use: its keys stop working at once.
    Disable(Which),
    /// Put one in use again.
    Enable(Which),
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum SourceWord {
    Api,
    Console,
    Demo,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a key. It is shown this once.
    #[command(visible_alias = "create")]
    Add {
        /// The account, by name or id.
        account: String,
        /// A name to tell it from others.
        #[arg(long, default_value = "default")]
        name: String,
        /// What its calls count as.
        #[arg(long, default_value = "api")]
        source: SourceWord,
        #[command(flatten)]
        limits: Box<LimitArgs>,
    },
    /// List keys.
    List {
        /// Of this account only.
        #[arg(long)]
        account: Option<String>,
        #[command(flatten)]
        page: PageArgs,
    },
    /// Show one.
    Show(Which),
    /// Change one; what is not given stays.
    Update {
        #[command(flatten)]
        which: Which,
        /// Another name.
        #[arg(long, value_name = "NAME")]
        rename: Option<String>,
        /// Lift all limits.
        #[arg(long)]
        no_limits: bool,
        #[command(flatten)]
        limits: Box<LimitArgs>,
    },
    /// Take one out of use, at once.
    Disable(Which),
    /// Put one in use again.
    Enable(Which),
}

impl Row for Group {
    const HEAD: &'static [&'static str] = &["name", "multiplier", "id"];

    fn cells(&self) -> Vec<String> {
        vec![self.name.clone(), self.multiplier.to_string(), self.id.to_string()]
    }
}

impl Row for Account {
    const HEAD: &'static [&'static str] = &["id", "name", "group", "status", "limits", "created"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.to_string(),
            self.name.clone(),
            self.group.clone(),
            self.status.as_str().into(),
            limits(&self.limits),
            self.created_at.to_string(),
        ]
    }
}

impl Row for Key {
    const HEAD: &'static [&'static str] = &["id", "account", "name", "key", "source", "status", "limits", "created"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.to_string(),
            self.account.to_string(),
            self.name.clone(),
            self.hint.clone(),
            self.source.as_str().into(),
            self.status.as_str().into(),
            limits(&self.limits),
            self.created_at.to_string(),
        ]
    }
}

fn limits(limits: &Limits) -> String {
    if *limits == Limits::default() {
        return "none".into();
    }
    serde_json::to_string(limits).unwrap_or_default()
}

fn wanted(no_limits: bool, given: LimitArgs) -> Option<Limits> {
    given.given().or_else(|| no_limits.then(Limits::default))
}

pub(crate) async fn group(s: &Session, command: GroupCommand) -> anyhow::Result<()> {
    let path = |w: &Which| format!("/v1/groups/{}", escaped(&w.reference));
    let shown: Group = match command {
        GroupCommand::List => return s.out.list(&s.client.get::<Vec<Group>>("/v1/groups").await?),
        GroupCommand::Show(which) => s.client.get(&path(&which)).await?,
        GroupCommand::Add { name, multiplier } => s.client.post("/v1/groups", &NewGroup { name, multiplier }).await?,
        GroupCommand::Update { which, multiplier } => s.client.patch(&path(&which), &GroupPatch { multiplier }).await?,
    };
    s.out.one(&shown)
}

pub(crate) async fn account(s: &Session, command: AccountCommand) -> anyhow::Result<()> {
    let path = |w: &Which| format!("/v1/accounts/{}", escaped(&w.reference));
    let shown: Account = match command {
        AccountCommand::List(PageArgs { after, limit }) => {
            let query = query(&PageQuery { after, limit })?;
            return page(s, &s.client.get::<Page<Account>>(&format!("/v1/accounts{query}")).await?);
        }
        AccountCommand::Show(which) => s.client.get(&path(&which)).await?,
        AccountCommand::Add { name, group, limits } => {
            s.client.post("/v1/accounts", &NewAccount { name, group, limits: limits.into_limits() }).await?
        }
        AccountCommand::Update { which, rename, group, no_limits, limits } => {
            let patch = AccountPatch { name: rename, group, limits: wanted(no_limits, *limits), status: None };
            s.client.patch(&path(&which), &patch).await?
        }
        AccountCommand::Disable(which) => s.client.patch(&path(&which), &status(Status::Disabled)).await?,
        AccountCommand::Enable(which) => s.client.patch(&path(&which), &status(Status::Active)).await?,
    };
    s.out.one(&shown)
}

pub(crate) async fn key(s: &Session, command: KeyCommand) -> anyhow::Result<()> {
    let path = |w: &Which| format!("/v1/keys/{}", escaped(&w.reference));
    let shown: Key = match command {
        KeyCommand::List { account, page: PageArgs { after, limit } } => {
            let query = query(&KeyQuery { account, after, limit })?;
            return page(s, &s.client.get::<Page<Key>>(&format!("/v1/keys{query}")).await?);
        }
        KeyCommand::Show(which) => s.client.get(&path(&which)).await?,
        KeyCommand::Add { account, name, source, limits } => {
            let source = match source {
                SourceWord::Api => CallSource::Api,
                SourceWord::Console => CallSource::Console,
                SourceWord::Demo => CallSource::Demo,
            };
            let new = NewKey { account, name, source, limits: limits.into_limits() };
            let created: CreatedKey = s.client.post("/v1/keys", &new).await?;
            s.out.one(&created)?;
            crate::output::remark("keep the secret now: it cannot be shown again");
            return Ok(());
        }
        KeyCommand::Update { which, rename, no_limits, limits } => {
            let patch = KeyPatch { name: rename, limits: wanted(no_limits, *limits), status: None };
            s.client.patch(&path(&which), &patch).await?
        }
        KeyCommand::Disable(which) => s.client.patch(&path(&which), &status(Status::Disabled)).await?,
        KeyCommand::Enable(which) => s.client.patch(&path(&which), &status(Status::Active)).await?,
    };
    s.out.one(&shown)
}

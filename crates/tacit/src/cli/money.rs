//! `tacit wallet|ledger`.

use super::Session;
use super::catalog::query;
use super::paging::{PageArgs, page};
use crate::output::Row;
use clap::{Args, Subcommand};
use tacit_api::admin::client::escaped;
use tacit_api::admin::forms::Page;
use tacit_api::admin::ledger::{EntryQuery, Verification};
use tacit_api::admin::wallets::{Entry, Moved, Movement, NewMovement, Wallet};
use tacit_kernel::Nano;

#[derive(Debug, Args)]
pub(crate) struct MoveArgs {
    /// The account, by name or id.
    account: String,
    /// How much, in the settlement currency.
    #[arg(allow_negative_numbers = true)]
    amount: Nano,
    /// The same key twice moves money once; a fresh one if not given.
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum WalletCommand {
    /// Record money that was paid in.
    Topup(MoveArgs),
    /// Give credit.
    Grant(MoveArgs),
    /// Correct a balance, either way.
    Adjust(MoveArgs),
    /// Show what an account has.
    Show { account: String },
    /// List ledger entries of an account, newest first.
    Entries {
        account: String,
        #[command(flatten)]
        page: PageArgs,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum LedgerCommand {
    /// Recompute every balance from its entries and every charge from its call; fails if anything differs.
    Verify,
    /// List entries of the whole ledger, newest first.
    Entries(PageArgs),
}

impl Row for Entry {
    const HEAD: &'static [&'static str] = &["at", "transaction", "kind", "ledger account", "amount", "account"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.at.to_string(),
            self.transaction.to_string(),
            self.kind.clone(),
            self.ledger_account.clone(),
            self.amount.to_string(),
            self.account.map_or_else(|| "platform".to_owned(), |a| a.to_string()),
        ]
    }
}

pub(crate) async fn wallet(s: &Session, command: WalletCommand) -> anyhow::Result<()> {
    let (kind, args) = match command {
        WalletCommand::Topup(args) => (Movement::TopUp, args),
        WalletCommand::Grant(args) => (Movement::Grant, args),
        WalletCommand::Adjust(args) => (Movement::Adjustment, args),
        WalletCommand::Show { account } => {
            let path = format!("/v1/accounts/{}/wallet", escaped(&account));
            return s.out.one(&s.client.get::<Wallet>(&path).await?);
        }
        WalletCommand::Entries { account, page } => return entries(s, Some(account), page).await,
    };
    let idempotency_key = args.idempotency_key.unwrap_or_else(|| tacit_kernel::ids::fresh().simple().to_string());
    let path = format!("/v1/accounts/{}/wallet", escaped(&args.account));
    let moved: Moved = s.client.post(&path, &NewMovement { kind, amount: args.amount, idempotency_key }).await?;
    s.out.one(&moved)
}

async fn entries(s: &Session, account: Option<String>, wanted: PageArgs) -> anyhow::Result<()> {
    let PageArgs { after, limit } = wanted;
    let query = query(&EntryQuery { account, after, limit })?;
    page(s, &s.client.get::<Page<Entry>>(&format!("/v1/ledger/entries{query}")).await?)
}

pub(crate) async fn ledger(s: &Session, command: LedgerCommand) -> anyhow::Result<()> {
    match command {
        LedgerCommand::Entries(page) => entries(s, None, page).await,
        LedgerCommand::Verify => {
            let found: Verification = s.client.get("/v1/ledger/verify").await?;
            s.out.one(&found)?;
            anyhow::ensure!(found.balanced, "the ledger does not balance: {} findings", found.findings.len());
            Ok(())
        }
    }
}

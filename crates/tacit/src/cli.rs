//! The command line: what can be asked, and which code answers.

pub(crate) mod audit;
mod backup;
pub(crate) mod calls;
pub(crate) mod catalog;
pub(crate) mod config;
pub(crate) mod erasure;
mod identity;
mod incidents;
mod invitations;
mod keyring;
pub(crate) mod limits;
pub(crate) mod messages;
pub(crate) mod money;
pub(crate) mod paging;
pub(crate) mod platform;
mod privacy;
mod recipients;
pub(crate) mod set_aside;
mod staff;
#[cfg(test)]
mod tests;

use crate::config::resolve::{Given, Resolved, resolve};
use crate::output::Output;
use clap::{Args, Parser, Subcommand};
use std::path::{Path, PathBuf};
use tacit_api::admin::client::AdminClient;

/// Where the configuration file is looked for if none is named.
const USUAL_FILE: &str = "/etc/tacit/tacit.toml";

/// Tacit: a self-hosted AI API platform that keeps no request and no answer.
#[derive(Debug, Parser)]
#[command(name = "tacit", version, propagate_version = true, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options of every command.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Options of every command")]
pub(crate) struct Global {
    /// Configuration file; by default $TACIT_CONFIG, else /etc/tacit/tacit.toml if it is there.
    #[arg(long, global = true, value_name = "FILE", env = "TACIT_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Setting `data_dir`.
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
    /// Setting `profile`: production or development.
    #[arg(long, global = true)]
    pub(crate) profile: Option<String>,
    /// Any setting, such as gateway.listen=0.0.0.0:8080; may be repeated.
    #[arg(long = "set", global = true, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// Print one JSON value instead of text for people.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Why it is done: kept, sealed, in the audit log of the running platform.
    #[arg(long, global = true, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the whole platform: control plane and gateway, each restarted alone if it fails.
    Serve,
    /// Run a control plane alone.
    Control(Child),
    /// Run a gateway alone.
    Gateway(Child),
    /// Run the practice provider alone: a loopback server that speaks both dialects.
    Practice(Child),
    /// Make the data directory, the master key, the databases and a configuration file.
    Setup(crate::setup::SetupArgs),
    /// Look at the configuration.
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// How the running platform is: versions, gateways, sandbox.
    Status,
    /// Who answers model calls.
    #[command(subcommand)]
    Provider(catalog::ProviderCommand),
    /// Who receives data.
    #[command(subcommand)]
    Recipient(recipients::RecipientCommand),
    /// The ways to a provider, with models and credentials.
    #[command(subcommand)]
    Channel(catalog::ChannelCommand),
    /// What can be called.
    #[command(subcommand)]
    Model(catalog::ModelCommand),
    /// What models cost.
    #[command(subcommand)]
    Price(catalog::PriceCommand),
    /// Pricing groups of accounts.
    #[command(subcommand)]
    Group(identity::GroupCommand),
    /// Who pays.
    #[command(subcommand)]
    Account(identity::AccountCommand),
    /// Invitations to register.
    #[command(subcommand)]
    Invitation(invitations::InvitationCommand),
    /// Roles of staff.
    #[command(subcommand)]
    Staff(staff::StaffCommand),
    /// API keys.
    #[command(subcommand)]
    Key(identity::KeyCommand),
    /// What an account has.
    #[command(subcommand)]
    Wallet(money::WalletCommand),
    /// Records of calls.
    #[command(subcommand)]
    Calls(calls::CallsCommand),
    /// E-mails and text messages to people.
    #[command(subcommand)]
    Messages(messages::MessagesCommand),
    /// The double-entry ledger.
    #[command(subcommand)]
    Ledger(money::LedgerCommand),
    /// Who did what, and the proof that nothing of it was changed.
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// What is done with personal data: the data map, and everything that is made of it.
    #[command(subcommand)]
    Privacy(privacy::PrivacyCommand),
    /// Incidents with data: whom they concern, who is told, until when somebody must be.
    #[command(subcommand)]
    Incident(incidents::IncidentCommand),
    /// The keys that everything personal is sealed with.
    #[command(subcommand)]
    Keyring(keyring::KeyringCommand),
    /// Copies of both databases, encrypted.
    #[command(subcommand)]
    Backup(backup::BackupCommand),
    /// A database out of such a copy.
    #[command(subcommand)]
    Restore(backup::RestoreCommand),
    /// Make the running platform what a file says.
    Apply(platform::FileArgs),
    /// Show what `apply` would change.
    Diff(platform::FileArgs),
    /// Print the running platform as such a file, without secrets.
    Export(platform::ExportArgs),
    /// Make one streamed call and show answer, record, charge and ledger.
    Demo(crate::demo::DemoArgs),
    /// Prove a promise on this machine.
    #[command(subcommand)]
    Prove(crate::prove::ProveCommand),
}

/// Options of a process that the supervisor starts.
#[derive(Clone, Copy, Debug, Default, Args)]
pub(crate) struct Child {
    /// Read the resolved configuration from standard input; used by `tacit serve`.
    #[arg(long, hide = true)]
    pub(crate) config_from_stdin: bool,
}

/// A mistake in what was asked; exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Usage(pub(crate) String);

impl Global {
    /// The configuration as given by flags, environment and file.
    pub(crate) fn resolve(&self) -> anyhow::Result<Resolved> {
        Ok(resolve(&self.given()?)?)
    }

    fn given(&self) -> anyhow::Result<Given> {
        let named = self.config.clone();
        let file = named.clone().or_else(|| Some(PathBuf::from(USUAL_FILE)).filter(|p| p.exists()));
        let file = match file {
            None => None,
            Some(path) => {
                let text = std::fs::read_to_string(&path)
                    .map_err(|e| Usage(format!("the configuration file {} cannot be read: {e}", path.display())))?;
                Some((path, text))
            }
        };
        let mut flags = Vec::new();
        if let Some(dir) = &self.data_dir {
            flags.push(("--data-dir".to_owned(), "data_dir".to_owned(), dir.display().to_string()));
        }
        if let Some(profile) = &self.profile {
            flags.push(("--profile".to_owned(), "profile".to_owned(), profile.clone()));
        }
        for pair in &self.set {
            let (key, value) = pair
                .split_once('=')
                .ok_or_else(|| Usage("--set takes KEY=VALUE, such as gateway.listen=0.0.0.0:8080".to_owned()))?;
            flags.push(("--set".to_owned(), key.to_owned(), value.to_owned()));
        }
        let environment = std::env::vars_os()
            .filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?)))
            .filter(|(k, _)| k.starts_with("TACIT_"))
            .collect();
        Ok(Given { file, environment, flags })
    }

    /// How results are printed.
    pub(crate) const fn output(&self) -> Output {
        Output::new(self.json)
    }

    /// A client of the running platform.
    pub(crate) fn client(&self) -> anyhow::Result<AdminClient> {
        let client = AdminClient::new(self.resolve()?.config.control.admin_socket);
        match &self.reason {
            None => Ok(client),
            Some(reason) => {
                client.because(reason).ok_or_else(|| Usage("--reason takes one line of text".to_owned()).into())
            }
        }
    }
}

/// What a command that talks to the running platform needs.
pub(crate) struct Session {
    pub(crate) client: AdminClient,
    pub(crate) out: Output,
}

impl Session {
    pub(crate) fn new(global: &Global) -> anyhow::Result<Self> {
        Ok(Self { client: global.client()?, out: global.output() })
    }
}

/// Runs a command to its end.
pub(crate) fn run(cli: Cli) -> anyhow::Result<()> {
    let global = cli.global;
    match cli.command {
        Command::Serve => crate::serve::run(&global),
        Command::Control(child) => crate::control::run(&child_config(&global, child)?),
        Command::Gateway(child) => crate::gateway::run(&child_config(&global, child)?),
        Command::Practice(child) => crate::practice::run(&child_config(&global, child)?),
        Command::Setup(args) => crate::setup::run(&global, &args),
        Command::Config(command) => config::run(&global, &command),
        Command::Demo(args) => crate::demo::run(&global, &args),
        Command::Prove(command) => crate::prove::run(&global, &command),
        Command::Privacy(command) => privacy::run(&global, &command),
        Command::Backup(command) => backup::run(&global, &command),
        Command::Restore(command) => backup::restore(&global, &command),
        Command::Audit(audit::AuditCommand::Verify(args)) => audit::verify(global.output(), &args),
        other => block_on(client_command(&global, other)),
    }
}

async fn client_command(global: &Global, command: Command) -> anyhow::Result<()> {
    let session = Session::new(global)?;
    match command {
        Command::Status => platform::status(&session).await,
        Command::Provider(c) => catalog::provider(&session, c).await,
        Command::Recipient(c) => recipients::run(&session, c).await,
        Command::Channel(c) => catalog::channel(&session, c).await,
        Command::Model(c) => catalog::model(&session, c).await,
        Command::Price(c) => catalog::price(&session, c).await,
        Command::Group(c) => identity::group(&session, c).await,
        Command::Account(c) => identity::account(&session, c).await,
        Command::Invitation(c) => invitations::run(&session, c).await,
        Command::Staff(c) => staff::run(&session, c).await,
        Command::Key(c) => identity::key(&session, c).await,
        Command::Wallet(c) => money::wallet(&session, c).await,
        Command::Ledger(c) => money::ledger(&session, c).await,
        Command::Calls(c) => calls::run(&session, c).await,
        Command::Messages(c) => messages::run(&session, c).await,
        Command::Audit(c) => audit::run(&session, c).await,
        Command::Incident(c) => incidents::run(&session, c).await,
        Command::Keyring(c) => keyring::run(&session, c).await,
        Command::Apply(args) => platform::apply(&session, &args).await,
        Command::Diff(args) => platform::diff(&session, &args).await,
        Command::Export(args) => platform::export(&session, args).await,
        _ => Err(Usage("this command does not talk to a running platform".into()).into()),
    }
}

/// Runs async work on this thread.
pub(crate) fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(work)
}

/// The configuration of a process: from its supervisor, or from what was given.
fn child_config(global: &Global, child: Child) -> anyhow::Result<crate::config::Config> {
    if !child.config_from_stdin {
        return Ok(global.resolve()?.config);
    }
    crate::serve::follow_supervisor()?;
    Ok(serde_json::from_reader(std::io::stdin().lock())?)
}

/// Reads a secret that a command takes: from a variable, a file, or standard input (`-`).
pub(crate) fn read_secret(
    env: Option<&str>,
    file: Option<&Path>,
) -> anyhow::Result<Option<tacit_api::admin::forms::Secret>> {
    use crate::config::source::Source;
    let source = match (env, file) {
        (Some(name), _) => Source::Env(name.to_owned()),
        (None, Some(path)) if path == Path::new("-") => {
            let text = std::io::read_to_string(std::io::stdin().lock())?;
            return Ok(Some(tacit_api::admin::forms::Secret(text.trim().to_owned().into())));
        }
        (None, Some(path)) => Source::File(path.to_owned()),
        (None, None) => return Ok(None),
    };
    Ok(Some(tacit_api::admin::forms::Secret(source.read()?)))
}

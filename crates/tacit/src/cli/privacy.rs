//! `tacit privacy`: the data map, the clauses of the published policies, the record of processing, the policy itself.

use super::calls::or_dash;
use super::catalog::query;
use super::erasure::ErasureCommand;
use super::{Global, Session, Usage, paging};
use crate::config::Config;
use crate::config::source::DatabaseUrl;
use crate::output::{Output, Row};
use anyhow::Context as _;
use clap::{Args, Subcommand, ValueEnum};
use secrecy::ExposeSecret as _;
use serde::Serialize;
use std::path::Path;
use tacit_api::admin::client::escaped;
use tacit_api::admin::copies::NewCopy;
use tacit_api::admin::forms::transfers::{ProviderTransfers, TransferReport};
use tacit_api::admin::forms::{Page as Listed, PageQuery};
use tacit_api::admin::retention::{LegalHold, NewLegalHold, RetentionRun, RetentionState};
use tacit_api::admin::transfers::TransferQuery;
use tacit_kernel::datamap::{Retention, Subject};
use tacit_kernel::{Clock as _, SystemClock};
use tacit_privacy::recipients::registered;
use tacit_privacy::{Clause, Language, Page, Policy, Profile, Proofs, dataset};
use tacit_storage::Db;
use tacit_storage::datamap::undeclared;

#[derive(Debug, Subcommand)]
pub(crate) enum PrivacyCommand {
    /// Every element of the data map, and what the databases hold that it does not declare.
    Map(MapArgs),
    /// The clauses of a published policy, with --profile youyun or 01ai or as the configuration says: what keeps each, which
    /// tests prove it, what is still to be built.
    Clauses,
    /// The record of processing (GDPR, article 30), in HTML.
    Record(LanguageArgs),
    /// A page as it is published, in HTML.
    Page(PageArgs),
    /// How retention stands: what is due now, how far behind deletion is.
    Retention,
    /// The runs that deleted what had served its time.
    Runs(paging::PageArgs),
    /// A copy of what is held about somebody, for who cannot take it themselves: an archive that you hand to them. Say why with
    /// --reason.
    Copy(CopyArgs),
    /// How many people's calls went to which country in a year.
    Transfers {
        /// The year; this one if it is not given.
        #[arg(long)]
        year: Option<u16>,
    },
    /// People are erased.
    #[command(subcommand)]
    Erasure(ErasureCommand),
    /// Legal holds: nothing of an account is deleted for a time.
    #[command(subcommand)]
    Hold(HoldCommand),
}

#[derive(Debug, Subcommand)]
pub(crate) enum HoldCommand {
    /// Hold an account.
    Put {
        /// Its id or name.
        account: String,
        /// What demands it.
        #[arg(long)]
        demanded_by: String,
        /// Until when: a date or a time.
        #[arg(long)]
        until: String,
    },
    /// End a hold now.
    End {
        /// Its id.
        hold: String,
    },
    /// List holds, with those that ended.
    List(paging::PageArgs),
}

#[derive(Debug, Args)]
pub(crate) struct MapArgs {
    /// As a dataset of fideslang, in YAML.
    #[arg(long)]
    fideslang: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CopyArgs {
    /// The account, by id or name.
    account: String,
    /// Where to: a file that is not there yet (ZIP).
    #[arg(long)]
    to: std::path::PathBuf,
    /// The language of its texts.
    #[arg(long, default_value = "en", value_parser = ["en", "zh"])]
    language: String,
}

#[derive(Debug, Args)]
pub(crate) struct LanguageArgs {
    /// Its language.
    #[arg(long, default_value = "en", value_parser = ["en", "zh"])]
    language: String,
}

#[derive(Debug, Args)]
pub(crate) struct PageArgs {
    /// Which page.
    #[arg(value_enum, default_value_t = PageName::Policy)]
    page: PageName,
    #[command(flatten)]
    language: LanguageArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum PageName {
    Policy,
    Cookies,
    Recipients,
    Record,
    Limits,
    Requests,
}

#[derive(Serialize)]
struct MapShown {
    elements: Vec<tacit_privacy::Row>,
    /// `None`: there is no database yet.
    undeclared: Option<Vec<String>>,
}

#[derive(Serialize)]
struct ClausesShown<'p> {
    policy: &'p str,
    proofs: Proofs,
    clauses: &'p [Clause],
}

struct Line(Vec<String>);

impl Serialize for Line {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl Row for Line {
    const HEAD: &'static [&'static str] = &["element", "category", "purposes", "kept", "protection"];

    fn cells(&self) -> Vec<String> {
        self.0.clone()
    }
}

pub(crate) fn run(global: &Global, command: &PrivacyCommand) -> anyhow::Result<()> {
    // A profile of policies is none of settings.
    let named = global.profile.clone().filter(|name| Profile::NAMES.contains(&name.as_str()));
    let global = &Global { profile: global.profile.clone().filter(|_| named.is_none()), ..global.clone() };
    let (config, out) = (global.resolve()?.config, global.output());
    match command {
        PrivacyCommand::Map(args) if args.fideslang => {
            let text = dataset(&crate::privacy::map())?;
            out.either(&text, &text)
        }
        PrivacyCommand::Map(_) => super::block_on(map(&config, out)),
        PrivacyCommand::Retention => super::block_on(async {
            let s = Session::new(global)?;
            s.out.list(&s.client.get::<Vec<RetentionState>>("/v1/retention").await?)
        }),
        PrivacyCommand::Runs(args) => super::block_on(async {
            let s = Session::new(global)?;
            let path = format!("/v1/retention/runs{}", query(&asked(args))?);
            paging::page(&s, &s.client.get::<Listed<RetentionRun>>(&path).await?)
        }),
        PrivacyCommand::Copy(args) => super::block_on(copy(global, args)),
        PrivacyCommand::Transfers { year } => super::block_on(async {
            let s = Session::new(global)?;
            let path = format!("/v1/transfers{}", query(&TransferQuery { year: *year })?);
            transfers(&s, &s.client.get::<TransferReport>(&path).await?)
        }),
        PrivacyCommand::Erasure(command) => super::block_on(super::erasure::run(global, command)),
        PrivacyCommand::Hold(command) => super::block_on(hold(global, command)),
        PrivacyCommand::Clauses => clauses(named.as_deref().unwrap_or(&config.privacy.profile), out),
        PrivacyCommand::Record(args) => {
            let policy = super::block_on(policy(&config))?;
            let language = language(&args.language)?;
            out.either(&policy.record(language)?, &policy.page(Page::Record, language))
        }
        PrivacyCommand::Page(args) => {
            let page = match args.page {
                PageName::Policy => Page::Policy,
                PageName::Cookies => Page::Cookies,
                PageName::Recipients => Page::Recipients,
                PageName::Record => Page::Record,
                PageName::Limits => Page::Limits,
                PageName::Requests => Page::Requests,
            };
            let policy = super::block_on(policy(&config))?;
            let html = policy.page(page, language(&args.language.language)?);
            out.either(&*html, &html)
        }
    }
}

async fn copy(global: &Global, args: &CopyArgs) -> anyhow::Result<()> {
    let s = Session::new(global)?;
    let cannot = || format!("{} cannot be written; it must not be there yet", args.to.display());
    let mut options = tokio::fs::OpenOptions::new();
    // Nobody else on the machine reads it.
    let file = options.write(true).create_new(true).mode(0o600).open(&args.to).await.with_context(cannot)?;
    let new = NewCopy { account: args.account.clone(), language: args.language.clone() };
    let mut file = tokio::io::BufWriter::new(file);
    if let Err(error) = s.client.save("/v1/copies", &new, &mut file).await {
        // Half an archive helps nobody.
        if let Err(left) = tokio::fs::remove_file(&args.to).await {
            // What went wrong first is what is to be told; this is only what it left behind.
            return Err(anyhow::Error::new(error)
                .context(format!("{} is not whole and could not be deleted: {left}", args.to.display())));
        }
        return Err(error.into());
    }
    file.into_inner().sync_all().await.with_context(cannot)?;
    s.out.text(&format!("{}\n", args.to.display()))
}

fn language(tag: &str) -> Result<Language, Usage> {
    Language::parse(tag).ok_or_else(|| Usage(format!("there are no pages in {tag}")))
}

/// What is published, with the register of recipients if there is a database.
async fn policy(config: &Config) -> anyhow::Result<Policy> {
    let policy = crate::privacy::policy(config)?;
    if let Some(db) = opened(&config.database.url).await? {
        let register = registered(&db).await.map_err(crate::control::detailed);
        db.close().await;
        policy.tell(&register?, SystemClock.now())?;
    }
    Ok(policy)
}

async fn map(config: &Config, out: Output) -> anyhow::Result<()> {
    let elements = crate::privacy::map().rows();
    let shown = MapShown { elements, undeclared: found(config).await? };
    if out.json() {
        return out.one(&shown);
    }
    let lines: Vec<Line> = shown.elements.iter().map(line).collect();
    out.list(&lines)?;
    let undeclared = match &shown.undeclared {
        None => "not looked for: there is no database yet".to_owned(),
        Some(none) if none.is_empty() => "nothing".to_owned(),
        Some(found) => found.join(", "),
    };
    out.text(&format!("\n{} elements; undeclared: {undeclared}\n", lines.len()))
}

fn line(row: &tacit_privacy::Row) -> Line {
    let element = &row.element;
    let kept = match element.retention {
        Retention::Configuration => "configuration".to_owned(),
        Retention::Account => "account".to_owned(),
        Retention::OpenCall => "open call".to_owned(),
        Retention::Class(class) => format!("{}: {} to {} days", class.name, class.min, class.max),
    };
    let purposes: Vec<&str> = match element.subject {
        Subject::Nobody(_) => vec!["nobody's"],
        Subject::Account(_) => element.purposes.iter().map(|purpose| purpose.as_str()).collect(),
    };
    let protection = format!("{:?}", element.protection);
    Line(vec![row.name.clone(), element.category.to_owned(), purposes.join(" "), kept, protection])
}

/// A database, if it is there yet.
async fn opened(url: &DatabaseUrl) -> anyhow::Result<Option<Db>> {
    let Ok(url) = url.read() else { return Ok(None) };
    // Opening one that is not there would make it.
    let file = url.expose_secret().strip_prefix("sqlite:").map(|path| path.trim_start_matches("//").to_owned());
    if file.is_some_and(|path| !Path::new(&path).exists()) {
        return Ok(None);
    }
    Ok(Some(Db::open(url.expose_secret()).await.map_err(crate::control::detailed)?))
}

/// What the databases hold that is not declared; `None` if they are not there yet.
async fn found(config: &Config) -> anyhow::Result<Option<Vec<String>>> {
    let mut found = Vec::new();
    for url in [&config.database.url, &config.keyring.url] {
        let Some(db) = opened(url).await? else { return Ok(None) };
        found.extend(undeclared(&db).await.map_err(crate::control::detailed)?);
        db.close().await;
    }
    Ok(Some(found))
}

fn clauses(name: &str, out: Output) -> anyhow::Result<()> {
    let profile = Profile::named(name).map_err(|error| Usage(error.to_string()))?;
    let proofs = profile.proofs();
    if out.json() {
        return out.one(&ClausesShown { policy: &profile.policy, proofs, clauses: &profile.clauses });
    }
    let mut text = format!("{}\n", profile.policy);
    for clause in &profile.clauses {
        text += &format!("\n{}-{}  {}\n    {}\n", profile.prefix, clause.id, clause.promise, clause.mechanism);
        for test in &clause.tests {
            text += &format!("    proved by {test}\n");
        }
        if let Some(missing) = &clause.missing {
            text += &format!("    still to be built: {missing}\n");
        }
    }
    text += &format!(
        "\n{} clauses: {} kept and proved, {} in part, {} still to be built\n",
        proofs.clauses, proofs.proved, proofs.partly_missing, proofs.missing
    );
    out.text(&text)
}

fn asked(args: &paging::PageArgs) -> PageQuery {
    PageQuery { after: args.after.clone(), limit: args.limit }
}

async fn hold(global: &Global, command: &HoldCommand) -> anyhow::Result<()> {
    let s = Session::new(global)?;
    match command {
        HoldCommand::Put { account, demanded_by, until } => {
            let (account, demanded_by, until) = (account.clone(), demanded_by.clone(), until.clone());
            s.out.one(
                &s.client.post::<LegalHold>("/v1/legal-holds", &NewLegalHold { account, demanded_by, until }).await?,
            )
        }
        HoldCommand::End { hold } => {
            let path = format!("/v1/legal-holds/{}/end", escaped(hold));
            s.out.either(&s.client.post::<()>(&path, &serde_json::json!({})).await?, "ended\n")
        }
        HoldCommand::List(args) => {
            let path = format!("/v1/legal-holds{}", query(&asked(args))?);
            paging::page(&s, &s.client.get::<Listed<LegalHold>>(&path).await?)
        }
    }
}

fn transfers(s: &Session, report: &TransferReport) -> anyhow::Result<()> {
    if s.out.json() {
        return s.out.one(report);
    }
    s.out.list(&report.providers)?;
    let home = report.home_country.as_deref().unwrap_or("not said (privacy.home_country)");
    s.out.text(&format!(
        "\n{}: calls of {} people went abroad, which is {}; home: {home}\n",
        report.year,
        report.subjects_abroad,
        report.level.as_str()
    ))
}

impl Row for ProviderTransfers {
    const HEAD: &'static [&'static str] = &["provider", "country", "people", "calls"];

    fn cells(&self) -> Vec<String> {
        let provider = self.name.clone().or_else(|| self.provider.map(|id| id.to_string()));
        vec![or_dash(provider), self.country.clone(), self.subjects.to_string(), self.calls.to_string()]
    }
}

impl Row for RetentionState {
    const HEAD: &'static [&'static str] = &["class", "days", "due now", "behind"];

    fn cells(&self) -> Vec<String> {
        let behind = self.behind_seconds.map_or("no run yet".to_owned(), |seconds| format!("{seconds} s"));
        vec![self.class.as_str().to_owned(), self.days.to_string(), self.due.to_string(), behind]
    }
}

impl Row for RetentionRun {
    const HEAD: &'static [&'static str] = &["id", "class", "before", "deleted", "held", "began", "through"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.to_string(),
            self.class.as_str().to_owned(),
            self.before.to_string(),
            self.deleted.to_string(),
            self.held.to_string(),
            self.started_at.to_string(),
            or_dash(self.finished_at),
        ]
    }
}

impl Row for LegalHold {
    const HEAD: &'static [&'static str] = &["id", "account", "demanded by", "since", "until"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.to_string(),
            self.account.to_string(),
            or_dash(self.demanded_by.as_ref()),
            self.created_at.to_string(),
            self.ends_at.to_string(),
        ]
    }
}

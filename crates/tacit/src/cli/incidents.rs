//! `tacit incident`: what happened to data, whom it concerns, who is told and until when somebody must be.

use super::calls::or_dash;
use super::catalog::query;
use super::{Session, Usage, paging};
use crate::output::Row;
use clap::{Args, Subcommand, ValueEnum};
use std::path::{Path, PathBuf};
use tacit_api::admin::client::escaped;
use tacit_api::admin::forms::{Moment, Page, PageQuery};
use tacit_api::admin::incidents::{
    CriterionKind, DraftQuery, DraftText, IncidentClock, IncidentCriterion, IncidentDetails, IncidentDraft,
    IncidentEvent, IncidentKind, IncidentLine, IncidentPatch, IncidentStep, IncidentSubject, NewCriterion, NewIncident,
    NewIncidentReport, WordingPatch,
};
use tacit_kernel::Timestamp;

#[derive(Debug, Subcommand)]
pub(crate) enum IncidentCommand {
    /// Open an incident: its legal clocks run from when it was found.
    Open {
        /// What happened to data.
        #[arg(value_enum)]
        kind: What,
        /// When it was found: a time, or a date; now if not given.
        #[arg(long, value_parser = moment)]
        found: Option<Moment>,
        /// When it began, if that is known.
        #[arg(long, value_parser = moment)]
        began: Option<Moment>,
        /// When it was over, if it is.
        #[arg(long, value_parser = moment)]
        ended: Option<Moment>,
    },
    /// Incidents, newest first.
    List(paging::PageArgs),
    /// Everything about an incident but who it concerns.
    Show {
        /// Its id.
        incident: String,
    },
    /// Say what is known of it, and what is told: all four parts in both languages.
    Write(WriteArgs),
    /// Say who is concerned, beside whoever was said before; they are looked for in the background.
    Scope(ScopeArgs),
    /// Take out whoever was taken to be concerned, before anybody was told.
    Clear {
        /// Its id.
        incident: String,
    },
    /// Whom it concerns, by number, and how they are told.
    Subjects {
        /// Its id.
        incident: String,
        #[command(flatten)]
        page: paging::PageArgs,
    },
    /// Print the notice to people, or the report to a regulator.
    Draft {
        /// Its id.
        incident: String,
        /// The report instead of the notice.
        #[arg(long)]
        report: bool,
        /// In which language: en or zh.
        #[arg(long, default_value = "en")]
        language: String,
    },
    /// That it is known what happened.
    Assess {
        /// Its id.
        incident: String,
    },
    /// Tell everybody whom it concerns; once more: those who were not reached.
    Notify {
        /// Its id.
        incident: String,
        /// Let everybody read of it at `/privacy/incidents` too.
        #[arg(long)]
        announce: bool,
    },
    /// Let everybody read of it at `/privacy/incidents`.
    Announce {
        /// Its id.
        incident: String,
    },
    /// Write down that somebody was told whom a legal clock wants to be told.
    Report {
        /// Its id.
        incident: String,
        /// The clock's name.
        clock: String,
        /// Who was told; or why nobody had to be.
        #[arg(long)]
        to: String,
        /// When; now if not given.
        #[arg(long, value_parser = moment)]
        at: Option<Moment>,
    },
    /// That it is over.
    Close {
        /// Its id.
        incident: String,
    },
    /// That it was not over.
    Reopen {
        /// Its id.
        incident: String,
    },
}

/// What happened to data.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum What {
    /// Somebody saw or took what they may not.
    Leak,
    /// It was changed by who may not.
    Tampering,
    /// It is gone.
    Loss,
    /// It cannot be reached.
    Unavailable,
}

impl From<What> for IncidentKind {
    fn from(what: What) -> Self {
        match what {
            What::Leak => Self::Leak,
            What::Tampering => Self::Tampering,
            What::Loss => Self::Loss,
            What::Unavailable => Self::Unavailable,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct WriteArgs {
    /// Its id.
    incident: String,
    /// What happened to data.
    #[arg(long, value_enum)]
    kind: Option<What>,
    /// When it began.
    #[arg(long, value_parser = moment)]
    began: Option<Moment>,
    /// When it was over.
    #[arg(long, value_parser = moment)]
    ended: Option<Moment>,
    /// A kind of data, such as user.contact.email; may be repeated, and is then all of them.
    #[arg(long = "category")]
    categories: Vec<String>,
    /// The language of the texts: en or zh.
    #[arg(long, default_value = "en", value_parser = ["en", "zh"])]
    language: String,
    /// What happened and what follows from it: a file, or - for standard input.
    #[arg(long, value_name = "FILE")]
    impact: Option<PathBuf>,
    /// What was and is done about it.
    #[arg(long, value_name = "FILE")]
    measures: Option<PathBuf>,
    /// What people can do themselves.
    #[arg(long, value_name = "FILE")]
    advice: Option<PathBuf>,
    /// What is offered to them.
    #[arg(long, value_name = "FILE")]
    remedies: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct ScopeArgs {
    /// Its id.
    incident: String,
    /// How it is said.
    #[arg(value_enum)]
    who: Who,
    /// From when; of calls, shown and signed-in.
    #[arg(long, value_parser = moment)]
    from: Option<Moment>,
    /// Until when, at the latest now.
    #[arg(long, value_parser = moment)]
    until: Option<Moment>,
    /// Of calls: only of that provider, by id.
    #[arg(long)]
    provider: Option<String>,
    /// Of calls: only of that channel, by id.
    #[arg(long)]
    channel: Option<String>,
    /// Of calls: only through that gateway.
    #[arg(long)]
    gateway: Option<String>,
    /// Of shown: by whom: acct_…, mkey_…, or the number of an operator on the machine.
    #[arg(long)]
    actor: Option<String>,
    /// Of listed: an account, by id; may be repeated.
    #[arg(long = "account")]
    accounts: Vec<String>,
}

/// How it is said who is concerned.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Who {
    /// Every account.
    Everyone,
    /// Whoever made a call that was under way then.
    Calls,
    /// Whoever was shown or changed by somebody then.
    Shown,
    /// Whoever was signed in then.
    SignedIn,
    /// Whoever is named.
    Listed,
}

impl From<Who> for CriterionKind {
    fn from(who: Who) -> Self {
        match who {
            Who::Everyone => Self::Everyone,
            Who::Calls => Self::Calls,
            Who::Shown => Self::Shown,
            Who::SignedIn => Self::SignedIn,
            Who::Listed => Self::Listed,
        }
    }
}

fn moment(text: &str) -> Result<Moment, String> {
    Timestamp::parse(text).map(Moment).map_err(str::to_owned)
}

fn at(incident: &str, of: &str) -> String {
    format!("/v1/incidents/{}{of}", escaped(incident))
}

pub(crate) async fn run(s: &Session, command: IncidentCommand) -> anyhow::Result<()> {
    let nothing = serde_json::json!({});
    let step = async |incident: &str, event, announce| {
        let step = IncidentStep { event, announce };
        details(s, &s.client.post(&at(incident, "/state"), &step).await?)
    };
    match command {
        IncidentCommand::Open { kind, found, began, ended } => {
            let new = NewIncident { kind: kind.into(), found_at: found, began_at: began, ended_at: ended };
            s.out.one(&s.client.post::<IncidentLine>("/v1/incidents", &new).await?)
        }
        IncidentCommand::List(args) => {
            let asked = PageQuery { after: args.after, limit: args.limit };
            let path = format!("/v1/incidents{}", query(&asked)?);
            paging::page(s, &s.client.get::<Page<IncidentLine>>(&path).await?)
        }
        IncidentCommand::Show { incident } => details(s, &s.client.get(&at(&incident, "")).await?),
        IncidentCommand::Write(args) => {
            let incident = args.incident.clone();
            details(s, &s.client.patch(&at(&incident, ""), &patch(args)?).await?)
        }
        IncidentCommand::Scope(args) => {
            let new = NewCriterion {
                kind: args.who.into(),
                from: args.from,
                until: args.until,
                provider: args.provider,
                channel: args.channel,
                gateway: args.gateway,
                actor: args.actor,
                accounts: (!args.accounts.is_empty()).then_some(args.accounts),
            };
            details(s, &s.client.post(&at(&args.incident, "/scope"), &new).await?)
        }
        IncidentCommand::Clear { incident } => details(s, &s.client.post(&at(&incident, "/clear"), &nothing).await?),
        IncidentCommand::Subjects { incident, page } => {
            let asked = PageQuery { after: page.after, limit: page.limit };
            let path = at(&incident, &format!("/subjects{}", query(&asked)?));
            paging::page(s, &s.client.get::<Page<IncidentSubject>>(&path).await?)
        }
        IncidentCommand::Draft { incident, report, language } => {
            let draft = if report { IncidentDraft::Report } else { IncidentDraft::Notice };
            let path = at(&incident, &format!("/draft{}", query(&DraftQuery { draft, language })?));
            let made: DraftText = s.client.get(&path).await?;
            s.out.either(&made, &format!("{}\n", made.text))
        }
        IncidentCommand::Assess { incident } => step(&incident, IncidentEvent::Assess, false).await,
        IncidentCommand::Notify { incident, announce } => step(&incident, IncidentEvent::Notify, announce).await,
        IncidentCommand::Announce { incident } => {
            details(s, &s.client.post(&at(&incident, "/announce"), &nothing).await?)
        }
        IncidentCommand::Report { incident, clock, to, at: when } => {
            let new = NewIncidentReport { clock, to, at: when };
            details(s, &s.client.post(&at(&incident, "/reports"), &new).await?)
        }
        IncidentCommand::Close { incident } => step(&incident, IncidentEvent::Close, false).await,
        IncidentCommand::Reopen { incident } => step(&incident, IncidentEvent::Reopen, false).await,
    }
}

fn patch(args: WriteArgs) -> anyhow::Result<IncidentPatch> {
    let text = |path: Option<&PathBuf>| path.map(|path| read(path)).transpose();
    let wording = WordingPatch {
        impact: text(args.impact.as_ref())?,
        measures: text(args.measures.as_ref())?,
        advice: text(args.advice.as_ref())?,
        remedies: text(args.remedies.as_ref())?,
    };
    let (en, zh) = if args.language == "zh" { (None, Some(wording)) } else { (Some(wording), None) };
    Ok(IncidentPatch {
        kind: args.kind.map(Into::into),
        began_at: args.began,
        ended_at: args.ended,
        categories: (!args.categories.is_empty()).then_some(args.categories),
        en,
        zh,
    })
}

fn read(path: &Path) -> anyhow::Result<String> {
    if path == Path::new("-") {
        return Ok(std::io::read_to_string(std::io::stdin().lock())?);
    }
    let told = |error| Usage(format!("{} cannot be read: {error}", path.display()));
    Ok(std::fs::read_to_string(path).map_err(told)?)
}

fn details(s: &Session, shown: &IncidentDetails) -> anyhow::Result<()> {
    if s.out.json() {
        return s.out.one(shown);
    }
    s.out.one(&shown.incident)?;
    s.out.text("\n")?;
    s.out.list(&shown.clocks)?;
    s.out.text("\n")?;
    s.out.list(&shown.criteria)?;
    s.out.text("\n")?;
    s.out.one(&shown.told)?;
    let missing = if shown.missing.is_empty() { "nothing".to_owned() } else { shown.missing.join(", ") };
    s.out.text(&format!("\nto be said before anybody is told: {missing}\n"))
}

impl Row for IncidentLine {
    const HEAD: &'static [&'static str] =
        &["id", "kind", "state", "found", "next due", "overdue", "told", "announced", "closed"];

    fn cells(&self) -> Vec<String> {
        let word = |value: serde_json::Result<serde_json::Value>| {
            value.ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
        };
        vec![
            self.id.to_string(),
            word(serde_json::to_value(self.kind)),
            word(serde_json::to_value(self.state)),
            self.found_at.to_string(),
            or_dash(self.next_due_at),
            if self.overdue.is_empty() { "-".to_owned() } else { self.overdue.join(", ") },
            or_dash(self.notified_at),
            or_dash(self.published_at),
            or_dash(self.closed_at),
        ]
    }
}

impl Row for IncidentClock {
    const HEAD: &'static [&'static str] = &["clock", "whom", "until", "overdue", "told", "who"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.name.clone(),
            self.english.clone(),
            self.due_at.to_string(),
            if self.overdue { "yes" } else { "no" }.to_owned(),
            or_dash(self.reported_at),
            or_dash(self.reported_to.as_ref()),
        ]
    }
}

impl Row for IncidentCriterion {
    const HEAD: &'static [&'static str] = &["who", "from", "until", "looked at", "of", "found", "through"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.kind.clone(),
            or_dash(self.from),
            or_dash(self.until),
            self.looked.to_string(),
            self.accounts.to_string(),
            self.found.to_string(),
            or_dash(self.finished_at),
        ]
    }
}

impl Row for IncidentSubject {
    const HEAD: &'static [&'static str] = &["account", "state", "since"];

    fn cells(&self) -> Vec<String> {
        let state = serde_json::to_value(self.state).ok();
        let state = state.as_ref().and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
        vec![self.account.to_string(), state, self.since.to_string()]
    }
}

//! `tacit recipient`: the register of who receives data.

use super::calls::or_dash;
use super::catalog::{Which, status};
use super::{Session, Usage};
use crate::output::Row;
use clap::{Args, Subcommand};
use serde_json::Value;
use std::collections::BTreeSet;
use tacit_api::admin::client::escaped;
use tacit_api::admin::forms::{Moment, Status};
use tacit_api::admin::recipients::{
    Kind, NewRecipient, Recipient, RecipientPatch, RecipientState, Role, Tied, Trains, UnregisteredRecipients,
};
use tacit_kernel::Timestamp;
use tacit_kernel::datamap::Purpose;

/// What a recipient says of itself.
#[derive(Debug, Args)]
pub(crate) struct Facts {
    /// Since when there is a contract, a date.
    #[arg(long, value_name = "DATE")]
    contract: Option<String>,
    /// Days for which it keeps what it receives.
    #[arg(long, value_name = "DAYS")]
    retention_days: Option<u32>,
    /// Whether it trains models with it: yes, no or unknown.
    #[arg(long, value_parser = trains)]
    trains: Option<Trains>,
    /// Where it says so.
    #[arg(long, value_name = "URL")]
    evidence: Option<String>,
    /// When somebody looked there last, a date.
    #[arg(long, value_name = "DATE")]
    checked: Option<String>,
    /// Where people write to.
    #[arg(long)]
    contact: Option<String>,
    /// Where it is told that somebody is erased: <https://…>
    #[arg(long, value_name = "URL")]
    dsr_endpoint: Option<String>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RecipientCommand {
    /// Enter a recipient into the register.
    Add {
        name: String,
        /// What it does: `model_provider`, mail, sms, `identity_agency`, `identity_provider`, hosting, payment, adviser, other.
        #[arg(long, value_parser = kind)]
        kind: Kind,
        /// For whom it decides: processor or controller.
        #[arg(long, default_value = "processor", value_parser = role)]
        role: Role,
        /// Where it is: two letters of ISO 3166-1.
        #[arg(long)]
        country: String,
        /// What for, as the data map calls it; may be repeated.
        #[arg(long = "purpose", required = true, value_parser = purpose)]
        purposes: Vec<Purpose>,
        #[command(flatten)]
        facts: Facts,
    },
    /// List the register, with what is taken to be so of each.
    List,
    /// Show one.
    Show(Which),
    /// Say something else of one; what is not given stays.
    Update {
        #[command(flatten)]
        which: Which,
        /// Another name.
        #[arg(long)]
        name: Option<String>,
        #[arg(long, value_parser = kind)]
        kind: Option<Kind>,
        #[arg(long, value_parser = role)]
        role: Option<Role>,
        #[arg(long)]
        country: Option<String>,
        /// What for; all of them are to be given.
        #[arg(long = "purpose", value_parser = purpose)]
        purposes: Vec<Purpose>,
        #[command(flatten)]
        facts: Facts,
        /// Take away what is said: contract, `retention_days`, evidence, checked, contact or `dsr_endpoint`; may be repeated.
        #[arg(long, value_name = "WHAT")]
        without: Vec<String>,
    },
    /// Say that no data goes there any more.
    Disable(Which),
    /// Say that data goes there again.
    Enable(Which),
    /// Take one out that received nothing and that no provider is tied to.
    Delete(Which),
    /// Say which model provider it is.
    Tie {
        #[command(flatten)]
        which: Which,
        /// The provider, by name or id.
        provider: String,
    },
    /// Say that a model provider is not it any more.
    Untie {
        #[command(flatten)]
        which: Which,
        /// The provider, by name or id.
        provider: String,
    },
    /// What is in use and stands in no entry of the register.
    Unregistered,
}

fn kind(text: &str) -> Result<Kind, String> {
    Kind::parse(text).ok_or_else(|| words(Kind::ALL.iter().map(|word| word.as_str())))
}

fn role(text: &str) -> Result<Role, String> {
    Role::parse(text).ok_or_else(|| words(Role::ALL.iter().map(|word| word.as_str())))
}

fn trains(text: &str) -> Result<Trains, String> {
    Trains::parse(text).ok_or_else(|| words(Trains::ALL.iter().map(|word| word.as_str())))
}

fn purpose(text: &str) -> Result<Purpose, String> {
    Purpose::parse(text).ok_or_else(|| words(Purpose::ALL.iter().map(|word| word.as_str())))
}

fn words(words: impl Iterator<Item = &'static str>) -> String {
    format!("one of {}", words.collect::<Vec<_>>().join(", "))
}

fn moment(text: Option<&String>) -> anyhow::Result<Option<Moment>> {
    let moment = text.map(|text| Timestamp::parse(text)).transpose();
    Ok(moment.map_err(|error| Usage(error.to_owned()))?.map(Moment))
}

impl Row for RecipientState {
    const HEAD: &'static [&'static str] =
        &["name", "kind", "role", "country", "contract", "keeps", "trains", "checked", "status", "id"];

    fn cells(&self) -> Vec<String> {
        let (r, assumed) = (&self.recipient, &self.assumed);
        let checked =
            r.checked_at.map(|at| if assumed.is_current { at.to_string() } else { format!("{at} (too old)") });
        vec![
            r.name.clone(),
            r.kind.as_str().to_owned(),
            r.role.as_str().to_owned(),
            r.country.clone(),
            or_dash(r.contract_at),
            assumed.retention_days.map_or_else(|| "without end".to_owned(), |days| format!("{days} days")),
            if assumed.trains { "yes" } else { "no" }.to_owned(),
            or_dash(checked),
            r.status.as_str().to_owned(),
            r.id.to_string(),
        ]
    }
}

pub(crate) async fn run(s: &Session, command: RecipientCommand) -> anyhow::Result<()> {
    let path = |w: &Which| format!("/v1/recipients/{}", escaped(&w.reference));
    let shown: Recipient = match command {
        RecipientCommand::List => return s.out.list(&s.client.get::<Vec<RecipientState>>("/v1/recipients").await?),
        RecipientCommand::Show(which) => return s.out.one(&s.client.get::<RecipientState>(&path(&which)).await?),
        RecipientCommand::Add { name, kind, role, country, purposes, facts } => {
            let new = NewRecipient {
                name,
                kind,
                role,
                country,
                purposes: purposes.into_iter().collect(),
                contract_at: moment(facts.contract.as_ref())?,
                retention_days: facts.retention_days,
                trains: facts.trains.unwrap_or(Trains::Unknown),
                evidence_url: facts.evidence,
                checked_at: moment(facts.checked.as_ref())?,
                contact: facts.contact,
                dsr_endpoint: facts.dsr_endpoint,
            };
            s.client.post("/v1/recipients", &new).await?
        }
        RecipientCommand::Update { which, name, kind, role, country, purposes, facts, without } => {
            let mut patch = RecipientPatch {
                name,
                kind,
                role,
                country,
                purposes: Some(purposes.into_iter().collect::<BTreeSet<_>>()).filter(|purposes| !purposes.is_empty()),
                contract_at: moment(facts.contract.as_ref())?.map(Some),
                retention_days: facts.retention_days.map(Some),
                trains: facts.trains,
                evidence_url: facts.evidence.map(Some),
                checked_at: moment(facts.checked.as_ref())?.map(Some),
                contact: facts.contact.map(Some),
                dsr_endpoint: facts.dsr_endpoint.map(Some),
                status: None,
            };
            for what in without {
                match what.as_str() {
                    "contract" => patch.contract_at = Some(None),
                    "retention_days" => patch.retention_days = Some(None),
                    "evidence" => patch.evidence_url = Some(None),
                    "checked" => patch.checked_at = Some(None),
                    "contact" => patch.contact = Some(None),
                    "dsr_endpoint" => patch.dsr_endpoint = Some(None),
                    _ => {
                        let message =
                            "--without takes contract, retention_days, evidence, checked, contact or dsr_endpoint";
                        return Err(Usage(message.to_owned()).into());
                    }
                }
            }
            s.client.patch(&path(&which), &patch).await?
        }
        RecipientCommand::Disable(which) => s.client.patch(&path(&which), &status(Status::Disabled)).await?,
        RecipientCommand::Enable(which) => s.client.patch(&path(&which), &status(Status::Active)).await?,
        RecipientCommand::Delete(which) => {
            return Ok(s.client.post::<()>(&format!("{}/delete", path(&which)), &Value::Null).await?);
        }
        RecipientCommand::Tie { which, provider } => {
            return Ok(s.client.post::<()>(&format!("{}/tie", path(&which)), &Tied { provider }).await?);
        }
        RecipientCommand::Untie { which, provider } => {
            return Ok(s.client.post::<()>(&format!("{}/untie", path(&which)), &Tied { provider }).await?);
        }
        RecipientCommand::Unregistered => {
            return s.out.one(&s.client.get::<UnregisteredRecipients>("/v1/unregistered-recipients").await?);
        }
    };
    s.out.one(&shown)
}

//! `tacit messages`: e-mails and text messages to people.

use super::Session;
use super::calls::or_dash;
use super::catalog::query;
use super::paging::{PageArgs, page};
use crate::output::{Row, remark};
use clap::{Subcommand, ValueEnum};
use tacit_api::admin::client::escaped;
use tacit_api::admin::forms::{Page, PageQuery};
use tacit_api::admin::messages::{DevelopmentMessage, Message, Tried, Try};
use tacit_operations::messages::Language;

#[derive(Debug, Subcommand)]
pub(crate) enum MessagesCommand {
    /// List what was written, newest first, and what became of it; not what it said or to whom.
    Log {
        #[command(flatten)]
        page: PageArgs,
    },
    /// Send a test message now and tell what the other side answered.
    Test {
        /// E-mail address, or telephone number such as +8613800000000.
        #[arg(long)]
        to: String,
        /// In which language.
        #[arg(long, value_enum, default_value_t = Words::En)]
        language: Words,
        /// Write it into the outbox instead, as every other message is.
        #[arg(long)]
        queue: bool,
    },
    /// Development only: list what would have been sent, newest first.
    List {
        #[command(flatten)]
        page: PageArgs,
    },
    /// Development only: show a message that would have been sent.
    Show { id: String },
}

/// A language, as it is typed.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum Words {
    En,
    Zh,
}

impl Row for Message {
    const HEAD: &'static [&'static str] =
        &["written", "id", "kind", "channel", "state", "attempts", "failure", "account"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.created_at.to_string(),
            self.id.to_string(),
            self.kind.as_str().into(),
            self.channel.as_str().into(),
            self.state.as_str().into(),
            self.attempts.to_string(),
            or_dash(self.failure.map(|f| f.as_str())),
            or_dash(self.account),
        ]
    }
}

impl Row for DevelopmentMessage {
    const HEAD: &'static [&'static str] = &["not sent", "id", "kind", "channel", "to", "subject or text"];

    fn cells(&self) -> Vec<String> {
        let erased =
            || vec![self.at.to_string(), self.id.to_string(), "erased".into(), "-".into(), "-".into(), "-".into()];
        let Some(content) = &self.content else { return erased() };
        vec![
            self.at.to_string(),
            self.id.to_string(),
            content.kind.as_str().into(),
            content.channel.as_str().into(),
            content.to.clone(),
            content.subject.clone().unwrap_or_else(|| content.text.clone()),
        ]
    }
}

/// Said with whatever the development outbox shows.
const DEVELOPMENT: &str = "development outbox: none of these messages was sent";

pub(crate) async fn run(s: &Session, command: MessagesCommand) -> anyhow::Result<()> {
    let path = |path: &str, PageArgs { after, limit }| {
        Ok::<_, anyhow::Error>(format!("{path}{}", query(&PageQuery { after, limit })?))
    };
    match command {
        MessagesCommand::Log { page: args } => {
            page(s, &s.client.get::<Page<Message>>(&path("/v1/messages", args)?).await?)
        }
        MessagesCommand::List { page: args } => {
            let kept = s.client.get::<Page<DevelopmentMessage>>(&path("/v1/messages/development", args)?).await?;
            remark(DEVELOPMENT);
            page(s, &kept)
        }
        MessagesCommand::Show { id } => {
            let kept: DevelopmentMessage = s.client.get(&format!("/v1/messages/development/{}", escaped(&id))).await?;
            remark(DEVELOPMENT);
            s.out.one(&kept)
        }
        MessagesCommand::Test { to, language, queue } => {
            let language = match language {
                Words::En => Language::En,
                Words::Zh => Language::Zh,
            };
            let tried: Tried = s.client.post("/v1/messages/test", &Try { to, language, queue }).await?;
            s.out.either(&tried, &format!("{}\n", told(&tried)))?;
            anyhow::ensure!(tried.taken != Some(false), "the test message was not taken");
            Ok(())
        }
    }
}

/// How an attempt ended, in a sentence.
fn told(tried: &Tried) -> String {
    let what = match tried.channel.as_str() {
        "email" => "SMTP",
        _ => "HTTP",
    };
    let answer = tried.status.map_or_else(|| "there was no answer".to_owned(), |n| format!("{what} answered {n}"));
    let code = tried.code.as_ref().map(|c| format!(", the provider says {c}")).unwrap_or_default();
    match (tried.taken, tried.failure, tried.id) {
        (_, _, Some(id)) => format!("written into the outbox as {id}; `tacit messages log` tells what becomes of it"),
        (Some(true), ..) => format!("taken: {answer}"),
        (_, Some(failure), _) => format!("not taken ({}): {answer}{code}", failure.as_str()),
        _ => "not taken".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tacit_operations::messages::{Channel, Failure};

    #[test]
    fn the_answer_is_told() {
        let tried = |taken, failure, status, code: Option<&str>| Tried {
            channel: Channel::Sms,
            taken,
            failure,
            status,
            code: code.map(str::to_owned),
            id: None,
        };
        assert_eq!(told(&tried(Some(true), None, Some(201), None)), "taken: HTTP answered 201");
        assert_eq!(
            told(&tried(Some(false), Some(Failure::Recipient), Some(400), Some("21211"))),
            "not taken (recipient): HTTP answered 400, the provider says 21211"
        );
        assert_eq!(
            told(&tried(Some(false), Some(Failure::Unreachable), None, None)),
            "not taken (unreachable): there was no answer"
        );
    }
}

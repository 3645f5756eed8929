//! People whom an incident concerns are told, one by one: some hundred in a transaction that writes their messages into the
//! outbox and says so, each exactly once whoever does it and wherever it is cut off. What becomes of a message is looked up
//! there. Whoever cannot be reached is reached by the announcement and finds it in their console.

use super::drafts::Facts;
use super::model::{Draft, Incident, State, Told};
use super::{IncidentError, Incidents, store};
use crate::Language;
use std::collections::HashMap;
use tacit_identity::contacts::{Contact, ContactKind, HeldContact};
use tacit_identity::registration;
use tacit_kernel::Personal;
use tacit_kernel::ids::{AccountId, IncidentId};
use tacit_operations::messages::{self, Channel, Content, LONGEST, MessagesError, NewMessage, Way};
use tacit_storage::WriteTx;

/// People of one transaction.
const STEP: u32 = 200;
/// Transactions of one turn.
const TURN: u32 = 50;

/// What is told, in both languages.
struct Letter {
    en: String,
    zh: String,
    url: String,
}

impl Incidents {
    /// Writes to some who wait; false if nobody does.
    pub(super) async fn tell(&self, id: IncidentId) -> Result<bool, IncidentError> {
        let waiting = self.db.read("incident.waiting", |tx| Box::pin(store::waiting(tx, id, 1))).await?;
        if waiting.is_empty() {
            return Ok(false);
        }
        // Whoever is concerned is counted for it, so it is made for many.
        let letter = self.letter(&self.find(id).await?)?;
        for _ in 0..TURN {
            let write = async |tx: &mut WriteTx<'_>| self.tell_in_tx(tx, id, &letter).await;
            let write = &write;
            if self.db.write("incident.tell", |tx| Box::pin(write(tx))).await? == 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn letter(&self, facts: &Facts) -> Result<Letter, IncidentError> {
        let draft = |language| self.writer.draft(facts, (Draft::Notice, language), self.clock.now());
        let site = self.site.as_deref().unwrap_or_default();
        let url = match (site.is_empty(), facts.incident.published_at) {
            (false, Some(_)) => format!("{site}/privacy/incidents#{}", facts.incident.id),
            _ => site.to_owned(),
        };
        Ok(Letter { en: draft(Language::En)?, zh: draft(Language::Zh)?, url })
    }

    async fn tell_in_tx(&self, tx: &mut WriteTx<'_>, id: IncidentId, letter: &Letter) -> Result<usize, IncidentError> {
        // It may have been closed meanwhile.
        let incident: Option<Incident> = store::by_id(tx, id, &self.key()).await?;
        if incident.is_none_or(|incident| incident.state != State::Notifying) {
            return Ok(0);
        }
        let waiting = store::waiting(tx, id, STEP).await?;
        if waiting.is_empty() {
            return Ok(0);
        }
        let contacts = self.identity.contacts_of_each_in_tx(tx, &waiting).await?;
        let languages = self.identity.languages_of_each_in_tx(tx, &waiting).await?;
        let now = self.clock.now();
        for account in &waiting {
            let told = match self.address(*account, &contacts) {
                None => (Told::NoAddress, None),
                Some((channel, contact)) => {
                    let language = languages.get(account).copied().unwrap_or(registration::Language::En);
                    let message = message(*account, (channel, contact), language, letter, now);
                    match self.messages.enqueue(tx, &message).await {
                        Ok(message) => (Told::Written, Some(message)),
                        Err(error @ (MessagesError::Storage(_) | MessagesError::Keyring(_))) => {
                            return Err(error.into());
                        }
                        // What is no address any more, or somebody who is being erased.
                        Err(_) => (Told::Failed, None),
                    }
                }
            };
            if !store::tell(tx, (id, *account), told, now).await? {
                return Err(IncidentError::Fault(tacit_kernel::Fault::internal(
                    "incident.told_twice",
                    "somebody who waited does not any more",
                )));
            }
        }
        Ok(waiting.len())
    }

    /// Where somebody is told: by e-mail, or else on the phone.
    fn address<'c>(
        &self,
        account: AccountId,
        contacts: &'c HashMap<AccountId, Vec<HeldContact>>,
    ) -> Option<(Channel, &'c Contact)> {
        let held = contacts.get(&account)?;
        let ways = [(ContactKind::Email, Channel::Email), (ContactKind::Phone, Channel::Sms)];
        ways.into_iter().filter(|(_, channel)| self.messages.way(*channel) != Way::Closed).find_map(
            |(kind, channel)| {
                let found = held.iter().find(|held| held.contact.kind() == kind)?;
                Some((channel, &found.contact))
            },
        )
    }

    /// Looks up what became of messages; false if nothing did.
    pub(super) async fn follow_one(&self, id: IncidentId) -> Result<bool, IncidentError> {
        let (mut after, mut moved) = (AccountId(uuid::Uuid::nil()), false);
        loop {
            let page = self.db.read("incident.follow", |tx| Box::pin(store::follow(tx, id, after, STEP))).await?;
            let Some((last, _)) = page.last() else { return Ok(moved) };
            after = *last;
            let became = |state: &Option<String>| match state.as_deref().map(messages::State::parse) {
                Some(Some(messages::State::Waiting)) => None,
                Some(Some(messages::State::Sent)) => Some(Told::Sent),
                // One that is not there any more was not sent in time, else it had been seen here.
                _ => Some(Told::Failed),
            };
            let over: Vec<(AccountId, Told)> =
                page.iter().filter_map(|(account, state)| Some((*account, became(state)?))).collect();
            if over.is_empty() {
                continue;
            }
            moved = true;
            let now = self.clock.now();
            let write = async |tx: &mut WriteTx<'_>| {
                for (account, told) in &over {
                    store::followed(tx, (id, *account), *told, now).await?;
                }
                Ok::<_, IncidentError>(())
            };
            let write = &write;
            self.db.write("incident.followed", |tx| Box::pin(write(tx))).await?;
        }
    }
}

fn message(
    account: AccountId,
    (channel, contact): (Channel, &Contact),
    language: registration::Language,
    letter: &Letter,
    now: tacit_kernel::Timestamp,
) -> NewMessage {
    let (language, text) = match language {
        registration::Language::En => (messages::Language::En, &letter.en),
        registration::Language::Zh => (messages::Language::Zh, &letter.zh),
    };
    NewMessage {
        content: Content::Incident { text: text.clone(), url: letter.url.clone() },
        channel,
        language,
        recipient: Personal::new(contact.text().to_owned()),
        account: Some(account),
        not_before: None,
        expires_at: now.plus_micros(LONGEST),
    }
}

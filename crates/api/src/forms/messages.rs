//! What became of messages to people on the wire, for the admin socket and the console. Never what they said, nor to which
//! address.

use super::Moment;
use serde::{Deserialize, Serialize};
use tacit_kernel::ids::{AccountId, MessageId};
use tacit_operations::messages::{Channel, Failure, Kind, Language, MessageView, State as Fate};
use utoipa::ToSchema;

/// A message that was written: what became of it, not what it said or to whom.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = SentMessage)]
pub struct Message {
    /// Its id.
    #[schema(value_type = String)]
    pub id: MessageId,
    /// Whom it concerns.
    #[schema(value_type = Option<String>)]
    pub account: Option<AccountId>,
    /// What it is about.
    #[schema(value_type = String)]
    pub kind: Kind,
    /// Which way it goes.
    #[schema(value_type = String)]
    pub channel: Channel,
    /// In which language.
    #[schema(value_type = String)]
    pub language: Language,
    /// What has become of it.
    #[schema(value_type = String)]
    pub state: Fate,
    /// Attempts so far.
    pub attempts: u32,
    /// Why the last attempt failed.
    #[schema(value_type = Option<String>)]
    pub failure: Option<Failure>,
    /// When it was written.
    pub created_at: Moment,
    /// When it was sent or given up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub finished_at: Option<Moment>,
}

/// A message as it is shown.
pub(crate) fn shown(message: MessageView) -> Message {
    Message {
        id: message.id,
        account: message.account,
        kind: message.kind,
        channel: message.channel,
        language: message.language,
        state: message.state,
        attempts: message.attempts,
        failure: message.failure,
        created_at: message.created_at.into(),
        finished_at: message.finished_at.map(Moment),
    }
}

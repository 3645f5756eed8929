//! `tacit invitation`: who may register, where one must be invited.

use super::Session;
use clap::Subcommand;
use secrecy::ExposeSecret;
use tacit_api::admin::invitations::Invitation;

#[derive(Debug, Subcommand)]
pub(crate) enum InvitationCommand {
    /// Make an invitation for one person; its code is shown this once.
    Create,
}

pub(crate) async fn run(s: &Session, command: InvitationCommand) -> anyhow::Result<()> {
    match command {
        InvitationCommand::Create => {
            let made: Invitation = s.client.post("/v1/invitations", &serde_json::json!({})).await?;
            let text = format!("{}\ngood once, until {}\n", made.code.0.expose_secret(), made.expires_at);
            s.out.either(&made, &text)
        }
    }
}

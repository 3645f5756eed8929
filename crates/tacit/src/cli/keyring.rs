//! `tacit keyring`: how the keyring is, and what keeps it fresh.

use super::Session;
use clap::Subcommand;
use serde_json::json;
use std::time::Duration;
use tacit_api::admin::keyring::Keyring;

/// How often a turn is looked at.
const EVERY: Duration = Duration::from_millis(200);

#[derive(Debug, Subcommand)]
pub(crate) enum KeyringCommand {
    /// Show its epoch, a turn that is under way, and which master key wraps it.
    Status,
    /// Wrap every key anew under a new epoch, and destroy the old one. Goes on while the platform serves; cut off, it is
    /// finished by the control plane.
    Rotate {
        /// Do not wait for the end.
        #[arg(long)]
        no_wait: bool,
    },
    /// Wrap the keyring with `keyring.next_master_key`. No key, hash or signature changes.
    Rekey,
}

pub(crate) async fn run(s: &Session, command: KeyringCommand) -> anyhow::Result<()> {
    match command {
        KeyringCommand::Status => s.out.one(&s.client.get::<Keyring>("/v1/keyring").await?),
        KeyringCommand::Rotate { no_wait } => {
            let mut keyring: Keyring = s.client.post("/v1/keyring/rotate", &json!({})).await?;
            let mut told = None;
            while !no_wait && (keyring.turning || keyring.waiting > 0 || !keyring.swept) {
                if told != Some(keyring.waiting) {
                    told = Some(keyring.waiting);
                    s.out.text(&format!("{} of {} bunches to go\n", keyring.waiting, keyring.bunches))?;
                }
                tokio::time::sleep(EVERY).await;
                keyring = s.client.get("/v1/keyring").await?;
            }
            let text = if no_wait {
                "The turn is under way; see `tacit keyring status`.\n".to_owned()
            } else {
                format!("Every key is wrapped under epoch {}; the ones before are destroyed.\n", keyring.epoch)
            };
            s.out.either(&keyring, &text)
        }
        KeyringCommand::Rekey => {
            let keyring: Keyring = s.client.post("/v1/keyring/rekey", &json!({})).await?;
            let text = "The keyring opens with keyring.next_master_key now. Make it keyring.master_key in every control \
                        plane's configuration, keep a copy of it, and destroy the old one when no backup of the keyring \
                        needs it any more.\n";
            s.out.either(&keyring, text)
        }
    }
}

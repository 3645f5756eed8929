//! Staff uses nobody's data for what they do not allow: asked once, where requests are written down, for the console and for the
//! admin socket.

use tacit_identity::Identity;
use tacit_identity::choices::Matter;
use tacit_kernel::audit::Action;
use tacit_kernel::ids::AccountId;
use tacit_kernel::{ErrorKind, Fault};

/// Why staff may not do that with somebody's data; `None`: it may.
///
/// # Errors
/// Storage.
pub(crate) async fn refusal(identity: &Identity, account: AccountId, action: Action) -> Result<Option<Fault>, Fault> {
    let Some(matter) = identity.refused(account, action.purpose()).await? else { return Ok(None) };
    let message = match matter {
        Matter::Use => {
            "the person has restricted the use of their data: it is kept, and used only for their rights, for security, and for what \
             laws and books demand"
        }
        Matter::FraudDetection | Matter::Improvement => "the person does not allow that their data is used for this",
    };
    Ok(Some(Fault::new(ErrorKind::Conflict, "privacy.restricted", message)))
}

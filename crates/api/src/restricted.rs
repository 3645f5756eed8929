//! Staff uses nobody's data for what they do not allow. Where a request names whose data it is about, that is asked once, where
//! requests are written down, for the console and for the admin socket. A list of the data of many asks for all of a page at
//! once ([`restricting`], [`left_out`]), and who only finds out later whom it concerns asks [`refusal`] then.

use std::collections::HashSet;
use tacit_identity::Identity;
use tacit_identity::choices::Matter;
use tacit_kernel::datamap::Purpose;
use tacit_kernel::ids::AccountId;
use tacit_kernel::{ErrorKind, Fault};
use tacit_storage::Paged;

/// Why staff may not use somebody's data for that; `None`: it may.
///
/// # Errors
/// Storage.
pub(crate) async fn refusal(identity: &Identity, account: AccountId, purpose: Purpose) -> Result<Option<Fault>, Fault> {
    let Some(matter) = identity.refused(account, purpose).await? else { return Ok(None) };
    let message = match matter {
        Matter::Use => {
            "the person has restricted the use of their data: it is kept, and used only for their rights, for security, and for what \
             laws and books demand"
        }
        Matter::FraudDetection | Matter::Improvement => "the person does not allow that their data is used for this",
    };
    Ok(Some(refused(message)))
}

/// Refuses to change more of what is somebody's than keeps others safe. `more`: more is to be changed.
///
/// # Errors
/// `privacy.restricted`.
pub(crate) fn change(restricted: bool, more: bool) -> Result<(), Fault> {
    if restricted && more {
        let message = "the person has restricted the use of their data: an account can be taken in and out of use, a key out of \
                       use, and nothing else of them can be changed";
        return Err(refused(message));
    }
    Ok(())
}

fn refused(message: &'static str) -> Fault {
    Fault::new(ErrorKind::Conflict, "privacy.restricted", message)
}

/// Who of these restricts the use of their data.
///
/// # Errors
/// Storage.
pub(crate) async fn restricting(
    identity: &Identity,
    accounts: impl IntoIterator<Item = AccountId>,
) -> Result<HashSet<AccountId>, Fault> {
    let accounts: Vec<AccountId> = accounts.into_iter().collect();
    Ok(identity.restricting(&accounts).await?)
}

/// A page without what is of who restricts the use of their data. It may hold less than was asked for, and goes on where it
/// would have.
///
/// # Errors
/// Storage.
pub(crate) async fn left_out<T>(
    identity: &Identity,
    mut page: Paged<T>,
    whose: impl Fn(&T) -> Option<AccountId>,
) -> Result<Paged<T>, Fault> {
    let restricting = restricting(identity, page.items.iter().filter_map(&whose)).await?;
    page.items.retain(|item| whose(item).is_none_or(|account| !restricting.contains(&account)));
    Ok(page)
}

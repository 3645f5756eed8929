//! What staff does with the sign-in of an account: ends its sessions, resets its password or second factor. What the person
//! needs to go on is sent to them, and to nobody else.

use super::idempotency::Undone;
use super::reasons::Reasoned;
use super::sessions::Ended;
use super::{Access, Answer, Console, Input, Reference, Routes, Signed};
use crate::problem::{Problem, Refusal};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use tacit_identity::access::Permission;
use tacit_identity::codes::{CODE_MINUTES, CodePurpose};
use tacit_identity::contacts::Contact;
use tacit_identity::roles::Acting;
use tacit_kernel::ids::AccountId;
use tacit_operations::messages::{Code, Content};
use tacit_storage::WriteTx;
use utoipa::ToSchema;
use utoipa_axum::routes;

/// What to reset, and why.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Reset {
    /// What.
    what: Resettable,
    /// Why; kept sealed in the audit log.
    #[schema(min_length = 1, max_length = 1000)]
    #[serde(rename = "reason")]
    _reason: String,
}

/// What can be reset.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Resettable {
    /// The password is void; a code to set another one is sent to the person.
    Password,
    /// The second factor is no longer asked for.
    SecondFactor,
}

pub(super) fn routes(routes: Routes) -> Routes {
    routes
        .add(Access::Needs(Permission::SessionsEnd), routes!(accounts_sessions_end))
        .add(Access::Needs(Permission::CredentialsReset), routes!(accounts_credentials_reset))
}

/// Ends all sessions of an account.
#[utoipa::path(delete, path = "/api/v1/accounts/{account}/sessions", tag = "accounts", params(
    ("account" = String, Path, description = "Its id."),
), responses(
    (status = 200, description = "They have ended.", body = Ended),
))]
async fn accounts_sessions_end(
    State(console): State<Console>,
    caller: Signed,
    Reference(id): Reference<AccountId>,
) -> Answer<Ended> {
    let ended = console.identity.sessions_end_by_staff(Acting::With(caller.permissions), id).await?;
    Ok(Json(Ended { ended }))
}

/// Resets the password or the second factor of an account: all its sessions and management keys end, and so do passkeys and
/// identities of the last seven days. The person is told at their addresses.
/// What they need to go on is sent to them, and to nobody else.
#[utoipa::path(post, path = "/api/v1/accounts/{account}/credentials-reset", tag = "accounts", params(
    ("account" = String, Path, description = "Its id."),
), request_body = Reset, responses(
    (status = 204, description = "It is reset."),
    (status = 409, description = "The account has no address, so that nobody could set another password.", body = Problem,
        content_type = "application/problem+json"),
))]
async fn accounts_credentials_reset(
    State(console): State<Console>,
    caller: Signed,
    Reference(id): Reference<AccountId>,
    _: Reasoned,
    Input(reset): Input<Reset>,
) -> Result<StatusCode, Refusal> {
    let (console, acting) = (&console, Acting::With(caller.permissions));
    match reset.what {
        Resettable::Password => {
            let void = async |tx: &mut WriteTx<'_>| {
                let to = console.identity.password_void_in_tx(tx, acting, id).await?;
                console.send_reset_code(tx, (id, &to)).await
            };
            let void = &void;
            let voided: Result<(), Undone> = console.db.write("console.reset", |tx| Box::pin(void(tx))).await;
            voided?;
        }
        Resettable::SecondFactor => {
            let void = async |tx: &mut WriteTx<'_>| {
                Ok::<_, Undone>(console.identity.second_factor_void_in_tx(tx, acting, id).await?)
            };
            let void = &void;
            console.db.write("console.reset", |tx| Box::pin(void(tx))).await?;
        }
    }
    Ok(StatusCode::NO_CONTENT)
}

impl Console {
    /// Sends a code with which somebody sets another password.
    async fn send_reset_code(&self, tx: &mut WriteTx<'_>, (account, to): (AccountId, &Contact)) -> Result<(), Undone> {
        let (code, expires_at) = self.identity.code_made_in_tx(tx, CodePurpose::PasswordReset, to).await?;
        let language = self.language_in_tx(tx, account).await?;
        let content = Content::PasswordReset(Code { code, minutes: CODE_MINUTES });
        self.write_to(tx, (to, language), Some(account), content, expires_at).await
    }
}

//! `/api/v1/codes`: codes that are sent to an address. The answer is the same whatever becomes of the wish.

use super::idempotency::Undone;
use super::people::{Address, From, Tongue, channel_of};
use super::{Access, Console, Input, Routes, routes as guards};
use crate::problem::{Problem, Refusal};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use tacit_identity::IdentityError;
use tacit_identity::access::Via;
use tacit_identity::codes::{CODE_MINUTES, CodePurpose, CodeWish};
use tacit_identity::registration::Language;
use tacit_kernel::Personal;
use tacit_kernel::ids::AccountId;
use tacit_operations::messages::{Code, Content, LONGEST};
use tacit_storage::WriteTx;
use utoipa::ToSchema;
use utoipa_axum::routes;

/// A wish for a code.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct WantedCode {
    /// What it is for; it is good for nothing else.
    purpose: Purpose,
    /// Where it is sent.
    to: Address,
    /// In which language.
    #[serde(default)]
    #[schema(required = false)]
    language: Tongue,
}

/// What a code is for.
#[derive(Clone, Copy, Debug, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Purpose {
    /// To register with the address.
    Register,
    /// To consent to the registration of a minor.
    Guardian,
    /// To sign in.
    SignIn,
    /// To set a new password.
    PasswordReset,
    /// To become the address of an account.
    ContactChange,
    /// To prove once more who is there.
    StepUp,
    /// To ask for something about one's data without being signed in.
    Rights,
}

impl std::convert::From<Purpose> for CodePurpose {
    fn from(purpose: Purpose) -> Self {
        match purpose {
            Purpose::Register => Self::Register,
            Purpose::Guardian => Self::Guardian,
            Purpose::SignIn => Self::SignIn,
            Purpose::PasswordReset => Self::PasswordReset,
            Purpose::ContactChange => Self::ContactChange,
            Purpose::StepUp => Self::StepUp,
            Purpose::Rights => Self::Rights,
        }
    }
}

/// What is said to whoever asks for a code.
#[derive(Clone, Debug, Serialize, ToSchema)]
struct OnItsWay {
    /// For how long a code is good that is sent now.
    expires_in_seconds: u32,
}

pub(super) fn routes(routes: Routes) -> Routes {
    routes.add(Access::Public, routes!(codes_create))
}

/// Who asks for a code that is of use only to who is signed in.
///
/// # Errors
/// 401 if nobody is.
async fn who_asks(console: &Console, purpose: CodePurpose, headers: &HeaderMap) -> Result<Option<AccountId>, Refusal> {
    match purpose {
        CodePurpose::ContactChange | CodePurpose::StepUp => {
            let caller = guards::caller(console, headers).await?;
            match caller.via {
                Via::Session(_) => Ok(Some(caller.account)),
                Via::ManagementKey(..) => Err(IdentityError::StepUpRequired.into()),
            }
        }
        CodePurpose::Register
        | CodePurpose::Guardian
        | CodePurpose::SignIn
        | CodePurpose::PasswordReset
        | CodePurpose::Rights => Ok(None),
    }
}

/// Sends a code to an address. Whether there is an account with that address is not told: if no code is sent, the answer
/// is the same.
#[utoipa::path(post, path = "/api/v1/codes", tag = "sign-in", request_body = WantedCode, responses(
    (status = 202, description = "If a code may be sent there, it is on its way.", body = OnItsWay),
    (status = 401, description = "A code to change an address or to show who is there is for who is signed in.",
        body = Problem, content_type = "application/problem+json"),
    (status = 403, description = "Registration is closed, or a management key asks for a code of a person.", body = Problem,
        content_type = "application/problem+json"),
))]
async fn codes_create(
    State(console): State<Console>,
    From(origin): From,
    headers: HeaderMap,
    Input(wanted): Input<WantedCode>,
) -> Result<Response, Refusal> {
    let (purpose, contact) = (CodePurpose::from(wanted.purpose), wanted.to.contact()?);
    console.registration.code_check(purpose, &contact)?;
    let known = who_asks(&console, purpose, &headers).await?;
    let (console, contact, language) = (&console, &contact, Language::from(wanted.language));
    // Told to everybody, whether or not there would be anything to send.
    console.messages.must_be_open(channel_of(contact))?;
    let send = async |tx: &mut WriteTx<'_>| {
        // Told by nothing: whose the address is.
        if let Some(account) = known.filter(|_| purpose == CodePurpose::StepUp)
            && !console.identity.contacts_of_in_tx(tx, account).await?.iter().any(|held| held.contact == *contact)
        {
            return Ok(());
        }
        if let Some(account) = known {
            console.identity.text_asked_in_tx(tx, account, contact).await?;
        }
        let wish = console.identity.code_wish_in_tx(tx, purpose, contact, &origin).await?;
        let (content, until) = match wish {
            CodeWish::Send { code, expires_at } => {
                let code = Code { code, minutes: CODE_MINUTES };
                let content = match purpose {
                    CodePurpose::SignIn => Content::SignIn(code),
                    CodePurpose::StepUp => Content::StepUp(code),
                    CodePurpose::Rights => Content::Rights(code),
                    CodePurpose::PasswordReset => Content::PasswordReset(code),
                    CodePurpose::Guardian => Content::Guardian(code),
                    CodePurpose::Register | CodePurpose::ContactChange => Content::EmailVerify(code),
                };
                (content, expires_at)
            }
            CodeWish::AlreadyRegistered => (already(language), console.clock.now().plus_micros(LONGEST)),
            CodeWish::Nothing => return Ok(()),
        };
        console.write_to(tx, (contact, language), None, content, until).await
    };
    let send = &send;
    let sent: Result<(), Undone> = console.db.write("console.code", |tx| Box::pin(send(tx))).await;
    sent?;
    Ok((StatusCode::ACCEPTED, Json(OnItsWay { expires_in_seconds: CODE_MINUTES * 60 })).into_response())
}

/// To who has an account already: whoever asked may be somebody else.
fn already(language: Language) -> Content {
    let (title, text) = match language {
        Language::En => (
            "You have an account already",
            "Somebody asked to register with this address, which belongs to your account. If it was you, sign in instead; \
             if you forgot your password, ask for a new one. If it was not you, nothing has changed and there is nothing \
             to do.",
        ),
        Language::Zh => (
            "您已经拥有账号",
            "有人使用此地址申请注册，而该地址已属于您的账号。如果是您本人，请直接登录；如果忘记密码，请重置密码。\
             如果不是您本人操作，您的账号没有任何变化，无需处理。",
        ),
    };
    Content::AccountNotice { title: Personal::new(title.to_owned()), text: Personal::new(text.to_owned()) }
}

//! What we say when a call fails, in the words of the caller's dialect, and what a provider's failure means.
//!
//! The status is chosen by what the official SDKs do with it: they try again after 408, 409, 429 and 5xx. So an empty
//! balance and a spend limit are 402, not OpenAI's 429 `insufficient_quota`: trying again cannot help. Where waiting
//! helps and it is not the caller's own limit, the OpenAI dialect says 503 and the Anthropic dialect 529
//! (`overloaded_error`), which clients such as Claude Code show and wait out.

#[cfg(test)]
mod tests;

use crate::body::Body;
use bytes::Bytes;
use serde::Serialize;
use serde_json::Value;
use tacit_kernel::Dialect;
use tacit_kernel::call::ErrorCode;

/// An answer that tells of an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ErrorReply {
    /// HTTP status.
    pub status: u16,
    /// JSON, `content-type: application/json`.
    pub body: Bytes,
}

/// Builds an error answer.
///
/// `message` is our own text, [`message`] or more precise; it must not hold a string of the caller's. `param` is the
/// field at fault (OpenAI dialect only). `request_id` is shown in the Anthropic dialect; for both it belongs into the
/// headers too.
#[must_use]
pub fn reply(dialect: Dialect, code: ErrorCode, message: &str, param: Option<&str>, request_id: &str) -> ErrorReply {
    ErrorReply { status: status(dialect, code), body: json(dialect, code, message, param, request_id).into() }
}

/// The same as an event that ends a stream which has begun. In the OpenAI dialect no `[DONE]` follows it, so that no
/// client takes the answer for complete.
#[must_use]
pub fn stream_error(dialect: Dialect, code: ErrorCode, message: &str, request_id: &str) -> Bytes {
    let json = json(dialect, code, message, None, request_id);
    match dialect {
        Dialect::OpenAi => format!("data: {json}\n\n").into(),
        Dialect::Anthropic => format!("event: error\ndata: {json}\n\n").into(),
    }
}

/// What may be sent at any time between two events, also before the first, to keep a connection alive.
#[must_use]
pub const fn keep_alive(dialect: Dialect) -> Bytes {
    Bytes::from_static(match dialect {
        Dialect::OpenAi => b": keep-alive\n\n",
        Dialect::Anthropic => b"event: ping\ndata: {\"type\":\"ping\"}\n\n",
    })
}

fn json(dialect: Dialect, code: ErrorCode, message: &str, param: Option<&str>, request_id: &str) -> String {
    #[derive(Serialize)]
    struct OpenAi<'a> {
        error: OpenAiError<'a>,
    }
    #[derive(Serialize)]
    struct OpenAiError<'a> {
        message: &'a str,
        r#type: &'static str,
        param: Option<&'a str>,
        code: &'static str,
    }
    #[derive(Serialize)]
    struct Anthropic<'a> {
        r#type: &'static str,
        error: AnthropicError<'a>,
        request_id: &'a str,
    }
    #[derive(Serialize)]
    struct AnthropicError<'a> {
        r#type: &'static str,
        message: &'a str,
    }
    let text = match dialect {
        Dialect::OpenAi => serde_json::to_string(&OpenAi {
            error: OpenAiError { message, r#type: openai_type(code), param, code: openai_code(code) },
        }),
        Dialect::Anthropic => serde_json::to_string(&Anthropic {
            r#type: "error",
            error: AnthropicError { r#type: anthropic_type(code), message },
            request_id,
        }),
    };
    // Strings and structs only: this cannot fail.
    text.unwrap_or_default()
}

/// The HTTP status of an error.
#[must_use]
pub const fn status(dialect: Dialect, code: ErrorCode) -> u16 {
    use ErrorCode as E;
    let overloaded = match dialect {
        Dialect::OpenAi => 503,
        Dialect::Anthropic => 529,
    };
    match code {
        E::KeyMissing | E::KeyUnknown | E::KeyDisabled | E::KeyExpired => 401,
        E::SpendLimit | E::BalanceInsufficient => 402,
        E::AccountDisabled | E::AccountRestricted | E::AddressNotAllowed | E::ModelNotAllowed => 403,
        E::ModelNotFound | E::ModelNotServed | E::PathNotFound => 404,
        E::MethodNotAllowed => 405,
        E::BodyTimeout => 408,
        E::BodyInvalid | E::ProviderRejected => 400,
        E::BodyTooLarge => 413,
        E::RateLimitRequests | E::RateLimitTokens | E::RateLimitConcurrency => 429,
        E::ChannelsUnavailable | E::GatewayBusy | E::ProviderLimited => overloaded,
        E::ControlUnavailable => 503,
        E::ProviderTimeout => 504,
        E::ProviderUnreachable | E::ProviderCredential | E::ProviderError | E::ProviderBroken => 502,
        // Nobody is there to read it; nginx's number, for the record.
        E::ClientGone => 499,
        E::Internal => 500,
    }
}

const fn openai_type(code: ErrorCode) -> &'static str {
    match status(Dialect::OpenAi, code) {
        401 => "authentication_error",
        402 => "insufficient_quota",
        403 => "permission_error",
        429 => "rate_limit_error",
        400..500 => "invalid_request_error",
        _ => "server_error",
    }
}

/// OpenAI's own code where clients look for it, ours otherwise.
const fn openai_code(code: ErrorCode) -> &'static str {
    match code {
        ErrorCode::KeyUnknown => "invalid_api_key",
        ErrorCode::BalanceInsufficient => "insufficient_quota",
        ErrorCode::RateLimitRequests | ErrorCode::RateLimitTokens | ErrorCode::RateLimitConcurrency => {
            "rate_limit_exceeded"
        }
        other => other.as_str(),
    }
}

const fn anthropic_type(code: ErrorCode) -> &'static str {
    match status(Dialect::Anthropic, code) {
        401 => "authentication_error",
        402 => "billing_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        529 => "overloaded_error",
        400..500 => "invalid_request_error",
        _ => "api_error",
    }
}

/// Our text for an error where nothing more precise is known: what is wrong and what to do.
#[must_use]
pub const fn message(code: ErrorCode) -> &'static str {
    use ErrorCode as E;
    match code {
        E::KeyMissing => "no API key was sent; send it as `Authorization: Bearer <key>` or `x-api-key: <key>`",
        E::KeyUnknown => "the API key is not known here",
        E::KeyDisabled => "the API key is disabled",
        E::KeyExpired => "the API key has expired",
        E::AccountDisabled => "the account is disabled",
        E::AccountRestricted => {
            "the owner of this API key has restricted the use of their data; they can lift that in the console"
        }
        E::AddressNotAllowed => "the API key may not be used from this address",
        E::ModelNotAllowed => "the API key may not use this model",
        E::ModelNotFound => "there is no model of this name; GET /v1/models lists those there are",
        E::ModelNotServed => "the model is not served on this endpoint; use the API of the model's provider",
        E::PathNotFound => "there is no such endpoint",
        E::MethodNotAllowed => "this endpoint does not take this HTTP method",
        E::BodyInvalid => "the request body is not valid",
        E::BodyTooLarge => "the request body is larger than this gateway accepts",
        E::BodyTimeout => "the request body did not arrive in time",
        E::RateLimitRequests => "too many requests in a minute; wait as retry-after says",
        E::RateLimitTokens => "too many tokens in a minute; wait as retry-after says",
        E::RateLimitConcurrency => "too many calls at the same time; wait for one to end",
        E::SpendLimit => "a spend limit of the key, the account or a budget is reached",
        E::BalanceInsufficient => "the balance does not cover this call; top up, or lower the output limit",
        E::ChannelsUnavailable => "every provider of this model is busy or failing now; try again shortly",
        E::ControlUnavailable => "the platform cannot check this call now; try again shortly",
        E::GatewayBusy => "the gateway is busy or shutting down; try again shortly",
        E::ProviderUnreachable => "the model provider could not be reached",
        E::ProviderTimeout => "the model provider did not answer in time",
        E::ProviderLimited => "the model provider is overloaded or limits this platform; try again shortly",
        E::ProviderCredential => "the model provider refused this platform's credential; the operator must look at it",
        E::ProviderRejected => "the model provider refused the request",
        E::ProviderError => "the model provider failed",
        E::ProviderBroken => "the model provider broke off its answer",
        E::ClientGone => "the client closed the connection",
        E::Internal => "the platform failed; the operator can find this request by its id",
    }
}

/// Seconds to wait that are worth saying where no exact figure is known; `None` where waiting does not help.
#[must_use]
pub const fn retry_after(code: ErrorCode) -> Option<u32> {
    use ErrorCode as E;
    match code {
        E::RateLimitRequests | E::RateLimitTokens => Some(10),
        E::RateLimitConcurrency | E::GatewayBusy | E::ControlUnavailable => Some(2),
        E::ChannelsUnavailable | E::ProviderLimited => Some(5),
        _ => None,
    }
}

/// What a provider's refusal means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProviderFailure {
    /// For the record.
    pub code: ErrorCode,
    /// Another channel may do better.
    pub elsewhere: bool,
    /// The credential is not accepted or has no quota left: do not use it again for a while.
    pub credential: bool,
    /// The provider speaks about the caller's own request: its status and body are for the caller (if no other channel
    /// helps). Otherwise the caller gets our text, since the provider's may speak about our account there.
    pub relay: bool,
}

/// A provider's error larger than this is not read.
const LOOK_AT: usize = 64 << 10;

/// The words of a provider's error that are its own: only the members that name the error are read, and only whole. Its
/// message may quote the caller, whose words must not decide what happens to a credential that others use too.
struct Told(Value);

impl Told {
    fn of(bytes: &[u8]) -> Self {
        Self(if bytes.len() > LOOK_AT { Value::Null } else { serde_json::from_slice(bytes).unwrap_or_default() })
    }

    /// The `error` member of an answer; some wrap it in a list.
    fn in_answer(body: &Body) -> Self {
        if body.len() > LOOK_AT {
            return Self(Value::Null);
        }
        let bytes: Vec<u8> = body.chunks().iter().flat_map(|c| c.iter().copied()).collect();
        let Self(mut answer) = Self::of(&bytes);
        let error = answer.pointer_mut("/error").map(Value::take);
        Self(error.or_else(|| answer.pointer_mut("/0/error").map(Value::take)).unwrap_or_default())
    }

    /// Whether its `code` or `type`, the `reason` of one of its `details` or the `error_code` in them is one of these.
    fn is(&self, words: &[&str]) -> bool {
        let named = ["code", "type"].into_iter().filter_map(|name| self.0.get(name));
        let details = self.0.get("details");
        let reasons = details.and_then(Value::as_array).into_iter().flatten().filter_map(|d| d.get("reason"));
        let error_code = details.and_then(|d| d.get("error_code"));
        named.chain(reasons).chain(error_code).filter_map(Value::as_str).any(|word| words.contains(&word))
    }

    /// Anthropic has no type of its own for an account that is empty, has reached the limit its owner set, or is disabled:
    /// it says so in the message of an `invalid_request_error`. The whole of it must be that, for other messages of this
    /// type begin with a caller's words (the name of a field that is not permitted, for example).
    fn about_account(&self) -> bool {
        let message = self.0.get("message").and_then(Value::as_str);
        self.is(&["invalid_request_error"])
            && message.is_some_and(|m| {
                ACCOUNT_TEXTS.contains(&m)
                    || LIMIT_TEXTS.iter().any(|text| {
                        m.strip_prefix(text)
                            .is_some_and(|rest| fits(rest, " You will regain access on 0000-00-00 at 00:00 UTC."))
                    })
            })
    }
}

/// Whether a text is the pattern, in which `0` stands for any digit.
fn fits(text: &str, pattern: &str) -> bool {
    let same = |(a, b): (u8, u8)| if b == b'0' { a.is_ascii_digit() } else { a == b };
    text.len() == pattern.len() && text.bytes().zip(pattern.bytes()).all(same)
}

// The words below are those of the providers' own documents:
// - <https://platform.claude.com/docs/en/api/errors> for the types and for 400 where a limit of one's own is reached,
// - <https://platform.claude.com/docs/en/api/rate-limits> for `enforced_spend_limit_reached` (429),
// - <https://developers.openai.com/docs/guides/error-codes> and
//   <https://help.openai.com/en/articles/6614457-troubleshooting-api-usage-and-spend-limits> for OpenAI's codes (429),
// and, where those name none, of answers that were quoted in public: anthropics/claude-code issues 66314 (no credit), 38035
// and 55998 (limits of one's own), 72457 (disabled); BerriAI/litellm 2743 (`billing_not_active`, 429); dfinke/PowerShellAI
// 127 (`billing_hard_limit_reached`, 400). `Arrearage` is Alibaba Cloud's, `API_KEY_INVALID` Google's.

/// Whole messages of Anthropic (`invalid_request_error`, 400) about the account of the credential.
const ACCOUNT_TEXTS: [&str; 3] = [
    "Your credit balance is too low to access the Anthropic API. \
     Please go to Plans & Billing to upgrade or purchase credits.",
    "Your credit balance is too low to access the Claude API. \
     Please go to Plans & Billing to upgrade or purchase credits.",
    "This organization has been disabled.",
];
/// The same where a moment follows.
const LIMIT_TEXTS: [&str; 2] = [
    "You have reached your specified API usage limits.",
    "You have reached your specified workspace API usage limits.",
];
/// The credential is not accepted.
const NOT_ACCEPTED: &[&str] = &["invalid_api_key", "API_KEY_INVALID", "authentication_error", "permission_error"];
/// The credential's account has nothing left.
const USED_UP: &[&str] = &[
    "insufficient_quota",
    "credit_balance_exhausted",
    "organization_spend_limit_exceeded",
    "project_spend_limit_exceeded",
    "organization_usage_limit_exceeded",
    "billing_hard_limit_reached",
    "billing_not_active",
    "billing_error",
    "enforced_spend_limit_reached",
    "Arrearage",
];
/// The provider has too much to do, or the platform asks too often.
const BUSY: &[&str] = &[
    "overloaded_error",
    "overloaded",
    "server_is_overloaded",
    "service_unavailable_error",
    "rate_limit_error",
    "rate_limit_exceeded",
    "slow_down",
];

/// Classifies a provider's answer that is not a success, by its status and by the fixed words with which its body names
/// the error. Nothing of the body is kept or quoted.
#[must_use]
pub fn provider_failure(status: u16, body: &Body) -> ProviderFailure {
    let about = |words: &[&str]| Told::in_answer(body).is(words);
    let failure = |code, credential, relay: bool| ProviderFailure {
        code,
        elsewhere: !relay || matches!(status, 403 | 404),
        credential,
        relay,
    };
    match status {
        401 | 402 => failure(ErrorCode::ProviderCredential, true, false),
        // A refusal may also be the judgement on one request, by a filter before the provider for example.
        400 | 403 if about(NOT_ACCEPTED) || about(USED_UP) || Told::in_answer(body).about_account() => {
            failure(ErrorCode::ProviderCredential, true, false)
        }
        // Waiting does not help an account that has nothing left.
        429 if about(USED_UP) => failure(ErrorCode::ProviderCredential, true, false),
        408 | 504 | 522 | 524 => failure(ErrorCode::ProviderTimeout, false, false),
        429 | 503 | 529 => failure(ErrorCode::ProviderLimited, false, false),
        // Either the caller asks for something that is not there, or this channel is set up wrongly: both are possible.
        400..500 => failure(ErrorCode::ProviderRejected, false, true),
        _ => failure(ErrorCode::ProviderError, false, false),
    }
}

/// The same for the `error` member of an event in a stream.
pub(crate) fn of_stream(raw: &[u8]) -> ErrorCode {
    let told = Told::of(raw);
    if told.is(NOT_ACCEPTED) || told.is(USED_UP) || told.about_account() {
        ErrorCode::ProviderCredential
    } else if told.is(BUSY) {
        ErrorCode::ProviderLimited
    } else if told.is(&["timeout_error", "timeout"]) {
        ErrorCode::ProviderTimeout
    } else if told.is(&["invalid_request_error", "request_too_large"]) {
        ErrorCode::ProviderRejected
    } else {
        ErrorCode::ProviderError
    }
}

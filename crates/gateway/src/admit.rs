//! Whether a call may go on: the state of key and account, their limits, the model, and the money.

use crate::call::Call;
use crate::catalog::Model;
use crate::grants::Grant;
use crate::lease::NotReserved;
use crate::limits::{self, Standing};
use crate::refusal::Refusal;
use crate::relay;
use http::header::{HeaderMap, HeaderName, HeaderValue};
use std::net::IpAddr;
use std::sync::Arc;
use tacit_kernel::call::{Endpoint, ErrorCode};
use tacit_kernel::{Dialect, Ppm, Timestamp};
use tacit_protocol::Envelope;

/// Output tokens without which a stream that reserves step by step is not begun.
const FIRST_STEP: u64 = 1024;

/// Before the body is read: who it is, from where, and how often.
///
/// # Errors
/// Why not.
pub(crate) fn caller(grant: &Grant, address: IpAddr, concurrency: [u32; 2], now: Timestamp) -> Result<(), Refusal> {
    let (key, account) = (&grant.key_limits, &grant.account_limits);
    if grant.account_disabled || account.expired(now) {
        return Err(ErrorCode::AccountDisabled.into());
    }
    if grant.restricted {
        return Err(ErrorCode::AccountRestricted.into());
    }
    if grant.key_disabled {
        return Err(ErrorCode::KeyDisabled.into());
    }
    if key.expired(now) {
        return Err(ErrorCode::KeyExpired.into());
    }
    if !key.allows_address(address) || !account.allows_address(address) {
        return Err(ErrorCode::AddressNotAllowed.into());
    }
    let [of_key, of_account] = concurrency;
    if key.concurrency.is_some_and(|most| of_key > most) || account.concurrency.is_some_and(|most| of_account > most) {
        return Err(ErrorCode::RateLimitConcurrency.into());
    }
    let moment = limits::now();
    let requests = |limit: Option<u32>| limit.map(u64::from);
    if let Some(limit) = requests(key.requests_per_minute) {
        grant.counters.requests.take(1, limit, moment).map_err(requests_refused)?;
    }
    if let Some(limit) = requests(account.requests_per_minute)
        && let Err(wait) = grant.account.counters.requests.take(1, limit, moment)
    {
        if let Some(limit) = requests(key.requests_per_minute) {
            grant.counters.requests.correct(1, 0, limit);
        }
        return Err(requests_refused(wait));
    }
    Ok(())
}

fn requests_refused(wait: i64) -> Refusal {
    Refusal::from(ErrorCode::RateLimitRequests).after(wait)
}

/// The model by its registered name, if it may be used and is served there.
///
/// # Errors
/// Why not.
pub(crate) fn model(grant: &Grant, model: Option<&Arc<Model>>, endpoint: Endpoint) -> Result<Arc<Model>, Refusal> {
    let model = model.ok_or(ErrorCode::ModelNotFound)?;
    if !grant.key_limits.allows_model(&model.name) || !grant.account_limits.allows_model(&model.name) {
        return Err(ErrorCode::ModelNotAllowed.into());
    }
    if !model.served_in(relay::dialect(endpoint)) {
        return Err(ErrorCode::ModelNotServed.into());
    }
    Ok(Arc::clone(model))
}

/// Tokens per minute, by estimate; corrected when the call ends.
///
/// # Errors
/// `RateLimitTokens`.
pub(crate) fn tokens(call: &mut Call) -> Result<(), Refusal> {
    let grant = Arc::clone(&call.grant);
    let (units, moment) = (call.input_estimate, limits::now());
    let refused = |wait: i64, limit: u64| {
        if units > limit {
            return Refusal::saying(
                ErrorCode::RateLimitTokens,
                "this request alone is larger than the tokens per minute of the key or the account; make it smaller",
            );
        }
        Refusal::from(ErrorCode::RateLimitTokens).after(wait)
    };
    let key = grant.key_limits.tokens_per_minute;
    if let Some(limit) = key {
        grant.counters.tokens.take(units, limit, moment).map_err(|wait| refused(wait, limit))?;
    }
    if let Some(limit) = grant.account_limits.tokens_per_minute
        && let Err(wait) = grant.account.counters.tokens.take(units, limit, moment)
    {
        if let Some(limit) = key {
            grant.counters.tokens.correct(units, 0, limit);
        }
        return Err(refused(wait, limit));
    }
    call.took_tokens(units);
    Ok(())
}

/// Reserves the most that the call can cost. A stream that names no limit of its own may begin with less and reserves
/// step by step.
///
/// # Errors
/// `SpendLimit`, `BalanceInsufficient` or `ControlUnavailable`; nothing is reserved then.
pub(crate) async fn money(call: &mut Call, envelope: &Envelope, model: &Model) -> Result<(), Refusal> {
    let now = call.started_at();
    let price = Arc::clone(model.price_at(now));
    let dialect = relay::dialect(call.endpoint);
    let routes = model.routes.iter().filter(|r| r.channel.dialect == dialect);
    let channel = routes.map(|r| r.channel.multiplier).max().unwrap_or(Ppm::ONE);
    let known = |tokens: u64| (tokens > 0).then_some(tokens);
    let input = envelope.input_upper_bound().min(known(model.context_tokens).unwrap_or(u64::MAX));
    let most = known(model.max_output_tokens);
    let output = match (call.endpoint, envelope.max_output_tokens(call.endpoint)) {
        (Endpoint::Embeddings, _) => 0,
        (_, Some(asked)) => asked.min(most.unwrap_or(u64::MAX)),
        (_, None) => most.unwrap_or(call.gateway.config.default_output_tokens),
    };
    let bound = |output: u64| {
        let output = output.saturating_mul(envelope.choices());
        price.price.upper_bound(input, output, call.grant.group_multiplier, channel).0
    };
    let want = bound(output);
    let stepwise = call.stream && envelope.max_output_tokens(call.endpoint).is_none();
    let least = if stepwise { bound(output.min(FIRST_STEP)) } else { want };
    let want = call.promise(least, want).map_err(|again| {
        let refusal = Refusal::from(ErrorCode::SpendLimit);
        match again {
            Some(at) => refusal.after(at.micros_since(now).saturating_mul(1000)),
            None => refusal,
        }
    })?;
    let reserved = call.grant.account.budget.reserve(&call.gateway.link, least, want).await;
    call.reserved(reserved.map_err(|why| match why {
        NotReserved::Insufficient => ErrorCode::BalanceInsufficient,
        NotReserved::Unavailable => ErrorCode::ControlUnavailable,
    })?);
    call.price = Some(price);
    Ok(())
}

/// How the tighter of the limits of key and account stands, in the dialect's own headers.
pub(crate) fn headers(grant: &Grant, dialect: Dialect, now: Timestamp, out: &mut HeaderMap) {
    let (key, account) = (&grant.key_limits, &grant.account_limits);
    if key.requests_per_minute.is_none()
        && account.requests_per_minute.is_none()
        && key.tokens_per_minute.is_none()
        && account.tokens_per_minute.is_none()
    {
        return;
    }
    let moment = limits::now();
    let (mine, all) = (&grant.counters, &grant.account.counters);
    let tighter = |a: Option<Standing>, b: Option<Standing>| [a, b].into_iter().flatten().min_by_key(|s| s.remaining);
    let requests = tighter(
        key.requests_per_minute.map(|l| mine.requests.standing(l.into(), moment)),
        account.requests_per_minute.map(|l| all.requests.standing(l.into(), moment)),
    );
    let tokens = tighter(
        key.tokens_per_minute.map(|l| mine.tokens.standing(l, moment)),
        account.tokens_per_minute.map(|l| all.tokens.standing(l, moment)),
    );
    for (names, standing) in [(&REQUESTS, requests), (&TOKENS, tokens)] {
        let Some(standing) = standing else { continue };
        let [openai, anthropic] = names;
        let (names, reset) = match dialect {
            Dialect::OpenAi => (openai, span(standing.reset)),
            Dialect::Anthropic => (anthropic, now.plus_micros(standing.reset / 1000).to_string()),
        };
        let [limit, remaining, reset_name] = names;
        out.insert(HeaderName::from_static(limit), HeaderValue::from(standing.limit));
        out.insert(HeaderName::from_static(remaining), HeaderValue::from(standing.remaining));
        if let Ok(reset) = HeaderValue::from_str(&reset) {
            out.insert(HeaderName::from_static(reset_name), reset);
        }
    }
}

/// Limit, remaining, reset; OpenAI's and Anthropic's.
type Names = [[&'static str; 3]; 2];
const REQUESTS: Names = [
    ["x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"],
    [
        "anthropic-ratelimit-requests-limit",
        "anthropic-ratelimit-requests-remaining",
        "anthropic-ratelimit-requests-reset",
    ],
];
const TOKENS: Names = [
    ["x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"],
    ["anthropic-ratelimit-tokens-limit", "anthropic-ratelimit-tokens-remaining", "anthropic-ratelimit-tokens-reset"],
];

/// A span as OpenAI writes it: `1m30s`, `250ms`.
fn span(nanos: i64) -> String {
    let millis = nanos / 1_000_000;
    match (millis / 60_000, millis / 1000 % 60) {
        (0, 0) => format!("{millis}ms"),
        (0, seconds) => format!("{seconds}s"),
        (minutes, seconds) => format!("{minutes}m{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_as_openai_writes_them() {
        assert_eq!(span(250_000_000), "250ms");
        assert_eq!(span(9_000_000_000), "9s");
        assert_eq!(span(60_000_000_000), "1m0s");
    }
}

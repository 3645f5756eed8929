//! Which headers cross the gateway, in both directions: one table each, everything else stays behind. Nothing that
//! tells who or where the caller is goes to a provider (no address, user agent, session, SDK telemetry), and nothing that a
//! provider could echo a prompt in comes back.

use http::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT};
use tacit_kernel::Dialect;
use tacit_kernel::call::AgentFamily;

/// Headers of a request that go to a provider, and the dialect they belong to (`None`: both).
pub const TO_PROVIDER: [(HeaderName, Option<Dialect>); 5] = [
    (ACCEPT, None),
    (CONTENT_TYPE, None),
    (HeaderName::from_static("anthropic-beta"), Some(Dialect::Anthropic)),
    (HeaderName::from_static("anthropic-version"), Some(Dialect::Anthropic)),
    (HeaderName::from_static("openai-beta"), Some(Dialect::OpenAi)),
];

/// Of these, the version without which the provider refuses the call.
const ANTHROPIC_VERSION: HeaderValue = HeaderValue::from_static("2023-06-01");

/// The headers for a provider of that dialect. The credential, `host` and the length are added by whoever sends it.
/// No `accept-encoding`: an encoded answer could not be metered.
#[must_use]
pub fn to_provider(dialect: Dialect, request: &HeaderMap) -> Vec<(HeaderName, HeaderValue)> {
    let mut out = Vec::with_capacity(TO_PROVIDER.len());
    for (name, only) in &TO_PROVIDER {
        if only.is_none_or(|d| d == dialect) {
            out.extend(request.get_all(name).iter().map(|value| (name.clone(), value.clone())));
        }
    }
    let mut or = |name: HeaderName, value| {
        if !request.contains_key(&name) {
            out.push((name, value));
        }
    };
    if dialect == Dialect::Anthropic {
        or(HeaderName::from_static("anthropic-version"), ANTHROPIC_VERSION);
    }
    or(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    out
}

/// Leaves of the headers of a provider's answer those that come back: its kind, if it is one of those an API answers
/// with, and a wait in seconds. Nothing else: a free text could carry what the prompt said.
#[must_use]
pub fn from_provider(mut answer: HeaderMap) -> HeaderMap {
    let (kind, seconds) = (answer.get(CONTENT_TYPE).and_then(known_kind), retry_after(&answer));
    answer.clear();
    if let Some(kind) = kind {
        answer.insert(CONTENT_TYPE, kind);
    }
    if let Some(seconds) = seconds {
        answer.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    answer
}

/// The wait that a provider asks for, in whole seconds, at most a day.
#[must_use]
pub fn retry_after(answer: &HeaderMap) -> Option<u32> {
    let seconds: u32 = answer.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    (seconds <= 86_400).then_some(seconds)
}

fn known_kind(value: &HeaderValue) -> Option<HeaderValue> {
    const KINDS: [(&str, &str); 3] = [
        ("application/json", "application/json"),
        ("text/event-stream", "text/event-stream; charset=utf-8"),
        ("application/problem+json", "application/problem+json"),
    ];
    let said = value.to_str().ok()?.split(';').next()?.trim();
    let known = KINDS.iter().find(|(kind, _)| said.eq_ignore_ascii_case(kind));
    known.map(|(_, ours)| HeaderValue::from_static(ours))
}

/// Whether the answer is an event stream.
#[must_use]
pub fn is_event_stream(answer: &HeaderMap) -> bool {
    const KIND: &[u8] = b"text/event-stream";
    let said = answer.get(CONTENT_TYPE).map(|v| v.as_bytes().trim_ascii_start());
    said.and_then(|v| v.get(..KIND.len())).is_some_and(|v| v.eq_ignore_ascii_case(KIND))
}

/// The dialect that a request to a path of both (`/v1/models`) speaks: Anthropic's clients always name a version.
#[must_use]
pub fn dialect_of(request: &HeaderMap) -> Dialect {
    if request.contains_key("anthropic-version") { Dialect::Anthropic } else { Dialect::OpenAi }
}

/// The family of a client, by the start of its user agent.
#[must_use]
pub fn agent_family(request: &HeaderMap) -> AgentFamily {
    const STARTS: [(&str, AgentFamily); 24] = [
        ("openai/python", AgentFamily::OpenAiPython),
        ("asyncopenai/python", AgentFamily::OpenAiPython),
        ("openai/js", AgentFamily::OpenAiNode),
        ("openai/node", AgentFamily::OpenAiNode),
        ("anthropic/python", AgentFamily::AnthropicPython),
        ("asyncanthropic/python", AgentFamily::AnthropicPython),
        ("anthropic/js", AgentFamily::AnthropicNode),
        ("anthropic/typescript", AgentFamily::AnthropicNode),
        ("claude-cli", AgentFamily::ClaudeCode),
        ("claude-code", AgentFamily::ClaudeCode),
        ("codex", AgentFamily::Codex),
        ("geminicli", AgentFamily::GeminiCli),
        ("gemini-cli", AgentFamily::GeminiCli),
        ("curl/", AgentFamily::Curl),
        ("mozilla/", AgentFamily::Browser),
        ("python-", AgentFamily::Python),
        ("python/", AgentFamily::Python),
        ("aiohttp", AgentFamily::Python),
        ("node", AgentFamily::Node),
        ("undici", AgentFamily::Node),
        ("bun/", AgentFamily::Node),
        ("axios/", AgentFamily::Node),
        ("ai-sdk/", AgentFamily::Node),
        ("go-http-client", AgentFamily::Go),
    ];
    let Some(agent) = request.get(USER_AGENT) else { return AgentFamily::Other };
    let agent = agent.as_bytes();
    let starts = |start: &str| agent.get(..start.len()).is_some_and(|a| a.eq_ignore_ascii_case(start.as_bytes()));
    STARTS.iter().find(|(start, _)| starts(start)).map_or(AgentFamily::Other, |(_, family)| *family)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(list: &[(&'static str, &'static str)]) -> HeaderMap {
        list.iter().map(|(n, v)| (HeaderName::from_static(n), HeaderValue::from_static(v))).collect()
    }

    #[test]
    fn only_the_table_goes_to_a_provider() {
        let request = map(&[
            ("authorization", "Bearer canary"),
            ("x-api-key", "canary"),
            ("x-goog-api-key", "canary"),
            ("cookie", "canary"),
            ("user-agent", "canary"),
            ("x-forwarded-for", "10.0.0.1"),
            ("x-real-ip", "10.0.0.1"),
            ("forwarded", "for=10.0.0.1"),
            ("x-stainless-os", "canary"),
            ("x-claude-code-session-id", "canary"),
            ("openai-organization", "canary"),
            ("referer", "canary"),
            ("origin", "canary"),
            ("accept-encoding", "gzip"),
            ("x-request-id", "canary"),
            ("content-length", "9"),
            ("host", "canary"),
            ("accept", "text/event-stream"),
            ("content-type", "application/json"),
            ("anthropic-beta", "a,b"),
            ("anthropic-version", "2024-01-01"),
            ("openai-beta", "c"),
        ]);
        let openai = [("accept", "text/event-stream"), ("content-type", "application/json"), ("openai-beta", "c")];
        let to_provider =
            |dialect, request: &HeaderMap| to_provider(dialect, request).into_iter().collect::<HeaderMap>();
        assert_eq!(to_provider(Dialect::OpenAi, &request), map(&openai));
        let anthropic = [
            ("accept", "text/event-stream"),
            ("content-type", "application/json"),
            ("anthropic-beta", "a,b"),
            ("anthropic-version", "2024-01-01"),
        ];
        assert_eq!(to_provider(Dialect::Anthropic, &request), map(&anthropic));
        let bare = [("anthropic-version", "2023-06-01"), ("content-type", "application/json")];
        assert_eq!(to_provider(Dialect::Anthropic, &HeaderMap::new()), map(&bare));
    }

    #[test]
    fn little_comes_back() {
        let answer = map(&[
            ("content-type", "Text/Event-Stream; canary=1"),
            ("retry-after", "7"),
            ("x-request-id", "canary"),
            ("openai-organization", "canary"),
            ("set-cookie", "canary"),
            ("x-canary", "canary"),
        ]);
        assert!(is_event_stream(&answer));
        assert_eq!(
            from_provider(answer),
            map(&[("content-type", "text/event-stream; charset=utf-8"), ("retry-after", "7")])
        );
        for wait in ["canary", "Wed, 21 Oct 2015 07:28:00 GMT", "-1", "99999999"] {
            assert_eq!(retry_after(&map(&[("retry-after", wait)])), None);
        }
        assert!(from_provider(map(&[("content-type", "text/canary")])).is_empty());
    }

    #[test]
    fn families_and_dialects() {
        for (agent, family) in [
            ("OpenAI/Python 1.50.0", AgentFamily::OpenAiPython),
            ("AsyncOpenAI/Python 1.50.0", AgentFamily::OpenAiPython),
            ("OpenAI/JS 4.0", AgentFamily::OpenAiNode),
            ("Anthropic/Python 0.40", AgentFamily::AnthropicPython),
            ("AsyncAnthropic/Python 0.40", AgentFamily::AnthropicPython),
            ("Anthropic/JS 0.30", AgentFamily::AnthropicNode),
            ("claude-cli/2.0.1 (external, cli)", AgentFamily::ClaudeCode),
            ("codex_cli_rs/0.40", AgentFamily::Codex),
            ("GeminiCLI/0.1", AgentFamily::GeminiCli),
            ("curl/8.5.0", AgentFamily::Curl),
            ("Mozilla/5.0 (X11)", AgentFamily::Browser),
            ("python-requests/2.31", AgentFamily::Python),
            ("python-httpx/0.27", AgentFamily::Python),
            ("Go-http-client/2.0", AgentFamily::Go),
            ("node", AgentFamily::Node),
            ("something", AgentFamily::Other),
            ("", AgentFamily::Other),
        ] {
            assert_eq!(agent_family(&map(&[("user-agent", agent)])), family, "{agent}");
        }
        assert_eq!(agent_family(&HeaderMap::new()), AgentFamily::Other);
        assert_eq!(dialect_of(&map(&[("anthropic-version", "x")])), Dialect::Anthropic);
        assert_eq!(dialect_of(&map(&[("authorization", "x")])), Dialect::OpenAi);
    }
}

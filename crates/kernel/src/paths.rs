//! Which requests on the public port are for the control plane. The gateway forwards them unread; everything else it
//! answers itself. The rule keeps prompts away from the control plane even where a client has a wrong base URL: what may
//! carry a prompt is forwarded from no place where a client of an AI API could put it.

use percent_encoding::percent_decode_str;
use std::borrow::Cow;

/// Where the console API begins.
pub const CONSOLE: &str = "/api/v1/";

/// Names of endpoints of AI APIs. No route of the console that takes a body begins with one.
pub const DIALECT_WORDS: &[&str] = &[
    "assistants",
    "audio",
    "chat",
    "completions",
    "embed",
    "embeddings",
    "engines",
    "generate",
    "images",
    "messages",
    "moderations",
    "rerank",
    "responses",
    "threads",
];

/// How often a path may be percent-encoded over itself.
const ROUNDS: usize = 4;

/// Whether a request is forwarded to the control plane. `reads`: its method is GET or HEAD, which are forwarded without a
/// body.
#[must_use]
pub fn is_forwarded(reads: bool, path: &str) -> bool {
    let Some(plain) = decoded(path) else { return false };
    let segments: Vec<String> = plain
        .split(['/', '\\'])
        .filter(|segment| !segment.is_empty() && *segment != ".")
        .map(str::to_ascii_lowercase)
        .collect();
    if segments.iter().any(|segment| segment == "..") || segments.first().is_some_and(|first| is_version(first)) {
        return false;
    }
    if reads {
        return true;
    }
    // What follows is looked at in both readings, and the beginning must be written as it is.
    let rest = segments.get(2..).unwrap_or_default();
    path.starts_with(CONSOLE)
        && rest.first().is_some_and(|first| !DIALECT_WORDS.contains(&first.as_str()))
        // A base URL of an AI API within ours, such as /api/v1/openai/v1/chat/completions, or Gemini's :generateContent.
        && !rest.iter().any(|segment| is_version(segment) || segment == "completions" || segment.contains(':'))
}

/// `v1`, `v1beta`, `V2`: where AI APIs begin.
fn is_version(segment: &str) -> bool {
    let bytes = segment.as_bytes();
    bytes.first().is_some_and(|b| b.eq_ignore_ascii_case(&b'v')) && bytes.get(1).is_some_and(u8::is_ascii_digit)
}

/// The path without percent-encoding, however often it was encoded; `None` if that does not come to an end, or to no text.
fn decoded(path: &str) -> Option<String> {
    let mut text = Cow::Borrowed(path);
    for _ in 0..ROUNDS {
        let next = percent_decode_str(&text).decode_utf8().ok()?.into_owned();
        if next == text {
            return (!next.chars().any(char::is_control)).then_some(next);
        }
        text = Cow::Owned(next);
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_ai_apis_stay_whatever_their_spelling() {
        for path in [
            "/v1",
            "/v1/",
            "/V1/chat/completions",
            "//v1/messages",
            "/./v1/models",
            "/%76%31/chat/completions",
            "/%2576%2531/x",
            "/v1%2Fmodels",
            "/v1beta/models/x:generateContent",
            "/v1alpha",
            "/v2/rerank",
            "/V1;x=1/models",
            "\\v1\\models",
            "/a/../v1/models",
            "/%2e%2e/v1",
            "/a%00b",
            "/%ff",
        ] {
            assert!(!is_forwarded(true, path), "{path}");
            assert!(!is_forwarded(false, path), "{path}");
        }
    }

    #[test]
    fn reading_is_forwarded_and_writing_only_to_the_console() {
        for path in ["/", "/docs/v1", "/assets/index-abc.js", "/models", "/api/v1/me", "/chat/completions", "/vision"] {
            assert!(is_forwarded(true, path), "{path}");
        }
        for path in ["/api/v1/keys", "/api/v1/keys/key_01h455vb4pex5vsknk084sn02q", "/api/v1/tickets/1/messages"] {
            assert!(is_forwarded(false, path), "{path}");
        }
    }

    #[test]
    fn what_may_carry_a_prompt_is_not_forwarded() {
        for path in [
            "/",
            "/chat/completions",
            "/messages",
            "/api",
            "/api/",
            "/api/chat",
            "/api/generate",
            "/api/v1",
            "/api/v1/",
            "/api/v1/chat/completions",
            "/api/v1/Chat/completions",
            "/api/v1/%63hat/completions",
            "/api/v1//messages",
            "/api/v1/messages/count_tokens",
            "/api/v1/embeddings",
            "/api/v1/responses",
            "/api/v1/v1/chat/completions",
            "/api/v1/openai/v1/responses",
            "/api/v1/deployments/x/chat/completions",
            "/api/v1/models/gemini:generateContent",
            "/api/v1/models/gemini%3AgenerateContent",
            "/api/v1/keys/../chat/completions",
            "/API/v1/keys",
            "/%61pi/v1/keys",
            "//api/v1/keys",
            "/apiv1/keys",
        ] {
            assert!(!is_forwarded(false, path), "{path}");
        }
    }
}

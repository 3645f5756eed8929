use super::*;
use serde_json::json;

fn value(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

#[test]
fn shapes() {
    let reply = |d| reply(d, ErrorCode::BalanceInsufficient, "a \"b\"", Some("n"), "call_1");
    let openai = reply(Dialect::OpenAi);
    assert_eq!(openai.status, 402);
    assert_eq!(
        value(&openai.body),
        json!({"error": {"message": "a \"b\"", "type": "insufficient_quota", "param": "n", "code": "insufficient_quota"}})
    );
    let anthropic = reply(Dialect::Anthropic);
    assert_eq!(anthropic.status, 402);
    assert_eq!(
        value(&anthropic.body),
        json!({"type": "error", "error": {"type": "billing_error", "message": "a \"b\""}, "request_id": "call_1"})
    );
}

#[test]
fn every_code_has_a_fitting_answer() {
    for code in ErrorCode::ALL {
        assert!(message(*code).len() > 10);
        for &dialect in Dialect::ALL {
            let status = status(dialect, *code);
            assert!((400..600).contains(&status), "{code:?}");
            // SDKs try again after these by themselves; for the others waiting must not be advised.
            let again = status >= 500 || matches!(status, 408 | 409 | 429);
            assert!(again || retry_after(*code).is_none(), "{code:?}");
            assert!(status != 429 || retry_after(*code).is_some(), "{code:?}");
            value(&reply(dialect, *code, message(*code), None, "id").body);
        }
    }
}

#[test]
fn errors_in_a_stream_are_events() {
    let text = stream_error(Dialect::OpenAi, ErrorCode::ProviderBroken, "broken\noff", "id");
    let data = text.strip_prefix(b"data: ").unwrap().strip_suffix(b"\n\n").unwrap();
    assert_eq!(value(data)["error"]["message"], "broken\noff");
    let text = stream_error(Dialect::Anthropic, ErrorCode::ProviderLimited, "later", "id");
    let data = text.strip_prefix(b"event: error\ndata: ").unwrap().strip_suffix(b"\n\n").unwrap();
    assert_eq!(value(data)["error"]["type"], "overloaded_error");
    for &dialect in Dialect::ALL {
        assert!(keep_alive(dialect).ends_with(b"\n\n"));
    }
}

#[test]
fn failures_of_providers() {
    use ErrorCode as E;
    let cases = [
        (400, r#"{"error":{"message":"bad"}}"#, E::ProviderRejected, false, false, true),
        (422, "", E::ProviderRejected, false, false, true),
        (413, "", E::ProviderRejected, false, false, true),
        (404, "", E::ProviderRejected, true, false, true),
        (
            400,
            r#"{"error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or purchase credits."}}"#,
            E::ProviderCredential,
            true,
            true,
            false,
        ),
        (400, r#"{"error":{"code":"invalid_api_key","message":"x"}}"#, E::ProviderCredential, true, true, false),
        (
            400,
            r#"[{"error":{"code":400,"details":[{"reason":"API_KEY_INVALID"}]}}]"#,
            E::ProviderCredential,
            true,
            true,
            false,
        ),
        (403, r#"{"error":{"type":"permission_error"}}"#, E::ProviderCredential, true, true, false),
        (403, "<html>blocked</html>", E::ProviderRejected, true, false, true),
        (401, "", E::ProviderCredential, true, true, false),
        (402, "", E::ProviderCredential, true, true, false),
        (403, "", E::ProviderRejected, true, false, true),
        (429, "", E::ProviderLimited, true, false, false),
        (500, "", E::ProviderError, true, false, false),
        (502, "", E::ProviderError, true, false, false),
        (529, "", E::ProviderLimited, true, false, false),
        (504, "", E::ProviderTimeout, true, false, false),
        (301, "", E::ProviderError, true, false, false),
    ];
    for (status, text, code, elsewhere, credential, relay) in cases {
        let mut body = Body::new();
        body.push(Bytes::from_static(text.as_bytes()));
        assert_eq!(
            provider_failure(status, &body),
            ProviderFailure { code, elsewhere, credential, relay },
            "{status} {text}"
        );
    }
}

/// Answers as they were quoted in public, see [`ACCOUNT_TEXTS`] and [`USED_UP`].
#[test]
fn answers_about_the_account_of_a_credential() {
    let anthropic = |kind: &str, message: &str, details: Value| {
        let mut answer = json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_0"});
        if !details.is_null() {
            answer["error"]["details"] = details;
        }
        answer
    };
    let openai = |kind: &str, code: Option<&str>, message: &str| json!({"error": {"message": message, "type": kind, "param": null, "code": code}});
    let quota = "You exceeded your current quota, please check your plan and billing details. For more information on \
                 this error, read the docs: https://platform.openai.com/docs/guides/error-codes/api-errors.";
    let inactive = "Your account is not active, please check your billing details on our website.";
    let invalid = |message| anthropic("invalid_request_error", message, Value::Null);
    let answers = [
        (
            400,
            invalid(
                "Your credit balance is too low to access the Anthropic API. Please go to Plans & Billing to upgrade or \
                 purchase credits.",
            ),
        ),
        (
            400,
            invalid(
                "You have reached your specified API usage limits. You will regain access on 2026-04-01 at 00:00 UTC.",
            ),
        ),
        (
            400,
            invalid(
                "You have reached your specified workspace API usage limits. You will regain access on 2026-06-01 at \
                 00:00 UTC.",
            ),
        ),
        (400, invalid("This organization has been disabled.")),
        (402, anthropic("billing_error", "x", Value::Null)),
        (
            429,
            anthropic(
                "rate_limit_error",
                "You have reached your API usage limits: your organization has crossed its monthly API usage threshold, \
                 set based on your organization's API tier. You will regain access on 2026-09-01 at 00:00 UTC.",
                json!({"error_code": "enforced_spend_limit_reached"}),
            ),
        ),
        (
            400,
            openai("invalid_request_error", Some("billing_hard_limit_reached"), "Billing hard limit has been reached"),
        ),
        (429, openai("insufficient_quota", Some("insufficient_quota"), quota)),
        (429, openai("insufficient_quota", None, quota)),
        (429, openai("insufficient_quota", Some("credit_balance_exhausted"), "x")),
        (429, openai("x", Some("organization_spend_limit_exceeded"), "x")),
        (429, openai("x", Some("project_spend_limit_exceeded"), "x")),
        (429, openai("x", Some("organization_usage_limit_exceeded"), "x")),
        (429, openai("billing_not_active", Some("billing_not_active"), inactive)),
        (429, openai("billing_not_active", None, inactive)),
    ];
    for (status, answer) in answers {
        let mut body = Body::new();
        body.push(answer.to_string().into());
        let expected =
            ProviderFailure { code: ErrorCode::ProviderCredential, elsewhere: true, credential: true, relay: false };
        assert_eq!(provider_failure(status, &body), expected, "{status} {answer}");
        let event = answer["error"].to_string();
        assert_eq!(of_stream(event.as_bytes()), ErrorCode::ProviderCredential, "{answer}");
    }
}

#[test]
fn errors_of_a_provider_within_a_stream() {
    use ErrorCode as E;
    for (error, code) in [
        (r#"{"details":null,"type":"overloaded_error","message":"Overloaded"}"#, E::ProviderLimited),
        (r#"{"details":null,"type":"rate_limit_error","message":"Rate limited"}"#, E::ProviderLimited),
        (
            r#"{"type":"service_unavailable_error","code":"server_is_overloaded","message":"x","param":null}"#,
            E::ProviderLimited,
        ),
        (r#"{"type":"rate_limit_error","code":"slow_down","message":"x"}"#, E::ProviderLimited),
        (r#"{"type":"tokens","code":"rate_limit_exceeded","message":"x"}"#, E::ProviderLimited),
        (r#"{"type":"timeout_error","message":"x"}"#, E::ProviderTimeout),
        (r#"{"type":"invalid_request_error","message":"x"}"#, E::ProviderRejected),
        (r#"{"type":"api_error","message":"Internal server error"}"#, E::ProviderError),
        (r#""a text""#, E::ProviderError),
    ] {
        assert_eq!(of_stream(error.as_bytes()), code, "{error}");
    }
}

/// A provider may quote the request in its error.
#[test]
fn what_a_caller_wrote_says_nothing_about_a_credential() {
    let quotes = [
        "Your credit balance is too low",
        "You have reached your specified API usage limits. You will regain access on 2026-04-01 at 00:00 UTC.: Extra \
         inputs are not permitted",
        "You have reached your specified API usage limits. You will regain access on: Extra inputs are not permitted",
        "This organization has been disabled.: Extra inputs are not permitted",
        "your \"invalid_api_key\" \"insufficient_quota\"",
        r#"{\"error\":{\"code\":\"invalid_api_key\"}}"#,
        "API key not valid \"API_KEY_INVALID\" Arrearage billing_hard_limit_reached billing_not_active",
    ];
    for quote in quotes {
        for error in [
            json!({"error": {"type": "invalid_request_error", "code": "invalid_value", "message": quote}}),
            json!({"error": {"type": "invalid_request_error", "param": quote, "input": {"code": "invalid_api_key"}}}),
            json!({"detail": [{"code": "invalid_api_key", "input": quote}]}),
            json!(quote),
        ] {
            for (status, code) in [
                (400, ErrorCode::ProviderRejected),
                (403, ErrorCode::ProviderRejected),
                (429, ErrorCode::ProviderLimited),
            ] {
                let mut body = Body::new();
                body.push(error.to_string().into());
                let failure = provider_failure(status, &body);
                assert_eq!((failure.code, failure.credential), (code, false), "{status} {error}");
            }
            let event = error["error"].to_string();
            assert_ne!(of_stream(event.as_bytes()), ErrorCode::ProviderCredential, "{error}");
        }
    }
}

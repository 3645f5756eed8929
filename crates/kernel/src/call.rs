//! The closed vocabulary of a call record. Everything that is stored, sent over the link or put on a metric about a
//! call is one of these words, a number or an id: there is no free text (policy YY 2.2).

words! {
    /// The path template of an API endpoint; never the raw path.
    Endpoint {
        /// `POST /v1/chat/completions`
        ChatCompletions = "/v1/chat/completions",
        /// `POST /v1/completions`
        Completions = "/v1/completions",
        /// `POST /v1/embeddings`
        Embeddings = "/v1/embeddings",
        /// `POST /v1/messages`
        Messages = "/v1/messages",
        /// `GET /v1/models`
        Models = "/v1/models",
        /// `GET /v1/models/{id}`
        Model = "/v1/models/{id}",
    }

    /// How a call ended.
    CallStatus {
        /// The whole answer was delivered.
        Completed = "completed",
        /// The client went away; charged by the rule for interrupted calls.
        ClientGone = "client_gone",
        /// The provider broke off after the first byte; charged by the rule for interrupted calls.
        Interrupted = "interrupted",
        /// Ended by us because the balance or a spend limit was used up; charged for what was delivered.
        BalanceExhausted = "balance_exhausted",
        /// No provider answered with success; costs nothing.
        Failed = "failed",
        /// Refused before a provider was called; costs nothing.
        Refused = "refused",
        /// The gateway died with it; settled from its begun event by the rule for interrupted calls.
        Lost = "lost",
    }

    /// What a gateway reports of a call.
    CallEvent {
        /// It has begun.
        Begun = "begun",
        /// It has ended.
        Ended = "ended",
    }

    /// What became of one attempt at a provider.
    AttemptOutcome {
        /// It brought the answer, or the part of it that there was.
        Answered = "answered",
        /// It failed.
        Failed = "failed",
        /// The gateway died with it.
        Lost = "lost",
    }

    /// Why a call or an attempt did not succeed; the code shown to the caller and kept in the record.
    ErrorCode {
        /// No key was sent.
        KeyMissing = "key_missing",
        /// The key is not known.
        KeyUnknown = "key_unknown",
        /// The key is disabled.
        KeyDisabled = "key_disabled",
        /// The key has expired.
        KeyExpired = "key_expired",
        /// The account is disabled.
        AccountDisabled = "account_disabled",
        /// The client address is outside the allowed ranges.
        AddressNotAllowed = "address_not_allowed",
        /// The key or account may not use that model.
        ModelNotAllowed = "model_not_allowed",
        /// No such model.
        ModelNotFound = "model_not_found",
        /// The model has no channel that speaks this dialect.
        ModelNotServed = "model_not_served",
        /// No such path.
        PathNotFound = "path_not_found",
        /// Wrong HTTP method.
        MethodNotAllowed = "method_not_allowed",
        /// The body is not JSON of the expected form.
        BodyInvalid = "body_invalid",
        /// The body is larger than allowed.
        BodyTooLarge = "body_too_large",
        /// The body did not arrive in time.
        BodyTimeout = "body_timeout",
        /// Requests per minute.
        RateLimitRequests = "rate_limit_requests",
        /// Tokens per minute.
        RateLimitTokens = "rate_limit_tokens",
        /// Calls at the same time.
        RateLimitConcurrency = "rate_limit_concurrency",
        /// Spend per day, month or in total.
        SpendLimit = "spend_limit",
        /// The balance does not cover the call.
        BalanceInsufficient = "balance_insufficient",
        /// Every channel of the model is busy or backing off.
        ChannelsUnavailable = "channels_unavailable",
        /// The control plane could not be asked.
        ControlUnavailable = "control_unavailable",
        /// The gateway is shutting down or too busy.
        GatewayBusy = "gateway_busy",
        /// The provider could not be reached.
        ProviderUnreachable = "provider_unreachable",
        /// The provider did not answer in time.
        ProviderTimeout = "provider_timeout",
        /// The provider limits us.
        ProviderLimited = "provider_limited",
        /// The provider refused our credential.
        ProviderCredential = "provider_credential",
        /// The provider refused the request itself.
        ProviderRejected = "provider_rejected",
        /// The provider failed.
        ProviderError = "provider_error",
        /// The provider broke off, or sent what is not its dialect.
        ProviderBroken = "provider_broken",
        /// The client went away.
        ClientGone = "client_gone",
        /// A fault of ours.
        Internal = "internal",
        /// Whoever the account or the key is of wants their data kept and not used.
        AccountRestricted = "account_restricted",
    }

    /// Where the token counts of a call come from.
    UsageSource {
        /// As the provider reported them.
        Provider = "provider",
        /// Counted here because the provider reported none, or not all.
        Estimate = "estimate",
        /// No tokens to count.
        None = "none",
    }

    /// Where a call came from.
    CallSource {
        /// An API client.
        Api = "api",
        /// The console's playground or chat.
        Console = "console",
        /// `tacit demo`.
        Demo = "demo",
    }

    /// Family of a client by its User-Agent; the raw text is sealed.
    AgentFamily {
        /// Not sent, or not recognised.
        Other = "other",
        /// OpenAI's Python SDK.
        OpenAiPython = "openai-python",
        /// OpenAI's JavaScript SDK.
        OpenAiNode = "openai-node",
        /// Anthropic's Python SDK.
        AnthropicPython = "anthropic-python",
        /// Anthropic's JavaScript SDK.
        AnthropicNode = "anthropic-node",
        /// Claude Code.
        ClaudeCode = "claude-code",
        /// Codex CLI.
        Codex = "codex",
        /// Gemini CLI.
        GeminiCli = "gemini-cli",
        /// curl.
        Curl = "curl",
        /// A web browser.
        Browser = "browser",
        /// Another Python HTTP library.
        Python = "python",
        /// Another JavaScript runtime.
        Node = "node",
        /// Go's HTTP client.
        Go = "go",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_numbers_come_back() {
        for (i, code) in ErrorCode::ALL.iter().enumerate() {
            assert_eq!(ErrorCode::parse(code.as_str()), Some(*code));
            assert_eq!(ErrorCode::from_number(code.number()), Some(*code));
            assert_eq!(usize::try_from(code.number()).unwrap(), i);
            assert_eq!(serde_json::to_value(code).unwrap(), code.as_str());
        }
        assert_eq!(CallStatus::from_number(999), None);
        assert_eq!(CallStatus::parse("completed "), None);
    }
}

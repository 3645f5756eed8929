//! The wire dialects a client or a provider may speak, and how a provider wants to be shown a credential.

words! {
    /// A wire dialect, named after the provider that defined it.
    Dialect {
        /// `/v1/chat/completions`, `/v1/completions`, `/v1/embeddings`, `/v1/models`.
        OpenAi = "openai",
        /// `/v1/messages`.
        Anthropic = "anthropic",
    }

    /// How a credential is sent; always in a header, never in a URL.
    Auth {
        /// `Authorization: Bearer …`
        Bearer = "bearer",
        /// `x-api-key: …`
        XApiKey = "x-api-key",
        /// `x-goog-api-key: …`
        XGoogApiKey = "x-goog-api-key",
        /// Nothing is sent; for servers inside a trusted network.
        None = "none",
    }
}

impl Auth {
    /// What providers of that dialect expect.
    #[must_use]
    pub const fn of(dialect: Dialect) -> Self {
        match dialect {
            Dialect::OpenAi => Self::Bearer,
            Dialect::Anthropic => Self::XApiKey,
        }
    }
}

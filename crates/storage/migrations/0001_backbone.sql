-- The backbone: accounts and keys, catalogue, ledger, call records.
-- Written in PostgreSQL type words; for SQLite the storage crate swaps UUID and BYTEA for BLOB, BIGINT for INTEGER,
-- and makes tables STRICT. Times are microseconds UTC, money is 10^-9 of the settlement currency, multipliers are
-- parts per million. Every column is declared in the data map (storage/src/datamap/columns.rs).
-- Safe beside an older binary: there is none.

CREATE TABLE platform (
    singleton BIGINT PRIMARY KEY CHECK (singleton = 1),
    currency TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE user_groups (
    id UUID PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    multiplier_ppm BIGINT NOT NULL CHECK (multiplier_ppm >= 0),
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE TABLE accounts (
    id UUID PRIMARY KEY,
    group_id UUID NOT NULL REFERENCES user_groups (id),
    name_sealed BYTEA NOT NULL,
    name_lookup BYTEA NOT NULL UNIQUE,
    status TEXT NOT NULL CHECK (status IN ('active', 'disabled')),
    limits TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE TABLE api_keys (
    id UUID PRIMARY KEY,
    account_id UUID NOT NULL REFERENCES accounts (id),
    name_sealed BYTEA NOT NULL,
    hash BYTEA NOT NULL UNIQUE,
    hint TEXT NOT NULL,
    source TEXT NOT NULL CHECK (source IN ('api', 'console', 'demo')),
    status TEXT NOT NULL CHECK (status IN ('active', 'disabled')),
    limits TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX api_keys_by_account ON api_keys (account_id, id);

CREATE TABLE providers (
    id UUID PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    dialect TEXT NOT NULL CHECK (dialect IN ('openai', 'anthropic')),
    base_url TEXT NOT NULL,
    auth TEXT NOT NULL CHECK (auth IN ('bearer', 'x-api-key', 'x-goog-api-key', 'none')),
    allow_private BIGINT NOT NULL CHECK (allow_private IN (0, 1)),
    status TEXT NOT NULL CHECK (status IN ('active', 'disabled')),
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE TABLE channels (
    id UUID PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    provider_id UUID NOT NULL REFERENCES providers (id),
    priority BIGINT NOT NULL,
    weight BIGINT NOT NULL CHECK (weight >= 0),
    multiplier_ppm BIGINT NOT NULL CHECK (multiplier_ppm >= 0),
    max_concurrency BIGINT CHECK (max_concurrency > 0),
    status TEXT NOT NULL CHECK (status IN ('active', 'disabled')),
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE TABLE channel_credentials (
    id UUID PRIMARY KEY,
    channel_id UUID NOT NULL REFERENCES channels (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    secret_sealed BYTEA NOT NULL,
    secret_digest BYTEA NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('active', 'disabled')),
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    UNIQUE (channel_id, name)
);

CREATE TABLE models (
    id UUID PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    owned_by TEXT NOT NULL,
    context_tokens BIGINT CHECK (context_tokens > 0),
    max_output_tokens BIGINT CHECK (max_output_tokens > 0),
    status TEXT NOT NULL CHECK (status IN ('active', 'disabled')),
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE TABLE channel_models (
    channel_id UUID NOT NULL REFERENCES channels (id) ON DELETE CASCADE,
    model_id UUID NOT NULL REFERENCES models (id),
    upstream_model TEXT NOT NULL,
    PRIMARY KEY (channel_id, model_id)
);

CREATE TABLE prices (
    id UUID PRIMARY KEY,
    model_id UUID NOT NULL REFERENCES models (id),
    version BIGINT NOT NULL,
    price TEXT NOT NULL,
    effective_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    UNIQUE (model_id, version)
);

CREATE TABLE ledger_accounts (
    id UUID PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('wallet', 'gift', 'reserved', 'revenue', 'clearing', 'promotion', 'refund')),
    owner_id UUID,
    balance BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    CHECK (kind NOT IN ('wallet', 'gift', 'reserved') OR balance >= 0),
    CHECK ((owner_id IS NOT NULL) = (kind IN ('wallet', 'gift', 'reserved')))
);
CREATE UNIQUE INDEX ledger_accounts_by_owner ON ledger_accounts (owner_id, kind) WHERE owner_id IS NOT NULL;
CREATE UNIQUE INDEX ledger_accounts_of_platform ON ledger_accounts (kind) WHERE owner_id IS NULL;

CREATE TABLE ledger_transactions (
    id UUID PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('top_up', 'grant', 'adjustment', 'lease', 'release', 'settlement')),
    idempotency_key TEXT UNIQUE,
    created_at BIGINT NOT NULL
);

CREATE TABLE ledger_entries (
    transaction_id UUID NOT NULL REFERENCES ledger_transactions (id),
    line BIGINT NOT NULL,
    ledger_account_id UUID NOT NULL REFERENCES ledger_accounts (id),
    amount BIGINT NOT NULL,
    PRIMARY KEY (transaction_id, line)
);
CREATE INDEX ledger_entries_by_account ON ledger_entries (ledger_account_id, transaction_id);

CREATE TABLE gateway_sessions (
    id UUID PRIMARY KEY,
    gateway TEXT NOT NULL,
    version TEXT NOT NULL,
    sandbox BIGINT NOT NULL CHECK (sandbox IN (0, 1)),
    acknowledged BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    ended_at BIGINT
);
CREATE INDEX gateway_sessions_open ON gateway_sessions (gateway) WHERE ended_at IS NULL;

CREATE TABLE leases (
    session_id UUID NOT NULL REFERENCES gateway_sessions (id),
    account_id UUID NOT NULL REFERENCES accounts (id),
    from_gift BIGINT NOT NULL CHECK (from_gift >= 0),
    from_wallet BIGINT NOT NULL CHECK (from_wallet >= 0),
    last_request BIGINT NOT NULL,
    last_granted BIGINT NOT NULL,
    PRIMARY KEY (session_id, account_id)
);

CREATE TABLE open_calls (
    session_id UUID NOT NULL REFERENCES gateway_sessions (id),
    batch BIGINT NOT NULL,
    begun BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (session_id, batch)
);

CREATE TABLE calls (
    id UUID PRIMARY KEY,
    account_id UUID NOT NULL,
    key_id UUID NOT NULL,
    session_id UUID NOT NULL,
    started_at BIGINT NOT NULL,
    endpoint TEXT NOT NULL,
    stream BIGINT NOT NULL CHECK (stream IN (0, 1)),
    source TEXT NOT NULL,
    model_id UUID,
    model TEXT,
    group_id UUID NOT NULL,
    group_multiplier_ppm BIGINT NOT NULL,
    channel_id UUID,
    provider_id UUID,
    credential_id UUID,
    channel_multiplier_ppm BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    price_id UUID,
    status TEXT NOT NULL,
    error_code TEXT,
    http_status BIGINT NOT NULL,
    input_tokens BIGINT NOT NULL,
    cache_read_tokens BIGINT NOT NULL,
    cache_write_5m_tokens BIGINT NOT NULL,
    cache_write_1h_tokens BIGINT NOT NULL,
    audio_input_tokens BIGINT NOT NULL,
    image_input_tokens BIGINT NOT NULL,
    output_tokens BIGINT NOT NULL,
    reasoning_tokens BIGINT NOT NULL,
    audio_output_tokens BIGINT NOT NULL,
    usage_source TEXT NOT NULL,
    amount BIGINT NOT NULL CHECK (amount >= 0),
    capped BIGINT NOT NULL CHECK (capped IN (0, 1)),
    settlement_id UUID,
    first_byte_micros BIGINT,
    duration_micros BIGINT NOT NULL,
    concurrency BIGINT NOT NULL,
    risk_marks BIGINT NOT NULL,
    agent_family TEXT NOT NULL,
    ip_sealed BYTEA,
    user_agent_sealed BYTEA
);
CREATE INDEX calls_by_account ON calls (account_id, id);
-- For the check of the books: what the calls of a settlement cost together.
CREATE INDEX calls_by_settlement ON calls (settlement_id) WHERE settlement_id IS NOT NULL;

-- Attempts that failed. One that brought an answer is told by its call.
CREATE TABLE call_attempts (
    call_id UUID NOT NULL,
    attempt BIGINT NOT NULL,
    channel_id UUID NOT NULL,
    credential_id UUID NOT NULL,
    started_micros BIGINT NOT NULL,
    duration_micros BIGINT NOT NULL,
    error_code TEXT,
    http_status BIGINT,
    PRIMARY KEY (call_id, attempt)
);

-- Events of calls that the books refuse for good, with all that they said (ids, numbers and seals), until an operator
-- settles or drops them.
CREATE TABLE set_aside_events (
    id UUID PRIMARY KEY,
    session_id UUID NOT NULL REFERENCES gateway_sessions (id),
    event TEXT NOT NULL CHECK (event IN ('begun', 'ended')),
    call_id UUID,
    account_id UUID,
    key_id UUID,
    amount BIGINT NOT NULL,
    reason TEXT NOT NULL,
    message BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    resolved_at BIGINT
);
CREATE INDEX set_aside_events_by_session ON set_aside_events (session_id);

CREATE TABLE usage_daily (
    account_id UUID NOT NULL,
    key_id UUID NOT NULL,
    day BIGINT NOT NULL,
    calls BIGINT NOT NULL,
    tokens BIGINT NOT NULL,
    amount BIGINT NOT NULL,
    PRIMARY KEY (account_id, key_id, day)
);

-- What changed, so that every control plane can tell its gateways: 'catalog' (subject empty), 'key' (subject: keyed
-- hash), 'account' (subject: id); and 'recall' (subject: id of an account whose leases are called back, and behind it the
-- id of the session that keeps its own, if there is one). Rows are dropped after a day.
CREATE TABLE changes (
    seq BIGINT PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('catalog', 'key', 'account', 'recall')),
    subject BYTEA NOT NULL,
    created_at BIGINT NOT NULL
);

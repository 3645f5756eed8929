-- Identities of third parties and passkeys. What a provider calls a person is personal: found by a keyed hash, and sealed
-- with the account's own key to be shown. No token of a provider is kept.
-- The program before it reads a session that began with an identity or a passkey as a fault, and asks to sign in again.

CREATE TABLE linked_identities (
    id UUID PRIMARY KEY,
    account_id UUID NOT NULL REFERENCES accounts (id),
    provider TEXT NOT NULL,
    subject_lookup BYTEA NOT NULL UNIQUE,
    subject_sealed BYTEA NOT NULL,
    shown_sealed BYTEA NOT NULL,
    linked_at BIGINT NOT NULL,
    used_at BIGINT
);
CREATE INDEX linked_identities_by_account ON linked_identities (account_id, id);

-- The credential is its public half with the counter of its signatures; one column, for none of it is looked for.
CREATE TABLE passkeys (
    id UUID PRIMARY KEY,
    account_id UUID NOT NULL REFERENCES accounts (id),
    credential_lookup BYTEA NOT NULL UNIQUE,
    credential_sealed BYTEA NOT NULL,
    name_sealed BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    used_at BIGINT,
    updated_at BIGINT NOT NULL
);
CREATE INDEX passkeys_by_account ON passkeys (account_id, id);

-- What was begun and waits for its other half: states, challenges, tickets. A row goes with its first use.
CREATE TABLE sign_in_ceremonies (
    handle_hash BYTEA PRIMARY KEY,
    purpose TEXT NOT NULL CHECK (purpose IN
        ('identity_sign_in', 'identity_link', 'registration', 'passkey_register', 'passkey_sign_in', 'passkey_step_up')),
    browser_hash BYTEA,
    account_id UUID REFERENCES accounts (id),
    content_sealed BYTEA NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX sign_in_ceremonies_by_expiry ON sign_in_ceremonies (expires_at);

-- Two more ways to begin a session. SQLite cannot change a CHECK, so that the table is made anew.
CREATE TABLE console_sessions_anew (
    id UUID PRIMARY KEY,
    account_id UUID NOT NULL REFERENCES accounts (id),
    token_hash BYTEA NOT NULL UNIQUE,
    method TEXT NOT NULL CHECK (method IN ('password', 'code', 'identity', 'passkey')),
    complete BIGINT NOT NULL CHECK (complete IN (0, 1)),
    device_sealed BYTEA NOT NULL,
    address_sealed BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    stepped_up_at BIGINT
);
INSERT INTO console_sessions_anew SELECT id, account_id, token_hash, method, complete, device_sealed, address_sealed,
    created_at, seen_at, expires_at, stepped_up_at FROM console_sessions;
DROP TABLE console_sessions;
ALTER TABLE console_sessions_anew RENAME TO console_sessions;
CREATE INDEX console_sessions_by_account ON console_sessions (account_id, id);
CREATE INDEX console_sessions_by_expiry ON console_sessions (expires_at);

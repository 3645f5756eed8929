-- How people register and sign in, and what they may do here. Personal values are sealed with the account's own key and
-- found by keyed hashes; of codes and tokens only keyed hashes are kept.
-- Safe beside the program before it, which never looks here.

-- Verified only: an address that was not shown to belong to the account is never kept.
CREATE TABLE account_contacts (
    account_id UUID NOT NULL REFERENCES accounts (id),
    kind TEXT NOT NULL CHECK (kind IN ('email', 'phone')),
    value_sealed BYTEA NOT NULL,
    value_lookup BYTEA NOT NULL UNIQUE,
    verified_at BIGINT NOT NULL,
    PRIMARY KEY (account_id, kind)
);

CREATE TABLE account_passwords (
    account_id UUID PRIMARY KEY REFERENCES accounts (id),
    digest_sealed BYTEA NOT NULL,
    changed_at BIGINT NOT NULL
);

-- What a person said at registration. A field left out is not there.
CREATE TABLE account_profiles (
    account_id UUID PRIMARY KEY REFERENCES accounts (id),
    fields_sealed BYTEA NOT NULL,
    age_band TEXT NOT NULL CHECK (age_band IN ('adult', 'under_18', 'under_14')),
    guardian_sealed BYTEA,
    guardian_consent_at BIGINT,
    language TEXT NOT NULL CHECK (language IN ('en', 'zh')),
    invited_by UUID REFERENCES accounts (id),
    registered_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    CHECK (age_band = 'adult' OR guardian_consent_at IS NOT NULL)
);
CREATE INDEX account_profiles_by_inviter ON account_profiles (invited_by, account_id) WHERE invited_by IS NOT NULL;

CREATE TABLE invitations (
    id UUID PRIMARY KEY,
    code_hash BYTEA NOT NULL UNIQUE,
    inviter_id UUID REFERENCES accounts (id),
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at BIGINT
);

-- Codes that were sent to an address. Only the newest for an address and purpose counts.
CREATE TABLE verification_codes (
    id UUID PRIMARY KEY,
    purpose TEXT NOT NULL
        CHECK (purpose IN ('register', 'guardian', 'sign_in', 'password_reset', 'contact_change', 'step_up')),
    target BYTEA NOT NULL,
    code_hash BYTEA NOT NULL,
    tries BIGINT NOT NULL CHECK (tries >= 0),
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX verification_codes_by_target ON verification_codes (target, purpose);
CREATE INDEX verification_codes_by_expiry ON verification_codes (expires_at);

CREATE TABLE console_sessions (
    id UUID PRIMARY KEY,
    account_id UUID NOT NULL REFERENCES accounts (id),
    token_hash BYTEA NOT NULL UNIQUE,
    method TEXT NOT NULL CHECK (method IN ('password', 'code')),
    complete BIGINT NOT NULL CHECK (complete IN (0, 1)),
    device_sealed BYTEA NOT NULL,
    address_sealed BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    stepped_up_at BIGINT
);
CREATE INDEX console_sessions_by_account ON console_sessions (account_id, id);
CREATE INDEX console_sessions_by_expiry ON console_sessions (expires_at);

-- What is guessed at, or from where, by keyed hash; whether there is such an account is not told by a row.
CREATE TABLE guesses (
    subject BYTEA PRIMARY KEY,
    failures BIGINT NOT NULL CHECK (failures >= 0),
    last_at BIGINT NOT NULL,
    blocked_until BIGINT NOT NULL
);
CREATE INDEX guesses_by_age ON guesses (last_at);

CREATE TABLE second_factors (
    account_id UUID PRIMARY KEY REFERENCES accounts (id),
    secret_sealed BYTEA NOT NULL,
    confirmed_at BIGINT,
    last_step BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE recovery_codes (
    account_id UUID NOT NULL REFERENCES accounts (id),
    code_hash BYTEA NOT NULL,
    PRIMARY KEY (account_id, code_hash)
);

CREATE TABLE staff_roles (
    name TEXT PRIMARY KEY,
    permissions TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE TABLE account_roles (
    account_id UUID NOT NULL REFERENCES accounts (id),
    role TEXT NOT NULL,
    granted_at BIGINT NOT NULL,
    PRIMARY KEY (account_id, role)
);

-- Keys with which programs use the console API: what their owner may do, or less.
CREATE TABLE management_keys (
    id UUID PRIMARY KEY,
    account_id UUID NOT NULL REFERENCES accounts (id),
    name_sealed BYTEA NOT NULL,
    hash BYTEA NOT NULL UNIQUE,
    hint TEXT NOT NULL,
    permissions TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('active', 'disabled')),
    expires_at BIGINT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX management_keys_by_account ON management_keys (account_id, id);

-- Answers to requests that create something, kept for a day under the keyed hash of the caller's idempotency key, so that
-- a request that is sent again after a broken connection creates nothing twice. The answer is sealed with the account's
-- key, for it may hold what is shown once.
-- Safe beside the program before it, which never looks here.

CREATE TABLE idempotency_keys (
    id UUID NOT NULL PRIMARY KEY,
    account_id UUID NOT NULL REFERENCES accounts (id),
    key_hash BYTEA NOT NULL UNIQUE,
    request_hash BYTEA NOT NULL,
    answer_sealed BYTEA NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX idempotency_keys_created_at ON idempotency_keys (created_at);

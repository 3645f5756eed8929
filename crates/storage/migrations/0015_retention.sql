-- What is deleted when its time is over, and the proof that it was.

-- What the calls of a settlement cost that were deleted since, so that the books add up without them.
CREATE TABLE forgotten_calls (
    settlement_id UUID PRIMARY KEY,
    calls BIGINT NOT NULL,
    amount BIGINT NOT NULL
);

-- Accounts of which nothing is deleted for a time, since a court or an authority demands it.
CREATE TABLE legal_holds (
    id UUID PRIMARY KEY,
    account_id UUID NOT NULL REFERENCES accounts (id),
    reason_sealed BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    ends_at BIGINT NOT NULL
);
CREATE INDEX legal_holds_by_account ON legal_holds (account_id);

-- Each run over a class: how far it came, and what it deleted.
CREATE TABLE retention_runs (
    id UUID PRIMARY KEY,
    class TEXT NOT NULL,
    cutoff BIGINT NOT NULL,
    after_id UUID NOT NULL,
    deleted BIGINT NOT NULL,
    held BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    finished_at BIGINT
);
CREATE UNIQUE INDEX retention_runs_open ON retention_runs (class) WHERE finished_at IS NULL;
CREATE INDEX retention_runs_by_class ON retention_runs (class, id);

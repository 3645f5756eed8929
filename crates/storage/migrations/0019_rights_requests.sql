-- What people ask for about their data, and what became of it.

-- Until the account is erased it leads to it, and then to the pseudonym; it references no account, for it outlives the account.
CREATE TABLE rights_requests (
    id UUID PRIMARY KEY,
    account_id UUID NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('cancellation', 'correction', 'restriction', 'objection', 'explanation', 'complaint')),
    state TEXT NOT NULL CHECK (state IN
        ('open', 'need_info', 'cooling', 'executing', 'fulfilled', 'refused', 'appealed', 'upheld', 'withdrawn')),
    -- How whoever asked showed that it is them; nothing is asked for by who has not.
    verified TEXT NOT NULL CHECK (verified IN ('session', 'step_up', 'address')),
    refusal TEXT CHECK (refusal IN ('unfounded', 'repeated', 'law', 'others', 'not_held')),
    -- Of a cancellation: up to how much money that is left is given up.
    forfeits BIGINT CHECK (forfeits > 0),
    said_sealed BYTEA,
    answer_sealed BYTEA,
    received_at BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    paused_at BIGINT,
    cooling_until BIGINT,
    closed_at BIGINT,
    updated_at BIGINT NOT NULL
);
CREATE INDEX rights_requests_by_account ON rights_requests (account_id, id);
-- An account has one of a kind under way.
CREATE UNIQUE INDEX rights_requests_under_way ON rights_requests (account_id, kind) WHERE closed_at IS NULL;
CREATE INDEX rights_requests_due ON rights_requests (due_at, id) WHERE closed_at IS NULL;
CREATE INDEX rights_requests_closed ON rights_requests (closed_at) WHERE closed_at IS NOT NULL;

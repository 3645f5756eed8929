-- What people decide about the use of their data, each decision a row: the one with the highest number holds.

-- Until the account is erased it leads to it, and then to the pseudonym; it references no account, for it outlives the account.
CREATE TABLE choices (
    id UUID PRIMARY KEY,
    account_id UUID NOT NULL,
    matter TEXT NOT NULL CHECK (matter IN ('use', 'fraud_detection', 'improvement')),
    number BIGINT NOT NULL CHECK (number > 0),
    allowed BIGINT NOT NULL CHECK (allowed IN (0, 1)),
    via TEXT NOT NULL CHECK (via IN ('person', 'request', 'gpc')),
    -- Which text they were shown.
    wording TEXT NOT NULL,
    decided_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX choices_of_matter ON choices (account_id, matter, number);
CREATE INDEX choices_by_account ON choices (account_id, id);
CREATE INDEX choices_by_time ON choices (decided_at);

-- Who can be found as the guardian of minors.
ALTER TABLE account_profiles ADD COLUMN guardian_lookup BYTEA;
CREATE INDEX account_profiles_by_guardian ON account_profiles (guardian_lookup) WHERE guardian_lookup IS NOT NULL;

-- Codes of people who ask for something about their data without being signed in. Those under way are worth ten minutes.
DROP TABLE verification_codes;
CREATE TABLE verification_codes (
    id UUID PRIMARY KEY,
    purpose TEXT NOT NULL CHECK (purpose IN
        ('register', 'guardian', 'sign_in', 'password_reset', 'contact_change', 'step_up', 'rights')),
    target BYTEA NOT NULL,
    code_hash BYTEA NOT NULL,
    tries BIGINT NOT NULL CHECK (tries >= 0),
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX verification_codes_by_target ON verification_codes (target, purpose);
CREATE INDEX verification_codes_by_expiry ON verification_codes (expires_at);

-- Requests say who asks, and there are more kinds of them.
CREATE TABLE rights_requests_anew (
    id UUID PRIMARY KEY,
    account_id UUID NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('cancellation', 'correction', 'restriction', 'objection', 'explanation', 'complaint',
        'copy', 'deletion')),
    state TEXT NOT NULL CHECK (state IN
        ('open', 'need_info', 'cooling', 'executing', 'fulfilled', 'refused', 'appealed', 'upheld', 'withdrawn')),
    asker TEXT NOT NULL CHECK (asker IN ('person', 'guardian')),
    verified TEXT NOT NULL CHECK (verified IN ('session', 'step_up', 'address')),
    refusal TEXT CHECK (refusal IN ('unfounded', 'repeated', 'law', 'others', 'not_held')),
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
INSERT INTO rights_requests_anew (id, account_id, kind, state, asker, verified, refusal, forfeits, said_sealed, answer_sealed,
    received_at, due_at, paused_at, cooling_until, closed_at, updated_at)
    SELECT id, account_id, kind, state, 'person', verified, refusal, forfeits, said_sealed, answer_sealed,
    received_at, due_at, paused_at, cooling_until, closed_at, updated_at FROM rights_requests;
DROP TABLE rights_requests;
ALTER TABLE rights_requests_anew RENAME TO rights_requests;
CREATE INDEX rights_requests_by_account ON rights_requests (account_id, id);
-- Of an account the person has one of a kind under way, and so has a guardian: neither keeps the other from asking.
CREATE UNIQUE INDEX rights_requests_under_way ON rights_requests (account_id, asker, kind) WHERE closed_at IS NULL;
CREATE INDEX rights_requests_due ON rights_requests (due_at, id) WHERE closed_at IS NULL;
CREATE INDEX rights_requests_closed ON rights_requests (closed_at) WHERE closed_at IS NOT NULL;

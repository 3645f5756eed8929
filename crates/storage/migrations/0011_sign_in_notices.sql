-- Devices from which somebody signed in before; messages of more kinds; indexes for what is forgotten by its age.
-- Safe beside the program before it, which never looks at devices and knows each kind that it writes.

-- What a kind may be is the program's to say (operations/src/messages/model.rs), and grows with it.
CREATE TABLE messages_of_any_kind (
    id UUID PRIMARY KEY,
    account_id UUID,
    kind TEXT NOT NULL,
    channel TEXT NOT NULL CHECK (channel IN ('email', 'sms')),
    language TEXT NOT NULL CHECK (language IN ('en', 'zh')),
    state TEXT NOT NULL CHECK (state IN ('waiting', 'sent', 'failed', 'expired')),
    created_at BIGINT NOT NULL,
    not_before BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL CHECK (attempts >= 0),
    lease UUID,
    leased_until BIGINT,
    failure TEXT,
    finished_at BIGINT,
    provider_reference BYTEA,
    recipient_sealed BYTEA,
    variables_sealed BYTEA,
    CHECK ((state = 'waiting') = (recipient_sealed IS NOT NULL)),
    CHECK ((state = 'waiting') = (variables_sealed IS NOT NULL)),
    CHECK ((state = 'waiting') = (finished_at IS NULL)),
    CHECK ((lease IS NULL) = (leased_until IS NULL)),
    CHECK (state = 'waiting' OR lease IS NULL)
);
INSERT INTO messages_of_any_kind (id, account_id, kind, channel, language, state, created_at, not_before, expires_at,
    attempts, lease, leased_until, failure, finished_at, provider_reference, recipient_sealed, variables_sealed)
SELECT id, account_id, kind, channel, language, state, created_at, not_before, expires_at, attempts, lease, leased_until,
    failure, finished_at, provider_reference, recipient_sealed, variables_sealed
FROM messages;
DROP TABLE messages;
ALTER TABLE messages_of_any_kind RENAME TO messages;
CREATE INDEX messages_waiting ON messages (not_before) WHERE state = 'waiting';
CREATE INDEX messages_by_creation ON messages (created_at);
CREATE INDEX messages_by_account ON messages (account_id) WHERE account_id IS NOT NULL;

-- Known by a cookie, of which only a keyed hash is kept. One that has not been seen for long is forgotten.
CREATE TABLE known_devices (
    account_id UUID NOT NULL REFERENCES accounts (id),
    device_hash BYTEA NOT NULL,
    seen_at BIGINT NOT NULL,
    PRIMARY KEY (account_id, device_hash)
);
CREATE INDEX known_devices_by_age ON known_devices (seen_at);

CREATE INDEX console_sessions_by_use ON console_sessions (seen_at);
CREATE INDEX management_keys_revoked ON management_keys (updated_at) WHERE status = 'disabled';
CREATE INDEX invitations_by_age ON invitations (created_at);
CREATE INDEX invitations_by_inviter ON invitations (inviter_id) WHERE inviter_id IS NOT NULL;

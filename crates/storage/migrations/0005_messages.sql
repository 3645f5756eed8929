-- Messages to people, by e-mail and SMS. The table is the outbox: a row is written in the transaction that has something to
-- say, and sent by whichever control plane leases it. What a message says and to whom is sealed, and goes at once when it was
-- sent or will not be; the row stays for a while as the proof of sending.
-- Safe beside the program before it, which never looks here.

CREATE TABLE messages (
    id UUID PRIMARY KEY,
    account_id UUID,
    kind TEXT NOT NULL CHECK (kind IN ('code.email_verify', 'code.sign_in', 'code.password_reset', 'contact.changed',
        'sign_in.new_device', 'invitation', 'account.notice', 'test')),
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
-- What waits, by when it may be sent.
CREATE INDEX messages_waiting ON messages (not_before) WHERE state = 'waiting';
CREATE INDEX messages_by_creation ON messages (created_at);
CREATE INDEX messages_by_account ON messages (account_id) WHERE account_id IS NOT NULL;

-- What would have been sent, in the profile development only, where nothing is sent: for the developer to read.
CREATE TABLE development_outbox (
    message_id UUID PRIMARY KEY,
    account_id UUID,
    created_at BIGINT NOT NULL,
    content_sealed BYTEA NOT NULL
);
CREATE INDEX development_outbox_by_creation ON development_outbox (created_at);

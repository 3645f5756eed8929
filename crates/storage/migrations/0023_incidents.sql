-- Incidents: what happened, whom it concerns, who was told and until when somebody must be.
-- Safe beside the program before it, which never looks here.

CREATE TABLE incidents (
    id UUID PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('leak', 'tampering', 'loss', 'unavailable')),
    state TEXT NOT NULL CHECK (state IN ('open', 'assessed', 'notifying', 'closed')),
    found_at BIGINT NOT NULL,
    began_at BIGINT,
    ended_at BIGINT,
    -- Kinds of data, a JSON list of categories of the data map.
    categories TEXT NOT NULL,
    -- The four parts of what is told, in both languages. It stays sealed when it is published: who publishes it opens it.
    words_sealed BYTEA NOT NULL,
    -- 1 while those who were taken to be concerned are being taken out again.
    clearing BIGINT NOT NULL CHECK (clearing IN (0, 1)),
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    -- Since when people are told one by one, and since when everybody can read it.
    notified_at BIGINT,
    published_at BIGINT,
    closed_at BIGINT
);
CREATE INDEX incidents_published ON incidents (published_at) WHERE published_at IS NOT NULL;
CREATE INDEX incidents_closed ON incidents (closed_at) WHERE closed_at IS NOT NULL;

-- Whom it concerns is whoever one of these names. Accounts are gone over in the order of their ids, in steps.
CREATE TABLE incident_criteria (
    id UUID PRIMARY KEY,
    incident_id UUID NOT NULL REFERENCES incidents (id),
    kind TEXT NOT NULL CHECK (kind IN ('everyone', 'calls', 'shown', 'signed_in', 'listed')),
    from_at BIGINT,
    until_at BIGINT,
    provider_id UUID,
    channel_id UUID,
    gateway TEXT,
    -- To whom data was shown, as the audit log names them.
    actor_id TEXT,
    accounts BIGINT NOT NULL,
    looked BIGINT NOT NULL,
    found BIGINT NOT NULL,
    after_id UUID NOT NULL,
    created_at BIGINT NOT NULL,
    finished_at BIGINT
);
CREATE INDEX incident_criteria_by_incident ON incident_criteria (incident_id, id);
CREATE INDEX incident_criteria_open ON incident_criteria (id) WHERE finished_at IS NULL;
CREATE INDEX incident_criteria_by_actor ON incident_criteria (actor_id) WHERE actor_id IS NOT NULL;

CREATE TABLE incident_subjects (
    incident_id UUID NOT NULL REFERENCES incidents (id),
    account_id UUID NOT NULL REFERENCES accounts (id),
    state TEXT NOT NULL CHECK (state IN ('waiting', 'written', 'sent', 'failed', 'no_address')),
    message_id UUID,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (incident_id, account_id)
);
CREATE INDEX incident_subjects_by_account ON incident_subjects (account_id);
CREATE INDEX incident_subjects_by_state ON incident_subjects (incident_id, state, account_id);

-- Until when a law wants somebody to be told. Written when the incident is opened: settings that change later change nothing.
CREATE TABLE incident_clocks (
    id UUID PRIMARY KEY,
    incident_id UUID NOT NULL REFERENCES incidents (id),
    clock TEXT NOT NULL,
    english TEXT NOT NULL,
    chinese TEXT NOT NULL,
    due_at BIGINT NOT NULL,
    reported_at BIGINT,
    -- Who wrote it down, as the audit log names them.
    reported_by TEXT,
    reported_to_sealed BYTEA,
    CHECK ((reported_at IS NULL) = (reported_to_sealed IS NULL))
);
CREATE UNIQUE INDEX incident_clocks_by_incident ON incident_clocks (incident_id, clock);
CREATE INDEX incident_clocks_due ON incident_clocks (due_at) WHERE reported_at IS NULL;
CREATE INDEX incident_clocks_by_actor ON incident_clocks (reported_by) WHERE reported_by IS NOT NULL;

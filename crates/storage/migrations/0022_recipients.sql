-- Who receives data: the register of recipients and sub-processors. Additive: the previous binary serves beside it.

CREATE TABLE recipients (
    id UUID PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL CHECK (kind IN ('model_provider', 'mail', 'sms', 'identity_agency', 'identity_provider', 'hosting',
        'payment', 'adviser', 'other')),
    role TEXT NOT NULL CHECK (role IN ('processor', 'controller')),
    -- ISO 3166-1 alpha-2.
    country TEXT NOT NULL,
    -- Words of the data map, as a list.
    purposes TEXT NOT NULL,
    contract_at BIGINT,
    -- What they say of themselves; nothing is known where there is no value.
    retention_days BIGINT CHECK (retention_days >= 0),
    trains TEXT NOT NULL CHECK (trains IN ('yes', 'no', 'unknown')),
    evidence_url TEXT,
    checked_at BIGINT,
    contact TEXT,
    dsr_endpoint TEXT,
    status TEXT NOT NULL CHECK (status IN ('active', 'disabled')),
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

-- Which entry of the register a model provider is.
ALTER TABLE providers ADD COLUMN recipient_id UUID REFERENCES recipients (id);

-- To which provider in which country calls of whom went in a year. The account leads to the pseudonym once it is erased.
CREATE TABLE transfers (
    id UUID PRIMARY KEY,
    year BIGINT NOT NULL,
    provider_id UUID NOT NULL,
    recipient_id UUID REFERENCES recipients (id),
    country TEXT NOT NULL,
    account_id UUID NOT NULL,
    calls BIGINT NOT NULL CHECK (calls > 0),
    first_at BIGINT NOT NULL,
    last_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX transfers_by_account ON transfers (account_id, year, provider_id, country);
CREATE INDEX transfers_by_year ON transfers (year, country, account_id);
CREATE INDEX transfers_by_recipient ON transfers (recipient_id) WHERE recipient_id IS NOT NULL;

-- To where call records are counted.
CREATE TABLE transfer_progress (
    singleton BIGINT PRIMARY KEY CHECK (singleton = 1),
    after_id UUID NOT NULL,
    counted_at BIGINT NOT NULL
);

-- Calls whose records came so late that the counting may have passed them; a row goes when its call is counted.
CREATE TABLE late_calls (
    call_id UUID PRIMARY KEY
);

-- Word of an erasure to whoever was given something by which they know the person; that is gone when it is over.
CREATE TABLE erasure_notices (
    id UUID PRIMARY KEY,
    erasure_id UUID NOT NULL REFERENCES erasures (id),
    recipient_id UUID NOT NULL REFERENCES recipients (id),
    state TEXT NOT NULL CHECK (state IN ('waiting', 'confirmed', 'refused', 'unknown')),
    identities_sealed BYTEA,
    attempts BIGINT NOT NULL,
    not_before BIGINT NOT NULL,
    lease UUID,
    leased_until BIGINT,
    created_at BIGINT NOT NULL,
    ended_at BIGINT,
    CHECK ((identities_sealed IS NOT NULL) = (state = 'waiting'))
);
CREATE INDEX erasure_notices_by_erasure ON erasure_notices (erasure_id);
CREATE INDEX erasure_notices_by_recipient ON erasure_notices (recipient_id);
CREATE INDEX erasure_notices_waiting ON erasure_notices (not_before, id) WHERE state = 'waiting';

-- What was given of somebody to authorities. The account leads to the pseudonym once it is erased, and the words are gone.
CREATE TABLE disclosures (
    id UUID PRIMARY KEY,
    account_id UUID NOT NULL,
    ground TEXT NOT NULL,
    -- Words of the program, as a list.
    fields TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('proposed', 'approved', 'refused')),
    authority_sealed BYTEA,
    reason_sealed BYTEA,
    proposed_by UUID NOT NULL,
    decided_by UUID,
    proposed_at BIGINT NOT NULL,
    decided_at BIGINT,
    tell_from BIGINT,
    told_at BIGINT,
    updated_at BIGINT NOT NULL,
    CHECK ((decided_by IS NULL) = (state = 'proposed')),
    CHECK (decided_by IS NULL OR decided_by <> proposed_by),
    CHECK (told_at IS NULL OR state = 'approved')
);
CREATE INDEX disclosures_by_account ON disclosures (account_id, id);
CREATE INDEX disclosures_untold ON disclosures (tell_from) WHERE told_at IS NULL AND tell_from IS NOT NULL;

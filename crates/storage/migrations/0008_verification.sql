-- Who shows to be the person or the enterprise that they say. What a case says is sealed with the account's key; its papers
-- are sealed with a key of the case's own, in pieces, and that key is destroyed when they have served. Of a case that is
-- over and forgotten only kind, verdict, time and, where it was approved, a keyed hash of the number stay.
-- Safe beside the program before it, which never looks here.

CREATE TABLE verification_cases (
    id UUID PRIMARY KEY,
    account_id UUID NOT NULL REFERENCES accounts (id),
    kind TEXT NOT NULL CHECK (kind IN ('person', 'enterprise')),
    state TEXT NOT NULL
        CHECK (state IN ('draft', 'submitted', 'needs_more', 'approved', 'rejected', 'withdrawn', 'expired')),
    way TEXT NOT NULL CHECK (way IN ('staff', 'agency')),
    details_sealed BYTEA,
    number_hash BYTEA,
    reason TEXT,
    note_sealed BYTEA,
    agreed_at BIGINT,
    created_at BIGINT NOT NULL,
    submitted_at BIGINT,
    decided_at BIGINT,
    updated_at BIGINT NOT NULL,
    forget_at BIGINT,
    CHECK ((state IN ('approved', 'rejected')) = (decided_at IS NOT NULL))
);
-- One case of a kind at a time.
CREATE UNIQUE INDEX verification_cases_open ON verification_cases (account_id, kind)
    WHERE state IN ('draft', 'submitted', 'needs_more');
CREATE INDEX verification_cases_by_account ON verification_cases (account_id, id);
CREATE INDEX verification_cases_by_state ON verification_cases (state, id);
CREATE INDEX verification_cases_by_number ON verification_cases (number_hash) WHERE state = 'approved';
CREATE INDEX verification_cases_due ON verification_cases (forget_at) WHERE forget_at IS NOT NULL;

CREATE TABLE verification_papers (
    id UUID PRIMARY KEY,
    case_id UUID NOT NULL REFERENCES verification_cases (id),
    kind TEXT NOT NULL
        CHECK (kind IN ('id_card_front', 'id_card_back', 'passport', 'business_licence', 'authorisation_letter')),
    media TEXT NOT NULL CHECK (media IN ('jpeg', 'png', 'pdf')),
    size BIGINT NOT NULL CHECK (size > 0),
    created_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX verification_papers_by_case ON verification_papers (case_id, kind);

CREATE TABLE verification_pieces (
    paper_id UUID NOT NULL REFERENCES verification_papers (id),
    place BIGINT NOT NULL CHECK (place >= 0),
    content_sealed BYTEA NOT NULL,
    PRIMARY KEY (paper_id, place)
);

-- Cases that an agency is to be asked about; gone when it has answered, or was asked often enough.
CREATE TABLE verification_checks (
    case_id UUID PRIMARY KEY REFERENCES verification_cases (id),
    attempts BIGINT NOT NULL CHECK (attempts >= 0),
    not_before BIGINT NOT NULL,
    lease UUID,
    leased_until BIGINT,
    created_at BIGINT NOT NULL,
    CHECK ((lease IS NULL) = (leased_until IS NULL))
);
CREATE INDEX verification_checks_due ON verification_checks (not_before);

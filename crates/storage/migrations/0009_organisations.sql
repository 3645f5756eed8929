-- Organisations: an organisation is an account without a person, which others act for. Its members, their roles and budgets;
-- its projects; who is invited. A key of an organisation belongs to a member, and to a project if it says so.
-- Safe beside the program before it, which makes and reads keys that belong to nobody.

CREATE TABLE organisations (
    account_id UUID PRIMARY KEY REFERENCES accounts (id),
    name_sealed BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);

CREATE TABLE organisation_members (
    organisation_id UUID NOT NULL REFERENCES organisations (account_id),
    account_id UUID NOT NULL REFERENCES accounts (id),
    role TEXT NOT NULL CHECK (role IN ('owner', 'admin', 'billing', 'developer', 'viewer')),
    budget TEXT NOT NULL,
    joined_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (organisation_id, account_id)
);
-- One owner at most; that there is one is what the service sees to.
CREATE UNIQUE INDEX organisation_members_owner ON organisation_members (organisation_id) WHERE role = 'owner';
CREATE INDEX organisation_members_by_account ON organisation_members (account_id, organisation_id);

-- Deleted when it was accepted or withdrawn, and soon after its time.
CREATE TABLE organisation_invitations (
    id UUID PRIMARY KEY,
    organisation_id UUID NOT NULL REFERENCES organisations (account_id),
    inviter_id UUID NOT NULL REFERENCES accounts (id),
    role TEXT NOT NULL CHECK (role IN ('admin', 'billing', 'developer', 'viewer')),
    recipient_kind TEXT NOT NULL CHECK (recipient_kind IN ('email', 'phone')),
    recipient_sealed BYTEA NOT NULL,
    recipient_lookup BYTEA NOT NULL,
    token_hash BYTEA NOT NULL UNIQUE,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE UNIQUE INDEX organisation_invitations_by_recipient
    ON organisation_invitations (organisation_id, recipient_lookup);
CREATE INDEX organisation_invitations_by_expiry ON organisation_invitations (expires_at);

CREATE TABLE organisation_projects (
    id UUID PRIMARY KEY,
    organisation_id UUID NOT NULL REFERENCES organisations (account_id),
    name_sealed BYTEA NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('active', 'archived')),
    budget TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
CREATE INDEX organisation_projects_by_organisation ON organisation_projects (organisation_id, id);

-- Neither ever changes, so that what a key has spent is what its member and project have spent.
ALTER TABLE api_keys ADD COLUMN member_id UUID REFERENCES accounts (id);
ALTER TABLE api_keys ADD COLUMN project_id UUID REFERENCES organisation_projects (id);
CREATE INDEX api_keys_by_member ON api_keys (account_id, member_id, id) WHERE member_id IS NOT NULL;
CREATE INDEX api_keys_by_project ON api_keys (project_id, id) WHERE project_id IS NOT NULL;

-- An owner offers an organisation to another member, who becomes its owner by accepting and not before.
-- Safe beside the program before it, which never looks here.

-- One offer of an organisation at a time. Deleted when it was accepted, refused or withdrawn, and soon after its time.
CREATE TABLE organisation_offers (
    organisation_id UUID PRIMARY KEY REFERENCES organisations (account_id),
    owner_id UUID NOT NULL REFERENCES accounts (id),
    member_id UUID NOT NULL REFERENCES accounts (id),
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    CHECK (owner_id <> member_id)
);
CREATE INDEX organisation_offers_by_expiry ON organisation_offers (expires_at);

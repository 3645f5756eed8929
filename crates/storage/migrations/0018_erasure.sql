-- Erasures under way and done, and indexes by which all that leads to an account is found.

-- Until it is done it leads to who is erased and to the pseudonym; then only the receipt is left. It references no account, for it
-- outlives the account.
CREATE TABLE erasures (
    id UUID PRIMARY KEY,
    account_id UUID,
    pseudonym UUID,
    reason TEXT NOT NULL,
    forfeits BIGINT NOT NULL CHECK (forfeits IN (0, 1)),
    state TEXT NOT NULL CHECK (state IN ('frozen', 'unreadable', 'purged', 'done')),
    place BIGINT NOT NULL,
    epoch BIGINT NOT NULL,
    counts TEXT NOT NULL,
    begun_at BIGINT NOT NULL,
    unreadable_at BIGINT,
    purged_at BIGINT,
    done_at BIGINT
);
CREATE UNIQUE INDEX erasures_by_account ON erasures (account_id) WHERE account_id IS NOT NULL;
CREATE INDEX erasures_open ON erasures (id) WHERE done_at IS NULL;

CREATE INDEX api_keys_of_member ON api_keys (member_id) WHERE member_id IS NOT NULL;
CREATE INDEX development_outbox_by_account ON development_outbox (account_id) WHERE account_id IS NOT NULL;
CREATE INDEX idempotency_keys_by_account ON idempotency_keys (account_id);
CREATE INDEX leases_by_account ON leases (account_id);
CREATE INDEX organisation_invitations_by_inviter ON organisation_invitations (inviter_id);
CREATE INDEX organisation_offers_by_owner ON organisation_offers (owner_id);
CREATE INDEX organisation_offers_by_member ON organisation_offers (member_id);
CREATE INDEX set_aside_events_by_account ON set_aside_events (account_id);
CREATE INDEX sign_in_ceremonies_by_account ON sign_in_ceremonies (account_id) WHERE account_id IS NOT NULL;

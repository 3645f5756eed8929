-- Batches of call events that are durable and not settled yet, as their gateways sent them (the message Events of the
-- link: ids, numbers, seals). A row goes with the transaction that settles it. What can be long stands last, so that
-- looking for old rows does not read over it.
-- Safe beside the program before it, which never looks here: it settles what it is sent itself, from the same
-- gateway_sessions.acknowledged on. If it ends a session of which something lies here, that is settled all the same,
-- out of the wallet.

CREATE TABLE call_journal (
    session_id UUID NOT NULL REFERENCES gateway_sessions (id),
    batch BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    events BYTEA NOT NULL,
    PRIMARY KEY (session_id, batch)
);
-- A row lives for some milliseconds: that it takes less room is not worth the time to compress it.
ALTER TABLE call_journal ALTER COLUMN events SET STORAGE EXTERNAL; -- PostgreSQL

-- How far the keyring's list of erasures went when this database last saw it: an older keyring is not taken for this one's.
CREATE TABLE known_erasures (
    singleton BIGINT PRIMARY KEY CHECK (singleton = 1),
    seq BIGINT NOT NULL CHECK (seq > 0),
    chain BYTEA NOT NULL,
    seen_at BIGINT NOT NULL
);

-- Until when copies of the keyring from before an erasure may be there.
ALTER TABLE erasures ADD COLUMN copies_until BIGINT;

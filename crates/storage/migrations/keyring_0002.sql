-- Subject keys are wrapped by the key of a bunch, bunches by an epoch: a turn of the epoch opens only those that lost a key.
CREATE TABLE keyring_bunches (
    id BIGINT PRIMARY KEY,
    slot BIGINT NOT NULL,
    epoch BIGINT NOT NULL REFERENCES keyring_epochs (epoch),
    wrapped BYTEA,
    spoilt BIGINT NOT NULL CHECK (spoilt IN (0, 1)),
    created_at BIGINT NOT NULL
);
CREATE INDEX keyring_bunches_by_slot ON keyring_bunches (slot, epoch);

-- What an epoch's key wraps itself is a bunch of no slot, which the next turn takes apart.
INSERT INTO keyring_bunches (id, slot, epoch, wrapped, spoilt, created_at)
SELECT -epoch, -1, epoch, NULL, 1, created_at FROM keyring_epochs;

ALTER TABLE subject_keys RENAME TO subject_keys_before;
CREATE TABLE subject_keys (
    subject UUID PRIMARY KEY,
    bunch BIGINT NOT NULL REFERENCES keyring_bunches (id),
    wrapped BYTEA NOT NULL,
    created_at BIGINT NOT NULL
);
INSERT INTO subject_keys (subject, bunch, wrapped, created_at)
SELECT subject, -epoch, wrapped, created_at FROM subject_keys_before;
DROP TABLE subject_keys_before;
CREATE INDEX subject_keys_by_bunch ON subject_keys (bunch);

-- Who was erased: no id, only its keyed hash. Each row is chained to the one before.
CREATE TABLE keyring_erasures (
    seq BIGINT PRIMARY KEY,
    subject_hash BYTEA NOT NULL UNIQUE,
    epoch BIGINT NOT NULL,
    chain BYTEA NOT NULL,
    erased_at BIGINT NOT NULL
);

-- The root, wrapped by the master key; how often bytes had to go for good, and up to which time they have.
CREATE TABLE keyring_state (
    singleton BIGINT PRIMARY KEY CHECK (singleton = 1),
    wrapped BYTEA NOT NULL,
    changed BIGINT NOT NULL,
    swept BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    rekeyed_at BIGINT
);

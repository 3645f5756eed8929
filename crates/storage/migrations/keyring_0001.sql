-- The keyring: kept in a database of its own, apart from the data and from the data's backups.
CREATE TABLE keyring_epochs (
    epoch BIGINT PRIMARY KEY,
    wrapped BYTEA NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE subject_keys (
    subject UUID PRIMARY KEY,
    epoch BIGINT NOT NULL REFERENCES keyring_epochs (epoch),
    wrapped BYTEA NOT NULL,
    created_at BIGINT NOT NULL
);

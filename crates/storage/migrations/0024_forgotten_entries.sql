-- What the entries of an account of the ledger came to that were deleted when their years were over, so that its balance is still
-- what its entries and this sum say.
CREATE TABLE forgotten_entries (
    ledger_account_id UUID PRIMARY KEY REFERENCES ledger_accounts (id),
    entries BIGINT NOT NULL CHECK (entries > 0),
    amount BIGINT NOT NULL
);

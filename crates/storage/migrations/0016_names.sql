-- Names are compared as people see them, and keys are found by a keyed hash of their name. The program renews what is there,
-- for names are sealed (`Identity::names_renew`).
-- Safe beside the program before it, but that it finds an account only by its id or its addresses once its name is renewed, and
-- lists keys that were put away.

-- What of its name an account is found by: as it is written, the form that stands for all names that are the same, or as it is
-- written since another account has one that is the same.
ALTER TABLE accounts ADD COLUMN name_form TEXT NOT NULL DEFAULT 'exact' CHECK (name_form IN ('exact', 'folded', 'kept'));
CREATE INDEX accounts_by_exact_name ON accounts (id) WHERE name_form = 'exact';

-- NULL: not renewed yet, or put away. Within the account.
ALTER TABLE api_keys ADD COLUMN name_lookup BYTEA;
CREATE UNIQUE INDEX api_keys_by_name ON api_keys (account_id, name_lookup) WHERE name_lookup IS NOT NULL;

-- When its owner put an ended or disabled key away: it counts for no limit and is in no list, and stays for what refers to it.
ALTER TABLE api_keys ADD COLUMN retired_at BIGINT;

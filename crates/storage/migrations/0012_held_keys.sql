-- Who disabled a key and who set its limits, so that nobody below them undoes it; and what ended it for good.
-- Safe beside the program before it, which leaves these columns as they are.

-- NULL: nobody above its owner.
ALTER TABLE api_keys ADD COLUMN disabled_by TEXT CHECK (disabled_by IN ('admin', 'staff'));
ALTER TABLE api_keys ADD COLUMN limits_by TEXT CHECK (limits_by IN ('admin', 'staff'));
ALTER TABLE api_keys ADD COLUMN ended TEXT CHECK (ended IN ('revoked', 'leaked'));

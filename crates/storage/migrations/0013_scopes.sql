-- What a management key may do with what is its owner's own.
-- Safe beside the program before it, which knows no scopes: its keys have all of them, as had every key until now.

ALTER TABLE management_keys ADD COLUMN scopes TEXT NOT NULL DEFAULT
    '["account.read","account.write","keys.read","keys.write","calls.read","wallet.read","verification.read","verification.write","organisations.read","organisations.write","organisation_keys.read","organisation_keys.write","organisation_wallet.read"]';

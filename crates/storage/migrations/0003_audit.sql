-- The audit log: what was changed and whose data was looked at, as a Merkle log (see docs/audit.md).
-- A line that ends with `-- SQLite` or `-- PostgreSQL` is for that engine alone.
-- Safe beside the program before it, which never looks here; what that one changes is not recorded.

-- The commitment is what the tree is made of. Erasing a person takes the salt and what is about them, and nothing else:
-- from then on nobody can tell what the commitment was to, and every proof still holds.
CREATE TABLE audit_entries (
    seq BIGINT PRIMARY KEY CHECK (seq >= 0),
    created_at BIGINT NOT NULL,
    commitment BYTEA NOT NULL,
    salt BYTEA,
    actor_kind TEXT NOT NULL CHECK (actor_kind IN ('operator', 'account', 'management_key', 'system')),
    actor_id TEXT,
    action TEXT NOT NULL,
    object_kind TEXT NOT NULL,
    object_id TEXT,
    subject_id UUID,
    phase TEXT NOT NULL CHECK (phase IN ('begun', 'done', 'refused')),
    about BIGINT,
    fields TEXT NOT NULL,
    affected BIGINT,
    code TEXT,
    reason_sealed BYTEA,
    address_sealed BYTEA
);
CREATE INDEX audit_entries_by_subject ON audit_entries (subject_id, seq) WHERE subject_id IS NOT NULL;
CREATE INDEX audit_entries_by_actor ON audit_entries (actor_id, seq) WHERE actor_id IS NOT NULL;
CREATE INDEX audit_entries_erased ON audit_entries (seq) WHERE salt IS NULL;

-- Hashes of whole subtrees of 256^level leaves, from level 1 on. Those of level 0 follow from the commitments.
CREATE TABLE audit_tree (
    level BIGINT NOT NULL CHECK (level >= 1),
    position BIGINT NOT NULL CHECK (position >= 0),
    hash BYTEA NOT NULL,
    PRIMARY KEY (level, position)
);

CREATE TABLE audit_checkpoints (
    size BIGINT PRIMARY KEY CHECK (size >= 0),
    created_at BIGINT NOT NULL,
    root BYTEA NOT NULL,
    note TEXT NOT NULL
);

CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'the audit log is append-only'; END $$; -- PostgreSQL
CREATE TRIGGER audit_entries_delete BEFORE DELETE ON audit_entries FOR EACH ROW EXECUTE FUNCTION audit_refuse(); -- PostgreSQL
CREATE TRIGGER audit_entries_truncate BEFORE TRUNCATE ON audit_entries FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse(); -- PostgreSQL
CREATE TRIGGER audit_tree_change BEFORE UPDATE OR DELETE ON audit_tree FOR EACH ROW EXECUTE FUNCTION audit_refuse(); -- PostgreSQL
CREATE TRIGGER audit_tree_truncate BEFORE TRUNCATE ON audit_tree FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse(); -- PostgreSQL
CREATE TRIGGER audit_checkpoints_change BEFORE UPDATE OR DELETE ON audit_checkpoints FOR EACH ROW EXECUTE FUNCTION audit_refuse(); -- PostgreSQL
CREATE TRIGGER audit_checkpoints_truncate BEFORE TRUNCATE ON audit_checkpoints FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse(); -- PostgreSQL
CREATE TRIGGER audit_entries_delete BEFORE DELETE ON audit_entries BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END; -- SQLite
CREATE TRIGGER audit_tree_delete BEFORE DELETE ON audit_tree BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END; -- SQLite
CREATE TRIGGER audit_tree_update BEFORE UPDATE ON audit_tree BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END; -- SQLite
CREATE TRIGGER audit_checkpoints_delete BEFORE DELETE ON audit_checkpoints BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END; -- SQLite
CREATE TRIGGER audit_checkpoints_update BEFORE UPDATE ON audit_checkpoints BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END; -- SQLite
-- REPLACE would delete without asking the triggers of DELETE.
CREATE TRIGGER audit_entries_replace BEFORE INSERT ON audit_entries WHEN EXISTS (SELECT 1 FROM audit_entries WHERE seq = NEW.seq) BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END; -- SQLite
CREATE TRIGGER audit_tree_replace BEFORE INSERT ON audit_tree WHEN EXISTS (SELECT 1 FROM audit_tree WHERE level = NEW.level AND position = NEW.position) BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END; -- SQLite
-- The one change of an entry is to forget: the salt goes, and what goes with it goes; nothing becomes something else.
CREATE TRIGGER audit_entries_forget BEFORE UPDATE ON audit_entries
FOR EACH ROW
WHEN (
    NEW.seq <> OLD.seq OR NEW.created_at <> OLD.created_at OR NEW.commitment <> OLD.commitment OR NEW.salt IS NOT NULL
    OR NEW.actor_kind <> OLD.actor_kind OR NEW.action <> OLD.action OR NEW.object_kind <> OLD.object_kind
    OR NEW.phase <> OLD.phase OR NEW.about IS DISTINCT FROM OLD.about OR NEW.affected IS DISTINCT FROM OLD.affected
    OR NEW.code IS DISTINCT FROM OLD.code OR (NEW.fields <> '' AND NEW.fields <> OLD.fields)
    OR (NEW.actor_id IS NOT NULL AND NEW.actor_id IS DISTINCT FROM OLD.actor_id)
    OR (NEW.object_id IS NOT NULL AND NEW.object_id IS DISTINCT FROM OLD.object_id)
    OR (NEW.subject_id IS NOT NULL AND NEW.subject_id IS DISTINCT FROM OLD.subject_id)
    OR (NEW.reason_sealed IS NOT NULL AND NEW.reason_sealed IS DISTINCT FROM OLD.reason_sealed)
    OR (NEW.address_sealed IS NOT NULL AND NEW.address_sealed IS DISTINCT FROM OLD.address_sealed)
)
EXECUTE FUNCTION audit_refuse(); -- PostgreSQL
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END; -- SQLite

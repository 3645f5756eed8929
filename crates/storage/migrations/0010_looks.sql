-- What a person may know of looks at their data: in which role somebody acted (see docs/audit.md).
-- A line that ends with `-- SQLite` or `-- PostgreSQL` is for that engine alone.
-- Safe beside the program before it, which leaves the role empty.

ALTER TABLE audit_entries ADD COLUMN actor_role TEXT;
-- The outcome of an entry, found without reading all that follow it.
CREATE INDEX audit_entries_by_about ON audit_entries (about) WHERE about IS NOT NULL;

-- As before, and the role is committed to like everything else: it never changes, and stays when a person is forgotten.
DROP TRIGGER audit_entries_forget; -- SQLite
DROP TRIGGER audit_entries_forget ON audit_entries; -- PostgreSQL
CREATE TRIGGER audit_entries_forget BEFORE UPDATE ON audit_entries
FOR EACH ROW
WHEN (
    NEW.seq <> OLD.seq OR NEW.created_at <> OLD.created_at OR NEW.commitment <> OLD.commitment OR NEW.salt IS NOT NULL
    OR NEW.actor_kind <> OLD.actor_kind OR NEW.action <> OLD.action OR NEW.object_kind <> OLD.object_kind
    OR NEW.phase <> OLD.phase OR NEW.about IS DISTINCT FROM OLD.about OR NEW.affected IS DISTINCT FROM OLD.affected
    OR NEW.code IS DISTINCT FROM OLD.code OR (NEW.fields <> '' AND NEW.fields <> OLD.fields)
    OR NEW.actor_role IS DISTINCT FROM OLD.actor_role
    OR (NEW.actor_id IS NOT NULL AND NEW.actor_id IS DISTINCT FROM OLD.actor_id)
    OR (NEW.object_id IS NOT NULL AND NEW.object_id IS DISTINCT FROM OLD.object_id)
    OR (NEW.subject_id IS NOT NULL AND NEW.subject_id IS DISTINCT FROM OLD.subject_id)
    OR (NEW.reason_sealed IS NOT NULL AND NEW.reason_sealed IS DISTINCT FROM OLD.reason_sealed)
    OR (NEW.address_sealed IS NOT NULL AND NEW.address_sealed IS DISTINCT FROM OLD.address_sealed)
)
EXECUTE FUNCTION audit_refuse(); -- PostgreSQL
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END; -- SQLite

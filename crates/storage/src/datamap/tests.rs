use super::erasing::{self, is_of_rows};
use super::{COLUMNS, OWNERS, Owner, check, column, place, undeclared};
use crate::testing::MIGRATED_AT;
use crate::{Db, Engine, ReadTx, Sql, SqlText, StorageError, WriteTx, both_engines};
use std::collections::BTreeSet;
use tacit_kernel::datamap::retention::CLASSES;
use tacit_kernel::datamap::{Copying, Protection, Subject};
use tacit_kernel::ids::AccountId;
use uuid::Uuid;

/// Columns that reference accounts, as the database itself says.
const SQLITE_REFERENCES: Sql = Sql::new(
    "SELECT t.name || '.' || f.\"from\" AS found FROM sqlite_schema AS t, pragma_foreign_key_list(t.name) AS f \
     WHERE t.type = 'table' AND f.\"table\" IN ('accounts', 'organisations')",
);
const POSTGRES_REFERENCES: Sql = Sql::new(
    "SELECT CAST(conrelid::regclass AS TEXT) || '.' || CAST(a.attname AS TEXT) AS found FROM pg_constraint AS c \
     JOIN pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1] \
     WHERE c.contype = 'f' AND c.connamespace = current_schema()::regnamespace \
     AND c.confrelid IN ('accounts'::regclass, 'organisations'::regclass)",
);

async fn references(db: &Db) -> BTreeSet<String> {
    let sql = if db.engine() == Engine::Sqlite { &SQLITE_REFERENCES } else { &POSTGRES_REFERENCES };
    let rows = db.read("test.references", |tx| Box::pin(tx.all(sql, &[]))).await.unwrap();
    rows.iter().map(|row| row.get("found").unwrap()).collect()
}

/// What leads to an account and is no way that [`OWNERS`] knows.
async fn ownerless(db: &Db) -> Vec<String> {
    let known = |found: &String| OWNERS.iter().any(|owner| owner.path.starts_with(&format!("{found} ->")));
    references(db).await.into_iter().filter(|found| !known(found)).collect()
}

/// How SQLite goes about finding the rows of a way.
async fn plan(tx: &mut ReadTx<'_>, way: &Owner, account: AccountId) -> Result<Vec<String>, StorageError> {
    let sql = SqlText::new("EXPLAIN QUERY PLAN SELECT 1 FROM ").push(way.table()).push(" WHERE ");
    tx.query(erasing::leads(sql, way, account)).await?.iter().map(|row| row.get("detail")).collect()
}

async fn alter(db: &Db, script: &'static str) {
    db.write("test.alter", |tx| Box::pin(tx.script(script.to_owned()))).await.unwrap();
}

both_engines! {
    async fn everything_is_declared(db: Db) {
        let found = check(&db).await.unwrap();
        assert!(found.is_empty(), "{found:?}");
        db.migrate_keyring(MIGRATED_AT).await.unwrap();
        let found = check(&db).await.unwrap();
        assert!(found.is_empty(), "{found:?}");
    }

    async fn a_new_column_or_table_turns_it_red(db: Db) {
        alter(&db, "ALTER TABLE calls ADD COLUMN prompt TEXT; CREATE TABLE extra (body TEXT);").await;
        assert_eq!(undeclared(&db).await.unwrap(), ["calls.prompt", "extra.body"]);
    }

    async fn whatever_references_an_account_is_owned(db: Db) {
        assert!(references(&db).await.len() > 20);
        assert_eq!(ownerless(&db).await, Vec::<String>::new());
        alter(&db, "CREATE TABLE orphans (account_id UUID REFERENCES accounts (id));").await;
        assert_eq!(ownerless(&db).await, ["orphans.account_id"]);
    }

    async fn every_way_is_a_statement_that_an_index_serves(db: Db) {
        let (account, pseudonym) = (AccountId::fresh(), Uuid::from_u128(1));
        for way in OWNERS.iter().filter(|way| is_of_rows(way)) {
            let steps = async |tx: &mut WriteTx<'_>| {
                assert_eq!(erasing::rows(tx, way, account).await?, 0, "{}", way.path);
                erasing::step(tx, way, account, pseudonym).await
            };
            let steps = &steps;
            let done = db.write("test.erase", |tx| Box::pin(steps(tx))).await;
            assert_eq!(done.unwrap(), erasing::Erased::default(), "{}", way.path);
            if db.engine() == Engine::Sqlite {
                let plan = db.read("test.plan", |tx| Box::pin(async move { plan(tx, way, account).await })).await.unwrap();
                assert!(plan.iter().any(|step| step.contains("SEARCH")), "{}: {plan:?}", way.path);
                let scan = plan.iter().find(|step| step.contains("SCAN"));
                assert_eq!(scan, None, "{}", way.path);
            }
        }
    }

    async fn a_lost_column_turns_it_red(db: Db) {
        alter(&db, "ALTER TABLE calls DROP COLUMN risk_marks").await;
        let found = check(&db).await.unwrap();
        assert_eq!((found.undeclared, found.absent), (vec![], vec!["calls.risk_marks".to_owned()]));
    }
}

#[test]
fn each_declaration_is_whole() {
    let mut seen = BTreeSet::new();
    for element in COLUMNS {
        let (table, name) = place(element).unwrap();
        let at = format!("{table}.{name}");
        assert!(seen.insert(at.clone()), "{at} is declared twice");
        assert!(element.category.starts_with("user.") || element.category.starts_with("system."), "{at}");
        match element.subject {
            Subject::Nobody(why) => assert!(!why.is_empty() && element.category.starts_with("system."), "{at}"),
            Subject::Account(_) => assert!(!element.purposes.is_empty() && !element.cites.is_empty(), "{at}"),
        }
        assert!(element.protection != Protection::KeyedHash || element.copying != Copying::Given, "{at}");
        for cite in element.cites {
            let (policy, clause) = cite.split_once('-').unwrap();
            assert!(["YY", "01"].contains(&policy), "{at}");
            assert!(clause.starts_with(|c: char| c.is_ascii_digit()), "{at}");
        }
        // The names of columns say how they are kept; the map must say the same.
        let sealed = matches!(element.protection, Protection::SealedSubject | Protection::SealedPlatform);
        assert_eq!(name.ends_with("_sealed") || name == "wrapped", sealed, "{at}");
    }
}

#[test]
fn every_path_leads_to_the_account() {
    for element in COLUMNS {
        let Subject::Account(path) = element.subject else { continue };
        assert!(path.ends_with("accounts.id"), "{path}");
        for step in path.split([',', '>']).map(|s| s.trim().trim_end_matches(" -")) {
            let (table, name) = step.split_once('.').unwrap();
            assert!(column(table, name).is_some(), "{path}: no column {step}");
        }
    }
}

#[test]
fn whatever_is_somebodys_has_an_owner() {
    let owned: BTreeSet<&str> = OWNERS.iter().map(|owner| owner.table()).collect();
    for element in COLUMNS {
        let (table, _) = place(element).unwrap();
        let somebodys = matches!(element.subject, Subject::Account(_));
        // A transaction of the ledger is its entries'.
        assert!(!somebodys || owned.contains(table) || table == "ledger_transactions", "{table}");
    }
    for owner in OWNERS {
        for step in owner.steps() {
            assert!(
                column(step.table, step.column).is_some() && column(step.to_table, step.to_column).is_some(),
                "{step:?}"
            );
        }
        assert_eq!(owner.steps().is_empty(), owner.path == "accounts.id", "{}", owner.path);
        for name in owner.emptied.iter().chain(owner.renamed) {
            assert!(column(owner.table(), name).is_some(), "{name}");
        }
    }
}

#[test]
fn tables_come_before_those_that_they_lead_to() {
    for (at, owner) in OWNERS.iter().enumerate() {
        for step in owner.steps() {
            let later = OWNERS.iter().skip(at).any(|later| later.table() == step.to_table);
            assert!(later, "{} comes after {}", step.table, step.to_table);
        }
    }
}

#[test]
fn what_is_kept_longer_than_it_must_is_kept_by_a_law() {
    let names: BTreeSet<&str> = CLASSES.iter().map(|class| class.name).collect();
    assert_eq!(names.len(), CLASSES.len());
    for class in CLASSES {
        assert!(class.min <= class.max && class.max > 0 && (class.min == 0) == class.law.is_none(), "{}", class.name);
    }
}

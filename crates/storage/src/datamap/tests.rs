use super::{COLUMNS, check, column, place, undeclared};
use crate::testing::MIGRATED_AT;
use crate::{Db, both_engines};
use std::collections::BTreeSet;
use tacit_kernel::datamap::{Protection, Retention, Subject};

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
        if let Retention::Days { min, max } = element.retention {
            assert!(min <= max, "{at}");
        }
        match element.subject {
            Subject::Nobody(why) => assert!(!why.is_empty() && element.category.starts_with("system."), "{at}"),
            Subject::Account(_) => assert!(!element.purposes.is_empty() && !element.cites.is_empty(), "{at}"),
        }
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

//! The contract of the layer, on both engines.

use crate::testing::prepare_all;
use crate::{Db, both_engines, changes, keyring, migrations};

both_engines! {
    async fn every_statement_is_accepted(db: Db) {
        db.migrate_keyring(crate::testing::MIGRATED_AT).await.unwrap();
        prepare_all(&db, changes::STATEMENTS, &[]).await.unwrap();
        prepare_all(&db, keyring::STATEMENTS, &[]).await.unwrap();
        prepare_all(&db, &[&migrations::APPLIED, &migrations::RECORD], &[]).await.unwrap();
    }
}

//! Both engines have the same schema: columns, types, nullability, keys and indexes.

use crate::testing::{MIGRATED_AT, run};
use crate::{Db, Engine, Sql, StorageError};
use std::collections::BTreeSet;
use std::sync::Mutex;

const SQLITE: &[Sql] = &[
    Sql::new(
        "SELECT 'column ' || t.name || '.' || c.name || ' ' || c.type || CASE WHEN c.\"notnull\" = 1 OR c.pk > 0 THEN \
         ' NOT NULL' ELSE '' END || CASE WHEN c.pk > 0 THEN ' key ' || c.pk ELSE '' END AS line \
         FROM sqlite_schema AS t, pragma_table_xinfo(t.name) AS c WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%'",
    ),
    Sql::new(
        "SELECT 'reference ' || t.name || '.' || f.\"from\" || ' -> ' || f.\"table\" || '.' || f.\"to\" || ' ' || \
         f.on_delete AS line FROM sqlite_schema AS t, pragma_foreign_key_list(t.name) AS f WHERE t.type = 'table'",
    ),
    Sql::new(
        "SELECT 'index ' || t.name || CASE WHEN i.\"unique\" = 1 THEN ' unique' ELSE '' END || CASE WHEN i.partial = 1 \
         THEN ' partial' ELSE '' END || ' (' || (SELECT group_concat(c.name, ',') FROM pragma_index_info(i.name) AS c) \
         || ')' AS line FROM sqlite_schema AS t, pragma_index_list(t.name) AS i \
         WHERE t.type = 'table' AND i.origin <> 'pk'",
    ),
];

const POSTGRES: &[Sql] = &[
    Sql::new(
        "SELECT 'column ' || c.table_name || '.' || c.column_name || ' ' || CASE c.data_type WHEN 'uuid' THEN 'BLOB' \
         WHEN 'bytea' THEN 'BLOB' WHEN 'bigint' THEN 'INTEGER' ELSE upper(c.data_type) END || CASE c.is_nullable WHEN \
         'NO' THEN ' NOT NULL' ELSE '' END || COALESCE((SELECT ' key ' || k.ordinal_position FROM \
         information_schema.key_column_usage AS k JOIN information_schema.table_constraints AS n \
         ON n.constraint_name = k.constraint_name AND n.table_name = k.table_name WHERE n.constraint_type = 'PRIMARY KEY' \
         AND k.table_name = c.table_name AND k.column_name = c.column_name), '') AS line \
         FROM information_schema.columns AS c WHERE c.table_schema = 'public'",
    ),
    Sql::new(
        "SELECT 'reference ' || a.relname || '.' || ac.attname || ' -> ' || b.relname || '.' || bc.attname || ' ' || \
         CASE k.confdeltype WHEN 'c' THEN 'CASCADE' WHEN 'a' THEN 'NO ACTION' ELSE 'other' END AS line \
         FROM pg_constraint AS k JOIN pg_class AS a ON a.oid = k.conrelid JOIN pg_class AS b ON b.oid = k.confrelid \
         JOIN pg_attribute AS ac ON ac.attrelid = a.oid AND ac.attnum = k.conkey[1] \
         JOIN pg_attribute AS bc ON bc.attrelid = b.oid AND bc.attnum = k.confkey[1] WHERE k.contype = 'f'",
    ),
    Sql::new(
        "SELECT 'index ' || t.relname || CASE WHEN i.indisunique THEN ' unique' ELSE '' END || CASE WHEN i.indpred IS NOT \
         NULL THEN ' partial' ELSE '' END || ' (' || (SELECT string_agg(c.attname, ',' ORDER BY k.n) FROM \
         unnest(i.indkey::int2[]) WITH ORDINALITY AS k (attnum, n) JOIN pg_attribute AS c ON c.attrelid = i.indrelid AND \
         c.attnum = k.attnum) || ')' AS line FROM pg_index AS i JOIN pg_class AS t ON t.oid = i.indrelid \
         JOIN pg_namespace AS s ON s.oid = t.relnamespace WHERE s.nspname = 'public' AND NOT i.indisprimary",
    ),
];

async fn lines(db: &Db, statements: &[Sql]) -> BTreeSet<String> {
    db.migrate_keyring(MIGRATED_AT).await.unwrap();
    db.read("test.schema", |tx| {
        Box::pin(async move {
            let mut lines = BTreeSet::new();
            for sql in statements {
                for row in tx.all(sql, &[]).await? {
                    lines.insert(row.get("line")?);
                }
            }
            Ok::<_, StorageError>(lines)
        })
    })
    .await
    .unwrap()
}

fn schema_of(engine: Engine, statements: &'static [Sql]) -> BTreeSet<String> {
    let found = Mutex::default();
    run(engine, async |db: Db| {
        let lines = lines(&db, statements).await;
        *found.lock().unwrap() = lines;
    });
    found.into_inner().unwrap()
}

#[test]
fn both_engines_have_the_same_schema() {
    let sqlite = schema_of(Engine::Sqlite, SQLITE);
    let postgres = schema_of(Engine::Postgres, POSTGRES);
    let only = |a: &BTreeSet<String>, b: &BTreeSet<String>| a.difference(b).cloned().collect::<Vec<_>>();
    assert_eq!((only(&sqlite, &postgres), only(&postgres, &sqlite)), (vec![], vec![]));
    for known in [
        "column calls.ip_sealed BLOB",
        "column accounts.id BLOB NOT NULL key 1",
        "column channel_models.model_id BLOB NOT NULL key 2",
        "reference channel_credentials.channel_id -> channels.id CASCADE",
        "index ledger_accounts unique partial (owner_id,kind)",
        "index calls (account_id,id)",
        "index prices unique (model_id,version)",
    ] {
        assert!(sqlite.contains(known), "{known}");
    }
}

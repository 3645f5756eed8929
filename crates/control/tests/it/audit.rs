//! The audit log is signed without being asked.

use crate::world::{World, until};
use std::sync::Arc;
use tacit_kernel::SystemClock;
use tacit_kernel::audit::{Action, ObjectKind};
use tacit_storage::audit::checkpoint::Checkpoint;
use tacit_storage::audit::{Actor, Audit, NewEntry, Object};
use tacit_storage::{Db, Sql, StorageError, both_engines};

const NEWEST: Sql = Sql::new("SELECT note FROM audit_checkpoints ORDER BY size DESC LIMIT 1");

both_engines! {
    async fn new_entries_are_signed_within_moments(db: Db) {
        let world = World::new(db).await;
        let audit = Audit::new(world.db.clone(), world.keys.clone(), Arc::new(SystemClock));
        let control = world.start().await;
        let new = NewEntry::begun(Actor::System, Action::PlatformApply, Object::any(ObjectKind::Platform), None);
        for size in [1, 2] {
            audit.record(&new).await.unwrap();
            until("a signed checkpoint", async || {
                let row = world.db.read("test.newest", |tx| Box::pin(tx.one(&NEWEST, &[]))).await;
                let row = row.unwrap_or_else(|e: StorageError| panic!("{e}"));
                let note: Option<String> = row.map(|row| row.get("note").unwrap());
                note.is_some_and(|note| Checkpoint::open(&note, audit.verifier()).unwrap().size == size)
            })
            .await;
        }
        control.stop().await;
    }
}

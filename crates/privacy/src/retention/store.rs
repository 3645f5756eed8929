//! SQL of runs.

use super::{Class, Run};
use tacit_kernel::Timestamp;
use tacit_storage::{Page, ReadTx, Row, Sql, StorageError, Value, WriteTx};
use uuid::Uuid;

const OPEN: Sql = Sql::new(
    "SELECT id, class, cutoff, after_id, deleted, held, started_at, finished_at FROM retention_runs \
     WHERE class = $1 AND finished_at IS NULL",
);
const LAST: Sql = Sql::new("SELECT MAX(started_at) AS at FROM retention_runs WHERE class = $1");
const FINISHED: Sql =
    Sql::new("SELECT MAX(cutoff) AS cutoff FROM retention_runs WHERE class = $1 AND finished_at IS NOT NULL");
const BEGIN: Sql = Sql::new(
    "INSERT INTO retention_runs (id, class, cutoff, after_id, deleted, held, started_at, finished_at) \
     VALUES ($1, $2, $3, $4, 0, 0, $5, NULL) ON CONFLICT DO NOTHING",
);
const GO_ON: Sql =
    Sql::new("UPDATE retention_runs SET after_id = $2, deleted = $3, held = $4, finished_at = $5 WHERE id = $1");
const RUNS: Sql = Sql::new(
    "SELECT id, class, cutoff, after_id, deleted, held, started_at, finished_at FROM retention_runs \
     WHERE id < $1 ORDER BY id DESC LIMIT $2",
);
// Runs that found nothing are many, and their proof is the next one.
const PRUNE_EMPTY: Sql = Sql::new(
    "DELETE FROM retention_runs WHERE deleted = 0 AND finished_at IS NOT NULL AND EXISTS (SELECT 1 FROM retention_runs AS later \
     WHERE later.class = retention_runs.class AND later.id > retention_runs.id AND later.finished_at IS NOT NULL)",
);
const PRUNE: Sql = Sql::new("DELETE FROM retention_runs WHERE finished_at < $1");

pub(super) const STATEMENTS: &[&Sql] = &[&OPEN, &LAST, &FINISHED, &BEGIN, &GO_ON, &RUNS, &PRUNE_EMPTY, &PRUNE];

fn run(row: &Row) -> Result<Run, StorageError> {
    Ok(Run {
        id: row.get("id")?,
        class: row.word("class", Class::parse)?,
        cutoff: row.get("cutoff")?,
        after: row.get("after_id")?,
        deleted: row.get("deleted")?,
        held: row.get("held")?,
        started_at: row.get("started_at")?,
        finished_at: row.get("finished_at")?,
    })
}

/// The run over a class that is not through.
pub(super) async fn open(tx: &mut ReadTx<'_>, class: Class) -> Result<Option<Run>, StorageError> {
    tx.one(&OPEN, &[Value::Word(class.as_str())]).await?.as_ref().map(run).transpose()
}

/// When the newest run over a class began.
pub(super) async fn last(tx: &mut ReadTx<'_>, class: Class) -> Result<Option<Timestamp>, StorageError> {
    tx.one(&LAST, &[Value::Word(class.as_str())]).await?.map_or(Ok(None), |row| row.get("at"))
}

/// What was older than that went in a run that is through.
pub(super) async fn finished(tx: &mut ReadTx<'_>, class: Class) -> Result<Option<Timestamp>, StorageError> {
    tx.one(&FINISHED, &[Value::Word(class.as_str())]).await?.map_or(Ok(None), |row| row.get("cutoff"))
}

/// Begins a run, unless another control plane has begun one.
pub(super) async fn begin(tx: &mut WriteTx<'_>, run: &Run) -> Result<(), StorageError> {
    let class = Value::Word(run.class.as_str());
    let row = [run.id.into(), class, run.cutoff.into(), run.after.into(), run.started_at.into()];
    tx.execute(&BEGIN, &row).await.map(drop)
}

/// Says how far it came.
pub(super) async fn go_on(tx: &mut WriteTx<'_>, run: &Run) -> Result<(), StorageError> {
    let count = |n: u64| Value::from(i64::try_from(n).unwrap_or(i64::MAX));
    let row = [run.id.into(), run.after.into(), count(run.deleted), count(run.held), run.finished_at.into()];
    tx.execute(&GO_ON, &row).await.map(drop)
}

/// Runs that are through and prove nothing any more go.
pub(super) async fn prune(tx: &mut WriteTx<'_>, before: Timestamp) -> Result<(), StorageError> {
    tx.execute(&PRUNE_EMPTY, &[]).await?;
    tx.execute(&PRUNE, &[before.into()]).await.map(drop)
}

/// The runs, newest first.
pub(super) async fn runs(tx: &mut ReadTx<'_>, page: Page) -> Result<Vec<Run>, StorageError> {
    let before = page.after.unwrap_or(Uuid::max());
    tx.all(&RUNS, &[before.into(), page.fetch().into()]).await?.iter().map(run).collect()
}

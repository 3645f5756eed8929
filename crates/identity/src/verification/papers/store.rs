//! The SQL of papers and their pieces.

use crate::verification::{Media, PaperKind, PaperView};
use tacit_kernel::ids::VerificationId;
use tacit_storage::{ReadTx, Row, Sql, StorageError, Value, WriteTx};
use uuid::Uuid;

const OF_CASE: Sql =
    Sql::new("SELECT id, kind, media, size, created_at FROM verification_papers WHERE case_id = $1 ORDER BY kind");
const ONE: Sql =
    Sql::new("SELECT id, kind, media, size, created_at FROM verification_papers WHERE case_id = $1 AND kind = $2");
const INSERT: Sql = Sql::new(
    "INSERT INTO verification_papers (id, case_id, kind, media, size, created_at) VALUES ($1, $2, $3, $4, $5, $6)",
);
const INSERT_PIECE: Sql =
    Sql::new("INSERT INTO verification_pieces (paper_id, place, content_sealed) VALUES ($1, $2, $3)");
const PIECES: Sql = Sql::new("SELECT content_sealed FROM verification_pieces WHERE paper_id = $1 ORDER BY place");
const DELETE_PIECES_OF: Sql = Sql::new(
    "DELETE FROM verification_pieces WHERE paper_id IN \
     (SELECT id FROM verification_papers WHERE case_id = $1 AND kind = $2)",
);
const DELETE_ONE: Sql = Sql::new("DELETE FROM verification_papers WHERE case_id = $1 AND kind = $2");
const DELETE_PIECES: Sql = Sql::new(
    "DELETE FROM verification_pieces WHERE paper_id IN (SELECT id FROM verification_papers WHERE case_id = $1)",
);
const DELETE: Sql = Sql::new("DELETE FROM verification_papers WHERE case_id = $1");

/// Every statement of papers.
pub(crate) const STATEMENTS: &[&Sql] =
    &[&OF_CASE, &ONE, &INSERT, &INSERT_PIECE, &PIECES, &DELETE_PIECES_OF, &DELETE_ONE, &DELETE_PIECES, &DELETE];

fn paper(row: &Row) -> Result<(Uuid, PaperView), StorageError> {
    let view = PaperView {
        kind: row.word("kind", PaperKind::parse)?,
        media: row.word("media", Media::parse)?,
        size: row.get("size")?,
        created_at: row.get("created_at")?,
    };
    Ok((row.get("id")?, view))
}

pub(super) async fn of_case(tx: &mut ReadTx<'_>, case: VerificationId) -> Result<Vec<PaperView>, StorageError> {
    tx.all(&OF_CASE, &[case.into()]).await?.iter().map(|row| Ok(paper(row)?.1)).collect()
}

pub(super) async fn one(
    tx: &mut ReadTx<'_>,
    case: VerificationId,
    kind: PaperKind,
) -> Result<Option<(Uuid, PaperView)>, StorageError> {
    let values = [case.into(), Value::Word(kind.as_str())];
    tx.one(&ONE, &values).await?.as_ref().map(paper).transpose()
}

/// In the place of the one of its kind that the case had.
pub(super) async fn put(
    tx: &mut WriteTx<'_>,
    case: VerificationId,
    id: Uuid,
    view: &PaperView,
    pieces: Vec<Vec<u8>>,
) -> Result<(), StorageError> {
    delete_one(tx, case, view.kind).await?;
    let size = i64::try_from(view.size).map_err(|_| StorageError::inconsistent("verification_papers", "size"))?;
    let values = [
        id.into(),
        case.into(),
        Value::Word(view.kind.as_str()),
        Value::Word(view.media.as_str()),
        size.into(),
        view.created_at.into(),
    ];
    tx.execute(&INSERT, &values).await?;
    for (place, piece) in (0_i64..).zip(pieces) {
        tx.execute(&INSERT_PIECE, &[id.into(), place.into(), piece.into()]).await?;
    }
    Ok(())
}

pub(super) async fn pieces(tx: &mut ReadTx<'_>, paper: Uuid) -> Result<Vec<Vec<u8>>, StorageError> {
    tx.all(&PIECES, &[paper.into()]).await?.iter().map(|row| row.get("content_sealed")).collect()
}

pub(super) async fn delete_one(
    tx: &mut WriteTx<'_>,
    case: VerificationId,
    kind: PaperKind,
) -> Result<bool, StorageError> {
    let values = [case.into(), Value::Word(kind.as_str())];
    tx.execute(&DELETE_PIECES_OF, &values).await?;
    Ok(tx.execute(&DELETE_ONE, &values).await? > 0)
}

pub(super) async fn delete_all(tx: &mut WriteTx<'_>, case: VerificationId) -> Result<(), StorageError> {
    tx.execute(&DELETE_PIECES, &[case.into()]).await?;
    tx.execute(&DELETE, &[case.into()]).await.map(drop)
}

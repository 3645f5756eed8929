//! The hashes of the tree in the database: growing it by a leaf, and the hash of any part of it.

use super::number;
use super::tree::{Node, Range, TILE_HEIGHT, TILE_WIDTH, fold};
use crate::error::{StorageError, StorageErrorKind};
use crate::sql::Sql;
use crate::tx::{ReadTx, WriteTx};
use tacit_vault::merkle::{TreeHash, leaf_hash, node_hash};

const SIZE: Sql = Sql::new("SELECT COALESCE(MAX(seq) + 1, 0) AS size FROM audit_entries");
const LEAVES: Sql = Sql::new("SELECT commitment AS hash FROM audit_entries WHERE seq >= $1 AND seq < $2 ORDER BY seq");
const TILE: Sql =
    Sql::new("SELECT hash FROM audit_tree WHERE level = $1 AND position >= $2 AND position < $3 ORDER BY position");
const KEEP: Sql = Sql::new("INSERT INTO audit_tree (level, position, hash) VALUES ($1, $2, $3)");

/// The statements of this module.
pub(super) const STATEMENTS: [&Sql; 4] = [&SIZE, &LEAVES, &TILE, &KEEP];

/// How many entries there are.
pub(super) async fn size(tx: &mut ReadTx<'_>) -> Result<u64, StorageError> {
    tx.one(&SIZE, &[]).await?.map_or(Ok(0), |row| row.get("size"))
}

/// Keeps the hashes of the subtrees that the entry of that number completes.
pub(super) async fn grow(tx: &mut WriteTx<'_>, seq: u64) -> Result<(), StorageError> {
    let (mut level, mut count) = (0, seq + 1);
    while count.is_multiple_of(TILE_WIDTH) {
        let position = count / TILE_WIDTH - 1;
        let row = stored(tx, level, position * TILE_WIDTH, TILE_WIDTH).await?;
        level += 1;
        let parameters = [u32::into(level), number(position)?, whole(row).into()];
        tx.execute(&KEEP, &parameters).await.map_err(taken)?;
        count = position + 1;
    }
    Ok(())
}

/// Two writers took the same number: one begins anew.
pub(super) fn taken(error: StorageError) -> StorageError {
    match error.kind {
        StorageErrorKind::Unique => StorageError { kind: StorageErrorKind::Busy, ..error },
        _ => error,
    }
}

/// Hashes of a level of tiles. That some are missing is told: a tree with a hole has no root.
async fn stored(tx: &mut ReadTx<'_>, level: u32, from: u64, count: u64) -> Result<Vec<TreeHash>, StorageError> {
    let (first, behind) = (number(from)?, number(from + count)?);
    let rows = if level == 0 {
        tx.all(&LEAVES, &[first, behind]).await?
    } else {
        tx.all(&TILE, &[level.into(), first, behind]).await?
    };
    let hashes: Vec<TreeHash> = rows.iter().map(|row| row.get("hash")).collect::<Result<_, _>>()?;
    if u64::try_from(hashes.len()).ok() != Some(count) {
        return Err(StorageError::inconsistent(if level == 0 { "audit_entries" } else { "audit_tree" }, "hash"));
    }
    Ok(if level == 0 { hashes.iter().map(|commitment| leaf_hash(commitment)).collect() } else { hashes })
}

/// The hash over a power of two of hashes that stand beside each other.
fn whole(mut row: Vec<TreeHash>) -> TreeHash {
    while row.len() > 1 {
        row = row.chunks_exact(2).filter_map(|pair| Some(node_hash(pair.first()?, pair.last()?))).collect();
    }
    fold(&row)
}

async fn node(tx: &mut ReadTx<'_>, node: Node) -> Result<TreeHash, StorageError> {
    let (tile, above) = (node.level / TILE_HEIGHT, node.level % TILE_HEIGHT);
    let row = stored(tx, tile, node.index << above, 1 << above).await?;
    Ok(whole(row))
}

async fn range(tx: &mut ReadTx<'_>, range: Range) -> Result<TreeHash, StorageError> {
    let mut hashes = Vec::new();
    for part in range.nodes() {
        hashes.push(node(tx, part).await?);
    }
    Ok(fold(&hashes))
}

/// The hash of each range.
pub(super) async fn hashes(tx: &mut ReadTx<'_>, ranges: &[Range]) -> Result<Vec<TreeHash>, StorageError> {
    let mut hashes = Vec::with_capacity(ranges.len());
    for one in ranges {
        hashes.push(range(tx, *one).await?);
    }
    Ok(hashes)
}

/// The root of the tree over the first `size` entries.
pub(super) async fn root(tx: &mut ReadTx<'_>, size: u64) -> Result<TreeHash, StorageError> {
    range(tx, Range { from: 0, to: size }).await
}

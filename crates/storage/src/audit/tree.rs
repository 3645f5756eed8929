//! The arithmetic of the tree, pure: which subtrees make up a root and the proofs of RFC 6962, how proofs are checked
//! (RFC 9162 sections 2.1.3.2 and 2.1.4.2), and the tiles of C2SP tlog-tiles (<https://c2sp.org/tlog-tiles>).

use tacit_vault::merkle::{TreeHash, empty_hash, node_hash};

/// Levels in a tile.
pub const TILE_HEIGHT: u32 = 8;
/// Hashes in a whole tile.
pub const TILE_WIDTH: u64 = 1 << TILE_HEIGHT;

/// Leaves `from` to `to`, without the last: the whole of a node of the tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The first leaf.
    pub from: u64,
    /// The leaf behind the last.
    pub to: u64,
}

/// A node over 2^level leaves, all of which are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Node {
    /// How many levels above the leaves.
    pub level: u32,
    /// The how-manieth of its level.
    pub index: u64,
}

/// The largest power of two below `n`, which is at least 2.
const fn split(n: u64) -> u64 {
    1 << (63 - (n - 1).leading_zeros())
}

impl Range {
    /// The whole subtrees that make it up, from the largest to the smallest. The range begins where a subtree of its size
    /// can.
    #[must_use]
    pub fn nodes(self) -> Vec<Node> {
        let (mut from, mut nodes) = (self.from, Vec::new());
        while from < self.to {
            let level = 63 - (self.to - from).leading_zeros();
            nodes.push(Node { level, index: from >> level });
            from += 1 << level;
        }
        nodes
    }
}

/// The hash of a range from those of its subtrees, in their order.
#[must_use]
pub fn fold(hashes: &[TreeHash]) -> TreeHash {
    let folded = hashes.iter().rev().copied().reduce(|right, left| node_hash(&left, &right));
    folded.unwrap_or_else(empty_hash)
}

/// What an inclusion proof consists of, from the leaf to the root; nothing if the leaf is not there.
#[must_use]
pub fn inclusion_ranges(index: u64, size: u64) -> Vec<Range> {
    let (mut from, mut to, mut ranges) = (0, size, Vec::new());
    while index < size && to - from > 1 {
        let middle = from + split(to - from);
        if index < middle {
            ranges.push(Range { from: middle, to });
            to = middle;
        } else {
            ranges.push(Range { from, to: middle });
            from = middle;
        }
    }
    ranges.reverse();
    ranges
}

/// What a consistency proof between two sizes consists of; nothing if one is empty or both are the same.
#[must_use]
pub fn consistency_ranges(old: u64, new: u64) -> Vec<Range> {
    let mut ranges = Vec::new();
    if old == 0 || old >= new {
        return ranges;
    }
    // Whether the old tree is the whole of the node that is looked at: then its hash is known to who asks.
    let (mut from, mut to, mut whole) = (0, new, true);
    while to != old {
        let middle = from + split(to - from);
        if old <= middle {
            ranges.push(Range { from: middle, to });
            to = middle;
        } else {
            ranges.push(Range { from, to: middle });
            from = middle;
            whole = false;
        }
    }
    if !whole {
        ranges.push(Range { from, to });
    }
    ranges.reverse();
    ranges
}

/// Whether a proof leads from a leaf to a root.
#[must_use]
pub fn includes(leaf: &TreeHash, index: u64, size: u64, proof: &[TreeHash], root: &TreeHash) -> bool {
    if index >= size {
        return false;
    }
    let (mut place, mut last, mut hash) = (index, size - 1, *leaf);
    for sibling in proof {
        if last == 0 {
            return false;
        }
        if place & 1 == 1 || place == last {
            hash = node_hash(sibling, &hash);
            while place & 1 == 0 && place != 0 {
                place >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        place >>= 1;
        last >>= 1;
    }
    last == 0 && hash == *root
}

/// Whether a proof shows that the tree of the old size and root is the beginning of that of the new ones.
#[must_use]
pub fn continues(old: u64, old_root: &TreeHash, new: u64, new_root: &TreeHash, proof: &[TreeHash]) -> bool {
    if old == 0 || old >= new {
        let same = if old == 0 { *old_root == empty_hash() } else { old == new && old_root == new_root };
        return same && proof.is_empty();
    }
    let mut path = proof.iter().copied();
    let first = if old.is_power_of_two() { Some(*old_root) } else { path.next() };
    let Some(first) = first else { return false };
    let (mut place, mut last) = (old - 1, new - 1);
    while place & 1 == 1 {
        place >>= 1;
        last >>= 1;
    }
    let (mut small, mut large) = (first, first);
    for sibling in path {
        if last == 0 {
            return false;
        }
        if place & 1 == 1 || place == last {
            small = node_hash(&sibling, &small);
            large = node_hash(&sibling, &large);
            while place & 1 == 0 && place != 0 {
                place >>= 1;
                last >>= 1;
            }
        } else {
            large = node_hash(&large, &sibling);
        }
        place >>= 1;
        last >>= 1;
    }
    last == 0 && small == *old_root && large == *new_root
}

/// The root of a tree of whom every leaf is seen once, in order: it keeps one hash a level.
#[derive(Clone, Debug, Default)]
pub struct Growing {
    size: u64,
    /// Of whole subtrees, from the largest to the smallest.
    hashes: Vec<TreeHash>,
}

impl Growing {
    /// Adds the hash of a leaf.
    pub fn push(&mut self, leaf: TreeHash) {
        let mut hash = leaf;
        // As many ones at the end of the size as subtrees become whole.
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.hashes.pop() {
                hash = node_hash(&left, &hash);
            }
        }
        self.hashes.push(hash);
        self.size += 1;
    }

    /// How many leaves there were.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The root over them.
    #[must_use]
    pub fn root(&self) -> TreeHash {
        fold(&self.hashes)
    }
}

/// A number as a path of tlog-tiles: groups of three digits, an `x` before all but the last.
#[must_use]
pub fn number_path(number: u64) -> String {
    let mut path = format!("{:03}", number % 1000);
    let mut rest = number / 1000;
    while rest > 0 {
        path = format!("x{:03}/{path}", rest % 1000);
        rest /= 1000;
    }
    path
}

/// The path of a tile of that level (`entries` for the bundles of entries), of which `width` hashes are there.
#[must_use]
pub fn tile_path(level: &str, number: u64, width: u64) -> String {
    let whole = format!("tile/{level}/{}", number_path(number));
    if width == TILE_WIDTH { whole } else { format!("{whole}.p/{width}") }
}

/// How many hashes a level of tiles has in a tree of that size.
#[must_use]
pub const fn level_width(size: u64, level: u32) -> u64 {
    match size.checked_shr(TILE_HEIGHT * level) {
        Some(width) => width,
        None => 0,
    }
}

//! The arithmetic against the recursive definitions of RFC 6962 section 2.1, for every size up to 600.

use crate::audit::checkpoint::Checkpoint;
use crate::audit::tree::{
    Growing, Range, consistency_ranges, continues, fold, includes, inclusion_ranges, level_width, tile_path,
};
use tacit_vault::merkle::{TreeHash, empty_hash, leaf_hash, node_hash};

fn leaves(count: usize) -> Vec<TreeHash> {
    (0..count).map(|i| leaf_hash(&i.to_be_bytes())).collect()
}

fn k(n: usize) -> usize {
    let mut k = 1;
    while k * 2 < n {
        k *= 2;
    }
    k
}

/// MTH of RFC 6962.
fn mth(d: &[TreeHash]) -> TreeHash {
    match d.len() {
        0 => empty_hash(),
        1 => d[0],
        n => node_hash(&mth(&d[..k(n)]), &mth(&d[k(n)..])),
    }
}

/// PATH of RFC 6962.
fn path(m: usize, d: &[TreeHash]) -> Vec<TreeHash> {
    let n = d.len();
    if n == 1 {
        return vec![];
    }
    let (left, right) = d.split_at(k(n));
    let (mut path, last) = if m < k(n) { (path(m, left), mth(right)) } else { (path(m - k(n), right), mth(left)) };
    path.push(last);
    path
}

/// SUBPROOF of RFC 6962.
fn subproof(m: usize, d: &[TreeHash], whole: bool) -> Vec<TreeHash> {
    let n = d.len();
    if m == n {
        return if whole { vec![] } else { vec![mth(d)] };
    }
    let (left, right) = d.split_at(k(n));
    let (mut proof, last) =
        if m <= k(n) { (subproof(m, left, whole), mth(right)) } else { (subproof(m - k(n), right, false), mth(left)) };
    proof.push(last);
    proof
}

fn size(n: usize) -> u64 {
    n.try_into().unwrap()
}

/// The hash of a range, from nothing but the leaves; its subtrees are those that the arithmetic names.
fn hash(d: &[TreeHash], range: Range) -> TreeHash {
    let of = |from: u64, to: u64| &d[usize::try_from(from).unwrap()..usize::try_from(to).unwrap()];
    let parts: Vec<TreeHash> =
        range.nodes().iter().map(|n| mth(of(n.index << n.level, (n.index + 1) << n.level))).collect();
    let folded = fold(&parts);
    assert_eq!(folded, mth(of(range.from, range.to)));
    folded
}

#[test]
fn roots_and_inclusion_of_every_size() {
    let all = leaves(600);
    let mut growing = Growing::default();
    for n in 1..=all.len() {
        growing.push(all[n - 1]);
        let d = &all[..n];
        let root = mth(d);
        assert_eq!((growing.size(), growing.root()), (size(n), root));
        // Every leaf of small trees and of those about a tile's edge, some of the others.
        let step = if n < 40 || (250..262).contains(&n) || n > 597 { 1 } else { 37 };
        for m in (0..n).step_by(step).chain([n - 1]) {
            let proof: Vec<TreeHash> = inclusion_ranges(size(m), size(n)).iter().map(|r| hash(d, *r)).collect();
            assert_eq!(proof, path(m, d), "{m} of {n}");
            assert!(includes(&d[m], size(m), size(n), &proof, &root));
            assert!(!includes(&all[(m + 1) % 600], size(m), size(n), &proof, &root));
            assert!(n == 1 || !includes(&d[m], size((m + 1) % n), size(n), &proof, &root), "{m} of {n} elsewhere");
            assert!(proof.is_empty() || !includes(&d[m], size(m), size(n), &proof[1..], &root));
        }
    }
}

#[test]
fn consistency_of_every_two_sizes() {
    let all = leaves(600);
    let roots: Vec<TreeHash> = (0..=600).map(|n| mth(&all[..n])).collect();
    for n in 1..=600 {
        let step = if n < 70 || (250..262).contains(&n) || n == 600 { 1 } else { 29 };
        for m in (0..=n).step_by(step) {
            let d = &all[..n];
            let proof: Vec<TreeHash> = consistency_ranges(size(m), size(n)).iter().map(|r| hash(d, *r)).collect();
            assert_eq!(proof, if m == 0 { vec![] } else { subproof(m, d, true) }, "{m} to {n}");
            assert!(continues(size(m), &roots[m], size(n), &roots[n], &proof), "{m} to {n}");
            if m > 0 && m < n {
                assert!(!continues(size(m), &roots[m - 1], size(n), &roots[n], &proof), "{m} to {n}: another old root");
                assert!(!continues(size(m), &roots[m], size(n), &roots[n - 1], &proof), "{m} to {n}: another new root");
            }
        }
    }
}

#[test]
fn paths_are_those_of_the_specification() {
    assert_eq!(tile_path("0", 1_234_067, 256), "tile/0/x001/x234/067");
    assert_eq!(tile_path("2", 0, 5), "tile/2/000.p/5");
    assert_eq!(tile_path("entries", 273, 112), "tile/entries/273.p/112");
    assert_eq!([0, 1, 2, 3, 8].map(|l| level_width(70_000, l)), [70_000, 273, 1, 0, 0]);
}

#[test]
fn checkpoints_are_read_as_they_are_written() {
    let one = Checkpoint { origin: "tacit-audit-00".into(), size: 20_852_163, root: [7; 32] };
    let text = one.to_string();
    assert_eq!(text, "tacit-audit-00\n20852163\nBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n");
    assert_eq!(Checkpoint::parse(&text), Some(one.clone()));
    assert_eq!(Checkpoint::parse(&format!("{text}more\n")), Some(one));
    for bad in ["", "\n", "a\n01\nBw==\n", &text.replace("208", "+208"), &text.replace("BwcH", "Bwc"), text.trim_end()]
    {
        assert_eq!(Checkpoint::parse(bad), None, "{bad:?}");
    }
}

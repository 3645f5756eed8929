//! The hashes of a Merkle tree as RFC 6962 section 2.1 defines them: SHA-256, a leaf hashed behind a zero byte, two
//! children behind a one. Which hashes make up a tree is the business of whoever keeps one.

use aws_lc_rs::digest::{Context, SHA256};

/// A node of a tree.
pub type TreeHash = [u8; 32];

fn sha256(parts: &[&[u8]]) -> TreeHash {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    let mut out = [0; 32];
    for (to, from) in out.iter_mut().zip(context.finish().as_ref()) {
        *to = *from;
    }
    out
}

/// The root of a tree without leaves.
#[must_use]
pub fn empty_hash() -> TreeHash {
    sha256(&[])
}

/// The hash of a leaf.
#[must_use]
pub fn leaf_hash(leaf: &[u8]) -> TreeHash {
    sha256(&[&[0], leaf])
}

/// The hash of two children.
#[must_use]
pub fn node_hash(left: &TreeHash, right: &TreeHash) -> TreeHash {
    sha256(&[&[1], left, right])
}

/// What is fixed about a content without showing it: SHA-256 over a domain, a zero byte, the salt, the content. The
/// salt has a fixed length and the domain no zero byte, so no two ways to cut the bytes agree. Once a random salt is
/// forgotten, nobody can tell by guessing what the content was.
#[must_use]
pub fn commitment(domain: &str, salt: &[u8; 32], content: &[u8]) -> [u8; 32] {
    sha256(&[domain.as_bytes(), &[0], salt, content])
}

/// A random salt of the system's generator.
#[must_use]
pub fn fresh_salt() -> [u8; 32] {
    crate::seal::random_bytes()
}

pub(crate) fn note_hash(parts: &[&[u8]]) -> [u8; 32] {
    sha256(parts)
}

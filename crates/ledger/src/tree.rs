//! An append-only Merkle tree that keeps every hash of its complete subtrees.
//!
//! Level 0 holds the leaf hashes, level k the hashes of the complete subtrees of 2^k leaves, left
//! to right. A hash, once there, never changes: every earlier tree is still inside, so roots and
//! paths can be computed at any earlier size. About 64 bytes a leaf.

use crate::hash::{Hash, node_hash};

/// An RFC 6962 Merkle tree over leaf hashes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    levels: Vec<Vec<Hash>>,
}

impl Tree {
    /// A tree without leaves.
    pub fn new() -> Self {
        Self::default()
    }

    /// A tree over these leaf hashes, in order.
    pub fn from_leaves(leaves: impl IntoIterator<Item = Hash>) -> Self {
        let mut tree = Self::new();
        for leaf in leaves {
            tree.append(leaf);
        }
        tree
    }

    /// Number of leaves.
    pub fn size(&self) -> u64 {
        self.levels.first().map_or(0, |leaves| leaves.len() as u64)
    }

    /// Adds a leaf hash on the right and returns its index.
    pub fn append(&mut self, leaf: Hash) -> u64 {
        let index = self.size();
        let mut hash = leaf;
        let mut level = 0;
        loop {
            if self.levels.len() == level {
                self.levels.push(Vec::new());
            }
            let row = &mut self.levels[level];
            row.push(hash);
            if row.len() % 2 == 1 {
                return index;
            }
            hash = node_hash(row[row.len() - 2], hash);
            level += 1;
        }
    }

    /// The leaf hash at `index`, if there is one.
    pub fn leaf(&self, index: u64) -> Option<Hash> {
        self.levels.first()?.get(usize::try_from(index).ok()?).copied()
    }

    /// All leaf hashes, in order.
    pub fn leaves(&self) -> &[Hash] {
        self.levels.first().map_or(&[], Vec::as_slice)
    }

    /// The hash of the complete subtree number `index` of 2^`level` leaves, if it is complete.
    pub fn complete(&self, level: u32, index: u64) -> Option<Hash> {
        self.levels.get(level as usize)?.get(usize::try_from(index).ok()?).copied()
    }

    /// The root over all leaves.
    pub fn root(&self) -> Hash {
        self.range(0, self.size())
    }

    /// The root of the first `size` leaves; `None` when there are fewer.
    pub fn root_at(&self, size: u64) -> Option<Hash> {
        (size <= self.size()).then(|| self.range(0, size))
    }

    /// The path that proves leaf `index` in the tree of the first `size` leaves, from the leaf's
    /// sibling upwards (RFC 6962, section 2.1.1). `None` unless `index < size <= self.size()`.
    pub fn inclusion(&self, index: u64, size: u64) -> Option<Vec<Hash>> {
        if index >= size || size > self.size() {
            return None;
        }
        let mut path = Vec::new();
        let (mut start, mut end) = (0, size);
        while end - start > 1 {
            let middle = start + split(end - start);
            if index < middle {
                path.push(self.range(middle, end));
                end = middle;
            } else {
                path.push(self.range(start, middle));
                start = middle;
            }
        }
        path.reverse();
        Some(path)
    }

    /// The path that proves the tree of `old` leaves a prefix of that of `new` leaves (RFC 6962,
    /// section 2.1.2). `None` unless `0 < old <= new <= self.size()`.
    pub fn consistency(&self, old: u64, new: u64) -> Option<Vec<Hash>> {
        if old == 0 || old > new || new > self.size() {
            return None;
        }
        let mut path = Vec::new();
        let (mut start, mut end) = (0, new);
        while end != old {
            let middle = start + split(end - start);
            if old <= middle {
                path.push(self.range(middle, end));
                end = middle;
            } else {
                path.push(self.range(start, middle));
                start = middle;
            }
        }
        // The verifier knows the root of the old tree: it is left out when it is one subtree.
        if start != 0 {
            path.push(self.range(start, end));
        }
        path.reverse();
        Some(path)
    }

    /// MTH(D[start..end]) where `start` is a multiple of the largest power of two ≤ `end - start`.
    fn range(&self, start: u64, end: u64) -> Hash {
        let count = end - start;
        if count == 0 {
            return Hash::EMPTY;
        }
        if count.is_power_of_two() {
            let level = count.trailing_zeros();
            let kept = self.complete(level, start >> level);
            return kept.expect("every complete subtree is kept");
        }
        let middle = start + split(count);
        node_hash(self.range(start, middle), self.range(middle, end))
    }
}

/// The largest power of two below `count`, for `count >= 2`.
fn split(count: u64) -> u64 {
    1 << (63 - (count - 1).leading_zeros())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::leaf_hash;

    /// MTH straight from the definition in RFC 6962, section 2.1.
    fn model(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => Hash::EMPTY,
            [one] => *one,
            many => {
                let (left, right) = many.split_at(split(many.len() as u64) as usize);
                node_hash(model(left), model(right))
            }
        }
    }

    #[test]
    fn roots_of_every_size_agree_with_the_definition() {
        let leaves: Vec<Hash> = (0..130u32).map(|i| leaf_hash(&i.to_be_bytes())).collect();
        let tree = Tree::from_leaves(leaves.iter().copied());
        for size in 0..=leaves.len() {
            assert_eq!(tree.root_at(size as u64), Some(model(&leaves[..size])), "size {size}");
        }
        assert_eq!(tree.root_at(131), None);
        assert_eq!(tree.root(), model(&leaves));
    }

    #[test]
    fn split_is_the_largest_smaller_power_of_two() {
        let splits: Vec<u64> = (2..=9).map(split).collect();
        assert_eq!(splits, [1, 2, 2, 4, 4, 4, 4, 8]);
    }
}

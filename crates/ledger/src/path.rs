//! Checks inclusion and consistency paths without the tree (RFC 9162, sections 2.1.3.2, 2.1.4.2).

use core::fmt;

use crate::hash::{Hash, node_hash};

/// Why a path does not prove what it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PathError {
    /// The leaf's index is not below the tree's size.
    IndexBeyondSize {
        /// Index of the leaf.
        index: u64,
        /// Leaves in the tree.
        size: u64,
    },
    /// The old tree is larger than the new one, or empty.
    SizesOutOfOrder {
        /// Leaves in the old tree.
        old: u64,
        /// Leaves in the new tree.
        new: u64,
    },
    /// The path has too few or too many hashes for these sizes.
    WrongLength {
        /// Hashes in the path.
        found: usize,
    },
    /// The path leads to another root.
    WrongRoot {
        /// The root that was to be reached.
        expected: Hash,
        /// The root the path leads to.
        computed: Hash,
    },
}

impl fmt::Display for PathError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::IndexBeyondSize { index, size } => {
                write!(f, "leaf {index} lies outside a tree of {size} leaves")
            }
            Self::SizesOutOfOrder { old, new } => {
                write!(f, "a tree of {old} leaves cannot be proven a prefix of one of {new}")
            }
            Self::WrongLength { found } => {
                write!(f, "the path has {found} hashes, which does not fit the tree's size")
            }
            Self::WrongRoot { expected, computed } => {
                write!(f, "the path leads to root {computed} instead of {expected}")
            }
        }
    }
}

impl std::error::Error for PathError {}

/// Checks that `leaf` stands at `index` in the tree of `size` leaves with this `root`.
///
/// # Errors
/// Says what about the path is wrong; never panics on foreign input.
pub fn verify_inclusion(
    leaf: Hash,
    index: u64,
    size: u64,
    path: &[Hash],
    root: Hash,
) -> Result<(), PathError> {
    if index >= size {
        return Err(PathError::IndexBeyondSize { index, size });
    }
    let too_long = PathError::WrongLength { found: path.len() };
    let (mut node, mut last) = (index, size - 1);
    let mut hash = leaf;
    for sibling in path {
        if last == 0 {
            return Err(too_long);
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(*sibling, hash);
            while node & 1 == 0 && node != 0 {
                (node, last) = (node >> 1, last >> 1);
            }
        } else {
            hash = node_hash(hash, *sibling);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    if last != 0 {
        return Err(PathError::WrongLength { found: path.len() });
    }
    same_root(root, hash)
}

/// Checks that the tree of `old` leaves with `old_root` is a prefix of that of `new` leaves with
/// `new_root`. Equal sizes need an empty path and equal roots.
///
/// # Errors
/// Says what about the path is wrong; never panics on foreign input.
pub fn verify_consistency(
    (old, old_root): (u64, Hash),
    (new, new_root): (u64, Hash),
    path: &[Hash],
) -> Result<(), PathError> {
    if old == 0 || old > new {
        return Err(PathError::SizesOutOfOrder { old, new });
    }
    let wrong_length = Err(PathError::WrongLength { found: path.len() });
    if old == new {
        return if path.is_empty() { same_root(new_root, old_root) } else { wrong_length };
    }
    // When the old tree is one complete subtree its root starts the path, and is left out of it.
    let (first, rest) = match (old.is_power_of_two(), path.split_first()) {
        (true, _) => (old_root, path),
        (false, Some((first, rest))) => (*first, rest),
        (false, None) => return wrong_length,
    };
    let (mut node, mut last) = (old - 1, new - 1);
    while node & 1 == 1 {
        (node, last) = (node >> 1, last >> 1);
    }
    let (mut from_old, mut from_new) = (first, first);
    for hash in rest {
        if last == 0 {
            return wrong_length;
        }
        if node & 1 == 1 || node == last {
            from_old = node_hash(*hash, from_old);
            from_new = node_hash(*hash, from_new);
            while node & 1 == 0 && node != 0 {
                (node, last) = (node >> 1, last >> 1);
            }
        } else {
            from_new = node_hash(from_new, *hash);
        }
        (node, last) = (node >> 1, last >> 1);
    }
    if last != 0 {
        return wrong_length;
    }
    same_root(old_root, from_old)?;
    same_root(new_root, from_new)
}

fn same_root(expected: Hash, computed: Hash) -> Result<(), PathError> {
    if expected == computed { Ok(()) } else { Err(PathError::WrongRoot { expected, computed }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Tree, leaf_hash};

    fn tree(size: u32) -> Tree {
        Tree::from_leaves((0..size).map(|i| leaf_hash(&i.to_be_bytes())))
    }

    fn flip(hash: Hash) -> Hash {
        let mut bytes = hash.0;
        bytes[13] ^= 4;
        Hash(bytes)
    }

    #[test]
    fn every_inclusion_path_up_to_130_leaves_holds_and_no_damaged_one_does() {
        let tree = tree(130);
        for size in 1..=130 {
            let root = tree.root_at(size).unwrap();
            for index in 0..size {
                let leaf = tree.leaf(index).unwrap();
                let path = tree.inclusion(index, size).unwrap();
                assert_eq!(verify_inclusion(leaf, index, size, &path, root), Ok(()));
                assert!(verify_inclusion(flip(leaf), index, size, &path, root).is_err());
                assert!(verify_inclusion(leaf, index, size, &path, flip(root)).is_err());
                let mut longer = path.clone();
                longer.push(root);
                assert!(verify_inclusion(leaf, index, size, &longer, root).is_err());
                for at in 0..path.len() {
                    let mut other = path.clone();
                    other[at] = flip(other[at]);
                    assert!(verify_inclusion(leaf, index, size, &other, root).is_err());
                    other.remove(at);
                    assert!(verify_inclusion(leaf, index, size, &other, root).is_err());
                }
                for other in (0..size).filter(|other| *other != index) {
                    assert!(verify_inclusion(leaf, other, size, &path, root).is_err());
                }
            }
            assert_eq!(tree.inclusion(size, size), None);
        }
    }

    #[test]
    fn every_consistency_path_up_to_130_leaves_holds_and_no_damaged_one_does() {
        let tree = tree(130);
        for new in 1..=130 {
            let new_root = tree.root_at(new).unwrap();
            for old in 1..=new {
                let old_root = tree.root_at(old).unwrap();
                let path = tree.consistency(old, new).unwrap();
                let check = |old_root, new_root, path: &[Hash]| {
                    verify_consistency((old, old_root), (new, new_root), path)
                };
                assert_eq!(check(old_root, new_root, &path), Ok(()), "{old} in {new}");
                assert!(check(flip(old_root), new_root, &path).is_err(), "{old} in {new}");
                assert!(check(old_root, flip(new_root), &path).is_err(), "{old} in {new}");
                let mut longer = path.clone();
                longer.push(old_root);
                assert!(check(old_root, new_root, &longer).is_err());
                for at in 0..path.len() {
                    let mut other = path.clone();
                    other[at] = flip(other[at]);
                    assert!(check(old_root, new_root, &other).is_err());
                    other.remove(at);
                    assert!(check(old_root, new_root, &other).is_err());
                }
            }
        }
        assert_eq!(tree.consistency(0, 5), None);
        assert_eq!(tree.consistency(6, 5), None);
        assert_eq!(tree.consistency(5, 131), None);
    }

    #[test]
    fn sizes_that_make_no_sense_are_named() {
        let root = tree(3).root();
        let far = verify_inclusion(root, 3, 3, &[], root).unwrap_err();
        assert_eq!(far.to_string(), "leaf 3 lies outside a tree of 3 leaves");
        let empty = verify_consistency((0, Hash::EMPTY), (3, root), &[]).unwrap_err();
        assert_eq!(empty.to_string(), "a tree of 0 leaves cannot be proven a prefix of one of 3");
        let huge = [root; 70];
        assert!(verify_inclusion(root, u64::MAX - 1, u64::MAX, &huge, root).is_err());
        assert!(verify_consistency((1, root), (u64::MAX, root), &huge).is_err());
    }
}

//! The public record as a Merkle tree: RFC 6962 hashes, C2SP checkpoints, cosignatures, tiles,
//! and receipts that foreign tools can check.
//!
//! A leaf is any byte string. The crate knows neither ballots nor elections: it answers "is this
//! leaf in the tree that a quorum of authorities signed", and "is this tree a prefix of that one".
//!
//! ```
//! use ledger::{Tree, leaf_hash, verify_inclusion};
//! let mut tree = Tree::new();
//! for leaf in ["a", "b", "c"] {
//!     tree.append(leaf_hash(leaf.as_bytes()));
//! }
//! let path = tree.inclusion(1, 3).unwrap();
//! assert_eq!(verify_inclusion(leaf_hash(b"b"), 1, 3, &path, tree.root()), Ok(()));
//! ```
#![forbid(unsafe_code)]

mod authority_key;
mod checkpoint;
mod hash;
mod note;
mod path;
mod policy;
mod receipt;
mod tile;
mod tree;

pub use authority_key::{AuthorityKey, AuthoritySigner, Cosignature, KeyError};
pub use checkpoint::{Checkpoint, ORIGIN_BYTES_MAX};
pub use hash::{Hash, leaf_hash, node_hash};
pub use note::{NoteError, NoteSignature, SIGNATURES_MAX, SignedCheckpoint};
pub use path::{PathError, verify_consistency, verify_inclusion};
pub use policy::{
    AUTHORITIES_MAX, OriginRule, Policy, PolicyError, PolicyParseError, QuorumError, quorum,
};
pub use receipt::{EXTRA_BYTES_MAX, Receipt, ReceiptError};
pub use tile::{
    BundleError, ENTRY_BYTES_MAX, TILE_WIDTH, TilePath, decode_bundle, encode_bundle, tiles_of,
};
pub use tree::Tree;

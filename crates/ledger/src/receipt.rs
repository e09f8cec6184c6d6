//! A receipt: "this leaf stands at this index under a checkpoint that a quorum has signed", as a
//! C2SP tlog-proof text that foreign tools check too.
//!
//! What binds the receipt to somebody's ballot is the leaf: its holder computes the leaf's hash
//! from bytes it already has, and the opaque `extra` bytes only help with that.

use core::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::{
    checkpoint::{base64_hash, decimal},
    hash::Hash,
    note::{NoteError, SignedCheckpoint},
    path::{PathError, verify_inclusion},
    policy::{Policy, QuorumError},
};

/// Most opaque bytes a receipt carries.
pub const EXTRA_BYTES_MAX: usize = 4096;
/// A tree of 2^64 leaves is 64 levels high.
const PATH_MAX: usize = 64;
const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";

/// A leaf's place under a signed checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// Opaque to this crate and not proven by the receipt; at most [`EXTRA_BYTES_MAX`].
    pub extra: Vec<u8>,
    /// Index of the leaf, from 0.
    pub index: u64,
    /// Inclusion path from the leaf's sibling upwards.
    pub path: Vec<Hash>,
    /// The checkpoint with its cosignatures.
    pub checkpoint: SignedCheckpoint,
}

/// Why a receipt proves nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReceiptError {
    /// A line of the receipt is not what it must be. Lines count from 1.
    Line {
        /// Which line.
        line: usize,
        /// What belongs there.
        expected: &'static str,
    },
    /// The checkpoint inside is not well-formed; its lines are counted from its first.
    Checkpoint(NoteError),
    /// The leaf is not in the signed tree.
    Path(PathError),
    /// The checkpoint is not signed by a quorum of trusted authorities.
    Quorum(QuorumError),
}

impl fmt::Display for ReceiptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line { line, expected } => {
                write!(f, "receipt, line {line}: expected {expected}")
            }
            Self::Checkpoint(error) => write!(f, "checkpoint in the receipt, {error}"),
            Self::Path(error) => write!(f, "the receipt does not include this leaf: {error}"),
            Self::Quorum(error) => write!(f, "the receipt is not final: {error}"),
        }
    }
}

impl std::error::Error for ReceiptError {}

impl Receipt {
    /// Checks that `leaf` stands at the receipt's index in a tree signed by a quorum; returns the
    /// numbers of the authorities that signed.
    ///
    /// # Errors
    /// Says what is not proven.
    pub fn verify(&self, policy: &Policy, leaf: Hash) -> Result<Vec<usize>, ReceiptError> {
        let checkpoint = &self.checkpoint.checkpoint;
        verify_inclusion(leaf, self.index, checkpoint.size, &self.path, checkpoint.root)
            .map_err(ReceiptError::Path)?;
        policy.verify(&self.checkpoint).map_err(ReceiptError::Quorum)
    }

    /// Parses the text; accepts only what `Display` prints.
    ///
    /// # Errors
    /// Names the first line that is not as it must be.
    pub fn parse(text: &str) -> Result<Self, ReceiptError> {
        let wrong = |line, expected| ReceiptError::Line { line, expected };
        let no_checkpoint = wrong(3, "an empty line before the checkpoint");
        let (head, note) = text.split_once("\n\n").ok_or(no_checkpoint)?;
        let mut lines = head.split('\n').enumerate().map(|(at, line)| (at + 1, line)).peekable();
        if lines.next() != Some((1, FIRST_LINE)) {
            return Err(wrong(1, "`c2sp.org/tlog-proof@v1`"));
        }
        let mut extra = Vec::new();
        if let Some((line, text)) = lines.next_if(|(_, line)| line.starts_with("extra ")) {
            extra = STANDARD.decode(&text["extra ".len()..]).unwrap_or_default();
            if extra.is_empty() || extra.len() > EXTRA_BYTES_MAX {
                return Err(wrong(line, "`extra ` and 1 to 4096 bytes in base64"));
            }
        }
        let expected = "`index ` and a number in decimal";
        let (line, index) = lines.next().ok_or(wrong(2, expected))?;
        let index = index.strip_prefix("index ").and_then(decimal).ok_or(wrong(line, expected))?;
        let mut path = Vec::new();
        for (line, text) in lines {
            let hash = base64_hash(text).filter(|_| path.len() < PATH_MAX);
            path.push(hash.ok_or(wrong(line, "a hash in base64, at most 64 of them"))?);
        }
        let checkpoint =
            SignedCheckpoint::parse(note.as_bytes()).map_err(ReceiptError::Checkpoint)?;
        Ok(Self { extra, index, path, checkpoint })
    }
}

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{FIRST_LINE}")?;
        if !self.extra.is_empty() {
            writeln!(f, "extra {}", STANDARD.encode(&self.extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        for hash in &self.path {
            writeln!(f, "{}", STANDARD.encode(hash.0))?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AuthoritySigner, Checkpoint, OriginRule, Tree, leaf_hash};

    fn sample() -> (Receipt, Policy) {
        let tree = Tree::from_leaves((0..7u8).map(|i| leaf_hash(&[i])));
        let signer = AuthoritySigner::from_seed("node-1", &[3; 32]).unwrap();
        let origin = "vote.example/e/1".to_owned();
        let checkpoint = Checkpoint { origin: origin.clone(), size: 7, root: tree.root() };
        let mut note = SignedCheckpoint::unsigned(checkpoint.clone());
        note.add(signer.key(), &signer.cosign(&checkpoint, 60));
        let path = tree.inclusion(4, 7).unwrap();
        let policy = Policy::new(OriginRule::Exact(origin), vec![signer.key().clone()], 0);
        (Receipt { extra: b"extra".to_vec(), index: 4, path, checkpoint: note }, policy.unwrap())
    }

    #[test]
    fn a_receipt_proves_its_leaf_and_no_other() {
        let (receipt, policy) = sample();
        let text = receipt.to_string();
        assert_eq!(Receipt::parse(&text), Ok(receipt.clone()));
        assert_eq!(receipt.verify(&policy, leaf_hash(&[4])), Ok(vec![1]));
        for other in [0, 1, 2, 3, 5, 6, 7] {
            let refused = receipt.verify(&policy, leaf_hash(&[other])).unwrap_err();
            assert!(refused.to_string().starts_with("the receipt does not include this leaf"));
        }
    }

    #[test]
    fn every_bit_of_a_receipt_but_its_extra_counts() {
        let (receipt, policy) = sample();
        let text = Receipt { extra: Vec::new(), ..receipt }.to_string();
        for at in 0..text.len() {
            for bit in 0..8 {
                let mut bytes = text.clone().into_bytes();
                bytes[at] ^= 1 << bit;
                let proven = String::from_utf8(bytes)
                    .ok()
                    .and_then(|text| Receipt::parse(&text).ok())
                    .is_some_and(|receipt| receipt.verify(&policy, leaf_hash(&[4])).is_ok());
                assert!(!proven, "byte {at} bit {bit}");
            }
        }
    }

    #[test]
    fn what_is_wrong_is_named_by_line() {
        let text = sample().0.to_string();
        let check = |from: &str, to: &str, expected: &str| {
            let other = text.replacen(from, to, 1);
            assert_eq!(Receipt::parse(&other).unwrap_err().to_string(), expected, "{other}");
        };
        check("@v1", "@v2", "receipt, line 1: expected `c2sp.org/tlog-proof@v1`");
        check("ZXh0cmE=", "", "receipt, line 2: expected `extra ` and 1 to 4096 bytes in base64");
        check("index 4", "index 04", "receipt, line 3: expected `index ` and a number in decimal");
        check(
            "index 4\n",
            "index 4\nAAAA\n",
            "receipt, line 4: expected a hash in base64, at most 64 of them",
        );
        check(
            "\n7\n",
            "\n07\n",
            "checkpoint in the receipt, line 2: expected the number of leaves in decimal",
        );
        check("\n\n", "\n", "receipt, line 7: expected a hash in base64, at most 64 of them");
    }
}

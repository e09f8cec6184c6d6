//! A voter's receipt: a [`ledger::Receipt`] whose leaf is an entry around the voter's own ballot.
//!
//! The voter's client keeps the ballot's bytes. The receipt's `extra` bytes are the entry's seven
//! head bytes and the appender's signature, so that client and ballot together give the leaf. The
//! receipt holds nothing about the choice.

use core::fmt;

use ballot::Tracker;
use ledger::{Policy, Receipt, ReceiptError, SignedCheckpoint, leaf_hash};

use crate::{
    entry::{Body, Entry, HEADER_BYTES, SIGNATURE_BYTES},
    fold::Fold,
    wire::sha256,
};

/// What a valid receipt says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirmed {
    /// The ballot's short name.
    pub tracker: Tracker,
    /// Its leaf.
    pub leaf_index: u64,
    /// When it was appended, in minutes since 1970 UTC, as its appender says.
    pub stamp: u32,
    /// Numbers (by place in the trust file, from 1) of the authorities that signed.
    pub signers: Vec<usize>,
}

/// Why a receipt does not confirm a ballot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BallotReceiptError {
    /// The receipt itself does not hold.
    Receipt(ReceiptError),
    /// Its extra bytes are not head and signature of a ballot's entry.
    Extra,
}

impl fmt::Display for BallotReceiptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Receipt(error) => write!(f, "{error}"),
            Self::Extra => f.write_str("the receipt does not belong to a ballot"),
        }
    }
}

impl std::error::Error for BallotReceiptError {}

/// The receipt of the ballot at a leaf under a checkpoint; `None` when the leaf is no ballot or is
/// not below the checkpoint, or the checkpoint is of another tree.
pub fn issue(fold: &Fold, leaf_index: u64, checkpoint: &SignedCheckpoint) -> Option<Receipt> {
    let leaf = fold.leaves().get(usize::try_from(leaf_index).ok()?)?;
    let Body::Ballot(_) = Entry::decode(leaf).ok()?.body else { return None };
    let size = checkpoint.checkpoint.size;
    let path = fold.tree().inclusion(leaf_index, size)?;
    let same = fold.tree().root_at(size) == Some(checkpoint.checkpoint.root);
    let extra = [&leaf[..HEADER_BYTES], &leaf[leaf.len() - SIGNATURE_BYTES..]].concat();
    let checkpoint = checkpoint.clone();
    same.then_some(Receipt { extra, index: leaf_index, path, checkpoint })
}

/// Checks that a quorum holds this ballot.
///
/// # Errors
/// Says what is not proven.
pub fn verify(
    receipt: &Receipt,
    ballot: &[u8],
    policy: &Policy,
) -> Result<Confirmed, BallotReceiptError> {
    let (head, signature) =
        receipt.extra.split_first_chunk::<HEADER_BYTES>().ok_or(BallotReceiptError::Extra)?;
    let leaf = [head, ballot, signature].concat();
    let entry = Entry::decode(&leaf).map_err(|_| BallotReceiptError::Extra)?;
    if entry.body != Body::Ballot(ballot) {
        return Err(BallotReceiptError::Extra);
    }
    let signers = receipt.verify(policy, leaf_hash(&leaf)).map_err(BallotReceiptError::Receipt)?;
    let tracker = Tracker::of_hash(&sha256(&[ballot]));
    Ok(Confirmed { tracker, leaf_index: receipt.index, stamp: entry.stamp, signers })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{ElectionBuilder, STAMP, choose};

    #[test]
    fn a_receipt_confirms_its_ballot_and_no_other() {
        let mut election = ElectionBuilder::new(31).voters(2).build();
        let mut run = election.open();
        let ballots: Vec<Vec<u8>> = (0..2)
            .map(|voter| {
                let ballot = election.cast(voter, &[choose(0), choose(0)]);
                run.push(election.entry(&Body::Ballot(&ballot))).unwrap();
                ballot
            })
            .collect();
        let fold = run.fold;
        let size = fold.tree().size();
        let checkpoint = election.checkpoint(fold.tree(), size);
        let receipt = issue(&fold, size - 2, &checkpoint).unwrap();
        let receipt = Receipt::parse(&receipt.to_string()).unwrap();
        let confirmed = verify(&receipt, &ballots[0], &election.policy()).unwrap();
        assert_eq!((confirmed.leaf_index, confirmed.stamp), (size - 2, STAMP));
        assert_eq!(fold.find_tracker(&confirmed.tracker), Some(size - 2));
        assert_eq!(confirmed.signers, [2, 3]);

        let other = verify(&receipt, &ballots[1], &election.policy()).unwrap_err();
        assert!(other.to_string().starts_with("the receipt does not include this leaf"));
        for at in 0..receipt.extra.len() {
            let mut damaged = receipt.clone();
            damaged.extra[at] ^= 1;
            assert!(verify(&damaged, &ballots[0], &election.policy()).is_err(), "extra {at}");
        }
        assert_eq!(issue(&fold, 0, &checkpoint), None, "leaf 0 is no ballot");
        let early = election.checkpoint(fold.tree(), size - 1);
        assert_eq!(issue(&fold, size - 1, &early), None, "not below the checkpoint");
    }
}

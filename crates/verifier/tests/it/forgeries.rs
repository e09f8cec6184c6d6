//! Forgers who recompute every hash that needs no key, and forgers who hold every authority's key.

use bytes::Bytes;
use election::{
    Archive, Body, Entry,
    testing::{STAMP, TestElection},
};
use ledger::{Checkpoint, SignedCheckpoint, Tree, leaf_hash};
use verifier::Report;

use super::{blamed, encode, sample, verify};

/// The archive with other leaves, all hashes, roots and checksums made to fit, and the old
/// signature lines kept.
fn rehashed(archive: &Archive, leaves: Vec<Bytes>) -> Bytes {
    let tree = Tree::from_leaves(leaves.iter().map(|leaf| leaf_hash(leaf)));
    let last = archive.checkpoints.len() - 1;
    let mut checkpoints = Vec::new();
    for (number, note) in archive.checkpoints.iter().enumerate() {
        let size = if number == last { tree.size() } else { note.checkpoint.size };
        let Some(root) = tree.root_at(size) else { continue };
        let origin = note.checkpoint.origin.clone();
        let text = note.to_string();
        let lines = text.split_once("\n\n").unwrap().1;
        let text = format!("{}\n{lines}", Checkpoint { origin, size, root });
        checkpoints.push(SignedCheckpoint::parse(text.as_bytes()).unwrap());
    }
    checkpoints.dedup_by_key(|note| note.checkpoint.size);
    Bytes::from(Archive { leaves, checkpoints }.encode())
}

/// Places in an entry worth changing: all of the head, and some of the rest.
fn places(length: usize) -> Vec<usize> {
    let some = (12..length).step_by((length / 9).max(1));
    (0..12.min(length)).chain(some).chain([length - 64, length - 33, length - 1]).collect()
}

#[test]
fn a_changed_entry_is_named_although_all_hashes_fit() {
    let (_, finished) = sample(20);
    let archive = Archive::decode(&finished.archive).unwrap();
    let check = |index: usize, changed: Vec<u8>, what: &str| {
        let mut leaves = archive.leaves.clone();
        leaves[index] = Bytes::from(changed);
        let report = verify(&rehashed(&archive, leaves), Some(&finished.trust));
        assert_eq!(blamed(&report).1, Some(index as u64), "entry {index}, {what}\n{report}");
    };
    for (index, leaf) in archive.leaves.iter().enumerate() {
        for at in places(leaf.len()) {
            let mut changed = leaf.to_vec();
            changed[at] ^= 1 << (at % 8);
            check(index, changed, &format!("byte {at}"));
        }
        check(index, leaf[..leaf.len() - 1].to_vec(), "cut");
        check(index, [&leaf[..], &[0]].concat(), "longer");
        check(index, Vec::new(), "empty");
    }
}

#[test]
fn removed_added_and_exchanged_entries_are_found() {
    let (_, finished) = sample(21);
    let archive = Archive::decode(&finished.archive).unwrap();
    let check = |leaves: Vec<Bytes>, what: &str| -> Report {
        let report = verify(&rehashed(&archive, leaves), Some(&finished.trust));
        assert!(blamed(&report).1.is_some(), "{what}\n{report}");
        report
    };
    let count = archive.leaves.len();
    for index in 0..count {
        // Without its last entry an archive is only unfinished, but no longer signed.
        if index + 1 < count {
            let mut leaves = archive.leaves.clone();
            leaves.remove(index);
            check(leaves, &format!("entry {index} removed"));
        }
        let mut leaves = archive.leaves.clone();
        leaves.insert(index, leaves[index].clone());
        let report = check(leaves, &format!("entry {index} doubled"));
        assert_eq!(blamed(&report).1, Some(index as u64 + 1));
    }
    for index in 1..count {
        let mut leaves = archive.leaves.clone();
        leaves.swap(index - 1, index);
        let report = verify(&rehashed(&archive, leaves), Some(&finished.trust));
        assert_eq!(report.verdict.exit_status(), 1, "entries {index} and the one before");
    }
}

/// The same body with one byte changed, sealed again by the true appender.
fn resealed(election: &TestElection, leaf: &Bytes, at: usize) -> Option<Bytes> {
    let head = 7;
    let body = &leaf[head..leaf.len() - 64];
    let mut changed = leaf.to_vec();
    *changed.get_mut(head + at).filter(|_| at < body.len())? ^= 1 << (at % 8);
    let entry = Entry::decode(&changed).ok()?;
    Some(election.entry_by(entry.appender, entry.stamp, &entry.body))
}

#[test]
fn all_authorities_together_cannot_change_what_others_signed() {
    let (election, finished) = sample(22);
    let archive = Archive::decode(&finished.archive).unwrap();
    let mut changed = 0;
    for (index, leaf) in archive.leaves.iter().enumerate() {
        for at in places(leaf.len() - 71) {
            let Some(other) = resealed(&election, leaf, at) else { continue };
            let mut leaves = archive.leaves.clone();
            leaves[index] = other;
            let size = leaves.len() as u64;
            let forged = encode(&election.archive(&leaves, &[size]));
            let report = verify(&forged, Some(&finished.trust));
            assert_eq!(blamed(&report).1, Some(index as u64), "byte {at}\n{report}");
            changed += 1;
        }
    }
    assert!(changed > 300, "only {changed} changes were tried");
}

#[test]
fn all_authorities_together_cannot_drop_a_counted_ballot() {
    let (election, finished) = sample(23);
    let mut leaves = Archive::decode(&finished.archive).unwrap().leaves;
    let ballot = |leaf: &Bytes| matches!(Entry::decode(leaf).unwrap().body, Body::Ballot(_));
    let last = leaves.iter().rposition(ballot).unwrap();
    leaves.remove(last);
    let size = leaves.len() as u64;
    let report = verify(&encode(&election.archive(&leaves, &[size])), Some(&finished.trust));
    // The trustees decrypted the sums of the tree with that ballot.
    assert_eq!(blamed(&report), (13, Some(last as u64 + 1)), "{report}");
}

#[test]
fn a_ballot_stuffed_in_by_all_authorities_is_refused() {
    let (mut election, finished) = sample(24);
    let leaves = Archive::decode(&finished.archive).unwrap().leaves;
    let stranger = ballot::Credential::from_seed(&[1; 32]);
    election.credentials[2] = stranger;
    let stuffed = election.cast(2, &[election::testing::choose(0), election::testing::choose(0)]);
    let mut leaves = leaves;
    leaves.insert(16, election.entry_by(2, STAMP, &Body::Ballot(&stuffed)));
    let size = leaves.len() as u64;
    let report = verify(&encode(&election.archive(&leaves, &[size])), Some(&finished.trust));
    assert_eq!(blamed(&report), (10, Some(16)), "{report}");
}

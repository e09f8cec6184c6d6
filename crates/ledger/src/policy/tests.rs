//! Quorums, the trust file's one text, and what makes a checkpoint final.

use super::*;
use crate::{AuthoritySigner, Checkpoint, Hash};

fn signers(count: u8) -> Vec<AuthoritySigner> {
    (1..=count)
        .map(|i| AuthoritySigner::from_seed(&format!("node-{i}.vote.example"), &[i; 32]).unwrap())
        .collect()
}

fn policy(signers: &[AuthoritySigner], faulty: usize) -> Result<Policy, PolicyError> {
    let keys = signers.iter().map(|signer| signer.key().clone()).collect();
    Policy::new(OriginRule::Exact("vote.example/e/1".into()), keys, faulty)
}

#[test]
fn quorums_are_those_of_the_design() {
    let table = [(1, 0, 1), (3, 0, 2), (4, 1, 3), (5, 1, 4), (7, 2, 5), (64, 21, 43)];
    for (n, f, q) in table {
        assert_eq!(quorum(n, f), Some(q), "{n} authorities, {f} faulty");
    }
    for (n, f) in [(0, 0), (3, 1), (6, 2), (65, 0), (1, usize::MAX)] {
        assert_eq!(quorum(n, f), None, "{n} authorities, {f} faulty");
    }
    // Two quorums always share at least f + 1 authorities, and the honest ones alone are enough.
    for f in 0..=21 {
        for n in 3 * f + 1..=64 {
            let q = quorum(n, f).unwrap();
            assert!(2 * q > n + f && q <= n - f, "{n} authorities, {f} faulty");
        }
    }
}

#[test]
fn a_trust_file_has_one_text() {
    let text = policy(&signers(3), 0).unwrap().to_string();
    assert_eq!(Policy::parse(&text).unwrap().to_string(), text);
    let below = text.replacen("vote.example/e/1", "vote.example/e/*", 1);
    let below = Policy::parse(&below).unwrap();
    assert!(below.origin().covers("vote.example/e/77"));
    assert!(!below.origin().covers("vote.example/else"));
    assert!(!below.origin().covers("vote.example/e"));

    let check = |from: &str, to: &str, expected: &str| {
        let other = text.replacen(from, to, 1);
        assert_ne!(other, text);
        assert_eq!(Policy::parse(&other).unwrap_err().to_string(), expected, "{other}");
    };
    check("trust v1", "trust v2", "line 1, column 1: expected the line `# quorate trust v1`");
    check("# origin", "#origin", "line 2, column 1: expected a line that starts with `# origin `");
    check("# faulty 0", "# faulty 00", "line 3, column 10: expected a number in decimal");
    check(
        "# faulty 0",
        "# faulty 1",
        "line 6, column 1: 3 authorities cannot stand 1 malicious: at least 4 are needed",
    );
    check(
        "witness 2",
        "witness 3",
        "line 5, column 1: expected a line that starts with `witness 2 `",
    );
    check(
        "node-2",
        "node-4",
        "line 5, column 11: the key's id does not belong to its name and key: one was changed",
    );
    check(
        "group authorities 2",
        "group authorities 1",
        "line 7, column 1: expected the line `group authorities 2 1 2 3`",
    );
    check(
        "quorum authorities\n",
        "quorum authorities",
        "line 8, column 1: expected the line `quorum authorities`, ended by a newline",
    );
    check(
        "quorum authorities\n",
        "quorum authorities\n\n",
        "line 9, column 1: expected the end of the file",
    );
}

#[test]
fn every_byte_of_a_trust_file_counts() {
    let text = policy(&signers(2), 0).unwrap().to_string();
    let parsed = Policy::parse(&text).unwrap();
    for at in 0..text.len() {
        for bit in 0..7 {
            let mut bytes = text.clone().into_bytes();
            bytes[at] ^= 1 << bit;
            let other = String::from_utf8(bytes).unwrap();
            assert_ne!(Policy::parse(&other).ok().as_ref(), Some(&parsed), "byte {at} bit {bit}");
        }
    }
}

#[test]
fn a_number_of_malicious_ones_beyond_all_bounds_is_a_sentence() {
    for faulty in [usize::MAX, usize::MAX / 3 + 1, 65] {
        let text = format!("# quorate trust v1\n# origin a\n# faulty {faulty}\n");
        let refused = Policy::parse(&text).unwrap_err().to_string();
        assert!(refused.contains("authorities"), "{refused}");
        let refused = PolicyError::Count { authorities: 4, faulty }.to_string();
        assert!(refused.starts_with("4 authorities cannot stand"), "{refused}");
    }
}

#[test]
fn doubles_are_refused() {
    let mut keys: Vec<AuthorityKey> = signers(2).iter().map(|s| s.key().clone()).collect();
    keys.push(AuthorityKey::new("node-3.vote.example", keys[0].public()).unwrap());
    let refused = Policy::new(OriginRule::Exact("a".into()), keys, 0).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "authority node-3.vote.example appears twice, by its name or by its key"
    );
}

#[test]
fn a_quorum_of_valid_cosignatures_makes_a_checkpoint_final() {
    let signers = signers(4);
    let policy = policy(&signers, 1).unwrap();
    let checkpoint = Checkpoint { origin: "vote.example/e/1".into(), size: 5, root: Hash([1; 32]) };
    let mut note = SignedCheckpoint::unsigned(checkpoint.clone());
    let sign = |note: &mut SignedCheckpoint, at: usize| {
        let signer: &AuthoritySigner = &signers[at];
        note.add(signer.key(), &signer.cosign(&checkpoint, 60))
    };
    for at in [3, 1] {
        assert!(sign(&mut note, at));
        assert!(!sign(&mut note, at), "one key signs once");
    }
    assert_eq!(policy.verify(&note), Err(QuorumError::TooFew { valid: 2, needed: 3 }));
    assert!(sign(&mut note, 0));
    assert_eq!(policy.verify(&note), Ok(vec![1, 2, 4]));

    let mut foreign = note.clone();
    foreign.checkpoint.origin = "vote.example/e/2".into();
    assert_eq!(
        policy.verify(&foreign).unwrap_err().to_string(),
        "the checkpoint is of vote.example/e/2, but the trust file speaks about vote.example/e/1"
    );
    let mut moved = note;
    moved.checkpoint.size = 6;
    assert_eq!(
        policy.verify(&moved).unwrap_err().to_string(),
        "the cosignature under the name node-1.vote.example is not by that key"
    );
}

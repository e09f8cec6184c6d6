//! Manifests that promise something else than the ledger holds.

use bytes::Bytes;
use election::{
    Act, Body, Fold, Manifest, Roll,
    testing::{ElectionBuilder, TestElection},
};

/// The refusals of a setup under a changed and newly sealed manifest.
fn refusals(election: &TestElection, change: impl FnOnce(&mut Manifest)) -> Vec<String> {
    let mut manifest = election.manifest.clone();
    change(&mut manifest);
    let signature = Act::Seal.sign(&manifest.fingerprint(), &election.admin);
    let body = manifest.encode();
    let mut entries = vec![election.entry(&Body::Manifest { manifest: &body, signature })];
    let setup = election.setup_entries();
    entries.extend(setup[1..setup.len() - 5].iter().cloned());
    let mut fold = Fold::new(election.id());
    let verdicts = entries.iter().map(|entry| fold.push(entry));
    verdicts.filter_map(|verdict| Some(verdict.err()?.to_string())).collect()
}

fn check(change: impl FnOnce(&mut Manifest), expected: &str) {
    let refused = refusals(&ElectionBuilder::new(40).build(), change);
    assert_eq!(refused.first().map(String::as_str), Some(expected), "{refused:#?}");
}

#[test]
fn the_true_manifest_is_accepted() {
    assert!(refusals(&ElectionBuilder::new(40).build(), |_| ()).is_empty());
}

#[test]
fn keys_must_follow_from_the_ceremony() {
    let other = ElectionBuilder::new(41).build().manifest;
    check(
        |m| m.joint_key = other.joint_key,
        "bad-ceremony: The dealings give another joint key than the manifest has.",
    );
    check(
        |m| m.ceremony_hash[0] ^= 1,
        "bad-ceremony: The messages have another hash than the manifest says.",
    );
    check(
        |m| m.trustees[2].verification = other.trustees[2].verification,
        "bad-ceremony: The dealings give other verification keys than the manifest has.",
    );
    check(
        |m| m.trustees[2].signing = other.trustees[2].signing,
        "bad-ceremony: Trustee 3 announced another signing key than the manifest has.",
    );
    check(
        |m| m.ceremony_attempt = 1,
        "bad-ceremony: key ceremony: the message belongs to another ceremony or attempt.",
    );
    check(
        |m| m.definition.threshold = 3,
        "bad-ceremony: key ceremony: the message belongs to another ceremony or attempt.",
    );
}

#[test]
fn the_roll_must_be_the_one_named() {
    let refused = "bad-roll: The roll on the ledger is not the one the manifest names: its root \
                   or total weight differs.";
    check(|m| m.roll.root[0] ^= 1, refused);
    check(|m| m.roll.total_weight += 1, refused);
    check(|m| m.roll.count += 1, "bad-manifest: roll: the total weight 5 is out of range");
    check(|m| m.roll.count -= 1, "bad-roll: the roll chunk must hold 4 voters, not 5");
}

#[test]
fn long_rolls_come_in_order() {
    let election = ElectionBuilder::new(42).voters(1701).build();
    let chunks = election.roll.chunks();
    let mut fold = Fold::new(election.id());
    fold.push(&election.setup_entries()[0]).unwrap();
    let mut push = |chunk: &[u8]| {
        fold.push(&election.entry(&Body::RollChunk(chunk))).map_err(|refusal| refusal.to_string())
    };
    assert_eq!(push(&chunks[1]), Err("bad-roll: roll chunk 0 was expected, not 1".to_owned()));
    assert!(push(&chunks[0]).is_ok());
    assert_eq!(push(&chunks[0]), Err("bad-roll: roll chunk 1 was expected, not 0".to_owned()));
    assert!(push(&chunks[1]).is_ok());
    assert!(push(&chunks[1]).is_err());
    assert_eq!(
        Roll::new(election.roll.voters().to_vec()).unwrap().summary(),
        election.manifest.roll
    );
}

#[test]
fn a_manifest_of_impossible_authorities_is_refused_with_the_rule() {
    check(
        |m| m.faulty = 1,
        "bad-manifest: authorities: 3 authorities cannot stand 1 malicious: at least 4 are needed",
    );
}

#[test]
fn an_appender_must_be_an_authority_of_the_election() {
    let mut election = ElectionBuilder::new(43).build();
    election.appenders[0].index = 9;
    let refusal = Fold::new(election.id()).push(&election.setup_entries()[0]).unwrap_err();
    assert_eq!(refusal.to_string(), "unknown-appender: Number 9 is no authority of this election.");
    let stranger = ElectionBuilder::new(44).build();
    election.appenders[0] = stranger.appenders[0].clone();
    let entry: Bytes = election.setup_entries()[0].clone();
    let refusal = Fold::new(election.id()).push(&entry).unwrap_err();
    assert_eq!(refusal.code, "unknown-appender");
}

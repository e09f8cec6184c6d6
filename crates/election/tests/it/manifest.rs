//! The manifest's one byte form, its rules and its signatures.

use election::{Act, Definition, Draft, Endorser, Manifest, Problem, testing::ElectionBuilder};

fn check(change: impl FnOnce(&mut Manifest), expected: &str) {
    let mut manifest = ElectionBuilder::new(5).build().manifest;
    change(&mut manifest);
    let problems = manifest.check().unwrap_err();
    let texts: Vec<String> = problems.iter().map(Problem::to_string).collect();
    assert_eq!(texts.join(" | "), expected);
}

#[test]
fn each_broken_rule_is_told_with_its_field() {
    check(
        |m| m.faulty = 1,
        "authorities: 3 authorities cannot stand 1 malicious: at least 4 are needed",
    );
    check(|m| m.admin = [0; 32], "admin: is not a usable Ed25519 public key");
    check(|m| m.trustees.truncate(2), "trustees: 3 names but 2 pairs of keys");
    check(
        |m| m.trustees[1].signing = [0xff; 32],
        "trustees[1].signing: is not a usable Ed25519 public key",
    );
    check(
        |m| m.joint_key = [0; 32],
        "joint_key: a group element is the identity, which is forbidden",
    );
    check(|m| m.roll.count = 0, "roll: nobody is on the roll");
    check(
        |m| m.roll.total_weight = 1 << 41,
        "roll: the total weight 2199023255552 times the highest score 1 is more than 1099511627776 \
         (2^40), so the counts could not be found: use smaller weights or scores",
    );
    check(|m| m.roll.total_weight = 4, "roll: the total weight 4 is out of range");
    check(|m| m.authorities[1].index = 1, "authorities: their numbers must ascend from 1 or more");
    check(|m| m.authorities[0].index = 0, "authorities: their numbers must ascend from 1 or more");
    check(
        |m| m.authorities[1].key = m.authorities[0].key.clone(),
        "authorities: authority node-1.vote.example appears twice, by its name or by its key",
    );
    check(
        |m| m.authorities.clear(),
        "authorities: 0 authorities cannot stand 0 malicious: at least 1 are needed",
    );
    let long = |definition: &mut Definition| {
        definition.contests[1].options =
            (0..140).map(|i| format!("{i}{}", "x".repeat(490))).collect();
    };
    check(
        |m| long(&mut m.definition),
        "contests: the manifest has 69831 bytes, more than 65400: shorten the texts",
    );
}

#[test]
fn every_byte_of_a_manifest_counts() {
    let manifest = ElectionBuilder::new(5).build().manifest;
    let bytes = manifest.encode();
    assert_eq!(Manifest::decode(&bytes), Ok(manifest.clone()));
    for at in 0..bytes.len() {
        for xor in [1, 0x80, 0xff] {
            let mut other = bytes.clone();
            other[at] ^= xor;
            if let Ok(read) = Manifest::decode(&other) {
                assert_ne!(read, manifest, "byte {at}");
                assert_eq!(read.encode(), other, "byte {at}: read, but not the one form");
            }
        }
        assert!(Manifest::decode(&bytes[..at]).is_err(), "cut at {at}");
    }
    let longer = [&bytes[..], &[0]].concat();
    let error = Manifest::decode(&longer).unwrap_err().to_string();
    assert_eq!(
        error,
        format!("manifest: end at byte {}: more bytes follow the last field", bytes.len())
    );
}

#[test]
fn each_signature_is_for_one_act_by_one_person() {
    let election = ElectionBuilder::new(5).build();
    let manifest = &election.manifest;
    let fingerprint = manifest.fingerprint();
    let trustee = election.trustees[1].signing_key();
    let authority = &election.appenders[1].key;
    let acts = [
        (Act::Seal, &election.admin),
        (Act::Open, &election.admin),
        (Act::Close, &election.admin),
        (Act::Endorse(Endorser::Trustee(2)), &trustee),
        (Act::Endorse(Endorser::Authority(2)), authority),
    ];
    for (signed, key) in acts {
        let signature = signed.sign(&fingerprint, key);
        for (act, _) in acts {
            let valid = act.verify(manifest, &fingerprint, &signature);
            assert_eq!(valid, act == signed, "{signed:?} for {act:?}");
        }
        let mut other = fingerprint;
        other.0[0] ^= 1;
        assert!(!signed.verify(manifest, &other, &signature));
    }
    let first = Act::Endorse(Endorser::Trustee(1));
    assert!(!first.verify(manifest, &fingerprint, &first.sign(&fingerprint, &trustee)));
    for nobody in [Endorser::Trustee(0), Endorser::Trustee(4), Endorser::Authority(0)] {
        let act = Act::Endorse(nobody);
        assert!(!act.verify(manifest, &fingerprint, &act.sign(&fingerprint, &trustee)));
    }
}

#[test]
fn a_draft_is_signed_whole() {
    let election = ElectionBuilder::new(5).build();
    let bytes = election.draft.encode();
    let signature = election.draft.sign(&election.admin);
    assert_eq!(Draft::decode(&bytes), Ok(election.draft.clone()));
    assert!(election.draft.verify(&signature));
    for at in 0..bytes.len() {
        let mut other = bytes.clone();
        other[at] ^= 1;
        let valid = Draft::decode(&other).is_ok_and(|draft| draft.verify(&signature));
        assert!(!valid, "byte {at}");
    }
}

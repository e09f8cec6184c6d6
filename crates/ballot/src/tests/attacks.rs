//! Attacks known from real voting systems, each kept as a test that it fails here.

use alloc::vec;
use alloc::vec::Vec;

use curve25519_dalek::scalar::Scalar;
use zeroize::Zeroizing;

use super::{TestRng, World, mixed_choices};
use crate::cast::seal;
use crate::choice::Plaintext;
use crate::encoding::EncodingError;
use crate::parsed::{HEADER_LEN, SIGNATURE_LEN, SIGNATURE_TAG};
use crate::signature::SignatureError;
use crate::statement::Voter;
use crate::*;

/// Signs changed bytes again, as someone who holds the credential can.
pub(crate) fn sign_again(bytes: &mut Vec<u8>, credential: &Credential) {
    bytes.truncate(bytes.len() - SIGNATURE_LEN);
    bytes[33..65].copy_from_slice(&credential.public().to_bytes());
    let signature = credential.sign(SIGNATURE_TAG, bytes);
    bytes.extend_from_slice(&signature);
}

const PROOF: Result<(), BallotError> = Err(BallotError::Proof { contest: 0 });

#[test]
fn no_bit_of_a_ballot_can_be_changed() {
    let mut world = World::mixed();
    let original = world.cast(&mixed_choices()).into_bytes();
    for place in 0..original.len() {
        let mut changed = original.clone();
        changed[place] ^= 1 << (place % 8);
        assert!(world.verdict(&changed).is_err(), "byte {place} may be changed");
    }
}

#[test]
fn no_bit_can_be_changed_by_its_own_voter_either() {
    let mut world = World::new(vec![
        ContestKind::One { options: 2 },
        ContestKind::Some { options: 2, min: 1, max: 2, blank: false },
    ]);
    let credential = world.credential();
    let choices = [Choice::One(1), Choice::Some(vec![0])];
    let sealed = cast(&world.context, &credential, 0, 1, [0; 32], &choices, &mut world.rng);
    let original = sealed.expect("a ballot").into_bytes();
    let signed = 0..original.len() - SIGNATURE_LEN;
    for place in signed.filter(|place| !(33..65).contains(place)) {
        let mut changed = original.clone();
        changed[place] ^= 1 << (place % 8);
        sign_again(&mut changed, &credential);
        assert!(world.verdict(&changed).is_err(), "byte {place} may be changed");
    }
}

#[test]
fn a_copied_ballot_fails_under_another_credential() {
    let mut world = World::new(vec![ContestKind::One { options: 3 }]);
    let mut copy = world.cast(&[Choice::One(1)]).into_bytes();
    let thief = world.credential();
    sign_again(&mut copy, &thief);
    assert_eq!(world.verdict(&copy), PROOF);
}

#[test]
fn a_copied_ballot_fails_at_another_place_of_the_chain() {
    let mut world =
        World::new(vec![ContestKind::Some { options: 2, min: 0, max: 1, blank: false }]);
    let credential = world.credential();
    let choices = [Choice::Some(vec![0])];
    let sealed = cast(&world.context, &credential, 0, 1, [0; 32], &choices, &mut world.rng);
    let original = sealed.expect("a ballot").into_bytes();
    for place in [65, 69] {
        let mut moved = original.clone();
        moved[place] ^= 3;
        sign_again(&mut moved, &credential);
        assert_eq!(world.verdict(&moved), PROOF);
    }
}

#[test]
fn a_copied_ballot_fails_in_another_election() {
    let mut world = World::new(vec![ContestKind::One { options: 3 }]);
    let credential = world.credential();
    let sealed =
        cast(&world.context, &credential, 0, 1, [0; 32], &[Choice::One(1)], &mut world.rng);
    let mut bytes = sealed.expect("a ballot").into_bytes();
    let key = world.context.election_key().clone();
    let contests = world.context.contests().to_vec();
    let next = Fingerprint([10; 32]);
    world.context = BallotContext::new(next, key, contests).expect("a context");
    assert_eq!(world.verdict(&bytes), Err(BallotError::Election));
    bytes[1..33].copy_from_slice(&next.0);
    sign_again(&mut bytes, &credential);
    assert_eq!(world.verdict(&bytes), PROOF);
}

#[test]
fn a_ballot_fails_under_other_rules_of_the_same_shape() {
    let mut world =
        World::new(vec![ContestKind::Some { options: 3, min: 0, max: 1, blank: false }]);
    let sealed = world.cast(&[Choice::Some(vec![0])]);
    let key = world.context.election_key().clone();
    let rules = vec![ContestKind::Some { options: 3, min: 1, max: 2, blank: false }];
    world.context = BallotContext::new(world.context.fingerprint(), key, rules).expect("rules");
    assert_eq!(world.verdict(sealed.as_bytes()), PROOF);
}

#[test]
fn exchanged_ciphertexts_fail() {
    for kind in [
        ContestKind::One { options: 3 },
        ContestKind::Some { options: 3, min: 1, max: 1, blank: false },
    ] {
        let mut world = World::new(vec![kind.clone()]);
        let credential = world.credential();
        let choice = match kind {
            ContestKind::One { .. } => Choice::One(0),
            _ => Choice::Some(vec![0]),
        };
        let sealed = cast(&world.context, &credential, 0, 1, [0; 32], &[choice], &mut world.rng);
        let mut bytes = sealed.expect("a ballot").into_bytes();
        let start = HEADER_LEN + 1;
        bytes[start..start + 128].rotate_left(64);
        sign_again(&mut bytes, &credential);
        assert_eq!(world.verdict(&bytes), PROOF);
    }
}

#[test]
fn contests_cannot_be_exchanged_within_a_ballot() {
    let kind = ContestKind::One { options: 2 };
    let mut world = World::new(vec![kind.clone(), kind.clone()]);
    let credential = world.credential();
    let choices = [Choice::One(0), Choice::One(1)];
    let sealed = cast(&world.context, &credential, 0, 1, [0; 32], &choices, &mut world.rng);
    let mut bytes = sealed.expect("a ballot").into_bytes();
    let end = bytes.len() - SIGNATURE_LEN;
    bytes[HEADER_LEN..end].rotate_left(kind.body_len());
    sign_again(&mut bytes, &credential);
    assert_eq!(world.verdict(&bytes), PROOF);
}

/// Runs the real prover on numbers that are no valid vote.
fn cheat(kind: &ContestKind, values: &[i64], clauses: &[u64]) {
    let mut world = World::new(vec![kind.clone()]);
    let credential = world.credential();
    let plaintext = [Plaintext {
        values: Zeroizing::new(values.iter().map(|&value| scalar(value)).collect()),
        clauses: Zeroizing::new(clauses.to_vec()),
    }];
    let public = credential.public().to_bytes();
    let voter = Voter { credential: &public, group: 0, seq: 1, prev: &[0; 32] };
    let sealed = seal(&world.context, &credential, &voter, &plaintext, &mut world.rng);
    assert_eq!(world.verdict(sealed.as_bytes()), PROOF, "{values:?} passed");
    hide_in_a_batch(&mut world, sealed.as_bytes());
}

fn hide_in_a_batch(world: &mut World, bad: &[u8]) {
    let choice = match &world.context.contests()[0] {
        ContestKind::One { .. } => Choice::One(0),
        ContestKind::Some { min, .. } => Choice::Some((0..*min).collect()),
        ContestKind::Score { .. } | ContestKind::Lists { .. } => Choice::Blank,
    };
    let mut all: Vec<ParsedBallot> = (0..7)
        .map(|_| {
            let sealed = world.cast(core::slice::from_ref(&choice));
            world.parse(sealed.as_bytes()).expect("canonical")
        })
        .collect();
    all.insert(4, world.parse(bad).expect("canonical"));
    let refs: Vec<&ParsedBallot> = all.iter().collect();
    let found = batch::verify(&refs, &world.context, &mut world.rng).expect_err("one is bad");
    assert_eq!(found.bad, [(4, BallotError::Proof { contest: 0 })]);
}

fn scalar(value: i64) -> Scalar {
    let size = Scalar::from(value.unsigned_abs());
    if value < 0 { -size } else { size }
}

#[test]
fn invalid_votes_by_a_cheating_prover_fail_in_one_of_n() {
    let kind = ContestKind::One { options: 3 };
    for values in [[2, 0, 0], [1, 1, 0], [0, 0, 0], [2, -1, 0], [1000, -999, 0], [1, 1, -1]] {
        cheat(&kind, &values, &[0]);
    }
    cheat(&kind, &[1, 0, 0], &[1]); // a valid vote, proven as another
}

#[test]
fn invalid_votes_by_a_cheating_prover_fail_in_some() {
    let kind = ContestKind::Some { options: 3, min: 1, max: 2, blank: false };
    cheat(&kind, &[2, 0, 0], &[1, 0, 0, 1]); // twice the same, with an allowed sum
    cheat(&kind, &[0, 0, 0], &[0, 0, 0, 0]); // too few
    cheat(&kind, &[1, 1, 1], &[1, 1, 1, 1]); // too many
    cheat(&kind, &[2, -1, 0], &[1, 0, 0, 0]);
    cheat(&kind, &[1, 0, 0], &[1, 0, 0, 1]); // a valid vote with a false sum
    let exact = ContestKind::Some { options: 3, min: 1, max: 1, blank: false };
    cheat(&exact, &[1, 1, 0], &[1, 1, 0, 0]); // the sum is one plain equality
}

#[test]
fn a_blank_that_is_none_fails() {
    let kind = ContestKind::Some { options: 2, min: 1, max: 2, blank: true };
    // Clauses: three bits, then the sums 1, 2 and the blank's 3.
    cheat(&kind, &[1, 0, 1], &[1, 0, 1, 2]); // blank and chosen: the sum is 4
    cheat(&kind, &[-1, 0, 1], &[0, 0, 1, 1]); // a vote taken from another, the sum is 2
    cheat(&kind, &[0, 0, 0], &[0, 0, 0, 2]); // nothing at all
    cheat(&kind, &[0, 0, 2], &[0, 0, 1, 2]); // blank twice
}

#[test]
fn invalid_scores_by_a_cheating_prover_fail() {
    let kind = ContestKind::Score { options: 2, highest: 3, min: 2, max: 5, blank: true };
    // Clauses: scores 0 … 3 twice, the blank's bit, then the sums 2 … 5 and the blank's 7.
    cheat(&kind, &[4, 0, 0], &[3, 0, 0, 2]); // above the highest
    cheat(&kind, &[-1, 3, 0], &[0, 3, 0, 0]); // below nothing
    cheat(&kind, &[3, 3, 0], &[3, 3, 0, 3]); // too much in all
    cheat(&kind, &[1, 0, 0], &[1, 0, 0, 0]); // too little in all
    cheat(&kind, &[2, 0, 1], &[2, 0, 1, 4]); // blank and scored
    cheat(&kind, &[2, 1, 0], &[3, 1, 0, 1]); // a valid vote, proven as another
}

#[test]
fn invalid_list_votes_by_a_cheating_prover_fail() {
    let kind = ContestKind::Lists { candidates: vec![2, 2], min: 1, max: 1, blank: true };
    // Counters: two selectors, two and two candidates, blank. Clauses: seven bits, then for each
    // list {0, 4}, then the selection {1}.
    let bits = |values: &[i64; 7]| values.map(|value| value.clamp(0, 1) as u64);
    let check = |values: [i64; 7], lists: [u64; 2]| {
        let clauses = [&bits(&values)[..], &lists, &[0]].concat();
        cheat(&kind, &values, &clauses);
    };
    check([1, 0, 0, 0, 1, 0, 0], [1, 0]); // a candidate of another list
    check([1, 0, 1, 1, 0, 0, 0], [1, 0]); // too many
    check([1, 0, 0, 0, 0, 0, 0], [1, 0]); // too few
    check([1, 1, 1, 0, 1, 0, 0], [1, 1]); // two lists
    check([0, 0, 0, 0, 0, 0, 0], [0, 0]); // no list and not blank
    check([0, 0, 1, 0, 0, 0, 1], [0, 0]); // blank with a candidate
    check([1, 0, 2, -1, 0, 0, 0], [1, 0]); // a candidate twice, another taken away
    check([2, 0, 0, 0, 0, 0, -1], [1, 0]); // selection adds up, but not of bits
}

#[test]
fn a_ballot_cannot_be_moved_to_another_group() {
    let kind = ContestKind::One { options: 2 };
    let mut world = World::grouped(vec![(kind.clone(), vec![1]), (kind, vec![2])]);
    let credential = world.credential();
    let choice = [Choice::One(1)];
    let sealed = cast(&world.context, &credential, 1, 1, [0; 32], &choice, &mut world.rng);
    let mut bytes = sealed.expect("a ballot").into_bytes();
    assert_eq!(world.verdict(&bytes), Ok(()));
    bytes[101] = 2;
    sign_again(&mut bytes, &credential);
    assert_eq!(world.verdict(&bytes), Err(BallotError::Proof { contest: 1 }));
    bytes[101] = 3;
    sign_again(&mut bytes, &credential);
    assert_eq!(world.verdict(&bytes).map_err(|error| error.code()), Err("ballot-length"));
}

#[test]
fn compensating_errors_in_two_ballots_fail() {
    // Adding d to a response of one ballot and taking it from another's keeps the plain sum of
    // their equations; the random weights break it.
    let mut world = World::new(vec![ContestKind::One { options: 2 }]);
    let response = |bytes: &[u8]| bytes.len() - SIGNATURE_LEN - 32;
    let mut pair = Vec::new();
    for shift in [1_i8, -1] {
        let credential = world.credential();
        let choice = [Choice::One(0)];
        let sealed = cast(&world.context, &credential, 0, 1, [0; 32], &choice, &mut world.rng);
        let mut bytes = sealed.expect("a ballot").into_bytes();
        let at = response(&bytes);
        bytes[at] = bytes[at].wrapping_add_signed(shift);
        sign_again(&mut bytes, &credential);
        pair.push(world.parse(&bytes).expect("canonical"));
    }
    let refs: Vec<&ParsedBallot> = pair.iter().collect();
    let bad = batch::verify(&refs, &world.context, &mut world.rng).expect_err("both are bad");
    assert_eq!(bad.indices().collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn compensating_signatures_fail() {
    // S + d in one ballot and S − d in the other: the unweighted sum would not notice.
    let mut world = World::new(vec![ContestKind::One { options: 1 }]);
    let mut pair = Vec::new();
    for shift in [1_i8, -1] {
        let mut bytes = world.cast(&[Choice::One(0)]).into_bytes();
        let at = bytes.len() - 32;
        bytes[at] = bytes[at].wrapping_add_signed(shift);
        pair.push(world.parse(&bytes).expect("canonical"));
    }
    let refs: Vec<&ParsedBallot> = pair.iter().collect();
    let bad = batch::verify(&refs, &world.context, &mut world.rng).expect_err("both are bad");
    let wrong = BallotError::Signature(SignatureError::Equation);
    assert_eq!(bad.bad, [(0, wrong), (1, wrong)]);
}

#[test]
fn an_identity_in_place_of_a_is_refused() {
    let mut world = World::new(vec![ContestKind::One { options: 2 }]);
    let mut bytes = world.cast(&[Choice::One(0)]).into_bytes();
    bytes[HEADER_LEN + 1..HEADER_LEN + 33].fill(0);
    let error = EncodingError::Identity;
    assert_eq!(world.verdict(&bytes), Err(BallotError::Encoding { contest: 0, error }));
    assert!(ElectionKey::from_bytes([0; 32]).is_err(), "nor is it a key");
}

#[test]
fn other_lengths_versions_and_kinds_are_refused_with_a_sentence() {
    let mut world = World::new(vec![ContestKind::One { options: 2 }]);
    let original = world.cast(&[Choice::One(0)]).into_bytes();
    let mut check = |change: &dyn Fn(&mut Vec<u8>), code: &str, sentence: &str| {
        let mut bytes = original.clone();
        change(&mut bytes);
        let error = world.verdict(&bytes).expect_err(code);
        assert_eq!(
            (error.code(), alloc::string::ToString::to_string(&error).as_str()),
            (code, sentence)
        );
    };
    check(
        &|bytes| bytes.push(0),
        "ballot-length",
        "the ballot has 520 bytes; every ballot of its group has 519",
    );
    check(
        &|bytes| bytes.clear(),
        "ballot-length",
        "the ballot has 0 bytes; every ballot of its group has 519",
    );
    check(
        &|bytes| bytes[0] = 2,
        "ballot-version",
        "the ballot has format version 2; this election uses 1",
    );
    check(
        &|bytes| bytes[HEADER_LEN] = 2,
        "ballot-kind",
        "the ballot answers question 0 as another kind of question",
    );
    check(
        &|bytes| bytes[33..65].fill(0xff),
        "ballot-credential",
        "the ballot's credential is not a public key",
    );
    check(
        &|bytes| bytes[HEADER_LEN + 1..HEADER_LEN + 33].fill(0xff),
        "ballot-encoding",
        "in question 0, a group element is not in its canonical encoding",
    );
    check(
        &|bytes| {
            let at = bytes.len() - SIGNATURE_LEN - 32;
            bytes[at..at + 32].fill(0xff);
        },
        "ballot-encoding",
        "in question 0, a scalar is not below the group order",
    );
}

#[test]
fn two_voters_with_the_same_randomness_get_different_trackers() {
    // A clash: a bad client gives several voters the same random numbers and the same choice, and
    // shows all of them one ballot on the board.
    let mut world = World::new(vec![ContestKind::One { options: 3 }]);
    let credentials = [world.credential(), world.credential()];
    let [first, second] = credentials.map(|credential| {
        let mut rng = TestRng::new(8, "clash");
        let choice = [Choice::One(1)];
        cast(&world.context, &credential, 0, 1, [0; 32], &choice, &mut rng).expect("a ballot")
    });
    assert_ne!(first.tracker(), second.tracker());
    // And the repeated `a` gives the client away.
    let [first, second] = [first, second].map(|one| world.parse(one.as_bytes()).expect("read"));
    assert!(first.a_components().eq(second.a_components()));
}

#[test]
fn the_size_of_a_ballot_says_nothing() {
    let mut world = World::mixed();
    let expected = world.context.ballot_len(0);
    let mut choices = mixed_choices();
    for (option, chosen) in [(0, vec![1]), (1, vec![0, 1, 2]), (2, vec![2, 3])] {
        choices[0] = Choice::One(option);
        choices[1] = Choice::Some(chosen);
        assert_eq!(world.cast(&choices).as_bytes().len(), expected);
    }
}

#[test]
fn random_bytes_never_panic() {
    let mut world = World::mixed();
    let length = world.context.ballot_len(0);
    let mut rng = TestRng::new(5, "noise");
    for _ in 0..200 {
        let mut bytes = vec![0; length];
        rand_core::Rng::fill_bytes(&mut rng, &mut bytes);
        bytes[0] = VERSION;
        bytes[1..33].copy_from_slice(&world.context.fingerprint().0);
        assert!(world.verdict(&bytes).is_err());
    }
}

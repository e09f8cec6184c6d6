//! Shares, wrong shares, and results.

use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::tests::{TestRng, World};
use crate::{Choice, ContestKind, EncryptedTally};

/// An election whose secret is shared by hand, and its tally.
struct Counted {
    statement: TallyStatement,
    shares: Vec<SecretShare>,
    rng: TestRng,
}

/// Two of three trustees; ballots of weights 1 to 4 for options 0, 1, 2, 0.
fn counted() -> Counted {
    let mut world = World::new(vec![
        ContestKind::One { options: 3 },
        ContestKind::Some { options: 2, min: 0, max: 2, blank: false },
    ]);
    let slope = Scalar::random(&mut world.rng);
    let at = |place: u16| SecretShare::new(place, world.secret + slope * Scalar::from(place));
    let shares = (1..=3).map(at).collect();
    let mut tally = EncryptedTally::new(&world.context);
    for (weight, option) in (1..=4).zip([0, 1, 2, 0]) {
        let sealed = world.cast(&[Choice::One(option), Choice::Some(vec![1])]);
        let ballot = world.parse(sealed.as_bytes()).expect("a ballot");
        tally.add(&ballot, weight);
    }
    let statement = TallyStatement {
        fingerprint: world.context.fingerprint(),
        checkpoint_root: [5; 32],
        checkpoint_size: 77,
        tally,
    };
    Counted { statement, shares, rng: TestRng::new(2, "counted") }
}

impl Counted {
    fn share(&mut self, place: usize) -> DecryptionShare {
        DecryptionShare::new(&self.statement, &self.shares[place], &mut self.rng)
    }

    fn verified(&mut self, place: usize) -> VerifiedShare {
        let key = self.shares[place].verification_key();
        self.share(place).verify(&self.statement, &key).expect("an honest share")
    }

    /// What reading and checking these bytes as trustee 1's share says.
    fn verdict(&self, bytes: &[u8]) -> Result<(), ShareError> {
        let key = self.shares[0].verification_key();
        let share = DecryptionShare::parse(bytes, &self.statement)?;
        share.verify(&self.statement, &key).map(|_| ())
    }
}

#[test]
fn any_two_of_three_find_the_weighted_counts() {
    let mut counted = counted();
    for pair in [[0, 1], [0, 2], [2, 1]] {
        let shares = pair.map(|place| counted.verified(place));
        let result = combine(&counted.statement, &shares, 2, 10);
        assert_eq!(result, Ok(vec![vec![5, 2, 3], vec![0, 10]]));
    }
    let all = [0, 1, 2].map(|place| counted.verified(place));
    assert!(combine(&counted.statement, &all, 2, 10).is_ok());
}

#[test]
fn one_trustee_alone_does_not_decrypt() {
    let mut counted = counted();
    let one = counted.verified(0);
    let result = combine(&counted.statement, &[one.clone(), one.clone()], 2, 10);
    assert_eq!(result, Err(CombineError::TooFew { found: 1, needed: 2 }));
    // Nor when the threshold is lied about.
    let result = combine(&counted.statement, &[one], 1, 1000);
    assert_eq!(result, Err(CombineError::Count { contest: 0, option: 0, bound: 1000 }));
}

#[test]
fn a_bound_below_the_count_is_an_error_and_not_a_wrong_count() {
    let mut counted = counted();
    let shares = [0, 1].map(|place| counted.verified(place));
    let error = combine(&counted.statement, &shares, 2, 9).expect_err("10 votes");
    assert_eq!(error, CombineError::Count { contest: 1, option: 1, bound: 9 });
    assert_eq!(
        error.to_string(),
        "option 1 of question 1 does not decrypt to a count of at most 9"
    );
    let error = combine(&counted.statement, &shares, 2, COUNT_MAX + 1).expect_err("too far");
    assert_eq!(error.code(), "tally-bound");
}

#[test]
fn no_ballots_give_zeros() {
    let mut counted = counted();
    let world = World::new(vec![ContestKind::One { options: 2 }]);
    counted.statement.tally = EncryptedTally::new(&world.context);
    let shares = [0, 1].map(|place| counted.verified(place));
    assert_eq!(combine(&counted.statement, &shares, 2, 0), Ok(vec![vec![0, 0]]));
}

#[test]
fn no_bit_of_a_share_can_be_changed() {
    let mut counted = counted();
    let original = counted.share(0);
    assert_eq!(counted.verdict(original.as_bytes()), Ok(()));
    for place in 0..original.as_bytes().len() {
        let mut bytes = original.as_bytes().to_vec();
        bytes[place] ^= 1 << (place % 8);
        assert!(counted.verdict(&bytes).is_err(), "byte {place} may be changed");
    }
}

#[test]
fn a_share_of_another_tally_is_refused() {
    let mut counted = counted();
    let share = counted.share(0);
    let key = counted.shares[0].verification_key();
    let mut other = counted.statement.clone();
    other.checkpoint_size += 1;
    let error = DecryptionShare::parse(share.as_bytes(), &other).expect_err("another size");
    assert_eq!(
        error.to_string(),
        "the decryption share of trustee 1 is for another final checkpoint"
    );
    // A subset of the ballots under the same checkpoint: the sums are in the proofs.
    let mut subset = counted.statement.clone();
    subset.tally.add(&one_more(), 1);
    let error = share.clone().verify(&subset, &key).expect_err("other sums");
    assert_eq!(error.code(), "share-proof");
    let verified = share.verify(&counted.statement, &key).expect("its own");
    let result = combine(&subset, &[verified], 1, 10);
    assert_eq!(result, Err(CombineError::Statement { trustee: 1 }));
}

fn one_more() -> crate::ParsedBallot {
    let mut world = World::new(vec![
        ContestKind::One { options: 3 },
        ContestKind::Some { options: 2, min: 0, max: 2, blank: false },
    ]);
    let sealed = world.cast(&[Choice::One(0), Choice::Some(vec![])]);
    world.parse(sealed.as_bytes()).expect("a ballot")
}

#[test]
fn a_wrong_share_names_its_trustee() {
    let mut counted = counted();
    let share = counted.share(1);
    let foreign = counted.shares[0].verification_key();
    let error = share.clone().verify(&counted.statement, &foreign).expect_err("another's key");
    assert_eq!((error.trustee, error.code()), (Some(2), "share-trustee"));
    // A trustee who lost their share and makes up another.
    let invented = SecretShare::new(2, Scalar::from(5_u8));
    let share = DecryptionShare::new(&counted.statement, &invented, &mut counted.rng);
    let key = counted.shares[1].verification_key();
    let error = share.verify(&counted.statement, &key).expect_err("an invented share");
    assert_eq!(
        error.to_string(),
        "the decryption share of trustee 2 is wrong at option 0 of question 0: \
         its proof does not hold"
    );
}

#[test]
fn a_factor_chosen_after_the_challenge_is_refused() {
    // The forgery that works where the hash covers neither base nor factor: fix commitments
    // A = wG and B = wα + D, learn the challenge c, answer z = w + cx, and solve
    // F = (zα − B)/c for the factor. Both equations then hold for that c.
    let mut counted = counted();
    let honest = counted.share(0);
    let secret = &counted.shares[0];
    let (place, sum) = options(&counted.statement).next().expect("a sum");
    let shift = RistrettoPoint::mul_base(&Scalar::from(3_u8));
    let mask = Scalar::from(1234_u16);
    let first = RistrettoPoint::mul_base(&mask);
    let second = sum.a * mask + shift;
    // The attacker's challenge is over the true factor, the best guess there is.
    let guess = sum.a * secret.scalar;
    let challenge = [secret.verification_key().point, sum.a, guess, first, second]
        .iter()
        .fold(transcript(&counted.statement, 1, place, sum), |hash, point| {
            hash.field(point.compress().as_bytes())
        })
        .scalar();
    let response = mask + challenge * secret.scalar;
    let point = (sum.a * response - second) * challenge.invert();
    assert_ne!(point, guess, "the factor is wrong");
    assert_eq!(sum.a * response, second + point * challenge, "but fits its challenge");
    let proof = equality::Proof { first, second, response };
    let mut factors = honest.factors.clone();
    factors[0][0] = Factor { point, proof };
    let forged = DecryptionShare::assemble(&counted.statement, 1, factors);
    let error = counted.verdict(forged.as_bytes()).expect_err("a forged factor");
    assert_eq!(error.fault, ShareFault::Proof { contest: 0, option: 0 });
}

#[test]
fn secret_shares_survive_their_file() {
    let counted = counted();
    let bytes = counted.shares[2].to_bytes();
    let again = SecretShare::from_bytes(&bytes).expect("canonical");
    assert_eq!(again.verification_key(), counted.shares[2].verification_key());
    assert_eq!(again.trustee(), 3);
}

//! What the crate promises, tried through its public door; attacks have their own file.

mod attacks;
mod rng;
mod vectors;

use alloc::vec;
use alloc::vec::Vec;

use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;

use crate::*;
pub(crate) use rng::TestRng;

/// One election with all kinds of contests.
pub(crate) struct World {
    pub(crate) context: BallotContext,
    pub(crate) secret: Scalar,
    pub(crate) rng: TestRng,
}

impl World {
    pub(crate) fn new(contests: Vec<ContestKind>) -> Self {
        let mut rng = TestRng::new(1, "world");
        let secret = Scalar::random(&mut rng);
        let key = ElectionKey::from_point(RistrettoPoint::mul_base(&secret)).expect("a key");
        let context = BallotContext::new(Fingerprint([9; 32]), key, contests).expect("a context");
        Self { context, secret, rng }
    }

    pub(crate) fn mixed() -> Self {
        Self::new(vec![
            ContestKind::One { options: 3 },
            ContestKind::Some { options: 4, min: 1, max: 3 },
            ContestKind::Some { options: 2, min: 1, max: 1 },
            ContestKind::Some { options: 3, min: 0, max: 3 },
            ContestKind::One { options: 1 },
        ])
    }

    pub(crate) fn credential(&mut self) -> Credential {
        Credential::generate(&mut self.rng)
    }

    pub(crate) fn cast(&mut self, choices: &[Choice]) -> SealedBallot {
        let credential = self.credential();
        cast(&self.context, &credential, 1, [0; 32], choices, &mut self.rng).expect("a ballot")
    }

    pub(crate) fn parse(&self, bytes: &[u8]) -> Result<ParsedBallot, BallotError> {
        ParsedBallot::parse(bytes, &self.context)
    }

    /// The verdict of every way to check a ballot, which must agree.
    pub(crate) fn verdict(&mut self, bytes: &[u8]) -> Result<(), BallotError> {
        let ballot = self.parse(bytes)?;
        let single = ballot.verify_signature().and_then(|()| ballot.verify_proofs());
        let batched = batch::verify(&[&ballot], &self.context, &mut self.rng);
        assert_eq!(batched.map_err(|bad| bad.bad[0].1), single, "single and batched agree");
        single
    }

    fn decrypt(&self, ciphertext: &Ciphertext) -> RistrettoPoint {
        ciphertext.b - ciphertext.a * self.secret
    }
}

pub(crate) fn mixed_choices() -> Vec<Choice> {
    vec![
        Choice::One(2),
        Choice::Some(vec![3, 0]),
        Choice::Some(vec![1]),
        Choice::Some(vec![]),
        Choice::One(0),
    ]
}

#[test]
fn an_honest_ballot_is_accepted_and_holds_the_choices() {
    let mut world = World::mixed();
    let sealed = world.cast(&mixed_choices());
    assert_eq!(sealed.as_bytes().len(), world.context.ballot_len());
    assert_eq!(world.verdict(sealed.as_bytes()), Ok(()));
    let ballot = world.parse(sealed.as_bytes()).expect("it was accepted");
    let expect: [&[u64]; 5] = [&[0, 0, 1], &[1, 0, 0, 1], &[0, 1], &[0, 0, 0], &[1]];
    for (contest, expect) in expect.iter().enumerate() {
        let points: Vec<_> =
            ballot.ciphertexts(contest).iter().map(|one| world.decrypt(one)).collect();
        let expect: Vec<_> =
            expect.iter().map(|&m| RistrettoPoint::mul_base(&Scalar::from(m))).collect();
        assert_eq!(points, expect);
    }
    assert_eq!(ballot.a_components().count(), 13);
    let first = ballot.ciphertexts(0)[0].to_bytes();
    assert_eq!(ballot.a_components().next().expect("one")[..], first[..32]);
    assert_eq!((ballot.seq(), ballot.prev()), (1, &[0; 32]));
    assert_eq!(ballot.hash(), sealed.hash());
    assert_eq!(ballot.tracker(), sealed.tracker());
}

#[test]
fn every_allowed_choice_is_accepted() {
    let mut world = World::new(vec![ContestKind::One { options: 4 }]);
    for option in 0..4 {
        let sealed = world.cast(&[Choice::One(option)]);
        assert_eq!(world.verdict(sealed.as_bytes()), Ok(()));
    }
    let mut world = World::new(vec![ContestKind::Some { options: 4, min: 1, max: 3 }]);
    for set in 0_u16..16 {
        let chosen: Vec<u16> = (0..4).filter(|option| set >> option & 1 == 1).collect();
        let count = chosen.len();
        let credential = world.credential();
        let choices = [Choice::Some(chosen)];
        let sealed = cast(&world.context, &credential, 1, [0; 32], &choices, &mut world.rng);
        match sealed {
            Ok(sealed) => assert_eq!(world.verdict(sealed.as_bytes()), Ok(())),
            Err(error) => {
                assert_eq!(error, ChoiceError::Count { contest: 0, found: count, min: 1, max: 3 });
            }
        }
    }
}

#[test]
fn a_batch_names_all_bad_ballots_and_only_those() {
    let mut world = World::new(vec![ContestKind::One { options: 2 }]);
    let mut all: Vec<Vec<u8>> =
        (0..40).map(|n| world.cast(&[Choice::One(n % 2)]).into_bytes()).collect();
    let last = world.context.ballot_len() - 1;
    all[17][70] ^= 1; // prev: signature and proofs fail
    all[31][last] ^= 1; // S of the signature
    let parsed: Vec<_> = all.iter().map(|b| world.parse(b).expect("canonical")).collect();
    let refs: Vec<&ParsedBallot> = parsed.iter().collect();
    let bad = batch::verify(&refs, &world.context, &mut world.rng).expect_err("two are bad");
    assert_eq!(bad.indices().collect::<Vec<_>>(), [17, 31]);
    assert!(bad.bad.iter().all(|(_, error)| error.code() == "ballot-signature"));
    let good: Vec<&ParsedBallot> =
        refs.iter().enumerate().filter(|(n, _)| ![17, 31].contains(n)).map(|(_, b)| *b).collect();
    assert_eq!(batch::verify(&good, &world.context, &mut world.rng), Ok(()));
    assert_eq!(batch::verify(&[], &world.context, &mut world.rng), Ok(()));
}

#[test]
fn a_ballot_read_for_another_context_is_named() {
    let mut world = World::new(vec![ContestKind::One { options: 2 }]);
    let other = World::new(vec![ContestKind::Some { options: 2, min: 0, max: 2 }]);
    let sealed = world.cast(&[Choice::One(0)]);
    let ballot = world.parse(sealed.as_bytes()).expect("canonical");
    let bad = batch::verify(&[&ballot], &other.context, &mut world.rng).expect_err("foreign");
    assert_eq!(bad.bad, [(0, BallotError::Context)]);
}

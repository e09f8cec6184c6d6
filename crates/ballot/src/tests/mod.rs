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
        Self::grouped(contests.into_iter().map(|kind| (kind, Vec::new())).collect())
    }

    pub(crate) fn grouped(contests: Vec<GroupedContest>) -> Self {
        let mut rng = TestRng::new(1, "world");
        let secret = Scalar::random(&mut rng);
        let key = ElectionKey::from_point(RistrettoPoint::mul_base(&secret)).expect("a key");
        let contests = Contests::new(contests).expect("contests");
        let context = BallotContext::with_contests(Fingerprint([9; 32]), key, contests);
        Self { context, secret, rng }
    }

    pub(crate) fn mixed() -> Self {
        Self::new(vec![
            ContestKind::One { options: 3 },
            ContestKind::Some { options: 4, min: 1, max: 3, blank: false },
            ContestKind::Some { options: 2, min: 1, max: 1, blank: false },
            ContestKind::Some { options: 3, min: 0, max: 3, blank: false },
            ContestKind::One { options: 1 },
            ContestKind::Score { options: 2, highest: 3, min: 1, max: 4, blank: true },
            ContestKind::Lists { candidates: vec![1, 2], min: 0, max: 1, blank: true },
        ])
    }

    pub(crate) fn credential(&mut self) -> Credential {
        Credential::generate(&mut self.rng)
    }

    pub(crate) fn cast(&mut self, choices: &[Choice]) -> SealedBallot {
        let credential = self.credential();
        cast(&self.context, &credential, 0, 1, [0; 32], choices, &mut self.rng).expect("a ballot")
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
        Choice::Score(vec![3, 1]),
        Choice::List(1, vec![1]),
    ]
}

#[test]
fn an_honest_ballot_is_accepted_and_holds_the_choices() {
    let mut world = World::mixed();
    let sealed = world.cast(&mixed_choices());
    assert_eq!(sealed.as_bytes().len(), world.context.ballot_len(0));
    assert_eq!(world.verdict(sealed.as_bytes()), Ok(()));
    let ballot = world.parse(sealed.as_bytes()).expect("it was accepted");
    let expect: [&[u64]; 7] =
        [&[0, 0, 1], &[1, 0, 0, 1], &[0, 1], &[0, 0, 0], &[1], &[3, 1, 0], &[0, 1, 0, 0, 1, 0]];
    for (contest, expect) in expect.iter().enumerate() {
        let points: Vec<_> =
            ballot.ciphertexts(contest).iter().map(|one| world.decrypt(one)).collect();
        let expect: Vec<_> =
            expect.iter().map(|&m| RistrettoPoint::mul_base(&Scalar::from(m))).collect();
        assert_eq!(points, expect);
    }
    assert_eq!(ballot.a_components().count(), 22);
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
    let mut world =
        World::new(vec![ContestKind::Some { options: 4, min: 1, max: 3, blank: false }]);
    for set in 0_u16..16 {
        let chosen: Vec<u16> = (0..4).filter(|option| set >> option & 1 == 1).collect();
        let count = chosen.len();
        let credential = world.credential();
        let choices = [Choice::Some(chosen)];
        let sealed = cast(&world.context, &credential, 0, 1, [0; 32], &choices, &mut world.rng);
        match sealed {
            Ok(sealed) => assert_eq!(world.verdict(sealed.as_bytes()), Ok(())),
            Err(error) => {
                assert_eq!(error, ChoiceError::Count { contest: 0, found: count, min: 1, max: 3 });
            }
        }
    }
}

#[test]
fn every_allowed_answer_of_scores_and_lists_is_accepted() {
    let score = ContestKind::Score { options: 2, highest: 2, min: 1, max: 3, blank: true };
    let lists = ContestKind::Lists { candidates: vec![2, 1], min: 0, max: 2, blank: true };
    let mut world = World::new(vec![score, lists]);
    let scores = (0..3).flat_map(|one| (0..3).map(move |two| Choice::Score(vec![one, two])));
    let scores: Vec<Choice> = scores.chain([Choice::Blank]).collect();
    let sets: [&[u16]; 4] = [&[], &[0], &[1], &[1, 0]];
    let of_first = sets.iter().map(|set| Choice::List(0, set.to_vec()));
    let of_second = sets[..2].iter().map(|set| Choice::List(1, set.to_vec()));
    let lists: Vec<Choice> = of_first.chain(of_second).chain([Choice::Blank]).collect();
    let mut accepted = 0;
    for (score, list) in scores.iter().zip(lists.iter().cycle()) {
        let credential = world.credential();
        let choices = [score.clone(), list.clone()];
        let sealed = cast(&world.context, &credential, 0, 1, [0; 32], &choices, &mut world.rng);
        match sealed {
            Ok(sealed) => {
                assert_eq!(world.verdict(sealed.as_bytes()), Ok(()));
                accepted += 1;
            }
            Err(error) => assert_eq!(error.code(), "choice-total"),
        }
    }
    assert_eq!(accepted, 8, "all sums but 0 and 4, and the blank");
}

#[test]
fn a_group_has_its_own_ballots() {
    let (one, two) = (ContestKind::One { options: 2 }, ContestKind::One { options: 3 });
    let mut world = World::grouped(vec![(one.clone(), vec![1]), (two, vec![2]), (one, vec![1, 3])]);
    let credential = world.credential();
    let mut votes = |group, choices: &[Choice]| {
        let sealed = cast(&world.context, &credential, group, 1, [0; 32], choices, &mut world.rng);
        sealed.map(SealedBallot::into_bytes)
    };
    let of_one = votes(1, &[Choice::One(1), Choice::One(0)]).expect("a ballot");
    let of_three = votes(3, &[Choice::One(1)]).expect("a ballot");
    assert_eq!(votes(1, &[Choice::One(1)]).expect_err("two").code(), "choice-contests");
    assert_eq!(votes(9, &[]).map(|bytes| bytes.len()), Ok(HEADER_LEN + 64), "no question");
    assert_eq!((world.verdict(&of_one), world.verdict(&of_three)), (Ok(()), Ok(())));
    let parsed = [&of_one, &of_three].map(|bytes| world.parse(bytes).expect("canonical"));
    assert_eq!(parsed[0].contests(), [0, 2]);
    assert_eq!(parsed[1].ciphertexts(2).len(), 2);
    assert!(parsed[1].ciphertexts(0).is_empty());
    let all: Vec<&ParsedBallot> = parsed.iter().collect();
    assert_eq!(batch::verify(&all, &world.context, &mut world.rng), Ok(()));
    let mut tally = EncryptedTally::new(&world.context);
    all.iter().for_each(|ballot| tally.add(ballot, 1));
    assert_eq!(tally.contests()[1], vec![Ciphertext::zero(); 3]);
    let counts: Vec<_> = tally.contests()[2].iter().map(|sum| world.decrypt(sum)).collect();
    let ones = RistrettoPoint::mul_base(&Scalar::ONE);
    assert_eq!(counts, [ones, ones]);
}

#[test]
fn a_batch_names_all_bad_ballots_and_only_those() {
    let mut world = World::new(vec![ContestKind::One { options: 2 }]);
    let mut all: Vec<Vec<u8>> =
        (0..40).map(|n| world.cast(&[Choice::One(n % 2)]).into_bytes()).collect();
    let last = world.context.ballot_len(0) - 1;
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
    let other = World::new(vec![ContestKind::Some { options: 2, min: 0, max: 2, blank: false }]);
    let sealed = world.cast(&[Choice::One(0)]);
    let ballot = world.parse(sealed.as_bytes()).expect("canonical");
    let bad = batch::verify(&[&ballot], &other.context, &mut world.rng).expect_err("foreign");
    assert_eq!(bad.bad, [(0, BallotError::Context)]);
}

//! What must hold for any entries in any order.

use std::collections::BTreeMap;

use bytes::Bytes;
use election::{
    Body, Fold, PartialSums, Refusal, Revote,
    testing::{ElectionBuilder, TestElection, TestRng, choose, choose_all},
};
use proptest::prelude::*;

const VOTERS: usize = 4;

/// One thing that may be appended.
#[derive(Clone, Debug)]
enum Move {
    /// The voter's next ballot.
    Vote { voter: usize, option: u16 },
    /// A ballot at any place of the chain.
    Fork { voter: usize, seq: u32 },
    /// A ballot changed by its own voter, and signed again.
    Cheat { voter: usize, at: usize, bit: u8 },
    /// An earlier entry again.
    Again { back: usize },
    /// An earlier entry with one bit changed.
    Damaged { back: usize, at: usize, bit: u8 },
    /// The last ballot inside an entry of another authority.
    Resent { by: u8 },
    /// The closing entry.
    Close,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let vote = (0..VOTERS, 0..3u16).prop_map(|(voter, option)| Move::Vote { voter, option });
    let fork = (0..VOTERS, 0..3u32).prop_map(|(voter, seq)| Move::Fork { voter, seq });
    let cheat = (0..VOTERS, any::<usize>(), 0..8u8).prop_map(|(voter, at, bit)| Move::Cheat {
        voter,
        at,
        bit,
    });
    let again = (0..6usize).prop_map(|back| Move::Again { back });
    let damaged = (0..3usize, any::<usize>(), 0..8u8).prop_map(|(back, at, bit)| Move::Damaged {
        back,
        at,
        bit,
    });
    let resent = (1..=3u8).prop_map(|by| Move::Resent { by });
    let one = prop_oneof![
        6 => vote, 2 => fork, 2 => cheat, 1 => again, 2 => damaged, 1 => resent, 1 => Just(Move::Close)
    ];
    proptest::collection::vec(one, 1..14)
}

fn entries(election: &mut TestElection, moves: &[Move]) -> Vec<Bytes> {
    let mut entries = election.setup_entries();
    entries.push(election.opening());
    let mut last_ballot = Vec::new();
    for one in moves {
        let back = |back: &usize| entries[entries.len() - 1 - back % entries.len()].clone();
        let entry = match one {
            Move::Vote { voter, option } => {
                last_ballot = election.cast(*voter, &[choose(*option), choose_all(&[0, 1])]);
                election.entry(&Body::Ballot(&last_ballot))
            }
            Move::Fork { voter, seq } => {
                let prev = election.chains[*voter].1;
                let ballot = election.cast_at(*voter, *seq, prev, &[choose(0), choose(2)]);
                election.entry(&Body::Ballot(&ballot))
            }
            Move::Cheat { voter, at, bit } => {
                let (seq, prev) = election.chains[*voter];
                let mut ballot = election.cast_at(*voter, seq, prev, &[choose(0), choose(2)]);
                let at = at % (ballot.len() - 64);
                ballot[at] ^= 1 << bit;
                election.sign_again(*voter, &mut ballot);
                election.entry(&Body::Ballot(&ballot))
            }
            Move::Again { back: at } => back(at),
            Move::Damaged { back: which, at, bit } => {
                let mut bytes = back(which).to_vec();
                let at = at % bytes.len();
                bytes[at] ^= 1 << bit;
                Bytes::from(bytes)
            }
            Move::Resent { by } => election.entry_by(*by, 29_900_001, &Body::Ballot(&last_ballot)),
            Move::Close => election.closing(),
        };
        entries.push(entry);
    }
    entries
}

fn fold_one_by_one(election: &TestElection, entries: &[Bytes]) -> (Fold, Vec<Option<Refusal>>) {
    let mut fold = Fold::new(election.id());
    let verdicts = entries.iter().map(|entry| fold.push(entry).err()).collect();
    (fold, verdicts)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn batches_give_the_verdicts_of_single_entries(
        seed in 0..1000u64, moves in moves(), split in 0..30usize, revote in any::<bool>(),
    ) {
        let mut election = ElectionBuilder::new(seed)
            .voters(VOTERS as u32)
            .define(|d| d.revote = if revote { Revote::LastCounts } else { Revote::Off })
            .build();
        let entries = entries(&mut election, &moves);
        let (one, verdicts) = fold_one_by_one(&election, &entries);

        let mut rng = TestRng::new(seed, "weights");
        let mut batched = Fold::new(election.id());
        let (left, right) = entries.split_at(split.min(entries.len()));
        let mut together = batched.push_batch(left, &mut rng);
        together.extend(batched.push_batch(right, &mut rng));
        let together: Vec<_> = together.into_iter().map(Result::err).collect();
        prop_assert_eq!(&together, &verdicts);
        prop_assert_eq!(batched.tree().root(), one.tree().root());
        prop_assert_eq!(batched.counted(), one.counted());

        // The state depends on the leaves alone.
        let (again, verdicts) = fold_one_by_one(&election, one.leaves());
        prop_assert!(verdicts.iter().all(Option::is_none));
        prop_assert_eq!(again.tree().root(), one.tree().root());
        prop_assert_eq!(again.turnout(), one.turnout());
        prop_assert_eq!(again.phase(), one.phase());
        prop_assert_eq!(again.encrypted_tally(), one.encrypted_tally());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    /// Each vote: who, which one of three, which of the three sets.
    #[test]
    fn the_result_is_the_count_in_the_clear(
        seed in 0..1000u64,
        votes in proptest::collection::vec((0..VOTERS, 0..3u16, 0..4usize), 1..10),
    ) {
        let weight = |voter: u32| 1 + 3 * voter;
        let mut election =
            ElectionBuilder::new(seed).voters(VOTERS as u32).classes(weight, |_| 0).build();
        let sets: [&[u16]; 4] = [&[], &[1], &[0, 2], &[2]];
        let mut run = election.open();
        let mut last = BTreeMap::new();
        for (voter, option, set) in votes {
            election.vote(&mut run, voter, &[choose(option), choose_all(sets[set])]);
            last.insert(voter, (option, sets[set]));
        }
        let mut expected = vec![vec![0u64; 3], vec![0; 4]];
        for (voter, (option, set)) in last {
            let weight = u64::from(weight(voter as u32));
            expected[0][usize::from(option)] += weight;
            set.iter().for_each(|option| expected[1][usize::from(*option)] += weight);
        }
        let finished = election.finish(run);
        prop_assert_eq!(&finished.fold.result().unwrap().counts, &expected);
    }
}

#[test]
fn what_was_checked_before_ordering_is_accepted_and_not_checked_again() {
    let mut election = ElectionBuilder::new(8).voters(3).build();
    let mut run = election.open();
    let good = election.cast(0, &[choose(0), choose(0)]);
    let mut bad = election.cast(1, &[choose(0), choose(0)]);
    let at = bad.len() - 80;
    bad[at] ^= 1;
    let unready = election.cast_at(2, 1, [1; 32], &[choose(0), choose(0)]);
    let mut rng = TestRng::new(8, "weights");
    let checked = run.fold.check_ballots(&[&good, &bad, &unready], &mut rng);
    let codes: Vec<_> = checked.iter().map(|one| one.as_ref().err().map(|r| r.code)).collect();
    assert_eq!(codes, [None, Some("bad-signature"), Some("broken-chain")]);
    let checked = checked[0].as_ref().unwrap();
    assert_eq!(checked.credential, election.credentials[0].public().to_bytes());
    let accepted = run.push(election.entry(&Body::Ballot(&good))).unwrap();
    assert_eq!(run.fold.find_tracker(&checked.tracker), Some(accepted.leaf_index));
    let state = run.fold.credential_state(&checked.credential).unwrap();
    assert_eq!((state.seq, state.hash), (0, checked.hash));
    assert_eq!(run.fold.check_ballot(&good, &mut rng).unwrap_err().leaf, Some(accepted.leaf_index));
}

#[test]
fn a_copied_ciphertext_is_refused_even_under_another_credential() {
    // The copier cannot prove anything about the ciphertexts, but they are weeded before that.
    let mut election = ElectionBuilder::new(9).voters(2).build();
    let mut run = election.open();
    let original = election.cast(0, &[choose(0), choose(0)]);
    run.push(election.entry(&Body::Ballot(&original))).unwrap();
    let mut copy = election.cast(1, &[choose(1), choose(1)]);
    copy[103..167].copy_from_slice(&original[103..167]);
    let refusal = run.push(election.entry(&Body::Ballot(&copy))).unwrap_err();
    assert_eq!(refusal.code, "repeated-ciphertext");
    let mut doubled = election.cast_at(1, 0, [0; 32], &[choose(1), choose(1)]);
    doubled.copy_within(103..135, 167);
    let refusal = run.push(election.entry(&Body::Ballot(&doubled))).unwrap_err();
    assert_eq!(refusal.code, "repeated-ciphertext");
}

#[test]
fn every_bit_of_a_ballot_entry_counts() {
    let mut election =
        ElectionBuilder::new(10).voters(1).define(|d| drop(d.contests.pop())).build();
    let mut run = election.open();
    let ballot = election.cast(0, &[choose(1)]);
    let entry = election.entry(&Body::Ballot(&ballot));
    for at in 0..entry.len() {
        for xor in [1, 0x80, 0xff] {
            let mut other = entry.to_vec();
            other[at] ^= xor;
            assert!(run.fold.push(&Bytes::from(other)).is_err(), "byte {at} xor {xor}");
            // Even when the appender signs the changed ballot, and the voter too.
            if let Some(inside) = at.checked_sub(7).filter(|at| *at < ballot.len()) {
                let mut other = ballot.clone();
                other[inside] ^= xor;
                let refused = run.fold.push(&election.entry(&Body::Ballot(&other))).is_err();
                assert!(refused, "ballot byte {inside} xor {xor}");
                if inside < ballot.len() - 64 {
                    election.sign_again(0, &mut other);
                    let refused = run.fold.push(&election.entry(&Body::Ballot(&other))).is_err();
                    assert!(refused, "ballot byte {inside} xor {xor}, signed again");
                }
            }
        }
    }
    run.fold.push(&entry).unwrap();
}

#[test]
fn sums_made_in_parts_are_those_of_the_close_and_stale_or_missing_parts_are_left_aside() {
    let mut election = ElectionBuilder::new(9).voters(7).classes(|voter| voter + 1, |_| 0).build();
    let mut run = election.open();
    for voter in [0, 1, 2, 3, 4, 0, 2] {
        election.vote(&mut run, voter, &[choose((voter % 3) as u16), choose_all(&[0])]);
    }
    let close = |fold: &mut Fold, election: &mut TestElection| {
        fold.push(&election.closing()).unwrap();
        fold.tally_statement().unwrap().clone()
    };
    // The ballots and sums of a fold that is given parts before the last ballot, and after it.
    let again = |parts: &dyn Fn(&Fold) -> Vec<PartialSums>, before_last: bool| {
        let mut fold = Fold::new(election.id());
        for (at, entry) in run.entries.iter().enumerate() {
            if before_last && at + 1 == run.entries.len() {
                let sums = parts(&fold);
                fold.set_sums(sums);
            }
            fold.push(entry).unwrap();
        }
        if !before_last {
            let sums = parts(&fold);
            fold.set_sums(sums);
        }
        fold
    };
    let leaf = |fold: &Fold, index: u64| fold.leaves().get(index as usize).cloned();
    let part = |fold: &Fold, part: usize| fold.add_up(part, 3, |index| leaf(fold, index));
    let all = |fold: &Fold| (0..3).map(|number| part(fold, number).unwrap()).collect();
    let missing = |fold: &Fold| (0..2).map(|number| part(fold, number).unwrap()).collect();
    let twice = |fold: &Fold| (0..3).map(|number| part(fold, number % 2).unwrap()).collect();
    let mut folds = [
        again(&all, false),
        again(&all, true),
        again(&missing, false),
        again(&twice, false),
        again(&|_| Vec::new(), false),
    ];
    assert!(part(&folds[0], 3).is_none() && folds[0].add_up(0, 1, |_| None).is_none());
    let expected = close(&mut run.fold, &mut election);
    for fold in &mut folds {
        assert_eq!(close(fold, &mut election), expected);
        assert!(part(fold, 0).is_none());
    }
}

#[test]
fn a_fold_that_keeps_no_leaves_comes_to_the_same() {
    let mut election = ElectionBuilder::new(12).voters(5).build();
    let mut run = election.open();
    for voter in [0, 1, 2, 3, 1] {
        election.vote(&mut run, voter, &[choose((voter % 3) as u16), choose_all(&[0])]);
    }
    let finished = election.finish(run);
    let kept = &finished.fold;
    let mut fold = Fold::new(election.id()).without_leaves();
    for leaf in kept.leaves() {
        let parts = (0..2)
            .map(|part| fold.add_up(part, 2, |index| kept.leaves().get(index as usize).cloned()));
        let sums = parts.collect::<Option<Vec<_>>>();
        fold.set_sums(sums.unwrap_or_default());
        fold.push(leaf).unwrap();
    }
    assert!(fold.leaves().is_empty());
    assert_eq!(fold.tree().root(), kept.tree().root());
    assert_eq!(fold.tally_statement(), kept.tally_statement());
    assert_eq!((fold.turnout(), fold.result()), (kept.turnout(), kept.result()));
}

//! What the search must find, and what it must not.

use super::{Options, Report, World, run, world};

fn search(world: World, states_max: usize) -> Report {
    let options = Options {
        world,
        #[cfg(feature = "mutants")]
        mutant: None,
        states_max,
        memory_bytes_max: 1 << 30,
        seed: 1,
    };
    run(&options, &mut |_| {})
}

#[test]
fn small_worlds_are_searched_to_the_end() {
    for name in ["disk", "reads", "remove-leader"] {
        let small = World { crashes: 0, proposals: 0, ..world(name).expect("a world") };
        let report = search(small, 1_000_000);
        assert_eq!(report.violation, None);
        assert!(report.is_complete && report.states > 50, "{report:?}");
    }
}

#[test]
fn every_world_begins_soundly() {
    for name in super::WORLDS {
        let report = search(world(name).expect("a world"), 60_000);
        assert_eq!(report.violation, None);
        assert!(report.states > 1000, "{report:?}");
    }
}

#[test]
fn equal_seeds_count_equally_and_other_seeds_too() {
    let count = |seed| {
        let world = World { crashes: 0, ..world("disk").expect("a world") };
        let options = Options {
            world,
            #[cfg(feature = "mutants")]
            mutant: None,
            states_max: 1_000_000,
            memory_bytes_max: 1 << 30,
            seed,
        };
        let report = run(&options, &mut |_| {});
        (report.states, report.transitions)
    };
    assert_eq!(count(1), count(1));
    assert_eq!(count(1), count(2), "two states were taken for one");
}

#[cfg(feature = "mutants")]
mod mutants {
    use super::*;
    use raft::Mutant;

    /// The seeded bug is found in that world, with these words, within so many events.
    fn check(mutant: Mutant, world: World, promise: &str, events_max: usize) {
        let options = Options {
            world,
            mutant: Some(mutant),
            states_max: 3_000_000,
            memory_bytes_max: 2 << 30,
            seed: 1,
        };
        let report = run(&options, &mut |_| {});
        let story = report.violation.unwrap_or_default();
        assert!(story.contains(promise), "{mutant:?}: {story}\n{} states", report.states);
        assert!(report.depth <= events_max, "{mutant:?}: {story}");
    }

    fn small(name: &str) -> World {
        let world = world(name).expect("a world");
        World { crashes: 0, duplicates: 0, heartbeats: 0, ..world }
    }

    #[test]
    fn half_of_the_voters_is_no_majority() {
        check(Mutant::MajorityOffByOne, World { proposals: 0, ..small("start") }, "R", 9);
    }

    #[test]
    fn both_sets_decide_while_joint() {
        check(Mutant::SingleQuorumWhileJoint, small("replace"), "R6", 6);
    }

    #[test]
    fn a_membership_is_in_force_when_it_is_appended() {
        check(Mutant::MembershipAtApply, small("replace"), "R9", 6);
    }

    #[test]
    fn the_term_of_the_entry_before_is_compared() {
        check(Mutant::SkipPrevTermCheck, World { crashes: 0, ..small("old-terms") }, "R3", 12);
    }

    #[test]
    fn a_vote_is_durable_before_it_is_granted() {
        let unled = World { is_led: false, first: vec![1], ..small("disk") };
        check(Mutant::VoteNotPersisted, unled, "R7", 4);
    }

    #[test]
    fn a_vote_is_not_forgotten() {
        check(Mutant::VoteForgotten, World { crashes: 1, ..small("plain") }, "R7", 8);
    }

    #[test]
    fn entries_of_older_terms_are_not_committed_by_counting() {
        let world = World { crashes: 0, ..small("old-terms") };
        check(Mutant::CommitOldTermByCounting, world, "R5", 16);
    }

    #[test]
    fn one_change_at_a_time() {
        check(Mutant::SecondChangeAllowed, small("shrink"), "R9", 6);
    }

    #[test]
    fn a_learner_does_not_count() {
        check(Mutant::LearnerCounted, small("promote"), "R6", 8);
    }

    #[test]
    fn reads_are_confirmed() {
        check(Mutant::ReadWithoutRound, small("reads"), "R10", 10);
        check(Mutant::ReadBeforeOwnCommit, small("reads"), "R10", 12);
    }

    #[test]
    fn nothing_is_promised_before_it_is_durable() {
        let unled = || World { is_led: false, first: vec![1], ..small("disk") };
        check(Mutant::CountBeforeOwnFsync, unled(), "R6", 16);
        check(Mutant::AckBeforeFsync, unled(), "R7", 12);
    }
}

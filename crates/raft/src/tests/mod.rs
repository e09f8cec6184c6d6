//! Random runs of whole groups: a network that loses, doubles and reorders, disks that finish late
//! and forget what they had not finished, crashes and cuts. The world checks the promises of the
//! protocol from outside, against everything that ever happened; then it heals and must make
//! progress. The same runs prove that they notice each seeded bug.

mod hostile;
mod shadow;
mod truth;
mod world;

use crate::Mutant;
use std::collections::BTreeMap;
use std::format;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::string::{String, ToString};
use world::World;

/// Seeds a seeded bug may survive.
const MUTANT_SEEDS: u64 = 2000;

/// Seeds of the ordinary test; more are a matter of this number.
const SEEDS: u64 = 1500;

/// Bugs that show only in time: clocks that drift, a group that finds no rest, an answer that
/// comes two terms late. The simulator catches them.
const NEEDS_TIME: [Mutant; 4] = [
    Mutant::LeaseWithoutMargin,
    Mutant::NoStepDown,
    Mutant::PreVoteDespiteLeader,
    Mutant::StaleAppendReply,
];

/// `None` if the run broke no promise. A panic of the core is a broken promise too.
fn violation(world: &mut World) -> Option<String> {
    match catch_unwind(AssertUnwindSafe(|| world.run())) {
        Ok(outcome) => outcome.err(),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().cloned();
            let fixed = panic.downcast_ref::<&str>().map(|text| (*text).to_string());
            Some(format!("panic: {}", text.or(fixed).unwrap_or_default()))
        }
    }
}

#[test]
fn no_promise_is_broken() {
    let mut marks: BTreeMap<&str, u64> = BTreeMap::new();
    for seed in 0..SEEDS {
        let mut world = World::new(seed, None);
        if let Some(what) = violation(&mut world) {
            panic!("seed {seed}: {what}");
        }
        for (name, count) in world.marks() {
            *marks.entry(name).or_default() += count;
        }
    }
    for name in world::INTERESTING {
        let count = marks.get(name).copied().unwrap_or_default();
        assert!(count >= SEEDS / 12, "`{name}` happened only {count} times in {SEEDS} runs");
    }
}

#[test]
fn equal_seeds_give_equal_runs() {
    for seed in 0..5 {
        let trace = || {
            let mut world = World::new(seed, None);
            world.run().expect("a sound run");
            world.digest()
        };
        assert_eq!(trace(), trace(), "seed {seed}");
    }
}

#[test]
fn every_seeded_bug_is_caught() {
    for (name, mutant) in Mutant::ALL {
        if NEEDS_TIME.contains(&mutant) {
            continue;
        }
        let caught = (0..MUTANT_SEEDS).find_map(|seed| {
            let what = violation(&mut World::new(seed, Some(mutant)))?;
            Some((seed, what))
        });
        let Some((seed, what)) = caught else { panic!("{name} survives {MUTANT_SEEDS} seeds") };
        std::println!("{name}: seed {seed}: {what}");
    }
}

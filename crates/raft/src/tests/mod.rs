//! Random runs of whole groups: a network that loses, doubles and reorders, disks that finish late
//! and forget what they had not finished, crashes and cuts. The world checks the promises of the
//! protocol from outside, against everything that ever happened; then it heals and must make
//! progress. The same runs prove that they notice each seeded bug.

mod truth;
mod world;

use crate::Mutant;
use std::format;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::string::{String, ToString};
use world::World;

/// Seeds a seeded bug may survive.
const MUTANT_SEEDS: u64 = 500;

/// `None` if the run of `seed` broke no promise. A panic of the core is a broken promise too.
fn violation(seed: u64, mutant: Option<Mutant>) -> Option<String> {
    let run = || World::new(seed, mutant).run();
    match catch_unwind(AssertUnwindSafe(run)) {
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
    for seed in 0..300 {
        if let Some(what) = violation(seed, None) {
            panic!("seed {seed}: {what}");
        }
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
        let caught =
            (0..MUTANT_SEEDS).find_map(|seed| Some((seed, violation(seed, Some(mutant))?)));
        let Some((seed, what)) = caught else { panic!("{name} survives {MUTANT_SEEDS} seeds") };
        std::println!("{name}: seed {seed}: {what}");
    }
}

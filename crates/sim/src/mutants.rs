//! Seeded bugs: the proof that the invariants would notice.

use raft::Mutant;
use sim::Options;

use crate::workers::run_seeds;

/// The bug called `name`.
pub(crate) fn by_name(name: &str) -> Option<Mutant> {
    Mutant::ALL.iter().find(|(known, _)| *known == name).map(|(_, mutant)| *mutant)
}

/// All names, for a mistaken caller.
pub(crate) fn names() -> String {
    let names: Vec<&str> = Mutant::ALL.iter().map(|(name, _)| *name).collect();
    format!("there are {}", names.join(", "))
}

/// Hunts each bug on its own; true when all are caught.
pub(crate) fn run(first_seed: u64, seeds: u64) -> bool {
    let mut caught = 0;
    for (name, mutant) in Mutant::ALL {
        let options = Options { mutant: Some(mutant), ..Options::default() };
        let mut tried = 0;
        let mut first = None;
        run_seeds(first_seed, seeds, &options, |run| {
            let outcome = run.outcome;
            tried += 1;
            if first.is_none() {
                first = outcome.violation.map(|violation| (tried, outcome.seed, violation));
            }
            first.is_none()
        });
        match first {
            Some((tried, seed, violation)) => {
                caught += 1;
                println!("{name}: caught after {tried} seeds, by seed {seed}: {violation}");
            }
            None => println!("{name}: NOT caught in {tried} seeds"),
        }
    }
    println!("{caught} of {} caught", Mutant::ALL.len());
    caught == Mutant::ALL.len()
}

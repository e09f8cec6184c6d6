//! Whole runs: a few seeds hold every invariant, and a seed is all there is to a run.

use sim::{Options, run};

#[test]
fn some_seeds_hold_every_invariant_under_enough_load_and_faults() {
    for seed in 1..=3 {
        let outcome = run(seed, Options::default());
        assert_eq!(outcome.violation, None, "seed {seed}");
        assert!(outcome.figures.succeeded > 1000, "{:?}", outcome.figures);
        assert!(outcome.figures.starts > 10, "{:?}", outcome.figures);
    }
}

#[test]
fn a_seed_gives_the_same_run_again() {
    let (first, second) = (run(4, Options::default()), run(4, Options::default()));
    assert_eq!(first.trace, second.trace);
    assert_eq!(first.figures, second.figures);
    assert_ne!(first.trace, run(5, Options::default()).trace);
}

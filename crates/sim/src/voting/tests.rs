//! Some dozens of elections; more by `sim voting`.

use super::{Figures, run};

fn check(seeds: std::ops::Range<u64>) -> Figures {
    let mut total = Figures::default();
    for seed in seeds {
        let outcome = run(seed, false);
        if let Some(violation) = outcome.violation {
            panic!("seed {seed}: {violation}");
        }
        total.add(&outcome.figures);
    }
    total
}

#[test]
fn elections_survive_what_a_store_and_a_liar_do() {
    let total = check(1..25);
    for (what, count) in [
        ("crashes", total.crashes),
        ("forks", total.forks),
        ("set-backs", total.set_backs),
        ("lies", total.lies),
        ("alarms", total.alarms),
        ("faulty calls", total.faulty_calls),
    ] {
        assert!(count >= 10, "hardly any {what}: {total}");
    }
    assert!(total.receipts >= 24 * 8, "hardly anybody voted: {total}");
}

#[test]
fn a_seed_is_a_run() {
    assert_eq!(run(3, false).figures, run(3, false).figures);
}

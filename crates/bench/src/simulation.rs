//! How much simulated time the simulator gets through: the price of a seed.

use std::time::Duration;

use crate::clock::thread_cpu;
use crate::failure::Failure;
use crate::figures::Figure;

/// Always the same ones, so that two runs do the same work.
const SEEDS: std::ops::RangeInclusive<u64> = 1..=3;

/// Simulated seconds a CPU second.
pub(crate) fn measure() -> Result<Vec<Figure>, Failure> {
    let begun = thread_cpu();
    let mut simulated = Duration::ZERO;
    for seed in SEEDS {
        let outcome = sim::run(seed, sim::Options::default());
        if let Some(violation) = outcome.violation {
            return Err(Failure::new(format!("seed {seed}: {violation}")));
        }
        simulated += Duration::from_nanos(outcome.figures.simulated_ns);
    }
    let value = simulated.as_secs_f64() / (thread_cpu() - begun).as_secs_f64();
    println!("  {value:.1} simulated seconds a CPU second");
    Ok(vec![Figure::new("sim.simulated_seconds", value, "simulated s/CPU s")])
}

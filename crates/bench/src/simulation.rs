//! How much simulated time the simulator gets through: the price of a seed.

use std::time::Duration;

use sim::Options;
use sim::swarm::{Profile, Regime, Swarm};

use crate::clock::thread_cpu;
use crate::failure::Failure;
use crate::figures::Figure;

/// The group whose speed is measured.
const MEMBERS: usize = 5;

/// The first so many seeds that draw it: always the same ones, so that two runs do the same work.
const SEEDS: usize = 8;

/// Simulated seconds a CPU second, with much load and faults and with little of both.
pub(crate) fn measure() -> Result<Vec<Figure>, Failure> {
    let harsh = speed(Profile::Harsh, Regime::Harsh)?;
    let idle = speed(Profile::Idle, Regime::Idle)?;
    println!(
        "  simulated seconds a CPU second, {MEMBERS} members: {harsh:.0} harsh, {idle:.0} idle"
    );
    Ok(vec![
        Figure::new("sim.harsh.5_members", harsh, "simulated s/CPU s"),
        Figure::new("sim.idle.5_members", idle, "simulated s/CPU s"),
    ])
}

fn speed(profile: Profile, regime: Regime) -> Result<f64, Failure> {
    let is_wanted = |seed: &u64| {
        let swarm = Swarm::under(*seed, profile);
        swarm.members == MEMBERS && swarm.regime == regime
    };
    let mut simulated = Duration::ZERO;
    let begun = thread_cpu();
    for seed in (1..).filter(is_wanted).take(SEEDS) {
        let outcome = sim::run(seed, Options { profile, ..Options::default() });
        if let Some(violation) = outcome.violation {
            return Err(Failure::new(format!("seed {seed}: {violation}")));
        }
        simulated += Duration::from_nanos(outcome.figures.simulated_ns);
    }
    Ok(simulated.as_secs_f64() / (thread_cpu() - begun).as_secs_f64())
}

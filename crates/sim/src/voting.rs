//! Whole elections by authority machines over a store that is slow, forgetful, or lies.
//!
//! # The idea
//! The machines are those that `quorate serve` runs ([`authority::Authority`]), the store is the
//! real key-value machine without members. In between, simulated time: calls are late, lost before
//! or after they happened, or happen long after their error; watches break; journals lose what was
//! not durable when a process dies. The store itself
//! - shows some authorities another order for a while, and then one of the two to all ([`stores`]);
//! - is set back to what it was some writes ago, like a restored backup;
//! - is written to by one authority that lies: contradicting statements, other people's keys,
//!   entries replaced or deleted, a head that points nowhere ([`liar`]).
//!
//! Voters keep their ballot and send the same bytes to any node until they hold a receipt; some
//! then vote again. After a while all faults end, the rest of the voters vote, the election is
//! closed.
//!
//! # What must hold ([`check`])
//! V1 all cosignatures ever made by honest authorities are over prefixes of one ledger; V2 nobody
//! honest ever says two things where one is allowed, whatever it forgot in a crash; V3 a final leaf
//! stays; V4 whoever holds a receipt is in the final ledger; V5 once the faults have ended, all
//! vote, all becomes final everywhere, and every voter's last ballot counts; V6 a submission is
//! answered at most once per process life.
//!
//! Left out: clocks that disagree, authorities that change, trustees (their machines have no
//! store).

pub mod check;
mod liar;
mod plan;
mod stores;
mod voters;
mod world;

#[cfg(test)]
mod tests;

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::{check::Violation, run::panic_text};

pub use world::Figures;

/// What became of a seed.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// What was counted.
    pub figures: Figures,
    /// The first thing that did not hold.
    pub violation: Option<Violation>,
}

/// Runs one election. A panic of a machine is a violation too.
pub fn run(seed: u64, dump: bool) -> Outcome {
    let mut world = world::World::new(seed, dump);
    let ended = catch_unwind(AssertUnwindSafe(|| world.run()));
    let violation = match ended {
        Ok(result) => result.err(),
        Err(panic) => Some(Violation { rule: "panic", text: panic_text(&*panic) }),
    };
    Outcome { seed, figures: world.figures(), violation }
}

/// Runs seeds one after the other and tells the terminal; true when none failed.
pub fn run_seeds(first_seed: u64, seeds: u64, dump: bool) -> bool {
    let mut failed = 0;
    let mut total = Figures::default();
    for seed in first_seed..first_seed.saturating_add(seeds) {
        let outcome = run(seed, dump);
        total.add(&outcome.figures);
        if let Some(violation) = outcome.violation {
            failed += 1;
            println!("seed {seed}: {violation}");
            println!(
                "    again: cargo run --release -p sim -- voting --seeds 1 --first-seed {seed}"
            );
        }
    }
    println!("{total}");
    println!("{seeds} elections from seed {first_seed}, {failed} failed");
    failed == 0
}

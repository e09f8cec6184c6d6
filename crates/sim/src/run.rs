//! One seed from beginning to end.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::check::{Marks, Violation};
use crate::matrix::Matrix;
use crate::script::Script;
use crate::swarm::Regime;
use crate::truth::Operation;
use crate::world::{Figures, Options, World};

/// What became of a seed.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// What its floors are.
    pub regime: Regime,
    /// Members of the group.
    pub members: usize,
    /// Hash over everything that happened; equal for two runs of a seed, or something is random.
    pub trace: u64,
    /// What was counted.
    pub figures: Figures,
    /// What has been seen to happen.
    pub marks: Marks,
    /// What was struck while it did what.
    pub matrix: Matrix,
    /// The faults that were drawn; with the calls, all there is to leave out.
    pub script: Script,
    /// The calls that were made.
    pub called: Vec<Operation>,
    /// The first invariant that did not hold.
    pub violation: Option<Violation>,
}

/// Runs `seed`. A panic of a member is a violation too.
pub fn run(seed: u64, options: Options) -> Outcome {
    let mut world = World::new(seed, options);
    let ended = catch_unwind(AssertUnwindSafe(|| world.run()));
    let violation = match ended {
        Ok(result) => result.err(),
        Err(panic) => Some(Violation { rule: "panic", text: panic_text(&*panic) }),
    };
    Outcome {
        seed,
        regime: world.swarm.regime,
        members: world.swarm.members,
        trace: world.trace_hash(),
        figures: world.figures(),
        marks: world.marks,
        matrix: world.matrix,
        script: Script { faults: world.planned, ..Script::default() },
        called: world.called,
        violation,
    }
}

pub(crate) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    if let Some(text) = panic.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = panic.downcast_ref::<String>() {
        text.clone()
    } else {
        "a panic without a text".to_owned()
    }
}

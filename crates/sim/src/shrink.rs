//! From a failing run to a short one: leaves out faults, then calls, then members, as long as the
//! same rule breaks (Zeller and Hildebrandt, "Simplifying and Isolating Failure-Inducing Input",
//! 2002: *ddmin*).

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::faults::Planned;
use crate::run::{Outcome, run};
use crate::script::Script;
use crate::truth::Operation;
use crate::world::Options;

/// A shortened failure.
#[derive(Clone, Debug)]
pub struct Shrunk {
    /// What is left.
    pub script: Script,
    /// How it fails.
    pub outcome: Outcome,
    /// How often the seed was run.
    pub runs: u64,
}

/// Shortens the failure of `seed` with at most about `runs_max` runs; `None` if it does not fail.
pub fn shrink(seed: u64, options: &Options, runs_max: u64) -> Option<Shrunk> {
    let first = run(seed, options.clone());
    let rule = first.violation.as_ref()?.rule;
    let mut hunt = Hunt { seed, options: options.clone(), rule, runs: 1, runs_max, last: None };
    let mut script = first.script.clone();
    let calls: Vec<Operation> = first.called.clone();
    // With every fault of the first run in the script it must fail as before.
    if !hunt.fails(&script) {
        return Some(Shrunk { script, outcome: first, runs: hunt.runs });
    }
    script.faults = ddmin(script.faults.clone(), |faults: &[Planned]| {
        hunt.fails(&Script { faults: faults.to_vec(), ..Script::default() })
    });
    let faults = script.faults.clone();
    let calls = ddmin(calls, |calls: &[Operation]| {
        let calls = Some(calls.iter().copied().collect::<BTreeSet<_>>());
        hunt.fails(&Script { faults: faults.clone(), calls, members: None })
    });
    script.calls = Some(calls.into_iter().collect());
    // Fewer calls may make more faults needless.
    script.faults = ddmin(script.faults.clone(), |faults: &[Planned]| {
        hunt.fails(&Script { faults: faults.to_vec(), ..script.clone() })
    });
    for members in 1..first.members {
        let smaller = Script { members: Some(members), ..script.clone() };
        if hunt.fails(&smaller) {
            script = smaller;
            break;
        }
    }
    hunt.runs_max = u64::MAX;
    hunt.fails(&script);
    hunt.last.map(|outcome| Shrunk { script, outcome, runs: hunt.runs })
}

struct Hunt {
    seed: u64,
    options: Options,
    rule: &'static str,
    runs: u64,
    runs_max: u64,
    last: Option<Outcome>,
}

impl Hunt {
    /// Whether the seed breaks the same rule by `script`; `false` once there were enough runs.
    fn fails(&mut self, script: &Script) -> bool {
        if self.runs >= self.runs_max {
            return false;
        }
        self.runs += 1;
        let script = Some(Arc::new(script.clone()));
        let outcome = run(self.seed, Options { script, ..self.options.clone() });
        let same = outcome.violation.as_ref().is_some_and(|broken| broken.rule == self.rule);
        if same {
            self.last = Some(outcome);
        }
        same
    }
}

/// A part of `items` for which `fails` still holds and from which no single one may be taken.
pub fn ddmin<T: Clone>(items: Vec<T>, mut fails: impl FnMut(&[T]) -> bool) -> Vec<T> {
    let mut items = items;
    if !items.is_empty() && fails(&[]) {
        return Vec::new();
    }
    let mut parts = 2;
    while items.len() >= 2 {
        let size = items.len().div_ceil(parts);
        let without = (0..items.len()).step_by(size).find_map(|start| {
            let rest: Vec<T> = items[..start]
                .iter()
                .chain(&items[(start + size).min(items.len())..])
                .cloned()
                .collect();
            fails(&rest).then_some(rest)
        });
        match without {
            Some(rest) => {
                items = rest;
                parts = (parts - 1).max(2);
            }
            None if size == 1 => break,
            None => parts = (parts * 2).min(items.len()),
        }
    }
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_needed() {
        let mut tries = 0;
        let left = ddmin((0..100).collect(), |items: &[u32]| {
            tries += 1;
            items.contains(&7) && items.contains(&42) && items.contains(&43)
        });
        assert_eq!(left, [7, 42, 43]);
        assert!(tries < 150, "{tries}");
        assert_eq!(ddmin(vec![1, 2, 3], |_| true), []);
    }
}

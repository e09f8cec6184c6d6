//! Seeds on all cores. Threads are out here only; inside a seed there are none.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;

use sim::{Options, Outcome};

/// Runs the seeds and hands each outcome to `see` as it comes; ends early when `see` says so.
pub(crate) fn run_seeds(
    first_seed: u64,
    seeds: u64,
    options: Options,
    mut see: impl FnMut(Outcome) -> bool,
) {
    let next = AtomicU64::new(0);
    let stop = AtomicBool::new(false);
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let (sender, outcomes) = mpsc::channel();
        for _ in 0..workers {
            let (sender, next, stop) = (sender.clone(), &next, &stop);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= seeds {
                        return;
                    }
                    let outcome = sim::run(first_seed.wrapping_add(number), options);
                    if sender.send(outcome).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        for outcome in outcomes {
            if !see(outcome) {
                stop.store(true, Ordering::Relaxed);
            }
        }
    });
}

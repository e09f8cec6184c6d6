//! Seeds on all cores. Threads are out here only; inside a seed there are none.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use sim::{Options, Outcome};

/// An outcome and the CPU time that it took.
pub(crate) struct Run {
    pub(crate) outcome: Outcome,
    pub(crate) cpu: Duration,
}

/// Runs the seeds and hands each outcome to `see` as it comes; ends early when `see` says so.
pub(crate) fn run_seeds(
    first_seed: u64,
    seeds: u64,
    options: &Options,
    mut see: impl FnMut(Run) -> bool,
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
                    let began = Cpu::now();
                    let outcome = sim::run(first_seed.wrapping_add(number), options.clone());
                    if sender.send(Run { outcome, cpu: began.elapsed() }).is_err() {
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

/// A moment on the CPU clock of this thread; on the wall clock where there is none.
struct Cpu {
    cpu: Option<Duration>,
    wall: Instant,
}

impl Cpu {
    fn now() -> Self {
        Self { cpu: thread_cpu(), wall: Instant::now() }
    }

    fn elapsed(&self) -> Duration {
        match (self.cpu, thread_cpu()) {
            (Some(before), Some(now)) => now.saturating_sub(before),
            _ => self.wall.elapsed(),
        }
    }
}

/// Linux: nanoseconds on the CPU, from `/proc/thread-self/schedstat`.
fn thread_cpu() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}

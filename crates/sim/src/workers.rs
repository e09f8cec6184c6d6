//! Seeds on all cores. Threads are out here only; inside a seed there are none.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use sim::{Options, Outcome};

/// Outcomes that may wait to be seen: memory stays bounded however many seeds there are.
const WAITING_MAX: usize = 64;

/// An outcome and the CPU time that it took.
pub(crate) struct Run {
    pub(crate) outcome: Outcome,
    pub(crate) cpu: Duration,
    /// Whether a second run went the same way, if there was one.
    pub(crate) repeated: Option<bool>,
}

/// Runs the seeds, and those that `twice` names a second time, and hands each outcome to `see` as
/// it comes; ends early when `see` says so. What a seed does depends on nothing but itself.
pub(crate) fn run_seeds(
    first_seed: u64,
    seeds: u64,
    options: &Options,
    twice: impl Fn(u64) -> bool + Sync,
    mut see: impl FnMut(Run) -> bool,
) {
    let next = AtomicU64::new(0);
    let stop = AtomicBool::new(false);
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        let (sender, outcomes) = mpsc::sync_channel(WAITING_MAX);
        for _ in 0..workers {
            let (sender, next, stop, twice) = (sender.clone(), &next, &stop, &twice);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= seeds {
                        return;
                    }
                    let began = Cpu::now();
                    let seed = first_seed.wrapping_add(number);
                    let outcome = sim::run(seed, options.clone());
                    let cpu = began.elapsed();
                    let again = twice(seed).then(|| sim::run(seed, options.clone()));
                    let repeated = again.map(|again| again.trace == outcome.trace);
                    if sender.send(Run { outcome, cpu, repeated }).is_err() {
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

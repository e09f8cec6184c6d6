//! CPU time, which other programs on the machine do not stretch as they stretch wall time.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

fn read(clock: ClockId) -> Duration {
    let now = clock_gettime(clock);
    Duration::new(now.tv_sec.unsigned_abs(), now.tv_nsec.unsigned_abs().min(999_999_999) as u32)
}

/// What this thread has used so far.
pub(crate) fn thread_cpu() -> Duration {
    read(ClockId::ThreadCPUTime)
}

/// What this process has used so far, all threads.
pub(crate) fn process_cpu() -> Duration {
    read(ClockId::ProcessCPUTime)
}

/// Calls `work` until it has used this much CPU time of this thread, at least once. Each call
/// says how much it did; the result is what was done a CPU second.
pub(crate) fn per_cpu_second(budget: Duration, mut work: impl FnMut() -> u64) -> f64 {
    let begun = thread_cpu();
    let mut done = 0;
    loop {
        done += work();
        let used = thread_cpu() - begun;
        if used >= budget {
            return done as f64 / used.as_secs_f64();
        }
    }
}

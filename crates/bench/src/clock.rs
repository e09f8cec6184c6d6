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

/// What `threads` threads need for the same work side by side, if each has a core of its own: the
/// CPU time of the slowest one. Other programs on the machine do not stretch it.
pub(crate) fn slowest_cpu<T: Send>(
    threads: usize,
    work: impl Fn(usize) -> T + Sync,
) -> (Duration, Vec<T>) {
    let timed = |thread: usize| {
        let begun = thread_cpu();
        let done = work(thread);
        (thread_cpu() - begun, done)
    };
    let ended: Vec<(Duration, T)> = std::thread::scope(|scope| {
        let timed = &timed;
        let started: Vec<_> =
            (0..threads).map(|thread| scope.spawn(move || timed(thread))).collect();
        started.into_iter().map(|thread| thread.join().expect("no thread panics")).collect()
    });
    let slowest = ended.iter().map(|(used, _)| *used).max().unwrap_or_default();
    (slowest, ended.into_iter().map(|(_, done)| done).collect())
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

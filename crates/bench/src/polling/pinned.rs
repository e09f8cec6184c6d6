//! Work on one core: so that who is measured and who measures do not share any.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::failure::Failure;

/// A core that this process may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Core(usize);

/// The first and the last core that this process may use.
///
/// # Errors
/// When there is only one.
pub(crate) fn two_cores() -> Result<[Core; 2], Failure> {
    let allowed = sched_getaffinity(None).map_err(Failure::because("no list of cores"))?;
    let mut cores = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core));
    match (cores.next(), cores.next_back()) {
        (Some(first), Some(last)) => Ok([Core(first), Core(last)]),
        _ => Err(Failure::new("two cores are needed: one for the nodes, one for the load")),
    }
}

impl Core {
    /// Does `work` with this thread on this core only. What it starts, threads and processes,
    /// stays there.
    ///
    /// # Errors
    /// Of the operating system, or of `work`.
    pub(crate) fn run<T>(self, work: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
        let cannot = "cannot choose a core";
        let before = sched_getaffinity(None).map_err(Failure::because(cannot))?;
        let mut only = CpuSet::new();
        only.set(self.0);
        sched_setaffinity(None, &only).map_err(Failure::because(cannot))?;
        let done = work();
        sched_setaffinity(None, &before).map_err(Failure::because(cannot))?;
        done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_stays_on_its_core_and_the_thread_is_free_again() {
        let Ok([first, last]) = two_cores() else { return };
        assert_ne!(first, last);
        let before = sched_getaffinity(None).unwrap();
        let inside = last.run(|| Ok(sched_getaffinity(None).unwrap())).unwrap();
        assert!(inside.is_set(last.0) && inside.count() == 1);
        let failed = last.run(|| Err::<(), _>(Failure::new("no"))).unwrap_err();
        assert_eq!(failed, Failure::new("no"));
        assert_eq!(sched_getaffinity(None).unwrap(), before);
    }
}

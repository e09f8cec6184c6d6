//! The verifier's workers: threads of this process.

use std::{
    num::NonZeroUsize,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use bytes::Bytes;
use election::{Fold, PartialSums, Verified};
use verifier::{LeafOf, Workers};

/// That many threads, the caller's among them, started for each piece of work.
pub(super) struct Threads(NonZeroUsize);

impl Threads {
    /// As many as asked for, else as many as the machine has cores for this process.
    pub(super) fn new(asked: Option<NonZeroUsize>) -> Self {
        Self(asked.or_else(|| thread::available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN))
    }

    /// Does `work` with every number below `count`; whoever is idle takes the next number. Gives
    /// what came of it in the order of the numbers.
    fn each<T: Send>(&self, count: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
        let next = AtomicUsize::new(0);
        let take = || {
            let numbers = std::iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed));
            let own = numbers.take_while(|number| *number < count);
            own.map(|number| (number, work(number))).collect::<Vec<_>>()
        };
        let mut done = thread::scope(|scope| {
            let others = 1..self.0.get().min(count);
            let others: Vec<_> = others.map(|_| scope.spawn(&take)).collect();
            let mut done = take();
            others
                .into_iter()
                .for_each(|other| done.extend(other.join().expect("no worker panics")));
            done
        });
        done.sort_unstable_by_key(|(number, _)| *number);
        done.into_iter().map(|(_, result)| result).collect()
    }
}

impl Workers for Threads {
    fn count(&self) -> usize {
        self.0.get()
    }

    fn verify(&mut self, fold: &Fold, batches: &[&[Bytes]]) -> Vec<Verified> {
        self.each(batches.len(), |at| fold.verify(batches[at], &mut crate::random::system()))
    }

    fn add_up(&mut self, fold: &Fold, leaf: &LeafOf<'_>) -> Vec<PartialSums> {
        let parts = self.count();
        self.each(parts, |part| fold.add_up(part, parts, leaf)).into_iter().flatten().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_worked_with_once_and_in_order() {
        for threads in 1..=4 {
            let threads = Threads::new(NonZeroUsize::new(threads));
            for count in [0, 1, 3, 100] {
                let squares = threads.each(count, |number| number * number);
                assert_eq!(squares, (0..count).map(|number| number * number).collect::<Vec<_>>());
            }
        }
    }
}

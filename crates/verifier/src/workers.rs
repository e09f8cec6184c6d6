//! Who does the costly work. This crate starts no threads; a caller that has some hands them in.

use bytes::Bytes;
use election::{Fold, PartialSums, Verified};
use rand_core::CryptoRng;

/// One thread or several. Whatever they do is the same for one; only the time differs.
pub trait Workers {
    /// How many batches may be worked on at the same time, at least 1.
    fn count(&self) -> usize;

    /// [`Fold::verify`] of every batch, in the order of the batches, with numbers that are
    /// unpredictable for whoever made the archive.
    fn verify(&mut self, fold: &Fold, batches: &[&[Bytes]]) -> Vec<Verified>;

    /// [`Fold::add_up`] of all parts, in their order, with the leaves that `leaf` gives; as many
    /// parts as the caller likes. Those that came to nothing are left out.
    fn add_up(&mut self, fold: &Fold, leaf: &LeafOf<'_>) -> Vec<PartialSums>;
}

/// Gives the leaf with an index; nothing when it cannot be read.
pub type LeafOf<'a> = dyn Fn(u64) -> Option<Bytes> + Sync + 'a;

/// The caller's own thread, with the numbers of a generator.
pub(crate) struct Alone<'a, R: ?Sized>(pub(crate) &'a mut R);

impl<R: CryptoRng + ?Sized> Workers for Alone<'_, R> {
    fn count(&self) -> usize {
        1
    }

    fn verify(&mut self, fold: &Fold, batches: &[&[Bytes]]) -> Vec<Verified> {
        batches.iter().map(|batch| fold.verify(batch, self.0)).collect()
    }

    fn add_up(&mut self, fold: &Fold, leaf: &LeafOf<'_>) -> Vec<PartialSums> {
        fold.add_up(0, 1, leaf).into_iter().collect()
    }
}

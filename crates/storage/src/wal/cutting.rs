//! Giving up the beginning of the log, or all of it, and settling a loss.
//!
//! Everywhere the manifest goes first, in both slots, and the files after it: a crash between
//! leaves files that the next opening ignores and takes for recycling.
//!
//! A log under load is cut about once a segment, and each sync of a slot costs it as much as a
//! batch. So a cut that frees no space, since its files would only be kept for recycling, is not
//! saved by itself: it is in what the next two segments save when they are begun, and the files
//! wait until then.

use super::loss::remove_salvage;
use super::manifest::META_BYTES_MAX;
use super::{State, Wal};
use crate::disk::Disk;
use crate::error::WriteError;
use bytes::Bytes;

use super::index::RecordIndex;

impl<D: Disk> Wal<D> {
    /// Gives up whole segments whose records all lie below `index`, for recycling. Records below
    /// `index` in the segment that holds it stay. The owner must no longer need what is cut. Where
    /// that would free space it is durable and the files are given up on return; otherwise both
    /// may follow later, and the next opening may find it not done.
    ///
    /// # Errors
    /// [`WriteError::Full`]: the records are gone, their files not yet; the call can be made
    /// again. Any other failure poisons the log.
    ///
    /// # Panics
    /// When the last batch is not synced.
    pub fn cut_before(&mut self, index: u64) -> Result<(), WriteError> {
        self.check_all_durable()?;
        let holder = self.index.slot(index).map(|slot| u64::from(slot.segment));
        let beyond = self.index.last().is_none_or(|last| last < index);
        let first = holder.unwrap_or(if beyond { self.segments.active } else { 0 });
        // The segment of the last batch stays: the numbers go on from it.
        let first = first.min(self.segments.active - u64::from(self.offset == 0));
        if first > self.manifest.first_segment {
            let dropped = (first - self.manifest.first_segment) as usize;
            self.starts.drain(..dropped.min(self.starts.len()));
            self.index.drop_below(first);
            self.manifest.first_segment = first;
            self.manifest.start = self.starts.front().copied().unwrap_or((0, 0));
            self.manifest.next_index = self.index.floor().unwrap_or(0);
            self.manifest.first_index = self.index.first().or(self.index.floor()).unwrap_or(0);
        }
        if self.segments.can_wait_for_cut(self.manifest.first_segment) {
            return Ok(());
        }
        self.finish_waiting_cut()
    }

    /// Makes a cut durable in both slots, if it is not, and gives its files up.
    pub(super) fn finish_waiting_cut(&mut self) -> Result<(), WriteError> {
        if self.manifest.first_segment == self.segments.first {
            return Ok(());
        }
        if self.manifest.first_in_both() < self.manifest.first_segment {
            self.refresh_manifest();
            self.save_both()?;
        }
        self.give_up_cut()
    }

    /// Gives up the files of segments that neither slot of the manifest names any more.
    pub(super) fn give_up_cut(&mut self) -> Result<(), WriteError> {
        let first = self.manifest.first_in_both();
        if first <= self.segments.first {
            return Ok(());
        }
        let result = self.segments.cut_below(&mut self.disk, first);
        self.checked(result)
    }

    /// Empties the log: as soon as this returns `Ok` it holds no record, its meta is `meta`, and
    /// the next record must have the index `next_index`; after a crash either all of that is so,
    /// or nothing has changed. A loss that is not settled stays. To be called when a snapshot
    /// that ends before `next_index` is durable.
    ///
    /// # Errors
    /// [`WriteError::Full`]: the *same* call is to be made again when there is space, and until
    /// it has succeeded nothing else may be done. Any other failure poisons the log.
    ///
    /// # Panics
    /// When the last batch is not synced, unless the rest of it found no space; when `meta` is
    /// longer than [`Wal::meta_bytes_max`], or
    /// `next_index` is 0.
    pub fn reset(&mut self, meta: Bytes, next_index: u64) -> Result<(), WriteError> {
        let is_again = self.state == State::HalfReset;
        // Whatever else was to be written goes with the rest.
        let gives_up = self.half_written.take().is_some();
        if !is_again && !gives_up {
            self.check_all_durable()?;
        } else if self.state == State::Poisoned {
            return Err(WriteError::Poisoned);
        }
        let meta_max = self.meta_bytes_max();
        assert!(meta.len() <= meta_max, "a meta of {} bytes, at most {meta_max}", meta.len());
        assert!(next_index > 0, "indexes start at 1");
        self.lay_ghost()?;
        // The first batch of the emptied log opens a segment of its own.
        let result = self.segments.prepare(&mut self.disk, self.geometry.segment_bytes);
        self.checked(result)?;
        let first = self.segments.active + 1;
        self.refresh_manifest();
        self.manifest.first_segment = first;
        self.manifest.active_segment = first;
        self.manifest.start = (self.next_number, self.chain);
        self.manifest.durable_batch = self.next_number - 1;
        self.manifest.end = None;
        self.manifest.next_index = next_index;
        self.manifest.first_index = next_index;
        self.manifest.meta = Some(meta.clone());
        self.manifest.meta_batch = self.next_number - 1;
        let saved = self.save_both();
        if matches!(saved, Err(WriteError::Full(_))) {
            // One slot may say so already: nothing may be acknowledged before the other does.
            self.state = State::HalfReset;
        }
        saved?;
        self.meta = Some(meta);
        self.meta_batch = self.next_number - 1;
        self.index = RecordIndex::from_floor(next_index);
        self.starts = [self.manifest.start].into();
        self.segments.activate();
        self.offset = 0;
        self.state = State::Synced;
        let result = self.segments.cut_below(&mut self.disk, first);
        self.checked(result)
    }

    /// Forgets the loss: the owner holds again everything that it owed. Durable on return; the
    /// salvaged records are removed.
    ///
    /// # Errors
    /// [`WriteError::Full`]: the loss is not settled, the call can be made again. Any other
    /// failure poisons the log.
    ///
    /// # Panics
    /// When the last batch is not synced.
    pub fn settle_loss(&mut self) -> Result<(), WriteError> {
        self.check_all_durable()?;
        if self.manifest.note.is_none() {
            return Ok(());
        }
        self.refresh_manifest();
        let note = self.manifest.note.take();
        let saved = self.save_both();
        if saved.is_err() {
            self.manifest.note = note;
        }
        saved?;
        let result = remove_salvage(&mut self.disk);
        self.checked(result)
    }

    /// Takes the meta for certain from now on: the owner has made sure that no promise of an
    /// older one can be broken. Durable on return.
    ///
    /// # Errors
    /// As [`Wal::settle_loss`].
    ///
    /// # Panics
    /// When the last batch is not synced.
    pub fn settle_meta(&mut self) -> Result<(), WriteError> {
        self.check_all_durable()?;
        if self.manifest.meta_is_certain {
            return Ok(());
        }
        self.refresh_manifest();
        self.manifest.meta_is_certain = true;
        let saved = self.save_both();
        self.manifest.meta_is_certain = saved.is_ok();
        saved
    }

    /// The longest meta that a batch may carry, in bytes: 4096, or a quarter of a segment.
    pub fn meta_bytes_max(&self) -> usize {
        META_BYTES_MAX.min(self.geometry.segment_bytes as usize / 4)
    }

    /// Copies what only the log knows into the manifest, to be saved.
    pub(super) fn refresh_manifest(&mut self) {
        self.manifest.active_segment = self.segments.active;
        self.manifest.meta.clone_from(&self.meta);
        self.manifest.meta_batch = self.meta_batch;
        self.manifest.end = self.index.end();
        self.manifest.durable_batch = match self.state {
            State::Sealed => self.next_number.saturating_sub(2),
            _ => self.next_number - 1,
        };
    }

    fn save_both(&mut self) -> Result<(), WriteError> {
        let result = self.manifest.save_both(&mut self.disk, self.seed);
        self.checked(result)
    }

    fn check_all_durable(&self) -> Result<(), WriteError> {
        self.check_usable()?;
        let written = matches!(self.state, State::Written { .. });
        assert!(!written, "the log is cut only when all of it is durable");
        Ok(())
    }
}

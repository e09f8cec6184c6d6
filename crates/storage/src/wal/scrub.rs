//! Looking for damage in sealed segments before anybody needs what is in them.
//!
//! Batches are followed as at opening: each header must continue the numbers and repeat the crc
//! that ended the batch before it, each record must be intact. The active segment is left alone:
//! it is young, and its end moves.

use super::format::{HEADER_BYTES, Header, segment_file};
use super::loss::GAP;
use super::recovery::{Body, read_body};
use super::{Wal, segment32};
use crate::disk::{Disk, DiskErrorKind};
use crate::error::{Damage, ReadError};

/// Where a background check of a log goes on; the default begins at the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WalScrub {
    /// Segment and offset of the next batch, its number, and the crc that it repeats.
    next: Option<(u64, u64, u64, u32)>,
}

impl<D: Disk> Wal<D> {
    /// Verifies batches of sealed segments from `scrub` on, at least one and until `budget_bytes`
    /// were read; behind the last one it begins anew. To be called now and then.
    ///
    /// # Errors
    /// [`ReadError::Damaged`] with the index of the last record in the damaged segment or before
    /// it, if there is one: everything up to there should be given up ([`Wal::cut_before`]). The
    /// check goes on with the next segment. [`ReadError::Disk`] when the disk fails as a whole.
    pub fn scrub(&self, scrub: &mut WalScrub, budget_bytes: u64) -> Result<(), ReadError> {
        let mut checked = 0;
        while checked < budget_bytes.max(1) {
            let place = scrub.next.filter(|(segment, ..)| *segment >= self.manifest.first_segment);
            let place = place.or_else(|| self.start_of(self.manifest.first_segment));
            scrub.next = None;
            let Some((segment, offset, number, chain)) = place else { return Ok(()) };
            if segment >= self.segments.active {
                return Ok(());
            }
            let is_end = self.start_of(segment + 1).is_some_and(|(_, _, next, _)| next == number);
            if is_end {
                scrub.next = self.start_of(segment + 1);
                continue;
            }
            match self.check_batch_at((segment, offset), (number, chain)) {
                Ok((extent, chain)) => {
                    checked += extent;
                    scrub.next = Some((segment, offset + extent, number + 1, chain));
                }
                Err(error) => {
                    scrub.next = self.start_of(segment + 1);
                    return Err(error);
                }
            }
        }
        Ok(())
    }

    /// Where a segment up to the active one begins, if that is known.
    fn start_of(&self, segment: u64) -> Option<(u64, u64, u64, u32)> {
        let at = usize::try_from(segment.checked_sub(self.manifest.first_segment)?).ok()?;
        let (number, chain) = self.starts.get(at).copied().filter(|(number, _)| *number > 0)?;
        Some((segment, 0, number, chain))
    }

    /// Verifies the batch that must be there; answers its length and the crc that ended it.
    fn check_batch_at(
        &self,
        (segment, offset): (u64, u64),
        (number, previous): (u64, u32),
    ) -> Result<(u64, u32), ReadError> {
        let damaged = || self.rotten(segment, offset);
        let mut block = vec![0; HEADER_BYTES];
        self.disk.forget_cached(&segment_file(segment), offset, HEADER_BYTES as u64);
        self.fill(segment, offset, &mut block)?;
        let decoded = Header::decode(&block, self.seed);
        let is_that = |(header, _): &(Header, u32)| {
            (header.segment, header.number, header.previous) == (segment, number, previous)
        };
        let Some((header, crc)) = decoded.filter(is_that) else { return Err(damaged()) };
        let len = HEADER_BYTES + header.body_bytes as usize;
        if offset + len as u64 > self.geometry.segment_bytes {
            return Err(damaged());
        }
        block.resize(len, 0);
        self.disk.forget_cached(&segment_file(segment), offset, len as u64);
        self.fill(segment, offset, &mut block)?;
        match read_body(&block, 0, &header, crc) {
            Body::Whole { chain, .. } => Ok((header.extent(self.geometry.sector_bytes), chain)),
            Body::Broken { .. } => Err(damaged()),
        }
    }

    /// Reads bytes of a segment; sectors that cannot be read are damage.
    fn fill(&self, segment: u64, offset: u64, block: &mut [u8]) -> Result<(), ReadError> {
        match self.disk.read_at(&segment_file(segment), offset, block) {
            Err(error) if matches!(error.kind, DiskErrorKind::Io(_)) => {
                match crate::identity::is_readable(&self.disk) {
                    true => Err(self.rotten(segment, offset)),
                    false => Err(ReadError::Disk(error)),
                }
            }
            Err(_) => Err(self.rotten(segment, offset)),
            Ok(()) => Ok(()),
        }
    }

    fn rotten(&self, segment: u64, offset: u64) -> ReadError {
        ReadError::Damaged(Damage {
            file: segment_file(segment),
            segment: Some(segment),
            offset,
            index: self.index.last_through(segment32(segment)),
            reason: GAP,
        })
    }
}

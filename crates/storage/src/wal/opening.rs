//! Opening: from what recovery saw to a log that may be written again.
//!
//! Whatever recovery relies on may so far have been in a cache only, so it is written and synced
//! again before anyone acts on it. A damaged log is cut where its intact part ends, in an order
//! that survives a crash at any point:
//!
//! 1. the salvaged records become durable in a file of their own,
//! 2. the loss and the place of the cut become durable in both slots of the manifest,
//! 3. what lies behind that place is overwritten with zeros, later segments are removed,
//! 4. records that a lost batch was known to have dropped are dropped,
//! 5. both slots say that the cut is done.
//!
//! Before 2 the next opening judges the damage again; between 2 and 5 it stops at the place of
//! the cut and repeats 3 to 5; from then on it finds an intact log and the note of the loss.

use super::format::segment_file;
use super::loss::{Note, load_salvage, remove_salvage, save_salvage};
use super::manifest::{Manifest, SLOT_FILES};
use super::recovery::{Ground, Recovery, recover};
use super::segments::Segments;
use super::{Batch, State, Wal, WalOptions, WalRecovered, check_geometry};
use crate::disk::{Disk, DiskError};
use crate::error::{Damage, OpenError, WriteError};
use crate::identity::{self, Folder, Geometry, Identity};
use crate::mutant::Seeded;

/// Zeros are written in pieces of at most this many bytes.
const FILL_BYTES: u64 = 1 << 20;

impl<D: Disk> Wal<D> {
    /// Opens the log in the folder, or makes it in an empty one. A damaged log opens with its
    /// intact first part; [`WalRecovered::loss`] says what is missing, now and at every later
    /// opening until [`Wal::settle_loss`].
    ///
    /// # Errors
    /// [`OpenError::Identity`] for another owner's folder; [`OpenError::Damaged`] when both
    /// slots of the manifest are gone and no meta is left anywhere; [`OpenError::Disk`] when the
    /// disk fails, or has no space for what must be salvaged.
    pub fn open(mut disk: D, options: WalOptions) -> Result<(Self, WalRecovered), OpenError> {
        let geometry =
            Geometry { segment_bytes: options.segment_bytes, sector_bytes: options.sector_bytes };
        check_geometry(geometry)?;
        let wanted = Identity { kind: identity::Kind::Wal, owner: options.owner, geometry };
        let identity = match identity::open(&mut disk, wanted)? {
            Folder::Ready(identity) => identity,
            Folder::New(identity) => {
                Segments::create(&mut disk, identity.geometry.segment_bytes, 0)?;
                Manifest::restore_files(&mut disk)?;
                Manifest::new(1, (1, 0)).save_both(&mut disk, identity.seed())?;
                disk.sync_dir()?;
                identity::mark_ready(&mut disk, &identity)?;
                identity
            }
        };
        check_geometry(identity.geometry)?;
        let seed = identity.seed();
        let (manifest, intact_slots) = Manifest::load(&disk, seed)?;
        let ground = Ground {
            geometry: identity.geometry,
            seed,
            seeded: options.seeded(),
            manifest: manifest.as_ref(),
            manifest_is_newest: intact_slots == SLOT_FILES.len(),
        };
        let found = recover(&disk, ground)?;
        let manifest = match (manifest, &found.meta) {
            (Some(manifest), _) => manifest,
            (None, None) => return Err(OpenError::Damaged(no_meta())),
            (None, Some(_)) => rebuilt(&found),
        };
        let torn = found.torn;
        let mut opening = Opening { disk, identity, manifest, found };
        opening.settle()?;
        let mut wal = opening.adopt(options.spare_segments, options.seeded())?;
        let sealed = wal.state == State::Sealed;
        wal.finish_cut()?;
        let loss = match wal.manifest.note.clone() {
            Some(note) => Some(note.into_loss(load_salvage(&wal.disk, seed)?)),
            None => {
                remove_salvage(&mut wal.disk)?;
                None
            }
        };
        let recovered = WalRecovered {
            meta: wal.meta.clone(),
            meta_is_certain: wal.manifest.meta_is_certain,
            first_index: wal.index.first(),
            last_index: wal.index.last(),
            sealed,
            torn,
            loss,
        };
        Ok((wal, recovered))
    }

    /// Steps 4 and 5 of a cut; in any case leaves a slot as fresh as the log.
    fn finish_cut(&mut self) -> Result<(), OpenError> {
        let cut = self.manifest.cut.take().is_some();
        let from = self.manifest.note.as_ref().map(|note| note.first_missing);
        let superseded = from.filter(|from| self.index.last().is_some_and(|last| last >= *from));
        if cut && superseded.is_some() {
            let batch = Batch { truncate_from: superseded, ..Batch::default() };
            self.write(&batch).and_then(|()| self.sync()).map_err(unwritten)?;
        }
        self.refresh_manifest();
        self.manifest.save(&mut self.disk, self.seed)?;
        if cut {
            self.manifest.save(&mut self.disk, self.seed)?;
        }
        Ok(())
    }
}

/// A folder on its way from what was found to a log.
struct Opening<D> {
    disk: D,
    identity: Identity,
    manifest: Manifest,
    found: Recovery,
}

impl<D: Disk> Opening<D> {
    /// Makes what recovery saw durable, and carries out a cut up to step 3.
    fn settle(&mut self) -> Result<(), OpenError> {
        Manifest::restore_files(&mut self.disk)?;
        if let Some(last) = &self.found.last_batch {
            self.disk.write_at(&segment_file(last.segment), last.offset, &last.bytes)?;
            self.disk.sync(&segment_file(last.segment))?;
        }
        if let Some(finding) = self.found.finding.take() {
            let known = self.manifest.note.take();
            if known.is_none() || !finding.salvaged.is_empty() {
                save_salvage(&mut self.disk, self.identity.seed(), &finding.salvaged)?;
            }
            let note = match known {
                Some(known) => known.merge(finding.note),
                None => finding.note,
            };
            self.note_loss(note)?;
        } else {
            // The newest slot may so far have been seen in a cache only, the other be damaged.
            self.manifest.save_both(&mut self.disk, self.identity.seed())?;
        }
        match self.manifest.cut {
            Some(_) => self.drop_behind()?,
            None => self.mend()?,
        }
        Ok(())
    }

    /// Step 2 of a cut.
    fn note_loss(&mut self, note: Note) -> Result<(), DiskError> {
        let found = &self.found;
        let last_number = found.next_number.saturating_sub(1);
        self.manifest.note = Some(note);
        self.manifest.cut = Some((found.segment, found.offset));
        self.manifest.active_segment = found.segment;
        self.manifest.durable_batch = found.durable_batch;
        self.manifest.end = found.index.end();
        self.manifest.meta = found.meta.as_ref().map(|(_, meta)| meta.clone());
        // Batches of the numbers behind the cut will be written again, and may carry metas.
        self.manifest.meta_batch = last_number;
        if self.manifest.start.0 == 0 {
            self.manifest.start = match found.starts.front() {
                Some(start) if start.0 > 0 => *start,
                _ => (found.next_number, found.chain),
            };
        }
        self.manifest.save_both(&mut self.disk, self.identity.seed())
    }

    /// Step 3 of a cut: nothing behind the intact part remains.
    fn drop_behind(&mut self) -> Result<(), DiskError> {
        let geometry = self.identity.geometry;
        let file = segment_file(self.found.segment);
        let names = self.disk.list()?;
        if !names.contains(&file) {
            self.disk.create(&file)?;
        }
        if self.disk.len(&file)? > geometry.segment_bytes {
            self.disk.set_len(&file, geometry.segment_bytes)?;
        }
        let zeros = vec![0; FILL_BYTES.min(geometry.segment_bytes) as usize];
        let mut at = self.found.offset;
        while at < geometry.segment_bytes {
            let step = (geometry.segment_bytes - at).min(zeros.len() as u64);
            self.disk.write_at(&file, at, &zeros[..step as usize])?;
            at += step;
        }
        self.disk.sync(&file)?;
        for name in names {
            let number = super::format::segment_of(&name);
            if number.is_some_and(|number| number > self.found.segment) {
                self.disk.remove(&name)?;
            }
        }
        self.disk.sync_dir()?;
        self.mend_lengths()?;
        self.found.last_segment = self.found.segment;
        self.found.torn = None;
        Ok(())
    }

    /// Where nothing was lost: the header of a torn batch is overwritten, so that it can never
    /// be mistaken for the batch that takes its number, and lengths are put right.
    fn mend(&mut self) -> Result<(), DiskError> {
        if let Some(torn) = self.found.torn {
            let zeros = vec![0; self.identity.geometry.sector_bytes as usize];
            self.disk.write_at(&segment_file(torn.segment), torn.offset, &zeros)?;
            self.disk.sync(&segment_file(torn.segment))?;
        }
        let names = self.disk.list()?;
        for segment in self.found.segment + 1..=self.found.last_segment {
            let file = segment_file(segment);
            if self.found.wrong_lengths.contains(&segment) {
                // Prepared, never used: it is prepared again.
                self.disk.remove(&file)?;
            } else if names.contains(&file) {
                continue;
            }
            self.found.last_segment = self.found.segment;
        }
        self.mend_lengths()
    }

    /// Segments in use that are too long, or too short behind their last batch.
    fn mend_lengths(&mut self) -> Result<(), DiskError> {
        let whole = self.identity.geometry.segment_bytes;
        for segment in core::mem::take(&mut self.found.wrong_lengths) {
            let file = segment_file(segment);
            if segment <= self.found.segment && self.disk.len(&file)? != whole {
                self.disk.set_len(&file, whole)?;
                self.disk.sync(&file)?;
            }
        }
        Ok(())
    }

    fn adopt(self, spare_segments: usize, seeded: Seeded) -> Result<Wal<D>, OpenError> {
        let Self { mut disk, identity, manifest, found } = self;
        let numbers = (found.first_segment, found.segment, found.last_segment);
        let segment_bytes = identity.geometry.segment_bytes;
        let segments = Segments::adopt(&mut disk, numbers, segment_bytes, spare_segments)?;
        let (meta_batch, meta) = match found.meta {
            Some((number, meta)) => (number.min(found.next_number - 1), Some(meta)),
            None => (0, None),
        };
        Ok(Wal {
            disk,
            geometry: identity.geometry,
            seed: identity.seed(),
            seeded,
            segments,
            starts: found.starts,
            offset: found.offset,
            next_number: found.next_number,
            chain: found.chain,
            index: found.index,
            meta,
            meta_batch,
            manifest,
            has_ghost: false,
            half_written: None,
            state: if found.sealed { State::Sealed } else { State::Synced },
            scratch: Vec::new(),
        })
    }
}

/// A manifest in place of one of which nothing is left.
fn rebuilt(found: &Recovery) -> Manifest {
    let start = found.starts.front().copied().unwrap_or((0, 0));
    let mut manifest = Manifest::new(found.first_segment, start);
    manifest.meta_is_certain = false;
    manifest
}

fn no_meta() -> Damage {
    let file = SLOT_FILES[0].to_owned();
    let reason = super::loss::NO_SLOT;
    Damage { file, segment: None, offset: 0, index: None, reason }
}

fn unwritten(error: WriteError) -> OpenError {
    match error {
        WriteError::Full(error) | WriteError::Disk(error) => OpenError::Disk(error),
        WriteError::Poisoned | WriteError::TooLarge { .. } => {
            unreachable!("a truncation has no payload, and the log was just opened")
        }
    }
}

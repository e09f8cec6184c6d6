//! What the replica orders from its state, and the one way in which such an order is carried out:
//! the same under a real thread and in the simulator.

use crate::interface::Event;
use crate::snapshots::CHUNK_BYTES;
use crate::state_store::{Halt, StageError, StateStore};
use bytes::Bytes;
use kv::RevisionEvents;
use raft::{Entries, LogIndex, MemberId};
use storage::{Chunk, Disk};

/// An order; to be carried out in sequence.
#[derive(Clone, Debug, PartialEq)]
pub enum StateOrder {
    /// Apply these entries; answered by [`Event::Applied`].
    Apply {
        /// In order, without holes.
        entries: Entries,
    },
    /// Make what is applied durable; answered by [`Event::Synced`].
    Sync,
    /// Make a snapshot; answered by [`Event::ExportOpened`].
    OpenExport {
        /// For whom.
        to: MemberId,
    },
    /// Read a part of it; answered by [`Event::Exported`].
    Export {
        /// For whom.
        to: MemberId,
        /// From this byte on.
        from: u64,
        /// The snapshot ends here.
        through: u64,
    },
    /// Empty the other folder and begin to receive; answered by [`Event::Staged`].
    BeginStage {
        /// Length of the sender's segments.
        segment_bytes: u64,
    },
    /// Write a part; answered by [`Event::Staged`].
    Stage {
        /// The part.
        chunk: Chunk,
    },
    /// Make what came durable and compare it; answered by [`Event::StageFinished`].
    FinishStage {
        /// Its last entry.
        applied: LogIndex,
        /// Its digest.
        digest: u64,
    },
    /// Forget what came.
    DropStage,
    /// Let what came be the state; answered by [`Event::Applied`].
    Install {
        /// Its last entry.
        last: LogIndex,
    },
    /// Check some more of the value log; answered by [`Event::Checked`].
    Scrub {
        /// About so many bytes.
        budget_bytes: u64,
    },
    /// Somebody met damage there: find out what is missing; answered by [`Event::Checked`].
    Inspect {
        /// Offset of the record.
        offset: u64,
    },
    /// Read records for another member; answered by [`Event::RecordsRead`].
    ReadRecords {
        /// For whom.
        to: MemberId,
        /// The log entry that the first one is of.
        index: LogIndex,
    },
    /// Put the damaged record right, and those behind it that are damaged as well; answered by
    /// [`Event::Checked`], or [`Event::Applied`] if applying goes on with it.
    Repair {
        /// The log entry that the first one is of.
        index: LogIndex,
        /// What another member has for it and the entries behind it.
        records: Vec<Bytes>,
    },
}

impl StateOrder {
    /// Whether it waits for the disk to make something durable.
    pub fn syncs(&self) -> bool {
        match self {
            Self::Apply { .. }
            | Self::Export { .. }
            | Self::Scrub { .. }
            | Self::Inspect { .. }
            | Self::ReadRecords { .. } => false,
            Self::Sync
            | Self::OpenExport { .. }
            | Self::BeginStage { .. }
            | Self::Stage { .. }
            | Self::FinishStage { .. }
            | Self::DropStage
            | Self::Install { .. }
            | Self::Repair { .. } => true,
        }
    }
}

/// What carrying out an order gave.
#[derive(Debug, Default)]
pub struct StateOutcome {
    /// For the replica.
    pub event: Option<Event>,
    /// For the watches: the changes by revision, ascending.
    pub changes: Vec<RevisionEvents>,
    /// For the watches: the state is another; those that stand before its revision have to read.
    pub is_replaced: bool,
    /// No space was left: this is to be carried out later, before anything else.
    pub rest: Option<StateOrder>,
}

impl<D: Disk> StateStore<D> {
    /// Carries out an order.
    ///
    /// # Errors
    /// [`Halt`]: the member must not go on.
    pub fn carry_out(&mut self, order: StateOrder) -> Result<StateOutcome, Halt> {
        let mut outcome = StateOutcome::default();
        outcome.event = match order {
            StateOrder::Apply { entries } => self.apply_or_wait(entries, &mut outcome)?,
            StateOrder::Scrub { budget_bytes } => {
                let scrub = Some(self.scrub(budget_bytes)?);
                Some(Event::Checked { state: self.summary(), scrub })
            }
            StateOrder::Inspect { offset } => {
                self.inspect(offset)?;
                Some(Event::Checked { state: self.summary(), scrub: None })
            }
            StateOrder::ReadRecords { to, index } => {
                let records = self.records_from(index.get())?;
                Some(Event::RecordsRead { to, index, records })
            }
            StateOrder::Repair { index, records } => {
                if self.repair(index.get(), &records)? {
                    let entries: Entries = self.take_waiting().into();
                    match entries.is_empty() {
                        true => Some(Event::Checked { state: self.summary(), scrub: None }),
                        false => self.apply_or_wait(entries, &mut outcome)?,
                    }
                } else {
                    outcome.rest = Some(StateOrder::Repair { index, records });
                    None
                }
            }
            StateOrder::Sync => {
                self.sync()?;
                Some(Event::Synced { through: LogIndex::new(self.synced()) })
            }
            StateOrder::OpenExport { to } => {
                Some(Event::ExportOpened { to, export: self.export()? })
            }
            StateOrder::Export { to, from, through } => {
                let chunk = self.export_chunk(from, CHUNK_BYTES, through);
                Some(Event::Exported { to, chunk })
            }
            StateOrder::BeginStage { segment_bytes } => {
                let next =
                    self.unless_disk(self.applied(), |it| it.stage(segment_bytes).map(|()| 0))?;
                Some(Event::Staged { next })
            }
            StateOrder::Stage { chunk } => {
                let next = self.unless_disk(self.applied(), |it| it.stage_chunk(&chunk))?;
                Some(Event::Staged { next })
            }
            StateOrder::FinishStage { applied, digest } => {
                let outcome =
                    self.unless_disk(self.applied(), |it| it.finish_stage(applied, digest))?;
                Some(Event::StageFinished { outcome })
            }
            StateOrder::DropStage => {
                self.drop_stage();
                None
            }
            StateOrder::Install { last } => {
                outcome.is_replaced = true;
                Some(Event::Applied(self.install(last)))
            }
        };
        Ok(outcome)
    }

    /// Applies as far as it goes. What finds no space is tried again, and what meets damage waits
    /// in here until that is repaired.
    fn apply_or_wait(
        &mut self,
        entries: Entries,
        outcome: &mut StateOutcome,
    ) -> Result<Option<Event>, Halt> {
        if self.is_halted() {
            self.wait_with(&entries);
            return Ok(None);
        }
        let applied = self.apply(&entries)?;
        outcome.changes = applied.changes;
        let done = entries.partition_point(|entry| entry.id.index <= applied.report.through);
        let rest = &entries[done..];
        if self.is_halted() {
            self.wait_with(rest);
        } else if !rest.is_empty() {
            outcome.rest = Some(StateOrder::Apply { entries: rest.into() });
        }
        Ok(Some(Event::Applied(applied.report)))
    }

    /// A failing disk under a snapshot stops the member like any other.
    fn unless_disk<T>(
        &mut self,
        index: u64,
        attempt: impl FnOnce(&mut Self) -> Result<T, StageError>,
    ) -> Result<Result<T, StageError>, Halt> {
        match attempt(self) {
            Err(StageError::Disk(reason)) => Err(Halt { index, reason }),
            other => Ok(other),
        }
    }
}

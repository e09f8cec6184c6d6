//! What a gateway may see of an election.

use std::collections::BTreeMap;

use bytes::Bytes;
use election::{Archive, Draft, ElectionId, Fold, Refusal, SignedRefusal};
use ledger::{Policy, Receipt, SignedCheckpoint};

use super::Seat;
use crate::{
    alarm::Alarm,
    chronicle::{HeightRecord, LastWord},
    rounds::Leaves,
};

/// How an authority stands, as seen from here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its number.
    pub authority: u8,
    /// Its name.
    pub name: String,
    /// The largest size it has cosigned.
    pub cosigned_size: u64,
    /// What it said last in a round.
    pub last_word: Option<LastWord>,
    /// Which change of keys gave it the key that counts, from 1; 0 for the manifest's own.
    pub generation: u32,
}

/// Read access to one election, as this authority knows it now.
#[derive(Clone, Copy)]
pub struct ElectionView<'a> {
    seat: &'a Seat,
}

impl<'a> ElectionView<'a> {
    pub(crate) fn new(seat: &'a Seat) -> Self {
        Self { seat }
    }

    /// The election's name.
    pub fn id(self) -> ElectionId {
        self.seat.election
    }

    /// The fold over everything ordered: phase, manifest, turnout, tally, leaves, tree.
    pub fn fold(self) -> &'a Fold {
        self.seat.copy.fold()
    }

    /// Number of the last entry held here, 0 for none.
    pub fn position(self) -> u64 {
        self.seat.copy.position()
    }

    /// The head of the order as far as known; above [`position`](Self::position) while this
    /// authority catches up.
    pub fn head(self) -> u64 {
        self.seat.reader.head.entries().max(self.position())
    }

    /// An entry by number, from 1, accepted or not.
    pub fn entry(self, number: u64) -> Option<&'a Bytes> {
        self.seat.copy.entry(number)
    }

    /// The leaf an entry became, or why it became none.
    pub fn outcome(self, number: u64) -> Option<&'a Result<u64, Refusal>> {
        self.seat.copy.outcome(number)
    }

    /// The draft with the administrator's signature, once one is stored.
    pub fn draft(self) -> Option<(Draft, [u8; 64])> {
        self.seat.setup.draft()
    }

    /// The roll's chunks stored before sealing, by number.
    pub fn roll_chunks(self) -> &'a BTreeMap<u16, Bytes> {
        &self.seat.setup.roll
    }

    /// The key ceremony's messages stored before sealing, by round and trustee.
    pub fn ceremony_messages(self) -> &'a BTreeMap<(u8, u8), Bytes> {
        &self.seat.setup.ceremony
    }

    /// Leaves that are final: a quorum has cosigned them.
    pub fn final_size(self) -> u64 {
        self.seat.finality.last_final().map_or(0, |value| value.size)
    }

    /// The newest checkpoint cosigned by a quorum.
    pub fn final_checkpoint(self) -> Option<SignedCheckpoint> {
        self.seat.finality.final_checkpoint()
    }

    /// Every checkpoint cosigned by a quorum, ascending, with all cosignatures known here.
    pub fn checkpoints(self) -> Vec<SignedCheckpoint> {
        self.seat.finality.checkpoints().collect()
    }

    /// The receipt of a final leaf, with `extra` bytes for its holder.
    pub fn receipt(self, leaf: u64, extra: Vec<u8>) -> Option<Receipt> {
        let checkpoint = self.final_checkpoint()?;
        let size = checkpoint.checkpoint.size;
        let path = self.fold().tree().inclusion(leaf, size)?;
        Some(Receipt { extra, index: leaf, path, checkpoint })
    }

    /// The archive of everything final.
    pub fn archive(self) -> Option<Archive> {
        let size = usize::try_from(self.final_size()).ok()?;
        let leaves = self.fold().leaves().get(..size)?.to_vec();
        Some(Archive { leaves, checkpoints: self.checkpoints() })
    }

    /// Signed refusals of an entry, by authority.
    pub fn refusals(self, entry: u64) -> Option<&'a BTreeMap<u8, SignedRefusal>> {
        self.seat.refusals.get(&entry)
    }

    /// Signed refusals of ordered entries with this ballot.
    pub fn refusals_of_ballot(self, hash: &[u8; 32]) -> Vec<&'a SignedRefusal> {
        let all = self.seat.refusals.values().flat_map(BTreeMap::values);
        all.filter(|refusal| refusal.ballot_hash == *hash).collect()
    }

    /// Height and round of finality.
    pub fn round(self) -> (u64, u32) {
        (self.seat.finality.height(), self.seat.finality.round())
    }

    /// The clock of [`crate::Event::Ticked`], as of the last tick.
    pub fn now_ms(self) -> u64 {
        self.seat.now_ms
    }

    /// The rounds kept, by height, ascending.
    pub fn heights(self) -> impl DoubleEndedIterator<Item = &'a HeightRecord> {
        self.seat.chronicle.heights()
    }

    /// Every authority of the manifest.
    pub fn standings(self) -> Vec<Standing> {
        let fold = self.fold();
        let changes = fold.successions().all();
        let standing = |one: election::Authority| Standing {
            authority: one.index,
            name: one.key.name().to_owned(),
            cosigned_size: self.seat.finality.cosigned_size(one.index),
            last_word: self.seat.chronicle.last_word(one.index),
            generation: (1..)
                .zip(changes)
                .filter(|(_, change)| change.authority.index == one.index)
                .last()
                .map_or(0, |(generation, _)| generation),
        };
        fold.authorities_at(u64::MAX).into_iter().map(standing).collect()
    }

    /// Alarms, with the authority that noticed.
    pub fn alarms(self) -> impl Iterator<Item = (u8, &'a Alarm)> {
        self.seat.alarms.all()
    }

    /// Entries that somebody refused, newest first, with the refusals signed by authorities.
    pub fn refused(self) -> impl Iterator<Item = (u64, &'a BTreeMap<u8, SignedRefusal>)> {
        self.seat.refusals.iter().rev().map(|(entry, by)| (*entry, by))
    }

    /// Whose cosignatures count on a checkpoint of this size.
    pub fn policy_at(self, size: u64) -> Option<Policy> {
        self.fold().policy_at(size)
    }

    /// Whether everything held here is final and everything ordered is held here.
    pub fn is_settled(self) -> bool {
        let copy = &self.seat.copy;
        self.head() == self.position() && self.final_size() == copy.size()
    }

    /// Whether the store is being followed; false while it cannot be reached or is read anew.
    pub fn is_following(self) -> bool {
        self.seat.reader.is_current()
    }

    /// Entries taken in here that are not ordered yet.
    pub fn waiting(self) -> usize {
        self.seat.intake.waiting()
    }
}

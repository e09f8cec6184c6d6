//! What members say to each other: Raft's messages, writes and wishes on their way to the leader,
//! snapshots, entries for a damaged log, and records for a damaged state.

use crate::admission::{Admission, Greeting, Standing};
use crate::wish::{Wish, WishError, WishResult};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use raft::{Entry, LogId, LogIndex, MemberId, Snapshot, Term};

/// A message between two members.
#[derive(Clone, Debug, PartialEq)]
pub enum PeerMessage {
    /// Consensus.
    Raft(raft::Message),
    /// Encoded writes that a follower hands to whom it believes to be the leader.
    Forward {
        /// One encoded [`kv::command::Envelope`] each.
        payloads: Vec<Bytes>,
    },
    /// The receiver of a `Forward` did not append these calls.
    Refused {
        /// Incarnation of the member that forwarded them.
        incarnation: u64,
        /// Its call numbers.
        calls: Vec<u64>,
    },
    /// Somebody at the sender wishes for something that only a leader can do.
    Wished {
        /// The sender's process life.
        incarnation: u64,
        /// The sender's number for it.
        number: u64,
        /// What.
        wish: Wish,
    },
    /// Answer to a wish.
    WishAnswered {
        /// The receiver's process life.
        incarnation: u64,
        /// The receiver's number for it.
        number: u64,
        /// The answer.
        result: WishResult,
    },
    /// "My state is lost; send me a snapshot."
    SnapshotWished,
    /// "I have a snapshot for you."
    SnapshotOffered(Offer),
    /// "Send me the part of that snapshot from here on." Asked again when nothing comes.
    ChunkWanted {
        /// The snapshot.
        id: SnapshotId,
        /// The first byte wanted.
        from: u64,
    },
    /// A part of a snapshot.
    Chunk {
        /// The snapshot.
        id: SnapshotId,
        /// The part.
        chunk: storage::Chunk,
    },
    /// "I have installed that snapshot", or "I do not want it" (any more).
    SnapshotEnded {
        /// The snapshot.
        id: SnapshotId,
        /// The last index that the sender holds because of it.
        installed: Option<LogIndex>,
    },
    /// "If your log holds `anchor`, send me what follows `after` up to it."
    EntriesWanted {
        /// The last entry that the sender holds.
        after: LogId,
        /// An entry that it once held: two logs that hold it are equal up to it.
        anchor: LogId,
    },
    /// "My log is damaged; where does yours end?" To the leader.
    EndWanted {
        /// The sender's process life.
        incarnation: u64,
    },
    /// "I lead, and this is my last entry."
    End {
        /// The process life in which that was asked.
        incarnation: u64,
        /// The sender's term.
        term: Term,
        /// Its last entry, durable or not.
        last: LogId,
    },
    /// "A record of my state is damaged: send me those of the entries from this one on."
    RecordsWanted {
        /// The entry.
        index: LogIndex,
    },
    /// Records of a state, as they were written.
    Records {
        /// The entry that the first one is of.
        index: LogIndex,
        /// Of consecutive entries.
        records: Vec<Bytes>,
    },
    /// What members say before one of them takes part.
    Greeting(Greeting),
    /// Entries that a damaged log lacks.
    Entries {
        /// The anchor of the question.
        anchor: LogId,
        /// Consecutive entries.
        entries: Vec<Entry>,
    },
}

/// Names one snapshot on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SnapshotId {
    /// The process life of the member that offers it.
    pub incarnation: u64,
    /// Its number there.
    pub number: u64,
}

/// A snapshot, and how to tell that it arrived whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Its name.
    pub id: SnapshotId,
    /// What it is of.
    pub snapshot: Snapshot,
    /// Length of the sender's segments: records keep their places.
    pub segment_bytes: u64,
    /// The byte at which it ends.
    pub through: u64,
    /// Digest of the state that it holds.
    pub digest: u64,
}

/// Bytes that are no message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WireError {
    /// The message ends early.
    Truncated,
    /// Unknown first byte.
    UnknownKind(u8),
    /// More items announced than a message may hold.
    TooMany(u32),
    /// The consensus part cannot be read.
    Raft(String),
    /// A number or choice that no member sends.
    Impossible(&'static str),
}

impl core::fmt::Display for WireError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Truncated => write!(f, "peer message ends early"),
            Self::UnknownKind(kind) => write!(f, "unknown kind {kind} of peer message"),
            Self::TooMany(count) => write!(f, "peer message announces {count} items"),
            Self::Raft(reason) => write!(f, "consensus message: {reason}"),
            Self::Impossible(what) => write!(f, "peer message with an impossible {what}"),
        }
    }
}

impl core::error::Error for WireError {}

/// Most items in one `Forward` or `Refused`; a longer one is refused as hostile.
const ITEMS_MAX: u32 = 1 << 20;

const RAFT: u8 = 1;
const FORWARD: u8 = 2;
const REFUSED: u8 = 3;
const WISHED: u8 = 4;
const WISH_ANSWERED: u8 = 5;
const SNAPSHOT_WISHED: u8 = 6;
const SNAPSHOT_OFFERED: u8 = 7;
const CHUNK_WANTED: u8 = 8;
const CHUNK: u8 = 9;
const SNAPSHOT_ENDED: u8 = 10;
const ENTRIES_WANTED: u8 = 11;
const ENTRIES: u8 = 12;
const GREETING: u8 = 13;
const RECORDS_WANTED: u8 = 14;
const RECORDS: u8 = 15;
const END_WANTED: u8 = 16;
const END: u8 = 17;

impl PeerMessage {
    /// Whether it is large and can wait: it travels beside the others, not among them.
    pub fn is_bulk(&self) -> bool {
        matches!(self, Self::Chunk { .. } | Self::Entries { .. } | Self::Records { .. })
    }

    /// The bytes for one frame: a kind byte, then the body, integers big-endian.
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::new();
        match self {
            Self::Raft(message) => return raft::wire::encode_behind(&[RAFT], message),
            Self::Forward { payloads } => {
                out.put_u8(FORWARD);
                put_list(&mut out, payloads);
            }
            Self::Refused { incarnation, calls } => {
                out.put_u8(REFUSED);
                out.put_u64(*incarnation);
                out.put_u32(calls.len() as u32);
                calls.iter().for_each(|call| out.put_u64(*call));
            }
            Self::Wished { incarnation, number, wish } => {
                put_numbers(&mut out, WISHED, &[*incarnation, *number]);
                wish.encode(&mut out);
            }
            Self::WishAnswered { incarnation, number, result } => {
                put_numbers(&mut out, WISH_ANSWERED, &[*incarnation, *number]);
                WishError::encode_result(result, &mut out);
            }
            Self::SnapshotWished => out.put_u8(SNAPSHOT_WISHED),
            Self::SnapshotOffered(offer) => offer.encode(&mut out),
            Self::ChunkWanted { id, from } => {
                put_numbers(&mut out, CHUNK_WANTED, &[id.incarnation, id.number, *from]);
            }
            Self::Chunk { id, chunk } => {
                let places = [chunk.segment_bytes, chunk.from, chunk.next];
                put_numbers(&mut out, CHUNK, &[id.incarnation, id.number]);
                places.iter().for_each(|place| out.put_u64(*place));
                put_list(&mut out, &chunk.records);
            }
            Self::SnapshotEnded { id, installed } => {
                put_numbers(&mut out, SNAPSHOT_ENDED, &[id.incarnation, id.number]);
                out.put_u8(u8::from(installed.is_some()));
                out.put_u64(installed.map_or(0, LogIndex::get));
            }
            Self::Greeting(greeting) => {
                let Greeting { admission, standing, leads, asks } = *greeting;
                let flags = u8::from(leads) | (u8::from(asks) << 1);
                out.put_slice(&[GREETING, admission as u8, standing as u8, flags]);
            }
            Self::EndWanted { incarnation } => {
                put_numbers(&mut out, END_WANTED, &[*incarnation]);
            }
            Self::End { incarnation, term, last } => {
                put_numbers(&mut out, END, &[*incarnation, term.get()]);
                put_id(&mut out, *last);
            }
            Self::RecordsWanted { index } => {
                put_numbers(&mut out, RECORDS_WANTED, &[index.get()]);
            }
            Self::Records { index, records } => {
                put_numbers(&mut out, RECORDS, &[index.get()]);
                put_list(&mut out, records);
            }
            Self::EntriesWanted { after, anchor } => {
                out.put_u8(ENTRIES_WANTED);
                put_id(&mut out, *after);
                put_id(&mut out, *anchor);
            }
            Self::Entries { anchor, entries } => {
                out.put_u8(ENTRIES);
                put_id(&mut out, *anchor);
                put_entries(&mut out, entries);
            }
        }
        out.freeze()
    }

    /// Reads one frame's bytes; payloads share its buffer.
    ///
    /// # Errors
    /// [`WireError`] when the bytes are no message of this version.
    pub fn decode(mut bytes: Bytes) -> Result<Self, WireError> {
        let kind = take_u8(&mut bytes)?;
        if kind == RAFT {
            let message = raft::wire::decode(bytes);
            return message.map(Self::Raft).map_err(|error| WireError::Raft(error.to_string()));
        }
        let message = Self::decode_body(kind, &mut bytes)?;
        if bytes.is_empty() { Ok(message) } else { Err(WireError::TooMany(bytes.len() as u32)) }
    }

    fn decode_body(kind: u8, bytes: &mut Bytes) -> Result<Self, WireError> {
        Ok(match kind {
            FORWARD => Self::Forward { payloads: take_list(bytes)? },
            REFUSED => {
                let incarnation = take_u64(bytes)?;
                let count = take_count(bytes)?;
                let calls = (0..count).map(|_| take_u64(bytes)).collect::<Result<_, _>>()?;
                Self::Refused { incarnation, calls }
            }
            WISHED => {
                let (incarnation, number) = (take_u64(bytes)?, take_u64(bytes)?);
                Self::Wished { incarnation, number, wish: Wish::decode(bytes)? }
            }
            WISH_ANSWERED => {
                let (incarnation, number) = (take_u64(bytes)?, take_u64(bytes)?);
                let result = WishError::decode_result(bytes)?;
                Self::WishAnswered { incarnation, number, result }
            }
            SNAPSHOT_WISHED => Self::SnapshotWished,
            SNAPSHOT_OFFERED => Self::SnapshotOffered(Offer::decode(bytes)?),
            CHUNK_WANTED => {
                let id = SnapshotId::decode(bytes)?;
                Self::ChunkWanted { id, from: take_u64(bytes)? }
            }
            CHUNK => {
                let id = SnapshotId::decode(bytes)?;
                let (segment_bytes, from) = (take_u64(bytes)?, take_u64(bytes)?);
                let next = take_u64(bytes)?;
                let records = take_list(bytes)?;
                Self::Chunk { id, chunk: storage::Chunk { segment_bytes, from, next, records } }
            }
            SNAPSHOT_ENDED => {
                let id = SnapshotId::decode(bytes)?;
                let is_installed = take_u8(bytes)? == 1;
                let index = LogIndex::new(take_u64(bytes)?);
                Self::SnapshotEnded { id, installed: is_installed.then_some(index) }
            }
            GREETING => Self::Greeting(Greeting::decode(bytes)?),
            END_WANTED => Self::EndWanted { incarnation: take_u64(bytes)? },
            END => {
                let (incarnation, term) = (take_u64(bytes)?, Term::new(take_u64(bytes)?));
                Self::End { incarnation, term, last: take_id(bytes)? }
            }
            RECORDS_WANTED => Self::RecordsWanted { index: take_index(bytes)? },
            RECORDS => {
                let index = take_index(bytes)?;
                Self::Records { index, records: take_list(bytes)? }
            }
            ENTRIES_WANTED => {
                Self::EntriesWanted { after: take_id(bytes)?, anchor: take_id(bytes)? }
            }
            ENTRIES => {
                let anchor = take_id(bytes)?;
                let count = take_count(bytes)?;
                let entries = (0..count).map(|_| take_entry(bytes)).collect::<Result<_, _>>()?;
                Self::Entries { anchor, entries }
            }
            kind => return Err(WireError::UnknownKind(kind)),
        })
    }
}

fn put_entries(out: &mut BytesMut, entries: &[Entry]) {
    out.put_u32(entries.len() as u32);
    for entry in entries {
        put_id(out, entry.id);
        put_bytes(out, &raft::wire::encode_payload(&entry.payload));
    }
}

impl Greeting {
    fn decode(bytes: &mut Bytes) -> Result<Self, WireError> {
        let admission = match take_u8(bytes)? {
            0 => Admission::New,
            1 => Admission::Met,
            2 => Admission::Open,
            _ => return Err(WireError::Impossible("admission")),
        };
        let standing = match take_u8(bytes)? {
            0 => Standing::Stranger,
            1 => Standing::Learner,
            2 => Standing::Voter,
            _ => return Err(WireError::Impossible("standing")),
        };
        let flags = take_u8(bytes)?;
        Ok(Self { admission, standing, leads: flags & 1 != 0, asks: flags & 2 != 0 })
    }
}

impl SnapshotId {
    fn decode(bytes: &mut Bytes) -> Result<Self, WireError> {
        Ok(Self { incarnation: take_u64(bytes)?, number: take_u64(bytes)? })
    }
}

impl Offer {
    fn encode(&self, out: &mut BytesMut) {
        put_numbers(out, SNAPSHOT_OFFERED, &[self.id.incarnation, self.id.number]);
        put_id(out, self.snapshot.last);
        out.put_u64(self.snapshot.membership_index.get());
        put_bytes(out, &raft::wire::encode_membership(&self.snapshot.membership));
        [self.segment_bytes, self.through, self.digest].iter().for_each(|n| out.put_u64(*n));
    }

    fn decode(bytes: &mut Bytes) -> Result<Self, WireError> {
        let id = SnapshotId::decode(bytes)?;
        let last = take_id(bytes)?;
        let membership_index = LogIndex::new(take_u64(bytes)?);
        let membership = raft::wire::decode_membership(take_bytes(bytes)?)
            .map_err(|error| WireError::Raft(error.to_string()))?;
        if membership_index > last.index {
            return Err(WireError::Impossible("membership index"));
        }
        let snapshot = Snapshot { last, membership_index, membership };
        let (segment_bytes, through) = (take_u64(bytes)?, take_u64(bytes)?);
        Ok(Self { id, snapshot, segment_bytes, through, digest: take_u64(bytes)? })
    }
}

fn put_numbers(out: &mut BytesMut, kind: u8, numbers: &[u64]) {
    out.put_u8(kind);
    numbers.iter().for_each(|number| out.put_u64(*number));
}

fn put_id(out: &mut BytesMut, id: LogId) {
    out.put_u64(id.term.get());
    out.put_u64(id.index.get());
}

pub(crate) fn put_bytes(out: &mut BytesMut, bytes: &[u8]) {
    out.put_u32(bytes.len() as u32);
    out.put_slice(bytes);
}

fn put_list(out: &mut BytesMut, list: &[Bytes]) {
    out.put_u32(list.len() as u32);
    list.iter().for_each(|bytes| put_bytes(out, bytes));
}

/// An id whose numbers leave room to count on.
fn take_id(bytes: &mut Bytes) -> Result<LogId, WireError> {
    let (term, index) = (take_u64(bytes)?, take_u64(bytes)?);
    if term.max(index) > raft::Message::NUMBER_MAX {
        return Err(WireError::Impossible("term or index"));
    }
    Ok(LogId::new(Term::new(term), LogIndex::new(index)))
}

fn take_index(bytes: &mut Bytes) -> Result<LogIndex, WireError> {
    match take_u64(bytes)? {
        index if index <= raft::Message::NUMBER_MAX => Ok(LogIndex::new(index)),
        _ => Err(WireError::Impossible("index")),
    }
}

fn take_entry(bytes: &mut Bytes) -> Result<Entry, WireError> {
    let id = take_id(bytes)?;
    let payload = raft::wire::decode_payload(take_bytes(bytes)?);
    let payload = payload.map_err(|error| WireError::Raft(error.to_string()))?;
    Ok(Entry { id, payload })
}

fn take_list(bytes: &mut Bytes) -> Result<Vec<Bytes>, WireError> {
    let count = take_count(bytes)?;
    (0..count).map(|_| take_bytes(bytes)).collect()
}

pub(crate) fn take_member(bytes: &mut Bytes) -> Result<MemberId, WireError> {
    take_u64(bytes).map(MemberId::new)
}

fn take_u64(bytes: &mut Bytes) -> Result<u64, WireError> {
    bytes.try_get_u64().map_err(|_| WireError::Truncated)
}

pub(crate) fn take_u8(bytes: &mut Bytes) -> Result<u8, WireError> {
    bytes.try_get_u8().map_err(|_| WireError::Truncated)
}

pub(crate) fn take_count(bytes: &mut Bytes) -> Result<u32, WireError> {
    match bytes.try_get_u32() {
        Ok(count) if count <= ITEMS_MAX => Ok(count),
        Ok(count) => Err(WireError::TooMany(count)),
        Err(_) => Err(WireError::Truncated),
    }
}

pub(crate) fn take_bytes(bytes: &mut Bytes) -> Result<Bytes, WireError> {
    let len = bytes.try_get_u32().map_err(|_| WireError::Truncated)? as usize;
    if bytes.len() < len {
        return Err(WireError::Truncated);
    }
    Ok(bytes.split_to(len))
}

#[cfg(test)]
mod tests {
    use super::*;
    use raft::{ChangeStep, Membership, Plan};

    const ID: SnapshotId = SnapshotId { incarnation: 3, number: 4 };

    fn membership() -> Membership {
        Membership::founding([(1.into(), Bytes::from_static(b"here"))])
    }

    fn wish() -> Wish {
        let (id, context) = (MemberId::new(4), Bytes::from_static(b"there"));
        let plan = Plan::Replace(2.into());
        Wish::Change(vec![
            ChangeStep::AddVoter { id, context: context.clone() },
            ChangeStep::AddLearner { id, context: context.clone(), plan },
            ChangeStep::AddLearner { id, context: context.clone(), plan: Plan::Stay },
            ChangeStep::Promote { id },
            ChangeStep::Demote { id },
            ChangeStep::Remove { id },
            ChangeStep::Describe { id, context },
        ])
    }

    fn answered(result: WishResult) -> PeerMessage {
        PeerMessage::WishAnswered { incarnation: 1, number: 2, result }
    }

    #[test]
    fn messages_survive_the_wire_and_damage_is_refused() {
        let last = LogId::new(3.into(), 9.into());
        let entry = Entry { id: last, payload: raft::Payload::Empty };
        let records = vec![Bytes::from_static(b"record")];
        let chunk = storage::Chunk { segment_bytes: 512, from: 7, next: 20, records };
        let messages = [
            PeerMessage::Forward { payloads: vec![Bytes::from_static(b"a"), Bytes::new()] },
            PeerMessage::Refused { incarnation: 7, calls: vec![1, u64::MAX] },
            PeerMessage::Wished { incarnation: 1, number: 2, wish: wish() },
            PeerMessage::Wished { incarnation: 1, number: 2, wish: Wish::Transfer { to: None } },
            answered(Ok(membership())),
            answered(Err(WishError::Refused("no".into()))),
            answered(Err(WishError::Unknown)),
            PeerMessage::SnapshotWished,
            PeerMessage::Greeting(Greeting {
                admission: Admission::Met,
                standing: Standing::Learner,
                leads: true,
                asks: false,
            }),
            PeerMessage::SnapshotOffered(Offer {
                id: ID,
                snapshot: Snapshot { last, membership_index: 4.into(), membership: membership() },
                segment_bytes: 512,
                through: 900,
                digest: 5,
            }),
            PeerMessage::ChunkWanted { id: ID, from: 7 },
            PeerMessage::Chunk { id: ID, chunk },
            PeerMessage::SnapshotEnded { id: ID, installed: Some(9.into()) },
            PeerMessage::EndWanted { incarnation: 5 },
            PeerMessage::End { incarnation: 5, term: 3.into(), last },
            PeerMessage::RecordsWanted { index: 7.into() },
            PeerMessage::Records { index: 7.into(), records: vec![Bytes::from_static(b"r")] },
            PeerMessage::EntriesWanted { after: LogId::ZERO, anchor: last },
            PeerMessage::Entries { anchor: last, entries: vec![entry] },
        ];
        for message in messages {
            let bytes = message.encode();
            assert_eq!(PeerMessage::decode(bytes.clone()), Ok(message));
            for cut in 0..bytes.len() {
                assert!(PeerMessage::decode(bytes.slice(..cut)).is_err(), "cut at {cut}");
            }
        }
        assert_eq!(PeerMessage::decode(Bytes::from_static(&[99])), Err(WireError::UnknownKind(99)));
    }
}

//! Messages as bytes: protobuf, one message a frame; decoded payloads share the frame's memory.
//!
//! Numbers of fields are frozen; a reader ignores fields it does not know. What decodes is also
//! checked ([`Message::check`]), so that hostile bytes end in a typed error here.

use crate::message::{Body, Malformed, Message};
use crate::{
    ChangeError, Entry, LogId, LogIndex, MemberId, Membership, MembershipParts, Payload, Plan,
    ReadId, Term,
};
use alloc::boxed::Box;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;
use bytes::{BufMut, Bytes, BytesMut};
use core::fmt;
use prost::Message as _;

/// Why bytes are not a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// Not protobuf of this shape.
    Protobuf(prost::DecodeError),
    /// The message has no body, or one that this version does not know.
    NoBody,
    /// An entry or a payload has no content that this version knows.
    NoPayload,
    /// No correct member sends this.
    Malformed(Malformed),
    /// No leader makes this membership.
    Membership(ChangeError),
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Protobuf(error) => write!(f, "not a raft message: {error}"),
            Self::NoBody => write!(f, "a raft message of an unknown kind"),
            Self::NoPayload => write!(f, "a raft entry of an unknown kind"),
            Self::Malformed(malformed) => write!(f, "an impossible raft message: {malformed}"),
            Self::Membership(error) => write!(f, "an impossible membership: {error}"),
        }
    }
}

impl core::error::Error for DecodeError {}

/// The bytes of `message`.
pub fn encode(message: &Message) -> Bytes {
    encode_behind(&[], message)
}

/// The bytes of `message` behind a `head` that says what they are, in one piece.
pub fn encode_behind(head: &[u8], message: &Message) -> Bytes {
    let wire = to_wire(message);
    let mut bytes = Vec::with_capacity(head.len() + wire.encoded_len());
    bytes.extend_from_slice(head);
    wire.encode_raw(&mut bytes);
    Bytes::from(bytes)
}

/// Reads a message; payloads are slices of `bytes`, not copies.
///
/// # Errors
/// [`DecodeError`] for anything that no correct member sends.
pub fn decode(bytes: Bytes) -> Result<Message, DecodeError> {
    let wire = WireMessage::decode(bytes).map_err(DecodeError::Protobuf)?;
    let term = Term::new(wire.term);
    let message = Message { term, body: from_wire(wire.body.ok_or(DecodeError::NoBody)?)? };
    message.check().map_err(DecodeError::Malformed)?;
    Ok(message)
}

/// The bytes of a payload in a log record: one byte of kind, then the data.
pub fn encode_payload(payload: &Payload) -> Bytes {
    match payload {
        Payload::Empty => Bytes::from_static(&[KIND_EMPTY]),
        Payload::Data(data) => {
            let mut buffer = BytesMut::with_capacity(data.len() + 1);
            buffer.put_u8(KIND_DATA);
            buffer.extend_from_slice(data);
            buffer.freeze()
        }
        Payload::Membership(membership) => {
            let bytes = encode_membership(membership);
            let mut buffer = BytesMut::with_capacity(bytes.len() + 1);
            buffer.put_u8(KIND_MEMBERSHIP);
            buffer.extend_from_slice(&bytes);
            buffer.freeze()
        }
    }
}

/// The bytes of a membership.
pub fn encode_membership(membership: &Membership) -> Bytes {
    Bytes::from(wire_membership(membership).encode_to_vec())
}

/// Reads a membership.
///
/// # Errors
/// [`DecodeError`] for anything that no leader makes.
pub fn decode_membership(bytes: Bytes) -> Result<Membership, DecodeError> {
    membership(WireMembership::decode(bytes).map_err(DecodeError::Protobuf)?)
}

/// Reads a payload back from a log record, without copying.
///
/// # Errors
/// [`DecodeError`] for an unknown kind or an impossible membership.
pub fn decode_payload(bytes: Bytes) -> Result<Payload, DecodeError> {
    match bytes.first() {
        Some(&KIND_EMPTY) if bytes.len() == 1 => Ok(Payload::Empty),
        Some(&KIND_DATA) => Ok(Payload::Data(bytes.slice(1..))),
        Some(&KIND_MEMBERSHIP) => {
            decode_membership(bytes.slice(1..)).map(Box::new).map(Payload::Membership)
        }
        _ => Err(DecodeError::NoPayload),
    }
}

const KIND_EMPTY: u8 = 0;
const KIND_DATA: u8 = 1;
const KIND_MEMBERSHIP: u8 = 2;

#[derive(Clone, PartialEq, prost::Message)]
struct WireMessage {
    #[prost(uint64, tag = "1")]
    term: u64,
    #[prost(oneof = "WireBody", tags = "2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14")]
    body: Option<WireBody>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum WireBody {
    #[prost(message, tag = "2")]
    PreVoteRequest(WireLast),
    #[prost(message, tag = "3")]
    PreVoteReply(WirePreVoteReply),
    #[prost(message, tag = "4")]
    VoteRequest(WireVoteRequest),
    #[prost(message, tag = "5")]
    VoteReply(WireVoteReply),
    #[prost(message, tag = "6")]
    Append(WireAppend),
    #[prost(message, tag = "7")]
    AppendAccepted(WireAccepted),
    #[prost(message, tag = "8")]
    AppendRejected(WireRejected),
    #[prost(message, tag = "9")]
    Heartbeat(WireHeartbeat),
    #[prost(message, tag = "10")]
    HeartbeatReply(WireHeartbeatReply),
    #[prost(message, tag = "11")]
    ReadRequest(WireRead),
    #[prost(message, tag = "12")]
    ReadReply(WireRead),
    #[prost(message, tag = "13")]
    NewerTerm(WireNothing),
    #[prost(message, tag = "14")]
    TimeoutNow(WireNothing),
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
struct WireNothing {}

#[derive(Clone, Copy, PartialEq, prost::Message)]
struct WireLast {
    #[prost(uint64, tag = "1")]
    term: u64,
    #[prost(uint64, tag = "2")]
    index: u64,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
struct WireVoteRequest {
    #[prost(uint64, tag = "1")]
    term: u64,
    #[prost(uint64, tag = "2")]
    index: u64,
    #[prost(bool, tag = "3")]
    is_transfer: bool,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
struct WirePreVoteReply {
    #[prost(uint64, tag = "1")]
    campaign: u64,
    #[prost(bool, tag = "2")]
    granted: bool,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
struct WireVoteReply {
    #[prost(bool, tag = "1")]
    granted: bool,
}

#[derive(Clone, PartialEq, prost::Message)]
struct WireAppend {
    #[prost(uint64, tag = "1")]
    prev_term: u64,
    #[prost(uint64, tag = "2")]
    prev_index: u64,
    #[prost(uint64, tag = "3")]
    commit: u64,
    #[prost(message, repeated, tag = "4")]
    entries: Vec<WireEntry>,
}

/// Its index follows from its place in the append.
#[derive(Clone, PartialEq, prost::Message)]
struct WireEntry {
    #[prost(uint64, tag = "1")]
    term: u64,
    #[prost(oneof = "WirePayload", tags = "2, 3, 4")]
    payload: Option<WirePayload>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum WirePayload {
    #[prost(message, tag = "2")]
    Empty(WireNothing),
    #[prost(bytes = "bytes", tag = "3")]
    Data(Bytes),
    #[prost(message, tag = "4")]
    Membership(WireMembership),
}

#[derive(Clone, PartialEq, prost::Message)]
struct WireMembership {
    #[prost(uint64, repeated, tag = "1")]
    voters: Vec<u64>,
    #[prost(uint64, repeated, tag = "2")]
    outgoing: Vec<u64>,
    #[prost(message, repeated, tag = "3")]
    learners: Vec<WireLearner>,
    #[prost(message, repeated, tag = "4")]
    contexts: Vec<WireContext>,
    #[prost(uint64, tag = "5")]
    highest: u64,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
struct WireLearner {
    #[prost(uint64, tag = "1")]
    id: u64,
    /// 0: stays; 1: is promoted.
    #[prost(uint32, tag = "2")]
    plan: u32,
    /// Is promoted in the place of that voter.
    #[prost(uint64, optional, tag = "3")]
    replaces: Option<u64>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct WireContext {
    #[prost(uint64, tag = "1")]
    id: u64,
    #[prost(bytes = "bytes", tag = "2")]
    context: Bytes,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
struct WireAccepted {
    #[prost(uint64, tag = "1")]
    matched: u64,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
struct WireRejected {
    #[prost(uint64, tag = "1")]
    prev: u64,
    #[prost(uint64, tag = "2")]
    have_term: u64,
    #[prost(uint64, tag = "3")]
    have_index: u64,
    #[prost(uint64, tag = "4")]
    term_start: u64,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
struct WireHeartbeat {
    #[prost(uint64, tag = "1")]
    commit: u64,
    #[prost(uint64, optional, tag = "2")]
    round: Option<u64>,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
struct WireHeartbeatReply {
    #[prost(uint64, tag = "1")]
    round: u64,
    #[prost(uint64, tag = "2")]
    received: u64,
    #[prost(uint64, tag = "3")]
    matched: u64,
    #[prost(bool, tag = "4")]
    has_lost: bool,
}

#[derive(Clone, Copy, PartialEq, prost::Message)]
struct WireRead {
    #[prost(uint64, tag = "1")]
    read: u64,
    #[prost(fixed64, tag = "2")]
    incarnation: u64,
    #[prost(uint64, optional, tag = "3")]
    index: Option<u64>,
}

fn to_wire(message: &Message) -> WireMessage {
    let body = match &message.body {
        Body::PreVoteRequest { last } => WireBody::PreVoteRequest(wire_last(*last)),
        Body::PreVoteReply { campaign, granted } => {
            WireBody::PreVoteReply(WirePreVoteReply { campaign: campaign.get(), granted: *granted })
        }
        Body::VoteRequest { last, is_transfer } => WireBody::VoteRequest(WireVoteRequest {
            term: last.term.get(),
            index: last.index.get(),
            is_transfer: *is_transfer,
        }),
        Body::VoteReply { granted } => WireBody::VoteReply(WireVoteReply { granted: *granted }),
        Body::Append { prev, entries, commit } => WireBody::Append(WireAppend {
            prev_term: prev.term.get(),
            prev_index: prev.index.get(),
            commit: commit.get(),
            entries: entries.iter().map(wire_entry).collect(),
        }),
        Body::AppendAccepted { matched } => {
            WireBody::AppendAccepted(WireAccepted { matched: matched.get() })
        }
        Body::AppendRejected { prev, have, term_start } => WireBody::AppendRejected(WireRejected {
            prev: prev.get(),
            have_term: have.term.get(),
            have_index: have.index.get(),
            term_start: term_start.get(),
        }),
        Body::Heartbeat { commit, round } => {
            WireBody::Heartbeat(WireHeartbeat { commit: commit.get(), round: *round })
        }
        Body::HeartbeatReply { round, received, matched, has_lost } => {
            WireBody::HeartbeatReply(WireHeartbeatReply {
                round: *round,
                received: received.get(),
                matched: matched.get(),
                has_lost: *has_lost,
            })
        }
        Body::ReadRequest { read, incarnation } => WireBody::ReadRequest(WireRead {
            read: read.get(),
            incarnation: *incarnation,
            index: None,
        }),
        Body::ReadReply { read, incarnation, index } => WireBody::ReadReply(WireRead {
            read: read.get(),
            incarnation: *incarnation,
            index: index.map(LogIndex::get),
        }),
        Body::NewerTerm => WireBody::NewerTerm(WireNothing {}),
        Body::TimeoutNow => WireBody::TimeoutNow(WireNothing {}),
    };
    WireMessage { term: message.term.get(), body: Some(body) }
}

fn wire_last(last: LogId) -> WireLast {
    WireLast { term: last.term.get(), index: last.index.get() }
}

fn wire_entry(entry: &Entry) -> WireEntry {
    let payload = match &entry.payload {
        Payload::Empty => WirePayload::Empty(WireNothing {}),
        Payload::Data(data) => WirePayload::Data(data.clone()),
        Payload::Membership(membership) => WirePayload::Membership(wire_membership(membership)),
    };
    WireEntry { term: entry.id.term.get(), payload: Some(payload) }
}

fn wire_membership(membership: &Membership) -> WireMembership {
    let parts = membership.clone().into_parts();
    let raw = |ids: BTreeSet<MemberId>| ids.into_iter().map(MemberId::get).collect();
    let learner = |(id, plan): (MemberId, Plan)| {
        let (plan, replaces) = match plan {
            Plan::Stay => (0, None),
            Plan::Promote => (1, None),
            Plan::Replace(old) => (1, Some(old.get())),
        };
        WireLearner { id: id.get(), plan, replaces }
    };
    let context = |(id, context): (MemberId, Bytes)| WireContext { id: id.get(), context };
    WireMembership {
        voters: raw(parts.voters),
        outgoing: raw(parts.outgoing),
        learners: parts.learners.into_iter().map(learner).collect(),
        contexts: parts.contexts.into_iter().map(context).collect(),
        highest: parts.highest.get(),
    }
}

fn membership(wire: WireMembership) -> Result<Membership, DecodeError> {
    let ids = |raw: Vec<u64>| raw.into_iter().map(MemberId::new).collect();
    let learner = |wire: WireLearner| {
        let plan = match (wire.replaces, wire.plan) {
            (Some(old), _) => Plan::Replace(MemberId::new(old)),
            (None, 0) => Plan::Stay,
            (None, _) => Plan::Promote,
        };
        (MemberId::new(wire.id), plan)
    };
    let context = |wire: WireContext| (MemberId::new(wire.id), wire.context);
    let parts = MembershipParts {
        voters: ids(wire.voters),
        outgoing: ids(wire.outgoing),
        learners: wire.learners.into_iter().map(learner).collect(),
        contexts: wire.contexts.into_iter().map(context).collect(),
        highest: MemberId::new(wire.highest),
    };
    Membership::from_parts(parts).map_err(DecodeError::Membership)
}

fn from_wire(body: WireBody) -> Result<Body, DecodeError> {
    Ok(match body {
        WireBody::PreVoteRequest(wire) => Body::PreVoteRequest { last: log_id(wire) },
        WireBody::PreVoteReply(wire) => {
            Body::PreVoteReply { campaign: Term::new(wire.campaign), granted: wire.granted }
        }
        WireBody::VoteRequest(wire) => Body::VoteRequest {
            last: LogId::new(Term::new(wire.term), LogIndex::new(wire.index)),
            is_transfer: wire.is_transfer,
        },
        WireBody::VoteReply(wire) => Body::VoteReply { granted: wire.granted },
        WireBody::Append(wire) => append(wire)?,
        WireBody::AppendAccepted(wire) => {
            Body::AppendAccepted { matched: LogIndex::new(wire.matched) }
        }
        WireBody::AppendRejected(wire) => Body::AppendRejected {
            prev: LogIndex::new(wire.prev),
            have: LogId::new(Term::new(wire.have_term), LogIndex::new(wire.have_index)),
            term_start: LogIndex::new(wire.term_start),
        },
        WireBody::Heartbeat(wire) => {
            Body::Heartbeat { commit: LogIndex::new(wire.commit), round: wire.round }
        }
        WireBody::HeartbeatReply(wire) => Body::HeartbeatReply {
            round: wire.round,
            received: LogIndex::new(wire.received),
            matched: LogIndex::new(wire.matched),
            has_lost: wire.has_lost,
        },
        WireBody::ReadRequest(wire) => {
            Body::ReadRequest { read: ReadId::new(wire.read), incarnation: wire.incarnation }
        }
        WireBody::ReadReply(wire) => Body::ReadReply {
            read: ReadId::new(wire.read),
            incarnation: wire.incarnation,
            index: wire.index.map(LogIndex::new),
        },
        WireBody::NewerTerm(WireNothing {}) => Body::NewerTerm,
        WireBody::TimeoutNow(WireNothing {}) => Body::TimeoutNow,
    })
}

fn log_id(wire: WireLast) -> LogId {
    LogId::new(Term::new(wire.term), LogIndex::new(wire.index))
}

fn append(wire: WireAppend) -> Result<Body, DecodeError> {
    let out_of_range = DecodeError::Malformed(Malformed::Number { field: "prev" });
    if wire.prev_index > Message::NUMBER_MAX {
        return Err(out_of_range);
    }
    let prev = LogId::new(Term::new(wire.prev_term), LogIndex::new(wire.prev_index));
    let mut entries = Vec::with_capacity(wire.entries.len());
    let mut index = prev.index;
    for entry in wire.entries {
        index = index.next();
        let payload = match entry.payload.ok_or(DecodeError::NoPayload)? {
            WirePayload::Empty(WireNothing {}) => Payload::Empty,
            WirePayload::Data(data) => Payload::Data(data),
            WirePayload::Membership(wire) => Payload::Membership(Box::new(membership(wire)?)),
        };
        entries.push(Entry { id: LogId::new(Term::new(entry.term), index), payload });
    }
    Ok(Body::Append { prev, entries: entries.into(), commit: LogIndex::new(wire.commit) })
}

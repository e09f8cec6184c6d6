//! What members say to each other: Raft's messages, and writes on their way to the leader.

use bytes::{Buf, BufMut, Bytes, BytesMut};

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
}

impl core::fmt::Display for WireError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Truncated => write!(f, "peer message ends early"),
            Self::UnknownKind(kind) => write!(f, "unknown kind {kind} of peer message"),
            Self::TooMany(count) => write!(f, "peer message announces {count} items"),
            Self::Raft(reason) => write!(f, "consensus message: {reason}"),
        }
    }
}

impl core::error::Error for WireError {}

/// Most items in one `Forward` or `Refused`; a longer one is refused as hostile.
const ITEMS_MAX: u32 = 1 << 20;

const RAFT: u8 = 1;
const FORWARD: u8 = 2;
const REFUSED: u8 = 3;

impl PeerMessage {
    /// The bytes for one frame: a kind byte, then the body, integers big-endian.
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::new();
        match self {
            Self::Raft(message) => {
                out.put_u8(RAFT);
                raft::wire::encode_into(message, &mut out);
            }
            Self::Forward { payloads } => {
                out.put_u8(FORWARD);
                out.put_u32(payloads.len() as u32);
                for payload in payloads {
                    out.put_u32(payload.len() as u32);
                    out.put_slice(payload);
                }
            }
            Self::Refused { incarnation, calls } => {
                out.put_u8(REFUSED);
                out.put_u64(*incarnation);
                out.put_u32(calls.len() as u32);
                for call in calls {
                    out.put_u64(*call);
                }
            }
        }
        out.freeze()
    }

    /// Reads one frame's bytes; payloads share its buffer.
    ///
    /// # Errors
    /// [`WireError`] when the bytes are no message of this version.
    pub fn decode(mut bytes: Bytes) -> Result<Self, WireError> {
        match take_u8(&mut bytes)? {
            RAFT => raft::wire::decode(bytes)
                .map(Self::Raft)
                .map_err(|error| WireError::Raft(error.to_string())),
            FORWARD => {
                let count = take_count(&mut bytes)?;
                let payloads = (0..count).map(|_| take_bytes(&mut bytes)).collect();
                Ok(Self::Forward { payloads: finish(payloads, &bytes)? })
            }
            REFUSED => {
                let incarnation = bytes.try_get_u64().map_err(|_| WireError::Truncated)?;
                let count = take_count(&mut bytes)?;
                let calls = (0..count)
                    .map(|_| bytes.try_get_u64().map_err(|_| WireError::Truncated))
                    .collect();
                Ok(Self::Refused { incarnation, calls: finish(calls, &bytes)? })
            }
            kind => Err(WireError::UnknownKind(kind)),
        }
    }
}

fn finish<T>(read: Result<Vec<T>, WireError>, rest: &Bytes) -> Result<Vec<T>, WireError> {
    match read {
        Ok(_) if !rest.is_empty() => Err(WireError::TooMany(rest.len() as u32)),
        other => other,
    }
}

fn take_u8(bytes: &mut Bytes) -> Result<u8, WireError> {
    bytes.try_get_u8().map_err(|_| WireError::Truncated)
}

fn take_count(bytes: &mut Bytes) -> Result<u32, WireError> {
    match bytes.try_get_u32() {
        Ok(count) if count <= ITEMS_MAX => Ok(count),
        Ok(count) => Err(WireError::TooMany(count)),
        Err(_) => Err(WireError::Truncated),
    }
}

fn take_bytes(bytes: &mut Bytes) -> Result<Bytes, WireError> {
    let len = bytes.try_get_u32().map_err(|_| WireError::Truncated)? as usize;
    if bytes.len() < len {
        return Err(WireError::Truncated);
    }
    Ok(bytes.split_to(len))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_survive_the_wire_and_damage_is_refused() {
        let messages = [
            PeerMessage::Forward { payloads: vec![Bytes::from_static(b"a"), Bytes::new()] },
            PeerMessage::Refused { incarnation: 7, calls: vec![1, u64::MAX] },
        ];
        for message in messages {
            let bytes = message.encode();
            assert_eq!(PeerMessage::decode(bytes.clone()), Ok(message));
            for cut in 0..bytes.len() {
                assert!(PeerMessage::decode(bytes.slice(..cut)).is_err(), "cut at {cut}");
            }
        }
        assert_eq!(PeerMessage::decode(Bytes::from_static(&[9])), Err(WireError::UnknownKind(9)));
    }
}

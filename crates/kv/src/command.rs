//! What is replicated: one envelope per log entry, and its bytes.
//!
//! # The idea
//! A member that takes a write puts it into an [`Envelope`] with its origin (which member, which
//! life of its process, which call) and proposes the bytes. Every member decodes the same bytes
//! and applies them; the origin is what makes a proposal that was sent twice count once.
//!
//! Whatever a member would have to invent is invented before: [`prepare`] picks the id of a new
//! lease, the leader measures the time in [`Body::Advance`]. Applying asks nobody.
//!
//! # Bytes
//! ```text
//! version   1 byte, 1
//! origin    member, incarnation, call (unsigned)
//! body      1 byte kind, then its fields in the order of the types in `api`
//! ```
//! Numbers and strings are those of [`mvcc::codec`]. Reads are never replicated, except inside a
//! transaction that also writes.

mod decode;
mod encode;

use bytes::Bytes;
pub use mvcc::codec::DecodeError;
use mvcc::codec::Reader;

use crate::api::{LeaseGrantRequest, Request};

/// Most time one [`Body::Advance`] may add, in milliseconds. A leader that was away for longer
/// adds this much: leases then last longer than asked for, never shorter.
pub const ADVANCE_MS_MAX: u64 = 1000;

/// Deepest nesting of transactions that is decoded; a transaction that passes its check has less.
const NESTING_MAX: usize = crate::api::TXN_OPERATIONS_MAX + 1;

const VERSION: u8 = 1;

/// Who made a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct CallOrigin {
    /// The store member that took the call.
    pub member: u64,
    /// Which life of that member's process; never used twice by one member.
    pub incarnation: u64,
    /// Number of the call in that life, from 1; 0 for a command that may be applied twice.
    pub call: u64,
}

/// One replicated command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// Where it comes from.
    pub origin: CallOrigin,
    /// What it says.
    pub body: Body,
}

/// What a command says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// Execute a request that writes ([`Request::is_write`]).
    Write(Request),
    /// Time went by. Leases end inside.
    Advance {
        /// Milliseconds since the leader's last tick; at most [`ADVANCE_MS_MAX`] count.
        elapsed_ms: u64,
        /// Term of the leader that measured; in an entry of another term it says nothing.
        term: u64,
    },
}

/// The bytes of a command.
///
/// # Panics
/// When the body is a request that only reads: reads are never replicated.
pub fn encode(envelope: &Envelope) -> Bytes {
    encode::envelope(envelope)
}

/// The command in `bytes`; its keys and values share their memory.
///
/// # Errors
/// [`DecodeError`] says at which byte and what is wrong there.
pub fn decode(bytes: &Bytes) -> Result<Envelope, DecodeError> {
    decode::envelope(bytes)
}

/// The origin of the command in `bytes`, without looking at the rest.
///
/// # Errors
/// [`DecodeError`], as [`decode`].
pub fn origin(bytes: &[u8]) -> Result<CallOrigin, DecodeError> {
    decode::origin(&mut Reader::new(bytes))
}

/// Fills in what must be the same on every member before `request` is proposed: a lease without
/// id gets one from `random`, positive and not 0.
pub fn prepare(request: Request, random: u64) -> Request {
    match request {
        Request::LeaseGrant(LeaseGrantRequest { ttl, id: 0 }) => {
            let id = ((random >> 1) as i64).max(1);
            Request::LeaseGrant(LeaseGrantRequest { ttl, id })
        }
        other => other,
    }
}

#[cfg(test)]
mod tests;

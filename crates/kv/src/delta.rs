//! What a command changes beside keys: kept in the aux bytes of its record, folded at open.

use mvcc::codec::{DecodeError, Reader, Writer};

use crate::command::CallOrigin;
use crate::lease::Leases;
use crate::session::Sessions;

/// One change of the state beside the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delta {
    /// This call was applied.
    Applied(CallOrigin),
    /// The clock shows this many milliseconds.
    Clock(u64),
    /// A lease began.
    Granted { id: i64, ttl_s: i64, ends_at_ms: u64 },
    /// A lease got a new end.
    Renewed { id: i64, ends_at_ms: u64 },
    /// A lease ended or was revoked.
    Ended { id: i64 },
    /// The history below this revision is out of reach.
    Compacted(i64),
}

const APPLIED: u8 = 1;
const CLOCK: u8 = 2;
const GRANTED: u8 = 3;
const RENEWED: u8 = 4;
const ENDED: u8 = 5;
const COMPACTED: u8 = 6;

impl Delta {
    /// Carries this change out.
    pub(crate) fn fold(self, leases: &mut Leases, sessions: &mut Sessions) {
        match self {
            Self::Applied(origin) => sessions.mark(origin),
            Self::Clock(clock_ms) => leases.set_clock(clock_ms),
            Self::Granted { id, ttl_s, ends_at_ms } => leases.grant(id, ttl_s, ends_at_ms),
            Self::Renewed { id, ends_at_ms } => leases.renew(id, ends_at_ms),
            Self::Ended { id } => leases.end(id),
            // The store keeps it, see `Kv`.
            Self::Compacted(_) => {}
        }
    }

    fn encode(self, writer: &mut Writer) {
        match self {
            Self::Applied(CallOrigin { member, incarnation, call }) => {
                writer.byte(APPLIED);
                [member, incarnation, call].into_iter().for_each(|id| writer.unsigned(id));
            }
            Self::Clock(clock_ms) => {
                writer.byte(CLOCK);
                writer.unsigned(clock_ms);
            }
            Self::Granted { id, ttl_s, ends_at_ms } => {
                writer.byte(GRANTED);
                writer.signed(id);
                writer.signed(ttl_s);
                writer.unsigned(ends_at_ms);
            }
            Self::Renewed { id, ends_at_ms } => {
                writer.byte(RENEWED);
                writer.signed(id);
                writer.unsigned(ends_at_ms);
            }
            Self::Ended { id } => {
                writer.byte(ENDED);
                writer.signed(id);
            }
            Self::Compacted(revision) => {
                writer.byte(COMPACTED);
                writer.signed(revision);
            }
        }
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(match reader.byte()? {
            APPLIED => {
                let (member, incarnation) = (reader.unsigned()?, reader.unsigned()?);
                Self::Applied(CallOrigin { member, incarnation, call: reader.unsigned()? })
            }
            CLOCK => Self::Clock(reader.unsigned()?),
            GRANTED => {
                let (id, ttl_s) = (reader.signed()?, reader.signed()?);
                Self::Granted { id, ttl_s, ends_at_ms: reader.unsigned()? }
            }
            RENEWED => {
                let id = reader.signed()?;
                Self::Renewed { id, ends_at_ms: reader.unsigned()? }
            }
            ENDED => Self::Ended { id: reader.signed()? },
            COMPACTED => Self::Compacted(reader.signed()?),
            _ => return Err(reader.error("an unknown change beside the keys")),
        })
    }
}

/// The bytes of `deltas`, in order.
pub(crate) fn encode(deltas: &[Delta]) -> Vec<u8> {
    let mut writer = Writer::with_capacity(16 * deltas.len());
    deltas.iter().for_each(|delta| delta.encode(&mut writer));
    writer.into_bytes()
}

/// Shows `visit` the changes in `bytes`, in order; those before an error too.
pub(crate) fn for_each(bytes: &[u8], mut visit: impl FnMut(Delta)) -> Result<(), DecodeError> {
    let mut reader = Reader::new(bytes);
    while reader.remaining() > 0 {
        visit(Delta::decode(&mut reader)?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(bytes: &[u8]) -> Result<Vec<Delta>, DecodeError> {
        let mut deltas = Vec::new();
        for_each(bytes, |delta| deltas.push(delta)).map(|()| deltas)
    }

    #[test]
    fn the_bytes_are_frozen() {
        let deltas = [
            Delta::Applied(CallOrigin { member: 1, incarnation: 300, call: 2 }),
            Delta::Clock(5000),
            Delta::Granted { id: -1, ttl_s: 60, ends_at_ms: 9 },
            Delta::Renewed { id: 7, ends_at_ms: 10 },
            Delta::Ended { id: 7 },
            Delta::Compacted(5),
        ];
        let bytes = [
            &[1, 1, 0xac, 2, 2][..],
            &[2, 0x88, 0x27],
            &[3, 1, 120, 9],
            &[4, 14, 10],
            &[5, 14],
            &[6, 10],
        ]
        .concat();
        assert_eq!(encode(&deltas), bytes);
        assert_eq!(decode(&bytes), Ok(deltas.to_vec()));
        assert_eq!(decode(&[9]).map_err(|e| e.what), Err("an unknown change beside the keys"));
    }
}

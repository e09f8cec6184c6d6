//! The journal of an authority: what it must not forget, as records in the order of events.
//!
//! Whoever keeps the journal makes records durable in order: that ticket t is durable says the same
//! of every ticket before it. So a statement about leaves is never on disk before the leaves.
//!
//! ```text
//! kind u8 | election 16 | body
//! 1 entries   from u64 | (length u32, bytes)*       own copy of the ledger, by entry number
//! 2 cut       from u64                              the copy from there on is given up
//! 3 vote      fingerprint 32 | vote | vote*         an own statement with the votes behind it
//! 4 decided   fingerprint 32 | certificate          what is final
//! 5 alarm     number u64 | alarm                    what proves that somebody lied
//! ```

use bytes::Bytes;
use election::ElectionId;

use crate::vote::{Certificate, VOTE_BYTES, Vote};

/// One thing to remember about one election.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Record {
    /// Entries `from`, `from + 1`, … as the store showed them.
    Entries {
        /// Number of the first one, from 1.
        from: u64,
        /// Their bytes.
        entries: Vec<Bytes>,
    },
    /// Entries from here on are no longer held.
    Cut {
        /// Number of the first one given up.
        from: u64,
    },
    /// An own statement, before it leaves.
    Voted {
        /// Of the manifest.
        fingerprint: [u8; 32],
        /// The statement.
        vote: Vote,
        /// What it rests on.
        evidence: Vec<Vote>,
    },
    /// A decision, before its cosignature leaves.
    Decided {
        /// Of the manifest.
        fingerprint: [u8; 32],
        /// The decision.
        certificate: Certificate,
    },
    /// An own alarm with signed texts.
    Alarm {
        /// Under which it is stored.
        number: u64,
        /// See [`crate::alarm`].
        alarm: Bytes,
    },
}

/// A record that cannot be read: the journal is damaged, or of another program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalError {
    /// Number of the record, from 0.
    pub record: usize,
    /// What is wrong.
    pub reason: &'static str,
}

impl core::fmt::Display for JournalError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        let Self { record, reason } = self;
        write!(
            f,
            "record {record} of the authority's journal {reason}: restore the folder from a \
            backup, or start this authority with a new key and an empty folder"
        )
    }
}

impl std::error::Error for JournalError {}

impl Record {
    /// The one byte form.
    pub(crate) fn encode(&self, election: ElectionId) -> Bytes {
        let mut out = vec![self.kind()];
        out.extend_from_slice(&election.0);
        match self {
            Self::Entries { from, entries } => {
                out.extend_from_slice(&from.to_be_bytes());
                for entry in entries {
                    let length = u32::try_from(entry.len()).expect("an entry is below 64 KiB");
                    out.extend_from_slice(&length.to_be_bytes());
                    out.extend_from_slice(entry);
                }
            }
            Self::Cut { from } => out.extend_from_slice(&from.to_be_bytes()),
            Self::Voted { fingerprint, vote, evidence } => {
                out.extend_from_slice(fingerprint);
                out.extend_from_slice(&vote.encode());
                evidence.iter().for_each(|vote| out.extend_from_slice(&vote.encode()));
            }
            Self::Decided { fingerprint, certificate } => {
                out.extend_from_slice(fingerprint);
                out.extend_from_slice(&certificate.encode());
            }
            Self::Alarm { number, alarm } => {
                out.extend_from_slice(&number.to_be_bytes());
                out.extend_from_slice(alarm);
            }
        }
        out.into()
    }

    fn kind(&self) -> u8 {
        match self {
            Self::Entries { .. } => 1,
            Self::Cut { .. } => 2,
            Self::Voted { .. } => 3,
            Self::Decided { .. } => 4,
            Self::Alarm { .. } => 5,
        }
    }

    /// Reads what [`Record::encode`] wrote.
    ///
    /// # Errors
    /// What is wrong, as the end of a sentence.
    pub(crate) fn decode(record: &Bytes) -> Result<(ElectionId, Self), &'static str> {
        let (kind, rest) = record.split_first().ok_or("is empty")?;
        let (election, body) = rest.split_first_chunk::<16>().ok_or("is too short")?;
        let read = match kind {
            1 => read_entries(record, body),
            2 => body.try_into().ok().map(|from| Self::Cut { from: u64::from_be_bytes(from) }),
            3 => read_voted(body),
            4 => body.split_first_chunk().and_then(|(fingerprint, certificate)| {
                let certificate = Certificate::decode(certificate)?;
                Some(Self::Decided { fingerprint: *fingerprint, certificate })
            }),
            5 => body.split_first_chunk::<8>().and_then(|(number, alarm)| {
                crate::alarm::Alarm::decode(alarm)?;
                let number = u64::from_be_bytes(*number);
                Some(Self::Alarm { number, alarm: record.slice_ref(alarm) })
            }),
            _ => return Err("has an unknown kind"),
        };
        Ok((ElectionId(*election), read.ok_or("is malformed")?))
    }
}

fn read_entries(record: &Bytes, body: &[u8]) -> Option<Record> {
    let (from, mut rest) = body.split_first_chunk::<8>()?;
    let mut entries = Vec::new();
    while !rest.is_empty() {
        let (length, tail) = rest.split_first_chunk::<4>()?;
        let (entry, tail) = tail.split_at_checked(u32::from_be_bytes(*length) as usize)?;
        entries.push(record.slice_ref(entry));
        rest = tail;
    }
    Some(Record::Entries { from: u64::from_be_bytes(*from), entries })
}

fn read_voted(body: &[u8]) -> Option<Record> {
    let (fingerprint, votes) = body.split_first_chunk()?;
    let mut votes = votes.chunks(VOTE_BYTES).map(Vote::decode);
    let vote = votes.next()??;
    let evidence = votes.collect::<Option<_>>()?;
    Some(Record::Voted { fingerprint: *fingerprint, vote, evidence })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vote::{Kind, Statement, Value};

    const ELECTION: ElectionId = ElectionId([7; 16]);

    fn vote(author: u8) -> Vote {
        let value = Some(Value { size: 3, root: [1; 32] });
        let kind = Kind::Ready;
        let statement = Statement { height: 1, round: 0, kind, value, valid_round: None };
        Vote { author, statement, signature: [9; 64] }
    }

    #[test]
    fn every_record_is_read_back_and_none_is_read_short() {
        let value = Value { size: 3, root: [1; 32] };
        let certificate =
            Certificate { height: 1, round: 2, value, signatures: vec![(1, [4; 64])] };
        let (code, what, texts) = ("split-view".into(), "x".into(), vec!["text".to_owned()]);
        let alarm = crate::alarm::Alarm { code, what, texts, minutes: 3, times: 1 }.encode();
        let entries =
            vec![Bytes::from_static(b"first"), Bytes::from_static(b""), [5; 300].to_vec().into()];
        for record in [
            Record::Entries { from: 7, entries },
            Record::Cut { from: 9 },
            Record::Voted { fingerprint: [2; 32], vote: vote(1), evidence: vec![] },
            Record::Voted { fingerprint: [2; 32], vote: vote(1), evidence: vec![vote(2), vote(3)] },
            Record::Decided { fingerprint: [2; 32], certificate },
            Record::Alarm { number: 9, alarm },
        ] {
            let bytes = record.encode(ELECTION);
            assert_eq!(Record::decode(&bytes), Ok((ELECTION, record)));
            let short = bytes.slice(..bytes.len() - 1);
            assert!(Record::decode(&short).is_err());
        }
        assert_eq!(Record::decode(&Bytes::new()), Err("is empty"));
        assert_eq!(Record::decode(&Bytes::from_static(&[9; 17])), Err("has an unknown kind"));
    }
}

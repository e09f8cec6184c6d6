//! What changes together with the log: term and vote, memberships, the base, the state's folder.
//!
//! Version 2, integers big-endian:
//!
//! ```text
//! version u8 | starts u64 | term u64 | has_vote u8 | vote u64 | base term u64 | base index u64
//! | generation u64 | admission u8 | count u8 | count times: index u64, length u32, membership
//! ```
//!
//! Version 1 ended after the vote; its log begins at index 1 and its members never changed.

use crate::admission::Admission;
use crate::peer::{put_bytes, take_bytes};
use bytes::{Buf, BufMut, Bytes, BytesMut};
use raft::{HardState, LogId, LogIndex, MemberId, Membership, Persist, Rebase, Term};

const VERSION: u8 = 2;
const VERSION_1: u8 = 1;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Meta {
    pub(crate) starts: u64,
    pub(crate) hard_state: HardState,
    pub(crate) base: LogId,
    pub(crate) generation: u64,
    pub(crate) admission: Admission,
    pub(crate) memberships: Vec<(LogIndex, Membership)>,
}

impl Meta {
    /// Of a log that was never written.
    pub(crate) fn new(founding: Membership) -> Self {
        Self {
            starts: 0,
            hard_state: HardState::default(),
            base: LogId::ZERO,
            generation: 0,
            admission: Admission::New,
            memberships: vec![(LogIndex::ZERO, founding)],
        }
    }

    /// Whether `order` changes something here.
    pub(crate) fn is_changed_by(order: &Persist) -> bool {
        order.hard_state.is_some() || order.memberships.is_some() || order.rebase.is_some()
    }

    /// Takes over what `order` changes.
    pub(crate) fn take(&mut self, order: &Persist) {
        self.hard_state = order.hard_state.unwrap_or(self.hard_state);
        if let Some(memberships) = &order.memberships {
            self.memberships.clone_from(memberships);
        }
        match order.rebase {
            Some(Rebase::Cut { base }) => self.base = base,
            // The same order may be given again after the disk was full.
            Some(Rebase::Snapshot { base, .. }) if base != self.base => {
                self.base = base;
                self.generation += 1;
            }
            Some(Rebase::Snapshot { .. }) => {}
            None => {}
        }
    }

    /// Forgets memberships whose entries the log does not hold, for good: another entry may take
    /// the index, and at the next start would pass for the one that brought the membership
    /// (seed 1796012765 of the simulator).
    ///
    /// Damage may have taken the entries of all that are known. Until they are there again this
    /// member does not vote, and only has to know whom to ask: the oldest stays then.
    pub(crate) fn forget_memberships_behind(&mut self, last: LogIndex, has_loss: bool) {
        let oldest = self.memberships.first().map(|(_, membership)| membership.clone());
        self.memberships.retain(|(index, _)| *index <= last);
        if let Some(oldest) = oldest.filter(|_| self.memberships.is_empty() && has_loss) {
            self.memberships.push((self.base.index, oldest));
        }
    }

    pub(crate) fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(256);
        out.put_u8(VERSION);
        out.put_u64(self.starts);
        out.put_u64(self.hard_state.term.get());
        out.put_u8(u8::from(self.hard_state.vote.is_some()));
        out.put_u64(self.hard_state.vote.map_or(0, MemberId::get));
        out.put_u64(self.base.term.get());
        out.put_u64(self.base.index.get());
        out.put_u64(self.generation);
        out.put_u8(self.admission as u8);
        out.put_u8(self.memberships.len() as u8);
        for (index, membership) in &self.memberships {
            out.put_u64(index.get());
            put_bytes(&mut out, &raft::wire::encode_membership(membership));
        }
        out.freeze()
    }

    /// Reads it; a sentence when these are not the bytes of a known version.
    pub(crate) fn decode(mut bytes: Bytes, founding: Membership) -> Result<Self, String> {
        let version = bytes.first().copied();
        let meta = match version {
            Some(VERSION_1 | VERSION) => {
                bytes.advance(1);
                read(&mut bytes, version == Some(VERSION), founding)
            }
            _ => None,
        };
        meta.filter(|_| bytes.is_empty()).ok_or_else(|| {
            "its term, vote and members are in a form that this program does not know".to_owned()
        })
    }
}

fn read(bytes: &mut Bytes, is_current: bool, founding: Membership) -> Option<Meta> {
    let mut meta = Meta::new(founding);
    meta.starts = bytes.try_get_u64().ok()?;
    let term = Term::new(bytes.try_get_u64().ok()?);
    let has_vote = bytes.try_get_u8().ok()? == 1;
    let vote = MemberId::new(bytes.try_get_u64().ok()?);
    meta.hard_state = HardState { term, vote: has_vote.then_some(vote) };
    if !is_current {
        meta.admission = Admission::Open;
        return Some(meta);
    }
    let base_term = Term::new(bytes.try_get_u64().ok()?);
    meta.base = LogId::new(base_term, LogIndex::new(bytes.try_get_u64().ok()?));
    meta.generation = bytes.try_get_u64().ok()?;
    meta.admission = match bytes.try_get_u8().ok()? {
        0 => Admission::New,
        1 => Admission::Met,
        2 => Admission::Open,
        _ => return None,
    };
    meta.memberships.clear();
    for _ in 0..bytes.try_get_u8().ok()? {
        let index = LogIndex::new(bytes.try_get_u64().ok()?);
        let membership = raft::wire::decode_membership(take_bytes(bytes).ok()?).ok()?;
        meta.memberships.push((index, membership));
    }
    Some(meta)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn founding() -> Membership {
        Membership::founding([1, 2, 3].map(|id: u64| (id.into(), Bytes::from_static(b"here"))))
    }

    #[test]
    fn what_is_written_is_read_and_every_cut_is_noticed() {
        let meta = Meta {
            starts: 7,
            hard_state: HardState { term: 5.into(), vote: Some(2.into()) },
            base: LogId::new(4.into(), 90.into()),
            generation: 3,
            admission: Admission::Met,
            memberships: vec![(80.into(), founding()), (95.into(), founding())],
        };
        let bytes = meta.encode();
        assert_eq!(Meta::decode(bytes.clone(), Membership::default()), Ok(meta));
        for cut in 0..bytes.len() {
            assert!(Meta::decode(bytes.slice(..cut), Membership::default()).is_err(), "{cut}");
        }
    }

    #[test]
    fn a_damaged_log_without_any_membership_keeps_the_oldest_where_no_cut_reaches_it() {
        let known = vec![(80.into(), founding()), (95.into(), Membership::default())];
        let base = LogId::new(4.into(), 70.into());
        let meta = |last: u64, has_loss| {
            let mut meta = Meta { base, memberships: known.clone(), ..Meta::new(founding()) };
            meta.forget_memberships_behind(last.into(), has_loss);
            meta.memberships
        };
        assert_eq!(meta(95, false), known);
        assert_eq!(meta(94, true), known[..1]);
        assert_eq!(meta(75, true), [(base.index, founding())]);
    }

    #[test]
    fn the_first_version_is_still_read() {
        let bytes = [&[1][..], &[0, 0, 0, 0, 0, 0, 0, 9], &[0, 0, 0, 0, 0, 0, 0, 4], &[1]].concat();
        let bytes = Bytes::from([bytes, vec![0, 0, 0, 0, 0, 0, 0, 2]].concat());
        let meta = Meta::decode(bytes, founding()).expect("version 1");
        assert_eq!((meta.starts, meta.hard_state.term.get()), (9, 4));
        assert_eq!(meta.memberships, [(LogIndex::ZERO, founding())]);
    }
}

//! One authority that lies, with its own key and with full access to the store.

use authority::{
    ElectionView,
    vote::{Kind, Statement, Value},
};
use ballot::signature::SigningKey;
use base::Prng;
use bytes::Bytes;
use election::keys::{Key, Step};
use kv::api::{DeleteRangeRequest, KeyRange, PutRequest, Request};

/// The lies of authority `number`, at `place` among the authorities.
pub(super) struct Liar {
    pub(super) number: u8,
    pub(super) place: u8,
    pub(super) key: SigningKey,
}

impl Liar {
    /// The next lie, made up from what an honest authority knows.
    pub(super) fn lie(&self, view: ElectionView<'_>, prng: &mut Prng) -> Option<Request> {
        let entry = |number: u64| Bytes::from(Key::Entry(number).of(view.id()));
        let near = view.position().saturating_sub(prng.below(4)).max(1);
        match prng.below(40) {
            0 => {
                let range = KeyRange::single(entry(near));
                Some(Request::DeleteRange(DeleteRangeRequest { range, prev_kv: false }))
            }
            1 => Some(put(entry(near), Bytes::from_static(b"no entry"))),
            2 => {
                let head = view.head() + prng.below(5);
                let value = [&head.to_be_bytes()[..], &[prng.below(2) as u8; 32]].concat();
                Some(put(Key::Head.of(view.id()).into(), value.into()))
            }
            3 => {
                let (height, round) = view.round();
                let authority = prng.between(1, 5) as u8;
                let key = Key::Round { height, round, step: Step::Ready, authority };
                Some(put(key.of(view.id()).into(), Bytes::from_static(b"nothing")))
            }
            _ => self.state(view, prng),
        }
    }

    /// A signed statement of the round under way, for any value that may cause harm.
    fn state(&self, view: ElectionView<'_>, prng: &mut Prng) -> Option<Request> {
        let fingerprint = view.fold().fingerprint()?.0;
        let (height, round) = view.round();
        let tree = view.fold().tree();
        let size = tree.size().saturating_sub(prng.below(3)).max(1);
        let mut root = tree.root_at(size)?.0;
        if prng.chance(1, 5) {
            root[0] ^= 1;
        }
        let kinds = [
            (Kind::Proposal, Step::Proposal),
            (Kind::Checked, Step::Checked),
            (Kind::Ready, Step::Ready),
        ];
        let (kind, step) = *prng.pick(&kinds)?;
        let is_nil = kind != Kind::Proposal && prng.chance(1, 4);
        let value = (!is_nil).then_some(Value { size, root });
        let round = round + u32::from(prng.chance(1, 10));
        let valid_round = (kind == Kind::Proposal && round > 0 && prng.chance(1, 3)).then_some(0);
        let statement = Statement { height, round, kind, value, valid_round };
        let vote = statement.sign(&fingerprint, self.place, &self.key);
        let key = Key::Round { height, round, step, authority: self.number };
        Some(put(key.of(view.id()).into(), vote.encode().into()))
    }
}

fn put(key: Bytes, value: Bytes) -> Request {
    Request::Put(PutRequest { key, value, ..PutRequest::default() })
}

//! A new key for an authority that lost its folder: each operator signs with the key of the own
//! authority, a quorum of the signatures meets in the store, and an authority appends the entry.

use std::collections::BTreeMap;

use bytes::Bytes;
use election::{Phase, Refusal, SignedSuccession, Succession, keys::Key, refusal::code};

use super::{
    Seat,
    appending::Matter,
    restoring::put,
    setup::{Step, refuse, write},
};
use crate::desk::Desk;

/// How long the lowest of the signers has to append the entry before the others do, in
/// milliseconds.
const PATIENCE_MS: u64 = 3_000;
/// Bytes of a signature in the store: authority, key, signature.
const SIGNED_BYTES: usize = 1 + 32 + 64;

/// Signers, ascending, with their signatures.
type Signatures = Vec<(u8, [u8; 64])>;

/// Signatures on the next change of a key.
#[derive(Debug, Default)]
pub(super) struct Changes {
    signed: BTreeMap<(u32, u8), (Succession, [u8; 64])>,
    /// When a quorum was seen first, of which generation.
    complete: Option<(u32, u64)>,
}

impl Seat {
    fn next_generation(&self) -> u32 {
        self.copy.fold().successions().all().len() as u32 + 1
    }

    /// Checks an authority's signature on another one's new key, and stores it.
    pub(super) fn agree(
        &mut self,
        ticket: u64,
        succession: Succession,
        signer: u8,
        signature: [u8; 64],
        desk: &mut Desk,
    ) -> Result<(), Refusal> {
        let Succession { generation, authority, key } = succession;
        let fold = self.copy.fold();
        let (Some(manifest), Some(fingerprint)) = (fold.manifest(), fold.fingerprint()) else {
            return Err(refuse(code::NO_MANIFEST, "The election has no manifest yet."));
        };
        if fold.phase() == Phase::Published {
            return Err(refuse(code::WRONG_PHASE, "The election is finished; no key signs in it."));
        }
        if manifest.authority(authority).is_none() {
            let sentence = format!("Number {authority} is no authority of this election.");
            return Err(refuse(code::UNKNOWN_APPENDER, sentence));
        }
        let changes = fold.successions().all();
        if changes.last().is_some_and(|last| {
            self.finality.last_final().is_none_or(|value| value.size <= last.leaf)
        }) {
            let sentence = "Another change of a key is not final yet; they come one at a time.";
            return Err(refuse(code::NOT_READY, sentence));
        }
        fold.successions().check_next(&succession)?;
        let current = fold.authorities_at(u64::MAX);
        succession.check_signature(&fingerprint, &current, signer, &signature)?;
        let value: Bytes = [&[authority][..], &key, &signature].concat().into();
        let key = Key::Succession { generation, authority: signer }.of(self.election);
        let request = write(vec![put(key.into(), value)]);
        self.start(ticket, [Step { request, expected: None }], desk);
        Ok(())
    }

    /// Somebody's signature in the store.
    pub(super) fn on_succession_key(
        &mut self,
        generation: u32,
        signer: u8,
        value: &[u8],
        desk: &mut Desk,
    ) {
        let Ok(value) = <&[u8; SIGNED_BYTES]>::try_from(value) else { return };
        let (authority, rest) = value.split_first().expect("it has 97 bytes");
        let (Some(key), Some(signature)) = (rest.first_chunk(), rest.last_chunk()) else { return };
        let succession = Succession { generation, authority: *authority, key: *key };
        self.changes.signed.insert((generation, signer), (succession, *signature));
        self.succeed_on(desk);
    }

    /// Appends the change that a quorum has signed.
    pub(super) fn succeed_on(&mut self, desk: &mut Desk) {
        let generation = self.next_generation();
        self.changes.signed = self.changes.signed.split_off(&(generation, 0));
        if self.changes.signed.is_empty() {
            return;
        }
        let Some((lowest, signed)) = self.signed_by_quorum(generation) else { return };
        let complete = self.changes.complete.filter(|(of, _)| *of == generation);
        let (_, since_ms) = *self.changes.complete.insert(match complete {
            Some(known) => known,
            None => (generation, desk.now_ms),
        });
        let is_due = lowest == desk.config.index || desk.now_ms >= since_ms + PATIENCE_MS;
        let matter = Matter::AuthorityKey(signed.encode().into());
        if is_due && !self.intake.holds(&matter) {
            self.enqueue(matter, None);
        }
    }

    /// What a quorum has signed, with the lowest signer.
    fn signed_by_quorum(&self, generation: u32) -> Option<(u8, SignedSuccession)> {
        let fold = self.copy.fold();
        let (manifest, fingerprint) = (fold.manifest()?, fold.fingerprint()?);
        let current = fold.authorities_at(u64::MAX);
        let mut by_wish: BTreeMap<(u8, [u8; 32]), Signatures> = BTreeMap::new();
        let signed = self.changes.signed.range((generation, 0)..=(generation, u8::MAX));
        for ((_, signer), (wish, signature)) in signed {
            let key = current.iter().find(|one| one.index == *signer)?;
            if wish.verify(&fingerprint, *signer, key.key.public(), signature) {
                let signatures = by_wish.entry((wish.authority, wish.key)).or_default();
                signatures.push((*signer, *signature));
            }
        }
        let quorum = manifest.quorum();
        let found = by_wish.into_iter().find(|(_, signatures)| signatures.len() >= quorum);
        let ((authority, key), signatures) = found?;
        let lowest = signatures.first()?.0;
        let succession = Succession { generation, authority, key };
        Some((lowest, SignedSuccession { succession, signatures }))
    }
}

//! A new key for an authority that lost its folder, or changes its key.
//!
//! ```text
//! body    generation u32 | authority u8 | key 32 | u8 count | count × (signer u8, signature 64)
//! signed  fingerprint 32 | signer u8 | generation u32 | authority u8 | key 32
//! ```
//!
//! A quorum of the authorities, with the keys in force, says: "from now on this is the key of
//! authority i". Generations count from 1 without gaps, so one change follows another. The name
//! of the authority stays.
//!
//! What the key counts for follows from sizes alone, so that whoever has the leaves knows it:
//! - entries behind the change must be signed by the new key;
//! - a checkpoint of size S is cosigned by the keys of all changes whose leaf is below S;
//! - the round of finality that follows the final size P counts the keys of all changes whose leaf
//!   is below P: the new key has a voice only behind the size that made its own entry final.
//!
//! The last rule is what makes a lost folder harmless: whatever the old key said in a round, and
//! forgot, it said in a round in which the new key has no voice.

use ballot::{
    Fingerprint,
    signature::{PublicKey, SigningKey},
};
use bytes::Bytes;
use ledger::{AuthorityKey, Policy, Receipt, leaf_hash};

use crate::{
    entry::{Body, Entry},
    manifest::{Authority, Manifest},
    refusal::{Refusal, code},
    wire::{DecodeError, Reader},
};

const TAG: &str = "quorate/succession/v1";

/// What a quorum signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Succession {
    /// Which change of a key in this election, from 1.
    pub generation: u32,
    /// Number of the authority.
    pub authority: u8,
    /// Its new Ed25519 key.
    pub key: [u8; 32],
}

impl Succession {
    fn put(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.generation.to_be_bytes());
        bytes.push(self.authority);
        bytes.extend_from_slice(&self.key);
    }

    fn message(&self, fingerprint: &Fingerprint, signer: u8) -> Vec<u8> {
        let mut message = fingerprint.0.to_vec();
        message.push(signer);
        self.put(&mut message);
        message
    }

    /// Signs it as authority `signer` of the election with this manifest.
    pub fn sign(&self, fingerprint: &Fingerprint, signer: u8, key: &SigningKey) -> [u8; 64] {
        key.sign(TAG, &self.message(fingerprint, signer))
    }

    /// That authority `signer` signed it with its key among these.
    ///
    /// # Errors
    /// When there is no such authority, or the signature is not by its key.
    pub fn check_signature(
        &self,
        fingerprint: &Fingerprint,
        authorities: &[Authority],
        signer: u8,
        signature: &[u8; 64],
    ) -> Result<(), Refusal> {
        let own = authorities.iter().find(|one| one.index == signer);
        if own.is_some_and(|one| self.verify(fingerprint, signer, one.key.public(), signature)) {
            return Ok(());
        }
        let sentence = format!("The signature of authority {signer} does not hold.");
        Err(Refusal::new(code::BAD_SIGNATURE, sentence))
    }

    /// Whether `key` signed it as authority `signer`.
    #[must_use]
    pub fn verify(
        &self,
        fingerprint: &Fingerprint,
        signer: u8,
        key: &[u8; 32],
        signature: &[u8; 64],
    ) -> bool {
        let message = self.message(fingerprint, signer);
        PublicKey::from_bytes(key).is_ok_and(|key| key.verify(TAG, &message, signature).is_ok())
    }
}

/// A change of a key with signatures: the body of the entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedSuccession {
    /// The change.
    pub succession: Succession,
    /// Signers, ascending, with their signatures.
    pub signatures: Vec<(u8, [u8; 64])>,
}

impl SignedSuccession {
    /// The canonical bytes.
    ///
    /// # Panics
    /// With more than 255 signatures.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(38 + 65 * self.signatures.len());
        self.succession.put(&mut bytes);
        bytes.push(u8::try_from(self.signatures.len()).expect("one signature per authority"));
        for (signer, signature) in &self.signatures {
            bytes.push(*signer);
            bytes.extend_from_slice(signature);
        }
        bytes
    }

    /// Reads the canonical bytes.
    ///
    /// # Errors
    /// Field and offset of what is wrong.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new("authority's new key", bytes);
        let succession = Succession {
            generation: reader.u32("generation")?,
            authority: reader.u8("authority's number")?,
            key: reader.array("key")?,
        };
        let count = reader.u8("number of signatures")?;
        let mut signatures: Vec<(u8, [u8; 64])> = Vec::new();
        for _ in 0..count {
            let signer = reader.u8("signer")?;
            if signatures.last().is_some_and(|(last, _)| *last >= signer) {
                return Err(reader.wrong("signer", "must be above the one before"));
            }
            signatures.push((signer, reader.array("signature")?));
        }
        reader.finish()?;
        Ok(Self { succession, signatures })
    }
}

/// A change of a key that is a leaf.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Successor {
    /// The leaf that says it.
    pub leaf: u64,
    /// The authority with its new key.
    pub authority: Authority,
}

/// The changes of keys on a ledger, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Successions(Vec<Successor>);

impl Successions {
    /// What leaves say, each with its index, without checking it: the fold does that.
    pub fn scan(manifest: &Manifest, leaves: impl IntoIterator<Item = (u64, Bytes)>) -> Self {
        let mut all = Self::default();
        for (leaf, bytes) in leaves {
            let Ok(Entry { body: Body::AuthorityKey(body), .. }) = Entry::decode(&bytes) else {
                continue;
            };
            let read = SignedSuccession::decode(body).ok();
            let authority = read.and_then(|read| successor(manifest, &read.succession).ok());
            if let Some(authority) = authority {
                all.add(leaf, authority);
            }
        }
        all
    }

    /// All of them.
    pub fn all(&self) -> &[Successor] {
        &self.0
    }

    pub(crate) fn add(&mut self, leaf: u64, authority: Authority) {
        self.0.push(Successor { leaf, authority });
    }

    /// The newest key of an authority, if it was ever changed.
    pub(crate) fn newest(&self, authority: u8) -> Option<&AuthorityKey> {
        let of = |one: &&Successor| one.authority.index == authority;
        self.0.iter().rev().find(of).map(|one| &one.authority.key)
    }

    /// The authorities with the keys that count below `size`.
    pub fn authorities_at(&self, manifest: &Manifest, size: u64) -> Vec<Authority> {
        let mut all = manifest.authorities.clone();
        for change in self.0.iter().filter(|change| change.leaf < size) {
            let place = all.iter_mut().find(|one| one.index == change.authority.index);
            if let Some(place) = place {
                place.key = change.authority.key.clone();
            }
        }
        all
    }

    /// The policy for checkpoints of this size: `policy` with the keys that follow those it names.
    pub fn policy_at(&self, policy: &Policy, size: u64) -> Policy {
        let changes = self.0.iter().filter(|change| change.leaf < size);
        changes.fold(policy.clone(), |policy, change| {
            // A key that is somebody's already changes nothing; the fold refuses such an entry.
            policy.with_key(&change.authority.key).unwrap_or(policy)
        })
    }

    /// Follows the changes that a node tells of, without the leaves between: the entry of each and
    /// the receipt of its leaf, oldest first. A node can leave out the newest; it cannot forge or
    /// move one.
    ///
    /// # Errors
    /// Why one does not hold.
    pub fn follow(
        manifest: &Manifest,
        policy: &Policy,
        changes: &[(Vec<u8>, Receipt)],
    ) -> Result<Self, String> {
        let fingerprint = manifest.fingerprint();
        let mut all = Self::default();
        for (bytes, receipt) in changes {
            let entry = Entry::decode(bytes).map_err(|error| error.to_string())?;
            let Body::AuthorityKey(body) = entry.body else {
                return Err(format!("leaf {} is no change of a key", receipt.index));
            };
            let checked = all.check(manifest, &fingerprint, body);
            all.add(receipt.index, checked.map_err(|refusal| refusal.to_string())?);
        }
        // A receipt may be signed by keys of changes behind its own.
        for (bytes, receipt) in changes {
            let policy = all.policy_at(policy, receipt.checkpoint.checkpoint.size);
            let verified = receipt.verify(&policy, leaf_hash(bytes));
            verified.map_err(|error| format!("leaf {}: {error}", receipt.index))?;
        }
        Ok(all)
    }

    /// That a change follows those that are here.
    ///
    /// # Errors
    /// Which one is the next.
    pub fn check_next(&self, succession: &Succession) -> Result<(), Refusal> {
        let (generation, expected) = (succession.generation, self.0.len() as u64 + 1);
        if u64::from(generation) == expected {
            return Ok(());
        }
        let sentence = format!("This is change {generation} of a key; {expected} is the next.");
        Err(Refusal::new(code::REPEATED, sentence))
    }

    /// Checks the next change.
    pub(crate) fn check(
        &self,
        manifest: &Manifest,
        fingerprint: &Fingerprint,
        body: &[u8],
    ) -> Result<Authority, Refusal> {
        let read = SignedSuccession::decode(body)
            .map_err(|error| Refusal::new(code::MALFORMED, error.to_string()))?;
        let SignedSuccession { succession, signatures } = read;
        self.check_next(&succession)?;
        let authority = successor(manifest, &succession)?;
        let used = manifest.authorities.iter().chain(self.0.iter().map(|one| &one.authority));
        if used.into_iter().any(|one| one.key.public() == authority.key.public()) {
            let sentence = "The new key is, or was, an authority's key already.";
            return Err(Refusal::new(code::REPEATED, sentence));
        }
        let current = self.authorities_at(manifest, u64::MAX);
        for (signer, signature) in &signatures {
            succession.check_signature(fingerprint, &current, *signer, signature)?;
        }
        let (found, needed) = (signatures.len(), manifest.quorum());
        if found < needed {
            let sentence = format!("{found} authorities signed the new key; {needed} must.");
            return Err(Refusal::new(code::NOT_READY, sentence));
        }
        Ok(authority)
    }
}

fn successor(manifest: &Manifest, succession: &Succession) -> Result<Authority, Refusal> {
    let index = succession.authority;
    let unusable = || Refusal::new(code::BAD_SIGNATURE, "The new key is not a usable Ed25519 key.");
    let Some(old) = manifest.authority(index) else {
        let sentence = format!("Number {index} is no authority of this election.");
        return Err(Refusal::new(code::UNKNOWN_APPENDER, sentence));
    };
    PublicKey::from_bytes(&succession.key).map_err(|_| unusable())?;
    let key = AuthorityKey::new(old.key.name(), &succession.key).map_err(|_| unusable())?;
    Ok(Authority { index, key })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Act, Fold,
        testing::{ElectionBuilder, STAMP, TestElection, choose},
    };

    fn change(election: &TestElection, generation: u32, seed: u8, by: &[u8]) -> SignedSuccession {
        election.succession(generation, 3, [seed; 32], by)
    }

    fn append(election: &TestElection, fold: &mut Fold, signed: &SignedSuccession) -> String {
        let body = signed.encode();
        let entry = election.appenders[0]
            .seal(election.id(), crate::testing::STAMP, &Body::AuthorityKey(&body))
            .expect("it fits");
        fold.push(&entry.into()).map_or_else(|refusal| refusal.to_string(), |_| "leaf".to_owned())
    }

    #[test]
    fn a_quorum_gives_an_authority_a_new_key() {
        let mut election = ElectionBuilder::new(4).voters(3).build();
        let mut fold = election.open().fold;
        let leaf = fold.tree().size();
        let check = |fold: &mut Fold, signed: &SignedSuccession, expected: &str| {
            let found = append(&election, fold, signed);
            assert!(found.starts_with(expected), "{found}");
        };
        let one = change(&election, 1, 77, &[1]);
        check(&mut fold, &one, "not-ready: 1 authorities signed the new key; 2 must.");
        let mut forged = change(&election, 1, 77, &[1, 2]);
        forged.signatures[1].1[0] ^= 1;
        check(&mut fold, &forged, "bad-signature: The signature of authority 2");
        check(&mut fold, &change(&election, 2, 77, &[1, 2]), "repeated: This is change 2");
        check(&mut fold, &change(&election, 1, 77, &[1, 2]), "leaf");
        check(&mut fold, &change(&election, 1, 78, &[1, 2]), "repeated: This is change 1");
        check(&mut fold, &change(&election, 2, 77, &[1, 2]), "repeated: The new key is");
        let new = SigningKey::from_seed(&[77; 32]);
        let keys = |size| fold.authorities_at(size)[2].key.public() == &new.public().to_bytes();
        assert!(!keys(leaf) && keys(leaf + 1));
        // The old key appends nothing any more, the new one does.
        let ballot = election.cast(0, &[choose(0), choose(1)]);
        let old = election.appenders[2].clone();
        let fresh = crate::Appender { index: 3, key: new };
        for (appender, expected) in [(old, false), (fresh, true)] {
            let entry = appender.seal(election.id(), crate::testing::STAMP, &Body::Ballot(&ballot));
            assert_eq!(fold.push(&entry.expect("it fits").into()).is_ok(), expected);
        }
        // Verified before the change, the old key's signature does not count behind it.
        let late = election.cast(1, &[choose(0), choose(1)]);
        let stale = election.appenders[2].seal(election.id(), STAMP, &Body::Ballot(&late));
        let stale = Bytes::from(stale.expect("it fits"));
        let mut other = election.open().fold;
        let verified = other.verify(&[stale], &mut crate::testing::TestRng::new(1, "weights"));
        assert_eq!(append(&election, &mut other, &change(&election, 1, 77, &[1, 2])), "leaf");
        let verdicts = other.push_verified(verified);
        assert_eq!(verdicts[0].as_ref().map_err(|one| one.code), Err("unknown-appender"));
        let policy = fold.policy_at(u64::MAX).expect("it has a manifest");
        assert_ne!(policy, election.policy());
        assert_eq!(policy.quorum(), election.policy().quorum());
        assert_eq!(fold.policy_at(leaf), Some(election.policy()));
        let leaves = (0u64..).zip(fold.leaves().iter().cloned());
        let scanned = Successions::scan(&election.manifest, leaves);
        assert_eq!(&scanned, fold.successions());
        let close = Act::Close.sign(&election.manifest.fingerprint(), &election.admin);
        let close = election.appenders[1].seal(
            election.id(),
            crate::testing::STAMP,
            &Body::Close { signature: close },
        );
        assert!(fold.push(&close.expect("it fits").into()).is_ok());
    }

    #[test]
    fn changes_are_followed_by_their_receipts_alone() {
        let election = ElectionBuilder::new(6).voters(2).build();
        let mut fold = election.open().fold;
        let sealed = |signed: &SignedSuccession| {
            let (appender, body) = (&election.appenders[1], signed.encode());
            let entry = appender.seal(election.id(), STAMP, &Body::AuthorityKey(&body));
            Bytes::from(entry.expect("it fits"))
        };
        let entry = sealed(&election.succession(1, 1, [77; 32], &[2, 3]));
        let leaf = fold.push(&entry).expect("a quorum signed").leaf_index;
        let path = fold.tree().inclusion(leaf, leaf + 1).expect("it is below");
        let checkpoint = election.checkpoint(fold.tree(), leaf + 1);
        let receipt = Receipt { extra: Vec::new(), index: leaf, path, checkpoint };
        let follow = |entry: &[u8], receipt: &Receipt| {
            let changes = [(entry.to_vec(), receipt.clone())];
            Successions::follow(&election.manifest, &election.policy(), &changes)
        };
        assert_eq!(follow(&entry, &receipt).as_ref(), Ok(fold.successions()));
        let refused = |entry: &[u8], receipt: &Receipt, expected: &str| {
            let error = follow(entry, receipt).expect_err(expected);
            assert!(error.contains(expected), "{error}");
        };
        let weak = sealed(&election.succession(1, 1, [77; 32], &[2]));
        refused(&weak, &receipt, "1 authorities signed the new key; 2 must.");
        refused(&fold.leaves()[0], &receipt, "is no change of a key");
        let other = sealed(&election.succession(1, 1, [78; 32], &[2, 3]));
        refused(&other, &receipt, &format!("leaf {leaf}: "));
        refused(&entry, &Receipt { index: leaf - 1, ..receipt.clone() }, "leaf");
        let unsigned = ledger::SignedCheckpoint::unsigned(receipt.checkpoint.checkpoint.clone());
        refused(&entry, &Receipt { checkpoint: unsigned, ..receipt.clone() }, "quorum");
    }

    #[test]
    fn every_changed_byte_of_a_change_is_refused() {
        let election = ElectionBuilder::new(5).voters(2).build();
        let fold = election.open().fold;
        let manifest = fold.manifest().expect("it is open");
        let fingerprint = manifest.fingerprint();
        let bytes = change(&election, 1, 9, &[1, 2]).encode();
        let check = |bytes: &[u8]| fold.successions().check(manifest, &fingerprint, bytes);
        assert!(check(&bytes).is_ok());
        for at in 0..bytes.len() {
            let mut other = bytes.clone();
            other[at] ^= 1;
            assert!(check(&other).is_err(), "byte {at}");
        }
        assert!(check(&bytes[..bytes.len() - 1]).is_err());
    }
}

//! Statements of the finality rounds as signed bytes: one form only, bound to one manifest by its
//! fingerprint, so that nothing said under one authority set counts under another.

use ballot::signature::{PublicKey, SigningKey};

/// Domain separation of round statements from cosignatures, entries and refusals.
const TAG: &str = "quorate/round/v1";

/// Bytes of an encoded statement.
const STATEMENT_BYTES: usize = 1 + 8 + 4 + 4 + 1 + 8 + 32;

/// Bytes of an encoded vote.
pub const VOTE_BYTES: usize = STATEMENT_BYTES + 1 + 64;

/// A prefix of the ledger: its size and the root of its tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Value {
    /// Leaves.
    pub size: u64,
    /// RFC 6962 root over them.
    pub root: [u8; 32],
}

/// What is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// "This could be next", by the round's proposer.
    Proposal,
    /// "I computed the same", or nil.
    Checked,
    /// "A quorum has checked it, and I am locked on it", or nil.
    Ready,
}

impl Kind {
    /// Its name in store keys.
    pub fn name(self) -> &'static str {
        match self {
            Self::Proposal => "proposal",
            Self::Checked => "checked",
            Self::Ready => "ready",
        }
    }

    fn byte(self) -> u8 {
        match self {
            Self::Proposal => 1,
            Self::Checked => 2,
            Self::Ready => 3,
        }
    }

    fn from_byte(byte: u8) -> Option<Self> {
        [Self::Proposal, Self::Checked, Self::Ready].into_iter().find(|kind| kind.byte() == byte)
    }
}

/// One thing said in one round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Statement {
    /// Which decision, from 0.
    pub height: u64,
    /// Which attempt, from 0.
    pub round: u32,
    /// See the type.
    pub kind: Kind,
    /// `None` is the vote for nothing ("nil").
    pub value: Option<Value>,
    /// In a proposal: the earlier round in which a quorum checked the value.
    pub valid_round: Option<u32>,
}

impl Statement {
    /// Signs it for the election with this manifest.
    pub fn sign(&self, fingerprint: &[u8; 32], author: u8, key: &SigningKey) -> Vote {
        let signature = key.sign(TAG, &self.message(fingerprint, author));
        Vote { author, statement: *self, signature }
    }

    fn message(&self, fingerprint: &[u8; 32], author: u8) -> Vec<u8> {
        let mut message = fingerprint.to_vec();
        message.push(author);
        self.encode(&mut message);
        message
    }

    fn encode(&self, out: &mut Vec<u8>) {
        out.push(self.kind.byte());
        out.extend_from_slice(&self.height.to_be_bytes());
        out.extend_from_slice(&self.round.to_be_bytes());
        out.extend_from_slice(&self.valid_round.unwrap_or(u32::MAX).to_be_bytes());
        out.push(u8::from(self.value.is_some()));
        let value = self.value.unwrap_or(Value { size: 0, root: [0; 32] });
        out.extend_from_slice(&value.size.to_be_bytes());
        out.extend_from_slice(&value.root);
    }

    fn decode(bytes: &[u8; STATEMENT_BYTES]) -> Option<Self> {
        let word = |at: usize| u32::from_be_bytes(array(&bytes[at..at + 4]));
        let long = |at: usize| u64::from_be_bytes(array(&bytes[at..at + 8]));
        let value = Value { size: long(18), root: array(&bytes[26..58]) };
        let statement = Self {
            kind: Kind::from_byte(bytes[0])?,
            height: long(1),
            round: word(9),
            valid_round: Some(word(13)).filter(|round| *round != u32::MAX),
            value: (bytes[17] == 1).then_some(value),
        };
        let mut again = Vec::with_capacity(STATEMENT_BYTES);
        statement.encode(&mut again);
        // A round below the maximum keeps `round + 1` from overflowing.
        (again == bytes && statement.is_sensible()).then_some(statement)
    }

    fn is_sensible(&self) -> bool {
        let shape = match self.kind {
            Kind::Proposal => self.value.is_some(),
            Kind::Checked | Kind::Ready => self.valid_round.is_none(),
        };
        shape && self.round < u32::MAX / 2 && self.height < u64::MAX / 2
    }
}

/// A signed statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vote {
    /// Place of the authority in the manifest, from 0.
    pub author: u8,
    /// What it says.
    pub statement: Statement,
    /// Ed25519.
    pub signature: [u8; 64],
}

impl Vote {
    /// The one byte form: statement, author, signature.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(VOTE_BYTES);
        self.statement.encode(&mut out);
        out.push(self.author);
        out.extend_from_slice(&self.signature);
        out
    }

    /// `None` for anything but [`Vote::encode`]'s form. Does not look at the signature.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; VOTE_BYTES] = bytes.try_into().ok()?;
        let statement = Statement::decode(&array(&bytes[..STATEMENT_BYTES]))?;
        let signature = array(&bytes[STATEMENT_BYTES + 1..]);
        Some(Self { author: bytes[STATEMENT_BYTES], statement, signature })
    }

    /// Whether the author's key signed it for the election with this manifest.
    #[must_use]
    pub fn verify(&self, fingerprint: &[u8; 32], authorities: &[PublicKey]) -> bool {
        let message = self.statement.message(fingerprint, self.author);
        authorities
            .get(usize::from(self.author))
            .is_some_and(|key| key.verify(TAG, &message, &self.signature).is_ok())
    }
}

/// A quorum of signed `ready` statements: anybody can see that the value is final.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The decision.
    pub height: u64,
    /// Round of the `ready` statements.
    pub round: u32,
    /// What is final.
    pub value: Value,
    /// Authors, ascending, with their signatures.
    pub signatures: Vec<(u8, [u8; 64])>,
}

impl Certificate {
    /// Height, round, size, root, number of signatures, then each author with its signature.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(53 + 65 * self.signatures.len());
        out.extend_from_slice(&self.height.to_be_bytes());
        out.extend_from_slice(&self.round.to_be_bytes());
        out.extend_from_slice(&self.value.size.to_be_bytes());
        out.extend_from_slice(&self.value.root);
        out.push(u8::try_from(self.signatures.len()).expect("one signature per authority"));
        for (author, signature) in &self.signatures {
            out.push(*author);
            out.extend_from_slice(signature);
        }
        out
    }

    /// `None` for anything but [`Certificate::encode`]'s form. Does not look at the signatures.
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let (head, tail) = bytes.split_at_checked(53)?;
        let signatures: Vec<(u8, [u8; 64])> = tail
            .chunks(65)
            .map(|one| Some((one[0], one[1..].try_into().ok()?)))
            .collect::<Option<_>>()?;
        let ascending = signatures.windows(2).all(|pair| pair[0].0 < pair[1].0);
        let certificate = Self {
            height: u64::from_be_bytes(array(&head[..8])),
            round: u32::from_be_bytes(array(&head[8..12])),
            value: Value {
                size: u64::from_be_bytes(array(&head[12..20])),
                root: array(&head[20..52]),
            },
            signatures,
        };
        let complete = usize::from(head[52]) == certificate.signatures.len();
        (complete && ascending && certificate.ready().is_sensible()).then_some(certificate)
    }

    /// Whether at least `votes` different authorities signed `ready` for it.
    #[must_use]
    pub fn verify(&self, fingerprint: &[u8; 32], authorities: &[PublicKey], votes: usize) -> bool {
        let statement = self.ready();
        self.signatures.len() >= votes
            && self.signatures.windows(2).all(|pair| pair[0].0 < pair[1].0)
            && self.signatures.iter().all(|(author, signature)| {
                let vote = Vote { author: *author, statement, signature: *signature };
                vote.verify(fingerprint, authorities)
            })
    }

    fn ready(&self) -> Statement {
        Statement {
            height: self.height,
            round: self.round,
            kind: Kind::Ready,
            value: Some(self.value),
            valid_round: None,
        }
    }
}

/// Copies a slice whose length the caller has fixed.
fn array<const N: usize>(bytes: &[u8]) -> [u8; N] {
    bytes.try_into().expect("the caller cut exactly N bytes")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ELECTION: [u8; 32] = [7; 32];

    fn statement(kind: Kind, value: Option<Value>, valid_round: Option<u32>) -> Statement {
        Statement { height: 5, round: 2, kind, value, valid_round }
    }

    fn signing(author: u8) -> SigningKey {
        SigningKey::from_seed(&[author + 1; 32])
    }

    fn authorities() -> Vec<PublicKey> {
        (0..4).map(|author| signing(author).public()).collect()
    }

    #[test]
    fn every_changed_bit_of_a_vote_is_refused() {
        let value = Some(Value { size: 9, root: [3; 32] });
        for said in [
            statement(Kind::Proposal, value, Some(1)),
            statement(Kind::Checked, None, None),
            statement(Kind::Ready, value, None),
        ] {
            let vote = said.sign(&ELECTION, 1, &signing(1));
            let bytes = vote.encode();
            assert_eq!(Vote::decode(&bytes), Some(vote.clone()));
            assert!(vote.verify(&ELECTION, &authorities()));
            assert!(!vote.verify(&[8; 32], &authorities()), "another election");
            for bit in 0..bytes.len() * 8 {
                let mut changed = bytes.clone();
                changed[bit / 8] ^= 1 << (bit % 8);
                let accepted = Vote::decode(&changed)
                    .is_some_and(|vote| vote.verify(&ELECTION, &authorities()));
                assert!(!accepted, "bit {bit} of {said:?}");
            }
        }
    }

    #[test]
    fn statements_without_sense_do_not_decode() {
        let value = Some(Value { size: 9, root: [3; 32] });
        for said in [
            statement(Kind::Proposal, None, None),
            statement(Kind::Checked, value, Some(1)),
            Statement { round: u32::MAX - 1, ..statement(Kind::Ready, value, None) },
            Statement { height: u64::MAX, ..statement(Kind::Ready, value, None) },
        ] {
            assert_eq!(Vote::decode(&said.sign(&ELECTION, 0, &signing(0)).encode()), None);
        }
    }

    #[test]
    fn a_certificate_needs_enough_different_signatures() {
        let value = Value { size: 9, root: [3; 32] };
        let ready = statement(Kind::Ready, Some(value), None);
        let sign = |author| (author, ready.sign(&ELECTION, author, &signing(author)).signature);
        let certificate = |signatures| Certificate { height: 5, round: 2, value, signatures };
        let good = certificate(vec![sign(0), sign(2), sign(3)]);
        assert!(good.verify(&ELECTION, &authorities(), 3));
        assert_eq!(Certificate::decode(&good.encode()), Some(good.clone()));
        assert!(!good.verify(&ELECTION, &authorities(), 4));
        let twice = certificate(vec![sign(0), sign(2), sign(2)]);
        assert!(!twice.verify(&ELECTION, &authorities(), 3));
        assert_eq!(Certificate::decode(&twice.encode()), None);
        let forged = certificate(vec![sign(0), sign(2), (3, sign(2).1)]);
        assert!(!forged.verify(&ELECTION, &authorities(), 3));
        let mut short = good.encode();
        short.pop();
        assert_eq!(Certificate::decode(&short), None);
    }
}

//! A ballot's bytes, read and checked.
//!
//! ```text
//! offset  length  field
//!      0       1  version = 1
//!      1      32  fingerprint of the election
//!     33      32  credential (Ed25519 public key)
//!     65       4  seq, u32 little-endian
//!     69      32  prev: SHA-256 of the same credential's previous ballot, or zeros
//!    101       1  group of the voter, which decides the contests
//!    102          per contest: kind byte, ciphertexts, commitments, challenges and responses
//!   last 64       signature over everything before
//! ```
//!
//! Every length follows from the group's contests, so all ballots of a group are equally long and
//! there is exactly one encoding. Reading checks the layout and that every point and
//! scalar is canonical; signature and proofs are checked on demand, exactly and one by one here,
//! or together in `batch`.

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::fmt;
use core::ops::Range;

use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;

use crate::context::BallotContext;
use crate::elgamal::Ciphertext;
use crate::encoding::{EncodingError, Reader};
use crate::hash::sha256;
use crate::proof::{Accumulator, Claim, claims, disjunction};
use crate::signature::{self, Signature, SignatureError, Signed};
use crate::statement::{Committed, Statement, Voter};
use crate::tracker::Tracker;
use rand_core::CryptoRng;

/// The only version.
pub const VERSION: u8 = 1;
/// Bytes before the first contest.
pub const HEADER_LEN: usize = 102;
/// Where the group stands.
pub(crate) const GROUP_AT: usize = 101;
/// Bytes after the last contest.
pub(crate) const SIGNATURE_LEN: usize = signature::SIGNATURE_LEN;
/// What a credential signs.
pub(crate) const SIGNATURE_TAG: &str = "quorate/ballot/v1/signature";

/// Why a ballot is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BallotError {
    /// Not as long as every ballot of this group.
    Length {
        /// The length of the group's ballots in bytes.
        expected: usize,
        /// What was given.
        found: usize,
    },
    /// Another version of the format.
    Version {
        /// The version byte.
        found: u8,
    },
    /// Made for another election.
    Election,
    /// The credential is not a canonical point.
    Credential,
    /// The group has no contest to vote on.
    Group {
        /// The group.
        group: u8,
    },
    /// A contest has another kind than the manifest says.
    Kind {
        /// The contest, from 0.
        contest: usize,
    },
    /// A point or scalar of a contest is not canonical.
    Encoding {
        /// The contest, from 0.
        contest: usize,
        /// What is wrong with it.
        error: EncodingError,
    },
    /// The signature is malformed or not by the credential over these bytes.
    Signature(SignatureError),
    /// The proof of a valid vote does not hold for this election, credential and sequence.
    Proof {
        /// The contest, from 0.
        contest: usize,
    },
    /// The ballot was read for another election than it is verified for (a caller's mistake).
    Context,
}

impl BallotError {
    /// The stable name of this refusal.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Length { .. } => "ballot-length",
            Self::Version { .. } => "ballot-version",
            Self::Election => "ballot-election",
            Self::Credential => "ballot-credential",
            Self::Group { .. } => "ballot-group",
            Self::Kind { .. } => "ballot-kind",
            Self::Encoding { .. } => "ballot-encoding",
            Self::Signature(_) => "ballot-signature",
            Self::Proof { .. } => "ballot-proof",
            Self::Context => "ballot-context",
        }
    }
}

impl fmt::Display for BallotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length { expected, found } => {
                write!(f, "the ballot has {found} bytes; every ballot of its group has {expected}")
            }
            Self::Version { found } => {
                write!(f, "the ballot has format version {found}; this election uses {VERSION}")
            }
            Self::Election => f.write_str("the ballot was made for another election"),
            Self::Credential => f.write_str("the ballot's credential is not a public key"),
            Self::Group { group } => {
                write!(f, "the voters of group {group} have no question to answer")
            }
            Self::Kind { contest } => {
                write!(f, "the ballot answers question {contest} as another kind of question")
            }
            Self::Encoding { contest, error } => write!(f, "in question {contest}, {error}"),
            Self::Signature(error) => write!(f, "the ballot is not signed: {error}"),
            Self::Proof { contest } => write!(
                f,
                "the proof that the answer to question {contest} is valid does not hold for this \
                 election, credential and sequence number"
            ),
            Self::Context => f.write_str("the ballot was read for another election"),
        }
    }
}

impl core::error::Error for BallotError {}

/// One contest of a ballot.
struct Body {
    ciphertexts: Vec<Ciphertext>,
    proofs: Vec<disjunction::Proof>,
}

/// Where the hashed parts of a contest stand in the ballot.
struct Layout {
    ciphertexts: Range<usize>,
    commitments: Range<usize>,
}

/// A ballot with exact layout and canonical points and scalars; see the module for what else to
/// check.
pub struct ParsedBallot {
    context: BallotContext,
    bytes: Vec<u8>,
    credential_point: EdwardsPoint,
    signature: Signature,
    contests: Vec<Body>,
}

/// A contest as it is proven: its number, claims, proofs and challenge.
struct Proven<'a> {
    contest: u16,
    body: &'a Body,
    claims: Cow<'a, [Claim]>,
    challenge: Scalar,
}

impl ParsedBallot {
    /// Reads a ballot for an election.
    ///
    /// # Errors
    /// Length, version, election, credential, group, kinds, and the encoding of every point and
    /// scalar (no `a` may be the identity), in this order.
    pub fn parse(bytes: impl Into<Vec<u8>>, context: &BallotContext) -> Result<Self, BallotError> {
        let bytes = bytes.into();
        let group = bytes.get(GROUP_AT).copied().unwrap_or_default();
        let expected = context.ballot_len(group);
        let mut reader = Reader::exact(&bytes, expected)
            .map_err(|_| BallotError::Length { expected, found: bytes.len() })?;
        let credential_point = read_header(&mut reader, context.fingerprint().0)?;
        let mut contests = Vec::new();
        for (contest, kind) in context.asked(group) {
            let clauses = context.clauses(contest);
            let contest = usize::from(contest);
            if reader.u8() != kind.byte() {
                return Err(BallotError::Kind { contest });
            }
            let body = Body::read(&mut reader, kind.counters(), clauses);
            contests.push(body.map_err(|error| BallotError::Encoding { contest, error })?);
        }
        if contests.is_empty() {
            return Err(BallotError::Group { group });
        }
        let signature = Signature::parse(&reader.array()).map_err(BallotError::Signature)?;
        let context = context.clone();
        Ok(Self { context, bytes, credential_point, signature, contests })
    }

    /// Checks the signature by the ballot's own credential. That the credential is on the roll,
    /// where only torsion-free keys are, is the caller's check.
    ///
    /// # Errors
    /// [`BallotError::Signature`].
    pub fn verify_signature(&self) -> Result<(), BallotError> {
        if self.signed().holds() {
            Ok(())
        } else {
            Err(BallotError::Signature(SignatureError::Equation))
        }
    }

    /// Checks every equation of every proof exactly, without randomness (about twice the time of
    /// a batch of one).
    ///
    /// # Errors
    /// [`BallotError::Proof`] with the first contest whose proof does not hold.
    pub fn verify_proofs(&self) -> Result<(), BallotError> {
        let key = self.context.election_key().point();
        let holds = |Proven { body, claims, challenge, .. }: &Proven<'_>| {
            claims.iter().zip(&body.proofs).all(|(claim, proof)| {
                let ciphertext = claim.combination.ciphertext(&body.ciphertexts);
                proof.holds(key, &ciphertext, &claim.values, challenge)
            })
        };
        match self.proven().iter().find(|contest| !holds(contest)) {
            None => Ok(()),
            Some(proven) => Err(BallotError::Proof { contest: proven.contest.into() }),
        }
    }

    /// The ballot's bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The election this ballot was read for.
    pub fn context(&self) -> &BallotContext {
        &self.context
    }

    /// SHA-256 of the bytes: the ballot's full name, and the next ballot's `prev`.
    pub fn hash(&self) -> [u8; 32] {
        sha256(&self.bytes)
    }

    /// The ballot's short name.
    pub fn tracker(&self) -> Tracker {
        Tracker::of_hash(&self.hash())
    }

    /// The public key the ballot claims to be by.
    pub fn credential(&self) -> &[u8; 32] {
        self.header(33)
    }

    /// The ballot's place among its credential's ballots.
    pub fn seq(&self) -> u32 {
        u32::from_le_bytes(*self.header(65))
    }

    /// The hash of the credential's previous ballot, zeros if there is none.
    pub fn prev(&self) -> &[u8; 32] {
        self.header(69)
    }

    /// The group the ballot claims for its voter, which decides its contests.
    pub fn group(&self) -> u8 {
        self.bytes[GROUP_AT]
    }

    /// The numbers of the ballot's contests in the manifest, ascending.
    pub fn contests(&self) -> &[u16] {
        self.context.questions().of_group(self.group())
    }

    /// The ciphertexts of a contest by its number in the manifest, one for each counter; empty if
    /// the ballot does not have it.
    pub fn ciphertexts(&self, contest: usize) -> &[Ciphertext] {
        let place = self.contests().iter().position(|&asked| usize::from(asked) == contest);
        place.map_or(&[], |place| &self.contests[place].ciphertexts)
    }

    /// The encodings of every `a` of the ballot, for weeding: none may stand in another accepted
    /// ballot, or one of the two was copied.
    pub fn a_components(&self) -> impl Iterator<Item = &[u8; 32]> {
        self.layouts().into_iter().flat_map(|layout| {
            self.bytes[layout.ciphertexts]
                .chunks_exact(Ciphertext::LEN)
                .filter_map(|ciphertext| ciphertext.first_chunk())
        })
    }

    /// The signature's equation.
    pub(crate) fn signed(&self) -> Signed {
        let message = &self.bytes[..self.bytes.len() - SIGNATURE_LEN];
        let key = self.credential_point;
        Signed::new(SIGNATURE_TAG, message, self.credential(), key, self.signature)
    }

    /// The number of points in this ballot's proofs.
    pub(crate) fn point_count(&self) -> usize {
        self.bytes.len() / 32
    }

    /// Adds all equations of all proofs with fresh weights.
    pub(crate) fn accumulate<'a>(
        &'a self,
        accumulator: &mut Accumulator<'a>,
        rng: &mut (impl CryptoRng + ?Sized),
    ) {
        for Proven { body, claims, challenge, .. } in self.proven() {
            let mut of_a = alloc::vec![Scalar::ZERO; body.ciphertexts.len()];
            let mut of_b = of_a.clone();
            for (claim, proof) in claims.iter().zip(&body.proofs) {
                let (a, b) = proof.accumulate(claim, &challenge, accumulator, rng);
                claim.combination.spread(&a, &mut of_a);
                claim.combination.spread(&b, &mut of_b);
            }
            for ((ciphertext, a), b) in body.ciphertexts.iter().zip(of_a).zip(of_b) {
                accumulator.add(a, &ciphertext.a);
                accumulator.add(b, &ciphertext.b);
            }
        }
    }

    /// Recomputes claims and challenges from the bytes.
    fn proven(&self) -> Vec<Proven<'_>> {
        let (statement, committed) = self.transcript();
        let contests = self.context.asked(self.group()).zip(&self.contests);
        contests
            .map(|((contest, kind), body)| Proven {
                contest,
                body,
                claims: claims(&self.context, kind, contest, &statement),
                challenge: committed.challenge(kind, contest),
            })
            .collect()
    }

    /// Statement digest, commitments digest and challenges, for the vectors.
    #[cfg(test)]
    pub(crate) fn hashes(&self) -> ([u8; 64], [u8; 64], Vec<Scalar>) {
        let (statement, committed) = self.transcript();
        let challenges = self.proven().into_iter().map(|contest| contest.challenge).collect();
        (statement.digest(), committed.digest(), challenges)
    }

    fn transcript(&self) -> (Statement, Committed) {
        let layouts = self.layouts();
        let (credential, group) = (self.credential(), self.group());
        let voter = Voter { credential, group, seq: self.seq(), prev: self.prev() };
        let slice = |range: &Range<usize>| &self.bytes[range.clone()];
        let ciphertexts = layouts.iter().map(|layout| slice(&layout.ciphertexts));
        let statement = Statement::new(&self.context, &voter, ciphertexts);
        let committed = statement.commit(layouts.iter().map(|layout| slice(&layout.commitments)));
        (statement, committed)
    }

    fn layouts(&self) -> Vec<Layout> {
        layouts(&self.context, self.group()).map(|(_, layout)| layout).collect()
    }

    fn header<const N: usize>(&self, at: usize) -> &[u8; N] {
        self.bytes[at..].first_chunk().expect("the length was checked when the ballot was read")
    }
}

/// Where the parts of a ballot's contests stand, by the contests' numbers.
fn layouts(context: &BallotContext, group: u8) -> impl Iterator<Item = (u16, Layout)> {
    let mut start = HEADER_LEN;
    context.asked(group).map(move |(contest, kind)| {
        let clauses = context.clauses(contest);
        let ciphertexts = start + 1;
        let commitments = ciphertexts + usize::from(kind.counters()) * Ciphertext::LEN;
        let scalars = commitments + clauses.iter().sum::<usize>() * 64;
        start = scalars + clauses.iter().map(|k| (2 * k - 1) * 32).sum::<usize>();
        (
            contest,
            Layout { ciphertexts: ciphertexts..commitments, commitments: commitments..scalars },
        )
    })
}

/// Reads the ciphertexts of a ballot and nothing else, contest by contest: half the points, for
/// ballots that were read and verified before.
pub(crate) fn ciphertexts<'a>(
    bytes: &'a [u8],
    context: &'a BallotContext,
) -> Result<impl Iterator<Item = Result<(u16, Vec<Ciphertext>), BallotError>> + 'a, BallotError> {
    let group = bytes.get(GROUP_AT).copied().unwrap_or_default();
    let expected = context.ballot_len(group);
    if bytes.len() != expected {
        return Err(BallotError::Length { expected, found: bytes.len() });
    }
    Ok(layouts(context, group).map(|(contest, layout)| {
        let wrong = |error| BallotError::Encoding { contest: contest.into(), error };
        let read = |bytes: &[u8]| {
            let mut reader = Reader::exact(bytes, Ciphertext::LEN)?;
            Ok(Ciphertext { a: reader.proper_point()?, b: reader.point()? })
        };
        let all = bytes[layout.ciphertexts].chunks(Ciphertext::LEN).map(read);
        Ok((contest, all.collect::<Result<_, _>>().map_err(wrong)?))
    }))
}

impl fmt::Debug for ParsedBallot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ParsedBallot({}, seq {})", self.tracker(), self.seq())
    }
}

impl Body {
    fn read(
        reader: &mut Reader<'_>,
        counters: u16,
        clauses: &[usize],
    ) -> Result<Self, EncodingError> {
        let read = |_| Ok(Ciphertext { a: reader.proper_point()?, b: reader.point()? });
        let ciphertexts = (0..counters).map(read).collect::<Result<_, _>>()?;
        let mut proofs = Vec::with_capacity(clauses.len());
        for &clauses in clauses {
            proofs.push(disjunction::Proof::read_commitments(reader, clauses)?);
        }
        for proof in &mut proofs {
            proof.read_scalars(reader)?;
        }
        Ok(Self { ciphertexts, proofs })
    }
}

/// Reads version, election, credential, chain and group; gives the credential's point.
pub(crate) fn read_header(
    reader: &mut Reader<'_>,
    fingerprint: [u8; 32],
) -> Result<EdwardsPoint, BallotError> {
    let version = reader.u8();
    if version != VERSION {
        return Err(BallotError::Version { found: version });
    }
    if reader.array() != fingerprint {
        return Err(BallotError::Election);
    }
    let point = signature::decode(&reader.array()).ok_or(BallotError::Credential)?;
    reader.take(37); // seq, prev and group: the election's rules decide
    Ok(point)
}

/// The key of the election, for the accumulated equations.
pub(crate) fn key(context: &BallotContext) -> &RistrettoPoint {
    context.election_key().point()
}

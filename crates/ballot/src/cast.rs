//! Making a ballot: encrypt, prove, sign.
//!
//! Order of random draws (each a scalar from 64 bytes): the encryption randomness of every option,
//! contest by contest; then for every disjunction in order, for every clause, `u_k` and `c_k`.
//! Other implementations may draw as they like; the vectors list the draws in this order.

use alloc::vec::Vec;

use curve25519_dalek::scalar::Scalar;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::choice::{Choice, ChoiceError, Plaintext};
use crate::contest::{ContestKind, Fingerprint};
use crate::context::BallotContext;
use crate::credential::Credential;
use crate::elgamal::Ciphertext;
use crate::hash::sha256;
use crate::parsed::{SIGNATURE_TAG, VERSION};
use crate::proof::{claims, disjunction};
use crate::statement::{Statement, Voter};
use crate::tracker::Tracker;

/// A signed ballot, ready to send: encrypted and proven, or of an open poll. It holds no secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedBallot(Vec<u8>);

impl SealedBallot {
    pub(crate) fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The canonical bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The canonical bytes, owned.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// SHA-256 of the bytes: the `prev` of the same credential's next ballot.
    pub fn hash(&self) -> [u8; 32] {
        sha256(&self.0)
    }

    /// The short name the voter compares.
    pub fn tracker(&self) -> Tracker {
        Tracker::of_hash(&self.hash())
    }
}

/// Encrypts, proves and signs the choices, one for each contest of the voter's group, in the order
/// of the manifest. `seq` and `prev` continue the credential's own chain: `prev` is zeros for the
/// first ballot. `rng` must be the voter's own.
///
/// # Errors
/// When a choice does not fit its contest.
pub fn cast(
    context: &BallotContext,
    credential: &Credential,
    group: u8,
    seq: u32,
    prev: [u8; 32],
    choices: &[Choice],
    rng: &mut (impl CryptoRng + ?Sized),
) -> Result<SealedBallot, ChoiceError> {
    let plaintexts = answer(context.asked(group), choices, Choice::plaintext)?;
    let public = credential.public().to_bytes();
    let voter = Voter { credential: &public, group, seq, prev: &prev };
    Ok(seal(context, credential, &voter, &plaintexts, rng))
}

/// Checks the choices against the contests of a group and turns each into something.
pub(crate) fn answer<'a, T>(
    asked: impl Iterator<Item = (u16, &'a ContestKind)>,
    choices: &[Choice],
    turn: impl Fn(&Choice, &ContestKind) -> T,
) -> Result<Vec<T>, ChoiceError> {
    let asked: Vec<_> = asked.collect();
    if choices.len() != asked.len() {
        return Err(ChoiceError::Contests { expected: asked.len(), found: choices.len() });
    }
    let one = |(choice, (contest, kind)): (&Choice, (u16, &ContestKind))| {
        choice.check(contest.into(), kind)?;
        Ok(turn(choice, kind))
    };
    choices.iter().zip(asked).map(one).collect()
}

/// One contest while it is being made.
struct Draft {
    randomness: Zeroizing<Vec<Scalar>>,
    ciphertexts: Vec<u8>,
    provers: Vec<disjunction::Prover>,
    commitments: Vec<u8>,
}

/// Seals plaintexts as they are: whether they are valid votes is for the proofs to show.
pub(crate) fn seal(
    context: &BallotContext,
    credential: &Credential,
    voter: &Voter<'_>,
    plaintexts: &[Plaintext],
    rng: &mut (impl CryptoRng + ?Sized),
) -> SealedBallot {
    let mut drafts: Vec<Draft> =
        plaintexts.iter().map(|plaintext| Draft::encrypt(context, plaintext, rng)).collect();
    let ciphertexts = drafts.iter().map(|draft| draft.ciphertexts.as_slice());
    let statement = Statement::new(context, voter, ciphertexts);
    let kinds = || context.asked(voter.group);
    for ((draft, plaintext), (contest, kind)) in drafts.iter_mut().zip(plaintexts).zip(kinds()) {
        for (claim, &clause) in
            claims(context, kind, contest, &statement).iter().zip(plaintext.clauses.iter())
        {
            let randomness = claim.combination.randomness(&draft.randomness);
            let into = &mut draft.commitments;
            let table = context.table();
            draft.provers.push(disjunction::Prover::commit(
                table,
                &claim.values,
                clause,
                randomness,
                rng,
                into,
            ));
        }
    }
    let committed = statement.commit(drafts.iter().map(|draft| draft.commitments.as_slice()));
    let mut bytes = Vec::with_capacity(context.ballot_len(voter.group));
    put_header(&mut bytes, context.fingerprint(), voter);
    for (draft, (contest, kind)) in drafts.into_iter().zip(kinds()) {
        bytes.push(kind.byte());
        bytes.extend_from_slice(&draft.ciphertexts);
        bytes.extend_from_slice(&draft.commitments);
        let challenge = committed.challenge(kind, contest);
        draft.provers.into_iter().for_each(|prover| prover.respond(&challenge, &mut bytes));
    }
    let signature = credential.sign(SIGNATURE_TAG, &bytes);
    bytes.extend_from_slice(&signature);
    SealedBallot(bytes)
}

/// What every ballot begins with, encrypted or open.
pub(crate) fn put_header(bytes: &mut Vec<u8>, fingerprint: Fingerprint, voter: &Voter<'_>) {
    bytes.push(VERSION);
    bytes.extend_from_slice(&fingerprint.0);
    bytes.extend_from_slice(voter.credential);
    bytes.extend_from_slice(&voter.seq.to_le_bytes());
    bytes.extend_from_slice(voter.prev);
    bytes.push(voter.group);
}

impl Draft {
    fn encrypt(
        context: &BallotContext,
        plaintext: &Plaintext,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Self {
        let mut randomness = Zeroizing::new(Vec::with_capacity(plaintext.values.len()));
        let mut ciphertexts = Vec::with_capacity(plaintext.values.len() * Ciphertext::LEN);
        for message in plaintext.values.iter() {
            let fresh = Scalar::random(rng);
            Ciphertext::encrypt(context.table(), message, &fresh).put(&mut ciphertexts);
            randomness.push(fresh);
        }
        Self { randomness, ciphertexts, provers: Vec::new(), commitments: Vec::new() }
    }
}

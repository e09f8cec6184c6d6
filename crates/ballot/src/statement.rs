//! What the hashes of a ballot cover, and in which order (strong Fiat-Shamir).
//!
//! ```text
//! context     = H("…/context",     fingerprint, Y, group, rules of the group's contests)
//! statement   = H("…/statement",   context, credential, seq, prev, all ciphertexts)
//! ρ of i      = Hs("…/one/rho",    statement, i)                     (contests of kind one)
//! commitments = H("…/commitments", statement, all commitments)
//! c of i      = Hs("…/{one,some,score,lists}/challenge", commitments, i)
//! ```
//!
//! `i` is the contest's number in the manifest, whichever contests the group has.
//! So every challenge depends on the election, the voter, the group, the place in the voter's
//! chain, every ciphertext and every commitment: a ballot can neither be moved to another voter,
//! election or sequence number nor be put together from parts of others.

use curve25519_dalek::scalar::Scalar;

use crate::contest::ContestKind;
use crate::context::BallotContext;
use crate::hash::Framed;

/// Who votes and where in their own chain of ballots.
pub(crate) struct Voter<'a> {
    pub(crate) credential: &'a [u8; 32],
    pub(crate) group: u8,
    pub(crate) seq: u32,
    pub(crate) prev: &'a [u8; 32],
}

/// The hash of everything that is proven about.
pub(crate) struct Statement([u8; 64]);

impl Statement {
    pub(crate) fn new<'a>(
        context: &BallotContext,
        voter: &Voter<'_>,
        ciphertexts: impl Iterator<Item = &'a [u8]>,
    ) -> Self {
        let head = Framed::new("quorate/ballot/v1/statement")
            .field(context.group_digest(voter.group))
            .field(voter.credential)
            .u32(voter.seq)
            .field(voter.prev);
        Self(ciphertexts.fold(head, Framed::field).digest())
    }

    #[cfg(test)]
    pub(crate) fn digest(&self) -> [u8; 64] {
        self.0
    }

    /// The weight of contest number `contest` (kind `one`).
    pub(crate) fn rho(&self, contest: u16) -> Scalar {
        Framed::new("quorate/ballot/v1/one/rho").field(&self.0).u16(contest).scalar()
    }

    /// Closes the transcript over the commitments of every contest.
    pub(crate) fn commit<'a>(&self, commitments: impl Iterator<Item = &'a [u8]>) -> Committed {
        let head = Framed::new("quorate/ballot/v1/commitments").field(&self.0);
        Committed(commitments.fold(head, Framed::field).digest())
    }
}

/// The hash of statement and commitments.
pub(crate) struct Committed([u8; 64]);

impl Committed {
    #[cfg(test)]
    pub(crate) fn digest(&self) -> [u8; 64] {
        self.0
    }

    /// The challenge of contest number `contest`.
    pub(crate) fn challenge(&self, kind: &ContestKind, contest: u16) -> Scalar {
        let tag = match kind {
            ContestKind::One { .. } => "quorate/ballot/v1/one/challenge",
            ContestKind::Some { .. } => "quorate/ballot/v1/some/challenge",
            ContestKind::Score { .. } => "quorate/ballot/v1/score/challenge",
            ContestKind::Lists { .. } => "quorate/ballot/v1/lists/challenge",
        };
        Framed::new(tag).field(&self.0).u16(contest).scalar()
    }
}

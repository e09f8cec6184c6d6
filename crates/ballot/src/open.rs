//! Ballots of open polls: the same header and signature as an encrypted ballot, and the numbers in
//! clear. There is nothing to prove, since everybody sees whether an answer is valid, and nothing
//! to decrypt.
//!
//! ```text
//! offset  length  field
//!      0     102  header, as in an encrypted ballot
//!    102          per contest of the group: kind byte, then each counter as u16 little-endian
//!   last 64       signature, under a tag of its own, over everything before
//! ```

use alloc::vec::Vec;

use curve25519_dalek::edwards::EdwardsPoint;

use crate::cast::{SealedBallot, answer, put_header};
use crate::choice::{Choice, ChoiceError};
use crate::contest::{ContestKind, Fingerprint};
use crate::context::Contests;
use crate::credential::Credential;
use crate::encoding::Reader;
use crate::parsed::{BallotError, GROUP_AT, HEADER_LEN, SIGNATURE_LEN, read_header};
use crate::signature::{Signature, SignatureError, Signed};
use crate::statement::Voter;

const TAG: &str = "quorate/open-ballot/v1/signature";

/// A ballot in clear with valid answers; see the module for what else to check.
pub struct OpenBallot {
    bytes: Vec<u8>,
    credential_point: EdwardsPoint,
    signature: Signature,
    /// The numbers of each contest of the ballot.
    values: Vec<Vec<u16>>,
}

impl OpenBallot {
    /// Signs the choices, one for each contest of the voter's group.
    ///
    /// # Errors
    /// When a choice does not fit its contest.
    pub fn cast(
        fingerprint: Fingerprint,
        contests: &Contests,
        credential: &Credential,
        group: u8,
        (seq, prev): (u32, [u8; 32]),
        choices: &[Choice],
    ) -> Result<SealedBallot, ChoiceError> {
        let asked = || asked(contests, group);
        let answers = answer(asked(), choices, Choice::numbers)?;
        let public = credential.public().to_bytes();
        let voter = Voter { credential: &public, group, seq, prev: &prev };
        let mut bytes = Vec::with_capacity(Self::len(contests, group));
        put_header(&mut bytes, fingerprint, &voter);
        for (numbers, (_, kind)) in answers.iter().zip(asked()) {
            bytes.push(kind.byte());
            for &number in numbers.iter() {
                let number = u16::try_from(number).expect("a checked choice has small numbers");
                bytes.extend_from_slice(&number.to_le_bytes());
            }
        }
        let signature = credential.sign(TAG, &bytes);
        bytes.extend_from_slice(&signature);
        Ok(SealedBallot::from_bytes(bytes))
    }

    /// The exact length in bytes of every ballot of this group.
    pub fn len(contests: &Contests, group: u8) -> usize {
        let bodies = asked(contests, group).map(|(_, kind)| 1 + 2 * usize::from(kind.counters()));
        HEADER_LEN + bodies.sum::<usize>() + SIGNATURE_LEN
    }

    /// Reads a ballot for a poll.
    ///
    /// # Errors
    /// Length, version, election, credential, group, kinds and answers, in this order; an answer
    /// that its contest does not admit is [`BallotError::Proof`].
    pub fn parse(
        bytes: impl Into<Vec<u8>>,
        fingerprint: Fingerprint,
        contests: &Contests,
    ) -> Result<Self, BallotError> {
        let bytes = bytes.into();
        let group = bytes.get(GROUP_AT).copied().unwrap_or_default();
        let expected = Self::len(contests, group);
        let mut reader = Reader::exact(&bytes, expected)
            .map_err(|_| BallotError::Length { expected, found: bytes.len() })?;
        let credential_point = read_header(&mut reader, fingerprint.0)?;
        let mut values = Vec::new();
        for (contest, kind) in asked(contests, group) {
            let contest = usize::from(contest);
            if reader.u8() != kind.byte() {
                return Err(BallotError::Kind { contest });
            }
            let numbers: Vec<u16> = (0..kind.counters()).map(|_| reader.u16()).collect();
            if !kind.admits(&numbers) {
                return Err(BallotError::Proof { contest });
            }
            values.push(numbers);
        }
        if values.is_empty() {
            return Err(BallotError::Group { group });
        }
        let signature = Signature::parse(&reader.array()).map_err(BallotError::Signature)?;
        Ok(Self { bytes, credential_point, signature, values })
    }

    /// Checks the signature by the ballot's own credential, like
    /// [`ParsedBallot::verify_signature`](crate::ParsedBallot::verify_signature).
    ///
    /// # Errors
    /// [`BallotError::Signature`].
    pub fn verify_signature(&self) -> Result<(), BallotError> {
        let message = &self.bytes[..self.bytes.len() - SIGNATURE_LEN];
        let credential = self.bytes[33..].first_chunk().expect("the length was checked");
        let signed = Signed::new(TAG, message, credential, self.credential_point, self.signature);
        if signed.holds() { Ok(()) } else { Err(BallotError::Signature(SignatureError::Equation)) }
    }

    /// The numbers of each contest of the ballot's group, in the order of the manifest.
    pub fn values(&self) -> &[Vec<u16>] {
        &self.values
    }
}

fn asked(contests: &Contests, group: u8) -> impl Iterator<Item = (u16, &ContestKind)> {
    contests.of_group(group).iter().map(|&at| (at, &contests.kinds()[usize::from(at)]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn an_open_ballot_is_read_back_and_no_bit_of_it_can_be_changed() {
        let score = ContestKind::Score { options: 3, highest: 5, min: 0, max: 9, blank: true };
        let one = ContestKind::One { options: 3 };
        let contests = vec![(one, vec![]), (score.clone(), vec![4]), (score, vec![5])];
        let contests = Contests::new(contests).expect("contests");
        let credential = Credential::from_seed(&[1; 32]);
        let fingerprint = Fingerprint([9; 32]);
        let choices = [Choice::One(2), Choice::Score(vec![5, 0, 3])];
        let place = (3, [7; 32]);
        let sealed = OpenBallot::cast(fingerprint, &contests, &credential, 4, place, &choices);
        let bytes = sealed.expect("a ballot").into_bytes();
        let read = |bytes: &[u8]| {
            let ballot = OpenBallot::parse(bytes, fingerprint, &contests)?;
            ballot.verify_signature().map(|()| ballot)
        };
        let ballot = read(&bytes).map_err(|error| error.code()).expect("valid");
        assert_eq!(ballot.values(), [vec![0, 0, 1], vec![5, 0, 3, 0]]);
        for place in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[place] ^= 1 << (place % 8);
            assert!(read(&changed).is_err(), "byte {place} may be changed");
        }
        assert!(read(&bytes[..bytes.len() - 1]).is_err());
    }

    #[test]
    fn an_invalid_answer_is_refused_although_it_is_signed() {
        let contests = Contests::new(vec![(ContestKind::One { options: 2 }, vec![])]);
        let contests = contests.expect("contests");
        let credential = Credential::from_seed(&[1; 32]);
        let fingerprint = Fingerprint([9; 32]);
        let (place, choice) = ((0, [0; 32]), [Choice::One(1)]);
        let sealed = OpenBallot::cast(fingerprint, &contests, &credential, 0, place, &choice);
        let mut bytes = sealed.expect("a ballot").into_bytes();
        bytes[HEADER_LEN + 1] = 1; // the first option, too
        bytes.truncate(bytes.len() - SIGNATURE_LEN);
        let signature = credential.sign(TAG, &bytes);
        bytes.extend_from_slice(&signature);
        let refused = OpenBallot::parse(bytes, fingerprint, &contests).err();
        assert_eq!(refused, Some(BallotError::Proof { contest: 0 }));
    }
}

//! Round 1: who takes part, and the hash of what they will deal.
//!
//! Body: signing key (32), encryption key (32), hash of the commitments (32).

use alloc::vec::Vec;

use curve25519_dalek::ristretto::RistrettoPoint;

use super::message::{self, Round};
use super::{CeremonyError, Fault, Parameters, TrusteeSecret};
use crate::encoding;
use crate::hash::Framed;
use crate::signature::PublicKey;

const BODY_LEN: usize = 32 + 32 + 32;

/// One trustee's announcement, signed by the key it names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    trustee: u16,
    signing: PublicKey,
    pub(crate) encryption: RistrettoPoint,
    commitments_hash: [u8; 32],
    bytes: Vec<u8>,
}

impl Announcement {
    /// Reads an announcement and checks its signature.
    ///
    /// # Errors
    /// When layout, ceremony, number, a key or the signature is wrong.
    pub fn parse(bytes: &[u8], parameters: &Parameters) -> Result<Self, CeremonyError> {
        let (trustee, mut reader) =
            message::open(bytes, Round::Announcement, parameters, BODY_LEN)?;
        let refused = |fault| CeremonyError::of(trustee, fault);
        let signing = PublicKey::from_bytes(&reader.array())
            .map_err(|error| refused(Fault::Signature(error)))?;
        let encryption = reader.proper_point().map_err(|error| refused(Fault::Encoding(error)))?;
        let commitments_hash = reader.array();
        message::verify(bytes, Round::Announcement, trustee, &signing)?;
        Ok(Self { trustee, signing, encryption, commitments_hash, bytes: bytes.to_vec() })
    }

    /// The trustee's number, from 1.
    pub fn trustee(&self) -> u16 {
        self.trustee
    }

    /// The key that signs this trustee's messages.
    pub fn signing_key(&self) -> PublicKey {
        self.signing
    }

    /// The canonical bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn commits_to(&self, parameters: &Parameters, commitments: &[u8]) -> bool {
        hash_commitments(parameters, self.trustee, commitments) == self.commitments_hash
    }
}

impl TrusteeSecret {
    /// The announcement of this secret as trustee number `trustee`.
    ///
    /// # Errors
    /// When the ceremony has no such number.
    pub fn announce(
        &self,
        parameters: &Parameters,
        trustee: u16,
    ) -> Result<Announcement, CeremonyError> {
        let mut commitments = Vec::new();
        for commitment in self.polynomial(parameters, trustee).commitments() {
            encoding::put_point(&mut commitments, &commitment);
        }
        let encryption = RistrettoPoint::mul_base(&self.encryption_secret(parameters));
        let signing = self.signing_key();
        let mut bytes = message::header(Round::Announcement, parameters, trustee);
        bytes.extend_from_slice(&signing.public().to_bytes());
        encoding::put_point(&mut bytes, &encryption);
        bytes.extend_from_slice(&hash_commitments(parameters, trustee, &commitments));
        Announcement::parse(&message::sign(bytes, Round::Announcement, &signing), parameters)
    }
}

fn hash_commitments(parameters: &Parameters, trustee: u16, commitments: &[u8]) -> [u8; 32] {
    Framed::new("quorate/ceremony/v1/commitments")
        .field(&parameters.ceremony_id())
        .u16(trustee)
        .field(commitments)
        .short()
}

/// Round 1 complete: one valid announcement of each trustee, all different.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcements {
    parameters: Parameters,
    all: Vec<Announcement>,
    digest: [u8; 32],
}

impl Announcements {
    /// Puts the announcements of all trustees together, given in any order.
    ///
    /// # Errors
    /// When one is missing or given twice, or two share a key or commitments.
    pub fn new(parameters: Parameters, mut all: Vec<Announcement>) -> Result<Self, CeremonyError> {
        all.sort_by_key(|one| one.trustee);
        if !all.iter().map(|one| one.trustee).eq(1..=parameters.trustees()) {
            return Err(CeremonyError::general(Fault::Missing));
        }
        for (place, one) in all.iter().enumerate() {
            let same = |other: &Announcement| {
                other.signing == one.signing
                    || other.encryption == one.encryption
                    || other.commitments_hash == one.commitments_hash
            };
            if all[..place].iter().any(same) {
                return Err(CeremonyError::of(one.trustee, Fault::Repeated));
            }
        }
        let head =
            Framed::new("quorate/ceremony/v1/announcements").field(&parameters.ceremony_id());
        let digest = all.iter().fold(head, |hash, one| hash.field(&one.bytes)).short();
        Ok(Self { parameters, all, digest })
    }

    /// Reads and puts together the announcements of all trustees.
    ///
    /// # Errors
    /// As [`Announcement::parse`] and [`Self::new`].
    pub fn parse<B: AsRef<[u8]>>(
        parameters: Parameters,
        messages: &[B],
    ) -> Result<Self, CeremonyError> {
        let parse = |bytes: &B| Announcement::parse(bytes.as_ref(), &parameters);
        Self::new(parameters, messages.iter().map(parse).collect::<Result<_, _>>()?)
    }

    /// The ceremony.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// The announcements by number.
    pub fn all(&self) -> &[Announcement] {
        &self.all
    }

    /// The hash of all announcements, which every dealing names.
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// The announcement of a trustee, whose number was checked.
    pub(crate) fn of(&self, trustee: u16) -> &Announcement {
        &self.all[usize::from(trustee) - 1]
    }
}

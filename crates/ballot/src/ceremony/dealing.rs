//! Round 2: the commitments, the proof of the constant term, and a share for each other trustee.
//!
//! Body: announcements' digest (32), commitments (`t` × 32), proof (64), ephemeral key (32), then
//! for each other trustee by number the encrypted share (48).

use alloc::vec::Vec;

use curve25519_dalek::ristretto::RistrettoPoint;

use super::message::{self, Round};
use super::share::{Channel, SEALED_LEN};
use super::{Announcements, CeremonyError, Fault, Parameters, TrusteeSecret};
use crate::encoding::{self, EncodingError, Reader};
use crate::hash::Framed;
use crate::proof::knowledge;

/// One trustee's dealing, checked as far as everyone can check it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dealing {
    trustee: u16,
    pub(crate) commitments: Vec<RistrettoPoint>,
    pub(crate) ephemeral: RistrettoPoint,
    shares: Vec<[u8; SEALED_LEN]>,
    bytes: Vec<u8>,
}

impl Dealing {
    /// Reads a dealing and checks it against the announcements.
    ///
    /// # Errors
    /// When layout, signature, commitments or the proof of the constant term is wrong.
    pub fn parse(bytes: &[u8], announcements: &Announcements) -> Result<Self, CeremonyError> {
        let parameters = announcements.parameters();
        let (trustee, mut reader) =
            message::open(bytes, Round::Dealing, parameters, body_len(parameters))?;
        let refused = |fault| CeremonyError::of(trustee, fault);
        let author = announcements.of(trustee);
        message::verify(bytes, Round::Dealing, trustee, &author.signing_key())?;
        if reader.array() != *announcements.digest() {
            return Err(refused(Fault::Transcript));
        }
        let raw = reader.take(usize::from(parameters.threshold()) * 32);
        if !author.commits_to(parameters, raw) {
            return Err(refused(Fault::Commitments));
        }
        let body = Body::read(raw, &mut reader, parameters);
        let Body { commitments, proof, ephemeral, shares } =
            body.map_err(|error| refused(Fault::Encoding(error)))?;
        if !proof.holds(knowledge_transcript(announcements, trustee), &commitments[0]) {
            return Err(refused(Fault::Knowledge));
        }
        Ok(Self { trustee, commitments, ephemeral, shares, bytes: bytes.to_vec() })
    }

    /// The dealer's number, from 1.
    pub fn trustee(&self) -> u16 {
        self.trustee
    }

    /// The canonical bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The encrypted share for another trustee.
    pub(crate) fn share_for(&self, recipient: u16) -> &[u8; SEALED_LEN] {
        assert_ne!(recipient, self.trustee, "a dealer keeps their own share");
        let skipped = if recipient > self.trustee { 2 } else { 1 };
        &self.shares[usize::from(recipient) - skipped]
    }

    pub(crate) fn channel<'a>(
        &'a self,
        announcements: &'a Announcements,
        recipient: u16,
    ) -> Channel<'a> {
        Channel {
            announcements,
            dealer: self.trustee,
            recipient,
            ephemeral: &self.ephemeral,
            commitments: &self.commitments,
        }
    }
}

/// The body behind the commitments' raw bytes, decoded.
struct Body {
    commitments: Vec<RistrettoPoint>,
    proof: knowledge::Proof,
    ephemeral: RistrettoPoint,
    shares: Vec<[u8; SEALED_LEN]>,
}

impl Body {
    fn read(
        raw: &[u8],
        reader: &mut Reader<'_>,
        parameters: &Parameters,
    ) -> Result<Self, EncodingError> {
        let mut points = Reader::exact(raw, usize::from(parameters.threshold()) * 32)?;
        let commitments =
            (0..parameters.threshold()).map(|_| points.proper_point()).collect::<Result<_, _>>()?;
        let proof = knowledge::Proof::read(reader)?;
        let ephemeral = reader.proper_point()?;
        let shares = (1..parameters.trustees()).map(|_| reader.array()).collect();
        Ok(Self { commitments, proof, ephemeral, shares })
    }
}

impl TrusteeSecret {
    /// The dealing of trustee number `trustee`; the same bytes each time for the same
    /// announcements.
    ///
    /// # Errors
    /// When this secret's own announcement is not among the announcements.
    pub fn deal(
        &self,
        announcements: &Announcements,
        trustee: u16,
    ) -> Result<Dealing, CeremonyError> {
        let parameters = announcements.parameters();
        if self.announce(parameters, trustee)? != *announcements.of(trustee) {
            return Err(CeremonyError::of(trustee, Fault::NotMine));
        }
        let polynomial = self.polynomial(parameters, trustee);
        let commitments = polynomial.commitments();
        let place: [&[u8]; 2] = [announcements.digest(), &trustee.to_le_bytes()];
        let mask = self.derive("quorate/trustee/v1/mask", &place);
        let transcript = knowledge_transcript(announcements, trustee);
        let proof = knowledge::Proof::new(transcript, polynomial.constant(), mask);
        let secret = self.derive("quorate/trustee/v1/ephemeral", &place);
        let ephemeral = RistrettoPoint::mul_base(&secret);

        let mut bytes = message::header(Round::Dealing, parameters, trustee);
        bytes.extend_from_slice(announcements.digest());
        commitments.iter().for_each(|one| encoding::put_point(&mut bytes, one));
        proof.put(&mut bytes);
        encoding::put_point(&mut bytes, &ephemeral);
        for recipient in (1..=parameters.trustees()).filter(|number| *number != trustee) {
            let channel = Channel {
                announcements,
                dealer: trustee,
                recipient,
                ephemeral: &ephemeral,
                commitments: &commitments,
            };
            let shared = announcements.of(recipient).encryption * *secret;
            bytes.extend_from_slice(&channel.seal(&shared, &polynomial.at(recipient)));
        }
        let bytes = message::sign(bytes, Round::Dealing, &self.signing_key());
        Dealing::parse(&bytes, announcements)
    }
}

fn body_len(parameters: &Parameters) -> usize {
    let shares = usize::from(parameters.trustees() - 1) * SEALED_LEN;
    32 + usize::from(parameters.threshold()) * 32 + knowledge::Proof::LEN + 32 + shares
}

fn knowledge_transcript(announcements: &Announcements, trustee: u16) -> Framed {
    Framed::new("quorate/ceremony/v1/constant-term").field(announcements.digest()).u16(trustee)
}

//! Round 3, the bad end: a trustee shows everyone that a share does not fit.
//!
//! Body: transcript hash (32), dealer (2), shared secret `K` (32), proof that `K` and the
//! complainer's encryption key have the same logarithm (96). With `K` anyone decrypts the share.
//! Only this one value of the dealer's polynomial becomes public, and the ceremony starts again.

use alloc::vec::Vec;

use curve25519_dalek::ristretto::RistrettoPoint;

use super::message::{self, Round};
use super::{CeremonyError, Dealing, Dealings, Fault, TrusteeSecret};
use crate::encoding::{self, EncodingError, Reader};
use crate::hash::Framed;
use crate::proof::equality;

const BODY_LEN: usize = 32 + 2 + 32 + equality::Proof::LEN;

/// Who is to blame after a complaint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The share does not fit: this dealer is to blame.
    Dealer(u16),
    /// The share fits: the complainer is to blame.
    Complainer(u16),
}

/// One trustee's proven complaint about a dealer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    trustee: u16,
    dealer: u16,
    shared: RistrettoPoint,
    bytes: Vec<u8>,
}

impl Complaint {
    /// Reads a complaint and checks that it shows the true shared secret.
    ///
    /// # Errors
    /// When layout, signature or proof is wrong, or it is about other dealings.
    pub fn parse(bytes: &[u8], dealings: &Dealings) -> Result<Self, CeremonyError> {
        let announcements = dealings.announcements();
        let parameters = announcements.parameters();
        let (trustee, mut reader) = message::open(bytes, Round::Complaint, parameters, BODY_LEN)?;
        let refused = |fault| CeremonyError::of(trustee, fault);
        let key = announcements.of(trustee).signing_key();
        message::verify(bytes, Round::Complaint, trustee, &key)?;
        if reader.array() != *dealings.transcript_hash() {
            return Err(refused(Fault::Transcript));
        }
        let dealer = reader.u16();
        if dealer == 0 || dealer > parameters.trustees() || dealer == trustee {
            return Err(refused(Fault::Number));
        }
        let (shared, proof) =
            read_secret(&mut reader).map_err(|error| refused(Fault::Encoding(error)))?;
        let statement = equality::Statement {
            image: &announcements.of(trustee).encryption,
            other_base: &dealings.of(dealer).ephemeral,
            other_image: &shared,
        };
        if !proof.holds(transcript(dealings, trustee, dealer), &statement) {
            return Err(refused(Fault::SharedSecret));
        }
        Ok(Self { trustee, dealer, shared, bytes: bytes.to_vec() })
    }

    /// The complainer's number, from 1.
    pub fn trustee(&self) -> u16 {
        self.trustee
    }

    /// The accused dealer's number, from 1.
    pub fn dealer(&self) -> u16 {
        self.dealer
    }

    /// The canonical bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Decrypts the share in question and says who is to blame.
    pub fn judge(&self, dealings: &Dealings) -> Verdict {
        let dealing = dealings.of(self.dealer);
        let channel = dealing.channel(dealings.announcements(), self.trustee);
        match channel.open(&self.shared, dealing.share_for(self.trustee)) {
            Some(_) => Verdict::Complainer(self.trustee),
            None => Verdict::Dealer(self.dealer),
        }
    }
}

fn read_secret(
    reader: &mut Reader<'_>,
) -> Result<(RistrettoPoint, equality::Proof), EncodingError> {
    Ok((reader.proper_point()?, equality::Proof::read(reader)?))
}

impl TrusteeSecret {
    pub(crate) fn complain(
        &self,
        dealings: &Dealings,
        dealing: &Dealing,
        trustee: u16,
    ) -> Result<Complaint, CeremonyError> {
        let announcements = dealings.announcements();
        let dealer = dealing.trustee();
        let secret = self.encryption_secret(announcements.parameters());
        let shared = dealing.ephemeral * *secret;
        let place: [&[u8]; 3] =
            [dealings.transcript_hash(), &trustee.to_le_bytes(), &dealer.to_le_bytes()];
        let mask = self.derive("quorate/trustee/v1/complaint", &place);
        let statement = equality::Statement {
            image: &announcements.of(trustee).encryption,
            other_base: &dealing.ephemeral,
            other_image: &shared,
        };
        let transcript = transcript(dealings, trustee, dealer);
        let proof = equality::Proof::new(transcript, &statement, &secret, mask);

        let mut bytes = message::header(Round::Complaint, announcements.parameters(), trustee);
        bytes.extend_from_slice(dealings.transcript_hash());
        bytes.extend_from_slice(&dealer.to_le_bytes());
        encoding::put_point(&mut bytes, &shared);
        proof.put(&mut bytes);
        let bytes = message::sign(bytes, Round::Complaint, &self.signing_key());
        Complaint::parse(&bytes, dealings)
    }
}

fn transcript(dealings: &Dealings, trustee: u16, dealer: u16) -> Framed {
    Framed::new("quorate/ceremony/v1/shared-secret")
        .field(dealings.transcript_hash())
        .u16(trustee)
        .u16(dealer)
}

//! Round 3, the good end: a signature over everything that was said.
//!
//! Body: transcript hash (32).

use alloc::vec::Vec;

use super::message::{self, Round};
use super::{CeremonyError, Dealings, Fault, TrusteeSecret};

/// One trustee's confirmation: "my own share fits, and these are the messages I saw".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Confirmation {
    trustee: u16,
    transcript: [u8; 32],
    bytes: Vec<u8>,
}

impl Confirmation {
    /// Reads a confirmation of these dealings.
    ///
    /// # Errors
    /// When layout or signature is wrong, or it confirms another transcript.
    pub fn parse(bytes: &[u8], dealings: &Dealings) -> Result<Self, CeremonyError> {
        let announcements = dealings.announcements();
        let (trustee, mut reader) =
            message::open(bytes, Round::Confirmation, announcements.parameters(), 32)?;
        let key = announcements.of(trustee).signing_key();
        message::verify(bytes, Round::Confirmation, trustee, &key)?;
        let transcript = reader.array();
        if transcript != *dealings.transcript_hash() {
            return Err(CeremonyError::of(trustee, Fault::Transcript));
        }
        Ok(Self { trustee, transcript, bytes: bytes.to_vec() })
    }

    /// The trustee's number, from 1.
    pub fn trustee(&self) -> u16 {
        self.trustee
    }

    /// What is confirmed.
    pub fn transcript_hash(&self) -> &[u8; 32] {
        &self.transcript
    }

    /// The canonical bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl TrusteeSecret {
    /// Confirms the dealings as trustee number `trustee`, after [`TrusteeSecret::receive`] gave a
    /// share.
    ///
    /// # Errors
    /// When this secret is not that trustee's.
    pub fn confirm(
        &self,
        dealings: &Dealings,
        trustee: u16,
    ) -> Result<Confirmation, CeremonyError> {
        let parameters = dealings.announcements().parameters();
        let mut bytes = message::header(Round::Confirmation, parameters, trustee);
        bytes.extend_from_slice(dealings.transcript_hash());
        let bytes = message::sign(bytes, Round::Confirmation, &self.signing_key());
        Confirmation::parse(&bytes, dealings)
    }
}

//! The frame of every message: version, round, ceremony, trustee in front; a signature behind.

use alloc::vec::Vec;

use super::{CeremonyError, Fault, Parameters};
use crate::encoding::Reader;
use crate::signature::{PublicKey, SIGNATURE_LEN, SigningKey};

const VERSION: u8 = 1;
/// Bytes before the body.
pub(crate) const HEADER_LEN: usize = 1 + 1 + 32 + 2;

/// Which message it is; the byte and the signature's tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Round {
    Announcement,
    Dealing,
    Confirmation,
    Complaint,
}

impl Round {
    fn byte(self) -> u8 {
        match self {
            Self::Announcement => 1,
            Self::Dealing => 2,
            Self::Confirmation => 3,
            Self::Complaint => 4,
        }
    }

    fn tag(self) -> &'static str {
        match self {
            Self::Announcement => "quorate/ceremony/v1/announcement",
            Self::Dealing => "quorate/ceremony/v1/dealing",
            Self::Confirmation => "quorate/ceremony/v1/confirmation",
            Self::Complaint => "quorate/ceremony/v1/complaint",
        }
    }
}

/// The bytes up to the body.
pub(crate) fn header(round: Round, parameters: &Parameters, trustee: u16) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend_from_slice(&[VERSION, round.byte()]);
    bytes.extend_from_slice(&parameters.ceremony_id());
    bytes.extend_from_slice(&trustee.to_le_bytes());
    bytes
}

/// Signs header and body, and appends the signature.
pub(crate) fn sign(mut bytes: Vec<u8>, round: Round, key: &SigningKey) -> Vec<u8> {
    let signature = key.sign(round.tag(), &bytes);
    bytes.extend_from_slice(&signature);
    bytes
}

/// Checks length, version, round and ceremony; gives the trustee's number and a reader that stands
/// before the body.
pub(crate) fn open<'a>(
    bytes: &'a [u8],
    round: Round,
    parameters: &Parameters,
    body_len: usize,
) -> Result<(u16, Reader<'a>), CeremonyError> {
    let expected = HEADER_LEN + body_len + SIGNATURE_LEN;
    let mut reader = Reader::exact(bytes, expected)
        .map_err(|_| CeremonyError::general(Fault::Length { expected, found: bytes.len() }))?;
    if (reader.u8(), reader.u8()) != (VERSION, round.byte()) {
        return Err(CeremonyError::general(Fault::Kind));
    }
    if reader.array() != parameters.ceremony_id() {
        return Err(CeremonyError::general(Fault::Ceremony));
    }
    let trustee = reader.u16();
    if trustee == 0 || trustee > parameters.trustees() {
        return Err(CeremonyError::general(Fault::Number));
    }
    Ok((trustee, reader))
}

/// Checks the signature behind the body.
pub(crate) fn verify(
    bytes: &[u8],
    round: Round,
    trustee: u16,
    key: &PublicKey,
) -> Result<(), CeremonyError> {
    let signed = bytes.split_last_chunk::<SIGNATURE_LEN>();
    let (message, signature) = signed.expect("the length was checked when it was opened");
    key.verify(round.tag(), message, signature)
        .map_err(|error| CeremonyError::of(trustee, Fault::Signature(error)))
}

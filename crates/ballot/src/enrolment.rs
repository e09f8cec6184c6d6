//! Enrolment: the voter's client makes the voter's code, and the issuer learns only the key.
//!
//! The issuer gives every voter a one-time **token**, which has the form of a [`Code`] but opens
//! nothing. The client draws a code of its own, derives the credential from it as always, and
//! sends the issuer a *request*:
//!
//! ```text
//! offset  length  field
//!      0       1  version = 1
//!      1      16  election id
//!     17      16  name of the token    HKDF(token, election id, "enrolment/v1/name")
//!     33      32  credential           the public key that is to stand in the roll
//!     65      32  code of authenticity HKDF(token, election id, "enrolment/v1/mac" ‖ credential)
//!     97      64  signature            by the credential over everything before
//! ```
//!
//! The token is not in it, nor can it be found from it: a token has 120 random bits. Whoever sees
//! or carries a request can therefore do nothing with it, so it may go by mail or in an address.
//! Only a holder of the token can make one (the third field binds the key to it), and only for a
//! key that the maker holds (the last one). That a token enrols once is the issuer's rule.

use alloc::vec::Vec;
use core::fmt;

use hkdf::Hkdf;
use sha2::Sha512;
use subtle::ConstantTimeEq;

use crate::code::Code;
use crate::credential::{Credential, CredentialPublicKey};
use crate::signature::{PublicKey, SIGNATURE_LEN};

/// The only version.
const VERSION: u8 = 1;
/// Bytes of a request.
pub const REQUEST_LEN: usize = 161;
const SIGNED_LEN: usize = REQUEST_LEN - SIGNATURE_LEN;
const TAG: &str = "quorate/enrolment/v1/request";
const BEGIN: &str = "-----BEGIN QUORATE ENROLMENT-----";
const END: &str = "-----END QUORATE ENROLMENT-----";
/// Bytes on a line of the text form.
const LINE_BYTES: usize = 32;
/// Longest text between the two lines that is looked at: a request with room for what mail adds.
const BLOCK_CHARS_MAX: usize = 4096;

/// Under which name requests speak of a token; tells nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TokenName(pub [u8; 16]);

impl TokenName {
    /// The name of a token in an election.
    pub fn of(token: &Code, election_id: &[u8; 16]) -> Self {
        Self(derived(token, election_id, &[b"enrolment/v1/name"]))
    }
}

fn derived<const N: usize>(token: &Code, election_id: &[u8; 16], info: &[&[u8]]) -> [u8; N] {
    let mut bytes = [0; N];
    Hkdf::<Sha512>::new(Some(election_id), token.as_bytes())
        .expand_multi_info(info, &mut bytes)
        .expect("32 bytes are less than HKDF's limit");
    bytes
}

fn mac(token: &Code, election_id: &[u8; 16], credential: &[u8; 32]) -> [u8; 32] {
    derived(token, election_id, &[b"enrolment/v1/mac", credential])
}

/// A request with exact layout, by somebody who holds the key that it names. Whether that is
/// somebody with a token, [`check`](Self::check) says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnrolmentRequest {
    bytes: [u8; REQUEST_LEN],
    credential: CredentialPublicKey,
}

/// Why a request is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EnrolmentError {
    /// Not the bytes or the text of a request.
    Layout,
    /// A version that is unknown here.
    Version(u8),
    /// Made for another election.
    Election,
    /// Not a usable key.
    Credential,
    /// Whoever made it does not hold the key.
    Signature,
    /// Whoever made it does not hold the token.
    Token,
}

impl EnrolmentError {
    /// The stable name of this refusal.
    pub fn code(self) -> &'static str {
        match self {
            Self::Layout => "enrolment-layout",
            Self::Version(_) => "enrolment-version",
            Self::Election => "enrolment-election",
            Self::Credential => "enrolment-credential",
            Self::Signature => "enrolment-signature",
            Self::Token => "enrolment-token",
        }
    }
}

impl fmt::Display for EnrolmentError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Layout => write!(f, "this is no enrolment: it has {REQUEST_LEN} bytes"),
            Self::Version(found) => write!(f, "enrolments of version {found} are unknown here"),
            Self::Election => f.write_str("the enrolment is for another election"),
            Self::Credential => f.write_str("the enrolment names no usable key"),
            Self::Signature => f.write_str("the enrolment is not signed by the key it names"),
            Self::Token => f.write_str("the enrolment was not made with a token of this election"),
        }
    }
}

impl core::error::Error for EnrolmentError {}

impl EnrolmentRequest {
    /// The request of a voter who holds `token`, for the key of `credential`.
    pub fn make(token: &Code, election_id: &[u8; 16], credential: &Credential) -> Self {
        let public = credential.public();
        let key = public.to_bytes();
        let mut bytes = [0; REQUEST_LEN];
        bytes[0] = VERSION;
        bytes[1..17].copy_from_slice(election_id);
        bytes[17..33].copy_from_slice(&TokenName::of(token, election_id).0);
        bytes[33..65].copy_from_slice(&key);
        bytes[65..97].copy_from_slice(&mac(token, election_id, &key));
        let signature = credential.sign(TAG, &bytes[..SIGNED_LEN]);
        bytes[SIGNED_LEN..].copy_from_slice(&signature);
        Self { bytes, credential: public }
    }

    /// Reads the bytes, for the election with this id.
    ///
    /// # Errors
    /// Everything but [`EnrolmentError::Token`].
    pub fn decode(bytes: &[u8], election_id: &[u8; 16]) -> Result<Self, EnrolmentError> {
        let bytes: [u8; REQUEST_LEN] = bytes.try_into().map_err(|_| EnrolmentError::Layout)?;
        if bytes[0] != VERSION {
            return Err(EnrolmentError::Version(bytes[0]));
        }
        if bytes[1..17] != election_id[..] {
            return Err(EnrolmentError::Election);
        }
        let (signed, signature) =
            bytes.split_last_chunk::<SIGNATURE_LEN>().ok_or(EnrolmentError::Layout)?;
        let mut key = [0; 32];
        key.copy_from_slice(&bytes[33..65]);
        let credential = PublicKey::from_bytes(&key).map_err(|_| EnrolmentError::Credential)?;
        credential.verify(TAG, signed, signature).map_err(|_| EnrolmentError::Signature)?;
        Ok(Self { bytes, credential })
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8; REQUEST_LEN] {
        &self.bytes
    }

    /// Whose token it speaks of.
    pub fn token_name(&self) -> TokenName {
        let mut name = [0; 16];
        name.copy_from_slice(&self.bytes[17..33]);
        TokenName(name)
    }

    /// The key that is to stand in the roll, after a check that the maker held the token.
    ///
    /// # Errors
    /// [`EnrolmentError::Token`].
    pub fn check(&self, token: &Code) -> Result<&CredentialPublicKey, EnrolmentError> {
        let mut election_id = [0; 16];
        election_id.copy_from_slice(&self.bytes[1..17]);
        let is_named = self.token_name() == TokenName::of(token, &election_id);
        let expected = mac(token, &election_id, &self.credential.to_bytes());
        let is_bound = bool::from(expected[..].ct_eq(&self.bytes[65..97]));
        if is_named && is_bound { Ok(&self.credential) } else { Err(EnrolmentError::Token) }
    }

    /// The texts between the lines that begin and end a request, wherever they stand in a letter
    /// or a whole mailbox, each as bytes or as what is wrong with it. Signs of quoting before a
    /// line do no harm.
    pub fn find(text: &str, election_id: &[u8; 16]) -> Vec<Result<Self, EnrolmentError>> {
        let mut found = Vec::new();
        let mut rest = text;
        while let Some((_, behind)) = rest.split_once(BEGIN) {
            let Some((block, next)) = behind.split_once(END) else {
                found.push(Err(EnrolmentError::Layout));
                break;
            };
            found.push(unhex(block).and_then(|bytes| Self::decode(&bytes, election_id)));
            rest = next;
        }
        found
    }
}

fn unhex(block: &str) -> Result<Vec<u8>, EnrolmentError> {
    if block.len() > BLOCK_CHARS_MAX {
        return Err(EnrolmentError::Layout);
    }
    let digits = block.chars().filter(|one| !one.is_whitespace() && *one != '>');
    let digits: Option<Vec<u32>> = digits.map(|one| one.to_digit(16)).collect();
    let digits = digits.filter(|digits| digits.len() % 2 == 0).ok_or(EnrolmentError::Layout)?;
    Ok(digits.chunks(2).map(|pair| (16 * pair[0] + pair[1]) as u8).collect())
}

impl fmt::Display for EnrolmentRequest {
    /// The text form, for a letter: hexadecimal between two lines that say what it is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{BEGIN}")?;
        for line in self.bytes.chunks(LINE_BYTES) {
            crate::write_hex(f, line)?;
            writeln!(f)?;
        }
        writeln!(f, "{END}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::{String, ToString};

    const ELECTION: [u8; 16] = [7; 16];

    fn example() -> (Code, EnrolmentRequest) {
        let token = Code::from_bytes([3; 15]);
        let credential = Credential::from_code(&Code::from_bytes([4; 15]), &ELECTION);
        let request = EnrolmentRequest::make(&token, &ELECTION, &credential);
        (token, request)
    }

    #[test]
    fn who_holds_token_and_key_enrols_the_key() {
        let (token, request) = example();
        let read = EnrolmentRequest::decode(request.as_bytes(), &ELECTION);
        assert_eq!(read.as_ref(), Ok(&request));
        let own = Credential::from_code(&Code::from_bytes([4; 15]), &ELECTION).public();
        assert_eq!(request.check(&token), Ok(&own));
        assert_eq!(request.token_name(), TokenName::of(&token, &ELECTION));
        let other = Code::from_bytes([5; 15]);
        assert_eq!(request.check(&other), Err(EnrolmentError::Token));
        let secrets = [token.as_bytes(), &[4; 15]];
        let hides = |secret: &[u8]| !request.as_bytes().windows(15).any(|part| part == secret);
        assert!(secrets.into_iter().all(|secret| hides(secret)));
    }

    #[test]
    fn nobody_puts_another_key_under_a_token() {
        let (token, request) = example();
        // A carrier signs its own key under the name and code of authenticity that it saw.
        let carrier = Credential::from_seed(&[9; 32]);
        let mut bytes = *request.as_bytes();
        bytes[33..65].copy_from_slice(&carrier.public().to_bytes());
        let signature = carrier.sign(TAG, &bytes[..SIGNED_LEN]);
        bytes[SIGNED_LEN..].copy_from_slice(&signature);
        let forged = EnrolmentRequest::decode(&bytes, &ELECTION).expect("signed by its key");
        assert_eq!(forged.check(&token), Err(EnrolmentError::Token));
    }

    #[test]
    fn every_changed_byte_is_refused() {
        let (token, request) = example();
        for at in 0..REQUEST_LEN {
            let mut bytes = *request.as_bytes();
            bytes[at] ^= 1;
            let read = EnrolmentRequest::decode(&bytes, &ELECTION);
            let judged = read.and_then(|read| read.check(&token).map(|_| ()));
            assert!(judged.is_err(), "byte {at}");
        }
        let bytes = request.as_bytes();
        let short = EnrolmentRequest::decode(&bytes[1..], &ELECTION);
        assert_eq!(short, Err(EnrolmentError::Layout));
        let elsewhere = EnrolmentRequest::decode(bytes, &[8; 16]);
        assert_eq!(elsewhere, Err(EnrolmentError::Election));
    }

    #[test]
    fn requests_are_found_in_letters() {
        let (_, request) = example();
        let text = request.to_string();
        let quoted: String = text.lines().map(|line| format!("> > {line}\r\n")).collect();
        let upper = text.to_uppercase();
        let letters = format!("Hello,\n{text}\nYours\n{quoted}{upper}");
        let found = EnrolmentRequest::find(&letters, &ELECTION);
        assert_eq!(found, [Ok(request.clone()), Ok(request.clone()), Ok(request)]);
        let find = |text: &str| EnrolmentRequest::find(text, &ELECTION);
        assert_eq!(find("nothing"), []);
        assert_eq!(find(&text[..200]), [Err(EnrolmentError::Layout)]);
        assert_eq!(find(&text.replacen('0', "x", 3)), [Err(EnrolmentError::Layout)]);
        let long = format!("{BEGIN}{}{END}", "00".repeat(BLOCK_CHARS_MAX));
        assert_eq!(find(&long), [Err(EnrolmentError::Layout)]);
    }
}

//! What a trustee keeps: one secret under a passphrase, and what it has signed and decrypted.
//!
//! Sealed content: `version 1 | secret 32 | election 16 | number u8 | attempt u32 BE | endorsed
//! fingerprint | decrypted statement`, the last two as `0` or `1` and 32 bytes. The seal keeps
//! others from reading it and from changing what it remembers.

use core::fmt;

use ballot::{
    Fingerprint,
    ceremony::TrusteeSecret,
    seal::{self, Cost, SealError},
};
use election::ElectionId;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

const VERSION: u8 = 1;
const FIXED_BYTES: usize = 1 + 32 + 16 + 1 + 4;

/// A trustee's memory for one election.
#[derive(Clone)]
pub struct SecretFile {
    /// Everything secret.
    pub secret: TrusteeSecret,
    /// Which election it is for.
    pub election: ElectionId,
    /// The trustee's number, from 1.
    pub trustee: u8,
    /// Attempt of the key ceremony, from 0.
    pub attempt: u32,
    /// The manifest that was endorsed.
    pub endorsed: Option<Fingerprint>,
    /// Digest of the tally statement that was decrypted.
    pub decrypted: Option<[u8; 32]>,
}

/// Why a secret file cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecretFileError {
    /// The seal does not open.
    Seal(SealError),
    /// What was sealed is no secret file of a known version.
    Content,
}

impl fmt::Display for SecretFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seal(error) => write!(f, "{error}"),
            Self::Content => f.write_str("the sealed secret is not a trustee's"),
        }
    }
}

impl std::error::Error for SecretFileError {}

impl SecretFile {
    /// A fresh secret.
    pub fn generate(
        election: ElectionId,
        trustee: u8,
        attempt: u32,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Self {
        let secret = TrusteeSecret::generate(rng);
        Self { secret, election, trustee, attempt, endorsed: None, decrypted: None }
    }

    /// The bytes of the file.
    ///
    /// # Errors
    /// When the cost is outside its bounds.
    pub fn seal(
        &self,
        passphrase: &str,
        cost: Cost,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Result<Vec<u8>, SealError> {
        seal::seal(&self.encode(), passphrase, cost, rng)
    }

    /// What is sealed.
    pub fn encode(&self) -> Zeroizing<Vec<u8>> {
        let mut content = Zeroizing::new(Vec::with_capacity(FIXED_BYTES + 2 * 33));
        content.push(VERSION);
        content.extend_from_slice(self.secret.as_bytes());
        content.extend_from_slice(&self.election.0);
        content.push(self.trustee);
        content.extend_from_slice(&self.attempt.to_be_bytes());
        for hash in [self.endorsed.map(|fingerprint| fingerprint.0), self.decrypted] {
            content.push(u8::from(hash.is_some()));
            content.extend_from_slice(hash.as_ref().map_or(&[], |hash| &hash[..]));
        }
        content
    }

    /// What was sealed; the one form that [`encode`](Self::encode) gives.
    ///
    /// # Errors
    /// When it is no secret file of a known version.
    pub fn decode(content: &[u8]) -> Result<Self, SecretFileError> {
        read(content).ok_or(SecretFileError::Content)
    }

    /// Opens the bytes of a file.
    ///
    /// # Errors
    /// When the passphrase does not open them, or they are no secret file.
    pub fn open(sealed: &[u8], passphrase: &str) -> Result<Self, SecretFileError> {
        let content = seal::open(sealed, passphrase).map_err(SecretFileError::Seal)?;
        Self::decode(&content)
    }
}

fn read(content: &[u8]) -> Option<SecretFile> {
    let (version, rest) = content.split_first()?;
    let (secret, rest) = rest.split_first_chunk::<32>()?;
    let (election, rest) = rest.split_first_chunk::<16>()?;
    let (trustee, rest) = rest.split_first()?;
    let (attempt, rest) = rest.split_first_chunk::<4>()?;
    let (endorsed, rest) = read_hash(rest)?;
    let (decrypted, rest) = read_hash(rest)?;
    (*version == VERSION && rest.is_empty()).then(|| SecretFile {
        secret: TrusteeSecret::from_bytes(*secret),
        election: ElectionId(*election),
        trustee: *trustee,
        attempt: u32::from_be_bytes(*attempt),
        endorsed: endorsed.map(Fingerprint),
        decrypted,
    })
}

fn read_hash(bytes: &[u8]) -> Option<(Option<[u8; 32]>, &[u8])> {
    match bytes.split_first()? {
        (0, rest) => Some((None, rest)),
        (1, rest) => rest.split_first_chunk::<32>().map(|(hash, rest)| (Some(*hash), rest)),
        _ => None,
    }
}

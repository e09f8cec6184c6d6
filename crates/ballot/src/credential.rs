//! A voter's credential: the Ed25519 key that signs their ballots.
//!
//! Code mode: the key is derived from a printed [`Code`] and the election's id, so nothing but the
//! code must be kept. (120 random bits need no slow hash.) Enrolment mode: the key is generated
//! where it is used and only its public half leaves.

use hkdf::Hkdf;
use rand_core::CryptoRng;
use sha2::Sha512;
use zeroize::Zeroizing;

use crate::code::Code;
use crate::signature::{PublicKey, SIGNATURE_LEN, SigningKey};

/// The public half of a credential, as it stands in the roll.
pub type CredentialPublicKey = PublicKey;

/// A voter's secret key; wiped when dropped, never printed.
#[derive(Clone)]
pub struct Credential(SigningKey);

impl Credential {
    /// The credential of a code in the election with this id:
    /// `HKDF-SHA512(ikm = code, salt = election id, info = "cred/v1")`, 32 bytes, as Ed25519 seed.
    pub fn from_code(code: &Code, election_id: &[u8; 16]) -> Self {
        let mut seed = Zeroizing::new([0; 32]);
        Hkdf::<Sha512>::new(Some(election_id), code.as_bytes())
            .expand(b"cred/v1", &mut seed[..])
            .expect("32 bytes are less than HKDF's limit");
        Self::from_seed(&seed)
    }

    /// The credential with this Ed25519 seed.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from_seed(seed))
    }

    /// A fresh credential that no code belongs to.
    pub fn generate(rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        Self(SigningKey::generate(rng))
    }

    /// The public half, for the roll.
    pub fn public(&self) -> CredentialPublicKey {
        self.0.public()
    }

    pub(crate) fn sign(&self, tag: &str, message: &[u8]) -> [u8; SIGNATURE_LEN] {
        self.0.sign(tag, message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_gives_another_key_in_each_election() {
        let code = Code::from_bytes([7; 15]);
        let here = Credential::from_code(&code, &[1; 16]).public();
        assert_eq!(here, Credential::from_code(&code, &[1; 16]).public());
        assert_ne!(here, Credential::from_code(&code, &[2; 16]).public());
        assert_ne!(here, Credential::from_code(&Code::from_bytes([8; 15]), &[1; 16]).public());
        assert_eq!(PublicKey::from_bytes(&here.to_bytes()), Ok(here));
    }
}

//! A secret under a passphrase: what a trustee keeps in a file.
//!
//! ```text
//! "QSEAL" ‖ version 1 ‖ memory KiB u32 ‖ passes u32 ‖ lanes u32 ‖ salt 16 ‖ nonce 12 ‖ sealed
//! ```
//!
//! The key is Argon2id (RFC 9106) of the passphrase with these costs; the rest is
//! ChaCha20-Poly1305 (RFC 8439) with everything before it as associated data. Salt and nonce are
//! fresh each time. Costs read from a file are bounded, so that a forged file cannot take the
//! machine's memory.

use alloc::vec::Vec;
use core::fmt;

use argon2::{Algorithm, Argon2, Params};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

const MAGIC: &[u8; 6] = b"QSEAL\x01";
const HEADER_LEN: usize = 6 + 12 + 16 + 12;
const TAG_LEN: usize = 16;

/// What guessing a passphrase costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// Memory in KiB, 8 to 1,048,576 and at least 8 for each lane.
    pub memory_kib: u32,
    /// Passes over the memory, 1 to 64.
    pub passes: u32,
    /// Lanes, 1 to 16.
    pub lanes: u32,
}

impl Cost {
    /// 64 MiB, three passes, four lanes (the second choice of RFC 9106, section 4).
    pub const DEFAULT: Self = Self { memory_kib: 65_536, passes: 3, lanes: 4 };

    fn is_allowed(&self) -> bool {
        (8..=1 << 20).contains(&self.memory_kib)
            && (1..=64).contains(&self.passes)
            && (1..=16).contains(&self.lanes)
            && self.memory_kib >= 8 * self.lanes
    }
}

/// Why a secret cannot be sealed or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealError {
    /// The bytes are no sealed secret of a known version.
    Format,
    /// The costs are outside their bounds.
    Cost,
    /// The passphrase is wrong, or the bytes were changed: these cannot be told apart.
    Passphrase,
}

impl SealError {
    /// The stable name of this refusal.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Format => "seal-format",
            Self::Cost => "seal-cost",
            Self::Passphrase => "seal-passphrase",
        }
    }
}

impl fmt::Display for SealError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Format => "this is not a sealed secret of a known version",
            Self::Cost => "the sealed secret asks for a passphrase cost outside the allowed bounds",
            Self::Passphrase => "the passphrase is wrong, or the sealed secret was changed",
        })
    }
}

impl core::error::Error for SealError {}

/// Seals a secret under a passphrase.
///
/// # Errors
/// When the cost is outside its bounds.
pub fn seal(
    secret: &[u8],
    passphrase: &str,
    cost: Cost,
    rng: &mut (impl CryptoRng + ?Sized),
) -> Result<Vec<u8>, SealError> {
    let mut bytes = Vec::with_capacity(HEADER_LEN + secret.len() + TAG_LEN);
    bytes.extend_from_slice(MAGIC);
    for number in [cost.memory_kib, cost.passes, cost.lanes] {
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    let mut fresh = [0; 28];
    rng.fill_bytes(&mut fresh);
    bytes.extend_from_slice(&fresh);
    let (cipher, nonce) = cipher(&bytes, passphrase)?;
    let payload = Payload { msg: secret, aad: &bytes };
    let sealed = cipher.encrypt(&nonce, payload).expect("secrets are far below 256 GiB");
    bytes.extend_from_slice(&sealed);
    Ok(bytes)
}

/// Opens a sealed secret.
///
/// # Errors
/// When the bytes are no sealed secret, or the passphrase does not open them.
pub fn open(sealed: &[u8], passphrase: &str) -> Result<Zeroizing<Vec<u8>>, SealError> {
    if sealed.len() < HEADER_LEN + TAG_LEN || !sealed.starts_with(MAGIC) {
        return Err(SealError::Format);
    }
    let (header, body) = sealed.split_at(HEADER_LEN);
    let (cipher, nonce) = cipher(header, passphrase)?;
    let opened = cipher.decrypt(&nonce, Payload { msg: body, aad: header });
    opened.map(Zeroizing::new).map_err(|_| SealError::Passphrase)
}

/// The cipher and nonce that a complete header asks for.
fn cipher(header: &[u8], passphrase: &str) -> Result<(ChaCha20Poly1305, Nonce), SealError> {
    let number = |at: usize| u32::from_le_bytes(core::array::from_fn(|place| header[at + place]));
    let cost = Cost { memory_kib: number(6), passes: number(10), lanes: number(14) };
    if !cost.is_allowed() {
        return Err(SealError::Cost);
    }
    let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(32))
        .map_err(|_| SealError::Cost)?;
    let mut key = Zeroizing::new([0; 32]);
    Argon2::new(Algorithm::Argon2id, argon2::Version::V0x13, params)
        .hash_password_into(passphrase.as_bytes(), &header[18..34], &mut key[..])
        .map_err(|_| SealError::Cost)?;
    let nonce: [u8; 12] = core::array::from_fn(|place| header[34 + place]);
    Ok((ChaCha20Poly1305::new(&Key::from(*key)), Nonce::from(nonce)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::TestRng;

    const CHEAP: Cost = Cost { memory_kib: 8, passes: 1, lanes: 1 };

    #[test]
    fn a_sealed_secret_opens_with_its_passphrase_only() {
        let mut rng = TestRng::new(1, "seal");
        let sealed = seal(b"secret", "correct horse", CHEAP, &mut rng).expect("sealed");
        assert_eq!(open(&sealed, "correct horse").expect("opens")[..], b"secret"[..]);
        assert_eq!(open(&sealed, "correct horsf"), Err(SealError::Passphrase));
        let again = seal(b"secret", "correct horse", CHEAP, &mut rng).expect("sealed");
        assert_ne!(sealed, again, "salt and nonce are fresh");
    }

    #[test]
    fn no_byte_can_be_changed() {
        let mut rng = TestRng::new(1, "seal");
        let sealed = seal(b"secret", "p", CHEAP, &mut rng).expect("sealed");
        for place in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[place] ^= 1;
            assert!(open(&changed, "p").is_err(), "byte {place}");
        }
        assert_eq!(open(&sealed[..HEADER_LEN], "p"), Err(SealError::Format));
    }

    #[test]
    fn a_file_cannot_ask_for_all_memory() {
        let mut rng = TestRng::new(1, "seal");
        let mut sealed = seal(b"secret", "p", CHEAP, &mut rng).expect("sealed");
        sealed[6..10].fill(0xff);
        assert_eq!(open(&sealed, "p"), Err(SealError::Cost));
        let none = Cost { passes: 0, ..CHEAP };
        assert_eq!(seal(b"s", "p", none, &mut rng), Err(SealError::Cost));
    }
}

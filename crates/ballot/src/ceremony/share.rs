//! How one value of a polynomial travels from dealer to recipient.
//!
//! `K = e·E_j` (dealer: ephemeral secret `e` and the recipient's key) `= e_j·E` (recipient). The
//! AEAD key is HKDF-SHA512 of `K` with the announcements' digest as salt and `info` as below; the
//! nonce is zero, since `E` and thereby the key is used for one dealing only.
//! `info = "quorate/ceremony/v1/share" ‖ dealer u16 ‖ recipient u16 ‖ E ‖ E_j ‖ commitments hash`,
//! also the associated data. 32 bytes of scalar become 48.

use alloc::vec::Vec;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use hkdf::Hkdf;
use sha2::Sha512;
use zeroize::Zeroizing;

use super::Announcements;
use super::trustee::commitment_at;
use crate::encoding;
use crate::hash::sha256;

/// Bytes of an encrypted share.
pub(crate) const SEALED_LEN: usize = 48;

/// Between whom, and in which dealing.
pub(crate) struct Channel<'a> {
    pub(crate) announcements: &'a Announcements,
    pub(crate) dealer: u16,
    pub(crate) recipient: u16,
    pub(crate) ephemeral: &'a RistrettoPoint,
    pub(crate) commitments: &'a [RistrettoPoint],
}

impl Channel<'_> {
    /// Encrypts a share under the shared secret.
    pub(crate) fn seal(&self, secret: &RistrettoPoint, share: &Scalar) -> [u8; SEALED_LEN] {
        let info = self.info();
        let payload = Payload { msg: share.as_bytes(), aad: &info };
        let sealed = self.cipher(secret, &info).encrypt(&Nonce::default(), payload);
        let sealed = sealed.expect("32 bytes are below the cipher's limit");
        sealed.try_into().expect("a share is 32 bytes and its tag 16")
    }

    /// Decrypts a share and checks it against the dealer's commitments; `None` when it does not
    /// decrypt or does not fit, and the dealer is to blame.
    pub(crate) fn open(
        &self,
        secret: &RistrettoPoint,
        sealed: &[u8; SEALED_LEN],
    ) -> Option<Zeroizing<Scalar>> {
        let info = self.info();
        let payload = Payload { msg: sealed, aad: &info };
        let opened = self.cipher(secret, &info).decrypt(&Nonce::default(), payload).ok()?;
        let opened = Zeroizing::new(opened);
        let share = Zeroizing::new(encoding::scalar(opened.first_chunk()?).ok()?);
        let expected = commitment_at(self.commitments, self.recipient);
        (RistrettoPoint::mul_base(&share) == expected).then_some(share)
    }

    fn cipher(&self, secret: &RistrettoPoint, info: &[u8]) -> ChaCha20Poly1305 {
        let input = Zeroizing::new(secret.compress().to_bytes());
        let mut key = Zeroizing::new([0; 32]);
        Hkdf::<Sha512>::new(Some(self.announcements.digest()), &input[..])
            .expand(info, &mut key[..])
            .expect("32 bytes are less than HKDF's limit");
        ChaCha20Poly1305::new(&Key::from(*key))
    }

    fn info(&self) -> Vec<u8> {
        let mut commitments = Vec::new();
        self.commitments.iter().for_each(|one| encoding::put_point(&mut commitments, one));
        let mut info = b"quorate/ceremony/v1/share".to_vec();
        info.extend_from_slice(&self.dealer.to_le_bytes());
        info.extend_from_slice(&self.recipient.to_le_bytes());
        encoding::put_point(&mut info, self.ephemeral);
        encoding::put_point(&mut info, &self.announcements.of(self.recipient).encryption);
        info.extend_from_slice(&sha256(&commitments));
        info
    }
}

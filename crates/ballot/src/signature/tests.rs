//! The exact rule at its edges: torsion, non-canonical encodings, S + ℓ.

use curve25519_dalek::constants::EIGHT_TORSION;
use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::scalar::Scalar;
use sha2::{Digest, Sha512};

use super::*;
use crate::tests::TestRng;

const TAG: &str = "test";

/// A signature whose `R` has a torsion component, made by someone who knows the secret scalar.
pub(crate) fn torsion_signature(
    tag: &str,
    secret: &Scalar,
    key: &[u8; 32],
    message: &[u8],
) -> [u8; 64] {
    let mask = Scalar::from(77_u8);
    let commitment = EdwardsPoint::mul_base(&mask) + EIGHT_TORSION[1];
    let commitment = commitment.compress().to_bytes();
    let hash = Sha512::new()
        .chain_update(commitment)
        .chain_update(key)
        .chain_update(framed_bytes(tag, message));
    let challenge = Scalar::from_bytes_mod_order_wide(&hash.finalize().into());
    let mut signature = [0; 64];
    signature[..32].copy_from_slice(&commitment);
    signature[32..].copy_from_slice((mask + challenge * secret).as_bytes());
    signature
}

/// A key with a torsion component, and a signature that its cofactored equation would accept.
pub(crate) fn mixed_key(tag: &str, message: &[u8]) -> ([u8; 32], [u8; 64]) {
    let secret = Scalar::from(9_u8);
    let key = (EdwardsPoint::mul_base(&secret) + EIGHT_TORSION[3]).compress().to_bytes();
    (key, torsion_signature(tag, &secret, &key, message))
}

/// Encodings that some decoders take.
pub(crate) fn non_canonical_points() -> [(&'static str, [u8; 32]); 3] {
    let mut p_plus_one = [0xff; 32];
    p_plus_one[0] = 0xee;
    p_plus_one[31] = 0x7f;
    let mut minus_zero = [0; 32];
    minus_zero[0] = 1;
    minus_zero[31] = 0x80;
    let mut other_minus_zero = [0xff; 32];
    other_minus_zero[0] = 0xec;
    [("y = p + 1", p_plus_one), ("y = 1, x = -0", minus_zero), ("y = -1, x = -0", other_minus_zero)]
}

/// `S + ℓ`, the same scalar in another encoding.
pub(crate) fn plus_order(signature: &[u8; 64]) -> [u8; 64] {
    let mut changed = *signature;
    let order_minus_one = (-Scalar::ONE).to_bytes();
    let mut carry = 1;
    for (byte, order) in changed[32..].iter_mut().zip(order_minus_one) {
        let sum = u16::from(*byte) + u16::from(order) + carry;
        *byte = sum as u8;
        carry = sum >> 8;
    }
    changed
}

#[test]
fn signatures_are_rfc_8032_and_bound_to_their_tag() {
    let key = SigningKey::from_seed(&[3; 32]);
    let signature = key.sign(TAG, b"message");
    assert_eq!(key.public().verify(TAG, b"message", &signature), Ok(()));
    let wrong = Err(SignatureError::Equation);
    assert_eq!(key.public().verify(TAG, b"massage", &signature), wrong);
    assert_eq!(key.public().verify("tset", b"message", &signature), wrong);
    let strict = ed25519_dalek::VerifyingKey::from_bytes(&key.public().to_bytes()).expect("a key");
    let signature = ed25519_dalek::Signature::from_bytes(&signature);
    assert!(strict.verify_strict(&framed_bytes(TAG, b"message"), &signature).is_ok());
}

#[test]
fn a_torsion_component_of_r_is_accepted_single_and_batched() {
    let secret = Scalar::from(12_345_u64);
    let point = EdwardsPoint::mul_base(&secret);
    let bytes = point.compress().to_bytes();
    let key = PublicKey::from_bytes(&bytes).expect("torsion-free");
    let signature = torsion_signature(TAG, &secret, &bytes, b"m");
    assert_eq!(key.verify(TAG, b"m", &signature), Ok(()));
    let mut rng = TestRng::new(1, "torsion");
    for _ in 0..16 {
        let parsed = Signature::parse(&signature).expect("canonical");
        let signed = Signed::new(TAG, b"m", &bytes, point, parsed);
        assert!(all_hold(&[signed], &mut rng));
    }
}

#[test]
fn s_plus_the_order_is_refused() {
    let key = SigningKey::from_seed(&[4; 32]);
    let signature = plus_order(&key.sign(TAG, b"m"));
    let refused = Err(SignatureError::ResponseEncoding);
    assert_eq!(key.public().verify(TAG, b"m", &signature), refused);
}

#[test]
fn non_canonical_points_are_refused() {
    for (_, bytes) in non_canonical_points() {
        assert!(decode(&bytes).is_none());
        assert_eq!(PublicKey::from_bytes(&bytes), Err(SignatureError::KeyEncoding));
        let mut signature = SigningKey::from_seed(&[4; 32]).sign(TAG, b"m");
        signature[..32].copy_from_slice(&bytes);
        let key = SigningKey::from_seed(&[4; 32]).public();
        let refused = Err(SignatureError::CommitmentEncoding);
        assert_eq!(key.verify(TAG, b"m", &signature), refused);
    }
}

#[test]
fn keys_with_torsion_are_refused() {
    for torsion in EIGHT_TORSION {
        let small = torsion.compress().to_bytes();
        assert_eq!(PublicKey::from_bytes(&small), Err(SignatureError::KeyTorsion));
    }
    let (mixed, _) = mixed_key(TAG, b"m");
    assert_eq!(PublicKey::from_bytes(&mixed), Err(SignatureError::KeyTorsion));
}

#[test]
fn many_keys_are_good_together_if_each_is() {
    let good = |at: usize| EdwardsPoint::mul_base(&Scalar::from(at as u64 + 1)).compress().0;
    for count in [0, 1, ENOUGH_KEYS - 1, ENOUGH_KEYS, ENOUGH_KEYS + 3] {
        let keys: alloc::vec::Vec<[u8; 32]> = (0..count).map(good).collect();
        assert!(PublicKey::are_all_good(&keys), "{count}");
        let (mixed, _) = mixed_key(TAG, b"m");
        let identity = EIGHT_TORSION[0].compress().0;
        for bad in [mixed, identity, non_canonical_points()[0].1] {
            for place in [0, count / 2, count.saturating_sub(1)] {
                let mut keys = keys.clone();
                keys.insert(place, bad);
                assert!(!PublicKey::are_all_good(&keys), "{place} of {count}");
            }
        }
    }
}

#[test]
fn every_accepted_encoding_is_the_one_that_is_written() {
    // Points with y near p and near 0 in both signs: what decodes must encode to the same bytes.
    for low in 0..=255_u8 {
        for (fill, top) in [(0xff, 0x7f), (0xff, 0xff), (0, 0), (0, 0x80)] {
            let mut bytes = [fill; 32];
            bytes[0] = low;
            bytes[31] = top;
            if let Some(point) = decode(&bytes) {
                assert_eq!(point.compress().to_bytes(), bytes);
            }
        }
    }
}

#[test]
fn claims_of_few_keys_hold_together_or_not_at_all() {
    let keys = [1, 2, 3].map(|seed| SigningKey::from_seed(&[seed; 32]));
    let message = |at: usize| [at as u8; 40];
    let claim = |at: usize, signed: usize| {
        let key = &keys[at % 3];
        Claim::new(key.public(), TAG, &message(at), &key.sign(TAG, &message(signed)))
    };
    let mut rng = TestRng::new(5, "claims");
    assert!(verify_batch(&[], &mut rng));
    for count in [1, 2, 7, 40] {
        let all = |wrong: usize| -> alloc::vec::Vec<Claim> {
            (0..count).map(|at| claim(at, if at == wrong { 200 } else { at })).collect()
        };
        assert!(verify_batch(&all(usize::MAX), &mut rng), "{count}");
        for wrong in 0..count {
            assert!(!verify_batch(&all(wrong), &mut rng), "{wrong} of {count}");
        }
    }
    // Errors that would cancel each other without weights, and halves that are not canonical.
    let (one, two) = (claim(0, 0), claim(3, 3));
    let swap = |claim: Claim, by: Scalar| {
        let mut signed = claim.signed.expect("canonical");
        signed.signature.response += by;
        Claim { signed: Some(signed), ..claim }
    };
    let pair = [swap(one, Scalar::ONE), swap(two, -Scalar::ONE)];
    assert!(!verify_batch(&pair, &mut rng));
    let key = &keys[0];
    let changed = plus_order(&key.sign(TAG, b"m"));
    assert!(!verify_batch(&[Claim::new(key.public(), TAG, b"m", &changed)], &mut rng));
    // The cofactor: what holds alone holds together.
    let secret = Scalar::from(12_345_u64);
    let bytes = EdwardsPoint::mul_base(&secret).compress().to_bytes();
    let torsion = torsion_signature(TAG, &secret, &bytes, b"m");
    let key = PublicKey::from_bytes(&bytes).expect("torsion-free");
    assert!(verify_batch(&[Claim::new(key, TAG, b"m", &torsion), claim(1, 1)], &mut rng));
}

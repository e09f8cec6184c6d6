//! The Ed25519 key of an authority: its text form (a C2SP verifier key of type 0x04) and its
//! timestamped cosignatures (C2SP tlog-cosignature, `cosignature/v1`).
//!
//! Signatures are checked as RFC 8032 does without the cofactor, and strictly: canonical R and S,
//! no key of small order. An authority signs other messages with the same key too; those start with
//! the length of a tag, never with `cosignature/v1`, so no signature fits another use.

use core::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

use crate::checkpoint::Checkpoint;

/// Type byte of a timestamped Ed25519 cosignature.
const COSIGNATURE_TYPE: u8 = 0x04;
/// Longest key name.
const NAME_BYTES_MAX: usize = 128;

/// An authority as others know it: name and public key.
#[derive(Clone, PartialEq, Eq)]
pub struct AuthorityKey {
    name: String,
    public: VerifyingKey,
}

/// Why a text or a pair of name and bytes is not an authority's key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// The name is empty, too long, or has spaces, control characters or a plus sign.
    Name,
    /// Not `name+8 hex digits+base64`.
    Layout,
    /// The algorithm is not 0x04, timestamped Ed25519 cosignatures.
    Algorithm,
    /// The 32 bytes are no canonical Ed25519 key, or one of small order.
    Point,
    /// The key id in the text is not the hash of name and key.
    Id,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Name => "the key's name must be 1 to 128 characters without spaces or +",
            Self::Layout => "expected a key like name+0a1b2c3d+base64",
            Self::Algorithm => "expected a key for Ed25519 cosignatures (type 4)",
            Self::Point => "the key is not a usable Ed25519 public key",
            Self::Id => "the key's id does not belong to its name and key: one was changed",
        })
    }
}

impl std::error::Error for KeyError {}

/// A cosignature: when it was made, and the signature over that time and the checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cosignature {
    /// Seconds since 1970, at most 2^63 - 1. Information, never an order.
    pub unix_seconds: u64,
    /// Ed25519 signature.
    pub signature: [u8; 64],
}

impl Cosignature {
    /// Time as eight bytes big-endian, then the signature.
    pub fn to_bytes(&self) -> [u8; 72] {
        let mut bytes = [0; 72];
        bytes[..8].copy_from_slice(&self.unix_seconds.to_be_bytes());
        bytes[8..].copy_from_slice(&self.signature);
        bytes
    }

    /// The reverse; `None` for another length or a time above 2^63 - 1.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (time, signature) = bytes.split_first_chunk::<8>()?;
        let unix_seconds = u64::from_be_bytes(*time);
        let bounded = i64::try_from(unix_seconds).is_ok();
        bounded.then_some(Self { unix_seconds, signature: signature.try_into().ok()? })
    }
}

impl AuthorityKey {
    /// A key by name and 32 bytes.
    ///
    /// # Errors
    /// When the name is not printable, or the bytes are not a canonical key of large order.
    pub fn new(name: &str, public: &[u8; 32]) -> Result<Self, KeyError> {
        if !is_key_name(name) {
            return Err(KeyError::Name);
        }
        let key = VerifyingKey::from_bytes(public).map_err(|_| KeyError::Point)?;
        let canonical = key.to_edwards().compress().to_bytes() == *public;
        if key.is_weak() || !canonical {
            return Err(KeyError::Point);
        }
        Ok(Self { name: name.to_owned(), public: key })
    }

    /// Its name, like `node-1.vote.example`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The 32 bytes of the public key.
    pub fn public(&self) -> &[u8; 32] {
        self.public.as_bytes()
    }

    /// First four bytes of SHA-256(name ‖ newline ‖ 0x04 ‖ key).
    pub fn id(&self) -> [u8; 4] {
        let hash = Sha256::new()
            .chain_update(self.name.as_bytes())
            .chain_update([b'\n', COSIGNATURE_TYPE])
            .chain_update(self.public.as_bytes())
            .finalize();
        [hash[0], hash[1], hash[2], hash[3]]
    }

    /// Parses the text form; accepts only what `Display` prints.
    ///
    /// # Errors
    /// Says which part is wrong.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let mut parts = text.splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(KeyError::Layout);
        };
        let bytes = STANDARD.decode(key).map_err(|_| KeyError::Layout)?;
        let (algorithm, public) = bytes.split_first().ok_or(KeyError::Layout)?;
        if *algorithm != COSIGNATURE_TYPE {
            return Err(KeyError::Algorithm);
        }
        let key = Self::new(name, public.try_into().map_err(|_| KeyError::Point)?)?;
        if hex::encode(key.id()) == id { Ok(key) } else { Err(KeyError::Id) }
    }

    /// Whether the cosignature is this key's over this checkpoint.
    #[must_use]
    pub fn verify_cosignature(&self, checkpoint: &Checkpoint, cosignature: &Cosignature) -> bool {
        let message = cosigned_message(checkpoint, cosignature.unix_seconds);
        let signature = Signature::from_bytes(&cosignature.signature);
        self.public.verify_strict(message.as_bytes(), &signature).is_ok()
    }
}

impl fmt::Display for AuthorityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = [&[COSIGNATURE_TYPE], self.public.as_bytes().as_slice()].concat();
        write!(f, "{}+{}+{}", self.name, hex::encode(self.id()), STANDARD.encode(key))
    }
}

impl fmt::Debug for AuthorityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An authority as itself: the secret key under its name. Never printed, wiped on drop.
pub struct AuthoritySigner {
    key: AuthorityKey,
    secret: SigningKey,
}

impl AuthoritySigner {
    /// The signer of an RFC 8032 seed.
    ///
    /// # Errors
    /// When the name is not printable.
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Result<Self, KeyError> {
        let secret = SigningKey::from_bytes(seed);
        Ok(Self { key: AuthorityKey::new(name, secret.verifying_key().as_bytes())?, secret })
    }

    /// The public side.
    pub fn key(&self) -> &AuthorityKey {
        &self.key
    }

    /// Cosigns a checkpoint.
    ///
    /// # Panics
    /// When the time does not fit 63 bits.
    pub fn cosign(&self, checkpoint: &Checkpoint, unix_seconds: u64) -> Cosignature {
        assert!(i64::try_from(unix_seconds).is_ok(), "time {unix_seconds} does not fit 63 bits");
        let message = cosigned_message(checkpoint, unix_seconds);
        Cosignature { unix_seconds, signature: self.secret.sign(message.as_bytes()).to_bytes() }
    }
}

impl fmt::Debug for AuthoritySigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AuthoritySigner({})", self.key)
    }
}

fn cosigned_message(checkpoint: &Checkpoint, unix_seconds: u64) -> String {
    format!("cosignature/v1\ntime {unix_seconds}\n{checkpoint}")
}

/// Whether a text may name a key: printable, no spaces, no plus sign.
pub(crate) fn is_key_name(text: &str) -> bool {
    text.len() <= NAME_BYTES_MAX && crate::checkpoint::is_origin(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hash::Hash;

    fn signer() -> AuthoritySigner {
        AuthoritySigner::from_seed("node-1.vote.example", &[7; 32]).unwrap()
    }

    #[test]
    fn a_key_has_one_text() {
        let text = signer().key().to_string();
        assert_eq!(AuthorityKey::parse(&text).unwrap(), *signer().key());
        let check = |from: &str, to: &str, expected: KeyError| {
            let other = text.replacen(from, to, 1);
            assert_eq!(AuthorityKey::parse(&other), Err(expected), "{other}");
        };
        check("node-1", "node-2", KeyError::Id);
        check("node-1", "node 1", KeyError::Name);
        check("node-1.vote.example", "", KeyError::Name);
        check("+B", "+C", KeyError::Algorithm);
        check("+", "-", KeyError::Layout);
        assert_eq!(AuthorityKey::parse(&text[..text.len() - 4]), Err(KeyError::Point));
        assert_eq!(AuthorityKey::parse(&format!("{text} ")), Err(KeyError::Layout));
        let id = hex::encode(signer().key().id());
        check(&id, &id.to_uppercase(), KeyError::Id);
    }

    #[test]
    fn keys_of_small_order_and_second_encodings_are_refused() {
        let mut identity = [0; 32];
        identity[0] = 1;
        assert_eq!(AuthorityKey::new("a", &identity), Err(KeyError::Point));
        let mut order_four = [0; 32];
        assert_eq!(AuthorityKey::new("a", &order_four), Err(KeyError::Point));
        // y = p + 3 is a second way to write y = 3.
        order_four = [0xff; 32];
        (order_four[0], order_four[31]) = (0xf0, 0x7f);
        assert_eq!(AuthorityKey::new("a", &order_four), Err(KeyError::Point));
    }

    #[test]
    fn a_cosignature_binds_time_and_each_line() {
        let signer = signer();
        let checkpoint =
            Checkpoint { origin: "vote.example/e/1".into(), size: 3, root: Hash([9; 32]) };
        let cosignature = signer.cosign(&checkpoint, 1_790_000_000);
        let valid = |checkpoint: &Checkpoint, cosignature: &Cosignature| {
            signer.key().verify_cosignature(checkpoint, cosignature)
        };
        assert!(valid(&checkpoint, &cosignature));
        assert!(!valid(&Checkpoint { size: 4, ..checkpoint.clone() }, &cosignature));
        assert!(!valid(&Checkpoint { root: Hash([8; 32]), ..checkpoint.clone() }, &cosignature));
        let other = Checkpoint { origin: "vote.example/e/2".into(), ..checkpoint.clone() };
        assert!(!valid(&other, &cosignature));
        let later = Cosignature { unix_seconds: 1_790_000_001, ..cosignature };
        assert!(!valid(&checkpoint, &later));
        for bit in 0..512 {
            let mut damaged = cosignature;
            damaged.signature[bit / 8] ^= 1 << (bit % 8);
            assert!(!valid(&checkpoint, &damaged), "bit {bit}");
        }
        assert_eq!(Cosignature::from_bytes(&cosignature.to_bytes()), Some(cosignature));
        assert_eq!(Cosignature::from_bytes(&[0xff; 72]), None);
        assert_eq!(Cosignature::from_bytes(&[0; 71]), None);
    }
}

//! A ledger entry: what one authority put into the public record, signed by it.
//!
//! ```text
//! offset  length  field
//!      0       1  version = 1
//!      1       1  kind
//!      2       4  stamp: minutes since 1970 UTC, u32 big-endian
//!      6       1  appender: number of the authority that appended it
//!      7          body, by kind
//! last        64  the appender's signature over election id ‖ everything before
//! ```
//!
//! The stamp is information, never an order; the signature makes whoever wrote it answer for it,
//! and lets a verifier name a changed entry. Bodies:
//!
//! ```text
//! 1 manifest     manifest bytes ‖ the administrator's signature
//! 2 roll chunk   number, count, voters
//! 3 ceremony     a trustee's message of the key ceremony
//! 4 endorsement  1 trustee or 2 authority ‖ number ‖ signature
//! 5 open         the administrator's signature
//! 6 ballot       the ballot's bytes
//! 7 close        the administrator's signature
//! 8 share        number of the trustee ‖ decryption share
//! 9 result       counts
//! 10 … 15        an order of the administrator (`order`)
//! 30 new key     an authority's new key, signed by a quorum (`succession`)
//! ```

use ballot::signature::{Claim, PublicKey, SigningKey};

use crate::{
    id::ElectionId,
    manifest::Endorser,
    order::SignedOrder,
    wire::{DecodeError, Reader},
};

/// The only version.
pub const VERSION: u8 = 1;
/// Longest entry: a bundle gives its length as a u16.
pub const ENTRY_BYTES_MAX: usize = ledger::ENTRY_BYTES_MAX;
/// Bytes before the body.
pub const HEADER_BYTES: usize = 7;
/// Bytes after the body.
pub const SIGNATURE_BYTES: usize = 64;
/// Longest body.
pub const BODY_BYTES_MAX: usize = ENTRY_BYTES_MAX - HEADER_BYTES - SIGNATURE_BYTES;
const TAG: &str = "quorate/entry/v1";

/// What an entry says, borrowed from its bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body<'a> {
    /// The manifest and the administrator's signature on its fingerprint.
    Manifest {
        /// Canonical bytes.
        manifest: &'a [u8],
        /// Signature.
        signature: [u8; 64],
    },
    /// A chunk of the roll.
    RollChunk(&'a [u8]),
    /// A message of the key ceremony.
    Ceremony(&'a [u8]),
    /// A signature on the manifest's fingerprint.
    Endorsement {
        /// Whose.
        endorser: Endorser,
        /// Signature.
        signature: [u8; 64],
    },
    /// Ballots are taken from here on.
    Open {
        /// The administrator's signature.
        signature: [u8; 64],
    },
    /// A ballot.
    Ballot(&'a [u8]),
    /// No ballot is taken from here on.
    Close {
        /// The administrator's signature.
        signature: [u8; 64],
    },
    /// A trustee's decryption share.
    Share {
        /// Number of the trustee, from 1.
        trustee: u8,
        /// The share's bytes.
        share: &'a [u8],
    },
    /// The counts.
    Result(&'a [u8]),
    /// An order of the administrator.
    Order(SignedOrder),
    /// An authority's new key, see [`crate::succession`].
    AuthorityKey(&'a [u8]),
}

/// What kind of entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// See [`Body::Manifest`].
    Manifest = 1,
    /// See [`Body::RollChunk`].
    RollChunk = 2,
    /// See [`Body::Ceremony`].
    Ceremony = 3,
    /// See [`Body::Endorsement`].
    Endorsement = 4,
    /// See [`Body::Open`].
    Open = 5,
    /// See [`Body::Ballot`].
    Ballot = 6,
    /// See [`Body::Close`].
    Close = 7,
    /// See [`Body::Share`].
    Share = 8,
    /// See [`Body::Result`].
    Result = 9,
    /// See [`Order::Pause`](crate::order::Order::Pause).
    Pause = 10,
    /// See [`Order::Resume`](crate::order::Order::Resume).
    Resume = 11,
    /// See [`Order::Extend`](crate::order::Order::Extend).
    Extension = 12,
    /// See [`Order::Reset`](crate::order::Order::Reset).
    Reset = 13,
    /// See [`Order::Add`](crate::order::Order::Add).
    RollChange = 14,
    /// See [`Order::MarkPaper`](crate::order::Order::MarkPaper).
    PaperMark = 15,
    /// See [`Body::AuthorityKey`].
    AuthorityKey = 30,
}

impl Kind {
    const ALL: [Self; 16] = [
        Self::Manifest,
        Self::RollChunk,
        Self::Ceremony,
        Self::Endorsement,
        Self::Open,
        Self::Ballot,
        Self::Close,
        Self::Share,
        Self::Result,
        Self::Pause,
        Self::Resume,
        Self::Extension,
        Self::Reset,
        Self::RollChange,
        Self::PaperMark,
        Self::AuthorityKey,
    ];

    /// The kind with this byte.
    pub fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|known| *known as u8 == byte)
    }

    /// Its name in sentences.
    pub fn name(self) -> &'static str {
        match self {
            Self::Manifest => "manifest",
            Self::RollChunk => "roll chunk",
            Self::Ceremony => "ceremony message",
            Self::Endorsement => "endorsement",
            Self::Open => "opening",
            Self::Ballot => "ballot",
            Self::Close => "closing",
            Self::Share => "decryption share",
            Self::Result => "result",
            Self::Pause => "pause",
            Self::Resume => "resumption",
            Self::Extension => "extension",
            Self::Reset => "reset",
            Self::RollChange => "change of the roll",
            Self::PaperMark => "paper mark",
            Self::AuthorityKey => "authority's new key",
        }
    }
}

impl Body<'_> {
    /// The kind of this body.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Manifest { .. } => Kind::Manifest,
            Self::RollChunk(_) => Kind::RollChunk,
            Self::Ceremony(_) => Kind::Ceremony,
            Self::Endorsement { .. } => Kind::Endorsement,
            Self::Open { .. } => Kind::Open,
            Self::Ballot(_) => Kind::Ballot,
            Self::Close { .. } => Kind::Close,
            Self::Share { .. } => Kind::Share,
            Self::Result(_) => Kind::Result,
            Self::Order(order) => order.order.kind(),
            Self::AuthorityKey(_) => Kind::AuthorityKey,
        }
    }

    fn put(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Manifest { manifest, signature } => {
                bytes.extend_from_slice(manifest);
                bytes.extend_from_slice(signature);
            }
            Self::RollChunk(body)
            | Self::Ceremony(body)
            | Self::Ballot(body)
            | Self::Result(body)
            | Self::AuthorityKey(body) => bytes.extend_from_slice(body),
            Self::Endorsement { endorser, signature } => {
                bytes.extend_from_slice(&match endorser {
                    Endorser::Trustee(index) => [1, *index],
                    Endorser::Authority(index) => [2, *index],
                });
                bytes.extend_from_slice(signature);
            }
            Self::Order(order) => order.put(bytes),
            Self::Open { signature } | Self::Close { signature } => {
                bytes.extend_from_slice(signature);
            }
            Self::Share { trustee, share } => {
                bytes.push(*trustee);
                bytes.extend_from_slice(share);
            }
        }
    }
}

/// An entry with exact layout. That its appender exists and signed it is checked by the fold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Minutes since 1970 UTC.
    pub stamp: u32,
    /// Number of the authority that appended it.
    pub appender: u8,
    /// What it says.
    pub body: Body<'a>,
    /// The appender's signature.
    pub signature: [u8; 64],
    signed: &'a [u8],
}

impl<'a> Entry<'a> {
    /// Reads an entry.
    ///
    /// # Errors
    /// Field and offset of what is wrong; entries longer than [`ENTRY_BYTES_MAX`] are wrong too.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let too_long = Reader::new("entry", bytes).wrong("length", "is more than 65535 bytes");
        if bytes.len() > ENTRY_BYTES_MAX {
            return Err(too_long);
        }
        let Some((signed, signature)) = bytes.split_last_chunk::<SIGNATURE_BYTES>() else {
            return Err(Reader::new("entry", bytes).wrong("signature", "the bytes end inside it"));
        };
        let mut reader = Reader::new("entry", signed);
        if reader.u8("version")? != VERSION {
            return Err(reader.wrong("version", "must be 1"));
        }
        let kind = reader.u8("kind")?;
        let kind = Kind::from_byte(kind);
        let kind = kind.ok_or_else(|| reader.wrong("kind", "must be 1 to 15, or 30"))?;
        let stamp = reader.u32("stamp")?;
        let appender = reader.u8("appender")?;
        let body = read_body(kind, &mut reader)?;
        reader.finish()?;
        Ok(Self { stamp, appender, body, signature: *signature, signed })
    }

    /// That the signature is by this key for this election, to be verified with others.
    pub(crate) fn claim(&self, key: PublicKey, election: ElectionId) -> Claim {
        Claim::new(key, TAG, &message(election, self.signed), &self.signature)
    }

    /// Whether the signature is by this key for this election.
    #[must_use]
    pub fn is_signed_by(&self, key: &PublicKey, election: ElectionId) -> bool {
        key.verify(TAG, &message(election, self.signed), &self.signature).is_ok()
    }
}

/// What an appender signs of an entry whose bytes before the signature are `signed`.
fn message(election: ElectionId, signed: &[u8]) -> Vec<u8> {
    [&election.0, signed].concat()
}

fn read_body<'a>(kind: Kind, reader: &mut Reader<'a>) -> Result<Body<'a>, DecodeError> {
    Ok(match kind {
        Kind::Manifest => {
            let body = reader.rest();
            let short = reader.wrong("manifest", "the bytes end inside it");
            let (manifest, signature) = body.split_last_chunk::<64>().ok_or(short)?;
            Body::Manifest { manifest, signature: *signature }
        }
        Kind::RollChunk => Body::RollChunk(reader.rest()),
        Kind::Ceremony => Body::Ceremony(reader.rest()),
        Kind::Ballot => Body::Ballot(reader.rest()),
        Kind::Result => Body::Result(reader.rest()),
        Kind::AuthorityKey => Body::AuthorityKey(reader.rest()),
        Kind::Pause
        | Kind::Resume
        | Kind::Extension
        | Kind::Reset
        | Kind::RollChange
        | Kind::PaperMark => Body::Order(SignedOrder::read(kind, reader)?),
        Kind::Open => Body::Open { signature: reader.array("opening signature")? },
        Kind::Close => Body::Close { signature: reader.array("closing signature")? },
        Kind::Endorsement => {
            let role = reader.u8("endorser's role")?;
            let wrong = reader.wrong("endorser's role", "must be 1 (trustee) or 2 (authority)");
            let index = reader.u8("endorser's number")?;
            let endorser = match role {
                1 => Endorser::Trustee(index),
                2 => Endorser::Authority(index),
                _ => return Err(wrong),
            };
            Body::Endorsement { endorser, signature: reader.array("endorsement")? }
        }
        Kind::Share => {
            Body::Share { trustee: reader.u8("trustee's number")?, share: reader.rest() }
        }
    })
}

/// Who appends: an authority's number and key.
#[derive(Clone)]
pub struct Appender {
    /// Number of the authority.
    pub index: u8,
    /// Its key.
    pub key: SigningKey,
}

impl Appender {
    /// The signed bytes of an entry.
    ///
    /// # Errors
    /// [`TooLarge`] when the body does not fit an entry.
    pub fn seal(
        &self,
        election: ElectionId,
        stamp: u32,
        body: &Body<'_>,
    ) -> Result<Vec<u8>, TooLarge> {
        let mut bytes = vec![VERSION, body.kind() as u8];
        bytes.extend_from_slice(&stamp.to_be_bytes());
        bytes.push(self.index);
        body.put(&mut bytes);
        if bytes.len() + SIGNATURE_BYTES > ENTRY_BYTES_MAX {
            return Err(TooLarge { bytes: bytes.len() + SIGNATURE_BYTES });
        }
        let signature = self.key.sign(TAG, &message(election, &bytes));
        bytes.extend_from_slice(&signature);
        Ok(bytes)
    }
}

/// An entry would not fit a bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooLarge {
    /// Bytes it would have.
    pub bytes: usize,
}

impl core::fmt::Display for TooLarge {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "the entry would have {} bytes, more than {ENTRY_BYTES_MAX}", self.bytes)
    }
}

impl std::error::Error for TooLarge {}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: ElectionId = ElectionId([5; 16]);

    fn appender() -> Appender {
        Appender { index: 2, key: SigningKey::from_seed(&[9; 32]) }
    }

    #[test]
    fn every_kind_is_read_back() {
        let signature = [7; 64];
        let bodies = [
            Body::Manifest { manifest: b"manifest", signature },
            Body::RollChunk(b"chunk"),
            Body::Ceremony(b"message"),
            Body::Endorsement { endorser: Endorser::Trustee(3), signature },
            Body::Endorsement { endorser: Endorser::Authority(1), signature },
            Body::Open { signature },
            Body::Ballot(b"ballot"),
            Body::Close { signature },
            Body::Share { trustee: 1, share: b"share" },
            Body::Result(b"result"),
            Body::AuthorityKey(b"succession"),
            Body::Order(SignedOrder { number: 3, order: crate::Order::Pause, signature }),
            Body::Order(SignedOrder {
                number: 4,
                order: crate::Order::Replace { old: [1; 32], new: [2; 32] },
                signature,
            }),
        ];
        for body in bodies {
            let bytes = appender().seal(ID, 1000, &body).unwrap();
            let entry = Entry::decode(&bytes).unwrap();
            assert_eq!((entry.stamp, entry.appender, entry.body), (1000, 2, body));
            assert!(entry.is_signed_by(&appender().key.public(), ID));
            assert!(!entry.is_signed_by(&appender().key.public(), ElectionId([6; 16])));
        }
    }

    #[test]
    fn what_is_wrong_is_named_by_field_and_offset() {
        let signature = [7; 64];
        let bytes = appender().seal(ID, 1, &Body::Open { signature }).unwrap();
        let check = |bytes: &[u8], expected: &str| {
            assert_eq!(Entry::decode(bytes).unwrap_err().to_string(), expected);
        };
        let with = |at: usize, byte: u8| {
            let mut other = bytes.clone();
            other[at] = byte;
            other
        };
        check(&[], "entry: signature at byte 0: the bytes end inside it");
        check(&with(0, 2), "entry: version at byte 0: must be 1");
        check(&with(1, 16), "entry: kind at byte 1: must be 1 to 15, or 30");
        check(
            &with(1, 4),
            "entry: endorser's role at byte 7: must be 1 (trustee) or 2 (authority)",
        );
        check(&bytes[1..], "entry: version at byte 0: must be 1");
        check(
            &bytes[..bytes.len() - 1],
            "entry: opening signature at byte 7: the bytes end inside it",
        );
        check(
            &[&bytes[..], &[0]].concat(),
            "entry: end at byte 71: more bytes follow the last field",
        );
        check(&[1; ENTRY_BYTES_MAX + 1], "entry: length at byte 0: is more than 65535 bytes");
    }

    #[test]
    fn the_largest_body_fits_and_one_byte_more_does_not() {
        let body = vec![0; BODY_BYTES_MAX + 1];
        let appender = appender();
        let largest = appender.seal(ID, 1, &Body::Ballot(&body[1..])).unwrap();
        assert_eq!(largest.len(), ENTRY_BYTES_MAX);
        let refused = appender.seal(ID, 1, &Body::Ballot(&body)).unwrap_err();
        assert_eq!(refused.to_string(), "the entry would have 65536 bytes, more than 65535");
    }
}

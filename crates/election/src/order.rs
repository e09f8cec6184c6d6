//! Orders: what the administrator does to an election that is under way. Each is a ledger entry
//! that carries a number, so that none can be repeated or left out unnoticed, and the
//! administrator's signature.
//!
//! ```text
//! body: number u32 ‖ payload ‖ signature (64)
//! signed under quorate/order/v1: fingerprint ‖ kind of the entry ‖ number ‖ payload
//!
//! 10 pause, 11 resume, 13 reset    nothing
//! 12 extension                     closing minute u32
//! 14 roll change                   1 added: key, weight u32, group u8
//!                                  2 withdrawn: key
//!                                  3 replaced: old key, new key
//! 15 paper mark                    key
//! ```
//!
//! The number counts the orders on the ledger before it. What each order may do, and when, the
//! fold decides.

use ballot::{
    Fingerprint,
    signature::{PublicKey, SigningKey},
};

use crate::{
    entry::Kind,
    roll::Voter,
    wire::{DecodeError, Reader},
};

const TAG: &str = "quorate/order/v1";

/// What an administrator orders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Order {
    /// No ballot is taken until the election is resumed.
    Pause,
    /// Ballots are taken again.
    Resume,
    /// The election closes later.
    Extend {
        /// First minute in which no more ballots are taken, in minutes since 1970 UTC.
        closes: u32,
    },
    /// All ballots so far are forgotten; only in a test.
    Reset,
    /// A voter is added to the roll.
    Add(Voter),
    /// A credential is taken from the roll.
    Withdraw {
        /// The credential.
        credential: [u8; 32],
    },
    /// A credential is replaced by another of the same weight and group: a lost code.
    Replace {
        /// The lost one.
        old: [u8; 32],
        /// The new one.
        new: [u8; 32],
    },
    /// The holder of a credential votes on paper.
    MarkPaper {
        /// The credential.
        credential: [u8; 32],
    },
}

impl Order {
    /// The kind of its entry.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Pause => Kind::Pause,
            Self::Resume => Kind::Resume,
            Self::Extend { .. } => Kind::Extension,
            Self::Reset => Kind::Reset,
            Self::Add(_) | Self::Withdraw { .. } | Self::Replace { .. } => Kind::RollChange,
            Self::MarkPaper { .. } => Kind::PaperMark,
        }
    }

    fn put(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Pause | Self::Resume | Self::Reset => {}
            Self::Extend { closes } => bytes.extend_from_slice(&closes.to_be_bytes()),
            Self::Add(voter) => {
                bytes.push(1);
                voter.put(bytes);
            }
            Self::Withdraw { credential } => {
                bytes.push(2);
                bytes.extend_from_slice(credential);
            }
            Self::Replace { old, new } => {
                bytes.push(3);
                bytes.extend_from_slice(old);
                bytes.extend_from_slice(new);
            }
            Self::MarkPaper { credential } => bytes.extend_from_slice(credential),
        }
    }

    fn read(kind: Kind, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(match kind {
            Kind::Pause => Self::Pause,
            Kind::Resume => Self::Resume,
            Kind::Reset => Self::Reset,
            Kind::Extension => Self::Extend { closes: reader.u32("closing minute")? },
            Kind::RollChange => match reader.u8("change of the roll")? {
                1 => Self::Add(Voter::read(reader)?),
                2 => Self::Withdraw { credential: reader.array("withdrawn credential")? },
                3 => Self::Replace {
                    old: reader.array("replaced credential")?,
                    new: reader.array("new credential")?,
                },
                _ => return Err(reader.wrong("change of the roll", "must be 1 to 3")),
            },
            Kind::PaperMark => Self::MarkPaper { credential: reader.array("credential")? },
            _ => return Err(reader.wrong("kind", "is no order of the administrator")),
        })
    }

    /// The signed bytes of this order as number `number` of the election.
    pub fn sign(self, number: u32, fingerprint: &Fingerprint, admin: &SigningKey) -> SignedOrder {
        let mut order = SignedOrder { number, order: self, signature: [0; 64] };
        order.signature = admin.sign(TAG, &order.message(fingerprint));
        order
    }
}

/// An order with its number and signature: the body of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SignedOrder {
    /// How many orders stand on the ledger before it.
    pub number: u32,
    /// What is ordered.
    pub order: Order,
    /// The administrator's signature.
    pub signature: [u8; 64],
}

impl SignedOrder {
    /// The canonical bytes, the body of an entry of kind `self.order.kind()`.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(140);
        self.put(&mut bytes);
        bytes
    }

    pub(crate) fn put(&self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.number.to_be_bytes());
        self.order.put(bytes);
        bytes.extend_from_slice(&self.signature);
    }

    pub(crate) fn read(kind: Kind, reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            number: reader.u32("number of the order")?,
            order: Order::read(kind, reader)?,
            signature: reader.array("administrator's signature")?,
        })
    }

    /// Reads an order as it travels by itself: the kind of its entry, then its body.
    ///
    /// # Errors
    /// Field and offset of what is wrong.
    pub fn decode_with_kind(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new("order", bytes);
        let kind = reader.u8("kind")?;
        let kind = Kind::from_byte(kind).ok_or_else(|| reader.wrong("kind", "is unknown"))?;
        let order = Self::read(kind, &mut reader)?;
        reader.finish()?;
        Ok(order)
    }

    /// The kind of its entry, then its body.
    pub fn encode_with_kind(&self) -> Vec<u8> {
        let mut bytes = vec![self.order.kind() as u8];
        self.put(&mut bytes);
        bytes
    }

    /// Whether the administrator signed it.
    #[must_use]
    pub fn is_signed_by(&self, admin: &[u8; 32], fingerprint: &Fingerprint) -> bool {
        let key = PublicKey::from_bytes(admin);
        let message = self.message(fingerprint);
        key.is_ok_and(|key| key.verify(TAG, &message, &self.signature).is_ok())
    }

    fn message(&self, fingerprint: &Fingerprint) -> Vec<u8> {
        let mut message = fingerprint.0.to_vec();
        message.push(self.order.kind() as u8);
        message.extend_from_slice(&self.number.to_be_bytes());
        self.order.put(&mut message);
        message
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_is_read_back_and_binds_every_field() {
        let admin = SigningKey::from_seed(&[1; 32]);
        let fingerprint = Fingerprint([3; 32]);
        let voter = Voter { credential: [4; 32], weight: 2, group: 1 };
        for order in [
            Order::Pause,
            Order::Resume,
            Order::Reset,
            Order::Extend { closes: 77 },
            Order::Add(voter),
            Order::Withdraw { credential: [5; 32] },
            Order::Replace { old: [6; 32], new: [7; 32] },
            Order::MarkPaper { credential: [8; 32] },
        ] {
            let signed = order.sign(9, &fingerprint, &admin);
            let key = admin.public().to_bytes();
            assert!(signed.is_signed_by(&key, &fingerprint));
            assert!(!signed.is_signed_by(&key, &Fingerprint([4; 32])));
            let bytes = signed.encode_with_kind();
            assert_eq!(SignedOrder::decode_with_kind(&bytes), Ok(signed));
            for at in 0..bytes.len() {
                let mut other = bytes.clone();
                other[at] ^= 1;
                let valid = SignedOrder::decode_with_kind(&other)
                    .is_ok_and(|order| order.is_signed_by(&key, &fingerprint));
                assert!(!valid, "byte {at} of {order:?}");
            }
        }
    }
}

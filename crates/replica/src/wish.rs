//! What a person or a tool may ask of the group itself: another membership, another leader.

use crate::peer::{WireError, put_bytes, take_bytes, take_count, take_member, take_u8};
use bytes::{BufMut, Bytes, BytesMut};
use core::fmt;
use raft::{ChangeStep, MemberId, Membership, Plan};

/// Most steps in one change.
const STEPS_MAX: u32 = 64;

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Change the membership, all steps at once.
    Change(Vec<ChangeStep>),
    /// Let that voter lead, or the one that is best up to date.
    Transfer {
        /// Whom.
        to: Option<MemberId>,
    },
}

/// Why a wish is not fulfilled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WishError {
    /// Nobody leads; nothing was changed.
    NoLeader,
    /// It was refused, in these words; nothing was changed.
    Refused(String),
    /// Leadership was lost or time ran out on the way: it may happen yet.
    Unknown,
}

/// The membership as it is after the wish, or why not.
pub type WishResult = Result<Membership, WishError>;

impl fmt::Display for WishError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoLeader => write!(f, "no member leads at present; nothing was changed"),
            Self::Refused(reason) => f.write_str(reason),
            Self::Unknown => {
                write!(f, "the outcome is unknown: look at the membership before trying again")
            }
        }
    }
}

impl core::error::Error for WishError {}

const CHANGE: u8 = 1;
const TRANSFER: u8 = 2;
const TRANSFER_BEST: u8 = 3;

impl Wish {
    pub(crate) fn encode(&self, out: &mut BytesMut) {
        match self {
            Self::Change(steps) => {
                out.put_u8(CHANGE);
                out.put_u32(steps.len() as u32);
                steps.iter().for_each(|step| encode_step(step, out));
            }
            Self::Transfer { to: Some(to) } => {
                out.put_u8(TRANSFER);
                out.put_u64(to.get());
            }
            Self::Transfer { to: None } => out.put_u8(TRANSFER_BEST),
        }
    }

    pub(crate) fn decode(bytes: &mut Bytes) -> Result<Self, WireError> {
        match take_u8(bytes)? {
            CHANGE => {
                let count = take_count(bytes)?;
                if count > STEPS_MAX {
                    return Err(WireError::TooMany(count));
                }
                let steps = (0..count).map(|_| decode_step(bytes)).collect::<Result<_, _>>()?;
                Ok(Self::Change(steps))
            }
            TRANSFER => Ok(Self::Transfer { to: Some(take_member(bytes)?) }),
            TRANSFER_BEST => Ok(Self::Transfer { to: None }),
            _ => Err(WireError::Impossible("wish")),
        }
    }
}

impl WishError {
    pub(crate) fn encode_result(result: &WishResult, out: &mut BytesMut) {
        match result {
            Ok(membership) => {
                out.put_u8(0);
                put_bytes(out, &raft::wire::encode_membership(membership));
            }
            Err(Self::NoLeader) => out.put_u8(1),
            Err(Self::Refused(reason)) => {
                out.put_u8(2);
                put_bytes(out, reason.as_bytes());
            }
            Err(Self::Unknown) => out.put_u8(3),
        }
    }

    pub(crate) fn decode_result(bytes: &mut Bytes) -> Result<WishResult, WireError> {
        Ok(match take_u8(bytes)? {
            0 => Ok(raft::wire::decode_membership(take_bytes(bytes)?)
                .map_err(|error| WireError::Raft(error.to_string()))?),
            1 => Err(Self::NoLeader),
            2 => {
                let reason = take_bytes(bytes)?;
                Err(Self::Refused(String::from_utf8_lossy(&reason).into_owned()))
            }
            3 => Err(Self::Unknown),
            _ => return Err(WireError::Impossible("answer")),
        })
    }
}

fn encode_step(step: &ChangeStep, out: &mut BytesMut) {
    let mut put = |kind: u8, id: &MemberId| {
        out.put_u8(kind);
        out.put_u64(id.get());
    };
    match step {
        ChangeStep::AddVoter { id, context } => {
            put(1, id);
            put_bytes(out, context);
        }
        ChangeStep::AddLearner { id, context, plan } => {
            put(2, id);
            put_bytes(out, context);
            let (kind, old) = match plan {
                Plan::Stay => (0, MemberId::default()),
                Plan::Promote => (1, MemberId::default()),
                Plan::Replace(old) => (2, *old),
            };
            out.put_u8(kind);
            out.put_u64(old.get());
        }
        ChangeStep::Promote { id } => put(3, id),
        ChangeStep::Demote { id } => put(4, id),
        ChangeStep::Remove { id } => put(5, id),
        ChangeStep::Describe { id, context } => {
            put(6, id);
            put_bytes(out, context);
        }
    }
}

fn decode_step(bytes: &mut Bytes) -> Result<ChangeStep, WireError> {
    let kind = take_u8(bytes)?;
    let id = take_member(bytes)?;
    Ok(match kind {
        1 => ChangeStep::AddVoter { id, context: take_bytes(bytes)? },
        2 => {
            let context = take_bytes(bytes)?;
            let (kind, old) = (take_u8(bytes)?, take_member(bytes)?);
            let plan = match kind {
                0 => Plan::Stay,
                1 => Plan::Promote,
                2 => Plan::Replace(old),
                _ => return Err(WireError::Impossible("plan")),
            };
            ChangeStep::AddLearner { id, context, plan }
        }
        3 => ChangeStep::Promote { id },
        4 => ChangeStep::Demote { id },
        5 => ChangeStep::Remove { id },
        6 => ChangeStep::Describe { id, context: take_bytes(bytes)? },
        _ => return Err(WireError::Impossible("step")),
    })
}

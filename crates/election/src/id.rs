//! The name of an election.

use core::{fmt, str::FromStr};

/// Sixteen random bytes, shown as 32 lower-case hex digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ElectionId(pub [u8; 16]);

impl fmt::Display for ElectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for ElectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that names no election.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ElectionIdError;

impl fmt::Display for ElectionIdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an election's id is 32 digits of 0-9 and a-f")
    }
}

impl std::error::Error for ElectionIdError {}

impl FromStr for ElectionId {
    type Err = ElectionIdError;

    /// Accepts only what `Display` prints.
    fn from_str(text: &str) -> Result<Self, ElectionIdError> {
        let mut id = [0; 16];
        hex::decode_to_slice(text, &mut id).map_err(|_| ElectionIdError)?;
        let id = Self(id);
        if id.to_string() == text { Ok(id) } else { Err(ElectionIdError) }
    }
}

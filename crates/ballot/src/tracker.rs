//! The short name of a ballot that a voter compares by eye.

use core::fmt;
use core::str::FromStr;

use crate::base32;

/// The first 100 bits of a ballot's SHA-256 as `XXXX-XXXX-XXXX-XXXX-XXXX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tracker([u8; 20]);

impl Tracker {
    /// The tracker of a ballot hash.
    pub fn of_hash(hash: &[u8; 32]) -> Self {
        Self(base32::digits(hash))
    }
}

impl fmt::Display for Tracker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        base32_groups(f, &self.0, 4)
    }
}

/// Writes digits in groups of `size` with dashes between.
pub(crate) fn base32_groups(f: &mut impl fmt::Write, digits: &[u8], size: usize) -> fmt::Result {
    for (place, &value) in digits.iter().enumerate() {
        if place > 0 && place % size == 0 {
            f.write_char('-')?;
        }
        f.write_char(base32::digit(value))?;
    }
    Ok(())
}

/// A text that is no tracker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrackerError;

impl fmt::Display for TrackerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a tracker is 20 letters and digits in 5 groups of 4, without U")
    }
}

impl core::error::Error for TrackerError {}

impl FromStr for Tracker {
    type Err = TrackerError;

    /// Reads a typed tracker: any case, dashes and spaces anywhere, look-alikes folded.
    fn from_str(text: &str) -> Result<Self, TrackerError> {
        let mut digits = [0; 20];
        let mut typed = text.chars().filter(|c| *c != '-' && !c.is_whitespace());
        for place in &mut digits {
            *place = typed.next().and_then(base32::value).ok_or(TrackerError)?;
        }
        if typed.next().is_some() { Err(TrackerError) } else { Ok(Self(digits)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn a_tracker_survives_typing() {
        let tracker = Tracker::of_hash(&[0x5a; 32]);
        let shown = tracker.to_string();
        assert_eq!(shown, "B9D5-MPJT-B9D5-MPJT-B9D5");
        assert_eq!(shown.to_lowercase().replace('-', " ").parse(), Ok(tracker));
        assert_eq!(shown[1..].parse::<Tracker>(), Err(TrackerError));
        assert_eq!((shown + "0").parse::<Tracker>(), Err(TrackerError));
    }
}

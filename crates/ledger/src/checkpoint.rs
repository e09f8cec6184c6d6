//! A checkpoint: origin, size and root of one log as three lines (C2SP tlog-checkpoint).
//!
//! Extension lines are refused: nobody could audit them, and one meaning must have one text.

use core::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::{hash::Hash, note::NoteError};

/// Longest origin line accepted.
pub const ORIGIN_BYTES_MAX: usize = 255;

/// What authorities sign: "the log called `origin` has these `size` leaves under this `root`".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Name of the log, like `vote.example/e/00112233445566778899aabbccddeeff`.
    pub origin: String,
    /// Number of leaves.
    pub size: u64,
    /// Root over them.
    pub root: Hash,
}

impl Checkpoint {
    /// Parses the three lines, each ended by a newline; accepts only what `Display` prints.
    ///
    /// # Errors
    /// Names the line that is not as it must be.
    pub fn parse(body: &str) -> Result<Self, NoteError> {
        let wrong = |line, expected| NoteError::Line { line, expected };
        let mut lines = body.split('\n');
        let mut line = |number, expected| match lines.next() {
            Some(text) if !text.is_empty() => Ok(text),
            _ => Err(NoteError::Line { line: number, expected }),
        };
        let origin = line(1, "an origin of 1 to 255 printable characters")?;
        if !is_origin(origin) {
            return Err(wrong(1, "an origin of 1 to 255 printable characters"));
        }
        let size = line(2, "the number of leaves in decimal")?;
        let size = decimal(size).ok_or(wrong(2, "the number of leaves in decimal"))?;
        let root = line(3, "the root hash in base64")?;
        let root = base64_hash(root).ok_or(wrong(3, "the root hash in base64"))?;
        if lines.next() != Some("") || lines.next().is_some() {
            return Err(wrong(4, "the end of the checkpoint after three lines"));
        }
        Ok(Self { origin: origin.to_owned(), size, root })
    }
}

impl fmt::Display for Checkpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root.0))
    }
}

/// Whether a text may stand in the first line: printable, no spaces, no plus sign.
pub(crate) fn is_origin(text: &str) -> bool {
    let plain = |c: char| !c.is_whitespace() && !c.is_control() && c != '+';
    (1..=ORIGIN_BYTES_MAX).contains(&text.len()) && text.chars().all(plain)
}

/// A decimal number without leading zeros or sign.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

/// A hash in canonical standard base64.
pub(crate) fn base64_hash(text: &str) -> Option<Hash> {
    Some(Hash(STANDARD.decode(text).ok()?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &str =
        "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";

    #[test]
    fn the_example_of_the_specification_comes_back_byte_for_byte() {
        let checkpoint = Checkpoint::parse(BODY).unwrap();
        assert_eq!((checkpoint.size, checkpoint.to_string().as_str()), (20_852_163, BODY));
    }

    #[test]
    fn every_other_form_is_refused_with_its_line() {
        let check = |from: &str, to: &str, expected: &str| {
            let text = BODY.replacen(from, to, 1);
            assert_ne!(text, BODY);
            assert_eq!(Checkpoint::parse(&text).unwrap_err().to_string(), expected, "{text:?}");
        };
        let origin = "line 1: expected an origin of 1 to 255 printable characters";
        let size = "line 2: expected the number of leaves in decimal";
        let root = "line 3: expected the root hash in base64";
        let end = "line 4: expected the end of the checkpoint after three lines";
        check("example", "exa mple", origin);
        check("example", "exa+mple", origin);
        check("example", "exa\tmple", origin);
        check("example.com/behind-the-sofa", "", origin);
        check("20852163", "020852163", size);
        check("20852163", "+20852163", size);
        check("20852163", "99999999999999999999999", size);
        check("20852163", "", size);
        check("2I=\n", "2I\n", root);
        check("2I=\n", "2J=\n", root);
        check("2I=\n", "2I=", end);
        check("2I=\n", "2I=\r\n", root);
        check("2I=\n", "2I=\nextension\n", end);
        check("2I=\n", "2I=\n\n", end);
    }
}

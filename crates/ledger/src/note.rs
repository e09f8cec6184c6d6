//! Signed notes (C2SP signed-note) whose text is a checkpoint. One note has exactly one text:
//! `parse` accepts nothing that `Display` would not print.

use core::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::{
    authority_key::{AuthorityKey, Cosignature, is_key_name},
    checkpoint::Checkpoint,
};

/// Most signature lines on one note; more are refused.
pub const SIGNATURES_MAX: usize = 64;
/// Longest signature in bytes, the four of the key id not counted.
const SIGNATURE_BYTES_MAX: usize = 8192;

/// One signature line, by a key that may be unknown here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteSignature {
    /// Name of the key.
    pub name: String,
    /// First four bytes of a hash over name and key: a hint, not an identity.
    pub key_id: [u8; 4],
    /// What the key's algorithm made.
    pub bytes: Vec<u8>,
}

/// A checkpoint with its signature lines, in the order they were added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCheckpoint {
    /// The signed text.
    pub checkpoint: Checkpoint,
    /// Signature lines; no two with the same name and key id.
    signatures: Vec<NoteSignature>,
}

/// Why a text is not a signed checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoteError {
    /// The text is not UTF-8.
    NotText,
    /// A line is not what it must be. Lines count from 1.
    Line {
        /// Which line.
        line: usize,
        /// What belongs there.
        expected: &'static str,
    },
    /// Two signature lines by the same key.
    Repeated {
        /// The line of the second one.
        line: usize,
    },
    /// More than [`SIGNATURES_MAX`] signature lines.
    TooManySignatures,
}

impl fmt::Display for NoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotText => write!(f, "the note is not UTF-8 text"),
            Self::Line { line, expected } => write!(f, "line {line}: expected {expected}"),
            Self::Repeated { line } => {
                write!(f, "line {line}: this key has signed in an earlier line already")
            }
            Self::TooManySignatures => {
                write!(f, "the note has more than {SIGNATURES_MAX} signatures")
            }
        }
    }
}

impl std::error::Error for NoteError {}

impl SignedCheckpoint {
    /// A checkpoint nobody has signed yet.
    pub fn unsigned(checkpoint: Checkpoint) -> Self {
        Self { checkpoint, signatures: Vec::new() }
    }

    /// The signature lines.
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Adds an authority's cosignature; false when that key stands there already or the note is
    /// full. The signature is not checked here: [`crate::Policy::verify`] does.
    pub fn add(&mut self, key: &AuthorityKey, cosignature: &Cosignature) -> bool {
        let fresh = self.find(key).is_none() && self.signatures.len() < SIGNATURES_MAX;
        if fresh {
            self.signatures.push(NoteSignature {
                name: key.name().to_owned(),
                key_id: key.id(),
                bytes: cosignature.to_bytes().to_vec(),
            });
        }
        fresh
    }

    /// The signature line that names this key, if there is one.
    pub fn find(&self, key: &AuthorityKey) -> Option<&NoteSignature> {
        self.signatures.iter().find(|line| line.name == key.name() && line.key_id == key.id())
    }

    /// Parses checkpoint, empty line, signature lines (there may be none).
    ///
    /// # Errors
    /// Names the first line that is not as it must be.
    pub fn parse(text: &[u8]) -> Result<Self, NoteError> {
        let text = core::str::from_utf8(text).map_err(|_| NoteError::NotText)?;
        let no_end = NoteError::Line { line: 4, expected: "an empty line after the checkpoint" };
        let (body, lines) = text.split_once("\n\n").ok_or(no_end)?;
        let checkpoint = Checkpoint::parse(&format!("{body}\n"))?;
        let mut note = Self::unsigned(checkpoint);
        let mut rest = lines;
        let mut line = 5;
        while !rest.is_empty() {
            let signature = "`— name base64` and a newline";
            let wrong = NoteError::Line { line, expected: signature };
            let (this, after) = rest.split_once('\n').ok_or(wrong.clone())?;
            note.push_line(parse_line(this).ok_or(wrong)?, line)?;
            (rest, line) = (after, line + 1);
        }
        Ok(note)
    }

    fn push_line(&mut self, signature: NoteSignature, line: usize) -> Result<(), NoteError> {
        let same = |s: &NoteSignature| s.name == signature.name && s.key_id == signature.key_id;
        if self.signatures.iter().any(same) {
            return Err(NoteError::Repeated { line });
        }
        if self.signatures.len() >= SIGNATURES_MAX {
            return Err(NoteError::TooManySignatures);
        }
        self.signatures.push(signature);
        Ok(())
    }
}

impl fmt::Display for SignedCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.checkpoint)?;
        for NoteSignature { name, key_id, bytes } in &self.signatures {
            let bytes = [key_id, bytes.as_slice()].concat();
            writeln!(f, "\u{2014} {name} {}", STANDARD.encode(bytes))?;
        }
        Ok(())
    }
}

fn parse_line(line: &str) -> Option<NoteSignature> {
    let (name, signature) = line.strip_prefix("\u{2014} ")?.split_once(' ')?;
    let bytes = STANDARD.decode(signature).ok()?;
    let (key_id, bytes) = bytes.split_first_chunk::<4>()?;
    let fits = is_key_name(name) && (1..=SIGNATURE_BYTES_MAX).contains(&bytes.len());
    fits.then(|| NoteSignature { name: name.to_owned(), key_id: *key_id, bytes: bytes.to_vec() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTE: &str = "example.com/behind-the-sofa\n20852163\n\
        CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n\
        — example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5\
        /Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n\
        — witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrD\
        JsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n";

    #[test]
    fn the_example_of_the_specification_comes_back_byte_for_byte() {
        let note = SignedCheckpoint::parse(NOTE.as_bytes()).unwrap();
        assert_eq!(note.to_string(), NOTE);
        assert_eq!(note.signatures()[1].name, "witness.example.com/w1");
        assert_eq!(note.signatures()[1].bytes.len(), 72);
    }

    #[test]
    fn one_note_has_one_text() {
        let check = |from: &str, to: &str, expected: &str| {
            let text = NOTE.replacen(from, to, 1);
            let error = SignedCheckpoint::parse(text.as_bytes()).unwrap_err();
            assert_eq!(error.to_string(), expected, "{text:?}");
        };
        let fifth = "line 5: expected `— name base64` and a newline";
        let sixth = "line 6: expected `— name base64` and a newline";
        check("YQ8=\n", "YQ8=\r\n", fifth);
        check("YQ8=\n", "YQ8\n", fifth);
        check("YQ8=\n", "YQ9=\n", fifth);
        check("YQ8=\n", "YQ8=\n\n", sixth);
        check("nA==\n", "nA==", sixth);
        check("— example", "- example", fifth);
        check("— example", "—  example", fifth);
        check("\n\n", "\n", "line 4: expected an empty line after the checkpoint");
        check("w1 jWbPPw", "w1 \u{a0}jWbPPw", sixth);
        let doubled = format!("{NOTE}{}", &NOTE[NOTE.find("— witness").unwrap()..]);
        assert_eq!(
            SignedCheckpoint::parse(doubled.as_bytes()).unwrap_err().to_string(),
            "line 7: this key has signed in an earlier line already"
        );
        assert_eq!(SignedCheckpoint::parse(&[0xff]), Err(NoteError::NotText));
    }

    #[test]
    fn a_flood_of_signatures_is_refused() {
        let lines: String = (0..65).map(|i| format!("— w{i} AAAAAAAA\n")).collect();
        let text = format!("{}{lines}", &NOTE[..=NOTE.find("\n\n").unwrap() + 1]);
        assert_eq!(SignedCheckpoint::parse(text.as_bytes()), Err(NoteError::TooManySignatures));
    }
}

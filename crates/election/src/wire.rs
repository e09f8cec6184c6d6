//! Reading and writing the canonical binary forms: one value, one encoding.
//!
//! Integers are big-endian of fixed width, texts carry a u16 length, flags are 0 or 1, and nothing
//! may follow the last field. Errors name the thing, the field and the offset of its first byte.

use core::fmt;

/// Why bytes are not the canonical form of what they should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// What was being read, like `manifest`.
    pub what: &'static str,
    /// The field, like `contest title`.
    pub field: &'static str,
    /// Offset of the field's first byte from the start of the thing.
    pub offset: usize,
    /// What is wrong with it.
    pub reason: &'static str,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, field, offset, reason } = self;
        write!(f, "{what}: {field} at byte {offset}: {reason}")
    }
}

impl std::error::Error for DecodeError {}

/// Takes fields off the front of bytes and remembers where it stands.
pub(crate) struct Reader<'a> {
    what: &'static str,
    bytes: &'a [u8],
    at: usize,
    /// Where the field last taken started.
    field_start: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(what: &'static str, bytes: &'a [u8]) -> Self {
        Self { what, bytes, at: 0, field_start: 0 }
    }

    /// An error at the field last taken.
    pub(crate) fn wrong(&self, field: &'static str, reason: &'static str) -> DecodeError {
        DecodeError { what: self.what, field, offset: self.field_start, reason }
    }

    pub(crate) fn take(
        &mut self,
        field: &'static str,
        count: usize,
    ) -> Result<&'a [u8], DecodeError> {
        self.field_start = self.at;
        let end = self.at.checked_add(count).filter(|end| *end <= self.bytes.len());
        let end = end.ok_or_else(|| self.wrong(field, "the bytes end inside it"))?;
        let taken = &self.bytes[self.at..end];
        self.at = end;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(
        &mut self,
        field: &'static str,
    ) -> Result<[u8; N], DecodeError> {
        let taken = self.take(field, N)?;
        Ok(taken.try_into().expect("take returns as many bytes as asked"))
    }

    pub(crate) fn u8(&mut self, field: &'static str) -> Result<u8, DecodeError> {
        Ok(u8::from_be_bytes(self.array(field)?))
    }

    pub(crate) fn u16(&mut self, field: &'static str) -> Result<u16, DecodeError> {
        Ok(u16::from_be_bytes(self.array(field)?))
    }

    pub(crate) fn u32(&mut self, field: &'static str) -> Result<u32, DecodeError> {
        Ok(u32::from_be_bytes(self.array(field)?))
    }

    pub(crate) fn u64(&mut self, field: &'static str) -> Result<u64, DecodeError> {
        Ok(u64::from_be_bytes(self.array(field)?))
    }

    pub(crate) fn flag(&mut self, field: &'static str) -> Result<bool, DecodeError> {
        match self.u8(field)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(self.wrong(field, "must be 0 or 1")),
        }
    }

    /// A flag, then four bytes if it is set.
    pub(crate) fn optional_u32(&mut self, field: &'static str) -> Result<Option<u32>, DecodeError> {
        if self.flag(field)? { self.u32(field).map(Some) } else { Ok(None) }
    }

    pub(crate) fn text(&mut self, field: &'static str) -> Result<String, DecodeError> {
        let start = self.at;
        let length = self.u16(field)?;
        let bytes = self.take(field, usize::from(length))?;
        self.field_start = start;
        let text = core::str::from_utf8(bytes).map_err(|_| self.wrong(field, "is not UTF-8"))?;
        Ok(text.to_owned())
    }

    /// Everything that is left.
    pub(crate) fn rest(&mut self) -> &'a [u8] {
        self.field_start = self.at;
        let rest = &self.bytes[self.at..];
        self.at = self.bytes.len();
        rest
    }

    pub(crate) fn finish(mut self) -> Result<(), DecodeError> {
        self.field_start = self.at;
        let done = self.at == self.bytes.len();
        if done { Ok(()) } else { Err(self.wrong("end", "more bytes follow the last field")) }
    }
}

/// Appends a text with its length.
///
/// # Panics
/// When it is longer than 65,535 bytes: lengths are checked before anything is encoded.
pub(crate) fn put_text(bytes: &mut Vec<u8>, text: &str) {
    let length = u16::try_from(text.len()).expect("texts are checked to be short");
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(text.as_bytes());
}

/// Appends a flag and, if there is one, the number.
pub(crate) fn put_optional_u32(bytes: &mut Vec<u8>, number: Option<u32>) {
    bytes.push(u8::from(number.is_some()));
    if let Some(number) = number {
        bytes.extend_from_slice(&number.to_be_bytes());
    }
}

/// SHA-256 of the parts, one after the other.
pub(crate) fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    use sha2::{Digest, Sha256};
    parts.iter().fold(Sha256::new(), |hash, part| hash.chain_update(part)).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_name_thing_field_offset_and_reason() {
        let mut reader = Reader::new("thing", &[0, 2, b'a', 0xff, 2]);
        assert_eq!(
            reader.text("title").unwrap_err().to_string(),
            "thing: title at byte 0: is not UTF-8"
        );
        assert_eq!(
            reader.flag("on").unwrap_err().to_string(),
            "thing: on at byte 4: must be 0 or 1"
        );
        assert_eq!(
            reader.u32("size").unwrap_err().to_string(),
            "thing: size at byte 5: the bytes end inside it"
        );
        let reader = Reader::new("thing", &[1]);
        assert_eq!(
            reader.finish().unwrap_err().to_string(),
            "thing: end at byte 0: more bytes follow the last field"
        );
    }
}

//! Variable-length integers and byte strings, for the records here and the commands above.
//!
//! Unsigned numbers are little-endian base 128 (seven bits a byte, the high bit says "more"),
//! signed ones zigzag before that, byte strings their length and then the bytes. Every value has
//! exactly one encoding: a longer form than needed is refused.

use core::fmt;
use core::ops::Range;

/// Bytes that are not what they should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// Offset at which reading stopped.
    pub at: usize,
    /// What is wrong there.
    pub what: &'static str,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at byte {}: {}", self.at, self.what)
    }
}

impl core::error::Error for DecodeError {}

/// Appends values to a buffer.
#[derive(Clone, Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// An empty buffer with room for `capacity` bytes.
    pub fn with_capacity(capacity: usize) -> Self {
        Self { bytes: Vec::with_capacity(capacity) }
    }

    /// One byte.
    pub fn byte(&mut self, value: u8) {
        self.bytes.push(value);
    }

    /// An unsigned number, 1 to 10 bytes.
    pub fn unsigned(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }

    /// A signed number, short when near 0.
    pub fn signed(&mut self, value: i64) {
        self.unsigned(((value << 1) ^ (value >> 63)) as u64);
    }

    /// Length, then the bytes.
    pub fn string(&mut self, value: &[u8]) {
        self.unsigned(value.len() as u64);
        self.bytes.extend_from_slice(value);
    }

    /// Bytes written so far.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing was written.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The buffer.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// Takes values from the front of a buffer.
#[derive(Clone, Debug)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// Starts at the front of `bytes`.
    #[inline]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// How far reading got.
    pub fn at(&self) -> usize {
        self.at
    }

    /// Bytes not yet read.
    #[inline]
    pub fn remaining(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// The error `what` at this place.
    #[inline]
    pub fn error(&self, what: &'static str) -> DecodeError {
        DecodeError { at: self.at, what }
    }

    /// One byte.
    ///
    /// # Errors
    /// At the end of the buffer.
    #[inline]
    pub fn byte(&mut self) -> Result<u8, DecodeError> {
        let byte = *self.bytes.get(self.at).ok_or_else(|| self.error("the bytes end too early"))?;
        self.at += 1;
        Ok(byte)
    }

    /// An unsigned number.
    ///
    /// # Errors
    /// At the end of the buffer, above 64 bits, or when a shorter form exists.
    #[inline]
    pub fn unsigned(&mut self) -> Result<u64, DecodeError> {
        match self.bytes.get(self.at) {
            Some(byte) if *byte < 0x80 => {
                self.at += 1;
                Ok(u64::from(*byte)) // most numbers are small
            }
            _ => self.long_unsigned(),
        }
    }

    fn long_unsigned(&mut self) -> Result<u64, DecodeError> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                return Err(self.error("a number above 64 bits"));
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                if byte == 0 && shift > 0 {
                    return Err(self.error("a number longer than needed"));
                }
                return Ok(value);
            }
        }
        Err(self.error("a number above 64 bits"))
    }

    /// A signed number.
    ///
    /// # Errors
    /// As [`Reader::unsigned`].
    #[inline]
    pub fn signed(&mut self) -> Result<i64, DecodeError> {
        let raw = self.unsigned()?;
        Ok((raw >> 1) as i64 ^ -((raw & 1) as i64))
    }

    /// How many items follow, each at least one byte long: never more than bytes are left, so
    /// that a wrong count cannot make the reader reserve memory.
    ///
    /// # Errors
    /// As [`Reader::unsigned`], or when so many items cannot follow.
    #[inline]
    pub fn count(&mut self) -> Result<usize, DecodeError> {
        let count = self.unsigned()?;
        match usize::try_from(count) {
            Ok(count) if count <= self.remaining() => Ok(count),
            _ => Err(self.error("a count larger than the bytes that follow")),
        }
    }

    /// The place of a byte string.
    ///
    /// # Errors
    /// When it is longer than the buffer.
    #[inline]
    pub fn string_range(&mut self) -> Result<Range<usize>, DecodeError> {
        let len = self.count()?;
        let range = self.at..self.at + len;
        self.at = range.end;
        Ok(range)
    }

    /// A byte string.
    ///
    /// # Errors
    /// As [`Reader::string_range`].
    #[inline]
    pub fn string(&mut self) -> Result<&'a [u8], DecodeError> {
        let range = self.string_range()?;
        Ok(&self.bytes[range])
    }

    /// Says that nothing more may follow.
    ///
    /// # Errors
    /// When bytes are left.
    #[inline]
    pub fn end(&self) -> Result<(), DecodeError> {
        if self.remaining() > 0 {
            return Err(self.error("bytes after the end"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_survive_and_have_one_form() {
        for value in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX - 1, u64::MAX] {
            let mut writer = Writer::default();
            writer.unsigned(value);
            let bytes = writer.into_bytes();
            assert_eq!(Reader::new(&bytes).unsigned(), Ok(value));
        }
        for value in [0, 1, -1, 63, -64, i64::MAX, i64::MIN] {
            let mut writer = Writer::default();
            writer.signed(value);
            let bytes = writer.into_bytes();
            assert_eq!(Reader::new(&bytes).signed(), Ok(value));
        }
        let long_zero = Reader::new(&[0x80, 0]).unsigned();
        assert_eq!(long_zero, Err(DecodeError { at: 2, what: "a number longer than needed" }));
        let above = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 2];
        assert_eq!(
            Reader::new(&above).unsigned().map_err(|e| e.what),
            Err("a number above 64 bits")
        );
    }

    #[test]
    fn a_count_never_exceeds_the_bytes() {
        let error = Reader::new(&[200, 1, 7]).string().map_err(|e| e.to_string());
        assert_eq!(error, Err("at byte 2: a count larger than the bytes that follow".into()));
    }
}

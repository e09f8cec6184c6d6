//! The code on a voter's paper: 25 characters in 5 groups, 120 secret bits and a check character.
//!
//! `7Q3WB-…`: Crockford base32, any case, o read as 0, i and l as 1, dashes and spaces anywhere
//! apart. The 24 secret digits `d_0 … d_23` and the check digit `d_24` are elements of
//! GF(32) (polynomial x⁵ + x² + 1) with `Σ d_i · x^(24−i) = 0`. As x has order 31, any single wrong
//! character and any two exchanged ones are always noticed; other mistakes with chance 31/32.

use alloc::vec::Vec;
use core::fmt;
use core::str::FromStr;

use rand_core::CryptoRng;
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::base32;
use crate::tracker::base32_groups;

/// Groups of a code.
const GROUPS: usize = 5;
/// Characters of a group.
const GROUP_LEN: usize = 5;
/// Characters that carry the secret.
const SECRET_DIGITS: usize = GROUPS * GROUP_LEN - 1;

/// A voter's secret code. `Display` prints it, for the sheet; `Debug` does not.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub struct Code([u8; 15]);

impl Code {
    /// A fresh code of 120 random bits.
    pub fn random(rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        let mut bytes = [0; 15];
        rng.fill_bytes(&mut bytes);
        Self(bytes)
    }

    /// The code with these 120 bits.
    pub fn from_bytes(bytes: [u8; 15]) -> Self {
        Self(bytes)
    }

    /// The 120 secret bits.
    pub fn as_bytes(&self) -> &[u8; 15] {
        &self.0
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Code(secret)")
    }
}

impl fmt::Display for Code {
    /// Upper case, with dashes between groups: 29 characters.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut digits = Zeroizing::new([0; SECRET_DIGITS + 1]);
        let secret: Zeroizing<[u8; SECRET_DIGITS]> = Zeroizing::new(base32::digits(&self.0));
        digits[..SECRET_DIGITS].copy_from_slice(&secret[..]);
        digits[SECRET_DIGITS] = times_x(remainder(&secret[..]));
        base32_groups(f, &digits[..], GROUP_LEN)
    }
}

/// What is wrong with a typed code. Groups count from 1, as people do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeError {
    /// A character that no code has.
    Character {
        /// The group it stands in.
        group: usize,
        /// What was typed.
        found: char,
    },
    /// A group of the wrong length.
    GroupLength {
        /// The group.
        group: usize,
        /// Its characters; 0 when it is missing.
        found: usize,
    },
    /// More than five groups.
    TooLong,
    /// All characters are possible, but one of them is wrong.
    Check,
}

impl CodeError {
    /// The stable name of this refusal.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Character { .. } => "code-character",
            Self::GroupLength { .. } => "code-length",
            Self::TooLong => "code-too-long",
            Self::Check => "code-check",
        }
    }
}

impl fmt::Display for CodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Character { group, found } => {
                write!(f, "group {group} of the code has {found:?}, which no code contains")
            }
            Self::GroupLength { group, found: 0 } => {
                write!(f, "group {group} of the code is missing; a code has {GROUPS} groups")
            }
            Self::GroupLength { group, found } => {
                write!(f, "group {group} of the code has {found} characters instead of {GROUP_LEN}")
            }
            Self::TooLong => {
                write!(f, "the code is too long; it has {GROUPS} groups of {GROUP_LEN}")
            }
            Self::Check => f.write_str("the code has a typing error; compare it group by group"),
        }
    }
}

impl core::error::Error for CodeError {}

impl FromStr for Code {
    type Err = CodeError;

    /// Reads a typed code: groups apart by dashes or spaces, or all 25 characters together.
    fn from_str(text: &str) -> Result<Self, CodeError> {
        let mut digits = Zeroizing::new([0; SECRET_DIGITS + 1]);
        let groups = groups(text.trim());
        for (place, group) in groups.iter().enumerate() {
            let into = digits.chunks_mut(GROUP_LEN).nth(place).ok_or(CodeError::TooLong)?;
            read_group(place + 1, group, into)?;
        }
        if groups.len() < GROUPS {
            return Err(CodeError::GroupLength { group: groups.len() + 1, found: 0 });
        }
        if remainder(&digits[..]) != 0 {
            return Err(CodeError::Check);
        }
        Ok(Self(base32::bytes(&digits[..SECRET_DIGITS])))
    }
}

/// The typed groups; without any separator, every five characters are one.
fn groups(text: &str) -> Vec<&str> {
    let separator = |typed: char| typed == '-' || typed.is_whitespace();
    if text.contains(separator) {
        return text.split(separator).filter(|group| !group.is_empty()).collect();
    }
    let starts = || text.char_indices().step_by(GROUP_LEN).map(|(at, _)| at);
    let ends = starts().skip(1).chain(core::iter::once(text.len()));
    starts().zip(ends).map(|(start, end)| &text[start..end]).collect()
}

fn read_group(group: usize, typed: &str, digits: &mut [u8]) -> Result<(), CodeError> {
    for (place, found) in typed.chars().enumerate() {
        let value = base32::value(found).ok_or(CodeError::Character { group, found })?;
        if let Some(digit) = digits.get_mut(place) {
            *digit = value;
        }
    }
    let found = typed.chars().count();
    if found == GROUP_LEN { Ok(()) } else { Err(CodeError::GroupLength { group, found }) }
}

/// The digits as a polynomial, first digit highest, evaluated at x (Horner).
fn remainder(digits: &[u8]) -> u8 {
    digits.iter().fold(0, |sum, digit| times_x(sum) ^ digit)
}

/// Multiplies by x in GF(32) = GF(2)[x] / (x⁵ + x² + 1).
fn times_x(value: u8) -> u8 {
    let shifted = value << 1;
    if shifted & 0b10_0000 == 0 { shifted } else { shifted ^ 0b10_0101 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::{String, ToString};

    fn example() -> (Code, String) {
        let code = Code::from_bytes(core::array::from_fn(|i| (i * 43 + 7) as u8));
        let text = code.to_string();
        (code, text)
    }

    fn check(typed: &str, expect: &str) {
        let found = match typed.parse::<Code>() {
            Ok(code) => code.to_string(),
            Err(error) => error.to_string(),
        };
        assert_eq!(found, expect, "{typed}");
    }

    #[test]
    fn a_code_survives_typing() {
        let (code, text) = example();
        assert_eq!(text, "0WS5V-25KVR-4K8QW-APQG0-PDK1X");
        for typed in [
            text.to_lowercase(),
            text.replace('-', ""),
            text.replace('-', "  "),
            text.replace('0', "o").replace('1', "l"),
            alloc::format!(" {text}\n"),
        ] {
            assert!(typed.parse() == Ok(code.clone()), "{typed}");
        }
    }

    #[test]
    fn errors_name_the_group() {
        check("0WR2K-N5DU4", "group 2 of the code has 'U', which no code contains");
        check("0WR2K-N5D4", "group 2 of the code has 4 characters instead of 5");
        check("0WR2K-N5DQ4-10QW55-K", "group 3 of the code has 6 characters instead of 5");
        check("0WR2K-N5DQ4-10QW5", "group 4 of the code is missing; a code has 5 groups");
        check("0WR2KN5DQ410QW5KD", "group 4 of the code has 2 characters instead of 5");
        check("", "group 1 of the code is missing; a code has 5 groups");
        let long = "0WR2K-N5DQ4-10QW5-KDHH6-JM3TD-0";
        check(long, "the code is too long; it has 5 groups of 5");
    }

    #[test]
    fn every_single_error_and_every_exchange_is_noticed() {
        let (_, text) = example();
        let original: Vec<char> = text.chars().filter(|c| *c != '-').collect();
        let parse = |chars: &[char]| chars.iter().collect::<String>().parse::<Code>();
        for place in 0..25 {
            for other in (0..32).map(base32::digit).filter(|c| *c != original[place]) {
                let mut typed = original.clone();
                typed[place] = other;
                assert_eq!(parse(&typed).err(), Some(CodeError::Check));
            }
            for second in (place + 1..25).filter(|&i| original[i] != original[place]) {
                let mut typed = original.clone();
                typed.swap(place, second);
                assert_eq!(parse(&typed).err(), Some(CodeError::Check));
            }
        }
    }
}

//! The trust file: whose cosignatures count, and how many are needed.
//!
//! The text is a C2SP tlog-policy file in one fixed layout, so that foreign tools read it too;
//! the first three lines are comments to them:
//!
//! ```text
//! # quorate trust v1
//! # origin vote.example/e/00112233445566778899aabbccddeeff
//! # faulty 0
//! witness 1 node-1.vote.example+0a1b2c3d+BAAA…
//! witness 2 node-2.vote.example+1b2c3d4e+BAAA…
//! witness 3 node-3.vote.example+2c3d4e5f+BAAA…
//! group authorities 2 1 2 3
//! quorum authorities
//! ```
//!
//! An origin that ends in `/*` covers every log below it. This file comes from outside (paper,
//! mail, a web page one trusts); what stands in an archive about its own authorities proves
//! nothing.

use core::fmt;
use std::collections::BTreeSet;

use crate::{
    authority_key::{AuthorityKey, Cosignature},
    checkpoint::{decimal, is_origin},
    note::SignedCheckpoint,
};

/// Most authorities in one policy.
pub const AUTHORITIES_MAX: usize = 64;
const FIRST_LINE: &str = "# quorate trust v1";

/// How many of `authorities` must sign so that any two quorums share an honest one when at most
/// `faulty` are malicious: ⌊(n+f)/2⌋+1. `None` unless n ≥ 3f+1 and 1 ≤ n ≤ 64.
pub fn quorum(authorities: usize, faulty: usize) -> Option<usize> {
    let fits = (1..=AUTHORITIES_MAX).contains(&authorities)
        && faulty <= AUTHORITIES_MAX
        && authorities > 3 * faulty;
    fits.then(|| (authorities + faulty) / 2 + 1)
}

/// Which logs a policy speaks about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OriginRule {
    /// Exactly this log.
    Exact(String),
    /// Every log whose origin starts with this text and a slash.
    Below(String),
}

impl OriginRule {
    /// Whether this origin is covered.
    pub fn covers(&self, origin: &str) -> bool {
        match self {
            Self::Exact(only) => only == origin,
            Self::Below(prefix) => {
                origin.strip_prefix(prefix.as_str()).is_some_and(|rest| rest.starts_with('/'))
            }
        }
    }
}

impl fmt::Display for OriginRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(origin) => f.write_str(origin),
            Self::Below(prefix) => write!(f, "{prefix}/*"),
        }
    }
}

/// Authorities whose cosignatures count, in the order of their numbers (from 1), and how many of
/// them may be malicious.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    origin: OriginRule,
    authorities: Vec<AuthorityKey>,
    faulty: usize,
    quorum: usize,
}

/// Why a set of authorities makes no policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PolicyError {
    /// n authorities cannot stand f malicious ones, or there are none, or too many.
    Count {
        /// Number of authorities.
        authorities: usize,
        /// How many may be malicious.
        faulty: usize,
    },
    /// Two authorities share a name or a key.
    Twice(String),
    /// No authority has this name.
    Unknown(String),
    /// The origin is not printable.
    Origin,
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count { authorities, faulty } if *authorities > faulty.saturating_mul(3) => {
                write!(f, "{authorities} authorities: there must be 1 to {AUTHORITIES_MAX}")
            }
            Self::Count { authorities, faulty } => write!(
                f,
                "{authorities} authorities cannot stand {faulty} malicious: at least {} are needed",
                faulty.saturating_mul(3).saturating_add(1)
            ),
            Self::Twice(name) => {
                write!(f, "authority {name} appears twice, by its name or by its key")
            }
            Self::Unknown(name) => write!(f, "no authority is called {name}"),
            Self::Origin => write!(f, "the origin must be printable, without spaces or +"),
        }
    }
}

impl std::error::Error for PolicyError {}

/// Where a trust file is not as it must be. Lines and columns count from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyParseError {
    /// Line.
    pub line: usize,
    /// Column, in characters.
    pub column: usize,
    /// What was expected there, or what is wrong with what stands there.
    pub reason: String,
}

impl fmt::Display for PolicyParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.reason)
    }
}

impl std::error::Error for PolicyParseError {}

/// Why a signed checkpoint is not final under a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QuorumError {
    /// The checkpoint belongs to a log the policy does not speak about.
    Origin {
        /// The log that signed.
        found: String,
        /// What the policy covers.
        covered: String,
    },
    /// A signature under a known key's name is not valid.
    BadSignature(String),
    /// Fewer valid cosignatures than the quorum.
    TooFew {
        /// Valid ones by distinct known authorities.
        valid: usize,
        /// How many are needed.
        needed: usize,
    },
}

impl fmt::Display for QuorumError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Origin { found, covered } => {
                write!(f, "the checkpoint is of {found}, but the trust file speaks about {covered}")
            }
            Self::BadSignature(name) => {
                write!(f, "the cosignature under the name {name} is not by that key")
            }
            Self::TooFew { valid, needed } => write!(
                f,
                "{valid} valid cosignatures by trusted authorities; the quorum is {needed}"
            ),
        }
    }
}

impl std::error::Error for QuorumError {}

impl Policy {
    /// The policy of these authorities, numbered from 1 in this order.
    ///
    /// # Errors
    /// When n < 3f+1, an authority appears twice, or the origin is not printable.
    pub fn new(
        origin: OriginRule,
        authorities: Vec<AuthorityKey>,
        faulty: usize,
    ) -> Result<Self, PolicyError> {
        let (OriginRule::Exact(text) | OriginRule::Below(text)) = &origin;
        if !is_origin(text) || text.ends_with('*') {
            return Err(PolicyError::Origin);
        }
        let count = PolicyError::Count { authorities: authorities.len(), faulty };
        let quorum = quorum(authorities.len(), faulty).ok_or(count)?;
        let (mut names, mut keys) = (BTreeSet::new(), BTreeSet::new());
        for key in &authorities {
            if !names.insert(key.name()) || !keys.insert(key.public()) {
                return Err(PolicyError::Twice(key.name().to_owned()));
            }
        }
        Ok(Self { origin, authorities, faulty, quorum })
    }

    /// The same with another key for the authority of this key's name.
    ///
    /// # Errors
    /// When there is no such authority, or the key is another one's.
    pub fn with_key(&self, key: &AuthorityKey) -> Result<Self, PolicyError> {
        let place = self.authorities.iter().position(|one| one.name() == key.name());
        let place = place.ok_or_else(|| PolicyError::Unknown(key.name().to_owned()))?;
        let mut authorities = self.authorities.clone();
        authorities[place] = key.clone();
        Self::new(self.origin.clone(), authorities, self.faulty)
    }

    /// Which logs it speaks about.
    pub fn origin(&self) -> &OriginRule {
        &self.origin
    }

    /// The authorities; number i stands at i - 1.
    pub fn authorities(&self) -> &[AuthorityKey] {
        &self.authorities
    }

    /// How many authorities may be malicious.
    pub fn faulty(&self) -> usize {
        self.faulty
    }

    /// How many cosignatures make a checkpoint final.
    pub fn quorum(&self) -> usize {
        self.quorum
    }

    /// The numbers (from 1) of the authorities whose cosignatures are on the checkpoint, all of
    /// them valid. Lines by unknown keys are ignored, as C2SP signed-note demands.
    ///
    /// # Errors
    /// Another origin, an invalid signature under a known key, or fewer than the quorum.
    pub fn verify(&self, note: &SignedCheckpoint) -> Result<Vec<usize>, QuorumError> {
        let signers = self.signers(note)?;
        if signers.len() < self.quorum {
            return Err(QuorumError::TooFew { valid: signers.len(), needed: self.quorum });
        }
        Ok(signers)
    }

    /// Like [`verify`](Self::verify) without asking for a quorum.
    ///
    /// # Errors
    /// Another origin, or an invalid signature under a known key.
    pub fn signers(&self, note: &SignedCheckpoint) -> Result<Vec<usize>, QuorumError> {
        let checkpoint = &note.checkpoint;
        if !self.origin.covers(&checkpoint.origin) {
            return Err(QuorumError::Origin {
                found: checkpoint.origin.clone(),
                covered: self.origin.to_string(),
            });
        }
        let mut signers = Vec::new();
        for (at, key) in self.authorities.iter().enumerate() {
            let Some(line) = note.find(key) else { continue };
            let valid = Cosignature::from_bytes(&line.bytes)
                .is_some_and(|cosignature| key.verify_cosignature(checkpoint, &cosignature));
            if !valid {
                return Err(QuorumError::BadSignature(key.name().to_owned()));
            }
            signers.push(at + 1);
        }
        Ok(signers)
    }

    /// Parses a trust file; accepts only what `Display` prints.
    ///
    /// # Errors
    /// Line, column and what was expected there.
    pub fn parse(text: &str) -> Result<Self, PolicyParseError> {
        let mut lines = Lines { rest: text, line: 0 };
        let first = lines.next("the line `# quorate trust v1`")?;
        if first != FIRST_LINE {
            return Err(lines.wrong(1, "expected the line `# quorate trust v1`"));
        }
        let origin = lines.field("# origin ")?;
        let origin = match origin.strip_suffix("/*") {
            Some(prefix) => OriginRule::Below(prefix.to_owned()),
            None => OriginRule::Exact(origin.to_owned()),
        };
        let faulty = decimal(lines.field("# faulty ")?);
        let faulty = faulty.and_then(|number| usize::try_from(number).ok());
        let faulty = faulty.ok_or_else(|| lines.wrong(10, "expected a number in decimal"))?;
        let mut authorities = Vec::new();
        while lines.rest.starts_with("witness ") && authorities.len() < AUTHORITIES_MAX {
            let prefix = format!("witness {} ", authorities.len() + 1);
            let key = AuthorityKey::parse(lines.field(&prefix)?);
            let column = prefix.len() + 1;
            authorities.push(key.map_err(|error| lines.wrong(column, &error.to_string()))?);
        }
        let policy = Self::new(origin, authorities, faulty)
            .map_err(|error| lines.wrong(1, &error.to_string()))?;
        for expected in [policy.group_line(), "quorum authorities".to_owned()] {
            let line = lines.next(&format!("the line `{expected}`"))?;
            if line != expected {
                return Err(lines.wrong(1, &format!("expected the line `{expected}`")));
            }
        }
        if !lines.rest.is_empty() {
            lines.line += 1;
            return Err(lines.wrong(1, "expected the end of the file"));
        }
        Ok(policy)
    }

    fn group_line(&self) -> String {
        let numbers: String = (1..=self.authorities.len()).map(|n| format!(" {n}")).collect();
        format!("group authorities {}{numbers}", self.quorum)
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{FIRST_LINE}\n# origin {}\n# faulty {}", self.origin, self.faulty)?;
        for (at, key) in self.authorities.iter().enumerate() {
            writeln!(f, "witness {} {key}", at + 1)?;
        }
        writeln!(f, "{}\nquorum authorities", self.group_line())
    }
}

struct Lines<'a> {
    rest: &'a str,
    line: usize,
}

impl<'a> Lines<'a> {
    fn next(&mut self, expected: &str) -> Result<&'a str, PolicyParseError> {
        self.line += 1;
        match self.rest.split_once('\n') {
            Some((line, rest)) => {
                self.rest = rest;
                Ok(line)
            }
            None => Err(self.wrong(1, &format!("expected {expected}, ended by a newline"))),
        }
    }

    fn field(&mut self, prefix: &str) -> Result<&'a str, PolicyParseError> {
        let line = self.next(&format!("a line that starts with `{prefix}`"))?;
        let expected = format!("expected a line that starts with `{prefix}`");
        line.strip_prefix(prefix).ok_or_else(|| self.wrong(1, &expected))
    }

    fn wrong(&self, column: usize, reason: &str) -> PolicyParseError {
        PolicyParseError { line: self.line, column, reason: reason.to_owned() }
    }
}

#[cfg(test)]
mod tests;

//! The manifest: everything that decides an election, in one canonical byte form whose SHA-256 is
//! the election's fingerprint. Every proof, signature and receipt is bound to that fingerprint.
//!
//! It comes in two steps. A [`Draft`] is what the administrator wants. Once the roll is imported
//! and the trustees have made the joint key, the [`Manifest`] adds roll, keys and authorities and
//! never changes again; another wish is another election.

use core::fmt;

use ballot::{
    BallotContext, ElectionKey, Fingerprint,
    ceremony::Parameters,
    signature::{PublicKey, SigningKey},
};
use ledger::{AuthorityKey, OriginRule, Policy};

use crate::{
    definition::{Definition, Problem, Secrecy},
    id::ElectionId,
    roll::RollSummary,
    wire::{DecodeError, Reader, put_text, sha256},
};

const VERSION: u8 = 1;
const DRAFT_TAG: &str = "quorate/draft/v1";
const ADMIN_TAG: &str = "quorate/manifest/v1/admin";
const TRUSTEE_TAG: &str = "quorate/manifest/v1/trustee";
const AUTHORITY_TAG: &str = "quorate/manifest/v1/authority";
const OPEN_TAG: &str = "quorate/open/v1";
const CLOSE_TAG: &str = "quorate/close/v1";

/// Longest manifest: it must fit an entry together with the administrator's signature.
pub const MANIFEST_BYTES_MAX: usize = crate::entry::BODY_BYTES_MAX - 64;
/// Largest total weight of a roll times the highest score of an option, so that counts can be found
/// by a bounded discrete logarithm.
pub const TOTAL_WEIGHT_MAX: u64 = 1 << 40;

/// What an administrator wants, signed before anything else exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// The election's name, chosen at random.
    pub id: ElectionId,
    /// Questions and rules.
    pub definition: Definition,
    /// The administrator's Ed25519 public key.
    pub admin: [u8; 32],
}

impl Draft {
    /// The canonical bytes: `version | id | admin | definition`.
    ///
    /// # Panics
    /// When a text of the definition is longer than a u16 can say; `check` refuses far shorter.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&self.id.0);
        bytes.extend_from_slice(&self.admin);
        self.definition.put(&mut bytes);
        bytes
    }

    /// Reads the canonical bytes. Rules are checked by [`Definition::check`].
    ///
    /// # Errors
    /// Field and offset of what is wrong.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new("draft", bytes);
        read_version(&mut reader)?;
        let draft = Self {
            id: ElectionId(reader.array("election id")?),
            admin: reader.array("administrator's key")?,
            definition: Definition::read(&mut reader)?,
        };
        reader.finish()?;
        Ok(draft)
    }

    /// The administrator's signature on it.
    pub fn sign(&self, admin: &SigningKey) -> [u8; 64] {
        admin.sign(DRAFT_TAG, &self.encode())
    }

    /// Whether the signature is by the administrator named in the draft.
    #[must_use]
    pub fn verify(&self, signature: &[u8; 64]) -> bool {
        verify(&self.admin, DRAFT_TAG, &self.encode(), signature)
    }
}

/// A trustee's two public keys; the name stands in the definition at the same place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trustee {
    /// Ed25519 key that signs ceremony messages and the manifest.
    pub signing: [u8; 32],
    /// ristretto255 point against which decryption shares are checked.
    pub verification: [u8; 32],
}

/// An authority with its number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authority {
    /// Its number, from 1, as entries and store keys name it.
    pub index: u8,
    /// Name and key.
    pub key: AuthorityKey,
}

/// Everything that decides an election.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    /// The election's name.
    pub id: ElectionId,
    /// Questions and rules.
    pub definition: Definition,
    /// The administrator's Ed25519 public key.
    pub admin: [u8; 32],
    /// The trustees' keys, in the order of their names.
    pub trustees: Vec<Trustee>,
    /// The key ballots are encrypted to; zeros in an open poll.
    pub joint_key: [u8; 32],
    /// Which attempt of the key ceremony made the keys, from 0.
    pub ceremony_attempt: u32,
    /// Hash of that attempt's announcements and dealings; zeros in an open poll.
    pub ceremony_hash: [u8; 32],
    /// Who may vote.
    pub roll: RollSummary,
    /// Who checks and signs, ascending by number.
    pub authorities: Vec<Authority>,
    /// How many authorities may be malicious.
    pub faulty: u8,
    /// How many minutes an authority's stamps may run backwards.
    pub stamp_slack_minutes: u16,
}

/// Whose signature on a manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Endorser {
    /// A trustee, by number from 1.
    Trustee(u8),
    /// An authority, by number.
    Authority(u8),
}

impl fmt::Display for Endorser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Trustee(index) => write!(f, "trustee {index}"),
            Self::Authority(index) => write!(f, "authority {index}"),
        }
    }
}

impl Manifest {
    /// Name of the election's log: `<domain>/e/<id>`.
    pub fn origin(&self) -> String {
        format!("{}/e/{}", self.definition.domain, self.id)
    }

    /// How many authorities must agree: ⌊(n+f)/2⌋+1.
    ///
    /// # Panics
    /// When the manifest was not checked and n < 3f+1.
    pub fn quorum(&self) -> usize {
        ledger::quorum(self.authorities.len(), usize::from(self.faulty))
            .expect("a checked manifest has enough authorities")
    }

    /// SHA-256 of the canonical bytes.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint(sha256(&[&self.encode()]))
    }

    /// The authority with this number.
    pub fn authority(&self, index: u8) -> Option<&Authority> {
        self.authorities.iter().find(|authority| authority.index == index)
    }

    /// The trustee with this number, from 1.
    pub fn trustee(&self, index: u8) -> Option<&Trustee> {
        self.trustees.get(usize::from(index).checked_sub(1)?)
    }

    /// The trust file's content for this election. What a manifest says about its own authorities
    /// proves nothing: a verifier needs the file from elsewhere.
    ///
    /// # Errors
    /// When n < 3f+1 or authorities share a name or key.
    pub fn policy(&self) -> Result<Policy, ledger::PolicyError> {
        let keys = self.authorities.iter().map(|authority| authority.key.clone()).collect();
        Policy::new(OriginRule::Exact(self.origin()), keys, usize::from(self.faulty))
    }

    /// The key ceremony this manifest is the outcome of.
    ///
    /// # Panics
    /// When the manifest was not checked and the threshold does not fit the trustees.
    pub fn ceremony_parameters(&self) -> Parameters {
        let trustees = self.definition.trustees.len() as u16;
        let threshold = self.definition.threshold.into();
        Parameters::new(self.id.0, self.ceremony_attempt, trustees, threshold)
            .expect("a checked manifest has 1 <= threshold <= trustees <= 16")
    }

    /// What encrypted ballots of this election are made for and checked against.
    ///
    /// # Errors
    /// When the joint key is no key (as in an open poll) or the contests make no ballot; the
    /// checked manifest of a secret election has both.
    pub fn ballot_context(&self) -> Result<BallotContext, Problem> {
        let problem = |field: &str, sentence| Problem { field: field.to_owned(), sentence };
        let key = ElectionKey::from_bytes(self.joint_key)
            .map_err(|error| problem("joint_key", error.to_string()))?;
        let questions = self.definition.questions();
        let questions = questions.map_err(|error| problem("contests", error.to_string()))?;
        Ok(BallotContext::with_contests(self.fingerprint(), key, questions))
    }

    /// Whether a roll of this total weight can be counted.
    ///
    /// # Errors
    /// Total weight times the highest score of an option is above [`TOTAL_WEIGHT_MAX`].
    pub fn check_weight(&self, total_weight: u64) -> Result<(), String> {
        let kinds = self.definition.kinds();
        let highest = kinds.iter().map(ballot::ContestKind::highest).max().unwrap_or(1);
        if u128::from(total_weight) * u128::from(highest) <= u128::from(TOTAL_WEIGHT_MAX) {
            return Ok(());
        }
        Err(format!(
            "the total weight {total_weight} times the highest score {highest} is more than \
             {TOTAL_WEIGHT_MAX} (2^40), so the counts could not be found: use smaller weights or \
             scores"
        ))
    }

    /// Checks every rule a manifest must meet by itself.
    ///
    /// # Errors
    /// All problems found, in the order of the fields.
    pub fn check(&self) -> Result<(), Vec<Problem>> {
        let mut problems = self.definition.check().err().unwrap_or_default();
        let mut need = |field: &str, holds: bool, sentence: String| {
            if !holds {
                problems.push(Problem { field: field.to_owned(), sentence });
            }
        };
        let usable = |key: &[u8; 32]| PublicKey::from_bytes(key).is_ok();
        need("admin", usable(&self.admin), "is not a usable Ed25519 public key".into());
        let (names, keys) = (self.definition.trustees.len(), self.trustees.len());
        need("trustees", names == keys, format!("{names} names but {keys} pairs of keys"));
        for (at, trustee) in self.trustees.iter().enumerate() {
            let sentence = "is not a usable Ed25519 public key".to_owned();
            need(&format!("trustees[{at}].signing"), usable(&trustee.signing), sentence);
        }
        let roll = &self.roll;
        need("roll", roll.count >= 1, "nobody is on the roll".into());
        let sentence = format!("the total weight {} is out of range", roll.total_weight);
        need("roll", roll.total_weight >= u64::from(roll.count), sentence);
        if let Err(sentence) = self.check_weight(roll.total_weight) {
            need("roll", false, sentence);
        }
        let ascending = self.authorities.windows(2).all(|pair| pair[0].index < pair[1].index);
        let from_one = self.authorities.first().is_none_or(|first| first.index >= 1);
        let sentence = "their numbers must ascend from 1 or more".to_owned();
        need("authorities", ascending && from_one, sentence);
        for authority in &self.authorities {
            let sentence = format!("the key of authority {} is not usable", authority.index);
            need("authorities", usable(authority.key.public()), sentence);
        }
        if let Err(error) = self.policy() {
            need("authorities", false, error.to_string());
        }
        if problems.is_empty() {
            problems.extend(match self.definition.secrecy {
                Secrecy::Secret => self.ballot_context().err(),
                Secrecy::Open => self.check_keyless(),
            });
            problems.extend(self.check_length());
        }
        if problems.is_empty() { Ok(()) } else { Err(problems) }
    }

    fn check_keyless(&self) -> Option<Problem> {
        let keyless = (self.joint_key, self.ceremony_attempt, self.ceremony_hash);
        (keyless != ([0; 32], 0, [0; 32])).then(|| Problem {
            field: "joint_key".to_owned(),
            sentence: "an open poll has no key and no ceremony: these bytes must be zero"
                .to_owned(),
        })
    }

    fn check_length(&self) -> Option<Problem> {
        let bytes = self.encode().len();
        (bytes > MANIFEST_BYTES_MAX).then(|| Problem {
            field: "contests".to_owned(),
            sentence: format!(
                "the manifest has {bytes} bytes, more than {MANIFEST_BYTES_MAX}: shorten the texts"
            ),
        })
    }

    /// The canonical bytes.
    ///
    /// # Panics
    /// When a text is longer than a u16 can say; `check` refuses far shorter ones.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&self.id.0);
        self.definition.put(&mut bytes);
        bytes.extend_from_slice(&self.admin);
        bytes.push(self.trustees.len() as u8);
        for trustee in &self.trustees {
            bytes.extend_from_slice(&trustee.signing);
            bytes.extend_from_slice(&trustee.verification);
        }
        bytes.extend_from_slice(&self.joint_key);
        bytes.extend_from_slice(&self.ceremony_attempt.to_be_bytes());
        bytes.extend_from_slice(&self.ceremony_hash);
        self.roll.put(&mut bytes);
        bytes.push(self.authorities.len() as u8);
        for authority in &self.authorities {
            bytes.push(authority.index);
            put_text(&mut bytes, authority.key.name());
            bytes.extend_from_slice(authority.key.public());
        }
        bytes.push(self.faulty);
        bytes.extend_from_slice(&self.stamp_slack_minutes.to_be_bytes());
        bytes
    }

    /// Reads the canonical bytes. Rules are checked by [`Manifest::check`].
    ///
    /// # Errors
    /// Field and offset of what is wrong.
    pub fn decode(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new("manifest", bytes);
        read_version(&mut reader)?;
        let manifest = Self {
            id: ElectionId(reader.array("election id")?),
            definition: Definition::read(&mut reader)?,
            admin: reader.array("administrator's key")?,
            trustees: read_trustees(&mut reader)?,
            joint_key: reader.array("joint key")?,
            ceremony_attempt: reader.u32("attempt of the ceremony")?,
            ceremony_hash: reader.array("hash of the ceremony")?,
            roll: RollSummary::read(&mut reader)?,
            authorities: read_authorities(&mut reader)?,
            faulty: reader.u8("malicious authorities")?,
            stamp_slack_minutes: reader.u16("stamp slack")?,
        };
        reader.finish()?;
        Ok(manifest)
    }
}

fn read_version(reader: &mut Reader<'_>) -> Result<(), DecodeError> {
    match reader.u8("version")? {
        VERSION => Ok(()),
        _ => Err(reader.wrong("version", "must be 1")),
    }
}

fn read_trustees(reader: &mut Reader<'_>) -> Result<Vec<Trustee>, DecodeError> {
    let count = reader.u8("number of trustees' keys")?;
    let mut read = |_| {
        Ok(Trustee {
            signing: reader.array("trustee's signing key")?,
            verification: reader.array("trustee's verification key")?,
        })
    };
    (0..count).map(&mut read).collect()
}

fn read_authorities(reader: &mut Reader<'_>) -> Result<Vec<Authority>, DecodeError> {
    let count = reader.u8("number of authorities")?;
    let mut read = |_| {
        let index = reader.u8("authority's number")?;
        let name = reader.text("authority's name")?;
        let public = reader.array("authority's key")?;
        let key = AuthorityKey::new(&name, &public)
            .map_err(|_| reader.wrong("authority's key", "name or key is not usable"))?;
        Ok(Authority { index, key })
    };
    (0..count).map(&mut read).collect()
}

/// Signatures over a manifest's fingerprint. Each has its own tag, so none fits another purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// The administrator seals the manifest.
    Seal,
    /// A trustee or authority endorses it.
    Endorse(Endorser),
    /// The administrator opens the election.
    Open,
    /// The administrator closes it.
    Close,
}

impl Act {
    fn tag_and_message(self, fingerprint: &Fingerprint) -> (&'static str, Vec<u8>) {
        let mut message = fingerprint.0.to_vec();
        let tag = match self {
            Self::Seal => ADMIN_TAG,
            Self::Open => OPEN_TAG,
            Self::Close => CLOSE_TAG,
            Self::Endorse(Endorser::Trustee(index)) => {
                message.push(index);
                TRUSTEE_TAG
            }
            Self::Endorse(Endorser::Authority(index)) => {
                message.push(index);
                AUTHORITY_TAG
            }
        };
        (tag, message)
    }

    /// Signs this act on the election with this fingerprint.
    pub fn sign(self, fingerprint: &Fingerprint, key: &SigningKey) -> [u8; 64] {
        let (tag, message) = self.tag_and_message(fingerprint);
        key.sign(tag, &message)
    }

    /// Whether the manifest names a key for this act and the signature is by it.
    #[must_use]
    pub fn verify(self, manifest: &Manifest, fingerprint: &Fingerprint, by: &[u8; 64]) -> bool {
        let key = match self {
            Self::Seal | Self::Open | Self::Close => Some(&manifest.admin),
            Self::Endorse(Endorser::Trustee(index)) => {
                manifest.trustee(index).map(|trustee| &trustee.signing)
            }
            Self::Endorse(Endorser::Authority(index)) => {
                manifest.authority(index).map(|authority| authority.key.public())
            }
        };
        let (tag, message) = self.tag_and_message(fingerprint);
        key.is_some_and(|key| verify(key, tag, &message, by))
    }
}

fn verify(key: &[u8; 32], tag: &str, message: &[u8], signature: &[u8; 64]) -> bool {
    PublicKey::from_bytes(key).is_ok_and(|key| key.verify(tag, message, signature).is_ok())
}

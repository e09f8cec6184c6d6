//! What leaf 0 settles for good: the manifest, its fingerprint, and what follows from both.

use std::collections::BTreeMap;

use ballot::{
    BallotContext, BallotError, Contests, Fingerprint, HEADER_LEN, OpenBallot, ParsedBallot,
    signature::PublicKey,
};
use ledger::AuthorityKey;

use crate::{
    definition::{Problem, Secrecy},
    entry::Entry,
    id::ElectionId,
    manifest::{Act, Manifest},
    refusal::{Refusal, code},
    wire::sha256,
};

/// Bytes of one ciphertext, its `a` first.
const CIPHERTEXT_BYTES: usize = 64;

/// The manifest and everything derived from it once.
pub(crate) struct Charter {
    pub(crate) manifest: Manifest,
    pub(crate) fingerprint: Fingerprint,
    /// Questions of the election.
    pub(crate) questions: Contests,
    /// What encrypted ballots are checked against; none in an open poll.
    pub(crate) context: Option<BallotContext>,
    appenders: BTreeMap<u8, PublicKey>,
    /// For each group, where the `a` components of its ballots stand.
    a_offsets: Vec<Vec<usize>>,
}

/// A ballot's fields that rules are about, borrowed from its bytes.
pub(crate) struct Header<'a> {
    pub(crate) credential: &'a [u8; 32],
    pub(crate) seq: u32,
    pub(crate) prev: &'a [u8; 32],
    pub(crate) group: u8,
}

impl Charter {
    /// Reads and checks a manifest with the administrator's signature.
    pub(crate) fn new(
        election: ElectionId,
        bytes: &[u8],
        signature: &[u8; 64],
    ) -> Result<Self, Refusal> {
        let manifest = Manifest::decode(bytes)
            .map_err(|error| Refusal::new(code::MALFORMED, error.to_string()))?;
        if manifest.id != election {
            let sentence = format!("The manifest is of election {}, not {election}.", manifest.id);
            return Err(Refusal::new(code::WRONG_ELECTION, sentence));
        }
        let refuse = |problem: Problem| Refusal::new(code::BAD_MANIFEST, problem.to_string());
        manifest.check().map_err(|problems| join(&problems))?;
        let fingerprint = Fingerprint(sha256(&[bytes]));
        if !Act::Seal.verify(&manifest, &fingerprint, signature) {
            let sentence = "The manifest is not signed by the administrator it names.";
            return Err(Refusal::new(code::BAD_SIGNATURE, sentence));
        }
        let questions = manifest.definition.questions().map_err(|error| {
            refuse(Problem { field: "contests".to_owned(), sentence: error.to_string() })
        })?;
        let context = match manifest.definition.secrecy {
            Secrecy::Secret => Some(manifest.ballot_context().map_err(refuse)?),
            Secrecy::Open => None,
        };
        let appender = |authority: &crate::manifest::Authority| {
            let key = PublicKey::from_bytes(authority.key.public()).ok()?;
            Some((authority.index, key))
        };
        let appenders = manifest.authorities.iter().filter_map(appender).collect();
        let a_offsets = match context {
            Some(_) => (0..=u8::MAX).map(|group| a_offsets(&questions, group)).collect(),
            None => vec![Vec::new(); 256],
        };
        Ok(Self { manifest, fingerprint, questions, context, appenders, a_offsets })
    }

    /// The key of an authority: the one that followed the manifest's, if there is one.
    pub(crate) fn appender(
        &self,
        number: u8,
        successor: Option<&AuthorityKey>,
    ) -> Option<PublicKey> {
        let newest = successor.and_then(|key| PublicKey::from_bytes(key.public()).ok());
        newest.or_else(|| self.appenders.get(&number).copied())
    }

    /// Checks that the entry's appender is an authority and signed it, with the key that followed
    /// the manifest's if there is one.
    pub(crate) fn check_appender(
        &self,
        entry: &Entry<'_>,
        successor: Option<&AuthorityKey>,
    ) -> Result<(), Refusal> {
        let Some(key) = self.appender(entry.appender, successor) else {
            let sentence = format!("Number {} is no authority of this election.", entry.appender);
            return Err(Refusal::new(code::UNKNOWN_APPENDER, sentence));
        };
        if entry.is_signed_by(&key, self.manifest.id) {
            return Ok(());
        }
        let sentence =
            format!("The entry is not signed by authority {}, its appender.", entry.appender);
        Err(Refusal::new(code::UNKNOWN_APPENDER, sentence))
    }

    /// Reads a ballot's header after its version, election and length were found right.
    pub(crate) fn header<'a>(&self, ballot: &'a [u8]) -> Result<Header<'a>, Refusal> {
        let short = || Refusal::new(code::MALFORMED, "The ballot ends inside its header.");
        let (version, rest) = ballot.split_first().ok_or_else(short)?;
        if *version != ballot::VERSION {
            let sentence = format!(
                "The ballot has format version {version}; this election uses {}.",
                ballot::VERSION
            );
            return Err(Refusal::new(code::WRONG_VERSION, sentence));
        }
        let (fingerprint, rest) = rest.split_first_chunk::<32>().ok_or_else(short)?;
        if *fingerprint != self.fingerprint.0 {
            let sentence = "The ballot was made for another election.";
            return Err(Refusal::new(code::WRONG_ELECTION, sentence));
        }
        let group = ballot.get(HEADER_LEN - 1).copied().unwrap_or_default();
        let expected = match &self.context {
            Some(context) => context.ballot_len(group),
            None => OpenBallot::len(&self.questions, group),
        };
        if ballot.len() != expected {
            let error = BallotError::Length { expected, found: ballot.len() };
            return Err(refuse_ballot(&error));
        }
        let (credential, rest) = rest.split_first_chunk::<32>().ok_or_else(short)?;
        let (seq, rest) = rest.split_first_chunk::<4>().ok_or_else(short)?;
        let (prev, _) = rest.split_first_chunk::<32>().ok_or_else(short)?;
        Ok(Header { credential, seq: u32::from_le_bytes(*seq), prev, group })
    }

    /// First halves of the `a` components of a ballot of the right length. They are random group
    /// elements: sixteen bytes tell them apart, and whoever could choose a colliding one would
    /// only get their own ballot refused.
    pub(crate) fn a_prefixes(&self, ballot: &[u8]) -> Vec<[u8; 16]> {
        let prefix = |at: &usize| ballot.get(*at..)?.first_chunk::<16>().copied();
        let group = ballot.get(HEADER_LEN - 1).copied().unwrap_or_default();
        self.a_offsets[usize::from(group)].iter().filter_map(prefix).collect()
    }

    /// Checks points, signature and proofs of one ballot exactly, without randomness.
    pub(crate) fn check_exactly(&self, ballot: &[u8]) -> Result<(), Refusal> {
        let checked = match &self.context {
            Some(context) => ParsedBallot::parse(ballot, context)
                .and_then(|ballot| ballot.verify_signature().and_then(|()| ballot.verify_proofs())),
            None => self.open_ballot(ballot).and_then(|ballot| ballot.verify_signature()),
        };
        checked.map_err(|error| self.refuse_ballot(&error))
    }

    /// Reads a ballot of an open poll.
    pub(crate) fn open_ballot(&self, ballot: &[u8]) -> Result<OpenBallot, BallotError> {
        OpenBallot::parse(ballot, self.fingerprint, &self.questions)
    }

    /// The refusal of a ballot that is wrong in itself.
    pub(crate) fn refuse_ballot(&self, error: &BallotError) -> Refusal {
        if let (None, BallotError::Proof { contest }) = (&self.context, error) {
            let sentence = format!("The answer to question {contest} is not valid.");
            return Refusal::new(code::BAD_ANSWER, sentence);
        }
        refuse_ballot(error)
    }
}

fn refuse_ballot(error: &BallotError) -> Refusal {
    let code = match error {
        BallotError::Length { .. }
        | BallotError::Credential
        | BallotError::Group { .. }
        | BallotError::Kind { .. }
        | BallotError::Encoding { .. } => code::MALFORMED,
        BallotError::Version { .. } => code::WRONG_VERSION,
        BallotError::Election | BallotError::Context => code::WRONG_ELECTION,
        BallotError::Signature(_) => code::BAD_SIGNATURE,
        BallotError::Proof { .. } => code::BAD_PROOF,
    };
    Refusal::new(code, format!("In this ballot: {error}."))
}

fn join(problems: &[Problem]) -> Refusal {
    let all: Vec<String> = problems.iter().map(Problem::to_string).collect();
    Refusal::new(code::BAD_MANIFEST, all.join("; "))
}

fn a_offsets(questions: &Contests, group: u8) -> Vec<usize> {
    let mut start = HEADER_LEN;
    let mut offsets = Vec::new();
    for &contest in questions.of_group(group) {
        let kind = &questions.kinds()[usize::from(contest)];
        let ciphertexts = usize::from(kind.counters());
        offsets.extend((0..ciphertexts).map(|at| start + 1 + at * CIPHERTEXT_BYTES));
        start += kind.body_len();
    }
    offsets
}

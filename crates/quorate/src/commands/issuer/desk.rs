//! Where enrolments are taken: each token once, each taken enrolment in a journal before it is
//! confirmed, so that a confirmed one survives whatever happens next.

use super::lines::Lines;
use super::tokens::Invited;
use crate::commands::Failure;
use ballot::enrolment::{EnrolmentError, EnrolmentRequest, TokenName};
use election::{ElectionId, Voter};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

/// What became of an enrolment that is right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Taken {
    /// The voter is enrolled now.
    Now,
    /// With the same key before.
    Before,
}

/// Why an enrolment is not taken. What is said tells a stranger nothing about voters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NotTaken {
    /// The request is wrong in itself, or nobody has such a token.
    Wrong(EnrolmentError),
    /// The token has enrolled another key.
    Used {
        /// Whose token it is; not for the one who asks.
        voter_id: String,
        /// The key that is enrolled.
        key: [u8; 32],
    },
    /// Another voter has enrolled this key.
    KeyOfAnother,
    /// The journal cannot be written: nothing was taken.
    Unwritten(String),
}

impl fmt::Display for NotTaken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wrong(error) => write!(f, "{error}"),
            Self::Used { .. } => f.write_str(
                "this token has enrolled another key already. If that was not you, tell the issuer \
                 at once",
            ),
            Self::KeyOfAnother => f.write_str("somebody else has enrolled this key already"),
            Self::Unwritten(reason) => write!(f, "the enrolment could not be written: {reason}"),
        }
    }
}

impl NotTaken {
    /// The same for the issuer, who may know whose token it is.
    pub(super) fn for_issuer(&self) -> String {
        match self {
            Self::Used { voter_id, key } => format!(
                "voter '{voter_id}' has enrolled the key {} already, and somebody now asks for \
                 another one with the same token. Ask the voter which of both is theirs",
                hex::encode(key)
            ),
            other => other.to_string(),
        }
    }
}

/// Tokens, and who has used theirs.
pub(super) struct Desk {
    election: ElectionId,
    invited: Vec<Invited>,
    /// Place of a voter by the name of the token.
    names: BTreeMap<TokenName, usize>,
    /// Enrolled keys by place.
    enrolled: BTreeMap<usize, [u8; 32]>,
    /// The same keys, to find one.
    keys: BTreeSet<[u8; 32]>,
    journal: Lines,
}

impl Desk {
    /// Opens the journal beside the tokens, new or as an earlier run left it. A last line that was
    /// cut off was never confirmed, and is dropped.
    ///
    /// # Errors
    /// When the journal cannot be used, or is of other tokens; the line is named.
    pub(super) fn open(
        election: ElectionId,
        tokens: &Path,
        invited: Vec<Invited>,
    ) -> Result<Self, Failure> {
        let path = tokens.with_file_name("enrolled.csv");
        let (journal, text) = Lines::open(&path, &path.display().to_string())?;
        let names = (0..).zip(&invited);
        let names = names.map(|(at, one)| (TokenName::of(&one.token, &election.0), at)).collect();
        let (enrolled, keys) = (BTreeMap::new(), BTreeSet::new());
        let mut desk = Self { election, invited, names, enrolled, keys, journal };
        for (number, line) in (1..).zip(text.lines()) {
            let (place, key) = desk.read_line(line).ok_or_else(|| {
                let expected = "the name of a token of this election, a comma, a key";
                desk.journal.wrong(number, expected)
            })?;
            desk.enrol(place, key);
        }
        Ok(desk)
    }

    fn enrol(&mut self, place: usize, key: [u8; 32]) {
        self.enrolled.insert(place, key);
        self.keys.insert(key);
    }

    fn read_line(&self, line: &str) -> Option<(usize, [u8; 32])> {
        let (name, key) = line.split_once(',')?;
        let (mut token, mut credential) = ([0; 16], [0; 32]);
        hex::decode_to_slice(name, &mut token).ok()?;
        hex::decode_to_slice(key, &mut credential).ok()?;
        Some((*self.names.get(&TokenName(token))?, credential))
    }

    /// The election.
    pub(super) fn election(&self) -> ElectionId {
        self.election
    }

    /// How many are invited, and how many of them have enrolled.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.invited.len(), self.enrolled.len())
    }

    /// Takes an enrolment, durably.
    ///
    /// # Errors
    /// Why it is not taken; nothing has changed then.
    pub(super) fn take(&mut self, request: &EnrolmentRequest) -> Result<Taken, NotTaken> {
        let name = request.token_name();
        let unknown = NotTaken::Wrong(EnrolmentError::Token);
        let place = *self.names.get(&name).ok_or(unknown)?;
        let key = request.check(&self.invited[place].token).map_err(NotTaken::Wrong)?.to_bytes();
        match self.enrolled.get(&place) {
            Some(known) if *known == key => return Ok(Taken::Before),
            Some(known) => {
                let voter_id = self.invited[place].voter_id.clone();
                return Err(NotTaken::Used { voter_id, key: *known });
            }
            None => {}
        }
        if self.keys.contains(&key) {
            return Err(NotTaken::KeyOfAnother);
        }
        let line = format!("{},{}", hex::encode(name.0), hex::encode(key));
        let added = self.journal.add(&line);
        added.map_err(|error| NotTaken::Unwritten(error.to_string()))?;
        self.enrol(place, key);
        Ok(Taken::Now)
    }

    /// The key of an invited voter, once it is enrolled; `None` when there is no such voter.
    pub(super) fn key_of(&self, voter_id: &str) -> Option<Option<[u8; 32]>> {
        let place = self.invited.iter().position(|one| one.voter_id == voter_id)?;
        Some(self.enrolled.get(&place).copied())
    }

    /// Those who have enrolled, as the roll has them.
    pub(super) fn voters(&self) -> impl Iterator<Item = Voter> {
        self.enrolled.iter().map(|(place, credential)| {
            let Invited { weight, group, .. } = self.invited[*place];
            Voter { credential: *credential, weight, group }
        })
    }

    /// Those who have not.
    pub(super) fn missing(&self) -> impl Iterator<Item = &str> {
        let is_missing = |(place, _): &(usize, &Invited)| !self.enrolled.contains_key(place);
        self.invited.iter().enumerate().filter(is_missing).map(|(_, one)| one.voter_id.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ballot::{Code, Credential};
    use std::fs::OpenOptions;
    use std::io::Write;

    const ELECTION: ElectionId = ElectionId([7; 16]);

    fn token(seed: u8) -> Code {
        Code::from_bytes([seed; 15])
    }

    fn desk(folder: &Path) -> Result<Desk, Failure> {
        let invited = |seed: u8| Invited {
            voter_id: format!("v{seed}"),
            token: token(seed),
            weight: seed.into(),
            group: 0,
        };
        Desk::open(ELECTION, &folder.join("tokens.csv"), [1, 2].map(invited).into())
    }

    fn request(seed: u8, key: u8) -> EnrolmentRequest {
        EnrolmentRequest::make(&token(seed), &ELECTION.0, &Credential::from_seed(&[key; 32]))
    }

    #[test]
    fn a_token_enrols_one_key_and_a_restart_knows_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut first = desk(folder.path()).expect("new");
        assert_eq!(first.take(&request(1, 11)), Ok(Taken::Now));
        assert_eq!(first.take(&request(1, 11)), Ok(Taken::Before));
        let key = Credential::from_seed(&[11; 32]).public().to_bytes();
        let used = NotTaken::Used { voter_id: "v1".to_owned(), key };
        assert_eq!(first.take(&request(1, 12)), Err(used.clone()));
        assert!(!used.to_string().contains("v1") && used.for_issuer().contains("'v1'"));
        let keys = ["v1", "v2", "v9"].map(|voter| first.key_of(voter));
        assert_eq!(keys, [Some(Some(key)), Some(None), None]);
        assert_eq!(first.take(&request(2, 11)), Err(NotTaken::KeyOfAnother));
        let stranger = Err(NotTaken::Wrong(EnrolmentError::Token));
        assert_eq!(first.take(&request(9, 13)), stranger);
        drop(first);
        let path = folder.path().join("enrolled.csv");
        let mut file = OpenOptions::new().append(true).open(&path).expect("there");
        file.write_all(b"00ff").expect("cut off");
        let mut again = desk(folder.path()).expect("again");
        assert_eq!(again.take(&request(1, 12)), Err(used));
        assert_eq!(again.missing().collect::<Vec<_>>(), ["v2"]);
        assert_eq!(again.take(&request(2, 12)), Ok(Taken::Now));
        let weights: Vec<u32> = again.voters().map(|voter| voter.weight).collect();
        assert_eq!((weights, again.counts()), (vec![1, 2], (2, 2)));
        std::fs::write(&path, "what,ever\n").expect("written");
        let wrong = desk(folder.path()).err().expect("no journal").message;
        assert!(wrong.contains("enrolled.csv: line 1: expected the name of a token"), "{wrong}");
    }
}

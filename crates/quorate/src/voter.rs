//! A voter's side: make a ballot for some choices, and cast it until it is final.
//!
//! The ballot is encrypted, proven and signed here; only its bytes leave. They are sent to one
//! node after another, always the same bytes, until a node answers with a receipt that proves
//! that a quorum of authorities holds them. The receipt is checked here, against keys that the
//! booth was given, before the voter is told that the ballot is final. A refusal counts once as
//! many nodes have said it as make a quorum: one node may lag behind, or lie.

use crate::commands::Failure;
use crate::exit;
use crate::http::{ApiClient, Content, PAUSE, Reply, SubmitAnswer};
use crate::key_changes;
use ballot::{
    BallotContext, Choice, ChoiceError, ContestKind, Contests, Credential, OpenBallot, SealedBallot,
};
use bytes::Bytes;
use election::succession::Successions;
use election::{Contest, ElectionId, Manifest, Rule, Secrecy, receipt};
use ledger::{Policy, Receipt};
use rand_core::CryptoRng;
use reqwest::Method;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;
use tokio::time::Instant;

/// How long a ballot is sent again before its fate is called unknown.
const PATIENCE: Duration = Duration::from_secs(120);
/// Everything needed to vote in one election. Cloning is cheap.
#[derive(Clone)]
pub(crate) struct Booth {
    manifest: Manifest,
    questions: Contests,
    /// None in an open poll.
    context: Option<BallotContext>,
    policy: Policy,
}

/// A final ballot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FinalBallot {
    /// The receipt, checked.
    pub(crate) receipt: String,
    /// The ballot's short name.
    pub(crate) tracker: String,
    /// Index of its leaf.
    pub(crate) leaf: u64,
    /// How often the bytes were sent again.
    pub(crate) resent: u32,
}

/// Why there is no final ballot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NotFinal {
    /// Refused by as many nodes as make a quorum, or by all that could be asked.
    Refused {
        /// Stable code.
        code: String,
        /// For the person.
        sentence: String,
    },
    /// No receipt and no sufficient refusals in time: it may still become final.
    Unknown(String),
}

impl fmt::Display for NotFinal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused { code, sentence } => {
                write!(f, "the ballot is refused: {sentence} ({code})")
            }
            Self::Unknown(reason) => write!(
                f,
                "the ballot may or may not have been taken: {reason}; send the same bytes again"
            ),
        }
    }
}

impl std::error::Error for NotFinal {}

impl Booth {
    /// A booth for the election of a manifest. Receipts are checked against the manifest's own
    /// authorities, unless [`trusting`](Self::trusting) gives others.
    ///
    /// # Errors
    /// A sentence, when the manifest breaks a rule.
    pub(crate) fn new(manifest: Manifest) -> Result<Self, String> {
        manifest.check().map_err(|problems| {
            let all: Vec<String> = problems.iter().map(ToString::to_string).collect();
            format!("the manifest breaks its rules: {}", all.join("; "))
        })?;
        let questions = manifest.definition.questions().map_err(|error| error.to_string())?;
        let context = match manifest.definition.secrecy {
            Secrecy::Secret => {
                Some(manifest.ballot_context().map_err(|problem| problem.to_string())?)
            }
            Secrecy::Open => None,
        };
        let policy = manifest.policy().map_err(|error| error.to_string())?;
        Ok(Self { manifest, questions, context, policy })
    }

    /// The booth of an election, from the nodes. All nodes that answer must give one manifest.
    ///
    /// # Errors
    /// When no node has it, or they differ.
    pub(crate) async fn fetch(api: &ApiClient, election: ElectionId) -> Result<Self, Failure> {
        let path = format!("/api/v1/elections/{election}/manifest");
        let bytes = api.get_bytes(&path).await?;
        for (number, node) in api.nodes().iter().enumerate() {
            let reply = api.ask_once(number, Method::GET, &path, &Content::None).await;
            if let Reply::Done { body, .. } = reply
                && body != bytes
            {
                let message = format!("{node} gives another manifest than the other nodes: {path}");
                return Err(Failure::new(exit::FAILED, message));
            }
        }
        let failed = |reason: String| Failure::new(exit::FAILED, reason);
        let manifest = Manifest::decode(&bytes).map_err(|error| failed(error.to_string()))?;
        if manifest.id != election {
            return Err(failed(format!("the manifest is of election {}", manifest.id)));
        }
        Self::new(manifest).map_err(failed)
    }

    /// The same booth, checking receipts against a trust file instead.
    #[must_use]
    pub(crate) fn trusting(self, policy: Policy) -> Self {
        Self { policy, ..self }
    }

    /// The manifest.
    pub(crate) fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Encrypts, proves and signs choices, one for each contest of the voter's group; in an open
    /// poll they are signed in clear. `seq` and `prev` continue the credential's chain: 0 and zeros
    /// first, then the last ballot's number plus 1 and its hash.
    ///
    /// # Errors
    /// When a choice does not fit its contest.
    pub(crate) fn prepare(
        &self,
        credential: &Credential,
        group: u8,
        (seq, prev): (u32, [u8; 32]),
        choices: &[Choice],
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Result<SealedBallot, ChoiceError> {
        let Some(context) = &self.context else {
            let (fingerprint, place) = (self.manifest.fingerprint(), (seq, prev));
            return OpenBallot::cast(
                fingerprint,
                &self.questions,
                credential,
                group,
                place,
                choices,
            );
        };
        ballot::cast(context, credential, group, seq, prev, choices, rng)
    }

    /// Sends the same bytes to the nodes in turn, from `start_node` on, until they are final.
    ///
    /// # Errors
    /// Refused, or unknown after two minutes.
    pub(crate) async fn cast_until_final(
        &self,
        api: &ApiClient,
        ballot: &SealedBallot,
        start_node: usize,
    ) -> Result<FinalBallot, NotFinal> {
        let path = format!("/api/v1/elections/{}/ballots?wait=final", self.manifest.id);
        let content = Content::Octets(Bytes::copy_from_slice(ballot.as_bytes()));
        let mut words = Words::new(self.manifest.quorum().min(api.nodes().len()));
        let started = Instant::now();
        let mut keys = Successions::default();
        for attempt in 0_u32.. {
            let node = (start_node + attempt as usize) % api.nodes().len();
            match api.ask_once(node, Method::POST, &path, &content).await {
                Reply::Done { body, .. } => {
                    let mut read = self.read_answer(&body, ballot, &keys);
                    if let Err(NoReceipt::Wrong(_)) = read
                        && let Ok(followed) =
                            key_changes::follow(api, &self.manifest, &self.policy).await
                    {
                        // An authority may have another key by now.
                        keys = followed;
                        read = self.read_answer(&body, ballot, &keys);
                    }
                    match read {
                        Ok((receipt, leaf)) => {
                            let tracker = ballot.tracker().to_string();
                            return Ok(FinalBallot { receipt, tracker, leaf, resent: attempt });
                        }
                        Err(NoReceipt::NotYet(reason) | NoReceipt::Wrong(reason)) => {
                            words.not_now(format!("{}: {reason}", api.nodes()[node]));
                        }
                    }
                }
                Reply::Refused(problem)
                    if problem.code == election::refusal::code::ALREADY_ACCEPTED =>
                {
                    words.not_now(format!("{}: accepted, not final yet", api.nodes()[node]));
                }
                // A node that has not heard of the election lags behind the others.
                Reply::Refused(problem) if problem.status == 404 => {
                    words.not_now(format!("{}: {}", api.nodes()[node], problem.detail));
                }
                Reply::Refused(problem) => words.refused(node, problem.code, problem.detail),
                Reply::NotNow(reason) => {
                    words.not_now(format!("{}: {reason}", api.nodes()[node]));
                }
            }
            if let Some(end) = words.end(started.elapsed() > PATIENCE) {
                return Err(end);
            }
            if (attempt as usize + 1).is_multiple_of(api.nodes().len()) {
                tokio::time::sleep(PAUSE).await;
            }
        }
        unreachable!("patience ends before the numbers do")
    }

    /// The receipt in an answer, once it proves that these bytes are final, and the leaf.
    fn read_answer(
        &self,
        answer: &[u8],
        ballot: &SealedBallot,
        keys: &Successions,
    ) -> Result<(String, u64), NoReceipt> {
        let answer: SubmitAnswer = serde_json::from_slice(answer)
            .map_err(|error| NoReceipt::NotYet(format!("strange answer: {error}")))?;
        let Some(text) = answer.receipt else {
            return Err(NoReceipt::NotYet(format!("{}, not final yet", answer.state)));
        };
        let wrong = |reason: String| NoReceipt::Wrong(reason);
        let receipt = Receipt::parse(&text).map_err(|error| wrong(error.to_string()))?;
        let policy = keys.policy_at(&self.policy, receipt.checkpoint.checkpoint.size);
        let confirmed = receipt::verify(&receipt, ballot.as_bytes(), &policy)
            .map_err(|error| wrong(error.to_string()))?;
        Ok((text, confirmed.leaf_index))
    }
}

/// Why an answer proves nothing.
enum NoReceipt {
    /// It has no receipt.
    NotYet(String),
    /// The receipt does not hold.
    Wrong(String),
}

/// What the nodes have said about one ballot.
struct Words {
    needed: usize,
    /// The last refusal of each node.
    refusals: BTreeMap<usize, (String, String)>,
    last: String,
}

impl Words {
    fn new(needed: usize) -> Self {
        Self { needed, refusals: BTreeMap::new(), last: String::new() }
    }

    fn not_now(&mut self, reason: String) {
        self.last = reason;
    }

    fn refused(&mut self, node: usize, code: String, sentence: String) {
        self.refusals.insert(node, (code, sentence));
    }

    /// Whether nothing more is to be expected.
    fn end(&mut self, over: bool) -> Option<NotFinal> {
        if self.refusals.len() >= self.needed || over && !self.refusals.is_empty() {
            let (_, (code, sentence)) = self.refusals.pop_first()?;
            return Some(NotFinal::Refused { code, sentence });
        }
        over.then(|| NotFinal::Unknown(std::mem::take(&mut self.last)))
    }
}

/// Reads what a person typed for a contest: texts of options with commas between, or their
/// numbers as `#1`; nothing, or `(blank)`, for no answer where that is allowed. Scores are written
/// behind the option as `Ada=3`; an option that is not named has score 0. A list is named first and
/// its candidates behind a colon: `Greens: Ada, Grace`.
///
/// # Errors
/// A sentence that names the contest and its options.
pub(crate) fn read_choice(contest: &Contest, typed: &str) -> Result<Choice, String> {
    let kind = contest.kind();
    let typed = typed.trim();
    let is_blank = typed.is_empty() || typed == election::definition::BLANK;
    let choice = match (&kind, contest.blank_choice()) {
        (ContestKind::Some { min: 0, .. }, _) if typed.is_empty() => Choice::Some(Vec::new()),
        (_, Some(blank)) if is_blank => blank,
        (ContestKind::One { .. }, _) => match options_of(contest, typed)?[..] {
            [one] => Choice::One(one),
            _ => return Err(format!("'{}': exactly one option must be chosen", contest.title)),
        },
        (ContestKind::Some { .. }, _) => Choice::Some(options_of(contest, typed)?),
        (ContestKind::Score { .. }, _) => Choice::Score(scores_of(contest, typed)?),
        (ContestKind::Lists { .. }, _) => list_of(contest, typed)?,
    };
    choice.check(0, &kind).map_err(|error| match error {
        ChoiceError::Count { found, min, max, .. } => {
            format!("'{}': {found} options are chosen; allowed are {min} to {max}", contest.title)
        }
        ChoiceError::Repeated { option, .. } => {
            let option = contest.option_text(option.into()).unwrap_or_default();
            format!("'{}': '{option}' is chosen twice", contest.title)
        }
        other => format!("'{}': {other}", contest.title),
    })?;
    Ok(choice)
}

fn options_of(contest: &Contest, typed: &str) -> Result<Vec<u16>, String> {
    numbers_of(&contest.title, &contest.options, typed)
}

/// Numbers of the texts of a list that were typed with commas between.
fn numbers_of(title: &str, known: &[String], typed: &str) -> Result<Vec<u16>, String> {
    let typed = typed.trim();
    if typed.is_empty() || typed == election::definition::BLANK {
        return Ok(Vec::new());
    }
    if let Ok(whole) = number_of(title, known, typed) {
        return Ok(vec![whole]);
    }
    typed.split(',').map(|text| number_of(title, known, text)).collect()
}

fn number_of(title: &str, known: &[String], text: &str) -> Result<u16, String> {
    let text = text.trim();
    let numbered = text.strip_prefix('#').and_then(|number| number.parse::<usize>().ok());
    let number = match numbered {
        Some(number) => number.checked_sub(1).filter(|at| *at < known.len()),
        None => known.iter().position(|option| option == text),
    };
    number.and_then(|at| u16::try_from(at).ok()).ok_or_else(|| {
        format!("'{title}' has no option '{text}'; its options are: {}", known.join(", "))
    })
}

fn scores_of(contest: &Contest, typed: &str) -> Result<Vec<u16>, String> {
    let mut scores = vec![0; contest.options.len()];
    for part in typed.split(',').filter(|part| !part.trim().is_empty()) {
        let read = part
            .rsplit_once('=')
            .and_then(|(option, score)| Some((option, score.trim().parse::<u16>().ok()?)));
        let Some((option, score)) = read else {
            let title = &contest.title;
            return Err(format!("'{title}': '{}' is no score; write Option=3", part.trim()));
        };
        scores[usize::from(number_of(&contest.title, &contest.options, option)?)] = score;
    }
    Ok(scores)
}

fn list_of(contest: &Contest, typed: &str) -> Result<Choice, String> {
    let (name, chosen) = typed.split_once(':').unwrap_or((typed, ""));
    let list = number_of(&contest.title, &contest.options, name)?;
    let candidates = match &contest.rule {
        Rule::Lists { candidates, .. } => candidates.get(usize::from(list)),
        _ => None,
    };
    let candidates = candidates.map(Vec::as_slice).unwrap_or_default();
    Ok(Choice::List(list, numbers_of(&contest.title, candidates, chosen)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contest(rule: Rule, blank: bool) -> Contest {
        let contest = Contest::new("Chair", rule, &["Ada", "Grace", "Yes, both"]);
        Contest { blank, ..contest }
    }

    fn check(rule: Rule, blank: bool, typed: &str, expect: &str) {
        let found = match read_choice(&contest(rule, blank), typed) {
            Ok(Choice::One(option)) => format!("one {option}"),
            Ok(Choice::Some(options)) => format!("some {options:?}"),
            Ok(Choice::Score(scores)) => format!("scores {scores:?}"),
            Ok(Choice::List(list, candidates)) => format!("list {list} {candidates:?}"),
            Ok(Choice::Blank) => "blank".to_owned(),
            Err(sentence) => sentence,
        };
        assert_eq!(found, expect);
    }

    #[test]
    fn choices_are_typed_as_texts_or_numbers() {
        let some = Rule::Some { min: 0, max: 2 };
        check(Rule::One, false, "Grace", "one 1");
        check(Rule::One, false, " #1 ", "one 0");
        check(Rule::One, false, "Yes, both", "one 2");
        check(Rule::One, true, "(blank)", "one 3");
        check(some.clone(), true, "", "some []");
        check(some.clone(), true, "(blank)", "blank");
        check(some, false, "Grace, #1", "some [1, 0]");
        let score = Rule::Score { highest: 5, min: 0, max: 15 };
        check(score.clone(), false, "Grace=5, #1=2", "scores [2, 5, 0]");
        check(score.clone(), true, "(blank)", "blank");
        check(score.clone(), false, "Grace", "'Chair': 'Grace' is no score; write Option=3");
        let above = "'Chair': the score of option 1 of question 0 is above 5";
        check(score, false, "Grace=6", above);
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let candidates = vec![names(&["Ann", "Bob"]), names(&["Cyd"]), names(&["Dan"])];
        let lists = Rule::Lists { candidates, min: 0, max: 2 };
        check(lists.clone(), false, "Grace: Cyd", "list 1 [0]");
        check(lists.clone(), false, "#1", "list 0 []");
        check(lists, false, "Ada: Cyd", "'Chair' has no option 'Cyd'; its options are: Ann, Bob");
    }

    #[test]
    fn a_wrong_choice_is_told_with_the_options() {
        let some = Rule::Some { min: 1, max: 2 };
        check(Rule::One, false, "", "'Chair': exactly one option must be chosen");
        check(Rule::One, false, "Ada,Grace", "'Chair': exactly one option must be chosen");
        let known = "its options are: Ada, Grace, Yes, both";
        check(some.clone(), false, "Bob", &format!("'Chair' has no option 'Bob'; {known}"));
        check(some.clone(), false, "#4", &format!("'Chair' has no option '#4'; {known}"));
        check(some.clone(), false, "Ada,Ada", "'Chair': 'Ada' is chosen twice");
        check(some.clone(), false, "#1,#2,#3", "'Chair': 3 options are chosen; allowed are 1 to 2");
        check(some, false, "", "'Chair': 0 options are chosen; allowed are 1 to 2");
    }

    #[test]
    fn one_node_alone_cannot_refuse_a_ballot() {
        let mut words = Words::new(2);
        words.refused(0, "broken-chain".into(), "No.".into());
        assert_eq!(words.end(false), None);
        words.refused(0, "broken-chain".into(), "Still no.".into());
        assert_eq!(words.end(false), None);
        words.refused(2, "broken-chain".into(), "No.".into());
        let refused = words.end(false).expect("two of three");
        let text = "the ballot is refused: Still no. (broken-chain)";
        assert_eq!(refused.to_string(), text);
    }
}

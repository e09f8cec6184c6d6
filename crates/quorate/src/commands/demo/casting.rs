//! All voters at once: ballots are encrypted here, sent to the nodes in turn, sent again where a
//! node was lost, and followed until a receipt proves that they are final.

use super::Failure;
use super::scenario::{Choices, Contest, Rule, Scenario, Voter};
use super::stage::Stage;
use crate::exit;
use crate::http::{ApiClient, Content, Reply};
use crate::voter::{Booth, NotFinal};
use ballot::{Choice, Code, Credential, SealedBallot};
use bytes::Bytes;
use election::ElectionId;
use election::refusal::code;
use futures::StreamExt;
use reqwest::Method;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Semaphore, watch};

/// Voters at work at the same time; most of them wait for their ballots to become final.
const VOTERS_AT_ONCE: usize = 96;
/// Ballots that are offered to nodes at the same time and not ordered yet.
const OFFERED_AT_ONCE: usize = 24;
/// Ballots encrypted at the same time.
const ENCRYPTIONS_AT_ONCE: usize = 2;
/// How long one ballot is offered to the nodes before it counts as not cast.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long a node may not know the ballot before this one yet.
const CHAIN_PATIENCE: Duration = Duration::from_secs(30);
/// After all nodes were asked in vain.
const PAUSE: Duration = Duration::from_millis(50);

/// How far the casting has come; others wait on it.
#[derive(Clone, Debug, Default)]
pub(super) struct Cast {
    /// When each ballot was acknowledged as ordered.
    pub(super) ordered: Vec<Instant>,
    /// Ballots whose receipt is checked and saved.
    pub(super) finals: usize,
    /// Ballots that a quorum refused, with the reasons.
    pub(super) refused: Vec<String>,
    /// Ballots whose fate is not known.
    pub(super) unknown: Vec<String>,
    /// Set at the end.
    pub(super) is_done: bool,
}

/// Everything needed to cast.
pub(super) struct Casting {
    api: ApiClient,
    booth: Arc<Booth>,
    election: ElectionId,
    codes: BTreeMap<String, Code>,
    receipts: PathBuf,
    encrypting: Semaphore,
    offering: Semaphore,
    progress: watch::Sender<Cast>,
    stage: Stage,
    /// Between two voters who begin.
    pace: Duration,
}

impl Casting {
    /// Voters with these codes, who all come at once; receipts are saved in `receipts`.
    pub(super) async fn new(
        stage: &Stage,
        election: ElectionId,
        codes: BTreeMap<String, Code>,
        receipts: PathBuf,
    ) -> Result<Self, Failure> {
        let api = ApiClient::new(&stage.cluster().web_urls(), None)?;
        let booth = Arc::new(Booth::fetch(&api, election).await?);
        std::fs::create_dir_all(&receipts)
            .map_err(Failure::because(exit::FAILED, "cannot make the folder of receipts"))?;
        Ok(Self {
            api,
            booth,
            election,
            codes,
            receipts,
            encrypting: Semaphore::new(ENCRYPTIONS_AT_ONCE),
            offering: Semaphore::new(OFFERED_AT_ONCE),
            progress: watch::Sender::new(Cast::default()),
            stage: stage.clone(),
            pace: Duration::ZERO,
        })
    }

    /// The same voters, one after the other.
    #[must_use]
    pub(super) fn at_pace(self, pace: Duration) -> Self {
        Self { pace, ..self }
    }

    /// How far it is.
    pub(super) fn progress(&self) -> watch::Receiver<Cast> {
        self.progress.subscribe()
    }

    /// Casts for all voters, and gives how it ended.
    pub(super) async fn run(&self, scenario: &Scenario) -> Result<Cast, Failure> {
        let voters = futures::stream::iter(scenario.voters.iter().enumerate());
        let come = |voter| async move {
            if !self.pace.is_zero() {
                tokio::time::sleep(self.pace).await;
            }
            voter
        };
        let mut voting = Box::pin(voters.then(come))
            .map(|(place, voter)| self.vote(place, voter, &scenario.contests))
            .buffer_unordered(VOTERS_AT_ONCE);
        while let Some(voted) = voting.next().await {
            voted?;
        }
        self.progress.send_modify(|cast| cast.is_done = true);
        Ok(self.progress.borrow().clone())
    }

    /// One voter: perhaps a ballot that is taken back, then the one that counts.
    async fn vote(&self, place: usize, voter: &Voter, contests: &[Contest]) -> Result<(), Failure> {
        let code = self.codes.get(&voter.id).ok_or_else(|| {
            Failure::new(exit::FAILED, format!("the issuer made no code for '{}'", voter.id))
        })?;
        let credential = Credential::from_code(code, &self.election.0);
        let mut prev = [0; 32];
        for (seq, choices) in (0..).zip(voter.at_first.iter().chain([&voter.choices])) {
            let ballot =
                self.encrypt(credential.clone(), seq, prev, answers(contests, choices)).await?;
            prev = ballot.hash();
            let first_node = place + seq as usize;
            if !self.cast(&ballot, first_node, seq > 0).await? {
                break;
            }
        }
        Ok(())
    }

    /// On one of few threads: encrypting takes some milliseconds of a core.
    async fn encrypt(
        &self,
        credential: Credential,
        seq: u32,
        prev: [u8; 32],
        choices: Vec<Choice>,
    ) -> Result<SealedBallot, Failure> {
        let permit = self.encrypting.acquire().await;
        let booth = Arc::clone(&self.booth);
        let sealed = tokio::task::spawn_blocking(move || {
            booth.prepare(&credential, 0, (seq, prev), &choices, &mut crate::random::system())
        });
        let sealed = sealed.await.map_err(Failure::because(exit::FAILED, "encryption"))?;
        drop(permit);
        sealed.map_err(Failure::because(exit::BAD_DATA, "a ballot cannot be made"))
    }

    /// Casts until final; false when the ballot is refused or its fate unknown.
    async fn cast(
        &self,
        ballot: &SealedBallot,
        first_node: usize,
        is_chained: bool,
    ) -> Result<bool, Failure> {
        let started = Instant::now();
        let permit = self.offering.acquire().await;
        let (node, is_ordered) = self.order(ballot, first_node, is_chained).await;
        drop(permit);
        let ended = loop {
            match self.booth.cast_until_final(&self.api, ballot, node).await {
                Err(NotFinal::Refused { code, .. })
                    if is_chained
                        && code == code::BROKEN_CHAIN
                        && started.elapsed() < CHAIN_PATIENCE =>
                {
                    tokio::time::sleep(PAUSE).await;
                }
                ended => break ended,
            }
        };
        let update = match ended {
            Ok(done) => {
                self.stage.watchdog().is_final(self.election, &done.tracker, done.leaf);
                let path = self.receipts.join(format!("{}.receipt", done.tracker));
                std::fs::write(&path, done.receipt)
                    .map_err(Failure::because(exit::FAILED, "cannot save a receipt"))?;
                None
            }
            Err(not_final) => Some(not_final),
        };
        let is_final = update.is_none();
        self.progress.send_modify(|cast| match update {
            None => {
                cast.finals += 1;
                if !is_ordered {
                    cast.ordered.push(Instant::now());
                }
            }
            Some(reason @ NotFinal::Refused { .. }) => cast.refused.push(reason.to_string()),
            Some(reason @ NotFinal::Unknown(_)) => cast.unknown.push(reason.to_string()),
        });
        Ok(is_final)
    }

    /// Offers the ballot to one node after another until one says that it is ordered, or why
    /// not; gives that node, and whether it is ordered.
    async fn order(
        &self,
        ballot: &SealedBallot,
        first_node: usize,
        is_chained: bool,
    ) -> (usize, bool) {
        let path = format!("/api/v1/elections/{}/ballots", self.election);
        let content = Content::Octets(Bytes::copy_from_slice(ballot.as_bytes()));
        let started = Instant::now();
        let nodes = self.api.nodes().len();
        for node in first_node.. {
            let patience = match self.api.ask_once(node, Method::POST, &path, &content).await {
                Reply::Done { .. } => {
                    self.progress.send_modify(|cast| cast.ordered.push(Instant::now()));
                    return (node, true);
                }
                // A node that lags does not know the ballot before this one yet.
                Reply::Refused(problem) if is_chained && problem.code == code::BROKEN_CHAIN => {
                    CHAIN_PATIENCE
                }
                // The booth sends it again, and knows how many refusals count.
                Reply::Refused(_) => return (node, false),
                Reply::NotNow(_) => {
                    self.stage.retried();
                    PATIENCE
                }
            };
            if started.elapsed() > patience {
                return (node, false);
            }
            if (node + 1 - first_node).is_multiple_of(nodes) {
                tokio::time::sleep(PAUSE).await;
            }
        }
        unreachable!("patience ends before the numbers do")
    }
}

/// Answers as ballots have them.
fn answers(contests: &[Contest], choices: &Choices) -> Vec<Choice> {
    let answer = |(contest, chosen): (&Contest, &Vec<u16>)| match (contest.rule, &chosen[..]) {
        (Rule::One, [one]) => Choice::One(*one),
        (Rule::One | Rule::Some { .. }, chosen) => Choice::Some(chosen.to_vec()),
    };
    contests.iter().zip(choices).map(answer).collect()
}

/// Reads the issuer's `codes.csv`: a header, then `voter_id,code`.
pub(super) fn read_codes(text: &str) -> Result<BTreeMap<String, Code>, Failure> {
    let wrong = |message: String| Failure::new(exit::FAILED, format!("codes.csv: {message}"));
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    let mut codes = BTreeMap::new();
    for row in reader.records() {
        let row = row.map_err(|error| wrong(error.to_string()))?;
        let (Some(voter), Some(code)) = (row.get(0), row.get(1)) else {
            return Err(wrong("a row has no code".to_owned()));
        };
        let code = code.parse::<Code>().map_err(|error| wrong(error.to_string()))?;
        codes.insert(voter.to_owned(), code);
    }
    Ok(codes)
}

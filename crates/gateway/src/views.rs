//! What callers are shown, as JSON.

use crate::encoding;
use crate::progress::Progress;
use crate::sentence::Sentence;
use election::{Blocker, Definition, Majority, Phase, Rule, Tie, Turnout};
use serde::Serialize;

/// `GET /node`.
#[derive(Debug, Serialize)]
pub(crate) struct NodeView {
    pub(crate) node: u64,
    pub(crate) version: String,
    /// Verifier key of this node's authority.
    pub(crate) authority_key: String,
    /// Store role as this node sees it.
    pub(crate) leader: Option<u64>,
    pub(crate) term: u64,
    pub(crate) revision: i64,
    /// Authorities that published their keys in the store.
    pub(crate) authorities: Vec<AuthorityView>,
    /// How browsers reach the nodes whose authorities hold elections.
    pub(crate) origins: Vec<String>,
}

/// One authority.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct AuthorityView {
    pub(crate) index: u8,
    pub(crate) vkey: String,
}

/// One line of `GET /elections`.
#[derive(Debug, Serialize)]
pub(crate) struct ElectionSummary {
    pub(crate) id: String,
    pub(crate) title: Option<String>,
    pub(crate) phase: &'static str,
    pub(crate) leaves: u64,
    pub(crate) final_size: u64,
}

/// `GET /elections/{id}`.
#[derive(Debug, Serialize)]
pub(crate) struct ElectionDetail {
    #[serde(flatten)]
    pub(crate) summary: ElectionSummary,
    /// What keeps the election from opening or from taking ballots.
    pub(crate) blockers: Vec<Sentence>,
    pub(crate) definition: Option<DefinitionView>,
    /// Canonical bytes of the draft, base64.
    pub(crate) draft: Option<String>,
    /// SHA-256 of the manifest, hex, once it is sealed.
    pub(crate) fingerprint: Option<String>,
    /// Key that ballots are encrypted to, hex.
    pub(crate) joint_key: Option<String>,
    /// The authorities of the manifest.
    pub(crate) authorities: Vec<AuthorityView>,
    pub(crate) quorum: Option<usize>,
    pub(crate) turnout: TurnoutView,
    /// Minute of the closing, as extended.
    pub(crate) closes: Option<u32>,
    /// Number that the administrator's next order must carry.
    pub(crate) next_order: u32,
    /// Entries ordered so far.
    pub(crate) entries: u64,
    /// Trustees whose decryption share is on the ledger.
    pub(crate) shares: Vec<u8>,
    pub(crate) result: Option<ResultView>,
    /// Whether everything ordered is held and final on this node.
    pub(crate) settled: bool,
    #[serde(flatten)]
    pub(crate) progress: Progress,
}

/// Questions and rules.
#[derive(Debug, Serialize)]
pub(crate) struct DefinitionView {
    pub(crate) title: String,
    pub(crate) contests: Vec<ContestView>,
    pub(crate) trustees: Vec<String>,
    pub(crate) threshold: u8,
    /// Names of the groups of voters, from number 1 on.
    pub(crate) groups: Vec<String>,
    /// Whether ballots are in clear.
    pub(crate) open_poll: bool,
    pub(crate) opens: Option<u32>,
    /// As planned; an election that was extended closes later.
    pub(crate) closes: Option<u32>,
    /// The latest minute that the closing may be moved to.
    pub(crate) extendable_until: Option<u32>,
    pub(crate) revote: &'static str,
    pub(crate) issuer: &'static str,
    pub(crate) minimum_ballots: u32,
    pub(crate) roll_changes: bool,
    pub(crate) paper: bool,
    pub(crate) accept_small_classes: bool,
    pub(crate) test: bool,
}

/// One question.
#[derive(Debug, Serialize)]
pub(crate) struct ContestView {
    pub(crate) title: String,
    pub(crate) kind: &'static str,
    pub(crate) min: u16,
    pub(crate) max: u16,
    /// The highest score of one option.
    pub(crate) highest: u16,
    /// Whether a blank answer may be given, which is the last counter.
    pub(crate) blank: bool,
    /// Groups of voters who answer it; empty for everybody.
    pub(crate) groups: Vec<u8>,
    /// The candidates of each list, when the options are lists.
    pub(crate) candidates: Vec<Vec<String>>,
    /// What is counted, in ballot order: options, candidates of lists, the blank answer.
    pub(crate) options: Vec<String>,
    /// How many win.
    pub(crate) seats: u16,
    /// How much of the weight of those who may answer must have voted, in per cent.
    pub(crate) quorum_percent: u8,
    pub(crate) majority: &'static str,
    pub(crate) tie: &'static str,
}

/// How many have voted.
#[derive(Debug, Serialize)]
pub(crate) struct TurnoutView {
    pub(crate) voters: u32,
    pub(crate) weight: u64,
    pub(crate) ballots: u64,
    pub(crate) roll_voters: u32,
    pub(crate) roll_weight: u64,
    /// Credentials marked to vote on paper.
    pub(crate) paper_voters: u32,
    pub(crate) paper_weight: u64,
}

/// `GET /elections/{id}/result`.
#[derive(Debug, Serialize)]
pub(crate) struct ResultView {
    pub(crate) ballots: u32,
    pub(crate) weight: u64,
    /// By contest and option, in ballot order.
    pub(crate) counts: Vec<Vec<u64>>,
}

/// `GET /elections/{id}/ballots/{tracker}` and the answer to a cast.
#[derive(Debug, Default, Serialize)]
pub(crate) struct BallotView {
    /// `ordered`, `final`, `counted` or `refused`.
    pub(crate) state: &'static str,
    pub(crate) tracker: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) entry: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) leaf: Option<u64>,
    /// Text of the receipt, once final.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) receipt: Option<String>,
    /// Why it is no leaf, if it was refused after it was ordered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) refused: Option<RefusedEntry>,
}

/// `GET /elections/{id}/credentials/{key}`.
#[derive(Debug, Serialize)]
pub(crate) struct CredentialView {
    pub(crate) on_roll: bool,
    /// Group of the credential, which decides its contests; 0 for none.
    pub(crate) group: u8,
    /// How many votes its ballot counts.
    pub(crate) weight: u32,
    /// Why it has no online vote: `withdrawn`, `replaced` or `paper`.
    pub(crate) barred: Option<&'static str>,
    /// The last accepted ballot of the credential.
    pub(crate) last: Option<LastBallot>,
}

/// See [`CredentialView`].
#[derive(Debug, Serialize)]
pub(crate) struct LastBallot {
    pub(crate) seq: u32,
    /// SHA-256 of its bytes, hex: `prev` of the next ballot.
    pub(crate) hash: String,
    pub(crate) leaf: u64,
    /// Whether a quorum of authorities has cosigned it.
    #[serde(rename = "final")]
    pub(crate) is_final: bool,
}

/// One message of the key ceremony.
#[derive(Debug, Serialize)]
pub(crate) struct CeremonyMessage {
    pub(crate) round: u8,
    pub(crate) trustee: u8,
    pub(crate) message: String,
}

/// `GET /elections/{id}/leaves`.
#[derive(Debug, Serialize)]
pub(crate) struct LeavesView {
    /// Leaves in order, base64.
    pub(crate) leaves: Vec<String>,
    /// Where to go on, if there are more.
    pub(crate) next: Option<u64>,
}

/// One entry that is no leaf, with its reasons.
#[derive(Debug, Serialize)]
pub(crate) struct RefusedEntry {
    pub(crate) entry: u64,
    /// Of a ballot.
    pub(crate) tracker: Option<String>,
    pub(crate) code: String,
    pub(crate) sentence: String,
    /// Signed refusals by authority, base64.
    pub(crate) signed: Vec<SignedRefusalView>,
}

/// One authority's signed refusal.
#[derive(Debug, Serialize)]
pub(crate) struct SignedRefusalView {
    pub(crate) authority: u8,
    /// Its own reason; authorities of different versions may word it differently.
    pub(crate) code: String,
    pub(crate) sentence: String,
    /// Canonical bytes with its signature, base64.
    pub(crate) refusal: String,
}

pub(crate) fn phase_name(phase: &Phase) -> &'static str {
    match phase {
        Phase::Empty => "draft",
        Phase::Setup { .. } => "setup",
        Phase::Open => "open",
        Phase::Paused => "paused",
        Phase::Closed { .. } => "closed",
        Phase::Published => "published",
    }
}

pub(crate) fn blocker(blocker: &Blocker) -> Sentence {
    match blocker {
        Blocker::RollIncomplete { found, expected } => {
            let text = format!("the ledger holds {found} of {expected} voters of the roll");
            let sentence = Sentence::new("roll-incomplete", text);
            sentence.with("found", *found).with("expected", *expected)
        }
        Blocker::CeremonyIncomplete { message, trustee } => {
            let text = format!("the key ceremony waits for the {message} of {trustee}");
            let sentence = Sentence::new("ceremony-incomplete", text);
            sentence.with("message", *message).with("trustee", trustee.as_str())
        }
        Blocker::TrusteeEndorsement { name, .. } => {
            let text = format!("trustee {name} has not signed the manifest");
            Sentence::new("trustee-endorsement", text).with("trustee", name.as_str())
        }
        Blocker::AuthorityEndorsements { found, needed } => {
            let text = format!("{found} of {needed} authorities have signed the manifest");
            let sentence = Sentence::new("authority-endorsements", text);
            sentence.with("found", *found).with("needed", *needed)
        }
        Blocker::SmallClass { group, weight, voters } => {
            let text = format!(
                "only {voters} voters are in group {group} with weight {weight}: their secrecy is \
                 narrow; merge the class or accept small classes in the definition"
            );
            let sentence = Sentence::new("small-class", text);
            sentence.with("voters", *voters).with("group", *group).with("weight", *weight)
        }
    }
}

impl From<&Definition> for DefinitionView {
    fn from(definition: &Definition) -> Self {
        let contest = |contest: &election::Contest| {
            let (kind, highest, min, max) = match contest.rule {
                Rule::One => ("one", 1, 1, 1),
                Rule::Some { min, max } => ("some", 1, min, max),
                Rule::Score { highest, min, max } => ("score", highest, min, max),
                Rule::Lists { min, max, .. } => ("lists", 1, min, max),
            };
            let candidates = match &contest.rule {
                Rule::Lists { candidates, .. } => candidates.clone(),
                _ => Vec::new(),
            };
            let count = contest.option_count();
            let options = (0..count).filter_map(|option| contest.option_text(option));
            ContestView {
                title: contest.title.clone(),
                kind,
                min,
                max,
                highest,
                blank: contest.blank,
                groups: contest.groups.clone(),
                candidates,
                options: options.map(str::to_owned).collect(),
                seats: contest.decision.seats,
                quorum_percent: contest.decision.quorum_percent,
                majority: match contest.decision.majority {
                    Majority::Relative => "relative",
                    Majority::Absolute => "absolute",
                    Majority::TwoThirds => "two-thirds",
                    Majority::ThreeQuarters => "three-quarters",
                },
                tie: match contest.decision.tie {
                    Tie::Lot => "lot",
                    Tie::Runoff => "runoff",
                    Tie::FirstListed => "first-listed",
                },
            }
        };
        Self {
            title: definition.title.clone(),
            contests: definition.contests.iter().map(contest).collect(),
            trustees: definition.trustees.clone(),
            threshold: definition.threshold,
            groups: definition.groups.clone(),
            open_poll: definition.secrecy == election::Secrecy::Open,
            opens: definition.opens,
            closes: definition.closes,
            extendable_until: definition.extendable_until,
            revote: match definition.revote {
                election::Revote::Off => "off",
                election::Revote::LastCounts => "last-counts",
            },
            issuer: match definition.issuer {
                election::Issuer::Separate => "separate",
                election::Issuer::Cluster => "cluster",
            },
            minimum_ballots: definition.minimum_ballots,
            roll_changes: definition.roll_changes,
            paper: definition.paper,
            accept_small_classes: definition.accept_small_classes,
            test: definition.test,
        }
    }
}

impl From<Turnout> for TurnoutView {
    fn from(turnout: Turnout) -> Self {
        let Turnout { voters, weight, ballots, roll_voters, roll_weight, paper, .. } = turnout;
        let (paper_voters, paper_weight) = (paper.voters, paper.weight);
        Self { voters, weight, ballots, roll_voters, roll_weight, paper_voters, paper_weight }
    }
}

impl SignedRefusalView {
    pub(crate) fn new(authority: u8, refusal: &election::SignedRefusal) -> Self {
        Self {
            authority,
            code: refusal.code.clone(),
            sentence: refusal.sentence.clone(),
            refusal: encoding::encode(&refusal.encode()),
        }
    }
}

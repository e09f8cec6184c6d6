//! What callers are shown, as JSON.

use crate::encoding;
use crate::progress::Progress;
use crate::sentence::Sentence;
use authority::ElectionView;
use election::{
    Blocker, ClassTurnout, Decided, Definition, Electors, Majority, Outcome, Participation, Phase,
    Rule, Tie, Turnout,
};
use serde::Serialize;

/// Most classes that are shown: with more of them a weight is nearly a name.
pub(crate) const CLASSES_MAX: usize = 200;

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
    /// Digest of the booth that is pinned, hex.
    pub(crate) booth: Option<String>,
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
    /// How many options can win.
    pub(crate) seats: u16,
    /// Least share of the weight that must vote, in per cent.
    pub(crate) quorum_percent: u8,
    /// `relative`, `absolute`, `two-thirds` or `three-quarters`.
    pub(crate) majority: &'static str,
    /// `lot`, `runoff` or `first-listed`.
    pub(crate) tie: &'static str,
    /// The candidates of each list, when the options are lists.
    pub(crate) candidates: Vec<Vec<String>>,
    /// What is counted, in ballot order: options, candidates of lists, the blank answer.
    pub(crate) options: Vec<String>,
}

/// Voters and their total weight.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct ElectorsView {
    pub(crate) voters: u32,
    pub(crate) weight: u64,
}

/// Who may answer one question, and who did.
#[derive(Debug, Serialize)]
pub(crate) struct ParticipationView {
    pub(crate) eligible: ElectorsView,
    pub(crate) ballots: ElectorsView,
    pub(crate) paper: ElectorsView,
}

/// Who has voted of the voters with one group and weight.
#[derive(Debug, Serialize)]
pub(crate) struct ClassView {
    /// 0 for none.
    pub(crate) group: u8,
    pub(crate) weight: u32,
    pub(crate) voters: u32,
    pub(crate) voted: u32,
    pub(crate) paper: u32,
}

/// The counts of an open poll at its newest final checkpoint.
#[derive(Debug, Serialize)]
pub(crate) struct LiveView {
    /// Leaves that they are about.
    pub(crate) size: u64,
    /// The checkpoint of that size, which a quorum of authorities has cosigned, as text.
    pub(crate) checkpoint: String,
    /// By contest and option, in ballot order.
    pub(crate) counts: Vec<Vec<u64>>,
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
    /// By contest; empty before the opening.
    pub(crate) contests: Vec<ParticipationView>,
    /// By group and weight, ascending, the first [`CLASSES_MAX`] of them.
    pub(crate) classes: Vec<ClassView>,
    /// Only of an open poll; a secret one has no counts before the result.
    pub(crate) live: Option<LiveView>,
}

/// `GET /elections/{id}/result`.
#[derive(Debug, Serialize)]
pub(crate) struct ResultView {
    pub(crate) ballots: u32,
    pub(crate) weight: u64,
    /// By contest and option, in ballot order.
    pub(crate) counts: Vec<Vec<u64>>,
    /// What the rules of each contest make of the counts.
    pub(crate) decisions: Vec<DecisionView>,
}

/// What quorum, majority and tie rule of a contest make of its counts.
#[derive(Debug, Serialize)]
pub(crate) struct DecisionView {
    #[serde(flatten)]
    pub(crate) participation: ParticipationView,
    /// `decided`, `lot`, `runoff`, `no-quorum`, `no-majority` or `withheld`.
    pub(crate) finding: &'static str,
    /// Numbers of the options that won, most votes first.
    pub(crate) winners: Vec<u16>,
    /// Numbers of the options that compete for the seats still open.
    pub(crate) tied: Vec<u16>,
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

/// One change of an authority's key, with all that proves it.
#[derive(Debug, Serialize)]
pub(crate) struct KeyChangeView {
    /// The entry with the new key and the signatures of a quorum, base64.
    pub(crate) entry: String,
    /// Text of the receipt that says which leaf it is.
    pub(crate) receipt: String,
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
                candidates,
                options: options.map(str::to_owned).collect(),
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
            booth: definition.booth.map(hex::encode),
        }
    }
}

impl TurnoutView {
    /// Of an election; goes over all its classes.
    pub(crate) fn of(view: ElectionView<'_>) -> Self {
        let fold = view.fold();
        let Turnout { voters, weight, ballots, roll_voters, roll_weight, paper, .. } =
            fold.turnout();
        let classes = fold.classes().into_iter().take(CLASSES_MAX);
        Self {
            voters,
            weight,
            ballots,
            roll_voters,
            roll_weight,
            paper_voters: paper.voters,
            paper_weight: paper.weight,
            contests: fold.participation().iter().map(ParticipationView::from).collect(),
            classes: classes.map(ClassView::from).collect(),
            live: live(view),
        }
    }
}

/// The counts below the newest final checkpoint, from the opening to the result.
fn live(view: ElectionView<'_>) -> Option<LiveView> {
    let checkpoint = view.final_checkpoint()?;
    let size = checkpoint.checkpoint.size;
    let counts = view.fold().live_counts_at(size)?;
    Some(LiveView { size, checkpoint: checkpoint.to_string(), counts })
}

impl ResultView {
    /// The result with what the rules of the definition make of it.
    pub(crate) fn new(outcome: &Outcome, definition: &Definition) -> Self {
        let decided = outcome.decisions(definition);
        let parts = outcome.participation.iter();
        let decision = |(part, Decided { finding, winners, tied })| DecisionView {
            participation: ParticipationView::from(part),
            finding: finding.name(),
            winners,
            tied,
        };
        Self {
            ballots: outcome.ballots,
            weight: outcome.weight,
            counts: outcome.counts.clone(),
            decisions: parts.zip(decided).map(decision).collect(),
        }
    }
}

impl From<&Participation> for ParticipationView {
    fn from(part: &Participation) -> Self {
        let electors = |Electors { voters, weight }| ElectorsView { voters, weight };
        Self {
            eligible: electors(part.eligible),
            ballots: electors(part.ballots),
            paper: electors(part.paper),
        }
    }
}

impl From<ClassTurnout> for ClassView {
    fn from(class: ClassTurnout) -> Self {
        let ClassTurnout { group, weight, voters, voted, paper } = class;
        Self { group, weight, voters, voted, paper }
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

//! Elections: entries of every kind and what is in them, ballots, shares, archives, names.

use crate::Target;
use ballot::ceremony::{Announcement, Parameters};
use ballot::threshold::DecryptionShare;
use ballot::{
    BallotContext, Code, Contests, Fingerprint, OpenBallot, ParsedBallot, TallyStatement, Tracker,
};
use bytes::Bytes;
use election::testing::{
    ElectionBuilder, Run, TestElection, choose, choose_all, choose_list, score,
};
use election::{
    Archive, Body, Contest, Draft, ElectionId, Entry, Manifest, Outcome, Rule, SignedOrder,
    SignedRefusal, SignedSuccession,
};
use ledger::Policy;
use std::sync::OnceLock;

pub(crate) const TARGETS: &[Target] = &[
    Target::new("ledger_entry", ledger_entry, ledger_entries).up_to(2048),
    Target::new("manifest", manifest, manifests).up_to(2048),
    Target::new("draft", draft, drafts).up_to(2048),
    Target::new("roll_chunk", roll_chunk, roll_chunks),
    Target::new("order", order, orders),
    Target::new("refusal", refusal, none),
    Target::new("succession", succession, none),
    Target::new("outcome", outcome, outcomes),
    Target::new("archive", archive, archives).up_to(16384),
    Target::new("store_key", store_key, store_keys).up_to(128),
    Target::new("names", names, some_names).up_to(64),
    Target::new("ballot", ballot, ballots).up_to(4096),
    Target::new("open_ballot", open_ballot, open_ballots).up_to(1024),
    Target::new("share", share, shares).up_to(4096),
    Target::new("announcement", announcement, announcements).up_to(256),
];

/// A finished election with a contest of each kind, and an open poll.
pub(crate) struct Small {
    pub(crate) manifest: Manifest,
    pub(crate) trust: Policy,
    pub(crate) archive: Archive,
    context: BallotContext,
    statement: TallyStatement,
    ballots: Vec<Vec<u8>>,
    announcements: Vec<Vec<u8>>,
    parameters: Parameters,
}

pub(crate) fn small() -> &'static Small {
    static SMALL: OnceLock<Small> = OnceLock::new();
    SMALL.get_or_init(make)
}

fn contests(election: ElectionBuilder) -> TestElection {
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let mut one = Contest::new("Chair", Rule::One, &["Ada", "Grace"]);
    one.blank = true;
    let some = Contest::new("Projects", Rule::Some { min: 0, max: 2 }, &["Well", "Fence", "Shed"]);
    let points = Rule::Score { highest: 3, min: 0, max: 4 };
    let score = Contest::new("Colour", points, &["Red", "Blue"]);
    let candidates = vec![texts(&["Ann", "Ben"]), texts(&["Cy", "Di"])];
    let lists =
        Contest::new("Board", Rule::Lists { candidates, min: 0, max: 1 }, &["Left", "Right"]);
    election.define(|definition| definition.contests = vec![one, some, score, lists]).build()
}

fn vote_all(election: &mut TestElection, run: &mut Run) {
    for voter in 0..3 {
        let answers =
            [choose(voter as u16 % 3), choose_all(&[0, 2]), score(&[3, 1]), choose_list(1, &[0])];
        election.vote(run, voter, &answers);
    }
}

fn make() -> Small {
    let mut election = contests(ElectionBuilder::new(7));
    let mut run = election.open();
    vote_all(&mut election, &mut run);
    let context = run.fold.ballot_context().expect("the election is secret").clone();
    let finished = election.finish(run);
    let archive = Archive::decode(&finished.archive).expect("an honest archive");
    let bodies = |wanted: fn(&Body<'_>) -> Option<Vec<u8>>| {
        let entries = archive.leaves.iter().filter_map(|leaf| Entry::decode(leaf).ok());
        entries.filter_map(|entry| wanted(&entry.body)).collect::<Vec<_>>()
    };
    let ballots = bodies(|body| match body {
        Body::Ballot(ballot) => Some(ballot.to_vec()),
        _ => None,
    });
    let mut announcements = bodies(|body| match body {
        Body::Ceremony(message) => Some(message.to_vec()),
        _ => None,
    });
    announcements.truncate(3);
    let statement = finished.fold.tally_statement().expect("it is closed").clone();
    let manifest = election.manifest.clone();
    let attempt = manifest.ceremony_attempt;
    let parameters = Parameters::new(manifest.id.0, attempt, 3, 2).expect("two of three");
    let trust = finished.trust;
    Small { manifest, trust, archive, context, statement, ballots, announcements, parameters }
}

fn none() -> Vec<Vec<u8>> {
    vec![vec![1; 200]]
}

/// An entry, and its body by the decoder of its kind.
fn ledger_entry(bytes: &[u8]) {
    let Ok(entry) = Entry::decode(bytes) else { return };
    match entry.body {
        Body::Manifest { manifest: body, .. } => manifest(body),
        Body::RollChunk(body) => roll_chunk(body),
        Body::Ceremony(body) => announcement(body),
        Body::Ballot(body) => ballot(body),
        Body::Result(body) => outcome(body),
        Body::AuthorityKey(body) => succession(body),
        Body::Share { share: body, .. } => share(body),
        Body::Order(signed) => {
            assert_eq!(SignedOrder::decode_with_kind(&signed.encode_with_kind()), Ok(signed));
        }
        _ => {}
    }
}

fn ledger_entries() -> Vec<Vec<u8>> {
    small().archive.leaves.iter().map(|leaf| leaf.to_vec()).collect()
}

fn manifest(bytes: &[u8]) {
    if let Ok(manifest) = Manifest::decode(bytes) {
        assert_eq!(manifest.encode(), bytes);
        let _ = manifest.check();
    }
}

fn manifests() -> Vec<Vec<u8>> {
    vec![small().manifest.encode()]
}

fn draft(bytes: &[u8]) {
    if let Ok(draft) = Draft::decode(bytes) {
        assert_eq!(draft.encode(), bytes);
        let _ = draft.definition.check();
    }
}

fn drafts() -> Vec<Vec<u8>> {
    let Manifest { id, definition, admin, .. } = small().manifest.clone();
    vec![Draft { id, definition, admin }.encode()]
}

fn roll_chunk(bytes: &[u8]) {
    if let Ok((number, voters)) = election::roll::decode_chunk(bytes) {
        assert!(!voters.is_empty(), "chunk {number} is empty");
    }
}

/// The bodies of the small election's entries that `pick` wants.
fn bodies(pick: fn(Body<'_>) -> Option<Vec<u8>>) -> Vec<Vec<u8>> {
    let entries = small().archive.leaves.iter().filter_map(|leaf| Entry::decode(leaf).ok());
    entries.filter_map(|entry| pick(entry.body)).collect()
}

fn roll_chunks() -> Vec<Vec<u8>> {
    bodies(|body| match body {
        Body::RollChunk(body) => Some(body.to_vec()),
        _ => None,
    })
}

fn order(bytes: &[u8]) {
    if let Ok(order) = SignedOrder::decode_with_kind(bytes) {
        assert_eq!(order.encode_with_kind(), bytes);
    }
}

fn orders() -> Vec<Vec<u8>> {
    (0..=30).map(|kind| [&[kind], &[0; 3][..], &[1; 80]].concat()).collect()
}

fn refusal(bytes: &[u8]) {
    if let Ok(refusal) = SignedRefusal::decode(bytes) {
        assert_eq!(refusal.encode(), bytes);
    }
}

fn succession(bytes: &[u8]) {
    if let Ok(succession) = SignedSuccession::decode(bytes) {
        assert_eq!(succession.encode(), bytes);
    }
}

fn outcome(bytes: &[u8]) {
    if let Ok(outcome) = Outcome::decode(bytes) {
        assert_eq!(outcome.encode(), bytes);
    }
}

fn outcomes() -> Vec<Vec<u8>> {
    bodies(|body| match body {
        Body::Result(body) => Some(body.to_vec()),
        _ => None,
    })
}

fn archive(bytes: &[u8]) {
    if let Ok(archive) = Archive::decode(&Bytes::copy_from_slice(bytes)) {
        assert_eq!(archive.encode(), bytes);
    }
}

fn archives() -> Vec<Vec<u8>> {
    let Small { archive, .. } = small();
    // Of two leaves and one checkpoint: damage in it is as good as in a large one.
    let leaves = archive.leaves[archive.leaves.len() - 2..].to_vec();
    let short = Archive { leaves, checkpoints: archive.checkpoints[..1].to_vec() };
    vec![short.encode()]
}

fn store_key(bytes: &[u8]) {
    let _ = election::keys::Key::parse(bytes);
    let _ = election::keys::parse_directory(bytes);
    let _ = election::keys::parse_authority(bytes);
    let _ = election::keys::decode_head(bytes);
}

fn store_keys() -> Vec<Vec<u8>> {
    let id = small().manifest.id;
    vec![election::keys::prefix(id), election::keys::directory(id)]
}

/// Names that people type: of elections, ballots, voters.
fn names(bytes: &[u8]) {
    let Ok(text) = core::str::from_utf8(bytes) else { return };
    if let Ok(id) = text.parse::<ElectionId>() {
        assert_eq!(id.to_string().parse(), Ok(id));
    }
    if let Ok(tracker) = text.parse::<Tracker>() {
        assert_eq!(tracker.to_string().parse(), Ok(tracker));
    }
    if let Ok(code) = text.parse::<Code>() {
        let shown = code.to_string();
        assert_eq!(shown.parse::<Code>().map(|code| code.to_string()), Ok(shown));
    }
}

fn some_names() -> Vec<Vec<u8>> {
    let code = Code::from_bytes([9; 15]).to_string().into_bytes();
    vec![small().manifest.id.to_string().into_bytes(), code, b"AAAA-AAAA-AAAA-AAAA-AAAA".to_vec()]
}

fn ballot(bytes: &[u8]) {
    if let Ok(parsed) = ParsedBallot::parse(bytes, &small().context) {
        assert_eq!(parsed.as_bytes(), bytes);
    }
}

fn ballots() -> Vec<Vec<u8>> {
    small().ballots.clone()
}

struct OpenPoll {
    fingerprint: Fingerprint,
    contests: Contests,
    ballots: Vec<Vec<u8>>,
}

fn open_poll() -> &'static OpenPoll {
    static POLL: OnceLock<OpenPoll> = OnceLock::new();
    POLL.get_or_init(|| {
        let mut election = contests(ElectionBuilder::new(8).open_poll());
        let mut run = election.open();
        vote_all(&mut election, &mut run);
        let entries = run.entries.iter().filter_map(|entry| Entry::decode(entry).ok());
        let cast = |entry: Entry<'_>| match entry.body {
            Body::Ballot(ballot) => Some(ballot.to_vec()),
            _ => None,
        };
        let ballots = entries.filter_map(cast).collect();
        let contests = election.questions.clone();
        OpenPoll { fingerprint: election.manifest.fingerprint(), contests, ballots }
    })
}

fn open_ballot(bytes: &[u8]) {
    let OpenPoll { fingerprint, contests, .. } = open_poll();
    if let Ok(parsed) = OpenBallot::parse(bytes, *fingerprint, contests) {
        assert!(!parsed.values().is_empty(), "a ballot without answers");
        let _ = parsed.verify_signature();
    }
}

fn open_ballots() -> Vec<Vec<u8>> {
    open_poll().ballots.clone()
}

fn share(bytes: &[u8]) {
    if let Ok(share) = DecryptionShare::parse(bytes, &small().statement) {
        assert_eq!(share.as_bytes(), bytes);
    }
}

fn shares() -> Vec<Vec<u8>> {
    let entries = small().archive.leaves.iter().filter_map(|leaf| Entry::decode(leaf).ok());
    let share = |entry: Entry<'_>| match entry.body {
        Body::Share { share, .. } => Some(share.to_vec()),
        _ => None,
    };
    entries.filter_map(share).collect()
}

fn announcement(bytes: &[u8]) {
    if let Ok(announcement) = Announcement::parse(bytes, &small().parameters) {
        assert!((1..=3).contains(&announcement.trustee()));
    }
}

fn announcements() -> Vec<Vec<u8>> {
    small().announcements.clone()
}

//! From the authority's state to what callers are shown: runs on the authority's thread.

use crate::chart::Chart;
use crate::encoding::encode;
use crate::progress;
use crate::sentence::Sentence;
use crate::views::{
    AuthorityView, BallotView, CeremonyMessage, CredentialView, DefinitionView, ElectionDetail,
    ElectionSummary, KeyChangeView, LastBallot, LeavesView, RefusedEntry, ResultView,
    SignedRefusalView, TurnoutView, blocker, phase_name,
};
use authority::{Authority, ElectionView};
use ballot::Tracker;
use bytes::Bytes;
use election::succession::Successor;
use election::{ElectionId, Phase};
use sha2::Digest;

/// Most bytes of leaves in one answer.
const LEAVES_BYTES_MAX: usize = 4 << 20;

/// All elections.
pub(crate) fn elections(authority: &Authority) -> Vec<ElectionSummary> {
    authority.elections().map(summary).collect()
}

/// Its title, once there is a draft.
pub(crate) fn title(view: ElectionView<'_>) -> Option<String> {
    match view.fold().manifest() {
        Some(manifest) => Some(manifest.definition.title.clone()),
        None => view.draft().map(|(draft, _)| draft.definition.title),
    }
}

fn summary(view: ElectionView<'_>) -> ElectionSummary {
    let title = title(view);
    ElectionSummary {
        id: view.id().to_string(),
        title,
        phase: phase_name(&view.fold().phase()),
        leaves: view.fold().tree().size(),
        final_size: view.final_size(),
    }
}

/// One election in full.
pub(crate) fn detail(view: ElectionView<'_>, chart: Chart) -> ElectionDetail {
    let fold = view.fold();
    let manifest = fold.manifest();
    let draft = view.draft().map(|(draft, _)| draft);
    let definition = manifest
        .map(|manifest| &manifest.definition)
        .or(draft.as_ref().map(|draft| &draft.definition))
        .map(DefinitionView::from);
    let phase = fold.phase();
    let authority = |authority: &election::Authority| AuthorityView {
        index: authority.index,
        vkey: authority.key.to_string(),
    };
    ElectionDetail {
        summary: summary(view),
        blockers: blockers(&phase),
        definition,
        draft: draft.map(|draft| encode(&draft.encode())),
        fingerprint: fold.fingerprint().map(|fingerprint| hex::encode(fingerprint.0)),
        joint_key: manifest.map(|manifest| hex::encode(manifest.joint_key)),
        authorities: manifest
            .map(|manifest| manifest.authorities.iter().map(authority).collect())
            .unwrap_or_default(),
        quorum: manifest.map(election::Manifest::quorum),
        turnout: TurnoutView::of(view),
        closes: fold.closes(),
        next_order: fold.next_order(),
        entries: view.head(),
        shares: match phase {
            Phase::Closed { shares } => shares,
            _ => Vec::new(),
        },
        result: result(view),
        settled: view.is_settled(),
        progress: progress::progress(view, chart),
    }
}

/// What keeps an election of this phase from opening or from taking ballots.
pub(crate) fn blockers(phase: &Phase) -> Vec<Sentence> {
    match phase {
        Phase::Setup { missing } => missing.iter().map(blocker).collect(),
        Phase::Empty => vec![Sentence::new("not-sealed", "the manifest is not sealed")],
        Phase::Paused => vec![Sentence::new("paused", "the election is paused")],
        Phase::Open | Phase::Closed { .. } | Phase::Published => Vec::new(),
    }
}

/// The published result.
pub(crate) fn result(view: ElectionView<'_>) -> Option<ResultView> {
    let outcome = view.fold().result()?;
    let manifest = view.fold().manifest()?;
    Some(ResultView::new(outcome, &manifest.definition))
}

/// The state of a ballot that is a leaf.
pub(crate) fn ballot(view: ElectionView<'_>, tracker: &Tracker) -> Option<BallotView> {
    let leaf = view.fold().find_tracker(tracker)?;
    let receipt = view
        .final_checkpoint()
        .and_then(|checkpoint| election::receipt::issue(view.fold(), leaf, &checkpoint));
    let is_published = view.fold().phase() == Phase::Published;
    let state = match (&receipt, is_published) {
        (None, _) => "ordered",
        (Some(_), true) if view.fold().counted().iter().any(|(at, _)| *at == leaf) => "counted",
        (Some(_), _) => "final",
    };
    Some(BallotView {
        state,
        tracker: tracker.to_string(),
        entry: None,
        leaf: Some(leaf),
        receipt: receipt.map(|receipt| receipt.to_string()),
        refused: None,
    })
}

/// The reason for which an ordered ballot is no leaf.
pub(crate) fn refusal(view: ElectionView<'_>, ballot_hash: &[u8; 32]) -> Option<Refused> {
    let signed = view.refusals_of_ballot(ballot_hash);
    signed
        .first()
        .map(|refusal| Refused { code: refusal.code.clone(), sentence: refusal.sentence.clone() })
}

/// A reason in words.
pub(crate) struct Refused {
    pub(crate) code: String,
    pub(crate) sentence: String,
}

/// What is known of a credential.
pub(crate) fn credential(view: ElectionView<'_>, key: &[u8; 32]) -> CredentialView {
    let fold = view.fold();
    let voter = fold.voter(key);
    CredentialView {
        on_roll: voter.is_some(),
        group: voter.map_or(0, |(voter, _)| voter.group),
        weight: voter.map_or(0, |(voter, _)| voter.weight),
        barred: voter.and_then(|(_, standing)| standing).map(|standing| match standing {
            election::Standing::Withdrawn => "withdrawn",
            election::Standing::Replaced => "replaced",
            election::Standing::Paper => "paper",
        }),
        last: fold.credential_state(key).map(|state| LastBallot {
            seq: state.seq,
            hash: hex::encode(state.hash),
            leaf: state.leaf_index,
            is_final: state.leaf_index < view.final_size(),
        }),
    }
}

/// The messages of the key ceremony so far.
pub(crate) fn ceremony(view: ElectionView<'_>) -> Vec<CeremonyMessage> {
    let message = |(&(round, trustee), bytes): (&(u8, u8), &Bytes)| CeremonyMessage {
        round,
        trustee,
        message: encode(bytes),
    };
    view.ceremony_messages().iter().map(message).collect()
}

/// The roll's chunks, base64.
pub(crate) fn roll(view: ElectionView<'_>) -> Vec<String> {
    view.roll_chunks().values().map(|chunk| encode(chunk)).collect()
}

/// Canonical bytes of the sealed manifest.
pub(crate) fn manifest(view: ElectionView<'_>) -> Option<Vec<u8>> {
    view.fold().manifest().map(election::Manifest::encode)
}

/// Leaves from `from` on, as many as fit one answer and at most `limit`.
pub(crate) fn leaves(view: ElectionView<'_>, from: u64, limit: usize) -> LeavesView {
    let all = view.fold().leaves();
    let start = usize::try_from(from).unwrap_or(usize::MAX).min(all.len());
    let mut bytes = 0;
    let taken: Vec<&Bytes> = all[start..]
        .iter()
        .take(limit)
        .take_while(|leaf| {
            let fits = bytes < LEAVES_BYTES_MAX;
            bytes += leaf.len();
            fits
        })
        .collect();
    let next = start + taken.len();
    LeavesView {
        leaves: taken.into_iter().map(|leaf| encode(leaf)).collect(),
        next: (next < all.len()).then_some(next as u64),
    }
}

/// The changes of authorities' keys that are final, oldest first.
pub(crate) fn key_changes(view: ElectionView<'_>) -> Vec<KeyChangeView> {
    let change = |change: &Successor| {
        let entry = view.fold().leaves().get(usize::try_from(change.leaf).ok()?)?;
        let receipt = view.receipt(change.leaf, Vec::new())?;
        Some(KeyChangeView { entry: encode(entry), receipt: receipt.to_string() })
    };
    view.fold().successions().all().iter().map_while(change).collect()
}

/// Entries behind number `after` that were refused after ordering, newest last, and where to go on
/// if there are more.
pub(crate) fn refusals(
    view: ElectionView<'_>,
    after: u64,
    limit: usize,
) -> (Vec<RefusedEntry>, Option<u64>) {
    let mut numbers: Vec<u64> = view.refused().map(|(entry, _)| entry).collect();
    numbers.reverse();
    let behind = numbers.into_iter().filter(|entry| *entry > after);
    let mut found: Vec<RefusedEntry> =
        behind.filter_map(|entry| refused_entry(view, entry)).take(limit + 1).collect();
    let is_more = found.len() > limit;
    found.truncate(limit);
    let last = found.last().map(|refused| refused.entry);
    (found, last.filter(|_| is_more))
}

/// One entry with whoever refused it. What this authority itself made of it comes first; until it
/// has read the entry, the others' word stands.
fn refused_entry(view: ElectionView<'_>, entry: u64) -> Option<RefusedEntry> {
    let signed = view.refusals(entry)?;
    let first = signed.values().next()?;
    let (code, sentence) = match view.outcome(entry) {
        Some(Err(refusal)) => (refusal.code.to_owned(), refusal.sentence.clone()),
        _ => (first.code.clone(), first.sentence.clone()),
    };
    let is_ballot = first.ballot_hash != [0; 32];
    Some(RefusedEntry {
        entry,
        tracker: is_ballot.then(|| Tracker::of_hash(&first.ballot_hash).to_string()),
        code,
        sentence,
        signed: signed.iter().map(|(by, refusal)| SignedRefusalView::new(*by, refusal)).collect(),
    })
}

/// A ballot that was ordered and is no leaf, by its tracker.
pub(crate) fn refused_ballot(view: ElectionView<'_>, tracker: &Tracker) -> Option<BallotView> {
    let is_it = |signed: &election::SignedRefusal| {
        signed.ballot_hash != [0; 32] && Tracker::of_hash(&signed.ballot_hash) == *tracker
    };
    let (entry, _) = view.refused().find(|(_, signed)| signed.values().any(is_it))?;
    Some(BallotView {
        state: "refused",
        tracker: tracker.to_string(),
        entry: Some(entry),
        refused: refused_entry(view, entry),
        ..BallotView::default()
    })
}

/// A file of the final ledger as C2SP tlog-tiles has it, and whether it is full: full ones never
/// change.
pub(crate) fn tile(view: ElectionView<'_>, path: &str) -> Option<(Vec<u8>, bool)> {
    let path: ledger::TilePath = path.parse().ok()?;
    let is_full = u64::from(path.width) == ledger::TILE_WIDTH;
    let (start, end) = path.span();
    let row = path.level.map_or(0, u32::from).checked_mul(8)?;
    // Nobody vouches yet for what lies above.
    if end > view.final_size().checked_shr(row).unwrap_or(0) {
        return None;
    }
    let bytes = match path.level {
        Some(_) => view.fold().tree().tile(path)?,
        None => {
            let place = |at: u64| usize::try_from(at).ok();
            let entries = view.fold().leaves().get(place(start)?..place(end)?)?;
            ledger::encode_bundle(entries.iter().map(|entry| &entry[..])).ok()?
        }
    };
    Some((bytes, is_full))
}

/// Looks at one election, if it is known.
pub(crate) fn at<T>(
    authority: &Authority,
    id: ElectionId,
    look: impl FnOnce(ElectionView<'_>) -> T,
) -> Option<T> {
    authority.election(id).map(look)
}

/// The name under which a ballot's bytes are known.
pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    sha2::Sha256::digest(bytes).into()
}

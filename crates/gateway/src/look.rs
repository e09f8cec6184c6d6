//! From the authority's state to what callers are shown: runs on the authority's thread.

use crate::encoding::encode;
use crate::views::{
    AuthorityView, BallotView, CeremonyMessage, CredentialView, DefinitionView, ElectionDetail,
    ElectionSummary, LastBallot, LeavesView, RefusedEntry, ResultView, RoundsView,
    SignedRefusalView, blocker, phase_name,
};
use authority::{Authority, ElectionView};
use ballot::Tracker;
use bytes::Bytes;
use election::{ElectionId, Phase};
use sha2::Digest;

/// Most bytes of leaves in one answer.
const LEAVES_BYTES_MAX: usize = 4 << 20;

/// Most refused entries in one answer.
const REFUSALS_MAX: usize = 1000;

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
pub(crate) fn detail(view: ElectionView<'_>) -> ElectionDetail {
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
        blockers: match &phase {
            Phase::Setup { missing } => missing.iter().map(blocker).collect(),
            Phase::Empty => vec!["the manifest is not sealed".to_owned()],
            Phase::Open | Phase::Closed { .. } | Phase::Published => Vec::new(),
        },
        definition,
        draft: draft.map(|draft| encode(&draft.encode())),
        fingerprint: fold.fingerprint().map(|fingerprint| hex::encode(fingerprint.0)),
        joint_key: manifest.map(|manifest| hex::encode(manifest.joint_key)),
        authorities: manifest
            .map(|manifest| manifest.authorities.iter().map(authority).collect())
            .unwrap_or_default(),
        quorum: manifest.map(election::Manifest::quorum),
        turnout: fold.turnout().into(),
        next_order: fold.next_order(),
        entries: view.head(),
        shares: match phase {
            Phase::Closed { shares } => shares,
            _ => Vec::new(),
        },
        result: result(view),
        settled: view.is_settled(),
    }
}

/// The published result.
pub(crate) fn result(view: ElectionView<'_>) -> Option<ResultView> {
    let outcome = view.fold().result()?;
    Some(ResultView {
        ballots: outcome.ballots,
        weight: outcome.weight,
        counts: outcome.counts.clone(),
    })
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

/// Entries that were refused after ordering, newest last.
pub(crate) fn refusals(view: ElectionView<'_>) -> Vec<RefusedEntry> {
    let refused = |entry: u64| {
        let Some(Err(refusal)) = view.outcome(entry) else { return None };
        let signed = view.refusals(entry).map(|all| {
            all.iter().map(|(by, refusal)| SignedRefusalView::new(*by, refusal)).collect()
        });
        Some(RefusedEntry {
            entry,
            code: refusal.code.to_owned(),
            sentence: refusal.sentence.clone(),
            signed: signed.unwrap_or_default(),
        })
    };
    (1..=view.position()).filter_map(refused).take(REFUSALS_MAX).collect()
}

/// Where finality stands.
pub(crate) fn rounds(view: ElectionView<'_>) -> RoundsView {
    let (height, round) = view.round();
    RoundsView {
        height,
        round,
        leaves: view.fold().tree().size(),
        final_size: view.final_size(),
        following: view.is_following(),
        waiting: view.waiting(),
    }
}

/// One tile of the final tree, by its C2SP path.
pub(crate) fn tile(view: ElectionView<'_>, path: &str) -> Option<Vec<u8>> {
    let path: ledger::TilePath = path.parse().ok()?;
    view.fold().tree().tile(path)
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

//! Readers of foreign bytes never panic, and accept nothing but the one form.

use bytes::Bytes;
use election::{
    Archive, Draft, Electors, Entry, Fold, Manifest, Outcome, Participation, SignedOrder,
    SignedRefusal,
    keys::Key,
    roll::decode_chunk,
    testing::{ElectionBuilder, TestElection},
};
use ledger::{Policy, Receipt, SignedCheckpoint};
use proptest::prelude::*;

fn read_all(bytes: &[u8], election: &TestElection) {
    if let Ok(manifest) = Manifest::decode(bytes) {
        assert_eq!(manifest.encode(), bytes);
        drop(manifest.check());
    }
    if let Ok(draft) = Draft::decode(bytes) {
        assert_eq!(draft.encode(), bytes);
        drop(draft.definition.check());
    }
    if let Ok(refusal) = SignedRefusal::decode(bytes) {
        assert_eq!(refusal.encode(), bytes);
    }
    if let Ok(order) = SignedOrder::decode_with_kind(bytes) {
        assert_eq!(order.encode_with_kind(), bytes);
    }
    if let Ok(outcome) = Outcome::decode(bytes) {
        assert_eq!(outcome.encode(), bytes);
    }
    if let Ok(note) = SignedCheckpoint::parse(bytes) {
        assert_eq!(note.to_string().as_bytes(), bytes);
    }
    if let Some((id, key)) = Key::parse(bytes) {
        assert_eq!(key.of(id), bytes);
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        if let Ok(policy) = Policy::parse(text) {
            assert_eq!(policy.to_string(), text);
        }
        if let Ok(receipt) = Receipt::parse(text) {
            assert_eq!(receipt.to_string(), text);
        }
    }
    drop((Entry::decode(bytes), decode_chunk(bytes)));
    let shared = Bytes::copy_from_slice(bytes);
    if let Ok(archive) = Archive::decode(&shared) {
        assert_eq!(archive.encode(), shared);
    }
    drop(Fold::new(election.id()).push(&shared));
}

/// One of every form, to be damaged.
fn samples(election: &mut TestElection) -> Vec<Vec<u8>> {
    let run = election.open();
    let archive = election.archive(run.fold.leaves(), &[3, run.fold.tree().size()]);
    let electors = Electors { voters: 3, weight: 4 };
    let part = Participation { eligible: electors, ballots: electors, paper: electors };
    let outcome = Outcome {
        ballots: 3,
        weight: 4,
        paper: electors,
        participation: vec![part; 2],
        counts: vec![vec![1, 2], vec![0]],
    };
    let path = run.fold.tree().inclusion(2, run.fold.tree().size()).unwrap();
    let checkpoint = archive.final_checkpoint().clone();
    let receipt = Receipt { extra: vec![1], index: 2, path, checkpoint: checkpoint.clone() };
    let mut samples = vec![
        election.manifest.encode(),
        election.draft.encode(),
        outcome.encode(),
        checkpoint.to_string().into_bytes(),
        election.policy().to_string().into_bytes(),
        receipt.to_string().into_bytes(),
        Key::Entry(4).of(election.id()),
        archive.encode(),
    ];
    samples.extend(election.roll.chunks());
    samples.extend(election.setup_entries().iter().map(|entry| entry.to_vec()));
    samples
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn readers_stand_any_damage(
        seed in 0..4u64,
        changes in proptest::collection::vec((any::<usize>(), any::<u8>()), 1..4),
        cut in any::<Option<usize>>(),
        junk in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut election = ElectionBuilder::new(seed).voters(2).trustees(1, 1).build();
        read_all(&junk, &election);
        for sample in samples(&mut election) {
            let mut bytes = sample;
            for (at, byte) in &changes {
                let at = at % bytes.len();
                bytes[at] = *byte;
            }
            bytes.truncate(cut.map_or(usize::MAX, |cut| cut % (bytes.len() + 1)));
            read_all(&bytes, &election);
        }
    }
}

//! Whole archives through the verifier's public door.
#![allow(missing_docs, clippy::unwrap_used)]

mod archives;
mod forgeries;

use bytes::Bytes;
use election::testing::{ElectionBuilder, Finished, TestElection, TestRng, choose, choose_all};
use ledger::Policy;
use verifier::{Report, Verdict};

/// An election of three voters, one of whom votes twice.
fn sample(seed: u64) -> (TestElection, Finished) {
    let mut election = ElectionBuilder::new(seed).voters(3).trustees(2, 2).build();
    let mut run = election.open();
    election.vote(&mut run, 0, &[choose(0), choose_all(&[0, 1])]);
    election.vote(&mut run, 1, &[choose(1), choose_all(&[])]);
    election.vote(&mut run, 0, &[choose(2), choose(2)]);
    let finished = election.finish(run);
    (election, finished)
}

fn verify(archive: &[u8], trust: Option<&Policy>) -> Report {
    verifier::verify(archive, trust, &mut TestRng::new(1, "weights"))
}

/// The entry and check that a verdict blames.
fn blamed(report: &Report) -> (u8, Option<u64>) {
    match &report.verdict {
        Verdict::NotVerified { check, entry, .. } => (*check, *entry),
        other => panic!("not refused: {other}"),
    }
}

fn encode(archive: &election::Archive) -> Bytes {
    Bytes::from(archive.encode())
}

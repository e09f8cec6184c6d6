//! Good archives, wrong trust files, damage, and signatures on checkpoints.

use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use election::{
    Archive, ArchiveBytes, Fold, PartialSums, Verified,
    testing::{ElectionBuilder, TestRng, choose},
};
use ledger::{AuthoritySigner, OriginRule, Policy, SignedCheckpoint};
use verifier::{Finding, LeafOf, Progress, Verdict, Workers, verify_by, verify_with_progress};

use super::{blamed, encode, sample, verify};

#[test]
fn a_good_archive_is_verified_and_every_check_is_told() {
    let (_, finished) = sample(1);
    let report = verify(&finished.archive, Some(&finished.trust));
    assert_eq!(report.verdict, Verdict::Verified, "{report}");
    assert_eq!(report.verdict.exit_status(), 0);
    let lines: Vec<String> = report.checks.iter().map(ToString::to_string).collect();
    let root = finished.fold.tree().root();
    let expected = [
        " 1. The archive is whole: ok. 20 leaves have their hashes.",
        " 2. The authorities are those of the trust file: ok. 3 authorities, quorum 2.",
        &format!(
            " 3. The leaves have the root of the final checkpoint: ok. 20 leaves have root {root}."
        ),
        " 4. A quorum of authorities signed the final checkpoint: ok. node-2.vote.example, \
         node-3.vote.example signed it; 2 are needed.",
        " 5. Every earlier checkpoint is a prefix: ok. 2 earlier checkpoints.",
        " 6. The manifest is valid and signed by all who must: ok. Signed by the administrator, \
         all 2 trustees and 2 of 3 authorities or more.",
        " 7. The roll is the one the manifest names: ok. 3 voters of total weight 3.",
        " 8. The trustees made the election's key together: ok. Any 2 of 2 trustees can decrypt.",
        " 9. Every entry has its place and its appender's signature: ok. 20 entries.",
        "10. Every ballot is by somebody on the roll and follows the rules: ok. 3 ballots.",
        "11. Every ballot is proven to be a valid vote: ok. 3 ballots.",
        "12. The last ballot of each voter counts, once: ok. 2 ballots of weight 2 count, 1 were \
         replaced.",
        "13. Every decryption share is proven: ok. At least 2 shares.",
        "14. The result is what the shares decrypt to: ok. 2 ballots of weight 2: [0, 1, 1] \
         [0, 0, 1, 0]. Contest 1: decided, won by Grace. Contest 2: decided, won by Shed.",
    ];
    assert_eq!(lines, expected);
    let facts = report.facts.unwrap();
    assert_eq!((facts.size, facts.turnout.voters), (20, 2));
    assert_eq!(facts.result.as_ref(), finished.fold.result());
}

#[test]
fn without_a_trust_file_it_is_only_consistent() {
    let (_, finished) = sample(1);
    let report = verify(&finished.archive, None);
    assert_eq!(report.verdict, Verdict::ConsistentNotAnchored);
    assert_eq!(report.verdict.exit_status(), 3);
    assert_eq!(report.checks[1].finding, Finding::NotMade);
}

#[test]
fn another_trust_file_is_refused() {
    let (election, finished) = sample(1);
    let (_, other) = sample(2);
    let report = verify(&finished.archive, Some(&other.trust));
    assert_eq!((blamed(&report).0, report.verdict.exit_status()), (2, 1));
    // The same origin with other keys or fewer, the same keys for another election.
    let origin = OriginRule::Exact(election.manifest.origin());
    let keys = finished.trust.authorities().to_vec();
    let changed = [
        Policy::new(origin.clone(), other.trust.authorities().to_vec(), 0).unwrap(),
        Policy::new(origin.clone(), keys[..2].to_vec(), 0).unwrap(),
        Policy::new(OriginRule::Exact("vote.example/e/1".into()), keys.clone(), 0).unwrap(),
    ];
    for trust in &changed {
        assert_eq!(blamed(&verify(&finished.archive, Some(trust))).0, 2, "{trust}");
    }
    let below = Policy::new(OriginRule::Below("vote.example/e".into()), keys, 0).unwrap();
    assert_eq!(verify(&finished.archive, Some(&below)).verdict, Verdict::Verified);
}

#[test]
fn no_byte_of_an_archive_can_change() {
    let (_, finished) = sample(3);
    for at in 0..finished.archive.len() {
        for xor in [1 << (at % 8), 0xff] {
            let mut other = finished.archive.to_vec();
            other[at] ^= xor;
            let report = verify(&other, Some(&finished.trust));
            assert_ne!(report.verdict.exit_status(), 0, "byte {at} xor {xor:#x}");
            assert_ne!(report.verdict, Verdict::ConsistentNotAnchored);
        }
    }
}

#[test]
fn an_archive_cut_short_or_lengthened_is_refused() {
    let (_, finished) = sample(3);
    for end in (0..finished.archive.len()).step_by(97) {
        let report = verify(&finished.archive[..end], Some(&finished.trust));
        assert_ne!(report.verdict.exit_status(), 0, "cut at {end}");
    }
    let longer = [&finished.archive[..], b"\n"].concat();
    assert_eq!(verify(&longer, Some(&finished.trust)).verdict.exit_status(), 1);
}

#[test]
fn something_else_cannot_be_checked() {
    let (_, finished) = sample(3);
    let report = verify(b"PK\x03\x04 a zip file", Some(&finished.trust));
    assert_eq!(
        report.verdict.to_string(),
        "could not check: this file is not an archive of an election."
    );
    assert_eq!((report.verdict.exit_status(), report.checks.len()), (3, 14));
}

#[test]
fn an_election_without_a_result_cannot_be_checked() {
    let (election, finished) = sample(4);
    let leaves = finished.fold.leaves();
    for end in [1, 8, 14, leaves.len() - 4, leaves.len() - 1] {
        let archive = election.archive(&leaves[..end], &[end as u64]);
        let report = verify(&encode(&archive), Some(&finished.trust));
        assert_eq!(
            report.verdict.to_string(),
            "could not check: The archive ends before the result.",
            "{report}"
        );
        assert!(report.checks.iter().all(|check| check.finding != Finding::Failed));
    }
}

/// Workers that note what they were asked for, and work in another order than it came.
#[derive(Default)]
struct Noting {
    batches: Vec<usize>,
    sums: usize,
}

impl Workers for Noting {
    fn count(&self) -> usize {
        3
    }

    fn verify(&mut self, fold: &Fold, batches: &[&[Bytes]]) -> Vec<Verified> {
        self.batches.push(batches.len());
        let mut rng = TestRng::new(1, "weights");
        let backwards = batches.iter().rev();
        let mut verified: Vec<_> = backwards.map(|batch| fold.verify(batch, &mut rng)).collect();
        verified.reverse();
        verified
    }

    fn add_up(&mut self, fold: &Fold, leaf: &LeafOf<'_>) -> Vec<PartialSums> {
        let sums: Vec<_> = (0..4).filter_map(|part| fold.add_up(part, 4, leaf)).collect();
        self.sums += sums.len();
        sums
    }
}

#[test]
fn many_workers_come_to_the_same_report() {
    let mut election = ElectionBuilder::new(8).voters(700).trustees(2, 2).build();
    let mut run = election.open();
    for voter in (0..700).chain(0..400) {
        election.vote(&mut run, voter, &[choose((voter % 3) as u16), choose(0)]);
    }
    let finished = election.finish(run);
    let (archive, trust) = (finished.archive.clone(), Some(&finished.trust));
    let mut workers = Noting::default();
    let report = verify_by(&archive, trust, &mut workers, &mut |_| ());
    assert_eq!(report, verify(&archive, trust));
    assert_eq!(report.verdict, Verdict::Verified, "{report}");
    // 1,100 ballots are three batches for three workers; their sums are added up in four parts.
    assert_eq!((workers.batches.iter().max(), workers.sums), (Some(&3), 4));

    // A ballot that is not right is found as well by three as by one.
    let mut bad = Archive::decode(&archive).unwrap();
    let at = bad.leaves.len() - 300;
    let mut leaf = bad.leaves[at].to_vec();
    let end = leaf.len() - 100;
    leaf[end] ^= 1;
    bad.leaves[at] = leaf.into();
    let bad = encode(&bad);
    let report = verify_by(&bad, trust, &mut Noting::default(), &mut |_| ());
    assert_eq!(blamed(&report), blamed(&verify(&bad, trust)));
}

#[test]
fn progress_reaches_the_end() {
    let (_, finished) = sample(5);
    let mut told = Vec::new();
    let trust = Some(&finished.trust);
    let mut rng = TestRng::new(1, "weights");
    verify_with_progress(&finished.archive, trust, &mut rng, &mut |step| told.push(step));
    assert_eq!(told.last(), Some(&Progress { done: 20, total: 20 }));
}

/// An archive of which the reads after some are changed by somebody, or fail.
struct Restless {
    bytes: Bytes,
    reads: AtomicUsize,
    /// How many reads are answered as they must be.
    good: usize,
    fails: bool,
}

impl ArchiveBytes for Restless {
    fn length(&self) -> u64 {
        self.bytes.length()
    }

    fn read(&self, offset: u64, count: usize) -> Result<Bytes, String> {
        let read = self.bytes.read(offset, count)?;
        if self.reads.fetch_add(1, Ordering::Relaxed) < self.good {
            return Ok(read);
        }
        if self.fails {
            return Err("a bad sector".to_owned());
        }
        // The last byte of a leaf belongs to its appender's signature.
        let mut other = read.to_vec();
        *other.last_mut().expect("no empty reads") ^= 1;
        Ok(other.into())
    }
}

#[test]
fn an_archive_that_changes_or_fails_under_the_verifier_is_never_verified() {
    let (_, finished) = sample(9);
    let trust = Some(&finished.trust);
    let run = |good, fails| {
        let (bytes, reads) = (finished.archive.clone(), AtomicUsize::new(0));
        let archive = Restless { bytes, reads, good, fails };
        let report = verify_by(&archive, trust, &mut Noting::default(), &mut |_| ());
        (report, archive.reads.into_inner())
    };
    let (report, reads) = run(usize::MAX, false);
    assert_eq!(report.verdict, Verdict::Verified, "{report}");
    for good in 0..reads {
        let (report, _) = run(good, true);
        assert_eq!(
            report.verdict.to_string(),
            "could not check: archive: it cannot be read: a bad sector."
        );
        let (report, _) = run(good, false);
        assert_ne!(report.verdict.exit_status(), 0, "after {good} reads: {report}");
    }
}

/// Changes the checkpoints of a good archive; gives the number of the failed check.
fn failed_check(change: impl FnOnce(&mut Vec<SignedCheckpoint>)) -> u8 {
    let (_, finished) = sample(6);
    let mut archive = Archive::decode(&finished.archive).unwrap();
    change(&mut archive.checkpoints);
    blamed(&verify(&encode(&archive), Some(&finished.trust))).0
}

/// The note with only the first `keep` signature lines and perhaps one more.
fn resigned(note: &SignedCheckpoint, keep: usize, more: &str) -> SignedCheckpoint {
    let text = note.to_string();
    let lines: Vec<&str> = text.split_inclusive('\n').take(4 + keep).collect();
    SignedCheckpoint::parse((lines.concat() + more).as_bytes()).unwrap()
}

#[test]
fn checkpoints_need_a_quorum_and_carry_no_false_signature() {
    assert_eq!(failed_check(|all| all[2] = resigned(&all[2], 1, "")), 4);
    assert_eq!(failed_check(|all| all[2] = resigned(&all[2], 0, "")), 4);
    // A signature of the final checkpoint under an earlier one.
    let moved = |all: &mut Vec<SignedCheckpoint>| {
        let line = all[2].to_string().lines().nth(4).unwrap().to_owned() + "\n";
        all[0] = resigned(&all[0], 0, &line);
    };
    assert_eq!(failed_check(moved), 4);
    let stranger = AuthoritySigner::from_seed("stranger.example", &[9; 32]).unwrap();
    let foreign = |all: &mut Vec<SignedCheckpoint>| {
        let cosignature = stranger.cosign(&all[0].checkpoint, 60);
        all[0].add(stranger.key(), &cosignature);
    };
    assert_eq!(failed_check(foreign), 4);
}

#[test]
fn a_cosigned_fork_is_found_even_if_a_quorum_signed_it() {
    let (election, finished) = sample(7);
    let mut archive = Archive::decode(&finished.archive).unwrap();
    let mut leaves = archive.leaves.clone();
    leaves[16] = Bytes::from_static(b"another leaf");
    let fork = election.archive(&leaves, &[17]);
    archive.checkpoints[1] = fork.checkpoints[0].clone();
    let report = verify(&encode(&archive), Some(&finished.trust));
    assert_eq!(blamed(&report), (5, None), "{report}");
}

#[test]
fn an_uncovered_tail_is_refused() {
    let (_, finished) = sample(7);
    let mut archive = Archive::decode(&finished.archive).unwrap();
    archive.checkpoints.pop();
    assert_eq!(blamed(&verify(&encode(&archive), Some(&finished.trust))), (3, None));
}

#[test]
fn checkpoints_of_another_log_do_not_count() {
    let (election, finished) = sample(8);
    let mut archive = Archive::decode(&finished.archive).unwrap();
    let mut checkpoint = archive.final_checkpoint().checkpoint.clone();
    checkpoint.origin = "vote.example/e/another".to_owned();
    let mut note = SignedCheckpoint::unsigned(checkpoint.clone());
    for signer in &election.signers {
        note.add(signer.key(), &signer.cosign(&checkpoint, 60));
    }
    archive.checkpoints = vec![note];
    let keys = finished.trust.authorities().to_vec();
    let below = Policy::new(OriginRule::Below("vote.example/e".into()), keys, 0).unwrap();
    assert_eq!(blamed(&verify(&encode(&archive), Some(&below))), (4, None));
    assert_eq!(blamed(&verify(&encode(&archive), None)), (4, None));
}

#[test]
fn the_report_is_one_object_in_json() {
    let (_, finished) = sample(1);
    let report = verify(&finished.archive, Some(&finished.trust)).to_json();
    assert_eq!(report["format"], "quorate-verification-v1");
    assert_eq!((&report["verdict"], report["check"].is_null()), (&"verified".into(), true));
    assert_eq!(report["checks"].as_array().map(Vec::len), Some(14));
    assert_eq!(report["checks"][6]["title"], "The roll is the one the manifest names");
    assert_eq!(report["facts"]["result"]["counts"][0], serde_json::json!(["0", "1", "1"]));
    let mut other = finished.archive.to_vec();
    other[40] ^= 1;
    let report = verify(&other, Some(&finished.trust)).to_json();
    assert_eq!((&report["verdict"], &report["check"]), (&"not-verified".into(), &1.into()));
    assert_eq!((&report["entry"], report["facts"].is_null()), (&0.into(), true));
}

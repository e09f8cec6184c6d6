//! An authority loses its folder; a store loses what it had acknowledged.

use authority::{Act, Answer};
use election::{Appender, Succession, testing::choose};

use crate::cluster::Cluster;
use crate::machine::{close, opened, vote};

/// The operator of a node agrees to the next change of a key.
fn succeed(cluster: &mut Cluster, node: usize, authority: u8, key: [u8; 32]) -> Answer {
    let generation = cluster.view(node).fold().successions().all().len() as u32 + 1;
    let succession = Succession { generation, authority, key };
    let fingerprint = cluster.election.manifest.fingerprint();
    let Appender { index: signer, key } = &cluster.election.appenders[node];
    let signature = succession.sign(&fingerprint, *signer, key);
    cluster.act(node, Act::Agree { succession, signer: *signer, signature })
}

#[test]
fn an_authority_that_lost_its_folder_comes_back_with_a_new_key() {
    let mut cluster = opened(31, 4, 1);
    for voter in 0..3 {
        vote(&mut cluster, voter, voter);
    }
    cluster.pass(500);
    let key = cluster.lose_folder(3, [77; 32]);
    cluster.pass(1_000);
    let lost = cluster.view(3);
    assert_eq!(lost.fold().tree().size(), cluster.view(0).fold().tree().size(), "it reads along");
    vote(&mut cluster, 0, 3);
    cluster.pass(2_000);
    cluster.assert_settled(0..4);
    let newest = cluster.view(0).final_checkpoint().expect("it is final");
    assert_eq!(newest.signatures().len(), 3, "the lost one has no voice");
    for node in [0, 2] {
        let answer = succeed(&mut cluster, node, 4, key);
        assert_eq!(answer, Answer::Done { entries: Vec::new() });
    }
    cluster.pass(6_000);
    assert!(cluster.view(0).fold().successions().all().is_empty(), "two of three signatures");
    succeed(&mut cluster, 1, 4, key);
    cluster.pass(3_000);
    let changes = cluster.view(3).fold().successions().all().to_vec();
    assert_eq!(changes.len(), 1);
    cluster.assert_settled(0..4);
    for turn in 0..8 {
        vote(&mut cluster, turn % 4, turn % 6);
        cluster.pass(1_000);
    }
    cluster.assert_settled(0..4);
    for node in 0..4 {
        let view = cluster.view(node);
        let newest = view.final_checkpoint().expect("it is final");
        let policy = view.policy_at(newest.checkpoint.size).expect("it has a manifest");
        assert_eq!(policy.verify(&newest).map(|signers| signers.len()), Ok(4), "node {node}");
        assert!(cluster.election.policy().verify(&newest).is_ok(), "the others are a quorum");
        assert_eq!(view.standings()[3].generation, 1);
        assert!(cluster.alarms(node).is_empty(), "{:?}", cluster.alarms(node));
        // Proposals came from it, too.
        let proposed = |round: &authority::chronicle::RoundRecord| {
            round.proposal.is_some_and(|(who, _)| who == 4)
        };
        let heights = view
            .heights()
            .filter(|one| one.decided.is_some_and(|it| it.1.size > changes[0].leaf + 1));
        assert!(heights.flat_map(|one| one.rounds.values()).any(proposed), "node {node}");
    }
    // Everybody restarts and goes on.
    (0..4).for_each(|node| cluster.restart(node));
    cluster.pass(1_000);
    vote(&mut cluster, 3, 5);
    close(&mut cluster);
    cluster.pass(2_000);
    cluster.assert_settled(0..4);
}

#[test]
fn the_old_key_has_no_voice_after_the_change() {
    let mut cluster = opened(32, 3, 0);
    vote(&mut cluster, 0, 0);
    cluster.pass(500);
    // Authority 3 still runs with its old key.
    let key = ballot::signature::SigningKey::from_seed(&[78; 32]).public().to_bytes();
    for node in [0, 1] {
        succeed(&mut cluster, node, 3, key);
    }
    cluster.pass(3_000);
    assert_eq!(cluster.view(2).fold().successions().all().len(), 1);
    let answer = succeed(&mut cluster, 2, 1, [1; 32]);
    assert!(
        matches!(&answer, Answer::Impossible(why) if why.code == "bad-signature"),
        "{answer:?}"
    );
    for voter in 1..4 {
        vote(&mut cluster, 0, voter);
        cluster.pass(3_000);
    }
    cluster.assert_settled(0..2);
    let newest = cluster.view(0).final_checkpoint().expect("it is final");
    assert_eq!(newest.signatures().len(), 2);
    // What it appends is no leaf any more.
    let ballot = cluster.election.cast(5, &[choose(0), choose(1)]);
    let ticket = cluster.submit(2, &ballot);
    cluster.pass(1_000);
    let Answer::Ordered { entry, .. } = cluster.nodes[2].answers[&ticket] else {
        panic!("{:?}", cluster.nodes[2].answers[&ticket]);
    };
    let refusal = cluster.view(0).outcome(entry).expect("it was folded").clone();
    assert_eq!(refusal.expect_err("the old key signed it").code, "unknown-appender");
    // The voter sends the same bytes elsewhere.
    let ticket = cluster.submit(0, &ballot);
    cluster.pass(3_000);
    assert!(matches!(cluster.nodes[0].answers[&ticket], Answer::Ordered { .. }));
    assert_eq!(cluster.view(0).fold().turnout().voters, 5);
}

#[test]
fn a_clock_that_was_wrong_does_not_stop_an_authority() {
    let mut cluster = opened(33, 3, 0);
    cluster.minutes += 500;
    vote(&mut cluster, 0, 0);
    cluster.minutes -= 500;
    let entry = vote(&mut cluster, 0, 1);
    cluster.pass(500);
    assert!(matches!(cluster.view(1).outcome(entry), Some(Ok(_))));
    cluster.assert_settled(0..3);
}

#[test]
fn final_entries_come_back_and_waiting_voters_send_the_others_again() {
    let mut cluster = opened(34, 3, 0);
    vote(&mut cluster, 0, 0);
    cluster.pass(500);
    let older = cluster.store.clone();
    vote(&mut cluster, 1, 1);
    cluster.pass(500);
    let last_final = cluster.view(0).final_size();
    // Ordered by node 0 and told so; its process ends before any authority has read it.
    let ballot = cluster.election.cast(2, &[choose(1), choose(0)]);
    cluster.deaf(true);
    let ticket = cluster.submit(0, &ballot);
    assert!(matches!(cluster.nodes[0].answers[&ticket], Answer::Ordered { .. }));
    cluster.replace_store(older);
    cluster.deaf(false);
    cluster.restart(0);
    cluster.pass(6_000);
    cluster.assert_settled(0..3);
    assert_eq!(cluster.view(2).final_size(), last_final, "what was final is back, no more");
    assert!((1..3).any(|node| cluster.alarms(node).iter().any(|what| what.contains("went back"))));
    for node in [2, 1, 2] {
        cluster.submit(node, &ballot);
        cluster.pass(1_000);
    }
    cluster.assert_settled(0..3);
    let turnout = cluster.view(0).fold().turnout();
    assert_eq!((turnout.voters, turnout.ballots), (3, 3), "everything is counted once");
}

#[test]
fn a_watch_that_is_late_is_not_read_around_and_one_that_is_silent_is() {
    let mut cluster = opened(21, 3, 0);
    let audit_ms = cluster.nodes[0].config.audit_ms;
    let pages = |cluster: &Cluster| cluster.nodes.iter().map(|node| node.pages).sum::<usize>();
    let before = pages(&cluster);
    for voter in 0..6 {
        // Whenever the store is audited it is ahead, but the watch brings everything in the end.
        cluster.deaf(true);
        let ballot = cluster.election.cast(voter, &[choose(0), choose(1)]);
        cluster.submit(voter % 3, &ballot);
        cluster.pass(audit_ms);
        cluster.deaf(false);
        cluster.pass(20);
    }
    assert_eq!(pages(&cluster), before, "nobody read everything again");
    cluster.deaf(true);
    let ballot = cluster.election.cast(0, &[choose(1), choose(1)]);
    cluster.submit(0, &ballot);
    cluster.pass(5 * audit_ms);
    assert!(pages(&cluster) > before, "what the watches left out was read");
    cluster.deaf(false);
    cluster.pass(1_000);
    cluster.assert_settled(0..3);
}

#[test]
fn a_store_that_forgot_the_election_is_told_of_it_again() {
    let mut cluster = opened(35, 4, 1);
    vote(&mut cluster, 0, 0);
    cluster.pass(500);
    // Not even the list of elections is left, and one node has no journal to know it from.
    let empty = cluster.store.set_back(0);
    cluster.replace_store(empty);
    cluster.lose_journal(3);
    cluster.pass(8_000);
    cluster.assert_settled(0..4);
    assert_eq!(cluster.view(3).fold().turnout().voters, 1);
}

//! Whole elections through the machines, and a store that does what a store must not do.

use authority::{Act, Answer, Notice};
use bytes::Bytes;
use election::{
    Act as Signed, Phase,
    testing::{ElectionBuilder, choose},
};
use kv::api::{DeleteRangeRequest, KeyRange, PutRequest, Request};
use ledger::leaf_hash;

use crate::cluster::Cluster;

pub(crate) fn opened(seed: u64, authorities: u8, faulty: u8) -> Cluster {
    let election = ElectionBuilder::new(seed).authorities(authorities, faulty).voters(6).build();
    let mut cluster = Cluster::new(election);
    cluster.open();
    cluster
}

/// Casts for a voter at a node; the answer must be `Ordered`.
pub(crate) fn vote(cluster: &mut Cluster, node: usize, voter: usize) -> u64 {
    let ballot = cluster.election.cast(voter, &[choose(0), choose(1)]);
    let ticket = cluster.submit(node, &ballot);
    cluster.pass(40);
    match cluster.nodes[node].answers.get(&ticket) {
        Some(Answer::Ordered { entry, .. }) => *entry,
        other => panic!("voter {voter}: {other:?}"),
    }
}

pub(crate) fn close(cluster: &mut Cluster) {
    let fingerprint = cluster.election.manifest.fingerprint();
    let signature = Signed::Close.sign(&fingerprint, &cluster.election.admin);
    let answer = cluster.act(0, Act::Close { signature });
    assert!(matches!(answer, Answer::Done { .. }), "{answer:?}");
}

#[test]
fn a_whole_election_on_three_nodes() {
    let mut cluster = opened(1, 3, 0);
    for voter in 0..6 {
        vote(&mut cluster, voter % 3, voter);
    }
    vote(&mut cluster, 0, 2);
    close(&mut cluster);
    cluster.pass(500);
    cluster.assert_settled(0..3);
    for trustee in [1, 3] {
        let Cluster { election, nodes, .. } = &mut cluster;
        let view = nodes[0].authority.election(election.id()).expect("it is known");
        let statement = view.fold().tally_statement().expect("it is closed");
        let secret = &election.secret_shares[usize::from(trustee) - 1];
        let share = ballot::threshold::DecryptionShare::new(statement, secret, &mut election.rng);
        let share = Bytes::copy_from_slice(share.as_bytes());
        let answer = cluster.act(1, Act::Share { trustee, share });
        assert!(matches!(answer, Answer::Done { .. }), "{answer:?}");
    }
    let result = cluster.view(2).fold().decrypt().expect("two shares are enough").encode();
    let answer = cluster.act(2, Act::Result { result: result.into() });
    assert!(matches!(answer, Answer::Done { .. }), "{answer:?}");
    cluster.pass(500);
    cluster.assert_settled(0..3);
    let policy = cluster.election.policy();
    for node in 0..3 {
        let view = cluster.view(node);
        assert_eq!(view.fold().phase(), Phase::Published);
        assert_eq!(
            view.fold().result().map(|outcome| outcome.counts[0].clone()),
            Some(vec![6, 0, 0])
        );
        let checkpoint = view.final_checkpoint().expect("everything is final");
        assert_eq!(policy.verify(&checkpoint).map(|signers| signers.len()), Ok(3));
        let leaf = view.fold().leaves().len() as u64 - 4;
        let receipt = view.receipt(leaf, Vec::new()).expect("the leaf is final");
        let hash = leaf_hash(&view.fold().leaves()[leaf as usize]);
        assert!(receipt.verify(&policy, hash).is_ok());
        assert!(cluster.alarms(node).is_empty(), "{:?}", cluster.alarms(node));
        let archive = view.archive().expect("everything is final");
        assert_eq!(archive.leaves.len() as u64, view.final_size());
    }
}

#[test]
fn the_same_bytes_get_the_same_answer_and_one_leaf() {
    let mut cluster = opened(2, 3, 0);
    let ballot = cluster.election.cast(0, &[choose(0), choose(1)]);
    let first = cluster.submit(0, &ballot);
    let second = cluster.submit(0, &ballot);
    cluster.pass(500);
    let third = cluster.submit(1, &ballot);
    cluster.pass(500);
    let answers = &cluster.nodes[0].answers;
    assert!(matches!(answers[&first], Answer::Ordered { .. }));
    assert!(matches!(answers[&second], Answer::Ordered { .. } | Answer::AlreadyAccepted { .. }));
    let leaf = cluster.view(0).fold().leaves().len() as u64 - 1;
    let Some(Answer::AlreadyAccepted { leaf: known, .. }) = cluster.nodes[1].answers.get(&third)
    else {
        panic!("{:?}", cluster.nodes[1].answers.get(&third));
    };
    assert_eq!(*known, leaf);
}

#[test]
fn a_refusal_is_signed() {
    let mut cluster = opened(3, 3, 0);
    let mut ballot = cluster.election.cast(0, &[choose(0), choose(1)]);
    let last = ballot.len() - 70;
    ballot[last] ^= 1;
    let ticket = cluster.submit(1, &ballot);
    let Answer::Refused(refusal) = &cluster.nodes[1].answers[&ticket] else {
        panic!("{:?}", cluster.nodes[1].answers[&ticket]);
    };
    assert!(refusal.verify(&cluster.election.appenders[1].key.public()));
    assert_eq!((refusal.entry, refusal.authority), (0, 2));
}

#[test]
fn an_ordered_entry_that_is_no_leaf_is_refused_by_all() {
    let mut cluster = opened(4, 3, 0);
    // Both nodes take a first ballot of the same voter before they have seen the other one.
    let one = cluster.election.cast_at(0, 0, [0; 32], &[choose(0), choose(1)]);
    let other = cluster.election.cast_at(0, 0, [0; 32], &[choose(1), choose(1)]);
    let tickets = [(0, cluster.hand_in(0, &one)), (1, cluster.hand_in(1, &other))];
    cluster.pass(1_000);
    for (node, ticket) in tickets {
        let answer = &cluster.nodes[node].answers[&ticket];
        assert!(matches!(answer, Answer::Ordered { .. }), "{answer:?}");
    }
    let entry = cluster.view(0).position();
    for node in 0..3 {
        let refusals = cluster.view(node).refusals(entry).expect("the second one is no leaf");
        assert!(refusals.values().all(|refusal| refusal.code == "broken-chain"));
        assert_eq!(refusals.len(), 3, "signed reasons at node {node}");
    }
    cluster.assert_settled(0..3);
}

#[test]
fn an_append_of_unknown_outcome_is_not_repeated() {
    let mut cluster = opened(5, 3, 0);
    let before = cluster.view(0).position();
    cluster.nodes[0].lose_reply = true;
    let ballot = cluster.election.cast(0, &[choose(0), choose(1)]);
    let ticket = cluster.submit(0, &ballot);
    cluster.pass(1_000);
    let entry = before + 1;
    assert!(
        matches!(cluster.nodes[0].answers[&ticket], Answer::Ordered { entry: at, .. } if at == entry)
    );
    assert_eq!(cluster.view(0).position(), entry);
    cluster.assert_settled(0..3);
}

#[test]
fn too_many_ballots_are_told_so() {
    let mut cluster = opened(6, 3, 0);
    let ballots: Vec<_> =
        (0..3).map(|voter| cluster.election.cast(voter, &[choose(0), choose(1)])).collect();
    let node = &mut cluster.nodes[0];
    node.config.queue_max = 0;
    let ticket = {
        cluster.restart(0);
        cluster.pass(500);
        cluster.submit(0, &ballots[0])
    };
    assert_eq!(cluster.nodes[0].answers[&ticket], Answer::Overloaded);
}

#[test]
fn a_restarted_authority_cosigns_what_it_missed() {
    let mut cluster = opened(7, 3, 0);
    vote(&mut cluster, 0, 0);
    cluster.pass(500);
    cluster.nodes[2].stopped = true;
    for voter in 1..4 {
        vote(&mut cluster, 0, voter);
        cluster.pass(3_000);
    }
    cluster.assert_settled(0..2);
    cluster.restart(2);
    cluster.pass(2_000);
    cluster.assert_settled(0..3);
    for node in 0..3 {
        let checkpoint = cluster.view(node).final_checkpoint().expect("it is final");
        assert_eq!(checkpoint.signatures().len(), 3, "at node {node}");
        assert!(cluster.alarms(node).is_empty(), "{:?}", cluster.alarms(node));
    }
}

#[test]
fn a_store_that_was_set_back_gets_everything_back() {
    let mut cluster = opened(8, 4, 1);
    for voter in 0..3 {
        vote(&mut cluster, voter, voter);
    }
    cluster.pass(500);
    let older = cluster.store.set_back(cluster.store.commands() - 60);
    for voter in 3..6 {
        vote(&mut cluster, voter % 4, voter);
    }
    cluster.pass(500);
    let before = cluster.view(0).final_checkpoint().expect("it is final").checkpoint;
    cluster.replace_store(older);
    cluster.pass(8_000);
    cluster.assert_settled(0..4);
    for node in 0..4 {
        let view = cluster.view(node);
        let root = view.fold().tree().root_at(before.size);
        assert_eq!(root, Some(before.root), "node {node} kept what was final");
        assert_eq!(view.fold().turnout().voters, 6);
    }
    assert!((0..4).any(|node| cluster.alarms(node).iter().any(|what| what.contains("went back"))));
    vote(&mut cluster, 0, 0);
    cluster.pass(500);
    cluster.assert_settled(0..4);
}

#[test]
fn changed_and_deleted_final_entries_are_put_back() {
    let mut cluster = opened(9, 3, 0);
    for voter in 0..3 {
        vote(&mut cluster, voter, voter);
    }
    cluster.pass(500);
    let position = cluster.view(0).position();
    let key = |entry| Bytes::from(election::keys::Key::Entry(entry).of(cluster.election.id()));
    let (changed, deleted) = (key(position - 1), key(position));
    let original = cluster.view(0).entry(position).cloned();
    let put = PutRequest { key: changed, value: Bytes::from_static(b"?"), ..PutRequest::default() };
    cluster.store.call(&Request::Put(put)).expect("the store obeys");
    let range = KeyRange::single(deleted.clone());
    let delete = DeleteRangeRequest { range: range.clone(), prev_kv: false };
    cluster.store.call(&Request::DeleteRange(delete)).expect("the store obeys");
    cluster.pass(3_000);
    let read = kv::api::RangeRequest { range, ..Default::default() };
    let Ok(kv::api::Response::Range(found)) = cluster.store.call(&Request::Range(read)) else {
        panic!("the store answers");
    };
    assert_eq!(found.kvs.first().map(|kv| kv.value.clone()), original);
    vote(&mut cluster, 1, 4);
    cluster.pass(500);
    cluster.assert_settled(0..3);
}

#[test]
fn notices_tell_a_ballot_s_way() {
    let mut cluster = opened(10, 3, 0);
    cluster.nodes[1].notices.clear();
    let entry = vote(&mut cluster, 0, 0);
    cluster.pass(500);
    let leaf = *cluster.view(1).outcome(entry).and_then(|it| it.as_ref().ok()).expect("a leaf");
    let notices = &cluster.nodes[1].notices;
    let accepted =
        |notice: &&Notice| matches!(notice, Notice::Accepted { entry: at, .. } if *at == entry);
    assert!(notices.iter().any(|notice| accepted(&notice)));
    let is_final = |notice: &&Notice| matches!(notice, Notice::Final { size, .. } if *size > leaf);
    assert!(notices.iter().any(|notice| is_final(&notice)));
}

#[test]
fn acts_out_of_place_are_impossible() {
    let election = ElectionBuilder::new(11).build();
    let mut cluster = Cluster::new(election);
    let fingerprint = cluster.election.manifest.fingerprint();
    let signature = Signed::Open.sign(&fingerprint, &cluster.election.admin);
    let id = cluster.id();
    assert_eq!(cluster.act(0, Act::Open { signature }), Answer::UnknownElection);
    cluster.set_up();
    let wrong = Signed::Close.sign(&fingerprint, &cluster.election.admin);
    let Answer::Impossible(refusal) = cluster.act(0, Act::Open { signature: wrong }) else {
        panic!("election {id} opened with a wrong signature");
    };
    assert_eq!(refusal.code, "bad-signature");
    let Answer::Impossible(refusal) = cluster.act(1, Act::ImportRoll { chunks: Vec::new() }) else {
        panic!("a roll was imported after sealing");
    };
    assert_eq!(refusal.code, "wrong-phase");
}

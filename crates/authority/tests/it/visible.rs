//! What people can see: the rounds, who is behind, and split views with both signed texts.

use authority::{Comparison, Notice, alarm::code};
use bytes::Bytes;
use election::keys::Key;
use kv::api::{PutRequest, Request};
use ledger::{AuthoritySigner, Checkpoint, Hash, SignedCheckpoint};

use crate::cluster::Cluster;
use crate::machine::{opened, vote};

/// A checkpoint of this election signed by these authorities.
fn signed(cluster: &Cluster, size: u64, root: [u8; 32], by: &[u8]) -> SignedCheckpoint {
    let origin = cluster.election.manifest.origin();
    let checkpoint = Checkpoint { origin, size, root: Hash(root) };
    let mut note = SignedCheckpoint::unsigned(checkpoint.clone());
    for number in by {
        let signer = &cluster.election.signers[usize::from(*number) - 1];
        note.add(signer.key(), &signer.cosign(&checkpoint, 1_790_000_000));
    }
    note
}

#[test]
fn the_rounds_tell_who_proposed_checked_was_ready_and_signed() {
    let mut cluster = opened(21, 4, 1);
    vote(&mut cluster, 0, 0);
    cluster.pass(500);
    cluster.nodes[3].stopped = true;
    vote(&mut cluster, 1, 1);
    cluster.pass(4_000);
    cluster.assert_settled(0..3);
    let view = cluster.view(0);
    let last = view.heights().next_back().expect("there are rounds");
    let last = match last.decided {
        Some(_) => last,
        None => view.heights().rev().nth(1).expect("one was decided"),
    };
    let (round, value, seen) = last.decided.expect("it was decided");
    assert_eq!((value.size, value.root), (view.final_size(), view.fold().tree().root().0));
    assert!(seen.is_some());
    let record = &last.rounds[&round];
    let (proposer, said) = record.proposal.expect("somebody proposed");
    assert_eq!(u64::from(proposer), (last.height + u64::from(round)) % 4 + 1);
    assert_eq!(said.value, Some(value));
    let who = |said: &std::collections::BTreeMap<u8, authority::chronicle::Said>| {
        said.iter().filter(|(_, said)| said.value == Some(value)).map(|(who, _)| *who).collect()
    };
    let (checked, ready): (Vec<u8>, Vec<u8>) = (who(&record.checked), who(&record.ready));
    assert_eq!((checked, ready), (vec![1, 2, 3], vec![1, 2, 3]));
    assert_eq!(last.cosigned.keys().copied().collect::<Vec<u8>>(), [1, 2, 3]);
    let behind: Vec<u8> = view
        .standings()
        .iter()
        .filter(|one| one.cosigned_size < view.final_size())
        .map(|one| one.authority)
        .collect();
    assert_eq!(behind, [4]);
    // After a restart the journal still tells what was decided, and by whom.
    let before = last.height;
    cluster.restart(0);
    cluster.pass(500);
    let view = cluster.view(0);
    let record = view.heights().find(|one| one.height == before).expect("it is remembered");
    assert_eq!(record.rounds[&round].ready.len(), 3);
    assert_eq!(record.cosigned.len(), 3);
}

#[test]
fn statements_of_settled_heights_go() {
    let mut cluster = opened(22, 3, 0);
    for turn in 0..80 {
        vote(&mut cluster, turn % 3, turn % 6);
        cluster.pass(300);
    }
    let (height, _) = cluster.view(0).round();
    assert!(height >= 80, "{height} heights");
    let (rounds, cosignatures) = (cluster.count_keys("round/"), cluster.count_keys("cosig/"));
    // Some 7 statements a height; 16 stay, and up to three turns of 16 wait.
    assert!(rounds < 66 * 8, "{rounds} statements of {height} heights");
    assert!(cosignatures as u64 >= 3 * height - 3, "{cosignatures} cosignatures stay");
    // Whoever was away all the time needs none of them.
    cluster.lose_journal(2);
    cluster.pass(2_000);
    cluster.assert_settled(0..3);
    vote(&mut cluster, 0, 0);
    cluster.pass(500);
    cluster.assert_settled(0..3);
    assert!((0..3).all(|node| cluster.alarms(node).is_empty()));
}

#[test]
fn a_checkpoint_of_the_same_ledger_is_consistent() {
    let mut cluster = opened(23, 3, 0);
    vote(&mut cluster, 0, 0);
    cluster.pass(500);
    let own = cluster.view(1).final_checkpoint().expect("it is final");
    assert_eq!(cluster.show(0, &own), Comparison::Consistent);
    let size = own.checkpoint.size - 1;
    let root = cluster.view(0).fold().tree().root_at(size).expect("a prefix").0;
    let shorter = signed(&cluster, size, root, &[2]);
    assert_eq!(cluster.show(0, &shorter), Comparison::Consistent);
    let nobody = signed(&cluster, size, [9; 32], &[]);
    assert_eq!(cluster.show(0, &nobody), Comparison::Unsigned);
    let foreigner = AuthoritySigner::from_seed("node-1.vote.example", &[99; 32]).expect("a name");
    let mut note = nobody.clone();
    note.add(foreigner.key(), &foreigner.cosign(&nobody.checkpoint, 1));
    assert_eq!(cluster.show(0, &note), Comparison::Unsigned);
    assert!((0..3).all(|node| cluster.alarms(node).is_empty()));
}

#[test]
fn a_split_view_is_shouted_with_both_texts_and_every_node_hears_it() {
    let mut cluster = opened(24, 4, 1);
    vote(&mut cluster, 0, 0);
    cluster.pass(500);
    let size = cluster.view(0).final_size();
    let lie = signed(&cluster, size, [7; 32], &[4]);
    assert_eq!(cluster.show(1, &lie), Comparison::SplitView);
    cluster.pass(500);
    let own = cluster.view(1).final_checkpoint().expect("it is final").to_string();
    for node in 0..4 {
        let view = cluster.view(node);
        let (by, alarm) = view.alarms().next().expect("the alarm is in the store");
        assert_eq!((by, alarm.code.as_str()), (2, code::SPLIT_VIEW));
        assert!(alarm.what.contains("authorities 4 signed a root"), "{}", alarm.what);
        assert_eq!(alarm.texts, [lie.to_string(), own.clone()]);
    }
    let told = |notice: &&Notice| matches!(notice, Notice::Alarm { texts, .. } if texts.len() == 2);
    assert_eq!(cluster.nodes[1].notices.iter().filter(told).count(), 1);
    // The same again is no second alarm, and a restart does not forget the first.
    assert_eq!(cluster.show(1, &lie), Comparison::SplitView);
    assert_eq!(cluster.nodes[1].notices.iter().filter(told).count(), 1);
    cluster.restart(1);
    assert_eq!(cluster.view(1).alarms().count(), 1);
}

#[test]
fn a_checkpoint_that_is_ahead_is_compared_when_the_ledger_has_grown() {
    let mut cluster = opened(25, 3, 0);
    let size = cluster.view(0).fold().tree().size() + 2;
    let lie = signed(&cluster, size, [7; 32], &[1, 3]);
    assert_eq!(cluster.show(0, &lie), Comparison::Ahead);
    vote(&mut cluster, 0, 0);
    assert!(cluster.alarms(0).is_empty());
    vote(&mut cluster, 0, 1);
    cluster.pass(500);
    let alarms = cluster.alarms(0);
    assert!(alarms.iter().any(|what| what.contains("1, 3") && what.contains("a quorum")));
}

#[test]
fn a_false_cosignature_in_the_store_is_shouted() {
    let mut cluster = opened(26, 4, 1);
    vote(&mut cluster, 0, 0);
    cluster.pass(500);
    let size = cluster.view(0).final_size();
    let value = authority::vote::Value { size, root: [7; 32] };
    let lie = signed(&cluster, size, value.root, &[4]);
    let cosignature = lie.signatures()[0].bytes.clone();
    let signatures = vec![(3, [0; 64])];
    let certificate = authority::vote::Certificate { height: 0, round: 0, value, signatures };
    let value = Bytes::from([&cosignature[..], &certificate.encode()].concat());
    let key = Key::Cosignature { size, authority: 4 }.of(cluster.id()).into();
    let put = PutRequest { key, value, ..PutRequest::default() };
    cluster.nodes[3].stopped = true;
    cluster.store.call(&Request::Put(put)).expect("the store obeys");
    cluster.pass(500);
    for node in 0..3 {
        let alarms = cluster.alarms(node);
        assert!(alarms.iter().any(|what| what.contains("authorities 4 signed")), "{alarms:?}");
    }
}

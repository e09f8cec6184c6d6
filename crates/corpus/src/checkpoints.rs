//! Checkpoints, signatures, trust files and the archive's own layout.

use bytes::Bytes;
use election::Archive;
use ledger::{AuthoritySigner, Checkpoint, OriginRule, Policy, SignedCheckpoint};

use crate::{Expect, Item, fails, fails_at, world::World};

pub(crate) fn tamper(world: &World, see: &mut dyn FnMut(Item)) {
    for number in 0..world.archive.checkpoints.len() {
        signatures(world, number, see);
        signed_falsehoods(world, number, see);
    }
    missing_checkpoints(world, see);
    trust_files(world, see);
    layout(world, see);
}

/// The note with only the signature lines that `keep` names and some text behind them.
fn lines(note: &SignedCheckpoint, keep: &[usize], more: &str) -> SignedCheckpoint {
    let text = note.to_string();
    let (head, signatures) = text.split_at(text.find("\n\n").expect("a note has a gap") + 2);
    let all: Vec<&str> = signatures.split_inclusive('\n').collect();
    let kept: String = keep.iter().map(|at| all[*at]).collect();
    SignedCheckpoint::parse(format!("{head}{kept}{more}").as_bytes()).expect("still a note")
}

fn with_note(world: &World, number: usize, note: SignedCheckpoint) -> Archive {
    let mut archive = world.archive.clone();
    archive.checkpoints[number] = note;
    archive
}

fn signatures(world: &World, number: usize, see: &mut dyn FnMut(Item)) {
    let note = &world.archive.checkpoints[number];
    let is_final = number + 1 == world.archive.checkpoints.len();
    let all: Vec<usize> = (0..note.signatures().len()).collect();
    let mut show = |name: &str, note: SignedCheckpoint, expect: Expect| {
        let archive = with_note(world, number, note);
        see(world.item(format!("note/{name}/{number}"), &archive, expect));
    };
    // Fewer than the quorum: only the final checkpoint needs one.
    for kept in 0..all.len() {
        let expect = if is_final { fails_at(4) } else { Expect::Verified };
        show(&format!("only-{kept}"), lines(note, &all[..kept], ""), expect);
    }
    let stranger = AuthoritySigner::from_seed("node-9.vote.example", &[99; 32]).expect("a name");
    let namesake = AuthoritySigner::from_seed(world.election.signers[0].key().name(), &[98; 32]);
    for (name, signer) in [("stranger", stranger), ("namesake", namesake.expect("a name"))] {
        let mut more = note.clone();
        more.add(signer.key(), &signer.cosign(&note.checkpoint, 1));
        show(name, more, fails_at(4));
    }
    // A true authority's name and key id over bytes that are no signature of it.
    let idle = world.election.signers.iter().find(|signer| note.find(signer.key()).is_none());
    let idle = idle.expect("not all have signed");
    let other = Checkpoint { size: note.checkpoint.size + 1, ..note.checkpoint.clone() };
    let mut false_line = note.clone();
    false_line.add(idle.key(), &idle.cosign(&other, 1));
    show("false-line", false_line, fails_at(4));
    let mut more = note.clone();
    more.add(idle.key(), &idle.cosign(&note.checkpoint, 1));
    show("one-more", more, Expect::Verified);
}

/// What a quorum signs although it is not so.
fn signed_falsehoods(world: &World, number: usize, see: &mut dyn FnMut(Item)) {
    let note = &world.archive.checkpoints[number];
    let is_final = number + 1 == world.archive.checkpoints.len();
    let mut show = |name: &str, change: &dyn Fn(&mut Checkpoint), expect: Expect| {
        let mut checkpoint = note.checkpoint.clone();
        change(&mut checkpoint);
        let mut signed = SignedCheckpoint::unsigned(checkpoint.clone());
        for signer in &world.election.signers {
            signed.add(signer.key(), &signer.cosign(&checkpoint, 1_794_000_000));
        }
        let archive = with_note(world, number, signed);
        see(world.item(format!("falsehood/{name}/{number}"), &archive, expect));
    };
    let wrong = if is_final { fails_at(3) } else { fails_at(5) };
    show("root", &|checkpoint| checkpoint.root.0[7] ^= 1, wrong);
    show("size", &|checkpoint| checkpoint.size += 1, wrong);
    show("origin", &|checkpoint| checkpoint.origin.push('0'), fails_at(4));
    if is_final {
        show("far", &|checkpoint| checkpoint.size = u64::MAX, fails_at(3));
        show("near", &|checkpoint| checkpoint.size -= 1, fails_at(3));
    }
}

fn missing_checkpoints(world: &World, see: &mut dyn FnMut(Item)) {
    let count = world.archive.checkpoints.len();
    let mut archive = world.archive.clone();
    archive.checkpoints.pop();
    see(world.item("note/no-final".into(), &archive, fails_at(3)));
    for number in 0..count - 1 {
        let mut archive = world.archive.clone();
        archive.checkpoints.remove(number);
        see(world.item(format!("note/without/{number}"), &archive, Expect::Verified));
    }
    for number in 1..count {
        let mut archive = world.archive.clone();
        archive.checkpoints.swap(number - 1, number);
        see(world.item(format!("note/order/{number}"), &archive, fails_at(1)));
    }
    let mut archive = world.archive.clone();
    archive.checkpoints.insert(1, archive.checkpoints[0].clone());
    see(world.item("note/twice".into(), &archive, fails_at(1)));
}

fn trust_files(world: &World, see: &mut dyn FnMut(Item)) {
    let origin = world.election.manifest.origin();
    let keys = world.finished.trust.authorities().to_vec();
    let faulty = world.finished.trust.faulty();
    let mut show = |name: &str, trust: Option<&Policy>, expect: Expect| {
        let trust = trust.map(Policy::to_string);
        let item = world.item(format!("trust/{name}"), &world.archive, expect);
        see(Item { trust, ..item });
    };
    let policy = |origin: OriginRule, keys: &[ledger::AuthorityKey], faulty: usize| {
        Policy::new(origin, keys.to_vec(), faulty).expect("a policy")
    };
    show("none", None, Expect::NotAnchored);
    let below = OriginRule::Below("vote.example/e".into());
    show("below", Some(&policy(below, &keys, faulty)), Expect::Verified);
    let reversed: Vec<_> = keys.iter().rev().cloned().collect();
    let exact = || OriginRule::Exact(origin.clone());
    show("other-order", Some(&policy(exact(), &reversed, faulty)), Expect::Verified);
    let elsewhere = OriginRule::Below("vote.example/f".into());
    show("elsewhere", Some(&policy(elsewhere, &keys, faulty)), fails_at(2));
    let longer = OriginRule::Exact(format!("{origin}0"));
    show("longer-origin", Some(&policy(longer, &keys, faulty)), fails_at(2));
    if faulty == 0 {
        show("fewer", Some(&policy(exact(), &keys[1..], 0)), fails_at(2));
    } else {
        show("less-faulty", Some(&policy(exact(), &keys, 0)), fails_at(2));
    }
    let stranger = AuthoritySigner::from_seed("node-9.vote.example", &[99; 32]).expect("a name");
    let mut more = keys.clone();
    more.push(stranger.key().clone());
    show("more", Some(&policy(exact(), &more, faulty)), fails_at(2));
    let mut other = keys.clone();
    other[0] = AuthoritySigner::from_seed(keys[0].name(), &[98; 32]).expect("a name").key().clone();
    show("other-key", Some(&policy(exact(), &other, faulty)), fails_at(2));
    let mut renamed = keys.clone();
    renamed[0] = ledger::AuthorityKey::new("node-x", keys[0].public()).expect("a name");
    show("renamed", Some(&policy(exact(), &renamed, faulty)), fails_at(2));
}

/// The archive's own bytes.
fn layout(world: &World, see: &mut dyn FnMut(Item)) {
    let good = Bytes::from(world.archive.encode());
    let mut raw = |name: String, bytes: Vec<u8>, expect: Expect| {
        let item = world.item(format!("archive/{name}"), &world.archive, expect);
        see(Item { archive: Bytes::from(bytes), ..item });
    };
    let flipped = |at: usize| {
        let mut bytes = good.to_vec();
        bytes[at] ^= 1;
        bytes
    };
    let sealed = |mut bytes: Vec<u8>| {
        let end = bytes.len() - 32;
        let checksum = crate::ballots::sha256(&bytes[..end]);
        bytes[end..].copy_from_slice(&checksum);
        bytes
    };
    raw("magic".into(), flipped(3), Expect::CouldNotCheck);
    raw("version".into(), sealed(flipped(16)), Expect::CouldNotCheck);
    raw("empty".into(), Vec::new(), Expect::CouldNotCheck);
    raw("checksum".into(), flipped(good.len() - 1), fails_at(1));
    raw("longer".into(), [&good[..], &[0]].concat(), fails_at(1));
    raw("no-leaves".into(), sealed([&good[..17], &[0; 4], &[0; 32]].concat()), fails_at(1));
    for cut in [17, 20, 30, 500, good.len() / 2, good.len() - 33, good.len() - 1] {
        raw(format!("cut/{cut}"), good[..cut].to_vec(), fails_at(1));
    }
    // A leaf's byte without its hash, and a hash without its leaf.
    let mut at = 21;
    let lengths: Vec<usize> = world.leaves.iter().map(Bytes::len).collect();
    let hashes = 21 + lengths.iter().map(|length| length + 2).sum::<usize>();
    for (index, length) in lengths.iter().enumerate() {
        let here = fails(1, index as u64);
        raw(format!("leaf/{index}"), sealed(flipped(at + 2 + length / 2)), here);
        raw(format!("leaf-unsealed/{index}"), flipped(at + 2 + length / 3), here);
        raw(format!("hash/{index}"), sealed(flipped(hashes + 32 * index + 9)), here);
        at += 2 + length;
    }
    let notes = hashes + 32 * lengths.len() + 4;
    // Inside the text of the first note: its length, its origin's end, its base64.
    raw("note-length".into(), sealed(flipped(notes + 3)), fails_at(1));
    raw(
        "note-newline".into(),
        sealed(flipped(notes + 4 + world.election.manifest.origin().len())),
        fails_at(1),
    );
}

//! Ballots that a voter who cheats signs again: other points, other scalars, copies, chains, and
//! proofs by provers that leave something out.

use bytes::Bytes;
use curve25519_dalek::{
    Scalar, constants::RISTRETTO_BASEPOINT_POINT as G, ristretto::CompressedRistretto,
};
use election::{
    entry::Kind,
    testing::{Answer, TestRng, choose, choose_all, choose_list, score},
};

use crate::{
    Item,
    entries::step_of,
    fails,
    layout::{Field, asked, fields_of},
    prover::{Cast, Omission},
    world::World,
};

/// ℓ, little-endian.
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];
/// Where the ballot stands in its entry.
const START: usize = 7;
const BALLOT_STEP: u8 = 10;
const PROOF_STEP: u8 = 11;

pub(crate) fn tamper(world: &World, see: &mut dyn FnMut(Item)) {
    assert_eq!(step_of(Kind::Ballot as u8), BALLOT_STEP);
    for (number, at) in world.indices(Kind::Ballot).into_iter().enumerate() {
        let voter = world.voters[number];
        let entry = &world.leaves[at];
        for field in fields_of(entry, &world.election.manifest) {
            change_field(world, at, voter, &field, see);
        }
        malleable_signature(world, at, see);
        exchange_ciphertexts(world, at, voter, see);
        copies(world, number, at, see);
        cheating_provers(world, at, voter, see);
    }
    chains(world, see);
}

/// The entry with its ballot signed by the voter and by the appender.
fn signed(world: &World, voter: usize, mut entry: Vec<u8>) -> Bytes {
    let end = entry.len() - 64;
    world.election.sign_again(voter, &mut entry[START..end]);
    world.append_again(&entry)
}

fn show(world: &World, name: String, at: usize, leaf: Bytes, step: u8, see: &mut dyn FnMut(Item)) {
    let leaves = world.with(at, leaf);
    see(world.cosigned_item(format!("voter/{name}"), &leaves, fails(step, at as u64)));
}

/// The last part of names like `contest-0-a-2` without numbers: `a`.
fn role(field: &Field) -> &str {
    let parts = field.name.split('-').collect::<Vec<_>>();
    if parts.len() == 4 { parts[2] } else { "" }
}

fn change_field(world: &World, at: usize, voter: usize, field: &Field, see: &mut dyn FnMut(Item)) {
    let entry = &world.leaves[at];
    let own: Vec<u8> = entry[field.at.clone()].to_vec();
    let mut replace = |name: &str, bytes: &[u8], step: u8| {
        let mut changed = entry.to_vec();
        changed[field.at.clone()].copy_from_slice(bytes);
        let leaf = signed(world, voter, changed);
        show(world, format!("{name}/{at}/{}", field.name), at, leaf, step, see);
    };
    let mut flipped = own.clone();
    flipped[0] ^= 1;
    match (role(field), field.name.as_str()) {
        ("a" | "b" | "A" | "B", _) => {
            let is_a = role(field) == "a";
            replace("other-point", &next_point(&own), PROOF_STEP);
            replace("no-point", &[0xff; 32], BALLOT_STEP);
            let identity = if is_a { BALLOT_STEP } else { PROOF_STEP };
            replace("identity", &[0; 32], identity);
        }
        ("c" | "z", _) => {
            replace("other-scalar", &next_scalar(&own), PROOF_STEP);
            replace("scalar-and-order", &and_order(&own), BALLOT_STEP);
            replace("no-scalar", &[0xff; 32], BALLOT_STEP);
        }
        (_, "ballot-version" | "ballot-fingerprint" | "credential" | "seq" | "prev" | "group")
        | ("", "contest-0-kind" | "contest-1-kind") => replace("flip", &flipped, BALLOT_STEP),
        _ => {}
    }
}

fn next_point(bytes: &[u8]) -> [u8; 32] {
    let point = CompressedRistretto::from_slice(bytes).ok().and_then(|point| point.decompress());
    (point.expect("an honest ballot has points") + G).compress().to_bytes()
}

fn next_scalar(bytes: &[u8]) -> [u8; 32] {
    let bytes = bytes.try_into().expect("a scalar has 32 bytes");
    let scalar = Scalar::from_canonical_bytes(bytes).expect("an honest ballot has scalars");
    (scalar + Scalar::ONE).to_bytes()
}

/// The same scalar in another form.
fn and_order(bytes: &[u8]) -> [u8; 32] {
    let mut carry = 0;
    let add = |(byte, order): (&u8, &u8)| {
        let sum = u16::from(*byte) + u16::from(*order) + carry;
        carry = sum >> 8;
        sum as u8
    };
    let sum: Vec<u8> = bytes.iter().zip(&ORDER).map(add).collect();
    sum.try_into().expect("a scalar has 32 bytes")
}

/// The voter's own signature in another form, which the voter did not make.
fn malleable_signature(world: &World, at: usize, see: &mut dyn FnMut(Item)) {
    let entry = &world.leaves[at];
    let end = entry.len() - 64;
    let mut changed = entry.to_vec();
    let s = and_order(&entry[end - 32..end]);
    changed[end - 32..end].copy_from_slice(&s);
    let leaf = world.append_again(&changed);
    show(world, format!("signature-and-order/{at}"), at, leaf, BALLOT_STEP, see);
    let mut changed = entry.to_vec();
    changed[end - 64..end - 32].copy_from_slice(&[0xff; 32]);
    let leaf = world.append_again(&changed);
    show(world, format!("signature-no-point/{at}"), at, leaf, BALLOT_STEP, see);
    // Signed, but not under the ballot's tag.
    let mut changed = entry.to_vec();
    let voter =
        world.voters[world.indices(Kind::Ballot).iter().position(|b| *b == at).unwrap_or(0)];
    let seed = &world.election.credential_seeds[voter];
    let key = ballot::signature::SigningKey::from_seed(seed);
    for (name, tag) in [("other-tag", "quorate/ballot/v0/signature"), ("no-tag", "")] {
        let signature = key.sign(tag, &changed[START..end - 64]);
        changed[end - 64..end].copy_from_slice(&signature);
        let leaf = world.append_again(&changed);
        show(world, format!("signature-{name}/{at}"), at, leaf, BALLOT_STEP, see);
    }
}

fn exchange_ciphertexts(world: &World, at: usize, voter: usize, see: &mut dyn FnMut(Item)) {
    let entry = &world.leaves[at];
    let fields = fields_of(entry, &world.election.manifest);
    let find = |name: &str| fields.iter().find(|field| field.name == name);
    for contest in 0..world.election.manifest.definition.contests.len() {
        let name = |role: &str, option: usize| format!("contest-{contest}-{role}-{option}");
        for option in 0.. {
            let Some(next) = find(&name("a", option + 1)) else { break };
            let own = find(&name("a", option)).expect("there is a next one");
            let mut changed = entry.to_vec();
            changed[own.at.start..own.at.start + 64]
                .copy_from_slice(&entry[next.at.start..next.at.start + 64]);
            let doubled = changed.clone();
            changed[next.at.start..next.at.start + 64]
                .copy_from_slice(&entry[own.at.start..own.at.start + 64]);
            let leaf = signed(world, voter, changed);
            let place = format!("{at}/{contest}.{option}");
            show(world, format!("exchange-ciphertexts/{place}"), at, leaf, PROOF_STEP, see);
            let leaf = signed(world, voter, doubled);
            show(world, format!("double-ciphertext/{place}"), at, leaf, BALLOT_STEP, see);
        }
    }
}

/// The ballot under another voter's name, in its place and after it.
fn copies(world: &World, number: usize, at: usize, see: &mut dyn FnMut(Item)) {
    let own = world.voters[number];
    for copier in 0..world.election.credentials.len() {
        let fresh = !world.voters.contains(&copier);
        if copier == own || !fresh {
            continue;
        }
        let mut entry = world.leaves[at].to_vec();
        entry[START + 33..START + 65]
            .copy_from_slice(&world.election.credentials[copier].public().to_bytes());
        entry[START + 65..START + 101].fill(0); // the copier's first ballot
        if entry[START + 101] != world.election.groups[copier] {
            continue; // a copy for another group is no ballot of the copier's at all
        }
        let copy = signed(world, copier, entry);
        show(world, format!("copy/{at}/{copier}"), at, copy.clone(), PROOF_STEP, see);
        let mut leaves = world.leaves.clone();
        leaves.insert(at + 1, copy);
        let expect = fails(BALLOT_STEP, at as u64 + 1);
        see(world.cosigned_item(format!("voter/copy-behind/{at}/{copier}"), &leaves, expect));
    }
}

/// Votes that no rule allows, for the contests of a world.
fn invalid_votes(honest: &[Vec<i64>]) -> Vec<(&'static str, Vec<Vec<i64>>)> {
    let with = |change: &dyn Fn(&mut Vec<i64>)| {
        let mut votes = honest.to_vec();
        let last = votes.len() - 1;
        change(&mut votes[last]);
        votes
    };
    let first = |value: i64| {
        let mut votes = honest.to_vec();
        votes[0][0] = value;
        votes
    };
    vec![
        ("two", with(&|votes| votes[0] = 2)),
        ("minus-one", with(&|votes| votes[0] = -1)),
        ("thousand-and-back", with(&|votes| (votes[0], votes[1]) = (1000, -999))),
        ("too-many", with(&|votes| votes.fill(1))),
        ("two-in-the-first", first(2)),
        ("minus-one-in-the-first", first(-1)),
    ]
}

pub(crate) fn cheating_provers(world: &World, at: usize, voter: usize, see: &mut dyn FnMut(Item)) {
    let entry = &world.leaves[at];
    let group = entry[START + 101];
    let asked = asked(&world.election.manifest, group);
    let honest: Vec<Vec<i64>> = asked
        .iter()
        .map(|(_, kind)| (0..kind.counters()).map(|option| i64::from(option == 0)).collect())
        .collect();
    let mut rng = TestRng::new(at as u64, "cheating voters");
    let mut cast = |name: String, votes: &[Vec<i64>], omission: Omission, step: Option<u8>| {
        let cast = Cast {
            asked: &asked,
            group,
            fingerprint: world.fingerprint().0,
            election_key: world.election.manifest.joint_key,
            credential: world.election.credentials[voter].public().to_bytes(),
            seq: u32::from_le_bytes(entry[START + 65..START + 69].try_into().expect("4 bytes")),
            prev: entry[START + 69..START + 101].try_into().expect("32 bytes"),
            votes,
            omission,
        };
        let ballot = cast.make(&mut rng);
        let leaf = signed(world, voter, [&entry[..START], &ballot, &[0; 64]].concat());
        match step {
            Some(step) => show(world, name, at, leaf, step, see),
            // The control: an honest vote by this prover is a ballot like any other.
            None => {
                let leaves = world.with(at, leaf);
                let end = world.indices(Kind::Close)[0];
                let later = later_of_same_voter(world, at, voter);
                let expect = match later {
                    Some(next) => fails(BALLOT_STEP, next as u64),
                    None => fails(13, end as u64 + 1),
                };
                see(world.cosigned_item(format!("voter/{name}"), &leaves, expect));
            }
        }
    };
    cast(format!("prover-control/{at}"), &honest, Omission::Nothing, None);
    for omission in Omission::ALL.into_iter().filter(|omission| omission.concerns(&asked)) {
        let name = format!("prover-without-{omission:?}/{at}");
        cast(name, &honest, omission, Some(PROOF_STEP));
    }
    for (name, votes) in invalid_votes(&honest) {
        cast(format!("invalid-vote-{name}/{at}"), &votes, Omission::Nothing, Some(PROOF_STEP));
    }
}

fn later_of_same_voter(world: &World, at: usize, voter: usize) -> Option<usize> {
    let ballots = world.indices(Kind::Ballot);
    let own = ballots.iter().zip(&world.voters).filter(|(_, by)| **by == voter);
    own.map(|(ballot, _)| *ballot).find(|ballot| *ballot > at)
}

/// Honest ballots with a wrong place in their chain, each proven and signed as it is.
fn chains(world: &World, see: &mut dyn FnMut(Item)) {
    let close = world.first(Kind::Close);
    // Another election object with the same secrets, so that chains do not move.
    let mut election = world.rebuilt();
    let kinds = world.election.manifest.definition.kinds();
    let answers: Vec<Answer> = kinds
        .iter()
        .map(|kind| match kind {
            ballot::ContestKind::One { .. } => choose(0),
            ballot::ContestKind::Some { .. } => choose_all(&[0]),
            ballot::ContestKind::Score { .. } => score(&[1, 0]),
            ballot::ContestKind::Lists { .. } => choose_list(0, &[0]),
        })
        .collect();
    let last_leaf = world.indices(Kind::Ballot).pop().expect("there are ballots");
    let last = &world.leaves[last_leaf];
    let voter = *world.voters.last().expect("there are ballots");
    let hash = sha256(&last[START..last.len() - 64]);
    let seq = u32::from_le_bytes(last[START + 65..START + 69].try_into().expect("4 bytes"));
    let mut chain = |name: &str, seq: u32, prev: [u8; 32]| {
        let ballot = election.cast_at(voter, seq, prev, &answers);
        let entry = election.entry(&election::entry::Body::Ballot(&ballot));
        let mut leaves = world.leaves.clone();
        leaves.insert(close, entry);
        let expect = fails(BALLOT_STEP, close as u64);
        see(world.cosigned_item(format!("voter/chain-{name}"), &leaves, expect));
    };
    chain("again-first", 0, [0; 32]);
    chain("same-number", seq, hash);
    chain("gap", seq + 2, hash);
    chain("other-predecessor", seq + 1, [7; 32]);
    chain("no-predecessor", seq + 1, [0; 32]);
    chain("last-number", u32::MAX, hash);
    if world.election.manifest.definition.revote == election::definition::Revote::Off {
        chain("not-allowed", seq + 1, hash);
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> [u8; 32] {
    use sha2::Digest;
    sha2::Sha256::digest(bytes).into()
}

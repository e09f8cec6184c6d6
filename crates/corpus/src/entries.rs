//! Whole entries dropped, doubled, exchanged, replayed from another election.

use bytes::Bytes;
use election::entry::Kind;

use crate::{Expect, Item, fails, world::World};

const BALLOT: u8 = Kind::Ballot as u8;

/// The step that a refused entry of a kind is charged to when its own rule is broken.
pub(crate) fn step_of(kind: u8) -> u8 {
    match kind {
        1 | 4 => 6,
        2 => 7,
        3 => 8,
        BALLOT => 10,
        8 => 13,
        9 => 14,
        _ => 9,
    }
}

pub(crate) fn tamper(world: &World, other: &World, see: &mut dyn FnMut(Item)) {
    for at in 0..world.leaves.len() {
        drop_one(world, at, see);
        double_one(world, at, see);
        exchange_with_next(world, at, see);
        replay(world, other, at, see);
    }
    cut_short(world, see);
    reorder_votes(world, see);
}

/// All four ways of signing; `expect` is what cosigned leaves must give.
fn all_ways(
    world: &World,
    name: &str,
    leaves: &[Bytes],
    expect: Expect,
    see: &mut dyn FnMut(Item),
) {
    // Steps 3 and 4 come before what is wrong with a leaf, but after a foreign manifest.
    let earlier = |check: u8| match expect {
        Expect::NotVerified { check: found, entry } => {
            Expect::NotVerified { check: check.min(found), entry }
        }
        _ => Expect::NotVerified { check, entry: None },
    };
    see(world.item(format!("stale/{name}"), &world.stale(leaves), earlier(3)));
    see(world.item(format!("forged/{name}"), &world.forged(leaves), earlier(4)));
    see(world.cosigned_item(format!("cosigned/{name}"), leaves, expect));
}

fn drop_one(world: &World, at: usize, see: &mut dyn FnMut(Item)) {
    let mut leaves = world.leaves.clone();
    leaves.remove(at);
    all_ways(world, &format!("drop/{at}"), &leaves, after_drop(world, at), see);
}

fn after_drop(world: &World, at: usize) -> Expect {
    let opening = world.first(Kind::Open) as u64 - 1;
    let first_share = world.first(Kind::Share) as u64 - 1;
    let ceremony = world.indices(Kind::Ceremony);
    match world.leaves[at][1] {
        // The first leaf is then a roll chunk: no manifest to read, and no place for it.
        1 => fails(2, 0),
        // The opening is the first to miss it.
        2 | 4 => fails(9, opening),
        3 if Some(&at) == ceremony.last() => fails(9, opening),
        3 => fails(8, at as u64),
        5 => fails(9, at as u64),
        BALLOT => match next_of_same_voter(world, at) {
            Some(next) => fails(10, next as u64 - 1),
            None => fails(13, first_share),
        },
        7 => fails(9, at as u64),
        // The next order misses its number; without the last one there is another election.
        10..=15 => match (at + 1..world.leaves.len()).find(|next| is_order(&world.leaves[*next])) {
            Some(next) => fails(9, next as u64 - 1),
            None => fails(13, first_share),
        },
        8 => fails(14, world.leaves.len() as u64 - 2),
        _ => Expect::CouldNotCheck,
    }
}

fn is_order(leaf: &Bytes) -> bool {
    (10..=15).contains(&leaf[1])
}

fn next_of_same_voter(world: &World, at: usize) -> Option<usize> {
    let ballots = world.indices(Kind::Ballot);
    let own = ballots.iter().position(|ballot| *ballot == at)?;
    let later = own + 1..ballots.len();
    later.into_iter().find(|next| world.voters[*next] == world.voters[own]).map(|at| ballots[at])
}

fn double_one(world: &World, at: usize, see: &mut dyn FnMut(Item)) {
    let mut leaves = world.leaves.clone();
    leaves.insert(at + 1, leaves[at].clone());
    let second = at as u64 + 1;
    let expect = match world.leaves[at][1] {
        1 => fails(6, second),
        2 => fails(7, second),
        3 => fails(8, second),
        4 => fails(6, second),
        BALLOT => fails(10, second),
        8 => fails(13, second),
        _ => fails(9, second),
    };
    all_ways(world, &format!("double/{at}"), &leaves, expect, see);
    // Far from its first place: an old ballot after the others.
    if world.leaves[at][1] == BALLOT {
        let close = world.first(Kind::Close);
        for (place, to) in [("end", close), ("late", close + 1)] {
            let mut leaves = world.leaves.clone();
            leaves.insert(to, world.leaves[at].clone());
            let name = format!("double-at-the-{place}/{at}");
            all_ways(world, &name, &leaves, fails(10, to as u64), see);
        }
    }
}

fn exchange_with_next(world: &World, at: usize, see: &mut dyn FnMut(Item)) {
    let Some(next) = world.leaves.get(at + 1) else { return };
    let (one, two) = (world.leaves[at][1], next[1]);
    let mut leaves = world.leaves.clone();
    leaves.swap(at, at + 1);
    let here = at as u64;
    let first_share = world.first(Kind::Share) as u64;
    let ballots = world.indices(Kind::Ballot);
    let same_voter = one == BALLOT && two == BALLOT && {
        let own = ballots.iter().position(|ballot| *ballot == at).expect("it is a ballot");
        world.voters[own] == world.voters[own + 1]
    };
    let expect = match (one, two) {
        (1, _) => fails(2, 0),
        (3, 3) => fails(8, here),
        // Within the setup only the ceremony has an order of its own; shares are bound to it all.
        (2 | 3 | 4, 2 | 3 | 4) => fails(13, first_share),
        (_, 5) => fails(9, here),
        (5, 10..=15) | (10..=15, 10..=15) => fails(9, here),
        // Neither concerns the other, but the shares name the root.
        (10..=15, BALLOT) | (BALLOT, 10..=15) => fails(13, first_share),
        (10..=15, 7) => fails(9, here + 1),
        (5, BALLOT) => fails(9, here),
        (BALLOT, BALLOT) if same_voter => fails(10, here),
        (BALLOT, BALLOT) => fails(13, first_share),
        (BALLOT, 7) => fails(9, here + 1),
        (7, _) => fails(9, here),
        // Shares may come in any order, and the result needs them all.
        (8, 8) => Expect::Verified,
        _ => fails(14, here),
    };
    if expect == Expect::Verified {
        see(world.cosigned_item(format!("cosigned/exchange/{at}"), &leaves, expect));
        return;
    }
    all_ways(world, &format!("exchange/{at}"), &leaves, expect, see);
}

/// An entry of another election in the place of the first of its kind from `at` on.
fn replay(world: &World, other: &World, at: usize, see: &mut dyn FnMut(Item)) {
    let kind = world.leaves[at][1];
    let nth = world.leaves[..at].iter().filter(|leaf| leaf[1] == kind).count();
    let Some(theirs) = other.leaves.iter().filter(|leaf| leaf[1] == kind).nth(nth) else { return };
    let here = at as u64;
    let leaves = world.with(at, theirs.clone());
    // A foreign manifest is noticed by the trust file, and right by itself: what follows it is
    // not by its authorities. Other entries are noticed by the appender's signature.
    let expect = if kind == 1 { fails(2, 1) } else { fails(9, here) };
    all_ways(world, &format!("replay/{at}"), &leaves, expect, see);
    let leaves = world.with(at, world.append_again(theirs));
    let expect = if kind == 1 { fails(2, 0) } else { fails(step_of(kind), here) };
    see(world.cosigned_item(format!("appended/replay/{at}"), &leaves, expect));
}

fn cut_short(world: &World, see: &mut dyn FnMut(Item)) {
    for end in 1..world.leaves.len() {
        let leaves = &world.leaves[..end];
        let stale = Expect::NotVerified { check: 3, entry: None };
        see(world.item(format!("stale/cut/{end}"), &world.stale(leaves), stale));
        see(world.cosigned_item(format!("cosigned/cut/{end}"), leaves, Expect::CouldNotCheck));
    }
}

/// A voter's ballots in another order, wherever they stand.
fn reorder_votes(world: &World, see: &mut dyn FnMut(Item)) {
    let ballots = world.indices(Kind::Ballot);
    for (one, at) in ballots.iter().enumerate() {
        for (two, next) in ballots.iter().enumerate().skip(one + 1) {
            if world.voters[one] != world.voters[two] {
                continue;
            }
            let mut leaves = world.leaves.clone();
            leaves.swap(*at, *next);
            let name = format!("reorder/{at}-{next}");
            all_ways(world, &name, &leaves, fails(10, *at as u64), see);
        }
    }
}

//! Honest elections of every kind there is; every verifier must say that they hold.

use election::{
    definition::{Contest, Issuer, Revote, Rule},
    testing::{Answer, ElectionBuilder, STAMP, TestRng, choose, choose_all},
};
use rand_core::Rng;

use crate::{Expect, Item, world::World};

/// How many of them.
const ELECTIONS: u64 = 210;

pub(crate) fn make(see: &mut dyn FnMut(Item)) {
    for seed in 0..ELECTIONS {
        let mut rng = TestRng::new(seed, "honest elections");
        let world = hold(seed, &mut rng);
        let item = world.item(format!("honest/{seed}"), &world.archive, Expect::Verified);
        see(item);
    }
}

fn below(rng: &mut TestRng, bound: u32) -> u32 {
    rng.next_u32() % bound
}

fn hold(seed: u64, rng: &mut TestRng) -> World {
    let voters = 1 + below(rng, 6);
    let contests: Vec<Contest> = (0..1 + below(rng, 3)).map(|at| contest(at, rng)).collect();
    let trustees = 1 + below(rng, 3) as u8;
    let threshold = 1 + below(rng, trustees.into()) as u8;
    let (authorities, faulty) = [(3, 0), (4, 1), (1, 0), (5, 1)][below(rng, 4) as usize];
    let (revote, timed, cluster) = (below(rng, 3) > 0, below(rng, 2) == 0, below(rng, 2) == 0);
    let rules: Vec<Contest> = contests.clone();
    let builder = ElectionBuilder::new(20_000 + seed)
        .voters(voters)
        .trustees(trustees, threshold)
        .authorities(authorities, faulty)
        .define(|definition| {
            definition.contests = contests;
            definition.revote = if revote { Revote::LastCounts } else { Revote::Off };
            definition.issuer = if cluster { Issuer::Cluster } else { Issuer::Separate };
            definition.opens = timed.then_some(STAMP);
            definition.closes = timed.then_some(STAMP + 1);
            definition.test = below(rng, 2) == 0;
        });
    let builder = match below(rng, 3) {
        0 => builder,
        1 => builder.classes(|number| 1 + number * 1000, |number| (number % 3) as u8),
        _ => builder.classes(|_| 7, |_| 1),
    };
    let mut plan = Vec::new();
    for ballot in 0..1 + below(rng, 8) {
        let voter = if revote { below(rng, voters) } else { ballot };
        if voter < voters {
            plan.push((voter as usize, rules.iter().map(|rule| answer(rule, rng)).collect()));
        }
    }
    World::built("any", builder, plan)
}

fn contest(number: u32, rng: &mut TestRng) -> Contest {
    let options = 1 + below(rng, 4);
    let is_one = below(rng, 2) == 0;
    let max = 1 + below(rng, options);
    let min = below(rng, max + 1);
    let rule = if is_one { Rule::One } else { Rule::Some { min: min as u16, max: max as u16 } };
    Contest {
        title: format!("Question {number}"),
        rule,
        options: (0..options).map(|option| format!("Option {option} – ü")).collect(),
        blank: below(rng, 2) == 0 && (is_one || min == 0),
    }
}

fn answer(contest: &Contest, rng: &mut TestRng) -> Answer {
    let options = contest.option_count() as u32;
    match contest.rule {
        Rule::One => choose(below(rng, options) as u16),
        Rule::Some { min, max } => {
            let count = u32::from(min) + below(rng, u32::from(max - min) + 1);
            let first = below(rng, options);
            let mut chosen: Vec<u16> =
                (0..count).map(|at| ((first + at) % options) as u16).collect();
            chosen.sort_unstable();
            choose_all(&chosen)
        }
    }
}

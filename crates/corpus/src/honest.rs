//! Honest elections of every kind there is; every verifier must say that they hold.

use election::{
    definition::{Contest, Issuer, Revote, Rule},
    testing::{Answer, ElectionBuilder, STAMP, TestRng, choose, choose_all, choose_list, score},
};
use rand_core::Rng;

use crate::{
    Expect, Item,
    world::{Step, World},
};

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
    let open = below(rng, 5) == 0;
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
    let builder = if open { builder.open_poll() } else { builder };
    let builder = match below(rng, 3) {
        0 => builder,
        1 => builder.classes(|number| 1 + number * 1000, |number| (number % 3) as u8),
        _ => builder.classes(|_| 7, |_| 1),
    };
    let mut plan = Vec::new();
    for ballot in 0..1 + below(rng, 8) {
        let voter = if revote { below(rng, voters) } else { ballot };
        if voter < voters {
            let answers = rules.iter().map(|rule| answer(rule, rng)).collect();
            plan.push(Step::Vote(voter as usize, answers));
        }
    }
    World::built("any", builder, plan)
}

fn contest(number: u32, rng: &mut TestRng) -> Contest {
    let options = 1 + below(rng, 4);
    let max = 1 + below(rng, options) as u16;
    let min = below(rng, u32::from(max) + 1) as u16;
    let rule = match below(rng, 4) {
        0 => Rule::One,
        1 => Rule::Some { min, max },
        2 => Rule::Score { highest: 3, min: 0, max: 3 * options as u16 - below(rng, 2) as u16 },
        _ => {
            let list = |list| {
                let candidates = 1 + (list + number) % 3;
                (0..candidates).map(|at| format!("Candidate {list}.{at}")).collect()
            };
            Rule::Lists { candidates: (0..options).map(list).collect(), min: 0, max }
        }
    };
    let names: Vec<String> = (0..options).map(|option| format!("Option {option} – ü")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let blank = below(rng, 2) == 0;
    Contest { blank, ..Contest::new(format!("Question {number}"), rule, &names) }
}

fn answer(contest: &Contest, rng: &mut TestRng) -> Answer {
    let options = contest.options.len() as u32;
    if contest.blank && below(rng, 4) == 0 {
        return Answer::Blank;
    }
    match &contest.rule {
        Rule::One => choose(below(rng, options) as u16),
        Rule::Some { min, max } => {
            let count = u32::from(*min) + below(rng, u32::from(max - min) + 1);
            let first = below(rng, options);
            let mut chosen: Vec<u16> =
                (0..count).map(|at| ((first + at) % options) as u16).collect();
            chosen.sort_unstable();
            choose_all(&chosen)
        }
        Rule::Score { .. } => {
            // Below the highest in all, whatever the limit of the sum is.
            let scores: Vec<u16> = (0..options).map(|_| below(rng, 3) as u16).collect();
            score(&scores)
        }
        Rule::Lists { candidates, max, .. } => {
            let list = below(rng, options) as u16;
            let most = candidates[usize::from(list)].len().min(usize::from(*max)) as u32;
            let chosen: Vec<u16> = (0..below(rng, most + 1) as u16).collect();
            choose_list(list, &chosen)
        }
    }
}

//! Two hundred random elections of all kinds: the result is a recount in the clear, the archive
//! holds the same, and what a fold says depends on its leaves alone.

use std::collections::BTreeMap;

use ballot::ContestKind;
use base::Prng;
use election::{
    Archive, ClassTurnout, Contest, Decision, Electors, Fold, Majority, Order, Outcome,
    Participation, Phase, Revote, Rule, Secrecy, Tie, Voter,
    testing::{Answer, ElectionBuilder, Run, STAMP, TestElection, TestRng},
};

const ELECTIONS: u64 = 200;

/// A voter as the recount knows them.
#[derive(Clone)]
struct Known {
    number: usize,
    weight: u64,
    group: u8,
    on_roll: bool,
    on_paper: bool,
    /// What counts, for each contest of the group.
    last: Option<Vec<Answer>>,
}

struct World {
    election: TestElection,
    run: Run,
    voters: Vec<Known>,
    rng: Prng,
}

fn small(rng: &mut Prng, bound: u64) -> u16 {
    rng.below(bound.max(1)) as u16
}

fn names(prefix: &str, count: u16) -> Vec<String> {
    (0..count).map(|number| format!("{prefix} {number}")).collect()
}

fn contest(number: usize, groups: u8, rng: &mut Prng) -> Contest {
    let options = 1 + small(rng, 4);
    let rule = match rng.below(4) {
        0 => Rule::One,
        1 => {
            let max = 1 + small(rng, options.into());
            Rule::Some { min: small(rng, u64::from(max) + 1), max }
        }
        2 => {
            let highest = 1 + small(rng, 4);
            let most = highest * options;
            let max = 1 + small(rng, most.into());
            Rule::Score { highest, min: small(rng, u64::from(max) + 1), max }
        }
        _ => {
            let min = small(rng, 2);
            let candidates = (0..options)
                .map(|list| names(&format!("Candidate {list}"), 1 + small(rng, 3)))
                .collect();
            Rule::Lists { candidates, min, max: min.max(1) + small(rng, 2) }
        }
    };
    let members = (1..=groups).filter(|_| groups > 0 && rng.below(3) > 0).collect();
    let decision = Decision {
        seats: 1 + small(rng, options.into()),
        quorum_percent: small(rng, 101) as u8,
        majority: [Majority::Relative, Majority::Absolute][rng.below(2) as usize],
        tie: [Tie::Lot, Tie::Runoff, Tie::FirstListed][rng.below(3) as usize],
    };
    let title = format!("Question {number}");
    let (options, blank) = (names("Option", options), rng.below(2) == 0);
    Contest { title, rule, options, blank, groups: members, decision }
}

/// A valid answer, whatever it is.
fn answer(contest: &Contest, rng: &mut Prng) -> Answer {
    if contest.blank && rng.below(4) == 0 {
        return Answer::Blank;
    }
    let mut distinct = |of: usize, min: u16, max: u16| {
        let mut all: Vec<u16> = (0..of as u16).collect();
        rng.shuffle(&mut all);
        all.truncate(rng.between(min.into(), u64::from(max).min(of as u64)) as usize);
        all
    };
    let options = contest.options.len();
    match &contest.rule {
        Rule::One => Answer::Options(distinct(options, 1, 1)),
        Rule::Some { min, max } => Answer::Options(distinct(options, *min, *max)),
        Rule::Score { highest, min, max } => {
            let target = rng.between((*min).into(), (*max).into());
            let mut scores = vec![0; options];
            for _ in 0..target {
                let free: Vec<usize> = (0..options).filter(|at| scores[*at] < *highest).collect();
                scores[free[rng.below(free.len() as u64) as usize]] += 1;
            }
            Answer::Scores(scores)
        }
        Rule::Lists { candidates, min, max } => {
            let list = distinct(options, 1, 1)[0];
            let chosen = distinct(candidates[usize::from(list)].len(), *min, *max);
            Answer::List(list, chosen)
        }
    }
}

/// What an answer adds to each counter, said once more without the crate's help.
fn numbers(contest: &Contest, answer: &Answer) -> Vec<u64> {
    let options = contest.options.len();
    let mut counters = vec![0; contest.option_count()];
    match (answer, &contest.rule) {
        (Answer::Blank, _) => *counters.last_mut().unwrap() = 1,
        (Answer::Options(chosen), _) => chosen.iter().for_each(|at| counters[usize::from(*at)] = 1),
        (Answer::Scores(scores), _) => {
            scores.iter().enumerate().for_each(|(at, score)| counters[at] = (*score).into());
        }
        (Answer::List(list, chosen), Rule::Lists { candidates, .. }) => {
            let list = usize::from(*list);
            counters[list] = 1;
            let before: usize = candidates[..list].iter().map(Vec::len).sum();
            chosen.iter().for_each(|at| counters[options + before + usize::from(*at)] = 1);
        }
        (Answer::List(..), _) => panic!("a list in a contest without lists"),
    }
    counters
}

impl World {
    fn new(seed: u64) -> Self {
        let mut rng = Prng::named(seed, "recount");
        let voters = 1 + rng.below(6) as u32;
        let groups = rng.below(3) as u8;
        let mut contests: Vec<Contest> =
            (0..1 + rng.below(3) as usize).map(|at| contest(at, groups, &mut rng)).collect();
        contests[0].groups.clear(); // everybody has something to answer
        let open = rng.below(4) == 0;
        let trustees = 1 + rng.below(3) as u8;
        let threshold = 1 + rng.below(trustees.into()) as u8;
        let (revote, minimum) = (rng.below(3) > 0, 1 + rng.below(2) as u32);
        let weighted: fn(u32) -> u32 =
            if rng.below(2) == 0 { |_| 1 } else { |voter| 1 + voter * 3 };
        let grouped: fn(u32) -> u8 =
            [|_| 0, |voter| (voter % 2) as u8, |voter| (voter % 3) as u8][usize::from(groups)];
        let builder = ElectionBuilder::new(70_000 + seed).voters(voters).define(|definition| {
            definition.contests = contests;
            definition.groups = names("Group", groups.into());
            definition.revote = if revote { Revote::LastCounts } else { Revote::Off };
            definition.minimum_ballots = minimum;
            (definition.paper, definition.roll_changes) = (true, true);
            definition.closes = Some(STAMP + 1);
            definition.extendable_until = Some(STAMP + 100);
        });
        let builder = builder.trustees(trustees, threshold).classes(weighted, grouped);
        let election = if open { builder.open_poll() } else { builder }.build();
        let run = election.open();
        let known = |number: u32| Known {
            number: number as usize,
            weight: weighted(number).into(),
            group: grouped(number),
            on_roll: true,
            on_paper: false,
            last: None,
        };
        Self { election, run, voters: (0..voters).map(known).collect(), rng }
    }

    fn asked(&self, group: u8) -> Vec<Contest> {
        let contests = self.election.manifest.definition.contests.iter();
        contests.filter(|contest| contest.asks(group)).cloned().collect()
    }

    fn order(&mut self, order: Order) -> Result<(), &'static str> {
        let entry = self.election.order(&self.run.fold, order);
        self.run.push(entry).map(drop).map_err(|refusal| refusal.code)
    }

    /// One ballot, or one thing that the administrator does; whether it must be accepted is known
    /// here from the rules.
    fn step(&mut self) {
        let at = self.rng.below(self.voters.len() as u64) as usize;
        let voter = self.voters[at].clone();
        let credential = self.election.credentials[voter.number].public().to_bytes();
        let untouched = match (voter.on_roll, voter.on_paper, &voter.last) {
            (false, ..) => Err("withdrawn"),
            (true, true, _) => Err("votes-on-paper"),
            (true, false, Some(_)) => Err("has-voted"),
            (true, false, None) => Ok(()),
        };
        match self.rng.below(12) {
            0 => {
                assert_eq!(self.order(Order::MarkPaper { credential }), untouched);
                self.voters[at].on_paper |= untouched.is_ok();
            }
            1 => {
                assert_eq!(self.order(Order::Withdraw { credential }), untouched);
                self.voters[at].on_roll &= untouched.is_err();
            }
            2 => {
                let (weight, group) = (1 + self.rng.below(5) as u32, voter.group);
                let newcomer = self.election.newcomer(weight, group);
                assert_eq!(self.order(Order::Add(newcomer)), Ok(()));
                self.enrol(newcomer);
            }
            3 => {
                let newcomer = self.election.newcomer(voter.weight as u32, voter.group);
                let order = Order::Replace { old: credential, new: newcomer.credential };
                assert_eq!(self.order(order), untouched);
                if untouched.is_ok() {
                    self.voters[at].on_roll = false;
                    self.enrol(newcomer);
                }
            }
            4 => {
                assert_eq!(self.order(Order::Pause), Ok(()));
                assert_eq!(self.run.fold.phase(), Phase::Paused);
                self.vote(at, Err("paused"));
                assert_eq!(self.order(Order::Resume), Ok(()));
            }
            _ => {
                let revote = self.election.manifest.definition.revote;
                let expect = match (untouched, revote) {
                    (Err("has-voted"), Revote::LastCounts) => Ok(()),
                    (Err("has-voted"), Revote::Off) => Err("revote-not-allowed"),
                    (other, _) => other,
                };
                self.vote(at, expect);
            }
        }
    }

    fn enrol(&mut self, voter: Voter) {
        let number = self.election.credentials.len() - 1;
        let (weight, group) = (voter.weight.into(), voter.group);
        let (on_roll, on_paper) = (true, false);
        self.voters.push(Known { number, weight, group, on_roll, on_paper, last: None });
    }

    fn vote(&mut self, at: usize, expect: Result<(), &'static str>) {
        let Known { number, group, .. } = self.voters[at];
        let asked = self.asked(group);
        let answers: Vec<Answer> =
            asked.iter().map(|contest| answer(contest, &mut self.rng)).collect();
        let (seq, prev) = self.election.chains[number];
        let ballot = self.election.cast_at(number, seq, prev, &answers);
        let entry = self.election.entry(&election::Body::Ballot(&ballot));
        let found = self.run.push(entry).map(drop).map_err(|refusal| refusal.code);
        assert_eq!(found, expect);
        if found.is_ok() {
            let tracker = self
                .run
                .fold
                .credential_state(&self.election.credentials[number].public().to_bytes());
            self.election.chains[number] = (seq + 1, tracker.expect("it has voted").hash);
            self.voters[at].last = Some(answers);
        }
    }

    /// Who has voted of each group and weight.
    fn classes(&self) -> Vec<ClassTurnout> {
        let mut all: BTreeMap<(u8, u64), ClassTurnout> = BTreeMap::new();
        for voter in self.voters.iter().filter(|voter| voter.on_roll) {
            let (group, weight) = (voter.group, voter.weight as u32);
            let class = all.entry((group, voter.weight)).or_insert(ClassTurnout {
                group,
                weight,
                ..ClassTurnout::default()
            });
            class.voters += 1;
            class.voted += u32::from(voter.last.is_some());
            class.paper += u32::from(voter.on_paper);
        }
        all.into_values().collect()
    }

    /// The whole result, from what the voters meant.
    fn recount(&self) -> Outcome {
        let definition = &self.election.manifest.definition;
        let mut outcome = Outcome {
            ballots: 0,
            weight: 0,
            paper: Electors::default(),
            participation: vec![Participation::default(); definition.contests.len()],
            counts: definition.contests.iter().map(|one| vec![0; one.option_count()]).collect(),
        };
        let add = |electors: &mut Electors, weight: u64| {
            electors.voters += 1;
            electors.weight += weight;
        };
        for voter in self.voters.iter().filter(|voter| voter.on_roll) {
            if voter.on_paper {
                add(&mut outcome.paper, voter.weight);
            }
            if voter.last.is_some() {
                outcome.ballots += 1;
                outcome.weight += voter.weight;
            }
            let contests = definition.contests.iter().enumerate();
            let asked = contests.filter(|(_, contest)| contest.asks(voter.group));
            for (place, (at, contest)) in asked.enumerate() {
                let part = &mut outcome.participation[at];
                add(&mut part.eligible, voter.weight);
                if voter.on_paper {
                    add(&mut part.paper, voter.weight);
                }
                let Some(answers) = &voter.last else { continue };
                add(&mut part.ballots, voter.weight);
                let counts = outcome.counts[at].iter_mut();
                for (count, number) in counts.zip(numbers(contest, &answers[place])) {
                    *count += number * voter.weight;
                }
            }
        }
        let minimum = definition.minimum_ballots;
        let few = |part: &Participation| part.ballots.voters > 0 && part.ballots.voters < minimum;
        for (counts, part) in outcome.counts.iter_mut().zip(&outcome.participation) {
            if definition.secrecy == Secrecy::Secret && few(part) {
                counts.clear();
            }
        }
        outcome
    }
}

#[test]
fn the_result_of_random_elections_is_a_recount_in_the_clear() {
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for seed in 0..ELECTIONS {
        let mut world = World::new(seed);
        let mut live_at = Vec::new();
        for _ in 0..2 + world.rng.below(12) {
            world.step();
            live_at.extend(world.run.fold.live_counts().map(|(size, at)| (size, at.to_vec())));
        }
        for (size, counts) in live_at {
            assert_eq!(world.run.fold.live_counts_at(size), Some(counts), "seed {seed}");
        }
        assert_eq!(world.run.fold.classes(), world.classes(), "seed {seed}");
        let extended = world.rng.below(2) == 0;
        if extended {
            assert_eq!(world.order(Order::Extend { closes: STAMP + 9 }), Ok(()));
        }
        let expected = world.recount();
        let definition = world.election.manifest.definition.clone();
        let open = definition.secrecy == Secrecy::Open;
        let live = world.run.fold.live_counts().map(|(_, counts)| counts.to_vec());
        assert_eq!(live, open.then(|| expected.counts.clone()), "seed {seed}");
        for contest in &definition.contests {
            *seen.entry(contest.kind().name()).or_default() += 1;
        }
        *seen.entry(if open { "open" } else { "secret" }).or_default() += 1;
        *seen.entry("paper").or_default() += usize::from(expected.paper.voters > 0);
        let withheld = expected.counts.iter().any(Vec::is_empty);
        *seen.entry("withheld").or_default() += usize::from(withheld);
        if !open && expected.ballots < definition.minimum_ballots {
            continue; // nothing may be decrypted
        }
        *seen.entry("counted").or_default() += 1;
        let World { mut election, run, .. } = world;
        let finished = election.finish(run);
        assert_eq!(finished.fold.result(), Some(&expected), "seed {seed}");
        assert_eq!(expected.decisions(&definition).len(), definition.contests.len());
        read_again(&finished.archive, &election, &expected);
    }
    for name in ["one", "some", "score", "lists", "open", "secret", "paper", "withheld"] {
        assert!(seen.get(name).is_some_and(|count| *count >= 5), "{name}: {seen:?}");
    }
    assert!(seen["counted"] > 120, "{seen:?}");
}

/// A reader of the archive comes to the same result, ballots verified together.
fn read_again(archive: &bytes::Bytes, election: &TestElection, expected: &Outcome) {
    let archive = Archive::decode(archive).expect("an honest archive");
    let mut fold = Fold::new(election.id());
    let verdicts = fold.push_batch(&archive.leaves, &mut TestRng::new(1, "weights"));
    assert!(verdicts.iter().all(Result::is_ok));
    assert_eq!(fold.result(), Some(expected));
    assert_eq!(fold.tree().root(), archive.final_checkpoint().checkpoint.root);
}

#[test]
fn too_heavy_a_roll_is_refused_with_the_reason() {
    let mut election = ElectionBuilder::new(5).voters(2).build();
    let score = Rule::Score { highest: 4, min: 0, max: 8 };
    election.manifest.definition.contests = vec![Contest::new("Merit", score, &["Ann", "Bob"])];
    election.manifest.roll.total_weight = 1 << 38;
    assert_eq!(election.manifest.check(), Ok(()));
    election.manifest.roll.total_weight += 1;
    let problems = election.manifest.check().expect_err("too heavy");
    let expect = "roll: the total weight 274877906945 times the highest score 4 is more than \
                  1099511627776 (2^40), so the counts could not be found: use smaller weights or \
                  scores";
    assert_eq!(problems[0].to_string(), expect);
    assert_eq!(ContestKind::One { options: 2 }.highest(), 1);
}

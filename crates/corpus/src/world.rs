//! The small elections that are tampered with.

use ballot::Fingerprint;
use bytes::Bytes;
use election::{
    Archive, Contest, Order,
    definition::{Revote, Rule},
    entry::Kind,
    testing::{
        Answer, ElectionBuilder, Finished, Run, STAMP, TestElection, choose, choose_all,
        choose_list, score,
    },
};

use crate::{Expect, Item};

/// An election with everybody's secrets, and how it honestly went.
pub(crate) struct World {
    pub(crate) name: &'static str,
    pub(crate) election: TestElection,
    pub(crate) finished: Finished,
    /// The honest leaves.
    pub(crate) leaves: Vec<Bytes>,
    pub(crate) archive: Archive,
    /// The voter of each ballot, in the order of the ballots.
    pub(crate) voters: Vec<usize>,
    builder: Option<fn() -> ElectionBuilder>,
}

/// One step of an election that is open.
#[derive(Clone)]
pub(crate) enum Step {
    /// Who votes, and the answers to the contests of their group.
    Vote(usize, Vec<Answer>),
    /// What the administrator orders.
    Order(Order),
    /// A credential is replaced by that of a newcomer.
    Replace(usize),
    /// A voter is marked on paper.
    Paper(usize),
    /// A newcomer of a group is added.
    Add(u8),
}

/// What happens between opening and close.
pub(crate) type Plan = Vec<Step>;

fn vote(voter: usize, answers: Vec<Answer>) -> Step {
    Step::Vote(voter, answers)
}

pub(crate) fn all() -> Vec<World> {
    vec![
        World::new("weighted", weighted, weighted_plan()),
        World::new("single", single, single_plan()),
        World::new("plain", plain, plain_plan()),
        World::new("orders", orders, orders_plan()),
    ]
}

fn plain() -> ElectionBuilder {
    ElectionBuilder::new(903)
}

/// Two contests, weights, two of three trustees, three authorities, votes that are replaced.
fn weighted() -> ElectionBuilder {
    ElectionBuilder::new(901).voters(4).classes(|number| number + 1, |number| (number % 2) as u8)
}

fn weighted_plan() -> Plan {
    vec![
        vote(0, vec![choose(0), choose_all(&[0, 2])]),
        vote(1, vec![choose(2), choose_all(&[])]),
        vote(0, vec![choose(1), choose_all(&[1])]),
        vote(2, vec![choose(1), choose_all(&[0, 1])]),
        vote(1, vec![choose(0), choose_all(&[2])]),
    ]
}

/// One contest with a least number of options, one trustee, four authorities of which one may be
/// malicious, times of opening and closing, one vote for each voter.
fn single() -> ElectionBuilder {
    ElectionBuilder::new(902).voters(3).trustees(1, 1).authorities(4, 1).define(|definition| {
        definition.contests.remove(0);
        definition.contests[0].rule = Rule::Some { min: 1, max: 2 };
        definition.contests[0].blank = false;
        definition.opens = Some(STAMP - 5);
        definition.closes = Some(STAMP + 5);
        definition.revote = Revote::Off;
        definition.minimum_ballots = 2;
    })
}

fn single_plan() -> Plan {
    vec![vote(1, vec![choose_all(&[0])]), vote(2, vec![choose_all(&[1, 2])])]
}

fn plain_plan() -> Plan {
    let one = |voter: usize| vote(voter, vec![choose((voter % 3) as u16), choose_all(&[1])]);
    (0..3).map(one).collect()
}

/// Scores and lists, contests of groups, blank answers, and every order but a reset.
fn orders() -> ElectionBuilder {
    ElectionBuilder::new(904).voters(5).classes(|_| 2, |number| 1 + (number % 2) as u8).define(
        |definition| {
            let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
            definition.groups = names(&["Students", "Staff"]);
            let merit = Rule::Score { highest: 3, min: 1, max: 4 };
            let mut merit = Contest::new("Merit", merit, &["Ann", "Bob"]);
            (merit.blank, merit.groups) = (true, vec![1]);
            let candidates = vec![names(&["Cyd", "Dan"]), names(&["Eve"])];
            let council = Rule::Lists { candidates, min: 0, max: 1 };
            let council = Contest::new("Council", council, &["Greens", "Blues"]);
            definition.contests.truncate(1);
            definition.contests.extend([merit, council]);
            (definition.roll_changes, definition.paper) = (true, true);
            definition.booth = Some([0xb0; 32]);
            definition.closes = Some(STAMP + 5);
            definition.extendable_until = Some(STAMP + 9);
        },
    )
}

fn orders_plan() -> Plan {
    vec![
        Step::Order(Order::Pause),
        Step::Order(Order::Resume),
        Step::Add(1),
        Step::Replace(3),
        Step::Order(Order::Extend { closes: STAMP + 9 }),
        Step::Paper(4),
        vote(0, vec![choose(1), score(&[3, 1]), choose_list(0, &[1])]),
        vote(1, vec![choose(2), choose_list(1, &[])]),
        vote(5, vec![choose(0), Answer::Blank, choose_list(1, &[0])]),
        vote(6, vec![choose(0), choose_list(0, &[])]),
    ]
}

fn take(election: &mut TestElection, run: &mut Run, step: &Step) {
    let credential =
        |election: &TestElection, voter: &usize| election.credentials[*voter].public().to_bytes();
    let order = match step {
        Step::Vote(voter, answers) => return election.vote(run, *voter, answers),
        Step::Order(order) => *order,
        Step::Paper(voter) => Order::MarkPaper { credential: credential(election, voter) },
        Step::Add(group) => Order::Add(election.newcomer(2, *group)),
        Step::Replace(voter) => {
            let old = credential(election, voter);
            let new = election.newcomer(2, election.groups[*voter]).credential;
            Order::Replace { old, new }
        }
    };
    let entry = election.order(&run.fold, order);
    run.push(entry).unwrap_or_else(|refusal| panic!("an honest order was refused: {refusal}"));
}

impl World {
    fn new(name: &'static str, builder: fn() -> ElectionBuilder, plan: Plan) -> Self {
        Self { builder: Some(builder), ..Self::built(name, builder(), plan) }
    }

    /// An election that is never built again.
    pub(crate) fn built(name: &'static str, builder: ElectionBuilder, plan: Plan) -> Self {
        let mut election = builder.build();
        let mut run = election.open();
        for step in &plan {
            take(&mut election, &mut run, step);
        }
        let finished = election.finish(run);
        let archive = Archive::decode(&finished.archive).expect("an honest archive is sound");
        let leaves = finished.fold.leaves().to_vec();
        let voters = plan.iter().filter_map(|step| match step {
            Step::Vote(voter, _) => Some(*voter),
            _ => None,
        });
        let voters = voters.collect();
        Self { name, election, finished, leaves, archive, voters, builder: None }
    }

    /// The same election with the same secrets once more, for whatever must change it.
    pub(crate) fn rebuilt(&self) -> TestElection {
        self.builder.expect("the worlds of the corpus have builders")().build()
    }

    /// Whether each field of a leaf is changed. The world of orders is the only one that has them,
    /// and like the others in all else.
    pub(crate) fn tampers_with_fields(&self, leaf: usize) -> bool {
        self.name != "orders" || ![2, 3, 4, 6, 8].contains(&self.leaves[leaf][1])
    }

    pub(crate) fn trust(&self) -> String {
        self.finished.trust.to_string()
    }

    pub(crate) fn fingerprint(&self) -> Fingerprint {
        self.election.manifest.fingerprint()
    }

    /// Indices of the leaves of a kind.
    pub(crate) fn indices(&self, kind: Kind) -> Vec<usize> {
        let of_kind = |at: &usize| self.leaves[*at][1] == kind as u8;
        (0..self.leaves.len()).filter(of_kind).collect()
    }

    pub(crate) fn first(&self, kind: Kind) -> usize {
        self.indices(kind)[0]
    }

    /// Sizes of the honest checkpoints that still fit, and all leaves.
    fn sizes(&self, count: usize) -> Vec<u64> {
        let count = count as u64;
        let honest = self.archive.checkpoints.iter().map(|note| note.checkpoint.size);
        honest.filter(|size| *size < count).chain([count]).collect()
    }

    /// An archive whose checkpoints the authorities sign.
    pub(crate) fn cosigned(&self, leaves: &[Bytes]) -> Archive {
        self.election.archive(leaves, &self.sizes(leaves.len()))
    }

    /// An archive whose checkpoints have the right roots under the old signatures.
    pub(crate) fn forged(&self, leaves: &[Bytes]) -> Archive {
        let mut archive = self.cosigned(leaves);
        let notes = self.archive.checkpoints.iter().rev();
        for (new, old) in archive.checkpoints.iter_mut().rev().zip(notes) {
            let right = core::mem::replace(new, old.clone());
            new.checkpoint = right.checkpoint;
        }
        archive
    }

    /// An archive with the honest checkpoints.
    pub(crate) fn stale(&self, leaves: &[Bytes]) -> Archive {
        Archive { leaves: leaves.to_vec(), checkpoints: self.archive.checkpoints.clone() }
    }

    /// The honest leaves with another one at `at`.
    pub(crate) fn with(&self, at: usize, leaf: impl Into<Bytes>) -> Vec<Bytes> {
        let mut leaves = self.leaves.clone();
        leaves[at] = leaf.into();
        leaves
    }

    /// The entry with its appender's signature made again by authority 1.
    pub(crate) fn append_again(&self, entry: &[u8]) -> Bytes {
        let signed = &entry[..entry.len().saturating_sub(64)];
        let message = [&self.election.id().0, signed].concat();
        let signature = self.election.appenders[0].key.sign("quorate/entry/v1", &message);
        Bytes::from([signed, &signature].concat())
    }

    pub(crate) fn item(&self, name: String, archive: &Archive, expect: Expect) -> Item {
        Item {
            name: format!("{}/{name}", self.name),
            archive: Bytes::from(archive.encode()),
            trust: Some(self.trust()),
            expect,
        }
    }

    /// Leaves whose checkpoints the authorities sign.
    pub(crate) fn cosigned_item(&self, name: String, leaves: &[Bytes], expect: Expect) -> Item {
        self.item(name, &self.cosigned(leaves), expect)
    }
}

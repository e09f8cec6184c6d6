//! Random schedules: no two decisions ever disagree, and decisions go on once the world is calm.

use std::collections::BTreeMap;

use base::Prng;

use super::*;

/// Leaves of one node: the root of a prefix is a mix of its leaves.
#[derive(Clone, Debug, Default, PartialEq)]
struct Tree(Vec<u64>);

impl Leaves for Tree {
    fn size(&self) -> u64 {
        self.0.len() as u64
    }

    fn root_at(&self, size: u64) -> Option<[u8; 32]> {
        let prefix = self.0.get(..usize::try_from(size).ok()?)?;
        let mix = |mix: u64, leaf: &u64| Prng::named(mix ^ leaf, "node").next_u64();
        let mut root = [0; 32];
        root[..8].copy_from_slice(&prefix.iter().fold(size, mix).to_be_bytes());
        Some(root)
    }
}

#[derive(Clone)]
enum Packet {
    Vote(Vote),
    Certificate(Certificate),
}

struct Node {
    rounds: Rounds,
    tree: Tree,
    /// Durable.
    journal: Recovered,
    decided: Vec<(u64, Value)>,
    /// Said but not yet durable; lost in a crash.
    unwritten: Vec<(Statement, Vec<Vote>)>,
}

struct World {
    prng: Prng,
    setup: Setup,
    liars: u8,
    nodes: BTreeMap<u8, Node>,
    /// Everything that was ever sent; the store keeps it.
    posted: Vec<Packet>,
    wire: Vec<(u8, Packet)>,
    storm: bool,
    /// Hears but is not heard, and what it has said meanwhile.
    muted: Option<u8>,
    held: Vec<(u8, Packet)>,
    now_ms: u64,
    next_leaf: u64,
}

impl World {
    fn new(seed: u64, authorities: u8, faulty: u8, liars: u8) -> Self {
        let quorum = Quorum::new(authorities, faulty).expect("n >= 3f + 1");
        let setup = Setup { me: 0, quorum, timeouts: Timeouts::default() };
        let nodes = (liars..authorities).map(|me| {
            let journal = Recovered::default();
            let rounds = Rounds::new(Setup { me, ..setup }, &journal, 0);
            let (tree, decided, unwritten) = (Tree::default(), Vec::new(), Vec::new());
            (me, Node { rounds, tree, journal, decided, unwritten })
        });
        let nodes = nodes.collect();
        let prng = Prng::named(seed, "rounds");
        let (posted, wire, held) = (Vec::new(), Vec::new(), Vec::new());
        let (storm, muted, now_ms, next_leaf) = (true, None, 0, 1);
        Self { prng, setup, liars, nodes, posted, wire, storm, muted, held, now_ms, next_leaf }
    }

    fn input(&mut self, me: u8, input: Input) {
        let Some(node) = self.nodes.get_mut(&me) else { return };
        let effects = node.rounds.step(input, &node.tree);
        for effect in effects {
            let Some(node) = self.nodes.get_mut(&me) else { return };
            match effect {
                Effect::Cast(statement) => {
                    let evidence = node.rounds.evidence(&statement);
                    node.unwritten.push((statement, evidence));
                }
                Effect::Decided(certificate) => {
                    assert!(certificate.signatures.len() >= self.setup.quorum.votes());
                    node.decided.push((certificate.height, certificate.value));
                    node.journal.decided = Some((certificate.height, certificate.value));
                    self.send(me, Packet::Certificate(certificate));
                }
                Effect::Equivocated { first, .. } => assert!(first.author < self.liars),
            }
        }
    }

    fn write(&mut self, me: u8) {
        let Some(node) = self.nodes.get_mut(&me) else { return };
        let mut votes = Vec::new();
        // The most delicate moment: others may or may not learn that this one is ready.
        if node.unwritten.iter().any(|(said, _)| said.kind == Kind::Ready && said.value.is_some())
            && self.storm
            && self.prng.chance(1, 4)
        {
            self.muted = Some(me);
        }
        for (statement, evidence) in std::mem::take(&mut node.unwritten) {
            node.journal.heard.extend(evidence.iter().cloned());
            if statement.kind == Kind::Proposal {
                votes.extend(evidence);
            }
            let vote = Vote { author: me, statement, signature: [me; 64] };
            node.journal.cast.push(vote.clone());
            votes.push(vote);
        }
        votes.into_iter().for_each(|vote| self.send(me, Packet::Vote(vote)));
    }

    fn send(&mut self, from: u8, packet: Packet) {
        let cut = self.muted;
        for to in self.nodes.keys().copied() {
            let passes = to == from || cut != Some(from);
            let queue = if passes { &mut self.wire } else { &mut self.held };
            queue.push((to, packet.clone()));
        }
        self.posted.push(packet);
    }

    fn mute(&mut self, node: Option<u8>) {
        self.muted = node;
        self.wire.append(&mut self.held);
    }

    fn deliver(&mut self, at: usize, again: bool) {
        let (to, packet) = if again { self.wire[at].clone() } else { self.wire.remove(at) };
        let input = match packet {
            Packet::Vote(vote) => Input::Heard(vote),
            Packet::Certificate(certificate) => Input::Certified(certificate),
        };
        self.input(to, input);
    }

    fn restart(&mut self, me: u8) {
        let (setup, now_ms) = (Setup { me, ..self.setup }, self.now_ms);
        let Some(node) = self.nodes.get_mut(&me) else { return };
        node.unwritten.clear();
        node.rounds = Rounds::new(setup, &node.journal, now_ms);
        self.wire.retain(|(to, _)| *to != me);
        let own = self.posted.iter().cloned().map(|packet| (me, packet));
        self.wire.extend(own);
    }

    /// A node's store shows it more, or other, leaves above what it knows to be final.
    fn regrow(&mut self, me: u8) {
        let fresh = self.prng.chance(1, 10);
        let source =
            *self.prng.pick(&self.nodes.keys().copied().collect::<Vec<_>>()).unwrap_or(&me);
        let shown = self.nodes[&source].tree.clone();
        let next_leaf = self.next_leaf;
        let Some(node) = self.nodes.get_mut(&me) else { return };
        // What the machine around does: final and guarded leaves are kept.
        let last =
            node.rounds.guarded().or(node.rounds.last()).map_or(0, |kept| kept.size as usize);
        if fresh {
            let keep = last + self.prng.below((node.tree.0.len() - last) as u64 + 1) as usize;
            node.tree.0.truncate(if self.prng.chance(1, 4) { keep } else { usize::MAX });
            node.tree.0.push(next_leaf);
            self.next_leaf += 1;
        } else if shown.0.len() >= last && shown.0[..last] == node.tree.0[..last] {
            node.tree = shown;
        }
        let hurry = self.prng.chance(1, 10);
        self.input(me, Input::Grown { hurry });
    }

    /// Tells one node what it would like to hear, or what another one has said.
    fn lie(&mut self) {
        let honest: Vec<u8> = self.nodes.keys().copied().collect();
        let Some(to) = self.prng.pick(&honest).copied().filter(|_| self.liars > 0) else { return };
        let node = &self.nodes[&to];
        let tip = node.tree.root_at(node.tree.size());
        let tip = tip.map(|root| Value { size: node.tree.size(), root });
        let heard: Vec<Statement> = self.posted.iter().rev().take(40).filter_map(said).collect();
        let own = node.rounds.cast().last().and_then(|statement| statement.value);
        let other = self.prng.pick(&heard).and_then(|statement| statement.value);
        let value = *self.prng.pick(&[tip, own, own, other, None]).expect("five");
        let kind = *self.prng.pick(&[Kind::Proposal, Kind::Checked, Kind::Ready]).expect("three");
        if kind == Kind::Proposal && value.is_none() {
            return;
        }
        let round = node.rounds.round() + u32::from(self.prng.chance(1, 20));
        let valid_round = (kind == Kind::Proposal && self.prng.chance(1, 3)).then_some(0);
        let height = node.rounds.height();
        let statement = Statement { height, round, kind, value, valid_round };
        for author in 0..self.liars {
            let vote = Vote { author, statement, signature: [author; 64] };
            self.wire.push((to, Packet::Vote(vote)));
        }
    }

    fn chaos(&mut self, steps: u32) {
        for _ in 0..steps {
            let nodes: Vec<u8> = self.nodes.keys().copied().collect();
            let me = *self.prng.pick(&nodes).expect("somebody is honest");
            match self.prng.below(100) {
                0..50 if !self.wire.is_empty() => {
                    let near = self.wire.len().min(12) as u64;
                    let at = self.prng.below(near) as usize;
                    match self.prng.below(10) {
                        0 => drop(self.wire.remove(at)),
                        1 => self.deliver(at, true),
                        _ => self.deliver(at, false),
                    }
                }
                50..70 => self.write(me),
                70..75 => self.regrow(me),
                75..76 => self.restart(me),
                76..77 => self.mute(Some(me)),
                77..79 => self.mute(None),
                79..86 => self.lie(),
                _ => {
                    self.now_ms += self.prng.below(100);
                    let now_ms = self.now_ms;
                    self.input(me, Input::Ticked { now_ms });
                }
            }
        }
    }

    /// From now on all see one order and all that was said, and nobody crashes.
    fn calm(&mut self) {
        let honest: Vec<u8> = self.nodes.keys().copied().collect();
        self.storm = false;
        self.mute(None);
        honest.iter().for_each(|me| self.write(*me));
        let newest = self.nodes.values().max_by_key(|node| {
            let lock = node.rounds.guarded().and(node.rounds.lock).map(|lock| lock.round);
            (node.rounds.height(), lock, node.tree.size())
        });
        let mut order = newest.expect("somebody is honest").tree.clone();
        order.0.push(self.next_leaf);
        for me in honest {
            let Some(node) = self.nodes.get_mut(&me) else { continue };
            let last = node.rounds.last().map_or(0, |value| value.size as usize);
            assert_eq!(node.tree.0[..last], order.0[..last], "a final leaf is not in the order");
            node.tree = order.clone();
            self.restart(me);
            self.input(me, Input::Grown { hurry: false });
        }
        let size = order.size();
        for _ in 0..5_000 {
            if self.nodes.values().all(|node| node.rounds.last_size() == size) {
                return;
            }
            self.lie();
            while !self.wire.is_empty() {
                self.deliver(0, false);
            }
            let nodes: Vec<u8> = self.nodes.keys().copied().collect();
            self.now_ms += 20;
            for me in nodes {
                let now_ms = self.now_ms;
                self.input(me, Input::Ticked { now_ms });
                self.write(me);
            }
        }
        let state = |(me, node): (&u8, &Node)| {
            let Rounds { height, round, step, lock, valid, ready_until_ms, .. } = &node.rounds;
            let last = node.rounds.last_size();
            format!(
                "{me}: {height}/{round} {step:?} {ready_until_ms:?} lock {lock:?} valid {valid:?} last {last} of {size}\n"
            )
        };
        let states: String = self.nodes.iter().map(state).collect();
        panic!("no finality after {} ms of calm:\n{states}", self.now_ms);
    }

    /// Two different decisions of one height, if there are any.
    fn fork(&self) -> Option<(u64, Value, Value)> {
        let mut decided: BTreeMap<u64, Value> = BTreeMap::new();
        for (height, value) in self.nodes.values().flat_map(|node| &node.decided) {
            let known = *decided.entry(*height).or_insert(*value);
            if known != *value {
                return Some((*height, known, *value));
            }
        }
        let values: Vec<(&u64, &Value)> = decided.iter().collect();
        values
            .windows(2)
            .find(|pair| pair[0].1.size >= pair[1].1.size)
            .map(|pair| (*pair[1].0, *pair[0].1, *pair[1].1))
    }
}

fn said(packet: &Packet) -> Option<Statement> {
    match packet {
        Packet::Vote(vote) => Some(vote.statement),
        Packet::Certificate(_) => None,
    }
}

fn check(seeds: u64, authorities: u8, faulty: u8) {
    let mut heights = 0;
    for seed in 0..seeds {
        let mut world = World::new(seed, authorities, faulty, faulty);
        world.chaos(2_500);
        assert_eq!(world.fork(), None, "seed {seed}");
        world.calm();
        assert_eq!(world.fork(), None, "seed {seed} after the calm");
        heights += world.nodes.values().map(|node| node.rounds.height()).max().unwrap_or(0);
    }
    assert!(heights >= seeds, "hardly anything was decided: {heights} heights");
}

#[test]
fn one_authority_alone() {
    check(100, 1, 0);
}

#[test]
fn three_authorities_none_lying() {
    check(300, 3, 0);
}

#[test]
fn four_authorities_one_lying() {
    check(600, 4, 1);
}

#[test]
fn five_authorities_one_lying() {
    check(300, 5, 1);
}

#[test]
fn seven_authorities_two_lying() {
    check(100, 7, 2);
}

#[test]
fn the_schedules_find_forks_when_too_many_lie() {
    let forked = (0..300).filter(|seed| {
        let mut world = World::new(*seed, 4, 1, 2);
        world.chaos(2_500);
        world.fork().is_some()
    });
    assert!(forked.count() > 0, "a checker that cannot fail proves nothing");
}

#[test]
fn quorums() {
    let votes = |n, f| Quorum::new(n, f).map(Quorum::votes);
    assert_eq!(votes(1, 0), Some(1));
    assert_eq!(votes(3, 0), Some(2));
    assert_eq!(votes(4, 1), Some(3));
    assert_eq!(votes(5, 1), Some(4));
    assert_eq!(votes(7, 2), Some(5));
    assert_eq!(votes(3, 1), None);
    assert_eq!(votes(0, 0), None);
}

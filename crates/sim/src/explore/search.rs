//! The search itself: level by level, each new state once.

use super::acts::{Act, play};
use super::intern::{FastMap, HashSet64, Interner, hash_words};
use super::member::{Load, Member, Outcome, Packet, Sets, View};
use super::truth::Truth;
use super::worlds::World;
use bytes::Bytes;
use raft::{Config, MemberId, Membership, RoleName};
use std::hash::{Hash, Hasher};

/// What to search, and how far.
#[derive(Clone, Debug)]
pub struct Options {
    /// How much may happen.
    pub world: World,
    /// A seeded bug in every member.
    #[cfg(feature = "mutants")]
    pub mutant: Option<raft::Mutant>,
    /// The search ends, incomplete, at so many states.
    pub states_max: usize,
    /// The search ends, incomplete, when it needs more than about this.
    pub memory_bytes_max: usize,
    /// Seed of the hash of states: a collision with one seed is none with another.
    pub seed: u64,
}

/// How far the search is.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    /// Distinct states so far.
    pub states: usize,
    /// Events from the beginning to the level being searched.
    pub depth: usize,
    /// States of that level.
    pub level: usize,
}

/// What was found.
#[derive(Clone, Debug)]
pub struct Report {
    /// The world's name.
    pub world: &'static str,
    /// Distinct states.
    pub states: usize,
    /// Events tried that had an effect.
    pub transitions: u64,
    /// Events on the longest of the shortest ways to a state.
    pub depth: usize,
    /// Distinct states of single members.
    pub members: usize,
    /// Distinct messages.
    pub packets: usize,
    /// Whether every state of this world was seen.
    pub is_complete: bool,
    /// A bound on the probability that two states were taken for one.
    pub collision_bound: f64,
    /// The broken promise and the shortest way to it.
    pub violation: Option<String>,
}

/// Searches the world. `progress` is called after every level and each million states.
pub fn run(options: &Options, progress: &mut dyn FnMut(Progress)) -> Report {
    let mut search = Search::new(options);
    let violation = search.run(progress).err();
    let states = search.seen.len();
    Report {
        world: options.world.name,
        states,
        transitions: search.transitions,
        depth: search.depth,
        members: search.members.len(),
        packets: search.packets.len(),
        is_complete: violation.is_none() && !search.is_cut_short,
        collision_bound: (states as f64).powi(2) / 2f64.powi(65),
        violation: violation.map(|broken| search.story(&broken)),
    }
}

/// A member and the view of it; named by the member alone.
struct Known {
    member: Member,
    view: View,
}

impl Hash for Known {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.member.hash(state);
    }
}

/// What a member makes of an event.
struct Effects {
    member: u32,
    sent: Box<[u32]>,
    reads: Box<[(u32, u32)]>,
    is_installed: bool,
}

/// A promise was broken by `act` in the state of that number.
struct Broken {
    state: u32,
    at: usize,
    act: Act,
    what: String,
}

/// Budgets, 4 bits each, in two words.
#[derive(Clone, Copy)]
enum Budget {
    Proposals,
    Crashes,
    Duplicates,
    Heartbeats,
    Reads,
    Changes,
    Cuts,
    Transfers,
    Campaigns,
}

impl Budget {
    fn place(self) -> (usize, u32) {
        let place = self as usize;
        (place / 8, place as u32 % 8 * 4)
    }

    fn left(self, budgets: [u32; 2]) -> u32 {
        let (word, shift) = self.place();
        budgets[word] >> shift & 15
    }

    fn spend(self, budgets: &mut [u32; 2]) {
        let (word, shift) = self.place();
        budgets[word] -= 1 << shift;
    }
}

/// States of one level, one after another: members, truth, budgets, packets in ascending order.
#[derive(Default)]
struct Level {
    words: Vec<u32>,
    ends: Vec<usize>,
}

impl Level {
    fn push(&mut self, words: &[u32]) {
        self.words.extend_from_slice(words);
        self.ends.push(self.words.len());
    }

    fn get(&self, at: usize) -> &[u32] {
        let start = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.words[start..self.ends[at]]
    }

    fn size_bytes(&self) -> usize {
        self.words.capacity() * 4 + self.ends.capacity() * 8
    }
}

struct Search<'a> {
    options: &'a Options,
    ids: Vec<MemberId>,
    members: Interner<Known>,
    packets: Interner<Packet>,
    truths: Interner<Truth>,
    /// By member and event.
    memo: FastMap<u64, u32>,
    effects: Vec<Result<Effects, String>>,
    seen: HashSet64,
    /// By number of state: the state before it, and the event with its member.
    ways: Vec<(u32, u32)>,
    first: Vec<u32>,
    level: Level,
    next: Level,
    /// Number of the first state of the level.
    level_starts: usize,
    transitions: u64,
    depth: usize,
    is_cut_short: bool,
    scratch: Vec<u32>,
}

impl<'a> Search<'a> {
    fn new(options: &'a Options) -> Self {
        let world = &options.world;
        let voters = (1..=world.voters).map(|id| (MemberId::new(id), Bytes::new()));
        let founding = Membership::founding(voters);
        let ids: Vec<_> = (1..=world.voters + world.joiners).map(MemberId::new).collect();
        let mut search = Self {
            options,
            members: Interner::new(),
            packets: Interner::new(),
            truths: Interner::new(),
            memo: FastMap::default(),
            effects: Vec::new(),
            seen: HashSet64::new(),
            ways: Vec::new(),
            first: Vec::new(),
            level: Level::default(),
            next: Level::default(),
            level_starts: 0,
            transitions: 0,
            depth: 0,
            is_cut_short: false,
            scratch: Vec::new(),
            ids: ids.clone(),
        };
        let mut words = Vec::new();
        for id in ids {
            let membership =
                if founding.contains(id) { founding.clone() } else { Membership::default() };
            let member = Member::new(configuration(id, options), membership);
            let view = member.view();
            words.push(search.members.number(Known { member, view }));
        }
        words.push(search.truths.number(Truth::new(Sets::of(&founding))));
        words.extend(budgets_of(world));
        search.first = words;
        search
    }

    fn run(&mut self, progress: &mut dyn FnMut(Progress)) -> Result<(), Broken> {
        if self.options.world.is_led {
            self.lead()?;
        }
        let first = self.first.clone();
        self.add(&first, (0, 0));
        loop {
            self.level_starts += self.level.ends.len();
            self.level = std::mem::take(&mut self.next);
            let level = self.level.ends.len();
            if level == 0 {
                return Ok(());
            }
            progress(Progress { states: self.seen.len(), depth: self.depth, level });
            let mut words = Vec::new();
            for at in 0..level {
                words.clear();
                words.extend_from_slice(self.level.get(at));
                self.expand(&words, (self.level_starts + at) as u32)?;
                if self.is_spent() {
                    self.is_cut_short = true;
                    return Ok(());
                }
            }
            self.depth += 1;
        }
    }

    /// Lets member 1 lead, everything being delivered until nothing is under way.
    fn lead(&mut self) -> Result<(), Broken> {
        let count = self.ids.len();
        let mut words = self.first.clone();
        let mut acts = vec![(0, Act::Campaign)];
        while let Some((at, act)) = acts.pop() {
            let broken = |what| Broken { state: 0, at, act, what };
            self.change(&mut words, at, act).map_err(broken)?;
            if let Some(finish) = (0..count).find(|at| self.view(words[*at]).unfinished > 0) {
                acts.push((finish, Act::Finish));
            } else if words.len() > count + 3 {
                let packet = words.remove(count + 3);
                acts.push((self.packets.get(packet).to.get() as usize - 1, Act::Deliver(packet)));
            }
        }
        self.first = words;
        Ok(())
    }

    fn is_spent(&self) -> bool {
        let bytes = self.seen.size_bytes()
            + self.ways.capacity() * 8
            + self.level.size_bytes()
            + self.next.size_bytes()
            + self.members.len() * MEMBER_BYTES
            + self.effects.len() * EFFECT_BYTES;
        self.seen.len() >= self.options.states_max || bytes >= self.options.memory_bytes_max
    }

    fn add(&mut self, words: &[u32], way: (u32, u32)) {
        if self.seen.insert(hash_words(self.options.seed, words)) {
            self.ways.push(way);
            self.next.push(words);
        }
    }

    fn view(&self, number: u32) -> &View {
        &self.members.get(number).view
    }

    /// Tries every event of a state.
    fn expand(&mut self, words: &[u32], number: u32) -> Result<(), Broken> {
        let count = self.ids.len();
        let packets = &words[count + 3..];
        for (place, packet) in packets.iter().enumerate() {
            if place > 0 && packets[place - 1] == *packet {
                continue;
            }
            let to = self.packets.get(*packet).to;
            let Some(at) = self.ids.iter().position(|id| *id == to) else { continue };
            let act = Act::Deliver(*packet);
            self.follow(words, number, (at, act), Cost { packet: Some(place), budget: None })?;
            let budget = Some(Budget::Duplicates);
            self.follow(words, number, (at, act), Cost { packet: None, budget })?;
        }
        for at in 0..count {
            for (act, budget) in self.acts_at(words, at) {
                self.follow(words, number, (at, act), Cost { packet: None, budget })?;
            }
        }
        Ok(())
    }

    /// What may happen at a member beside messages.
    fn acts_at(&self, words: &[u32], at: usize) -> Vec<(Act, Option<Budget>)> {
        let world = &self.options.world;
        let count = self.ids.len();
        let view = self.view(words[at]);
        let budgets = [words[count + 1], words[count + 2]];
        let used = |budget: Budget, all: u32| all - budget.left(budgets);
        let mut acts = Vec::new();
        let is_first = words[..count] == self.first[..count];
        let may_campaign = !is_first || world.first.contains(&self.ids[at].get());
        if view.unfinished > 0 {
            acts.push((Act::Finish, None));
        }
        acts.push((Act::Crash, Some(Budget::Crashes)));
        let read = used(Budget::Reads, world.reads);
        if view.role != RoleName::Leader {
            if u64::from(view.term) < world.terms && may_campaign {
                acts.push((Act::Campaign, Some(Budget::Campaigns)));
            }
            acts.push((Act::Read(read), Some(Budget::Reads)));
            return acts;
        }
        acts.push((Act::Heartbeat, Some(Budget::Heartbeats)));
        let proposal = used(Budget::Proposals, world.proposals);
        acts.push((Act::Propose(proposal), Some(Budget::Proposals)));
        acts.push((Act::Read(read), Some(Budget::Reads)));
        let change = used(Budget::Changes, world.changes.len() as u32);
        acts.push((Act::Change(change), Some(Budget::Changes)));
        acts.push((Act::Cut, Some(Budget::Cuts)));
        let others = self.ids.iter().filter(|id| **id != self.ids[at]);
        acts.extend(others.map(|id| (Act::Transfer(id.get() as u32), Some(Budget::Transfers))));
        acts
    }

    /// Follows one event into the next state, unless it has no effect or its budget is spent.
    fn follow(
        &mut self,
        words: &[u32],
        number: u32,
        (at, act): (usize, Act),
        cost: Cost,
    ) -> Result<(), Broken> {
        let count = self.ids.len();
        let mut budgets = [words[count + 1], words[count + 2]];
        if let Some(budget) = cost.budget {
            if budget.left(budgets) == 0 {
                return Ok(());
            }
            // Counting campaigns that the terms bound anyway would only multiply states.
            let is_free = matches!(budget, Budget::Campaigns) && !self.options.world.asks_first;
            if !is_free {
                budget.spend(&mut budgets);
            }
        }
        let broken = |what| Broken { state: number, at, act, what };
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.clear();
        scratch.extend_from_slice(words);
        if let Some(place) = cost.packet {
            scratch.remove(count + 3 + place);
        }
        (scratch[count + 1], scratch[count + 2]) = (budgets[0], budgets[1]);
        let is_new = self.change(&mut scratch, at, act).map_err(broken)?;
        if is_new {
            self.transitions += 1;
            self.drop_void(&mut scratch);
            scratch[count + 3..].sort_unstable();
            self.add(&scratch, (number, (at as u32) << 28 | act.pack()));
        }
        self.scratch = scratch;
        Ok(())
    }

    /// Removes the packets that nobody will heed.
    fn drop_void(&self, words: &mut Vec<u32>) {
        if self.options.world.keeps_void {
            return;
        }
        let count = self.ids.len();
        let mut kept = count + 3;
        for place in count + 3..words.len() {
            let packet = self.packets.get(words[place]);
            let to = packet.to.get() as usize - 1;
            let is_void = to >= count || packet.is_void(self.view(words[to]));
            if !is_void {
                words[kept] = words[place];
                kept += 1;
            }
        }
        words.truncate(kept);
    }

    /// Lets `act` happen in the state `words`; whether it had an effect.
    fn change(&mut self, words: &mut Vec<u32>, at: usize, act: Act) -> Result<bool, String> {
        let count = self.ids.len();
        let effect = self.effect(words[at], act);
        let effects = self.effects[effect as usize].as_ref().map_err(Clone::clone)?;
        let asks = matches!(act, Act::Read(_));
        if effects.member == words[at] && effects.sent.is_empty() && effects.reads.is_empty() {
            return Ok(false);
        }
        let before = std::mem::replace(&mut words[at], effects.member);
        words.extend_from_slice(&effects.sent);
        let is_installed = effects.is_installed;
        let views: Vec<(MemberId, &View)> =
            self.ids.iter().zip(&words[..count]).map(|(id, n)| (*id, self.view(*n))).collect();
        let (id, now, was) = (self.ids[at], views[at].1, self.view(before));
        let truth = self.truths.get(words[count]);
        let crashes = act == Act::Crash && self.options.world.reads > 0;
        if asks || crashes || !effects.reads.is_empty() || truth.is_news(was, now) {
            let mut truth = truth.clone();
            if let Act::Read(read) = act {
                truth.on_read_asked(id, read);
            }
            if crashes {
                truth.on_crashed(id);
            }
            if truth.is_news(was, now) {
                truth.learn(id, was, now, &views)?;
            }
            for (read, index) in &effects.reads {
                truth.on_read_served(id, *read, *index)?;
            }
            truth.check(id, was, now, &views)?;
            words[count] = self.truths.number(truth);
        } else {
            truth.check(id, was, now, &views)?;
        }
        self.check_snapshots(effect, words[count])?;
        if let Act::Deliver(packet) = act
            && let Load::Snapshot(_) = self.packets.get(packet).load
        {
            let from = self.packets.get(packet).from;
            let sender = self.ids.iter().position(|id| *id == from).unwrap_or(at);
            self.change(words, sender, Act::Delivered(packet, is_installed))?;
        }
        Ok(true)
    }

    fn check_snapshots(&self, effect: u32, truth: u32) -> Result<(), String> {
        let Ok(effects) = &self.effects[effect as usize] else { return Ok(()) };
        for sent in &effects.sent {
            if let Packet { from, load: Load::Snapshot(snapshot), .. } = self.packets.get(*sent) {
                self.truths.get(truth).check_snapshot(*from, snapshot)?;
            }
        }
        Ok(())
    }

    /// What the member of that number makes of `act`, computed once.
    fn effect(&mut self, member: u32, act: Act) -> u32 {
        let key = u64::from(member) << 32 | u64::from(act.pack());
        if let Some(known) = self.memo.get(&key) {
            return *known;
        }
        let packet = match act {
            Act::Deliver(packet) | Act::Delivered(packet, _) => Some(self.packets.get(packet)),
            _ => None,
        };
        let played = play(&self.members.get(member).member, act, packet, &self.options.world);
        let effects = played.map(|(member, outcome)| self.take(member, outcome));
        let number = self.effects.len() as u32;
        self.effects.push(effects);
        self.memo.insert(key, number);
        number
    }

    fn take(&mut self, member: Member, outcome: Outcome) -> Effects {
        let view = member.view();
        let sent = outcome.sent.into_iter().map(|packet| self.packets.number(packet));
        let sent = sent.collect();
        let reads = outcome.reads.into_boxed_slice();
        let is_installed = outcome.is_installed;
        Effects { member: self.members.number(Known { member, view }), sent, reads, is_installed }
    }

    /// The way to the broken promise, as a story.
    fn story(&mut self, broken: &Broken) -> String {
        let mut acts = vec![(broken.at, broken.act)];
        let mut state = broken.state;
        while state != 0 {
            let (before, act) = self.ways[state as usize];
            acts.push(((act >> 28) as usize, Act::unpack(act)));
            state = before;
        }
        acts.reverse();
        let mut words = self.first.clone();
        let mut lines = vec![format!("world {}: {}", self.options.world.name, broken.what)];
        for (step, (at, act)) in acts.into_iter().enumerate() {
            lines.push(format!("{:>3}. {}", step + 1, self.event(self.ids[at], act)));
            if self.change(&mut words, at, act).is_err() {
                break;
            }
            lines.push(format!("       {}", self.members.get(words[at]).member));
        }
        lines.push(format!("     ✗ {}", broken.what));
        lines.join("\n")
    }

    fn event(&self, id: MemberId, act: Act) -> String {
        match act {
            Act::Deliver(packet) | Act::Delivered(packet, _) => {
                format!("{}", self.packets.get(packet))
            }
            Act::Campaign => format!("{id} loses patience and campaigns"),
            Act::Heartbeat => format!("{id} begins a round of heartbeats"),
            Act::Propose(count) => format!("{id} is given command {count}"),
            Act::Read(count) => format!("{id} is asked for read {count}"),
            Act::Change(count) => format!("{id} is asked for membership change {count}"),
            Act::Transfer(to) => format!("{id} is to hand over to {to}"),
            Act::Cut => format!("{id} cuts its log at what is applied"),
            Act::Finish => format!("{id} has its oldest write durable"),
            Act::Crash => format!("{id} crashes and restarts"),
        }
    }
}

/// What a transition uses up: a packet by its place, a piece of a budget.
struct Cost {
    packet: Option<usize>,
    budget: Option<Budget>,
}

/// About what a member costs in memory.
const MEMBER_BYTES: usize = 4096;
/// About what the memory of one member's reaction costs.
const EFFECT_BYTES: usize = 120;

fn budgets_of(world: &World) -> [u32; 2] {
    let all = [
        (Budget::Proposals, world.proposals),
        (Budget::Crashes, world.crashes),
        (Budget::Duplicates, world.duplicates),
        (Budget::Heartbeats, world.heartbeats),
        (Budget::Reads, world.reads),
        (Budget::Changes, world.changes.len() as u32),
        (Budget::Cuts, world.cuts),
        (Budget::Transfers, world.transfers),
        (Budget::Campaigns, world.campaigns),
    ];
    let mut budgets = [0; 2];
    for (budget, count) in all {
        let (word, shift) = budget.place();
        budgets[word] |= count.min(15) << shift;
    }
    budgets
}

/// Small patience and no distinction in time: who loses it when is the search's choice.
fn configuration(id: MemberId, options: &Options) -> Config {
    let mut config = Config::new(id, 1);
    (config.election_ticks_min, config.election_ticks_max) = (2, 3);
    config.promotion_lag_entries = 0;
    config.inflight_messages_max = 2;
    #[cfg(feature = "mutants")]
    {
        config.mutant = options.mutant;
    }
    if options.world.is_one_by_one {
        config.append_bytes_max = 1;
    }
    config
}

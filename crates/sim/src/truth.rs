//! What is really so, as only somebody outside all members can know it.
//!
//! The world reports [`Fact`]s; `Truth` keeps from them, for each member, the log it believes in
//! and the log that its platter holds, and for the whole group the *ledger of commits*: the
//! entries that some member ever treated as committed. Nothing in here is used by a member, and
//! nothing is taken on trust from one that can be derived from its orders and its disk.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use kv::api::{Error, KeyValue, Request, Response};
use raft::{
    Entry, HardState, LogId, LogIndex, MemberId, Membership, Message, Payload, Persist, Rebase,
    Recovered, RoleName, Snapshot, Status, Term, Ticket,
};

use crate::hash::mix_bytes;
use crate::model::Model;
use crate::time::Nanos;

/// A member by its number from 0; its [`MemberId`] is one higher.
pub type Member = usize;

/// The number under which raft knows `member`.
pub fn id_of(member: Member) -> MemberId {
    MemberId::new(member as u64 + 1)
}

/// The member raft calls `id`.
pub fn member_of(id: MemberId) -> Member {
    id.get() as usize - 1
}

/// The membership that a group of the first `members` machines begins with.
pub fn founding(members: usize) -> Membership {
    Membership::founding((0..members).map(|member| (id_of(member), Bytes::new())))
}

/// Whether those that `has` says make a majority, while joint in both sets of voters. Learners do
/// not count.
pub fn is_quorum(membership: &Membership, has: impl Fn(Member) -> bool) -> bool {
    let agrees = |voters: &std::collections::BTreeSet<MemberId>| {
        voters.iter().filter(|id| has(member_of(**id))).count() > voters.len() / 2
    };
    agrees(membership.voters()) && (!membership.is_joint() || agrees(membership.outgoing()))
}

base::typed_u64! {
    /// One attempt of one caller, unique in a run; every value it writes begins with it.
    pub struct Operation;
}

/// Something that happened.
#[derive(Debug)]
pub enum Fact<'a> {
    /// The member's process has opened its folders and is about to take part.
    Opened {
        /// Who.
        member: Member,
        /// What it found.
        recovered: &'a Recovered,
    },
    /// The member's process is gone.
    Died {
        /// Who.
        member: Member,
    },
    /// Role or term changed.
    Became {
        /// Who.
        member: Member,
        /// What it is now.
        role: RoleName,
        /// In which term.
        term: Term,
    },
    /// Consensus ordered a write.
    Ordered {
        /// Whose.
        member: Member,
        /// What.
        persist: &'a Persist,
    },
    /// A sync returned: every order through `ticket` is on the platter.
    Persisted {
        /// Whose.
        member: Member,
        /// The newest durable order.
        ticket: Ticket,
    },
    /// A message left.
    Sent {
        /// Whose.
        member: Member,
        /// To whom.
        to: Member,
        /// What.
        message: &'a Message,
    },
    /// A whole frame with a message of consensus arrived at a process that runs.
    Received {
        /// Whose.
        member: Member,
        /// From whom.
        from: Member,
        /// What.
        message: &'a Message,
    },
    /// A tick of the member's clock.
    Ticked {
        /// Whose.
        member: Member,
    },
    /// The member's own view after a step.
    Observed {
        /// Whose.
        member: Member,
        /// The view.
        status: &'a Status,
    },
    /// Entries were handed to the state machine.
    Applying {
        /// Whose.
        member: Member,
        /// Which.
        entries: &'a [Entry],
    },
    /// The state machine applied entries.
    Applied {
        /// Whose.
        member: Member,
        /// Everything up to here.
        through: LogIndex,
        /// Store revision afterwards.
        revision: i64,
        /// Digest of its content afterwards.
        digest: u64,
    },
    /// What the member's state holds is durable.
    StateDurable {
        /// Whose.
        member: Member,
        /// Everything up to here.
        through: LogIndex,
    },
    /// A snapshot is announced.
    Offered {
        /// By whom.
        member: Member,
        /// What it is of.
        snapshot: &'a Snapshot,
    },
    /// A caller asked.
    Called {
        /// Which attempt.
        operation: Operation,
        /// What.
        request: &'a Request,
    },
    /// A caller got an answer before it gave up.
    Answered {
        /// Which attempt.
        operation: Operation,
        /// What it had asked.
        request: &'a Request,
        /// The answer.
        result: &'a Result<Response, Error>,
        /// For a read: everything up to here was applied where it was served.
        served_at: Option<LogIndex>,
    },
    /// After the end of all faults: what a member's store holds.
    Final {
        /// Whose.
        member: Member,
        /// Every key.
        content: &'a [KeyValue],
        /// Store revision.
        revision: i64,
    },
}

/// The kind of a [`Fact`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is the fact of the same name")]
pub enum FactKind {
    Opened,
    Died,
    Became,
    Ordered,
    Persisted,
    Sent,
    Received,
    Ticked,
    Observed,
    Applying,
    Applied,
    StateDurable,
    Offered,
    Called,
    Answered,
    Final,
}

impl FactKind {
    /// How many there are.
    pub const COUNT: usize = Self::Final as usize + 1;
}

impl Fact<'_> {
    /// Its kind.
    pub fn kind(&self) -> FactKind {
        match self {
            Self::Opened { .. } => FactKind::Opened,
            Self::Died { .. } => FactKind::Died,
            Self::Became { .. } => FactKind::Became,
            Self::Ordered { .. } => FactKind::Ordered,
            Self::Persisted { .. } => FactKind::Persisted,
            Self::Sent { .. } => FactKind::Sent,
            Self::Received { .. } => FactKind::Received,
            Self::Ticked { .. } => FactKind::Ticked,
            Self::Observed { .. } => FactKind::Observed,
            Self::Applying { .. } => FactKind::Applying,
            Self::Applied { .. } => FactKind::Applied,
            Self::StateDurable { .. } => FactKind::StateDurable,
            Self::Offered { .. } => FactKind::Offered,
            Self::Called { .. } => FactKind::Called,
            Self::Answered { .. } => FactKind::Answered,
            Self::Final { .. } => FactKind::Final,
        }
    }
}

/// One entry and the hash of the whole log up to it; [`Truth::payload`] has what it carries.
#[derive(Clone, Copy, Debug)]
pub struct Link {
    /// Term and index.
    pub id: LogId,
    /// Equal for two logs only if they are equal up to here.
    pub chain: u64,
}

/// A log with a hash over every prefix, from index 1 on: what a member has cut away is kept here,
/// since it was committed, and whoever begins with a snapshot begins with the ledger.
#[derive(Clone, Debug, Default)]
pub struct Chain {
    links: Vec<Link>,
    /// The member itself holds only what lies behind this.
    base: LogIndex,
    /// The memberships in it, ascending; the one that it began with at 0.
    memberships: Vec<(LogIndex, Membership)>,
}

impl Chain {
    /// Index of the last entry.
    pub fn last_index(&self) -> LogIndex {
        LogIndex::new(self.links.len() as u64)
    }

    /// A log that begins with `membership`.
    fn beginning(membership: Membership) -> Self {
        Self { memberships: vec![(LogIndex::ZERO, membership)], ..Self::default() }
    }

    /// The membership in force at `index`, and the index of its entry.
    pub fn membership_at(&self, index: LogIndex) -> (LogIndex, &Membership) {
        let newest = self.memberships.iter().rev().find(|(since, _)| *since <= index);
        let (since, membership) = newest.expect("a log begins with a membership");
        (*since, membership)
    }

    /// The last membership, which is in force, and the index of its entry.
    pub fn in_force(&self) -> (LogIndex, &Membership) {
        let (since, membership) = self.memberships.last().expect("a log begins with a membership");
        (*since, membership)
    }

    /// Whether any membership in it is joint.
    pub fn was_joint(&self) -> bool {
        self.memberships.iter().any(|(_, membership)| membership.is_joint())
    }

    /// Whether the last membership, behind `index`, follows a joint one.
    pub fn leaves_joint(&self, index: LogIndex) -> bool {
        let mut newest = self.memberships.iter().rev();
        let last = newest.next().is_some_and(|(since, it)| *since > index && !it.is_joint());
        last && newest.next().is_some_and(|(_, before)| before.is_joint())
    }

    /// Memberships behind `index`.
    pub fn memberships_behind(&self, index: LogIndex) -> usize {
        self.memberships.iter().rev().take_while(|(since, _)| *since > index).count()
    }

    /// The member holds what lies behind this.
    pub fn base(&self) -> LogIndex {
        self.base
    }

    /// Id of the last entry.
    pub fn last_id(&self) -> LogId {
        self.links.last().map_or(LogId::ZERO, |link| link.id)
    }

    /// The entry at `index`.
    pub fn at(&self, index: LogIndex) -> Option<&Link> {
        self.links.get((index.get() as usize).checked_sub(1)?)
    }

    /// Hash of the log up to `index`; 0 before the first entry.
    pub fn chain_at(&self, index: LogIndex) -> Option<u64> {
        if index == LogIndex::ZERO { Some(0) } else { self.at(index).map(|link| link.chain) }
    }

    /// Cuts everything from `index` on.
    pub fn truncate_from(&mut self, index: LogIndex) {
        self.links.truncate((index.get() as usize).saturating_sub(1));
        while self.memberships.len() > 1 && self.in_force().0 >= index {
            self.memberships.pop();
        }
    }

    /// Appends `entry` wherever the log ends.
    pub fn push(&mut self, entry: &Entry) {
        let chain = chain_of(self.links.last().map_or(0, |link| link.chain), entry);
        if let Payload::Membership(membership) = &entry.payload {
            self.memberships.push((self.last_index().next(), membership.as_ref().clone()));
        }
        self.links.push(Link { id: entry.id, chain });
    }

    /// The beginning of the ledger through `base`, as a snapshot brings it.
    fn snapshot(ledger: &Self, base: LogIndex) -> Self {
        let through = ledger.links.len().min(base.get() as usize);
        let mut memberships = ledger.memberships.clone();
        memberships.retain(|(since, _)| *since <= base);
        Self { links: ledger.links[..through].to_vec(), base, memberships }
    }

    fn rebase(&mut self, rebase: Rebase, ledger: &Self) {
        match rebase {
            Rebase::Snapshot { base, keeps_log: false } => {
                *self = Self::snapshot(ledger, base.index);
            }
            Rebase::Snapshot { base, .. } | Rebase::Cut { base } => self.base = base.index,
        }
    }

    fn carry_out(&mut self, persist: &Persist, ledger: &Self) {
        if let Some(rebase) = persist.rebase {
            self.rebase(rebase, ledger);
        }
        if let Some(from) = persist.truncate_from {
            self.truncate_from(from);
        }
        persist.entries.iter().for_each(|entry| self.push(entry));
    }
}

/// Hash of a log that ends with `entry` and hashes to `before` without it.
pub fn chain_of(before: u64, entry: &Entry) -> u64 {
    let seed = before ^ entry.id.term.get().wrapping_mul(0x9e37_79b9_7f4a_7c15);
    match &entry.payload {
        Payload::Empty => mix_bytes(seed, b"empty"),
        Payload::Data(data) => mix_bytes(seed.wrapping_add(1), data),
        Payload::Membership(membership) => {
            mix_bytes(seed.wrapping_add(2), &raft::wire::encode_membership(membership))
        }
    }
}

/// One member, seen from outside.
#[derive(Clone, Debug)]
pub struct MemberTruth {
    /// Whether its process runs.
    pub up: bool,
    /// Whether the last start found the durable log, perhaps with some later orders.
    pub found_its_log: bool,
    /// Its role.
    pub role: RoleName,
    /// Its term.
    pub term: Term,
    /// Highest index it called committed in this process life.
    pub commit: LogIndex,
    /// The log as its consensus believes it to be.
    pub ordered: Chain,
    /// The log on its platter.
    pub durable: Chain,
    /// Term and vote on its platter.
    pub hard_state: HardState,
    /// Every vote that was ever on its platter.
    pub votes: BTreeMap<Term, MemberId>,
    /// Orders whose sync has not returned.
    pub pending: VecDeque<Persist>,
    /// What was on its platter each time before damage took some of it, until it may vote again:
    /// whoever counted on that counts on its silence now.
    pub promised: Vec<Chain>,
    /// Its state holds everything up to here durably.
    pub state_durable: LogIndex,
}

impl MemberTruth {
    fn new(founding: &Membership) -> Self {
        Self {
            up: false,
            found_its_log: true,
            role: RoleName::Follower,
            term: Term::new(0),
            commit: LogIndex::ZERO,
            ordered: Chain::beginning(founding.clone()),
            durable: Chain::beginning(founding.clone()),
            hard_state: HardState::default(),
            votes: BTreeMap::new(),
            pending: VecDeque::new(),
            promised: Vec::new(),
            state_durable: LogIndex::ZERO,
        }
    }

    /// Whether its platter holds the log with this hash at `index`, or held it before damage that
    /// keeps it from voting.
    pub fn holds(&self, index: LogIndex, chain: Option<u64>) -> bool {
        let promised = |before: &Chain| chain.is_some() && before.chain_at(index) == chain;
        self.durable.chain_at(index) == chain || self.promised.iter().any(promised)
    }

    fn take_hard_state(&mut self, hard_state: HardState) {
        self.hard_state = hard_state;
        if let Some(vote) = hard_state.vote {
            self.votes.entry(hard_state.term).or_insert(vote);
        }
    }

    fn on_persisted(&mut self, ticket: Ticket, ledger: &Chain) {
        while self.pending.front().is_some_and(|order| order.ticket <= ticket) {
            let Some(order) = self.pending.pop_front() else { return };
            self.durable.carry_out(&order, ledger);
            if let Some(hard_state) = order.hard_state {
                self.take_hard_state(hard_state);
            }
        }
    }

    /// The platter may hold more than was synced: as many orders as survived.
    fn on_opened(&mut self, recovered: &Recovered, ledger: &Chain) {
        if recovered.restriction.is_some() {
            let mut left = match recovered.base.index {
                LogIndex::ZERO => self.durable.clone(),
                base => Chain::snapshot(ledger, base),
            };
            left.truncate_from(recovered.base.index.next());
            recovered.tail.iter().for_each(|entry| left.push(entry));
            let before = core::mem::replace(&mut self.durable, left);
            self.promised.push(before);
            self.found_its_log = true;
        } else {
            let survived = self.survived(recovered, ledger);
            self.found_its_log = survived.is_some();
            self.durable = survived.unwrap_or_else(|| self.durable.clone());
            self.promised.clear();
        }
        self.take_hard_state(recovered.hard_state);
        self.pending.clear();
        self.ordered = self.durable.clone();
        (self.up, self.role, self.commit) = (true, RoleName::Follower, LogIndex::ZERO);
        self.term = recovered.hard_state.term;
    }

    /// The durable log with some first ones of the unfinished orders carried out, if one of
    /// these is what was recovered; `None` when the platter holds something else. Of an order too
    /// large for one segment the cut and some first entries may have survived.
    pub fn survived(&self, recovered: &Recovered, ledger: &Chain) -> Option<Chain> {
        let mut log = self.durable.clone();
        let found = |mut log: Chain| {
            log.base = recovered.base.index;
            Some(log)
        };
        if is_recovered(&log, recovered) {
            return found(log);
        }
        for order in &self.pending {
            if let Some(rebase) = order.rebase {
                log.rebase(rebase, ledger);
                if is_recovered(&log, recovered) {
                    return found(log);
                }
            }
            if let Some(from) = order.truncate_from {
                log.truncate_from(from);
            }
            for entry in order.entries.iter() {
                if is_recovered(&log, recovered) {
                    return found(log);
                }
                log.push(entry);
            }
            if is_recovered(&log, recovered) {
                return found(log);
            }
        }
        None
    }
}

fn is_recovered(log: &Chain, recovered: &Recovered) -> bool {
    if log.last_id() != recovered.last {
        return false;
    }
    let first = recovered.tail.first().map_or(recovered.last.index.next(), |e| e.id.index);
    let Some(mut chain) = log.chain_at(first.before()) else { return false };
    for entry in &recovered.tail {
        chain = chain_of(chain, entry);
        if log.chain_at(entry.id.index) != Some(chain) {
            return false;
        }
    }
    true
}

/// Everything that is so.
#[derive(Debug)]
pub struct Truth {
    /// The present.
    pub now: Nanos,
    /// Number of the event that is under way.
    pub event: u64,
    /// Each member.
    pub members: Vec<MemberTruth>,
    /// Every entry that was ever treated as committed, in order.
    pub ledger: Chain,
    /// For each entry of the ledger the term in which it was first treated so.
    pub committed_in: Vec<Term>,
    /// What entries carry that anybody ever wrote, by index and by the hash of the log up to it.
    payloads: Vec<Vec<(u64, Payload)>>,
    /// The reference state after the whole ledger.
    pub model: Model,
}

impl Truth {
    /// `members` members whose folders are empty, and other machines up to `machines`.
    pub fn new(members: usize, machines: usize) -> Self {
        let founding = founding(members);
        let stranger = Membership::default();
        let begins = |member| if member < members { &founding } else { &stranger };
        Self {
            now: 0,
            event: 0,
            members: (0..machines).map(|member| MemberTruth::new(begins(member))).collect(),
            ledger: Chain::beginning(founding.clone()),
            committed_in: Vec::new(),
            payloads: Vec::new(),
            model: Model::default(),
        }
    }

    /// The newest committed membership.
    pub fn membership(&self) -> &Membership {
        self.ledger.in_force().1
    }

    /// What the entry at `index` carries in logs with this hash.
    pub fn payload(&self, index: LogIndex, chain: u64) -> Option<&Payload> {
        let there = self.payloads.get((index.get() as usize).checked_sub(1)?)?;
        there.iter().find(|(known, _)| *known == chain).map(|(_, payload)| payload)
    }

    /// Keeps what the last entries of `log` carry.
    fn learn(payloads: &mut Vec<Vec<(u64, Payload)>>, log: &Chain, entries: &[Entry]) {
        let first = log.links.len().saturating_sub(entries.len());
        payloads.resize_with(payloads.len().max(log.links.len()), Vec::new);
        for ((there, link), entry) in
            payloads[first..].iter_mut().zip(&log.links[first..]).zip(entries)
        {
            if there.iter().all(|(known, _)| *known != link.chain) {
                there.push((link.chain, entry.payload.clone()));
            }
        }
    }

    /// Takes `fact` in. Checkers see the fact afterwards.
    ///
    /// # Errors
    /// A committed entry that cannot be read as a command.
    pub fn see(&mut self, fact: &Fact<'_>) -> Result<(), String> {
        match fact {
            Fact::Opened { member, recovered } => {
                self.members[*member].on_opened(recovered, &self.ledger);
            }
            Fact::Died { member } => self.members[*member].up = false,
            Fact::Became { member, role, term } => {
                let member = &mut self.members[*member];
                (member.role, member.term) = (*role, *term);
            }
            Fact::Ordered { member, persist } => {
                let member = &mut self.members[*member];
                member.ordered.carry_out(persist, &self.ledger);
                Self::learn(&mut self.payloads, &member.ordered, &persist.entries);
                member.pending.push_back((*persist).clone());
            }
            Fact::Persisted { member, ticket } => {
                self.members[*member].on_persisted(*ticket, &self.ledger);
            }
            Fact::StateDurable { member, through } => {
                self.members[*member].state_durable = *through;
            }
            Fact::Observed { member, status } => {
                self.extend_ledger(*member, status.commit, status.term)?;
                let member = &mut self.members[*member];
                member.commit = member.commit.max(status.commit);
                if status.restriction.is_none() {
                    member.promised.clear();
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn extend_ledger(
        &mut self,
        member: Member,
        commit: LogIndex,
        term: Term,
    ) -> Result<(), String> {
        while self.ledger.last_index() < commit {
            let index = self.ledger.last_index().next();
            let Some(link) = self.members[member].ordered.at(index).copied() else {
                return Err(format!("member {} commits {index} beyond its log", member + 1));
            };
            let Some(payload) = self.payload(index, link.chain).cloned() else {
                return Err(format!("member {} commits {index}, which nobody wrote", member + 1));
            };
            self.ledger.links.push(link);
            self.committed_in.push(term);
            if let Payload::Membership(membership) = &payload {
                self.ledger.memberships.push((index, membership.as_ref().clone()));
            }
            self.model.apply(link.id, &payload)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(term: u64, index: u64) -> Entry {
        let id = LogId::new(Term::new(term), LogIndex::new(index));
        Entry { id, payload: Payload::Data(Bytes::from(format!("{term}.{index}"))) }
    }

    fn order(ticket: u64, truncate_from: Option<u64>, entries: Vec<Entry>) -> Persist {
        let truncate_from = truncate_from.map(LogIndex::new);
        let ticket = Ticket::new(ticket);
        let (hard_state, memberships, rebase) = (None, None, None);
        Persist { ticket, hard_state, memberships, rebase, truncate_from, entries: entries.into() }
    }

    fn log_of(entries: &[Entry]) -> Recovered {
        let last = entries.last().map_or(LogId::ZERO, |entry| entry.id);
        Recovered { last, tail: entries.to_vec(), ..Recovered::default() }
    }

    #[test]
    fn logs_with_equal_hashes_are_equal_up_to_there() {
        let begin = || Chain::beginning(founding(1));
        let (mut a, mut b) = (begin(), begin());
        for index in 1..=3 {
            a.push(&entry(1, index));
            b.push(&entry(1 + u64::from(index == 2), index));
        }
        let equal = |index| a.chain_at(LogIndex::new(index)) == b.chain_at(LogIndex::new(index));
        assert_eq!([equal(0), equal(1), equal(2), equal(3)], [true, true, false, false]);
    }

    #[test]
    fn only_a_beginning_of_the_orders_may_survive_a_crash() {
        let mut truth = Truth::new(1, 1);
        let orders = [
            order(1, None, vec![entry(1, 1), entry(1, 2)]),
            order(2, Some(2), vec![entry(2, 2), entry(2, 3)]),
            order(3, None, vec![entry(2, 4)]),
        ];
        for persist in &orders {
            truth.see(&Fact::Ordered { member: 0, persist }).expect("orders are taken");
        }
        truth
            .see(&Fact::Persisted { member: 0, ticket: Ticket::new(1) })
            .expect("completions are taken");
        let survives = |entries: &[Entry]| {
            truth.members[0].survived(&log_of(entries), &truth.ledger).is_some()
        };
        assert!(survives(&[entry(1, 1), entry(1, 2)]));
        assert!(survives(&[entry(1, 1), entry(2, 2), entry(2, 3)]));
        assert!(survives(&[entry(1, 1), entry(2, 2)]));
        assert!(!survives(&[]), "a durable entry is gone");
        assert!(!survives(&[entry(1, 1), entry(1, 2), entry(2, 3)]), "a cut was left out");
        assert!(!survives(&[entry(1, 1), entry(3, 2)]), "nobody wrote that");
    }
}

//! What the world remembers, and the checks that need more than one member.

use super::member::{Check, LogView, Seen, Sets, View, ensure};
use raft::{MemberId, RoleName};

/// What has happened, as far as promises rest on it.
#[derive(Clone, Debug, Hash)]
pub(super) struct Truth {
    founding: Sets,
    /// The committed log, from index 1.
    pub(super) committed: Vec<Seen>,
    /// In which leader's term each was committed.
    committed_in: Vec<u32>,
    /// Who led each term, by term.
    leaders: Vec<(u32, MemberId)>,
    /// Open reads: who asked, which, and how much was committed then.
    reads: Vec<(MemberId, u32, u32)>,
}

impl Truth {
    pub(super) fn new(founding: Sets) -> Self {
        Self {
            founding,
            committed: Vec::new(),
            committed_in: Vec::new(),
            leaders: Vec::new(),
            reads: Vec::new(),
        }
    }

    /// Member `id` is about to be asked for read number `read`.
    pub(super) fn on_read_asked(&mut self, id: MemberId, read: u32) {
        self.reads.push((id, read, self.committed.len() as u32));
    }

    /// The reads of a process end with it.
    pub(super) fn on_crashed(&mut self, id: MemberId) {
        self.reads.retain(|(member, _, _)| *member != id);
    }

    /// R10: a read sees what was committed when it was asked for.
    pub(super) fn on_read_served(&mut self, id: MemberId, read: u32, index: u32) -> Check {
        let open = self.reads.iter().position(|(member, known, _)| (*member, *known) == (id, read));
        let Some(at) = open else {
            return Err(format!("R10: read {read} of member {id} is answered twice"));
        };
        let (_, _, floor) = self.reads.remove(at);
        ensure!(
            index >= floor,
            "R10: member {id} serves read {read} at {index}, {floor} was committed before it"
        );
        Ok(())
    }

    /// Whether a member that was `before` and is `now` brings news: a leadership, or something
    /// committed, perhaps by a leader that left its place with it.
    pub(super) fn is_news(&self, before: &View, now: &View) -> bool {
        let commits = now.commit > self.committed.len();
        let led = before.role == RoleName::Leader && before.term == now.term;
        let is_new = || self.leaders.iter().all(|(term, _)| *term != now.term);
        (now.role == RoleName::Leader && (commits || is_new())) || (led && commits)
    }

    /// Takes in what member `id` brings, which was `before` and is now as in `members`.
    pub(super) fn learn(
        &mut self,
        id: MemberId,
        before: &View,
        now: &View,
        members: &[(MemberId, &View)],
    ) -> Check {
        self.on_leader(id, now, before)?;
        if now.commit > self.committed.len() {
            self.on_leader_commit(id, now, before, members)?;
        }
        Ok(())
    }

    /// Checks what needs no memory but this one.
    pub(super) fn check(
        &self,
        id: MemberId,
        before: &View,
        now: &View,
        members: &[(MemberId, &View)],
    ) -> Check {
        if now.role == RoleName::Leader {
            self.check_leader(id, now)?;
        }
        self.check_commit(id, now)?;
        if before.log != now.log || before.disk != now.disk {
            for (other, view) in members.iter().filter(|(other, _)| *other != id) {
                check_match(id, now, *other, view)?;
            }
            self.check_durable(members)?;
        }
        check_progress(id, members)
    }

    /// R1: a term has one leader.
    fn check_leader(&self, id: MemberId, now: &View) -> Check {
        let known = self.leaders.iter().find(|(term, _)| *term == now.term);
        let other = known.filter(|(_, leader)| *leader != id);
        ensure!(other.is_none(), "R1: members {other:?} and {id} both lead term {}", now.term);
        Ok(())
    }

    /// R4: the log of a new leader holds all that leaders of earlier terms committed. (Who wins an
    /// old term late is only not told yet.)
    fn on_leader(&mut self, id: MemberId, now: &View, before: &View) -> Check {
        if self.leaders.iter().all(|(term, _)| *term != now.term) {
            self.leaders.push((now.term, id));
            self.leaders.sort_unstable();
        }
        if before.role != RoleName::Leader {
            let earlier = self.committed_in.iter().take_while(|term| **term < now.term).count();
            for index in now.log.base.1 + 1..=earlier {
                let held = now.log.get(index) == self.committed.get(index - 1);
                ensure!(held, "R4: leader {id} of term {} lacks entry {index}", now.term);
            }
        }
        Ok(())
    }

    /// R6: what a leader calls committed is durable on a majority of each set that votes by its
    /// log, and the newest of it is of its own term.
    fn on_leader_commit(
        &mut self,
        id: MemberId,
        now: &View,
        before: &View,
        members: &[(MemberId, &View)],
    ) -> Check {
        for index in self.committed.len() + 1..=now.commit {
            let Some(entry) = now.log.get(index) else { continue };
            ensure!(
                self.is_committable(index, entry, before, now, members),
                "R6: leader {id} commits entry {index} of term {}, not durable on a majority",
                entry.term
            );
        }
        let of_own_term = now.log.get(now.commit).is_some_and(|entry| entry.term == now.term);
        ensure!(of_own_term, "R5: leader {id} commits an older entry by counting");
        for index in self.committed.len() + 1..=now.commit {
            self.committed.extend(now.log.get(index));
            self.committed_in.push(now.term);
        }
        Ok(())
    }

    /// Whether `entry` lies on a majority by the newest membership of the log before, or by one
    /// that was appended since; but what follows a joint one does so only after its commit.
    fn is_committable(
        &self,
        index: usize,
        entry: &Seen,
        before: &View,
        now: &View,
        members: &[(MemberId, &View)],
    ) -> bool {
        let at_base = (0, self.sets_at(now.log.base.1));
        let log = &before.log;
        let (since, sets) = newest(log, log.last_index()).unwrap_or(at_base);
        let mut may_be = vec![(since, sets)];
        may_be.extend((log.last_index() + 1..=now.log.last_index()).filter_map(|at| {
            now.log.get(at).and_then(|entry| entry.membership).map(|sets| (at, sets))
        }));
        for (since, sets) in may_be {
            if is_held(sets, index, entry, members) {
                return true;
            }
            if sets.outgoing != 0 && since >= index {
                return false;
            }
        }
        false
    }

    fn sets_at(&self, index: usize) -> Sets {
        let through = &self.committed[..index.min(self.committed.len())];
        through.iter().rev().find_map(|entry| entry.membership).unwrap_or(self.founding)
    }

    /// R5: all members commit the same. R12: what a log begins behind is committed.
    fn check_commit(&self, id: MemberId, now: &View) -> Check {
        let is_known = now.commit <= self.committed.len();
        ensure!(is_known, "R5: member {id} commits {}, which no leader did", now.commit);
        ensure!(now.applied <= now.commit, "R6: member {id} applies {} too early", now.applied);
        for index in now.log.base.1 + 1..=now.commit {
            let same = now.log.get(index) == self.committed.get(index - 1);
            ensure!(same, "R5: member {id} commits another entry {index}");
        }
        let (term, base) = now.log.base;
        let known = base.checked_sub(1).map(|at| self.committed.get(at).map(|entry| entry.term));
        let fits = known.is_none_or(|known| known == Some(term));
        ensure!(fits, "R12: the log of member {id} begins behind {term}.{base}, not committed");
        Ok(())
    }

    /// R12: a snapshot carries the membership of its place.
    pub(super) fn check_snapshot(&self, from: MemberId, snapshot: &raft::Snapshot) -> Check {
        let index = snapshot.last.index.get() as usize;
        let truth = self.sets_at(index);
        let fits = index <= self.committed.len() && Sets::of(&snapshot.membership) == truth;
        ensure!(fits, "R12: member {from} makes a wrong snapshot of {}", snapshot.last);
        Ok(())
    }

    /// R6: what is committed stays durable on a majority of those who vote by it.
    fn check_durable(&self, members: &[(MemberId, &View)]) -> Check {
        let Some(last) = self.committed.last() else { return Ok(()) };
        let index = self.committed.len();
        let sets = Sets { outgoing: 0, ..self.sets_at(index) };
        let held = is_held(sets, index, last, members);
        ensure!(held, "R6: entry {index} is committed, no majority holds it any more");
        Ok(())
    }
}

/// The newest membership in `log` through `index`, and where it is.
fn newest(log: &LogView, index: usize) -> Option<(usize, Sets)> {
    let upto = index.saturating_sub(log.base.1).min(log.entries.len());
    let found = |at: usize| log.entries[at].membership.map(|sets| (log.base.1 + at + 1, sets));
    (0..upto).rev().find_map(found)
}

/// Whether a majority of each set holds `entry` on disk, be it below a base.
fn is_held(sets: Sets, index: usize, entry: &Seen, members: &[(MemberId, &View)]) -> bool {
    let holds = |view: &View| view.disk.base.1 >= index || view.disk.get(index) == Some(entry);
    let holders = members.iter().filter(|(_, view)| holds(view));
    let bits = holders.fold(0u32, |bits, (id, _)| bits | 1 << id.get());
    let majority = |set: u32| set == 0 || (bits & set).count_ones() * 2 > set.count_ones();
    majority(sets.incoming) && majority(sets.outgoing)
}

/// R3: where two logs hold an entry of the same index and term, they are equal up to it.
fn check_match(id: MemberId, now: &View, other: MemberId, view: &View) -> Check {
    for (mine, theirs) in [(&now.log, &view.log), (&now.log, &view.disk), (&now.disk, &view.log)] {
        check_logs(mine, theirs).map_err(|index| {
            format!("R3: members {id} and {other} hold the same id at {index} after different logs")
        })?;
    }
    Ok(())
}

fn check_logs(mine: &LogView, theirs: &LogView) -> Result<(), usize> {
    let first = mine.base.1.max(theirs.base.1) + 1;
    let last = mine.last_index().min(theirs.last_index());
    let mut differs = false;
    for index in first..=last {
        let (Some(a), Some(b)) = (mine.get(index), theirs.get(index)) else { continue };
        if a.term == b.term && (differs || a != b) {
            return Err(index);
        }
        differs |= a != b;
    }
    Ok(())
}

/// R15: what a leader takes a follower to hold is on that follower's disk. Who is in a newer term
/// may have cut what a leader that is past knows of it.
fn check_progress(id: MemberId, members: &[(MemberId, &View)]) -> Check {
    for (leader, lead) in members.iter().filter(|(_, view)| view.role == RoleName::Leader) {
        for (peer, matched) in &lead.matched {
            if *leader != id && *peer != id {
                continue;
            }
            let follower = members.iter().find(|(member, _)| member == peer);
            let Some((_, follower)) = follower.filter(|(_, peer)| peer.disk_term <= lead.term)
            else {
                continue;
            };
            let from = lead.log.base.1.max(follower.disk.base.1) + 1;
            let is_held = follower.disk.last_index() >= *matched
                && (from..=*matched).all(|at| follower.disk.get(at) == lead.log.get(at));
            ensure!(
                is_held,
                "R15: leader {leader} of term {} takes member {peer} to be at {matched}",
                lead.term
            );
        }
    }
    Ok(())
}

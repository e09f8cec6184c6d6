//! Wishes on their way: taken anywhere, carried to the leader, answered where they came from.

use crate::interface::Effect;
use crate::peer::PeerMessage;
use crate::replica::Replica;
use crate::wish::{Wish, WishError, WishResult};
use raft::{ChangeRefused, Input, LogIndex, MemberId, TransferFailed};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// Most wishes under way at one member.
const WISHES_MAX: usize = 64;

/// Who waits for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wisher {
    /// A caller at this member, by its token.
    Local(u64),
    /// A caller at another member.
    Peer { member: MemberId, incarnation: u64, number: u64 },
}

/// What a wish that was taken waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Until {
    /// The leader's answer to its number.
    Answered,
    /// A membership at or behind this index is committed and not joint.
    Settled { index: LogIndex },
    /// Another member leads.
    Transferred,
}

#[derive(Clone, Copy, Debug)]
struct Waiting {
    wisher: Wisher,
    until: Until,
    deadline: u64,
}

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Wishes {
    waiting: BTreeMap<u64, Waiting>,
    newest: u64,
}

impl Replica {
    /// A caller here wishes for something.
    pub(crate) fn on_wished(&mut self, call: u64, wish: Wish, effects: &mut Vec<Effect>) {
        let wisher = Wisher::Local(call);
        match self.leader {
            _ if self.wishes.waiting.len() >= WISHES_MAX => {
                let reason = "too many wishes are under way".to_owned();
                self.answer(wisher, Err(WishError::Refused(reason)), effects);
            }
            None => self.answer(wisher, Err(WishError::NoLeader), effects),
            Some(leader) if leader == self.member => self.fulfil(wisher, wish, effects),
            Some(leader) => {
                let number = self.wait(wisher, Until::Answered);
                let incarnation = self.incarnation;
                let message = PeerMessage::Wished { incarnation, number, wish };
                effects.push(Effect::Send { to: leader, message });
            }
        }
    }

    /// A caller at another member wishes for something.
    pub(crate) fn on_peer_wished(
        &mut self,
        member: MemberId,
        (incarnation, number): (u64, u64),
        wish: Wish,
        effects: &mut Vec<Effect>,
    ) {
        let wisher = Wisher::Peer { member, incarnation, number };
        let is_known = self.wishes.waiting.values().any(|waiting| waiting.wisher == wisher);
        if is_known {
            return;
        }
        if !self.is_leader() || self.wishes.waiting.len() >= WISHES_MAX {
            return self.answer(wisher, Err(WishError::NoLeader), effects);
        }
        self.fulfil(wisher, wish, effects);
    }

    pub(crate) fn on_wish_answered(
        &mut self,
        number: u64,
        result: WishResult,
        effects: &mut Vec<Effect>,
    ) {
        if let Entry::Occupied(waiting) = self.wishes.waiting.entry(number)
            && waiting.get().until == Until::Answered
        {
            let wisher = waiting.remove().wisher;
            self.answer(wisher, result, effects);
        }
    }

    fn fulfil(&mut self, wisher: Wisher, wish: Wish, effects: &mut Vec<Effect>) {
        match wish {
            Wish::Change(steps) => {
                let until = Until::Settled { index: LogIndex::new(u64::MAX) };
                self.current_wish = Some(self.wait(wisher, until));
                self.drive(Input::ChangeRequested { steps }, effects);
            }
            Wish::Transfer { to } => {
                self.current_wish = Some(self.wait(wisher, Until::Transferred));
                self.drive(Input::TransferRequested { to }, effects);
            }
        }
        self.current_wish = None;
    }

    /// The change that is being asked for is in the log at `index`.
    pub(crate) fn on_change_appended(&mut self, index: LogIndex) {
        let Some(number) = self.current_wish else { return };
        if let Some(waiting) = self.wishes.waiting.get_mut(&number) {
            waiting.until = Until::Settled { index };
        }
    }

    pub(crate) fn on_change_refused(&mut self, reason: ChangeRefused, effects: &mut Vec<Effect>) {
        let error = match reason {
            ChangeRefused::NotLeader { .. } => WishError::NoLeader,
            ChangeRefused::NotReady => {
                WishError::Refused("the leader is new and not ready yet; try again".to_owned())
            }
            ChangeRefused::Transferring { to } => {
                WishError::Refused(format!("leadership is passing to member {to}; try again"))
            }
            ChangeRefused::Error(error) => WishError::Refused(error.to_string()),
        };
        let number = self.current_wish;
        if let Some(waiting) = number.and_then(|number| self.wishes.waiting.remove(&number)) {
            self.answer(waiting.wisher, Err(error), effects);
        }
    }

    pub(crate) fn on_transfer_failed(&mut self, reason: TransferFailed, effects: &mut Vec<Effect>) {
        let text = match reason {
            TransferFailed::NotLeader { .. } => "this member does not lead any more".to_owned(),
            TransferFailed::InProgress { to } => {
                format!("leadership is already passing to member {to}")
            }
            TransferFailed::LeadsAlready => "that member leads already".to_owned(),
            TransferFailed::NotAVoter => "there is no such other voter".to_owned(),
            TransferFailed::TimedOut { to } => {
                format!("member {to} did not take over in time; nothing has changed")
            }
        };
        let (current, error) = (self.current_wish, WishError::Refused(text));
        match current.and_then(|number| self.wishes.waiting.remove(&number)) {
            Some(waiting) => self.answer(waiting.wisher, Err(error), effects),
            // One that was under way has failed.
            None => self.finish(effects, |waiting| {
                (waiting.until == Until::Transferred).then(|| Err(error.clone()))
            }),
        }
    }

    /// Role or leader changed: a transfer has happened, or a change is now another's.
    pub(crate) fn wishes_after_role_change(&mut self, effects: &mut Vec<Effect>) {
        let (leader, member) = (self.leader, self.member);
        let membership = self.raft.membership().clone();
        let is_other = leader.is_some_and(|leader| leader != member);
        let is_leader = self.is_leader();
        self.finish(effects, |waiting| match waiting.until {
            Until::Transferred if is_other => Some(Ok(membership.clone())),
            Until::Settled { .. } if !is_leader => Some(Err(WishError::Unknown)),
            _ => None,
        });
    }

    /// Answers whoever waits for a membership that is there now.
    pub(crate) fn wishes_after_commit(&mut self, effects: &mut Vec<Effect>) {
        if self.wishes.waiting.is_empty() {
            return;
        }
        let membership = self.raft.membership().clone();
        let (since, commit) = (self.raft.membership_index(), self.raft.commit());
        if membership.is_joint() || since > commit {
            return;
        }
        self.finish(effects, |waiting| match waiting.until {
            Until::Settled { index } if index <= since => Some(Ok(membership.clone())),
            _ => None,
        });
    }

    pub(crate) fn tick_wishes(&mut self, effects: &mut Vec<Effect>) {
        let tick = self.tick;
        self.finish(effects, |waiting| {
            (waiting.deadline <= tick).then_some(Err(WishError::Unknown))
        });
    }

    /// Gives the wish its number.
    fn wait(&mut self, wisher: Wisher, until: Until) -> u64 {
        self.wishes.newest += 1;
        let number = self.wishes.newest;
        let deadline = self.tick + self.timing.ticks(self.timing.call_ms);
        self.wishes.waiting.insert(number, Waiting { wisher, until, deadline });
        number
    }

    /// Answers and forgets those for which `outcome` has one.
    fn finish(
        &mut self,
        effects: &mut Vec<Effect>,
        outcome: impl Fn(&Waiting) -> Option<WishResult>,
    ) {
        let mut done = Vec::new();
        self.wishes.waiting.retain(|_, waiting| match outcome(waiting) {
            Some(result) => {
                done.push((waiting.wisher, result));
                false
            }
            None => true,
        });
        for (wisher, result) in done {
            self.answer(wisher, result, effects);
        }
    }

    fn answer(&self, wisher: Wisher, result: WishResult, effects: &mut Vec<Effect>) {
        effects.push(match wisher {
            Wisher::Local(call) => Effect::WishAnswered { call, result },
            Wisher::Peer { member, incarnation, number } => {
                let message = PeerMessage::WishAnswered { incarnation, number, result };
                Effect::Send { to: member, message }
            }
        });
    }
}

//! Calls and answers on their way between callers and members.

use kv::api::Error;

use super::{Answer, Event, World};
use crate::callers::{Call, Session};
use crate::check::{Mark, Violation};
use crate::host::Waiting;
use crate::time::{MILLI, Nanos};
use crate::truth::{Fact, Member, Operation};

/// Longest way of a call or an answer.
const WAY_MAX_NS: Nanos = MILLI;

/// Members that callers do not reach, or that do not reach callers.
#[derive(Clone, Debug)]
pub(crate) struct CallerCut {
    pub(crate) members: Vec<Member>,
    pub(crate) asks: bool,
    pub(crate) answers: bool,
}

impl World {
    pub(super) fn on_thought(&mut self, session: Session) -> Result<(), Violation> {
        if self.is_loadless() {
            return Ok(());
        }
        self.callers.plan_next(session, self.queue.now(), 2 * self.swarm.think_ns);
        let script = &self.options.script;
        let is_silent =
            |operation| script.as_ref().is_some_and(|script| script.is_silent(operation));
        let Some(call) = self.callers.begin(session, is_silent) else {
            self.think(session);
            return Ok(());
        };
        self.called.push(call.operation);
        self.tell(&Fact::Called { operation: call.operation, request: &call.request })?;
        let way = self.callers.below(session, WAY_MAX_NS);
        let operation = call.operation;
        self.queue.after(self.swarm.patience_ns, Event::GaveUp { session, operation });
        self.queue.after(way, Event::Asked { session, call: Box::new(call) });
        Ok(())
    }

    /// A call reaches its member, or nobody.
    pub(super) fn on_asked(&mut self, session: Session, call: Call) -> Result<(), Violation> {
        let Call { operation, request, member } = call;
        if self.is_caller_cut(member, |cut| cut.asks) {
            return Ok(());
        }
        let Some(process) = &mut self.hosts[member].process else {
            let answer = Answer { result: Err(Error::Unreachable), served_at: None };
            self.answer(member, Waiting { session, operation }, answer);
            return Ok(());
        };
        // The operation's number is unique among calls under way, as the replica demands.
        process.calls.insert(operation.get(), Waiting { session, operation });
        self.step(member, replica::Event::Called { call: operation.get(), request })
    }

    /// Sends an answer of `member` on its way.
    pub(super) fn answer(&mut self, member: Member, waiting: Waiting, answer: Answer) {
        if self.is_caller_cut(member, |cut| cut.answers) {
            return;
        }
        let Waiting { session, operation } = waiting;
        let way = self.callers.below(session, WAY_MAX_NS);
        self.queue.after(way, Event::Answered { session, operation, answer: Box::new(answer) });
    }

    /// Whether a fault keeps a call or an answer from passing; notes its effect.
    pub(super) fn is_caller_cut(
        &mut self,
        member: Member,
        stops: impl Fn(&CallerCut) -> bool,
    ) -> bool {
        let hits = |cut: &CallerCut| stops(cut) && cut.members.contains(&member);
        let found = self.caller_cuts.iter().find(|(_, cut)| hits(cut)).map(|(fault, _)| *fault);
        if let Some(fault) = found {
            self.marks.hit(Mark::CallerCutOff);
            self.effect(fault, self.phases(member));
        }
        found.is_some()
    }

    pub(super) fn on_answered(
        &mut self,
        session: Session,
        operation: Operation,
        answer: &Answer,
    ) -> Result<(), Violation> {
        let Some(call) = self.callers.end(session, operation, &answer.result) else {
            self.marks.hit(Mark::AnswerTooLate);
            return Ok(());
        };
        self.think(session);
        let Answer { result, served_at } = answer;
        let (request, served_at) = (&call.request, *served_at);
        self.tell(&Fact::Answered { operation, request, result, served_at })
    }

    pub(super) fn on_gave_up(&mut self, session: Session, operation: Operation) {
        if self.callers.abandon(session, operation) {
            self.marks.hit(Mark::CallGivenUp);
            self.think(session);
        }
    }

    fn think(&mut self, session: Session) {
        self.queue.at(self.callers.next_ns(session), Event::Thought { session });
    }
}

//! Calls and answers on their way between callers and members.

use kv::api::Error;

use super::{Answer, Event, World};
use crate::callers::{Call, Session};
use crate::check::Violation;
use crate::host::Waiting;
use crate::time::{MILLI, Nanos};
use crate::truth::{Fact, Operation};

/// Longest way of a call or an answer.
const WAY_MAX_NS: Nanos = MILLI;

impl World {
    pub(super) fn on_thought(&mut self, session: Session) -> Result<(), Violation> {
        if self.calm {
            return Ok(());
        }
        let call = self.callers.begin(session);
        self.tell(&Fact::Called { operation: call.operation, request: &call.request })?;
        let way = self.random.below(WAY_MAX_NS);
        let operation = call.operation;
        self.queue.after(self.swarm.patience_ns, Event::GaveUp { session, operation });
        self.queue.after(way, Event::Asked { session, call });
        Ok(())
    }

    /// A call reaches its member, or nobody.
    pub(super) fn on_asked(&mut self, session: Session, call: Call) -> Result<(), Violation> {
        let Call { operation, request, member } = call;
        let Some(process) = &mut self.hosts[member].process else {
            let answer = Answer { result: Err(Error::Unreachable), served_at: None };
            self.answer(session, operation, answer);
            return Ok(());
        };
        // The operation's number is unique among calls under way, as the replica demands.
        process.calls.insert(operation.get(), Waiting { session, operation });
        self.step(member, replica::Event::Called { call: operation.get(), request })
    }

    /// Sends an answer on its way.
    pub(super) fn answer(&mut self, session: Session, operation: Operation, answer: Answer) {
        let way = self.random.below(WAY_MAX_NS);
        self.queue.after(way, Event::Answered { session, operation, answer });
    }

    pub(super) fn on_answered(
        &mut self,
        session: Session,
        operation: Operation,
        answer: &Answer,
    ) -> Result<(), Violation> {
        let Some(call) = self.callers.end(session, operation, &answer.result) else {
            return Ok(());
        };
        self.think(session);
        let Answer { result, served_at } = answer;
        let (request, served_at) = (&call.request, *served_at);
        self.tell(&Fact::Answered { operation, request, result, served_at })
    }

    pub(super) fn on_gave_up(&mut self, session: Session, operation: Operation) {
        if self.callers.abandon(session, operation) {
            self.think(session);
        }
    }

    fn think(&mut self, session: Session) {
        let pause = self.random.below(2 * self.swarm.think_ns);
        self.queue.after(pause, Event::Thought { session });
    }
}

//! A client's side of a call: which node to ask, when to ask another, when to stop.
//!
//! # The idea
//! A call goes to one node. If that fails, the next node may be asked, but only when that cannot
//! make a write happen twice: a read, and a write that *surely* did not happen (it was never sent,
//! or the node refused it with an outcome of "not applied"). In every other case the caller is
//! told plainly that the outcome is unknown, and decides itself.
//!
//! ```text
//! put a=1 ─► node 0: refused, no leader      surely not applied
//!         ─► node 1: connection refused      surely not sent
//!         ─► node 2: connection lost         perhaps applied ─► OutcomeUnknown
//! ```
//!
//! Connections are the shell's: it makes one when an attempt needs it, and reports
//! [`Failure::NotSent`] when it cannot. Time is counted in ticks of the shell's choice.
//!
//! # Invariants
//! * each call is answered exactly once, at its deadline at the latest;
//! * no attempt of a write starts while another one of it is open, or after one that may have
//!   been applied;
//! * an error whose outcome is "not applied" means just that.
//!
//! Left out: watches, which go on at the next revision and need no such care.

use std::collections::BTreeMap;

use base::Machine;

use crate::api::{Error, Outcome, Request, Response};

base::typed_u64! {
    /// A call, numbered by the shell; never used twice.
    pub struct CallId;
    /// One attempt of a call at one node, numbered by the caller.
    pub struct AttemptId;
}

/// Limits of a [`Caller`], in ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Patience {
    /// From a call to its answer.
    pub call_ticks: u64,
    /// For one attempt of a call that may be repeated, so that a node which hangs does not use up
    /// the time of the others.
    pub attempt_ticks: u64,
    /// Pause after the first round over all nodes; doubles with each further round.
    pub pause_ticks_min: u64,
    /// Longest pause.
    pub pause_ticks_max: u64,
    /// Most calls at a time; one more is refused with [`Error::TooManyRequests`].
    pub calls_max: usize,
}

/// Why an attempt brought no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The node refused, in the store's words.
    Refused(Error),
    /// The request never left.
    NotSent,
    /// The request may have been sent, and nothing came back.
    Lost,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Somebody wants an answer.
    Called {
        /// Whose answer it will be.
        call: CallId,
        /// The request.
        request: Request,
    },
    /// An attempt ended. Late reports of given-up attempts are ignored.
    Ended {
        /// Which one.
        attempt: AttemptId,
        /// How.
        result: Result<Response, Failure>,
    },
    /// A tick went by.
    Ticked,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Send the request to a node and report how it ended.
    Send {
        /// Name of the attempt.
        attempt: AttemptId,
        /// Place of the node in the shell's list.
        node: usize,
        /// What to send.
        request: Request,
    },
    /// Nobody waits for this attempt any more.
    GiveUp {
        /// Which one.
        attempt: AttemptId,
    },
    /// The call is over.
    Answer {
        /// Whose answer it is.
        call: CallId,
        /// The answer.
        result: Result<Response, Error>,
    },
}

/// See the module.
#[derive(Debug)]
pub struct Caller {
    patience: Patience,
    nodes: usize,
    /// The node to ask next; moves on when it fails.
    preferred: usize,
    tick: u64,
    newest: AttemptId,
    calls: BTreeMap<CallId, Call>,
    attempts: BTreeMap<AttemptId, CallId>,
}

#[derive(Debug)]
struct Call {
    request: Request,
    deadline: u64,
    state: State,
    /// Failures so far; a multiple of the number of nodes ends a round.
    failures: usize,
    pause_ticks: u64,
    /// The newest refusal that surely means "not applied", for who runs out of time.
    refused: Option<Error>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// An attempt at `node` is open since `since`.
    Open { attempt: AttemptId, node: usize, since: u64 },
    /// The next attempt starts at this tick.
    Pausing { until: u64 },
}

/// What a failed attempt leads to.
enum Next {
    Retry,
    Give(Error),
}

impl Caller {
    /// A caller of `nodes` nodes that asks the one at `first` first.
    ///
    /// # Panics
    /// When there is no node: whoever reads the addresses refuses an empty list.
    pub fn new(nodes: usize, first: usize, patience: Patience) -> Self {
        assert!(nodes > 0, "a caller needs a node");
        Self {
            patience,
            nodes,
            preferred: first % nodes,
            tick: 0,
            newest: AttemptId::default(),
            calls: BTreeMap::new(),
            attempts: BTreeMap::new(),
        }
    }

    /// How many calls wait for their answer.
    pub fn waiting(&self) -> usize {
        self.calls.len()
    }

    fn on_called(&mut self, call: CallId, request: Request, effects: &mut Vec<Effect>) {
        if self.calls.len() >= self.patience.calls_max {
            return effects.push(Effect::Answer { call, result: Err(Error::TooManyRequests) });
        }
        let entry = Call {
            request,
            deadline: self.tick + self.patience.call_ticks,
            state: State::Pausing { until: self.tick },
            failures: 0,
            pause_ticks: self.patience.pause_ticks_min,
            refused: None,
        };
        let is_new = self.calls.insert(call, entry).is_none();
        assert!(is_new, "call {call} was made twice");
        self.start_attempt(call, effects);
    }

    fn start_attempt(&mut self, id: CallId, effects: &mut Vec<Effect>) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        self.newest = self.newest.next();
        let (attempt, node) = (self.newest, self.preferred);
        call.state = State::Open { attempt, node, since: self.tick };
        self.attempts.insert(attempt, id);
        effects.push(Effect::Send { attempt, node, request: call.request.clone() });
    }

    fn on_ended(
        &mut self,
        attempt: AttemptId,
        result: Result<Response, Failure>,
        effects: &mut Vec<Effect>,
    ) {
        let Some(id) = self.attempts.remove(&attempt) else { return };
        match result {
            Ok(response) => self.answer(id, Ok(response), effects),
            Err(failure) => self.on_failed(id, failure, effects),
        }
    }

    fn on_failed(&mut self, id: CallId, failure: Failure, effects: &mut Vec<Effect>) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        if let Failure::Refused(error) = failure
            && error.outcome() == Outcome::NotApplied
        {
            call.refused = Some(error);
        }
        match next(failure, is_repeatable(&call.request)) {
            Next::Give(error) => {
                if failure == Failure::Lost {
                    self.pass_over(id);
                }
                self.answer(id, Err(error), effects);
            }
            Next::Retry => {
                self.pass_over(id);
                self.retry(id, effects);
            }
        }
    }

    /// Moves on from the node of the call's attempt, unless another call did so already.
    fn pass_over(&mut self, id: CallId) {
        if let Some(Call { state: State::Open { node, .. }, .. }) = self.calls.get(&id)
            && *node == self.preferred
        {
            self.preferred = (self.preferred + 1) % self.nodes;
        }
    }

    /// The next attempt: at once, or after a pause when all nodes had their turn.
    fn retry(&mut self, id: CallId, effects: &mut Vec<Effect>) {
        let Some(call) = self.calls.get_mut(&id) else { return };
        call.failures += 1;
        if call.failures.is_multiple_of(self.nodes) {
            call.state = State::Pausing { until: self.tick + call.pause_ticks };
            call.pause_ticks = (2 * call.pause_ticks).min(self.patience.pause_ticks_max);
        } else {
            self.start_attempt(id, effects);
        }
    }

    fn on_ticked(&mut self, effects: &mut Vec<Effect>) {
        self.tick += 1;
        let calls: Vec<CallId> = self.calls.keys().copied().collect();
        for id in calls {
            let Some(call) = self.calls.get(&id) else { continue };
            let is_late = self.tick >= call.deadline;
            match call.state {
                State::Open { attempt, .. } if is_late => {
                    let error = match is_repeatable(&call.request) {
                        true => call.refused.unwrap_or(Error::Timeout),
                        false => Error::OutcomeUnknown,
                    };
                    self.give_up(attempt, effects);
                    self.answer(id, Err(error), effects);
                }
                State::Pausing { .. } if is_late => {
                    let error = call.refused.unwrap_or(Error::Unreachable);
                    self.answer(id, Err(error), effects);
                }
                State::Open { attempt, since, .. }
                    if is_repeatable(&call.request)
                        && self.tick >= since + self.patience.attempt_ticks =>
                {
                    self.give_up(attempt, effects);
                    self.on_failed(id, Failure::Lost, effects);
                }
                State::Pausing { until } if self.tick >= until => self.start_attempt(id, effects),
                State::Open { .. } | State::Pausing { .. } => {}
            }
        }
    }

    fn give_up(&mut self, attempt: AttemptId, effects: &mut Vec<Effect>) {
        self.attempts.remove(&attempt);
        effects.push(Effect::GiveUp { attempt });
    }

    fn answer(&mut self, call: CallId, result: Result<Response, Error>, effects: &mut Vec<Effect>) {
        self.calls.remove(&call);
        effects.push(Effect::Answer { call, result });
    }
}

/// What to do after a failure of a request that is `repeatable` or not.
fn next(failure: Failure, repeatable: bool) -> Next {
    match failure {
        Failure::NotSent => Next::Retry,
        Failure::Lost if repeatable => Next::Retry,
        Failure::Lost => Next::Give(Error::OutcomeUnknown),
        Failure::Refused(error) if !is_passing(error) => Next::Give(error),
        Failure::Refused(error) if repeatable || error.outcome() == Outcome::NotApplied => {
            Next::Retry
        }
        Failure::Refused(error) => Next::Give(error),
    }
}

/// Whether the request may be sent twice: it changes nothing, or twice is the same as once.
pub fn is_repeatable(request: &Request) -> bool {
    !request.is_write() || matches!(request, Request::LeaseKeepAlive { .. })
}

/// Whether another node, or the same a little later, may answer the same request better.
pub fn is_passing(error: Error) -> bool {
    matches!(
        error,
        Error::TooManyRequests
            | Error::NoLeader
            | Error::LeaderChanged
            | Error::Stopped
            | Error::Timeout
            | Error::TimeoutLeaderFailure
            | Error::TimeoutConnectionLost
            | Error::Unreachable
            | Error::OutcomeUnknown
    )
}

impl Machine for Caller {
    type Event = Event;
    type Effect = Effect;

    fn step(&mut self, event: Event) -> Vec<Effect> {
        let mut effects = Vec::new();
        match event {
            Event::Called { call, request } => self.on_called(call, request, &mut effects),
            Event::Ended { attempt, result } => self.on_ended(attempt, result, &mut effects),
            Event::Ticked => self.on_ticked(&mut effects),
        }
        effects
    }
}

#[cfg(test)]
mod tests;

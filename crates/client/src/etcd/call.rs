//! One call over several nodes: runs the caller machine with real connections and a real clock.
//!
//! Each call has a machine of its own, so that nothing runs when nobody waits. What the calls
//! share is the node in use.

use std::pin::Pin;
use std::time::Duration;

use base::Machine;
use kv::api::{Error, Request, Response};
use kv::caller::{self, AttemptId, CallId, Caller, Effect, Event, Failure};
use tokio::time::{Instant, MissedTickBehavior, interval_at};
use tonic::Status;

use super::endpoints::Endpoints;
use super::{Patience, attempt, failure};

/// The machine's tick.
const TICK: Duration = Duration::from_millis(10);
/// Pause after the first round over all nodes, and the longest one, in ticks.
const PAUSE_TICKS_MIN: u64 = 2;
const PAUSE_TICKS_MAX: u64 = 50;

/// Sends `request` until a node answers, the request is refused for good, or time is up.
pub(super) async fn call(
    endpoints: &Endpoints,
    patience: Patience,
    request: Request,
) -> Result<Response, Error> {
    let caller = Caller::new(endpoints.len(), endpoints.position(), limits(patience));
    let mut run = Run { endpoints, caller, attempt: None, node: endpoints.position() };
    let mut ticks = interval_at(Instant::now() + TICK, TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut event = Event::Called { call: CallId::new(1), request };
    loop {
        if let Some(answer) = run.step(event) {
            return answer;
        }
        event = tokio::select! {
            _ = ticks.tick() => Event::Ticked,
            (attempt, result) = run.ended() => match result {
                Ok(response) => Event::Ended { attempt, result: Ok(response) },
                Err(status) => {
                    let failure = failure::read(&status)?;
                    Event::Ended { attempt, result: Err(failure) }
                }
            },
        };
    }
}

fn limits(patience: Patience) -> caller::Patience {
    let ticks = |time: Duration| time.as_millis().div_ceil(TICK.as_millis());
    let ticks = |time: Duration| u64::try_from(ticks(time)).unwrap_or(u64::MAX / 2);
    caller::Patience {
        call_ticks: ticks(patience.call),
        attempt_ticks: ticks(patience.attempt),
        pause_ticks_min: PAUSE_TICKS_MIN,
        pause_ticks_max: PAUSE_TICKS_MAX,
        calls_max: 1,
    }
}

/// A call under way.
struct Run<'a> {
    endpoints: &'a Endpoints,
    caller: Caller,
    /// The open attempt; the machine has at most one of a call.
    attempt: Option<Attempt<'a>>,
    /// The node of the newest attempt.
    node: usize,
}

struct Attempt<'a> {
    id: AttemptId,
    answer: Pin<Box<dyn Future<Output = Result<Response, Status>> + Send + 'a>>,
}

impl Run<'_> {
    /// Does what the machine orders; the answer when the call is over.
    fn step(&mut self, event: Event) -> Option<Result<Response, Error>> {
        let is_lost = matches!(&event, Event::Ended { result: Err(Failure::Lost), .. });
        for effect in self.caller.step(event) {
            match effect {
                Effect::Send { attempt, node, request } => self.send(attempt, node, request),
                Effect::GiveUp { .. } => {
                    self.attempt = None;
                    self.endpoints.pass_over(self.node);
                }
                Effect::Answer { result, .. } => {
                    if is_lost {
                        self.endpoints.pass_over(self.node);
                    }
                    return Some(result);
                }
            }
        }
        None
    }

    fn send(&mut self, id: AttemptId, node: usize, request: Request) {
        self.endpoints.set_position(node);
        let channel = self.endpoints.at(node).channel();
        let answer = Box::pin(async move { attempt::call(channel, &request).await });
        self.attempt = Some(Attempt { id, answer });
        self.node = node;
    }

    /// Ready when the open attempt has ended.
    async fn ended(&mut self) -> (AttemptId, Result<Response, Status>) {
        let Some(Attempt { id, answer }) = &mut self.attempt else {
            return std::future::pending().await;
        };
        let ended = (*id, answer.as_mut().await);
        self.attempt = None;
        ended
    }
}

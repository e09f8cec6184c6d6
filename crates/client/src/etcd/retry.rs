//! One call over several nodes: attempts, pauses, the end of patience.

use std::time::Duration;

use kv::api::{Error, Request, Response};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::endpoints::Endpoints;
use super::failure::{Failure, Next};
use super::{Patience, attempt};

/// Pause after the first round over all nodes; doubles with each round up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_millis(500);

/// Growing pauses, one after each round over all nodes.
pub(super) struct Pauses {
    failures: usize,
    pause: Duration,
}

impl Pauses {
    pub(super) fn new() -> Self {
        Self { failures: 0, pause: PAUSE_MIN }
    }

    /// The pause that is due after one more failure, with `nodes` nodes to try.
    pub(super) fn after_failure(&mut self, nodes: usize) -> Option<Duration> {
        self.failures += 1;
        if !self.failures.is_multiple_of(nodes) {
            return None;
        }
        let due = self.pause;
        self.pause = (due * 2).min(PAUSE_MAX);
        Some(due)
    }
}

/// Sends `request` until a node answers, the request is refused for good, or time is up.
pub(super) async fn call(
    endpoints: &Endpoints,
    patience: Patience,
    request: Request,
) -> Result<Response, Error> {
    let repeatable = is_repeatable(&request);
    let deadline = Instant::now() + patience.call;
    let mut pauses = Pauses::new();
    loop {
        let (position, endpoint) = endpoints.current();
        let until =
            if repeatable { deadline.min(Instant::now() + patience.attempt) } else { deadline };
        let attempt = attempt::call(endpoint.channel(), &request);
        let failure = match timeout_at(until, attempt).await {
            Ok(Ok(response)) => return Ok(response),
            Ok(Err(status)) => Failure::of(&status),
            Err(_elapsed) => Failure::Lost,
        };
        if let Next::Give(error) = failure.next(repeatable) {
            if failure == Failure::Lost {
                endpoints.pass_over(position);
            }
            return Err(error);
        }
        endpoints.pass_over(position);
        if let Some(pause) = pauses.after_failure(endpoints.len()) {
            sleep_until(deadline.min(Instant::now() + pause)).await;
        }
        if Instant::now() >= deadline {
            return Err(if failure == Failure::Lost { Error::Timeout } else { failure.error() });
        }
    }
}

/// Whether the request may be sent twice: it changes nothing, or twice is the same as once.
fn is_repeatable(request: &Request) -> bool {
    !request.is_write() || matches!(request, Request::LeaseKeepAlive { .. })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_come_after_whole_rounds_and_grow_to_a_bound() {
        let mut pauses = Pauses::new();
        let millis: Vec<_> =
            (0..14).map(|_| pauses.after_failure(2).map_or(0, |pause| pause.as_millis())).collect();
        assert_eq!(millis, [0, 20, 0, 40, 0, 80, 0, 160, 0, 320, 0, 500, 0, 500]);
    }
}

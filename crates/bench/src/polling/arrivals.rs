//! Voters and readers who come on time, whatever becomes of the earlier ones (an open loop), from
//! one thread.
//!
//! A voter sends a prepared ballot to one node and waits for the receipt. Who is turned away or
//! hears nothing goes to the end of the queue and comes again. A latency counts from the moment at
//! which the voter should have come, so that a generator that is late does not flatter the nodes.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use reqwest::StatusCode;
use tokio::task::LocalSet;
use tokio::time::{Instant, sleep_until};

use super::pinned::Core;
use super::station::Station;
use crate::failure::Failure;
use crate::stats::percentile;

/// Who hears nothing for so long is counted as not served.
const PATIENCE: Duration = Duration::from_secs(10);

/// Requests that may be open at the same time; whoever comes then is counted as not served.
const OPEN_MAX: usize = 6_000;

/// How many come, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Offer {
    pub(crate) ballots_per_second: f64,
    pub(crate) pages_per_second: f64,
    pub(crate) warm_up: Duration,
    pub(crate) measured: Duration,
}

/// What became of those who came while it was measured.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) ballots: Tally,
    pub(crate) pages: Tally,
    /// Length of the measured time, seconds.
    pub(crate) seconds: f64,
    /// Receipts, those outside the measured time too.
    pub(crate) receipts: u64,
    /// The last thing that a node should not have said.
    pub(crate) complaint: Option<String>,
}

/// Callers of one kind.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(crate) came: u64,
    /// Turned away with 429 or 503.
    pub(crate) turned_away: u64,
    /// Ascending once the run is over; one for each who was served.
    latencies: Vec<Duration>,
}

impl Tally {
    pub(crate) fn served(&self) -> u64 {
        self.latencies.len() as u64
    }

    /// Of those who came.
    pub(crate) fn served_share(&self) -> f64 {
        if self.came == 0 { 0.0 } else { self.served() as f64 / self.came as f64 }
    }

    pub(crate) fn percentile_ms(&self, percent: u32) -> f64 {
        percentile(&self.latencies, percent).map_or(0.0, |latency| latency.as_secs_f64() * 1000.0)
    }
}

impl Outcome {
    /// Ballots final, by those who came in a measured second.
    pub(crate) fn goodput(&self) -> f64 {
        self.ballots.served() as f64 / self.seconds
    }
}

/// The voters who still have to come.
pub(crate) struct Queue {
    ballots: Vec<Bytes>,
    waiting: VecDeque<usize>,
}

impl Queue {
    pub(crate) fn new(ballots: Vec<Bytes>) -> Self {
        let waiting = (0..ballots.len()).collect();
        Self { ballots, waiting }
    }

    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }
}

/// Lets voters and readers come, on `core` if one is given; returns when the last has his answer.
///
/// # Errors
/// When no generator can be had, or all voters have voted before the end.
pub(crate) fn come(
    station: &Station,
    offer: Offer,
    queue: &mut Queue,
    core: Option<Core>,
) -> Result<Outcome, Failure> {
    let mut run = || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(Failure::because("no runtime"))?;
        LocalSet::new().block_on(&runtime, all(station, offer, queue))
    };
    // A thread of its own: another runtime may drive this one.
    std::thread::scope(|scope| {
        let running = scope.spawn(|| match core {
            None => run(),
            Some(core) => core.run(run),
        });
        running.join().expect("the generator does not panic")
    })
}

/// What all callers share.
struct Crowd {
    http: reqwest::Client,
    urls: Vec<[String; 2]>,
    from: Instant,
    until: Instant,
    open: RefCell<usize>,
    outcome: RefCell<Outcome>,
    back: RefCell<Vec<usize>>,
}

enum Answer {
    Served,
    TurnedAway,
    Wrong(String),
}

async fn all(station: &Station, offer: Offer, queue: &mut Queue) -> Result<Outcome, Failure> {
    let http = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build();
    let begun = Instant::now();
    let urls = |at| [station.url(at, "/ballots?wait=final"), station.url(at, "")];
    let crowd = Rc::new(Crowd {
        http: http.map_err(Failure::because("no HTTP client"))?,
        urls: (0..station.nodes()).map(urls).collect(),
        from: begun + offer.warm_up,
        until: begun + offer.warm_up + offer.measured,
        open: RefCell::default(),
        outcome: RefCell::default(),
        back: RefCell::default(),
    });
    let mut callers = tokio::task::JoinSet::new();
    let mut due = [0_u64; 2];
    let rates = [offer.ballots_per_second, offer.pages_per_second];
    let when = |kind: usize, number: u64| {
        begun
            + Duration::try_from_secs_f64(number as f64 / rates[kind]).unwrap_or(Duration::MAX / 4)
    };
    loop {
        let at = usize::from(when(1, due[1]) < when(0, due[0]));
        let moment = when(at, due[at]);
        if moment >= crowd.until {
            break;
        }
        let number = due[at];
        due[at] += 1;
        sleep_until(moment).await;
        while callers.try_join_next().is_some() {}
        queue.waiting.extend(crowd.back.borrow_mut().drain(..));
        let ballot = if at == 0 {
            let Some(next) = queue.waiting.pop_front() else {
                return Err(Failure::new("all voters have voted; more of them are needed"));
            };
            Some((next, queue.ballots[next].clone()))
        } else {
            None
        };
        callers.spawn_local(Rc::clone(&crowd).one(number, moment, ballot));
    }
    while callers.join_next().await.is_some() {}
    queue.waiting.extend(crowd.back.borrow_mut().drain(..));
    let mut outcome = crowd.outcome.take();
    outcome.seconds = offer.measured.as_secs_f64();
    outcome.ballots.latencies.sort_unstable();
    outcome.pages.latencies.sort_unstable();
    Ok(outcome)
}

impl Crowd {
    async fn one(self: Rc<Self>, number: u64, due: Instant, ballot: Option<(usize, Bytes)>) {
        let voter = ballot.as_ref().map(|(voter, _)| *voter);
        let is_full = *self.open.borrow() >= OPEN_MAX;
        let answer = if is_full {
            Answer::Wrong(format!("more than {OPEN_MAX} wait for an answer"))
        } else {
            *self.open.borrow_mut() += 1;
            let answer = self.send(number, ballot.map(|(_, ballot)| ballot)).await;
            *self.open.borrow_mut() -= 1;
            answer
        };
        let mut outcome = self.outcome.borrow_mut();
        let is_served = matches!(answer, Answer::Served);
        if let Some(voter) = voter {
            if is_served {
                outcome.receipts += 1;
            } else {
                self.back.borrow_mut().push(voter);
            }
        }
        if due < self.from {
            return;
        }
        let Outcome { ballots, pages, complaint, .. } = &mut *outcome;
        let tally = if voter.is_some() { ballots } else { pages };
        tally.came += 1;
        match answer {
            Answer::Served => tally.latencies.push(due.elapsed()),
            Answer::TurnedAway => tally.turned_away += 1,
            Answer::Wrong(what) => *complaint = Some(what),
        }
    }

    async fn send(&self, number: u64, ballot: Option<Bytes>) -> Answer {
        let [cast, page] = &self.urls[number as usize % self.urls.len()];
        let is_ballot = ballot.is_some();
        let request = match ballot {
            Some(ballot) => {
                let octets = "application/octet-stream";
                self.http.post(cast).header("content-type", octets).body(ballot)
            }
            None => self.http.get(page),
        };
        let [_, second, third, fourth] = (number as u32).to_be_bytes();
        let address = format!("10.{second}.{third}.{fourth}");
        let answer = match request.header("x-forwarded-for", address).send().await {
            Ok(answer) => answer,
            Err(error) => return Answer::Wrong(error.to_string()),
        };
        let status = answer.status();
        // Read to its end, so that the connection can be used again.
        let body = answer.bytes().await.unwrap_or_default();
        match status {
            StatusCode::OK => Answer::Served,
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => Answer::TurnedAway,
            StatusCode::ACCEPTED if is_ballot => Answer::Wrong("ordered, not final".to_owned()),
            other => Answer::Wrong(format!("{other}: {}", String::from_utf8_lossy(&body))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_and_percentiles() {
        let latencies = (1..=4).map(Duration::from_millis).collect();
        let tally = Tally { came: 8, turned_away: 3, latencies };
        assert_eq!((tally.served(), tally.served_share()), (4, 0.5));
        assert_eq!((tally.percentile_ms(50), tally.percentile_ms(99)), (2.0, 4.0));
        assert_eq!(Tally::default().served_share(), 0.0);
        let outcome = Outcome { ballots: tally, seconds: 2.0, ..Outcome::default() };
        assert_eq!(outcome.goodput(), 2.0);
    }
}

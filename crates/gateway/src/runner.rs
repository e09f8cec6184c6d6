//! The thread of the authority: runs the machine, its store calls, its journal and its clock.
//!
//! One turn takes everything that waits, steps the machine, writes all its records to the journal
//! with one sync, and only then lets go what depended on them. Others ask through an
//! [`AuthorityHandle`]: submit a ballot, do an administrative act, or look at the state.

use authority::{Act, Answer, Authority, Effect, Event, Notice};
use base::Machine;
use bytes::Bytes;
use client::Client;
use election::ElectionId;
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use kv::api::{Error, Request, Response, WatchRequest, WatchResponse};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::task::JoinHandle;

/// Requests from the gateway that may wait for the authority; one more is told to come back.
const REQUESTS_MAX: usize = 4096;

/// Notices kept for a slow listener before it misses some (it looks at the state then).
const NOTICES_MAX: usize = 1024;

/// Messages of all watches that may wait; the watches wait then.
const WATCHED_MAX: usize = 1024;

/// Events of watches taken in one turn.
const TURN_MAX: usize = 512;

/// Requests taken in one turn. Ballots among them are checked together: more would be a little
/// cheaper each, and what other authorities say would wait longer behind them.
const ASKS_MAX: usize = 128;

/// Length of one tick of the authority's clock.
const TICK: Duration = Duration::from_millis(20);

/// Where an authority keeps what it must never forget. Records are read back at start, in order.
pub trait Journal: Send + 'static {
    /// Adds one record, not durable yet.
    ///
    /// # Errors
    /// The reason in words; the node must end.
    fn append(&mut self, record: &[u8]) -> Result<(), String>;

    /// Makes everything added durable.
    ///
    /// # Errors
    /// The reason in words; the node must end.
    fn sync(&mut self) -> Result<(), String>;
}

/// A look at the machine, run on its thread.
type Query = Box<dyn FnOnce(&Authority) + Send>;

/// What the gateway asks.
enum Ask {
    Submit { election: ElectionId, ballot: Bytes, answer: oneshot::Sender<Answer> },
    Administer { election: ElectionId, act: Act, answer: oneshot::Sender<Answer> },
    Query(Query),
}

/// The authority could not be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AskError {
    /// More requests wait than it may keep.
    Overloaded,
    /// It has stopped.
    Stopped,
}

/// The way to the authority of this node.
#[derive(Clone)]
pub struct AuthorityHandle {
    asks: mpsc::Sender<Ask>,
    notices: broadcast::Sender<Notice>,
    progress: watch::Sender<Progress>,
}

/// How far each election is, as far as this process has seen.
pub(crate) type Progress = BTreeMap<ElectionId, Reached>;

/// How far an election is here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reached {
    /// Number of the last entry that was judged.
    pub(crate) judged: u64,
    /// Leaves that a quorum has cosigned.
    pub(crate) cosigned: u64,
}

impl AuthorityHandle {
    /// Hands in a ballot.
    ///
    /// # Errors
    /// [`AskError`]; the ballot was not taken.
    pub async fn submit(&self, election: ElectionId, ballot: Bytes) -> Result<Answer, AskError> {
        let (answer, answered) = oneshot::channel();
        self.ask(Ask::Submit { election, ballot, answer })?;
        answered.await.map_err(|_| AskError::Stopped)
    }

    /// Does an administrative act.
    ///
    /// # Errors
    /// [`AskError`]; nothing was done.
    pub async fn administer(&self, election: ElectionId, act: Act) -> Result<Answer, AskError> {
        let (answer, answered) = oneshot::channel();
        self.ask(Ask::Administer { election, act, answer })?;
        answered.await.map_err(|_| AskError::Stopped)
    }

    /// Looks at the state of the authority. `look` runs on its thread and must be short.
    ///
    /// # Errors
    /// [`AskError`].
    pub async fn query<T: Send + 'static>(
        &self,
        look: impl FnOnce(&Authority) -> T + Send + 'static,
    ) -> Result<T, AskError> {
        let (answer, answered) = oneshot::channel();
        self.ask(Ask::Query(Box::new(move |authority| {
            let _ = answer.send(look(authority));
        })))?;
        answered.await.map_err(|_| AskError::Stopped)
    }

    /// What happens from now on.
    pub fn notices(&self) -> broadcast::Receiver<Notice> {
        self.notices.subscribe()
    }

    /// How far it is, and a wake-up whenever it is further: for many who wait each for one entry.
    pub(crate) fn progress(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    /// A way to nobody, for tests.
    #[cfg(test)]
    pub(crate) fn to_nobody() -> Self {
        let progress = watch::Sender::default();
        Self { asks: mpsc::channel(1).0, notices: broadcast::channel(1).0, progress }
    }

    fn ask(&self, ask: Ask) -> Result<(), AskError> {
        self.asks.try_send(ask).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => AskError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => AskError::Stopped,
        })
    }
}

/// Starts the thread. `failed` is called once with the reason when it cannot go on.
///
/// # Errors
/// Of the operating system, when no thread or runtime can be had.
pub fn start(
    authority: Authority,
    journal: Box<dyn Journal>,
    client: Arc<dyn Client>,
    failed: impl FnOnce(String) + Send + 'static,
) -> std::io::Result<AuthorityHandle> {
    let (asks, asked) = mpsc::channel(REQUESTS_MAX);
    let (notices, _) = broadcast::channel(NOTICES_MAX);
    let progress = watch::Sender::default();
    let handle = AuthorityHandle { asks, notices: notices.clone(), progress: progress.clone() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    std::thread::Builder::new().name("authority".to_owned()).spawn(move || {
        let (watched_in, watched) = mpsc::channel(WATCHED_MAX);
        let runner = Runner {
            authority,
            journal,
            client,
            notices,
            progress,
            reached: Progress::new(),
            watched_in,
            watches: HashMap::new(),
            calls: FuturesUnordered::new(),
            answers: HashMap::new(),
            next_ticket: 0,
            started: Instant::now(),
        };
        if let Err(reason) = runtime.block_on(runner.run(asked, watched)) {
            failed(reason);
        }
    })?;
    Ok(handle)
}

/// One finished store call.
type Replied = (u64, Result<Response, Error>);

struct Runner {
    authority: Authority,
    journal: Box<dyn Journal>,
    client: Arc<dyn Client>,
    notices: broadcast::Sender<Notice>,
    progress: watch::Sender<Progress>,
    /// What `progress` will say after this turn.
    reached: Progress,
    watched_in: mpsc::Sender<Event>,
    watches: HashMap<u64, JoinHandle<()>>,
    calls: FuturesUnordered<BoxFuture<'static, Replied>>,
    answers: HashMap<u64, oneshot::Sender<Answer>>,
    next_ticket: u64,
    started: Instant,
}

impl Runner {
    async fn run(
        mut self,
        mut asked: mpsc::Receiver<Ask>,
        mut watched: mpsc::Receiver<Event>,
    ) -> Result<(), String> {
        let mut clock = tokio::time::interval(TICK);
        clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut asks = Vec::with_capacity(ASKS_MAX);
        let mut events = vec![Event::Started];
        loop {
            self.turn(&mut events)?;
            tokio::select! {
                biased;
                _ = clock.tick() => events.push(self.tick()),
                Some((call, result)) = self.calls.next(), if !self.calls.is_empty() => {
                    events.push(Event::Replied { call, result });
                }
                Some(event) = watched.recv() => events.push(event),
                taken = asked.recv_many(&mut asks, ASKS_MAX) => {
                    if taken == 0 {
                        return Ok(());
                    }
                }
            }
            while events.len() < TURN_MAX
                && let Ok(event) = watched.try_recv()
            {
                events.push(event);
            }
            events.extend(asks.drain(..).filter_map(|ask| self.take(ask)));
        }
    }

    fn tick(&self) -> Event {
        let now_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        Event::Ticked { now_ms, minutes: minutes_now() }
    }

    fn take(&mut self, ask: Ask) -> Option<Event> {
        self.next_ticket += 1;
        let ticket = self.next_ticket;
        match ask {
            Ask::Submit { election, ballot, answer } => {
                self.answers.insert(ticket, answer);
                Some(Event::Submitted { ticket, election, ballot })
            }
            Ask::Administer { election, act, answer } => {
                self.answers.insert(ticket, answer);
                Some(Event::Administered { ticket, election, act })
            }
            Ask::Query(look) => {
                look(&self.authority);
                None
            }
        }
    }

    /// Steps through `events`; records first, everything else after they are durable.
    fn turn(&mut self, events: &mut Vec<Event>) -> Result<(), String> {
        let submitted = events.iter().filter_map(|event| match event {
            Event::Submitted { election, ballot, .. } => Some((*election, ballot)),
            _ => None,
        });
        self.authority.check_together(submitted);
        while !events.is_empty() {
            let mut persisted = Vec::new();
            let mut others = Vec::new();
            for event in events.drain(..) {
                for effect in self.authority.step(event) {
                    match effect {
                        Effect::Persist { ticket, record } => {
                            self.journal.append(&record)?;
                            persisted.push(Event::Persisted { ticket });
                        }
                        other => others.push(other),
                    }
                }
            }
            if !persisted.is_empty() {
                self.journal.sync()?;
            }
            others.into_iter().for_each(|effect| self.perform(effect));
            events.append(&mut persisted);
        }
        self.progress.send_if_modified(|progress| {
            let is_further = *progress != self.reached;
            if is_further {
                progress.clone_from(&self.reached);
            }
            is_further
        });
        Ok(())
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Call { call, request } => self.call(call, request),
            Effect::Watch { watch, request } => self.watch(watch, request),
            Effect::Unwatch { watch } => {
                if let Some(task) = self.watches.remove(&watch) {
                    task.abort();
                }
            }
            Effect::Answer { ticket, answer } => {
                if let Some(waiting) = self.answers.remove(&ticket) {
                    let _ = waiting.send(answer);
                }
            }
            Effect::Notify(notice) => {
                tracing::debug!(?notice, "authority");
                match &notice {
                    Notice::Accepted { election, entry, .. }
                    | Notice::Refused { election, entry, .. } => {
                        self.reached.entry(*election).or_default().judged = *entry;
                    }
                    Notice::Checkpoint { election, size, .. } => {
                        self.reached.entry(*election).or_default().cosigned = *size;
                    }
                    _ => {}
                }
                // Nobody listening is fine.
                let _ = self.notices.send(notice);
            }
            Effect::Persist { .. } => unreachable!("taken out in `turn`"),
        }
    }

    fn call(&mut self, call: u64, request: Request) {
        let client = Arc::clone(&self.client);
        self.calls.push(Box::pin(async move { (call, client.call(request).await) }));
    }

    fn watch(&mut self, watch: u64, request: WatchRequest) {
        let (client, watched) = (Arc::clone(&self.client), self.watched_in.clone());
        let task = tokio::spawn(async move {
            if let Ok(mut messages) = client.watch(request).await {
                while let Some(Ok(message)) = messages.next().await {
                    let last = matches!(message, WatchResponse::Canceled { .. });
                    if watched.send(Event::Watched { watch, message }).await.is_err() || last {
                        break;
                    }
                }
            }
            let _ = watched.send(Event::WatchEnded { watch }).await;
        });
        self.watches.insert(watch, task);
    }
}

/// Whole minutes since 1970, UTC: the only wall time an authority hears.
fn minutes_now() -> u32 {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    u32::try_from(seconds / 60).unwrap_or(u32::MAX)
}

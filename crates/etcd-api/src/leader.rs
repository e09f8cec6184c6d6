//! Whether the member knows a leader, looked at regularly for those who wait on streams.

use std::sync::Arc;
use std::time::Duration;

use client::Client;
use kv::api::{Request, Response};
use tokio::sync::watch as signal;

/// How often the member is asked.
const PERIOD: Duration = Duration::from_millis(500);
/// Looks in a row without a leader after which it counts as lost; fewer would end the streams in
/// every change of leaders. etcd waits for three campaign timeouts likewise.
const ABSENCES_MAX: u32 = 3;

/// What was seen at the last looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    Present,
    Absent { looks: u32 },
}

impl Seen {
    fn is_lost(self) -> bool {
        matches!(self, Self::Absent { looks } if looks >= ABSENCES_MAX)
    }
}

/// A view on the leader's presence, shared by all streams.
#[derive(Clone, Debug)]
pub(crate) struct Sight {
    seen: signal::Receiver<Seen>,
}

impl Sight {
    /// Starts looking, until `stopped` is closed.
    pub(crate) fn watch(client: Arc<dyn Client>, stopped: signal::Receiver<()>) -> Self {
        let (sender, seen) = signal::channel(Seen::Present);
        tokio::spawn(look(client, sender, stopped));
        Self { seen }
    }

    /// Ready when the leader has been lost for a while.
    pub(crate) async fn lost(&mut self) {
        if self.seen.wait_for(|seen| seen.is_lost()).await.is_err() {
            // Nobody looks any more: the server stops, which the waiting stream hears elsewhere.
            std::future::pending().await
        }
    }

    /// Whether there was a leader at the last look.
    pub(crate) fn is_present(&self) -> bool {
        *self.seen.borrow() == Seen::Present
    }

    /// Ready when [`Self::is_present`] may have changed; `Err` when nobody looks any more.
    pub(crate) async fn changed(&mut self) -> Result<(), signal::error::RecvError> {
        self.seen.changed().await
    }
}

async fn look(
    client: Arc<dyn Client>,
    seen: signal::Sender<Seen>,
    mut stopped: signal::Receiver<()>,
) {
    let mut period = tokio::time::interval(PERIOD);
    period.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = stopped.changed() => return,
            _ = period.tick() => {}
        }
        let answer = tokio::time::timeout(PERIOD, client.call(Request::Status)).await;
        let present = matches!(answer, Ok(Ok(Response::Status(status))) if status.leader.is_some());
        seen.send_if_modified(|seen| {
            let next = match *seen {
                _ if present => Seen::Present,
                Seen::Present => Seen::Absent { looks: 1 },
                Seen::Absent { looks } => Seen::Absent { looks: (looks + 1).min(ABSENCES_MAX) },
            };
            std::mem::replace(seen, next) != next
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use client::WatchStream;
    use futures::FutureExt;
    use futures::future::BoxFuture;
    use kv::api::{Error, Status, WatchRequest};

    use super::*;

    /// A member whose known leader is set from outside.
    struct Member(Mutex<Option<u64>>);

    impl Client for Member {
        fn call(&self, _: Request) -> BoxFuture<'_, Result<Response, Error>> {
            let leader = *self.0.lock().unwrap();
            let status = Status { leader, ..Status::default() };
            async { Ok(Response::Status(status)) }.boxed()
        }

        fn watch(&self, _: WatchRequest) -> BoxFuture<'_, Result<WatchStream, Error>> {
            async { Err(Error::Stopped) }.boxed()
        }
    }

    #[tokio::test(flavor = "current_thread", start_paused = true)]
    async fn a_leader_is_lost_after_three_looks_and_comes_back_at_once() {
        let member = Arc::new(Member(Mutex::new(Some(1))));
        let (_stop, stopped) = signal::channel(());
        let mut sight = Sight::watch(member.clone(), stopped);
        let short = tokio::time::timeout(PERIOD * 10, sight.lost()).await;
        assert!(short.is_err(), "lost though it was there");

        *member.0.lock().unwrap() = None;
        let start = tokio::time::Instant::now();
        sight.lost().await;
        let took = start.elapsed();
        assert!(took > PERIOD && took <= PERIOD * 3, "{took:?}");
        assert!(!sight.is_present());

        *member.0.lock().unwrap() = Some(2);
        sight.changed().await.unwrap();
        assert!(sight.is_present());
    }
}

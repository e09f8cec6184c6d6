//! The sending side: one task per peer that dials, says hello, and writes frames.

use super::frame::{self, Hello};
use super::repeats::Repeats;
use crate::metrics::PeerMetrics;
use base::Prng;
use bytes::BytesMut;
use replica::PeerMessage;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::mpsc;

/// Messages that may wait for one peer. One more is dropped: consensus repeats it.
pub(crate) const QUEUE_MAX: usize = 4096;

/// Messages written with one system call.
const BURST_MAX: usize = 256;

/// Pause before the first new attempt to connect; doubled up to [`PAUSE_MAX`], with jitter.
const PAUSE_MIN: Duration = Duration::from_millis(20);
const PAUSE_MAX: Duration = Duration::from_millis(500);

/// A connection that lasted so long was a good one.
const GOOD_AFTER: Duration = Duration::from_secs(1);

/// How long one write may take before the connection counts as broken.
const WRITE_TIME_MAX: Duration = Duration::from_secs(5);

/// One peer to send to.
pub(crate) struct Dialer {
    pub(crate) hello: Hello,
    pub(crate) address: SocketAddr,
    pub(crate) queue: mpsc::Receiver<PeerMessage>,
    pub(crate) metrics: PeerMetrics,
    pub(crate) random: Prng,
}

impl Dialer {
    /// Sends until the queue closes.
    pub(crate) async fn run(mut self) {
        let mut pause = PAUSE_MIN;
        let mut repeats = Repeats::default();
        while !self.queue.is_closed() {
            let since = Instant::now();
            match TcpStream::connect(self.address).await {
                Ok(stream) => {
                    tracing::debug!(peer = self.hello.to, "connected to peer");
                    if let Err(error) = self.send_on(stream).await
                        && repeats.is_new(&error.to_string(), Instant::now())
                    {
                        tracing::info!(peer = self.hello.to, %error, "connection to peer lost");
                    }
                }
                Err(error) => {
                    tracing::trace!(peer = self.hello.to, %error, "peer cannot be reached");
                }
            }
            // A connection that the peer has closed at once is as good as none.
            if since.elapsed() > GOOD_AFTER {
                pause = PAUSE_MIN;
            } else {
                let jitter = self.random.below(pause.as_millis() as u64 / 2 + 1);
                tokio::time::sleep(pause + Duration::from_millis(jitter)).await;
                pause = (pause * 2).min(PAUSE_MAX);
            }
            // What waited through the gap is stale; consensus has moved on.
            while self.queue.try_recv().is_ok() {
                self.metrics.dropped.inc();
            }
        }
    }

    async fn send_on(&mut self, mut stream: TcpStream) -> std::io::Result<()> {
        stream.set_nodelay(true)?;
        let mut out = BytesMut::new();
        frame::encode(&self.hello.encode(), &mut out);
        let mut burst = Vec::with_capacity(BURST_MAX);
        loop {
            tokio::time::timeout(WRITE_TIME_MAX, stream.write_all(&out))
                .await
                .map_err(|_| std::io::Error::from(std::io::ErrorKind::TimedOut))??;
            out.clear();
            if self.queue.recv_many(&mut burst, BURST_MAX).await == 0 {
                return Ok(());
            }
            self.metrics.sent.inc_by(burst.len() as u64);
            for message in burst.drain(..) {
                frame::encode(&message.encode(), &mut out);
            }
        }
    }
}

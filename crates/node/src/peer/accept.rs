//! The receiving side: takes connections, checks the hello, hands messages to the replica.

use super::frame::{self, FrameError, Hello};
use super::repeats::Repeats;
use bytes::BytesMut;
use raft::MemberId;
use replica::{Event, PeerMessage};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// How long a new connection may take to say who it is.
const HELLO_TIME_MAX: Duration = Duration::from_secs(5);

/// Connections served at a time; one more is closed at once.
const CONNECTIONS_MAX: usize = 64;

/// Bytes read with one system call.
const READ_BYTES: usize = 256 << 10;

/// Who may connect and where their messages go.
pub(crate) struct Acceptor {
    pub(crate) cluster: u64,
    pub(crate) member: MemberId,
    pub(crate) events: mpsc::Sender<Event>,
}

/// Takes connections until the task is dropped.
pub(crate) async fn run(listener: TcpListener, acceptor: Acceptor) {
    let acceptor = Arc::new(acceptor);
    let repeats = Arc::new(Mutex::new(Repeats::default()));
    let places = Arc::new(tokio::sync::Semaphore::new(CONNECTIONS_MAX));
    loop {
        let (stream, address) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(%error, "peer listener cannot take a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            tracing::warn!(%address, "too many peer connections; closed this one");
            continue;
        };
        let (acceptor, repeats) = (Arc::clone(&acceptor), Arc::clone(&repeats));
        tokio::spawn(async move {
            match acceptor.serve(stream).await {
                Ok(()) => tracing::debug!(%address, "peer closed its connection"),
                Err(error) => {
                    let mut repeats = repeats.lock().unwrap_or_else(PoisonError::into_inner);
                    if repeats.is_new(&error, Instant::now()) {
                        tracing::info!(%address, error, "peer connection ended");
                    }
                }
            }
            drop(place);
        });
    }
}

impl Acceptor {
    async fn serve(&self, mut stream: TcpStream) -> Result<(), String> {
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        let mut input = BytesMut::with_capacity(READ_BYTES);
        let hello = tokio::time::timeout(HELLO_TIME_MAX, next_frame(&mut stream, &mut input))
            .await
            .map_err(|_| FrameError::Hello.to_string())??;
        let Some(hello) = hello else { return Ok(()) };
        let from = self.admit(Hello::decode(hello).map_err(|error| error.to_string())?)?;
        while let Some(payload) = next_frame(&mut stream, &mut input).await? {
            let message = PeerMessage::decode(payload).map_err(|error| error.to_string())?;
            if self.events.send(Event::Received { from, message }).await.is_err() {
                return Ok(());
            }
        }
        Ok(())
    }

    fn admit(&self, hello: Hello) -> Result<MemberId, String> {
        let from = MemberId::new(hello.from);
        if hello.cluster != self.cluster {
            let (theirs, ours) = (hello.cluster, self.cluster);
            return Err(format!("caller belongs to cluster {theirs:016x}, this is {ours:016x}"));
        }
        if hello.to != self.member.get() {
            return Err(format!("caller wants member {}, this is {}", hello.to, self.member));
        }
        // Whether it is a member is for consensus to know; it may be one not heard of here yet.
        if from == self.member {
            return Err(format!("caller says it is member {from}, which is this one"));
        }
        Ok(from)
    }
}

async fn next_frame(
    stream: &mut TcpStream,
    input: &mut BytesMut,
) -> Result<Option<bytes::Bytes>, String> {
    loop {
        if let Some(payload) = frame::decode(input).map_err(|error| error.to_string())? {
            return Ok(Some(payload));
        }
        input.reserve(READ_BYTES);
        match stream.read_buf(input).await {
            Ok(0) => return Ok(None),
            Ok(_) => {}
            Err(error) => return Err(error.to_string()),
        }
    }
}

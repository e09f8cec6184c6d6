//! The wires between the nodes, so that the demonstration can cut them without being root.
//!
//! Every node is known to the others by an address of the demonstration's, which passes
//! connections on. A connection carries the messages of one node to another and begins with both
//! their numbers, so each direction can be cut alone. What is sent over a cut wire is swallowed,
//! like in a network that drops packets; the nodes notice nothing but silence.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// First frame of a connection: ten bytes of head, then magic, cluster, sender, receiver (eight
/// bytes each), see `node::peer::frame`.
const HELLO_BYTES: usize = 10 + 32;
/// Where the sender's number stands in it.
const SENDER: std::ops::Range<usize> = 26..34;
/// How long a connection may take to say who it is.
const HELLO_TIME: Duration = Duration::from_secs(5);
/// Between two attempts to reach a node that is down.
const POLL: Duration = Duration::from_millis(50);

/// Directed wires: who sends, who receives.
pub(super) type Wires = BTreeSet<(u64, u64)>;

/// Which wires are cut.
#[derive(Clone, Debug)]
pub(super) struct Links {
    cut: watch::Sender<Wires>,
}

impl Links {
    /// All wires whole.
    pub(super) fn new() -> Self {
        Self { cut: watch::Sender::new(Wires::new()) }
    }

    /// Passes on what comes in at `listener` to node `to`, which listens at `address`. Inside a
    /// tokio runtime, until that ends.
    pub(super) fn carry(&self, listener: TcpListener, to: u64, address: SocketAddr) {
        let cut = self.cut.clone();
        tokio::spawn(async move {
            loop {
                match listener.accept().await {
                    Ok((stream, _)) => {
                        drop(tokio::spawn(connection(stream, to, address, cut.subscribe())));
                    }
                    Err(_) => tokio::time::sleep(POLL).await,
                }
            }
        });
    }

    /// Cuts wires between `node` and all `others`: what it hears, what it says, or both.
    pub(super) fn cut(&self, node: u64, others: &[u64], hears: bool, says: bool) {
        self.cut.send_modify(|cut| {
            for other in others.iter().filter(|other| **other != node) {
                if hears {
                    cut.insert((*other, node));
                }
                if says {
                    cut.insert((node, *other));
                }
            }
        });
    }

    /// Mends all wires of `node`.
    pub(super) fn heal(&self, node: u64) {
        self.cut.send_modify(|cut| cut.retain(|(from, to)| *from != node && *to != node));
    }

    /// Whether `node` hears nobody, and whether nobody hears it.
    pub(super) fn is_cut(&self, node: u64, others: &[u64]) -> (bool, bool) {
        let cut = self.cut.borrow();
        let all = |wire: &dyn Fn(u64) -> (u64, u64)| {
            let mut others = others.iter().filter(|other| **other != node).peekable();
            others.peek().is_some() && others.all(|other| cut.contains(&wire(*other)))
        };
        (all(&|other| (other, node)), all(&|other| (node, other)))
    }
}

/// One connection to node `to`.
async fn connection(
    mut from: TcpStream,
    to: u64,
    address: SocketAddr,
    mut cut: watch::Receiver<Wires>,
) {
    let mut hello = [0; HELLO_BYTES];
    let read = tokio::time::timeout(HELLO_TIME, from.read_exact(&mut hello));
    let Ok(Ok(_)) = read.await else { return };
    let Ok(sender) = hello[SENDER].try_into().map(u64::from_be_bytes) else { return };
    let wire = (sender, to);
    let passed = async {
        let Some(mut node) = reach(address, &mut from).await else { return };
        let whole = from.set_nodelay(true).and_then(|()| node.set_nodelay(true));
        if whole.is_ok() && node.write_all(&hello).await.is_ok() {
            let _ = tokio::io::copy_bidirectional(&mut from, &mut node).await;
        }
    };
    let is_cut = tokio::select! {
        biased;
        cut = cut.wait_for(|cut| cut.contains(&wire)) => cut.is_ok(),
        () = passed => false,
    };
    if is_cut {
        // After the cut the sender has to begin anew: the receiver has missed some.
        tokio::select! {
            () = swallow(&mut from) => {}
            _ = cut.wait_for(|cut| !cut.contains(&wire)) => {}
        }
    }
}

/// Connects to a node. One that is down is waited for while what is said to it is lost; then the
/// sender begins anew, so this gives none.
async fn reach(address: SocketAddr, from: &mut TcpStream) -> Option<TcpStream> {
    if let Ok(node) = TcpStream::connect(address).await {
        return Some(node);
    }
    let back = async {
        while TcpStream::connect(address).await.is_err() {
            tokio::time::sleep(POLL).await;
        }
    };
    tokio::select! {
        () = swallow(from) => {}
        () = back => {}
    }
    None
}

/// Reads until the other side hangs up.
async fn swallow(stream: &mut TcpStream) {
    let mut bytes = [0; 16 << 10];
    while matches!(stream.read(&mut bytes).await, Ok(1..)) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hello(from: u64, to: u64) -> Vec<u8> {
        let mut framed = bytes::BytesMut::new();
        let hello = node::peer::frame::Hello { cluster: 7, from, to };
        node::peer::frame::encode(&hello.encode(), &mut framed);
        framed.to_vec()
    }

    #[test]
    fn the_senders_number_is_where_the_wire_has_it() {
        let bytes = hello(0x0102_0304_0506_0708, 9);
        assert_eq!(bytes.len(), HELLO_BYTES);
        assert_eq!(bytes[SENDER], [1, 2, 3, 4, 5, 6, 7, 8]);
    }

    async fn listener() -> (TcpListener, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        (listener, address)
    }

    #[tokio::test]
    async fn each_direction_is_cut_and_healed_alone() {
        let (node, address) = listener().await;
        let (wire, way) = listener().await;
        let links = Links::new();
        links.carry(wire, 2, address);
        links.cut(2, &[1, 2, 3], false, true);
        assert_eq!(links.is_cut(2, &[1, 2, 3]), (false, true));
        assert_eq!(links.is_cut(1, &[1, 2, 3]), (false, false), "3 still hears 1");
        // What node 2 hears is not cut.
        let mut sender = TcpStream::connect(way).await.expect("the wire listens");
        sender.write_all(&hello(1, 2)).await.expect("sent");
        let (mut received, _) = node.accept().await.expect("passed on");
        let mut bytes = [0; HELLO_BYTES];
        received.read_exact(&mut bytes).await.expect("whole");
        assert_eq!(bytes[..], hello(1, 2)[..]);
        // Now it is: the receiver's connection ends, the sender's stays and leads nowhere.
        links.cut(2, &[1, 2, 3], true, false);
        assert!(matches!(received.read(&mut bytes).await, Ok(0) | Err(_)));
        sender.write_all(b"into the void").await.expect("nobody says no");
        links.heal(2);
        assert!(matches!(sender.read(&mut bytes).await, Ok(0) | Err(_)), "begin anew");
        assert_eq!(links.is_cut(2, &[1, 2, 3]), (false, false));
    }
}

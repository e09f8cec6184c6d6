//! Members' connections: TCP, one per peer and direction, dialled by the sender, and a second one
//! for what is large and can wait (parts of snapshots), so that heartbeats never queue behind it.
//!
//! A connection opens with a [`frame::Hello`] that names cluster, sender and receiver; whoever
//! belongs elsewhere is turned away with a line in the log. After it come frames, each with
//! length, version and checksum. Messages may be lost (a full queue, a broken connection):
//! consensus repeats what matters. They are never reordered on one connection, never damaged
//! unnoticed.
pub(crate) mod accept;
pub(crate) mod dial;
pub mod frame;
mod repeats;

use crate::metrics::Metrics;
use base::Prng;
use dial::Dialer;
use frame::Hello;
use raft::{MemberId, Membership};
use replica::PeerMessage;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use tokio::sync::mpsc;

/// The other members: where they are, and the queues to them.
#[derive(Debug)]
pub(crate) struct Peers {
    cluster: u64,
    member: MemberId,
    metrics: Metrics,
    random: Prng,
    addresses: BTreeMap<MemberId, SocketAddr>,
    /// What the memberships said last about where members are.
    contexts: BTreeMap<MemberId, bytes::Bytes>,
    links: BTreeMap<MemberId, Link>,
}

/// The queues to one peer; closing them ends the dialers.
#[derive(Debug)]
struct Link {
    address: SocketAddr,
    messages: mpsc::Sender<PeerMessage>,
    bulk: mpsc::Sender<PeerMessage>,
}

impl Peers {
    /// Nobody yet; `addresses` are those from the configuration, which go before what the log
    /// says, since a node may have moved.
    pub(crate) fn new(
        cluster: u64,
        member: MemberId,
        metrics: Metrics,
        random: Prng,
        addresses: BTreeMap<MemberId, SocketAddr>,
    ) -> Self {
        let (contexts, links) = (BTreeMap::new(), BTreeMap::new());
        Self { cluster, member, metrics, random, addresses, contexts, links }
    }

    /// Where the members are.
    pub(crate) fn addresses(&self) -> &BTreeMap<MemberId, SocketAddr> {
        &self.addresses
    }

    /// The first membership, as recovered: its addresses count where the configuration is silent.
    pub(crate) fn begin(&mut self, membership: &Membership) {
        for id in membership.ids() {
            let context = membership.context(id).cloned().unwrap_or_default();
            if let Some(address) = parse(&context) {
                self.addresses.entry(id).or_insert(address);
            }
            self.contexts.insert(id, context);
        }
        let known: Vec<MemberId> = self.addresses.keys().copied().collect();
        known.into_iter().for_each(|id| self.connect(id));
    }

    /// Follows a change of members. Who left is still spoken to: it has to hear of it.
    pub(crate) fn adjust(&mut self, membership: &Membership) {
        for id in membership.ids() {
            let context = membership.context(id).cloned().unwrap_or_default();
            let is_news = self.contexts.get(&id) != Some(&context);
            if is_news && let Some(address) = parse(&context) {
                self.addresses.insert(id, address);
            }
            self.contexts.insert(id, context);
            self.connect(id);
        }
    }

    /// Dials a member, anew if it has moved. Must be called on the runtime.
    fn connect(&mut self, id: MemberId) {
        let Some(address) = self.addresses.get(&id).copied().filter(|_| id != self.member) else {
            return;
        };
        if self.links.get(&id).is_some_and(|link| link.address == address) {
            return;
        }
        let mut dial = || {
            let (sender, queue) = mpsc::channel(dial::QUEUE_MAX);
            let hello = Hello { cluster: self.cluster, from: self.member.get(), to: id.get() };
            let (metrics, random) = (self.metrics.peer(id.get()), self.random.fork("dial"));
            tokio::spawn(Dialer { hello, address, queue, metrics, random }.run());
            sender
        };
        let link = Link { address, messages: dial(), bulk: dial() };
        self.links.insert(id, link);
    }

    /// Queues a message; one that finds no room is lost.
    pub(crate) fn send(&self, to: MemberId, message: PeerMessage) {
        let Some(link) = self.links.get(&to) else { return };
        let queue = if message.is_bulk() { &link.bulk } else { &link.messages };
        if queue.try_send(message).is_err() {
            self.metrics.peer(to.get()).dropped.inc();
        }
    }
}

fn parse(context: &[u8]) -> Option<SocketAddr> {
    core::str::from_utf8(context).ok()?.parse().ok()
}

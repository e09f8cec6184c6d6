//! A store of one member: commands are applied at once, in memory.

use std::collections::BTreeMap;
use std::sync::Mutex;

use client::{Client, WatchStream};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use kv::api::{Error, Header, Request, Response, Status, WatchRequest, WatchResponse};
use kv::command::{Body, CallOrigin, Envelope, prepare};
use kv::{Kv, WatchHub, WatchId};
use mvcc::MemoryBacking;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio_stream::wrappers::UnboundedReceiverStream;

pub(crate) const MEMBER_ID: u64 = 0xbad_cafe;
pub(crate) const TERM: u64 = 3;

/// The store. Its index stands for every index of a log.
pub(crate) struct Member {
    state: Mutex<State>,
}

struct State {
    kv: Kv<MemoryBacking>,
    hub: WatchHub,
    index: u64,
    leader: Option<u64>,
    watchers: BTreeMap<WatchId, UnboundedSender<Result<WatchResponse, Error>>>,
}

impl Member {
    pub(crate) fn new() -> Self {
        let kv = Kv::open(MemoryBacking::default()).unwrap();
        let mut hub = WatchHub::new();
        hub.set_raft_term(TERM);
        let leader = Some(MEMBER_ID);
        let state = State { kv, hub, index: 0, leader, watchers: BTreeMap::new() };
        Self { state: Mutex::new(state) }
    }

    /// What the member says about the leader from now on.
    pub(crate) fn set_leader(&self, leader: Option<u64>) {
        self.state.lock().unwrap().leader = leader;
    }

    /// Breaks all watches off, as a member does that stops.
    pub(crate) fn break_watches(&self) {
        for (_, watcher) in std::mem::take(&mut self.state.lock().unwrap().watchers) {
            let _gone = watcher.send(Err(Error::Stopped));
        }
    }

    /// Tells idle watches that nothing happened.
    pub(crate) fn notify_idle(&self) {
        let mut state = self.state.lock().unwrap();
        state.hub.notify_idle();
        state.hand_on();
    }

    /// Does a request as the voting system inside the process would.
    pub(crate) fn ask(&self, request: Request) -> Result<Response, Error> {
        self.state.lock().unwrap().ask(request)
    }
}

impl State {
    fn ask(&mut self, request: Request) -> Result<Response, Error> {
        request.check()?;
        if request == Request::Status {
            return Ok(Response::Status(self.status()));
        }
        if !request.is_write() {
            return self.kv.read(&request, TERM);
        }
        self.index += 1;
        let origin = CallOrigin { member: MEMBER_ID, incarnation: 1, call: self.index };
        let envelope = Envelope { origin, body: Body::Write(prepare(request, self.index * 2)) };
        let applied = self.kv.apply(self.index, TERM, &envelope).unwrap();
        self.hub.publish(&self.kv, &applied.events).unwrap();
        self.hand_on();
        applied.result
    }

    fn status(&self) -> Status {
        Status {
            header: Header { revision: self.kv.revision(), raft_term: TERM },
            member_id: MEMBER_ID,
            leader: self.leader,
            raft_index: self.index,
            raft_applied_index: self.index,
            raft_commit_index: self.index,
            db_size: 2000,
            db_size_in_use: 1000,
            voters: vec![MEMBER_ID],
        }
    }

    fn hand_on(&mut self) {
        while self.hub.catch_up(&self.kv, 1000).unwrap() {}
        loop {
            let taken = self.hub.take_ready(|_| 1);
            if taken.is_empty() && !self.hub.can_catch_up() {
                break;
            }
            for (id, response) in taken {
                let gone = self.watchers.get(&id).is_none_or(|w| w.send(Ok(response)).is_err());
                if gone {
                    self.hub.cancel(id);
                }
            }
            self.hub.catch_up(&self.kv, 1000).unwrap();
        }
    }
}

impl Client for Member {
    fn call(&self, request: Request) -> BoxFuture<'_, Result<Response, Error>> {
        async { self.ask(request) }.boxed()
    }

    fn watch(&self, request: WatchRequest) -> BoxFuture<'_, Result<WatchStream, Error>> {
        async {
            let mut state = self.state.lock().unwrap();
            let (sender, receiver) = unbounded_channel();
            let State { kv, hub, watchers, .. } = &mut *state;
            watchers.insert(hub.create(request, kv), sender);
            state.hand_on();
            Ok(UnboundedReceiverStream::new(receiver).boxed())
        }
        .boxed()
    }
}

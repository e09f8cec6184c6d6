//! Gateways on free ports of loopback, over one store in memory that they share.

use authority::{Authority, Config};
use bytes::Bytes;
use client::Client;
use client::local::{LocalClient, Operation, Watch};
use election::{ElectionId, keys};
use gateway::life::Vitals;
use gateway::{AdminToken, Asset, Assets, Gateway, Journal, NodeFacts, Settings, Standing};
use kv::Kv;
use kv::api::{Error, Event, Header, LeaseGrantRequest, PutRequest, Request, WatchResponse};
use kv::command::{Body, CallOrigin, Envelope};
use mvcc::MemoryBacking;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use tokio::sync::{mpsc, oneshot};

pub(crate) const TOKEN: &str = "0123456789abcdef0123";

/// An answer, read whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    /// The value of a header.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// Fails unless the answer has this status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.body);
        self
    }
}

struct Forgetful;

impl Journal for Forgetful {
    fn append(&mut self, _: &[u8]) -> Result<(), String> {
        Ok(())
    }

    fn sync(&mut self) -> Result<(), String> {
        Ok(())
    }
}

/// The store that all nodes of a test share.
#[derive(Clone)]
pub(crate) struct Store {
    client: LocalClient,
    state: Arc<Mutex<Kv<MemoryBacking>>>,
}

impl Store {
    pub(crate) fn new() -> Self {
        let state = Arc::new(Mutex::new(Kv::open(MemoryBacking::default()).expect("empty")));
        let (client, operations) = client::local::channel();
        let served = Arc::clone(&state);
        std::thread::spawn(move || Serving::new(served).run(operations));
        Self { client, state }
    }

    /// Appends entries to an election's ledger, as an authority would.
    pub(crate) fn append(&self, id: ElectionId, entries: &[Bytes]) {
        let put = |key: Vec<u8>, value: Bytes| {
            let key = Bytes::from(key);
            let request = PutRequest { key, value, ..PutRequest::default() };
            let runtime = tokio::runtime::Builder::new_current_thread().build();
            let done =
                runtime.expect("a runtime").block_on(self.client.call(Request::Put(request)));
            done.expect("the store takes it");
        };
        for (number, entry) in (1..).zip(entries) {
            put(keys::Key::Entry(number).of(id), entry.clone());
        }
        let head = keys::encode_head(entries.len() as u64);
        put(keys::Key::Head.of(id), Bytes::copy_from_slice(&head));
        put(keys::directory(id), Bytes::new());
    }

    pub(crate) fn revision(&self) -> i64 {
        self.state.lock().expect("no panic under the lock").revision()
    }
}

/// What a node sees of its cluster.
pub(crate) struct Place {
    /// Who belongs to it.
    pub(crate) members: Vec<u8>,
    /// Who leads the store.
    pub(crate) leader: Option<u64>,
    /// The store that the node's authority follows: another one, and it hears of nothing.
    pub(crate) authority: Store,
}

/// One node.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) gateway: Gateway,
    store: Store,
    stop: Option<oneshot::Sender<()>>,
}

impl Server {
    /// One node alone.
    pub(crate) fn start() -> Self {
        Self::with_pages(&[])
    }

    /// One node alone with these pages, whichever were built into this test.
    pub(crate) fn with_pages(pages: &'static [Asset]) -> Self {
        let settings = Settings { assets: Assets(pages), ..Settings::default() };
        Self::node(1, &Store::new(), settings, Standing::Permanent)
    }

    /// A node of a cluster.
    pub(crate) fn node(index: u8, store: &Store, settings: Settings, standing: Standing) -> Self {
        let place = Place { members: vec![index], leader: Some(1), authority: store.clone() };
        Self::node_at(index, store, (settings, standing), place)
    }

    /// A node of a cluster that sees what `place` says.
    pub(crate) fn node_at(
        index: u8,
        store: &Store,
        settings: (Settings, Standing),
        place: Place,
    ) -> Self {
        Self::node_with_token(index, store, settings, (place, TOKEN))
    }

    /// The same with an operator's token of its own.
    pub(crate) fn node_with_token(
        index: u8,
        store: &Store,
        (settings, standing): (Settings, Standing),
        (place, token): (Place, &str),
    ) -> Self {
        let name = authority::testing::key_name(index);
        let authority = Authority::new(
            Config::new(index, &name, [7; 32]),
            &authority::testing::key_seed(index),
            [],
        )
        .expect("a fresh authority");
        let authority_key = authority.key().to_string();
        let client: Arc<dyn client::Client> = Arc::new(store.client.clone());
        let failed = |reason| panic!("{reason}");
        let journal = Box::new(Forgetful);
        let followed: Arc<dyn client::Client> = Arc::new(place.authority.client.clone());
        let handle =
            gateway::runner::start(authority, journal, followed, failed).expect("a thread");
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("a socket option");
        let address = listener.local_addr().expect("bound");
        let facts = NodeFacts {
            node: index.into(),
            name,
            version: "test".to_owned(),
            authority_key,
            cluster: 7,
            addresses: vec![("web".to_owned(), address)],
        };
        let member = |member: &u8| (u64::from(*member), "127.0.0.1:1".to_owned(), true);
        let members = place.members.iter().map(member).collect();
        let vitals = Vitals { leader: place.leader, members, ..Vitals::default() };
        let token = AdminToken::parse(token, standing).expect("long enough");
        let probe = Arc::new(move || vitals.clone());
        let gateway = Gateway::new((handle, client), token, facts, settings, probe)
            .expect("settings that work");
        let (stop, stopped) = oneshot::channel();
        let served = gateway.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).expect("bound");
                tokio::select! {
                    served = served.serve(listener, std::future::pending()) => drop(served),
                    // As a killed process: every connection breaks at once.
                    _ = stopped => {}
                }
            });
        });
        let server = Self { address, gateway, store: store.clone(), stop: Some(stop) };
        server.wait(|| server.get("/api/v1/session").status == 401);
        server
    }

    /// Kills the node.
    pub(crate) fn kill(&mut self) {
        self.stop = None;
    }

    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// Waits until something is so.
    pub(crate) fn wait(&self, is_so: impl Fn() -> bool) {
        let started = std::time::Instant::now();
        while !is_so() {
            assert!(started.elapsed().as_secs() < 60, "it does not become so");
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.request("GET", path, &[], "")
    }

    /// A call with a bearer token and, if it is not empty, a JSON body.
    pub(crate) fn call(&self, method: &str, path: &str, token: &str, body: &str) -> Answer {
        let bearer = format!("Bearer {token}");
        let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
        self.request(method, path, &headers, body)
    }

    pub(crate) fn request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> Answer {
        let mut request =
            format!("{method} {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n");
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
        let bytes = self.raw(request.as_bytes());
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").expect("an HTTP answer");
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok());
        Answer { status: status.expect("a status"), head: head.to_owned(), body: body.to_owned() }
    }

    pub(crate) fn raw(&self, bytes: &[u8]) -> Vec<u8> {
        let mut stream = TcpStream::connect(self.address).expect("the server listens");
        // A server that keeps silent has refused, too.
        let patience = Some(std::time::Duration::from_secs(30));
        stream.set_read_timeout(patience).expect("a socket option");
        // A server that has refused may close before everything is written.
        let _ = stream.write_all(bytes);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        answer
    }

    /// Makes an account with the operator's token.
    pub(crate) fn account(&self, name: &str, grants: Value) {
        let body = serde_json::json!({
            "name": name, "display": name, "password": PASSWORD, "grants": grants,
        });
        self.call("POST", "/api/v1/accounts", TOKEN, &body.to_string()).expect(201);
    }

    /// Logs in and gives the whole answer.
    pub(crate) fn login(&self, name: &str) -> Answer {
        let body = serde_json::json!({ "name": name, "password": PASSWORD }).to_string();
        let headers = [("Content-Type", "application/json")];
        self.request("POST", "/api/v1/login", &headers, &body)
    }

    /// Logs in and gives the access token.
    pub(crate) fn token(&self, name: &str) -> String {
        let answer = self.login(name).expect(200).json();
        answer["access_token"].as_str().expect("a token").to_owned()
    }
}

/// The password of every account in these tests.
pub(crate) const PASSWORD: &str = "a sentence that nobody guesses";

/// The thread of the store: answers calls, feeds watches.
struct Serving {
    state: Arc<Mutex<Kv<MemoryBacking>>>,
    past: Vec<(i64, Vec<Event>)>,
    watches: Vec<Watch>,
}

impl Serving {
    fn new(state: Arc<Mutex<Kv<MemoryBacking>>>) -> Self {
        Self { state, past: Vec::new(), watches: Vec::new() }
    }

    fn run(mut self, mut operations: mpsc::Receiver<Operation>) {
        for index in 1.. {
            match operations.blocking_recv() {
                None => return,
                Some(Operation::Watch(watch)) => self.open(watch),
                Some(Operation::Call(call)) => {
                    let result = self.answer(call.request, index);
                    let _ = call.reply.send(result);
                }
            }
        }
    }

    fn answer(&mut self, request: Request, index: u64) -> Result<kv::api::Response, Error> {
        let mut state = self.state.lock().expect("no panic under the lock");
        match request {
            Request::Status => Err(Error::NoLeader),
            request if request.is_write() => {
                let request = with_lease_id(request, index);
                let origin = CallOrigin { member: 1, incarnation: 1, call: index };
                let envelope = Envelope { origin, body: Body::Write(request) };
                let applied = state.apply(index, 1, &envelope).expect("the memory works");
                drop(state);
                for revision in applied.events {
                    self.publish(revision.revision, &revision.events);
                    self.past.push((revision.revision, revision.events));
                }
                applied.result
            }
            request => state.read(&request, 1),
        }
    }

    fn open(&mut self, watch: Watch) {
        let header = Header { revision: 0, raft_term: 1 };
        let _ = watch.sender.blocking_send(WatchResponse::Created { header });
        let start = watch.request.start_revision;
        let missed = self.past.iter().filter(|(revision, _)| start > 0 && *revision >= start);
        for (revision, events) in missed {
            tell(&watch, *revision, events);
        }
        self.watches.push(watch);
    }

    fn publish(&mut self, revision: i64, events: &[Event]) {
        self.watches.retain(|watch| !watch.sender.is_closed());
        self.watches.iter().for_each(|watch| tell(watch, revision, events));
    }
}

/// A member that takes a call picks the id of a new lease.
fn with_lease_id(request: Request, index: u64) -> Request {
    match request {
        Request::LeaseGrant(LeaseGrantRequest { ttl, id: 0 }) => {
            let id = i64::try_from(index).expect("few calls") + 1_000_000;
            Request::LeaseGrant(LeaseGrantRequest { ttl, id })
        }
        other => other,
    }
}

fn tell(watch: &Watch, revision: i64, events: &[Event]) {
    let range = &watch.request.range;
    let events: Vec<Event> =
        events.iter().filter(|event| range.contains(&event.kv.key)).cloned().collect();
    if !events.is_empty() {
        let header = Header { revision, raft_term: 1 };
        let _ = watch.sender.blocking_send(WatchResponse::Events { header, events });
    }
}

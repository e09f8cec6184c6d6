//! A gateway on a free port of loopback, over an authority whose store is `kv` in memory.

use authority::{Authority, Config};
use client::local::Operation;
use gateway::{AdminToken, Gateway, Journal, NodeFacts};
use kv::Kv;
use kv::api::{Error, Request};
use kv::command::{Body, CallOrigin, Envelope};
use mvcc::MemoryBacking;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

pub(crate) struct Server {
    address: SocketAddr,
    store: Arc<Mutex<Kv<MemoryBacking>>>,
    revision_at_start: i64,
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

impl Server {
    pub(crate) fn start(token: &str) -> Self {
        let store = Arc::new(Mutex::new(Kv::open(MemoryBacking::default()).expect("empty")));
        let (client, operations) = client::local::channel();
        let served = Arc::clone(&store);
        std::thread::spawn(move || serve_store(&served, operations));
        let authority = Authority::new(Config::new(1, "node-1.test", [7; 32]), &[9; 32], [])
            .expect("a fresh authority");
        let key = authority.key().to_string();
        let client: Arc<dyn client::Client> = Arc::new(client);
        let handle =
            gateway::runner::start(authority, Box::new(Forgetful), Arc::clone(&client), |reason| {
                panic!("{reason}")
            })
            .expect("a thread");
        let facts = NodeFacts { node: 1, version: "test".to_owned(), authority_key: key };
        let token = AdminToken::parse(token).expect("long enough");
        let gateway = Gateway::new(handle, client, token, facts);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.set_nonblocking(true).expect("a socket option");
        let address = listener.local_addr().expect("bound");
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).expect("bound");
                gateway.serve(listener, std::future::pending()).await
            })
        });
        let mut server = Self { address, store, revision_at_start: 0 };
        // The authority publishes its key first; afterwards an idle store does not change.
        while server.store_revision() < 2 {
            std::thread::yield_now();
        }
        server.revision_at_start = server.store_revision();
        server
    }

    pub(crate) fn store_revision(&self) -> i64 {
        self.store.lock().expect("no panic under the lock").revision()
    }

    pub(crate) fn revision_at_start(&self) -> i64 {
        self.revision_at_start
    }

    pub(crate) fn get(&self, path: &str) -> Answer {
        self.request("GET", path, &[], "")
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
        let patience = Some(std::time::Duration::from_secs(5));
        stream.set_read_timeout(patience).expect("a socket option");
        // A server that has refused may close before everything is written.
        let _ = stream.write_all(bytes);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        answer
    }
}

/// Answers every operation from the one state; watches stay open and silent.
fn serve_store(
    store: &Mutex<Kv<MemoryBacking>>,
    mut operations: tokio::sync::mpsc::Receiver<Operation>,
) {
    let mut open = Vec::new();
    for index in 1.. {
        match operations.blocking_recv() {
            None => return,
            Some(Operation::Watch(watch)) => open.push(watch),
            Some(Operation::Call(call)) => {
                let mut store = store.lock().expect("no panic under the lock");
                let result = match call.request {
                    Request::Status => Err(Error::NoLeader),
                    request if request.is_write() => {
                        let origin = CallOrigin { member: 1, incarnation: 1, call: index };
                        let envelope = Envelope { origin, body: Body::Write(request) };
                        store.apply(index, 1, &envelope).expect("the memory works").result
                    }
                    request => store.read(&request, 1),
                };
                let _ = call.reply.send(result);
            }
        }
    }
}

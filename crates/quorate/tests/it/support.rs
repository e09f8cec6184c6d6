//! Processes, ports and folders for the tests.

use client::Client;
use client::etcd::EtcdClient;
use kv::api::{Error, KeyRange, PutRequest, RangeRequest, Request, Response};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Everything here is slow on a busy machine; nothing waits longer than this.
pub(crate) const DEADLINE: Duration = Duration::from_secs(300);

const POLL: Duration = Duration::from_millis(20);

/// These tests start whole clusters: one at a time.
pub(crate) fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The binary under test, deaf to the settings of whoever runs the tests.
pub(crate) fn quorate() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_quorate"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("QUORATE_") {
            command.env_remove(name);
        }
    }
    command.stdin(Stdio::null());
    command
}

/// Runs the binary to its end.
pub(crate) fn run(arguments: &[&str]) -> Output {
    quorate().args(arguments).output().expect("the binary starts")
}

/// Both outputs of a process as text, for messages.
pub(crate) fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    format!("{}{}", text(&output.stdout), text(&output.stderr))
}

/// Polls until `ready` gives something.
pub(crate) fn wait_for<T>(what: &str, mut ready: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    while started.elapsed() < DEADLINE {
        if let Some(found) = ready() {
            return found;
        }
        std::thread::sleep(POLL);
    }
    panic!("not in {DEADLINE:?}: {what}");
}

/// A process that does not outlive its handle.
pub(crate) struct Process(pub(crate) Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Process {
    pub(crate) fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(self.0.id() as i32).expect("a process has an id");
        kill_process(pid, signal).expect("the process is there");
    }

    pub(crate) fn wait(&mut self) -> ExitStatus {
        wait_for("the end of a process", || self.0.try_wait().expect("own child"))
    }
}

/// Where one node listens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Addresses {
    pub(crate) peer: SocketAddr,
    pub(crate) client: SocketAddr,
    pub(crate) web: SocketAddr,
    pub(crate) admin: SocketAddr,
}

/// Free ports below those that outgoing connections get, so that none takes the place of a node
/// while it is away. No two calls get the same: tests run at the same time.
pub(crate) fn free_addresses(count: usize) -> Vec<Addresses> {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let candidates = (0..10_000).map(|_| {
        let step = std::process::id().wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
        10_000 + (step % 10_000) as u16
    });
    let held: Vec<TcpListener> = candidates
        .filter_map(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok())
        .take(count * 4)
        .collect();
    let found: Vec<SocketAddr> =
        held.iter().map(|listener| listener.local_addr().expect("bound")).collect();
    let four = |four: &[SocketAddr]| Addresses {
        peer: four[0],
        client: four[1],
        web: four[2],
        admin: four[3],
    };
    found.chunks_exact(4).map(four).collect()
}

/// Nodes of one cluster in a folder of their own.
pub(crate) struct Nodes {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) addresses: Vec<Addresses>,
    pub(crate) processes: Vec<Option<Process>>,
}

impl Nodes {
    /// Starts `count` nodes and waits until they are ready.
    pub(crate) fn start(count: usize) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let addresses = free_addresses(count);
        let processes = (0..count).map(|_| None).collect();
        let mut nodes = Self { folder, addresses, processes };
        nodes.start_all();
        nodes
    }

    /// Starts all that are not running.
    pub(crate) fn start_all(&mut self) {
        for place in 0..self.addresses.len() {
            if self.processes[place].is_none() {
                let process = self.command(place, quorate()).spawn().expect("the binary starts");
                self.processes[place] = Some(Process(process));
            }
        }
        self.wait_ready();
    }

    /// `quorate serve` for one node, after whatever `command` starts with.
    pub(crate) fn command(&self, place: usize, mut command: Command) -> Command {
        let members = (1..).zip(&self.addresses);
        let members: Vec<String> =
            members.map(|(id, addresses)| format!("{id}={}", addresses.peer)).collect();
        let addresses = self.addresses[place];
        let id = place + 1;
        command
            .arg("serve")
            .arg(format!("--node-id={id}"))
            .arg(format!("--cluster={}", members.join(",")))
            .arg(format!("--client={}", addresses.client))
            .arg(format!("--web={}", addresses.web))
            .arg(format!("--admin={}", addresses.admin))
            .arg(format!("--data-dir={}", self.data_dir(place).display()))
            .stdout(self.log(id, "out"))
            .stderr(self.log(id, "log"));
        command
    }

    fn log(&self, id: usize, suffix: &str) -> File {
        let path = self.folder.path().join(format!("node-{id}.{suffix}"));
        File::options().create(true).append(true).open(path).expect("a log file")
    }

    pub(crate) fn data_dir(&self, place: usize) -> PathBuf {
        self.folder.path().join(format!("node-{}", place + 1))
    }

    /// Waits until every node says that it is ready.
    pub(crate) fn wait_ready(&mut self) {
        for place in 0..self.addresses.len() {
            let url = format!("http://{}/readyz", self.addresses[place].admin);
            wait_for("a node to be ready", || {
                let process = self.processes[place].as_mut().expect("started");
                if let Some(status) = process.0.try_wait().expect("own child") {
                    let log = self.folder.path().join(format!("node-{}.log", place + 1));
                    let log = std::fs::read_to_string(log).unwrap_or_default();
                    panic!("node {} has ended: {status}\n{log}", place + 1);
                }
                http_status(&url).filter(|status| *status == 200)
            });
        }
    }

    /// SIGKILL for all, at once.
    pub(crate) fn kill_all(&mut self) {
        let mut processes: Vec<Process> =
            self.processes.iter_mut().filter_map(Option::take).collect();
        for process in &mut processes {
            process.0.kill().expect("own child");
        }
    }

    pub(crate) fn client_addresses(&self) -> Vec<String> {
        self.addresses.iter().map(|addresses| addresses.client.to_string()).collect()
    }
}

/// The status of a GET, if anybody answers.
pub(crate) fn http_status(url: &str) -> Option<u16> {
    block_on(async {
        let answer = http().get(url).send().await.ok()?;
        Some(answer.status().as_u16())
    })
}

/// The body of a GET that must succeed.
pub(crate) fn http_body(url: &str) -> String {
    block_on(async {
        let answer = http().get(url).send().await.expect("an answer");
        assert!(answer.status().is_success(), "{url}: {}", answer.status());
        answer.text().await.expect("a body")
    })
}

/// The body of a GET with a bearer token, if it succeeds.
pub(crate) fn get_as(url: &str, token: &str) -> Option<String> {
    block_on(async {
        let answer = http().get(url).bearer_auth(token).send().await.ok()?;
        if answer.status().is_success() { answer.text().await.ok() } else { None }
    })
}

/// A POST, whatever becomes of it.
pub(crate) fn post(url: &str, body: &'static str) -> u16 {
    block_on(async {
        let answer = http().post(url).body(body).send().await.expect("an answer");
        answer.status().as_u16()
    })
}

fn http() -> reqwest::Client {
    gateway::install_tls();
    let builder = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5));
    builder.build().expect("an HTTP client")
}

/// Runs to the end on a runtime of its own.
pub(crate) fn block_on<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(future)
}

/// A put.
pub(crate) fn put(key: impl Into<bytes::Bytes>, value: impl Into<bytes::Bytes>) -> Request {
    let (key, value) = (key.into(), value.into());
    Request::Put(PutRequest { key, value, ..PutRequest::default() })
}

/// The value of a key, read by the quorum.
pub(crate) async fn get(store: &EtcdClient, key: &str) -> Result<Option<bytes::Bytes>, Error> {
    let range = KeyRange::single(key.to_owned());
    let request = Request::Range(RangeRequest { range, ..RangeRequest::default() });
    match store.call(request).await? {
        Response::Range(found) => Ok(found.kvs.into_iter().next().map(|kv| kv.value)),
        other => panic!("a range was asked for, not {other:?}"),
    }
}

/// Every file below a folder.
pub(crate) fn files_below(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    files
}

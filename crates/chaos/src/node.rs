//! One server process: started, looked at, stopped and killed.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use tokio::time::sleep;

use crate::failure::Failure;
use crate::http;

/// A killed process must be gone after this time.
const GONE_MAX: Duration = Duration::from_secs(20);

/// Between two looks at a process.
const LOOK_EVERY: Duration = Duration::from_millis(3);

/// Lines of a node's output that are told when it ended by itself.
const LAST_LINES: usize = 6;

/// The addresses of one node.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Addresses {
    pub(crate) peer: SocketAddr,
    pub(crate) client: SocketAddr,
    pub(crate) web: SocketAddr,
    pub(crate) admin: SocketAddr,
}

/// How a node is started, the same each time.
#[derive(Clone, Debug)]
pub(crate) struct Recipe {
    pub(crate) program: PathBuf,
    /// What stands before the program, to enter a network namespace.
    pub(crate) prefix: Vec<String>,
    /// The place of the node: its addresses, disk and namespace.
    pub(crate) number: usize,
    /// Its id in the cluster, a new one each time another node is taken in at this place.
    pub(crate) member: u64,
    /// The id of the cluster that takes it in, unless it is a founding member.
    pub(crate) joins: Option<String>,
    /// The members that it is told of.
    pub(crate) members: BTreeMap<u64, SocketAddr>,
    pub(crate) own: Addresses,
    pub(crate) data: PathBuf,
    /// File with the administrators' token, the same for all.
    pub(crate) token: PathBuf,
    pub(crate) log: PathBuf,
    /// Variables of the environment, to fake the clock.
    pub(crate) variables: Vec<(String, String)>,
    pub(crate) election_ms: u64,
}

impl Recipe {
    fn command(&self) -> Command {
        let mut command = match self.prefix.split_first() {
            None => Command::new(&self.program),
            Some((first, rest)) => {
                let mut command = Command::new(first);
                command.args(rest).arg(&self.program);
                command
            }
        };
        let list: Vec<String> =
            self.members.iter().map(|(member, peer)| format!("{member}={peer}")).collect();
        let own = self.own;
        command.args(["serve", "--node-id", &self.member.to_string()]);
        if let Some(cluster) = &self.joins {
            command.args(["--join", "--cluster-id", cluster]);
        }
        command.arg("--admin-token-file").arg(&self.token);
        command.args(["--cluster", &list.join(","), "--client", &own.client.to_string()]);
        command.args(["--web", &own.web.to_string(), "--admin", &own.admin.to_string()]);
        command.args(["--election-ms", &self.election_ms.to_string()]);
        command.arg("--data-dir").arg(&self.data);
        // Settings of whoever runs this must not reach the nodes.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("QUORATE_") {
                command.env_remove(name);
            }
        }
        command.env("QUORATE_LOG", "warn");
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }
}

/// A node of the cluster, running or not.
#[derive(Debug)]
pub(crate) struct Node {
    recipe: Recipe,
    process: Option<Child>,
    /// How often it was started.
    pub(crate) starts: u64,
}

impl Drop for Node {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            // An error means that it has ended already.
            let _ended = process.kill();
            let _ended = process.wait();
        }
    }
}

impl Node {
    pub(crate) fn new(recipe: Recipe) -> Self {
        Self { recipe, process: None, starts: 0 }
    }

    pub(crate) fn own(&self) -> Addresses {
        self.recipe.own
    }

    /// Its id in the cluster.
    pub(crate) fn member(&self) -> u64 {
        self.recipe.member
    }

    /// The next start is that of a new node, `member`, which is to be taken in.
    pub(crate) fn become_newcomer(
        &mut self,
        member: u64,
        cluster: String,
        mut members: BTreeMap<u64, SocketAddr>,
    ) {
        members.insert(member, self.recipe.own.peer);
        self.recipe.data.set_file_name(format!("data-{member}"));
        self.recipe = Recipe { member, joins: Some(cluster), members, ..self.recipe.clone() };
    }

    /// Starts the process, unless it runs.
    pub(crate) fn start(&mut self) -> Result<(), Failure> {
        if self.process.is_some() {
            return Ok(());
        }
        let cannot = || format!("cannot start {}", self.recipe.program.display());
        let log = OpenOptions::new().create(true).append(true).open(&self.recipe.log);
        let log = log.map_err(Failure::because(cannot()))?;
        let errors = log.try_clone().map_err(Failure::because(cannot()))?;
        let mut command = self.recipe.command();
        let spawned = command.stdin(Stdio::null()).stdout(log).stderr(errors).spawn();
        self.process = Some(spawned.map_err(Failure::because(cannot()))?);
        self.starts += 1;
        Ok(())
    }

    fn pid(&self) -> Option<Pid> {
        Pid::from_raw(i32::try_from(self.process.as_ref()?.id()).ok()?)
    }

    /// Lets strace make one of the next syncs fail; the tracer, to be ended by the caller.
    pub(crate) fn inject_sync_error(&self, after: u32) -> Result<Child, Failure> {
        let id = self.process.as_ref().map_or(0, Child::id);
        let inject = format!("inject=fdatasync,fsync:error=EIO:when={}", after + 1);
        let mut command = Command::new("strace");
        command.args([
            "-f",
            "-qq",
            "-o",
            "/dev/null",
            "-e",
            "trace=fdatasync,fsync",
            "-e",
            &inject,
        ]);
        command.args(["-p", &id.to_string()]).stdin(Stdio::null());
        let spawned = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        spawned.map_err(Failure::because("cannot start strace"))
    }

    /// Sends a signal; whether there was a process to take it.
    pub(crate) fn signal(&self, signal: Signal) -> bool {
        self.pid().is_some_and(|pid| kill_process(pid, signal).is_ok())
    }

    /// Whether the process runs; how it ended when it just did.
    pub(crate) fn ended(&mut self) -> Result<Option<ExitStatus>, Failure> {
        let Some(process) = &mut self.process else { return Ok(None) };
        let status = process.try_wait().map_err(Failure::because("cannot look at a node"))?;
        if status.is_some() {
            self.process = None;
        }
        Ok(status)
    }

    pub(crate) fn is_running(&self) -> bool {
        self.process.is_some()
    }

    /// Waits until the process has ended; `None` when it did not run.
    pub(crate) async fn gone(&mut self) -> Result<Option<ExitStatus>, Failure> {
        let until = Instant::now() + GONE_MAX;
        while self.is_running() {
            if let Some(status) = self.ended()? {
                return Ok(Some(status));
            }
            if Instant::now() > until {
                let text =
                    format!("node {} is not gone {GONE_MAX:?} after SIGKILL", self.recipe.number);
                return Err(Failure::new(text));
            }
            sleep(LOOK_EVERY).await;
        }
        Ok(None)
    }

    /// Whether the kernel says that the process is stopped.
    pub(crate) fn is_stopped(&self) -> bool {
        let Some(process) = &self.process else { return false };
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.id()));
        // The state follows the name, which is in brackets.
        stat.is_ok_and(|stat| stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('T')))
    }

    /// Whether the node answers within `time`.
    pub(crate) async fn answers(&self, time: Duration) -> bool {
        http::get(self.own().admin, "/livez", time).await.is_some()
    }

    /// The last lines the node wrote.
    pub(crate) fn last_words(&self) -> String {
        let log = std::fs::read(&self.recipe.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log).into_owned();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(LAST_LINES)..].join("\n")
    }
}

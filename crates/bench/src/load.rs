//! The load: the same code, requests and connections for every system that is measured.
//!
//! *Closed loop*: each client sends its next request when the last one was answered, so the rate
//! is what the servers manage, and latency is that of a full house. *Open loop* (`gap`): requests
//! leave on time whatever becomes of the earlier ones, so a pause of the servers is seen whole.

use std::time::{Duration, Instant};

use base::Prng;
use bytes::Bytes;
use client::proto::etcdserverpb::kv_client::KvClient;
use client::proto::etcdserverpb::{PutRequest, RangeRequest};
use tokio::task::JoinSet;
use tonic::Status;
use tonic::transport::Channel;

use crate::clock::process_cpu;
use crate::cluster::Cluster;
use crate::failure::Failure;
use crate::stats::percentile;
use crate::usage::{Usage, device_written_bytes, folder_bytes};

/// Bytes of a key: `bench/` and a number.
pub(crate) const KEY_BYTES: usize = 28;

/// Bytes of a value.
pub(crate) const VALUE_BYTES: usize = 256;

/// Puts go to random ones of so many keys.
const KEYS: u64 = 100_000;

/// Reads go to random ones of so many keys, which are there.
pub(crate) const READ_KEYS: u64 = 2_000;

/// Clients share at least so many connections, spread evenly over the nodes.
const CONNECTIONS_MIN: usize = 16;

/// A client that is refused waits as long before it asks again.
const REFUSED_PAUSE: Duration = Duration::from_millis(5);

/// So long after the end an answer is still waited for.
const GRACE: Duration = Duration::from_secs(5);

/// What the clients ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Put,
    /// Whether any member may answer from what it has.
    Read {
        serializable: bool,
    },
}

/// How much load, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Load {
    pub(crate) operation: Operation,
    pub(crate) clients: usize,
    pub(crate) warm_up: Duration,
    pub(crate) measured: Duration,
}

/// What a run under load showed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Run {
    /// Answered requests.
    pub(crate) per_second: f64,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    /// CPU time of all servers and of the load generator, per 1000 answered requests.
    pub(crate) server_cpu_s: f64,
    pub(crate) generator_cpu_s: f64,
    /// Peak memory of the largest server.
    pub(crate) peak_mib: f64,
    /// Bytes that the disk wrote, for all programs, per byte of keys and values put on each server.
    pub(crate) written_ratio: Option<f64>,
    /// Disk space that the servers hold at the end, in the same unit.
    pub(crate) kept_ratio: f64,
}

/// The times at which a run begins to count and ends.
#[derive(Clone, Copy, Debug)]
struct Window {
    from: Instant,
    until: Instant,
}

/// What one client saw.
#[derive(Debug, Default)]
struct Seen {
    latencies: Vec<Duration>,
    /// Answered puts, those outside the window too.
    answered: u64,
    refused: u64,
    reason: Option<Status>,
}

/// Key number `number` of the benchmark.
pub(crate) fn key(number: u64) -> Bytes {
    Bytes::from(format!("bench/{number:022}"))
}

/// A value that does not compress.
pub(crate) fn value(random: &mut Prng) -> Bytes {
    let mut bytes = vec![0; VALUE_BYTES];
    random.fill(&mut bytes);
    Bytes::from(bytes)
}

/// Runs the load on a cluster that was just started.
pub(crate) async fn run(cluster: &Cluster, load: &Load) -> Result<Run, Failure> {
    let channels = connect(cluster, load.clients).await?;
    let begun = Instant::now();
    let from = begun + load.warm_up;
    let window = Window { from, until: from + load.measured };
    let mut clients = JoinSet::new();
    for number in 0..load.clients {
        let channel = channels[number % channels.len()].clone();
        let random = Prng::named(number as u64, "client");
        clients.spawn(client(KvClient::new(channel), load.operation, window, random));
    }
    let processes = cluster.processes();
    tokio::time::sleep_until(window.from.into()).await;
    let (servers_before, generator_before) = (Usage::of(&processes)?, process_cpu());
    let written_before = device_written_bytes(cluster.folder());
    tokio::time::sleep_until(window.until.into()).await;
    let (servers, generator) = (Usage::of(&processes)?, process_cpu());
    let written = device_written_bytes(cluster.folder());
    let all = join(clients, load.clients, window).await?;
    let kept = folder_bytes(cluster.folder()).map_err(Failure::because("cannot measure data"))?;

    let seconds = load.measured.as_secs_f64();
    let mut latencies: Vec<Duration> = all.iter().flat_map(|seen| seen.latencies.clone()).collect();
    latencies.sort_unstable();
    let answered_measured = latencies.len() as f64;
    let ms = |percent| percentile(&latencies, percent).unwrap_or_default().as_secs_f64() * 1e3;
    let payload = |answered: f64| {
        answered * (KEY_BYTES + VALUE_BYTES) as f64 * cluster.endpoints().len() as f64
    };
    let answered_ever = all.iter().map(|seen| seen.answered).sum::<u64>() as f64;
    let cpu = |seconds: f64| seconds * 1e3 / answered_measured;
    let written = written.zip(written_before).map(|(after, before)| after.saturating_sub(before));
    Ok(Run {
        per_second: answered_measured / seconds,
        p50_ms: ms(50),
        p99_ms: ms(99),
        server_cpu_s: cpu(servers.cpu_seconds - servers_before.cpu_seconds),
        generator_cpu_s: cpu((generator - generator_before).as_secs_f64()),
        peak_mib: servers.peak_mib(),
        written_ratio: written.map(|written| written as f64 / payload(answered_measured)),
        kept_ratio: kept as f64 / payload(answered_ever),
    })
}

/// Puts the keys that reads ask for.
pub(crate) async fn put_read_keys(cluster: &Cluster) -> Result<(), Failure> {
    let channels = connect(cluster, CONNECTIONS_MIN).await?;
    let mut puts = JoinSet::new();
    for (part, channel) in (0..).zip(channels.iter().cloned()) {
        let step = channels.len();
        puts.spawn(async move {
            let (mut kv, mut random) = (KvClient::new(channel), Prng::named(part, "read keys"));
            for number in (part..READ_KEYS).step_by(step) {
                let (key, value) = (key(number), value(&mut random));
                kv.put(PutRequest { key, value, ..PutRequest::default() }).await?;
            }
            Ok::<(), Status>(())
        });
    }
    for result in puts.join_all().await {
        result.map_err(Failure::because("cannot put the keys to read"))?;
    }
    Ok(())
}

/// Connections for so many clients: as many to each node.
async fn connect(cluster: &Cluster, clients: usize) -> Result<Vec<Channel>, Failure> {
    let nodes = cluster.endpoints().len();
    let mut channels = Vec::new();
    for number in 0..connections(nodes, clients) {
        channels.push(cluster.connect(number % nodes).await?);
    }
    Ok(channels)
}

/// A multiple of the nodes, at least [`CONNECTIONS_MIN`], but no more than clients.
fn connections(nodes: usize, clients: usize) -> usize {
    CONNECTIONS_MIN.next_multiple_of(nodes).min(clients)
}

async fn client(
    mut kv: KvClient<Channel>,
    operation: Operation,
    window: Window,
    mut random: Prng,
) -> Seen {
    let mut seen = Seen::default();
    let value = value(&mut random);
    loop {
        let begun = Instant::now();
        if begun >= window.until {
            return seen;
        }
        let result = ask(&mut kv, operation, &value, &mut random).await;
        let ended = Instant::now();
        match result {
            Ok(()) => {
                seen.answered += 1;
                if window.from <= ended && ended < window.until {
                    seen.latencies.push(ended - begun);
                }
            }
            Err(status) => {
                seen.refused += 1;
                seen.reason = Some(status);
                tokio::time::sleep(REFUSED_PAUSE).await;
            }
        }
    }
}

async fn ask(
    kv: &mut KvClient<Channel>,
    operation: Operation,
    value: &Bytes,
    random: &mut Prng,
) -> Result<(), Status> {
    match operation {
        Operation::Put => {
            let (key, value) = (key(random.below(KEYS)), value.clone());
            kv.put(PutRequest { key, value, ..PutRequest::default() }).await?;
        }
        Operation::Read { serializable } => {
            let key = key(random.below(READ_KEYS));
            let request = RangeRequest { key, serializable, ..RangeRequest::default() };
            let answer = kv.range(request).await?.into_inner();
            if answer.kvs.len() != 1 {
                return Err(Status::not_found("a key that was put is not there"));
            }
        }
    }
    Ok(())
}

/// Waits for the clients; tells refusals, and fails when a client hangs or nothing was answered.
async fn join(
    mut clients: JoinSet<Seen>,
    count: usize,
    window: Window,
) -> Result<Vec<Seen>, Failure> {
    let mut all = Vec::new();
    let collect = async {
        while let Some(result) = clients.join_next().await {
            all.push(result.map_err(Failure::because("a client broke"))?);
        }
        Ok::<(), Failure>(())
    };
    let in_time = tokio::time::timeout_at((window.until + GRACE).into(), collect).await;
    in_time.unwrap_or(Ok(()))?;
    if all.len() < count {
        let hang = count - all.len();
        return Err(Failure::new(format!("{hang} of {count} clients got no answer in {GRACE:?}")));
    }
    let refused: u64 = all.iter().map(|seen| seen.refused).sum();
    let reason = all.iter().find_map(|seen| seen.reason.as_ref()).map(ToString::to_string);
    let reason = reason.unwrap_or_else(|| "no answers".to_owned());
    if all.iter().all(|seen| seen.latencies.is_empty()) {
        return Err(Failure::new(format!("nothing was answered: {reason}")));
    }
    if refused > 0 {
        println!("  {refused} requests were refused, such as: {reason}");
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_values_have_the_sizes_that_payload_is_counted_by() {
        assert_eq!(key(0).len(), KEY_BYTES);
        assert_eq!(key(KEYS - 1).len(), KEY_BYTES);
        assert_eq!(value(&mut Prng::named(1, "value")).len(), VALUE_BYTES);
    }

    #[test]
    fn connections_are_spread_evenly() {
        let check = |nodes, clients, expect| assert_eq!(connections(nodes, clients), expect);
        check(1, 64, 16);
        check(3, 64, 18);
        check(5, 256, 20);
        check(3, 1, 1);
    }
}

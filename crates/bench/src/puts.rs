//! Requests from many clients at a time, on 1 and on 3 nodes, beside the same load on etcd.

use crate::arguments::Arguments;
use crate::cluster::{Cluster, System, Systems};
use crate::etcd;
use crate::failure::Failure;
use crate::figures::Figure;
use crate::load::{self, Load, Operation, Run};
use crate::paths::Paths;
use crate::stats::median;

/// etcd's own defaults, milliseconds; they do not matter while no leader fails.
const ETCD_TIMEOUTS_MS: (u32, u32) = (100, 1000);

/// One row of runs: what is asked, by how many, of how many nodes.
#[derive(Clone, Copy, Debug)]
struct Case {
    operation: Operation,
    nodes: usize,
    clients: usize,
}

/// What is told of a run: the end of the figure's name, its unit, the value, and whether it
/// concerns writes only.
type Metric = (&'static str, &'static str, fn(&Run) -> Option<f64>, bool);

const METRICS: [Metric; 8] = [
    ("rate", "requests/s", |run| Some(run.per_second), false),
    ("p50", "ms", |run| Some(run.p50_ms), false),
    ("p99", "ms", |run| Some(run.p99_ms), false),
    ("server_cpu", "CPU s/1000 requests", |run| Some(run.server_cpu_s), false),
    ("generator_cpu", "CPU s/1000 requests", |run| Some(run.generator_cpu_s), false),
    ("peak_memory", "MiB, largest server", |run| Some(run.peak_mib), false),
    ("disk_written", "bytes/payload byte", |run| run.written_ratio, true),
    ("disk_kept", "bytes/payload byte", |run| Some(run.kept_ratio), true),
];

fn cases(full: bool) -> Vec<Case> {
    let case = |operation, nodes, clients| Case { operation, nodes, clients };
    let mut all = vec![case(Operation::Put, 1, 64), case(Operation::Put, 3, 64)];
    if full {
        for nodes in [1, 3] {
            all.push(case(Operation::Put, nodes, 1));
            all.push(case(Operation::Put, nodes, 256));
            all.push(case(Operation::Read { serializable: false }, nodes, 64));
            all.push(case(Operation::Read { serializable: true }, nodes, 64));
        }
    }
    all
}

impl Case {
    fn name(&self) -> String {
        let operation = match self.operation {
            Operation::Put => "puts",
            Operation::Read { serializable: false } => "linearizable_reads",
            Operation::Read { serializable: true } => "serializable_reads",
        };
        let nodes =
            if self.nodes == 1 { "1_node".to_owned() } else { format!("{}_nodes", self.nodes) };
        let clients = if self.clients == 1 {
            "1_client".to_owned()
        } else {
            format!("{}_clients", self.clients)
        };
        format!("{operation}.{nodes}.{clients}")
    }
}

/// Runs every case.
pub(crate) async fn measure(
    arguments: &Arguments,
    systems: &Systems,
    paths: &Paths,
) -> Result<Vec<Figure>, Failure> {
    let ours = systems.ours()?;
    let mut etcd = systems.etcd(ETCD_TIMEOUTS_MS.0, ETCD_TIMEOUTS_MS.1);
    let mut figures = Vec::new();
    for case in cases(arguments.full) {
        let mut our_runs = Vec::new();
        let mut peer_runs = Vec::new();
        for pair in 1..=arguments.pairs {
            our_runs.push(one(&ours, &case, arguments, paths, pair).await?);
            let Some(system) = &etcd else { continue };
            match one(system, &case, arguments, paths, pair).await {
                Ok(run) => peer_runs.push(run),
                Err(failure) => {
                    // Our figures are figures without a peer too.
                    println!("  {}: no further runs of etcd: {failure}", case.name());
                    etcd = None;
                }
            }
        }
        figures.extend(summarize(&case, &our_runs, &peer_runs));
    }
    Ok(figures)
}

async fn one(
    system: &System,
    case: &Case,
    arguments: &Arguments,
    paths: &Paths,
    pair: u64,
) -> Result<Run, Failure> {
    let cluster = Cluster::start(system, case.nodes, paths).await?;
    if case.operation != Operation::Put {
        load::put_read_keys(&cluster).await?;
    }
    let load = Load {
        operation: case.operation,
        clients: case.clients,
        warm_up: arguments.warmed_up(),
        measured: arguments.measured(),
    };
    let run = load::run(&cluster, &load).await?;
    println!(
        "  {}, pair {pair} of {}, {}: {:.0}/s, p99 {:.1} ms, {:.3} CPU s/1000",
        case.name(),
        arguments.pairs,
        system.name(),
        run.per_second,
        run.p99_ms,
        run.server_cpu_s
    );
    Ok(run)
}

/// Medians of each metric.
fn summarize(case: &Case, ours: &[Run], peers: &[Run]) -> Vec<Figure> {
    let peer = format!("etcd {}", etcd::VERSION);
    let mut figures = Vec::new();
    for (end, unit, get, only_writes) in METRICS {
        if only_writes && case.operation != Operation::Put {
            continue;
        }
        let Some(value) = median(ours.iter().filter_map(get)) else { continue };
        let figure = Figure::new(format!("{}.{end}", case.name()), value, unit)
            .with_peer(&peer, median(peers.iter().filter_map(get)));
        figures.push(figure);
    }
    figures
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_say_the_load() {
        let names: Vec<_> = cases(true).iter().map(Case::name).collect();
        assert_eq!(names[..2], ["puts.1_node.64_clients", "puts.3_nodes.64_clients"]);
        assert!(names.contains(&"serializable_reads.3_nodes.64_clients".to_owned()));
        let unique: std::collections::BTreeSet<_> = names.iter().collect();
        assert_eq!(unique.len(), names.len());
        assert_eq!(cases(false).len(), 2);
    }

    #[test]
    fn medians_stand_beside_the_peers_and_reads_have_no_disk_rows() {
        let run = |per_second| Run { per_second, written_ratio: Some(2.0), ..Run::default() };
        let case = Case { operation: Operation::Put, nodes: 3, clients: 64 };
        let ours = [run(100.0), run(900.0), run(300.0)];
        let figures = summarize(&case, &ours, &[run(150.0)]);
        assert_eq!(figures.len(), METRICS.len());
        let rate = &figures[0];
        assert_eq!((rate.name.as_str(), rate.value), ("puts.3_nodes.64_clients.rate", 300.0));
        assert_eq!((rate.peer.as_deref(), rate.peer_value), (Some("etcd 3.5.1"), Some(150.0)));

        let case = Case { operation: Operation::Read { serializable: true }, ..case };
        let figures = summarize(&case, &ours, &[]);
        assert!(figures.iter().all(|figure| !figure.name.contains("disk")));
        assert_eq!(figures[0].peer, None);
    }
}

//! Members that come and go, and the last resort, by the commands that a person types.

use crate::support::{
    Nodes, Process, block_on, get, http_body, put, quorate, said, turn, wait_for,
};
use client::Client;
use client::etcd::EtcdClient;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Three nodes, and room for a fourth that joins.
struct Cluster {
    nodes: Nodes,
    token: PathBuf,
}

impl Cluster {
    fn start() -> Self {
        let nodes = Nodes::start(3);
        let token = nodes.data_dir(0).join("admin-token");
        // One token for all, so that one file opens every door.
        for place in 1..3 {
            std::fs::copy(&token, nodes.data_dir(place).join("admin-token")).expect("a token");
        }
        let mut cluster = Self { nodes, token };
        cluster.nodes.kill_all();
        cluster.nodes.start_all();
        cluster
    }

    fn admin(&self) -> String {
        let admin: Vec<String> =
            self.nodes.addresses.iter().map(|addresses| addresses.admin.to_string()).collect();
        admin.join(",")
    }

    fn command(&self, arguments: &[&str]) -> Output {
        let mut command = quorate();
        command.arg("cluster").arg("--admin").arg(self.admin());
        command.arg("--token-file").arg(&self.token).args(arguments);
        command.output().expect("the binary runs")
    }

    fn id(&self) -> String {
        let view = http_body(&format!("http://{}/cluster", self.nodes.addresses[0].admin));
        let view: serde_json::Value = serde_json::from_str(&view).expect("JSON");
        view["cluster"].as_str().expect("an id").to_owned()
    }
}

fn free_port() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("bound")
}

fn joining(id: u64, bind: SocketAddr, cluster: &Cluster, folder: &Path) -> (Command, SocketAddr) {
    let (client, peers) = (free_port(), cluster.nodes.addresses.iter().map(|a| a.peer));
    let mut members: Vec<String> =
        (1..).zip(peers).map(|(id, peer): (u64, _)| format!("{id}={peer}")).collect();
    members.push(format!("{id}={bind}"));
    let mut command = quorate();
    command
        .arg("serve")
        .arg("--join")
        .arg(format!("--node-id={id}"))
        .arg(format!("--cluster-id={}", cluster.id()))
        .arg(format!("--cluster={}", members.join(",")))
        .arg(format!("--client={client}"))
        .arg(format!("--data-dir={}", folder.display()))
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null());
    (command, client)
}

#[test]
fn a_node_is_taken_in_and_waited_for_until_it_votes() {
    let _turn = turn();
    let cluster = Cluster::start();
    let bind = free_port();
    let folder = tempfile::tempdir().expect("a folder");
    let mut adding = quorate();
    adding.arg("cluster").arg("--admin").arg(cluster.admin());
    adding.arg("--token-file").arg(&cluster.token);
    adding.args(["add", "--voter", &format!("4={bind}")]);
    adding.stdout(std::process::Stdio::piped());
    let mut adding = Process(adding.spawn().expect("the binary starts"));
    let view = || http_body(&format!("http://{}/cluster", cluster.nodes.addresses[0].admin));
    wait_for("node 4 to be known", || view().contains("\"id\":4").then_some(()));
    assert!(adding.0.try_wait().expect("own child").is_none(), "it does not vote yet");
    let (mut command, _) = joining(4, bind, &cluster, folder.path());
    let _fourth = Process(command.spawn().expect("the binary starts"));
    assert!(adding.wait().success());
    let mut told = String::new();
    let mut output = adding.0.stdout.take().expect("a pipe");
    std::io::Read::read_to_string(&mut output, &mut told).expect("text");
    assert!(told.ends_with("member 4 votes\n"), "{told}");
    assert!(!view().contains("\"voter\":false"), "{}", view());
}

fn value_at(client: SocketAddr, key: &str) -> Option<bytes::Bytes> {
    block_on(async {
        let store = EtcdClient::connect([client.to_string()]).ok()?;
        get(&store, key).await.ok().flatten()
    })
}

#[test]
fn a_node_is_taken_in_and_takes_the_place_of_another() {
    let _turn = turn();
    let mut cluster = Cluster::start();
    block_on(async {
        let store = EtcdClient::connect(cluster.nodes.client_addresses()).expect("addresses");
        for number in 0..50 {
            store.call(put(format!("k{number}"), "v")).await.expect("a put");
        }
    });
    let bind = free_port();
    let wrong = cluster.command(&["replace", "7", &format!("4={bind}")]);
    assert!(said(&wrong).contains("member 7 is no voter"), "{}", said(&wrong));
    let taken = cluster.command(&["replace", "3", &format!("4={bind}")]);
    assert!(taken.status.success(), "{}", said(&taken));
    let folder = tempfile::tempdir().expect("a folder");
    let (mut command, client) = joining(4, bind, &cluster, folder.path());
    let _fourth = Process(command.spawn().expect("the binary starts"));
    wait_for("node 4 to take the place of node 3", || {
        let status = said(&cluster.command(&["status"]));
        let lines = || status.lines().map(str::trim_start);
        let has = |id: &str| lines().any(|line| line.starts_with(&format!("{id}  127")));
        (has("4") && !has("3") && !status.contains("two sets")).then_some(())
    });
    // Node 3 is not needed any more, nor is one of the others.
    cluster.nodes.processes[2] = None;
    cluster.nodes.processes[1] = None;
    wait_for("node 4 to serve with node 1", || value_at(client, "k49"));
    let again = cluster.command(&["add", &format!("3={bind}")]);
    assert!(said(&again).contains("ids are never used twice"), "{}", said(&again));
    let no_token = quorate().args(["cluster", "--admin", &cluster.admin(), "transfer"]).output();
    let no_token = no_token.expect("the binary runs");
    assert_eq!(no_token.status.code(), Some(78), "{}", said(&no_token));
}

#[test]
fn one_folder_goes_on_when_the_majority_is_gone_and_the_others_are_fenced_off() {
    let _turn = turn();
    let mut cluster = Cluster::start();
    block_on(async {
        let store = EtcdClient::connect(cluster.nodes.client_addresses()).expect("addresses");
        store.call(put("kept", "v")).await.expect("a put")
    });
    let (first, old_id) = (cluster.nodes.data_dir(0), cluster.id());
    wait_for("node 1 to hold it", || value_at(cluster.nodes.addresses[0].client, "kept"));
    cluster.nodes.kill_all();
    let folder = first.display().to_string();
    let look = quorate().args(["cluster", "recover", "--data-dir", &folder]).output();
    let look = said(&look.expect("the binary runs"));
    assert!(look.contains("what may be lost") && look.contains("nothing was changed"), "{look}");
    let bind = cluster.nodes.addresses[0].peer;
    let done = quorate()
        .args(["cluster", "recover", "--data-dir", &folder, "--execute", "--bind"])
        .arg(bind.to_string())
        .output()
        .expect("the binary runs");
    let done = said(&done);
    let new_id = done.split("--cluster-id ").nth(1).and_then(|rest| rest.split(' ').next());
    let new_id = new_id.unwrap_or_else(|| panic!("no id in: {done}"));
    assert_ne!(new_id, old_id);
    let old = cluster.nodes.command(0, quorate()).output().expect("the binary runs");
    assert!(!old.status.success(), "the old cluster's node does not open the folder");
    let client = free_port();
    let alone = quorate()
        .args(["serve", "--node-id=1", "--cluster-id", new_id])
        .arg(format!("--bind={bind}"))
        .arg(format!("--client={client}"))
        .arg(format!("--data-dir={folder}"))
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("the binary starts");
    let _alone = Process(alone);
    let found = wait_for("node 1 to serve alone", || value_at(client, "kept"));
    assert_eq!(found, "v");
    // What is left of the old cluster comes back and finds nobody who listens to it.
    for place in 1..3 {
        let process = cluster.nodes.command(place, quorate()).spawn().expect("it starts");
        cluster.nodes.processes[place] = Some(Process(process));
    }
    block_on(async {
        let store = EtcdClient::connect([client.to_string()]).expect("an address");
        store.call(put("after", "v")).await.expect("a put");
    });
    assert!(value_at(client, "after").is_some());
}

//! A network of the cluster's own: one namespace per node and one for the clients.
//!
//! ```text
//!    hub (the supervisor and the clients)  127.77.0.254
//!     └─ bridge ─┬─ veth ─ node 1  127.77.0.1
//!                ├─ veth ─ node 2  127.77.0.2
//!                └─ veth ─ node 3  127.77.0.3
//! ```
//!
//! A node accepts no address but loopback while it has no authentication, and 127.77.0.n is one.
//! For it to cross a wire each namespace gives up the route that keeps 127.0.0.0/8 at home, and
//! `route_localnet` lets the kernel send it out. None of this touches the machine's own network.
//!
//! A partition is a rule of nftables in the receiving node's namespace that drops what comes from
//! another node, and counts it. Clients still reach every node.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};

use crate::command::{feed, is_present, run};
use crate::failure::Failure;
use crate::node::Addresses;

/// Every namespace of ours is named so, then the process that made it, then who lives there.
pub(crate) const NAME: &str = "qchaos";

/// The last byte of the hub's address.
const HUB: u8 = 254;

/// The namespaces of one run; they exist until [`remove()`] is called.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    owner: u32,
    nodes: usize,
}

fn address(host: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 77, 0, host)
}

impl Network {
    /// The network that process `owner` made for so many nodes.
    pub(crate) fn of(owner: u32, nodes: usize) -> Self {
        Self { owner, nodes }
    }

    /// Makes the namespaces.
    ///
    /// # Errors
    /// Programs are missing, or the kernel or our rights do not allow it.
    pub(crate) fn make(&self) -> Result<(), Failure> {
        for program in ["ip", "nft", "nsenter", "sysctl"] {
            if !is_present(program) {
                return Err(Failure::new(format!("there is no program `{program}`")));
            }
        }
        let hub = self.hub();
        add_namespace(&hub)?;
        run(&["ip", "-n", &hub, "link", "add", "bridge", "type", "bridge"])?;
        settle(&hub, "bridge", HUB)?;
        for number in 1..=self.nodes {
            let (node, port) = (self.node(number), format!("node{number}"));
            add_namespace(&node)?;
            let link = ["link", "add", &port, "type", "veth", "peer", "name", "wire"];
            run(&[&["ip", "-n", &hub][..], &link, &["netns", &node]].concat())?;
            run(&["ip", "-n", &hub, "link", "set", &port, "master", "bridge", "up"])?;
            settle(&node, "wire", number as u8)?;
        }
        // Rules are tried now, so that a kernel without them is known at once.
        self.cut(&BTreeSet::from([(1, 2)]))?;
        self.heal()
    }

    /// The namespace of the supervisor.
    pub(crate) fn hub(&self) -> String {
        format!("{NAME}-{}-hub", self.owner)
    }

    fn node(&self, number: usize) -> String {
        format!("{NAME}-{}-{number}", self.owner)
    }

    /// What stands before a program to run it in the namespace of a node.
    pub(crate) fn prefix(&self, number: usize) -> Vec<String> {
        prefix(&self.node(number))
    }

    /// The same for the hub.
    pub(crate) fn hub_prefix(&self) -> Vec<String> {
        prefix(&self.hub())
    }

    /// The addresses of all nodes.
    pub(crate) fn addresses(&self) -> Vec<Addresses> {
        let each = (1..=self.nodes).map(|number| {
            let at = |port| SocketAddr::from((address(number as u8), port));
            Addresses { peer: at(7101), client: at(7201), web: at(7301), admin: at(7401) }
        });
        each.collect()
    }

    /// Drops from now on what the first of each pair sends to the second, and nothing else.
    pub(crate) fn cut(&self, pairs: &BTreeSet<(usize, usize)>) -> Result<(), Failure> {
        for receiver in 1..=self.nodes {
            let rules: String = pairs
                .iter()
                .filter(|(_, to)| *to == receiver)
                .map(|(from, _)| {
                    let from = address(*from as u8);
                    format!("add rule ip chaos input ip saddr {from} counter drop\n")
                })
                .collect();
            let text = format!(
                "add table ip chaos\ndelete table ip chaos\nadd table ip chaos\n\
                 add chain ip chaos input {{ type filter hook input priority 0 ; }}\n{rules}"
            );
            self.nft(receiver, &["-f", "-"], &text)?;
        }
        Ok(())
    }

    /// Drops nothing any more.
    pub(crate) fn heal(&self) -> Result<(), Failure> {
        for receiver in 1..=self.nodes {
            let text = "add table ip chaos\ndelete table ip chaos\n";
            self.nft(receiver, &["-f", "-"], text)?;
        }
        Ok(())
    }

    /// Packets that the rules have dropped since [`Network::cut`].
    pub(crate) fn dropped(&self) -> Result<u64, Failure> {
        let mut all = Vec::new();
        for receiver in 1..=self.nodes {
            all.extend(counters(&self.nft(receiver, &["list", "table", "ip", "chaos"], "")?));
        }
        Ok(all.into_iter().sum())
    }

    fn nft(&self, number: usize, arguments: &[&str], input: &str) -> Result<String, Failure> {
        let prefix = self.prefix(number);
        let words: Vec<&str> = prefix.iter().map(String::as_str).chain(["nft"]).collect();
        feed(&[&words[..], arguments].concat(), input)
    }
}

fn prefix(namespace: &str) -> Vec<String> {
    vec!["nsenter".to_owned(), format!("--net=/run/netns/{namespace}"), "--".to_owned()]
}

fn add_namespace(name: &str) -> Result<(), Failure> {
    run(&["ip", "netns", "add", name]).map(drop)
}

/// Brings a namespace up with its own loopback address alone, and 127.77.0.`host` on `device`.
fn settle(namespace: &str, device: &str, host: u8) -> Result<(), Failure> {
    let ip = |words: &[&str]| run(&[&["ip", "-n", namespace][..], words].concat()).map(drop);
    for device in ["all", device] {
        let setting = format!("net.ipv4.conf.{device}.route_localnet=1");
        let words = prefix(namespace);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        run(&[&words[..], &["sysctl", "-qw", &setting]].concat())?;
    }
    ip(&["link", "set", "lo", "up"])?;
    ip(&["addr", "del", "127.0.0.1/8", "dev", "lo"])?;
    ip(&["addr", "add", "127.0.0.1/32", "dev", "lo"])?;
    let own = format!("{}/24", address(host));
    ip(&["addr", "add", &own, "dev", device, "scope", "global"])?;
    ip(&["link", "set", device, "up"])
}

/// The packets of each `counter` in a listing.
fn counters(listing: &str) -> Vec<u64> {
    let number = |rest: &str| rest.split_whitespace().next()?.parse().ok();
    listing.split("counter packets ").skip(1).filter_map(number).collect()
}

/// Removes the namespaces that process `owner` made.
pub(crate) fn remove(owner: u32) {
    let listed = run(&["ip", "netns", "list"]).unwrap_or_default();
    for line in listed.lines() {
        let name = line.split_whitespace().next().unwrap_or_default();
        if owner_of(name) == Some(owner)
            && let Err(failure) = run(&["ip", "netns", "delete", name])
        {
            eprintln!("chaos: {failure}");
        }
    }
}

/// Processes that made namespaces which still exist.
pub(crate) fn owners() -> BTreeSet<u32> {
    let listed = run(&["ip", "netns", "list"]).unwrap_or_default();
    let names = listed.lines().filter_map(|line| line.split_whitespace().next());
    names.filter_map(owner_of).collect()
}

fn owner_of(name: &str) -> Option<u32> {
    let mut parts = name.split('-');
    (parts.next() == Some(NAME)).then(|| parts.next()?.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_counters_are_read() {
        assert_eq!(owner_of("qchaos-17-hub"), Some(17));
        assert_eq!(owner_of("other-17-hub"), None);
        let listing = "ip saddr 127.77.0.1 counter packets 12 bytes 720 drop\n\
                       ip saddr 127.77.0.2 counter packets 0 bytes 0 drop";
        assert_eq!(counters(listing), [12, 0]);
    }

    #[test]
    fn all_addresses_are_loopback_and_differ() {
        let all = Network::of(1, 3).addresses();
        let hosts: BTreeSet<_> = all.iter().map(|node| node.peer.ip()).collect();
        assert!(hosts.len() == 3 && hosts.iter().all(|host| host.is_loopback()));
    }
}

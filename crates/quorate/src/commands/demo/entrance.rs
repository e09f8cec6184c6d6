//! One address for the dashboard that outlives every node: connections go to a node that is well,
//! and are ended when it no longer is, so that the browser's next one finds another.

use super::cluster::Cluster;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

/// How long a node may take to take a connection.
const CONNECT_TIME: Duration = Duration::from_millis(500);
/// While no node is well.
const POLL: Duration = Duration::from_millis(100);
/// How long a connection waits for a node that is well.
const PATIENCE: Duration = Duration::from_secs(10);

/// Serves `listener` until the runtime ends.
pub(super) fn open(listener: TcpListener, cluster: &Cluster) {
    let cluster = cluster.clone();
    tokio::spawn(async move {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => drop(tokio::spawn(visit(stream, cluster.clone()))),
                Err(_) => tokio::time::sleep(POLL).await,
            }
        }
    });
}

async fn visit(mut browser: TcpStream, cluster: Cluster) {
    let Ok(Some((place, mut node))) = tokio::time::timeout(PATIENCE, find(&cluster)).await else {
        return;
    };
    let mut news = cluster.news();
    let falls = async { while cluster.is_well(place) && news.changed().await.is_ok() {} };
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut browser, &mut node) => {}
        () = falls => {}
    }
}

/// A connection to the first node that is well; they come in the order of their numbers, so that
/// one page talks to one node.
async fn find(cluster: &Cluster) -> Option<(usize, TcpStream)> {
    loop {
        for place in (0..cluster.len()).filter(|place| cluster.is_well(*place)) {
            let address: SocketAddr = cluster.address(place).web;
            let connect = tokio::time::timeout(CONNECT_TIME, TcpStream::connect(address));
            if let Ok(Ok(node)) = connect.await {
                return Some((place, node));
            }
        }
        tokio::time::sleep(POLL).await;
    }
}

//! The services that tell about the members: Cluster, Maintenance, Health.

use client::proto::etcdserverpb as pb;
use client::proto::health::{HealthCheckRequest, health_client::HealthClient};
use pb::cluster_client::ClusterClient;
use pb::maintenance_client::MaintenanceClient;
use tonic::Code;

use crate::member::{MEMBER_ID, TERM};
use crate::server::{Server, header, refusal};

const SERVING: i32 = 1;
const NOT_SERVING: i32 = 2;
const SERVICE_UNKNOWN: i32 = 3;

#[tokio::test(flavor = "current_thread")]
async fn members_are_listed() {
    let server = Server::start().await;
    for linearizable in [false, true] {
        let request = pb::MemberListRequest { linearizable };
        let mut client = ClusterClient::new(server.channel.clone());
        let list = client.member_list(request).await.unwrap().into_inner();
        assert_eq!(list.header, header(1));
        let member = pb::Member {
            id: MEMBER_ID,
            name: "one".to_owned(),
            peer_ur_ls: vec!["http://peer.example:1".to_owned()],
            client_ur_ls: vec![format!("http://{}", server.address)],
            is_learner: false,
        };
        assert_eq!(list.members, [member]);
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_member_tells_its_status() {
    let server = Server::start().await;
    server.put("a", "1").await;
    let mut client = MaintenanceClient::new(server.channel.clone());
    let status = client.status(pb::StatusRequest {}).await.unwrap().into_inner();
    let expect = pb::StatusResponse {
        header: header(2),
        version: "3.5.17".to_owned(),
        db_size: 2000,
        db_size_in_use: 1000,
        leader: MEMBER_ID,
        raft_index: 1,
        raft_term: TERM,
        raft_applied_index: 1,
        errors: vec![],
        is_learner: false,
    };
    assert_eq!(status, expect);
    server.member.set_leader(None);
    let status = client.status(pb::StatusRequest {}).await.unwrap().into_inner();
    assert_eq!((status.leader, &status.errors[..]), (0, &["etcdserver: no leader".to_owned()][..]));
}

#[tokio::test(flavor = "current_thread")]
async fn a_member_is_healthy_while_it_knows_a_leader() {
    let server = Server::start().await;
    let mut client = HealthClient::new(server.channel.clone());
    let whole = HealthCheckRequest::default();
    let mut watch = client.watch(whole.clone()).await.unwrap().into_inner();
    assert_eq!(watch.message().await.unwrap().unwrap().status, SERVING);
    server.member.set_leader(None);
    assert_eq!(client.check(whole).await.unwrap().into_inner().status, NOT_SERVING);
    assert_eq!(watch.message().await.unwrap().unwrap().status, NOT_SERVING);
    server.member.set_leader(Some(MEMBER_ID));
    assert_eq!(watch.message().await.unwrap().unwrap().status, SERVING);

    let other = HealthCheckRequest { service: "other".to_owned() };
    let text = "quorate: no health is kept for `other`".to_owned();
    assert_eq!(refusal(client.check(other.clone()).await), (Code::NotFound, text));
    let mut watch = client.watch(other).await.unwrap().into_inner();
    assert_eq!(watch.message().await.unwrap().unwrap().status, SERVICE_UNKNOWN);
}

//! The services that tell about the members: Cluster, Maintenance, Health.

use client::ids;
use client::nodes::NodeRecord;
use client::proto::etcdserverpb as pb;
use client::proto::health::{HealthCheckRequest, health_client::HealthClient};
use etcd_api::GroupError;
use kv::api::Error;
use pb::cluster_client::ClusterClient;
use pb::maintenance_client::MaintenanceClient;
use tonic::Code;

use crate::member::{MEMBER_ID, TERM};
use crate::server::{Server, get, header, refusal};

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
        assert_eq!(list.members, [own(&server)]);
    }
}

fn own(server: &Server) -> pb::Member {
    pb::Member {
        id: ids::shown(MEMBER_ID),
        name: "one".to_owned(),
        peer_ur_ls: vec!["http://127.0.0.1:1".to_owned()],
        client_ur_ls: vec![format!("http://{}", server.address)],
        is_learner: false,
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_member_comes_moves_votes_and_goes() {
    let server = Server::start().await;
    let mut client = ClusterClient::new(server.channel.clone());
    let url = |port: u16| vec![format!("http://127.0.0.1:{port}")];
    let add = pb::MemberAddRequest { peer_ur_ls: url(2), is_learner: true };
    let added = client.member_add(add.clone()).await.unwrap().into_inner();
    let second = pb::Member {
        id: ids::shown(MEMBER_ID + 1),
        peer_ur_ls: url(2),
        is_learner: true,
        ..pb::Member::default()
    };
    assert_eq!(added.member, Some(second.clone()));
    assert_eq!(added.members, [own(&server), second.clone()]);
    let text = "etcdserver: Peer URLs already exists".to_owned();
    assert_eq!(refusal(client.member_add(add).await), (Code::FailedPrecondition, text));

    // Its node starts and says who it is.
    let record = NodeRecord {
        name: "two".to_owned(),
        client: "127.0.0.1:7202".to_owned(),
        ..NodeRecord::default()
    };
    client::nodes::publish(&*server.member, MEMBER_ID + 1, &record).await.unwrap();
    let update = pb::MemberUpdateRequest { id: second.id, peer_ur_ls: url(3) };
    let moved = client.member_update(update.clone()).await.unwrap().into_inner();
    let started = pb::Member {
        name: "two".to_owned(),
        peer_ur_ls: url(3),
        client_ur_ls: url(7202),
        ..second.clone()
    };
    assert_eq!(moved.members[1], started);
    // The same again changes nothing and is no refusal.
    client.member_update(update).await.unwrap();
    assert_eq!(server.group.changes.lock().unwrap().len(), 2);

    let promote = pb::MemberPromoteRequest { id: second.id };
    *server.group.refusal.lock().unwrap() = Some(GroupError::Known(Error::LearnerNotReady));
    let text = "etcdserver: can only promote a learner member which is in sync with leader";
    let refused = refusal(client.member_promote(promote).await);
    assert_eq!(refused, (Code::FailedPrecondition, text.to_owned()));
    let promoted = client.member_promote(promote).await.unwrap().into_inner();
    assert!(!promoted.members[1].is_learner);
    let text = "etcdserver: can only promote a learner member".to_owned();
    let refused = refusal(client.member_promote(promote).await);
    assert_eq!(refused, (Code::FailedPrecondition, text));

    let remove = pb::MemberRemoveRequest { id: second.id };
    let left = client.member_remove(remove).await.unwrap().into_inner();
    assert_eq!(left.members, [own(&server)]);
    let text = "etcdserver: member not found".to_owned();
    assert_eq!(refusal(client.member_remove(remove).await), (Code::NotFound, text));
}

#[tokio::test(flavor = "current_thread")]
async fn wishes_that_make_no_sense_are_refused() {
    let server = Server::start().await;
    let mut client = ClusterClient::new(server.channel.clone());
    let add = pb::MemberAddRequest { peer_ur_ls: vec!["nowhere".to_owned()], is_learner: false };
    let text = "etcdserver: given member URLs are invalid".to_owned();
    assert_eq!(refusal(client.member_add(add).await), (Code::InvalidArgument, text));
    let own = pb::MemberRemoveRequest { id: ids::shown(MEMBER_ID) };
    *server.group.refusal.lock().unwrap() = Some(GroupError::Known(Error::NotEnoughStarted));
    let text = "etcdserver: re-configuration failed due to not enough started members".to_owned();
    assert_eq!(refusal(client.member_remove(own).await), (Code::FailedPrecondition, text));
    *server.group.refusal.lock().unwrap() = Some(GroupError::Refused("not now".to_owned()));
    let text = "quorate: not now".to_owned();
    assert_eq!(refusal(client.member_remove(own).await), (Code::FailedPrecondition, text));
}

#[tokio::test(flavor = "current_thread")]
async fn leadership_moves_only_from_who_leads_to_who_votes() {
    let server = Server::start().await;
    let mut client = MaintenanceClient::new(server.channel.clone());
    let wish = |target_id| pb::MoveLeaderRequest { target_id };
    let text = "etcdserver: bad leader transferee".to_owned();
    assert_eq!(refusal(client.move_leader(wish(9)).await), (Code::FailedPrecondition, text));
    client.move_leader(wish(ids::shown(MEMBER_ID))).await.unwrap();
    assert_eq!(*server.group.changes.lock().unwrap(), []);
    server.member.set_leader(Some(7));
    let text = "etcdserver: not leader".to_owned();
    let refused = refusal(client.move_leader(wish(ids::shown(MEMBER_ID))).await);
    assert_eq!(refused, (Code::FailedPrecondition, text));
}

#[tokio::test(flavor = "current_thread")]
async fn history_is_compacted_and_hashed() {
    let server = Server::start().await;
    for value in ["1", "2", "3"] {
        server.put("a", value).await;
    }
    let mut client = MaintenanceClient::new(server.channel.clone());
    let hash = |revision| pb::HashKvRequest { revision };
    let second = client.hash_kv(hash(2)).await.unwrap().into_inner();
    let newest = client.hash_kv(hash(0)).await.unwrap().into_inner();
    assert_eq!((newest.hash_revision, newest.compact_revision), (4, 0));
    assert_ne!(second.hash, newest.hash);
    let future = "etcdserver: mvcc: required revision is a future revision".to_owned();
    assert_eq!(refusal(client.hash_kv(hash(5)).await), (Code::OutOfRange, future.clone()));

    let mut kv = server.kv();
    let compact = |revision| pb::CompactionRequest { revision, physical: true };
    let done = kv.compact(compact(3)).await.unwrap().into_inner();
    assert_eq!(done.header, header(4));
    let compacted = "etcdserver: mvcc: required revision has been compacted".to_owned();
    for revision in [3, 2, 0, -1] {
        let refused = refusal(kv.compact(compact(revision)).await);
        assert_eq!(refused, (Code::OutOfRange, compacted.clone()), "{revision}");
    }
    assert_eq!(refusal(kv.compact(compact(5)).await), (Code::OutOfRange, future));
    let at = |revision| pb::RangeRequest { revision, ..get("a") };
    assert_eq!(refusal(kv.range(at(2)).await), (Code::OutOfRange, compacted.clone()));
    assert_eq!(kv.range(at(3)).await.unwrap().into_inner().kvs[0].value, "2");
    assert_eq!(refusal(client.hash_kv(hash(2)).await), (Code::OutOfRange, compacted));
    let third = client.hash_kv(hash(3)).await.unwrap().into_inner();
    assert_eq!((third.hash_revision, third.compact_revision), (3, 3));
}

#[tokio::test(flavor = "current_thread")]
async fn there_is_no_alarm_nothing_to_defragment_and_no_snapshot() {
    let server = Server::start().await;
    let mut client = MaintenanceClient::new(server.channel.clone());
    let list = pb::AlarmRequest::default();
    let listed = client.alarm(list).await.unwrap().into_inner();
    assert_eq!((listed.header, &listed.alarms[..]), (header(1), &[][..]));
    let raise = pb::AlarmRequest { action: 1, member_id: 0, alarm: 1 };
    let text = "quorate: alarms are not raised by hand".to_owned();
    assert_eq!(refusal(client.alarm(raise).await), (Code::Unimplemented, text));
    assert_eq!(
        client.defragment(pb::DefragmentRequest {}).await.unwrap().into_inner().header,
        header(1)
    );
    let (code, text) = refusal(client.snapshot(pb::SnapshotRequest {}).await);
    assert_eq!(code, Code::Unimplemented);
    assert!(text.contains("`quorate cluster backup`"), "{text}");
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
        leader: ids::shown(MEMBER_ID),
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

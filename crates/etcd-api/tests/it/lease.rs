//! The service Lease.

use bytes::Bytes;
use client::proto::etcdserverpb as pb;
use futures::stream;
use pb::lease_client::LeaseClient;
use tonic::Code;
use tonic::transport::Channel;

use crate::server::{Server, get, header, put, refusal};

fn leases(server: &Server) -> LeaseClient<Channel> {
    LeaseClient::new(server.channel.clone())
}

async fn grant(server: &Server, id: i64) -> pb::LeaseGrantResponse {
    let request = pb::LeaseGrantRequest { ttl: 60, id };
    leases(server).lease_grant(request).await.unwrap().into_inner()
}

#[tokio::test(flavor = "current_thread")]
async fn a_lease_is_granted_asked_about_listed_and_revoked() {
    let server = Server::start().await;
    let granted = grant(&server, 7).await;
    let expect = pb::LeaseGrantResponse { header: header(1), id: 7, ttl: 60, error: String::new() };
    assert_eq!(granted, expect);
    assert!(grant(&server, 0).await.id > 0, "an id is picked");
    let leased = pb::PutRequest { lease: 7, ..put("a", "1") };
    server.kv().put(leased).await.unwrap();

    let ask = pb::LeaseTimeToLiveRequest { id: 7, keys: true };
    let life = leases(&server).lease_time_to_live(ask).await.unwrap().into_inner();
    assert_eq!((life.id, life.granted_ttl, life.header), (7, 60, header(2)));
    assert!(life.ttl > 0 && life.ttl <= 60, "{}", life.ttl);
    assert_eq!(life.keys, [Bytes::from_static(b"a")]);

    let list = leases(&server).lease_leases(pb::LeaseLeasesRequest {}).await.unwrap().into_inner();
    assert_eq!(list.leases.len(), 2);
    let revoked = leases(&server).lease_revoke(pb::LeaseRevokeRequest { id: 7 }).await.unwrap();
    assert_eq!(revoked.into_inner().header, header(3));
    assert_eq!(server.kv().range(get("a")).await.unwrap().into_inner().count, 0);
}

#[tokio::test(flavor = "current_thread")]
async fn a_renewal_of_no_lease_says_so_and_the_stream_stays() {
    let server = Server::start().await;
    grant(&server, 7).await;
    let requests = [7, 8, 7].map(|id| pb::LeaseKeepAliveRequest { id });
    let answers = leases(&server).lease_keep_alive(stream::iter(requests)).await.unwrap();
    let mut answers = answers.into_inner();
    let mut seen = Vec::new();
    while let Some(answer) = answers.message().await.unwrap() {
        assert_eq!(answer.header, header(1));
        seen.push((answer.id, answer.ttl));
    }
    assert_eq!(seen, [(7, 60), (8, 0), (7, 60)]);
}

#[tokio::test(flavor = "current_thread")]
async fn what_does_not_exist_or_is_too_much_is_told_in_etcds_words() {
    let server = Server::start().await;
    let mut client = leases(&server);
    let revoked = client.lease_revoke(pb::LeaseRevokeRequest { id: 7 }).await;
    let absent = "etcdserver: requested lease not found".to_owned();
    assert_eq!(refusal(revoked), (Code::NotFound, absent));
    let ask = pb::LeaseTimeToLiveRequest { id: 7, keys: false };
    assert_eq!(client.lease_time_to_live(ask).await.unwrap().into_inner().ttl, -1);
    let long = pb::LeaseGrantRequest { ttl: 9_000_000_001, id: 0 };
    let text = "etcdserver: too large lease TTL".to_owned();
    assert_eq!(refusal(client.lease_grant(long).await), (Code::OutOfRange, text));
    grant(&server, 7).await;
    let again = pb::LeaseGrantRequest { ttl: 60, id: 7 };
    let text = "etcdserver: lease already exists".to_owned();
    assert_eq!(refusal(client.lease_grant(again).await), (Code::FailedPrecondition, text));
}

//! The service Cluster: the live membership, and wishes for another one.
//!
//! Who takes part and where peers reach them comes from consensus; names and client addresses from
//! what the nodes wrote down themselves ([`client::nodes`]). A member that never did is shown as
//! etcd shows one that was added and not started: without name and client URL.
//!
//! A member that is added here begins as a learner whatever the caller says, and votes once it has
//! caught up: so adding one never costs the quorum.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use client::proto::etcdserverpb as pb;
use client::{ids, nodes};
use kv::api::{Error, Header, KeyRange, RangeRequest, Request as Ask, Response as Answer};
use tonic::metadata::MetadataMap;
use tonic::{Request, Response, Status};

use crate::edge::{Edge, mismatch};
use crate::error::status;
use crate::group::{GroupChange, GroupMember};

/// The service Cluster.
pub(crate) struct Cluster(pub(crate) Edge);

#[tonic::async_trait]
impl pb::cluster_server::Cluster for Cluster {
    async fn member_list(
        &self,
        request: Request<pb::MemberListRequest>,
    ) -> Result<Response<pb::MemberListResponse>, Status> {
        let header = if request.get_ref().linearizable {
            self.now(request.metadata()).await?
        } else {
            self.0.require_leader(request.metadata()).await?;
            self.0.status().await.map_err(status)?.header
        };
        let (header, members) = (Some(self.0.header(header)), self.members().await?);
        Ok(Response::new(pb::MemberListResponse { header, members }))
    }

    async fn member_add(
        &self,
        request: Request<pb::MemberAddRequest>,
    ) -> Result<Response<pb::MemberAddResponse>, Status> {
        let (metadata, _, message) = request.into_parts();
        let peer = peer(&message.peer_ur_ls).map_err(status)?;
        self.check_free(peer, None).map_err(status)?;
        let change = GroupChange::Add { peer, is_learner: message.is_learner };
        let (id, header, mut members) = self.change(&metadata, change).await?;
        let own = |members: &[pb::Member]| {
            members.iter().find(|member| member.id == ids::shown(id)).cloned()
        };
        // The leader has done it; this node may hear of it a moment later.
        for _ in 0..LOOKS_MAX {
            if own(&members).is_some() {
                break;
            }
            tokio::time::sleep(LOOK_EVERY).await;
            members = self.members().await?;
        }
        let member = own(&members).ok_or_else(|| {
            Status::unavailable(format!("member {id} was added; this node does not know it yet"))
        })?;
        Ok(Response::new(pb::MemberAddResponse { header, member: Some(member), members }))
    }

    async fn member_remove(
        &self,
        request: Request<pb::MemberRemoveRequest>,
    ) -> Result<Response<pb::MemberRemoveResponse>, Status> {
        let (metadata, _, message) = request.into_parts();
        let id = self.known(message.id).map_err(status)?.id;
        let change = GroupChange::Remove { id };
        let (_, header, members) = self.change(&metadata, change).await?;
        Ok(Response::new(pb::MemberRemoveResponse { header, members }))
    }

    async fn member_update(
        &self,
        request: Request<pb::MemberUpdateRequest>,
    ) -> Result<Response<pb::MemberUpdateResponse>, Status> {
        let (metadata, _, message) = request.into_parts();
        let peer = peer(&message.peer_ur_ls).map_err(status)?;
        let member = self.known(message.id).map_err(status)?;
        self.check_free(peer, Some(member.id)).map_err(status)?;
        let change = GroupChange::Move { id: member.id, peer };
        let (header, members) = match member.peer == peer.to_string() {
            // Nothing to change is no refusal for etcd.
            true => (Some(self.0.header(self.now(&metadata).await?)), self.members().await?),
            false => {
                let (_, header, members) = self.change(&metadata, change).await?;
                (header, members)
            }
        };
        Ok(Response::new(pb::MemberUpdateResponse { header, members }))
    }

    async fn member_promote(
        &self,
        request: Request<pb::MemberPromoteRequest>,
    ) -> Result<Response<pb::MemberPromoteResponse>, Status> {
        let (metadata, _, message) = request.into_parts();
        let member = self.known(message.id).map_err(status)?;
        if !member.is_learner {
            return Err(status(Error::MemberNotLearner));
        }
        let change = GroupChange::Promote { id: member.id };
        let (_, header, members) = self.change(&metadata, change).await?;
        Ok(Response::new(pb::MemberPromoteResponse { header, members }))
    }
}

/// How often, and how many times, this node looks whether it has heard of a new member.
const LOOK_EVERY: Duration = Duration::from_millis(20);
const LOOKS_MAX: u32 = 250;

impl Cluster {
    /// The header of an answer that is as of now: the cheapest read that needs the quorum.
    async fn now(&self, metadata: &MetadataMap) -> Result<Header, Status> {
        let key = KeyRange::single(Bytes::from_static(b"\0"));
        let probe = RangeRequest { range: key, count_only: true, ..RangeRequest::default() };
        match self.0.call(metadata, Ask::Range(probe)).await? {
            Answer::Range(answer) => Ok(answer.header),
            _ => mismatch(),
        }
    }

    /// Has a change done; the member it concerned, and what the answer says.
    async fn change(
        &self,
        metadata: &MetadataMap,
        change: GroupChange,
    ) -> Result<(u64, Option<pb::ResponseHeader>, Vec<pb::Member>), Status> {
        self.0.require_leader(metadata).await?;
        let id = self.0.group().change(change).await?;
        let header = self.0.status().await.map_err(status)?.header;
        Ok((id, Some(self.0.header(header)), self.members().await?))
    }

    /// All members, with what is known about their nodes.
    async fn members(&self) -> Result<Vec<pb::Member>, Status> {
        let mut records = nodes::list(self.0.store()).await.map_err(status)?;
        let own = self.0.info();
        let record = nodes::NodeRecord {
            name: own.name.clone(),
            client: own.client.clone(),
            ..nodes::NodeRecord::default()
        };
        records.insert(own.member_id, record);
        let member = |member: GroupMember| {
            let record = records.remove(&member.id).unwrap_or_default();
            let urls = |address: String| match address.is_empty() {
                true => Vec::new(),
                false => vec![format!("http://{address}")],
            };
            pb::Member {
                id: ids::shown(member.id),
                name: record.name,
                peer_ur_ls: urls(member.peer),
                client_ur_ls: urls(record.client),
                is_learner: member.is_learner,
            }
        };
        Ok(self.0.group().members().into_iter().map(member).collect())
    }

    /// The member that clients see as `id`.
    fn known(&self, id: u64) -> Result<GroupMember, Error> {
        let mut members = self.0.group().members().into_iter();
        members.find(|member| ids::shown(member.id) == id).ok_or(Error::MemberNotFound)
    }

    /// Refuses an address that another member has.
    fn check_free(&self, peer: SocketAddr, of: Option<u64>) -> Result<(), Error> {
        let peer = peer.to_string();
        let members = self.0.group().members();
        let is_taken = |member: &GroupMember| Some(member.id) != of && member.peer == peer;
        if members.iter().any(is_taken) { Err(Error::PeerUrlExists) } else { Ok(()) }
    }
}

/// The one address in `urls`: peers speak TCP to an IP address and a port.
fn peer(urls: &[String]) -> Result<SocketAddr, Error> {
    let [url] = urls else { return Err(Error::BadMemberUrls) };
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    let address = rest.and_then(|rest| rest.parse().ok());
    address.ok_or(Error::BadMemberUrls)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_from_one_url() {
        let check = |urls: &[&str], expect: Result<&str, Error>| {
            let urls: Vec<String> = urls.iter().map(|url| (*url).to_owned()).collect();
            assert_eq!(peer(&urls), expect.map(|text| text.parse().unwrap()), "{urls:?}");
        };
        check(&["http://127.0.0.1:2380"], Ok("127.0.0.1:2380"));
        check(&["https://[::1]:2380"], Ok("[::1]:2380"));
        let wrong = Err(Error::BadMemberUrls);
        check(&[], wrong);
        check(&["http://a:1", "http://b:1"], wrong);
        for url in ["127.0.0.1:2380", "http://127.0.0.1", "http://127.0.0.1:1/x", "unix://a:1"] {
            check(&[url], wrong);
        }
    }
}

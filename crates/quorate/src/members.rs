//! The group behind the etcd API: its members and wishes in the words of `etcd-api`, and this
//! node's record for the others.

use client::Client;
use client::nodes::{self, NodeRecord};
use etcd_api::{Group, GroupChange, GroupError, GroupMember};
use futures::FutureExt;
use futures::future::BoxFuture;
use kv::api::Error;
use raft::{ChangeError, ChangeStep, MemberId, Plan};
use replica::{Wish, WishError, WishResult};
use std::time::Duration;

/// Attempts to add a member whose number another caller took at the same time.
const ADD_ATTEMPTS: u32 = 5;

/// Between two attempts to publish this node's record.
const PUBLISH_PAUSE: Duration = Duration::from_millis(500);

/// See the module.
#[derive(Clone, Debug)]
pub(crate) struct NodeGroup(pub(crate) node::group::Group);

impl Group for NodeGroup {
    fn members(&self) -> Vec<GroupMember> {
        let members = self.0.view().members.into_iter();
        let member = |member: node::group::MemberView| GroupMember {
            id: member.id,
            peer: member.address,
            is_learner: !member.is_voter,
        };
        members.map(member).collect()
    }

    fn change(&self, change: GroupChange) -> BoxFuture<'_, Result<u64, GroupError>> {
        async move {
            match change {
                GroupChange::Add { peer, is_learner } => {
                    self.add(&peer.to_string(), is_learner).await
                }
                GroupChange::Remove { id } => {
                    self.step(id, ChangeStep::Remove { id: id.into() }).await
                }
                GroupChange::Move { id, peer } => {
                    let context = peer.to_string().into();
                    self.step(id, ChangeStep::Describe { id: id.into(), context }).await
                }
                GroupChange::Promote { id } => {
                    self.step(id, ChangeStep::Promote { id: id.into() }).await
                }
                GroupChange::Transfer { to } => {
                    let wish = Wish::Transfer { to: Some(to.into()) };
                    self.wish(wish).await.map(|_| to).map_err(|error| told(error, to))
                }
            }
        }
        .boxed()
    }
}

impl NodeGroup {
    /// Takes a node in under the next free number.
    async fn add(&self, peer: &str, is_learner: bool) -> Result<u64, GroupError> {
        let mut id = self.0.view().highest_id + 1;
        for _ in 0..ADD_ATTEMPTS {
            let plan = if is_learner { Plan::Stay } else { Plan::Promote };
            let context = peer.to_owned().into();
            let step = ChangeStep::AddLearner { id: id.into(), context, plan };
            match self.wish(Wish::Change(vec![step])).await {
                Ok(_) => return Ok(id),
                Err(WishError::Refused(text)) if is_taken(&text, id) => id += 1,
                Err(error) => return Err(told(error, id)),
            }
        }
        Err(GroupError::Known(Error::TooManyRequests))
    }

    async fn step(&self, id: u64, step: ChangeStep) -> Result<u64, GroupError> {
        let done = self.wish(Wish::Change(vec![step])).await;
        done.map(|_| id).map_err(|error| told(error, id))
    }

    async fn wish(&self, wish: Wish) -> WishResult {
        self.0.wish(wish).await
    }
}

/// Whether the number was given to somebody else meanwhile.
fn is_taken(text: &str, id: u64) -> bool {
    let id = MemberId::new(id);
    let used = ChangeError::IdUsed { id, free: MemberId::new(id.get() + 1) };
    [ChangeError::AlreadyMember { id }, used].iter().any(|error| error.to_string() == text)
}

/// A refusal about member `id` in etcd's words, where it has some.
fn told(error: WishError, id: u64) -> GroupError {
    let id = MemberId::new(id);
    let text = match error {
        WishError::NoLeader => return GroupError::Known(Error::NoLeader),
        WishError::Unknown => return GroupError::Known(Error::Timeout),
        WishError::Refused(text) => text,
    };
    let known = [
        (ChangeError::NotAMember { id }, Error::MemberNotFound),
        (ChangeError::NotALearner { id }, Error::MemberNotLearner),
        (ChangeError::NotHeard { id }, Error::LearnerNotReady),
        (ChangeError::NoVoters, Error::NotEnoughStarted),
    ];
    let found = known.iter().find(|(refusal, _)| refusal.to_string() == text);
    found.map_or(GroupError::Refused(text), |(_, error)| GroupError::Known(*error))
}

/// Tells the others where this node is, as soon as the store takes it.
pub(crate) async fn publish(store: &dyn Client, member: u64, record: NodeRecord) {
    while let Err(error) = nodes::publish(store, member, &record).await {
        tracing::debug!(%error, "the node's record is not written yet");
        tokio::time::sleep(PUBLISH_PAUSE).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_get_etcds_words_where_it_has_some() {
        let refused = |error: ChangeError| told(WishError::Refused(error.to_string()), 4);
        let id = MemberId::new(4);
        assert_eq!(
            refused(ChangeError::NotHeard { id }),
            GroupError::Known(Error::LearnerNotReady)
        );
        assert_eq!(refused(ChangeError::NoVoters), GroupError::Known(Error::NotEnoughStarted));
        let other = refused(ChangeError::InProgress);
        assert!(matches!(&other, GroupError::Refused(text) if text.contains("not finished")));
        assert_eq!(told(WishError::NoLeader, 4), GroupError::Known(Error::NoLeader));
        assert!(is_taken(&ChangeError::AlreadyMember { id }.to_string(), 4));
        assert!(!is_taken(&ChangeError::TooMany.to_string(), 4));
    }
}

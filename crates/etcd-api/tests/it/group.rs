//! A group on paper: changes are done at once, or refused as the test wants.

use std::sync::Mutex;

use etcd_api::{Group, GroupChange, GroupError, GroupMember};
use futures::FutureExt;
use futures::future::BoxFuture;

use crate::member::MEMBER_ID;

pub(crate) struct TestGroup {
    members: Mutex<Vec<GroupMember>>,
    /// What was asked for, in order.
    pub(crate) changes: Mutex<Vec<GroupChange>>,
    /// The next change is refused so.
    pub(crate) refusal: Mutex<Option<GroupError>>,
}

impl TestGroup {
    pub(crate) fn new() -> Self {
        let peer = "127.0.0.1:1".to_owned();
        let own = GroupMember { id: MEMBER_ID, peer, is_learner: false };
        let changes = Mutex::new(Vec::new());
        Self { members: Mutex::new(vec![own]), changes, refusal: Mutex::new(None) }
    }

    fn fulfil(&self, change: GroupChange) -> Result<u64, GroupError> {
        self.changes.lock().unwrap().push(change);
        if let Some(refusal) = self.refusal.lock().unwrap().take() {
            return Err(refusal);
        }
        let mut members = self.members.lock().unwrap();
        Ok(match change {
            GroupChange::Add { peer, .. } => {
                let id = members.iter().map(|member| member.id).max().unwrap_or(0) + 1;
                members.push(GroupMember { id, peer: peer.to_string(), is_learner: true });
                id
            }
            GroupChange::Remove { id } => {
                members.retain(|member| member.id != id);
                id
            }
            GroupChange::Move { id, peer } => {
                let member = members.iter_mut().find(|member| member.id == id).unwrap();
                member.peer = peer.to_string();
                id
            }
            GroupChange::Promote { id } => {
                let member = members.iter_mut().find(|member| member.id == id).unwrap();
                member.is_learner = false;
                id
            }
            GroupChange::Transfer { to } => to,
        })
    }
}

impl Group for TestGroup {
    fn members(&self) -> Vec<GroupMember> {
        self.members.lock().unwrap().clone()
    }

    fn change(&self, change: GroupChange) -> BoxFuture<'_, Result<u64, GroupError>> {
        async move { self.fulfil(change) }.boxed()
    }
}

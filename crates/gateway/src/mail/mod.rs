//! Mail from nodes: reminders, results, notices. Never codes; those are the issuer's.
//!
//! ```text
//! \0q/mail/item/<election>/<id>     a message, kept for the record
//! \0q/mail/due/<election>/<id>      it has something to be done with
//! \0q/mail/claim/<election>/<id>    a node is at it; on that node's lease
//! ```
//!
//! Every node that has a mail server may send; who writes the claim does ([`outbox`]).

pub(crate) mod outbox;
mod way;

use crate::store::{Store, delete, put};
use crate::{Problem, clock, random};
use kv::api::{Error, KeyRange, RangeRequest, Request, Response};
use outbox::{Item, Status};
use std::time::Duration;
pub use way::{Letter, MailSettings, Outcome, Sender, Way};

const DUE: &str = "\0q/mail/due/";
const CLAIM: &str = "\0q/mail/claim/";
const ITEM: &str = "\0q/mail/item/";

/// How long a node's claims outlive it, in seconds.
const LEASE_S: u64 = 30;

/// Between two looks at what is due.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Messages taken in one look.
const LOOK_MAX: i64 = 50;

/// The outbox.
#[derive(Clone)]
pub(crate) struct Post {
    store: Store,
    node: u64,
    way: Option<Way>,
}

impl Post {
    /// The outbox of this node.
    ///
    /// # Errors
    /// What is wrong with the settings.
    pub(crate) fn new(
        store: Store,
        node: u64,
        settings: Option<MailSettings>,
    ) -> Result<Self, String> {
        let way = settings.as_ref().map(Way::new).transpose()?;
        Ok(Self { store, node, way })
    }

    /// Begins to send. Inside a tokio runtime.
    pub(crate) fn start(&self) {
        if let Some(way) = &self.way {
            let worker = Worker { post: self.clone(), sender: way.sender(), lease: None };
            tokio::spawn(worker.run());
        }
    }

    /// Queues a message.
    ///
    /// # Errors
    /// Of the store.
    pub(crate) async fn queue(&self, election: &str, item: &Item) -> Result<String, Problem> {
        let random = hex::encode(random::bytes::<8>()?);
        let id = format!("{:012x}{random}", item.created_ms);
        let writes = vec![
            put(path(ITEM, election, &id), item, 0),
            put(path(DUE, election, &id), &self.node, 0),
        ];
        self.store.swap(vec![(path(ITEM, election, &id), 0)], writes).await?;
        Ok(id)
    }

    /// Messages of an election behind `cursor`, oldest first.
    ///
    /// # Errors
    /// Of the store.
    pub(crate) async fn list(
        &self,
        election: &str,
        cursor: &str,
        limit: usize,
    ) -> Result<Vec<(String, Item)>, Problem> {
        let prefix = path(ITEM, election, "");
        let whole = KeyRange::prefix(prefix.clone());
        let mut start = path(ITEM, election, cursor);
        if !cursor.is_empty() {
            start.push(0);
        }
        let range = KeyRange { key: start.into(), ..whole };
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let request = RangeRequest { range, limit, serializable: true, ..RangeRequest::default() };
        let Response::Range(found) = self.store.client.call(Request::Range(request)).await? else {
            return Err(Error::Corrupt.into());
        };
        let read = |kv: &kv::api::KeyValue| {
            let id = String::from_utf8(kv.key.strip_prefix(&prefix[..])?.to_vec()).ok()?;
            Some((id, serde_json::from_slice(&kv.value).ok()?))
        };
        Ok(found.kvs.iter().filter_map(read).collect())
    }

    /// Queues a message again that has failed.
    ///
    /// # Errors
    /// 404; 409 when it has not failed; of the store.
    pub(crate) async fn again(&self, election: &str, id: &str) -> Result<Item, Problem> {
        let key = path(ITEM, election, id);
        let found = self.store.get(&key).await?;
        let found = found.ok_or_else(|| Problem::not_found("There is no such message."))?;
        let item: Item = serde_json::from_slice(&found.value)
            .map_err(|_| Problem::not_found("There is no such message."))?;
        let again = item.again(clock::milliseconds()).ok_or_else(|| {
            Problem::new(
                axum::http::StatusCode::CONFLICT,
                "mail-not-failed",
                "Only messages that have failed, or may have, are sent again.",
            )
        })?;
        let writes = vec![put(key.clone(), &again, 0), put(path(DUE, election, id), &self.node, 0)];
        let done = self.store.swap(vec![(key, found.mod_revision)], writes).await?;
        done.map(|_| again).ok_or_else(Problem::changed_meanwhile)
    }
}

fn path(kind: &str, election: &str, id: &str) -> Vec<u8> {
    format!("{kind}{election}/{id}").into_bytes()
}

struct Worker {
    post: Post,
    sender: Sender,
    lease: Option<i64>,
}

impl Worker {
    async fn run(mut self) {
        let mut clock = tokio::time::interval(LOOK_EVERY);
        clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            clock.tick().await;
            if let Err(error) = self.look().await {
                tracing::debug!(target: "node", %error, "the outbox is looked at again");
            }
        }
    }

    async fn look(&mut self) -> Result<(), Error> {
        let store = self.post.store.clone();
        let range = KeyRange::prefix(DUE.as_bytes().to_vec());
        let request =
            RangeRequest { range, limit: LOOK_MAX, keys_only: true, ..RangeRequest::default() };
        let Response::Range(found) = store.client.call(Request::Range(request)).await? else {
            return Err(Error::Corrupt);
        };
        for kv in found.kvs {
            let Some(name) = kv.key.strip_prefix(DUE.as_bytes()) else { continue };
            let Ok(name) = core::str::from_utf8(name) else { continue };
            if let Some((election, id)) = name.split_once('/') {
                self.handle(election, id).await?;
            }
        }
        Ok(())
    }

    /// The node's lease, alive.
    async fn lease(&mut self) -> Result<i64, Error> {
        if let Some(id) = self.lease
            && self.post.store.keep_alive(id).await?
        {
            return Ok(id);
        }
        let id = self.post.store.grant(LEASE_S).await?;
        self.lease = Some(id);
        Ok(id)
    }

    async fn handle(&mut self, election: &str, id: &str) -> Result<(), Error> {
        let store = self.post.store.clone();
        let [item_key, due, claim] = [ITEM, DUE, CLAIM].map(|kind| path(kind, election, id));
        let Some(found) = store.get(&item_key).await? else {
            return store.delete(due).await.map(drop);
        };
        let Ok(item) = serde_json::from_slice::<Item>(&found.value) else {
            return store.delete(due).await.map(drop);
        };
        let now = clock::milliseconds();
        if let Some(orphan) = item.orphaned(now) {
            // Nobody holds the claim: its node has fallen.
            let expected = vec![(item_key.clone(), found.mod_revision), (claim, 0)];
            let writes = vec![put(item_key, &orphan, 0), delete(due)];
            return store.swap(expected, writes).await.map(drop);
        }
        let Some(claimed) = item.claimed(now) else { return Ok(()) };
        let lease = self.lease().await?;
        let expected = vec![(item_key.clone(), found.mod_revision), (claim.clone(), 0)];
        let writes =
            vec![put(claim.clone(), &self.post.node, lease), put(item_key.clone(), &claimed, 0)];
        let Some(revision) = store.swap(expected, writes).await? else { return Ok(()) };
        let Item { to, subject, text, .. } = &claimed;
        let outcome = self.sender.send(&Letter { id, to, subject, text }).await;
        let after = claimed.after(outcome, clock::milliseconds());
        tracing::info!(target: "node", message = id, status = ?after.status, "mail");
        let mut writes = vec![put(item_key.clone(), &after, 0), delete(claim)];
        if after.status != Status::Queued {
            writes.push(delete(due));
        }
        store.swap(vec![(item_key, revision)], writes).await.map(drop)
    }
}

//! Keeps a node's [`Directory`] up to date: one list, then a watch from its revision on, again and
//! again; and keeps the node's own key published.

use super::access;
use super::directory::{Directory, PublishedKey};
use super::keys::{self, Kind};
use crate::store::Store;
use ed25519_dalek::SigningKey;
use futures::StreamExt;
use kv::api::{Error, EventKind, KeyRange, WatchRequest, WatchResponse};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;
use tokio::sync::watch;

/// Wait before a broken watch is opened again.
const PAUSE: Duration = Duration::from_millis(200);

/// How long a node's key stays in the store after the node: longer than any token made with it.
const KEY_LEASE_S: u64 = 3 * access::LIFETIME_S;

/// How often that lease is renewed.
const KEY_RENEWAL: Duration = Duration::from_secs(60);

/// The directory as this node knows it.
#[derive(Clone)]
pub(crate) struct Followed {
    directory: Arc<RwLock<Directory>>,
    /// Revision up to which it is complete; 0 before the first list.
    seen: watch::Sender<i64>,
}

impl Followed {
    /// An empty one, to be kept by [`run`](Self::run).
    pub(crate) fn new() -> Self {
        Self { directory: Arc::default(), seen: watch::Sender::new(0) }
    }

    /// Looks at it. Must not be kept over an await.
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, Directory> {
        self.directory.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Directory> {
        self.directory.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the store has been read at all.
    pub(crate) fn is_ready(&self) -> bool {
        *self.seen.borrow() > 0
    }

    /// Waits until what was written at `revision` is known here, for at most two seconds: who has
    /// just written something finds it.
    pub(crate) async fn reach(&self, revision: i64) {
        let mut seen = self.seen.subscribe();
        let reached = seen.wait_for(|seen| *seen >= revision);
        let _ = tokio::time::timeout(Duration::from_secs(2), reached).await;
    }

    /// Follows the store for ever.
    pub(crate) async fn run(self, store: Store) {
        loop {
            if let Err(error) = self.follow(&store).await {
                tracing::debug!(%error, "the watch on accounts is opened again");
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn follow(&self, store: &Store) -> Result<(), Error> {
        let (found, revision) = store.list(keys::ALL).await?;
        let mut directory = Directory::default();
        for kv in found {
            directory.apply(&kv.key, Some(&kv.value), kv.mod_revision);
        }
        *self.write() = directory;
        self.seen.send_replace(revision);
        let range = KeyRange::prefix(keys::ALL);
        let request =
            WatchRequest { range, start_revision: revision + 1, ..WatchRequest::default() };
        let mut messages = store.client.watch(request).await?;
        while let Some(message) = messages.next().await {
            match message? {
                WatchResponse::Events { header, events } => {
                    let mut directory = self.write();
                    for event in events {
                        let value = (event.kind == EventKind::Put).then_some(&event.kv.value[..]);
                        directory.apply(&event.kv.key, value, event.kv.mod_revision);
                    }
                    drop(directory);
                    self.seen.send_replace(header.revision);
                }
                WatchResponse::Canceled { .. } => return Ok(()),
                WatchResponse::Created { .. } | WatchResponse::Progress { .. } => {}
            }
        }
        Ok(())
    }
}

/// Publishes the node's key on a lease and renews it for ever.
pub(crate) async fn publish_key(store: Store, signer: SigningKey, node: u64) {
    let key = signer.verifying_key();
    let path = Kind::Key.key(&access::key_id(&key));
    let published = PublishedKey { node, key: hex::encode(key.as_bytes()) };
    let mut lease = None;
    loop {
        let held = match lease {
            Some(id) => store.keep_alive(id).await,
            None => Ok(false),
        };
        let done = match held {
            Ok(true) => Ok(()),
            Ok(false) => {
                lease = None;
                publish(&store, &path, &published).await.map(|id| lease = Some(id))
            }
            Err(error) => Err(error),
        };
        if let Err(error) = &done {
            tracing::debug!(%error, "the key for access tokens is not published yet");
        }
        tokio::time::sleep(if done.is_ok() { KEY_RENEWAL } else { PAUSE }).await;
    }
}

async fn publish(store: &Store, path: &[u8], published: &PublishedKey) -> Result<i64, Error> {
    let lease = store.grant(KEY_LEASE_S).await?;
    store.swap(Vec::new(), vec![crate::store::put(path.to_vec(), published, lease)]).await?;
    Ok(lease)
}

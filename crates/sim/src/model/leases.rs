//! Leases as the reference knows them: time is what leaders of their own term say it is.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use kv::command::ADVANCE_MS_MAX;
use raft::LogIndex;

/// The end of a lease.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseEnd {
    /// Which.
    pub id: i64,
    /// At which entry.
    pub index: LogIndex,
    /// Its time had come; else it was revoked.
    pub is_by_time: bool,
}

#[derive(Clone, Debug)]
struct Lease {
    ttl_s: i64,
    ends_at_ms: u64,
    keys: BTreeSet<Bytes>,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Leases {
    clock_ms: u64,
    alive: BTreeMap<i64, Lease>,
    attached: BTreeMap<Bytes, i64>,
    ends: Vec<LeaseEnd>,
}

impl Leases {
    pub(super) fn count(&self) -> usize {
        self.alive.len()
    }

    pub(super) fn ends(&self) -> &[LeaseEnd] {
        &self.ends
    }

    pub(super) fn is_alive(&self, id: i64) -> bool {
        self.alive.get(&id).is_some_and(|lease| lease.ends_at_ms > self.clock_ms)
    }

    fn end_for(&self, ttl_s: i64) -> u64 {
        self.clock_ms + u64::try_from(ttl_s).unwrap_or(0) * 1000 + ADVANCE_MS_MAX
    }

    /// Whether it was granted.
    pub(super) fn grant(&mut self, id: i64, ttl_s: i64) -> bool {
        let ends_at_ms = self.end_for(ttl_s);
        let lease = Lease { ttl_s, ends_at_ms, keys: BTreeSet::new() };
        !self.alive.contains_key(&id) && self.alive.insert(id, lease).is_none()
    }

    pub(super) fn renew(&mut self, id: i64) {
        if self.is_alive(id)
            && let Some(ttl_s) = self.alive.get(&id).map(|lease| lease.ttl_s)
        {
            let ends_at_ms = self.end_for(ttl_s);
            self.alive.entry(id).and_modify(|lease| lease.ends_at_ms = ends_at_ms);
        }
    }

    /// Hangs `key` on `lease`, 0 for none, and off the one before.
    pub(super) fn attach(&mut self, key: &Bytes, lease: i64) {
        if let Some(before) = self.attached.remove(key)
            && let Some(before) = self.alive.get_mut(&before)
        {
            before.keys.remove(key);
        }
        if let Some(after) = self.alive.get_mut(&lease) {
            after.keys.insert(key.clone());
            self.attached.insert(key.clone(), lease);
        }
    }

    /// Ends a lease, and says which keys hang on it.
    pub(super) fn end(&mut self, id: i64, index: LogIndex, is_by_time: bool) -> Vec<Bytes> {
        let keys = self.alive.remove(&id).map(|lease| lease.keys).unwrap_or_default();
        self.attached.retain(|_, lease| *lease != id);
        self.ends.push(LeaseEnd { id, index, is_by_time });
        keys.into_iter().collect()
    }

    /// Time goes by; the leases that end, in the order in which they do.
    pub(super) fn advance(&mut self, elapsed_ms: u64) -> Vec<i64> {
        self.clock_ms += elapsed_ms.min(ADVANCE_MS_MAX);
        let is_over =
            |(id, lease): (&i64, &Lease)| (lease.ends_at_ms <= self.clock_ms).then_some(*id);
        self.alive.iter().filter_map(is_over).collect()
    }
}

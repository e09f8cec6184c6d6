//! Leases: named spans of time with keys that go when they end.
//!
//! # The idea
//! Time is a number in the state, `clock_ms`, moved only by the leader's replicated tick
//! ([`crate::command::Body::Advance`]). So every member ends a lease at the same log entry, a
//! member that pauses ends nothing, and a leader that lost its office cannot: its ticks carry
//! its term and say nothing in an entry of another one.
//!
//! # Never early
//! A tick that is applied after a grant may tell of up to [`ADVANCE_MS_MAX`] that passed before
//! it. A lease therefore ends at `clock + ttl + ADVANCE_MS_MAX` of the state's clock, so its
//! holder always gets its full time; it may get one tick's bound more, and more again while there
//! is no leader.
//!
//! # Invariants
//! * a key hangs on at most one lease, and only on one that exists;
//! * an ended lease is revoked inside the tick that ended it, or refused as unknown until a later
//!   tick gets to it (a tick ends at most [`LEASES_ENDED_PER_ADVANCE_MAX`]);
//! * so no renewal succeeds after the end.
//!
//! Left out: checkpoints of the remaining time. The clock itself is in the state, so a new leader
//! goes on where the old one stopped.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;

use crate::access::is_reserved;
use crate::command::ADVANCE_MS_MAX;

/// Shortest time to live, seconds: one and a half campaign timeouts of a second, rounded up.
pub const LEASE_TTL_MIN_S: i64 = 2;

/// Longest time to live, seconds (etcd's bound).
pub const LEASE_TTL_MAX_S: i64 = 9_000_000_000;

/// Most leases that one tick ends; the rest follow with the next.
pub const LEASES_ENDED_PER_ADVANCE_MAX: usize = 500;

/// One lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Lease {
    /// Granted time to live, seconds.
    pub(crate) ttl_s: i64,
    /// Value of the clock at which it ends.
    pub(crate) ends_at_ms: u64,
    /// Keys that hang on it.
    pub(crate) keys: BTreeSet<Bytes>,
}

impl Lease {
    /// Whether it may be neither listed nor revoked, because a reserved key hangs on it.
    pub(crate) fn is_reserved(&self) -> bool {
        self.keys.iter().any(|key| is_reserved(key))
    }
}

/// Every lease, and the clock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Leases {
    clock_ms: u64,
    leases: BTreeMap<i64, Lease>,
    ends: BTreeSet<(u64, i64)>,
    attached: BTreeMap<Bytes, i64>,
}

impl Leases {
    pub(crate) fn clock_ms(&self) -> u64 {
        self.clock_ms
    }

    pub(crate) fn set_clock(&mut self, clock_ms: u64) {
        self.clock_ms = clock_ms;
    }

    /// The lease, unless it has ended and only waits for its revocation.
    pub(crate) fn get(&self, id: i64) -> Option<&Lease> {
        self.leases.get(&id).filter(|lease| lease.ends_at_ms > self.clock_ms)
    }

    pub(crate) fn is_alive(&self, id: i64) -> bool {
        self.get(id).is_some()
    }

    /// Whether the id is taken, be it by a lease that has ended.
    pub(crate) fn is_taken(&self, id: i64) -> bool {
        self.leases.contains_key(&id)
    }

    /// When a lease of `ttl_s` that starts now will end.
    pub(crate) fn end_for(&self, ttl_s: i64) -> u64 {
        let ttl_ms = u64::try_from(ttl_s).unwrap_or(0).saturating_mul(1000);
        self.clock_ms.saturating_add(ttl_ms).saturating_add(ADVANCE_MS_MAX)
    }

    /// Seconds that the lease's holder may still count on, rounded down.
    pub(crate) fn remaining_s(&self, lease: &Lease) -> i64 {
        let end = lease.ends_at_ms.saturating_sub(ADVANCE_MS_MAX);
        (end.saturating_sub(self.clock_ms) / 1000) as i64
    }

    /// The leases that end when the clock shows `clock_ms`: the earliest ends first come in, then
    /// in the order of ids.
    pub(crate) fn ended_at(&self, clock_ms: u64) -> Vec<i64> {
        let ended = self.ends.iter().take_while(|(ends_at_ms, _)| *ends_at_ms <= clock_ms);
        let mut ids: Vec<i64> =
            ended.take(LEASES_ENDED_PER_ADVANCE_MAX).map(|(_, id)| *id).collect();
        ids.sort_unstable();
        ids
    }

    /// The keys of a lease, ascending, even after its end.
    pub(crate) fn keys_of(&self, id: i64) -> impl Iterator<Item = &Bytes> {
        self.leases.get(&id).into_iter().flat_map(|lease| &lease.keys)
    }

    /// The leases that anybody may know of, ascending.
    pub(crate) fn listed(&self) -> Vec<i64> {
        let alive = self.leases.iter().filter(|(_, lease)| lease.ends_at_ms > self.clock_ms);
        alive.filter(|(_, lease)| !lease.is_reserved()).map(|(id, _)| *id).collect()
    }

    /// How many leases there are.
    pub(crate) fn len(&self) -> usize {
        self.leases.len()
    }

    /// Every lease by id.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (i64, &Lease)> {
        self.leases.iter().map(|(id, lease)| (*id, lease))
    }

    pub(crate) fn grant(&mut self, id: i64, ttl_s: i64, ends_at_ms: u64) {
        self.end(id);
        self.leases.insert(id, Lease { ttl_s, ends_at_ms, keys: BTreeSet::new() });
        self.ends.insert((ends_at_ms, id));
    }

    pub(crate) fn renew(&mut self, id: i64, ends_at_ms: u64) {
        if let Some(lease) = self.leases.get_mut(&id) {
            self.ends.remove(&(lease.ends_at_ms, id));
            lease.ends_at_ms = ends_at_ms;
            self.ends.insert((ends_at_ms, id));
        }
    }

    pub(crate) fn end(&mut self, id: i64) {
        if let Some(lease) = self.leases.remove(&id) {
            self.ends.remove(&(lease.ends_at_ms, id));
            for key in &lease.keys {
                self.attached.remove(key);
            }
        }
    }

    /// Hangs `key` on `lease` (0 for none) and off the one before.
    pub(crate) fn attach(&mut self, key: &Bytes, lease: i64) {
        if self.attached.get(key).copied().unwrap_or(0) == lease {
            return;
        }
        if let Some(before) = self.attached.remove(key)
            && let Some(before) = self.leases.get_mut(&before)
        {
            before.keys.remove(key);
        }
        if let Some(after) = self.leases.get_mut(&lease) {
            // A copy: the bytes at hand may belong to a whole record.
            let key = Bytes::copy_from_slice(key);
            after.keys.insert(key.clone());
            self.attached.insert(key, lease);
        }
    }
}

//! L1: a lease ends no sooner than its holder may count on. L2: what has ended is not renewed, and
//! what lives is not said to have ended. (L3, that an old leader's clock counts for nothing, is
//! part of the reference; L4, that they end, is seen at the end of a run.)

use std::collections::BTreeMap;

use kv::api::{Error, Request, Response};

use super::{Checker, Violation, violated};
use crate::faults::FaultClass;
use crate::swarm::Swarm;
use crate::time::{Nanos, SECOND};
use crate::truth::{Fact, FactKind, Operation, Truth};

/// How much faster than true time clocks run at most, in 1/1000, and a little.
const DRIFT_PERMILLE: u64 = 60;

#[derive(Debug)]
pub(super) struct LeasesLast {
    /// When each call under way was made.
    called: BTreeMap<Operation, Nanos>,
    /// Until when a lease lives at least.
    lives_until: BTreeMap<i64, Nanos>,
    ended: BTreeMap<i64, Nanos>,
    /// Ends that have been looked at.
    ends_seen: usize,
    /// No clock jumps ahead.
    are_clocks_sound: bool,
}

impl LeasesLast {
    pub(super) fn new(swarm: &Swarm) -> Self {
        Self {
            called: BTreeMap::new(),
            lives_until: BTreeMap::new(),
            ended: BTreeMap::new(),
            ends_seen: 0,
            are_clocks_sound: !swarm.faults.contains(&FaultClass::ClockJump),
        }
    }

    fn lives(&mut self, id: i64, called: Nanos, ttl_s: i64) {
        let ttl_ns = u64::try_from(ttl_s).unwrap_or(0) * SECOND;
        let until = called + ttl_ns / 1000 * (1000 - DRIFT_PERMILLE);
        let known = self.lives_until.entry(id).or_default();
        *known = until.max(*known);
    }

    fn ends(&mut self, truth: &Truth) -> Result<(), Violation> {
        let ends = truth.model.lease_ends();
        for end in &ends[self.ends_seen..] {
            self.ended.insert(end.id, truth.now);
            let until = self.lives_until.get(&end.id).copied().unwrap_or(0);
            if end.is_by_time && self.are_clocks_sound && truth.now < until {
                let early = (until - truth.now) / 1_000_000;
                return violated("L1", format!("lease {} ends {early} ms too early", end.id));
            }
        }
        self.ends_seen = ends.len();
        Ok(())
    }
}

impl Checker for LeasesLast {
    fn wants(&self) -> &'static [FactKind] {
        &[FactKind::Called, FactKind::Answered, FactKind::Observed]
    }

    fn see(&mut self, fact: &Fact<'_>, truth: &Truth) -> Result<(), Violation> {
        match fact {
            Fact::Observed { .. } => self.ends(truth),
            Fact::Called { operation, request: Request::LeaseGrant(_) }
            | Fact::Called { operation, request: Request::LeaseKeepAlive { .. } } => {
                self.called.insert(*operation, truth.now);
                Ok(())
            }
            Fact::Answered { operation, result: Ok(Response::LeaseGrant(granted)), .. } => {
                let called = self.called.remove(operation).unwrap_or(truth.now);
                self.lives(granted.id, called, granted.ttl);
                Ok(())
            }
            Fact::Answered { operation, result: Ok(Response::LeaseKeepAlive(kept)), .. } => {
                let called = self.called.remove(operation).unwrap_or(truth.now);
                if kept.ttl <= 0 {
                    return is_over(truth, kept.id);
                }
                if self.ended.get(&kept.id).is_some_and(|ended| *ended < called) {
                    let text = format!("lease {} is renewed after its end", kept.id);
                    return violated("L2", text);
                }
                self.lives(kept.id, called, kept.ttl);
                Ok(())
            }
            Fact::Answered {
                request: Request::LeaseRevoke { id },
                result: Ok(_) | Err(Error::LeaseNotFound),
                ..
            } => is_over(truth, *id),
            _ => Ok(()),
        }
    }
}

fn is_over(truth: &Truth, id: i64) -> Result<(), Violation> {
    if truth.model.is_lease_alive(id) {
        return violated("L2", format!("lease {id} is said to have ended and lives"));
    }
    Ok(())
}

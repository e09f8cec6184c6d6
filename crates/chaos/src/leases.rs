//! The holders of leases: each grants one, hangs a key on it, keeps it alive for a while, lets go,
//! and asks on until it is gone.
//!
//! Half of them let it run out, a quarter revoke it, and the rest stop in the middle and renew
//! late, sometimes too late. What they hear, and when, is recorded; the checker knows what a lease
//! must and must not do.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use base::Prng;
use client::Client;
use client::etcd::{EtcdClient, Patience};
use kv::api::{Error, LeaseGrantRequest, Outcome as Known, Request, Response};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::failure::Failure;
use crate::history::{
    Call, Key, LEASE_KEY_MIN, Lease, LeaseAct, LeaseActKind, LeaseOutcome, Operation, Outcome,
    Write,
};
use crate::load::{Progress, outcome, request};

/// Holders at the same time.
const HOLDERS: u32 = 6;

/// The ids of leases begin here.
const ID_MIN: i64 = 7_000_000;

/// Times to live, seconds: the shortest that the store grants, and a little more.
const TTL_S: (u64, u64) = (2, 4);

/// A lease is renewed so often, milliseconds; the longer pauses may be too long.
const RENEW_MS: (u64, u64) = (200, 1_500);
const LATE_MS: (u64, u64) = (1_500, 6_000);

const PATIENCE: Patience =
    Patience { call: Duration::from_millis(1_500), attempt: Duration::from_millis(700) };

/// Holders at work.
#[derive(Debug)]
pub(crate) struct Holders {
    leases: Arc<Mutex<Vec<Lease>>>,
    tasks: JoinSet<()>,
}

impl Holders {
    /// Starts them; `endpoints` are the client listeners of the nodes.
    pub(crate) fn start(
        seed: u64,
        progress: &Arc<Progress>,
        endpoints: &[String],
    ) -> Result<Self, Failure> {
        let leases = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = JoinSet::new();
        for number in 0..HOLDERS {
            let store =
                EtcdClient::connect(endpoints).map_err(Failure::because("cannot connect"))?;
            let holder = Holder {
                number,
                store: store.with_patience(PATIENCE),
                random: Prng::named(seed, &format!("holder/{number}")),
                progress: Arc::clone(progress),
                leases: Arc::clone(&leases),
            };
            tasks.spawn(holder.run());
        }
        Ok(Self { leases, tasks })
    }

    /// Waits until all have let go, after the load was told to end.
    pub(crate) async fn end(mut self) -> Result<Vec<Lease>, Failure> {
        while let Some(ended) = self.tasks.join_next().await {
            ended.map_err(Failure::because("a holder of leases broke"))?;
        }
        Ok(std::mem::take(&mut self.leases.lock().unwrap_or_else(PoisonError::into_inner)))
    }
}

struct Holder {
    number: u32,
    store: EtcdClient,
    random: Prng,
    progress: Arc<Progress>,
    leases: Arc<Mutex<Vec<Lease>>>,
}

impl Holder {
    async fn run(mut self) {
        for round in 0.. {
            if self.progress.is_over() {
                return;
            }
            let place = round * HOLDERS + self.number;
            let Some(key) = Key::try_from(place).ok().and_then(|p| LEASE_KEY_MIN.checked_add(p))
            else {
                return;
            };
            let mut lease = Lease { id: ID_MIN + i64::from(place), acts: Vec::new() };
            self.hold(&mut lease, key).await;
            self.leases.lock().unwrap_or_else(PoisonError::into_inner).push(lease);
        }
    }

    async fn hold(&mut self, lease: &mut Lease, key: Key) {
        let (low, high) = TTL_S;
        let ttl = self.random.between(low, high) as i64;
        let grant = Request::LeaseGrant(LeaseGrantRequest { ttl, id: lease.id });
        if self.act(lease, LeaseActKind::Grant, grant).await == LeaseOutcome::Refused {
            return sleep(Duration::from_millis(100)).await;
        }
        self.put(lease.id, key).await;
        let (low, high) = RENEW_MS;
        for _ in 0..self.random.below(8) {
            sleep(Duration::from_millis(self.random.between(low, high))).await;
            self.renew(lease).await;
            if self.progress.is_over() {
                return;
            }
        }
        match self.random.below(4) {
            0 => {
                let revoke = Request::LeaseRevoke { id: lease.id };
                self.act(lease, LeaseActKind::Revoke, revoke).await;
            }
            1 => {
                let (low, high) = LATE_MS;
                sleep(Duration::from_millis(self.random.between(low, high))).await;
                if let LeaseOutcome::Done { .. } = self.renew(lease).await {
                    self.put(lease.id, key).await;
                }
            }
            _ => {}
        }
        self.see_it_go(key).await;
    }

    async fn renew(&mut self, lease: &mut Lease) -> LeaseOutcome {
        let renew = Request::LeaseKeepAlive { id: lease.id };
        self.act(lease, LeaseActKind::Renew, renew).await
    }

    async fn act(
        &mut self,
        lease: &mut Lease,
        kind: LeaseActKind,
        request: Request,
    ) -> LeaseOutcome {
        let called_ns = self.progress.now_ns();
        let result = self.store.call(request).await;
        let outcome = lease_outcome(result, self.progress.now_ns());
        lease.acts.push(LeaseAct { called_ns, kind, outcome });
        outcome
    }

    /// One more write of the history, with a value of its own.
    async fn put(&mut self, lease: i64, key: Key) {
        let value = self.progress.fresh_value();
        self.call(Call::Write(Write { puts: vec![key], value, lease, ..Write::default() })).await;
    }

    /// Reads until the key is not there, and once more.
    async fn see_it_go(&mut self, key: Key) {
        let mut is_seen_gone = false;
        while !self.progress.is_over() {
            let call = Call::Read { first: key, end: key + 1 };
            if let Outcome::Answered { answer, .. } = self.call(call).await {
                let crate::history::Answer::Read { found, .. } = answer else { return };
                if std::mem::replace(&mut is_seen_gone, found.is_empty()) {
                    return;
                }
            }
            sleep(Duration::from_millis(self.random.between(50, 400))).await;
        }
    }

    async fn call(&mut self, call: Call) -> Outcome {
        let called_ns = self.progress.now_ns();
        let result = self.store.call(request(&call, false)).await;
        let outcome = outcome(result, self.progress.now_ns());
        let client = u32::MAX - self.number;
        self.progress.record(Operation {
            client,
            node: 0,
            called_ns,
            call,
            outcome: outcome.clone(),
        });
        outcome
    }
}

fn lease_outcome(result: Result<Response, Error>, returned_ns: u64) -> LeaseOutcome {
    match result {
        Ok(Response::LeaseGrant(granted)) => LeaseOutcome::Done {
            returned_ns,
            revision: granted.header.revision,
            ttl_s: granted.ttl,
        },
        Ok(Response::LeaseKeepAlive(renewed)) if renewed.ttl > 0 => LeaseOutcome::Done {
            returned_ns,
            revision: renewed.header.revision,
            ttl_s: renewed.ttl,
        },
        Ok(Response::LeaseRevoke(header)) => {
            LeaseOutcome::Done { returned_ns, revision: header.revision, ttl_s: 0 }
        }
        Ok(_) | Err(Error::LeaseNotFound) => LeaseOutcome::Gone { returned_ns },
        // The id is used by nobody else: an earlier attempt of this call did it.
        Err(Error::LeaseExists) => LeaseOutcome::Unknown,
        Err(error) if error.outcome() == Known::NotApplied => LeaseOutcome::Refused,
        Err(_) => LeaseOutcome::Unknown,
    }
}

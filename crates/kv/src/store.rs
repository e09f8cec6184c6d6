//! The state machine: commands in, answers and events out.
//!
//! [`Kv::apply`] executes one command against a draft, then writes everything it did (keys, lease
//! changes, the call's number, the log index) as one record. A refusal is an answer like any
//! other and leaves a record without changes. Only a store that cannot be read or written is a
//! [`Fault`]: then the member must stop, because going on would make it differ from the others.
//!
//! Compaction puts the history below a revision out of reach, on all members at the same entry. The
//! records stay in the value log, since a snapshot is its beginning; giving their space back is
//! left out.

use core::fmt;
use core::ops::ControlFlow;

use bytes::Bytes;
use mvcc::{Backing, Change, CommitError, OpenError, Position, ReadError, Store, WriteBatch};

use crate::access::is_reserved;
use crate::api::{
    Error, Event, EventKind, HashResponse, Header, KeyValue, LeaseGrantRequest, LeaseGrantResponse,
    LeaseKeepAliveResponse, LeaseLeasesResponse, LeaseTimeToLiveResponse, RangeRequest, Request,
    Response, Status, TxnRequest, TxnResponse,
};
use crate::command::{ADVANCE_MS_MAX, Body, CallOrigin, Envelope};
use crate::delta::{self, Delta};
use crate::draft::{Draft, Stop};
use crate::lease::{LEASE_TTL_MAX_S, LEASE_TTL_MIN_S, Leases};
use crate::mutant::Mutant;
use crate::range::range;
use crate::session::Sessions;
use crate::txn;

/// Most bytes of keys and values that one command may change. What a command does is one record,
/// and a record must fit into a segment of the value log with room to spare: without a bound that
/// all members share, one deletion of very many keys would stop them all. A request above it is
/// refused with [`Error::RequestTooLarge`]; the keys of an ended lease go in several ticks.
pub const CHANGES_BYTES_MAX: usize = 16 << 20;

/// This member cannot go on: its store failed. The state is as before the command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A record that the command needed is damaged.
    Read(ReadError),
    /// The record of the command could not be written.
    Commit(CommitError),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read(error) => write!(f, "the state of this member is damaged: {error}"),
            Self::Commit(error) => write!(f, "the state of this member cannot be written: {error}"),
        }
    }
}

impl core::error::Error for Fault {}

impl Fault {
    /// Whether only space was lacking: the same command can be applied when there is some.
    pub fn is_full(&self) -> bool {
        let full = |error: &CommitError| {
            matches!(error, CommitError::Backing(mvcc::BackingError::Full { .. }))
        };
        matches!(self, Self::Commit(error) if full(error))
    }
}

/// The changes of one revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RevisionEvents {
    /// The revision.
    pub revision: i64,
    /// Its changes in order, at least one, without the values before.
    pub events: Vec<Event>,
}

/// What applying a command gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Who made the call.
    pub origin: CallOrigin,
    /// The answer. Nobody waits for that of a clock tick (a bare header) or of a duplicate
    /// ([`Error::OutcomeUnknown`]: the first application gave the answer).
    pub result: Result<Response, Error>,
    /// The new revisions, ascending. A clock tick may make several, one for each ended lease.
    pub events: Vec<RevisionEvents>,
    /// Whether the call had been applied before, so that nothing was done now.
    pub duplicate: bool,
}

/// What a command is about to do.
struct Plan {
    response: Response,
    groups: Vec<Vec<Change>>,
    deltas: Vec<Delta>,
}

impl Plan {
    fn answer(response: Response) -> Self {
        Self { response, groups: Vec::new(), deltas: Vec::new() }
    }

    /// One revision with `changes`, or none without.
    fn with_changes(mut self, changes: Vec<Change>) -> Self {
        if !changes.is_empty() {
            self.groups.push(changes);
        }
        self
    }

    /// Refuses what would not fit into a record.
    fn check_size(self) -> Result<Self, Stop> {
        let size: usize = self.groups.iter().flatten().map(size_bytes).sum();
        if size > CHANGES_BYTES_MAX { Err(Error::RequestTooLarge.into()) } else { Ok(self) }
    }

    fn with_delta(mut self, delta: Delta) -> Self {
        self.deltas.push(delta);
        self
    }
}

/// The key-value store of one member. Reading takes `&self`, so it can stand behind a
/// read-write lock.
#[derive(Debug)]
pub struct Kv<B> {
    store: Store<B>,
    leases: Leases,
    sessions: Sessions,
    #[cfg(feature = "mutants")]
    mutant: Option<Mutant>,
}

/// A state that is being rebuilt from its records, by whoever reads the log anyway.
#[derive(Debug, Default)]
pub struct Opening {
    store: mvcc::Opening,
    leases: Leases,
    sessions: Sessions,
    compacted: i64,
}

impl Opening {
    /// Takes the next record in.
    ///
    /// # Errors
    /// [`OpenError::Record`]; the opening is then of no further use.
    pub fn take(&mut self, position: Position, record: &[u8]) -> Result<(), OpenError> {
        let (index, aux) = self.store.take(position, record)?;
        delta::for_each(aux, |delta| match delta {
            Delta::Compacted(revision) => self.compacted = revision,
            other => other.fold(&mut self.leases, &mut self.sessions),
        })
        .map_err(|error| {
            let detail = format!("log index {index}, the part beside the keys: {error}");
            OpenError::Record { position: Position::default(), detail }
        })
    }

    /// The state, once every record of `backing` was taken in.
    pub fn finish<B: Backing>(self, backing: B) -> Kv<B> {
        let Self { store, mut leases, sessions, compacted } = self;
        let mut store = store.finish(backing);
        store.compact(compacted);
        for (key, lease) in store.live_leases() {
            leases.attach(&Bytes::copy_from_slice(key), lease);
        }
        Kv {
            store,
            leases,
            sessions,
            #[cfg(feature = "mutants")]
            mutant: None,
        }
    }
}

impl<B: Backing> Kv<B> {
    /// Reads the whole log of `backing` and rebuilds the state.
    ///
    /// # Errors
    /// [`OpenError`] when a record cannot be read or does not fit.
    pub fn open(backing: B) -> Result<Self, OpenError> {
        let mut opening = Opening::default();
        let mut wrong = None;
        backing
            .scan(&mut |position, record| match opening.take(position, record) {
                Ok(()) => ControlFlow::Continue(()),
                Err(error) => {
                    wrong = Some(error);
                    ControlFlow::Break(())
                }
            })
            .map_err(OpenError::Backing)?;
        match wrong {
            Some(error) => Err(error),
            None => Ok(opening.finish(backing)),
        }
    }

    /// Seeds a bug, or none.
    #[cfg(feature = "mutants")]
    pub fn seed(&mut self, mutant: Option<Mutant>) {
        self.mutant = mutant;
    }

    /// Whether the seeded bug `mutant` is on; never without the feature `mutants`.
    fn has(&self, mutant: Mutant) -> bool {
        #[cfg(feature = "mutants")]
        return self.mutant == Some(mutant);
        #[cfg(not(feature = "mutants"))]
        {
            let _ = mutant;
            false
        }
    }

    /// Index of the newest log entry in the state, 0 for none.
    pub fn applied_index(&self) -> u64 {
        self.store.applied_index()
    }

    /// The newest revision.
    pub fn revision(&self) -> i64 {
        self.store.revision()
    }

    /// The newest life of a process, of any member, that this state has heard of. In a new group
    /// that begins with this state, members must begin to count above it: the calls of the old ones
    /// count as applied.
    pub fn newest_incarnation(&self) -> u64 {
        self.sessions.newest_incarnation()
    }

    /// How many leases there are; while there are none, time need not be told.
    pub fn lease_count(&self) -> usize {
        self.leases.len()
    }

    /// The store below, for digests, sizes and checks.
    pub fn store(&self) -> &Store<B> {
        &self.store
    }

    /// The backing, for whoever repairs it ([`Store::backing_mut`]).
    pub fn backing_mut(&mut self) -> &mut B {
        self.store.backing_mut()
    }

    /// Gives the backing back, as a restart does.
    pub fn into_backing(self) -> B {
        self.store.into_backing()
    }

    /// Makes everything applied so far durable.
    ///
    /// # Errors
    /// [`Fault::Commit`].
    pub fn sync(&mut self) -> Result<(), Fault> {
        self.store.sync().map_err(Fault::Commit)
    }

    /// A checksum of everything beside the keys (clock, leases, sessions); with the store's
    /// digest it is equal on members that applied the same entries.
    pub fn side_digest(&self) -> u32 {
        let mut sum = base::crc32c(&self.leases.clock_ms().to_le_bytes());
        let mut add = |bytes: &[u8]| sum = base::crc32c_append(sum, bytes);
        for (id, lease) in self.leases.iter() {
            add(&id.to_le_bytes());
            add(&lease.ttl_s.to_le_bytes());
            add(&lease.ends_at_ms.to_le_bytes());
            lease.keys.iter().for_each(|key| add(key));
        }
        self.sessions.numbers().for_each(|number| add(&number.to_le_bytes()));
        // Nothing for stores that were never compacted, whose sums are on disks already.
        if self.store.compacted() > 0 {
            add(&self.store.compacted().to_le_bytes());
        }
        sum
    }

    /// Applies the command of log entry `index`, which has `term`.
    ///
    /// # Errors
    /// [`Fault`]: this member must halt before it applies anything else.
    ///
    /// # Panics
    /// When `index` is not above [`Kv::applied_index`].
    pub fn apply(&mut self, index: u64, term: u64, envelope: &Envelope) -> Result<Applied, Fault> {
        let origin = envelope.origin;
        if self.sessions.is_applied(origin) {
            self.apply_empty(index)?;
            let result = Err(Error::OutcomeUnknown);
            return Ok(Applied { origin, result, events: Vec::new(), duplicate: true });
        }
        let planned = match &envelope.body {
            Body::Write(request) => self.plan(request).and_then(Plan::check_size),
            Body::Advance { elapsed_ms, term: leader_term } => {
                Ok(self.plan_advance(*elapsed_ms, *leader_term == term))
            }
        };
        let (result, groups, mut deltas) = match planned {
            Ok(plan) => (Ok(plan.response), plan.groups, plan.deltas),
            Err(Stop::Refused(error)) => (Err(error), Vec::new(), Vec::new()),
            Err(Stop::Damaged(error)) => return Err(Fault::Read(error)),
        };
        if origin.call != 0 {
            deltas.push(Delta::Applied(origin));
        }
        let events = self.commit(index, groups, &deltas)?;
        let result = result.map(|response| with_term(response, term));
        Ok(Applied { origin, result, events, duplicate: false })
    }

    /// Notes that log entry `index`, which holds no command, is applied.
    ///
    /// # Errors
    /// [`Fault::Commit`].
    pub fn apply_empty(&mut self, index: u64) -> Result<(), Fault> {
        self.commit(index, Vec::new(), &[]).map(|_| ())
    }

    /// Answers a request that only reads, from the state as it is now.
    ///
    /// A [`Status`] gets its header and sizes; the replica adds what it knows.
    ///
    /// # Errors
    /// A refusal; [`Error::Corrupt`] when this member's store is damaged.
    ///
    /// # Panics
    /// When the request writes ([`Request::is_write`]): such a call belongs into the log.
    pub fn read(&self, request: &Request, raft_term: u64) -> Result<Response, Error> {
        self.answer(request, raft_term).unwrap_or(Err(Error::Corrupt))
    }

    /// As [`Kv::read`], for who can do something about the damage.
    ///
    /// # Errors
    /// [`ReadError::Damaged`]: where this member's store is damaged; nothing may be answered.
    ///
    /// # Panics
    /// As [`Kv::read`].
    pub fn answer(
        &self,
        request: &Request,
        raft_term: u64,
    ) -> Result<Result<Response, Error>, ReadError> {
        let answered = match request {
            Request::Range(request) => self.read_range(request),
            Request::Txn(txn) if !request.is_write() => self.read_txn(txn),
            Request::LeaseTimeToLive { id, keys } => Ok(self.time_to_live(*id, *keys)),
            Request::LeaseLeases => Ok(Response::LeaseLeases(LeaseLeasesResponse {
                header: self.header(),
                leases: self.leases.listed(),
            })),
            Request::Hash { revision } => self.hash(*revision).map_err(Stop::Refused),
            Request::Status => Ok(Response::Status(Status {
                header: self.header(),
                db_size: self.store.size_bytes() as i64,
                db_size_in_use: self.store.live_bytes() as i64,
                ..Default::default()
            })),
            write => panic!("a write is applied, not read: {write:?}"),
        };
        match answered {
            Ok(response) => Ok(Ok(with_term(response, raft_term))),
            Err(Stop::Refused(error)) => Ok(Err(error)),
            Err(Stop::Damaged(error)) => Err(error),
        }
    }

    /// `key` as it was at `revision`, for the value before an event; nothing when that was
    /// compacted.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn get_at(&self, key: &[u8], revision: i64) -> Result<Option<KeyValue>, ReadError> {
        if revision < self.store.compacted() {
            return Ok(None);
        }
        Ok(self.store.get(key, Some(revision))?.map(key_value))
    }

    /// The changes of revision `from` and later, whole revisions only, until `events_max` events
    /// are reached; at least one revision if there is one.
    ///
    /// # Errors
    /// [`ReadError::Damaged`].
    pub fn changes(&self, from: i64, events_max: usize) -> Result<Vec<RevisionEvents>, ReadError> {
        Ok(self.store.changes(from, events_max)?.into_iter().map(revision_events).collect())
    }

    fn header(&self) -> Header {
        Header { revision: self.store.revision(), raft_term: 0 }
    }

    fn read_range(&self, request: &RangeRequest) -> Result<Response, Stop> {
        Ok(Response::Range(range(request, &Draft::new(&self.store))?))
    }

    fn read_txn(&self, request: &TxnRequest) -> Result<Response, Stop> {
        let mut draft = Draft::new(&self.store);
        Ok(Response::Txn(self.run_txn(request, &mut draft)?))
    }

    fn run_txn(&self, request: &TxnRequest, draft: &mut Draft<'_, B>) -> Result<TxnResponse, Stop> {
        let path = txn::Path::choose(request, draft)?;
        txn::check(request, &path, draft, &self.leases)?;
        let mut response = txn::execute(request, &path, draft)?;
        response.header.revision = draft.revision();
        Ok(response)
    }

    fn time_to_live(&self, id: i64, keys: bool) -> Response {
        let header = self.header();
        let response = match self.leases.get(id) {
            None => LeaseTimeToLiveResponse { header, id, ttl: -1, ..Default::default() },
            Some(lease) => LeaseTimeToLiveResponse {
                header,
                id,
                ttl: self.leases.remaining_s(lease),
                granted_ttl: lease.ttl_s,
                keys: lease.keys.iter().filter(|key| keys && !is_reserved(key)).cloned().collect(),
            },
        };
        Response::LeaseTimeToLive(response)
    }

    /// What `request` would do, without doing it.
    fn plan(&self, request: &Request) -> Result<Plan, Stop> {
        // The member that proposed it has checked it; checking again costs little and makes the
        // answer independent of that member.
        request.check()?;
        let mut draft = Draft::new(&self.store);
        match request {
            Request::Put(request) => {
                // A single put and one inside a transaction are checked in another order, so that
                // the refusal is the one etcd gives.
                txn::check_lease(request, &self.leases)?;
                let response = Response::Put(txn::put(request, &mut draft)?);
                Ok(Plan::answer(response).with_changes(draft.into_changes()))
            }
            Request::DeleteRange(request) => {
                let response = Response::DeleteRange(txn::delete_range(request, &mut draft)?);
                Ok(Plan::answer(response).with_changes(draft.into_changes()))
            }
            Request::Txn(request) => {
                let response = Response::Txn(self.run_txn(request, &mut draft)?);
                Ok(Plan::answer(response).with_changes(draft.into_changes()))
            }
            Request::LeaseGrant(request) => self.plan_grant(*request),
            Request::LeaseRevoke { id } => self.plan_revoke(*id),
            Request::LeaseKeepAlive { id } => Ok(self.plan_keep_alive(*id)),
            Request::Compact { revision, .. } => Ok(self.plan_compaction(*revision)?),
            Request::Range(_)
            | Request::LeaseTimeToLive { .. }
            | Request::LeaseLeases
            | Request::Hash { .. }
            | Request::Status => panic!("a read is never replicated: {request:?}"),
        }
    }

    fn plan_grant(&self, request: LeaseGrantRequest) -> Result<Plan, Stop> {
        let LeaseGrantRequest { ttl, id } = request;
        if id == 0 {
            return Err(Error::LeaseNotFound.into());
        }
        if self.leases.is_taken(id) {
            return Err(Error::LeaseExists.into());
        }
        let ttl = ttl.clamp(LEASE_TTL_MIN_S, LEASE_TTL_MAX_S);
        let header = self.header();
        let plan = Plan::answer(Response::LeaseGrant(LeaseGrantResponse { header, id, ttl }));
        let ends_at_ms = self.leases.end_for(ttl);
        Ok(plan.with_delta(Delta::Granted { id, ttl_s: ttl, ends_at_ms }))
    }

    fn plan_revoke(&self, id: i64) -> Result<Plan, Stop> {
        let lease = self.leases.get(id).ok_or(Error::LeaseNotFound)?;
        if lease.is_reserved() {
            return Err(Error::PermissionDenied.into());
        }
        let changes = self.deletions_of(id);
        let revision = self.revision() + i64::from(!changes.is_empty());
        let header = Header { revision, raft_term: 0 };
        let plan = Plan::answer(Response::LeaseRevoke(header)).with_changes(changes);
        Ok(plan.with_delta(Delta::Ended { id }))
    }

    fn plan_keep_alive(&self, id: i64) -> Plan {
        let header = self.header();
        let answer = |ttl| {
            Plan::answer(Response::LeaseKeepAlive(LeaseKeepAliveResponse { header, id, ttl }))
        };
        match self.leases.get(id) {
            None if self.has(Mutant::EndedLeaseRenewed) => answer(LEASE_TTL_MIN_S),
            None => answer(0),
            Some(lease) => {
                let ends_at_ms = self.leases.end_for(lease.ttl_s);
                answer(lease.ttl_s).with_delta(Delta::Renewed { id, ends_at_ms })
            }
        }
    }

    /// The history below `revision` goes out of reach; the disk keeps it.
    fn plan_compaction(&self, revision: i64) -> Result<Plan, Error> {
        if revision <= self.store.compacted() {
            return Err(Error::Compacted);
        }
        if revision > self.revision() {
            return Err(Error::FutureRevision);
        }
        let plan = Plan::answer(Response::Compact(self.header()));
        Ok(plan.with_delta(Delta::Compacted(revision)))
    }

    fn hash(&self, revision: i64) -> Result<Response, Error> {
        let hash_revision = if revision <= 0 { self.revision() } else { revision };
        let compact_revision = self.store.compacted();
        if hash_revision < compact_revision {
            return Err(Error::Compacted);
        }
        let digest = self.store.digest(hash_revision).ok_or(Error::FutureRevision)?;
        let hash = base::crc32c(&[digest.to_le_bytes(), compact_revision.to_le_bytes()].concat());
        let header = self.header();
        Ok(Response::Hash(HashResponse { header, hash, compact_revision, hash_revision }))
    }

    /// Time goes by, if the leader of this very term says so; leases end, each with a revision of
    /// its own if it has keys.
    fn plan_advance(&self, elapsed_ms: u64, is_current_leader: bool) -> Plan {
        let mut plan = Plan::answer(Response::LeaseRevoke(self.header()));
        if !is_current_leader {
            return plan;
        }
        let elapsed_ms = elapsed_ms.min(ADVANCE_MS_MAX);
        let clock_ms = self.leases.clock_ms().saturating_add(elapsed_ms);
        plan = plan.with_delta(Delta::Clock(clock_ms));
        let mut bytes_left = CHANGES_BYTES_MAX;
        for id in self.leases.ended_at(clock_ms) {
            let mut changes = self.deletions_of(id);
            let all = changes.len();
            changes.truncate(count_within(&changes, &mut bytes_left));
            let is_all = changes.len() == all;
            plan = plan.with_changes(changes);
            if !is_all {
                break;
            }
            plan = plan.with_delta(Delta::Ended { id });
        }
        plan
    }

    /// Deletions of the lease's keys, ascending.
    fn deletions_of(&self, id: i64) -> Vec<Change> {
        self.leases.keys_of(id).map(|key| Change::Delete { key: key.clone() }).collect()
    }

    /// Writes the record of a command and takes over what it changes.
    fn commit(
        &mut self,
        applied_index: u64,
        groups: Vec<Vec<Change>>,
        deltas: &[Delta],
    ) -> Result<Vec<RevisionEvents>, Fault> {
        let aux = Bytes::from(delta::encode(deltas));
        let batch = WriteBatch { applied_index, groups, aux };
        let committed = self.store.commit(&batch).map_err(Fault::Commit)?;
        for delta in deltas {
            if let Delta::Compacted(revision) = delta {
                self.store.compact(*revision);
            }
            delta.fold(&mut self.leases, &mut self.sessions);
        }
        let events: Vec<RevisionEvents> =
            committed.revisions.into_iter().map(revision_events).collect();
        for event in events.iter().flat_map(|revision| &revision.events) {
            self.leases.attach(&event.kv.key, event.kv.lease);
        }
        Ok(events)
    }
}

fn size_bytes(change: &Change) -> usize {
    match change {
        Change::Put { key, value, .. } => key.len() + value.len(),
        Change::Delete { key } => key.len(),
    }
}

/// How many of `changes` fit into `bytes_left`, which they then use up.
fn count_within(changes: &[Change], bytes_left: &mut usize) -> usize {
    let fits = |change: &&Change| match bytes_left.checked_sub(size_bytes(change)) {
        Some(left) => {
            *bytes_left = left;
            true
        }
        None => false,
    };
    changes.iter().take_while(fits).count()
}

fn with_term(mut response: Response, raft_term: u64) -> Response {
    let header = match &mut response {
        Response::Range(response) => &mut response.header,
        Response::Put(response) => &mut response.header,
        Response::DeleteRange(response) => &mut response.header,
        Response::Txn(response) => &mut response.header,
        Response::LeaseGrant(response) => &mut response.header,
        Response::LeaseRevoke(header) => header,
        Response::LeaseKeepAlive(response) => &mut response.header,
        Response::LeaseTimeToLive(response) => &mut response.header,
        Response::LeaseLeases(response) => &mut response.header,
        Response::Compact(header) => header,
        Response::Hash(response) => &mut response.header,
        Response::Status(response) => &mut response.header,
    };
    header.raft_term = raft_term;
    response
}

fn key_value(kv: mvcc::KeyValue) -> KeyValue {
    let mvcc::KeyValue { key, value, create_revision, mod_revision, version, lease } = kv;
    KeyValue { key, value, create_revision, mod_revision, version, lease }
}

fn revision_events(changes: mvcc::RevisionEvents) -> RevisionEvents {
    let event = |event: mvcc::Event| Event {
        kind: if event.is_delete { EventKind::Delete } else { EventKind::Put },
        kv: key_value(event.kv),
        prev_kv: None,
    };
    let events = changes.events.into_iter().map(event).collect();
    RevisionEvents { revision: changes.revision, events }
}

//! The deciding part of a member: calls in, orders to log, state and peers out.

use crate::admission::Entrance;
use crate::cutting::{Kept, LogKeeping};
use crate::interface::{
    AppliedReport, Config, ConfigError, Effect, Event, LoadPurpose, StateSummary, Timing,
};
use crate::mutant::Mutant;
use crate::peer::PeerMessage;
use crate::pending::{PendingReads, PendingWrites, WaitingRead};
use crate::records::Records;
use crate::snapshots::Snapshots;
use crate::state_thread::StateOrder;
use crate::wishes::Wishes;
use base::{Machine, Prng};
use bytes::Bytes;
use kv::api::{Error, Header, Request, Response, Status};
use kv::command::{Body, CallOrigin, Envelope};
use raft::{Entry, Input, LogIndex, MemberId, Raft, ReadId, Refused, RoleName, Term};

/// Most writes one member has under way; a further call is refused as one too many. The state
/// machine remembers more origins than this per member, so a repeated one is always recognised.
pub const WRITES_PENDING_MAX: usize = 4096;

/// Most bytes of writes under way; a further call is refused as one too many.
pub const WRITE_BYTES_PENDING_MAX: usize = 64 << 20;

/// Most reads under way; a further call is refused as one too many.
pub const READS_PENDING_MAX: usize = 16_384;

/// Most bytes of payload in one `Forward`; more go in several messages.
const FORWARD_BYTES_MAX: usize = 1 << 20;

/// Ticks between two looks at the deadlines.
const DEADLINE_STEP_TICKS: u64 = 10;

/// One member of the store.
#[derive(Debug)]
pub struct Replica {
    pub(crate) raft: Raft,
    pub(crate) member: MemberId,
    pub(crate) incarnation: u64,
    pub(crate) timing: Timing,
    pub(crate) log_keeping: LogKeeping,
    pub(crate) snapshot_bytes_per_second: u64,
    #[cfg(feature = "mutants")]
    mutant: Option<Mutant>,
    random: Prng,
    pub(crate) tick: u64,
    next_write: u64,
    next_read: u64,
    writes: PendingWrites,
    reads: PendingReads,
    /// Reads that no quorum round was started for.
    fresh_reads: Vec<WaitingRead>,
    /// Reads whose round came to nothing. They are asked again at the next tick, or once somebody
    /// else leads: a member that leads no more refuses at once, and asking it again and again
    /// would keep both busy with nothing else.
    refused_reads: Vec<WaitingRead>,
    /// A reading of the clock that consensus has not heard of.
    clock_ns: Option<u64>,
    pub(crate) entrance: Entrance,
    pub(crate) hints: Vec<MemberId>,
    pub(crate) wishes: Wishes,
    /// The wish that consensus is just being asked about.
    pub(crate) current_wish: Option<u64>,
    pub(crate) snapshots: Snapshots,
    /// Intact entries from behind the damage of the own log.
    pub(crate) salvaged: Vec<Entry>,
    /// The own log has lost something and does not know yet that it is whole again.
    pub(crate) has_loss: bool,
    pub(crate) kept: Kept,
    pub(crate) records: Records,
    /// The state is durable up to here.
    pub(crate) synced: LogIndex,
    role: RoleName,
    term: Term,
    pub(crate) leader: Option<MemberId>,
    /// Tick at which the lease clock was last moved by this member as leader.
    advanced_at: u64,
    pub(crate) applied: LogIndex,
    pub(crate) state: StateSummary,
}

impl Replica {
    /// A member that has opened its log and its state; `salvaged` is what the log could save from
    /// behind damage ([`crate::LogStore::salvaged`]).
    ///
    /// # Errors
    /// [`ConfigError`] when the durations or what was recovered do not fit together.
    pub fn new(
        config: Config,
        recovered: raft::Recovered,
        salvaged: Vec<Entry>,
        state: StateSummary,
    ) -> Result<Self, ConfigError> {
        let timing = config.timing;
        let applied = recovered.applied;
        let (member, incarnation) = (config.raft.id, config.raft.incarnation);
        let has_loss = recovered.restriction.is_some();
        let entrance = Entrance::new(member, config.admission, &config.founding);
        let raft_config = raft::Config {
            election_ticks_min: timing.ticks(timing.election_min_ms),
            election_ticks_max: timing.ticks(timing.election_max_ms),
            heartbeat_ticks: timing.ticks(timing.heartbeat_ms),
            ..config.raft
        };
        let mut raft = Raft::new(raft_config, recovered).map_err(|e| ConfigError(e.to_string()))?;
        raft.note_state_held(state.applied);
        let status = raft.status();
        Ok(Self {
            member,
            incarnation,
            timing,
            log_keeping: config.log_keeping,
            snapshot_bytes_per_second: config.snapshot_bytes_per_second,
            clock_ns: None,
            entrance,
            hints: config.hints,
            #[cfg(feature = "mutants")]
            mutant: config.mutant,
            wishes: Wishes::default(),
            current_wish: None,
            snapshots: Snapshots::default(),
            salvaged,
            has_loss,
            kept: Kept::default(),
            records: Records::default(),
            synced: applied,
            random: Prng::named(config.seed, "replica/leases"),
            tick: 0,
            next_write: 0,
            next_read: 0,
            writes: PendingWrites::default(),
            reads: PendingReads::default(),
            fresh_reads: Vec::new(),
            refused_reads: Vec::new(),
            role: status.role,
            term: status.term,
            leader: status.leader,
            advanced_at: 0,
            applied,
            state,
            raft,
        })
    }

    /// Whether the seeded bug `mutant` is on; never without the feature `mutants`.
    pub(crate) fn has(&self, mutant: Mutant) -> bool {
        #[cfg(feature = "mutants")]
        return self.mutant == Some(mutant);
        #[cfg(not(feature = "mutants"))]
        {
            let _ = mutant;
            false
        }
    }

    /// Consensus as it stands.
    pub fn status(&self) -> raft::Status {
        self.raft.status()
    }

    /// Brings `seen`, an earlier [`Self::status`], up to date; false if nothing but the age of the
    /// oldest write has changed.
    pub fn refresh(&self, seen: &mut raft::Status) -> bool {
        self.raft.refresh(seen)
    }

    /// Last applied index that was reported.
    pub fn applied(&self) -> LogIndex {
        self.applied
    }

    /// Calls under way: writes and reads.
    pub fn pending(&self) -> (usize, usize) {
        (self.writes.len(), self.reads_waiting())
    }

    fn reads_waiting(&self) -> usize {
        self.reads.len() + self.fresh_reads.len() + self.refused_reads.len()
    }

    /// Whether calls wait for the next [`Event::Drained`].
    pub fn wants_drain(&self) -> bool {
        self.leader.is_some() && (self.writes.has_fresh() || !self.fresh_reads.is_empty())
    }

    /// Figures of the applied state, as it reported them last.
    pub fn state(&self) -> StateSummary {
        self.state
    }

    /// Snapshots on their way out, and whether one is coming in.
    pub fn snapshots(&self) -> (usize, bool) {
        (self.snapshots.sending(), self.snapshots.is_receiving())
    }

    /// Whether the state lacks what the log no longer holds.
    pub(crate) fn needs_state(&self) -> bool {
        self.applied < self.raft.base().index
    }

    fn on_ticked(&mut self, jitter: u64, effects: &mut Vec<Effect>) {
        self.tick += 1;
        self.fresh_reads.append(&mut self.refused_reads);
        self.tick_entrance(effects);
        if self.is_open() {
            self.tell_clock(effects);
            self.drive(Input::Ticked { jitter }, effects);
        }
        self.tick_outgoing(effects);
        self.tick_incoming(effects);
        self.tick_wishes(effects);
        self.tick_mending(effects);
        self.tick_records(effects);
        if self.tick.is_multiple_of(DEADLINE_STEP_TICKS) {
            self.expire(effects);
            self.hand_over_stale(effects);
        }
        if self.is_leader() {
            self.advance_leases(effects);
        }
    }

    fn expire(&mut self, effects: &mut Vec<Effect>) {
        for (call, error) in self.writes.expire(self.tick) {
            effects.push(Effect::Reply { call, result: Err(error) });
        }
        for call in self.reads.expire(self.tick) {
            effects.push(Effect::Reply { call, result: Err(Error::Timeout) });
        }
        let tick = self.tick;
        self.fresh_reads.retain(|read| {
            let late = read.deadline <= tick;
            if late {
                effects.push(Effect::Reply { call: read.call, result: Err(Error::NoLeader) });
            }
            !late
        });
    }

    /// Moves the clock of the leases while there are any. Time in which nobody led, or in which
    /// the order got lost, is not counted: leases live longer then, never shorter.
    fn advance_leases(&mut self, effects: &mut Vec<Effect>) {
        let elapsed_ticks = self.tick - self.advanced_at;
        if elapsed_ticks < self.timing.ticks(self.timing.advance_ms) {
            return;
        }
        self.advanced_at = self.tick;
        if self.state.leases == 0 {
            return;
        }
        let elapsed_ms = (elapsed_ticks * self.timing.tick_ms).min(kv::command::ADVANCE_MS_MAX);
        let body = Body::Advance { elapsed_ms, term: self.term.get() };
        let (_, payload) = self.envelope(body);
        self.drive(Input::Proposed { payloads: vec![payload] }, effects);
    }

    fn envelope(&mut self, body: Body) -> (u64, Bytes) {
        self.next_write += 1;
        let number = self.next_write;
        let origin =
            CallOrigin { member: self.member.get(), incarnation: self.incarnation, call: number };
        (number, kv::command::encode(&Envelope { origin, body }))
    }

    fn on_called(&mut self, call: u64, request: Request, effects: &mut Vec<Effect>) {
        let reply =
            |effects: &mut Vec<Effect>, result| effects.push(Effect::Reply { call, result });
        if let Err(error) = request.check() {
            return reply(effects, Err(error));
        }
        if request == Request::Status {
            let status = self.store_status();
            return reply(effects, Ok(Response::Status(status)));
        }
        if request.is_write() {
            return match self.take_write(call, request) {
                Ok(()) => {}
                Err(error) => reply(effects, Err(error)),
            };
        }
        if request.is_serializable() {
            return effects.push(Effect::Read { call, request, term: self.term.get() });
        }
        if self.reads_waiting() >= READS_PENDING_MAX {
            return reply(effects, Err(Error::TooManyRequests));
        }
        let deadline = self.tick + self.timing.ticks(self.timing.call_ms);
        self.fresh_reads.push(WaitingRead { call, request, deadline });
    }

    fn take_write(&mut self, call: u64, request: Request) -> Result<(), Error> {
        if self.writes.len() >= WRITES_PENDING_MAX || self.writes.bytes() >= WRITE_BYTES_PENDING_MAX
        {
            return Err(Error::TooManyRequests);
        }
        let request = kv::command::prepare(request, self.random.next_u64());
        let (number, payload) = self.envelope(Body::Write(request));
        if payload.len() > kv::api::REQUEST_BYTES_MAX {
            return Err(Error::RequestTooLarge);
        }
        let deadline = self.tick + self.timing.ticks(self.timing.call_ms);
        self.writes.insert(number, call, payload, deadline);
        Ok(())
    }

    fn store_status(&self) -> Status {
        let raft = self.raft.status();
        Status {
            header: Header { revision: self.state.revision, raft_term: raft.term.get() },
            member_id: self.member.get(),
            leader: raft.leader.map(MemberId::get),
            raft_index: raft.last.index.get(),
            raft_applied_index: self.applied.get(),
            raft_commit_index: raft.commit.get(),
            db_size: i64::try_from(self.state.size_bytes).unwrap_or(i64::MAX),
            db_size_in_use: i64::try_from(self.state.live_bytes).unwrap_or(i64::MAX),
            voters: self.raft.membership().voters().iter().map(|voter| voter.get()).collect(),
        }
    }

    /// Starts one append for all waiting writes and one quorum round for all waiting reads.
    fn on_drained(&mut self, effects: &mut Vec<Effect>) {
        let Some(leader) = self.leader else { return };
        let payloads = self.writes.hand_over_fresh(leader, self.term, self.tick);
        self.hand_to(leader, payloads, effects);
        if !self.fresh_reads.is_empty() {
            self.next_read += 1;
            let read = ReadId::new(self.next_read);
            self.reads.asked(read, core::mem::take(&mut self.fresh_reads));
            self.tell_clock(effects);
            self.drive(Input::ReadRequested { read }, effects);
        }
    }

    /// Hands writes again that the present leader may not hold; harmless if it does.
    fn hand_over_stale(&mut self, effects: &mut Vec<Effect>) {
        let Some(leader) = self.leader else { return };
        let patience = (leader != self.member).then(|| self.timing.ticks(self.timing.patience_ms));
        let payloads = self.writes.hand_over_stale(leader, self.term, self.tick, patience);
        self.hand_to(leader, payloads, effects);
    }

    fn hand_to(&mut self, leader: MemberId, payloads: Vec<Bytes>, effects: &mut Vec<Effect>) {
        if payloads.is_empty() {
            return;
        }
        if leader == self.member {
            return self.drive(Input::Proposed { payloads }, effects);
        }
        let mut group = Vec::new();
        let mut group_bytes = 0;
        for payload in payloads {
            if group_bytes > 0 && group_bytes + payload.len() > FORWARD_BYTES_MAX {
                let payloads = core::mem::take(&mut group);
                effects
                    .push(Effect::Send { to: leader, message: PeerMessage::Forward { payloads } });
                group_bytes = 0;
            }
            group_bytes += payload.len();
            group.push(payload);
        }
        effects
            .push(Effect::Send { to: leader, message: PeerMessage::Forward { payloads: group } });
    }

    fn on_received(&mut self, from: MemberId, message: PeerMessage, effects: &mut Vec<Effect>) {
        if let PeerMessage::Greeting(greeting) = message {
            return self.on_greeting(from, greeting, effects);
        }
        if !self.is_open() {
            return; // As if it were not there yet.
        }
        match message {
            PeerMessage::Raft(message) => {
                self.tell_clock(effects);
                self.drive(Input::Received { from, message }, effects);
            }
            PeerMessage::Forward { payloads } => {
                self.drive(Input::Proposed { payloads }, effects);
            }
            PeerMessage::Refused { incarnation, calls } => {
                if incarnation == self.incarnation {
                    calls.into_iter().for_each(|number| self.writes.refused(number));
                }
            }
            PeerMessage::Wished { incarnation, number, wish } => {
                self.on_peer_wished(from, (incarnation, number), wish, effects);
            }
            PeerMessage::WishAnswered { incarnation, number, result } => {
                if incarnation == self.incarnation {
                    self.on_wish_answered(number, result, effects);
                }
            }
            other => self.on_bulk(from, other, effects),
        }
    }

    /// What concerns snapshots and damaged logs.
    fn on_bulk(&mut self, from: MemberId, message: PeerMessage, effects: &mut Vec<Effect>) {
        match message {
            PeerMessage::SnapshotWished => self.open_snapshot(from, effects),
            PeerMessage::SnapshotOffered(offer) => self.on_snapshot_offered(from, offer, effects),
            PeerMessage::ChunkWanted { id, from: at } => self.on_chunk_wanted(from, id, at),
            PeerMessage::Chunk { id, chunk } => self.on_chunk(from, id, chunk, effects),
            PeerMessage::SnapshotEnded { id, installed } => {
                self.on_snapshot_ended(from, id, installed, effects);
            }
            PeerMessage::EntriesWanted { after, anchor } => {
                self.on_entries_wanted(from, after, anchor, effects);
            }
            PeerMessage::Entries { anchor, entries } => self.on_entries(anchor, entries, effects),
            PeerMessage::EndWanted { incarnation } => {
                self.on_end_wanted(from, incarnation, effects);
            }
            PeerMessage::End { incarnation, term, last } => self.on_end(incarnation, term, last),
            PeerMessage::RecordsWanted { index } => self.on_records_wanted(from, index, effects),
            PeerMessage::Records { index, records } => self.on_records(index, records, effects),
            PeerMessage::Raft(_)
            | PeerMessage::Greeting(_)
            | PeerMessage::Forward { .. }
            | PeerMessage::Refused { .. }
            | PeerMessage::Wished { .. }
            | PeerMessage::WishAnswered { .. } => {}
        }
    }

    /// Consensus hears the clock right before what is judged by it.
    fn tell_clock(&mut self, effects: &mut Vec<Effect>) {
        if let Some(at_ns) = self.clock_ns.take() {
            self.drive(Input::ClockRead { at_ns }, effects);
        }
    }

    fn on_applied(&mut self, report: AppliedReport, effects: &mut Vec<Effect>) {
        assert!(report.through >= self.applied, "the applied index went back");
        self.applied = report.through;
        for (origin, result) in report.outcomes {
            if origin.member != self.member.get() || origin.incarnation != self.incarnation {
                continue;
            }
            if let Some(write) = self.writes.remove(origin.call) {
                effects.push(Effect::Reply { call: write.call, result });
            }
        }
        self.drive(Input::Applied { through: report.through }, effects);
        self.note_installed(report.through, effects);
        self.note_state(report.state, effects);
        self.serve_ready_reads(effects);
        self.sync_if_due(effects);
    }

    fn on_loaded(&mut self, entries: Vec<Entry>, purpose: LoadPurpose, effects: &mut Vec<Effect>) {
        match purpose {
            LoadPurpose::Consensus => self.drive(Input::Loaded { entries }, effects),
            LoadPurpose::Mending { to, anchor } => self.send_entries(to, anchor, entries, effects),
        }
    }

    fn serve_ready_reads(&mut self, effects: &mut Vec<Effect>) {
        let term = self.term.get();
        for read in self.reads.ready(self.applied) {
            effects.push(Effect::Read { call: read.call, request: read.request, term });
        }
    }

    /// Gives consensus one input and turns its orders into this member's.
    pub(crate) fn drive(&mut self, input: Input, effects: &mut Vec<Effect>) {
        let mut reads_moved = false;
        let mut leader_moved = false;
        for effect in self.raft.step(input) {
            match effect {
                raft::Effect::Send { to, message } => {
                    effects.push(Effect::Send { to, message: PeerMessage::Raft(message) });
                }
                raft::Effect::Persist(persist) => effects.push(Effect::Persist(persist)),
                raft::Effect::Apply { entries } => {
                    self.kept.add(&entries);
                    effects.push(Effect::State(StateOrder::Apply { entries }));
                }
                raft::Effect::Load { from, max_bytes } => {
                    let purpose = LoadPurpose::Consensus;
                    effects.push(Effect::Load { from, max_bytes, purpose });
                }
                raft::Effect::ReadReady { read, index } => {
                    self.reads.confirmed(read, index);
                    reads_moved = true;
                }
                raft::Effect::ReadAborted { read, .. } => {
                    let again = self.reads.aborted(read);
                    self.refused_reads.extend(again);
                }
                raft::Effect::ProposalRefused { payloads, reason } => {
                    self.on_proposal_refused(&payloads, reason, effects);
                }
                raft::Effect::RoleChanged { role, term, leader } => {
                    self.become_role(role, term, leader);
                    effects.push(Effect::RoleChanged { role, term, leader });
                    leader_moved = true;
                }
                raft::Effect::ChangeAppended { index } => self.on_change_appended(index),
                other => self.on_group_effect(other, effects),
            }
        }
        self.note_mended(effects);
        self.wishes_after_commit(effects);
        if reads_moved {
            self.serve_ready_reads(effects);
        }
        if leader_moved {
            self.wishes_after_role_change(effects);
            self.hand_over_stale(effects);
            self.fresh_reads.append(&mut self.refused_reads);
        }
    }

    /// What consensus says about members, leaders and snapshots.
    fn on_group_effect(&mut self, effect: raft::Effect, effects: &mut Vec<Effect>) {
        match effect {
            raft::Effect::ChangeRefused { reason } => self.on_change_refused(reason, effects),
            raft::Effect::MembershipChanged { membership, .. } => {
                effects.push(Effect::MembershipChanged { membership });
            }
            raft::Effect::TransferFailed { reason } => self.on_transfer_failed(reason, effects),
            raft::Effect::SendSnapshot { to } => self.open_snapshot(to, effects),
            raft::Effect::SnapshotRefused { snapshot } => {
                self.on_snapshot_refused(&snapshot, effects);
            }
            raft::Effect::InstallSnapshot { snapshot } => self.on_install(&snapshot, effects),
            _ => unreachable!("the other orders of consensus are carried out before"),
        }
    }

    fn become_role(&mut self, role: RoleName, term: Term, leader: Option<MemberId>) {
        let is_new = role == RoleName::Leader && self.role != RoleName::Leader;
        if is_new && !self.has(Mutant::LeaderCountsOldTime) {
            self.advanced_at = self.tick;
        }
        self.role = role;
        self.term = term;
        self.leader = leader;
    }

    pub(crate) fn is_leader(&self) -> bool {
        self.role == RoleName::Leader
    }

    /// Nobody appended these writes: own ones wait for a leader, others' owners are told.
    fn on_proposal_refused(
        &mut self,
        payloads: &[Bytes],
        _reason: Refused,
        effects: &mut Vec<Effect>,
    ) {
        let mut others: Vec<CallOrigin> = Vec::new();
        for payload in payloads {
            match kv::command::origin(payload) {
                Ok(origin) if origin.member != self.member.get() => others.push(origin),
                Ok(origin) if origin.incarnation == self.incarnation => {
                    self.writes.refused(origin.call);
                }
                Ok(_) | Err(_) => {}
            }
        }
        others.sort_unstable_by_key(|origin| (origin.member, origin.incarnation));
        for group in others.chunk_by(|a, b| (a.member, a.incarnation) == (b.member, b.incarnation))
        {
            let message = PeerMessage::Refused {
                incarnation: group[0].incarnation,
                calls: group.iter().map(|origin| origin.call).collect(),
            };
            effects.push(Effect::Send { to: MemberId::new(group[0].member), message });
        }
    }
}

impl Machine for Replica {
    type Event = Event;
    type Effect = Effect;

    fn step(&mut self, event: Event) -> Vec<Effect> {
        let mut effects = Vec::new();
        let is_clock = matches!(event, Event::ClockRead { .. });
        match event {
            Event::Ticked { jitter } => self.on_ticked(jitter, &mut effects),
            Event::Received { from, message } => self.on_received(from, message, &mut effects),
            Event::Called { call, request } => self.on_called(call, request, &mut effects),
            Event::Drained => self.on_drained(&mut effects),
            Event::Persisted { ticket } => self.drive(Input::Persisted { ticket }, &mut effects),
            Event::Applied(report) => self.on_applied(report, &mut effects),
            Event::Checked { state, scrub } => self.on_checked(state, scrub, &mut effects),
            Event::RecordsRead { to, index, records } => {
                self.on_records_read(to, index, records, &mut effects);
            }
            Event::DamageMet { offset } => {
                effects.push(Effect::State(StateOrder::Inspect { offset }));
            }
            Event::LogRotten { through } => self.on_log_rotten(through, &mut effects),
            Event::Loaded { entries, purpose } => self.on_loaded(entries, purpose, &mut effects),
            Event::Wished { call, wish } => self.on_wished(call, wish, &mut effects),
            Event::ClockRead { at_ns } => self.clock_ns = Some(at_ns),
            Event::Admitted { admission } => self.on_admitted(admission, &mut effects),
            Event::Synced { through } => self.on_synced(through, &mut effects),
            Event::ExportOpened { to, export } => self.on_export_opened(to, export, &mut effects),
            Event::Exported { to, chunk } => self.on_exported(to, chunk, &mut effects),
            Event::Staged { next } => self.on_staged(next, &mut effects),
            Event::StageFinished { outcome } => self.on_stage_finished(outcome, &mut effects),
        }
        // A reading is good for the event right behind it only.
        self.clock_ns = self.clock_ns.filter(|_| is_clock);
        effects
    }
}

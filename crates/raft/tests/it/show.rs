//! Messages and effects as short words, for traces.

use raft::{
    Body, ChangeRefused, Effect, Entry, LogId, MemberId, Message, Payload, PeerState, Persist,
    Rebase, Refused, Restriction, Snapshot, Status, TransferFailed,
};

pub(crate) fn entry(entry: &Entry) -> String {
    match &entry.payload {
        Payload::Empty => entry.id.to_string(),
        Payload::Data(data) => format!("{} {}", entry.id, data_text(data)),
        Payload::Membership(membership) => format!("{} {membership}", entry.id),
    }
}

fn data_text(data: &[u8]) -> String {
    match data.len() {
        0..=16 => String::from_utf8_lossy(data).into_owned(),
        len => format!("({len} bytes)"),
    }
}

pub(crate) fn entries(list: &[Entry]) -> String {
    let words: Vec<_> = list.iter().map(entry).collect();
    format!("[{}]", words.join(", "))
}

pub(crate) fn message(message: &Message) -> String {
    let answer = |granted: bool| if granted { "granted" } else { "refused" };
    let words = match &message.body {
        Body::PreVoteRequest { last } => format!("pre-vote? last={last}"),
        Body::PreVoteReply { campaign, granted } => {
            format!("pre-vote for term {campaign} {}", answer(*granted))
        }
        Body::VoteRequest { last, is_transfer: false } => format!("vote? last={last}"),
        Body::VoteRequest { last, is_transfer: true } => format!("vote? last={last} by transfer"),
        Body::VoteReply { granted } => format!("vote {}", answer(*granted)),
        Body::Append { prev, entries: list, commit } => {
            format!("append after {prev} {} commit={commit}", entries(list))
        }
        Body::AppendAccepted { matched } => format!("accepted through {matched}"),
        Body::AppendRejected { prev, have, term_start } => {
            format!("rejected after {prev}: have {have}, that term from {term_start}")
        }
        Body::Heartbeat { commit, round: Some(round) } => {
            format!("heartbeat #{round} commit={commit}")
        }
        Body::Heartbeat { commit, round: None } => format!("committed {commit}"),
        Body::HeartbeatReply { round, received, matched, has_lost } => {
            let lost = if *has_lost { ", has lost entries" } else { "" };
            format!("heartbeat #{round} ok received={received} durable={matched}{lost}")
        }
        Body::TimeoutNow => "campaign now".into(),
        Body::ReadRequest { read, .. } => format!("read {read}?"),
        Body::ReadReply { read, index: Some(index), .. } => format!("read {read} at {index}"),
        Body::ReadReply { read, index: None, .. } => format!("read {read} refused"),
        Body::NewerTerm => "newer term".into(),
    };
    format!("t{} {words}", message.term)
}

fn persist(persist: &Persist) -> String {
    let mut words = vec![format!("persist #{}", persist.ticket)];
    if let Some(state) = persist.hard_state {
        let vote = state.vote.map_or("nobody".into(), |vote| vote.to_string());
        words.push(format!("term={} vote={vote}", state.term));
    }
    if let Some(list) = &persist.memberships {
        let list: Vec<_> = list.iter().map(|(index, m)| format!("{m} from {index}")).collect();
        words.push(format!("members {}", list.join(", ")));
    }
    words.extend(persist.rebase.map(|rebase| match rebase {
        Rebase::Cut { base } => format!("begin behind {base}"),
        Rebase::Snapshot { base, keeps_log: true } => format!("snapshot of {base}, log stays"),
        Rebase::Snapshot { base, keeps_log: false } => format!("snapshot of {base}, no log"),
    }));
    words.extend(persist.truncate_from.map(|from| format!("cut from {from}")));
    if !persist.entries.is_empty() {
        words.push(entries(&persist.entries));
    }
    words.join(" ")
}

/// `None` for what the network shows instead.
pub(crate) fn effect(effect: &Effect) -> Option<String> {
    Some(match effect {
        Effect::Send { .. } => return None,
        Effect::Persist(order) => persist(order),
        Effect::Apply { entries: list } => format!("apply {}", entries(list)),
        Effect::Load { from, max_bytes } => format!("load from {from}, at most {max_bytes} bytes"),
        Effect::ReadReady { read, index } => format!("read {read} ready at {index}"),
        Effect::ReadAborted { read, reason } => format!("read {read} aborted: {reason:?}"),
        Effect::ProposalRefused { payloads, reason } => {
            let words: Vec<_> = payloads.iter().map(|data| data_text(data)).collect();
            let why = match reason {
                Refused::NotLeader { leader: Some(leader) } => format!("leader is {leader}"),
                Refused::NotLeader { leader: None } => "no leader known".into(),
                Refused::Overloaded => "overloaded".into(),
                Refused::Transferring { to } => format!("{to} is to lead"),
            };
            format!("refused [{}]: {why}", words.join(", "))
        }
        Effect::ChangeAppended { index } => format!("change is at {index}"),
        Effect::ChangeRefused { reason } => format!("change refused: {}", change_refused(*reason)),
        Effect::MembershipChanged { index, membership } => {
            format!("members are {membership} from {index}")
        }
        Effect::TransferFailed { reason } => format!("transfer failed: {}", transfer(*reason)),
        Effect::SendSnapshot { to } => format!("send a snapshot to {to}"),
        Effect::SnapshotRefused { snapshot: of } => format!("refused {}", snapshot(of)),
        Effect::InstallSnapshot { snapshot: of } => format!("install {}", snapshot(of)),
        Effect::RoleChanged { role, term, leader } => {
            let leader = leader.map_or("nobody".into(), |leader| leader.to_string());
            format!("is {role:?} in term {term}, leader {leader}")
        }
    })
}

fn snapshot(of: &Snapshot) -> String {
    format!("snapshot of {}, members {} from {}", of.last, of.membership, of.membership_index)
}

fn leader(known: Option<MemberId>) -> String {
    known.map_or("no leader known".into(), |leader| format!("leader is {leader}"))
}

fn change_refused(reason: ChangeRefused) -> String {
    match reason {
        ChangeRefused::NotLeader { leader: known } => leader(known),
        ChangeRefused::NotReady => "nothing of this term is committed yet".into(),
        ChangeRefused::Transferring { to } => format!("{to} is to lead"),
        ChangeRefused::Error(error) => error.to_string(),
    }
}

fn transfer(reason: TransferFailed) -> String {
    match reason {
        TransferFailed::NotLeader { leader: known } => leader(known),
        TransferFailed::InProgress { to } => format!("{to} is to lead"),
        TransferFailed::LeadsAlready => "it leads already".into(),
        TransferFailed::NotAVoter => "no such voter".into(),
        TransferFailed::TimedOut { to } => format!("{to} took too long"),
    }
}

pub(crate) fn status(status: &Status) -> String {
    let Status { id, role, term, leader, commit, applied, last, persisted, peers, .. } = status;
    let leader = leader.map_or("nobody".into(), |leader| leader.to_string());
    let mut lines = vec![format!(
        "{id}: {role:?} t{term} leader={leader} last={last} durable={persisted} \
         commit={commit} applied={applied}"
    )];
    if status.base != LogId::ZERO {
        lines[0].push_str(&format!(" base={}", status.base));
    }
    if status.membership_index.get() > 0 {
        lines[0].push_str(&format!(" members={}", status.membership));
    }
    match status.restriction {
        None => {}
        Some(Restriction::Founding) => lines[0].push_str(" not admitted"),
        Some(Restriction::Owes(owed)) => lines[0].push_str(&format!(" owes {owed}")),
        Some(Restriction::OwesUnknown) => lines[0].push_str(" owes more than it knows"),
    }
    for (peer, progress) in peers {
        let state = match progress.state {
            PeerState::Probe => "probe",
            PeerState::Replicate => "replicate",
            PeerState::Snapshot => "snapshot",
        };
        lines.push(format!(
            "   of {peer}: {state} matched={} next={} inflight={} ({} bytes) silent={}",
            progress.matched,
            progress.next,
            progress.inflight_messages,
            progress.inflight_bytes,
            progress.silent_ticks
        ));
    }
    lines.join("\n")
}

pub(crate) fn log(durable: &[Entry], last: LogId) -> String {
    format!("disk {} of a log that ends at {last}", entries(durable))
}

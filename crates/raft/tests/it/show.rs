//! Messages and effects as short words, for traces.

use raft::{Body, Effect, Entry, LogId, Message, Payload, PeerState, Persist, Refused, Status};

pub(crate) fn entry(entry: &Entry) -> String {
    match &entry.payload {
        Payload::Empty => entry.id.to_string(),
        Payload::Data(data) => format!("{} {}", entry.id, data_text(data)),
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
        Body::VoteRequest { last } => format!("vote? last={last}"),
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
        Body::HeartbeatReply { round, received, matched } => {
            format!("heartbeat #{round} ok received={received} durable={matched}")
        }
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
            };
            format!("refused [{}]: {why}", words.join(", "))
        }
        Effect::RoleChanged { role, term, leader } => {
            let leader = leader.map_or("nobody".into(), |leader| leader.to_string());
            format!("is {role:?} in term {term}, leader {leader}")
        }
    })
}

pub(crate) fn status(status: &Status) -> String {
    let Status { id, role, term, leader, commit, applied, last, persisted, peers } = status;
    let leader = leader.map_or("nobody".into(), |leader| leader.to_string());
    let mut lines = vec![format!(
        "{id}: {role:?} t{term} leader={leader} last={last} durable={persisted} \
         commit={commit} applied={applied}"
    )];
    for (peer, progress) in peers {
        let state = match progress.state {
            PeerState::Probe => "probe",
            PeerState::Replicate => "replicate",
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

//! The events, as numbers, and what a member makes of each.

use super::member::{Check, Load, Member, Outcome, Packet};
use super::worlds::World;
use bytes::Bytes;
use raft::{Body, Input, Message, ReadId, RoleName};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Ticks within which a member loses patience.
const PATIENCE_TICKS: usize = 8;

/// An event at one member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// The packet of that number arrives.
    Deliver(u32),
    /// The delivery of the snapshot in that packet is over; it is installed, or not.
    Delivered(u32, bool),
    Campaign,
    Heartbeat,
    Propose(u32),
    Read(u32),
    Change(u32),
    Transfer(u32),
    Cut,
    Finish,
    Crash,
}

impl Act {
    /// Packs it: 4 bits of kind, 24 of number.
    pub(super) fn pack(self) -> u32 {
        let (kind, number) = match self {
            Self::Deliver(packet) => (0, packet),
            Self::Delivered(packet, true) => (1, packet),
            Self::Delivered(packet, false) => (2, packet),
            Self::Campaign => (3, 0),
            Self::Heartbeat => (4, 0),
            Self::Propose(count) => (5, count),
            Self::Read(count) => (6, count),
            Self::Change(count) => (7, count),
            Self::Transfer(to) => (8, to),
            Self::Cut => (9, 0),
            Self::Finish => (10, 0),
            Self::Crash => (11, 0),
        };
        kind << 24 | number
    }

    pub(super) fn unpack(packed: u32) -> Self {
        let number = packed & 0xff_ffff;
        match packed >> 24 & 0xf {
            0 => Self::Deliver(number),
            1 => Self::Delivered(number, true),
            2 => Self::Delivered(number, false),
            3 => Self::Campaign,
            4 => Self::Heartbeat,
            5 => Self::Propose(number),
            6 => Self::Read(number),
            7 => Self::Change(number),
            8 => Self::Transfer(number),
            9 => Self::Cut,
            10 => Self::Finish,
            _ => Self::Crash,
        }
    }
}

/// What `member` makes of `act`, or the promise that it breaks. A panic is a broken promise too.
pub(super) fn play(
    member: &Member,
    act: Act,
    packet: Option<&Packet>,
    world: &World,
) -> Result<(Member, Outcome), String> {
    let attempt = || {
        let (mut member, mut outcome) = (member.clone(), Outcome::default());
        perform(&mut member, act, packet, world, &mut outcome)?;
        member.forget_time();
        Ok((member, outcome))
    };
    catch_unwind(AssertUnwindSafe(attempt)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let fixed = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
        Err(format!("panic: {}", text.or(fixed).unwrap_or_default()))
    })
}

fn perform(
    member: &mut Member,
    act: Act,
    packet: Option<&Packet>,
    world: &World,
    outcome: &mut Outcome,
) -> Check {
    let input = match act {
        Act::Deliver(_) => return receive(member, packet, world, outcome),
        Act::Campaign => return campaign(member, world, outcome),
        Act::Crash => return member.restart(),
        Act::Finish => member.finish_one(),
        Act::Delivered(_, is_installed) => {
            let Some(Packet { to, load: Load::Snapshot(of), .. }) = packet else { return Ok(()) };
            let installed = is_installed.then_some(of.last.index);
            Input::SnapshotSent { to: *to, installed }
        }
        Act::Heartbeat => Input::Ticked { jitter: 0 },
        Act::Propose(count) => {
            Input::Proposed { payloads: vec![Bytes::from(vec![b'a' + count as u8])] }
        }
        Act::Read(count) => Input::ReadRequested { read: ReadId::new(u64::from(count)) },
        Act::Change(count) => {
            Input::ChangeRequested { steps: world.changes[count as usize].clone() }
        }
        Act::Transfer(to) => Input::TransferRequested { to: Some(u64::from(to).into()) },
        Act::Cut => {
            let through = member.status().applied;
            Input::LogCutRequested { through }
        }
    };
    member.take(input, world.is_disk_slow, outcome)
}

fn receive(
    member: &mut Member,
    packet: Option<&Packet>,
    world: &World,
    outcome: &mut Outcome,
) -> Check {
    let Some(Packet { from, load, .. }) = packet else { return Ok(()) };
    match load.clone() {
        Load::Message(message) => {
            let input = Input::Received { from: *from, message };
            member.take(input, world.is_disk_slow, outcome)
        }
        Load::Snapshot(snapshot) => {
            let index = snapshot.last.index;
            let input = Input::SnapshotReceived { snapshot };
            member.take(input, world.is_disk_slow, outcome)?;
            outcome.is_installed = member.status().base.index >= index;
            Ok(())
        }
    }
}

/// Patience ends. Where pre-votes are not asked for, all are granted.
fn campaign(member: &mut Member, world: &World, outcome: &mut Outcome) -> Check {
    for _ in 0..PATIENCE_TICKS {
        let before = member.status();
        let begins = before.role == RoleName::PreCandidate;
        member.take(Input::Ticked { jitter: 0 }, world.is_disk_slow, outcome)?;
        let status = member.status();
        if status.role == RoleName::PreCandidate && !world.asks_first {
            return grant_all(member, world, outcome);
        }
        if status.role != before.role || begins && !outcome.sent.is_empty() {
            return Ok(());
        }
    }
    Ok(())
}

fn grant_all(member: &mut Member, world: &World, outcome: &mut Outcome) -> Check {
    outcome.sent.clear();
    let status = member.status();
    for peer in status.membership.ids().filter(|peer| *peer != status.id) {
        if member.status().role == RoleName::PreCandidate {
            let body = Body::PreVoteReply { campaign: status.term.next(), granted: true };
            let message = Message { term: status.term, body };
            member.take(Input::Received { from: peer, message }, world.is_disk_slow, outcome)?;
        }
    }
    Ok(())
}

//! Where finality stands, for people: who proposed, checked, was ready and signed what and when,
//! who is behind, and what must not happen and has.
//!
//! Everything is as the authority of this node has seen and verified it; another node may have
//! seen it earlier. Times are wall clock: the authority's clock only counts from its start.

use crate::clock;
use authority::chronicle::{HeightRecord, LastWord, RoundRecord, Said};
use authority::vote::Value;
use authority::{ElectionView, Standing};
use serde::Serialize;
use std::collections::BTreeMap;

/// Heights in one answer, unless the caller asks for fewer.
pub(crate) const HEIGHTS_MAX: usize = authority::chronicle::HEIGHTS_MAX;

/// `GET …/rounds`.
#[derive(Debug, Serialize)]
pub(crate) struct RoundsView {
    height: u64,
    round: u32,
    leaves: u64,
    final_size: u64,
    following: bool,
    waiting: usize,
    /// How many must sign; absent before the manifest.
    quorum: Option<usize>,
    /// The node's clock at this answer, milliseconds since 1970 UTC.
    time_ms: u64,
    authorities: Vec<StandingView>,
    /// Newest first.
    heights: Vec<HeightView>,
    alarms: Vec<AlarmView>,
}

/// One authority.
#[derive(Debug, Serialize)]
struct StandingView {
    authority: u8,
    name: String,
    /// Largest size that it has cosigned.
    cosigned_size: u64,
    /// Final leaves that it has not cosigned.
    behind: u64,
    /// Which change of keys gave it its present key; 0 for the manifest's own.
    key_change: u32,
    last_word: Option<LastWordView>,
}

/// What an authority said last.
#[derive(Debug, Serialize)]
struct LastWordView {
    height: u64,
    round: u32,
    seen_ms: u64,
}

/// One decision, or the attempts at it so far.
#[derive(Debug, Serialize)]
struct HeightView {
    height: u64,
    decided: Option<DecidedView>,
    cosigned: Vec<CosignedView>,
    rounds: Vec<RoundView>,
}

/// What was decided.
#[derive(Debug, Serialize)]
struct DecidedView {
    round: u32,
    size: u64,
    root: String,
    /// When this node knew it; absent when it learnt it from its journal.
    seen_ms: Option<u64>,
}

/// Who signed it.
#[derive(Debug, Serialize)]
struct CosignedView {
    authority: u8,
    /// Seconds since 1970 UTC, as the signature says.
    time: u64,
}

/// One attempt.
#[derive(Debug, Serialize)]
struct RoundView {
    round: u32,
    proposal: Option<SaidView>,
    checked: Vec<SaidView>,
    ready: Vec<SaidView>,
}

/// One statement.
#[derive(Debug, Serialize)]
struct SaidView {
    authority: u8,
    /// Absent together with the root: "not this one".
    size: Option<u64>,
    root: Option<String>,
    seen_ms: Option<u64>,
}

/// Something that a person should look at.
#[derive(Debug, Serialize)]
struct AlarmView {
    /// Who noticed.
    authority: u8,
    code: String,
    what: String,
    /// The signed texts that prove it.
    texts: Vec<String>,
    /// Since when, minutes since 1970 UTC.
    minutes: u32,
    times: u32,
}

/// From the authority's clock to wall time.
#[derive(Clone, Copy)]
struct Clock {
    wall_ms: u64,
    own_ms: u64,
}

impl Clock {
    fn wall(self, seen_ms: u64) -> u64 {
        self.wall_ms.saturating_sub(self.own_ms.saturating_sub(seen_ms))
    }
}

/// The rounds of an election, the newest `heights` of them.
pub(crate) fn rounds(view: ElectionView<'_>, heights: usize) -> RoundsView {
    let (height, round) = view.round();
    let clock = Clock { wall_ms: clock::milliseconds(), own_ms: view.now_ms() };
    let final_size = view.final_size();
    let standings = view.standings();
    let alarm = |(authority, alarm): (u8, &authority::alarm::Alarm)| AlarmView {
        authority,
        code: alarm.code.clone(),
        what: alarm.what.clone(),
        texts: alarm.texts.clone(),
        minutes: alarm.minutes,
        times: alarm.times,
    };
    RoundsView {
        height,
        round,
        leaves: view.fold().tree().size(),
        final_size,
        following: view.is_following(),
        waiting: view.waiting(),
        quorum: view.fold().manifest().map(election::Manifest::quorum),
        time_ms: clock.wall_ms,
        authorities: standings.into_iter().map(|one| standing(one, final_size, clock)).collect(),
        heights: view.heights().rev().take(heights).map(|one| height_view(one, clock)).collect(),
        alarms: view.alarms().map(alarm).collect(),
    }
}

fn standing(standing: Standing, final_size: u64, clock: Clock) -> StandingView {
    let word = |word: LastWord| LastWordView {
        height: word.round.0,
        round: word.round.1,
        seen_ms: clock.wall(word.seen_ms),
    };
    StandingView {
        authority: standing.authority,
        name: standing.name,
        cosigned_size: standing.cosigned_size,
        behind: final_size.saturating_sub(standing.cosigned_size),
        key_change: standing.generation,
        last_word: standing.last_word.map(word),
    }
}

fn height_view(record: &HeightRecord, clock: Clock) -> HeightView {
    let decided = |(round, value, seen): (u32, Value, Option<u64>)| DecidedView {
        round,
        size: value.size,
        root: hex::encode(value.root),
        seen_ms: seen.map(|seen| clock.wall(seen)),
    };
    let cosigned = |(&authority, &time): (&u8, &u64)| CosignedView { authority, time };
    let round = |(&number, record): (&u32, &RoundRecord)| RoundView {
        round: number,
        proposal: record.proposal.as_ref().map(|(who, said)| said_view(*who, said, clock)),
        checked: all_said(&record.checked, clock),
        ready: all_said(&record.ready, clock),
    };
    HeightView {
        height: record.height,
        decided: record.decided.map(decided),
        cosigned: record.cosigned.iter().map(cosigned).collect(),
        rounds: record.rounds.iter().map(round).collect(),
    }
}

fn all_said(said: &BTreeMap<u8, Said>, clock: Clock) -> Vec<SaidView> {
    said.iter().map(|(who, said)| said_view(*who, said, clock)).collect()
}

fn said_view(authority: u8, said: &Said, clock: Clock) -> SaidView {
    SaidView {
        authority,
        size: said.value.map(|value| value.size),
        root: said.value.map(|value| hex::encode(value.root)),
        seen_ms: said.seen_ms.map(|seen| clock.wall(seen)),
    }
}

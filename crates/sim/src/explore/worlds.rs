//! The worlds that are searched: a few members, a few of each thing that may happen.

use bytes::Bytes;
use raft::{ChangeStep, MemberId, Plan};

/// How much may happen. A budget of 0 means never.
#[derive(Clone, Debug)]
pub struct World {
    /// As the command line calls it.
    pub name: &'static str,
    /// Members 1 to this vote at first.
    pub voters: u64,
    /// Further members with empty disks that wait to be taken in.
    pub joiners: u64,
    /// Nobody campaigns beyond this term.
    pub terms: u64,
    /// Campaigns, all members together.
    pub campaigns: u32,
    /// Commands, each with its own content.
    pub proposals: u32,
    /// Crashes, all members together.
    pub crashes: u32,
    /// Messages delivered once more.
    pub duplicates: u32,
    /// Heartbeat rounds, all leaders together.
    pub heartbeats: u32,
    /// Linearizable reads.
    pub reads: u32,
    /// Membership changes, to be asked for in this order.
    pub changes: Vec<Vec<ChangeStep>>,
    /// Log cuts, each at what is applied.
    pub cuts: u32,
    /// Transfers of leadership.
    pub transfers: u32,
    /// Writes take time: they end, or are lost, at any later moment.
    pub is_disk_slow: bool,
    /// Pre-votes are asked for and answered by messages.
    pub asks_first: bool,
    /// An append carries one entry.
    pub is_one_by_one: bool,
    /// Even messages that nobody will ever heed are kept, and tried again and again.
    pub keeps_void: bool,
    /// Member 1 leads term 1 at the start, and its first entry is committed everywhere.
    pub is_led: bool,
    /// Who may campaign first; others would only be the same under other names.
    pub first: Vec<u64>,
}

/// The names of all worlds, for the command line.
pub const WORLDS: [&str; 12] = [
    "start",
    "plain",
    "old-terms",
    "disk",
    "pre-vote",
    "reads",
    "replace",
    "promote",
    "remove-leader",
    "shrink",
    "snapshot",
    "transfer",
];

/// Three members, of which 1 leads; nothing else happens than campaigns.
fn led(name: &'static str) -> World {
    World {
        name,
        voters: 3,
        joiners: 0,
        terms: 2,
        campaigns: 15,
        proposals: 0,
        crashes: 0,
        duplicates: 0,
        heartbeats: 0,
        reads: 0,
        changes: Vec::new(),
        cuts: 0,
        transfers: 0,
        is_disk_slow: false,
        asks_first: false,
        is_one_by_one: false,
        keeps_void: false,
        is_led: true,
        first: vec![2],
    }
}

fn add(id: u64) -> ChangeStep {
    ChangeStep::AddVoter { id: id.into(), context: Bytes::new() }
}

fn remove(id: u64) -> ChangeStep {
    ChangeStep::Remove { id: MemberId::new(id) }
}

fn learner(id: u64, plan: Plan) -> ChangeStep {
    ChangeStep::AddLearner { id: id.into(), context: Bytes::new(), plan }
}

/// The world of that name.
pub fn world(name: &str) -> Option<World> {
    Some(match name {
        // From nothing: two terms, a command.
        "start" => World { is_led: false, proposals: 1, first: vec![1], ..led("start") },
        // A leader, its successor, a command each, a crash, a doubled message.
        "plain" => World { proposals: 2, crashes: 1, duplicates: 1, ..led("plain") },
        // Three leaders with short logs (Raft paper, figure 8).
        "old-terms" => {
            World { terms: 3, proposals: 1, crashes: 1, is_one_by_one: true, ..led("old-terms") }
        }
        "disk" => World { is_disk_slow: true, proposals: 1, crashes: 1, ..led("disk") },
        "pre-vote" => World { asks_first: true, campaigns: 3, proposals: 1, ..led("pre-vote") },
        "reads" => World { reads: 1, proposals: 1, heartbeats: 1, ..led("reads") },
        "replace" => World {
            joiners: 1,
            crashes: 1,
            changes: vec![vec![add(4), remove(3)]],
            first: vec![2, 3],
            ..led("replace")
        },
        "promote" => World {
            voters: 2,
            joiners: 1,
            heartbeats: 2,
            changes: vec![vec![learner(3, Plan::Promote)]],
            ..led("promote")
        },
        "remove-leader" => World {
            proposals: 1,
            crashes: 1,
            changes: vec![vec![remove(1)]],
            ..led("remove-leader")
        },
        // Two changes, each of which a leader may have begun alone.
        "shrink" => World {
            terms: 3,
            joiners: 2,
            changes: vec![vec![add(4), add(5)], vec![remove(3)]],
            first: vec![2, 3],
            ..led("shrink")
        },
        "snapshot" => World { cuts: 1, heartbeats: 1, proposals: 1, crashes: 1, ..led("snapshot") },
        "transfer" => World { transfers: 1, proposals: 1, crashes: 1, ..led("transfer") },
        _ => return None,
    })
}

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
    /// Even messages that nobody will ever heed are kept, and tried again and again.
    pub keeps_void: bool,
    /// Member 1 leads term 1 at the start, and its first entry is committed everywhere.
    pub is_led: bool,
    /// Who may campaign first; others would only be the same under other names.
    pub first: Vec<u64>,
}

/// The names of all worlds, for the command line.
pub const WORLDS: [&str; 9] = [
    "plain", "disk", "pre-vote", "reads", "replace", "promote", "remove-leader", "shrink",
    "snapshot",
];

fn base(name: &'static str) -> World {
    World {
        name,
        voters: 3,
        joiners: 0,
        terms: 2,
        campaigns: 15,
        proposals: 2,
        crashes: 1,
        duplicates: 1,
        heartbeats: 0,
        reads: 0,
        changes: Vec::new(),
        cuts: 0,
        transfers: 0,
        is_disk_slow: false,
        asks_first: false,
        keeps_void: false,
        is_led: false,
        first: vec![1],
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
        // Elections, appends, losses, one doubled message, one crash.
        "plain" => World { terms: 3, ..base("plain") },
        "disk" => World { is_disk_slow: true, proposals: 1, ..base("disk") },
        "pre-vote" => World { asks_first: true, campaigns: 3, proposals: 1, ..base("pre-vote") },
        "reads" => World { reads: 2, proposals: 1, heartbeats: 1, ..base("reads") },
        "replace" => World {
            joiners: 1,
            proposals: 1,
            changes: vec![vec![add(4), remove(3)]],
            first: vec![1, 3],
            ..base("replace")
        },
        "promote" => World {
            voters: 2,
            joiners: 1,
            proposals: 1,
            heartbeats: 1,
            changes: vec![vec![learner(3, Plan::Promote)]],
            ..base("promote")
        },
        "remove-leader" => World {
            proposals: 1,
            changes: vec![vec![remove(1)]],
            first: vec![1, 2],
            ..base("remove-leader")
        },
        // Two changes, each of which a former leader may have begun alone.
        "shrink" => World {
            crashes: 0,
            duplicates: 0,
            proposals: 0,
            terms: 3,
            joiners: 2,
            changes: vec![vec![add(4), add(5)], vec![remove(3)]],
            first: vec![1, 3],
            ..base("shrink")
        },
        "snapshot" => World { cuts: 1, heartbeats: 1, terms: 3, ..base("snapshot") },
        _ => return None,
    })
}

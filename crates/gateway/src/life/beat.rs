//! What a node says of itself.

use serde::{Deserialize, Serialize};

/// One sign of life, as it lies in the store.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Beat {
    /// Name of the node.
    pub name: String,
    /// Version of its binary.
    pub version: String,
    /// Counts the beats since the node started.
    pub count: u64,
    /// When the node started, milliseconds since 1970 UTC by its clock.
    pub started_ms: u64,
    /// When this was said, milliseconds since 1970 UTC by its clock.
    pub time_ms: u64,
    /// Its listeners: name and address.
    pub addresses: Vec<(String, String)>,
    /// How browsers reach it, if it was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub web_origin: Option<String>,
    /// `leader`, `follower`, `candidate`, `learner` …
    pub role: String,
    /// Its term.
    pub term: u64,
    /// Highest index it knows to be committed.
    pub commit: u64,
    /// Highest index it has applied.
    pub applied: u64,
    /// Last index in its log.
    pub last: u64,
    /// Whether it takes leave.
    pub draining: bool,
    /// Why it does not vote, if it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restriction: Option<String>,
    /// For how long the oldest write has been under way.
    pub disk_stalled_ms: u64,
    /// Seconds of processor time since the start.
    pub cpu_seconds: f64,
    /// Share of one processor since the beat before, in percent.
    pub cpu_percent: f64,
    /// Resident memory.
    pub memory_bytes: u64,
    /// Space left where the node keeps its data.
    pub disk_free_bytes: u64,
    /// Space there in all.
    pub disk_total_bytes: u64,
    /// Bytes of the store's state.
    pub store_bytes: u64,
    /// How long writes taken at this node took lately, if there were any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commits: Option<Commits>,
    /// What it knows of the others while it leads.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub followers: Vec<Follower>,
}

/// How long the writes of the last few seconds took, from being taken to the answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Commits {
    /// How many.
    pub count: u64,
    /// Half of them were faster, milliseconds.
    pub p50_ms: f64,
    /// 99 of 100 were faster, milliseconds.
    pub p99_ms: f64,
}

/// Another node as the leader sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Follower {
    /// Its number.
    pub node: u64,
    /// Its log is equal and durable up to here.
    pub matched: u64,
    /// Milliseconds since it last spoke.
    pub silent_ms: u64,
}

/// Bytes of memory that are no change worth telling.
const MEMORY_STEP: u64 = 256 << 20;

impl Beat {
    /// Whether `later` tells nothing new that cannot wait: the same part in the cluster, the same
    /// troubles.
    pub(crate) fn is_like(&self, later: &Self) -> bool {
        let part = |beat: &Self| {
            let troubles = (
                beat.disk_stalled_ms > 1_000,
                beat.commit.saturating_sub(beat.applied) > 5_000,
                beat.disk_free_percent().is_some_and(|percent| percent < 5),
            );
            (beat.role.clone(), beat.term, beat.draining, beat.restriction.clone(), troubles)
        };
        let grown = later.memory_bytes.abs_diff(self.memory_bytes) > MEMORY_STEP;
        part(self) == part(later) && self.started_ms == later.started_ms && !grown
    }

    /// With what the node knows of itself at this moment.
    pub(crate) fn refreshed(self, vitals: &Vitals) -> Self {
        Self {
            role: vitals.role.clone(),
            term: vitals.term,
            commit: vitals.commit,
            applied: vitals.applied,
            last: vitals.last,
            restriction: vitals.restriction.clone(),
            disk_stalled_ms: vitals.disk_stalled_ms,
            memory_bytes: vitals.memory_bytes,
            disk_free_bytes: vitals.disk_free_bytes,
            disk_total_bytes: vitals.disk_total_bytes,
            store_bytes: vitals.store_bytes,
            commits: vitals.commits,
            followers: vitals.followers.clone(),
            ..self
        }
    }

    /// Share of its disk that is free, rounded down.
    pub(crate) fn disk_free_percent(&self) -> Option<u64> {
        (self.disk_total_bytes > 0)
            .then(|| self.disk_free_bytes.saturating_mul(100) / self.disk_total_bytes)
    }
}

/// What only the node itself knows, asked before each beat and for each view.
#[derive(Clone, Debug, Default)]
pub struct Vitals {
    /// See [`Beat::role`].
    pub role: String,
    /// Its term.
    pub term: u64,
    /// The leader it knows.
    pub leader: Option<u64>,
    /// See [`Beat::commit`].
    pub commit: u64,
    /// See [`Beat::applied`].
    pub applied: u64,
    /// See [`Beat::last`].
    pub last: u64,
    /// Members of the cluster: number, peer address, whether it votes.
    pub members: Vec<(u64, String, bool)>,
    /// See [`Beat::restriction`].
    pub restriction: Option<String>,
    /// See [`Beat::disk_stalled_ms`].
    pub disk_stalled_ms: u64,
    /// See [`Beat::cpu_seconds`].
    pub cpu_seconds: f64,
    /// See [`Beat::memory_bytes`].
    pub memory_bytes: u64,
    /// See [`Beat::disk_free_bytes`].
    pub disk_free_bytes: u64,
    /// See [`Beat::disk_total_bytes`].
    pub disk_total_bytes: u64,
    /// See [`Beat::store_bytes`].
    pub store_bytes: u64,
    /// See [`Beat::commits`].
    pub commits: Option<Commits>,
    /// See [`Beat::followers`].
    pub followers: Vec<Follower>,
}

#[cfg(test)]
mod tests {
    use super::Beat;

    #[test]
    fn figures_wait_and_changes_do_not() {
        let beat = Beat { role: "follower".to_owned(), term: 3, ..Beat::default() };
        let later = Beat { count: 9, cpu_seconds: 4.0, applied: 7, commit: 9, ..beat.clone() };
        assert!(beat.is_like(&later));
        for changed in [
            Beat { role: "leader".to_owned(), ..later.clone() },
            Beat { term: 4, ..later.clone() },
            Beat { draining: true, ..later.clone() },
            Beat { commit: 9_000, ..later.clone() },
            Beat { disk_stalled_ms: 2_000, ..later.clone() },
            Beat { started_ms: 1, ..later },
        ] {
            assert!(!beat.is_like(&changed), "{changed:?}");
        }
    }
}

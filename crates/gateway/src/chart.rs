//! Turnout over time, and when the acts of an election happened: counted from the stamps of the
//! ledger's entries, each leaf once.
//!
//! What is final never changes, so its counts are kept and only what is new is read; leaves that
//! are not final yet are added to a copy. Stamps are whole minutes: finer ones would link people
//! to logs.

use crate::{Gateway, Problem};
use authority::ElectionView;
use bytes::Bytes;
use election::ElectionId;
use election::entry::{Body, Entry, Kind};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Leaves read in one look: the authority waits for as long.
const LEAVES_A_LOOK: usize = 50_000;

/// Acts kept of one election, the newest ones.
const ACTS_MAX: usize = 500;

/// Where a ballot says its number in the chain of its credential (`spec/ballot.md`).
const SEQ: std::ops::Range<usize> = 65..69;

/// How many came in a minute.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    /// First ballots of a credential.
    pub(crate) voters: u64,
    /// All accepted ones.
    pub(crate) ballots: u64,
}

/// An entry of the ledger that is no ballot and no part of the roll or the ceremony.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct ActLine {
    /// Index of the leaf.
    leaf: u64,
    kind: &'static str,
    /// Minutes since 1970 UTC.
    stamp: u32,
    /// The authority that appended it.
    appender: u8,
}

/// Everything counted of one election.
#[derive(Clone, Debug, Default)]
pub(crate) struct Chart {
    read: usize,
    /// The last leaf read: another one there says that the ledger is another.
    last: Option<Bytes>,
    /// By minute since 1970 UTC.
    pub(crate) minutes: BTreeMap<u32, Count>,
    pub(crate) acts: Vec<ActLine>,
}

impl Chart {
    fn add(&mut self, leaf: &Bytes) {
        self.read += 1;
        self.last = Some(leaf.clone());
        let Ok(entry) = Entry::decode(leaf) else { return };
        let kind = entry.body.kind();
        match entry.body {
            Body::Ballot(ballot) => {
                let count = self.minutes.entry(entry.stamp).or_default();
                count.ballots += 1;
                count.voters += u64::from(ballot.get(SEQ).is_some_and(|seq| seq == [0; 4]));
            }
            _ if matches!(kind, Kind::RollChunk | Kind::Ceremony) => {}
            _ => {
                let (leaf, appender) = (self.read as u64 - 1, entry.appender);
                let (kind, stamp) = (kind.name(), entry.stamp);
                self.acts.push(ActLine { leaf, kind, stamp, appender });
                if self.acts.len() > ACTS_MAX {
                    self.acts.remove(0);
                }
            }
        }
    }

    /// Whether `leaves` begins with what was read.
    fn is_of(&self, leaves: &[Bytes]) -> bool {
        match self.read.checked_sub(1) {
            None => true,
            Some(last) => leaves.get(last) == self.last.as_ref(),
        }
    }

    /// The counts of `step` minutes each, from the minute `since` on.
    pub(crate) fn steps(&self, since: u32, step: u32) -> BTreeMap<u32, Count> {
        let mut steps: BTreeMap<u32, Count> = BTreeMap::new();
        for (minute, count) in self.minutes.range(since..) {
            let sum = steps.entry(minute - minute % step.max(1)).or_default();
            sum.voters += count.voters;
            sum.ballots += count.ballots;
        }
        steps
    }
}

/// The charts of all elections.
#[derive(Clone, Debug, Default)]
pub(crate) struct Charts(Arc<Mutex<BTreeMap<ElectionId, Chart>>>);

impl Charts {
    /// Reads on; the chart when everything is read.
    fn read_on(&self, view: ElectionView<'_>) -> Option<Chart> {
        let leaves = view.fold().leaves();
        let is_final = usize::try_from(view.final_size()).unwrap_or(usize::MAX).min(leaves.len());
        let mut charts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = charts.entry(view.id()).or_default();
        read_on(kept, leaves, is_final)
    }
}

fn read_on(kept: &mut Chart, leaves: &[Bytes], is_final: usize) -> Option<Chart> {
    if !kept.is_of(leaves) {
        *kept = Chart::default();
    }
    let end = is_final.min(kept.read.saturating_add(LEAVES_A_LOOK));
    for leaf in leaves.get(kept.read..end).unwrap_or_default() {
        kept.add(leaf);
    }
    if kept.read < is_final {
        return None;
    }
    let mut chart = kept.clone();
    for leaf in leaves.get(kept.read..).unwrap_or_default().iter().take(LEAVES_A_LOOK) {
        chart.add(leaf);
    }
    Some(chart)
}

impl Gateway {
    /// The chart of an election, up to date.
    ///
    /// # Errors
    /// 404, or of the authority.
    pub(crate) async fn chart(&self, id: &str) -> Result<Chart, Problem> {
        loop {
            let charts = self.charts.clone();
            if let Some(chart) = self.look(id, move |view| charts.read_on(view)).await? {
                return Ok(chart);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use election::testing::{ElectionBuilder, choose};

    fn voted() -> Vec<Bytes> {
        let mut election = ElectionBuilder::new(3).voters(3).build();
        let mut run = election.open();
        for voter in [0, 1, 2, 1] {
            election.vote(&mut run, voter, &[choose(0), choose(0)]);
        }
        run.fold.leaves().to_vec()
    }

    #[test]
    fn each_leaf_is_counted_once_whatever_was_final_when() {
        let leaves = voted();
        let stamp = election::testing::STAMP;
        let whole = |is_final: &[usize]| {
            let mut kept = Chart::default();
            let looks = is_final.iter().map(|size| read_on(&mut kept, &leaves, *size));
            looks.last().flatten().expect("few leaves")
        };
        for sizes in [&[0][..], &[leaves.len()], &[1, 3, leaves.len() - 1], &[5, 2, 5]] {
            let chart = whole(sizes);
            assert_eq!(chart.minutes[&stamp], Count { voters: 3, ballots: 4 }, "{sizes:?}");
            let opening = chart.acts.iter().filter(|act| act.kind == "opening").count();
            assert_eq!(opening, 1, "{sizes:?}");
            assert!(chart.acts.iter().all(|act| act.kind != "roll chunk"), "{sizes:?}");
        }
        let hours = whole(&[0]).steps(0, 60);
        assert_eq!(hours, BTreeMap::from([(stamp - stamp % 60, Count { voters: 3, ballots: 4 })]));
        assert_eq!(whole(&[0]).steps(stamp + 1, 1), BTreeMap::new());
    }

    #[test]
    fn another_ledger_is_counted_anew() {
        let leaves = voted();
        let mut kept = Chart::default();
        read_on(&mut kept, &leaves, leaves.len());
        let shorter = &leaves[..leaves.len() - 2];
        let chart = read_on(&mut kept, shorter, shorter.len()).expect("few leaves");
        assert_eq!(chart.minutes.values().map(|count| count.ballots).sum::<u64>(), 2);
    }
}

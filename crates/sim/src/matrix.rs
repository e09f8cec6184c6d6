//! The matrix of protocol phase and fault: what struck a member while it was doing what.
//!
//! A simulator that breaks disks only while nobody votes shows nothing about votes. Each
//! effective fault is entered in the rows of all phases its victim was in, and `sim report` fails
//! on an empty cell.

use crate::faults::FaultClass;

listed! {
    /// What a member is doing.
    Phase:

    /// Nothing is under way.
    Idle;
    /// It asks whether it could win.
    PreVote;
    /// It campaigns.
    Vote;
    /// Entries are on their way to its disk.
    Append;
    /// Committed entries wait to be applied.
    Commit;
    /// Reads wait for their index.
    Read;
    /// It runs again and does not know yet what is committed.
    Recovery;
    /// It is down or has just started.
    Restart;
    /// It sends a snapshot.
    SnapshotSend;
    /// It takes a snapshot in.
    SnapshotInstall;
    /// Two sets of voters must agree.
    Joint;
    /// The membership after a joint one is not committed yet.
    LeaveJoint;
    /// Its leadership is on its way to another.
    Transfer;
    /// Its log is being cut at its beginning.
    Cut;
    /// Damage took a part of its log.
    Repair;
}

/// Some phases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Phases(u32);

impl Phases {
    /// Adds `phase` if `condition` holds.
    pub fn add_if(&mut self, phase: Phase, condition: bool) {
        self.0 |= u32::from(condition) << phase as u32;
    }

    /// Those of both.
    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether `phase` is among them.
    pub fn has(self, phase: Phase) -> bool {
        self.0 >> phase as u32 & 1 == 1
    }
}

/// Hits by phase and class.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Matrix([[u64; FaultClass::COUNT]; Phase::COUNT]);

impl Default for Matrix {
    fn default() -> Self {
        Self([[0; FaultClass::COUNT]; Phase::COUNT])
    }
}

impl Matrix {
    /// A fault of `class` struck in `phases`.
    pub fn hit(&mut self, class: FaultClass, phases: Phases) {
        for phase in Phase::ALL {
            self.0[*phase as usize][class as usize] += u64::from(phases.has(*phase));
        }
    }

    /// Hits of one cell.
    pub fn at(&self, phase: Phase, class: FaultClass) -> u64 {
        self.0[phase as usize][class as usize]
    }

    /// Adds those of another run.
    pub fn add(&mut self, other: &Self) {
        for (row, more) in self.0.iter_mut().zip(&other.0) {
            row.iter_mut().zip(more).for_each(|(cell, more)| *cell += more);
        }
    }

    /// The cells without a hit.
    pub fn empty(&self) -> Vec<(Phase, FaultClass)> {
        let cells = Phase::ALL
            .iter()
            .flat_map(|phase| FaultClass::ALL.iter().map(move |class| (*phase, *class)));
        cells.filter(|(phase, class)| self.at(*phase, *class) == 0).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_entered_under_every_phase_of_its_victim() {
        let mut phases = Phases::default();
        phases.add_if(Phase::Vote, true);
        phases.add_if(Phase::Idle, false);
        phases.add_if(Phase::Append, true);
        let mut matrix = Matrix::default();
        matrix.hit(FaultClass::Pause, phases);
        let mut sum = matrix.clone();
        sum.add(&matrix);
        assert_eq!(sum.at(Phase::Vote, FaultClass::Pause), 2);
        assert_eq!(sum.at(Phase::Idle, FaultClass::Pause), 0);
        assert_eq!(sum.empty().len(), Phase::COUNT * FaultClass::COUNT - 2);
    }
}

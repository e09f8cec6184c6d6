//! A member's clock: ticks that drift, and pauses that let them come late or in bursts.

use crate::time::Nanos;

/// Parts per million.
const MILLION: i64 = 1_000_000;

/// When the next tick of one member comes.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    tick_ns: Nanos,
    /// How much slower than true time this clock runs (negative: faster).
    drift_ppm: i64,
    /// What it showed at a true time; it has run with the present drift since.
    shown: (Nanos, Nanos),
}

impl Clock {
    /// A clock that should tick every `tick_ns`.
    pub fn new(tick_ns: Nanos, drift_ppm: i64) -> Self {
        Self { tick_ns, drift_ppm, shown: (0, 0) }
    }

    /// What it shows at `now`.
    pub fn shows(&self, now: Nanos) -> Nanos {
        let (shown, at) = self.shown;
        let passed =
            i128::from(now - at) * i128::from(MILLION) / i128::from(MILLION + self.drift_ppm);
        shown + Nanos::try_from(passed).unwrap_or(0)
    }

    /// Changes how fast it runs from `now` on.
    pub fn set_drift(&mut self, now: Nanos, drift_ppm: i64) {
        self.shown = (self.shows(now), now);
        self.drift_ppm = drift_ppm;
    }

    /// How fast it runs.
    pub fn drift_ppm(&self) -> i64 {
        self.drift_ppm
    }

    /// True time until the next tick.
    pub fn tick_after(&self) -> Nanos {
        let tick = i128::from(self.tick_ns);
        let stretched = tick * i128::from(MILLION + self.drift_ppm) / i128::from(MILLION);
        Nanos::try_from(stretched).unwrap_or(0).max(1)
    }

    /// Ticks that a process which slept for `slept_ns` finds waiting when it wakes.
    pub fn missed(&self, slept_ns: Nanos) -> u64 {
        slept_ns / self.tick_after()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drift_stretches_ticks() {
        let mut clock = Clock::new(10_000, 0);
        assert_eq!(clock.tick_after(), 10_000);
        clock.set_drift(0, 50_000);
        assert_eq!(clock.tick_after(), 10_500);
        assert_eq!(clock.shows(1_050_000), 1_000_000);
        clock.set_drift(0, -50_000);
        assert_eq!(clock.tick_after(), 9_500);
        assert_eq!(clock.missed(95_000), 10);
    }
}

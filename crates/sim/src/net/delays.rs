//! How long a frame takes on a healthy link: constant, uniform, log-normal or bimodal.

use base::Prng;

use crate::time::{MILLI, Nanos};

/// No healthy frame takes longer.
pub const DELAY_MAX_NS: Nanos = 15 * MILLI;

/// A distribution of delays.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delays {
    /// Always the same.
    Constant(Nanos),
    /// Anything between.
    Uniform {
        /// Shortest.
        min_ns: Nanos,
        /// Longest.
        max_ns: Nanos,
    },
    /// The logarithm is (nearly) normal: a long tail, cut at [`DELAY_MAX_NS`].
    LogNormal {
        /// Half take longer.
        median_ns: Nanos,
        /// Standard deviation of the logarithm to base 2, in 1/1024.
        octaves: u64,
    },
    /// Mostly fast, now and then slow.
    Bimodal {
        /// The fast ones.
        fast_ns: Nanos,
        /// The slow ones.
        slow_ns: Nanos,
        /// Share of slow ones in 1/1000.
        slow_permille: u64,
    },
}

impl Delays {
    /// A distribution for one link.
    pub fn draw(random: &mut Prng) -> Self {
        let base = random.between(50_000, 500_000);
        match random.below(4) {
            0 => Self::Constant(base),
            1 => Self::Uniform { min_ns: base, max_ns: base + random.below(4 * MILLI) },
            2 => Self::LogNormal { median_ns: 2 * base, octaves: random.between(256, 1536) },
            _ => Self::Bimodal {
                fast_ns: base,
                slow_ns: base + random.below(10 * MILLI),
                slow_permille: random.between(5, 200),
            },
        }
    }

    /// The delay of one frame.
    pub fn sample(&self, random: &mut Prng) -> Nanos {
        match *self {
            Self::Constant(delay) => delay,
            Self::Uniform { min_ns, max_ns } => random.between(min_ns, max_ns),
            Self::LogNormal { median_ns, octaves } => {
                // The sum of four uniform numbers is nearly normal; its deviation is 1024 / √3.
                let sum: u64 = (0..4).map(|_| random.below(1024)).sum();
                let exponent = (sum as i64 - 2046) * octaves as i64 / 591;
                times_power_of_two(median_ns, exponent).min(DELAY_MAX_NS)
            }
            Self::Bimodal { fast_ns, slow_ns, slow_permille } => {
                let slow = random.chance(slow_permille, 1000);
                if slow { slow_ns } else { fast_ns }
            }
        }
    }
}

/// `value * 2^(exponent / 1024)`, linear between the octaves.
fn times_power_of_two(value: u64, exponent: i64) -> u64 {
    let (octave, part) = (exponent.div_euclid(1024), exponent.rem_euclid(1024) as u64);
    let between = value + value * part / 1024;
    let shift = octave.unsigned_abs().min(20);
    if octave < 0 { between >> shift } else { between << shift }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_of_two() {
        let check = |exponent, expect| assert_eq!(times_power_of_two(1000, exponent), expect);
        check(0, 1000);
        check(1024, 2000);
        check(-1024, 500);
        check(512, 1500);
        check(-512, 750);
    }

    #[test]
    fn half_of_a_log_normal_lies_above_its_median_and_none_above_the_bound() {
        let delays = Delays::LogNormal { median_ns: MILLI, octaves: 1024 };
        let mut random = Prng::named(1, "delays");
        let samples: Vec<Nanos> = (0..2000).map(|_| delays.sample(&mut random)).collect();
        let above = samples.iter().filter(|delay| **delay > MILLI).count();
        assert!((900..1100).contains(&above), "{above}");
        assert!(samples.iter().all(|delay| *delay <= DELAY_MAX_NS));
        assert!(samples.iter().any(|delay| *delay > 4 * MILLI));
    }
}

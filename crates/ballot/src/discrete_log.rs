//! Small discrete logarithms: from `mG` back to the count `m`, by baby steps and giant steps.
//!
//! For a bound `n` the table holds about `√n` multiples of `G` and a search takes at most as many
//! steps: 2^20 votes need 1024 of each (milliseconds), 2^40, the most that is allowed, 2^20 of each
//! (16 MB, seconds). Points are compared by the encodings of their doubles, which can be made in
//! batches, since the encoding itself needs one inverse square root for each point.

use alloc::vec::Vec;

use curve25519_dalek::constants::RISTRETTO_BASEPOINT_POINT;
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::Identity;

/// The largest count that can be searched for.
pub(crate) const COUNT_MAX: u64 = 1 << 40;
/// Points encoded together.
const CHUNK: usize = 512;

/// The multiples `0 … steps-1` of `G`, sorted by a prefix of their encoding.
pub(crate) struct BabySteps {
    sorted: Vec<(u64, u32)>,
    bound: u64,
}

impl BabySteps {
    /// A table for counts `0 ..= bound`, where `bound` is at most [`COUNT_MAX`].
    pub(crate) fn new(bound: u64) -> Self {
        assert!(bound <= COUNT_MAX, "the caller checked the bound");
        let steps = (bound + 1).isqrt() + 1;
        let multiples = walk(RistrettoPoint::identity(), RISTRETTO_BASEPOINT_POINT, steps);
        let mut sorted: Vec<(u64, u32)> =
            (0_u32..).zip(multiples).map(|(multiple, (_, prefix))| (prefix, multiple)).collect();
        sorted.sort_unstable();
        Self { sorted, bound }
    }

    /// The count `m` with `mG = point`, if it is within the bound.
    pub(crate) fn find(&self, point: &RistrettoPoint) -> Option<u64> {
        let steps = self.sorted.len() as u64;
        let giant = -RistrettoPoint::mul_base(&Scalar::from(steps));
        let giants = self.bound / steps + 1;
        (0..giants).zip(walk(*point, giant, giants)).find_map(|(round, (rest, prefix))| {
            let first = self.sorted.partition_point(|(known, _)| *known < prefix);
            let matches = self.sorted[first..].iter().take_while(|(known, _)| *known == prefix);
            matches
                .map(|(_, baby)| u64::from(*baby))
                .find(|baby| RistrettoPoint::mul_base(&Scalar::from(*baby)) == rest)
                .map(|baby| round * steps + baby)
                .filter(|count| *count <= self.bound)
        })
    }
}

/// `start`, `start + step`, … (`count` points), each with a prefix of its double's encoding.
fn walk(
    start: RistrettoPoint,
    step: RistrettoPoint,
    count: u64,
) -> impl Iterator<Item = (RistrettoPoint, u64)> {
    let mut next = start;
    let mut left = count;
    core::iter::from_fn(move || {
        let size = left.min(CHUNK as u64);
        left -= size;
        let points: Vec<RistrettoPoint> =
            core::iter::successors(Some(next), |point| Some(point + step))
                .take(size as usize)
                .collect();
        next = points.last().map_or(next, |last| last + step);
        (size > 0).then_some(points)
    })
    .flat_map(|points| {
        let encoded = RistrettoPoint::double_and_compress_batch(&points);
        let prefix = |bytes: &[u8; 32]| u64::from_le_bytes(core::array::from_fn(|i| bytes[i]));
        points.into_iter().zip(encoded.into_iter().map(move |one| prefix(one.as_bytes())))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_count_within_the_bound_is_found_and_no_other() {
        for bound in [0, 1, 2, 3, 15, 16, 17, 1000] {
            let table = BabySteps::new(bound);
            for count in 0..=bound {
                let point = RistrettoPoint::mul_base(&Scalar::from(count));
                assert_eq!(table.find(&point), Some(count), "{count} of {bound}");
            }
            let beyond = RistrettoPoint::mul_base(&Scalar::from(bound + 1));
            assert_eq!(table.find(&beyond), None, "{bound}");
            assert_eq!(table.find(&-RISTRETTO_BASEPOINT_POINT), None);
        }
    }

    #[test]
    fn a_million_votes_are_found() {
        let table = BabySteps::new(1 << 20);
        for count in [0, 1, 999_999, (1 << 20) - 1, 1 << 20] {
            let point = RistrettoPoint::mul_base(&Scalar::from(count));
            assert_eq!(table.find(&point), Some(count));
        }
    }
}

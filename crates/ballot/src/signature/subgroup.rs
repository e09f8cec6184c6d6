//! Whether many points lie in the subgroup of prime order, for a fraction of asking each.
//!
//! The random subset test (Bellare, Garay and Rabin, "Fast batch verification for modular
//! exponentiation and digital signatures", EUROCRYPT 1998, section 3): when a point has a part of
//! small order, then of two subsets that differ in this point alone, at most one has a sum without
//! such a part. So a random subset shows it with probability 1/2 or more, and 128 of them miss it
//! with probability 2^-128. Random factors for all points, as for signatures, would not do: of
//! points of order two, every even factor hides one.

use alloc::vec;

use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::traits::Identity;
use sha2::{Digest, Sha512};

/// How many subsets are tried.
const SUBSETS: usize = 128;

/// Points whose subsets are added up in a table; a hash of 512 bits says for each of the 128
/// subsets which of them are in it.
const TOGETHER: usize = 512 / SUBSETS;

/// Whether all points lie in the subgroup; false is certain. The subsets follow from `seed`, which
/// must be a hash over all points: then everybody gets the same answer, and nobody can choose
/// points for subsets that are known before.
pub(super) fn are_torsion_free(points: &[EdwardsPoint], seed: &[u8; 64]) -> bool {
    let mut sums = vec![EdwardsPoint::identity(); SUBSETS];
    for (number, block) in (0_u64..).zip(points.chunks(TOGETHER)) {
        let table = subset_sums(block);
        let hash = Sha512::new().chain_update(seed).chain_update(number.to_be_bytes()).finalize();
        let choices = hash.iter().flat_map(|byte| [byte & 15, byte >> 4]);
        for (sum, choice) in sums.iter_mut().zip(choices) {
            *sum += table[usize::from(choice)];
        }
    }
    sums.iter().all(EdwardsPoint::is_torsion_free)
}

/// The sum over each subset of up to four points; bit `i` of the place says whether point `i` is
/// in it, and of points that are not there, it means nothing.
fn subset_sums(points: &[EdwardsPoint]) -> [EdwardsPoint; 1 << TOGETHER] {
    let mut table = [EdwardsPoint::identity(); 1 << TOGETHER];
    for place in 1..table.len() {
        let without_lowest = table[place & (place - 1)];
        let lowest = points.get(place.trailing_zeros() as usize);
        table[place] = lowest.map_or(without_lowest, |point| without_lowest + point);
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use curve25519_dalek::constants::EIGHT_TORSION;
    use curve25519_dalek::scalar::Scalar;

    fn good(count: usize) -> vec::Vec<EdwardsPoint> {
        (1..=count as u64).map(|secret| EdwardsPoint::mul_base(&Scalar::from(secret))).collect()
    }

    #[test]
    fn each_subset_has_its_sum() {
        for count in 0..=TOGETHER {
            let points = good(count);
            for (place, sum) in subset_sums(&points).iter().enumerate() {
                let in_it = points.iter().enumerate().filter(|(at, _)| place >> at & 1 == 1);
                assert_eq!(*sum, in_it.map(|(_, point)| point).sum::<EdwardsPoint>());
            }
        }
    }

    #[test]
    fn a_part_of_small_order_is_found_wherever_it_is() {
        for count in [1, 3, 4, 5, 9] {
            assert!(are_torsion_free(&good(count), &[7; 64]), "{count}");
            for place in 0..count {
                for torsion in &EIGHT_TORSION[1..] {
                    let mut points = good(count);
                    points[place] += torsion;
                    assert!(!are_torsion_free(&points, &[7; 64]), "{place} of {count}");
                }
            }
        }
    }

    #[test]
    fn parts_that_cancel_each_other_are_found() {
        for (one, other) in [(1, 7), (2, 6), (4, 4), (3, 5)] {
            for distance in 1..9 {
                let mut points = good(10);
                points[0] += EIGHT_TORSION[one];
                points[distance] += EIGHT_TORSION[other];
                assert!(!are_torsion_free(&points, &[8; 64]), "{one} and {other}");
            }
        }
    }
}

//! Members' ids as etcd's clients see them.
//!
//! Quorate numbers its members 1, 2, 3. etcd's ids are large, tools print them as sixteen
//! hexadecimal digits, and scripts take what is shorter for something else. So the API shows member
//! 3 as `7100000000000003`: one bijection, readable by eye, with room for every id that can exist.

/// The upper half of an id that stands for one of ours.
const MARK: u64 = 0x7100_0000_0000_0000;

/// How much of an id is the member's own number.
const NUMBER_BITS: u32 = 32;

/// What clients see for member `number`; numbers too large for the form are shown as they are.
pub fn shown(number: u64) -> u64 {
    if number == 0 || number >> NUMBER_BITS != 0 { number } else { MARK | number }
}

/// The number of the member that is shown as `id`; another server's id is what it is.
pub fn number(id: u64) -> u64 {
    let low = id & ((1 << NUMBER_BITS) - 1);
    if low != 0 && id ^ low == MARK { low } else { id }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_is_read_back_and_foreign_ids_stay() {
        assert_eq!(format!("{:x}", shown(3)), "7100000000000003");
        for id in [0, 1, 255, u64::from(u32::MAX), 1 << 32, u64::MAX] {
            assert_eq!(number(shown(id)), id);
        }
        assert_eq!(number(0x8e9e_05c5_2164_694d), 0x8e9e_05c5_2164_694d);
        assert_eq!((shown(0), number(MARK)), (0, MARK));
    }
}

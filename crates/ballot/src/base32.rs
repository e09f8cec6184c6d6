//! Crockford's base32: no I, L, O, U; upper case out, any case in, with o, i and l folded.

/// Digits in value order.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// The digit of a value below 32.
pub(crate) fn digit(value: u8) -> char {
    char::from(ALPHABET[usize::from(value & 31)])
}

/// The value of a typed character, or `None` when it is no digit.
pub(crate) fn value(typed: char) -> Option<u8> {
    let folded = match typed.to_ascii_uppercase() {
        'O' => '0',
        'I' | 'L' => '1',
        other => other,
    };
    let byte = u8::try_from(folded).ok()?;
    ALPHABET.iter().position(|&digit| digit == byte).map(|place| place as u8)
}

/// The first `N` base32 digits of `bytes`, most significant bit first.
///
/// # Panics
/// When `bytes` has fewer than `5 N` bits; callers pass arrays of known length.
pub(crate) fn digits<const N: usize>(bytes: &[u8]) -> [u8; N] {
    core::array::from_fn(|place| {
        (0..5).fold(0, |value, bit| {
            let at = place * 5 + bit;
            (value << 1) | ((bytes[at / 8] >> (7 - at % 8)) & 1)
        })
    })
}

/// The bytes whose digits these are; `5 · digits.len()` must be `8 N`.
pub(crate) fn bytes<const N: usize>(digits: &[u8]) -> [u8; N] {
    assert_eq!(digits.len() * 5, N * 8, "whole bytes only");
    core::array::from_fn(|place| {
        (0..8).fold(0, |value, bit| {
            let at = place * 8 + bit;
            (value << 1) | ((digits[at / 5] >> (4 - at % 5)) & 1)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lookalikes_are_folded() {
        assert_eq!([value('o'), value('O'), value('0')], [Some(0); 3]);
        assert_eq!([value('i'), value('L'), value('1')], [Some(1); 3]);
        assert_eq!([value('u'), value('-'), value('é')], [None; 3]);
        assert!((0..32).all(|v| value(digit(v)) == Some(v)));
    }

    #[test]
    fn digits_and_bytes_are_inverse() {
        let original: [u8; 15] = core::array::from_fn(|i| (i * 37) as u8);
        let split: [u8; 24] = digits(&original);
        assert_eq!(bytes::<15>(&split), original);
    }
}

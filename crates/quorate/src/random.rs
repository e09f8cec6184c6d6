//! The operating system's randomness, in the form that the pure crates ask for.

use getrandom::SysRng;
use rand_core::UnwrapErr;

/// Randomness of the operating system; a failure of it ends the program.
pub(crate) fn system() -> UnwrapErr<SysRng> {
    UnwrapErr(SysRng)
}

/// An array of random bytes.
pub(crate) fn bytes<const N: usize>() -> [u8; N] {
    use rand_core::Rng;
    let mut bytes = [0; N];
    system().fill_bytes(&mut bytes);
    bytes
}

//! A seeded generator for tests, which also remembers what was drawn.

use alloc::vec::Vec;
use core::convert::Infallible;

use rand_core::{TryCryptoRng, TryRng};

/// `base::Prng` under the trait the crate asks for. Only tests may call it cryptographic.
pub(crate) struct TestRng {
    prng: base::Prng,
    /// Every filled buffer, in order, for the vectors.
    pub(crate) draws: Vec<Vec<u8>>,
}

impl TestRng {
    pub(crate) fn new(seed: u64, name: &str) -> Self {
        Self { prng: base::Prng::named(seed, name), draws: Vec::new() }
    }
}

impl TryRng for TestRng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        Ok(self.prng.next_u64() as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.prng.next_u64())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.prng.fill(bytes);
        self.draws.push(bytes.to_vec());
        Ok(())
    }
}

impl TryCryptoRng for TestRng {}

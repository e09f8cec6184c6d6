//! The value under `head`: how many entries there are, and a chain of hashes over them.
//!
//! ```text
//! 0   8   number of entries, u64 big-endian
//! 8  32   chain: SHA-256(chain before ‖ SHA-256(entry)), all zero before the first entry
//! ```
//!
//! Everybody who appends compares it, so two orders of equal length can never be continued as if
//! they were one: whoever was shown another order notices at the next append or audit, however far
//! back the difference lies. It proves nothing to anybody else; that is what roots are for.

use bytes::Bytes;

use crate::desk::sha256;

/// A head as it was read, or computed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Head {
    /// `None` when the key does not exist: no entries.
    raw: Option<Bytes>,
}

/// The chain with one more entry.
pub(crate) fn chained(chain: &[u8; 32], entry: &[u8]) -> [u8; 32] {
    sha256(&[chain.as_slice(), &sha256(entry)].concat())
}

impl Head {
    pub(crate) fn read(raw: Option<Bytes>) -> Self {
        Self { raw }
    }

    pub(crate) fn new(entries: u64, chain: &[u8; 32]) -> Self {
        Self { raw: Some([&entries.to_be_bytes()[..], chain].concat().into()) }
    }

    /// The bytes to compare with.
    pub(crate) fn raw(&self) -> Option<&Bytes> {
        self.raw.as_ref()
    }

    /// Number and chain; `None` for bytes that are no head.
    pub(crate) fn value(&self) -> Option<(u64, [u8; 32])> {
        let Some(raw) = &self.raw else { return Some((0, [0; 32])) };
        let (entries, chain) = raw.split_first_chunk::<8>()?;
        Some((u64::from_be_bytes(*entries), chain.try_into().ok()?))
    }

    /// Number of entries; 0 for bytes that are no head.
    pub(crate) fn entries(&self) -> u64 {
        self.value().map_or(0, |(entries, _)| entries)
    }

    /// The head after these entries; `None` after bytes that are no head.
    pub(crate) fn after(&self, entries: &[Bytes]) -> Option<Self> {
        let (number, chain) = self.value()?;
        let chain = entries.iter().fold(chain, |chain, entry| chained(&chain, entry));
        Some(Self::new(number + entries.len() as u64, &chain))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_head_is_none_entries_and_the_chain_names_the_order() {
        let [a, b] = [Bytes::from_static(b"a"), Bytes::from_static(b"b")];
        let none = Head::read(None);
        assert_eq!(none.value(), Some((0, [0; 32])));
        let both = none.after(&[a.clone(), b.clone()]).unwrap();
        let first = none.after(std::slice::from_ref(&a)).unwrap();
        let one_by_one = first.after(std::slice::from_ref(&b)).unwrap();
        assert_eq!(both.value(), one_by_one.value());
        assert_eq!(both.entries(), 2);
        assert_ne!(none.after(&[b, a]).unwrap().value(), both.value());
        let garbage = Head::read(Some(Bytes::from_static(&[1; 8])));
        assert_eq!((garbage.entries(), garbage.value()), (0, None));
        assert!(garbage.after(&[]).is_none());
    }
}

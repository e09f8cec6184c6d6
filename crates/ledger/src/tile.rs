//! Tiles and entry bundles (C2SP tlog-tiles): the tree as static files of 256 hashes or entries.

use core::{fmt, str::FromStr};

use crate::tree::Tree;

/// Hashes in a full tile, entries in a full bundle.
pub const TILE_WIDTH: u64 = 256;
/// Longest entry a bundle can hold: its length is a big-endian u16.
pub const ENTRY_BYTES_MAX: usize = 65_535;

/// The name of a tile below a log's prefix: `tile/<L>/<N>[.p/<W>]` or `tile/entries/<N>[.p/<W>]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TilePath {
    /// Height of the tile, 0 holding leaf hashes; `None` for a bundle of entries.
    pub level: Option<u8>,
    /// Position within the level.
    pub index: u64,
    /// Hashes or entries in it, 1 to 256; below 256 it is partial.
    pub width: u16,
}

impl TilePath {
    /// Positions `start..end` within the level's row of hashes (or among the entries).
    pub fn span(&self) -> (u64, u64) {
        let start = self.index.saturating_mul(TILE_WIDTH);
        (start, start.saturating_add(u64::from(self.width)))
    }
}

impl fmt::Display for TilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.level {
            Some(level) => write!(f, "tile/{level}/")?,
            None => f.write_str("tile/entries/")?,
        }
        let mut groups = vec![self.index % 1000];
        let mut rest = self.index / 1000;
        while rest > 0 {
            groups.push(rest % 1000);
            rest /= 1000;
        }
        for group in groups.iter().skip(1).rev() {
            write!(f, "x{group:03}/")?;
        }
        write!(f, "{:03}", groups[0])?;
        if u64::from(self.width) < TILE_WIDTH {
            write!(f, ".p/{}", self.width)?;
        }
        Ok(())
    }
}

impl FromStr for TilePath {
    type Err = ();

    /// Accepts only what `Display` prints.
    fn from_str(text: &str) -> Result<Self, ()> {
        let rest = text.strip_prefix("tile/").ok_or(())?;
        let (level, rest) = rest.split_once('/').ok_or(())?;
        let (index, width) = match rest.split_once(".p/") {
            Some((index, width)) => (index, width.parse().map_err(|_| ())?),
            None => (rest, TILE_WIDTH as u16),
        };
        let mut number = 0u64;
        for group in index.split('/') {
            let digits: u64 = group.trim_start_matches('x').parse().map_err(|_| ())?;
            number = number.checked_mul(1000).and_then(|n| n.checked_add(digits)).ok_or(())?;
        }
        let level = match level {
            "entries" => None,
            level => Some(level.parse().map_err(|_| ())?),
        };
        let path = Self { level, index: number, width };
        let bounded = level.is_none_or(|level| level < 64) && (1..=256).contains(&width);
        if bounded && path.to_string() == text { Ok(path) } else { Err(()) }
    }
}

/// All hash tiles of a tree of `size` leaves, full and partial, lowest level first. Every one of
/// them also exists (in full, or as a wider partial) in each larger tree.
pub fn tiles_of(size: u64) -> impl Iterator<Item = TilePath> {
    (0u8..8).flat_map(move |level| {
        let hashes = size >> (8 * u32::from(level));
        let partial = (hashes % TILE_WIDTH) as u16;
        let full = hashes / TILE_WIDTH;
        let path = move |index, width| TilePath { level: Some(level), index, width };
        (0..full)
            .map(move |index| path(index, TILE_WIDTH as u16))
            .chain((partial > 0).then(|| path(full, partial)))
    })
}

impl Tree {
    /// The bytes of a hash tile: its hashes side by side. `None` for a bundle of entries, and
    /// when the tree does not hold all its hashes yet.
    pub fn tile(&self, path: TilePath) -> Option<Vec<u8>> {
        let level = u32::from(path.level?).checked_mul(8)?;
        let (start, end) = path.span();
        if end > self.size().checked_shr(level).unwrap_or(0) {
            return None;
        }
        let mut bytes = Vec::with_capacity(usize::from(path.width) * 32);
        for index in start..end {
            bytes.extend_from_slice(&self.complete(level, index)?.0);
        }
        Some(bytes)
    }
}

/// Why bytes are not an entry bundle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BundleError {
    /// An entry to be written is longer than 65,535 bytes.
    EntryTooLong {
        /// Position in the bundle.
        position: usize,
        /// Its length.
        bytes: usize,
    },
    /// The bytes end inside an entry.
    CutShort {
        /// Offset of the length field of that entry.
        offset: usize,
    },
    /// More than 256 entries.
    TooMany,
}

impl fmt::Display for BundleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::EntryTooLong { position, bytes } => {
                write!(f, "entry {position} of the bundle has {bytes} bytes, more than 65535")
            }
            Self::CutShort { offset } => {
                write!(f, "the bundle ends inside the entry that starts at byte {offset}")
            }
            Self::TooMany => write!(f, "the bundle holds more than 256 entries"),
        }
    }
}

impl std::error::Error for BundleError {}

/// A bundle of entries: each with its length as a big-endian u16 before it.
///
/// # Errors
/// When an entry is too long or there are more than 256.
pub fn encode_bundle<'a>(
    entries: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Vec<u8>, BundleError> {
    let mut bytes = Vec::new();
    for (position, entry) in entries.into_iter().enumerate() {
        if position as u64 >= TILE_WIDTH {
            return Err(BundleError::TooMany);
        }
        let too_long = BundleError::EntryTooLong { position, bytes: entry.len() };
        let length = u16::try_from(entry.len()).map_err(|_| too_long)?;
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(entry);
    }
    Ok(bytes)
}

/// The entries of a bundle, borrowed.
///
/// # Errors
/// When the bytes end inside an entry or hold more than 256.
pub fn decode_bundle(bytes: &[u8]) -> Result<Vec<&[u8]>, BundleError> {
    let mut entries = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        if entries.len() as u64 >= TILE_WIDTH {
            return Err(BundleError::TooMany);
        }
        let cut_short = BundleError::CutShort { offset: bytes.len() - rest.len() };
        let (length, body) = rest.split_first_chunk::<2>().ok_or(cut_short)?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (entry, after) = body.split_at_checked(length).ok_or(cut_short)?;
        entries.push(entry);
        rest = after;
    }
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Hash, leaf_hash};

    #[test]
    fn paths_have_one_form_only() {
        for path in
            ["tile/0/000", "tile/1/x001/x234/067", "tile/entries/x001/000.p/255", "tile/63/999.p/1"]
        {
            assert_eq!(path.parse::<TilePath>().unwrap().to_string(), path);
        }
        for path in [
            "tile/0/0",
            "tile/0/1000",
            "tile/0/000.p/256",
            "tile/0/000.p/0",
            "tile/00/000",
            "tile/64/000",
            "tile/0/x000/001",
            "tile/0/001/002",
            "tile/0/xx1",
            "tile/0/+01",
            "tile/0/000.p/01",
            "tile/entries",
            "/tile/0/000",
            "tile/0/000/",
            "tile/0/x999/x999/x999/x999/x999/x999/x999/999",
        ] {
            assert_eq!(path.parse::<TilePath>(), Err(()), "{path}");
        }
    }

    #[test]
    fn the_tiles_of_70000_leaves_are_those_of_the_specification() {
        let tiles: Vec<TilePath> = tiles_of(70_000).collect();
        let count = |level, full: bool| {
            tiles.iter().filter(|t| t.level == Some(level) && (t.width == 256) == full).count()
        };
        assert_eq!((count(0, true), count(0, false)), (273, 1));
        assert_eq!((count(1, true), count(1, false)), (1, 1));
        assert_eq!((count(2, true), count(2, false)), (0, 1));
        let partial: Vec<u16> = tiles.iter().map(|t| t.width).filter(|w| *w < 256).collect();
        assert_eq!(partial, [112, 17, 1]);
    }

    #[test]
    fn tiles_hold_leaf_hashes_and_the_roots_of_full_tiles() {
        let tree = Tree::from_leaves((0..600u32).map(|i| leaf_hash(&i.to_be_bytes())));
        for path in tiles_of(600) {
            let bytes = tree.tile(path).unwrap();
            let hashes = bytes.as_chunks::<32>().0;
            assert_eq!(hashes.len(), usize::from(path.width));
            for (at, hash) in hashes.iter().enumerate() {
                let at = (path.index * TILE_WIDTH) + at as u64;
                let expected = match path.level {
                    Some(0) => tree.leaf(at).unwrap(),
                    _ => {
                        Tree::from_leaves((at * 256..at * 256 + 256).map(|i| tree.leaf(i).unwrap()))
                            .root()
                    }
                };
                assert_eq!(Hash(*hash), expected, "{path} {at}");
            }
        }
        assert_eq!(tree.tile("tile/0/002.p/89".parse().unwrap()), None);
        assert_eq!(tree.tile("tile/0/003".parse().unwrap()), None);
        assert_eq!(tree.tile("tile/entries/000".parse().unwrap()), None);
        assert_eq!(tree.tile("tile/63/000".parse().unwrap()), None);
    }

    #[test]
    fn bundles_come_back_and_damage_is_located() {
        let entries: Vec<&[u8]> = vec![b"one", b"", b"three"];
        let bytes = encode_bundle(entries.clone()).unwrap();
        assert_eq!(decode_bundle(&bytes), Ok(entries));
        assert_eq!(decode_bundle(&bytes[..8]), Err(BundleError::CutShort { offset: 7 }));
        let long = vec![0u8; 65_536];
        let refused = encode_bundle([long.as_slice()]).unwrap_err();
        assert_eq!(refused.to_string(), "entry 0 of the bundle has 65536 bytes, more than 65535");
        assert_eq!(encode_bundle((0..257).map(|_| &b"x"[..])), Err(BundleError::TooMany));
        assert_eq!(decode_bundle(&[0; 514]), Err(BundleError::TooMany));
    }
}

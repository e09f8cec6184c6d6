//! The built web pages inside the binary: every file of `web/dist` as it was when this was
//! compiled, or none.
#![forbid(unsafe_code)]

/// One file.
#[derive(Clone, Copy, Debug)]
pub struct Asset {
    /// Its path below `web/dist`, with slashes.
    pub path: &'static str,
    /// Its bytes.
    pub bytes: &'static [u8],
}

/// All files, by path; empty when the pages were not built.
pub static FILES: &[Asset] = include!(concat!(env!("OUT_DIR"), "/files.rs"));

#[cfg(test)]
mod tests {
    use super::FILES;

    #[test]
    fn files_are_sorted_and_named_below_their_folder() {
        assert!(FILES.is_sorted_by_key(|file| file.path));
        assert!(FILES.iter().all(|file| !file.path.starts_with('/') && !file.path.contains("..")));
    }
}

//! The archive as a file: large ones are read where they lie.

use bytes::Bytes;
use election::ArchiveBytes;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// A file, or what came out of something that is none, such as a pipe.
pub(super) enum ArchiveFile {
    Stored { file: File, length: u64 },
    Piped(Bytes),
}

impl ArchiveFile {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        let mut file = File::open(path)?;
        let metadata = file.metadata()?;
        if metadata.is_file() {
            return Ok(Self::Stored { file, length: metadata.len() });
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(Self::Piped(bytes.into()))
    }
}

impl ArchiveBytes for ArchiveFile {
    fn length(&self) -> u64 {
        match self {
            Self::Stored { length, .. } => *length,
            Self::Piped(bytes) => bytes.length(),
        }
    }

    fn read(&self, offset: u64, count: usize) -> Result<Bytes, String> {
        match self {
            Self::Stored { file, .. } => {
                let mut bytes = vec![0; count];
                file.read_exact_at(&mut bytes, offset).map_err(|error| error.to_string())?;
                Ok(bytes.into())
            }
            Self::Piped(bytes) => bytes.read(offset, count),
        }
    }
}

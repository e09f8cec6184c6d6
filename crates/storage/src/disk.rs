//! The whole surface that the logs need from an operating system: one flat folder.
//!
//! Synchronous on purpose: the thread around a log is the asynchrony. The durability rules are
//! those of POSIX at its worst, and the logs rely on nothing more:
//!
//! * what [`Disk::write_at`] and [`Disk::set_len`] changed may be lost, kept, or kept in part
//!   (sector by sector, in any order) until [`Disk::sync`] of that file has returned `Ok`;
//! * what [`Disk::create`], [`Disk::rename`] and [`Disk::remove`] changed may be lost until
//!   [`Disk::sync_dir`] has returned `Ok`;
//! * after a failed `sync` nothing is known about the file, and a later `Ok` means nothing.

use core::fmt;

/// One flat folder of files. Names are plain: no separators, no leading dot.
pub trait Disk {
    /// The names of all files, sorted.
    ///
    /// # Errors
    /// [`DiskError`] when the folder cannot be read.
    fn list(&self) -> Result<Vec<String>, DiskError>;

    /// Makes an empty file.
    ///
    /// # Errors
    /// [`DiskErrorKind::AlreadyExists`] when there is one of that name.
    fn create(&mut self, name: &str) -> Result<(), DiskError>;

    /// Length in bytes.
    ///
    /// # Errors
    /// [`DiskErrorKind::NotFound`] when there is no such file.
    fn len(&self, name: &str) -> Result<u64, DiskError>;

    /// Fills `buffer` from `offset` on.
    ///
    /// # Errors
    /// [`DiskErrorKind::UnexpectedEnd`] when the file ends before `buffer` is full; any other
    /// failure of the medium. `buffer` is unspecified after an error.
    fn read_at(&self, name: &str, offset: u64, buffer: &mut [u8]) -> Result<(), DiskError>;

    /// Lets the next read of these bytes come from the medium, where a cache would hide that it has
    /// changed. A wish, which may come to nothing.
    fn forget_cached(&self, _name: &str, _offset: u64, _len: u64) {}

    /// Writes all of `bytes` from `offset` on; a file that was shorter grows (zeros between).
    ///
    /// # Errors
    /// [`DiskErrorKind::Full`] without space; after any error a part may have been written.
    fn write_at(&mut self, name: &str, offset: u64, bytes: &[u8]) -> Result<(), DiskError>;

    /// Lets bytes that were written go to the medium while more is prepared, so that the sync that
    /// follows has less to wait for. A wish, which may come to nothing: they are as undecided as
    /// before until [`Disk::sync`] has returned, and that is also what reports a failure.
    fn begin_sync(&mut self, _name: &str, _offset: u64, _len: u64) {}

    /// Cuts the file to `len` bytes or extends it with zeros.
    ///
    /// # Errors
    /// As [`Disk::write_at`].
    fn set_len(&mut self, name: &str, len: u64) -> Result<(), DiskError>;

    /// Makes content and length of the file durable (`fdatasync`).
    ///
    /// # Errors
    /// Any; the file is not to be trusted afterwards.
    fn sync(&mut self, name: &str) -> Result<(), DiskError>;

    /// Gives the file another name; a file that had that name is gone.
    ///
    /// # Errors
    /// [`DiskErrorKind::NotFound`] when there is no file `from`.
    fn rename(&mut self, from: &str, to: &str) -> Result<(), DiskError>;

    /// Removes the file.
    ///
    /// # Errors
    /// [`DiskErrorKind::NotFound`] when there is no such file.
    fn remove(&mut self, name: &str) -> Result<(), DiskError>;

    /// Makes the folder's list of names durable.
    ///
    /// # Errors
    /// Any; the folder is not to be trusted afterwards.
    fn sync_dir(&mut self) -> Result<(), DiskError>;
}

/// What was attempted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "each is the method of the same name")]
pub enum DiskOperation {
    List,
    Create,
    Len,
    ReadAt,
    WriteAt,
    SetLen,
    Sync,
    Rename,
    Remove,
    SyncDir,
}

impl fmt::Display for DiskOperation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::List => "list the folder",
            Self::Create => "create",
            Self::Len => "find the length of",
            Self::ReadAt => "read",
            Self::WriteAt => "write",
            Self::SetLen => "set the length of",
            Self::Sync => "sync",
            Self::Rename => "rename",
            Self::Remove => "remove",
            Self::SyncDir => "sync the folder",
        })
    }
}

/// How it failed, as far as the logs care.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DiskErrorKind {
    /// There is no such file.
    NotFound,
    /// There is a file of that name already.
    AlreadyExists,
    /// No space is left, or a quota is used up.
    Full,
    /// The file ends before the bytes that were asked for.
    UnexpectedEnd,
    /// Anything else, in the words of the system.
    Io(String),
}

/// An operation of a [`Disk`] failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskError {
    /// What was attempted.
    pub operation: DiskOperation,
    /// On which file; empty for the folder itself.
    pub file: String,
    /// How it failed.
    pub kind: DiskErrorKind,
}

impl DiskError {
    /// The failure of `operation` on `file`.
    pub fn new(operation: DiskOperation, file: &str, kind: DiskErrorKind) -> Self {
        Self { operation, file: file.to_owned(), kind }
    }
}

impl fmt::Display for DiskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot {}", self.operation)?;
        if !self.file.is_empty() {
            write!(f, " {}", self.file)?;
        }
        match &self.kind {
            DiskErrorKind::NotFound => f.write_str(": there is no such file"),
            DiskErrorKind::AlreadyExists => f.write_str(": there is one already"),
            DiskErrorKind::Full => f.write_str(": no space is left"),
            DiskErrorKind::UnexpectedEnd => f.write_str(": it is too short"),
            DiskErrorKind::Io(reason) => write!(f, ": {reason}"),
        }
    }
}

impl core::error::Error for DiskError {}

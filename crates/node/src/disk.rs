//! The real [`Disk`]: one folder of the file system, locked for this process.
//!
//! Every file stays open. `sync` is `fdatasync`, which also saves a changed length; names are
//! made durable by syncing the folder itself. The file `LOCK` carries an advisory lock, which
//! the kernel drops with the process, however that ends.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::num::NonZeroU64;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rustix::fs::{Advice, fadvise};
use storage::{Disk, DiskError, DiskErrorKind, DiskOperation};

const LOCK_FILE: &str = "LOCK";

/// Makes every sync of a folder wait, so that a demonstration can show a slow disk. Released
/// (the default) it costs one atomic load a sync.
#[derive(Clone, Debug, Default)]
pub struct Brake(Arc<AtomicU64>);

impl Brake {
    /// From now on every sync takes at least this much longer, in whole milliseconds.
    pub fn set(&self, delay: Duration) {
        let ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
        self.0.store(ms, Ordering::Relaxed);
    }

    /// How much longer a sync takes.
    pub fn delay(&self) -> Duration {
        Duration::from_millis(self.0.load(Ordering::Relaxed))
    }

    fn hold(&self) {
        let delay = self.delay();
        if !delay.is_zero() {
            std::thread::sleep(delay);
        }
    }
}

/// A folder could not be taken into use.
#[derive(Debug)]
pub enum FolderError {
    /// Another process has it.
    InUse {
        /// The folder.
        folder: PathBuf,
    },
    /// The file system said no.
    Io {
        /// What was attempted.
        attempt: &'static str,
        /// On which path.
        path: PathBuf,
        /// Its reason.
        source: io::Error,
    },
}

impl std::fmt::Display for FolderError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::InUse { folder } => write!(
                f,
                "the data folder {} is in use by another process: stop it, or choose another \
                 folder",
                folder.display()
            ),
            Self::Io { attempt, path, source } => {
                write!(f, "cannot {attempt} {}: {source}", path.display())
            }
        }
    }
}

impl std::error::Error for FolderError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::InUse { .. } => None,
            Self::Io { source, .. } => Some(source),
        }
    }
}

/// One folder, its files open, locked until this is dropped.
#[derive(Debug)]
pub struct RealDisk {
    path: PathBuf,
    /// The folder itself, to be synced.
    folder: File,
    files: BTreeMap<String, File>,
    brake: Brake,
    /// Held for its lock only.
    _lock: File,
}

impl RealDisk {
    /// Takes the folder into use; makes it, and the folders above it, if they are not there.
    ///
    /// # Errors
    /// [`FolderError::InUse`] when another process holds it.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, FolderError> {
        let path = path.as_ref().to_path_buf();
        create_folders(&path)?;
        let lock_path = path.join(LOCK_FILE);
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&lock_path)
            .map_err(failed("open", &lock_path))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(FolderError::InUse { folder: path }),
            Err(TryLockError::Error(source)) => {
                return Err(FolderError::Io { attempt: "lock", path: lock_path, source });
            }
        }
        let folder = File::open(&path).map_err(failed("open", &path))?;
        let files = open_files(&path)?;
        Ok(Self { path, folder, files, brake: Brake::default(), _lock: lock })
    }

    /// The same folder, its syncs held up by `brake`.
    #[must_use]
    pub fn with_brake(self, brake: Brake) -> Self {
        Self { brake, ..self }
    }

    fn file(&self, operation: DiskOperation, name: &str) -> Result<&File, DiskError> {
        let missing = || DiskError::new(operation, name, DiskErrorKind::NotFound);
        self.files.get(name).ok_or_else(missing)
    }
}

impl Disk for RealDisk {
    fn list(&self) -> Result<Vec<String>, DiskError> {
        Ok(self.files.keys().cloned().collect())
    }

    fn create(&mut self, name: &str) -> Result<(), DiskError> {
        let file = OpenOptions::new()
            .create_new(true)
            .read(true)
            .write(true)
            .open(self.path.join(name))
            .map_err(|error| disk_error(DiskOperation::Create, name, &error))?;
        self.files.insert(name.to_owned(), file);
        Ok(())
    }

    fn len(&self, name: &str) -> Result<u64, DiskError> {
        let metadata = self.file(DiskOperation::Len, name)?.metadata();
        metadata.map(|m| m.len()).map_err(|error| disk_error(DiskOperation::Len, name, &error))
    }

    fn read_at(&self, name: &str, offset: u64, buffer: &mut [u8]) -> Result<(), DiskError> {
        self.file(DiskOperation::ReadAt, name)?
            .read_exact_at(buffer, offset)
            .map_err(|error| disk_error(DiskOperation::ReadAt, name, &error))
    }

    fn forget_cached(&self, name: &str, offset: u64, len: u64) {
        if let Some(file) = self.files.get(name) {
            let _ = fadvise(file, offset, NonZeroU64::new(len), Advice::DontNeed);
        }
    }

    fn write_at(&mut self, name: &str, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        self.file(DiskOperation::WriteAt, name)?
            .write_all_at(bytes, offset)
            .map_err(|error| disk_error(DiskOperation::WriteAt, name, &error))
    }

    /// "Not needed" makes Linux start writing what is dirty in the range; it keeps pages that are
    /// being written.
    fn begin_sync(&mut self, name: &str, offset: u64, len: u64) {
        self.forget_cached(name, offset, len);
    }

    fn set_len(&mut self, name: &str, len: u64) -> Result<(), DiskError> {
        self.file(DiskOperation::SetLen, name)?
            .set_len(len)
            .map_err(|error| disk_error(DiskOperation::SetLen, name, &error))
    }

    fn sync(&mut self, name: &str) -> Result<(), DiskError> {
        self.brake.hold();
        self.file(DiskOperation::Sync, name)?
            .sync_data()
            .map_err(|error| disk_error(DiskOperation::Sync, name, &error))
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<(), DiskError> {
        self.file(DiskOperation::Rename, from)?;
        std::fs::rename(self.path.join(from), self.path.join(to))
            .map_err(|error| disk_error(DiskOperation::Rename, from, &error))?;
        if let Some(file) = self.files.remove(from) {
            self.files.insert(to.to_owned(), file);
        }
        Ok(())
    }

    fn remove(&mut self, name: &str) -> Result<(), DiskError> {
        self.file(DiskOperation::Remove, name)?;
        std::fs::remove_file(self.path.join(name))
            .map_err(|error| disk_error(DiskOperation::Remove, name, &error))?;
        self.files.remove(name);
        Ok(())
    }

    fn sync_dir(&mut self) -> Result<(), DiskError> {
        self.folder.sync_all().map_err(|error| disk_error(DiskOperation::SyncDir, "", &error))
    }
}

/// Makes the folder, and those above it that are missing, each name durable in the folder above
/// it. A folder that is there already may come from a start that was cut off before its name was
/// durable, so its name is synced too: otherwise a power cut could take it with all it holds.
///
/// # Errors
/// [`FolderError::Io`]. A folder that is there, below one that may not be read, is no error.
pub fn create_folders(path: &Path) -> Result<(), FolderError> {
    let above = path.parent().filter(|above| !above.as_os_str().is_empty());
    let above = above.unwrap_or(Path::new("."));
    if path.is_dir() {
        return match File::open(above) {
            // Somebody else's folder, who made ours and answers for it.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(()),
            Err(error) => Err(failed("open", above)(error)),
            Ok(folder) => folder.sync_all().map_err(failed("sync", above)),
        };
    }
    create_folders(above)?;
    match std::fs::create_dir(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
        other => other.map_err(failed("make the folder", path))?,
    }
    let folder = File::open(above).map_err(failed("open", above))?;
    folder.sync_all().map_err(failed("sync", above))
}

fn open_files(path: &Path) -> Result<BTreeMap<String, File>, FolderError> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(path).map_err(failed("list", path))? {
        let entry = entry.map_err(failed("list", path))?;
        let file_path = entry.path();
        let is_file = entry.file_type().map_err(failed("look at", &file_path))?.is_file();
        let Ok(name) = entry.file_name().into_string() else { continue };
        if !is_file || name == LOCK_FILE || name.starts_with('.') {
            continue;
        }
        let file = OpenOptions::new().read(true).write(true).open(&file_path);
        files.insert(name, file.map_err(failed("open", &file_path))?);
    }
    Ok(files)
}

fn failed(attempt: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FolderError {
    let path = path.to_path_buf();
    move |source| FolderError::Io { attempt, path, source }
}

fn disk_error(operation: DiskOperation, name: &str, error: &io::Error) -> DiskError {
    let kind = match error.kind() {
        io::ErrorKind::NotFound => DiskErrorKind::NotFound,
        io::ErrorKind::AlreadyExists => DiskErrorKind::AlreadyExists,
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => DiskErrorKind::Full,
        io::ErrorKind::UnexpectedEof => DiskErrorKind::UnexpectedEnd,
        _ => DiskErrorKind::Io(error.to_string()),
    };
    DiskError::new(operation, name, kind)
}

#[cfg(test)]
mod tests {
    use super::*;
    use storage::{Batch, Owner, ValueLog, ValueLogOptions, Wal, WalOptions};

    const OWNER: Owner = Owner { cluster: 1, member: 2, salt: 3 };

    #[test]
    fn both_logs_live_in_real_folders() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data/wal");
        let options = WalOptions { segment_bytes: 1 << 16, ..WalOptions::new(OWNER) };
        let batch = Batch { records: vec![(1, 1, "one".into())], ..Batch::default() };
        {
            let (mut wal, _) = Wal::open(RealDisk::open(&path).unwrap(), options).unwrap();
            wal.write(&batch).unwrap();
            wal.sync().unwrap();
            while !wal.prepare_ahead(1000).unwrap() {}
        }
        let (wal, recovered) = Wal::open(RealDisk::open(&path).unwrap(), options).unwrap();
        assert_eq!(recovered.last_index, Some(1));
        assert_eq!(wal.read(1, 100).unwrap(), batch.records);

        let path = folder.path().join("data/values");
        let open = |count: &mut u32| {
            let mut visit = |_, bytes: &[u8]| {
                *count += bytes.len() as u32;
                Ok(())
            };
            let disk = RealDisk::open(&path).unwrap();
            ValueLog::open(disk, ValueLogOptions::new(OWNER), &mut visit).unwrap()
        };
        let position = open(&mut 0).append(b"value").unwrap();
        let mut bytes = 0;
        assert_eq!(open(&mut bytes).read(position).unwrap(), &b"value"[..]);
        assert_eq!(bytes, 5);
    }

    #[test]
    fn a_folder_in_use_is_refused_until_it_is_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let first = RealDisk::open(folder.path()).unwrap();
        let error = RealDisk::open(folder.path()).unwrap_err();
        assert!(error.to_string().contains("is in use by another process"), "{error}");
        drop(first);
        RealDisk::open(folder.path()).unwrap();
    }

    #[test]
    fn folders_are_made_with_those_above_and_may_be_there_already() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/c");
        create_folders(&path).unwrap();
        create_folders(&path).unwrap();
        create_folders(Path::new(".")).unwrap();
        create_folders(Path::new("/")).unwrap();
        assert!(path.is_dir());
        std::fs::write(path.join("file"), "").unwrap();
        let error = create_folders(&path.join("file/below")).unwrap_err().to_string();
        assert!(error.starts_with("cannot make the folder "), "{error}");
    }

    #[test]
    fn errors_have_the_kinds_that_the_logs_ask_for() {
        let folder = tempfile::tempdir().unwrap();
        let mut disk = RealDisk::open(folder.path()).unwrap();
        disk.create("a").unwrap();
        let kind = |result: Result<(), DiskError>| result.unwrap_err().kind;
        assert_eq!(kind(disk.create("a")), DiskErrorKind::AlreadyExists);
        assert_eq!(kind(disk.sync("b")), DiskErrorKind::NotFound);
        assert_eq!(kind(disk.read_at("a", 0, &mut [0])), DiskErrorKind::UnexpectedEnd);
        disk.set_len("a", 10).unwrap();
        disk.forget_cached("a", 0, 10);
        disk.forget_cached("none", 0, 10);
        disk.rename("a", "b").unwrap();
        disk.sync_dir().unwrap();
        assert_eq!((disk.list().unwrap(), disk.len("b").unwrap()), (vec!["b".to_owned()], 10));
        disk.remove("b").unwrap();
        drop(disk);
        assert_eq!(RealDisk::open(folder.path()).unwrap().list().unwrap(), [] as [String; 0]);
    }
}

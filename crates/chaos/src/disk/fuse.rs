//! The disk as the kernel asks for it: translation, waiting and counting, no more.

use std::ffi::OsStr;
use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fuser::{
    BsdFileFlags, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation,
    INodeNo, KernelConfig, LockOwner, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData,
    ReplyDirectory, ReplyEmpty, ReplyEntry, ReplyOpen, ReplyStatfs, ReplyWrite, Request, TimeOrNow,
    WriteFlags,
};

use super::tree::{Facts, Refusal};
use super::{Full, Shared};

/// Nothing is remembered by the kernel: a power cut changes everything at once.
const NO_TIME: Duration = Duration::ZERO;

/// Between two looks at whether a stuck disk goes on.
const STUCK_LOOK: Duration = Duration::from_millis(5);

/// Bytes of one write.
const WRITE_BYTES_MAX: u32 = 1 << 20;

/// A size for `statfs`, in blocks of 4 KiB.
const BLOCKS: u64 = 1 << 22;

pub(super) struct Server(pub(super) Shared);

impl From<Refusal> for Errno {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Missing => Errno::ENOENT,
            Refusal::Exists => Errno::EEXIST,
            Refusal::IsFolder => Errno::EISDIR,
            Refusal::NoFolder => Errno::ENOTDIR,
            Refusal::NotEmpty => Errno::ENOTEMPTY,
        }
    }
}

fn attributes(facts: Facts) -> FileAttr {
    let kind = if facts.is_folder { FileType::Directory } else { FileType::RegularFile };
    FileAttr {
        ino: INodeNo(facts.number),
        size: facts.len,
        blocks: facts.occupied / 512,
        atime: UNIX_EPOCH,
        mtime: UNIX_EPOCH,
        ctime: UNIX_EPOCH,
        crtime: UNIX_EPOCH,
        kind,
        perm: facts.permissions,
        nlink: 1,
        uid: 0,
        gid: 0,
        rdev: 0,
        flags: 0,
        blksize: 4096,
    }
}

impl Server {
    /// Takes the time that the disk needs for a write or a sync, and longer while it is stuck.
    fn take_time(&self) {
        let mut is_counted = false;
        loop {
            let delay = {
                let mut state = self.0.lock();
                let faults = state.faults;
                if faults.stuck {
                    state.counts.held += u64::from(!is_counted);
                    is_counted = true;
                } else if !faults.delay.is_zero() {
                    state.counts.delayed += 1;
                }
                if faults.stuck { None } else { Some(faults.delay) }
            };
            match delay {
                None => std::thread::sleep(STUCK_LOOK),
                Some(delay) => return std::thread::sleep(delay),
            }
        }
    }

    fn write(&self, number: u64, offset: u64, data: &[u8]) -> Result<(), Errno> {
        self.take_time();
        let mut state = self.0.lock();
        let content = state.tree.file(number)?;
        let grows = content.new_bytes(offset, data.len() as u64) > 0;
        if match state.faults.full {
            None => false,
            Some(Full::NewBlocks) => grows,
            Some(Full::AllWrites) => true,
        } {
            state.counts.refused += 1;
            return Err(Errno::ENOSPC);
        }
        state.tree.file(number)?.write(offset, data);
        Ok(())
    }

    /// A sync of a file or a folder; whether it shall have its effect.
    fn sync(&self, number: u64, is_folder: bool) -> Result<(), Errno> {
        self.take_time();
        let mut state = self.0.lock();
        state.counts.syncs += 1;
        match state.faults.fails_sync_after {
            Some(0) => {
                state.faults.fails_sync_after = None;
                state.counts.failed_syncs += 1;
                if !is_folder {
                    state.tree.file(number)?.fail_sync();
                }
                return Err(Errno::EIO);
            }
            Some(left) => state.faults.fails_sync_after = Some(left - 1),
            None => {}
        }
        if state.faults.lies {
            state.counts.lied += 1;
            return Ok(());
        }
        match is_folder {
            true => state.tree.sync_folder(number)?,
            false => state.tree.file(number)?.sync(),
        }
        Ok(())
    }

    fn make(&self, folder: u64, name: &OsStr, is_folder: bool, mode: u32) -> Result<Facts, Errno> {
        let mut state = self.0.lock();
        if state.faults.full.is_some() {
            state.counts.refused += 1;
            return Err(Errno::ENOSPC);
        }
        Ok(state.tree.make(folder, name, is_folder, (mode & 0o7777) as u16)?)
    }
}

fn empty(reply: ReplyEmpty, result: Result<(), Errno>) {
    match result {
        Ok(()) => reply.ok(),
        Err(error) => reply.error(error),
    }
}

fn entry(reply: ReplyEntry, result: Result<Facts, Errno>) {
    match result {
        Ok(facts) => reply.entry(&NO_TIME, &attributes(facts), Generation(0)),
        Err(error) => reply.error(error),
    }
}

impl Filesystem for Server {
    fn init(&mut self, _request: &Request, config: &mut KernelConfig) -> io::Result<()> {
        // A smaller limit is fine too: writes come in more pieces.
        let _nearest = config.set_max_write(WRITE_BYTES_MAX);
        Ok(())
    }

    fn lookup(&self, _request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let result = self.0.lock().tree.look_up(parent.0, name);
        entry(reply, result.map_err(Errno::from));
    }

    fn getattr(
        &self,
        _request: &Request,
        number: INodeNo,
        _handle: Option<FileHandle>,
        reply: ReplyAttr,
    ) {
        match self.0.lock().tree.facts(number.0) {
            Ok(facts) => reply.attr(&NO_TIME, &attributes(facts)),
            Err(refusal) => reply.error(refusal.into()),
        }
    }

    fn setattr(
        &self,
        request: &Request,
        number: INodeNo,
        mode: Option<u32>,
        _uid: Option<u32>,
        _gid: Option<u32>,
        size: Option<u64>,
        _atime: Option<TimeOrNow>,
        _mtime: Option<TimeOrNow>,
        _ctime: Option<SystemTime>,
        handle: Option<FileHandle>,
        _crtime: Option<SystemTime>,
        _chgtime: Option<SystemTime>,
        _bkuptime: Option<SystemTime>,
        _flags: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        {
            let mut state = self.0.lock();
            if let Some(mode) = mode {
                state.tree.set_permissions(number.0, (mode & 0o7777) as u16);
            }
            if let Some(size) = size {
                match state.tree.file(number.0) {
                    Ok(content) => content.set_len(size),
                    Err(refusal) => return reply.error(refusal.into()),
                }
            }
        }
        self.getattr(request, number, handle, reply);
    }

    fn mkdir(
        &self,
        _request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        reply: ReplyEntry,
    ) {
        entry(reply, self.make(parent.0, name, true, mode & !umask));
    }

    fn mknod(
        &self,
        _request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        _device: u32,
        reply: ReplyEntry,
    ) {
        entry(reply, self.make(parent.0, name, false, mode & !umask));
    }

    fn create(
        &self,
        _request: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        umask: u32,
        _flags: i32,
        reply: ReplyCreate,
    ) {
        match self.make(parent.0, name, false, mode & !umask) {
            Ok(facts) => reply.created(
                &NO_TIME,
                &attributes(facts),
                Generation(0),
                FileHandle(0),
                FopenFlags::FOPEN_DIRECT_IO,
            ),
            Err(error) => reply.error(error),
        }
    }

    fn unlink(&self, _request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        let result = self.0.lock().tree.remove(parent.0, name);
        empty(reply, result.map_err(Errno::from));
    }

    fn rmdir(&self, request: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        self.unlink(request, parent, name, reply);
    }

    fn rename(
        &self,
        _request: &Request,
        parent: INodeNo,
        name: &OsStr,
        new_parent: INodeNo,
        new_name: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        if !flags.is_empty() {
            return reply.error(Errno::EINVAL);
        }
        let result = self.0.lock().tree.rename((parent.0, name), (new_parent.0, new_name));
        empty(reply, result.map_err(Errno::from));
    }

    fn open(&self, _request: &Request, _number: INodeNo, _flags: OpenFlags, reply: ReplyOpen) {
        reply.opened(FileHandle(0), FopenFlags::FOPEN_DIRECT_IO);
    }

    fn read(
        &self,
        _request: &Request,
        number: INodeNo,
        _handle: FileHandle,
        offset: u64,
        size: u32,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let read = self.0.lock().tree.file(number.0).map(|file| file.read(offset, size.into()));
        match read {
            Ok(bytes) => reply.data(&bytes),
            Err(refusal) => reply.error(refusal.into()),
        }
    }

    fn write(
        &self,
        _request: &Request,
        number: INodeNo,
        _handle: FileHandle,
        offset: u64,
        data: &[u8],
        _write_flags: WriteFlags,
        _flags: OpenFlags,
        _lock_owner: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        match Server::write(self, number.0, offset, data) {
            Ok(()) => reply.written(data.len() as u32),
            Err(error) => reply.error(error),
        }
    }

    fn fsync(
        &self,
        _request: &Request,
        number: INodeNo,
        _handle: FileHandle,
        _data_only: bool,
        reply: ReplyEmpty,
    ) {
        empty(reply, self.sync(number.0, false));
    }

    fn fsyncdir(
        &self,
        _request: &Request,
        number: INodeNo,
        _handle: FileHandle,
        _data_only: bool,
        reply: ReplyEmpty,
    ) {
        empty(reply, self.sync(number.0, true));
    }

    fn readdir(
        &self,
        _request: &Request,
        number: INodeNo,
        _handle: FileHandle,
        offset: u64,
        mut reply: ReplyDirectory,
    ) {
        let list = match self.0.lock().tree.list(number.0) {
            Ok(list) => list,
            Err(refusal) => return reply.error(refusal.into()),
        };
        for (position, (name, facts)) in (1..).zip(list).skip(offset as usize) {
            let kind = attributes(facts).kind;
            if reply.add(INodeNo(facts.number), position, kind, &name) {
                break;
            }
        }
        reply.ok();
    }

    fn statfs(&self, _request: &Request, _number: INodeNo, reply: ReplyStatfs) {
        let state = self.0.lock();
        let used = state.tree.occupied() / 4096;
        let free = if state.faults.full.is_some() { 0 } else { BLOCKS.saturating_sub(used) };
        reply.statfs(BLOCKS, free, free, 1 << 20, 1 << 20, 4096, 255, 4096);
    }
}

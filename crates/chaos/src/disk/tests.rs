//! The mounted disk, through ordinary system calls.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::FileExt;

use super::*;

/// A mounted disk, or `None`, with a message, where FUSE cannot be had.
fn mounted() -> Option<(tempfile::TempDir, Disk)> {
    let folder = tempfile::tempdir().unwrap();
    match Disk::mount(&folder.path().join("disk")) {
        Ok(disk) => Some((folder, disk)),
        Err(failure) => {
            eprintln!("skipped: {failure}");
            None
        }
    }
}

#[test]
fn a_power_cut_takes_what_was_not_synced() {
    let Some((folder, disk)) = mounted() else { return };
    let path = folder.path().join("disk/log");
    std::fs::create_dir(&path).unwrap();
    File::open(folder.path().join("disk")).unwrap().sync_all().unwrap();
    let mut file = File::create(path.join("a")).unwrap();
    File::open(&path).unwrap().sync_all().unwrap();
    file.write_all(b"durable").unwrap();
    file.sync_data().unwrap();
    file.write_all_at(b"LOST", 0).unwrap();
    std::fs::write(path.join("b"), b"without a name").unwrap();
    assert_eq!(std::fs::read(path.join("a")).unwrap(), b"LOSTble");
    drop(file);
    let cut = disk.cut(Loss::All, &mut Prng::named(1, "cut"));
    assert!(cut.pending >= 2 && cut.lost == cut.pending, "{cut:?}");
    assert_eq!(std::fs::read(path.join("a")).unwrap(), b"durable");
    assert_eq!(std::fs::read(path.join("b")).unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn faults_are_met_by_the_caller_and_counted() {
    let Some((folder, disk)) = mounted() else { return };
    let path = folder.path().join("disk/file");
    let file = OpenOptions::new().create(true).truncate(true).write(true).open(&path).unwrap();
    file.write_all_at(&[1; 4096], 0).unwrap();
    disk.set(Faults { full: Some(Full::NewBlocks), ..Faults::default() });
    file.write_all_at(&[2; 4096], 0).unwrap();
    let error = file.write_all_at(&[2; 4096], 4096).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::StorageFull);
    disk.set(Faults { fails_sync_after: Some(1), ..Faults::default() });
    file.sync_data().unwrap();
    file.sync_data().unwrap_err();
    file.sync_data().unwrap();
    disk.set(Faults { lies: true, ..Faults::default() });
    file.write_all_at(&[3; 4096], 0).unwrap();
    file.sync_data().unwrap();
    let counts = disk.counts();
    assert_eq!((counts.refused, counts.failed_syncs, counts.lied), (1, 1, 1));
    drop(file);
    assert!(disk.cut(Loss::All, &mut Prng::named(1, "cut")).lost > 0);
}

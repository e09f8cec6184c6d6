//! What the log promises, through its public door.

use super::*;
use crate::memory::MemoryDisk;
use base::Prng;

pub(super) const OWNER: Owner = Owner { cluster: 7, member: 2, salt: 99 };

pub(super) fn options() -> WalOptions {
    WalOptions { owner: OWNER, segment_bytes: 8 * 512, sector_bytes: 512, spare_segments: 1 }
}

fn record(index: u64, tag: u64, text: &str) -> (u64, u64, Bytes) {
    (index, tag, Bytes::copy_from_slice(text.as_bytes()))
}

fn commit(wal: &mut Wal<MemoryDisk>, batch: &Batch) {
    wal.write(batch).unwrap();
    wal.sync().unwrap();
}

#[test]
fn what_was_synced_is_there_after_a_crash() {
    let disk = MemoryDisk::new();
    let (mut wal, recovered) = Wal::open(disk.clone(), options()).unwrap();
    assert_eq!(recovered.last_index, None);
    let records = vec![record(1, 1, "one"), record(2, 1, "two"), record(3, 2, "three")];
    let meta = Some(Bytes::from_static(b"term 2"));
    commit(&mut wal, &Batch { meta: meta.clone(), truncate_from: None, records });
    let records = vec![record(3, 3, "drei"), record(4, 3, "vier")];
    commit(&mut wal, &Batch { meta: None, truncate_from: Some(3), records });
    disk.crash(&mut Prng::named(1, "crash"));
    let (wal, recovered) = Wal::open(disk, options()).unwrap();
    assert_eq!(recovered.meta, meta);
    assert_eq!((recovered.first_index, recovered.last_index), (Some(1), Some(4)));
    let all =
        [record(1, 1, "one"), record(2, 1, "two"), record(3, 3, "drei"), record(4, 3, "vier")];
    assert_eq!(wal.read(1, 1000).unwrap(), all);
    assert_eq!(wal.tag_starts(), [(1, 1), (3, 3)]);
}

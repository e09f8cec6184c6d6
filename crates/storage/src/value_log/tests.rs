//! What the value log promises, through its public door.

use super::*;
use crate::memory::MemoryDisk;

const OWNER: Owner = Owner { cluster: 7, member: 2, salt: 99 };

fn options() -> ValueLogOptions {
    ValueLogOptions { owner: OWNER, segment_bytes: 512 }
}

type Seen = Vec<(Position, Vec<u8>)>;

fn open(disk: &MemoryDisk) -> (ValueLog<MemoryDisk>, Seen) {
    let mut seen = Seen::new();
    let mut visit = |position: Position, bytes: &[u8]| {
        seen.push((position, bytes.to_vec()));
        Ok(())
    };
    let log = ValueLog::open(disk.clone(), options(), &mut visit).unwrap();
    (log, seen)
}

#[test]
fn what_was_appended_is_read_scanned_and_found_again() {
    let disk = MemoryDisk::new();
    let (mut log, seen) = open(&disk);
    assert_eq!(seen, []);
    let mut expected = Seen::new();
    for number in 0..50u8 {
        let payload = vec![number; 20 + usize::from(number)];
        let position = log.append(&payload).unwrap();
        assert_eq!(log.read(position).unwrap(), payload);
        expected.push((position, payload));
    }
    let mut scanned = Seen::new();
    let mut from = 0;
    while let Scanned::More(next) = log
        .scan(from, 100, &mut |position, bytes| scanned.push((position, bytes.to_vec())))
        .unwrap()
    {
        from = next;
    }
    assert_eq!(scanned, expected);
    let (log, seen) = open(&disk);
    assert_eq!((seen, log.cut()), (expected, None));
}

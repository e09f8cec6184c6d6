//! The durable log of a member, as it is found again.

use bytes::Bytes;
use raft::{Entry, LogId, LogIndex, Membership, Payload, Persist, Ticket};
use replica::LogStore;
use storage::memory::MemoryDisk;
use storage::{Owner, WalOptions};

fn founding() -> Membership {
    Membership::founding([1, 2, 3].map(|id: u64| (id.into(), Bytes::from_static(b"here"))))
}

fn open(disk: &MemoryDisk) -> LogStore<MemoryDisk> {
    let owner = Owner { cluster: 1, member: 1, salt: 1 };
    LogStore::open(disk.clone(), WalOptions::new(owner), founding()).expect("a sound folder")
}

/// A membership is known whose entry is not in the log. Another entry takes its index: at the next
/// start nothing may say that the membership came with that one.
#[test]
fn a_membership_without_its_entry_is_forgotten_for_good() {
    let disk = MemoryDisk::new();
    let entry = |index: u64| Entry {
        id: LogId::new(1.into(), index.into()),
        payload: Payload::Data(Bytes::from_static(b"data")),
    };
    let order = |ticket, entries: Vec<Entry>, memberships| Persist {
        ticket: Ticket::new(ticket),
        hard_state: None,
        memberships,
        rebase: None,
        truncate_from: None,
        entries: entries.into(),
    };
    let known = vec![(LogIndex::ZERO, founding()), (3.into(), Membership::default())];
    let mut log = open(&disk);
    log.write(&[order(1, vec![entry(1), entry(2)], Some(known))]).expect("the disk works");
    log.sync().expect("the disk works");
    drop(log);
    let mut log = open(&disk);
    let memberships =
        |log: &LogStore<MemoryDisk>| log.recovered(LogIndex::ZERO).expect("it is read").memberships;
    assert_eq!(memberships(&log), [(LogIndex::ZERO, founding())]);
    log.write(&[order(1, vec![entry(3), entry(4)], None)]).expect("the disk works");
    log.sync().expect("the disk works");
    drop(log);
    assert_eq!(memberships(&open(&disk)), [(LogIndex::ZERO, founding())]);
}

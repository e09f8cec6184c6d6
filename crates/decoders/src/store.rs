//! The store: what members say to each other, what lies in logs, what is replicated.

use crate::Target;
use bytes::{Bytes, BytesMut};
use kv::api::{KeyRange, LeaseGrantRequest, PutRequest, Request};
use kv::command::{Body as CommandBody, CallOrigin, Envelope};
use node::peer::frame;
use raft::{Body, Entry, LogId, MemberId, Membership, Message, Payload, Snapshot};
use replica::{Greeting, Offer, PeerMessage, SnapshotId};
use std::sync::OnceLock;
use storage::memory::MemoryDisk;
use storage::{Batch, Disk, Owner, ValueLog, ValueLogOptions, Wal, WalOptions};

pub(crate) const TARGETS: &[Target] = &[
    Target::new("raft_message", raft_message, raft_messages),
    Target::new("raft_payload", raft_payload, raft_payloads),
    Target::new("peer_frame", peer_frame, peer_frames),
    Target::new("peer_message", peer_message, peer_messages),
    Target::new("kv_command", kv_command, kv_commands),
    Target::new("wal_segment", wal_segment, wal_segments).up_to(SEGMENT_BYTES as usize),
    Target::new("wal_manifest", wal_manifest, wal_manifests).up_to(256),
    Target::new("value_log", value_log, value_logs).up_to(SEGMENT_BYTES as usize),
];

fn id(term: u64, index: u64) -> LogId {
    LogId::new(term.into(), index.into())
}

fn membership() -> Membership {
    Membership::founding((1..=3).map(|id| (MemberId::new(id), Bytes::from_static(b"here"))))
}

fn entries() -> Vec<Entry> {
    let payloads = [
        Payload::Empty,
        Payload::Data(Bytes::from_static(b"command")),
        Payload::Membership(Box::new(membership())),
    ];
    (8..).zip(payloads).map(|(index, payload)| Entry { id: id(5, index), payload }).collect()
}

/// The bytes as a stream, and as the payload of a frame of either form with a checksum that fits,
/// since no mutation finds one.
fn peer_frame(bytes: &[u8]) {
    let mut stream = BytesMut::from(bytes);
    while let Ok(Some(payload)) = frame::decode(&mut stream) {
        let _ = frame::Hello::decode(payload);
    }
    for form in [0, 1] {
        let head = base::crc32c(&[frame::VERSION, form]);
        let mut framed = BytesMut::new();
        framed.extend_from_slice(&(bytes.len() as u32).to_be_bytes());
        framed.extend_from_slice(&[frame::VERSION, form]);
        framed.extend_from_slice(&base::crc32c_append(head, bytes).to_be_bytes());
        framed.extend_from_slice(bytes);
        match frame::decode(&mut framed) {
            Ok(Some(payload)) if form == 0 => assert_eq!(payload, bytes),
            Ok(Some(payload)) => assert!(payload.len() <= frame::PAYLOAD_BYTES_MAX),
            Ok(None) => panic!("a whole frame is taken for half of one"),
            Err(error) => assert_eq!(form, 1, "{error}"),
        }
    }
}

fn peer_frames() -> Vec<Vec<u8>> {
    let hello = frame::Hello { cluster: 7, from: 1, to: 2 }.encode();
    let mut framed = BytesMut::new();
    frame::encode(&hello, &mut framed);
    let packed = lz4_flex::block::compress_prepend_size(&[5; 300]);
    vec![framed.to_vec(), hello.to_vec(), packed]
}

/// Protobuf has several forms of a value, so the value must stay.
fn raft_message(bytes: &[u8]) {
    if let Ok(message) = raft::wire::decode(Bytes::copy_from_slice(bytes)) {
        message.check().expect("a message that was accepted is possible");
        let again = raft::wire::decode(raft::wire::encode(&message));
        assert_eq!(again.as_ref(), Ok(&message));
    }
}

fn raft_messages() -> Vec<Vec<u8>> {
    let index = 9.into();
    let read = raft::ReadId::new(3);
    let bodies = [
        Body::PreVoteRequest { last: id(4, 7) },
        Body::PreVoteReply { campaign: 6.into(), granted: true },
        Body::VoteRequest { last: id(4, 7), is_transfer: true },
        Body::VoteReply { granted: true },
        Body::Append { prev: id(5, 7), entries: entries().into(), commit: index },
        Body::AppendAccepted { matched: index },
        Body::AppendRejected { prev: index, have: id(2, 5), term_start: 4.into() },
        Body::Heartbeat { commit: index, round: Some(7) },
        Body::HeartbeatReply { round: 7, received: index, matched: index, has_lost: true },
        Body::TimeoutNow,
        Body::ReadRequest { read, incarnation: 2 },
        Body::ReadReply { read, incarnation: 2, index: Some(index) },
        Body::NewerTerm,
    ];
    let encode = |body| raft::wire::encode(&Message { term: 5.into(), body }).to_vec();
    bodies.into_iter().map(encode).collect()
}

fn raft_payload(bytes: &[u8]) {
    if let Ok(payload) = raft::wire::decode_payload(Bytes::copy_from_slice(bytes)) {
        let again = raft::wire::decode_payload(raft::wire::encode_payload(&payload));
        assert_eq!(again.as_ref(), Ok(&payload));
    }
}

fn raft_payloads() -> Vec<Vec<u8>> {
    let encode = |entry: &Entry| raft::wire::encode_payload(&entry.payload).to_vec();
    entries().iter().map(encode).collect()
}

fn peer_message(bytes: &[u8]) {
    if let Ok(message) = PeerMessage::decode(Bytes::copy_from_slice(bytes)) {
        assert_eq!(PeerMessage::decode(message.encode()).as_ref(), Ok(&message));
    }
}

fn peer_messages() -> Vec<Vec<u8>> {
    let last = id(3, 9);
    let snapshot = Snapshot { last, membership_index: 4.into(), membership: membership() };
    let offered = SnapshotId { incarnation: 2, number: 7 };
    let records = vec![Bytes::from_static(b"record"), Bytes::new()];
    let chunk = storage::Chunk { segment_bytes: 512, from: 7, next: 20, records: records.clone() };
    let offer = Offer { id: offered, snapshot, segment_bytes: 512, through: 900, digest: 5 };
    let greeting = Greeting {
        admission: replica::Admission::Met,
        standing: replica::Standing::Learner,
        leads: true,
        asks: false,
    };
    let messages = [
        PeerMessage::Forward { payloads: records.clone() },
        PeerMessage::Refused { incarnation: 7, calls: vec![1, u64::MAX] },
        PeerMessage::SnapshotWished,
        PeerMessage::Greeting(greeting),
        PeerMessage::SnapshotOffered(offer),
        PeerMessage::ChunkWanted { id: offered, from: 7 },
        PeerMessage::Chunk { id: offered, chunk },
        PeerMessage::SnapshotEnded { id: offered, installed: Some(9.into()) },
        PeerMessage::EndWanted { incarnation: 5 },
        PeerMessage::End { incarnation: 5, term: 3.into(), last },
        PeerMessage::RecordsWanted { index: 7.into() },
        PeerMessage::Records { index: 7.into(), records },
        PeerMessage::EntriesWanted { after: LogId::ZERO, anchor: last },
        PeerMessage::Entries { anchor: last, entries: entries() },
    ];
    messages.iter().map(|message| message.encode().to_vec()).collect()
}

fn kv_command(bytes: &[u8]) {
    let bytes = Bytes::copy_from_slice(bytes);
    let origin = kv::command::origin(&bytes);
    if let Ok(envelope) = kv::command::decode(&bytes) {
        assert_eq!(origin, Ok(envelope.origin));
        assert_eq!(kv::command::decode(&kv::command::encode(&envelope)), Ok(envelope));
    }
}

fn kv_commands() -> Vec<Vec<u8>> {
    let put = PutRequest {
        key: "key".into(),
        value: "value".into(),
        lease: -5,
        prev_kv: true,
        ignore_value: false,
        ignore_lease: true,
    };
    let delete = kv::api::DeleteRangeRequest {
        range: KeyRange { key: "a".into(), range_end: "b".into() },
        prev_kv: true,
    };
    let operation = kv::api::TxnOperation::Put(put.clone());
    let compare = kv::api::Compare {
        range: KeyRange::single("k"),
        result: kv::api::CompareResult::NotEqual,
        target: kv::api::CompareTarget::Version(3),
    };
    let txn = kv::api::TxnRequest {
        compare: vec![compare],
        success: vec![operation],
        failure: vec![kv::api::TxnOperation::DeleteRange(delete.clone())],
    };
    let bodies = [
        CommandBody::Write(Request::Put(put)),
        CommandBody::Write(Request::DeleteRange(delete)),
        CommandBody::Write(Request::Txn(txn)),
        CommandBody::Write(Request::LeaseGrant(LeaseGrantRequest { ttl: 60, id: 7 })),
        CommandBody::Write(Request::LeaseRevoke { id: 7 }),
        CommandBody::Write(Request::LeaseKeepAlive { id: 7 }),
        CommandBody::Write(Request::Compact { revision: 300, physical: false }),
        CommandBody::Advance { elapsed_ms: 300, term: 4 },
    ];
    let origin = CallOrigin { member: 3, incarnation: 300, call: 9 };
    let encode = |body| kv::command::encode(&Envelope { origin, body }).to_vec();
    bodies.into_iter().map(encode).collect()
}

const SEGMENT_BYTES: u64 = 4096;
const OWNER: Owner = Owner { cluster: 1, member: 1, salt: 5 };
const SEGMENT: &str = "wal-0000000000000001";
const VALUES: &str = "values-0000000000000000";

fn wal_options() -> WalOptions {
    WalOptions { segment_bytes: SEGMENT_BYTES, ..WalOptions::new(OWNER) }
}

/// A log of `parts` batches, at most four.
fn wal(parts: u64) -> MemoryDisk {
    static WALS: OnceLock<Vec<MemoryDisk>> = OnceLock::new();
    WALS.get_or_init(|| (0..5).map(make_wal).collect())[parts as usize].fork()
}

fn make_wal(parts: u64) -> MemoryDisk {
    let disk = MemoryDisk::new();
    let (mut wal, _) = Wal::open(disk.clone(), wal_options()).expect("an empty folder");
    for index in 1..=parts {
        let batch = Batch {
            meta: (index == 2).then(|| Bytes::from_static(b"meta")),
            truncate_from: (index == 4).then_some(3),
            records: vec![(index.min(3), 1 + index / 3, Bytes::from_static(b"record"))],
        };
        wal.write(&batch).and_then(|()| wal.sync()).expect("the disk is well");
    }
    if parts == 3 {
        wal.seal_if_idle().expect("the disk is well");
    }
    disk
}

fn overwrite(disk: &mut MemoryDisk, file: &str, bytes: &[u8]) {
    disk.write_at(file, 0, bytes).and_then(|()| disk.sync(file)).expect("the disk is well");
}

/// Whatever stands there, the log opens with what is intact or says why not; then it can be
/// written, and what it admitted to have lost it still admits.
fn open_twice(disk: &MemoryDisk) {
    let Ok((mut wal, found)) = Wal::open(disk.clone(), wal_options()) else { return };
    let held = |wal: &Wal<MemoryDisk>| wal.first_index().map(|first| wal.read(first, u64::MAX));
    let records = held(&wal);
    assert!(!matches!(records, Some(Err(_))), "an opened log can be read: {records:?}");
    let index = found.last_index.map_or(wal.first_index().unwrap_or(1), |last| last + 1);
    // Where damage took everything the next index is another; the owner knows it.
    if found.loss.is_none() && found.last_index.is_some() {
        let batch = Batch { records: vec![(index, 99, Bytes::new())], ..Batch::default() };
        wal.write(&batch).and_then(|()| wal.sync()).expect("the disk is well");
    }
    let written = held(&wal);
    let (wal, again) = Wal::open(disk.clone(), wal_options()).expect("it was opened before");
    assert_eq!(held(&wal), written, "opening twice is opening once");
    assert_eq!((again.loss, again.meta), (found.loss, found.meta));
}

fn wal_segment(bytes: &[u8]) {
    // Which log it replaces; the rest are its bytes.
    let Some((parts, bytes)) = bytes.split_first() else { return };
    let mut disk = wal(u64::from(parts % 5));
    overwrite(&mut disk, SEGMENT, &bytes[..bytes.len().min(SEGMENT_BYTES as usize)]);
    open_twice(&disk);
}

fn wal_segments() -> Vec<Vec<u8>> {
    (1..5).map(|parts| [&[parts as u8], &wal(parts).bytes(SEGMENT)[..]].concat()).collect()
}

/// The first bytes of both slots, under their right checksums or as they are.
fn wal_manifest(bytes: &[u8]) {
    let Some((&how, bytes)) = bytes.split_first() else { return };
    let mut disk = wal(3);
    for (slot, file) in ["manifest-0", "manifest-1"].into_iter().enumerate() {
        if how & (1 << slot) != 0 {
            let mut whole = disk.bytes(file);
            let end = bytes.len().min(whole.len());
            whole[..end].copy_from_slice(&bytes[..end]);
            overwrite(&mut disk, file, &whole);
        }
    }
    open_twice(&disk);
}

fn wal_manifests() -> Vec<Vec<u8>> {
    let slot = wal(3).bytes("manifest-0");
    (0..4).map(|how| [&[how], &slot[..200]].concat()).collect()
}

fn values() -> MemoryDisk {
    static VALUES: OnceLock<MemoryDisk> = OnceLock::new();
    VALUES.get_or_init(make_values).fork()
}

fn make_values() -> MemoryDisk {
    let disk = MemoryDisk::new();
    let options = ValueLogOptions { segment_bytes: SEGMENT_BYTES, ..ValueLogOptions::new(OWNER) };
    let opened = ValueLog::open(disk.clone(), options, &mut |_, _| Ok(()));
    let mut log = opened.expect("an empty folder");
    log.append_many(&[b"one", b"two", b"three"]).and_then(|_| log.sync()).expect("a well disk");
    disk
}

fn value_log(bytes: &[u8]) {
    let mut disk = values();
    overwrite(&mut disk, VALUES, &bytes[..bytes.len().min(SEGMENT_BYTES as usize)]);
    let options = ValueLogOptions { segment_bytes: SEGMENT_BYTES, ..ValueLogOptions::new(OWNER) };
    let mut seen = Vec::new();
    let opened = ValueLog::open(disk.clone(), options, &mut |position, record| {
        seen.push((position, record.to_vec()));
        Ok(())
    });
    if let Ok(log) = opened {
        for (position, record) in seen {
            assert_eq!(log.read(position).ok().as_deref(), Some(&record[..]), "{position:?}");
        }
    }
}

fn value_logs() -> Vec<Vec<u8>> {
    let mut bytes = values().bytes(VALUES);
    bytes.truncate(512);
    vec![bytes]
}

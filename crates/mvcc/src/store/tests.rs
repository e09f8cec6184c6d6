//! The store against a plain model, and what a damaged log does.

use std::collections::BTreeMap;

use base::Prng;

use super::*;
use crate::backing::{MemoryBacking, Position};
use crate::cursor::SpanEnd;
use crate::record::Change;

/// History of every key as plain data: (revision, sub, value or deletion).
#[derive(Clone, Debug, Default)]
struct Model {
    revision: i64,
    histories: BTreeMap<Bytes, Vec<(i64, Option<KeyValue>)>>,
}

impl Model {
    fn new() -> Self {
        Self { revision: 1, ..Default::default() }
    }

    fn get(&self, key: &[u8], at: i64) -> Option<KeyValue> {
        let history = self.histories.get(key)?;
        history.iter().rev().find(|(revision, _)| *revision <= at)?.1.clone()
    }

    fn range(&self, span: &Span, at: i64) -> Vec<KeyValue> {
        let keys = self.histories.keys().filter(|key| span.contains(key));
        keys.filter_map(|key| self.get(key, at)).collect()
    }

    fn apply(&mut self, group: &[Change]) {
        self.revision += 1;
        for change in group {
            let (key, after) = match change {
                Change::Delete { key } => (key, None),
                Change::Put { key, value, lease } => {
                    let before = self.get(key, self.revision);
                    let after = KeyValue {
                        key: key.clone(),
                        value: value.clone(),
                        create_revision: before
                            .as_ref()
                            .map_or(self.revision, |kv| kv.create_revision),
                        mod_revision: self.revision,
                        version: before.map_or(1, |kv| kv.version + 1),
                        lease: *lease,
                    };
                    (key, Some(after))
                }
            };
            self.histories.entry(key.clone()).or_default().push((self.revision, after));
        }
    }
}

fn random_key(random: &mut Prng) -> Bytes {
    let len = random.below(3) as usize;
    let mut key = vec![b'a' + random.below(4) as u8; 1];
    key.extend((0..len).map(|_| random.below(3) as u8));
    key.into()
}

fn random_group(random: &mut Prng, model: &Model) -> Vec<Change> {
    let mut draft = model.clone();
    let mut group = Vec::new();
    for _ in 0..random.between(1, 5) {
        let key = random_key(random);
        let exists = draft.get(&key, i64::MAX).is_some();
        let change = match exists && random.chance(1, 3) {
            true => Change::Delete { key },
            false => {
                let mut value = vec![0; random.below(40) as usize];
                random.fill(&mut value);
                let lease = random.below(3) as i64;
                Change::Put { key, value: value.into(), lease }
            }
        };
        draft.apply(std::slice::from_ref(&change));
        group.push(change);
    }
    group
}

fn random_span(random: &mut Prng) -> Span {
    let start = random_key(random);
    match random.below(4) {
        0 => Span { start, end: SpanEnd::Unbounded },
        1 => Span::single(&start),
        2 => Span::all(),
        _ => Span { start, end: SpanEnd::Before(random_key(random)) },
    }
}

fn read_all(store: &Store<MemoryBacking>, span: &Span, at: i64, page: usize) -> Vec<KeyValue> {
    let mut cursor = store.cursor(span.clone(), Some(at)).expect("not in the future");
    let mut kvs = Vec::new();
    while !cursor.is_done() {
        for item in store.page(&mut cursor, page) {
            let value = store.value(&item).expect("an undamaged log");
            kvs.push(item.with_value(value));
        }
    }
    kvs
}

fn compare(store: &Store<MemoryBacking>, model: &Model, random: &mut Prng) {
    let at = random.between(1, model.revision as u64) as i64;
    let span = random_span(random);
    let expected = model.range(&span, at);
    let page = random.between(1, 7) as usize;
    assert_eq!(read_all(store, &span, at, page), expected, "{span:?} at {at}");
    assert_eq!(store.count(&span, Some(at)), Ok(expected.len() as u64));
    let key = random_key(random);
    assert_eq!(store.get(&key, Some(at)), Ok(model.get(&key, at)));
}

/// Every change by the model's histories, from revision `from` on.
fn compare_changes(store: &Store<MemoryBacking>, model: &Model, random: &mut Prng) {
    let mut from = random.between(0, model.revision as u64 + 1) as i64;
    let mut seen: BTreeMap<i64, usize> = BTreeMap::new();
    loop {
        let changes = store.changes(from, random.between(0, 6) as usize).expect("undamaged");
        let Some(last) = changes.last() else { break };
        for revision in &changes {
            assert_eq!(seen.insert(revision.revision, revision.events.len()), None);
            for event in &revision.events {
                let after = match event.is_delete {
                    true => None,
                    false => Some(event.kv.clone()),
                };
                let entry = (revision.revision, after);
                assert!(model.histories[&event.kv.key].contains(&entry), "{entry:?}");
            }
        }
        from = last.revision + 1;
    }
    assert_eq!(from.max(2), model.revision.max(1) + 1);
    for (revision, events) in seen {
        let all = model.histories.values().flatten();
        assert_eq!(all.filter(|(at, _)| *at == revision).count(), events);
    }
}

#[test]
fn agrees_with_a_plain_model_over_restarts() {
    for seed in 0..300 {
        let mut random = Prng::named(seed, "mvcc");
        let mut model = Model::new();
        let mut aux = Vec::new();
        let mut store = Store::open(MemoryBacking::default(), &mut |_, _| ()).expect("empty");
        let mut digests = vec![(1, 0)];
        for step in 1..=random.between(1, 60) {
            let mut groups = Vec::new();
            for _ in 0..random.below(3) {
                let group = random_group(&mut random, &model);
                model.apply(&group);
                groups.push(group);
            }
            let batch = WriteBatch {
                applied_index: 3 * step,
                groups,
                aux: step.to_le_bytes().to_vec().into(),
            };
            let committed = store.commit(&batch).expect("memory");
            assert_eq!(committed.revision, model.revision);
            assert_eq!(committed.revisions.len(), batch.groups.len());
            let from = model.revision + 1 - batch.groups.len() as i64;
            assert_eq!(store.changes(from, usize::MAX), Ok(committed.revisions));
            aux.push((3 * step, step.to_le_bytes().to_vec()));
            digests.push((model.revision, store.digest(model.revision).expect("there")));
            compare(&store, &model, &mut random);
            if random.chance(1, 10) {
                let mut folded = Vec::new();
                let mut fold = |index: u64, bytes: &[u8]| folded.push((index, bytes.to_vec()));
                store = Store::open(store.into_backing(), &mut fold).expect("our own log");
                assert_eq!(folded, aux);
                assert_eq!(store.applied_index(), 3 * step);
            }
        }
        compare_changes(&store, &model, &mut random);
        store.verify().expect("undamaged");
        assert!(digests.iter().all(|(at, digest)| store.digest(*at) == Some(*digest)));
        assert_eq!(store.get(b"a", Some(model.revision + 1)), Err(ReadError::Future));
        assert_eq!(store.digest(model.revision + 1), None);
    }
}

fn put(applied_index: u64, key: &'static str, value: &'static str) -> WriteBatch {
    let change = Change::Put { key: key.into(), value: value.into(), lease: 0 };
    WriteBatch { applied_index, groups: vec![vec![change]], aux: Bytes::new() }
}

fn three_puts() -> Store<MemoryBacking> {
    let mut store = Store::open(MemoryBacking::default(), &mut |_, _| ()).expect("empty");
    for (at, key) in ["a", "b", "a"].into_iter().enumerate() {
        store.commit(&put(at as u64 + 1, key, "value")).expect("memory");
    }
    store
}

/// Counts how often it is read.
#[derive(Debug, Default)]
struct Counting {
    inner: MemoryBacking,
    reads: core::cell::Cell<usize>,
}

impl Backing for Counting {
    fn append(&mut self, record: &[u8]) -> Result<Position, BackingError> {
        self.inner.append(record)
    }

    fn read(&self, position: Position) -> Result<Bytes, BackingError> {
        self.reads.set(self.reads.get() + 1);
        self.inner.read(position)
    }

    fn scan(&self, visit: &mut crate::Visit<'_>) -> Result<(), BackingError> {
        self.inner.scan(visit)
    }

    fn sync(&mut self) -> Result<(), BackingError> {
        self.inner.sync()
    }

    fn size_bytes(&self) -> u64 {
        self.inner.size_bytes()
    }
}

#[test]
fn what_was_written_together_is_read_once_and_kept_apart() {
    let mut store = Store::open(Counting::default(), &mut |_, _| ()).expect("empty");
    let value = Bytes::from(vec![7; 1000]);
    let key = |at: u32| Bytes::from(format!("key{at:03}"));
    let change = |at| Change::Put { key: key(at), value: value.clone(), lease: 0 };
    let groups = vec![(0..100).map(change).collect()];
    store.commit(&WriteBatch { applied_index: 1, groups, aux: Bytes::new() }).expect("memory");
    let store = Store::open(store.into_backing(), &mut |_, _| ()).expect("our own log");
    let mut cursor = store.cursor(Span::all(), None).expect("now");
    let items = store.page(&mut cursor, 100);
    let mut reading = store.reading();
    let values: Vec<Bytes> =
        items.iter().map(|item| reading.value(item).expect("undamaged")).collect();
    assert_eq!((values.len(), store.backing.reads.get()), (100, 1));
    for kept in values {
        assert_eq!(kept, value);
        assert!(kept.is_unique(), "no value keeps the record of all");
    }
}

#[test]
fn the_digest_depends_on_the_live_keys_alone() {
    let mut one = three_puts();
    let delete = |applied_index, key: &'static str| WriteBatch {
        applied_index,
        groups: vec![vec![Change::Delete { key: key.into() }]],
        aux: Bytes::new(),
    };
    one.commit(&delete(4, "a")).expect("memory");
    assert_ne!(one.digest(5), one.digest(3));
    one.commit(&delete(5, "b")).expect("memory");
    assert_eq!(one.digest(6), Some(0));
    assert_eq!((one.live_keys(), one.live_bytes()), (0, 0));
}

#[test]
fn a_flipped_bit_is_never_a_result() {
    let len =
        three_puts().into_backing().read(Position { offset: 0, len: 0 }).expect("first").len();
    for byte in 0..len {
        let store = three_puts();
        let mut backing = store.into_backing();
        // The index is built from good bytes; then the medium goes bad.
        let mut store = Store::open(backing.clone(), &mut |_, _| ()).expect("our own log");
        backing.flip_bit(0, byte);
        store.backing = backing.clone();
        let expected = KeyValue {
            key: "a".into(),
            value: "value".into(),
            create_revision: 2,
            mod_revision: 2,
            version: 1,
            lease: 0,
        };
        match store.get(b"a", Some(2)) {
            Ok(found) => assert_eq!(found, Some(expected.clone()), "byte {byte}"),
            Err(ReadError::Damaged { revision, .. }) => assert_eq!(revision, 2),
            Err(other) => panic!("byte {byte}: {other}"),
        }
    }
}

#[test]
fn a_log_that_does_not_fit_is_refused_with_the_place() {
    let store = three_puts();
    let mut backing = MemoryBacking::default();
    for record in [0, 2] {
        let place = store.book.revision_at(record + 2).expect("there").position();
        backing.append(&store.backing().read(place).expect("there")).expect("memory");
    }
    let error = Store::open(backing, &mut |_, _| ()).map(|_| ()).map_err(|e| e.to_string());
    let text = "opening the store: the record at byte 16 of the value log does not fit: \
                it starts at revision 4, the store stands at 2";
    assert_eq!(error, Err(text.into()));
}

#[test]
fn a_lost_tail_takes_whole_commits_with_it() {
    let mut backing = three_puts().into_backing();
    backing.truncate(2);
    let store = Store::open(backing, &mut |_, _| ()).expect("a shorter log");
    assert_eq!((store.applied_index(), store.revision()), (2, 3));
}

#[test]
fn a_failed_append_changes_nothing_and_poisons() {
    let mut store = three_puts();
    let digest = store.digest(4);
    store.backing.fail_appends();
    let failed = store.commit(&put(4, "c", "d")).map_err(|error| error.to_string());
    assert_eq!(failed, Err("committing: the value log failed: appending: no space left".into()));
    assert_eq!(store.commit(&put(4, "c", "d")), Err(CommitError::Poisoned));
    assert_eq!((store.applied_index(), store.revision(), store.digest(4)), (3, 4, digest));
}

#[test]
#[should_panic(expected = "it has log index 3, the one before had 3")]
fn an_entry_is_committed_once() {
    let _ = three_puts().commit(&put(3, "c", "d"));
}

#[test]
fn a_record_that_deletes_nothing_is_refused() {
    let delete = Change::Delete { key: "a".into() };
    let batch = WriteBatch { applied_index: 1, groups: vec![vec![delete]], aux: Bytes::new() };
    let mut backing = MemoryBacking::default();
    backing.append(&batch.encode(2)).expect("memory");
    let error = Store::open(backing, &mut |_, _| ()).map(|_| ()).map_err(|e| e.to_string());
    let text = "opening the store: the record at byte 0 of the value log does not fit: \
                revision 2 deletes a key that is not there";
    assert_eq!(error, Err(text.into()));
}

#[test]
fn records_are_found_by_place_and_by_entry() {
    let mut store = Store::open(MemoryBacking::default(), &mut |_, _| ()).expect("empty");
    assert_eq!(store.place_before_index(9), None);
    for index in 1..=200 {
        store.commit(&put(index, "a", "1")).expect("it fits");
    }
    let first = store.place_before_offset(0).expect("the first record is always noted");
    assert_eq!((first.index, first.offset), (1, 0));
    assert_eq!(store.place_before_index(0), None);
    let second = store.place_before_index(100).expect("noted");
    assert_eq!(second.index, 65);
    assert_eq!(store.place_before_offset(second.offset), Some(second));
    assert_eq!(store.place_before_offset(second.offset - 1), Some(first));
    assert_eq!(store.place_before_index(u64::MAX).map(|place| place.index), Some(193));
    let reopened = Store::open(store.into_backing(), &mut |_, _| ()).expect("whole");
    assert_eq!(reopened.place_before_index(100), Some(second), "opening notes the same");
}

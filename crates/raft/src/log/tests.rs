//! The log in memory: terms without entries, cuts, slices, sums.

use super::*;
use crate::Payload;
use alloc::vec;
use bytes::Bytes;

/// A log of entries with these terms, each with a payload of 8 bytes (40 bytes in all).
fn log(terms: &[u64]) -> Log {
    let mut log = Log::new(LogId::ZERO, Vec::new(), LogId::ZERO, Vec::new());
    for term in terms {
        push(&mut log, *term);
    }
    log
}

fn push(log: &mut Log, term: u64) {
    let id = LogId::new(Term::new(term), log.last().index.next());
    log.append(Entry { id, payload: Payload::Data(Bytes::from_static(b"8 bytes.")) });
}

fn indexes(entries: &[Entry]) -> Vec<u64> {
    entries.iter().map(|entry| entry.id.index.get()).collect()
}

#[test]
fn knows_the_term_of_every_index_without_entries() {
    let mut log = log(&[1, 1, 3, 3, 3, 7]);
    log.evict(LogIndex::new(6), 0);
    assert_eq!(log.first_cached().get(), 7);
    let terms: Vec<_> = (0..8).map(|i| log.id_at(i.into()).map(|id| id.term.get())).collect();
    assert_eq!(terms, [Some(0), Some(1), Some(1), Some(3), Some(3), Some(3), Some(7), None]);
    assert_eq!(log.term_start(LogIndex::new(5)).get(), 3);
    assert_eq!(log.term_start(LogIndex::new(0)).get(), 0);
}

#[test]
fn finds_the_last_entry_of_a_term_or_below() {
    let log = log(&[1, 1, 3, 3, 3, 7]);
    let check = |log: &Log, term: u64, limit: u64, expect: Option<(u64, u64)>| {
        let found = log.last_at_most(term.into(), limit.into());
        let found = found.map(|found| (found.term.get(), found.index.get()));
        assert_eq!(found, expect, "{term} {limit}");
    };
    check(&log, 0, 9, Some((0, 0)));
    check(&log, 1, 9, Some((1, 2)));
    check(&log, 2, 9, Some((1, 2)));
    check(&log, 3, 9, Some((3, 5)));
    check(&log, 3, 4, Some((3, 4)));
    check(&log, 9, 9, Some((7, 6)));
    check(&log, 9, 1, Some((1, 1)));
    let mut behind = log.clone();
    behind.cut(LogIndex::new(4));
    check(&behind, 3, 9, Some((3, 5)));
    check(&behind, 3, 4, Some((3, 4)));
    check(&behind, 3, 3, None);
    check(&behind, 2, 9, None);
}

#[test]
fn begins_behind_its_base() {
    let mut log = log(&[1, 1, 3, 3, 3, 7]);
    log.cut(LogIndex::new(4));
    let terms: Vec<_> = (3..8).map(|i| log.id_at(i.into()).map(|id| id.term.get())).collect();
    assert_eq!(terms, [None, Some(3), Some(3), Some(7), None]);
    assert_eq!(log.term_start(LogIndex::new(4)).get(), 4);
    assert_eq!(log.term_start(LogIndex::new(5)).get(), 5);
    assert_eq!(indexes(&log.slice(5.into(), 6.into(), 999)), [5, 6]);
    assert_eq!(log.cached_bytes(), 2 * 40);
    log.cut(LogIndex::new(6));
    assert_eq!((log.base(), log.last()), (log.last(), log.base()));
    push(&mut log, 7);
    assert_eq!(log.id_at(LogIndex::new(7)).map(|id| id.term.get()), Some(7));
    assert_eq!(log.bytes_between(6.into(), 7.into()), 40);
    log.reset(LogId::new(9.into(), 20.into()));
    assert_eq!((log.last().index.get(), log.cached_bytes()), (20, 0));
    push(&mut log, 9);
    assert_eq!(log.term_start(LogIndex::new(21)).get(), 21);
}

#[test]
fn cuts_the_tail_and_its_terms() {
    let mut log = log(&[1, 1, 3, 3, 3, 7]);
    log.truncate(LogIndex::new(4));
    assert_eq!((log.last().term.get(), log.last().index.get()), (3, 3));
    assert_eq!(log.cached_bytes(), 3 * 40);
    log.truncate(LogIndex::new(3));
    push(&mut log, 5);
    assert_eq!(log.id_at(LogIndex::new(3)).map(|id| id.term.get()), Some(5));
    log.truncate(LogIndex::new(1));
    assert_eq!(log.last(), LogId::ZERO);
    assert_eq!(log.cached_bytes(), 0);
}

#[test]
fn slices_by_bytes_but_never_to_nothing() {
    let mut log = log(&[1, 1, 1, 1, 1]);
    let slice = |log: &mut Log, from: u64, through: u64, bytes| {
        indexes(&log.slice(from.into(), through.into(), bytes))
    };
    assert_eq!(slice(&mut log, 1, 9, u64::MAX), [1, 2, 3, 4, 5]);
    assert_eq!(slice(&mut log, 2, 4, u64::MAX), [2, 3, 4]);
    assert_eq!(slice(&mut log, 2, 5, 80), [2, 3]);
    assert_eq!(slice(&mut log, 2, 5, 79), [2]);
    assert_eq!(slice(&mut log, 2, 5, 0), [2]);
    assert_eq!(slice(&mut log, 6, 9, 99), vec![0; 0]);
    log.evict(LogIndex::new(2), 0);
    assert_eq!(log.first_cached().get(), 3);
    assert_eq!(slice(&mut log, 2, 5, 99), vec![0; 0]);
    assert_eq!(slice(&mut log, 3, 5, 80), [3, 4]);
}

#[test]
fn sums_sizes_of_ranges() {
    let mut log = log(&[1, 1, 1, 1, 1]);
    let sum = |log: &Log, after: u64, through: u64| log.bytes_between(after.into(), through.into());
    assert_eq!(sum(&log, 0, 5), 200);
    assert_eq!(sum(&log, 2, 4), 80);
    assert_eq!(sum(&log, 4, 2), 0);
    log.evict(LogIndex::new(3), 100);
    assert_eq!(log.first_cached().get(), 4);
    assert_eq!(sum(&log, 0, 5), 80);
    log.truncate(LogIndex::new(5));
    push(&mut log, 2);
    assert_eq!(sum(&log, 3, 5), 80);
}

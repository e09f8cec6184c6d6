//! Simulated time: one queue of everything that is going to happen, keyed by (time, number).
//!
//! Two events at the same nanosecond happen in the order in which they were announced, so a run
//! depends on nothing but its seed. The heap holds small keys; the events lie still in slots.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// Nanoseconds since the world began.
pub type Nanos = u64;

/// One millisecond.
pub const MILLI: Nanos = 1_000_000;

/// One second.
pub const SECOND: Nanos = 1_000 * MILLI;

/// What will happen, and when.
#[derive(Debug)]
pub struct Queue<E> {
    now: Nanos,
    next_number: u64,
    /// Time, number and slot in one number, so that one comparison orders them.
    order: BinaryHeap<Reverse<u128>>,
    slots: Vec<Option<E>>,
    free: Vec<usize>,
}

/// Bits of a key that hold the slot: 2^24 events may wait at a time.
const SLOT_BITS: u32 = 24;

/// Bits of a key that hold the number: 2^40 events in all.
const NUMBER_BITS: u32 = 40;

impl<E> Default for Queue<E> {
    fn default() -> Self {
        let (order, slots, free) = (BinaryHeap::new(), Vec::new(), Vec::new());
        Self { now: 0, next_number: 0, order, slots, free }
    }
}

impl<E> Queue<E> {
    /// The present: the time of the event taken last.
    pub fn now(&self) -> Nanos {
        self.now
    }

    /// Lets `event` happen at `time`, or now if that has passed.
    pub fn at(&mut self, time: Nanos, event: E) {
        self.next_number += 1;
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        self.slots[slot] = Some(event);
        assert!(slot < 1 << SLOT_BITS && self.next_number < 1 << NUMBER_BITS, "too many events");
        let place = (self.next_number << SLOT_BITS) | slot as u64;
        self.order.push(Reverse(u128::from(time.max(self.now)) << 64 | u128::from(place)));
    }

    /// Lets `event` happen after `delay`.
    pub fn after(&mut self, delay: Nanos, event: E) {
        self.at(self.now.saturating_add(delay), event);
    }

    /// Takes the next event and moves the present to it.
    pub fn pop(&mut self) -> Option<E> {
        let Reverse(key) = self.order.pop()?;
        self.now = (key >> 64) as Nanos;
        let slot = (key as u64 & ((1 << SLOT_BITS) - 1)) as usize;
        self.free.push(slot);
        self.slots[slot].take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_by_time_then_by_announcement() {
        let mut queue = Queue::default();
        queue.at(5, 'b');
        queue.at(5, 'c');
        queue.at(1, 'a');
        assert_eq!((queue.pop(), queue.now()), (Some('a'), 1));
        assert_eq!((queue.pop(), queue.now()), (Some('b'), 5));
        queue.at(2, 'd'); // the past is now
        assert_eq!((queue.pop(), queue.pop()), (Some('c'), Some('d')));
        assert_eq!((queue.pop(), queue.now()), (None, 5));
    }
}

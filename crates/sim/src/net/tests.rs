//! What links do to frames, trouble by trouble.

use super::*;
use crate::time::MILLI;

const LINK: Link = Link { from: 0, to: 1 };
const ALWAYS: Window = Window { from_ns: 0, until_ns: u64::MAX };

fn net() -> Net {
    Net::new(Prng::named(1, "net"), 2)
}

fn send(net: &mut Net, now: Nanos, link: Link, body: &'static [u8]) -> Vec<Passage> {
    net.send(now, link, Bytes::from_static(body)).collect()
}

fn troubled(trouble: Trouble) -> Net {
    let mut net = net();
    net.trouble(LINK, 7, trouble, ALWAYS);
    net
}

#[test]
fn a_healthy_link_delivers_once_and_whole() {
    let mut net = net();
    for now in 0..100 {
        let passages = send(&mut net, now, LINK, b"hello");
        assert_eq!(passages.len(), 1);
        assert!(passages[0].delay_ns <= delays::DELAY_MAX_NS);
        assert_eq!(passages[0].frame.clone().open().as_deref(), Some(&b"hello"[..]));
    }
    assert_eq!(net.take_touched(), []);
}

#[test]
fn a_cut_is_one_way_has_a_window_and_counts_its_effects() {
    let mut net = net();
    let window = Window { from_ns: 10, until_ns: 20 };
    net.trouble(LINK, 7, Trouble { cut: true, ..Trouble::default() }, window);
    assert_eq!(send(&mut net, 9, LINK, b"x").len(), 1);
    assert_eq!(send(&mut net, 10, LINK, b"x"), []);
    assert_eq!(send(&mut net, 10, Link { from: 1, to: 0 }, b"x").len(), 1);
    assert_eq!(send(&mut net, 20, LINK, b"x").len(), 1);
    assert_eq!(net.take_touched(), [7]);
    net.heal(7);
    assert_eq!(send(&mut net, 10, LINK, b"x").len(), 1);
}

#[test]
fn corruption_is_noticed_by_the_checksum() {
    let mut net = troubled(Trouble { corrupt_permille: 1000, ..Trouble::default() });
    for now in 0..200 {
        let passages = send(&mut net, now, LINK, b"some bytes");
        assert_eq!(passages[0].frame.clone().open(), None);
    }
}

#[test]
fn duplicates_and_delays() {
    let extra_delay_ns = MILLI;
    let late_ns = 60 * SECOND;
    let duplicate_permille = 1000;
    let plain = Trouble::default();
    let mut net = troubled(Trouble { duplicate_permille, late_ns, extra_delay_ns, ..plain });
    let passages = send(&mut net, 0, LINK, b"x");
    assert_eq!(passages.len(), 2);
    assert!(passages[1].delay_ns >= passages[0].delay_ns);
    assert_eq!(net.counts().duplicated, 1);
}

#[test]
fn a_clogged_link_delivers_when_it_is_free() {
    let mut net = net();
    let window = Window { from_ns: 0, until_ns: SECOND };
    net.trouble(LINK, 1, Trouble { clog: true, ..Trouble::default() }, window);
    assert!(send(&mut net, MILLI, LINK, b"x")[0].delay_ns >= SECOND - MILLI);
    assert!(send(&mut net, SECOND, LINK, b"x")[0].delay_ns < SECOND);
}

#[test]
fn a_narrow_link_queues_a_little_and_loses_the_rest() {
    let narrow = Some(Narrow { bytes_per_second: 1000, queue_bytes: 100 });
    let mut net = troubled(Trouble { narrow, ..Trouble::default() });
    let sent: Vec<usize> = (0..5).map(|_| send(&mut net, 0, LINK, &[0; 46]).len()).collect();
    assert_eq!(sent, [1, 1, 1, 0, 0]);
    assert_eq!(send(&mut net, SECOND, LINK, &[0; 46]).len(), 1);
}

#[test]
fn a_reset_loses_what_is_on_its_way() {
    let mut net = troubled(Trouble { duplicate_permille: 1000, late_ns: 1, ..Trouble::default() });
    let passages = send(&mut net, 0, LINK, b"x");
    net.reset(LINK, 9);
    assert!(!net.arrives(LINK, passages[0].connection), "it was on the old connection");
    assert!(net.arrives(LINK, passages[1].connection), "a late copy comes all the same");
    let later = send(&mut net, 0, LINK, b"x");
    assert!(net.arrives(LINK, later[0].connection));
    assert_eq!(net.take_touched(), [7, 9, 7]);
}

//! Where the fields of an entry stand, as the specification lays them out.

use core::ops::Range;

use ballot::ContestKind;
use election::{Manifest, entry::Kind};

/// A field of an entry.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) at: Range<usize>,
}

/// Walks over bytes and takes fields down.
struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
    fields: Vec<Field>,
}

impl Walk<'_> {
    fn take(&mut self, name: impl Into<String>, length: usize) -> Range<usize> {
        let at = self.at..self.at + length;
        self.at += length;
        if length > 0 {
            self.fields.push(Field { name: name.into(), at: at.clone() });
        }
        at
    }

    /// A big-endian integer field, with its value.
    fn integer(&mut self, name: impl Into<String>, length: usize) -> usize {
        let at = self.take(name, length);
        self.bytes[at].iter().fold(0, |value, byte| value * 256 + usize::from(*byte))
    }

    fn text(&mut self, name: &str) {
        let length = self.integer(format!("{name}-length"), 2);
        self.take(name, length);
    }

    fn optional(&mut self, name: &str, length: usize) {
        if self.integer(format!("{name}-flag"), 1) == 1 {
            self.take(name, length);
        }
    }

    fn left(&self) -> usize {
        self.bytes.len() - 64 - self.at
    }
}

/// The fields of an entry, all of them, in order.
pub(crate) fn fields_of(entry: &[u8], manifest: &Manifest) -> Vec<Field> {
    let mut walk = Walk { bytes: entry, at: 0, fields: Vec::new() };
    walk.take("version", 1);
    let kind = walk.integer("kind", 1) as u8;
    walk.take("stamp", 4);
    walk.take("appender", 1);
    match kind {
        k if k == Kind::Manifest as u8 => manifest_fields(&mut walk),
        k if k == Kind::RollChunk as u8 => roll_fields(&mut walk),
        k if k == Kind::Ceremony as u8 => ceremony_fields(&mut walk, manifest),
        k if k == Kind::Endorsement as u8 => {
            walk.take("role", 1);
            walk.take("number", 1);
            walk.take("endorsement", 64);
        }
        k if k == Kind::Ballot as u8 => ballot_fields(&mut walk, manifest),
        k if k == Kind::Share as u8 => share_fields(&mut walk, manifest),
        k if k == Kind::Result as u8 => result_fields(&mut walk),
        k if (Kind::Pause as u8..=Kind::PaperMark as u8).contains(&k) => {
            walk.take("order-number", 4);
            let payload = walk.left() - 64;
            walk.take("order-payload", payload);
            walk.take("order-signature", 64);
        }
        _ => drop(walk.take("act", 64)),
    }
    assert_eq!(walk.left(), 0, "the layout covers the whole body of kind {kind}");
    walk.take("signature", 64);
    walk.fields
}

fn manifest_fields(walk: &mut Walk<'_>) {
    walk.take("manifest-version", 1);
    walk.take("id", 16);
    walk.text("title");
    walk.text("domain");
    for at in 0..walk.integer("contests", 1) {
        contest_fields(walk, at);
    }
    for at in 0..walk.integer("groups", 1) {
        walk.text(&format!("name-of-group-{at}"));
    }
    walk.take("open-poll", 1);
    for at in 0..walk.integer("names", 1) {
        walk.text(&format!("name-{at}"));
    }
    walk.take("threshold", 1);
    walk.optional("opens", 4);
    walk.optional("closes", 4);
    walk.optional("extendable", 4);
    for (name, length) in [
        ("revote", 1),
        ("issuer", 1),
        ("minimum", 4),
        ("roll-changes", 1),
        ("paper", 1),
        ("small-classes", 1),
    ] {
        walk.take(name, length);
    }
    // The last bit marks a test, the one above that a booth is pinned.
    if walk.integer("test", 1) >= 2 {
        walk.take("booth", 32);
    }
    walk.take("admin", 32);
    for at in 0..walk.integer("trustees", 1) {
        walk.take(format!("trustee-{at}-signing"), 32);
        walk.take(format!("trustee-{at}-verification"), 32);
    }
    for (name, length) in [("joint-key", 32), ("attempt", 4), ("ceremony", 32)] {
        walk.take(name, length);
    }
    for (name, length) in [("roll-root", 32), ("roll-count", 4), ("roll-weight", 8)] {
        walk.take(name, length);
    }
    for at in 0..walk.integer("authorities", 1) {
        walk.take(format!("authority-{at}-number"), 1);
        walk.text(&format!("authority-{at}-name"));
        walk.take(format!("authority-{at}-key"), 32);
    }
    walk.take("faulty", 1);
    walk.take("slack", 2);
    walk.take("seal", 64);
}

fn contest_fields(walk: &mut Walk<'_>, contest: usize) {
    let name = |field: &str| format!("contest-{contest}-{field}");
    walk.text(&name("title"));
    let kind = walk.integer(name("kind"), 1);
    if kind == 3 {
        walk.take(name("highest"), 2);
    }
    if kind != 1 {
        walk.take(name("min"), 2);
        walk.take(name("max"), 2);
    }
    walk.take(name("blank"), 1);
    let options = walk.integer(name("options"), 2);
    for option in 0..options {
        walk.text(&name(&format!("option-{option}")));
    }
    for list in 0..if kind == 4 { options } else { 0 } {
        for option in 0..walk.integer(name(&format!("candidates-{list}")), 2) {
            walk.text(&name(&format!("option-{list}.{option}")));
        }
    }
    let groups = walk.integer(name("groups"), 1);
    for (part, length) in
        [("members", groups), ("seats", 2), ("quorum", 1), ("majority", 1), ("tie", 1)]
    {
        walk.take(name(part), length);
    }
}

fn roll_fields(walk: &mut Walk<'_>) {
    walk.take("chunk-number", 2);
    for at in 0..walk.integer("count", 2) {
        walk.take(format!("voter-{at}-key"), 32);
        walk.take(format!("voter-{at}-weight"), 4);
        walk.take(format!("voter-{at}-group"), 1);
    }
}

fn ceremony_fields(walk: &mut Walk<'_>, manifest: &Manifest) {
    walk.take("message-version", 1);
    let round = walk.integer("round", 1);
    walk.take("ceremony-id", 32);
    walk.take("trustee", 2);
    match round {
        1 => {
            for name in ["signing-key", "encryption-key", "commitments-hash"] {
                walk.take(name, 32);
            }
        }
        2 => {
            walk.take("announcements", 32);
            for at in 0..manifest.definition.threshold {
                walk.take(format!("commitment-{at}"), 32);
            }
            for name in ["proof-point", "proof-scalar", "ephemeral"] {
                walk.take(name, 32);
            }
            for at in 1..manifest.trustees.len() {
                walk.take(format!("sealed-{at}"), 48);
            }
        }
        _ => drop(walk.take("transcript", 32)),
    }
    walk.take("message-signature", 64);
}

/// The contests that voters of a group answer, with their numbers.
pub(crate) fn asked(manifest: &Manifest, group: u8) -> Vec<(u16, ContestKind)> {
    let contests = (0..).zip(&manifest.definition.contests);
    contests.filter(|(_, one)| one.asks(group)).map(|(at, one)| (at, one.kind())).collect()
}

fn ballot_fields(walk: &mut Walk<'_>, manifest: &Manifest) {
    for (name, length) in [
        ("ballot-version", 1),
        ("ballot-fingerprint", 32),
        ("credential", 32),
        ("seq", 4),
        ("prev", 32),
    ] {
        walk.take(name, length);
    }
    let group = walk.integer("group", 1) as u8;
    for (contest, kind) in &asked(manifest, group) {
        walk.take(format!("contest-{contest}-kind"), 1);
        for option in 0..kind.counters() {
            walk.take(format!("contest-{contest}-a-{option}"), 32);
            walk.take(format!("contest-{contest}-b-{option}"), 32);
        }
        let disjunctions = kind.clauses();
        for (at, clauses) in disjunctions.iter().enumerate() {
            for clause in 0..*clauses {
                walk.take(format!("contest-{contest}-A-{at}.{clause}"), 32);
                walk.take(format!("contest-{contest}-B-{at}.{clause}"), 32);
            }
        }
        for (at, clauses) in disjunctions.iter().enumerate() {
            for clause in 1..*clauses {
                walk.take(format!("contest-{contest}-c-{at}.{clause}"), 32);
            }
            for clause in 0..*clauses {
                walk.take(format!("contest-{contest}-z-{at}.{clause}"), 32);
            }
        }
    }
    walk.take("ballot-R", 32);
    walk.take("ballot-S", 32);
}

fn share_fields(walk: &mut Walk<'_>, manifest: &Manifest) {
    for (name, length) in [
        ("entry-trustee", 1),
        ("share-version", 1),
        ("share-fingerprint", 32),
        ("share-root", 32),
        ("share-size", 8),
        ("share-trustee", 2),
    ] {
        walk.take(name, length);
    }
    for (contest, kind) in manifest.definition.kinds().iter().enumerate() {
        for option in 0..kind.counters() {
            for name in ["F", "A", "B", "z"] {
                walk.take(format!("factor-{contest}.{option}-{name}"), 32);
            }
        }
    }
}

fn result_fields(walk: &mut Walk<'_>) {
    walk.take("result-version", 1);
    walk.take("ballots", 4);
    walk.take("weight", 8);
    walk.take("part-paper-voters", 4);
    walk.take("part-paper-weight", 8);
    for contest in 0..walk.integer("contests", 1) {
        for part in ["eligible", "ballots", "paper"] {
            walk.take(format!("part-{part}-voters-{contest}"), 4);
            walk.take(format!("part-{part}-weight-{contest}"), 8);
        }
        for option in 0..walk.integer(format!("options-{contest}"), 2) {
            walk.take(format!("count-{contest}.{option}"), 8);
        }
    }
}

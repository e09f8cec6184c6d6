//! Every field of every entry: a bit flipped, the field dropped, doubled, exchanged with the next
//! one, taken from another election.

use bytes::Bytes;
use election::Manifest;
use election::entry::{Body, Entry, Kind};

use crate::{
    Expect, Item,
    entries::step_of,
    fails,
    layout::{Field, fields_of},
    world::World,
};

/// What was done to a field.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    Flip,
    Drop,
    Double,
    Exchange,
    Replay,
}

impl Change {
    const ALL: [Self; 5] = [Self::Flip, Self::Drop, Self::Double, Self::Exchange, Self::Replay];

    fn name(self) -> &'static str {
        match self {
            Self::Flip => "flip",
            Self::Drop => "drop",
            Self::Double => "double",
            Self::Exchange => "exchange",
            Self::Replay => "replay",
        }
    }
}

pub(crate) fn tamper(world: &World, other: &World, see: &mut dyn FnMut(Item)) {
    for at in (0..world.leaves.len()).filter(|at| world.tampers_with_fields(*at)) {
        let entry = &world.leaves[at];
        let fields = fields_of(entry, &world.election.manifest);
        let theirs = counterpart(world, other, at);
        for (number, field) in fields.iter().enumerate() {
            for change in Change::ALL {
                let next = fields.get(number + 1);
                let Some(bytes) = changed(entry, field, next, theirs, other, change) else {
                    continue;
                };
                show(world, at, field, change, bytes, see);
            }
        }
    }
    stamps_and_appenders(world, see);
}

/// The entry of the same kind and place in another election.
fn counterpart<'a>(world: &World, other: &'a World, at: usize) -> Option<&'a Bytes> {
    let kind = world.leaves[at][1];
    let nth = world.leaves[..at].iter().filter(|leaf| leaf[1] == kind).count();
    other.leaves.iter().filter(|leaf| leaf[1] == kind).nth(nth)
}

/// The entry with the field changed; `None` when that changes nothing or cannot be done.
fn changed(
    entry: &Bytes,
    field: &Field,
    next: Option<&Field>,
    theirs: Option<&Bytes>,
    other: &World,
    change: Change,
) -> Option<Vec<u8>> {
    let (before, own, after) =
        (&entry[..field.at.start], &entry[field.at.clone()], &entry[field.at.end..]);
    let bytes = match change {
        Change::Flip => {
            let mut own = own.to_vec();
            // In the middle, where neither sign bits nor the top of a scalar are.
            let at = own.len() / 2;
            own[at] ^= 1;
            [before, &own, after].concat()
        }
        Change::Drop => [before, after].concat(),
        Change::Double => [before, own, own, after].concat(),
        Change::Exchange => {
            let next = next.filter(|next| next.at.len() == own.len())?;
            let rest = &entry[next.at.end..];
            [before, &entry[next.at.clone()], own, rest].concat()
        }
        Change::Replay => {
            let theirs = theirs?;
            let fields = fields_of(theirs, &other.election.manifest);
            let same = fields.iter().find(|theirs| theirs.name == field.name)?;
            if same.at.len() != own.len() {
                return None;
            }
            [before, &theirs[same.at.clone()], after].concat()
        }
    };
    (bytes != entry[..]).then_some(bytes)
}

/// The change signed in all the ways there are.
fn show(
    world: &World,
    at: usize,
    field: &Field,
    change: Change,
    bytes: Vec<u8>,
    see: &mut dyn FnMut(Item),
) {
    let name = format!("{}/{at}/{}", change.name(), field.name);
    let kind = world.leaves[at][1];
    let is_manifest = kind == Kind::Manifest as u8;
    let here = at as u64;
    let unsigned = match (is_manifest, bytes.get(1)) {
        (true, _) => manifest_step(world, field, change, &bytes),
        // Where bytes have moved, a later entry may call itself a manifest, and even read like one.
        (false, Some(1)) if Entry::decode(&bytes).is_ok() => 6,
        (false, _) => 9,
    };
    let leaves = world.with(at, bytes.clone());
    // What needs no key to notice is alike in all elections: once is enough.
    if change == Change::Flip && world.name == "single" {
        let at_least = |check: u8| fails(check.min(unsigned), here);
        see(world.item(format!("stale/{name}"), &world.stale(&leaves), at_least(3)));
        see(world.item(format!("forged/{name}"), &world.forged(&leaves), at_least(4)));
    }
    see(world.cosigned_item(format!("cosigned/{name}"), &leaves, fails(unsigned, here)));
    if ["version", "kind", "stamp", "appender", "signature"].contains(&field.name.as_str()) {
        return;
    }
    let leaves = world.with(at, world.append_again(&bytes));
    let expect = appended_step(world, (kind, field, change), &bytes);
    see(world.cosigned_item(format!("appended/{name}"), &leaves, fails(expect, here)));
}

/// The step that a changed field of the body is charged to when the appender signs it again.
fn appended_step(world: &World, (kind, field, change): (u8, &Field, Change), bytes: &[u8]) -> u8 {
    let fixed_layout = [4, 5, 7].contains(&kind);
    if step_of(kind) == 9 {
        return 9; // no entry any more, or not signed by the administrator
    }
    let resized = matches!(change, Change::Drop | Change::Double);
    if kind == 1 {
        manifest_step(world, field, change, bytes)
    } else if fixed_layout && resized || kind == 4 && ![1, 2].contains(&bytes[7]) {
        9 // no entry any more
    } else {
        step_of(kind)
    }
}

/// A manifest's field is read for the trust file and the origin before its signature is checked:
/// who the authorities are and which log it is must be right, and it must be readable at all.
fn manifest_step(world: &World, field: &Field, change: Change, bytes: &[u8]) -> u8 {
    let name = field.name.as_str();
    // Of times each may be there or not: what follows a changed one may by chance read well.
    if ["opens", "closes", "extendable"].iter().any(|time| name.starts_with(time)) {
        return if reads_alike(world, bytes) { 6 } else { 2 };
    }
    let is_fixed = |name: &str| {
        let fixed = ["threshold", "revote", "issuer", "minimum", "small-classes", "test"];
        let more = ["booth", "open-poll", "roll-changes", "paper"];
        let keys = ["admin", "joint-key", "attempt", "ceremony", "slack", "seal", "appender"];
        let entry = ["stamp", "signature"];
        let contest = name.starts_with("contest-") && {
            let part = name.rsplit('-').next();
            let rule = ["highest", "min", "max", "blank", "members"];
            let decision = ["seats", "quorum", "majority", "tie"];
            part.is_some_and(|part| rule.contains(&part) || decision.contains(&part))
        };
        let text = is_text(name);
        contest
            || text
            || name.starts_with("roll-")
            || name.starts_with("trustee-")
            || name.starts_with("authority-") && name.ends_with("-number")
            || [&fixed[..], &more, &keys, &entry].concat().contains(&name)
    };
    // What follows is read from the wrong place; a threshold becomes a flag that there is none of,
    // or a number of names does, or the marks, which say whether a digest follows.
    let resized = matches!(change, Change::Drop | Change::Double);
    let counts = ["threshold", "open-poll", "small-classes"];
    let is_count = counts.contains(&name) || name.ends_with("-tie");
    let misread = resized
        || is_count && change == Change::Exchange
        || name == "test" && change == Change::Replay;
    if is_fixed(name) && !misread { 6 } else { 2 }
}

/// Whether an entry is a manifest of the same ledger with the same authorities.
fn reads_alike(world: &World, bytes: &[u8]) -> bool {
    let Ok(Entry { body: Body::Manifest { manifest, .. }, .. }) = Entry::decode(bytes) else {
        return false;
    };
    let own = &world.election.manifest;
    Manifest::decode(manifest)
        .is_ok_and(|other| other.origin() == own.origin() && other.policy() == own.policy())
}

/// A text whose content does not matter before the signature is checked.
fn is_text(name: &str) -> bool {
    let shown = name == "title" || name.starts_with("name-") || name.ends_with("-title");
    let option = name.contains("-option-");
    (shown || option) && !name.ends_with("-length")
}

/// Stamps that run backwards or lie outside, appenders who did not sign, each signed again.
fn stamps_and_appenders(world: &World, see: &mut dyn FnMut(Item)) {
    let slack = u32::from(world.election.manifest.stamp_slack_minutes);
    for at in 1..world.leaves.len() {
        let entry = &world.leaves[at];
        let stamp = u32::from_be_bytes(entry[2..6].try_into().expect("four bytes"));
        let mut appended = |name: &str, change: &dyn Fn(&mut Vec<u8>), expect: Expect| {
            let mut bytes = entry.to_vec();
            change(&mut bytes);
            let leaves = world.with(at, world.append_again(&bytes));
            see(world.cosigned_item(format!("appended/{name}/{at}"), &leaves, expect));
        };
        let here = at as u64;
        let set = |stamp: u32| {
            move |bytes: &mut Vec<u8>| bytes[2..6].copy_from_slice(&stamp.to_be_bytes())
        };
        appended("stamp-backwards", &set(stamp - slack - 1), fails(9, here));
        appended("stamp-zero", &set(0), fails(9, here));
        let is_ballot = entry[1] == Kind::Ballot as u8;
        let timed = world.election.manifest.definition.opens.is_some();
        if is_ballot && timed {
            appended("stamp-early", &set(stamp - 6), fails(9, here));
            appended("stamp-at-close", &set(stamp + 5), fails(9, here));
        }
        if at + 1 < world.leaves.len() {
            // Right by itself; the same authority's next entry then runs backwards. But ballots and
            // extensions come before the closing.
            let closes = world.election.manifest.definition.closes.is_some();
            let bounded = is_ballot || entry[1] == Kind::Extension as u8;
            let expect = if bounded && closes { here } else { here + 1 };
            appended("stamp-ahead", &set(stamp + slack + 1), fails(9, expect));
        }
        for appender in [0, 2, 200] {
            appended(&format!("appender-{appender}"), &|bytes| bytes[6] = appender, fails(9, here));
        }
        appended("entry-version", &|bytes| bytes[0] = 2, fails(9, here));
        appended("kind-unknown", &|bytes| bytes[1] = 77, fails(9, here));
    }
}

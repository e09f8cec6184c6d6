//! An authority gets a new key: what it counts for, and everything that gives it none.

use ballot::signature::SigningKey;
use bytes::Bytes;
use election::{
    Archive, Body, SignedSuccession, Succession,
    entry::Kind,
    testing::{ElectionBuilder, Finished, Run, STAMP, TestElection, choose, choose_all},
};
use ledger::{AuthoritySigner, Checkpoint, SignedCheckpoint, Tree};

use crate::{Expect, Item, fails, fails_at};

/// The authority that gets new keys, of three.
const CHANGED: u8 = 3;
/// The seeds of its keys after the first.
const SEEDS: [[u8; 32]; 2] = [[71; 32], [72; 32]];

/// An election in which authority 3 gets a key after the first ballot, and appends the second.
struct World {
    election: TestElection,
    finished: Finished,
    leaves: Vec<Bytes>,
    /// The leaf with the new key.
    at: usize,
    /// Authority 3 as cosigner: before the change and after it.
    old: AuthoritySigner,
    new: AuthoritySigner,
}

pub(crate) fn make(see: &mut dyn FnMut(Item)) {
    let world = World::new();
    cosigned_by_either_key(&world, see);
    appended_by_either_key(&world, see);
    wrong_signatures(&world, see);
    wrong_changes(&world, see);
    wrong_places(&world, see);
    flipped(&world, see);
    twice(see);
}

impl World {
    fn new() -> Self {
        let mut election = ElectionBuilder::new(905).voters(2).build();
        let mut run = election.open();
        election.vote(&mut run, 0, &[choose(0), choose_all(&[1])]);
        let at = run.entries.len();
        change(&mut election, &mut run, 1, SEEDS[0]);
        let ballot = election.cast(1, &[choose(1), choose_all(&[])]);
        push(&mut run, election.entry_by(CHANGED, STAMP, &Body::Ballot(&ballot)));
        let finished = election.finish(run);
        let place = usize::from(CHANGED) - 1;
        let name = election.signers[place].key().name();
        let new = AuthoritySigner::from_seed(name, &SEEDS[0]).expect("a usable name");
        // The builder makes the same keys from the same seed again.
        let old = ElectionBuilder::new(905).voters(2).build().signers.swap_remove(place);
        assert_eq!(old.key(), &finished.trust.authorities()[place], "the manifest's key");
        Self { leaves: finished.fold.leaves().to_vec(), election, finished, at, old, new }
    }

    /// The leaves with checkpoints by these before the change, by those behind it.
    fn archive(
        &self,
        leaves: &[Bytes],
        before: &[&AuthoritySigner],
        behind: &[&AuthoritySigner],
    ) -> Archive {
        let tree = Tree::from_leaves(leaves.iter().map(|leaf| ledger::leaf_hash(leaf)));
        let end = leaves.len();
        let note = |size: usize, signers: &[&AuthoritySigner]| {
            let root = tree.root_at(size as u64).expect("the tree has as many leaves");
            let origin = self.election.manifest.origin();
            let checkpoint = Checkpoint { origin, size: size as u64, root };
            let mut note = SignedCheckpoint::unsigned(checkpoint.clone());
            for signer in signers {
                note.add(signer.key(), &signer.cosign(&checkpoint, u64::from(STAMP) * 60));
            }
            note
        };
        // The checkpoint whose size is the change's own leaf is the last one of the old key.
        let mut checkpoints = vec![note(self.at.min(end - 1), before)];
        if self.at + 1 < end {
            checkpoints.push(note(self.at + 1, behind));
        }
        checkpoints.push(note(end, behind));
        Archive { leaves: leaves.to_vec(), checkpoints }
    }

    /// Cosigned by the two authorities whose keys never change.
    fn steady(&self, leaves: &[Bytes]) -> Archive {
        let steady: Vec<&AuthoritySigner> = self.election.signers[..2].iter().collect();
        self.archive(leaves, &steady, &steady)
    }

    fn item(&self, name: &str, archive: &Archive, expect: Expect) -> Item {
        Item {
            name: format!("succession/{name}"),
            archive: Bytes::from(archive.encode()),
            trust: Some(self.finished.trust.to_string()),
            expect,
        }
    }

    /// The honest leaves with another change in the place of the honest one.
    fn with(&self, changed: &SignedSuccession) -> Vec<Bytes> {
        let mut leaves = self.leaves.clone();
        leaves[self.at] = self.election.entry(&Body::AuthorityKey(&changed.encode()));
        leaves
    }

    /// A change signed by the keys in force before it.
    fn signed(&self, succession: Succession, by: &[u8]) -> SignedSuccession {
        let fingerprint = self.election.manifest.fingerprint();
        let sign = |signer: &u8| {
            let key = &self.election.appenders[usize::from(*signer) - 1].key;
            (*signer, succession.sign(&fingerprint, *signer, key))
        };
        SignedSuccession { succession, signatures: by.iter().map(sign).collect() }
    }

    fn honest(&self) -> SignedSuccession {
        self.election.succession(1, CHANGED, SEEDS[0], &[1, 2])
    }
}

fn push(run: &mut Run, entry: Bytes) {
    run.push(entry).unwrap_or_else(|refusal| panic!("an honest entry was refused: {refusal}"));
}

fn change(election: &mut TestElection, run: &mut Run, generation: u32, seed: [u8; 32]) {
    let body = election.succession(generation, CHANGED, seed, &[1, 2]).encode();
    push(run, election.entry(&Body::AuthorityKey(&body)));
    election.take_key(CHANGED, seed);
}

/// The old key cosigns up to the change's leaf, the new one from there.
fn cosigned_by_either_key(world: &World, see: &mut dyn FnMut(Item)) {
    let first = &world.election.signers[0];
    let mut show = |name: &str, before: &AuthoritySigner, behind: &AuthoritySigner, expect| {
        let archive = world.archive(&world.leaves, &[first, before], &[first, behind]);
        see(world.item(&format!("cosigned/{name}"), &archive, expect));
    };
    show("each-in-its-time", &world.old, &world.new, Expect::Verified);
    show("old-behind", &world.old, &world.old, fails_at(4));
    show("new-before", &world.new, &world.new, fails_at(4));
    see(world.item("cosigned/steady", &world.steady(&world.leaves), Expect::Verified));
    let note = world.archive(&world.leaves, &[first, &world.old], &[&world.new]);
    see(world.item("cosigned/too-few", &note, fails_at(4)));
}

/// Behind the change only the new key appends as authority 3.
fn appended_by_either_key(world: &World, see: &mut dyn FnMut(Item)) {
    let ballot = world.at + 1;
    assert_eq!(world.leaves[ballot][1], Kind::Ballot as u8, "authority 3 appended a ballot");
    let again = ElectionBuilder::new(905).voters(2).build();
    let body = &world.leaves[ballot][7..world.leaves[ballot].len() - 64];
    let mut leaves = world.leaves.clone();
    leaves[ballot] = again.entry_by(CHANGED, STAMP, &Body::Ballot(body));
    let archive = world.steady(&leaves);
    see(world.item("appended/old-behind", &archive, fails(9, ballot as u64)));
    let mut leaves = world.leaves.clone();
    leaves[world.at - 1] = {
        let body = &leaves[world.at - 1][7..leaves[world.at - 1].len() - 64];
        world.election.entry_by(CHANGED, STAMP, &Body::Ballot(body))
    };
    let archive = world.steady(&leaves);
    see(world.item("appended/new-before", &archive, fails(9, world.at as u64 - 1)));
}

fn wrong_signatures(world: &World, see: &mut dyn FnMut(Item)) {
    let honest = world.honest();
    let mut show = |name: &str, change: &dyn Fn(&mut SignedSuccession)| {
        let mut changed = honest.clone();
        change(&mut changed);
        let archive = world.steady(&world.with(&changed));
        see(world.item(&format!("signed/{name}"), &archive, fails(9, world.at as u64)));
    };
    show("by-nobody", &|one| one.signatures.clear());
    show("by-one", &|one| one.signatures.truncate(1));
    show("descending", &|one| one.signatures.reverse());
    show("by-one-twice", &|one| one.signatures[1] = one.signatures[0]);
    show("by-a-stranger", &|one| one.signatures[1].0 = 9);
    show("by-another", &|one| one.signatures[0].1 = one.signatures[1].1);
    show("one-false-among-enough", &|one| one.signatures.push((3, [7; 64])));
    // Who gets the key may not say so with the key it gets.
    let fingerprint = world.election.manifest.fingerprint();
    let own = honest.succession.sign(&fingerprint, 3, &SigningKey::from_seed(&SEEDS[0]));
    show("by-the-new-key", &|one| one.signatures[1] = (3, own));
}

fn wrong_changes(world: &World, see: &mut dyn FnMut(Item)) {
    let honest = world.honest().succession;
    let mut show = |name: &str, succession: Succession| {
        let leaves = world.with(&world.signed(succession, &[1, 2]));
        let archive = world.steady(&leaves);
        see(world.item(&format!("said/{name}"), &archive, fails(9, world.at as u64)));
    };
    for generation in [0, 2, u32::MAX] {
        show(&format!("generation-{generation}"), Succession { generation, ..honest });
    }
    for authority in [0, 4] {
        show(&format!("authority-{authority}"), Succession { authority, ..honest });
    }
    let identity = {
        let mut bytes = [0; 32];
        bytes[0] = 1;
        bytes
    };
    let keys = world.finished.trust.authorities();
    for (name, key) in [
        ("identity", identity),
        ("not-canonical", [0xff; 32]),
        ("its-own", *keys[2].public()),
        ("another's", *keys[0].public()),
    ] {
        show(&format!("key-{name}"), Succession { key, ..honest });
    }
}

/// Before the opening, after the close, after the result, said twice.
fn wrong_places(world: &World, see: &mut dyn FnMut(Item)) {
    let mut again = world.leaves.clone();
    again.insert(world.at + 1, world.leaves[world.at].clone());
    let expect = fails(9, world.at as u64 + 1);
    see(world.item("placed/twice", &world.steady(&again), expect));
    let mut late = world.leaves.clone();
    late.push(world.election.entry(&Body::AuthorityKey(
        &world.election.succession(2, CHANGED, SEEDS[1], &[1, 2]).encode(),
    )));
    let expect = fails(9, late.len() as u64 - 1);
    see(world.item("placed/after-the-result", &world.steady(&late), expect));
    let mut missing = world.leaves.clone();
    missing.remove(world.at);
    // What authority 3 appended behind it is then by nobody.
    see(world.item("placed/nowhere", &world.steady(&missing), fails(9, world.at as u64)));
}

/// Every part of the body with a bit flipped, appended again.
fn flipped(world: &World, see: &mut dyn FnMut(Item)) {
    let body = world.honest().encode();
    for at in (0..body.len()).step_by(5) {
        let mut other = body.clone();
        other[at] ^= 1;
        let mut leaves = world.leaves.clone();
        leaves[world.at] = world.election.entry(&Body::AuthorityKey(&other));
        let archive = world.steady(&leaves);
        see(world.item(&format!("flipped/{at}"), &archive, fails(9, world.at as u64)));
    }
    for length in [0, 4, 36, body.len() - 1] {
        let mut leaves = world.leaves.clone();
        leaves[world.at] = world.election.entry(&Body::AuthorityKey(&body[..length]));
        let archive = world.steady(&leaves);
        see(world.item(&format!("cut/{length}"), &archive, fails(9, world.at as u64)));
    }
}

/// Two changes of one authority, one before the opening and one after the close.
fn twice(see: &mut dyn FnMut(Item)) {
    for honest in [true, false] {
        let mut election = ElectionBuilder::new(906).voters(2).build();
        let mut run = Run { fold: election::Fold::new(election.id()), entries: Vec::new() };
        let first = election.appenders[usize::from(CHANGED) - 1].clone();
        election.setup_entries().into_iter().for_each(|entry| push(&mut run, entry));
        change(&mut election, &mut run, 1, SEEDS[0]);
        push(&mut run, election.opening());
        election.vote(&mut run, 0, &[choose(0), choose_all(&[1])]);
        push(&mut run, election.closing());
        let at = run.entries.len();
        // By the two whose keys are in force: of authority 3 that is the one it got.
        let mut body = election.succession(2, CHANGED, SEEDS[1], &[1, 3]);
        let entry = election.entry(&Body::AuthorityKey(&body.encode()));
        push(&mut run, entry);
        for trustee in 1..=election.manifest.definition.threshold {
            let share = election.share(&run.fold, trustee);
            push(&mut run, share);
        }
        let outcome = run.fold.decrypt().expect("enough shares are there");
        push(&mut run, election.entry(&Body::Result(&outcome.encode())));
        let mut leaves = run.fold.leaves().to_vec();
        if !honest {
            let fingerprint = election.manifest.fingerprint();
            body.signatures[1].1 = body.succession.sign(&fingerprint, 3, &first.key);
            leaves[at] = election.entry(&Body::AuthorityKey(&body.encode()));
        }
        let expect = if honest { Expect::Verified } else { fails(9, at as u64) };
        election.signers.truncate(2);
        let archive = election.archive(&leaves, &[at as u64, leaves.len() as u64]);
        see(Item {
            name: format!("succession/two/{}", if honest { "honest" } else { "by-the-first-key" }),
            archive: Bytes::from(archive.encode()),
            trust: Some(election.policy().to_string()),
            expect,
        });
    }
}

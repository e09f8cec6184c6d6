//! Whole elections that are consistent in themselves but not the one that was held: signed by other
//! authorities, by too few of ours, or with signatures nobody can check.

use election::{
    Archive,
    testing::{ElectionBuilder, choose, choose_all},
};
use ledger::{AuthoritySigner, OriginRule, Policy, SignedCheckpoint};

use crate::{
    Item, fails_at,
    world::{Step, World},
};

/// How many of them.
const ELECTIONS: u64 = 120;

pub(crate) fn tamper(ours: &World, see: &mut dyn FnMut(Item)) {
    for seed in 0..ELECTIONS {
        let world = held(seed);
        let name = |what: &str| format!("foreign/{what}/{seed}");
        let honest = &world.archive;
        // Their election, our trust file: another log.
        let mut show = |name: String, archive: &Archive, trust: &Policy, step: u8| {
            let item = world.item(name, archive, fails_at(step));
            see(Item { trust: Some(trust.to_string()), ..item });
        };
        match seed % 6 {
            0 => show(name("other-log"), honest, &ours.finished.trust, 2),
            1 => {
                // Our authorities were to hold it.
                let keys = ours.finished.trust.authorities().to_vec();
                let origin = OriginRule::Exact(world.election.manifest.origin());
                let trust = Policy::new(origin, keys, 0).expect("our authorities");
                show(name("other-authorities"), honest, &trust, 2);
            }
            2 => {
                // Their keys under our authorities' names.
                let signers = impostors(&world, seed);
                let archive = signed_by(&world, &signers);
                show(name("impostors"), &archive, &world.finished.trust, 4);
            }
            3 => {
                let few = &world.election.signers[..world.election.manifest.quorum() - 1];
                show(name("too-few"), &signed_by(&world, few), &world.finished.trust, 4);
            }
            4 => {
                let mut archive = honest.clone();
                for note in &mut archive.checkpoints {
                    let stranger = AuthoritySigner::from_seed("w", &[seed as u8; 32]);
                    let stranger = stranger.expect("a name");
                    note.add(stranger.key(), &stranger.cosign(&note.checkpoint.clone(), seed));
                }
                show(name("unknown-line"), &archive, &world.finished.trust, 4);
            }
            _ => {
                // The quorum's signatures hold, and one authority's name stands over a false one.
                let mut archive = honest.clone();
                let last = archive.checkpoints.last_mut().expect("a final checkpoint");
                let idle = &world.election.signers[0];
                let mut other = last.checkpoint.clone();
                other.size += seed;
                last.add(idle.key(), &idle.cosign(&other, 9));
                show(name("false-line"), &archive, &world.finished.trust, 4);
            }
        }
    }
}

fn held(seed: u64) -> World {
    let mut builder = ElectionBuilder::new(10_000 + seed).voters(2);
    if seed % 2 == 1 {
        builder = builder.authorities(4, 1);
    }
    let plan = vec![
        Step::Vote(0, vec![choose(0), choose_all(&[0])]),
        Step::Vote(1, vec![choose(1), choose_all(&[])]),
    ];
    World::built("foreign", builder, plan)
}

fn impostors(world: &World, seed: u64) -> Vec<AuthoritySigner> {
    let named = world.election.signers.iter();
    let make = |signer: &AuthoritySigner| {
        AuthoritySigner::from_seed(signer.key().name(), &[(seed % 200) as u8 + 50; 32])
    };
    named.map(|signer| make(signer).expect("a name")).take(2).collect()
}

/// The archive with checkpoints signed by these.
fn signed_by(world: &World, signers: &[AuthoritySigner]) -> Archive {
    let mut archive = world.archive.clone();
    for note in &mut archive.checkpoints {
        let mut signed = SignedCheckpoint::unsigned(note.checkpoint.clone());
        for signer in signers {
            signed.add(signer.key(), &signer.cosign(&note.checkpoint, 7));
        }
        *note = signed;
    }
    archive
}

//! Trustees who cheat: forged factors, statements about something else, and proofs that leave an
//! input out of their hash. And administrators and appenders who claim other counts.

use curve25519_dalek::{
    RistrettoPoint, Scalar, constants::RISTRETTO_BASEPOINT_POINT as G,
    ristretto::CompressedRistretto,
};
use election::{
    entry::{Body, Kind},
    testing::TestRng,
};
use rand_core::Rng;
use sha2::{Digest, Sha512};

use crate::{Item, fails, layout::fields_of, world::World};

const SHARE_STEP: u8 = 13;

/// What a trustee leaves out of the hash of a factor's proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Omission {
    Nothing,
    Tag,
    Fingerprint,
    Root,
    Size,
    Trustee,
    Contest,
    Option,
    Beta,
    Key,
    Alpha,
    Factor,
    CommitmentA,
    CommitmentB,
}

impl Omission {
    const ALL: [Self; 13] = [
        Self::Tag,
        Self::Fingerprint,
        Self::Root,
        Self::Size,
        Self::Trustee,
        Self::Contest,
        Self::Option,
        Self::Beta,
        Self::Key,
        Self::Alpha,
        Self::Factor,
        Self::CommitmentA,
        Self::CommitmentB,
    ];
}

/// How a trustee cheats.
#[derive(Clone, Copy)]
enum Cheat {
    /// Leaves something out of the hash.
    Omit(Omission),
    /// Claims a factor that is off by a multiple of G.
    Shift(u64),
    /// Makes a wrong factor fit a hash that does not contain it (and α).
    ForgeWeak,
    /// Decrypts with another secret.
    OtherSecret,
    /// Proves something about the sums of one ballot less.
    Subset,
    /// Names another root.
    OtherRoot,
    /// Names another size.
    OtherSize,
}

pub(crate) fn tamper(world: &World, see: &mut dyn FnMut(Item)) {
    for at in world.indices(Kind::Share) {
        let trustee = world.leaves[at][7];
        let mut show = |name: String, cheat: Cheat, step: Option<u8>| {
            let share = Trustee::of(world, trustee).share(cheat);
            let leaf = world.election.entry(&Body::Share { trustee, share: &share });
            let leaves = world.with(at, leaf);
            let expect = match step {
                Some(step) => fails(step, at as u64),
                None => crate::Expect::Verified,
            };
            see(world.cosigned_item(format!("trustee/{name}/{at}"), &leaves, expect));
        };
        show("control".into(), Cheat::Omit(Omission::Nothing), None);
        for omission in Omission::ALL {
            show(format!("prover-without-{omission:?}"), Cheat::Omit(omission), Some(SHARE_STEP));
        }
        for (name, cheat) in [
            ("shift-1", Cheat::Shift(1)),
            ("shift-1000", Cheat::Shift(1000)),
            ("forged-for-a-weak-hash", Cheat::ForgeWeak),
            ("other-secret", Cheat::OtherSecret),
            ("subset", Cheat::Subset),
            ("other-root", Cheat::OtherRoot),
            ("other-size", Cheat::OtherSize),
        ] {
            show(name.into(), cheat, Some(SHARE_STEP));
        }
        under_another_name(world, at, see);
    }
    wrong_counts(world, see);
}

/// An honest share that another trustee's entry claims.
fn under_another_name(world: &World, at: usize, see: &mut dyn FnMut(Item)) {
    for other in [0, 3, 9, 255] {
        let mut entry = world.leaves[at].to_vec();
        if entry[7] == other {
            continue;
        }
        entry[7] = other;
        let leaves = world.with(at, world.append_again(&entry));
        let expect = fails(SHARE_STEP, at as u64);
        see(world.cosigned_item(format!("trustee/name-{other}/{at}"), &leaves, expect));
    }
}

fn wrong_counts(world: &World, see: &mut dyn FnMut(Item)) {
    let at = world.first(Kind::Result);
    let entry = &world.leaves[at];
    let fields = fields_of(entry, &world.election.manifest);
    let numbers = ["ballots", "weight"];
    for field in &fields {
        let is_part = ["count-", "part-"].iter().any(|part| field.name.starts_with(part));
        if !numbers.contains(&field.name.as_str()) && !is_part {
            continue;
        }
        for (name, add) in [("more", 1_u64), ("less", u64::MAX), ("many", 1 << 20)] {
            let mut bytes = entry.to_vec();
            let own = &mut bytes[field.at.clone()];
            let mut value = [0; 8];
            value[8 - own.len()..].copy_from_slice(own);
            let other = u64::from_be_bytes(value).wrapping_add(add).to_be_bytes();
            let length = own.len();
            own.copy_from_slice(&other[8 - length..]);
            let leaves = world.with(at, world.append_again(&bytes));
            let expect = fails(14, at as u64);
            let name = format!("result/{name}/{}", field.name);
            see(world.cosigned_item(name, &leaves, expect));
        }
    }
    moved_votes(world, at, see);
}

/// One vote goes from one option to another: sums and totals stay.
fn moved_votes(world: &World, at: usize, see: &mut dyn FnMut(Item)) {
    let entry = &world.leaves[at];
    let fields = fields_of(entry, &world.election.manifest);
    let counts: Vec<_> = fields.iter().filter(|field| field.name.starts_with("count-")).collect();
    for from in &counts {
        for to in counts.iter().filter(|to| to.name != from.name) {
            let read = |at: core::ops::Range<usize>| {
                u64::from_be_bytes(entry[at].try_into().expect("counts have 8 bytes"))
            };
            let Some(less) = read(from.at.clone()).checked_sub(1) else { continue };
            let more = read(to.at.clone()) + 1;
            let mut bytes = entry.to_vec();
            bytes[from.at.clone()].copy_from_slice(&less.to_be_bytes());
            bytes[to.at.clone()].copy_from_slice(&more.to_be_bytes());
            let leaves = world.with(at, world.append_again(&bytes));
            let name = format!("result/moved/{}-{}", from.name, to.name);
            see(world.cosigned_item(name, &leaves, fails(14, at as u64)));
        }
    }
}

type Pair = (RistrettoPoint, RistrettoPoint);

/// Everything that a trustee needs, computed here from the leaves.
struct Trustee<'a> {
    world: &'a World,
    number: u16,
    secret: Scalar,
    fingerprint: [u8; 32],
    root: [u8; 32],
    size: u64,
}

impl<'a> Trustee<'a> {
    fn of(world: &'a World, number: u8) -> Self {
        let share = world.election.secret_shares[usize::from(number) - 1].to_bytes();
        let secret = share[2..].try_into().expect("a secret share ends with a scalar");
        let secret = Scalar::from_canonical_bytes(secret).expect("an honest scalar");
        let size = world.first(Kind::Close) as u64 + 1;
        let root = world.finished.fold.tree().root_at(size).expect("the tree has the closing");
        let fingerprint = world.fingerprint().0;
        Self { world, number: number.into(), secret, fingerprint, root: *root.as_bytes(), size }
    }

    /// The sums over counted ballots; without the first of them for a subset.
    fn sums(&self, without: usize) -> Vec<Vec<Pair>> {
        let kinds = self.world.election.manifest.definition.kinds();
        let nothing = (RistrettoPoint::default(), RistrettoPoint::default());
        let mut sums: Vec<Vec<Pair>> =
            kinds.iter().map(|kind| vec![nothing; kind.counters().into()]).collect();
        for (leaf, weight) in self.world.finished.fold.counted().into_iter().skip(without) {
            let entry = &self.world.leaves[leaf as usize];
            let fields = fields_of(entry, &self.world.election.manifest);
            let point = |name: String| {
                let field = fields.iter().find(|field| field.name == name).expect("a ballot's");
                let bytes = CompressedRistretto::from_slice(&entry[field.at.clone()]);
                bytes.ok().and_then(|bytes| bytes.decompress()).expect("an honest point")
            };
            for (contest, options) in sums.iter_mut().enumerate() {
                let kind = format!("contest-{contest}-kind");
                if !fields.iter().any(|field| field.name == kind) {
                    continue; // not asked of this group
                }
                for (option, (a, b)) in options.iter_mut().enumerate() {
                    *a += Scalar::from(weight) * point(format!("contest-{contest}-a-{option}"));
                    *b += Scalar::from(weight) * point(format!("contest-{contest}-b-{option}"));
                }
            }
        }
        sums
    }

    fn share(mut self, cheat: Cheat) -> Vec<u8> {
        let mut rng = TestRng::new(u64::from(self.number), "cheating trustees");
        let honest_key = (self.secret * G).compress().to_bytes();
        let mut without = 0;
        match cheat {
            Cheat::OtherSecret => self.secret += Scalar::ONE,
            Cheat::Subset => without = 1,
            Cheat::OtherRoot => self.root[5] ^= 1,
            Cheat::OtherSize => self.size -= 1,
            _ => {}
        }
        let mut bytes = vec![1];
        bytes.extend_from_slice(&self.fingerprint);
        bytes.extend_from_slice(&self.root);
        bytes.extend_from_slice(&self.size.to_le_bytes());
        bytes.extend_from_slice(&self.number.to_le_bytes());
        for (contest, options) in self.sums(without).iter().enumerate() {
            for (option, sum) in options.iter().enumerate() {
                let place = (contest as u16, option as u16);
                bytes.extend(self.factor(cheat, place, sum, &honest_key, &mut rng));
            }
        }
        bytes
    }

    fn factor(
        &self,
        cheat: Cheat,
        place: (u16, u16),
        (alpha, beta): &Pair,
        key: &[u8; 32],
        rng: &mut TestRng,
    ) -> Vec<u8> {
        let encode = |point: &RistrettoPoint| point.compress().to_bytes();
        let w = draw(rng);
        let (a, b) = (encode(&(w * G)), w * alpha);
        let omission = if let Cheat::Omit(omission) = cheat { omission } else { Omission::Nothing };
        if let Cheat::ForgeWeak = cheat {
            // B = wα + V with any V; for a hash without F (and α), F = xα + V/c passes.
            let v = draw(rng) * G;
            let b = b + v;
            let weak = self.challenge(
                &[Omission::Factor, Omission::Alpha],
                place,
                &[&encode(beta), key, &encode(alpha), &[0; 32], &a, &encode(&b)],
            );
            let f = self.secret * alpha - weak.invert() * v;
            let z = w + weak * self.secret;
            return [encode(&f), a, encode(&b), z.to_bytes()].concat();
        }
        let shift =
            if let Cheat::Shift(shift) = cheat { Scalar::from(shift) } else { Scalar::ZERO };
        let f = self.secret * alpha + shift * G;
        let c = self.challenge(
            &[omission],
            place,
            &[&encode(beta), key, &encode(alpha), &encode(&f), &a, &encode(&b)],
        );
        [encode(&f), a, encode(&b), (w + c * self.secret).to_bytes()].concat()
    }

    /// The hash of a factor's proof without what is omitted.
    fn challenge(
        &self,
        omitted: &[Omission],
        (contest, option): (u16, u16),
        [beta, key, alpha, factor, a, b]: &[&[u8; 32]; 6],
    ) -> Scalar {
        let tag: &[u8] = if omitted.contains(&Omission::Tag) {
            b"quorate/tally/v0/factor"
        } else {
            b"quorate/tally/v1/factor"
        };
        let (size, trustee) = (self.size.to_le_bytes(), self.number.to_le_bytes());
        let (contest, option) = (contest.to_le_bytes(), option.to_le_bytes());
        let fields: [(Omission, &[u8]); 12] = [
            (Omission::Fingerprint, &self.fingerprint),
            (Omission::Root, &self.root),
            (Omission::Size, &size),
            (Omission::Trustee, &trustee),
            (Omission::Contest, &contest),
            (Omission::Option, &option),
            (Omission::Beta, *beta),
            (Omission::Key, *key),
            (Omission::Alpha, *alpha),
            (Omission::Factor, *factor),
            (Omission::CommitmentA, *a),
            (Omission::CommitmentB, *b),
        ];
        let kept = fields.iter().filter(|(mark, _)| !omitted.contains(mark));
        let mut hash = Sha512::new();
        for field in core::iter::once(tag).chain(kept.map(|(_, field)| *field)) {
            hash.update((field.len() as u32).to_le_bytes());
            hash.update(field);
        }
        Scalar::from_bytes_mod_order_wide(&hash.finalize().into())
    }
}

fn draw(rng: &mut TestRng) -> Scalar {
    let mut wide = [0; 64];
    rng.fill_bytes(&mut wide);
    Scalar::from_bytes_mod_order_wide(&wide)
}

//! Cheating voters: provers that leave one input out of a hash, or prove a vote that is none.
//! Their transcript is written anew from the specification, with a place for each omission.

use ballot::ContestKind;
use curve25519_dalek::{
    RistrettoPoint, Scalar, constants::RISTRETTO_BASEPOINT_POINT as G,
    ristretto::CompressedRistretto,
};
use election::testing::TestRng;
use rand_core::Rng;
use sha2::{Digest, Sha512};

use crate::layout::clauses;

/// What a prover leaves out of its hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Omission {
    Nothing,
    Version,
    Lengths,
    Fingerprint,
    ElectionKey,
    Rules,
    Context,
    Credential,
    Seq,
    Prev,
    Ciphertexts,
    LastCiphertexts,
    Statement,
    Commitments,
    LastCommitment,
    ContestIndex,
    KindTag,
    RhoStatement,
    RhoIndex,
    RhoTag,
}

impl Omission {
    /// All that a ballot of several contests can leave out.
    pub(crate) const ALL: [Self; 19] = [
        Self::Version,
        Self::Lengths,
        Self::Fingerprint,
        Self::ElectionKey,
        Self::Rules,
        Self::Context,
        Self::Credential,
        Self::Seq,
        Self::Prev,
        Self::Ciphertexts,
        Self::LastCiphertexts,
        Self::Statement,
        Self::Commitments,
        Self::LastCommitment,
        Self::ContestIndex,
        Self::KindTag,
        Self::RhoStatement,
        Self::RhoIndex,
        Self::RhoTag,
    ];

    /// Whether it changes anything in a ballot with these contests.
    pub(crate) fn concerns(self, kinds: &[ContestKind]) -> bool {
        let has_one = kinds.iter().any(|kind| matches!(kind, ContestKind::One { .. }));
        match self {
            Self::RhoStatement | Self::RhoIndex | Self::RhoTag => has_one,
            _ => true,
        }
    }
}

/// Who casts what, bound to what.
pub(crate) struct Cast<'a> {
    pub(crate) kinds: &'a [ContestKind],
    pub(crate) fingerprint: [u8; 32],
    pub(crate) election_key: [u8; 32],
    pub(crate) credential: [u8; 32],
    pub(crate) seq: u32,
    pub(crate) prev: [u8; 32],
    /// What is encrypted, for each option of each contest; an honest vote has 0 and 1.
    pub(crate) votes: &'a [Vec<i64>],
    pub(crate) omission: Omission,
}

struct Hasher {
    omission: Omission,
}

impl Hasher {
    /// The framed hash of fields; those marked with the omission are left out.
    fn digest(&self, tag: &str, fields: &[(Option<Omission>, &[u8])]) -> [u8; 64] {
        let version = if self.omission == Omission::Version { "v0" } else { "v1" };
        let tag = format!("quorate/ballot/{version}/{tag}");
        let kept = fields.iter().filter(|(mark, _)| *mark != Some(self.omission));
        let mut hash = Sha512::new();
        for field in core::iter::once(tag.as_bytes()).chain(kept.map(|(_, field)| *field)) {
            if self.omission != Omission::Lengths {
                hash.update((field.len() as u32).to_le_bytes());
            }
            hash.update(field);
        }
        hash.finalize().into()
    }

    fn scalar(&self, tag: &str, fields: &[(Option<Omission>, &[u8])]) -> Scalar {
        Scalar::from_bytes_mod_order_wide(&self.digest(tag, fields))
    }
}

/// One disjunction: factors of the ciphertexts, and the values that are allowed.
struct Claim {
    factors: Vec<Scalar>,
    values: Vec<Scalar>,
}

fn claims(kind: &ContestKind, rho: Scalar) -> Vec<Claim> {
    match *kind {
        ContestKind::One { options } => {
            let powers: Vec<Scalar> = core::iter::successors(Some(rho), |power| Some(power * rho))
                .take(options.into())
                .collect();
            vec![Claim { factors: powers.clone(), values: powers }]
        }
        ContestKind::Some { options, min, max } => {
            let options = usize::from(options);
            let bits = (0..options).map(|own| Claim {
                factors: (0..options).map(|at| Scalar::from(u8::from(at == own))).collect(),
                values: vec![Scalar::ZERO, Scalar::ONE],
            });
            let mut claims: Vec<Claim> = bits.collect();
            if clauses(kind).len() > options {
                let values = (min..=max).map(Scalar::from).collect();
                claims.push(Claim { factors: vec![Scalar::ONE; options], values });
            }
            claims
        }
    }
}

/// A clause before the challenge is known.
struct Clause {
    u: Scalar,
    c: Scalar,
    pretended: bool,
}

fn draw(rng: &mut TestRng) -> Scalar {
    let mut wide = [0; 64];
    rng.fill_bytes(&mut wide);
    Scalar::from_bytes_mod_order_wide(&wide)
}

fn number(value: i64) -> Scalar {
    let size = Scalar::from(value.unsigned_abs());
    if value < 0 { -size } else { size }
}

fn point(bytes: &[u8; 32]) -> RistrettoPoint {
    CompressedRistretto(*bytes).decompress().expect("an election key is a point")
}

fn sum(factors: &[Scalar], numbers: impl Iterator<Item = Scalar>) -> Scalar {
    factors.iter().zip(numbers).map(|(factor, number)| factor * number).sum()
}

/// Ciphertexts of one contest, and the randomness in them.
fn encrypt(votes: &[i64], key: &RistrettoPoint, rng: &mut TestRng) -> (Vec<u8>, Vec<Scalar>) {
    let secrets: Vec<Scalar> = votes.iter().map(|_| draw(rng)).collect();
    let pairs = votes.iter().zip(&secrets);
    let points = pairs.flat_map(|(vote, r)| [r * G, r * key + number(*vote) * G]);
    (points.flat_map(|point| point.compress().to_bytes()).collect(), secrets)
}

impl Cast<'_> {
    /// The ballot without its signature, which is for the caller to make.
    pub(crate) fn make(&self, rng: &mut TestRng) -> Vec<u8> {
        let (hasher, key) = (Hasher { omission: self.omission }, point(&self.election_key));
        let encrypted: Vec<_> = self.votes.iter().map(|votes| encrypt(votes, &key, rng)).collect();
        let statement = self.statement(&hasher, &encrypted);
        let drafts: Vec<(Vec<u8>, Vec<(Scalar, Vec<Clause>)>)> = (0..self.kinds.len())
            .map(|at| self.commit(at, &hasher, &statement, &encrypted[at].1, &key, rng))
            .collect();
        let commitments = self.commitments(&hasher, &statement, &drafts);
        let mut ballot = self.header();
        for (at, (kind, (points, clauses))) in self.kinds.iter().zip(&drafts).enumerate() {
            let tag = self.challenge_tag(kind);
            let index = (at as u16).to_le_bytes();
            let c = hasher.scalar(
                tag,
                &[
                    (Some(Omission::Commitments), &commitments),
                    (Some(Omission::ContestIndex), &index),
                ],
            );
            ballot.push(if matches!(kind, ContestKind::One { .. }) { 1 } else { 2 });
            ballot.extend_from_slice(&encrypted[at].0);
            ballot.extend_from_slice(points);
            clauses.iter().for_each(|(secret, clauses)| respond(clauses, c, *secret, &mut ballot));
        }
        ballot.extend_from_slice(&[0; 64]);
        ballot
    }

    fn header(&self) -> Vec<u8> {
        let seq = self.seq.to_le_bytes();
        [&[1][..], &self.fingerprint, &self.credential, &seq, &self.prev].concat()
    }

    fn challenge_tag(&self, kind: &ContestKind) -> &'static str {
        let is_one = matches!(kind, ContestKind::One { .. });
        let exchanged = self.omission == Omission::KindTag;
        if is_one != exchanged { "one/challenge" } else { "some/challenge" }
    }

    fn statement(&self, hasher: &Hasher, encrypted: &[(Vec<u8>, Vec<Scalar>)]) -> [u8; 64] {
        let rules: Vec<u8> = self.kinds.iter().flat_map(rule_bytes).collect();
        let context = hasher.digest(
            "context",
            &[
                (Some(Omission::Fingerprint), &self.fingerprint),
                (Some(Omission::ElectionKey), &self.election_key),
                (Some(Omission::Rules), &rules),
            ],
        );
        let seq = self.seq.to_le_bytes();
        let mut fields: Vec<(Option<Omission>, &[u8])> = vec![
            (Some(Omission::Context), &context),
            (Some(Omission::Credential), &self.credential),
            (Some(Omission::Seq), &seq),
            (Some(Omission::Prev), &self.prev),
        ];
        let last = encrypted.len() - 1;
        for (at, (bytes, _)) in encrypted.iter().enumerate() {
            let mark = if at == last && self.omission == Omission::LastCiphertexts {
                Omission::LastCiphertexts
            } else {
                Omission::Ciphertexts
            };
            fields.push((Some(mark), bytes));
        }
        hasher.digest("statement", &fields)
    }

    fn commit(
        &self,
        at: usize,
        hasher: &Hasher,
        statement: &[u8; 64],
        secrets: &[Scalar],
        key: &RistrettoPoint,
        rng: &mut TestRng,
    ) -> (Vec<u8>, Vec<(Scalar, Vec<Clause>)>) {
        let index = (at as u16).to_le_bytes();
        let tag = if self.omission == Omission::RhoTag { "rho" } else { "one/rho" };
        let rho = hasher.scalar(
            tag,
            &[(Some(Omission::RhoStatement), statement), (Some(Omission::RhoIndex), &index)],
        );
        let (mut points, mut disjunctions) = (Vec::new(), Vec::new());
        for Claim { factors, values } in claims(&self.kinds[at], rho) {
            let truth = sum(&factors, self.votes[at].iter().map(|vote| number(*vote)));
            // A vote that is none of the allowed values is pretended to be the first.
            let pretended = values.iter().position(|value| *value == truth).unwrap_or(0);
            let clauses = values.iter().enumerate().map(|(k, value)| {
                let (u, c) = (draw(rng), draw(rng));
                let off = if k == pretended { Scalar::ZERO } else { value - truth };
                for point in [u * G, u * key + c * off * G] {
                    points.extend_from_slice(&point.compress().to_bytes());
                }
                Clause { u, c, pretended: k == pretended }
            });
            let clauses: Vec<Clause> = clauses.collect();
            disjunctions.push((sum(&factors, secrets.iter().copied()), clauses));
        }
        (points, disjunctions)
    }

    fn commitments(
        &self,
        hasher: &Hasher,
        statement: &[u8; 64],
        drafts: &[(Vec<u8>, Vec<(Scalar, Vec<Clause>)>)],
    ) -> [u8; 64] {
        let mut fields: Vec<(Option<Omission>, &[u8])> =
            vec![(Some(Omission::Statement), statement)];
        for (at, (points, _)) in drafts.iter().enumerate() {
            let last = at + 1 == drafts.len() && self.omission == Omission::LastCommitment;
            let shown = if last { &points[..points.len() - 32] } else { &points[..] };
            fields.push((None, shown));
        }
        hasher.digest("commitments", &fields)
    }
}

fn respond(clauses: &[Clause], challenge: Scalar, secret: Scalar, ballot: &mut Vec<u8>) {
    let rest = challenge - clauses.iter().map(|clause| clause.c).sum::<Scalar>();
    let own = |clause: &Clause| if clause.pretended { clause.c + rest } else { clause.c };
    for clause in &clauses[..clauses.len() - 1] {
        ballot.extend_from_slice(own(clause).as_bytes());
    }
    for clause in clauses {
        ballot.extend_from_slice((clause.u + own(clause) * secret).as_bytes());
    }
}

fn rule_bytes(kind: &ContestKind) -> Vec<u8> {
    let (kind, options, min, max) = match *kind {
        ContestKind::One { options } => (1, options, 1, 1),
        ContestKind::Some { options, min, max } => (2, options, min, max),
    };
    let mut bytes = vec![kind];
    [options, min, max].iter().for_each(|field| bytes.extend_from_slice(&field.to_le_bytes()));
    bytes
}

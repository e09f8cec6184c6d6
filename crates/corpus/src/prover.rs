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

/// What a prover leaves out of its hashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Omission {
    Nothing,
    Version,
    Lengths,
    Fingerprint,
    ElectionKey,
    Group,
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
    pub(crate) const ALL: [Self; 20] = [
        Self::Version,
        Self::Lengths,
        Self::Fingerprint,
        Self::ElectionKey,
        Self::Group,
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
    pub(crate) fn concerns(self, asked: &[(u16, ContestKind)]) -> bool {
        let has_one = asked.iter().any(|(_, kind)| matches!(kind, ContestKind::One { .. }));
        match self {
            Self::RhoStatement | Self::RhoIndex | Self::RhoTag => has_one,
            _ => true,
        }
    }
}

/// Who casts what, bound to what.
pub(crate) struct Cast<'a> {
    /// The contests of the voter's group with their numbers.
    pub(crate) asked: &'a [(u16, ContestKind)],
    pub(crate) group: u8,
    pub(crate) fingerprint: [u8; 32],
    pub(crate) election_key: [u8; 32],
    pub(crate) credential: [u8; 32],
    pub(crate) seq: u32,
    pub(crate) prev: [u8; 32],
    /// What is encrypted, for each counter of each contest.
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
    let counters = usize::from(kind.counters());
    let claim = |factor: &dyn Fn(usize) -> u64, values: &mut dyn Iterator<Item = u64>| Claim {
        factors: (0..counters).map(|at| Scalar::from(factor(at))).collect(),
        values: values.map(Scalar::from).collect(),
    };
    let each = |highest: u64, at: usize| claim(&|own| u64::from(own == at), &mut (0..=highest));
    match kind {
        ContestKind::One { options } => {
            let powers: Vec<Scalar> = core::iter::successors(Some(rho), |power| Some(power * rho))
                .take((*options).into())
                .collect();
            vec![Claim { factors: powers.clone(), values: powers }]
        }
        ContestKind::Some { options, min, max, blank }
        | ContestKind::Score { options, min, max, blank, .. } => {
            let (options, highest) = (usize::from(*options), u64::from(kind.highest()));
            let bound = |at: usize| if at < options { highest } else { 1 };
            let mut claims: Vec<Claim> = (0..counters).map(|at| each(bound(at), at)).collect();
            let most = options as u64 * highest;
            if *min > 0 || u64::from(*max) < most || *blank {
                let factor = |at: usize| if at < options { 1 } else { most + 1 };
                let (min, max) = (u64::from(*min), u64::from(*max));
                claims.push(claim(&factor, &mut (min..=max).chain(blank.then_some(most + 1))));
            }
            claims
        }
        ContestKind::Lists { candidates, min, max, blank } => {
            let mut claims: Vec<Claim> = (0..counters).map(|at| each(1, at)).collect();
            let mut start = candidates.len();
            for (list, count) in candidates.iter().enumerate() {
                let (own, base) = (start..start + usize::from(*count), u64::from(*count) + 1);
                start = own.end;
                let factor = |at: usize| match at {
                    _ if at == list => base,
                    _ => u64::from(own.contains(&at)),
                };
                let sums = base + u64::from(*min)..=base + u64::from(*max.min(count));
                claims.push(claim(&factor, &mut core::iter::once(0).chain(sums)));
            }
            let last = counters - 1;
            let selects = |at: usize| at < candidates.len() || *blank && at == last;
            claims.push(claim(&|at| u64::from(selects(at)), &mut core::iter::once(1)));
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

fn signed(value: i64) -> Scalar {
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
    let points = pairs.flat_map(|(vote, r)| [r * G, r * key + signed(*vote) * G]);
    (points.flat_map(|point| point.compress().to_bytes()).collect(), secrets)
}

impl Cast<'_> {
    /// The ballot without its signature, which is for the caller to make.
    pub(crate) fn make(&self, rng: &mut TestRng) -> Vec<u8> {
        let (hasher, key) = (Hasher { omission: self.omission }, point(&self.election_key));
        let encrypted: Vec<_> = self.votes.iter().map(|votes| encrypt(votes, &key, rng)).collect();
        let statement = self.statement(&hasher, &encrypted);
        let drafts: Vec<(Vec<u8>, Vec<(Scalar, Vec<Clause>)>)> = (0..self.asked.len())
            .map(|at| self.commit(at, &hasher, &statement, &encrypted[at].1, &key, rng))
            .collect();
        let commitments = self.commitments(&hasher, &statement, &drafts);
        let mut ballot = self.header();
        for (at, ((number, kind), (points, clauses))) in self.asked.iter().zip(&drafts).enumerate()
        {
            let tag = self.challenge_tag(kind);
            let index = number.to_le_bytes();
            let c = hasher.scalar(
                tag,
                &[
                    (Some(Omission::Commitments), &commitments),
                    (Some(Omission::ContestIndex), &index),
                ],
            );
            ballot.push(kind_byte(kind));
            ballot.extend_from_slice(&encrypted[at].0);
            ballot.extend_from_slice(points);
            clauses.iter().for_each(|(secret, clauses)| respond(clauses, c, *secret, &mut ballot));
        }
        ballot.extend_from_slice(&[0; 64]);
        ballot
    }

    fn header(&self) -> Vec<u8> {
        let seq = self.seq.to_le_bytes();
        let group = [self.group];
        [&[1][..], &self.fingerprint, &self.credential, &seq, &self.prev, &group].concat()
    }

    fn challenge_tag(&self, kind: &ContestKind) -> &'static str {
        let tags = ["one/challenge", "some/challenge", "score/challenge", "lists/challenge"];
        let exchanged = usize::from(self.omission == Omission::KindTag);
        tags[(usize::from(kind_byte(kind)) - 1 + exchanged) % tags.len()]
    }

    fn statement(&self, hasher: &Hasher, encrypted: &[(Vec<u8>, Vec<Scalar>)]) -> [u8; 64] {
        let rules: Vec<u8> =
            self.asked.iter().flat_map(|(number, kind)| rule_bytes(*number, kind)).collect();
        let group = [self.group];
        let context = hasher.digest(
            "context",
            &[
                (Some(Omission::Fingerprint), &self.fingerprint),
                (Some(Omission::ElectionKey), &self.election_key),
                (Some(Omission::Group), &group),
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
        let (number, kind) = &self.asked[at];
        let index = number.to_le_bytes();
        let tag = if self.omission == Omission::RhoTag { "rho" } else { "one/rho" };
        let rho = hasher.scalar(
            tag,
            &[(Some(Omission::RhoStatement), statement), (Some(Omission::RhoIndex), &index)],
        );
        let (mut points, mut disjunctions) = (Vec::new(), Vec::new());
        for Claim { factors, values } in claims(kind, rho) {
            let truth = sum(&factors, self.votes[at].iter().map(|vote| signed(*vote)));
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

fn kind_byte(kind: &ContestKind) -> u8 {
    match kind {
        ContestKind::One { .. } => 1,
        ContestKind::Some { .. } => 2,
        ContestKind::Score { .. } => 3,
        ContestKind::Lists { .. } => 4,
    }
}

fn rule_bytes(number: u16, kind: &ContestKind) -> Vec<u8> {
    let (count, highest, min, max, blank) = match kind {
        ContestKind::One { options } => (*options, 1, 1, 1, false),
        ContestKind::Some { options, min, max, blank } => (*options, 1, *min, *max, *blank),
        ContestKind::Score { options, highest, min, max, blank } => {
            (*options, *highest, *min, *max, *blank)
        }
        ContestKind::Lists { candidates, min, max, blank } => {
            (candidates.len() as u16, 1, *min, *max, *blank)
        }
    };
    let mut bytes = number.to_le_bytes().to_vec();
    bytes.extend_from_slice(&[kind_byte(kind), u8::from(blank)]);
    let lists =
        if let ContestKind::Lists { candidates, .. } = kind { &candidates[..] } else { &[] };
    let numbers = [count, highest, min, max];
    numbers.iter().chain(lists).for_each(|field| bytes.extend_from_slice(&field.to_le_bytes()));
    bytes
}

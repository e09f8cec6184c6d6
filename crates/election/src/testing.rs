//! Whole small elections made from a seed, for tests of this and other crates.
//!
//! ```
//! use election::testing::{ElectionBuilder, choose};
//! let mut election = ElectionBuilder::new(1).voters(3).build();
//! let mut run = election.open();
//! for voter in 0..3 {
//!     election.vote(&mut run, voter, &[choose(0), choose(0)]);
//! }
//! let finished = election.finish(run);
//! assert_eq!(finished.fold.result().unwrap().counts[0], [3, 0, 0]);
//! ```

use ballot::{
    BallotContext, Choice, ContestKind, Contests, Credential, OpenBallot, cast,
    ceremony::{Announcements, Dealings, Parameters, Received, TrusteeSecret},
    signature::SigningKey,
    threshold::{DecryptionShare, SecretShare},
};
use base::Prng;
use bytes::Bytes;
use ledger::{AuthoritySigner, Checkpoint, Policy, SignedCheckpoint, Tree};
use rand_core::{TryCryptoRng, TryRng};

use crate::{
    archive::Archive,
    definition::{Contest, Definition, Issuer, Revote, Rule, Secrecy},
    entry::{Appender, Body},
    fold::{Accepted, Fold},
    id::ElectionId,
    manifest::{Act, Authority, Draft, Endorser, Manifest, Trustee},
    order::Order,
    refusal::Refusal,
    roll::{Roll, Voter},
    succession::{SignedSuccession, Succession},
};

/// The minute in which everything happens unless a test says otherwise.
pub const STAMP: u32 = 29_900_000;

/// A seeded generator behind the trait that cryptography asks for. Only tests may do this.
pub struct TestRng(pub Prng);

impl TestRng {
    /// The stream `name` of `seed`.
    pub fn new(seed: u64, name: &str) -> Self {
        Self(Prng::named(seed, name))
    }

    fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.fill(&mut bytes);
        bytes
    }
}

impl TryRng for TestRng {
    type Error = core::convert::Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
        Ok(self.0.next_u64() as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
        Ok(self.0.next_u64())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
        self.0.fill(bytes);
        Ok(())
    }
}

impl TryCryptoRng for TestRng {}

/// An answer that fits several kinds of contest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// These options, wherever one or several may be chosen; the last one may be a blank.
    Options(Vec<u16>),
    /// A score for each option.
    Scores(Vec<u16>),
    /// A list and its candidates.
    List(u16, Vec<u16>),
    /// Explicitly nothing.
    Blank,
}

/// The answer that names one option.
pub fn choose(option: u16) -> Answer {
    Answer::Options(vec![option])
}

/// The answer that names these options.
pub fn choose_all(options: &[u16]) -> Answer {
    Answer::Options(options.to_vec())
}

/// The answer that scores the options.
pub fn score(scores: &[u16]) -> Answer {
    Answer::Scores(scores.to_vec())
}

/// The answer that names a list and candidates of it.
pub fn choose_list(list: u16, candidates: &[u16]) -> Answer {
    Answer::List(list, candidates.to_vec())
}

impl Answer {
    fn choice(&self, kind: &ContestKind) -> Choice {
        match (self, kind) {
            (Self::Options(options), ContestKind::One { .. }) => Choice::One(options[0]),
            (Self::Options(options), _) => Choice::Some(options.clone()),
            (Self::Scores(scores), _) => Choice::Score(scores.clone()),
            (Self::List(list, candidates), _) => Choice::List(*list, candidates.clone()),
            (Self::Blank, ContestKind::One { options }) => Choice::One(options - 1),
            (Self::Blank, _) => Choice::Blank,
        }
    }
}

/// What an election shall be like.
pub struct ElectionBuilder {
    seed: u64,
    definition: Definition,
    authorities: u8,
    faulty: u8,
    voters: u32,
    weight: fn(u32) -> u32,
    group: fn(u32) -> u8,
}

impl ElectionBuilder {
    /// Two contests (one of two or blank; up to two of three), two of three trustees, three
    /// authorities of which none is malicious, five voters of weight 1, last ballot counts.
    pub fn new(seed: u64) -> Self {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let mut chair = Contest::new("Chair", Rule::One, &["Ada", "Grace"]);
        let rule = Rule::Some { min: 0, max: 2 };
        let mut projects = Contest::new("Projects", rule, &["Well", "Fence", "Shed"]);
        (chair.blank, projects.blank) = (true, true);
        let definition = Definition {
            title: "A small election".to_owned(),
            domain: "vote.example".to_owned(),
            contests: vec![chair, projects],
            groups: Vec::new(),
            secrecy: Secrecy::Secret,
            trustees: names(&["Tara", "Theo", "Thea"]),
            threshold: 2,
            opens: None,
            closes: None,
            extendable_until: None,
            revote: Revote::LastCounts,
            issuer: Issuer::Separate,
            minimum_ballots: 1,
            roll_changes: false,
            paper: false,
            accept_small_classes: true,
            test: true,
            booth: None,
        };
        let (weight, group) = (|_| 1, |_| 0);
        Self { seed, definition, authorities: 3, faulty: 0, voters: 5, weight, group }
    }

    /// Changes questions and rules.
    #[must_use]
    pub fn define(mut self, change: impl FnOnce(&mut Definition)) -> Self {
        change(&mut self.definition);
        self
    }

    /// Makes it an open poll.
    #[must_use]
    pub fn open_poll(self) -> Self {
        self.trustees(0, 0).define(|definition| definition.secrecy = Secrecy::Open)
    }

    /// `threshold` of `count` trustees.
    #[must_use]
    pub fn trustees(mut self, count: u8, threshold: u8) -> Self {
        self.definition.trustees = (1..=count).map(|i| format!("Trustee {i}")).collect();
        self.definition.threshold = threshold;
        self
    }

    /// `count` authorities of which `faulty` may be malicious.
    #[must_use]
    pub fn authorities(mut self, count: u8, faulty: u8) -> Self {
        (self.authorities, self.faulty) = (count, faulty);
        self
    }

    /// How many voters.
    #[must_use]
    pub fn voters(mut self, count: u32) -> Self {
        self.voters = count;
        self
    }

    /// Weight and group of each voter by number.
    #[must_use]
    pub fn classes(mut self, weight: fn(u32) -> u32, group: fn(u32) -> u8) -> Self {
        (self.weight, self.group) = (weight, group);
        self
    }

    /// Makes keys, roll, ceremony and manifest. Nothing is on a ledger yet.
    ///
    /// # Panics
    /// When the definition or the numbers break a rule.
    pub fn build(self) -> TestElection {
        let mut rng = TestRng::new(self.seed, "election");
        let id = ElectionId(rng.bytes());
        let admin = SigningKey::generate(&mut rng);
        let draft =
            Draft { id, definition: self.definition.clone(), admin: admin.public().to_bytes() };
        let seeds: Vec<[u8; 32]> = (0..self.authorities).map(|_| rng.bytes()).collect();
        let signers = make_signers(&seeds);
        let numbers = 1..=self.authorities;
        let appenders = numbers
            .zip(&seeds)
            .map(|(index, seed)| Appender { index, key: SigningKey::from_seed(seed) });
        let credential_seeds: Vec<[u8; 32]> = (0..self.voters).map(|_| rng.bytes()).collect();
        let credentials: Vec<Credential> =
            credential_seeds.iter().map(Credential::from_seed).collect();
        let voters = (0u32..).zip(&credentials).map(|(number, credential)| Voter {
            credential: credential.public().to_bytes(),
            weight: (self.weight)(number),
            group: (self.group)(number),
        });
        let roll = Roll::new(voters.collect()).expect("generated voters make a roll");
        let open = draft.definition.secrecy == Secrecy::Open;
        let ceremony = if open { Ceremony::none() } else { Ceremony::hold(&draft, &mut rng) };
        let manifest = ceremony.manifest(&draft, &roll, &signers, self.faulty);
        manifest.check().expect("the builder's settings make a valid manifest");
        let context = manifest.ballot_context().ok();
        let questions = manifest.definition.questions().expect("the manifest was checked");
        let groups = (0..self.voters).map(self.group).collect();
        TestElection {
            draft,
            manifest,
            context,
            questions,
            groups,
            admin,
            appenders: appenders.collect(),
            signers,
            chains: vec![(0, [0; 32]); credentials.len()],
            credentials,
            credential_seeds,
            roll,
            trustees: ceremony.secrets,
            secret_shares: ceremony.shares,
            messages: ceremony.messages,
            rng,
        }
    }
}

fn make_signers(seeds: &[[u8; 32]]) -> Vec<AuthoritySigner> {
    let signer = |(index, seed): (u8, &[u8; 32])| {
        let name = format!("node-{index}.vote.example");
        AuthoritySigner::from_seed(&name, seed).expect("the name is printable")
    };
    (1..).zip(seeds).map(signer).collect()
}

/// A key ceremony held in one place.
struct Ceremony {
    secrets: Vec<TrusteeSecret>,
    shares: Vec<SecretShare>,
    messages: Vec<Vec<u8>>,
    dealings: Option<Dealings>,
}

impl Ceremony {
    /// That of an open poll.
    fn none() -> Self {
        Self { secrets: Vec::new(), shares: Vec::new(), messages: Vec::new(), dealings: None }
    }

    fn hold(draft: &Draft, rng: &mut TestRng) -> Self {
        let count = draft.definition.trustees.len() as u16;
        let threshold = draft.definition.threshold.into();
        let parameters = Parameters::new(draft.id.0, 0, count, threshold).expect("1 <= t <= m");
        let secrets: Vec<TrusteeSecret> =
            (0..count).map(|_| TrusteeSecret::generate(rng)).collect();
        let numbered = || (1u16..).zip(&secrets);
        let announced = numbered()
            .map(|(number, secret)| secret.announce(&parameters, number).expect("it is a trustee"))
            .collect();
        let announcements = Announcements::new(parameters, announced).expect("all announced");
        let dealt = numbered()
            .map(|(number, secret)| secret.deal(&announcements, number).expect("it announced"))
            .collect();
        let dealings = Dealings::new(announcements, dealt).expect("all dealt");
        let mut messages: Vec<Vec<u8>> =
            dealings.announcements().all().iter().map(|one| one.as_bytes().to_vec()).collect();
        messages.extend(dealings.all().iter().map(|one| one.as_bytes().to_vec()));
        let mut shares = Vec::new();
        for (number, secret) in numbered() {
            match secret.receive(&dealings, number).expect("it dealt") {
                Received::Share(share) => shares.push(share),
                Received::Complaints(_) => panic!("honest trustees have no complaints"),
            }
            let confirmation = secret.confirm(&dealings, number).expect("it received its share");
            messages.push(confirmation.as_bytes().to_vec());
        }
        Self { secrets, shares, messages, dealings: Some(dealings) }
    }

    fn manifest(
        &self,
        draft: &Draft,
        roll: &Roll,
        signers: &[AuthoritySigner],
        faulty: u8,
    ) -> Manifest {
        let dealings = self.dealings.as_ref();
        let verification = dealings.map(Dealings::verification_keys).unwrap_or_default();
        let trustees = self.secrets.iter().zip(&verification).map(|(secret, key)| Trustee {
            signing: secret.signing_key().public().to_bytes(),
            verification: key.to_bytes(),
        });
        let authorities = (1u8..)
            .zip(signers)
            .map(|(index, signer)| Authority { index, key: signer.key().clone() });
        Manifest {
            id: draft.id,
            definition: draft.definition.clone(),
            admin: draft.admin,
            trustees: trustees.collect(),
            joint_key: dealings.map_or([0; 32], |all| all.election_key().to_bytes()),
            ceremony_attempt: 0,
            ceremony_hash: dealings.map_or([0; 32], |all| *all.transcript_hash()),
            roll: roll.summary(),
            authorities: authorities.collect(),
            faulty,
            stamp_slack_minutes: 10,
        }
    }
}

/// An election with everybody's secrets.
pub struct TestElection {
    /// What the administrator drafted.
    pub draft: Draft,
    /// The sealed manifest.
    pub manifest: Manifest,
    /// What encrypted ballots are made for; none in an open poll.
    pub context: Option<BallotContext>,
    /// The questions and who answers which.
    pub questions: Contests,
    /// Group of each voter by number.
    pub groups: Vec<u8>,
    /// The administrator.
    pub admin: SigningKey,
    /// The authorities as appenders, number 1 first.
    pub appenders: Vec<Appender>,
    /// The authorities as cosigners, number 1 first.
    pub signers: Vec<AuthoritySigner>,
    /// The voters, in the order of their numbers (not of the roll).
    pub credentials: Vec<Credential>,
    /// Their Ed25519 seeds.
    pub credential_seeds: Vec<[u8; 32]>,
    /// The roll.
    pub roll: Roll,
    /// The trustees' secrets, number 1 first.
    pub trustees: Vec<TrusteeSecret>,
    /// Their shares of the election's secret key.
    pub secret_shares: Vec<SecretShare>,
    /// The ceremony's messages in the order in which they become entries.
    pub messages: Vec<Vec<u8>>,
    /// Next `seq` and `prev` of each voter.
    pub chains: Vec<(u32, [u8; 32])>,
    /// For whatever else a test draws.
    pub rng: TestRng,
}

/// An election under way.
pub struct Run {
    /// Its state.
    pub fold: Fold,
    /// Every entry so far, refused ones included.
    pub entries: Vec<Bytes>,
}

/// A finished election.
pub struct Finished {
    /// Its state.
    pub fold: Fold,
    /// Every entry.
    pub entries: Vec<Bytes>,
    /// The archive's bytes.
    pub archive: Bytes,
    /// The trust file.
    pub trust: Policy,
}

impl Run {
    /// Appends an entry and judges it.
    ///
    /// # Errors
    /// What the fold says.
    pub fn push(&mut self, entry: Bytes) -> Result<Accepted, Refusal> {
        let verdict = self.fold.push(&entry);
        self.entries.push(entry);
        verdict
    }

    fn must(&mut self, entry: Bytes) {
        self.push(entry).unwrap_or_else(|refusal| panic!("an honest entry was refused: {refusal}"));
    }
}

impl TestElection {
    /// The election's name.
    pub fn id(&self) -> ElectionId {
        self.manifest.id
    }

    /// An entry appended by authority 1 at [`STAMP`].
    pub fn entry(&self, body: &Body<'_>) -> Bytes {
        self.entry_by(1, STAMP, body)
    }

    /// An entry.
    ///
    /// # Panics
    /// When there is no such authority or the body is too large.
    pub fn entry_by(&self, authority: u8, stamp: u32, body: &Body<'_>) -> Bytes {
        let appender = &self.appenders[usize::from(authority) - 1];
        Bytes::from(appender.seal(self.id(), stamp, body).expect("test bodies are small"))
    }

    /// Entries from the manifest to the last endorsement.
    pub fn setup_entries(&self) -> Vec<Bytes> {
        let fingerprint = self.manifest.fingerprint();
        let manifest = self.manifest.encode();
        let signature = Act::Seal.sign(&fingerprint, &self.admin);
        let mut entries = vec![self.entry(&Body::Manifest { manifest: &manifest, signature })];
        entries.extend(self.roll.chunks().iter().map(|chunk| self.entry(&Body::RollChunk(chunk))));
        entries.extend(self.messages.iter().map(|one| self.entry(&Body::Ceremony(one))));
        for (index, secret) in (1u8..).zip(&self.trustees) {
            entries.push(self.endorsement(Endorser::Trustee(index), &secret.signing_key()));
        }
        for appender in self.appenders.iter().take(self.manifest.quorum()) {
            entries.push(self.endorsement(Endorser::Authority(appender.index), &appender.key));
        }
        entries
    }

    /// An endorsement signed with any key.
    pub fn endorsement(&self, endorser: Endorser, key: &SigningKey) -> Bytes {
        let signature = Act::Endorse(endorser).sign(&self.manifest.fingerprint(), key);
        self.entry(&Body::Endorsement { endorser, signature })
    }

    /// The opening entry.
    pub fn opening(&self) -> Bytes {
        let signature = Act::Open.sign(&self.manifest.fingerprint(), &self.admin);
        self.entry(&Body::Open { signature })
    }

    /// The closing entry.
    pub fn closing(&self) -> Bytes {
        let signature = Act::Close.sign(&self.manifest.fingerprint(), &self.admin);
        self.entry(&Body::Close { signature })
    }

    /// An election that takes ballots.
    pub fn open(&self) -> Run {
        let mut run = Run { fold: Fold::new(self.id()), entries: Vec::new() };
        self.setup_entries().into_iter().for_each(|entry| run.must(entry));
        run.must(self.opening());
        run
    }

    /// A new key, of the seed, for an authority, signed by others with the keys they have now.
    ///
    /// # Panics
    /// When there are no such signers.
    pub fn succession(
        &self,
        generation: u32,
        authority: u8,
        seed: [u8; 32],
        by: &[u8],
    ) -> SignedSuccession {
        let key = SigningKey::from_seed(&seed).public().to_bytes();
        let succession = Succession { generation, authority, key };
        let fingerprint = self.manifest.fingerprint();
        let sign = |signer: &u8| {
            let key = &self.appenders[usize::from(*signer) - 1].key;
            (*signer, succession.sign(&fingerprint, *signer, key))
        };
        SignedSuccession { succession, signatures: by.iter().map(sign).collect() }
    }

    /// The authority has the key of the seed from now on, as appender and as cosigner.
    ///
    /// # Panics
    /// When there is no such authority.
    pub fn take_key(&mut self, authority: u8, seed: [u8; 32]) {
        let place = usize::from(authority) - 1;
        self.appenders[place].key = SigningKey::from_seed(&seed);
        let signer = AuthoritySigner::from_seed(self.signers[place].key().name(), &seed);
        self.signers[place] = signer.expect("a usable name");
    }

    /// The next ballot of a voter, whose chain moves on.
    ///
    /// # Panics
    /// When an answer does not fit its contest.
    pub fn cast(&mut self, voter: usize, answers: &[Answer]) -> Vec<u8> {
        let (seq, prev) = self.chains[voter];
        let ballot = self.cast_at(voter, seq, prev, answers);
        self.chains[voter] = (seq + 1, crate::wire::sha256(&[&ballot]));
        ballot
    }

    /// A ballot at any place of a voter's chain, which does not move.
    ///
    /// # Panics
    /// When an answer does not fit its contest.
    pub fn cast_at(
        &mut self,
        voter: usize,
        seq: u32,
        prev: [u8; 32],
        answers: &[Answer],
    ) -> Vec<u8> {
        let group = self.groups[voter];
        let asked = self.questions.of_group(group).iter();
        let kinds = asked.map(|&contest| &self.questions.kinds()[usize::from(contest)]);
        let choices: Vec<Choice> =
            kinds.zip(answers).map(|(kind, answer)| answer.choice(kind)).collect();
        let credential = &self.credentials[voter];
        let sealed = match &self.context {
            Some(context) => cast(context, credential, group, seq, prev, &choices, &mut self.rng),
            None => {
                let (fingerprint, place) = (self.manifest.fingerprint(), (seq, prev));
                OpenBallot::cast(fingerprint, &self.questions, credential, group, place, &choices)
            }
        };
        sealed.expect("the answers fit the contests").into_bytes()
    }

    /// A new credential for the voter who follows the last one, not on the roll yet.
    pub fn newcomer(&mut self, weight: u32, group: u8) -> Voter {
        let seed: [u8; 32] = self.rng.bytes();
        let credential = Credential::from_seed(&seed);
        let voter = Voter { credential: credential.public().to_bytes(), weight, group };
        self.credentials.push(credential);
        self.credential_seeds.push(seed);
        self.chains.push((0, [0; 32]));
        self.groups.push(group);
        voter
    }

    /// An order of the administrator as the next one of a fold.
    pub fn order(&self, fold: &Fold, order: Order) -> Bytes {
        self.order_at(STAMP, fold.next_order(), order)
    }

    /// An order with any stamp and number.
    pub fn order_at(&self, stamp: u32, number: u32, order: Order) -> Bytes {
        let signed = order.sign(number, &self.manifest.fingerprint(), &self.admin);
        self.entry_by(1, stamp, &Body::Order(signed))
    }

    /// Signs a changed ballot again, as a voter who cheats would.
    ///
    /// # Panics
    /// When there is no such voter or the ballot is shorter than a signature.
    pub fn sign_again(&self, voter: usize, ballot: &mut [u8]) {
        let (message, signature) =
            ballot.split_last_chunk_mut::<64>().expect("a ballot ends with a signature");
        let key = SigningKey::from_seed(&self.credential_seeds[voter]);
        *signature = key.sign("quorate/ballot/v1/signature", message);
    }

    /// Casts, appends and accepts a ballot.
    ///
    /// # Panics
    /// When the fold refuses it.
    pub fn vote(&mut self, run: &mut Run, voter: usize, answers: &[Answer]) {
        let ballot = self.cast(voter, answers);
        run.must(self.entry(&Body::Ballot(&ballot)));
    }

    /// A trustee's share entry for a closed election.
    ///
    /// # Panics
    /// When the election is not closed or has no such trustee.
    pub fn share(&mut self, fold: &Fold, trustee: u8) -> Bytes {
        let statement = fold.tally_statement().expect("shares come after the close");
        let secret = &self.secret_shares[usize::from(trustee) - 1];
        let share = DecryptionShare::new(statement, secret, &mut self.rng);
        self.entry(&Body::Share { trustee, share: share.as_bytes() })
    }

    /// Closes, decrypts with the first trustees, publishes, and archives with a checkpoint after
    /// the opening, one after the close and the final one.
    ///
    /// # Panics
    /// When the fold refuses something.
    pub fn finish(&mut self, mut run: Run) -> Finished {
        run.must(self.closing());
        // An open poll has a threshold of 0.
        for trustee in 1..=self.manifest.definition.threshold {
            let share = self.share(&run.fold, trustee);
            run.must(share);
        }
        let outcome = run.fold.decrypt().expect("enough shares are there");
        run.must(self.entry(&Body::Result(&outcome.encode())));
        let Run { fold, entries } = run;
        let opened = self.setup_entries().len() as u64 + 1;
        let closed = fold.tree().size() - 1 - u64::from(self.manifest.definition.threshold);
        let mut sizes = vec![opened, closed, fold.tree().size()];
        sizes.dedup();
        let archive = Bytes::from(self.archive(fold.leaves(), &sizes).encode());
        Finished { archive, trust: self.policy(), fold, entries }
    }

    /// An archive of these leaves with checkpoints at these sizes, cosigned by a quorum.
    pub fn archive(&self, leaves: &[Bytes], sizes: &[u64]) -> Archive {
        let tree = Tree::from_leaves(leaves.iter().map(|leaf| ledger::leaf_hash(leaf)));
        let checkpoints = sizes.iter().map(|size| self.checkpoint(&tree, *size)).collect();
        Archive { leaves: leaves.to_vec(), checkpoints }
    }

    /// A checkpoint cosigned by a quorum, the last authorities.
    ///
    /// # Panics
    /// When the tree is smaller.
    pub fn checkpoint(&self, tree: &Tree, size: u64) -> SignedCheckpoint {
        let root = tree.root_at(size).expect("the tree has this many leaves");
        let checkpoint = Checkpoint { origin: self.manifest.origin(), size, root };
        let mut note = SignedCheckpoint::unsigned(checkpoint.clone());
        for signer in self.signers.iter().rev().take(self.manifest.quorum()) {
            let time = u64::from(STAMP) * 60;
            note.add(signer.key(), &signer.cosign(&checkpoint, time));
        }
        note
    }

    /// The trust file.
    ///
    /// # Panics
    /// Never: the manifest was checked.
    pub fn policy(&self) -> Policy {
        self.manifest.policy().expect("the manifest was checked")
    }
}

//! Whole trustees: from the first announcement to the share of the result, and everything that
//! must be refused on the way.

use ballot::seal::{Cost, SealError};
use base::Machine;
use election::testing::{ElectionBuilder, Run, TestElection, TestRng, choose};
use election::{Act, Body, Endorser};
use ledger::SignedCheckpoint;

use crate::{Ceremony, Effect, Event, Round, SecretFile, SecretFileError, Stage, decrypt};

const CHEAP: Cost = Cost { memory_kib: 8, passes: 1, lanes: 1 };

/// The election's trustees as participants, and everything posted so far.
struct Table {
    election: TestElection,
    files: Vec<SecretFile>,
    trustees: Vec<Ceremony>,
    board: Vec<(Round, u8, Vec<u8>)>,
    endorsements: Vec<[u8; 64]>,
}

impl Table {
    fn new() -> Self {
        Self::of(ElectionBuilder::new(7).voters(3).define(|d| d.minimum_ballots = 2).build())
    }

    fn of(election: TestElection) -> Self {
        let file = |(trustee, secret): (u8, &ballot::ceremony::TrusteeSecret)| SecretFile {
            secret: secret.clone(),
            election: election.id(),
            trustee,
            attempt: 0,
            endorsed: None,
            decrypted: None,
        };
        let files: Vec<_> = (1..).zip(&election.trustees).map(file).collect();
        let join = |file| Ceremony::new(file, &election.draft).expect("a trustee");
        let trustees = files.iter().map(join).collect();
        let mut table = Self { election, files, trustees, board: vec![], endorsements: vec![] };
        for number in 1..=3 {
            table.tell(number, Event::Started);
        }
        table
    }

    /// Tells one trustee, does what it orders, and says how it answered.
    fn tell(&mut self, number: u8, event: Event) -> String {
        let at = usize::from(number) - 1;
        let mut said = Vec::new();
        for effect in self.trustees[at].step(event) {
            match effect {
                Effect::Post { round, message } => {
                    said.push(format!("post {}", round.name()));
                    self.board.push((round, number, message));
                }
                Effect::Pin { fingerprint } => {
                    said.push("pin".to_owned());
                    self.files[at].endorsed = Some(fingerprint);
                }
                Effect::Endorse { signature } => {
                    said.push("endorse".to_owned());
                    self.endorsements.push(signature);
                }
                Effect::Refused(refusal) => said.push(refusal.to_string()),
                Effect::Stopped(refusal) => said.push(format!("stopped: {refusal}")),
            }
        }
        said.join(", ")
    }

    fn posted(&self, round: Round, trustee: u8) -> Event {
        let mut posted = self.board.iter().filter(|post| (post.0, post.1) == (round, trustee));
        let message = posted.next().expect("it was posted").2.clone();
        Event::Posted { round, trustee, message }
    }

    /// Everyone sees a round.
    fn hold(&mut self, round: Round) {
        for reader in 1..=3 {
            for author in 1..=3 {
                let event = self.posted(round, author);
                self.tell(reader, event);
            }
        }
    }

    fn sealed(&self) -> Event {
        let manifest = self.election.manifest.encode();
        let fingerprint = self.election.manifest.fingerprint();
        let signature = Act::Seal.sign(&fingerprint, &self.election.admin);
        Event::Sealed { manifest, signature }
    }

    fn endorse(&mut self) {
        Round::ALL.into_iter().for_each(|round| self.hold(round));
        let sealed = self.sealed();
        for number in 1..=3 {
            assert_eq!(self.tell(number, sealed.clone()), "pin, endorse");
        }
    }

    fn checkpoint(&self, run: &Run) -> SignedCheckpoint {
        self.election.checkpoint(run.fold.tree(), run.fold.tree().size())
    }

    fn run(&mut self, voters: usize) -> Run {
        let mut run = self.election.open();
        for voter in 0..voters {
            let answers = [choose((voter % 2) as u16), choose(2)];
            self.election.vote(&mut run, voter, &answers);
        }
        run.push(self.election.closing()).expect("the administrator closes");
        run
    }

    fn decrypt(&mut self, number: u8, run: &Run) -> Result<Vec<u8>, String> {
        let note = self.checkpoint(run);
        let file = &mut self.files[usize::from(number) - 1];
        let mut rng = TestRng::new(u64::from(number), "decryption");
        let done = decrypt(file, &run.fold, &note, &mut rng).map_err(|no| no.to_string())?;
        file.decrypted = Some(done.statement);
        Ok(done.share)
    }
}

#[test]
fn two_of_three_trustees_go_from_the_ceremony_to_the_result() {
    let mut table = Table::new();
    table.endorse();
    assert!(table.trustees.iter().all(|trustee| trustee.stage() == Stage::Done));
    let posted: Vec<Vec<u8>> = {
        let mut board = table.board.clone();
        board.sort_by_key(|(round, trustee, _)| (*round, *trustee));
        board.into_iter().map(|(_, _, message)| message).collect()
    };
    assert_eq!(posted, table.election.messages, "the same secrets make the same messages");
    let manifest = &table.election.manifest;
    for (number, signature) in (1u8..).zip(&table.endorsements) {
        let act = Act::Endorse(Endorser::Trustee(number));
        assert!(act.verify(manifest, &manifest.fingerprint(), signature), "trustee {number}");
    }
    let mut run = table.run(3);
    for trustee in [3, 1] {
        let share = table.decrypt(trustee, &run).expect("it is closed and final");
        let entry = table.election.entry(&Body::Share { trustee, share: &share });
        run.push(entry).expect("an honest share");
    }
    let outcome = run.fold.decrypt().expect("two of three");
    assert_eq!(outcome.counts, [vec![2, 1, 0], vec![0, 0, 3, 0]]);
    let again = table.decrypt(1, &run).expect("the same tally again");
    assert!(!again.is_empty());
}

#[test]
fn a_restarted_trustee_repeats_its_own_bytes() {
    let mut table = Table::new();
    table.hold(Round::Announcements);
    let before = table.board.clone();
    let file = &table.files[1];
    table.trustees[1] = Ceremony::new(file, &table.election.draft).expect("a trustee");
    assert_eq!(table.tell(2, Event::Started), "post announcement");
    for author in [3, 2, 1] {
        let event = table.posted(Round::Announcements, author);
        table.tell(2, event);
    }
    let repeated: Vec<_> = table.board[before.len()..].to_vec();
    assert!(repeated.iter().all(|post| before.contains(post)), "{} posts", repeated.len());
    assert_eq!(repeated.len(), 2);
}

/// What trustee 1 answers to a message in each stage; refused ones change nothing.
#[test]
fn messages_out_of_turn_or_of_others_are_refused() {
    let mut table = Table::new();
    let sealed = table.sealed();
    let early = "A manifest has no place now: the ceremony waits for announcements, and trustee 1 \
                 endorses only what it has seen come out. (out-of-turn)";
    assert_eq!(table.tell(1, sealed.clone()), early);
    let first = table.posted(Round::Announcements, 2);
    let Event::Posted { message, .. } = first.clone() else { unreachable!("it is a post") };
    let tell = |table: &mut Table, round, trustee, message: &[u8], expect: &str| {
        let stage = table.trustees[0].stage();
        let event = Event::Posted { round, trustee, message: message.to_vec() };
        assert_eq!(table.tell(1, event), expect);
        assert_eq!(table.trustees[0].stage(), stage);
    };
    let expect = "A dealing of trustee 2 (Theo) has no place now: the ceremony waits for \
                  announcements. (out-of-turn)";
    tell(&mut table, Round::Dealings, 2, &message, expect);
    let expect = "The announcement posted under number 3 is by trustee 2 (Theo). (wrong-place)";
    tell(&mut table, Round::Announcements, 3, &message, expect);
    let expect = "This election has no trustee 4. (no-such-trustee)";
    tell(&mut table, Round::Announcements, 4, &message, expect);
    let mut changed = message.clone();
    changed[100] ^= 1;
    let refused = "In the key ceremony, trustee 2: the message is";
    let event = Event::Posted { round: Round::Announcements, trustee: 2, message: changed };
    assert!(table.tell(1, event).starts_with(refused));
    assert_eq!(table.tell(1, first.clone()), "");
    assert_eq!(
        table.tell(1, first),
        "The announcement of trustee 2 (Theo) is there already. (repeated)"
    );
    assert_eq!(table.trustees[0].missing(), [1, 3]);

    let foreign = Table::of(ElectionBuilder::new(8).build());
    let event = foreign.posted(Round::Announcements, 3);
    let other = "In the key ceremony, key ceremony: the message belongs to another ceremony or \
                 attempt. (ceremony-other)";
    assert_eq!(table.tell(1, event), other);
    assert_eq!(table.tell(1, Event::Started), "post announcement");
}

#[test]
fn each_stage_refuses_the_messages_of_the_others() {
    let mut table = Table::new();
    for (round, waits) in [(Round::Announcements, "dealing"), (Round::Dealings, "confirmation")] {
        table.hold(round);
        let late = table.posted(round, 3);
        let expect = format!(
            "A {} of trustee 3 (Thea) has no place now: the ceremony waits for {waits}s. \
             (out-of-turn)",
            round.name()
        );
        assert_eq!(table.tell(1, late), expect);
        let sealed = table.sealed();
        assert!(table.tell(1, sealed).ends_with("(out-of-turn)"));
        assert!(table.tell(1, Event::Started).ends_with("takes part already. (out-of-turn)"));
    }
    table.hold(Round::Confirmations);
    let late = table.posted(Round::Confirmations, 3);
    let complete = "This has no place now: the ceremony is complete, and nothing may follow it (a \
                    confirmation of trustee 3 (Thea) was posted). (out-of-turn)";
    assert_eq!(table.tell(1, late.clone()), complete);
    let sealed = table.sealed();
    assert_eq!(table.tell(1, sealed.clone()), "pin, endorse");
    assert!(table.tell(1, late).ends_with("the manifest endorsed. (out-of-turn)"));
    assert_eq!(table.tell(1, sealed), "");
}

#[test]
fn words_in_ones_own_name_end_the_attempt() {
    let mut table = Table::new();
    let Event::Posted { message, .. } = table.posted(Round::Announcements, 2) else {
        unreachable!("it is a post")
    };
    let stolen = Event::Posted { round: Round::Announcements, trustee: 1, message };
    let said = table.tell(1, stolen.clone());
    assert!(said.starts_with("stopped: Another announcement than yours was posted"), "{said}");
    assert_eq!(table.trustees[0].stage(), Stage::Stopped);
    assert!(table.tell(1, stolen).ends_with("(not-mine)"));
}

#[test]
fn only_the_manifest_that_came_out_is_endorsed() {
    let mut table = Table::new();
    Round::ALL.into_iter().for_each(|round| table.hold(round));
    let check = |table: &mut Table, change: &dyn Fn(&mut election::Manifest), expect: &str| {
        let mut manifest = table.election.manifest.clone();
        change(&mut manifest);
        let signature = Act::Seal.sign(&manifest.fingerprint(), &table.election.admin);
        let said = table.tell(1, Event::Sealed { manifest: manifest.encode(), signature });
        assert_eq!(said, format!("{expect} It is not endorsed. (bad-manifest)"));
    };
    let other = Table::of(ElectionBuilder::new(8).build()).election.manifest;
    let swap = other.trustees[0];
    check(
        &mut table,
        &|m| m.definition.title.push('!'),
        "The manifest has other questions or rules than the draft.",
    );
    check(
        &mut table,
        &|m| m.trustees[1].verification = swap.verification,
        "The manifest has other verification keys than the ceremony.",
    );
    check(
        &mut table,
        &|m| m.trustees[0].signing = swap.signing,
        "The manifest has another signing key than trustee 1 (Tara) announced.",
    );
    check(
        &mut table,
        &|m| m.joint_key = other.joint_key,
        "The manifest has another joint key than the ceremony.",
    );
    check(
        &mut table,
        &|m| m.ceremony_hash[0] ^= 1,
        "The manifest has another hash of the ceremony's messages.",
    );
    check(
        &mut table,
        &|m| m.ceremony_attempt = 1,
        "The manifest is of attempt 1 of the ceremony, not 0.",
    );
    let Event::Sealed { manifest, mut signature } = table.sealed() else {
        unreachable!("it is a manifest")
    };
    signature[5] ^= 1;
    let said = table.tell(1, Event::Sealed { manifest, signature });
    assert!(said.starts_with("The manifest is not signed by its administrator."), "{said}");
    table.endorse_only_once();
}

impl Table {
    /// A trustee that has endorsed another manifest before refuses this one.
    fn endorse_only_once(&mut self) {
        self.files[0].endorsed = Some(ballot::Fingerprint([9; 32]));
        self.trustees[0] = Ceremony::new(&self.files[0], &self.election.draft).expect("a trustee");
        self.tell(1, Event::Started);
        for round in Round::ALL {
            for author in 1..=3 {
                let event = self.posted(round, author);
                self.tell(1, event);
            }
        }
        let sealed = self.sealed();
        let said = self.tell(1, sealed);
        assert!(said.starts_with("You have endorsed another manifest"), "{said}");
    }
}

#[test]
fn nothing_is_decrypted_too_early_too_little_or_twice() {
    let mut table = Table::new();
    let run = table.run(1);
    let said = |table: &mut Table, run: &Run| table.decrypt(1, run).expect_err("refused");
    assert!(said(&mut table, &run).starts_with("This secret file has not endorsed any manifest"));
    table.endorse();
    let few = "Only 1 ballots count; this election is not decrypted with fewer than 2. \
               (too-few-ballots)";
    assert_eq!(said(&mut table, &run), few);
    let open = table.election.open();
    assert!(said(&mut table, &open).starts_with("The election is not closed yet"));

    table.election.chains.fill((0, [0; 32]));
    let run = table.run(3);
    let early = table.election.checkpoint(run.fold.tree(), run.fold.tree().size() - 1);
    let mut rng = TestRng::new(1, "decryption");
    let error = decrypt(&table.files[0], &run.fold, &early, &mut rng).expect_err("not final");
    assert!(error.sentence.contains("up to the close are final yet"), "{error}");
    let unsigned = SignedCheckpoint::unsigned(table.checkpoint(&run).checkpoint);
    let error = decrypt(&table.files[0], &run.fold, &unsigned, &mut rng).expect_err("unsigned");
    assert_eq!(error.code, crate::code::BAD_LEDGER);

    table.files[0].decrypted = Some([1; 32]);
    assert!(said(&mut table, &run).starts_with("You have decrypted another tally"));
    table.files[0].decrypted = None;
    table.files[0].trustee = 2;
    assert!(said(&mut table, &run).ends_with("(ceremony-not-mine)"));
}

#[test]
fn a_secret_file_remembers_what_was_signed_and_decrypted() {
    let mut rng = TestRng::new(1, "file");
    let mut file = SecretFile::generate(election::ElectionId([3; 16]), 2, 1, &mut rng);
    for (endorsed, decrypted) in
        [(None, None), (Some([4; 32]), None), (Some([4; 32]), Some([5; 32]))]
    {
        file.endorsed = endorsed.map(ballot::Fingerprint);
        file.decrypted = decrypted;
        let sealed = file.seal("correct horse", CHEAP, &mut rng).expect("the cost is allowed");
        let opened = SecretFile::open(&sealed, "correct horse").expect("its passphrase");
        assert_eq!(opened.secret.as_bytes(), file.secret.as_bytes());
        assert_eq!((opened.election, opened.trustee, opened.attempt), (file.election, 2, 1));
        assert_eq!((opened.endorsed, opened.decrypted), (file.endorsed, file.decrypted));
        let error = SecretFile::open(&sealed, "battery staple").err();
        assert_eq!(error, Some(SecretFileError::Seal(SealError::Passphrase)));
    }
    let other = ballot::seal::seal(b"something else", "p", CHEAP, &mut rng).expect("sealed");
    let error = SecretFile::open(&other, "p").err().expect("no secret file");
    assert_eq!(error.to_string(), "the sealed secret is not a trustee's");
}

#[test]
fn a_share_that_does_not_fit_ends_the_attempt_with_the_dealers_name() {
    let mut table = Table::new();
    table.hold(Round::Announcements);
    let secret = table.election.trustees[1].clone();
    let dealing = table.board.iter_mut().find(|post| (post.0, post.1) == (Round::Dealings, 2));
    let (_, _, message) = dealing.expect("trustee 2 has dealt");
    // The last thing before the signature are the shares for trustees 1 and 3.
    message.truncate(message.len() - 64);
    let at = message.len() - 96;
    message[at] ^= 1;
    let signature = secret.signing_key().sign("quorate/ceremony/v1/dealing", message);
    message.extend_from_slice(&signature);
    let mut said = Vec::new();
    for reader in [1, 3] {
        for author in [1, 2, 3] {
            let event = table.posted(Round::Dealings, author);
            said.push(table.tell(reader, event));
        }
    }
    let expect = "post confirmation, stopped: The share that trustee 2 (Theo) dealt to you does \
                  not fit its commitments. Your complaint is posted; the ceremony must start again \
                  with the next attempt. (complaint)";
    assert_eq!(said[2], expect);
    assert_eq!(said[5], "post confirmation", "the share for trustee 3 fits");
    let complaint = table.posted(Round::Confirmations, 1);
    let expect = "stopped: Trustee 1 (Tara) complains about trustee 2 (Theo): the share dealt by \
                  trustee 2 (Theo) does not fit. The ceremony must start again with the next \
                  attempt. (complaint)";
    assert_eq!(table.tell(3, complaint), expect);
}

//! The election's formats, frozen in `spec/vectors/election.json` (`BLESS=1` writes the file; read
//! the difference before committing), and a test that opens what an earlier version wrote.

use std::fs;

use bytes::Bytes;
use election::{
    Act, Archive, Body, Contest, ElectionId, Electors, Endorser, Entry, Fold, Majority, Manifest,
    Order, Phase, Rule, SignedRefusal,
    keys::Key,
    testing::{
        Answer, ElectionBuilder, Finished, Run, STAMP, TestElection, choose, choose_all,
        choose_list, score,
    },
};
use serde_json::{Value, json};
use testkit::{hex, repo_root};

fn unhex(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap();
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

#[test]
fn the_frozen_vectors_still_hold() {
    let file = repo_root().join("spec/vectors/election.json");
    let now = serde_json::to_string_pretty(&vectors()).unwrap() + "\n";
    if std::env::var_os("BLESS").is_some() {
        fs::write(&file, &now).unwrap();
    }
    let frozen = fs::read_to_string(&file).expect("spec/vectors/election.json; BLESS=1 writes it");
    assert!(frozen == now, "spec/vectors/election.json no longer describes the code");
    reopen(&serde_json::from_str(&frozen).unwrap());
}

#[test]
fn every_refusal_code_is_in_the_specification() {
    let spec = fs::read_to_string(repo_root().join("spec/election.md")).unwrap();
    for code in election::refusal::code::ALL {
        assert!(spec.contains(&format!("`{code}`")), "{code}");
    }
}

/// Reads everything back from the file alone.
fn reopen(frozen: &Value) {
    let archive = Archive::decode(&Bytes::from(unhex(&frozen["archive"]))).unwrap();
    let manifest = Manifest::decode(&unhex(&frozen["manifest"])).unwrap();
    assert_eq!(hex(&manifest.fingerprint().0), frozen["fingerprint"]);
    let mut fold = Fold::new(manifest.id);
    for leaf in &archive.leaves {
        fold.push(leaf).unwrap();
    }
    assert_eq!(fold.phase(), Phase::Published);
    assert_eq!(json!(fold.result().unwrap().counts), frozen["counts"]);
    assert_eq!(fold.tree().root().to_string(), frozen["root"]);
    let refusal = SignedRefusal::decode(&unhex(&frozen["refusal"])).unwrap();
    let authority = manifest.authority(refusal.authority).unwrap();
    let key = ballot::signature::PublicKey::from_bytes(authority.key.public()).unwrap();
    assert!(refusal.verify(&key));
    for other in frozen["others"].as_array().unwrap() {
        let archive = Archive::decode(&Bytes::from(unhex(&other["archive"]))).unwrap();
        let manifest = match Entry::decode(&archive.leaves[0]).unwrap().body {
            Body::Manifest { manifest, .. } => Manifest::decode(manifest).unwrap(),
            _ => panic!("leaf 0 is the manifest"),
        };
        let mut fold = Fold::new(manifest.id);
        for leaf in &archive.leaves {
            fold.push(leaf).unwrap();
        }
        assert_eq!(result(&fold), other["result"]);
    }
}

/// The result as verifiers report it (`spec/verification.md`).
fn result(fold: &Fold) -> Value {
    let outcome = fold.result().unwrap();
    let electors =
        |one: &Electors| json!({ "voters": one.voters, "weight": one.weight.to_string() });
    let texts = |counts: &Vec<u64>| counts.iter().map(u64::to_string).collect::<Vec<_>>();
    let decided = outcome.decisions(&fold.manifest().unwrap().definition).into_iter();
    let contests = outcome.participation.iter().zip(decided).map(|(part, decided)| {
        json!({
            "eligible": electors(&part.eligible),
            "ballots": electors(&part.ballots),
            "paper": electors(&part.paper),
            "finding": decided.finding.name(),
            "winners": decided.winners,
            "tied": decided.tied,
        })
    });
    json!({
        "ballots": outcome.ballots,
        "weight": outcome.weight.to_string(),
        "counts": outcome.counts.iter().map(texts).collect::<Vec<_>>(),
        "contests": contests.collect::<Vec<_>>(),
    })
}

fn other(name: &str, finished: &Finished) -> Value {
    json!({
        "name": name,
        "archive": hex(&finished.archive),
        "trust_file": finished.trust.to_string(),
        "result": result(&finished.fold),
    })
}

/// Three contests, of two groups, with every kind of answer.
fn rich(seed: u64) -> ElectionBuilder {
    ElectionBuilder::new(seed)
        .voters(6)
        .classes(|voter| voter + 1, |voter| 1 + (voter % 2) as u8)
        .define(|d| {
            let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
            d.groups = names(&["Students", "Staff"]);
            let merit = Rule::Score { highest: 3, min: 1, max: 4 };
            let mut merit = Contest::new("Merit", merit, &["Ann", "Bob"]);
            (merit.blank, merit.groups) = (true, vec![1]);
            merit.decision.majority = Majority::Absolute;
            let candidates = vec![names(&["Cyd", "Dan"]), names(&["Eve"])];
            let council = Rule::Lists { candidates, min: 0, max: 1 };
            let mut council = Contest::new("Council", council, &["Greens", "Blues"]);
            council.decision.quorum_percent = 90;
            d.contests.truncate(1);
            d.contests.extend([merit, council]);
            (d.roll_changes, d.paper, d.minimum_ballots) = (true, true, 2);
            (d.closes, d.extendable_until) = (Some(STAMP + 5), Some(STAMP + 9));
        })
}

/// Every order, votes again, and a contest that too few answered.
fn orders() -> Value {
    let mut election = rich(2027).build();
    let mut run = election.open();
    let order = |election: &TestElection, run: &mut Run, order: Order| {
        let entry = election.order(&run.fold, order);
        run.push(entry).unwrap();
    };
    election.vote(&mut run, 1, &[choose(0), choose_list(0, &[])]);
    order(&election, &mut run, Order::Reset);
    order(&election, &mut run, Order::Pause);
    order(&election, &mut run, Order::Resume);
    let newcomer = election.newcomer(9, 1);
    order(&election, &mut run, Order::Add(newcomer));
    let key =
        |election: &TestElection, voter: usize| election.credentials[voter].public().to_bytes();
    let new = election.newcomer(4, 2).credential;
    let old = key(&election, 3);
    order(&election, &mut run, Order::Replace { old, new });
    let credential = key(&election, 2);
    order(&election, &mut run, Order::Withdraw { credential });
    order(&election, &mut run, Order::Extend { closes: STAMP + 9 });
    let credential = key(&election, 5);
    order(&election, &mut run, Order::MarkPaper { credential });
    let first = election.cast_at(1, 0, [0; 32], &[choose(1), choose_list(1, &[0])]);
    run.push(election.entry(&Body::Ballot(&first))).unwrap();
    election.vote(&mut run, 0, &[choose(0), score(&[3, 1]), choose_list(0, &[1])]);
    election.vote(&mut run, 0, &[choose(2), score(&[1, 3]), choose_list(0, &[])]);
    election.vote(&mut run, 7, &[Answer::Blank, choose_list(0, &[0])]);
    other("every kind and order", &election.finish(run))
}

fn open_poll() -> Value {
    let mut election = rich(2028).open_poll().build();
    let mut run = election.open();
    election.vote(&mut run, 0, &[choose(0), score(&[3, 1]), choose_list(0, &[1])]);
    election.vote(&mut run, 1, &[choose(1), choose_list(1, &[])]);
    election.vote(&mut run, 0, &[choose(1), Answer::Blank, choose_list(0, &[])]);
    other("an open poll", &election.finish(run))
}

/// An authority lost its key before the opening, and appends and cosigns with the new one.
fn new_key() -> Value {
    let mut election = ElectionBuilder::new(2029).voters(2).authorities(4, 1).build();
    let mut run = Run { fold: Fold::new(election.id()), entries: Vec::new() };
    for entry in election.setup_entries() {
        run.push(entry).unwrap();
    }
    let body = election.succession(1, 4, [44; 32], &[1, 2, 3]).encode();
    run.push(election.entry(&Body::AuthorityKey(&body))).unwrap();
    election.take_key(4, [44; 32]);
    run.push(election.opening()).unwrap();
    let ballot = election.cast(0, &[choose(1), choose_all(&[1])]);
    run.push(election.entry_by(4, STAMP, &Body::Ballot(&ballot))).unwrap();
    let mut described = other("a new key of an authority", &election.finish(run));
    described["succession"] = json!(hex(&body));
    described
}

fn vectors() -> Value {
    let mut election = ElectionBuilder::new(2026).voters(3).classes(|v| v + 1, |v| v as u8).build();
    let mut run = election.open();
    election.vote(&mut run, 0, &[choose(0), choose_all(&[])]);
    election.vote(&mut run, 1, &[choose(1), choose_all(&[0, 2])]);
    election.vote(&mut run, 0, &[choose(2), choose(1)]);
    let finished = election.finish(run);
    let manifest = &election.manifest;
    let fingerprint = manifest.fingerprint();
    let refusal = SignedRefusal {
        election: election.id(),
        entry: 12,
        entry_hash: [1; 32],
        ballot_hash: [2; 32],
        code: "too-late".to_owned(),
        sentence: "The election is closed.".to_owned(),
        authority: 2,
        signature: [0; 64],
    }
    .sign(&election.appenders[1].key);
    let trustee = election.trustees[0].signing_key();
    let kinds = finished.fold.leaves().iter().map(|leaf| {
        let entry = Entry::decode(leaf).unwrap();
        entry.body.kind().name()
    });
    json!({
        "note": "hex unless a text; made by the seeded builder of crates/election, seed 2026",
        "election_id": election.id().to_string(),
        "draft": hex(&election.draft.encode()),
        "manifest": hex(&manifest.encode()),
        "fingerprint": hex(&fingerprint.0),
        "roll_chunks": election.roll.chunks().iter().map(|chunk| hex(chunk)).collect::<Vec<_>>(),
        "roll_root": hex(&manifest.roll.root),
        "signatures": {
            "seal": hex(&Act::Seal.sign(&fingerprint, &election.admin)),
            "trustee_1": hex(&Act::Endorse(Endorser::Trustee(1)).sign(&fingerprint, &trustee)),
            "open": hex(&Act::Open.sign(&fingerprint, &election.admin)),
            "close": hex(&Act::Close.sign(&fingerprint, &election.admin)),
        },
        "kinds": kinds.collect::<Vec<_>>(),
        "counts": finished.fold.result().unwrap().counts,
        "root": finished.fold.tree().root().to_string(),
        "refusal": hex(&refusal.encode()),
        "trust_file": finished.trust.to_string(),
        "store_key": hex(&Key::Entry(7).of(ElectionId([0xab; 16]))),
        "archive": hex(&finished.archive),
        "others": [orders(), open_poll(), new_key()],
    })
}

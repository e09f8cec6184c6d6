//! The election's formats, frozen in `spec/vectors/election.json` (`BLESS=1` writes the file; read
//! the difference before committing), and a test that opens what an earlier version wrote.

use std::fs;

use bytes::Bytes;
use election::{
    Act, Archive, ElectionId, Endorser, Entry, Fold, Manifest, Phase, SignedRefusal,
    keys::Key,
    testing::{ElectionBuilder, choose, choose_all},
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
    })
}

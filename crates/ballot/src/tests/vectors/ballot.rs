//! Whole ballots with their hashes, and ballots that must be refused.

use serde_json::{Value, json};
use std::vec;
use std::vec::Vec;

use super::{TestRng, array, bytes, draws, frozen, hex, list, number, text};
use crate::parsed::{HEADER_LEN, SIGNATURE_LEN};
use crate::tests::World;
use crate::tests::attacks::sign_again;
use crate::*;

pub(super) fn rule(kind: &ContestKind) -> Value {
    match *kind {
        ContestKind::One { options } => json!({ "kind": "one", "options": options }),
        ContestKind::Some { options, min, max } => {
            json!({ "kind": "some", "options": options, "min": min, "max": max })
        }
    }
}

fn choice(choice: &Choice) -> Value {
    match choice {
        Choice::One(option) => json!(option),
        Choice::Some(options) => json!(options),
    }
}

fn read_rule(rule: &Value) -> ContestKind {
    let field = |name| number(&rule[name]) as u16;
    match text(&rule["kind"]) {
        "one" => ContestKind::One { options: field("options") },
        "some" => {
            let [options, min, max] = ["options", "min", "max"].map(field);
            ContestKind::Some { options, min, max }
        }
        other => panic!("kind {other}"),
    }
}

pub(super) fn context_vector(context: &BallotContext) -> Value {
    json!({
        "fingerprint": hex(context.fingerprint().0),
        "election_key": hex(context.election_key().to_bytes()),
        "contests": context.contests().iter().map(rule).collect::<Value>(),
        "context_digest": hex(context.digest()),
        "ballot_len": context.ballot_len(),
    })
}

pub(super) fn read_context(vector: &Value) -> BallotContext {
    let contests = list(&vector["contests"]).iter().map(read_rule).collect();
    let key = ElectionKey::from_bytes(array(&vector["election_key"])).expect("a key");
    let context = BallotContext::new(Fingerprint(array(&vector["fingerprint"])), key, contests);
    let context = context.expect("a context");
    assert_eq!(context.digest()[..], bytes(&vector["context_digest"]));
    assert_eq!(context.ballot_len() as u64, number(&vector["ballot_len"]));
    context
}

fn cases() -> Vec<(ContestKind, Choice)> {
    let some =
        |options, min, max, chosen| (ContestKind::Some { options, min, max }, Choice::Some(chosen));
    vec![
        (ContestKind::One { options: 5 }, Choice::One(3)),
        (ContestKind::One { options: 1 }, Choice::One(0)),
        some(4, 1, 3, vec![3, 0]),
        some(3, 2, 2, vec![1, 2]),
        some(3, 0, 3, vec![]),
        some(2, 0, 1, vec![]),
    ]
}

/// One ballot with everything that is hashed on the way.
fn accepted(world: &mut World, seed: u8, choices: &[Choice]) -> (Value, Vec<u8>) {
    let credential = Credential::from_seed(&[seed; 32]);
    let (seq, prev) = (u32::from(seed), [seed; 32]);
    world.rng.draws.clear();
    let sealed = cast(&world.context, &credential, seq, prev, choices, &mut world.rng);
    let sealed = sealed.expect("a ballot");
    let ballot = world.parse(sealed.as_bytes()).expect("canonical");
    assert_eq!(world.verdict(sealed.as_bytes()), Ok(()));
    // The verdict draws weights, which are no part of the ballot: one draw is 64 bytes.
    world.rng.draws.retain(|draw| draw.len() == 64);
    let (statement, committed, challenges) = ballot.hashes();
    let vector = json!({
        "credential_seed": hex([seed; 32]),
        "credential": hex(ballot.credential()),
        "seq": seq,
        "prev": hex(prev),
        "choices": choices.iter().map(choice).collect::<Value>(),
        "draws": draws(&mut world.rng),
        "statement_digest": hex(statement),
        "commitments_digest": hex(committed),
        "challenges": challenges.iter().map(|c| hex(c.as_bytes())).collect::<Value>(),
        "ballot": hex(sealed.as_bytes()),
        "hash": hex(sealed.hash()),
        "tracker": std::string::ToString::to_string(&sealed.tracker()),
    });
    (vector, sealed.into_bytes())
}

/// Changed copies of a ballot of one five-option contest, by credential `[1; 32]`.
fn refused(world: &mut World, original: &[u8]) -> Value {
    let end = original.len() - SIGNATURE_LEN;
    let body = HEADER_LEN + 1;
    let mut list = Vec::new();
    let mut add = |name: &str, signer: Option<u8>, change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = original.to_vec();
        change(&mut bytes);
        if let Some(seed) = signer {
            sign_again(&mut bytes, &Credential::from_seed(&[seed; 32]));
        }
        let code = world.verdict(&bytes).expect_err(name).code();
        list.push(json!({ "name": name, "ballot": hex(&bytes), "expect": code }));
    };
    add("one byte more", None, &|bytes| bytes.push(0));
    add("version 2", Some(1), &|bytes| bytes[0] = 2);
    add("another election", Some(1), &|bytes| bytes[1] ^= 1);
    add("another kind", Some(1), &|bytes| bytes[HEADER_LEN] = 2);
    add("a is the identity", Some(1), &|bytes| bytes[body..body + 32].fill(0));
    add("b is not canonical", Some(1), &|bytes| bytes[body + 32..body + 64].fill(0xff));
    add("a response is not canonical", Some(1), &|bytes| bytes[end - 32..end].fill(0xff));
    add("prev changed, not signed again", None, &|bytes| bytes[70] ^= 1);
    add("prev changed, signed again", Some(1), &|bytes| bytes[70] ^= 1);
    add("seq changed, signed again", Some(1), &|bytes| bytes[65] ^= 1);
    add("copied by another credential", Some(2), &|_| ());
    add("ciphertexts exchanged", Some(1), &|bytes| bytes[body..body + 128].rotate_left(64));
    add("a response changed", Some(1), &|bytes| bytes[end - 32] ^= 1);
    add("S of the signature changed", None, &|bytes| bytes[end + 32] ^= 1);
    add("credential not canonical", None, &|bytes| bytes[33..65].fill(0xff));
    list.into_iter().collect()
}

fn vectors() -> Value {
    let mut elections = Vec::new();
    for (seed, (kind, choice)) in (1..).zip(cases()) {
        let mut world = World::new(vec![kind]);
        world.rng = TestRng::new(seed.into(), "vectors");
        let (ballot, sealed) = accepted(&mut world, seed, &[choice]);
        let mut election = context_vector(&world.context);
        election["ballots"] = json!([ballot]);
        if seed == 1 {
            election["refused"] = refused(&mut world, &sealed);
        }
        elections.push(election);
    }
    let (kinds, choices): (Vec<_>, Vec<_>) = cases().into_iter().unzip();
    let mut world = World::new(kinds);
    world.rng = TestRng::new(99, "vectors");
    let (ballot, _) = accepted(&mut world, 7, &choices);
    let mut election = context_vector(&world.context);
    election["ballots"] = json!([ballot]);
    elections.push(election);
    json!({ "elections": elections })
}

#[test]
fn ballots() {
    let file = frozen("ballot.json", &vectors());
    let mut rng = TestRng::new(1, "weights");
    for election in list(&file["elections"]) {
        let context = read_context(election);
        for vector in list(&election["ballots"]) {
            let ballot = ParsedBallot::parse(bytes(&vector["ballot"]), &context).expect("accepted");
            assert_eq!(ballot.verify_signature(), Ok(()));
            assert_eq!(ballot.verify_proofs(), Ok(()));
            assert_eq!(batch::verify(&[&ballot], &context, &mut rng), Ok(()));
            assert_eq!(ballot.hash()[..], bytes(&vector["hash"]));
            let tracker: Tracker = text(&vector["tracker"]).parse().expect("a tracker");
            assert_eq!(ballot.tracker(), tracker);
        }
        let refused: &[Value] = election.get("refused").map_or(&[], |value| list(value));
        for vector in refused {
            let checked = ParsedBallot::parse(bytes(&vector["ballot"]), &context)
                .and_then(|ballot| ballot.verify_signature().and_then(|()| ballot.verify_proofs()));
            let code = checked.expect_err("refused").code();
            assert_eq!(code, text(&vector["expect"]), "{}", vector["name"]);
        }
    }
}

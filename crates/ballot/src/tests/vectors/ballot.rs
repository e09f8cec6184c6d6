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
    match kind {
        ContestKind::One { options } => json!({ "kind": "one", "options": options }),
        ContestKind::Some { options, min, max, blank } => {
            json!({ "kind": "some", "options": options, "min": min, "max": max, "blank": blank })
        }
        ContestKind::Score { options, highest, min, max, blank } => json!({
            "kind": "score", "options": options, "highest": highest, "min": min, "max": max,
            "blank": blank,
        }),
        ContestKind::Lists { candidates, min, max, blank } => json!({
            "kind": "lists", "candidates": candidates, "min": min, "max": max, "blank": blank,
        }),
    }
}

fn choice(choice: &Choice) -> Value {
    match choice {
        Choice::One(option) => json!(option),
        Choice::Some(options) => json!(options),
        Choice::Score(scores) => json!({ "scores": scores }),
        Choice::List(list, candidates) => json!({ "list": list, "candidates": candidates }),
        Choice::Blank => json!("blank"),
    }
}

fn read_rule(rule: &Value) -> ContestKind {
    let field = |name: &str| number(&rule[name]) as u16;
    let blank = rule["blank"] == true;
    let [options, min, max] = if text(&rule["kind"]) == "one" || rule["options"].is_null() {
        [0; 3]
    } else {
        ["options", "min", "max"].map(field)
    };
    match text(&rule["kind"]) {
        "one" => ContestKind::One { options: field("options") },
        "some" => ContestKind::Some { options, min, max, blank },
        "score" => ContestKind::Score { options, highest: field("highest"), min, max, blank },
        "lists" => ContestKind::Lists {
            candidates: list(&rule["candidates"]).iter().map(|one| number(one) as u16).collect(),
            min: field("min"),
            max: field("max"),
            blank,
        },
        other => panic!("kind {other}"),
    }
}

fn groups_of(contest: usize, questions: &Contests) -> Vec<u8> {
    let asked = |group: &u8| questions.of_group(*group).contains(&(contest as u16));
    let groups: Vec<u8> = (0..=u8::MAX).filter(asked).collect();
    if groups.len() == 256 { Vec::new() } else { groups }
}

/// Name, key and contests of an election, with what follows for ballots of a group.
pub(super) fn context_vector(context: &BallotContext, group: u8) -> Value {
    let contests = context.contests().iter().enumerate().map(|(at, kind)| {
        let mut rule = rule(kind);
        rule["groups"] = json!(groups_of(at, context.questions()));
        rule
    });
    json!({
        "fingerprint": hex(context.fingerprint().0),
        "election_key": hex(context.election_key().to_bytes()),
        "contests": contests.collect::<Value>(),
        "group": group,
        "context_digest": hex(context.group_digest(group)),
        "ballot_len": context.ballot_len(group),
    })
}

fn read_contests(vector: &Value) -> Contests {
    let groups = |rule: &Value| list(&rule["groups"]).iter().map(|one| number(one) as u8).collect();
    let contests = list(&vector["contests"]).iter().map(|rule| (read_rule(rule), groups(rule)));
    Contests::new(contests.collect()).expect("contests")
}

pub(super) fn read_context(vector: &Value) -> BallotContext {
    let key = ElectionKey::from_bytes(array(&vector["election_key"])).expect("a key");
    let fingerprint = Fingerprint(array(&vector["fingerprint"]));
    let context = BallotContext::with_contests(fingerprint, key, read_contests(vector));
    let group = number(&vector["group"]) as u8;
    assert_eq!(context.group_digest(group)[..], bytes(&vector["context_digest"]));
    assert_eq!(context.ballot_len(group) as u64, number(&vector["ballot_len"]));
    context
}

fn cases() -> Vec<(ContestKind, Choice)> {
    let some = |options, min, max, chosen| {
        (ContestKind::Some { options, min, max, blank: false }, Choice::Some(chosen))
    };
    let score = |min, max, blank, choice| {
        (ContestKind::Score { options: 3, highest: 4, min, max, blank }, choice)
    };
    let lists = |blank, choice| {
        (ContestKind::Lists { candidates: vec![2, 3], min: 1, max: 2, blank }, choice)
    };
    let some_or_blank = ContestKind::Some { options: 2, min: 1, max: 1, blank: true };
    vec![
        (ContestKind::One { options: 5 }, Choice::One(3)),
        (ContestKind::One { options: 1 }, Choice::One(0)),
        some(4, 1, 3, vec![3, 0]),
        some(3, 2, 2, vec![1, 2]),
        some(3, 0, 3, vec![]),
        some(2, 0, 1, vec![]),
        (some_or_blank.clone(), Choice::Some(vec![1])),
        (some_or_blank, Choice::Blank),
        score(0, 12, false, Choice::Score(vec![4, 0, 2])),
        score(3, 6, true, Choice::Score(vec![0, 4, 1])),
        score(3, 6, true, Choice::Blank),
        lists(false, Choice::List(1, vec![2, 0])),
        lists(true, Choice::List(0, vec![1])),
        lists(true, Choice::Blank),
    ]
}

/// One ballot with everything that is hashed on the way.
fn accepted(world: &mut World, seed: u8, group: u8, choices: &[Choice]) -> (Value, Vec<u8>) {
    let credential = Credential::from_seed(&[seed; 32]);
    let (seq, prev) = (u32::from(seed), [seed; 32]);
    world.rng.draws.clear();
    let sealed = cast(&world.context, &credential, group, seq, prev, choices, &mut world.rng);
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
        let (ballot, sealed) = accepted(&mut world, seed, 0, &[choice]);
        let mut election = context_vector(&world.context, 0);
        election["ballots"] = json!([ballot]);
        if seed == 1 {
            election["refused"] = refused(&mut world, &sealed);
        }
        elections.push(election);
    }
    // All kinds at once; then the contests of one group only.
    for (seed, group) in [(99, 0_u8), (100, 2)] {
        let numbered = cases().into_iter().enumerate();
        let asked = |at: usize| group == 0 || at % 3 == 0;
        let groups = |at: usize| if asked(at) { vec![group] } else { vec![1] };
        let contests = numbered.clone().map(|(at, (kind, _))| (kind, groups(at))).collect();
        let choices: Vec<_> =
            numbered.filter(|(at, _)| asked(*at)).map(|(_, (_, choice))| choice).collect();
        let mut world = World::grouped(contests);
        world.rng = TestRng::new(seed, "vectors");
        let (ballot, _) = accepted(&mut world, 7, group, &choices);
        let mut election = context_vector(&world.context, group);
        election["ballots"] = json!([ballot]);
        elections.push(election);
    }
    json!({ "elections": elections, "open": open() })
}

/// A ballot of an open poll with every kind.
fn open() -> Value {
    let (kinds, choices): (Vec<_>, Vec<_>) = cases().into_iter().unzip();
    let contests = Contests::new(kinds.into_iter().map(|kind| (kind, vec![])).collect());
    let contests = contests.expect("contests");
    let (credential, fingerprint) = (Credential::from_seed(&[8; 32]), Fingerprint([9; 32]));
    let place = (5, [6; 32]);
    let sealed = OpenBallot::cast(fingerprint, &contests, &credential, 3, place, &choices);
    let sealed = sealed.expect("a ballot");
    let rules = contests.kinds().iter().map(|kind| {
        let mut rule = rule(kind);
        rule["groups"] = json!([]);
        rule
    });
    let read = OpenBallot::parse(sealed.as_bytes(), fingerprint, &contests);
    let read = read.map_err(|error| error.code()).expect("canonical");
    json!({
        "fingerprint": hex(fingerprint.0),
        "contests": rules.collect::<Value>(),
        "credential_seed": hex([8; 32]),
        "group": 3,
        "seq": place.0,
        "prev": hex(place.1),
        "choices": choices.iter().map(choice).collect::<Value>(),
        "values": read.values(),
        "ballot": hex(sealed.as_bytes()),
    })
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
    let open = &file["open"];
    let (contests, fingerprint) = (read_contests(open), Fingerprint(array(&open["fingerprint"])));
    let ballot = OpenBallot::parse(bytes(&open["ballot"]), fingerprint, &contests);
    let ballot = ballot.map_err(|error| error.code()).expect("accepted");
    assert_eq!(ballot.verify_signature(), Ok(()));
    assert_eq!(json!(ballot.values()), open["values"]);
}

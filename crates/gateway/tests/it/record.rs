//! The public record over HTTP: rounds, refusals, turnout over time, tiles.

use crate::feed::serve_entries;
use crate::server::Server;
use crate::tools::read_tiles;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use election::ElectionId;
use election::entry::Body;
use election::testing::{ElectionBuilder, STAMP, TestElection, choose};
use gateway::Settings;
use serde_json::{Value, json};

/// More leaves than fit one tile.
const BALLOTS: usize = 260;

struct Record {
    servers: Vec<Server>,
    election: TestElection,
    id: ElectionId,
    /// The tracker of a ballot that was changed on its way into the ledger.
    broken: String,
}

/// Two of three authorities hold an open election with ballots: three in the first minute, the
/// others in the second, the last voter again, and one that somebody has changed.
fn voted(ballots: usize) -> Record {
    let voters = u32::try_from(ballots).expect("few");
    let election = ElectionBuilder::new(9).voters(voters).build();
    let mut election = authority::testing::own_keys(election);
    let mut entries = election.setup_entries();
    entries.push(election.opening());
    let mut last = Vec::new();
    for voter in (0..ballots).chain([ballots - 1]) {
        let ballot = election.cast(voter, &[choose(0), choose(0)]);
        let stamp = STAMP + u32::from(voter >= 3);
        entries.push(election.entry_by(1, stamp, &Body::Ballot(&ballot)));
        last = ballot;
    }
    let end = last.len() - 1;
    last[end] ^= 1;
    let broken = ballot::Tracker::of_hash(&authority::testing::sha256(&last)).to_string();
    entries.push(election.entry_by(2, STAMP + 1, &Body::Ballot(&last)));
    let id = election.id();
    let settings = Settings::default();
    let servers = serve_entries(id, &entries, settings);
    let leaves = entries.len() - 1;
    for server in &servers {
        server.wait(|| show(server, id, "")["final_size"] == json!(leaves));
    }
    Record { servers, election, id, broken }
}

fn show(server: &Server, id: ElectionId, what: &str) -> Value {
    server.get(&format!("/api/v1/elections/{id}{what}")).expect(200).json()
}

#[test]
fn a_page_of_an_election_finds_everything_in_one_answer() {
    let Record { servers, election, id, .. } = voted(5);
    let shown = show(&servers[1], id, "");
    let leaves = shown["leaves"].as_u64().expect("a number");
    let counts = json!({
        "entries": leaves + 1, "leaves": leaves, "final": leaves, "refused": 1, "waiting": 0,
    });
    assert_eq!(shown["counts"], counts);
    let checkpoint = shown["checkpoint"].as_str().expect("a checkpoint");
    assert!(checkpoint.starts_with(&election.manifest.origin()), "{checkpoint}");
    let trustees = shown["trustees"].as_array().expect("trustees");
    assert_eq!(trustees.len(), election.manifest.definition.trustees.len());
    for (trustee, name) in trustees.iter().zip(&election.manifest.definition.trustees) {
        let state = (&trustee["name"], &trustee["endorsed"], &trustee["shared"]);
        assert_eq!(state, (&json!(name), &json!(true), &json!(false)));
    }
    let acts = shown["acts"].as_array().expect("acts");
    let opening = acts.iter().find(|act| act["kind"] == "opening").expect("it is open");
    assert_eq!((&opening["stamp"], &opening["appender"]), (&json!(STAMP), &json!(1)));
    assert_eq!(shown["alarms"], 0);

    let electors = |voters: u32| json!({ "voters": voters, "weight": voters });
    let part = json!({ "eligible": electors(5), "ballots": electors(5), "paper": electors(0) });
    let turnout = &shown["turnout"];
    assert_eq!(turnout["contests"], json!([part, part]));
    let class = json!({ "group": 0, "weight": 1, "voters": 5, "voted": 5, "paper": 0 });
    assert_eq!((&turnout["classes"], &turnout["live"]), (&json!([class]), &Value::Null));
    let contest = &shown["definition"]["contests"][0];
    assert_eq!((&contest["majority"], &contest["tie"]), (&json!("relative"), &json!("lot")));

    let curve = show(&servers[0], id, "/turnout");
    let step = |minute: u32, voters: u64, ballots: u64| json!({ "minute": minute, "voters": voters, "ballots": ballots });
    assert_eq!(curve["counts"], json!([step(STAMP, 3, 3), step(STAMP + 1, 2, 3)]));
    assert_eq!(curve["turnout"]["ballots"], 6);
    let since = show(&servers[0], id, &format!("/turnout?since={}", STAMP + 1));
    assert_eq!(since["counts"], json!([step(STAMP + 1, 2, 3)]));
    let hours = show(&servers[0], id, "/turnout?step=60")["counts"].clone();
    let sum = |field: &str| -> u64 {
        hours.as_array().into_iter().flatten().filter_map(|step| step[field].as_u64()).sum()
    };
    assert_eq!((sum("voters"), sum("ballots")), (5, 6));
}

#[test]
fn an_open_poll_shows_its_counts_under_a_signed_checkpoint() {
    let election = ElectionBuilder::new(10).voters(3).classes(|at| at + 1, |_| 0).open_poll();
    let mut election = authority::testing::own_keys(election.build());
    let mut entries = election.setup_entries();
    entries.push(election.opening());
    for (voter, option) in [(0, 0), (2, 1), (0, 1)] {
        let ballot = election.cast(voter, &[choose(option), choose(0)]);
        entries.push(election.entry(&Body::Ballot(&ballot)));
    }
    let id = election.id();
    let servers = serve_entries(id, &entries, Settings::default());
    servers[0].wait(|| show(&servers[0], id, "")["final_size"] == json!(entries.len()));
    let live = show(&servers[0], id, "")["turnout"]["live"].clone();
    assert_eq!(live["counts"], json!([[0, 4, 0], [4, 0, 0, 0]]));
    assert_eq!(live["size"], json!(entries.len()));
    let checkpoint = live["checkpoint"].as_str().expect("a checkpoint");
    let note = ledger::SignedCheckpoint::parse(checkpoint.as_bytes()).expect("a note");
    assert_eq!(note.checkpoint.size, entries.len() as u64);
    assert!(election.policy().verify(&note).is_ok(), "{checkpoint}");

    // With the closing and the result the rules decide.
    entries.push(election.closing());
    let mut run = election.open();
    for entry in &entries[election.setup_entries().len() + 1..] {
        run.push(entry.clone()).expect("an honest entry");
    }
    let outcome = run.fold.decrypt().expect("an open poll needs no shares");
    entries.push(election.entry(&Body::Result(&outcome.encode())));
    let servers = serve_entries(id, &entries, Settings::default());
    servers[0].wait(|| show(&servers[0], id, "")["final_size"] == json!(entries.len()));
    let result = show(&servers[0], id, "/result");
    let electors = |voters: u32, weight: u32| json!({ "voters": voters, "weight": weight });
    let decided = |winner: u32| {
        json!({
            "eligible": electors(3, 6), "ballots": electors(2, 4), "paper": electors(0, 0),
            "finding": "decided", "winners": [winner], "tied": [],
        })
    };
    assert_eq!(result["decisions"], json!([decided(1), decided(0)]));
}

#[test]
fn a_change_of_a_key_comes_with_the_receipt_of_its_entry() {
    let election = ElectionBuilder::new(12).voters(2).build();
    let election = authority::testing::own_keys(election);
    let mut entries = election.setup_entries();
    entries.push(election.opening());
    let leaf = entries.len() as u64;
    let signed = election.succession(1, 3, [77; 32], &[1, 2]);
    let change = election.entry(&Body::AuthorityKey(&signed.encode()));
    entries.push(change.clone());
    let id = election.id();
    let servers = serve_entries(id, &entries, Settings::default());
    for server in &servers {
        server.wait(|| show(server, id, "")["final_size"] == json!(entries.len()));
        let shown = show(server, id, "/successions");
        let found = shown["successions"].as_array().expect("a list");
        assert_eq!(found.len(), 1, "{shown}");
        assert_eq!(found[0]["entry"], json!(STANDARD.encode(&change)));
        let receipt = found[0]["receipt"].as_str().expect("a text");
        let receipt = ledger::Receipt::parse(receipt).expect("a receipt");
        assert_eq!(receipt.index, leaf);
        // Two authorities run, and both have the keys of the manifest.
        receipt.verify(&election.policy(), ledger::leaf_hash(&change)).expect("it is final");
    }
    let Record { servers, id, .. } = voted(3);
    assert_eq!(show(&servers[0], id, "/successions"), json!({ "successions": [] }));
}

#[test]
fn the_rounds_say_who_did_what_when_and_who_is_behind() {
    let Record { servers, id, .. } = voted(4);
    let rounds = show(&servers[0], id, "/rounds");
    assert_eq!((&rounds["quorum"], &rounds["alarms"]), (&json!(2), &json!([])));
    let size = rounds["final_size"].as_u64().expect("a number");
    let standings = rounds["authorities"].as_array().expect("a list");
    let behind: Vec<(u64, u64)> = standings
        .iter()
        .filter_map(|one| Some((one["authority"].as_u64()?, one["behind"].as_u64()?)))
        .collect();
    assert_eq!(behind, [(1, 0), (2, 0), (3, size)], "the third one does not run");
    assert!(standings[2]["last_word"].is_null() && standings[1]["last_word"].is_object());
    let heights = rounds["heights"].as_array().expect("a list");
    let decided = |height: &&Value| height["decided"]["size"] == json!(size);
    let last = heights.iter().find(decided).expect("what is final was decided");
    let root = &last["decided"]["root"];
    let round = last["rounds"]
        .as_array()
        .and_then(|rounds| rounds.iter().find(|round| round["round"] == last["decided"]["round"]));
    let round = round.expect("its round is there");
    assert_eq!(&round["proposal"]["root"], root);
    let seen = round["proposal"]["seen_ms"].as_u64().expect("this node saw it");
    let now = rounds["time_ms"].as_u64().expect("a time");
    assert!(seen <= now && now - seen < 600_000, "wall clock: {seen} {now}");
    for said in ["checked", "ready"] {
        let who: Vec<&Value> = round[said].as_array().expect("a list").iter().collect();
        let for_it = who.iter().filter(|said| &said["root"] == root).count();
        assert_eq!(for_it, 2, "{said}: {round}");
    }
    servers[0].wait(|| {
        let rounds = show(&servers[0], id, "/rounds");
        let heights = rounds["heights"].as_array().expect("a list").iter();
        let cosigned = heights.filter(decided).map(|height| height["cosigned"].clone());
        cosigned.last().and_then(|all| all.as_array().map(Vec::len)) == Some(2)
    });
    assert_eq!(
        show(&servers[0], id, "/rounds?heights=1")["heights"].as_array().map(Vec::len),
        Some(1)
    );
}

#[test]
fn who_was_refused_finds_by_whom_and_why() {
    let Record { servers, id, broken, .. } = voted(4);
    let server = &servers[1];
    server.wait(|| {
        let refusals = show(server, id, "/refusals");
        refusals["refusals"][0]["signed"].as_array().map(Vec::len) == Some(2)
    });
    let refused = show(server, id, "/refusals")["refusals"][0].clone();
    assert_eq!((&refused["code"], &refused["tracker"]), (&json!("broken-chain"), &json!(broken)));
    for (signed, authority) in refused["signed"].as_array().expect("two").iter().zip(1..) {
        assert_eq!((&signed["authority"], &signed["code"]), (&json!(authority), &refused["code"]));
    }
    let entry = refused["entry"].as_u64().expect("a number");
    let after = show(server, id, &format!("/refusals?after={entry}"));
    assert_eq!(after, json!({ "refusals": [] }));
    let found = show(server, id, &format!("/ballots/{}", broken.to_lowercase()));
    assert_eq!((&found["state"], &found["entry"]), (&json!("refused"), &json!(entry)));
    assert_eq!(found["refused"]["sentence"], refused["sentence"]);
}

#[test]
fn a_reader_of_the_public_format_follows_the_ledger_at_every_node() {
    let Record { servers, election, id, .. } = voted(BALLOTS);
    let keys: Vec<String> =
        election.manifest.authorities.iter().map(|authority| authority.key.to_string()).collect();
    let size = show(&servers[0], id, "")["final_size"].as_u64().expect("a number");
    for server in &servers {
        let prefix = format!("http://{}/api/v1/elections/{id}", server.address);
        let Some(said) = read_tiles(&prefix, 2, &keys) else { return };
        assert_eq!(said, format!("{size} 2 2"), "leaves, cosignatures, bundles");
        let said = read_tiles(&prefix, 3, &keys);
        assert_eq!(said.as_deref(), Some("wrong: 2 of 3 cosignatures"));
    }
    let tile =
        |path: &str| servers[0].request("GET", &format!("/api/v1/elections/{id}/{path}"), &[], "");
    assert!(
        tile("tile/0/000")
            .expect(200)
            .header("cache-control")
            .is_some_and(|c| c.contains("immutable"))
    );
    let width = size % 256;
    let partial = tile(&format!("tile/entries/001.p/{width}")).expect(200);
    assert_eq!(partial.header("cache-control"), Some("no-store"));
    // Nothing that is not final, nothing that is no name of a tile.
    for wrong in
        [&format!("tile/entries/001.p/{}", width + 1), "tile/0/002", "tile/0/0", "tile/9/000"]
    {
        tile(wrong).expect(404);
    }
}

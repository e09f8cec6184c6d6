//! Voters make their codes themselves: tokens, enrolments by letter and over HTTP, the roll, an
//! election on three nodes, a latecomer; and no node ever holds a token or a code.

use crate::canaries::Needles;
use crate::office::Office;
use crate::support::{Process, files_below, free_addresses, quorate, turn};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;

const DEFINITION: &str = r#"
title = "Board by enrolment"
domain = "vote.example.org"
trustees = ["Tara"]
threshold = 1
accept_small_classes = true
minimum_ballots = 1
roll_changes = true

[[contests]]
title = "Chair"
kind = "one"
options = ["Ada", "Grace"]
"#;

/// `quorate issuer enrol --listen`, and where it listens.
fn listen(id: &str, tokens: &str) -> (Process, String) {
    let address = free_addresses(1)[0].web.to_string();
    let mut command = quorate();
    command.args(["issuer", "enrol", "--election", id, "--tokens", tokens, "--listen", &address]);
    let mut process = Process(command.stdout(Stdio::piped()).spawn().expect("the binary starts"));
    let mut line = String::new();
    let output = process.0.stdout.take().expect("piped");
    BufReader::new(output).read_line(&mut line).expect("it says where it listens");
    assert!(line.contains("taking enrolments at http://"), "{line}");
    (process, format!("http://{address}/enrol"))
}

/// The tokens by voter.
fn tokens(path: &str) -> Vec<String> {
    let text = std::fs::read_to_string(path).expect("tokens.csv");
    let token = |line: &str| line.split(',').nth(1).expect("a token").to_owned();
    text.lines().skip(1).map(token).collect()
}

#[test]
fn voters_make_their_codes_and_no_node_sees_them() {
    let _turn = turn();
    let office = Office::start(3);
    let file = |name: &str| office.path(name);
    std::fs::write(file("definition.toml"), DEFINITION).expect("written");
    std::fs::write(file("voters.csv"), "voter_id,weight\nv1,1\nv2,1\nv3,1\n").expect("written");
    let admin = file("admin.key");
    let created =
        office.ask(&["election", "create", &file("definition.toml"), "--admin-key", &admin]);
    let id = created.split_whitespace().find(|word| word.len() == 32).expect("an id").to_owned();

    let (list, out) = (file("voters.csv"), file("issuer"));
    let made = ["issuer", "tokens", "--election", &id, "--roll", &list, "--out", &out];
    office.must(&[&made[..], &["--enrol-at", "mailto:office@example.org"]].concat());
    let table = file("issuer/tokens.csv");
    let tokens = tokens(&table);

    // The first voter writes a letter, the second one's device sends it.
    let enrol = |voter: usize, more: &[&str]| {
        let code = file(&format!("voter-{voter}.code"));
        let token = &tokens[voter - 1];
        let enrol = ["election", "enrol", &id, "--token", token, "--out", &code];
        office.do_alone(&[&enrol[..], more].concat())
    };
    let (_, letter) = enrol(1, &[]);
    std::fs::write(file("letter"), format!("Hello,\n{letter}")).expect("written");
    let take = ["issuer", "enrol", "--election", &id, "--tokens", &table];
    let text = office.must(&[&take[..], &[&file("letter")]].concat());
    assert!(text.contains("took 1, taken before 0; 1 of 3 have enrolled"), "{text}");
    let (desk, address) = listen(&id, &table);
    let (done, text) = enrol(2, &["--send", &address]);
    assert!(done && text.contains("You are enrolled. Keep"), "{text}");
    let (done, text) = enrol(2, &["--send", &address]);
    assert!(done && text.contains("enrolled already"), "{text}");
    let stolen = file("thief.code");
    let theft = ["election", "enrol", &id, "--token", &tokens[1], "--out", &stolen];
    let (done, text) = office.do_alone(&[&theft[..], &["--send", &address]].concat());
    assert!(!done && text.contains("has enrolled another key already"), "{text}");
    drop(desk);

    let roll = ["issuer", "roll", "--election", &id, "--tokens", &table, "--out"];
    let public = file("public-roll.csv");
    let text = office.must(&[&roll[..], &[&public]].concat());
    assert!(text.contains("wrote 2 voters") && text.contains("not enrolled: v3"), "{text}");
    office.ask(&["election", "roll", &id, &public]);
    office.open(&id, &admin);

    // The third voter comes late.
    let (_, letter) = enrol(3, &[]);
    std::fs::write(file("late"), letter).expect("written");
    office.must(&[&take[..], &[&file("late")]].concat());
    let late = file("late.csv");
    office.must(&[&roll[..], &[&late, "--after", &public]].concat());
    let change = ["election", "change-roll", &id, "--admin-key", &admin, "--add-all", &late];
    let text = office.ask(&change);
    assert!(text.contains("1 of 1 voters were added"), "{text}");
    let text = office.ask(&change);
    assert!(text.contains("0 of 1 voters were added"), "{text}");

    for (voter, choice) in [(1, "Ada"), (2, "Grace"), (3, "Grace")] {
        let code = file(&format!("voter-{voter}.code"));
        let cast = ["election", "cast", &id, "--code-file", &code, "--choose", choice];
        assert!(office.ask(&cast).contains("final: tracker"));
    }
    count(&office, &id, &admin);
    check_secrets(&office, &tokens);
}

/// Close, tally, verify.
fn count(office: &Office, id: &str, admin: &str) {
    office.ask(&["election", "close", id, "--admin-key", admin]);
    let (secret, passphrase) = (office.path("secret"), office.path("passphrase"));
    let trustee = ["--trustee", "1", "--secret", &secret, "--passphrase-file", &passphrase];
    office.ask(&[&["election", "tally", id], &trustee[..]].concat());
    let text = office.ask(&["election", "results", id]);
    assert!(text.contains("1  Ada") && text.contains("2  Grace"), "{text}");
    assert!(text.contains("chosen: Grace (3 of 3 answered)"), "{text}");
    let archive = office.path("election.archive");
    office.ask(&["election", "export", id, "--out", &archive]);
    let trust = format!("{archive}.trust");
    office.must(&["verify", &archive, "--trust", &trust]);
}

/// No token, no code and no key of a voter is in anything that a node wrote.
fn check_secrets(office: &Office, tokens: &[String]) {
    let mut needles = Needles::default();
    for (number, token) in (1..).zip(tokens) {
        needles.add_code(&format!("token {number}"), token);
        let code = std::fs::read_to_string(office.path(&format!("voter-{number}.code")));
        needles.add_code(&format!("the code of voter {number}"), code.expect("kept").trim());
    }
    let is_nodes = |path: &PathBuf| {
        let own = path.strip_prefix(office.nodes.folder.path()).ok();
        own.and_then(|path| path.iter().next())
            .is_some_and(|first| first.to_string_lossy().starts_with("node-"))
    };
    let files = files_below(office.nodes.folder.path()).into_iter().filter(is_nodes);
    let files: Vec<PathBuf> = files.collect();
    let read = |path: &Path| std::fs::read(path).expect("a file of a node");
    let mut control = Needles::default();
    control.add("the title", "Board by enrolment");
    assert!(files.iter().any(|path| control.find(&read(path)).is_some()), "the search finds");
    for path in &files {
        assert_eq!(needles.find(&read(path)), None, "{} holds a secret", path.display());
    }
}

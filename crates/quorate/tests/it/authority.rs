//! An authority that lost its folder, and the operators who give it a new key.

use crate::office::Office;
use crate::support::turn;

const DEFINITION: &str = r#"
title = "Board with a lost folder"
domain = "vote.example.org"
trustees = ["Tara"]
threshold = 1
accept_small_classes = true
minimum_ballots = 1

[[contests]]
title = "Chair"
kind = "one"
options = ["Ada", "Grace"]
"#;

#[test]
fn a_lost_folder_is_replaced_by_a_key_that_a_quorum_of_operators_agrees_to() {
    let _turn = turn();
    let mut office = Office::start(3);
    std::fs::write(office.path("definition.toml"), DEFINITION).expect("written");
    std::fs::write(office.path("voters.csv"), "voter_id\nv1\nv2\n").expect("written");
    let (definition, admin) = (office.path("definition.toml"), office.path("admin.key"));
    let created = office.ask(&["election", "create", &definition, "--admin-key", &admin]);
    let id = created.split_whitespace().find(|word| word.len() == 32).expect("an id").to_owned();
    let (list, out) = (office.path("voters.csv"), office.path("issuer"));
    office.must(&["issuer", "codes", "--election", &id, "--roll", &list, "--out", &out]);
    office.ask(&["election", "roll", &id, &format!("{out}/public-roll.csv")]);
    office.open(&id, &admin);
    let codes = std::fs::read_to_string(format!("{out}/codes.csv")).expect("codes");
    let code = |place: usize| codes.lines().nth(place).and_then(|line| line.split(',').nth(1));
    let cast = |office: &Office, place: usize, choice: &str| {
        let code = code(place).expect("a code");
        office.ask(&["election", "cast", &id, "--code", code, "--choose", choice])
    };
    assert!(cast(&office, 1, "Ada").contains("final: tracker"));

    drop(office.nodes.processes[2].take());
    std::fs::remove_dir_all(office.nodes.data_dir(2).join("authority")).expect("it is lost");
    office.nodes.start_all();
    let folder = |place: usize| office.nodes.data_dir(place).display().to_string();
    let key = office.must(&["authority", "key", "--data-dir", &folder(2)]);
    let replace = |place: usize, key: &str| {
        let agree = ["authority", "replace-key", &id, "--authority", "3", "--key", key];
        let own = folder(place);
        office.try_ask(&[&agree[..], &["--data-dir", &own]].concat())
    };
    let key = key.trim();
    let (done, text) = replace(2, key);
    assert!(!done && text.contains("the key in this folder does not count in it"), "{text}");
    let (done, text) = replace(0, key);
    assert!(done && text.contains("2 authorities must agree"), "{text}");
    let (done, text) = replace(1, key);
    assert!(done && text.contains("on the ledger and final"), "{text}");
    let (done, text) = replace(1, key);
    assert!(!done && text.contains("authority 3 has this key already"), "{text}");

    // Two of the three are enough for everything, and one of them may be the new key.
    drop(office.nodes.processes[1].take());
    assert!(cast(&office, 2, "Ada").contains("final: tracker"));
    office.ask(&["election", "close", &id, "--admin-key", &admin]);
    let (secret, passphrase) = (office.path("secret"), office.path("passphrase"));
    let trustee = ["--trustee", "1", "--secret", &secret, "--passphrase-file", &passphrase];
    office.ask(&[&["election", "tally", &id], &trustee[..]].concat());
    let archive = office.path("election.archive");
    office.ask(&["election", "export", &id, "--out", &archive]);
    let text = office.must(&["verify", &archive, "--trust", &format!("{archive}.trust")]);
    assert!(text.contains("2 ballots"), "{text}");
}

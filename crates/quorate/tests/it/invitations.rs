//! The issuer's invitations against a real mail server.

use crate::support::{run, said};
use crate::tools::mail_server;
use std::path::Path;

const ELECTION: &str = "0123456789abcdef0123456789abcdef";

fn issuer(folder: &Path, arguments: &[&str]) -> (bool, String) {
    let mut whole = vec!["issuer"];
    whole.extend(arguments);
    let output = run(&whole);
    let text = said(&output).replace(&folder.display().to_string(), "FOLDER");
    (output.status.success(), text)
}

/// Makes codes for a list; the path of codes.csv.
fn codes(folder: &Path, voters: &str) -> String {
    let list = folder.join("voters.csv");
    std::fs::write(&list, voters).expect("written");
    let (list, out) = (list.display().to_string(), folder.join("out").display().to_string());
    let made = ["codes", "--election", ELECTION, "--roll", &list, "--out", &out];
    let (done, text) = issuer(folder, &made);
    assert!(done, "{text}");
    folder.join("out/codes.csv").display().to_string()
}

#[test]
fn each_voter_gets_one_letter_whatever_happens_between() {
    let Some(server) = mail_server() else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let codes = codes(
        folder.path(),
        "voter_id,email,name,language\n1,ann@x.org,Ann,de\n2,nobody@x.org,Bob,\n\
         3,later@x.org,,\n4,,Paper,\n5,eve@x.org,Eve,fr-CA\n",
    );
    let url = format!("smtp://127.0.0.1:{}", server.first);
    let arguments = [
        "mail",
        "--election",
        ELECTION,
        "--title",
        "Board 2026",
        "--codes",
        &codes,
        "--server",
        &url,
        "--from",
        "Office <office@x.org>",
        "--address",
        "https://vote.x.org/booth.html",
        "--per-minute",
        "60000",
    ];
    let mail = |more: &[&str]| issuer(folder.path(), &[&arguments[..], more].concat());
    let (done, text) = mail(&[]);
    assert!(!done && text.contains("sent 2, sent before 0, without an address 1"), "{text}");
    assert!(text.contains("1 refused, 1 to be tried later, 0 that may have arrived"), "{text}");
    assert!(text.contains("2 <nobody@x.org>: refused") && text.contains("550"), "{text}");

    // The second run writes to nobody again; what was refused waits for a better address.
    let (_, text) = mail(&[]);
    assert!(text.contains("sent 0, sent before 2"), "{text}");
    let listed = std::fs::read_to_string(&codes).expect("there");
    std::fs::write(&codes, listed.replace("nobody@", "bob@").replace("later@", "joe@"))
        .expect("ok");
    let (done, text) = mail(&["--failed"]);
    assert!(done && text.contains("sent 2, sent before 2"), "{text}");

    let letters: Vec<serde_json::Value> =
        server.lines().iter().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let mut to: Vec<&str> =
        letters.iter().map(|letter| letter["to"][0].as_str().expect("a recipient")).collect();
    to.sort_unstable();
    assert_eq!(to, ["ann@x.org", "bob@x.org", "eve@x.org", "joe@x.org"]);
    let text = letters.iter().map(|letter| letter["text"].as_str().expect("text"));
    assert!(text.clone().all(|text| text.contains("Message-ID: <")), "each can be told apart");
}

#[test]
fn a_preview_shows_the_letter_and_no_code() {
    let folder = tempfile::tempdir().expect("a folder");
    let codes = codes(folder.path(), "voter_id,email,name,language\n1,ann@x.org,Ann,de\n");
    let arguments = ["mail", "--election", ELECTION, "--title", "Vorstand", "--codes", &codes];
    let (done, text) = issuer(folder.path(), &[&arguments[..], &["--preview"]].concat());
    assert!(done && text.contains("Subject: Ihre Stimme: Vorstand"), "{text}");
    assert!(text.contains("#e=0123456789abcdef0123456789abcdef&c=00000-"), "{text}");
    let listed = std::fs::read_to_string(&codes).expect("there");
    let code = listed.lines().nth(1).and_then(|line| line.split(',').nth(1)).expect("a code");
    assert!(!text.contains(code), "a preview is shown around");
    let (done, text) = issuer(folder.path(), &arguments);
    assert!(!done && text.contains("say how mail leaves"), "{text}");
}

//! Files that are not as they must be, and what the person reads.

use crate::support::{run, said};

const SMALL: &str = "META\nkey;value\ndescription;Park\nnum_projects;2\nnum_votes;3\n\
    vote_type;approval\nmax_length;2\nPROJECTS\nproject_id;cost;votes;name\np1;10;2;Trees\n\
    p2;20;2;Benches\nVOTES\nvoter_id;vote\n1;p1\n2;p2,p1\n3;p2\n";

/// Runs the demonstration on `SMALL` with one change; it must end before anything is started.
fn check(change: (&str, &str), code: i32, expect: &str) {
    assert!(SMALL.contains(change.0), "{} is in the sample", change.0);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("election.pb");
    std::fs::write(&file, SMALL.replacen(change.0, change.1, 1)).expect("a file");
    let data = folder.path().join("data");
    let (file, data_dir) = (file.display().to_string(), data.display().to_string());
    let output = run(&["demo", "--exit", "--election", &file, "--data-dir", &data_dir]);
    let said = said(&output);
    assert_eq!(output.status.code(), Some(code), "{said}");
    assert!(said.contains(expect), "{expect} in:\n{said}");
    assert!(!data.exists(), "nothing is started or written");
}

#[test]
fn a_damaged_election_file_is_told_by_line_and_field() {
    check(("2;p2,p1", "2;p2,p9"), 65, "line 15, field 2: no project has the id 'p9'");
    check(("p1;10;2;", "p1;10;x;"), 65, "line 10, field 3: votes is 'x'; expected a number");
    check(("approval", "ordinal"), 65, "line 6, field 2: vote_type is 'ordinal'");
}

#[test]
fn ballots_that_contradict_the_official_totals_end_with_the_option() {
    let expect = "option 'Benches' (p2): the official total is 3, the ballots say 2";
    check(("p2;20;2;", "p2;20;3;"), 1, expect);
}

#[test]
fn a_missing_file_and_a_wrong_number_of_nodes_are_told() {
    let output = run(&["demo", "--exit", "--election", "/does/not/exist.pb"]);
    assert_eq!(output.status.code(), Some(65));
    assert!(said(&output).contains("cannot read /does/not/exist.pb"), "{}", said(&output));
    let output = run(&["demo", "--exit", "--nodes", "2"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("1, 3 or 5 nodes"), "{}", said(&output));
}

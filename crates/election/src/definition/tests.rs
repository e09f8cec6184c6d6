//! Each rule of a definition is told with its field.

use super::*;

fn some(min: u16, max: u16) -> Rule {
    Rule::Some { min, max }
}

fn score(highest: u16, min: u16, max: u16) -> Rule {
    Rule::Score { highest, min, max }
}

/// Two lists, of two candidates and of one.
fn lists(min: u16, max: u16) -> Rule {
    let candidates = vec![vec!["Cyd".into(), "Dan".into()], vec!["Eve".into()]];
    Rule::Lists { candidates, min, max }
}

fn sample() -> Definition {
    Definition {
        title: "Board of the allotment club".into(),
        domain: "vote.example".into(),
        contests: vec![
            Contest { blank: true, ..Contest::new("Chair", Rule::One, &["Ada", "Grace"]) },
            Contest {
                blank: true,
                ..Contest::new("Projects", some(0, 2), &["Well", "Fence", "Shed"])
            },
            Contest { groups: vec![2], ..Contest::new("Merit", score(3, 1, 4), &["Ann", "Bob"]) },
            Contest { groups: vec![1, 2], ..Contest::new("Council", lists(0, 2), &["A", "B"]) },
        ],
        groups: vec!["Students".into(), "Staff".into()],
        secrecy: Secrecy::Secret,
        trustees: vec!["Ann".into(), "Bob".into(), "Cyd".into()],
        threshold: 2,
        opens: Some(100),
        closes: Some(200),
        extendable_until: Some(300),
        revote: Revote::LastCounts,
        issuer: Issuer::Separate,
        minimum_ballots: 5,
        roll_changes: true,
        paper: true,
        accept_small_classes: false,
        test: true,
        booth: None,
    }
}

fn check(change: impl FnOnce(&mut Definition), expected: &str) {
    let mut definition = sample();
    change(&mut definition);
    let problems = definition.check().unwrap_err();
    let texts: Vec<String> = problems.iter().map(Problem::to_string).collect();
    assert_eq!(texts, [expected]);
}

#[test]
fn a_good_definition_passes_and_comes_back_byte_for_byte() {
    let definition = sample();
    assert_eq!(definition.check(), Ok(()));
    let mut bytes = Vec::new();
    definition.put(&mut bytes);
    let mut reader = Reader::new("definition", &bytes);
    assert_eq!(Definition::read(&mut reader), Ok(definition));
    assert_eq!(reader.finish(), Ok(()));
}

#[test]
fn the_last_counter_is_the_blank_answer() {
    let definition = sample();
    assert_eq!(definition.contests[0].option_count(), 3);
    assert_eq!(definition.contests[0].option_text(2), Some(BLANK));
    assert_eq!(definition.contests[1].option_count(), 4);
    assert_eq!(definition.contests[1].option_text(3), Some(BLANK));
    assert_eq!(definition.contests[1].option_text(4), None);
    let council = &definition.contests[3];
    let texts: Vec<_> = (0..5).filter_map(|at| council.option_text(at)).collect();
    assert_eq!(texts, ["A", "B", "Cyd", "Dan", "Eve"]);
    for contest in &definition.contests {
        assert_eq!(contest.option_count(), usize::from(contest.kind().counters()));
    }
}

#[test]
fn a_rehearsal_is_the_same_election_as_a_test_at_any_time() {
    let mut definition = sample();
    definition.test = false;
    let rehearsal = definition.rehearsal();
    assert_eq!(rehearsal.title, "Rehearsal: Board of the allotment club");
    assert!(rehearsal.test && rehearsal.closes.is_none());
    assert_eq!(rehearsal.contests, definition.contests);
    assert_eq!(rehearsal.check(), Ok(()));
    assert_eq!(rehearsal.rehearsal(), rehearsal);
    definition.title = "x".repeat(TEXT_BYTES_MAX);
    assert_eq!(definition.rehearsal().check(), Ok(()));
}

#[test]
fn an_open_poll_has_no_trustees() {
    let mut definition = sample();
    definition.secrecy = Secrecy::Open;
    let problems = definition.check().unwrap_err();
    assert_eq!(problems[0].field, "trustees");
    definition.trustees.clear();
    definition.threshold = 0;
    assert_eq!(definition.check(), Ok(()));
}

#[test]
fn each_broken_rule_is_told_with_its_field() {
    check(
        |d| d.title = " x".into(),
        "title: must be 1 to 500 bytes of text in one line, without spaces at its ends",
    );
    check(
        |d| d.domain = "Vote.Example".into(),
        "domain: \"Vote.Example\" is no domain: 1 to 100 lower-case letters, digits, dots, dashes \
         and at most one port like :8080",
    );
    check(|d| d.contests.clear(), "contests: there must be 1 to 64 contests, not 0");
    check(
        |d| d.contests[0].options.clear(),
        "contests[0].options: there must be 1 to 1000 options, not 0",
    );
    check(
        |d| d.contests[0].options[1] = "Ada".into(),
        "contests[0].options: \"Ada\" appears twice",
    );
    check(
        |d| d.contests[0].options[1] = BLANK.into(),
        "contests[0].options: \"(blank)\" is what a blank answer is called",
    );
    check(
        |d| d.contests[1].rule = Rule::Some { min: 0, max: 4 },
        "contests[1].max: 0 to 4 of 3 options cannot be chosen",
    );
    check(
        |d| d.contests[2].rule = score(3, 1, 7),
        "contests[2].max: 2 scores up to 3 cannot add up to 1 to 7: the largest sum is 6",
    );
    check(
        |d| d.contests[3].rule = lists(2, 2),
        "contests[3].candidates[1]: a list needs at least 2 candidates",
    );
    check(
        |d| d.contests[3].options.push("C".into()),
        "contests[3].candidates: 3 lists, but candidates of 2",
    );
    check(
        |d| d.contests[2].groups = vec![3],
        "contests[2].groups: must ascend and name groups 1 to 2 of the election",
    );
    check(
        |d| d.contests[2].decision.seats = 3,
        "contests[2].seats: must be 1 to 2, the number of options, not 3",
    );
    check(
        |d| d.contests[2].decision.quorum_percent = 101,
        "contests[2].quorum_percent: must be 0 to 100 per cent, not 101",
    );
    check(
        |d| d.extendable_until = Some(200),
        "extendable_until: the closing can only be extended if there is one, to a later minute",
    );
    check(
        |d| d.contests[0].options = (0..700).map(|i| i.to_string()).collect(),
        "contests: a ballot would have 140298 bytes, more than 65535: ask fewer options",
    );
    check(|d| d.trustees[2] = "Ann".into(), "trustees[2]: the name \"Ann\" appears twice");
    check(|d| d.threshold = 4, "threshold: must be 1 to 3, the number of trustees, not 4");
    check(|d| d.threshold = 0, "threshold: must be 1 to 3, the number of trustees, not 0");
    check(|d| d.groups[1] = "Students".into(), "groups: \"Students\" appears twice");
    check(|d| d.closes = Some(100), "closes: the election must close after it opens");
    check(
        |d| d.minimum_ballots = 0,
        "minimum_ballots: must be at least 1: nothing is decrypted without a ballot",
    );
}

#[test]
fn domains_may_have_a_port_and_nothing_else() {
    for good in ["localhost", "127.0.0.1:7301", "a-b.c"] {
        assert!(is_domain(good), "{good}");
    }
    for bad in ["", ".", "a..b", "a/b", "a b", "a+b", "a:0", "a:070", "a:", "a:1:2", "a:99999"] {
        assert!(!is_domain(bad), "{bad}");
    }
}

#[test]
fn a_pinned_booth_is_read_back_and_changes_nothing_where_there_is_none() {
    let encode = |definition: &Definition| {
        let mut bytes = Vec::new();
        definition.put(&mut bytes);
        bytes
    };
    let mut definition = sample();
    let plain = encode(&definition);
    assert_eq!(plain.last(), Some(&1), "a test, and no more");
    definition.booth = Some([7; 32]);
    let pinned = encode(&definition);
    assert_eq!(pinned[..plain.len() - 1], plain[..plain.len() - 1]);
    assert_eq!(pinned[plain.len() - 1..], [&[3][..], &[7; 32]].concat());
    let mut reader = Reader::new("definition", &pinned);
    assert_eq!(Definition::read(&mut reader).as_ref(), Ok(&definition));
    let mut wrong = plain;
    *wrong.last_mut().expect("a mark") = 4;
    let error = Definition::read(&mut Reader::new("definition", &wrong)).expect_err("no mark");
    assert!(error.to_string().ends_with("must be 0 to 3"), "{error}");
}

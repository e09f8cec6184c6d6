//! Each rule of a definition is told with its field.

use super::*;

fn sample() -> Definition {
    Definition {
        title: "Board of the allotment club".into(),
        domain: "vote.example".into(),
        contests: vec![
            Contest {
                title: "Chair".into(),
                rule: Rule::One,
                options: vec!["Ada".into(), "Grace".into()],
                blank: true,
            },
            Contest {
                title: "Projects".into(),
                rule: Rule::Some { min: 0, max: 2 },
                options: vec!["Well".into(), "Fence".into(), "Shed".into()],
                blank: true,
            },
        ],
        trustees: vec!["Ann".into(), "Bob".into(), "Cyd".into()],
        threshold: 2,
        opens: Some(100),
        closes: Some(200),
        revote: Revote::LastCounts,
        issuer: Issuer::Separate,
        minimum_ballots: 5,
        accept_small_classes: false,
        test: true,
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
fn blank_is_an_option_only_where_one_is_chosen() {
    let definition = sample();
    assert_eq!(definition.contests[0].option_count(), 3);
    assert_eq!(definition.contests[0].option_text(2), Some(BLANK));
    assert_eq!(definition.contests[1].option_count(), 3);
    assert_eq!(definition.contests[1].option_text(3), None);
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
        "contests[0].options: \"(blank)\" appears twice",
    );
    check(
        |d| d.contests[1].rule = Rule::Some { min: 0, max: 4 },
        "contests[1].max: 0 to 4 of 3 options cannot be chosen",
    );
    check(
        |d| d.contests[1].rule = Rule::Some { min: 1, max: 2 },
        "contests[1].blank: a blank answer here means choosing nothing, so min must be 0",
    );
    check(
        |d| d.contests[0].options = (0..700).map(|i| i.to_string()).collect(),
        "contests: a ballot would have 135943 bytes, more than 65535: ask fewer options",
    );
    check(|d| d.trustees[2] = "Ann".into(), "trustees[2]: the name \"Ann\" appears twice");
    check(|d| d.threshold = 4, "threshold: must be 1 to 3, the number of trustees, not 4");
    check(|d| d.threshold = 0, "threshold: must be 1 to 3, the number of trustees, not 0");
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

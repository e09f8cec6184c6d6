//! Lists as offices have them, good and bad.

use super::*;

fn mistakes(bytes: &[u8]) -> Vec<String> {
    let wrong = match read(bytes) {
        Ok(list) => list.mistakes,
        Err(wrong) => wrong,
    };
    wrong.iter().map(ToString::to_string).collect()
}

fn check(text: &str, expect: &[&str]) {
    assert_eq!(mistakes(text.as_bytes()), expect, "{text}");
}

/// Id, address, name, weight, group of each voter.
fn short(bytes: &[u8]) -> Vec<String> {
    let list = read(bytes).expect("readable");
    assert_eq!(list.mistakes, [], "{:?}", list.mistakes);
    let line =
        |v: &ListedVoter| format!("{}|{}|{}|{}|{}", v.voter_id, v.email, v.name, v.weight, v.group);
    list.voters.iter().map(line).collect()
}

#[test]
fn voters_come_with_any_separator_and_column_order() {
    let comma = "voter_id,email,name,language,weight,group\nv1,a@b,Ann,en,3,2\nv2,,,,,\n";
    let semicolon = "\u{feff}Weight;voter_id;e-mail;group;name\n3; v1 ;a@b;2;Ann\n\n;v2;;;\n";
    let tab = "voter_id\tname\tweight\tgroup\tmail\nv1\tAnn\t3\t2\ta@b\nv2\t\t1\t0\t\n";
    for text in [comma, semicolon, tab] {
        assert_eq!(short(text.as_bytes()), ["v1|a@b|Ann|3|2", "v2|||1|0"], "{text}");
    }
    assert_eq!(short(b"voter_id\nv1\n"), ["v1|||1|0"]);
}

#[test]
fn lists_of_other_programs_are_read_as_they_are() {
    let helios = "password,ann,ann@x.org,Ann Lee\npassword,bob,bob@x.org,\n";
    assert_eq!(short(helios.as_bytes()), ["ann|ann@x.org|Ann Lee|1|0", "bob|bob@x.org||1|0"]);
    let belenios = "Ann@x.org\nbob@x.org,bob,3\ncleo@x.org,,2\n";
    let expect =
        ["ann@x.org|Ann@x.org||1|0", "bob@x.org|bob@x.org||3|0", "cleo@x.org|cleo@x.org||2|0"];
    assert_eq!(short(belenios.as_bytes()), expect);
    let decidim = "email;token\nann@x.org;AAA\n";
    assert_eq!(short(decidim.as_bytes()), ["ann@x.org|ann@x.org||1|0"]);
    let lime = "firstname,lastname,email,emailstatus\nAnn,Lee,ann@x.org,OK\n";
    assert_eq!(short(lime.as_bytes()), ["ann@x.org|ann@x.org|Ann Lee|1|0"]);
}

#[test]
fn office_encodings_are_recognised_and_told() {
    let utf16: Vec<u8> =
        "\u{feff}voter_id;name\nv1;Zoë\n".encode_utf16().flat_map(u16::to_le_bytes).collect();
    assert_eq!(short(&utf16), ["v1||Zoë|1|0"]);
    let list = read(b"voter_id;name;room\nv1;Zo\xeb;7\n").expect("readable");
    assert_eq!(
        list.notes,
        [
            "read as Windows-1252, cells separated by semicolons, a list with a header; \
             not used: room",
            "the encoding is a guess: look at letters with accents below",
        ]
    );
    assert_eq!(list.voters[0].name, "Zoë");
}

#[test]
fn all_mistakes_are_told_by_line_and_cell() {
    check(
        "voter_id,weight,group\nv1,0,1\n,1,\nv2,1,300\nv3,1\nv4,1,1\nv4,2,1\n",
        &[
            "line 2, column 2: weight '0' is no whole number of at least 1",
            "line 3, column 1: voter_id is empty",
            "line 4, column 3: group '300' is no whole number from 0 to 255",
            "line 5, column 3: the line has 2 cells, expected 3",
            "line 7, column 1: voter_id 'v4' stands in line 6 already",
        ],
    );
    check(
        "voter_id,email\nv1,ann\nv2,a b@c\nv3,a@b..c\n",
        &[
            "line 2, column 2: 'ann' is no mail address",
            "line 3, column 2: 'a b@c' is no mail address",
            "line 4, column 2: 'a@b..c' is no mail address",
        ],
    );
    // Addresses name a voter in any case.
    check(
        "email\nAnn@x.org\nann@X.org\n",
        &["line 3, column 1: voter_id 'ann@x.org' stands in line 2 already"],
    );
    check("voter_id\n", &["line 2, column 1: there is no voter below the header"]);
    check("", &["line 1, column 1: the file is empty; expected a header with voter_id"]);
}

#[test]
fn rejected_rows_are_kept_as_they_were_and_harmless() {
    let text = "voter_id;name;weight\nv1;Ann;1\nv2;=cmd();0\nv1;Bob;1\n";
    let list = read(text.as_bytes()).expect("readable");
    assert_eq!((list.voters.len(), list.rejected()), (1, 2));
    let expect = "line;what is wrong;voter_id;name;weight\n\
                  3;weight '0' is no whole number of at least 1;v2;'=cmd();0\n\
                  4;voter_id 'v1' stands in line 2 already;v1;Bob;1\n";
    assert_eq!(String::from_utf8_lossy(&list.rejected_csv()), expect);
}

#[test]
fn a_preview_shows_what_was_understood() {
    let mut text = "voter_id,email,weight,group\n".to_owned();
    for number in 0..25 {
        text.push_str(&format!("v{number},family@x.org,1,0\n"));
    }
    text.push_str("chair,,5,1\n");
    let list = read(text.as_bytes()).expect("readable");
    let page = preview(&list);
    for expect in [
        "read as UTF-8, cells separated by commas, a list with a header\n",
        "1 addresses are shared by several voters, the first is family@x.org (v0, v1,",
        "26 voters, total weight 30, 25 with a mail address\n",
        "  group 0, weight 1: 25 voters\n",
        "  group 1, weight 5: 1 voters  small: its members are easier to guess\n",
        "  voter_id  email         name  language  weight  group\n",
        "  v0        family@x.org                  1       0\n",
        "  … and 21 more\n",
    ] {
        assert!(page.contains(expect), "{expect}\n{page}");
    }
}

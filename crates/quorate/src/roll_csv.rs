//! Two tables: the issuer's list of voters, which never leaves the issuer, and the public roll of
//! credentials that comes out of it. Either is taken as a whole or not at all.

use crate::definition::Wrong;
use election::{Roll, RollError, Voter, roll::VOTERS_MAX};
use std::collections::BTreeMap;

/// Columns of a list of voters; only the first is required.
const COLUMNS: [&str; 6] = ["voter_id", "email", "name", "language", "weight", "group"];
/// Longest text in a cell, in bytes.
const CELL_BYTES_MAX: usize = 500;
/// More mistakes than these are not listed.
const WRONG_MAX: usize = 50;

/// One voter of the issuer's list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ListedVoter {
    /// The issuer's name for the voter, unique.
    pub(crate) voter_id: String,
    /// Name for the sheet, or empty.
    pub(crate) name: String,
    /// How many votes the ballot counts.
    pub(crate) weight: u32,
    /// Group, 0 for none.
    pub(crate) group: u8,
}

/// Mistakes collected while a table is read.
#[derive(Default)]
struct Mistakes(Vec<Wrong>);

impl Mistakes {
    fn add(&mut self, line: u64, column: usize, reason: String) {
        if self.0.len() < WRONG_MAX {
            let line = usize::try_from(line).unwrap_or(usize::MAX);
            self.0.push(Wrong { line, column, reason });
        }
    }
}

/// Reads a list of voters: a header line, then one voter a line, separated by comma, semicolon or
/// tab. Columns may stand in any order. Places are line and number of the cell, both from 1.
///
/// # Errors
/// All mistakes found, up to fifty.
pub(crate) fn read_voters(bytes: &[u8]) -> Result<Vec<ListedVoter>, Vec<Wrong>> {
    let text = utf8(bytes)?;
    let header = text.lines().next().unwrap_or_default();
    let delimiter = delimiter_of(header);
    let mut mistakes = Mistakes::default();
    let mut rows = rows(text, delimiter);
    let columns = match rows.next() {
        Some(Ok((line, cells))) => read_header(line, &cells, &mut mistakes),
        Some(Err(wrong)) => return Err(vec![wrong]),
        None => {
            mistakes.add(1, 1, format!("the file is empty; expected the header {}", COLUMNS[0]));
            BTreeMap::new()
        }
    };
    if !mistakes.0.is_empty() {
        return Err(mistakes.0);
    }
    let mut voters = Vec::new();
    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    for row in rows {
        let (line, cells) = match row {
            Ok(row) => row,
            Err(wrong) => {
                mistakes.0.push(wrong);
                break;
            }
        };
        let before = mistakes.0.len();
        let voter = read_voter(line, &cells, &columns, &mut mistakes);
        if mistakes.0.len() > before {
            continue;
        }
        if let Some(earlier) = seen.insert(voter.voter_id.clone(), line) {
            let column = columns["voter_id"] + 1;
            let reason = format!("voter_id '{}' stands in line {earlier} already", voter.voter_id);
            mistakes.add(line, column, reason);
        }
        voters.push(voter);
    }
    if voters.is_empty() && mistakes.0.is_empty() {
        mistakes.add(2, 1, "there is no voter below the header".to_owned());
    }
    if voters.len() > VOTERS_MAX {
        mistakes.add(1, 1, format!("a roll has at most {VOTERS_MAX} voters, not {}", voters.len()));
    }
    if mistakes.0.is_empty() { Ok(voters) } else { Err(mistakes.0) }
}

fn utf8(bytes: &[u8]) -> Result<&str, Vec<Wrong>> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    std::str::from_utf8(bytes).map_err(|error| {
        let before = &bytes[..error.valid_up_to()];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let column = String::from_utf8_lossy(&before[start..]).chars().count() + 1;
        let reason = "the text is not UTF-8; save the file as UTF-8".to_owned();
        vec![Wrong { line, column, reason }]
    })
}

fn delimiter_of(header: &str) -> u8 {
    let count = |delimiter: &u8| header.bytes().filter(|byte| byte == delimiter).count();
    // The first of equal ones: max_by_key takes the last.
    *b"\t;,".iter().max_by_key(|delimiter| count(delimiter)).expect("there are three")
}

/// Rows with their line numbers; blank lines are skipped.
fn rows(
    text: &str,
    delimiter: u8,
) -> impl Iterator<Item = Result<(u64, csv::StringRecord), Wrong>> {
    let reader = csv::ReaderBuilder::new()
        .delimiter(delimiter)
        .has_headers(false)
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(text.as_bytes());
    reader.into_records().map(|record| {
        record
            .map(|record| (record.position().map_or(1, csv::Position::line), record))
            .map_err(|error| Wrong { line: 1, column: 1, reason: error.to_string() })
    })
}

/// Where each known column stands.
fn read_header(
    line: u64,
    cells: &csv::StringRecord,
    mistakes: &mut Mistakes,
) -> BTreeMap<&'static str, usize> {
    let mut columns = BTreeMap::new();
    for (at, cell) in cells.iter().enumerate() {
        let name = cell.to_ascii_lowercase();
        match COLUMNS.iter().find(|known| **known == name) {
            Some(known) if columns.insert(*known, at).is_none() => {}
            Some(known) => mistakes.add(line, at + 1, format!("column '{known}' appears twice")),
            None => {
                let known = COLUMNS.join(", ");
                let reason = format!("unknown column '{cell}'; the columns are {known}");
                mistakes.add(line, at + 1, reason);
            }
        }
    }
    if !columns.contains_key("voter_id") && mistakes.0.is_empty() {
        mistakes.add(line, 1, "the header has no column voter_id".to_owned());
    }
    columns
}

fn read_voter(
    line: u64,
    cells: &csv::StringRecord,
    columns: &BTreeMap<&'static str, usize>,
    mistakes: &mut Mistakes,
) -> ListedVoter {
    if cells.len() != columns.len() {
        let (found, expected) = (cells.len(), columns.len());
        let reason = format!("the line has {found} cells, the header {expected}");
        mistakes.add(line, found.min(expected) + 1, reason);
    }
    let cell = |name: &str| columns.get(name).and_then(|at| cells.get(*at)).unwrap_or_default();
    let place = |name: &str| columns.get(name).map_or(1, |at| at + 1);
    for (name, at) in columns {
        let text = cell(name);
        if text.len() > CELL_BYTES_MAX || text.chars().any(char::is_control) {
            let reason = format!("{name} must be one line of at most {CELL_BYTES_MAX} bytes");
            mistakes.add(line, at + 1, reason);
        }
    }
    if cell("voter_id").is_empty() {
        mistakes.add(line, place("voter_id"), "voter_id is empty".to_owned());
    }
    let weight = match cell("weight") {
        "" => 1,
        text => text.parse().ok().filter(|weight| *weight >= 1).unwrap_or_else(|| {
            let reason = format!("weight '{text}' is no whole number of at least 1");
            mistakes.add(line, place("weight"), reason);
            1
        }),
    };
    let group = match cell("group") {
        "" => 0,
        text => text.parse().unwrap_or_else(|_| {
            let reason = format!("group '{text}' is no whole number from 0 to 255");
            mistakes.add(line, place("group"), reason);
            0
        }),
    };
    let (voter_id, name) = (cell("voter_id").to_owned(), cell("name").to_owned());
    ListedVoter { voter_id, name, weight, group }
}

/// The public roll as text: lines `credential,weight,group`, sorted by credential, so that their
/// order tells nothing about the voters'.
pub(crate) fn write_public_roll(roll: &Roll) -> String {
    let line = |voter: &Voter| {
        format!("{},{},{}\n", hex::encode(voter.credential), voter.weight, voter.group)
    };
    roll.voters().iter().map(line).collect()
}

/// Reads what [`write_public_roll`] wrote. Places are line and number of the cell.
///
/// # Errors
/// All mistakes found, up to fifty.
pub(crate) fn read_public_roll(bytes: &[u8]) -> Result<Roll, Vec<Wrong>> {
    let text = utf8(bytes)?;
    let mut mistakes = Mistakes::default();
    let (mut voters, mut lines) = (Vec::new(), Vec::new());
    for row in rows(text, b',') {
        let (line, cells) = row.map_err(|wrong| vec![wrong])?;
        let before = mistakes.0.len();
        let voter = read_public_voter(line, &cells, &mut mistakes);
        if mistakes.0.len() == before {
            voters.push(voter);
            lines.push(line);
        }
    }
    if !mistakes.0.is_empty() {
        return Err(mistakes.0);
    }
    Roll::new(voters).map_err(|error| {
        let line_of = |position: usize| lines.get(position).copied().unwrap_or(1);
        let (position, reason) = match error {
            RollError::Twice { positions: (earlier, later) } => {
                (later, format!("the credential stands in line {} already", line_of(earlier)))
            }
            RollError::Key { position } => {
                (position, "this is no usable Ed25519 public key".to_owned())
            }
            RollError::Weight { position } => (position, "the weight is 0".to_owned()),
            other => (0, other.to_string()),
        };
        mistakes.add(line_of(position), 1, reason);
        mistakes.0
    })
}

fn read_public_voter(line: u64, cells: &csv::StringRecord, mistakes: &mut Mistakes) -> Voter {
    let mut voter = Voter { credential: [0; 32], weight: 1, group: 0 };
    if cells.len() != 3 {
        let reason = format!("expected credential,weight,group, found {} cells", cells.len());
        mistakes.add(line, cells.len().min(3) + 1, reason);
        return voter;
    }
    if hex::decode_to_slice(&cells[0], &mut voter.credential).is_err() {
        mistakes.add(line, 1, "a credential is 64 digits of 0-9 and a-f".to_owned());
    }
    match cells[1].parse() {
        Ok(weight) => voter.weight = weight,
        Err(_) => mistakes.add(line, 2, format!("weight '{}' is no whole number", &cells[1])),
    }
    match cells[2].parse() {
        Ok(group) => voter.group = group,
        Err(_) => {
            mistakes.add(line, 3, format!("group '{}' is no number from 0 to 255", &cells[2]));
        }
    }
    voter
}

#[cfg(test)]
mod tests {
    use super::*;
    use ballot::Credential;

    fn check<T: std::fmt::Debug>(found: Result<T, Vec<Wrong>>, expect: &[&str]) {
        let told: Vec<String> =
            found.expect_err("it is wrong").iter().map(ToString::to_string).collect();
        assert_eq!(told, expect);
    }

    #[test]
    fn voters_come_with_any_separator_and_column_order() {
        let comma = "voter_id,email,name,language,weight,group\nv1,a@b,Ann,en,3,2\nv2,,,,,\n";
        let semicolon = "\u{feff}Weight;voter_id;group;name\n3; v1 ;2;Ann\n\n;v2;;\n";
        let tab = "voter_id\tname\tweight\tgroup\nv1\tAnn\t3\t2\nv2\t\t1\t0\n";
        for text in [comma, semicolon, tab] {
            let voters = read_voters(text.as_bytes()).expect("it is good");
            let short = |v: &ListedVoter| (v.voter_id.clone(), v.name.clone(), v.weight, v.group);
            let short: Vec<_> = voters.iter().map(short).collect();
            let ann = ("v1".to_owned(), "Ann".to_owned(), 3, 2);
            assert_eq!(short, [ann, ("v2".to_owned(), String::new(), 1, 0)], "{text}");
        }
        assert_eq!(read_voters(b"voter_id\nv1\n").expect("one column").len(), 1);
    }

    #[test]
    fn all_mistakes_are_told_by_line_and_column_and_nothing_is_taken() {
        let text = "voter_id,weight,group\nv1,0,1\n,1,\nv2,1,300\nv3,1\nv4,1,1\nv4,2,1\n";
        check(
            read_voters(text.as_bytes()),
            &[
                "line 2, column 2: weight '0' is no whole number of at least 1",
                "line 3, column 1: voter_id is empty",
                "line 4, column 3: group '300' is no whole number from 0 to 255",
                "line 5, column 3: the line has 2 cells, the header 3",
                "line 7, column 1: voter_id 'v4' stands in line 6 already",
            ],
        );
        let known = "the columns are voter_id, email, name, language, weight, group";
        check(
            read_voters(b"voter,weight\n"),
            &[&format!("line 1, column 1: unknown column 'voter'; {known}")],
        );
        check(
            read_voters(b"name\nAnn\n"),
            &["line 1, column 1: the header has no column voter_id"],
        );
        check(
            read_voters(b"voter_id\n"),
            &["line 2, column 1: there is no voter below the header"],
        );
        check(
            read_voters(b"voter_id\nv1\nv\xff\n"),
            &["line 3, column 2: the text is not UTF-8; save the file as UTF-8"],
        );
        check(
            read_voters(b""),
            &["line 1, column 1: the file is empty; expected the header voter_id"],
        );
    }

    #[test]
    fn a_public_roll_is_read_back_and_mistakes_are_told() {
        let key = |seed: u8| Credential::from_seed(&[seed; 32]).public().to_bytes();
        let voter = |seed| Voter { credential: key(seed), weight: u32::from(seed), group: 1 };
        let roll = Roll::new(vec![voter(1), voter(2)]).expect("two voters");
        let text = write_public_roll(&roll);
        assert_eq!(read_public_roll(text.as_bytes()), Ok(roll));
        let first = text.lines().next().expect("two lines");
        check(
            read_public_roll(format!("{text}{first}\n").as_bytes()),
            &["line 3, column 1: the credential stands in line 1 already"],
        );
        let small_order = "01".to_owned() + &"0".repeat(62);
        check(
            read_public_roll(format!("{text}{small_order},1,1\n").as_bytes()),
            &["line 3, column 1: this is no usable Ed25519 public key"],
        );
        check(
            read_public_roll(b"xyz,1,1\n00,a,b\nq\n"),
            &[
                "line 1, column 1: a credential is 64 digits of 0-9 and a-f",
                "line 2, column 1: a credential is 64 digits of 0-9 and a-f",
                "line 2, column 2: weight 'a' is no whole number",
                "line 2, column 3: group 'b' is no number from 0 to 255",
                "line 3, column 2: expected credential,weight,group, found 1 cells",
            ],
        );
        check(
            read_public_roll(b""),
            &["line 1, column 1: a roll has 1 to 111409500 voters, not 0"],
        );
    }
}

//! Real elections in the Pabulib format (pabulib.org, "PB" files), version of 2020 to 2024.
//!
//! A file has the sections `META`, `PROJECTS` and `VOTES`, each a header line of column names and
//! rows, separated by `;`. Read here: `vote_type` `approval` and `choose-1`. Projects become
//! options; `min_length` and `max_length` bound how many may be chosen; the official totals of
//! the column `votes` are kept beside the ballots, so that a result can be held against them.

use std::collections::BTreeMap;
use std::fmt;

/// Most options a ballot of ours can have in one contest of this kind.
const PROJECTS_MAX: usize = 200;

/// One election as its file tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PbElection {
    /// `description`, or `unit` and `instance`.
    pub title: String,
    /// How voters chose.
    pub kind: PbKind,
    /// The options in the file's order.
    pub projects: Vec<Project>,
    /// The voters in the file's order.
    pub votes: Vec<PbVote>,
}

/// How voters chose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PbKind {
    /// Exactly one project.
    ChooseOne,
    /// Any `min..=max` projects.
    Approval {
        /// `min_length`, 1 when absent.
        min: u16,
        /// `max_length`, the number of projects when absent.
        max: u16,
    },
}

/// One option.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Project {
    /// `project_id`.
    pub id: String,
    /// `name`, or the id.
    pub name: String,
    /// Official total, if the file has the column.
    pub official: Option<u64>,
}

/// One voter's choice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PbVote {
    /// `voter_id`.
    pub voter: String,
    /// Places of the chosen projects, ascending.
    pub chosen: Vec<u16>,
}

/// What is wrong with a file, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PbError {
    /// Line, from 1; 0 when the file as a whole is meant.
    pub line: usize,
    /// Field in the line, from 1; 0 when the line as a whole is meant.
    pub column: usize,
    /// What was found and what was expected.
    pub message: String,
}

impl fmt::Display for PbError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.line, self.column) {
            (0, _) => write!(f, "{}", self.message),
            (line, 0) => write!(f, "line {line}: {}", self.message),
            (line, column) => write!(f, "line {line}, field {column}: {}", self.message),
        }
    }
}

impl std::error::Error for PbError {}

fn wrong<T>(line: usize, column: usize, message: impl Into<String>) -> Result<T, PbError> {
    Err(PbError { line, column, message: message.into() })
}

impl PbElection {
    /// Reads a whole file.
    ///
    /// # Errors
    /// [`PbError`] with line and field; nothing is half-read.
    pub fn parse(bytes: &[u8]) -> Result<Self, PbError> {
        let text = std::str::from_utf8(bytes).map_err(|error| {
            let line = 1 + bytes[..error.valid_up_to()].iter().filter(|b| **b == b'\n').count();
            PbError { line, column: 0, message: "not UTF-8 text; convert the file first".into() }
        })?;
        let sections = Sections::split(text.trim_start_matches('\u{feff}'))?;
        let meta = sections.meta()?;
        let projects = sections.projects()?;
        let kind = kind(&meta, projects.len())?;
        let votes = sections.votes(&projects, kind)?;
        if let Some((line, count)) = meta.number("num_projects")?
            && count != projects.len() as u64
        {
            let found = projects.len();
            return wrong(line, 2, format!("num_projects is {count}, PROJECTS has {found} rows"));
        }
        if let Some((line, count)) = meta.number("num_votes")?
            && count != votes.len() as u64
        {
            let found = votes.len();
            return wrong(line, 2, format!("num_votes is {count}, VOTES has {found} rows"));
        }
        let title = meta.text("description").or_else(|| meta.text("unit"));
        Ok(Self { title: title.unwrap_or_else(|| "Election".into()), kind, projects, votes })
    }

    /// How often each project was chosen, counted from the ballots in the clear.
    pub fn count(&self) -> Vec<u64> {
        let mut counts = vec![0; self.projects.len()];
        for chosen in self.votes.iter().flat_map(|vote| &vote.chosen) {
            counts[usize::from(*chosen)] += 1;
        }
        counts
    }

    /// The first project whose official total differs from the ballots: it, the official total,
    /// the count.
    pub fn contradiction(&self) -> Option<(&Project, u64, u64)> {
        self.projects.iter().zip(self.count()).find_map(|(project, count)| {
            let official = project.official?;
            (official != count).then_some((project, official, count))
        })
    }
}

/// `META` as a map: key to (line, value).
struct Meta<'a>(BTreeMap<&'a str, (usize, &'a str)>);

impl Meta<'_> {
    fn text(&self, key: &str) -> Option<String> {
        self.0.get(key).map(|(_, value)| (*value).to_owned()).filter(|value| !value.is_empty())
    }

    fn number(&self, key: &str) -> Result<Option<(usize, u64)>, PbError> {
        let Some((line, value)) = self.0.get(key) else { return Ok(None) };
        match value.trim().parse() {
            Ok(number) => Ok(Some((*line, number))),
            Err(_) => wrong(*line, 2, format!("{key} is '{value}'; expected a whole number")),
        }
    }

    fn length(&self, key: &str, otherwise: usize, projects: usize) -> Result<u16, PbError> {
        let (line, number) = match self.number(key)? {
            Some((line, number)) => (line, number.min(projects as u64)),
            None => (0, otherwise as u64),
        };
        u16::try_from(number).or_else(|_| wrong(line, 2, format!("{key} is too large")))
    }
}

fn kind(meta: &Meta<'_>, projects: usize) -> Result<PbKind, PbError> {
    let Some((line, value)) = meta.0.get("vote_type") else {
        return wrong(0, 0, "META has no vote_type; expected 'approval' or 'choose-1'");
    };
    match *value {
        "choose-1" => Ok(PbKind::ChooseOne),
        "approval" => {
            let min = meta.length("min_length", 1, projects)?;
            let max = meta.length("max_length", projects, projects)?;
            if min > max {
                return wrong(*line, 0, format!("min_length {min} is above max_length {max}"));
            }
            Ok(PbKind::Approval { min, max })
        }
        other => wrong(
            *line,
            2,
            format!("vote_type is '{other}'; this program reads 'approval' and 'choose-1'"),
        ),
    }
}

/// One line with its number.
type Line<'a> = (usize, &'a str);

/// The three sections, without their title lines.
struct Sections<'a> {
    meta: Vec<Line<'a>>,
    projects: Vec<Line<'a>>,
    votes: Vec<Line<'a>>,
}

impl<'a> Sections<'a> {
    fn split(text: &'a str) -> Result<Self, PbError> {
        let mut found: BTreeMap<&str, Vec<Line<'a>>> = BTreeMap::new();
        let mut current: Option<&str> = None;
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim_end_matches('\r');
            match line.trim() {
                "" => {}
                title @ ("META" | "PROJECTS" | "VOTES") => {
                    if found.insert(title, Vec::new()).is_some() {
                        return wrong(number, 0, format!("second section {title}"));
                    }
                    current = Some(title);
                }
                _ => match current.and_then(|title| found.get_mut(title)) {
                    Some(lines) => lines.push((number, line)),
                    None => return wrong(number, 0, "expected the section title META"),
                },
            }
        }
        let mut take = |title: &str| match found.remove(title) {
            Some(lines) if lines.is_empty() => wrong(0, 0, format!("section {title} is empty")),
            Some(lines) => Ok(lines),
            None => wrong(0, 0, format!("there is no section {title}; is this a .pb file?")),
        };
        Ok(Self { meta: take("META")?, projects: take("PROJECTS")?, votes: take("VOTES")? })
    }

    fn meta(&self) -> Result<Meta<'a>, PbError> {
        let mut map = BTreeMap::new();
        for (number, line) in self.meta.iter().skip(1) {
            let Some((key, value)) = line.split_once(';') else {
                return wrong(*number, 0, format!("'{line}' has no ';' between key and value"));
            };
            map.insert(key.trim(), (*number, value.trim()));
        }
        Ok(Meta(map))
    }

    fn projects(&self) -> Result<Vec<Project>, PbError> {
        let table = Table::new(&self.projects)?;
        let id = table.column("project_id")?;
        let (name, votes) = (table.optional("name"), table.optional("votes"));
        let mut projects: Vec<Project> = Vec::new();
        for (line, cells) in table.rows() {
            let cells = cells?;
            let project_id = cells[id].trim();
            if project_id.is_empty() {
                return wrong(line, id + 1, "project_id is empty");
            }
            if projects.iter().any(|project| project.id == project_id) {
                return wrong(line, id + 1, format!("project '{project_id}' appears twice"));
            }
            let official = match votes.map(|column| (column, cells[column].trim())) {
                None | Some((_, "")) => None,
                Some((column, text)) => Some(text.parse().or_else(|_| {
                    wrong(line, column + 1, format!("votes is '{text}'; expected a number"))
                })?),
            };
            let title = name.map(|column| cells[column].trim()).filter(|text| !text.is_empty());
            projects.push(Project {
                id: project_id.to_owned(),
                name: title.unwrap_or(project_id).to_owned(),
                official,
            });
        }
        if projects.len() < 2 || projects.len() > PROJECTS_MAX {
            let count = projects.len();
            return wrong(0, 0, format!("{count} projects; expected 2 to {PROJECTS_MAX}"));
        }
        Ok(projects)
    }

    fn votes(&self, projects: &[Project], kind: PbKind) -> Result<Vec<PbVote>, PbError> {
        let table = Table::new(&self.votes)?;
        let (voter, vote) = (table.column("voter_id")?, table.column("vote")?);
        let places: BTreeMap<&str, u16> =
            (0..).zip(projects).map(|(place, project)| (project.id.as_str(), place)).collect();
        let mut seen = std::collections::BTreeSet::new();
        let mut votes = Vec::new();
        for (line, cells) in table.rows() {
            let cells = cells?;
            let voter_id = cells[voter].trim();
            if voter_id.is_empty() || !seen.insert(voter_id.to_owned()) {
                return wrong(line, voter + 1, format!("voter '{voter_id}' is empty or repeated"));
            }
            let mut chosen = Vec::new();
            for id in cells[vote].split(',').map(str::trim).filter(|id| !id.is_empty()) {
                match places.get(id) {
                    Some(place) => chosen.push(*place),
                    None => return wrong(line, vote + 1, format!("no project has the id '{id}'")),
                }
            }
            chosen.sort_unstable();
            check_choice(line, vote + 1, &chosen, kind)?;
            votes.push(PbVote { voter: voter_id.to_owned(), chosen });
        }
        Ok(votes)
    }
}

fn check_choice(line: usize, column: usize, chosen: &[u16], kind: PbKind) -> Result<(), PbError> {
    if chosen.windows(2).any(|pair| pair[0] == pair[1]) {
        return wrong(line, column, "a project is chosen twice");
    }
    let (min, max) = match kind {
        PbKind::ChooseOne => (1, 1),
        PbKind::Approval { min, max } => (min, max),
    };
    if chosen.len() < usize::from(min) || chosen.len() > usize::from(max) {
        let count = chosen.len();
        return wrong(line, column, format!("{count} projects chosen; expected {min} to {max}"));
    }
    Ok(())
}

/// Rows under a line of column names.
struct Table<'a> {
    header_line: usize,
    columns: Vec<&'a str>,
    rows: &'a [Line<'a>],
}

impl<'a> Table<'a> {
    fn new(lines: &'a [Line<'a>]) -> Result<Self, PbError> {
        let [(header_line, header), rows @ ..] = lines else {
            return wrong(0, 0, "a section has no line of column names");
        };
        let columns = header.split(';').map(str::trim).collect();
        Ok(Self { header_line: *header_line, columns, rows })
    }

    fn optional(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| *column == name)
    }

    fn column(&self, name: &str) -> Result<usize, PbError> {
        match self.optional(name) {
            Some(place) => Ok(place),
            None => wrong(self.header_line, 0, format!("there is no column '{name}'")),
        }
    }

    fn rows(&self) -> impl Iterator<Item = (usize, Result<Vec<&'a str>, PbError>)> + '_ {
        let expected = self.columns.len();
        self.rows.iter().map(move |(number, line)| {
            let cells: Vec<&str> = line.split(';').collect();
            let found = cells.len();
            let row = if found == expected {
                Ok(cells)
            } else {
                wrong(*number, 0, format!("{found} fields; expected {expected} as in the header"))
            };
            (*number, row)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = "META\nkey;value\ndescription;Park\nnum_projects;2\nnum_votes;3\n\
        vote_type;approval\nmax_length;2\nPROJECTS\nproject_id;cost;votes;name\np1;10;2;Trees\n\
        p2;20;2;Benches\nVOTES\nvoter_id;vote\n1;p1\n2;p2,p1\n3;p2\n";

    fn check(change: (&str, &str), expect: &str) {
        assert!(SMALL.contains(change.0), "{} is in the sample", change.0);
        let text = SMALL.replacen(change.0, change.1, 1);
        let error = PbElection::parse(text.as_bytes()).expect_err(expect).to_string();
        assert_eq!(error, expect);
    }

    #[test]
    fn a_small_file_is_read_and_counted() {
        let election = PbElection::parse(SMALL.as_bytes()).expect("well-formed");
        assert_eq!(election.title, "Park");
        assert_eq!(election.kind, PbKind::Approval { min: 1, max: 2 });
        assert_eq!(election.votes[1].chosen, [0, 1]);
        assert_eq!(election.count(), [2, 2]);
        assert_eq!(election.contradiction(), None);
    }

    #[test]
    fn mistakes_are_named_with_line_and_field() {
        check(("p1;10;2;", "p1;10;x;"), "line 10, field 3: votes is 'x'; expected a number");
        check(("2;p2,p1", "2;p2,p9"), "line 15, field 2: no project has the id 'p9'");
        check(("2;p2,p1", "2;p2,p2"), "line 15, field 2: a project is chosen twice");
        check(("2;p2,p1", "2"), "line 15: 1 fields; expected 2 as in the header");
        check(("2;p2,p1", "1;p2"), "line 15, field 1: voter '1' is empty or repeated");
        check(
            ("max_length;2", "max_length;1"),
            "line 15, field 2: 2 projects chosen; expected 1 to 1",
        );
        check(("num_votes;3", "num_votes;4"), "line 5, field 2: num_votes is 4, VOTES has 3 rows");
        check(
            ("approval", "ordinal"),
            "line 6, field 2: vote_type is 'ordinal'; this program reads 'approval' and 'choose-1'",
        );
        check(("VOTES\n", ""), "there is no section VOTES; is this a .pb file?");
        check(("META\n", ""), "line 1: expected the section title META");
    }

    #[test]
    fn ballots_that_contradict_the_totals_name_the_option() {
        let text = SMALL.replacen("p1;10;2;", "p1;10;5;", 1);
        let election = PbElection::parse(text.as_bytes()).expect("well-formed");
        let (project, official, count) = election.contradiction().expect("differs");
        assert_eq!((project.name.as_str(), official, count), ("Trees", 5, 2));
    }
}

//! Which column of a list means what: the header's words, or the shape of lists without one.
//!
//! Lists of other voting programs are taken as those programs export them: Helios
//! (`password,id,email,name`, no header), Belenios (`identity[,login[,weight]]`, no header),
//! Decidim (`email,token`), LimeSurvey (`firstname,lastname,email,…`).

use crate::table::Mistakes;
use std::collections::BTreeMap;

/// What a column can mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Column {
    VoterId,
    Email,
    Name,
    FirstName,
    LastName,
    Language,
    Weight,
    Group,
}

/// Our own name of each, then the names that others use; compared without case, and with spaces
/// and dashes as underscores.
const NAMES: [(Column, &[&str]); 8] = [
    (
        Column::VoterId,
        &["voter_id", "voterid", "id", "member_id", "unique_id", "uid", "identity", "login"],
    ),
    (Column::Email, &["email", "e_mail", "mail", "email_address", "mail_address"]),
    (Column::Name, &["name", "full_name", "fullname"]),
    (Column::FirstName, &["firstname", "first_name", "given_name"]),
    (Column::LastName, &["lastname", "last_name", "family_name", "surname"]),
    (Column::Language, &["language", "lang", "locale"]),
    (Column::Weight, &["weight", "votes", "shares"]),
    (Column::Group, &["group", "class", "chamber"]),
];

/// First cells of a row in a list for Helios: how the voter logs in there.
const HELIOS_METHODS: [&str; 8] =
    ["password", "google", "github", "gitlab", "ldap", "cas", "yahoo", "linkedin"];

impl Column {
    fn of(cell: &str) -> Option<Self> {
        let plain = plain(cell);
        let found = NAMES.iter().find(|(_, names)| names.contains(&plain.as_str()));
        found.map(|(column, _)| *column)
    }
}

fn plain(cell: &str) -> String {
    cell.trim().to_lowercase().replace([' ', '-'], "_")
}

/// How a list is laid out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// Where each known column stands, from 0.
    pub(super) places: BTreeMap<Column, usize>,
    /// Columns that mean nothing to us, by their place from 0.
    pub(super) attributes: BTreeMap<usize, String>,
    /// Whether the first row is a header.
    pub(super) has_header: bool,
    /// How many cells a row has, at least and at most.
    pub(super) cells: (usize, usize),
    /// In words: what kind of list it was taken for.
    pub(super) kind: &'static str,
}

impl Layout {
    /// The layout that the first row shows; line and cells from 1 in mistakes.
    pub(super) fn of(line: u64, first: &[String], mistakes: &mut Mistakes) -> Option<Self> {
        let has_header = first.iter().any(|cell| Column::of(cell).is_some());
        if has_header {
            Self::of_header(line, first, mistakes)
        } else {
            Self::bare(line, first, mistakes)
        }
    }

    fn of_header(line: u64, header: &[String], mistakes: &mut Mistakes) -> Option<Self> {
        let (mut places, mut attributes) = (BTreeMap::new(), BTreeMap::new());
        let before = mistakes.count();
        for (at, cell) in header.iter().enumerate() {
            match Column::of(cell) {
                // `id` and `login` in one header: the first name of the list wins, as in NAMES.
                Some(column) if !places.contains_key(&column) => drop(places.insert(column, at)),
                Some(column) if plain(cell) == plain(&header[places[&column]]) => {
                    mistakes.add(line, at + 1, format!("column '{cell}' appears twice"));
                }
                Some(_) => drop(attributes.insert(at, cell.clone())),
                None => match nearly(cell) {
                    Some(known) => mistakes.add(
                        line,
                        at + 1,
                        format!("unknown column '{cell}'; did you mean '{known}'?"),
                    ),
                    None => drop(attributes.insert(at, cell.clone())),
                },
            }
        }
        if mistakes.count() > before {
            return None;
        }
        let kind = if places.contains_key(&Column::VoterId) {
            "a list with a header"
        } else if let Some(email) = places.get(&Column::Email).copied() {
            places.insert(Column::VoterId, email);
            "a list with a header; voters are told apart by their address"
        } else {
            let reason = "no column says who a voter is: name one voter_id, or give email; known \
                          columns are voter_id, email, name, language, weight, group";
            mistakes.add(line, 1, reason);
            return None;
        };
        Some(Self {
            places,
            attributes,
            has_header: true,
            cells: (header.len(), header.len()),
            kind,
        })
    }

    fn bare(line: u64, first: &[String], mistakes: &mut Mistakes) -> Option<Self> {
        let head = first.first().map(String::as_str).unwrap_or_default();
        let place = |columns: &[Column], from: usize| {
            columns.iter().copied().zip(from..).collect::<BTreeMap<_, _>>()
        };
        let bare = |places, cells, kind| {
            Some(Self { places, attributes: BTreeMap::new(), has_header: false, cells, kind })
        };
        if HELIOS_METHODS.contains(&head.to_lowercase().as_str()) && first.len() >= 2 {
            let places = place(&[Column::VoterId, Column::Email, Column::Name], 1);
            return bare(places, (2, 4), "a list without a header, as for Helios");
        }
        if head.contains('@') && first.len() <= 3 {
            // Belenios: the first cell is the address, too; the second a name to log in with.
            let mut places = place(&[Column::VoterId], 0);
            places.insert(Column::Email, 0);
            places.insert(Column::Weight, 2);
            return bare(places, (1, 3), "a list without a header, as for Belenios");
        }
        mistakes.add(
            line,
            1,
            "the first line is no header: it has none of voter_id, email, name, language, weight, \
             group"
                .to_owned(),
        );
        None
    }
}

/// The known name that differs from `cell` in one or two letters.
fn nearly(cell: &str) -> Option<&'static str> {
    let plain = plain(cell);
    let own = NAMES.iter().map(|(_, names)| names[0]);
    own.filter(|name| name.len() > 3 && distance(name, &plain) <= 2)
        .min_by_key(|name| distance(name, &plain))
}

/// Letters to be put in, taken out or changed (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], i + 1);
        for (j, to) in b.iter().enumerate() {
            let changed = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout(cells: &[&str]) -> Result<(String, &'static str), String> {
        let cells: Vec<String> = cells.iter().map(|cell| (*cell).to_owned()).collect();
        let mut mistakes = Mistakes::default();
        let layout = Layout::of(1, &cells, &mut mistakes);
        let told: Vec<String> = mistakes.into_wrong().iter().map(ToString::to_string).collect();
        let layout = layout.ok_or(told.join("\n"))?;
        let places: Vec<String> =
            layout.places.iter().map(|(column, at)| format!("{column:?}={at}")).collect();
        Ok((places.join(" "), layout.kind))
    }

    #[test]
    fn lists_of_other_programs_are_recognised() {
        let headed = "a list with a header";
        let by_address = "a list with a header; voters are told apart by their address";
        for (cells, places, kind) in [
            (&["voter_id", "Weight"][..], "VoterId=0 Weight=1", headed),
            (&["Member ID", "E-Mail"], "VoterId=0 Email=1", headed),
            (&["email", "token"], "VoterId=0 Email=0", by_address),
            (
                &["firstname", "lastname", "email", "emailstatus"],
                "VoterId=2 Email=2 FirstName=0 LastName=1",
                by_address,
            ),
            (
                &["password", "ann", "ann@x.org", "Ann"],
                "VoterId=1 Email=2 Name=3",
                "a list without a header, as for Helios",
            ),
            (
                &["ann@x.org", "ann", "2"],
                "VoterId=0 Email=0 Weight=2",
                "a list without a header, as for Belenios",
            ),
        ] {
            assert_eq!(layout(cells), Ok((places.to_owned(), kind)), "{cells:?}");
        }
    }

    #[test]
    fn slips_in_a_header_are_told_and_foreign_columns_kept() {
        let told = |cells: &[&str]| layout(cells).expect_err("wrong");
        assert_eq!(
            told(&["voter_id", "wieght"]),
            "line 1, column 2: unknown column 'wieght'; did you mean 'weight'?"
        );
        assert_eq!(
            told(&["voter_id", "voter_id"]),
            "line 1, column 2: column 'voter_id' appears twice"
        );
        assert!(told(&["name"]).contains("no column says who a voter is"));
        assert!(told(&["1", "Ann"]).contains("the first line is no header"));
        let cells = ["voter_id", "room"].map(str::to_owned);
        let layout = Layout::of(1, &cells, &mut Mistakes::default()).expect("good");
        assert_eq!(layout.attributes, BTreeMap::from([(1, "room".to_owned())]));
    }
}

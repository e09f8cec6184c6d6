//! The issuer's list of voters, which never leaves the issuer: what offices and other voting
//! programs export, taken as a whole or not at all.
//!
//! [`read`] recognises encoding, separator and columns and says what it took them for, names every
//! mistake by line and cell, and keeps the rejected rows as they were, so that they can be put
//! right and read again.

mod columns;
mod preview;
mod text;

pub use preview::preview;

use crate::definition::Wrong;
use crate::table::{Mistakes, rows};
use columns::{Column, Layout};
use election::roll::VOTERS_MAX;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Longest text in a cell, in bytes.
const CELL_BYTES_MAX: usize = 500;

/// One voter of the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedVoter {
    /// The issuer's name for the voter, unique.
    pub voter_id: String,
    /// Address for the invitation, or empty.
    pub email: String,
    /// Name for the sheet, or empty.
    pub name: String,
    /// Language tag for the invitation, or empty.
    pub language: String,
    /// How many votes the ballot counts.
    pub weight: u32,
    /// Group, 0 for none.
    pub group: u8,
}

/// A row that was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Rejected {
    line: u64,
    reasons: Vec<String>,
    cells: Vec<String>,
}

/// A list as it was read.
#[derive(Debug)]
pub struct VoterList {
    /// The rows without a mistake, in the list's order.
    pub voters: Vec<ListedVoter>,
    /// Every mistake, by line and cell.
    pub mistakes: Vec<Wrong>,
    /// What was recognised, and what a person should look at, in sentences.
    pub notes: Vec<String>,
    header: Vec<String>,
    delimiter: u8,
    rejected: Vec<Rejected>,
}

impl VoterList {
    /// How many rows were not taken.
    pub fn rejected(&self) -> usize {
        self.rejected.len()
    }

    /// The rejected rows as a table of their own: the cells as they were, and what is wrong with
    /// them. Cells that a spreadsheet would take for formulas are defused by an apostrophe.
    pub fn rejected_csv(&self) -> Vec<u8> {
        let mut writer = csv::WriterBuilder::new()
            .delimiter(self.delimiter)
            .flexible(true)
            .from_writer(Vec::new());
        let added = ["line", "what is wrong"].map(str::to_owned);
        let header = added.iter().chain(&self.header).cloned();
        // Writing into memory succeeds.
        let _written = writer.write_record(header.map(|cell| defused(&cell)));
        for row in &self.rejected {
            let added = [row.line.to_string(), row.reasons.join("; ")];
            let cells = added.iter().chain(&row.cells);
            let _written = writer.write_record(cells.map(|cell| defused(cell)));
        }
        writer.into_inner().unwrap_or_default()
    }
}

/// A cell that no spreadsheet takes for a formula.
fn defused(cell: &str) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{cell}")
    } else {
        cell.to_owned()
    }
}

/// Reads a list of voters. Places in mistakes are line and number of the cell, both from 1.
///
/// # Errors
/// When nothing can be read at all: no rows, no usable header, too many voters.
pub fn read(bytes: &[u8]) -> Result<VoterList, Vec<Wrong>> {
    let text::Text { text, encoding, is_guess } = text::decode(bytes);
    let delimiter = delimiter_of(text.lines().find(|line| !line.trim().is_empty()).unwrap_or(""));
    let mut mistakes = Mistakes::default();
    let mut found = Vec::new();
    for row in rows(&text, delimiter) {
        let (line, record) = row.map_err(|wrong| vec![wrong])?;
        let cells = record.iter().map(|cell| text::clean(cell).into_owned());
        found.push((line, cells.collect::<Vec<_>>()));
    }
    let Some((line, first)) = found.first() else {
        mistakes.add(1, 1, "the file is empty; expected a header with voter_id");
        return Err(mistakes.into_wrong());
    };
    let Some(layout) = Layout::of(*line, first, &mut mistakes) else {
        return Err(mistakes.into_wrong());
    };
    let header = if layout.has_header { found.remove(0).1 } else { Vec::new() };
    if found.is_empty() {
        mistakes.add(2, 1, "there is no voter below the header");
        return Err(mistakes.into_wrong());
    }
    if found.len() > VOTERS_MAX {
        let reason = format!("a roll has at most {VOTERS_MAX} voters, not {}", found.len());
        mistakes.add(1, 1, reason);
        return Err(mistakes.into_wrong());
    }
    let mut notes = vec![recognised(encoding, delimiter, &layout)];
    if is_guess {
        notes.push("the encoding is a guess: look at letters with accents below".to_owned());
    }
    let mut reader = Reader { layout, mistakes, seen: BTreeMap::new(), rejected: Vec::new() };
    let voters = reader.voters(found);
    notes.extend(shared_addresses(&voters));
    let Reader { mistakes, rejected, .. } = reader;
    Ok(VoterList { voters, mistakes: mistakes.into_wrong(), notes, header, delimiter, rejected })
}

fn recognised(encoding: &str, delimiter: u8, layout: &Layout) -> String {
    let separator = match delimiter {
        b'\t' => "tabs",
        b';' => "semicolons",
        _ => "commas",
    };
    let mut note = format!("read as {encoding}, cells separated by {separator}, {}", layout.kind);
    if !layout.attributes.is_empty() {
        let names: Vec<&str> = layout.attributes.values().map(String::as_str).collect();
        // Writing to a string succeeds.
        let _written = write!(note, "; not used: {}", names.join(", "));
    }
    note
}

/// People who share an address: families do, but so do slips of copying.
fn shared_addresses(voters: &[ListedVoter]) -> Option<String> {
    let mut by_address: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for voter in voters.iter().filter(|voter| !voter.email.is_empty()) {
        by_address.entry(voter.email.to_lowercase()).or_default().push(&voter.voter_id);
    }
    let shared: Vec<_> = by_address.into_iter().filter(|(_, who)| who.len() > 1).collect();
    let (address, who) = shared.first()?;
    let (count, who) = (shared.len(), who.join(", "));
    Some(format!("{count} addresses are shared by several voters, the first is {address} ({who})"))
}

fn delimiter_of(first: &str) -> u8 {
    let count = |delimiter: &u8| first.bytes().filter(|byte| byte == delimiter).count();
    // With equal counts the last of these: max_by_key takes the last.
    *b"\t;,".iter().max_by_key(|delimiter| count(delimiter)).unwrap_or(&b',')
}

struct Reader {
    layout: Layout,
    mistakes: Mistakes,
    /// The line of each voter id.
    seen: BTreeMap<String, u64>,
    rejected: Vec<Rejected>,
}

impl Reader {
    fn voters(&mut self, rows: Vec<(u64, Vec<String>)>) -> Vec<ListedVoter> {
        let mut voters = Vec::new();
        for (line, cells) in rows {
            match self.voter(line, &cells) {
                Ok(voter) => voters.push(voter),
                Err(wrong) => {
                    let reasons = wrong.iter().map(|(_, reason)| reason.clone()).collect();
                    for (cell, reason) in wrong {
                        self.mistakes.add(line, cell, reason);
                    }
                    self.rejected.push(Rejected { line, reasons, cells });
                }
            }
        }
        voters
    }

    /// The voter in a row.
    ///
    /// # Errors
    /// Each mistake with the number of its cell from 1.
    fn voter(&mut self, line: u64, cells: &[String]) -> Result<ListedVoter, Vec<(usize, String)>> {
        let mut wrong = Vec::new();
        let (fewest, most) = self.layout.cells;
        if !(fewest..=most).contains(&cells.len()) {
            let expected =
                if fewest == most { most.to_string() } else { format!("{fewest} to {most}") };
            let reason = format!("the line has {} cells, expected {expected}", cells.len());
            wrong.push((cells.len().min(most) + 1, reason));
        }
        for (at, cell) in cells.iter().enumerate() {
            if cell.len() > CELL_BYTES_MAX || cell.chars().any(char::is_control) {
                let reason = format!("a cell must be one line of at most {CELL_BYTES_MAX} bytes");
                wrong.push((at + 1, reason));
            }
        }
        let place = |column| self.layout.places.get(&column).copied();
        let cell = |column| place(column).and_then(|at| cells.get(at)).map_or("", String::as_str);
        let number = |column| place(column).map_or(1, |at| at + 1);
        let voter = ListedVoter {
            voter_id: self.voter_id(cell(Column::VoterId)),
            email: cell(Column::Email).to_owned(),
            name: name(cell),
            language: cell(Column::Language).to_owned(),
            weight: weight(cell(Column::Weight))
                .unwrap_or_else(|reason| (wrong.push((number(Column::Weight), reason)), 1).1),
            group: group(cell(Column::Group))
                .unwrap_or_else(|reason| (wrong.push((number(Column::Group), reason)), 0).1),
        };
        if voter.voter_id.is_empty() {
            wrong.push((number(Column::VoterId), "voter_id is empty".to_owned()));
        } else if let Some(earlier) = self.seen.get(&voter.voter_id) {
            let id = &voter.voter_id;
            let reason = format!("voter_id '{id}' stands in line {earlier} already");
            wrong.push((number(Column::VoterId), reason));
        }
        if !voter.email.is_empty() && !is_address(&voter.email) {
            let reason = format!("'{}' is no mail address", voter.email);
            wrong.push((number(Column::Email), reason));
        }
        if !wrong.is_empty() {
            return Err(wrong);
        }
        self.seen.insert(voter.voter_id.clone(), line);
        Ok(voter)
    }

    /// Addresses name the same voter in any case; other ids are taken to the letter.
    fn voter_id(&self, cell: &str) -> String {
        let places = &self.layout.places;
        let is_address = places.get(&Column::VoterId) == places.get(&Column::Email);
        if is_address { cell.to_lowercase() } else { cell.to_owned() }
    }
}

fn name<'a>(cell: impl Fn(Column) -> &'a str) -> String {
    let parts = [cell(Column::FirstName), cell(Column::LastName)];
    match cell(Column::Name) {
        "" => parts.join(" ").trim().to_owned(),
        name => name.to_owned(),
    }
}

fn weight(cell: &str) -> Result<u32, String> {
    match cell {
        "" => Ok(1),
        text => text
            .parse()
            .ok()
            .filter(|weight| *weight >= 1)
            .ok_or_else(|| format!("weight '{text}' is no whole number of at least 1")),
    }
}

fn group(cell: &str) -> Result<u8, String> {
    match cell {
        "" => Ok(0),
        text => {
            text.parse().map_err(|_| format!("group '{text}' is no whole number from 0 to 255"))
        }
    }
}

/// Whether mail can be meant for it: something, one @, and a domain; what else an address may be
/// is for the mail server to say.
fn is_address(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let is_plain =
        |letter: char| !letter.is_whitespace() && !matches!(letter, ',' | ';' | '<' | '>');
    !local.is_empty()
        && !local.contains('@')
        && !domain.split('.').any(str::is_empty)
        && text.chars().all(is_plain)
}

#[cfg(test)]
mod tests;

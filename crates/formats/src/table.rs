//! Tables of text: rows with their line numbers, and mistakes collected by line and cell.

use crate::definition::Wrong;

/// More mistakes than these are not listed one by one.
pub(crate) const WRONG_MAX: usize = 50;

/// Mistakes collected while a table is read, the first [`WRONG_MAX`] of them in words.
#[derive(Debug, Default)]
pub(crate) struct Mistakes {
    listed: Vec<Wrong>,
    more: usize,
}

impl Mistakes {
    /// One more; `line` and `cell` count from 1.
    pub(crate) fn add(&mut self, line: u64, cell: usize, reason: impl Into<String>) {
        if self.listed.len() == WRONG_MAX {
            self.more += 1;
            return;
        }
        let line = usize::try_from(line).unwrap_or(usize::MAX);
        self.listed.push(Wrong { line, column: cell, reason: reason.into() });
    }

    /// How many there are, the unlisted ones too.
    pub(crate) fn count(&self) -> usize {
        self.listed.len() + self.more
    }

    /// The mistakes in words, the last saying how many more there are.
    pub(crate) fn into_wrong(self) -> Vec<Wrong> {
        let Self { mut listed, more } = self;
        if let Some(last) = listed.last_mut().filter(|_| more > 0) {
            last.reason.push_str(&format!("; and {more} mistakes more"));
        }
        listed
    }
}

/// The rows of a table (RFC 4180) with their line numbers from 1; blank lines are skipped, cells
/// trimmed.
pub(crate) fn rows(
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mistakes_beyond_the_listed_ones_are_counted() {
        let mut mistakes = Mistakes::default();
        for line in 1..=60 {
            mistakes.add(line, 2, "wrong");
        }
        assert_eq!(mistakes.count(), 60);
        let wrong = mistakes.into_wrong();
        assert_eq!(wrong.len(), WRONG_MAX);
        assert_eq!(wrong[48].to_string(), "line 49, column 2: wrong");
        assert_eq!(wrong[49].to_string(), "line 50, column 2: wrong; and 10 mistakes more");
    }
}

//! Lists that the issuer keeps to itself, as CSV (RFC 4180): a header, and a row for each voter.

use crate::commands::Failure;
use crate::{exit, files};
use std::io::Cursor;
use std::path::Path;
use std::str::FromStr;

/// A row and where it stands.
pub(super) struct Row<'a> {
    path: &'a Path,
    line: u64,
    cells: csv::StringRecord,
}

impl Row<'_> {
    /// The cell in column `at`, counted from 0; empty where the row ends before it.
    pub(super) fn text(&self, at: usize) -> &str {
        self.cells.get(at).unwrap_or_default()
    }

    /// What the cell in column `at` says.
    ///
    /// # Errors
    /// `reason` of what is wrong, with line and column.
    pub(super) fn parse<T: FromStr>(
        &self,
        at: usize,
        reason: impl FnOnce(T::Err) -> String,
    ) -> Result<T, Failure> {
        let parsed = self.text(at).parse();
        parsed.map_err(|error| wrong(self.path, self.line, at + 1, reason(error)))
    }
}

/// The rows of the list at `path`, which must have just this header; `otherwise` says what the file
/// is if it has another one.
///
/// # Errors
/// What is wrong, with line and column.
pub(super) fn read<'a>(
    path: &'a Path,
    header: &[&str],
    otherwise: &str,
) -> Result<impl Iterator<Item = Result<Row<'a>, Failure>>, Failure> {
    let unreadable = move |error: csv::Error| wrong(path, 1, 1, error.to_string());
    let mut reader = csv::Reader::from_reader(Cursor::new(files::read(path)?));
    if reader.headers().map_err(unreadable)? != header {
        let expected = header.join(",");
        return Err(wrong(path, 1, 1, format!("this is {otherwise}; expected {expected}")));
    }
    Ok(reader.into_records().map(move |cells| {
        let cells = cells.map_err(unreadable)?;
        let line = cells.position().map_or(1, csv::Position::line);
        Ok(Row { path, line, cells })
    }))
}

/// The bytes of a list.
///
/// # Errors
/// Of the CSV writer.
pub(super) fn write<const N: usize>(
    header: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> Result<Vec<u8>, Failure> {
    let failed = |error: csv::Error| Failure::new(exit::FAILED, error);
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(header).map_err(failed)?;
    rows.into_iter().try_for_each(|row| writer.write_record(row)).map_err(failed)?;
    writer.into_inner().map_err(|error| Failure::new(exit::FAILED, error.to_string()))
}

fn wrong(path: &Path, line: u64, column: usize, reason: String) -> Failure {
    let place = format!("{}: line {line}, column {column}", path.display());
    Failure::new(exit::BAD_DATA, format!("{place}: {reason}"))
}

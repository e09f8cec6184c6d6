//! `quorate issuer tokens`: enrolment instead of codes. Each voter gets a one-time token; the
//! voter's own device makes the code, so that nobody else ever holds it, the issuer included.

use super::{BoothArgs, Issued, ListArgs, Way, fresh, listed, write_sheets};
use crate::commands::Failure;
use crate::voters::ListedVoter;
use crate::{exit, files, random};
use ballot::Code;
use clap::Args;
use election::ElectionId;
use std::path::{Path, PathBuf};

/// The columns of tokens.csv.
pub(super) const TOKENS_HEADER: [&str; 7] =
    ["voter_id", "token", "name", "email", "language", "weight", "group"];

#[derive(Args, Debug)]
pub(crate) struct TokensArgs {
    /// The election
    #[arg(long, value_name = "ID")]
    election: ElectionId,
    #[command(flatten)]
    list: ListArgs,
    /// Folder for tokens.csv and sheets.html
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Where enrolments will be taken: the address of `issuer enrol --listen`, or mailto:ADDRESS
    #[arg(long, value_name = "URL")]
    enrol_at: String,
    #[command(flatten)]
    booth: BoothArgs,
}

/// A voter of tokens.csv.
#[derive(Debug)]
pub(super) struct Invited {
    pub(super) voter_id: String,
    pub(super) token: Code,
    pub(super) weight: u32,
    pub(super) group: u8,
}

/// `quorate issuer tokens`.
pub(super) fn run(args: &TokensArgs) -> Result<(), Failure> {
    let voters = listed(&args.list)?.voters;
    if args.list.dry_run {
        println!("{} voters; the list is good; nothing was made", voters.len());
        return Ok(());
    }
    let path = fresh(&args.out, "tokens.csv")?;
    let (rows, issued): (Vec<_>, Vec<_>) = voters.into_iter().map(invite).unzip();
    files::write_private(&path, &table(&rows).map_err(|error| failed(&error))?)?;
    let way =
        Way { election: args.election, booth: &args.booth.address, enrol_at: Some(&args.enrol_at) };
    write_sheets(&args.out.join("sheets.html"), &way, &issued)?;
    println!(
        "made {} tokens in {}; hand them out, take enrolments with `issuer enrol`, then make the \
         public roll with `issuer roll`",
        issued.len(),
        args.out.display()
    );
    Ok(())
}

fn failed(error: &impl ToString) -> Failure {
    Failure::new(exit::FAILED, error.to_string())
}

fn invite(voter: ListedVoter) -> ([String; 7], Issued) {
    let ListedVoter { voter_id, email, name, language, weight, group } = voter;
    let code = Code::random(&mut random::system());
    let (token, weight, group) = (code.to_string(), weight.to_string(), group.to_string());
    let row = [&voter_id, &token, &name, &email, &language, &weight, &group].map(Clone::clone);
    (row, Issued { voter_id, name, email, language, code })
}

fn table(rows: &[[String; 7]]) -> Result<Vec<u8>, csv::Error> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record(TOKENS_HEADER)?;
    rows.iter().try_for_each(|row| writer.write_record(row))?;
    writer.into_inner().map_err(|error| csv::Error::from(error.into_error()))
}

/// Reads tokens.csv.
///
/// # Errors
/// The first thing that is wrong, with line and column.
pub(super) fn read(path: &Path) -> Result<Vec<Invited>, Failure> {
    let bytes = files::read(path)?;
    let wrong = |line: u64, column: usize, reason: String| {
        let place = format!("{}: line {line}, column {column}", path.display());
        Failure::new(exit::BAD_DATA, format!("{place}: {reason}"))
    };
    let mut reader = csv::Reader::from_reader(bytes.as_slice());
    let header = reader.headers().map_err(|error| wrong(1, 1, error.to_string()))?;
    if header != TOKENS_HEADER.as_slice() {
        let expected = TOKENS_HEADER.join(",");
        return Err(wrong(1, 1, format!("this is no list of tokens; expected {expected}")));
    }
    let mut invited = Vec::new();
    for row in reader.into_records() {
        let row = row.map_err(|error| wrong(1, 1, error.to_string()))?;
        let line = row.position().map_or(1, csv::Position::line);
        let cell = |at| row.get(at).unwrap_or_default();
        let token = cell(1)
            .parse()
            .map_err(|error: ballot::CodeError| wrong(line, 2, format!("the token: {error}")))?;
        let weight = cell(5)
            .parse()
            .map_err(|_| wrong(line, 6, format!("weight '{}' is no whole number", cell(5))))?;
        let group = cell(6)
            .parse()
            .map_err(|_| wrong(line, 7, format!("group '{}' is no number to 255", cell(6))))?;
        invited.push(Invited { voter_id: cell(0).to_owned(), token, weight, group });
    }
    Ok(invited)
}

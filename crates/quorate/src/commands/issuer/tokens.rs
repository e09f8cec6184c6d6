//! `quorate issuer tokens`: enrolment instead of codes. Each voter gets a one-time token; the
//! voter's own device makes the code, so that nobody else ever holds it, the issuer included.

use super::{BoothArgs, Issued, ListArgs, Way, fresh, listed, private_list, write_sheets};
use crate::commands::Failure;
use crate::{files, random};
use ballot::Code;
use clap::Args;
use election::ElectionId;
use formats::voters::ListedVoter;
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
    files::write_private(&path, &private_list::write(TOKENS_HEADER, rows)?)?;
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

fn invite(voter: ListedVoter) -> ([String; 7], Issued) {
    let ListedVoter { voter_id, email, name, language, weight, group } = voter;
    let code = Code::random(&mut random::system());
    let (token, weight, group) = (code.to_string(), weight.to_string(), group.to_string());
    let row = [&voter_id, &token, &name, &email, &language, &weight, &group].map(Clone::clone);
    (row, Issued { voter_id, name, email, language, code })
}

/// Reads tokens.csv.
///
/// # Errors
/// The first thing that is wrong, with line and column.
pub(super) fn read(path: &Path) -> Result<Vec<Invited>, Failure> {
    let rows = private_list::read(path, &TOKENS_HEADER, "no list of tokens")?;
    rows.map(|row| {
        let row = row?;
        let token = row.parse(1, |error: ballot::CodeError| format!("the token: {error}"))?;
        let weight = row.parse(5, |_| format!("weight '{}' is no whole number", row.text(5)))?;
        let group = row.parse(6, |_| format!("group '{}' is no number to 255", row.text(6)))?;
        Ok(Invited { voter_id: row.text(0).to_owned(), token, weight, group })
    })
    .collect()
}

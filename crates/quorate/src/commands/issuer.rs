//! `quorate issuer …`: gives the voters their codes, or tokens with which they make codes
//! themselves, outside the nodes. Only the public roll leaves this program's folder for a node;
//! codes, tokens and sheets are for the voters.

mod desk;
mod enrol;
mod invitation;
mod journal;
mod lines;
mod mailing;
mod private_list;
mod sheets;
mod tokens;

use super::Failure;
use super::election::bad_file;
use crate::{exit, files, random};
use ballot::{Code, Credential};
use base::Prng;
use clap::{Args, Subcommand};
use election::{ElectionId, Roll, Voter};
use formats::roll::write_public_roll;
use formats::voters::{self, ListedVoter, VoterList};
use std::path::{Path, PathBuf};

/// Give the voters their codes or enrolment tokens, outside the nodes
#[derive(Subcommand, Debug)]
pub(crate) enum IssuerCommand {
    /// Make a code for each voter of a list, the public roll, and sheets to print
    Codes(CodesArgs),
    /// Make the sheets again from the codes
    Sheets(SheetsArgs),
    /// Show a voter's public key, which the administrator needs to withdraw or replace it, or to
    /// mark it on paper
    Key(KeyArgs),
    /// Make a one-time token for each voter of a list, whose own device then makes the code
    Tokens(tokens::TokensArgs),
    /// Take voters' enrolments, from letters or over HTTP
    Enrol(enrol::EnrolArgs),
    /// Make the public roll of those who have enrolled
    Roll(enrol::RollArgs),
    /// Send each voter the code or token by mail, never twice
    Mail(mailing::MailArgs),
}

/// The list of voters, and what to do about its mistakes.
#[derive(Args, Debug)]
pub(crate) struct ListArgs {
    /// List of voters: columns voter_id,email,name,language,weight,group, only the first required;
    /// lists for Helios, Belenios, Decidim and LimeSurvey are taken as they are
    #[arg(long, value_name = "VOTERS.csv")]
    roll: PathBuf,
    /// Only read the list, show what it was taken for, and tell what is wrong
    #[arg(long)]
    dry_run: bool,
    /// Write the rows with mistakes into this file, to be put right
    #[arg(long, value_name = "FILE")]
    rejected: Option<PathBuf>,
    /// Take the good rows although others have mistakes; needs --rejected
    #[arg(long, requires = "rejected")]
    without_rejected: bool,
}

#[derive(Args, Debug)]
pub(crate) struct CodesArgs {
    /// The election
    #[arg(long, value_name = "ID")]
    election: ElectionId,
    #[command(flatten)]
    list: ListArgs,
    /// Folder for codes.csv, public-roll.csv and sheets.html
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Make the same codes each time; for tests and demonstrations only
    #[arg(long, value_name = "N", hide = true)]
    seed: Option<u64>,
    #[command(flatten)]
    booth: BoothArgs,
}

#[derive(Args, Debug)]
pub(crate) struct SheetsArgs {
    /// The election
    #[arg(long, value_name = "ID")]
    election: ElectionId,
    /// The codes that `issuer codes` wrote
    #[arg(long, value_name = "codes.csv")]
    codes: PathBuf,
    /// Where to put the sheets
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    booth: BoothArgs,
}

#[derive(Args, Debug)]
pub(crate) struct KeyArgs {
    /// The election
    #[arg(long, value_name = "ID")]
    election: ElectionId,
    /// The codes that `issuer codes` wrote
    #[arg(long, value_name = "codes.csv", required_unless_present = "tokens")]
    codes: Option<PathBuf>,
    /// The tokens that `issuer tokens` wrote, for a voter who has enrolled
    #[arg(long, value_name = "tokens.csv", conflicts_with = "codes")]
    tokens: Option<PathBuf>,
    /// The voter, as the list calls it
    voter: String,
}

/// Where voters go.
#[derive(Args, Debug)]
pub(crate) struct BoothArgs {
    /// Address of the voting booth on the sheets; the code follows it after #, so that no server
    /// sees it
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:7301/booth.html")]
    address: String,
}

impl BoothArgs {
    fn codes(&self, election: ElectionId) -> Way<'_> {
        Way { election, booth: &self.address, enrol_at: None }
    }
}

/// Where a voter goes with what the sheet or letter gives.
#[derive(Clone, Copy)]
struct Way<'a> {
    election: ElectionId,
    /// Address of the booth.
    booth: &'a str,
    /// Where enrolments are taken, when tokens are given instead of codes.
    enrol_at: Option<&'a str>,
}

impl Way<'_> {
    /// Everything behind `#` stays in the voter's browser.
    fn link(&self, code: &Code) -> String {
        let Self { election, booth, enrol_at } = self;
        let Some(enrol_at) = enrol_at else { return format!("{booth}#e={election}&c={code}") };
        let mut issuer = String::new();
        for byte in enrol_at.bytes() {
            match byte {
                b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'-' | b'.' | b'_' | b'~' => {
                    issuer.push(char::from(byte));
                }
                other => issuer.push_str(&format!("%{other:02X}")),
            }
        }
        format!("{booth}#e={election}&t={code}&i={issuer}")
    }
}

/// Most sheets in one file: a browser prints some 10 MB at once without trouble.
const SHEETS_MAX: usize = 1000;

/// A voter with the code, or token, on its sheet.
struct Issued {
    voter_id: String,
    name: String,
    email: String,
    language: String,
    code: Code,
}

/// `quorate issuer …`.
pub(crate) fn run(command: IssuerCommand) -> Result<(), Failure> {
    match command {
        IssuerCommand::Codes(args) => codes(&args),
        IssuerCommand::Sheets(args) => sheets(&args),
        IssuerCommand::Key(args) => {
            println!("{}", key(&args)?);
            Ok(())
        }
        IssuerCommand::Tokens(args) => tokens::run(&args),
        IssuerCommand::Enrol(args) => enrol::run(&args),
        IssuerCommand::Roll(args) => enrol::roll(&args),
        IssuerCommand::Mail(args) => mailing::run(&args),
    }
}

/// The voters of the list, when something is to be made for them.
fn listed(args: &ListArgs) -> Result<VoterList, Failure> {
    let list =
        voters::read(&files::read(&args.roll)?).map_err(|wrong| bad_file(&args.roll, &wrong))?;
    eprint!("{}", voters::preview(&list));
    if list.rejected() == 0 {
        return Ok(list);
    }
    if let Some(path) = &args.rejected {
        files::write_private(path, &list.rejected_csv())?;
        eprintln!("{} rows with mistakes are in {}", list.rejected(), path.display());
    }
    if args.without_rejected && !list.voters.is_empty() {
        return Ok(list);
    }
    Err(bad_file(&args.roll, &list.mistakes))
}

fn codes(args: &CodesArgs) -> Result<(), Failure> {
    let voters = listed(&args.list)?.voters;
    if args.list.dry_run {
        println!("{} voters; the list is good; nothing was made", voters.len());
        return Ok(());
    }
    let codes_path = fresh(&args.out, "codes.csv")?;
    let (roll, issued) = issue(args.election, voters, args.seed)?;
    files::write_private(&codes_path, &codes_csv(&issued)?)?;
    files::write_public(&args.out.join("public-roll.csv"), write_public_roll(&roll).as_bytes())?;
    write_sheets(&args.out.join("sheets.html"), &args.booth.codes(args.election), &issued)?;
    println!(
        "made {} codes in {}; give public-roll.csv to the administrator, keep the rest private",
        issued.len(),
        args.out.display()
    );
    Ok(())
}

fn sheets(args: &SheetsArgs) -> Result<(), Failure> {
    let issued = read_codes(&args.codes)?;
    write_sheets(&args.out, &args.booth.codes(args.election), &issued)?;
    println!("made {} sheets in {}", issued.len(), args.out.display());
    Ok(())
}

/// The public key of a voter's credential, 64 hex digits.
fn key(args: &KeyArgs) -> Result<String, Failure> {
    let wrong = |path: &Path, what: &str| {
        let message = format!("{}: {what} '{}'", path.display(), args.voter);
        Failure::new(exit::BAD_DATA, message)
    };
    let key = match (&args.codes, &args.tokens) {
        (Some(path), _) => {
            let issued = read_codes(path)?;
            let one = issued.iter().find(|one| one.voter_id == args.voter);
            let one = one.ok_or_else(|| wrong(path, "no voter"))?;
            Credential::from_code(&one.code, &args.election.0).public().to_bytes()
        }
        (None, Some(path)) => {
            let desk = desk::Desk::open(args.election, path, tokens::read(path)?)?;
            let known = desk.key_of(&args.voter).ok_or_else(|| wrong(path, "no voter"))?;
            known.ok_or_else(|| wrong(path, "not enrolled yet:"))?
        }
        (None, None) => return Err(Failure::new(exit::BAD_DATA, "give --codes or --tokens")),
    };
    Ok(hex::encode(key))
}

/// The path of a new file of secrets; its folder is made.
fn fresh(folder: &Path, name: &str) -> Result<PathBuf, Failure> {
    let path = folder.join(name);
    if path.exists() {
        let message = format!(
            "{} is there already; what voters hold would become worthless. Choose another folder",
            path.display()
        );
        return Err(Failure::new(exit::BAD_DATA, message));
    }
    std::fs::create_dir_all(folder)
        .map_err(Failure::because(exit::FAILED, &format!("cannot make {}", folder.display())))?;
    Ok(path)
}

/// Writes the sheets to `path`; more than [`SHEETS_MAX`] to files with numbers (`sheets-001.html`).
fn write_sheets(path: &Path, way: &Way<'_>, issued: &[Issued]) -> Result<(), Failure> {
    let is_one = issued.len() <= SHEETS_MAX;
    for (number, part) in (1..).zip(issued.chunks(SHEETS_MAX)) {
        let html = sheets::html(way, part)
            .map_err(Failure::because(exit::BAD_DATA, "cannot make the sheets"))?;
        let path = if is_one { path.to_owned() } else { numbered(path, number) };
        files::write_private(&path, html.as_bytes())?;
    }
    Ok(())
}

/// `sheets.html` with a number: `sheets-001.html`.
fn numbered(path: &Path, number: usize) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let ending = path.extension().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!("{stem}-{number:03}.{ending}"))
}

/// A code for each voter, and the roll of their credentials.
fn issue(
    election: ElectionId,
    voters: Vec<ListedVoter>,
    seed: Option<u64>,
) -> Result<(Roll, Vec<Issued>), Failure> {
    let mut seeded = seed.map(|seed| Prng::named(seed, "issuer codes"));
    let mut code = || match &mut seeded {
        None => Code::random(&mut random::system()),
        Some(prng) => {
            let mut bytes = [0; 15];
            prng.fill(&mut bytes);
            Code::from_bytes(bytes)
        }
    };
    let (mut public, mut issued) = (Vec::new(), Vec::new());
    for ListedVoter { voter_id, email, name, language, weight, group } in voters {
        let code = code();
        let credential = Credential::from_code(&code, &election.0).public().to_bytes();
        public.push(Voter { credential, weight, group });
        issued.push(Issued { voter_id, name, email, language, code });
    }
    let roll = Roll::new(public).map_err(Failure::because(exit::FAILED, "the roll"))?;
    Ok((roll, issued))
}

/// The columns of codes.csv.
const CODES_HEADER: [&str; 5] = ["voter_id", "code", "name", "email", "language"];

fn codes_csv(issued: &[Issued]) -> Result<Vec<u8>, Failure> {
    let row = |one: &Issued| {
        let Issued { voter_id, name, email, language, code } = one;
        [voter_id, &code.to_string(), name, email, language].map(Clone::clone)
    };
    private_list::write(CODES_HEADER, issued.iter().map(row))
}

/// The voters of codes.csv, or of tokens.csv, which has two columns more.
fn read_issued(path: &Path, expected: &[&str]) -> Result<Vec<Issued>, Failure> {
    private_list::read(path, expected, "another list")?
        .map(|row| {
            let row = row?;
            let code = row.parse(1, |error: ballot::CodeError| format!("the code: {error}"))?;
            let [voter_id, name, email, language] = [0, 2, 3, 4].map(|at| row.text(at).to_owned());
            Ok(Issued { voter_id, name, email, language, code })
        })
        .collect()
}

fn read_codes(path: &Path) -> Result<Vec<Issued>, Failure> {
    read_issued(path, &CODES_HEADER)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;
    use std::os::unix::fs::PermissionsExt;

    #[derive(Parser)]
    struct Line {
        #[command(subcommand)]
        command: IssuerCommand,
    }

    fn codes_in(folder: &Path, voters: &str, more: &[&str]) -> Result<(), Failure> {
        let list = folder.join("voters.csv");
        std::fs::write(&list, voters).expect("written");
        let (list, out) = (list.display().to_string(), folder.join("out").display().to_string());
        let id = "0123456789abcdef0123456789abcdef";
        let words = ["issuer", "codes", "--election", id, "--roll", &list, "--out", &out];
        run(Line::parse_from(words.iter().chain(more)).command)
    }

    #[test]
    fn codes_are_made_for_their_owner_only_and_never_twice() {
        let folder = tempfile::tempdir().expect("a folder");
        let voters = "voter_id,name,weight\nv1,Ann & <Bob>,2\nv2,,1\n";
        codes_in(folder.path(), voters, &["--dry-run"]).expect("good");
        let out = folder.path().join("out");
        assert!(!out.exists(), "a dry run makes nothing");
        codes_in(folder.path(), voters, &[]).expect("made");
        let mode = |name: &str| {
            let meta = std::fs::metadata(out.join(name)).expect("it is there");
            meta.permissions().mode() & 0o777
        };
        assert_eq!((mode("codes.csv"), mode("sheets.html")), (0o600, 0o600));
        let issued = read_codes(&out.join("codes.csv")).expect("readable");
        let roll = files::read(&out.join("public-roll.csv")).expect("there");
        let roll = formats::roll::read_public_roll(&roll).expect("good");
        let id: ElectionId = "0123456789abcdef0123456789abcdef".parse().expect("an id");
        for (one, weight) in issued.iter().zip([2, 1]) {
            let key = Credential::from_code(&one.code, &id.0).public().to_bytes();
            let at = roll.position(&key).expect("on the roll");
            assert_eq!(roll.voters()[at].weight, weight, "{}", one.voter_id);
        }
        let key_of = |voter: &str| {
            let (codes, voter) = (Some(out.join("codes.csv")), voter.to_owned());
            key(&KeyArgs { election: id, codes, tokens: None, voter })
        };
        let first = Credential::from_code(&issued[0].code, &id.0).public().to_bytes();
        assert_eq!(key_of("v1").ok(), Some(hex::encode(first)));
        let error = key_of("v3").expect_err("nobody").message;
        assert!(error.ends_with("codes.csv: no voter 'v3'"), "{error}");
        let sheets = std::fs::read_to_string(out.join("sheets.html")).expect("text");
        assert!(sheets.contains("Ann &amp; &lt;Bob&gt;"));
        assert!(sheets.contains(&issued[0].code.to_string()));
        assert!(!String::from_utf8_lossy(&roll_text(&out)).contains(&issued[0].code.to_string()));
        let error = codes_in(folder.path(), voters, &[]).expect_err("they are there");
        assert!(error.message.contains("would become worthless"), "{}", error.message);
    }

    fn roll_text(out: &Path) -> Vec<u8> {
        files::read(&out.join("public-roll.csv")).expect("there")
    }

    #[test]
    fn many_sheets_are_several_files() {
        let folder = tempfile::tempdir().expect("a folder");
        let code: Code = Code::from_bytes([7; 15]);
        let one = |at: usize| Issued {
            voter_id: format!("v{at}"),
            name: String::new(),
            email: String::new(),
            language: String::new(),
            code: code.clone(),
        };
        let issued: Vec<Issued> = (0..=SHEETS_MAX).map(one).collect();
        let way = Way { election: ElectionId([7; 16]), booth: "https://b.test/", enrol_at: None };
        write_sheets(&folder.path().join("sheets.html"), &way, &issued).expect("written");
        let mut names: Vec<_> = std::fs::read_dir(folder.path())
            .expect("a folder")
            .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"))
            .collect();
        names.sort();
        assert_eq!(names, ["sheets-001.html", "sheets-002.html"]);
        let last = std::fs::read_to_string(folder.path().join("sheets-002.html")).expect("text");
        assert!(last.contains(&format!("v{SHEETS_MAX}")) && !last.contains("v1<"));
    }

    #[test]
    fn a_seed_makes_the_same_codes_and_mistakes_make_none() {
        let rolls: Vec<Vec<u8>> = (0..2)
            .map(|_| {
                let folder = tempfile::tempdir().expect("a folder");
                codes_in(folder.path(), "voter_id\nv1\n", &["--seed", "7"]).expect("made");
                roll_text(&folder.path().join("out"))
            })
            .collect();
        assert_eq!(rolls[0], rolls[1]);
        let folder = tempfile::tempdir().expect("a folder");
        let error = codes_in(folder.path(), "voter_id\nv1\nv1\n", &[]).expect_err("twice");
        let expect = "voters.csv: line 3, column 1: voter_id 'v1' stands in line 2 already";
        assert!(error.message.ends_with(expect), "{}", error.message);
        assert!(!folder.path().join("out").exists());
    }

    #[test]
    fn rows_with_mistakes_are_set_aside_and_codes_made_only_when_asked_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let rejected = folder.path().join("wrong.csv").display().to_string();
        let voters = "voter_id,weight\nv1,1\nv2,0\n";
        let error = codes_in(folder.path(), voters, &["--rejected", &rejected]).expect_err("v2");
        assert!(error.message.contains("line 3, column 2: weight '0'"), "{}", error.message);
        assert!(!folder.path().join("out").exists());
        let text = std::fs::read_to_string(&rejected).expect("set aside");
        assert!(text.ends_with("3,weight '0' is no whole number of at least 1,v2,0\n"), "{text}");
        let more = ["--rejected", &rejected, "--without-rejected"];
        codes_in(folder.path(), voters, &more).expect("asked for");
        let issued = read_codes(&folder.path().join("out/codes.csv")).expect("readable");
        assert_eq!(issued.iter().map(|one| &one.voter_id[..]).collect::<Vec<_>>(), ["v1"]);
    }
}

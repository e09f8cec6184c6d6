//! `quorate election cast`: one voter, one ballot.

use super::{failed, path};
use crate::commands::Failure;
use crate::http::{ApiClient, CredentialView};
use crate::voter::{Booth, read_choice};
use crate::{exit, files, random};
use ballot::{Choice, Code, Credential};
use clap::Args;
use election::{Contest, ElectionId};
use ledger::Policy;
use std::path::PathBuf;

#[derive(Args, Debug)]
pub(super) struct CastArgs {
    /// The election
    id: ElectionId,
    /// The voter's code
    #[arg(
        long,
        value_name = "CODE",
        env = "QUORATE_CODE",
        hide_env_values = true,
        required_unless_present = "code_file"
    )]
    code: Option<String>,
    /// File with the voter's code, as `election enrol` writes it
    #[arg(long, value_name = "FILE", conflicts_with = "code")]
    code_file: Option<PathBuf>,
    /// The answer to a contest: options with commas between, as texts or numbers (#1); scores as
    /// "Ann=5,Bob=3"; a list with its candidates as "Greens: Cyd"; "(blank)" for none. Once for
    /// each contest that the voter's group answers, in order or together with --contest
    #[arg(long, value_name = "ANSWER", required = true)]
    choose: Vec<String>,
    /// Number of the contest, as `election show` numbers them, that the --choose at the same place
    /// answers
    #[arg(long, value_name = "K")]
    contest: Vec<usize>,
    /// Save the receipt here, and the encrypted ballot that it is for in FILE.ballot
    #[arg(long, value_name = "FILE")]
    receipt: Option<PathBuf>,
    /// Check the receipt against this trust file instead of the manifest's own authorities
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
}

pub(super) async fn run(api: &ApiClient, args: CastArgs) -> Result<(), Failure> {
    let wrong = |message: String| Failure::new(exit::BAD_DATA, message);
    let typed = match &args.code_file {
        Some(path) => String::from_utf8_lossy(&files::read(path)?).into_owned(),
        None => args.code.clone().unwrap_or_default(),
    };
    let code: Code = typed.parse().map_err(|error| wrong(format!("the code: {error}")))?;
    let mut booth = Booth::fetch(api, args.id).await?;
    if let Some(trust) = &args.trust {
        let text = String::from_utf8(files::read(trust)?)
            .map_err(|error| wrong(format!("{}: {error}", trust.display())))?;
        let policy =
            Policy::parse(&text).map_err(|error| wrong(format!("{}: {error}", trust.display())))?;
        booth = booth.trusting(policy);
    }
    let credential = Credential::from_code(&code, &args.id.0);
    let (group, place) = next_place(api, args.id, &credential).await?;
    let contests = &booth.manifest().definition.contests;
    let choices = read_choices(contests, group, &args.choose, &args.contest).map_err(wrong)?;
    let ballot = booth
        .prepare(&credential, group, place, &choices, &mut random::system())
        .map_err(|error| wrong(error.to_string()))?;
    eprintln!("the ballot is encrypted; tracker {}", ballot.tracker());
    if let Some(receipt) = &args.receipt {
        let mut path = receipt.clone().into_os_string();
        path.push(".ballot");
        files::write_public(path.as_ref(), ballot.as_bytes())?;
    }
    let done = booth.cast_until_final(api, &ballot, 0).await.map_err(failed)?;
    if let Some(path) = &args.receipt {
        files::write_public(path, done.receipt.as_bytes())?;
        eprintln!("receipt saved to {}", path.display());
    }
    println!("final: tracker {}, leaf {}", done.tracker, done.leaf);
    Ok(())
}

/// The credential's group, and where its chain goes on.
async fn next_place(
    api: &ApiClient,
    id: ElectionId,
    credential: &Credential,
) -> Result<(u8, (u32, [u8; 32])), Failure> {
    let key = hex::encode(credential.public().to_bytes());
    let view: CredentialView = api.get_json(&path(id, &format!("credentials/{key}"))).await?;
    if !view.on_roll {
        let message = "this code is not on the roll of this election; check the code and the id, \
                       and that the election is open";
        return Err(failed(message));
    }
    if let Some(reason) = view.barred {
        return Err(failed(format!("this code has no online vote: {reason}")));
    }
    let Some(last) = view.last else { return Ok((view.group, (0, [0; 32]))) };
    let mut prev = [0; 32];
    hex::decode_to_slice(&last.hash, &mut prev).map_err(failed)?;
    let seq = last.seq.checked_add(1).ok_or_else(|| failed("this code cannot vote again"))?;
    eprintln!("this code has voted before; the new ballot replaces number {}", last.seq);
    Ok((view.group, (seq, prev)))
}

/// One choice for each contest of the voter's `group`, in the contests' order. Numbers count all
/// contests, from 1.
fn read_choices(
    contests: &[Contest],
    group: u8,
    typed: &[String],
    numbers: &[usize],
) -> Result<Vec<Choice>, String> {
    if !numbers.is_empty() && numbers.len() != typed.len() {
        let (chosen, named) = (typed.len(), numbers.len());
        return Err(format!("{chosen} --choose but {named} --contest; give one for each"));
    }
    let asked: Vec<(usize, &Contest)> =
        (1..).zip(contests).filter(|(_, contest)| contest.asks(group)).collect();
    let mut answers: Vec<Option<&str>> = vec![None; asked.len()];
    for (place, text) in typed.iter().enumerate() {
        let at = match numbers.get(place) {
            None if place < asked.len() => place,
            None => {
                let (given, asked) = (typed.len(), asked.len());
                return Err(format!("{given} answers; this voter is asked {asked} contests"));
            }
            Some(number) => {
                asked.iter().position(|(one, _)| one == number).ok_or_else(|| {
                    match (1..=contests.len()).contains(number) {
                        true => format!("contest {number} is not for this voter's group"),
                        false => {
                            format!("there is no contest {number}; there are {}", contests.len())
                        }
                    }
                })?
            }
        };
        if answers[at].replace(text).is_some() {
            return Err(format!("contest {} is answered twice", asked[at].0));
        }
    }
    let read = |((number, contest), answer): (&(usize, &Contest), Option<&str>)| match answer {
        Some(text) => read_choice(contest, text),
        None => {
            let title = &contest.title;
            Err(format!("no answer to contest {number}, '{title}'; use --choose for each contest"))
        }
    };
    asked.iter().zip(answers).map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use election::testing::ElectionBuilder;

    fn check_all(contests: &[Contest], typed: &[&str], numbers: &[usize], expect: &str) {
        let typed: Vec<String> = typed.iter().map(|text| (*text).to_owned()).collect();
        let found = match read_choices(contests, 1, &typed, numbers) {
            Ok(choices) => format!("{} choices", choices.len()),
            Err(sentence) => sentence,
        };
        assert_eq!(found, expect);
    }

    fn check(typed: &[&str], numbers: &[usize], expect: &str) {
        let election = ElectionBuilder::new(1).voters(1).build();
        check_all(&election.manifest.definition.contests, typed, numbers, expect);
    }

    #[test]
    fn contests_are_counted_as_the_election_shows_them() {
        let election = ElectionBuilder::new(1).voters(1).build();
        let mut contests = election.manifest.definition.contests;
        contests[0].groups = vec![2];
        check_all(&contests, &["Well,Shed"], &[], "1 choices");
        check_all(&contests, &["Well,Shed"], &[2], "1 choices");
        check_all(&contests, &["Ada"], &[1], "contest 1 is not for this voter's group");
        check_all(&contests, &["Ada", "Well"], &[], "2 answers; this voter is asked 1 contests");
    }

    #[test]
    fn every_contest_is_answered_once() {
        check(&["Ada", "Well,Shed"], &[], "2 choices");
        check(&["Well,Shed", "Ada"], &[2, 1], "2 choices");
        check(&["Ada"], &[], "no answer to contest 2, 'Projects'; use --choose for each contest");
        check(&["Ada", "Ada"], &[1, 1], "contest 1 is answered twice");
        check(&["Ada"], &[3], "there is no contest 3; there are 2");
        check(&["Ada", "Well"], &[1], "2 --choose but 1 --contest; give one for each");
    }
}

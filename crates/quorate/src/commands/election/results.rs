//! `quorate election results`.

use super::{LAG_PATIENCE, failed, path};
use crate::commands::Failure;
use crate::http::{ApiClient, DecisionView, ElectionView, ResultView};
use clap::Args;
use election::{Definition, ElectionId, Manifest};
use serde::Serialize;
use tokio::time::Instant;

#[derive(Args, Debug)]
pub(super) struct ResultsArgs {
    /// The election
    id: ElectionId,
    /// As one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Results {
    id: String,
    title: String,
    ballots: u32,
    weight: u64,
    contests: Vec<ContestResult>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct ContestResult {
    title: String,
    options: Vec<OptionResult>,
    decision: Option<DecisionView>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct OptionResult {
    text: String,
    votes: u64,
}

pub(super) async fn run(api: &ApiClient, args: ResultsArgs) -> Result<(), Failure> {
    let started = Instant::now();
    let settled = |view: &ElectionView| {
        let waits = view.phase == "closed" && started.elapsed() < LAG_PATIENCE / 3;
        (view.result.is_some() || !waits).then(|| view.clone())
    };
    let view = api.wait_for_election(args.id, settled, |_| {}).await?;
    let Some(result) = view.result else {
        let phase = view.phase;
        return Err(failed(format!("the election has no published result yet; it is {phase}")));
    };
    let bytes = api.get_bytes(&path(args.id, "manifest")).await?;
    let manifest = Manifest::decode(&bytes).map_err(failed)?;
    let results = put_together(args.id, &manifest.definition, &result)?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&results).map_err(failed)?);
    } else {
        print!("{}", text(&results));
    }
    Ok(())
}

fn put_together(
    id: ElectionId,
    definition: &Definition,
    result: &ResultView,
) -> Result<Results, Failure> {
    let shape = |contests: &[Vec<u64>]| contests.iter().map(Vec::len).collect::<Vec<_>>();
    let asked: Vec<usize> =
        definition.contests.iter().map(election::Contest::option_count).collect();
    let fits = |(found, asked): (usize, &usize)| found == *asked || found == 0;
    let found = shape(&result.counts);
    if found.len() != asked.len() || !found.into_iter().zip(&asked).all(fits) {
        return Err(failed("the node's result does not fit the questions of the manifest"));
    }
    let numbered = definition.contests.iter().zip(&result.counts).enumerate();
    let contests = numbered.map(|(number, (contest, counts))| {
        let option = |(at, votes): (usize, &u64)| OptionResult {
            text: contest.option_text(at).unwrap_or_default().to_owned(),
            votes: *votes,
        };
        let options = counts.iter().enumerate().map(option).collect();
        let decision = result.decisions.get(number).cloned();
        ContestResult { title: contest.title.clone(), options, decision }
    });
    Ok(Results {
        id: id.to_string(),
        title: definition.title.clone(),
        ballots: result.ballots,
        weight: result.weight,
        contests: contests.collect(),
    })
}

fn text(results: &Results) -> String {
    let mut lines = vec![
        results.title.clone(),
        format!("{} ballots of total weight {}", results.ballots, results.weight),
    ];
    for contest in &results.contests {
        lines.push(String::new());
        lines.push(contest.title.clone());
        if contest.options.is_empty() && contest.decision.is_none() {
            lines.push("            too few answered: not decrypted".to_owned());
        }
        for option in &contest.options {
            lines.push(format!("{:>10}  {}", option.votes, option.text));
        }
        if let Some(decision) = &contest.decision {
            lines.push(format!("            {}", sentence(decision, &contest.options)));
        }
    }
    lines.push(String::new());
    lines.join("\n")
}

/// What follows from the counts, and how many took part.
fn sentence(decision: &DecisionView, options: &[OptionResult]) -> String {
    let DecisionView { eligible, ballots, paper, finding, winners, tied } = decision;
    let names = |numbers: &[u16]| {
        let name = |at: &u16| options.get(usize::from(*at)).map_or("?", |one| one.text.as_str());
        numbers.iter().map(name).collect::<Vec<_>>().join(", ")
    };
    let chosen =
        if winners.is_empty() { String::new() } else { format!("chosen: {}; ", names(winners)) };
    let what = match finding.as_str() {
        "decided" => format!("chosen: {}", names(winners)),
        "lot" => format!("{chosen}equal votes, lots decide between: {}", names(tied)),
        "runoff" => format!("{chosen}equal votes, a runoff decides between: {}", names(tied)),
        "no-quorum" => "no decision: too few took part".to_owned(),
        "no-majority" => "no decision: no option reached the majority it needs".to_owned(),
        "withheld" => "too few answered: not decrypted".to_owned(),
        other => format!("finding: {other}"),
    };
    let paper = match paper.voters {
        0 => String::new(),
        voters => format!(" and {voters} on paper"),
    };
    format!("{what} ({} of {} answered{paper})", ballots.voters, eligible.voters)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::ElectorsView;
    use election::testing::ElectionBuilder;

    #[test]
    fn results_are_printed_by_contest_and_option() {
        let election = ElectionBuilder::new(1).voters(1).build();
        let definition = &election.draft.definition;
        let counts = vec![vec![2, 1, 0], vec![0, 0, 3, 0]];
        let electors = |voters: u32| ElectorsView { voters, weight: voters.into() };
        let decision = |finding: &str, winners: &[u16], tied: &[u16], paper| DecisionView {
            eligible: electors(5),
            ballots: electors(3),
            paper: electors(paper),
            finding: finding.to_owned(),
            winners: winners.to_vec(),
            tied: tied.to_vec(),
        };
        let decisions = vec![decision("decided", &[0], &[], 0), decision("lot", &[2], &[0, 1], 1)];
        let mut view = ResultView { ballots: 3, weight: 3, counts, decisions };
        let results = put_together(election.id(), definition, &view).expect("it fits");
        let lines = [
            "A small election",
            "3 ballots of total weight 3",
            "",
            "Chair",
            "         2  Ada",
            "         1  Grace",
            "         0  (blank)",
            "            chosen: Ada (3 of 5 answered)",
            "",
            "Projects",
            "         0  Well",
            "         0  Fence",
            "         3  Shed",
            "         0  (blank)",
            "            chosen: Shed; equal votes, lots decide between: Well, Fence (3 of 5 answered \
             and 1 on paper)",
            "",
        ];
        let expect = lines.join("\n");
        assert_eq!(text(&results), expect);
        view.counts[1].pop();
        assert!(put_together(election.id(), definition, &view).is_err());
    }
}

//! Reads what `election results --json` prints.

use serde::Deserialize;

#[derive(Deserialize)]
struct Results {
    contests: Vec<ContestResult>,
}

#[derive(Deserialize)]
struct ContestResult {
    options: Vec<OptionResult>,
}

#[derive(Deserialize)]
struct OptionResult {
    votes: u64,
}

/// Votes by contest and option, in ballot order, blank answers included.
pub(super) fn counts(json: &str) -> Result<Vec<Vec<u64>>, serde_json::Error> {
    let results: Results = serde_json::from_str(json)?;
    let votes =
        |contest: ContestResult| contest.options.iter().map(|option| option.votes).collect();
    Ok(results.contests.into_iter().map(votes).collect())
}

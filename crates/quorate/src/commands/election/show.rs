//! `quorate election list` and `show`.

use super::draft_of;
use crate::commands::Failure;
use crate::http::{ApiClient, ElectionList};
use election::{Definition, ElectionId};

pub(super) async fn list(api: &ApiClient) -> Result<(), Failure> {
    let list: ElectionList = api.get_json("/api/v1/elections").await?;
    for view in list.elections {
        let title = view.title.unwrap_or_default();
        println!("{}  {:<9}  {title}", view.id, view.phase);
    }
    Ok(())
}

pub(super) async fn show(api: &ApiClient, id: ElectionId) -> Result<(), Failure> {
    let view = api.election(id).await?;
    println!("id         {id}");
    println!("title      {}", view.title.as_deref().unwrap_or("(no draft yet)"));
    println!("phase      {}", view.phase);
    let definition = match view.draft {
        Some(_) => Some(draft_of(&view, id)?.definition),
        None => None,
    };
    if let Some(definition) = &definition {
        show_times(definition, view.closes);
    }
    let turnout = &view.turnout;
    match turnout.roll_voters {
        0 => println!("turnout    the roll is not sealed yet"),
        roll => {
            println!("turnout    {} of {roll} voters, {} ballots", turnout.voters, turnout.ballots)
        }
    }
    println!(
        "ledger     {} entries, {} leaves, {} of them final",
        view.entries, view.leaves, view.final_size
    );
    for blocker in &view.blockers {
        println!("missing    {}", blocker.text);
    }
    for trustee in &view.shares {
        println!("share      of trustee {trustee}");
    }
    if let Some(definition) = &definition {
        show_definition(definition);
    }
    Ok(())
}

/// When it opens and closes; `closes` holds extensions, too.
fn show_times(definition: &Definition, closes: Option<u32>) {
    let shown = |minutes: Option<u32>, otherwise: &str| {
        minutes.map_or(otherwise.to_owned(), |minutes| base::show_utc(minutes.into()))
    };
    println!("opens      {}", shown(definition.opens, "when its administrator opens it"));
    let closes = closes.or(definition.closes);
    println!("closes     {}", shown(closes, "when its administrator closes it"));
}

fn show_definition(definition: &Definition) {
    let (threshold, count) = (definition.threshold, definition.trustees.len());
    println!("trustees   {} ({threshold} of {count} decrypt)", definition.trustees.join(", "));
    for (number, contest) in (1..).zip(&definition.contests) {
        println!("contest {number}  {}", contest.title);
        for option in (0..contest.option_count()).filter_map(|at| contest.option_text(at)) {
            println!("           - {option}");
        }
    }
}

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
    let turnout = view.turnout;
    println!(
        "turnout    {} of {} voters, {} ballots",
        turnout.voters, turnout.roll_voters, turnout.ballots
    );
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
    if view.draft.is_some() {
        show_definition(&draft_of(&view, id)?.definition);
    }
    Ok(())
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

//! What a list was understood as, before anything is made of it.

use super::{ListedVoter, VoterList};
use election::roll::SMALL_CLASS;
use std::collections::BTreeMap;
use std::fmt::Write;

/// Voters shown.
const SHOWN: usize = 5;

/// The first voters, the totals, and what a person should look at.
pub fn preview(list: &VoterList) -> String {
    let mut page = String::new();
    for note in &list.notes {
        // Writing to a string succeeds, here and below.
        let _written = writeln!(page, "{note}");
    }
    let voters = &list.voters;
    let weight: u64 = voters.iter().map(|voter| u64::from(voter.weight)).sum();
    let with_mail = voters.iter().filter(|voter| !voter.email.is_empty()).count();
    let count = voters.len();
    let _written =
        writeln!(page, "{count} voters, total weight {weight}, {with_mail} with a mail address");
    let mut classes: BTreeMap<(u8, u32), usize> = BTreeMap::new();
    for voter in voters {
        *classes.entry((voter.group, voter.weight)).or_default() += 1;
    }
    if classes.len() > 1 {
        for ((group, weight), count) in &classes {
            let small =
                if *count < SMALL_CLASS { "  small: its members are easier to guess" } else { "" };
            let _written =
                writeln!(page, "  group {group}, weight {weight}: {count} voters{small}");
        }
    }
    page.push_str(&table(voters));
    page
}

fn table(voters: &[ListedVoter]) -> String {
    let header = ["voter_id", "email", "name", "language", "weight", "group"].map(str::to_owned);
    let rows = voters.iter().take(SHOWN).map(|voter| {
        let ListedVoter { voter_id, email, name, language, weight, group } = voter.clone();
        [voter_id, email, name, language, weight.to_string(), group.to_string()]
    });
    let rows: Vec<[String; 6]> = std::iter::once(header).chain(rows).collect();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: [usize; 6] = std::array::from_fn(|column| width(column).unwrap_or(0));
    let mut text = String::new();
    for row in &rows {
        let cells = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        let _written = writeln!(text, "  {}", line.trim_end());
    }
    if voters.len() > SHOWN {
        let _written = writeln!(text, "  … and {} more", voters.len() - SHOWN);
    }
    text
}

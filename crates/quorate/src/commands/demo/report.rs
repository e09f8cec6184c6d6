//! What the demonstration prints: a line for each step, and a summary at the end.

use super::cluster::Addresses;
use super::outage::Kills;
use super::scenario::Scenario;
use indicatif::ProgressBar;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// Characters of an option's text in the table.
const OPTION_WIDTH: usize = 46;
/// Characters of a label in front of a fact.
const LABEL_WIDTH: usize = 14;

/// One line about what has just happened.
pub(super) fn say(line: &str) {
    println!("  {line}");
}

/// The same while a bar may be on the terminal.
pub(super) fn say_over(bar: &ProgressBar, line: &str) {
    bar.suspend(|| say(line));
}

/// The result of one contest beside the other counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) option: String,
    pub(super) result: u64,
    pub(super) clear: u64,
    pub(super) official: Option<u64>,
}

impl Row {
    fn agrees(&self) -> bool {
        self.result == self.clear && self.official.is_none_or(|official| official == self.result)
    }
}

/// One contest's table.
#[derive(Clone, Debug)]
pub(super) struct Table {
    title: String,
    rows: Vec<Row>,
}

/// Puts the decrypted result beside the count in the clear and the official totals.
pub(super) fn tables(scenario: &Scenario, result: &[Vec<u64>]) -> Vec<Table> {
    let clear = scenario.count();
    let table = |(place, contest): (usize, &super::scenario::Contest)| {
        let number = |counts: &[Vec<u64>], answer: usize| {
            counts.get(place).and_then(|counts| counts.get(answer)).copied().unwrap_or(u64::MAX)
        };
        let row = |answer| Row {
            option: contest.answer(answer).to_owned(),
            result: number(result, answer),
            clear: number(&clear, answer),
            official: contest
                .official
                .get(answer)
                .copied()
                .flatten()
                .filter(|_| scenario.has_officials),
        };
        let rows = (0..usize::from(contest.answers())).map(row).collect();
        Table { title: contest.title.clone(), rows }
    };
    scenario.contests.iter().enumerate().map(table).collect()
}

/// The first option whose counts differ.
pub(super) fn first_difference(tables: &[Table]) -> Option<&Row> {
    tables.iter().flat_map(|table| &table.rows).find(|row| !row.agrees())
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let has_official = self.rows.iter().any(|row| row.official.is_some());
        let official = if has_official { "  official" } else { "" };
        let title = cut(&self.title, OPTION_WIDTH);
        writeln!(f, "  {title:<OPTION_WIDTH$} {:>8} {:>9}{official}", "result", "in clear")?;
        for row in &self.rows {
            let option = cut(&row.option, OPTION_WIDTH);
            write!(f, "  {option:<OPTION_WIDTH$} {:>8} {:>9}", row.result, row.clear)?;
            match row.official {
                Some(official) => write!(f, " {official:>9}")?,
                None if has_official => write!(f, " {:>9}", "-")?,
                None => {}
            }
            writeln!(f, "{}", if row.agrees() { "" } else { "  DIFFERS" })?;
        }
        Ok(())
    }
}

/// At most `width` characters.
fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(width - 1).collect();
    cut.push('…');
    cut
}

/// The store's time without a leader.
#[derive(Clone, Copy, Debug)]
pub(super) struct GapFacts {
    /// Number of the killed node.
    pub(super) node: u64,
    /// This kill and those that followed.
    pub(super) kills: Kills,
    /// Ballots ordered after the kill.
    pub(super) cast_after: usize,
    /// Of them, while the node was away.
    pub(super) cast_without: usize,
    /// Longest time without an acknowledged put of the probe.
    pub(super) puts: Option<Duration>,
    /// Longest time without a ballot becoming ordered.
    pub(super) ballots: Option<Duration>,
}

/// Everything at the end.
#[derive(Debug)]
pub(super) struct Summary {
    pub(super) title: String,
    pub(super) tables: Vec<Table>,
    pub(super) ordered: usize,
    pub(super) finals: usize,
    pub(super) refused: usize,
    pub(super) unknown: usize,
    /// Receipts that the separate counter found, and those it did not.
    pub(super) receipts: (usize, usize),
    pub(super) gap: Option<GapFacts>,
    /// Casting of all ballots until the last one was final.
    pub(super) casting: Duration,
    /// Names of the authorities whose cosignatures are on the final checkpoint, and all names.
    pub(super) cosigners: Vec<String>,
    pub(super) authorities: usize,
    pub(super) checkpoint_size: u64,
    pub(super) verdict: String,
    pub(super) archive: PathBuf,
    pub(super) is_archive_kept: bool,
    pub(super) election: String,
    pub(super) token_file: PathBuf,
    pub(super) nodes: Vec<(u64, Addresses)>,
}

fn fact(f: &mut fmt::Formatter<'_>, label: &str, text: impl fmt::Display) -> fmt::Result {
    writeln!(f, "  {label:<LABEL_WIDTH$}{text}")
}

/// `87 ms` or `1.32 s`.
fn short(time: Option<Duration>) -> String {
    match time {
        None => "not measured".to_owned(),
        Some(time) if time < Duration::from_secs(1) => format!("{} ms", time.as_millis()),
        Some(time) => format!("{:.2} s", time.as_secs_f64()),
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "\n{}", self.title)?;
        for table in &self.tables {
            write!(f, "\n{table}")?;
        }
        writeln!(f)?;
        let Self { ordered, finals, refused, .. } = self;
        let lost = self.receipts.1;
        let counts = format!("{ordered} ordered, {finals} final, {refused} refused, {lost} lost");
        fact(f, "ballots", counts)?;
        if self.unknown > 0 {
            fact(f, "", format_args!("{} of unknown fate", self.unknown))?;
        }
        let seconds = self.casting.as_secs_f64();
        let rate = self.finals as f64 / seconds.max(f64::MIN_POSITIVE);
        fact(f, "speed", format_args!("{rate:.0} ballots per second ({seconds:.1} s)"))?;
        self.fmt_gap(f)?;
        let (found, absent) = self.receipts;
        fact(f, "receipts", format_args!("{found} final in the archive, {absent} absent"))?;
        let cosigners = self.cosigners.join(", ");
        let (size, valid, all) = (self.checkpoint_size, self.cosigners.len(), self.authorities);
        let text = format!("{valid} of {all} on the final checkpoint of {size} leaves");
        fact(f, "cosignatures", text)?;
        fact(f, "", format_args!("by {cosigners}"))?;
        fact(f, "verification", &self.verdict)?;
        let kept = if self.is_archive_kept { "" } else { "  (goes with the demonstration)" };
        fact(f, "archive", format_args!("{}{kept}", self.archive.display()))?;
        fact(f, "trust file", format_args!("{}.trust", self.archive.display()))
    }
}

impl Summary {
    fn fmt_gap(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(gap) = self.gap else { return Ok(()) };
        let GapFacts { node, kills, cast_after, cast_without, puts, ballots } = gap;
        let killed = format!("node {node}, the leader; {cast_after} ballots cast after the kill");
        fact(f, "killed", killed)?;
        fact(f, "", format_args!("{cast_without} of them before the node was started again"))?;
        if kills.all > 1 {
            let Kills { all, leaders } = kills;
            fact(f, "", format_args!("{all} kills in all, {leaders} of them of the leader"))?;
        }
        let (puts, ballots) = (short(puts), short(ballots));
        fact(f, "write gap", format_args!("{puts} without a put, {ballots} without a ballot"))
    }

    /// What to look at while the nodes are up.
    pub(super) fn invitation(&self) -> String {
        let mut text = "\n  node  web                      client           admin\n".to_owned();
        for (id, addresses) in &self.nodes {
            let web = format!("http://{}", addresses.web);
            let (client, admin) = (addresses.client, addresses.admin);
            text += &format!("  {id:<4}  {web:<23}  {client:<15}  {admin}\n");
        }
        let (_, first) = self.nodes[0];
        let archive = self.archive.display();
        text += &format!(
            "\n  to try:\n    \
             quorate verify {archive} --trust {archive}.trust\n    \
             quorate election --nodes http://{} show {}\n    \
             quorate kv --cluster {} status\n    \
             curl http://{}/api/v1/elections/{}/checkpoint\n",
            first.web, self.election, first.client, first.web, self.election
        );
        text += &format!("  the administrators' token is in {}\n", self.token_file.display());
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_names_what_differs() {
        let row = |option: &str, result, official| Row {
            option: option.to_owned(),
            result,
            clear: 5,
            official,
        };
        let rows = vec![row("Trees", 5, Some(5)), row("Benches", 4, Some(5))];
        let table = Table { title: "Park".to_owned(), rows };
        let lines: Vec<String> = table
            .to_string()
            .lines()
            .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        assert_eq!(lines[0], "Park result in clear official");
        assert_eq!(lines[1], "Trees 5 5 5");
        assert_eq!(lines[2], "Benches 4 5 5 DIFFERS");
        let difference = first_difference(std::slice::from_ref(&table));
        assert_eq!(difference.map(|row| row.option.as_str()), Some("Benches"));
    }

    #[test]
    fn texts_and_times_are_short() {
        assert_eq!(cut("Łódź", 4), "Łódź");
        assert_eq!(cut("Łódź dla", 5), "Łódź…");
        assert_eq!(short(Some(Duration::from_millis(87))), "87 ms");
        assert_eq!(short(Some(Duration::from_millis(1324))), "1.32 s");
        assert_eq!(short(None), "not measured");
    }
}

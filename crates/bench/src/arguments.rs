//! The command line.

use std::fmt;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::RangedU64ValueParser;
use clap::{Parser, ValueEnum};

/// Compare with etcd 3.5.1 and with what the machine allows.
#[derive(Parser, Clone, Debug)]
#[command(name = "bench", max_term_width = 100)]
pub(crate) struct Arguments {
    /// Run this part only; may be given several times
    #[arg(long, value_name = "PART")]
    pub(crate) only: Vec<Part>,
    /// Also 1 and 256 clients, and linearizable and serializable reads
    #[arg(long)]
    pub(crate) full: bool,
    /// Seconds that each run under load is measured
    #[arg(long, value_name = "S", default_value_t = 4, value_parser = within(1..=600))]
    pub(crate) seconds: u64,
    /// Seconds of load before the measurement
    #[arg(long, value_name = "S", default_value_t = 1, value_parser = within(0..=60))]
    pub(crate) warm_up: u64,
    /// Runs of each system under load, in alternation
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = within(1..=99))]
    pub(crate) pairs: u64,
    /// Leaders killed of each system
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = within(1..=99))]
    pub(crate) rounds: u64,
    /// Voters of the whole election; 200 of them come in a second
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    #[arg(value_parser = within(1_000..=1_000_000))]
    pub(crate) voters: u64,
    /// Our figures alone
    #[arg(long)]
    pub(crate) no_etcd: bool,
    /// This etcd instead of the one that pip fetches
    #[arg(long, value_name = "PROGRAM", conflicts_with = "no_etcd")]
    pub(crate) etcd: Option<PathBuf>,
    /// This quorate instead of the one beside this program
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) quorate: Option<PathBuf>,
    /// Folder for figures, data and etcd [default: `bench` in the target folder]
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
}

/// A number within bounds, so that no run lasts for ever.
fn within(range: RangeInclusive<u64>) -> RangedU64ValueParser<u64> {
    RangedU64ValueParser::new().range(range)
}

/// What can be measured by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Part {
    /// Requests from many clients, 1 and 3 nodes, beside etcd
    Puts,
    /// Time without writes when the leader is killed, beside etcd
    Gap,
    /// The write-ahead log against a bare loop of overwrites
    Append,
    /// The consensus core without IO
    Raft,
    /// Simulated seconds
    Sim,
    /// Ballots verified against their curve operations
    Ballots,
    /// A whole election through HTTP, archived and verified
    Election,
    /// Ten times as many voters as three nodes on one core can serve
    Overload,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Puts => "puts",
            Self::Gap => "gap",
            Self::Append => "append",
            Self::Raft => "raft",
            Self::Sim => "sim",
            Self::Ballots => "ballots",
            Self::Election => "election",
            Self::Overload => "overload",
        })
    }
}

impl Part {
    /// Whether etcd is measured, too.
    pub(crate) fn has_peer(self) -> bool {
        matches!(self, Self::Puts | Self::Gap)
    }
}

impl Arguments {
    /// The parts to run, each once, in a fixed order.
    pub(crate) fn parts(&self) -> Vec<Part> {
        let all = Part::value_variants().iter().copied();
        all.filter(|part| self.only.is_empty() || self.only.contains(part)).collect()
    }

    pub(crate) fn measured(&self) -> Duration {
        Duration::from_secs(self.seconds)
    }

    pub(crate) fn warmed_up(&self) -> Duration {
        Duration::from_secs(self.warm_up)
    }

    /// What to type to measure the same again, apart from where programs and files lie.
    pub(crate) fn command(&self) -> String {
        let mut words = vec!["cargo run --release -p bench --".to_owned()];
        words.extend(self.only.iter().map(|part| format!("--only {part}")));
        words.extend(self.full.then(|| "--full".to_owned()));
        let (seconds, warm_up) = (self.seconds, self.warm_up);
        words.push(format!("--seconds {seconds} --warm-up {warm_up}"));
        words.push(format!("--pairs {} --rounds {}", self.pairs, self.rounds));
        words.push(format!("--voters {}", self.voters));
        words.join(" ")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Arguments {
        Arguments::try_parse_from(text.split(' ')).expect("good arguments")
    }

    #[test]
    fn without_arguments_every_part_runs() {
        assert_eq!(parse("bench").parts(), Part::value_variants());
        let some = parse("bench --only sim --only puts --only sim");
        assert_eq!(some.parts(), [Part::Puts, Part::Sim]);
    }

    #[test]
    fn the_command_repeats_what_was_asked() {
        let command = parse("bench --only gap --rounds 1 --full").command();
        assert_eq!(
            command,
            "cargo run --release -p bench -- --only gap --full --seconds 4 --warm-up 1 --pairs 3 \
             --rounds 1 --voters 100000"
        );
        let typed = command.replace("cargo run --release -p bench --", "bench");
        assert_eq!(parse(&typed).command(), command);
    }

    #[test]
    fn runs_are_bounded() {
        assert!(Arguments::try_parse_from(["bench", "--seconds", "0"]).is_err());
        assert!(Arguments::try_parse_from(["bench", "--pairs", "1000"]).is_err());
    }
}

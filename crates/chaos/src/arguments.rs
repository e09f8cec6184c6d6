//! The command line.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};

use crate::faults::Kind;

/// Drive a real cluster through crashes, power cuts, pauses and partitions; check every answer.
#[derive(Parser, Clone, Debug)]
#[command(name = "chaos", max_term_width = 100)]
pub(crate) struct Arguments {
    /// Minutes of faults; from 10 on the floors of a full run must be reached
    #[arg(long, value_name = "M", default_value_t = 10.0)]
    pub(crate) minutes: f64,
    /// Which faults, where and when; the same seed makes the same choices
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Only these kinds of faults
    #[arg(long, value_name = "KIND,…", value_delimiter = ',')]
    pub(crate) faults: Vec<Kind>,
    /// Instead of the run: something that must go wrong
    #[arg(long, value_name = "WHAT")]
    pub(crate) control: Option<Control>,
    /// Calls per second of all clients, at most
    #[arg(long, value_name = "N", default_value_t = 700)]
    pub(crate) rate: u32,
    /// Clients
    #[arg(long, value_name = "N", default_value_t = 36)]
    pub(crate) clients: u32,
    /// This quorate instead of the one beside this program
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) quorate: Option<PathBuf>,
    /// Keep the nodes' output and the history after a good run too
    #[arg(long)]
    pub(crate) keep: bool,
    /// The process that watches over this one and cleans up behind it.
    #[arg(long, hide = true)]
    pub(crate) owner: Option<u32>,
    /// Why there is no network of our own.
    #[arg(long, hide = true)]
    pub(crate) no_network: Option<String>,
}

/// A run that shows that the faults bite and the checker sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Control {
    /// Syncs do nothing; a power cut of all nodes must then lose acknowledged writes
    NoFsync,
    /// Reads that any node answers from what it has, judged as if they were linearizable; pauses
    /// and partitions must then show some that are stale
    StaleReads,
}

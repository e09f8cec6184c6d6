//! The one binary: parses, wires, renders. What it wires is described in ARCHITECTURE.md.
#![forbid(unsafe_code)]

#[macro_use]
mod say;

mod authority_folder;
mod commands;
mod config;
mod config_web;
mod files;
mod http;
mod key_changes;
mod members;
mod random;
mod secret_file;
mod telemetry;
mod voter;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Exit codes, as `sysexits.h` names them where it does.
mod exit {
    /// The command ran and failed.
    pub(crate) const FAILED: u8 = 1;
    /// The input is wrong.
    pub(crate) const BAD_DATA: u8 = 65;
    /// No node could be reached.
    pub(crate) const UNAVAILABLE: u8 = 69;
    /// The configuration is wrong.
    pub(crate) const BAD_CONFIG: u8 = 78;
}

/// Elections that no single machine can lose, bend or read, on a replicated store of their own.
#[derive(Parser, Debug)]
#[command(name = "quorate", version, max_term_width = 100)]
#[command(after_help = "Start with `quorate demo`: a whole election on this machine.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Run one node of the cluster
    Serve(commands::serve::ServeCommand),
    /// Look at the configuration
    #[command(subcommand)]
    Config(commands::serve::ConfigCommand),
    /// Read and write the store
    Kv(commands::kv::KvCommand),
    /// Look at the cluster, change its members, move its leader
    Cluster(commands::cluster::ClusterCommand),
    /// Hold an election
    Election(commands::election::ElectionCommand),
    /// People with accounts: make, list, change, lock them
    User(commands::user::UserCommand),
    /// Secrets for programs that act for an account
    Token(commands::user::TokenCommand),
    /// Make the voters' codes, outside the nodes
    #[command(subcommand)]
    Issuer(commands::issuer::IssuerCommand),
    /// Look after the key with which a node's authority signs
    Authority(commands::authority::AuthorityCommand),
    /// Look at the voting booth that nodes hand out
    Booth(commands::booth::BoothCommand),
    /// Check a whole election from its archive
    Verify(commands::verify::VerifyCommand),
    /// A whole election on this machine: nodes, voters, an accident, the count, the proof
    Demo(commands::demo::DemoCommand),
}

fn main() -> ExitCode {
    gateway::install_tls();
    let outcome = match Cli::parse().command {
        Command::Serve(command) => commands::serve::run(command),
        Command::Config(command) => commands::serve::config(command),
        Command::Kv(command) => commands::kv::run(command),
        Command::Cluster(command) => commands::cluster::run(command),
        Command::Election(command) => commands::election::run(command),
        Command::User(command) => commands::user::run(command),
        Command::Token(command) => commands::user::run_token(command),
        Command::Issuer(command) => commands::issuer::run(command),
        Command::Authority(command) => commands::authority::run(command),
        Command::Booth(command) => commands::booth::run(command),
        Command::Verify(command) => commands::verify::run(&command),
        Command::Demo(command) => commands::demo::run(&command),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("quorate: {}", failure.message);
            ExitCode::from(failure.code)
        }
    }
}

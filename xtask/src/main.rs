//! The workspace's own tools: `cargo xtask tidy | web | test | install | doctor`.
//!
//! The Makefile is a thin face over this; nothing here is part of the product.
#![forbid(unsafe_code)]

mod doctor;
mod gate;
mod suites;
mod tidy;
mod tools;
mod web;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  tidy      check layers, lengths, banned calls, words; exit 1 with what to do
  web       build the pages that the binary carries, if there is Node and something has changed
  test      the gate: tidy, every test of the workspace, the suites beside them
  install   install the programs the tests want, where that can be done
  doctor    say what this machine has, lacks, and what follows from it
";

fn main() -> ExitCode {
    let root = root();
    let mut arguments = std::env::args().skip(1);
    let outcome = match (arguments.next().as_deref(), arguments.next()) {
        (Some("tidy"), None) => tidy::run(&root),
        (Some("web"), None) => web::run(&root),
        (Some("test"), None) => gate::run(&root),
        (Some("install"), None) => tools::install(),
        (Some("doctor"), None) => doctor::run(&root),
        _ => Err(USAGE.to_owned()),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::from(2)
        }
    }
}

/// The workspace's folder: the parent of this crate's.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace").to_owned()
}

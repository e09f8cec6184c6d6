//! `corpus check` judges the items with crate `verifier`; `corpus write DIR` puts them where
//! another verifier finds them. The last line counts.

#![forbid(unsafe_code)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use corpus::{Expect, Item};
use election::testing::TestRng;
use ledger::Policy;
use serde_json::json;

#[derive(Parser)]
#[command(about = "Wrong archives of elections, and what verifiers must say about them")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// About how many items, spread over all families; without it, all.
    #[arg(long, global = true)]
    sample: Option<usize>,
    /// Only items whose name contains this text.
    #[arg(long, global = true)]
    only: Option<String>,
}

#[derive(Subcommand)]
enum Command {
    /// Judge the items with the verifier in Rust
    Check,
    /// Write archives, trust files and `index.json` into a folder
    Write {
        /// Where to
        folder: PathBuf,
    },
    /// Count the items of each family
    Count,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match &arguments.command {
        Command::Check => check(&arguments),
        Command::Write { folder } => write(&arguments, folder),
        Command::Count => count(&arguments),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

/// How the change is signed and what it is, with the expected step: items of one family differ
/// only in the election and the place of the change.
fn family(item: &Item) -> String {
    let parts = item.name.split('/').skip(1).take(2);
    let words = parts.filter(|part| part.parse::<u32>().is_err() && !part.contains('.'));
    let step = item.expect.check().unwrap_or_default();
    format!("{} {step}", words.collect::<Vec<_>>().join("/"))
}

/// The items that are asked for. A sample takes from every family the first ones, then every
/// n-th, so that rare families are never missed.
fn for_each(arguments: &Arguments, mut see: impl FnMut(Item)) {
    let mut sizes: BTreeMap<String, usize> = BTreeMap::new();
    let wanted = |item: &Item| arguments.only.as_ref().is_none_or(|text| item.name.contains(text));
    let Some(sample) = arguments.sample else {
        return corpus::for_each(|item| {
            if wanted(&item) {
                see(item);
            }
        });
    };
    let mut total = 0;
    corpus::for_each(|item| {
        if wanted(&item) {
            *sizes.entry(family(&item)).or_default() += 1;
            total += 1;
        }
    });
    let rest = sample.saturating_sub(sizes.len()).max(1);
    let every: usize = total / rest + 1;
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    corpus::for_each(|item| {
        if !wanted(&item) {
            return;
        }
        let number: &mut usize = seen.entry(family(&item)).or_default();
        // The last of each family, which is of another election than the first.
        if (*number + 1) % every == sizes[&family(&item)] % every {
            see(item);
        }
        *number += 1;
    });
}

fn check(arguments: &Arguments) -> Result<bool, String> {
    let (mut passed, mut failed) = (0, 0);
    let mut rng = TestRng::new(1, "weights");
    for_each(arguments, |item| {
        let trust = item.trust.as_ref().map(|text| Policy::parse(text).expect("a trust file"));
        let report = verifier::verify(&item.archive, trust.as_ref(), &mut rng);
        let found = Expect::of(&report);
        if found == item.expect {
            passed += 1;
        } else {
            failed += 1;
            println!("{}: expected {:?}, found {found:?}", item.name, item.expect);
            println!("    {}", report.verdict);
        }
    });
    println!("{passed} passed, {failed} failed, 0 skipped");
    Ok(failed == 0)
}

fn write(arguments: &Arguments, folder: &Path) -> Result<bool, String> {
    let failed = |path: &Path, why: std::io::Error| format!("{}: {why}", path.display());
    fs::create_dir_all(folder).map_err(|why| failed(folder, why))?;
    let mut index = Vec::new();
    let mut outcome = Ok(());
    for_each(arguments, |item| {
        let file = format!("{:05}.archive", index.len());
        let path = folder.join(&file);
        if let Err(why) = fs::write(&path, &item.archive) {
            outcome = Err(failed(&path, why));
        }
        index.push(json!({
            "name": item.name,
            "file": file,
            "trust": item.trust,
            "verdict": item.expect.verdict(),
            "check": item.expect.check(),
            "entry": item.expect.entry(),
        }));
    });
    outcome?;
    let path = folder.join("index.json");
    let text = serde_json::Value::from(index).to_string();
    fs::write(&path, text).map_err(|why| failed(&path, why))?;
    Ok(true)
}

fn count(arguments: &Arguments) -> Result<bool, String> {
    let mut sizes: BTreeMap<String, usize> = BTreeMap::new();
    let (mut tampered, mut good) = (0, 0);
    for_each(arguments, |item| {
        *sizes.entry(family(&item)).or_default() += 1;
        match item.expect {
            Expect::Verified | Expect::NotAnchored => good += 1,
            _ => tampered += 1,
        }
    });
    sizes.iter().for_each(|(family, size)| println!("{size:6}  {family}"));
    println!("{tampered} wrong, {good} good, {} families", sizes.len());
    Ok(true)
}

//! Playing the scripts of a folder and comparing.

use std::fs;
use std::path::{Path, PathBuf};

use crate::command::Command;
use crate::{diff, script};

/// What a script talks to.
pub trait Runner {
    /// Plays one command and returns what it prints; several lines are fine, an empty text prints
    /// nothing.
    ///
    /// # Errors
    /// The text after `error: ` in the output. A command that is not known is such an error too.
    fn run(&mut self, command: &Command) -> Result<String, String>;
}

/// Plays every `*.txt` below `dir`, each with a fresh runner from `new`, and compares.
///
/// A relative `dir` is looked up from the working folder, which Cargo sets to the tested crate's.
/// With `BLESS=1` the files are rewritten instead of compared.
///
/// # Panics
/// With a unified difference of every script that prints something else than its file says; when
/// a script cannot be read; and when there is no script at all.
pub fn run_golden<R: Runner>(dir: impl AsRef<Path>, new: impl Fn() -> R) {
    let bless = std::env::var_os("BLESS").is_some_and(|value| value == "1");
    if let Err(report) = play_folder(dir.as_ref(), &new, bless) {
        panic!("{report}");
    }
}

/// Plays one script and compares, whatever the environment says.
///
/// # Errors
/// The difference.
pub fn check_golden(path: impl AsRef<Path>, runner: impl Runner) -> Result<(), String> {
    play_file(path.as_ref(), runner, false)
}

fn play_folder<R: Runner>(dir: &Path, new: &impl Fn() -> R, bless: bool) -> Result<(), String> {
    let mut paths = Vec::new();
    collect(dir, &mut paths)?;
    if paths.is_empty() {
        return Err(format!("{}: no *.txt script below this folder", dir.display()));
    }
    let mut report = String::new();
    for path in paths {
        if let Err(difference) = play_file(&path, new(), bless) {
            report.push_str(&format!("{}: {difference}\n", path.display()));
        }
    }
    match report.is_empty() {
        true => Ok(()),
        false => Err(format!("{report}BLESS=1 rewrites the files; then read `git diff`.")),
    }
}

fn play_file(path: &Path, mut runner: impl Runner, bless: bool) -> Result<(), String> {
    let expected = fs::read_to_string(path).map_err(|why| format!("cannot be read: {why}"))?;
    let script = script::parse(&expected)?;
    println!("{}", path.display()); // captured by the test harness; shown when a runner panics
    let outputs: Vec<Vec<String>> = script
        .blocks
        .iter()
        .map(|block| {
            let printed = block.commands.iter().flat_map(|command| play(&mut runner, command));
            printed.collect()
        })
        .collect();
    let printed = script::render(&script, &outputs);
    if printed == expected {
        return Ok(());
    }
    if bless {
        return fs::write(path, printed).map_err(|why| format!("cannot be written: {why}"));
    }
    let difference = match diff::unified(&expected, &printed) {
        same if same.is_empty() => "(only blanks or the final newline differ)\n".to_owned(),
        difference => difference,
    };
    Err(format!("prints something else (- file, + now)\n{difference}"))
}

fn play(runner: &mut impl Runner, command: &Command) -> Vec<String> {
    match runner.run(command) {
        Ok(text) => script::output_lines(&text),
        Err(text) => script::output_lines(&format!("error: {text}")),
    }
}

/// All scripts below `dir`, sorted, so that failures are reported in the same order everywhere.
fn collect(dir: &Path, paths: &mut Vec<PathBuf>) -> Result<(), String> {
    let unreadable = |why| format!("{}: cannot be listed: {why}", dir.display());
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).map_err(unreadable)? {
        found.push(entry.map_err(unreadable)?.path());
    }
    found.sort();
    for path in found {
        if path.is_dir() {
            collect(&path, paths)?;
        } else if path.extension().is_some_and(|extension| extension == "txt") {
            paths.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Prints the number of commands so far and their words; refuses `fail`.
    #[derive(Default)]
    struct Echo {
        commands: usize,
    }

    impl Runner for Echo {
        fn run(&mut self, command: &Command) -> Result<String, String> {
            self.commands += 1;
            match command.name.as_str() {
                "fail" => Err("as told".to_owned()),
                name => Ok(format!("{} {name} {}\n", self.commands, command.args.join(","))),
            }
        }
    }

    fn folder(name: &str, scripts: &[(&str, &str)]) -> PathBuf {
        let unique = format!("testkit-{}-{name}", std::process::id());
        let dir = std::env::temp_dir().join(unique);
        fs::create_dir_all(dir.join("deeper")).expect("a temporary folder can be made");
        for (file, text) in scripts {
            fs::write(dir.join(file), text).expect("a temporary file can be written");
        }
        dir
    }

    fn play_scripts(dir: &Path, bless: bool) -> Result<(), String> {
        play_folder(dir, &Echo::default, bless)
    }

    #[test]
    fn each_script_has_a_fresh_runner_and_deeper_folders_count() {
        let good = "# Good.\nsay a b\n---\n1 say a,b\n\nfail\nsay\n---\nerror: as told\n3 say\n";
        let dir = folder("good", &[("a.txt", good), ("deeper/b.txt", good)]);
        assert_eq!(play_scripts(&dir, false), Ok(()));
        fs::remove_dir_all(dir).expect("the temporary folder can be removed");
    }

    #[test]
    fn a_difference_is_shown_and_bless_takes_it_over() {
        let dir = folder("bless", &[("deeper/c.txt", "# Old.\nsay x\n---\n1 say y\n")]);
        let report = play_scripts(&dir, false).expect_err("the outputs differ");
        assert!(report.contains("c.txt: prints something else"), "{report}");
        assert!(report.contains("-1 say y\n+1 say x\n"), "{report}");
        assert_eq!(play_scripts(&dir, true), Ok(()));
        assert_eq!(play_scripts(&dir, false), Ok(()));
        fs::remove_dir_all(dir).expect("the temporary folder can be removed");
    }

    #[test]
    fn a_folder_without_scripts_fails() {
        let dir = folder("none", &[]);
        let report = play_scripts(&dir, false).expect_err("nothing was tested");
        assert!(report.ends_with("no *.txt script below this folder"), "{report}");
        assert!(play_scripts(&dir, true).is_err());
        fs::remove_dir_all(dir).expect("the temporary folder can be removed");
    }
}

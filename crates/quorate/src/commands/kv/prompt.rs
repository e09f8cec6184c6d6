//! The prompt: the same commands as on the command line, with history and completion.

use super::{Line, Session, words};
use crate::commands::Failure;
use crate::exit;
use clap::{CommandFactory, Parser};
use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{Context, Editor, Helper, Highlighter, Hinter, Validator};
use std::path::PathBuf;

const WORDS: [&str; 10] =
    ["put", "get", "delete", "list", "watch", "txn", "status", "help", "quit", "exit"];

#[derive(Helper, Highlighter, Hinter, Validator)]
struct Words;

impl Completer for Words {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        let typed = &line[..position];
        if typed.contains(' ') {
            return Ok((position, Vec::new()));
        }
        let fitting = WORDS.iter().filter(|word| word.starts_with(typed));
        Ok((0, fitting.map(|word| format!("{word} ")).collect()))
    }
}

/// Reads lines until `quit`, end of input or Ctrl-C on an empty line.
pub(super) fn run(runtime: &tokio::runtime::Runtime, session: &Session) -> Result<(), Failure> {
    let broken = Failure::because(exit::FAILED, "the prompt failed");
    let mut editor: Editor<Words, FileHistory> = Editor::new().map_err(&broken)?;
    editor.set_helper(Some(Words));
    let history = history_file();
    if let Some(path) = &history {
        // A first run has no history yet.
        let _ = editor.load_history(path);
    }
    println!("connected to {}; `help` lists the commands", session.nodes.join(", "));
    loop {
        match editor.readline("quorate> ") {
            Ok(line) if line.trim().is_empty() => {}
            Ok(line) => {
                let _ = editor.add_history_entry(line.trim());
                if !perform(runtime, session, line.trim()) {
                    break;
                }
            }
            Err(ReadlineError::Interrupted | ReadlineError::Eof) => break,
            Err(error) => return Err(broken(error)),
        }
    }
    if let Some(path) = &history
        && let Err(error) = editor.save_history(path)
    {
        eprintln!("history not saved to {}: {error}", path.display());
    }
    Ok(())
}

/// Does what the line says; false when it says to leave.
fn perform(runtime: &tokio::runtime::Runtime, session: &Session, line: &str) -> bool {
    match line {
        "quit" | "exit" => return false,
        "help" => {
            print!("{}", Line::command().render_help());
            return true;
        }
        _ => {}
    }
    let words = match words::split(line) {
        Ok(words) => words,
        Err(mistake) => {
            eprintln!("{mistake}");
            return true;
        }
    };
    match Line::try_parse_from(words) {
        Ok(parsed) => {
            if let Err(failure) = runtime.block_on(session.perform(parsed.action)) {
                eprintln!("{}", failure.message);
            }
        }
        Err(error) => eprintln!("{}", error.render().to_string().trim_end()),
    }
    true
}

fn history_file() -> Option<PathBuf> {
    Some(PathBuf::from(std::env::var_os("HOME")?).join(".quorate_history"))
}

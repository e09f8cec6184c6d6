//! The text form of a script: reading blocks, writing them back.

use crate::command::Command;

/// A script: its describing first line and its blocks in order.
#[derive(Debug)]
pub(crate) struct Script {
    pub(crate) title: String,
    pub(crate) blocks: Vec<Block>,
}

/// Commands and the output they are expected to print together.
#[derive(Debug)]
pub(crate) struct Block {
    /// Lines above `---` as they stand, comments included.
    pub(crate) source: Vec<String>,
    pub(crate) commands: Vec<Command>,
}

/// Reads a script.
///
/// # Errors
/// `line N: …` for the first thing that is not understood.
pub(crate) fn parse(text: &str) -> Result<Script, String> {
    let mut lines = text.lines().enumerate().map(|(at, line)| (at + 1, line)).peekable();
    let title = match lines.next() {
        Some((_, line)) if line.strip_prefix("# ").is_some_and(|rest| !rest.trim().is_empty()) => {
            line.to_owned()
        }
        _ => return Err("line 1: expected `# one sentence what the script shows`".to_owned()),
    };
    let mut blocks = Vec::new();
    while lines.peek().is_some() {
        let mut block = Block { source: Vec::new(), commands: Vec::new() };
        let mut separated = false;
        for (number, line) in lines.by_ref() {
            if line == "---" {
                separated = true;
                break;
            }
            block.take(line, number)?;
        }
        if !separated {
            if let Some(command) = block.commands.first() {
                return Err(format!("line {}: no `---` follows this command", command.line));
            }
            break;
        }
        if block.commands.is_empty() {
            return Err(format!("{title}: a `---` without a command above it"));
        }
        // The expected output: it ends at the first empty line.
        for (_, line) in lines.by_ref() {
            if line.is_empty() {
                break;
            }
        }
        blocks.push(block);
    }
    if blocks.is_empty() {
        return Err("the script holds no command".to_owned());
    }
    Ok(Script { title, blocks })
}

impl Block {
    fn take(&mut self, line: &str, number: usize) -> Result<(), String> {
        let trimmed = line.trim();
        if trimmed.is_empty() && self.source.is_empty() {
            return Ok(());
        }
        self.source.push(line.trim_end().to_owned());
        if !trimmed.is_empty() && !trimmed.starts_with('#') {
            let command =
                Command::parse(trimmed, number).map_err(|why| format!("line {number}: {why}"))?;
            self.commands.push(command);
        }
        Ok(())
    }
}

/// Output as it may stand in a file: no empty lines (they would end the block), no blanks at the
/// end of a line. An empty line is shown as `~`.
pub(crate) fn output_lines(text: &str) -> Vec<String> {
    text.lines()
        .map(|line| match line.trim_end() {
            "" => "~".to_owned(),
            line => line.to_owned(),
        })
        .collect()
}

/// The whole text of a script whose blocks printed `outputs`.
pub(crate) fn render(script: &Script, outputs: &[Vec<String>]) -> String {
    let mut text = format!("{}\n", script.title);
    for (block, output) in script.blocks.iter().zip(outputs) {
        if !text.ends_with("\n\n") && text.lines().count() > 1 {
            text.push('\n');
        }
        for line in block.source.iter().map(String::as_str).chain(["---"]) {
            text.push_str(line);
            text.push('\n');
        }
        for line in output {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = "# Shows it.\nput a\n# why\nget a\n---\nok\n1\n\nget b\n---\n";

    #[test]
    fn reads_blocks_and_writes_them_back() {
        let script = parse(SAMPLE).expect("the script parses");
        let names: Vec<Vec<&str>> = script
            .blocks
            .iter()
            .map(|block| block.commands.iter().map(|c| c.name.as_str()).collect())
            .collect();
        assert_eq!(names, [vec!["put", "get"], vec!["get"]]);
        assert_eq!(script.blocks[1].commands[0].line, 9);
        let outputs = [vec!["ok".to_owned(), "1".to_owned()], vec![]];
        assert_eq!(render(&script, &outputs), SAMPLE);
    }

    #[test]
    fn refuses_what_it_does_not_understand() {
        let refused = |text| parse(text).expect_err("the script is refused");
        assert!(refused("put a\n---\n").starts_with("line 1: expected `# one sentence"));
        assert_eq!(refused("# T.\nput a\n"), "line 2: no `---` follows this command");
        assert_eq!(refused("# T.\n\n"), "the script holds no command");
        assert_eq!(refused("# T.\nput \"a\n---\n"), "line 2: a quote is not closed");
    }

    #[test]
    fn empty_output_lines_cannot_end_a_block() {
        assert_eq!(output_lines("a  \n\nb\n"), ["a", "~", "b"]);
    }
}

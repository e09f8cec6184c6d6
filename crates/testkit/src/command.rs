//! One command line of a script: a name, bare words, and `key=value` words.

use std::collections::BTreeMap;

/// A parsed command line: `put k=v "two words"` has the name `put`, the argument `two words`, and
/// `k` → `v` among the named ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// The first word.
    pub name: String,
    /// Words without an equals sign outside quotes, in order.
    pub args: Vec<String>,
    /// `key=value` words by key; the value may be quoted.
    pub named: BTreeMap<String, String>,
    /// Line in the script, from 1.
    pub line: usize,
}

/// One word of a line; `equals` is the byte position of its first unquoted `=`.
#[derive(Default)]
struct Word {
    text: String,
    equals: Option<usize>,
}

impl Command {
    /// Parses `text`, the line numbered `line`.
    ///
    /// Quotes (`"`) hold words together; inside them `\"`, `\\`, `\n` and `\xHH` (ASCII only) are
    /// understood.
    ///
    /// # Errors
    /// A sentence when a quote is not closed, an escape is unknown, or a key is given twice.
    pub fn parse(text: &str, line: usize) -> Result<Self, String> {
        let mut command =
            Self { name: String::new(), args: Vec::new(), named: BTreeMap::new(), line };
        for (position, word) in split(text)?.into_iter().enumerate() {
            match word.equals {
                _ if position == 0 => command.name = word.text,
                Some(at) if at > 0 => {
                    let (key, value) = (word.text[..at].to_owned(), word.text[at + 1..].to_owned());
                    if command.named.contains_key(&key) {
                        return Err(format!("`{key}=` is given twice"));
                    }
                    command.named.insert(key, value);
                }
                _ => command.args.push(word.text),
            }
        }
        Ok(command)
    }

    /// The argument at `position` (from 0).
    ///
    /// # Errors
    /// A sentence naming `what` when there are fewer arguments.
    pub fn arg(&self, position: usize, what: &str) -> Result<&str, String> {
        self.args
            .get(position)
            .map(String::as_str)
            .ok_or_else(|| format!("`{}` needs {what} as argument {}", self.name, position + 1))
    }

    /// The value of `key=`, parsed; `None` when the line has no such word.
    ///
    /// # Errors
    /// A sentence when the value does not parse as a `T`.
    pub fn named<T: std::str::FromStr>(&self, key: &str) -> Result<Option<T>, String> {
        self.named
            .get(key)
            .map(|text| {
                text.parse()
                    .map_err(|_| format!("`{key}={text}` of `{}` cannot be read", self.name))
            })
            .transpose()
    }
}

fn split(text: &str) -> Result<Vec<Word>, String> {
    let mut words = Vec::new();
    let mut current: Option<Word> = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            ' ' | '\t' => words.extend(current.take()),
            '"' => quoted(&mut chars, &mut current.get_or_insert_default().text)?,
            _ => {
                let word = current.get_or_insert_default();
                if c == '=' && word.equals.is_none() {
                    word.equals = Some(word.text.len());
                }
                word.text.push(c);
            }
        }
    }
    words.extend(current);
    Ok(words)
}

fn quoted(chars: &mut std::str::Chars<'_>, text: &mut String) -> Result<(), String> {
    while let Some(c) = chars.next() {
        match c {
            '"' => return Ok(()),
            '\\' => text.push(escape(chars)?),
            _ => text.push(c),
        }
    }
    Err("a quote is not closed".to_owned())
}

fn escape(chars: &mut std::str::Chars<'_>) -> Result<char, String> {
    match chars.next() {
        Some('n') => Ok('\n'),
        Some(c @ ('"' | '\\')) => Ok(c),
        Some('x') => {
            let digits: String = chars.by_ref().take(2).collect();
            match u8::from_str_radix(&digits, 16) {
                Ok(byte) if byte.is_ascii() => Ok(char::from(byte)),
                _ => Err(format!("`\\x{digits}` is not an ASCII character")),
            }
        }
        other => Err(format!("`\\{}` is no known escape", other.unwrap_or(' '))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, args: &[&str], named: &[(&str, &str)]) {
        let command = Command::parse(text, 7).expect("the line parses");
        assert_eq!(command.name, "put");
        assert_eq!(command.line, 7);
        assert_eq!(command.args, args);
        let expected: BTreeMap<String, String> =
            named.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        assert_eq!(command.named, expected);
    }

    #[test]
    fn words_quotes_and_pairs() {
        check("put", &[], &[]);
        check(r#"put k=v "two words""#, &["two words"], &[("k", "v")]);
        check(r#"put  a  k="x y" b"#, &["a", "b"], &[("k", "x y")]);
        check(r#"put "k=v" =z"#, &["k=v", "=z"], &[]);
        check(r#"put k=a=b "" k2="#, &[""], &[("k", "a=b"), ("k2", "")]);
        check(r#"put "a\"b\\c\n\x00""#, &["a\"b\\c\n\0"], &[]);
    }

    #[test]
    fn mistakes_are_named() {
        let refused = |text| Command::parse(text, 1).expect_err("the line is refused");
        assert_eq!(refused("put \"a"), "a quote is not closed");
        assert_eq!(refused("put a=1 a=2"), "`a=` is given twice");
        assert_eq!(refused(r#"put "\q""#), "`\\q` is no known escape");
        assert_eq!(refused(r#"put "\xff""#), "`\\xff` is not an ASCII character");
    }

    #[test]
    fn accessors_say_what_is_missing() {
        let command = Command::parse("put a n=3 bad=x", 1).expect("the line parses");
        assert_eq!(command.arg(0, "a key"), Ok("a"));
        assert_eq!(command.arg(1, "a value"), Err("`put` needs a value as argument 2".to_owned()));
        assert_eq!(command.named::<u64>("n"), Ok(Some(3)));
        assert_eq!(command.named::<u64>("none"), Ok(None));
        assert_eq!(command.named::<u64>("bad"), Err("`bad=x` of `put` cannot be read".to_owned()));
    }
}

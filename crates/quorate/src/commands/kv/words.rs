//! A line as words, with quotes as in a shell.

/// Splits `line` at blanks; `'…'` and `"…"` keep blanks together, `\` takes the next character
/// as it is (not between single quotes).
///
/// # Errors
/// A sentence when a quote is not closed or the line ends with `\`.
pub(super) fn split(line: &str) -> Result<Vec<String>, String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        match character {
            blank if blank.is_whitespace() => words.extend(word.take()),
            '\\' => match characters.next() {
                Some(next) => word.get_or_insert_default().push(next),
                None => return Err("the line ends with a backslash".to_owned()),
            },
            quote @ ('\'' | '"') => {
                quoted(quote, &mut characters, word.get_or_insert_default())?;
            }
            other => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    Ok(words)
}

fn quoted(quote: char, rest: &mut std::str::Chars<'_>, word: &mut String) -> Result<(), String> {
    loop {
        match rest.next() {
            Some(end) if end == quote => return Ok(()),
            Some('\\') if quote == '"' => match rest.next() {
                Some(next) => word.push(next),
                None => return Err("the line ends with a backslash".to_owned()),
            },
            Some(character) => word.push(character),
            None => return Err(format!("the quote {quote} is not closed")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn words_and_quotes() {
        let check = |line: &str, expect: &[&str]| {
            assert_eq!(split(line).expect(line), expect, "{line}");
        };
        check("put a b", &["put", "a", "b"]);
        check("  put  'a b' \"c 'd'\" ", &["put", "a b", "c 'd'"]);
        check(r#"put a\ b "" x"y"z"#, &["put", "a b", "", "xyz"]);
        check("", &[]);
        assert_eq!(split("put 'a").expect_err("open"), "the quote ' is not closed");
        assert_eq!(split("a\\").expect_err("cut"), "the line ends with a backslash");
    }
}

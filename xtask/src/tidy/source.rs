//! A Rust source as the rules see it: comments and strings blanked, test code marked.
//!
//! Not a parser. The lexer below knows comments, strings, characters and lifetimes; braces do
//! the rest. That is enough for rules about lengths and names, and needs no dependency.

/// One `.rs` file.
pub(crate) struct Source<'a> {
    /// Relative to the workspace.
    pub(crate) path: &'a str,
    pub(crate) text: &'a str,
    /// As `text`, byte for byte, with comments and the insides of strings blanked.
    pub(crate) code: String,
    /// Per line (from 0): whether it is test code.
    is_test: Vec<bool>,
}

impl<'a> Source<'a> {
    pub(crate) fn new(path: &'a str, text: &'a str) -> Self {
        let code = blank(text);
        let whole = is_test_path(path);
        let mut is_test = vec![whole; text.lines().count()];
        for (first, last) in test_regions(&code) {
            let last = last.min(is_test.len().saturating_sub(1));
            is_test[first..=last].fill(true);
        }
        Self { path, text, code, is_test }
    }

    /// The crate the file belongs to: `kv` for `crates/kv/…`.
    pub(crate) fn crate_name(&self) -> Option<&'a str> {
        self.path.strip_prefix("crates/")?.split('/').next()
    }

    /// Whether a program wrote the file.
    pub(crate) fn is_generated(&self) -> bool {
        self.text.lines().next().is_some_and(|line| line.contains("@generated"))
    }

    /// Whether `line` (from 0) is test code.
    pub(crate) fn is_test_line(&self, line: usize) -> bool {
        self.is_test.get(line).copied().unwrap_or(false)
    }

    /// Whether the whole file is test code.
    pub(crate) fn is_test_file(&self) -> bool {
        is_test_path(self.path)
    }

    /// Lines outside test code: number (from 0) and blanked text.
    pub(crate) fn product_lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.code.lines().enumerate().filter(|(line, _)| !self.is_test_line(*line))
    }
}

fn is_test_path(path: &str) -> bool {
    path.split('/').any(|part| matches!(part, "tests" | "tests.rs" | "benches" | "examples"))
}

/// The line (from 0) that holds byte `at`.
pub(crate) fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count()
}

/// Where `word` stands in `text` with no letter, digit or underscore beside it.
pub(crate) fn words<'t>(text: &'t str, word: &'t str) -> impl Iterator<Item = usize> + 't {
    let part = |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_');
    text.match_indices(word).map(|(at, _)| at).filter(move |at| {
        let bytes = text.as_bytes();
        let before = at.checked_sub(1).and_then(|before| bytes.get(before));
        !part(before) && !part(bytes.get(at + word.len()))
    })
}

/// The position of the `}` that closes the `{` at `open`.
pub(crate) fn closing_brace(code: &str, open: usize) -> Option<usize> {
    let mut depth = 0usize;
    for (at, byte) in code.bytes().enumerate().skip(open) {
        match byte {
            b'{' => depth += 1,
            b'}' => {
                depth -= 1;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => {}
        }
    }
    None
}

/// The `{` that opens the body of the item at `from`, or `None` when a `;` ends it before.
pub(crate) fn body_of(code: &str, from: usize) -> Option<usize> {
    let mut nesting = 0usize;
    for (at, byte) in code.bytes().enumerate().skip(from) {
        match byte {
            b'(' | b'[' => nesting += 1,
            b')' | b']' => nesting = nesting.saturating_sub(1),
            b'{' if nesting == 0 => return Some(at),
            b';' if nesting == 0 => return None,
            _ => {}
        }
    }
    None
}

/// First and last line of every item under `#[cfg(test)]` or `#[test]`.
fn test_regions(code: &str) -> Vec<(usize, usize)> {
    let attributes = ["#[cfg(test)]", "#[cfg(all(test", "#[cfg(any(test", "#[test]"];
    let found = attributes.iter().flat_map(|attribute| code.match_indices(attribute));
    let region = |(at, _): (usize, &str)| {
        let attribute_end = at + code[at..].find(']')?;
        let last = match body_of(code, attribute_end + 1) {
            Some(open) => closing_brace(code, open)?,
            None => attribute_end + code[attribute_end..].find(';')?,
        };
        Some((line_of(code, at), line_of(code, last)))
    };
    found.filter_map(region).collect()
}

/// Blanks comments and the insides of strings and characters; newlines and all positions stay.
fn blank(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let rest = &bytes[at..];
        let length = match rest {
            [b'/', b'/', ..] => rest.iter().position(|b| *b == b'\n').unwrap_or(rest.len()),
            [b'/', b'*', ..] => block_comment(rest),
            [b'"', ..] => string(rest),
            [b'r' | b'b' | b'c', ..] if !follows_word(&code) => raw_or_byte(rest),
            [b'\'', ..] => character(rest),
            _ => 0,
        };
        if length == 0 {
            code.push(rest[0]);
            at += 1;
        } else {
            let kept = |byte: &u8| if *byte == b'\n' { b'\n' } else { b' ' };
            code.extend(rest[..length].iter().map(kept));
            at += length;
        }
    }
    String::from_utf8(code).unwrap_or_default()
}

fn follows_word(code: &[u8]) -> bool {
    code.last().is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

fn block_comment(rest: &[u8]) -> usize {
    let mut depth = 0usize;
    let mut at = 0;
    while at < rest.len() {
        match &rest[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => {
                (depth, at) = (depth - 1, at + 2);
                if depth == 0 {
                    break;
                }
            }
            _ => at += 1,
        }
    }
    at.min(rest.len())
}

/// Length of the string literal at the start of `rest`, with its quotes.
fn string(rest: &[u8]) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// Length of `r"…"`, `r#"…"#`, `b"…"`, `br"…"`, `b'…'`; 0 for a plain word.
fn raw_or_byte(rest: &[u8]) -> usize {
    let prefix = rest.iter().take(2).take_while(|byte| byte.is_ascii_lowercase()).count();
    let raw = rest[..prefix].contains(&b'r');
    let after = &rest[prefix..];
    let hashes = if raw { after.iter().take_while(|byte| **byte == b'#').count() } else { 0 };
    match after.get(hashes) {
        Some(b'"') if raw => {
            let end: Vec<u8> = [b"\"".as_slice(), &b"#".repeat(hashes)].concat();
            let inside = &after[hashes + 1..];
            let found = inside.windows(end.len()).position(|window| window == end);
            prefix + hashes + 1 + found.map_or(inside.len(), |at| at + end.len())
        }
        Some(b'"') => prefix + string(after),
        Some(b'\'') if rest[0] == b'b' && prefix == 1 => prefix + character(after),
        _ => 0,
    }
}

/// Length of the character literal at the start of `rest`; 0 when it is a lifetime.
fn character(rest: &[u8]) -> usize {
    if rest.get(1) == Some(&b'\\') {
        let close = rest.iter().skip(3).position(|byte| *byte == b'\'');
        return close.map_or(0, |at| at + 4);
    }
    // At most four bytes of UTF-8 between the quotes.
    let close = rest.iter().skip(2).take(4).position(|byte| *byte == b'\'');
    match close {
        Some(0) => 3,
        Some(more) if !rest[1].is_ascii() => more + 3,
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_strings_are_blanked_in_place() {
        let text = "let a = \"std::fs\"; // std::net\n/* std::env /* x */ */ let b = 'x';\n";
        let source = Source::new("a.rs", text);
        assert_eq!(source.code.len(), text.len());
        assert!(!source.code.contains("std::"), "{}", source.code);
        assert!(source.code.contains("let b ="));
    }

    #[test]
    fn raw_strings_characters_and_lifetimes() {
        let code =
            blank("fn f<'a>(x: &'a str) { r#\"{ \" }\"# ; b'{' ; '\\'' ; '{' ; 'ß' ; br\"}\" }");
        assert!(code.starts_with("fn f<'a>(x: &'a str) {"), "{code}");
        assert_eq!(code.matches(['{', '}']).count(), 2, "{code}");
        assert_eq!(blank("for r in b {}"), "for r in b {}");
    }

    #[test]
    fn test_items_are_marked_whole() {
        let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n  fn b() {}\n}\nfn c() {}\n\
                    #[cfg(test)]\nuse x;\nfn d() {}\n";
        let source = Source::new("crates/kv/src/a.rs", text);
        let product: Vec<usize> = source.product_lines().map(|(line, _)| line).collect();
        assert_eq!(product, [0, 5, 8]);
        assert_eq!(source.crate_name(), Some("kv"));
        assert!(Source::new("crates/kv/src/a/tests.rs", text).is_test_line(0));
    }

    #[test]
    fn words_have_borders() {
        assert_eq!(words("f64 af64 f64x x.f64()", "f64").collect::<Vec<_>>(), [0, 16]);
    }
}

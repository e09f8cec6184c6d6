//! From the bytes of a file to text, whatever program saved it.

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};
use std::borrow::Cow;

/// Decoded text and how it was recognised.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Text {
    pub(super) text: String,
    /// For the person: which encoding it was.
    pub(super) encoding: &'static str,
    /// Whether that is a guess that a person should look at.
    pub(super) is_guess: bool,
}

/// UTF-8 with or without a byte order mark, UTF-16 with one, and else Windows-1252, which takes
/// any bytes.
pub(super) fn decode(bytes: &[u8]) -> Text {
    let marked = Encoding::for_bom(bytes);
    let (encoding, name, is_guess) = match marked {
        Some((encoding, _)) if encoding == UTF_16LE => (UTF_16LE, "UTF-16 (little-endian)", false),
        Some((encoding, _)) if encoding == UTF_16BE => (UTF_16BE, "UTF-16 (big-endian)", false),
        Some(_) => (UTF_8, "UTF-8 with a byte order mark", false),
        None if std::str::from_utf8(bytes).is_ok() => (UTF_8, "UTF-8", false),
        None => (WINDOWS_1252, "Windows-1252", true),
    };
    let (text, _) = encoding.decode_with_bom_removal(bytes);
    Text { text: text.into_owned(), encoding: name, is_guess }
}

/// A cell as it is meant: without invisible characters, hard spaces made plain, trimmed.
pub(super) fn clean(cell: &str) -> Cow<'_, str> {
    let is_invisible = |letter: char| {
        matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}' | '\u{ad}')
    };
    let is_hard_space = |letter: char| matches!(letter, '\u{a0}' | '\u{2007}' | '\u{202f}');
    if !cell.contains(|letter| is_invisible(letter) || is_hard_space(letter)) {
        return Cow::Borrowed(cell.trim());
    }
    let letters = cell.chars().filter(|letter| !is_invisible(*letter));
    let plain: String =
        letters.map(|letter| if is_hard_space(letter) { ' ' } else { letter }).collect();
    Cow::Owned(plain.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(bytes: &[u8], text: &str, encoding: &str) {
        let found = decode(bytes);
        assert_eq!((found.text.as_str(), found.encoding), (text, encoding));
        assert_eq!(found.is_guess, encoding == "Windows-1252");
    }

    #[test]
    fn what_offices_save_is_read() {
        check("Zoë".as_bytes(), "Zoë", "UTF-8");
        check("\u{feff}Zoë".as_bytes(), "Zoë", "UTF-8 with a byte order mark");
        check(b"Zo\xeb \x80", "Zoë €", "Windows-1252");
        let little: Vec<u8> = "\u{feff}Zoë".encode_utf16().flat_map(u16::to_le_bytes).collect();
        check(&little, "Zoë", "UTF-16 (little-endian)");
        let big: Vec<u8> = "\u{feff}Łódź".encode_utf16().flat_map(u16::to_be_bytes).collect();
        check(&big, "Łódź", "UTF-16 (big-endian)");
        check(b"", "", "UTF-8");
    }

    #[test]
    fn invisible_characters_go() {
        assert_eq!(clean("\u{feff}\u{200b} v1\u{a0}"), "v1");
        assert_eq!(clean("Ann\u{a0}Lee"), "Ann Lee");
        assert_eq!(clean(" Ann Lee "), "Ann Lee");
    }
}

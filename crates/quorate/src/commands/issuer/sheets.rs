//! One printed page for each voter: the code to type, and the same as a QR code.

use super::Issued;
use ballot::Code;
use election::ElectionId;
use qrcode::{EcLevel, QrCode, render::svg, types::QrError};
use std::fmt::Write;

/// Side of a QR code on paper, in CSS pixels.
const QR_SIDE: u32 = 200;

const STYLE: &str = "body{font-family:sans-serif;margin:0}\
section{page-break-after:always;padding:2cm}\
section:last-child{page-break-after:auto}\
.code{font-family:monospace;font-size:1.6em;letter-spacing:.05em;white-space:nowrap}\
.small{font-size:.85em;overflow-wrap:anywhere}";

/// A page of all sheets, complete in itself.
///
/// # Errors
/// When the address is too long for a QR code.
pub(super) fn html(
    election: ElectionId,
    address: &str,
    issued: &[Issued],
) -> Result<String, QrError> {
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"referrer\" content=\"no-referrer\"><title>Voting codes</title>\
         <style>{STYLE}</style>\n"
    );
    for one in issued {
        sheet(&mut page, election, address, one)?;
    }
    page.push_str("</html>\n");
    Ok(page)
}

fn sheet(
    page: &mut String,
    election: ElectionId,
    address: &str,
    issued: &Issued,
) -> Result<(), QrError> {
    let Issued { voter_id, name, code, .. } = issued;
    let who = if name.is_empty() { voter_id } else { name };
    let written = write!(
        page,
        "<section><h1>Your voting code</h1><p>For <b>{}</b></p><p class=\"code\">{code}</p>\
         {}<p>Open <b>{}</b> and type the code, or scan the picture. Whoever holds this code can \
         vote in your place: keep it to yourself.</p><p class=\"small\">Election {election}</p>\
         </section>\n",
        escape(who),
        qr(&link(address, election, code))?,
        escape(address),
    );
    debug_assert!(written.is_ok(), "writing to a string succeeds");
    Ok(())
}

/// Everything behind `#` stays in the voter's browser.
pub(super) fn link(address: &str, election: ElectionId, code: &Code) -> String {
    format!("{address}#e={election}&c={code}")
}

fn qr(text: &str) -> Result<String, QrError> {
    let code = QrCode::with_error_correction_level(text, EcLevel::M)?;
    let drawn = code.render::<svg::Color<'_>>().min_dimensions(QR_SIDE, QR_SIDE).build();
    // The declaration of an SVG file has no place inside a page.
    let start = drawn.find("<svg").unwrap_or_default();
    Ok(drawn[start..].to_owned())
}

fn escape(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut escaped, letter| {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
        escaped
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn issued_to(voter_id: &str, code: Code) -> Issued {
        let [name, email, language] = [const { String::new() }; 3];
        Issued { voter_id: voter_id.to_owned(), name, email, language, code }
    }

    #[test]
    fn the_code_stands_behind_the_fragment_sign() {
        let code = Code::from_bytes([7; 15]);
        let link = link("https://vote.example/vote", ElectionId([1; 16]), &code);
        let (sent, kept) = link.split_once('#').expect("a fragment");
        assert_eq!(sent, "https://vote.example/vote");
        assert_eq!(kept, format!("e={}&c={code}", "01".repeat(16)));
    }

    #[test]
    fn a_sheet_has_a_picture_and_no_raw_names() {
        let code = Code::from_bytes([7; 15]);
        let issued = issued_to("v\"1", code);
        let page = html(ElectionId([1; 16]), "http://a/", &[issued]).expect("short");
        assert!(page.contains("<svg") && !page.contains("<?xml"));
        assert!(page.contains("v&quot;1"));
        let long = "x".repeat(5000);
        let issued = issued_to("v", Code::from_bytes([7; 15]));
        assert!(html(ElectionId([1; 16]), &long, &[issued]).is_err());
    }
}

//! One printed page for each voter: the code to type, and the same as a QR code.

use super::{Issued, Way};
use qrcode::{EcLevel, QrCode, render::svg, types::QrError};
use std::fmt::Write;

/// Side of a QR code on paper, in CSS pixels.
const QR_SIDE: u32 = 200;

const STYLE: &str = "body{font-family:sans-serif;margin:0}\
section{page-break-after:always;padding:2cm}\
section:last-child{page-break-after:auto}\
.code{font-family:monospace;font-size:1.6em;letter-spacing:.05em;white-space:nowrap}\
.small{font-size:.85em;overflow-wrap:anywhere}";

const CODE: (&str, &str) = (
    "Your voting code",
    "Open {booth} and type the code, or scan the picture. Whoever holds this code can vote in \
     your place: keep it to yourself.",
);
const TOKEN: (&str, &str) = (
    "Your enrolment token",
    "Scan the picture, or open {booth} and type the token. Your device then makes your voting \
     code, which only you will know. The token works once: enrol soon, and tell the issuer if \
     somebody has used it before you.",
);

/// A page of all sheets, complete in itself.
///
/// # Errors
/// When the address is too long for a QR code.
pub(super) fn html(way: &Way<'_>, issued: &[Issued]) -> Result<String, QrError> {
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\">\
         <meta name=\"referrer\" content=\"no-referrer\"><title>Voting codes</title>\
         <style>{STYLE}</style>\n"
    );
    for one in issued {
        sheet(&mut page, way, one)?;
    }
    page.push_str("</html>\n");
    Ok(page)
}

fn sheet(page: &mut String, way: &Way<'_>, issued: &Issued) -> Result<(), QrError> {
    let Issued { voter_id, name, code, .. } = issued;
    let who = if name.is_empty() { voter_id } else { name };
    let (title, how) = if way.enrol_at.is_some() { TOKEN } else { CODE };
    let written = write!(
        page,
        "<section><h1>{title}</h1><p>For <b>{}</b></p><p class=\"code\">{code}</p>{}\
         <p>{}</p><p class=\"small\">Election {}</p></section>\n",
        escape(who),
        qr(&way.link(code))?,
        how.replace("{booth}", &format!("<b>{}</b>", escape(way.booth))),
        way.election,
    );
    debug_assert!(written.is_ok(), "writing to a string succeeds");
    Ok(())
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
    use ballot::Code;
    use election::ElectionId;

    fn way(booth: &str) -> Way<'_> {
        Way { election: ElectionId([1; 16]), booth, enrol_at: None }
    }

    fn issued_to(voter_id: &str, code: Code) -> Issued {
        let [name, email, language] = [const { String::new() }; 3];
        Issued { voter_id: voter_id.to_owned(), name, email, language, code }
    }

    #[test]
    fn the_code_stands_behind_the_fragment_sign() {
        let code = Code::from_bytes([7; 15]);
        let link = way("https://vote.example/vote").link(&code);
        let (sent, kept) = link.split_once('#').expect("a fragment");
        assert_eq!(sent, "https://vote.example/vote");
        assert_eq!(kept, format!("e={}&c={code}", "01".repeat(16)));
        let enrol_at = Some("https://issuer.example/a b");
        let link = Way { enrol_at, ..way("https://vote.example/vote") }.link(&code);
        let kept = link.split_once('#').expect("a fragment").1;
        let issuer = "https%3A%2F%2Fissuer.example%2Fa%20b";
        assert_eq!(kept, format!("e={}&t={code}&i={issuer}", "01".repeat(16)));
    }

    #[test]
    fn a_sheet_has_a_picture_and_no_raw_names() {
        let code = Code::from_bytes([7; 15]);
        let issued = issued_to("v\"1", code);
        let page = html(&way("http://a/"), &[issued]).expect("short");
        assert!(page.contains("<svg") && !page.contains("<?xml"));
        assert!(page.contains("v&quot;1"));
        let long = "x".repeat(5000);
        let issued = issued_to("v", Code::from_bytes([7; 15]));
        assert!(html(&way(&long), &[issued]).is_err());
    }
}

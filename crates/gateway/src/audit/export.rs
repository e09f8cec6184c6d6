//! The audit log as a file: JSON lines, or CSV for spreadsheets (RFC 4180).

use super::Line;
use super::filter::{Filter, Order, page};
use crate::store::Store;
use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use futures::stream;
use kv::api::Error;
use serde::Deserialize;

/// Lines that are written at once.
const CHUNK: usize = 500;

/// In which form.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Format {
    #[default]
    Jsonl,
    Csv,
}

impl Format {
    fn kind(self) -> &'static str {
        match self {
            Self::Jsonl => "application/jsonl",
            Self::Csv => "text/csv; charset=utf-8",
        }
    }

    fn disposition(self) -> &'static str {
        match self {
            Self::Jsonl => "attachment; filename=\"audit.jsonl\"",
            Self::Csv => "attachment; filename=\"audit.csv\"",
        }
    }

    fn head(self) -> &'static str {
        match self {
            Self::Jsonl => "",
            Self::Csv => {
                "number,time_ms,node,kind,actor,entrance,act,election,object,status,text,\
                 request_id\r\n"
            }
        }
    }

    fn line(self, line: &Line) -> String {
        match self {
            Self::Jsonl => format!("{}\n", serde_json::to_string(line).unwrap_or_default()),
            Self::Csv => csv(line),
        }
    }
}

/// Everything that `filter` wants, oldest first, while it is read. A store that fails in the
/// middle breaks the connection: a file that ends early must not look whole.
pub(crate) fn export(store: Store, filter: Filter, format: Format) -> Response {
    let begin = (store, filter, Some(None), format.head().to_owned());
    let chunks = stream::try_unfold(begin, move |(store, filter, at, head)| async move {
        let Some(cursor) = at else { return Ok::<_, Error>(None) };
        let found = page(&store, &filter, (Order::Oldest, cursor, CHUNK)).await?;
        let lines = found.lines.iter().map(|line| format.line(line));
        let text = std::iter::once(head).chain(lines).collect::<String>();
        let next = found.next.map(Some);
        Ok(Some((Bytes::from(text), (store, filter, next, String::new()))))
    });
    let mut response = Body::from_stream(chunks).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(format.kind()));
    let disposition = HeaderValue::from_static(format.disposition());
    headers.insert(header::CONTENT_DISPOSITION, disposition);
    response
}

fn csv(line: &Line) -> String {
    let entry = &line.entry;
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let fields = [
        line.number.to_string(),
        entry.time_ms.to_string(),
        entry.node.to_string(),
        entry.kind.name().to_owned(),
        entry.actor.clone(),
        text(&entry.entrance),
        entry.act.clone(),
        text(&entry.election),
        text(&entry.object),
        entry.status.map(|status| status.to_string()).unwrap_or_default(),
        text(&entry.text),
        text(&entry.request_id),
    ];
    let mut row = fields.map(|field| quoted(&field)).join(",");
    row.push_str("\r\n");
    row
}

/// A field that a spreadsheet shows and does not run: what begins like a formula gets an
/// apostrophe in front, as spreadsheets write it themselves.
fn quoted(field: &str) -> String {
    let is_formula = field.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let mark = if is_formula { "'" } else { "" };
    if is_formula || field.contains([',', '"', '\r', '\n']) {
        return format!("\"{mark}{}\"", field.replace('"', "\"\""));
    }
    field.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::{Entry, Kind};

    #[test]
    fn fields_are_quoted_and_never_formulas() {
        let check = |field: &str, expect: &str| assert_eq!(quoted(field), expect);
        check("ada", "ada");
        check("a, \"b\"", "\"a, \"\"b\"\"\"");
        check("=HYPERLINK(1)", "\"'=HYPERLINK(1)\"");
        check("two\nlines", "\"two\nlines\"");
        let entry = Entry {
            time_ms: 5,
            status: Some(200),
            text: Some("a, b".to_owned()),
            ..Entry::new(2, Kind::Act, "ada", "POST /x")
        };
        let line = Line { number: 7, entry };
        assert_eq!(Format::Csv.line(&line), "7,5,2,act,ada,,POST /x,,,200,\"a, b\",\r\n");
        let columns = Format::Csv.head().matches(',').count();
        assert_eq!(columns, 11, "as many as the rows have");
    }
}

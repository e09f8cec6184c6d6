//! The least of HTTP that the admin listener of a node needs.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Longer answers are cut; the figures of a node have some 20 KiB.
const ANSWER_BYTES_MAX: u64 = 1 << 20;

/// What a node's admin listener said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The status code.
    pub(crate) code: u16,
    /// Seconds since 1970 by the node's clock, from the header `date`.
    pub(crate) date: Option<i64>,
    pub(crate) body: String,
}

/// GETs `path`; `None` without a whole answer in time.
pub(crate) async fn get(address: SocketAddr, path: &str, time: Duration) -> Option<Answer> {
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    ask(address, request, time).await
}

/// POSTs JSON with the administrators' token.
pub(crate) async fn post(
    address: SocketAddr,
    path: &str,
    token: &str,
    body: &str,
    time: Duration,
) -> Option<Answer> {
    let request = format!(
        "POST {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\
         authorization: Bearer {token}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    ask(address, request, time).await
}

async fn ask(address: SocketAddr, request: String, time: Duration) -> Option<Answer> {
    let asked = async {
        let mut stream = TcpStream::connect(address).await.ok()?;
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut text = Vec::new();
        stream.take(ANSWER_BYTES_MAX).read_to_end(&mut text).await.ok()?;
        parse(&String::from_utf8_lossy(&text))
    };
    timeout(time, asked).await.ok().flatten()
}

fn parse(text: &str) -> Option<Answer> {
    let (head, body) = text.split_once("\r\n\r\n")?;
    let date = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("date").then(|| seconds(value.trim())).flatten()
    });
    let code = head.split_whitespace().nth(1)?.parse().ok()?;
    Some(Answer { code, date, body: body.to_owned() })
}

/// A figure without labels in the text form of the metrics.
pub(crate) fn figure(metrics: &str, name: &str) -> Option<u64> {
    let value = |line: &str| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok();
    metrics.lines().find_map(value)
}

/// Reads a date of the form `Sun, 06 Nov 1994 08:49:37 GMT` (RFC 9110, 5.6.7).
fn seconds(date: &str) -> Option<i64> {
    let words: Vec<&str> = date.split_whitespace().collect();
    let [_, day, month, year, time, "GMT"] = words[..] else { return None };
    let months = "JanFebMarAprMayJunJulAugSepOctNovDec";
    let month = i64::try_from(months.find(month)? / 3).ok()? + 1;
    let (day, year): (i64, i64) = (day.parse().ok()?, year.parse().ok()?);
    let mut time = time.split(':').map(str::parse::<i64>);
    let (hours, minutes, seconds) = (time.next()?.ok()?, time.next()?.ok()?, time.next()?.ok()?);
    // Days since 1970 in the Gregorian calendar, the year taken to begin in March.
    let (y, m) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 1 - 719_468;
    Some(days * 86_400 + hours * 3_600 + minutes * 60 + seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_taken_apart() {
        let text = "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\na 1\nb{c=\"1\"} 5\nb 7\n";
        let answer = parse(text).unwrap();
        assert_eq!((answer.code, answer.date), (200, Some(784_111_777)));
        assert_eq!((figure(&answer.body, "b"), figure(&answer.body, "c")), (Some(7), None));
        assert_eq!(seconds("Thu, 01 Jan 1970 00:00:00 GMT"), Some(0));
        assert_eq!(seconds("Thu, 29 Feb 2024 12:00:00 GMT"), Some(1_709_208_000));
        assert_eq!(seconds("yesterday"), None);
        assert_eq!(parse("HTTP/1.1 200 OK\r\n"), None);
    }
}

//! `quorate election audit`: who did what to an election, and when.

use super::{failed, path};
use crate::commands::Failure;
use crate::exit;
use crate::http::ApiClient;
use clap::{Args, ValueEnum};
use election::ElectionId;
use formats::definition::minutes_since_1970;
use serde_json::Value;
use std::io::Write;
use std::time::{SystemTime, UNIX_EPOCH};

/// Kinds of entries.
const KINDS: [&str; 6] = ["act", "login", "ledger", "alarm", "cluster", "finality"];

#[derive(Args, Debug)]
pub(super) struct AuditArgs {
    /// The election; without it the log of the whole cluster
    id: Option<ElectionId>,
    /// Only what this account, authority or node did
    #[arg(long, value_name = "NAME")]
    actor: Option<String>,
    /// Only entries of this kind: act, login, ledger, alarm, cluster, or finality, which is shown
    /// only when asked for
    #[arg(long, value_name = "KIND", value_parser = KINDS)]
    kind: Option<String>,
    /// Not before: a UTC time like "2027-03-01 08:00", or how long ago, like 90m, 12h, 7d
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Before this time
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Only entries that hold this text
    #[arg(long, value_name = "TEXT")]
    text: Option<String>,
    /// How to print it
    #[arg(long, value_enum, default_value_t = Form::Table)]
    format: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Form {
    /// For people
    Table,
    /// One JSON object a line
    Jsonl,
    /// For spreadsheets
    Csv,
}

pub(super) async fn run(api: &ApiClient, args: AuditArgs) -> Result<(), Failure> {
    let base = match args.id {
        Some(id) => path(id, "audit"),
        None => "/api/v1/audit".to_owned(),
    };
    let filter = filter(&args, now_minutes())?;
    let form = match args.format {
        Form::Table => return table(api, &base, &filter).await,
        Form::Jsonl => "jsonl",
        Form::Csv => "csv",
    };
    let file = api.get_bytes(&format!("{base}/export?format={form}{filter}")).await?;
    std::io::stdout().write_all(&file).map_err(failed)
}

async fn table(api: &ApiClient, base: &str, filter: &str) -> Result<(), Failure> {
    let mut cursor = "0".to_owned();
    loop {
        let page: Value = api.get_json(&format!("{base}?cursor={cursor}{filter}")).await?;
        for entry in page["items"].as_array().into_iter().flatten() {
            println!("{}", line(entry));
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => return Ok(()),
        }
    }
}

/// One entry for people.
fn line(entry: &Value) -> String {
    let text = |field: &str| entry[field].as_str().unwrap_or_default();
    let seconds = entry["time_ms"].as_u64().unwrap_or(0) / 1000;
    let time = base::show_utc(seconds / 60).replace(" UTC", &format!(":{:02}", seconds % 60));
    let (kind, actor) = (text("kind"), text("actor"));
    let mut line = format!("{time}  {kind:<7}  {actor}  {}", text("act"));
    let status = entry["status"].as_u64().map(|status| format!("→ {status}"));
    let election = entry["election"].as_str().map(|id| format!("[{id}]"));
    let known = ["object", "text", "request_id"].map(|field| entry[field].as_str());
    let [object, words, request] = known.map(|text| text.map(str::to_owned));
    let request = request.map(|id| format!("({id})"));
    for part in [object, election, status, words, request].into_iter().flatten() {
        line.push_str("  ");
        line.push_str(&part);
    }
    line
}

/// The query's part that chooses, beginning with `&`.
fn filter(args: &AuditArgs, now_minutes: u32) -> Result<String, Failure> {
    let mut query = String::new();
    let mut add = |name: &str, value: &str| {
        query.push_str(&format!("&{name}={}", escaped(value)));
    };
    let words = [("actor", &args.actor), ("kind", &args.kind), ("text", &args.text)];
    for (name, value) in words {
        value.iter().for_each(|value| add(name, value));
    }
    for (name, value) in [("since", &args.since), ("until", &args.until)] {
        if let Some(value) = value {
            let minute = moment(value, now_minutes).ok_or_else(|| {
                Failure::new(
                    exit::BAD_DATA,
                    format!(
                        "--{name} '{value}' is no time: expected a UTC time like \"2027-03-01 \
                         08:00\", or how long ago, like 90m, 12h, 7d"
                    ),
                )
            })?;
            add(name, &(u64::from(minute) * 60_000).to_string());
        }
    }
    Ok(query)
}

/// A minute since 1970, from a time or from how long ago it was.
fn moment(text: &str, now_minutes: u32) -> Option<u32> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let minutes = match unit {
        "m" => Some(1),
        "h" => Some(60),
        "d" => Some(24 * 60),
        _ => None,
    };
    match (minutes, number.parse::<u32>()) {
        (Some(minutes), Ok(count)) => now_minutes.checked_sub(count.checked_mul(minutes)?),
        _ => minutes_since_1970(text),
    }
}

fn now_minutes() -> u32 {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
    u32::try_from(seconds / 60).unwrap_or(u32::MAX)
}

/// Percent-encoding of everything that is not plain in a query.
fn escaped(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn args() -> AuditArgs {
        AuditArgs {
            id: None,
            actor: None,
            kind: None,
            since: None,
            until: None,
            text: None,
            format: Form::Table,
        }
    }

    #[test]
    fn filters_are_escaped_and_times_are_read() {
        let now = minutes_since_1970("2027-03-02 08:00").expect("a time");
        let query = |change: fn(&mut AuditArgs)| {
            let mut args = args();
            change(&mut args);
            filter(&args, now).map_err(|failure| failure.message)
        };
        assert_eq!(query(|_| ()), Ok(String::new()));
        let both = query(|args| {
            args.actor = Some("ada@vote".into());
            args.text = Some("a & b".into());
        });
        assert_eq!(both, Ok("&actor=ada%40vote&text=a%20%26%20b".to_owned()));
        let day = query(|args| args.since = Some("2027-03-01 08:00".into()));
        assert_eq!(day, query(|args| args.since = Some("24h".into())));
        assert_eq!(day, query(|args| args.since = Some("1d".into())));
        let wrong = query(|args| args.until = Some("yesterday".into())).expect_err("no time");
        assert!(wrong.starts_with("--until 'yesterday' is no time: expected"), "{wrong}");
    }

    #[test]
    fn an_entry_is_one_line() {
        let entry = json!({
            "number": 3, "time_ms": 1_803_974_465_000_u64, "kind": "act", "actor": "ada",
            "act": "POST /api/v1/elections/{id}/open", "election": "00", "status": 200,
            "request_id": "n1-1-1",
        });
        let expect = "2027-03-02 08:01:05  act      ada  POST /api/v1/elections/{id}/open  [00]  \
                      → 200  (n1-1-1)";
        assert_eq!(line(&entry), expect);
    }
}

//! `quorate election rounds`: how entries became final, and why some did not.

use super::{failed, path};
use crate::commands::Failure;
use crate::http::ApiClient;
use clap::Args;
use election::ElectionId;
use serde_json::Value;
use std::fmt::Write;

#[derive(Args, Debug)]
pub(super) struct RoundsArgs {
    /// The election
    id: ElectionId,
    /// How many decisions to show, the newest ones
    #[arg(long, value_name = "N", default_value_t = 10)]
    heights: usize,
    /// As one JSON object: rounds and refusals
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(api: &ApiClient, args: RoundsArgs) -> Result<(), Failure> {
    let what = format!("rounds?heights={}", args.heights);
    let rounds: Value = api.get_json(&path(args.id, &what)).await?;
    let refusals: Value = api.get_json(&path(args.id, "refusals")).await?;
    if args.json {
        let both = serde_json::json!({ "rounds": rounds, "refusals": refusals["refusals"] });
        println!("{}", serde_json::to_string_pretty(&both).map_err(failed)?);
    } else {
        print!("{}", text(&rounds, &refusals));
    }
    Ok(())
}

/// What a person sees.
fn text(rounds: &Value, refusals: &Value) -> String {
    let mut text = String::new();
    let number = |value: &Value| value.as_u64().unwrap_or(0);
    let _ = writeln!(
        text,
        "final      {} of {} leaves; {} must sign; height {}, round {}",
        number(&rounds["final_size"]),
        number(&rounds["leaves"]),
        number(&rounds["quorum"]),
        number(&rounds["height"]),
        number(&rounds["round"]),
    );
    if rounds["following"] == false {
        text.push_str("           this node does not follow the store at the moment\n");
    }
    let now = number(&rounds["time_ms"]);
    text.push_str("\nauthority  name                      signed    behind  last heard\n");
    for one in list(&rounds["authorities"]) {
        let word = &one["last_word"];
        let heard = match word["seen_ms"].as_u64() {
            None => "nothing yet".to_owned(),
            Some(seen) => format!(
                "{} ago (height {}, round {})",
                duration(now.saturating_sub(seen)),
                word["height"],
                word["round"]
            ),
        };
        let _ = writeln!(
            text,
            "{:>9}  {:<22} {:>9} {:>9}  {heard}",
            number(&one["authority"]),
            one["name"].as_str().unwrap_or_default(),
            number(&one["cosigned_size"]),
            number(&one["behind"]),
        );
    }
    text.push_str("\nheight  round      size  root      proposed  checked    ready      signed\n");
    for height in list(&rounds["heights"]) {
        height_lines(&mut text, height);
    }
    refused_lines(&mut text, refusals);
    for alarm in list(&rounds["alarms"]) {
        let _ = write!(
            text,
            "\nALARM {} by authority {}: {}\n",
            alarm["code"].as_str().unwrap_or_default(),
            alarm["authority"],
            alarm["what"].as_str().unwrap_or_default()
        );
        for proof in list(&alarm["texts"]).filter_map(Value::as_str) {
            proof.lines().for_each(|line| text.push_str(&format!("    {line}\n")));
        }
    }
    text
}

fn height_lines(text: &mut String, height: &Value) {
    let decided = &height["decided"];
    for round in list(&height["rounds"]) {
        let is_decided = !decided.is_null() && round["round"] == decided["round"];
        let value = if is_decided { decided } else { &round["proposal"] };
        let size = value["size"].as_u64().map_or("-".to_owned(), |size| size.to_string());
        let root = value["root"].as_str().and_then(|root| root.get(..8)).unwrap_or("-");
        let proposed = round["proposal"]["authority"].as_u64();
        let signed = if is_decided { who(&height["cosigned"], None) } else { "-".to_owned() };
        let _ = writeln!(
            text,
            "{:>6} {:>6} {size:>9}  {root:<8}  {:<8}  {:<9}  {:<9}  {signed}",
            height["height"].as_u64().unwrap_or(0),
            round["round"].as_u64().unwrap_or(0),
            proposed.map_or("-".to_owned(), |by| by.to_string()),
            who(&round["checked"], value["root"].as_str()),
            who(&round["ready"], value["root"].as_str()),
        );
    }
}

/// The authorities that said something; those that meant another root stand in brackets.
fn who(said: &Value, root: Option<&str>) -> String {
    let one = |said: &Value| {
        let by = said["authority"].as_u64().unwrap_or(0);
        let is_other = root.is_some() && said["root"].as_str() != root;
        if is_other { format!("({by})") } else { by.to_string() }
    };
    let all: Vec<String> = list(said).map(one).collect();
    if all.is_empty() { "-".to_owned() } else { all.join(" ") }
}

fn refused_lines(text: &mut String, refusals: &Value) {
    for refused in list(&refusals["refusals"]) {
        let by: Vec<String> =
            list(&refused["signed"]).map(|signed| signed["authority"].to_string()).collect();
        let tracker = refused["tracker"].as_str().map(|own| format!(" ({own})"));
        let _ = write!(
            text,
            "\nrefused    entry {}{} by {}: {}\n           {}\n",
            refused["entry"],
            tracker.unwrap_or_default(),
            by.join(" "),
            refused["code"].as_str().unwrap_or_default(),
            refused["sentence"].as_str().unwrap_or_default(),
        );
    }
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// `340 ms`, `12 s`, `2 min`.
fn duration(ms: u64) -> String {
    match ms {
        0..1_000 => format!("{ms} ms"),
        1_000..60_000 => format!("{} s", ms / 1000),
        _ => format!("{} min", ms / 60_000),
    }
}

#[cfg(test)]
mod tests {
    use super::text;
    use serde_json::json;

    #[test]
    fn it_shows_who_did_what_and_who_is_behind() {
        let said = |by: u64, root: &str| json!({ "authority": by, "size": 9, "root": root });
        let (good, bad) = ("ab".repeat(32), "cd".repeat(32));
        let rounds = json!({
            "final_size": 9, "leaves": 11, "quorum": 2, "height": 5, "round": 0,
            "following": true, "time_ms": 10_000,
            "authorities": [
                { "authority": 1, "name": "node-1.quorate", "cosigned_size": 9, "behind": 0,
                  "last_word": { "height": 5, "round": 0, "seen_ms": 9_660 } },
                { "authority": 3, "name": "node-3.quorate", "cosigned_size": 0, "behind": 9,
                  "last_word": null },
            ],
            "heights": [
                { "height": 5, "decided": null, "cosigned": [],
                  "rounds": [{ "round": 0, "proposal": null, "checked": [], "ready": [] }] },
                { "height": 4, "decided": { "round": 1, "size": 9, "root": good },
                  "cosigned": [{ "authority": 1 }, { "authority": 2 }],
                  "rounds": [
                    { "round": 1, "proposal": said(2, &good),
                      "checked": [said(1, &good), said(2, &good), said(3, &bad)],
                      "ready": [said(1, &good), said(2, &good)] },
                  ] },
            ],
            "alarms": [{ "authority": 2, "code": "split-view", "what": "Two roots.",
                         "texts": ["one\ntwo"] }],
        });
        let refusals = json!({ "refusals": [{
            "entry": 12, "tracker": "AAAA-BBBB-CCCC-DDDD-EEEE", "code": "too-late",
            "sentence": "The election is closed.",
            "signed": [{ "authority": 1 }, { "authority": 2 }],
        }] });
        let expect = "\
final      9 of 11 leaves; 2 must sign; height 5, round 0

authority  name                      signed    behind  last heard
        1  node-1.quorate                 9         0  340 ms ago (height 5, round 0)
        3  node-3.quorate                 0         9  nothing yet

height  round      size  root      proposed  checked    ready      signed
     5      0         -  -         -         -          -          -
     4      1         9  abababab  2         1 2 (3)    1 2        1 2

refused    entry 12 (AAAA-BBBB-CCCC-DDDD-EEEE) by 1 2: too-late
           The election is closed.

ALARM split-view by authority 2: Two roots.
    one
    two
";
        assert_eq!(text(&rounds, &refusals), expect);
    }
}

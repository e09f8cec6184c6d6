//! The cluster as a table.

use serde_json::Value;
use std::fmt::Write;
use std::net::SocketAddr;

/// What a person sees of the views of one or more nodes.
pub(super) fn status(views: &[Value]) -> String {
    let mut text = String::new();
    let best = views.iter().max_by_key(|view| (view["role"] == "leader", view["term"].as_u64()));
    let Some(best) = best else { return text };
    let leader = best["leader"]
        .as_u64()
        .map_or("no leader is known".to_owned(), |leader| format!("member {leader} leads"));
    let _ = writeln!(
        text,
        "cluster {}   term {}   {leader}{}",
        words(&best["cluster"]),
        best["term"],
        if best["joint"] == true { "   two sets of voters must agree" } else { "" }
    );
    let _ = writeln!(text);
    let _ = writeln!(
        text,
        "{:>6}  {:<21} {:<13} {:>10} {:>10} {:>10}  note",
        "member", "address", "role", "log end", "applied", "behind"
    );
    for member in best["members"].as_array().into_iter().flatten() {
        let own = views.iter().find(|view| view["member"] == member["id"]);
        member_line(&mut text, best, member, own);
    }
    text
}

fn member_line(text: &mut String, best: &Value, member: &Value, own: Option<&Value>) {
    let is_leader = best["leader"] == member["id"];
    let role = match own {
        Some(view) => words(&view["role"]).to_owned(),
        None if is_leader => "leader".to_owned(),
        None if member["voter"] == true => "voter".to_owned(),
        None => "learner".to_owned(),
    };
    let number = |value: Option<&Value>| {
        value.and_then(Value::as_u64).map_or("-".to_owned(), |number| number.to_string())
    };
    let last = best["last"].as_u64();
    let behind = match (member["matched"].as_u64(), last) {
        (Some(matched), Some(last)) => last.saturating_sub(matched).to_string(),
        _ if is_leader => "0".to_owned(),
        _ => "-".to_owned(),
    };
    let _ = writeln!(
        text,
        "{:>6}  {:<21} {role:<13} {:>10} {:>10} {behind:>10}  {}",
        number(Some(&member["id"])),
        words(&member["address"]),
        number(own.map(|view| &view["last"])),
        number(own.map(|view| &view["applied"])),
        notes(member, own).join("; ")
    );
}

fn notes(member: &Value, own: Option<&Value>) -> Vec<String> {
    let mut notes = Vec::new();
    if let Some(plan) = member["plan"].as_str() {
        notes.push(plan.to_owned());
    }
    if member["state"] == "snapshot" {
        notes.push("is being sent a snapshot".to_owned());
    }
    if let Some(silent) = member["silent_ms"].as_u64().filter(|silent| *silent >= 1000) {
        notes.push(format!("silent for {:.1} s", silent as f64 / 1000.0));
    }
    let Some(own) = own else { return notes };
    if let Some(reason) = own["restriction"].as_str() {
        notes.push(format!("does not vote: {reason}"));
    }
    if let Some(stalled) = own["disk_stalled_ms"].as_u64().filter(|stalled| *stalled >= 1000) {
        notes.push(format!("its disk has stalled for {:.1} s", stalled as f64 / 1000.0));
    }
    if own["receiving_snapshot"] == true {
        notes.push("is receiving a snapshot".to_owned());
    }
    if let Some(entry) = own["damaged_record"].as_u64() {
        let halts = if own["halted"] == true { ", applying stands still" } else { "" };
        notes.push(format!("the record of entry {entry} is damaged and asked for{halts}"));
    }
    if let Some(count) = own["records_repaired"].as_u64().filter(|count| *count > 0) {
        notes.push(format!("repaired {count} damaged records of its state"));
    }
    if let Some(count) = own["log_segments_given_up"].as_u64().filter(|count| *count > 0) {
        notes.push(format!("gave up {count} damaged segments of its log"));
    }
    if let Some(to) = own["transfer_to"].as_u64() {
        notes.push(format!("is handing over to member {to}"));
    }
    notes
}

/// The command that starts a node that was taken in.
pub(super) fn serve_line(view: &Value, id: u64, address: SocketAddr) -> String {
    let mut cluster: Vec<String> = view["members"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|member| member["id"].as_u64() != Some(id))
        .map(|member| format!("{}={}", member["id"], words(&member["address"])))
        .collect();
    cluster.push(format!("{id}={address}"));
    format!(
        "quorate serve --node-id {id} --join --cluster-id {} --cluster {}",
        words(&view["cluster"]),
        cluster.join(",")
    )
}

fn words(value: &Value) -> &str {
    value.as_str().unwrap_or("-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_view_becomes_a_table_and_a_command() {
        let member = |id: u64, matched: Option<u64>| {
            json!({ "id": id, "address": format!("127.0.0.1:710{id}"), "voter": true, "plan": null,
                    "matched": matched, "state": "replicate", "silent_ms": 40 })
        };
        let view = json!({ "cluster": "00ab", "member": 1, "role": "leader", "term": 7, "leader": 1,
            "last": 100, "applied": 99, "joint": false,
            "members": [member(1, None), member(2, Some(90))], "restriction": null,
            "disk_stalled_ms": 2500, "transfer_to": null, "receiving_snapshot": false,
            "damaged_record": 17, "halted": true, "records_repaired": 3 });
        let table = status(&[view.clone()]);
        assert!(table.starts_with("cluster 00ab   term 7   member 1 leads\n"), "{table}");
        assert!(table.contains("its disk has stalled for 2.5 s"), "{table}");
        let damaged = "the record of entry 17 is damaged and asked for, applying stands still";
        assert!(table.contains(damaged), "{table}");
        assert!(table.contains("repaired 3 damaged records of its state"), "{table}");
        let second = table.lines().last().unwrap_or_default();
        assert!(second.contains("127.0.0.1:7102") && second.contains(" 10 "), "{table}");
        assert_eq!(
            serve_line(&view, 4, ([127, 0, 0, 1], 7104).into()),
            "quorate serve --node-id 4 --join --cluster-id 00ab \
             --cluster 1=127.0.0.1:7101,2=127.0.0.1:7102,4=127.0.0.1:7104"
        );
    }
}

//! The dashboard and the alert rules name figures that nodes really have.

use crate::support::{Nodes, http_body, post, turn};
use std::collections::BTreeSet;

/// Words that begin like a figure, in any text.
fn names(text: &str) -> BTreeSet<String> {
    let is_name =
        |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_';
    text.split(|letter| !is_name(letter))
        .filter(|word| word.starts_with("quorate_"))
        .map(str::to_owned)
        .collect()
}

#[test]
fn every_figure_of_the_dashboard_and_the_alerts_exists() {
    let _turn = turn();
    let nodes = Nodes::start(3);
    let web = nodes.addresses[0].web;
    let election = "0".repeat(32);
    // So that figures kept by route and by reason have something to show.
    let cast = format!("http://{web}/api/v1/elections/{election}/ballots");
    post(&cast, "no ballot");
    let mut found = BTreeSet::new();
    for addresses in &nodes.addresses {
        found.extend(names(&http_body(&format!("http://{}/metrics", addresses.admin))));
    }
    // A node that turned nothing away shows no such line.
    found.insert("quorate_http_requests_shed_total".to_owned());
    let home = concat!(env!("CARGO_MANIFEST_DIR"), "/../../deploy");
    for file in ["grafana/quorate.json", "prometheus/alerts.yml"] {
        let text = std::fs::read_to_string(format!("{home}/{file}")).expect("it is committed");
        let wanted = names(&text);
        assert!(wanted.len() > 5, "{file} names figures");
        let missing: Vec<_> = wanted.iter().filter(|name| !found.contains(*name)).collect();
        assert!(missing.is_empty(), "{file} wants {missing:?}; there are {found:?}");
    }
}

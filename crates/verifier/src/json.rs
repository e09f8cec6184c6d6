//! The report as one JSON object, in the shape that `spec/verification.md` gives it.

use election::{Electors, Outcome};
use serde_json::{Value, json};

use crate::report::{Facts, Finding, Report, Verdict};

impl Report {
    /// The object that `--json` prints. Counts and weights are decimal texts, since they may be
    /// beyond what readers of JSON hold exactly.
    pub fn to_json(&self) -> Value {
        let (name, check, entry) = match &self.verdict {
            Verdict::Verified => ("verified", None, None),
            Verdict::NotVerified { check, entry, .. } => ("not-verified", Some(*check), *entry),
            Verdict::ConsistentNotAnchored => ("not-anchored", None, None),
            Verdict::CouldNotCheck { .. } => ("could-not-check", None, None),
        };
        let sentence = match &self.verdict {
            Verdict::NotVerified { sentence, .. } | Verdict::CouldNotCheck { sentence } => {
                sentence.clone()
            }
            other => other.to_string(),
        };
        let checks = self.checks.iter().map(|check| {
            let finding = match check.finding {
                Finding::Passed => "ok",
                Finding::Failed => "failed",
                Finding::NotMade => "not-made",
            };
            json!({
                "number": check.number,
                "title": check.title,
                "finding": finding,
                "detail": check.detail,
            })
        });
        json!({
            "format": "quorate-verification-v1",
            "verdict": name,
            "check": check,
            "entry": entry,
            "sentence": sentence,
            "checks": checks.collect::<Vec<_>>(),
            "facts": self.facts.as_ref().map(facts),
        })
    }
}

fn facts(facts: &Facts) -> Value {
    json!({
        "election": facts.election.to_string(),
        "origin": facts.origin,
        "fingerprint": hex(&facts.fingerprint),
        "booth": facts.manifest.definition.booth.map(|digest| hex(&digest)),
        "size": facts.size,
        "root": hex(facts.root.as_bytes()),
        "ballots": facts.turnout.ballots,
        "voters": facts.turnout.voters,
        "weight": facts.turnout.weight.to_string(),
        "paper": electors(&facts.turnout.paper),
        "roll_changes": {
            "added": facts.turnout.added,
            "withdrawn": facts.turnout.withdrawn,
            "replaced": facts.turnout.replaced,
        },
        "result": facts.result.as_ref().map(|outcome| result(outcome, facts)),
    })
}

fn electors(electors: &Electors) -> Value {
    json!({ "voters": electors.voters, "weight": electors.weight.to_string() })
}

fn result(outcome: &Outcome, facts: &Facts) -> Value {
    let texts = |counts: &Vec<u64>| counts.iter().map(u64::to_string).collect::<Vec<_>>();
    let decided = outcome.decisions(&facts.manifest.definition).into_iter();
    let contests = outcome.participation.iter().zip(decided).map(|(part, decided)| {
        json!({
            "eligible": electors(&part.eligible),
            "ballots": electors(&part.ballots),
            "paper": electors(&part.paper),
            "finding": decided.finding.name(),
            "winners": decided.winners,
            "tied": decided.tied,
        })
    });
    json!({
        "ballots": outcome.ballots,
        "weight": outcome.weight.to_string(),
        "counts": outcome.counts.iter().map(texts).collect::<Vec<_>>(),
        "contests": contests.collect::<Vec<_>>(),
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

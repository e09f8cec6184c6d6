//! T1: linearizability with a witness. Every answer has a place in one order: a write the index of
//! its entry, a read the index applied where it was served. Each answer must be what the reference
//! says at that place, and the places must respect real time: whoever is called after another was
//! answered comes later. No search, so no timeouts and no "unknown".

use std::collections::BTreeMap;

use raft::LogIndex;

use super::{Checker, Violation, violated};
use crate::model::comparable;
use crate::truth::{Fact, FactKind, Operation, Truth};
use kv::api::Error;

#[derive(Debug, Default)]
pub(super) struct Linearizable {
    /// The highest place of any answer so far.
    answered: LogIndex,
    /// For each call under way, what `answered` was when it was made.
    floors: BTreeMap<Operation, LogIndex>,
}

impl Checker for Linearizable {
    fn wants(&self) -> &'static [FactKind] {
        &[FactKind::Called, FactKind::Answered]
    }

    fn see(&mut self, fact: &Fact<'_>, truth: &Truth) -> Result<(), Violation> {
        match fact {
            Fact::Called { operation, .. } => {
                self.floors.insert(*operation, self.answered);
            }
            Fact::Answered { operation, request, result, served_at } => {
                let floor = self.floors.remove(operation).unwrap_or_default();
                // What is refused depends on the place only where the state is asked.
                let is_place =
                    |error: &Error| matches!(error, Error::Compacted | Error::FutureRevision);
                let response = match result {
                    Ok(response) => Ok(response),
                    Err(error) if served_at.is_some() && is_place(error) => Err(error),
                    Err(_) => return Ok(()),
                };
                let (place, expected, low) = match served_at {
                    Some(index) => {
                        let expected = truth.model.read(*index, request);
                        let expected = expected.map_err(|text| Violation { rule: "T1", text })?;
                        (*index, expected, floor)
                    }
                    None => match truth.model.outcome(*operation) {
                        Some(outcome) => {
                            (outcome.index, Ok(outcome.response.clone()), floor.next())
                        }
                        None => return Ok(()), // C1 has said so
                    },
                };
                if place < low {
                    let text = format!(
                        "operation {operation} took place at {place}, but was called after an \
                         answer from {floor} was heard"
                    );
                    return violated("T1", text);
                }
                if response.cloned().map(comparable).map_err(|error| error.clone()) != expected {
                    let text = format!(
                        "operation {operation} at {place} hears {response:?}, not {expected:?}"
                    );
                    return violated("T1", text);
                }
                self.answered = self.answered.max(place);
            }
            _ => {}
        }
        Ok(())
    }
}

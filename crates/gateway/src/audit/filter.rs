//! Which entries of the audit log somebody wants to see, and reading them page by page.

use super::{Entry, Kind, LIST, Line};
use crate::numbered::List;
use crate::store::Store;
use kv::api::Error;
use serde::Deserialize;
use std::collections::VecDeque;

/// Entries looked at for one page; a page may end before it is full.
const LOOKED_AT_MAX: u64 = 20_000;

/// Entries read from the store at once.
const CHUNK: u64 = 500;

/// Which entries come first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Order {
    #[default]
    Oldest,
    Newest,
}

/// What is wanted; `None` is "any".
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    pub(crate) actor: Option<String>,
    pub(crate) kind: Option<Kind>,
    pub(crate) election: Option<String>,
    /// Not before, milliseconds since 1970 UTC.
    pub(crate) since: Option<u64>,
    /// Before.
    pub(crate) until: Option<u64>,
    /// In small letters.
    pub(crate) text: Option<String>,
}

impl Filter {
    /// Only entries that hold `text`, in any case.
    #[must_use]
    pub(crate) fn with_text(mut self, text: Option<String>) -> Self {
        self.text = text.map(|text| text.to_lowercase()).filter(|text| !text.is_empty());
        self
    }

    /// The list that is looked through: decisions have one of their own, to be asked for by kind.
    fn list(&self) -> List {
        self.kind.map_or(LIST, Kind::list)
    }

    /// Whether an entry is wanted.
    pub(crate) fn wants(&self, entry: &Entry) -> bool {
        let is = |wanted: &Option<String>, found: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| found == Some(wanted))
        };
        is(&self.actor, Some(&entry.actor))
            && is(&self.election, entry.election.as_deref())
            && self.kind.is_none_or(|kind| kind == entry.kind)
            && self.since.is_none_or(|since| entry.time_ms >= since)
            && self.until.is_none_or(|until| entry.time_ms < until)
            && self.text.as_deref().is_none_or(|text| holds(entry, text))
    }
}

fn holds(entry: &Entry, text: &str) -> bool {
    let parts = [
        Some(&entry.actor),
        Some(&entry.act),
        entry.object.as_ref(),
        entry.text.as_ref(),
        entry.election.as_ref(),
        entry.request_id.as_ref(),
    ];
    parts.into_iter().flatten().any(|part| part.to_lowercase().contains(text))
}

/// A page of what is wanted.
pub(crate) struct Found {
    pub(crate) lines: Vec<Line>,
    /// The last number that was looked at, if there is more.
    pub(crate) next: Option<u64>,
}

/// At most `limit` entries, behind (or, newest first, before) number `cursor`.
///
/// # Errors
/// Of the store.
pub(crate) async fn page(
    store: &Store,
    filter: &Filter,
    (order, cursor, limit): (Order, Option<u64>, usize),
) -> Result<Found, Error> {
    let list = filter.list();
    let mut reading = Reading { list, order, at: cursor, looked_at: 0, waiting: VecDeque::new() };
    let mut lines = Vec::new();
    while let Some(line) = reading.next(store).await? {
        let next = Some(line.number);
        if filter.wants(&line.entry) {
            lines.push(line);
        }
        if lines.len() >= limit || reading.looked_at >= LOOKED_AT_MAX {
            return Ok(Found { lines, next });
        }
    }
    Ok(Found { lines, next: None })
}

/// One entry after the other.
struct Reading {
    list: List,
    order: Order,
    /// The last number that was read; `None` before the first.
    at: Option<u64>,
    looked_at: u64,
    waiting: VecDeque<Line>,
}

impl Reading {
    async fn next(&mut self, store: &Store) -> Result<Option<Line>, Error> {
        if self.waiting.is_empty() {
            self.read(store).await?;
        }
        let line = self.waiting.pop_front();
        if let Some(line) = &line {
            self.looked_at += 1;
            self.at = Some(line.number);
        }
        Ok(line)
    }

    async fn read(&mut self, store: &Store) -> Result<(), Error> {
        let limit = usize::try_from(CHUNK).unwrap_or(usize::MAX);
        let found = match self.order {
            Order::Oldest => self.list.after(store, self.at.unwrap_or(0), limit).await?,
            Order::Newest => {
                let beyond = self.list.last(store).await?.saturating_add(1);
                let end = self.at.unwrap_or(beyond).min(beyond);
                let after = end.saturating_sub(CHUNK + 1);
                let count = usize::try_from(end.saturating_sub(after + 1)).unwrap_or(0);
                let mut found: Vec<(u64, Entry)> = match count {
                    0 => Vec::new(),
                    count => self.list.after(store, after, count).await?,
                };
                found.retain(|(number, _)| *number < end);
                found.reverse();
                found
            }
        };
        self.waiting.extend(found.into_iter().map(|(number, entry)| Line { number, entry }));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(actor: &str, kind: Kind, time_ms: u64, text: &str) -> Entry {
        Entry { time_ms, text: Some(text.to_owned()), ..Entry::new(1, kind, actor, "opening") }
    }

    #[test]
    fn every_part_of_a_filter_must_fit() {
        let entry = entry("ada", Kind::Ledger, 50, "The Vote is open");
        let all = Filter::default();
        assert!(all.wants(&entry));
        let with = |change: fn(&mut Filter)| {
            let mut filter = Filter::default();
            change(&mut filter);
            filter.wants(&entry)
        };
        assert!(with(|f| f.actor = Some("ada".into())) && !with(|f| f.actor = Some("ad".into())));
        assert!(with(|f| f.kind = Some(Kind::Ledger)) && !with(|f| f.kind = Some(Kind::Act)));
        assert!(with(|f| f.since = Some(50)) && !with(|f| f.since = Some(51)));
        assert!(with(|f| f.until = Some(51)) && !with(|f| f.until = Some(50)));
        assert!(!with(|f| f.election = Some("1".into())), "it is about none");
        for (text, expect) in [("VOTE IS", true), ("opening", true), ("", true), ("closed", false)]
        {
            let filter = Filter::default().with_text(Some(text.to_owned()));
            assert_eq!(filter.wants(&entry), expect, "{text:?}");
        }
    }
}

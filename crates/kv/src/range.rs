//! Reading keys: revision, filters, order, limit, in the order in which etcd takes these steps.

use mvcc::Backing;

use crate::api::{Error, Header, RangeRequest, RangeResponse, SortOrder, SortTarget};
use crate::draft::{Draft, Entry, Stop};

/// The revision to read at: `None` for the newest.
pub(crate) fn revision_of<B: Backing>(
    request: &RangeRequest,
    draft: &Draft<'_, B>,
) -> Result<Option<i64>, Error> {
    match request.revision {
        revision if revision <= 0 => Ok(None),
        revision if revision > draft.base() => Err(Error::FutureRevision),
        revision if revision < draft.compacted() => Err(Error::Compacted),
        revision => Ok(Some(revision)),
    }
}

/// Executes `request` on `draft`. The header carries the draft's revision only.
pub(crate) fn range<B: Backing>(
    request: &RangeRequest,
    draft: &Draft<'_, B>,
) -> Result<RangeResponse, Stop> {
    let at = revision_of(request, draft)?;
    let header = Header { revision: draft.revision(), raft_term: 0 };
    if request.count_only {
        let count = draft.count(&request.range, at)?;
        return Ok(RangeResponse { header, count, ..Default::default() });
    }
    let limit = usize::try_from(request.limit).ok().filter(|limit| *limit > 0);
    // One key above the limit tells whether there are more. Whoever sorts or filters needs all;
    // but a sort target alone (order "none") is served from the first keys, as etcd does.
    let fetched = match limit {
        Some(limit) if !needs_all(request) => limit.saturating_add(1),
        Some(_) | None => usize::MAX,
    };
    let mut entries = draft.entries(&request.range, at, fetched)?;
    // Whoever got fewer than asked for got all.
    let count = match entries.len() < fetched {
        true => entries.len() as i64,
        false => draft.count(&request.range, at)?,
    };
    entries.retain(|entry| passes(request, entry));
    let mut kvs = sorted(request, draft, entries)?;
    let limit = limit.unwrap_or(usize::MAX);
    let more = kvs.len() > limit;
    kvs.truncate(limit);
    let kvs = match request.keys_only {
        true => kvs.iter().map(Entry::without_value).collect(),
        false => draft.load_all(&kvs)?,
    };
    Ok(RangeResponse { header, kvs, more, count })
}

fn needs_all(request: &RangeRequest) -> bool {
    let bounds = [
        request.min_mod_revision,
        request.max_mod_revision,
        request.min_create_revision,
        request.max_create_revision,
    ];
    request.sort_order != SortOrder::None || bounds.iter().any(|bound| *bound != 0)
}

/// Whether the bounds on revisions let `entry` through; 0 is no bound.
fn passes(request: &RangeRequest, entry: &Entry) -> bool {
    let above = |min: i64, revision| min == 0 || revision >= min;
    let below = |max: i64, revision| max == 0 || revision <= max;
    above(request.min_mod_revision, entry.mod_revision())
        && below(request.max_mod_revision, entry.mod_revision())
        && above(request.min_create_revision, entry.create_revision())
        && below(request.max_create_revision, entry.create_revision())
}

/// `entries`, which ascend by key, in the order asked for; equal ones keep the order of keys.
fn sorted<B: Backing>(
    request: &RangeRequest,
    draft: &Draft<'_, B>,
    mut entries: Vec<Entry>,
) -> Result<Vec<Entry>, Stop> {
    let is_descending = request.sort_order == SortOrder::Descend;
    match request.sort_target {
        SortTarget::Key if is_descending => entries.reverse(),
        SortTarget::Key => {}
        SortTarget::Version => sort_by(&mut entries, is_descending, Entry::version),
        SortTarget::Create => sort_by(&mut entries, is_descending, Entry::create_revision),
        SortTarget::Mod => sort_by(&mut entries, is_descending, Entry::mod_revision),
        SortTarget::Value => {
            let mut kvs = draft.load_all(&entries)?;
            kvs.sort_by(|a, b| match is_descending {
                true => b.value.cmp(&a.value),
                false => a.value.cmp(&b.value),
            });
            entries = kvs.into_iter().map(Entry::Drafted).collect();
        }
    }
    Ok(entries)
}

fn sort_by(entries: &mut [Entry], is_descending: bool, target: fn(&Entry) -> i64) {
    entries.sort_by(|a, b| match is_descending {
        true => target(b).cmp(&target(a)),
        false => target(a).cmp(&target(b)),
    });
}

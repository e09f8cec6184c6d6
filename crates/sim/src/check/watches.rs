//! Watches: W1 in order, W2 nothing twice, W3 nothing left out, W4 nothing before its start, W5 no
//! progress that is not so, W6 a revision whole, W7 from where it ended on any other member, W8
//! with the right values, W9 the same everywhere, W11 canceled only for what was compacted.
//!
//! One stream after the other of one reader is looked at message by message. What it must say is
//! known: the events of the reference, in order, from the revision on that it asked for.

use kv::api::{Event, WatchRequest, WatchResponse};

use super::{Violation, violated};
use crate::model::Model;

/// What one reader of changes has been told.
#[derive(Clone, Debug)]
pub(crate) struct Stream {
    request: WatchRequest,
    /// Everything wanted below this revision was told; nothing below it may come.
    next: i64,
    has_begun: bool,
}

impl Stream {
    /// A stream that answers `request`.
    pub(crate) fn new(request: WatchRequest) -> Self {
        let next = request.start_revision;
        Self { request, next, has_begun: false }
    }

    /// Where a stream that goes on behind this one begins; 0 if it never began.
    pub(crate) fn next(&self) -> i64 {
        self.next
    }

    /// Whether everything that `model` has is told.
    pub(crate) fn is_complete(&self, model: &Model) -> bool {
        self.has_begun && self.wanted_from(model).is_none()
    }

    /// The next revision with something in it for this reader.
    fn wanted_from(&self, model: &Model) -> Option<i64> {
        (self.next.max(1)..=model.revision())
            .find(|at| model.events(*at).iter().any(|it| self.wants(it)))
    }

    fn wants(&self, event: &Event) -> bool {
        self.request.range.contains(&event.kv.key)
    }

    /// Looks at the next message.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn see(&mut self, message: &WatchResponse, model: &Model) -> Result<(), Violation> {
        match message {
            WatchResponse::Created { header } => {
                if self.has_begun {
                    return violated("W2", "a watch is created twice".to_owned());
                }
                self.has_begun = true;
                if self.next <= 0 {
                    self.next = header.revision + 1;
                }
                self.is_known(header.revision, model)
            }
            _ if !self.has_begun => violated("W1", format!("a watch begins with {message:?}")),
            WatchResponse::Events { header, events } => {
                self.is_known(header.revision, model)?;
                let mut rest = &events[..];
                while let Some(first) = rest.first() {
                    let at = first.kv.mod_revision;
                    let count = rest.iter().take_while(|it| it.kv.mod_revision == at).count();
                    let (revision, later) = rest.split_at(count);
                    self.revision(at, revision, model)?;
                    rest = later;
                }
                Ok(())
            }
            WatchResponse::Progress { header } => self.progress(header.revision, model),
            WatchResponse::Canceled { compact_revision, reason, .. } => {
                let is_due =
                    self.next < *compact_revision && *compact_revision <= model.compacted();
                if is_due {
                    // What lies below is out of reach; a new stream begins behind it.
                    self.next = *compact_revision;
                    return Ok(());
                }
                let text = format!(
                    "a watch at revision {} is canceled for {compact_revision}, the group has \
                     compacted to {}: {reason}",
                    self.next,
                    model.compacted()
                );
                violated("W11", text)
            }
        }
    }

    fn is_known(&self, revision: i64, model: &Model) -> Result<(), Violation> {
        if revision > model.revision() {
            let text = format!("a watch speaks of revision {revision}, which nobody committed");
            return violated("W9", text);
        }
        Ok(())
    }

    /// Takes all events of revision `at` that came together.
    fn revision(&mut self, at: i64, events: &[Event], model: &Model) -> Result<(), Violation> {
        self.is_known(at, model)?;
        if at < self.next {
            let rule = if at < self.request.start_revision { "W4" } else { "W2" };
            let text = format!("a watch tells of revision {at} and was at {}", self.next);
            return violated(rule, text);
        }
        match self.wanted_from(model) {
            Some(due) if due < at => {
                let text = format!("a watch tells of revision {at} and leaves {due} out");
                return violated("W3", text);
            }
            _ => {}
        }
        let wanted: Vec<&Event> = model.events(at).iter().filter(|it| self.wants(it)).collect();
        let is_same = |(told, is): (&Event, &&Event)| {
            let is_before_known = at > model.compacted();
            let before = match (self.request.prev_kv, &told.prev_kv) {
                (false, told) => told.is_none(),
                (true, None) => is.prev_kv.is_none() || !is_before_known,
                (true, told) => *told == is.prev_kv,
            };
            told.kind == is.kind && told.kv == is.kv && before
        };
        if wanted.len() != events.len() {
            let text = format!(
                "a watch tells of {} of {} events of revision {at}",
                events.len(),
                wanted.len()
            );
            return violated("W6", text);
        }
        if let Some((told, is)) = events.iter().zip(&wanted).find(|it| !is_same(*it)) {
            return violated("W8", format!("a watch tells {told:?}; it was {is:?}"));
        }
        self.next = at + 1;
        Ok(())
    }

    fn progress(&self, revision: i64, model: &Model) -> Result<(), Violation> {
        self.is_known(revision, model)?;
        if revision < self.request.start_revision {
            let start = self.request.start_revision;
            let text = format!("a watch from {start} on says that it is at {revision}");
            return violated("W4", text);
        }
        match self.wanted_from(model) {
            Some(due) if due <= revision => {
                violated("W5", format!("a watch says that it is at {revision} and owes {due}"))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use kv::api::{Header, KeyRange, PutRequest, Request};
    use kv::command::{Body, CallOrigin, Envelope};
    use raft::{LogIndex, Payload};

    /// Keys `a` and `b` in turns at the revisions 2 to 7, compacted to 4 if so wished.
    fn model(is_compacted: bool) -> Model {
        let mut model = Model::default();
        let mut requests: Vec<Request> = (1..=6)
            .map(|call: u8| {
                let key = Bytes::from(if call % 2 == 1 { "a" } else { "b" });
                let value = Bytes::from(format!("{call}|"));
                Request::Put(PutRequest { key, value, ..PutRequest::default() })
            })
            .collect();
        if is_compacted {
            requests.push(Request::Compact { revision: 4, physical: false });
        }
        for (request, index) in requests.into_iter().zip(1..) {
            let origin = CallOrigin { member: 1, incarnation: 1, call: index };
            let envelope = Envelope { origin, body: Body::Write(request) };
            let payload = Payload::Data(kv::command::encode(&envelope));
            let id = raft::LogId::new(raft::Term::new(1), LogIndex::new(index));
            model.apply(id, &payload).expect("the model knows it");
        }
        model
    }

    fn header(revision: i64) -> Header {
        Header { revision, raft_term: 1 }
    }

    fn events(model: &Model, revisions: &[i64]) -> WatchResponse {
        let all = revisions.iter().flat_map(|at| model.events(*at).to_vec());
        let without = |event: Event| Event { prev_kv: None, ..event };
        let events: Vec<Event> = all.map(without).collect();
        WatchResponse::Events { header: header(7), events }
    }

    /// What becomes of a stream of everything from `start` on that says `messages`.
    fn check(start: i64, model: &Model, messages: &[WatchResponse], expect: Option<&str>) {
        let range = KeyRange::prefix("");
        let request = WatchRequest { range, start_revision: start, ..WatchRequest::default() };
        let mut stream = Stream::new(request);
        let created = WatchResponse::Created { header: header(7) };
        let all = std::iter::once(&created).chain(messages);
        let found = all.into_iter().find_map(|it| stream.see(it, model).err());
        assert_eq!(found.as_ref().map(|it| it.rule), expect, "{messages:?} {found:?}");
    }

    #[test]
    fn every_kind_of_wrong_stream_is_found() {
        let model = &model(false);
        let told = |revisions: &[i64]| events(model, revisions);
        let progress = |at| WatchResponse::Progress { header: header(at) };
        check(2, model, &[told(&[2, 3]), told(&[4, 5, 6, 7]), progress(7)], None);
        check(0, model, &[progress(7)], None);
        check(3, model, &[told(&[3, 2])], Some("W4"));
        check(2, model, &[told(&[2, 3]), told(&[3])], Some("W2"));
        check(2, model, &[told(&[2, 4])], Some("W3"));
        check(9, model, &[told(&[7])], Some("W4"));
        check(9, model, &[progress(7)], Some("W4"));
        check(2, model, &[told(&[2]), progress(3)], Some("W5"));
        let mut wrong = told(&[2]);
        if let WatchResponse::Events { events, .. } = &mut wrong {
            events[0].kv.version = 9;
        }
        check(2, model, &[wrong], Some("W8"));
        let mut twice = told(&[2, 2]);
        check(2, model, std::slice::from_ref(&twice), Some("W6"));
        if let WatchResponse::Events { events, .. } = &mut twice {
            events.iter_mut().for_each(|it| it.kv.mod_revision = 8);
        }
        check(2, model, &[twice], Some("W9"));
        let created = WatchResponse::Created { header: header(7) };
        check(2, model, &[created], Some("W2"));
    }

    #[test]
    fn only_what_was_compacted_ends_a_stream() {
        let canceled = |at| WatchResponse::Canceled {
            header: header(7),
            compact_revision: at,
            reason: "compacted".to_owned(),
        };
        check(2, &model(true), &[canceled(4)], None);
        check(4, &model(true), &[canceled(4)], Some("W11"));
        check(2, &model(true), &[canceled(5)], Some("W11"));
        check(2, &model(false), &[canceled(4)], Some("W11"));
    }
}

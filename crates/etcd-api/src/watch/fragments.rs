//! Large answers of a watch in parts, for clients that ask for it.

use client::proto::etcdserverpb as pb;
use prost::Message;

/// The answer in parts of at most `bytes_max` bytes, or of one event where one alone is larger.
/// All parts but the last say that more follow.
pub(super) fn split(whole: pb::WatchResponse, bytes_max: usize) -> Vec<pb::WatchResponse> {
    if whole.encoded_len() <= bytes_max {
        return vec![whole];
    }
    let frame = pb::WatchResponse { events: Vec::new(), fragment: true, ..whole };
    let frame_bytes = frame.encoded_len();
    let mut parts = Vec::new();
    let mut part = frame.clone();
    let mut part_bytes = frame_bytes;
    for event in whole.events {
        // A field's tag takes one byte, its length at most five.
        let event_bytes = event.encoded_len() + 6;
        if !part.events.is_empty() && part_bytes + event_bytes > bytes_max {
            parts.push(std::mem::replace(&mut part, frame.clone()));
            part_bytes = frame_bytes;
        }
        part.events.push(event);
        part_bytes += event_bytes;
    }
    part.fragment = false;
    parts.push(part);
    parts
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use client::proto::mvccpb;

    use super::*;

    fn event(value_bytes: usize) -> mvccpb::Event {
        let value = Bytes::from(vec![7; value_bytes]);
        let kv = mvccpb::KeyValue { value, ..mvccpb::KeyValue::default() };
        mvccpb::Event { kv: Some(kv), ..mvccpb::Event::default() }
    }

    fn check(value_bytes: &[usize], expect: &[(usize, bool)]) {
        let events = value_bytes.iter().copied().map(event).collect();
        let whole = pb::WatchResponse { watch_id: 3, events, ..pb::WatchResponse::default() };
        let parts = split(whole.clone(), 1000);
        let shape: Vec<_> = parts.iter().map(|part| (part.events.len(), part.fragment)).collect();
        assert_eq!(shape, expect, "{value_bytes:?}");
        assert!(parts.iter().all(|part| part.watch_id == 3));
        let joined: Vec<_> = parts.into_iter().flat_map(|part| part.events).collect();
        assert_eq!(joined, whole.events);
    }

    #[test]
    fn parts_hold_what_fits_and_all_but_the_last_say_so() {
        check(&[10, 10], &[(2, false)]);
        check(&[400, 400, 400], &[(2, true), (1, false)]);
        check(&[2000], &[(1, false)]);
        check(&[10, 2000, 10], &[(1, true), (1, true), (1, false)]);
    }
}

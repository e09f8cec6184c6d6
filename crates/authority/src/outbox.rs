//! Puts that must reach the store, in whatever order, as often as it takes: an authority's own
//! statements, cosignatures and refusals, each under a key that only it writes.

use std::collections::BTreeMap;

use bytes::Bytes;
use kv::api::{PutRequest, Request, TxnOperation, TxnRequest};

/// Most puts in one transaction.
const PUTS_MAX: usize = 64;
/// Most bytes of values in one transaction.
const BYTES_MAX: usize = 512 * 1024;
/// Wait after a failure, in milliseconds.
const RETRY_MS: u64 = 100;

/// Keys and values on their way.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    waiting: BTreeMap<Bytes, Bytes>,
    sent: Option<BTreeMap<Bytes, Bytes>>,
    retry_at_ms: u64,
}

impl Outbox {
    /// Puts `value` under `key`, instead of what waits for that key.
    pub(crate) fn put(&mut self, key: Vec<u8>, value: impl Into<Bytes>) {
        self.waiting.insert(key.into(), value.into());
    }

    /// Forgets what waits for keys for which `keep` is false.
    pub(crate) fn retain(&mut self, keep: impl Fn(&[u8]) -> bool) {
        self.waiting.retain(|key, _| keep(key));
    }

    /// The next transaction, if it is time for one.
    pub(crate) fn next(&mut self, now_ms: u64) -> Option<Request> {
        if self.sent.is_some() || self.waiting.is_empty() || now_ms < self.retry_at_ms {
            return None;
        }
        let mut batch = BTreeMap::new();
        let mut bytes = 0;
        while let Some((key, value)) = self.waiting.first_key_value() {
            bytes += key.len() + value.len();
            if batch.len() == PUTS_MAX || (bytes > BYTES_MAX && !batch.is_empty()) {
                break;
            }
            batch.extend(self.waiting.pop_first());
        }
        let put = |(key, value): (&Bytes, &Bytes)| {
            let (key, value) = (key.clone(), value.clone());
            TxnOperation::Put(PutRequest { key, value, ..PutRequest::default() })
        };
        let success = batch.iter().map(put).collect();
        self.sent = Some(batch);
        Some(Request::Txn(TxnRequest { success, ..TxnRequest::default() }))
    }

    /// The transaction has ended; what may not have happened is sent again.
    pub(crate) fn on_replied(&mut self, happened: bool, now_ms: u64) {
        let Some(batch) = self.sent.take() else { return };
        if !happened {
            self.retry_at_ms = now_ms + RETRY_MS;
            for (key, value) in batch {
                self.waiting.entry(key).or_insert(value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(request: Option<Request>) -> usize {
        match request {
            Some(Request::Txn(txn)) => txn.success.len(),
            None => 0,
            other => panic!("{other:?} is no transaction"),
        }
    }

    #[test]
    fn one_transaction_at_a_time_and_again_after_a_failure() {
        let mut outbox = Outbox::default();
        for key in 0..70u8 {
            outbox.put(vec![key], vec![1]);
        }
        assert_eq!(keys(outbox.next(0)), 64);
        assert_eq!(keys(outbox.next(0)), 0);
        outbox.put(vec![3], vec![2]);
        outbox.on_replied(false, 1_000);
        assert_eq!(keys(outbox.next(1_050)), 0, "waits");
        let again = outbox.next(1_100).expect("it is time");
        let Request::Txn(txn) = again else { panic!("no transaction") };
        let three = txn.success.iter().find_map(|operation| match operation {
            TxnOperation::Put(put) if put.key[..] == [3] => Some(put.value.clone()),
            _ => None,
        });
        assert_eq!(three.as_deref(), Some(&[2][..]), "the newer value stays");
        outbox.on_replied(true, 1_200);
        assert_eq!(keys(outbox.next(1_200)), 6);
        outbox.on_replied(true, 1_300);
        assert_eq!(keys(outbox.next(1_300)), 0);
    }
}

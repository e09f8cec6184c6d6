//! The store as the authorities see it: usually one, for a while two.

use std::collections::BTreeSet;

use authority::testing::TestStore;
use kv::api::{Error, KeyRange, Request, Response, TxnOperation, TxnRequest};

/// Another order that some authorities are shown.
struct Fork {
    store: TestStore,
    nodes: BTreeSet<usize>,
    /// Whether what authorities say about finality reaches both sides: a liar inside the store
    /// lets pass what hurts most.
    leaks_statements: bool,
}

/// See the module.
#[derive(Default)]
pub(super) struct Stores {
    main: TestStore,
    fork: Option<Fork>,
}

impl Stores {
    fn side(&mut self, node: usize) -> &mut TestStore {
        match &mut self.fork {
            Some(fork) if fork.nodes.contains(&node) => &mut fork.store,
            _ => &mut self.main,
        }
    }

    /// Answers a call of `node`.
    pub(super) fn call(&mut self, node: usize, request: &Request) -> Result<Response, Error> {
        let result = self.side(node).call(request);
        if let Some(Fork { leaks_statements: true, .. }) = &self.fork
            && let Some(statements) = only_statements(request)
        {
            let other = match &mut self.fork {
                Some(fork) if !fork.nodes.contains(&node) => &mut fork.store,
                _ => &mut self.main,
            };
            // What the other side says about it interests nobody.
            other.call(&statements).ok();
        }
        result
    }

    pub(super) fn revision(&mut self, node: usize) -> i64 {
        self.side(node).revision()
    }

    pub(super) fn changes(
        &mut self,
        node: usize,
        range: &KeyRange,
        from: i64,
    ) -> Vec<(i64, Vec<kv::api::Event>)> {
        self.side(node).changes(range, from)
    }

    /// From now on these nodes see what they do themselves, and the others see the rest.
    pub(super) fn split(&mut self, nodes: BTreeSet<usize>, leaks_statements: bool) {
        let store = self.main.clone();
        self.fork = Some(Fork { store, nodes, leaks_statements });
    }

    /// One order for all again: the first one, or the other one.
    pub(super) fn join(&mut self, keep_other: bool) {
        if let Some(fork) = self.fork.take()
            && keep_other
        {
            self.main = fork.store;
        }
    }

    pub(super) fn is_split(&self) -> bool {
        self.fork.is_some()
    }

    /// Forgets the last writes.
    pub(super) fn set_back(&mut self, writes: usize) {
        self.main = self.main.set_back(self.main.commands().saturating_sub(writes));
    }
}

/// The puts of a request that are statements or cosignatures, if it is nothing but such puts.
fn only_statements(request: &Request) -> Option<Request> {
    let Request::Txn(txn) = request else { return None };
    let is_statement = |operation: &TxnOperation| match operation {
        TxnOperation::Put(put) => {
            let parts = put.key.split(|byte| *byte == b'/');
            parts.into_iter().any(|part| part == b"round" || part == b"cosig")
        }
        _ => false,
    };
    let all = txn.compare.is_empty() && txn.success.iter().all(is_statement);
    (all && !txn.success.is_empty())
        .then(|| Request::Txn(TxnRequest { success: txn.success.clone(), ..TxnRequest::default() }))
}

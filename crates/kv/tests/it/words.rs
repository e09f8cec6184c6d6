//! Requests as words: `put a 1 lease 7 prev_kv`, `get a* limit 2`,
//! `txn if mod a = 2 then ( put a 3 ) else ( get a )`.
//!
//! A range is `a` (one key), `a..c`, `a..` (from a on), `a*` (prefix) or `*` (all keys).

use bytes::Bytes;
use kv::api::{
    Compare, CompareResult, CompareTarget, DeleteRangeRequest, KeyRange, LeaseGrantRequest,
    PutRequest, RangeRequest, Request, SortOrder, SortTarget, TxnOperation, TxnRequest,
};

/// Words not yet read.
pub(crate) struct Words<'a> {
    words: &'a [String],
}

impl<'a> Words<'a> {
    pub(crate) fn new(words: &'a [String]) -> Self {
        Self { words }
    }

    pub(crate) fn peek(&self) -> Option<&'a str> {
        self.words.first().map(String::as_str)
    }

    pub(crate) fn next(&mut self, what: &str) -> Result<&'a str, String> {
        let (first, rest) = self.words.split_first().ok_or(format!("{what} is missing"))?;
        self.words = rest;
        Ok(first)
    }

    pub(crate) fn number<T: std::str::FromStr>(&mut self, what: &str) -> Result<T, String> {
        let word = self.next(what)?;
        word.parse().map_err(|_| format!("{what}: `{word}` is no number"))
    }

    pub(crate) fn accept(&mut self, word: &str) -> bool {
        let is_next = self.peek() == Some(word);
        if is_next {
            self.words = &self.words[1..];
        }
        is_next
    }

    pub(crate) fn end(&self) -> Result<(), String> {
        self.peek().map_or(Ok(()), |word| Err(format!("`{word}` is not understood")))
    }

    pub(crate) fn range(&mut self) -> Result<KeyRange, String> {
        let word = self.next("a range")?;
        if let Some(prefix) = word.strip_suffix('*') {
            return Ok(KeyRange::prefix(prefix.to_owned()));
        }
        Ok(match word.split_once("..") {
            None => KeyRange::single(word.to_owned()),
            Some((key, "")) => {
                KeyRange { key: key.to_owned().into(), range_end: Bytes::from_static(&[0]) }
            }
            Some((key, end)) => {
                KeyRange { key: key.to_owned().into(), range_end: end.to_owned().into() }
            }
        })
    }

    /// The request `name` with the words as its details.
    pub(crate) fn request(&mut self, name: &str) -> Result<Request, String> {
        Ok(match name {
            "grant" => {
                let id = self.number("a lease")?;
                Request::LeaseGrant(LeaseGrantRequest { id, ttl: self.number("a ttl")? })
            }
            "revoke" => Request::LeaseRevoke { id: self.number("a lease")? },
            "keepalive" => Request::LeaseKeepAlive { id: self.number("a lease")? },
            "ttl" => {
                let id = self.number("a lease")?;
                Request::LeaseTimeToLive { id, keys: self.accept("keys") }
            }
            "leases" => Request::LeaseLeases,
            "compact" => Request::Compact { revision: self.number("a revision")?, physical: false },
            "hash" => Request::Hash { revision: self.number("a revision")? },
            "status" => Request::Status,
            _ => match self.operation(name)? {
                TxnOperation::Range(request) => Request::Range(request),
                TxnOperation::Put(request) => Request::Put(request),
                TxnOperation::DeleteRange(request) => Request::DeleteRange(request),
                TxnOperation::Txn(request) => Request::Txn(request),
            },
        })
    }

    fn operation(&mut self, name: &str) -> Result<TxnOperation, String> {
        Ok(match name {
            "get" => TxnOperation::Range(self.get()?),
            "put" => TxnOperation::Put(self.put()?),
            "delete" => {
                let range = self.range()?;
                TxnOperation::DeleteRange(DeleteRangeRequest {
                    range,
                    prev_kv: self.accept("prev_kv"),
                })
            }
            "txn" => TxnOperation::Txn(self.txn()?),
            _ => return Err(format!("no command `{name}`")),
        })
    }

    fn put(&mut self) -> Result<PutRequest, String> {
        let mut request =
            PutRequest { key: self.next("a key")?.to_owned().into(), ..Default::default() };
        loop {
            match self.peek() {
                Some("lease") => {
                    self.accept("lease");
                    request.lease = self.number("a lease")?;
                }
                Some("prev_kv") => request.prev_kv = self.accept("prev_kv"),
                Some("ignore_value") => request.ignore_value = self.accept("ignore_value"),
                Some("ignore_lease") => request.ignore_lease = self.accept("ignore_lease"),
                Some(word) if word != ")" => {
                    request.value = self.next("a value")?.to_owned().into();
                }
                _ => return Ok(request),
            }
        }
    }

    fn get(&mut self) -> Result<RangeRequest, String> {
        let mut request = RangeRequest { range: self.range()?, ..Default::default() };
        while let Some(word) = self.peek().filter(|word| *word != ")") {
            self.accept(word);
            match word {
                "limit" => request.limit = self.number(word)?,
                "rev" => request.revision = self.number(word)?,
                "keys_only" => request.keys_only = true,
                "count_only" => request.count_only = true,
                "serializable" => request.serializable = true,
                "ascend" => request.sort_order = SortOrder::Ascend,
                "descend" => request.sort_order = SortOrder::Descend,
                "by" => {
                    request.sort_target = match self.next("a sort target")? {
                        "key" => SortTarget::Key,
                        "version" => SortTarget::Version,
                        "create" => SortTarget::Create,
                        "mod" => SortTarget::Mod,
                        "value" => SortTarget::Value,
                        other => return Err(format!("cannot sort by `{other}`")),
                    }
                }
                "min_mod" => request.min_mod_revision = self.number(word)?,
                "max_mod" => request.max_mod_revision = self.number(word)?,
                "min_create" => request.min_create_revision = self.number(word)?,
                "max_create" => request.max_create_revision = self.number(word)?,
                _ => return Err(format!("`{word}` is not understood")),
            }
        }
        Ok(request)
    }

    fn txn(&mut self) -> Result<TxnRequest, String> {
        let mut txn = TxnRequest::default();
        if self.accept("if") {
            txn.compare.push(self.compare()?);
            while self.accept("and") {
                txn.compare.push(self.compare()?);
            }
        }
        if self.accept("then") {
            txn.success = self.branch()?;
        }
        if self.accept("else") {
            txn.failure = self.branch()?;
        }
        Ok(txn)
    }

    /// `( put a 1 ) ( get a )`; `( put a 1 ) times 129` repeats with keys `a0`, `a1`, …
    fn branch(&mut self) -> Result<Vec<TxnOperation>, String> {
        let mut operations = Vec::new();
        while self.accept("(") {
            let operation = {
                let name = self.next("an operation")?;
                self.operation(name)?
            };
            if !self.accept(")") {
                return Err("`)` is missing".into());
            }
            let times = if self.accept("times") { self.number("how often")? } else { 1 };
            operations.extend((0..times).map(|at| numbered(&operation, at, times)));
        }
        Ok(operations)
    }

    fn compare(&mut self) -> Result<Compare, String> {
        let target = self.next("what to compare")?;
        let range = self.range()?;
        let result = match self.next("an operator")? {
            "=" => CompareResult::Equal,
            "<>" => CompareResult::NotEqual,
            ">" => CompareResult::Greater,
            "<" => CompareResult::Less,
            other => return Err(format!("no operator `{other}`")),
        };
        let target = match target {
            "value" => CompareTarget::Value(self.next("a value")?.to_owned().into()),
            "version" => CompareTarget::Version(self.number(target)?),
            "create" => CompareTarget::Create(self.number(target)?),
            "mod" => CompareTarget::Mod(self.number(target)?),
            "lease" => CompareTarget::Lease(self.number(target)?),
            other => return Err(format!("cannot compare `{other}`")),
        };
        Ok(Compare { range, result, target })
    }
}

fn numbered(operation: &TxnOperation, at: usize, times: usize) -> TxnOperation {
    let mut operation = operation.clone();
    if let TxnOperation::Put(put) = &mut operation
        && times > 1
    {
        put.key = [&put.key[..], at.to_string().as_bytes()].concat().into();
    }
    operation
}

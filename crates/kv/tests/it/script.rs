//! One store with its watch hub, told what to do by a script.
//!
//! Requests are those of `words`. Around them:
//! * `public REQUEST` asks as somebody at the client listener;
//! * `call MEMBER INCARNATION CALL REQUEST` gives a write its origin;
//! * `term N` is the term of the entries that follow;
//! * `advance MS [by TERM] [times N]` is the leader's tick;
//! * `restart` opens the store again; `lose N` first loses the newest N records;
//! * `watch NAME RANGE [from N] [prev_kv] [no_put] [no_delete] [notify]`, `take NAME`,
//!   `progress NAME`, `idle`, `cancel NAME`; `hold` stops publishing, `publish` resumes it;
//!   `catch up`;
//! * `digest` shows whether the state is the one of the last `digest`.

use std::collections::BTreeMap;

use kv::api::{Access, Request, WatchRequest};
use kv::command::{self, Body, CallOrigin, Envelope};
use kv::{Applied, Kv, RevisionEvents, WatchHub, WatchId, access};
use mvcc::MemoryBacking;
use testkit::{Command, Runner};

use crate::show;
use crate::words::Words;

pub(crate) struct Script {
    kv: Kv<MemoryBacking>,
    hub: WatchHub,
    watches: BTreeMap<String, WatchId>,
    /// Events not published yet, while publishing is held.
    held: Option<Vec<RevisionEvents>>,
    term: u64,
    digest: Option<(Option<u64>, u32)>,
}

type Lines = Result<Vec<String>, String>;

impl Script {
    pub(crate) fn new() -> Self {
        Self {
            kv: Kv::open(MemoryBacking::default()).expect("an empty log"),
            hub: WatchHub::new(),
            watches: BTreeMap::new(),
            held: None,
            term: 1,
            digest: None,
        }
    }

    fn play(&mut self, name: &str, words: &mut Words<'_>) -> Lines {
        match name {
            "public" => self.on_public(words),
            "call" => self.on_call(words),
            "term" => {
                self.term = words.number("a term")?;
                Ok(Vec::new())
            }
            "advance" => self.on_advance(words),
            "restart" => self.on_restart(0),
            "lose" => {
                let records = words.number("how many")?;
                self.on_restart(records)
            }
            "digest" => Ok(self.on_digest()),
            "watch" | "take" | "progress" | "idle" | "cancel" | "hold" | "publish" | "catch" => {
                self.on_watch(name, words)
            }
            _ => {
                let request = words.request(name)?;
                words.end()?;
                self.ask(request, CallOrigin::default())
            }
        }
    }

    fn on_public(&mut self, words: &mut Words<'_>) -> Lines {
        let name = words.next("a request")?;
        if name == "watch" {
            let (_, request) = watch_request(words)?;
            return access::check_watch(&request, Access::Public)
                .map(|()| vec!["allowed".into()])
                .map_err(|error| error.to_string());
        }
        let request = words.request(name)?;
        access::check(&request, Access::Public).map_err(|error| error.to_string())?;
        self.ask(request, CallOrigin::default())
    }

    fn on_call(&mut self, words: &mut Words<'_>) -> Lines {
        let member = words.number("a member")?;
        let incarnation = words.number("an incarnation")?;
        let origin = CallOrigin { member, incarnation, call: words.number("a call")? };
        let name = words.next("a request")?;
        let request = words.request(name)?;
        self.ask(request, origin)
    }

    fn ask(&mut self, request: Request, origin: CallOrigin) -> Lines {
        request.check().map_err(|error| error.to_string())?;
        if !request.is_write() {
            let answer = self.kv.read(&request, 0).map_err(|error| error.to_string())?;
            return Ok(show::response(&answer));
        }
        let shows_events = matches!(request, Request::LeaseRevoke { .. });
        let applied = self.apply(Envelope { origin, body: Body::Write(request) });
        if applied.duplicate {
            return Ok(vec!["applied before".into()]);
        }
        let mut response = applied.result.map_err(|error| error.to_string())?;
        hide_term(&mut response);
        let mut lines = show::response(&response);
        if shows_events {
            lines.extend(show::revisions(&applied.events));
        }
        Ok(lines)
    }

    /// Applies the command as a member does: from its bytes.
    fn apply(&mut self, envelope: Envelope) -> Applied {
        let bytes = command::encode(&envelope);
        let envelope = command::decode(&bytes).expect("our own bytes");
        let index = self.kv.applied_index() + 1;
        let applied = self.kv.apply(index, self.term, &envelope).expect("a log in memory");
        match &mut self.held {
            Some(held) => held.extend(applied.events.clone()),
            None => self.hub.publish(&self.kv, &applied.events).expect("a log in memory"),
        }
        applied
    }

    fn on_advance(&mut self, words: &mut Words<'_>) -> Lines {
        let elapsed_ms = words.number("milliseconds")?;
        let term = if words.accept("by") { words.number("a term")? } else { self.term };
        let times = if words.accept("times") { words.number("how often")? } else { 1 };
        let mut lines = Vec::new();
        for _ in 0..times {
            let origin = CallOrigin::default();
            let applied = self.apply(Envelope { origin, body: Body::Advance { elapsed_ms, term } });
            lines.extend(show::revisions(&applied.events));
        }
        Ok(lines)
    }

    fn on_restart(&mut self, lost: usize) -> Lines {
        let kv = core::mem::replace(&mut self.kv, Self::new().kv);
        let mut backing = kv.into_backing();
        backing.truncate(backing.records() - lost);
        self.kv = Kv::open(backing).map_err(|error| error.to_string())?;
        let (applied, revision) = (self.kv.applied_index(), self.kv.revision());
        Ok(vec![format!("applied {applied} revision {revision}")])
    }

    fn on_digest(&mut self) -> Vec<String> {
        let digest = (self.kv.store().digest(self.kv.revision()), self.kv.side_digest());
        match self.digest.replace(digest) {
            None => vec!["noted".into()],
            Some(before) if before == digest => vec!["the same".into()],
            Some(_) => vec!["another".into()],
        }
    }

    fn on_watch(&mut self, name: &str, words: &mut Words<'_>) -> Lines {
        match name {
            "watch" => {
                let (watch, request) = watch_request(words)?;
                let id = self.hub.create(request, &self.kv);
                self.watches.insert(watch, id);
                return Ok(Vec::new());
            }
            "hold" => self.held = Some(Vec::new()),
            "publish" => {
                let held = self.held.take().unwrap_or_default();
                self.hub.publish(&self.kv, &held).expect("a log in memory");
            }
            "catch" => {
                words.next("`up`")?;
                self.hub.catch_up(&self.kv, 1000).expect("a log in memory");
            }
            "idle" => self.hub.notify_idle(),
            _ => {
                let watch = words.next("a watch")?;
                let id = *self.watches.get(watch).ok_or(format!("no watch `{watch}`"))?;
                return Ok(self.on_one_watch(name, id));
            }
        }
        Ok(Vec::new())
    }

    fn on_one_watch(&mut self, name: &str, id: WatchId) -> Vec<String> {
        match name {
            "progress" if self.hub.progress(id) => Vec::new(),
            "progress" => vec!["not now".into()],
            "cancel" if self.hub.cancel(id) => vec!["canceled".into()],
            "cancel" => vec!["no such watch".into()],
            _ => {
                let taken = core::iter::from_fn(|| self.hub.take(id));
                let lines: Vec<String> =
                    taken.flat_map(|response| show::watch_response(&response)).collect();
                if lines.is_empty() { vec!["nothing".into()] } else { lines }
            }
        }
    }
}

/// Terms would only repeat themselves in every line; `header` scripts read them.
fn hide_term(response: &mut kv::api::Response) {
    use kv::api::Response;
    match response {
        Response::Put(response) => response.header.raft_term = 0,
        Response::DeleteRange(response) => response.header.raft_term = 0,
        Response::Txn(response) => response.header.raft_term = 0,
        Response::LeaseGrant(response) => response.header.raft_term = 0,
        Response::LeaseRevoke(header) => header.raft_term = 0,
        Response::LeaseKeepAlive(response) => response.header.raft_term = 0,
        _ => {}
    }
}

fn watch_request(words: &mut Words<'_>) -> Result<(String, WatchRequest), String> {
    let name = words.next("a name")?.to_owned();
    let mut request = WatchRequest { range: words.range()?, ..Default::default() };
    if words.accept("from") {
        request.start_revision = words.number("a revision")?;
    }
    while let Some(word) = words.peek() {
        words.accept(word);
        match word {
            "prev_kv" => request.prev_kv = true,
            "no_put" => request.no_put = true,
            "no_delete" => request.no_delete = true,
            "notify" => request.progress_notify = true,
            _ => return Err(format!("`{word}` is not understood")),
        }
    }
    Ok((name, request))
}

impl Runner for Script {
    fn run(&mut self, command: &Command) -> Result<String, String> {
        let lines = self.play(&command.name, &mut Words::new(&command.args))?;
        Ok(lines.join("\n"))
    }
}

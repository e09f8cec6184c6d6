//! Hooks: what happens in an election, sent to programs of the organisation as signed HTTP calls.
//!
//! ```text
//! \0q/hook/own/<election>/<id>      what an administrator has asked for
//! \0q/hook/state/<election>/<id>    how far it has told, and the delivery on its way
//! \0q/hook/claim/<election>/<id>    the node that is sending it, on that node's lease
//! ```
//!
//! Every node looks; who first lays down a delivery by compare-and-swap has made it, who first
//! claims it sends it. The claim hangs on a lease: no two nodes send the same delivery at once, and
//! when the sender falls another one sends the same bytes under the same id. So a receiver gets
//! everything, in order, and nothing twice unless a node (or the line) falls in the very moment
//! between its answer and our note of it; the id tells it then.
//!
//! Nothing secret is told: what a hook sends is the public record.

mod news;
pub(crate) mod state;

use crate::store::{Store, delete, put};
use crate::{Gateway, Problem, clock};
use authority::Authority;
use election::ElectionId;
use kv::api::{Error, KeyValue};
use serde::de::DeserializeOwned;
use serde_json::json;
use state::{Hook, Outcome, State};
use std::collections::BTreeMap;
use std::time::Duration;

/// Hooks of one election.
pub(crate) const HOOKS_MAX: usize = 10;

/// How often a node looks.
const LOOK_EVERY: Duration = Duration::from_millis(300);

/// Longest wait for a receiver.
const RECEIVER_TIMEOUT: Duration = Duration::from_secs(10);

/// A claim outlives its node by this much, in seconds; longer than a receiver is waited for.
const LEASE_S: u64 = 20;

const ROOT: &str = "\0q/hook/";
const OWN: &str = "\0q/hook/own/";
const STATE: &str = "\0q/hook/state/";
const CLAIM: &str = "\0q/hook/claim/";

fn path(kind: &str, election: &str, id: &str) -> Vec<u8> {
    format!("{kind}{election}/{id}").into_bytes()
}

fn read<T: DeserializeOwned>(kv: &KeyValue) -> Option<T> {
    serde_json::from_slice(&kv.value).ok()
}

/// The hooks in the store.
#[derive(Clone)]
pub(crate) struct Hooks {
    store: Store,
}

impl Hooks {
    pub(crate) fn new(store: Store) -> Self {
        Self { store }
    }

    /// The hooks of an election with their states, by id.
    ///
    /// # Errors
    /// Of the store.
    pub(crate) async fn list(&self, election: &str) -> Result<Vec<(String, Hook, State)>, Error> {
        let (found, _) = self.store.list(format!("{OWN}{election}/").as_bytes()).await?;
        let mut hooks = Vec::new();
        for kv in found {
            let name = core::str::from_utf8(&kv.key).ok().and_then(|key| key.rsplit('/').next());
            let (Some(id), Some(hook)) = (name, read::<Hook>(&kv)) else { continue };
            let state = self.store.get(&path(STATE, election, id)).await?;
            let state = state.and_then(|state| read(&state)).unwrap_or_default();
            hooks.push((id.to_owned(), hook, state));
        }
        Ok(hooks)
    }

    /// Makes a hook that tells from `state` on.
    ///
    /// # Errors
    /// Of the store.
    pub(crate) async fn make(
        &self,
        election: &str,
        id: &str,
        (hook, state): (&Hook, &State),
    ) -> Result<(), Problem> {
        let (own, told) = (path(OWN, election, id), path(STATE, election, id));
        let writes = vec![put(own.clone(), hook, 0), put(told, state, 0)];
        let made = self.store.swap(vec![(own, 0)], writes).await?;
        made.map(drop).ok_or_else(Problem::changed_meanwhile)
    }

    /// Ends a hook; what was on its way may still arrive. `false` when there is none.
    ///
    /// # Errors
    /// Of the store.
    pub(crate) async fn end(&self, election: &str, id: &str) -> Result<bool, Problem> {
        let own = path(OWN, election, id);
        let Some(found) = self.store.get(&own).await? else { return Ok(false) };
        let writes = vec![delete(own.clone()), delete(path(STATE, election, id))];
        let done = self.store.swap(vec![(own, found.mod_revision)], writes).await?;
        Ok(done.is_some())
    }
}

impl Gateway {
    /// Sends for ever. Inside a tokio runtime.
    pub(crate) async fn send_hooks(self) {
        crate::install_tls();
        let http = reqwest::Client::builder()
            .timeout(RECEIVER_TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(format!("quorate/{}", self.node.version))
            .build();
        let http = match http {
            Ok(http) => http,
            Err(error) => {
                tracing::error!(target: "node", %error, "there is no HTTP client for hooks");
                return;
            }
        };
        let mut sender = Sender { gateway: self, http, lease: None };
        let mut clock = tokio::time::interval(LOOK_EVERY);
        clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            clock.tick().await;
            if let Err(error) = sender.look().await {
                tracing::debug!(target: "node", %error, "the hooks are looked at again");
            }
        }
    }
}

struct Sender {
    gateway: Gateway,
    http: reqwest::Client,
    lease: Option<i64>,
}

/// One hook as this node found it.
struct Found {
    election: String,
    id: String,
    hook: Hook,
    state: State,
    revision: i64,
}

impl Sender {
    async fn look(&mut self) -> Result<(), Error> {
        for found in self.find().await? {
            self.handle(found).await?;
        }
        Ok(())
    }

    /// All hooks as this node knows them; what is old is refused when it is swapped.
    async fn find(&self) -> Result<Vec<Found>, Error> {
        let (all, _) = self.gateway.store.list(ROOT.as_bytes()).await?;
        let by_key: BTreeMap<&[u8], &KeyValue> = all.iter().map(|kv| (&kv.key[..], kv)).collect();
        let found = |kv: &KeyValue| {
            let name = core::str::from_utf8(&kv.key).ok()?.strip_prefix(OWN)?;
            let (election, id) = name.split_once('/')?;
            let state = by_key.get(&path(STATE, election, id)[..])?;
            Some(Found {
                election: election.to_owned(),
                id: id.to_owned(),
                hook: read(kv)?,
                state: read(state)?,
                revision: state.mod_revision,
            })
        };
        Ok(all.iter().filter_map(found).collect())
    }

    async fn handle(&mut self, mut found: Found) -> Result<(), Error> {
        if found.state.delivery.is_none() && !self.prepare(&mut found).await? {
            return Ok(());
        }
        if found.state.due(clock::milliseconds()).is_none() {
            return Ok(());
        }
        let store = self.gateway.store.clone();
        let [own, told, claim] =
            [OWN, STATE, CLAIM].map(|kind| path(kind, &found.election, &found.id));
        let lease = self.lease().await?;
        let expected = vec![(told.clone(), found.revision), (claim.clone(), 0)];
        let writes = vec![put(claim.clone(), &self.gateway.node.node, lease)];
        if store.swap(expected, writes).await?.is_none() {
            return Ok(());
        }
        let after = self.deliver(&found).await;
        // A hook that was ended meanwhile leaves nothing behind.
        let is_there = store.get(&own).await?.is_some();
        let mut writes = vec![delete(claim)];
        if is_there {
            writes.push(put(told.clone(), &after, 0));
        }
        store.swap(vec![(told, found.revision)], writes).await.map(drop)
    }

    /// Lays down the next delivery, if there is anything to tell.
    async fn prepare(&self, found: &mut Found) -> Result<bool, Error> {
        let Ok(election) = found.election.parse::<ElectionId>() else { return Ok(false) };
        let (topics, places) = (found.hook.topics.clone(), found.state.places.clone());
        let looked = self.gateway.authority.query(move |authority: &Authority| {
            authority.election(election).map(|view| news::news(view, &topics, &places))
        });
        let Ok(Some((events, then))) = looked.await else { return Ok(false) };
        if events.is_empty() {
            // Whoever waits for one refusal among a million ballots gets on, too.
            if then.entry >= found.state.places.entry + news::LOOK_MAX {
                let state = State { places: then, ..found.state.clone() };
                let told = path(STATE, &found.election, &found.id);
                self.gateway.store.put_if(told, &state, found.revision, 0).await?;
            }
            return Ok(false);
        }
        let now = clock::milliseconds();
        let body = json!({
            "type": "quorate.events",
            "hook": found.id,
            "election": found.election,
            "seq": found.state.seq,
            "time_ms": now,
            "events": events,
        });
        found.state = found.state.with(body.to_string(), then, now);
        let told = path(STATE, &found.election, &found.id);
        let laid = self.gateway.store.put_if(told, &found.state, found.revision, 0).await?;
        found.revision = laid.unwrap_or_default();
        Ok(laid.is_some())
    }

    async fn deliver(&self, found: &Found) -> State {
        let body = found.state.delivery.as_ref().map(|own| own.body.clone()).unwrap_or_default();
        let id = format!("{}.{}", found.id, found.state.seq);
        let mut request = self.http.post(&found.hook.url);
        request = request.header("content-type", "application/json");
        for (name, value) in state::headers(&found.hook, &id, clock::seconds(), &body) {
            request = request.header(name, value);
        }
        let outcome = match request.body(body).send().await {
            Ok(answer) if answer.status().is_success() => Outcome::Arrived,
            Ok(answer) if answer.status() == reqwest::StatusCode::GONE => Outcome::Gone,
            Ok(answer) => Outcome::NotNow(format!("HTTP {}", answer.status())),
            Err(error) if error.is_timeout() => {
                Outcome::NotNow(format!("no answer within {} s", RECEIVER_TIMEOUT.as_secs()))
            }
            Err(error) if error.is_connect() => Outcome::NotNow("not reached".to_owned()),
            Err(_) => Outcome::NotNow("the connection broke".to_owned()),
        };
        tracing::debug!(target: "node", delivery = id, ?outcome, "hook");
        found.state.after(outcome, clock::milliseconds())
    }

    /// The node's lease, alive.
    async fn lease(&mut self) -> Result<i64, Error> {
        let store = &self.gateway.store;
        if let Some(id) = self.lease
            && store.keep_alive(id).await?
        {
            return Ok(id);
        }
        let id = store.grant(LEASE_S).await?;
        self.lease = Some(id);
        Ok(id)
    }
}

//! Notes what people have not asked for at a gateway: entries of the ledgers that are no ballots,
//! decisions about finality, and alarms. On its way it learns which nodes are authorities.
//!
//! The node that leads the store does it. Up to which entry an election is noted, and which of
//! its alarms, lies in the store beside the list and is changed together with it by
//! compare-and-swap: another leader goes on where this one ended, and nothing is noted twice.

use super::{Entry, Kind, say};
use crate::store::{Store, put};
use crate::{Gateway, clock};
use authority::chronicle::{HeightRecord, RoundRecord};
use authority::{Authority, ElectionView};
use election::ElectionId;
use election::entry;
use kv::api::Error;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::time::Duration;

/// How often the ledgers are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// Entries of one election looked at in one turn.
const LOOK_MAX: u64 = 20_000;

/// Things noted of one election in one turn.
const NOTES_MAX: usize = 100;

/// Alarms of one election that are remembered as noted.
const ALARMS_MAX: usize = 2_000;

/// What is noted of an election; lies in the store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Told {
    /// Number of the last entry.
    entry: u64,
    /// Short digests of the alarms.
    alarms: Vec<String>,
    /// First height whose decision is not noted.
    #[serde(default)]
    height: u64,
}

/// Something to be noted.
struct News {
    entry: Entry,
    told: Told,
}

/// What one look at an election gave.
#[derive(Default)]
struct Looked {
    /// Everything up to this entry was looked at.
    position: u64,
    news: Vec<News>,
}

/// Up to which entry this node has looked: numbers only grow, so ballots are passed once.
type Places = BTreeMap<ElectionId, (Told, u64)>;

impl Gateway {
    /// Notes for ever. Inside a tokio runtime.
    pub(crate) async fn keep_audit(self) {
        let mut places = Places::new();
        let mut clock = tokio::time::interval(LOOK_EVERY);
        clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            clock.tick().await;
            self.learn_authorities().await;
            let leads = self.life.views().borrow().leader == Some(self.node.node);
            if !leads {
                places.clear();
                continue;
            }
            if let Err(error) = self.note_news(&mut places).await {
                tracing::debug!(target: "audit", %error, "the ledgers are looked at again");
                places.clear();
            }
        }
    }

    /// Tells the node's life whose authorities hold elections.
    async fn learn_authorities(&self) {
        let nodes = self.authority.query(|authority: &Authority| {
            let manifests = authority.elections().filter_map(|view| view.fold().manifest());
            let all = manifests.flat_map(|manifest| &manifest.authorities);
            all.map(|one| u64::from(one.index)).collect()
        });
        if let Ok(nodes) = nodes.await {
            self.life.know_authorities(nodes);
        }
    }

    async fn note_news(&self, places: &mut Places) -> Result<(), Error> {
        let elections = self.authority.query(|authority: &Authority| {
            authority.elections().map(ElectionView::id).collect::<Vec<_>>()
        });
        for election in elections.await.unwrap_or_default() {
            self.note_election(election, places).await?;
        }
        Ok(())
    }

    async fn note_election(&self, id: ElectionId, places: &mut Places) -> Result<(), Error> {
        let key = key(id);
        let (told, from) = match places.remove(&id) {
            Some(place) => place,
            None => {
                let found = self.store.get(&key).await?;
                let told: Told = found
                    .and_then(|found| serde_json::from_slice(&found.value).ok())
                    .unwrap_or_default();
                let entry = told.entry;
                (told, entry)
            }
        };
        let node = self.node.node;
        let before = told.clone();
        let looked = self.authority.query(move |authority: &Authority| {
            let view = authority.election(id)?;
            Some(look(view, node, told, from))
        });
        let Ok(Some(looked)) = looked.await else { return Ok(()) };
        let mut last = before;
        for news in looked.news {
            if !note(&self.store, &key, &last, &news).await? {
                // Another node notes, too: begin again from what it has written.
                return Ok(());
            }
            last = news.told;
        }
        places.insert(id, (last, looked.position));
        Ok(())
    }
}

fn key(id: ElectionId) -> Vec<u8> {
    format!("\0q/audit-told/{id}").into_bytes()
}

/// Notes one thing if nobody has noted anything of this election since `last`.
async fn note(store: &Store, key: &[u8], last: &Told, news: &News) -> Result<bool, Error> {
    loop {
        let found = store.get(key).await?;
        let (told, revision) = match &found {
            None => (Told::default(), 0),
            Some(found) => {
                let told = serde_json::from_slice(&found.value).map_err(|_| Error::Corrupt)?;
                (told, found.mod_revision)
            }
        };
        if told != *last {
            return Ok(false);
        }
        let more = (key.to_vec(), revision);
        let write = put(key.to_vec(), &news.told, 0);
        let list = news.entry.kind.list();
        if list.try_add(store, &news.entry, vec![more], vec![write]).await?.is_some() {
            say(&news.entry);
            return Ok(true);
        }
    }
}

/// What is new in an election; on the authority's thread.
fn look(view: ElectionView<'_>, node: u64, mut told: Told, from: u64) -> Looked {
    let end = view.position().min(from.saturating_add(LOOK_MAX));
    let mut looked = Looked { position: end, news: Vec::new() };
    for number in from + 1..=end {
        let Some(mut entry) = ledger_entry(view, number, node) else { continue };
        if looked.news.len() >= NOTES_MAX {
            looked.position = number - 1;
            break;
        }
        told.entry = number;
        entry.object = Some(format!("entry {number}"));
        looked.news.push(News { entry, told: told.clone() });
    }
    look_at_decisions(view, node, &mut told, &mut looked);
    for (authority, alarm) in view.alarms() {
        let digest = short_digest(&[&[authority], alarm.code.as_bytes(), alarm.what.as_bytes()]);
        if told.alarms.contains(&digest) || looked.news.len() >= NOTES_MAX {
            continue;
        }
        told.alarms.push(digest);
        if told.alarms.len() > ALARMS_MAX {
            told.alarms.remove(0);
        }
        let entry = Entry {
            election: Some(view.id().to_string()),
            text: Some(alarm.what.clone()),
            ..Entry::new(node, Kind::Alarm, &name_of(view, authority), alarm.code.clone())
        };
        looked.news.push(News { entry, told: told.clone() });
    }
    looked
}

/// Decisions that a quorum has cosigned, or behind which there is another one: then no more
/// signatures come.
fn look_at_decisions(view: ElectionView<'_>, node: u64, told: &mut Told, looked: &mut Looked) {
    let quorum = view.fold().manifest().map_or(usize::MAX, election::Manifest::quorum);
    let decided: Vec<&HeightRecord> = view
        .heights()
        .filter(|record| record.decided.is_some() && record.height >= told.height)
        .collect();
    let last = decided.last().map(|record| record.height);
    for record in decided {
        let is_signed = record.cosigned.len() >= quorum || Some(record.height) < last;
        if !is_signed || looked.news.len() >= NOTES_MAX {
            break;
        }
        let Some(entry) = decision_entry(view, record, told.height, node) else { break };
        told.height = record.height + 1;
        looked.news.push(News { entry, told: told.clone() });
    }
}

/// What is noted of a decision: the proposer is its actor. `expected` is the height that would
/// have come next.
fn decision_entry(
    view: ElectionView<'_>,
    record: &HeightRecord,
    expected: u64,
    node: u64,
) -> Option<Entry> {
    let (number, value, seen_ms) = record.decided?;
    let names = |who: &mut dyn Iterator<Item = &u8>| {
        let all: Vec<String> = who.map(|authority| name_of(view, *authority)).collect();
        if all.is_empty() { "nobody known here".to_owned() } else { all.join(", ") }
    };
    let unknown = RoundRecord::default();
    let round = record.rounds.get(&number).unwrap_or(&unknown);
    let proposer = round.proposal.as_ref().map(|(who, _)| name_of(view, *who));
    let before = match record.height - expected {
        0 => String::new(),
        1 => format!(" Decision {expected} was not seen here."),
        _ => format!(" Decisions {expected} to {} were not seen here.", record.height - 1),
    };
    let text = format!(
        "Decision {}, round {number}: root {}. Checked by {}; ready: {}; cosigned by {}.{before}",
        record.height,
        hex::encode(value.root),
        names(&mut round.checked.keys()),
        names(&mut round.ready.keys()),
        names(&mut record.cosigned.keys()),
    );
    let now = clock::milliseconds();
    let ago_ms = seen_ms.map_or(0, |seen| view.now_ms().saturating_sub(seen));
    Some(Entry {
        time_ms: now.saturating_sub(ago_ms),
        election: Some(view.id().to_string()),
        object: Some(format!("size {}", value.size)),
        text: Some(text),
        ..Entry::new(
            node,
            Kind::Finality,
            proposer.as_deref().unwrap_or("unknown proposer"),
            "decided",
        )
    })
}

/// What is noted of an entry; ballots are not.
fn ledger_entry(view: ElectionView<'_>, number: u64, node: u64) -> Option<Entry> {
    let read = entry::Entry::decode(view.entry(number)?).ok()?;
    let kind = read.body.kind();
    if kind == entry::Kind::Ballot {
        return None;
    }
    let text = match view.outcome(number)? {
        Ok(leaf) => format!("It is leaf {leaf}, stamped {}.", utc_minutes(read.stamp)),
        Err(refusal) => format!("It was refused ({}): {}", refusal.code, refusal.sentence),
    };
    Some(Entry {
        election: Some(view.id().to_string()),
        text: Some(text),
        ..Entry::new(node, Kind::Ledger, &name_of(view, read.appender), kind.name())
    })
}

fn name_of(view: ElectionView<'_>, authority: u8) -> String {
    let named = view.standings().into_iter().find(|standing| standing.authority == authority);
    named.map_or_else(|| format!("authority {authority}"), |standing| standing.name)
}

fn utc_minutes(minutes: u32) -> String {
    base::show_utc(minutes.into())
}

fn short_digest(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hex::encode(&hash.finalize()[..8])
}

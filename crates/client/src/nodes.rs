//! What each node tells the others about itself: a record in the store's reserved part.
//!
//! The membership of the group knows where *peers* reach a member, since nothing works without
//! that. Everything else that others may want to know (its name, where its clients, voters and
//! administrators go) a node writes down itself when it starts:
//!
//! ```text
//! \0q/node/<20 digits>      name node-1
//!                           client 127.0.0.1:7201
//!                           web 127.0.0.1:7301
//!                           admin 127.0.0.1:7401
//! ```
//!
//! A record says nothing about whether its node lives, or is a member: ids are never used twice,
//! so one that is left over belongs to nobody.

use crate::Client;
use bytes::Bytes;
use kv::api::{Error, KeyRange, PutRequest, RangeRequest, Request, Response};
use std::collections::BTreeMap;

const PREFIX: &str = "\0q/node/";

/// Longest record that is read.
const RECORD_BYTES_MAX: usize = 4096;

/// See the module. Addresses are `HOST:PORT`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeRecord {
    /// Its name.
    pub name: String,
    /// For clients of the store.
    pub client: String,
    /// For voters and administrators.
    pub web: String,
    /// For health, figures and the group.
    pub admin: String,
}

impl NodeRecord {
    fn encode(&self) -> String {
        let Self { name, client, web, admin } = self;
        let name = name.replace('\n', " ");
        format!("name {name}\nclient {client}\nweb {web}\nadmin {admin}\n")
    }

    /// Lines of a newer version are passed over.
    fn decode(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok().filter(|text| text.len() <= RECORD_BYTES_MAX)?;
        let mut record = Self::default();
        for (word, rest) in text.lines().filter_map(|line| line.split_once(' ')) {
            match word {
                "name" => rest.clone_into(&mut record.name),
                "client" => rest.clone_into(&mut record.client),
                "web" => rest.clone_into(&mut record.web),
                "admin" => rest.clone_into(&mut record.admin),
                _ => {}
            }
        }
        Some(record)
    }
}

fn key(member: u64) -> Bytes {
    Bytes::from(format!("{PREFIX}{member:020}"))
}

/// All records by member, as the asked node has them.
///
/// # Errors
/// The store's refusal. [`Error::PermissionDenied`] at a client listener.
pub async fn list(store: &dyn Client) -> Result<BTreeMap<u64, NodeRecord>, Error> {
    let range = KeyRange::prefix(Bytes::from_static(PREFIX.as_bytes()));
    let request = RangeRequest { range, serializable: true, ..RangeRequest::default() };
    let Response::Range(found) = store.call(Request::Range(request)).await? else {
        return Err(Error::Corrupt);
    };
    let record = |kv: &kv::api::KeyValue| {
        let digits = std::str::from_utf8(kv.key.get(PREFIX.len()..)?).ok()?;
        Some((digits.parse().ok()?, NodeRecord::decode(&kv.value)?))
    };
    Ok(found.kvs.iter().filter_map(record).collect())
}

/// Writes a member's record, unless it is there already.
///
/// # Errors
/// The store's refusal; to be tried again.
pub async fn publish(store: &dyn Client, member: u64, record: &NodeRecord) -> Result<(), Error> {
    if list(store).await?.get(&member) == Some(record) {
        return Ok(());
    }
    let (key, value) = (key(member), Bytes::from(record.encode()));
    let put = PutRequest { key, value, ..PutRequest::default() };
    store.call(Request::Put(put)).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_read_back_and_news_are_passed_over() {
        let record = NodeRecord {
            name: "the first node".to_owned(),
            client: "127.0.0.1:7201".to_owned(),
            web: "127.0.0.1:7301".to_owned(),
            admin: "[::1]:7401".to_owned(),
        };
        let text = record.encode();
        assert_eq!(NodeRecord::decode(text.as_bytes()), Some(record.clone()));
        let newer = format!("zone a\n{text}x\n");
        assert_eq!(NodeRecord::decode(newer.as_bytes()), Some(record));
        assert_eq!(NodeRecord::decode(&[0xff]), None);
        assert_eq!(key(3), Bytes::from_static(b"\0q/node/00000000000000000003"));
        assert!(key(3).starts_with(kv::api::RESERVED_PREFIX));
    }
}

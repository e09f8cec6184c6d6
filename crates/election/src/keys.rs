//! Where an election's state lies in the store.
//!
//! All keys of one election carry the same partition tag `{<id>}`, so that one transaction can
//! touch several of them on every engine (the hash slot of Redis Cluster is that of the text
//! between the braces). Numbers are padded, so that they sort as text does.
//!
//! ```text
//! \0q/{<id>}/draft
//! \0q/{<id>}/roll/<5 digits: chunk>
//! \0q/{<id>}/ceremony/<round>/<3 digits: trustee>
//! \0q/{<id>}/manifest
//! \0q/{<id>}/endorse/trustee/<3 digits>      \0q/{<id>}/endorse/authority/<3 digits>
//! \0q/{<id>}/head                            value: number of entries, u64 big-endian
//! \0q/{<id>}/entry/<20 digits, from 1>
//! \0q/{<id>}/round/<20 digits: height>/<10 digits: round>/<proposal|checked|ready>/<3 digits>
//! \0q/{<id>}/cosig/<20 digits: size>/<3 digits: authority>
//! \0q/{<id>}/refusal/<20 digits: entry>/<3 digits: authority>
//! \0q/{<id>}/succession/<10 digits: generation>/<3 digits: authority that signs>
//! \0q/{<id>}/alarm/<3 digits: authority>/<20 digits>
//! \0q/{<id>}/audit/<20 digits: milliseconds since 1970>/<3 digits: node>/<10 digits>
//! \0q/audit/<20 digits: milliseconds since 1970>/<3 digits: node>/<10 digits>
//! \0q/{hooks}/…                              see the gateway
//! \0q/directory/<id>                         every election of the store
//! \0q/authority/<3 digits>                   an authority's key text, written when a node starts
//! ```

use crate::id::ElectionId;

/// First bytes of every reserved key.
pub const RESERVED: &[u8] = b"\0q/";
/// Every key that lists an election.
pub const DIRECTORY: &[u8] = b"\0q/directory/";
/// Every key under which an authority publishes itself.
pub const AUTHORITIES: &[u8] = b"\0q/authority/";

/// What an authority says in a round of finality.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// The proposer names a size and root.
    Proposal,
    /// "I computed the same."
    Checked,
    /// "A quorum computed the same."
    Ready,
}

impl Step {
    const ALL: [Self; 3] = [Self::Proposal, Self::Checked, Self::Ready];

    /// Its name in keys.
    pub fn name(self) -> &'static str {
        match self {
            Self::Proposal => "proposal",
            Self::Checked => "checked",
            Self::Ready => "ready",
        }
    }
}

/// One key of an election, without the election's prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// What the administrator drafted.
    Draft,
    /// A chunk of the roll, from 0.
    Roll(u16),
    /// A trustee's message in a round of the key ceremony.
    Ceremony {
        /// The round, from 1.
        round: u8,
        /// Number of the trustee, from 1.
        trustee: u8,
    },
    /// The sealed manifest.
    Manifest,
    /// A trustee's signature on the manifest, by number from 1.
    TrusteeEndorsement(u8),
    /// An authority's signature on the manifest, by number.
    AuthorityEndorsement(u8),
    /// How many entries there are.
    Head,
    /// An entry, from 1.
    Entry(u64),
    /// A statement in a round of finality.
    Round {
        /// Which decision, from 0.
        height: u64,
        /// Which attempt at it, from 0.
        round: u32,
        /// What is said.
        step: Step,
        /// Who says it.
        authority: u8,
    },
    /// An authority's cosignature on the final tree of this size.
    Cosignature {
        /// Number of leaves.
        size: u64,
        /// Number of the authority.
        authority: u8,
    },
    /// An authority's signed reason for skipping an entry.
    Refusal {
        /// Number of the entry.
        entry: u64,
        /// Number of the authority.
        authority: u8,
    },
    /// An authority's signature on another one's new key.
    Succession {
        /// Which change of a key, from 1.
        generation: u32,
        /// Number of the authority that signs.
        authority: u8,
    },
    /// Something that must not happen, with what proves it.
    Alarm {
        /// Number of the authority that noticed.
        authority: u8,
        /// Which of its alarms, from 0.
        number: u64,
    },
    /// An administrative act.
    Audit {
        /// When, in milliseconds since 1970 UTC.
        at_ms: u64,
        /// The node that took it.
        node: u8,
        /// Which act of that node's process.
        number: u32,
    },
}

impl Key {
    /// The whole key in this election.
    pub fn of(self, election: ElectionId) -> Vec<u8> {
        let mut key = prefix(election);
        key.extend_from_slice(self.tail().as_bytes());
        key
    }

    fn tail(self) -> String {
        match self {
            Self::Draft => "draft".to_owned(),
            Self::Roll(chunk) => format!("roll/{chunk:05}"),
            Self::Ceremony { round, trustee } => format!("ceremony/{round}/{trustee:03}"),
            Self::Manifest => "manifest".to_owned(),
            Self::TrusteeEndorsement(index) => format!("endorse/trustee/{index:03}"),
            Self::AuthorityEndorsement(index) => format!("endorse/authority/{index:03}"),
            Self::Head => "head".to_owned(),
            Self::Entry(number) => format!("entry/{number:020}"),
            Self::Round { height, round, step, authority } => {
                format!("round/{height:020}/{round:010}/{}/{authority:03}", step.name())
            }
            Self::Cosignature { size, authority } => format!("cosig/{size:020}/{authority:03}"),
            Self::Refusal { entry, authority } => format!("refusal/{entry:020}/{authority:03}"),
            Self::Succession { generation, authority } => {
                format!("succession/{generation:010}/{authority:03}")
            }
            Self::Alarm { authority, number } => format!("alarm/{authority:03}/{number:020}"),
            Self::Audit { at_ms, node, number } => {
                format!("audit/{at_ms:020}/{node:03}/{number:010}")
            }
        }
    }

    /// The election and key of a whole key; `None` for any key not made by [`Key::of`].
    pub fn parse(key: &[u8]) -> Option<(ElectionId, Self)> {
        let text = core::str::from_utf8(key.strip_prefix(RESERVED)?).ok()?;
        let (id, tail) = text.strip_prefix('{')?.split_once("}/")?;
        let election = id.parse().ok()?;
        let parts: Vec<&str> = tail.split('/').collect();
        let parsed = match parts.as_slice() {
            ["draft"] => Self::Draft,
            ["manifest"] => Self::Manifest,
            ["head"] => Self::Head,
            ["roll", chunk] => Self::Roll(chunk.parse().ok()?),
            ["entry", number] => Self::Entry(number.parse().ok()?),
            ["ceremony", round, trustee] => {
                Self::Ceremony { round: round.parse().ok()?, trustee: trustee.parse().ok()? }
            }
            ["endorse", "trustee", index] => Self::TrusteeEndorsement(index.parse().ok()?),
            ["endorse", "authority", index] => Self::AuthorityEndorsement(index.parse().ok()?),
            ["cosig", size, authority] => {
                Self::Cosignature { size: size.parse().ok()?, authority: authority.parse().ok()? }
            }
            ["refusal", entry, authority] => {
                Self::Refusal { entry: entry.parse().ok()?, authority: authority.parse().ok()? }
            }
            ["succession", generation, authority] => Self::Succession {
                generation: generation.parse().ok()?,
                authority: authority.parse().ok()?,
            },
            ["alarm", authority, number] => {
                Self::Alarm { authority: authority.parse().ok()?, number: number.parse().ok()? }
            }
            ["audit", at_ms, node, number] => Self::Audit {
                at_ms: at_ms.parse().ok()?,
                node: node.parse().ok()?,
                number: number.parse().ok()?,
            },
            ["round", height, round, step, authority] => Self::Round {
                height: height.parse().ok()?,
                round: round.parse().ok()?,
                step: *Step::ALL.iter().find(|known| known.name() == *step)?,
                authority: authority.parse().ok()?,
            },
            _ => return None,
        };
        (parsed.tail() == tail).then_some((election, parsed))
    }
}

/// First bytes of every key of an election.
pub fn prefix(election: ElectionId) -> Vec<u8> {
    format!("\0q/{{{election}}}/").into_bytes()
}

/// The first key after all that start with `prefix`: the end of a range over them.
///
/// # Panics
/// When the prefix is empty or all 0xff: no prefix of this module is.
pub fn range_end(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < u8::MAX {
            end.push(last + 1);
            return end;
        }
    }
    panic!("no key follows every key with this prefix");
}

/// The key that lists an election.
pub fn directory(election: ElectionId) -> Vec<u8> {
    [DIRECTORY, election.to_string().as_bytes()].concat()
}

/// The election a directory key lists.
pub fn parse_directory(key: &[u8]) -> Option<ElectionId> {
    core::str::from_utf8(key.strip_prefix(DIRECTORY)?).ok()?.parse().ok()
}

/// The key under which an authority publishes its key text.
pub fn authority(index: u8) -> Vec<u8> {
    [AUTHORITIES, format!("{index:03}").as_bytes()].concat()
}

/// The number in an authority's key.
pub fn parse_authority(key: &[u8]) -> Option<u8> {
    let index = core::str::from_utf8(key.strip_prefix(AUTHORITIES)?).ok()?.parse().ok()?;
    (authority(index) == key).then_some(index)
}

/// The value under [`Key::Head`].
pub fn encode_head(entries: u64) -> [u8; 8] {
    entries.to_be_bytes()
}

/// The reverse of [`encode_head`].
pub fn decode_head(value: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(value.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: ElectionId = ElectionId([0xab; 16]);

    #[test]
    fn every_key_is_read_back_and_sorts_by_number() {
        let round = |height, round, step| Key::Round { height, round, step, authority: 3 };
        let keys = [
            Key::Draft,
            Key::Roll(0),
            Key::Roll(u16::MAX),
            Key::Ceremony { round: 2, trustee: 10 },
            Key::Manifest,
            Key::TrusteeEndorsement(2),
            Key::AuthorityEndorsement(255),
            Key::Head,
            Key::Entry(1),
            Key::Entry(u64::MAX),
            round(0, 0, Step::Proposal),
            round(7, u32::MAX, Step::Checked),
            round(7, 1, Step::Ready),
            Key::Cosignature { size: 9, authority: 1 },
            Key::Refusal { entry: 12, authority: 2 },
            Key::Succession { generation: 1, authority: 2 },
            Key::Alarm { authority: 3, number: 7 },
            Key::Audit { at_ms: 1_790_000_000_000, node: 1, number: 3 },
        ];
        for key in keys {
            assert_eq!(Key::parse(&key.of(ID)), Some((ID, key)));
            assert!(key.of(ID) < range_end(&prefix(ID)));
        }
        assert!(Key::Entry(9).of(ID) < Key::Entry(10).of(ID));
        assert!(round(2, 9, Step::Ready).of(ID) < round(2, 10, Step::Proposal).of(ID));
    }

    #[test]
    fn foreign_keys_are_nothing() {
        let text = String::from_utf8(Key::Entry(1).of(ID)).unwrap();
        for (from, to) in [
            ("/00000000000000000001", "/1"),
            ("/00000000000000000001", "/+0000000000000000001"),
            ("ab", "AB"),
            ("\0q", "q"),
            ("{", ""),
            ("entry", "entries"),
        ] {
            let other = text.replacen(from, to, 1);
            assert_eq!(Key::parse(other.as_bytes()), None, "{other:?}");
        }
        assert_eq!(parse_directory(&directory(ID)), Some(ID));
        assert_eq!(parse_authority(&authority(3)), Some(3));
        assert_eq!(parse_authority(b"\0q/authority/3"), None);
        assert_eq!(decode_head(&encode_head(77)), Some(77));
        assert_eq!(decode_head(b"7"), None);
    }
}

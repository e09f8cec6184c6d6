//! What the nodes send, as far as a client reads it. Unknown fields are ignored: a newer node may
//! say more.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

/// As base64.
fn to_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Bytes that stand in JSON as base64.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Octets(pub(crate) Vec<u8>);

impl Serialize for Octets {
    fn serialize<S: Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(&to_base64(&self.0))
    }
}

impl<'de> Deserialize<'de> for Octets {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let text = String::deserialize(input)?;
        STANDARD.decode(text).map(Self).map_err(|e| D::Error::custom(format!("base64: {e}")))
    }
}

/// `GET /elections`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ElectionList {
    /// All that the node knows.
    pub(crate) elections: Vec<ElectionView>,
}

/// A sentence of a node; its parts are for pages in other languages.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct SentenceView {
    /// In English.
    pub(crate) text: String,
}

/// `GET /elections/{id}`; in the list only a part of it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct ElectionView {
    /// The election's name.
    pub(crate) id: String,
    /// `draft`, `setup`, `open`, `paused`, `closed` or `published`.
    pub(crate) phase: String,
    /// What is missing before it can open.
    #[serde(default)]
    pub(crate) blockers: Vec<SentenceView>,
    /// Its title, once there is a draft.
    #[serde(default)]
    pub(crate) title: Option<String>,
    /// Canonical bytes of the draft.
    #[serde(default)]
    pub(crate) draft: Option<Octets>,
    /// Who has voted.
    #[serde(default)]
    pub(crate) turnout: TurnoutView,
    /// Minute of the closing since 1970 UTC, as extended.
    #[serde(default)]
    pub(crate) closes: Option<u32>,
    /// Number that the administrator's next order must carry.
    #[serde(default)]
    pub(crate) next_order: u32,
    /// Entries ordered.
    #[serde(default)]
    pub(crate) entries: u64,
    /// Leaves among them.
    #[serde(default)]
    pub(crate) leaves: u64,
    /// Leaves that are final.
    #[serde(default)]
    pub(crate) final_size: u64,
    /// Trustees whose decryption share is on the ledger.
    #[serde(default)]
    pub(crate) shares: Vec<u8>,
    /// The result, once it is published.
    #[serde(default)]
    pub(crate) result: Option<ResultView>,
    /// Whether everything ordered is held and final on the node asked.
    #[serde(default)]
    pub(crate) settled: bool,
}

/// The published result.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub(crate) struct ResultView {
    /// Ballots counted.
    pub(crate) ballots: u32,
    /// Their total weight.
    pub(crate) weight: u64,
    /// By contest and option, in ballot order.
    pub(crate) counts: Vec<Vec<u64>>,
    /// What the rules of each contest make of them.
    #[serde(default)]
    pub(crate) decisions: Vec<DecisionView>,
}

/// What quorum, majority and tie rule of a contest make of its counts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct DecisionView {
    /// Who could answer it.
    pub(crate) eligible: ElectorsView,
    /// Whose ballots count.
    pub(crate) ballots: ElectorsView,
    /// Who is marked to vote on paper.
    pub(crate) paper: ElectorsView,
    /// `decided`, `lot`, `runoff`, `no-quorum`, `no-majority` or `withheld`.
    pub(crate) finding: String,
    /// Numbers of the options that won, most votes first.
    pub(crate) winners: Vec<u16>,
    /// Numbers of the options that compete for the seats still open.
    pub(crate) tied: Vec<u16>,
}

/// Voters and their total weight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ElectorsView {
    /// How many.
    pub(crate) voters: u32,
    /// Their total weight.
    pub(crate) weight: u64,
}

/// `GET /elections/{id}/roll`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct RollChunks {
    /// Canonical chunks.
    pub(crate) chunks: Vec<Octets>,
}

/// `GET /elections/{id}/credentials/{key}`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct CredentialView {
    /// Whether the key is on the roll.
    pub(crate) on_roll: bool,
    /// Group of the credential, which decides its contests.
    #[serde(default)]
    pub(crate) group: u8,
    /// Why it has no online vote.
    #[serde(default)]
    pub(crate) barred: Option<String>,
    /// The credential's last accepted ballot.
    pub(crate) last: Option<LastBallot>,
}

/// See [`CredentialView`].
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct LastBallot {
    /// Its number in the chain.
    pub(crate) seq: u32,
    /// SHA-256 of its bytes, hex.
    pub(crate) hash: String,
}

/// Who has voted.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct TurnoutView {
    /// Voters.
    pub(crate) voters: u64,
    /// Ballots, replaced ones included.
    pub(crate) ballots: u64,
    /// Voters on the roll.
    pub(crate) roll_voters: u64,
}

/// `GET /elections/{id}/ceremony`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct CeremonyMessages {
    /// All that were posted.
    pub(crate) messages: Vec<CeremonyMessage>,
}

/// One message of the key ceremony.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct CeremonyMessage {
    /// Round, from 1; attempt a has the rounds 3a+1 to 3a+3.
    pub(crate) round: u8,
    /// Number of the trustee, from 1.
    pub(crate) trustee: u8,
    /// The message.
    pub(crate) message: Octets,
}

/// `GET /elections/{id}/leaves`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Leaves {
    /// The leaves from `from` on, as many as fit.
    pub(crate) leaves: Vec<Octets>,
    /// Where to go on, if there are more.
    #[serde(default)]
    pub(crate) next: Option<u64>,
}

/// `GET /node`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct NodeView {
    /// Authorities known to this node.
    pub(crate) authorities: Vec<AuthorityView>,
}

/// An authority's number and key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
pub(crate) struct AuthorityView {
    /// Number, from 1.
    pub(crate) index: u8,
    /// Verifier key as text.
    pub(crate) vkey: String,
}

/// `POST /elections/{id}/ballots`.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct SubmitAnswer {
    /// `ordered` or `final`.
    pub(crate) state: String,
    /// The receipt, when final.
    #[serde(default)]
    pub(crate) receipt: Option<String>,
}

//! What administrators and trustees send, and how it becomes an [`Act`].

use crate::{Problem, encoding};
use authority::Act;
use bytes::Bytes;
use election::{SignedOrder, Succession};
use serde::{Deserialize, Serialize};

/// `POST /elections`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CreateBody {
    /// Canonical bytes of the draft, base64.
    #[serde(deserialize_with = "encoding::base64_bytes::deserialize")]
    draft: Bytes,
    /// The administrator's signature over it, base64.
    #[serde(deserialize_with = "encoding::signature::deserialize")]
    signature: [u8; 64],
}

/// `PUT /elections/{id}/roll`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RollBody {
    /// Canonical chunks, base64.
    chunks: Vec<Chunk>,
}

#[derive(Debug, Deserialize)]
#[serde(transparent)]
struct Chunk(#[serde(deserialize_with = "encoding::base64_bytes::deserialize")] Bytes);

/// `POST /elections/{id}/ceremony`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CeremonyBody {
    /// Round, from 1.
    round: u8,
    /// Number of the trustee, from 1.
    trustee: u8,
    /// The message, base64.
    #[serde(deserialize_with = "encoding::base64_bytes::deserialize")]
    message: Bytes,
}

/// `POST /elections/{id}/manifest`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SealBody {
    /// Canonical bytes of the manifest, base64.
    #[serde(deserialize_with = "encoding::base64_bytes::deserialize")]
    manifest: Bytes,
    /// The administrator's signature, base64.
    #[serde(deserialize_with = "encoding::signature::deserialize")]
    signature: [u8; 64],
}

/// `POST /elections/{id}/endorsements`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EndorseBody {
    /// Number of the trustee, from 1.
    trustee: u8,
    /// Its signature on the manifest's fingerprint, base64.
    #[serde(deserialize_with = "encoding::signature::deserialize")]
    signature: [u8; 64],
}

/// `POST /elections/{id}/open` and `…/close`.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SignedBody {
    /// The administrator's signature, base64.
    #[serde(with = "encoding::signature")]
    pub(crate) signature: [u8; 64],
}

/// `POST /elections/{id}/orders`.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OrderBody {
    /// Kind of the entry, then its body, base64.
    #[serde(with = "encoding::base64_bytes")]
    pub(crate) order: Bytes,
}

/// `POST /elections/{id}/shares`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ShareBody {
    /// Number of the trustee, from 1.
    trustee: u8,
    /// Canonical bytes of the share, base64.
    #[serde(deserialize_with = "encoding::base64_bytes::deserialize")]
    share: Bytes,
}

/// `POST /elections/{id}/result`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ResultBody {
    /// Canonical bytes of the result, base64.
    #[serde(deserialize_with = "encoding::base64_bytes::deserialize")]
    result: Bytes,
}

/// `POST /elections/{id}/successions`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AgreeBody {
    /// Which change of a key in the election, from 1.
    generation: u32,
    /// Number of the authority that gets a new key.
    authority: u8,
    /// The new key, base64.
    #[serde(deserialize_with = "encoding::base64_bytes::deserialize")]
    key: Bytes,
    /// Number of the authority that agrees.
    signer: u8,
    /// Its signature, base64.
    #[serde(deserialize_with = "encoding::signature::deserialize")]
    signature: [u8; 64],
}

impl AgreeBody {
    /// The act that it asks for.
    ///
    /// # Errors
    /// When the key has another length.
    pub(crate) fn act(self) -> Result<Act, Problem> {
        let Self { generation, authority, key, signer, signature } = self;
        let found = key.len();
        let key = <[u8; 32]>::try_from(&key[..])
            .map_err(|_| Problem::malformed(format!("a key has 32 bytes, this one has {found}")))?;
        let succession = Succession { generation, authority, key };
        Ok(Act::Agree { succession, signer, signature })
    }
}

impl OrderBody {
    /// The order that it holds.
    ///
    /// # Errors
    /// What is wrong with its bytes.
    pub(crate) fn decode(&self) -> Result<SignedOrder, Problem> {
        SignedOrder::decode_with_kind(&self.order)
            .map_err(|error| Problem::malformed(error.to_string()))
    }
}

impl CreateBody {
    /// The canonical bytes.
    pub(crate) fn draft(&self) -> &[u8] {
        &self.draft
    }
}

impl From<CreateBody> for Act {
    fn from(body: CreateBody) -> Self {
        Self::Create { draft: body.draft, signature: body.signature }
    }
}

impl From<RollBody> for Act {
    fn from(body: RollBody) -> Self {
        Self::ImportRoll { chunks: body.chunks.into_iter().map(|chunk| chunk.0).collect() }
    }
}

impl From<CeremonyBody> for Act {
    fn from(body: CeremonyBody) -> Self {
        Self::Ceremony { round: body.round, trustee: body.trustee, message: body.message }
    }
}

impl From<SealBody> for Act {
    fn from(body: SealBody) -> Self {
        Self::Seal { manifest: body.manifest, signature: body.signature }
    }
}

impl From<EndorseBody> for Act {
    fn from(body: EndorseBody) -> Self {
        Self::Endorse { trustee: body.trustee, signature: body.signature }
    }
}

impl From<ShareBody> for Act {
    fn from(body: ShareBody) -> Self {
        Self::Share { trustee: body.trustee, share: body.share }
    }
}

impl From<ResultBody> for Act {
    fn from(body: ResultBody) -> Self {
        Self::Result { result: body.result }
    }
}

//! Bytes in JSON: base64 (RFC 4648, with padding) for contents, hex for short names.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Deserializer, de::Error};

/// As base64.
pub(crate) fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// For `#[serde(deserialize_with = "encoding::base64_bytes::deserialize")]`.
pub(crate) mod base64_bytes {
    use super::{Deserialize, Deserializer, Engine, Error, STANDARD};
    use bytes::Bytes;
    use serde::Serializer;

    pub(crate) fn serialize<S: Serializer>(bytes: &Bytes, out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(&STANDARD.encode(bytes))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<Bytes, D::Error> {
        let text = String::deserialize(input)?;
        STANDARD.decode(text).map(Bytes::from).map_err(|e| D::Error::custom(format!("base64: {e}")))
    }
}

/// A 64-byte signature as base64, for `#[serde(with = "encoding::signature")]`.
pub(crate) mod signature {
    use super::{Deserialize, Deserializer, Engine, Error, STANDARD};
    use serde::Serializer;

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8; 64], out: S) -> Result<S::Ok, S::Error> {
        out.serialize_str(&STANDARD.encode(bytes))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(input: D) -> Result<[u8; 64], D::Error> {
        let text = String::deserialize(input)?;
        let bytes = STANDARD.decode(text).map_err(|e| D::Error::custom(format!("base64: {e}")))?;
        let found = bytes.len();
        bytes.try_into().map_err(|_| {
            D::Error::custom(format!("a signature has 64 bytes, this one has {found}"))
        })
    }
}

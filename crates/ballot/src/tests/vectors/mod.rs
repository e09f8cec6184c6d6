//! Frozen bytes: the files in `spec/vectors/` are made from seeds here and must stay as they are.
//! `BLESS=1 cargo test -p ballot vectors` writes them; a change is a new version of the format.
//!
//! Everything is lower-case hex or plain numbers. `draws` lists the bytes of every random draw in
//! order (64 bytes for each scalar, reduced modulo ℓ), so another implementation that takes its
//! randomness from there must make the same bytes. Each file is read back and every vector in it
//! tried through the public door.

mod ballot;
mod ceremony;
mod credential;
mod tally;

use std::string::String;
use std::vec::Vec;

use serde_json::Value;

use super::TestRng;

pub(crate) fn hex(bytes: impl AsRef<[u8]>) -> Value {
    Value::String(::hex::encode(bytes))
}

pub(crate) fn bytes(value: &Value) -> Vec<u8> {
    ::hex::decode(text(value)).expect("vectors are hex")
}

pub(crate) fn array<const N: usize>(value: &Value) -> [u8; N] {
    bytes(value).try_into().expect("a vector of this length")
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

pub(crate) fn number(value: &Value) -> u64 {
    value.as_u64().expect("a number")
}

pub(crate) fn list(value: &Value) -> &[Value] {
    value.as_array().expect("a list")
}

/// What `rng` drew since the last call.
pub(crate) fn draws(rng: &mut TestRng) -> Value {
    core::mem::take(&mut rng.draws).iter().map(hex).collect()
}

/// Compares with the file, or writes it under `BLESS=1`; gives the file as it stands.
pub(crate) fn frozen(name: &str, made: &Value) -> Value {
    let path = testkit::repo_root().join("spec/vectors").join(name);
    let mut made: String = serde_json::to_string_pretty(made).expect("plain data");
    made.push('\n');
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(&path, &made).expect("spec/vectors can be written");
    }
    let found = std::fs::read_to_string(&path).expect("the vectors are in the repository");
    let differs = found.lines().zip(made.lines()).find(|(found, made)| found != made);
    assert_eq!(differs, None, "{name} changed: the format is frozen");
    assert_eq!(found.len(), made.len(), "{name} changed: the format is frozen");
    serde_json::from_str(&found).expect("the vectors are JSON")
}

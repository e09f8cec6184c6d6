//! A hook as it lies in the store, and what may become of a delivery; no clock, no network.
//!
//! A hook holds places (how far it has told) and at most one delivery on its way. The bytes of a
//! delivery are fixed before it is sent and carry a number, so that a receiver sees the same
//! delivery under the same id however often it comes, and never two of them out of order. What is
//! not told yet needs no room: it is read from the ledger when its turn comes.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// First wait before another try, in milliseconds; each later one is twice as long.
const WAIT_MS: u64 = 2_000;

/// Longest wait, in milliseconds.
const WAIT_MS_MAX: u64 = 15 * 60_000;

/// How a secret begins, so that people and scanners know it.
const SECRET_PREFIX: &str = "whsec_";

/// What a hook tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Topic {
    /// An entry has its place in the order.
    Ordered,
    /// Leaves have become final.
    Final,
    /// An entry is no leaf.
    Refused,
    /// The phase has changed.
    Phase,
    /// There is a new cosigned checkpoint.
    Checkpoint,
}

/// What an administrator has asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Hook {
    pub(crate) url: String,
    pub(crate) topics: Vec<Topic>,
    /// 32 bytes, base64.
    pub(crate) secret: String,
    pub(crate) by: String,
    /// Milliseconds since 1970 UTC.
    pub(crate) created_ms: u64,
}

/// How far a hook has told.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Places {
    /// Number of the last entry.
    pub(crate) entry: u64,
    pub(crate) final_size: u64,
    pub(crate) phase: String,
}

/// One delivery on its way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Delivery {
    /// JSON, as it is sent.
    pub(crate) body: String,
    /// Where the hook is when it has arrived.
    pub(crate) then: Places,
    pub(crate) tries: u32,
    /// Not before this, milliseconds since 1970 UTC.
    pub(crate) not_before_ms: u64,
}

/// What lies in the store beside the hook.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct State {
    /// Number of the delivery on its way, or of the next one, from 1.
    pub(crate) seq: u64,
    pub(crate) places: Places,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) delivery: Option<Delivery>,
    /// When the last delivery arrived, milliseconds since 1970 UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) arrived_ms: Option<u64>,
    /// Why the last try failed; absent after one that did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) trouble: Option<String>,
    /// The receiver has said that it is gone for good.
    #[serde(default)]
    pub(crate) gone: bool,
}

/// How a try went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// 2xx.
    Arrived,
    /// 410: never again.
    Gone,
    /// Anything else.
    NotNow(String),
}

impl State {
    /// With a delivery on its way.
    pub(crate) fn with(&self, body: String, then: Places, now_ms: u64) -> Self {
        let delivery = Delivery { body, then, tries: 0, not_before_ms: now_ms };
        Self { delivery: Some(delivery), ..self.clone() }
    }

    /// The delivery that is to be tried now.
    pub(crate) fn due(&self, now_ms: u64) -> Option<&Delivery> {
        self.delivery.as_ref().filter(|delivery| !self.gone && now_ms >= delivery.not_before_ms)
    }

    /// After a try.
    pub(crate) fn after(&self, outcome: Outcome, now_ms: u64) -> Self {
        let Some(delivery) = &self.delivery else { return self.clone() };
        match outcome {
            Outcome::Arrived => Self {
                seq: self.seq + 1,
                places: delivery.then.clone(),
                delivery: None,
                arrived_ms: Some(now_ms),
                trouble: None,
                gone: false,
            },
            Outcome::Gone => {
                let trouble = Some("The receiver says that it is gone (410).".to_owned());
                Self { gone: true, trouble, ..self.clone() }
            }
            Outcome::NotNow(trouble) => {
                let wait = (WAIT_MS << delivery.tries.min(16)).min(WAIT_MS_MAX);
                let (tries, not_before_ms) = (delivery.tries.saturating_add(1), now_ms + wait);
                let delivery = Delivery { tries, not_before_ms, ..delivery.clone() };
                Self { delivery: Some(delivery), trouble: Some(trouble), ..self.clone() }
            }
        }
    }
}

/// How a secret is shown, once.
pub(crate) fn show_secret(secret: &[u8; 32]) -> String {
    format!("{SECRET_PREFIX}{}", STANDARD.encode(secret))
}

/// The headers that make a delivery trustworthy, as "Standard Webhooks" has them: id, time in
/// seconds, HMAC-SHA256 over both and the body.
pub(crate) fn headers(
    hook: &Hook,
    id: &str,
    now_s: u64,
    body: &str,
) -> [(&'static str, String); 3] {
    let secret = STANDARD.decode(&hook.secret).unwrap_or_default();
    let signature = hmac_sha256(&secret, format!("{id}.{now_s}.{body}").as_bytes());
    [
        ("webhook-id", id.to_owned()),
        ("webhook-timestamp", now_s.to_string()),
        ("webhook-signature", format!("v1,{}", STANDARD.encode(signature))),
    ]
}

/// HMAC with SHA-256 (RFC 2104).
fn hmac_sha256(key: &[u8], message: &[u8]) -> [u8; 32] {
    let mut block = [0; 64];
    match key.len() {
        0..=64 => block[..key.len()].copy_from_slice(key),
        _ => block[..32].copy_from_slice(&Sha256::digest(key)),
    }
    let inner = Sha256::new().chain_update(block.map(|byte| byte ^ 0x36)).chain_update(message);
    let outer = Sha256::new().chain_update(block.map(|byte| byte ^ 0x5c));
    outer.chain_update(inner.finalize()).finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_the_one_of_the_standards() {
        // RFC 4231, cases 1, 2 and 6.
        let check = |key: &[u8], message: &str, expect: &str| {
            assert_eq!(hex::encode(hmac_sha256(key, message.as_bytes())), expect);
        };
        let hi = "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7";
        check(&[0x0b; 20], "Hi There", hi);
        let jefe = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        check(b"Jefe", "what do ya want for nothing?", jefe);
        let long = "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54";
        check(&[0xaa; 131], "Test Using Larger Than Block-Size Key - Hash Key First", long);
    }

    #[test]
    fn a_delivery_is_tried_until_it_arrives_and_keeps_its_number() {
        let places = Places { entry: 4, ..Places::default() };
        let mut state =
            State { seq: 1, ..State::default() }.with("{}".to_owned(), places.clone(), 0);
        let mut now = 0;
        let mut waits = Vec::new();
        for _ in 0..12 {
            let before = state.due(now).expect("it is time").clone();
            state = state.after(Outcome::NotNow("HTTP 500".to_owned()), now);
            assert_eq!((state.seq, state.due(now)), (1, None));
            let after = state.delivery.as_ref().expect("it waits");
            assert_eq!(before.body, after.body);
            waits.push((after.not_before_ms - now) / 1000);
            now = after.not_before_ms;
        }
        assert_eq!(waits, [2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900, 900]);
        let arrived = state.after(Outcome::Arrived, now);
        assert_eq!((arrived.seq, &arrived.places, &arrived.trouble), (2, &places, &None));
        assert_eq!(arrived.due(u64::MAX), None);
        let gone = state.after(Outcome::Gone, now);
        assert!(gone.gone && gone.due(u64::MAX).is_none());
    }
}

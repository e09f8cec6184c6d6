//! Mail as it lies in the store, and what may become of it; no clock, no network.
//!
//! ```text
//! queued ──claim──► sending ──┬─► sent
//!    ▲                        ├─► queued   the server said "later", or was not reached: again
//!    │                        ├─► failed   the server said no, or said "later" too often
//!    │                        └─► unknown  the node fell while it was sending
//!    └───────── a person says "again" ─────────┘ (failed, unknown)
//! ```
//!
//! A message is sent by whoever claims it first, and a claim is given up by nobody but its node
//! (or that node's lease). What was being sent when a node fell may have arrived or not; it is
//! never sent again by itself: two letters to everybody are worse than one that a person repeats.

use super::Outcome;
use serde::{Deserialize, Serialize};

/// Tries before a message counts as failed.
const TRIES_MAX: u32 = 8;

/// First wait before another try, in milliseconds; each later one is twice as long.
const WAIT_MS: u64 = 15_000;

/// Longest wait, in milliseconds.
const WAIT_MS_MAX: u64 = 30 * 60_000;

/// Where a message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Status {
    Queued,
    Sending,
    Sent,
    Failed,
    Unknown,
}

/// One message to one recipient.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Item {
    /// `reminder`, `result` or `notice`.
    pub(crate) kind: String,
    pub(crate) to: String,
    pub(crate) subject: String,
    pub(crate) text: String,
    /// Who queued it.
    pub(crate) by: String,
    /// When, milliseconds since 1970 UTC.
    pub(crate) created_ms: u64,
    pub(crate) status: Status,
    pub(crate) tries: u32,
    /// Not before this, milliseconds since 1970 UTC.
    pub(crate) not_before_ms: u64,
    /// When it took its present status.
    pub(crate) changed_ms: u64,
    /// What the mail server said last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) said: Option<String>,
}

impl Item {
    /// The item as its sender holds it, or `None` when it is not its time.
    pub(crate) fn claimed(&self, now_ms: u64) -> Option<Self> {
        let is_due = self.status == Status::Queued && now_ms >= self.not_before_ms;
        let (status, tries) = (Status::Sending, self.tries + 1);
        is_due.then(|| Self { status, tries, changed_ms: now_ms, ..self.clone() })
    }

    /// The item after a try.
    pub(crate) fn after(&self, outcome: Outcome, now_ms: u64) -> Self {
        let (status, said) = match outcome {
            Outcome::Taken => (Status::Sent, None),
            Outcome::Refused(said) => (Status::Failed, Some(said)),
            Outcome::NotNow(said) if self.tries >= TRIES_MAX => (Status::Failed, Some(said)),
            Outcome::NotNow(said) => (Status::Queued, Some(said)),
            Outcome::Unknown(said) => (Status::Unknown, Some(said)),
        };
        let wait = (WAIT_MS << self.tries.saturating_sub(1).min(16)).min(WAIT_MS_MAX);
        Self { status, said, not_before_ms: now_ms + wait, changed_ms: now_ms, ..self.clone() }
    }

    /// The item after its sender's node fell.
    pub(crate) fn orphaned(&self, now_ms: u64) -> Option<Self> {
        let said = "The node fell while it was sending; it may have arrived.".to_owned();
        (self.status == Status::Sending).then(|| self.after(Outcome::Unknown(said), now_ms))
    }

    /// The item after a person said "again"; only what has failed, or may have.
    pub(crate) fn again(&self, now_ms: u64) -> Option<Self> {
        let may = matches!(self.status, Status::Failed | Status::Unknown);
        may.then(|| Self {
            status: Status::Queued,
            tries: 0,
            not_before_ms: now_ms,
            changed_ms: now_ms,
            ..self.clone()
        })
    }
}

/// What may stand in mail from a node: no code, no link that carries one.
///
/// # Errors
/// A sentence.
pub(crate) fn check_text(text: &str) -> Result<(), String> {
    let secret = "mail from nodes holds no voting codes and no links that carry one; the issuer \
                  sends those";
    let is_code = |word: &str| word.parse::<ballot::Code>().is_ok();
    let words: Vec<&str> = text.split_whitespace().collect();
    // A code is written in groups; blanks between them hide it from no one.
    let windows = (1..=8).flat_map(|length| words.windows(length));
    if windows.into_iter().any(|window| is_code(&window.join("-"))) {
        return Err(secret.to_owned());
    }
    let has_fragment = |word: &str| word.contains("://") && word.contains('#');
    if words.iter().copied().any(has_fragment) {
        return Err(secret.to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item() -> Item {
        Item {
            kind: "reminder".to_owned(),
            to: "ada@example.org".to_owned(),
            subject: "s".to_owned(),
            text: "t".to_owned(),
            by: "bob".to_owned(),
            created_ms: 0,
            status: Status::Queued,
            tries: 0,
            not_before_ms: 0,
            changed_ms: 0,
            said: None,
        }
    }

    #[test]
    fn a_message_is_claimed_once() {
        let claimed = item().claimed(5).expect("due");
        assert_eq!((claimed.status, claimed.tries), (Status::Sending, 1));
        assert_eq!(claimed.claimed(6), None);
        assert_eq!(claimed.again(6), None, "nobody can queue what is being sent");
        let sent = claimed.after(Outcome::Taken, 7);
        assert_eq!((sent.status, sent.claimed(8), sent.again(8)), (Status::Sent, None, None));
    }

    #[test]
    fn a_node_that_falls_leaves_a_question_and_no_second_letter() {
        let claimed = item().claimed(5).expect("due");
        let orphan = claimed.orphaned(9).expect("it was being sent");
        assert_eq!((orphan.status, orphan.claimed(u64::MAX)), (Status::Unknown, None));
        assert!(orphan.again(10).is_some(), "a person may");
        assert_eq!(item().orphaned(9), None);
    }

    #[test]
    fn later_means_later_and_not_for_ever() {
        let mut item = item();
        let mut waits = Vec::new();
        let mut now = 0;
        while let Some(claimed) = item.claimed(now) {
            item = claimed.after(Outcome::NotNow("451".to_owned()), now);
            waits.push((item.not_before_ms - now) / 1000);
            now = item.not_before_ms;
        }
        assert_eq!(waits, [15, 30, 60, 120, 240, 480, 960, 1800]);
        assert_eq!((item.status, item.tries), (Status::Failed, TRIES_MAX));
        let refused =
            self::item().claimed(0).expect("due").after(Outcome::Refused("550".into()), 1);
        assert_eq!(refused.status, Status::Failed);
    }

    #[test]
    fn codes_are_refused_however_they_are_written() {
        let code = ballot::Code::from_bytes([7; 15]).to_string();
        let spaced = code.replace('-', " ");
        for text in [&code, &spaced, &format!("your code:\n{code}\nkeep it"), &code.to_lowercase()]
        {
            assert!(check_text(text).is_err(), "{text}");
        }
        assert!(check_text("vote at https://v.test/booth#c=abc now").is_err());
        assert!(check_text("The election closes on Friday: https://v.test/e/1").is_ok());
    }
}

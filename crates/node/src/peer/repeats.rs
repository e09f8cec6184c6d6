//! What is said once a minute instead of ten times a second: a peer with another configuration
//! comes again and again, and each time is refused for the same reason.

use std::time::{Duration, Instant};

/// The same text is said again after this time.
const AGAIN_AFTER: Duration = Duration::from_secs(60);

/// The last text that was said.
#[derive(Debug, Default)]
pub(super) struct Repeats(Option<(String, Instant)>);

impl Repeats {
    /// Whether `text` is to be said `now`.
    pub(super) fn is_new(&mut self, text: &str, now: Instant) -> bool {
        let is_said = self.0.as_ref().is_some_and(|(last, since)| {
            last == text && now.saturating_duration_since(*since) < AGAIN_AFTER
        });
        if !is_said {
            self.0 = Some((text.to_owned(), now));
        }
        !is_said
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_is_said_once_a_minute() {
        let (mut repeats, start) = (Repeats::default(), Instant::now());
        let mut said = |text, after_s| repeats.is_new(text, start + Duration::from_secs(after_s));
        assert!(said("refused", 0));
        assert!(!said("refused", 1));
        assert!(said("reset", 2));
        assert!(said("refused", 3));
        assert!(!said("refused", 62));
        assert!(said("refused", 63));
    }
}

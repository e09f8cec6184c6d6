//! The name of a request, the same in every log line and answer about it, at every hop.
//!
//! A caller (or a proxy, or another node) may bring one in `x-request-id`; otherwise the node
//! makes one. Letters, digits and dashes only: it ends up in logs.

use std::sync::atomic::{AtomicU64, Ordering};

/// Longest id that is taken over.
const LENGTH_MAX: usize = 64;

tokio::task_local! {
    static CURRENT: String;
}

/// Numbers the requests of this process.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// The id of the request that this task serves.
pub(crate) fn current() -> String {
    CURRENT.try_with(Clone::clone).unwrap_or_else(|_| "none".to_owned())
}

/// The caller's id if it is one, else a new one of this node.
pub(crate) fn of(header: Option<&str>, node: u64) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    match header {
        Some(id) if (8..=LENGTH_MAX).contains(&id.len()) && id.bytes().all(is_plain) => {
            id.to_owned()
        }
        _ => {
            let (now, count) = (crate::clock::seconds(), NEXT.fetch_add(1, Ordering::Relaxed));
            format!("n{node}-{now:x}-{count:x}")
        }
    }
}

/// Runs `work` under this id.
pub(crate) async fn under<T>(id: String, work: impl Future<Output = T>) -> T {
    CURRENT.scope(id, work).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_ids_are_taken_over_only_if_they_are_harmless() {
        assert_eq!(of(Some("0af76519-16cd43dd"), 1), "0af76519-16cd43dd");
        for harmful in ["short", "a\nb234567", "x".repeat(65).as_str(), "with blank", "ä2345678"] {
            assert!(of(Some(harmful), 7).starts_with("n7-"), "{harmful:?}");
        }
        assert_ne!(of(None, 1), of(None, 1));
    }
}

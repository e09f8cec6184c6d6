//! The operating system's randomness.

use crate::Problem;

/// Random bytes.
///
/// # Errors
/// 503 when the system gives none; nothing secret is made then.
pub(crate) fn bytes<const N: usize>() -> Result<[u8; N], Problem> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|error| {
        tracing::error!(%error, "the operating system gives no randomness");
        Problem::unavailable("This node has no randomness at the moment; ask another one.")
    })?;
    Ok(bytes)
}

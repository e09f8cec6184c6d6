//! The place of a request in a trace (W3C Trace Context), so that what several nodes do for one
//! request is seen as one thing.
//!
//! A caller may bring `traceparent`; otherwise a trace begins here. The span of each request
//! carries the ids as fields under the target [`TARGET`]; whoever exports traces reads them there
//! (`quorate::telemetry`). Log lines do not show it: they have the request id.

use crate::random;
use axum::http::HeaderValue;

/// Target of the spans that are exported.
pub const TARGET: &str = "otlp";

tokio::task_local! {
    static CURRENT: Context;
}

/// Where a request stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Context {
    trace: [u8; 16],
    /// The span of this node.
    span: [u8; 8],
    /// The caller's span.
    parent: Option<[u8; 8]>,
    /// Whether the caller wants it to be kept.
    is_sampled: bool,
}

impl Context {
    /// The context of a request with this `traceparent`, if it has one that can be read.
    pub(crate) fn of(header: Option<&str>) -> Self {
        let own: [u8; 24] = random::bytes().unwrap_or_default();
        let (fresh_trace, fresh_span) = own.split_at(16);
        let copied = |bytes: &[u8]| bytes.try_into().unwrap_or_default();
        let span = copied(fresh_span);
        match header.and_then(parse) {
            Some((trace, parent, is_sampled)) => {
                Self { trace, span, parent: Some(parent), is_sampled }
            }
            None => {
                let trace = fresh_trace.try_into().unwrap_or_default();
                Self { trace, span, parent: None, is_sampled: true }
            }
        }
    }

    /// The trace's id, hex.
    pub(crate) fn trace(&self) -> String {
        hex::encode(self.trace)
    }

    /// The id of this node's span, hex.
    pub(crate) fn span(&self) -> String {
        hex::encode(self.span)
    }

    /// The id of the caller's span, hex; empty when the trace begins here.
    pub(crate) fn parent(&self) -> String {
        self.parent.map(hex::encode).unwrap_or_default()
    }

    /// Whether it is to be exported.
    pub(crate) fn is_sampled(&self) -> bool {
        self.is_sampled
    }

    /// What the next hop is told.
    fn traceparent(&self) -> String {
        let flags = u8::from(self.is_sampled);
        format!("00-{}-{}-{flags:02x}", self.trace(), self.span())
    }
}

/// Runs `work` in this context.
pub(crate) async fn under<T>(context: Context, work: impl Future<Output = T>) -> T {
    CURRENT.scope(context, work).await
}

/// `traceparent` for a call to another node on behalf of the present request.
pub(crate) fn for_next_hop() -> Option<HeaderValue> {
    let text = CURRENT.try_with(Context::traceparent).ok()?;
    HeaderValue::from_str(&text).ok()
}

/// Trace, span and whether it is sampled. Later versions may append parts; zeros are no ids.
fn parse(header: &str) -> Option<([u8; 16], [u8; 8], bool)> {
    let mut parts = header.trim().splitn(5, '-');
    let [version, trace, span, flags] = [(); 4].map(|()| parts.next());
    let is_lower = |text: &str| text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if ![version?, trace?, span?, flags?].into_iter().all(is_lower) {
        return None;
    }
    let version: [u8; 1] = hex::decode(version?).ok()?.try_into().ok()?;
    if version == [0xff] || (version == [0] && parts.next().is_some()) {
        return None;
    }
    let trace: [u8; 16] = hex::decode(trace?).ok()?.try_into().ok()?;
    let span: [u8; 8] = hex::decode(span?).ok()?.try_into().ok()?;
    let flags: [u8; 1] = hex::decode(flags?).ok()?.try_into().ok()?;
    (trace != [0; 16] && span != [0; 8]).then_some((trace, span, flags[0] & 1 == 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

    #[test]
    fn a_trace_goes_on_with_a_span_of_its_own() {
        let context = Context::of(Some(GOOD));
        assert_eq!(context.trace(), "0af7651916cd43dd8448eb211c80319c");
        assert_eq!(context.parent(), "b7ad6b7169203331");
        assert_ne!(context.span(), context.parent());
        let next = Context::of(Some(&context.traceparent()));
        assert_eq!((next.trace(), next.parent()), (context.trace(), context.span()));
        let fresh = Context::of(None);
        assert_eq!((fresh.parent().as_str(), fresh.is_sampled()), ("", true));
        assert_ne!(fresh.trace(), Context::of(None).trace());
    }

    #[test]
    fn what_is_no_trace_context_is_none() {
        assert!(parse(GOOD).is_some_and(|(_, _, is_sampled)| is_sampled));
        assert!(parse(&GOOD.replace("-01", "-00")).is_some_and(|(_, _, sampled)| !sampled));
        assert!(parse(&format!("{}-more", GOOD.replacen("00", "01", 1))).is_some(), "a later one");
        for wrong in [
            "",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            &format!("{GOOD}-more"),
            &GOOD.to_uppercase(),
            &GOOD.replacen("00", "ff", 1),
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0af7-b7ad6b7169203331-01",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}

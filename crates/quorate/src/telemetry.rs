//! Traces for an OpenTelemetry collector: OTLP over HTTP with protobuf, off unless an endpoint is
//! given.
//!
//! The gateway's spans carry the ids of the trace (`gateway::trace`). A layer of `tracing`
//! collects those that end; a thread sends them in batches. The collector is nothing that an
//! election waits for: when it is away or slow, spans are dropped, and one log line says so.
//!
//! The messages are written by hand ([`wire`]): seven small ones of a frozen format, instead of
//! three crates that change together at every minor version (decision 15).

mod layer;
mod wire;

pub(crate) use layer::TraceLayer;

use prost::Message;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use wire::{ExportRequest, Span};

/// Spans that may wait; more are dropped.
const QUEUE_MAX: usize = 4096;

/// Spans in one message.
const BATCH_MAX: usize = 512;

/// A span waits no longer for others to travel with.
const BATCH_EVERY: Duration = Duration::from_secs(1);

/// Longest wait for the collector.
const COLLECTOR_TIMEOUT: Duration = Duration::from_secs(5);

/// Where traces go: to the collector at `base`, unless one of OpenTelemetry's further variables
/// says otherwise; none when nothing is named.
///
/// # Errors
/// A sentence when the address cannot be used.
pub(crate) fn endpoint(base: Option<&str>) -> Result<Option<String>, String> {
    let variable = |name| std::env::var(name).ok().filter(|text: &String| !text.is_empty());
    if variable("OTEL_SDK_DISABLED").as_deref() == Some("true") {
        return Ok(None);
    }
    let traces = variable("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT");
    let whole = |base: &str| format!("{}/v1/traces", base.trim_end_matches('/'));
    let Some(url) = traces.or(base.map(whole)) else { return Ok(None) };
    match reqwest::Url::parse(&url) {
        Ok(parsed) if matches!(parsed.scheme(), "http" | "https") && parsed.has_host() => {
            Ok(Some(url))
        }
        _ => Err(format!("otlp-endpoint: '{url}' is no address; expected http://HOST:4318")),
    }
}

/// Sends what the layer collects; dropping it sends the rest.
pub(crate) struct Exporter {
    spans: Arc<Mutex<Option<SyncSender<Span>>>>,
    thread: Option<JoinHandle<()>>,
}

/// The layer's end.
#[derive(Clone)]
pub(crate) struct Outlet(Arc<Mutex<Option<SyncSender<Span>>>>);

impl Outlet {
    /// Hands a span over; drops it when too many wait: nobody waits for a collector.
    fn send(&self, span: Span) {
        let spans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(spans) = spans.as_ref() {
            let _ = spans.try_send(span);
        }
    }
}

impl Exporter {
    /// Begins to send to `url` in the name of node `node`.
    ///
    /// # Errors
    /// When there is no thread or runtime for it.
    pub(crate) fn start(url: String, node: u64) -> std::io::Result<(Self, Outlet)> {
        let (sender, spans) = sync_channel(QUEUE_MAX);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let resource = wire::resource(&service_name(), node, env!("CARGO_PKG_VERSION"));
        let thread = std::thread::Builder::new().name("traces".to_owned()).spawn(move || {
            gateway::install_tls();
            let http = reqwest::Client::builder().timeout(COLLECTOR_TIMEOUT).build();
            let Ok(http) = http else { return };
            let send = |batch: Vec<Span>| {
                let body = ExportRequest::new(resource.clone(), batch).encode_to_vec();
                runtime.block_on(post(&http, &url, body))
            };
            run(&spans, send);
        })?;
        let spans = Arc::new(Mutex::new(Some(sender)));
        Ok((Self { spans: Arc::clone(&spans), thread: Some(thread) }, Outlet(spans)))
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        // The thread ends with its last batch when nobody can hand it more.
        self.spans.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn service_name() -> String {
    std::env::var("OTEL_SERVICE_NAME").unwrap_or_else(|_| "quorate".to_owned())
}

async fn post(http: &reqwest::Client, url: &str, body: Vec<u8>) -> Result<(), String> {
    let request = http.post(url).header("content-type", "application/x-protobuf").body(body);
    match request.send().await {
        Ok(answer) if answer.status().is_success() => Ok(()),
        Ok(answer) => Err(format!("HTTP {}", answer.status())),
        Err(error) => Err(error.to_string()),
    }
}

/// Gathers batches until nobody sends any more. Tells once when the collector stops taking them,
/// and once when it takes them again.
fn run(spans: &Receiver<Span>, send: impl Fn(Vec<Span>) -> Result<(), String>) {
    let mut lost = 0;
    loop {
        let (batch, is_end) = gather(spans);
        let count = batch.len();
        if count > 0 {
            match send(batch) {
                Ok(()) if lost > 0 => {
                    tracing::info!(target: "node", lost, "the collector takes traces again");
                    lost = 0;
                }
                Ok(()) => {}
                Err(error) => {
                    if lost == 0 {
                        tracing::warn!(target: "node", error, "the collector takes no traces");
                    }
                    lost += count;
                }
            }
        }
        if is_end {
            return;
        }
    }
}

/// One batch, and whether it is the last.
fn gather(spans: &Receiver<Span>) -> (Vec<Span>, bool) {
    let mut batch = Vec::new();
    let Ok(first) = spans.recv() else { return (batch, true) };
    batch.push(first);
    let end = Instant::now() + BATCH_EVERY;
    while batch.len() < BATCH_MAX {
        match spans.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(span) => batch.push(span),
            Err(RecvTimeoutError::Timeout) => break,
            Err(RecvTimeoutError::Disconnected) => return (batch, true),
        }
    }
    (batch, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_goes_out_in_batches_and_the_rest_at_the_end() {
        let (sender, spans) = sync_channel(QUEUE_MAX);
        for number in 0..1200_u64 {
            let span = Span { start_time_unix_nano: number, ..Span::default() };
            sender.send(span).expect("room");
        }
        drop(sender);
        let sent = Mutex::new(Vec::new());
        run(&spans, |batch| {
            assert!(batch.len() <= BATCH_MAX);
            let numbers = batch.iter().map(|span| span.start_time_unix_nano);
            sent.lock().expect("no panic under the lock").extend(numbers);
            // A collector that is away loses spans and holds up nothing.
            Err("away".to_owned())
        });
        assert_eq!(*sent.lock().expect("no panic"), (0..1200).collect::<Vec<u64>>());
    }
}

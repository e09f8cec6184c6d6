//! The layer of `tracing` that turns spans of the gateway into spans of OTLP.

use super::Outlet;
use super::wire::{FAILED, KeyValue, SERVER, Span, Status};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::{SystemTime, UNIX_EPOCH};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use tracing_subscriber::registry::LookupSpan;

/// See the module.
pub(crate) struct TraceLayer {
    pub(crate) outlet: Outlet,
}

/// Fields of a span as it goes.
#[derive(Default)]
struct Fields {
    started_ns: u64,
    texts: BTreeMap<&'static str, String>,
    numbers: BTreeMap<&'static str, u64>,
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.texts.insert(field.name(), value.to_owned());
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.numbers.insert(field.name(), value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.texts.insert(field.name(), format!("{value:?}"));
    }
}

impl<S: tracing::Subscriber + for<'s> LookupSpan<'s>> Layer<S> for TraceLayer {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut fields = Fields { started_ns: now_ns(), ..Fields::default() };
        attributes.record(&mut fields);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(fields);
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(fields) = span.extensions_mut().get_mut::<Fields>()
        {
            values.record(fields);
        }
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let fields = context.span(&id).and_then(|span| span.extensions_mut().remove::<Fields>());
        if let Some(span) = fields.and_then(|fields| span_of(&fields, now_ns())) {
            self.outlet.send(span);
        }
    }
}

/// The span that these fields tell; `None` when they hold no ids.
fn span_of(fields: &Fields, now_ns: u64) -> Option<Span> {
    let text = |name: &str| fields.texts.get(name).map(String::as_str);
    let id = |name: &str| hex::decode(text(name)?).ok().filter(|id| !id.is_empty());
    let (method, route) = (text("method").unwrap_or("?"), text("route").unwrap_or_default());
    let status = fields.numbers.get("status").copied();
    let mut attributes = vec![KeyValue::text("http.request.method", method)];
    if !route.is_empty() {
        attributes.push(KeyValue::text("http.route", route));
    }
    attributes.extend(status.map(|code| KeyValue::number("http.response.status_code", code)));
    attributes.extend(text("request_id").map(|id| KeyValue::text("quorate.request_id", id)));
    let is_failed = status.is_some_and(|status| status >= 500);
    Some(Span {
        trace_id: id("trace_id")?,
        span_id: id("span_id")?,
        parent_span_id: id("parent_id").unwrap_or_default(),
        name: format!("{method} {route}").trim_end().to_owned(),
        kind: SERVER,
        start_time_unix_nano: fields.started_ns,
        end_time_unix_nano: now_ns.max(fields.started_ns),
        attributes,
        status: is_failed.then(|| Status { message: String::new(), code: FAILED }),
    })
}

fn now_ns() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}

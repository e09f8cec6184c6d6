//! The messages of OTLP that carry traces, with their published field numbers
//! (`opentelemetry/proto/collector/trace/v1`, `…/trace/v1`, `…/common/v1`); what is not used is
//! left out.

use prost::Message;

/// Body of a POST to `/v1/traces`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ExportRequest {
    #[prost(message, repeated, tag = "1")]
    pub(crate) resource_spans: Vec<ResourceSpans>,
}

/// Spans of one process.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ResourceSpans {
    #[prost(message, optional, tag = "1")]
    pub(crate) resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    pub(crate) scope_spans: Vec<ScopeSpans>,
}

/// The process.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Resource {
    #[prost(message, repeated, tag = "1")]
    pub(crate) attributes: Vec<KeyValue>,
}

/// Spans of one part of it.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct ScopeSpans {
    #[prost(message, optional, tag = "1")]
    pub(crate) scope: Option<Scope>,
    #[prost(message, repeated, tag = "2")]
    pub(crate) spans: Vec<Span>,
}

/// The part.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Scope {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
}

/// One span.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Span {
    /// 16 bytes.
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) trace_id: Vec<u8>,
    /// 8 bytes.
    #[prost(bytes = "vec", tag = "2")]
    pub(crate) span_id: Vec<u8>,
    /// 8 bytes, or empty.
    #[prost(bytes = "vec", tag = "4")]
    pub(crate) parent_span_id: Vec<u8>,
    #[prost(string, tag = "5")]
    pub(crate) name: String,
    /// See [`SERVER`].
    #[prost(int32, tag = "6")]
    pub(crate) kind: i32,
    #[prost(fixed64, tag = "7")]
    pub(crate) start_time_unix_nano: u64,
    #[prost(fixed64, tag = "8")]
    pub(crate) end_time_unix_nano: u64,
    #[prost(message, repeated, tag = "9")]
    pub(crate) attributes: Vec<KeyValue>,
    #[prost(message, optional, tag = "15")]
    pub(crate) status: Option<Status>,
}

/// `SPAN_KIND_SERVER`.
pub(crate) const SERVER: i32 = 2;

/// How it ended.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Status {
    #[prost(string, tag = "2")]
    pub(crate) message: String,
    /// See [`FAILED`].
    #[prost(int32, tag = "3")]
    pub(crate) code: i32,
}

/// `STATUS_CODE_ERROR`.
pub(crate) const FAILED: i32 = 2;

/// An attribute.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct KeyValue {
    #[prost(string, tag = "1")]
    pub(crate) key: String,
    #[prost(message, optional, tag = "2")]
    pub(crate) value: Option<AnyValue>,
}

/// Its value.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct AnyValue {
    #[prost(oneof = "Value", tags = "1, 3")]
    pub(crate) value: Option<Value>,
}

/// Texts and numbers.
#[derive(Clone, PartialEq, prost::Oneof)]
pub(crate) enum Value {
    #[prost(string, tag = "1")]
    Text(String),
    #[prost(int64, tag = "3")]
    Number(i64),
}

impl KeyValue {
    pub(crate) fn text(key: &str, value: impl Into<String>) -> Self {
        let value = Some(AnyValue { value: Some(Value::Text(value.into())) });
        Self { key: key.to_owned(), value }
    }

    pub(crate) fn number(key: &str, value: u64) -> Self {
        let value = Value::Number(i64::try_from(value).unwrap_or(i64::MAX));
        Self { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }) }
    }
}

impl ExportRequest {
    /// Spans of one process.
    pub(crate) fn new(resource: Resource, spans: Vec<Span>) -> Self {
        let scope = Some(Scope { name: "quorate".to_owned() });
        let scope_spans = vec![ScopeSpans { scope, spans }];
        Self { resource_spans: vec![ResourceSpans { resource: Some(resource), scope_spans }] }
    }
}

/// This process, by the names that OpenTelemetry has for it.
pub(crate) fn resource(service: &str, node: u64, version: &str) -> Resource {
    let attributes = vec![
        KeyValue::text("service.name", service),
        KeyValue::text("service.instance.id", node.to_string()),
        KeyValue::text("service.version", version),
    ];
    Resource { attributes }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_are_those_of_the_published_format() {
        let span = Span {
            trace_id: vec![0xaa; 16],
            span_id: vec![0xbb; 8],
            name: "GET".to_owned(),
            kind: SERVER,
            start_time_unix_nano: 1,
            end_time_unix_nano: 2,
            attributes: vec![KeyValue::number("n", 5)],
            status: Some(Status { message: String::new(), code: FAILED }),
            ..Span::default()
        };
        // Written out field by field: tag, length, value.
        let (trace, parent) = ("aa".repeat(16), "bb".repeat(8));
        let (start, end) = ("0100000000000000", "0200000000000000");
        let expect = format!(
            "0a10{trace}1208{parent}2a03474554300239{start}41{end}4a070a016e120218057a021802"
        );
        assert_eq!(hex::encode(span.encode_to_vec()), expect);
    }
}

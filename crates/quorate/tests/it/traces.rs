//! Traces at a small collector that knows protobuf and nothing of our messages.

use crate::support::{Nodes, Process, free_addresses, http_body, quorate, turn, wait_for};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What a collector got: path, kind and body of each POST.
type Got = Arc<Mutex<Vec<(String, String, Vec<u8>)>>>;

fn collector() -> (SocketAddr, Got) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    let got = Got::default();
    let kept = Arc::clone(&got);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let kept = Arc::clone(&kept);
            std::thread::spawn(move || answer_all(stream, &kept));
        }
    });
    (address, got)
}

/// Answers the requests of one connection.
fn answer_all(stream: TcpStream, kept: &Got) {
    let mut reader = BufReader::new(stream);
    loop {
        let (mut path, mut kind, mut length) = (String::new(), String::new(), 0);
        let mut line = String::new();
        while reader.read_line(&mut line).is_ok_and(|count| count > 2) {
            let lower = line.trim_end().to_lowercase();
            if let Some(rest) = lower.strip_prefix("post ") {
                path = rest.split(' ').next().unwrap_or_default().to_owned();
            } else if let Some(value) = lower.strip_prefix("content-type: ") {
                kind = value.to_owned();
            } else if let Some(value) = lower.strip_prefix("content-length: ") {
                length = value.parse().expect("a number");
            }
            line.clear();
        }
        if path.is_empty() {
            return;
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).expect("the whole body");
        kept.lock().expect("no panic under the lock").push((path, kind, body));
        let _ = reader.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    }
}

/// The fields of a protobuf message: number and bytes (numbers as eight bytes, little-endian).
fn fields(mut bytes: &[u8]) -> Vec<(u64, Vec<u8>)> {
    fn varint(bytes: &mut &[u8]) -> u64 {
        let mut value = 0;
        for shift in (0..).step_by(7) {
            let (byte, rest) = bytes.split_first().expect("not cut short");
            *bytes = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                break;
            }
        }
        value
    }
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let tag = varint(&mut bytes);
        let value = match tag & 7 {
            0 => varint(&mut bytes).to_le_bytes().to_vec(),
            1 => {
                let (value, rest) = bytes.split_at(8);
                bytes = rest;
                value.to_vec()
            }
            2 => {
                let length = usize::try_from(varint(&mut bytes)).expect("short");
                let (value, rest) = bytes.split_at(length);
                bytes = rest;
                value.to_vec()
            }
            other => panic!("wire type {other}"),
        };
        found.push((tag >> 3, value));
    }
    found
}

/// What lies at this path of field numbers.
fn at(bytes: &[u8], path: &[u64]) -> Vec<Vec<u8>> {
    let Some((first, rest)) = path.split_first() else { return vec![bytes.to_vec()] };
    let here = fields(bytes).into_iter().filter(|(number, _)| number == first);
    here.flat_map(|(_, value)| at(&value, rest)).collect()
}

/// Attributes as `name=text`; texts only.
fn attributes(bytes: &[u8], path: &[u64]) -> Vec<String> {
    let text = |bytes: &[u8], path: &[u64]| {
        let found = at(bytes, path).pop().unwrap_or_default();
        String::from_utf8(found).expect("text")
    };
    let all = at(bytes, path);
    all.iter().map(|pair| format!("{}={}", text(pair, &[1]), text(pair, &[2, 1]))).collect()
}

#[test]
fn requests_are_spans_of_the_trace_that_the_caller_began() {
    let _turn = turn();
    let (address, got) = collector();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut nodes = Nodes { folder, addresses: free_addresses(1), processes: vec![None] };
    let mut command = nodes.command(0, quorate());
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{address}/"));
    nodes.processes[0] = Some(Process(command.spawn().expect("the binary starts")));
    nodes.wait_ready();
    let web = nodes.addresses[0].web;
    let mut stream = TcpStream::connect(web).expect("it listens");
    let request = "GET /api/v1/elections?x=1 HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\
                   traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n\
                   x-request-id: traced-request\r\n\r\n";
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("text");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    // Another one, of a trace of its own.
    http_body(&format!("http://{web}/api/v1/version"));

    let span_path = [1, 2, 2];
    let trace = "0af7651916cd43dd8448eb211c80319c";
    let (body, span) = wait_for("the span", || {
        let got = got.lock().expect("no panic under the lock");
        got.iter().find_map(|(path, kind, body)| {
            assert_eq!((path.as_str(), kind.as_str()), ("/v1/traces", "application/x-protobuf"));
            let spans = at(body, &span_path);
            let of_trace = |span: &Vec<u8>| at(span, &[1]).iter().any(|id| hex(id) == trace);
            Some((body.clone(), spans.into_iter().find(of_trace)?))
        })
    });
    let resource = attributes(&body, &[1, 1, 1]);
    assert!(resource.contains(&"service.name=quorate".to_owned()), "{resource:?}");
    assert!(resource.contains(&"service.instance.id=1".to_owned()), "{resource:?}");
    let (own, parent) = (at(&span, &[2]), at(&span, &[4]));
    assert_eq!((hex(&parent[0]).as_str(), own[0].len()), ("b7ad6b7169203331", 8));
    assert_ne!(own, parent);
    assert_eq!(at(&span, &[5]), [b"GET /api/v1/elections".to_vec()], "no query, no ids");
    let about = attributes(&span, &[9]);
    for expect in ["http.route=/api/v1/elections", "quorate.request_id=traced-request"] {
        assert!(about.contains(&expect.to_owned()), "{about:?}");
    }
    let status = at(&span, &[9, 2, 3]);
    assert_eq!(status, [200_u64.to_le_bytes().to_vec()]);
    let time = |number| u64::from_le_bytes(at(&span, &[number])[0][..].try_into().expect("eight"));
    assert!(time(7) > 1_700_000_000_000_000_000 && time(7) <= time(8));
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn an_address_that_is_none_is_told_before_anything_starts() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = quorate();
    command.args(["serve", "--data-dir"]).arg(folder.path());
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318");
    let output = command.output().expect("the binary runs");
    let text = crate::support::said(&output);
    assert!(!output.status.success() && text.contains("expected http://HOST:4318"), "{text}");
}

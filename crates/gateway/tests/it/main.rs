//! The HTTP API over a real authority and a real store in memory, spoken by hand.

mod server;

use server::Server;

const TOKEN: &str = "0123456789abcdef0123";
const NOWHERE: &str = "00000000000000000000000000000000";

#[test]
fn the_service_says_what_it_is() {
    let server = Server::start(TOKEN);
    let about = server.get("/api/v1");
    assert_eq!(about.status, 200);
    assert!(about.body.contains("\"service\":\"quorate\""), "{}", about.body);
    let document = server.get("/api/v1/openapi.json");
    assert!(document.body.contains("\"openapi\": \"3.1.0\""));
    let elections = server.get("/api/v1/elections");
    assert_eq!((elections.status, elections.body.as_str()), (200, "{\"elections\":[]}"));
}

#[test]
fn every_refusal_is_a_problem_with_a_code() {
    let server = Server::start(TOKEN);
    let check = |method: &str, path: &str, body: &str, status: u16, code: &str| {
        let answer = server.request(method, path, &[], body);
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.body);
        assert!(answer.head.contains("application/problem+json"), "{}", answer.head);
        assert!(answer.body.contains(&format!("\"code\":\"{code}\"")), "{}", answer.body);
    };
    check("GET", "/nowhere", "", 404, "not-found");
    check("DELETE", "/api/v1/elections", "", 405, "method-not-allowed");
    check("GET", "/api/v1/elections/xyz", "", 400, "malformed");
    check("GET", &format!("/api/v1/elections/{NOWHERE}"), "", 404, "not-found");
    check("POST", &format!("/api/v1/elections/{NOWHERE}/ballots"), "ballot", 404, "not-found");
    check("GET", &format!("/api/v1/elections/{NOWHERE}/ballots/short"), "", 400, "malformed");
}

#[test]
fn administrative_calls_need_the_token() {
    let server = Server::start(TOKEN);
    let path = "/api/v1/elections";
    let answer = server.request("POST", path, &[("Authorization", "Bearer wrong")], "{}");
    assert_eq!(answer.status, 401);
    assert!(answer.body.contains("\"code\":\"token-required\""), "{}", answer.body);
    let bearer = format!("Bearer {TOKEN}");
    let headers = [("Authorization", bearer.as_str()), ("Content-Type", "application/json")];
    let answer = server.request("POST", path, &headers, "{\"draft\":\"!\",\"signature\":\"\"}");
    assert_eq!(answer.status, 400, "{}", answer.body);
    assert!(answer.body.contains("base64"), "{}", answer.body);
    assert!(!answer.body.contains(TOKEN), "the token is never shown");
}

#[test]
fn grpc_cannot_reach_the_store_here() {
    let server = Server::start(TOKEN);
    // The preface of HTTP/2 with prior knowledge, as every gRPC client sends it.
    let answer = server.raw(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0");
    assert!(!answer.windows(4).any(|bytes| bytes == b"grpc"), "{answer:?}");
    let path = "/etcdserverpb.KV/Put";
    let answer = server.request("POST", path, &[("Content-Type", "application/grpc")], "\0");
    assert_eq!(answer.status, 404);
    assert_eq!(server.store_revision(), server.revision_at_start(), "nothing was written");
}

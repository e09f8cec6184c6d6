//! What every caller meets: refusals, limits, headers, names of requests.

use crate::server::{Server, TOKEN};

const NOWHERE: &str = "00000000000000000000000000000000";

#[test]
fn the_service_says_what_it_is() {
    let server = Server::start();
    let about = server.get("/api/v1").expect(200);
    assert!(about.body.contains("\"service\":\"quorate\""), "{}", about.body);
    let version = server.get("/api/v1/version").expect(200).json();
    assert_eq!((&version["version"], &version["node"]), (&"test".into(), &1.into()));
    assert_eq!(
        (&version["cluster"], &version["draining"]),
        (&"0000000000000007".into(), &false.into())
    );
    server.gateway.drain();
    assert_eq!(server.get("/api/v1/version").json()["draining"], true);
    let document = server.get("/api/v1/openapi.json");
    assert!(document.body.contains("\"openapi\": \"3.1.0\""));
    let elections = server.get("/api/v1/elections").expect(200);
    assert_eq!(elections.body, "{\"elections\":[]}");
}

#[test]
fn every_refusal_is_a_problem_with_a_code() {
    let server = Server::start();
    let check = |method: &str, path: &str, body: &str, status: u16, code: &str| {
        let bearer = format!("Bearer {TOKEN}");
        let answer = server.request(method, path, &[("Authorization", bearer.as_str())], body);
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.body);
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        assert_eq!(answer.json()["code"], code, "{}", answer.body);
        assert_eq!(answer.header("x-request-id"), answer.json()["request_id"].as_str());
    };
    check("GET", "/api/nowhere", "", 404, "not-found");
    check("GET", "/nowhere", "", 404, "not-found");
    check("GET", "/nothing.js", "", 404, "not-found");
    check("DELETE", "/api/v1/elections", "", 405, "method-not-allowed");
    check("BREW", "/api/v1/elections", "", 405, "method-not-allowed");
    check("GET", "/api/v1/elections/xyz", "", 400, "malformed");
    check("GET", "/api/v1/elections/%ff", "", 400, "malformed");
    check("GET", &format!("/api/v1/elections/{NOWHERE}"), "", 404, "not-found");
    check("GET", &format!("/api/v1/elections/{NOWHERE}/leaves?from=x"), "", 400, "malformed");
    check("POST", &format!("/api/v1/elections/{NOWHERE}/ballots"), "ballot", 404, "not-found");
    check("GET", &format!("/api/v1/elections/{NOWHERE}/ballots/short"), "", 400, "malformed");
    check("POST", "/api/v1/accounts", "{}", 415, "unsupported-media-type");
    check("GET", "/api/v1/feed", "", 426, "feed-upgrade");
}

#[test]
fn bodies_are_refused_with_the_place_that_is_wrong() {
    let server = Server::start();
    let check = |body: &str, status: u16, pointer: Option<&str>| {
        let answer = server.call("POST", "/api/v1/accounts", TOKEN, body).expect(status).json();
        assert_eq!(answer["errors"][0]["pointer"].as_str(), pointer, "{answer}");
    };
    check("{", 400, None);
    check("{\"name\":\"a b\",\"display\":\"x\"}", 422, Some("/name"));
    check("{\"name\":\"ada\",\"display\":\"x\",\"password\":\"short\"}", 422, Some("/password"));
    check("{\"name\":\"operator\",\"display\":\"x\"}", 422, Some("/name"));
    check("{\"name\":\"ada\",\"display\":\"x\",\"more\":1}", 422, Some(""));
}

#[test]
fn every_answer_is_safe_in_a_browser_and_public_data_is_shared() {
    let server = Server::start();
    let about = server.get("/api/v1");
    assert_eq!(about.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(about.header("referrer-policy"), Some("no-referrer"));
    let policy = "default-src 'none'; frame-ancestors 'none'";
    assert_eq!(about.header("content-security-policy"), Some(policy));
    assert_eq!(about.header("cache-control"), Some("no-store"));
    assert_eq!(about.header("access-control-allow-origin"), None);
    let checkpoint = server.get(&format!("/api/v1/elections/{NOWHERE}/checkpoint"));
    assert_eq!(checkpoint.header("access-control-allow-origin"), Some("*"));
    assert_eq!(checkpoint.header("access-control-allow-credentials"), None);
    let path = format!("/api/v1/elections/{NOWHERE}/ballots");
    let preflight = server.request("OPTIONS", &path, &[("Origin", "https://other.test")], "");
    assert_eq!(
        (preflight.status, preflight.header("access-control-allow-origin")),
        (204, Some("*"))
    );
    let allowed = preflight.header("access-control-allow-headers").unwrap_or_default();
    assert!(allowed.split(", ").any(|header| header == "authorization"), "{allowed}");
    // The trustees' page is opened from disk: what it reads and posts must be reachable from there.
    for path in ["ceremony", "endorsements", "shares", "result"] {
        let path = format!("/api/v1/elections/{NOWHERE}/{path}");
        let from_disk = [("Origin", "null"), ("Access-Control-Request-Method", "POST")];
        let preflight = server.request("OPTIONS", &path, &from_disk, "");
        assert_eq!(
            (preflight.status, preflight.header("access-control-allow-origin")),
            (204, Some("*")),
            "{path}"
        );
        let refused = server.request("POST", &path, &[("Origin", "null")], "{}");
        assert_eq!(
            (refused.status, refused.header("access-control-allow-origin")),
            (401, Some("*")),
            "{path}"
        );
    }
    let closed = server.request("OPTIONS", "/api/v1/accounts", &[], "");
    assert_eq!((closed.status, closed.header("access-control-allow-origin")), (405, None));
}

#[test]
fn pages_have_a_nonce_of_their_own_each_time() {
    let server = Server::start();
    let nonce = || {
        let page = server.get("/").expect(200);
        assert!(!page.body.contains("__CSP_NONCE__"));
        let policy = page.header("content-security-policy").expect("a policy").to_owned();
        assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
        let (_, rest) = policy.split_once("'nonce-").expect("a nonce");
        let nonce = rest.split('\'').next().expect("its end").to_owned();
        assert!(page.body.contains(&format!("nonce=\"{nonce}\"")), "the page carries it");
        nonce
    };
    assert_ne!(nonce(), nonce());
    let feed = server.get("/feed-test").expect(200);
    assert!(feed.body.contains("WebSocket"));
}

#[test]
fn a_callers_name_for_its_request_is_kept_when_it_is_harmless() {
    let server = Server::start();
    let id = |given: &str| {
        let answer = server.request("GET", "/api/v1", &[("x-request-id", given)], "");
        answer.header("x-request-id").map(str::to_owned)
    };
    assert_eq!(id("trace-0af7651916cd43dd").as_deref(), Some("trace-0af7651916cd43dd"));
    assert!(id("<script>alert</script>").is_some_and(|id| id.starts_with("n1-")));
}

#[test]
fn grpc_cannot_reach_the_store_here() {
    let server = Server::start();
    // The preface of HTTP/2 with prior knowledge, as every gRPC client sends it.
    let answer = server.raw(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0");
    assert!(!answer.windows(4).any(|bytes| bytes == b"grpc"), "{answer:?}");
    let path = "/etcdserverpb.KV/Put";
    let answer = server.request("POST", path, &[("Content-Type", "application/grpc")], "\0");
    assert_eq!(answer.status, 404);
}

#[test]
fn strangers_are_throttled_and_ballots_are_not() {
    let server = Server::start();
    let path = format!("/api/v1/elections/{NOWHERE}/ballots");
    let refused = (0..2000).map(|_| server.get("/api/v1")).find(|answer| answer.status == 429);
    let refused = refused.expect("the burst ends");
    assert!(refused.header("retry-after").is_some(), "{}", refused.head);
    assert_eq!(refused.json()["code"], "too-often");
    let ballot = server.request("POST", &path, &[], "ballot");
    assert_eq!(ballot.json()["code"], "not-found", "a ballot is looked at all the same");
}

//! Logging in at a real OpenID Connect provider.

use crate::server::{Answer, Server, Store, TOKEN};
use crate::tools::{Tool, identity_provider};
use gateway::{OidcSettings, Settings, Standing};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpStream;

/// How browsers reach the node in this test.
const ORIGIN: &str = "http://node.test";

/// As much of a browser as a login needs: cookies by host, redirections.
struct Browser<'s> {
    server: &'s Server,
    cookies: BTreeMap<(String, String), String>,
}

impl Browser<'_> {
    /// Follows redirections until there are none; every address on the way.
    fn open(&mut self, url: &str) -> (Vec<String>, Answer) {
        let mut visited = vec![url.to_owned()];
        loop {
            let url = visited.last().expect("at least the first").clone();
            let answer = self.get(&url);
            let next = match (answer.status, answer.header("location")) {
                (302 | 303, Some(next)) => next.to_owned(),
                _ => return (visited, answer),
            };
            assert!(visited.len() < 12, "going round: {visited:?}");
            let (scheme, rest) = url.split_once("://").expect("a URL");
            let host = rest.split('/').next().expect("a host");
            let is_whole = next.contains("://");
            visited.push(if is_whole { next } else { format!("{scheme}://{host}{next}") });
        }
    }

    fn get(&mut self, url: &str) -> Answer {
        let rest = url.strip_prefix("http://").expect("plain HTTP in this test");
        let (host, path) = rest.split_once('/').expect("a path");
        let at = match host == "node.test" {
            true => self.server.address.to_string(),
            false => host.to_owned(),
        };
        let own = self.cookies.iter().filter(|((of, _), _)| of == host);
        let cookies: Vec<String> =
            own.map(|((_, name), value)| format!("{name}={value}")).collect();
        let request = format!(
            "GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nCookie: {}\r\n\r\n",
            cookies.join("; ")
        );
        let mut stream = TcpStream::connect(at).expect("it listens");
        stream.write_all(request.as_bytes()).expect("sent");
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).expect("an answer");
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").expect("HTTP");
        for line in head.lines() {
            let Some((name, value)) = line.split_once(": ") else { continue };
            if name.eq_ignore_ascii_case("set-cookie") {
                let pair = value.split(';').next().expect("a pair");
                let (name, value) = pair.split_once('=').expect("a value");
                self.cookies.insert((host.to_owned(), name.to_owned()), value.to_owned());
            }
        }
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
        Answer { status, head: head.to_owned(), body: body.to_owned() }
    }
}

fn node(provider: &Tool, issuer: Option<&str>) -> Server {
    let oidc = OidcSettings {
        issuer: issuer.unwrap_or(&provider.first).to_owned(),
        client_id: "quorate".to_owned(),
        client_secret: Some("a-secret-of-the-provider".to_owned()),
        name: "University".to_owned(),
    };
    let settings =
        Settings { web_origin: Some(ORIGIN.to_owned()), oidc: Some(oidc), ..Settings::default() };
    Server::node(1, &Store::new(), settings, Standing::Permanent)
}

fn provider() -> Option<Tool> {
    identity_provider(&format!("{ORIGIN}/api/v1/login/oidc/callback"), "ada")
}

fn make_account(server: &Server, name: &str, issuer: &str, subject: &str) {
    let body = json!({
        "name": name, "display": "Ada", "grants": [{ "role": "auditor" }],
        "identity": { "issuer": issuer, "subject": subject },
    });
    server.call("POST", "/api/v1/accounts", TOKEN, &body.to_string()).expect(201);
}

#[test]
fn a_person_whom_an_administrator_named_logs_in_and_others_do_not() {
    let Some(provider) = provider() else { return };
    let server = node(&provider, None);
    assert_eq!(server.get("/api/v1/login").json()["oidc"], "University");
    let mut browser = Browser { server: &server, cookies: BTreeMap::new() };
    let start = format!("{ORIGIN}/api/v1/login/oidc");
    let (_, answer) = browser.open(&start);
    assert_eq!((answer.status, &answer.json()["code"]), (401, &json!("login-failed")));
    // Tied at the first login, by the address that the provider has verified.
    make_account(&server, "ada@example.org", &provider.first, "");
    let (visited, page) = browser.open(&start);
    assert_eq!((page.status, visited.last().map(String::as_str)), (200, Some("http://node.test/")));
    assert!(visited[1].contains("code_challenge_method=S256"), "{visited:?}");
    let cookie = browser.cookies.iter().find(|((_, name), _)| name == "quorate-session");
    let (_, cookie) = cookie.expect("logged in");
    let cookie = format!("quorate-session={cookie}");
    let headers = [("Cookie", cookie.as_str()), ("Sec-Fetch-Site", "same-origin")];
    let session = server.request("POST", "/api/v1/session/refresh", &headers, "").expect(200);
    assert_eq!(session.json()["account"]["name"], "ada@example.org");
    let account = server.call("GET", "/api/v1/accounts/ada@example.org", TOKEN, "").json();
    assert_eq!(account["identity"]["subject"], "ada");
}

#[test]
fn answers_of_other_browsers_and_used_ones_are_refused() {
    let Some(provider) = provider() else { return };
    let server = node(&provider, None);
    make_account(&server, "ada", &provider.first, "ada");
    let mut browser = Browser { server: &server, cookies: BTreeMap::new() };
    let (visited, page) = browser.open(&format!("{ORIGIN}/api/v1/login/oidc"));
    assert_eq!(page.status, 200, "{}", page.body);
    let callback = visited.iter().find(|url| url.contains("/callback?")).expect("passed by");
    let refuse = |browser: &mut Browser<'_>, url: &str| {
        let answer = browser.get(url);
        assert_eq!(answer.status, 401, "{url}: {}", answer.body);
    };
    refuse(&mut browser, callback);
    let mut other = Browser { server: &server, cookies: BTreeMap::new() };
    refuse(&mut other, callback);
    for query in ["", "?state=x", "?state=x&code=y", "?error=access_denied", "?state=&code="] {
        refuse(&mut other, &format!("{ORIGIN}/api/v1/login/oidc/callback{query}"));
    }
}

#[test]
fn a_provider_that_names_another_issuer_is_not_believed() {
    let Some(provider) = provider() else { return };
    let issuer = provider.first.replace("127.0.0.1", "localhost");
    let server = node(&provider, Some(&issuer));
    let answer = server.get("/api/v1/login/oidc");
    assert_eq!(answer.status, 503, "{}", answer.body);
    let problem: Value = answer.json();
    assert!(!problem["detail"].as_str().unwrap_or_default().contains("secret"), "{problem}");
}

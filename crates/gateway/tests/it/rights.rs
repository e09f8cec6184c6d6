//! The committed matrix (spec/rights.md), cell by cell, against a real server; and hostile tokens.

use crate::server::{Server, TOKEN};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const OWN: &str = "11111111111111111111111111111111";
const OTHER: &str = "22222222222222222222222222222222";

/// A column: the account that asks, and what about.
struct Column {
    account: Option<&'static str>,
    election: &'static str,
    name: &'static str,
}

fn columns() -> Vec<Column> {
    let column = |account, election, name| Column { account, election, name };
    let mut columns = vec![
        column(None, OWN, "somebody-else"),
        column(Some("plain"), OWN, "somebody-else"),
        column(Some("administrator"), OWN, "somebody-else"),
    ];
    for role in ["election-officer", "trustee", "auditor"] {
        columns.push(column(Some(role), OWN, "somebody-else"));
        columns.push(column(Some(role), OTHER, "somebody-else"));
    }
    columns.push(column(Some("plain"), OWN, "plain"));
    columns
}

fn rows() -> Vec<(String, String, Vec<bool>)> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../spec/rights.md");
    let text = std::fs::read_to_string(path).expect("the matrix is committed");
    let row = |line: &str| {
        let (route, cells) = line.strip_prefix("| ")?.split_once("` |")?;
        let (method, path) = route.split_once(" `")?;
        let cells = cells.split('|').map(str::trim).filter(|cell| !cell.is_empty());
        Some((method.to_owned(), path.to_owned(), cells.map(|cell| cell == "✓").collect()))
    };
    text.lines().filter_map(row).collect()
}

#[test]
fn every_cell_of_the_matrix_is_so() {
    let limits = gateway::Limits::none();
    let store = crate::server::Store::new();
    let settings = gateway::Settings { limits, ..gateway::Settings::default() };
    let server = Server::node(1, &store, settings, gateway::Standing::Permanent);
    let own = |role: &str| json!([{ "role": role, "election": OWN }]);
    server.account("plain", json!([]));
    server.account("administrator", json!([{ "role": "administrator" }]));
    for role in ["election-officer", "trustee", "auditor"] {
        server.account(role, own(role));
    }
    let mut tokens = Tokens { server: &server, known: BTreeMap::new() };
    let (rows, columns) = (rows(), columns());
    assert!(rows.len() > 40, "the matrix was read");
    for (method, path, cells) in rows {
        assert_eq!(cells.len(), columns.len(), "{method} {path}");
        for (column, allowed) in columns.iter().zip(cells) {
            let asked = path
                .replace("{id}", column.election)
                .replace("{name}", column.name)
                .replace("{tracker}", "x")
                .replace("{key}", "x")
                .replace("{path}", "0/000")
                .replace("{hook}", "x");
            let answer = match column.account {
                Some(account) => tokens.call(account, &method, &asked),
                None => server.request(&method, &asked, &[], "{}"),
            };
            let code = answer.json_code();
            let is_refused = matches!(code.as_deref(), Some("forbidden" | "token-required"));
            let who = (column.account, column.election == OWN, column.name);
            assert_eq!(!is_refused, allowed, "{method} {asked} by {who:?}: {}", answer.body);
            assert!(
                answer.status < 500 || answer.status == 503,
                "{method} {asked}: {}",
                answer.body
            );
            assert_ne!(answer.status, 405, "{method} {asked} is documented and not served");
        }
    }
}

/// Sessions of the matrix's accounts, begun anew when a route has ended one: passwords are slow.
struct Tokens<'s> {
    server: &'s Server,
    known: BTreeMap<&'static str, String>,
}

impl Tokens<'_> {
    fn call(&mut self, account: &'static str, method: &str, path: &str) -> crate::server::Answer {
        loop {
            let is_new = !self.known.contains_key(account);
            let token = self.known.entry(account).or_insert_with(|| self.server.token(account));
            let answer = self.server.call(method, path, token, "{}");
            let is_void = answer.json_code().as_deref() == Some("token-void");
            // A public route takes a void token for none; so look before it is used again.
            let ends = method == "DELETE" && path.contains("session");
            if ends {
                self.known.remove(account);
            }
            if !is_void || is_new {
                return answer;
            }
            self.known.remove(account);
        }
    }
}

impl crate::server::Answer {
    fn json_code(&self) -> Option<String> {
        let body: Value = serde_json::from_str(&self.body).ok()?;
        Some(body["code"].as_str()?.to_owned())
    }
}

#[test]
fn sixty_hostile_tokens_are_refused() {
    let server = Server::start();
    server.account("ada", json!([{ "role": "administrator" }]));
    let good = server.token("ada");
    let tokens = hostile(&good);
    assert!(tokens.len() >= 60, "{}", tokens.len());
    let before = server.store().revision();
    for (name, token) in &tokens {
        let header = format!("Bearer {token}");
        let headers = [("Authorization", header.as_str()), ("Content-Type", "application/json")];
        let body =
            "{\"name\":\"mallory\",\"display\":\"m\",\"grants\":[{\"role\":\"administrator\"}]}";
        let answer = server.request("POST", "/api/v1/accounts", &headers, body);
        assert!((400..500).contains(&answer.status), "{name}: {} {}", answer.status, answer.body);
    }
    let accounts = server.call("GET", "/api/v1/accounts", TOKEN, "").expect(200).json();
    assert_eq!(accounts["items"].as_array().map(Vec::len), Some(1));
    let desk = server.call("GET", "/api/v1/audit", TOKEN, "").expect(200).json();
    let entries = desk["items"].as_array().map(Vec::len);
    assert_eq!(entries, Some(2), "refused strangers leave no entry: {desk}");
    // Beats of the node may have been written meanwhile, nothing else.
    assert!(server.store().revision() - before < 200);
    server.call("GET", "/api/v1/accounts", &good, "").expect(200);
}

/// Tokens that a hostile caller might try, by name.
fn hostile(good: &str) -> BTreeMap<String, String> {
    use base64::Engine;
    use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
    let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
    let parts: Vec<&str> = good.split('.').collect();
    let [header, claims, signature] = parts[..] else { panic!("three parts") };
    let read = |part: &str| -> Value {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).expect("base64")).expect("JSON")
    };
    let (head, body) = (read(header), read(claims));
    let mut tokens = BTreeMap::new();
    let mut add = |name: &str, token: String| {
        tokens.insert(name.to_owned(), token);
    };
    for (name, token) in [
        ("empty", ""),
        ("dots", ".."),
        ("one dot", "."),
        ("word", "token"),
        ("null", "null"),
        ("prefix only", "qt_"),
        ("no secret", "qt_0123456789abcdef0123456789abcdef."),
        ("operator's prefix", "0123456789abcdef012"),
        ("operator and more", "0123456789abcdef01234"),
        ("blank inside", "a b.c.d"),
        ("basic", "YWRhOnBhc3N3b3Jk"),
        ("path", "../../etc/passwd"),
        ("quote", "' or 1=1 --"),
        ("braces", "{}.{}.{}"),
        ("percent", "%00%00"),
    ] {
        add(name, token.to_owned());
    }
    add("long", "a".repeat(6000));
    add("many dots", ".".repeat(2000));
    add("unknown api token", format!("qt_{}.{}", "0".repeat(32), "A".repeat(43)));
    add("upper api token", format!("QT_{}.{}", "0".repeat(32), "A".repeat(43)));
    add("padded", format!("{good}="));
    add("standard base64", STANDARD.encode(good));
    add("no signature", format!("{header}.{claims}."));
    add("two parts", format!("{header}.{claims}"));
    add("four parts", format!("{good}.{signature}"));
    add("swapped", format!("{claims}.{header}.{signature}"));
    add("zero signature", format!("{header}.{claims}.{}", URL_SAFE_NO_PAD.encode([0; 64])));
    add("short signature", format!("{header}.{claims}.{}", URL_SAFE_NO_PAD.encode([1; 63])));
    add("newline", format!("{good}%0a"));
    for (name, value) in [
        ("none", "none"),
        ("None", "None"),
        ("HS256", "HS256"),
        ("HS512", "HS512"),
        ("RS256", "RS256"),
        ("ES256", "ES256"),
        ("Ed25519", "Ed25519"),
        ("eddsa", "eddsa"),
        ("no alg", ""),
    ] {
        let mut head = head.clone();
        head["alg"] = value.into();
        add(&format!("alg {name}"), format!("{}.{claims}.{signature}", part(&head.to_string())));
        add(&format!("alg {name} unsigned"), format!("{}.{claims}.", part(&head.to_string())));
    }
    for (field, value) in [
        ("kid", json!("0000000000000000")),
        ("kid", json!("../../../dev/null")),
        ("kid", json!(1)),
        ("typ", json!("JWT")),
        ("jwk", json!({"kty": "OKP"})),
        ("jku", json!("http://evil.test/k")),
        ("x5u", json!("http://evil.test/k")),
        ("crit", json!(["exp"])),
        ("b64", json!(false)),
    ] {
        let mut head = head.clone();
        head[field] = value.clone();
        let name = format!("header {field} {value}");
        add(&name, format!("{}.{claims}.{signature}", part(&head.to_string())));
    }
    for (field, value) in [
        ("exp", json!(99_999_999_999_u64)),
        ("exp", json!(-1)),
        ("iat", json!(0)),
        ("sub", json!("operator")),
        ("sub", json!("")),
        ("sub", json!(null)),
        ("sid", json!("x")),
        ("sid", json!("../account/ada")),
        ("aud", json!("other")),
        ("aud", json!([])),
        ("grants", json!([{ "role": "administrator" }])),
        ("nbf", json!(0)),
    ] {
        let mut body = body.clone();
        body[field] = value.clone();
        let name = format!("claim {field} {value}");
        add(&name, format!("{header}.{}.{signature}", part(&body.to_string())));
    }
    tokens
}

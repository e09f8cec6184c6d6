//! Accounts, sessions, tokens, four eyes.

use crate::server::{Answer, PASSWORD, Server, Store, TOKEN};
use gateway::{Settings, Standing};
use serde_json::{Value, json};

fn everyone(role: &str) -> Value {
    json!([{ "role": role }])
}

fn cookie(answer: &Answer) -> String {
    let cookie = answer.header("set-cookie").expect("a cookie");
    cookie.split(';').next().expect("its value").to_owned()
}

fn refresh(server: &Server, cookie: &str) -> Answer {
    let headers = [("Cookie", cookie), ("Sec-Fetch-Site", "same-origin")];
    server.request("POST", "/api/v1/session/refresh", &headers, "")
}

fn me(server: &Server, token: &str) -> u16 {
    server.call("GET", "/api/v1/session", token, "").status
}

#[test]
fn the_one_time_token_makes_the_first_administrator_and_is_void_then() {
    let store = Store::new();
    let node = |index| Server::node(index, &store, Settings::default(), Standing::OneTime);
    let (one, two) = (node(1), node(2));
    assert_eq!(one.get("/api/v1/login").json()["waits_for_administrator"], true);
    one.account("plain", json!([]));
    assert_eq!(me(&one, TOKEN), 200, "an account without rights changes nothing");
    one.account("ada", everyone("administrator"));
    for server in [&one, &two] {
        server.wait(|| me(server, TOKEN) == 401);
        let answer = server.call("GET", "/api/v1/accounts", TOKEN, "").expect(401).json();
        assert_eq!(answer["code"], "token-used");
    }
    let token = two.token("ada");
    let accounts = two.call("GET", "/api/v1/accounts", &token, "").expect(200).json();
    assert_eq!(accounts["items"].as_array().map(Vec::len), Some(2));
    assert!(!accounts.to_string().contains("hash"), "{accounts}");
}

#[test]
fn a_token_is_good_at_every_node_and_a_logout_ends_it_everywhere() {
    let store = Store::new();
    let node = |index| Server::node(index, &store, Settings::default(), Standing::Permanent);
    let (one, two) = (node(1), node(2));
    one.account("ada", everyone("auditor"));
    let token = one.token("ada");
    assert_eq!((me(&one, &token), me(&two, &token)), (200, 200));
    let started = std::time::Instant::now();
    two.call("DELETE", "/api/v1/session", &token, "").expect(204);
    for server in [&one, &two] {
        server.wait(|| me(server, &token) == 401);
    }
    // Generous on a busy machine; the watch needs milliseconds.
    assert!(started.elapsed().as_secs() < 20);
    let again = one.token("ada");
    let body = json!({ "display": "Ada", "grants": [], "enabled": false }).to_string();
    one.call("PUT", "/api/v1/accounts/ada", TOKEN, &body).expect(200);
    two.wait(|| me(&two, &again) == 401);
    assert_eq!(one.login("ada").status, 401, "a locked account cannot log in");
}

#[test]
fn lost_rights_are_lost_at_once_with_the_token_one_has() {
    let server = Server::start();
    server.account("ada", everyone("auditor"));
    let token = server.token("ada");
    server.call("GET", "/api/v1/audit", &token, "").expect(200);
    let body = json!({ "display": "Ada", "grants": [], "enabled": true }).to_string();
    server.call("PUT", "/api/v1/accounts/ada", TOKEN, &body).expect(200);
    server.call("GET", "/api/v1/audit", &token, "").expect(403);
}

#[test]
fn a_refresh_cookie_is_used_once_and_only_by_our_pages() {
    let server = Server::start();
    server.account("ada", json!([]));
    let login = server.login("ada").expect(200);
    let set = login.header("set-cookie").expect("a cookie");
    for part in ["HttpOnly", "SameSite=Strict", "Path=/api/v1/session", "Max-Age=28800"] {
        assert!(set.contains(part), "{set}");
    }
    let first = cookie(&login);
    let renewed = refresh(&server, &first).expect(200);
    let second = cookie(&renewed);
    assert_ne!(first, second);
    let token = renewed.json()["access_token"].as_str().expect("a token").to_owned();
    assert_eq!(me(&server, &token), 200);
    assert_eq!(refresh(&server, &first).status, 200, "an answer may be lost: forgiven for a while");
    let other = [("Cookie", second.as_str()), ("Sec-Fetch-Site", "cross-site")];
    let answer = server.request("POST", "/api/v1/session/refresh", &other, "");
    assert_eq!(answer.json()["code"], "other-origin");
    for nonsense in ["quorate-session=", "quorate-session=x.y", "other=1"] {
        refresh(&server, nonsense).expect(401);
    }
}

#[test]
fn wrong_passwords_are_one_answer_and_soon_too_many() {
    let server = Server::start();
    server.account("ada", json!([]));
    let attempt = |name: &str| {
        let body = json!({ "name": name, "password": "something else" }).to_string();
        server.request("POST", "/api/v1/login", &[("Content-Type", "application/json")], &body)
    };
    let (known, unknown) = (attempt("ada").expect(401).json(), attempt("bob").expect(401).json());
    assert_eq!(known["detail"], unknown["detail"]);
    let limited = (0..12).map(|_| attempt("ada")).find(|answer| answer.status == 429);
    assert!(limited.is_some_and(|answer| answer.header("retry-after").is_some()));
    assert_eq!(attempt("bob").status, 401, "others are not locked out");
}

#[test]
fn passwords_are_changed_by_who_knows_the_old_one() {
    let server = Server::start();
    server.account("ada", json!([]));
    let token = server.token("ada");
    let change = |old: &str, new: &str| {
        let body = json!({ "old": old, "new": new }).to_string();
        server.call("PUT", "/api/v1/accounts/ada/password", &token, &body)
    };
    change("wrong", "another long sentence").expect(403);
    change(PASSWORD, "short").expect(422);
    change(PASSWORD, "another long sentence").expect(204);
    assert_eq!(me(&server, &token), 401, "every session has ended");
    assert_eq!(server.login("ada").status, 401);
}

#[test]
fn changes_are_based_on_what_was_seen() {
    let server = Server::start();
    server.account("ada", json!([]));
    let shown = server.call("GET", "/api/v1/accounts/ada", TOKEN, "").expect(200);
    let tag = shown.header("etag").expect("a tag").to_owned();
    let put = |tag: &str, display: &str| {
        let body = json!({ "display": display, "grants": [], "enabled": true }).to_string();
        let bearer = format!("Bearer {TOKEN}");
        let headers = [
            ("Authorization", bearer.as_str()),
            ("Content-Type", "application/json"),
            ("If-Match", tag),
        ];
        server.request("PUT", "/api/v1/accounts/ada", &headers, &body)
    };
    let newer = put(&tag, "Ada L.").expect(200).header("etag").expect("a tag").to_owned();
    assert_eq!(put(&tag, "Eve").expect(412).json()["code"], "changed-meanwhile");
    put(&newer, "Ada Lovelace").expect(200);
}

#[test]
fn a_key_does_an_act_once_and_answers_twice() {
    let server = Server::start();
    let make = |name: &str| {
        let body = json!({ "name": name, "display": name, "grants": [] }).to_string();
        let bearer = format!("Bearer {TOKEN}");
        let headers = [
            ("Authorization", bearer.as_str()),
            ("Content-Type", "application/json"),
            ("Idempotency-Key", "k-1"),
        ];
        server.request("POST", "/api/v1/accounts", &headers, &body)
    };
    let first = make("ada").expect(201);
    let second = make("ada").expect(201);
    assert_eq!(first.body, second.body);
    assert_eq!(second.header("idempotency-replayed"), Some("true"));
    assert_eq!(make("bob").expect(422).json()["code"], "idempotency-key-reused");
}

#[test]
fn a_key_over_an_answer_with_a_secret_is_given_up() {
    let server = Server::start();
    server.account("ada", json!([{ "role": "auditor" }]));
    let bearer = format!("Bearer {}", server.token("ada"));
    let make = || {
        let body = json!({ "name": "backup", "grants": everyone("auditor"), "days": 1 });
        let headers = [
            ("Authorization", bearer.as_str()),
            ("Content-Type", "application/json"),
            ("Idempotency-Key", "k-2"),
        ];
        let path = "/api/v1/accounts/ada/tokens";
        server.request("POST", path, &headers, &body.to_string()).expect(201).json()
    };
    let (first, second) = (make(), make());
    assert!(first["token"].is_string(), "{first}");
    assert_ne!(first["token"], second["token"], "no secret is kept to be told again");
}

#[test]
fn api_tokens_are_shown_once_and_never_wider_than_their_maker() {
    let server = Server::start();
    server.account("ada", json!([{ "role": "auditor" }, { "role": "election-officer" }]));
    let session = server.token("ada");
    let make = |token: &str, grants: Value| {
        let body = json!({ "name": "backup", "grants": grants, "days": 1 }).to_string();
        server.call("POST", "/api/v1/accounts/ada/tokens", token, &body)
    };
    make(&session, everyone("administrator")).expect(422);
    let made = make(&session, everyone("auditor")).expect(201).json();
    let token = made["token"].as_str().expect("its text").to_owned();
    server.call("GET", "/api/v1/audit", &token, "").expect(200);
    make(&token, everyone("election-officer")).expect(422);
    let list = server.call("GET", "/api/v1/accounts/ada/tokens", &session, "").expect(200);
    assert!(!list.body.contains(&token), "{}", list.body);
    let path = format!("/api/v1/accounts/ada/tokens/{}", made["id"].as_str().expect("an id"));
    server.call("DELETE", &path, &session, "").expect(204);
    server.wait(|| server.call("GET", "/api/v1/audit", &token, "").status == 401);
}

#[test]
fn the_last_administrator_stays() {
    let server = Server::start();
    server.account("ada", everyone("administrator"));
    let token = server.token("ada");
    let gone = server.call("DELETE", "/api/v1/accounts/ada", &token, "").expect(409).json();
    assert_eq!(gone["code"], "last-administrator");
    server.account("bob", everyone("administrator"));
    server.call("DELETE", "/api/v1/accounts/ada", &token, "").expect(204);
    server.wait(|| me(&server, &token) == 401);
}

#[test]
fn what_people_do_is_on_record_and_what_they_read_is_not() {
    let server = Server::start();
    server.account("ada", everyone("auditor"));
    let token = server.token("ada");
    server.call("POST", "/api/v1/elections", &token, "{}").status;
    let desk = server.call("GET", "/api/v1/audit?limit=10", &token, "").expect(200);
    let entries = desk.json()["items"].clone();
    assert_eq!(entries.as_array().map(Vec::len), Some(2), "a refused call is no act: {entries}");
    assert_eq!(entries[0]["actor"], "operator");
    assert_eq!(entries[0]["act"], "POST /api/v1/accounts");
    assert_eq!(entries[0]["status"], 201);
    let login = (&entries[1]["kind"], &entries[1]["actor"], &entries[1]["act"]);
    assert_eq!(login, (&json!("login"), &json!("ada"), &json!("logged in")));
    assert!(!desk.body.contains(PASSWORD));
}

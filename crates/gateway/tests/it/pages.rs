//! How built pages are served: policies, nonces, caches, and what is only offered for download.

use crate::server::{Answer, Server};
use gateway::Asset;

const INDEX: &str =
    "<!doctype html><script nonce=\"__CSP_NONCE__\" src=\"/assets/a-1.js\"></script>";

const PAGES: &[Asset] = &[
    Asset { path: "assets/a-1.js", bytes: b"export {}" },
    Asset { path: "booth.html", bytes: b"<!doctype html><title>booth</title>" },
    Asset { path: "check.html", bytes: b"<!doctype html><title>check</title>" },
    Asset { path: "icon.svg", bytes: b"<svg/>" },
    Asset { path: "index.html", bytes: INDEX.as_bytes() },
    Asset { path: "quorate-trustee.html", bytes: b"<!doctype html><title>trustee</title>" },
];

fn policy(answer: &Answer) -> &str {
    answer.header("content-security-policy").expect("every answer has a policy")
}

/// The nonce in the policy of a page.
fn nonce(answer: &Answer) -> &str {
    let (_, rest) = policy(answer).split_once("'nonce-").expect("a nonce");
    rest.split_once('\'').expect("an end").0
}

#[test]
fn the_application_has_a_nonce_that_no_other_answer_has() {
    let server = Server::with_pages(PAGES);
    let paths = ["/", "/e/00112233445566778899aabbccddeeff/ledger", "/admin", "/login?to=/", "/"];
    let mut nonces: Vec<String> = Vec::new();
    for path in paths {
        let page = server.get(path).expect(200);
        assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
        assert_eq!(page.header("cache-control"), Some("no-cache"));
        let nonce = nonce(&page).to_owned();
        assert!(page.body.contains(&format!("<script nonce=\"{nonce}\"")), "{}", page.body);
        assert!(policy(&page).contains("default-src 'none'"), "{}", policy(&page));
        assert!(!policy(&page).contains("unsafe"), "{}", policy(&page));
        nonces.push(nonce);
    }
    nonces.sort();
    nonces.dedup();
    assert_eq!(nonces.len(), paths.len());
}

#[test]
fn what_does_not_exist_is_a_page_for_people_and_a_problem_for_programs() {
    let server = Server::with_pages(PAGES);
    let page = server.request("GET", "/nowhere", &[("Accept", "text/html,*/*")], "").expect(404);
    assert!(page.body.starts_with("<!doctype html>"), "{}", page.body);
    let problem = server.get("/nowhere").expect(404);
    assert_eq!(problem.header("content-type"), Some("application/problem+json"));
    let accept = ("Accept", "text/html");
    let file = server.request("GET", "/assets/gone-2.js", &[accept], "").expect(404);
    assert_eq!(file.header("content-type"), Some("application/problem+json"));
    server.request("POST", "/admin", &[accept], "").expect(404);
}

#[test]
fn files_with_a_hash_in_their_name_are_kept_and_others_asked_for_again() {
    let server = Server::with_pages(PAGES);
    let script = server.get("/assets/a-1.js").expect(200);
    assert_eq!(script.header("cache-control"), Some("public, max-age=31536000, immutable"));
    assert_eq!(script.header("content-type"), Some("text/javascript; charset=utf-8"));
    assert_eq!(script.header("x-content-type-options"), Some("nosniff"));
    let icon = server.get("/icon.svg").expect(200);
    assert_eq!(icon.header("cache-control"), Some("no-cache"));
    let tag = icon.header("etag").expect("a tag").to_owned();
    let again = server.request("GET", "/icon.svg", &[("If-None-Match", tag.as_str())], "");
    assert_eq!(again.expect(304).body, "");
}

#[test]
fn the_pages_of_voters_are_the_same_for_everybody_and_run_nothing_inline() {
    let server = Server::with_pages(PAGES);
    for path in ["/booth.html", "/check.html"] {
        let [first, second] = [server.get(path), server.get(path)].map(|page| page.expect(200));
        assert_eq!(first.body, second.body);
        assert_eq!(policy(&first), policy(&second));
        assert!(!policy(&first).contains("nonce"), "{}", policy(&first));
        assert!(policy(&first).contains("require-trusted-types-for 'script'"));
    }
}

#[test]
fn the_trustee_page_is_saved_and_never_run_here() {
    let server = Server::with_pages(PAGES);
    let page = server.get("/quorate-trustee.html").expect(200);
    let kept = page.header("content-disposition").expect("a disposition");
    assert_eq!(kept, "attachment; filename=\"quorate-trustee.html\"");
    assert_eq!(page.header("content-type"), Some("application/octet-stream"));
}

#[test]
fn a_binary_without_pages_says_how_to_build_them() {
    let page = Server::start().get("/").expect(200);
    assert!(page.body.contains("cargo xtask web"), "{}", page.body);
}

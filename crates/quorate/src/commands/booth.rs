//! `quorate booth check`: does every node hand out the same booth?
//!
//! A node that wants to see how people vote could give some of them another booth. So the page and
//! every file that it loads are fetched from several nodes, as a browser would, and compared byte
//! for byte; the digest over all of them can be compared with one that was published elsewhere,
//! or with the one that the signed manifest of an election pins (`booth = "…"` in its definition).
//! The page's policy is looked at, too: a booth that may run scripts of others is no booth.

use super::Failure;
use crate::exit;
use crate::http::{Leaves, block_on};
use bytes::Bytes;
use clap::{Args, Subcommand};
use election::{Act as Signed, Body, ElectionId, Entry, Manifest};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The page.
const PAGE: &str = "booth.html";

/// Files of one booth; more are no booth.
const FILES_MAX: usize = 100;

/// Largest file, in bytes.
const FILE_BYTES_MAX: usize = 4 << 20;

/// Longest wait for one file.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);

/// Look at the voting booth that nodes hand out
#[derive(Args, Debug)]
pub(crate) struct BoothCommand {
    #[command(subcommand)]
    command: Act,
}

#[derive(Subcommand, Debug)]
enum Act {
    /// Fetch the booth from several nodes and compare it byte for byte
    Check(CheckArgs),
}

#[derive(Args, Debug)]
struct CheckArgs {
    /// Web addresses of the nodes, like https://n1.vote.example
    #[arg(required = true, value_name = "URL")]
    nodes: Vec<String>,
    /// The digest that was published elsewhere, 64 hex digits
    #[arg(long, value_name = "HEX", conflicts_with = "election")]
    expect: Option<String>,
    /// The election whose manifest pins a booth: each node's manifest is fetched and must be signed
    #[arg(long, value_name = "ID")]
    election: Option<ElectionId>,
    /// The manifest's fingerprint as it was published elsewhere, 64 hex digits
    #[arg(long, value_name = "HEX", requires = "election")]
    fingerprint: Option<String>,
}

/// `quorate booth …`.
pub(crate) fn run(command: BoothCommand) -> Result<(), Failure> {
    let Act::Check(args) = command.command;
    block_on(check(args))
}

/// What one node hands out.
#[derive(Debug, PartialEq, Eq)]
struct Booth {
    /// SHA-256 by path.
    files: BTreeMap<String, [u8; 32]>,
    /// What is wrong with its policy.
    objections: Vec<String>,
}

impl Booth {
    /// SHA-256 over `path, two blanks, digest in hex, newline` of all files, by path.
    fn digest(&self) -> String {
        let mut hash = Sha256::new();
        for (path, digest) in &self.files {
            hash.update(format!("{path}  {}\n", hex::encode(digest)));
        }
        hex::encode(hash.finalize())
    }
}

async fn check(args: CheckArgs) -> Result<(), Failure> {
    let http = reqwest::Client::builder()
        .timeout(ANSWER_TIMEOUT)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(Failure::because(exit::FAILED, "no HTTP client"))?;
    let mut booths = Vec::new();
    for node in &args.nodes {
        let booth = fetch(&http, node.trim_end_matches('/')).await;
        match &booth {
            Ok(booth) => println!("{}  {node}  ({} files)", booth.digest(), booth.files.len()),
            Err(reason) => println!("{:<64}  {node}  {reason}", "-"),
        }
        booths.push((node.clone(), booth));
    }
    let pinned = match args.election {
        None => None,
        Some(id) => Some(pinned(&http, &args.nodes, id, args.fingerprint.as_deref()).await?),
    };
    let expect = pinned.as_deref().or(args.expect.as_deref());
    let findings = findings(&booths, expect);
    if findings.is_empty() {
        let which = if pinned.is_some() { "the booth of the manifest" } else { "the same booth" };
        println!("every node hands out {which}");
        return Ok(());
    }
    Err(Failure::new(exit::FAILED, findings.join("\nquorate: ")))
}

/// The booth that the manifest of an election pins. All nodes must show the same manifest.
async fn pinned(
    http: &reqwest::Client,
    nodes: &[String],
    id: ElectionId,
    fingerprint: Option<&str>,
) -> Result<String, Failure> {
    let wrong = |node: &str, reason: String| {
        Failure::new(exit::FAILED, format!("the manifest at {node}: {reason}"))
    };
    let mut found: Option<Manifest> = None;
    for node in nodes {
        let url =
            format!("{}/api/v1/elections/{id}/leaves?from=0&limit=1", node.trim_end_matches('/'));
        let (body, _) = get(http, &url).await.map_err(|reason| wrong(node, reason))?;
        let manifest = signed_manifest(&body, id).map_err(|reason| wrong(node, reason))?;
        if found.as_ref().is_some_and(|first| *first != manifest) {
            return Err(wrong(node, format!("it is not that of {}", nodes[0])));
        }
        found = Some(manifest);
    }
    let manifest = found.ok_or_else(|| Failure::new(exit::BAD_DATA, "no node was named"))?;
    let own = hex::encode(manifest.fingerprint().0);
    println!("{own}  fingerprint of the manifest, signed by its administrator");
    if fingerprint.is_some_and(|known| !known.eq_ignore_ascii_case(&own)) {
        return Err(Failure::new(exit::FAILED, "this is not the manifest that was published"));
    }
    let digest = manifest.definition.booth.map(hex::encode);
    digest.ok_or_else(|| Failure::new(exit::FAILED, "the manifest of this election pins no booth"))
}

/// Reads the first leaf: a manifest of this election, signed by the administrator that it names.
fn signed_manifest(body: &[u8], id: ElectionId) -> Result<Manifest, String> {
    let leaves: Leaves = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let first = leaves.leaves.first().ok_or("there is none yet")?;
    let entry = Entry::decode(&first.0).map_err(|error| error.to_string())?;
    let Body::Manifest { manifest, signature } = entry.body else {
        return Err(format!("the first leaf is a {}", entry.body.kind().name()));
    };
    let manifest = Manifest::decode(manifest).map_err(|error| error.to_string())?;
    let signed = Signed::Seal.verify(&manifest, &manifest.fingerprint(), &signature);
    match (manifest.id == id, signed) {
        (false, _) => Err(format!("it is of election {}", manifest.id)),
        (_, false) => Err("its administrator has not signed it".to_owned()),
        (true, true) => Ok(manifest),
    }
}

/// What a voter should know before trusting any of them.
fn findings(booths: &[(String, Result<Booth, String>)], expect: Option<&str>) -> Vec<String> {
    let mut findings = Vec::new();
    let good: Vec<(&String, &Booth)> =
        booths.iter().filter_map(|(node, booth)| Some((node, booth.as_ref().ok()?))).collect();
    for (node, booth) in booths {
        if let Err(reason) = booth {
            findings.push(format!("{node} was not checked: {reason}"));
        }
    }
    for (node, booth) in &good {
        findings.extend(booth.objections.iter().map(|wrong| format!("{node}: {wrong}")));
        let digest = booth.digest();
        if expect.is_some_and(|expect| !expect.eq_ignore_ascii_case(&digest)) {
            findings.push(format!("{node} hands out another booth than the published one"));
        }
    }
    let Some(((first, booth), others)) = good.split_first() else { return findings };
    for (node, other) in others {
        let paths: BTreeSet<&String> = booth.files.keys().chain(other.files.keys()).collect();
        for path in paths {
            match (booth.files.get(path), other.files.get(path)) {
                (Some(one), Some(two)) if one == two => {}
                (Some(_), Some(_)) => {
                    findings.push(format!("{path} of {node} is not that of {first}"));
                }
                (Some(_), None) => findings.push(format!("{path} of {first} is not at {node}")),
                (None, _) => findings.push(format!("{path} of {node} is not at {first}")),
            }
        }
    }
    findings
}

/// The page and everything that it names, and what that names.
async fn fetch(http: &reqwest::Client, node: &str) -> Result<Booth, String> {
    let (page, policy) = get(http, &format!("{node}/{PAGE}")).await?;
    let mut booth = Booth { files: BTreeMap::new(), objections: objections(&policy) };
    let mut waiting = named_in(&page);
    booth.files.insert(PAGE.to_owned(), Sha256::digest(&page).into());
    while let Some(path) = waiting.pop_first() {
        if booth.files.contains_key(&path) {
            continue;
        }
        if booth.files.len() >= FILES_MAX {
            return Err(format!("its booth has more than {FILES_MAX} files"));
        }
        let (file, _) = get(http, &format!("{node}/{path}")).await?;
        waiting.append(&mut named_in(&file));
        booth.files.insert(path, Sha256::digest(&file).into());
    }
    Ok(booth)
}

/// A file and the policy that came with it.
async fn get(http: &reqwest::Client, url: &str) -> Result<(Bytes, String), String> {
    let failed = |error: reqwest::Error| format!("{url}: {error}");
    let mut answer = http.get(url).send().await.map_err(failed)?;
    if !answer.status().is_success() {
        return Err(format!("{url}: HTTP {}", answer.status()));
    }
    let policy = answer.headers().get("content-security-policy");
    let policy = policy.and_then(|value| value.to_str().ok()).unwrap_or_default().to_owned();
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(failed)? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > FILE_BYTES_MAX {
            return Err(format!("{url}: more than {FILE_BYTES_MAX} bytes"));
        }
    }
    Ok((bytes.into(), policy))
}

/// The files that a page, script or style names: whatever follows `assets/` or `./` up to the end
/// of a file name.
fn named_in(bytes: &[u8]) -> BTreeSet<String> {
    const KINDS: [&str; 8] = [".js", ".css", ".wasm", ".json", ".svg", ".png", ".woff2", ".mjs"];
    let text = String::from_utf8_lossy(bytes);
    let mut found = BTreeSet::new();
    for mark in ["assets/", "./"] {
        for (at, _) in text.match_indices(mark) {
            let rest = &text[at + mark.len()..];
            let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
            let length = rest.bytes().take_while(is_name).count();
            let name = &rest[..length];
            if KINDS.iter().any(|kind| name.ends_with(kind) && name.len() > kind.len()) {
                found.insert(format!("assets/{name}"));
            }
        }
    }
    found
}

/// What a booth's policy must not allow.
fn objections(policy: &str) -> Vec<String> {
    let part = |name: &str| {
        let parts = policy.split(';').map(str::trim);
        parts.filter_map(|part| part.strip_prefix(name)).map(str::trim).next().map(str::to_owned)
    };
    let mut objections = Vec::new();
    if part("default-src").as_deref() != Some("'none'") {
        objections.push("its policy does not begin with default-src 'none'".to_owned());
    }
    for name in ["script-src", "worker-src"] {
        if part(name).as_deref() != Some("'self'") {
            let found = part(name).unwrap_or_else(|| "nothing".to_owned());
            objections.push(format!("its {name} is {found}; it must be 'self'"));
        }
    }
    let reached = part("connect-src").unwrap_or_default();
    if reached.split(' ').any(|one| one == "*" || one.ends_with(':') || one.contains("*.")) {
        objections.push(format!("it may send to anybody: connect-src {reached}"));
    }
    objections
}

#[cfg(test)]
mod tests {
    use super::*;

    fn booth(files: &[(&str, &str)]) -> Booth {
        let digest = |(path, text): &(&str, &str)| {
            ((*path).to_owned(), Sha256::digest(text.as_bytes()).into())
        };
        Booth { files: files.iter().map(digest).collect(), objections: Vec::new() }
    }

    #[test]
    fn files_are_found_by_how_pages_name_them() {
        let page = br#"<script type="module" src="/assets/booth-main-AB12.js"></script>
            <link href="/assets/booth-main.css"><a href="./">.</a>
            import("./booth-ar-9_x.js"); new Worker(new URL("/assets/booth-worker-1.js"))"#;
        let found: Vec<String> = named_in(page).into_iter().collect();
        let names =
            ["booth-ar-9_x.js", "booth-main-AB12.js", "booth-main.css", "booth-worker-1.js"];
        assert_eq!(found, names.map(|name| format!("assets/{name}")));
    }

    #[test]
    fn another_booth_is_told_file_by_file() {
        let (one, same) =
            (booth(&[("a.js", "1"), ("b", "2")]), booth(&[("a.js", "1"), ("b", "2")]));
        let other = booth(&[("a.js", "evil"), ("c", "3")]);
        let digest = one.digest();
        let told = |all: Vec<(&str, Result<Booth, String>)>, expect: Option<&str>| {
            let all: Vec<_> = all.into_iter().map(|(node, own)| (node.to_owned(), own)).collect();
            findings(&all, expect)
        };
        let well = told(vec![("n1", Ok(one)), ("n2", Ok(same))], Some(&digest.to_uppercase()));
        assert_eq!(well, [] as [&str; 0]);
        let one = || booth(&[("a.js", "1"), ("b", "2")]);
        let badly = told(vec![("n1", Ok(one())), ("n2", Ok(other))], None);
        let expect =
            ["a.js of n2 is not that of n1", "b of n1 is not at n2", "c of n2 is not at n1"];
        assert_eq!(badly, expect);
        let away = told(vec![("n1", Ok(one())), ("n2", Err("HTTP 404".to_owned()))], Some("00"));
        let expect =
            ["n2 was not checked: HTTP 404", "n1 hands out another booth than the published one"];
        assert_eq!(away, expect);
    }

    #[test]
    fn only_a_signed_manifest_of_the_election_pins_a_booth() {
        use base64::Engine;
        use election::testing::ElectionBuilder;
        let builder = ElectionBuilder::new(3).define(|one| one.booth = Some([9; 32]));
        let election = builder.build();
        let base64 = |bytes: &[u8]| base64::engine::general_purpose::STANDARD.encode(bytes);
        let body = |leaf: &[u8]| format!("{{\"leaves\":[\"{}\"],\"next\":null}}", base64(leaf));
        let leaf = election.setup_entries().swap_remove(0);
        let read = |leaf: &[u8]| signed_manifest(body(leaf).as_bytes(), election.id());
        assert_eq!(read(&leaf).expect("signed").definition.booth, Some([9; 32]));
        let mut forged = leaf.to_vec();
        // The last signature is the appender's, the one before it the administrator's.
        let at = forged.len() - 100;
        forged[at] ^= 1;
        assert_eq!(read(&forged).expect_err("forged"), "its administrator has not signed it");
        let other = election.setup_entries().swap_remove(1);
        assert_eq!(read(&other).expect_err("no manifest"), "the first leaf is a roll chunk");
        let elsewhere = signed_manifest(body(&leaf).as_bytes(), ElectionId([1; 16]));
        assert!(elsewhere.expect_err("another").starts_with("it is of election"));
    }

    #[test]
    fn a_policy_lets_the_booth_reach_nodes_only() {
        let good = "default-src 'none'; script-src 'self'; worker-src 'self'; connect-src 'self' \
                    https://n2.vote.example";
        assert_eq!(objections(good), [] as [&str; 0]);
        for (from, to, expect) in [
            ("script-src 'self'", "script-src 'self' 'unsafe-inline'", "script-src"),
            ("https://n2.vote.example", "https:", "anybody"),
            ("https://n2.vote.example", "https://*.example", "anybody"),
            ("worker-src 'self'; ", "", "worker-src is nothing"),
            ("default-src 'none'", "default-src 'self'", "default-src"),
        ] {
            let told = objections(&good.replace(from, to));
            assert!(told.len() == 1 && told[0].contains(expect), "{to}: {told:?}");
        }
        assert_eq!(objections("").len(), 3);
    }
}

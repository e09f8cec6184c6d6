//! Who may depend on whom: the six layers and two columns of the house.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::{Finding, Kind};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Column {
    Store,
    Voting,
    Both,
}

/// Layer and column of every crate of the product; what is not here stands aside.
const HOUSE: &[(&str, u8, Column)] = &[
    ("base", 0, Column::Both),
    ("raft", 1, Column::Store),
    ("storage", 1, Column::Store),
    ("mvcc", 1, Column::Store),
    ("ballot", 1, Column::Voting),
    ("ledger", 1, Column::Voting),
    ("kv", 2, Column::Store),
    ("election", 2, Column::Voting),
    ("replica", 3, Column::Store),
    ("authority", 3, Column::Voting),
    ("formats", 3, Column::Voting),
    ("trustee", 3, Column::Voting),
    ("verifier", 3, Column::Voting),
    ("node", 4, Column::Store),
    ("etcd-api", 4, Column::Store),
    ("client", 4, Column::Store),
    ("gateway", 4, Column::Voting),
    ("web-assets", 4, Column::Both),
    ("quorate", 5, Column::Both),
];

/// Tools around the product, which may depend on all of it.
const ASIDE: &[&str] = &["sim", "testkit", "bench", "chaos", "corpus", "decoders", "xtask"];

/// The highest layer below the purity line.
const LAST_PURE_LAYER: u8 = 3;

/// Within the layer of wire formats everybody may use these two.
const SHARED_IN_LAYER_4: &[&str] = &["client", "web-assets"];

/// Lower in the house, but a word the crate must never know.
const NEVER_KNOW: &[(&str, &[&str])] = &[
    ("kv", &["raft", "storage"]),
    ("election", &["raft", "storage", "mvcc"]),
    ("authority", &["raft", "storage", "mvcc"]),
    ("trustee", &["raft", "storage", "mvcc", "kv"]),
    ("verifier", &["raft", "storage", "mvcc", "kv"]),
    ("gateway", &["raft", "storage", "mvcc", "replica"]),
    ("etcd-api", &["raft", "storage", "mvcc", "replica"]),
];

/// Libraries that bring neither clocks, threads, sockets nor randomness of their own.
const PURE_LIBRARIES: &[&str] = &[
    "argon2",
    "base64",
    "bytes",
    "chacha20",
    "chacha20poly1305",
    "crc32c",
    "csv",
    "curve25519-dalek",
    "ed25519-dalek",
    "encoding_rs",
    "hex",
    "hkdf",
    "prost",
    "rand_core",
    "serde",
    "serde_json",
    "sha2",
    "subtle",
    "toml",
    "zeroize",
];

/// Checks what `cargo metadata` says, and that each target forbids unsafe code.
pub(crate) fn check(root: &Path) -> Result<Vec<Finding>, String> {
    let output = Command::new("cargo")
        .args(["metadata", "--no-deps", "--format-version", "1", "--offline"])
        .current_dir(root)
        .output()
        .map_err(|why| format!("`cargo metadata` could not be run: {why}"))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let metadata: Value = serde_json::from_slice(&output.stdout)
        .map_err(|why| format!("`cargo metadata` printed something else than JSON: {why}"))?;
    let mut findings = dependencies(&metadata);
    for path in main_sources(&metadata, root) {
        let text =
            std::fs::read_to_string(root.join(&path)).map_err(|why| format!("{path}: {why}"))?;
        findings.extend(unsafe_code(path, &text));
    }
    Ok(findings)
}

fn items<'v>(value: &'v Value, name: &str) -> impl Iterator<Item = &'v Value> {
    value[name].as_array().into_iter().flatten()
}

/// Sources that open a library or a program.
fn main_sources(metadata: &Value, root: &Path) -> Vec<String> {
    let targets = items(metadata, "packages").flat_map(|package| items(package, "targets"));
    let opens = |target: &&Value| items(target, "kind").any(|kind| kind == "lib" || kind == "bin");
    let path = |target: &Value| {
        let path = Path::new(target["src_path"].as_str()?).strip_prefix(root).ok()?;
        Some(path.to_string_lossy().replace('\\', "/"))
    };
    targets.filter(opens).filter_map(path).collect()
}

fn unsafe_code(path: String, text: &str) -> Option<Finding> {
    let forbids = text.lines().any(|line| line.trim() == "#![forbid(unsafe_code)]");
    (!forbids).then(|| Finding {
        path,
        line: 1,
        kind: Kind::UnsafeCode,
        size: None,
        what: "no `#![forbid(unsafe_code)]`".to_owned(),
        why: "no crate of ours needs unsafe code, and an attribute cannot be overridden below",
        remedy: "add it after the `//!` lines".to_owned(),
    })
}

fn dependencies(metadata: &Value) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in items(metadata, "packages") {
        let name = package["name"].as_str().unwrap_or_default();
        // Development dependencies are free: tests may compare with anything.
        let normal = items(package, "dependencies")
            .filter(|d| d["kind"] != "dev" && !is_for_testing(package, d));
        for dependency in normal {
            let on = dependency["name"].as_str().unwrap_or_default();
            let inside = !dependency["path"].is_null();
            findings.extend(refusal(name, on, inside).map(|(why, remedy)| Finding {
                path: match name {
                    "xtask" => "xtask/Cargo.toml".to_owned(),
                    _ => format!("crates/{name}/Cargo.toml"),
                },
                line: 1,
                kind: Kind::Layer,
                size: None,
                what: format!("{name} depends on {on}"),
                why,
                remedy: remedy.to_owned(),
            }));
        }
    }
    findings
}

/// Whether only the feature `testing` brings `dependency`: helpers for other crates' tests.
fn is_for_testing(package: &Value, dependency: &Value) -> bool {
    let wanted = format!("dep:{}", dependency["name"].as_str().unwrap_or_default());
    let brings = |list: &Value| list.as_array().into_iter().flatten().any(|item| *item == *wanted);
    let features = package["features"].as_object().into_iter().flatten();
    let mut names = features.filter(|(_, list)| brings(list)).map(|(name, _)| name);
    dependency["optional"] == true && names.next().is_some_and(|name| name == "testing")
}

/// Why `name` may not depend on `on`, and what to do; `None` when it may.
fn refusal(name: &str, on: &str, inside: bool) -> Option<(&'static str, &'static str)> {
    let place = |name: &str| HOUSE.iter().find(|(other, ..)| *other == name);
    let Some((_, layer, column)) = place(name) else {
        let known = ASIDE.contains(&name);
        return (!known)
            .then_some(("it has no place in the house", "give it one in tidy/layers.rs"));
    };
    if !inside {
        let allowed = *layer > LAST_PURE_LAYER || PURE_LIBRARIES.contains(&on);
        return (!allowed).then_some((
            "layers 0 to 3 use only libraries known to be free of IO, clocks and randomness",
            "hand the facts in as events, or argue for it in PURE_LIBRARIES of tidy/layers.rs",
        ));
    }
    let Some((_, on_layer, on_column)) = place(on) else {
        return Some(("tools stand aside of the product", "make it a dev-dependency"));
    };
    if (*column, *on_column) == (Column::Store, Column::Voting) {
        return Some((
            "the store column never depends on the voting column",
            "turn the dependency round; the store is a product by itself",
        ));
    }
    if NEVER_KNOW.iter().any(|(who, what)| *who == name && what.contains(&on)) {
        return Some((
            "its own words exclude that crate's",
            "talk to it through the layer between",
        ));
    }
    let shared = (*layer, *on_layer) == (4, 4) && SHARED_IN_LAYER_4.contains(&on);
    (*on_layer >= *layer && !shared).then_some((
        "a crate depends only on lower layers, and in layer 4 on client and web-assets beside it",
        "move what both need down, or pass it in",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, on: &str, expect: Option<&str>) {
        let why = refusal(name, on, true).map(|(why, _)| why);
        match expect {
            None => assert_eq!(why, None, "{name} -> {on}"),
            Some(part) => {
                assert!(why.is_some_and(|why| why.contains(part)), "{name} -> {on}: {why:?}");
            }
        }
    }

    #[test]
    fn layers_and_columns() {
        check("kv", "mvcc", None);
        check("authority", "kv", None);
        check("quorate", "gateway", None);
        check("gateway", "client", None);
        check("sim", "authority", None);
        check("raft", "storage", Some("lower layers"));
        check("base", "kv", Some("lower layers"));
        check("authority", "trustee", Some("lower layers"));
        check("etcd-api", "node", Some("lower layers"));
        check("node", "authority", Some("store column"));
        check("kv", "raft", Some("words exclude"));
        check("verifier", "replica", Some("lower layers"));
        check("kv", "testkit", Some("aside"));
        check("newcomer", "base", Some("no place"));
    }

    #[test]
    fn libraries_below_the_purity_line_are_listed() {
        assert_eq!(refusal("kv", "bytes", false), None);
        assert!(refusal("kv", "tokio", false).is_some());
        assert!(refusal("ballot", "getrandom", false).is_some());
        assert_eq!(refusal("node", "tokio", false), None);
    }

    #[test]
    fn metadata_is_read_and_dev_dependencies_are_free() {
        let text = r#"{"packages":[{"name":"kv","dependencies":[
            {"name":"redb","kind":"dev"},
            {"name":"tokio","kind":null},
            {"name":"testkit","kind":null,"path":"/x","optional":true},
            {"name":"sim","kind":null,"path":"/x","optional":true},
            {"name":"node","kind":null,"path":"/x"}],
            "features":{"testing":["dep:testkit"],"more":["dep:sim"]}}]}"#;
        let metadata = serde_json::from_str(text).expect("the sample is JSON");
        let what: Vec<String> = dependencies(&metadata).into_iter().map(|f| f.what).collect();
        assert_eq!(what, ["kv depends on tokio", "kv depends on sim", "kv depends on node"]);
    }

    #[test]
    fn an_opening_source_must_forbid_unsafe_code() {
        assert!(unsafe_code("a".to_owned(), "//! A.\nfn a() {}\n").is_some());
        assert!(unsafe_code("a".to_owned(), "//! A.\n#![forbid(unsafe_code)]\n").is_none());
    }
}

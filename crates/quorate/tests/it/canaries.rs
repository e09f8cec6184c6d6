//! Secrets that nodes must never hold: searched for, byte by byte, in everything they wrote.

use crate::demo::Stage;
use crate::support::files_below;
use ballot::Code;
use hkdf::Hkdf;
use sha2::Sha512;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Needles are found by their first bytes; none is shorter.
const HEAD: usize = 8;

/// What is searched for, by its first bytes.
#[derive(Default)]
pub(crate) struct Needles(BTreeMap<[u8; HEAD], Vec<(String, Vec<u8>)>>);

impl Needles {
    pub(crate) fn add(&mut self, what: &str, bytes: impl Into<Vec<u8>>) {
        let bytes = bytes.into();
        let head = *bytes.first_chunk().expect("needles have at least eight bytes");
        self.0.entry(head).or_default().push((what.to_owned(), bytes));
    }

    /// The same in the forms in which programs write bytes.
    fn add_bytes(&mut self, what: &str, bytes: &[u8]) {
        self.add(what, bytes);
        self.add(what, hex::encode(bytes));
        self.add(what, hex::encode_upper(bytes));
    }

    /// A code or a token, as people type it and as programs hold it.
    pub(crate) fn add_code(&mut self, what: &str, code: &str) {
        let plain = code.replace('-', "");
        for form in [code, &plain, &code.to_lowercase(), &plain.to_lowercase()] {
            self.add(what, form);
        }
        let code: Code = code.parse().expect("the issuer's codes are codes");
        self.add_bytes(&format!("the bytes of {what}"), code.as_bytes());
    }

    /// The first one that stands in `hay`.
    pub(crate) fn find(&self, hay: &[u8]) -> Option<&str> {
        let mut starts = [false; 1 << 16];
        for head in self.0.keys() {
            starts[usize::from(u16::from_be_bytes([head[0], head[1]]))] = true;
        }
        (0..hay.len().saturating_sub(HEAD - 1)).find_map(|at| {
            if !starts[usize::from(u16::from_be_bytes([hay[at], hay[at + 1]]))] {
                return None;
            }
            let candidates = self.0.get(&hay[at..at + HEAD])?;
            let found = candidates.iter().find(|(_, bytes)| hay[at..].starts_with(bytes));
            found.map(|(what, _)| what.as_str())
        })
    }
}

/// Everything that only voters, issuer and trustees may hold.
fn secrets(stage: &Stage) -> Needles {
    let mut needles = Needles::default();
    let codes = std::fs::read_to_string(stage.path("issuer/codes.csv")).expect("codes");
    let id = election_id(stage);
    for row in codes.lines().skip(1).filter(|row| !row.is_empty()) {
        let mut cells = row.split(',');
        let voter = cells.next().expect("voter_id,code,name");
        let code = cells.next().expect("voter_id,code,name");
        needles.add(&format!("the name of {voter}"), voter);
        let code = code.trim().trim_matches('"');
        needles.add_code(&format!("the code of {voter}"), code);
        let code: Code = code.parse().expect("the issuer's codes are codes");
        let mut seed = [0; 32];
        let expanded =
            Hkdf::<Sha512>::new(Some(&id), code.as_bytes()).expand(b"cred/v1", &mut seed);
        expanded.expect("32 bytes are less than HKDF's limit");
        needles.add_bytes(&format!("the signing key of {voter}"), &seed);
    }
    for number in 1..=3 {
        let sealed =
            std::fs::read(stage.path(&format!("trustee-{number}/secret"))).expect("sealed");
        let passphrase =
            std::fs::read_to_string(stage.path(&format!("trustee-{number}/passphrase")));
        let passphrase = passphrase.expect("a passphrase").trim().to_owned();
        needles.add(&format!("the passphrase of trustee {number}"), passphrase.as_str());
        needles.add(&format!("the sealed secret of trustee {number}"), &sealed[14..]);
        add_trustee(&mut needles, number, &sealed, &passphrase);
    }
    add_choices(&mut needles);
    needles
}

/// The file holds a version, then the 32 secret bytes; what follows is public.
fn add_trustee(needles: &mut Needles, number: u8, sealed: &[u8], passphrase: &str) {
    let opened = ballot::seal::open(sealed, passphrase).expect("the trustee's own passphrase");
    needles.add_bytes(&format!("the secret of trustee {number}"), &opened[1..33]);
}

/// Choices in the clear would name options together.
fn add_choices(needles: &mut Needles) {
    let options = [
        "A roof over the bicycles",
        "Benches under the lime trees",
        "Evening courses in first aid",
        "New lamps along the river",
        "Repair workshop",
        "Summer cinema",
    ];
    for one in options {
        for other in options.iter().filter(|other| **other != one) {
            for between in [",", ", ", "\",\"", ";"] {
                needles.add("a combination of options", format!("{one}{between}{other}"));
            }
        }
    }
}

fn election_id(stage: &Stage) -> [u8; 16] {
    let trust = std::fs::read_to_string(stage.path("election.archive.trust")).expect("exported");
    let (_, id) = trust.split_once("/e/").expect("an origin");
    let mut bytes = [0; 16];
    hex::decode_to_slice(&id[..32], &mut bytes).expect("an id");
    bytes
}

/// What the nodes wrote: their folders, logs and standard output.
fn written_by_nodes(stage: &Stage) -> Vec<PathBuf> {
    let is_nodes = |path: &PathBuf| {
        let first = path.strip_prefix(stage.path("")).ok().and_then(|path| path.iter().next());
        first.is_some_and(|name| name.to_string_lossy().starts_with("node-"))
    };
    files_below(&stage.path("")).into_iter().filter(is_nodes).collect()
}

/// Searches everything the nodes wrote for everything they must not know.
pub(crate) fn check(stage: &Stage) {
    let needles = secrets(stage);
    let files = written_by_nodes(stage);
    let mut control = Needles::default();
    control.add("the title", "Election of the board");
    let has_title = |path: &PathBuf| control.find(&read(path)).is_some();
    assert!(files.iter().any(has_title), "the search finds what is there");
    for path in &files {
        let found = needles.find(&read(path));
        assert_eq!(found, None, "{} holds a secret", path.display());
    }
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).expect("a file of a node")
}

//! Known answers of RFC 6962's reference tree, and our own formats frozen in
//! `spec/vectors/ledger.json` (`BLESS=1` writes the file; read the difference before committing).

use std::fs;

use ledger::{
    AuthoritySigner, Checkpoint, Hash, OriginRule, Policy, Receipt, SignedCheckpoint, Tree,
    encode_bundle, leaf_hash, tiles_of, verify_consistency, verify_inclusion,
};
use serde_json::{Value, json};
use testkit::{hex, repo_root};

/// The eight leaves with which Certificate Transparency's implementations test each other.
const LEAVES: [&[u8]; 8] = [
    b"",
    b"\x00",
    b"\x10",
    b"\x20\x21",
    b"\x30\x31",
    b"\x40\x41\x42\x43",
    b"\x50\x51\x52\x53\x54\x55\x56\x57",
    b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
];
const ROOTS: [&str; 9] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

fn reference_tree() -> Tree {
    Tree::from_leaves(LEAVES.iter().map(|leaf| leaf_hash(leaf)))
}

#[test]
fn the_reference_tree_has_the_known_roots() {
    let tree = reference_tree();
    for (size, root) in ROOTS.iter().enumerate() {
        assert_eq!(tree.root_at(size as u64).unwrap().to_string(), *root, "size {size}");
    }
}

#[test]
fn the_frozen_vectors_still_hold() {
    let file = repo_root().join("spec/vectors/ledger.json");
    let now = serde_json::to_string_pretty(&vectors()).unwrap() + "\n";
    if std::env::var_os("BLESS").is_some() {
        fs::write(&file, &now).unwrap();
    }
    let frozen = fs::read_to_string(&file).expect("spec/vectors/ledger.json; BLESS=1 writes it");
    assert!(frozen == now, "spec/vectors/ledger.json no longer describes the code");
}

#[test]
fn the_frozen_texts_are_read_back() {
    let file = repo_root().join("spec/vectors/ledger.json");
    let frozen: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    let text = |name: &str| frozen[name].as_str().unwrap().to_owned();
    let policy = Policy::parse(&text("trust_file")).unwrap();
    let note = SignedCheckpoint::parse(text("signed_checkpoint").as_bytes()).unwrap();
    assert_eq!(policy.verify(&note), Ok(vec![1, 3]));
    let receipt = Receipt::parse(&text("receipt")).unwrap();
    assert_eq!(receipt.verify(&policy, leaf_hash(LEAVES[5])), Ok(vec![1, 3]));
}

fn hashes(path: &[Hash]) -> Vec<String> {
    path.iter().map(Hash::to_string).collect()
}

fn vectors() -> Value {
    let tree = reference_tree();
    let signers: Vec<AuthoritySigner> = (1..=3u8)
        .map(|i| AuthoritySigner::from_seed(&format!("node-{i}.vote.example"), &[i; 32]).unwrap())
        .collect();
    let origin = "vote.example/e/00112233445566778899aabbccddeeff".to_owned();
    let checkpoint = Checkpoint { origin: origin.clone(), size: 8, root: tree.root() };
    let mut note = SignedCheckpoint::unsigned(checkpoint.clone());
    for at in [0, 2] {
        note.add(signers[at].key(), &signers[at].cosign(&checkpoint, 1_790_000_040));
    }
    let keys = signers.iter().map(|signer| signer.key().clone()).collect();
    let policy = Policy::new(OriginRule::Exact(origin), keys, 0).unwrap();
    let path = tree.inclusion(5, 8).unwrap();
    let receipt = Receipt { extra: vec![1, 2, 3], index: 5, path, checkpoint: note.clone() };
    json!({
        "note": "hex unless a text; authority i has the Ed25519 secret key of 32 bytes i",
        "leaves": LEAVES.map(hex),
        "roots": ROOTS,
        "inclusion": inclusion(&tree),
        "consistency": consistency(&tree),
        "tiles": tiles_of(8)
            .map(|path| (path.to_string(), tree.tile(path).unwrap()))
            .map(|(path, bytes)| json!({ "path": path, "bytes": hex(&bytes) }))
            .collect::<Vec<_>>(),
        "bundle": hex(&encode_bundle(LEAVES).unwrap()),
        "verifier_keys": signers.iter().map(|s| s.key().to_string()).collect::<Vec<_>>(),
        "signed_checkpoint": note.to_string(),
        "trust_file": policy.to_string(),
        "receipt": receipt.to_string(),
    })
}

fn inclusion(tree: &Tree) -> Vec<Value> {
    let all = (1..=8u64).flat_map(|size| (0..size).map(move |index| (index, size)));
    all.map(|(index, size)| {
        let path = tree.inclusion(index, size).unwrap();
        let (leaf, root) = (tree.leaf(index).unwrap(), tree.root_at(size).unwrap());
        assert_eq!(verify_inclusion(leaf, index, size, &path, root), Ok(()));
        json!({ "index": index, "size": size, "path": hashes(&path) })
    })
    .collect()
}

fn consistency(tree: &Tree) -> Vec<Value> {
    let all = (1..=8u64).flat_map(|new| (1..=new).map(move |old| (old, new)));
    all.map(|(old, new)| {
        let path = tree.consistency(old, new).unwrap();
        let (from, to) = (tree.root_at(old).unwrap(), tree.root_at(new).unwrap());
        assert_eq!(verify_consistency((old, from), (new, to), &path), Ok(()));
        json!({ "old": old, "new": new, "path": hashes(&path) })
    })
    .collect()
}

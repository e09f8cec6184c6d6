//! The public record: notes, receipts, trust files, keys, tiles, what authorities tell each other.

use crate::Target;
use crate::elections::{Small, small};
use authority::vote::{Certificate, Vote};
use ledger::{
    AuthorityKey, Checkpoint, Cosignature, Policy, Receipt, SignedCheckpoint, TilePath,
    decode_bundle, encode_bundle, leaf_hash,
};

pub(crate) const TARGETS: &[Target] = &[
    Target::new("checkpoint", checkpoint, checkpoints),
    Target::new("signed_note", signed_note, signed_notes).up_to(1024),
    Target::new("receipt", receipt, receipts).up_to(2048),
    Target::new("trust_file", trust_file, trust_files),
    Target::new("authority_key", authority_key, authority_keys).up_to(128),
    Target::new("cosignature", cosignature, cosignatures).up_to(128),
    Target::new("tile_path", tile_path, tile_paths).up_to(64),
    Target::new("tile_bundle", tile_bundle, tile_bundles),
    Target::new("authority_vote", authority_vote, authority_votes).up_to(256),
    Target::new("certificate", certificate, certificates),
];

/// Text whose parser accepts only what `Display` prints.
fn one_form<T: std::fmt::Display, E>(text: &[u8], parse: impl FnOnce(&str) -> Result<T, E>) {
    if let Ok(text) = core::str::from_utf8(text)
        && let Ok(value) = parse(text)
    {
        assert_eq!(value.to_string(), text);
    }
}

fn checkpoint(bytes: &[u8]) {
    one_form(bytes, Checkpoint::parse);
}

fn checkpoints() -> Vec<Vec<u8>> {
    let Small { archive, .. } = small();
    archive.checkpoints.iter().map(|note| note.checkpoint.to_string().into_bytes()).collect()
}

fn signed_note(bytes: &[u8]) {
    one_form(bytes, |text| SignedCheckpoint::parse(text.as_bytes()));
}

fn signed_notes() -> Vec<Vec<u8>> {
    small().archive.checkpoints.iter().map(|note| note.to_string().into_bytes()).collect()
}

fn receipt(bytes: &[u8]) {
    one_form(bytes, |text| {
        let receipt = Receipt::parse(text);
        if let Ok(receipt) = &receipt {
            let Small { trust, archive, .. } = small();
            let _ = receipt.verify(trust, leaf_hash(&archive.leaves[0]));
        }
        receipt
    });
}

fn receipts() -> Vec<Vec<u8>> {
    let Small { archive, .. } = small();
    let checkpoint = archive.checkpoints[0].clone();
    let size = checkpoint.checkpoint.size;
    let path = archive.tree().inclusion(1, size).expect("the leaf is in the tree");
    let receipt = Receipt { extra: b"more".to_vec(), index: 1, path, checkpoint };
    let bare = Receipt { extra: Vec::new(), ..receipt.clone() };
    vec![receipt.to_string().into_bytes(), bare.to_string().into_bytes()]
}

fn trust_file(bytes: &[u8]) {
    one_form(bytes, Policy::parse);
}

fn trust_files() -> Vec<Vec<u8>> {
    vec![small().trust.to_string().into_bytes()]
}

fn authority_key(bytes: &[u8]) {
    one_form(bytes, AuthorityKey::parse);
}

fn authority_keys() -> Vec<Vec<u8>> {
    let authorities = &small().manifest.authorities;
    authorities.iter().map(|authority| authority.key.to_string().into_bytes()).collect()
}

fn cosignature(bytes: &[u8]) {
    if let Some(cosignature) = Cosignature::from_bytes(bytes) {
        assert_eq!(cosignature.to_bytes(), bytes);
    }
}

fn cosignatures() -> Vec<Vec<u8>> {
    let notes = &small().archive.checkpoints;
    notes.iter().flat_map(|note| note.signatures()).map(|line| line.bytes.clone()).collect()
}

fn tile_path(bytes: &[u8]) {
    one_form(bytes, str::parse::<TilePath>);
}

fn tile_paths() -> Vec<Vec<u8>> {
    let paths = ["tile/0/000", "tile/1/x001/x234/067", "tile/entries/x001/000.p/255"];
    paths.map(|path| path.as_bytes().to_vec()).to_vec()
}

fn tile_bundle(bytes: &[u8]) {
    if let Ok(entries) = decode_bundle(bytes) {
        assert_eq!(encode_bundle(entries).as_deref(), Ok(bytes));
    }
}

fn tile_bundles() -> Vec<Vec<u8>> {
    vec![encode_bundle([&b"one"[..], b"", b"three"]).expect("short entries")]
}

fn authority_vote(bytes: &[u8]) {
    if let Some(vote) = Vote::decode(bytes) {
        assert_eq!(vote.encode(), bytes);
    }
}

fn authority_votes() -> Vec<Vec<u8>> {
    // Form only: the signature is not looked at.
    (0..8).map(|kind| [&[kind], &[0, 0, 0, 0, 0, 0, 0, 1].repeat(14)[..]].concat()).collect()
}

fn certificate(bytes: &[u8]) {
    if let Some(certificate) = Certificate::decode(bytes) {
        assert_eq!(certificate.encode(), bytes);
    }
}

fn certificates() -> Vec<Vec<u8>> {
    let value = authority::vote::Value { size: 9, root: [7; 32] };
    let signatures = vec![(0, [1; 64]), (2, [3; 64])];
    vec![Certificate { height: 3, round: 1, value, signatures }.encode()]
}

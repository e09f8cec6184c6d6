//! `quorate authority …`: what the operator of a node does with its authority's key.
//!
//! An authority that lost its folder comes back with a new key. It counts in an election once a
//! quorum of the authorities has signed the change ([`election::succession`]). Each operator does
//! that beside the own node: the signature is made here with the key in the node's folder, and any
//! node takes it. No account and no node can order it.

use super::Failure;
use crate::http::{ApiClient, NodeArgs, Octets, block_on};
use crate::{authority_folder, exit, key_changes};
use ballot::signature::{PublicKey, SigningKey};
use clap::{Args, Subcommand};
use election::succession::{Succession, Successions};
use election::{ElectionId, Manifest};
use reqwest::Method;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// How long the others' signatures are waited for.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(300);

/// Look after the key with which a node's authority signs
#[derive(Args, Debug)]
pub(crate) struct AuthorityCommand {
    #[command(subcommand)]
    command: Act,
}

#[derive(Subcommand, Debug)]
enum Act {
    /// Show the public key of a node's authority, 64 hex digits
    Key(FolderArgs),
    /// Agree that another authority, which lost its folder, has a new key in an election
    ReplaceKey(ReplaceArgs),
}

#[derive(Args, Debug)]
struct FolderArgs {
    /// Folder of the node
    #[arg(long, value_name = "DIR")]
    data_dir: PathBuf,
}

#[derive(Args, Debug)]
struct ReplaceArgs {
    /// The election
    id: ElectionId,
    /// Number of the authority that lost its folder
    #[arg(long, value_name = "N")]
    authority: u8,
    /// Its new public key, as its operator read it out: `quorate authority key`
    #[arg(long, value_name = "HEX")]
    key: String,
    #[command(flatten)]
    folder: FolderArgs,
    #[command(flatten)]
    nodes: NodeArgs,
}

/// `quorate authority …`.
pub(crate) fn run(command: AuthorityCommand) -> Result<(), Failure> {
    match command.command {
        Act::Key(args) => {
            println!("{}", hex::encode(signer(&args)?.public().to_bytes()));
            Ok(())
        }
        Act::ReplaceKey(args) => block_on(replace(&args)),
    }
}

fn signer(args: &FolderArgs) -> Result<SigningKey, Failure> {
    authority_folder::read_key(&args.data_dir).map(|seed| SigningKey::from_seed(&seed))
}

fn wrong(message: impl ToString) -> Failure {
    Failure::new(exit::BAD_DATA, message)
}

fn read_key(text: &str) -> Result<[u8; 32], Failure> {
    let mut key = [0; 32];
    let is_hex = hex::decode_to_slice(text, &mut key).is_ok();
    if is_hex && PublicKey::from_bytes(&key).is_ok() {
        return Ok(key);
    }
    Err(wrong(format!("'{text}' is no public key: expected 64 hex digits of an Ed25519 key")))
}

/// What a node takes.
#[derive(Serialize)]
struct Agreement {
    generation: u32,
    authority: u8,
    key: Octets,
    signer: u8,
    signature: Octets,
}

/// Who signs with which key by now.
fn keys(manifest: &Manifest, changes: &Successions) -> BTreeMap<u8, [u8; 32]> {
    let now = changes.authorities_at(manifest, u64::MAX);
    now.iter().map(|one| (one.index, *one.key.public())).collect()
}

/// The change that is to be signed next, and by whom.
fn wish(
    keys: &BTreeMap<u8, [u8; 32]>,
    generation: u32,
    own: &[u8; 32],
    (authority, key): (u8, [u8; 32]),
) -> Result<(Succession, u8), Failure> {
    let Some(before) = keys.get(&authority) else {
        let known: Vec<String> = keys.keys().map(u8::to_string).collect();
        let known = known.join(", ");
        return Err(wrong(format!("no authority {authority} in this election; there are {known}")));
    };
    if *before == key {
        return Err(wrong(format!("authority {authority} has this key already")));
    }
    if let Some((holder, _)) = keys.iter().find(|(_, known)| **known == key) {
        return Err(wrong(format!("this is the key of authority {holder}")));
    }
    let signer = keys.iter().find(|(_, known)| *known == own).map(|(index, _)| *index);
    let signer = signer.ok_or_else(|| wrong("the key in this folder does not count in it"))?;
    Ok((Succession { generation, authority, key }, signer))
}

async fn replace(args: &ReplaceArgs) -> Result<(), Failure> {
    let (id, key) = (args.id, read_key(&args.key)?);
    let signer = signer(&args.folder)?;
    let api = ApiClient::from_args(&args.nodes)?;
    let bytes = api.get_bytes(&format!("/api/v1/elections/{id}/manifest")).await?;
    let manifest = Manifest::decode(&bytes)
        .map_err(Failure::because(exit::FAILED, "the manifest that the node gave"))?;
    if manifest.id != id {
        return Err(Failure::new(exit::FAILED, "the node gave the manifest of another election"));
    }
    let policy = manifest.policy().map_err(|problem| Failure::new(exit::FAILED, problem))?;
    let own = signer.public().to_bytes();
    let known = key_changes::follow(&api, &manifest, &policy).await?;
    let generation = known.all().len() as u32 + 1;
    let wanted = (args.authority, key);
    let (succession, index) = wish(&keys(&manifest, &known), generation, &own, wanted)?;
    let signature = succession.sign(&manifest.fingerprint(), index, &signer);
    let body = Agreement {
        generation,
        authority: args.authority,
        key: Octets(key.to_vec()),
        signer: index,
        signature: Octets(signature.to_vec()),
    };
    api.send(Method::POST, &format!("/api/v1/elections/{id}/successions"), &body).await?;
    println!("authority {index} agrees that authority {} has the new key", args.authority);
    let started = Instant::now();
    while started.elapsed() < PATIENCE {
        let known = key_changes::follow(&api, &manifest, &policy).await?;
        if known.all().len() >= generation as usize {
            println!("a quorum agrees: the change is on the ledger and final");
            return Ok(());
        }
        tokio::time::sleep(PAUSE).await;
    }
    println!(
        "the change is not on the ledger yet: {} authorities must agree to the same key; let the \
         other operators do this, too",
        manifest.quorum()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_change_is_signed_by_whose_key_counts() {
        let new = |seed| SigningKey::from_seed(&[seed; 32]).public().to_bytes();
        let (first, second, key) = (new(1), new(2), new(9));
        let mut keys: BTreeMap<u8, [u8; 32]> = [(1, first), (2, second), (3, new(3))].into();
        let fresh = Succession { generation: 1, authority: 2, key };
        assert_eq!(wish(&keys, 1, &first, (2, key)).ok(), Some((fresh, 1)));
        let refused = |keys: &BTreeMap<u8, [u8; 32]>, own: &[u8; 32], wanted| {
            wish(keys, 1, own, wanted).expect_err("refused").message
        };
        assert!(refused(&keys, &first, (9, key)).contains("no authority 9"));
        assert!(refused(&keys, &first, (2, second)).contains("has this key already"));
        assert!(refused(&keys, &second, (2, first)).contains("the key of authority 1"));
        // After the change the old key counts no more, and the new one does.
        keys.insert(2, key);
        assert!(refused(&keys, &second, (3, new(8))).contains("does not count in it"));
        let next = Succession { generation: 2, authority: 3, key: new(8) };
        assert_eq!(wish(&keys, 2, &key, (3, new(8))).ok(), Some((next, 2)));
    }

    #[test]
    fn keys_are_hex_of_a_point() {
        let good = hex::encode(SigningKey::from_seed(&[1; 32]).public().to_bytes());
        assert!(read_key(&good).is_ok());
        for bad in ["", "00", &"zz".repeat(32), &"ff".repeat(32)] {
            assert!(read_key(bad).expect_err("no key").message.contains("64 hex digits"), "{bad}");
        }
    }
}

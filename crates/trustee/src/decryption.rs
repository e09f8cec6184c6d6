//! Decrypting the sums: once, after the close, and only what a quorum of authorities has signed.

use ballot::{
    ceremony::{Announcements, Dealings, Received},
    threshold::{DecryptionShare, SecretShare},
};
use election::{Body, Entry, Fold, Manifest, Secrecy};
use ledger::SignedCheckpoint;
use rand_core::CryptoRng;

use crate::refusal::{Refusal, code};
use crate::secret_file::SecretFile;

/// A trustee's part of the result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decryption {
    /// Canonical bytes of the decryption share.
    pub share: Vec<u8>,
    /// Digest of what was decrypted: to be written into the secret file before the share is sent.
    pub statement: [u8; 32],
}

/// Decrypts this trustee's part of the sums that `fold` has recomputed from ballots verified
/// here. `checkpoint` is the end of the ledger as a quorum of the manifest's authorities signed
/// it, and must cover the close.
///
/// # Errors
/// Another manifest than the endorsed one, no final close, too few ballots, another tally than
/// the one decrypted before, or a ceremony that is not this trustee's.
pub fn decrypt(
    file: &SecretFile,
    fold: &Fold,
    checkpoint: &SignedCheckpoint,
    rng: &mut (impl CryptoRng + ?Sized),
) -> Result<Decryption, Refusal> {
    let manifest = check_manifest(file, fold)?;
    if manifest.definition.secrecy == Secrecy::Open {
        let sentence = "This is an open poll: its ballots are in clear, and nobody decrypts them.";
        return Err(Refusal::new(code::OTHER_MANIFEST, sentence));
    }
    let Some(statement) = fold.tally_statement() else {
        let sentence = "The election is not closed yet; nothing is decrypted before.";
        return Err(Refusal::new(code::NOT_READY, sentence));
    };
    check_final(fold, checkpoint, statement.checkpoint_size)?;
    let (found, minimum) = (fold.turnout().voters, manifest.definition.minimum_ballots);
    if found < minimum {
        let sentence = format!(
            "Only {found} ballots count; this election is not decrypted with fewer than {minimum}."
        );
        return Err(Refusal::new(code::TOO_FEW_BALLOTS, sentence));
    }
    let digest = statement.digest();
    if file.decrypted.is_some_and(|before| before != digest) {
        let sentence = "You have decrypted another tally of this election before. Two tallies of \
                        one election would tell how single people voted; nothing is decrypted.";
        return Err(Refusal::new(code::OTHER_TALLY, sentence));
    }
    let secret = recover_share(file, fold, manifest)?;
    let share = DecryptionShare::new(statement, &secret, rng);
    Ok(Decryption { share: share.as_bytes().to_vec(), statement: digest })
}

fn check_manifest<'a>(file: &SecretFile, fold: &'a Fold) -> Result<&'a Manifest, Refusal> {
    let (Some(manifest), Some(fingerprint)) = (fold.manifest(), fold.fingerprint()) else {
        return Err(Refusal::new(code::NOT_READY, "The election has no manifest yet."));
    };
    match file.endorsed {
        None => Err(Refusal::new(
            code::OTHER_MANIFEST,
            "This secret file has not endorsed any manifest: take part in the ceremony first.",
        )),
        Some(endorsed) if endorsed != fingerprint => Err(Refusal::new(
            code::OTHER_MANIFEST,
            "The ledger has another manifest than the one you endorsed; nothing is decrypted.",
        )),
        Some(_) => Ok(manifest),
    }
}

/// That a quorum, with the keys that count at this size, has signed exactly these leaves, the close
/// among them.
fn check_final(fold: &Fold, note: &SignedCheckpoint, closed_at: u64) -> Result<(), Refusal> {
    let unknown = || bad_ledger("its manifest names no authorities that could sign".to_owned());
    let policy = fold.policy_at(note.checkpoint.size).ok_or_else(unknown)?;
    policy.verify(note).map_err(|error| bad_ledger(error.to_string()))?;
    let checkpoint = &note.checkpoint;
    if checkpoint.size < closed_at {
        let sentence = format!(
            "Only {} of the {closed_at} leaves up to the close are final yet; try again in a \
             moment.",
            checkpoint.size
        );
        return Err(Refusal::new(code::NOT_READY, sentence));
    }
    match fold.tree().root_at(checkpoint.size) {
        Some(root) if root == checkpoint.root => Ok(()),
        Some(_) => Err(bad_ledger("its root is not that of the entries".to_owned())),
        None => Err(bad_ledger(format!(
            "it covers {} leaves, but only {} are there",
            checkpoint.size,
            fold.tree().size()
        ))),
    }
}

fn bad_ledger(reason: String) -> Refusal {
    let sentence = format!("The signed checkpoint does not fit the ledger: {reason}.");
    Refusal::new(code::BAD_LEDGER, sentence)
}

/// This trustee's share of the key, made again from the ceremony's messages on the ledger.
fn recover_share(
    file: &SecretFile,
    fold: &Fold,
    manifest: &Manifest,
) -> Result<SecretShare, Refusal> {
    let entries = fold.leaves().iter().filter_map(|leaf| match Entry::decode(leaf).ok()?.body {
        Body::Ceremony(message) => Some(message),
        _ => None,
    });
    let messages: Vec<&[u8]> = entries.collect();
    let trustees = manifest.trustees.len();
    let Some((announced, rest)) = messages.split_at_checked(trustees) else {
        return Err(bad_ledger("the ceremony is incomplete".to_owned()));
    };
    let announcements = Announcements::parse(manifest.ceremony_parameters(), announced)?;
    let dealt = rest.get(..trustees).ok_or_else(|| bad_ledger("no dealings".to_owned()))?;
    let dealings = Dealings::parse(announcements, dealt)?;
    let share = match file.secret.receive(&dealings, file.trustee.into())? {
        Received::Share(share) => share,
        Received::Complaints(_) => {
            let sentence = "A share dealt to you does not fit; this ceremony cannot be yours.";
            return Err(Refusal::new(code::COMPLAINT, sentence));
        }
    };
    let named = manifest.trustee(file.trustee);
    if named.is_some_and(|named| named.verification == share.verification_key().to_bytes()) {
        return Ok(share);
    }
    let sentence = format!("The manifest has another key for trustee {}.", file.trustee);
    Err(Refusal::new(code::OTHER_MANIFEST, sentence))
}

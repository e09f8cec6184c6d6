//! `quorate election ceremony`: one trustee, from the announcement to the endorsement.

use super::{Progress, TrusteeArgs, act, drafted, failed, path};
use crate::commands::Failure;
use crate::http::{ApiClient, CeremonyMessage, CeremonyMessages, Leaves, Octets, PAUSE};
use crate::{exit, files, random};
use ballot::seal::Cost;
use base::Machine;
use clap::Args;
use election::{Body, Draft, ElectionId, Entry, refusal::code};
use reqwest::Method;
use serde::Serialize;
use std::collections::BTreeSet;
use trustee::{Ceremony, Effect, Event, Round, SecretFile, Stage};

#[derive(Args, Debug)]
pub(super) struct CeremonyArgs {
    /// The election
    id: ElectionId,
    #[command(flatten)]
    who: TrusteeArgs,
    /// Attempt at the ceremony, the same for all trustees; the next one after a complaint
    #[arg(long, value_name = "N", default_value_t = 0)]
    attempt: u32,
}

/// A trustee's secret file on disk, open.
pub(super) struct Vault {
    args: TrusteeArgs,
    passphrase: String,
    pub(super) file: SecretFile,
}

impl Vault {
    /// Opens the file of a trustee of this election.
    ///
    /// # Errors
    /// When it cannot be opened or belongs to another trustee or election.
    pub(super) fn open(args: TrusteeArgs, id: ElectionId) -> Result<Self, Failure> {
        let passphrase = files::passphrase(args.passphrase_file.as_deref(), false)?;
        let what = args.secret.display().to_string();
        let file = SecretFile::open(&files::read(&args.secret)?, &passphrase)
            .map_err(Failure::because(exit::BAD_DATA, &what))?;
        if file.election != id || file.trustee != args.trustee {
            let message = format!(
                "{what} is the secret of trustee {} in election {}, not of trustee {} in {id}",
                file.trustee, file.election, args.trustee
            );
            return Err(Failure::new(exit::BAD_DATA, message));
        }
        Ok(Self { args, passphrase, file })
    }

    /// A fresh secret, written before anything is said with it.
    fn make(args: TrusteeArgs, id: ElectionId, attempt: u32) -> Result<Self, Failure> {
        let passphrase = files::passphrase(args.passphrase_file.as_deref(), true)?;
        let file = SecretFile::generate(id, args.trustee, attempt, &mut random::system());
        let vault = Self { args, passphrase, file };
        vault.save()?;
        eprintln!("made the secret file {}; keep it safe", vault.args.secret.display());
        Ok(vault)
    }

    /// Writes what the file remembers now.
    ///
    /// # Errors
    /// When it cannot be written; then nothing may be sent that it should remember.
    pub(super) fn save(&self) -> Result<(), Failure> {
        let sealed = self
            .file
            .seal(&self.passphrase, Cost::DEFAULT, &mut random::system())
            .map_err(failed)?;
        files::write_private(&self.args.secret, &sealed)
    }
}

#[derive(Serialize)]
struct Endorsement {
    trustee: u8,
    signature: Octets,
}

pub(super) async fn run(api: &ApiClient, args: CeremonyArgs) -> Result<(), Failure> {
    let (_, draft) = drafted(api, args.id).await?;
    let mut vault = if args.who.secret.exists() {
        Vault::open(args.who, args.id)?
    } else {
        Vault::make(args.who, args.id, args.attempt)?
    };
    if args.attempt < vault.file.attempt {
        let attempt = vault.file.attempt;
        return Err(failed(format!("this secret file is at attempt {attempt} already")));
    }
    if args.attempt > vault.file.attempt {
        vault.file.attempt = args.attempt;
        vault.save()?;
    }
    let ceremony = Ceremony::new(&vault.file, &draft).map_err(failed)?;
    let seen = BTreeSet::new();
    let mut table = Table { api, draft, vault, ceremony, seen, progress: Progress::default() };
    table.start().await?;
    while table.ceremony.stage() != Stage::Done {
        if !table.advance().await? {
            tokio::time::sleep(PAUSE).await;
        }
    }
    let number = table.vault.file.trustee;
    println!("trustee {number} has taken part in the ceremony and endorsed the manifest");
    Ok(())
}

/// The trustee at the table where all see each other's messages.
struct Table<'a> {
    api: &'a ApiClient,
    draft: Draft,
    vault: Vault,
    ceremony: Ceremony,
    /// Rounds and trustees whose messages the machine has taken.
    seen: BTreeSet<(Round, u8)>,
    progress: Progress,
}

impl Table<'_> {
    async fn start(&mut self) -> Result<(), Failure> {
        let effects = self.ceremony.step(Event::Started);
        self.perform(effects).await
    }

    /// Takes what is new; says whether anything was.
    async fn advance(&mut self) -> Result<bool, Failure> {
        match self.ceremony.stage() {
            Stage::Awaiting(round) => self.take_messages(round).await,
            Stage::AwaitingManifest => self.take_manifest().await,
            Stage::Done | Stage::Stopped => Ok(false),
        }
    }

    async fn take_messages(&mut self, round: Round) -> Result<bool, Failure> {
        let number = self.round_number(round)?;
        let new: Vec<CeremonyMessage> = self
            .messages()
            .await?
            .into_iter()
            .filter(|one| one.round == number && !self.seen.contains(&(round, one.trustee)))
            .collect();
        let is_new = !new.is_empty();
        for CeremonyMessage { trustee, message, .. } in new {
            self.seen.insert((round, trustee));
            let event = Event::Posted { round, trustee, message: message.0 };
            let effects = self.ceremony.step(event);
            self.perform(effects).await?;
        }
        if self.ceremony.stage() == Stage::Awaiting(round) {
            let missing = self.ceremony.missing();
            let names: Vec<String> = missing.iter().map(|number| self.name(*number)).collect();
            let line = format!("waiting for the {} of {}", round.name(), names.join(", "));
            self.progress.tell(line);
        } else if round == Round::Confirmations {
            let line = "the key is made and rehearsed; waiting for the manifest".to_owned();
            self.progress.tell(line);
        }
        Ok(is_new)
    }

    /// The manifest is the first leaf of the ledger, with the administrator's signature.
    async fn take_manifest(&mut self) -> Result<bool, Failure> {
        let path = path(self.draft.id, "leaves?from=0&limit=1");
        let leaves: Leaves = self.api.get_json(&path).await?;
        let Some(leaf) = leaves.leaves.first() else { return Ok(false) };
        let entry = Entry::decode(&leaf.0).map_err(failed)?;
        let Body::Manifest { manifest, signature } = entry.body else {
            return Err(failed("the first leaf of the ledger is not the manifest"));
        };
        let effects = self.ceremony.step(Event::Sealed { manifest: manifest.to_vec(), signature });
        self.perform(effects).await?;
        Ok(true)
    }

    async fn messages(&self) -> Result<Vec<CeremonyMessage>, Failure> {
        let all: CeremonyMessages = self.api.get_json(&path(self.draft.id, "ceremony")).await?;
        Ok(all.messages)
    }

    async fn perform(&mut self, effects: Vec<Effect>) -> Result<(), Failure> {
        for effect in effects {
            match effect {
                Effect::Post { round, message } => self.post(round, message).await?,
                Effect::Pin { fingerprint } => {
                    self.vault.file.endorsed = Some(fingerprint);
                    self.vault.save()?;
                }
                Effect::Endorse { signature } => {
                    let trustee = self.vault.file.trustee;
                    let body = Endorsement { trustee, signature: Octets(signature.to_vec()) };
                    let path = path(self.draft.id, "endorsements");
                    // Once the election is open, all endorsements are on the ledger.
                    act(
                        self.api,
                        (Method::POST, &path),
                        &body,
                        &[code::REPEATED, code::WRONG_PHASE],
                    )
                    .await?;
                    self.progress.tell("the manifest is checked and endorsed".to_owned());
                }
                // The first message in a place stays there, so the attempt cannot go on.
                Effect::Refused(refusal) | Effect::Stopped(refusal) => {
                    return Err(failed(refusal));
                }
            }
        }
        Ok(())
    }

    /// Posts a message unless one is there, which is then judged when it is read.
    async fn post(&mut self, round: Round, message: Vec<u8>) -> Result<(), Failure> {
        let (number, trustee) = (self.round_number(round)?, self.vault.file.trustee);
        let posted = self.messages().await?;
        if posted.iter().any(|one| (one.round, one.trustee) == (number, trustee)) {
            return Ok(());
        }
        let body = CeremonyMessage { round: number, trustee, message: Octets(message) };
        act(self.api, (Method::POST, &path(self.draft.id, "ceremony")), &body, &[code::REPEATED])
            .await?;
        self.progress.tell(format!("posted the {}", round.name()));
        Ok(())
    }

    /// The number of a round on the board, where attempts follow each other.
    fn round_number(&self, round: Round) -> Result<u8, Failure> {
        number_of(self.vault.file.attempt, round).ok_or_else(|| failed("too many attempts"))
    }

    fn name(&self, number: u8) -> String {
        let at = usize::from(number).saturating_sub(1);
        let name = self.draft.definition.trustees.get(at).map_or("", String::as_str);
        format!("trustee {number} ({name})")
    }
}

/// Attempt a has the rounds 3a+1 to 3a+3.
pub(super) fn number_of(attempt: u32, round: Round) -> Option<u8> {
    let number = attempt.checked_mul(3)?.checked_add(round as u32)?;
    u8::try_from(number).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_follow_each_other_on_the_board() {
        assert_eq!(number_of(0, Round::Announcements), Some(1));
        assert_eq!(number_of(0, Round::Confirmations), Some(3));
        assert_eq!(number_of(1, Round::Announcements), Some(4));
        assert_eq!(number_of(85, Round::Announcements), None);
    }
}

//! `quorate election tally`: a trustee verifies the ledger and decrypts its part of the sums.

use super::ceremony::Vault;
use super::{Progress, TrusteeArgs, act, failed, path};
use crate::commands::Failure;
use crate::http::{ApiClient, Content, Leaves, Octets, PAUSE, Reply};
use crate::random;
use bytes::Bytes;
use clap::Args;
use election::{ElectionId, Fold, Phase, refusal::code};
use ledger::SignedCheckpoint;
use reqwest::Method;
use serde::Serialize;
use std::time::Duration;
use tokio::time::Instant;
use trustee::decrypt;

/// How long to wait for the end of the ledger to be final.
const FINAL_PATIENCE: Duration = Duration::from_secs(120);

#[derive(Args, Debug)]
pub(super) struct TallyArgs {
    /// The election
    id: ElectionId,
    #[command(flatten)]
    who: TrusteeArgs,
}

#[derive(Serialize)]
struct ShareBody {
    trustee: u8,
    share: Octets,
}

#[derive(Serialize)]
struct ResultBody {
    result: Octets,
}

pub(super) async fn run(api: &ApiClient, args: TallyArgs) -> Result<(), Failure> {
    let trustee = args.who.trustee;
    let mut vault = Vault::open(args.who, args.id)?;
    let mut book = Book { api, id: args.id, fold: Fold::new(args.id) };
    let checkpoint = book.verified_end().await?;
    if book.fold.result().is_some() {
        println!("the result is published already; see `quorate election results {}`", args.id);
        return Ok(());
    }
    if !book.has_share(trustee) {
        let done =
            decrypt(&vault.file, &book.fold, &checkpoint, &mut random::system()).map_err(failed)?;
        vault.file.decrypted = Some(done.statement);
        vault.save()?;
        let body = ShareBody { trustee, share: Octets(done.share) };
        act(api, (Method::POST, &path(args.id, "shares")), &body, &[code::REPEATED]).await?;
        eprintln!("posted the decryption share of trustee {trustee}");
    }
    while !book.has_share(trustee) && book.fold.result().is_none() {
        book.read_on().await?;
        tokio::time::sleep(PAUSE).await;
    }
    book.publish().await
}

/// The ledger as this trustee has read and verified it.
struct Book<'a> {
    api: &'a ApiClient,
    id: ElectionId,
    fold: Fold,
}

impl Book<'_> {
    /// Reads and verifies everything up to a checkpoint that covers the close, and compares it
    /// with what each of the other nodes has signed.
    async fn verified_end(&mut self) -> Result<SignedCheckpoint, Failure> {
        let mut progress = Progress::default();
        let started = Instant::now();
        let best = loop {
            self.read_on().await?;
            let closed_at = self.fold.tally_statement().map(|closed| closed.checkpoint_size);
            let Some(closed_at) = closed_at else {
                return Err(failed("the election is not closed yet"));
            };
            let best = self.compare().await?;
            match best {
                Some(best) if best.checkpoint.size >= closed_at => break best,
                _ if started.elapsed() > FINAL_PATIENCE => {
                    return Err(failed("the close is not final yet; try again later"));
                }
                _ => progress.tell("waiting until the close is final".to_owned()),
            }
            tokio::time::sleep(PAUSE).await;
        };
        eprintln!(
            "verified {} leaves; {} ballots count",
            self.fold.tree().size(),
            self.fold.turnout().voters
        );
        Ok(best)
    }

    /// Reads leaves that are new and checks each of them.
    async fn read_on(&mut self) -> Result<(), Failure> {
        loop {
            let from = self.fold.tree().size();
            let path = path(self.id, &format!("leaves?from={from}&limit=1000"));
            let page: Leaves = self.api.get_json(&path).await?;
            let more = page.next.is_some();
            let leaves: Vec<Bytes> = page.leaves.into_iter().map(|leaf| leaf.0.into()).collect();
            let is_empty = leaves.is_empty();
            for verdict in self.fold.push_batch(&leaves, &mut random::system()) {
                verdict.map_err(|refusal| {
                    let leaf = self.fold.tree().size();
                    failed(format!("the node's ledger is wrong at leaf {leaf}: {refusal}"))
                })?;
            }
            if !more || is_empty {
                return Ok(());
            }
        }
    }

    /// The largest signed checkpoint of all nodes; every node's must fit these leaves.
    async fn compare(&self) -> Result<Option<SignedCheckpoint>, Failure> {
        let mut best: Option<SignedCheckpoint> = None;
        for (number, node) in self.api.nodes().iter().enumerate() {
            let path = path(self.id, "checkpoint");
            let reply = self.api.ask_once(number, Method::GET, &path, &Content::None).await;
            let Reply::Done { body, .. } = reply else { continue };
            let note = SignedCheckpoint::parse(&body)
                .map_err(|error| failed(format!("{node}, checkpoint: {error}")))?;
            let (size, root) = (note.checkpoint.size, note.checkpoint.root);
            // One that covers more than was read is looked at when that is read, too: an authority
            // may have another key there.
            let Some(own) = self.fold.tree().root_at(size) else { continue };
            let Some(policy) = self.fold.policy_at(size) else { return Ok(None) };
            policy.verify(&note).map_err(|error| failed(format!("{node}: {error}")))?;
            if own != root {
                let message = format!(
                    "{node} has a checkpoint of {size} leaves, signed by a quorum, that does not \
                     fit the leaves read: keep both as evidence"
                );
                return Err(failed(message));
            }
            if best.as_ref().is_none_or(|best| best.checkpoint.size < size) {
                best = Some(note);
            }
        }
        Ok(best)
    }

    fn has_share(&self, trustee: u8) -> bool {
        matches!(self.fold.phase(), Phase::Closed { shares } if shares.contains(&trustee))
    }

    /// Posts the result if the shares suffice.
    async fn publish(&mut self) -> Result<(), Failure> {
        if self.fold.result().is_none() {
            let threshold = self.fold.manifest().map_or(0, |one| one.definition.threshold);
            let shares = match self.fold.phase() {
                Phase::Closed { shares } => shares.len(),
                _ => 0,
            };
            if shares < usize::from(threshold) {
                println!("{shares} of {threshold} decryption shares are there");
                return Ok(());
            }
            let outcome = self.fold.decrypt().map_err(failed)?;
            let body = ResultBody { result: Octets(outcome.encode()) };
            let done = [code::REPEATED, code::WRONG_PHASE];
            act(self.api, (Method::POST, &path(self.id, "result")), &body, &done).await?;
        }
        let published = |view: &crate::http::ElectionView| view.result.as_ref().map(drop);
        self.api.wait_for_election(self.id, published, |_| {}).await?;
        println!("the result is published; see `quorate election results {}`", self.id);
        Ok(())
    }
}
